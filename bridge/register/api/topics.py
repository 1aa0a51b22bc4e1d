"""The topic tree of the published contract: build and read every topic. Pure.

The register's identity is in the topic, never in the payload: the broker's access list lets
a register publish under its own prefix only.

    {base}/bridge/{state|info|health|event|fence/<client>}      {base}/terminals/{id}/{info|state}
    {base}/registers/{id}/request/{op}                          .../response/{op}
    {base}/registers/{id}/state | events | payments/{payment_id} | receipts/{payment_id}/{copy}
    {base}/registers/{id}/prompts/{prompt_id}

`bridge/fence/...` carries the bridge's own markers, `bridge/authority/...` what bridges say to
each other about who serves; registers ignore them, as they ignore every
topic they do not know.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final

DEFAULT_BASE: Final = "paybridge/v1"
ID_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
TOPIC_CHARACTERS_MAX: Final = (
    200  # the longest topic of ours has 133; a response topic may be longer
)

_ID: Final = re.compile(ID_PATTERN.strip("^$"))
_UUID: Final = re.compile(UUID_PATTERN.strip("^$"))
_WORD: Final = re.compile(r"[a-z][a-z_]{0,31}")
_BASE: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_OPERATION_CHARACTERS_MAX: Final = 64  # ours have 20; a wrong one still deserves its answer


def is_id(text: str) -> bool:
    """Tell whether `text` may name a register, a terminal or a prompt."""
    return _ID.fullmatch(text) is not None


def is_payment_id(text: str) -> bool:
    """Tell whether `text` is a UUID in lower case with its dashes."""
    return _UUID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class RequestTopic:
    """A register asks for `operation` (`payment/start`), which may be one we do not know."""

    register_id: str
    operation: str


@dataclass(frozen=True, slots=True)
class RegisterStateTopic:
    """A register's birth or will."""

    register_id: str


@dataclass(frozen=True, slots=True)
class PaymentTopic:
    """A payment's retained document."""

    register_id: str
    payment_id: str


@dataclass(frozen=True, slots=True)
class ReceiptTopic:
    """A receipt's retained document."""

    register_id: str
    payment_id: str
    copy: str


@dataclass(frozen=True, slots=True)
class PlanTopic:
    """A split payment's retained document."""

    register_id: str
    plan_id: str


@dataclass(frozen=True, slots=True)
class PromptTopic:
    """An open question's retained document."""

    register_id: str
    prompt_id: str


@dataclass(frozen=True, slots=True)
class ResponseTopic:
    """The answer to a command."""

    register_id: str
    operation: str


@dataclass(frozen=True, slots=True)
class EventsTopic:
    """A register's stream of events."""

    register_id: str


TERMINAL_KINDS = frozenset({"info", "state", "reconciliation"})


@dataclass(frozen=True, slots=True)
class TerminalTopic:
    """A terminal's retained document; `kind` is `info` or `state`."""

    terminal_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class BridgeTopic:
    """Something of the bridge itself; `kind` is `state`, `info`, `health` or `event`."""

    kind: str


Topic = (
    RequestTopic
    | RegisterStateTopic
    | PaymentTopic
    | ReceiptTopic
    | PlanTopic
    | PromptTopic
    | ResponseTopic
    | EventsTopic
    | TerminalTopic
    | BridgeTopic
)


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic under one configurable base, e.g. `paybridge/v1`.

    Building a topic from an id that `is_id` refuses is a programmer's error: ids are checked
    where they come in.
    """

    base: str = DEFAULT_BASE

    def __post_init__(self) -> None:
        if _BASE.fullmatch(self.base) is None:
            raise ValueError(f"{self.base!r} cannot be the base of topics, try {DEFAULT_BASE!r}")

    @property
    def bridge_state(self) -> str:
        """Retained, and the bridge's will."""
        return f"{self.base}/bridge/state"

    @property
    def bridge_info(self) -> str:
        """Retained."""
        return f"{self.base}/bridge/info"

    @property
    def bridge_health(self) -> str:
        """Retained."""
        return f"{self.base}/bridge/health"

    def fence(self, client_id: str) -> str:
        """The marker that divides queued commands from live ones. Not retained."""
        return f"{self.base}/bridge/fence/{client_id}"

    @property
    def authority_holder(self) -> str:
        """Retained: which bridge this base topic belongs to."""
        return f"{self.base}/bridge/authority/holder"

    @property
    def authority_words(self) -> str:
        """What bridges ask and answer each other. Not retained."""
        return f"{self.base}/bridge/authority/words"

    def terminal_info(self, terminal_id: str) -> str:
        """Retained."""
        return f"{self.base}/terminals/{_id(terminal_id)}/info"

    def terminal_state(self, terminal_id: str) -> str:
        """Retained."""
        return f"{self.base}/terminals/{_id(terminal_id)}/state"

    def terminal_reconciliation(self, terminal_id: str) -> str:
        """Retained: the last end of day."""
        return f"{self.base}/terminals/{_id(terminal_id)}/reconciliation"

    def register(self, register_id: str) -> str:
        """The prefix under which all of one register lies, without a slash at its end."""
        return f"{self.base}/registers/{_id(register_id)}"

    def register_state(self, register_id: str) -> str:
        """Retained, and the register's will."""
        return f"{self.register(register_id)}/state"

    def request(self, register_id: str, operation: str) -> str:
        """Never retained."""
        return f"{self.register(register_id)}/request/{operation}"

    def response(self, register_id: str, operation: str) -> str:
        """Not retained."""
        return f"{self.register(register_id)}/response/{operation}"

    def events(self, register_id: str) -> str:
        """Not retained."""
        return f"{self.register(register_id)}/events"

    def payment(self, register_id: str, payment_id: str) -> str:
        """Retained until it is final, recorded and acknowledged (or a day old)."""
        return f"{self.register(register_id)}/payments/{_payment(payment_id)}"

    def receipt(self, register_id: str, payment_id: str, copy: str) -> str:
        """Retained until the payment is acknowledged."""
        assert _WORD.fullmatch(copy), copy
        return f"{self.register(register_id)}/receipts/{_payment(payment_id)}/{copy}"

    def plan(self, register_id: str, plan_id: str) -> str:
        """Retained until the documents of all its parts are gone."""
        return f"{self.register(register_id)}/plans/{_payment(plan_id)}"

    def prompt(self, register_id: str, prompt_id: str) -> str:
        """Retained until the question is answered or expires."""
        return f"{self.register(register_id)}/prompts/{_id(prompt_id)}"

    @property
    def all_payments(self) -> str:
        """The filter for every register's documents."""
        return f"{self.base}/registers/+/payments/+"

    @property
    def all_requests(self) -> str:
        """The filter for every register's commands."""
        return f"{self.base}/registers/+/request/#"

    @property
    def all_register_states(self) -> str:
        """The filter for every register's birth and will."""
        return f"{self.base}/registers/+/state"

    def parse(self, topic: str) -> Topic | None:
        """Return what `topic` is, or None for one that is not of this contract."""
        if not topic.startswith(self.base + "/") or len(topic) > TOPIC_CHARACTERS_MAX:
            return None
        match topic[len(self.base) + 1 :].split("/"):
            case ["registers", register, *rest] if is_id(register):
                return _register_topic(register, rest)
            case ["terminals", terminal, ("info" | "state" | "reconciliation") as kind] if is_id(
                terminal
            ):
                return TerminalTopic(terminal, kind)
            case ["bridge", kind] if _WORD.fullmatch(kind):
                return BridgeTopic(kind)
            case _:
                return None

    def unserved_register(self, topic: str) -> str:
        """Return the register whose command or state this is but for its id, "" if it is none.

        The rule for ids is `ID_PATTERN`.
        """
        match topic.removeprefix(self.base + "/").split("/"):
            case ["registers", name, "request" | "state", *_] if not is_id(name):
                return name[:TOPIC_CHARACTERS_MAX]
            case _:
                return ""

    def may_answer_at(self, register_id: str, topic: str) -> bool:
        """Tell whether a register may have its answers sent to `topic` (MQTT 5 Response Topic).

        Only below its own prefix, and never where its own commands or its retained documents
        are: an answer there would come back as a command or hide a payment. Levels that are empty,
        `.` or `..` are refused: bridges and gateways that make paths of topics fold them away, and
        the answer would arrive outside the register's prefix.
        """
        prefix = self.register(register_id) + "/"
        rest = topic.removeprefix(prefix)
        return (
            topic.startswith(prefix)
            and not {"", ".", ".."} & set(rest.split("/"))
            and len(topic) <= TOPIC_CHARACTERS_MAX
            and not any(character in topic for character in "+#\0")
            and rest.split("/")[0] not in _NO_ANSWERS
        )


def prompt_id(payment_id: str) -> str:
    """Return the name of the question about a payment's signature, the same after a restart."""
    return uuid.UUID(payment_id).hex


def payment_of_prompt(name: str) -> str:
    """Return the payment that a question is about, "" when the name is none of ours."""
    try:
        return str(uuid.UUID(hex=name))
    except ValueError:
        return ""


# Where a register's own commands and the bridge's documents are.
_NO_ANSWERS = frozenset(
    {"request", "state", "events", "payments", "plans", "prompts", "receipts", "lite"}
)


def _register_topic(register: str, rest: list[str]) -> Topic | None:
    match rest:
        case ["request", *operation] if _is_operation(operation):
            return RequestTopic(register, "/".join(operation))
        case ["response", *operation] if _is_operation(operation):
            return ResponseTopic(register, "/".join(operation))
        case ["state"]:
            return RegisterStateTopic(register)
        case ["events"]:
            return EventsTopic(register)
        case ["payments", payment] if is_payment_id(payment):
            return PaymentTopic(register, payment)
        case ["receipts", payment, copy] if is_payment_id(payment) and _WORD.fullmatch(copy):
            return ReceiptTopic(register, payment, copy)
        case ["plans", plan] if is_payment_id(plan):
            return PlanTopic(register, plan)
        case ["prompts", prompt] if is_id(prompt):
            return PromptTopic(register, prompt)
        case _:
            return None


def _is_operation(parts: list[str]) -> bool:
    return 0 < len("/".join(parts)) <= _OPERATION_CHARACTERS_MAX


def _id(text: str) -> str:
    assert is_id(text), text
    return text


def _payment(text: str) -> str:
    assert is_payment_id(text), text
    return text

"""What is published where, by whom, and as what. Pure.

A command that is added to `REQUESTS` appears here, and in everything made from here, by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from bridge.register.api.commands import REQUESTS
from bridge.register.api.documents import (
    PaymentDocument,
    PaymentEvent,
    PlanDocument,
    PromptDocument,
    ReceiptDocument,
    Response,
)
from bridge.register.api.fields import Wire
from bridge.register.api.published.responses import response_of
from bridge.register.api.state_documents import (
    BridgeHealth,
    BridgeInfo,
    BridgeState,
    ReconciliationDocument,
    RegisterState,
    TerminalInfo,
    TerminalState,
)
from bridge.register.api.topics import ResponseTopic, Topics, is_id

_REGISTER: Final = "registers/{register_id}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Publication:
    """One kind of message. `address` is the topic below the base, with its parameters in braces.

    `operation` names the command that this is, or answers; "" for everything else.
    """

    address: str
    sender: Literal["register", "bridge"]
    retained: bool
    model: type[Wire]
    operation: str = ""

    @property
    def name(self) -> str:
        """What the message is called, e.g. `PaymentStart`."""
        return self.model.__name__

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parts of the address that differ from store to store."""
        return tuple(_PARAMETER.findall(self.address))


_DOCUMENTS: Final = (
    Publication("bridge/state", "bridge", True, BridgeState),
    Publication("bridge/info", "bridge", True, BridgeInfo),
    Publication("bridge/health", "bridge", True, BridgeHealth),
    Publication("terminals/{terminal_id}/info", "bridge", True, TerminalInfo),
    Publication("terminals/{terminal_id}/state", "bridge", True, TerminalState),
    Publication("terminals/{terminal_id}/reconciliation", "bridge", True, ReconciliationDocument),
    Publication(f"{_REGISTER}/state", "register", True, RegisterState),
    Publication(f"{_REGISTER}/payments/{{payment_id}}", "bridge", True, PaymentDocument),
    Publication(f"{_REGISTER}/receipts/{{payment_id}}/{{copy}}", "bridge", True, ReceiptDocument),
    Publication(f"{_REGISTER}/plans/{{plan_id}}", "bridge", True, PlanDocument),
    Publication(f"{_REGISTER}/prompts/{{prompt_id}}", "bridge", True, PromptDocument),
    Publication(f"{_REGISTER}/events", "bridge", False, PaymentEvent),
)


def publications() -> tuple[Publication, ...]:
    """Return all kinds of messages: commands with their responses, then documents."""
    commands: list[Publication] = []
    for operation, model in REQUESTS.items():
        request = f"{_REGISTER}/request/{operation}"
        response = f"{_REGISTER}/response/{operation}"
        commands.append(Publication(request, "register", False, model, operation))
        answer = response_of(operation)
        commands.append(Publication(response, "bridge", False, answer, operation))
    return (*commands, *_DOCUMENTS)


def model_at(topic: str, topics: Topics) -> type[Wire] | None:
    """Return the model of what is published at `topic`; None where the contract knows nothing.

    A command that nobody knows has a response all the same, and a register on MQTT 5 may have
    its responses sent to a topic of its own.
    """
    parts = topic.removeprefix(f"{topics.base}/").split("/")
    parsed = topics.parse(topic)
    if parsed is None:
        own = parts[0] == "registers" and len(parts) > 1 and is_id(parts[1])
        return Response if own and topics.may_answer_at(parts[1], topic) else None
    for each in publications():
        address = each.address.split("/")
        if len(address) == len(parts) and all(
            wanted.startswith("{") or wanted == part
            for wanted, part in zip(address, parts, strict=True)
        ):
            return each.model
    return Response if isinstance(parsed, ResponseTopic) else None


def summary(model: type[Wire]) -> str:
    """Return what a model's docstring says, on one line."""
    return " ".join((model.__doc__ or "").split())

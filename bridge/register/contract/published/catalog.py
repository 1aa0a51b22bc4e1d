"""What is published where, by whom, and as what. Pure.

A command that is added to `REQUESTS` appears here, and in everything made from here, by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from bridge.register.contract.documents import (
    PaymentDocument,
    PaymentEvent,
    ReceiptDocument,
    Response,
)
from bridge.register.contract.fields import Wire
from bridge.register.contract.requests import REQUESTS
from bridge.register.contract.states import (
    BridgeHealth,
    BridgeInfo,
    BridgeState,
    RegisterState,
    TerminalInfo,
    TerminalState,
)
from bridge.register.contract.topics import (
    BridgeTopic,
    EventsTopic,
    PaymentTopic,
    ReceiptTopic,
    RegisterStateTopic,
    RequestTopic,
    ResponseTopic,
    TerminalTopic,
    Topics,
)

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
    Publication(f"{_REGISTER}/state", "register", True, RegisterState),
    Publication(f"{_REGISTER}/payments/{{payment_id}}", "bridge", True, PaymentDocument),
    Publication(f"{_REGISTER}/receipts/{{payment_id}}/{{copy}}", "bridge", True, ReceiptDocument),
    Publication(f"{_REGISTER}/events", "bridge", False, PaymentEvent),
)


def publications() -> tuple[Publication, ...]:
    """Return all kinds of messages: commands with their responses, then documents."""
    commands: list[Publication] = []
    for operation, model in REQUESTS.items():
        request = f"{_REGISTER}/request/{operation}"
        response = f"{_REGISTER}/response/{operation}"
        commands.append(Publication(request, "register", False, model, operation))
        commands.append(Publication(response, "bridge", False, Response, operation))
    return (*commands, *_DOCUMENTS)


def model_at(topic: str, topics: Topics) -> type[Wire] | None:
    """Return the model of what is published at `topic`; None where the contract knows nothing."""
    match topics.parse(topic):
        case RequestTopic(_, operation):
            return REQUESTS.get(operation)
        case ResponseTopic():
            return Response
        case PaymentTopic():
            return PaymentDocument
        case ReceiptTopic():
            return ReceiptDocument
        case EventsTopic():
            return PaymentEvent
        case RegisterStateTopic():
            return RegisterState
        case TerminalTopic(_, kind):
            return TerminalInfo if kind == "info" else TerminalState
        case BridgeTopic("state"):
            return BridgeState
        case BridgeTopic("info"):
            return BridgeInfo
        case BridgeTopic("health"):
            return BridgeHealth
        case _:
            return None


def summary(model: type[Wire]) -> str:
    """Return what a model's docstring says, on one line."""
    return " ".join((model.__doc__ or "").split())

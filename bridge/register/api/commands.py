"""Every command that a register may send, by its operation. Pure.

The models are in `envelope.py` (what they share), `payment_commands.py`,
`existing_payment_commands.py`, `terminal_commands.py` and `office_commands.py`; `decode.py` turns a
payload into one of them, or refuses it.
"""

from __future__ import annotations

from typing import Final, get_args

from bridge.register.api.existing_payment_commands import (
    GiftCardBalance,
    GiftCardDeactivate,
    GiftCardReplace,
    PaymentAcknowledge,
    PaymentCancel,
    PaymentList,
    PaymentResolve,
    PaymentStatus,
    PromptAnswer,
    ReceiptReprint,
    SaleAttach,
)
from bridge.register.api.office_commands import OfficeCustomer, OfficeItem
from bridge.register.api.payment_commands import (
    GiftCardActivate,
    GiftCardLoad,
    GiftCardReverse,
    GiftCardUnload,
    PaymentCapture,
    PaymentIncrement,
    PaymentRefund,
    PaymentStart,
    PaymentTipAdjust,
    PaymentVoid,
)
from bridge.register.api.terminal_commands import AnyTerminalOperation, TerminalNote

AnyRequest = (
    PaymentStart
    | GiftCardLoad
    | GiftCardActivate
    | GiftCardUnload
    | GiftCardReverse
    | GiftCardBalance
    | GiftCardDeactivate
    | GiftCardReplace
    | PaymentIncrement
    | PaymentCapture
    | PaymentRefund
    | PaymentVoid
    | PaymentTipAdjust
    | PaymentCancel
    | PaymentStatus
    | PaymentList
    | PaymentAcknowledge
    | PaymentResolve
    | PromptAnswer
    | SaleAttach
    | AnyTerminalOperation
    | TerminalNote
    | ReceiptReprint
    | OfficeItem
    | OfficeCustomer
)

REQUESTS: Final[dict[str, type[AnyRequest]]] = {
    model.operation: model for model in get_args(AnyRequest)
}
"""Every command there is, by the operation in its topic."""

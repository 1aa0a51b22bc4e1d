"""The buttons of a display: what each means, and what a register sends when it is pressed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# In `sends`: a field of the payment's document in braces, or what else belongs there.
NEW_ID: Final = "{new payment_id}"
CODE_OF_SLIP: Final = "{approval code of the slip}"
WHO: Final = "{who says so}"
SAME: Final = "{as before}"
PROMPT: Final = "{prompt_id}"  # it is in the button's own id


@dataclass(frozen=True, slots=True)
class ButtonFacts:
    """What a button is for. `operation` is "" where the register does something by itself."""

    meaning: str
    operation: str = ""
    sends: Mapping[str, object] = field(default_factory=dict)


_ABOUT: Final = {"payment_id": "{payment_id}"}
_AFTER: Final = {"payment_id": NEW_ID, "original_payment_id": "{payment_id}"}

BUTTONS: Final[dict[str, ButtonFacts]] = {
    "cancel": ButtonFacts(
        "Ask for the payment to be stopped.",
        "payment/cancel",
        {**_ABOUT, "reason": "customer_changed_mind"},
    ),
    "retry": ButtonFacts(
        "The same once more: the command that began the payment, as a new payment. For a part of a "
        "plan, the whole plan.",
        "the same",
        {"payment_id": NEW_ID, "…": SAME},
    ),
    "pay_otherwise": ButtonFacts(
        "Take what is left to pay another way: with another card, a gift card, or in cash. With a "
        "card, for `amounts.remaining_amount`.",
        "payment/start",
        {
            "payment_id": NEW_ID,
            "sale_id": "{sale_id}",
            "amounts": {
                "currency": "{amounts.currency}",
                "requested_amount": "{amounts.remaining_amount}",
            },
        },
    ),
    "void": ButtonFacts("Undo the payment, as if it had not been.", "payment/void", _AFTER),
    "refund": ButtonFacts(
        "Give back what was taken.",
        "payment/refund",
        {
            **_AFTER,
            "amounts": {
                "currency": "{amounts.currency}",
                "requested_amount": "{amounts.captured_amount}",
            },
        },
    ),
    "keep": ButtonFacts(
        "The payment stands; take note of it.",
        "payment/acknowledge",
        {**_ABOUT, "rev": "{rev}"},
    ),
    "receipt": ButtonFacts(
        "Print the receipt that lies where `receipts` says.",
        "receipt/reprint",
        _ABOUT,
    ),
    "answer:approved": ButtonFacts(
        "The slip says approved; ask the cashier for its approval code.",
        "payment/resolve",
        {
            **_ABOUT,
            "outcome": "approved",
            "approved_by": WHO,
            "evidence": {"approval_code": CODE_OF_SLIP, "source": "merchant_slip"},
        },
    ),
    "answer:not_charged": ButtonFacts(
        "The slip, or its absence, says not charged.",
        "payment/resolve",
        {
            **_ABOUT,
            "outcome": "not_charged",
            "approved_by": WHO,
            "evidence": {"source": "merchant_slip"},
        },
    ),
    f"answer:{PROMPT}:yes": ButtonFacts(
        "Answer the question of that name.",
        "prompt/answer",
        {"prompt_id": PROMPT, "answer": {"confirmed": True}},
    ),
    f"answer:{PROMPT}:no": ButtonFacts(
        "Answer the question of that name.",
        "prompt/answer",
        {"prompt_id": PROMPT, "answer": {"confirmed": False}},
    ),
    "call_supervisor": ButtonFacts(
        "Call whoever may decide; nothing is sent.",
    ),
}
"""Every button that the bridge may show. A new one needs a row here and nothing else."""

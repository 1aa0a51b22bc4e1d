"""Questions for the cashier, as documents: text, deadline, what each answer does. Pure."""

from __future__ import annotations

from datetime import datetime

from bridge.money import payment as p
from bridge.register import api as k
from drivers.amounts import amount_text

YES, NO = "yes", "no"


def button_id(payment_id: str, answer: str) -> str:
    """Return the id of a button that answers the question about a payment's signature."""
    return f"answer:{k.prompt_id(payment_id)}:{answer}"


def prompt_document(
    payment: p.Payment, *, expires_at: datetime, unanswered_stands: bool, can_void: bool
) -> k.PromptDocument:
    """Return the question about a payment's signature."""
    assert payment.approval is not None, "what was signed was approved"
    amount = payment.approval.amount
    refused = (
        "No: the payment is reversed."
        if can_void
        else "No: the terminal cannot take it back; refund it, or call a supervisor."
    )
    silence = "stands" if unanswered_stands else "is reversed"
    return k.PromptDocument(
        prompt_id=k.prompt_id(payment.request.payment_id),
        payment_id=payment.request.payment_id,
        text=f"Is the signature right? {amount_text(amount)}",
        buttons=(k.Button(id=YES, label="Yes"), k.Button(id=NO, label="No")),
        expires_at=expires_at,
        default_answer=k.PromptDefault(confirmed=unanswered_stands),
        consequence=f"{refused} If nobody answers, the payment {silence}.",
    )

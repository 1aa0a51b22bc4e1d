"""Questions for the clerk, as documents: what is asked, until when, what each answer does. Pure."""

from __future__ import annotations

import uuid
from datetime import datetime

from bridge.money import payment as p
from bridge.money.payment.signature import Signature
from bridge.register import api as k
from drivers.amounts import amount_text

YES, NO = "yes", "no"


def prompt_id(payment_id: str) -> str:
    """Return the name of the question about a payment's signature, the same after a restart."""
    return uuid.UUID(payment_id).hex


def payment_of(prompt: str) -> str:
    """Return the payment that a question is about, "" when the name is none of ours."""
    try:
        return str(uuid.UUID(hex=prompt))
    except ValueError:
        return ""


def button_id(payment_id: str, answer: str) -> str:
    """Return the id of a button that answers the question about a payment's signature."""
    return f"answer:{prompt_id(payment_id)}:{answer}"


def is_open(payment: p.Payment) -> bool:
    """Say whether the clerk is still asked about the payment's signature."""
    return payment.signature is Signature.ASKED and payment.awaits_signature


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
        prompt_id=prompt_id(payment.request.payment_id),
        payment_id=payment.request.payment_id,
        text=f"Is the signature right? {amount_text(amount)}",
        buttons=(k.Button(id=YES, label="Yes"), k.Button(id=NO, label="No")),
        expires_at=expires_at,
        default_answer=k.PromptDefault(confirmed=unanswered_stands),
        consequence=f"{refused} If nobody answers, the payment {silence}.",
    )

"""What a terminal's answer to a terminal operation means for a register. Pure."""

from __future__ import annotations

from bridge.errors import RequestError
from bridge.register import api as k
from drivers import contract as c


def result_of(
    terminal_id: str, final: c.FinalEvent, payment_id: str | None
) -> k.Wire | RequestError:
    """Return the `result` of a response, or why there is none.

    `payment_id` is the payment that a last transaction belongs to, None for one that the bridge
    does not know.
    """
    match final:
        case c.CardRead(card):
            return k.CardReadResult(terminal_id=terminal_id, **_card(card))
        case c.CardBalance(amount, card):
            return k.CardBalanceResult(
                terminal_id=terminal_id,
                balance=k.format_amount(amount),
                currency=amount.currency,
                **_card(card),
            )
        case c.LastTransaction(approval, text):
            return k.LastTransactionResult(
                terminal_id=terminal_id,
                payment_id=payment_id,
                text=text or None,
                **_transaction(approval),
            )
        case c.Diagnosis(passed, text, facts):
            return k.DiagnosisResult(
                terminal_id=terminal_id, passed=passed, text=text or None, facts=dict(facts)
            )
        case c.Done():
            return k.TerminalResult(terminal_id=terminal_id)
        case c.Declined(code, text, reason) | c.Failed(code, text, reason):
            return RequestError(reason, text or code, terminal_id=terminal_id)
        case c.Canceled(by, code, text):
            return RequestError(f"canceled_by_{by}", text or code, terminal_id=terminal_id)
        case _:
            text = "the terminal gave no usable answer"
            return RequestError("terminal_fault", text, terminal_id=terminal_id)


def _card(card: c.Card) -> dict[str, str | None]:
    pan = card.masked_pan
    return {
        "payment_brand": card.brand or None,
        "payment_brand_label": card.label or None,
        "masked_pan": c.MaskedPan.of(pan.text).text if pan else None,
        "entry_mode": card.entry_mode or None,
    }


def _transaction(approval: c.Approval | None) -> dict[str, str | None]:
    """Return the terminal's last transaction; nothing when its memory is empty."""
    if approval is None:
        return {}
    return {
        "amount": k.format_amount(approval.amount),
        "currency": approval.amount.currency,
        "poi_id": approval.terminal_id or None,
        "transaction_id": approval.transaction_id or None,
        "trace": approval.trace or None,
        "approval_code": approval.approval_code or None,
        "time_stamp": approval.time_text or None,
        **_card(approval.card),
    }

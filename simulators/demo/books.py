"""Reads the books of the demo from the parties' own files. Changes nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.money import payment as p
from bridge.money.purchase import PurchaseDue
from bridge.money.store.database import open_for_reading
from bridge.money.store.journal_entries import (
    EventCodec,
    read_entries,
    read_payments,
    read_purchases,
)
from bridge.money.store.records import fold_payment
from simulators.demo.comparison import Booking, Books, Charge, Entry, GiftMove
from simulators.terminals.shared.ledger import MOVES, TAKES, read_ledger, standing

_MINOR_PER_UNIT = 100  # of it
_GIFT_CARD_EFFECT = "gift_card_trans_"


def read_books(terminal_ledger: Path, journal: Path, office_ledger: Path) -> Books:
    """Return all books of the day.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    return Books(
        read_charges(terminal_ledger),
        read_gift_moves(office_ledger),
        read_journal(journal),
        read_bookings(office_ledger),
    )


def read_charges(path: Path) -> list[Charge]:
    """Return what the terminal took or gave back and did not undo, by its own memory."""
    entries = read_ledger(path)
    settled = {entry.original for entry in entries if entry.kind == "committed"}
    return [
        Charge(
            entry.receipt,
            entry.amount_minor if entry.kind in TAKES else -entry.amount_minor,
            entry.currency,
            entry.number in settled,
        )
        for entry in standing(entries)
        if entry.kind in MOVES
    ]


def read_journal(path: Path) -> list[Entry]:
    """Return the journal's payments, oldest first.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    connection = open_for_reading(path)
    codec = EventCodec()
    try:
        purchases = [
            entry.event
            for row in read_purchases(connection, "1", ())
            for entry in read_entries(connection, codec, row.transaction_id)
            if isinstance(entry.event, PurchaseDue)
        ]
        payments = [
            fold_payment(read_entries(connection, codec, row.payment_id)).payment
            for row in read_payments(connection, "1", ())
        ]
    finally:
        connection.close()
    return [_entry(payment, purchases) for payment in payments]


def _entry(payment: p.Payment, purchases: list[PurchaseDue]) -> Entry:
    request = payment.request
    reference = ""
    if request.method is p.Method.OFFICE_GIFT_CARD:
        # What ends a hold is booked under the hold.
        reference = request.original_payment_id or request.payment_id
    return Entry(
        payment_id=request.payment_id,
        status=payment.status.value,
        amount_minor=_brought_minor(payment),
        currency=request.amount.currency,
        receipt=payment.approval.transaction_id if payment.approval else "",
        transaction_ids=tuple(
            due.content.transaction_id for due in purchases if request.payment_id in due.payment_ids
        ),
        plan_id=request.plan.plan_id if request.plan else "",
        gift_reference=reference,
        fills=request.type is p.PaymentType.LOAD,
    )


def _brought_minor(payment: p.Payment) -> int:
    """Return what the payment brought, or put on a gift card; below zero what it gave back."""
    match payment.request.type:
        case p.PaymentType.SALE | p.PaymentType.CAPTURE:
            return 0 if payment.funds is p.Funds.VOIDED else payment.captured.minor
        case p.PaymentType.LOAD if payment.funds is p.Funds.LOADED:
            return payment.request.amount.minor
        case p.PaymentType.REFUND if payment.approval and payment.status is p.Status.APPROVED:
            return -payment.approval.amount.minor
        case p.PaymentType.TIP_ADJUST if payment.approval and payment.status is p.Status.APPROVED:
            return payment.approval.amount.minor
        case _:
            return 0


def read_bookings(path: Path) -> list[Booking]:
    """Return the purchases that the back office has; one that pays nothing gives back."""
    return [
        Booking(
            record_id=line["id"],
            transaction_id=line["transactionId"],
            amount_minor=_minor(line["payAmount"]) or -_minor(line["request"].get("refundAmount")),
        )
        for line in _lines(path)
        if line["effect"] == "purchase_added"
    ]


def read_gift_moves(path: Path) -> list[GiftMove]:
    """Return how every transaction of the back office's gift cards stands, oldest first."""
    newest: dict[str, dict[str, Any]] = {}
    for line in _lines(path):
        if line["effect"].startswith(_GIFT_CARD_EFFECT):
            newest[line["id"]] = line
    return [
        GiftMove(line["refNo"], -_minor(line["amount"]), held=line["status"] == "AUTHORIZED")
        for line in newest.values()
        if line["status"] != "CANCELLED"
    ]


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _minor(amount: str | None) -> int:
    return int(Decimal(amount or 0) * _MINOR_PER_UNIT)

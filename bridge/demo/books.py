"""Reads the three books of the demo from their files. Changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.demo.comparison import Booking, Charge, Entry
from bridge.money.accounts import fold_payment
from bridge.money.amounts import parse_amount
from bridge.money.entries import EventCodec, read_entries, read_payments, read_purchases
from bridge.money.journal_file import open_for_reading
from bridge.money.sale import PurchaseDue
from simulators.terminal_ledger import TAKES, read_ledger, standing

CURRENCY = "EUR"  # the back office names none


def read_charges(path: Path) -> list[Charge]:
    """Return what the terminal took and did not give back, by its own memory."""
    entries = read_ledger(path)
    settled = {entry.original for entry in entries if entry.kind == "committed"}
    return [
        Charge(entry.receipt, entry.amount_minor, entry.currency, entry.number in settled)
        for entry in standing(entries)
        if entry.kind in TAKES
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
    return [
        Entry(
            payment_id=payment.request.payment_id,
            status=payment.status.value,
            amount_minor=payment.captured.minor,
            currency=payment.captured.currency,
            receipt=payment.approval.transaction_id if payment.approval else "",
            transaction_ids=tuple(
                due.content.transaction_id
                for due in purchases
                if payment.request.payment_id in due.payment_ids
            ),
        )
        for payment in payments
    ]


def read_bookings(path: Path) -> list[Booking]:
    """Return the purchases that the back office has."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Booking(
            record_id=line["id"],
            transaction_id=line["transactionId"],
            amount_minor=parse_amount(line["payAmount"], CURRENCY, path="payAmount").minor,
        )
        for line in lines
        if line["effect"] == "purchase_added"
    ]

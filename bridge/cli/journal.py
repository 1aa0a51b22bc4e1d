"""The raw history of one payment, for programs and tests; `bridge/reports` tells it to people."""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Any

from bridge.cli.purchase_versions import versions
from bridge.config import Config
from bridge.money.store.database import open_for_reading
from bridge.money.store.journal_entries import (
    KIND_OF,
    EventCodec,
    PaymentRow,
    read_entries,
    read_payments,
    read_purchases,
)
from bridge.money.store.records import fold_payment, fold_purchase
from bridge.settings import JOURNAL_NAME
from drivers.amounts import amount_text
from drivers.contract import Money


def find_payment_id(config: Config, part: str) -> str | None:
    """Return the id of the one payment whose id begins or ends so; None if not just one does.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    connection = open_for_reading(config.site.state_directory / JOURNAL_NAME)
    try:
        rows = _payments_named(connection, part)
    finally:
        connection.close()
    return rows[0].payment_id if len(rows) == 1 else None


def _payments_named(connection: sqlite3.Connection, part: str) -> list[PaymentRow]:
    part = part.removeprefix("…")  # as the list shows it
    if not part:
        return []
    return read_payments(
        connection,
        "substr(payment_id, 1, ?) = ? or substr(payment_id, ?) = ?",
        (len(part), part, -len(part), part),
    )


def find_payment(config: Config, part: str) -> dict[str, Any] | None:
    """Return the history of the one payment whose id begins or ends so; None if not just one does.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    connection = open_for_reading(config.site.state_directory / JOURNAL_NAME)
    codec = EventCodec()
    try:
        rows = _payments_named(connection, part)
        if len(rows) != 1:
            return None
        entries = read_entries(connection, codec, rows[0].payment_id)
        account = fold_payment(entries)
        told = [
            read_entries(connection, codec, due.transaction_id)
            for due in read_purchases(connection, "sale_key=?", (rows[0].sale_key,))
        ]
    finally:
        connection.close()
    payment = account.payment
    purchases = [(fold_purchase(one), versions(one)) for one in told]
    mine = [one for one in purchases if rows[0].payment_id in one[0].purchase.payment_ids]
    return {
        "payment_id": rows[0].payment_id,
        "register_id": rows[0].register_id,
        "terminal_id": rows[0].terminal_id,
        "sale_id": payment.request.sale_id,
        "requested": _money(payment.request.amount),
        "captured": _money(payment.captured),
        "status": payment.status.value,
        "funds": payment.funds.value,
        "recording": payment.recording.value,
        "card": payment.approval.card.masked_pan.text
        if payment.approval and payment.approval.card.masked_pan
        else "",
        "approval_code": payment.approval.approval_code if payment.approval else "",
        "discrepancies": [f"{one.kind}: {one.text}" for one in payment.discrepancies],
        "purchases": [
            {
                "transaction_id": one.purchase.content.transaction_id,
                "state": one.purchase.state.value,
                "record_id": one.purchase.record_id,
                "attempts": one.purchase.attempts,
                "error": one.purchase.error,
                "mended": mends,
            }
            for one, mends in mine
        ],
        "story": [
            {
                "seq": entry.seq,
                "at": entry.at,
                "event": KIND_OF[type(entry.event)],
                "facts": _facts(entry.event),
            }
            for entry in entries
        ],
    }


def _facts(event: Any) -> dict[str, str]:
    """Return an event's plain values; what is nested is in the head already."""
    found = {}
    for one in dataclasses.fields(event):
        value = getattr(event, one.name)
        if isinstance(value, Money):
            found[one.name] = _money(value)
        elif hasattr(value, "value"):
            found[one.name] = str(value.value)
        elif isinstance(value, (str, int)) and value not in ("", False):
            found[one.name] = str(value)
        elif hasattr(value, "fingerprint"):
            found[one.name] = value.fingerprint or "none yet"
    return found


def _money(money: Money) -> str:
    return amount_text(money)

"""Reads the journal for people: lists, and the history of one payment. Cannot change anything."""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import TYPE_CHECKING, Any

from bridge.cli.purchase_versions import in_words, versions
from bridge.config import Config
from bridge.money.amounts import format_amount, parse_amount
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

if TYPE_CHECKING:
    from rich.table import Table

_OPEN = (
    "status in ('queued','in_progress','canceling','in_doubt')"
    " or recording in ('pending','unconfirmed','rejected')"
)
# Among these are the holds that still hold: their documents stay, and so their rows are live.
_MAY_HOLD = (
    "live=1 and status='approved' and exists (select 1 from entry where subject=payment_id"
    " and kind='Requested' and instr(body, '\"type\":\"preauth\"'))"
)
SHOWN_CHARACTERS = 8  # ids made in the same minute begin alike; their ends differ
_COLORS = {
    "approved": "green",
    "recorded": "green",
    "in_doubt": "bold red",
    "unconfirmed": "bold red",
    "rejected": "bold red",
    "pending": "yellow",
    "held": "yellow",
}


def list_payments(config: Config, *, only_open: bool, limit: int) -> list[dict[str, Any]]:
    """Return payments, newest first; `only_open` are those that wait for somebody, and holds.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    connection = open_for_reading(config.site.state_directory / JOURNAL_NAME)
    codec = EventCodec()
    held: dict[str, Money] = {}
    try:
        for row in read_payments(connection, _MAY_HOLD, ()):
            payment = fold_payment(read_entries(connection, codec, row.payment_id)).payment
            if payment.held_minor:
                held[row.payment_id] = Money(payment.held_minor, row.currency)
        where = f"{_OPEN} or payment_id in ({','.join('?' for _ in held)})" if only_open else "1"
        values = tuple(held) if only_open else ()
        rows = read_payments(connection, where, values, newest=max(limit, 1))
    finally:
        connection.close()
    return [
        {
            "payment_id": row.payment_id,
            "created_at": row.created_at,
            "register_id": row.register_id,
            "terminal_id": row.terminal_id,
            "amount": format_amount(row.amount),
            "currency": row.currency,
            "status": row.status,
            "recording": row.recording,
            "held": format_amount(held[row.payment_id]) if row.payment_id in held else None,
        }
        for row in rows
    ]


def payments_table(rows: list[dict[str, Any]]) -> Table:
    """Return the list as a table for a terminal."""
    from rich.table import Table

    # Just within 80 columns; what is longer is folded, never cut.
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("created (UTC)", "payment", "register", "terminal"):
        table.add_column(title, overflow="fold")
    table.add_column("amount", justify="right", overflow="fold")
    table.add_column("status", overflow="fold")
    table.add_column("booking", overflow="fold")
    for row in rows:
        table.add_row(
            row["created_at"][5:16].replace("T", " "),  # `show` tells the year
            f"…{row['payment_id'][-SHOWN_CHARACTERS:]}",
            row["register_id"],
            row["terminal_id"],
            _money(parse_amount(row["amount"], row["currency"])),
            _colored("held" if row.get("held") else row["status"]),
            _colored(row["recording"]),
        )
    return table


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


def print_history(found: dict[str, Any]) -> None:
    """Paint what `find_payment` returned."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    head = Table(box=None, show_header=False)
    for key, value in found.items():
        if key not in {"story", "purchases"} and value not in ("", []):
            head.add_row(f"[dim]{key}[/]", _colored(str(value)))
    for purchase in found["purchases"]:
        plain = {key: value for key, value in purchase.items() if value and key != "mended"}
        head.add_row("[dim]booking[/]", ", ".join(f"{k} {v}" for k, v in plain.items()))
        for mend in purchase["mended"]:
            head.add_row("[dim]mended[/]", escape(in_words(mend)))
    console.print(head)
    table = Table("seq", "at (UTC)", "what happened", "facts")
    for line in found["story"]:
        facts = ", ".join(f"{key}={value}" for key, value in line["facts"].items())
        table.add_row(str(line["seq"]), line["at"][:23], line["event"], facts)
    console.print(table)


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


def _colored(word: str) -> str:
    color = _COLORS.get(word)
    return f"[{color}]{word}[/]" if color else word

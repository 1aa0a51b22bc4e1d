"""How a list of payments and its totals look: on a screen, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.cli.screen_text import shown
from bridge.reports.local_days import local_text
from bridge.reports.payment_lines import PaymentLine, Total
from drivers.amounts import amount_text
from drivers.contract import Money

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_CHARACTERS = 8  # ids made in the same minute begin alike; their ends differ
COLORS = {
    "approved": "green",
    "recorded": "green",
    "in_doubt": "bold red",
    "unconfirmed": "bold red",
    "rejected": "bold red",
    "pending": "yellow",
    "held": "yellow",
}
WORDS = {
    "not_required": "",
    "unconfirmed": "unconfirmed",
    "partially_refunded": "partly refunded",
}
# A cell that begins so is a formula to a spreadsheet; ours are words of registers and terminals.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = (
    *("payment_id", "created_at", "local_time", "register_id", "terminal_id", "sale_id", "type"),
    *("method", "status", "funds", "recording", "currency", "amount", "moved", "tip", "at_stake"),
    *("held", "brand", "last4", "approval_code", "record_id", "needs"),
)
AMOUNTS = frozenset({"amount", "moved", "tip", "at_stake", "held"})

ToLocal = Callable[[datetime], datetime]


def signed_text(minor: int, currency: str) -> str:
    """Return a sum for people, with its sign: `+47.90 EUR`."""
    sign = "-" if minor < 0 else "+" if minor > 0 else ""
    return sign + amount_text(Money(abs(minor), currency))


def money_of(line: PaymentLine) -> str:
    """Return what a payment did to money, in a few words; what it did not is in brackets."""
    if line.moved_minor:
        return signed_text(line.moved_minor, line.currency)
    asked = amount_text(line.requested)
    if line.held_minor:
        return f"held {amount_text(Money(line.held_minor, line.currency))}"
    return f"? {asked}" if line.at_stake_minor else f"({asked})"


def card_of(line: PaymentLine) -> str:
    """Return brand and last digits."""
    return " ".join(part for part in (line.brand, line.last4) if part)


def payments_table(lines: Iterable[PaymentLine], to_local: ToLocal) -> Table:
    """Return the list as a table for a terminal."""
    from rich.table import Table

    # Just within 80 columns; what is longer is folded, never cut.
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("when", "payment", "register", "sale", "what"):
        table.add_column(title, overflow="fold")
    table.add_column("money", justify="right", overflow="fold")
    for title in ("card", "status", "booking"):
        table.add_column(title, overflow="fold")
    for line in lines:
        table.add_row(
            local_text(line.created_at, to_local, "%m-%d %H:%M"),  # `show` tells the year
            f"…{line.payment_id[-SHOWN_CHARACTERS:]}",
            shown(line.register_id),
            shown(line.sale_id),
            line.type.replace("_", " "),
            money_of(line),
            shown(card_of(line)),
            _colored("held" if line.held_minor else line.status),
            _colored(line.recording),
        )
    return table


def totals_table(totals: Sequence[Total], grand: Sequence[Total]) -> Table:
    """Return sums by kind, and what they add up to, for each currency."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("")
    for title in ("count", "sum", "tips in it"):
        table.add_column(title, justify="right")
    for total in grand:
        for one in totals:
            if one.currency == total.currency:
                table.add_row(*_total_cells(one))
        table.add_row(*(f"[bold]{cell}[/]" if cell else "" for cell in _total_cells(total)))
    return table


def _total_cells(one: Total) -> tuple[str, str, str, str]:
    tips = signed_text(one.tip_minor, one.currency) if one.tip_minor else ""
    name = one.name.replace("_", " ")
    return name, str(one.count), signed_text(one.minor, one.currency), tips


def lines_as_csv(lines: Iterable[PaymentLine], to_local: ToLocal) -> str:
    """Return the list as CSV (RFC 4180), amounts as decimal numbers with sign."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS)
    writer.writeheader()
    for line in lines:
        row = line.as_json() | {"local_time": local_text(line.created_at, to_local)}
        row["needs"] = " ".join(need.kind for need in line.needs)
        writer.writerow({name: cell(name, row[name]) for name in CSV_COLUMNS})
    return out.getvalue()


def cell(name: str, value: object) -> str:
    """Return a value as no spreadsheet takes it for a formula."""
    text = "" if value is None else str(value)
    if name not in AMOUNTS and text.startswith(FORMULA):
        return f"'{text}"
    return text


def _colored(word: str) -> str:
    color = COLORS.get(word)
    shown = WORDS.get(word, word.replace("_", " "))
    return f"[{color}]{shown}[/]" if color and shown else shown

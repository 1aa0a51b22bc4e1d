"""One day of the store: what moved, what is open, what is in the books, which days were closed.

A payment belongs to the day on which the register asked for it, by the store's clock. A terminal's
own day is another thing: it begins and ends with its closes, which are shown as they were told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from bridge.money import payment as p
from bridge.money import terminal_batch as b
from bridge.money.amounts import format_signed
from bridge.money.store.journal_entries import Entry
from bridge.reports.local_days import ToLocal, bounds_of
from bridge.reports.payment_lines import (
    PaymentLine,
    Selection,
    Total,
    find_lines,
    grand_totals,
    totals_by,
)
from bridge.reports.reader import Reader

_TERMINALS = "terminal/"  # how the journal's subject of a terminal begins, see `subject_of`
_AFTER_TERMINALS = "terminal0"  # the first text after all of those


@dataclass(frozen=True, slots=True)
class DayClose:
    """One end of day of a terminal, as it was told to the register.

    Attributes:
        closed_at: ISO 8601 UTC.
        status: `matched` by the terminal's and the journal's word; `unknown`: its answer was lost.
        terminal, journal, recorded: Their sums, decimal text with sign; None where not known.
        gap: The terminal's sum less the journal's; None where its answer was lost.
        not_explained: The gap, where nothing in the journal makes it; else None.
        causes: What makes the gap, and what the terminal did on its own, in words.
        noted_by: Who has looked into it since; "" while nobody has.
    """

    terminal_id: str
    closed_at: str
    name: str
    currency: str
    status: Literal["matched", "different", "unknown"]
    terminal: str | None
    journal: str | None
    recorded: str | None
    gap: str | None
    not_explained: str | None
    causes: tuple[str, ...]
    differences: tuple[str, ...]
    noted_by: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class GiftCards:
    """What happened to the back office's gift cards, for one currency; minor units, above zero."""

    currency: str
    redeemed_minor: int
    loaded_minor: int
    unloaded_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class DayReport:
    """The day. Sums of `by_type`, `by_brand`, `by_terminal`, `by_method` are the same money."""

    day: date
    since: str  # ISO 8601 UTC; the first moment
    until: str  # the first moment of the next day
    lines: tuple[PaymentLine, ...]
    totals: tuple[Total, ...]
    by_type: tuple[Total, ...]
    by_brand: tuple[Total, ...]
    by_terminal: tuple[Total, ...]
    by_method: tuple[Total, ...]
    by_recording: tuple[Total, ...]
    gift_cards: tuple[GiftCards, ...]
    closes: tuple[DayClose, ...]

    @property
    def open(self) -> tuple[PaymentLine, ...]:
        """What is open of this day, the newest first."""
        return tuple(line for line in self.lines if line.needs)

    @property
    def in_doubt(self) -> tuple[PaymentLine, ...]:
        """What may have moved, and is in no sum."""
        return tuple(line for line in self.lines if line.at_stake_minor)

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types; amounts are decimal text with sign."""
        return {
            "day": self.day.isoformat(),
            "since": self.since,
            "until": self.until,
            "payments": len(self.lines),
            **{
                name: [one.as_json() for one in getattr(self, name)]
                for name in (
                    *("totals", "by_type", "by_brand", "by_terminal", "by_method"),
                    "by_recording",
                )
            },
            "gift_cards": [
                {
                    "currency": one.currency,
                    **{
                        name: format_signed(getattr(one, f"{name}_minor"), one.currency)
                        for name in ("redeemed", "loaded", "unloaded", "refunded")
                    },
                }
                for one in self.gift_cards
            ],
            "open": [line.as_json() for line in self.open],
            "in_doubt": [line.as_json() for line in self.in_doubt],
            "closes": [one.as_json() for one in self.closes],
        }


def day_report(reader: Reader, day: date, to_local: ToLocal) -> DayReport:
    """Return the report of a day.

    Raises:
        JournalError: The journal cannot be read.
    """
    since, until = bounds_of(day, to_local)
    lines = find_lines(reader, Selection(since=since, until=until))
    return DayReport(
        day,
        since,
        until,
        lines=tuple(lines),
        totals=tuple(grand_totals(lines)),
        by_type=tuple(totals_by(lines, "type")),
        by_brand=tuple(totals_by(lines, "brand")),
        by_terminal=tuple(totals_by(lines, "terminal_id")),
        by_method=tuple(totals_by(lines, "method")),
        by_recording=tuple(totals_by(lines, "recording")),
        gift_cards=tuple(_gift_cards(lines)),
        closes=tuple(day_closes(reader, since=since, until=until)),
    )


def day_closes(reader: Reader, *, since: str = "", until: str = "~") -> list[DayClose]:
    """Return the ends of day between two moments, oldest first.

    Raises:
        JournalError: The journal cannot be read.
    """
    query = (
        "select subject, seq, kind, at, body from entry where subject>=? and subject<?"
        " and kind in ('BatchClosed','GapsNoted') and at>=? order by seq"
    )
    entries = [
        reader.decode(*row) for row in reader.ask(query, (_TERMINALS, _AFTER_TERMINALS, since))
    ]
    closes = []
    for entry in entries:
        event = entry.event
        if isinstance(event, b.BatchClosed) and since <= event.closed_at < until:
            closes.append(_close(entry, event, _noted_by(entry, entries)))
    return closes


def _noted_by(close: Entry, entries: Sequence[Entry]) -> str:
    """Return who has noted the gaps that this close found; they stand right behind it."""
    for entry in entries:
        noted = entry.event
        if not isinstance(noted, b.GapsNoted) or entry.subject != close.subject:
            continue
        if noted.up_to >= close.seq:
            return noted.by
    return ""


def _close(entry: Entry, closed: b.BatchClosed, noted_by: str) -> DayClose:
    told = _told(closed.answer)
    compare = told.get("compare") or {}
    status = told.get("status")
    journal = format_signed(closed.net_minor, closed.total.currency)
    return DayClose(
        terminal_id=entry.subject.removeprefix(_TERMINALS),
        closed_at=closed.closed_at,
        name=closed.name,
        currency=closed.total.currency,
        status=status if status in {"matched", "different"} else "unknown",
        terminal=compare.get("terminal"),
        journal=compare.get("journal", journal),
        recorded=compare.get("recorded"),
        gap=told.get("gap"),
        not_explained=told.get("not_explained"),
        causes=tuple(
            f"{one.get('amount')}: {one.get('text')}"
            for one in (*told.get("explained_by", ()), *told.get("facts", ()))
        ),
        differences=tuple(
            f"{one.get('payment_id')}: {one.get('kind')} {one.get('amount')}"
            for one in told.get("differences", ())
        ),
        noted_by=noted_by,
    )


def _told(answer: str) -> dict[str, Any]:
    """Return what the register was told; {} where nothing was, or by another version."""
    try:
        found = json.loads(answer or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _gift_cards(lines: Iterable[PaymentLine]) -> list[GiftCards]:
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        if line.method != p.Method.OFFICE_GIFT_CARD.value or line.status != "approved":
            continue
        sums = found.setdefault(
            line.currency, dict.fromkeys(("redeemed", "loaded", "unloaded", "refunded"), 0)
        )
        approval = line.record.payment.approval
        took = approval.amount.minor if approval is not None else 0
        match line.record.payment.request.type:
            case p.PaymentType.SALE | p.PaymentType.CAPTURE:
                sums["redeemed"] += line.moved_minor
            case p.PaymentType.VOID:
                sums["redeemed"] += line.moved_minor
            case p.PaymentType.REFUND:
                sums["refunded"] += took
            case p.PaymentType.LOAD:
                sums["loaded"] += took
            case p.PaymentType.UNLOAD:
                sums["unloaded"] += took
            case _:
                pass
    return [
        GiftCards(
            currency,
            redeemed_minor=sums["redeemed"],
            loaded_minor=sums["loaded"],
            unloaded_minor=sums["unloaded"],
            refunded_minor=sums["refunded"],
        )
        for currency, sums in sorted(found.items())
    ]

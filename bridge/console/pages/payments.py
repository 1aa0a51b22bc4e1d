"""Payments: finding one by what people remember, with sums that add up, and as a table to keep."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from bridge.console.pages.frame import Facts, frame_facts
from bridge.console.tags import TYPES
from bridge.console.visit import Visit
from bridge.console.words import Words, mark
from bridge.errors import RequestError
from bridge.money.amounts import parse_amount
from bridge.reports.outcome import Outcome
from bridge.reports.payment_index import FoundPayment, FoundPayments, PaymentQuery
from drivers.amounts import decimal_text, digits_of

PAGE_ROWS = 50
CSV_ROWS_MAX = 20_000
TEXT_CHARACTERS_MAX = 64

# What may be chosen of "became of it", by its word in the address.
GROUPS: dict[str, tuple[str, tuple[Outcome, ...], tuple[str, ...]]] = {
    "paid": (
        mark("Paid"),
        (Outcome.PAID, Outcome.PAID_IN_PART, Outcome.UNSIGNED, Outcome.CHARGED_AFTER_ALL),
        (),
    ),
    "back": (
        mark("Refunded or undone"),
        (Outcome.REFUNDED, Outcome.UNDONE, Outcome.VOIDED, Outcome.GIVEN_BACK),
        (),
    ),
    "doubt": (mark("In doubt"), (Outcome.DOUBT, Outcome.CHECKING, Outcome.CONTRADICTION), ()),
    "not_charged": (
        mark("Not charged"),
        (Outcome.DECLINED, Outcome.CANCELED, Outcome.FAILED, Outcome.NOT_AFTER_ALL),
        (),
    ),
    "not_booked": (mark("Not booked"), (), ("pending", "unconfirmed", "rejected")),
    "held": (mark("Held"), (Outcome.HELD, Outcome.RAISED), ()),
    "running": (mark("Running"), (Outcome.QUEUED, Outcome.RUNNING, Outcome.CANCELING), ()),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed, as it was typed; and what is wrong with it."""

    amount: str = ""
    day: str = ""
    since: str = ""
    until: str = ""
    last4: str = ""
    sale: str = ""
    register: str = ""
    outcome: str = ""
    before: str = ""
    wrong: tuple[str, ...] = ()  # names of fields that cannot be read

    def address(self, **changes: str) -> str:
        """Return the address of this search, without a leading `?`."""
        words = {
            name: getattr(self, name)
            for name in ("amount", "day", "since", "until", "last4", "sale", "register", "outcome")
        }
        return urlencode({name: text for name, text in (words | changes).items() if text})


async def payments_facts(visit: Visit) -> Facts:
    """Return what the page shows."""
    facts = frame_facts(visit, "/payments")
    wish, query = read_wish(visit.request.query_params, visit)
    found = await find(visit, query, PAGE_ROWS)
    older = ""
    if found.more:
        last = found.rows[-1]
        older = wish.address(before=f"{last.created_at} {last.payment_id}")
    return {
        **facts,
        "wish": wish,
        "found": found,
        "rows": [shown_row(one, visit, facts["names"]) for one in found.rows],
        "older": older,
        "groups": {word: label for word, (label, _, _) in GROUPS.items()},
        "register_names": sorted({one.register_id for one in visit.desk.registers()}),
        "types": TYPES,
        "is_first": not wish.before,
    }


async def find(visit: Visit, query: PaymentQuery, limit: int) -> FoundPayments:
    """Return a page of payments."""
    premises = visit.premises
    return await premises.read(lambda: premises.index.search(query, limit))


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One payment as the table shows it."""

    found: FoundPayment
    time: str
    money: str
    asked: str
    card: str
    where: str
    same: bool  # as was asked for


def shown_row(one: FoundPayment, visit: Visit, names: Mapping[str, str]) -> ShownRow:
    """Return a payment's row."""
    words = visit.words
    card = " ".join(filter(None, [one.brand, f"••{one.last4}" if one.last4 else ""]))
    return ShownRow(
        found=one,
        time=words.when(one.created_at, visit.now),
        money=words.say("open") if one.is_open else words.signed(one.moved_minor, one.currency),
        asked=words.amount(one.asked_minor, one.currency),
        card=card,
        where=words.say(
            "%(till)s at %(terminal)s",
            till=one.register_id,
            terminal=names.get(one.terminal_id, one.terminal_id),
        ),
        same=abs(one.moved_minor) == one.asked_minor,
    )


def read_wish(params: Mapping[str, str], visit: Visit) -> tuple[Wish, PaymentQuery]:
    """Return what was typed, and what that looks for; a field that cannot be read filters nothing.

    Nothing that was typed is refused with an error page: the page says which field it did not
    understand.
    """
    typed: dict[str, Any] = {
        name: params.get(name, "").strip()[:TEXT_CHARACTERS_MAX]
        for name in ("amount", "day", "since", "until", "last4", "sale", "register", "outcome")
    }
    wish = Wish(**typed, before=params.get("before", "")[:128])
    wrong: list[str] = []
    query = PaymentQuery(sale_id=wish.sale, register_id=wish.register)
    if wish.amount:
        minor = read_amount(wish.amount, main_currency(visit))
        if minor is None:
            wrong.append("amount")
        query = replace(query, amount_minor=minor)
    if wish.last4:
        if not (wish.last4.isascii() and wish.last4.isdecimal() and len(wish.last4) == 4):
            wrong.append("last4")
        else:
            query = replace(query, last4=wish.last4)
    try:
        since, until = _span(wish, visit)
        query = replace(query, since=since, until=until)
    except (ValueError, OverflowError):  # no date, or one at the end of time
        wrong.append("day")
    if wish.outcome in GROUPS:
        _, outcomes, recordings = GROUPS[wish.outcome]
        query = replace(query, outcomes=outcomes, recordings=recordings)
    moment, _, name = wish.before.partition(" ")
    if moment and name:
        query = replace(query, before=(moment, name))
    return replace(wish, wrong=tuple(wrong)), query


def main_currency(visit: Visit) -> str:
    """Return what amounts without a currency are in."""
    for one in visit.desk.terminals():
        if one.info.currencies:
            return one.info.currencies[0]
    return "EUR"


def read_amount(text: str, currency: str) -> int | None:
    """Return an amount in minor units, typed as people do: `47.90`, `47,90`, `47`, `€47.90`."""
    kept = "".join(c for c in text if c.isdigit() or c in ".,").replace(",", ".")
    whole, _, part = kept.rpartition(".") if "." in kept else (kept, "", "")
    digits = digits_of(currency)
    if part and len(part) != digits:  # a mark between thousands, or a coin that is not there
        whole, part = (whole + part, "") if len(part) == 3 else ("", "x")
    plain = whole.replace(".", "").lstrip("0") or "0"
    written = f"{plain}.{part or '0' * digits}" if digits else plain
    if not kept:
        return None
    try:
        return parse_amount(written, currency).minor
    except RequestError:
        return None


def _span(wish: Wish, visit: Visit) -> tuple[str, str]:
    """Return the bounds of time in UTC.

    Raises:
        ValueError: A day or a time is none.
    """
    if not wish.day and not (wish.since or wish.until):
        return "", ""
    today = visit.words.local(visit.now).date()
    day = date.fromisoformat(wish.day) if wish.day else today
    begin = time.fromisoformat(wish.since) if wish.since else time()
    end = time.fromisoformat(wish.until) if wish.until else None
    first = _utc(datetime.combine(day, begin), visit)
    last = _utc(
        datetime.combine(day, end) if end else datetime.combine(day + timedelta(days=1), time()),
        visit,
    )
    return _text(first), _text(last)


def _utc(local: datetime, visit: Visit) -> datetime:
    """Return a moment of the store's clock in UTC; `to_local` is the only word about its zone."""
    guess = local.replace(tzinfo=UTC)
    for _ in range(2):  # once more: the offset may be another one at the corrected moment
        shown = visit.words.local(guess).replace(tzinfo=UTC)
        guess += local.replace(tzinfo=UTC) - shown
    return guess


def _text(moment: datetime) -> str:
    """Return a bound as the journal writes times, so that texts compare as times do."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


# --- CSV

_COLUMNS = (
    *("time_utc", "time_local", "register", "terminal", "sale", "type", "outcome", "booking"),
    *("currency", "asked", "moved", "card", "last4", "approval_code", "payment_id"),
)


async def csv_text(visit: Visit) -> Iterator[str]:
    """Return the lines of a table of all that match, newest first."""
    _, query = read_wish(visit.request.query_params, visit)
    rows: list[FoundPayment] = []
    while len(rows) < CSV_ROWS_MAX:
        found = await find(visit, query, 200)
        rows += found.rows
        if not found.more:
            break
        last = found.rows[-1]
        query = replace(query, before=(last.created_at, last.payment_id))
    return _csv_lines(rows, visit.words)


def _csv_lines(rows: list[FoundPayment], words: Words) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)

    def taken() -> str:
        text = out.getvalue()
        out.seek(0)
        out.truncate()
        return text

    writer.writerow(_COLUMNS)
    yield "\ufeff" + taken()  # spreadsheets take it for UTF-8 only so
    for one in rows:
        digits = digits_of(one.currency)
        sign = "-" if one.moved_minor < 0 else ""
        cells: list[Any] = [
            one.created_at,
            f"{words.local(one.created_at):%Y-%m-%d %H:%M:%S}",
            one.register_id,
            one.terminal_id,
            one.sale_id,
            one.type,
            one.outcome.value,
            one.recording,
            one.currency,
            decimal_text(one.asked_minor, digits),
            "" if one.is_open else sign + decimal_text(abs(one.moved_minor), digits),
            one.brand,
            one.last4,
            one.approval_code,
            one.payment_id,
        ]
        writer.writerow([_harmless(cell) for cell in cells])
        yield taken()


def _harmless(cell: object) -> object:
    """Keep a spreadsheet from taking what somebody typed at a till for a formula.

    Amounts of ours begin with a minus at most, and digits follow.
    """
    text = str(cell)
    if text[:1] in {"=", "+", "@", "\t", "\r"} or (text[:1] == "-" and not text[1:2].isdigit()):
        return f"'{text}"
    return cell

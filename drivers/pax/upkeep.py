"""Scripts of the conversations without money: probe, totals, end of day. Pure."""

from __future__ import annotations

from drivers.contract import (
    Baseline,
    BatchTotals,
    EndOfDay,
    Failed,
    Money,
    TerminalNotReady,
    TerminalReady,
    TotalsLine,
    Unclear,
)
from drivers.pax import codes
from drivers.pax.evidence import fingerprint_of, time_text
from drivers.pax.fields import mask_text
from drivers.pax.messages import (
    AskDetail,
    AskTotals,
    BatchClosed,
    CloseBatch,
    Identity,
    Record,
    Totals,
)
from drivers.pax.payment import INITIALIZE
from drivers.pax.report import says_absent
from drivers.pax.script import Ask, Heard, NotHeard, Script
from drivers.pax.settings import PaxSettings

FIRST_RECORD = "0"
# Position of the amounts that count for the till within a row of R01; the next number of the row
# is the amount that belongs to a count.
_SALES, _CAPTURES = 0, 8
_RETURNS = {"credit": 4, "debit": 2, "ebt": 2, "cash": 2}


def probe(settings: PaxSettings) -> Script:
    """Initialise the terminal, and read a record that shows later that the batch is the same.

    The first record of the batch is read, not the last: any record is as good a witness, and the
    first needs no count. Over HTTP a line carries one request, so there is no baseline.
    """
    reaction = yield Ask(INITIALIZE, settings.report_seconds)
    match reaction:
        case NotHeard(reason):
            return Unclear(reason)
        case Heard(Identity(code=codes.OK) as identity):
            pass
        case Heard(answer):
            return TerminalNotReady("terminal_maintenance", f"{answer.code} {answer.text}".strip())
        case _:
            return Unclear("unreadable")
    baseline = None
    if settings.transport != "http":
        reaction = yield Ask(AskDetail(record_number=FIRST_RECORD), settings.report_seconds)
        match reaction:
            case Heard(Record(code=codes.OK) as record):
                baseline = Baseline(fingerprint_of(record.trace))
            case Heard(Record(code=codes.NOT_FOUND) | Record(code=codes.FORMAT)):
                baseline = Baseline("")
            case _:
                pass  # it answers and takes payments; it only cannot witness
    return TerminalReady(
        serial_number=identity.serial_number,
        model=identity.model,
        firmware=identity.firmware,
        currency=settings.currency,
        baseline=baseline,
    )


def end_of_day(operation: EndOfDay, settings: PaxSettings) -> Script:
    """Close the batch, or only read its totals; one without records is closed already."""
    if operation.close:
        # The driver knows no clock, and terminals take any timestamp, also none.
        reaction = yield Ask(CloseBatch(), settings.settlement_seconds, once=True)
    else:
        reaction = yield Ask(AskTotals(), settings.report_seconds)
    match reaction:
        case Heard(BatchClosed(code=codes.OK) as closed):
            return _closed(closed, settings.currency)
        case Heard(Totals(code=codes.OK) as totals):
            return _totals(totals, settings.currency)
        case Heard(answer) if says_absent(answer.code, answer.text):
            return BatchTotals(closed=operation.close, total=Money(0, settings.currency))
        case Heard(answer) if answer.code in codes.REFUSALS:
            refusal = codes.REFUSALS[answer.code]
            return Failed(answer.code, mask_text(answer.text) or refusal.text, refusal.reason)
        case Heard(answer):
            return Unclear("refused", f"{answer.code} {mask_text(answer.text)}".strip())
        case NotHeard(reason):
            return Unclear(reason)
        case _:
            return Unclear("unreadable")


def _closed(closed: BatchClosed, currency: str) -> BatchTotals:
    lines = tuple(
        TotalsLine(tender, count, Money(amount, currency))
        for tender, count, amount in zip(codes.TENDERS, closed.counts, closed.amounts, strict=False)
        if count
    )
    total = Money(sum(line.amount.minor for line in lines), currency)
    return BatchTotals(
        closed=True,
        total=total,
        lines=lines,
        batch=closed.host.batch,
        time_text=time_text(closed.moment),
    )


def _totals(totals: Totals, currency: str) -> BatchTotals:
    """Sum up sales and captures; returns are lines of their own, because an amount has no sign."""
    lines = []
    taken = returned = 0
    for tender, row in zip(codes.TENDERS, totals.rows, strict=False):
        sales, amount = _pair(row, _SALES)
        if tender == "credit":
            captures, captured = _pair(row, _CAPTURES)
            sales, amount = sales + captures, amount + captured
        back, given = _pair(row, _RETURNS[tender]) if tender in _RETURNS else (0, 0)
        if sales:
            lines.append(TotalsLine(tender, sales, Money(amount, currency)))
        if back:
            lines.append(TotalsLine(f"{tender} returns", back, Money(given, currency)))
        taken, returned = taken + amount, returned + given
    total = Money(max(taken - returned, 0), currency)
    return BatchTotals(closed=False, total=total, lines=tuple(lines))


def _pair(row: tuple[int, ...], position: int) -> tuple[int, int]:
    return (row[position], row[position + 1]) if len(row) > position + 1 else (0, 0)

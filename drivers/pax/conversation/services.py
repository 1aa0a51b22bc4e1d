"""Scripts of the conversations without money: probe, totals, end of day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from drivers.pax.codec import codes
from drivers.pax.codec.fields import mask_text
from drivers.pax.codec.messages import (
    AskDetail,
    AskTotals,
    BatchClosed,
    CloseBatch,
    Identity,
    Record,
    Totals,
)
from drivers.pax.conversation.batch_record import FIRST_RECORD, says_absent
from drivers.pax.conversation.exchange import Ask, Script
from drivers.pax.conversation.payment import INITIALIZE
from drivers.pax.mapping.evidence import fingerprint_of, time_text
from drivers.pax.settings import PaxSettings
from drivers.script import Heard, NotHeard

# A shopper who was too slow or changed his mind; to a closing they say nothing.
_NO_WORD = (codes.TIMEOUT, codes.ABORTED)
# Position of the counts that matter to the till within a row of R01; the next number of the row is
# the amount that belongs to a count. Only the row of credit cards tells more than sale and return.
_SALES, _CAPTURES = 0, 8
_CREDIT_RETURNS, _RETURNS = 4, 2


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
        case Heard(BatchClosed(code=codes.OK, host=host) as closed):
            if host.code not in ("", *codes.APPROVED_HOST_CODES):
                return Unclear("contradiction", f"{closed.code} with host code {host.code}")
            return _closed(closed, settings.currency)
        case Heard(Totals(code=codes.OK) as totals):
            return _totals(totals, settings.currency)
        case Heard(answer) if says_absent(answer.code, answer.text):
            return BatchTotals(closed=operation.close, total=Money(0, settings.currency))
        case Heard(answer) if answer.code in codes.REFUSALS and answer.code not in _NO_WORD:
            refusal = codes.REFUSALS[answer.code]
            return Failed(answer.code, mask_text(answer.text) or refusal.text, refusal.reason)
        case Heard(answer):
            return Unclear("refused", f"{answer.code} {mask_text(answer.text)}".strip())
        case NotHeard(reason):
            return Unclear(reason)
        case _:
            return Unclear("unreadable")


def _closed(closed: BatchClosed, currency: str) -> BatchTotals:
    """Read what was closed: per tender one sum, with what was given back taken off."""
    rows = [
        _Row(tender, count, amount)
        for tender, count, amount in zip(codes.TENDERS, closed.counts, closed.amounts, strict=False)
    ]
    return _balance(
        rows,
        currency,
        closed=True,
        batch=closed.host.batch,
        time_text=time_text(closed.moment),
    )


def _totals(totals: Totals, currency: str) -> BatchTotals:
    """Read what is open: sales, captures and returns of each tender."""
    rows = []
    for tender, row in zip(codes.TENDERS, totals.rows, strict=False):
        sales, amount = _pair(row, _SALES)
        if tender == "credit":
            captures, captured = _pair(row, _CAPTURES)
            sales, amount = sales + captures, amount + captured
        back, given = _pair(row, _CREDIT_RETURNS if tender == "credit" else _RETURNS)
        rows += [_Row(tender, sales, amount), _Row(f"{tender} returns", back, -given)]
    return _balance(rows, currency, closed=False)


@dataclass(frozen=True, slots=True)
class _Row:
    """One sum of a terminal's totals; below zero where it was given back."""

    name: str
    count: int
    net_minor: int


def _balance(
    rows: Sequence[_Row], currency: str, *, closed: bool, batch: str = "", time_text: str = ""
) -> BatchTotals:
    """Add up a batch, in one way for the open one and for the one that was closed."""
    net_minor = sum(row.net_minor for row in rows)
    return BatchTotals(
        closed=closed,
        total=Money(abs(net_minor), currency),
        # An amount has no sign: what was given back is a line whose name says so.
        lines=tuple(
            TotalsLine(_line_name(row), row.count, Money(abs(row.net_minor), currency))
            for row in rows
            if row.count
        ),
        batch=batch,
        time_text=time_text,
        gave_more=net_minor < 0,
    )


def _line_name(row: _Row) -> str:
    given_back = row.net_minor < 0 and not row.name.endswith(" returns")
    return f"{row.name} returns" if given_back else row.name


def _pair(row: tuple[int, ...], position: int) -> tuple[int, int]:
    return (row[position], row[position + 1]) if len(row) > position + 1 else (0, 0)

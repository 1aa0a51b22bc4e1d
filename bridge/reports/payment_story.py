"""One payment, told: what happened when, what each side says beside the others, what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.journal_entries import Entry
from bridge.money.store.provenance import PersonActed, acts_on
from bridge.money.store.records import PurchaseRecord
from bridge.reports.attention import Need
from bridge.reports.event_words import approval_words, words_of
from bridge.reports.payment_lines import PaymentLine, Selection, find_lines, lines_of
from bridge.reports.reader import Reader
from drivers import contract as c
from drivers.amounts import amount_text

# What is asked again and again while nobody knows: told once, with how often.
REPEATED = (c.Unclear, c.StillRunning, p.NotReached, p.DoubtMeasured, p.Restarted)


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the story: `times` times, first at `at` and last at `until` (ISO 8601 UTC)."""

    at: str
    until: str
    times: int
    text: str
    source: str  # whose doing: register, terminal, person, books, bridge


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one side says: of money, of the card, of who it was."""

    source: str
    amount: str
    card: str
    code: str
    said: str


@dataclass(frozen=True, slots=True)
class PaymentStory:
    """A payment with all that a person needs to decide about it."""

    line: PaymentLine
    told: tuple[Told, ...]
    evidence: tuple[Evidence, ...]
    purchases: tuple[PurchaseRecord, ...]
    siblings: tuple[PaymentLine, ...]  # the other payments of its sale
    entries: tuple[Entry, ...]  # its own, as the journal has them
    booked: tuple[tuple[Entry, ...], ...]  # those of each of `purchases`

    @property
    def needs(self) -> tuple[Need, ...]:
        """What is open, the most urgent first."""
        return self.line.needs

    def as_json(self) -> dict[str, object]:
        """Return what is told in JSON's types."""
        return {
            "payment": self.line.as_json(),
            "headline": headline(self.line),
            "told": [
                {
                    "at": one.at,
                    "until": one.until,
                    "times": one.times,
                    "source": one.source,
                    "text": one.text,
                }
                for one in self.told
            ],
            "evidence": [
                {
                    "source": one.source,
                    "amount": one.amount,
                    "card": one.card,
                    "approval_code": one.code,
                    "said": one.said,
                }
                for one in self.evidence
            ],
            "needs": [
                {"kind": need.kind, "text": need.text, "command": need.command}
                for need in self.needs
            ],
        }


def find_candidates(
    reader: Reader, words: str, *, since: str = "", until: str = ""
) -> list[PaymentLine]:
    """Return the payments that a person may mean by `words`, newest first.

    That is an id, its beginning or end, a sale, a card's last digits, or an amount on the day from
    `since` to `until`. What names a payment or a sale goes before digits and amounts.

    Raises:
        JournalError: The journal cannot be read.
    """
    text = words.strip().removeprefix("…")
    if not text:
        return []
    days = Selection(since=since, until=until)
    ways = [replace(days, part=text), replace(days, sale=text)]
    found = _together(find_lines(reader, way) for way in ways)
    if found:
        return found
    others = []
    if text.isdecimal() and len(text) == 4:
        others.append(replace(days, last4=text))
    if _is_amount(text):
        others.append(replace(days, amount=text))
    return _together(find_lines(reader, way) for way in others)


def tell(reader: Reader, payment_id: str) -> PaymentStory | None:
    """Return the story of a payment; None where there is no such one.

    Raises:
        JournalError: The journal cannot be read.
    """
    rows = reader.rows("payment_id=?", (payment_id,))
    if not rows:
        return None
    (line,) = lines_of(reader, rows)
    entries = reader.entries(payment_id)
    family = reader.rows("sale_key=?", (rows[0].sale_key,))
    siblings = lines_of(reader, [row for row in family if row.payment_id != payment_id])
    purchases = [
        one
        for one in reader.purchases("sale_key=?", (rows[0].sale_key,))
        if payment_id in one.purchase.payment_ids
    ]
    booked = [tuple(reader.entries(one.purchase.content.transaction_id)) for one in purchases]
    about = (payment_id, *(one.purchase.content.transaction_id for one in purchases))
    acts = chain.from_iterable(reader.entries(acts_on(target)) for target in about)
    whole = sorted((*entries, *chain.from_iterable(booked), *acts), key=lambda entry: entry.seq)
    return PaymentStory(
        line,
        told=tuple(fold_repeats(whole)),
        evidence=tuple(_evidence(line, purchases)),
        purchases=tuple(purchases),
        siblings=tuple(siblings),
        entries=tuple(entries),
        booked=tuple(booked),
    )


def headline(line: PaymentLine) -> str:
    """Return in one sentence what became of it."""
    asked, what = amount_text(line.requested), line.type.replace("_", " ")
    payment = line.record.payment
    match payment.status:
        case p.Status.IN_DOUBT:
            return f"Whether this {what} of {asked} went through is not known. Do not charge again."
        case p.Status.APPROVED:
            took = amount_text(payment.approval.amount) if payment.approval is not None else asked
            by = f", as {payment.approved_by} says" if payment.resolved_by == "operator" else ""
            return f"This {what} of {took} was approved{by}: {line.funds.replace('_', ' ')}."
        case p.Status.QUEUED | p.Status.IN_PROGRESS | p.Status.CANCELING:
            return f"This {what} of {asked} is under way."
        case _:
            why = payment.denial.text if payment.denial is not None else ""
            tail = f" ({why})" if why else ""
            return f"This {what} of {asked} was {line.status}{tail}. Nothing was charged."


def fold_repeats(entries: Sequence[Entry]) -> list[Told]:
    """Return what happened, in order; what repeats without news stands there once."""
    told: list[Told] = []
    for entry in entries:
        text = words_of(entry.event)
        last = told[-1] if told else None
        if last is not None and last.text == text and isinstance(entry.event, REPEATED):
            told[-1] = Told(last.at, entry.at, last.times + 1, text, last.source)
        else:
            told.append(Told(entry.at, entry.at, 1, text, _source(entry)))
    return told


def _source(entry: Entry) -> str:
    if isinstance(entry.event, s.PurchaseEvent) and not isinstance(
        entry.event, s.Answered | s.Mended
    ):
        return "books"
    match entry.event:
        case p.Requested() | p.CancelAsked() | p.Acknowledged() | p.LinesAttached():
            return "register"
        case p.TendersStated():
            return "register"
        case p.Resolved() | p.Corrected() | p.Decided() | s.Answered() | s.Mended() | PersonActed():
            return "person"
        case p.RecordingChanged():
            return "books"
        case c.Progress() | c.Receipt() | c.Taken() | c.Offered() | c.StillRunning():
            return "terminal"
        case c.Approved() | c.Declined() | c.Canceled() | c.Failed() | c.Unclear():
            return "terminal"
        case _:
            return "bridge"


def _evidence(line: PaymentLine, purchases: Sequence[PurchaseRecord]) -> Iterable[Evidence]:
    """Yield what each side says, so that a person sees them beside each other."""
    payment = line.record.payment
    yield Evidence("register", amount_text(line.requested), "", "", f"asked for a {line.type}")
    shown = {
        "terminal offered": payment.offer,
        "terminal said": payment.approval if payment.resolved_by != "operator" else None,
        "terminal's memory": payment.doubt.seen if payment.doubt is not None else None,
    }
    for source, approval in shown.items():
        if approval is not None and approval.fingerprint:
            yield _approval_evidence(source, approval)
    for odd in payment.discrepancies:
        if odd.approval is not None:
            yield _approval_evidence(odd.kind.replace("_", " "), odd.approval, odd.text)
        else:
            yield Evidence(odd.kind.replace("_", " "), "", "", "", odd.text)
    if payment.denial is not None:
        said = payment.denial.text or payment.denial.code
        yield Evidence("terminal said", "nothing", "", "", said)
    for answer in payment.answers:
        amount = amount_text(answer.amount) if answer.amount is not None else ""
        yield Evidence(answer.by, amount, "", answer.approval_code, answer.outcome)
    for one in purchases:
        purchase = one.purchase
        said = purchase.error or purchase.state.value
        yield Evidence("back office", "", "", purchase.record_id, said)


def _approval_evidence(source: str, approval: c.Approval, text: str = "") -> Evidence:
    card = approval.card
    digits = card.masked_pan.last4 if card.masked_pan is not None else ""
    shown = " ".join(part for part in (card.brand, digits) if part)
    said = text or approval.text or approval_words(approval)
    return Evidence(source, amount_text(approval.amount), shown, approval.approval_code, said)


def _together(found: Iterable[list[PaymentLine]]) -> list[PaymentLine]:
    lines = {line.payment_id: line for some in found for line in some}
    return sorted(lines.values(), key=lambda line: line.created_at, reverse=True)


def _is_amount(text: str) -> bool:
    whole, mark, rest = text.replace(",", ".").partition(".")
    return whole.isdecimal() and (not mark or rest.isdecimal())

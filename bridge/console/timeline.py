"""A payment's entries as a person reads them: what happened, when, and what it meant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from bridge.console.evidence import CAUSES
from bridge.console.tags import STAGES
from bridge.console.words import Words
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.payment.signature import ReversalFailed, SignatureJudged
from bridge.money.store.journal_entries import Entry
from bridge.money.store.provenance import PersonActed
from bridge.money.store.records import HistoryLine
from bridge.reports.payment_excerpt import Excerpt
from drivers import contract as c

Part = Literal["run", "doubt", "done", "end"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline."""

    at: str  # ISO 8601 UTC
    clock: str
    part: Part
    text: str
    more: str = ""
    mark: str = ""  # an icon's name, "" for a plain dot
    more_is_english: bool = False


def moments(
    story: Excerpt, words: Words, where: str, history: Sequence[HistoryLine] = ()
) -> list[Moment]:
    """Return the timeline, oldest first; questions that brought nothing new are one line.

    Stages are in no journal: `history` is what the service still remembers of them.
    """
    teller = _Teller(story, words, where)
    entries = sorted((*story.entries, *story.acts, *story.booking), key=lambda one: one.seq)
    found = [*teller.tell(entries), *_stages(history, words)]
    found.sort(key=lambda one: one.at)  # stable: entries of one moment stay as they were
    return list(_folded(found, words))


def _stages(history: Sequence[HistoryLine], words: Words) -> Iterator[Moment]:
    for line in history:
        if line.stage and line.status == p.Status.IN_PROGRESS.value:
            yield Moment(
                line.at, _clock(line.at, words), "run", words.say(STAGES[c.Stage(line.stage)])
            )


def _clock(at: str, words: Words) -> str:
    local = words.local(at)
    return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"


def _folded(found: list[Moment], words: Words) -> Iterator[Moment]:
    """Put the same line said again and again into one."""
    for _, group in groupby(found, key=lambda one: (one.text, one.more, one.part)):
        same = list(group)
        if len(same) < 3:
            yield from same
            continue
        first, last = same[0], same[-1]
        text = words.count(
            "%(what)s, %(num)d time", "%(what)s, %(num)d times", len(same), what=first.text
        )
        yield Moment(
            last.at, last.clock, last.part, text, first.more, first.mark, first.more_is_english
        )


class _Teller:
    """Goes through the entries and remembers whether the payment is in doubt."""

    def __init__(self, story: Excerpt, words: Words, where: str) -> None:
        self._story = story
        self._words = words
        self._where = where
        self._is_final = False
        self._in_doubt = False

    def tell(self, entries: list[Entry]) -> Iterator[Moment]:
        for entry in entries:
            told = self._line(entry.event)
            if told is None:
                continue
            text, more, icon, english = told
            part: Part = "done" if self._is_final else "doubt" if self._in_doubt else "run"
            yield Moment(entry.at, _clock(entry.at, self._words), part, text, more, icon, english)

    def _line(self, event: object) -> tuple[str, str, str, bool] | None:
        found = self._payment_line(event) or self._booking_line(event)
        if found is not None or not isinstance(event, PersonActed):
            return found
        about = self._words.say("at the console: %(did)s", did=event.did.replace("_", " "))
        return (self._words.say("%(who)s", who=event.by), event.note or about, "person", False)

    def _payment_line(self, event: object) -> tuple[str, str, str, bool] | None:
        say, words = self._words.say, self._words
        match event:
            case p.Requested(request):
                text = say(
                    "%(till)s asked for %(amount)s",
                    till=request.register_id,
                    amount=words.money(request.amount),
                )
                sale = say("Sale %(sale)s.", sale=request.sale_id) if request.sale_id else ""
                return text, sale, "", False
            case p.Started():
                return say("Sent to %(terminal)s", terminal=self._where), "", "", False
            case c.Taken():
                return say("The terminal took the order"), "", "", False
            case c.Progress(stage):
                return say(STAGES[stage]), "", "", False
            case c.Unclear(reason, text) | p.NotReached(reason, text):
                self._in_doubt = not self._is_final
                cause = say(CAUSES[reason]) if reason in CAUSES else text or reason
                return say("No proof either way"), cause, "wait", reason not in CAUSES
            case c.StillRunning(text):
                return say("The terminal is still at it"), text, "", True
            case p.Restarted():
                self._in_doubt = not self._is_final
                return say("The service was restarted"), "", "wait", False
            case p.DoubtAged():
                return say("A person is asked"), "", "act", False
            case p.EvidenceLost():
                return say("The terminal can tell no more"), "", "act", False
            case c.Receipt(copy):
                copies = {"customer": say("for the customer"), "merchant": say("for the store")}
                return say("Receipt"), copies.get(copy, ""), "", False
            case p.CancelAsked(reason):
                return say("Asked to stop"), reason.replace("_", " "), "", True
            case p.Acknowledged():
                return say("The till has stored it"), "", "", False
            case p.Pruned():
                self._is_final = True
                return say("What happened before is forgotten"), "", "", False
            case _:
                return self._outcome_line(event)

    def _outcome_line(self, event: object) -> tuple[str, str, str, bool] | None:
        say, words = self._words.say, self._words
        match event:
            case c.Offered(approval):
                text = say("The terminal offers %(amount)s", amount=words.money(approval.amount))
                return text, say("Written down before it is made final."), "", False
            case c.Approved(approval):
                self._is_final = True
                code = approval.approval_code
                more = say("Code %(code)s", code=code) if code else ""
                text = say("Approved %(amount)s", amount=words.money(approval.amount))
                return text, more, "go", False
            case c.Declined(code, text):
                self._is_final = True
                return say("Declined, not charged"), text or code, "none", True
            case c.Canceled(_, code, text):
                self._is_final = True
                return say("Canceled, not charged"), text or code, "none", True
            case c.Failed(code, text):
                self._is_final = True
                return say("Failed, not charged"), text or code, "none", True
            case p.Resolved(outcome, by):
                self._is_final = True
                return self._answer(outcome), by, "person", False
            case p.Corrected(answer):
                text = say("Corrected: %(answer)s", answer=self._answer(answer.outcome))
                return text, answer.by, "person", False
            case p.Decided(decision, by):
                booked = decision == "book"
                text = say("Decided: book it") if booked else say("Decided: dealt with")
                return text, by, "person", False
            case p.FollowedUp(kind, _, amount):
                done = {
                    p.PaymentType.REFUND: say("Given back %(amount)s", amount=words.money(amount)),
                    p.PaymentType.VOID: say("Undone"),
                    p.PaymentType.CAPTURE: say("Taken %(amount)s", amount=words.money(amount)),
                }
                other = say("Changed by another payment")
                return done.get(kind, other), "", "back", False
            case SignatureJudged():
                return say("Signature compared"), "", "person", False
            case ReversalFailed():
                return say("Could not be undone: give the money back"), "", "act", False
            case _:
                return None

    def _answer(self, outcome: str) -> str:
        say = self._words.say
        answers = {
            "approved": say("A person: it was paid"),
            "not_charged": say("A person: it was not paid"),
            "refund_if_found": say("A person: close it, give back if found"),
        }
        return answers.get(outcome, outcome)

    def _booking_line(self, event: object) -> tuple[str, str, str, bool] | None:
        say = self._words.say
        match event:
            case s.Sending():
                return say("Sent to the back office"), "", "", False
            case s.Recorded(record_id):
                return say("Booked"), record_id, "go", False
            case s.NotApplied(reason):
                return say("Not booked yet"), reason, "", True
            case s.Unproven(reason):
                return say("Booking unconfirmed"), reason, "act", True
            case s.Refused(code, message):
                return say("The back office refused it"), f"{code}: {message}", "act", True
            case s.Answered(by, record_id, send_again):
                text = say("A person: send it again") if send_again else say("A person: booked")
                return text, " ".join(filter(None, [by, record_id])), "person", False
            case _:
                return None

"""What each event of the journal means, in a sentence for people who know a shop, not the code.

No words of a register or a terminal are needed to understand them; a terminal's own text is quoted.
"""

from __future__ import annotations

from typing import Final

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money import terminal_batch as b
from bridge.money.payment.signature import ReversalFailed, SignatureJudged
from bridge.money.store.journal_entries import KIND_OF, JournalEvent
from bridge.money.store.provenance import PersonActed
from drivers import contract as c
from drivers.amounts import amount_text

STAGES: Final = {
    c.Stage.STARTING: "the terminal begins",
    c.Stage.WAITING_FOR_CARD: "the terminal waits for a card",
    c.Stage.CARD_PRESENTED: "a card is presented",
    c.Stage.CARD_REMOVED_TOO_EARLY: "the card was taken away too early",
    c.Stage.TRY_AGAIN: "the shopper tries again",
    c.Stage.SELECT_APPLICATION: "the shopper chooses how the card pays",
    c.Stage.ENTERING_TIP: "the shopper enters a tip",
    c.Stage.ENTERING_PIN: "the shopper enters the PIN",
    c.Stage.AUTHORIZING: "the bank is asked",
    c.Stage.WAITING_FOR_SIGNATURE: "the shopper signs",
    c.Stage.REMOVE_CARD: "the shopper takes the card",
    c.Stage.PRINTING: "the terminal prints",
    c.Stage.FINISHING: "the terminal finishes",
}
ANSWERS: Final = {
    "approved": "it was paid",
    "not_charged": "nothing was charged",
    "refund_if_found": "it is given back if it turns up",
}


def words_of(event: JournalEvent) -> str:
    """Return the sentence."""
    if isinstance(event, p.Pruned):
        return "receipts and personal data were forgotten; what is left is shown"
    if isinstance(event, s.PurchaseEvent):
        return purchase_words(event)
    if isinstance(event, b.BatchEvent):
        return batch_words(event)
    if isinstance(event, p.Event):
        return _payment_words(event)
    match event:
        case PersonActed(by, did, note):
            said = f": {note}" if note else ""
            return f"{by} asked for {did.replace('_', ' ')} at the console{said}"
    return KIND_OF[type(event)]


def _payment_words(event: p.Event) -> str:
    match event:
        case p.Requested(request):
            what = request.type.value.replace("_", " ")
            tip = f", {amount_text(request.tip)} of it tip" if request.tip else ""
            return f"{request.register_id} asks for a {what} of {amount_text(request.amount)}{tip}"
        case p.Started():
            return f"it goes to the terminal{_baseline(event.baseline)}"
        case p.Concluding(how):
            return f"the gift card's hold is about to be {how}d"
        case p.NotReached(_, text):
            return f"the terminal could not be reached, and nothing was sent: {text}".rstrip(": ")
        case p.CancelAsked(reason):
            return f"to be stopped: {reason.replace('_', ' ')}"
        case p.Restarted():
            return "the service was started anew; what was under way is not known"
        case p.DoubtAged():
            return "the doubt is old enough: a person must look"
        case p.DoubtMeasured(seconds):
            return f"in doubt for {seconds} s at least"
        case p.EvidenceLost():
            return "another payment ran on the terminal: it can no longer tell about this one"
        case p.Resolved() | p.Corrected() | p.Decided() | SignatureJudged():
            return _person_words(event)
        case p.RecordingChanged(recording, record_id, error):
            tail = f" as {record_id}" if record_id else f": {error}" if error else ""
            return f"in the books: {recording.value.replace('_', ' ')}{tail}"
        case p.Acknowledged():
            return "the register has kept the result"
        case p.FollowedUp(kind, payment_id, amount):
            what = kind.value.replace("_", " ")
            return f"a {what} of {amount_text(amount)} followed ({payment_id})"
        case p.FollowUpUndone(kind, payment_id):
            return f"the {kind.value} {payment_id} did not happen after all"
        case p.FoundReversed(payment_id):
            return f"somebody had taken it back at the terminal, as {payment_id} shows"
        case p.HoldEnded(code):
            return f"its hold cannot be released: {code}" if code else "its hold was released"
        case p.LookedAgain(found, text):
            return text or f"the gift card was looked at again: {found.replace('_', ' ')}"
        case p.LinesAttached():
            return "the register told what was sold"
        case p.LinesOverdue():
            return "nobody told what was sold; it is recorded as it is"
        case p.TendersStated():
            return "the register told what else paid the sale"
        case ReversalFailed(code):
            return f"it could not be voided ({code}): give the money back by hand"
        case _:
            return _terminal_words(event)


def _person_words(event: p.Resolved | p.Corrected | p.Decided | SignatureJudged) -> str:
    match event:
        case p.Resolved(outcome, by, code):
            amount = f", {amount_text(event.amount)}" if event.amount else ""
            seen = f", approval code {code}" if code else ""
            return f"{by} says: {ANSWERS[outcome]}{amount}{seen}{_after(event.why)}"
        case p.Corrected(answer):
            return f"{answer.by} corrects the answer: {ANSWERS[answer.outcome]}{_after(answer.why)}"
        case p.Decided(decision, by, why):
            done = "has it recorded" if decision == "book" else "has dealt with it"
            return f"{by} {done}{_after(why)}"
        case SignatureJudged(accepted, by):
            who = by or "nobody in time"
            return f"the signature is {'right' if accepted else 'not right'}, says {who}"


def _terminal_words(event: p.Event) -> str:
    match event:
        case c.Progress(stage):
            return STAGES[stage]
        case c.Receipt(copy):
            return f"the terminal wrote the {copy}'s receipt"
        case c.Taken():
            return "the terminal has taken the command"
        case c.Offered(approval):
            return f"the terminal has an approval: {approval_words(approval)}"
        case c.Approved(approval):
            return f"approved: {approval_words(approval)}"
        case c.Declined(code, text, reason):
            return f"declined: {_quoted(text) or reason.replace('_', ' ')} ({code or reason})"
        case c.Canceled(by, _, text):
            return f"stopped by {by}{_after(text)}; nothing was charged"
        case c.Failed(code, text, reason):
            why = _quoted(text) or reason.replace("_", " ")
            return f"failed: {why} ({code or reason}); nothing was charged"
        case c.Unclear(reason, text):
            seen = f"; it shows {approval_words(event.seen)}" if event.seen is not None else ""
            return f"not clear: {text or reason.replace('_', ' ')}{seen}"
        case c.StillRunning():
            return "the terminal is still at it"
        case _:
            return KIND_OF[type(event)]


def purchase_words(event: s.PurchaseEvent) -> str:
    """Return what happened to the record of a sale."""
    match event:
        case s.PurchaseDue(content):
            return f"the sale is to be recorded, as Trans # {content.transaction_id}"
        case s.Sending():
            return "it is sent to the back office"
        case s.Recorded(record_id):
            return f"the back office has recorded it as {record_id}"
        case s.NotApplied(reason):
            return f"the back office did not take it, and will be asked again: {reason}"
        case s.Unproven(reason):
            return f"whether the back office recorded it is not known: {reason}"
        case s.Refused(code, message):
            return f"the back office refused it: {message or code}"
        case s.Answered(by, record_id, send_again):
            says = "send it again" if send_again else f"it is there, as {record_id}"
            return f"{by} says: {says}{_after(event.why)}"
        case s.Mended(by, why):
            return f"{by} corrected it{_after(why)}; it is sent so"
        case s.PurchaseRestarted():
            return "the service was started anew while it was being recorded"


def batch_words(event: b.BatchEvent) -> str:
    """Return what happened to a terminal's batch."""
    match event:
        case b.BatchClosing(name):
            return f"the terminal is told to close its day ({name})"
        case b.BatchClosed(_, total):
            return f"the day was closed with {amount_text(total)}"
        case b.BatchKept(_, reason):
            return f"nothing was closed: {reason}"
        case b.Unasked(approval):
            return f"at the terminal, asked for by none of us: {approval_words(approval)}"
        case b.GapFound(_, currency, causes=causes, facts=facts):
            words = "; ".join((*causes, *facts)) or "not explained"
            return f"the terminal's sum is not the journal's ({currency}): {words}"
        case b.GapsNoted(_, by, text):
            return f"{by} has looked into the sums{_after(text)}"


def approval_words(approval: c.Approval) -> str:
    """Return a transaction in a few words."""
    card = approval.card
    digits = card.masked_pan.last4 if card.masked_pan is not None else ""
    parts = (
        amount_text(approval.amount),
        " ".join(part for part in (card.brand, digits) if part),
        f"code {approval.approval_code}" if approval.approval_code else "",
        f"receipt {approval.transaction_id}" if approval.transaction_id else "",
    )
    return ", ".join(part for part in parts if part)


def _baseline(baseline: c.Baseline | None) -> str:
    if baseline is None:
        return ""
    return ", whose last transaction is known" if baseline.fingerprint else ", which has none yet"


def _quoted(text: str) -> str:
    return f"“{text}”" if text else ""


def _after(text: str) -> str:
    return f" ({text})" if text else ""

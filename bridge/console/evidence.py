"""Evidence side by side: what we sent, what the terminal says, what the back office says. Pure.

Each column ends with what follows from it. Nothing here is a guess: what nobody said is not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.console.cases import Case, CaseKind
from bridge.console.tags import STAGES, TYPES, Signal
from bridge.console.words import Words, mark
from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord
from drivers.contract import Approval, Money, Stage

LINES_MAX = 6  # of one column; a person reads the last ones

# Why it is not known, by the doubt's cause; other causes are told as the driver named them.
CAUSES = {
    "link_lost": mark("The line was lost, and with it the answer"),
    "usb_removed": mark("The cable came off before the answer"),
    "no_answer": mark("The terminal fell silent before its answer"),
    "silent": mark("The terminal fell silent before its answer"),
    "unreadable": mark("The answer could not be read"),
    "other_transaction": mark("The terminal shows another payment last"),
    "bridge_restarted": mark("The service was restarted before the answer"),
    "terminal_silent": mark("The terminal fell silent before its answer"),
    "other_amount": mark("The terminal shows another amount last"),
    "no_evidence": mark("The terminal does not tell its last payment"),
    "no_baseline": mark("What the terminal had before is not known"),
    "no_result": mark("The conversation ended without a result"),
    "io_error": mark("The line broke before the answer"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One fact: when or what it is about, and the fact."""

    when: str
    text: str
    is_english: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """What one side says, and what follows."""

    icon: str
    title: str
    lines: tuple[Line, ...]
    signal: Signal
    so: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A case's evidence, in the person's language."""

    title: str
    lead: str
    text: str
    columns: tuple[Column, ...] = field(default=())


def proof_of(case: Case, words: Words, names: dict[str, str]) -> Proof:
    """Return the evidence of a case; `names` are what people call the terminals."""
    where = names.get(case.terminal_id, case.terminal_id)
    match case.kind:
        case CaseKind.DOUBT:
            return _doubt(case, words, where)
        case CaseKind.CONTRADICTION:
            return _contradiction(case, words, where)
        case CaseKind.UNCONFIRMED | CaseKind.REJECTED:
            return _booking(case, words, where)
        case CaseKind.HOLD:
            return _hold(case, words, where)
        case CaseKind.GAP:
            return _gap(case, words, where)


def _doubt(case: Case, words: Words, where: str) -> Proof:
    assert case.account is not None, "a doubt is a payment's"
    say, account = words.say, case.account
    payment = account.payment
    doubt = payment.doubt
    assert doubt is not None, "it is in doubt"
    title = say(
        "Was this card charged? %(till)s at %(terminal)s",
        till=payment.request.register_id,
        terminal=where,
    )
    if payment.request.method is p.Method.OFFICE_GIFT_CARD:
        title = say("Was this gift card charged? %(till)s", till=payment.request.register_id)
    lead = say(CAUSES[doubt.cause]) if doubt.cause in CAUSES else doubt.cause.replace("_", " ")
    text = say(
        "Nobody knows yet whether money moved. The terminal's paper slip or the shopper's banking "
        "app can tell. Do not charge again."
    )
    asked = words.count(
        "%(num)d time, no proof either way",
        "%(num)d times, no proof either way",
        doubt.inquiries,
    )
    told = [Line(words.clock(account.doubted_at), say("The answer is missing"))]
    told.append(Line(say("asked since"), asked))
    if doubt.evidence_lost:
        told.append(Line(say("since then"), say("Another payment ran there: it can tell no more")))
    told += _seen(doubt.seen, words)
    so = say("It cannot say. That is not a no.")
    if doubt.seen is not None:
        so = say("It shows a payment that may be this one, or another.")
    return Proof(
        title,
        f"{lead}.",
        text,
        (
            _sent(account, words),
            Column("device", say("What the terminal says"), tuple(told), "wait", so),
            _books(case, words),
        ),
    )


def _sent(account: PaymentRecord, words: Words) -> Column:
    """Return what left us, and how far it came."""
    say, payment = words.say, account.payment
    what = say(TYPES[payment.request.type.value])
    lines = [Line(words.clock(account.created_at), f"{what} {words.money(payment.request.amount)}")]
    stages = [one for one in account.history if one.status == p.Status.IN_PROGRESS.value]
    for one in stages[-LINES_MAX + 2 :]:
        text = say(STAGES[Stage(one.stage)]) if one.stage else say("The order went out")
        lines.append(Line(words.clock(one.at), text))
    late = any(Stage(one.stage) in _AFTER_CARD for one in stages if one.stage)
    if payment.taken is False:
        so, signal = say("The terminal did not take the order."), "plain"
    elif late:
        so, signal = say("A card was there. It may have been charged."), "wait"
    else:
        so, signal = say("The order reached the terminal. A card may have been charged."), "wait"
    return Column(
        "send", say("What we sent"), tuple(lines), "wait" if signal == "wait" else "plain", so
    )


_AFTER_CARD = frozenset(
    {Stage.CARD_PRESENTED, Stage.AUTHORIZING, Stage.ENTERING_PIN, Stage.REMOVE_CARD}
    | {Stage.PRINTING, Stage.FINISHING, Stage.WAITING_FOR_SIGNATURE}
)


def _seen(seen: Approval | None, words: Words) -> list[Line]:
    if seen is None:
        return []
    say = words.say
    lines = [Line(say("it shows"), words.money(seen.amount))]
    if seen.time_text:
        lines.append(Line(say("its time"), seen.time_text.replace("T", " ")))
    return [*lines, *_card(seen, words)]


def _card(approval: Approval, words: Words) -> list[Line]:
    card = approval.card
    last = f" ••{card.masked_pan.last4}" if card.masked_pan else ""
    name = f"{card.label or card.brand.title()}{last}".strip()
    lines = [Line(words.say("card"), name)] if name else []
    if approval.approval_code:
        lines.append(Line(words.say("code"), approval.approval_code))
    if approval.transaction_id:
        lines.append(Line(words.say("its number"), approval.transaction_id))
    return lines


def _books(case: Case, words: Words) -> Column:
    say = words.say
    title = say("What the back office says")
    purchase = case.purchase
    account = case.account
    name = account.payment.request.sale_id if account is not None else ""
    if purchase is None:
        lines = [Line(name or say("sale"), say("Nothing booked"))]
        lines.append(Line(say("why"), say("Only what is certain is booked")))
        return Column("book", title, tuple(lines), "plain", say("Not in the books, and not sent."))
    told = purchase.purchase
    lines = [Line(say("Trans #"), told.content.transaction_id)]
    lines.append(Line(say("sent"), words.count("%(num)d time", "%(num)d times", told.attempts)))
    if told.error:
        lines.append(Line(say("answer"), told.error, is_english=True))
    if told.record_id:
        lines.append(Line(say("its number"), told.record_id))
    match told.state.value:
        case "unconfirmed":
            so, signal = say("It may be booked. Look there before anything is sent again."), "wait"
        case "rejected":
            so, signal = say("It is not booked: the back office said no."), "act"
        case "recorded":
            so, signal = say("It is booked."), "go"
        case _:
            so, signal = say("It waits to be booked."), "plain"
    return Column("book", title, tuple(lines), _signal(signal), so)


def _signal(word: str) -> Signal:
    signals: dict[str, Signal] = {"go": "go", "wait": "wait", "act": "act"}
    return signals.get(word, "plain")


def _contradiction(case: Case, words: Words, where: str) -> Proof:
    assert case.account is not None, "a contradiction is a payment's"
    say, account = words.say, case.account
    payment = account.payment
    odd = payment.discrepancies[-1]
    title = say(
        "Evidence against what was said. %(till)s at %(terminal)s",
        till=payment.request.register_id,
        terminal=where,
    )
    charged = payment.status is p.Status.APPROVED
    lead = (
        say("The till was told that it was paid.")
        if charged
        else say("The till was told that the card was not charged.")
    )
    lines = [Line(words.clock(account.updated_at), odd.text or odd.kind, is_english=True)]
    if odd.approval is not None:
        lines.append(Line(say("it shows"), words.money(odd.approval.amount)))
        lines += _card(odd.approval, words)
    so = (
        say("It speaks against the payment.")
        if odd.approval is None
        else say("It says that the card was charged.")
    )
    return Proof(
        title,
        lead,
        say("Nothing was changed because of it: what to do is a person's word."),
        (
            _told(account, words),
            Column("device", say("What the terminal says"), tuple(lines), "act", so),
            _books(case, words),
        ),
    )


def _told(account: PaymentRecord, words: Words) -> Column:
    say, payment = words.say, account.payment
    what = say(TYPES[payment.request.type.value])
    lines = [
        Line(words.clock(account.created_at), f"{what} {words.money(payment.request.amount)}"),
        Line(
            words.clock(account.ended_at),
            say("Told the till: paid")
            if payment.status is p.Status.APPROVED
            else say("Told the till: not charged"),
        ),
    ]
    return Column(
        "send", say("What we sent"), tuple(lines), "plain", say("One order, no second one.")
    )


def _booking(case: Case, words: Words, where: str) -> Proof:
    say = words.say
    assert case.purchase is not None, "a booking is a purchase's"
    amount = words.amount(case.amount_minor, case.currency)
    if case.kind is CaseKind.UNCONFIRMED:
        title = say("Is %(amount)s in the books?", amount=amount)
        lead = say("The back office gave no clear answer.")
        text = say("Look it up there by its Trans #. It is never sent again by itself.")
    else:
        title = say("%(amount)s paid, and not in the books", amount=amount)
        lead = say("The back office refused the booking.")
        text = say("Mend what it says there, then send it again; or say where it is booked.")
    columns = [_books(case, words)]
    if case.account is not None:
        payment = case.account.payment
        lines = [
            Line(words.clock(case.account.ended_at), say("Paid at %(terminal)s", terminal=where))
        ]
        if payment.approval is not None:
            lines += _card(payment.approval, words)
        so = say("The money is taken. That is certain.")
        device = Column("device", say("What the terminal says"), tuple(lines), "go", so)
        columns = [_told(case.account, words), device, *columns]
    return Proof(title, lead, text, tuple(columns))


def _hold(case: Case, words: Words, where: str) -> Proof:
    assert case.account is not None, "a hold is a payment's"
    assert case.ends_at is not None, "it ends"
    say, payment = words.say, case.account.payment
    approval = payment.approval
    until = f"{words.day(case.ends_at)}, {words.minute(case.ends_at)}"
    sale = payment.request.sale_id or payment.request.register_id
    lines = [Line(words.day(case.account.ended_at), say("Held at %(terminal)s", terminal=where))]
    lines += _card(approval, words) if approval is not None else []
    held = Money(case.amount_minor, case.currency)
    return Proof(
        say("Money is held for %(sale)s", sale=sale),
        say("The bank keeps it for us until about %(time)s.", time=until),
        say(
            "After that it can no longer be taken. Take it or let it go at the till: both go to "
            "the terminal."
        ),
        (
            Column(
                "send",
                say("What we sent"),
                (
                    Line(
                        words.day(case.account.created_at),
                        say("Hold %(amount)s", amount=words.money(held)),
                    ),
                ),
                "plain",
                say("Nothing was taken yet."),
            ),
            Column(
                "device",
                say("What the terminal says"),
                tuple(lines),
                "wait",
                say("Held until about %(time)s.", time=until),
            ),
            Column(
                "book",
                say("What the back office says"),
                (Line(sale, say("Nothing booked")),),
                "plain",
                say("A hold is in no books until it is taken."),
            ),
        ),
    )


def _gap(case: Case, words: Words, where: str) -> Proof:
    assert case.gap is not None, "a gap is a gap's"
    say, gap = words.say, case.gap
    more = words.signed(gap.minor, gap.currency)
    if gap.minor:
        title = say("%(terminal)s counts %(amount)s otherwise than the journal", **_at(where, more))
    else:
        title = say("%(terminal)s did something on its own", terminal=where)
    causes = [Line("", text, is_english=True) for text in gap.causes[:LINES_MAX]]
    facts = [Line("", text, is_english=True) for text in gap.facts[:LINES_MAX]]
    explained = gap.is_explained
    lead = (
        say("What accounts for it is named below.")
        if explained
        else say("Nothing in the journal accounts for it.")
    )
    return Proof(
        title,
        lead,
        say("Look into it, then note what you found. The note stays with the end of day."),
        (
            Column(
                "send",
                say("What our journal says"),
                tuple(causes) or (Line("", say("No payment of ours makes this difference")),),
                "plain" if explained else "act",
                say("Explained.") if explained else say("Not explained."),
            ),
            Column(
                "device",
                say("What the terminal says"),
                (Line(say("difference"), more), *facts),
                "wait",
                say("Its sum is not the journal's.") if gap.minor else say("Its sum agrees."),
            ),
        ),
    )


def _at(where: str, amount: str) -> dict[str, str]:
    return {"terminal": where, "amount": amount}

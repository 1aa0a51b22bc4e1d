"""Now: can we take a payment, and what is on each terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.console.pages.frame import Facts, frame_facts
from bridge.console.sources import RegisterView, TerminalView
from bridge.console.tags import OUTCOMES, PROBLEMS, STAGES, Tag
from bridge.console.visit import Visit
from bridge.console.words import Words, mark
from bridge.errors import JournalError
from bridge.money import payment as p
from bridge.money.doubt_age import DOUBT_AGED_SECONDS
from bridge.reports.outcome import outcome_of
from bridge.reports.payment_index import FoundPayment, FoundPayments, PaymentQuery

_LOGGER = logging.getLogger(__name__)

LAST_SHOWN = 8
READY = Tag("go", "go", mark("Ready"))
TAKING = Tag("plain", "busy", mark("Taking a payment"))
WORKING = Tag("plain", "busy", mark("Busy with itself"))
NO_WORD = Tag("wait", "wait", mark("No answer yet"))
GONE = Tag("act", "act", mark("Not there"))
UNFIT = Tag("act", "act", mark("Takes no payment"))


@dataclass(frozen=True, slots=True)
class TerminalCard:
    """One terminal as its card shows it; texts are in the person's language."""

    id: str
    name: str
    tag: Tag
    payment_id: str = ""
    amount: str = ""
    doing: str = ""
    who: str = ""
    is_doubt: bool = False
    needs_person: bool = False
    may_cancel: bool = False
    ends_at: int = 0  # of a countdown, seconds since 1970; 0 is none
    seconds_in_all: int = 0
    countdown: str = ""  # what it counts down to
    problem: str = ""
    problem_is_english: bool = False
    last: str = ""
    link: str = ""
    link_icon: str = "plug"
    reconnects: int = 0
    paper: str = ""  # "" where it does not tell
    paper_is_low: bool = False
    in_line: int = 0


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One register as the list shows it."""

    id: str
    tag: Tag
    text: str
    terminal: str = ""


async def now_facts(visit: Visit) -> Facts:
    """Return what the page shows."""
    facts = frame_facts(visit, "/")
    premises = visit.premises
    found = FoundPayments((), 0)
    # The light does not depend on what was paid before: a full disk must not hide it.
    with told_in_the_log():
        found = await premises.read(lambda: premises.index.search(PaymentQuery(), LAST_SHOWN))
    last_used = {one.terminal_id: one for one in reversed(found.rows) if not one.is_open}
    words = visit.words
    cards = [
        terminal_card(one, words, visit.now, last_used.get(one.info.terminal_id))
        for one in facts["terminals"]
    ]
    registers = await register_lines(visit, facts["names"])
    return {
        **facts,
        "cards": cards,
        "last": found.rows,
        "registers": registers,
        "online": sum(one.tag.signal == "go" for one in registers),
    }


@contextmanager
def told_in_the_log() -> Iterator[None]:
    """Go on without what the journal or its copy cannot tell now."""
    try:
        yield
    except JournalError as error:
        _LOGGER.warning("a part of a page is missing reason=%s", error)


def terminal_card(
    view: TerminalView, words: Words, now: datetime, last: FoundPayment | None
) -> TerminalCard:
    """Return a terminal's card."""
    say, state = words.say, view.state
    card: dict[str, Any] = {
        "id": view.info.terminal_id,
        "name": view.name,
        "link": _link(view, words),
        "link_icon": "net" if view.info.link.type == "tcp" else "plug",
        "reconnects": state.link.reconnects_24h,
        "in_line": view.in_line,
        "last": _last(last, words, now),
    }
    if state.printer is not None:
        told = {"ok": say("Paper ok"), "no_paper": say("No paper"), "fault": say("Printer fault")}
        card |= {"paper": told[state.printer], "paper_is_low": state.printer != "ok"}
    problem = state.problems[0] if state.problems else None
    if problem is not None:
        known = PROBLEMS.get(problem.code)
        card |= {
            "problem": say(known) if known else problem.text,
            "problem_is_english": known is None,
        }
    if view.payment is not None:
        return TerminalCard(**card, **_on_it(view, words, now))
    return TerminalCard(**card, tag=terminal_tag(view))


def terminal_tag(view: TerminalView) -> Tag:
    """Return how a terminal is."""
    if view.payment is not None:
        doubt = view.payment.payment.doubt
        return TAKING if doubt is None else OUTCOMES[outcome_of(view.payment.payment)]
    if not view.problem:
        return READY if view.state.activity == "idle" else WORKING
    if view.problem in {"starting", "connecting"}:
        return NO_WORD
    return GONE if view.state.availability == "offline" else UNFIT


def _on_it(view: TerminalView, words: Words, now: datetime) -> dict[str, Any]:
    assert view.payment is not None, "there is one"
    say, account = words.say, view.payment
    payment, request = account.payment, account.payment.request
    who = [request.register_id]
    if request.sale_id:
        who.append(say("sale %(sale)s", sale=request.sale_id))
    found: dict[str, Any] = {
        "payment_id": account.payment_id,
        "amount": words.money(request.amount),
        "who": ", ".join(who),
        "tag": terminal_tag(view),
    }
    if payment.doubt is not None:
        asked = words.count("Asked %(num)d time", "Asked %(num)d times", payment.doubt.inquiries)
        found |= {
            "doing": say("Do not charge again"),
            "is_doubt": True,
            "needs_person": payment.doubt.needs_operator,
            "who": f"{found['who']}. {asked}",
        }
        if not payment.doubt.needs_operator:
            began = datetime.fromisoformat(account.doubted_at)
            ends = began + timedelta(seconds=DOUBT_AGED_SECONDS)
            found |= {
                "ends_at": int(ends.timestamp()),
                "seconds_in_all": int(DOUBT_AGED_SECONDS),
                "countdown": say("then a person is asked"),
            }
        return found
    found["doing"] = say(STAGES[payment.stage]) if payment.stage is not None else say("Connecting")
    if payment.status is p.Status.CANCELING:
        found["doing"] = say("Canceling. Wait for the terminal")
    found["may_cancel"] = payment.status in {p.Status.QUEUED, p.Status.IN_PROGRESS}
    if view.seconds_left is not None:
        found |= {
            "ends_at": int(now.timestamp()) + view.seconds_left,
            "seconds_in_all": view.seconds_in_all,
            "countdown": say("then it stops by itself"),
        }
    return found


def _link(view: TerminalView, words: Words) -> str:
    kind = words.say("Network") if view.info.link.type == "tcp" else words.say("Cable")
    state = {
        "online": words.say("answers"),
        "offline": words.say("no answer"),
        "unknown": words.say("not known yet"),
    }[view.state.availability]
    return f"{kind}: {state}"


def _last(last: FoundPayment | None, words: Words, now: datetime) -> str:
    if last is None:
        return ""
    what = words.say(OUTCOMES[last.outcome].text)
    amount = words.amount(last.moved_minor or last.asked_minor, last.currency)
    return f"{amount}: {what}, {words.when(last.created_at, now)}, {last.register_id}"


async def register_lines(visit: Visit, names: dict[str, str]) -> list[RegisterLine]:
    """Return every register's line."""
    premises = visit.premises
    last: dict[str, str] = {}
    with told_in_the_log():
        last = await premises.read(premises.index.last_by_register)
    known = {one.register_id: one for one in visit.desk.registers()}
    known |= {name: RegisterView(name) for name in last if name not in known}
    return [register_line(one, visit.words, visit.now, names, last) for one in known.values()]


def register_line(
    view: RegisterView,
    words: Words,
    now: datetime,
    names: dict[str, str],
    last: dict[str, str],
) -> RegisterLine:
    """Return a register's line."""
    say = words.say
    if view.is_online:
        tag = Tag("go", "go", mark("Online"))
    elif view.is_online is None:
        tag = Tag("plain", "off", mark("Not heard since the start"))
    else:
        tag = Tag("plain", "off", mark("Switched off"))
    if view.payment is not None:
        where = view.payment.payment.request.terminal_id
        text = say("paying at %(terminal)s", terminal=names.get(where, where))
    elif view.register_id in last:
        text = say("last payment %(time)s", time=words.when(last[view.register_id], now))
    else:
        text = say("no payment yet")
    return RegisterLine(view.register_id, tag, text, names.get(view.terminal_id, view.terminal_id))

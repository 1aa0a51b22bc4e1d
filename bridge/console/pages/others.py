"""Terminals, tills, end of day, login and health: facts of the service, in a person's words."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import segno

from bridge import __version__
from bridge.console.pages.frame import Facts, frame_facts
from bridge.console.pages.now import register_lines, terminal_tag
from bridge.console.sources import TerminalView
from bridge.console.tags import OPERATIONS, PROBLEMS, WITHOUT, Tag
from bridge.console.visit import Visit
from bridge.console.words import Words, mark
from bridge.register import api as k
from bridge.reports.payment_index import PaymentQuery
from drivers.amounts import digits_of

DAYS_SHOWN_MAX = 60
DAYS = uuid.UUID("5f2b5f0e-6d0c-5a52-9d4e-0c1f7a0b8e11")  # names of ends of day that begin here
QUERIES = {
    "by_reference": (
        "go",
        mark("It can be asked for exactly one payment"),
        mark("Most doubts end by themselves within seconds."),
    ),
    "last_transaction": (
        "go",
        mark("It can be asked for its last payment"),
        mark("Most doubts end by themselves. Its last payment is noted before each new one."),
    ),
    "none": (
        "wait",
        mark("It cannot be asked"),
        mark("Each doubt needs a person, with the slip."),
    ),
}
CANCELS = {
    "any_time": mark("A payment can be canceled until the bank is asked."),
    "until_authorizing": mark("A payment can be canceled until the bank is asked."),
    "until_card": mark("A payment can be canceled until a card is there."),
    "at_terminal_only": mark("A payment can be canceled at the terminal only."),
}


async def terminals_facts(visit: Visit) -> Facts:
    """Return what the page of terminals shows: a list, one of them, and what is not named yet."""
    facts = frame_facts(visit, "/terminals")
    views: list[TerminalView] = facts["terminals"]
    wanted = visit.request.query_params.get("terminal", "")
    chosen = next((one for one in views if one.info.terminal_id == wanted), None)
    chosen = chosen or (views[0] if views else None)
    found = await visit.desk.found_devices()
    return {
        **facts,
        "list": [(one, terminal_tag(one)) for one in views],
        "chosen": chosen,
        "detail": _detail(chosen, visit) if chosen is not None else None,
        "found": [one for one in found if one.may_be_terminal],
        "other_devices": [one for one in found if not one.may_be_terminal],
        "site_file": "paybridge.toml",
    }


def _detail(view: TerminalView, visit: Visit) -> dict[str, Any]:
    words, can = visit.words, view.info.capabilities
    on = [name for name in OPERATIONS if name in can.operations]
    off = [name for name in WITHOUT if name not in can.operations]
    signal, title, more = QUERIES[can.status_query]
    problem = view.state.problems[0] if view.state.problems else None
    known = PROBLEMS.get(problem.code, "") if problem is not None else ""
    return {
        "tag": terminal_tag(view),
        "on": [words.say(OPERATIONS[name]) for name in on],
        "off": [(words.say(OPERATIONS[name]), words.say(WITHOUT[name])) for name in off],
        "query_tag": Tag("go" if signal == "go" else "wait", signal, title),
        "query_more": words.say(more),
        "cancel": words.say(CANCELS[can.cancel]),
        "partial": can.partial_approval,
        "tip": [one for one in can.tip if one != "none"],
        "unlinked": can.unlinked_refund,
        "problem": words.say(known) if known else problem.text if problem else "",
        "problem_is_english": problem is not None and not known,
        "since": words.when(problem.since, visit.now) if problem is not None else "",
        "busy": view.payment is not None,
    }


async def registers_facts(visit: Visit) -> Facts:
    """Return what the page of tills shows."""
    facts = frame_facts(visit, "/registers")
    lines = await register_lines(visit, facts["names"])
    premises, words = visit.premises, visit.words
    today = words.local(visit.now).date().isoformat()
    since = (visit.now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    sums = {}
    for one in lines:
        name = one.id
        query = PaymentQuery(register_id=name, since=since)
        found = await premises.read(partial(premises.index.search, query, 1))
        sums[name] = (
            found.count,
            " + ".join(words.signed(s.net, s.currency) for s in found.sums),
        )
    return {**facts, "lines": lines, "register_sums": sums, "day": today}


@dataclass(frozen=True, slots=True)
class ShownDay:
    """One end of day, in the person's language."""

    document: k.ReconciliationDocument
    terminal: str
    day: str
    time: str
    tag: Tag
    told: str  # the terminal's sum, "" when it said none
    journal: str
    recorded: str  # "" where the books are not ours
    gap: str
    gap_is_open: bool
    causes: tuple[tuple[str, str, str], ...]  # amount, text, payment
    totals: tuple[tuple[str, int, str], ...]


async def day_facts(visit: Visit) -> Facts:
    """Return what the page of ends of day shows."""
    facts = frame_facts(visit, "/day")
    words = visit.words
    ends = [
        shown_day(one.document, facts["names"], words)
        for one in visit.desk.day_ends()[:DAYS_SHOWN_MAX]
    ]
    newest: dict[str, ShownDay] = {}
    for one in ends:
        newest.setdefault(one.document.terminal_id, one)
    closing = visit.desk.closing()
    local = words.local(visit.now)
    rows = [
        {
            "view": view,
            "tag": terminal_tag(view),
            "last": newest.get(view.info.terminal_id),
            "can_close": "reconcile" in view.info.capabilities.operations,
            "can_compare": "totals" in view.info.capabilities.operations,
            "open_since": words.when(closing[view.info.terminal_id], visit.now)
            if view.info.terminal_id in closing
            else "",
            "why_not": _why_not_now(view, words),
            "name": day_name(view.info.terminal_id, local),
        }
        for view in facts["terminals"]
    ]
    return {**facts, "rows": rows, "ends": ends}


def day_name(terminal_id: str, local: datetime) -> str:
    """Return what an end of day is called for ever.

    It is the same within a minute, whoever asks on whichever page: so it is closed once.
    """
    return str(uuid.uuid5(DAYS, f"{terminal_id} {local:%Y-%m-%d %H:%M}"))


def _why_not_now(view: TerminalView, words: Words) -> str:
    if view.payment is not None:
        return words.say("Off while a payment is on it.")
    if view.state.availability != "online" or view.problem:
        return words.say("Off: it takes no orders now.")
    return ""


def shown_day(document: k.ReconciliationDocument, names: dict[str, str], words: Words) -> ShownDay:
    """Return one end of day as the page shows it."""
    tags = {
        "matched": Tag("go", "go", mark("Agrees")),
        "different": Tag("act", "act", mark("Differs")),
        "unknown": Tag("wait", "wait", mark("Not counted by the terminal")),
    }
    currency, compared = document.currency, document.compare
    gap = _minor(document.gap, currency)
    causes = [
        (words.signed(_minor(one.amount, currency) or 0, currency), one.text, one.payment_id or "")
        for one in (*document.explained_by, *document.facts)
    ]
    return ShownDay(
        document=document,
        terminal=names.get(document.terminal_id, document.terminal_id),
        day=words.day(document.closed_at),
        time=words.clock(document.closed_at),
        tag=tags[document.status],
        told=_text(compared.terminal, currency, words),
        journal=_text(compared.journal, currency, words),
        recorded=_text(compared.recorded, currency, words),
        gap=words.signed(gap, currency) if gap is not None else "",
        gap_is_open=document.not_explained is not None,
        causes=tuple(causes),
        totals=tuple(
            (one.payment_brand, one.count, _text(one.amount, currency, words))
            for one in document.totals
        ),
    )


def _minor(text: str | None, currency: str) -> int | None:
    if text is None:
        return None
    digits = digits_of(currency)
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    return sign * int(whole + (part or "0" * digits))


def _text(text: str | None, currency: str, words: Words) -> str:
    minor = _minor(text, currency)
    return "" if minor is None else words.amount(minor, currency)


async def login_facts(visit: Visit) -> Facts:
    """Return what the page of the login shows."""
    facts = frame_facts(visit, "/login")
    view = visit.desk.login()
    picture = ""
    if view.code is not None:
        out = io.BytesIO()
        address = view.code.address_with_code or view.code.address
        segno.make(address, error="m").save(
            out,
            kind="svg",
            xmldecl=False,
            svgns=True,
            border=4,
            svgclass="qr",
            lineclass=None,
            omitsize=True,
            light="#fff",
        )
        picture = out.getvalue().decode()
    return {
        **facts,
        "login": view,
        "picture": picture,
        "pending": visit.desk.health().recording.pending,
        "ends_at": int(visit.now.timestamp()) + view.seconds_left,
        "since": visit.words.when(view.needed_since, visit.now) if view.needed_since else "",
    }


async def health_facts(visit: Visit) -> Facts:
    """Return what the page of health shows: the service's own words and numbers."""
    facts = frame_facts(visit, "/health")
    health = visit.desk.health()
    words, recording = visit.words, health.recording
    oldest = recording.oldest_pending_s
    return {
        **facts,
        "health": health,
        "uptime": words.span(health.uptime_s),
        "oldest": words.span(oldest) if oldest is not None else "",
        "version": __version__,
        "obstacles": visit.desk.obstacles(),
        "free": health.journal.path_free_mb or 0,
    }

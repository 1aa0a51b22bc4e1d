"""What stands on every page: the small light, how much needs attention, who is here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bridge.console.cases import Case, cases_of, sums_of
from bridge.console.light import light_of
from bridge.console.pins import Role
from bridge.console.visit import Visit
from bridge.console.words import Words, mark

Facts = dict[str, Any]
PageFacts = Callable[[Visit], Awaitable[Facts]]

ROLE_NAMES = {
    Role.SEE: mark("Looking only"),
    Role.SUPERVISOR: mark("Supervisor"),
    Role.TECHNICIAN: mark("Technician"),
}


@dataclass(frozen=True, slots=True)
class NavItem:
    """One page in the navigation."""

    path: str
    icon: str
    text: str


NAVIGATION = (
    NavItem("/", "signal", mark("Now")),
    NavItem("/attention", "inbox", mark("Needs attention")),
    NavItem("/payments", "list", mark("Payments")),
    NavItem("/terminals", "device", mark("Terminals")),
    NavItem("/day", "day", mark("End of day")),
)
MORE = (
    NavItem("/registers", "till", mark("Tills")),
    NavItem("/login", "key", mark("Back-office login")),
    NavItem("/health", "heart", mark("Health")),
)


def frame_facts(visit: Visit, current: str) -> Facts:
    """Return what every page's frame shows; `current` is the path of its navigation item."""
    desk, words, now = visit.desk, visit.words, visit.now
    terminals, login = desk.terminals(), desk.login()
    cases = cases_of(desk)
    return {
        "words": words,
        "site": desk.site or desk.store_code,
        "current": current,
        "navigation": NAVIGATION,
        "more": MORE,
        "light": light_of(desk.health(), terminals, login, words, now),
        "cases": cases,
        "sums": sums_text(cases, words),
        "terminals": terminals,
        "names": {one.info.terminal_id: one.name for one in terminals},
        "now": now,
        "today": words.day(now),
        "role": visit.role,
        "role_name": words.say(ROLE_NAMES[visit.role]) if visit.role is not None else "",
        "has_session": visit.session is not None and visit.session.role is not None,
        "may_act": visit.may_act,
        "by": visit.by,
        "is_technician": visit.role is Role.TECHNICIAN,
        "lang_url": lang_url(visit),
        "here": here(visit),
    }


def sums_text(cases: list[Case], words: Words) -> str:
    """Return what the cases are about together."""
    return " + ".join(words.amount(minor, name) for name, minor in sums_of(cases).items())


def here(visit: Visit) -> str:
    """Return this page's own address, without the language."""
    url = visit.request.url.remove_query_params("lang")
    path = url.path.removeprefix("/live") or "/"
    return f"{path}?{url.query}" if url.query else path


def lang_url(visit: Visit) -> Callable[[str], str]:
    """Return what makes this page's address in another language."""
    url = visit.request.url

    def other(language: str) -> str:
        kept = url.include_query_params(lang=language)
        path = kept.path.removeprefix("/live") or "/"
        return f"{path}?{kept.query}"

    return other

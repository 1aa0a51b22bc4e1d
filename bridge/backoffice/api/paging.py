"""Page after page of a query endpoint: what to ask next, and when to stop. Pure.

Two ways lead through the rows. With `since` each answer says in `until` where the next one
begins: opaque, "" to begin, kept for the next time (POS_API.md, [SU]). Else `skip` counts rows. A
server may answer fewer rows than were asked for, say nothing of more, or never come to an end:
whoever walks is told either that everything was read, or that nobody can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row, Unreadable

T = TypeVar("T")

ROWS_A_PAGE = 100
"""Rows asked for at once; servers cap that, and a page must be read without holding up others."""

ROWS_READ_MAX = 4_000
"""Rows of one page that are taken; more than forty times what was asked for is no page."""

MARK_CHARS_MAX = 4_096
"""Of `until`, which is opaque; it is kept on disk and sent back."""

EMPTY_PAGES_MAX = 3
"""Pages without a row, one after the other, after which more is not believed."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a walk goes before it is given up.

    Attributes:
        pages, rows: At most so many.
        megabytes: Of the answers together, at most so many million bytes.
    """

    pages: int = 2_000
    rows: int = 200_000
    megabytes: int = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One answer.

    Attributes:
        rows: What was read of it.
        more: False on the last page; None when the server does not say.
        until: Where the next question with `since` begins, "" when the server does not say.
        limited: Permissions hide rows; None when the server does not say.
        since: What this page was asked with; None without `since`.
    """

    rows: tuple[T, ...]
    more: bool | None
    until: str
    limited: bool | None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What to ask for: from `since` on (None: without it), and after `skip` rows."""

    since: str | None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """Everything was read; `until` is where to go on another time, "" when nothing was said."""

    until: str


def read_page(endpoint: Endpoint[T], data: Mapping[str, Any], since: str | None) -> Page[T]:
    """Return one answer's rows.

    Raises:
        Unreadable: It has not the shape of a page, or a field of a row is not as expected.
    """
    root = endpoint.root
    found = data.get(root)
    if not endpoint.listed:
        row = endpoint.read(Row(found, root))
        return Page((row,), more=False, until="", limited=None, since=since)
    if not isinstance(found, dict) or not isinstance(found.get("results"), list):
        raise Unreadable(root, "is no list of rows")
    results = found["results"]
    if len(results) > ROWS_READ_MAX:
        raise Unreadable(f"{root}.results", "has more rows than any page")
    envelope = Row(found, root)
    until = found.get("until")
    if until is not None and not isinstance(until, str):
        raise Unreadable(f"{root}.until", "is no text")
    if any("\ud800" <= one <= "\udfff" for one in until or ""):
        raise Unreadable(f"{root}.until", "is no text")  # half a character, which no disk takes
    if len(until or "") > MARK_CHARS_MAX:
        raise Unreadable(f"{root}.until", "is longer than any mark")
    rows = tuple(
        endpoint.read(Row(one, f"{root}.results[{number}]")) for number, one in enumerate(results)
    )
    return Page(
        rows,
        envelope.flag("hasMoreResults"),
        until or "",
        envelope.flag("limitedByPermission"),
        since,
    )


class Walk(Generic[T]):
    """The way through the pages of one endpoint."""

    def __init__(
        self, bounds: Bounds, *, since: str | None, can_skip: bool, what: str = "rows"
    ) -> None:
        """Begin at `since`, or without it; `can_skip`: the endpoint takes `skip`."""
        self._bounds = bounds
        self._can_skip = can_skip
        self._what = what
        self._turn = Turn(since)
        self._marks = {since}
        self._before: tuple[T, ...] = ()
        self._pages = self._rows = self._bytes = self._empty = 0

    def next(self, page: Page[T], body_bytes: int) -> Turn | End | CannotTell:
        """Take note of the page that was answered to the last turn, and say what comes next."""
        self._pages += 1
        self._rows += len(page.rows)
        self._bytes += body_bytes
        self._empty = 0 if page.rows else self._empty + 1
        repeats = page.rows and page.rows == self._before
        self._before = page.rows
        if page.more is False:
            return End(page.until)
        if page.more is None and not page.rows:
            return End(page.until)
        if repeats:
            return CannotTell(f"the back office answers the same page of {self._what} again")
        if self._empty >= EMPTY_PAGES_MAX:
            return CannotTell(f"the back office promises more {self._what} and shows none")
        beyond = self._beyond()
        if beyond:
            return CannotTell(beyond)
        return self._turn_page(page)

    def _turn_page(self, page: Page[T]) -> Turn | End | CannotTell:
        turn = self._turn
        if turn.since is not None and page.until:
            if page.until == turn.since and page.more is None:
                return End(page.until)  # nothing newer, by a server that does not say so otherwise
            if page.until in self._marks:
                return CannotTell(f"the back office leads in a circle through its {self._what}")
            self._marks.add(page.until)
            self._turn = Turn(page.until)
        elif self._can_skip:
            self._turn = Turn(turn.since, turn.skip + len(page.rows))
        elif page.more is None:
            return End(page.until)  # all there is, of an endpoint without pages
        else:
            return CannotTell(f"the back office has more {self._what} and no way to ask for them")
        return self._turn

    def _beyond(self) -> str:
        bounds = self._bounds
        for many, most, name in (
            (self._pages, bounds.pages, "pages"),
            (self._rows, bounds.rows, "rows"),
            (self._bytes, bounds.megabytes * 1_000_000, "bytes"),
        ):
            if many >= most:
                return f"the back office comes to no end of {self._what} after {most} {name}"
        return ""

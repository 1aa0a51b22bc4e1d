"""Reads the back office's query endpoints, page after page; changes nothing there.

No method raises for what the server does. What it does not show, or shows otherwise than we know,
is `CannotTell`, in words of ours.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bridge.backoffice.api.attempts import Answered, CannotTell, NotApplied, Refused
from bridge.backoffice.api.endpoints import PAGE_ARGUMENTS, SINCE, Endpoint, Kind
from bridge.backoffice.api.operation import Document, Renamed
from bridge.backoffice.api.paging import (
    ROWS_A_PAGE,
    Bounds,
    End,
    Page,
    Turn,
    Walk,
    read_page,
)
from bridge.backoffice.api.query_shape import (
    QueryShape,
    RootField,
    TypeShape,
    chosen_fields,
    read_roots,
    read_type,
    roots_query,
    rows_type,
    type_query,
    wanted_inside,
)
from bridge.backoffice.api.query_text import NOTHING_RENAMED, BadArgument, query
from bridge.backoffice.api.refusals import INVALID_REQUEST, PERMISSION_CODE
from bridge.backoffice.api.rows import Unreadable

T = TypeVar("T")

OBJECTS_MAX = 20
"""Fields with fields of their own that are looked into where everything is wanted."""

_Question = tuple[str, tuple[str, ...], bool]

_MORE = "hasMoreResults"
_LIMITED = "limitedByPermission"
_UNTIL = "until"


class Asker(Protocol):
    """Who sends a query; `BackOffice` is one."""

    async def ask(self, document: Document) -> Answered | NotApplied | Refused:
        """Send it, and return what came back. Changes nothing at the server."""


@dataclass(frozen=True, slots=True)
class _Wording:
    """How an endpoint is asked, as far as its names are known."""

    fields: str
    envelope: frozenset[str]


class Reader:
    """The query endpoints of one back office. Remembers what its schema shows."""

    def __init__(self, office: Asker, renamed: Renamed = NOTHING_RENAMED) -> None:
        """Ask `office`; nothing is sent yet.

        `renamed` is what the site says that the server calls otherwise: it is believed before the
        schema.
        """
        self._renamed = renamed
        self._office = office
        self._roots: Mapping[str, RootField] | None = None
        self._is_closed = False  # the server lets nobody read its schema
        self._shapes: dict[_Question, QueryShape | None] = {}
        self._plain: set[str] = set()  # endpoints that know the documented names only

    async def all(
        self,
        endpoint: Endpoint[T],
        where: Mapping[str, str] | None = None,
        *,
        bounds: Bounds | None = None,
    ) -> tuple[T, ...] | CannotTell:
        """Return every row, or why they cannot all be told."""
        rows: list[T] = []
        async for page in self.pages(endpoint, where, bounds=bounds):
            if isinstance(page, CannotTell):
                return page
            if page.limited:
                return CannotTell(f"the login may not see all of {endpoint.what}")
            rows += page.rows
        return tuple(rows)

    async def first(
        self, endpoint: Endpoint[T], where: Mapping[str, str] | None = None, *, first: int = 2
    ) -> Page[T] | CannotTell:
        """Return one page of at most `first` rows, without asking for more."""
        async with aclosing(self.pages(endpoint, where, first=first)) as pages:
            async for page in pages:
                return page
        return CannotTell(f"the back office shows nothing of {endpoint.what}")

    async def pages(
        self,
        endpoint: Endpoint[T],
        where: Mapping[str, str] | None = None,
        *,
        since: str | None = None,
        first: int = ROWS_A_PAGE,
        bounds: Bounds | None = None,
        everything: bool = False,
    ) -> AsyncGenerator[Page[T] | CannotTell, None]:
        """Yield page after page; a `CannotTell` is the last and says that more may be there.

        Without one everything that the server shows was read: `until` of the last page is where
        to go on. `since` begins there, "" at the beginning; None reads without marks. `first` is
        the size of a page. With `everything` the rows hold all that the schema shows, not what we
        know of it.
        """
        question = _question(endpoint, everything=everything)
        if self._shapes.get(question) is None:
            self._shapes.pop(question, None)  # it may only have been away the last time
        shape = await self.shape(endpoint, everything=everything)
        if isinstance(shape, CannotTell):
            yield shape
            return
        can_skip = _has_pages(endpoint, shape)
        walk = Walk[T](bounds or Bounds(), since=since, can_skip=can_skip, what=endpoint.what)
        turn: Turn | End | CannotTell = Turn(since)
        while isinstance(turn, Turn):
            found = await self._page(endpoint, where or {}, turn, first, everything=everything)
            if isinstance(found, CannotTell):
                yield found
                return
            page, body_bytes = found
            turn = walk.next(page, body_bytes)
            yield page
        if isinstance(turn, CannotTell):
            yield turn

    async def shape(
        self, endpoint: Endpoint[Any], *, everything: bool = False
    ) -> QueryShape | CannotTell | None:
        """Return what the schema shows of an endpoint; None where nobody may read it.

        CannotTell: the schema was read and the endpoint is not there. With `everything` it shows
        what is inside of every field, not only of those that we know.
        """
        if self._is_closed or self._is_renamed(endpoint.root):
            return None
        question = _question(endpoint, everything=everything)
        if question not in self._shapes:
            if not await self._learn_roots():
                return None
            assert self._roots is not None, "just learned"
            root = self._roots.get(endpoint.root)
            if root is None:
                return CannotTell(f"the back office has no query {endpoint.root}", INVALID_REQUEST)
            self._shapes[question] = await self._learn(endpoint, root, everything=everything)
        return self._shapes[question]

    async def has_since(self, endpoint: Endpoint[Any]) -> bool:
        """Tell whether an endpoint can be asked for what is newer than a mark."""
        shape = await self.shape(endpoint)
        if isinstance(shape, QueryShape):
            return SINCE in shape.arguments
        return endpoint.since

    async def arguments(self, endpoint: Endpoint[Any]) -> Collection[str]:
        """Return the arguments that an endpoint is known to have."""
        shape = await self.shape(endpoint)
        return tuple(shape.arguments if isinstance(shape, QueryShape) else endpoint.arguments)

    def forget(self) -> None:
        """Read the schema anew: it may have changed."""
        self._roots, self._is_closed = None, False
        self._shapes.clear()
        self._plain.clear()

    async def _learn_roots(self) -> bool:
        if self._roots is None:
            answer = await self._office.ask(roots_query())
            if isinstance(answer, Answered):
                self._roots = read_roots(answer.data)
            self._is_closed = isinstance(answer, Refused) or (
                isinstance(answer, Answered) and self._roots is None
            )
        return self._roots is not None

    async def _learn(
        self, endpoint: Endpoint[Any], root: RootField, *, everything: bool
    ) -> QueryShape | None:
        answer = await self._type(root.type_name)
        if answer is None:
            return None
        name = rows_type(root, answer, endpoint)
        row = answer if name == root.type_name else await self._type(name) if name else None
        if row is None:
            return None
        inside = {}
        wanted = tuple(row.objects)[:OBJECTS_MAX] if everything else wanted_inside(endpoint)
        for one in wanted:
            if one in row.objects:
                found = await self._type(row.objects[one])
                inside[one] = found or TypeShape()
        envelope = answer if endpoint.listed else TypeShape()
        return QueryShape(root.arguments, envelope, row, inside)

    async def _type(self, name: str) -> TypeShape | None:
        answer = await self._office.ask(type_query(name))
        return read_type(answer.data) if isinstance(answer, Answered) else None

    async def _page(
        self,
        endpoint: Endpoint[T],
        where: Mapping[str, str],
        turn: Turn,
        first: int,
        *,
        everything: bool,
    ) -> tuple[Page[T], int] | CannotTell:
        """Ask for one page; once more in other words where the server knows other names."""
        answer: Answered | NotApplied | Refused | None = None
        for _attempt in range(3):
            shape = await self.shape(endpoint, everything=everything)
            if isinstance(shape, CannotTell):
                return shape
            wording = self._wording(endpoint, shape, everything=everything)
            try:
                arguments = _arguments(endpoint, shape, where, turn)
                document = query(
                    endpoint,
                    arguments,
                    turn,
                    first=first if _has_pages(endpoint, shape) else None,
                    fields=wording.fields,
                    envelope=wording.envelope,
                    renamed=self._renamed,
                )
            except BadArgument as error:
                return CannotTell(str(error), INVALID_REQUEST)
            answer = await self._office.ask(document)
            if not isinstance(answer, Refused) or answer.code != INVALID_REQUEST:
                break
            if shape is not None:
                self.forget()  # its schema changed since it was read
            elif endpoint.root in self._plain:
                break
            else:
                self._plain.add(endpoint.root)
        assert answer is not None, "there was an attempt"
        if not isinstance(answer, Answered):
            return why_not(answer, endpoint)
        try:
            return read_page(endpoint, answer.data, turn.since), answer.body_bytes
        except Unreadable as error:
            return CannotTell(f"the back office's answer cannot be read: {error}")

    def _is_renamed(self, root: str) -> bool:
        return any(key == root or key.startswith((f"{root}(", f"{root}.")) for key in self._renamed)

    def _wording(
        self, endpoint: Endpoint[Any], shape: QueryShape | None, *, everything: bool
    ) -> _Wording:
        if shape is not None:
            fields = chosen_fields(endpoint, shape, everything=everything)
            return _Wording(fields, frozenset(shape.envelope.leaves))
        if endpoint.root in self._plain:
            return _Wording(" ".join(endpoint.documented), _documented_envelope(endpoint))
        fields = " ".join((*endpoint.documented, *endpoint.assumed))
        return _Wording(fields, _documented_envelope(endpoint))


def _question(endpoint: Endpoint[Any], *, everything: bool) -> _Question:
    return endpoint.root, wanted_inside(endpoint), everything


def _has_pages(endpoint: Endpoint[Any], shape: QueryShape | None) -> bool:
    return endpoint.pages if shape is None else set(PAGE_ARGUMENTS) <= set(shape.arguments)


def _arguments(
    endpoint: Endpoint[Any], shape: QueryShape | None, where: Mapping[str, str], turn: Turn
) -> dict[str, tuple[str, Kind]]:
    """Return the arguments with their kinds.

    Raises:
        BadArgument: The schema shows that there is no such argument.
    """
    known: Mapping[str, Kind] = endpoint.arguments if shape is None else shape.arguments
    unknown = sorted(set(where) - set(known)) if shape is not None else []
    if unknown:
        there = sorted(set(known) - {*PAGE_ARGUMENTS, SINCE})
        raise BadArgument(
            f"{endpoint.root} takes no argument {unknown[0]}; it takes {', '.join(there) or 'none'}"
        )
    if turn.since is not None and shape is not None and SINCE not in known:
        raise BadArgument(f"the back office's {endpoint.root} takes no since")
    return {name: (value, known.get(name, "text")) for name, value in where.items()}


def _documented_envelope(endpoint: Endpoint[Any]) -> frozenset[str]:
    """Return what is asked beside the rows of a server whose schema nobody may read."""
    found = {_MORE} if endpoint.pages else set()
    found |= {_UNTIL} if endpoint.since else set()
    found |= {_LIMITED} if endpoint.limits else set()
    return frozenset(found)


def why_not(answer: NotApplied | Refused, endpoint: Endpoint[Any]) -> CannotTell:
    """Return why a query told nothing, in words of ours."""
    if isinstance(answer, NotApplied):
        return CannotTell(answer.reason)
    text = f"the query {endpoint.root} is refused: {answer.code}"
    if answer.code == PERMISSION_CODE:
        needs = f": it needs the permission {endpoint.permission}" if endpoint.permission else ""
        text = f"the login may not see {endpoint.what}{needs}"
    elif answer.code == INVALID_REQUEST:
        text = f"the back office has no such {endpoint.root} as we know"
    return CannotTell(text, answer.code)

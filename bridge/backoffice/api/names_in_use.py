"""The API's names as they are used now: the settings' until the server itself shows others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bridge.backoffice.api.attempts import Answered, NotApplied, Refused
from bridge.backoffice.api.documents import hold_rehearsal
from bridge.backoffice.api.learned_names import names_query, read_names
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.api.operation import Document
from bridge.backoffice.api.refusals import INVALID_REQUEST, VALUE_TYPE_CODE

_LOGGER = logging.getLogger(__name__)

RELEARN_SECONDS = 10.0
"""A schema that does not fit is read again at most so often; purchases may fail by the dozen."""
NAMES_SECONDS = 3_600.0
"""A schema that fits is read again so often: a server may learn what it lacked."""

QUICK_SECONDS = 3.0
"""An answer that cannot be read comes sooner than one that does not come."""

Ask = Callable[[Document], Awaitable[Answered | NotApplied | Refused]]


class NamesInUse:
    """Keeps the names, and asks the server for them.

    Attributes:
        names: As they are used now.
        are_read: The server itself has shown that they are right, or what it lacks.
    """

    def __init__(self, given: ApiNames, ask: Ask) -> None:
        """Begin with the names `given` in the settings; `ask` sends a query."""
        self.names = given
        self.are_read = False
        self._given = given
        self._ask = ask
        self._learning = asyncio.Lock()
        self._asked_at: float | None = None  # by the loop's clock
        self._warned: tuple[str, ...] = ()

    async def learn(self) -> ApiNames:
        """Ask the server, and use from now on what it shows.

        What its schema does not show, a rehearsal does: the server compares a hold and its ends
        with its schema and carries nothing out. What neither shows stays as it is. What the server
        lacks is said in the log, once.
        """
        async with self._learning:
            self._asked_at = began = asyncio.get_running_loop().time()
            # What was learned before is the better guess, unless nothing came of it.
            names = self._given if self.names.missing else self.names
            answer, seconds = await self._ask(names_query()), 0.0
            schema = answer.data.get("__schema") if isinstance(answer, Answered) else None
            if isinstance(schema, dict):
                names = read_names(schema, self._given)
            elif isinstance(answer, NotApplied) and not answer.answered:
                seconds = asyncio.get_running_loop().time() - began
            # A whole schema may be too long an answer; but nobody waits twice for nobody.
            if seconds > QUICK_SECONDS:
                return self.names
            names, was_tried = await self._rehearse(names)
            if isinstance(schema, dict) or was_tried:
                self.names, self.are_read = names, True
                self._warn()
            return self.names

    async def refresh(self) -> None:
        """Learn the names where they are not known yet, or where that is an hour ago."""
        if not self._asked_within(NAMES_SECONDS if self.are_read else RELEARN_SECONDS):
            await self.learn()

    async def corrected(self, used: ApiNames) -> ApiNames:
        """Return the names to use after the server did not know one of those that were `used`."""
        if used is self.names and not self._asked_within(RELEARN_SECONDS):
            await self.learn()
        return self.names

    async def _rehearse(self, names: ApiNames) -> tuple[ApiNames, bool]:
        """Return the names, with what does not fit; and whether the server said anything."""
        if names.missing:
            return names, False  # nothing is held anyhow
        answer = await self._ask(hold_rehearsal(names))
        match answer:
            case Answered(data) if all(value is None for value in data.values()):
                return names, True
            case Refused(code, message) if code in {INVALID_REQUEST, VALUE_TYPE_CODE}:
                return replace(names, not_understood=(f"no hold can be made: {message}",)), True
            case _:
                return names, False

    def _asked_within(self, seconds: float) -> bool:
        now = asyncio.get_running_loop().time()
        return self._asked_at is not None and now - self._asked_at < seconds

    def _warn(self) -> None:
        if self.names.missing != self._warned:
            self._warned = self.names.missing
            for words in self._warned:
                _LOGGER.warning("gift cards: %s; without holds a card is used at once", words)

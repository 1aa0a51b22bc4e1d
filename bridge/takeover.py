"""What a person answers before a bridge goes on: for another bridge's base topic, for the journal.

Both have one command, `paybridge take-over`: who replaces a store PC meets both, one after the
other, and should be asked once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from bridge.errors import BusError, RequestError
from bridge.money.ledger import Ledger
from bridge.money.store.custody import Custody
from bridge.register.mqtt.authority import Authority
from bridge.register.mqtt.messages import Away

_LOGGER = logging.getLogger(__name__)


class Bus(Protocol):
    """What is asked of the broker's side."""

    @property
    def away(self) -> Away | None:
        """Why there is no connection, None while there is one."""

    @property
    def authority(self) -> Authority | None:
        """Who serves the base topic, as far as this bridge knows; None: nobody was asked."""

    async def is_other_alive(self) -> bool:
        """Ask the bridge behind which this one stands; raises BusError where none can be asked."""

    def take_over(self) -> None:
        """Serve the base topic from now on."""


class TakeOver:
    """Takes the answer. `again` is set when the service must begin anew because of it."""

    def __init__(self, custody: Custody, ledger: Ledger, bus: Bus) -> None:
        """Answer for these; nothing is done yet."""
        self._custody = custody
        self._ledger = ledger
        self._bus = bus
        self.again = asyncio.Event()
        self.by = ""  # who took the base topic over; answers for what its documents show, too

    def obstacles(self) -> list[str]:
        """Return why nothing begins, in words; [] when nothing is in the way."""
        found = []
        if self._custody.doubt is not None:
            found.append(self._custody.doubt.text)
        away = self._bus.away
        if away is not None and away.code == "standing_by":
            found.append(away.text)
        return found

    def warnings(self) -> list[str]:
        """Return what a person should see to, though payments go on."""
        authority = self._bus.authority
        if authority is None or authority.rival is None or authority.standing != "serving":
            return []
        return [f"another bridge, {authority.rival}, wanted to serve this base topic; it stands by"]

    async def take(self, by: str) -> list[str]:
        """Have the bridge go on, because `by` says so; return what stood in the way.

        Raises:
            RequestError: `not_allowed`: nothing is in the way, or the other bridge still answers.
            JournalError: It could not be stored.
        """
        found = self.obstacles()
        if not found:
            raise RequestError("not_allowed", "nothing is in the way of this bridge")
        authority = self._bus.authority
        if authority is not None and authority.behind is not None:
            await self._refuse_the_living(str(authority.behind))
            other = authority.behind
            await self._custody.note_authority(by, other.instance_id, other.bridge_id)
            _LOGGER.warning("base topic taken over from=%s by=%s", other, by)
            self._bus.take_over()
            self.by = by
        if self._custody.doubt is not None:
            await self.confirm(by)
        return found

    async def confirm(self, by: str) -> None:
        """Leave what is open to persons, and note that `by` answers for the rest.

        Killed in between, the doubt stands, and what was left to persons stays with them.

        Raises:
            JournalError: It could not be stored.
        """
        await self._ledger.mistrust()
        await self._custody.confirm(by)
        self.again.set()

    async def _refuse_the_living(self, other: str) -> None:
        try:
            alive = await self._bus.is_other_alive()
        except BusError as error:
            raise RequestError(
                "not_allowed", f"nobody can be asked whether {other} is alive: {error}"
            ) from None
        if alive:
            raise RequestError(
                "not_allowed", f"{other} still answers: stop that bridge for good first"
            )

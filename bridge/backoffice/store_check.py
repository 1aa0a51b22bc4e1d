"""Looks whether the back office knows this store and takes purchases at all, before the first sale.

It asks at the start, again until it was answered, and then now and then: what is wrong is corrected
at either end while we run. It changes nothing and decides nothing; people are told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.environment import ENVIRONMENT, Environment
from bridge.backoffice.api.locations import NotShown, Shown
from bridge.backoffice.api.reader import Reader

_LOGGER = logging.getLogger(__name__)

AGAIN_SECONDS = 6 * 3600.0
"""Between two looks once all was well; a store's code changes once in years."""

WRONG_AGAIN_SECONDS = 300.0
"""Between two looks while something is wrong: somebody is at it."""

PAUSES_SECONDS = (30.0, 60.0, 120.0, 300.0, 600.0)
"""Between looks that told nothing: the back office is away, or shows us no locations."""

STORES_NAMED_MAX = 5


class Stores(Protocol):
    """Who knows the stores; `BackOffice` is one."""

    async def find_store(self, store_code: str) -> Shown | NotShown | CannotTell:
        """Say whether the back office shows this store among its locations."""


class StoreCheck:
    """The look at the back office's end of the configuration."""

    def __init__(self, stores: Stores, reader: Reader, store_code: str) -> None:
        """Look for `store_code`; nothing is asked yet."""
        self._stores = stores
        self._reader = reader
        self._store_code = store_code
        self._store: Shown | NotShown | CannotTell = CannotTell("nobody has asked yet")
        self._environment: Environment | None = None
        self._told: list[str] = []

    def warnings(self) -> Sequence[str]:
        """Return what will keep purchases out of the books; () while nothing is known to."""
        return [
            text
            for text in (
                store_warning(self._store_code, self._store),
                edition_warning(self._environment),
            )
            if text
        ]

    async def run(self) -> None:
        """Look for ever."""
        open_looks = 0
        while True:
            await self.look()
            if self.warnings():
                pause = WRONG_AGAIN_SECONDS
            elif isinstance(self._store, CannotTell):
                pause = PAUSES_SECONDS[min(open_looks, len(PAUSES_SECONDS) - 1)]
                open_looks += 1
            else:
                pause, open_looks = AGAIN_SECONDS, 0
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Ask once, and log what is new; an answer that tells nothing leaves what was known."""
        store = await self._stores.find_store(self._store_code)
        if not isinstance(store, CannotTell) or isinstance(self._store, CannotTell):
            self._store = store
        found = await self._reader.all(ENVIRONMENT)
        if not isinstance(found, CannotTell) and found:
            self._environment = found[0]
        told = list(self.warnings())
        for text in told:
            if text not in self._told:
                _LOGGER.warning("back office: %s", text)
        if self._told and not told:
            _LOGGER.info("back office: the store code and the edition are right now")
        self._told = told


def store_warning(store_code: str, found: Shown | NotShown | CannotTell) -> str:
    """Return what is wrong with the store code, "" while nothing is known to be."""
    match found:
        case Shown(location) if location.code != store_code:
            return (
                f"the back office writes the store code {location.code}, the configuration "
                f"{store_code}: purchases may be rejected; write site.store_code so, too"
            )
        case NotShown(others):
            shown = ", ".join(one.code for one in others[:STORES_NAMED_MAX])
            more = ", …" if len(others) > STORES_NAMED_MAX else ""
            return (
                f"the back office has no store {store_code} (site.store_code) and may reject every "
                f"purchase; it shows {shown}{more}"
            )
        case _:
            return ""


def edition_warning(environment: Environment | None) -> str:
    """Return what the edition lacks, "" while nothing is known to be wrong.

    Source: POS_API.md, "Added in November 2026": purchaseAdd is in the editions Cloud and
    Corporate.
    """
    if environment is None or environment.takes_purchases is not False:
        return ""
    return (
        f"the back office is the edition {environment.edition}, and purchases are taken by Cloud "
        "and Corporate only: sales may not get into the books"
    )

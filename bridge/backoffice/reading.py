"""What the bridge reads of the back office beside its payments: built together, started together.

Nothing here moves money, and no payment waits for any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.backoffice.api.operation import Renamed
from bridge.backoffice.api.reader import Asker, Reader
from bridge.backoffice.inquiries import WORKERS, OfficeInquiries
from bridge.backoffice.item_copy.copy import ItemCopy
from bridge.backoffice.item_copy.sync import ItemSync, SyncSettings
from bridge.backoffice.sale_facts import Check, SaleFacts
from bridge.backoffice.store_check import StoreCheck, Stores


class Office(Asker, Stores, Protocol):
    """Who is asked; `BackOffice` is one."""


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """What the configuration wants read.

    Attributes:
        store_code: Looked for at the start; "" where nothing is recorded.
        sync: How the copy of items is kept; None for no copy.
        check: What is done with a sale whose SKUs the copy does not have.
        renamed: What the site says that the server calls otherwise.
    """

    store_code: str
    sync: SyncSettings | None
    check: Check
    renamed: Renamed


@dataclass(frozen=True, slots=True)
class OfficeReading:
    """The tasks that only read; None for what the configuration has switched off."""

    store_check: StoreCheck | None
    item_sync: ItemSync | None
    facts: SaleFacts
    inquiries: OfficeInquiries

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is to run for as long as the service does."""
        tasks = [one.run() for one in (self.store_check, self.item_sync) if one is not None]
        return [*tasks, *(self.inquiries.run() for _ in range(WORKERS))]

    def warnings(self) -> Sequence[str]:
        """Return what a person should see to, for health."""
        parts = (self.store_check, self.item_sync, self.facts)
        return [text for one in parts if one is not None for text in one.warnings()]


def build_reading(
    settings: ReadingSettings,
    office: Office,
    copy: ItemCopy | None,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
    answered: Callable[[], None],
) -> OfficeReading:
    """Return the parts, not running yet.

    `copy` is None where there is none, `now` the wall clock in UTC, `monotonic` one that nobody
    sets back; `answered` is called for every answer to a register's question.
    """
    reader = Reader(office, settings.renamed)
    sync = None
    if copy is not None and settings.sync is not None:
        sync = ItemSync(copy, reader, settings.sync, now)
    facts = SaleFacts(copy if sync else None, sync, settings.check, monotonic)
    inquiries = OfficeInquiries(
        reader, facts, now, copy=copy if sync else None, sync=sync, answered=answered
    )
    facts.members = inquiries
    store_check = None
    if settings.store_code:
        store_check = StoreCheck(office, reader, settings.store_code)
    return OfficeReading(store_check, sync, facts, inquiries)

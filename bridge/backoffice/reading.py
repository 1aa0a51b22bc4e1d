"""What the bridge reads of the back office beside its payments: built together, started together.

Nothing here moves money, and no payment waits for any of it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.backoffice.store_check import StoreCheck


@dataclass(frozen=True, slots=True)
class OfficeReading:
    """The tasks that only read; None for what the configuration has switched off."""

    store_check: StoreCheck | None

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is to run for as long as the service does."""
        return [one.run() for one in (self.store_check,) if one is not None]

    def warnings(self) -> Sequence[str]:
        """Return what a person should see to, for health."""
        return [*(self.store_check.warnings() if self.store_check else ())]

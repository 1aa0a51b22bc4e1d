"""What the back office says of itself: version and edition. Pure.

Only the name of the query is documented; what its fields are called is assumed, or read from the
schema. Source: POS_API.md, "Reading" and "Added in November 2026" (editions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row

_NAMES = ("name", "tenant", "tenantName")
_VERSIONS = ("version", "productVersion", "apiVersion")
_EDITIONS = ("edition", "productEdition", "license")
_EDITIONS_OF_THE_API = {"cloud", "corporate"}
_EDITION_WITHOUT = {"store"}
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Environment:
    """The server and its edition; "" for what it does not say."""

    name: str
    version: str
    edition: str

    @property
    def takes_purchases(self) -> bool | None:
        """Whether `purchaseAdd` is in this edition; None when its name tells nothing."""
        words = set(_WORD.findall(self.edition.casefold())) - {"edition"}
        if words & _EDITIONS_OF_THE_API:
            return True
        return False if words == _EDITION_WITHOUT else None


def _read(row: Row) -> Environment:
    return Environment(_first(row, _NAMES), _first(row, _VERSIONS), _first(row, _EDITIONS))


def _first(row: Row, names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := row.text(name))), "")


ENVIRONMENT = Endpoint(
    root="environment",
    what="its environment",
    read=_read,
    assumed=("name", "version", "edition"),
    also=(*_NAMES, *_VERSIONS, *_EDITIONS),
    pages=False,
    listed=False,
)

"""Whether the back office shows a store code among its locations. Pure.

Only the name of the query is documented; its shape is assumed, and what does not answer so tells
nothing. Source: POS_API.md, "Reading".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.backoffice.api.attempts import CannotTell, NotApplied, Refused
from bridge.backoffice.api.documents import LOCATION_FIELD
from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.refusals import INVALID_REQUEST

LOCATION_PAGES_MAX = 100
"""Pages read; with 20 rows a page, as careful servers cap them, the stores of a large chain."""

WORD_CHARS_MAX = 60
"""Of a code or a name that is shown to a person; real ones are shorter."""


@dataclass(frozen=True, slots=True)
class Location:
    """One store as the back office shows it; a part that it does not show is ""."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class LocationPage:
    """One answer.

    Attributes:
        has_more: False on the last page; None when the server does not say.
        is_limited: The server says that permissions hide rows.
    """

    locations: tuple[Location, ...]
    has_more: bool | None
    is_limited: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """The back office has this store; its `location` may spell the code in another way."""

    location: Location


@dataclass(frozen=True, slots=True)
class NotShown:
    """All locations were read, and the store is not among them; there is at least one other."""

    others: tuple[Location, ...]


LOCATION = Endpoint(
    root=LOCATION_FIELD,
    what="locations",
    read=lambda row: Location(row.code("code"), row.text("name")),
    assumed=("code", "name"),
    arguments={"code": "text"},
)


def read_page(data: Mapping[str, Any]) -> LocationPage | None:
    """Return the locations in the data of an answer, None when there is no list of them."""
    found = data.get(LOCATION_FIELD)
    if not isinstance(found, dict) or not isinstance(found.get("results"), list):
        return None
    rows = [row if isinstance(row, dict) else {} for row in found["results"]]
    more = found.get("hasMoreResults")
    return LocationPage(
        tuple(Location(_word(row.get("code")), _word(row.get("name"))) for row in rows),
        more if isinstance(more, bool) else None,
        found.get("limitedByPermission") is True,
    )


def find(store_code: str, pages: Sequence[LocationPage]) -> Shown | NotShown | CannotTell:
    """Return what the pages, read one after the other from the first, say of `store_code`.

    It is not there only if the last page was read, nothing is hidden, and others are shown: no
    location at all is what a login sees that may see none.
    """
    locations = [one for page in pages for one in page.locations]
    same = [one for one in locations if one.code == store_code]
    alike = [one for one in locations if one.code.casefold() == store_code.strip().casefold()]
    for one in same or alike:
        return Shown(one)
    if any(page.is_limited for page in pages) or not all(one.code for one in locations):
        return CannotTell("the login may not see all locations")
    if not locations:
        return CannotTell("the back office shows this login no locations")
    if pages[-1].has_more is not False:
        return CannotTell("the back office does not show the end of its list of locations")
    return NotShown(tuple(locations))


def why_not(answer: NotApplied | Refused) -> CannotTell:
    """Return why a query for locations told nothing, in words of ours."""
    if isinstance(answer, NotApplied):
        return CannotTell(answer.reason)
    if answer.code == "NOT_AUTHORIZED":
        return CannotTell("the login may not see locations")
    if answer.code == INVALID_REQUEST:
        return CannotTell("the back office has no such list of locations as we know")
    return CannotTell(f"the query for locations is refused: {answer.code}")


def _word(value: object) -> str:
    """Return a code or a name as it may be printed: a terminal obeys control characters."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return "".join(one for one in str(value) if one.isprintable()).strip()[:WORD_CHARS_MAX]

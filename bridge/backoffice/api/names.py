"""The names in the back office's API that no published example shows. Pure.

Everything guessed about the API stands here, so that one look at a real server's schema
(`learned_names.py`), or a site's settings, corrects it in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PURCHASE_FIELD = "purchaseAdd"
TRANS_FIELD = "giftcardTransAdd"
CAPTURE_FIELD = "giftcardTransCapture"
GIFT_CARD_FIELD = "giftcard"
GIFT_CARD_ADD_FIELD = "giftcardAdd"
GIFT_CARD_EDIT_FIELD = "giftcardEdit"

CAPTURE_SHOWS = ("id", "balance", "giftcardId")
"""What the answer to a capture is taken to show, as that to `giftcardTransAdd` does."""


@dataclass(frozen=True, slots=True)
class ApiNames:
    """Names of arguments; "" means that the server is known to have no such argument.

    Attributes:
        authorize_flag: Boolean of `giftcardTransAdd` that asks for a hold instead of a final use.
        capture_argument: The one argument of `giftcardTransCapture`; "": what it would hold are
            arguments themselves.
        capture_id: What of it names the hold.
        capture_amount: What captures another amount than was held.
        capture_cancel: The boolean that releases the hold instead.
        capture_shows: What of `CAPTURE_SHOWS` its answer shows.
        id_is_number: A hold is named by a number, not by text.
        always: Flags that must be sent, be they true or false.
        not_understood: What the server wants for a hold that we cannot give, in words of ours.
        renamed: What else the server calls otherwise than documented; `operation.py` has the keys.
    """

    authorize_flag: str = "authorizeOnly"
    capture_argument: str = "trans"
    capture_id: str = "id"
    capture_amount: str = "amount"
    capture_cancel: str = "cancel"
    capture_shows: tuple[str, ...] = CAPTURE_SHOWS
    id_is_number: bool = False
    always: frozenset[str] = frozenset()
    not_understood: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Why no hold can be made and ended there, in words; () when one can, as far as we know."""
        if self.not_understood:
            return self.not_understood
        wanted = (
            (self.authorize_flag, f"{TRANS_FIELD} has no flag that asks for a hold"),
            (self.capture_id, f"{CAPTURE_FIELD} has no argument that names a hold"),
            (self.capture_cancel, f"{CAPTURE_FIELD} has no argument that releases a hold"),
        )
        return tuple(words for name, words in wanted if not name)


def rows_of(owner: object, key: str) -> list[dict[str, Any]]:
    """Return the objects of a list in an introspection answer, whatever else it may hold."""
    rows = owner.get(key) if isinstance(owner, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

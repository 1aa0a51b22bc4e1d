"""The names in the back office's API that no published example shows. Pure.

Everything guessed about the API stands here, so that one look at a real server's schema, or one
introspection, corrects it in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PURCHASE_FIELD = "purchaseAdd"
TRANS_FIELD = "giftcardTransAdd"
CAPTURE_FIELD = "giftcardTransCapture"
GIFT_CARD_FIELD = "giftcard"
GIFT_CARD_ADD_FIELD = "giftcardAdd"
GIFT_CARD_EDIT_FIELD = "giftcardEdit"


@dataclass(frozen=True, slots=True)
class ApiNames:
    """Names of arguments; "" means that the server is known to have no such argument.

    Attributes:
        authorize_flag: Boolean of `giftcardTransAdd` that asks for a hold instead of a final use.
        capture_id: Argument of `giftcardTransCapture` that names the hold.
        capture_amount: Its argument for capturing another amount than was held.
        capture_cancel: Its boolean that releases the hold instead.
        renamed: What else the server calls otherwise than documented; `operation.py` has the keys.
    """

    authorize_flag: str = "authorizeOnly"
    capture_id: str = "id"
    capture_amount: str = "amount"
    capture_cancel: str = "cancel"
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the server is known not to offer, in words; () when a hold can be made and ended."""
        wanted = (
            (self.authorize_flag, f"{TRANS_FIELD} has no flag that asks for a hold"),
            (self.capture_id, f"{CAPTURE_FIELD} has no argument that names a hold"),
            (self.capture_cancel, f"{CAPTURE_FIELD} has no argument that releases a hold"),
        )
        return tuple(words for name, words in wanted if not name)


def read_names(schema: Mapping[str, Any], known: ApiNames) -> ApiNames:
    """Return `known` as corrected by what an introspection answer shows.

    `schema` is the value of `__schema` as `documents.names_query` asks for it; a part it does not
    show leaves the known name.
    """
    mutations = rows_of(schema.get("mutationType"), "fields")
    trans = _argument_type(mutations, TRANS_FIELD, "trans")
    capture = _argument_type(mutations, CAPTURE_FIELD, "trans")
    return replace(
        known,
        authorize_flag=_choose(trans, known.authorize_flag, ("authoriz", "authoris")),
        capture_id=_choose(capture, known.capture_id, ("transid", "transactionid")),
        capture_amount=_choose(capture, known.capture_amount, ("amount",)),
        capture_cancel=_choose(capture, known.capture_cancel, ("cancel", "void", "release")),
    )


def _choose(kind: Mapping[str, Any], known: str, parts: tuple[str, ...]) -> str:
    """Return the input field of `kind` that is called as known, or else contains a part."""
    names = [_name(row) for row in rows_of(kind, "inputFields")]
    if not names or known in names:
        return known
    return next((name for name in names if any(part in name.lower() for part in parts)), "")


def _argument_type(fields: list[dict[str, Any]], name: str, argument: str) -> dict[str, Any]:
    """Return the named type, without its non-null wrapping, of one argument; {} if not shown."""
    for row in fields:
        for part in rows_of(row, "args") if row.get("name") == name else []:
            kind = part.get("type")
            if part.get("name") == argument and isinstance(kind, dict):
                inner = kind.get("ofType")
                return inner if isinstance(inner, dict) else kind
    return {}


def _name(row: Mapping[str, Any]) -> str:
    name = row.get("name")
    return name if isinstance(name, str) else ""


def rows_of(owner: object, key: str) -> list[dict[str, Any]]:
    """Return the objects of a list in an introspection answer, whatever else it may hold."""
    rows = owner.get(key) if isinstance(owner, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

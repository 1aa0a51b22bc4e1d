"""What a site may say that its server calls otherwise: every name that we use. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache

from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardTransaction,
    Purchase,
    PurchaseLine,
    TransType,
    gift_card_add,
    gift_card_balance,
    gift_card_trans_add,
    gift_card_trans_capture,
    locations,
    purchase_add,
)
from bridge.backoffice.api.literals import is_name
from bridge.backoffice.api.names import CAPTURE_FIELD, ApiNames
from bridge.backoffice.api.operation import Document

ESSENTIAL = frozenset(
    {
        "purchaseAdd(add)",
        "purchaseAdd(add.transactionId)",
        "purchaseAdd(add.storeCode)",
        "purchaseAdd(add.payAmount)",
        "purchaseAdd.id",
        "giftcardTransAdd(trans)",
        "giftcardTransAdd(trans.code)",
        "giftcardTransAdd(trans.amount)",
        "giftcardTransAdd(trans.transType)",
        "giftcardTransAdd.id",
        "giftcardTransCapture.id",
        "giftcard(code)",
        "giftcard.results",
        "giftcard.results.balance",
        "giftcardAdd(giftcard)",
        "giftcardAdd(giftcard.physicalCode)",
        "giftcardAdd.id",
        "location.results",
        "location.results.code",
    }
)
"""What cannot be left out: without it the operation would be another one, or its answer unreadable.
"""


class BadName(Exception):
    """A name that cannot be used; the words say which."""


@cache
def known_keys() -> frozenset[str]:
    """Return every key of `ApiNames.renamed` that some operation of ours looks up.

    The parts of a hold's end are none: they have settings of their own, and are learned.
    """
    keys = frozenset[str]().union(*(one.keys for one in _samples()))
    return frozenset(key for key in keys if not key.startswith(f"{CAPTURE_FIELD}("))


def check(renamed: Mapping[str, str]) -> None:
    """Return if these names can be used.

    Raises:
        BadName: A key is that of no name that we use, a name is none that GraphQL allows, or
            something is left out that an operation cannot do without.
    """
    for key, name in renamed.items():
        if key not in known_keys():
            close = difflib.get_close_matches(key, known_keys(), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise BadName(f"we use no name {key}{hint}")
        if name and not is_name(name):
            raise BadName(f"{key}: GraphQL allows no such name")
        if not name and key in ESSENTIAL:
            raise BadName(f"{key} cannot be left out")


def _samples() -> Iterator[Document]:
    """Yield every operation with all that it may hold."""
    names = ApiNames()
    line = PurchaseLine(1, "x", False, "0", "0", "0", "0", "1", "x")
    amounts = ("0",) * 6
    more = ("x",) * 4
    yield purchase_add(Purchase("x", "x", "x", *amounts, (line,), *more), names)
    for kind in CodeType:
        yield gift_card_balance("x", kind, names)
    for act in TransType:
        use = GiftCardTransaction(CodeType.PHYSICAL, "x", act, "0", "x", "x", "x")
        yield gift_card_trans_add(use, names)
    yield gift_card_trans_capture(GiftCardCapture("x", "0", cancel=True), names)
    yield gift_card_add("x", "x", names)
    yield locations(0, names, limits=True)

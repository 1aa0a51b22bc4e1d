"""Root fields of the back office's schema for one caller: permissions first, then the state."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from simulators.back_office import terminal_payments
from simulators.back_office.catalogue_queries import catalogue_queries
from simulators.back_office.records import (
    ApiError,
    CodeType,
    GiftCard,
    GiftCardTrans,
    Json,
    TransType,
    validation,
)
from simulators.back_office.state import BackOfficeState

TILL_PERMISSIONS = frozenset(
    {
        "AddPurchase",
        "FindGiftCardByCode",
        "GiftCardTransAdd",
        "GiftCardTransUse",
        "UsePhysicalGiftCardCodes",
    }
)
"""What a bridge on a store PC should have been granted, and no more."""

ALL_PERMISSIONS = TILL_PERMISSIONS | {
    "CreateGiftCard",
    "EditGiftCard",
    "GiftCardTransAdjust",
    "GiftCardTransExternal",
    "GiftCardTransImport",
    "ListGiftCards",
    *terminal_payments.PERMISSIONS.values(),
    "UseExternalGiftCardCodes",
    "ViewCustomers",
    "ViewInventory",
    "ViewLocations",
    "ViewSales",
    "ViewUnmaskedGiftCardCodes",
}
"""Every permission this simulator looks at."""

LOCATIONS_A_PAGE_MAX = 20
"""Rows of one answer, whatever is asked for: real servers cap the size of a page."""

_VISIBLE_DIGITS = 4
"""Characters a masked gift card code still shows."""


def permissions_from(names: Collection[str]) -> frozenset[str]:
    """Return the permissions named.

    Raises:
        ValueError: One of them is not known.
    """
    unknown = set(names) - ALL_PERMISSIONS
    if unknown:
        raise ValueError(f"unknown permission {sorted(unknown)[0]}")
    return frozenset(names)


class Resolvers:
    """Root fields by name, for one caller's permissions."""

    def __init__(self, state: BackOfficeState, permissions: Collection[str]) -> None:
        self._state = state
        self._permissions = permissions

    def roots(self) -> dict[str, Callable[..., object]]:
        """Return the resolver of every root field, queries and mutations alike."""
        return {
            **catalogue_queries(self._state.catalogue, self._require),
            "giftcard": self._giftcard,
            "location": self._location,
            "giftcardAdd": self._giftcard_add,
            "giftcardEdit": self._giftcard_edit,
            "giftcardTransAdd": self._giftcard_trans_add,
            "giftcardTransCapture": self._giftcard_trans_capture,
            "purchaseAdd": self._purchase_add,
            "purchase": self._purchase,
            "terminalPayment": self._terminal_payment,
            "terminalPayments": self._terminal_payments,
        }

    def _require(self, permission: str) -> None:
        if permission not in self._permissions:
            raise ApiError("NOT_AUTHORIZED", f"permission {permission} is missing")

    def _location(
        self, _info: object, *, code: str | None = None, first: int | None = None, skip: int = 0
    ) -> Json:
        self._require("ViewLocations")
        found = [
            {"code": one, "name": f"Store {one}"}
            for one in sorted(self._state.stores)
            if code in (None, one)
        ]
        most = LOCATIONS_A_PAGE_MAX if first is None else min(first, LOCATIONS_A_PAGE_MAX)
        page = found[skip : skip + most]
        return {
            "hasMoreResults": skip + len(page) < len(found),
            "limitedByPermission": False,
            "results": page,
            "until": "",
        }

    def _purchase_add(self, _info: object, add: Json) -> Json:
        self._require("AddPurchase")
        return {"id": self._state.purchase_add(add).id}

    def _purchase(
        self, _info: object, *, id: str | None = None, transactionId: str | None = None
    ) -> Json:
        found = [
            one
            for one in self._state.purchases.values()
            if id in (None, one.id) and transactionId in (None, one.transaction_id)
        ]
        rows = [
            {
                "id": one.id,
                "transactionId": one.transaction_id,
                "storeCode": one.store_code,
                "payAmount": one.pay_amount,
            }
            for one in found
        ]
        return {"limitedByPermission": False, "results": rows}

    def _giftcard_trans_add(self, _info: object, trans: Json) -> Json:
        trans_type = TransType(trans["transType"])
        self._require(f"GiftCardTrans{trans_type.value.capitalize()}")
        kind = CodeType(trans["codeType"]) if trans.get("codeType") else None
        self._require_kind(kind or self._kind_of(trans["code"]))
        added, card = self._state.gift_card_trans_add(
            code=trans["code"],
            trans_type=trans_type,
            amount=trans["amount"],
            code_type=kind,
            pin=trans.get("pin"),
            source_id=trans.get("sourceId") or "",
            ref_no=trans.get("refNo") or "",
            authorize_only=bool(trans.get("authorizeOnly")),
        )
        return _trans_json(added, card)

    def _giftcard_trans_capture(self, _info: object, trans: Json) -> Json:
        held = self._state.transactions.get(trans["id"])
        if held is not None:
            self._require(f"GiftCardTrans{held.trans_type.value.capitalize()}")
        captured, card = self._state.gift_card_trans_capture(
            trans["id"], amount=trans.get("amount"), cancel=bool(trans.get("cancel"))
        )
        return _trans_json(captured, card)

    def _giftcard_add(self, _info: object, giftcard: Json) -> Json:
        self._require("CreateGiftCard")
        card = self._state.gift_card_add(
            code=giftcard.get("physicalCode"),
            pin=giftcard.get("physicalPin"),
            member_id=giftcard.get("memberId"),
            expires_on=_aware(giftcard.get("physicalExpiresOn")),
        )
        return self._card_json(self._with_codes(card, giftcard))

    def _terminal_payments(
        self, _info: object, *, refNo: str | None = None, first: int | None = None
    ) -> Json:
        may_see = "MakeSaleTerminalPayment" in self._permissions
        return self._state.terminals.find(refNo, may_see=may_see)

    def _terminal_payment(self, _info: object) -> Json:
        return terminal_payments.resolver(self._state.terminals, self._require)

    def _giftcard_edit(self, _info: object, giftcard: Json) -> Json:
        self._require("EditGiftCard")
        card = self._state.gift_cards.get(giftcard["id"])
        if card is None:
            raise validation("id", "NotFound", "gift card is not known")
        if giftcard.get("memberId"):
            card = self._state.gift_card_set_member(card.id, giftcard["memberId"])
        for kind in CodeType:
            if giftcard.get(f"revoke{kind.value.capitalize()}Code"):
                card = self._state.gift_card_set_code(card.id, kind, None)
        if giftcard.get("physicalCode"):
            card = self._state.gift_card_set_code(
                card.id,
                CodeType.PHYSICAL,
                giftcard["physicalCode"],
                pin=giftcard.get("physicalPin"),
            )
        return self._card_json(self._with_codes(card, giftcard))

    def _with_codes(self, card: GiftCard, giftcard: Json) -> GiftCard:
        if giftcard.get("addPersonalCode"):
            if card.member_id is None:
                raise validation("memberId", "Required", "a personal code needs a member")
            card = self._state.gift_card_set_code(
                card.id, CodeType.PERSONAL, f"{card.member_id}-{card.id}"
            )
        if giftcard.get("externalCode"):
            card = self._state.gift_card_set_code(
                card.id, CodeType.EXTERNAL, giftcard["externalCode"]
            )
        return card

    def _giftcard(
        self,
        _info: object,
        *,
        code: str | None = None,
        codeType: str | None = None,
        id: str | None = None,
        memberId: str | None = None,
        first: int | None = None,
        skip: int = 0,
    ) -> Json:
        cards: list[GiftCard] = []
        limited = False
        if code is not None:
            self._require("FindGiftCardByCode")
            kind = CodeType(codeType) if codeType else None
            found = self._state.find_gift_card(code, kind)
            limited = not self._may_use(kind or self._kind_of(code))
            cards = [found] if found is not None and not limited else []
        elif "ListGiftCards" in self._permissions:
            cards = [
                card
                for card in self._state.gift_cards.values()
                if id in (None, card.id) and memberId in (None, card.member_id)
            ]
        else:
            limited = True
        page = cards[skip : None if first is None else skip + first]
        return {
            "limitedByPermission": limited,
            "results": [self._card_json(card) for card in page],
            "hasMoreResults": skip + len(page) < len(cards),
            "until": "",
        }

    def _kind_of(self, code: str) -> CodeType:
        """Return the kind of a code that came without one; unknown codes count as physical."""
        card = self._state.find_gift_card(code)
        kinds = [c.code_type for c in card.codes if c.code == code] if card else []
        return kinds[0] if kinds else CodeType.PHYSICAL

    def _may_use(self, kind: CodeType) -> bool:
        return (
            kind is CodeType.PERSONAL
            or f"Use{kind.value.capitalize()}GiftCardCodes" in self._permissions
        )

    def _require_kind(self, kind: CodeType) -> None:
        if not self._may_use(kind):
            self._require(f"Use{kind.value.capitalize()}GiftCardCodes")

    def _card_json(self, card: GiftCard) -> Json:
        plain = "ViewUnmaskedGiftCardCodes" in self._permissions
        codes = [
            {
                "id": code.id,
                "codeType": code.code_type.value,
                "code": code.code if plain else "*" * 4 + code.code[-_VISIBLE_DIGITS:],
                "expiresOn": code.expires_on,
                "isMasked": not plain,
            }
            for code in card.codes
        ]
        return {
            "id": card.id,
            "memberId": card.member_id,
            "balance": card.balance,
            "codes": codes,
        }


def _trans_json(trans: GiftCardTrans, card: GiftCard) -> Json:
    return {
        "id": trans.id,
        "balance": card.balance,
        "giftcardId": card.id,
        "status": trans.status.value,
    }


def _aware(moment: datetime | None) -> datetime | None:
    """Return the moment in UTC, which is assumed of input without an offset."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)

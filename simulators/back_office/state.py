"""What the simulated back office knows: purchases, gift cards, and a ledger of every effect.

Pure: no network, no clock of its own. A virtual-time world calls `purchase_add` and the others
directly; `backoffice_graphql.py` calls the same methods for a request over HTTP. Purchases are
never checked for duplicates, because the real server does not check either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from simulators.back_office.catalogue import Catalogue
from simulators.back_office.records import (
    ApiError,
    CodeType,
    GiftCard,
    GiftCardCode,
    GiftCardTrans,
    Json,
    Purchase,
    TransStatus,
    TransType,
    validation,
)
from simulators.back_office.terminal_payments import PosServerTerminals

Row = TypeVar("Row")


class BackOfficeState:
    """Everything the back office would still know after a restart, and the ledger of it.

    Every method that changes something either has its whole effect, with one ledger line per
    effect, or raises `ApiError` and changes nothing.

    Args:
        clock: Wall clock, aware and in UTC; stamps the ledger and decides expiry.
        ledger_path: JSON lines appended and synced to disk effect by effect; None keeps the
            ledger in memory only.
        stores: Store codes the back office knows; empty accepts any.

    Attributes:
        ends_are_idempotent: A hold that was ended may be ended again in the same way; the answer
            is as the first time, without an effect. The documentation does not say.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ledger_path: Path | None = None,
        stores: frozenset[str] = frozenset(),
    ) -> None:
        self.clock = clock
        self.stores = stores
        self.catalogue = Catalogue()
        self.terminals = PosServerTerminals(self._note, self._next_id)
        self.ends_are_idempotent = False
        self.purchases: dict[str, Purchase] = {}
        self.gift_cards: dict[str, GiftCard] = {}
        self.transactions: dict[str, GiftCardTrans] = {}
        self.ledger: list[Json] = []
        self._ledger_path = ledger_path
        self._last_seq, self._last_number = _last_line_of(ledger_path)
        self._staged: list[Json] | None = None
        self._undo: list[Callable[[], None]] = []

    @contextmanager
    def transaction(self, *, lose: bool = False) -> Iterator[None]:
        """Make the effects of the block one unit, which is undone when it raises.

        Args:
            lose: Undo the unit even if all went well, as a server does that answers before it
                commits and then fails to commit. The ledger then says `commit_lost`.
        """
        assert self._staged is None, "transactions do not nest"
        self._staged, self._undo = [], []
        keep = False
        try:
            yield
            keep = not lose
        finally:
            staged, self._staged = self._staged, None
            if keep:
                self._write(staged)
            else:
                while self._undo:
                    self._undo.pop()()
                lost = [
                    {**line, "effect": "commit_lost", "lost": line["effect"]} for line in staged
                ]
                self._write(lost if lose else [])
            self._undo = []

    def purchase_add(self, add: Mapping[str, Any]) -> Purchase:
        """Store one purchase, also when its transactionId is already known.

        Args:
            add: The input with the schema's own field names; amounts as Decimal or text.

        Raises:
            ApiError: VALIDATION, naming the property at fault.
        """
        for name in ("transactionId", "storeCode"):
            if not str(add[name]).strip():
                raise validation(name, "Required", f"{name} is required")
        if self.stores and add["storeCode"] not in self.stores:
            raise validation("storeCode", "NotFound", "store is not known")
        if not add["lineItems"]:
            raise validation("lineItems", "Required", "a purchase needs at least one line")
        numbers = [line["lineNumber"] for line in add["lineItems"]]
        if len(set(numbers)) != len(numbers):
            raise validation("lineItems.lineNumber", "Unique", "line numbers repeat")
        purchase = Purchase(
            id=self._next_id("P"),
            transaction_id=str(add["transactionId"]),
            store_code=str(add["storeCode"]),
            pay_amount=Decimal(add["payAmount"]),
            request=_plain(add),
        )
        self._put(self.purchases, purchase.id, purchase)
        self._note(
            "purchase_added",
            id=purchase.id,
            transactionId=purchase.transaction_id,
            storeCode=purchase.store_code,
            payAmount=str(purchase.pay_amount),
            request=purchase.request,
        )
        return purchase

    def purchases_of(self, transaction_id: str) -> tuple[Purchase, ...]:
        """Return what a person sees who filters the purchases page by Trans #."""
        return tuple(p for p in self.purchases.values() if p.transaction_id == transaction_id)

    def gift_card_add(
        self,
        *,
        code: str | None = None,
        pin: str | None = None,
        balance: Decimal = Decimal(0),
        code_type: CodeType = CodeType.PHYSICAL,
        member_id: str | None = None,
        expires_on: datetime | None = None,
    ) -> GiftCard:
        """Create a card; the API itself always creates it empty, tests may fund it at once.

        Raises:
            ApiError: VALIDATION when the code exists within its kind.
        """
        card = GiftCard(self._next_id("G"), balance, (), member_id)
        codes: tuple[GiftCardCode, ...] = ()
        if code is not None:
            codes = (self._new_code(code_type, code, pin, expires_on),)
        card = replace(card, codes=codes)
        self._put(self.gift_cards, card.id, card)
        self._note("gift_card_added", giftcardId=card.id, balance=str(balance))
        return card

    def gift_card_set_code(
        self,
        card_id: str,
        code_type: CodeType,
        code: str | None,
        *,
        pin: str | None = None,
        expires_on: datetime | None = None,
    ) -> GiftCard:
        """Replace the card's code of one kind; None revokes it."""
        card = self._card(card_id)
        codes = tuple(c for c in card.codes if c.code_type is not code_type)
        if code is not None:
            codes += (self._new_code(code_type, code, pin, expires_on),)
        card = replace(card, codes=codes)
        self._put(self.gift_cards, card.id, card)
        self._note("gift_card_codes_changed", giftcardId=card.id, codeType=code_type.value)
        return card

    def gift_card_set_member(self, card_id: str, member_id: str) -> GiftCard:
        """Give an unowned card its member.

        Raises:
            ApiError: VALIDATION when the card already belongs to another member.
        """
        card = self._card(card_id)
        if card.member_id not in (None, member_id):
            raise validation("memberId", "ReadOnly", "the owner of a card cannot change")
        card = replace(card, member_id=member_id)
        self._put(self.gift_cards, card.id, card)
        self._note("gift_card_member_changed", giftcardId=card.id, memberId=member_id)
        return card

    def find_gift_card(self, code: str, code_type: CodeType | None = None) -> GiftCard | None:
        """Return the card that carries the code, None when there is none.

        Raises:
            ApiError: VALIDATION when no kind was named and several cards carry the code.
        """
        found = [
            card
            for card in self.gift_cards.values()
            for c in card.codes
            if c.code == code and code_type in (None, c.code_type)
        ]
        if len(found) > 1:
            raise validation("codeType", "Required", "several cards carry this code")
        return found[0] if found else None

    def gift_card_trans_add(
        self,
        *,
        code: str,
        trans_type: TransType,
        amount: Decimal,
        code_type: CodeType | None = None,
        pin: str | None = None,
        source_id: str = "",
        ref_no: str = "",
        authorize_only: bool = False,
    ) -> tuple[GiftCardTrans, GiftCard]:
        """Move or hold an amount; refNo is not checked for duplicates.

        An authorized withdrawal lowers the balance at once, an authorized deposit raises it
        only when captured. That a withdrawal beyond the balance is VALIDATION is assumed.

        Raises:
            ApiError: VALIDATION, naming the property at fault.
        """
        card = self._chargeable(code, code_type, pin)
        if amount == 0 or (trans_type is TransType.ADD and amount < 0):
            raise validation("amount", "Range", "amount has the wrong sign")
        if trans_type is TransType.USE and amount > 0:
            raise validation("amount", "Range", "amount has the wrong sign")
        if card.balance + amount < 0:
            raise validation("amount", "InsufficientFunds", "the card holds less than that")
        status = TransStatus.AUTHORIZED if authorize_only else TransStatus.COMPLETED
        trans = GiftCardTrans(
            self._next_id("T"), card.id, trans_type, amount, status, source_id, ref_no
        )
        if amount < 0 or not authorize_only:
            card = replace(card, balance=card.balance + amount)
        self._store(trans, card, "gift_card_trans_added")
        return trans, card

    def gift_card_trans_capture(
        self, trans_id: str, *, amount: Decimal | None = None, cancel: bool = False
    ) -> tuple[GiftCardTrans, GiftCard]:
        """Complete or release a hold; what a partial capture leaves goes back to the card.

        Raises:
            ApiError: VALIDATION for an unknown id or an amount beyond the hold; FUSION_ERROR
                when the transaction is already completed or cancelled (assumed).
        """
        trans = self.transactions.get(trans_id)
        if trans is None:
            raise validation("id", "NotFound", "transaction is not known")
        ended_so = TransStatus.CANCELLED if cancel else TransStatus.COMPLETED
        if self.ends_are_idempotent and trans.status is ended_so:
            return trans, self._card(trans.gift_card_id)
        if trans.status is not TransStatus.AUTHORIZED:
            raise ApiError("FUSION_ERROR", f"transaction is already {trans.status.value.lower()}")
        final = trans.amount if amount is None else amount
        if final == 0 or final * trans.amount < 0 or abs(final) > abs(trans.amount):
            raise validation("amount", "Range", "amount is not within what was authorized")
        card = self._card(trans.gift_card_id)
        held = min(trans.amount, Decimal(0))
        if cancel:
            trans = replace(trans, status=TransStatus.CANCELLED)
            card = replace(card, balance=card.balance - held)
        else:
            trans = replace(trans, status=TransStatus.COMPLETED, amount=final)
            card = replace(card, balance=card.balance - held + final)
        self._store(
            trans, card, "gift_card_trans_cancelled" if cancel else "gift_card_trans_captured"
        )
        return trans, card

    def _store(self, trans: GiftCardTrans, card: GiftCard, effect: str) -> None:
        self._put(self.transactions, trans.id, trans)
        self._put(self.gift_cards, card.id, card)
        self._note(
            effect,
            id=trans.id,
            giftcardId=card.id,
            transType=trans.trans_type.value,
            status=trans.status.value,
            amount=str(trans.amount),
            balance=str(card.balance),
            sourceId=trans.source_id,
            refNo=trans.ref_no,
        )

    def _card(self, card_id: str) -> GiftCard:
        card = self.gift_cards.get(card_id)
        if card is None:
            raise validation("id", "NotFound", "gift card is not known")
        return card

    def _chargeable(self, code: str, code_type: CodeType | None, pin: str | None) -> GiftCard:
        card = self.find_gift_card(code, code_type)
        if card is None:
            raise validation("code", "NotFound", "gift card is not known")
        found = next(c for c in card.codes if c.code == code and code_type in (None, c.code_type))
        if found.pin is not None and found.pin != pin:
            raise validation("pin", "Invalid", "pin does not match")
        if found.expires_on is not None and found.expires_on <= self.clock():
            raise validation("code", "Expired", "code has expired")
        return card

    def _new_code(
        self, code_type: CodeType, code: str, pin: str | None, expires_on: datetime | None
    ) -> GiftCardCode:
        if self.find_gift_card(code, code_type) is not None:
            raise validation(f"{code_type.value.lower()}Code", "Unique", "code is already in use")
        return GiftCardCode(self._next_id("C"), code_type, code, pin, expires_on)

    def _next_id(self, prefix: str) -> str:
        self._last_number += 1
        return f"{prefix}{self._last_number}"

    def _put(self, table: dict[str, Row], key: str, value: Row) -> None:
        """Set one row and remember how to take that back."""
        if key in table:
            old = table[key]
            self._undo.append(lambda: table.update({key: old}))
        else:
            self._undo.append(lambda: table.__delitem__(key))
        table[key] = value

    def _note(self, effect: str, **facts: object) -> None:
        line: Json = {"at": self.clock().isoformat(), "effect": effect, **facts}
        line["last_number"] = self._last_number
        if self._staged is None:
            self._write([line])
            self._undo.clear()
        else:
            self._staged.append(line)

    def _write(self, lines: list[Json]) -> None:
        for line in lines:
            self._last_seq += 1
            line["seq"] = self._last_seq
            self.ledger.append(line)
        if self._ledger_path is None or not lines:
            return
        with self._ledger_path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())


def _last_line_of(path: Path | None) -> tuple[int, int]:
    """Return where lines and ids go on, so that two runs with one ledger never share an id."""
    if path is None or not path.exists():
        return 0, 0
    lines = path.read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1]) if lines else {"seq": 0, "last_number": 0}
    return int(last["seq"]), int(last["last_number"])


def _plain(value: Any) -> Any:
    """Return the value with JSON types only; money stays text and is never a float."""
    match value:
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value

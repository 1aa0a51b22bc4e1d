"""Answers registers' questions about items and members, beside the payments and never before them.

A question has a deadline and a place in a bounded line. Items are answered from the copy where that
is whole and fresh, else by the back office, and by the copy whatever its age where nobody else
answers. What nobody can tell is told so, and never as *there is none*. Of a member, nothing but the
ids is logged or kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.customers import CUSTOMER, Customer
from bridge.backoffice.api.gift_card_rows import GIFT_CARD
from bridge.backoffice.api.items import BARCODES, STOCKED_ITEM, StockedItem
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.item_copy.copy import ItemCopy
from bridge.backoffice.item_copy.sync import ItemSync
from bridge.backoffice.sale_facts import SaleFacts
from bridge.errors import RequestError
from bridge.money.lookup import (
    FoundItem,
    FoundItems,
    FoundMember,
    FoundMembers,
    ItemQuestion,
    MemberQuestion,
    Question,
    Stock,
)

Found = TypeVar("Found")

_LOGGER = logging.getLogger(__name__)

WORKERS = 4
"""Questions that are asked at once; more would take the back office's time from the bookings."""

WAITING_MAX = 50
"""Over all registers; who hammers is refused."""

QUESTION_SECONDS = 2.5
"""From the question to its answer; a register expects one within 3 s."""

ROWS_MAX = 5
"""Items with one barcode, or members with one mail address, that are told."""

STOCK_MAX = 200
"""Warehouses of one item that are told."""

TOLD = ("item", "itemWarehouse")
"""What an answer about an item is made of."""

Answer = FoundItems | FoundMembers | RequestError


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A question; `name` is "" where a sale asks and nobody waits for the answer."""

    name: str
    question: Question
    until: float


class OfficeInquiries:
    """The questions, and who asks the back office."""

    def __init__(
        self,
        reader: Reader,
        facts: SaleFacts,
        now: Callable[[], datetime],
        *,
        copy: ItemCopy | None = None,
        sync: ItemSync | None = None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask `reader`, or `copy` where there is one; call `answered` for every answer."""
        self._reader = reader
        self._facts = facts
        self._now = now
        self._copy = copy
        self._sync = sync
        self._answered = answered
        self._waiting: deque[_Waiting] = deque()
        self._wanted = asyncio.Event()
        self.answers: dict[str, Answer] = {}
        """What came of the questions, by name; who asked takes it out."""

    def ask(self, name: str, question: Question) -> None:
        """Find it out and put it into `answers` under `name`.

        Raises:
            RequestError: `queue_full`.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise RequestError("queue_full", "too many questions to the back office are waiting")
        self._put(name, question)

    def look_up_member(self, question: MemberQuestion) -> bool:
        """Have a sale's member looked up; False where the line is too long for that."""
        is_asked = any(one.question == question for one in self._waiting)
        if is_asked or len(self._waiting) >= WAITING_MAX // 2:
            return is_asked
        self._put("", question)
        return True

    def _put(self, name: str, question: Question) -> None:
        until = asyncio.get_running_loop().time() + QUESTION_SECONDS
        self._waiting.append(_Waiting(name, question, until))
        self._wanted.set()

    async def run(self) -> None:
        """Answer for ever; several of these run at once."""
        while True:
            while not self._waiting:
                self._wanted.clear()
                await self._wanted.wait()
            one = self._waiting.popleft()
            answer = await self._answer(one)
            if one.name:
                self.answers[one.name] = answer
                self._answered()

    async def _answer(self, one: _Waiting) -> Answer:
        match one.question:
            case ItemQuestion() as question:
                return await self._item(question, one.until)
            case MemberQuestion() as question:
                return await self._member(question, one.until, was_sold=not one.name)

    # --- items

    async def _item(self, question: ItemQuestion, until: float) -> FoundItems | RequestError:
        copied = await self._copied(question)
        is_fresh = self._sync is not None and not self._sync.is_any_stale(TOLD)
        if copied is not None and copied.items and is_fresh and not question.fresh:
            return copied
        found = await self._in_time(self._asked_item(question), until)
        if isinstance(found, CannotTell):
            if copied is not None and copied.items:
                return copied
            return _cannot_tell(found)
        if not found.items:
            return RequestError("item_not_found", "the back office shows no such item")
        return found

    async def _copied(self, question: ItemQuestion) -> FoundItems | None:
        if self._copy is None or not self._copy.of("item").as_of:
            return None
        found = await self._copy.find(sku=question.sku, barcode=question.barcode)
        if found is None:
            return None
        as_of = datetime.fromisoformat(self._copy.of("item").as_of)
        stock = self._copy.of("itemWarehouse").as_of
        if self._sync is None or not self._sync.copies("itemWarehouse") or not stock:
            # What was copied once and is kept no more has no age that anybody could tell.
            return FoundItems(tuple(replace(one, stock=()) for one in found), "copy", as_of)
        return FoundItems(found, "copy", min(as_of, datetime.fromisoformat(stock)))

    async def _asked_item(self, question: ItemQuestion) -> FoundItems | CannotTell:
        argument, wanted = "sku", question.sku
        if question.barcode:
            names = await self._reader.arguments(STOCKED_ITEM)
            argument = next((name for name in BARCODES if name in names), "")
            wanted = question.barcode
            if not argument:
                return CannotTell("the back office cannot be asked by barcode", "INVALID_REQUEST")
        asked_at = self._now()
        found = await self._reader.first(STOCKED_ITEM, {argument: wanted}, first=ROWS_MAX)
        if isinstance(found, CannotTell):
            return found
        rows = [row for row in found.rows if _is_called(row, question)]
        if found.rows and not rows:
            return CannotTell("the back office answers with other items than were asked for")
        if not rows and found.limited:
            return CannotTell("the login may not see all items")
        return FoundItems(tuple(_item_of(row) for row in rows[:ROWS_MAX]), "office", asked_at)

    # --- members

    async def _member(
        self, question: MemberQuestion, until: float, *, was_sold: bool
    ) -> FoundMembers | RequestError:
        found = await self._in_time(self._asked_member(question), until)
        if isinstance(found, CannotTell):
            if was_sold:
                _LOGGER.info("a sale's member could not be looked up: %s", found.reason)
            return _cannot_tell(found)
        for one in found.members:
            if one.member_id:
                self._facts.note_member(one.member_id, is_there=True, was_sold=was_sold)
        if not found.members:
            if question.member_id:
                self._facts.note_member(question.member_id, is_there=False, was_sold=was_sold)
            return RequestError("member_not_found", "the back office shows no such member")
        return found

    async def _asked_member(self, question: MemberQuestion) -> FoundMembers | CannotTell:
        member_id = question.member_id
        if question.card:
            owner = await self._owner(question)
            if isinstance(owner, CannotTell) or not owner:
                return owner if isinstance(owner, CannotTell) else FoundMembers(())
            member_id = owner
        where = {"email": question.email}
        if member_id:
            where = {"memberId": member_id}
        elif question.customer_id:
            where = {"id": question.customer_id}
        found = await self._reader.first(CUSTOMER, where, first=ROWS_MAX + 1)
        if isinstance(found, CannotTell):
            return found
        if not found.rows and found.limited:
            return CannotTell("the login may not see all customers: it needs ViewCustomers")
        asked = MemberQuestion(member_id, question.customer_id, question.email)
        rows = [row for row in found.rows if _is_member(row, asked)]
        if found.rows and not rows:
            return CannotTell("the back office answers with other members than were asked for")
        unproven = any(not row.email for row in rows) and not (member_id or question.customer_id)
        if len(rows) > ROWS_MAX or (unproven and (len(rows) > 1 or found.more)):
            return CannotTell("the back office shows too many members to tell which one is meant")
        return FoundMembers(tuple(_member_of(row) for row in rows))

    async def _owner(self, question: MemberQuestion) -> str | CannotTell:
        """Return the member that a card belongs to, "" for none."""
        where = {"code": question.card, "codeType": question.code_type}
        found = await self._reader.first(GIFT_CARD, where)
        if isinstance(found, CannotTell):
            return found
        if len(found.rows) > 1:
            return CannotTell("the back office shows several cards with this code")
        if not found.rows:
            return CannotTell("the login may not see this card") if found.limited else ""
        return found.rows[0].member_id

    async def _in_time(self, work: Awaitable[Found], until: float) -> Found | CannotTell:
        try:
            async with asyncio.timeout_at(until):
                return await work
        except TimeoutError:
            return CannotTell("the back office does not answer in time")


def _cannot_tell(why: CannotTell) -> RequestError:
    code = "feature_disabled" if why.code else "back_office_unreachable"
    return RequestError(code, f"cannot tell: {why.reason}")


def _is_called(row: StockedItem, question: ItemQuestion) -> bool:
    if question.sku:
        return row.item.sku.casefold() == question.sku.strip().casefold()
    return row.item.barcode in {"", question.barcode.strip()}


def _is_member(row: Customer, asked: MemberQuestion) -> bool:
    if asked.member_id:
        return row.member_id.casefold() == asked.member_id.strip().casefold()
    if asked.customer_id:
        return row.id == asked.customer_id.strip()
    return not row.email or row.email.casefold() == asked.email.strip().casefold()


def _item_of(row: StockedItem) -> FoundItem:
    item = row.item
    return FoundItem(
        sku=item.sku,
        label=item.name,
        long_label=item.long_name,
        unit_of_measure=item.sale_uom,
        barcode=item.barcode,
        stock=tuple(Stock(one.warehouse, one.price, one.quantity) for one in row.stock[:STOCK_MAX]),
    )


def _member_of(row: Customer) -> FoundMember:
    return FoundMember(row.member_id, row.id, row.status, row.full_name)

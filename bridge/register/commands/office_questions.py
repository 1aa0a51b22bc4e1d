"""Questions to the back office (`office/…`): they wait for it, and delay nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.errors import RequestError
from bridge.money.lookup import (
    FoundItem,
    FoundItems,
    FoundMembers,
    ItemQuestion,
    MemberQuestion,
    Question,
)
from bridge.register import api as k
from bridge.register.commands.payment_request import gift_card_code
from bridge.register.mqtt.messages import Delivery

AnyOfficeRequest = k.OfficeItem | k.OfficeCustomer


class Inquiries(Protocol):
    """Who asks the back office."""

    @property
    def answers(self) -> dict[str, FoundItems | FoundMembers | RequestError]:
        """What came of the questions, by name."""

    def ask(self, name: str, question: Question) -> None:
        """Find it out and put it into `answers`; raises RequestError when too many wait."""


@dataclass(frozen=True, slots=True)
class OfficeQuestion:
    """An `office/…` command that waits."""

    register_id: str
    delivery: Delivery
    request: AnyOfficeRequest


class OfficeQuestions:
    """The questions that are not answered yet."""

    def __init__(
        self, inquiries: Inquiries | None, now: Callable[[], datetime], *, warehouse: str = ""
    ) -> None:
        """Ask `inquiries`, None where there is no back office; `now` is the wall clock in UTC.

        An item's price and quantity are those of `warehouse`, "" where the store names none.
        """
        self._inquiries = inquiries
        self._now = now
        self._warehouse = warehouse
        self._waiting: dict[str, OfficeQuestion] = {}
        self._numbers = 0

    def begin(self, question: OfficeQuestion) -> None:
        """Ask; `finished` returns the answer.

        Raises:
            RequestError: `invalid_request`, `operation_not_supported` or `queue_full`.
        """
        asked = _question(question.request)
        if self._inquiries is None:
            raise RequestError(
                "operation_not_supported", "this needs a back office, and none is configured"
            )
        self._numbers += 1
        name = str(self._numbers)
        self._inquiries.ask(name, asked)
        self._waiting[name] = question

    def finished(self) -> list[tuple[OfficeQuestion, k.Wire | RequestError]]:
        """Return the questions that were answered since the last call."""
        answers = self._inquiries.answers if self._inquiries is not None else {}
        found: list[tuple[OfficeQuestion, k.Wire | RequestError]] = []
        for name in [one for one in self._waiting if one in answers]:
            question, answer = self._waiting.pop(name), answers.pop(name)
            match answer:
                case FoundItems():
                    found.append((question, self._items(answer)))
                case FoundMembers():
                    found.append((question, _members(answer)))
                case RequestError():
                    found.append((question, answer))
        return found

    def _items(self, found: FoundItems) -> k.OfficeItemResult:
        age = (self._now() - found.as_of).total_seconds()
        return k.OfficeItemResult(
            items=tuple(_item(one, self._warehouse) for one in found.items),
            source=found.source,
            as_of=found.as_of,
            age_s=max(int(age), 0),
        )


def _question(request: AnyOfficeRequest) -> Question:
    """Return what is asked.

    Raises:
        RequestError: `invalid_request`: not exactly one thing is said to find it by.
    """
    if isinstance(request, k.OfficeItem):
        if (request.sku is None) == (request.barcode is None):
            raise RequestError("invalid_request", "say either sku or barcode", path="sku")
        return ItemQuestion(request.sku or "", request.barcode or "", request.fresh)
    said = (request.member_id, request.customer_id, request.email, request.gift_card)
    if sum(one is not None for one in said) != 1:
        text = "say one of member_id, customer_id, email and gift_card"
        raise RequestError("invalid_request", text, path="member_id")
    if request.gift_card is not None:
        code = gift_card_code(request.gift_card)
        return MemberQuestion(card=code.code, code_type=code.kind)
    return MemberQuestion(request.member_id or "", request.customer_id or "", request.email or "")


def _item(found: FoundItem, warehouse: str) -> k.FoundOfficeItem:
    ours = found.stock_of(warehouse)
    return k.FoundOfficeItem(
        sku=found.sku,
        label=found.label,
        long_label=found.long_label or None,
        unit_of_measure=found.unit_of_measure or None,
        barcode=found.barcode or None,
        price=(ours.price or None) if ours else None,
        quantity=(ours.quantity or None) if ours else None,
        stock=tuple(
            k.OfficeStock(
                warehouse=one.warehouse or None,
                price=one.price or None,
                quantity=one.quantity or None,
            )
            for one in found.stock
        ),
    )


def _members(found: FoundMembers) -> k.OfficeCustomerResult:
    return k.OfficeCustomerResult(
        members=tuple(
            k.OfficeMember(
                member_id=one.member_id or None,
                customer_id=one.customer_id or None,
                status=one.status or None,
                full_name=one.full_name or None,
            )
            for one in found.members
        )
    )

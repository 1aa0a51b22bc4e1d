"""A clock that stands wrong: no register is blamed for ours, and no document is lost by it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.payment import Started
from bridge.register import api as k
from bridge.register.commands.expiry import refuse_unfresh
from bridge.register.mqtt.messages import Delivery
from drivers.contract import Approved, Baseline
from tests.component.money.test_ledger import Disk, approval, disk, executor, request
from tests.component.register.test_queue import SLOW_FIRST
from tests.support.shop import NOON, Shop, in_a_shop, payment_id

__all__ = ["disk", "executor"]  # fixtures

START = k.PaymentStart.model_validate(
    {
        "request_id": "r-1",
        "payment_id": payment_id(1),
        "amounts": {"currency": "EUR", "requested_amount": "1.00"},
        "expires_at": k.format_time(NOON),
    }
)
LIVE = Delivery("paybridge/v1/registers/till-1/request/payment/start", b"")


def test_a_clock_that_is_set_forward_takes_no_document_away(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        await shop.ask("till-1", "payment/cancel", payment_id=payment_id(1))
        await shop.until("till-1", 1, status="canceled")
        shop.ahead = timedelta(days=3)
        await asyncio.sleep(120)
        assert shop.document("till-1", 1)["status"] == "canceled"
        await asyncio.sleep(25 * 3_600)  # a day later it is old by any clock
        assert shop.document("till-1", 1) == {}

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_our_own_wrong_clock_is_never_blamed_on_a_register(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        shop.ahead = timedelta(days=-400)
        answer = await shop.pay("till-1", 1, expires_at=k.format_time(NOON + timedelta(minutes=5)))
        assert answer["status"] == "accepted", json.dumps(answer)

    in_a_shop(tmp_path, test)


def test_by_a_doubtful_clock_an_expiry_neither_expires_nor_proves_anything() -> None:
    late = NOON + timedelta(days=400)
    refuse_unfresh(START, LIVE, "e1", late, clock_is_doubtful=True)
    with pytest.raises(RequestError) as refused:
        refuse_unfresh(START, replace(LIVE, live=False), "e1", late, clock_is_doubtful=True)
    assert refused.value.code == "stale_command"
    with pytest.raises(RequestError) as skewed:
        refuse_unfresh(START, LIVE, "e1", late)
    assert skewed.value.code == "clock_skew"
    assert "register" not in str(skewed.value), "one of the two clocks is wrong; nobody knows which"


@pytest.mark.parametrize(
    ("time_text", "server", "expected"),
    [
        ("2026-11-23T13:00:05", "2026-11-23T13:00:09", ("2026-11-23T13:00:05", "terminal")),
        ("13:00", "2026-11-23T13:00:09", ("2026-11-23T13:00:09", "server")),
        ("", "", ("1970-01-01T01:00:00", "doubtful_clock")),
    ],
)
async def test_a_booking_has_the_terminals_or_the_servers_date_where_our_clock_is_wrong(
    disk: Disk, time_text: str, server: str, expected: tuple[str, str]
) -> None:
    ledger = Ledger(
        disk.journal(),
        books=BooksPolicy("S012"),
        now=lambda: "1970-01-01T00:00:00.000Z",
        local_now=lambda: "1970-01-01T01:00:00",
        clock_is_doubtful=lambda: True,
        server_local_now=lambda: server,
    )
    wanted = request(1, "S1")
    await ledger.accept(wanted, Started(Baseline("")))
    said = replace(approval(4790, "T1/1"), time_text=time_text)
    await ledger.apply(wanted.payment_id, Approved(said))
    purchase = ledger.payments.purchase_of(wanted.payment_id)
    assert purchase is not None
    content = purchase.purchase.content
    assert (content.purchased_on, content.date_from) == expected
    again = await disk.reborn()
    kept = again.payments.purchase_of(wanted.payment_id)
    assert kept is not None
    assert kept.purchase.content == content, "the mark is journaled"

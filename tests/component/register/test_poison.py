"""No terminal's words and no broker's whims keep the bridge from telling what it knows."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import BusError
from bridge.money import payment as p
from bridge.money.payment.machine import advance
from bridge.money.store.records import HistoryLine, PaymentRecord
from bridge.register import api as k
from bridge.register.publishing.document_retention import DOCUMENTS_PER_REGISTER_MAX, to_retire
from bridge.register.publishing.payment_document import payment_document
from bridge.register.receipts.receipt_documents import receipt_documents
from bridge.register.receipts.receipt_text import ReceiptStyle
from drivers import contract as c
from simulators.broker import Message
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id
from tests.unit.money.payment.test_machine import REQUEST, STATES
from tests.unit.register.receipts.test_receipt_text import TAKEN, VISA

AT = "2026-11-23T12:00:00.000Z"
STRANGE = c.Money(4790, "XTS")  # the code that ISO 4217 keeps for tests


# --- what a terminal may say


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(
    "approval",
    [
        replace(TAKEN, card=replace(VISA, masked_pan=c.MaskedPan("424242******4242"))),
        replace(TAKEN, card=replace(VISA, masked_pan=c.MaskedPan("XXXX XXXX 4242"))),
        replace(TAKEN, amount=STRANGE, tip=None),
        replace(TAKEN, tip=STRANGE),
        replace(TAKEN, surcharge=STRANGE),
        replace(TAKEN, amount=c.Money(10**18, "EUR")),
        replace(TAKEN, terminal_id="9" * 500, time_text="no time\x00"),
    ],
    ids=["six and four", "letters", "amount", "tip", "surcharge", "huge", "garbage"],
)
def test_whatever_a_terminal_says_of_an_approval_can_be_published(
    approval: c.Approval, language: str
) -> None:
    request = replace(REQUEST, language=language)
    payment, _ = advance(p.Payment(request, p.Status.IN_PROGRESS), c.Approved(approval))
    account = PaymentRecord(payment, 3, 3, AT, AT, (HistoryLine("approved", "", AT),))
    document = payment_document(
        account,
        remaining=c.Money(0, "EUR"),
        purchase=None,
        terminal_name="Counter 1",
        topics=TOPICS,
    )
    said = k.encode(document).decode()
    for receipt in receipt_documents(account, ReceiptStyle()).values():
        said += k.encode(receipt).decode()
    assert "424242" not in said.replace("4242424242424242", "")


# --- what a broker may refuse


def test_a_register_that_may_not_be_told_does_not_silence_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(shop: Shop) -> None:
        shop.broker.send(
            Message(
                TOPICS.request("till-1", "payment/start"),
                b'{"request_id": "r", "payment_id": "%s", "amounts": '
                b'{"currency": "EUR", "requested_amount": "1.00"}}' % payment_id(1).encode(),
            )
        )
        async with asyncio.timeout(60):
            while shop.charged() != [100]:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.until("till-2", 2, status="approved")
        await asyncio.sleep(60)
        topic = TOPICS.payment("till-1", payment_id(1))
        assert sum(topic in one.message for one in caplog.records) == 1, "told once"

    in_a_shop(tmp_path, test, Plans(forgotten=TOPICS.register("till-1")))


# --- what a register may leave undone


def settled(number: int, *, acknowledged: bool = False, at: str = AT) -> PaymentRecord:
    request = replace(REQUEST, payment_id=payment_id(number))
    payment = p.Payment(
        request,
        p.Status.APPROVED,
        p.Funds.CAPTURED,
        p.Recording.RECORDED,
        approval=TAKEN,
        acknowledged=acknowledged,
    )
    return PaymentRecord(payment, 3, 3, at, at, (HistoryLine("approved", "", at),))


def test_a_register_that_never_acknowledges_keeps_its_last_documents() -> None:
    accounts = [
        settled(number, at=f"2026-11-23T12:{number // 60:02d}:{number % 60:02d}.000Z")
        for number in range(DOCUMENTS_PER_REGISTER_MAX + 3)
    ]
    gone = [one.payment_id for one in to_retire(accounts, oldest_kept="2026-11-23T00:00:00.000Z")]
    assert gone == [payment_id(0), payment_id(1), payment_id(2)]


def test_what_is_open_is_never_removed_however_old() -> None:
    doubtful = replace(settled(1), payment=STATES["in_doubt"])
    unbooked = replace(settled(2), payment=STATES["approved"])
    accounts = [doubtful, unbooked, settled(3), settled(4, acknowledged=True)]
    kept = {one.payment_id for one in to_retire(accounts, oldest_kept="")}
    assert kept == {payment_id(4)}
    aged = {one.payment_id for one in to_retire(accounts, oldest_kept="2027")}
    assert aged == {payment_id(3), payment_id(4)}


def test_a_receipt_of_an_earlier_life_does_not_stay_beside_the_terminals_own(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(1)
        stale = TOPICS.receipt("till-1", payment_id(1), "administration")
        shop.broker.send(Message(stale, b"{}", retain=True))
        await asyncio.sleep(1)
        assert shop.broker.retained[stale].payload == b"{}"
        later = asyncio.get_running_loop().create_task(shop.new_publisher().run())
        await asyncio.sleep(5)
        later.cancel()
        assert stale not in shop.broker.retained or not shop.broker.retained[stale].payload
        kept = TOPICS.receipt("till-1", payment_id(1), "customer")
        assert shop.broker.retained[kept].payload

    in_a_shop(tmp_path, test)


# --- what a broker will never take


class Choking:
    """A broker that hangs up over one topic, without a word, whenever it is published."""

    def __init__(self, shop: Shop, topic: str) -> None:
        self._shop = shop
        self._topic = topic
        self.tried = 0

    async def publish(self, topic: str, payload: bytes, **more: Any) -> None:
        if topic == self._topic:
            self.tried += 1
            self._shop.broker.cut()
            raise BusError("the connection broke")
        await self._shop.bus.publish(topic, payload, **more)


def test_a_message_that_breaks_every_connection_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(shop: Shop) -> None:
        topic = TOPICS.payment("till-1", payment_id(1))
        choking = Choking(shop, topic)
        shop.publisher._bus = choking
        await shop.pay("till-1", 1)
        await asyncio.sleep(60)
        assert "left out" in caplog.text
        assert topic in caplog.text
        tried = choking.tried
        await shop.pay("till-2", 2)
        await shop.until("till-2", 2, status="approved")
        await asyncio.sleep(60)
        assert choking.tried == tried, "the same message again would break the connection again"

    in_a_shop(tmp_path, test)


def test_what_is_no_json_is_named_by_its_bytes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(shop: Shop) -> None:
        caplog.set_level(logging.INFO)
        broken = b'{"pan": "4444333322221111", '
        shop.broker.send(Message(TOPICS.request("till-1", "payment/start"), broken))
        shop.broker.send(Message(TOPICS.register_state("till-1"), b"\x00offline"))
        await asyncio.sleep(1)
        assert 'bytes=\'{"pan": "****************"' in caplog.text
        assert "00 6f 66 66" in caplog.text
        assert "4444333322221111" not in caplog.text


@pytest.mark.parametrize(
    "open_still",
    [
        {"recording": p.Recording.PENDING},
        {"recording": p.Recording.UNCONFIRMED},
        {"recording": p.Recording.REJECTED},
        {"discrepancies": (p.Discrepancy("more_than_asked", "a cent", TAKEN),)},
    ],
)
def test_an_acknowledged_document_stays_until_nothing_is_left_to_do(
    open_still: dict[str, Any],
) -> None:
    known = settled(1, acknowledged=True)
    unsettled = replace(known, payment=replace(known.payment, **open_still))
    assert list(to_retire([unsettled], oldest_kept="2027")) == []
    assert [one.payment_id for one in to_retire([known], oldest_kept="")] == [payment_id(1)]


def test_an_acknowledged_payment_that_is_not_booked_keeps_its_document(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, status="approved")
        seen = {"payment_id": payment_id(1), "rev": document["rev"]}
        assert (await shop.ask("till-1", "payment/acknowledge", **seen))["status"] == "ok"
        await asyncio.sleep(90)
        assert shop.document("till-1", 1)["recording"]["status"] == "pending"

    in_a_shop(tmp_path, test)

"""Old receipts and personal data are forgotten; the payment and its money never are."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.background.retention import Retention
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_for_reading
from bridge.money.store.records import PaymentRecord
from bridge.register.api import format_time
from drivers.contract import Approval, Approved, Baseline, Card, MaskedPan, Money, Receipt
from tests.support.till import EUR, Till, after, open_till, pay

DAY = "2026-11-23T12:00:00.000Z"  # when the till's clock begins


MEMBER, CODE, SECRET = "member-4711", "6396210000004711", "thanks dear Mr Miller"


LINES = s.SaleDetails(Money(5000, EUR), (s.SaleLine(1, "WINE", "1", "each", "", 5000),), 0)
AS_SAID = {name: f"said-as-{name}" for name in p.AS_SAID}
PERSONAL = pay(
    1,
    5000,
    sale=replace(LINES, member_id=MEMBER),
    metadata={"note": "for the neighbor"},
    gift_card=p.GiftCardCode("PHYSICAL", CODE),
    **AS_SAID,
)


SAID = Approved(
    Approval(
        Money(5000, EUR),
        "T1/0001",
        approval_code="481516",
        card=Card(
            "visa", "Visa", MaskedPan.of("4242424242424242"), application_id="A0000000031010"
        ),
        extra={"balance_before": "77.00"},
    )
)
PRIVATE = (
    MEMBER,
    CODE,
    SECRET,
    *AS_SAID.values(),
    "neighbor",
    "4242",
    "A0000000031010",
    "77.00",
    "WINE",
)


async def an_old_payment(till: Till) -> PaymentRecord:
    """Return a payment that is over, in the books and retired."""
    await till.ledger.accept(PERSONAL, p.Started(Baseline("before")))
    await till.ledger.apply(PERSONAL.payment_id, Receipt("customer", (SECRET,)))
    await till.ledger.apply(PERSONAL.payment_id, SAID)
    (name,) = till.ledger.payments.take_pending_purchases()
    await till.ledger.apply_purchase(name, s.Sending())
    await till.ledger.apply_purchase(name, s.Refused("VALIDATION", "no such member"))
    mended = s.Mended("anna", "another card", skus=((1, "WINE-2"),), member_id=f"{MEMBER}-2")
    await till.ledger.apply_purchase(name, mended)
    await till.ledger.apply_purchase(name, s.Sending())
    await till.ledger.apply_purchase(name, s.Recorded("P-1"))
    await till.ledger.retire(PERSONAL.payment_id)
    await till.done(pay(9, 100, "S9"))  # a shop that goes on
    account = till.ledger.payments.get(PERSONAL.payment_id)
    assert account is not None
    return account


def retention(till: Till, ledger: Ledger, today: str = "2026-11-24T12:00:00.000Z") -> Retention:
    """Return what forgets; with 0 months everything before today is old."""
    moment = datetime.fromisoformat(today)
    return Retention(ledger, till.journal, 0, now=lambda: moment, write_time=format_time)


def stored(folder: Path) -> str:
    """Return everything that the journal says, as text."""
    connection = open_for_reading(folder / "journal.sqlite")
    rows = connection.execute("select body from entry").fetchall()
    connection.close()
    return " ".join(body for (body,) in rows)


async def test_personal_data_is_gone_and_the_money_is_known_for_ever(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        before = await an_old_payment(till)
        assert all(word in stored(tmp_path) for word in PRIVATE)
        assert await retention(till, till.ledger).look() == 1
        assert [word for word in PRIVATE if word in stored(tmp_path)] == []
        await till.reborn()
        known = await till.ledger.payments.find(PERSONAL.payment_id)
        assert known is not None
        assert known.payment.pruned
        assert known.payment.receipts == ()
        assert known.payment.status is p.Status.APPROVED
        assert known.payment.captured == Money(5000, EUR)
        assert known.payment.record_id == "P-1"
        assert known.payment.approval is not None
        assert known.payment.approval.approval_code == "481516"
        assert known.payment.approval.card.brand == "visa"
        assert (known.created_at, known.ended_at) == (before.created_at, before.ended_at)
        assert known.rev > before.rev


async def test_nothing_of_it_is_left_in_the_bytes_of_the_file(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await an_old_payment(till)
        await retention(till, till.ledger).look()
        connection = sqlite3.connect(tmp_path / "journal.sqlite")
        connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
        data = (tmp_path / "journal.sqlite").read_bytes()
        assert [word for word in PRIVATE if word.encode() in data] == []


async def test_the_same_command_is_still_the_same_payment(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await an_old_payment(till)
        await retention(till, till.ledger).look()
        for _ in range(2):
            account, duplicate = await till.ledger.accept(PERSONAL)
            assert duplicate
            assert account.payment.pruned
            with pytest.raises(RequestError, match="other content"):
                await till.ledger.accept(replace(PERSONAL, content_hash="another"))
            await till.reborn()


async def test_a_pruned_payment_can_be_refunded_once(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await an_old_payment(till)
        await retention(till, till.ledger).look()
        await till.reborn()
        assert await till.ledger.payments.find_original(PERSONAL.payment_id) is not None
        await till.done(after(PERSONAL, 2, p.PaymentType.REFUND, 5000))
        again = after(PERSONAL, 3, p.PaymentType.REFUND, 1)
        assert await till.refused(again) == "refund_exceeds_captured"
        await till.reborn()
        known = await till.ledger.payments.find(PERSONAL.payment_id)
        assert known is not None
        assert known.payment.funds is p.Funds.REFUNDED


async def test_what_is_open_published_or_young_stays_whole(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.ledger.accept(pay(1, 5000), p.Started(Baseline("")))
        await till.done(pay(2, 5000, "S2"))
        assert await retention(till, till.ledger).look() == 0
        young = pay(3, 5000, "S3", type=p.PaymentType.PREAUTH)
        await till.done(young)
        await till.ledger.retire(young.payment_id)
        kept = Retention(
            till.ledger,
            till.journal,
            13,
            now=lambda: datetime(2026, 12, 1, tzinfo=UTC),
            write_time=format_time,
        )
        assert await kept.look() == 0


async def test_a_clock_that_jumped_years_ahead_forgets_nothing_young(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await an_old_payment(till)
        jumped = Retention(
            till.ledger,
            till.journal,
            13,
            now=lambda: datetime(2038, 1, 19, tzinfo=UTC),
            write_time=format_time,
        )
        assert await jumped.look() == 0


async def test_looking_again_finds_nothing_to_forget(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await an_old_payment(till)
        assert await retention(till, till.ledger).look() == 1
        await till.reborn()
        assert await retention(till, till.ledger).look() == 0

"""Lines that come after the payment: nothing is lost, and nothing is recorded twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.background.incomplete_sales import IncompleteSales
from bridge.money.ledger import Ledger
from bridge.register.api import format_time
from drivers.contract import Approved, Money
from simulators.loop import run_virtual
from tests.component.money.test_ledger import EUR, SALE, Disk, approval, paid, request

KEY = "till-1/S1"
OTHER = replace(SALE, lines=(replace(SALE.lines[0], sku="B"),))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # when the ledger of these tests stores things


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def disk(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "journal.sqlite", executor)
    yield disk
    disk.close()


def later(number: int, minor: int = 4790, **more: object) -> p.PaymentRequest:
    return request(number, "S1", minor, lines_later=True, **more)


def purchases(ledger: Ledger) -> list[tuple[str, int]]:
    return [
        (one.purchase.content.sale.lines[0].sku, one.purchase.content.pay_amount.minor)
        for one in ledger.payments.open_purchases()
    ]


async def after(ledger: Ledger, hours: float) -> None:
    """Let the shop look at the clock `hours` after noon."""
    incomplete_sales = IncompleteSales(
        ledger,
        timedelta(hours=24),
        now=lambda: NOON + timedelta(hours=hours),
        write_time=format_time,
    )
    await incomplete_sales.look()


async def test_lines_settle_a_captured_payment_also_after_a_crash(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, later(1))
    assert purchases(ledger) == []
    again = await disk.reborn()
    account, duplicate = await again.attach(KEY, SALE)
    assert (account.payment.sale, duplicate) == (SALE, False)
    assert purchases(again) == [("A", 4790)]
    last = await disk.reborn()
    assert purchases(last) == [("A", 4790)]
    _, duplicate = await last.attach(KEY, SALE)
    assert duplicate


async def test_lines_that_come_first_wait_for_the_money(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(later(1), p.Started(None))
    await ledger.attach(KEY, SALE)
    assert purchases(ledger) == []
    again = disk.ledger()
    await again.payments.find_sale(KEY)
    await again.apply(later(1).payment_id, Approved(approval()))
    assert purchases(again) == [("A", 4790)]


async def test_lines_of_a_part_payment_wait_for_the_rest(disk: Disk) -> None:
    ledger = disk.ledger()
    first = await paid(ledger, later(1, 2000), 2000)
    account, _ = await ledger.attach(KEY, SALE)
    assert ledger.payments.remaining(account) == Money(2790, EUR)
    assert purchases(ledger) == []
    await paid(ledger, request(2, "S1", 2790), 2790)
    assert purchases(ledger) == [("A", 4790)]
    assert ledger.payments.purchase_of(first) is not None


async def test_other_lines_are_refused(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, later(1, 2000), 2000)
    await ledger.attach(KEY, SALE)
    with pytest.raises(RequestError) as caught:
        await ledger.attach(KEY, OTHER)
    assert caught.value.code == "sale_lines_differ"


async def test_a_sale_in_the_books_takes_no_lines(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1"))
    assert purchases(ledger) == [("CARD-PAYMENT", 4790)]
    with pytest.raises(RequestError) as caught:
        await ledger.attach(KEY, SALE)
    assert caught.value.code == "sale_already_recorded"
    assert purchases(ledger) == [("CARD-PAYMENT", 4790)]


async def test_lines_for_less_than_was_taken_are_refused(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, later(1))
    line = replace(SALE.lines[0], item_amount_minor=4000)
    with pytest.raises(RequestError) as caught:
        await ledger.attach(KEY, s.SaleDetails(Money(4000, EUR), (line,)))
    assert (caught.value.code, caught.value.detail["path"]) == (
        "invalid_request",
        "sale.total_amount",
    )


async def test_money_whose_lines_never_come_is_recorded_after_a_day(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, later(1))
    await after(ledger, 23.9)
    assert purchases(ledger) == []
    again = await disk.reborn()
    await after(again, 24.1)
    assert purchases(again) == [("CARD-PAYMENT", 4790)]
    await after(again, 48)
    with pytest.raises(RequestError) as caught:
        await again.attach(KEY, SALE)
    assert caught.value.code == "sale_already_recorded"
    assert purchases(again) == [("CARD-PAYMENT", 4790)]


async def test_a_part_payment_whose_rest_never_comes_is_recorded_after_a_day(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", 2000, sale=SALE), 2000)
    await after(ledger, 24.1)
    assert purchases(ledger) == [("CARD-PAYMENT", 2000)]
    await paid(ledger, request(2, "S1", 2790), 2790)
    assert sorted(purchases(ledger)) == [("CARD-PAYMENT", 2000), ("CARD-PAYMENT", 2790)]


async def test_what_was_given_back_before_its_lines_came_needs_no_record(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, later(1))
    back = replace(
        request(2),
        type=p.PaymentType.REFUND,
        original_payment_id=later(1).payment_id,
        original_sale_key=KEY,
    )
    await paid(ledger, back)
    await after(ledger, 24.1)
    assert purchases(ledger) == []


@pytest.mark.parametrize("seed", range(12))
def test_giving_up_and_a_further_payment_at_once_record_all_of_it_once(
    tmp_path: Path, executor: ThreadPoolExecutor, seed: int
) -> None:
    async def both_at_once() -> None:
        disk = Disk(tmp_path / "journal.sqlite", executor)
        ledger = disk.ledger()
        first = await paid(ledger, request(1, "S1", 2000, sale=SALE), 2000)
        second = request(2, "S1", 2790)
        await ledger.accept(second, p.Started(None))
        async with asyncio.TaskGroup() as group:
            group.create_task(ledger.give_up_waiting(first))
            await asyncio.sleep(0.0005 * seed)
            said = Approved(approval(2790, "T1/2"))
            group.create_task(ledger.apply(second.payment_id, said))
        again = await disk.reborn()
        assert sum(minor for _, minor in purchases(again)) == 4790
        disk.close()

    run_virtual(both_at_once, seed=seed)


@pytest.mark.parametrize("seed", range(12))
def test_lines_and_a_further_payment_at_once_are_recorded_once(
    tmp_path: Path, executor: ThreadPoolExecutor, seed: int
) -> None:
    async def both_at_once() -> None:
        disk = Disk(tmp_path / "journal.sqlite", executor)
        ledger = disk.ledger()
        await paid(ledger, later(1, 2000), 2000)
        second = request(2, "S1", 2790)
        await ledger.accept(second, p.Started(None))
        async with asyncio.TaskGroup() as group:
            group.create_task(ledger.attach(KEY, SALE))
            await asyncio.sleep(0.003 * seed)
            said = Approved(approval(2790, "T1/2"))
            group.create_task(ledger.apply(second.payment_id, said))
        assert purchases(await disk.reborn()) == [("A", 4790)]
        disk.close()

    run_virtual(both_at_once, seed=seed)


async def test_lines_are_kept_where_the_register_records_sales_itself(disk: Disk) -> None:
    ledger = disk.ledger(books=False)
    payment_id = await paid(ledger, later(1))
    account, _ = await ledger.attach(KEY, SALE)
    assert account.payment_id == payment_id
    assert account.payment.recording is p.Recording.NOT_REQUIRED
    assert purchases(ledger) == []


# --- other tenders

CASH = s.OtherTenders((s.OtherTender("cash", 2000),))


def content_of(ledger: Ledger, number: int) -> s.PurchaseContent:
    account = ledger.payments.purchase_of(request(number).payment_id)
    assert account is not None, "it is booked"
    return account.purchase.content


async def test_a_sale_that_cash_paid_in_part_is_booked_at_once_with_its_goods(disk: Disk) -> None:
    ledger = disk.ledger()
    told = replace(SALE, elsewhere=CASH)
    await paid(ledger, request(1, "S1", 2790, sale=told), 2790)
    content = content_of(ledger, 1)
    assert (content.pay_amount.minor, content.sale.lines) == (4790, SALE.lines)
    assert content.pay_method == "VISA+CASH"


async def test_other_tenders_may_be_told_after_the_card_has_paid(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", 2790, sale=SALE), 2790)
    assert ledger.payments.purchase_of(request(1).payment_id) is None
    account = ledger.payments.get(request(1).payment_id)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(2000, EUR)
    _, duplicate = await ledger.attach("till-1/S1", None, CASH)
    assert not duplicate
    assert content_of(ledger, 1).pay_amount.minor == 4790
    again = await disk.reborn()
    account = again.payments.get(request(1).payment_id)
    assert account is not None
    assert again.payments.remaining(account) == Money(0, EUR)
    with pytest.raises(RequestError) as caught:
        await again.attach("till-1/S1", SALE, s.OtherTenders())
    assert caught.value.code == "sale_already_recorded"


async def test_the_same_tenders_again_change_nothing_and_others_replace_them(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", 1000, sale=SALE), 1000)
    less = s.OtherTenders((s.OtherTender("voucher", 500),))
    for tenders, duplicate in ((CASH, False), (CASH, True), (less, False)):
        assert (await ledger.attach("till-1/S1", SALE, tenders))[1] is duplicate
    account = ledger.payments.get(request(1).payment_id)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(4790 - 1000 - 500, EUR)


@pytest.mark.parametrize(("rounding", "asked"), [(1, 2791), (-2, 2788)])
async def test_cash_rounding_leaves_no_cent_open(disk: Disk, rounding: int, asked: int) -> None:
    ledger = disk.ledger()
    told = replace(SALE, elsewhere=replace(CASH, rounding_minor=rounding))
    await paid(ledger, request(1, "S1", asked, sale=told), asked)
    assert content_of(ledger, 1).pay_amount.minor == 4790 + rounding


async def test_no_card_is_asked_for_what_cash_has_paid(disk: Disk) -> None:
    ledger = disk.ledger()
    with pytest.raises(RequestError) as caught:
        await ledger.accept(request(1, "S1", 2791, sale=replace(SALE, elsewhere=CASH)))
    assert caught.value.detail["available_amount"] == "27.90"


async def test_other_tenders_leave_no_less_to_pay_than_was_taken(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", 3000, sale=SALE), 3000)
    with pytest.raises(RequestError) as caught:
        await ledger.attach("till-1/S1", None, CASH)
    assert (caught.value.code, caught.value.path) == ("invalid_request", "sale.other_tenders")


async def test_other_tenders_without_any_lines_are_refused(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", 3000, lines_later=True), 3000)
    with pytest.raises(RequestError) as caught:
        await ledger.attach("till-1/S1", None, CASH)
    assert caught.value.path == "sale.lines"

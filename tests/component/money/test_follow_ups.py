"""Refunds, captures, voids and the rest: what their original carries, and what the books hear."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.ledger import Ledger
from drivers.contract import (
    ALREADY_REVERSED,
    Approved,
    Baseline,
    Declined,
    Failed,
    Money,
    Unclear,
)
from tests.component.money.test_ledger import EUR, SALE, Disk, approval, paid, request

SALE_ID = request(1).payment_id


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def disk(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "journal.sqlite", executor)
    yield disk
    disk.close()


def follow_up(
    number: int, kind: p.PaymentType, minor: int, *, of: str = SALE_ID, **more: object
) -> p.PaymentRequest:
    plain = replace(
        request(number, minor=minor),
        type=kind,
        original_payment_id=of,
        original=approval(),
        original_sale_key="till-1/S1",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


async def started(ledger: Ledger, kind: p.PaymentType = p.PaymentType.SALE) -> None:
    await ledger.accept(request(1, "S1", sale=SALE, type=kind), p.Started(Baseline("")))
    await ledger.apply(SALE_ID, Approved(approval()))


async def recorded(ledger: Ledger, payment_id: str, record_id: str) -> None:
    await ledger.apply_purchase(f"S012-{payment_id}", s.Sending())
    await ledger.apply_purchase(f"S012-{payment_id}", s.Recorded(record_id))


async def done(ledger: Ledger, wanted: p.PaymentRequest) -> p.Payment:
    await ledger.accept(wanted, p.Started(Baseline("T1/1")))
    said = Approved(approval(wanted.amount.minor, f"T1/{wanted.payment_id[-2:]}"))
    return (await ledger.apply(wanted.payment_id, said)).payment


def original(ledger: Ledger) -> p.Payment:
    account = ledger.payments.get(SALE_ID)
    assert account is not None
    return account.payment


async def test_a_refund_is_told_to_the_sale_and_to_the_books_in_one_commit(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await recorded(ledger, SALE_ID, "P1")
    refund = await done(ledger, follow_up(2, p.PaymentType.REFUND, 790))
    assert refund.funds is p.Funds.RETURNED
    again = await disk.reborn()
    assert original(again).funds is p.Funds.PARTIALLY_REFUNDED
    assert original(again).refundable_minor == 4000
    purchase = again.payments.purchase_of(request(2).payment_id)
    assert purchase is not None
    content = purchase.purchase.content
    assert (content.pay_amount.minor, content.sale.refund_minor) == (0, 790)
    assert content.sale.lines[0].is_refund


async def test_refunds_never_exceed_what_was_taken_running_ones_included(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, p.PaymentType.REFUND, 4000), p.Started(None))
    await ledger.apply(request(2).payment_id, Unclear("link_lost"))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.REFUND, 791))
    assert caught.value.code == "refund_exceeds_captured"
    assert caught.value.detail["available_amount"] == "7.90"
    await ledger.accept(follow_up(3, p.PaymentType.REFUND, 790))


async def test_a_declined_refund_gives_its_share_back(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, p.PaymentType.REFUND, 4790), p.Started(None))
    await ledger.apply(request(2).payment_id, Declined("05"))
    await ledger.accept(follow_up(3, p.PaymentType.REFUND, 4790))


async def test_a_refund_needs_its_original_or_a_supervisor(disk: Disk) -> None:
    ledger = disk.ledger()
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(2, p.PaymentType.REFUND, 500, of="unknown"))
    assert caught.value.code == "original_not_found"
    unlinked = follow_up(2, p.PaymentType.REFUND, 500, of="", original_sale_key="")
    with pytest.raises(RequestError) as caught:
        await ledger.accept(unlinked)
    assert caught.value.code == "approval_required"
    account, _ = await ledger.accept(replace(unlinked, approved_by="supervisor"))
    assert account.payment.status is p.Status.QUEUED


async def test_captures_use_the_hold_and_the_last_one_releases_it(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger, p.PaymentType.PREAUTH)
    assert ledger.payments.open_purchases() == [], "a hold is not recorded"
    part = follow_up(2, p.PaymentType.CAPTURE, 2000, is_last=False)
    taken = await done(ledger, part)
    assert taken.funds is p.Funds.CAPTURED
    assert original(ledger).held_minor == 2790
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.CAPTURE, 2791))
    assert caught.value.code == "capture_exceeds_authorized"
    await done(ledger, follow_up(3, p.PaymentType.CAPTURE, 2790))
    assert (original(ledger).funds, original(ledger).held_minor) == (p.Funds.CAPTURED, 0)
    purchase = ledger.payments.purchase_of(request(3).payment_id)
    assert purchase is not None, "the captures cover the sale"
    assert len(purchase.purchase.payment_ids) == 2


async def test_an_increment_raises_the_hold(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger, p.PaymentType.PREAUTH)
    await done(ledger, follow_up(2, p.PaymentType.INCREMENT, 1000))
    assert original(ledger).held_minor == 5790
    await ledger.accept(follow_up(3, p.PaymentType.CAPTURE, 5790))


async def test_a_raised_hold_is_told_by_its_newest_number_and_with_all_of_it(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger, p.PaymentType.PREAUTH)
    first = original(ledger).approval
    assert original(ledger).told_approval == first
    once = await done(ledger, follow_up(2, p.PaymentType.INCREMENT, 1000))
    twice = await done(ledger, follow_up(3, p.PaymentType.INCREMENT, 500))
    assert once.approval is not None
    assert twice.approval is not None
    assert twice.approval.fingerprint != once.approval.fingerprint
    for memory in (ledger, await disk.reborn()):
        told = original(memory).told_approval
        assert told is not None
        assert told.fingerprint == twice.approval.fingerprint
        assert told.amount == Money(6290, EUR)


async def test_a_void_before_the_sale_is_covered_leaves_nothing_for_the_books(disk: Disk) -> None:
    ledger = disk.ledger()
    first = request(1, "S1", 2000, sale=SALE)
    await ledger.accept(first, p.Started(None))
    await ledger.apply(SALE_ID, Approved(approval(2000)))
    void = await done(ledger, follow_up(2, p.PaymentType.VOID, 2000))
    assert (void.funds, void.recording) == (p.Funds.VOIDED, p.Recording.NOT_REQUIRED)
    assert original(ledger).funds is p.Funds.VOIDED
    assert original(ledger).recording is p.Recording.NOT_REQUIRED
    account, _ = await ledger.accept(request(4, "S1", 4790))
    assert account.payment.status is p.Status.QUEUED, "the sale is not paid any more"


async def test_a_void_of_a_recorded_sale_is_recorded_as_a_return(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await recorded(ledger, SALE_ID, "P1")
    await done(ledger, follow_up(2, p.PaymentType.VOID, 4790))
    purchase = ledger.payments.purchase_of(request(2).payment_id)
    assert purchase is not None
    assert purchase.purchase.content.sale.refund_minor == 4790


async def test_a_closed_batch_has_no_voids_also_after_a_restart(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    ledger.batches._now = lambda: "2026-11-23T20:00:00.000Z"
    await ledger.batches.close("counter-1", Money(4790, EUR))
    again = await disk.reborn()
    with pytest.raises(RequestError) as caught:
        await again.accept(follow_up(2, p.PaymentType.VOID, 4790))
    assert caught.value.code == "void_not_possible"
    assert caught.value.detail["suggest"] == "refund"


@pytest.mark.parametrize("kind", [p.PaymentType.VOID, p.PaymentType.REFUND])
async def test_what_was_given_back_is_not_given_back_again(disk: Disk, kind: p.PaymentType) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await done(ledger, follow_up(2, kind, 4790))
    for again in (p.PaymentType.VOID, p.PaymentType.REFUND):
        with pytest.raises(RequestError):
            await ledger.accept(follow_up(3, again, 4790))


async def test_a_tip_is_added_once_the_money_is_captured_and_not_recorded(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await recorded(ledger, SALE_ID, "P1")
    tip = await done(ledger, follow_up(2, p.PaymentType.TIP_ADJUST, 500))
    assert tip.recording is p.Recording.NOT_REQUIRED
    assert original(ledger).tip_minor == 500


async def test_a_refund_of_a_retired_sale_is_possible_after_a_restart(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await recorded(ledger, SALE_ID, "P1")
    await ledger.retire(SALE_ID)
    again = await disk.reborn()
    assert again.payments.get(SALE_ID) is None
    found = await again.payments.find_original(SALE_ID)
    assert found is not None
    refund = await done(again, follow_up(2, p.PaymentType.REFUND, 4790))
    assert refund.funds is p.Funds.RETURNED
    assert original(again).funds is p.Funds.REFUNDED


async def test_a_tip_is_not_added_to_what_was_given_back_in_part(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await done(ledger, follow_up(2, p.PaymentType.REFUND, 1000))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.TIP_ADJUST, 500))
    assert caught.value.code == "not_allowed"


@pytest.mark.parametrize("kind", [p.PaymentType.REFUND, p.PaymentType.VOID])
async def test_a_tip_is_not_added_while_its_payment_is_given_back(
    disk: Disk, kind: p.PaymentType
) -> None:
    ledger = disk.ledger()
    await started(ledger)
    back = follow_up(2, kind, 4790)
    await ledger.accept(back, p.Started(None))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.TIP_ADJUST, 500))
    assert caught.value.code == "not_allowed"
    await ledger.apply(back.payment_id, Declined("05"))
    await ledger.accept(follow_up(3, p.PaymentType.TIP_ADJUST, 500))


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (p.PaymentType.REFUND, p.PaymentType.SALE),
        (p.PaymentType.TIP_ADJUST, p.PaymentType.SALE),
        (p.PaymentType.CAPTURE, p.PaymentType.PREAUTH),
        (p.PaymentType.INCREMENT, p.PaymentType.PREAUTH),
    ],
)
async def test_a_follow_up_in_another_currency_is_refused(
    disk: Disk, kind: p.PaymentType, of: p.PaymentType
) -> None:
    ledger = disk.ledger()
    await started(ledger, of)
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(2, kind, 500, amount=Money(500, "USD")))
    assert (caught.value.code, caught.value.path) == ("invalid_request", "amounts.currency")


@pytest.mark.parametrize("kind", [p.PaymentType.VOID, p.PaymentType.REFUND])
async def test_what_was_reversed_at_the_terminal_is_not_refunded_until_somebody_looked(
    disk: Disk, kind: p.PaymentType
) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, kind, 4790), p.Started(None))
    refused = Failed("100021", "voided before", ALREADY_REVERSED)
    account = await ledger.apply(request(2).payment_id, refused)
    assert account.payment.status is p.Status.FAILED
    again = await disk.reborn()
    for memory in (ledger, again):
        odd = original(memory)
        assert [one.kind for one in odd.discrepancies] == [ALREADY_REVERSED]
        assert odd.funds is p.Funds.CAPTURED
        for number, wanted in enumerate((p.PaymentType.REFUND, p.PaymentType.VOID), start=3):
            with pytest.raises(RequestError) as caught:
                await memory.accept(replace(follow_up(number, wanted, 4790), approved_by="boss"))
            assert caught.value.detail.get("suggest") is None
    await again.apply(SALE_ID, p.Decided("noted", "anna"))
    account, _ = await again.accept(follow_up(5, p.PaymentType.REFUND, 4790))
    assert account.payment.status is p.Status.QUEUED


async def test_a_refusal_for_another_reason_says_nothing_of_the_original(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, p.PaymentType.VOID, 4790), p.Started(None))
    await ledger.apply(request(2).payment_id, Failed("100023", "", "void_not_possible"))
    assert original(ledger).discrepancies == ()
    await ledger.accept(follow_up(3, p.PaymentType.REFUND, 4790))


@pytest.mark.parametrize("first", [p.PaymentType.REFUND, p.PaymentType.VOID])
async def test_a_refund_is_suggested_only_where_the_batch_is_known_to_be_closed(
    disk: Disk, first: p.PaymentType
) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, first, 100 if first is p.PaymentType.REFUND else 4790))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.VOID, 4790))
    assert caught.value.code == "void_not_possible"
    assert caught.value.detail.get("suggest") is None


@pytest.mark.parametrize("kind", [p.PaymentType.REFUND, p.PaymentType.VOID])
@pytest.mark.parametrize("lines", [SALE, None])
async def test_a_sale_that_was_paid_and_given_back_asks_for_nothing(
    disk: Disk, kind: p.PaymentType, lines: s.SaleDetails | None
) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", sale=lines))
    await done(ledger, follow_up(2, kind, 4790))
    again = await disk.reborn()
    for memory in (ledger, again):
        for number in (1, 2):
            account = memory.payments.get(request(number).payment_id)
            assert account is not None
            assert memory.payments.remaining(account) == Money(0, EUR)
        with pytest.raises(RequestError) as caught:
            await memory.accept(request(3, "S1"))
        assert caught.value.code == "sale_already_paid"
        assert caught.value.detail["payment_id"] == SALE_ID
    await again.accept(request(3, "S1", approved_by="supervisor"))


async def test_what_went_back_before_the_sale_was_paid_is_needed_again(disk: Disk) -> None:
    ledger = disk.ledger()
    await paid(ledger, request(1, "S1", 2000, sale=SALE), 2000)
    await done(ledger, follow_up(2, p.PaymentType.VOID, 2000))
    account = ledger.payments.get(SALE_ID)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(4790, EUR)
    await paid(ledger, request(3, "S1", 2790), 2790)
    account = ledger.payments.get(request(3).payment_id)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(2000, EUR), "no goods leave for it yet"
    await paid(ledger, request(4, "S1", 2000), 2000)


async def test_a_refund_without_an_original_has_no_sale_that_needs_anything(disk: Disk) -> None:
    ledger = disk.ledger()
    unlinked = follow_up(2, p.PaymentType.REFUND, 500, of="", original_sale_key="")
    await done(ledger, replace(unlinked, original=None, approved_by="supervisor"))
    account = ledger.payments.get(request(2).payment_id)
    assert account is not None
    assert ledger.payments.remaining(account) is None


async def test_what_is_held_is_needed_from_nobody_else(disk: Disk) -> None:
    ledger = disk.ledger()
    hold = request(1, "S1", 3000, sale=SALE, type=p.PaymentType.PREAUTH)
    await ledger.accept(hold, p.Started(Baseline("")))
    await ledger.apply(SALE_ID, Approved(approval(3000)))
    account = ledger.payments.get(SALE_ID)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(1790, EUR)


async def test_a_void_is_not_accepted_while_a_refund_of_the_same_payment_runs(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, p.PaymentType.REFUND, 100), p.Started(None))
    for state in ("running", "in doubt"):
        with pytest.raises(RequestError) as caught:
            await ledger.accept(follow_up(3, p.PaymentType.VOID, 4790))
        assert caught.value.code == "void_not_possible", state
        await ledger.apply(request(2).payment_id, Unclear("link_lost"))
    await ledger.apply(request(2).payment_id, Declined("05"))
    await ledger.accept(follow_up(3, p.PaymentType.VOID, 4790))


async def test_a_load_counts_what_may_have_filled_a_card_although_it_is_called_failed(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    await started(ledger)
    first = request(2, "S1", 4000, type=p.PaymentType.LOAD, gift=True)
    await ledger.accept(first, p.Started(None))
    await ledger.apply(first.payment_id, Declined("05"))
    await ledger.apply(first.payment_id, Approved(approval(4000, "late")))
    second = request(3, "S1", 791, type=p.PaymentType.LOAD, gift=True)
    with pytest.raises(RequestError) as caught:
        await ledger.accept(second)
    assert caught.value.detail["available_amount"] == "7.90"
    await ledger.apply(first.payment_id, p.Decided("noted", "anna"))
    await ledger.accept(second)


async def tipped(disk: Disk, *, tip_sku: str = "", is_recorded: bool = True) -> Ledger:
    """Return a ledger with a sale of 47.90 and a tip of 3.00 that was added afterwards."""
    ledger = disk.ledger(tip_sku=tip_sku)
    await started(ledger)
    if is_recorded:
        await recorded(ledger, SALE_ID, "P1")
    await done(ledger, follow_up(2, p.PaymentType.TIP_ADJUST, 300))
    return ledger


async def test_a_tip_can_be_refunded_with_its_payment(disk: Disk) -> None:
    ledger = await tipped(disk)
    assert (original(ledger).tips_minor, original(ledger).refundable_minor) == (300, 5090)
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.REFUND, 5091))
    assert caught.value.detail["available_amount"] == "50.90"
    await done(ledger, follow_up(3, p.PaymentType.REFUND, 4790))
    assert original(ledger).funds is p.Funds.PARTIALLY_REFUNDED
    await done(ledger, follow_up(4, p.PaymentType.REFUND, 300))
    assert original(await disk.reborn()).funds is p.Funds.REFUNDED


@pytest.mark.parametrize(("tip_sku", "booked"), [("", 4790), ("TIP", 5090)])
async def test_the_books_get_back_what_they_had_of_a_tipped_payment(
    disk: Disk, tip_sku: str, booked: int
) -> None:
    ledger = await tipped(disk, tip_sku=tip_sku)
    added = ledger.payments.purchase_of(request(2).payment_id)
    assert (added is not None) is bool(tip_sku)
    if added is not None:
        content = added.purchase.content
        assert (content.pay_amount.minor, content.sale.lines[0].sku) == (300, "TIP")
        account = ledger.payments.get(request(2).payment_id)
        assert account is not None
        assert account.payment.recording is p.Recording.PENDING
    await done(ledger, follow_up(3, p.PaymentType.REFUND, 5090))
    back = ledger.payments.purchase_of(request(3).payment_id)
    assert back is not None
    assert back.purchase.content.sale.refund_minor == booked


async def test_a_refund_of_a_tip_that_the_books_never_had_is_not_told_to_them(disk: Disk) -> None:
    ledger = await tipped(disk)
    await done(ledger, follow_up(3, p.PaymentType.REFUND, 4790))
    tip = await done(ledger, follow_up(4, p.PaymentType.REFUND, 300))
    assert tip.recording is p.Recording.NOT_REQUIRED
    assert ledger.payments.purchase_of(request(4).payment_id) is None


@pytest.mark.parametrize(("tip_sku", "paid_minor"), [("", 4790), ("TIP", 5290)])
async def test_a_tip_in_a_payment_is_booked_as_the_site_says(
    disk: Disk, tip_sku: str, paid_minor: int
) -> None:
    ledger = disk.ledger(tip_sku=tip_sku)
    wanted = request(1, "S1", 5290, sale=SALE, tip=Money(500, EUR))
    await ledger.accept(wanted, p.Started(Baseline("")))
    told = replace(approval(5290), tip=Money(500, EUR))
    await ledger.apply(SALE_ID, Approved(told))
    account = ledger.payments.purchase_of(SALE_ID)
    assert account is not None
    content = account.purchase.content
    assert (content.pay_amount.minor, content.sale.total.minor) == (paid_minor, paid_minor)
    assert [line.item_amount_minor for line in content.sale.lines] == (
        [4790, 500] if tip_sku else [4790]
    )
    assert content.sale.adds_up


async def test_a_tip_has_a_limit_that_a_supervisor_may_pass(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await done(ledger, follow_up(2, p.PaymentType.TIP_ADJUST, 4000))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.TIP_ADJUST, 791))
    assert (caught.value.code, caught.value.detail["available_amount"]) == (
        "invalid_amount",
        "7.90",
    )
    await ledger.accept(follow_up(4, p.PaymentType.TIP_ADJUST, 790))
    ordered = request(5, "S2", 3000, tip=Money(1501, EUR))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(ordered)
    assert (caught.value.code, caught.value.path) == ("invalid_amount", "amounts.tip.tip_amount")
    await ledger.accept(replace(ordered, approved_by="supervisor"))


async def test_two_tips_are_not_added_at_once(disk: Disk) -> None:
    ledger = disk.ledger()
    await started(ledger)
    await ledger.accept(follow_up(2, p.PaymentType.TIP_ADJUST, 100), p.Started(None))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(follow_up(3, p.PaymentType.TIP_ADJUST, 100))
    assert caught.value.code == "payment_in_doubt"

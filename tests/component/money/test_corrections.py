"""A person errs about a payment in doubt, and a person corrects it: money, books, both answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.admission import refuse_correction
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.reconciliation import compare
from drivers import contract as c
from tests.component.money.test_follow_ups import follow_up
from tests.component.money.test_ledger import EUR, SALE, Disk, approval, request

PAYMENT = request(1).payment_id
Outcome = Literal["approved", "not_charged"]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def disk(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "journal.sqlite", executor)
    yield disk
    disk.close()


async def answered(
    ledger: Ledger, outcome: Outcome, kind: p.PaymentType = p.PaymentType.SALE
) -> None:
    await ledger.accept(request(1, "S1", sale=SALE, type=kind), p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Unclear("link_lost"))
    await ledger.apply(PAYMENT, p.Resolved(outcome, "anna", "481516", "merchant_slip", check=True))


async def corrected(ledger: Ledger, outcome: Outcome, by: str = "bert") -> p.Payment:
    answer = p.OperatorAnswer(outcome, by, "481516" if outcome == "approved" else "", "acquirer")
    return (await ledger.apply(PAYMENT, p.Corrected(answer))).payment


async def recorded(ledger: Ledger, transaction_id: str, record_id: str) -> None:
    await ledger.apply_purchase(transaction_id, s.Sending())
    await ledger.apply_purchase(transaction_id, s.Recorded(record_id))


def booked_minor(ledger: Ledger) -> int:
    """Return what all records of the sale come to."""
    names = [f"S012-{PAYMENT}", *(f"S012-{PAYMENT}-c{number}" for number in range(1, 4))]
    contents = [one.purchase.content for name in names if (one := ledger.payments.purchase(name))]
    return sum(one.pay_amount.minor - one.sale.refund_minor for one in contents)


async def test_what_was_denied_and_was_charged_after_all_reaches_the_books(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "not_charged")
    payment = await corrected(ledger, "approved")
    assert (payment.status, payment.funds) == (p.Status.FAILED, p.Funds.CAPTURED)
    assert payment.recording is p.Recording.PENDING
    assert booked_minor(ledger) == 4790
    again = await disk.reborn()
    account = again.payments.get(PAYMENT)
    assert account is not None
    said = [(one.by, one.outcome) for one in account.payment.answers]
    assert said == [("anna", "not_charged"), ("bert", "approved")], "both are kept"
    with pytest.raises(RequestError) as caught:
        await again.accept(request(2, "S1"))
    assert caught.value.code == "sale_already_paid"


async def test_what_was_invented_leaves_the_books_before_they_have_it(disk: Disk) -> None:
    ledger = disk.ledger()
    first = request(1, "S1", 2000, sale=SALE)
    await ledger.accept(first, p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Unclear("link_lost"))
    await ledger.apply(PAYMENT, p.Resolved("approved", "anna", "481516"))
    payment = await corrected(ledger, "not_charged")
    assert (payment.funds, payment.recording) == (p.Funds.NONE, p.Recording.NOT_REQUIRED)
    assert ledger.payments.open_purchases() == []
    account, _ = await ledger.accept(request(2, "S1", 4790))
    assert account.payment.status is p.Status.QUEUED, "the sale is not paid"


async def test_what_was_invented_is_taken_out_of_the_books_by_a_second_record(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "approved")
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    payment = await corrected(ledger, "not_charged")
    assert payment.recording is p.Recording.PENDING
    assert booked_minor(ledger) == 0
    again = await disk.reborn()
    assert [one.purchase.content.transaction_id for one in again.payments.open_purchases()] == [
        f"S012-{PAYMENT}-c1"
    ]
    await recorded(again, f"S012-{PAYMENT}-c1", "P2")
    await corrected(again, "approved", by="carl")
    assert booked_minor(again) == 4790, "and back again, each under a name of its own"


async def test_the_journals_sum_follows_the_correction(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "approved")

    def sum_minor() -> int:
        account = ledger.payments.get(PAYMENT)
        assert account is not None
        return compare(0, [account], books=True).journal_minor

    assert sum_minor() == 4790
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    await corrected(ledger, "not_charged")
    assert sum_minor() == 0


async def test_a_correction_against_the_terminals_own_word_stays_an_open_question(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    await answered(ledger, "not_charged")
    await ledger.apply(PAYMENT, c.Failed("absent", "the baseline stands"))
    payment = await corrected(ledger, "approved")
    assert payment.decided_by == ""
    assert not payment.is_settled


async def test_a_correction_takes_the_amount_that_the_terminal_showed(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "not_charged")
    await ledger.apply(PAYMENT, c.Approved(approval(4700, "T1/9")))
    payment = await corrected(ledger, "approved")
    assert payment.captured == c.Money(4700, EUR)
    assert payment.decided_by == "bert"


async def test_the_same_answer_again_changes_nothing(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "approved")
    before = ledger.payments.get(PAYMENT)
    assert await corrected(ledger, "approved") == (before.payment if before else None)


async def test_what_the_terminal_said_itself_no_person_corrects(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(request(1, "S1", sale=SALE), p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Declined("05"))
    with pytest.raises(p.IllegalEvent):
        await corrected(ledger, "approved")


async def test_an_answer_that_something_was_built_on_is_not_corrected(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "approved")
    account = ledger.payments.get(PAYMENT)
    assert account is not None
    refuse_correction(account.payment, [], "recorded", books=True)
    payment = account.payment
    for built_on, running, purchase in (
        (payment, [], "unconfirmed"),
        (payment, [payment], ""),
        (replace(payment, tip_minor=100), [], ""),
        (replace(payment, funds=p.Funds.PARTIALLY_REFUNDED), [], ""),
    ):
        with pytest.raises(RequestError) as caught:
            refuse_correction(built_on, running, purchase, books=True)
        assert caught.value.code == "not_allowed"


async def answered_follow_up(ledger: Ledger, kind: p.PaymentType, minor: int) -> str:
    """Pay and record a sale, and have a person call something that follows it approved."""
    await ledger.accept(request(1, "S1", sale=SALE), p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Approved(approval()))
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    wanted = follow_up(2, kind, minor)
    await ledger.accept(wanted, p.Started(c.Baseline("T1/1")))
    await ledger.apply(wanted.payment_id, c.Unclear("link_lost"))
    await ledger.apply(wanted.payment_id, p.Resolved("approved", "anna", "481516"))
    return wanted.payment_id


@pytest.mark.parametrize(
    ("kind", "minor", "funds"),
    [
        (p.PaymentType.REFUND, 790, p.Funds.PARTIALLY_REFUNDED),
        (p.PaymentType.REFUND, 4790, p.Funds.REFUNDED),
        (p.PaymentType.VOID, 4790, p.Funds.VOIDED),
    ],
    ids=["a part", "all of it", "voided"],
)
async def test_money_that_was_not_given_back_after_all_can_be_given_back(
    disk: Disk, kind: p.PaymentType, minor: int, funds: p.Funds
) -> None:
    ledger = disk.ledger()
    name = await answered_follow_up(ledger, kind, minor)
    original = ledger.payments.get(PAYMENT)
    assert original is not None
    assert original.payment.funds is funds
    await recorded(ledger, f"S012-{name}", "P2")
    back = ledger.payments.get(name)
    assert back is not None
    refuse_correction(back.payment, [], "recorded", books=True)
    said = p.OperatorAnswer("not_charged", "bert", source="acquirer")
    await ledger.apply(name, p.Corrected(said))
    for memory in (ledger, await disk.reborn()):
        original = memory.payments.get(PAYMENT) or await memory.payments.find_original(PAYMENT)
        assert original is not None
        assert (original.payment.funds, original.payment.refunded_minor) == (p.Funds.CAPTURED, 0)
        (due,) = memory.payments.open_purchases()
        assert due.purchase.content.transaction_id == f"S012-{name}-c1"
        assert due.purchase.content.pay_amount == c.Money(minor, EUR), "it was not given back"
        account, _ = await memory.accept(follow_up(3, p.PaymentType.REFUND, 4790))
        assert account.payment.status is p.Status.QUEUED


async def test_a_capture_is_not_undone_by_a_correction(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(
        request(1, "S1", sale=SALE, type=p.PaymentType.PREAUTH), p.Started(c.Baseline(""))
    )
    await ledger.apply(PAYMENT, c.Approved(approval()))
    wanted = follow_up(2, p.PaymentType.CAPTURE, 4790)
    await ledger.accept(wanted, p.Started(c.Baseline("T1/1")))
    await ledger.apply(wanted.payment_id, c.Unclear("link_lost"))
    account = await ledger.apply(wanted.payment_id, p.Resolved("approved", "anna", "481516"))
    with pytest.raises(RequestError) as caught:
        refuse_correction(account.payment, [], "", books=True)
    assert caught.value.code == "not_allowed"


async def test_what_a_correction_booked_is_not_booked_again_when_somebody_decides(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    await answered(ledger, "not_charged")
    await ledger.apply(PAYMENT, c.Failed("absent", "the baseline stands"))
    await corrected(ledger, "approved")
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    payment = (await ledger.apply(PAYMENT, p.Decided("book", "carl"))).payment
    assert payment.recording is p.Recording.RECORDED
    assert payment.decided_by == "carl"
    assert payment.is_settled
    assert booked_minor(ledger) == 4790


async def test_a_refund_that_a_correction_told_its_original_is_told_once(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(request(1, "S1", sale=SALE), p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Approved(approval()))
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    wanted = follow_up(2, p.PaymentType.REFUND, 790)
    name = wanted.payment_id
    await ledger.accept(wanted, p.Started(c.Baseline("T1/1")))
    await ledger.apply(name, c.Unclear("link_lost"))
    await ledger.apply(name, p.Resolved("not_charged", "anna", check=True))
    await ledger.apply(name, c.Failed("absent", "the baseline stands"))
    await ledger.apply(name, p.Corrected(p.OperatorAnswer("approved", "bert", "481516")))
    await recorded(ledger, f"S012-{name}", "P2")
    await ledger.apply(name, p.Decided("book", "carl"))
    again = await disk.reborn()
    original = again.payments.get(PAYMENT) or await again.payments.find_original(PAYMENT)
    assert original is not None
    assert original.payment.refunded_minor == 790
    assert again.payments.open_purchases() == []


async def test_money_that_was_booked_on_evidence_is_not_booked_again_by_a_correction(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    await answered(ledger, "not_charged")
    await ledger.apply(PAYMENT, c.Approved(approval(4790, "T1/9")))
    await ledger.apply(PAYMENT, p.Decided("book", "carl"))
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    payment = await corrected(ledger, "approved")
    assert (payment.recording, payment.funds) == (p.Recording.RECORDED, p.Funds.CAPTURED)
    assert [one.by for one in payment.answers] == ["anna", "bert"]
    assert booked_minor(ledger) == 4790
    await corrected(ledger, "not_charged", by="dora")
    assert booked_minor(ledger) == 0


async def test_evidence_after_a_correction_is_held_against_what_is_told_now(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "approved")
    await corrected(ledger, "not_charged")
    late = (await ledger.apply(PAYMENT, c.Approved(approval(4790, "T1/9")))).payment
    assert late.discrepancies[-1].kind == "approved_after_failed", "money moved, and nobody has it"
    assert not late.decided_by
    assert not late.is_settled


async def test_a_denial_after_a_correction_is_held_against_what_is_told_now(disk: Disk) -> None:
    ledger = disk.ledger()
    await answered(ledger, "not_charged")
    await corrected(ledger, "approved")
    late = (await ledger.apply(PAYMENT, c.Failed("absent", "the baseline stands"))).payment
    assert late.discrepancies[-1].kind == "denied_after_approved"
    assert not late.decided_by


async def test_the_newest_record_of_a_payment_can_be_answered_though_a_clock_went_back(
    disk: Disk,
) -> None:
    clock = ["2026-11-23T12:00:00.000Z"]
    ledger = Ledger(
        disk.journal(),
        books=BooksPolicy("S012"),
        now=lambda: clock[0],
        local_now=lambda: clock[0][:19],
    )
    await answered(ledger, "approved")
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    clock[0] = "2026-11-20T12:00:00.000Z"
    await corrected(ledger, "not_charged")
    await ledger.apply_purchase(f"S012-{PAYMENT}-c1", s.Sending())
    await ledger.apply_purchase(f"S012-{PAYMENT}-c1", s.Refused("VALIDATION", "no such sku"))
    again = await disk.reborn()
    newest = again.payments.purchase_of(PAYMENT)
    assert newest is not None
    assert newest.purchase.content.transaction_id == f"S012-{PAYMENT}-c1"
    assert newest.purchase.state is s.PurchaseState.REJECTED


@pytest.mark.parametrize("kind", [p.PaymentType.REFUND, p.PaymentType.VOID])
async def test_money_given_back_of_what_was_never_charged_leaves_the_books_whole(
    disk: Disk, kind: p.PaymentType
) -> None:
    ledger = disk.ledger()
    await answered(ledger, "approved")
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    back = follow_up(2, kind, 4790)
    await ledger.accept(back, p.Started(c.Baseline("")))
    await ledger.apply(back.payment_id, c.Failed("absent"))
    await corrected(ledger, "not_charged")
    await recorded(ledger, f"S012-{PAYMENT}-c1", "P2")
    await ledger.apply(back.payment_id, c.Approved(approval(4790, "T1/9")))
    await ledger.apply(back.payment_id, p.Decided("book", "carl"))
    original = ledger.payments.get(PAYMENT)
    assert original is not None
    assert original.payment.funds is p.Funds.NONE, "it is not told as charged again"
    due = ledger.payments.purchase(f"S012-{back.payment_id}")
    assert due is not None
    assert due.purchase.content.sale.refund_minor == 4790

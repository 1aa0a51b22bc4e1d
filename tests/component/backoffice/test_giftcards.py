"""A gift card is spent once or not at all, whatever the back office does. Virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.money import payment as p
from bridge.money.payment import Funds, Status
from drivers.contract import Baseline, Money, Unclear
from simulators.back_office.records import CodeType, TransStatus
from tests.support.gift_card_store import PIN, Store
from tests.support.office import play
from tests.unit.backoffice.gift_cards.requests import CODE, gift_request

SALE = gift_request()
NAME = SALE.payment_id
HOLD = gift_request(type=p.PaymentType.PREAUTH)

Main = Callable[[Store], Coroutine[Any, Any, None]]


@pytest.fixture
def in_store(tmp_path: Path) -> Callable[[Main], None]:
    def run(main: Main) -> None:
        async def inside() -> None:
            await main(Store(tmp_path))

        play(inside)

    return run


InStore = Callable[[Main], None]


def follow_up(kind: p.PaymentType, hold: p.Payment, minor: int = 2000) -> p.PaymentRequest:
    return replace(
        gift_request(7, minor, type=kind),
        original_payment_id=hold.request.payment_id,
        original=hold.approval,
        original_sale_key=hold.request.sale_key,
    )


def check(store: Store, payment: p.Payment) -> None:
    """Compare what the register is told with what happened to the card."""
    name = payment.request.payment_id
    taken = store.amounts(name, TransStatus.COMPLETED)
    held = store.amounts(name, TransStatus.AUTHORIZED)
    assert len(taken) + len(held) <= 1, "one payment asks for one hold"
    assert store.balance == 50 + sum(taken) + sum(held)
    match payment.status:
        case Status.APPROVED:
            assert payment.approval is not None
            cents = payment.approval.amount.minor
            assert [-100 * one for one in taken] == [cents]
        case Status.DECLINED | Status.CANCELED | Status.FAILED:
            assert taken == []
            assert held == []
        case _:
            assert payment.doubt is not None, "open after all this time is in doubt"
            assert payment.doubt.needs_operator


def test_a_sale_holds_captures_and_tells_both_balances(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 5.0)
            assert payment.status is Status.APPROVED
            assert payment.funds is Funds.CAPTURED
            assert payment.approval is not None
            assert payment.approval.extra == {"balance_before": "50.00", "balance_after": "30.00"}
            assert payment.approval.card.masked_pan is not None
            assert payment.approval.card.masked_pan.last4 == "4711"
            assert payment.discrepancies == ()
            check(store, payment)
            purchase = store.ledger.payments.purchase_of(NAME)
            assert purchase is not None
            assert purchase.purchase.content.pay_method == "GIFT_CARD"

    in_store(main)


@pytest.mark.parametrize(
    ("request_", "pin", "code"),
    [
        (gift_request(gift_card=p.GiftCardCode("PHYSICAL", "0")), "", "gift_card_unknown"),
        (gift_request(gift_card=p.GiftCardCode("PERSONAL", CODE)), "", "gift_card_unknown"),
        (gift_request(), "9999", "wrong_pin"),
        (gift_request(minor=5001), PIN, "gift_card_insufficient"),
    ],
)
def test_a_card_that_cannot_pay_is_declined_with_its_reason(
    in_store: InStore, request_: p.PaymentRequest, pin: str, code: str
) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(request_, pin)
            payment = await store.settled(NAME, 5.0)
            assert payment.status is Status.DECLINED
            assert payment.denial is not None
            assert payment.denial.code == code
            assert CODE not in payment.denial.text
            check(store, payment)

    in_store(main)


def test_an_expired_card_is_told_apart_from_an_unknown_one(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        (card,) = store.state.gift_cards.values()
        store.state.gift_card_set_code(card.id, CodeType.PHYSICAL, None)
        store.state.gift_card_set_code(
            card.id, CodeType.PHYSICAL, CODE, pin=PIN, expires_on=store.state.clock()
        )
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 5.0)
            assert payment.denial is not None
            assert payment.denial.code == "gift_card_inactive"

    in_store(main)


def test_a_missing_permission_is_named(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("permission_401", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 5.0)
            assert payment.denial is not None
            assert payment.denial.code == "feature_disabled"
            assert "GiftCardTransUse" in payment.denial.text
            check(store, payment)

    in_store(main)


def test_a_part_is_taken_when_the_register_accepts_parts(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(gift_request(minor=6000, accept_partial=True))
            payment = await store.settled(NAME, 5.0)
            assert payment.captured == Money(5000, "EUR")
            check(store, payment)

    in_store(main)


def test_a_cancel_releases_the_hold(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("slow", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            await asyncio.sleep(1.0)
            await store.ledger.apply(NAME, p.CancelAsked("cashier"))
            payment = await store.settled(NAME, 10.0)
            assert payment.status is Status.CANCELED
            assert store.asked("gift_card_trans_cancelled") == 1
            check(store, payment)

    in_store(main)


def test_a_capture_that_is_refused_gives_the_hold_back(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("not_authorized", "giftcardTransCapture")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 5.0)
            assert payment.status is Status.FAILED
            check(store, payment)

    in_store(main)


def test_a_capture_whose_answer_was_lost_is_a_persons(in_store: InStore) -> None:
    """The balance fell with the hold: it cannot tell whether the capture was done."""

    async def main(store: Store) -> None:
        store.fault("apply_then_drop", "giftcardTransCapture")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 60.0)
            assert payment.status is Status.IN_DOUBT
            assert payment.doubt is not None
            assert payment.doubt.evidence_lost
            assert store.amounts(NAME, TransStatus.COMPLETED) == [Decimal(-20)]
            check(store, payment)

    in_store(main)


def test_a_capture_that_always_fails_is_never_called_approved(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("capture_always_refused", "giftcardTransCapture")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME)
            assert payment.status is Status.IN_DOUBT
            assert payment.funds is Funds.UNKNOWN
            assert payment.recording is p.Recording.NOT_REQUIRED
            assert store.amounts(NAME, TransStatus.AUTHORIZED) == [Decimal(-20)]
            check(store, payment)

    in_store(main)


def test_a_sale_whose_capture_fails_ends_by_a_release_that_the_balance_shows(
    in_store: InStore,
) -> None:
    async def main(store: Store) -> None:
        store.fault("capture_always_refused", "giftcardTransCapture", times=3)
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME)
            assert payment.status is Status.FAILED
            assert store.balance == 50
            check(store, payment)

    in_store(main)


def test_a_release_is_not_believed_without_the_rise_of_the_balance(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("capture_always_refused", "giftcardTransCapture", times=3)
        store.fault("lost_commit", "giftcardTransCapture", times=-1)
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME)
            assert payment.status is Status.IN_DOUBT
            assert store.balance == 30
            check(store, payment)

    in_store(main)


@pytest.mark.parametrize("fault", ["capture_always_refused", "fusion_error_applied"])
def test_the_capture_of_a_preauthorization_is_neither_released_nor_guessed(
    in_store: InStore, fault: str
) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(HOLD)
            hold = await store.settled(NAME, 5.0)
            store.fault(fault, "giftcardTransCapture", times=-1)
            capture = follow_up(p.PaymentType.CAPTURE, hold)
            await store.ask(capture)
            payment = await store.settled(capture.payment_id)
            assert payment.status is Status.IN_DOUBT
            assert store.asked("gift_card_trans_cancelled") == 0

    in_store(main)


# --- a balance that said no too early

LATER_SECONDS = 1_500.0  # longer than the quiet time and the second look


def test_a_hold_that_comes_after_the_no_is_found_and_told_to_a_person(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("hold_applied_late", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 140.0)
            assert payment.status is Status.FAILED
            assert not payment.is_settled
            payment = await store.settled(NAME, LATER_SECONDS)
            assert [odd.kind for odd in payment.discrepancies] == ["taken_after_all"]
            (odd,) = payment.discrepancies
            assert odd.approval is not None
            assert odd.approval.amount == Money(2000, "EUR")
            assert NAME in odd.text
            assert payment.may_have_moved
            assert store.amounts(NAME, TransStatus.AUTHORIZED) == [Decimal(-20)]

    in_store(main)


def test_the_second_look_is_owed_by_the_next_process_too(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("hold_applied_late", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            assert (await store.settled(NAME, 140.0)).status is Status.FAILED
        await asyncio.sleep(60.0)
        async with store.alive():
            payment = await store.settled(NAME, LATER_SECONDS)
            assert [odd.kind for odd in payment.discrepancies] == ["taken_after_all"]

    in_store(main)


def test_what_we_took_from_the_card_meanwhile_is_not_taken_for_a_late_hold(
    in_store: InStore,
) -> None:
    async def main(store: Store) -> None:
        store.fault("drop_before_apply", "giftcardTransAdd")
        again = gift_request(2)
        async with store.alive():
            await store.ask(SALE)
            assert (await store.settled(NAME, 140.0)).status is Status.FAILED
            await store.ask(again)
            assert (await store.settled(again.payment_id, 10.0)).status is Status.APPROVED
            payment = await store.settled(NAME, LATER_SECONDS)
            assert payment.discrepancies == ()
            assert payment.is_settled

    in_store(main)


def test_a_card_that_is_gone_at_the_second_look_is_told_to_a_person_once(
    in_store: InStore,
) -> None:
    async def main(store: Store) -> None:
        store.fault("drop_before_apply", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            assert (await store.settled(NAME, 140.0)).status is Status.FAILED
            store.state.gift_cards.clear()
            payment = await store.settled(NAME, LATER_SECONDS)
            assert [odd.kind for odd in payment.discrepancies] == ["balance_moved"]
            assert NAME in payment.discrepancies[0].text
            assert payment.looked_again, "nobody looks for it every minute for ever"

    in_store(main)


def test_a_late_hold_is_found_beside_our_own_use_of_the_card(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("hold_applied_late", "giftcardTransAdd")
        again = gift_request(2, 1000)
        async with store.alive():
            await store.ask(SALE)
            assert (await store.settled(NAME, 140.0)).status is Status.FAILED
            await store.ask(again)
            await store.settled(again.payment_id, 5.0)
            payment = await store.settled(NAME, LATER_SECONDS)
            assert [odd.kind for odd in payment.discrepancies] == ["taken_after_all"]

    in_store(main)


def test_a_longer_quiet_time_sees_the_late_hold_and_says_no_such_thing(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.quiet_seconds = 240.0
        store.fault("hold_applied_late", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME)
            assert payment.status is Status.IN_DOUBT
            check(store, payment)

    in_store(main)


@pytest.mark.parametrize("kind", [p.PaymentType.SALE, p.PaymentType.REFUND])
@pytest.mark.parametrize("fault", ["drop_before_apply", "hold_applied_late"])
def test_an_unchanged_balance_is_never_a_no_for_a_card_used_at_once(
    in_store: InStore, fault: str, kind: p.PaymentType
) -> None:
    async def main(store: Store) -> None:
        store.cards_hold = False
        store.fault(fault, "giftcardTransAdd")
        async with store.alive():
            await store.ask(gift_request(type=kind, approved_by="anna"))
            payment = await store.settled(NAME, LATER_SECONDS)
            assert payment.status is Status.IN_DOUBT
            assert payment.doubt is not None
            assert payment.doubt.needs_operator

    in_store(main)


def test_a_hold_without_an_answer_is_never_asked_for_again(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("apply_then_drop", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME)
            assert payment.status is Status.IN_DOUBT, "held, and only a person can see the id"
            assert store.asked("gift_card_trans_added") == 1

    in_store(main)


def test_a_card_in_doubt_is_not_used_until_the_doubt_is_settled(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("drop_before_apply", "giftcardTransAdd")
        async with store.alive():
            await store.ask(SALE)
            await asyncio.sleep(10.0)
            second = gift_request(2)
            await store.ask(second)
            payment = await store.settled(second.payment_id, 5.0)
            assert payment.denial is not None
            assert payment.denial.code == "terminal_busy"
            assert (await store.settled(NAME)).status is Status.FAILED
            third = gift_request(3)
            await store.ask(third)
            assert (await store.settled(third.payment_id, 5.0)).status is Status.APPROVED

    in_store(main)


def test_a_gift_card_pays_while_a_terminal_is_asked_about_a_doubt(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            on_card = gift_request(2, terminal_id="counter-1", gift_card=None)
            await store.ledger.accept(on_card, p.Started(Baseline("52500041:0007:000007")))
            await store.ledger.apply(on_card.payment_id, Unclear("link_lost"))
            await store.ask(SALE)
            assert (await store.settled(NAME, 5.0)).status is Status.APPROVED

    in_store(main)


@pytest.mark.parametrize(
    ("fault", "tries"), [("too_many_429", 20), ("too_many_429", 25), ("permission_401", 25)]
)
def test_a_person_who_says_not_charged_gets_the_hold_released(
    in_store: InStore, fault: str, tries: int
) -> None:
    async def main(store: Store) -> None:
        store.fault(fault, "giftcardTransCapture", times=tries)
        async with store.alive():
            await store.ask(SALE)
            await asyncio.sleep(60.0)
            assert store.payment(NAME).status is Status.IN_DOUBT
            assert store.balance == 30
            await store.ledger.apply(NAME, p.Resolved("not_charged", "anna"))
            payment = await store.settled(NAME, 1000.0)
            assert payment.status is Status.FAILED
            check(store, payment)

    in_store(main)


def test_a_hold_called_not_charged_is_released_by_the_next_process(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("too_many_429", "giftcardTransCapture", times=20)
        async with store.alive():
            await store.ask(SALE)
            await asyncio.sleep(60.0)
            await store.ledger.apply(NAME, p.Resolved("not_charged", "anna"))
            assert store.balance == 30
        async with store.alive():
            payment = await store.settled(NAME, 1000.0)
            assert payment.is_settled
            check(store, payment)
        async with store.alive():
            await asyncio.sleep(100.0)
            assert store.asked("gift_card_trans_cancelled") == 1, "nothing is owed any more"

    in_store(main)


def test_a_hold_that_cannot_be_released_is_left_to_a_person(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.fault("too_many_429", "giftcardTransCapture", times=20)
        async with store.alive():
            await store.ask(SALE)
            await asyncio.sleep(60.0)
            await store.ledger.apply(NAME, p.Resolved("not_charged", "anna"))
            ((key, hold),) = store.state.transactions.items()
            store.state.transactions[key] = replace(hold, status=TransStatus.COMPLETED)
            payment = await store.settled(NAME, 1000.0)
            assert [odd.kind for odd in payment.discrepancies] == ["hold_not_released"]
            assert not payment.is_settled

    in_store(main)


# --- holds that stay


@pytest.mark.parametrize("minor", [2000, 1250])
def test_a_hold_is_captured_later_whole_or_in_part(in_store: InStore, minor: int) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(HOLD)
            hold = await store.settled(NAME, 5.0)
            assert (hold.status, hold.funds) == (Status.APPROVED, Funds.HELD)
            assert store.balance == 30
        async with store.alive():
            await store.ask(follow_up(p.PaymentType.CAPTURE, hold, minor))
            captured = await store.settled(gift_request(7).payment_id, 5.0)
            assert captured.captured == Money(minor, "EUR")
            assert store.payment(NAME).funds is Funds.CAPTURED
            assert store.balance == 50 - Decimal(minor) / 100
            assert store.amounts(NAME, TransStatus.COMPLETED) == [-Decimal(minor) / 100]

    in_store(main)


# --- a server without holds


def test_a_server_without_holds_redeems_at_once(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.cards_hold = False
        async with store.alive():
            await store.ask(SALE)
            payment = await store.settled(NAME, 5.0)
            assert payment.status is Status.APPROVED
            assert store.asked("gift_card_trans_captured") == 0
            check(store, payment)

    in_store(main)


# --- crashes


@pytest.mark.parametrize("kind", [p.PaymentType.SALE, p.PaymentType.PREAUTH])
@pytest.mark.parametrize("milliseconds", [1, *range(60, 1100, 80)])
def test_a_process_that_dies_at_any_moment_leaves_no_wrong_answer(
    in_store: InStore, milliseconds: int, kind: p.PaymentType
) -> None:
    async def main(store: Store) -> None:
        store.world.wire.delay_seconds = 0.3
        async with store.alive():
            await store.ask(gift_request(type=kind))
            await asyncio.sleep(milliseconds / 1000)
        await asyncio.sleep(1.0)
        async with store.alive():
            payment = await store.settled(NAME)
        if kind is p.PaymentType.PREAUTH and payment.status is Status.APPROVED:
            assert store.amounts(NAME, TransStatus.AUTHORIZED) == [Decimal(-20)]
            return
        check(store, payment)

    in_store(main)


def test_neither_code_nor_pin_is_shown_and_no_pin_is_stored(
    in_store: InStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(store: Store) -> None:
        store.fault("apply_then_drop", "giftcardTransAdd")
        async with store.alive():
            await store.ask(gift_request(), "PIN-8642")
            await store.ask(gift_request(2), PIN)
            payment = await store.settled(NAME)
            assert CODE not in repr(payment)

    caplog.set_level("DEBUG")
    in_store(main)
    stored = b"".join(one.read_bytes() for one in tmp_path.iterdir() if one.is_file())
    assert b"PIN-8642" not in stored
    assert b"2026-11-23T12:" in stored
    assert CODE not in caplog.text
    assert "PIN-8642" not in caplog.text

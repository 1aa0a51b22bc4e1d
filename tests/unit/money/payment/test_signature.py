"""A signature keeps its payment out of the books until somebody accepts it, and no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.money import payment as p
from bridge.money.payment import Funds, Recording, Status
from bridge.money.payment.machine import advance
from bridge.money.payment.signature import ReversalFailed, Signature, SignatureJudged
from bridge.money.split_payment import Done, EndHold, Wait, load_step, next_step
from drivers import contract as c
from tests.unit.money.payment.test_machine import APPROVAL, EUR, REQUEST, STATES
from tests.unit.money.test_split_payment import HELD_1, HELD_2, PAID, PLAN

SIGNED = replace(APPROVAL, card=c.Card("visa", verification="signature"))


SLIP = c.Receipt("merchant", ("sign here",), requires_signature=True)


YES = SignatureJudged(accepted=True, by="anna")


NO = SignatureJudged(accepted=False, by="anna")


SILENCE = SignatureJudged(accepted=True)


def asked(kind: p.PaymentType = p.PaymentType.SALE) -> p.Payment:
    running = p.Payment(replace(REQUEST, type=kind), Status.IN_PROGRESS)
    after, _ = advance(running, c.Approved(SIGNED))
    return after


def test_what_a_signature_verifies_is_asked_about_and_not_settled() -> None:
    after, actions = advance(STATES["in_progress"], c.Approved(SIGNED))
    assert after.signature is Signature.ASKED
    assert (after.funds, after.recording) == (Funds.CAPTURED, Recording.PENDING)
    assert p.Settle() not in actions
    assert not after.is_settled


def test_a_slip_to_be_signed_asks_as_well() -> None:
    printed, _ = advance(STATES["in_progress"], SLIP)
    after, _ = advance(printed, c.Approved(APPROVAL))
    assert after.signature is Signature.ASKED


@pytest.mark.parametrize(
    ("entry_mode", "verification", "is_asked"),
    [
        ("contactless", "none", False),
        ("contactless", "", True),
        ("contactless", "signature", True),
        ("icc", "none", True),
    ],
)
def test_below_the_contactless_limit_nobody_signs(
    entry_mode: str, verification: str, is_asked: bool
) -> None:
    printed, _ = advance(STATES["in_progress"], SLIP)
    card = c.Card("visa", entry_mode=entry_mode, verification=verification)
    after, _ = advance(printed, c.Approved(replace(APPROVAL, card=card)))
    assert (after.signature is Signature.ASKED) is is_asked


@pytest.mark.parametrize(
    ("kind", "is_asked"),
    [(kind, kind in {p.PaymentType.SALE, p.PaymentType.PREAUTH}) for kind in p.PaymentType],
)
def test_only_what_a_void_can_undo_is_asked_about(kind: p.PaymentType, is_asked: bool) -> None:
    assert (asked(kind).signature is not None) is is_asked


def test_a_gift_card_is_never_signed_for() -> None:
    by_gift_card = replace(REQUEST, terminal_id=p.GIFT_CARDS)
    after, _ = advance(p.Payment(by_gift_card, Status.IN_PROGRESS), c.Approved(SIGNED))
    assert after.signature is None


@pytest.mark.parametrize(
    ("said", "signature", "by"),
    [(YES, Signature.ACCEPTED, "anna"), (SILENCE, Signature.UNANSWERED, "")],
)
def test_what_stands_goes_to_the_books(
    said: SignatureJudged, signature: Signature, by: str
) -> None:
    after, actions = advance(asked(), said)
    assert (after.signature, after.signature_by) == (signature, by)
    assert p.Settle() in actions
    assert not after.awaits_signature


def test_no_leaves_the_books_waiting_for_the_void() -> None:
    after, actions = advance(asked(), NO)
    assert after.signature is Signature.REFUSED
    assert p.Settle() not in actions
    assert after.awaits_signature
    assert not after.is_settled


@pytest.mark.parametrize("first", [YES, NO, SILENCE])
@pytest.mark.parametrize("second", [YES, NO, SILENCE])
def test_only_the_first_answer_counts(first: SignatureJudged, second: SignatureJudged) -> None:
    answered, _ = advance(asked(), first)
    assert advance(answered, second) == (answered, ())


def test_a_reversal_that_fails_sends_the_money_to_the_books() -> None:
    refused, _ = advance(asked(), NO)
    after, actions = advance(refused, ReversalFailed("void_not_possible"))
    assert after.signature is Signature.NOT_REVERSED
    assert after.funds is Funds.CAPTURED
    assert p.Settle() in actions
    assert advance(after, ReversalFailed("void_not_possible")) == (after, ())


@pytest.mark.parametrize("state", [asked(), advance(asked(), YES)[0]])
def test_nobody_gives_up_a_reversal_that_was_not_asked_for(state: p.Payment) -> None:
    assert advance(state, ReversalFailed("x")) == (state, ())


def test_what_was_voided_meanwhile_awaits_nothing_and_stays_out_of_the_books() -> None:
    refused, _ = advance(asked(), NO)
    voided, _ = advance(refused, p.FollowedUp(p.PaymentType.VOID, "v", c.Money(4790, EUR)))
    assert not voided.awaits_signature
    assert advance(voided, ReversalFailed("x")) == (voided, ())


def test_what_was_refunded_meanwhile_awaits_nothing() -> None:
    refunded, _ = advance(asked(), p.FollowedUp(p.PaymentType.REFUND, "r", c.Money(4790, EUR)))
    assert not refunded.awaits_signature
    part, _ = advance(asked(), p.FollowedUp(p.PaymentType.REFUND, "r", c.Money(790, EUR)))
    assert part.awaits_signature


def test_a_hold_whose_signature_is_open_is_not_settled() -> None:
    held = asked(p.PaymentType.PREAUTH)
    assert not held.is_settled
    accepted, _ = advance(held, YES)
    assert accepted.is_settled


def test_a_payment_without_a_question_cannot_be_answered() -> None:
    plain, _ = advance(STATES["in_progress"], c.Approved(APPROVAL))
    for event in (YES, NO, ReversalFailed("x")):
        with pytest.raises(p.IllegalEvent):
            advance(plain, event)


def test_a_plan_waits_for_the_signature_of_its_card() -> None:
    card = replace(PAID, signature=Signature.ASKED)
    payments = {one.request.payment_id: one for one in (HELD_1, HELD_2, card)}
    assert next_step(PLAN, payments, is_wanted=True) == Wait()
    accepted = replace(card, signature=Signature.ACCEPTED)
    payments["c"] = accepted
    assert next_step(PLAN, payments, is_wanted=True) == EndHold(HELD_1, "capture", 0)
    voided = replace(card, signature=Signature.REFUSED, funds=Funds.VOIDED)
    payments["c"] = voided
    assert next_step(PLAN, payments, is_wanted=True) == EndHold(HELD_1, "void", 0)
    del payments["g1"], payments["g2"]
    assert next_step(PLAN, payments, is_wanted=False) == Done()


def test_a_gift_card_is_not_filled_with_what_a_signature_may_undo() -> None:
    load_request = replace(REQUEST, type=p.PaymentType.LOAD, terminal_id=p.GIFT_CARDS)
    load = p.Payment(load_request, Status.IN_PROGRESS)
    step = load_step(load, [asked()], remaining_minor=0, is_overdue=False)
    assert step == "wait"
    accepted, _ = advance(asked(), YES)
    assert load_step(load, [accepted], remaining_minor=0, is_overdue=False) == "capture"

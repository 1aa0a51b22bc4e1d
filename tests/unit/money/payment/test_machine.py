"""The table of the contract, pair by pair."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from bridge.money import payment as p
from bridge.money.payment import Funds, Recording, Status
from bridge.money.payment.machine import advance
from bridge.money.payment.signature import ReversalFailed, Signature, SignatureJudged
from bridge.money.purchase import OtherTender, OtherTenders, SaleDetails
from drivers import contract as c

EUR = "EUR"
REQUEST = p.PaymentRequest(
    payment_id="018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",
    register_id="till-1",
    terminal_id="counter-1",
    type=p.PaymentType.SALE,
    amount=c.Money(4790, EUR),
    content_hash="h",
    sale_id="S1",
)
APPROVAL = c.Approval(c.Money(4790, EUR), fingerprint="T1/0001")
OTHER = c.Approval(c.Money(4790, EUR), fingerprint="T1/0002")

STATES: dict[str, p.Payment] = {
    "queued": p.Payment(REQUEST),
    "in_progress": p.Payment(REQUEST, Status.IN_PROGRESS),
    "canceling": p.Payment(REQUEST, Status.CANCELING, cancel_asked="cashier"),
    "in_doubt": p.Payment(REQUEST, Status.IN_DOUBT, Funds.UNKNOWN, doubt=p.Doubt("link_lost")),
    "approved": p.Payment(
        REQUEST,
        Status.APPROVED,
        Funds.CAPTURED,
        Recording.PENDING,
        approval=APPROVAL,
        signature=Signature.ASKED,
    ),
    "declined": p.Payment(REQUEST, Status.DECLINED, denial=p.Denial("declined")),
    "canceled": p.Payment(REQUEST, Status.CANCELED, denial=p.Denial("canceled_by_cashier")),
    "failed": p.Payment(REQUEST, Status.FAILED, denial=p.Denial("terminal_fault")),
}

EVENTS: dict[str, p.Event] = {
    "Requested": p.Requested(REQUEST),
    "Started": p.Started(c.Baseline("T1/0000")),
    "Concluding": p.Concluding("capture"),
    "NotReached": p.NotReached("terminal_offline"),
    "CancelAsked": p.CancelAsked("cashier"),
    "Restarted": p.Restarted(),
    "DoubtAged": p.DoubtAged(),
    "DoubtMeasured": p.DoubtMeasured(10),
    "EvidenceLost": p.EvidenceLost(),
    "Resolved approved": p.Resolved("approved", "anna", "123456", "merchant_slip"),
    "Resolved not_charged": p.Resolved("not_charged", "anna"),
    "Corrected": p.Corrected(p.OperatorAnswer("approved", "bert", "123456", "acquirer")),
    "HoldEnded": p.HoldEnded(),
    "LookedAgain": p.LookedAgain("taken", "look", APPROVAL),
    "RecordingChanged": p.RecordingChanged(Recording.RECORDED, "P-1"),
    "Acknowledged": p.Acknowledged(3),
    "Decided": p.Decided("book", "anna"),
    "FollowedUp": p.FollowedUp(p.PaymentType.REFUND, "p2", c.Money(790, EUR)),
    "FollowUpUndone": p.FollowUpUndone(p.PaymentType.REFUND, "p2", c.Money(790, EUR)),
    "FoundReversed": p.FoundReversed("p2"),
    "LinesAttached": p.LinesAttached(SaleDetails(c.Money(790, EUR), ())),
    "LinesOverdue": p.LinesOverdue(),
    "TendersStated": p.TendersStated(OtherTenders((OtherTender("cash", 790),))),
    "SignatureJudged yes": SignatureJudged(accepted=True, by="anna"),
    "SignatureJudged no": SignatureJudged(accepted=False, by="anna"),
    "ReversalFailed": ReversalFailed("void_not_possible"),
    "Progress": c.Progress(c.Stage.AUTHORIZING),
    "Receipt": c.Receipt("customer", ("thanks",)),
    "Taken": c.Taken(),
    "Offered": c.Offered(APPROVAL),
    "Approved": c.Approved(APPROVAL),
    "Approved (another)": c.Approved(OTHER),
    "Declined": c.Declined("05"),
    "Canceled": c.Canceled("cardholder"),
    "Failed": c.Failed("83"),
    "Unclear": c.Unclear("link_lost"),
    "StillRunning": c.StillRunning(),
}

# The law. Columns: queued, in_progress, canceling, in_doubt, approved, declined, canceled, failed.
# "." keeps the status, "x" is refused as a bug, "!" keeps it and opens a discrepancy.
Q, R, C, D, A, N, S, F = (
    "queued",
    "in_progress",
    "canceling",
    "in_doubt",
    "approved",
    "declined",
    "canceled",
    "failed",
)
LAW: dict[str, tuple[str, ...]] = {
    "Requested": ("x", "x", "x", "x", "x", "x", "x", "x"),
    "Started": (R, "x", "x", "x", "x", "x", "x", "x"),
    "Concluding": ("x", ".", ".", ".", "x", "x", "x", "x"),
    "NotReached": (F, "x", "x", ".", ".", ".", ".", "."),
    "CancelAsked": (S, C, ".", ".", ".", ".", ".", "."),
    "Restarted": (F, D, D, ".", ".", ".", ".", "."),
    "DoubtAged": (".", ".", ".", ".", ".", ".", ".", "."),
    "DoubtMeasured": (".", ".", ".", ".", ".", ".", ".", "."),
    "EvidenceLost": (".", ".", ".", ".", ".", ".", ".", "."),
    "Resolved approved": ("x", "x", "x", A, ".", "!", "!", "!"),
    "Resolved not_charged": ("x", "x", "x", F, "!", ".", ".", "."),
    "Corrected": ("x", "x", "x", "x", "x", "x", "x", "x"),  # nobody had answered
    "HoldEnded": ("x", "x", "x", "x", ".", ".", ".", "."),
    "LookedAgain": ("x", "x", "x", "x", ".", ".", ".", "."),
    "RecordingChanged": ("x", "x", "x", "x", ".", "x", "x", "x"),
    "Acknowledged": ("x", "x", "x", "x", ".", ".", ".", "."),
    "Decided": (".", ".", ".", ".", ".", ".", ".", "."),
    "FollowedUp": ("x", "x", "x", "x", ".", "x", "x", "x"),
    "FollowUpUndone": ("x", "x", "x", "x", "x", "x", "x", "x"),  # nothing had followed
    "FoundReversed": ("x", "x", "x", "x", "!", "x", "x", "x"),
    "LinesAttached": (".", ".", ".", ".", ".", ".", ".", "."),
    "TendersStated": (".", ".", ".", ".", ".", ".", ".", "."),
    "LinesOverdue": ("x", "x", "x", "x", ".", "x", "x", "x"),
    "SignatureJudged yes": ("x", "x", "x", "x", ".", "x", "x", "x"),
    "SignatureJudged no": ("x", "x", "x", "x", ".", "x", "x", "x"),
    "ReversalFailed": ("x", "x", "x", "x", ".", "x", "x", "x"),
    "Progress": ("x", ".", ".", ".", ".", ".", ".", "."),
    "Receipt": (".", ".", ".", ".", ".", ".", ".", "."),
    "Taken": ("x", ".", ".", ".", ".", ".", ".", "."),
    "Offered": ("x", ".", ".", ".", "x", "x", "x", "x"),
    "Approved": (A + "!", A, A, A, ".", "!", "!", "!"),
    "Approved (another)": (A + "!", A, A, A, "!", "!", "!", "!"),
    "Declined": ("x", N, N, N, "!", ".", ".", "."),
    "Canceled": ("x", S, S, S, "!", ".", ".", "."),
    "Failed": ("x", F, F, F, "!", ".", ".", "."),
    "Unclear": ("x", D, D, ".", ".", ".", ".", "."),
    "StillRunning": ("x", ".", ".", ".", ".", ".", ".", "."),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(STATES, EVENTS)), ids=str)
def test_every_pair_of_state_and_event_is_decided(state: str, event: str) -> None:
    before = STATES[state]
    law = LAW[event][list(STATES).index(state)]
    if law == "x":
        with pytest.raises(p.IllegalEvent):
            advance(before, EVENTS[event])
        return
    after, _ = advance(before, EVENTS[event])
    odd = len(after.discrepancies) - len(before.discrepancies)
    assert odd == (1 if "!" in law else 0)
    assert after.status.value == (law.strip(".!") or state)


def test_the_table_names_every_event_there_is() -> None:
    named = {name.split(" ")[0] for name in LAW}
    assert named == {event.__name__ for event in p.Event.__args__}
    assert set(LAW) == set(EVENTS)
    assert set(STATES) == {status.value for status in Status}


@pytest.mark.parametrize("state", ["in_progress", "canceling", "in_doubt"])
def test_money_that_moved_is_captured_and_goes_to_the_books(state: str) -> None:
    after, actions = advance(STATES[state], c.Approved(APPROVAL))
    assert (after.status, after.funds) == (Status.APPROVED, Funds.CAPTURED)
    assert after.recording is Recording.PENDING
    assert after.approval == APPROVAL
    assert p.Settle() in actions


@pytest.mark.parametrize("state", ["declined", "canceled", "failed"])
def test_money_that_moved_after_a_no_is_kept_as_a_discrepancy(state: str) -> None:
    after, actions = advance(STATES[state], c.Approved(APPROVAL))
    assert after.status.value == state
    assert after.discrepancies[0].approval == APPROVAL
    assert p.Publish() in actions
    again, quiet = advance(after, c.Approved(APPROVAL))
    assert (again, quiet) == (after, ())


@pytest.mark.parametrize("event", [c.Unclear("link_lost"), p.Restarted()])
@pytest.mark.parametrize("state", ["in_progress", "canceling"])
def test_not_knowing_is_in_doubt_and_the_terminal_is_asked(state: str, event: p.Event) -> None:
    after, actions = advance(STATES[state], event)
    assert (after.status, after.funds) == (Status.IN_DOUBT, Funds.UNKNOWN)
    assert any(isinstance(action, p.AskTerminal) for action in actions)
    assert not any(isinstance(action, p.StartOnTerminal) for action in actions)


def test_nothing_but_a_request_starts_a_payment_on_a_terminal() -> None:
    for before, event in itertools.product(STATES.values(), EVENTS.values()):
        try:
            _, actions = advance(before, event)
        except p.IllegalEvent:
            continue
        assert p.StartOnTerminal() not in actions


def test_a_final_status_never_changes() -> None:
    for name in ("approved", "declined", "canceled", "failed"):
        for event in EVENTS.values():
            try:
                after, _ = advance(STATES[name], event)
            except p.IllegalEvent:
                continue
            assert after.status.value == name


def test_questions_come_after_1_2_5_5_seconds_and_slower_for_a_person() -> None:
    doubtful = STATES["in_doubt"]
    delays = []
    for _ in range(4):
        doubtful, actions = advance(doubtful, c.Unclear("no_answer"))
        delays += [a.delay_seconds for a in actions if isinstance(a, p.AskTerminal)]
    assert delays == [2.0, 5.0, 5.0, 5.0]
    aged, _ = advance(doubtful, p.DoubtAged())
    _, actions = advance(aged, c.Unclear("no_answer"))
    assert p.AskTerminal(30.0) in actions


@pytest.mark.parametrize(
    ("events", "asked"),
    [
        ((), False),
        ((c.StillRunning(),), False),  # it was not yet asked for its memory
        ((p.NotReached("terminal_offline"),), False),
        ((c.Unclear("link_lost"),), True),
        ((p.Restarted(),), True),  # the life before may have asked
        ((c.Unclear("link_lost"), c.StillRunning()), True),
    ],
)
def test_a_question_that_may_still_be_answered_is_remembered(
    events: tuple[p.Event, ...], asked: bool
) -> None:
    payment = STATES["in_doubt"]
    for event in events:
        payment, _ = advance(payment, event)
    assert payment.doubt is not None
    assert payment.doubt.memory_asked is asked


def test_a_terminal_that_moved_on_is_not_asked_again() -> None:
    lost, _ = advance(STATES["in_doubt"], p.EvidenceLost())
    assert lost.doubt is not None
    assert lost.doubt.needs_operator
    for event in (p.Restarted(), c.Unclear("x"), p.NotReached("terminal_offline")):
        _, actions = advance(lost, event)
        assert not any(isinstance(action, p.AskTerminal) for action in actions)


def test_a_person_who_says_approved_uses_what_the_terminal_offered() -> None:
    offered, _ = advance(STATES["in_doubt"], c.Offered(OTHER))
    after, _ = advance(offered, p.Resolved("approved", "anna", "777", "merchant_slip"))
    assert after.approval == replace(OTHER, approval_code="777")
    assert (after.resolved_by, after.approved_by) == ("operator", "anna")


def test_money_that_only_a_discrepancy_shows_goes_to_the_books_when_a_person_says_so() -> None:
    odd, _ = advance(STATES["failed"], c.Approved(APPROVAL))
    assert not odd.is_settled
    booked, actions = advance(odd, p.Decided("book", "anna"))
    assert (booked.status, booked.funds) == (Status.FAILED, Funds.CAPTURED)
    assert (booked.captured, booked.recording) == (APPROVAL.amount, Recording.PENDING)
    assert p.Settle() in actions
    assert advance(booked, p.Decided("book", "anna")) == (booked, ())
    noted, actions = advance(odd, p.Decided("noted", "anna"))
    assert noted.is_settled
    assert p.Settle() not in actions


@pytest.mark.parametrize(
    ("kind", "funds", "recording"),
    [
        (p.PaymentType.SALE, Funds.CAPTURED, Recording.PENDING),
        (p.PaymentType.PREAUTH, Funds.HELD, Recording.NOT_REQUIRED),
        (p.PaymentType.INCREMENT, Funds.HELD, Recording.NOT_REQUIRED),
        (p.PaymentType.CAPTURE, Funds.CAPTURED, Recording.PENDING),
        (p.PaymentType.REFUND, Funds.RETURNED, Recording.PENDING),
        (p.PaymentType.VOID, Funds.VOIDED, Recording.PENDING),
        (p.PaymentType.TIP_ADJUST, Funds.CAPTURED, Recording.NOT_REQUIRED),
    ],
)
def test_an_approval_leaves_the_money_where_its_operation_puts_it(
    kind: p.PaymentType, funds: Funds, recording: Recording
) -> None:
    running = p.Payment(replace(REQUEST, type=kind), Status.IN_PROGRESS)
    after, actions = advance(running, c.Approved(APPROVAL))
    assert (after.funds, after.recording) == (funds, recording)
    assert (p.Settle() in actions) is (recording is Recording.PENDING)
    assert p.TellOriginal() not in actions
    linked = p.Payment(replace(REQUEST, type=kind, original_payment_id="p1"), Status.IN_PROGRESS)
    _, actions = advance(linked, c.Approved(APPROVAL))
    assert p.TellOriginal() in actions


def test_refunds_add_up_to_the_whole() -> None:
    sale = STATES["approved"]
    part, _ = advance(sale, p.FollowedUp(p.PaymentType.REFUND, "r1", c.Money(790, EUR)))
    assert (part.funds, part.refundable_minor) == (Funds.PARTIALLY_REFUNDED, 4000)
    whole, _ = advance(part, p.FollowedUp(p.PaymentType.REFUND, "r2", c.Money(4000, EUR)))
    assert (whole.funds, whole.refundable_minor) == (Funds.REFUNDED, 0)
    assert whole.captured == c.Money(4790, EUR)


def test_a_hold_is_raised_used_and_released() -> None:
    hold = p.Payment(
        replace(REQUEST, type=p.PaymentType.PREAUTH), Status.APPROVED, Funds.HELD, approval=APPROVAL
    )
    more, _ = advance(hold, p.FollowedUp(p.PaymentType.INCREMENT, "i1", c.Money(1000, EUR)))
    assert more.held_minor == 5790
    part = p.FollowedUp(p.PaymentType.CAPTURE, "c1", c.Money(2000, EUR), is_last=False)
    used, _ = advance(more, part)
    assert (used.funds, used.held_minor) == (Funds.HELD, 3790)
    last, _ = advance(used, p.FollowedUp(p.PaymentType.CAPTURE, "c2", c.Money(3000, EUR)))
    assert (last.funds, last.held_minor) == (Funds.CAPTURED, 0)
    assert last.captured.minor == 0, "the captures took it, not the hold"


def test_a_voided_sale_can_not_be_refunded() -> None:
    voided, _ = advance(
        STATES["approved"], p.FollowedUp(p.PaymentType.VOID, "v1", c.Money(4790, EUR))
    )
    assert (voided.funds, voided.refundable_minor) == (Funds.VOIDED, 0)


def test_a_persons_word_is_completed_by_later_evidence_of_the_same_amount() -> None:
    told, _ = advance(STATES["in_doubt"], p.Resolved("approved", "anna", "777"))
    after, _ = advance(told, c.Approved(APPROVAL))
    assert after.approval == APPROVAL
    assert after.discrepancies == ()


@pytest.mark.parametrize("part", ["tip", "surcharge", "fee", "cash_back"])
def test_a_named_part_explains_a_larger_amount_in_its_own_conversation(part: str) -> None:
    parts: dict[str, Any] = {part: c.Money(210, EUR)}
    more = c.Approval(c.Money(5000, EUR), fingerprint="T1/0009", **parts)
    after, _ = advance(STATES["in_progress"], c.Approved(more))
    assert (after.captured, after.discrepancies) == (c.Money(5000, EUR), ())


@pytest.mark.parametrize("part", ["tip", "surcharge", "fee", "cash_back"])
def test_a_named_part_explains_no_cent_beyond_itself(part: str) -> None:
    parts: dict[str, Any] = {part: c.Money(209, EUR)}
    more = c.Approval(c.Money(5000, EUR), fingerprint="T1/0009", **parts)
    after, _ = advance(STATES["in_progress"], c.Approved(more))
    assert [odd.kind for odd in after.discrepancies] == ["more_than_asked"]
    assert "0.01 EUR" in after.discrepancies[0].text


def test_a_part_that_only_the_memory_names_explains_nothing() -> None:
    more = c.Approval(c.Money(5000, EUR), fingerprint="T1/0009", tip=c.Money(210, EUR))
    after, _ = advance(STATES["in_doubt"], c.Approved(more))
    assert [odd.kind for odd in after.discrepancies] == ["more_than_asked"]


def test_a_part_that_was_offered_while_paying_still_explains_after_a_doubt() -> None:
    more = c.Approval(c.Money(5000, EUR), fingerprint="T1/0009", tip=c.Money(210, EUR))
    doubtful = replace(STATES["in_doubt"], offer=more)
    after, _ = advance(doubtful, c.Approved(more))
    assert (after.status, after.discrepancies) == (Status.APPROVED, ())
    other = replace(more, fingerprint="T1/0010")
    after, _ = advance(doubtful, c.Approved(other))
    assert [odd.kind for odd in after.discrepancies] == ["more_than_asked"]


def test_a_tip_that_was_ordered_explains_nothing_above_the_order() -> None:
    tipped = replace(STATES["in_progress"], request=replace(REQUEST, tip=c.Money(500, EUR)))
    told = c.Approval(c.Money(5000, EUR), fingerprint="T1/0009", tip=c.Money(500, EUR))
    after, _ = advance(tipped, c.Approved(told))
    assert [odd.kind for odd in after.discrepancies] == ["more_than_asked"]
    more = replace(told, tip=c.Money(710, EUR))
    after, _ = advance(tipped, c.Approved(more))
    assert after.discrepancies == ()


def test_a_tip_above_its_limit_is_looked_at_by_a_person() -> None:
    paying = STATES["in_progress"]
    at_limit = c.Approval(c.Money(9580, EUR), fingerprint="T1/0009", tip=c.Money(4790, EUR))
    after, _ = advance(paying, c.Approved(at_limit))
    assert after.discrepancies == ()
    above = replace(at_limit, amount=c.Money(9581, EUR), tip=c.Money(4791, EUR))
    after, _ = advance(paying, c.Approved(above))
    assert [odd.kind for odd in after.discrepancies] == ["more_than_asked"]
    assert "tip above the limit" in after.discrepancies[0].text


def test_a_partial_approval_off_by_one_cent_is_partial_or_a_discrepancy() -> None:
    less = c.Approval(c.Money(4789, EUR), fingerprint="T1/0009")
    after, _ = advance(STATES["in_progress"], c.Approved(less))
    assert (after.captured, after.status) == (c.Money(4789, EUR), Status.APPROVED)
    assert [odd.kind for odd in after.discrepancies] == ["less_than_asked"]
    allowed = replace(STATES["in_progress"], request=replace(REQUEST, accept_partial=True))
    after, _ = advance(allowed, c.Approved(less))
    assert (after.captured, after.discrepancies) == (c.Money(4789, EUR), ())


def test_more_than_asked_is_captured_and_shown_as_a_discrepancy() -> None:
    more = c.Approval(c.Money(9999, EUR), fingerprint="T1/0009")
    after, _ = advance(STATES["in_progress"], c.Approved(more))
    assert after.captured == c.Money(9999, EUR)
    assert after.discrepancies[0].kind == "more_than_asked"


def test_who_stopped_it_is_told_as_it_was() -> None:
    asked, actions = advance(STATES["in_progress"], p.CancelAsked("timeout"))
    assert p.StopOnTerminal() in actions
    after, _ = advance(asked, c.Canceled("cashier", "6C"))
    assert after.denial is not None
    assert (after.denial.code, after.denial.cancel_reason) == ("canceled_timeout", "timeout")
    by_card, _ = advance(STATES["in_progress"], c.Canceled("cardholder", "6C"))
    assert by_card.denial is not None
    assert by_card.denial.code == "canceled_by_cardholder"


def test_a_person_may_have_seen_a_smaller_amount_on_the_slip() -> None:
    seen = p.Resolved("approved", "anna", "123456", "merchant_slip", c.Money(2000, EUR))
    after, actions = advance(STATES["in_doubt"], seen)
    assert (after.status, after.captured) == (Status.APPROVED, c.Money(2000, EUR))
    assert after.discrepancies == ()
    assert p.Settle() in actions


def test_a_person_who_saw_another_amount_than_was_offered_is_shown_both() -> None:
    doubtful = replace(STATES["in_doubt"], offer=APPROVAL)
    seen = p.Resolved("approved", "anna", "123456", "merchant_slip", c.Money(2000, EUR))
    after, _ = advance(doubtful, seen)
    assert after.captured == c.Money(2000, EUR)
    (odd,) = after.discrepancies
    assert (odd.kind, odd.approval) == ("another_amount", APPROVAL)


GIFT_IN_DOUBT = replace(
    STATES["in_doubt"], request=replace(REQUEST, terminal_id=p.GIFT_CARDS), offer=APPROVAL
)


def test_a_hold_that_a_person_called_not_charged_is_released_until_that_is_done() -> None:
    denied, actions = advance(GIFT_IN_DOUBT, p.Resolved("not_charged", "anna"))
    assert p.StopOnTerminal() in actions
    assert denied.owes_release
    assert not denied.is_settled, "the next process must find it"
    same, again = advance(denied, p.Restarted())
    assert (same, again) == (denied, (p.StopOnTerminal(),))
    done, _ = advance(denied, p.HoldEnded())
    assert done.is_settled
    assert advance(done, p.Restarted()) == (done, ())


def test_a_hold_that_cannot_be_released_is_shown_to_a_person() -> None:
    denied, _ = advance(GIFT_IN_DOUBT, p.Resolved("not_charged", "anna"))
    stuck, actions = advance(denied, p.HoldEnded("UNKNOWN_TRANSACTION"))
    assert [odd.kind for odd in stuck.discrepancies] == ["hold_not_released"]
    assert p.Publish() in actions
    assert not stuck.is_settled
    assert advance(stuck, p.Restarted()) == (stuck, ()), "only a person can help"
    noted, _ = advance(stuck, p.Decided("noted", "anna"))
    assert noted.is_settled


def test_a_card_s_payment_owes_no_release() -> None:
    doubtful = replace(STATES["in_doubt"], offer=APPROVAL)
    denied, _ = advance(doubtful, p.Resolved("not_charged", "anna"))
    assert not denied.owes_release

"""A signature keeps its payment out of the books until somebody accepts it, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.money import payment as p
from bridge.money.background.signature_reversals import (
    ATTEMPTS_MAX,
    LOOK_SECONDS,
    REASON,
    Reversals,
    SignaturePolicy,
    void_id,
)
from bridge.money.ledger import Ledger
from bridge.money.payment import Funds, Recording, Status
from bridge.money.payment.machine import advance
from bridge.money.payment.signature import ReversalFailed, Signature, SignatureJudged
from bridge.money.split_payment import Done, EndHold, Wait, load_step, next_step
from drivers import contract as c
from tests.unit.money.test_ledger import AT, EUR, SALE, Disk, approval, request
from tests.unit.money.test_payment import APPROVAL, REQUEST, STATES
from tests.unit.money.test_plan import HELD_1, HELD_2, PAID, PLAN

SIGNED = replace(APPROVAL, card=c.Card("visa", verification="signature"))
SLIP = c.Receipt("merchant", ("sign here",), requires_signature=True)
YES = SignatureJudged(accepted=True, by="anna")
NO = SignatureJudged(accepted=False, by="anna")
SILENCE = SignatureJudged(accepted=True)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory, executor: ThreadPoolExecutor) -> Iterator[Disk]:
    disk = Disk(tmp_path_factory.mktemp("signing") / "journal.sqlite", executor)
    yield disk
    disk.close()


# --- the rules


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


# --- plans and loads


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


# --- the books


async def sign(ledger: Ledger, wanted: p.PaymentRequest, minor: int = 4790) -> str:
    """Pay with a signature."""
    await ledger.accept(wanted, p.Started(c.Baseline("")))
    said = replace(
        approval(minor, f"T1/{wanted.payment_id[-3:]}"),
        card=c.Card("visa", verification="signature"),
    )
    await ledger.apply(wanted.payment_id, c.Approved(said))
    return wanted.payment_id


def recorded(ledger: Ledger) -> list[tuple[str, ...]]:
    """Return the payments of each purchase."""
    return [one.purchase.payment_ids for one in ledger.payments.open_purchases()]


async def test_the_books_hear_of_it_with_the_answer(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1, "S1", sale=SALE))
    assert recorded(ledger) == []
    assert [one.payment_id for one in ledger.payments.unsigned()] == [payment_id]
    await ledger.apply(payment_id, YES)
    assert recorded(ledger) == [(payment_id,)]
    assert ledger.payments.unsigned() == []


async def test_an_open_question_survives_the_process(disk: Disk) -> None:
    payment_id = await sign(disk.ledger(), request(1, "S1", sale=SALE))
    again = await disk.reborn()
    assert [one.payment_id for one in again.payments.unsigned()] == [payment_id]
    assert again.payments.signature_asked.is_set()
    await again.apply(payment_id, NO)
    third = await disk.reborn()
    (account,) = third.payments.unsigned()
    assert account.payment.signature is Signature.REFUSED
    assert recorded(third) == []


async def test_the_other_half_of_a_sale_does_not_take_a_signature_to_the_books(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    first = await sign(ledger, request(1, "S1", 2000, sale=SALE), 2000)
    second = await sign(ledger, request(2, "S1", 2790), 2790)
    await ledger.apply(second, YES)
    assert recorded(ledger) == []
    await ledger.apply(first, YES)
    assert [set(one) for one in recorded(ledger)] == [{first, second}]


async def test_lines_that_come_later_wait_for_the_answer_too(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1, "S1", lines_later=True))
    await ledger.attach("till-1/S1", SALE)
    assert recorded(ledger) == []
    assert ledger.payments.overdue("9999") == [], "nobody gives up while the clerk is asked"
    await ledger.apply(payment_id, YES)
    (purchase,) = ledger.payments.open_purchases()
    assert purchase.purchase.content.sale == SALE


async def test_without_books_an_answer_leaves_nothing_to_do(disk: Disk) -> None:
    ledger = disk.ledger(books=False)
    payment_id = await sign(ledger, request(1))
    account = await ledger.apply(payment_id, YES)
    assert account.payment.recording is Recording.NOT_REQUIRED
    assert recorded(ledger) == []


# --- waiting and reversing


class Counter:
    """A terminal's line, and a terminal that does nothing by itself."""

    def __init__(self, *operations: str) -> None:
        self.capabilities = c.Capabilities(frozenset(operations), "last_transaction", "any_time")
        self.lined_up: list[str] = []

    def line_up(self, payment_id: str) -> None:
        self.lined_up.append(payment_id)

    def release(self, payment_id: str) -> None:
        self.lined_up.remove(payment_id)


class Watch:
    """A store's clock, as a test sets it, and its broker."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat(AT).replace(tzinfo=UTC)
        self.connected = True


class Looking:
    """`Reversals` at work on a ledger."""

    def __init__(self, ledger: Ledger, *operations: str) -> None:
        self.watch = Watch()
        self.counter = Counter(*operations)
        self.reversals = Reversals(
            ledger,
            {"counter-1": self.counter},
            SignaturePolicy(answer_seconds=120.0),
            retry_seconds=0.0,
            now=lambda: self.watch.now,
            is_connected=lambda: self.watch.connected,
        )

    async def look(self, seconds: float = 0.0) -> None:
        """Let time go by, and let them look once or twice."""
        self.watch.now += timedelta(seconds=seconds)
        task = asyncio.get_running_loop().create_task(self.reversals.run())
        await asyncio.sleep(LOOK_SECONDS / 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_silence_stands_also_while_the_broker_is_away(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1))
    looking = Looking(ledger, "void")
    looking.watch.connected = False
    await looking.look(119.0)
    assert ledger.payments.unsigned()
    await looking.look(2.0)
    assert ledger.payments.unsigned() == []
    assert recorded(ledger) == [(payment_id,)]


async def test_a_void_is_begun_once_also_after_a_restart(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1))
    await ledger.apply(payment_id, NO)
    looking = Looking(ledger, "void")
    await looking.look()
    await looking.look()
    name = void_id(payment_id, 0)
    assert looking.counter.lined_up == [name]
    void = ledger.payments.get(name)
    assert void is not None
    assert (void.payment.request.type, void.payment.request.reason) == (p.PaymentType.VOID, REASON)
    assert void.payment.request.register_id == "till-1"
    await ledger.apply(name, p.Started(None))
    again = await disk.reborn()
    later = Looking(again, "void")
    await later.look()
    assert later.counter.lined_up == [], "the void is in doubt: its outcome decides"


async def test_a_void_that_never_reached_the_terminal_is_tried_again_and_not_for_ever(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1))
    await ledger.apply(payment_id, NO)
    looking = Looking(ledger, "void")
    for attempt in range(ATTEMPTS_MAX):
        await looking.look()
        assert looking.counter.lined_up[-1] == void_id(payment_id, attempt)
        await ledger.apply(void_id(payment_id, attempt), p.NotReached("terminal_offline"))
    await looking.look()
    assert len(looking.counter.lined_up) == ATTEMPTS_MAX
    account = ledger.payments.get(payment_id)
    assert account is not None
    assert account.payment.signature is Signature.NOT_REVERSED
    assert recorded(ledger) == [(payment_id,)]


@pytest.mark.parametrize(
    "ending",
    [(p.Started(None), c.Declined("05")), (p.CancelAsked("cashier"),)],
    ids=["declined", "stopped by a cashier"],
)
async def test_a_void_that_somebody_said_no_to_is_not_tried_again(
    disk: Disk, ending: tuple[p.Event, ...]
) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1))
    await ledger.apply(payment_id, NO)
    looking = Looking(ledger, "void")
    await looking.look()
    for event in ending:
        await ledger.apply(void_id(payment_id, 0), event)
    await looking.look()
    assert looking.counter.lined_up == [void_id(payment_id, 0)]
    account = ledger.payments.get(payment_id)
    assert account is not None
    assert account.payment.signature is Signature.NOT_REVERSED


async def test_a_terminal_that_takes_nothing_back_leaves_it_to_a_person(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1))
    await ledger.apply(payment_id, NO)
    looking = Looking(ledger, "sale")
    await looking.look()
    assert looking.counter.lined_up == []
    account = ledger.payments.get(payment_id)
    assert account is not None
    assert account.payment.signature is Signature.NOT_REVERSED
    assert recorded(ledger) == [(payment_id,)]


async def test_a_refund_that_runs_already_decides_first(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await sign(ledger, request(1))
    refund = request(
        2,
        minor=4790,
        type=p.PaymentType.REFUND,
        original_payment_id=payment_id,
        original_sale_key=payment_id,
    )
    await ledger.accept(refund, p.Started(None))
    await ledger.apply(payment_id, NO)
    looking = Looking(ledger, "void")
    await looking.look()
    assert looking.counter.lined_up == []
    await ledger.apply(refund.payment_id, c.Approved(approval(4790, "T1/9")))
    await looking.look()
    assert looking.counter.lined_up == []
    assert ledger.payments.unsigned() == []
    assert recorded(ledger) == []

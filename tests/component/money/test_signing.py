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
from bridge.money.payment import Recording
from bridge.money.payment.signature import Signature
from drivers import contract as c
from tests.component.money.test_ledger import AT, SALE, Disk, approval, request
from tests.unit.money.payment.test_signature import NO, YES


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory, executor: ThreadPoolExecutor) -> Iterator[Disk]:
    disk = Disk(tmp_path_factory.mktemp("signing") / "journal.sqlite", executor)
    yield disk
    disk.close()


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
    assert ledger.payments.overdue("9999") == [], "nobody gives up while the cashier is asked"
    await ledger.apply(payment_id, YES)
    (purchase,) = ledger.payments.open_purchases()
    assert purchase.purchase.content.sale == SALE


async def test_without_books_an_answer_leaves_nothing_to_do(disk: Disk) -> None:
    ledger = disk.ledger(books=False)
    payment_id = await sign(ledger, request(1))
    account = await ledger.apply(payment_id, YES)
    assert account.payment.recording is Recording.NOT_REQUIRED
    assert recorded(ledger) == []


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
        await asyncio.sleep(LOOK_SECONDS / 2)
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

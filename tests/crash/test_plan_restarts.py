"""A split payment whose process dies at any commit: nothing taken twice, nothing held for ever.

Virtual time, a real journal, the simulated back office, and a terminal that remembers. A process
dies before a commit (nothing of it is on disk) or after it (nobody heard that it is).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from bridge.money import payment as p
from bridge.money.background.split_payments import SplitPayments
from bridge.money.store.journal import Change, Journal
from drivers.contract import Approval, Approved, Card, Declined, Failed, Money
from simulators.back_office.records import TransStatus
from tests.component.backoffice.test_giftcard_plans import CARD_ID, PLAN, SECOND, legs
from tests.support.gift_card_store import PIN, Store
from tests.support.office import play

Side = Literal["before", "after"]

WIRE_SECONDS = 0.25  # the back office takes its time, so that deaths fall between its two ends
TERMINAL_SECONDS = 1.0
ENOUGH_SECONDS = 900.0  # longer than any quiet time and any retry
COMMITS_MAX = 60  # of one plan; there are about thirty


class Fuse:
    """Burns at the n-th commit; then its process is dead, whatever it still wants to do."""

    def __init__(self, left: int, side: Side) -> None:
        self.left = left
        self.side = side
        self.burnt = asyncio.Event()


def journal_with(fuse: Fuse) -> type[Journal]:
    """Return a journal whose process dies when the fuse burns."""

    class FusedJournal(Journal):
        def append(self, change: Change, *, urgent: bool = True) -> asyncio.Future[int]:
            never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            fuse.left -= 1
            if fuse.left > 0:
                return super().append(change, urgent=urgent)
            if fuse.left == 0 and fuse.side == "after":
                super().append(change, urgent=urgent).add_done_callback(lambda _: fuse.burnt.set())
            else:
                fuse.burnt.set()
            return never

    return FusedJournal


class Shop:
    """A store with a plan, and a terminal that remembers what it charged."""

    def __init__(self, store: Store, *, pays: bool) -> None:
        self.store = store
        self.pays = pays
        self.charges: list[str] = []
        self.nameless: set[str] = set()  # holds that only a person can end, by their reference
        self.plans: SplitPayments
        self.plans_type: type[SplitPayments] = SplitPayments  # a planted bug is a subclass
        store.world.wire.delay_seconds = WIRE_SECONDS
        store.state.gift_card_add(code=SECOND.code, pin=PIN, balance=Decimal(10))

    @asynccontextmanager
    async def alive(self, fuse: Fuse) -> AsyncIterator[None]:
        """Live within the block, or until the fuse burns."""
        self.store.journal_type = journal_with(fuse)
        loop = asyncio.get_running_loop()
        async with self.store.alive():
            self.plans = self.plans_type(self.store.ledger, lambda _terminal, _payment: None)
            self.plans.recover()
            tasks = [loop.create_task(one) for one in (self.plans.run(), self._terminal())]
            try:
                yield
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _terminal(self) -> None:
        ledger = self.store.ledger
        queue = ledger.work("counter-1")
        while True:
            await asyncio.sleep(0.05)
            work = queue.take_due(asyncio.get_running_loop().time())
            if work is None:
                continue
            match work.action:
                case p.StartOnTerminal():
                    await ledger.apply(work.payment_id, p.Started(None))
                    await asyncio.sleep(TERMINAL_SECONDS)
                    if self.pays:
                        self.charges.append(work.payment_id)
                    await ledger.apply(work.payment_id, self._answer())
                case p.AskTerminal():
                    known = work.payment_id in self.charges
                    said = self._answer() if known else Failed("last_transaction", "not_executed")
                    await ledger.apply(work.payment_id, said)
                case _:
                    pass

    def _answer(self) -> p.Event:
        if not self.pays:
            return Declined("05")
        return Approved(Approval(Money(1790, "EUR"), "T/1", card=Card("visa", "Visa")))

    async def start(self) -> None:
        """Have a register start the plan."""
        wanted = legs(PLAN)
        for one in wanted:
            if one.gift_card is not None:
                self.store.cards.keep_pin(one.payment_id, PIN)
        await self.store.ledger.accept(wanted[0])
        self.plans.carry(wanted)

    async def rest(self) -> None:
        """Wait until nothing is left to do; a person answers what only a person can."""
        ledger = self.store.ledger
        for _ in range(int(ENOUGH_SECONDS)):
            await asyncio.sleep(1.0)
            plan = [one.payment for one in ledger.payments.in_memory() if one.payment.request.plan]
            if plan and all(one.is_final and not one.held_minor for one in plan):
                return
            for one in ledger.payments.unfinished():
                if one.payment.doubt is not None and one.payment.doubt.evidence_lost:
                    if one.payment.request.type is p.PaymentType.CAPTURE:
                        await self._look_up(one.payment)
                        continue
                    assert one.payment.request.type is p.PaymentType.PREAUTH
                    self.nameless.add(one.payment_id)
                    await ledger.apply(one.payment_id, p.Resolved("not_charged", "anna"))
        raise AssertionError("something is held or open for ever")

    async def _look_up(self, capture: p.Payment) -> None:
        """Have a person look in the back office whether a hold was captured, and answer so."""
        found = self.store.state.transactions.values()
        (hold,) = [one for one in found if one.ref_no == capture.request.original_payment_id]
        assert hold.status is TransStatus.COMPLETED, "only a capture that was done goes unconfirmed"
        answer = p.Resolved("approved", "anna", hold.id)
        await self.store.ledger.apply(capture.request.payment_id, answer)

    def judge(self) -> None:
        """Compare the terminal, the gift cards and what the books will be told."""
        state, ledger = self.store.state, self.store.ledger
        assert len(self.charges) <= 1, "the card is charged once at most"
        transactions = list(state.transactions.values())
        assert len({one.ref_no for one in transactions}) == len(transactions), "one leg, one hold"
        left = [one for one in transactions if one.ref_no in self.nameless]
        assert all(one.status is TransStatus.AUTHORIZED for one in left), "a person sees to them"
        statuses = {one.status for one in transactions if one not in left}
        balance = sum(card.balance for card in state.gift_cards.values())
        held = -sum(one.amount for one in left)
        booked = [one.purchase.content.pay_amount.minor for one in ledger.payments.open_purchases()]
        if self.charges:
            assert (balance, statuses, held) == (Decimal(30), {TransStatus.COMPLETED}, 0)
            assert booked == [4790]
        else:
            assert balance + held == Decimal(60)
            assert statuses <= {TransStatus.CANCELLED}
            assert booked == []
        card = ledger.payments.get(CARD_ID)
        took = card is not None and card.payment.captured.minor
        assert bool(took) is bool(self.charges), "what is told is what happened"


async def one_life_after_another(shop: Shop, fuses: list[tuple[int, Side]]) -> int:
    """Play a plan whose processes die as `fuses` say; return how many of them burnt."""
    burnt = 0
    for number, (left, side) in enumerate((*fuses, (COMMITS_MAX * 100, "after"))):
        fuse = Fuse(left, side)
        living = asyncio.get_running_loop().create_task(_live(shop, fuse, first=number == 0))
        dying = asyncio.get_running_loop().create_task(fuse.burnt.wait())
        await asyncio.wait({living, dying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (living, dying):
            task.cancel()
        await asyncio.gather(living, dying, return_exceptions=True)
        if not fuse.burnt.is_set():
            living.result()
            break
        burnt += 1
        await asyncio.sleep(2.0)  # what had left for the back office arrives there
    shop.judge()
    return burnt


async def _live(shop: Shop, fuse: Fuse, *, first: bool) -> None:
    async with shop.alive(fuse):
        known = shop.store.ledger.payments.get(PLAN.legs[0].payment_id) is not None
        if first or not known:
            await shop.start()  # a register repeats what it never heard was accepted
        await shop.rest()


def run(
    folder: Path,
    fuses: list[tuple[int, Side]],
    *,
    pays: bool,
    plans_type: type[SplitPayments] = SplitPayments,
) -> int:
    """Play in virtual time; return how many fuses burnt."""
    folder.mkdir()
    counted = 0

    async def inside() -> None:
        nonlocal counted
        shop = Shop(Store(folder), pays=pays)
        shop.plans_type = plans_type
        counted = await one_life_after_another(shop, fuses)

    play(inside)
    return counted


@pytest.mark.parametrize(
    ("pays", "side"),
    [
        (True, "after"),
        (False, "before"),
        (True, "before"),
        (False, "after"),
    ],
)
def test_a_plan_that_dies_at_any_commit_ends_whole_or_not_at_all(
    tmp_path: Path, pays: bool, side: Side
) -> None:
    for nth in range(1, COMMITS_MAX):
        if run(tmp_path / f"{nth}", [(nth, side)], pays=pays) == 0:
            assert nth > 10, "a plan has more commits than that"
            return
    raise AssertionError(f"a plan with {COMMITS_MAX} commits")


@pytest.mark.slow
@pytest.mark.parametrize("pays", [True, False])
@pytest.mark.parametrize("second", [1, 2, 4])
def test_a_plan_that_dies_again_while_it_recovers_ends_whole_or_not_at_all(
    tmp_path: Path, pays: bool, second: int
) -> None:
    for first in range(2, 18):
        side: Side = "after" if (first + second) % 2 else "before"
        run(tmp_path / f"{first}", [(first, side), (second, "after")], pays=pays)


class ForgetfulPlans(SplitPayments):
    """Forgets what was begun before the process died."""

    def recover(self) -> None:
        """Find nothing."""


class IdlePlans(SplitPayments):
    """Finds what was begun, and ends nothing of it."""

    async def _end(self, *_arguments: object) -> bool:
        """End no hold: somebody may still want it."""
        return False


@pytest.mark.parametrize("mutant", [ForgetfulPlans, IdlePlans])
def test_the_judge_sees_a_hold_that_nobody_ends(
    tmp_path: Path, mutant: type[SplitPayments]
) -> None:
    with pytest.raises(AssertionError, match="held or open for ever"):
        run(tmp_path / "plan", [(6, "after")], pays=False, plans_type=mutant)

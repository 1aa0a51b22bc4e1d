"""A doubt grows old over all lives of the service, whatever clocks do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.commit_decision import BooksPolicy
from bridge.money.doubt_age import DOUBT_AGED_SECONDS, MEASURE_SECONDS, DoubtAges
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from drivers.contract import Baseline, Money, Unclear

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAYMENT = p.PaymentRequest(
    payment_id="018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",
    register_id="till-1",
    terminal_id="counter-1",
    type=p.PaymentType.SALE,
    amount=Money(4790, "EUR"),
    content_hash="h",
)


class Site:
    """A journal over several lives, a wall clock that can be set, and a loop's clock."""

    def __init__(self, path: Path, executor: ThreadPoolExecutor) -> None:
        self.wall = NOON
        self.loop_now = 1000.0
        self._open = partial(open_database, path)
        self._executor = executor
        self.ledger: Ledger
        self._ages: DoubtAges

    async def live(self) -> None:
        """Begin a life; the one before has ended."""
        self.loop_now += 5000.0  # another boot, another monotonic clock
        self.ledger = Ledger(
            Journal(self._open(), self._executor),
            books=BooksPolicy("S012"),
            now=lambda: self.wall.isoformat().replace("+00:00", "Z"),
            local_now=lambda: "",
        )
        await self.ledger.recover()
        self._ages = DoubtAges(self.ledger)
        await self.look()

    async def fall_into_doubt(self) -> None:
        await self.ledger.accept(PAYMENT, p.Started(Baseline("")))
        await self.ledger.apply(PAYMENT.payment_id, Unclear("link_lost"))
        await self.look()

    async def wait(self, seconds: float) -> None:
        """Let time pass, and look as often as it is asked for."""
        end = self.loop_now + seconds
        while True:
            due = min([one for one in self._ages.next_at() if one > self.loop_now], default=end)
            self.loop_now, self.wall = (
                min(due, end),
                self.wall + timedelta(seconds=min(due, end) - self.loop_now),
            )
            await self.look()
            if self.loop_now >= end:
                await asyncio.sleep(0.05)  # what nobody waits for is written now
                return

    async def look(self) -> None:
        await self._ages.look(self.loop_now, [PAYMENT.payment_id])

    @property
    def calls_a_person(self) -> bool:
        account = self.ledger.payments.get(PAYMENT.payment_id)
        assert account is not None
        assert account.payment.doubt is not None
        return account.payment.doubt.needs_operator


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def site(tmp_path: Path, executor: ThreadPoolExecutor) -> Site:
    site = Site(tmp_path / "journal.sqlite", executor)
    await site.live()
    return site


async def test_a_person_is_called_90_s_after_a_doubt_began_and_not_before(site: Site) -> None:
    await site.fall_into_doubt()
    await site.wait(DOUBT_AGED_SECONDS - 1)
    assert not site.calls_a_person
    await site.wait(1)
    assert site.calls_a_person


@pytest.mark.parametrize("life_seconds", [60, 7])
async def test_a_doubt_grows_old_however_often_the_service_is_restarted(
    site: Site, life_seconds: int
) -> None:
    await site.fall_into_doubt()
    waited = 0
    while waited + life_seconds < DOUBT_AGED_SECONDS:
        await site.wait(life_seconds)
        waited += life_seconds
        assert not site.calls_a_person
        await site.live()
    await site.wait(DOUBT_AGED_SECONDS - waited)
    assert site.calls_a_person


async def test_time_in_which_the_service_was_down_counts(site: Site) -> None:
    await site.fall_into_doubt()
    site.wall += timedelta(seconds=DOUBT_AGED_SECONDS)
    await site.live()
    assert site.calls_a_person


async def test_a_clock_that_is_set_back_at_every_start_keeps_no_doubt_young(site: Site) -> None:
    await site.fall_into_doubt()
    lives = 0
    while not site.calls_a_person:
        site.wall = NOON - timedelta(days=400)
        await site.live()
        await site.wait(4 * MEASURE_SECONDS)
        lives += 1
        assert lives < 4, "40 s each"


async def test_a_clock_that_is_set_ahead_in_one_life_ages_no_doubt(site: Site) -> None:
    await site.fall_into_doubt()
    site.wall += timedelta(days=400)
    await site.wait(DOUBT_AGED_SECONDS - 1)
    assert not site.calls_a_person


@pytest.mark.parametrize("began", [3.05 + 0.000000014 * step for step in range(12)])
async def test_a_look_at_the_time_it_asked_for_always_comes_to_something(
    site: Site, began: float
) -> None:
    """A look that comes to nothing is asked for again at once, for ever where time stands still."""
    await site.live()
    site.loop_now = began
    await site.fall_into_doubt()
    for _ in range(12):
        due = site._ages.next_at()
        if not due:
            return
        site.wall += timedelta(seconds=due[0] - site.loop_now)
        site.loop_now = due[0]
        await site.look()
        assert site._ages.next_at() != due

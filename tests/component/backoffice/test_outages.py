"""A minute of each kind of outage while 40 sales are due: what is left for a person afterwards.

The back office is the simulated one behind its own HTTP, in virtual time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX, QUERY_SECONDS_MAX, Recorder
from bridge.money import purchase as s
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from bridge.purchase_answers import PurchaseAnswers
from simulators.back_office.faults import UNLIMITED, fault_named
from simulators.back_office.resolvers import TILL_PERMISSIONS
from tests.component.backoffice.test_purchase_recorder import pay
from tests.support.office import World, play
from tests.unit.backoffice.test_purchase_recorder import NOW

SALES = 40
OUTAGE_SECONDS = 60.0
AFTERWARDS_SECONDS = 900.0

PROVEN = ("moved_307", "portal_302", "not_found_404", "proxy_407", "too_many_429", "empty_401")
UNPROVEN = ("html_503", "gzip_503", "problem_503", "html_200", "drop_before_apply")


class Tokens:
    """A login whose tokens the API knows; each that it turns away is replaced."""

    def __init__(self) -> None:
        self.count = 0

    async def access_token(self) -> str:
        return f"token-{self.count}"

    async def reject(self, token: str) -> None:
        if token == await self.access_token():
            self.count += 1


class Store:
    """A store with sales to record, and the back office that is to have them."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory)
        self.world.office._authenticate = lambda _token: "paybridge"
        self.connection = open_database(directory / "journal.sqlite")
        self.ledger = Ledger(
            Journal(self.connection, None),
            books=BooksPolicy("S"),
            now=lambda: NOW,
            local_now=lambda: NOW[:19],
        )
        tokens = Tokens()
        self.recorder = Recorder(
            self.ledger, self.world.api(tokens), tokens, random.Random(directory.name)
        )

    @asynccontextmanager
    async def recording(self, sales: int) -> AsyncIterator[None]:
        for number in range(sales):
            await pay(self.ledger, number)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.recorder.run()) for _ in range(IN_FLIGHT_MAX)]
            with suppress(asyncio.CancelledError):
                yield
            for task in tasks:
                task.cancel()
        self.connection.close()

    def named(self, *states: str) -> list[str]:
        """Return the transaction ids of purchases in these states."""
        found = (one.purchase for one in self.ledger.payments._purchases.values())
        return [one.content.transaction_id for one in found if one.state.value in states]

    def in_books(self, names: Iterable[str]) -> list[int]:
        return [len(self.world.office.state.purchases_of(name)) for name in names]


@pytest.mark.parametrize("kind", [*PROVEN, *UNPROVEN])
def test_an_outage_leaves_to_a_person_only_what_was_under_way(tmp_path: Path, kind: str) -> None:
    async def main() -> None:
        store = Store(tmp_path)
        store.world.office.faults.add(fault_named(kind, times=UNLIMITED))
        async with store.recording(SALES):
            await asyncio.sleep(OUTAGE_SECONDS)
            assert not store.named("recorded", "rejected")
            store.world.office.faults.clear()
            await asyncio.sleep(AFTERWARDS_SECONDS)
        lost = store.named("unconfirmed")
        assert len(lost) <= (0 if kind in PROVEN else IN_FLIGHT_MAX)
        recorded = store.named("recorded")
        assert len(recorded) == SALES - len(lost)
        assert store.in_books(recorded) == [1] * len(recorded)
        assert store.in_books(lost) == [0] * len(lost)
        assert store.recorder.problem == ""
        assert store.recorder.reachable

    play(main)


@pytest.mark.parametrize("kind", PROVEN)
def test_an_outage_is_over_as_soon_as_a_query_says_so(tmp_path: Path, kind: str) -> None:
    async def main() -> None:
        store = Store(tmp_path)
        store.world.office.faults.add(fault_named(kind, times=UNLIMITED))
        async with store.recording(SALES):
            await asyncio.sleep(600.0)
            assert len(store.world.wire.sent) < 80, "a door that is shut is not hammered at"
            store.world.office.faults.clear()
            await asyncio.sleep(QUERY_SECONDS_MAX + 5.0)
            assert len(store.named("recorded")) == SALES

    play(main)


def test_a_permission_that_is_granted_later_lets_everything_through(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path)
        office = store.world.office
        office.permissions["paybridge"] = TILL_PERMISSIONS - {"AddPurchase"}
        async with store.recording(SALES):
            await asyncio.sleep(600.0)
            assert "AddPurchase" in store.recorder.problem
            assert len(store.named("pending")) == SALES
            office.permissions["paybridge"] = TILL_PERMISSIONS
            await asyncio.sleep(600.0)
            assert store.recorder.problem == ""
        names = store.named("recorded")
        assert len(names) == SALES
        assert store.in_books(names) == [1] * SALES

    play(main)


def test_an_account_that_may_not_use_the_api_is_named_and_loses_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path)
        store.world.office.faults.add(fault_named("empty_401", times=UNLIMITED))
        async with store.recording(3):
            await asyncio.sleep(300.0)
            assert "ExecuteGraphQL" in store.recorder.problem
            store.world.office.faults.clear()
            await asyncio.sleep(60.0)
        assert len(store.named("recorded")) == 3

    play(main)


def test_a_mended_purchase_arrives_once_and_as_it_was_mended(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path)
        office = store.world.office
        office.faults.add(fault_named("validation", operation="purchaseAdd"))
        async with store.recording(3):
            await asyncio.sleep(30.0)
            (name,) = store.named("rejected")
            answers = PurchaseAnswers(store.ledger, store.world.api(Tokens()))
            await answers.mend(name, s.Mended("anna", "moved", "S021", ((1, "NEW"),), "M7"))
            await asyncio.sleep(30.0)
        assert len(store.named("recorded")) == 3
        (purchase,) = office.state.purchases_of(name)
        assert purchase.request["storeCode"] == "S021"
        assert purchase.request["memberId"] == "M7"
        assert purchase.request["lineItems"][0]["sku"] == "NEW"

    play(main)


def test_what_is_due_goes_eight_at_a_time_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path)
        store.world.wire.delay_seconds = 0.2
        count = 80
        async with store.recording(count):
            while store.ledger.payments.open_purchases():  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.2)
            assert len(store.named("recorded")) == count
            sent = [at for at, _ in store.world.wire.sent]
            assert len(sent) == count
            assert sent[-1] + 0.2 - sent[0] <= 1.3 * count * 0.2 / IN_FLIGHT_MAX
            assert store.recorder.waiting == 0

    play(main)

"""kill -9 at every labelled point of a sale; then terminal, journal and books are compared.

Labels and their numbers: RELIABILITY section 4b, C1 to C20. The register behaves as the contract
asks: it sends the same request again until it has a response.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.end_to_end.parts import QUICK_TERMINAL, Store, open_store, plan
from tests.end_to_end.program import Json, Program
from tests.support.commands import start_fields

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio(loop_scope="module")]

KILLED = -signal.SIGKILL
COMMITS_MAX = 60  # of one sale; there are about fifteen
NEXT_AMOUNT = itertools.count(1000)  # every payment has an amount of its own, see the judge
UNPLUGGED = plan(mischief=[{"kind": "unplug", "at": "replied", "seconds": 0.3}])
RETRY_CODES = {"terminal_offline", "terminal_busy", "terminal_maintenance"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crash_store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """Broker, terminal and back office that outlive every service; no service runs yet."""
    folder = tmp_path_factory.mktemp("crash")
    async with open_store(folder, terminal_module=QUICK_TERMINAL) as store:
        # A terminal with an empty memory cannot tell that nothing was added to it.
        await store.till.recorded(await store.till.start("9.99"))
        assert await store.bridge.stop() == 0
        yield store


class Sale:
    """One payment of a patient register."""

    def __init__(self, store: Store) -> None:
        amount = next(NEXT_AMOUNT)
        self.payment_id = str(uuid.uuid4())
        self.fields = start_fields(self.payment_id, f"{amount // 100}.{amount % 100:02d}")
        self._store = store

    def request(self) -> Json:
        """Return the request, good for the next 15 s."""
        moment = datetime.now(UTC) + timedelta(seconds=15)
        until = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {**self.fields, "expires_at": until}

    async def insist(self) -> None:
        """Send the request until it is accepted; a terminal that is not ready is waited for."""
        till = self._store.till
        while True:
            answer = await till.ask("payment/start", self.request())
            if answer["status"] == "accepted":
                return
            assert answer["error"]["code"] in RETRY_CODES, answer
            await till.ready()

    async def settled(self) -> Json:
        """Wait until its outcome is known and, if captured, the books were told."""
        till, payment_id = self._store.till, self.payment_id
        document = await till.document(payment_id, lambda d: d["final"], seconds=30)
        if document["status"] == "approved":
            document = await till.document(
                payment_id, lambda d: d["recording"]["status"] in {"recorded", "unconfirmed"}
            )
        return document


async def die(store: Store, sale: Sale, label: str, nth: int = 1) -> bool:
    """Run a service that dies at `label` in `sale`; False if it never came there."""
    killer = Program(
        store.folder,
        "killer",
        *("tests.crash.killer", "--config", str(store.config), "--at", label, "--nth", str(nth)),
    )
    after = len(store.till.heard)
    await killer.start()
    try:
        await store.till.ready(after=await store.till.online(after=after))
        await store.till.send("payment/start", sale.request())
        dead = asyncio.create_task(killer.ended())
        done = asyncio.create_task(_through(store, sale))
        await asyncio.wait({dead, done}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()
        if not dead.done():
            killer.signal(signal.SIGKILL)
            await dead
            return False
        assert dead.result() == KILLED, [killer.log[-2000:], store.till.documents(sale.payment_id)]
        return True
    finally:
        await killer.kill()


async def die_at_the_start(store: Store, label: str) -> None:
    """Run a service that dies at `label` before it is ready."""
    killer = Program(
        store.folder,
        "killer",
        *("tests.crash.killer", "--config", str(store.config), "--at", label),
    )
    await killer.launch()
    try:
        assert await killer.ended() == KILLED, killer.log[-2000:]
    finally:
        await killer.kill()


async def _through(store: Store, sale: Sale) -> None:
    """The whole life of a sale as the register sees it."""
    document = await sale.settled()
    acknowledgement = {"payment_id": sale.payment_id, "rev": document["rev"]}
    await store.till.ask("payment/acknowledge", acknowledgement)
    topic = f"{store.till.prefix}/payments/{sale.payment_id}"
    await store.till.until(
        lambda: [o for o in store.till.heard if o.topic == topic and not o.payload] or None,
        "an emptied document",
    )


async def live_on(store: Store, sale: Sale) -> Json:
    """Start the service again and see the sale to its end; then the judge compares."""
    await store.bridge.start()
    try:
        await sale.insist()
        document = await sale.settled()
        await store.check()
    finally:
        await store.bridge.kill()
    return document


def label(name: str, number: str, *, slow: bool = True) -> object:
    """Return one label as a parameter of a test."""
    return pytest.param(name, id=f"{number}_{name}".replace(" ", "_"), marks=SLOW if slow else ())


SLOW = [pytest.mark.slow]


@pytest.mark.parametrize(
    "place",
    [
        label("command in", "C1"),
        label("intent asked", "C1"),
        label("intent committed", "C2_C4", slow=False),
        label("puback asked", "C3"),
        label("puback sent", "C3"),
        label("first byte out", "C5"),
        label("half frame out", "C6", slow=False),
        label("whole frame out", "C7"),
        label("link acknowledged", "C8"),
        label("stage in", "C9"),
        label("result in", "C10"),
        label("offer asked", "C10"),
        label("offer committed", "C11"),
        label("offer accepted", "C11"),
        label("end in", "C11"),
        label("outcome asked", "C11"),
        label("outcome committed", "C11", slow=False),
        label("attempt asked", "C14"),
    ],
)
async def test_a_sale_that_dies_before_the_books_are_told_ends_well(
    crash_store: Store, place: str
) -> None:
    await crash_store.shopper()
    sale = Sale(crash_store)
    assert await die(crash_store, sale, place)
    document = await live_on(crash_store, sale)
    if document["status"] == "approved":
        assert document["recording"]["status"] == "recorded", "nothing was sent before"


@pytest.mark.parametrize(
    "place", [label("result unpublished", "C12"), label("result published", "C13")]
)
async def test_a_sale_that_dies_while_its_result_is_told_ends_well(
    crash_store: Store, place: str
) -> None:
    await crash_store.shopper()
    sale = Sale(crash_store)
    assert await die(crash_store, sale, place)
    document = await live_on(crash_store, sale)
    # The books are told at the same time, so this attempt may or may not have begun.
    assert document["status"] == "approved"
    assert document["recording"]["status"] in {"recorded", "unconfirmed"}


@pytest.mark.parametrize(
    "place",
    [
        label("attempt committed", "C14"),
        label("purchase answered", "C16", slow=False),
        label("record asked", "C16"),
    ],
)
async def test_a_purchase_that_was_under_way_waits_for_a_person(
    crash_store: Store, place: str
) -> None:
    await crash_store.shopper()
    sale = Sale(crash_store)
    assert await die(crash_store, sale, place)
    document = await live_on(crash_store, sale)
    assert document["recording"]["status"] == "unconfirmed"
    assert len(await crash_store.office.purchases(sale.payment_id)) <= 1


@pytest.mark.slow
async def test_a_recorded_sale_stays_recorded(crash_store: Store) -> None:
    await crash_store.shopper()
    sale = Sale(crash_store)
    assert await die(crash_store, sale, "record committed")
    document = await live_on(crash_store, sale)
    assert document["recording"]["status"] == "recorded"


@pytest.mark.slow
async def test_a_kill_while_the_books_answer_leaves_one_purchase(crash_store: Store) -> None:
    store = crash_store
    await store.shopper()
    await store.office.control(
        {"do": "fault", "fault": "slow", "operation": "purchaseAdd", "delay_seconds": 4}
    )
    sale = Sale(store)
    await store.start_bridge()
    await sale.insist()
    async with asyncio.timeout(10):
        while not await store.office.purchases(sale.payment_id):
            pass
    await store.bridge.kill()
    document = await live_on(store, sale)
    assert document["recording"]["status"] == "unconfirmed"
    assert len(await store.office.purchases(sale.payment_id)) == 1


@pytest.mark.parametrize(
    "place",
    [
        label("doubt asked", "C20"),
        label("doubt committed", "C20"),
        label("inquiry out", "C18"),
        label("inquiry answered", "C19"),
    ],
)
async def test_a_doubt_survives_a_second_misfortune(crash_store: Store, place: str) -> None:
    await crash_store.shopper(UNPLUGGED)
    sale = Sale(crash_store)
    assert await die(crash_store, sale, place)
    await live_on(crash_store, sale)


@pytest.mark.parametrize(
    "place",
    [label("recovery asked", "again", slow=False), label("recovery committed", "again")],
)
async def test_a_sale_that_dies_again_while_it_recovers_ends_well(
    crash_store: Store, place: str
) -> None:
    await crash_store.shopper()
    sale = Sale(crash_store)
    assert await die(crash_store, sale, "whole frame out")
    await die_at_the_start(crash_store, place)
    await live_on(crash_store, sale)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["commit asked", "commit done"])
async def test_a_kill_at_every_commit_of_a_sale_breaks_no_promise(
    crash_store: Store, place: str
) -> None:
    await crash_store.shopper()
    for nth in range(1, COMMITS_MAX):
        sale = Sale(crash_store)
        if not await die(crash_store, sale, place, nth):
            break
        await live_on(crash_store, sale)
    else:
        raise AssertionError(f"a sale with {COMMITS_MAX} commits")
    assert nth > 8, "a sale has more commits than that"

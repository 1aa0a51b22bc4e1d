"""What the simulation found, each by a small scene of its own."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.money import payment as p
from bridge.money.background.signature_reversals import Reversals, SignaturePolicy
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import prepare
from bridge.money.store.journal import Journal
from bridge.terminal.station import Station
from bridge.terminal.status import StationSettings
from drivers import contract as c
from simulators.loop import run_virtual
from tests.protocol.test_zvt_dialogue import APPROVED, YES
from tests.protocol.test_zvt_inquiry import SAME, asking
from tests.simulation.disk import Disk, DiskDoor, Witness, open_journal
from tests.simulation.incarnation import CODEC

REQUEST = p.PaymentRequest(
    payment_id="00000000-0000-7000-8000-000000000001",
    register_id="till-1",
    terminal_id="counter-1",
    type=p.PaymentType.SALE,
    amount=c.Money(4790, "EUR"),
    content_hash="h",
)
AT = "2026-03-02T09:00:00.000Z"


def new_ledger(name: str) -> Ledger:
    disk = Disk(random.Random(0))
    connection = open_journal(DiskDoor(name, disk, random.Random(0)), Witness())
    prepare(connection)
    return Ledger(
        Journal(connection, None, CODEC),
        books=BooksPolicy("S1"),
        now=lambda: AT,
        local_now=lambda: AT[:19],
    )


@dataclass
class Mute:
    """A line on which nothing ever comes."""

    async def read(self) -> bytes:
        await asyncio.get_running_loop().create_future()
        return b""

    def write(self, data: bytes) -> None:
        """Swallow it."""

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Unsure:
    """A dialogue that is ready at once, and never knows what became of a payment."""

    asked_at: list[float]

    def begin(self, operation: c.Operation, now: float) -> c.Step:
        if isinstance(operation, c.Inquire):
            self.asked_at.append(now)
            return c.Step(events=(c.Unclear("ambiguous"),))
        return c.Step(events=(c.TerminalReady(baseline=c.Baseline("old")),))

    def receive(self, data: bytes, now: float) -> c.Step:
        return c.Step(wake_at=now + 1)

    def timeout(self, now: float) -> c.Step:
        return c.Step()

    def line_lost(self, now: float) -> c.Step:
        return c.Step()

    def committed(self, now: float) -> c.Step:
        return c.Step()

    def not_committed(self, now: float) -> c.Step:
        return c.Step()

    def cancel(self, now: float) -> c.Step:
        return c.Step()


@dataclass
class UnsureDriver:
    """Makes `Unsure` dialogues."""

    api: int = 1
    name: str = "unsure"
    version: str = "1"
    settings: type = object
    serial_defaults: c.SerialDefaults = field(default_factory=c.SerialDefaults)
    asked_at: list[float] = field(default_factory=list)

    def capabilities(self, settings: object) -> c.Capabilities:
        return c.Capabilities(frozenset({"sale"}), "last_transaction", "any_time", exclusive=True)

    def dialogue(self, settings: object, transport: str) -> c.Dialogue:
        return Unsure(self.asked_at)


def test_a_doubt_without_evidence_is_asked_about_in_the_published_rhythm() -> None:
    driver = UnsureDriver()

    async def scene() -> None:
        ledger = new_ledger("rhythm")
        await ledger.accept(REQUEST, p.Started(c.Baseline("old")))
        await ledger.apply(REQUEST.payment_id, c.Unclear("link_lost"))

        async def open_line() -> Mute:
            return Mute()

        station = Station(
            StationSettings("counter-1", "serial", "here"),
            driver,
            None,
            open_line=open_line,
            ledger=ledger,
            changed=ledger.payments.something_changed,
            now=lambda: AT,
        )
        running = asyncio.ensure_future(station.run())
        await asyncio.sleep(60)
        running.cancel()

    run_virtual(scene, seed=1)
    # Line back, 1, 2, 5, 5, 5 … seconds: never a storm, which filled journal and bus.
    assert 10 <= len(driver.asked_at) <= 16


def test_progress_that_is_not_on_disk_is_not_told() -> None:
    async def scene() -> tuple[int, int, int]:
        ledger = new_ledger("progress")
        account, _ = await ledger.accept(REQUEST, p.Started(None))
        await ledger.apply(REQUEST.payment_id, c.Progress(c.Stage.WAITING_FOR_CARD), wait=False)
        early = ledger.payments.get_stored(REQUEST.payment_id)
        await asyncio.sleep(30)
        late = ledger.payments.get_stored(REQUEST.payment_id)
        assert early is not None
        assert late is not None
        return account.rev, early.rev, late.rev

    # A crash in between would have given the same revision to another content.
    assert run_virtual(scene, seed=1) == (2, 2, 3)


def test_the_old_transaction_told_again_late_is_no_approval_of_a_new_payment() -> None:
    # A bridge that died while it asked for the last transaction leaves the answer on the line; the
    # next payment had the same amount, and was taken for approved although no card was charged.
    desk = asking(SAME)
    assert desk.hear(APPROVED) == YES
    assert desk.events == []


def test_a_clock_that_is_set_back_keeps_no_signed_payment_out_of_the_books() -> None:
    # A world whose clock jumps: the question stayed open for as long as the clock went back.
    async def scene() -> int:
        ledger = new_ledger("signature")
        await ledger.accept(REQUEST, p.Started(c.Baseline("old")))
        card = c.Card(verification="signature")
        approval = c.Approval(REQUEST.amount, fingerprint="new", card=card)
        await ledger.apply(REQUEST.payment_id, c.Approved(approval))
        assert ledger.payments.unsigned(), "the clerk is asked"
        hour_ago = datetime.fromisoformat(AT) - timedelta(hours=1)
        reversals = Reversals(
            ledger,
            {},
            SignaturePolicy(answer_seconds=120),
            now=lambda: hour_ago,
            is_connected=lambda: True,
        )
        running = asyncio.ensure_future(reversals.run())
        await asyncio.sleep(125)
        running.cancel()
        return len(ledger.payments.unsigned())

    assert run_virtual(scene, seed=1) == 0

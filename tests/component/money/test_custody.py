"""A journal that was put back is noticed, and nothing of what it had open is done again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import pytest

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.payment.request import leg_id
from bridge.money.store.custody import Custody, JournalMark
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from drivers.contract import Approved, Baseline, Unclear
from tests.component.money.test_ledger import approval, request

AT = "2026-11-23T12:00:00.000Z"


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


class Pc:
    """A state directory; each `start` is a new process on it."""

    def __init__(self, folder: Path, executor: ThreadPoolExecutor) -> None:
        self.path = folder / "journal.sqlite"
        self.marked = True  # the second write, the one outside the journal, still happens
        self._executor = executor
        self._mark = JournalMark(folder / "journal.seq")
        self._stop: Callable[[], object] = lambda: None

    async def start(self) -> Custody:
        self._stop()
        connection = open_database(self.path)
        self._stop = connection.close
        self.journal = Journal(connection, self._executor, remember=self._remember)
        self.ledger = Ledger(
            self.journal, books=BooksPolicy("S012"), now=lambda: AT, local_now=lambda: AT[:19]
        )
        custody = Custody(self.journal, lambda: AT)
        await custody.recover(self._mark.read())
        return custody

    def copy(self) -> Path:
        """Return a backup as a technician makes it: while the service is stopped."""
        self._stop()
        self._stop = lambda: None
        return Path(copyfile(self.path, self.path.with_suffix(".bak")))

    def put_back(self, copy: Path) -> None:
        self._stop()
        self._stop = lambda: None
        copyfile(copy, self.path)

    def close(self) -> None:
        self._stop()
        self._mark.close()

    def _remember(self, seq: int) -> None:
        if self.marked:
            self._mark.write(seq)


@pytest.fixture
async def pc(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Pc]:
    pc = Pc(tmp_path, executor)
    yield pc
    pc.close()


async def sell(pc: Pc, number: int, *, sale: str = "") -> str:
    wanted = request(number, sale or f"S{number}")
    await pc.ledger.accept(wanted, p.Started(Baseline("")))
    await pc.ledger.apply(wanted.payment_id, Approved(approval(4790, f"T1/{number}")))
    return wanted.payment_id


async def test_yesterdays_journal_is_noticed_until_a_person_confirmed(pc: Pc) -> None:
    assert (await pc.start()).doubt is None
    await sell(pc, 1)
    yesterday = pc.copy()
    assert (await pc.start()).doubt is None
    await sell(pc, 2)
    pc.put_back(yesterday)
    custody = await pc.start()
    assert custody.doubt is not None
    assert custody.doubt.reason == "older"

    # Killed, started again, and other entries written meanwhile: the doubt stands.
    await pc.ledger.mistrust()
    for number in range(3, 9):
        await sell(pc, number)
    custody = await pc.start()
    assert custody.doubt is not None
    await custody.confirm("m.muster")
    assert (await pc.start()).doubt is None


async def test_killed_between_the_journal_and_what_remembers_it_doubts_nothing(pc: Pc) -> None:
    await pc.start()
    await sell(pc, 1)
    pc.marked = False  # killed before the second write, again and again
    await sell(pc, 2)
    pc.marked = True
    assert (await pc.start()).doubt is None


async def test_a_journal_that_is_gone_is_noticed(pc: Pc) -> None:
    await pc.start()
    await sell(pc, 1)
    pc.put_back(pc.copy())
    pc.close()
    pc.path.unlink()
    other = Pc(pc.path.parent, ThreadPoolExecutor(max_workers=1))
    custody = await other.start()
    assert custody.doubt is not None
    other.close()
    pc._mark = JournalMark(pc.path.parent / "journal.seq")


async def test_what_remembers_the_journal_may_be_cut_by_a_power_loss(
    pc: Pc, tmp_path: Path
) -> None:
    await pc.start()
    await sell(pc, 1)
    (tmp_path / "journal.seq").write_bytes(b"0000")
    assert (await pc.start()).doubt is None


async def test_documents_that_the_journal_does_not_know_are_noticed_once(pc: Pc) -> None:
    custody = await pc.start()
    known = await sell(pc, 1)
    unknown = request(2).payment_id
    assert not await custody.compare([known])
    assert await custody.compare([known, unknown])
    custody = await pc.start()
    assert custody.doubt is not None
    assert custody.doubt.payments == (unknown,)
    await custody.confirm("m.muster")
    custody = await pc.start()
    assert custody.doubt is None
    assert custody.lost == {unknown}, "unknown for ever, never told as no"
    assert not await custody.compare([known, unknown])


async def test_a_plan_is_known_by_its_first_leg(pc: Pc) -> None:
    custody = await pc.start()
    plan_id = request(7).payment_id
    first = replace(request(1), payment_id=leg_id(plan_id, 1))
    await pc.ledger.accept(first)
    assert not await custody.compare([plan_id, first.payment_id])


async def test_nothing_that_a_journal_put_back_had_open_is_done_again(pc: Pc) -> None:
    await pc.start()
    booked = await sell(pc, 1)
    queued = request(2)
    await pc.ledger.accept(queued)
    running = request(3)
    await pc.ledger.accept(running, p.Started(Baseline("")))
    purchase = pc.ledger.payments.purchase_of(booked)
    assert purchase is not None
    assert purchase.purchase.state is s.PurchaseState.PENDING
    await pc.start()
    await pc.ledger.mistrust()
    for payment_id in (queued.payment_id, running.payment_id):
        account = pc.ledger.payments.get(payment_id)
        assert account is not None
        assert account.payment.status is p.Status.IN_DOUBT, "it may have been charged since"
        assert account.payment.doubt is not None
        assert account.payment.doubt.evidence_lost, "the terminal's last transaction is another"
    purchase = pc.ledger.payments.purchase_of(booked)
    assert purchase is not None
    assert purchase.purchase.state is s.PurchaseState.UNCONFIRMED, "it may be in the books"
    await pc.start()
    await pc.ledger.recover()
    assert pc.ledger.payments.take_pending_purchases() == []
    assert pc.ledger.work("counter-1").take_due(float("inf")) is None


async def test_an_answer_is_not_checked_against_what_a_terminal_did_in_forgotten_time(
    pc: Pc,
) -> None:
    await pc.start()
    answered = request(1, "S1").payment_id
    await pc.ledger.accept(request(1, "S1"), p.Started(Baseline("T1/0")))
    await pc.ledger.apply(answered, Unclear("link_lost"))
    await pc.ledger.apply(answered, p.Resolved("not_charged", "anna", check=True))
    await pc.start()
    await pc.ledger.mistrust()
    account = pc.ledger.payments.get(answered)
    assert account is not None
    assert account.payment.answer_check is p.AnswerCheck.CANNOT_TELL
    await pc.start()
    await pc.ledger.recover()
    assert pc.ledger.work("counter-1").take_due(float("inf")) is None

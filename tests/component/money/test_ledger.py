"""The ledger on a real journal: one transaction per change, and recovery."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import JournalError, RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import MIGRATIONS, Ownership, open_database, open_for_reading
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry
from bridge.money.store.payment_store import SETTLED_IN_MEMORY_MAX
from drivers.contract import (
    Approval,
    Approved,
    Baseline,
    Card,
    Declined,
    MaskedPan,
    Money,
    Progress,
    Stage,
    Unclear,
)

AT = "2026-11-23T12:00:00.000Z"
EUR = "EUR"
LINE = s.SaleLine(1, "A", "1", "each", "47.90", 4790)
SALE = s.SaleDetails(Money(4790, EUR), (LINE,))


def request(number: int, sale_id: str = "", minor: int = 4790, **more: object) -> p.PaymentRequest:
    plain = p.PaymentRequest(
        payment_id=f"018f6f0e-8a44-7c1b-9a3e-{number:012d}",
        register_id="till-1",
        terminal_id="counter-1",
        type=p.PaymentType.SALE,
        amount=Money(minor, EUR),
        content_hash=f"hash-{minor}",
        sale_id=sale_id,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def approval(minor: int = 4790, fingerprint: str = "T1/1") -> Approval:
    card = Card("visa", "Visa", MaskedPan.of("4242424242424242"))
    return Approval(Money(minor, EUR), fingerprint, card=card)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


class Disk:
    """A journal file, and ledgers that live and die on it."""

    def __init__(self, path: Path, executor: ThreadPoolExecutor) -> None:
        self.path = path
        self._executor = executor
        self._open: list[sqlite3.Connection] = []

    def ledger(self, *, books: bool = True, tip_sku: str = "") -> Ledger:
        return Ledger(
            self.journal(),
            books=BooksPolicy("S012", required=books, tip_sku=tip_sku),
            now=lambda: AT,
            local_now=lambda: AT[:19],
        )

    def journal(self) -> Journal:
        self._open.append(open_database(self.path))
        return Journal(self._open[-1], self._executor)

    async def reborn(self) -> Ledger:
        ledger = self.ledger()
        await ledger.recover()
        return ledger

    def close(self) -> None:
        for connection in self._open:
            connection.close()


@pytest.fixture
async def disk(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "journal.sqlite", executor)
    yield disk
    disk.close()


async def paid(ledger: Ledger, wanted: p.PaymentRequest, minor: int = 4790) -> str:
    await ledger.accept(wanted, p.Started(Baseline("")))
    said = Approved(approval(minor, f"T1/{wanted.payment_id[-3:]}"))
    await ledger.apply(wanted.payment_id, said)
    return wanted.payment_id


async def test_a_payment_survives_the_process(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await paid(ledger, request(1, "S1"))
    again = await disk.reborn()
    before, after = ledger.payments.get(payment_id), again.payments.get(payment_id)
    assert before is not None
    assert after is not None
    assert after.payment == before.payment
    assert after.rev == before.rev
    assert after.history == before.history


async def test_the_same_command_is_the_same_payment(disk: Disk) -> None:
    ledger = disk.ledger()
    first, duplicate = await ledger.accept(request(1))
    assert not duplicate
    answers = await asyncio.gather(*(ledger.accept(request(1)) for _ in range(3)))
    assert [again for _, again in answers] == [True, True, True]
    work = ledger.work("counter-1")
    now = asyncio.get_running_loop().time()
    assert work.take_due(now) is not None
    assert work.take_due(now) is None, "one start only"
    assert answers[0][0].payment_id == first.payment_id


async def test_two_at_once_with_one_id_start_once(disk: Disk) -> None:
    ledger = disk.ledger()
    answers = await asyncio.gather(*(ledger.accept(request(1)) for _ in range(5)))
    assert sorted(again for _, again in answers) == [False, True, True, True, True]


async def test_the_same_id_with_other_content_is_a_conflict_even_after_years(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await paid(ledger, request(1))
    await ledger.apply_purchase(f"S012-{payment_id}", s.Sending())
    await ledger.apply_purchase(f"S012-{payment_id}", s.Recorded("P1"))
    await ledger.retire(payment_id)
    again = await disk.reborn()
    assert again.payments.get(payment_id) is None, "retired payments are not loaded"
    with pytest.raises(RequestError) as caught:
        await again.accept(request(1, minor=9999))
    assert caught.value.code == "idempotency_conflict"
    _, duplicate = await again.accept(request(1))
    assert duplicate


def leg_of_a_plan(plan_number: int) -> p.PaymentRequest:
    """Return the only leg of a plan that a register knows as payment `plan_number`."""
    plan_id = request(plan_number).payment_id
    leg = p.PlanLeg(p.leg_id(plan_id, 1), "card", Money(4790, EUR))
    plan = p.Plan(plan_id, (leg,))
    return request(0, sale_id=plan_id, payment_id=leg.payment_id, plan=plan)


async def settled_and_forgotten(disk: Disk, wanted: p.PaymentRequest) -> Ledger:
    """Return a ledger of a later life that does not have the paid `wanted` in memory."""
    ledger = disk.ledger(books=False)
    await paid(ledger, wanted)
    await ledger.retire(wanted.payment_id)
    again = disk.ledger(books=False)
    await again.recover()
    assert again.payments.get(wanted.payment_id) is None
    return again


async def test_the_id_of_a_plan_is_no_payments_id_for_ever(disk: Disk) -> None:
    leg = leg_of_a_plan(1)
    ledger = await settled_and_forgotten(disk, leg)
    for sale_id in ("", "another sale"):
        with pytest.raises(RequestError) as caught:
            await ledger.accept(request(1, sale_id))
        assert caught.value.code == "idempotency_conflict"
        assert caught.value.detail["payment_id"] == leg.payment_id
    _, duplicate = await ledger.accept(leg)
    assert duplicate, "the plan itself is found"


async def test_the_id_of_a_payment_is_no_plans_id_for_ever(disk: Disk) -> None:
    ledger = await settled_and_forgotten(disk, request(1))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(leg_of_a_plan(1))
    assert caught.value.code == "idempotency_conflict"
    assert request(1).payment_id in ledger.payments, "so that its answer says what moved"


async def test_one_id_as_a_plan_and_as_a_payment_at_once_starts_one_of_them(disk: Disk) -> None:
    ledger = disk.ledger()
    answers = await asyncio.gather(
        ledger.accept(leg_of_a_plan(1)), ledger.accept(request(1)), return_exceptions=True
    )
    assert [type(one).__name__ for one in answers] == ["tuple", "RequestError"]


async def test_another_registers_plan_is_not_allowed_rather_than_told(disk: Disk) -> None:
    ledger = await settled_and_forgotten(disk, leg_of_a_plan(1))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(request(1, register_id="till-2"))
    assert caught.value.code == "not_allowed"


async def test_what_memory_forgot_is_read_before_anything_is_refused(disk: Disk) -> None:
    ledger = await settled_and_forgotten(disk, request(1, "S1"))
    load = request(2, "S1", 2000, type=p.PaymentType.LOAD, gift=True)
    await ledger.check(load)
    ledger = await disk.reborn()
    _, duplicate = await ledger.accept(load)
    assert not duplicate, "the journal knows that its sale was paid"


async def test_a_sale_in_doubt_is_not_charged_again(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(request(1, "S1"), p.Started(None))
    await ledger.apply(request(1).payment_id, Unclear("link_lost"))
    with pytest.raises(RequestError) as caught:
        await ledger.accept(request(2, "S1"))
    assert caught.value.code == "payment_in_doubt"
    _, duplicate = await ledger.accept(request(2, "S1", approved_by="supervisor"))
    assert not duplicate


async def test_a_running_sale_is_not_started_twice_at_once(disk: Disk) -> None:
    ledger = disk.ledger()
    answers = await asyncio.gather(
        *(ledger.accept(request(n, "S1")) for n in (1, 2)), return_exceptions=True
    )
    assert [type(one).__name__ for one in answers] == ["tuple", "RequestError"]


async def test_a_paid_sale_is_paid_also_after_it_was_retired(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await paid(ledger, request(1, "S1", sale=SALE))
    await ledger.apply_purchase(f"S012-{payment_id}", s.Sending())
    await ledger.apply_purchase(f"S012-{payment_id}", s.Recorded("P1"))
    await ledger.retire(payment_id)
    again = await disk.reborn()
    with pytest.raises(RequestError) as caught:
        await again.accept(request(2, "S1"))
    assert caught.value.code == "sale_already_paid"


async def test_capture_and_purchase_are_one_commit(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await paid(ledger, request(1, "S1", sale=SALE))
    again = await disk.reborn()
    purchase = again.payments.purchase_of(payment_id)
    assert purchase is not None
    assert purchase.purchase.state is s.PurchaseState.PENDING
    assert again.payments.take_pending_purchases() == [f"S012-{payment_id}"]


async def test_a_part_payment_waits_for_the_rest_and_one_purchase_records_both(disk: Disk) -> None:
    ledger = disk.ledger()
    first = await paid(ledger, request(1, "S1", 2000, sale=SALE), 2000)
    account = ledger.payments.get(first)
    assert account is not None
    assert ledger.payments.purchase_of(first) is None
    assert ledger.payments.remaining(account) == Money(2790, EUR)
    again = await disk.reborn()
    second = await paid(again, request(2, "S1", 2790), 2790)
    purchase = again.payments.purchase_of(second)
    assert purchase is not None
    assert purchase.purchase.payment_ids == (first, second)
    name = purchase.purchase.content.transaction_id
    await again.apply_purchase(name, s.Sending())
    await again.apply_purchase(name, s.Recorded("P9"))
    told = [again.payments.get(one) for one in (first, second)]
    assert [one.payment.record_id for one in told if one] == ["P9", "P9"]


async def test_a_sale_without_lines_costs_what_was_asked_for_first_however_many_parts_pay_it(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    left = 4790
    for number, part in enumerate((100, 200, 300), 1):
        name = await paid(ledger, request(number, "S1", left, accept_partial=True), part)
        left -= part
        account = ledger.payments.get(name)
        assert account is not None
        assert ledger.payments.remaining(account) == Money(left, EUR)
        ledger = await disk.reborn()
    await paid(ledger, request(4, "S1", left), left)
    with pytest.raises(RequestError) as caught:
        await ledger.accept(request(5, "S1", 100))
    assert caught.value.code == "sale_already_paid"


async def test_a_start_that_brought_nothing_does_not_say_what_the_sale_costs(disk: Disk) -> None:
    ledger = disk.ledger()
    first = request(1, "S1", 4790)
    await ledger.accept(first, p.Started(None))
    await ledger.apply(first.payment_id, Declined("declined"))
    name = await paid(ledger, request(2, "S1", 3100), 3100)
    account = ledger.payments.get(name)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(0, EUR)


async def test_a_sale_paid_again_on_a_supervisors_word_is_recorded_by_itself(disk: Disk) -> None:
    ledger = disk.ledger()
    first = await paid(ledger, request(1, "S1", sale=SALE))
    second = await paid(ledger, request(2, "S1", approved_by="supervisor"))
    one, two = ledger.payments.purchase_of(first), ledger.payments.purchase_of(second)
    assert one is not None
    assert two is not None
    assert one.purchase.payment_ids == (first,)
    assert two.purchase.payment_ids == (second,)


async def test_books_that_somebody_else_keeps_get_nothing(disk: Disk) -> None:
    ledger = disk.ledger(books=False)
    payment_id = await paid(ledger, request(1))
    account = ledger.payments.get(payment_id)
    assert account is not None
    assert account.payment.recording is p.Recording.NOT_REQUIRED
    assert ledger.payments.open_purchases() == []


async def test_a_purchase_that_was_being_sent_is_unconfirmed_after_a_restart(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = await paid(ledger, request(1))
    await ledger.apply_purchase(f"S012-{payment_id}", s.Sending())
    again = await disk.reborn()
    account = again.payments.get(payment_id)
    assert account is not None
    assert account.payment.recording is p.Recording.UNCONFIRMED
    assert again.payments.take_pending_purchases() == []


async def test_open_payments_are_told_of_the_restart(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(request(1))
    await ledger.accept(request(2), p.Started(Baseline("T1/0")))
    again = await disk.reborn()
    states = {one.payment_id[-1]: one.payment.status for one in again.payments.in_memory()}
    assert states == {"1": p.Status.FAILED, "2": p.Status.IN_DOUBT}
    work = again.work("counter-1").take_due(asyncio.get_running_loop().time())
    assert work is not None
    assert isinstance(work.action, p.AskTerminal)


async def test_an_illegal_event_changes_nothing(disk: Disk) -> None:
    ledger = disk.ledger()
    account, _ = await ledger.accept(request(1))
    with pytest.raises(p.IllegalEvent):
        await ledger.apply(account.payment_id, Declined("05"))
    assert ledger.payments.get(account.payment_id) == account


async def test_progress_does_not_wait_and_is_on_disk_before_what_follows(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = request(1).payment_id
    await ledger.accept(request(1), p.Started(None))
    ledger.payments.take_changed()
    await ledger.apply(payment_id, Progress(Stage.WAITING_FOR_CARD), wait=False)
    assert ledger.payments.take_changed() == [], "published only once it is on disk"
    await ledger.apply(payment_id, Declined("05"))
    assert ledger.payments.take_changed() == [payment_id]
    again = await disk.reborn()
    account = again.payments.get(payment_id)
    assert account is not None
    assert [line.stage for line in account.history] == ["", "starting", "waiting_for_card", ""]


async def test_what_nobody_waits_for_shares_the_next_commit(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = request(1).payment_id
    await ledger.accept(request(1), p.Started(None))
    commits: list[str] = []
    disk._open[-1].set_trace_callback(lambda said: commits.append(said.lower()))
    await ledger.apply(payment_id, Progress(Stage.WAITING_FOR_CARD), wait=False)
    await ledger.apply(payment_id, Declined("05"))
    assert commits.count("commit") == 1


async def test_what_nobody_waits_for_and_nothing_follows_is_on_disk_soon(disk: Disk) -> None:
    ledger = disk.ledger()
    payment_id = request(1).payment_id
    await ledger.accept(request(1), p.Started(None))
    ledger.payments.something_changed.clear()
    await ledger.apply(payment_id, Progress(Stage.WAITING_FOR_CARD), wait=False)
    async with asyncio.timeout(10):
        await ledger.payments.something_changed.wait()
    account = (await disk.reborn()).payments.get(payment_id)
    assert account is not None
    assert [line.stage for line in account.history][2:3] == ["waiting_for_card"]


async def test_a_clean_end_stores_what_nobody_waited_for(disk: Disk) -> None:
    journal = disk.journal()
    entry = Entry("018f6f0e", Progress(Stage.WAITING_FOR_CARD), AT)
    journal.append(Change((entry,)), urgent=False)
    await journal.finish()
    assert [one.event for one in await disk.journal().entries_of("018f6f0e")] == [entry.event]


async def test_without_a_journal_there_is_no_payment(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(request(1), p.Started(None))
    disk._open[-1].execute("pragma query_only=on")
    with pytest.raises(JournalError):
        await ledger.apply(request(1).payment_id, Approved(approval()))
    account = ledger.payments.get(request(1).payment_id)
    assert account is not None
    assert account.payment.status is p.Status.IN_PROGRESS
    with pytest.raises(JournalError):
        await ledger.accept(request(2))
    assert ledger.payments.get(request(2).payment_id) is None


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    first = Ownership(tmp_path / "journal.sqlite")
    with pytest.raises(JournalError, match="another running"):
        Ownership(tmp_path / "journal.sqlite")
    first.release()
    Ownership(tmp_path / "journal.sqlite").release()


async def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    connection = open_database(path)
    connection.execute(f"pragma user_version={len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(JournalError, match="version"):
        open_database(path)


async def test_a_reader_cannot_write(disk: Disk) -> None:
    ledger = disk.ledger()
    await ledger.accept(request(1))
    reader = open_for_reading(disk.path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("delete from entry")
    reader.close()


async def test_memory_is_bounded(disk: Disk) -> None:
    ledger = disk.ledger(books=False)
    count = SETTLED_IN_MEMORY_MAX + 25
    wanted = [request(n) for n in range(count)]
    for begin in range(0, count, 100):
        await asyncio.gather(*(paid(ledger, one) for one in wanted[begin : begin + 100]))
    for one in wanted:
        await ledger.retire(one.payment_id)
    assert len(list(ledger.payments.in_memory())) <= SETTLED_IN_MEMORY_MAX
    found = await ledger.payments.find(wanted[0].payment_id)
    assert found is not None
    assert found.payment.status is p.Status.APPROVED


async def test_a_sale_is_not_forgotten_while_one_of_its_payments_is_live(disk: Disk) -> None:
    ledger = disk.ledger(books=False)
    first = await paid(ledger, request(1, "S1", 2000), 2000)
    await ledger.accept(request(2, "S1", 2790), p.Started(Baseline("")))
    await ledger.retire(first)
    count = SETTLED_IN_MEMORY_MAX + 5
    wanted = [request(n) for n in range(10, 10 + count)]
    for begin in range(0, count, 100):
        await asyncio.gather(*(paid(ledger, one) for one in wanted[begin : begin + 100]))
    for one in wanted:
        await ledger.retire(one.payment_id)
    assert [one.payment_id for one in ledger.payments.of_sale("till-1/S1")] == [
        first,
        request(2).payment_id,
    ], "what the sale still lacks depends on all of its payments"
    account = ledger.payments.get(request(2).payment_id)
    assert account is not None
    assert ledger.payments.remaining(account) == Money(2790 - 2000, EUR)
    said = Approved(approval(2790, "T1/2"))
    assert (await ledger.apply(request(2).payment_id, said)).payment.captured.minor == 2790


async def test_nothing_is_kept_locked_or_for_the_next_lock(disk: Disk) -> None:
    ledger = disk.ledger()
    for number in range(1, 4):
        payment_id = await paid(ledger, request(number, f"S{number}"))
        await ledger.apply_purchase(f"S012-{payment_id}", s.Sending())
    assert len(ledger._locks._locks) == 0
    held = ledger._locks.of("a")
    assert ledger._locks.of("a") is held, "whoever asks meanwhile waits for the same lock"

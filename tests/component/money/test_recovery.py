"""A start with a day's sales due: the journal is visited some times, not once for each sale."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.purchase import PurchaseState, Sending
from bridge.money.store.custody import COMPARED_TOGETHER, Custody
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from bridge.money.store.payment_store import SALES_TOGETHER
from tests.support.till import open_till, pay

AT = "2026-11-23T12:00:00.000Z"
SALES = 2 * SALES_TOGETHER + 50


class CountedJournal(Journal):
    """A journal that counts the visits to its thread, and its commits."""

    visits = 0
    commits = 0

    async def _run(self, work: Callable[[], Any]) -> Any:
        self.visits += 1
        return await super()._run(work)

    def _commit(self, changes: Any) -> Any:
        self.commits += 1
        return super()._commit(changes)


def ledger_on(journal: Journal) -> Ledger:
    return Ledger(
        journal,
        books=BooksPolicy("S012", required=True),
        now=lambda: AT,
        local_now=lambda: AT[:19],
        terminals=("counter-1",),
    )


async def filled(folder: Path, executor: ThreadPoolExecutor) -> None:
    """Leave a journal with that many sales due, one of which was being sent."""
    connection = open_database(folder / "journal.sqlite")
    ledger = ledger_on(Journal(connection, executor))
    async with open_till(folder / "other") as till:
        till.ledger = ledger
        payments = [pay(n, 500, f"S{n}") for n in range(SALES)]
        await asyncio.gather(*(till.done(one) for one in payments))
    first = ledger.payments.open_purchases()[0].purchase.content.transaction_id
    await ledger.apply_purchase(first, Sending())
    connection.close()


async def test_a_days_sales_are_read_in_some_visits(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with ThreadPoolExecutor(1) as executor:
        await filled(tmp_path, executor)
        connection = open_database(tmp_path / "journal.sqlite")
        journal = CountedJournal(connection, executor)
        ledger = ledger_on(journal)
        await ledger.recover()
        assert journal.visits < 20, "live and due rows, batches, holds, and three times some sales"
        assert journal.commits == 1, "only the one that was being sent has news"
        payments = ledger.payments
        states = Counter(one.purchase.state for one in payments.open_purchases())
        assert states == {PurchaseState.PENDING: SALES - 1, PurchaseState.UNCONFIRMED: 1}
        assert +payments.open_purchase_states == states
        assert payments.oldest_pending_purchase() is not None
        assert len(payments.take_pending_purchases()) == SALES - 1

        visits = journal.visits
        shown = [one.payment_id for one in payments.in_memory()]
        assert len(shown) == SALES
        assert not await Custody(journal, lambda: AT).compare(shown)
        assert journal.visits - visits == -(-SALES // COMPARED_TOGETHER)
        connection.close()


async def test_a_document_that_the_journal_does_not_know_is_found_among_many(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    with ThreadPoolExecutor(1) as executor:
        await filled(tmp_path, executor)
        connection = open_database(tmp_path / "journal.sqlite")
        custody = Custody(Journal(connection, executor), lambda: AT)
        shown = [pay(n, 500).payment_id for n in range(SALES + 1)]
        assert await custody.compare(shown)
        assert custody.lost == {shown[-1]}
        connection.close()

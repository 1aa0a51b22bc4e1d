"""Reading beside the writer: indexed, on a connection that cannot write, and its log is watched."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.adapters import open_state
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store import journal_entries
from bridge.money.store.database import LOG_BYTES_KEPT, log_bytes, open_database, open_for_reading
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import register_filter
from tests.support.till import pay

AT = "2026-12-01T08:00:00.000Z"
NAME = "journal.sqlite"


@asynccontextmanager
async def ledger_in(folder: Path) -> AsyncIterator[tuple[Ledger, Journal]]:
    async with open_state(folder, lambda: "id") as state:
        ledger = Ledger(
            state.journal,
            books=BooksPolicy("S012"),
            now=lambda: AT,
            local_now=lambda: AT[:19],
            terminals=("counter-1",),
        )
        yield ledger, state.journal


@pytest.mark.parametrize("only_open", [False, True])
def test_a_list_is_found_without_a_look_at_the_rest(tmp_path: Path, *, only_open: bool) -> None:
    connection = open_database(tmp_path / NAME)
    where, values = register_filter("till-1", only_open=only_open, since="", sale_key="")
    plan = connection.execute(
        f"explain query plan select * from payment where {where} order by created_at desc limit 50",
        values,
    ).fetchall()
    said = " ".join(str(row[3]) for row in plan)
    assert ("payment_open" if only_open else "payment_by_register") in said, said
    assert "SCAN" not in said
    assert "TEMP B-TREE" not in said
    connection.close()


def test_the_reading_connection_cannot_write(tmp_path: Path) -> None:
    open_database(tmp_path / NAME).close()
    connection = open_for_reading(tmp_path / NAME)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("delete from entry")
    connection.close()


async def test_lists_and_states_of_old_payments_are_read_by_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger_in(tmp_path) as (ledger, _):
        for number in (1, 2):
            await ledger.accept(pay(number, 500, f"S{number}"))
    async with ledger_in(tmp_path) as (ledger, _):  # which remembers nothing
        threads: list[str] = []
        for name in ("read_entries", "read_payments"):
            original = getattr(journal_entries, name)

            def seen(*args: object, original: object = original, **more: object) -> object:
                threads.append(threading.current_thread().name.partition("_")[0])
                return original(*args, **more)  # type: ignore[operator]

            monkeypatch.setattr(f"bridge.money.store.journal_reading.{name}", seen)
        listed = await ledger.payments.list_payments(
            register_id="till-1", only_open=False, since="", sale_key="", limit=50
        )
        assert {one.payment_id[-1] for one in listed} == {"1", "2"}
        assert await ledger.payments.find(listed[0].payment_id) is not None
        assert set(threads) == {"journal-reader"}


async def test_what_is_being_stored_is_not_called_unknown(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as (ledger, _):
        wanted = pay(1, 500)
        storing = asyncio.ensure_future(ledger.accept(wanted))
        await asyncio.sleep(0)
        assert await ledger.payments.find(wanted.payment_id) is not None
        await storing


async def test_a_held_payment_is_listed_as_open_with_what_is_open(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as (ledger, _):
        for number in range(1, 4):
            await ledger.accept(pay(number, 500, f"S{number}"))
        ledger.payments._held[pay(2, 500).payment_id] = None  # as if its money were held
        listed = await ledger.payments.list_payments(
            register_id="till-1", only_open=True, since="", sale_key="", limit=2
        )
        assert len(listed) == 2
        other = await ledger.payments.list_payments(
            register_id="till-2", only_open=True, since="", sale_key="", limit=2
        )
        assert other == []


async def test_the_log_of_a_reader_without_an_end_is_seen_and_cut_back_afterwards(
    tmp_path: Path,
) -> None:
    async with ledger_in(tmp_path) as (ledger, journal):
        await ledger.accept(pay(1, 500, "S0"))
        other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
        other.execute("begin")
        other.execute("select count(*) from entry").fetchone()
        for number in range(2, 90):
            note = {"note": "x" * 100_000}
            await ledger.accept(pay(number, 500, f"S{number}", metadata=note))
        assert log_bytes(tmp_path / NAME) > LOG_BYTES_KEPT
        other.execute("rollback")
        other.close()
        for number in range(90, 93):
            await ledger.accept(pay(number, 500, f"S{number}"))
        assert log_bytes(tmp_path / NAME) <= LOG_BYTES_KEPT
        assert journal.broken is None


def test_there_is_no_log_where_there_is_no_journal(tmp_path: Path) -> None:
    assert log_bytes(tmp_path / NAME) == 0

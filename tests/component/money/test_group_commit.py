"""Changes that share a commit: all of them are on disk, also those that do not fit the group."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.store.database import open_database, open_for_reading
from bridge.money.store.journal import GROUP_COMMITS_MAX, Change, Journal
from bridge.money.store.journal_entries import Entry

AT = "2026-11-23T12:00:00.000Z"


@pytest.mark.parametrize("count", [GROUP_COMMITS_MAX, GROUP_COMMITS_MAX + 1, 600])
@pytest.mark.parametrize("urgent", [True, False])
async def test_the_change_after_a_full_group_is_stored_like_any_other(
    tmp_path: Path, count: int, urgent: bool
) -> None:
    connection = open_database(tmp_path / "journal.sqlite")
    reader = open_for_reading(tmp_path / "journal.sqlite")
    remembered: list[int] = []
    with ThreadPoolExecutor(max_workers=1) as executor:
        journal = Journal(connection, executor, remember=remembered.append)
        futures = [
            journal.append(
                Change((Entry(f"s-{number}", p.CancelAsked(str(number)), AT),)), urgent=urgent
            )
            for number in range(count)
        ]
        async with asyncio.timeout(30):
            for number, future in enumerate(futures):
                assert await future == number + 1
                (stored,) = reader.execute("select count(*) from entry").fetchone()
                assert stored > number, "told before the disk had it"
    subjects = [name for (name,) in reader.execute("select subject from entry order by seq")]
    assert subjects == [f"s-{number}" for number in range(count)]
    assert remembered[-1] == count
    reader.close()
    connection.close()

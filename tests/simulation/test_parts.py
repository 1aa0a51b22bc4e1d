"""The simulated disk and broker: no gentler than the world."""

from __future__ import annotations

import asyncio
import random
import sqlite3

from simulators.broker import Broker, Delivered, Message
from simulators.loop import run_virtual
from tests.simulation.disk import Disk, DiskDoor, Witness, open_journal


def rows_after_a_power_cut(synchronous: str, seed: int) -> int:
    disk = Disk(random.Random(seed))
    name = f"parts-{synchronous}-{seed}"
    connection = open_journal(DiskDoor(name, disk, random.Random(1)), Witness())
    connection.execute("pragma journal_mode=wal")
    connection.execute(f"pragma synchronous={synchronous}")
    connection.execute("create table t(x)")
    for number in range(10):
        connection.execute("begin immediate")
        connection.execute("insert into t values(?)", (number,))
        connection.execute("commit")
    disk.cut_power()
    again = open_journal(DiskDoor(f"{name}-2", disk.copy(), random.Random(2)), Witness())
    try:
        return int(again.execute("select count(*) from t").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        again.close()


def test_full_sync_survives_a_power_cut_and_normal_does_not() -> None:
    assert {rows_after_a_power_cut("full", seed) for seed in range(10)} == {10}
    assert min(rows_after_a_power_cut("normal", seed) for seed in range(10)) < 10


def test_what_was_not_acknowledged_comes_again_and_is_not_live() -> None:
    async def scene() -> list[tuple[bool, bool]]:
        broker = Broker(random.Random(1), wanted=lambda topic: "/request/" in topic)
        got: list[Delivered] = []
        broker.connect(got.append, lambda: None)
        await asyncio.sleep(1)
        broker.send(Message("a/request/pay", b"1"))
        await asyncio.sleep(1)
        broker.cut()
        link = broker.connect(got.append, lambda: None)
        await asyncio.sleep(1)
        link.acknowledge(got[-1].packet_id)
        await asyncio.sleep(1)
        broker.cut()
        broker.connect(got.append, lambda: None)
        await asyncio.sleep(1)
        return [(one.live, one.duplicate) for one in got]

    assert run_virtual(scene) == [(True, False), (False, True)]


def test_a_broker_that_forgets_keeps_no_document() -> None:
    async def scene() -> int:
        broker = Broker(random.Random(1), wanted=lambda _topic: False)
        broker.take(Message("a/document", b"1", retain=True))
        broker.restart(1, forget=True)
        return len(broker.retained)

    assert run_virtual(scene) == 0

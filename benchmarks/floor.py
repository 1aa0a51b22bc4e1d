"""The floor: the least that could be done. Bare MQTT, one full commit, a bare serial write.

A process of its own, like the bridge: `python -m benchmarks.floor PORT DEVICE DATABASE COMMITS`.
Command in → commit → one byte out; byte in → commit → document out. With three commits, those of a
whole payment, there is one more byte in, commit, and byte out between the two.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
import tty

import aiomqtt

COMMAND = "floor/{}/command"  # by the number of commits
DOCUMENT = "floor/{}/document"


def open_database(path: str) -> sqlite3.Connection:
    """Return a connection that keeps the same promises as the journal."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table entry(seq integer primary key, body blob)")
    return connection


def commit(connection: sqlite3.Connection, body: bytes) -> None:
    """Put one row on the disk."""
    connection.execute("begin immediate")
    connection.execute("insert into entry(body) values(?)", (body,))
    connection.execute("commit")


async def read(serial: int, readable: asyncio.Event) -> bytes:
    """Return what comes next."""
    while True:
        readable.clear()
        try:
            return os.read(serial, 64)
        except BlockingIOError:
            await readable.wait()


async def main(port: int, device: str, database: str, commits: int) -> None:
    """Serve until killed."""
    connection = open_database(database)
    serial = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(serial)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(serial, done.set)
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client("127.0.0.1", port, socket_options=options) as client:
        await client.subscribe(COMMAND.format(commits), qos=1)
        print("ready", flush=True)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            commit(connection, message.payload)
            for _ in range(commits - 1):
                os.write(serial, b"\x02")
                answer = await read(serial, done)
                commit(connection, answer)
            await client.publish(DOCUMENT.format(commits), answer, qos=1, retain=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from bridge.errors import LineError
from bridge.terminal.conversation import Line
from bridge.terminal.transport import (
    UNSENT_BYTES_MAX,
    SerialAddress,
    TcpAddress,
    _why_not_opened,
    open_line,
)
from drivers.contract import SerialDefaults

SAFETY_SECONDS = 10  # a broken line shall fail a test, not hang the suite


class Pty:
    """A pseudo-terminal whose slave side stands for the port of the store PC."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(self.master)
        self.address = SerialAddress(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        if self.master >= 0:
            os.close(self.master)
        self.master = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    port = Pty()
    yield port
    port.unplug()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SAFETY_SECONDS)
        yield server


def address_of(listener: socket.socket) -> TcpAddress:
    return TcpAddress("127.0.0.1", listener.getsockname()[1])


async def test_bytes_pass_both_ways_on_a_serial_line(pty: Pty) -> None:
    line: Line = await open_line(pty.address)
    os.write(pty.master, b"\x10\x02\x80\x00\x00\xff\r\n\x03\x11\x13")
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b"\x10\x02\x80\x00\x00\xff\r\n\x03\x11\x13"
    line.write(b"\x06\r\n\x15\x04\x1a")
    assert os.read(pty.master, 100) == b"\x06\r\n\x15\x04\x1a"
    line.close()


async def test_unplugging_ends_a_waiting_read(pty: Pty) -> None:
    line = await open_line(pty.address)
    asyncio.get_running_loop().call_soon(pty.unplug)
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b""
        assert await line.read() == b""
    assert line.lost is not None
    assert line.lost.reason == "usb_removed"
    line.close()


async def test_writing_to_an_unplugged_port_is_told_by_the_next_read(pty: Pty) -> None:
    line = await open_line(pty.address)
    pty.unplug()
    line.write(b"\x06\x01")
    line.write(b"\x06\x02")
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b""
    line.close()


async def test_silence_is_not_a_lost_line(pty: Pty) -> None:
    line = await open_line(pty.address)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await line.read()
    assert line.lost is None
    line.close()


async def test_a_canceled_read_takes_no_bytes(pty: Pty) -> None:
    line = await open_line(pty.address)
    for _ in range(3):
        os.write(pty.master, b"!")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await line.read()
    received = b""
    async with asyncio.timeout(SAFETY_SECONDS):
        while len(received) < 3:
            received += await line.read()
    assert received == b"!!!"
    line.close()


async def test_a_closed_line_can_be_opened_again(pty: Pty) -> None:
    for number in range(5):
        line = await open_line(pty.address)
        line.write(b"%d" % number)
        assert os.read(pty.master, 100) == b"%d" % number
        line.close()


async def test_bytes_from_before_the_opening_are_dropped(pty: Pty) -> None:
    os.write(pty.master, b"stale")
    line = await open_line(pty.address)
    os.write(pty.master, b"fresh")
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b"fresh"
    line.close()


async def test_a_port_in_use_is_refused_by_name(pty: Pty) -> None:
    line = await open_line(pty.address)
    with pytest.raises(LineError, match=pty.address.path) as caught:
        await open_line(pty.address)
    assert caught.value.reason == "in_use"
    line.close()
    (await open_line(pty.address)).close()


async def test_a_port_held_by_another_program_is_refused(pty: Pty) -> None:
    with serial.Serial(pty.address.path, exclusive=True):
        with pytest.raises(LineError) as caught:
            await open_line(pty.address)
        assert caught.value.reason == "in_use"


async def test_an_opening_canceled_half_way_leaves_the_port_free(pty: Pty) -> None:
    for _ in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await open_line(pty.address)
    await asyncio.get_running_loop().shutdown_default_executor()
    with serial.Serial(pty.address.path, exclusive=True) as port:
        assert port.is_open


async def test_a_missing_port_is_named_with_what_to_check() -> None:
    with pytest.raises(LineError, match="/dev/serial/by-id/usb-nothing") as caught:
        await open_line(SerialAddress("/dev/serial/by-id/usb-nothing"))
    assert caught.value.reason == "not_found"
    assert "there" in str(caught.value)


async def test_a_file_that_is_no_serial_port_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("")
    with pytest.raises(LineError, match=r"notes\.txt") as caught:
        await open_line(SerialAddress(str(file)))
    assert caught.value.reason == "io_error"


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Give up root's right to open everything, where the tests run as root."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65_534)
    yield
    if was_root:
        os.seteuid(0)


async def test_a_port_of_another_group_says_which_group_is_missing(
    pty: Pty, as_nobody: None
) -> None:
    if os.stat(pty.address.path).st_uid == os.geteuid():
        os.chmod(pty.address.path, 0)
    with pytest.raises(LineError, match="dialout") as caught:
        await open_line(pty.address)
    assert caught.value.reason == "no_permission"


def test_a_port_that_the_device_policy_refuses_is_not_told_as_a_missing_group() -> None:
    address = SerialAddress("/dev/ttyACM0")
    refused = _why_not_opened(address, OSError(errno.EPERM, "Operation not permitted"))
    assert refused.reason == "no_permission"
    assert "device policy" in str(refused)
    assert "dialout" not in str(refused)


@pytest.mark.parametrize(
    "settings",
    [
        SerialDefaults(9600, 8, "none", 1),
        SerialDefaults(9600, 8, "none", 2),
        SerialDefaults(1200, 7, "even", 1),
        SerialDefaults(115_200, 8, "odd", 2),
    ],
)
async def test_every_setting_a_driver_may_ask_for_opens(pty: Pty, settings: SerialDefaults) -> None:
    line = await open_line(SerialAddress(pty.address.path, settings))
    line.write(b"7")
    assert os.read(pty.master, 10) == b"7"
    line.close()


async def test_closing_ends_a_waiting_read_and_may_be_repeated(pty: Pty) -> None:
    line = await open_line(pty.address)
    asyncio.get_running_loop().call_soon(line.close)
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b""
    line.close()
    line.write(b"ignored")
    assert await line.read() == b""


async def test_a_line_closed_while_reading_leaves_nothing_behind_for_the_next(pty: Pty) -> None:
    for word in (b"first", b"second"):
        line = await open_line(pty.address)
        os.write(pty.master, word)
        async with asyncio.timeout(SAFETY_SECONDS):
            assert await line.read() == word
            asyncio.get_running_loop().call_soon(line.close)
            assert await line.read() == b""


async def test_a_peer_that_takes_nothing_loses_the_line_instead_of_memory(pty: Pty) -> None:
    line = await open_line(pty.address)
    for _ in range(UNSENT_BYTES_MAX // 1024):
        line.write(bytes(1024))
        assert line.lost is None
    # The kernel holds some, too, before it refuses; a pseudo-terminal less than this.
    asyncio.get_running_loop().call_soon(line.write, bytes(UNSENT_BYTES_MAX))
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b""
    assert line.lost is not None
    assert line.lost.reason == "io_error"
    line.close()


async def test_what_came_before_the_loss_is_still_read(pty: Pty) -> None:
    line = await open_line(pty.address)
    os.write(pty.master, b"approved")
    while line.lost is None:
        line.write(bytes(8192))
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b"approved"
        assert await line.read() == b""
    line.close()


def echo(receive: Callable[[int], bytes], send: Callable[[bytes], int], total: int) -> None:
    """Play a peer that sends back every byte, in pieces of its own."""
    chance = random.Random(7)
    while total > 0:
        data = receive(chance.randrange(1, 9000))
        total -= len(data)
        while data:
            data = data[send(data[: chance.randrange(1, 3000)]) :]


@pytest.mark.parametrize("chunk_bytes_max", [1, 13, 60_000])
@pytest.mark.parametrize("kind", ["serial", "tcp"])
async def test_bytes_come_through_whole_whatever_the_chunks(
    pty: Pty, listener: socket.socket, kind: str, chunk_bytes_max: int
) -> None:
    total = min(chunk_bytes_max * 1000, 1_048_576)
    chance = random.Random(chunk_bytes_max)
    data = chance.randbytes(total)
    if kind == "serial":
        line = await open_line(pty.address)
        master = pty.master
        peer = threading.Thread(
            target=echo,
            args=(lambda size: os.read(master, size), lambda b: os.write(master, b), total),
            daemon=True,
        )
    else:
        line = await open_line(address_of(listener))
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = threading.Thread(
            target=echo, args=(connection.recv, connection.send, total), daemon=True
        )
    peer.start()
    received = bytearray()
    async with asyncio.timeout(SAFETY_SECONDS):
        while len(received) < total:
            start = len(received)
            end = start + chance.randint(1, chunk_bytes_max)
            line.write(data[start:end])
            while len(received) < min(end, total):
                piece = await line.read()
                assert piece, line.lost
                received += piece
    assert received == data
    line.close()
    peer.join()
    if kind == "tcp":
        connection.close()


async def test_a_tcp_line_sends_small_frames_at_once_and_asks_whether_the_peer_lives(
    listener: socket.socket,
) -> None:
    line = await open_line(address_of(listener))
    connection, _ = listener.accept()
    with connection, socket.socket(fileno=os.dup(line._descriptor)) as twin:
        assert twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert twin.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        line.write(b"\x06\x00\x00")
        assert connection.recv(10) == b"\x06\x00\x00"
    line.close()


async def test_a_connection_closed_by_the_terminal_is_a_lost_line(listener: socket.socket) -> None:
    line = await open_line(address_of(listener))
    connection, _ = listener.accept()
    connection.sendall(b"last words")
    connection.close()
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await line.read() == b"last words"
        assert await line.read() == b""
    assert line.lost is not None
    line.close()


async def test_a_closed_tcp_port_is_refused(listener: socket.socket) -> None:
    address = address_of(listener)
    listener.close()
    with pytest.raises(LineError, match=str(address.port)) as caught:
        await open_line(address)
    assert caught.value.reason == "refused"


async def test_a_name_nobody_knows_is_unreachable() -> None:
    with pytest.raises(LineError, match=r"terminal-7\.invalid") as caught:
        await open_line(TcpAddress("terminal-7.invalid", 20007))
    assert caught.value.reason == "unreachable"


async def test_connecting_to_silence_ends_at_its_deadline(listener: socket.socket) -> None:
    listener.listen(0)
    address = replace(address_of(listener), connect_seconds=0.1)
    loop = asyncio.get_running_loop()
    waiting: list[socket.socket] = []
    for _ in range(4):  # a full backlog makes Linux drop further attempts silently
        other = socket.socket()
        other.setblocking(False)
        other.connect_ex((address.host, address.port))
        waiting.append(other)
    began = loop.time()
    with pytest.raises(LineError) as caught:
        await open_line(address)
    assert caught.value.reason == "unreachable"
    assert loop.time() - began >= address.connect_seconds
    for other in waiting:
        other.close()

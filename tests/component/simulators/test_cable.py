import asyncio
import os
import random
import stat
import tty
from pathlib import Path

import pytest

from simulators.loop import run_virtual
from simulators.terminals.shared.cable import Line, MemoryPort, Wire
from simulators.terminals.shared.serial_port import PtyPort
from simulators.terminals.shared.tcp_port import TcpPort


async def everything(line: Line, count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += await line.read()
    return got


def test_chunks_arrive_late_and_in_order() -> None:
    sent = bytes(range(256))

    async def main() -> tuple[bytes, float]:
        wire = Wire(chunk_bytes_max=7, delay_seconds=(0.01, 0.1))
        port = MemoryPort(random.Random(1), wire)
        await port.plug()
        near, far = port.open(), await port.accept()
        near.write(sent)
        return await everything(far, 256), asyncio.get_running_loop().time()

    got, seconds = run_virtual(main)
    assert got == sent
    assert 0.37 < seconds < 25.6


def test_a_canceled_read_loses_nothing() -> None:
    async def main() -> bytes:
        port = MemoryPort(random.Random(1), Wire(delay_seconds=(1, 1)))
        await port.plug()
        near, far = port.open(), await port.accept()
        near.write(b"late")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await far.read()
        return await far.read()

    assert run_virtual(main) == b"late"


@pytest.mark.parametrize(
    ("wire", "arrived"),
    [
        (Wire(drop=1), b""),
        (Wire(duplicate=1), b"abab"),
        (Wire(flip=1), b"aB"),
        (Wire(insert=1), b"ab"),
    ],
)
def test_a_damaged_line_damages(wire: Wire, arrived: bytes) -> None:
    async def main() -> bytes:
        port = MemoryPort(random.Random(2), wire, kind="tcp")
        await port.plug()
        near, far = port.open(), await port.accept()
        near.write(b"ab")
        near.close()
        return await far.read()

    got = run_virtual(main)
    if wire.flip:
        assert sum((a ^ b).bit_count() for a, b in zip(got, b"ab", strict=True)) == 1
    elif wire.insert:
        assert 3 <= len(got) <= 6
    else:
        assert got == arrived


def test_an_unplugged_line_reads_the_end_for_ever_and_cannot_be_opened() -> None:
    async def main() -> None:
        port = MemoryPort(random.Random(1))
        await port.plug()
        near = port.open()
        port.unplug()
        assert await near.read() == b""
        assert await near.read() == b""
        near.write(b"into the void")
        with pytest.raises(FileNotFoundError):
            port.open()
        await port.plug()
        port.open().write(b"again")
        await port.accept()
        assert await (await port.accept()).read() == b"again"

    run_virtual(main)


def test_a_serial_terminal_does_not_notice_who_opens_and_closes() -> None:
    async def main() -> bytes:
        port = MemoryPort(random.Random(1))
        await port.plug()
        far = await port.accept()
        first = port.open()
        first.write(b"one")
        first.close()
        port.open().write(b"two")
        return await everything(far, 6)

    assert run_virtual(main) == b"onetwo"


def test_bytes_that_get_lost_do_not_end_a_serial_line() -> None:
    async def main() -> bytes:
        port = MemoryPort(random.Random(1), Wire(drop=1, delay_seconds=(1, 1)))
        await port.plug()
        far = await port.accept()
        first = port.open()
        first.write(b"lost")
        first.close()
        await asyncio.sleep(5)
        port.wire = Wire()
        port.open().write(b"heard")
        return await far.read()

    assert run_virtual(main) == b"heard"


def test_a_tcp_terminal_reads_the_end_after_the_last_byte() -> None:
    async def main() -> list[bytes]:
        port = MemoryPort(random.Random(1), Wire(delay_seconds=(0.1, 0.2)), kind="tcp")
        await port.plug()
        near, far = port.open(), await port.accept()
        near.write(b"bye")
        near.close()
        return [await far.read(), await far.read()]

    assert run_virtual(main) == [b"bye", b""]


async def test_a_pty_carries_raw_bytes_both_ways_and_comes_back_under_another_number(
    tmp_path: Path,
) -> None:
    link = tmp_path / "ttyUSB0"
    port = PtyPort(link)
    await port.plug()
    first_device = port.device
    far = await port.accept()
    slave = os.open(link, os.O_RDWR | os.O_NOCTTY)
    raw = bytes(range(256))
    os.write(slave, raw)
    assert await everything(far, 256) == raw
    far.write(raw)
    assert os.read(slave, 256) == raw

    port.unplug()
    assert await far.read() == b""
    assert not link.exists()
    assert _is_gone(slave)
    await port.plug(tmp_path / "ttyUSB1", other_number=True)
    assert port.device != first_device
    assert stat.S_ISCHR((tmp_path / "ttyUSB1").stat().st_mode)
    os.close(slave)
    port.unplug()


def _is_gone(descriptor: int) -> bool:
    try:
        return os.read(descriptor, 1) == b""
    except OSError:
        return True


async def test_a_pty_survives_a_bridge_that_dies_and_comes_back(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "tty")
    await port.plug()
    far = await port.accept()
    for word in (b"one", b"two"):
        slave = os.open(port.link, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(slave)
        os.write(slave, word)
        assert await far.read() == word
        os.close(slave)
    port.unplug()


async def test_a_tcp_port_refuses_drops_and_half_closes() -> None:
    port = TcpPort("127.0.0.1", 0)
    await port.plug()
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    writer.write(b"hello")
    far = await port.accept()
    assert await far.read() == b"hello"
    far.half_close()
    assert await reader.read() == b""
    writer.write(b"still here")
    assert await far.read() == b"still here"
    port.unplug()
    assert await far.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port.port)
    writer.close()
    kept = port.port
    await port.plug()
    assert port.port == kept
    port.unplug()

"""Lines to card terminals: serial ports (also behind USB) and TCP, as bytes in both directions.

A line knows how to open, read, write and notice that the other side is gone. It knows no protocol,
repeats nothing and decides nothing: what a lost line means for a payment is said elsewhere.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import socket
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

import serial

from bridge.errors import LineError
from drivers.contract import SerialDefaults

_LOGGER = logging.getLogger(__name__)

BY_ID_FOLDER = Path("/dev/serial/by-id")  # udev's names, which survive unplugging and reboots

READ_BYTES_MAX = 65_536  # one read; a serial port gives at most 4 KiB, a LAN burst fits
UNSENT_BYTES_MAX = 131_072  # two of the longest frames (64 KiB) of any protocol; more is a fault
NAMED_PORTS_MAX = 8  # an error names this many ports; a technician reads it on a phone

TCP_CONNECT_SECONDS = (
    5.0  # a terminal on the same LAN answers in milliseconds, or after ARP retries
)
TCP_SILENCE_SECONDS = 10  # then the kernel begins to ask whether the terminal is still there
TCP_ASK_AGAIN_SECONDS = 5
TCP_UNANSWERED_MAX = 2  # dead after 10 + 2 × 5 s of silence, well before a payment times out
TCP_UNACKNOWLEDGED_MS = 20_000  # the same bound while our own bytes are on their way

_BYTE_SIZES = {7: serial.SEVENBITS, 8: serial.EIGHTBITS}
_PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
_SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
_STOP_BITS = {1: serial.STOPBITS_ONE, 2: serial.STOPBITS_TWO}


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A serial port: `path` is a device or, better, a link below `/dev/serial/by-id`."""

    path: str
    settings: SerialDefaults = field(default_factory=SerialDefaults)


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A terminal that listens on the network; `port` is 1 to 65535."""

    host: str
    port: int
    connect_seconds: float = TCP_CONNECT_SECONDS

    def __str__(self) -> str:
        """Return it as it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def open_line(address: SerialAddress | TcpAddress) -> DescriptorLine:
    """Open a line; the caller closes it. Blocks the event loop for nothing.

    Cancelled, it leaves nothing open.

    Raises:
        LineError: The line cannot be opened; `reason` and words for a technician say why.
    """
    match address:
        case SerialAddress():
            loop = asyncio.get_running_loop()
            # A cancelled wait drops the port that the thread still opens, and dropping closes it.
            port = await loop.run_in_executor(None, _open_port, address)
            return SerialLine(port, address.path)
        case TcpAddress():
            return TcpLine(await _connect(address), f"{address.host}:{address.port}")
        case _:
            assert_never(address)


class DescriptorLine:
    """An open line on a file descriptor. One task reads and writes it, and closes it.

    The kernel is the read buffer: bytes are taken only by a `read` that returns them, so a
    canceled `read` loses nothing, and a babbling peer fills no memory.
    """

    def __init__(self, endpoint: serial.Serial | socket.socket, name: str) -> None:
        self.name = name
        self._endpoint = endpoint
        self._descriptor = endpoint.fileno()
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Future[None] | None = None
        self._unsent = bytearray()
        self._lost: LineError | None = None
        self._closed = False

    @property
    def lost(self) -> LineError | None:
        """Why the line was lost, for logs and screens; None while it is whole."""
        return self._lost

    async def read(self) -> bytes:
        """Wait for bytes and return what is there; `b""` when the line is lost or closed.

        Bytes that came before the loss are returned first, as they may be evidence. Canceled, it
        takes nothing.
        """
        while not self._closed:
            if self._lost is None:
                await self._wait_until_readable()
                if self._closed:
                    break
            try:
                data = os.read(self._descriptor, READ_BYTES_MAX)
            except BlockingIOError:
                if self._lost is not None:
                    break
                continue
            except OSError as error:
                self._lose(self._broken(error))
                break
            if not data:
                self._lose(self._hung_up())
            return data
        return b""

    def write(self, data: bytes) -> None:
        """Send `data` as the line takes it; never blocks, never raises.

        A line that cannot send is lost, which the next `read` says; on a lost or closed line
        nothing is sent.
        """
        if self._lost is not None or self._closed or not data:
            return
        if not self._unsent:
            data = data[self._send(data) :]
            if not data:
                return
        if len(self._unsent) + len(data) > UNSENT_BYTES_MAX:
            self._lose(LineError("io_error", f"{self.name} takes no more bytes, it is stuck"))
            return
        if not self._unsent:
            self._loop.add_writer(self._descriptor, self._send_unsent)
        self._unsent += data

    def close(self) -> None:
        """Give the line back. A waiting `read` returns `b""`; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._descriptor)
        self._drop_unsent()
        self._wake_reader()
        self._release()

    def _release(self) -> None:
        self._endpoint.close()

    def _broken(self, error: OSError) -> LineError:
        return LineError("io_error", f"{self.name} broke: {_words(error)}")

    def _hung_up(self) -> LineError:
        return LineError("io_error", f"{self.name} was closed by the terminal")

    async def _wait_until_readable(self) -> None:
        assert self._reader is None, "one task reads a line"
        self._reader = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._wake_reader)
        try:
            await self._reader
        finally:
            self._reader = None
            if not self._closed:  # the number may already name another file
                self._loop.remove_reader(self._descriptor)

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _send(self, data: bytes | bytearray) -> int:
        """Return how many bytes of `data` the kernel took; all count as taken when lost."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._lose(self._broken(error))
            return len(data)

    def _send_unsent(self) -> None:
        del self._unsent[: self._send(self._unsent)]
        if not self._unsent:
            self._loop.remove_writer(self._descriptor)

    def _drop_unsent(self) -> None:
        if self._unsent:
            self._loop.remove_writer(self._descriptor)
            self._unsent = bytearray()

    def _lose(self, reason: LineError) -> None:
        if self._lost is None:
            self._lost = reason
            _LOGGER.debug("line=%s state=lost reason=%s", self.name, reason.reason)
        self._drop_unsent()
        self._wake_reader()


class SerialLine(DescriptorLine):
    """A serial port, real, behind USB, or a pseudo-terminal."""

    def _broken(self, error: OSError) -> LineError:
        if error.errno in {errno.EIO, errno.ENXIO, errno.ENODEV}:
            return self._hung_up()
        return super()._broken(error)

    def _hung_up(self) -> LineError:
        return LineError("usb_removed", f"{self.name} is gone: check the cable and the power")

    def _release(self) -> None:
        if _unsent_in_kernel(self._descriptor):
            # The last acknowledgement may still be on its way at 9600 baud, and the kernel waits
            # for it inside close(); a thread waits with it, for 30 s at most (closing_wait).
            self._loop.run_in_executor(None, self._endpoint.close)
        else:
            self._endpoint.close()


class TcpLine(DescriptorLine):
    """A connection to a terminal on the network."""

    def _broken(self, error: OSError) -> LineError:
        if error.errno in {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}:
            return LineError("unreachable", f"{self.name} stopped answering: check its network")
        return super()._broken(error)


def _open_port(address: SerialAddress) -> serial.Serial:
    """Open and configure a port; blocks for milliseconds, so it runs in a thread."""
    settings = address.settings
    try:
        port = serial.Serial(
            address.path,
            baudrate=settings.baud_rate,
            bytesize=_BYTE_SIZES[settings.data_bits],
            parity=_PARITIES[settings.parity],
            stopbits=_STOP_BITS[settings.stop_bits],
            timeout=0,
            inter_byte_timeout=0,  # makes "nothing there" and "hung up" two answers of read()
            exclusive=True,
        )
    except (OSError, ValueError) as error:
        raise _why_not_opened(address, error) from error
    except termios.error as error:  # no OSError: e.g. a port that knows no 7E1
        text = f"{address.path} does not take these settings: look at baud rate, bits and parity"
        raise LineError("io_error", text) from error
    try:
        port.set_low_latency_mode(True)
    except (OSError, ValueError):
        # Only real UARTs and some USB adapters know the mode; the others need none.
        _LOGGER.debug("line=%s low_latency=no", address.path)
    return port


def _why_not_opened(address: SerialAddress, error: OSError | ValueError) -> LineError:
    """Return the error that tells a technician what to do about a port that did not open."""
    path = address.path
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return LineError("not_found", f"no serial port {path}; {_what_is_there()}")
        case errno.EPERM:
            # The owner and mode of the port let us in, or it would be EACCES. systemd allows a
            # service the device classes that the kernel knew when the service started.
            return LineError(
                "no_permission",
                f"the device policy of the service refuses {path} (DeviceAllow= in its unit): the "
                "driver of this port was loaded after the service started, or is not listed; "
                "systemctl restart paybridge, and see docs/install.md about paybridge.modules",
            )
        case errno.EACCES:
            return LineError(
                "no_permission",
                f"no permission to open {path}: the user of paybridge must be in the group "
                "dialout (usermod -aG dialout USER), then restart paybridge",
            )
        case errno.EAGAIN | errno.EBUSY:
            return LineError("in_use", f"{path} is in use by another program; stop that first")
        case _:
            wish = f"as a serial port at {address.settings.baud_rate} baud"
            return LineError("io_error", f"{path} cannot be set up {wish}: {_words(error)}")


def _what_is_there() -> str:
    names = [str(link) for link in entries_of(BY_ID_FOLDER)]
    if not names:
        return "no USB serial port is there at all: check the cable and the terminal's power"
    return f"these are there: {', '.join(names[:NAMED_PORTS_MAX])}"


def entries_of(folder: Path) -> list[Path]:
    """Return what is in a folder, in order; nothing where there is none."""
    try:
        return sorted(folder.iterdir())
    except OSError:  # udev makes the folder with the first port and removes it with the last
        return []


def _unsent_in_kernel(descriptor: int) -> bool:
    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4)
    except OSError:  # a port that is gone waits for nothing
        return False
    return bool(struct.unpack("i", answer)[0])


async def _connect(address: TcpAddress) -> socket.socket:
    """Return a connected socket, trying every address of the host within one deadline."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(address.connect_seconds):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
            return await _connect_to_first([(family, where) for family, _, _, _, where in found])
    except socket.gaierror as error:
        raise LineError(
            "unreachable", f"nobody knows the host {address.host}: check its name or use the IP"
        ) from error
    except ConnectionRefusedError as error:
        raise LineError(
            "refused",
            f"{address.host} answers, but takes no connection on port {address.port}: "
            "check the port and the cash register mode of the terminal",
        ) from error
    except OSError as error:  # TimeoutError among them
        raise LineError(
            "unreachable",
            f"{address.host}:{address.port} does not answer: check that the terminal is on and "
            f"in this network ({_words(error)})",
        ) from error


# What befalls lines, by the system's number. Source: errno(3).
_FAULTS = {
    errno.ETIMEDOUT: "no answer in time",
    errno.ECONNRESET: "the other side cut the connection",
    errno.ECONNABORTED: "the other side cut the connection",
    errno.EPIPE: "the other side closed the connection",
    errno.EHOSTUNREACH: "no way leads there",
    errno.ENETUNREACH: "there is no network",
    errno.EHOSTDOWN: "it is switched off",
    errno.EIO: "the device does not work",
    errno.ENOTTY: "it is no serial port",
    errno.EINVAL: "the device does not take these settings",
}


async def _connect_to_first(found: Sequence[tuple[int, _SocketAddress]]) -> socket.socket:
    failure: OSError | None = None
    for family, where in found:
        endpoint = socket.socket(family, socket.SOCK_STREAM)
        try:
            endpoint.setblocking(False)
            _set_tcp_options(endpoint)
            await asyncio.get_running_loop().sock_connect(endpoint, where)
        except OSError as error:
            endpoint.close()
            failure = error
        except BaseException:  # canceled: nothing may stay open
            endpoint.close()
            raise
        else:
            return endpoint
    assert failure is not None, "a host that resolves has an address"
    raise failure


def _set_tcp_options(endpoint: socket.socket) -> None:
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, TCP_SILENCE_SECONDS)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, TCP_ASK_AGAIN_SECONDS)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, TCP_UNANSWERED_MAX)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_UNACKNOWLEDGED_MS)


def _words(error: OSError | ValueError) -> str:
    """Return what the system calls by a number, in our words."""
    number = getattr(error, "errno", None) or 0
    return _FAULTS.get(number, f"system error {errno.errorcode.get(number, number or 'unknown')}")

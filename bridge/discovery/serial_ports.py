"""Finds serial ports and, when told to, asks who is behind one or at a TCP address. No money.

Listing reads files of the kernel and opens nothing. Asking holds a driver's own `Probe`, which by
the contract moves no money and shows nothing to a shopper, and gives the line back.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bridge.discovery.usb_ids import COMMUNICATIONS_CLASS, UsbKind, kind_of
from bridge.errors import LineError
from bridge.terminal.conversation import Line
from bridge.terminal.transport import SerialAddress, TcpAddress, entries_of, open_line
from drivers import contract as c

SYSFS = Path("/sys")
DEVICES = Path("/dev")

ATTRIBUTE_BYTES_MAX = 256  # a USB string has 126 characters at most
PROBE_SECONDS_MAX = 8.0  # one that is there answers within 1 s; so a link may repeat once
QUIET_SECONDS = 0.3  # lets the answer to one protocol's question end before another one asks
NO_UART = "0"  # what the kernel says of a ttyS number behind which nothing is


Connect = Callable[[SerialAddress | TcpAddress], Awaitable[Line]]


@dataclass(frozen=True, slots=True)
class SerialPort:
    """What the system knows of one port. Empty strings mean that it did not say.

    USB ids and the interface class are lower-case hex digits without a prefix.
    """

    device: str  # e.g. "/dev/ttyACM0"; the number changes when it is plugged in again
    by_id: str = ""  # e.g. "/dev/serial/by-id/usb-INGENICO_Desk_3500_18123CT2-if00"
    by_path: str = ""  # the USB socket
    vendor_id: str = ""
    product_id: str = ""
    manufacturer: str = ""
    product: str = ""
    serial_number: str = ""
    interface_class: str = ""
    link: str = ""  # the operator's own, e.g. below "/dev/paybridge"

    @property
    def kind(self) -> UsbKind | None:
        """What is known of its USB ids."""
        return kind_of(self.vendor_id, self.product_id)

    @property
    def may_be_asked(self) -> bool:
        """True when it is surely no modem, scanner or stream deck, by class and ids together."""
        is_serial_by_class = self.interface_class == COMMUNICATIONS_CLASS
        return is_serial_by_class and self.kind is not None and self.kind.may_be_asked

    @property
    def stable_name(self) -> str:
        """The name to configure. Without a serial number two of a kind would share one `by_id`."""
        if self.link or (self.by_id and self.serial_number):
            return self.link or self.by_id
        return self.by_path or self.by_id or self.device


@dataclass(frozen=True, slots=True)
class Question:
    """One driver's probe, and with which settings of the terminal and the line it is asked."""

    driver: c.Driver
    settings: Any  # None: it has settings without a default, so nobody knows how to ask
    line: c.SerialDefaults

    @classmethod
    def with_defaults(cls, driver: c.Driver) -> Question:
        """Ask as the driver would without any configuration."""
        try:
            settings = driver.settings()
        except TypeError:
            settings = None
        return cls(driver, settings, driver.serial_defaults)


@dataclass(frozen=True, slots=True)
class PortAnswer:
    """What came of one driver's question at one port."""

    driver: str
    state: Literal["ready", "not_ready", "silent", "not_tried", "not_opened"]
    text: str = ""
    ready: c.TerminalReady | None = None
    reason: str = ""  # of `not_opened`: as `LineError` has it

    @property
    def says_who(self) -> bool:
        """True when the terminal named itself, so that nobody else can be meant."""
        return self.ready is not None and bool(self.ready.terminal_id or self.ready.serial_number)


# --- listing


def list_serial_ports(sysfs: Path = SYSFS, devices: Path = DEVICES) -> tuple[SerialPort, ...]:
    """Return the ports that are there, by device name. Opens none of them."""
    by_id = _links(devices / "serial" / "by-id")
    by_path = _links(devices / "serial" / "by-path")
    ports = []
    for entry in entries_of(sysfs / "class" / "tty"):
        port = _describe(entry, str(devices / entry.name))
        if port is not None:
            target = os.path.realpath(port.device)
            names = replace(port, by_id=by_id.get(target, ""), by_path=by_path.get(target, ""))
            ports.append(names)
    return tuple(sorted(ports, key=lambda port: (len(port.device), port.device)))


def name_port(path: str, ports: Iterable[SerialPort]) -> SerialPort:
    """Return the port that `path` leads to; of one that the system does not list only that.

    If `path` is a link, it is kept: it is the operator's name for it.
    """
    target = os.path.realpath(path)
    link = path if os.path.islink(path) else ""
    for port in ports:
        if os.path.realpath(port.device) == target:
            return replace(port, link=link)
    return SerialPort(target, link=link)


def _describe(entry: Path, device: str) -> SerialPort | None:
    """Return a port's facts; None for consoles, pseudo-terminals and numbers without hardware."""
    if not (entry / "device").exists():
        return None
    node = (entry / "device").resolve()
    usb = _ancestor_with(node, "idVendor")
    if usb is None:
        uart = _attribute(entry, "type")
        return SerialPort(device) if uart and uart != NO_UART else None
    interface = _ancestor_with(node, "bInterfaceClass")
    return SerialPort(
        device,
        vendor_id=_attribute(usb, "idVendor"),
        product_id=_attribute(usb, "idProduct"),
        manufacturer=_attribute(usb, "manufacturer"),
        product=_attribute(usb, "product"),
        serial_number=_attribute(usb, "serial"),
        interface_class=_attribute(interface, "bInterfaceClass") if interface else "",
    )


def _ancestor_with(node: Path, attribute: str) -> Path | None:
    for folder in (node, *node.parents):
        if (folder / attribute).is_file():
            return folder
    return None


def _attribute(folder: Path, name: str) -> str:
    try:
        with (folder / name).open("rb") as file:
            return file.read(ATTRIBUTE_BYTES_MAX).decode(errors="replace").strip()
    except OSError:  # not every device has every attribute, and it may be unplugged meanwhile
        return ""


def _links(folder: Path) -> dict[str, str]:
    return {os.path.realpath(link): str(link) for link in entries_of(folder)}


# --- asking


async def ask(
    place: SerialAddress | TcpAddress,
    questions: Sequence[Question],
    *,
    connect: Connect = open_line,
) -> AsyncIterator[PortAnswer]:
    """Yield what each question finds at a place, until a terminal says who it is.

    The port's own settings count for nothing: each question has its own. A port that somebody else
    has open is not touched: one answer, `not_opened`, says so.
    """
    for number, question in enumerate(questions):
        if number:
            await asyncio.sleep(QUIET_SECONDS)
        answer = await _ask_one(place, question, connect)
        yield answer
        if answer.state == "not_opened" or answer.says_who:
            return


async def _ask_one(
    place: SerialAddress | TcpAddress, question: Question, connect: Connect
) -> PortAnswer:
    driver = question.driver
    if question.settings is None:
        return PortAnswer(driver.name, "not_tried", "it has settings that must be given")
    is_serial = isinstance(place, SerialAddress)
    try:
        dialogue = driver.dialogue(question.settings, "serial" if is_serial else "tcp")
    except ValueError as error:  # it does not speak on such lines
        return PortAnswer(driver.name, "not_tried", str(error))
    if isinstance(place, SerialAddress):
        place = replace(place, settings=question.line)
    probe = _Probe(place, connect, dialogue)
    try:
        final = await probe.hold()
    except LineError as error:
        return PortAnswer(driver.name, "not_opened", str(error), reason=error.reason)
    if isinstance(final, c.TerminalReady) and not probe.has_asked:
        return PortAnswer(driver.name, "not_tried", "it asks nothing; only that the port is open")
    if isinstance(final, c.TerminalReady) and not probe.has_heard:
        # Good enough for a place that somebody named as this terminal, not for finding one.
        return PortAnswer(driver.name, "silent", "no answer; only that the port is open")
    match final:
        case c.TerminalReady():
            return PortAnswer(driver.name, "ready", ready=final)
        case c.TerminalNotReady(code, text):
            return PortAnswer(driver.name, "not_ready", text or code)
        case c.Unclear(reason, text):
            return PortAnswer(driver.name, "silent", text or reason)
        case _:
            return PortAnswer(driver.name, "silent", f"unexpected {type(final).__name__}")


@dataclass(slots=True)
class _Probe:
    """One probe, from its first line to its end; nothing of it is stored."""

    place: SerialAddress | TcpAddress
    connect: Connect
    dialogue: c.Dialogue
    has_asked: bool = False
    has_heard: bool = False

    async def hold(self) -> c.FinalEvent:
        """Hold it to its end, or until it has had time enough.

        Raises:
            LineError: The line cannot be opened.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + PROBE_SECONDS_MAX
        final: c.FinalEvent = c.Unclear("no_answer", "no answer")
        line = await self.connect(self.place)
        try:
            step = self.dialogue.begin(c.Probe(), loop.time())
            while True:
                if step.new_line:
                    line.close()
                    line = await self.connect(self.place)
                self.has_asked = self.has_asked or bool(step.send)
                line.write(step.send)
                for event in step.events:
                    if not isinstance(event, (c.Progress, c.Receipt, c.Taken, c.Offered)):
                        final = event
                if step.events:
                    step = self.dialogue.committed(loop.time())
                elif step.wake_at is None or loop.time() >= until:
                    return final
                else:
                    step = await self._next(line, step.wake_at, until)
        finally:
            line.close()

    async def _next(self, line: Line, wake_at: float, until: float) -> c.Step:
        loop, dialogue = asyncio.get_running_loop(), self.dialogue
        try:
            async with asyncio.timeout_at(min(wake_at, until)):
                data = await line.read()
        except TimeoutError:
            if wake_at > until:
                return c.Step(wake_at=wake_at)  # not yet silent by its own protocol, but enough
            return dialogue.timeout(loop.time())
        self.has_heard = self.has_heard or bool(data)
        return dialogue.receive(data, loop.time()) if data else dialogue.line_lost(loop.time())


# --- telling


def best(answers: Iterable[PortAnswer]) -> PortAnswer | None:
    """Return the answer that counts: of a terminal that names itself, else of any; None of none."""
    spoke = [answer for answer in answers if answer.state in {"ready", "not_ready"}]
    return max(spoke, key=lambda one: (one.says_who, one.state == "ready"), default=None)


def configuration(name: str, place: Mapping[str, str], answer: PortAnswer) -> str:
    """Return the table to paste into the configuration: this terminal, at this place only.

    `place` is the one key that says where it is, `port` or `tcp`.
    """
    facts = {"driver": answer.driver, **place}
    if answer.ready is not None:
        facts |= {
            "terminal_id": answer.ready.terminal_id,
            "serial_number": answer.ready.serial_number,
        }
    lines = [f"{key} = {_toml_text(value)}" for key, value in facts.items() if value]
    return "\n".join((f"[terminals.{name}]", *lines))


def _toml_text(text: str) -> str:
    """Return a basic string of TOML: JSON's escapes, and one character that JSON leaves alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

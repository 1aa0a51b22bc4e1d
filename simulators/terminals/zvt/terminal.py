"""A ZVT terminal: takes commands from a line, runs one at a time, survives power cuts.

It serves in three ways: `run(port)` over anything with `plug`, `unplug` and `accept`, which is a
cable in memory, a pseudo-terminal or a TCP port; `serve(line)` over one line only.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal

from drivers.contract import ProtocolError
from drivers.zvt.codec import apdu as codec
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.framing import LinkTimers
from drivers.zvt.codec.sequence import sequence_of
from simulators.terminals.shared.cable import Line, Port
from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.shopper import Scenario, Shopper
from simulators.terminals.zvt import bookings, payments, services
from simulators.terminals.zvt.device import Device, PowerCut
from simulators.terminals.zvt.flash import Flash
from simulators.terminals.zvt.line_end import LineEnd
from simulators.terminals.zvt.profile import LOCKS_PAYMENTS, PROFILES, Profile

UNKNOWN_COMMAND = m.Reply(0x83)
NOT_REGISTERED = m.Reply(0x6B)
Handler = Callable[[Device, Any], Awaitable[None]]
HANDLERS: dict[type[object], Handler] = {
    m.Registration: services.register,
    m.LogOff: services.log_off,
    m.StatusEnquiry: services.report_status,
    m.RepeatReceipt: services.repeat_receipt,
    m.EndOfDay: services.end_of_day,
    m.Totals: services.totals,
    m.Diagnosis: services.diagnose,
    m.SelfTest: services.examine_itself,
    m.Initialization: services.initialize,
    m.DisplayText: services.display,
    m.ReadCard: services.read_card,
    m.AbortRequest: services.nothing_to_stop,
    m.Authorization: payments.card_transaction,
    m.PreAuthorization: payments.card_transaction,
    m.Refund: payments.card_transaction,
    m.Reversal: bookings.reverse,
    m.BookTotal: bookings.book_total,
    m.PartialReversal: bookings.partial_reversal,
    m.CancelPreAuthorization: bookings.cancel_reservation,
    m.ExternalReversal: bookings.reverse_external,
    m.Tip: bookings.book_tip,
}


class ZvtTerminal:
    """One terminal. Its `ledger` is the truth about money; its `flash` is what it remembers."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        rng: random.Random,
        kind: Literal["serial", "tcp"] = "serial",
        scenario: Scenario | None = None,
        profile: Profile = PROFILES["default"],
        flash: Flash | None = None,
        ledger: TerminalLedger | None = None,
        speed: float | None = None,
    ) -> None:
        self.flash = flash or Flash()
        self.ledger = ledger or TerminalLedger()
        self.shopper = Shopper(scenario or Scenario())
        timers = LinkTimers(
            profile.byte_gap_seconds, profile.acknowledge_seconds, profile.reply_seconds
        )
        self._talk = LineEnd(kind, timers, rng, self._on_command)
        self._device = Device(
            profile=profile,
            flash=self.flash,
            ledger=self.ledger,
            shopper=self.shopper,
            talk=self._talk,
            rng=rng,
            clock=clock,
            unplug=self.unplug,
            speed=speed,
        )
        self._port: Port | None = None
        self._group: asyncio.TaskGroup | None = None
        self._commands: deque[tuple[m.Message | m.Unknown, int, int | None]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._running: asyncio.Task[PowerCut | None] | None = None
        self._cut: PowerCut | None = None

    @property
    def busy(self) -> bool:
        """Whether a command runs."""
        return not self._idle.is_set()

    async def run(self, port: Port) -> None:
        """Plug in at `port` and serve whoever comes, for ever. Canceling it is like a power cut."""
        self._port = port
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._work())
            await port.plug()
            while True:
                await self._talk.attend(await port.accept())

    async def serve(self, line: Line) -> None:
        """Serve one line; return when it is lost and the command that runs has ended."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            worker = group.create_task(self._work())
            await self._talk.attend(line)
            await self._idle.wait()
            worker.cancel()

    def unplug(self, seconds: float | None) -> None:
        """Lose the line, and get it back after `seconds` if that is not None."""
        if self._port is None:
            self._talk.hang_up()
            return
        self._port.unplug()
        if seconds is not None and self._group is not None:
            self._group.create_task(self._replug(self._port, seconds))

    def power_cut(self, seconds: float = 5.0, *, forget: bool = False) -> None:
        """Lose power for `seconds`; what was not committed is decided by the profile.

        With `forget` the flash memory is lost too, as when somebody swaps the terminal.
        """
        cut = PowerCut(seconds, forget=forget)
        if self._running is not None:
            self._cut = cut
            self._running.cancel()
        else:
            self._go_dark(cut)

    @property
    def _is_locked(self) -> bool:
        device = self._device
        if device.profile.lock_ends_with_line and not self._talk.connected:
            return False
        return bool(device.registered.config & LOCKS_PAYMENTS)

    def pay_without_register(self, amount_minor: int) -> bool:
        """Take a payment that somebody typed in at the terminal; False if that is locked."""
        if self.busy or self._is_locked:
            return False
        payments.pay_alone(self._device, amount_minor)
        return True

    def void_without_register(self) -> bool:
        """Void the newest payment by hand; False if that is locked, or there is none."""
        if self.busy or self._device.registered.config & LOCKS_PAYMENTS:
            return False
        return payments.void_alone(self._device)

    def close_without_register(self) -> bool:
        """Close the batch as it does at night, by itself; False while it is busy."""
        if self.busy:
            return False
        services.close_alone(self._device)
        return True

    async def _replug(self, port: Port, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await port.plug()

    def _on_command(self, apdu: bytes) -> None:
        device = self._device
        number = sequence_of(apdu)
        try:
            message = codec.decode(apdu)
        except ProtocolError:
            return device.say(m.Reply(payments.PROTOCOL_ERROR), number)
        if not device.numbers.takes(apdu):
            return device.say(m.Reply(payments.PROTOCOL_ERROR), number)
        # A register may send the next command together with its last reply.
        over = device.over and not self._talk.waits_for_reply
        if not self.busy or (over and not self._commands):
            self._idle.clear()
            self._commands.append((message, self._talk.session, number))
            self._wake.set()
            return None
        reply: m.Reply | None
        if isinstance(message, m.AbortRequest):
            reply = device.ask_to_stop()
        elif isinstance(message, m.StatusEnquiry) and device.detached:
            device.say(m.POSITIVE, number)
            device.say(m.StatusReport(services.BUSY))
            return None
        else:
            busy = device.profile.busy_code
            reply = None if busy is None else m.Reply(busy)
        if reply is not None:
            device.say(reply, number)
        else:
            self._talk.start_afresh()
        return None

    async def _work(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._commands:
                    await self._run_one(*self._commands.popleft())
                self._idle.set()
        finally:
            if self._running is not None:
                self._running.cancel()

    async def _run_one(
        self, message: m.Message | m.Unknown, session: int, number: int | None
    ) -> None:
        self._device.begin(session, number)
        handler = HANDLERS.get(type(message))
        if handler is None:
            self._device.reply(UNKNOWN_COMMAND)
            return
        anyhow = isinstance(message, m.Registration | m.AbortRequest)
        if not (anyhow or self._device.knows_register):
            self._device.reply(NOT_REGISTERED)
            return
        assert self._group is not None
        running = self._group.create_task(_carried_out(handler, self._device, message))
        self._running = running
        await asyncio.wait([running])
        self._running = None
        cut = self._cut
        if not running.cancelled():
            cut = running.result() or cut  # it may have ended before it could be canceled
        self._cut = None
        if cut is not None:
            self._go_dark(cut)
        elif self._device.profile.hangs_up and self._talk.kind == "tcp":
            left = [one for one in self._commands if one[1] != session]
            self._commands = deque(left)  # nobody hears the rest of a closed connection
            self._device.hang_up()

    def _go_dark(self, cut: PowerCut) -> None:
        device = self._device
        self._commands.clear()
        self._talk.forget()
        if self._talk.kind == "tcp":
            self.unplug(cut.seconds)
        else:
            self._talk.keep_silent(cut.seconds)
        pending = self.flash.pending
        if cut.forget:
            self.flash.forget()
        elif pending is not None and device.profile.power_loss == "keep":
            payments.commit(device, pending)
        elif pending is not None:
            device.undo(pending, "power lost before the commit")
        device.power_up()


async def _carried_out(handler: Handler, device: Device, message: object) -> PowerCut | None:
    """Run a handler; a power cut inside it is a result, not an error."""
    try:
        await handler(device, message)
    except PowerCut as cut:
        return cut
    return None

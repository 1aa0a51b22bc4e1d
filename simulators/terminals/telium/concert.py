"""A terminal that speaks Concert E+ on a serial line, by itself: it shares only the codec.

Where the sheets are silent it does what makes trouble: it goes on without the till's EOT, repeats
its answer for minutes, and loses it with the power.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

from drivers.contract import MaskedPan, ProtocolError
from drivers.telium.codec import messages as m
from drivers.telium.codec.codes import RESULT_ACCEPTED, RESULT_NOT_VERIFIED, RESULT_REFUSED
from drivers.telium.codec.framing import Damage, Frame, FrameReader, Item, Signal, encode_frame
from simulators.terminals.shared.cable import Line, Port
from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.shopper import Scenario, Shopper
from simulators.terminals.telium.device import (
    OTHER_CURRENCY,
    OTHER_REFERENCE,
    PROFILES,
    Device,
    Memory,
    PowerCut,
    Profile,
    Sale,
    Ticket,
    spoiled,
)

FRAME_ATTEMPTS_MAX = 4  # one and three repeats, as the till's own rule
RESULTS = {"approved": RESULT_ACCEPTED, "unverified": RESULT_NOT_VERIFIED}


class ConcertSession:
    """Signals and frames to and from the till, over whatever line is plugged in."""

    def __init__(self) -> None:
        self.on_enquiry_while_busy: Signal | None = None
        self.busy = False
        self._line: Line | None = None
        self._reader = FrameReader()
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._silent_until = 0.0

    async def attend(self, line: Line) -> None:
        """Take over `line` and hear it until it is lost."""
        self._line = line
        self._reader.reset()
        try:
            while data := await line.read():
                if not self._is_silent():
                    self._hear(data)
        finally:
            line.close()
            self._line = None

    def write(self, data: bytes) -> None:
        """Send `data`, into the void when there is no line."""
        if self._line is not None and not self._is_silent():
            self._line.write(data)

    def keep_silent(self, seconds: float) -> None:
        """Neither hear nor speak for a while."""
        self._silent_until = asyncio.get_running_loop().time() + seconds

    def forget(self) -> None:
        """Forget what was heard and not yet heeded."""
        self._reader.reset()
        while not self._items.empty():
            self._items.get_nowait()

    async def item(self, timeout_seconds: float | None) -> Item | None:
        """Return what the till says next, None when it says nothing in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._items.get()
        except TimeoutError:
            return None

    def _hear(self, data: bytes) -> None:
        for item in self._reader.receive(data):
            if not self.busy:
                self._items.put_nowait(item)
            elif item is Signal.ENQ and self.on_enquiry_while_busy is not None:
                self.write(self.on_enquiry_while_busy.value)

    def _is_silent(self) -> bool:
        return asyncio.get_running_loop().time() < self._silent_until


class TeliumTerminal:
    """One terminal. Its `ledger` is the truth about money; its `memory` keeps the tickets."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        rng: random.Random,
        scenario: Scenario | None = None,
        profile: Profile = PROFILES["default"],
        memory: Memory | None = None,
        ledger: TerminalLedger | None = None,
        speed: float | None = None,
    ) -> None:
        self.memory = memory or Memory()
        self.ledger = ledger or TerminalLedger()
        self.shopper = Shopper(scenario or Scenario())
        self._talk = ConcertSession()
        self._talk.on_enquiry_while_busy = Signal.NAK if profile.busy == "nak" else None
        self._device = Device(
            profile=profile,
            memory=self.memory,
            ledger=self.ledger,
            shopper=self.shopper,
            rng=rng,
            clock=clock,
            unplug=self.unplug,
            silence=self._talk.keep_silent,
            speed=speed,
        )
        self._port: Port | None = None
        self._group: asyncio.TaskGroup | None = None
        self._life: asyncio.Task[PowerCut] | None = None
        self._cut = PowerCut(0, forget=False)
        self._answer: bytes | None = None  # the frame that the till has not acknowledged
        self._attempts = 0
        self._attempt_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether a payment runs or its answer is not given yet."""
        return self._talk.busy or self._answer is not None

    async def run(self, port: Port) -> None:
        """Plug in at `port` and serve for ever. Canceling it is like a power cut for good."""
        self._port = port
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._live(group))
            await port.plug()
            while True:
                await self._talk.attend(await port.accept())

    def unplug(self, seconds: float) -> None:
        """Lose the line, and get it back after `seconds`."""
        if self._port is not None and self._group is not None:
            self._port.unplug()
            self._group.create_task(_replug(self._port, seconds))

    def power_cut(self, seconds: float = 5.0, *, forget: bool = False) -> None:
        """Lose power for `seconds`, and with `forget` the memory as well."""
        if self._life is not None:
            self._cut = PowerCut(seconds, forget=forget)
            self._life.cancel()

    def pay_without_register(self, amount_minor: int) -> bool:
        """Take a payment that somebody typed in at the terminal; False while it is busy."""
        if self.busy:
            return False
        sale = Sale(amount_minor, self._device.profile.currency, credit=False, reference="")
        self._device.book(sale, "approved")
        return True

    def void_without_register(self) -> bool:
        """Void the newest payment by hand; False while it is busy, or when there is none."""
        return not self.busy and self._device.void_alone()

    def close_without_register(self) -> bool:
        """Say False: these terminals close when their acquirer wants it, not a register."""
        return False

    # --- life

    async def _live(self, group: asyncio.TaskGroup) -> None:
        """Live from one power cut to the next."""
        try:
            while True:
                self._life = group.create_task(self._serve())
                await asyncio.wait([self._life])
                self._go_dark(self._cut if self._life.cancelled() else self._life.result())
        finally:
            if self._life is not None:
                self._life.cancel()

    def _go_dark(self, cut: PowerCut) -> None:
        self._talk.keep_silent(cut.seconds)
        self._talk.busy = False
        self._talk.forget()
        if not self._device.profile.keeps_answer_without_power:
            self._answer = None
        if cut.forget:
            self.memory.forget()

    async def _serve(self) -> PowerCut:
        """Hear requests and give answers until the power goes."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                rest = None if self._answer is None else max(0.0, self._attempt_at - loop.time())
                item = await self._talk.item(rest)
                if item is None:
                    await self._give_answer()
                elif item is Signal.ENQ and self._answer is None:
                    await self._hear_request()
                elif item is Signal.ENQ and self._device.profile.busy == "nak":
                    self._talk.write(Signal.NAK.value)
        except PowerCut as cut:
            return cut

    # --- a request

    async def _hear_request(self) -> None:
        self._talk.write(Signal.ACK.value)
        for _ in range(FRAME_ATTEMPTS_MAX):
            match await self._talk.item(self._device.profile.step_seconds):
                case Frame(body):
                    if await self._take_request(body):
                        return
                case Damage():
                    pass
                case Signal.ENQ:
                    self._talk.write(Signal.ACK.value)
                    continue
                case _:
                    return  # EOT: it only wanted to know whether somebody is there
            self._talk.write(Signal.NAK.value)

    async def _take_request(self, body: bytes) -> bool:
        """Do what the till wants; False if the frame is refused and may be sent again."""
        device, talk = self._device, self._talk
        try:
            request = m.decode_request(body)
        except ProtocolError:
            return False
        if device.spoiler.refuse_frames:
            device.spoiler.refuse_frames -= 1
            return False
        plan = device.next_plan(request.amount_minor)
        await device.reach("command")
        if plan.outcome == "refuse" or device.spoiler.refuse_frames:
            device.spoiler.refuse_frames = max(0, device.spoiler.refuse_frames - 1)
            return False
        if device.spoiler.lost_ack:
            device.spoiler.lost_ack = False
        else:
            talk.write(Signal.ACK.value)
        await talk.item(device.profile.step_seconds)  # the till's EOT; without it all goes on
        talk.busy = True
        await device.reach("replied")
        await self._transact(request)
        return True

    async def _transact(self, request: m.Request) -> None:
        device = self._device
        credit = request.action in (m.CREDIT, "2")
        sale = Sale(request.amount_minor, request.currency, credit, request.private)
        if request.answer_at_once:
            # The answer only says that the amount is on the display.
            self._set_answer(request, RESULT_ACCEPTED, None)
            self._talk.busy = False
            await self._give_answer()
            self._talk.busy = True
        if request.currency != device.profile.currency:
            ticket = device.book(sale, "declined")
        else:
            ticket = await device.take(sale)
        if not request.answer_at_once:
            self._set_answer(request, RESULTS.get(ticket.outcome, RESULT_REFUSED), ticket)
        await device.reach("status")
        self._talk.busy = False
        self._talk.forget()

    def _set_answer(self, request: m.Request, result: str, ticket: Ticket | None) -> None:
        device = self._device
        private = request.private
        if ticket is not None and not device.profile.echoes_private:
            private = f"{ticket.approval_code:<10}"
        other = device.suffers("other_transaction")
        card = device.plan.card
        answer = m.ConcertAnswer(
            till=request.till,
            result=result,
            amount_minor=request.amount_minor,
            means=request.means,
            currency=OTHER_CURRENCY if device.suffers("wrong_currency") else request.currency,
            private=OTHER_REFERENCE if other else private,
            is_long=request.long_answer,
            card=MaskedPan.of(card.pan) if result == RESULT_ACCEPTED else None,
        )
        shows_all = device.plan.whole_pan and result == RESULT_ACCEPTED and request.long_answer
        self._answer = encode_frame(m.encode(answer, card.pan if shows_all else ""))
        self._attempts, self._attempt_at = 0, 0.0

    # --- an answer

    async def _give_answer(self) -> None:
        """Try to give the answer; after too many attempts only the ticket is left."""
        profile = self._device.profile
        if await self._is_taken():
            await self._device.reach("completion")
            if profile.sends_eot:
                self._talk.write(Signal.EOT.value)
            self._answer = None
            return
        self._talk.write(Signal.EOT.value)
        self._attempts += 1
        self._attempt_at = asyncio.get_running_loop().time() + profile.rest_seconds
        if self._attempts >= profile.attempts_max:
            self._answer = None

    async def _is_taken(self) -> bool:
        talk = self._talk
        for _ in range(self._device.profile.enquiries_max):
            talk.forget()
            talk.write(Signal.ENQ.value)
            while (item := await talk.item(self._device.profile.step_seconds)) is not None:
                if item is Signal.ACK:
                    return await self._is_acknowledged()
        return False

    async def _is_acknowledged(self) -> bool:
        """Send the frame until the till acknowledges it."""
        device, talk = self._device, self._talk
        for _ in range(FRAME_ATTEMPTS_MAX):
            talk.forget()
            await self._write_frame()
            answer = await talk.item(device.profile.step_seconds)
            while answer is Signal.ENQ:
                answer = await talk.item(device.profile.step_seconds)
            if answer is Signal.ACK and not device.spoiler.lost_ack:
                return True
            device.spoiler.lost_ack = False
        return False

    async def _write_frame(self) -> None:
        device = self._device
        assert self._answer is not None, "there is an answer to give"
        pause, device.spoiler.trickle_seconds = device.spoiler.trickle_seconds, None
        data = spoiled(self._answer, device.spoiler, device.rng)
        if pause is None:
            self._talk.write(data)
            return
        for byte in data:
            self._talk.write(bytes([byte]))
            await asyncio.sleep(pause)


async def _replug(port: Port, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await port.plug()

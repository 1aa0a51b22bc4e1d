"""A terminal that speaks Caisse-AP over IP, by itself: it shares only the codec.

It serves one connection at a time. What the shopper began goes on when the connection is lost, and
its answer is lost with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

from drivers.contract import ProtocolError
from drivers.telium.codec import caisse_ap
from simulators.terminals.shared.cable import Line, Port
from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.shopper import Scenario, Shopper
from simulators.terminals.telium.device import (
    OTHER_CURRENCY,
    PROFILES,
    Device,
    Memory,
    PowerCut,
    Profile,
    Sale,
    Ticket,
    spoiled,
)

REQUEST_GAP_SECONDS = 0.1  # for the rest of a request, as nothing says how long it is
OWN_ID = "330538600404"  # as one was seen to answer
REQUEST_TAGS = frozenset(("CZ", "CJ", "CA", "CE", "CD", "CB"))
REASON_WORDS = 27  # with the code 29, as one bank's refusals have
REASONS = {
    "declined": "04",
    "stopped": "11",
    "timeout": "08",
    "card_removed": "07",
    "unverified": "00",
}
FORMAT_ERROR, UNKNOWN_ACTION, OTHER_CURRENCY_ASKED = "09", "12", "13"
ENTRIES = {"chip": "1", "contactless": "2", "stripe": "3"}
APPLICATIONS = {"amex": "002", "diners": "006", "jcb": "009"}
CB_CONTACT, CB_CONTACTLESS = "001", "00B"


class CaisseApTerminal:
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
        self._device = Device(
            profile=profile,
            memory=self.memory,
            ledger=self.ledger,
            shopper=self.shopper,
            rng=rng,
            clock=clock,
            unplug=self.unplug,
            silence=self._keep_silent,
            speed=speed,
        )
        self._port: Port | None = None
        self._group: asyncio.TaskGroup | None = None
        self._life: asyncio.Task[PowerCut] | None = None
        self._cut = PowerCut(0, forget=False)
        self._silent_until = 0.0
        self._in_payment = False

    @property
    def busy(self) -> bool:
        """Whether a payment runs."""
        return self._in_payment

    async def run(self, port: Port) -> None:
        """Listen at `port` and serve for ever. Canceling it is like a power cut for good."""
        self._port = port
        async with asyncio.TaskGroup() as group:
            self._group = group
            await port.plug()
            while True:
                self._life = group.create_task(self._serve(port))
                await asyncio.wait([self._life])
                cut = self._cut if self._life.cancelled() else self._life.result()
                self._in_payment = False
                if cut.forget:
                    self.memory.forget()
                port.unplug()
                await asyncio.sleep(cut.seconds)
                await port.plug()

    def unplug(self, seconds: float) -> None:
        """Lose every connection, and listen again after `seconds`."""
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

    # --- one connection

    async def _serve(self, port: Port) -> PowerCut:
        try:
            while True:
                line = await port.accept()
                try:
                    await self._attend(line)
                finally:
                    line.close()
        except PowerCut as cut:
            return cut

    async def _attend(self, line: Line) -> None:
        """Serve the requests of one connection until it is closed, by whichever side."""
        while tags := await self._request(line):
            if tags.get("CD") == "I":
                await self._identify(line, tags)
                if self._device.profile.hangs_up:
                    return
                continue
            self._in_payment = True
            answer = await self._answer(tags)
            self._in_payment = False
            await self._speak(line, answer)
            if self._device.profile.hangs_up:
                return

    async def _request(self, line: Line) -> dict[str, str]:
        """Return the tags of the next request, none when the connection is over."""
        received, gap = b"", None
        while True:
            try:
                async with asyncio.timeout(gap):
                    data = await line.read()
            except TimeoutError:
                return _tags(received)
            if not data:
                return {}
            received += data
            gap = REQUEST_GAP_SECONDS
            tags = _tags(received)
            if tags.keys() >= REQUEST_TAGS:
                return tags

    async def _identify(self, line: Line, tags: dict[str, str]) -> None:
        """Say who it is, as far as this make can."""
        profile = self._device.profile
        own = OWN_ID if profile.identification == "own" else tags.get("CJ", "")
        head = (("CZ", tags.get("CZ", "")), ("CJ", own), ("CA", tags.get("CA", "")), ("CD", "I"))
        match profile.identification:
            case "silent":
                return
            case "unknown":
                words = caisse_ap.encode_tags((*head, ("AE", "01"), ("AF", UNKNOWN_ACTION)))
            case _:
                words = caisse_ap.encode_tags((*head, ("AE", "10")))
        await self._speak(line, words + profile.line_end)

    async def _answer(self, tags: dict[str, str]) -> bytes:
        """Do what the till wants and return what there is to say about it."""
        device = self._device
        head = [(tag, tags[tag]) for tag in ("CZ", "CJ") if tag in tags]
        try:
            request = caisse_ap.decode_request(tags)
        except ProtocolError:
            reason = UNKNOWN_ACTION if tags.get("CD", "0") not in "01" else FORMAT_ERROR
            refusal = caisse_ap.CaisseApAnswer(caisse_ap.NOT_DONE, reason, till=tags.get("CA", ""))
            return caisse_ap.encode_tags(head) + caisse_ap.encode_answer(refusal)
        plan = device.next_plan(request.amount_minor)
        await device.reach("command")
        if plan.outcome == "refuse":
            words = self._words(request, None, f"{plan.code % 100:02d}")
        elif request.currency != device.profile.currency:
            words = self._words(request, None, OTHER_CURRENCY_ASKED)
        else:
            await device.reach("replied")
            credit = request.action == caisse_ap.CREDIT
            sale = Sale(request.amount_minor, request.currency, credit, reference="")
            ticket = await device.take(sale)
            words = self._words(request, ticket, REASONS.get(ticket.outcome, ""))
        await device.reach("status")
        private = device.profile.private_words
        more = caisse_ap.encode_tags((("CF", private),)) if private else b""
        return caisse_ap.encode_tags(head) + words + more + device.profile.line_end

    def _words(self, request: caisse_ap.Request, ticket: Ticket | None, reason: str) -> bytes:
        device, card = self._device, self._device.plan.card
        stopped = bool(reason)
        amount: int | None = request.amount_minor
        if ticket is not None and not stopped:
            amount = ticket.amount_minor
        if device.suffers("other_transaction"):
            amount = request.amount_minor + 100
        if stopped and not device.profile.names_amount_when_stopped:
            amount = None
        answer = caisse_ap.CaisseApAnswer(
            status=caisse_ap.NOT_DONE if stopped else caisse_ap.DONE,
            reason=reason if device.profile.explains_refusals else "",
            text=_padded(device.profile.refusal_words) if stopped else "",
            till=request.till,
            amount_minor=amount,
            currency=OTHER_CURRENCY if device.suffers("wrong_currency") else request.currency,
            action=request.action,
        )
        if stopped or ticket is None:
            return caisse_ap.encode_answer(answer)
        contactless = device.plan.entry == "contactless"
        paid = caisse_ap.CaisseApAnswer(
            status=answer.status,
            till=answer.till,
            amount_minor=answer.amount_minor,
            currency=answer.currency,
            action=answer.action,
            application=APPLICATIONS.get(card.brand, CB_CONTACTLESS if contactless else CB_CONTACT),
            entry=ENTRIES[device.plan.entry],
            approval_code=ticket.approval_code,
            application_id=card.application_id,
            contract=device.profile.contract,
        )
        number = card.pan if device.plan.whole_pan else f"{card.pan[:6]}######{card.pan[-4:]}"
        return caisse_ap.encode_answer(paid, number)

    async def _speak(self, line: Line, answer: bytes) -> None:
        device = self._device
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._silent_until - loop.time()))
        pause, device.spoiler.trickle_seconds = device.spoiler.trickle_seconds, None
        data = spoiled(answer, device.spoiler, device.rng)
        if pause is None:
            line.write(data)
        else:
            for byte in data:
                line.write(bytes([byte]))
                await asyncio.sleep(pause)
        after = device.profile.repeats_after_seconds
        if after is not None and self._group is not None:
            self._group.create_task(_say_again(line, data, after))
        await device.reach("completion")

    def _keep_silent(self, seconds: float) -> None:
        self._silent_until = asyncio.get_running_loop().time() + seconds


def _tags(received: bytes) -> dict[str, str]:
    try:
        tags, rest = caisse_ap.decode_tags(received)
    except ProtocolError:
        return {"CD": ""}
    return {"CD": ""} if rest else tags


def _padded(words: str) -> str:
    """Return what follows the two characters of a reason; terminals fill it up with blanks."""
    return f"{words:<{REASON_WORDS}}" if words else ""


async def _say_again(line: Line, data: bytes, seconds: float) -> None:
    """Repeat an answer on its line, into the void when that is closed."""
    await asyncio.sleep(seconds)
    line.write(data)


async def _replug(port: Port, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await port.plug()

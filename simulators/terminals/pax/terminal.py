"""A PAX terminal that exists only in software: `python -m simulators terminal pax`.

It listens as BroadPOS does, keeps its own memory, and misbehaves on request. It takes one command
at a time, whoever sent it; a payment goes on when its line is lost. Its ledger says what really
happened to money. The five places of a scenario mean: `command` before the ACK counts, `replied`
before the card, `status` when the host has decided, `prints` with the answer, `completion` before
EOT.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
from collections.abc import Callable
from datetime import datetime

from drivers.contract import ProtocolError
from drivers.pax.codec import codes
from drivers.pax.codec.messages import (
    Answer,
    AskDetail,
    AskTotals,
    CloseBatch,
    Identity,
    Outcome,
    Plain,
    Request,
    Result,
    Transact,
)
from drivers.pax.codec.payload import answering, decode_request, encode_answer
from simulators.terminals.pax.bookings import PaxBookings
from simulators.terminals.pax.gift_host import GIFT_CARD, GiftHost
from simulators.terminals.pax.line_end import PaxTalk, Spoiler
from simulators.terminals.pax.memory import PaxMemory
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.shared.cable import Port
from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.program import (
    add_terminal_arguments,
    chosen_scenario,
    serve_terminal,
)
from simulators.terminals.shared.shopper import CARDS, Mischief, Place, Plan, Scenario, Shopper

COMMAND = re.compile("[A-Z][0-9]{2}")
WITHOUT_CARD = (codes.POST_AUTH, codes.ADJUST, *sorted(codes.VOID_TYPES))
WITH_CARD = (codes.SALE, codes.RETURN, codes.AUTH)
WITH_GIFT_CARD = (codes.SALE, codes.RETURN, codes.ADD_VALUE, codes.BALANCE)


class Stopped(Exception):
    """The register's cancel was obeyed."""


class PowerCut(Exception):
    """The terminal lost power in the middle of something."""


class PaxTerminal:
    """One terminal. Its `ledger` is the truth about money; its `memory` is what it remembers."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        rng: random.Random,
        scenario: Scenario | None = None,
        profile: PaxProfile | None = None,
        memory: PaxMemory | None = None,
        ledger: TerminalLedger | None = None,
        speed: float | None = None,
    ) -> None:
        self.profile = profile or PaxProfile()
        self.memory = memory or PaxMemory()
        self.ledger = ledger or TerminalLedger()
        self.shopper = Shopper(scenario or Scenario())
        self.spoiler = Spoiler()
        self._clock = clock
        self._rng = rng
        self._speed = speed
        self._bookings = PaxBookings(
            self.memory,
            self.ledger,
            rng,
            self.profile.currency,
            self.profile.serial_number,
            self.profile.duplicate_check,
            self.profile.voids_keep_a_record,
            self._gift_host(),
            self.profile.gift_apart,
        )
        self._port: Port | None = None
        self._group: asyncio.TaskGroup | None = None
        self._talks: set[PaxTalk] = set()
        self._running: asyncio.Task[None] | None = None
        self._answering = False  # the command that runs has its result, and only sends it
        self._stop_asked: asyncio.Event | None = None  # there while a cancel is heard

    def _gift_host(self) -> GiftHost | None:
        cards = self.profile.gift_cards
        if cards is None:
            return None
        balances = self.memory.contents.gift_balances
        balances.update((card, minor) for card, minor in cards if card not in balances)
        return GiftHost(balances, self.profile.gift_part)

    @property
    def _tenders(self) -> tuple[str, ...]:
        cards = ("credit", "debit")
        return cards if self.profile.gift_cards is None else (*cards, "gift")

    @property
    def busy(self) -> bool:
        """Whether a command runs."""
        return self._running is not None and not self._running.done()

    async def run(self, port: Port) -> None:
        """Plug in at `port` and serve whoever comes, for ever. Canceling it is like a power cut."""
        self._port = port
        async with asyncio.TaskGroup() as group:
            self._group = group
            await port.plug()
            while True:
                line = await port.accept()
                talk = PaxTalk(line, self._rng, self.spoiler, self._on_payload)
                self._talks.add(talk)
                group.create_task(self._attend(talk))

    def unplug(self, seconds: float | None) -> None:
        """Lose the line, and get it back after `seconds` if that is not None."""
        assert self._port is not None, "a terminal that runs has a port"
        self._port.unplug()
        if seconds is not None and self._group is not None:
            self._group.create_task(self._replug(self._port, seconds))

    def power_cut(self, seconds: float = 5.0, *, forget: bool = False) -> None:
        """Lose power for `seconds`, with `forget` the memory as well."""
        if forget:
            self.memory.forget()
        if self._running is not None:
            self._running.cancel()
        self.unplug(seconds)

    def pay_without_register(self, amount_minor: int) -> bool:
        """Take a payment that somebody typed in at the terminal; False while it is busy."""
        if self.busy:
            return False
        self._bookings.moment = self._clock()
        self._bookings.pay_alone(amount_minor, self.shopper.next_plan(amount_minor))
        return True

    def void_without_register(self) -> bool:
        """Void the newest payment by hand; False while it is busy, or when there is none."""
        if self.busy:
            return False
        self._bookings.moment = self._clock()
        return self._bookings.void_alone()

    def close_without_register(self) -> bool:
        """Close the batch as it does at night, by itself; False while it is busy."""
        if self.busy:
            return False
        self._bookings.moment = self._clock()
        self._bookings.close_batch()
        return True

    async def _attend(self, talk: PaxTalk) -> None:
        try:
            await talk.attend()
        finally:
            self._talks.discard(talk)

    async def _replug(self, port: Port, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await port.plug()

    # --- commands

    def _on_payload(self, talk: PaxTalk, payload: bytes) -> None:
        assert self._group is not None, "payloads come while it runs"
        try:
            request = decode_request(payload)
        except ProtocolError:
            name = payload[:3].decode("latin-1")
            if COMMAND.fullmatch(name):
                answer = Outcome(answering(name), "100027", "UNSUPPORTED")
                self._group.create_task(self._say(talk, answer))
            return
        if isinstance(request, Plain) and request.command == "A14":
            self._group.create_task(self._obey_cancel(talk))
        elif self.busy and not self._answering:
            if self.profile.busy == "eot":
                talk.end()
        else:
            before = self._running
            self._running = self._group.create_task(self._perform(talk, request, before))

    async def _perform(
        self, talk: PaxTalk, request: Request, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            # The one before only waits for its acknowledgement; a terminal ends that first.
            await asyncio.wait((before,))
        self._answering = False
        self._bookings.moment = self._clock()
        try:
            if isinstance(request, Transact):
                await self._transact(talk, request)
            else:
                await self._say(talk, self._plain_answer(request))
        except PowerCut:
            pass

    def _plain_answer(self, request: Request) -> Answer:
        match request:
            case AskDetail():
                return self._bookings.report(request)
            case AskTotals():
                return self._bookings.totals()
            case CloseBatch():
                return self._bookings.close_batch()
            case Plain("A00"):
                return Identity(codes.OK, "OK", self.profile.serial_number, self.profile.model, "1")
            case Plain(command):
                return Outcome(answering(command), codes.OK, "OK")
            case Transact():
                raise AssertionError("transactions are performed elsewhere")

    async def _obey_cancel(self, talk: PaxTalk) -> None:
        plan_obeys = self._stop_asked is not None
        if self._stop_asked is not None:
            self._stop_asked.set()
        match self.profile.cancel_answer:
            case "a15":
                code = codes.OK if plan_obeys or not self.busy else codes.ABORTED
                await self._say(talk, Outcome("A15", code, "OK"))
            case "eot":
                talk.end()
            case "none":
                pass

    async def _say(self, talk: PaxTalk, answer: Answer) -> None:
        self._answering = True
        if await talk.answer(encode_answer(answer)) and self.profile.says_eot:
            talk.end()
        if self.profile.hangs_up:
            talk.hang_up()

    # --- payments

    async def _transact(self, talk: PaxTalk, request: Transact) -> None:
        duplicate = self._bookings.duplicate_of(request)
        if duplicate is not None:
            answer = self._bookings.result(duplicate, codes.DUPLICATE, "DUP TRANSACTION")
            await self._say(talk, answer)
            return
        if request.tender not in self._tenders:
            await self._say(talk, Result(request.tender, "100005", "UNSUPPORTED EDC"))
            return
        gift = request.tender == "gift"
        shows_card = request.type in (WITH_GIFT_CARD if gift else WITH_CARD)
        if shows_card:
            plan = self.shopper.next_plan(request.amount.transaction or 0)
        else:
            plan = self.shopper.scenario.without_card
        await self._reach("command", plan, talk)
        if request.type in WITHOUT_CARD:
            answer = self._bookings.work_on_original(request)
        elif shows_card:
            answer = await self._with_card(talk, request, plan)
        else:
            answer = Result(request.tender, "100004", "UNSUPPORTED TRANS")
        await self._reach("status", plan, talk)
        if not self.profile.echoes_reference and answer.trace.reference:
            answer = _without_echo(answer)
        answer = self._other_transaction(answer, plan)
        await self._reach("prints", plan, talk)
        payload = encode_answer(answer)
        if plan.whole_pan:
            pan = (plan.gift_card if gift else CARDS[plan.brand].pan).encode()
            payload = payload.replace(b"\x1c" + pan[-4:] + b"\x1f", b"\x1c" + pan + b"\x1f")
            payload = payload.replace(b"APPROVAL", b"CARD " + pan)
        self._answering = True
        taken = await talk.answer(payload)
        await self._reach("completion", plan, talk)
        if taken and self.profile.says_eot:
            talk.end()
        if self.profile.hangs_up:
            talk.hang_up()

    async def _with_card(self, talk: PaxTalk, request: Transact, plan: Plan) -> Result:
        if plan.abort != "ignore":
            self._stop_asked = asyncio.Event()
        try:
            await self._reach("replied", plan, talk)
            if plan.outcome == "walk_away":
                await self._wait(plan.walk_away_seconds, plan)
                return Result(request.tender, codes.TIMEOUT, "TIMEOUT")
            await self._wait(plan.seconds_to_card, plan)
            if plan.outcome == "cancel":
                return Result(request.tender, codes.ABORTED, "ABORTED")
            if plan.outcome == "remove_card_early":
                return Result(request.tender, "100019", "CARD REMOVED")
            if plan.entry == "chip":
                await self._wait(plan.seconds_to_pin, plan)
        except Stopped:
            return Result(request.tender, codes.ABORTED, "ABORTED")
        finally:
            self._stop_asked = None
        await self._wait(plan.seconds_at_host, None)
        if request.tender == "gift":
            return self._bookings.serve_gift(request, plan)
        return self._bookings.result(self._bookings.authorize(request, plan))

    def _other_transaction(self, answer: Result, plan: Plan) -> Result:
        """Answer with an older record, if the plan says so and there is one."""
        wanted = any(mischief.kind == "other_transaction" for mischief in plan.mischief)
        older = [r for r in self.memory.records if r.reference != answer.trace.reference]
        return self._bookings.result(older[-1]) if wanted and older else answer

    async def _wait(self, seconds: float, plan: Plan | None) -> None:
        """Let people or hosts take `seconds`; with a plan, a cancel may end it.

        Raises:
            Stopped: The register's cancel was obeyed.
        """
        speed = self.shopper.scenario.speed if self._speed is None else self._speed
        scaled = seconds / speed if speed else 0.0
        stop = self._stop_asked
        if plan is None or stop is None:
            await asyncio.sleep(scaled)
            return
        try:
            async with asyncio.timeout(scaled):
                await stop.wait()
        except TimeoutError:
            return
        if plan.abort == "obey":
            raise Stopped

    async def _reach(self, place: Place, plan: Plan, talk: PaxTalk) -> None:
        """Let the plan's misfortunes of this place happen.

        Raises:
            PowerCut: One of them is that; what was not booked never happens.
        """
        for mischief in plan.mischief:
            if mischief.at == place:
                await self._befall(mischief, talk)

    async def _befall(self, mischief: Mischief, talk: PaxTalk) -> None:
        spoiler = self.spoiler
        match mischief.kind:
            case "unplug":
                self.unplug(mischief.seconds)
            case "silent":
                talk.keep_silent(mischief.seconds)
                await asyncio.sleep(mischief.seconds)
            case "die":
                if mischief.forget:
                    self.memory.forget()
                self.unplug(mischief.seconds)
                raise PowerCut
            case "garbage":
                spoiler.garbage = mischief.count
            case "noise":
                spoiler.noise = mischief.count
            case "duplicate":
                spoiler.duplicate = True
            case "lost_ack":
                spoiler.lost_ack = True
            case "nak":
                spoiler.refuse_frames = mischief.count
            case "trickle":
                spoiler.trickle_seconds = mischief.seconds
            case "wrong_currency" | "other_transaction" | "two_results":
                pass  # POSLINK carries no currency; the other changes the answer itself


def _without_echo(answer: Result) -> Result:
    return Result(answer.tender, answer.code, answer.text, answer.host, answer.type, answer.amount)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command line of this terminal."""
    add_terminal_arguments(parser)
    parser.add_argument("--currency", default="USD", help="what it is set up for (default: USD)")
    parser.add_argument(
        "--gift",
        type=int,
        metavar="MINOR",
        help=f"serve gift cards; this much is on the card {GIFT_CARD}",
    )
    parser.add_argument(
        "--hangs-up", action="store_true", help="close the connection after each exchange"
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Be a terminal until canceled."""
    terminal = PaxTerminal(
        clock=lambda: datetime.now().astimezone(),
        rng=random.Random(arguments.seed),
        scenario=chosen_scenario(arguments),
        profile=PaxProfile(
            currency=arguments.currency,
            hangs_up=arguments.hangs_up,
            gift_cards=None if arguments.gift is None else ((GIFT_CARD, arguments.gift),),
        ),
        memory=PaxMemory(arguments.memory),
        ledger=TerminalLedger(arguments.ledger),
        speed=arguments.speed,
    )
    await serve_terminal(arguments, terminal)

"""One seed, one world: tills, broker, bridge, cable, terminals, back office, and their misfortunes.

`play(seed)` returns the story. The world has three phases: trouble (everything may go wrong),
calm (nothing does any more, all must come to rest), and a person who answers, from the terminal's
slip and from the office's list, what the bridge could not find out.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from bridge.errors import JournalError
from simulators.back_office.records import Json
from simulators.back_office.state import BackOfficeState
from simulators.broker import Broker
from simulators.loop import Deadlock, VirtualLoop, run_virtual
from simulators.terminals.shared.cable import MemoryPort, Wire
from simulators.terminals.zvt.line_end import NoReply
from tests.simulation import misfortune
from tests.simulation.disk import Disk
from tests.simulation.ending import compare_journal, judge_the_end
from tests.simulation.eyes import Eyes
from tests.simulation.incarnation import START, Incarnation, Surroundings
from tests.simulation.judge import Judge
from tests.simulation.loop import Listener, WorldLoop
from tests.simulation.makes import Make, MakeName, Terminal, make_of
from tests.simulation.makes import Surroundings as TerminalSurroundings
from tests.simulation.office import Office
from tests.simulation.person import answer_what_is_open, correct_what_was_wrong
from tests.simulation.rest import all_told, restless
from tests.simulation.story import Story
from tests.simulation.tills import Till
from tests.simulation.trades import GiftCard, Shop
from tests.simulation.truth import TrueLedger, TrueShopper, Truth
from tests.simulation.weather import Weather, draw_plan, draw_weather

CALM_SECONDS_MAX = 900.0  # L1: every command has an answer within 15 minutes of peace
BOOKS_SECONDS_MAX = 900.0  # L2, with the longest back-off of the recorder
ANSWERS_MAX = 3  # what a person answers may let the bridge see that it must ask about another
DEAD_SECONDS = (0.3, 8.0)  # until the service manager starts the service again
LOOK_SECONDS = 1.0
HANGS_UP = 0.4  # of the makes that may: the line serves one exchange
BLANK_CARDS = 3  # in the drawer, to be sold
# Whether ZVT terminals, which echo no reference of ours, see hand payments of equal amounts.
SAME_BY_HAND = True


class World:
    """Everything of one seed."""

    def __init__(self, seed: int | str, loop: VirtualLoop, *, keep_lines: bool = False) -> None:
        self.seed = seed
        self.loop = loop
        self.weather: Weather = draw_weather(seed)
        self.rng = random.Random(f"{seed}/world")
        self.story = Story(loop.time, keep_lines)
        self.truth = Truth()
        self.judge = Judge(self.story, self.truth)
        self.truth.changed = self.judge.charged
        self.troubled = True
        self.clock_offset = timedelta()
        self.disk = Disk(random.Random(f"{seed}/disk"))
        self.broker = Broker(
            random.Random(f"{seed}/broker"),
            wanted=lambda topic: "/request/" in topic or topic.endswith("/state"),
            protocol=self.weather.protocol,
            misfortune=self.weather.misfortune,
            on_published=self.judge.published,
            on_disorder=lambda words: self.story.accuse("S6", words),
        )
        self.books = BackOfficeState(clock=self.now)
        self.office = Office(
            self.books,
            random.Random(f"{seed}/office"),
            asked=self.judge.asked_of_the_office,
            changed=self._changed_at_the_office,
            answered=self.judge.purchases.answered,
            tell=lambda what: self.story.tell("office", what),
            dialects=random.Random(f"{seed}/dialects"),
        )
        self.office.fault_chance = self.weather.office_fault
        self.office.forgetful = self.weather.forgetful_office
        self.office.rejects = self.weather.rejects
        self.ports: dict[str, MemoryPort] = {}
        self.makes: dict[str, Make] = {}
        self.terminals: dict[str, Terminal] = {}
        self.shoppers: dict[str, TrueShopper] = {}
        for number, make in enumerate(self.weather.makes, 1):
            self._make_terminal(f"counter-{number}", make)
        able = tuple(name for name, make in self.makes.items() if make.can_follow_up)
        self.blank_cards: list[GiftCard] = []
        cards = self._make_gift_cards()
        blank = list(self.blank_cards)
        self.shop = Shop(self.story.mark, tuple(self.terminals), cards, able, blank)
        self.tills = [self._make_till(number) for number in range(1, self.weather.tills + 1)]
        self.life: Incarnation | None = None
        self.lives = 0
        self.disk_trouble_until = 0.0
        self.commit_dies_at: int | None = None
        self.closing = False

    def now(self) -> datetime:
        """Return the wall clock of the store PC."""
        return START + timedelta(seconds=self.loop.time()) + self.clock_offset

    # --- what is in it

    def _make_terminal(self, name: str, make_name: MakeName) -> None:
        rng = random.Random(f"{self.seed}/{name}")
        weather = self.weather
        hangs_up = random.Random(f"{self.seed}/{name}/line").random() < HANGS_UP
        make = make_of(make_name, kind=weather.kind, exclusive=weather.exclusive, hangs_up=hangs_up)
        wire = weather.wire if make.kind == "serial" else whole(weather.wire)
        self.ports[name] = MemoryPort(rng, wire, kind=make.kind)
        shopper = TrueShopper(
            name,
            self.truth,
            lambda: draw_plan(
                rng,
                weather,
                calm=not self.troubled,
                in_parts=make_name == "pax" and rng.random() < weather.parts,
            ),
        )
        ledger = TrueLedger(name, self.truth, shopper, self.loop.time)
        terminal = make.build(
            TerminalSurroundings(
                clock=lambda: START + timedelta(seconds=self.loop.time()),
                rng=rng,
                ledger=ledger,
                zvt_profile=weather.profile,
            )
        )
        # The terminal offers no door for a shopper of one's own.
        terminal.shopper = shopper
        if hasattr(terminal, "_device"):
            terminal._device.shopper = shopper
        self.makes[name] = make
        self.terminals[name] = terminal
        self.shoppers[name] = shopper
        if rng.random() < 0.7:
            self.pay_alone(name, misfortune.ALONE_MINOR_MIN)

    def _make_till(self, number: int) -> Till:
        name = f"till-{number}"
        terminal = f"counter-{(number - 1) % len(self.weather.makes) + 1}"
        if self.rng.random() < 0.3:
            terminal = "counter-1"
        return Till(
            name=name,
            terminal_id=terminal,
            broker=self.broker,
            rng=random.Random(f"{self.seed}/{name}"),
            habits=self.weather.habits,
            now=lambda: START + timedelta(seconds=self.loop.time()) + self.clock_offset,
            serve=partial(self.shop.serve, self.weather.trade),
            asks=self.judge.asks,
            tell=lambda what: self.story.tell(name, what),
        )

    def _make_gift_cards(self) -> tuple[GiftCard, ...]:
        rng = random.Random(f"{self.seed}/gift cards")
        if self.weather.gift_cards:
            self.blank_cards = [GiftCard(f"63962199{n:08d}", "", 0) for n in range(BLANK_CARDS)]
        cards = tuple(
            GiftCard(f"63962100{number:08d}", rng.choice(("", "1234")), 100 * rng.randint(5, 120))
            for number in range(1, self.weather.gift_cards + 1)
        )
        for card in cards:
            self.books.gift_card_add(
                code=card.code, pin=card.pin or None, balance=Decimal(card.minor).scaleb(-2)
            )
        self.judge.secrets = [card.code for card in (*cards, *self.blank_cards)]
        return cards

    def pay_alone(self, name: str, amount_minor: int) -> None:
        """Let somebody type in an amount at the terminal itself."""
        with self._by_hand(name) as terminal:
            if terminal.pay_without_register(amount_minor):
                self.story.mark("paid without the register")
                if amount_minor < misfortune.ALONE_MINOR_MIN:
                    self.story.mark("paid by hand what a till asks for")

    def may_pay_the_same(self, name: str) -> bool:
        """Tell whether a hand payment may cost what a till asks for at this terminal.

        Not where an answer may be an older record without any reference: nothing but its amount
        says then that it is not ours.
        """
        match self.makes[name].name:
            case "zvt":
                return SAME_BY_HAND
            case "pax":
                return not self.weather.mischief
            case _:
                return True

    def void_alone(self, name: str) -> None:
        """Let somebody void the newest payment at the terminal, once all know that it is paid."""
        mine = [one for one in self.truth.charges if one.terminal_id == name and one.net_minor]
        newest = mine[-1] if mine else None
        if newest is None or newest.kind != "paid" or newest.undone_by_hand:
            return
        known = not newest.payment_id or self.judge.pages.status(newest.payment_id) == "approved"
        followed = any(one.original_id == newest.payment_id for one in self.truth.orders)
        if not known or (newest.payment_id and followed):
            return
        with self._by_hand(name) as terminal:
            if terminal.void_without_register():
                self.story.mark("voided by hand")

    def close_alone(self, name: str) -> None:
        """Let a terminal close its batch by itself."""
        with self._by_hand(name) as terminal:
            if terminal.close_without_register():
                self.story.tell(name, "closes its batch by itself")
                self.story.mark("batch closed by itself")

    @contextmanager
    def _by_hand(self, name: str) -> Iterator[Terminal]:
        """What happens at a terminal inside the block, nobody ordered."""
        ledger, shopper = self.terminals[name].ledger, self.shoppers[name]
        assert isinstance(ledger, TrueLedger)
        ledger.alone = shopper.alone = True
        try:
            yield self.terminals[name]
        finally:
            ledger.alone = shopper.alone = False

    # --- its course

    async def run(self) -> None:
        """Play it to the end."""
        listener = Listener(lambda text: self.judge.look_for_secrets(text.encode(), "in the log"))
        logger = logging.getLogger("bridge")
        logger.addHandler(listener)
        level, propagate = logger.level, logger.propagate
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        try:
            await self._run()
        finally:
            logger.removeHandler(listener)
            logger.setLevel(level)
            logger.propagate = propagate

    async def _run(self) -> None:
        tasks = [self.loop.create_task(self._serve(name)) for name in self.terminals]
        bridge = self.loop.create_task(self._live())
        tills = [self.loop.create_task(till.run()) for till in self.tills]
        chaos = [self.loop.create_task(work) for work in misfortune.chaos(self)]
        try:
            await self._until(
                lambda: (
                    all(t.done() for t in tills)
                    and self.loop.time() >= self.weather.trouble_seconds
                ),
                self.weather.trouble_seconds_max,
            )
            for work in chaos:
                work.cancel()
            self._calm_down()
            if not await self._until(lambda: not restless(self), CALM_SECONDS_MAX):
                self.story.accuse("L1", f"no rest: {restless(self)}")
            for round_number in range(ANSWERS_MAX):
                await answer_what_is_open(self, may_err=not round_number)
                self.story.tell("world", "a person has answered")
                await self._until(lambda: not restless(self), CALM_SECONDS_MAX)
                if not self.judge.pages.open_payments():
                    break
            await correct_what_was_wrong(self)
            if not await self._until(lambda: all_told(self), BOOKS_SECONDS_MAX):
                self.story.accuse("L2", f"open at the end: {restless(self)}")
            await judge_the_end(self)
        finally:
            self.closing = True
            if self.life is not None:
                self.life.kill()
            for task in (*tasks, *tills, *chaos):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await bridge
            for task in (*tasks, *tills):
                self._report(task)

    def _report(self, task: asyncio.Task[None]) -> None:
        if task.done() and not task.cancelled() and task.exception() is not None:
            self.story.accuse("WORLD", f"a part of the world broke: {task.exception()!r}")

    async def _serve(self, name: str) -> None:
        await self.terminals[name].run(self.ports[name])

    async def _live(self) -> None:
        """Start the bridge, and start it again whenever it died."""
        while not self.closing:
            self.lives += 1
            life = Incarnation(self.lives, self._surroundings())
            life.door.trouble = lambda life=life: misfortune.stumble(self, life)
            self.life = life
            self.story.tell("bridge", f"starts, life {self.lives}")
            compare_journal(self)
            task = self.loop.create_task(life.run())
            await asyncio.wait([task])
            self._autopsy(life, task)
            life.close()
            if not self.closing:
                await asyncio.sleep(self.rng.uniform(*DEAD_SECONDS))

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            seed=str(self.seed),
            disk=self.disk,
            broker=self.broker,
            ports=self.ports,
            office=self.office,
            makes=self.makes,
            persistent=self.weather.persistent,
            unsigned_stands=self.weather.unsigned_stands,
            now=self.now,
            watch=Eyes(self),
        )

    def _autopsy(self, life: Incarnation, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        causes = flatten(error)
        if life.alive.yes is False and life.was_killed:
            return
        if error is not None and all(isinstance(one, JournalError) for one in causes):
            self.story.tell("bridge", "stops: the journal cannot be written")
            self.story.mark("journal failed")
            self.judge.pledges.died([one.payload for one in life.unsent()], life.number)
            if not life.had_trouble:
                self.story.accuse("BUG", f"the journal failed by itself: {causes!r}")
            return
        self.story.accuse("BUG", f"the bridge died by itself: {causes!r}")

    def _changed_at_the_office(self, line: Json) -> None:
        same = 0
        if line["effect"] == "purchase_added":
            same = len(self.books.purchases_of(line["transactionId"]))
        self.judge.changed_at_the_office(line, same)

    # --- peace

    def _calm_down(self) -> None:
        self.story.tell("world", "calms down")
        self.troubled = False
        self.disk_trouble_until = 0.0
        self.broker.misfortune = type(self.broker.misfortune)()
        self.office.fault_chance = self.office.forgetful = self.office.rejects = 0.0
        self.office.away = self.office.login_needed = False
        misfortune.end_outage(self)
        for till in self.tills:
            till.closing = True
        for port in self.ports.values():
            port.wire = type(port.wire)()

    async def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        until = self.loop.time() + seconds
        while not done():
            if self.weather.storm_seconds:
                self.judge.patience.look()
            if self.loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True


def whole(wire: Wire) -> Wire:
    """Return a wire as slow that damages nothing, as a network is."""
    return Wire(wire.chunk_bytes_max, wire.delay_seconds)


def flatten(error: BaseException | None) -> list[BaseException]:
    """Return the errors of a group, one by one."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in flatten(one)]
    return [] if error is None else [error]


def play(seed: int | str, *, keep_lines: bool = False) -> Story:
    """Play the world of a seed and return its story."""
    loop = WorldLoop(seed)
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    world = World(seed, loop, keep_lines=keep_lines)
    try:
        run_virtual(world.run, loop=loop)
    except Deadlock as error:
        world.story.accuse("L1", str(error))
    for context in errors:
        if isinstance(context.get("exception"), NoReply):
            continue  # a simulated terminal that lost power has nobody left to tell
        world.story.accuse("BUG", f"unhandled: {context}"[:400])
    return world.story

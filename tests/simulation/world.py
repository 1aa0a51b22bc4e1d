"""One seed, one world: tills, broker, bridge, cable, terminals, back office, and their misfortunes.

`play(seed)` returns the story. The world has three phases: trouble (everything may go wrong),
calm (nothing does any more, all must come to rest), and a person who answers, from the terminal's
slip and from the office's list, what the bridge could not find out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from bridge.errors import JournalError
from bridge.money import payment as p
from bridge.money import sale as s
from bridge.register.bus import Delivery
from drivers import contract as c
from simulators.backoffice_records import Purchase
from simulators.backoffice_state import BackOfficeState
from simulators.broker import Broker
from simulators.cable import MemoryPort
from simulators.loop import Deadlock, VirtualLoop, run_virtual
from simulators.zvt import ZvtTerminal
from simulators.zvt.talk import NoReply
from tests.simulation import misfortune
from tests.simulation.disk import Disk
from tests.simulation.ending import compare_journal, is_missing, judge_the_end
from tests.simulation.incarnation import START, Incarnation, Statements, Surroundings
from tests.simulation.judge import Judge, short
from tests.simulation.loop import Listener, WorldLoop
from tests.simulation.office import Office
from tests.simulation.person import answer_what_is_open
from tests.simulation.story import Story
from tests.simulation.tills import Till
from tests.simulation.truth import Charge, Order, TrueLedger, TrueShopper, Truth
from tests.simulation.weather import NEVER, Weather, draw_plan, draw_weather

TROUBLE_SECONDS_MAX = 240.0
CALM_SECONDS_MAX = 900.0  # L1: every command has an answer within 15 minutes of peace
BOOKS_SECONDS_MAX = 900.0  # L2, with the longest back-off of the recorder
DEAD_SECONDS = (0.3, 8.0)  # until the service manager starts the service again
LOOK_SECONDS = 1.0
INQUIRIES_MIN = 4


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
        self.relied_on = self.judge.relied_on
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
        )
        self.books = BackOfficeState(clock=self.now)
        self.office = Office(
            self.books,
            random.Random(f"{seed}/office"),
            asked=self.judge.asked_to_record,
            added=self._added,
            tell=lambda what: self.story.tell("office", what),
        )
        self.office.fault_chance = self.weather.office_fault
        self.ports: dict[str, MemoryPort] = {}
        self.terminals: dict[str, ZvtTerminal] = {}
        self.shoppers: dict[str, TrueShopper] = {}
        for number in range(1, self.weather.terminals + 1):
            self._make_terminal(f"counter-{number}")
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

    def _make_terminal(self, name: str) -> None:
        rng = random.Random(f"{self.seed}/{name}")
        weather = self.weather
        self.ports[name] = MemoryPort(rng, weather.wire, kind=weather.kind)
        shopper = TrueShopper(
            name, self.truth, lambda: draw_plan(rng, weather, calm=not self.troubled)
        )
        ledger = TrueLedger(name, self.truth, shopper, self.loop.time)
        terminal = ZvtTerminal(
            clock=lambda: START + timedelta(seconds=self.loop.time()),
            rng=rng,
            kind=weather.kind,
            profile=weather.profile,
            ledger=ledger,
        )
        # The terminal offers no door for a shopper of one's own.
        terminal.shopper = terminal._device.shopper = shopper
        self.terminals[name] = terminal
        self.shoppers[name] = shopper
        if rng.random() < 0.7:
            self.pay_alone(name, misfortune.ALONE_MINOR_MIN)

    def _make_till(self, number: int) -> Till:
        name = f"till-{number}"
        terminal = f"counter-{(number - 1) % self.weather.terminals + 1}"
        if self.rng.random() < 0.3:
            terminal = "counter-1"
        return Till(
            name=name,
            terminal_id=terminal,
            broker=self.broker,
            rng=random.Random(f"{self.seed}/{name}"),
            habits=self.weather.habits,
            now=lambda: START + timedelta(seconds=self.loop.time()) + self.clock_offset,
            asks=self.judge.asks,
            tell=lambda what: self.story.tell(name, what),
        )

    def pay_alone(self, name: str, amount_minor: int) -> None:
        """Let somebody type in an amount at the terminal itself."""
        ledger = self.terminals[name].ledger
        assert isinstance(ledger, TrueLedger)
        ledger.alone = True
        if self.terminals[name].pay_without_register(amount_minor):
            self.story.mark("paid without the register")
        ledger.alone = False

    # --- its course

    async def run(self) -> None:
        """Play it to the end."""
        listener = Listener(lambda text: self.judge.look_for_cards(text.encode(), "in the log"))
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
            await self._until(lambda: all(t.done() for t in tills), TROUBLE_SECONDS_MAX)
            for work in chaos:
                work.cancel()
            self._calm_down()
            if not await self._until(self._at_rest, CALM_SECONDS_MAX):
                self.story.accuse("L1", f"no rest: {self._restless()}")
            await answer_what_is_open(self)
            self.story.tell("world", "a person has answered")
            if not await self._until(self._all_told, BOOKS_SECONDS_MAX):
                self.story.accuse("L2", f"open at the end: {self._restless()}")
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
            zvt=self.weather.zvt,
            now=self.now,
            watch=self,
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
            if not life.had_trouble:
                self.story.accuse("BUG", f"the journal failed by itself: {causes!r}")
            return
        self.story.accuse("BUG", f"the bridge died by itself: {causes!r}")

    # --- what the judge hears (Watch)

    def ordered(self, life: Incarnation, terminal_id: str, pay: c.Pay, conversation: int) -> None:
        order = Order(
            payment_id=pay.reference,
            terminal_id=terminal_id,
            amount_minor=pay.amount.minor,
            at=self.loop.time(),
            conversation=conversation,
        )
        self.truth.orders.append(order)
        running = [
            one.payment_id
            for one in life.ledger.unfinished()
            if one.payment.request.terminal_id == terminal_id
            and one.payment_id != pay.reference
            and one.payment.status in {p.Status.IN_PROGRESS, p.Status.CANCELING}
        ]
        self.story.tell("order", f"{short(pay.reference)} {pay.amount.minor} at {terminal_id}")
        self.judge.ordered(order, running, life.number)

    def began(self, life: Incarnation, terminal_id: str, operation: c.Operation) -> None:
        name = type(operation).__name__
        if isinstance(operation, c.Inquire):
            self.story.mark("inquiry")
            name += f" {short(operation.about.reference)}"
        self.story.tell("station", f"{terminal_id} {name}")

    def delivered(self, life: Incarnation, delivery: Delivery) -> None:
        body = json.loads(delivery.payload)
        if delivery.duplicate:
            self.story.mark("redelivery")
        if not delivery.topic.endswith("payment/start"):
            return
        connection = life.desk.connection
        expires_at = body.get("expires_at")
        epoch = body.get("bridge_epoch")
        late = expires_at is not None and datetime.fromisoformat(expires_at) <= self.now()
        elsewhere = epoch is not None and (connection is None or epoch != connection.epoch)
        guarded = expires_at is not None or epoch is not None
        fresh = not delivery.retained and not late and not elsewhere and (guarded or delivery.live)
        if fresh:
            self.judge.delivered(body["payment_id"], life.number)
        else:
            self.story.mark("stale start")

    def acknowledged(self, life: Incarnation, delivery: Delivery) -> None:
        if delivery.topic.endswith("payment/start"):
            body = json.loads(delivery.payload)
            answers = [one.payload for one in life.desk.replies.outgoing]
            self.judge.puback(body["payment_id"], body["request_id"], answers)

    def committing(self, life: Incarnation, statements: Statements) -> None:
        if self.troubled and self.rng.random() < self.weather.kill_at_commit:
            if self.rng.random() < 0.5:
                misfortune.die(self, life, "before a commit")
            else:  # in the middle of it, at one of its writes
                self.commit_dies_at = self.rng.randint(1, 4)

    def committed(self, life: Incarnation, statements: Statements) -> None:
        self.commit_dies_at = None
        self.judge.committed(statements)
        if self.troubled and self.rng.random() < self.weather.kill_at_commit:
            misfortune.die(self, life, "after a commit")

    def _added(self, purchase: Purchase) -> None:
        self.judge.recorded(purchase, self.books.purchases_of(purchase.transaction_id))

    # --- peace

    def _calm_down(self) -> None:
        self.story.tell("world", "calms down")
        self.troubled = False
        self.disk_trouble_until = 0.0
        self.broker.misfortune = type(self.broker.misfortune)()
        self.office.fault_chance = 0.0
        self.office.away = self.office.login_needed = False
        for till in self.tills:
            till.closing = True
        for port in self.ports.values():
            port.wire = type(port.wire)()

    async def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        until = self.loop.time() + seconds
        while not done():
            if self.loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def _at_rest(self) -> bool:
        return not self._restless()

    def _restless(self) -> str:
        """Say what is still open, "" when nothing is."""
        life = self.life
        if life is None or not life.ready or life.desk.connection is None:
            return "the bridge does not serve"
        for till in self.tills:
            if not till.idle:
                return f"{till.name} waits"
        for account in life.ledger.unfinished():
            doubt = account.payment.doubt
            if doubt is None or not (doubt.needs_operator or self._asked_long_enough(doubt)):
                return f"{short(account.payment_id)} is {account.payment.status.value}"
        for purchase in life.ledger.open_purchases():
            if purchase.purchase.state in {s.PurchaseState.PENDING, s.PurchaseState.SENDING}:
                return f"{purchase.purchase.content.transaction_id} waits for the books"
        if self.office.late_effects:
            return "the office is still at it"
        for name, terminal in self.terminals.items():
            if terminal.busy:
                return f"{name} is busy"
        return ""

    def _asked_long_enough(self, doubt: p.Doubt) -> bool:
        """Tell whether a person may step in early, which most worlds allow to be quick."""
        patient = self.weather.clock_jump_mean < NEVER
        return not patient and doubt.inquiries >= INQUIRIES_MIN

    def _all_told(self) -> bool:
        life = self.life
        if self._restless() or life is None or life.ledger.open_purchases():
            return False
        if any(is_missing(self.broker, account) for account in life.ledger.accounts()):
            return False
        return not life.ledger.unfinished()

    def charged_for(self, payment_ids: Sequence[str]) -> list[Charge]:
        """Return what stands for some payments."""
        return [charge for name in payment_ids for charge in self.truth.standing(name)]


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

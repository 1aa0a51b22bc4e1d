"""Runs the bridge: starts its parts in order, and stops them in reverse.

The only module of the service where tasks are started. What is built from the configuration stands
in `assembly.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from bridge import config as cfg
from bridge.adapters import Adapters
from bridge.assembly import Parts, build
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX, Recorder
from bridge.errors import BusError, RequestError
from bridge.money.payment import GIFT_CARDS, DoubtAged
from bridge.register import api as k
from bridge.settings import mqtt_settings
from bridge.systemd import Notifier, watchdog_interval

_LOGGER = logging.getLogger(__name__)

DRAIN_LOOK_SECONDS = 0.05  # how often a stopping service looks whether its payments have ended
GOODBYE_SECONDS = 1.0  # the broker's will speaks for us when it does not take our word in time
STATUS_LOOK_SECONDS = 1.0  # no person types `systemctl status` faster
# How long the start waits for what the broker retains: it may show that the journal was put back,
# and nothing must have acted on it by then. Without a broker the service goes on after that.
FIRST_WORD_SECONDS = 3.0
LEDGER_LOOK_SECONDS = 5.0  # without a watchdog: how often the journal's thread is asked to answer


async def run(
    config: cfg.Config,
    environment: Mapping[str, str],
    *,
    ready: Callable[[], None] = lambda: None,
    adapters: Adapters | None = None,
) -> None:
    """Run the bridge until SIGTERM or SIGINT, then let running payments end and stop.

    `ready` is called once payments can come in.

    Raises:
        ConfigError, JournalError: It could not start.
        ExceptionGroup: A part failed; a restart recovers from the journal.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    notifier = Notifier(environment)
    life = _Life(config, environment, adapters or Adapters(), stop, notifier, ready)
    while await life.live():
        _LOGGER.info("beginning anew")


@dataclass(slots=True)
class _Life:
    """What one beginning hands to the next: a person's answer has the service begin anew."""

    config: cfg.Config
    environment: Mapping[str, str]
    adapters: Adapters
    stop: asyncio.Event
    notifier: Notifier
    ready: Callable[[], None]
    taken_by: str = ""  # who took the base topic over in the beginning before
    announced: bool = False

    async def live(self) -> bool:
        """Run until told to stop (False), or until the service must begin anew (True).

        Raises:
            ConfigError, JournalError, ExceptionGroup: It could not start, or a part failed.
        """
        async with build(self.config, self.environment, self.adapters) as parts:
            if parts.custody.doubt is not None and self.taken_by:
                await parts.take_over.confirm(self.taken_by)
                return True
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[Any]] = [
                    group.create_task(work)
                    for work in (
                        parts.bus.run(),
                        parts.control.run(),
                        _feed_watchdog(parts, self.notifier, self.environment),
                        *(parts.console.works() if parts.console is not None else ()),
                    )
                ]
                again = await self._work(parts, group, tasks)
                for task in tasks:
                    task.cancel()
            return again

    async def _work(
        self, parts: Parts, group: asyncio.TaskGroup, tasks: list[asyncio.Task[Any]]
    ) -> bool:
        again = parts.take_over.again
        if parts.custody.doubt is None:
            # A broker that was away may bring a lost payment's document and its start at once.
            parts.desk.journal_compared.clear()
            watching = group.create_task(_watch_documents(parts))
            tasks.append(watching)
            waits = [watching, group.create_task(again.wait()), group.create_task(self.stop.wait())]
            await asyncio.wait(
                waits, timeout=FIRST_WORD_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            for one in waits[1:]:
                one.cancel()
        if not again.is_set():
            if parts.custody.doubt is None:
                await self._begin(parts, group, tasks)
            else:
                self._hold_back(parts, group, tasks)
            if not self.announced:
                self.announced = True
                self.ready()
            waits = [group.create_task(again.wait()), group.create_task(self.stop.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in waits:
                one.cancel()
        self.taken_by = parts.take_over.by
        if self.stop.is_set():
            await _drain(parts, self.notifier)
            return False
        return True

    async def _begin(
        self, parts: Parts, group: asyncio.TaskGroup, tasks: list[asyncio.Task[Any]]
    ) -> None:
        await parts.ledger.recover()
        await _call_persons(parts)
        parts.plans.recover()
        parts.desk.lost_payments = parts.custody.lost
        tasks += [group.create_task(one.run()) for one in parts.stations.values()]
        if parts.recorder is not None and parts.login is not None:
            tasks += [
                group.create_task(_record(parts, parts.recorder)) for _ in range(IN_FLIGHT_MAX)
            ]
            tasks.append(group.create_task(parts.login.run()))
        tasks += [group.create_task(one.run()) for one in parts.pos_server]
        if parts.gift_cards is not None:
            tasks.append(group.create_task(parts.gift_cards.run()))
        if parts.incomplete_sales is not None:
            tasks.append(group.create_task(parts.incomplete_sales.run()))
        if parts.reading is not None:
            tasks += [group.create_task(work) for work in parts.reading.works()]
        tasks += [
            group.create_task(work)
            for work in (
                parts.plans.run(),
                parts.retention.run(),
                parts.reversals.run(),
                parts.publisher.run(),
                parts.desk.run(),
                parts.desk.late_answers.run(),
                _tell_status(parts, self.notifier),
            )
        ]
        if self.config.monitoring is not None:
            tasks += [group.create_task(work) for work in self._monitoring(parts)]
        self.notifier.ready(parts.status.status_line())
        _LOGGER.info("ready bridge=%s", self.config.site.bridge_id)

    def _monitoring(self, parts: Parts) -> tuple[Coroutine[Any, Any, None], ...]:
        # Imported here: a service that nobody watches carries none of it.
        from bridge.monitoring.build import monitoring  # noqa: PLC0415

        made = monitoring(
            parts,
            mqtt_settings(self.config.mqtt, self.environment),
            now=self.adapters.utc_now,
            monotonic=self.adapters.monotonic,
        )
        return made.server.run(), made.watch_certificate()

    def _hold_back(
        self, parts: Parts, group: asyncio.TaskGroup, tasks: list[asyncio.Task[Any]]
    ) -> None:
        """Answer that nothing begins.

        The ledger stays empty: what it had open may be long over, and its documents would hide
        newer ones.
        """
        doubt = parts.custody.doubt
        assert doubt is not None, "there is a reason"
        parts.desk.refusal = RequestError(
            "journal_unconfirmed",
            "the bridge's journal was put back or lost; nothing begins, and nothing can be said of "
            "any payment, until a person has looked: paybridge take-over",
        )
        tasks += [
            group.create_task(parts.publisher.run()),
            group.create_task(parts.desk.run()),
            group.create_task(_tell_status(parts, self.notifier)),
            group.create_task(_note_documents(parts)),  # so that one answer is enough
        ]
        self.notifier.ready(parts.status.status_line())
        _LOGGER.error(
            "nothing begins: %s; look at the terminals and the back office for what was paid "
            "since, then run `paybridge take-over --by NAME`",
            doubt.text,
        )


async def _record(parts: Parts, recorder: Recorder) -> None:
    """Record what is due, once the broker showed that this journal is not an older copy.

    What a copy calls pending may be in the books since, and a broker that is away for long keeps
    registers from paying anyway.
    """
    await parts.desk.journal_compared.wait()
    await recorder.run()


async def _call_persons(parts: Parts) -> None:
    """Have a person asked about the doubts of terminals that are configured no more.

    No station asks about them, and nothing else would notice their age. Should the terminal come
    back into the configuration, it is asked again.

    Raises:
        JournalError: It could not be stored.
    """
    served = {*parts.stations, *([GIFT_CARDS] if parts.gift_cards is not None else [])}
    for account in parts.ledger.payments.unfinished():
        terminal_id = account.payment.request.terminal_id
        if account.payment.doubt is not None and terminal_id not in served:
            _LOGGER.error(
                "payment=%s in doubt, and its terminal=%s is not configured any more: a person "
                "must look",
                account.payment_id,
                terminal_id,
            )
            await parts.ledger.apply(account.payment_id, DoubtAged())


async def _watch_documents(parts: Parts) -> None:
    """Compare what the broker retained with the journal; begin anew if it has forgotten payments.

    Raises:
        JournalError: The journal cannot be read or written.
    """
    if await _note_documents(parts):
        parts.take_over.again.set()
    else:
        parts.desk.journal_compared.set()


async def _note_documents(parts: Parts) -> bool:
    return await parts.custody.compare(await parts.bus.retained_documents())


async def _drain(parts: Parts, notifier: Notifier) -> None:
    """Refuse what is new; wait for running payments and bookings, within the configured bound."""
    parts.status.draining = True
    parts.ledger.payments.something_changed.set()  # health says so at once
    seconds = parts.config.service.drain_seconds
    under_way = len(parts.ledger.payments.unfinished())
    _LOGGER.info("draining open=%d seconds_max=%g: nothing new begins", under_way, seconds)
    notifier.stopping(parts.status.status_line())
    await parts.desk.drain()
    if parts.recorder is not None:
        parts.recorder.draining = True
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    connection = parts.desk.outbox.connection
    if connection is not None:
        await _say(parts, parts.status.bridge_state(connection.epoch))
    while loop.time() < until and _under_way(parts):
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
        await parts.desk.drain()
    _LOGGER.info("stopping open=%d", len(parts.ledger.payments.unfinished()))
    await _say(parts, k.BridgeState(state="offline", reason="shutdown"))


def _under_way(parts: Parts) -> bool:
    """Say whether a stop would break off a conversation with a terminal or the back office."""
    booking = parts.recorder is not None and parts.recorder.attempts_under_way > 0
    closing = parts.desk.operations.closing
    unfinished = parts.ledger.payments.unfinished()
    return booking or closing or any(one.payment.doubt is None for one in unfinished)


async def _say(parts: Parts, state: k.BridgeState) -> None:
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await parts.publisher.say(state)
    except (BusError, TimeoutError):
        _LOGGER.info("the broker is away; its will speaks for us")


async def _tell_status(parts: Parts, notifier: Notifier) -> None:
    """Keep the line *Status* of `systemctl status` at what health says."""
    told = ""
    while notifier.has_manager:
        line = parts.status.status_line()
        if line != told:
            notifier.status(line)
            told = line
        await asyncio.sleep(STATUS_LOOK_SECONDS)


async def _feed_watchdog(parts: Parts, notifier: Notifier, environment: Mapping[str, str]) -> None:
    """Tell the manager that we are alive, each time only after the journal's thread answered."""
    interval = watchdog_interval(environment, os.getpid()) or LEDGER_LOOK_SECONDS
    while True:
        await parts.journal.pulse()
        notifier.alive()
        await asyncio.sleep(interval)

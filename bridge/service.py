"""Runs the bridge: starts its parts in order, and stops them in reverse.

The only module of the service where tasks are started. What is built from the configuration stands
in `assembly.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping

from bridge import config as cfg
from bridge.assembly import Parts, Wires, build
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX
from bridge.errors import BusError
from bridge.register import api as k
from bridge.systemd import Notifier, watchdog_interval

_LOGGER = logging.getLogger(__name__)

DRAIN_LOOK_SECONDS = 0.05  # how often a stopping service looks whether its payments have ended
GOODBYE_SECONDS = 1.0  # the broker's will speaks for us when it does not take our word in time
STATUS_LOOK_SECONDS = 1.0  # no person types `systemctl status` faster
LEDGER_LOOK_SECONDS = 5.0  # without a watchdog: how often the journal's thread is asked to answer


async def run(
    config: cfg.Config,
    environment: Mapping[str, str],
    *,
    ready: Callable[[], None] = lambda: None,
    wires: Wires | None = None,
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
    async with build(config, environment, wires or Wires()) as parts:
        await parts.ledger.recover()
        parts.plans.recover()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.run()) for one in parts.stations.values()]
            if parts.recorder is not None and parts.login is not None:
                tasks += [group.create_task(parts.recorder.run()) for _ in range(IN_FLIGHT_MAX)]
                tasks.append(group.create_task(parts.login.run()))
            if parts.gift_cards is not None:
                tasks.append(group.create_task(parts.gift_cards.run()))
            if parts.patience is not None:
                tasks.append(group.create_task(parts.patience.run()))
            tasks += [
                group.create_task(work)
                for work in (
                    parts.plans.run(),
                    parts.retention.run(),
                    parts.reversals.run(),
                    parts.publisher.run(),
                    parts.desk.run(),
                    parts.bus.run(),
                    parts.control.run(),
                    _feed_watchdog(parts, notifier, environment),
                    _tell_status(parts, notifier),
                )
            ]
            notifier.ready(parts.facts.status_line())
            _LOGGER.info("ready bridge=%s", config.site.bridge_id)
            ready()
            await stop.wait()
            await _drain(parts, notifier)
            for task in tasks:
                task.cancel()


async def _drain(parts: Parts, notifier: Notifier) -> None:
    """Refuse what is new; wait for running payments and bookings, within the configured bound."""
    parts.facts.draining = True
    parts.ledger.something_changed.set()  # health says so at once
    seconds = parts.config.service.drain_seconds
    under_way = len(parts.ledger.unfinished())
    _LOGGER.info("draining open=%d seconds_max=%g: nothing new begins", under_way, seconds)
    notifier.stopping(parts.facts.status_line())
    await parts.desk.drain()
    if parts.recorder is not None:
        parts.recorder.draining = True
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    connection = parts.desk.connection
    if connection is not None:
        await _say(parts, parts.facts.bridge_state(connection.epoch))
    while loop.time() < until and _under_way(parts):
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
        await parts.desk.drain()
    _LOGGER.info("stopping open=%d", len(parts.ledger.unfinished()))
    await _say(parts, k.BridgeState(state="offline", reason="shutdown"))


def _under_way(parts: Parts) -> bool:
    """Say whether a stop would break off a conversation with a terminal or the back office."""
    booking = parts.recorder is not None and parts.recorder.attempts_under_way > 0
    closing = parts.desk.errands.closing
    return booking or closing or any(one.payment.doubt is None for one in parts.ledger.unfinished())


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
        line = parts.facts.status_line()
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

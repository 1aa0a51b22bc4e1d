"""The conformance run: opens the store, plays the scenarios, judges. Composes; decides nothing."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bridge.errors import BusError
from bridge.register.api import DEFAULT_BASE, Topics
from simulators.conformance.environment import Store, embedded_broker
from simulators.conformance.findings import Report
from simulators.conformance.message_recorder import BrokerAddress, MessageRecorder
from simulators.conformance.register_operator import (
    CommandOperator,
    Commands,
    PersonOperator,
    RegisterOperator,
)
from simulators.conformance.rules import judge
from simulators.conformance.scenarios import SCENARIOS, Day

LOOK_SECONDS = 1.0  # for the retained state of a bridge that is there already


@dataclass(frozen=True, slots=True)
class ConformanceSettings:
    """What is judged, and where. Without `broker` one of our own listens on `port`."""

    register_id: str
    broker: BrokerAddress | None = None
    port: int = 1883
    commands: Commands | None = None
    base_topic: str = DEFAULT_BASE
    scenarios: Sequence[str] = field(default_factory=lambda: tuple(SCENARIOS))


async def conform(settings: ConformanceSettings, say: Callable[[str], None]) -> Report:
    """Play the scenarios at the register; return what it did right and wrong.

    Args:
        settings: What is judged, and where.
        say: Called with each sentence for the person at the register.

    Raises:
        BusError: There is no broker, or a bridge is online there: it would answer, too.
        ProcessFailed: A process did not start.
    """
    with tempfile.TemporaryDirectory(prefix="paybridge-conformance-") as name:
        folder = Path(name)
        async with _broker(settings) as address:
            recorder = MessageRecorder(address, settings.register_id, Topics(settings.base_topic))
            store = Store(folder, address, settings.base_topic)
            operator: RegisterOperator = PersonOperator(say)
            if settings.commands is not None:
                operator = CommandOperator(settings.commands, folder / "register.log")
            day = Day(recorder, store, operator)
            try:
                async with asyncio.TaskGroup() as tasks:
                    listening = tasks.create_task(recorder.run())
                    await _play(settings, day, say)
                    listening.cancel()
            except* BusError as group:
                raise group.exceptions[0] from None
            finally:
                await operator.finish()
            return Report(
                register_id=settings.register_id,
                software=recorder.transcript.software,
                played_at=datetime.now(UTC),
                scenarios=tuple(settings.scenarios),
                findings=(*day.findings, *judge(recorder.transcript)),
            )


async def _play(settings: ConformanceSettings, day: Day, say: Callable[[str], None]) -> None:
    recorder = day.recorder
    await recorder.connected()
    await _refuse_another_bridge(recorder)
    async with day.store.running():
        for name in settings.scenarios:
            scenario = SCENARIOS[name]
            recorder.scenario = name
            say(f"{name}: {(scenario.__doc__ or '').strip()}")
            await scenario(day)
            await day.operator.finish()
        await recorder.sweep()
    await _forget(recorder)


async def _refuse_another_bridge(recorder: MessageRecorder) -> None:
    """A second bridge would answer, too, and might charge real cards."""
    state = recorder.transcript.topics.bridge_state

    def look() -> str | None:
        said = [one.content.get("state") for one in recorder.transcript.heard if one.topic == state]
        return said[-1] if said else None

    if await recorder.until(look, LOOK_SECONDS) in {"online", "draining"}:
        raise BusError("a bridge is online at this broker; stop it first, or take another broker")
    recorder.transcript.heard.clear()


async def _forget(recorder: MessageRecorder) -> None:
    """Empty what our bridge has left retained at somebody's broker."""
    topics = recorder.transcript.topics
    own = (f"{topics.base}/bridge/", f"{topics.base}/terminals/")
    mine = f"{topics.register(recorder.transcript.register_id)}/"
    kept = (f"{mine}payments/", f"{mine}receipts/")
    for topic in {
        one.topic for one in recorder.transcript.heard if one.topic.startswith(own + kept)
    }:
        await recorder.say(topic, b"", retain=True)


@asynccontextmanager
async def _broker(settings: ConformanceSettings) -> AsyncIterator[BrokerAddress]:
    if settings.broker is not None:
        yield settings.broker
        return
    async with embedded_broker(settings.port) as address:
        yield address

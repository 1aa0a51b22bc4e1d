"""Who serves a base topic, in virtual time: many bridges, slow brokers, kills, lost records."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from bridge.register.mqtt.authority import (
    HOLDER_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    Authority,
    Other,
    Word,
    decode_record,
    decode_word,
    encode_record,
)
from simulators.loop import run_virtual

TRAVEL_SECONDS = (0.001, 0.1)  # one way; an answer is in time even over a slow line
LOOK_SECONDS = 5.0


@dataclass(slots=True)
class Broker:
    """Passes words on, each with a delay of its own, and retains one record."""

    rng: random.Random
    record: Other | None = None
    listeners: list[Bridge] = field(default_factory=list)

    def say(self, word: Word) -> None:
        for one in self.listeners:
            delay = self.rng.uniform(*TRAVEL_SECONDS)
            asyncio.get_running_loop().call_later(delay, one.hear, word.encode())


class Bridge:
    """One PC: its memory outlives its processes. It does what the MQTT client does."""

    def __init__(self, broker: Broker, number: int) -> None:
        self.broker = broker
        self.me = Other(f"{number:032x}", f"pc{number}")
        self.behind: Other | None = None
        self.lives = 0
        self.authority: Authority | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def serves(self) -> bool:
        return self.authority is not None and self.authority.standing == "serving"

    def start(self) -> None:
        self.lives += 1
        self.authority = Authority(
            self.me, f"life-{self.lives}", behind=self.behind, remember=self._remember
        )
        self.broker.listeners.append(self)
        self._task = asyncio.get_running_loop().create_task(self._ask(self.authority))

    def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self.broker.listeners.remove(self)
        self._task = self.authority = None

    def hear(self, payload: bytes) -> None:
        word = decode_word(payload)
        assert word is not None
        if self.authority is not None:
            answer = self.authority.hear(word)
            if answer is not None:
                self.broker.say(answer)

    def _remember(self, behind: Other | None) -> None:
        self.behind = behind

    async def _ask(self, authority: Authority) -> None:
        while True:
            if authority.standing == "serving":
                await asyncio.sleep(LOOK_SECONDS)
                continue
            await asyncio.sleep(self.broker.rng.uniform(*TRAVEL_SECONDS))  # connect and subscribe
            may = authority.consider(self.broker.record)
            self.broker.say(authority.ask(f"{self.me.instance_id}{self.broker.rng.random()}"))
            await asyncio.sleep(HOLDER_PATIENCE_SECONDS if authority.holds else PATIENCE_SECONDS)
            if may and authority.standing == "asking":
                authority.serve()
                self.broker.record = decode_record(encode_record(self.me))
            else:
                await asyncio.sleep(LOOK_SECONDS if authority.behind else PATIENCE_SECONDS)


def serving(bridges: list[Bridge]) -> list[str]:
    return [one.me.bridge_id for one in bridges if one.serves]


@pytest.mark.parametrize("seed", range(40))
def test_never_do_two_serve_whoever_dies_and_returns(seed: int) -> None:
    rng = random.Random(seed)

    async def watch(bridges: list[Bridge]) -> None:
        while True:
            assert len(serving(bridges)) <= 1, serving(bridges)
            await asyncio.sleep(0.005)

    async def main() -> None:
        broker = Broker(rng)
        bridges = [Bridge(broker, number) for number in rng.sample(range(1, 100), 3)]
        watching = asyncio.get_running_loop().create_task(watch(bridges))
        for _ in range(30):
            one = rng.choice(bridges)
            if one.authority is None:
                one.start()
            elif rng.random() < 0.4:
                one.kill()
            await asyncio.sleep(rng.choice((0.0, 0.01, 0.3, 1.0, 10.0)))
        for one in bridges:
            if one.authority is None:
                one.start()
        await asyncio.sleep(30)
        assert len(serving(bridges)) <= 1
        assert not watching.done(), watching.exception()
        watching.cancel()
        for one in bridges:
            one.kill()

    run_virtual(main)


@pytest.mark.parametrize("seed", range(10))
def test_of_two_that_start_at_once_the_lower_id_serves(seed: int) -> None:
    async def main() -> None:
        broker = Broker(random.Random(seed))
        high, low = Bridge(broker, 9), Bridge(broker, 2)
        high.start()
        low.start()
        await asyncio.sleep(20)
        assert serving([high, low]) == ["pc2"]
        assert high.behind == low.me

    run_virtual(main)


def test_who_serves_goes_on_also_against_a_lower_id_and_with_a_broker_that_forgot() -> None:
    async def main() -> None:
        broker = Broker(random.Random(1))
        high, low = Bridge(broker, 9), Bridge(broker, 2)
        high.start()
        await asyncio.sleep(5)
        broker.record = None  # a broker without persistence was restarted
        low.start()
        await asyncio.sleep(20)
        assert serving([high, low]) == ["pc9"]
        assert high.authority is not None
        assert high.authority.rival == low.me

    run_virtual(main)


def test_our_own_earlier_life_is_not_foreign_and_a_silent_other_is_no_reason_to_serve() -> None:
    async def main() -> None:
        broker = Broker(random.Random(1))
        one, other = Bridge(broker, 1), Bridge(broker, 2)
        other.start()
        await asyncio.sleep(5)
        one.start()
        await asyncio.sleep(5)
        other.kill()
        await asyncio.sleep(60)
        assert serving([one, other]) == [], "only the other's journal knows what was paid"
        other.start()
        await asyncio.sleep(1)
        assert serving([one, other]) == ["pc2"]
        other.kill()
        broker.record = None
        one.kill()
        one.start()  # also after a restart of its own, and though the broker forgot
        await asyncio.sleep(60)
        assert serving([one, other]) == []
        assert one.authority is not None
        one.authority.take()  # a person said so
        await asyncio.sleep(10)
        assert serving([one, other]) == ["pc1"]
        other.start()
        await asyncio.sleep(10)
        assert serving([one, other]) == ["pc1"]

    run_virtual(main)


def test_a_copied_state_directory_is_foreign_while_it_answers() -> None:
    async def main() -> None:
        broker = Broker(random.Random(1))
        one, twin = Bridge(broker, 1), Bridge(broker, 1)
        one.start()
        await asyncio.sleep(5)
        twin.lives = 10
        twin.start()
        await asyncio.sleep(10)
        assert one.serves
        assert not twin.serves

    run_virtual(main)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"\xff", b"[" * 2_000, b'{"kind": "ask"}', b"x" * 5_000, b"1"],
)
def test_what_is_no_word_is_passed_over(payload: bytes) -> None:
    assert decode_word(payload) is None
    assert decode_record(payload) is None

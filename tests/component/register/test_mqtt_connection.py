"""What the broker says and what the bridge makes of it, byte by byte: a scripted broker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import struct
from collections.abc import AsyncIterator

import pytest

from bridge.errors import BusError, MessageBreaks, MessageRefused
from bridge.register.mqtt.client import SHORT_LIVED_MAX, Mqtt
from bridge.register.mqtt.messages import Connected, Delivery, Excess, MqttSettings
from tests.component.register.scripted_broker import (
    DISCONNECT,
    PUBACK,
    Published,
    ScriptedBroker,
    packet,
    reason,
)

BASE = "paybridge/v1"
START = f"{BASE}/registers/till-1/request/payment/start"
FENCE = f"{BASE}/bridge/fence/paybridge"
STATE = f"{BASE}/bridge/state"


@contextlib.asynccontextmanager
async def connected(broker: ScriptedBroker) -> AsyncIterator[Mqtt]:
    epochs = itertools.count(1)
    mqtt = Mqtt(
        MqttSettings(port=broker.port, protocol="5.0"),
        base_topic=BASE,
        will=b"{}",
        new_epoch=lambda: f"epoch-{next(epochs)}",
        rng=random.Random(1),
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(mqtt.run())
        try:
            assert isinstance(await came(mqtt), Connected)
            yield mqtt
        finally:
            task.cancel()


async def came(mqtt: Mqtt) -> Connected | Delivery | Excess:
    async with asyncio.timeout(10):
        return await mqtt.next()


async def delivery(mqtt: Mqtt) -> Delivery:
    found = await came(mqtt)
    assert isinstance(found, Delivery)
    return found


async def test_a_fence_of_another_connection_makes_nothing_live() -> None:
    async with ScriptedBroker().running() as broker, connected(broker) as mqtt:
        broker.deliver(FENCE, b"epoch-of-an-earlier-connection", 1)
        broker.deliver(START, b"queued", 2)
        assert not (await delivery(mqtt)).live
        broker.deliver(FENCE, b"epoch-1", 3)
        broker.deliver(START, b"sent while we listen", 4)
        assert (await delivery(mqtt)).live


async def test_a_connection_begins_without_live_commands_whatever_the_last_one_was() -> None:
    async with ScriptedBroker().running() as broker, connected(broker) as mqtt:
        broker.deliver(FENCE, b"epoch-1", 1)
        broker.deliver(START, b"one", 2)
        assert (await delivery(mqtt)).live
        broker.cut()
        assert isinstance(await came(mqtt), Connected)
        broker.deliver(FENCE, b"epoch-1", 1)  # it comes again: it was not acknowledged in time
        broker.deliver(START, b"two", 2)
        assert not (await delivery(mqtt)).live


async def test_no_packet_id_of_another_connection_is_acknowledged() -> None:
    async with ScriptedBroker().running() as broker, connected(broker) as mqtt:
        broker.deliver(START, b"one", 7)
        old = await delivery(mqtt)
        broker.cut()
        assert isinstance(await came(mqtt), Connected)
        broker.deliver(START, b"another", 7)
        new = await delivery(mqtt)
        mqtt.acknowledge(old)
        await asyncio.sleep(0.1)
        assert (2, 7) not in broker.acknowledged, "that is another message by now"
        mqtt.acknowledge(new)
        await broker.until(lambda: (2, 7) in broker.acknowledged)


async def test_a_message_above_the_brokers_packet_size_is_refused_and_the_rest_goes_on() -> None:
    broker = ScriptedBroker(packet_bytes_max=2_000)
    async with broker.running(), connected(broker) as mqtt:
        with pytest.raises(MessageRefused, match="2000 bytes at most"):
            await mqtt.publish(STATE, b"x" * 2_000, retain=True)
        await mqtt.publish(STATE, b"x" * 1_000, retain=True)
        assert [one.topic for one in broker.published if one.topic == STATE] == [STATE]
        assert broker.connections == 1


async def test_a_quota_is_told_in_the_brokers_own_words() -> None:
    def over(one: Published) -> bytes | None:
        if one.topic != STATE:
            return None
        body = struct.pack(">HB", one.packet_id, 0x97) + reason("500 messages an hour")
        return packet(PUBACK, 0, body)

    broker = ScriptedBroker(answer=over)
    async with broker.running(), connected(broker) as mqtt:
        with pytest.raises(MessageRefused, match="Quota exceeded: 500 messages an hour"):
            await mqtt.publish(STATE, b"{}", retain=True)
        await mqtt.publish(f"{BASE}/bridge/info", b"{}", retain=True)
        assert broker.connections == 1


async def test_a_message_over_which_the_broker_hangs_up_is_known_by_it() -> None:
    def too_large(one: Published) -> bytes | None:
        return packet(DISCONNECT, 0, b"\x95" + reason("")) if one.topic == STATE else None

    broker = ScriptedBroker(answer=too_large)
    async with broker.running(), connected(broker) as mqtt:
        with pytest.raises(MessageBreaks, match="Packet too large"):
            await mqtt.publish(STATE, b"{}", retain=True)


@pytest.mark.parametrize("code", [0x8B, 0x89, 0x98])
async def test_the_brokers_stated_reason_is_never_replaced_by_a_guess(code: int) -> None:
    async with ScriptedBroker().running() as broker, connected(broker) as mqtt:
        for _ in range(SHORT_LIVED_MAX + 1):
            broker.send(packet(DISCONNECT, 0, bytes([code]) + reason("maintenance until 6")))
            broker.cut()
            assert isinstance(await came(mqtt), Connected)
        with contextlib.suppress(BusError):
            broker.send(packet(DISCONNECT, 0, bytes([code]) + reason("maintenance until 6")))
        async with asyncio.timeout(10):
            while mqtt.away is None:  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0.01)
        assert mqtt.away.code == "lost", mqtt.away
        assert "maintenance until 6" in mqtt.away.text
        assert "somebody else" not in mqtt.away.text

"""The wire to the registers, against a real mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from amqtt.broker import Broker as EmbeddedBroker
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.errors import BusError
from bridge.register.mqtt.client import Mqtt
from bridge.register.mqtt.inbox import LINE_MAX
from bridge.register.mqtt.messages import (
    EXCESS_BYTES_MAX,
    Connected,
    Delivery,
    Excess,
    MqttSettings,
    TlsSettings,
)
from tests.end_to_end.broker import Mosquitto, free_port, make_certificates, running

pytestmark = pytest.mark.mosquitto

BASE = "paybridge/v1"
START = f"{BASE}/registers/till-1/request/payment/start"
WAIT_SECONDS_MAX = 10.0
FLOOD = 2_000


def make_mqtt(settings: MqttSettings) -> Mqtt:
    epochs = itertools.count(1)
    return Mqtt(
        settings,
        base_topic=BASE,
        will=b'{"state":"offline","reason":"connection_lost"}',
        new_epoch=lambda: f"epoch-{next(epochs)}",
        rng=random.Random(1),
    )


@contextlib.asynccontextmanager
async def wire(settings: MqttSettings) -> AsyncIterator[Mqtt]:
    """The wire, running, until the body ends."""
    mqtt = make_mqtt(settings)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(mqtt.run())
        try:
            yield mqtt
        finally:
            task.cancel()


@contextlib.asynccontextmanager
async def broker(folder: Path, **options: object) -> AsyncIterator[Mosquitto]:
    async with running(Mosquitto(folder, **options)) as started:  # type: ignore[arg-type]
        yield started


def settings_of(server: Mosquitto, **changes: object) -> MqttSettings:
    return replace(MqttSettings(port=server.port), **changes)  # type: ignore[arg-type]


async def connected(mqtt: Mqtt) -> Connected:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        event = await mqtt.next()
    assert isinstance(event, Connected)
    return event


async def delivery(mqtt: Mqtt) -> Delivery:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        event = await mqtt.next()
    assert isinstance(event, Delivery)
    return event


async def live_delivery(mqtt: Mqtt, till: aiomqtt.Client, topic: str = START) -> Delivery:
    """Publish until one arrives live; the fence needs a round trip after each connect."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            await till.publish(topic, b"ping", qos=1)
            found = await delivery(mqtt)
            mqtt.acknowledge(found)
            if found.live:
                return found


async def until_away(mqtt: Mqtt, *codes: str) -> str:
    """Wait for a reason, one of `codes`, to be away; return its words."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            if mqtt.away is not None and mqtt.away.code in codes:
                return mqtt.away.text
            await asyncio.sleep(0.01)


def till(server: Mosquitto, **options: object) -> aiomqtt.Client:
    options.setdefault("protocol", aiomqtt.ProtocolVersion.V5)
    return aiomqtt.Client("127.0.0.1", server.port, **options)  # type: ignore[arg-type]


async def test_command_arrives_with_its_properties(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, wire(settings_of(server)) as mqtt:
        assert await connected(mqtt) == Connected("epoch-1", "5.0", session_present=False)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = 25
        properties.ResponseTopic = f"{BASE}/registers/till-1/inbox"
        properties.CorrelationData = b"c-1"
        async with till(server) as register:
            await live_delivery(mqtt, register)
            await register.publish(START, b"{}", qos=1, properties=properties)
            found = await delivery(mqtt)
        assert (found.topic, found.payload) == (START, b"{}")
        assert (found.retained, found.live, found.duplicate) == (False, True, False)
        assert found.expiry_seconds in {24, 25}
        assert found.response_topic == f"{BASE}/registers/till-1/inbox"
        assert found.correlation == b"c-1"


async def test_command_not_acknowledged_comes_again_after_the_bridge_died(tmp_path: Path) -> None:
    async with broker(tmp_path) as server:
        async with till(server) as register, wire(settings_of(server)) as mqtt:
            await connected(mqtt)
            await live_delivery(mqtt, register)
            await register.publish(START, b"kept", qos=1)
            await register.publish(START, b"done", qos=1)
            first, second = await delivery(mqtt), await delivery(mqtt)
            assert [first.payload, second.payload] == [b"kept", b"done"]
            mqtt.acknowledge(first)
        async with wire(settings_of(server)) as mqtt:
            event = await connected(mqtt)
            assert event.session_present
            again = await delivery(mqtt)
            assert again.payload == b"done"
            assert (again.duplicate, again.live) == (True, False)
            mqtt.acknowledge(again)
        async with wire(settings_of(server)) as mqtt, till(server) as register:
            assert (await connected(mqtt)).session_present
            await register.publish(START, b"next", qos=1)
            last = await delivery(mqtt)
            if last.payload == b"done":  # its acknowledgement was still in our socket at the end
                assert (last.duplicate, last.live) == (True, False)
                last = await delivery(mqtt)
            assert last.payload == b"next"


async def test_acknowledgement_of_a_lost_connection_hits_no_other_message(tmp_path: Path) -> None:
    async with broker(tmp_path, persistence=True) as server, wire(settings_of(server)) as mqtt:
        await connected(mqtt)
        async with till(server) as register:
            await register.publish(START, b"one", qos=1)
        old = await delivery(mqtt)
        await server.stop()
        await server.start()
        await connected(mqtt)
        again = await delivery(mqtt)
        assert again.payload == b"one"
        mqtt.acknowledge(old)  # its packet id may mean another message by now
        await server.stop()
        await server.start()
        await connected(mqtt)
        assert (await delivery(mqtt)).payload == b"one"


async def test_commands_queued_while_away_are_not_live_and_later_ones_are(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, till(server) as register:
        async with wire(settings_of(server)) as mqtt:
            await connected(mqtt)
        for number in range(LINE_MAX):
            await register.publish(START, b"%d" % number, qos=1)
        async with wire(settings_of(server)) as mqtt:
            await connected(mqtt)
            for number in range(LINE_MAX):
                found = await delivery(mqtt)
                assert (found.payload, found.live) == (b"%d" % number, False)
                mqtt.acknowledge(found)
            assert (await live_delivery(mqtt, register)).live


async def test_retained_command_is_marked_and_not_sent_again_at_subscribe(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, till(server) as register:
        async with wire(settings_of(server)) as mqtt:
            await connected(mqtt)
            await live_delivery(mqtt, register)
            await register.publish(START, b"retained", qos=1, retain=True)
            found = await delivery(mqtt)
            assert (found.payload, found.retained) == (b"retained", True)
            mqtt.acknowledge(found)
        # Another session sees the subscription anew.
        async with wire(settings_of(server, client_id="other")) as mqtt:
            await connected(mqtt)
            assert (await live_delivery(mqtt, register)).payload == b"ping"
        # MQTT 3.1.1 knows no such option: the command comes, marked.
        old = settings_of(server, client_id="third", protocol="3.1.1")
        async with wire(old) as mqtt:
            assert (await connected(mqtt)).protocol == "3.1.1"
            found = await delivery(mqtt)
            assert (found.payload, found.retained, found.live) == (b"retained", True, False)


async def test_state_of_registers_is_sent_at_each_new_session(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, till(server) as register:
        await register.publish(f"{BASE}/registers/till-1/state", b"online", qos=1, retain=True)
        async with wire(settings_of(server)) as mqtt:
            await connected(mqtt)
            found = await delivery(mqtt)
            assert (found.topic, found.retained) == (f"{BASE}/registers/till-1/state", True)


async def test_will_is_spoken_when_the_bridge_dies_and_not_when_it_leaves(tmp_path: Path) -> None:
    state = f"{BASE}/bridge/state"
    async with broker(tmp_path) as server, till(server) as register:
        await register.subscribe(state, qos=1)
        async with wire(settings_of(server)) as mqtt:
            await connected(mqtt)
            await mqtt.publish(state, b"online", retain=True)
            await mqtt.publish(state, b"shutdown", retain=True)
        async with wire(settings_of(server)) as mqtt:
            await connected(mqtt)
            # Somebody else takes the session: for the broker this bridge is dead.
            async with till(server, identifier="paybridge"):
                await until_away(mqtt, "lost")
        seen = []
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            async for message in register.messages:
                seen.append(bytes(message.payload))
                if b"connection_lost" in seen[-1]:
                    break
        assert seen[:2] == [b"online", b"shutdown"]
        assert len(seen) == 3


async def test_publish_returns_after_the_broker_has_it_and_is_retained(tmp_path: Path) -> None:
    topic = f"{BASE}/registers/till-1/payments/x"
    async with broker(tmp_path) as server, wire(settings_of(server)) as mqtt:
        await connected(mqtt)
        await mqtt.publish(topic, b"{}", retain=True, expiry_seconds=60, correlation=b"c")
        async with till(server) as register:
            await register.subscribe(topic, qos=1)
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                message = await anext(aiter(register.messages))
            assert message.retain
            assert message.payload == b"{}"
            assert message.properties is not None
            found = message.properties.json()  # type: ignore[no-untyped-call]
            assert found["CorrelationData"] == b"c".hex()
            assert found["ContentType"] == "application/json"
            assert found["MessageExpiryInterval"] in {59, 60}


async def test_many_publishes_do_not_wait_for_each_other_and_stay_in_order(tmp_path: Path) -> None:
    topic = f"{BASE}/registers/till-1/events"
    async with broker(tmp_path) as server, wire(settings_of(server)) as mqtt, till(server) as eye:
        await connected(mqtt)
        await eye.subscribe(topic, qos=1)
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await asyncio.gather(*(mqtt.publish(topic, b"%d" % n) for n in range(500)))
            messages = aiter(eye.messages)
            seen = [(await anext(messages)).payload for _ in range(500)]
        assert seen == [b"%d" % n for n in range(500)]


async def test_publish_while_away_says_so_at_once(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, wire(settings_of(server)) as mqtt:
        await connected(mqtt)
        await server.kill()
        await until_away(mqtt, "unreachable")
        with pytest.raises(BusError, match=r"nothing answers at 127\.0\.0\.1"):
            await mqtt.publish(f"{BASE}/bridge/health", b"{}")
        assert mqtt.protocol is None


@pytest.mark.parametrize("persistence", [True, False])
async def test_broker_restart_is_survived(tmp_path: Path, persistence: bool) -> None:
    async with (
        broker(tmp_path, persistence=persistence) as server,
        wire(settings_of(server)) as mqtt,
    ):
        await connected(mqtt)
        async with till(server) as register:
            await live_delivery(mqtt, register)
            await register.publish(START, b"kept", qos=1)
        await delivery(mqtt)
        await server.stop()
        await server.start()
        event = await connected(mqtt)
        assert event.epoch == "epoch-2"
        assert event.session_present is persistence
        if persistence:
            again = await delivery(mqtt)
            assert (again.payload, again.live) == (b"kept", False)
            mqtt.acknowledge(again)
        async with till(server) as register:
            assert (await live_delivery(mqtt, register)).live
        await mqtt.publish(f"{BASE}/bridge/state", b"online", retain=True)


async def test_a_flood_without_flow_control_is_met_in_order_and_the_connection_stays(
    tmp_path: Path,
) -> None:
    async with (
        broker(tmp_path, inflight_max=0) as server,
        till(server) as register,
        wire(settings_of(server, protocol="3.1.1")) as mqtt,
    ):
        await connected(mqtt)
        for number in range(FLOOD):
            await register.publish(START, b"%d" % number, qos=1)
        seen: list[int] = []
        taken = 0
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while len(seen) < FLOOD:
                event = await mqtt.next()
                assert not isinstance(event, Connected), "the connection stays"
                taken += isinstance(event, Delivery)
                for one in event.deliveries if isinstance(event, Excess) else (event,):
                    seen.append(int(one.payload))
                    mqtt.acknowledge(one)
        assert seen == list(range(FLOOD))
        assert taken >= LINE_MAX


async def test_a_packet_of_twenty_mebibytes_is_cut_and_refused_and_the_connection_stays(
    tmp_path: Path,
) -> None:
    async with (
        broker(tmp_path) as server,
        till(server) as register,
        wire(settings_of(server, protocol="3.1.1")) as mqtt,
    ):
        await connected(mqtt)
        await register.publish(START, b"x" * (20 * 1024 * 1024), qos=1)
        await register.publish(START, b"short", qos=1)
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            long = await mqtt.next()
            assert isinstance(long, Excess)
            assert [len(one.payload) for one in long.deliveries] == [EXCESS_BYTES_MAX]
            mqtt.acknowledge(long.deliveries[0])
        assert (await delivery(mqtt)).payload == b"short"
        assert mqtt.connected


async def test_two_bridges_with_one_client_id_are_told(tmp_path: Path) -> None:
    async with broker(tmp_path) as server, wire(settings_of(server)) as one:
        await connected(one)
        async with wire(settings_of(server)):
            assert "client id" in await until_away(one, "session_taken")


async def test_wrong_password_is_told_in_words_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    users = {"bridge": "right", "till-1": "one"}
    async with broker(tmp_path, users=users) as server:
        for protocol in ("5.0", "3.1.1"):
            caplog.clear()
            wrong = settings_of(server, username="bridge", password="wrong", protocol=protocol)
            async with wire(wrong) as mqtt:
                text = await until_away(mqtt, "login_refused")
                assert text.startswith("the broker refuses user bridge: ")
                assert text.endswith("; check name and password")
                assert "authori" in text, "the broker's own reason stands in it"
                await asyncio.sleep(0.5)  # two more attempts
                assert [r.levelname for r in caplog.records if "away" in r.message] == ["ERROR"]
                assert "wrong" not in caplog.text


async def test_access_list_keeps_registers_apart_and_refusals_are_heard(tmp_path: Path) -> None:
    users = {"bridge": "b", "till-1": "one", "till-2": "two"}
    async with broker(tmp_path, users=users) as server:
        settings = settings_of(server, username="bridge", password="b")
        async with wire(settings) as mqtt:
            await connected(mqtt)
            async with till(server, username="till-1", password="one") as register:
                await live_delivery(mqtt, register)
                forged = f"{BASE}/registers/till-2/request/payment/start"
                await register.publish(forged, b"forged", qos=1)
                await register.publish(f"{BASE}/bridge/fence/paybridge", b"epoch-9", qos=1)
                await register.publish(START, b"own", qos=1)
                assert (await delivery(mqtt)).payload == b"own"
        async with wire(settings_of(server, username="till-2", password="two")) as mqtt:
            await connected(mqtt)
            with pytest.raises(BusError, match=r"refused .*[Nn]ot authorized"):
                await mqtt.publish(f"{BASE}/bridge/state", b"forged", retain=True)


async def test_tls_with_client_certificate(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    options = {"tls": files, "users": {"bridge": "x"}, "client_certificates": True}
    async with broker(tmp_path, **options) as server:
        tls = TlsSettings(str(files.authority), str(files.client), str(files.client_key))
        async with wire(settings_of(server, tls=tls)) as mqtt:
            assert (await connected(mqtt)).protocol == "5.0"
            await mqtt.publish(f"{BASE}/bridge/state", b"x" * 300_000, retain=True)
            context = ssl.create_default_context(cafile=str(files.authority))
            context.load_cert_chain(files.client, files.client_key)
            async with till(server, tls_context=context) as register:
                found = await live_delivery(mqtt, register)
                assert found.payload == b"ping"
                big = b"y" * 300_000
                await register.publish(START, big, qos=1)
                assert (await delivery(mqtt)).payload == big


async def test_untrusted_broker_and_missing_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    files, other = make_certificates(tmp_path), make_certificates(tmp_path / "other")
    async with broker(tmp_path, tls=files) as server:
        async with wire(settings_of(server, tls=TlsSettings(str(other.authority)))) as mqtt:
            assert "CERTIFICATE_VERIFY_FAILED" in await until_away(mqtt, "untrusted")
        async with wire(settings_of(server, tls=TlsSettings(str(tmp_path / "none.pem")))) as mqtt:
            assert "none.pem" in await until_away(mqtt, "tls_files")
        async with wire(settings_of(server)) as mqtt:  # plain text at a TLS port
            await until_away(mqtt, "wrong_protocol", "lost", "unreachable")
            assert not mqtt.connected


async def test_unknown_host_and_closed_port_are_told_apart() -> None:
    async with wire(MqttSettings(port=free_port())) as mqtt:
        assert "nothing answers" in await until_away(mqtt, "unreachable")
    async with wire(MqttSettings(host="no-such-host.invalid")) as mqtt:
        assert "no-such-host.invalid" in await until_away(mqtt, "unreachable")


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", b""])
async def test_broker_of_mqtt_3_1_1_is_met_by_falling_back(refusal: bytes) -> None:
    """A stub that refuses MQTT 5 as brokers do: 3.1.1's code 1, 5.0's 0x84, or by hanging up."""
    greetings: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readexactly(2)
            body = await reader.readexactly(head[1])
            greetings.append(body[6])  # the protocol level
            if body[6] == 5:
                writer.write(refusal)
            else:
                writer.write(b"\x20\x02\x00\x00")
                subscribe = await reader.readexactly(2)
                packet = await reader.readexactly(subscribe[1])
                writer.write(b"\x90\x05" + packet[:2] + b"\x01\x01\x01")
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with wire(MqttSettings(port=port)) as mqtt:
            assert (await connected(mqtt)).protocol == "3.1.1"
        assert greetings[:2] == [5, 4]


async def test_embedded_broker_that_is_silent_on_mqtt_5_is_met_by_falling_back() -> None:
    port = free_port()
    embedded = EmbeddedBroker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )
    await embedded.start()
    try:
        async with wire(MqttSettings(port=port)) as mqtt:
            assert (await connected(mqtt)).protocol == "3.1.1"
            async with aiomqtt.Client("127.0.0.1", port) as register:
                assert (await live_delivery(mqtt, register)).payload == b"ping"
            await mqtt.publish(f"{BASE}/bridge/state", b"{}", retain=True)
    finally:
        await embedded.shutdown()


async def test_stop_while_the_broker_is_silent_is_prompt() -> None:
    """Cancelled while the greeting is unanswered, the wire leaves nothing open."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    settings = MqttSettings(port=server.sockets[0].getsockname()[1])
    async with server, asyncio.timeout(5), wire(settings):
        await asyncio.sleep(0.2)

"""`paybridge check` against a real mosquitto: what is refused there is not called *ok*."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.checks.broker import broker
from bridge.cli.checks.findings import Finding
from bridge.config import Config, parse
from bridge.register.api.topics import Topics
from bridge.register.mqtt.authority import Other, encode_record
from bridge.register.mqtt.connection import BrokerConnection, Subscription, Will
from bridge.register.mqtt.instance import INSTANCE_NAME
from bridge.register.mqtt.messages import MqttSettings
from tests.end_to_end.broker import Certificates, Mosquitto, free_port, make_certificates, running

pytestmark = pytest.mark.mosquitto
NOW = datetime.now(UTC)
TOPICS = Topics()


def store(folder: Path, port: int, **mqtt: Any) -> Config:
    return parse(
        {
            "site": {"store_code": "S1", "state_directory": str(folder)},
            "mqtt": {"port": port, **mqtt},
            "terminals": {"counter-1": {"driver": "zvt", "port": "/dev/x"}},
        }
    )


async def look(config: Config, *, now: datetime = NOW, running: bool = False) -> list[Finding]:
    return await broker(config, {}, running=running, now=now, nonce="0123456789")


def codes(findings: list[Finding]) -> list[str]:
    return [one.code for one in findings]


def as_user(folder: Path, password: str, name: str = "bridge") -> dict[str, str]:
    file = folder / "secret"
    file.write_text(password)
    file.chmod(0o600)
    return {"username": name, "password_file": str(file)}


async def test_a_broker_that_lets_us_in_and_brings_back_what_we_say_is_ok(tmp_path: Path) -> None:
    async with running(Mosquitto(tmp_path, users={"bridge": "right"})) as one:
        findings = await look(store(tmp_path, one.port, **as_user(tmp_path, "right")))
        assert codes(findings) == ["broker_ok"]
        assert "bridge" in findings[0].text
        findings = await look(
            store(tmp_path, one.port, protocol="3.1.1", **as_user(tmp_path, "right"))
        )
        assert codes(findings) == ["broker_ok"]


async def test_it_leaves_nothing_behind_and_says_nothing_that_a_register_hears(
    tmp_path: Path,
) -> None:
    async with running(Mosquitto(tmp_path)) as one:
        heard: list[tuple[str, bytes, bool]] = []
        till = BrokerConnection(
            1,
            MqttSettings(port=one.port),
            "5.0",
            "",
            lambda _, message: heard.append((message.topic, message.payload, message.retained)),
            client_id="everybody",
        )
        await till.open(None)
        await till.subscribe(Subscription("#", retained=True))
        assert codes(await look(store(tmp_path, one.port))) == ["broker_ok"]
        await asyncio.sleep(0.1)
        till.close()
    assert heard
    assert all("paybridge-check" in topic for topic, _, _ in heard), heard
    assert all(payload == b"" and not retained for _, payload, retained in heard)


async def test_a_wrong_password_says_no(tmp_path: Path) -> None:
    async with running(Mosquitto(tmp_path, users={"bridge": "right"})) as one:
        (finding,) = await look(store(tmp_path, one.port, **as_user(tmp_path, "wrong")))
        assert (finding.code, finding.level) == ("broker_login_refused", "wrong")
        assert finding.key == "mqtt.password_file"
        (nameless,) = await look(store(tmp_path, one.port))
        assert (nameless.code, nameless.key) == ("broker_login_refused", "mqtt.username")


async def test_an_access_list_that_shuts_us_out_says_no_by_what_arrives(tmp_path: Path) -> None:
    users = {"bridge": "right", "till-1": "till"}
    async with running(Mosquitto(tmp_path, users=users)) as one:
        findings = await look(store(tmp_path, one.port, **as_user(tmp_path, "till", "till-1")))
        assert set(codes(findings)) == {"broker_may_not_write"}
        assert any("bridge/fence" in finding.text for finding in findings)
        old = store(tmp_path, one.port, protocol="3.1.1", **as_user(tmp_path, "till", "till-1"))
        # MQTT 3.1.1 tells nobody that a message was thrown away; only that it does not come back.
        assert set(codes(await look(old))) == {"broker_may_not_read"}
    deaf = Mosquitto(tmp_path, users=users, access_list="user bridge\ntopic write paybridge/#\n")
    async with running(deaf) as one:
        findings = await look(store(tmp_path, one.port, **as_user(tmp_path, "right")))
        assert set(codes(findings)) == {"broker_may_not_read"}


async def test_a_broker_that_is_away_says_no(tmp_path: Path) -> None:
    (finding,) = await look(store(tmp_path, free_port()))
    assert (finding.code, finding.key) == ("broker_away", "mqtt.host")
    unknown = await look(store(tmp_path, 1883, host="no-such-host.invalid"))
    assert codes(unknown) == ["broker_in_the_clear", "broker_away"]


async def test_a_broker_that_refuses_us_for_its_own_reasons_says_no(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x20\x03\x00\x97\x00")  # CONNACK: quota exceeded
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        (finding,) = await look(store(tmp_path, port))
    assert (finding.code, finding.level) == ("broker_refused", "wrong")
    assert "Quota exceeded" in finding.text


async def test_something_that_is_no_broker_says_no(tmp_path: Path) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        (finding,) = await look(store(tmp_path, port))
    assert (finding.code, finding.key) == ("broker_no_mqtt", "mqtt.port")


# --- TLS


def tls(certificates: Certificates, **more: str) -> dict[str, Any]:
    return {"tls": {"ca_file": str(certificates.authority), **more}}


async def test_tls_that_fits_is_ok_and_a_short_certificate_is_told(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)  # for one day
    async with running(Mosquitto(tmp_path, tls=certificates)) as one:
        findings = await look(store(tmp_path, one.port, **tls(certificates)))
        assert codes(findings) == ["broker_certificate_expires", "broker_ok"]
        early = await look(
            store(tmp_path, one.port, **tls(certificates)), now=NOW - timedelta(days=60)
        )
        assert codes(early) == ["broker_ok"]


async def test_a_tls_port_without_tls_is_named_as_such(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with running(Mosquitto(tmp_path, tls=certificates)) as one:
        (finding,) = await look(store(tmp_path, one.port))
        assert (finding.code, finding.key) == ("broker_wants_tls", "mqtt.tls")
    async with running(Mosquitto(tmp_path)) as plain:
        (finding,) = await look(store(tmp_path, plain.port, **tls(certificates)))
        assert (finding.code, finding.key) == ("broker_speaks_no_tls", "mqtt.tls")


async def test_a_certificate_of_another_authority_says_no(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, theirs = make_certificates(tmp_path / "a"), make_certificates(tmp_path / "b")
    async with running(Mosquitto(tmp_path, tls=theirs)) as one:
        (finding,) = await look(store(tmp_path, one.port, **tls(ours)))
        assert (finding.code, finding.key) == ("broker_untrusted", "mqtt.tls.ca_file")
        host = {"host": "localhost", **tls(theirs)}
        assert "broker_ok" in codes(await look(store(tmp_path, one.port, **host)))


async def test_a_certificate_for_another_host_says_no(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, server_names=["broker.store"])
    async with running(Mosquitto(tmp_path, tls=certificates)) as one:
        host = {"host": "localhost", **tls(certificates)}
        (finding,) = await look(store(tmp_path, one.port, **host))
        assert (finding.code, finding.key) == ("broker_untrusted", "mqtt.host")
        assert "localhost" in finding.text


async def test_an_expired_certificate_says_no(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, made_before=timedelta(days=30))
    async with running(Mosquitto(tmp_path, tls=certificates)) as one:
        (finding,) = await look(store(tmp_path, one.port, **tls(certificates)))
        assert (finding.code, finding.level) == ("broker_certificate_expired", "wrong")


async def test_a_broker_that_wants_our_certificate_says_so(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    wanting = Mosquitto(tmp_path, tls=certificates, client_certificates=True)
    async with running(wanting) as one:
        (finding,) = await look(store(tmp_path, one.port, **tls(certificates)))
        assert (finding.code, finding.key) == (
            "broker_wants_certificate",
            "mqtt.tls.certificate_file",
        )
        ours = tls(
            certificates,
            certificate_file=str(certificates.client),
            key_file=str(certificates.client_key),
        )
        assert "broker_ok" in codes(await look(store(tmp_path, one.port, **ours)))


async def test_tls_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = {"tls": {"ca_file": str(tmp_path / "none.pem")}}
    (finding,) = await look(store(tmp_path, free_port(), **missing))
    assert finding.code == "broker_tls_files"
    assert "none.pem" in finding.text


async def test_a_secret_that_cannot_be_read_is_named_before_anybody_is_called(
    tmp_path: Path,
) -> None:
    mqtt = {"username": "bridge", "password_file": str(tmp_path / "none")}
    (finding,) = await look(store(tmp_path, 1, **mqtt))
    assert (finding.code, finding.key) == ("secret_bad", "mqtt.password_file")


# --- another bridge


async def serve_there(one: Mosquitto, instance: str, *, at: datetime, online: bool = True) -> None:
    """Leave at the broker what a bridge retains."""
    link = BrokerConnection(
        1, MqttSettings(port=one.port), "5.0", "", lambda *_: None, client_id="other"
    )
    await link.open(Will("nobody/hears", b""))
    documents = {
        TOPICS.authority_holder: encode_record(Other(instance, "store-13")),
        TOPICS.bridge_state: json.dumps({"state": "online" if online else "offline"}).encode(),
        TOPICS.bridge_health: json.dumps({"time": at.isoformat()}).encode(),
    }
    for topic, payload in documents.items():
        await link.publish(
            topic, payload, retain=True, qos=1, expiry_seconds=None, correlation=None
        )
    link.close()


@pytest.mark.parametrize(
    ("instance", "age", "online", "expected"),
    [
        ("theirs", 10, True, ["other_bridge"]),
        ("theirs", 600, True, ["other_bridge_silent"]),
        ("theirs", 10, False, ["other_bridge_silent"]),
        ("ours", 600, False, ["broker_ok"]),
        ("ours", 10, True, ["other_bridge"]),  # a copy of our state directory, elsewhere
    ],
)
async def test_a_second_bridge_on_the_broker_is_found(
    tmp_path: Path, instance: str, age: float, online: bool, expected: list[str]
) -> None:
    (tmp_path / INSTANCE_NAME).write_text(json.dumps({"instance_id": "ours"}))
    async with running(Mosquitto(tmp_path)) as one:
        await serve_there(one, instance, at=NOW - timedelta(seconds=age), online=online)
        findings = await look(store(tmp_path, one.port))
    assert codes(findings) == expected
    if instance == "theirs":
        assert "store-13" in findings[0].text


async def test_while_our_own_service_serves_it_is_no_stranger(tmp_path: Path) -> None:
    async with running(Mosquitto(tmp_path)) as one:
        await serve_there(one, "ours", at=NOW)
        assert codes(await look(store(tmp_path, one.port), running=True)) == ["broker_ok"]

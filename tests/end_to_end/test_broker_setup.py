"""`paybridge broker setup` and `registers` with a real mosquitto: judged by what arrives."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from bridge.cli import main
from bridge.cli.store_authority import fingerprint
from tests.end_to_end.broker import free_port, mosquitto_path

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root sets up a broker"),
]

BASE = "paybridge/v1"
ARRIVES_SECONDS_MAX = 10.0


def command(*words: str) -> tuple[int, Any, str]:
    out, error = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(error), pytest.raises(SystemExit) as ended:
        main([*words])
    text = out.getvalue()
    return int(ended.value.code or 0), text, error.getvalue()


@dataclass
class Store:
    """A root of its own, and the broker that reads it."""

    root: Path
    local_port: int
    store_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return self.root / "etc/mosquitto/paybridge"

    def registers(self, *words: str) -> Any:
        status, said, error = command("registers", *words, "--json", "--root", str(self.root))
        assert status == 0, said + error
        return json.loads(said) if said else None

    def bridge_password(self) -> str:
        return (self.root / "etc/credstore/mqtt-password").read_text().strip()

    async def start(self) -> None:
        """Start it with Debian's own main file, as far as that goes without its folders."""
        main_file = self.root / "mosquitto.conf"
        main_file.write_text(
            f"persistence_location {self.root}/\nlog_dest file {self.root}/log\nuser root\n"
            f"include_dir {self.root}/etc/mosquitto/conf.d\n"
        )
        self.process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [mosquitto_path(), "-c", str(main_file)]
        )
        async with asyncio.timeout(ARRIVES_SECONDS_MAX):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.store_port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(1)

    def client(self, name: str, password: str, *, local: bool = False) -> aiomqtt.Client:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        return aiomqtt.Client(
            "127.0.0.1",
            self.local_port if local else self.store_port,
            username=name,
            password=password,
            tls_context=None if local else context,
        )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(tmp_path, free_port(), free_port())
    (tmp_path / "etc/mosquitto/conf.d").mkdir(parents=True)
    status, said, error = set_up(found)
    assert status == 0, said + error
    yield found
    if found.process is not None:
        found.process.kill()
        found.process.wait()


def set_up(store: Store, *more: str) -> tuple[int, Any, str]:
    ports = ("--port", str(store.store_port), "--local-port", str(store.local_port))
    names = ("--name", "127.0.0.1", "--name", "store-12.local")
    return command("broker", "setup", *ports, *names, "--root", str(store.root), "--json", *more)


async def heard(client: aiomqtt.Client, count: int) -> list[str]:
    found = []
    async with asyncio.timeout(ARRIVES_SECONDS_MAX):
        async for message in client.messages:
            found.append(str(message.topic))
            if len(found) == count:
                break
    return found


async def test_a_register_reaches_the_bridge_and_no_other_register(store: Store) -> None:
    one, two = store.registers("add", "till-1"), store.registers("add", "till-2")
    assert store.registers() == ["till-1", "till-2"]
    await store.start()
    mine = f"{BASE}/registers/till-1"
    async with (
        store.client("bridge", store.bridge_password(), local=True) as bridge,
        store.client("till-1", one["password"]) as till,
        store.client("till-2", two["password"]) as other,
    ):
        await bridge.subscribe("#", qos=1)
        await other.subscribe("#", qos=1)
        await till.subscribe("#", qos=1)
        for topic in (
            *(f"{BASE}/registers/till-2/request/payment/start", f"{BASE}/bridge/state"),
            *(f"{mine}/payments/forged", f"{mine}/response/payment/start", "elsewhere"),
            *(f"{mine}/state", f"{mine}/request/payment/start"),  # these two are its own
        ):
            await till.publish(topic, b"{}", qos=1)
        assert await heard(bridge, 2) == [f"{mine}/state", f"{mine}/request/payment/start"]
        for topic in (f"{mine}/payments/a", f"{BASE}/terminals/counter-1/state"):
            await bridge.publish(topic, b"{}", qos=1)
        assert await heard(other, 1) == [f"{BASE}/terminals/counter-1/state"]
        assert (await heard(till, 4))[-2:] == [
            f"{mine}/payments/a",
            f"{BASE}/terminals/counter-1/state",
        ]


async def test_nobody_gets_in_without_a_password_or_with_a_wrong_or_revoked_one(
    store: Store,
) -> None:
    one = store.registers("add", "till-1")
    await store.start()
    for name, password in (("till-1", "wrong"), ("till-9", one["password"]), ("", "")):
        with pytest.raises(aiomqtt.MqttError):
            async with store.client(name, password):
                pass
    async with store.client("till-1", one["password"]) as open_one:
        store.registers("revoke", "till-1")
        store.reload()
        with pytest.raises(aiomqtt.MqttError):
            await publish_until_the_end(open_one, f"{BASE}/registers/till-1/state")
    with pytest.raises(aiomqtt.MqttError):
        async with store.client("till-1", one["password"]):
            pass


async def publish_until_the_end(client: aiomqtt.Client, topic: str) -> None:
    """Mosquitto ends the connection when it reads the passwords, or at the next word."""
    async with asyncio.timeout(ARRIVES_SECONDS_MAX):
        while True:
            await client.publish(topic, b"{}", qos=1)
            await asyncio.sleep(0.05)


async def test_a_client_that_trusts_another_authority_or_name_is_refused(
    store: Store, tmp_path: Path
) -> None:
    one = store.registers("add", "till-1")
    await store.start()
    stranger = Store(tmp_path / "stranger", free_port(), free_port())
    (stranger.root / "etc/mosquitto/conf.d").mkdir(parents=True)
    set_up(stranger)
    context = ssl.create_default_context(cafile=str(stranger.folder / "ca.crt"))
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", store.store_port, ssl=context)
    context = ssl.create_default_context(cafile=str(store.folder / "ca.crt"))
    with pytest.raises(ssl.SSLCertVerificationError, match="not-ours"):
        await asyncio.open_connection(
            "127.0.0.1", store.store_port, ssl=context, server_hostname="not-ours.local"
        )
    assert one["ca_fingerprint"] == fingerprint((store.folder / "ca.crt").read_bytes())


def test_set_up_again_keeps_authority_and_passwords(store: Store) -> None:
    store.registers("add", "till-1")
    kept = {
        path: path.read_bytes()
        for path in (
            *(store.folder / "ca.crt", store.root / "etc/paybridge/broker-authority.key"),
            store.root / "etc/credstore/mqtt-password",
        )
    }
    first = (store.folder / "server.crt").read_bytes()
    lines = (store.folder / "passwords").read_text().splitlines()
    assert set_up(store)[0] == 0
    assert {path: path.read_bytes() for path in kept} == kept
    assert (store.folder / "server.crt").read_bytes() != first
    assert lines[1] in (store.folder / "passwords").read_text().splitlines()  # till-1
    assert store.registers() == ["till-1"]


def test_secrets_are_nobody_elses(store: Store) -> None:
    store.registers("add", "till-1")
    modes = {
        str(path.relative_to(store.root)): stat.S_IMODE(path.stat().st_mode)
        for path in store.root.rglob("*")
        if path.is_file()
    }
    assert modes["etc/paybridge/broker-authority.key"] == 0o600
    assert modes["etc/credstore/mqtt-password"] == 0o600
    assert modes["etc/mosquitto/paybridge/server.key"] == 0o640
    assert modes["etc/mosquitto/paybridge/passwords"] == 0o640


@pytest.mark.parametrize(
    "words",
    [
        ("add", "Till 3"),
        ("add", ""),
        ("add", "till-1:x"),
        ("add", "bridge"),
        ("add", "till-1"),
        ("revoke", "till-9"),
        ("revoke", "bridge"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    store: Store, words: tuple[str, ...]
) -> None:
    store.registers("add", "till-1")
    before = (store.folder / "passwords").read_bytes()
    status, _, error = command("registers", *words, "--root", str(store.root))
    assert status in {1, 64}
    assert error.startswith("paybridge: ")
    assert (store.folder / "passwords").read_bytes() == before


def test_without_set_up_or_mosquitto_one_line_says_so(tmp_path: Path) -> None:
    assert "broker setup" in command("registers", "--root", str(tmp_path))[2]
    assert "broker setup" in command("registers", "add", "till-1", "--root", str(tmp_path))[2]
    assert "apt install mosquitto" in command("broker", "setup", "--root", str(tmp_path))[2]
    (tmp_path / "etc/mosquitto/conf.d").mkdir(parents=True)
    wrong = command("broker", "setup", "--name", "a b", "--root", str(tmp_path))
    assert "a b" in wrong[2]
    forged = "x\nuser eve\ntopic readwrite #"
    wrong = command("broker", "setup", "--base-topic", forged, "--root", str(tmp_path))
    assert "no base topic" in wrong[2]
    assert not (tmp_path / "etc/mosquitto/paybridge").exists()


def test_a_person_sees_the_password_once_with_a_code_to_scan(store: Store) -> None:
    status, said, _ = command("registers", "add", "till-3", "--root", str(store.root))
    assert status == 0
    password = said.split("password")[1].split()[0]
    assert password not in (store.folder / "passwords").read_text()
    assert "█" in said or "▀" in said
    again = store.registers("add", "till-3", "--again")
    assert again["password"] != password
    assert again["uri"].startswith(f"mqtts://till-3:{again['password']}@127.0.0.1:")

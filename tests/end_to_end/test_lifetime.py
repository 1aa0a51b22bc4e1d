"""The service's own life: one at a time, an orderly end, and a way in by certificate only."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path

import pytest

from tests.end_to_end.broker import Mosquitto, make_certificates
from tests.end_to_end.parts import base_tables, open_store, plan, terminal_program, write_config
from tests.end_to_end.program import Program
from tests.end_to_end.till import Account, Till
from tests.support.commands import start_fields

pytestmark = pytest.mark.mosquitto

OTHER = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"


async def test_a_second_service_is_refused_and_an_end_waits_for_the_payment(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path, plan(seconds_at_host=1.0)) as store:
        second = Program(
            tmp_path, "second", "bridge", "run", "--config", str(store.config), "--json"
        )
        answer = await second.start()
        assert await second.ended() == 74
        assert answer["error"] == "JournalError"
        assert "another running paybridge" in answer["message"]

        payment_id = await store.till.start("70.00")
        await store.till.document(payment_id, lambda d: d["stage"] == "authorizing")
        after = len(store.till.heard)
        store.bridge.signal(signal.SIGTERM)
        await store.till.until(
            lambda: next(
                (o for o in store.till.heard[after:] if o.content.get("state") == "draining"), None
            ),
            "a draining bridge",
        )
        refused = await store.till.ask("payment/start", start_fields(OTHER, "71.00"))
        assert refused["error"]["code"] == "bridge_draining"
        assert await store.bridge.ended() == 0
        document = await store.till.document(payment_id, lambda d: d["final"])
        assert document["status"] == "approved"
        last = [o.content for o in store.till.heard if o.topic.endswith("bridge/state")][-1]
        assert (last["state"], last["reason"]) == ("offline", "shutdown")

        await store.start_bridge()
        await store.till.recorded(payment_id)
        await store.check()


@pytest.mark.parametrize("with_password", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_a_sale_over_tls_with_a_password_or_a_client_certificate(
    tmp_path: Path, with_password: bool
) -> None:
    certificates = make_certificates(tmp_path)
    broker = Mosquitto(
        tmp_path,
        tls=certificates,
        users={"bridge": "b-secret", "till-1": "t-secret"} if with_password else {},
        client_certificates=not with_password,
    )
    context = ssl.create_default_context(cafile=str(certificates.authority))
    tables = base_tables(tmp_path, broker.port, {"port": str(tmp_path / "terminal")})
    tables["mqtt.tls"] = {"ca_file": str(certificates.authority)}
    account = Account(broker.port, "till-1", "t-secret", context)
    if with_password:
        (tmp_path / "mqtt-password").write_text("b-secret\n")
        (tmp_path / "mqtt-password").chmod(0o600)
        tables["mqtt"] |= {"username": "bridge", "password_file": str(tmp_path / "mqtt-password")}
    else:
        context.load_cert_chain(certificates.client, certificates.client_key)
        tables["mqtt.tls"] |= {
            "certificate_file": str(certificates.client),
            "key_file": str(certificates.client_key),
        }
        account = Account(broker.port, tls=context)
    terminal = terminal_program(tmp_path, "--speed", "0")
    config = write_config(tmp_path / "paybridge.toml", tables)
    bridge = Program(tmp_path, "bridge", "bridge", "run", "--config", str(config), "--json")
    till = Till(account)
    await broker.start()
    try:
        await terminal.start()
        async with till.at_work():
            await bridge.start()
            await till.ready()
            payment_id = await till.start("72.00")
            document = await till.status(payment_id, "approved")
            assert document["recording"]["status"] == "not_required", "there is no back office"
    finally:
        await bridge.kill()
        await terminal.kill()
        await broker.kill()

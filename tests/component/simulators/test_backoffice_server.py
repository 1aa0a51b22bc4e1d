"""The back office on real sockets: one login, one purchase, and every way of hanging up."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.back_office import program as backoffice
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import DEVICE_GRANT

BUY = """mutation Buy { purchaseAdd(add: { transactionId: "T1", storeCode: "S1",
  purchasedOn: "2026-01-02T03:04:05", payAmount: "1.99", saleDiscountAmount: "0",
  itemDiscountAmount: "0", subTotal: "1.99", refundAmount: "0", taxAmount: "0",
  lineItems: [{ lineNumber: 1, sku: "X", isRefund: false, unitPrice: "1.99", extPrice: "1.99",
    itemDiscountAmount: "0", saleDiscountAmount: "0", quantity: "1", uom: "EA" }] }) { id } }"""

PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.01
LOOKS_MAX = 1_000


def arguments_for(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    backoffice.add_arguments(parser)
    return parser.parse_args(words)


async def log_in(http: httpx.AsyncClient, issuer: str) -> str:
    document = (await http.get(issuer + ".well-known/openid-configuration")).json()
    form = {"client_id": oidc.CLIENT_ID, "scope": "openid offline_access"}
    begun = (await http.post(document["device_authorization_endpoint"], data=form)).json()
    form |= {"grant_type": DEVICE_GRANT, "device_code": begun["device_code"]}
    tokens = (await http.post(document["token_endpoint"], data=form)).json()
    return str(tokens["access_token"])


async def buy(http: httpx.AsyncClient, ready: dict[str, Any], token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
    return await http.post(ready["graphql"], json={"query": BUY}, headers=headers)


async def test_a_till_logs_in_and_records_and_is_hung_up_on(tmp_path: Path) -> None:
    faults, ledger = tmp_path / "faults.json", tmp_path / "ledger.jsonl"
    fault = {"do": "fault", "operation": "purchaseAdd"}
    drop = {**fault, "fault": "apply_then_drop", "after": 1}
    faults.write_text(json.dumps([drop, {**fault, "fault": "apply_then_reset", "after": 1}]))
    words = ("--auto-approve", "0", "--faults", str(faults), "--ledger", str(ledger))
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        backoffice.running_back_office(arguments_for(*words, "--tenant", "/store")) as running,
        httpx.AsyncClient() as http,
    ):
        ready: Any = running.ready
        assert ready["graphql"].endswith("/store/api/graphql")
        assert (await buy(http, ready, "nobody")).status_code == 401
        token = await log_in(http, ready["issuer"])
        assert (await buy(http, ready, token)).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await buy(http, ready, token)
        with pytest.raises(httpx.ReadError):
            await buy(http, ready, token)
    effects = [json.loads(line)["effect"] for line in ledger.read_text().splitlines()]
    assert effects == ["purchase_added"] * 3


async def test_an_office_that_is_away_refuses_but_can_be_called_back() -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        backoffice.running_back_office(arguments_for("--no-login")) as running,
        httpx.AsyncClient() as http,
    ):
        ready: Any = running.ready
        assert (await buy(http, ready, "any")).status_code == 200
        await http.post(ready["control"], json={"do": "away"})
        with pytest.raises(httpx.ConnectError):
            await buy(http, ready, "any")
        assert not await listens(ready["graphql"])
        await http.post(ready["control"], json={"do": "back"})
        assert await becomes_listening(ready["graphql"])
        assert (await buy(http, ready, "any")).status_code == 200
        assert len(running.office.state.purchases) == 2


async def test_ready_is_announced_in_one_line_and_the_port_is_free_afterwards(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = argparse.ArgumentParser()
    oidc.add_arguments(parser)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(oidc.serve(parser.parse_args(["--seed", "1"])))
        ready = json.loads(await printed(capsys))
        assert await listens(ready["issuer"])
        task.cancel()
    assert not await listens(ready["issuer"])
    again = parser.parse_args(["--port", str(httpx.URL(ready["issuer"]).port)])
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(oidc.serve(again))
        assert json.loads(await printed(capsys))["issuer"] == ready["issuer"]
        task.cancel()


async def listens(url: str) -> bool:
    address = httpx.URL(url)
    assert address.port is not None
    try:
        _reader, writer = await asyncio.open_connection(address.host, address.port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def becomes_listening(url: str) -> bool:
    for _look in range(LOOKS_MAX):
        if await listens(url):
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def printed(capsys: pytest.CaptureFixture[str]) -> str:
    for _look in range(LOOKS_MAX):
        if line := capsys.readouterr().out:
            return line
        await asyncio.sleep(LOOK_SECONDS)
    return ""

"""The simulated register against a real mosquitto and a desk that answers by the book."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.register.api import (
    BridgeState,
    Display,
    PaymentAmounts,
    PaymentDocument,
    PaymentStart,
    PaymentStatus,
    Recording,
    RequestTopic,
    Response,
    Topics,
    decode_request,
    encode,
    error_body,
)
from bridge.register.mqtt.client import Mqtt
from bridge.register.mqtt.messages import Connected, Delivery, MqttSettings
from simulators.register.broker_address import Broker
from simulators.register.till import Register
from tests.end_to_end.broker import Mosquitto, running

pytestmark = pytest.mark.mosquitto

NOW = datetime(2026, 3, 2, 9, 13, 41, tzinfo=UTC)
TOPICS = Topics()
WAIT_SECONDS_MAX = 10.0


def document(request: PaymentStart, rev: int, status: p.Status) -> PaymentDocument:
    paid = status is p.Status.APPROVED
    return PaymentDocument(
        rev=rev,
        payment_id=request.payment_id,
        register_id="till-1",
        type=request.type,
        method=request.method,
        status=status,
        funds=p.Funds.CAPTURED if paid else p.Funds.NONE,
        final=paid,
        amounts=PaymentAmounts(
            currency=request.amounts.currency, requested_amount=request.amounts.requested_amount
        ),
        recording=Recording(status=p.Recording.PENDING if paid else p.Recording.NOT_REQUIRED),
        display=Display(
            severity="info", code=status.value, lines=(status.value,), may_leave_screen=True
        ),
        created_at=NOW,
        updated_at=NOW,
    )


class Desk:
    """Answers every start with an approval, every status with what it knows."""

    def __init__(self, mqtt: Mqtt, ignores: int) -> None:
        self._mqtt = mqtt
        self._ignores = ignores  # so many commands get no response
        self.payments: dict[str, PaymentStart] = {}
        self.seen: list[tuple[str, dict[str, Any]]] = []

    async def run(self) -> None:
        while True:
            event = await self._mqtt.next()
            if isinstance(event, Delivery):
                await self._answer(event)
                self._mqtt.acknowledge(event)
            elif isinstance(event, Connected):
                state = BridgeState(state="online", epoch=event.epoch)
                await self._mqtt.publish(TOPICS.bridge_state, encode(state), retain=True)

    async def _answer(self, delivery: Delivery) -> None:
        topic = TOPICS.parse(delivery.topic)
        if not isinstance(topic, RequestTopic):
            return
        self.seen.append((topic.operation, json.loads(delivery.payload)))
        if self._ignores > 0:
            self._ignores -= 1
            return
        request = decode_request(topic.operation, delivery.payload)
        response = Response(
            request_id=request.request_id, op=topic.operation, status="accepted", time=NOW
        )
        match request:
            case PaymentStart():
                self.payments[request.payment_id] = request
                await self._publish(request, 1, p.Status.QUEUED)
                await self._publish(request, 2, p.Status.APPROVED)
                await self._publish(request, 1, p.Status.QUEUED, retain=False)  # late, as QoS 1 may
            case PaymentStatus() if request.payment_id not in self.payments:
                error = error_body(RequestError("payment_not_found", "never heard of it"))
                response = response.model_copy(update={"status": "error", "error": error})
        where = TOPICS.response("till-1", topic.operation)
        await self._mqtt.publish(where, encode(response))

    async def _publish(
        self, request: PaymentStart, rev: int, status: p.Status, *, retain: bool = True
    ) -> None:
        where = TOPICS.payment("till-1", request.payment_id)
        await self._mqtt.publish(where, encode(document(request, rev, status)), retain=retain)


@contextlib.asynccontextmanager
async def store(folder: Path, *, ignores: int = 0) -> AsyncIterator[tuple[Mosquitto, Desk]]:
    async with running(Mosquitto(folder)) as server:
        mqtt = Mqtt(
            MqttSettings(port=server.port),
            base_topic=TOPICS.base,
            will=encode(BridgeState(state="offline", reason="connection_lost")),
            new_epoch=lambda: "epoch-1",
            rng=random.Random(1),
        )
        desk = Desk(mqtt, ignores)
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(mqtt.run()), tasks.create_task(desk.run())]
            try:
                async with asyncio.timeout(WAIT_SECONDS_MAX):
                    yield server, desk
            finally:
                for worker in workers:
                    worker.cancel()


@contextlib.asynccontextmanager
async def opened(
    server: Mosquitto, ledger: Path | None = None, *, mqtt5: bool = True
) -> AsyncIterator[Register]:
    broker = Broker.at(f"mqtt://127.0.0.1:{server.port}", mqtt5=mqtt5)
    register = Register(broker, "till-1", ledger=ledger, resend_seconds=0.3)
    async with asyncio.TaskGroup() as tasks:
        running_register = tasks.create_task(register.run())
        try:
            yield register
        finally:
            running_register.cancel()


@pytest.mark.parametrize("mqtt5", [True, False])
async def test_payment_is_followed_to_its_end_and_late_revisions_are_ignored(
    tmp_path: Path, mqtt5: bool
) -> None:
    async with store(tmp_path) as (server, desk), opened(server, mqtt5=mqtt5) as register:
        response = await register.pay("12.50", sale_id="T1")
        assert response["status"] == "accepted"
        final = await register.final(response["payment_id"])
        assert (final["rev"], final["status"]) == (2, "approved")
        await register.acknowledge(response["payment_id"])
        assert register.documents[response["payment_id"]]["rev"] == 2
        assert desk.seen[-1][0] == "payment/acknowledge"
        assert desk.seen[-1][1]["rev"] == 2


async def test_request_without_response_is_sent_again_with_the_same_ids(tmp_path: Path) -> None:
    async with store(tmp_path, ignores=2) as (server, desk), opened(server) as register:
        response = await register.pay("12.50")
        assert response["status"] == "accepted"
        ids = {(sent["request_id"], sent["payment_id"]) for _, sent in desk.seen}
        assert len(desk.seen) == 3
        assert len(ids) == 1


async def test_open_payments_survive_the_registers_own_power_cut(tmp_path: Path) -> None:
    ledger = tmp_path / "till.jsonl"
    async with store(tmp_path) as (server, desk):
        async with opened(server, ledger) as register:
            paid = (await register.pay("12.50"))["payment_id"]
            await register.final(paid)
        never = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
        with ledger.open("a") as file:
            file.write(json.dumps({"opened": never, "request": {"payment_id": never}}) + "\n")
            file.write('{"opened": "018f6f')  # cut while it wrote
        async with opened(server, ledger) as register:
            assert set(register.ledger.open) == {paid, never}
            responses = await register.recover()
            assert [one["status"] for one in responses] == ["accepted", "error"]
            assert (await register.final(paid))["status"] == "approved"
            await register.acknowledge(paid)
            assert register.ledger.open == {}
        assert [op for op, _ in desk.seen].count("payment/start") == 1


async def command(server: Mosquitto, *words: str) -> tuple[int | None, list[dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators", "register"),
        *("--broker", f"mqtt://127.0.0.1:{server.port}", "--register-id", "till-1", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return process.returncode, [json.loads(line) for line in out.splitlines()]


async def test_command_line_pays_and_prints_json_lines(tmp_path: Path) -> None:
    async with store(tmp_path) as (server, _):
        status, lines = await command(server, "pay", "12.50", "--sale", "T1")
        assert status == 0
        assert lines[0]["ready"] is True
        assert lines[1]["op"] == "payment/start"
        assert [line.get("status") for line in lines if "funds" in line][-1] == "approved"


async def test_command_line_sends_any_command_and_refuses_what_is_none(tmp_path: Path) -> None:
    async with store(tmp_path) as (server, desk):
        status, lines = await command(server, "ask", "terminal/check", '{"terminal_id": "a"}')
        assert (status, lines[-1]["op"]) == (0, "terminal/check")
        operation, sent = desk.seen[-1]
        assert (operation, sent["terminal_id"]) == ("terminal/check", "a")
        for words in ("{", "[]"):
            status, lines = await command(server, "ask", "terminal/check", words)
            assert (status, lines) == (2, [])
        assert len(desk.seen) == 1


async def test_command_line_pays_with_a_gift_card(tmp_path: Path) -> None:
    async with store(tmp_path) as (server, desk):
        words = ("pay", "12.50", "--gift-card", "6396210000004711", "--pin", "8642")
        status, _ = await command(server, *words)
        assert status == 0
        _, sent = next(one for one in desk.seen if one[0] == "payment/start")
        assert sent["method"] == "gift_card"
        assert sent["gift_card"] == {"stored_value_id": "6396210000004711", "pin": "8642"}


@pytest.mark.parametrize("url", ["http://x", "127.0.0.1:1883", "mqtt://"])
def test_address_that_is_no_broker_is_refused(url: str) -> None:
    call: Callable[[str], Broker] = Broker.at
    with pytest.raises(ValueError, match="write the broker like"):
        call(url)

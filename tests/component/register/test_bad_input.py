"""What registers send that is no command: each gets its answer, and the next payment goes on."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from bridge.register.api import Response
from simulators.broker import Message
from tests.support.shop import TOPICS, Shop, in_a_shop, payment_id

ANSWER_SECONDS = 1.0
GUARD = {"expires_at": "2026-11-23T12:00:30Z"}
TILL = TOPICS.register("till-1")

# What is sent to `payment/start`: the code it is refused with, and the field that it breaks in.
MALFORMED = {
    "cut off": (
        b'{"request_id":"r-x","amounts":{"currency":"EU',
        "invalid_json",
        "amounts.currency",
    ),
    "two": (b'{"request_id":"r-x"}{"request_id":"r-x"}', "invalid_json", None),
    "a comma too many": (b'{"request_id":"r-x","payment_id":"p",}', "invalid_json", None),
    "not UTF-8": (b'{"request_id":"r-x","operator_id":"J\xfcrgen"}', "invalid_json", "operator_id"),
    "no number": (b'{"request_id":"r-x","deadline_s":NaN}', "invalid_json", "deadline_s"),
    "twice": (b'{"request_id":"r-x","amounts":{},"amounts":{}}', "invalid_json", "amounts"),
    "control": (b'{"request_id":"r-x","sale_id":"a\\u0007"}', "invalid_request", "sale_id"),
    "too deep": (
        b'{"request_id":"r-x","metadata":' + b'{"a":' * 40 + b"1" + b"}" * 41,
        "invalid_json",
        "metadata" + ".a" * 15,
    ),
    "too long": (b'{"request_id":"r-x","x_pad":"' + b"x" * 70_000 + b'"}', "invalid_request", None),
    "no such field": (
        b'{"request_id":"r-x","amounts":{"currency":"EUR","requested_amount":"1.00","tipp":{}}}',
        "invalid_request",
        "amounts.tipp",
    ),
    "a number": (
        b'{"request_id":"r-x","payment_id":"018f6f0e-8a44-7c1b-9a3e-000000000001",'
        b'"amounts":{"currency":"EUR","requested_amount":1.0}}',
        "invalid_amount",
        "amounts.requested_amount",
    ),
    "a digit too few": (
        b'{"request_id":"r-x","payment_id":"018f6f0e-8a44-7c1b-9a3e-000000000001",'
        b'"amounts":{"currency":"EUR","requested_amount":"1.0"}}',
        "invalid_amount",
        "amounts.requested_amount",
    ),
    "nothing of it": (b'{"request_id":"r-x"}', "invalid_request", "payment_id"),
}


def heard(shop: Shop, operation: str) -> list[Response]:
    """Listen to the responses of an operation."""
    found: list[Response] = []
    inner = shop.broker.on_published

    def hear(message: Message) -> None:
        if message.topic == TOPICS.response("till-1", operation):
            found.append(Response.model_validate_json(message.payload))
        inner(message)

    shop.broker.on_published = hear
    return found


@pytest.mark.parametrize("name", MALFORMED)
def test_a_refusal_carries_the_request_id_that_could_be_read_and_names_the_field(
    tmp_path: Path, name: str
) -> None:
    payload, code, path = MALFORMED[name]

    async def test(shop: Shop) -> None:
        responses = heard(shop, "payment/start")
        shop.broker.send(Message(f"{TILL}/request/payment/start", payload))
        await asyncio.sleep(ANSWER_SECONDS)
        (response,) = responses
        assert (response.request_id, response.status) == ("r-x", "error")
        assert response.error is not None
        assert (response.error.code, response.error.money_moved) == (code, "no")
        assert response.error.detail.get("path") == path
        answer = await shop.pay("till-1", 2, **GUARD)
        assert answer["status"] == "accepted", "the next payment goes on"
        await shop.until("till-1", 2, status="approved")
        assert shop.charged() == [4790]

    in_a_shop(tmp_path, test)


def test_an_unknown_operation_and_a_retained_command_keep_their_request_id(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        unknown, retained = heard(shop, "payment/stop"), heard(shop, "payment/status")
        shop.broker.send(Message(f"{TILL}/request/payment/stop", b'{"request_id":"r-x"'))
        payload = b'{"request_id":"r-y","payment_id":"p"}'
        shop.broker.send(Message(f"{TILL}/request/payment/status", payload, retain=True))
        await asyncio.sleep(ANSWER_SECONDS)
        assert [one.request_id for one in unknown] == ["r-x"]
        assert {one.request_id for one in retained} <= {"r-y"}

    in_a_shop(tmp_path, test)


def test_a_register_id_that_cannot_be_served_gets_one_warning_with_the_rule(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(shop: Shop) -> None:
        for name in ("Till_1", "Till_1", "kasse ö", "t" * 33, "Till_1"):
            for rest in ("request/payment/start", "state"):
                topic = f"{TOPICS.base}/registers/{name}/{rest}"
                shop.broker.send(Message(topic, b'{"request_id":"r-1"}'))
        await asyncio.sleep(ANSWER_SECONDS)

    with caplog.at_level(logging.WARNING):
        in_a_shop(tmp_path, test)
    warned = [one.getMessage() for one in caplog.records if "cannot be served" in one.getMessage()]
    assert len(warned) == 3
    assert all("1 to 32 of a-z, 0-9 and -" in text for text in warned)
    assert sum("'Till_1'" in text for text in warned) == 1


def test_wrong_register_ids_do_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(shop: Shop) -> None:
        for number in range(150):
            topic = f"{TOPICS.base}/registers/T{number}/request/payment/start"
            shop.broker.send(Message(topic, b"{}"))
        await asyncio.sleep(ANSWER_SECONDS)

    with caplog.at_level(logging.WARNING):
        in_a_shop(tmp_path, test)
    assert sum("cannot be served" in one.getMessage() for one in caplog.records) == 100


def test_a_terminals_state_shows_its_payment_to_no_other_register(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        told: list[dict[str, object]] = []
        inner = shop.broker.on_published

        def hear(message: Message) -> None:
            if message.topic == TOPICS.terminal_state("counter-1"):
                told.append(json.loads(message.payload))
            inner(message)

        shop.broker.on_published = hear
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(1.0)
        assert "busy" in {one["activity"] for one in told}
        assert all(one["payment_id"] is None for one in told)
        assert not any(payment_id(1) in json.dumps(one) for one in told)

    in_a_shop(tmp_path, test)


def test_a_busy_terminal_tells_another_register_no_payment(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, **GUARD)
        refused = await shop.pay("till-2", 2, **GUARD)
        assert refused["error"]["code"] == "terminal_busy"
        assert payment_id(1) not in json.dumps(refused)

    in_a_shop(tmp_path, test)

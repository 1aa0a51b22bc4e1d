"""Whatever a register sends wrongly gets a typed answer, and not one byte goes to the terminal."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.end_to_end.parts import Store
from tests.end_to_end.till import BASE, Json
from tests.support.commands import start_fields

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio(loop_scope="module")]

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
ROUTE = f"{BASE}/registers/till-1/request/payment/start"


@pytest_asyncio.fixture(loop_scope="module")
async def store(shared_store: Store) -> AsyncIterator[Store]:
    """The store; afterwards its terminal must have heard and done nothing."""
    wire = shared_store.wire
    assert wire is not None
    heard, done = bytes(wire.sent), shared_store.terminal_ledger()
    yield shared_store
    assert bytes(wire.sent) == heard
    assert shared_store.terminal_ledger() == done


def utc(**offset: int) -> str:
    moment = datetime.now(UTC) + timedelta(**offset)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_refusal(answer: Json, code: str, path: str) -> None:
    """One answer, complete enough for a register that has never seen the code."""
    error = answer["error"]
    assert (answer["status"], error["code"]) == ("error", code), answer
    assert error["detail"].get("path", "") == path, answer
    assert error["money_moved"] == "no"
    assert error["retry"] in {"same_id", "new_id", "no"}
    assert error["message"]


START: dict[str, Any] = start_fields(PAYMENT, "12.00")


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        pytest.param({"amuonts": {}}, "invalid_request", "amuonts", id="unknown_field"),
        pytest.param({"payment_id": "4711"}, "invalid_request", "payment_id", id="no_uuid"),
        pytest.param({"payment_id": None}, "invalid_request", "payment_id", id="no_payment_id"),
        pytest.param(
            {"amounts": {"currency": "EUR"}},
            "invalid_request",
            "amounts.requested_amount",
            id="no_amount",
        ),
        *(
            pytest.param(
                {"amounts": {"currency": currency, "requested_amount": amount}},
                "invalid_amount",
                "amounts.requested_amount",
                id=f"amount_{amount}",
            )
            for currency, amount in (
                ("EUR", "12.5"),
                ("EUR", "12"),
                ("EUR", "12,50"),
                ("EUR", "-12.50"),
                ("EUR", "1.250,00"),
                ("EUR", "0.00"),
                ("JPY", "12.50"),
                ("EUR", 12.5),
            )
        ),
        pytest.param(
            {"amounts": {"currency": "CHF", "requested_amount": "12.00"}},
            "invalid_request",
            "amounts.currency",
            id="wrong_currency",
        ),
        pytest.param(
            {"amounts": {"currency": "euro", "requested_amount": "12.00"}},
            "invalid_request",
            "amounts.currency",
            id="no_currency",
        ),
        pytest.param(
            {"terminal_id": "counter-9"}, "terminal_unknown", "terminal_id", id="unknown_terminal"
        ),
        pytest.param(
            {"force_online": True}, "operation_not_supported", "force_online", id="unsupported"
        ),
        pytest.param({"override": True}, "approval_required", "approved_by", id="nobody_stands"),
        pytest.param(
            {"sale": {"total_amount": "12.00", "lines": [{"item_id": 1}]}},
            "invalid_request",
            "sale.lines.0.quantity",
            id="incomplete_line",
        ),
        pytest.param(
            {"bridge_epoch": "another"}, "stale_command", "bridge_epoch", id="another_epoch"
        ),
    ],
)
async def test_a_wrong_start_is_refused_and_names_the_field(
    store: Store, fields: Json, code: str, path: str
) -> None:
    fields = {name: value for name, value in {**START, **fields}.items() if value is not None}
    check_refusal(await store.till.ask("payment/start", fields), code, path)
    assert store.story(PAYMENT) is None


async def test_an_expired_start_is_refused(store: Store) -> None:
    answer = await store.till.ask("payment/start", {**START, "expires_at": utc(seconds=-1)})
    check_refusal(answer, "command_expired", "expires_at")


async def test_a_start_from_a_wrong_clock_is_refused(store: Store) -> None:
    answer = await store.till.ask("payment/start", {**START, "expires_at": utc(days=2)})
    check_refusal(answer, "clock_skew", "expires_at")
    assert answer["error"]["detail"]["bridge_time"]


async def test_a_message_that_breaks_off_is_answered_with_the_request_id_that_could_be_read(
    store: Store,
) -> None:
    before = len(store.till.heard)
    await store.till.publish(ROUTE, b'{"request_id": "r1", ')
    answers: list[Json] = await store.till.until(
        lambda: [o.content for o in store.till.heard[before:] if "/response/" in o.topic] or None,
        "a refusal",
    )
    (answer,) = answers
    check_refusal(answer, "invalid_json", "")
    assert answer["request_id"] == "r1"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(b"{", "invalid_json", id="broken"),
        pytest.param(b"\xff\xfe", "invalid_json", id="not_utf8"),
        pytest.param(b"[]", "invalid_request", id="no_object"),
        pytest.param(b"", "invalid_json", id="empty"),
        pytest.param(b"[" * 30_000, "invalid_json", id="deep"),
        pytest.param(b'{"request_id":"' + b"x" * 70_000 + b'"}', "invalid_request", id="oversized"),
    ],
)
async def test_what_cannot_be_read_is_answered_without_a_request_id(
    store: Store, payload: bytes, code: str
) -> None:
    before = len(store.till.heard)
    await store.till.publish(ROUTE, payload)
    answers: list[Json] = await store.till.until(
        lambda: [o.content for o in store.till.heard[before:] if "/response/" in o.topic] or None,
        "a refusal",
    )
    (answer,) = answers
    check_refusal(answer, code, "")
    assert answer["request_id"] == ""


async def test_an_unknown_operation_is_answered_with_what_it_may_mean(store: Store) -> None:
    answer = await store.till.ask("payment/strat", START)
    check_refusal(answer, "unknown_operation", "")
    assert "payment/start" in answer["error"]["message"]


async def test_a_retained_start_is_refused_now_and_after_a_reconnect(store: Store) -> None:
    answer = await store.till.ask("payment/start", START, retain=True)
    try:
        check_refusal(answer, "retained_command", "")
        after = len(store.till.heard)
        await store.broker.stop()
        await store.broker.start()
        await store.till.online(after=after)
        assert store.story(PAYMENT) is None
    finally:
        await store.till.publish(ROUTE, b"", retain=True)


async def test_an_answer_to_a_foreign_topic_is_refused_at_home(store: Store) -> None:
    foreign = f"{BASE}/registers/till-2/response/payment/start"
    answer = await store.till.ask("payment/start", START, response_topic=foreign)
    check_refusal(answer, "response_topic_not_allowed", "response_topic")


async def test_a_payment_nobody_knows_can_safely_be_started(store: Store) -> None:
    answer = await store.till.ask("payment/cancel", {"payment_id": str(uuid.uuid4())})
    check_refusal(answer, "payment_not_found", "payment_id")


async def test_a_wrong_acknowledgement_and_resolution_are_refused(store: Store) -> None:
    answer = await store.till.ask("payment/resolve", {"payment_id": PAYMENT, "outcome": "paid"})
    check_refusal(answer, "invalid_request", "outcome")
    answer = await store.till.ask("payment/acknowledge", {"payment_id": PAYMENT})
    check_refusal(answer, "invalid_request", "rev")


async def test_what_was_queued_while_the_service_was_away_is_stale(shared_store: Store) -> None:
    store = shared_store
    assert store.wire is not None
    assert await store.bridge.stop() == 0
    before, ledger = len(store.wire.sent), store.terminal_ledger()
    request_id = await store.till.send("payment/start", START)
    await (
        store.start_bridge()
    )  # until it says itself that it is ready; the broker kept its old word
    check_refusal(await store.till.response(request_id), "stale_command", "")
    assert b"\x06\x01" not in bytes(store.wire.sent[before:]), "no authorization was sent"
    assert store.terminal_ledger() == ledger
    assert store.story(PAYMENT) is None


async def test_after_all_that_a_good_payment_goes_through(shared_store: Store) -> None:
    payload = json.dumps({"request_id": "r-last", **START}).encode()
    await shared_store.till.publish(ROUTE, payload)
    document = await shared_store.till.recorded(PAYMENT)
    assert document["status"] == "approved"

    def kinds() -> list[str]:
        return [one.kind for one in shared_store.terminal_ledger()]

    # The books may be quicker than the terminal, which hears of the journal at the same time.
    await shared_store.till.until(lambda: len(kinds()) > 1 or None, "the terminal's own commit")
    assert kinds() == ["approved", "committed"]

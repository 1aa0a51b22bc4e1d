from __future__ import annotations

import pytest

from bridge.register.api import (
    BridgeTopic,
    EventsTopic,
    PaymentTopic,
    ReceiptTopic,
    RegisterStateTopic,
    RequestTopic,
    ResponseTopic,
    TerminalTopic,
    Topic,
    Topics,
)

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
TOPICS = Topics("paybridge/v1")


@pytest.mark.parametrize(
    ("text", "topic", "meaning"),
    [
        (
            TOPICS.request("till-3", "payment/start"),
            "paybridge/v1/registers/till-3/request/payment/start",
            RequestTopic("till-3", "payment/start"),
        ),
        (
            TOPICS.response("till-3", "terminal/check"),
            "paybridge/v1/registers/till-3/response/terminal/check",
            ResponseTopic("till-3", "terminal/check"),
        ),
        (
            TOPICS.register_state("till-3"),
            "paybridge/v1/registers/till-3/state",
            RegisterStateTopic("till-3"),
        ),
        (
            TOPICS.events("till-3"),
            "paybridge/v1/registers/till-3/events",
            EventsTopic("till-3"),
        ),
        (
            TOPICS.payment("till-3", PAYMENT),
            f"paybridge/v1/registers/till-3/payments/{PAYMENT}",
            PaymentTopic("till-3", PAYMENT),
        ),
        (
            TOPICS.receipt("till-3", PAYMENT, "customer"),
            f"paybridge/v1/registers/till-3/receipts/{PAYMENT}/customer",
            ReceiptTopic("till-3", PAYMENT, "customer"),
        ),
        (
            TOPICS.terminal_info("counter-1"),
            "paybridge/v1/terminals/counter-1/info",
            TerminalTopic("counter-1", "info"),
        ),
        (
            TOPICS.terminal_state("counter-1"),
            "paybridge/v1/terminals/counter-1/state",
            TerminalTopic("counter-1", "state"),
        ),
        (TOPICS.bridge_state, "paybridge/v1/bridge/state", BridgeTopic("state")),
        (TOPICS.bridge_info, "paybridge/v1/bridge/info", BridgeTopic("info")),
        (TOPICS.bridge_health, "paybridge/v1/bridge/health", BridgeTopic("health")),
    ],
)
def test_topic_is_built_and_read_back(text: str, topic: str, meaning: Topic) -> None:
    assert text == topic
    assert TOPICS.parse(topic) == meaning


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "paybridge/v1",
        "paybridge/v2/registers/till-3/state",
        "paybridge/v1x/registers/till-3/state",
        "paybridge/v1/registers/Till-3/state",
        "paybridge/v1/registers/-till/state",
        "paybridge/v1/registers//state",
        "paybridge/v1/registers/till-3",
        "paybridge/v1/registers/till-3/request",
        "paybridge/v1/registers/till-3/request/",
        f"paybridge/v1/registers/{'a' * 33}/state",
        f"paybridge/v1/registers/till-3/payments/{PAYMENT.upper()}",
        f"paybridge/v1/registers/till-3/payments/{PAYMENT}/x",
        "paybridge/v1/registers/till-3/request/" + "x" * 300,
        "paybridge/v1/terminals/counter-1/secrets",
        "paybridge/v1/bridge/fence/me",
        "paybridge/v1/registers/till-3\n/state",
    ],
)
def test_foreign_topic_is_none(topic: str) -> None:
    assert TOPICS.parse(topic) is None


@pytest.mark.parametrize("operation", ["nonsense", "Payment/Start", "a/b/c", "payment/"])
def test_unknown_operation_is_still_a_request_so_that_it_gets_its_answer(operation: str) -> None:
    topic = f"paybridge/v1/registers/till-3/request/{operation}"
    assert TOPICS.parse(topic) == RequestTopic("till-3", operation)


@pytest.mark.parametrize(
    "topic",
    ["paybridge/v1/registers/till-3/response/x", "paybridge/v1/registers/till-3/inbox/thread-7"],
)
def test_register_may_have_answers_below_its_own_prefix(topic: str) -> None:
    assert TOPICS.may_answer_at("till-3", topic)


@pytest.mark.parametrize(
    "topic",
    [
        "paybridge/v1/registers/till-4/response/x",
        "paybridge/v1/registers/till-33/response/x",
        "paybridge/v1/registers/till-3",
        "paybridge/v1/registers/till-3/",
        "paybridge/v1/registers/till-3/request/payment/start",
        f"paybridge/v1/registers/till-3/payments/{PAYMENT}",
        "paybridge/v1/registers/till-3/state",
        "paybridge/v1/registers/till-3/response/#",
        "paybridge/v1/registers/till-3/response/+",
        "paybridge/v1/registers/till-3//inbox",
        "paybridge/v1/registers/till-3/inbox/",
        "paybridge/v1/registers/till-3/inbox//x",
        "paybridge/v1/registers/till-3/./inbox",
        "paybridge/v1/registers/till-3/../till-4/response/x",
        "paybridge/v1/registers/till-3/inbox/..",
        "paybridge/v1/bridge/state",
        "",
    ],
)
def test_answer_anywhere_else_is_not_allowed(topic: str) -> None:
    assert not TOPICS.may_answer_at("till-3", topic)


@pytest.mark.parametrize("base", ["", "/a", "a/", "a//b", "a/+/b", "#", "a b"])
def test_base_that_breaks_topics_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="base of topics"):
        Topics(base)


def test_id_that_could_leave_its_place_is_never_built_into_a_topic() -> None:
    with pytest.raises(AssertionError):
        TOPICS.payment("till-3/../x", PAYMENT)
    with pytest.raises(AssertionError):
        TOPICS.payment("till-3", "x")

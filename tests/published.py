"""Holds what is published to the contract: `check` a message, wherever a test comes by one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bridge.register.api import REQUESTS, RequestTopic, Topics, decode_request, encode
from bridge.register.api.published import model_at

TOPICS = Topics()
# What bridges say to themselves and to each other; no part of the contract with registers.
OWN = (f"{TOPICS.base}/bridge/fence/", f"{TOPICS.base}/bridge/authority/")
EMPTIED = (
    "payments",
    "plans",
    "receipts",
    "prompts",
    "state",
)  # retained topics that may be emptied


def check(topic: str, payload: bytes, topics: Topics = TOPICS) -> None:
    """Fail unless the contract knows the topic and the payload is, to the letter, its message.

    What the bridge publishes must come out of its model as it went in: no field is missing, none
    is unknown. What a register asks must be a command that the bridge decodes. A register's bad
    command is a test's own doing: do not check what was sent on purpose.
    """
    if topic.startswith(OWN):
        return
    if not payload:
        assert any(f"/{part}" in topic for part in EMPTIED), f"{topic} was emptied"
        return
    parsed = topics.parse(topic)
    if isinstance(parsed, RequestTopic):
        assert parsed.operation in REQUESTS, f"{topic}: there is no such command"
        decode_request(parsed.operation, payload)
        return
    model = model_at(topic, topics)
    assert model is not None, f"{topic}: the contract does not publish what is said here"
    message = model.model_validate_json(payload)
    if f"{topics.base}/registers/" in topic and topic.endswith("/state"):
        return  # a register may leave out what it does not want to say
    assert _read(encode(message)) == _read(payload), f"{topic}: not what its model would say"


def check_bridge(said: Iterable[tuple[str, bytes]], topics: Topics = TOPICS) -> None:
    """Fail unless all that the bridge published among `said`, topics with payloads, is contract.

    What registers say is left out: a test may have them say anything.
    """
    for topic, payload in said:
        match topic.removeprefix(f"{topics.base}/").split("/"):
            case ["registers", _, "request" | "state", *_]:
                continue
        try:
            check(topic, payload, topics)
        except ValueError as error:  # pydantic's too
            raise AssertionError(f"{topic}: {error}\n{payload[:500]!r}") from error


def _read(payload: bytes) -> Any:
    return json.loads(payload)

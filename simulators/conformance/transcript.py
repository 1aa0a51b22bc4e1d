"""Everything that was heard at the broker, in order. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.register.api import (
    PaymentTopic,
    RegisterStateTopic,
    RequestTopic,
    ResponseTopic,
    Topics,
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """One message; `at` is the wall clock in UTC, `scenario` what was being played.

    `retained` is true for what was published to be kept, as far as the broker tells.
    """

    topic: str
    payload: bytes
    at: datetime
    scenario: str = ""
    retained: bool = False
    qos: int = 1
    expiry_seconds: int | None = None

    @property
    def content(self) -> Json:
        """The payload's JSON object; {} for anything else."""
        try:
            found = json.loads(self.payload)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard of one register. Later messages appear by themselves."""

    heard: list[Heard]
    register_id: str
    topics: Topics

    @property
    def software(self) -> str:
        """What the register says that it runs; "" when it says nothing."""
        birth = RegisterStateTopic(self.register_id)
        names = [
            one.content.get("software")
            for one in self.heard
            if self.topics.parse(one.topic) == birth
        ]
        return next((name for name in reversed(names) if isinstance(name, str)), "")

    def requests(self, operation: str = "", *, after: int = 0) -> Iterator[Heard]:
        """Yield the register's commands; those of one operation if it is given."""
        for one in self.heard[after:]:
            match self.topics.parse(one.topic):
                case RequestTopic(self.register_id, found) if operation in {"", found}:
                    yield one

    def documents(self, payment_id: str, *, after: int = 0) -> Iterator[Json]:
        """Yield a payment's documents."""
        wanted = PaymentTopic(self.register_id, payment_id)
        for one in self.heard[after:]:
            if one.payload and self.topics.parse(one.topic) == wanted:
                yield one.content

    def responses(self, operation: str, *, after: int = 0) -> Iterator[Json]:
        """Yield the bridge's responses to one operation."""
        wanted = ResponseTopic(self.register_id, operation)
        for one in self.heard[after:]:
            if self.topics.parse(one.topic) == wanted:
                yield one.content

"""The three pages for machines, whoever serves them: /healthz, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from bridge.errors import JournalError

PULSE_SECONDS_MAX: Final = 5.0  # the journal's thread answers in milliseconds


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status of HTTP, type and body."""

    status: int
    content_type: str
    body: bytes


class Routes:
    """Answers GET. Nothing here changes anything, names a card or shows an amount.

    Args:
        pulse: Returns when the journal's thread has answered.
        ready: Why the service is not ready, in words; () while it is.
        told: How it is, in JSON's types.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        pulse: Callable[[], Awaitable[None]],
        ready: Callable[[], tuple[str, ...]],
        told: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._registry = registry
        self._pulse = pulse
        self._ready = ready
        self._told = told

    async def answer(self, path: str) -> Answer | None:
        """Return the page at `path`; None where there is none."""
        match path:
            case "/healthz":
                return await self._healthz()
            case "/readyz":
                why = self._ready()
                health = self._told()["health"]
                words = {
                    "ready": not why,
                    "why_not": list(why),
                    "can_take_payments": health["can_take_payments"],
                    "reasons": list(health["reasons"]),
                }
                return _json(503 if why else 200, words)
            case "/metrics":
                return Answer(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry))
            case _:
                return None

    async def _healthz(self) -> Answer:
        """Say whether the process lives: its loop answers, and so does the journal's thread."""
        try:
            async with asyncio.timeout(PULSE_SECONDS_MAX):
                await self._pulse()
        except TimeoutError:
            return _json(503, {"alive": False, "why_not": "the journal's thread does not answer"})
        except JournalError as error:
            return _json(503, {"alive": False, "why_not": str(error)})
        return _json(200, {"alive": True})


def _json(status: int, words: object) -> Answer:
    return Answer(status, "application/json", json.dumps(words).encode() + b"\n")

"""Cash registers of a world: they resend, duplicate, cancel, change their minds, and die.

A till knows only what the contract tells a till. It takes money for one sale after the other and
gives up no payment before it knows what became of it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulators.broker import Broker, Message

BASE = "paybridge/v1"
RESPONSE_SECONDS = 3.0  # then the same command is sent again
LOOK_SECONDS = 0.25
DOUBT_PATIENCE_SECONDS = 20.0  # then the clerk serves the next shopper
REFUSALS_MAX = 10  # then the shopper pays cash
RETRYABLE = frozenset({"same_id"})


@dataclass(frozen=True, slots=True)
class Habits:
    """How a till behaves; chances from 0 to 1 for each payment."""

    sales: int = 3
    duplicate: float = 0.1  # sends a start twice
    conflict: float = 0.1  # uses the id again for another amount
    retained: float = 0.1  # publishes a start with retain on
    expired: float = 0.1  # the first start has expired already
    cancel: float = 0.15
    late_copy: float = 0.1  # a copy of the start arrives a minute later
    die: float = 0.1  # restarts in the middle of a payment
    split: float = 0.15  # two payments for one sale
    same_amount: float = 0.7  # this sale costs what the last one cost
    acknowledge: float = 0.6


@dataclass(slots=True)
class Attempt:
    """One payment as its till knows it."""

    payment_id: str
    sale_id: str
    amount_minor: int
    total_minor: int
    response: dict[str, Any] | None = None
    document: dict[str, Any] | None = None
    override: bool = False

    @property
    def status(self) -> str:
        return str(self.document["status"]) if self.document else ""

    @property
    def is_over(self) -> bool:
        return bool(self.document and self.document["final"])


@dataclass(slots=True)
class Till:
    """One register at one terminal."""

    name: str
    terminal_id: str
    broker: Broker
    rng: random.Random
    habits: Habits
    now: Callable[[], datetime]  # the till's wall clock
    asks: Callable[[str, int, str, str], None]
    tell: Callable[[str], None]
    closing: bool = False  # no new sale is begun
    idle: bool = False
    attempts: dict[str, Attempt] = field(default_factory=dict)
    epoch: str = ""
    _number: int = 0
    _requests: int = 0
    _last_amount: int = 0
    _deaf: bool = False
    _stop: list[Callable[[], None]] = field(default_factory=list)

    async def run(self) -> None:
        """Sell, then wait for open payments."""
        self._listen()
        self._say_state("online")
        for number in range(1, self.habits.sales + 1):
            await asyncio.sleep(self.rng.uniform(0.5, 12))
            if self.closing:
                break
            await self._sell(f"{self.name}-{number}")
        self.idle = True

    # --- one sale

    async def _sell(self, sale_id: str) -> None:
        rng = self.rng
        total = rng.randint(100, 9_999)
        if self._last_amount and rng.random() < self.habits.same_amount:
            total = self._last_amount
        self._last_amount = total
        parts = [total]
        if rng.random() < self.habits.split:
            parts = [total // 3, total - total // 3]
        for part in parts:
            for _ in range(3):  # a shopper tries at most three cards
                attempt = self._new_attempt(sale_id, part, total)
                await self._pay(attempt)
                if attempt.status not in {"declined", "canceled", "failed"}:
                    break
                if self.closing:
                    return
            if attempt.status != "approved":
                return

    def _new_attempt(self, sale_id: str, amount: int, total: int) -> Attempt:
        self._number += 1
        number = int(self.name.rpartition("-")[2]) * 1000 + self._number
        attempt = Attempt(f"00000000-0000-7000-8000-{number:012d}", sale_id, amount, total)
        self.attempts[attempt.payment_id] = attempt
        return attempt

    async def _pay(self, attempt: Attempt) -> None:
        rng, habits = self.rng, self.habits
        self._mischief(attempt)
        if not await self._get_started(attempt):
            return
        if rng.random() < habits.conflict:
            self._start(attempt, amount=attempt.amount_minor + 1)
        if rng.random() < habits.late_copy:
            loop = asyncio.get_running_loop()
            loop.call_later(rng.uniform(20, 90), self._start, attempt)
        cancel_at = rng.uniform(0.2, 8) if rng.random() < habits.cancel else None
        die_at = rng.uniform(0.2, 5) if rng.random() < habits.die else None
        await self._watch(attempt, cancel_at, die_at)
        if attempt.is_over and rng.random() < habits.acknowledge:
            assert attempt.document is not None
            self._send(
                "payment/acknowledge",
                {"payment_id": attempt.payment_id, "rev": attempt.document["rev"]},
            )

    def _mischief(self, attempt: Attempt) -> None:
        rng, habits = self.rng, self.habits
        if rng.random() < habits.expired:
            self._start(attempt, expires_in=-rng.uniform(1, 30))
        if rng.random() < habits.retained:
            self._start(attempt, retain=True)

    async def _get_started(self, attempt: Attempt) -> bool:
        """Send until it is taken or refused for good; say whether it was taken."""
        refusals = 0
        while True:
            attempt.response = None
            self._start(attempt, guard=True)
            if self.rng.random() < self.habits.duplicate:
                self._start(attempt, guard=True)
            await self._wait(lambda: attempt.response or attempt.document, RESPONSE_SECONDS)
            if attempt.document is not None:
                return True
            response = attempt.response
            if response is None:
                continue
            if response["status"] == "accepted":
                return True
            error = response["error"]
            refusals += 1
            if error["retry"] not in RETRYABLE or refusals > REFUSALS_MAX or self.closing:
                self.tell(f"gives up {attempt.payment_id[-4:]}: {error['code']}")
                return False
            await asyncio.sleep(self.rng.uniform(1, 6))

    async def _watch(self, attempt: Attempt, cancel_at: float | None, die_at: float | None) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        asked_at = began
        while not attempt.is_over:
            await self._wait(lambda: attempt.is_over, LOOK_SECONDS * 4)
            waited = loop.time() - began
            if cancel_at is not None and waited >= cancel_at:
                cancel_at = None
                self._send("payment/cancel", {"payment_id": attempt.payment_id})
            if die_at is not None and waited >= die_at:
                die_at = None
                await self._die(attempt)
            if loop.time() - asked_at >= 30:
                asked_at = loop.time()
                self._send("payment/status", {"payment_id": attempt.payment_id, "refresh": True})
            if attempt.status == "in_doubt" and waited >= DOUBT_PATIENCE_SECONDS:
                return

    async def _die(self, attempt: Attempt) -> None:
        """Lose power and come back with nothing but the payment's id."""
        self.tell("dies")
        for stop in self._stop:
            stop()
        self._stop.clear()
        if self.rng.random() < 0.5:
            self._say_state("offline")
        attempt.document = attempt.response = None
        await asyncio.sleep(self.rng.uniform(1, 15))
        self.tell("is back")
        self._listen()
        self._say_state("online")
        await self._wait(lambda: attempt.document, 1.0)
        if attempt.document is None:
            await self._get_started(attempt)

    async def _wait(self, done: Callable[[], object], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not done() and loop.time() < until:  # noqa: ASYNC110 - a person who looks
            await asyncio.sleep(LOOK_SECONDS)

    # --- words

    def _listen(self) -> None:
        prefix = f"{BASE}/registers/{self.name}/"
        self._stop.append(self.broker.listen(prefix, self._hear))
        self._stop.append(self.broker.listen(f"{BASE}/bridge/state", self._hear_bridge))

    def _hear_bridge(self, message: Message) -> None:
        if message.payload:
            self.epoch = json.loads(message.payload).get("epoch") or ""

    def _hear(self, message: Message) -> None:
        kind = message.topic.split("/")[4]
        if kind not in {"payments", "response"} or not message.payload:
            return
        content = json.loads(message.payload)
        attempt = self.attempts.get(content.get("payment_id") or "")
        if attempt is None:
            return
        if kind == "payments":
            if attempt.document is None or content["rev"] >= attempt.document["rev"]:
                attempt.document = content
        elif content["op"] == "payment/start" and not content["request_id"].endswith("!"):
            attempt.response = content

    def _start(
        self,
        attempt: Attempt,
        *,
        amount: int | None = None,
        guard: bool = False,
        retain: bool = False,
        expires_in: float | None = None,
    ) -> None:
        amount = attempt.amount_minor if amount is None else amount
        body: dict[str, Any] = {
            "payment_id": attempt.payment_id,
            "terminal_id": self.terminal_id,
            "sale_id": attempt.sale_id,
            "amounts": {"currency": "EUR", "requested_amount": euros(amount)},
            "sale": {
                "total_amount": euros(attempt.total_minor),
                "lines": [
                    {
                        "item_id": 1,
                        "product_code": "SKU-1",
                        "quantity": "1",
                        "unit_price": euros(attempt.total_minor),
                        "item_amount": euros(attempt.total_minor),
                    }
                ],
            },
        }
        choice = self.rng.random()
        if guard and choice < 0.4:
            expires_in = self.rng.uniform(5, 20)
        elif guard and choice < 0.7 and self.epoch:
            body["bridge_epoch"] = self.epoch
        if expires_in is not None:
            body["expires_at"] = iso(self.now() + timedelta(seconds=expires_in))
        # What is not the till's own wish is marked, so that its answer is not taken for one.
        mark = "" if guard else "!"
        self.asks(attempt.payment_id, amount, attempt.sale_id, self._next_request(mark))
        self._send("payment/start", body, retain=retain, mark=mark)

    def _send(
        self, operation: str, body: dict[str, Any], *, retain: bool = False, mark: str = ""
    ) -> None:
        body = {"request_id": self._next_request(mark), **body}
        self._requests += 1
        topic = f"{BASE}/registers/{self.name}/request/{operation}"
        self.tell(f"sends {operation} {body.get('payment_id', '')[-4:]} {'retained' * retain}")
        self.broker.send(Message(topic, json.dumps(body).encode(), retain=retain))

    def _next_request(self, mark: str) -> str:
        return f"{self.name}-{self._requests}{mark}"

    def _say_state(self, state: str) -> None:
        topic = f"{BASE}/registers/{self.name}/state"
        self.broker.send(Message(topic, json.dumps({"state": state}).encode(), retain=True))


def euros(minor: int) -> str:
    """Return cents as the contract writes them."""
    return f"{minor // 100}.{minor % 100:02d}"


def iso(moment: datetime) -> str:
    """Return a moment as the contract writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

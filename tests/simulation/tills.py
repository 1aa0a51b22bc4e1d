"""Cash registers of a world: they resend, duplicate, cancel, change their minds, and die.

A till knows only what the contract tells a till. It serves one shopper after the other and gives
up no payment before it knows what became of it. What it sells stands in `trades.py`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulators.broker import Broker, Message
from tests.simulation.attempts import Attempt, amounts

BASE = "paybridge/v1"
RESPONSE_SECONDS = 3.0  # then the same command is sent again
LOOK_SECONDS = 0.25
DOUBT_PATIENCE_SECONDS = 20.0  # then the clerk serves the next shopper
PATIENCE_SECONDS_MAX = 200.0  # a plan whose holds cannot be ended is nothing to wait for
FLOOD_COMMANDS = 80
REFUSALS_MAX = 10  # then the shopper pays cash
RETRYABLE = frozenset({"same_id"})


@dataclass(frozen=True, slots=True)
class Habits:
    """How a till behaves; chances from 0 to 1 for each payment."""

    sales: int = 3
    pause_seconds: float = 12.0  # at most, between two shoppers
    old_id: float = 0.0  # uses the id of a payment of long ago for another one
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
    flood: float = 0.0  # sends far more commands than can wait, around its start
    answer: float = 0.7  # answers a question
    signature_right: float = 0.6


@dataclass(slots=True)
class Till:
    """One register at one terminal."""

    name: str
    terminal_id: str
    broker: Broker
    rng: random.Random
    habits: Habits
    now: Callable[[], datetime]  # the till's wall clock
    serve: Callable[[Till, str], Awaitable[None]]  # one shopper, whose sale has this id
    asks: Callable[[Attempt, int, str], None]
    tell: Callable[[str], None]
    closing: bool = False  # no new sale is begun
    idle: bool = False
    attempts: dict[str, Attempt] = field(default_factory=dict)
    signatures: dict[str, bool] = field(default_factory=dict)  # payment -> is it the shopper's
    epoch: str = ""
    _number: int = 0
    _requests: int = 0
    last_amount: int = 0
    _deaf: bool = False
    _stop: list[Callable[[], None]] = field(default_factory=list)

    async def run(self) -> None:
        """Serve the shoppers, then close."""
        self._listen()
        self._say_state("online")
        for number in range(1, self.habits.sales + 1):
            await asyncio.sleep(self.rng.uniform(0.5, self.habits.pause_seconds))
            if self.closing:
                break
            await self.serve(self, f"{self.name}-{number}")
            if self.rng.random() < self.habits.old_id:
                self._use_an_old_id()
        self.idle = True

    # --- one payment

    def attempt(
        self,
        sale_id: str,
        minor: int,
        content: dict[str, Any],
        operation: str = "payment/start",
    ) -> Attempt:
        """Return a new payment that nobody was asked for yet."""
        self._number += 1
        number = int(self.name.rpartition("-")[2]) * 1000 + self._number
        payment_id = f"00000000-0000-7000-8000-{number:012d}"
        made = Attempt(payment_id, sale_id, minor, content, operation)
        self.attempts[payment_id] = made
        return made

    async def pay(self, attempt: Attempt) -> None:
        """Have a payment made and see what becomes of it."""
        if await self.begin(attempt):
            await self.follow(attempt)

    async def begin(self, attempt: Attempt) -> bool:
        """Say whether a payment was taken; before, some tills send what nobody may act upon."""
        self._mischief(attempt)
        return await self._get_started(attempt)

    async def follow(self, attempt: Attempt) -> None:
        """See what becomes of a payment that was taken, and be a nuisance meanwhile."""
        rng, habits = self.rng, self.habits
        if rng.random() < habits.conflict:
            self._start(attempt, amount=attempt.amount_minor + 1)
        if rng.random() < habits.late_copy:
            loop = asyncio.get_running_loop()
            loop.call_later(rng.uniform(20, 90), self._start, attempt)
        cancel_at = rng.uniform(0.2, 8) if rng.random() < habits.cancel else None
        die_at = rng.uniform(0.2, 5) if rng.random() < habits.die else None
        await self._watch(attempt, cancel_at, die_at)
        if attempt.is_over and rng.random() < habits.acknowledge:
            for one in attempt.documents():
                told = {"payment_id": one["payment_id"], "rev": one["rev"]}
                self.send("payment/acknowledge", told)

    def _flood(self, attempt: Attempt) -> None:
        """Send what no person can, copies of the start among it."""
        for number in range(FLOOD_COMMANDS):
            if number % 20 == 19:
                self._start(attempt)
            else:
                self.send("payment/status", {"payment_id": attempt.payment_id})

    def _use_an_old_id(self) -> None:
        """Ask for another payment, or a plan, under an id that was used long ago."""
        old = next(iter(self.attempts.values()))
        if old.is_over and not old.is_plan:
            self._start(old, amount=old.amount_minor + 1)

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
            floods = self.habits.flood and not refusals and self.rng.random() < self.habits.flood
            if floods:
                self._flood(attempt)
            self._start(attempt, guard=True)
            if floods:
                self._flood(attempt)
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
                self.send("payment/cancel", {"payment_id": attempt.payment_id})
            if die_at is not None and waited >= die_at:
                die_at = None
                await self._die(attempt)
            if loop.time() - asked_at >= 30:
                asked_at = loop.time()
                self.send("payment/status", {"payment_id": attempt.payment_id, "refresh": True})
            if attempt.status == "in_doubt" and waited >= DOUBT_PATIENCE_SECONDS:
                return
            if waited >= PATIENCE_SECONDS_MAX:
                return

    async def _die(self, attempt: Attempt) -> None:
        """Lose power and come back with nothing but the payment's id."""
        self.tell("dies")
        for stop in self._stop:
            stop()
        self._stop.clear()
        if self.rng.random() < 0.5:
            self._say_state("offline")
        attempt.forget()
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
        if kind not in {"payments", "response", "prompts"} or not message.payload:
            return
        content = json.loads(message.payload)
        if kind == "prompts":
            self._judge_signature(content)
            return
        attempt = self.attempts.get(content.get("plan_id") or content.get("payment_id") or "")
        if attempt is None:
            return
        if kind == "payments":
            attempt.hear(content)
        elif content["op"] == attempt.operation and not content["request_id"].endswith("!"):
            attempt.response = content

    def _judge_signature(self, prompt: dict[str, Any]) -> None:
        """Answer a question about a signature, the same again if it is asked again, or not."""
        if prompt["payment_id"] not in self.signatures:
            self.signatures[prompt["payment_id"]] = self.rng.random() < self.habits.signature_right
        if self.rng.random() < self.habits.answer:
            right = self.signatures[prompt["payment_id"]]
            answer = {"prompt_id": prompt["prompt_id"], "answer": {"confirmed": right}}
            loop = asyncio.get_running_loop()
            loop.call_later(self.rng.uniform(0.5, 8), self.send, "prompt/answer", answer)

    def _start(
        self,
        attempt: Attempt,
        *,
        amount: int | None = None,
        guard: bool = False,
        retain: bool = False,
        expires_in: float | None = None,
    ) -> None:
        body = {"payment_id": attempt.payment_id, **attempt.content}
        if amount is not None and "amounts" in body:
            body["amounts"] = amounts(amount)
        choice = self.rng.random()
        if guard and choice < 0.4:
            expires_in = self.rng.uniform(5, 20)
        elif guard and choice < 0.7 and self.epoch:
            body["bridge_epoch"] = self.epoch
        if expires_in is not None:
            body["expires_at"] = iso(self.now() + timedelta(seconds=expires_in))
        # What is not the till's own wish is marked, so that its answer is not taken for one.
        mark = "" if guard else "!"
        amount = attempt.amount_minor if amount is None else amount
        self.asks(attempt, amount, self._next_request(mark))
        self.send(attempt.operation, body, retain=retain, mark=mark)

    def send(
        self, operation: str, body: dict[str, Any], *, retain: bool = False, mark: str = ""
    ) -> None:
        """Publish a command."""
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


def iso(moment: datetime) -> str:
    """Return a moment as the contract writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

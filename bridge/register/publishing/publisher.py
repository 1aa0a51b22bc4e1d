"""Publishes what the ledger and the stations show: documents, states, receipts, health.

Nothing is dropped because the broker is away: everything retained is published again after each
connection, from the ledger, since a broker without persistence comes back empty.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from bridge.errors import BusError, MessageBreaks, MessageRefused
from bridge.money import payment as p
from bridge.money.holds import expires_at
from bridge.money.ledger import Ledger
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from bridge.register.outbox import Outbox
from bridge.register.publishing.clerk_display import ANYTHING, Means
from bridge.register.publishing.countdown import seconds_left
from bridge.register.publishing.document_retention import to_retire
from bridge.register.publishing.event_stream import Stream
from bridge.register.publishing.holds import Notice, must_stay, notice
from bridge.register.publishing.payment_document import payment_document
from bridge.register.publishing.plan_document import plan_document
from bridge.register.publishing.signature_prompt import prompt_document
from bridge.register.publishing.sources import Bus, Signatures, SplitPayments, StatusDocuments
from bridge.register.receipts.receipt_documents import receipt_documents
from bridge.register.receipts.receipt_text import PLAIN, ReceiptStyle
from drivers.contract import Stage

_LOGGER = logging.getLogger(__name__)

HEALTH_SECONDS = 30.0  # the contract's rhythm
DOCUMENT_AGE_MAX = timedelta(hours=24)  # an unacknowledged document is kept this long
# MQTT 5: a broker that outlives the bridge forgets documents by itself, a day after we would.
DOCUMENT_EXPIRY_SECONDS = 48 * 3600
# Progress, responses and events wait this long for each other, and let the terminal go first; no
# cashier sees the difference. Outcomes wait for nothing.
NEWS_SECONDS = 0.05
PASSING = frozenset({p.Status.QUEUED, p.Status.IN_PROGRESS, p.Status.CANCELING})
RECEIPT_COPIES = frozenset({"customer", "merchant", "signature", "administration"})
# What health says that changes with the clock alone: news of it can wait for the rhythm.
MOVES_BY_ITSELF: dict[str, Any] = {
    "time": True,
    "uptime_s": True,
    "journal": {"path_free_mb", "log_mb"},
    "recording": {"oldest_pending_s"},
}
NO_LIMITS: Mapping[Stage, float] = MappingProxyType({})
NO_TERMINALS: Mapping[str, Mapping[Stage, float]] = MappingProxyType({})
NO_DAYS: Mapping[str, int] = MappingProxyType({})
NO_MEANS: Mapping[str, Means] = MappingProxyType({})
# Who finds the bridge's state overwritten publishes everything again; not more often than this, so
# that two who fight about it leave the broker some air.
DEFEND_SECONDS = 5.0
BREAKS_MAX = 3  # connections in a row; a broker that restarts breaks one
OLD_TOGETHER = 8  # documents of before that are published in one turn, some 10 ms
LEFT_OUT_MAX = 1_000  # messages that are known to be poison
HOLD_WORDS = {"soon": "ends within a day", "over": "may have ended"}
AWAY_SECONDS = 0.5  # how long to wait after the broker refused a publish


@dataclass(slots=True)
class _Told:
    """What was published since the connection was made."""

    connections: int = 0
    states: dict[str, bytes] = field(default_factory=dict)  # by topic
    documents: dict[str, k.Wire] = field(default_factory=dict)  # as they were made, by topic
    receipts: dict[str, bytes] = field(default_factory=dict)  # by topic
    prompts: dict[str, bytes] = field(default_factory=dict)  # by topic
    health: dict[str, Any] = field(default_factory=dict)  # but for what moves by itself
    refused: dict[str, None] = field(default_factory=dict)  # topics, each is logged once


@dataclass(frozen=True, slots=True)
class _Breaks:
    """How many connections in a row broke while one and the same message was under way."""

    topic: str = ""
    payload: bytes = b""
    connection: int = 0
    count: int = 0


_NO_BREAKS = _Breaks()


class Publisher:
    """One task that publishes what changed, in the order it changed."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        outbox: Outbox,
        status: StatusDocuments,
        topics: k.Topics,
        *,
        terminal_names: Mapping[str, str],
        signatures: Signatures,
        receipt_style: ReceiptStyle = PLAIN,
        hold_days: Mapping[str, int] = NO_DAYS,
        now: Callable[[], datetime],
        stage_seconds: Mapping[str, Mapping[Stage, float]] = NO_TERMINALS,
        means: Mapping[str, Means] = NO_MEANS,
        last_seq: int = 0,
        clock_is_steady: Callable[[], bool] = lambda: True,
        plans: SplitPayments | None = None,
    ) -> None:
        """Publish below `topics`.

        `now` is the wall clock in UTC, `last_seq` the journal's last entry at the start,
        `stage_seconds` how long a shopper may stay in a stage, by terminal, where that is limited,
        `means` what each terminal can be asked for, `hold_days` how many days a hold stands there.
        """
        self._bus = bus
        self._ledger = ledger
        self._outbox = outbox
        self._status = status
        self._topics = topics
        self._terminal_names = terminal_names
        self._signatures = signatures
        self._receipt_style = receipt_style
        self._hold_days = hold_days
        self._now = now
        self._clock_is_steady = clock_is_steady
        self._plans = plans
        self._plan_parts: dict[str, p.PaymentRequest] = {}  # one of each published plan, by its id
        self._stage_seconds = stage_seconds
        self._means = means
        self._told = _Told()
        self._since = k.format_time(now())
        self._stream = Stream(last_seq, self._since)
        self._due: dict[str, None] = {}  # payments whose outcome must be told, in order
        self._news: dict[str, None] = {}  # payments with other news
        self._old: dict[str, None] = {}  # what lay at the broker before this connection
        self._streams: dict[str, None] = {}  # payments whose events and receipts are to follow
        self._places: Mapping[str, int] = {}  # in the queues of terminals, as published
        self._hold_notices: dict[str, Notice] = {}  # as published
        self._news_at: float | None = None  # when what can wait will have waited
        self._health_at = 0.0
        self._breaks = _NO_BREAKS
        self._left_out: dict[str, bytes] = {}  # what the broker will never take, by topic
        self._defended_at = float("-inf")
        self._said_goodbye = False

    async def run(self) -> None:
        """Publish for ever."""
        changed = self._ledger.payments.something_changed
        loop = asyncio.get_running_loop()
        for account in self._ledger.payments.in_memory():
            self._stream.skip(account)  # they were recovered
        while True:
            times = [at for at in (self._health_at, self._news_at) if at is not None]
            until = loop.time() if self._old and self._outbox.connection else min(times)
            try:
                async with asyncio.timeout_at(until):
                    await changed.wait()
            except TimeoutError:
                pass
            self._collect()
            if self._outbox.connection is None:
                self._health_at = loop.time() + HEALTH_SECONDS
                self._news_at = None
                continue
            self._defend()
            try:
                await self._introduce()
                await self._publish_outcomes()
                if loop.time() >= min(self._news_at or self._health_at, self._health_at):
                    self._news_at = None
                    await self._publish_news()
                await self._publish_old()
            except BusError as error:
                _LOGGER.debug("publishing waits reason=%s", error)
                await asyncio.sleep(AWAY_SECONDS)
                changed.set()

    async def say(self, state: k.BridgeState) -> None:
        """Publish the bridge's state now, e.g. the last one before a clean stop.

        Raises:
            BusError: The broker is away; its will speaks for us.
        """
        self._said_goodbye = state.state == "offline"
        await self._bus.publish(self._topics.bridge_state, k.encode(state), retain=True)

    def _defend(self) -> None:
        """Have everything published again where somebody else published the bridge's state.

        It may be the will of another bridge, or our own of a connection that is no more.
        """
        if not self._outbox.state_overwritten:
            return
        now = asyncio.get_running_loop().time()
        if now < self._defended_at + DEFEND_SECONDS:
            self._health_at = min(self._health_at, self._defended_at + DEFEND_SECONDS)
            return
        self._outbox.state_overwritten = False
        if not self._said_goodbye:
            self._defended_at = now
            self._told.connections = 0
            _LOGGER.warning("the bridge's retained state was overwritten; publishing it again")

    def _collect(self) -> None:
        """Take note of what changed since the last call: outcomes at once, the rest soon."""
        for payment_id in (*self._ledger.payments.take_changed(), *self._outbox.to_show):
            account = self._ledger.payments.get_stored(payment_id)
            urgent = account is None or account.payment.status not in PASSING
            (self._due if urgent else self._news)[payment_id] = None
        self._outbox.to_show.clear()
        positions = self._outbox.places()
        moved = {name for name, place in positions.items() if self._places.get(name) != place}
        self._news |= dict.fromkeys(moved)
        self._places = positions
        if self._news_at is None:
            self._news_at = asyncio.get_running_loop().time() + NEWS_SECONDS

    async def _publish_news(self) -> None:
        """Publish everything that is not an outcome: progress, responses, events, states."""
        while self._news:
            payment_id = next(iter(self._news))
            try:
                await self._publish_document(payment_id)
            except BusError:
                self._news[payment_id] = None
                raise
        for request in tuple(self._plan_parts.values()):
            await self._publish_plan(request)  # a plan may end although no part of it changed
        while len(self._outbox.responses):
            await self._publish_outcomes()
            await self._publish_response()
        while self._streams:
            payment_id = next(iter(self._streams))
            del self._streams[payment_id]  # what is told meanwhile puts it there again
            account = self._ledger.payments.get_stored(payment_id)
            if account is None:
                continue
            try:
                await self._publish_events(account)
                await self._publish_receipts(account)
            except BusError:
                self._streams[payment_id] = None
                raise
        await self._publish_terminal_states()
        for terminal_id, info in self._status.terminal_infos().items():
            await self._publish_state(self._topics.terminal_info(terminal_id), info)
        for terminal_id, document in self._outbox.ends_of_day.items():
            await self._publish_state(self._topics.terminal_reconciliation(terminal_id), document)
        acknowledged = [self._ledger.payments.get(name) for name in self._outbox.acknowledged]
        self._outbox.acknowledged.clear()
        for account in acknowledged:
            if account is None or not account.live or not account.payment.is_settled:
                continue
            if not self._stays(account):
                await self._retire(account)
        due = asyncio.get_running_loop().time() >= self._health_at
        if due:
            await self._retire_old()
        health = self._status.health()
        facts = health.model_dump(exclude=MOVES_BY_ITSELF)
        if due or facts != self._told.health:
            self._look_at_holds()  # health may have begun to name one: its document says so, too
            self._health_at = asyncio.get_running_loop().time() + HEALTH_SECONDS
            await self._publish_state(self._topics.bridge_health, health)
            self._told.health = facts

    async def _publish_outcomes(self) -> None:
        """Publish the documents with an outcome, those that came meanwhile included.

        Where they do not come to an end (ten thousand purchases are being recorded), responses and
        the states of terminals go out between them.
        """
        self._collect()
        while self._due:
            payment_id = next(iter(self._due))
            await self._publish_document(payment_id)
            self._due.pop(payment_id, None)
            self._collect()
            if asyncio.get_running_loop().time() >= (self._news_at or math.inf):
                await self._publish_response()
                await self._publish_terminal_states()

    async def _publish_response(self) -> None:
        """Publish the response that is next in turn, if there is one."""
        message = self._outbox.responses.first()
        if message is not None:
            await self._publish(message.topic, message.payload, correlation=message.correlation)
            self._outbox.sent(message)

    async def _publish_terminal_states(self) -> None:
        """Publish how the terminals are whose state has changed."""
        for terminal_id, state in self._status.terminal_states().items():
            await self._publish_state(self._topics.terminal_state(terminal_id), state, at_once=True)

    async def _publish_old(self) -> None:
        """Publish again some documents of before this connection: everything else goes first.

        Their receipts go with them. It is one at least, whatever else there is to do: a day's
        bookings must not keep them away for the day.
        """
        changed = self._ledger.payments.something_changed
        for number in range(OLD_TOGETHER):
            if not self._old or (number and changed.is_set()):
                return
            payment_id = next(iter(self._old))
            await self._publish_document(payment_id)
            account = self._ledger.payments.get_stored(payment_id)
            if account is not None:
                await self._publish_events(account)
                await self._publish_receipts(account)
            self._streams.pop(payment_id, None)

    async def _publish_document(self, payment_id: str) -> None:
        # It says more than any progress before it, which need not be told on its own any more.
        self._news.pop(payment_id, None)
        self._old.pop(payment_id, None)
        account = self._ledger.payments.get_stored(payment_id)
        if account is not None and account.live:
            await self._publish_payment(account)
            await self._publish_prompt(account)
            plan = account.payment.request.plan
            if plan is not None:
                self._plan_parts[plan.plan_id] = account.payment.request
                await self._publish_plan(account.payment.request)
            self._streams[payment_id] = None

    async def _send_later(
        self, topic: str, payload: bytes, correlation: bytes | None = None, *, retain: bool = False
    ) -> None:
        """Publish what is less urgent than any outcome: a cashier waits for those."""
        await self._publish_outcomes()
        await self._publish(topic, payload, retain=retain, correlation=correlation)

    async def _introduce(self) -> None:
        """After each connection: who we are, then every retained document again."""
        connection = self._outbox.connection
        assert connection is not None, "introduced only when connected"
        if self._told.connections == self._outbox.connections:
            return
        connections = self._outbox.connections
        self._told = _Told()
        state = self._status.bridge_state(connection.epoch)
        await self._publish_state(self._topics.bridge_state, state)
        await self._publish_state(self._topics.bridge_info, self._status.bridge_info())
        live = [one for one in self._ledger.payments.in_memory() if one.live]
        self._due = {one.payment_id: None for one in live if not one.payment.is_final}
        self._old = {one.payment_id: None for one in live if one.payment.is_final}
        self._health_at = 0.0
        self._told.connections = connections

    async def _publish_state(self, topic: str, document: k.Wire, *, at_once: bool = False) -> None:
        if self._told.documents.get(topic) is document:
            return
        payload = k.encode(document)
        if self._told.states.get(topic) != payload:
            if at_once:
                await self._publish(topic, payload, retain=True)
            else:
                await self._send_later(topic, payload, retain=True)
            self._told.states[topic] = payload
        self._told.documents[topic] = document

    async def _publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_seconds: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Publish, or let go of what the broker will never take: others must not wait for it.

        What is retained is tried again with its next change, and after the next connection.

        Raises:
            BusError: The broker is away.
        """
        if self._left_out.get(topic) == payload:
            return
        try:
            await self._bus.publish(
                topic,
                payload,
                retain=retain,
                expiry_seconds=expiry_seconds,
                correlation=correlation,
            )
        except MessageBreaks as error:
            self._leave_out(topic, payload, str(error))
            raise
        except MessageRefused as error:
            self._complain(topic, len(payload), error)
        except BusError as error:
            if self._broke_again(topic, payload):
                text = f"the connection broke {BREAKS_MAX} times with this message ({error})"
                self._leave_out(topic, payload, text)
            raise
        self._breaks = _NO_BREAKS

    def _broke_again(self, topic: str, payload: bytes) -> bool:
        """Count connections that broke while one and the same message was under way."""
        connection, last = self._outbox.connections, self._breaks
        if (last.topic, last.payload) != (topic, payload):
            last = _NO_BREAKS
        if last.connection != connection:
            last = _Breaks(topic, payload, connection, last.count + 1)
        self._breaks = last
        return last.count >= BREAKS_MAX

    def _leave_out(self, topic: str, payload: bytes, why: str) -> None:
        """Never send this message again: nothing else would reach anybody any more."""
        if len(self._left_out) >= LEFT_OUT_MAX:
            self._left_out.pop(next(iter(self._left_out)))
        self._left_out[topic] = payload
        _LOGGER.error("topic=%s bytes=%d left out: %s", topic, len(payload), why)

    def _complain(self, topic: str, size: int, error: MessageRefused) -> None:
        if topic not in self._told.refused:
            _LOGGER.error("topic=%s bytes=%d left out: %s", topic, size, error)
            self._told.refused[topic] = None

    async def _publish_payment(self, account: PaymentRecord) -> None:
        request = account.payment.request
        document = payment_document(
            account,
            remaining=self._ledger.payments.remaining(account),
            purchase=self._ledger.payments.purchase_of(account.payment_id),
            terminal_name=self._terminal_names.get(request.terminal_id, request.terminal_id),
            style=self._receipt_style,
            position=self._outbox.places().get(account.payment_id, 0),
            topics=self._topics,
            countdown_seconds=seconds_left(
                account,
                now=self._now(),
                stage_seconds=self._stage_seconds.get(request.terminal_id, NO_LIMITS),
                expires_at=self._signatures.policy.expires_at(account),
            ),
            next_check_at=self._next_check_at(account),
            means=self._means.get(request.terminal_id, ANYTHING),
            hold_expires_at=expires_at(account, self._hold_days),
            hold_notice=notice(account, self._hold_days, self._now()),
        )
        topic = self._topics.payment(request.register_id, request.payment_id)
        await self._publish(
            topic, k.encode(document), retain=True, expiry_seconds=DOCUMENT_EXPIRY_SECONDS
        )

    def _next_check_at(self, account: PaymentRecord) -> datetime | None:
        """Return when the terminal is asked about a doubt again, at the latest."""
        if account.payment.doubt is None:
            return None
        queue = self._ledger.work(account.payment.request.terminal_id)
        due_at = queue.due_of(account.payment_id, p.AskTerminal)
        if due_at is None:
            return None
        seconds = max(due_at - asyncio.get_running_loop().time(), 0.0)
        return self._now() + timedelta(seconds=seconds)

    async def _publish_prompt(self, account: PaymentRecord) -> None:
        """Ask the cashier, or take the question away: also one of the process before."""
        payment, request = account.payment, account.payment.request
        if payment.signature is None:
            return
        payload = b""
        if payment.signature_is_asked:
            policy = self._signatures.policy
            document = prompt_document(
                payment,
                expires_at=policy.expires_at(account),
                unanswered_stands=policy.unanswered_stands,
                can_void=self._signatures.can_void(request.terminal_id),
            )
            payload = k.encode(document)
        topic = self._topics.prompt(request.register_id, k.prompt_id(request.payment_id))
        if self._told.prompts.get(topic) != payload:
            await self._publish(topic, payload, retain=True, expiry_seconds=DOCUMENT_EXPIRY_SECONDS)
            self._told.prompts[topic] = payload

    async def _publish_events(self, account: PaymentRecord) -> None:
        """Tell what is new of a payment as a stream, for those who like streams."""
        self._stream.collect(account)
        while self._stream.waiting:
            register_id, event = self._stream.waiting[0]
            await self._send_later(self._topics.events(register_id), k.encode(event))
            if self._stream.waiting and self._stream.waiting[0][1] is event:
                self._stream.waiting.popleft()

    async def _publish_receipts(self, account: PaymentRecord) -> None:
        if not account.payment.is_final or not account.live:
            return
        request = account.payment.request
        documents = receipt_documents(account, self._receipt_style)
        for copy in sorted(RECEIPT_COPIES - set(documents)):
            # The terminal's own came late: it takes the place of all of ours.
            topic = self._topics.receipt(request.register_id, request.payment_id, copy)
            # What the process before had published is not known.
            unknown = None if account.created_at < self._since else b""
            if self._told.receipts.get(topic, unknown) != b"":
                await self._send_later(topic, b"", retain=True)
                self._told.receipts[topic] = b""
        for copy, receipt in documents.items():
            topic = self._topics.receipt(request.register_id, request.payment_id, copy)
            payload = k.encode(receipt)
            if self._told.receipts.get(topic) != payload:
                await self._send_later(topic, payload, retain=True)
                self._told.receipts[topic] = payload

    async def _retire_old(self) -> None:
        """Empty the topics of payments that are not published any more."""
        steady = self._clock_is_steady()
        oldest_kept = k.format_time(self._now() - DOCUMENT_AGE_MAX) if steady else ""
        accounts = self._ledger.payments.in_memory()
        for account in tuple(to_retire(accounts, oldest_kept=oldest_kept, stays=self._stays)):
            await self._retire(account)

    def _stays(self, account: PaymentRecord) -> bool:
        """Say whether a document waits for somebody, although it could go by its age."""
        asked_at = self._outbox.asked_back.get(account.payment_id)
        if asked_at is not None:
            age = asyncio.get_running_loop().time() - asked_at
            if age < DOCUMENT_AGE_MAX.total_seconds():
                return True
            del self._outbox.asked_back[account.payment_id]
        return must_stay(account, self._hold_days, self._now())

    def _look_at_holds(self) -> None:
        """Have the documents of holds told again that end soon, or may have ended."""
        now = self._now()
        found = {
            one.payment_id: notice(one, self._hold_days, now)
            for one in self._ledger.payments.held()
            if one.live
        }
        for name, said in found.items():
            if said and said != self._hold_notices.get(name):
                _LOGGER.warning("payment=%s money is held, and its hold %s", name, HOLD_WORDS[said])
                self._news[name] = None
        self._hold_notices = found

    def _parts_of(self, request: p.PaymentRequest) -> list[PaymentRecord]:
        """Return the payments of a request's plan that are in memory, as they are on disk."""
        of_sale = self._ledger.payments.of_sale(request.sale_key)
        stored = (self._ledger.payments.get_stored(one.payment_id) for one in of_sale)
        return [
            one for one in stored if one is not None and one.payment.request.plan == request.plan
        ]

    async def _publish_plan(self, request: p.PaymentRequest) -> None:
        """Publish how a plan stands, if that has changed."""
        plan, parts = request.plan, self._parts_of(request)
        assert plan is not None, "asked for parts of plans only"
        if not any(one.live for one in parts):
            return
        wanted = self._plans is not None and self._plans.is_wanted(plan.plan_id)
        beyond = self._plans.beyond_help if self._plans is not None else frozenset()
        document = plan_document(plan, parts, is_wanted=wanted, beyond_help=beyond)
        topic, payload = self._topics.plan(request.register_id, plan.plan_id), k.encode(document)
        if self._told.states.get(topic) != payload:
            await self._publish(topic, payload, retain=True, expiry_seconds=DOCUMENT_EXPIRY_SECONDS)
            self._told.states[topic] = payload

    async def _retire_plan(self, account: PaymentRecord) -> None:
        """Empty the topic of a plan whose last document is about to go."""
        request = account.payment.request
        others = [one for one in self._parts_of(request) if one.payment_id != account.payment_id]
        if request.plan is None or any(one.live for one in others):
            return
        topic = self._topics.plan(request.register_id, request.plan.plan_id)
        await self._publish(topic, b"", retain=True)
        self._told.states.pop(topic, None)
        self._plan_parts.pop(request.plan.plan_id, None)

    async def _retire(self, account: PaymentRecord) -> None:
        request = account.payment.request
        if request.plan is not None:
            await self._retire_plan(account)
        for copy in receipt_documents(account, self._receipt_style):
            topic = self._topics.receipt(request.register_id, request.payment_id, copy)
            await self._publish(topic, b"", retain=True)
        for copy in RECEIPT_COPIES:
            topic = self._topics.receipt(request.register_id, request.payment_id, copy)
            self._told.receipts.pop(topic, None)
        if account.payment.signature is not None:
            topic = self._topics.prompt(request.register_id, k.prompt_id(request.payment_id))
            await self._publish(topic, b"", retain=True)
            self._told.prompts.pop(topic, None)
        topic = self._topics.payment(request.register_id, request.payment_id)
        await self._publish(topic, b"", retain=True)
        await self._ledger.retire(account.payment_id)
        self._stream.forget(account.payment_id)

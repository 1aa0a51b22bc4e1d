"""Takes commands from the registers and answers them.

The desk decides nothing about money: it refuses what the contract refuses and hands each command
to who does it: `start_payment.py` what begins a payment, `existing_payment.py` what asks about one,
`terminal_operation.py` and `gift_card_balance.py` what waits for a terminal or the back office.
`late_answers.py` answers those that wait, in a task of its own; `outbox.py` holds what the
publisher is to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.errors import JournalError, RequestError
from bridge.log import about, shown_bytes
from bridge.money.ledger import Ledger
from bridge.money.payment.request import leg_id
from bridge.register import api as k
from bridge.register.api.payment_commands import LEGS_MAX
from bridge.register.commands import (
    existing_payment,
    gift_card_balance,
    gift_card_codes,
    start_payment,
    terminal_operation,
)
from bridge.register.commands.excess import ExcessRefusals
from bridge.register.commands.existing_payment import ExistingPayments
from bridge.register.commands.gift_card_balance import Balances, Question
from bridge.register.commands.gift_card_codes import CodeCommands, Waiting
from bridge.register.commands.late_answers import LateAnswers
from bridge.register.commands.office_questions import (
    Inquiries,
    OfficeQuestion,
    OfficeQuestions,
)
from bridge.register.commands.presence import Presence
from bridge.register.commands.replies import Replies
from bridge.register.commands.sale_check import SaleCheck, SaleFacts
from bridge.register.commands.start_payment import PaymentStarter
from bridge.register.commands.terminal_operation import TerminalOperations
from bridge.register.commands.terminal_queue import TakerState, WaitedFor, WaitingLines
from bridge.register.commands.terminal_selection import Choice
from bridge.register.mqtt.messages import Connected, Delivery, Excess
from bridge.register.outbox import Outbox
from bridge.register.receipts.receipt_text import PLAIN, ReceiptStyle

_LOGGER = logging.getLogger(__name__)

UNSERVED_MAX = 100  # wrong register ids that are named in the log; a store has a dozen registers
NOT_WRITTEN = "the journal cannot be written, so nothing can be done; a technician must look"
ID_RULE = "its id must be 1 to 32 of a-z, 0-9 and -, and begin with a letter or a digit"


PERSONAL = frozenset({k.OfficeCustomer.operation})
"""Commands whose bytes are never logged: they may name a shopper."""


def is_shown(operation: str, error: RequestError) -> bool:
    """Tell whether a refused command's bytes may be logged, so that somebody can mend them."""
    return error.code == "invalid_json" and operation not in PERSONAL


class Bus(Protocol):
    """The broker, as `mqtt/client.py` reaches it."""

    async def next(self) -> Connected | Delivery | Excess:
        """Return what is next in turn. Canceling loses nothing."""

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the delivery is safe with us."""

    @property
    def connected(self) -> bool:
        """Whether registers can be heard now."""


class TerminalState(terminal_operation.State, TakerState, Protocol):
    """What a station shows of its terminal."""


class Terminal(terminal_operation.Terminal, WaitedFor, Protocol):
    """What the desk may ask of a station."""

    @property
    def state(self) -> TerminalState:
        """How the terminal is now."""


class SplitPayments(existing_payment.SplitPayments, start_payment.SplitPayments, Protocol):
    """Who carries on split payments."""


class GiftCards(
    start_payment.GiftCards, gift_card_balance.GiftCards, gift_card_codes.GiftCards, Protocol
):
    """What the desk may ask of who talks about gift cards."""


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What the configuration says about registers."""

    topics: k.Topics
    default_terminals: Mapping[str, str] = field(default_factory=dict)  # register -> terminal
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # pool -> its terminals
    receipt_style: ReceiptStyle = PLAIN
    hold_days: Mapping[str, int] = field(default_factory=dict)  # a hold stands, by terminal
    warehouse: str = ""  # whose price and quantity an item has; "": the only one there is


class Desk:
    """Serves commands one after the other. What it has to say goes into `outbox`."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        terminals: Mapping[str, Terminal],
        settings: DeskSettings,
        *,
        now: Callable[[], datetime],
        gift_cards: GiftCards | None = None,
        plans: SplitPayments | None = None,
        inquiries: Inquiries | None = None,
        facts: SaleFacts | None = None,
        clock_is_doubtful: Callable[[], bool] = lambda: False,
    ) -> None:
        """Serve the registers on `bus`; `now` is the wall clock in UTC, unless it is doubtful."""
        self._bus = bus
        self._ledger = ledger
        self._topics = settings.topics
        self._choice = Choice(
            terminals,
            gift_cards,
            default_terminals=settings.default_terminals,
            pools=settings.pools,
        )
        self._balances = Balances(gift_cards)
        self._codes = CodeCommands(gift_cards)
        self._questions = OfficeQuestions(inquiries, now, warehouse=settings.warehouse)
        self._waiting = WaitingLines(ledger, terminals)
        self.outbox = Outbox(ledger.payments.something_changed.set, self._waiting.positions)
        self._replies = Replies(self.outbox, settings.topics, ledger, now)
        self.operations = TerminalOperations(ledger, terminals, self.outbox)
        self.late_answers = LateAnswers(
            self.operations,
            self._balances,
            self._codes,
            self._questions,
            replies=self._replies,
            changed=ledger.payments.something_changed.listen(),
        )
        sale_check = SaleCheck(facts)
        self._starter = PaymentStarter(
            ledger,
            self._choice,
            self._waiting,
            self._replies,
            gift_cards=gift_cards,
            plans=plans,
            now=now,
            sale_check=sale_check,
            clock_is_doubtful=clock_is_doubtful,
        )
        self.existing = ExistingPayments(
            ledger,
            self._replies,
            self.outbox,
            plans=plans,
            sale_check=sale_check,
            receipt_style=settings.receipt_style,
            hold_days=settings.hold_days,
        )
        self._excess = ExcessRefusals(ledger, self._replies, self._forgotten)
        self._presence = Presence()
        self._unserved: set[str] = set()  # register ids that were warned about
        self.refusal: RequestError | None = None  # why nothing is done for any register
        self.lost_payments: frozenset[str] = frozenset()  # accepted once, unknown to the journal
        # Set once it is known whether there are any; until then commands wait, unacknowledged.
        self.journal_compared = asyncio.Event()
        self.journal_compared.set()

    @property
    def registers(self) -> Mapping[str, bool]:
        """Whether each register that was heard since the start said last that it is there."""
        return self._presence.is_here

    async def drain(self) -> None:
        """Begin nothing new, and cancel what waits in line: the service is about to stop.

        To be called until it has stopped: a command that is being done may still join a line.

        Raises:
            JournalError: It could not be stored.
        """
        self._starter.draining = True
        self.operations.draining = True
        await self._waiting.cancel_all()

    async def run(self) -> None:
        """Serve for ever. Canceled between two commands, or in one that is then not acknowledged.

        Raises:
            JournalError: Nothing can be stored any more; the register was told.
        """
        self.operations.recall()
        while True:
            try:
                ends = [self._waiting.next_end, self._presence.next_end]
                until = min((at for at in ends if at is not None), default=None)
                async with asyncio.timeout_at(until):
                    await self.outbox.room(lambda: self._bus.connected)
                    came = await self._bus.next()
            except TimeoutError:
                await self._waiting.end_waits()
                await self._end_graces()
                continue
            match came:
                case Connected() as connection:
                    self._presence.begin_anew(asyncio.get_running_loop().time())
                    self._starter.epoch = connection.epoch
                    self.outbox.connected(connection)
                case Delivery() as delivery:
                    await self.journal_compared.wait()
                    await self._serve(delivery)
                case Excess(deliveries):
                    await self.journal_compared.wait()
                    await self._refuse_excess(deliveries)

    async def _serve(self, delivery: Delivery) -> None:
        match self._topics.parse(delivery.topic):
            case k.RequestTopic(register_id, operation):
                if not delivery.retained:
                    self._presence.heard(register_id)
                try:
                    await self._answer(delivery, register_id, operation)
                except JournalError:
                    refusal = RequestError("journal_unavailable", NOT_WRITTEN)
                    self._replies.refuse(delivery, register_id, operation, refusal)
                    raise
            case k.RegisterStateTopic(register_id):
                await self._register_changed(register_id, delivery.payload)
            case k.BridgeTopic("state"):
                self._state_changed(delivery.payload)
            case _:
                self._ignore(delivery.topic)
        self._bus.acknowledge(delivery)

    async def _refuse_excess(self, deliveries: Sequence[Delivery]) -> None:
        """Refuse what is too much of one register; it may come again."""
        topics = [(one, self._topics.parse(one.topic)) for one in deliveries]
        asked = [(one, topic) for one, topic in topics if isinstance(topic, k.RequestTopic)]
        try:
            await self._excess.refuse(asked)
        except JournalError:
            refusal = RequestError("journal_unavailable", NOT_WRITTEN)
            for one, topic in asked:
                self._replies.refuse(one, topic.register_id, topic.operation, refusal)
            raise
        for register_id in {topic.register_id for one, topic in asked if not one.retained}:
            self._presence.heard(register_id)
        for one in deliveries:
            self._bus.acknowledge(one)

    def _ignore(self, topic: str) -> None:
        """Pass over a topic that is not served; a register that hopes for an answer is named."""
        name = self._topics.unserved_register(topic)
        if not name or name in self._unserved or len(self._unserved) >= UNSERVED_MAX:
            _LOGGER.debug("ignored topic=%r", topic)
            return
        self._unserved.add(name)
        _LOGGER.warning("register=%r cannot be served, %s", name, ID_RULE)

    async def _answer(self, delivery: Delivery, register_id: str, operation: str) -> None:
        """Do one command and queue its response."""
        try:
            if delivery.retained:
                raise RequestError(
                    "retained_command",
                    "commands are never retained: publish with retain off, and empty the topic",
                )
            request = k.decode_request(
                operation, delivery.payload, correlation=delivery.correlation
            )
            self._replies.refuse_foreign_address(delivery, register_id)
            if (forgotten := self._forgotten(getattr(request, "payment_id", ""))) is not None:
                raise forgotten
            with about(getattr(request, "payment_id", "")):
                response = await self._do(delivery, register_id, request)
        except RequestError as error:
            _LOGGER.info(
                "refused register=%s op=%s code=%s path=%s%s",
                register_id,
                operation,
                error.code,
                error.path,
                f" bytes={shown_bytes(delivery.payload)}" if is_shown(operation, error) else "",
            )
            self._replies.refuse(delivery, register_id, operation, error)
            return
        if response is not None:
            self._replies.say(delivery, register_id, response)

    def _forgotten(self, payment_id: str) -> RequestError | None:
        """Return why the journal cannot answer: it was put back, and has forgotten payments.

        `journal_unconfirmed` while no person has looked; `outcome_unknown` for a payment that was
        accepted before and is not in this journal; None where it can.
        """
        if self.refusal is None and self._is_lost(payment_id):
            return RequestError(
                "outcome_unknown",
                "this payment was accepted, but the journal that knew it is gone; look at the "
                "terminal's slips, and never start it again under this id",
                path="payment_id",
            )
        return self.refusal

    def _is_lost(self, name: str) -> bool:
        """Tell whether a payment was forgotten, or a plan of which any payment was."""
        if not name or not self.lost_payments:
            return False
        legs = (leg_id(name, number) for number in range(1, LEGS_MAX + 1))
        return not self.lost_payments.isdisjoint((name, *legs))

    def _state_changed(self, payload: bytes) -> None:
        """Notice that somebody else speaks for the bridge, or an earlier connection's will."""
        connection = self.outbox.connection
        if connection is None or not k.is_state_of(payload, connection.epoch):
            self.outbox.defend()

    async def _do(
        self, delivery: Delivery, register_id: str, request: k.AnyRequest
    ) -> k.Response | None:
        match request:
            case k.PaymentStart():
                return await self._starter.start(delivery, register_id, request)
            case k.GiftCardLoad():
                return await self._starter.load(delivery, register_id, request)
            case (
                k.PaymentIncrement()
                | k.PaymentCapture()
                | k.PaymentRefund()
                | k.PaymentVoid()
                | k.PaymentTipAdjust()
                | k.GiftCardUnload()
            ):
                return await self._starter.follow_up(delivery, register_id, request)
            case k.GiftCardReverse():
                undone = await self.existing.cancel_load(register_id, request)
                return undone or await self._starter.follow_up(delivery, register_id, request)
            case k.GiftCardDeactivate():
                if self._ledger.code_changes.get(request.operation_id) is None:
                    self._starter.refuse_late(delivery, request)
                self._codes.begin(Waiting(register_id, delivery, request))
                return None
            case k.PaymentCancel():
                return await self.existing.cancel(register_id, request)
            case k.PaymentStatus():
                return await self.existing.status(register_id, request)
            case k.PaymentList():
                return await self.existing.list(register_id, request)
            case k.PaymentAcknowledge():
                return await self.existing.acknowledge(register_id, request)
            case k.PaymentResolve():
                return await self.existing.answer(register_id, request)
            case k.PromptAnswer():
                return await self.existing.judge(register_id, request)
            case k.SaleAttach():
                return await self.existing.attach(register_id, request)
            case k.ReceiptReprint():
                return await self.existing.reprint(register_id, request)
            case k.GiftCardBalance():
                self._balances.begin(Question(register_id, delivery, request))
                return None
            case k.OfficeItem() | k.OfficeCustomer():
                self._questions.begin(OfficeQuestion(register_id, delivery, request))
                return None
            case k.TerminalNote():
                name = self._choice.terminal_of(register_id, request.terminal_id)
                noted = await self.operations.day_ends.note(
                    name, request.approved_by, request.text or ""
                )
                result = k.TerminalNoteResult(terminal_id=name, noted=noted)
                return self._replies.response(request, "ok", result=result)
            case _:
                terminal_id = self._choice.terminal_of(register_id, request.terminal_id)
                done = self.operations.begin(delivery, register_id, request, terminal_id)
                self.late_answers.wake()
                return self._replies.response(request, "ok", result=done) if done else None

    async def _register_changed(self, register_id: str, payload: bytes) -> None:
        state = k.decode_register_state(payload)
        if state is None and payload:
            _LOGGER.warning(
                "not understood register=%s state bytes=%s", register_id, shown_bytes(payload)
            )
        if state is None:
            return
        if state.state == "online":
            self._presence.heard(register_id)
            return
        _LOGGER.info("register=%s offline", register_id)
        self._presence.missed(register_id, asyncio.get_running_loop().time())

    async def _end_graces(self) -> None:
        """Do without the registers that stayed away; nobody is judged while nobody can be heard.

        Raises:
            JournalError: It could not be stored.
        """
        now = asyncio.get_running_loop().time()
        if not self._bus.connected:
            self._presence.begin_anew(now)
            return
        for register_id in self._presence.take_gone(now):
            _LOGGER.info("register=%s is gone", register_id)
            await self.existing.register_lost(register_id)

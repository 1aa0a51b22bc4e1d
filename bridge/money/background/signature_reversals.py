"""Ends the wait for signatures, and reverses what was refused.

The rules are in `payment/machine.py`. What must be done is derived from what is stored: a
question that nobody answered is found by its age, a refused payment by its state, its void by an id
that is made from the payment's.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bridge.errors import RequestError
from bridge.log import about
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.payment.signature import ReversalFailed, Signature, SignatureJudged
from bridge.money.store.records import PaymentRecord
from drivers.contract import ALREADY_REVERSED, Capabilities

_LOGGER = logging.getLogger(__name__)

# Long enough to print a slip, have it signed and compare it; the books wait no longer.
ANSWER_SECONDS_DEFAULT = 120.0
# A reversal by default needs somebody who could have said otherwise: after a restart, or once the
# broker is back, and whatever was done to the clock, registers get this long.
SECOND_CHANCE_SECONDS = 30.0
LOOK_SECONDS = 0.25  # a cashier waits while a payment is reversed
# A void that never reached the card is tried again, for about as long as a cashier waits; each try
# is a payment of its own.
ATTEMPTS_MAX = 4
RETRY_SECONDS = 5.0
REASON = "signature_declined"


class Terminal(Protocol):
    """Where a void is carried out. None of it waits."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def line_up(self, payment_id: str) -> None:
        """Have a payment wait its turn; raises RequestError `queue_full`."""

    def release(self, payment_id: str) -> None:
        """Give the place in line back."""


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """What the shop wants when nobody compares a signature."""

    unanswered_stands: bool = True
    answer_seconds: float = ANSWER_SECONDS_DEFAULT

    def expires_at(self, account: PaymentRecord) -> datetime:
        """Return when nobody can answer any more, in UTC."""
        return datetime.fromisoformat(account.ended_at) + timedelta(seconds=self.answer_seconds)


class Reversals:
    """The payments that await a signature. `run` acts; everything else only looks or notes."""

    def __init__(
        self,
        ledger: Ledger,
        terminals: Mapping[str, Terminal],
        policy: SignaturePolicy,
        *,
        now: Callable[[], datetime],
        is_connected: Callable[[], bool],
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """Look after the payments of `ledger`.

        `now` is the wall clock in UTC; `is_connected` says whether registers can be heard.
        """
        self._ledger = ledger
        self._terminals = terminals
        self.policy = policy
        self._now = now
        self._is_connected = is_connected
        self._retry_seconds = retry_seconds
        self._began_at = now().timestamp()
        self._heard_since: float | None = None  # None: no register could answer now
        self._asked_since: dict[
            str, float
        ] = {}  # payment_id -> by the loop's clock, since the start
        self._retry_at: dict[str, float] = {}  # payment_id -> by the loop's clock

    def can_void(self, terminal_id: str) -> bool:
        """Say whether a terminal can take a payment back at all."""
        terminal = self._terminals.get(terminal_id)
        return terminal is not None and "void" in terminal.capabilities.operations

    async def run(self) -> None:
        """Look after them for ever. Canceled at any point, all is found again from the journal.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        while True:
            self._ledger.payments.signature_asked.clear()
            self._listen()
            for account in self._ledger.payments.unsigned():
                with about(account.payment_id):
                    await self._look_at(account)
            if not self._ledger.payments.unsigned():
                self._heard_since = None
                self._asked_since.clear()
                self._retry_at.clear()
                await self._ledger.payments.signature_asked.wait()
            await asyncio.sleep(LOOK_SECONDS)

    def _listen(self) -> None:
        """Note since when registers can answer."""
        if not self._is_connected():
            self._heard_since = None
        elif self._heard_since is None:
            self._heard_since = asyncio.get_running_loop().time()

    async def _look_at(self, account: PaymentRecord) -> None:
        if account.payment.signature is Signature.REFUSED:
            await self._reverse(account)
        elif self._is_over(account):
            stands = self.policy.unanswered_stands
            _LOGGER.warning("nobody compared the signature: the payment %s", _fate(stands=stands))
            await self._ledger.apply(account.payment_id, SignatureJudged(accepted=stands))

    def _is_over(self, account: PaymentRecord) -> bool:
        """Say whether nobody can answer any more; a clock that is set decides that for nobody."""
        now = asyncio.get_running_loop().time()
        asked_seconds = now - self._asked_since.setdefault(account.payment_id, now)
        counted = asked_seconds >= self.policy.answer_seconds
        is_late = counted or self._now() >= self.policy.expires_at(account)
        if self.policy.unanswered_stands or not is_late:
            return is_late
        ended_at = datetime.fromisoformat(account.ended_at).timestamp()
        if self._heard_since is None or (ended_at >= self._began_at and not counted):
            return False  # asked since the start: we count ourselves, whatever the clock is set to
        return min(asked_seconds, now - self._heard_since) >= SECOND_CHANCE_SECONDS

    async def _reverse(self, account: PaymentRecord) -> None:
        """Begin the void of a refused payment, or say that none will come through."""
        siblings = self._ledger.payments.of_sale(account.payment.request.sale_key)
        follow_ups = [
            one.payment
            for one in siblings
            if one.payment.request.original_payment_id == account.payment_id
        ]
        if any(not one.is_final or one.may_have_moved for one in follow_ups):
            return  # its outcome decides
        voids = [one for one in follow_ups if one.request.reason == REASON]
        if voids and (len(voids) >= ATTEMPTS_MAX or not _may_try_again(voids[-1])):
            denial = voids[-1].denial
            await self._give_up(account, denial.code if denial else "void_not_possible")
            return
        now = asyncio.get_running_loop().time()
        retry_at = self._retry_at.setdefault(account.payment_id, now + self._retry_seconds)
        if voids and now < retry_at:
            return
        self._retry_at.pop(account.payment_id, None)
        try:
            await self._begin_void(account, attempt=len(voids))
        except RequestError as error:
            if error.code != "queue_full":  # that passes
                await self._give_up(account, error.code)

    async def _begin_void(self, account: PaymentRecord, attempt: int) -> None:
        terminal_id = account.payment.request.terminal_id
        if not self.can_void(terminal_id):
            raise RequestError("operation_not_supported", f"{terminal_id} takes nothing back")
        request = void_request(account.payment, attempt)
        terminal = self._terminals[terminal_id]
        terminal.line_up(request.payment_id)
        accepted = False
        try:
            await self._ledger.accept(request)
            accepted = True
        finally:
            if not accepted:
                terminal.release(request.payment_id)
        _LOGGER.warning("signature refused: reversing it with payment=%s", request.payment_id)

    async def _give_up(self, account: PaymentRecord, code: str) -> None:
        todo = "look whether this payment" if code == ALREADY_REVERSED else "refund this payment,"
        end = "was taken back" if code == ALREADY_REVERSED else "its signature was refused"
        _LOGGER.error("not reversed (%s): %s %s", code, todo, end)
        await self._ledger.apply(account.payment_id, ReversalFailed(code))


def void_request(payment: p.Payment, attempt: int) -> p.PaymentRequest:
    """Return the void that undoes a payment whose signature was refused."""
    assert payment.approval is not None, "what was signed was approved"
    request = payment.request
    return p.PaymentRequest(
        payment_id=void_id(request.payment_id, attempt),
        register_id=request.register_id,
        terminal_id=request.terminal_id,
        type=p.PaymentType.VOID,
        amount=payment.approval.amount,
        content_hash=f"{REASON} {request.payment_id}",
        operator_id=payment.signature_by,
        shift_number=request.shift_number,
        totals_group_id=request.totals_group_id,
        language=request.language,
        cancel_when_register_lost=False,
        original_payment_id=request.payment_id,
        original=payment.approval,
        original_sale_key=request.sale_key,
        reason=REASON,
        plan=request.plan,
    )


def void_id(payment_id: str, attempt: int) -> str:
    """Return the id of a payment's reversal: the same however often it is made."""
    return str(uuid.uuid5(uuid.UUID(payment_id), f"{REASON} {attempt}"))


def _may_try_again(void: p.Payment) -> bool:
    """Say whether a void ended without anybody's word: a no, or a cashier who stopped it."""
    gone = void.denial is not None and void.denial.code == ALREADY_REVERSED
    return void.status is p.Status.FAILED and not gone and not void.discrepancies


def _fate(*, stands: bool) -> str:
    return "stands" if stands else "is reversed"

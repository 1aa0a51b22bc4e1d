"""Planted bugs: each a small change of the real code that breaks one rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.api.documents import GiftCardCapture
from bridge.backoffice.gift_cards import evidence as e
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.backoffice.purchase_recorder import Recorder
from bridge.money import payment as p
from bridge.money.background.split_payments import SplitPayments
from drivers import contract as c
from tests.matrix.shop import PIN


class HoldsAgain(GiftCardSteps):
    """A hold whose answer was lost is simply asked for again."""

    async def _judge_by_balance(self, payment: p.Payment) -> None:
        assert payment.baseline is not None
        before = e.read_before(payment.baseline.fingerprint)
        await self._hold(payment.request, before, PIN)


class SaysNo(GiftCardSteps):
    """A hold whose answer was lost is told as a failure at once."""

    async def _judge_by_balance(self, payment: p.Payment) -> None:
        failed = c.Failed("not_applied", "no answer", "host_timeout")
        await self._ledger.apply(payment.request.payment_id, failed)


class BelievesTheAmount(GiftCardSteps):
    """A lower balance is taken for our own use, whoever lowered it."""

    async def _ask_a_person(self, name: str, why: str) -> None:
        account = self._ledger.payments.get(name)
        assert account is not None
        request = account.payment.request
        approval = e.approval_of(request, request.amount, "", before=Decimal(50), after=None)
        await self._ledger.apply(name, c.Approved(approval))


class ForgetsTheHold(GiftCardSteps):
    """A capture that was refused ends the payment, and nobody releases its hold."""

    async def _conclude_by(self, name: str, how: str) -> None:
        if how == "capture":
            await super()._conclude_by(name, "capture")
            return
        await self._ledger.apply(name, c.Failed("refused", "", "not_allowed"))


class CapturesAtOnce(GiftCardSteps):
    """A hold is captured as soon as it is there, whatever it is for."""

    async def _end_hold(self, payment: p.Payment) -> None:
        name = payment.request.payment_id
        assert payment.offer is not None
        whole = GiftCardCapture(payment.offer.fingerprint)
        await self._office.gift_card_trans_capture(whole)
        await self._ledger.apply(name, c.Approved(payment.offer))


class FillsAtOnce(GiftCardSteps):
    """A load does not wait for its sale."""

    async def _end_load(self, payment: p.Payment) -> None:
        await self._conclude_by(payment.request.payment_id, "capture")


class BelievesTheRelease(GiftCardSteps):
    """A release that never got through is taken for done."""

    async def _conclude(self, payment: p.Payment) -> None:
        await self._concluded(payment, "release", None)


class ForgetsWhatItSent(GiftCardSteps):
    """After a restart nothing is thought to have been sent."""

    async def ask(self, payment: p.Payment) -> None:
        failed = c.Failed("not_sent", "nothing was sent", "bridge_restarted")
        await self._ledger.apply(payment.request.payment_id, failed)


class BelievesTheCapture(GiftCardSteps):
    """The capture of a hold is taken for done without asking for it."""

    async def _conclude(self, payment: p.Payment) -> None:
        await self._concluded(payment, "capture", None)


class BelievesTheBalance(GiftCardSteps):
    """A capture that fails counts as done, because the balance is as it would be after it."""

    async def _repeated(
        self, payment: p.Payment, how: Literal["capture", "release"], code: str
    ) -> None:
        if payment.doubt is None:
            await super()._repeated(payment, how, code)
            return
        await self._believe_the_balance(payment, how, code)


class CallsItUntouched(GiftCardSteps):
    """A card that was used at once is called untouched because its balance has not moved yet."""

    async def _ask_a_person(self, name: str, why: str) -> None:
        await self._ledger.apply(name, c.Failed("not_applied", why, "host_timeout"))


class AsksNobody(GiftCardSteps):
    """What only a person can know is kept from people."""

    async def _ask_a_person(self, name: str, why: str) -> None:
        self._forget(name)

    async def age_doubts(self, now: float) -> None:
        """Let them grow old."""


class ForgetsToRelease(SplitPayments):
    """When the card declines, the gift cards stay held."""

    async def _end(self, plan: p.Plan, hold: p.Payment, how: str, *more: object) -> bool:
        if how == "void":
            self._leave_to_a_person(hold, "forgotten")
            return True
        return await super()._end(plan, hold, how, *more)  # type: ignore[arg-type]  # as they came


class KeepsWhatItHolds(SplitPayments):
    """Holds are captured even when the card did not pay."""

    async def _end(self, plan: p.Plan, hold: p.Payment, how: str, *more: object) -> bool:
        return await super()._end(plan, hold, "capture", *more)  # type: ignore[arg-type]  # as is


class SendsAgain(Recorder):
    """A purchase whose answer was lost is sent again."""

    async def _conclude(self, transaction_id: str, attempt: Attempt, began_in: int) -> None:
        if isinstance(attempt, Unknown):
            attempt = NotApplied(attempt.reason)
        await super()._conclude(transaction_id, attempt, began_in)


class BelievesSilence(Recorder):
    """A purchase whose answer was lost is taken for recorded."""

    async def _conclude(self, transaction_id: str, attempt: Attempt, began_in: int) -> None:
        if isinstance(attempt, Unknown):
            attempt = Applied("P0")
        await super()._conclude(transaction_id, attempt, began_in)


class DropsWhatIsRefused(Recorder):
    """A purchase that was refused counts as recorded, so that nobody is bothered."""

    async def _conclude(self, transaction_id: str, attempt: Attempt, began_in: int) -> None:
        if isinstance(attempt, Refused):
            attempt = Applied("P0")
        await super()._conclude(transaction_id, attempt, began_in)

"""Gift cards as a payment method: what a station is for a terminal. Decides no rule.

It fetches the ledger's live actions for gift cards, one after the other: two attempts on one card
at once would make its balance prove nothing. What each of them is, `steps.py` says.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from bridge.backoffice.api.attempts import GiftCardBalance, NotApplied, Refused
from bridge.backoffice.api.documents import CodeType
from bridge.backoffice.gift_cards import evidence as e
from bridge.backoffice.gift_cards.code_change import LOOK_SECONDS, CodeChangeSteps
from bridge.backoffice.gift_cards.office import Office
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.log import about
from bridge.money import payment as p
from bridge.money.gift_card_code import CodeAnswer, CodeWish
from bridge.money.ledger import Ledger
from bridge.money.live_actions import Work
from drivers import contract as c

PINS_MAX = 200  # of payments that wait; a command that was refused later leaves its PIN here
IDLE_SECONDS = 3_600.0  # with nothing to do it still looks up once an hour

CAPABILITIES = c.Capabilities(
    operations=frozenset({"sale", "preauth", "capture", "void", "refund", "load", "unload"}),
    status_query="last_transaction",
    cancel="any_time",
    partial_approval=True,
)


@dataclass(frozen=True, slots=True)
class GiftCardState:
    """Nothing is known before a payment: the back office is asked with each of them."""

    ready: c.TerminalReady | None = None


class GiftCards:
    """The task of gift card payments. `run` acts; everything else only looks or notes."""

    def __init__(
        self,
        ledger: Ledger,
        office: Office,
        steps: GiftCardSteps,
        *,
        activates: bool = False,
        store_credit: bool = False,
        changes_codes: bool = False,
    ) -> None:
        """Work off the ledger's queue by `steps`; `office` answers questions about balances.

        `activates` lets registers make new cards, and `store_credit` lets them put on a card what
        another card paid, or nobody. `changes_codes` lets them revoke and replace lost cards.
        """
        self._ledger = ledger
        self._office = office
        self._steps = steps
        self._queue = ledger.work(p.GIFT_CARDS)
        more = {"activate"} if activates else set()
        self.capabilities = replace(
            CAPABILITIES,
            operations=CAPABILITIES.operations | more,
            unlinked_refund=store_credit,
        )
        self.state = GiftCardState()
        self._questions: dict[str, p.GiftCardCode] = {}  # about balances, by name
        self.balances: dict[str, str | c.Declined | c.Failed | p.NotReached] = {}
        self._pins: dict[str, str] = {}  # by payment, until its hold is asked for
        self._code_steps = CodeChangeSteps(ledger, office)
        self._code_wishes: dict[str, CodeWish] = {}  # by who asked
        self._look_at = 0.0  # of the loop's clock: at changes of codes whose answer was lost
        self.code_answers: dict[str, CodeAnswer] = {}  # fetched, and removed, by who asked
        self.changes_codes = changes_codes

    # --- asked by the desk, never waiting

    def keep_pin(self, payment_id: str, pin: str) -> None:
        """Remember the PIN of a payment that is about to be accepted; it is never stored."""
        while len(self._pins) >= PINS_MAX:
            del self._pins[next(iter(self._pins))]
        self._pins[payment_id] = pin

    def claim(self, payment_id: str, register_id: str) -> p.Started | None:
        """Return None: there is nothing to keep, and the balance must be read first."""

    def release(self, payment_id: str) -> None:
        """Forget a payment that was refused after all."""
        self._pins.pop(payment_id, None)

    def ask_balance(self, name: str, card: p.GiftCardCode) -> None:
        """Find a balance out and put it into `balances`; `something_changed` tells when."""
        self._questions[name] = card
        self._queue.wake()

    def ask_code_change(self, name: str, wish: CodeWish) -> None:
        """Change a card's code and put the answer into `code_answers` under `name`."""
        self._code_wishes[name] = wish
        self._queue.wake()

    # --- acting

    async def run(self) -> None:
        """Serve for ever. Canceled in an attempt, it leaves that payment in doubt.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self._steps.age_doubts(loop.time())
            work = self._queue.take_due(loop.time())
            if work is None and self._questions:
                await self._answer(next(iter(self._questions)))
                continue
            if work is None and self._code_wishes:
                name = next(iter(self._code_wishes))
                self.code_answers[name] = await self._code_steps.change(self._code_wishes[name])
                del self._code_wishes[name]
                self._ledger.payments.something_changed.set()
                continue
            if work is None and self._ledger.code_changes.open() and loop.time() >= self._look_at:
                self._look_at = loop.time() + LOOK_SECONDS
                await self._code_steps.look_at_open()
                self._ledger.payments.something_changed.set()
                continue
            if work is None:
                await self._idle(loop.time())
                continue
            with about(work.payment_id):
                await self._do(work)

    async def _idle(self, now: float) -> None:
        times = [now + IDLE_SECONDS]
        if self._ledger.code_changes.open():
            times.append(self._look_at)
        if self._queue.next_due_at is not None:
            times.append(self._queue.next_due_at)
        times += self._steps.doubts_due_at()
        try:
            async with self._queue.pause(min(times)):
                await asyncio.sleep(IDLE_SECONDS)
        except TimeoutError:
            pass

    async def _do(self, work: Work) -> None:
        account = self._ledger.payments.get(work.payment_id)
        if account is None:
            return
        match work.action:
            case p.StartOnTerminal():
                pin = self._pins.pop(work.payment_id, "")
                if account.payment.status is p.Status.QUEUED:
                    await self._steps.start(account.payment, pin)
            case p.AskTerminal():
                await self._steps.ask(account.payment)
            case p.StopOnTerminal():
                if account.payment.resolved_by == "operator":
                    await self._steps.release_after_all(account.payment)
                elif account.payment.request.type is p.PaymentType.LOAD:
                    await self._steps.ask(account.payment)  # it may be waiting for its sale
                # Anything else looks at the payment itself before its next step.

    async def _answer(self, name: str) -> None:
        """Ask the back office about one balance."""
        card = self._questions.pop(name)
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        match found:
            case GiftCardBalance(balance=balance):
                self.balances[name] = balance
            case NotApplied(reason):
                self.balances[name] = p.NotReached("host_unreachable", reason)
            case Refused():
                self.balances[name] = e.refusal(found, "FindGiftCardByCode")
        self._ledger.payments.something_changed.set()

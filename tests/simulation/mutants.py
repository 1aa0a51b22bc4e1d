"""Bugs on purpose: each must be caught by the judge, or the judge is blind to a rule.

A mutant replaces a few attributes of the bridge's classes or modules for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bridge.backoffice.api import client as graphql_module
from bridge.backoffice.api.attempts import NotApplied, Unknown
from bridge.backoffice.purchase_recorder import Recorder
from bridge.errors import JournalError
from bridge.money import ledger as ledger_module
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.ledger import Ledger
from bridge.money.store import records as accounts
from bridge.money.store.journal import Change, Journal
from bridge.register.commands import start_payment as starts
from bridge.register.commands.router import Desk
from bridge.terminal.conversation import Conversation
from bridge.terminal.payment_runner import PaymentRunner
from bridge.terminal.station import Station
from drivers import contract as c
from drivers.zvt.codec import printing
from drivers.zvt.conversation import inquiry as inquiry_module
from tests.simulation import incarnation
from tests.simulation.mutants_of_edges import EDGE_MUTANTS, WORLD_OF
from tests.simulation.mutants_of_floods import FLOOD_MUTANTS
from tests.simulation.mutants_of_follow_ups import FOLLOW_UP_MUTANTS
from tests.simulation.mutants_of_gift_cards import GIFT_CARD_MUTANTS
from tests.simulation.mutants_of_purchases import PURCHASE_MUTANTS
from tests.simulation.mutants_of_rooms import NAMED_MUTANTS
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


@contextmanager
def planted(mutant: str) -> Iterator[None]:
    """Have the bug in the bridge inside the block; "" plants nothing."""
    plants: tuple[Plant, ...] = ()
    if mutant in NAMED_MUTANTS:
        plants = NAMED_MUTANTS[mutant].plants
    elif mutant:
        plants = MUTANTS[mutant]
    originals = [(plant, getattr(plant.owner, plant.name)) for plant in plants]
    for plant, original in originals:
        setattr(plant.owner, plant.name, plant.make(original))
    try:
        yield
    finally:
        for plant, original in originals:
            setattr(plant.owner, plant.name, original)


def _on_advance(changed: Callable[[p.Payment, p.Event], p.Event]) -> tuple[Plant, ...]:
    """A table that takes some events for others."""

    def make(original: AnyCallable) -> AnyCallable:
        def advance(payment: p.Payment, event: p.Event) -> p.Outcome:
            outcome: p.Outcome = original(payment, changed(payment, event))
            return outcome

        return advance

    return (Plant(accounts, "advance", make),)


def _timeout_means_failed(payment: p.Payment, event: p.Event) -> p.Event:
    running = payment.status in {p.Status.IN_PROGRESS, p.Status.CANCELING}
    if running and isinstance(event, c.Unclear):
        return c.Failed("timeout", "no answer")
    return event


def _restart_marks_failed(payment: p.Payment, event: p.Event) -> p.Event:
    running = payment.status in {p.Status.IN_PROGRESS, p.Status.CANCELING}
    if running and isinstance(event, p.Restarted):
        return c.Failed("restarted", "the service was restarted")
    return event


def _cancel_is_an_outcome(payment: p.Payment, event: p.Event) -> p.Event:
    if payment.status is p.Status.IN_PROGRESS and isinstance(event, p.CancelAsked):
        return c.Canceled("cashier")
    return event


def _drop_evidence_after_the_end(original: AnyCallable) -> AnyCallable:
    def advance(payment: p.Payment, event: p.Event) -> p.Outcome:
        if isinstance(event, c.Approved) and payment.status is p.Status.IN_DOUBT:
            return replace(payment, status=p.Status.FAILED, doubt=None, funds=p.Funds.NONE), (
                p.Publish(),
            )
        outcome: p.Outcome = original(payment, event)
        return outcome

    return advance


def _pays_again(original: AnyCallable) -> AnyCallable:
    async def ask(self: PaymentRunner, payment_id: str) -> None:
        account = self._ledger.payments.get(payment_id)
        if account is None or account.payment.doubt is None or not await self._connection.reach():
            await original(self, payment_id)
            return
        operation = c.Pay(payment_id, account.payment.request.amount)
        self._learn_from(await self._connection.converse(operation, payment_id))

    return ask


def _sends_before_the_marker(original: AnyCallable) -> AnyCallable:
    async def apply(
        self: Ledger, payment_id: str, event: p.Event, *, wait: bool = True
    ) -> accounts.PaymentRecord:
        early = isinstance(event, p.Started)
        account: accounts.PaymentRecord = await original(
            self, payment_id, event, wait=wait and not early
        )
        return account

    return apply


def _accepts_before_the_commit(original: AnyCallable) -> AnyCallable:
    async def store(
        self: Ledger, before: Any, events: Any, expectation: Any = None, **more: Any
    ) -> Any:
        more["wait"] = more.get("wait", True) and before is not None
        return await original(self, before, events, expectation, **more)

    return store


def _acknowledges_first(original: AnyCallable) -> AnyCallable:
    async def keep(self: Conversation, dialogue: c.Dialogue, step: c.Step) -> c.Step:
        early = dialogue.committed(asyncio.get_running_loop().time())
        if early.send:
            self.line.write(early.send)
        for event in step.events:
            await self._apply(event)
        return replace(early, send=b"")

    return keep


def _pubacks_first(original: AnyCallable) -> AnyCallable:
    async def serve(self: Desk, delivery: Any) -> None:
        self._bus.acknowledge(delivery)
        await original(self, delivery)

    return serve


def _publishes_what_is_not_stored(original: AnyCallable) -> AnyCallable:
    def append(self: Journal, change: Change, *, urgent: bool = True) -> asyncio.Future[int]:
        future: asyncio.Future[int] = original(self, change, urgent=urgent)
        early: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def later(done: asyncio.Future[int]) -> None:
            if not done.cancelled() and done.exception() is not None and not early.done():
                early.set_exception(done.exception() or JournalError(""))

        if change.expectation is None:
            early.set_result(0)
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            return early
        future.add_done_callback(later)
        return future

    return append


def _remembers_ids_in_memory_only(original: AnyCallable) -> AnyCallable:
    def holds(self: Journal, expected: Any) -> bool:
        return True

    return holds


def _forgets_ids_when_it_starts(original: AnyCallable) -> AnyCallable:
    async def accept(self: Ledger, request: p.PaymentRequest, started: Any = None) -> Any:
        known = self.payments.get(request.payment_id)
        if known is not None and known.payment.is_final:
            del self.payments._records[request.payment_id]
        return await original(self, request, started)

    return accept


def _unknown_is_sent_again(original: AnyCallable) -> AnyCallable:
    async def conclude(self: Recorder, transaction_id: str, attempt: Any, *more: Any) -> None:
        if isinstance(attempt, Unknown):
            attempt = NotApplied(attempt.reason)
        await original(self, transaction_id, attempt, *more)

    return conclude


def _sending_is_not_stored(original: AnyCallable) -> AnyCallable:
    async def apply_purchase(self: Ledger, name: str, event: s.PurchaseEvent, **more: Any) -> Any:
        if not isinstance(event, s.Sending):
            return await original(self, name, event, **more)
        before = self.payments._purchases[name]
        purchase = s.advance_purchase(before.purchase, event)
        self.payments.put_purchase(replace(before, purchase=purchase))
        return self.payments._purchases[name]

    return apply_purchase


def _restart_sends_again(original: AnyCallable) -> AnyCallable:
    def advance(purchase: s.Purchase, event: s.PurchaseEvent) -> s.Purchase:
        sending = purchase.state is s.PurchaseState.SENDING
        if sending and isinstance(event, s.PurchaseRestarted):
            return replace(purchase, state=s.PurchaseState.PENDING)
        after: s.Purchase = original(purchase, event)
        return after

    return advance


def _any_status_is_applied(original: AnyCallable) -> AnyCallable:
    def classify(answer: Any, *more: Any) -> Any:
        found = original(answer, *more)
        if isinstance(found, Unknown) and answer.status >= 500:
            return NotApplied(found.reason)
        return found

    return classify


def _ignores_the_baseline(original: AnyCallable) -> AnyCallable:
    def verdict(self: Any) -> Any:
        readings = self._readings
        if readings and readings[-1].result == 0:
            found = self._fitting(readings[-1])
            if isinstance(found, c.Approval):
                return c.Approved(found)
        return original(self)

    return verdict


def _empty_memory_means_no(original: AnyCallable) -> AnyCallable:
    def verdict(self: Any) -> Any:
        found = original(self)
        if isinstance(found, c.Unclear) and found.reason in {"no_evidence", "no_baseline"}:
            return c.Failed("not_found", "the terminal knows nothing of it")
        return found

    return verdict


def _takes_everything_for_fresh(original: AnyCallable) -> AnyCallable:
    def refuse_unfresh(*_arguments: Any, **_more: Any) -> None:
        return None

    return refuse_unfresh


def _ignores_the_fence(original: AnyCallable) -> AnyCallable:
    def refuse_unfresh(request: Any, delivery: Any, epoch: str, now: Any, **_more: Any) -> None:
        original(request, replace(delivery, live=True), epoch, now)

    return refuse_unfresh


def _ignores_retain(original: AnyCallable) -> AnyCallable:
    async def answer(self: Desk, delivery: Any, register_id: str, operation: str) -> None:
        await original(self, replace(delivery, retained=False), register_id, operation)

    return answer


def _takes_offers_it_could_not_store(original: AnyCallable) -> AnyCallable:
    async def keep(self: Conversation, dialogue: c.Dialogue, step: c.Step) -> c.Step:
        try:
            for event in step.events:
                await self._apply(event)
        except JournalError:
            last = dialogue.committed(asyncio.get_running_loop().time())
            self.line.write(last.send)
            raise
        return dialogue.committed(asyncio.get_running_loop().time())

    return keep


def _conflicts_are_repeats(original: AnyCallable) -> AnyCallable:
    def refuse_conflict(*_arguments: Any) -> None:
        return None

    return refuse_conflict


def _synchronous_normal(original: AnyCallable) -> AnyCallable:
    def prepare(connection: Any) -> None:
        original(connection)
        connection.execute("pragma synchronous=normal")

    return prepare


def _forgets_the_second_terminal_payment(original: AnyCallable) -> AnyCallable:
    def claim(self: Station, payment_id: str, register_id: str) -> Any:
        self._lease.taken_by = ""
        return original(self, payment_id, register_id)

    return claim


def _masks_nothing(original: AnyCallable) -> AnyCallable:
    def mask_text(text: str) -> str:
        return text

    return mask_text


def _starts_what_waited(original: AnyCallable) -> AnyCallable:
    def advance(payment: p.Payment, event: p.Event) -> p.Outcome:
        if payment.status is p.Status.QUEUED and isinstance(event, p.Restarted):
            return payment, (p.StartOnTerminal(),)
        outcome: p.Outcome = original(payment, event)
        return outcome

    return advance


def _final_may_change(original: AnyCallable) -> AnyCallable:
    def advance(payment: p.Payment, event: p.Event) -> p.Outcome:
        if payment.status is p.Status.APPROVED and isinstance(event, p.Acknowledged):
            return replace(payment, status=p.Status.IN_PROGRESS), (p.Publish(),)
        outcome: p.Outcome = original(payment, event)
        return outcome

    return advance


MUTANTS: dict[str, tuple[Plant, ...]] = {
    "timeout means failed": _on_advance(_timeout_means_failed),
    "restart means failed": _on_advance(_restart_marks_failed),
    "cancel is an outcome": _on_advance(_cancel_is_an_outcome),
    "evidence in doubt is dropped": (Plant(accounts, "advance", _drop_evidence_after_the_end),),
    "doubt pays again": (Plant(PaymentRunner, "ask", _pays_again),),
    "sends before the marker is stored": (Plant(Ledger, "apply", _sends_before_the_marker),),
    "accepts before the commit": (Plant(Ledger, "_store", _accepts_before_the_commit),),
    "acknowledges the terminal before the commit": (
        Plant(Conversation, "_store", _acknowledges_first),
    ),
    "acknowledges the command before the commit": (Plant(Desk, "_serve", _pubacks_first),),
    "publishes before the commit": (Plant(Journal, "append", _publishes_what_is_not_stored),),
    "ids are known in memory only": (Plant(Journal, "_holds", _remembers_ids_in_memory_only),),
    "final payments are forgotten": (Plant(Ledger, "accept", _forgets_ids_when_it_starts),),
    "unknown bookings are sent again": (Plant(Recorder, "_conclude", _unknown_is_sent_again),),
    "sending is not stored": (Plant(Ledger, "apply_purchase", _sending_is_not_stored),),
    "restart books again": (Plant(s, "advance_purchase", _restart_sends_again),),
    "a server error means not booked": (Plant(graphql_module, "classify", _any_status_is_applied),),
    "the baseline is ignored": (
        Plant(inquiry_module.InquiryScript, "_verdict", _ignores_the_baseline),
    ),
    "no evidence means no": (
        Plant(inquiry_module.InquiryScript, "_verdict", _empty_memory_means_no),
    ),
    "every start is fresh": (Plant(starts, "refuse_unfresh", _takes_everything_for_fresh),),
    "the fence is ignored": (Plant(starts, "refuse_unfresh", _ignores_the_fence),),
    "retained commands count": (Plant(Desk, "_answer", _ignores_retain),),
    "an offer is taken though the journal failed": (
        Plant(Conversation, "_store", _takes_offers_it_could_not_store),
    ),
    "another amount is a repeat": (
        Plant(ledger_module, "refuse_conflict", _conflicts_are_repeats),
    ),
    "synchronous is normal": (Plant(incarnation, "prepare", _synchronous_normal),),
    "a claimed terminal is claimed again": (
        Plant(Station, "claim", _forgets_the_second_terminal_payment),
    ),
    "a queued payment starts after a restart": (Plant(accounts, "advance", _starts_what_waited),),
    "receipts show the whole card number": (Plant(printing, "mask_text", _masks_nothing),),
    "a final status changes": (Plant(accounts, "advance", _final_may_change),),
    **GIFT_CARD_MUTANTS,
    **FOLLOW_UP_MUTANTS,
    **EDGE_MUTANTS,
    **FLOOD_MUTANTS,
    **PURCHASE_MUTANTS,
}


# Where a bug shows itself sooner than in worlds like all others.
MOOD_OF = {
    "a balance is believed whoever used the card": "crowded/",
    "a balance is read too early": "crowded/",
    "a refused capture counts": "crowded/",
    "a payment is voided after the close": "twins/",
    "running refunds do not count": "twins/",
    "every end of day matches": "typed in/",
    **dict.fromkeys(FLOOD_MUTANTS, "floods/"),
    **dict.fromkeys(PURCHASE_MUTANTS, "outages/"),
    "a server error means not booked": "outages/",
    "unknown bookings are sent again": "outages/",
}


def seeds_for(mutant: str, numbers: Iterable[int]) -> list[int | str]:
    """Return the worlds in which a bug can show itself: those whose tills do such things."""
    trade = "cards"
    if mutant in GIFT_CARD_MUTANTS:
        trade = "gift cards"
    elif mutant in FOLLOW_UP_MUTANTS:
        trade = "after sales"
    if mutant in EDGE_MUTANTS:
        return [f"{WORLD_OF.get(mutant, trade)}/{number}" for number in numbers]
    return [f"{MOOD_OF.get(mutant, '')}{trade}/{number}" for number in numbers]

"""Bugs on purpose at the edges: small ones, as they slip in; see `mutants.py`.

`EDGE_MUTANTS` are caught by the judge; `WORLD_OF` says in which worlds each shows itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bridge.errors import JournalError, RequestError
from bridge.money import admission, commit_decision, purchase
from bridge.money import ledger as ledger_module
from bridge.money import payment as p
from bridge.money.background import signature_reversals
from bridge.money.background.signature_reversals import Reversals, SignaturePolicy
from bridge.money.doubt_age import DoubtAges
from bridge.money.payment import machine
from bridge.money.payment.signature import SignatureJudged
from bridge.money.payment.state import Payment
from bridge.money.store import records as accounts
from bridge.money.store.journal import Journal
from bridge.money.store.payment_store import PaymentStore
from bridge.register.commands import start_payment as starts
from bridge.register.commands.existing_payment import ExistingPayments
from bridge.register.commands.reconciliation import DayEnds
from bridge.register.commands.router import Desk
from bridge.terminal.conversation import Conversation
from drivers import contract as c
from drivers.pax.conversation import inquiry as pax_inquiry
from drivers.pax.mapping import evidence as pax_evidence
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


def _on_advance(changed: Callable[[p.Payment, p.Event], p.Event]) -> tuple[Plant, ...]:
    """A table that takes some events for others."""

    def make(original: AnyCallable) -> AnyCallable:
        def advance(payment: p.Payment, event: p.Event) -> Any:
            return original(payment, changed(payment, event))

        return advance

    return (Plant(accounts, "advance", make),)


# --- admission


def _void_beside_a_refund(original: AnyCallable) -> AnyCallable:
    def refuse(followed: Any, running: Any, batch_closed_seq: int) -> None:
        voids = [one for one in running if one.request.type is not p.PaymentType.REFUND]
        original(followed, voids, batch_closed_seq)

    return refuse


def _forgets_what_went_back(original: AnyCallable) -> AnyCallable:
    def refuse(request: Any, followed: Any, siblings: Any, **more: Any) -> None:
        if request.type is p.PaymentType.TIP_ADJUST and followed is not None:
            whole = replace(followed.payment, refunded_minor=0, funds=p.Funds.CAPTURED)
            followed = replace(followed, payment=whole)
        original(request, followed, siblings, **more)

    return refuse


def _ignores_the_currency(original: AnyCallable) -> AnyCallable:
    def refuse(request: Any, followed: Any, siblings: Any, **more: Any) -> None:
        if followed is not None:
            currency = followed.payment.request.amount.currency
            request = replace(request, amount=replace(request.amount, currency=currency))
        original(request, followed, siblings, **more)

    return refuse


# --- doubts, ages, persons


def _young_for_ever(original: AnyCallable) -> AnyCallable:
    def age(self: DoubtAges, account: Any) -> float:
        return 0.0

    return age


def _nobody_is_called(original: AnyCallable) -> AnyCallable:
    async def look(self: DoubtAges, now: float, payment_ids: Any) -> None:
        """Let them grow old."""

    return look


def _no_correction(original: AnyCallable) -> AnyCallable:
    async def correct(self: ExistingPayments, account: Any, answer: Any) -> Any:
        return account

    return correct


def _corrects_no_books(original: AnyCallable) -> AnyCallable:
    def settle(before: Any, account: Any, *_more: Any, **_named: Any) -> Any:
        return account, None

    return settle


def _lost_line_means_not_sent(payment: p.Payment, event: p.Event) -> p.Event:
    running = payment.status in {p.Status.IN_PROGRESS, p.Status.CANCELING}
    if running and isinstance(event, c.Unclear) and event.reason == "link_lost":
        return c.Failed("not_sent", "the line was lost", "terminal_offline")
    return event


def _not_reached_is_no(payment: p.Payment, event: p.Event) -> p.Event:
    if payment.status is p.Status.IN_DOUBT and isinstance(event, p.NotReached):
        return c.Failed("offline", event.text, "terminal_offline")
    return event


def _a_person_is_always_right(payment: p.Payment, event: p.Event) -> p.Event:
    if payment.answers and isinstance(event, p.Corrected):
        return p.Acknowledged(1)
    return event


# --- commands


def _pubacks_what_failed(original: AnyCallable) -> AnyCallable:
    async def serve(self: Desk, delivery: Any) -> None:
        try:
            await original(self, delivery)
        except JournalError:
            self._bus.acknowledge(delivery)
            raise

    return serve


def _any_epoch_counts(original: AnyCallable) -> AnyCallable:
    def refuse_unfresh(request: Any, delivery: Any, epoch: str, now: Any, **more: Any) -> None:
        original(request, delivery, request.bridge_epoch or epoch, now, **more)

    return refuse_unfresh


def _never_expires(original: AnyCallable) -> AnyCallable:
    def refuse_unfresh(*arguments: Any, **more: Any) -> None:
        try:
            original(*arguments, **more)
        except RequestError as error:
            if error.code != "command_expired":
                raise

    return refuse_unfresh


def _the_clerk_always_agrees(original: AnyCallable) -> AnyCallable:
    async def judge(self: ExistingPayments, register_id: str, request: Any) -> Any:
        answer = request.answer.model_copy(update={"confirmed": True})
        agreed = request.model_copy(update={"answer": answer})
        return await original(self, register_id, agreed)

    return judge


def _reverses_what_nobody_signed(original: AnyCallable) -> AnyCallable:
    def __init__(self: SignaturePolicy, unanswered_stands: bool = True, **more: Any) -> None:
        original(self, unanswered_stands=False, **more)

    return __init__


def _refused_is_accepted(payment: p.Payment, event: p.Event) -> p.Event:
    if isinstance(event, SignatureJudged):
        return replace(event, accepted=True)
    return event


# --- the journal and what is told from it


def _loses_receipts(original: AnyCallable) -> AnyCallable:
    async def apply(self: Conversation, event: Any) -> None:
        if not isinstance(event, c.Receipt):
            await original(self, event)

    return apply


def _tells_from_memory(original: AnyCallable) -> AnyCallable:
    return PaymentStore.get


def _final_is_settled(original: Any) -> Any:
    return property(lambda payment: payment.is_final)


def _drops_the_sale(original: AnyCallable) -> AnyCallable:
    def retired(self: PaymentStore, account: Any) -> None:
        original(self, account)
        key = account.payment.request.sale_key
        for payment_id in self._sales.payments.pop(key, ()):
            self._records.pop(payment_id, None)

    return retired


def _commits_late(original: AnyCallable) -> AnyCallable:
    def commit(self: Journal, changes: Any) -> Any:
        whole = [one for one in changes if not _is_marker(one)]
        written = original(self, whole)
        return [written.pop(0) if not _is_marker(one) else 1 for one in changes]

    return commit


def _is_marker(change: Any) -> bool:
    kinds = {type(entry.event).__name__ for entry in change.entries}
    return kinds == {"Started"}


# --- amounts and books


def _one_cent_more(original: AnyCallable) -> AnyCallable:
    def approval_of(answer: Any, amount: c.Money) -> c.Approval:
        if answer.amount.due:
            amount = replace(amount, minor=amount.minor + 1)
        approval: c.Approval = original(answer, amount)
        return approval

    return approval_of


def _tells_what_was_asked(payment: p.Payment, event: p.Event) -> p.Event:
    if isinstance(event, c.Approved) and payment.request.type is p.PaymentType.SALE:
        return c.Approved(replace(event.approval, amount=payment.request.amount))
    return event


def _books_one_cent_more(original: AnyCallable) -> AnyCallable:
    def settle(*arguments: Any, **more: Any) -> Any:
        due = original(*arguments, **more)
        if due is None:
            return None
        paid = due.content.pay_amount
        content = replace(due.content, pay_amount=replace(paid, minor=paid.minor + 1))
        return replace(due, content=content)

    return settle


def _forgets_a_void(original: AnyCallable) -> AnyCallable:
    def follow(payment: p.Payment, event: p.FollowedUp) -> Any:
        if event.type is p.PaymentType.VOID:
            return replace(payment, tip_minor=payment.tip_minor), (p.Publish(),)
        return original(payment, event)

    return follow


def _our_books_are_all_books(original: AnyCallable) -> AnyCallable:
    def document(self: Any, *arguments: Any, **more: Any) -> Any:
        found = original(self, *arguments, **more)
        compared = found.compare.model_copy(update={"books": "matched"})
        return found.model_copy(update={"compare": compared})

    return document


# --- drivers


def _any_amount_is_ours(original: AnyCallable) -> AnyCallable:
    def is_as_ordered(*_arguments: Any) -> bool:
        return True

    return is_as_ordered


def _absent_means_no(original: AnyCallable) -> AnyCallable:
    def prove(operation: Any, settings: Any) -> Any:
        return c.Failed("not_found", "no record of it", "terminal_fault")
        yield

    return prove


def voids_twice(original: AnyCallable) -> AnyCallable:
    async def reverse(self: Reversals, account: Any) -> None:
        """Begin one void after the other, whatever became of those before."""
        name = account.payment_id
        found = self._ledger.payments.of_sale(account.payment.request.sale_key)
        voids = [o for o in found if o.payment.request.original_payment_id == name]
        if len(voids) < signature_reversals.ATTEMPTS_MAX:
            try:
                await self._begin_void(account, attempt=len(voids))
            except RequestError:
                await self._give_up(account, "void_not_possible")

    return reverse


EDGE_MUTANTS: dict[str, tuple[Plant, ...]] = {
    "a void is accepted while a refund runs": (
        Plant(admission, "_refuse_void", _void_beside_a_refund),
    ),
    "a tip is added after a part refund": (
        Plant(ledger_module, "refuse_follow_up", _forgets_what_went_back),
    ),
    "a follow-up comes in another currency": (
        Plant(ledger_module, "refuse_follow_up", _ignores_the_currency),
    ),
    "a doubt is young again in each life": (
        Plant(DoubtAges, "_age_at_first_sight", _young_for_ever),
    ),
    "nobody is called about a doubt": (Plant(DoubtAges, "look", _nobody_is_called),),
    "an answer is never taken back": (Plant(ExistingPayments, "_correct", _no_correction),),
    "a corrected answer leaves the books": (
        Plant(commit_decision, "_settle_correction", _corrects_no_books),
    ),
    "a lost line means not sent": _on_advance(_lost_line_means_not_sent),
    "who is not reached has not charged": _on_advance(_not_reached_is_no),
    "a correction is taken and forgotten": _on_advance(_a_person_is_always_right),
    "PUBACK although the journal failed": (Plant(Desk, "_serve", _pubacks_what_failed),),
    "the epoch of another connection counts": (Plant(starts, "refuse_unfresh", _any_epoch_counts),),
    "a command never expires": (Plant(starts, "refuse_unfresh", _never_expires),),
    "the clerk always agrees": (Plant(ExistingPayments, "judge", _the_clerk_always_agrees),),
    "what nobody signed is reversed": (
        Plant(SignaturePolicy, "__init__", _reverses_what_nobody_signed),
    ),
    "a refused signature is accepted": _on_advance(_refused_is_accepted),
    "a receipt is not stored": (Plant(Conversation, "_apply", _loses_receipts),),
    "a document is told from memory": (Plant(PaymentStore, "get_stored", _tells_from_memory),),
    "a document is emptied while it is open": (Plant(Payment, "is_settled", _final_is_settled),),
    "a sale is forgotten while a sibling is live": (
        Plant(PaymentStore, "put_retired", _drops_the_sale),
    ),
    "a group commit leaves a change out": (Plant(Journal, "_commit", _commits_late),),
    "a part is told with one cent more": (Plant(pax_evidence, "approval_of", _one_cent_more),),
    "what was asked for is told as taken": _on_advance(_tells_what_was_asked),
    "a sale is booked with one cent more": (Plant(purchase, "settle", _books_one_cent_more),),
    "an original does not hear of its void": (Plant(machine, "follow", _forgets_a_void),),
    "our own books are all books": (Plant(DayEnds, "_compare", _our_books_are_all_books),),
    "a record without reference is ours": (
        Plant(pax_evidence, "_is_as_ordered", _any_amount_is_ours),
    ),
    "an empty batch means not charged": (Plant(pax_inquiry, "_prove_absence", _absent_means_no),),
}

# In which worlds each shows itself soonest; `cards` where nothing is said.
WORLD_OF: dict[str, str] = {
    "a void is accepted while a refund runs": "twins/after sales",
    "a tip is added after a part refund": "twins/after sales",
    "a follow-up comes in another currency": "twins/after sales",
    "a doubt is young again in each life": "storms/cards",
    "nobody is called about a doubt": "storms/cards",
    "an answer is never taken back": "errors/cards",
    "a corrected answer leaves the books": "errors/cards",
    "a correction is taken and forgotten": "errors/cards",
    "a part is told with one cent more": "parts/cards",
    "a record without reference is ours": "strangers/cards",
    "an empty batch means not charged": "pax/after sales",
    "what was asked for is told as taken": "parts/cards",
    "the clerk always agrees": "signed/cards",
    "a refused signature is accepted": "signed/cards",
    "what nobody signed is reversed": "signed/cards",
    "an original does not hear of its void": "twins/after sales",
    "our own books are all books": "twins/after sales",
}

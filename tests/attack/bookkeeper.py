"""The pure rules put together without a journal, and terminals that really move money.

`Rules` are the product's own functions; a planted bug replaces one of them. `Shop` is what the
ledger does with them, and `Truth` what happened to money, whatever was told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.admission import refuse_follow_up, refuse_unsafe_start
from bridge.money.commit_decision import BooksPolicy, Decision, Moment, SaleAsKnown, decide
from bridge.money.coverage import was_given_back
from bridge.money.split_payment import BeginLeg, EndHold, PlanStep, Wait, next_step
from bridge.money.store.records import PaymentRecord, captured_payments
from drivers.contract import Approval, Approved, Card, Declined, Failed, Money, Unclear

EUR = "EUR"
POLICY = BooksPolicy("S012")
STEPS_MAX = 200  # of one plan that is carried to its end


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides; each can be replaced by a bug."""

    refuse_start: Callable[..., None] = refuse_unsafe_start
    refuse_follow_up: Callable[..., None] = refuse_follow_up
    decide: Callable[..., Decision] = decide
    next_step: Callable[..., PlanStep] = next_step


@dataclass(slots=True)
class Truth:
    """What happened to money, in minor units by payment."""

    taken: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)  # of a hold, at its highest
    holding: dict[str, int] = field(default_factory=dict)  # of a hold, now
    given: dict[str, int] = field(default_factory=dict)  # back, of what was taken
    moved: dict[str, int] = field(default_factory=dict)  # by an operation, however it is told

    def carry_out(self, request: p.PaymentRequest, minor: int) -> None:
        """Do what was ordered; a terminal checks nothing."""
        name, original = request.payment_id, request.original_payment_id
        self.moved[name] = minor
        match request.type:
            case p.PaymentType.SALE:
                self.taken[name] = minor
            case p.PaymentType.PREAUTH:
                self.held[name] = self.holding[name] = minor
            case p.PaymentType.INCREMENT:
                self.held[original] += minor
                self.holding[original] += minor
            case p.PaymentType.CAPTURE:
                self.taken[name] = minor
                left = self.holding[original] - minor
                self.holding[original] = 0 if request.is_last else left
            case p.PaymentType.REFUND:
                self.given[original] = self.given.get(original, 0) + minor
            case p.PaymentType.VOID if original in self.holding:
                self.holding[original] = 0
            case p.PaymentType.VOID:
                self.given[original] = self.given.get(original, 0) + self.taken[original]
            case _:
                raise AssertionError("not played")

    def has(self, name: str) -> int:
        """Return what the store has of a payment now."""
        return self.taken.get(name, 0) - self.given.get(name, 0)


class Shop:
    """Accounts, purchases and plans of a store, as the ledger and `split_payments.py` keep them."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.truth = Truth()
        self.accounts: dict[str, PaymentRecord] = {}
        self.purchases: list[s.PurchaseDue] = []
        self.plans: dict[str, tuple[p.PaymentRequest, ...]] = {}
        self.wanted: set[str] = set()
        self.ends = 0
        self._seconds = 0

    # --- what the ledger does

    def accept(self, request: p.PaymentRequest) -> bool:
        """Take a new payment, or refuse it."""
        siblings = self._of_sale(request.sale_key)
        payments = [one.payment for one in siblings]
        try:
            if request.type in p.FOLLOW_UPS:
                original = self.accounts.get(request.original_payment_id)
                self.rules.refuse_follow_up(request, original, payments, batch_closed_seq=0)
            else:
                self.rules.refuse_start(
                    request,
                    payments,
                    captured_payments(siblings, ""),
                    was_given_back=was_given_back(siblings),
                )
        except RequestError:
            return False
        self._store(None, p.Requested(request))
        return True

    def apply(self, name: str, event: p.Event) -> None:
        """Have something happen to a payment."""
        self._store(self.accounts[name], event)

    def _store(self, before: PaymentRecord | None, event: p.Event) -> None:
        request = event.request if isinstance(event, p.Requested) else None
        request = before.payment.request if before is not None else request
        assert request is not None
        others = [
            one for one in self._of_sale(request.sale_key) if one.payment_id != request.payment_id
        ]
        known = SaleAsKnown(others, self.accounts.get(request.original_payment_id), self.in_books())
        self._seconds += 1
        moment = Moment(f"2026-11-23T12:{self._seconds // 60:02d}:{self._seconds % 60:02d}", "")
        done = self.rules.decide(before, (event,), known, POLICY, moment)
        for account in (done.account, done.original):
            if account is not None:
                self.accounts[account.payment_id] = account
        if done.opened is not None:
            content = done.opened.purchase
            self.purchases.append(
                s.PurchaseDue(content.content, content.sale_key, content.payment_ids)
            )

    def in_books(self) -> set[str]:
        """Return the payments that a purchase names."""
        return {name for due in self.purchases for name in due.payment_ids}

    def _of_sale(self, key: str) -> list[PaymentRecord]:
        return [one for one in self.accounts.values() if one.payment.request.sale_key == key]

    # --- what terminals do

    def begin(self, name: str, *, works: bool, minor: int = 0) -> None:
        """Start a queued payment; the terminal moves money or does not, and says nothing yet."""
        request = self.payment(name).request
        self.apply(name, p.Started(None))
        if works:
            self.truth.carry_out(request, minor or request.amount.minor)

    def tell(self, name: str, how: Literal["all", "nothing"] = "all") -> None:
        """Have the terminal say what it did, or have its answer lost."""
        if how == "nothing":
            self.apply(name, Unclear("link_lost"))
        elif name in self.truth.moved:
            self.apply(name, self.approved(name))
        else:
            doubtful = self.payment(name).doubt is not None
            self.apply(name, Failed("not_executed") if doubtful else Declined("05"))

    def approved(self, name: str) -> Approved:
        """Return what the terminal remembers of a payment that moved money."""
        amount = Money(self.truth.moved[name], EUR)
        tip = self.payment(name).request.tip
        return Approved(Approval(amount, f"T/{name}", tip=tip, card=Card("visa")))

    def answer(self, name: str) -> None:
        """Have an honest person resolve a doubt."""
        if name in self.truth.moved:
            seen = Money(self.truth.moved[name], EUR)
            self.apply(name, p.Resolved("approved", "anna", "1", amount=seen))
        else:
            self.apply(name, p.Resolved("not_charged", "anna"))

    def restart(self) -> None:
        """Die and live again; legs that had not begun are nobody's any more."""
        self.wanted.clear()
        for one in tuple(self.accounts.values()):
            if not one.payment.is_final:
                self.apply(one.payment_id, p.Restarted())

    # --- what `split_payments.py` does

    def start_plan(self, plan_id: str, sale: s.SaleDetails, sale_id: str) -> None:
        """Start a plan of two gift cards and a card that pays a whole sale."""
        third = sale.total.minor // 3
        minors = (third, third, sale.total.minor - 2 * third)
        methods: tuple[Literal["card", "gift_card"], ...] = ("gift_card", "gift_card", "card")
        plan = p.Plan(
            plan_id,
            tuple(
                p.PlanLeg(f"{plan_id}-{number}", method, Money(minor, EUR))
                for number, (method, minor) in enumerate(zip(methods, minors, strict=True))
            ),
        )
        legs = tuple(
            request(leg.payment_id, leg.amount.minor, sale_id, sale=sale, plan=plan)
            if leg.method == "card"
            else request(
                leg.payment_id,
                leg.amount.minor,
                sale_id,
                sale=sale,
                plan=plan,
                type=p.PaymentType.PREAUTH,
                terminal_id=p.GIFT_CARDS,
            )
            for leg in plan.legs
        )
        if self.accept(legs[0]):
            self.plans[plan_id] = legs
            self.wanted.add(plan_id)

    def step(self, plan_id: str) -> bool:
        """Take a plan's next step; False when it waits or is done."""
        legs = self.plans[plan_id]
        plan = legs[0].plan
        assert plan is not None
        payments = {
            one.payment_id: one.payment
            for one in self.accounts.values()
            if one.payment.request.plan == plan
        }
        step = self.rules.next_step(plan, payments, is_wanted=plan_id in self.wanted)
        match step:
            case BeginLeg(leg):
                if not self.accept(next(one for one in legs if one.payment_id == leg.payment_id)):
                    self.wanted.discard(plan_id)
            case EndHold(hold, how, _):
                if how == "void":
                    self.wanted.discard(plan_id)
                self.ends += 1
                assert self.accept(ending(hold, how, f"{plan_id}-end-{self.ends}"))
            case Wait():
                if any(one.doubt is not None for one in payments.values()):
                    self.wanted.discard(plan_id)
                return False
            case _:
                return False
        return True

    # --- the end

    def finish(self) -> None:
        """Let everything come to its end: terminals answer, plans are carried on, the books wait
        no longer."""
        for _ in range(STEPS_MAX):
            for name in self.open():
                if self.payment(name).status is p.Status.QUEUED:
                    self.begin(name, works=True)
                self.tell(name)
            if not any([self.step(plan_id) for plan_id in self.plans]) and not self.open():
                break
        else:
            raise AssertionError("a plan never ends")
        for one in tuple(self.accounts.values()):
            payment = self.payment(one.payment_id)
            if payment.recording is p.Recording.PENDING and one.payment_id not in self.in_books():
                self.apply(one.payment_id, p.LinesOverdue())

    def open(self) -> list[str]:
        """Return the payments that are not final."""
        return [one.payment_id for one in self.accounts.values() if not one.payment.is_final]

    def payment(self, name: str) -> p.Payment:
        """Return a payment."""
        return self.accounts[name].payment

    def booked_minor(self) -> int:
        """Return what the books were told of, less what was given back."""
        contents = [due.content for due in self.purchases]
        return sum(one.pay_amount.minor + one.tip_minor - one.sale.refund_minor for one in contents)


def request(name: str, minor: int, sale_id: str, **more: Any) -> p.PaymentRequest:
    """Return the start of a payment."""
    plain = p.PaymentRequest(
        payment_id=name,
        register_id="till-1",
        terminal_id="counter-1",
        type=p.PaymentType.SALE,
        amount=Money(minor, EUR),
        content_hash=name,
        sale_id=sale_id,
    )
    return replace(plain, **more)


def following(
    original: p.Payment, kind: p.PaymentType, name: str, minor: int, **more: Any
) -> p.PaymentRequest:
    """Return a follow-up."""
    return request(
        name,
        minor,
        "",
        type=kind,
        original_payment_id=original.request.payment_id,
        original=original.approval,
        original_sale_key=original.request.sale_key,
        **more,
    )


def ending(hold: p.Payment, how: str, name: str) -> p.PaymentRequest:
    """Return the payment that ends a plan's hold."""
    minor = hold.held_minor
    return following(hold, p.PaymentType(how), name, minor, plan=hold.request.plan)


def check(shop: Shop, totals: dict[str, int]) -> None:
    """The three rules, at any moment: `totals` are what the sales cost, by key."""
    truth = shop.truth
    for key, total in totals.items():
        names = [o.payment_id for o in shop.accounts.values() if o.payment.request.sale_key == key]
        tips = sum(_tip(shop.payment(name)) for name in names if truth.has(name))
        has = sum(truth.has(name) + truth.holding.get(name, 0) for name in names)
        assert has - tips <= total, f"{key} costs {total}, and {has} is taken or held"
    for name, given in truth.given.items():
        assert given <= truth.taken[name], "more given back than was taken"
    for name, left in truth.holding.items():
        assert left >= 0, f"more captured of {name} than was held"
    for account in shop.accounts.values():
        _check_told(account.payment, truth)
    _once(name for due in shop.purchases for name in due.payment_ids)


def check_end(shop: Shop) -> None:
    """The three rules, once everything is over."""
    truth = shop.truth
    assert shop.booked_minor() == sum(truth.has(name) for name in truth.taken), "books and money"
    for plan_id, legs in shop.plans.items():
        plan = legs[0].plan
        assert plan is not None
        of_plan = [o for o in shop.accounts.values() if o.payment.request.plan == plan]
        assert not any(truth.holding.get(one.payment_id) for one in of_plan), "held for ever"
        taken = sum(truth.taken.get(one.payment_id, 0) for one in of_plan)
        assert taken in {0, plan.total.minor}, f"{plan_id} took {taken}, a part of itself"


def _check_told(payment: p.Payment, truth: Truth) -> None:
    moved = truth.moved.get(payment.request.payment_id)
    if payment.status is p.Status.APPROVED:
        assert payment.approval is not None
        assert payment.approval.amount.minor == moved, "what is told is what happened"
    elif payment.is_final:
        assert moved is None, f"told as {payment.status.value}, and money moved"


def _tip(payment: p.Payment) -> int:
    return payment.request.tip.minor if payment.request.tip else 0


def _once(names: Iterable[str]) -> None:
    found: Sequence[str] = list(names)
    assert len(found) == len(set(found)), "a payment is in the books once"

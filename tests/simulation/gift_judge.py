"""Compares what became of gift cards at the back office with what was asked, stored and said.

The rules continue the judge's: G1 no card is charged or filled twice for one payment, G2 no card
is charged for a sale that is not paid, G3 no card is filled with money that nobody paid, G4
nothing is held for ever, G5 a plan takes all or nothing, G6 balances add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.office import ELSEWHERE
from tests.simulation.pages import Pages, Written
from tests.simulation.plans import PlannedLeg
from tests.simulation.story import Story
from tests.simulation.truth import Truth

if TYPE_CHECKING:
    from tests.simulation.judge import Judge


@dataclass(slots=True)
class Trans:
    """One transaction of a gift card at the back office. `minor` is below 0 when it takes."""

    name: str
    card: str
    ref: str
    kind: str
    minor: int
    status: str

    @property
    def takes(self) -> bool:
        return self.kind == "USE"


@dataclass(slots=True)
class GiftJudge:
    """Who looks at gift cards. Hears of every effect as it happens."""

    judge: Judge
    story: Story
    truth: Truth
    transactions: dict[str, Trans] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)  # card -> cents, signed

    # --- as it happens

    def changed(self, line: Mapping[str, Any]) -> None:
        """The back office has one more line in its ledger."""
        match line["effect"]:
            case "gift_card_trans_added" if line["sourceId"] == ELSEWHERE:
                card = str(line["giftcardId"])
                self.elsewhere[card] = self.elsewhere.get(card, 0) + _cents(line["amount"])
                self.story.mark("another shop used a gift card")
            case "gift_card_trans_added":
                self._added(line)
            case "gift_card_trans_captured" | "gift_card_trans_cancelled":
                self._ended(line)
            case _:
                pass

    def _added(self, line: Mapping[str, Any]) -> None:
        made = Trans(
            name=str(line["id"]),
            card=str(line["giftcardId"]),
            ref=str(line["refNo"]),
            kind=str(line["transType"]),
            minor=_cents(line["amount"]),
            status=str(line["status"]),
        )
        name = _short(made.ref)
        self.story.mark("gift card hold" if made.takes else "gift card load asked for")
        if "Started" not in self.judge.pages.kinds(made.ref):
            self.story.accuse("S2", f"{name} moves a gift card before its marker is on disk")
        if any(one.status != "CANCELLED" for one in self.of(made.ref)):
            self.story.accuse("G1", f"{name} moves a gift card twice")
        wanted = self.judge.pages.amount_minor(made.ref) or 0
        if abs(made.minor) > wanted:
            self.story.accuse("S7", f"{name} moves {made.minor}, wanted were {wanted}")
        self.transactions[made.name] = made
        if made.takes:
            self.judge.pledges.moved(self.judge.command_of(made.ref), f"{name} holds a card")
            self._refuse_denied(made, "held")

    def _ended(self, line: Mapping[str, Any]) -> None:
        trans = self.transactions[str(line["id"])]
        trans.status, trans.minor = str(line["status"]), _cents(line["amount"])
        name = _short(trans.ref)
        if trans.status == "CANCELLED":
            self.story.mark("gift card hold released")
            if trans.takes and self._is_paid_with(trans.ref):
                self.story.accuse("S4", f"{name} is given back, but told approved")
            return
        if not trans.takes:
            self.story.mark("gift card filled")
            self._judge_load(trans)
            return
        self.story.mark("gift card captured")
        self._refuse_denied(trans, "captured")
        card_leg = self._card_leg(trans.ref)
        if card_leg is not None and card_leg.payment_id in self.judge.erred:
            return  # a person said that it had paid
        if card_leg is not None and not self.truth.standing(card_leg.payment_id):
            self.story.accuse("G2", f"{name} is captured, but the card of its plan has not paid")

    def _refuse_denied(self, trans: Trans, how: str) -> None:
        told = self.judge.told.get(trans.ref)
        if told is not None and told.said_no and trans.ref not in self.judge.resolved:
            self.story.accuse("S3", f"{_short(trans.ref)} is {how} after it was {told.said_no}")

    def _is_paid_with(self, payment_id: str) -> bool:
        told = self.judge.told.get(payment_id)
        hold = self.judge.kinds.get(payment_id) != "sale"
        return told is not None and told.status == "approved" and not hold

    def _judge_load(self, trans: Trans) -> None:
        given = self.judge.pages.payment(trans.ref)
        if given.type == "refund" and not given.original_id:
            return  # a store credit, which a supervisor answers for
        sale_id = self.judge.sale_of.get(trans.ref, "")
        siblings = [one for one, sale in self.judge.sale_of.items() if sale == sale_id]
        if self.judge.erred.intersection(siblings):
            return  # a person said that it was paid
        paid = sum(self.truth.taken_minor(one) for one in siblings)
        paid += sum(self.taken_minor(one) for one in siblings)
        filled = sum(
            trans.minor
            for one in siblings
            for trans in self.of(one)
            if not trans.takes and trans.status == "COMPLETED"
        )
        if filled > paid:
            self.story.accuse("G3", f"{filled} fill cards in sale {sale_id}, paid were {paid}")

    # --- asked by the judge

    def of(self, payment_id: str) -> list[Trans]:
        """Return the transactions that name a payment."""
        return [one for one in self.transactions.values() if one.ref == payment_id]

    def taken_minor(self, payment_id: str) -> int:
        """Return what a payment for goods took from a gift card for good."""
        if self.judge.kinds.get(payment_id) == "unload":
            return 0
        return -sum(t.minor for t in self.of(payment_id) if t.takes and t.status == "COMPLETED")

    def returned_minor(self, payment_id: str) -> int:
        """Return what a refund put back on a gift card."""
        if self.judge.kinds.get(payment_id) != "refund":
            return 0
        return sum(t.minor for t in self.of(payment_id) if t.status == "COMPLETED")

    def moved(self, payment_id: str) -> bool:
        """Tell whether a gift card's money is held or gone for a payment, or has come by it."""
        stands = {"COMPLETED", "AUTHORIZED"}
        return any(t.status in (stands if t.takes else {"COMPLETED"}) for t in self.of(payment_id))

    def said_yes(self, payment_id: str, kind: str) -> None:
        """A gift card payment is told approved; follow-ups are looked at in the end."""
        if kind in {"sale", "load"} and not any(
            one.status == "COMPLETED" for one in self.of(payment_id)
        ):
            self.story.accuse("S4", f"{_short(payment_id)} is told approved, no card moved")

    def _card_leg(self, payment_id: str) -> PlannedLeg | None:
        legs = self.judge.plan_of(payment_id)
        return legs[-1] if legs and legs[-1].method == "card" else None

    # --- in the end

    def judge_the_end(self, pages: Pages, cards: Mapping[str, tuple[int, int]]) -> None:
        """Compare disk and back office; `cards` have what was and what is on each, in cents."""
        for trans in self.transactions.values():
            self._judge_trans(trans, pages)
        effects: dict[str, int] = dict(self.elsewhere)
        by_ref = {one.ref: one for one in self.transactions.values() if one.status != "CANCELLED"}
        for payment in pages.payments():
            minor = _effect_minor(payment, pages)
            if not minor:
                continue
            found = by_ref.get(payment.payment_id)
            if found is None:
                self.story.accuse("S4", f"{_short(payment.payment_id)} says {minor}, no card moved")
            else:
                effects[found.card] = effects.get(found.card, 0) + minor
        for card, (was, now) in cards.items():
            if was + effects.get(card, 0) != now:
                told = was + effects.get(card, 0)
                self.story.accuse("G6", f"card {card} holds {now}, the journal says {told}")
        for plan_id, legs in self.judge.plans.items():
            self._judge_plan(plan_id, legs)

    def _judge_trans(self, trans: Trans, pages: Pages) -> None:
        name = _short(trans.ref)
        if trans.ref not in pages.rows:
            self.story.accuse("S3", f"{name} moved a gift card and is unknown")
            return
        payment = pages.payment(trans.ref)
        if trans.status == "AUTHORIZED" and trans.takes:
            kept = payment.is_approved and payment.type == "preauth" and not payment.plan_id
            self.story.mark("hold kept on purpose" if kept else "hold left")
            if not kept:
                self.story.accuse("G4", f"{name} is {payment.row.status}, its card is held")
        elif trans.status == "AUTHORIZED":
            self.story.mark("load given up without its id")  # holds nothing: only captured ones do

    def _judge_plan(self, plan_id: str, legs: tuple[PlannedLeg, ...]) -> None:
        taken = [
            self.taken_minor(one.payment_id)
            + sum(charge.net_minor for charge in self.truth.charges_for(one.payment_id))
            for one in legs
        ]
        lied = self.judge.erred.intersection(one.payment_id for one in legs)
        if any(taken) and not lied and taken != [one.minor for one in legs]:
            self.story.accuse("G5", f"plan {_short(plan_id)} took {taken} of {legs}")


def _effect_minor(payment: Written, pages: Pages) -> int:
    """Return what the disk says a payment did to its gift card, in cents; follow-ups 0."""
    if not payment.is_approved or payment.row.method != "gift_card":
        return 0
    match payment.type:
        case "sale" | "unload":
            return -payment.approved_minor()
        case "load" | "refund":
            return payment.approved_minor()
        case "preauth":
            captures = pages.following(payment.payment_id, "capture")
            if captures or pages.is_voided(payment.payment_id):
                return -sum(one.approved_minor() for one in captures)
            return -payment.approved_minor()
        case _:
            return 0


def _cents(text: object) -> int:
    return int(Decimal(str(text)) * 100)


def _short(name: str) -> str:
    return name.rpartition("-")[2].lstrip("0") or name

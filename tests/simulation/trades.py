"""What the tills of a world sell and do: cards, gift cards, plans, and what comes after a sale.

Each function serves one shopper. Which of them a world knows, its weather says.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.simulation.attempts import NO, Attempt, amounts, card_start, sale
from tests.simulation.tills import Till

Trade = Literal["cards", "gift cards", "after sales", "all"]

CARDS_TRIED_MAX = 3  # a shopper tries at most three cards
# What a till moves on a gift card is a whole number of euros and no other shop's amount is, so that
# no two movements hide each other: a balance is evidence, not proof.
EURO = 100


@dataclass(frozen=True, slots=True)
class GiftCard:
    """A gift card as the shopper holds it."""

    code: str
    pin: str
    minor: int  # what was on it in the beginning

    def shown(self, rng: random.Random) -> dict[str, str]:
        """Return the card as the till sends it; now and then the PIN is wrong."""
        body = {"stored_value_id": self.code}
        if self.pin:
            body["pin"] = self.pin if rng.random() < 0.95 else "0000"
        return body


@dataclass(slots=True)
class Shop:
    """What the tills of a store know together."""

    mark: Callable[[str], None]
    terminals: tuple[str, ...]
    gift_cards: tuple[GiftCard, ...] = ()
    able: tuple[str, ...] = ()  # terminals that can follow up what they took
    blank_cards: list[GiftCard] = field(default_factory=list)  # sold, but not known yet
    paid: list[Attempt] = field(default_factory=list)  # card payments, any till's

    async def serve(self, trade: Trade, till: Till, sale_id: str) -> None:
        """Serve one shopper."""
        match trade:
            case "cards":
                await self.sell(till, sale_id)
            case "gift cards":
                await till.rng.choice(GIFT_CARD_TRADES)(self, till, sale_id)
            case "after sales":
                await till.rng.choice(AFTER_SALES_TRADES)(self, till, sale_id)
            case "all":
                choices = (*GIFT_CARD_TRADES, *AFTER_SALES_TRADES)
                await till.rng.choice(choices)(self, till, sale_id)

    # --- cards

    async def sell(self, till: Till, sale_id: str) -> None:
        """Take a sale's money from one card or two."""
        rng = till.rng
        total = rng.randint(100, 9_999)
        if till.last_amount and rng.random() < till.habits.same_amount:
            total = till.last_amount
        till.last_amount = total
        parts = [total]
        if rng.random() < till.habits.split:
            parts = [total // 3, total - total // 3]
        for part in parts:
            if not await self._take(till, sale_id, part, total):
                return

    async def _take(self, till: Till, sale_id: str, minor: int, total: int) -> bool:
        for _ in range(CARDS_TRIED_MAX):
            content = card_start(till.terminal_id, sale_id, minor, total)
            if till.rng.random() < 0.1:
                content["accept_partial"] = True
            attempt = till.attempt(sale_id, minor, content)
            await till.pay(attempt)
            if attempt.status == "approved":
                self.paid.append(attempt)
            if attempt.status not in NO:
                break
            if till.closing:
                return False
        return attempt.status == "approved"

    # --- gift cards

    async def sell_by_gift_card(self, till: Till, sale_id: str) -> None:
        """Take a sale's money from a gift card, at once."""
        await till.pay(self._by_gift_card(till, sale_id, self._euros(till)))

    async def give_back_to_gift_card(self, till: Till, sale_id: str) -> None:
        """Take a sale's money from a gift card and give some of it back, or more than it was."""
        paid = self._by_gift_card(till, sale_id, self._euros(till))
        await till.pay(paid)
        if paid.status != "approved":
            return
        for _ in range(till.rng.choice((1, 2))):
            part = till.rng.choice((EURO, paid.amount_minor, paid.amount_minor + EURO))
            await self._follow_up(till, paid, "payment/refund", part)

    async def hold_on_gift_card(self, till: Till, sale_id: str) -> None:
        """Hold a gift card's money, then take it or some of it, give it back, or keep it held."""
        rng = till.rng
        hold = self._by_gift_card(till, sale_id, self._euros(till), capture="manual")
        await till.pay(hold)
        if hold.status != "approved" or rng.random() < 0.15:
            return
        await asyncio.sleep(rng.uniform(0.1, 15))
        if rng.random() < 0.4:
            await self._follow_up(till, hold, "payment/void", 0)
        else:
            minor = hold.amount_minor
            part = rng.choice((minor, minor, max(minor - EURO, EURO), minor + EURO))
            await self._follow_up(till, hold, "payment/capture", part)

    async def top_up(self, till: Till, sale_id: str) -> None:
        """Sell what fills a gift card, paid by card."""
        rng = till.rng
        card = rng.choice(self.gift_cards)
        minor = self._euros(till)
        load = till.attempt(
            sale_id,
            minor,
            {
                "sale_id": sale_id,
                "gift_card": card.shown(rng),
                "amounts": amounts(minor),
                "deadline_s": rng.choice((20, 60, 300)),
            },
            "gift_card/load",
        )
        if not await till.begin(load):
            return
        total = minor + rng.choice((0, 0, 350))
        if await self._take(till, sale_id, total, total) or rng.random() < 0.5:
            await till.follow(load)
        else:
            till.send("payment/cancel", {"payment_id": load.payment_id})

    async def take_off_again(self, till: Till, sale_id: str) -> None:
        """Fill a gift card, and take its value off again."""
        load = await self._fill(till, sale_id, till.rng.choice(self.gift_cards), "gift_card/load")
        if load is None or load.status != "approved":
            return
        shown = {"stored_value_id": load.content["gift_card"]["stored_value_id"]}
        if load.content["gift_card"].get("pin"):
            shown["pin"] = load.content["gift_card"]["pin"]
        content = {"original_payment_id": load.payment_id, "gift_card": shown}
        back = till.attempt(load.sale_id, load.amount_minor, content, "gift_card/reverse")
        await till.pay(back)
        if back.status == "approved":
            self.mark("value taken off again")

    async def sell_new_card(self, till: Till, sale_id: str) -> None:
        """Sell a gift card that the back office does not know yet."""
        card = self.blank_cards.pop() if self.blank_cards else None
        if card is None:
            return
        load = await self._fill(till, sale_id, card, "gift_card/activate")
        if load is not None and load.status == "approved":
            self.mark("gift card activated")

    async def store_credit(self, till: Till, sale_id: str) -> None:
        """Put value on a gift card that no payment of ours brought; a supervisor agrees."""
        rng = till.rng
        minor = self._euros(till)
        content = {
            "gift_card": rng.choice(self.gift_cards).shown(rng),
            "amounts": amounts(minor),
            "approved_by": "supervisor-1",
        }
        credit = till.attempt("", minor, content, "payment/refund")
        await till.pay(credit)
        if credit.status == "approved":
            self.mark("store credit")

    async def _fill(
        self, till: Till, sale_id: str, card: GiftCard, operation: str
    ) -> Attempt | None:
        """Have a card filled, and paid by another; None when nobody takes the command."""
        minor = self._euros(till)
        content = {
            "sale_id": sale_id,
            "gift_card": card.shown(till.rng),
            "amounts": amounts(minor),
            "deadline_s": 60,
        }
        load = till.attempt(sale_id, minor, content, operation)
        if not await till.begin(load):
            return None
        if await self._take(till, sale_id, minor, minor):
            await till.follow(load)
        else:
            till.send("payment/cancel", {"payment_id": load.payment_id})
        return load

    async def plan(self, till: Till, sale_id: str) -> None:
        """Take a sale's money from one or two gift cards and perhaps a card."""
        rng = till.rng
        cards = rng.sample(self.gift_cards, rng.choice((1, 1, 2)))
        by_card = len(cards) == 1 or rng.random() < 0.6
        legs: list[dict[str, Any]] = []
        total = 0
        for card in cards:
            minor = self._euros(till)
            total += minor
            shown = card.shown(rng)
            legs.append({"method": "gift_card", "gift_card": shown, "amount": _text(minor)})
        if by_card:
            total += rng.randint(100, 3_000)
            legs.append({"method": "card"})
        content = card_start(till.terminal_id, sale_id, total, total) | {"plan": legs}
        attempt = till.attempt(sale_id, total, content)
        await till.pay(attempt)
        if attempt.status == "approved":
            self.mark("plan paid")
        elif attempt.is_over:
            self.mark("plan came to nothing")

    async def ask_balance(self, till: Till, sale_id: str) -> None:
        """Look what is on a gift card."""
        card = till.rng.choice(self.gift_cards)
        till.send("gift_card/balance", {"gift_card": {"stored_value_id": card.code}})
        await asyncio.sleep(2)

    def _euros(self, till: Till) -> int:
        return EURO * till.rng.randint(1, 40)

    def _by_gift_card(self, till: Till, sale_id: str, minor: int, **more: Any) -> Attempt:
        rng = till.rng
        card = rng.choice(self.gift_cards)
        content = {
            "method": "gift_card",
            "gift_card": card.shown(rng),
            "sale_id": sale_id,
            "amounts": amounts(minor),
            "sale": sale(minor),
            **more,
        }
        if "capture" not in more and rng.random() < 0.2:
            content["accept_partial"] = True
        return till.attempt(sale_id, minor, content)

    # --- what comes after a sale

    async def hold_on_card(self, till: Till, sale_id: str) -> None:
        """Hold a card's money, perhaps raise it; then take some, give it back, or keep it."""
        rng = till.rng
        minor = rng.randint(1_000, 9_999)
        content = card_start(till.terminal_id, sale_id, minor, minor) | {"type": "preauth"}
        hold = till.attempt(sale_id, minor, content)
        await till.pay(hold)
        if hold.status != "approved":
            return
        if rng.random() < 0.3:
            raised = await self._follow_up(till, hold, "payment/increment", rng.randint(100, 999))
            minor += raised.amount_minor if raised.status == "approved" else 0
        draw = rng.random()
        if draw < 0.15:
            return
        if draw < 0.4:
            await self._follow_up(till, hold, "payment/void", 0)
            return
        part = rng.choice((minor, minor // 2, minor + 1))
        await self._follow_up(till, hold, "payment/capture", part)

    async def give_back(self, till: Till, sale_id: str) -> None:
        """Give some of an earlier payment back, sometimes more than there is, sometimes again."""
        rng = till.rng
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        for _ in range(rng.choice((1, 2))):
            whole = paid.amount_minor
            part = rng.choice((whole // 2, whole, whole * 2 // 3, whole + 1))
            elsewhere = rng.choice(self.terminals) if rng.random() < 0.5 else ""
            await self._follow_up(till, paid, "payment/refund", part, elsewhere)

    async def give_back_at_two_terminals(self, till: Till, sale_id: str) -> None:
        """Give a whole payment back at two terminals at once: one of them must not."""
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        whole = paid.amount_minor
        twins = [
            self._follow_up_of(till, paid, "payment/refund", whole, terminal)
            for terminal in self.terminals
        ]
        begun = [one for one in twins if await till.begin(one)]
        for one in begun:
            await till.follow(one)

    async def undo_while_it_goes_back(self, till: Till, sale_id: str) -> None:
        """Void a payment while some of it is given back elsewhere: one of them must not."""
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        elsewhere = [one for one in self.terminals if one != paid.content["terminal_id"]]
        part = max(paid.amount_minor // 2, 1)
        refund = self._follow_up_of(
            till, paid, "payment/refund", part, elsewhere[0] if elsewhere else ""
        )
        void = self._follow_up_of(till, paid, "payment/void", 0, "")
        begun = [one for one in (refund, void) if await till.begin(one)]
        for one in begun:
            await till.follow(one)

    async def tip_after_refund(self, till: Till, sale_id: str) -> None:
        """Add a tip to what was given back in part: nobody may."""
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        await self._follow_up(till, paid, "payment/refund", max(paid.amount_minor // 3, 1))
        await self._follow_up(till, paid, "payment/tip_adjust", 100)

    async def give_back_other_money(self, till: Till, sale_id: str) -> None:
        """Give a payment back in another currency: nobody may."""
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        other = self._follow_up_of(till, paid, "payment/refund", paid.amount_minor, "")
        other.content["amounts"]["currency"] = "CHF"
        await till.begin(other)

    async def undo_after_close(self, till: Till, sale_id: str) -> None:
        """Void a payment whose batch was closed meanwhile."""
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        body = {"terminal_id": paid.content["terminal_id"], "close": True}
        till.send("terminal/reconcile", body)
        await asyncio.sleep(till.rng.uniform(5, 15))
        await self._follow_up(till, paid, "payment/void", 0)

    async def undo(self, till: Till, sale_id: str) -> None:
        """Void an earlier payment."""
        paid = await self._some_paid(till, sale_id)
        if paid is not None:
            await self._follow_up(till, paid, "payment/void", 0)

    async def add_tip(self, till: Till, sale_id: str) -> None:
        """Add a tip to an earlier payment; undo both now and then."""
        paid = await self._some_paid(till, sale_id)
        if paid is None:
            return
        await self._follow_up(till, paid, "payment/tip_adjust", till.rng.randint(50, 300))
        if till.rng.random() < 0.2:
            await self._follow_up(till, paid, "payment/void", 0)

    async def pay_again(self, till: Till, sale_id: str) -> None:
        """Ask for the money of a sale that is paid already: nobody may take it."""
        await self.sell(till, sale_id)
        total = till.last_amount
        content = card_start(till.terminal_id, sale_id, total, total)
        await till.pay(till.attempt(sale_id, total, content))

    async def close_batch(self, till: Till, sale_id: str) -> None:
        """Have the terminal end its day, or only tell its totals."""
        if till.rng.random() < 0.5:
            await self.sell(till, sale_id)
        close = till.rng.random() < 0.7
        body = {"terminal_id": till.terminal_id}
        till.send("terminal/reconcile", body | {"close": close})
        await asyncio.sleep(till.rng.uniform(1, 10))

    async def _some_paid(self, till: Till, sale_id: str) -> Attempt | None:
        if not self.paid or till.rng.random() < 0.4:
            await self.sell(till, sale_id)
        return till.rng.choice(self.paid) if self.paid else None

    async def _follow_up(
        self, till: Till, original: Attempt, operation: str, minor: int, terminal: str = ""
    ) -> Attempt:
        attempt = self._follow_up_of(till, original, operation, minor, terminal)
        await till.pay(attempt)
        return attempt

    def _follow_up_of(
        self, till: Till, original: Attempt, operation: str, minor: int, terminal: str
    ) -> Attempt:
        content: dict[str, Any] = {"original_payment_id": original.payment_id}
        if terminal:
            content["terminal_id"] = terminal
        if operation != "payment/void":
            content["amounts"] = amounts(minor)
        return till.attempt(original.sale_id, minor, content, operation)


def _text(minor: int) -> str:
    return amounts(minor)["requested_amount"]


GIFT_CARD_TRADES = (
    Shop.sell_by_gift_card,
    Shop.give_back_to_gift_card,
    Shop.hold_on_gift_card,
    Shop.top_up,
    Shop.take_off_again,
    Shop.sell_new_card,
    Shop.store_credit,
    Shop.plan,
    Shop.plan,
    Shop.plan,
    Shop.ask_balance,
)
AFTER_SALES_TRADES = (
    Shop.sell,
    Shop.hold_on_card,
    Shop.hold_on_card,
    Shop.give_back,
    Shop.give_back,
    Shop.give_back_at_two_terminals,
    Shop.undo,
    Shop.undo_while_it_goes_back,
    Shop.tip_after_refund,
    Shop.give_back_other_money,
    Shop.undo_after_close,
    Shop.add_tip,
    Shop.pay_again,
    Shop.close_batch,
)

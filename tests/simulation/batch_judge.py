"""Compares what is said of terminals' batches with what they held.

S13 a follow-up moves no more than its original has, S14 a batch that is closed is neither voided
from nor called equal when it is not, S16 nothing is called matched that nobody compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.simulation.story import Story
from tests.simulation.truth import Charge, Order, Truth

CLOSES = "terminal/reconcile"
ENDS = frozenset({"Approved", "Resolved"})  # journal entries after which money has moved


@dataclass(slots=True)
class BatchJudge:
    """Who looks at batches, and at what follows a payment up."""

    story: Story
    truth: Truth
    is_open: Callable[[str], bool] = lambda _payment_id: False  # on the disk
    _entries: int = 0
    _requested: dict[str, int] = field(default_factory=dict)  # payment -> its place in the journal
    _ended: dict[str, int] = field(default_factory=dict)  # payment -> its place in the journal
    _closed: dict[str, int] = field(default_factory=dict)  # terminal -> place of its last close

    def committed(self, subject: str, kind: str) -> None:
        """One more entry is in the journal."""
        self._entries += 1
        if kind == "Requested":
            self._requested[subject] = self._entries
        elif kind in ENDS:
            self._ended[subject] = self._entries
        elif kind == "BatchClosed":
            self._closed[subject.partition("/")[2]] = self._entries
            self.story.mark("batch closed")

    def ordered(self, order: Order) -> None:
        """An order leaves for a terminal."""
        if order.kind != "Reverse":
            return
        earlier = [
            one
            for one in self.truth.orders
            if one.original_id == order.original_id and one.kind == "Reverse" and one is not order
        ]
        if any(self.is_open(one.payment_id) for one in earlier):
            self.story.accuse("S13", f"{order.original_id} is voided again, the first is open")
        ended = self._ended.get(order.original_id, 0)
        asked = self._requested.get(order.payment_id, 0)  # before the close was heard, it was right
        if ended < self._closed.get(order.terminal_id, 0) < asked:
            self.story.accuse("S14", f"a void of {order.original_id} leaves after the close")

    def moved(self, charge: Charge) -> None:
        """Look at what a follow-up moved: never more than there is of its original."""
        original = charge.original_id
        if not original or charge.kind == "held":
            return
        back = sum(one.amount_minor for one in self.truth.following(original, "refunded"))
        voided = bool(self.truth.following(original, "voided"))
        captured = sum(one.amount_minor for one in self.truth.following(original, "captured"))
        if charge.kind == "tipped":
            if back:
                self.story.accuse("S13", f"a tip is added to {original}, {back} went back")
            return
        tips = sum(one.amount_minor for one in self.truth.following(original, "tipped"))
        if back > self.truth.taken_minor(original) + tips:
            self.story.accuse("S13", f"{back} of {original} are given back")
        if voided and (back or captured):
            self.story.accuse("S13", f"{original} is voided, and was {charge.kind}")
        if captured > self.truth.held_minor(original):
            self.story.accuse("S13", f"{captured} of the hold {original} are captured")

    def told(self, response: Mapping[str, Any]) -> None:
        """A register is told what an end of day came to."""
        result = response.get("result")
        if response["op"] != CLOSES or response["status"] != "ok" or not result:
            return
        self.story.mark(f"end of day {result['status']}")
        said = result["compare"]
        if said["books"] == "matched" and said["back_office"] is None:
            self.story.accuse("S16", "books are matched that nobody compared")
        mine = [o for o in self.truth.closings if o.terminal_id == result["terminal_id"]]
        if result["status"] != "matched" or not result["closed"] or not mine:
            return
        closing, compared = mine[-1], result["compare"]
        terminal, journal = (_cents(compared[name]) for name in ("terminal", "journal"))
        if (
            terminal != closing.told_minor
            or journal != closing.ordered_minor
            or terminal != journal
        ):
            self.story.accuse(
                "S14", f"an end of day matches with {terminal} and {journal}, there is {closing}"
            )


def _cents(text: str) -> int:
    return int(Decimal(text) * 100)

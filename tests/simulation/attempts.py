"""One command about money as its till knows it, and the bodies in which tills put their wishes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NO = frozenset({"declined", "canceled", "failed"})
FOLLOW_UPS = {
    "payment/increment",
    "payment/capture",
    "payment/refund",
    "payment/void",
    "payment/tip_adjust",
}
STARTING = FOLLOW_UPS | {
    *("payment/start", "gift_card/load", "gift_card/activate", "gift_card/reverse"),
}  # operations that make a payment


@dataclass(slots=True)
class Attempt:
    """One payment, or one plan, as its till knows it."""

    payment_id: str
    sale_id: str
    amount_minor: int
    content: dict[str, Any]  # the command, without what guards it
    operation: str = "payment/start"
    response: dict[str, Any] | None = None
    document: dict[str, Any] | None = None
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)  # of a plan, by payment id
    override: bool = False

    @property
    def is_plan(self) -> bool:
        return "plan" in self.content

    @property
    def status(self) -> str:
        if not self.is_plan:
            return str(self.document["status"]) if self.document else ""
        if any(one["status"] == "in_doubt" for one in self.parts.values()):
            return "in_doubt"
        if not self.is_over:
            return ""
        return "approved" if self._legs_are("captured") else "canceled"

    @property
    def is_over(self) -> bool:
        if not self.is_plan:
            return bool(self.document and self.document["final"])
        if not self.parts or not all(one["final"] for one in self.parts.values()):
            return False
        if any(one["funds"] == "held" for one in self.parts.values()):
            return False
        return self._legs_are("captured") or any(
            one["status"] in NO or one["funds"] == "voided" for one in self._legs()
        )

    def forget(self) -> None:
        """Lose what was heard, as a till that lost power does."""
        self.document = self.response = None
        self.parts.clear()

    def hear(self, document: dict[str, Any]) -> None:
        """Keep the newest document of the payment, or of one part of the plan."""
        name = document["payment_id"]
        known = self.parts.get(name) if self.is_plan else self.document
        if known is not None and document["rev"] < known["rev"]:
            return
        self.document = document
        if self.is_plan:
            self.parts[name] = document

    def documents(self) -> list[dict[str, Any]]:
        """Return what can be acknowledged."""
        if self.is_plan:
            return list(self.parts.values())
        return [self.document] if self.document else []

    def _legs(self) -> list[dict[str, Any]]:
        return [one for one in self.parts.values() if not one["original_payment_id"]]

    def _legs_are(self, funds: str) -> bool:
        legs = self._legs()
        whole = len(legs) == len(self.content["plan"])
        return whole and all(one["funds"] == funds for one in legs)


def euros(minor: int) -> str:
    """Return cents as the contract writes them."""
    return f"{minor // 100}.{minor % 100:02d}"


def amounts(minor: int) -> dict[str, str]:
    """Return the amounts of a command over some cents."""
    return {"currency": "EUR", "requested_amount": euros(minor)}


def sale(total_minor: int) -> dict[str, Any]:
    """Return what was sold: one thing."""
    total = euros(total_minor)
    line = {
        "item_id": 1,
        "product_code": "SKU-1",
        "quantity": "1",
        "unit_price": total,
        "item_amount": total,
    }
    return {"total_amount": total, "lines": [line]}


def card_start(terminal_id: str, sale_id: str, minor: int, total_minor: int) -> dict[str, Any]:
    """Return a start that takes some of a sale's total from a card."""
    return {
        "terminal_id": terminal_id,
        "sale_id": sale_id,
        "amounts": amounts(minor),
        "sale": sale(total_minor),
    }

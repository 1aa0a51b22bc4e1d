"""The state table of `docs/architecture.md`, made by asking `advance` about every pair.

`python -m tests.architecture.state_table --write` brings the document up to date; a test fails
when it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.money import payment as p
from bridge.money.payment.machine import advance
from bridge.money.purchase import IllegalPurchaseEvent, advance_purchase
from tests.unit.money import test_purchase as test_sale
from tests.unit.money.payment import test_machine as test_payment

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"
BEGIN, END = "<!-- generated: state table -->", "<!-- end of generated part -->"


def payment_table() -> str:
    """Return the table of a payment in Markdown."""

    def outcome(state: str, event: str) -> str:
        before = test_payment.STATES[state]
        try:
            after, actions = advance(before, test_payment.EVENTS[event])
        except p.IllegalEvent:
            return "–"
        odd = "!" if len(after.discrepancies) > len(before.discrepancies) else ""
        asks = "?" if any(isinstance(one, p.AskTerminal) for one in actions) else ""
        same = after == before
        name = "·" if same else ("(kept)" if after.status is before.status else after.status.value)
        return f"{name}{odd}{asks}"

    return _table("event", test_payment.STATES, test_payment.EVENTS, outcome)


def purchase_table() -> str:
    """Return the table of a purchase in Markdown."""

    def outcome(state: str, event: str) -> str:
        try:
            return advance_purchase(test_sale.STATES[state], test_sale.EVENTS[event]).state.value
        except IllegalPurchaseEvent:
            return "–"

    return _table("event", test_sale.STATES, test_sale.EVENTS, outcome)


def generated() -> str:
    """Return everything between the two marks of the document."""
    return (
        f"{BEGIN}\n\nA payment. `–` is refused as a bug, `·` changes nothing, `(kept)` keeps the "
        "status and learns something, `!` opens a discrepancy, `?` asks the terminal.\n\n"
        f"{payment_table()}\n\nThe purchase that records a sale:\n\n{purchase_table()}\n\n{END}"
    )


def with_table(text: str) -> str:
    """Return the document with its generated part replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{generated()}{after}"


def _table(
    title: str, states: dict[str, Any], events: dict[str, Any], outcome: Callable[[str, str], str]
) -> str:
    lines = [f"| {title} | {' | '.join(states)} |", f"|---{'|---' * len(states)}|"]
    for event in events:
        cells = " | ".join(outcome(state, event) for state in states)
        lines.append(f"| {event} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if "--write" in sys.argv:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
    else:
        print(generated())

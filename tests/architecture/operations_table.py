"""The table of `docs/operations.md`: what each driver does, and the test that goes through it.

`python -m tests.architecture.operations_table --write` brings the document up to date; a test fails
when it is stale, when a driver announces an operation that has no line, and when a line's test is
not there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers import contract as c
from drivers import pax, telium, zvt

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- generated: operations -->", "<!-- end of generated part -->"
DONE, REFUSED = "done", "refused"
OPERATIONS, GIFT_CARDS = "test_every_driver_operations.py", "test_terminal_gift_cards.py"


@dataclass(frozen=True, slots=True)
class Line:
    """One operation: the words of `capabilities` that it needs, and what is true of it."""

    command: str
    needs: str
    money: str  # the rule that keeps it from being done twice
    doubt: str  # what is told while it is not known whether it was done
    test: str
    module: str = OPERATIONS


_BY_ID = "once under its `payment_id`, for ever"
_ASKED = "`in_doubt`; the terminal is asked, then a person"
_NO_MONEY = "moves none"
_TOLD = "an error that says so; ask again"

LINES: Final = (
    Line(
        "payment/start",
        "sale",
        _BY_ID,
        _ASKED,
        "test_an_approved_sale_is_captured_once",
        "test_every_driver.py",
    ),
    Line(
        "payment/start, `type: preauth`",
        "preauth",
        _BY_ID,
        _ASKED,
        "test_a_hold_is_captured_or_refused",
    ),
    Line(
        "payment/increment",
        "increment",
        "once under its id; one at a time for a hold",
        _ASKED,
        "test_a_hold_is_raised_or_refused",
    ),
    Line(
        "payment/capture",
        "capture",
        "never more than is held; what may have been captured counts",
        _ASKED,
        "test_a_hold_is_captured_or_refused",
    ),
    Line(
        "payment/refund",
        "refund",
        "never more than was taken; what may have been given back counts",
        _ASKED,
        "test_a_refund_gives_back_or_is_refused",
    ),
    Line(
        "payment/void",
        "void",
        "once for a payment, in its batch, beside no refund",
        _ASKED,
        "test_a_void_undoes_or_is_refused",
    ),
    Line(
        "payment/tip_adjust",
        "tip_adjust",
        "within the site's limit, all tips together; one at a time",
        _ASKED,
        "test_a_tip_is_added_or_refused",
    ),
    Line(
        "gift_card/load at a terminal",
        "gift_load",
        "filled only when its sale is paid",
        _ASKED,
        "test_a_gift_card_is_filled_when_its_sale_is_paid_and_emptied_again",
        GIFT_CARDS,
    ),
    Line(
        "gift_card/unload at a terminal",
        "unload",
        "never more than was filled",
        _ASKED,
        "test_a_gift_card_is_filled_when_its_sale_is_paid_and_emptied_again",
        GIFT_CARDS,
    ),
    Line(
        "payment/start with a terminal's gift card",
        "gift_redeem",
        _BY_ID,
        _ASKED,
        "test_what_a_terminal_cannot_do_with_gift_cards_is_refused",
        GIFT_CARDS,
    ),
    Line(
        "card/balance",
        "balance",
        _NO_MONEY,
        _TOLD,
        "test_what_a_terminal_cannot_do_with_gift_cards_is_refused",
        GIFT_CARDS,
    ),
    Line(
        "terminal/reconcile",
        "reconcile",
        "once under its `operation_id`; compared with the journal to the cent",
        "an error that says so; the next totals show what became of it",
        "test_the_end_of_day_agrees_to_the_cent_or_is_refused",
    ),
    Line(
        "terminal/totals",
        "totals",
        _NO_MONEY,
        _TOLD,
        "test_the_end_of_day_agrees_to_the_cent_or_is_refused",
    ),
    Line(
        "terminal/last_transaction",
        "last_transaction",
        _NO_MONEY,
        _TOLD,
        "test_what_can_be_asked_of_a_terminal_is_told_or_refused",
        GIFT_CARDS,
    ),
    Line(
        "terminal/diagnose",
        "diagnose",
        _NO_MONEY,
        _TOLD,
        "test_what_can_be_asked_of_a_terminal_is_told_or_refused",
        GIFT_CARDS,
    ),
    Line(
        "terminal/self_test",
        "self_test",
        _NO_MONEY,
        _TOLD,
        "test_what_can_be_asked_of_a_terminal_is_told_or_refused",
        GIFT_CARDS,
    ),
    Line(
        "terminal/display",
        "display",
        _NO_MONEY,
        _TOLD,
        "test_other_operations_are_done_or_refused",
    ),
    Line("card/read", "card_read", _NO_MONEY, _TOLD, "test_other_operations_are_done_or_refused"),
)


def drivers() -> dict[str, frozenset[str]]:
    """Return what each driver can do, with everything switched on that a setting allows."""
    can: dict[str, c.Capabilities] = {
        "ZVT": zvt.DRIVER.capabilities(zvt.DRIVER.settings()),
        "PAX": pax.DRIVER.capabilities(pax.DRIVER.settings(gift=True)),
        "Concert E+": telium.DRIVER.capabilities(telium.DRIVER.settings(refunds=True)),
        "Caisse-AP": telium.CAISSE_AP_DRIVER.capabilities(telium.CAISSE_AP_DRIVER.settings()),
    }
    return {name: one.operations for name, one in can.items()}


def table() -> str:
    """Return the table in Markdown."""
    known = drivers()
    lines = [
        f"| command | {' | '.join(known)} | money | doubt | test |",
        f"|---{'|---' * len(known)}|---|---|---|",
    ]
    for line in LINES:
        cells = " | ".join(DONE if line.needs in can else REFUSED for can in known.values())
        test = f"`{line.module}::{line.test}`"
        lines.append(f"| {line.command} | {cells} | {line.money} | {line.doubt} | {test} |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """Return the document with its generated part replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
    else:
        print(table())

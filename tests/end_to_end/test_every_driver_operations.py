"""What some drivers can do and others cannot: it is done to the cent, or refused, never skipped."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bridge.money import payment as p
from drivers.contract import ALREADY_REVERSED
from simulators.terminals.zvt import ZvtTerminal, payments
from tests.end_to_end import test_every_driver as sales
from tests.end_to_end import test_terminal_gift_cards as gift_cards
from tests.support.counter import FOREIGN_KINDS, KINDS, Counter, Kind, Terminal, at_a_counter, plan

EVERY_KIND = (*KINDS, *FOREIGN_KINDS)
every_kind = pytest.mark.parametrize("kind", EVERY_KIND, ids=[one.name for one in EVERY_KIND])
PAX = tuple(kind for kind in KINDS if kind.driver.name == "pax")
# Which test goes through every driver for an operation; a new word needs one here.
MATRIX = {
    "sale": "test_an_approved_sale_is_captured_once",
    "refund": "test_a_refund_gives_back_or_is_refused",
    "void": "test_a_void_undoes_or_is_refused",
    "preauth": "test_a_hold_is_captured_or_refused",
    "capture": "test_a_hold_is_captured_or_refused",
    "increment": "test_a_hold_is_raised_or_refused",
    "tip_adjust": "test_a_tip_is_added_or_refused",
    "totals": "test_the_end_of_day_agrees_to_the_cent_or_is_refused",
    "reconcile": "test_the_end_of_day_agrees_to_the_cent_or_is_refused",
    "display": "test_other_operations_are_done_or_refused",
    "card_read": "test_other_operations_are_done_or_refused",
    "last_transaction": "test_what_can_be_asked_of_a_terminal_is_told_or_refused",
    "diagnose": "test_what_can_be_asked_of_a_terminal_is_told_or_refused",
    "self_test": "test_what_can_be_asked_of_a_terminal_is_told_or_refused",
    "balance": "test_what_a_terminal_cannot_do_with_gift_cards_is_refused",
    "gift_redeem": "test_what_a_terminal_cannot_do_with_gift_cards_is_refused",
    "gift_load": "test_what_a_terminal_cannot_do_with_gift_cards_is_refused",
    "unload": "test_a_gift_card_is_filled_when_its_sale_is_paid_and_emptied_again",
}
NOT_PAID = {p.Status.DECLINED, p.Status.CANCELED, p.Status.FAILED}


def agree(counter: Counter) -> None:
    """Fail unless the terminal's own ledger and the journal tell the same sum."""
    assert counter.journal_minor() == counter.taken_minor()


async def refused(counter: Counter, operation: str, path: str = "", **fields: object) -> None:
    """Send a command that this terminal cannot do: typed, not stored, nothing on the wire."""
    written, opened = bytes(counter.written), counter.opened
    answer = await counter.ask(operation, **fields)
    assert answer["status"] == "error"
    assert answer["error"]["code"] == "operation_not_supported"
    assert answer["error"]["money_moved"] == "no"
    if path:
        assert answer["error"]["detail"]["path"] == path
    await asyncio.sleep(30)
    assert (bytes(counter.written), counter.opened) == (written, opened)
    if "payment_id" in fields:
        assert counter.life.ledger.payments.get(str(fields["payment_id"])) is None


@every_kind
@pytest.mark.parametrize("amount", ["20.40", "5.40"])
def test_a_refund_gives_back_or_is_refused(kind: Kind, amount: str, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        original = await counter.start("20.40")
        await counter.end_of(original)
        if "refund" not in kind.can.operations:
            money = {"currency": kind.currency, "requested_amount": amount}
            wish = {"payment_id": counter.new_id(), "original_payment_id": original}
            await refused(counter, "payment/refund", "terminal_id", amounts=money, **wish)
            assert counter.taken_minor() == 2040
            return
        answer = await counter.follow("refund", original, amount)
        assert answer["status"] == "accepted"
        refund = await counter.end_of(answer["payment_id"])
        assert (refund.status, refund.funds) == (p.Status.APPROVED, p.Funds.RETURNED)
        rest = 2040 - int(amount.replace(".", ""))
        assert counter.taken_minor() == rest
        assert counter.payment(original).refundable_minor == rest
        again = await counter.follow("refund", original, "20.40")
        assert again["error"]["code"] == "refund_exceeds_captured"
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_void_undoes_or_is_refused(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        original = await counter.start("20.40")
        await counter.end_of(original)
        if "void" not in kind.can.operations:
            wish = {"payment_id": counter.new_id(), "original_payment_id": original}
            await refused(counter, "payment/void", "terminal_id", **wish)
            assert counter.taken_minor() == 2040
            return
        answer = await counter.follow("void", original)
        assert answer["status"] == "accepted"
        void = await counter.end_of(answer["payment_id"])
        assert (void.status, void.funds) == (p.Status.APPROVED, p.Funds.VOIDED)
        assert counter.payment(original).funds is p.Funds.VOIDED
        assert counter.taken_minor() == 0
        again = await counter.follow("void", original)
        assert again["error"]["code"] == "void_not_possible"
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_hold_is_captured_or_refused(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        if "preauth" not in kind.can.operations:
            await refused(counter, "payment/start", "type", **counter.fields(type="preauth"))
            return
        hold_id = await counter.start("100.00", type="preauth")
        hold = await counter.end_of(hold_id)
        assert (hold.status, hold.funds) == (p.Status.APPROVED, p.Funds.HELD)
        assert counter.taken_minor() == 0
        answer = await counter.follow("capture", hold_id, "60.00")
        assert answer["status"] == "accepted"
        capture = await counter.end_of(answer["payment_id"])
        assert (capture.status, capture.captured.minor) == (p.Status.APPROVED, 6000)
        assert counter.taken_minor() == 6000
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_part_of_a_hold_is_captured_once_where_the_rest_is_released(
    kind: Kind, tmp_path: Path
) -> None:
    """A document that said "held" would refuse the second card for money nobody holds."""

    async def visit(counter: Counter) -> None:
        if "capture" not in kind.can.operations:
            return
        assert kind.can.partial_capture == "releases_rest"
        hold_id = await counter.start("100.00", type="preauth", sale_id="T-1")
        await counter.end_of(hold_id)
        written = bytes(counter.written)
        answer = await counter.follow("capture", hold_id, "60.00", final=False)
        assert answer["error"]["code"] == "operation_not_supported"
        assert answer["error"]["detail"]["path"] == "final"
        assert bytes(counter.written) == written
        assert counter.payment(hold_id).funds is p.Funds.HELD
        answer = await counter.follow("capture", hold_id, "60.00")
        await counter.end_of(answer["payment_id"])
        hold = counter.payment(hold_id)
        assert (hold.funds, hold.held_minor) == (p.Funds.CAPTURED, 0)
        more = await counter.follow("capture", hold_id, "10.00")
        assert more["error"]["code"] == "capture_exceeds_authorized"
        assert counter.taken_minor() == 6000
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_hold_is_raised_or_refused(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        original = await counter.start("20.40")
        await counter.end_of(original)
        if "increment" not in kind.can.operations:
            money = {"currency": kind.currency, "requested_amount": "5.00"}
            wish = {"payment_id": counter.new_id(), "original_payment_id": original}
            await refused(counter, "payment/increment", "terminal_id", amounts=money, **wish)
            return
        hold_id = await counter.start("100.00", type="preauth")
        await counter.end_of(hold_id)
        answer = await counter.follow("increment", hold_id, "20.00")
        assert answer["status"] == "accepted"
        raised = await counter.end_of(answer["payment_id"])
        assert raised.status is p.Status.APPROVED
        assert counter.payment(hold_id).held_minor == 12000
        assert counter.taken_minor() == 2040
        answer = await counter.follow("capture", hold_id, "115.00")
        capture = await counter.end_of(answer["payment_id"])
        assert (capture.status, capture.captured.minor) == (p.Status.APPROVED, 11500)
        assert counter.taken_minor() == 2040 + 11500
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_tip_is_added_or_refused(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        original = await counter.start("20.00")
        await counter.end_of(original)
        if "tip_adjust" not in kind.can.operations:
            money = {"currency": kind.currency, "requested_amount": "2.00"}
            wish = {"payment_id": counter.new_id(), "original_payment_id": original}
            await refused(counter, "payment/tip_adjust", "terminal_id", amounts=money, **wish)
            assert "adjust" not in kind.can.tip
            return
        answer = await counter.follow("tip_adjust", original, "2.00")
        assert answer["status"] == "accepted"
        tip = await counter.end_of(answer["payment_id"])
        assert tip.status is p.Status.APPROVED
        assert counter.payment(original).tip_minor == 200
        assert counter.taken_minor() == 2200
        another = await counter.follow("tip_adjust", original, "1.00")
        assert another["status"] == "accepted"
        assert (await counter.end_of(another["payment_id"])).status is p.Status.APPROVED
        assert counter.payment(original).tip_minor == 300
        assert counter.taken_minor() == 2300
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_tip_within_the_amount_is_taken_with_it_or_refused(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        money = {"currency": kind.currency, "requested_amount": "22.00"}
        fixed = {**money, "tip": {"mode": "fixed", "tip_amount": "2.00"}}
        asked = {**money, "tip": {"mode": "ask"}}
        for amounts in (fixed, asked):
            fields = counter.fields(amounts=amounts)
            if amounts["tip"]["mode"] not in kind.can.tip:  # type: ignore[index]  # a dict
                await refused(counter, "payment/start", "amounts.tip.mode", **fields)
                continue
            answer = await counter.ask("payment/start", **fields)
            assert answer["status"] == "accepted"
            payment = await counter.end_of(fields["payment_id"])
            assert payment.captured.minor == 2200
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_part_is_approved_only_where_it_was_asked_for(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        fields = counter.fields("20.40", accept_partial=True)
        if not kind.can.partial_approval:
            await refused(counter, "payment/start", "accept_partial", **fields)
            return
        counter.shoppers(plan(partial_minor=1000), plan(partial_minor=1000))
        await counter.ask("payment/start", **fields)
        part = await counter.end_of(fields["payment_id"])
        assert (part.status, part.captured.minor) == (p.Status.APPROVED, 1000)
        await counter.ready()
        whole_or_nothing = await counter.end_of(await counter.start("30.00"))
        if "void" in kind.can.operations:
            assert whole_or_nothing.status in NOT_PAID
            assert counter.taken_minor() == 1000
        else:  # nothing takes it back: it is told, and somebody must look
            assert [odd.kind for odd in whole_or_nothing.discrepancies] == ["less_than_asked"]
            assert counter.taken_minor() == 2000
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


def voided_by_hand(terminal: Terminal) -> bool:
    """Void the newest payment; ZVT's keypad is locked, but its menu of the service is not."""
    if isinstance(terminal, ZvtTerminal):
        return payments.void_alone(terminal._device)
    return terminal.void_without_register()


@every_kind
def test_what_was_voided_by_hand_is_no_void_of_ours_and_not_refunded(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        sale = await counter.start("20.40")
        await counter.end_of(sale)
        if "void" not in kind.can.operations:
            answer = await counter.follow("void", sale)
            assert answer["error"]["code"] == "operation_not_supported"
            return
        assert voided_by_hand(counter.terminal)
        assert counter.taken_minor() == 0
        void = await counter.follow("void", sale)
        ended = await counter.end_of(void["payment_id"])
        assert (ended.status, ended.denial and ended.denial.code) == (
            p.Status.FAILED,
            ALREADY_REVERSED,
        )
        assert [odd.kind for odd in counter.payment(sale).discrepancies] == [ALREADY_REVERSED]
        await counter.ready()
        refund = await counter.follow("refund", sale, "20.40")
        assert refund["error"]["code"] == "not_allowed"
        assert counter.taken_minor() == 0

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_the_end_of_day_agrees_to_the_cent_or_is_refused(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("20.40"))
        await counter.end_of(await counter.start("5.00"))
        for operation, word in (("terminal/totals", "totals"), ("terminal/reconcile", "reconcile")):
            if word not in kind.can.operations:
                await refused(counter, operation, "terminal_id")
                continue
            answer = await counter.ask(operation)
            assert answer["status"] == "ok", answer
            assert answer["result"]["compare"]["terminal"] == "25.40"
            assert answer["result"]["status"] == "matched"
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
@pytest.mark.parametrize("operation", ["terminal/display", "card/read"])
def test_other_operations_are_done_or_refused(kind: Kind, operation: str, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        word = operation.partition("/")[2] if operation == "terminal/display" else "card_read"
        fields = {"lines": ["Hello"]} if word == "display" else {}
        if word not in kind.can.operations:
            await refused(counter, operation, "terminal_id", **fields)
            return
        answer = await counter.ask(operation, **fields)
        assert answer["status"] == "ok", answer
        assert counter.movements() == []

    at_a_counter(kind, tmp_path, visit)


def test_every_operation_that_can_be_announced_is_in_a_matrix() -> None:
    gifts = [kind.driver.capabilities(kind.driver.settings(gift=True)) for kind in PAX]
    announced = {word for can in gifts for word in can.operations}
    announced |= {word for kind in KINDS for word in kind.can.operations}
    assert announced <= MATRIX.keys()
    for test in MATRIX.values():
        assert any(hasattr(module, test) for module in (sys.modules[__name__], sales, gift_cards))

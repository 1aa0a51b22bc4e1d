"""The same money tests for every driver on every transport: one sale, and all that befalls it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.money import payment as p
from simulators.terminals.shared.shopper import MischiefKind, Place
from tests.support.counter import FOREIGN_KINDS, KINDS, Counter, Kind, at_a_counter, plan, trouble

EVERY_KIND = (*KINDS, *FOREIGN_KINDS)
every_kind = pytest.mark.parametrize("kind", EVERY_KIND, ids=[one.name for one in EVERY_KIND])
PLACES: tuple[Place, ...] = ("command", "replied", "status", "prints", "completion")
AWAY_SECONDS_MAX = 60.0  # what ends a payment without a trace may still keep its terminal away
PAID = {p.Status.APPROVED}


def agree(counter: Counter) -> None:
    """Fail unless the terminal's own ledger and the journal tell the same sum."""
    assert counter.journal_minor() == counter.taken_minor()


@every_kind
def test_an_approved_sale_is_captured_once(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        payment = await counter.end_of(await counter.start("20.40"))
        assert (payment.status, payment.funds) == (p.Status.APPROVED, p.Funds.CAPTURED)
        assert payment.captured.minor == 2040
        assert payment.resolved_by == "terminal"
        assert [one.amount_minor for one in counter.movements()] == [2040]
        second = await counter.end_of(await counter.start("1.00"))
        assert second.status is p.Status.APPROVED
        assert counter.taken_minor() == 2140
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_declined_sale_takes_nothing(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(outcome="decline", code=0x05))
        payment = await counter.end_of(await counter.start())
        assert (payment.status, payment.funds) == (p.Status.DECLINED, p.Funds.NONE)
        assert payment.resolved_by == "terminal"
        assert counter.movements() == []
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_repeated_command_takes_the_money_once(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        fields = counter.fields("20.40")
        answers = [await counter.ask("payment/start", **fields) for _ in range(3)]
        assert [one["duplicate"] for one in answers] == [False, True, True]
        await counter.end_of(fields["payment_id"])
        again = await counter.ask("payment/start", **fields)
        assert (again["duplicate"], again["payment_status"]) == (True, "approved")
        assert [one.amount_minor for one in counter.movements()] == [2040]

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_cancel_stops_it_or_waits_for_the_red_key(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        by_hand = kind.can.cancel == "at_terminal_only"
        # Who cannot be stopped by the till is stopped with the red key a little later.
        outcome = "cancel" if by_hand else "approve"
        counter.shoppers(plan(seconds_to_card=20, outcome=outcome))
        payment_id = await counter.start()
        await counter.until(lambda: counter.payment(payment_id).stage is not None, "a stage")
        await asyncio.sleep(5)
        written = len(counter.written)
        answer = await counter.ask("payment/cancel", payment_id=payment_id)
        assert answer["status"] == "accepted"
        assert counter.payment(payment_id).status is not p.Status.FAILED
        if by_hand:
            assert len(counter.written) == written, "there is nothing that it could be told"
            assert counter.payment(payment_id).status is p.Status.CANCELING
        payment = await counter.end_of(payment_id)
        assert payment.status in {p.Status.CANCELED, p.Status.DECLINED}
        assert payment.resolved_by == "terminal"
        assert counter.movements() == []

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_card_that_comes_with_the_cancel_is_told_as_paid(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(abort="approve_anyway", seconds_to_card=3))
        payment_id = await counter.start()
        await counter.until(lambda: counter.payment(payment_id).stage is not None, "a stage")
        await asyncio.sleep(1)
        await counter.ask("payment/cancel", payment_id=payment_id)
        payment = await counter.end_of(payment_id)
        assert (payment.status in PAID) is (counter.taken_minor() == 2040)
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("misfortune", "seconds"), [("unplug", 3), ("die", 10), ("silent", 30), ("lost_ack", 0)]
)
def test_whatever_breaks_wherever_both_ledgers_agree_in_the_end(
    kind: Kind, place: Place, misfortune: MischiefKind, seconds: float, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        before = await counter.end_of(await counter.start("9.99"))
        assert before.status is p.Status.APPROVED
        counter.shoppers(trouble(misfortune, place, seconds=seconds))
        await asyncio.sleep(1)
        payment = await counter.end_of(await counter.start("20.40"))
        paid = [one for one in counter.movements() if one.amount_minor == 2040]
        assert len(paid) <= 1
        assert (payment.status in PAID) is (len(paid) == 1)
        agree(counter)
        await asyncio.sleep(AWAY_SECONDS_MAX)
        await counter.ready()
        after = await counter.end_of(await counter.start("5.00"))
        assert after.status is p.Status.APPROVED
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_line_that_is_cut_at_the_host_is_a_doubt_and_never_a_no(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(seconds_at_host=20))
        payment_id = await counter.start("20.40")
        await asyncio.sleep(10)
        counter.port.unplug()
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        assert counter.payment(payment_id).funds is p.Funds.UNKNOWN
        answer = await counter.ask("payment/start", **counter.fields("20.40"))
        assert answer["error"]["code"] in {"terminal_busy", "terminal_offline"}
        await asyncio.sleep(60)
        assert counter.payment(payment_id).status is p.Status.IN_DOUBT
        await counter.port.plug()
        payment = await counter.end_of(payment_id)
        assert (payment.status in PAID) is (counter.taken_minor() == 2040)
        agree(counter)

    at_a_counter(kind, tmp_path, visit)


@every_kind
@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.5, 3.1, 5.0])
def test_a_killed_bridge_finds_out_and_never_orders_twice(
    kind: Kind, seconds: float, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        before = await counter.end_of(await counter.start("9.99"))
        assert before.status is p.Status.APPROVED
        await counter.ready()
        payment_id = await counter.start("20.40")
        await asyncio.sleep(seconds)
        await counter.kill_and_restart()
        payment = await counter.end_of(payment_id)
        paid = [one for one in counter.movements() if one.amount_minor == 2040]
        assert len(paid) <= 1
        assert (payment.status in PAID) is (len(paid) == 1)
        agree(counter)
        await counter.ready()
        assert (await counter.end_of(await counter.start("5.00"))).status is p.Status.APPROVED

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_another_currency_is_refused_before_anything_is_sent(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        written, opened = bytes(counter.written), counter.opened
        fields = counter.fields(amounts={"currency": "GBP", "requested_amount": "20.40"})
        answer = await counter.ask("payment/start", **fields)
        assert answer["error"]["code"] == "invalid_request"
        assert answer["error"]["detail"]["path"] == "amounts.currency"
        assert counter.life.ledger.payments.get(fields["payment_id"]) is None
        await asyncio.sleep(30)
        assert (bytes(counter.written), counter.opened) == (written, opened)

    at_a_counter(kind, tmp_path, visit)


@every_kind
def test_a_result_in_another_currency_is_no_approval_of_ours(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("wrong_currency", "status"))
        payment = await counter.end_of(await counter.start("20.40"))
        agree(counter)
        assert payment.approval is None or payment.approval.amount.currency == kind.currency

    at_a_counter(kind, tmp_path, visit)

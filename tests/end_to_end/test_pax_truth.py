"""What a PAX terminal says beside an amount is told at the counter as its ledger has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.register import api as k
from bridge.register.publishing.payment_document import payment_document
from drivers.contract import ALREADY_REVERSED, Money
from simulators.terminals.pax.terminal import PaxTerminal
from tests.support.counter import KINDS, Counter, Kind, at_a_counter, plan

on_every_line = pytest.mark.parametrize(
    "kind", [one for one in KINDS if one.driver.name == "pax"], ids=lambda kind: kind.name
)


def terminal_of(counter: Counter) -> PaxTerminal:
    assert isinstance(counter.terminal, PaxTerminal)
    return counter.terminal


def document_of(counter: Counter, payment: p.Payment) -> k.PaymentDocument:
    account = counter.life.ledger.payments.get(payment.request.payment_id)
    assert account is not None
    return payment_document(
        account, remaining=Money(0, "USD"), purchase=None, terminal_name="", topics=k.Topics()
    )


@pytest.mark.parametrize("host_code", ["08", "11", "85", "000"])
@on_every_line
def test_a_host_code_that_approves_is_paid_at_once(
    kind: Kind, host_code: str, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(host_code=host_code))
        paid = await counter.end_of(await counter.start("12.50"))
        assert (paid.status, paid.captured.minor) == (p.Status.APPROVED, 1250)
        assert paid.discrepancies == ()
        assert counter.journal_minor() == counter.taken_minor() == 1250

    at_a_counter(kind, tmp_path, visit)


@pytest.mark.parametrize("host_code", ["AA", "N7", "05", "10", "94"])
@on_every_line
def test_money_that_was_taken_is_never_told_as_declined(
    kind: Kind, host_code: str, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(host_code=host_code))
        paid = await counter.end_of(await counter.start("12.50"))
        assert (paid.status, paid.resolved_by) == (p.Status.APPROVED, "operator")
        assert paid.offer is not None
        assert paid.offer.amount == Money(1250, "USD")
        assert paid.approval is not None
        assert paid.approval.fingerprint == paid.offer.fingerprint
        assert counter.journal_minor() == counter.taken_minor() == 1250

    at_a_counter(kind, tmp_path, visit)


@on_every_line
def test_what_the_terminal_adds_and_names_is_no_discrepancy(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(surcharge_minor=30, cash_back_minor=2000, tip_minor=150))
        paid = await counter.end_of(await counter.start("10.00"))
        assert (paid.captured.minor, paid.discrepancies) == (3180, ())
        amounts = document_of(counter, paid).amounts
        assert amounts.surcharge_amount == "0.30"
        assert amounts.cash_back_amount == "20.00"
        assert amounts.tip_amount == "1.50"
        assert counter.journal_minor() == counter.taken_minor() == 3180

    at_a_counter(kind, tmp_path, visit)


@on_every_line
def test_what_the_terminal_adds_without_a_name_is_a_discrepancy(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(surcharge_minor=30, unnamed_minor=1))
        paid = await counter.end_of(await counter.start("10.00"))
        assert (paid.status, paid.captured.minor) == (p.Status.APPROVED, 1031)
        assert [odd.kind for odd in paid.discrepancies] == ["more_than_asked"]

    at_a_counter(kind, tmp_path, visit)


@on_every_line
def test_a_void_after_the_terminal_closed_its_batch_alone_is_refused_at_once(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        sale = await counter.start("10.00")
        await counter.end_of(sale)
        assert terminal_of(counter).close_without_register()
        await counter.ready()
        await counter.end_of(await counter.start("1.00"))  # a record of the next batch
        answer = await counter.follow("void", sale)
        void = await counter.end_of(answer["payment_id"])
        assert (void.status, void.denial and void.denial.code) == (
            p.Status.FAILED,
            "void_not_possible",
        )
        error = document_of(counter, void).error
        assert error is not None
        assert error.detail == {"suggest": "refund"}
        assert counter.payment(sale).funds is p.Funds.CAPTURED
        await counter.ready()
        refund = await counter.follow("refund", sale, "10.00")
        assert refund["status"] == "accepted"

    at_a_counter(kind, tmp_path, visit)


@on_every_line
def test_what_somebody_voided_by_hand_is_not_refunded_as_well(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        sale = await counter.start("10.00")
        await counter.end_of(sale)
        assert terminal_of(counter).void_without_register()
        assert counter.taken_minor() == 0
        answer = await counter.follow("void", sale)
        void = await counter.end_of(answer["payment_id"])
        assert (void.status, void.denial and void.denial.code) == (
            p.Status.FAILED,
            ALREADY_REVERSED,
        )
        error = document_of(counter, void).error
        assert error is not None
        assert "suggest" not in error.detail
        assert [odd.kind for odd in counter.payment(sale).discrepancies] == [ALREADY_REVERSED]
        await counter.ready()
        refund = await counter.follow("refund", sale, "10.00")
        assert refund["error"]["code"] == "not_allowed"
        assert counter.taken_minor() == 0

    at_a_counter(kind, tmp_path, visit)

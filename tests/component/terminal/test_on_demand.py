"""A terminal that is connected to on demand: how many connections a piece of work takes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bridge.money import payment as p
from drivers import contract as c
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.shopper import Mischief
from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import Profile
from tests.support.counter import KINDS, Counter, Kind, at_a_counter, plan

BY_NAME = {kind.name: replace(kind, persistent=False) for kind in KINDS if kind.transport == "tcp"}


@pytest.mark.parametrize(
    ("name", "connections"),
    [("zvt-tcp", 1), ("pax-tcp", 1), ("pax-http", 1), ("caisse_ap-tcp", 1)],
)
def test_a_sale_and_the_question_before_it_take_one_connection(
    name: str, connections: int, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        before = counter.opened
        payment = await counter.end_of(await counter.start("20.40"))
        assert payment.status is p.Status.APPROVED
        assert counter.opened - before == connections

    at_a_counter(BY_NAME[name], tmp_path, visit)


@pytest.mark.parametrize("name", ["zvt-tcp", "pax-tcp"])
def test_the_connection_is_let_go_when_there_is_nothing_to_say(name: str, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        assert not counter.life.station.connection.is_open
        await counter.end_of(await counter.start("20.40"))
        await counter.until(lambda: not counter.life.station.connection.is_open, "a closed line")

    at_a_counter(BY_NAME[name], tmp_path, visit)


def test_a_terminal_that_hangs_up_after_each_answer_does_its_day(tmp_path: Path) -> None:
    """The plain TCP of PAX, where a conversation of several questions needs several lines."""
    profile = PaxProfile(hangs_up=True)
    kind = replace(BY_NAME["pax-tcp"], terminal=partial(PaxTerminal, profile=profile))

    async def visit(counter: Counter) -> None:
        sale = await counter.start("20.40")
        assert (await counter.end_of(sale)).status is p.Status.APPROVED
        refund = await counter.follow("refund", sale, "5.00")
        assert (await counter.end_of(refund["payment_id"])).status is p.Status.APPROVED
        lost = Mischief(kind="unplug", at="status", seconds=3)
        counter.shoppers(plan(partial_minor=1000), plan(mischief=(lost,)))
        part = await counter.end_of(await counter.start("30.00"))
        assert part.status is p.Status.DECLINED
        doubtful = await counter.end_of(await counter.start("7.00"))
        assert (doubtful.status, doubtful.resolved_by) == (p.Status.APPROVED, "terminal")
        assert counter.journal_minor() == counter.taken_minor() == 1540 + 700
        last = await counter.ask("terminal/last_transaction")
        assert last["result"]["payment_id"] == doubtful.request.payment_id
        closed = await counter.ask("terminal/reconcile")
        assert closed["result"]["status"] == "matched"
        assert closed["result"]["host_reconciliation_id"] == "1"
        assert closed["result"]["time_stamp"] is not None

    at_a_counter(kind, tmp_path, visit)


def test_each_exchange_over_http_has_a_connection_of_its_own(tmp_path: Path) -> None:
    kind: Kind = BY_NAME["pax-http"]

    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(partial_minor=1000))
        before = counter.opened
        payment = await counter.end_of(await counter.start("30.00"))
        assert payment.status is p.Status.DECLINED
        assert counter.taken_minor() == 0
        assert counter.opened - before >= 2

    at_a_counter(kind, tmp_path, visit)


def test_a_new_line_that_cannot_be_had_is_a_doubt(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        gone = Mischief(kind="unplug", at="completion", seconds=20)
        counter.shoppers(plan(partial_minor=1000, mischief=(gone,)))
        payment_id = await counter.start("30.00")
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        payment = await counter.end_of(payment_id)
        assert counter.journal_minor() == counter.taken_minor()
        assert (payment.status is p.Status.APPROVED) is bool(counter.taken_minor())

    at_a_counter(BY_NAME["pax-http"], tmp_path, visit)


# --- others pay at a terminal that is connected to on demand

TYPED_IN = Profile(lock_ends_with_line=True, stops_when_line_is_lost=True)
FREE_WITHOUT_LINE = replace(
    BY_NAME["zvt-tcp"], terminal=partial(ZvtTerminal, kind="tcp", profile=TYPED_IN)
)


async def between_connections(counter: Counter) -> None:
    await counter.end_of(await counter.start("9.99"))
    await counter.until(lambda: not counter.life.station.connection.is_open, "a closed line")


def test_a_payment_typed_in_between_two_connections_is_never_ours(tmp_path: Path) -> None:
    """Its amount is ours, and our line drops before a card: our payment took nothing."""

    async def visit(counter: Counter) -> None:
        await between_connections(counter)
        assert counter.terminal.pay_without_register(2040)
        lost = Mischief(kind="unplug", at="replied", seconds=3)
        counter.shoppers(plan(seconds_to_card=20, mischief=(lost,)))
        payment_id = await counter.start("20.40")
        payment = await counter.end_of(payment_id)
        assert (payment.status, payment.resolved_by) == (p.Status.FAILED, "terminal")
        assert counter.journal_minor() == 999
        assert counter.taken_minor() == 999 + 2040

    at_a_counter(FREE_WITHOUT_LINE, tmp_path, visit)


def test_a_payment_typed_in_after_ours_ended_is_shown_beside_the_doubt(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        await between_connections(counter)
        lost = Mischief(kind="unplug", at="replied", seconds=30)
        counter.shoppers(plan(mischief=(lost,)))
        payment_id = await counter.start("20.40")
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        await counter.until(lambda: not counter.terminal.busy, "an idle terminal")
        assert counter.terminal.pay_without_register(2040)

        def seen() -> c.Approval | None:
            doubt = counter.payment(payment_id).doubt
            assert counter.payment(payment_id).status is p.Status.IN_DOUBT
            return doubt.seen if doubt is not None and doubt.needs_operator else None

        await counter.until(lambda: seen() is not None, "a person and the transaction")
        found = seen()
        assert found is not None
        assert found.amount.minor == 2040
        assert counter.journal_minor() == 999

    at_a_counter(FREE_WITHOUT_LINE, tmp_path, visit)


def test_a_terminal_whose_keypad_stays_locked_tells_what_became_of_a_payment(
    tmp_path: Path,
) -> None:
    kind = replace(BY_NAME["zvt-tcp"], settings={"keypad_stays_locked": True})

    async def visit(counter: Counter) -> None:
        await between_connections(counter)
        lost = Mischief(kind="unplug", at="status", seconds=10)
        counter.shoppers(plan(mischief=(lost,)))
        payment = await counter.end_of(await counter.start("20.40"))
        assert (payment.status, payment.resolved_by) == (p.Status.APPROVED, "terminal")
        assert counter.taken_minor() == counter.journal_minor() == 999 + 2040

    at_a_counter(kind, tmp_path, visit)


def test_the_memory_is_read_over_the_very_line_that_carries_the_payment(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        await between_connections(counter)
        counter.written.clear()
        await counter.end_of(await counter.start("20.40"))
        read, paid = counter.written.find(b"\x06\x20"), counter.written.find(b"\x06\x01\x0a")
        assert 0 <= read < paid

    at_a_counter(BY_NAME["zvt-tcp"], tmp_path, visit)


@pytest.mark.parametrize("name", ["caisse_ap-tcp", "pax-http"])
def test_a_terminal_that_closes_the_connection_behind_its_last_word_is_not_gone(
    name: str, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        for _ in range(3):
            payment = await counter.end_of(await counter.start())
            assert payment.status is p.Status.APPROVED
            state = counter.life.station.state
            assert (state.availability, state.reconnects) == ("online", 0)

    at_a_counter(BY_NAME[name], tmp_path, visit)

"""What a Caisse-AP terminal says in its own way is told at the counter as its ledger has it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bridge.money import payment as p
from simulators.terminals.telium.program import PROFILES, CaisseApTerminal
from tests.support.counter import KINDS, Counter, Kind, at_a_counter, plan

(CAISSE_AP,) = (kind for kind in KINDS if kind.driver.name == "caisse_ap")


def kind_of(profile: str, *, persistent: bool = False) -> Kind:
    terminal = partial(CaisseApTerminal, profile=PROFILES[profile])
    return replace(CAISSE_AP, name=profile, terminal=terminal, persistent=persistent)


@pytest.mark.parametrize("persistent", [False, True], ids=["on demand", "persistent"])
def test_an_answer_that_comes_again_never_pays_the_next_payment(
    persistent: bool, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(), plan(outcome="cancel", seconds_to_card=30))
        first = await counter.end_of(await counter.start("12.50"))
        assert first.status is p.Status.APPROVED
        await counter.ready()
        second = await counter.end_of(await counter.start("12.50"))
        assert second.status is p.Status.CANCELED
        assert counter.journal_minor() == counter.taken_minor() == 1250

    at_a_counter(kind_of("repeats", persistent=persistent), tmp_path, visit)


@pytest.mark.parametrize("profile", ["wordy", "taciturn", "line_end"])
def test_every_way_to_say_yes_and_no_is_read(profile: str, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(), plan(outcome="decline"), plan(outcome="cancel"))
        paid = await counter.end_of(await counter.start("12.50"))
        assert paid.status is p.Status.APPROVED
        for _ in range(2):
            await counter.ready()
            denied = await counter.end_of(await counter.start("9.00"))
            assert denied.status in {p.Status.DECLINED, p.Status.CANCELED, p.Status.FAILED}
            assert denied.resolved_by == "terminal"
        assert counter.journal_minor() == counter.taken_minor() == 1250

    at_a_counter(kind_of(profile), tmp_path, visit)


@pytest.mark.parametrize("wanted", [True, False], ids=["wanted", "not wanted"])
def test_a_part_that_nothing_can_take_back_is_approved_and_told(
    wanted: bool, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(partial_minor=1000))
        fields = counter.fields("12.50", accept_partial=wanted)
        await counter.ask("payment/start", **fields)
        part = await counter.end_of(fields["payment_id"])
        assert (part.status, part.captured.minor) == (p.Status.APPROVED, 1000)
        kinds = [odd.kind for odd in part.discrepancies]
        assert kinds == ([] if wanted else ["less_than_asked"])
        if not wanted:
            assert "10.00 EUR of 12.50 EUR" in part.discrepancies[0].text
        assert counter.journal_minor() == counter.taken_minor() == 1000

    at_a_counter(CAISSE_AP, tmp_path, visit)

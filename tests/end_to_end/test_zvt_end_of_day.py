"""How ZVT terminals end a day: the completion decides, and totals stand in three places."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import Profile
from tests.support.counter import KINDS, Counter, Kind, at_a_counter

DAY = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
(ZVT,) = [kind for kind in KINDS if kind.name == "zvt-serial"]


def counter_with(profile: Profile) -> Kind:
    return replace(ZVT, terminal=partial(ZvtTerminal, kind="serial", profile=profile))


def test_a_batch_that_the_completion_keeps_open_is_told_as_not_closed(tmp_path: Path) -> None:
    """Totals and result 00 in 04 0F, then 06 0F with F0: the terminal has closed nothing."""

    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("20.40"))
        answer = await counter.ask("terminal/reconcile")
        assert answer["error"]["code"] == "terminal_maintenance", answer
        assert "closed" not in [entry.kind for entry in counter.terminal.ledger.entries]
        assert (await counter.end_of(await counter.start("5.00"))).is_final
        totals = await counter.ask("terminal/totals")
        assert totals["result"]["compare"]["terminal"] == "25.40"

    at_a_counter(counter_with(Profile(end_of_day_result=0xF0)), tmp_path, visit)


@pytest.mark.parametrize("result", [None, 0])
def test_an_end_of_day_without_a_status_is_read_from_its_completion(
    result: int | None, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("20.40"))
        answer = await counter.ask("terminal/reconcile")
        assert answer["result"]["closed"] is True
        assert answer["result"]["status"] == "matched"
        assert answer["result"]["compare"]["terminal"] == "20.40"

    where: Literal["completion"] = "completion"
    profile = Profile(end_of_day_totals=where, end_of_day_result=result)
    at_a_counter(counter_with(profile), tmp_path, visit)


def test_a_batch_closed_with_totals_on_paper_only_is_closed_and_compared_with_nothing(
    tmp_path: Path,
) -> None:
    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("20.40"))
        answer = await counter.ask("terminal/reconcile", operation_id=DAY)
        result = answer["result"]
        assert (result["closed"], result["status"]) == (True, "unknown")
        assert result["compare"]["terminal"] is None
        assert result["compare"]["journal"] == "20.40"
        assert (result["gap"], result["totals"]) == (None, [])
        again = await counter.ask("terminal/reconcile", operation_id=DAY)
        assert again["result"] == result
        await counter.end_of(await counter.start("5.00"))
        totals = await counter.ask("terminal/totals")
        assert totals["result"]["status"] == "matched", "the next batch begins at nothing"

    profile = Profile(end_of_day_totals="paper", end_of_day_result=0)
    at_a_counter(counter_with(profile), tmp_path, visit)

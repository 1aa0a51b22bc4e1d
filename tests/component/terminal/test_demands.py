"""A terminal that takes no payment before it gets what it asks for can be given exactly that."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers import zvt
from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import PROFILES
from tests.support.counter import Counter, Kind, at_a_counter


def kind(profile: str, **settings: Any) -> Kind:
    terminal = partial(ZvtTerminal, kind="tcp", profile=PROFILES[profile])
    return Kind(f"zvt-{profile}", zvt.DRIVER, "tcp", terminal, "zvt", settings=settings)


async def is_probed(counter: Counter) -> None:
    await counter.until(lambda: counter.life.station.state.probes > 0, "a probe")


async def refused(counter: Counter, operation: str, code: str, **fields: Any) -> None:
    answer = await counter.ask(operation, **fields)
    assert answer["status"] == "error", answer
    assert answer["error"]["code"] == code
    assert answer["error"]["money_moved"] == "no"


@pytest.mark.parametrize("looks_first", [False, True])
def test_an_end_of_day_that_is_due_is_done_when_a_register_asks_for_it(
    looks_first: bool, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await is_probed(counter)
        state = counter.life.station.state
        assert (state.problem, state.wants) == ("terminal_maintenance", "reconcile")
        await refused(counter, "payment/start", "terminal_maintenance", **counter.fields("20.40"))
        await refused(counter, "terminal/diagnose", "terminal_maintenance")
        await refused(counter, "card/read", "terminal_maintenance")
        if looks_first:
            assert (await counter.ask("terminal/totals"))["status"] == "ok"
        answer = await counter.ask("terminal/reconcile")
        assert answer["status"] == "ok", answer
        assert answer["result"]["closed"] is True
        await counter.ready()
        assert counter.life.station.state.wants == ""
        await counter.end_of(await counter.start("20.40"))
        assert counter.taken_minor() == counter.journal_minor() == 2040

    at_a_counter(kind("wants_end_of_day"), tmp_path, visit, ready=False)


def test_nothing_closes_a_batch_by_itself(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        await counter.until(lambda: counter.life.station.state.probes > 20, "many probes")
        assert counter.life.station.state.wants == "reconcile"
        assert [one for one in counter.movements() if one.kind == "closed"] == []

    at_a_counter(kind("wants_end_of_day"), tmp_path, visit, ready=False)


def test_a_diagnosis_that_is_due_is_made_at_once(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        await counter.ready()
        await counter.end_of(await counter.start("20.40"))
        assert counter.taken_minor() == 2040

    at_a_counter(kind("wants_diagnosis"), tmp_path, visit, ready=False)


def test_a_diagnosis_that_is_left_to_a_person_is_made_when_a_register_asks_for_it(
    tmp_path: Path,
) -> None:
    async def visit(counter: Counter) -> None:
        await is_probed(counter)
        assert counter.life.station.state.wants == "diagnose"
        await refused(counter, "payment/start", "terminal_maintenance", **counter.fields("20.40"))
        await refused(counter, "terminal/reconcile", "terminal_maintenance")
        answer = await counter.ask("terminal/diagnose")
        assert answer["status"] == "ok", answer
        await counter.ready()
        await counter.end_of(await counter.start("20.40"))

    at_a_counter(kind("wants_diagnosis", automatic_diagnosis=False), tmp_path, visit, ready=False)

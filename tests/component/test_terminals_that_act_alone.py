"""What a terminal does on its own is named at the end of day, and stays in health until noted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.zvt import ZvtTerminal
from tests.support.counter import KINDS, Counter, Kind, at_a_counter

BY_NAME = {kind.name: kind for kind in KINDS}
ZVT = [BY_NAME[name] for name in ("zvt-serial", "zvt-tcp")]
PAX = [BY_NAME[name] for name in ("pax-serial", "pax-tcp")]
BOTH = pytest.mark.parametrize("kind", [*ZVT, *PAX], ids=lambda kind: kind.name)
EVERY_ZVT = pytest.mark.parametrize("kind", ZVT, ids=lambda kind: kind.name)
EVERY_PAX = pytest.mark.parametrize("kind", PAX, ids=lambda kind: kind.name)


async def paid(counter: Counter, amount: str) -> str:
    payment_id = await counter.start(amount)
    await counter.end_of(payment_id)
    await counter.ready()
    return payment_id


async def told(counter: Counter, operation: str = "terminal/reconcile") -> dict[str, Any]:
    answer = await counter.ask(operation)
    assert answer["status"] == "ok", answer
    result: dict[str, Any] = answer["result"]
    return result


async def alone(counter: Counter, act: Callable[[ZvtTerminal | PaxTerminal], bool]) -> None:
    """Have the terminal act on its own, while the bridge's line to it is gone."""
    terminal = counter.terminal
    assert isinstance(terminal, ZvtTerminal | PaxTerminal)
    counter.port.unplug()
    if isinstance(terminal, ZvtTerminal):
        terminal.power_cut(2.0)  # it is not registered any more: its keypad is free
    await asyncio.sleep(1)
    assert act(terminal), "the simulated terminal refused"
    await asyncio.sleep(2)
    await counter.port.plug()
    await counter.ready()


def gaps(counter: Counter) -> list[tuple[str, int, bool]]:
    found = counter.life.ledger.batches.gaps()
    return [(name, gap.minor, gap.is_explained) for name, gap in found]


@EVERY_ZVT
def test_a_reversal_typed_at_the_terminal_is_named_with_its_receipt(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await paid(counter, "10.00")
        reversed_id = await paid(counter, "20.40")
        await alone(counter, lambda terminal: terminal.void_without_register())
        found = await told(counter)
        assert (found["status"], found["gap"], found["not_explained"]) == (
            "different",
            "-20.40",
            None,
        )
        (cause,) = found["explained_by"]
        assert (cause["kind"], cause["payment_id"]) == ("reversed_at_terminal", reversed_id)
        assert "receipt 0003" in cause["text"]
        assert found["facts"] == found["explained_by"]
        assert gaps(counter) == [("counter-1", -2040, True)]

    at_a_counter(kind, tmp_path, visit)


@EVERY_PAX
def test_a_close_of_its_own_is_named_with_the_terminals_batch_numbers(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        first = await paid(counter, "20.40")
        await alone(counter, lambda terminal: terminal.close_without_register())
        await paid(counter, "5.00")
        found = await told(counter)
        assert (found["gap"], found["not_explained"]) == ("-20.40", None)
        (cause,) = found["explained_by"]
        assert (cause["kind"], cause["payment_id"]) == ("closed_by_terminal", first)

    at_a_counter(kind, tmp_path, visit)


@EVERY_ZVT
def test_a_gap_that_nothing_in_the_journal_makes_is_called_not_explained(
    kind: Kind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def visit(counter: Counter) -> None:
        await paid(counter, "20.40")
        await alone(counter, lambda terminal: terminal.close_without_register())
        await paid(counter, "5.00")
        found = await told(counter)
        assert (found["status"], found["gap"]) == ("different", "-20.40")
        assert (found["explained_by"], found["not_explained"]) == ([], "-20.40")
        assert "not explained" in caplog.text

    at_a_counter(kind, tmp_path, visit)


@EVERY_PAX
def test_sums_that_are_equal_by_accident_are_not_called_matched(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        await paid(counter, "20.40")
        await alone(counter, lambda terminal: terminal.close_without_register())
        await paid(counter, "5.00")
        await alone(counter, lambda terminal: terminal.pay_without_register(2040))
        found = await told(counter)
        assert found["compare"]["terminal"] == found["compare"]["journal"] == "25.40"
        assert (found["status"], found["gap"]) == ("different", "0.00")
        assert [one["kind"] for one in found["facts"]] == ["closed_by_terminal"]
        assert gaps(counter) == [("counter-1", 0, True)]

    at_a_counter(kind, tmp_path, visit)


@BOTH
def test_a_day_without_strangers_is_matched_and_leaves_nothing_to_note(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await paid(counter, "20.40")
        voided = await paid(counter, "5.00")
        await counter.follow("void", voided)
        await counter.ready()
        await asyncio.sleep(5)
        found = await told(counter)
        assert (found["status"], found["gap"], found["facts"]) == ("matched", "0.00", [])
        assert gaps(counter) == []

    at_a_counter(kind, tmp_path, visit)


@EVERY_ZVT
def test_a_gap_stays_until_somebody_noted_it_also_over_a_restart(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await paid(counter, "20.40")
        await alone(counter, lambda terminal: terminal.void_without_register())
        for _ in range(2):
            await told(counter, "terminal/totals")
        assert len(gaps(counter)) == 1, "one gap, however often it is read"
        await told(counter)
        assert len(gaps(counter)) == 1, "the end of day's takes its place"
        await counter.kill_and_restart()
        await counter.ready()
        assert gaps(counter) == [("counter-1", -2040, True)]
        noted = await counter.ask("terminal/note", approved_by="anna", text="voided by bert")
        assert noted["result"] == {"terminal_id": "counter-1", "noted": 1}
        await counter.kill_and_restart()
        await counter.ready()
        assert gaps(counter) == []

    at_a_counter(kind, tmp_path, visit)


@EVERY_ZVT
def test_a_gap_that_was_noted_while_the_batch_was_open_is_not_told_again_at_its_end(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await paid(counter, "20.40")
        await alone(counter, lambda terminal: terminal.void_without_register())
        await told(counter, "terminal/totals")
        await counter.ask("terminal/note", approved_by="anna")
        found = await told(counter)
        assert found["status"] == "different", "noted is not matched"
        assert gaps(counter) == []

    at_a_counter(kind, tmp_path, visit)

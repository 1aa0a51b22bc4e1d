"""A terminal that undoes what a register seems not to know: the station never makes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bridge.money import payment as p
from simulators.terminals.zvt import PROFILES, ZvtTerminal
from tests.support.counter import KINDS, Counter, Kind, at_a_counter, trouble

WITH_IDS = [
    replace(
        kind,
        terminal=partial(
            ZvtTerminal,
            kind=kind.transport,
            profile=replace(PROFILES["default"], synchronizes=True),
        ),
        settings={"synchronization_ids": True},
    )
    for kind in KINDS
    if kind.simulator == "zvt"
]
EVERY_LINE = pytest.mark.parametrize("kind", WITH_IDS, ids=[one.name for one in WITH_IDS])


def reasons(counter: Counter) -> list[str]:
    return [entry.reason for entry in counter.terminal.ledger.entries]


def test_a_payment_typed_in_at_the_terminal_is_not_undone_by_the_next(tmp_path: Path) -> None:
    """On a serial line nobody notices that the terminal was switched off and on."""

    async def visit(counter: Counter) -> None:
        terminal = counter.terminal
        assert isinstance(terminal, ZvtTerminal)
        await counter.end_of(await counter.start("9.99"))
        terminal.power_cut(1.0)  # it comes back unregistered, and takes payments alone
        await asyncio.sleep(2)
        assert terminal.pay_without_register(2040)
        payment = await counter.end_of(await counter.start("5.00"))
        assert payment.status is p.Status.APPROVED
        assert counter.taken_minor() == 999 + 2040 + 500
        assert "synchronization" not in reasons(counter)

    (serial,) = (kind for kind in WITH_IDS if kind.transport == "serial")
    at_a_counter(serial, tmp_path, visit)


@EVERY_LINE
def test_a_payment_that_was_in_doubt_is_not_undone_by_the_next(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("unplug", "prints", seconds=3))
        await counter.end_of(await counter.start("20.40"))
        await counter.ready()
        await counter.end_of(await counter.start("5.00"))
        assert counter.journal_minor() == counter.taken_minor()
        assert "synchronization" not in reasons(counter)

    at_a_counter(kind, tmp_path, visit)

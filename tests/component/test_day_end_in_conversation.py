"""An end of day is stored in the conversation that closes it, before the terminal hears of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import JournalError
from bridge.money.ledger import Ledger
from bridge.money.store.journal import Change, Journal
from bridge.money.terminal_batch import BatchClosed
from bridge.register import api as k
from bridge.register.mqtt.messages import Delivery
from tests.support.counter import KINDS, TERMINAL, Counter, Kind, at_a_counter

OPERATION = "018f6f50-0000-7000-8000-0000000000f1"
CLOSES = [one for one in KINDS if "reconcile" in one.can.operations]
EVERY_ONE_THAT_CLOSES = pytest.mark.parametrize("kind", CLOSES, ids=lambda kind: kind.name)


def send(counter: Counter) -> None:
    """Ask for an end of day; nobody fetches the answer."""
    topic = f"{k.topics.DEFAULT_BASE}/registers/till-1/request/terminal/reconcile"
    body = {"request_id": "eod", "operation_id": OPERATION}
    counter.life.bus.queue.put_nowait(Delivery(topic, json.dumps(body).encode()))


def closes(counter: Counter) -> int:
    return sum(one.kind == "closed" for one in counter.terminal.ledger.entries)


def is_closed(ledger: Ledger) -> bool:
    return bool(ledger.batches.of(TERMINAL).closed)


@EVERY_ONE_THAT_CLOSES
def test_an_end_of_day_is_stored_though_nobody_fetches_its_answer(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("20.40"))
        await counter.ready()
        send(counter)
        await counter.until(lambda: is_closed(counter.life.ledger), "a stored end of day")
        await counter.kill_and_restart()
        await counter.ready()
        answer = await counter.ask("terminal/reconcile", operation_id=OPERATION)
        assert answer["result"]["closed"] is True
        assert answer["result"]["compare"]["terminal"] == "20.40"
        assert closes(counter) == 1, "the same end of day closes nothing again"

    at_a_counter(kind, tmp_path, visit)


@pytest.mark.parametrize(
    "kind", [one for one in CLOSES if one.simulator == "zvt"], ids=lambda kind: kind.name
)
def test_a_terminal_is_not_acknowledged_while_its_end_of_day_is_not_on_disk(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    append = Journal.append

    async def visit(counter: Counter) -> None:
        def full(journal: Journal, change: Change, *, urgent: bool = True) -> object:
            if any(isinstance(one.event, BatchClosed) for one in change.entries):
                written.append(bytes(counter.written))
                raise JournalError("the disk is full")
            return append(journal, change, urgent=urgent)

        await counter.end_of(await counter.start("20.40"))
        await counter.ready()
        monkeypatch.setattr(Journal, "append", full)
        send(counter)
        with pytest.raises(JournalError):  # no journal, no service
            await counter.until(lambda: False, "the end of the station")
        assert len(written) == 1
        after = bytes(counter.written)[len(written[0]) :]
        assert bytes.fromhex("800000") not in after, "the completion is not acknowledged"

    at_a_counter(kind, tmp_path, visit)

"""A bundle is played again: decisions as they were, the conversation in the simulator."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path

import pytest

from bridge.cli.arguments import parser
from bridge.cli.commands.replay import _play, _read, main
from bridge.cli.support_bundle import write
from bridge.errors import ConfigError
from bridge.money import payment as p
from bridge.money.store.journal_entries import Entry
from bridge.reports.reader import reading
from bridge.reports.replay import conversation_of, read_bundle, replay
from bridge.settings import JOURNAL_NAME
from drivers.contract import Approved, Baseline, Declined, Progress, Stage, Unclear
from tests.component.cli.test_support import bundle, fill
from tests.support.till import approval, open_till, pay

ZVT = {"counter-1": {"driver": "zvt", "settings": {"password": "***"}}}


async def entries_of(folder: Path, *events: p.Event) -> list[Entry]:
    async with open_till(folder) as till:
        wanted = pay(1, 1250)
        await till.ledger.accept(wanted, p.Started(Baseline("T0")))
        for event in events:
            await till.ledger.apply(wanted.payment_id, event)
    with reading(folder / JOURNAL_NAME) as reader:
        return reader.entries(wanted.payment_id)


async def test_the_decisions_are_those_that_were_taken(tmp_path: Path) -> None:
    said = Approved(approval(pay(1, 1250)))
    entries = await entries_of(tmp_path, Progress(Stage.AUTHORIZING), Unclear("link_lost"), said)
    steps = replay(entries)
    assert [step.status for step in steps] == [
        "queued",
        "in_progress",
        "in_progress",
        "in_doubt",
        "approved",
    ]
    assert (steps[-1].funds, steps[-1].recording) == ("captured", "pending")
    assert "AskTerminal" in steps[3].actions
    assert not any(step.problem for step in steps)


async def test_an_event_that_today_cannot_be_is_told(tmp_path: Path) -> None:
    entries = await entries_of(tmp_path, Approved(approval(pay(1, 1250))))
    wrong = changed(entries[-1], event=p.Started(Baseline("")), seq=99)
    assert replay([*entries, wrong])[-1].problem
    assert replay(entries[1:])[:1] == [], "without its beginning there is nothing to show"


@pytest.mark.parametrize(
    ("events", "shopper", "cut"),
    [
        ((Declined("05"),), "decline", None),
        (
            (Progress(Stage.WAITING_FOR_CARD), Unclear("link_lost")),
            "approve",
            Stage.WAITING_FOR_CARD,
        ),
        ((Progress(Stage.AUTHORIZING), Unclear("link_lost")), "approve", Stage.AUTHORIZING),
    ],
)
async def test_what_the_simulator_shall_play_comes_from_the_journal(
    tmp_path: Path, events: tuple[p.Event, ...], shopper: str, cut: Stage | None
) -> None:
    talk = conversation_of(await entries_of(tmp_path, *events))
    assert talk is not None
    assert (talk.shopper, talk.cut_in, talk.amount.minor) == (shopper, cut, 1250)


async def test_a_cut_line_is_played_and_the_inquiry_after_it(tmp_path: Path) -> None:
    entries = await entries_of(tmp_path, Progress(Stage.AUTHORIZING), Unclear("link_lost"))
    talk = conversation_of(entries)
    assert talk is not None
    said = "\n".join(_played(talk, ZVT))
    assert "is cut here" in said
    assert "begins: Inquire" in said
    assert "06 01" in said, "the frames of the driver are shown"


def _played(talk: object, terminals: Mapping[str, object]) -> list[str]:
    """Play in a thread: the simulator has a loop of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(_play, talk, terminals).result()  # type: ignore[arg-type]


@pytest.mark.parametrize("driver", ["zvt", "pax", "telium"])
async def test_every_driver_with_a_simulated_terminal_is_played_to_its_end(
    tmp_path: Path, driver: str
) -> None:
    entries = await entries_of(tmp_path, Approved(approval(pay(1, 1250))))
    talk = conversation_of(entries)
    assert talk is not None
    said = _played(talk, {"counter-1": {"driver": driver}})
    if driver == "pax":
        talk = changed(talk, amount=changed(talk.amount, currency="USD"))
        said = _played(talk, {"counter-1": {"driver": driver}})
    assert any("approved: 1250" in line for line in said), said


async def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    talk = conversation_of(await entries_of(tmp_path, Declined("05")))
    assert talk is not None
    assert "no simulated terminal" in _play(talk, {})[0]
    assert "no simulated terminal" in _play(talk, {"counter-1": {"driver": "hello"}})[0]


async def test_a_bundle_goes_out_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    files = await bundle(tmp_path, monkeypatch, 1, 2)
    out = tmp_path / "b.zip"
    write(out, files)
    entries, unread = read_bundle(_read(out)["journal.jsonl"].splitlines())
    assert unread == []
    steps = {name: replay(some) for name, some in entries.items() if not name.startswith("t")}
    assert steps[pay(1, 1).payment_id][-1].status == "approved"
    assert steps[pay(2, 1).payment_id][-1].status == "in_doubt"


def test_the_command_plays_a_bundle_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    asyncio.run(fill(tmp_path))
    files = asyncio.run(bundle(tmp_path, monkeypatch, 1))
    write(tmp_path / "b.zip", files)
    assert main(parser().parse_args(["replay", str(tmp_path / "b.zip")])) == 0
    said = capsys.readouterr().out
    assert "→ approved, captured, pending" in said
    assert "in the simulator" in said
    assert main(parser().parse_args(["replay", str(tmp_path / "b.zip"), "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["payments"][0]["conversation"]


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no zip")
    with pytest.raises(ConfigError, match="no bundle"):
        _read(tmp_path / "x")
    with pytest.raises(ConfigError, match="no bundle"):
        _read(tmp_path / "none")
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("journal.jsonl", b"0" * (65 << 20))
    with pytest.raises(ConfigError, match="more than any bundle"):
        _read(tmp_path / "bomb")
    found, unread = read_bundle(["{}", "not json", '{"kind":"Nothing","body":{}}', ""])
    assert (found, len(unread)) == ({}, 3)

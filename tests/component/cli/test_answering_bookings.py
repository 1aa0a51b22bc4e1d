"""`paybridge resolve` for many bookings, and `paybridge mend`: through the real control socket."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.cli import main as run_command
from bridge.cli.bulk_answers import Wish, WrongUse, read_list
from bridge.config import CONTROL_NAME
from bridge.control import Control
from bridge.money import purchase as s
from bridge.money.ledger import Ledger
from bridge.purchase_answers import ANSWERS_MAX
from bridge.settings import JOURNAL_NAME
from tests.component.money.test_ledger import Disk
from tests.component.test_purchase_answers import REJECTED, state_of, waiting

LOST = s.Unproven("HTTP 503 without a JSON body")
Say = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger that the command line can reach, as the running service has one."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        disk = Disk(tmp_path / JOURNAL_NAME, executor)
        found = disk.ledger()
        desk = cast(Any, SimpleNamespace(refusal=None))
        serving = asyncio.create_task(Control(tmp_path / CONTROL_NAME, found, desk).run())
        while not (tmp_path / CONTROL_NAME).exists():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)
        yield found
        serving.cancel()
        await asyncio.wait({serving})
        disk.close()


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command as a person does who types `typed` afterwards; None: nobody is there."""
    config = tmp_path / "paybridge.toml"
    config.write_text(
        f'[site]\nstore_code = "S012"\nstate_directory = "{tmp_path}"\n'
        '[terminals.counter-1]\ndriver = "zvt"\nport = "/dev/null"\n'
    )
    monkeypatch.setenv("COLUMNS", "200")

    async def run(*words: str, typed: str | None = None) -> tuple[int, str, str]:
        keyboard = io.StringIO(typed or "")
        monkeypatch.setattr(keyboard, "isatty", lambda: typed is not None, raising=False)
        monkeypatch.setattr("sys.stdin", keyboard)

        def command() -> int:
            with pytest.raises(SystemExit) as ended:
                run_command([words[0], "--config", str(config), *words[1:]])
            return int(str(ended.value.code))

        status = await asyncio.get_running_loop().run_in_executor(None, command)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


BY = ("--by", "anna", "--why", "looked up after the outage")


async def test_many_are_shown_agreed_to_and_answered(ledger: Ledger, say: Say) -> None:
    names = [await waiting(ledger, n, LOST) for n in (1, 2)]
    bad = await waiting(ledger, 3, REJECTED)
    which = ("resolve", "all", "send-again", "--unconfirmed", *BY)
    status, out, _ = await say(*which, "--dry-run")
    assert status == 0
    assert all(name in out for name in names)
    assert bad not in out
    assert "2 bookings over 95.80 EUR" in out
    assert [state_of(ledger, name) for name in names] == ["unconfirmed"] * 2
    status, out, err = await say(*which)
    assert (status, "nobody is here to agree" in err) == (64, True)
    status, out, _ = await say(*which, typed="3\n")
    assert (status, "nothing was answered" in out) == (1, True)
    assert [state_of(ledger, name) for name in names] == ["unconfirmed"] * 2
    status, out, _ = await say(*which, typed="2\n")
    assert status == 0
    assert "will be there twice" in out
    assert [state_of(ledger, name) for name in names] == ["pending"] * 2
    assert state_of(ledger, bad) == "rejected"


async def test_a_list_says_for_each_what_was_found(
    ledger: Ledger, say: Say, tmp_path: Path
) -> None:
    first, second = [await waiting(ledger, n, LOST) for n in (1, 2)]
    answers = tmp_path / "answers.csv"
    payment_id = second.removeprefix("S012-")
    answers.write_text(
        f"# outage\n{first}, booked, P-1\n\n{payment_id},send-again\nS012-x,booked,9\n"
    )
    status, out, _ = await say("resolve", f"@{answers}", "as-listed", *BY, "--yes")
    assert status == 1, "one was not there"
    assert "no booking waits for S012-x" in out
    assert [state_of(ledger, name) for name in (first, second)] == ["recorded", "pending"]
    found = ledger.payments.purchase(first)
    assert found is not None
    assert (found.purchase.record_id, found.purchase.answered_by) == ("P-1", "anna")
    status, out, _ = await say("resolve", f"@{answers}", "as-listed", *BY, "--yes", "--json")
    assert (status, json.loads(out.splitlines()[-1])["results"]) == (1, [])


async def test_programs_get_json_and_must_say_yes(ledger: Ledger, say: Say) -> None:
    name = await waiting(ledger, 1, LOST)
    which = ("resolve", "all", "send-again", "--since", "2026-11-23", *BY, "--json")
    status, out, _ = await say(*which, "--dry-run")
    (shown,) = json.loads(out)["purchases"]
    assert (status, shown["transaction_id"], shown["amount"]) == (0, name, "47.90")
    status, out, _ = await say(*which, typed="1\n")
    assert (status, json.loads(out)["error"]) == (64, "WrongUse")
    status, out, _ = await say(*which, "--yes")
    (result,) = json.loads(out)["results"]
    assert (status, result["name"], result["done"]) == (0, name, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("all", "send-again", *BY), "say which"),
        (("all", "booked", "--unconfirmed", *BY), "@FILE"),
        (("all", "not-charged", "--unconfirmed", *BY), "not for several"),
        (("a,b", "send-again", "--by", "anna"), "--why"),
        (("a,a", "send-again", *BY), "twice"),
        (("@/nowhere", "as-listed", *BY), "No such file"),
        (("@/nowhere", "send-again", *BY), "as-listed"),
        (("018f", "as-listed", *BY), "as-listed"),
        (("018f", "send-again", "--unconfirmed", *BY), "--unconfirmed"),
        (("all", "send-again", "--since", "23.11.2026", *BY), "write a date like"),
    ],
)
async def test_words_that_do_not_fit_are_named(
    ledger: Ledger, say: Say, words: tuple[str, ...], said: str
) -> None:
    name = await waiting(ledger, 1, LOST)
    status, _, err = await say("resolve", *words)
    assert status == 64
    assert said in err
    assert state_of(ledger, name) == "unconfirmed"


@pytest.mark.parametrize(
    ("text", "line"),
    [("S-1,booked\n", 1), ("S-1,send-again\nS-2,maybe\n", 2), ("S-1,send-again,P-1", 1), ("", 0)],
)
def test_a_list_with_a_bad_line_is_refused_whole(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(WrongUse, match=f"line {line}:" if line else "no answers"):
        read_list(path)


def test_a_list_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(b'\xef\xbb\xbf"S-1",booked,"P-1"\r\nS-2,send-again,\r\n,,\r\n')
    assert read_list(path) == [Wish("S-1", "P-1"), Wish("S-2")]


async def test_more_than_are_answered_at_once_is_said(
    ledger: Ledger, say: Say, tmp_path: Path
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("".join(f"S-{n},send-again\n" for n in range(ANSWERS_MAX + 1)))
    status, _, err = await say("resolve", f"@{path}", "as-listed", *BY)
    assert (status, f"at most {ANSWERS_MAX}" in err) == (64, True)
    path.write_text("".join(f"{'S' * 90}-{n},booked,{'P' * 60}\n" for n in range(ANSWERS_MAX)))
    status, out, _ = await say("resolve", f"@{path}", "as-listed", *BY)
    assert (status, "no booking waits that is meant" in out) == (1, True), "the longest order fits"


async def test_a_rejected_booking_is_mended_and_both_versions_are_shown(
    ledger: Ledger, say: Say
) -> None:
    name = await waiting(ledger, 1, REJECTED)
    payment_id = name.removeprefix("S012-")
    words = ("--store-code", "S021", "--sku", "2=B-NEW", "--no-member", "--by", "anna")
    status, out, _ = await say("mend", payment_id[-4:], *words, "--why", "the [store] moved")
    assert (status, f"{name}: pending" in out) == (0, True)
    status, out, _ = await say("show", payment_id[-4:])
    assert "store_code S012 → S021" in out
    assert "lines.2.sku B → B-NEW" in out
    assert "member_id M1 → none" in out
    assert "the [store] moved" in out
    status, out, _ = await say("show", payment_id[-4:], "--json")
    (mend,) = json.loads(out)["purchases"][0]["mended"]
    assert (mend["by"], mend["why"]) == ("anna", "the [store] moved")
    assert {"field": "store_code", "before": "S012", "after": "S021"} in mend["changes"]


async def test_an_unconfirmed_booking_is_not_mended_from_the_command_line(
    ledger: Ledger, say: Say
) -> None:
    name = await waiting(ledger, 1, LOST)
    more = ("--by", "anna", "--why", "moved")
    status, _, err = await say("mend", name, "--store-code", "S021", *more)
    assert (status, "may be in the books" in err) == (1, True)
    for words, said in (
        (("--sku", "two=B"), "LINE=SKU"),
        (("--member", ""), "--no-member"),
    ):
        status, _, err = await say("mend", name, *words, *more)
        assert (status, said in err) == (64, True)
    status, out, _ = await say("mend", name, "--store-code", "S021", *more, "--json")
    assert json.loads(out)["code"] == "not_allowed"
    assert state_of(ledger, name) == "unconfirmed"

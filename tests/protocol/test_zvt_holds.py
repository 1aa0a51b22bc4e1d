"""Holds: how they are named, and asked for when a follow-up is in doubt; and what is repaired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers import contract as c
from drivers.zvt import ZvtSettings
from tests.protocol.test_zvt_dialogue import (
    APPROVED,
    DONE,
    HOLD,
    PAY_BYTES,
    YES,
    Register,
    register,
)
from tests.protocol.test_zvt_inquiry import HOW_ARE_YOU, IDLE, LAST, LOG_ON, LOGGED_ON, STOP

INITIALIZE = "06 93 03 00 00 00"
OPEN_HOLDS = "06 23 03 87 FF FF"
LISTED = "06 1E 04 B8 87 02 31"
NONE_OPEN = "06 1E 04 B8 87 FF FF"
LISTED_ALL = "06 1E 0D B8 06 0A 23 08 08 02 01 17 08 02 02 31"
KNOWN_HOLD = replace(HOLD, terminal_id="28004869")
CAPTURE = c.Capture("r", c.Money(1895, "EUR"), KNOWN_HOLD)
RELEASE = c.Reverse("r", KNOWN_HOLD)


def asked_for_holds(about: c.MoneyOperation) -> Register:
    """Return a register whose terminal is idle and told a last transaction that proves nothing."""
    desk = register()
    assert desk.begin(c.Inquire(about, None)) == STOP
    assert desk.hear(YES) == HOW_ARE_YOU
    desk.hear(YES)
    assert desk.hear(IDLE) == f"{YES} {LOG_ON}"
    desk.hear(YES)
    assert desk.hear(LOGGED_ON) == f"{YES} {LAST}"
    desk.hear(YES)
    desk.hear(APPROVED)
    desk.hear(DONE)
    return desk


@pytest.mark.parametrize("about", [CAPTURE, RELEASE], ids=["capture", "release"])
@pytest.mark.parametrize("answer", [LISTED, LISTED_ALL], ids=["one", "all"])
def test_a_hold_that_is_still_open_was_neither_captured_nor_released(
    about: c.MoneyOperation, answer: str
) -> None:
    desk = asked_for_holds(about)
    assert desk.sent[-1] == f"{YES} {OPEN_HOLDS}"
    assert desk.hear(YES) == ""
    assert desk.hear(answer) == YES
    assert desk.last == c.Failed("not_executed", "the terminal is idle, the hold is still open")


@pytest.mark.parametrize(
    "answers",
    [
        [YES, NONE_OPEN],
        [YES, "06 1E 04 B8 87 01 17"],
        [YES, "06 1E 01 B8"],
        [YES, "06 1E 04 6C 87 02 31"],
        [YES, DONE],
        ["84 83 00"],
        [YES],
    ],
    ids=["none", "another", "bare", "other_code", "completion", "unknown", "silence"],
)
def test_a_hold_that_is_not_listed_proves_nothing(answers: list[str]) -> None:
    desk = asked_for_holds(CAPTURE)
    for answer in answers:
        desk.hear(answer)
    if desk.wake_at is not None:
        desk.wait()
    assert isinstance(desk.last, c.Unclear)


@pytest.mark.parametrize(
    "about",
    [
        replace(CAPTURE, original=replace(HOLD, terminal_id="99999999")),
        replace(CAPTURE, original=replace(HOLD, terminal_id="")),
        replace(RELEASE, amount=c.Money(100, "EUR")),
        c.Authorize("r", c.Money(2500, "EUR"), KNOWN_HOLD),
        c.Pay("r", c.Money(1, "EUR")),
    ],
    ids=["another_terminal", "terminal_not_known", "part", "raise", "payment"],
)
def test_the_list_is_not_asked_for_where_it_cannot_tell(about: c.MoneyOperation) -> None:
    assert isinstance(asked_for_holds(about).last, c.Unclear)


def test_a_hold_without_a_receipt_number_is_released_by_what_else_is_known() -> None:
    elsewhere = replace(KNOWN_HOLD, transaction_id="", trace="000231", approval_code="291675")
    desk = register()
    assert desk.begin(c.Reverse("r", elsewhere)) == (
        "06 26 1D 04 00 00 00 00 25 00 49 09 78 0B 00 02 31"
        " 3B 32 39 31 36 37 35 00 00 06 04 1F 06 01 02"
    )
    desk.hear("84 83 00")
    assert register().begin(c.Reverse("r", replace(elsewhere, trace=""))) == ""
    assert register().begin(replace(CAPTURE, original=elsewhere)) == ""


@pytest.mark.parametrize(
    ("language", "tail"),
    [("de-AT", "06 04 15 02 64 65"), ("EN", "06 04 15 02 65 6E"), ("", ""), ("gsw", "")],
)
def test_a_payment_may_name_the_shoppers_language(language: str, tail: str) -> None:
    pay = c.Pay("r", c.Money(2040, "EUR"), language=language)
    sent = register(ZvtSettings(sends_language=True)).begin(pay)
    assert sent == (PAY_BYTES.replace("06 01 0A", "06 01 10") + f" {tail}" if tail else PAY_BYTES)
    assert register().begin(pay) == PAY_BYTES


# --- what a terminal asks for


def probing(status: str, settings: ZvtSettings | None = None) -> Register:
    desk = register(settings)
    desk.begin(c.Probe())
    desk.hear(YES)
    desk.hear(LOGGED_ON)
    desk.hear(YES)
    desk.hear(f"06 0F 01 {status}")
    return desk


def test_a_terminal_that_needs_it_is_initialized_and_asked_anew() -> None:
    desk = probing("51")
    assert desk.sent[-1] == f"{YES} {INITIALIZE}"
    desk.hear(YES)
    assert desk.hear("04 FF 01 D2") == YES
    assert desk.hear(DONE) == f"{YES} {LOG_ON}"
    desk.hear(YES)
    assert desk.hear(LOGGED_ON) == f"{YES} {HOW_ARE_YOU}"
    desk.hear(YES)
    assert desk.hear(IDLE) == f"{YES} {LAST}"


@pytest.mark.parametrize(
    "answers",
    [["84 83 00"], [YES, "06 1E 01 A3"], [YES, "06 0F 02 27 9B"]],
    ids=["unknown", "aborted", "failed"],
)
def test_an_initialization_that_fails_leaves_the_terminal_not_ready(answers: list[str]) -> None:
    desk = probing("51")
    for answer in answers:
        desk.hear(answer)
    assert desk.last == c.TerminalNotReady("terminal_maintenance", "initialization required")


def test_an_initialization_is_tried_once() -> None:
    desk = probing("51")
    for answer in (YES, DONE, YES, LOGGED_ON, YES, "06 0F 01 51"):
        desk.hear(answer)
    assert desk.last == c.TerminalNotReady("terminal_maintenance", "initialization required")
    assert "".join(desk.sent).count(INITIALIZE) == 1


def test_a_terminal_that_works_without_it_is_ready_though_its_initialization_failed() -> None:
    desk = register()
    desk.begin(c.Probe())
    desk.hear(YES)
    desk.hear("06 0F 02 19 01")
    desk.hear(YES)
    assert desk.hear(IDLE) == f"{YES} {INITIALIZE}"
    assert desk.hear("84 83 00") == LAST
    for answer in (YES, APPROVED, DONE):
        desk.hear(answer)
    assert isinstance(desk.last, c.TerminalReady)
    assert desk.last.problems == ("initialization required",)


def test_a_maker_whose_terminals_have_no_initialization_is_not_asked_for_it() -> None:
    desk = probing("51", ZvtSettings(profile="card_complete"))
    assert isinstance(desk.last, c.TerminalNotReady)
    assert INITIALIZE not in "".join(desk.sent)

"""Terminals that do not tell how they are: usable, and idle only after a long silence."""

from __future__ import annotations

import pytest

from drivers import contract as c
from drivers.zvt import ZvtSettings
from tests.protocol.test_zvt_dialogue import APPROVED, DONE, YES, Register, register
from tests.protocol.test_zvt_inquiry import HOW_ARE_YOU, IDLE, LAST, LOG_ON, LOGGED_ON, SAME, asking

# How terminals that were seen in stores and in mocks answer 05 01, which tells nothing of them.
UNTOLD = {
    "unknown command": ["84 83 00"],
    "protocol error": [YES, "06 1E 01 9A", YES, "06 1E 01 9A"],
    "told like a result": [YES, "04 0F 02 27 00", DONE],
    "bare": [YES, DONE],
    "silence": [],
}


def without_status(answer: list[str], settings: ZvtSettings | None = None) -> Register:
    """Ask about an order; the memory shows what was there before it, the status is not told."""
    desk = asking(SAME, settings=settings)
    desk.hear(YES)
    for apdu in answer:
        desk.hear(apdu)
        if apdu == "06 1E 01 9A" and "06 00" not in desk.sent[-1]:
            while "06 00" not in desk.sent[-1] and "05 01" not in desk.sent[-1]:
                desk.wait()
    while "06 00" not in " ".join(desk.sent):
        desk.wait()
    for apdu in (YES, LOGGED_ON, YES, APPROVED, DONE):
        desk.hear(apdu)
    return desk


@pytest.mark.parametrize("answer", UNTOLD.values(), ids=UNTOLD)
def test_where_no_status_is_told_only_a_long_silence_proves_that_nothing_was_done(
    answer: list[str],
) -> None:
    desk = without_status(answer)
    assert desk.events == []
    assert desk.wake_at is not None
    assert desk.wake_at - desk.now == ZvtSettings().longest_payment_seconds
    assert "06 20" in desk.wait(), "its memory may have changed meanwhile"
    for apdu in (YES, APPROVED, DONE):
        desk.hear(apdu)
    assert desk.last == c.Failed(
        "not_executed", "the terminal is idle, its last transaction is the old one"
    )


def test_what_it_has_done_at_the_end_of_the_silence_counts() -> None:
    desk = without_status(UNTOLD["unknown command"])
    desk.wait()
    newer = APPROVED.replace("0B 00 04 70", "0B 00 04 71").replace("87 04 70", "87 04 71")
    for apdu in (YES, newer, DONE):
        desk.hear(apdu)
    assert isinstance(desk.last, c.Unclear)


@pytest.mark.parametrize("sign", ["04 FF 01 0A", "06 D1 07 00 42 65 6C 65 67 21", "04 0F 02 27 37"])
def test_a_sign_of_life_breaks_the_silence(sign: str) -> None:
    desk = without_status(UNTOLD["unknown command"])
    desk.hear(sign)
    while desk.wake_at is not None:
        desk.wait()
    assert isinstance(desk.last, c.Unclear)


def test_a_line_that_is_lost_in_the_silence_proves_nothing() -> None:
    desk = without_status(UNTOLD["unknown command"])
    desk.lose_line()
    assert isinstance(desk.last, c.Unclear)


def test_a_terminal_that_was_said_to_know_no_status_is_not_asked_for_it() -> None:
    settings = ZvtSettings(status_enquiry_usable=False)
    desk = without_status([], settings)
    assert not any("05 01" in sent for sent in desk.sent)
    assert desk.wake_at is not None
    assert desk.wake_at - desk.now == settings.longest_payment_seconds


def test_silence_proves_nothing_of_a_terminal_that_did_not_register_us() -> None:
    desk = asking(SAME, settings=ZvtSettings(status_enquiry_usable=False))
    for apdu in (YES, "84 83 00", YES, APPROVED, DONE):
        desk.hear(apdu)
    assert isinstance(desk.last, c.Unclear)
    assert desk.wake_at is None


# --- how it is, before a payment


def logged_on(settings: ZvtSettings | None = None) -> Register:
    """Probe until the terminal has taken the registration."""
    desk = register(settings)
    assert desk.begin(c.Probe()) == LOG_ON
    desk.hear(YES)
    desk.hear(LOGGED_ON)
    return desk


@pytest.mark.parametrize("answer", UNTOLD.values(), ids=UNTOLD)
def test_a_terminal_that_tells_no_status_is_usable_once_it_registered_us(
    answer: list[str],
) -> None:
    desk = logged_on()
    for apdu in answer[:3]:
        desk.hear(apdu)
        if LAST in desk.sent[-1]:
            break
    while "06 20" not in desk.sent[-1]:
        desk.wait()
    for apdu in (YES, APPROVED, DONE):
        desk.hear(apdu)
    assert isinstance(desk.last, c.TerminalReady)
    assert desk.last.baseline == SAME


def test_the_status_is_not_asked_for_where_it_tells_nothing() -> None:
    desk = logged_on(ZvtSettings(status_enquiry_usable=False))
    assert LAST in desk.sent[-1]


def test_a_registration_that_the_terminal_forgot_is_made_again() -> None:
    desk = logged_on()
    assert desk.hear("84 6B 00") == LOG_ON
    desk.hear(YES)
    assert HOW_ARE_YOU in desk.hear(LOGGED_ON)
    for apdu in (YES, IDLE, YES, APPROVED, DONE):
        desk.hear(apdu)
    assert isinstance(desk.last, c.TerminalReady)


def test_a_silent_terminal_whose_line_breaks_at_the_status_is_not_ready() -> None:
    desk = logged_on()
    desk.hear(YES)
    desk.lose_line()
    assert isinstance(desk.last, c.Unclear)

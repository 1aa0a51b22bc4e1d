"""Terminals that close their TCP connection behind each command, or forget us with it."""

from __future__ import annotations

import pytest

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from tests.protocol.test_zvt_dialogue import APPROVED, DONE, PAY, YES, Register
from tests.protocol.test_zvt_inquiry import HOW_ARE_YOU, IDLE, LOGGED_ON


@pytest.mark.parametrize(("settings", "ready"), [(ZvtSettings(hangs_up=True), True), (None, False)])
def test_a_terminal_that_hangs_up_is_asked_on_over_another_line(
    settings: ZvtSettings | None, ready: bool
) -> None:
    dialogue = DRIVER.dialogue(settings or ZvtSettings(), "tcp")
    desk = Register(dialogue)
    desk.begin(c.Probe())
    desk.hear(YES)
    asked = desk.hear(LOGGED_ON)
    step = dialogue.line_lost(desk.now)
    assert step.new_line
    assert step.send == bytes.fromhex(HOW_ARE_YOU), "no answer to the old line goes there"
    assert asked.endswith(HOW_ARE_YOU)
    if not ready:
        desk.hear(YES)
        desk.hear(IDLE)
        assert desk.last == c.TerminalNotReady(
            "terminal_maintenance",
            "it closes the connection behind each answer; set hangs_up = true in its settings",
        )
        return
    desk.hear(YES)
    desk.hear(IDLE)
    assert dialogue.line_lost(desk.now).new_line
    for apdu in (YES, APPROVED, DONE):
        desk.hear(apdu)
    assert isinstance(desk.last, c.TerminalReady)


def test_a_question_goes_to_a_new_line_once_and_never_after_an_answer() -> None:
    dialogue = DRIVER.dialogue(ZvtSettings(hangs_up=True), "tcp")
    desk = Register(dialogue)
    desk.begin(c.Probe())
    desk.hear(YES)
    desk.hear(LOGGED_ON)
    assert dialogue.line_lost(desk.now).new_line
    desk.lose_line()
    assert isinstance(desk.last, c.Unclear)

    dialogue = DRIVER.dialogue(ZvtSettings(hangs_up=True), "tcp")
    desk = Register(dialogue)
    desk.begin(c.Probe())
    desk.hear(YES)
    desk.hear(LOGGED_ON)
    desk.hear(YES)
    desk.lose_line()
    assert isinstance(desk.last, c.Unclear)


def test_an_order_never_goes_to_another_line() -> None:
    dialogue = DRIVER.dialogue(ZvtSettings(registers_first=True), "tcp")
    desk = Register(dialogue)
    desk.begin(PAY)
    desk.hear(YES)
    assert "06 01" in desk.hear(LOGGED_ON)
    step = dialogue.line_lost(desk.now)
    assert not step.new_line
    assert step.events == (c.Unclear("link_lost"),)


def test_a_serial_line_that_breaks_behind_an_answer_is_lost() -> None:
    dialogue = DRIVER.dialogue(ZvtSettings(), "serial")
    step = dialogue.begin(c.Probe(), 0.0)
    assert step.send
    step = dialogue.line_lost(0.0)
    assert not step.new_line
    assert step.events == (c.Unclear("link_lost"),)

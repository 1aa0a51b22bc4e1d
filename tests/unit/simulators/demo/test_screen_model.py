"""A wait of the demo ends with what it waited for, or with a broken promise; never not at all."""

from __future__ import annotations

import asyncio

import pytest

from simulators.demo.screen_model import PromiseBroken, ScreenModel, Step


async def test_a_wait_ends_when_the_screen_model_changes() -> None:
    screen_model = ScreenModel()
    asyncio.get_running_loop().call_soon(screen_model.tell, "the line")

    await screen_model.until(lambda: "the line" in screen_model.ticker, "a line", seconds=5.0)


async def test_a_condition_that_holds_already_is_not_waited_for() -> None:
    await ScreenModel().until(lambda: True, "nothing", seconds=0.0)


async def test_a_wait_in_vain_says_what_was_expected() -> None:
    with pytest.raises(PromiseBroken, match="a terminal that is ready"):
        await ScreenModel().until(lambda: False, "a terminal that is ready", seconds=0.0)


def test_who_listens_hears_every_line_once() -> None:
    screen_model = ScreenModel()
    heard: list[str] = []
    screen_model.hearers.append(heard.append)

    screen_model.tell("one")
    screen_model.tell("two")

    assert heard == ["one", "two"]


def test_the_scene_that_runs_has_a_name() -> None:
    screen_model = ScreenModel(steps=[Step("first", "kept"), Step("second", "running")])

    assert screen_model.running_title == "second"

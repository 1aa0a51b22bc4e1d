"""A wait of the demo ends with what it waited for, or with a broken promise; never not at all."""

from __future__ import annotations

import asyncio

import pytest

from simulators.demo.screen_model import Picture, PromiseBroken, Step


async def test_a_wait_ends_when_the_picture_changes() -> None:
    picture = Picture()
    asyncio.get_running_loop().call_soon(picture.tell, "the line")

    await picture.until(lambda: "the line" in picture.ticker, "a line", seconds=5.0)


async def test_a_condition_that_holds_already_is_not_waited_for() -> None:
    await Picture().until(lambda: True, "nothing", seconds=0.0)


async def test_a_wait_in_vain_says_what_was_expected() -> None:
    with pytest.raises(PromiseBroken, match="a terminal that is ready"):
        await Picture().until(lambda: False, "a terminal that is ready", seconds=0.0)


def test_who_listens_hears_every_line_once() -> None:
    picture = Picture()
    heard: list[str] = []
    picture.hearers.append(heard.append)

    picture.tell("one")
    picture.tell("two")

    assert heard == ["one", "two"]


def test_the_scene_that_runs_has_a_name() -> None:
    picture = Picture(steps=[Step("first", "kept"), Step("second", "running")])

    assert picture.running_title == "second"

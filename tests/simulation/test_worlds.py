"""Worlds by seed: no rule is broken, one seed is one story, and rare things do happen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation import campaign
from tests.simulation.kinds import KINDS, counted
from tests.simulation.weather import MOODS

SEEDS_QUICK = range(1, 41)
SEEDS_MANY = range(1, 501)
# What no test elsewhere can arrange so well, and what therefore must really happen here.
OFTEN = (
    "inquiry",
    "redelivery",
    "stale start",
    "death with money in the air",
    "power cut at any time",
    "kill at any time",
    "kill after a commit",
    "paid without the register",
    "ended approved",
    "ended declined",
    "ended canceled",
    "ended failed",
    "a person answered a purchase that was unconfirmed",
)
SOMETIMES = (
    *OFTEN,
    "a person resolved a doubt",
    "a person answered a purchase that was rejected",
    "terminal power cut",
    "journal failed",
    "clock jump",
    "sale not covered",
    "kill in a commit",
    "power cut in a commit",
    "kill before a commit",
    "power cut before a commit",
    "power cut after a commit",
)


def said(tally: campaign.Tally) -> list[str]:
    return [f"seed {one.seed}: {one.violations[0]}" for one in tally.failed]


def test_forty_worlds_break_no_rule_and_meet_what_is_rare() -> None:
    tally = campaign.run(SEEDS_QUICK, jobs=1)
    assert said(tally) == []
    assert [name for name in OFTEN if not tally.marks[name]] == []


# A crowded store for an hour or two: half a minute of a processor each, as much as twenty others.
BUSY_WORLDS = 3


@pytest.mark.slow
def test_five_hundred_worlds_break_no_rule_and_meet_what_is_rarest() -> None:
    tally = campaign.run(SEEDS_MANY, jobs=2)
    assert said(tally) == []
    assert [name for name in SOMETIMES if not tally.marks[name]] == []
    assert [kind for kind in KINDS if not counted(tally.marks, kind)] == []


@pytest.mark.parametrize("trade", ["gift cards", "after sales"])
def test_what_tills_do_beside_sales_by_card_breaks_no_rule(trade: str) -> None:
    tally = campaign.run([f"{trade}/{number}" for number in range(1, 11)], jobs=1)
    assert said(tally) == []


@pytest.mark.slow
@pytest.mark.parametrize("mood", sorted(MOODS))
def test_worlds_in_which_one_thing_happens_often_break_no_rule(mood: str) -> None:
    count = BUSY_WORLDS if mood == "busy" else 8
    seeds = [
        f"{mood}/{trade}/{number}"
        for trade in ("gift cards", "after sales")
        for number in range(1, count + 1)
    ]
    assert said(campaign.run(seeds, jobs=2)) == []


def test_floods_break_no_rule_and_refuse_starts() -> None:
    tally = campaign.run([f"floods/cards/{number}" for number in range(1, 6)], jobs=1)
    assert said(tally) == []
    assert tally.marks["start refused in a flood"]


def test_outages_need_a_person_only_for_what_was_under_way() -> None:
    tally = campaign.run([f"outages/cards/{number}" for number in range(1, 6)], jobs=1)
    assert said(tally) == []
    assert tally.marks["a person mended a purchase"]
    assert tally.marks["a person may not mend a purchase"]


def test_a_seed_tells_the_same_story_whatever_the_hash_seed() -> None:
    code = "import sys; from tests.simulation.world import play; print(play(7).digest)"
    stories = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(stories) == 1

"""The command line of the conformance run, with the words that it had before."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import pytest

from bridge.cli.conformance import add_arguments, facts, settings_from
from bridge.errors import ConfigError
from simulators.conformance import Finding, Report, Verdict


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_arguments(made)
    return made


def test_a_script_that_still_says_lesson_plays_the_same_scenarios() -> None:
    words = ["--register", "till-1", "--scenario", "approve", "--lesson", "in doubt"]
    assert settings_from(parser().parse_args(words)).scenarios == ("approve", "in doubt")


def test_the_help_offers_the_new_word_only() -> None:
    text = parser().format_help()
    assert "--scenario" in text
    assert "lesson" not in text


@pytest.mark.parametrize("option", ["--scenario", "--lesson"])
def test_a_scenario_that_does_not_exist_is_refused_with_those_that_do(option: str) -> None:
    options = parser().parse_args(["--register", "till-1", option, "lunch"])
    with pytest.raises(ConfigError, match="there are: approve, decline") as refused:
        settings_from(options)
    assert refused.value.key == "--scenario"


def test_the_report_in_json_has_the_word_of_before_beside_the_new_one() -> None:
    finding = Finding("approve", Verdict.RIGHT, "kept the document")
    played = datetime(2026, 3, 2, 9, 13, 41, tzinfo=UTC)
    found = facts(Report("till-1", "MyTill 7.2", played, ("approve",), (finding,)))
    assert found["scenarios"] == found["lessons"] == ["approve"]
    assert found["findings"] == [
        {
            "scenario": "approve",
            "lesson": "approve",
            "verdict": "right",
            "text": "kept the document",
        }
    ]

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.console.words import LANGUAGES, Words, chosen
from drivers.contract import Money

NOW = datetime(2026, 3, 2, 14, 32, 8, tzinfo=UTC)


def words(language: str) -> Words:
    return Words(language, lambda moment: moment)


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "€47.90"), ("de", "47,90\u00a0€"), ("fr", "47,90\u00a0€")],
)
def test_amounts_are_written_as_people_there_do(language: str, shown: str) -> None:
    assert words(language).money(Money(4790, "EUR")) == shown


def test_amounts_have_the_digits_of_iso_4217_and_no_others() -> None:
    assert words("en").money(Money(1250, "JPY")) == "JP¥1,250"
    assert words("en").money(Money(1250, "KWD")) == "KWD1.250"
    assert words("en").money(Money(1234, "IQD")) == "IQD1.234"


def test_signs_are_told_and_zero_has_none() -> None:
    assert words("en").signed(995, "EUR") == "+€9.95"
    assert words("en").signed(-995, "EUR") == "\u2212€9.95"
    assert words("en").signed(0, "EUR") == "€0.00"


def test_a_time_of_another_day_has_its_day() -> None:
    assert words("en").when("2026-03-02T09:13:41Z", NOW) == "09:13:41"
    assert words("en").when("2026-02-28T09:13:41Z", NOW) == "Sat 28 Feb, 09:13"
    assert "2025" in words("de").when("2025-02-28T09:13:41Z", NOW)


def test_days_are_the_stores_own() -> None:
    east = Words("en", lambda moment: moment + timedelta(hours=10))
    assert east.day("2026-03-02T20:00:00Z") == "Tue 3 Mar"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0\u00a0s"), (59.9, "59\u00a0s"), (180, "3\u00a0min"), (7_800, "2\u00a0h 10\u00a0min")],
)
def test_spans_are_as_long_as_they_need_to_be(seconds: float, shown: str) -> None:
    assert words("en").span(seconds) == shown


def test_the_language_is_what_was_chosen_then_configured_then_wanted() -> None:
    assert chosen("fr", "de", "de") == "fr"
    assert chosen("xx", "fr", "de") == "de"
    assert chosen("", "fr-CH,fr;q=0.9,en;q=0.8", "auto") == "fr"
    assert chosen("", "it, de-AT;q=0.5", "auto") == "de"
    assert chosen("", "", "auto") == "en"
    assert set(LANGUAGES) == {"en", "de", "fr"}

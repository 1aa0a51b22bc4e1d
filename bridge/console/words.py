"""Languages of the console: catalogues, amounts and times as people there write them.

The catalogues are gettext's own text files (`locale/*.po`), read when the first page wants them: so
there is nothing to build, and nothing compiled that could be older than its source. English is the
source language. Formats come from CLDR, by babel.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import parse_pattern

from drivers.amounts import digits_of
from drivers.contract import Money

LANGUAGES: Final = {"en": "English", "de": "Deutsch", "fr": "Français"}
_LOCALES: Final = {"en": "en_GB", "de": "de_DE", "fr": "fr_FR"}
CATALOGS: Final = Path(__file__).parent / "locale"
MINUS: Final = "\u2212"  # as wide as a plus
NO_BREAK: Final = "\u00a0"


def mark(message: str) -> str:
    """Return a message as it is: it stands in the catalogues, and is said elsewhere."""
    return message


@cache
def _catalog(language: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    with (CATALOGS / f"{language}.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


@dataclass(frozen=True, slots=True)
class Words:
    """One language, in the store's time zone; `to_local` is the same as everywhere else."""

    language: str
    to_local: Callable[[datetime], datetime]

    def say(self, message: str, **values: object) -> str:
        """Return a message in this language; `%(name)s` in it is one of `values`."""
        text = _catalog(self.language).gettext(message) if message else ""
        return text % values if values else text

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """Return a message about `number` things; it is `%(num)s` in the message."""
        text = _catalog(self.language).ngettext(one, many, number)
        return text % {"num": number, **values}

    def form(self, one: str, many: str, number: int) -> str:
        """Return the right form of a message about `number` things, its values not put in yet."""
        return _catalog(self.language).ngettext(one, many, number)

    # --- money

    def money(self, amount: Money) -> str:
        """Return an amount, e.g. `€47.90` or `47,90 €`."""
        return self.amount(amount.minor, amount.currency)

    def amount(self, minor: int, currency: str) -> str:
        """Return an amount that may be below zero, with ISO 4217's digits."""
        locale, digits = _locale(self.language), digits_of(currency)
        pattern = parse_pattern(locale.currency_formats["standard"].pattern)
        pattern.frac_prec = (digits, digits)
        value = Decimal(abs(minor)).scaleb(-digits)
        text = pattern.apply(value, locale, currency=currency, currency_digits=False)
        return f"{MINUS if minor < 0 else ''}{text}"

    def signed(self, minor: int, currency: str) -> str:
        """Return what came in or went out, with its sign; zero has none."""
        return f"{'+' if minor > 0 else ''}{self.amount(minor, currency)}"

    # --- time

    def local(self, at: str | datetime) -> datetime:
        """Return a moment (ISO 8601 UTC, or aware) in the store's time."""
        return self.to_local(datetime.fromisoformat(at) if isinstance(at, str) else at)

    def clock(self, at: str | datetime) -> str:
        """Return the time of day, 24 hours, e.g. `14:32:08`."""
        return f"{self.local(at):%H:%M:%S}"

    def minute(self, at: str | datetime) -> str:
        """Return the time of day without seconds."""
        return f"{self.local(at):%H:%M}"

    def day(self, at: str | datetime | date, *, year: bool = False) -> str:
        """Return the day, e.g. `Mon 2 Mar`."""
        return self._skeleton("yMMMEd" if year else "MMMEd", self._date(at))

    def long_day(self, at: str | datetime | date) -> str:
        """Return the day in full, e.g. `Monday 2 March 2026`."""
        text: str = format_date(self._date(at), "full", locale=_locale(self.language))
        return text

    def when(self, at: str | datetime, now: datetime) -> str:
        """Return the time of day, with the day where that is not today."""
        local, today = self.local(at), self.local(now).date()
        if local.date() == today:
            return f"{local:%H:%M:%S}"
        return f"{self.day(local, year=local.year != today.year)}, {local:%H:%M}"

    def span(self, seconds: float) -> str:
        """Return how long something took or will, e.g. `25 s`, `3 min`, `2 h 10 min`, `4 days`."""
        whole = max(int(seconds), 0)
        if whole < 60:
            return f"{whole}{NO_BREAK}s"
        minutes, hours = whole // 60, whole // 3_600
        if minutes < 60:
            return f"{minutes}{NO_BREAK}min"
        if hours < 48:
            return f"{hours}{NO_BREAK}h {minutes % 60}{NO_BREAK}min"
        return self.count("%(num)s day", "%(num)s days", hours // 24)

    def seconds(self, seconds: float) -> str:
        """Return a short time to the tenth, e.g. `4.5 s`, `4,5 s`."""
        point = "." if self.language == "en" else ","
        return f"{seconds:.1f}".replace(".", point) + f"{NO_BREAK}s"

    def since(self, at: str, now: datetime) -> str:
        """Return how long ago something was."""
        return self.span((now - datetime.fromisoformat(at)) / timedelta(seconds=1))

    def _date(self, at: str | datetime | date) -> date:
        if isinstance(at, str | datetime):
            return self.local(at).date()
        return at

    def _skeleton(self, skeleton: str, when: date) -> str:
        moment = datetime(when.year, when.month, when.day)  # noqa: DTZ001 - a day has no zone
        text: str = format_skeleton(skeleton, moment, locale=_locale(self.language))
        return text


def chosen(wanted: str, accepted: str, default: str) -> str:
    """Return the language for a person: what was chosen, else what the browser wants, else ours."""
    if wanted in LANGUAGES:
        return wanted
    if default in LANGUAGES:
        return default
    for part in accepted.split(",")[:20]:
        language = part.partition(";")[0].strip().lower().partition("-")[0]
        if language in LANGUAGES:
            return language
    return "en"

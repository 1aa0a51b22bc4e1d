"""Every word of the console is there in every language, with the same values in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import bridge.console
from bridge.console.words import CATALOGS, LANGUAGES

SOURCE = Path(bridge.console.__file__).parent
KEYWORDS = {
    **dict.fromkeys(("_", "mark", "say")),
    "count": (1, 2),
    "ngettext": (1, 2),
    "Refused": (2,),
}
TRANSLATED = sorted(set(LANGUAGES) - {"en"})
_VALUE = re.compile(r"%\(\w+\)[sd]|\{n\}")

Message = str | tuple[str, ...]


@cache
def said() -> frozenset[Message]:
    """Return what templates and modules say."""
    found = extract_from_dir(
        str(SOURCE),
        [("**.py", "python"), ("templates/**.html", "jinja2.ext.babel_extract")],
        {"templates/**.html": {"silent": "false", "trim_blocks": "true"}},
        KEYWORDS,
    )
    return frozenset(message for _, _, message, _, _ in found if message)


def catalog(language: str) -> Catalog:
    with (CATALOGS / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(message: object) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message or ())  # type: ignore[arg-type]


def faults(language: str) -> Iterator[str]:
    known = {forms(one.id): one for one in catalog(language) if one.id}
    for message in sorted(map(forms, said())):
        one = known.get(message)
        if one is None or not all(forms(one.string)):
            yield f"{language} lacks {message[0]!r}"
            continue
        if one.fuzzy:
            yield f"{language} is unsure of {message[0]!r}"
        for form in forms(one.string):
            if sorted(_VALUE.findall(form)) != sorted(_VALUE.findall(message[-1])):
                yield f"{language} says {form!r} for {message[-1]!r}, with other values"
    unsaid = set(known) - set(map(forms, said()))
    yield from (f"{language} has {message[0]!r}, which nobody says" for message in sorted(unsaid))


def test_there_is_something_to_translate() -> None:
    assert len(said()) > 400
    assert TRANSLATED == ["de", "fr"]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_word_is_translated_and_none_is_left_over(language: str) -> None:
    assert list(faults(language)) == []

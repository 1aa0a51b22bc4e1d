"""Texts of a terminal as a file can hold them. Pure.

A driver may hand on bytes that no character stands for (Python's lone surrogates). The journal
refuses such a text, and with it the evidence that it belongs to; so it is written otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")


def storable(event: T) -> T:
    """Return an event whose texts can be stored; what cannot becomes `?`."""
    if not is_dataclass(event) or isinstance(event, type):
        return event
    news = {}
    for each in fields(event):
        value = getattr(event, each.name)
        written = _storable(value)
        if written is not value:
            news[each.name] = written
    return replace(event, **news) if news else event


def _storable(value: Any) -> Any:
    """Return the value itself, or one that is written otherwise."""
    match value:
        case str():
            return value if _is_storable(value) else value.encode("utf-8", "replace").decode()
        case tuple():
            written = tuple(_storable(one) for one in value)
            return value if all(a is b for a, b in zip(written, value, strict=True)) else written
        case Mapping():
            texts = {_storable(name): _storable(one) for name, one in value.items()}
            return value if texts == value else texts
        case _:
            return storable(value)


def _is_storable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

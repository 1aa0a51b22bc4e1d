"""Other people's words on a technician's screen: a register's, a terminal's, a server's."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text that steers no screen: what is not printable becomes a question mark."""
    return "".join(one if one.isprintable() else "?" for one in text)


def shown(text: str) -> str:
    """Return the same for `rich`, whose markup in it means nothing either."""
    from rich.markup import escape

    return escape(printable(text))

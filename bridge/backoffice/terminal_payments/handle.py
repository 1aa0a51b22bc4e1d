"""Where a conversation with the POS server stands, as the journal keeps it. Pure.

It is on disk before what it allows is asked for, and all that a life after a crash goes on with:

    c:TOKEN   the payment runs: ask how it stands
    k:TOKEN   its capture runs: ask how that stands
    k:        its capture was about to be asked for: nobody can ask whether it was

The server's tokens are written in hexadecimal digits: whatever they hold, the journal shows no row
of digits that could be a card number.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Handle:
    """`token` is the server's continuation; "" where a capture was about to be asked for."""

    token: str
    in_capture: bool = False

    @property
    def text(self) -> str:
        """How the journal has it."""
        return f"{'k' if self.in_capture else 'c'}:{self.token.encode().hex('.', 4)}"


def read_handle(text: str) -> Handle | None:
    """Return what `Handle.text` spelled; None where there is none."""
    which, _, token = text.partition(":")
    if which not in {"c", "k"}:
        return None
    return Handle(bytes.fromhex(token.replace(".", "")).decode(), which == "k")

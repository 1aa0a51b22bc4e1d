"""Registers whose will was spoken, and the grace they are given. No wire, no money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# A register that changes its network or is restarted is back within seconds, and its will is spoken
# all the same; a broker also speaks wills of connections that a newer one has replaced.
GRACE_SECONDS: Final = 5.0
GONE_MAX: Final = 1_000  # registers; more than any store has


class Presence:
    """Who may be gone. One message decides nothing: a birth or a command ends the grace."""

    def __init__(self) -> None:
        """Begin with no register missing."""
        self._until: dict[str, float] = {}  # by register, in seconds of the loop's clock
        self._is_here: dict[str, bool] = {}

    @property
    def is_here(self) -> Mapping[str, bool]:
        """Whether each register that was ever heard said last that it is there."""
        return self._is_here

    @property
    def next_end(self) -> float | None:
        """When the next grace ends, in seconds of the loop's clock; None while nobody is missed."""
        return min(self._until.values(), default=None)

    def missed(self, register_id: str, now: float) -> None:
        """Note that a register's will was spoken; said again, its grace does not begin anew."""
        if len(self._until) < GONE_MAX:
            self._until.setdefault(register_id, now + GRACE_SECONDS)
        self._note(register_id, is_here=False)

    def heard(self, register_id: str) -> None:
        """Note that a register is there after all."""
        self._until.pop(register_id, None)
        self._note(register_id, is_here=True)

    def begin_anew(self, now: float) -> None:
        """Give everybody who is missed their grace again: until now they could not be heard."""
        self._until = dict.fromkeys(self._until, now + GRACE_SECONDS)

    def take_gone(self, now: float) -> list[str]:
        """Return the registers whose grace is over, once."""
        gone = [name for name, until in self._until.items() if until <= now]
        for name in gone:
            del self._until[name]
        return gone

    def _note(self, register_id: str, *, is_here: bool) -> None:
        if register_id in self._is_here or len(self._is_here) < GONE_MAX:
            self._is_here[register_id] = is_here

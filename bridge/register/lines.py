"""A line for each who wants something, served in turn: who sends much waits for himself. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Lines(Generic[T]):
    """What waits, by whom it belongs to. Each line keeps its order; the lines take turns.

    A line is there while something waits in it. At most `lines_max` stand beside each other; who
    comes then waits in the one line `""`, which is nobody's own.
    """

    def __init__(self, lines_max: int) -> None:
        """Have at most `lines_max` lines beside the common one."""
        self._lines_max = lines_max
        self._lines: dict[str, deque[T]] = {}
        self._turns: deque[str] = deque()  # whose turn it is, next first
        self._count = 0

    def __len__(self) -> int:
        """Return how much waits, in all lines."""
        return self._count

    def __iter__(self) -> Iterator[T]:
        """Yield everything that waits, line by line, in the order of the turns."""
        for name in self._turns:
            yield from self._lines[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Whose lines there are, in the order of the turns."""
        return tuple(self._turns)

    def name_for(self, owner: str) -> str:
        """Return the line that `owner` waits in."""
        if owner in self._lines or len(self._lines) < self._lines_max:
            return owner
        return ""

    def length(self, owner: str) -> int:
        """Return how much waits in the line that `owner` waits in."""
        return len(self._lines.get(self.name_for(owner), ()))

    def put(self, owner: str, thing: T) -> None:
        """Have `thing` wait at the end of its owner's line."""
        name = self.name_for(owner)
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = deque()
            self._turns.append(name)
        line.append(thing)
        self._count += 1

    def first(self) -> T | None:
        """Return what is next in turn, and leave it there; None when nothing waits."""
        return self._lines[self._turns[0]][0] if self._turns else None

    def finish(self, owner: str, thing: T) -> None:
        """Take `thing` away, which was `first`, if it is still there: its line had its turn."""
        name = self.name_for(owner)
        line = self._lines.get(name)
        if line is None or line[0] is not thing:
            return
        line.popleft()
        self._count -= 1
        self._turns.remove(name)
        if line:
            self._turns.append(name)
        else:
            del self._lines[name]

    def take(self, more: Callable[[T, T], bool] | None = None, most: int = 1) -> list[T]:
        """Take what is next in turn; [] when nothing waits.

        With `more` also what stands behind it in its line, while that says so of the first and of
        the one that follows, `most` at a time.
        """
        if not self._turns:
            return []
        name = self._turns.popleft()
        line = self._lines[name]
        taken = [line.popleft()]
        while more is not None and line and len(taken) < most and more(taken[0], line[0]):
            taken.append(line.popleft())
        self._count -= len(taken)
        if line:
            self._turns.append(name)
        else:
            del self._lines[name]
        return taken

    def let_go_of_oldest(self) -> T:
        """Drop the oldest of the longest line, and return it; something waits."""
        name = max(self._turns, key=lambda one: len(self._lines[one]))
        line = self._lines[name]
        gone = line.popleft()
        self._count -= 1
        if not line:
            del self._lines[name]
            self._turns.remove(name)
        return gone

    def remove(self, owner: str, unwanted: Callable[[T], bool]) -> None:
        """Drop from an owner's line what is `unwanted`."""
        name = self.name_for(owner)
        line = self._lines.get(name)
        if line is None:
            return
        kept = deque(one for one in line if not unwanted(one))
        self._count -= len(line) - len(kept)
        if kept:
            self._lines[name] = kept
        else:
            del self._lines[name]
            self._turns.remove(name)

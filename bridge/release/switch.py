"""Changes the version that runs: copy, stop, switch, start, and back again where that is safe.

The machine is a parameter; what may be decided without a person stands in `decision.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from bridge.errors import BridgeError
from bridge.money.store.journal_copy import NO_JOURNAL, JournalFacts
from bridge.release.decision import CallPerson, GoBack, Stay, after_start


class SwitchRefused(BridgeError):
    """The version was not changed, and what served goes on serving; the words say why."""


class ConfigUnreadable(SwitchRefused):
    """The new version cannot use the configuration, so nobody knows where the journal is."""


class Outcome(Enum):
    """How a switch ended."""

    DONE = "done"  # the new version serves, or would: the service was not to run
    ROLLED_BACK = "rolled_back"  # the version before serves again, with all that was journaled
    HELD = "held"  # no payment is taken until a person decides
    DOWN = "down"  # the version before is back, but does not become ready either
    AS_BEFORE = "as_before"  # the service was not ready before, and is not now


@dataclass(frozen=True, slots=True)
class JournalCopy:
    """A copy of the journal; `path` is None where there was no journal to copy."""

    path: Path | None
    facts: JournalFacts


NOTHING_COPIED = JournalCopy(None, NO_JOURNAL)


@dataclass(frozen=True, slots=True)
class CutOff:
    """A switch that never ended, by a power cut or a kill: from which version, with which copy."""

    before: str
    copy: JournalCopy


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended, and what to tell the person, line by line."""

    outcome: Outcome
    words: tuple[str, ...]


class Machine(Protocol):
    """The PC: its service, the versions on it, its journal."""

    def serves(self) -> bool:
        """Whether the service runs and is ready."""

    def wanted(self) -> bool:
        """Whether it is to run: it runs, or tries to."""

    def cut_off(self, version: str) -> CutOff | None:
        """Return what is known of a switch to `version` that was cut off, if one was."""

    def copy_journal(self, before: str) -> JournalCopy:
        """Copy the journal; raises SwitchRefused."""

    def facts(self) -> JournalFacts | str:
        """Return the journal's facts, or why they cannot be had."""

    def put_back(self, copy: JournalCopy) -> None:
        """Make the copy the journal; raises SwitchRefused."""

    def begin(self, version: str, before: str, copy: JournalCopy) -> None:
        """Remember on disk that a switch is under way."""

    def end(self, version: str, before: str, result: Result) -> None:
        """Remember on disk how it ended."""

    def current(self) -> str:
        """Return the version that the service starts, "" where none is selected."""

    def select(self, version: str) -> None:
        """Have the service start this version from now on."""

    def hold(self, reason: str) -> None:
        """Keep the service from starting until a person has decided."""

    def stop(self) -> None:
        """Stop the service; what is under way may end."""

    def start(self) -> str:
        """Start it and wait; return "" once it is ready and stays so, else why it is not."""


def switch(machine: Machine, *, old: str, new: str) -> Result:
    """Run `new` instead of `old`, which may be "" where none was installed.

    Raises:
        SwitchRefused: The journal could not be copied; everything is as it was.
    """
    cut_off = machine.cut_off(new)
    if cut_off is not None and machine.current() == new:
        # What the new version journaled since that copy counts: a fresh one would hide it.
        machine.stop()
        return _try(machine, cut_off.before, new, cut_off.copy)
    if not machine.serves():
        return _switch_idle(machine, new)
    copy = machine.copy_journal(new)  # while it serves: whatever hinders shows before it stops
    machine.stop()
    if machine.facts() != copy.facts:
        try:
            copy = machine.copy_journal(new)
        except SwitchRefused:
            machine.start()
            raise
    return _try(machine, old, new, copy)


def _switch_idle(machine: Machine, new: str) -> Result:
    """Switch where nothing serves: nobody can tell a bad version from what was wrong before."""
    words: tuple[str, ...] = ()
    try:
        machine.copy_journal(new)
    except ConfigUnreadable as error:
        if machine.current():  # a first installation has nothing to copy
            words = (f"the journal was not copied: {error}",)
    wanted = machine.wanted()
    if wanted:
        machine.stop()
    machine.select(new)
    if not wanted:
        return Result(Outcome.DONE, (*words, f"{new} is selected; the service was not running"))
    why = machine.start()
    if why:
        return Result(Outcome.AS_BEFORE, (*words, *_not_ready(new, why)))
    return Result(Outcome.DONE, (*words, f"{new} serves"))


def _try(machine: Machine, old: str, new: str, copy: JournalCopy) -> Result:
    machine.begin(new, old, copy)
    machine.select(new)
    result = _judge(machine, _Tried(old, new, copy, machine.start()))
    machine.end(new, old, result)
    return result


@dataclass(frozen=True, slots=True)
class _Tried:
    """A version that was started, and why it is not ready; "" when it is."""

    old: str
    new: str
    copy: JournalCopy
    why: str


def _judge(machine: Machine, tried: _Tried) -> Result:
    """Say how the new version's start ended; go back where that is safe."""
    if not tried.why:
        return Result(Outcome.DONE, (f"{tried.new} serves",))
    machine.stop()
    verdict = after_start(ready=False, copy=tried.copy.facts, journal=machine.facts())
    if isinstance(verdict, GoBack) and verdict.restore:
        try:
            machine.put_back(tried.copy)
        except SwitchRefused as error:
            verdict = CallPerson(f"the copy cannot be put back: {error}")
    match verdict:
        case Stay():
            raise AssertionError("it is not ready")
        case CallPerson(reason):
            return _held(machine, tried, reason)
        case GoBack():
            return _gone_back(machine, tried)


def _gone_back(machine: Machine, tried: _Tried) -> Result:
    machine.select(tried.old)
    words = _not_ready(tried.new, tried.why)
    again = machine.start()
    if again:
        return Result(Outcome.DOWN, (*words, *_not_ready(tried.old, again)))
    back = f"nothing was journaled meanwhile: {tried.old} serves again"
    return Result(Outcome.ROLLED_BACK, (*words, back))


def _held(machine: Machine, tried: _Tried, reason: str) -> Result:
    words = (
        *_not_ready(tried.new, tried.why),
        f"{tried.old} was not put back by itself: {reason}",
        "NO PAYMENT IS TAKEN until a person decides:",
        "  paybridge releases go-on --by NAME   the new version, with all that is journaled",
        f"  paybridge releases use {tried.old}   the old version, with all that is journaled",
    )
    if tried.copy.path is not None:
        words += (f"  paybridge restore {tried.copy.path}   says what an old journal forgets",)
    machine.hold("\n".join(words))
    return Result(Outcome.HELD, words)


def _not_ready(version: str, why: str) -> tuple[str, ...]:
    return (f"{version} does not become ready: {why}",)

"""The conformance kit catches a dialogue that breaks a rule: one broken dialogue per rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import pytest

from drivers import contract as c
from drivers.conformance import Scene, check
from drivers.zvt import ZvtDriver, ZvtSettings
from drivers.zvt.dialogue import ZvtDialogue
from tests.protocol.test_conformance_zvt import IDLE_TERMINAL, PAID
from tests.protocol.test_zvt_dialogue import PAY, YES
from tests.protocol.zvt_stub import ScriptedTerminal, count_money_commands

DENIED = c.Declined("05")


class Endless(ZvtDialogue):
    def timeout(self, now: float) -> c.Step:
        return c.Step(wake_at=now + 60.0)


class SilentEnd(ZvtDialogue):
    def timeout(self, now: float) -> c.Step:
        return replace(super().timeout(now), events=())


class SaysItTwice(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        if step.events and isinstance(step.events[-1], c.Approved):
            return replace(step, events=(*step.events, step.events[-1]))
        return step


class TalksAfterTheEnd(ZvtDialogue):
    def line_lost(self, now: float) -> c.Step:
        step = super().line_lost(now)
        return step if step.events else c.Step(events=(c.Unclear("link_lost"),))


class AcknowledgesAtOnce(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        if step.events and isinstance(step.events[-1], c.Offered):
            return replace(step, send=step.send + super().committed(now).send)
        return step


class AcceptsWhatIsNotStored(ZvtDialogue):
    def not_committed(self, now: float) -> c.Step:
        return self.committed(now)


class SendsAgain(ZvtDialogue):
    _command = b""
    _again = True

    def begin(self, operation: c.Operation, now: float) -> c.Step:
        step = super().begin(operation, now)
        self._command = step.send
        return step

    def timeout(self, now: float) -> c.Step:
        if self._again:
            self._again = False
            return c.Step(send=self._command, wake_at=now + 5.0)
        return super().timeout(now)


class ProbesWithASale(ZvtDialogue):
    def begin(self, operation: c.Operation, now: float) -> c.Step:
        return super().begin(PAY, now)


class Raises(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        data.decode("cp1252")
        return super().receive(data, now)


class NeedsWholeMessages(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        return super().receive(data if len(data) > 2 else b"", now)


class TakesGarbageForYes(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        if data.startswith(b"HTTP"):
            approval = c.Approval(PAY.amount, "made up")
            return c.Step(events=(c.Approved(approval),))
        return super().receive(data, now)


class LostIsDeclined(ZvtDialogue):
    def line_lost(self, now: float) -> c.Step:
        step = super().line_lost(now)
        return replace(step, events=(DENIED,)) if step.events else step


class SilenceIsDeclined(ZvtDialogue):
    def timeout(self, now: float) -> c.Step:
        step = super().timeout(now)
        return replace(step, events=(DENIED,)) if step.events else step


@dataclass(frozen=True, slots=True)
class BrokenDriver(ZvtDriver):
    kind: type[ZvtDialogue] = ZvtDialogue

    def dialogue(self, settings: Any, transport: Literal["serial", "tcp"]) -> ZvtDialogue:
        return self.kind(settings, transport)


SALE = Scene(
    "sale",
    PAY,
    partial(ScriptedTerminal, "tcp", {"0601": (YES, PAID), "06B0": ("84 83 00", [])}),
    partial(count_money_commands, "tcp"),
)
DECLINED_SALE = replace(
    SALE, stub=partial(ScriptedTerminal, "tcp", {"0601": (YES, ["06 1E 01 05"])})
)
PROBE = replace(SALE, operation=c.Probe(), stub=partial(ScriptedTerminal, "tcp", IDLE_TERMINAL))


def test_the_real_driver_passes() -> None:
    assert check(BrokenDriver(), ZvtSettings(), [SALE, DECLINED_SALE, PROBE]) == ()


@pytest.mark.parametrize(
    ("kind", "scene", "found"),
    [
        (Endless, SALE, "rule 1: silence does not end"),
        (SilentEnd, SALE, "rule 2: the conversation ended without a final event"),
        (SaysItTwice, SALE, "rule 2: more than one final event"),
        (TalksAfterTheEnd, SALE, "rule 2: line_lost does something after the end"),
        (AcknowledgesAtOnce, SALE, "rule 3: money was final before the event was stored"),
        (AcceptsWhatIsNotStored, SALE, "rule 3: approved although the offer could not be stored"),
        (SendsAgain, SALE, "rule 4: a command that moves money was sent twice"),
        (ProbesWithASale, PROBE, "rule 4: Probe sent a command that moves money"),
        (Raises, SALE, "rule 5: receive raised"),
        (NeedsWholeMessages, SALE, "rule 5: another split of the same bytes is told otherwise"),
        (TakesGarbageForYes, DECLINED_SALE, "rule 5: Approved with garbage"),
        (LostIsDeclined, SALE, "rule 6: Declined because the line was lost"),
        (SilenceIsDeclined, SALE, "rule 6: Declined with silence"),
    ],
)
def test_a_broken_dialogue_is_caught(kind: type[ZvtDialogue], scene: Scene, found: str) -> None:
    problems = check(BrokenDriver(kind=kind), ZvtSettings(), [scene])
    assert any(found in problem for problem in problems), problems

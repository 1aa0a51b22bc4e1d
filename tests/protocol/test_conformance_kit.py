"""The conformance kit catches a dialogue that breaks a rule: one broken dialogue per rule."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from drivers import conformance
from drivers import contract as c
from drivers.conformance import Scene, Trial, check, check_claims
from drivers.zvt import ZvtDriver, ZvtSettings
from drivers.zvt.codec.framing import LinkTimers, TcpLink
from drivers.zvt.conversation.dialogue import ZvtDialogue
from tests.protocol.test_conformance_zvt import IDLE_TERMINAL, PAID
from tests.protocol.test_zvt_dialogue import APPROVED, PAY, YES
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


class BeginsWithASale(ZvtDialogue):
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


class SaysMoreAfterTheEnd(ZvtDialogue):
    _more = True

    def committed(self, now: float) -> c.Step:
        step = super().committed(now)
        if step.wake_at is None and self._more:
            self._more = False
            return replace(step, events=(c.Progress(c.Stage.FINISHING),))
        return step


class AcknowledgesWhatIsNotStored(ZvtDialogue):
    _refused = False

    def not_committed(self, now: float) -> c.Step:
        self._refused = True
        return self.committed(now)

    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        if self._refused and step.events and isinstance(step.events[-1], c.Approved):
            return replace(step, events=(c.Unclear("not_stored"),))
        return step


class WantsALineWithAnEvent(ZvtDialogue):
    def begin(self, operation: c.Operation, now: float) -> c.Step:
        step = super().begin(operation, now)
        return replace(step, events=(c.Progress(c.Stage.STARTING),), new_line=True)


class TakesNoForNoAnswer(ZvtDialogue):
    def line_lost(self, now: float) -> c.Step:
        return c.Step(wake_at=now + 1.0, new_line=True)


class ShowsTheCard(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        shown = c.Progress(c.Stage.CARD_PRESENTED, "CARD 4242 4242 4242 4242")
        return replace(step, events=(shown, *step.events)) if step.events else step


class EndsAnOperationTwice(ZvtDialogue):
    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        last = step.events[-1:]
        return replace(step, events=(*step.events, *last)) if step.wake_at is None else step


class TakesAnyResultForOurs(ZvtDialogue):
    """Hears 04 0F with result 00 wherever it comes from."""

    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        if b"\x04\x0f" in data and b"\x27\x00" in data and not step.events:
            return c.Step(events=(c.Approved(c.Approval(PAY.amount, "made up")),))
        return step

    def timeout(self, now: float) -> c.Step:
        return super().timeout(now)


class SaysYesToEverything(ZvtDialogue):
    def begin(self, operation: c.Operation, now: float) -> c.Step:
        del now
        return c.Step(events=(c.Approved(c.Approval(PAY.amount, "made up")),))


class LastWordCounts(ZvtDialogue):
    """Believes the end of a conversation and forgets what was said before."""

    def receive(self, data: bytes, now: float) -> c.Step:
        step = super().receive(data, now)
        unclear = step.events and isinstance(step.events[-1], c.Unclear)
        return replace(step, events=(DENIED,)) if unclear else step


@dataclass(frozen=True, slots=True)
class BrokenDriver(ZvtDriver):
    kind: type[ZvtDialogue] = ZvtDialogue

    def dialogue(self, settings: Any, transport: Literal["serial", "tcp"]) -> ZvtDialogue:
        return self.kind(settings, transport)


@dataclass(frozen=True, slots=True)
class OneTalkDriver(BrokenDriver):
    def capabilities(self, settings: ZvtSettings) -> c.Capabilities:
        return replace(ZvtDriver.capabilities(self, settings), one_talk_per_line=True)


SALE = Scene(
    "sale",
    PAY,
    partial(ScriptedTerminal, "tcp", {"0601": (YES, PAID), "06B0": ("84 83 00", [])}),
    partial(count_money_commands, "tcp"),
    card_number="4242424242424242",
)
DECLINED_SALE = replace(
    SALE, stub=partial(ScriptedTerminal, "tcp", {"0601": (YES, ["06 1E 01 05"])})
)
OPERATIONS: dict[str, c.TerminalOperation] = {
    "last": c.ReadLast(),
    "diagnosis": c.Diagnose(),
    "card": c.ReadCard(),
    "text": c.ShowText(("hello",)),
}
PROBE = replace(SALE, operation=c.Probe(), stub=partial(ScriptedTerminal, "tcp", IDLE_TERMINAL))


CASES: tuple[tuple[type[ZvtDialogue], Scene, str], ...] = (
    (Endless, SALE, "rule 1: silence does not end"),
    (SilentEnd, SALE, "rule 2: the conversation ended without a final event"),
    (SaysItTwice, SALE, "rule 2: more than one final event"),
    (SaysMoreAfterTheEnd, SALE, "rule 2: an event after the final event"),
    (TalksAfterTheEnd, SALE, "rule 2: line_lost does something after the end"),
    (AcknowledgesAtOnce, SALE, "rule 3: money was final before the event was stored"),
    (AcceptsWhatIsNotStored, SALE, "rule 3: approved although the offer could not be stored"),
    (
        AcknowledgesWhatIsNotStored,
        SALE,
        "rule 3: money is final although the offer could not be stored",
    ),
    (SendsAgain, SALE, "rule 4: a command that moves money was sent twice"),
    (BeginsWithASale, PROBE, "rule 4: Probe sent a command that moves money"),
    (Raises, SALE, "rule 5: receive raised UnicodeDecodeError"),
    (NeedsWholeMessages, SALE, "rule 5: another split of the same bytes is told otherwise"),
    (
        TakesGarbageForYes,
        DECLINED_SALE,
        "rule 5: Approved with garbage where the truth is Declined",
    ),
    (LostIsDeclined, SALE, "rule 6: Declined because the line was lost"),
    (SilenceIsDeclined, SALE, "rule 6: Declined with silence where the truth is Approved"),
    (SilenceIsDeclined, SALE, "rule 6: Declined although the terminal said nothing"),
    (WantsALineWithAnEvent, SALE, "rule 7: events together with the wish for a new line"),
    (TakesNoForNoAnswer, SALE, "rule 7: a new line is asked for again and again"),
    (ShowsTheCard, SALE, "rule 8: an event shows a whole card number"),
)


def test_the_real_driver_passes() -> None:
    assert check(BrokenDriver(), ZvtSettings(), [SALE, DECLINED_SALE, PROBE]) == ()


@pytest.mark.parametrize(("kind", "scene", "found"), CASES)
def test_a_broken_dialogue_is_caught(kind: type[ZvtDialogue], scene: Scene, found: str) -> None:
    problems = check(BrokenDriver(kind=kind), ZvtSettings(), [scene])
    assert any(found in problem for problem in problems), problems


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_that_moves_money_or_has_no_single_end_is_caught(name: str) -> None:
    scene = replace(PROBE, operation=OPERATIONS[name])
    kind = type(scene.operation).__name__
    expected = {
        BeginsWithASale: f"rule 4: {kind} sent a command that moves money",
        SilentEnd: "rule 2: the conversation ended without a final event",
        EndsAnOperationTwice: "rule 2: more than one final event",
    }
    for broken, found in expected.items():
        problems = check(BrokenDriver(kind=broken), ZvtSettings(), [scene])
        assert any(found in problem for problem in problems), (broken, problems)


REFUSED_SALE = partial(ScriptedTerminal, "tcp", {"0601": (YES, ["06 1E 01 6C"])})
NEXT_RECEIPT = [apdu.replace("04 70", "04 71") for apdu in PAID]
PAID_AGAIN = partial(ScriptedTerminal, "tcp", {"0601": (YES, NEXT_RECEIPT)})
CONTRADICTION = replace(
    SALE,
    name="contradiction",
    stub=partial(ScriptedTerminal, "tcp", {"0601": (YES, [APPROVED, "06 1E 01 05"])}),
)
STRANGER = replace(
    SALE,
    name="stranger",
    operation=c.Inquire(PAY, None),
    stub=partial(ScriptedTerminal, "tcp", IDLE_TERMINAL),
)
TRIAL = Trial(
    SALE,
    nobody_pays=REFUSED_SALE,
    refusals={"stopped": TcpLink(LinkTimers()).send(bytes.fromhex("061e016c"), 0.0)},
    strangers=(STRANGER,),
    contradictions=(CONTRADICTION,),
)
CLAIMS: tuple[tuple[type[ZvtDialogue], Trial, str], ...] = (
    (
        ZvtDialogue,
        replace(TRIAL, paid=DECLINED_SALE),
        "rule 9: the payment of a trial must be approved",
    ),
    (ZvtDialogue, replace(TRIAL, nobody_pays=PAID_AGAIN), "rule 9: approved where nobody pays"),
    (
        TakesAnyResultForOurs,
        TRIAL,
        "rule 9: the answer to an earlier payment is told as this one's",
    ),
    (SaysYesToEverything, TRIAL, "rule 9: a stranger's transaction is told as ours"),
    (LastWordCounts, TRIAL, "rule 10: Declined after an approval was offered"),
    (LastWordCounts, TRIAL, "rule 10: Declined although the terminal contradicts itself"),
)


def test_the_real_driver_claims_nothing() -> None:
    assert check_claims(BrokenDriver(), ZvtSettings(), TRIAL) == ()


@pytest.mark.parametrize(("kind", "trial", "found"), CLAIMS)
def test_a_claim_that_nobody_proved_is_caught(
    kind: type[ZvtDialogue], trial: Trial, found: str
) -> None:
    problems = check_claims(BrokenDriver(kind=kind), ZvtSettings(), trial)
    assert any(found in problem for problem in problems), problems


def test_a_driver_whose_lines_serve_one_talk_gets_another_line() -> None:
    """What is left in the first line is not heard there, so it may be anybody's."""
    problems = check_claims(OneTalkDriver(kind=TakesAnyResultForOurs), ZvtSettings(), TRIAL)
    assert not any("earlier payment" in problem for problem in problems), problems


def test_every_finding_of_the_kit_has_a_dialogue_that_earns_it() -> None:
    source = Path(conformance.__file__).read_text()
    findings = re.findall(r'f?"(rule \d+: [^"]+)"', source)
    assert len(findings) > 15
    for finding in findings:
        pattern = re.sub(r"\\\{.*?\\\}", ".+", re.escape(finding))
        earned = [found for _, _, found in (*CASES, *CLAIMS)]
        assert any(re.match(pattern, found) for found in earned), finding

"""Whatever comes in whatever order, a PAX conversation keeps its rules, on every kind of line."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from drivers import contract as c
from drivers.contract import FinalEvent, Step
from drivers.pax import PaxSettings
from drivers.pax.conversation.dialogue import PaxDialogue
from tests.protocol.pax_stub import commands_in, commands_in_queries, count_money_commands, frame
from tests.protocol.pax_talks import (
    ABSENT,
    OLDER,
    PAY,
    PAYMENT,
    READY,
    REF,
    SEEN,
    STOPPED,
    USD10,
    WITNESS,
    gift_result,
    record,
    result,
)

Line = Literal["serial", "tcp", "http"]
LINES: tuple[Line, ...] = ("serial", "tcp", "http")
OPERATIONS: dict[str, c.Operation] = {
    "pay": PAY,
    "gift": c.Pay(PAYMENT, USD10, gift=True),
    "load": c.LoadGift(PAYMENT, USD10),
    "void": c.Reverse(PAYMENT, OLDER),
    "inquire": c.Inquire(PAY, SEEN, OLDER),
    "balance": c.ReadBalance(),
    "last": c.ReadLast(),
    "probe": c.Probe(),
    "close": c.EndOfDay(),
}
FRAMES = (
    READY,
    STOPPED,
    ABSENT,
    WITNESS,
    result(),
    result("000002|PARTIAL", amount="400^600"),
    result(kind="16"),
    result(reference="OTHER"),
    gift_result(),
    gift_result("10"),
    gift_result("23", "0^^^^^^2500", "BALANCE"),
    record(),
    record(REF, amount="400^600"),
    record("OTHER", total="1"),
    "0|T01|1.35|000100|DECLINE|05^DECLINED",
    "0|B01|1.35|000000|OK|00|1=0|1000=0|||",
)
ANSWERS = st.sampled_from([b"\x06", b"\x04", b"\x15", *map(frame, FRAMES)])
INPUTS = st.lists(
    ANSWERS
    | ANSWERS.map(lambda data: b"\x06" + data + b"\x04")
    | st.binary(min_size=1, max_size=20)
    | st.sampled_from(["silence", "lost", "cancel"]),
    max_size=14,
)
STEPS_MAX = 300


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", OPERATIONS)
@effort(max_examples=30)
@given(inputs=INPUTS, stores=st.lists(st.booleans(), max_size=3))
def test_every_order_ends_with_one_word(
    name: str, line: Line, inputs: list[bytes | str], stores: list[bool]
) -> None:
    http = line == "http"
    settings = PaxSettings(transport="http" if http else "line", gift=True)
    dialogue = PaxDialogue(settings, "serial" if line == "serial" else "tcp")
    told: list[c.TerminalEvent] = []
    written = b""
    now = 0.0
    waiting, answers = list(inputs), list(stores)
    step = dialogue.begin(OPERATIONS[name], now)
    for _ in range(STEPS_MAX):
        written += step.send
        assert not (step.new_line and step.events)
        if step.new_line:
            assert line != "serial"
        if step.events:
            assert not [event for event in told if isinstance(event, FinalEvent)]
            told += step.events
            stored = answers.pop(0) if answers else True
            step = dialogue.committed(now) if stored else dialogue.not_committed(now)
        elif step.wake_at is None:
            break
        else:
            step, now = _next(dialogue, waiting, step, now)
    else:
        raise AssertionError("the conversation does not end")
    assert len([event for event in told if isinstance(event, FinalEvent)]) == 1
    commands = commands_in_queries(written) if http else commands_in(written)
    sent = b"".join(frame(payload.decode("latin-1")) for payload in commands)
    assert count_money_commands(sent) <= 1


def _next(
    dialogue: PaxDialogue, waiting: list[bytes | str], step: Step, now: float
) -> tuple[Step, float]:
    """Let the next input happen, and silence when there is none."""
    item = waiting.pop(0) if waiting else "silence"
    assert step.wake_at is not None
    match item:
        case bytes():
            return dialogue.receive(item, now + 0.01), now + 0.01
        case "lost":
            return dialogue.line_lost(now), now
        case "cancel":
            return dialogue.cancel(now), now
        case _:
            return dialogue.timeout(step.wake_at), step.wake_at

"""Any bytes, at any time, in any conversation: it ends, says one thing, and says nothing false."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.messages import Unknown
from drivers.zvt.codec.sequence import sequence_of
from tests.protocol.test_zvt_dialogue import APPROVED, DONE, HOLD, SALE, YES
from tests.protocol.test_zvt_inquiry import BUSY, IDLE, LOGGED_ON, NO_TURNOVER
from tests.protocol.zvt_stub import count_money_commands

INPUTS_MAX = 25
PRICE = c.Money(2040, "EUR")
FINALS = get_args(c.FinalEvent)
PAY = c.Pay("r", PRICE)
CAPTURE = c.Capture("r", PRICE, replace(HOLD, terminal_id="28004869"))
OPERATIONS: tuple[c.Operation, ...] = (
    *(PAY, c.Authorize("r", PRICE), c.Authorize("r", PRICE, HOLD), CAPTURE),
    *(c.Refund("r", PRICE), c.Reverse("r", SALE), c.AdjustTip("r", PRICE, SALE)),
    *(c.Inquire(PAY, c.Baseline("")), c.Inquire(CAPTURE, None), c.Probe(), c.EndOfDay()),
    *(c.ReadCard(), c.ShowText(("hello",)), c.ReadLast(), c.Diagnose()),
)
MESSAGES = [
    *(
        YES,
        "84 00 00",
        "84 05 00",
        "84 83 00",
        "84 9C 00",
        "84 A0 00",
        "84 9D 07 04 00 00 00 00 10 00",
    ),
    *("04 FF 01 0A", "04 FF 02 0E 03", "04 FF 00", "04 01 00", "06 D1 05 81 41 42 43 44"),
    *(APPROVED, "04 0F 02 27 05", "04 0F 02 27 37", "04 0F 00", "04 0F 02 27 00", NO_TURNOVER),
    *(DONE, "06 0F 02 27 E0", "06 0F 02 19 01", IDLE, BUSY, LOGGED_ON, "06 0F 01 51"),
    *("06 1E 00", "06 1E 01 6C", "06 1E 04 B8 87 02 31", "06 1E 04 B8 87 FF FF", "0F A1 00"),
]
ENDING = (APPROVED, DONE, "04 FF 01 0A", "04 0F 02 27 37")
AGREED = f"{LOGGED_ON.replace('06 0F 0A', '06 0F 12')} 06 06 1F 73 03 00 00 00"


def numbered(apdu: str, number: int) -> bytes:
    message = decode(bytes.fromhex(apdu))
    return bytes.fromhex(apdu) if isinstance(message, Unknown) else encode(message, "cp437", number)


apdus = st.one_of(
    st.sampled_from([*MESSAGES, AGREED]).map(bytes.fromhex),
    st.builds(numbered, st.sampled_from(MESSAGES), st.integers(0, 12)),
)
inputs = st.one_of(
    st.tuples(st.just("receive"), apdus),
    st.tuples(st.just("receive"), apdus),
    st.tuples(st.just("receive"), st.binary(min_size=1, max_size=12)),
    st.tuples(st.sampled_from(["timeout", "cancel", "line_lost"]), st.just(b"")),
)
every_setting = st.builds(
    ZvtSettings,
    profile=st.sampled_from(["default", "card_complete", "feig", "global_payments", "hobex"]),
    sequence_ids=st.booleans(),
    sends_language=st.booleans(),
    diagnosis_type=st.sampled_from([None, 1]),
    initialization_usable=st.sampled_from([None, False]),
)


class Station:
    """Stores what it is told, or fails to; remembers what was written and heard."""

    def __init__(self, given_settings: ZvtSettings, *, stores: bool) -> None:
        self.dialogue = DRIVER.dialogue(given_settings, "tcp")
        self.stores = stores
        self.now = 0.0
        self.wake_at: float | None = None
        self.written = b""
        self.heard: list[bytes] = []
        self.events: list[c.TerminalEvent] = []

    def settle(self, step: c.Step) -> None:
        self.written += step.send
        while step.events:
            self.events += step.events
            told = self.dialogue.committed if self.stores else self.dialogue.not_committed
            step = told(self.now)
            self.written += step.send
        self.wake_at = step.wake_at

    def feed(self, kind: str, data: bytes) -> None:
        match kind:
            case "receive":
                self.heard.append(data)
                self.settle(self.dialogue.receive(data, self.now))
            case "timeout":
                self.now = max(self.now, self.wake_at or self.now)
                self.settle(self.dialogue.timeout(self.now))
            case "cancel":
                self.settle(self.dialogue.cancel(self.now))
            case _:
                self.settle(self.dialogue.line_lost(self.now))

    @property
    def finals(self) -> list[c.TerminalEvent]:
        return [event for event in self.events if isinstance(event, FINALS)]


@settings(max_examples=400)
@given(
    st.sampled_from(OPERATIONS), every_setting, st.lists(inputs, max_size=INPUTS_MAX), st.booleans()
)
def test_any_conversation_ends_with_one_true_word(
    operation: c.Operation,
    chosen: ZvtSettings,
    happenings: list[tuple[str, bytes]],
    stores: bool,
) -> None:
    station = Station(chosen, stores=stores)
    station.settle(station.dialogue.begin(operation, 0.0))
    for kind, data in happenings:
        if station.wake_at is None:
            break
        station.feed(kind, data)
    for _ in range(60):
        if station.wake_at is None:
            break
        station.feed("timeout", b"")
    assert station.wake_at is None, "silence ends it"
    (final,) = station.finals
    assert station.events[-1] == final
    is_money = isinstance(operation, get_args(c.MoneyOperation))
    commands = count_money_commands("tcp", station.written)
    assert commands <= (1 if is_money else 0)
    if isinstance(final, c.Approved):
        assert stores or not is_money, "an approval that was not stored"
        assert any(b"\x27\x00" in data for data in station.heard)
        assert is_money or isinstance(operation, c.Inquire)
    if isinstance(final, (c.Declined, c.Canceled)) and commands:
        assert station.heard, "a no that nobody said"


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(ENDING), st.integers(0, 9)), max_size=8))
def test_with_numbers_only_newer_ones_decide(said: list[tuple[str, int]]) -> None:
    """Whatever is said, an approval needs a result and an end that came in their order."""
    station = Station(ZvtSettings(sequence_ids=True), stores=True)
    station.settle(station.dialogue.begin(PAY, 0.0))
    for apdu in (bytes.fromhex(YES), bytes.fromhex(AGREED), numbered(YES, 1)):
        station.feed("receive", apdu)
    for text, number in said:
        if station.wake_at is not None:
            station.feed("receive", numbered(text, number) if number else bytes.fromhex(text))
    if any(isinstance(event, c.Approved) for event in station.finals):
        ends = [data for data in station.heard[3:] if data[:2] in (b"\x04\x0f", b"\x06\x0f")]
        numbers = [sequence_of(data) or 0 for data in ends]
        assert any(one < other for one, other in pairwise(numbers))

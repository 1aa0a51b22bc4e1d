"""Concert E+ from the till's side: every window of doubt, with the bytes written out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import (
    Approved,
    Authorize,
    Canceled,
    Declined,
    Dialogue,
    EndOfDay,
    Failed,
    FinalEvent,
    Inquire,
    Money,
    Operation,
    Pay,
    Probe,
    Progress,
    ReadCard,
    Refund,
    Step,
    TerminalNotReady,
    TerminalReady,
    Unclear,
)
from drivers.telium import DRIVER, TeliumSettings
from drivers.telium.codec import messages as m
from drivers.telium.codec.framing import encode_frame

ENQ, ACK, NAK, EOT = b"\x05", b"\x06", b"\x15", b"\x04"
EURO_12_50 = Money(1250, "EUR")
PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", EURO_12_50)
OURS = "EODICKQBS6"  # what that id becomes
REQUEST = b"\x020100001250010978EODICKQBS6A010B010\x03y"


def answer(
    result: str = "0", private: str = OURS, amount: int = 1250, till: str = "01", euro: str = "978"
) -> bytes:
    return encode_frame(m.encode(m.ConcertAnswer(till, result, amount, "1", euro, private)))


class Script:
    """A dialogue, the seconds that went by, and all that it said."""

    def __init__(self, operation: Operation, options: TeliumSettings | None = None) -> None:
        self.dialogue: Dialogue = DRIVER.dialogue(options or TeliumSettings(), "serial")
        self.now = 100.0
        self.sent = b""
        self.told: list[object] = []
        self.wake_at: float | None = None
        self._take(self.dialogue.begin(operation, self.now))

    @property
    def finals(self) -> list[object]:
        return [event for event in self.told if not isinstance(event, Progress)]

    @property
    def final(self) -> FinalEvent:
        [event] = self.finals
        return event  # type: ignore[return-value]  # whatever is not progress is final here

    @property
    def over(self) -> bool:
        return self.wake_at is None

    def hear(self, data: bytes) -> bytes:
        """Return what the dialogue sends when it hears `data`."""
        before = len(self.sent)
        self._take(self.dialogue.receive(data, self.now))
        return self.sent[before:]

    def silence(self) -> bytes:
        """Return what the dialogue sends when nothing comes until it wakes."""
        before = len(self.sent)
        assert self.wake_at is not None
        self.now = max(self.now, self.wake_at)
        self._take(self.dialogue.timeout(self.now))
        return self.sent[before:]

    def lose_line(self) -> None:
        self._take(self.dialogue.line_lost(self.now))

    def cancel(self) -> None:
        self._take(self.dialogue.cancel(self.now))

    def end_by_silence(self) -> None:
        for _ in range(50):
            if self.over:
                return
            self.silence()
        raise AssertionError("silence does not end it")

    def _take(self, step: Step) -> None:
        self.sent += step.send
        self.told += step.events
        while step.events:
            step = self.dialogue.committed(self.now)
            self.sent += step.send
            self.told += step.events
        self.wake_at = step.wake_at


def requested() -> Script:
    """Return a conversation whose request was acknowledged."""
    script = Script(PAY)
    assert script.hear(ACK) == REQUEST
    assert script.hear(ACK) == EOT
    return script


def test_an_accepted_payment_goes_through_every_step() -> None:
    script = Script(PAY)
    assert script.sent == ENQ
    assert script.hear(ACK) == REQUEST
    assert script.hear(ACK) == EOT
    assert script.hear(ENQ) == ACK
    assert script.hear(answer()) == ACK
    assert script.hear(EOT) == b""
    assert script.over
    assert isinstance(script.final, Approved)
    assert script.final.approval.amount == EURO_12_50
    assert script.final.approval.transaction_id == OURS


def test_an_answer_is_acknowledged_only_when_it_is_stored() -> None:
    dialogue = DRIVER.dialogue(TeliumSettings(), "serial")
    dialogue.begin(PAY, 0.0)
    dialogue.receive(ACK, 0.0)
    dialogue.receive(ACK, 0.0)
    dialogue.committed(0.0)
    dialogue.receive(ENQ, 1.0)
    step = dialogue.receive(answer(), 1.0)
    assert isinstance(step.events[0], Approved)
    assert step.send == b""
    assert dialogue.not_committed(1.0) == Step()
    assert dialogue.timeout(9.0) == Step()


def test_the_result_stands_although_the_last_eot_is_missing() -> None:
    script = requested()
    script.hear(ENQ)
    script.hear(answer())
    assert not script.over
    assert script.silence() == b""
    assert script.over
    assert isinstance(script.final, Approved)


def test_an_answer_that_comes_again_is_acknowledged_again() -> None:
    script = requested()
    script.hear(ENQ)
    script.hear(answer())
    assert script.hear(answer()) == ACK
    assert script.hear(EOT) == b""
    assert len(script.finals) == 1


def test_a_refusal_is_declined() -> None:
    script = requested()
    script.hear(ENQ)
    script.hear(answer("7"))
    assert script.final == Declined("7", "refused or stopped at the terminal")


@pytest.mark.parametrize("result", ["9", "1", "Z"])
def test_neither_yes_nor_no_is_unclear(result: str) -> None:
    script = requested()
    script.hear(ENQ)
    script.hear(answer(result))
    assert isinstance(script.final, Unclear)


@pytest.mark.parametrize(
    "foreign",
    [
        answer(private="A123456   "),
        answer(private=" " * 10),
        answer("7", private=" " * 10),
        answer(amount=1251),
        answer("7", amount=1251),
        answer(till="02"),
        answer(euro="756"),
    ],
)
def test_somebody_elses_answer_is_no_evidence(foreign: bytes) -> None:
    script = requested()
    script.hear(ENQ)
    assert script.hear(foreign) == ACK
    assert isinstance(script.final, Unclear)


def test_a_terminal_that_does_not_echo_is_believed_if_told_so() -> None:
    script = Script(PAY, TeliumSettings(private_field="free"))
    for data in (ACK, ACK, ENQ, answer(private="A123456   ")):
        script.hear(data)
    assert isinstance(script.final, Approved)
    assert script.final.approval.transaction_id == "A123456"


# --- before the request


def test_a_silent_terminal_is_asked_three_times_and_nothing_was_requested() -> None:
    script = Script(PAY)
    script.end_by_silence()
    assert script.sent == (ENQ + EOT) * 3
    assert script.now == 100.0 + 3 * 3.0 + 2 * 1.0
    assert isinstance(script.final, Failed)
    assert script.final.reason == "terminal_offline"


def test_a_busy_terminal_may_become_free() -> None:
    script = Script(PAY)
    assert script.hear(NAK) == EOT
    assert script.hear(ACK) == b""
    assert script.silence() == ENQ
    assert script.hear(ACK) == REQUEST


def test_a_terminal_that_wants_to_answer_first_is_not_interrupted() -> None:
    script = Script(PAY)
    assert script.hear(ENQ) == b""
    assert script.over
    assert isinstance(script.final, Failed)
    assert script.final.reason == "terminal_busy"


def test_a_line_lost_before_the_request_is_proof() -> None:
    script = Script(PAY)
    script.lose_line()
    assert isinstance(script.final, Failed)


def test_a_cancel_before_the_request_is_proof() -> None:
    script = Script(PAY)
    script.cancel()
    assert script.sent == ENQ + EOT
    assert isinstance(script.final, Canceled)
    assert script.over


# --- after the request


@pytest.mark.parametrize(
    "heard",
    [b"", ACK, ACK + ENQ, ACK + ENQ + answer()[:9], ACK + ENQ + answer()[:-1], NAK],
)
def test_a_line_lost_after_the_request_is_in_doubt(heard: bytes) -> None:
    script = Script(PAY)
    script.hear(ACK)
    script.hear(heard)
    script.lose_line()
    assert isinstance(script.final, Unclear)
    assert script.over


@pytest.mark.parametrize("heard", [b"", ACK, ACK + ENQ, ACK + ENQ + answer()[:9]])
def test_silence_after_the_request_is_in_doubt(heard: bytes) -> None:
    script = Script(PAY)
    script.hear(ACK)
    script.hear(heard)
    script.end_by_silence()
    assert isinstance(script.final, Unclear)
    assert script.sent.count(REQUEST) == 1


def test_a_lost_acknowledgement_of_the_request_does_not_lose_the_answer() -> None:
    script = Script(PAY)
    script.hear(ACK)
    assert script.silence() == EOT
    assert script.hear(ENQ) == ACK
    assert script.hear(answer()) == ACK
    assert isinstance(script.final, Approved)


def test_a_refused_request_is_not_sent_again() -> None:
    script = Script(PAY)
    script.hear(ACK)
    assert script.hear(NAK) == EOT
    assert not script.finals
    assert script.silence() == b""
    assert isinstance(script.final, Failed)
    assert script.sent.count(REQUEST) == 1


@pytest.mark.parametrize("heard", [b"\x00" + NAK, NAK + NAK, NAK + b"7"])
def test_a_refusal_among_noise_is_none(heard: bytes) -> None:
    script = Script(PAY)
    script.hear(ACK)
    script.hear(heard)
    script.end_by_silence()
    assert isinstance(script.final, Unclear)


def test_a_refusal_that_is_contradicted_is_none() -> None:
    script = Script(PAY)
    script.hear(ACK)
    script.hear(NAK)
    script.hear(ACK)
    script.end_by_silence()
    assert isinstance(script.final, Unclear)


def test_a_damaged_answer_is_asked_for_again() -> None:
    script = requested()
    script.hear(ENQ)
    assert script.hear(answer()[:-1] + b"\x00") == b""
    assert script.silence() == NAK
    assert script.hear(answer()) == ACK
    assert isinstance(script.final, Approved)


def test_an_answer_that_stays_damaged_is_in_doubt() -> None:
    script = requested()
    script.hear(ENQ)
    for _ in range(4):
        script.hear(answer()[:-1] + b"\x00")
        script.silence()
    assert script.sent.endswith(ACK + NAK * 3)
    assert script.final == Unclear("unreadable", "the answer came damaged every time")


def test_an_enquiry_in_the_wreck_of_a_frame_is_not_acknowledged() -> None:
    script = requested()
    script.hear(ENQ)
    assert script.hear(b"\x010\x05\x0312") == b""
    assert script.silence() == NAK


def test_an_enquiry_that_comes_again_is_acknowledged_after_a_pause() -> None:
    script = requested()
    script.hear(ENQ)
    assert script.hear(ENQ) == b""
    assert script.silence() == ACK
    script.hear(answer())
    assert isinstance(script.final, Approved)


def test_a_frame_without_an_enquiry_is_evidence() -> None:
    script = requested()
    assert script.hear(answer()) == ACK
    assert isinstance(script.final, Approved)


def test_a_cancel_after_the_request_only_tells_the_clerk() -> None:
    script = requested()
    before = script.sent
    script.cancel()
    script.cancel()
    assert script.sent == before
    assert [event for event in script.told if isinstance(event, Progress) and event.text] == [
        script.told[-1]
    ]
    script.hear(ENQ)
    script.hear(answer())
    assert isinstance(script.final, Approved)


def test_a_babbling_terminal_cannot_keep_a_conversation_alive() -> None:
    script = requested()
    for _ in range(1000):
        script.now += 1.0
        script.hear(ENQ + b"7" * 30)
        if script.over:
            break
    assert script.now < 100 + 200
    assert isinstance(script.final, Unclear)


def test_babble_between_two_enquiries_ends_the_conversation_too() -> None:
    script = Script(PAY)
    assert script.silence() == EOT
    for _ in range(1000):
        script.now += 1.0
        script.hear(b"7")
        if script.over:
            break
    assert script.now < 100 + 200
    assert isinstance(script.final, Failed)
    assert REQUEST not in script.sent


def test_nothing_is_said_after_the_end() -> None:
    script = requested()
    script.hear(ENQ)
    script.hear(answer())
    script.hear(EOT)
    for data in (answer("7"), ENQ, NAK, b"\x00" * 50):
        assert script.hear(data) == b""
    script.lose_line()
    script.cancel()
    assert len(script.finals) == 1


# --- asking, probing, and what cannot be done


def test_asking_accepts_a_late_answer_that_is_ours() -> None:
    script = Script(Inquire(PAY, None))
    assert script.sent == b""
    assert script.hear(ENQ) == ACK
    assert script.hear(answer()) == ACK
    assert script.hear(EOT) == b""
    assert isinstance(script.final, Approved)


def test_asking_tells_the_same_as_the_conversation_would_have() -> None:
    first, late = requested(), Script(Inquire(PAY, None))
    for script in (first, late):
        script.hear(ENQ)
        script.hear(answer())
    assert first.final == late.final


def test_the_answer_to_another_payment_is_left_to_whoever_asks_after_it() -> None:
    for script in (requested(), Script(Inquire(PAY, None))):
        script.hear(ENQ)
        assert script.hear(answer(private="OTHERONE01")) == b""
        assert isinstance(script.final, Unclear)
        assert script.over


def test_asking_where_nothing_is_echoed_is_evidence_for_people_only() -> None:
    script = Script(Inquire(PAY, None), TeliumSettings(private_field="free"))
    script.hear(ENQ)
    assert script.hear(answer(private="A123456   ")) == ACK
    assert isinstance(script.final, Unclear)
    assert "amount 12.50 EUR" in script.final.text
    assert "result 0" in script.final.text


def test_asking_sends_nothing_into_silence_and_knows_nothing() -> None:
    script = Script(Inquire(PAY, None))
    script.end_by_silence()
    assert script.sent == b""
    assert script.now == 104.0
    assert isinstance(script.final, Unclear)


def test_a_probe_opens_and_closes_the_line_and_moves_no_money() -> None:
    script = Script(Probe())
    assert script.hear(ACK) == EOT
    assert script.sent == ENQ + EOT
    assert script.final == TerminalReady(currency="EUR")
    assert script.over


def test_a_probe_of_a_silent_terminal_knows_nothing() -> None:
    script = Script(Probe())
    script.end_by_silence()
    assert isinstance(script.final, Unclear)


def test_a_probe_does_not_take_a_late_answer_away() -> None:
    script = Script(Probe())
    assert script.hear(ENQ) == b""
    assert isinstance(script.final, TerminalNotReady)


@pytest.mark.parametrize(
    "operation",
    [
        Authorize("a", EURO_12_50),
        Refund("a", EURO_12_50),
        EndOfDay(),
        ReadCard(),
        Pay("a", Money(1250, "CHF")),
        Pay("a", Money(0, "EUR")),
        Pay("a", Money(100_000_000, "EUR")),
    ],
)
def test_what_the_protocol_cannot_do_is_refused_before_a_byte(operation: Operation) -> None:
    script = Script(operation)
    assert script.sent == b""
    assert isinstance(script.final, Failed)
    assert script.over


def test_a_refund_is_a_credit_where_it_is_switched_on() -> None:
    script = Script(Refund(PAY.reference, EURO_12_50), TeliumSettings(refunds=True))
    request = script.hear(ACK)
    assert m.decode_request(request[1:-2]).action == m.CREDIT


def test_capabilities_say_what_is_missing() -> None:
    can = DRIVER.capabilities(TeliumSettings())
    assert can.operations == {"sale"}
    assert (can.status_query, can.cancel) == ("none", "at_terminal_only")
    assert not can.partial_approval
    assert not can.unlinked_refund
    assert not can.receipts


@pytest.mark.parametrize(
    "wrong",
    [{"till": "1"}, {"till": "00"}, {"currency": "ABC"}, {"result_seconds": 0}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TeliumSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose


# --- whatever comes

SPEECH = st.lists(
    st.sampled_from([ENQ, ACK, NAK, EOT, answer(), answer("7"), answer()[:-1] + b"\x00"])
    | st.binary(max_size=30),
    max_size=12,
).map(b"".join)


@settings(max_examples=300)
@given(SPEECH, st.booleans())
def test_whole_or_byte_by_byte_is_the_same_conversation(speech: bytes, asks: bool) -> None:
    operation = Inquire(PAY, None) if asks else PAY
    whole, single = Script(operation), Script(operation)
    whole.hear(speech)
    for byte in speech:
        single.hear(bytes([byte]))
    whole.end_by_silence()
    single.end_by_silence()
    assert whole.told == single.told
    assert whole.sent == single.sent
    assert len(whole.finals) == 1


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 3))
def test_garbage_is_never_an_approval_and_never_a_no(garbage: bytes, steps: int) -> None:
    script = Script(PAY)
    for data in (ACK, ACK, ENQ)[:steps]:
        script.hear(data)
    script.hear(garbage)
    script.end_by_silence()
    assert script.sent.count(b"\x0201") <= 1
    if REQUEST in script.sent:
        nak_alone = script.final == Failed(
            "NAK", "the terminal refused the request", "terminal_protocol_error"
        )
        assert isinstance(script.final, Unclear) or (nak_alone and garbage in (NAK, ACK + NAK))
    else:
        assert isinstance(script.final, Failed)

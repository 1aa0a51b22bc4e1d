"""Caisse-AP over IP from the till's side: every window of doubt, with the text written out."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import (
    Approved,
    Authorize,
    Canceled,
    Declined,
    Failed,
    FinalEvent,
    Inquire,
    Money,
    Operation,
    Pay,
    Probe,
    Progress,
    Refund,
    Reverse,
    Step,
    TerminalNotReady,
    TerminalReady,
    Unclear,
)
from drivers.telium import CAISSE_AP_DRIVER, CaisseApSettings

PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", Money(11245, "EUR"))
# Both seen between the OCA's client and a terminal.
REQUEST = b"CZ0040300CJ012012345678901CA00201CE003978CD0010CB00511245"
ECHO = b"CZ0040300CJ012012345678901CA00201CB012000000011245CD0010CE003978"
PAID = (
    ECHO + b"AE00210CC003001CI0011AC006123456AA016497010######0013"
    b"AI014A0000000421010AB0042712CF0101010000000CG006424242"
)
# A Desk/5000 leaves the amount out after its red key (OCA/l10n-france, pull request 669).
STOPPED_DESK = b"CZ0040300CJ012012345678901CA00201CE003978CD0010AE00201AF00211"


class Script:
    """A dialogue, the seconds that went by, and all that it said."""

    def __init__(
        self, operation: Operation = PAY, settings: CaisseApSettings | None = None
    ) -> None:
        self.dialogue = CAISSE_AP_DRIVER.dialogue(settings or CaisseApSettings(), "tcp")
        self.now = 0.0
        self.sent = b""
        self.told: list[object] = []
        self.wake_at: float | None = None
        self._take(self.dialogue.begin(operation, self.now))

    @property
    def final(self) -> FinalEvent:
        [event] = [event for event in self.told if not isinstance(event, Progress)]
        return event  # type: ignore[return-value]  # whatever is not progress is final here

    def hear(self, data: bytes) -> None:
        self._take(self.dialogue.receive(data, self.now))

    def silence(self) -> None:
        assert self.wake_at is not None
        self.now = self.wake_at
        self._take(self.dialogue.timeout(self.now))

    def end_by_silence(self) -> None:
        while self.wake_at is not None:
            self.silence()

    def lose_line(self) -> None:
        self._take(self.dialogue.line_lost(self.now))

    def cancel(self) -> None:
        self._take(self.dialogue.cancel(self.now))

    def _take(self, step: Step) -> None:
        self.sent += step.send
        self.told += step.events
        while step.events:
            step = self.dialogue.committed(self.now)
            self.sent += step.send
            self.told += step.events
        self.wake_at = step.wake_at


def test_a_paid_answer_is_an_approval_with_what_the_terminal_knows() -> None:
    script = Script()
    assert script.sent == REQUEST
    script.hear(PAID)
    assert isinstance(script.final, Approved)
    approval = script.final.approval
    assert approval.amount == PAY.amount
    assert (approval.approval_code, approval.merchant_id) == ("123456", "424242")
    assert (approval.card.brand, approval.card.entry_mode) == ("cb", "icc")
    assert approval.card.masked_pan is not None
    assert approval.card.masked_pan.last4 == "0013"
    assert approval.card.application_id == "A0000000421010"


def test_an_answer_in_two_segments_is_one_answer() -> None:
    for cut in range(1, len(PAID)):
        script = Script()
        script.hear(PAID[:cut])
        script.hear(PAID[cut:])
        assert isinstance(script.final, Approved)
        assert script.final.approval.approval_code == "123456"


def test_a_complete_answer_is_not_waited_for() -> None:
    for split in ([PAID + b"\r\n"], [bytes([byte]) for byte in PAID + b"\r\n"]):
        script = Script()
        for data in split:
            script.hear(data)
        assert script.wake_at is None
        assert isinstance(script.final, Approved)
        assert script.final.approval.merchant_id == "424242"


def test_the_terminal_may_hang_up_at_once() -> None:
    script = Script()
    script.hear(ECHO + b"AE00210AC006123456")
    script.lose_line()
    assert isinstance(script.final, Approved)


@pytest.mark.parametrize("end", range(len(PAID)))
def test_an_answer_that_breaks_off_is_never_more_than_it_says(end: int) -> None:
    cut, quiet = Script(), Script()
    for script in (cut, quiet):
        script.hear(PAID[:end])
    cut.lose_line()
    quiet.end_by_silence()
    assert isinstance(cut.final, Approved | Unclear)
    assert isinstance(quiet.final, Approved | Unclear)
    if end < len(ECHO + b"AE00210"):
        assert isinstance(cut.final, Unclear)
        assert isinstance(quiet.final, Unclear)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("02", Declined),
        ("04", Declined),
        ("05", Declined),
        ("06", Canceled),
        ("08", Canceled),
        ("11", Canceled),
        ("07", Failed),
        ("09", Failed),
        ("10", Failed),
        ("12", Failed),
        ("13", Failed),
        ("00", Unclear),
        ("01", Unclear),
        ("03", Unclear),
        ("99", Failed),
        ("", Failed),
    ],
)
def test_a_reason_that_explains_a_no_is_a_no(reason: str, expected: type[Any]) -> None:
    script = Script()
    script.hear(ECHO + b"AE00201" + (b"AF002" + reason.encode() if reason else b""))
    script.end_by_silence()
    assert isinstance(script.final, expected)


def refused(*tags: bytes) -> FinalEvent:
    script = Script()
    script.hear(ECHO + b"".join(tags))
    script.end_by_silence()
    return script.final


def test_the_first_two_characters_of_a_reason_are_its_code_and_the_rest_are_words() -> None:
    """Source: HiPay's description of Caisse-AP 3.x, `AF0290451PROVISION INSUFF` padded."""
    words = b"51PROVISION INSUFF".ljust(27)
    assert refused(b"AE00201", b"AF029", b"04", words) == Declined("04", "51PROVISION INSUFF")
    longest = b"AF050" + b"11" + b"x" * 48
    assert refused(b"AE00201", longest) == Canceled("cashier", "11", "x" * 48)
    for unclear in (b"00", b"01", b"03"):
        assert isinstance(refused(b"AE00201", b"AF029", unclear, words), Unclear)


def test_a_refusal_without_a_known_reason_is_failed_and_not_done() -> None:
    bare = refused(b"AE00201")
    assert isinstance(bare, Failed)
    assert (bare.code, bare.reason) == ("01", "terminal_fault")
    unknown = refused(b"AE00201", b"AF00277")
    assert isinstance(unknown, Failed)
    assert unknown.code == "77"


def test_a_reason_that_comes_late_is_waited_for() -> None:
    script = Script()
    script.hear(ECHO + b"AE00201")
    script.now += 1.0
    assert script.wake_at is not None
    assert script.now < script.wake_at
    script.hear(b"AF00200")
    script.end_by_silence()
    assert isinstance(script.final, Unclear)


def test_an_authorization_beside_a_refusal_is_a_contradiction() -> None:
    assert isinstance(refused(b"AE00201", b"AC006123456", b"AF00204"), Unclear)
    assert isinstance(refused(b"AE00201", b"AC006      ", b"AF00204"), Declined)


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\n", b"\r\n\r\n\r\n"])
def test_a_line_end_after_an_answer_is_nothing(end: bytes) -> None:
    paid, declined = Script(), Script()
    paid.hear(ECHO + b"AE00210" + end)
    declined.hear(ECHO + b"AE00201AF00204" + end)
    for script in (paid, declined):
        script.end_by_silence()
    assert isinstance(paid.final, Approved)
    assert isinstance(declined.final, Declined)


@pytest.mark.parametrize("value", [b"\xa7", b"\xe9\xe0", b"\x7f", bytes(range(0x80, 0x100))])
def test_letters_beyond_ascii_stand_in_any_value(value: bytes) -> None:
    private = b"CF%03d" % len(value) + value
    paid = Script()
    paid.hear(PAID.replace(b"CF0101010000000", private))
    assert isinstance(paid.final, Approved)
    words = b"AF%03d04" % (2 + len(value)) + value
    declined = refused(b"AE00201", words, private)
    assert isinstance(declined, Declined)
    assert declined.code == "04"


def test_what_cannot_be_read_is_named_without_a_card_number() -> None:
    script = Script()
    script.hear(ECHO + b"AE00210AA0164970101234567890\x00")
    script.lose_line()
    assert isinstance(script.final, Unclear)
    assert "AE00210" in script.final.text
    assert "<00>" in script.final.text
    assert "4970101234567890" not in script.final.text


@pytest.mark.parametrize("taken", [1, 5000, 11244])
def test_a_lower_amount_is_a_part_and_told_as_such(taken: int) -> None:
    script = Script()
    script.hear(PAID.replace(b"000000011245", b"%012d" % taken))
    assert isinstance(script.final, Approved)
    assert script.final.approval.amount == Money(taken, "EUR")


@pytest.mark.parametrize("other", [b"000000000000", b"000000011246", b"000000112450"])
def test_no_amount_and_a_larger_one_are_somebody_elses(other: bytes) -> None:
    script = Script()
    script.hear(PAID.replace(b"000000011245", other))
    assert isinstance(script.final, Unclear)
    assert script.final.reason == "other_amount"
    assert "EUR" in script.final.text


def test_dinars_never_read_as_thousands() -> None:
    dialogue = CAISSE_AP_DRIVER.dialogue(CaisseApSettings(currency="TND"), "tcp")
    dialogue.begin(Pay(PAY.reference, Money(1000, "TND")), 0.0)
    answer = PAID.replace(b"000000011245", b"000000001250").replace(b"CE003978", b"CE003788")
    step = dialogue.receive(answer, 1.0)
    assert isinstance(step.events[-1], Unclear)
    assert "1 TND 250 millimes" in step.events[-1].text


def test_a_no_without_an_amount_is_a_no() -> None:
    script = Script()
    script.hear(STOPPED_DESK)
    script.end_by_silence()
    assert isinstance(script.final, Canceled)
    assert script.final.by == "cashier"


@pytest.mark.parametrize(
    "foreign",
    [
        PAID.replace(b"11245", b"11246"),
        PAID.replace(b"CA00201", b"CA00202"),
        PAID.replace(b"CE003978", b"CE003756"),
        PAID.replace(b"CD0010", b"CD0011"),
        PAID.replace(b"CB012000000011245", b""),
        PAID.replace(b"AE00210", b"AE00211"),
        PAID.replace(b"AE00210", b""),
        ECHO + b"AE00211AF00204",
        PAID.replace(b"AE00210", b"AE00210AE00201AF00204"),
        ECHO.replace(b"11245", b"11246") + b"AE00201AF00204",
        ECHO.replace(b"CA00201", b"CA00202") + b"AE00201AF00204",
        PAID.replace(b"AE00210", b"\r\nAE00210"),
        b"\x00" + PAID,
    ],
)
def test_what_is_not_the_answer_to_our_request_is_no_evidence(foreign: bytes) -> None:
    script = Script()
    script.hear(foreign)
    script.end_by_silence()
    assert isinstance(script.final, Unclear)


def test_silence_and_a_lost_line_are_in_doubt() -> None:
    silent, lost = Script(), Script()
    silent.end_by_silence()
    lost.lose_line()
    assert silent.now == 180.0
    assert isinstance(silent.final, Unclear)
    assert isinstance(lost.final, Unclear)


def test_a_late_answer_within_its_last_seconds_is_heard_to_its_end() -> None:
    script = Script()
    script.now = 179.9
    script.hear(PAID[:50])
    script.now = 180.1
    script.hear(PAID[50:])
    assert isinstance(script.final, Approved)


def test_a_trickle_cannot_keep_a_conversation_alive() -> None:
    script = Script()
    while script.wake_at is not None:
        script.now += 2.0
        script.hear(b"ZZ0011")
    assert script.now < 200
    assert isinstance(script.final, Unclear)


def test_a_cancel_only_tells_the_clerk() -> None:
    script = Script()
    script.cancel()
    script.cancel()
    assert script.sent == REQUEST
    assert len(script.told) == 2
    script.hear(PAID)
    assert isinstance(script.final, Approved)


def test_asking_sends_nothing() -> None:
    ask = Script(Inquire(PAY, None))
    assert isinstance(ask.final, Unclear)
    assert ask.sent == b""
    assert ask.wake_at is None


# --- who is there

WHO = b"CZ0040300CJ012012345678901CA00201CD001I"
# As shown by an OCA module and a printing service.
HERE = b"CZ0040301CJ012330538600404CA00201CD001IAE00210"
UNTOLD = TerminalReady(currency="EUR", problems=("it does not tell who it is (CD=I)",))


def asked(*pieces: bytes, settings: CaisseApSettings | None = None) -> Script:
    """Probe, and hear an answer in pieces."""
    probe = Script(Probe(), settings)
    for piece in pieces:
        if probe.wake_at is not None:
            probe.hear(piece)
    probe.end_by_silence()
    return probe


@pytest.mark.parametrize("cut", range(len(HERE) + 1))
def test_a_terminal_tells_who_it_is(cut: int) -> None:
    probe = asked(HERE[:cut], HERE[cut:]) if 0 < cut < len(HERE) else asked(HERE)
    assert probe.sent == WHO
    assert probe.final == TerminalReady(serial_number="330538600404", currency="EUR")


def test_what_only_repeats_our_own_number_is_no_identity() -> None:
    assert asked(WHO + b"AE00210").final == TerminalReady(currency="EUR")


@pytest.mark.parametrize("told", [b"", b"AF00212", b"AF00209"])
def test_a_terminal_too_old_for_the_question_is_ready(told: bytes) -> None:
    assert asked(WHO + b"AE00201" + told).final == TerminalReady(currency="EUR")


def test_a_terminal_that_only_listens_is_ready_and_says_what_is_missing() -> None:
    assert asked().final == UNTOLD
    hung_up = Script(Probe())
    hung_up.lose_line()
    assert hung_up.final == UNTOLD


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (HERE.replace(b"CA00201", b"CA00202"), "wrong_device"),
        (PAID, "terminal_busy"),
        (WHO + b"AE00201AF00203", "terminal_maintenance"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong_device"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "wrong_device"),
        (HERE[:-4], "wrong_device"),
        (HERE + b"AE00201", "wrong_device"),
        (b"\x02 0100\x03", "wrong_device"),
    ],
)
def test_somebody_else_is_not_ready(answer: bytes, code: str) -> None:
    final = asked(answer).final
    assert isinstance(final, TerminalNotReady)
    assert final.code == code


def test_nobody_is_asked_where_that_is_switched_off() -> None:
    probe = Script(Probe(), CaisseApSettings(identification=False))
    assert (probe.sent, probe.final) == (b"", TerminalReady(currency="EUR"))


def test_the_makers_number_is_a_setting() -> None:
    settings = CaisseApSettings(protocol_id="330538600404")
    assert b"CJ012330538600404" in Script(PAY, settings).sent
    assert asked(HERE, settings=settings).final == TerminalReady(currency="EUR")
    with pytest.raises(ValueError, match="protocol_id must be 12 digits"):
        CaisseApSettings(protocol_id="4711")


def test_a_refund_is_a_credit_without_an_original() -> None:
    script = Script(Refund("r", Money(5, "EUR")))
    assert script.sent.endswith(b"CD0011CB00205")
    assert CAISSE_AP_DRIVER.capabilities(CaisseApSettings()).unlinked_refund


@pytest.mark.parametrize(
    "operation",
    [
        Authorize("a", Money(1, "EUR")),
        Pay("a", Money(1, "USD")),
        Pay("a", Money(10**12, "EUR")),
        Pay("a", Money(0, "EUR")),
    ],
)
def test_what_the_protocol_cannot_do_is_refused_before_a_byte(operation: Operation) -> None:
    script = Script(operation)
    assert script.sent == b""
    assert isinstance(script.final, Failed)


def test_a_void_is_refused_before_a_byte() -> None:
    paid = Script()
    paid.hear(PAID)
    assert isinstance(paid.final, Approved)
    script = Script(Reverse("v", paid.final.approval))
    assert script.sent == b""
    assert isinstance(script.final, Failed)


def test_a_serial_line_is_refused() -> None:
    with pytest.raises(ValueError, match="TCP"):
        CAISSE_AP_DRIVER.dialogue(CaisseApSettings(), "serial")


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text("ABCEZ0123456789", max_size=300).map(str.encode))
def test_garbage_is_in_doubt_in_any_split(garbage: bytes) -> None:
    cuts = random.Random(len(garbage))
    whole, single, split = Script(), Script(), Script()
    whole.hear(garbage)
    for byte in garbage:
        single.hear(bytes([byte]))
    cut = cuts.randrange(len(garbage) + 1)
    split.hear(garbage[:cut])
    split.hear(garbage[cut:])
    for script in (whole, single, split):
        script.end_by_silence()
        assert isinstance(script.final, Unclear)
        assert script.sent == REQUEST

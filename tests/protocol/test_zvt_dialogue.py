"""The register's side of ZVT payments, frame by frame, over TCP."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from drivers.zvt.codec.framing import LinkTimers, SerialLink

EUR = "EUR"
PAY = c.Pay("p1", c.Money(2040, EUR))
PAY_BYTES = "06 01 0A 04 00 00 00 00 20 40 49 09 78"
YES, REFUSED = "80 00 00", "84 66 00"
DONE = "06 0F 00"
# 20.40 EUR, receipt 0470, trace 000470, terminal 28004869, 10 June 22:39:53
APPROVED = (
    "04 0F 1F 27 00 04 00 00 00 00 20 40 0B 00 04 70 0C 22 39 53 0D 10 06"
    " 29 28 00 48 69 49 09 78 87 04 70"
)
FINGERPRINT = "28004869:0470:000470:1006:223953:2040"
FIRST_AT = 100.0


@dataclass
class Register:
    """A station without a line: stores everything, remembers what was sent and told."""

    dialogue: c.Dialogue
    stores: bool = True
    now: float = FIRST_AT
    sent: list[str] = field(default_factory=list)
    events: list[c.TerminalEvent] = field(default_factory=list)
    wake_at: float | None = None
    taken: bool = False  # whether it was told that the terminal took the command

    def begin(self, operation: c.Operation) -> str:
        return self._settle(self.dialogue.begin(operation, self.now))

    def hear(self, apdu: str) -> str:
        return self._settle(self.dialogue.receive(bytes.fromhex(apdu), self.now))

    def wait(self) -> str:
        assert self.wake_at is not None, "nothing to wait for"
        self.now = self.wake_at
        return self._settle(self.dialogue.timeout(self.now))

    def lose_line(self) -> str:
        return self._settle(self.dialogue.line_lost(self.now))

    def cancel(self) -> str:
        return self._settle(self.dialogue.cancel(self.now))

    def _settle(self, step: c.Step) -> str:
        sent = step.send
        while step.events:
            self.taken = self.taken or c.Taken() in step.events
            self.events += [event for event in step.events if event != c.Taken()]
            stored = self.dialogue.committed if self.stores else self.dialogue.not_committed
            step = stored(self.now)
            sent += step.send
        self.wake_at = step.wake_at
        self.sent.append(sent.hex(" ").upper())
        return self.sent[-1]

    @property
    def last(self) -> c.TerminalEvent:
        return self.events[-1]


def register(settings: ZvtSettings | None = None) -> Register:
    return Register(DRIVER.dialogue(settings or ZvtSettings(), "tcp"))


def paying(settings: ZvtSettings | None = None, order: c.MoneyOperation = PAY) -> Register:
    desk = register(settings)
    desk.begin(order)
    assert desk.hear(YES) == ""
    return desk


def finals(events: list[c.TerminalEvent]) -> list[c.TerminalEvent]:
    return [e for e in events if not isinstance(e, (c.Progress, c.Receipt, c.Offered))]


# --- the way of a payment


def test_a_payment_is_one_command_and_one_approval() -> None:
    desk = register()
    assert desk.begin(PAY) == PAY_BYTES
    assert desk.hear(YES) == ""
    assert desk.hear("04 FF 01 0A") == YES
    assert desk.hear("04 FF 02 04 03") == YES
    assert desk.hear(APPROVED) == YES
    assert desk.hear("06 D1 07 00 42 65 6C 65 67 21") == YES
    assert desk.hear("06 D1 01 81") == YES
    assert desk.hear(DONE) == YES
    assert desk.wake_at is None
    waiting, authorizing, offered, receipt, approved = desk.events
    assert waiting == c.Progress(c.Stage.WAITING_FOR_CARD)
    assert authorizing == c.Progress(c.Stage.AUTHORIZING)
    assert receipt == c.Receipt("administration", ("Beleg!",))
    assert isinstance(offered, c.Offered)
    assert isinstance(approved, c.Approved)
    assert offered.approval == approved.approval
    assert approved.approval.amount == c.Money(2040, EUR)
    assert approved.approval.fingerprint == FINGERPRINT
    assert approved.approval.terminal_id == "28004869"
    assert approved.approval.transaction_id == "0470"
    assert approved.approval.trace == "000470"


def test_the_approval_is_acknowledged_only_after_it_is_stored() -> None:
    dialogue = DRIVER.dialogue(ZvtSettings(), "tcp")
    dialogue.begin(PAY, 0.0)
    dialogue.receive(bytes.fromhex(YES), 0.0)
    step = dialogue.receive(bytes.fromhex(APPROVED), 0.0)
    assert step.send == b""
    assert isinstance(step.events[0], c.Offered)
    assert dialogue.committed(0.0).send.hex(" ") == YES
    step = dialogue.receive(bytes.fromhex(DONE), 0.0)
    assert step.send == b""
    assert isinstance(step.events[0], c.Approved)
    assert dialogue.committed(0.0) == c.Step(bytes.fromhex(YES), (), None)


def test_an_approval_that_cannot_be_stored_is_refused_and_never_told_as_no() -> None:
    desk = paying()
    desk.stores = False
    assert desk.hear(APPROVED) == REFUSED
    desk.stores = True
    assert desk.hear("06 1E 01 6C") == YES
    assert desk.last == c.Unclear("not_stored")


def test_what_arrives_while_an_approval_is_stored_waits_its_turn() -> None:
    desk = paying()
    assert desk.hear(APPROVED + DONE) == f"{YES} {YES}"
    assert isinstance(desk.last, c.Approved)
    assert len(finals(desk.events)) == 1


def test_a_receipt_before_the_approval_is_fine() -> None:
    desk = paying()
    block = "06 D3 12 06 10 1F 07 01 02 25 0A 07 05 48 61 6C 6C 6F 09 01 81"
    assert desk.hear(block) == YES
    assert desk.hear(APPROVED) == YES
    assert desk.hear(DONE) == YES
    assert desk.events[0] == c.Receipt("customer", ("Hallo",))
    assert isinstance(desk.last, c.Approved)


def test_an_approval_told_twice_is_acknowledged_twice_and_offered_once() -> None:
    desk = paying()
    assert desk.hear(APPROVED) == YES
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert [type(e) for e in desk.events] == [c.Offered, c.Approved]


def test_unknown_commands_are_answered_and_the_payment_goes_on() -> None:
    desk = paying()
    assert desk.hear("04 0D 01 00") == "84 83 00"
    assert desk.hear("0F A1 02 11 22") == "84 83 00"
    assert desk.hear("04 01 08 AA 26 11 23 0C 15 00 00") == YES
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


# --- no, with proof


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["04 0F 02 27 05", "06 1E 01 05"], c.Declined("05", "declined")),
        (
            ["04 0F 02 27 33", "06 0F 00"],
            c.Declined("33", "not enough funds", "insufficient_funds"),
        ),
        (["04 0F 02 27 37", "06 1E 01 6C"], c.Declined("37", "wrong PIN", "wrong_pin")),
        (["06 1E 01 6C"], c.Canceled("terminal", "6C", "stopped at the terminal")),
        (["06 1E 01 64"], c.Failed("64", "card not readable", "card_read_failed")),
        (["06 1E 00"], c.Failed("", "the terminal stopped it without a reason")),
        (["06 1E 03 6F 07 56"], c.Failed("6F", "wrong currency", "payment_restriction")),
        (
            # captured by Portalum.Zvt: stopped by the shopper
            [
                "04 0F 1E 27 6C 29 28 00 48 69 3C F0 F1 F9 41 62 62 72 75 63 68 20 64 75 72 63 68"
                " 20 4B 75 6E 64 65",
                "06 1E 01 6C",
            ],
            c.Canceled("cardholder", "6C", "Abbruch durch Kunde"),
        ),
    ],
)
def test_the_terminals_own_no_is_told_as_such(said: list[str], told: c.FinalEvent) -> None:
    desk = paying()
    for apdu in said:
        assert desk.hear(apdu) == YES
    assert desk.events == [told]
    assert desk.wake_at is None


def test_a_refused_command_failed_because_nothing_started() -> None:
    desk = register()
    desk.begin(PAY)
    desk.hear("84 A0 00")
    assert desk.events == []
    desk.wait()
    assert desk.last == c.Failed("A0", "terminal not ready", "terminal_busy")


def test_a_late_refusal_of_something_older_does_not_pass_for_ours() -> None:
    desk = register()
    desk.begin(PAY)
    desk.hear("84 83 00")
    desk.hear(YES)
    desk.hear("04 FF 01 0A")
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


def test_a_sign_of_life_after_a_refusal_keeps_the_payment_open() -> None:
    desk = register()
    desk.begin(PAY)
    desk.hear("84 83 00")
    assert desk.hear("04 FF 01 0A") == YES
    desk.wait()
    assert finals(desk.events) == []
    desk.wait()
    assert desk.last == c.Unclear("no_answer")


# --- every window of doubt


def test_window_a_no_reply_is_in_doubt() -> None:
    desk = register()
    desk.begin(PAY)
    desk.wait()
    assert desk.events == [c.Unclear("no_answer")]
    assert desk.now == FIRST_AT + 5.0


WINDOWS = {
    "b_replied": [],
    "b_card_shown": ["04 FF 01 0A"],
    "c_approval_acknowledged": [APPROVED],
    "d_printing": [APPROVED, "06 D1 02 00 41"],
    "e_printed": [APPROVED, "06 D1 02 00 41", "06 D1 01 81"],
}


@pytest.mark.parametrize("said", WINDOWS.values(), ids=WINDOWS.keys())
def test_a_lost_line_in_every_window_is_in_doubt(said: list[str]) -> None:
    desk = paying()
    for apdu in said:
        desk.hear(apdu)
    desk.lose_line()
    assert finals(desk.events) == [c.Unclear("link_lost")]
    assert desk.wake_at is None


@pytest.mark.parametrize("said", WINDOWS.values(), ids=WINDOWS.keys())
def test_silence_in_every_window_is_in_doubt(said: list[str]) -> None:
    desk = paying()
    for apdu in said:
        desk.hear(apdu)
    desk.wait()
    assert finals(desk.events) == [c.Unclear("no_answer")]
    assert desk.now == FIRST_AT + 180.0


@pytest.mark.parametrize(
    "said",
    [
        [APPROVED, "06 1E 01 6C"],
        [APPROVED, "04 0F 02 27 6C", "06 1E 01 6C"],
        [APPROVED, "04 0F 02 27 6C", DONE],
        [APPROVED, "06 0F 02 27 05"],
        [DONE],
        ["06 0F 02 27 00"],
        ["04 0F 07 04 00 00 00 00 20 40", DONE],
        ["06 1E 01 00"],
        ["04 0F 02 27 37", DONE],
    ],
)
def test_an_end_that_does_not_fit_is_in_doubt(said: list[str]) -> None:
    desk = paying()
    for apdu in said:
        desk.hear(apdu)
    (final,) = finals(desk.events)
    assert isinstance(final, c.Unclear)


def test_a_terminal_that_asks_to_wait_has_not_refused() -> None:
    desk = register()
    desk.begin(PAY)
    assert desk.hear("84 9C 00") == ""
    assert desk.events == []
    assert desk.wait() == ""
    assert desk.events == [c.Unclear("busy", "the terminal asks to wait", not_taken=True)]
    assert "".join(desk.sent).count("06 01") == 1


@pytest.mark.parametrize(
    "meanwhile", ["04 FF 01 0A", "04 0F 02 27 05", "06 D1 01 81"], ids=["stage", "result", "print"]
)
def test_a_sign_of_work_after_please_wait_keeps_the_doubt(meanwhile: str) -> None:
    desk = register()
    desk.begin(PAY)
    desk.hear("84 9C 00")
    assert desk.hear(meanwhile) == YES
    desk.hear("84 9C 00")
    desk.wait()
    (final,) = finals(desk.events)
    assert final == c.Unclear("busy", "the terminal asks to wait", not_taken=False)


def test_an_approval_after_please_wait_is_neither_taken_nor_refused() -> None:
    desk = register()
    desk.begin(PAY)
    desk.hear("84 9C 00")
    assert desk.hear(APPROVED) == ""
    assert desk.events == [c.Unclear("other_transaction")]


def test_a_command_that_is_taken_after_please_wait_goes_its_way() -> None:
    desk = register()
    desk.begin(PAY)
    desk.hear("84 9C 00")
    desk.hear(YES)
    assert desk.taken
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            "84 1E 01 7D",
            c.Failed("1E", "the terminal refused the command: 84 1E 7D", "terminal_fault"),
        ),
        ("84 05 00", c.Failed("05", "the terminal refused the command: 84 05", "terminal_fault")),
        ("84 37 00", c.Failed("37", "the terminal refused the command: 84 37", "terminal_fault")),
        ("84 78 00", c.Failed("78", "card expired", "terminal_fault")),
        ("84 6C 00", c.Failed("6C", "stopped at the terminal", "terminal_fault")),
        ("84 C3 00", c.Failed("C3", "above the maximum amount", "payment_restriction")),
        ("84 A0 01 7D", c.Failed("A0", "terminal not ready (84 A0 7D)", "terminal_busy")),
    ],
)
@pytest.mark.parametrize("order", [PAY, c.Refund("p1", PAY.amount)], ids=["pay", "refund"])
def test_a_refused_command_is_a_fault_before_any_card_and_never_a_decline(
    order: c.MoneyOperation, refusal: str, told: c.Failed
) -> None:
    desk = register()
    desk.begin(order)
    desk.hear(refusal)
    desk.wait()
    assert desk.events == [told]


def test_a_refusal_after_the_line_repeated_the_command_proves_nothing() -> None:
    """The terminal may be at the first one and refuse the second."""
    link = SerialLink(LinkTimers())
    desk = Register(DRIVER.dialogue(ZvtSettings(), "serial"))
    desk.begin(PAY)
    assert desk.wait().startswith("10 02 06 01")
    desk.hear(f"06 {link.send(bytes.fromhex('84A000'), 0.0).hex()}")
    while desk.wake_at is not None:
        desk.wait()
    (final,) = finals(desk.events)
    assert isinstance(final, c.Unclear)
    assert not final.not_taken


@pytest.mark.parametrize("code", ["A0", "83", "9C", "9A"])
def test_an_abort_that_may_refuse_our_stop_leaves_the_payment_open(code: str) -> None:
    desk = paying()
    desk.cancel()
    desk.hear(YES)
    assert desk.hear(f"06 1E 01 {code}") == YES
    assert finals(desk.events) == []
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


@pytest.mark.parametrize("code", ["A0", "83"])
def test_silence_after_such_an_abort_is_in_doubt(code: str) -> None:
    desk = paying()
    desk.cancel()
    desk.hear(YES)
    desk.hear(f"06 1E 01 {code}")
    desk.wait()
    assert finals(desk.events) == [c.Unclear("no_answer")]


def test_an_abort_6c_after_our_stop_in_the_unbroken_conversation_is_its_end() -> None:
    desk = paying()
    desk.cancel()
    desk.hear(YES)
    desk.hear("06 1E 01 6C")
    assert isinstance(desk.last, c.Canceled)


def test_an_approval_from_before_our_command_is_neither_taken_nor_refused() -> None:
    desk = register()
    desk.begin(PAY)
    assert desk.hear(APPROVED) == ""
    assert desk.events == [c.Unclear("other_transaction")]


def test_leftovers_of_an_older_dialogue_are_answered_and_forgotten() -> None:
    desk = register()
    desk.begin(PAY)
    assert desk.hear("06 1E 01 6C") == YES
    assert desk.hear(DONE) == YES
    desk.hear(YES)
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


# --- another amount, another currency


def approval(amount: str, currency: str = "09 78", more: str = "") -> str:
    data = f"27 00 04 {amount} 49 {currency} 87 04 71 0B 00 04 71 {more}".strip()
    return f"04 0F {len(bytes.fromhex(data)):02X} {data}"


@pytest.mark.parametrize(
    "said",
    [
        approval("00 00 00 00 20 40", currency="07 56"),
        approval("00 00 00 00 20 40", currency="09 99"),
        approval("00 00 00 00 20 41"),
        approval("00 00 00 00 20 39"),
        approval("00 00 00 00 00 00"),
        approval("00 00 00 00 20 40", more="37 00 04 70"),
        "04 0F 02 27 00",
    ],
    ids=["francs", "unknown", "more", "less", "nothing", "reversal", "no_amount"],
)
def test_an_approval_of_something_else_is_refused_and_in_doubt(said: str) -> None:
    desk = paying()
    assert desk.hear(said) == REFUSED
    assert desk.hear(DONE) == YES
    (final,) = desk.events
    assert isinstance(final, c.Unclear)


def test_a_tip_added_at_the_terminal_is_part_of_the_approval() -> None:
    desk = paying()
    tip = "06 09 1F 36 06 00 00 00 00 01 00"
    assert desk.hear(approval("00 00 00 00 21 40", more=tip)) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)
    assert desk.last.approval.amount == c.Money(2140, EUR)
    assert desk.last.approval.tip == c.Money(100, EUR)


def test_a_partial_approval_counts_only_where_it_was_asked_for() -> None:
    desk = paying(order=c.Pay("p1", c.Money(2040, EUR), accept_partial=True))
    assert desk.hear(approval("00 00 00 00 15 00")) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)
    assert desk.last.approval.amount == c.Money(1500, EUR)


def test_a_tip_that_was_ordered_explains_no_larger_amount() -> None:
    desk = paying(order=c.Pay("p1", c.Money(2040, EUR), tip=c.Money(100, EUR)))
    tip = "06 09 1F 36 06 00 00 00 00 01 00"
    assert desk.hear(approval("00 00 00 00 21 40", more=tip)) == REFUSED


def test_cash_back_is_told_in_a_field_of_its_own() -> None:
    desk = paying()
    cash = "06 09 1F 25 06 00 00 00 00 50 00"
    assert desk.hear(approval("00 00 00 00 70 40", more=cash)) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)
    assert desk.last.approval.cash_back == c.Money(5000, EUR)
    assert desk.last.approval.amount == c.Money(7040, EUR)


def test_hobex_sends_no_amount() -> None:
    desk = paying(ZvtSettings(profile="hobex"))
    assert desk.hear("04 0F 02 27 00") == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


# --- stopping


def test_cancel_asks_once_and_the_terminals_answer_decides() -> None:
    desk = paying()
    assert desk.cancel() == "06 B0 00"
    assert desk.cancel() == ""
    desk.hear(YES)
    assert desk.hear("06 1E 01 6C") == YES
    assert desk.events == [c.Canceled("cashier", "6C", "stopped at the terminal")]


def test_an_approval_that_crosses_the_cancel_counts() -> None:
    desk = paying()
    desk.cancel()
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


def test_cancel_before_the_reply_is_sent_after_it() -> None:
    desk = register()
    desk.begin(PAY)
    assert desk.cancel() == ""
    assert desk.hear(YES) == "06 B0 00"


def test_cancel_after_the_approval_is_too_late() -> None:
    desk = paying()
    desk.hear(APPROVED)
    assert desk.cancel() == ""


def test_a_cancel_that_was_heard_and_then_silence_is_in_doubt_soon() -> None:
    desk = paying()
    desk.cancel()
    desk.hear(YES)
    desk.wait()
    assert desk.last == c.Unclear("no_answer")
    assert desk.now == FIRST_AT + 30.0


def test_a_terminal_that_refuses_to_stop_has_all_the_time_it_needs() -> None:
    desk = paying()
    desk.cancel()
    assert desk.hear("84 83 00") == ""
    assert desk.wake_at == FIRST_AT + 180.0


def test_a_terminal_without_abort_is_not_bothered() -> None:
    assert paying(ZvtSettings(profile="global_payments")).cancel() == ""


# --- other orders

SALE = c.Approval(
    c.Money(2500, EUR), "x", transaction_id="0231", trace="000231", approval_code="123456"
)
HOLD = c.Approval(c.Money(2500, EUR), "x", transaction_id="0231", extra={"kind": "hold"})


@pytest.mark.parametrize(
    ("order", "sent"),
    [  # PA00P015 rev 13.08, the commands' own layouts
        (c.Authorize("r", c.Money(2500, EUR)), "06 22 0A 04 00 00 00 00 25 00 49 09 78"),
        (
            c.Capture("r", c.Money(1895, EUR), HOLD),
            "06 24 0D 87 02 31 04 00 00 00 00 18 95 49 09 78",
        ),
        (
            c.Reverse("r", HOLD, c.Money(605, EUR)),
            "06 23 0D 87 02 31 04 00 00 00 00 06 05 49 09 78",
        ),
        (c.Reverse("r", HOLD), "06 25 06 87 02 31 49 09 78"),
        (
            c.Reverse("r", SALE),
            "06 30 10 12 34 56 87 02 31 04 00 00 00 00 25 00 49 09 78",
        ),
        (
            c.Refund("r", c.Money(500, EUR)),
            "06 31 0D 12 34 56 04 00 00 00 00 05 00 49 09 78",
        ),
        (
            c.AdjustTip("r", c.Money(100, EUR), SALE),
            "06 0C 0D 87 02 31 04 00 00 00 00 01 00 49 09 78",
        ),
    ],
)
def test_every_order_has_its_command(order: c.MoneyOperation, sent: str) -> None:
    assert register(ZvtSettings(password="123456")).begin(order) == sent


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (c.Pay("r", c.Money(100, "XXX")), "payment_restriction"),
        (c.Pay("r", c.Money(0, EUR)), "invalid_amount"),
        (c.Pay("r", c.Money(10**12, EUR)), "invalid_amount"),
        (c.Reverse("r", c.Approval(c.Money(1, EUR), "x")), "original_not_found"),
        (c.Reverse("r", SALE, c.Money(100, EUR)), "operation_not_supported"),
        (c.Capture("r", c.Money(2501, EUR), HOLD), "capture_exceeds_authorized"),
    ],
)
def test_an_impossible_order_fails_before_a_byte_is_sent(
    order: c.MoneyOperation, reason: str
) -> None:
    desk = register()
    assert desk.begin(order) == ""
    (final,) = desk.events
    assert isinstance(final, c.Failed)
    assert final.reason == reason


def test_a_reversal_of_another_transaction_is_refused() -> None:
    desk = paying(order=c.Reverse("r", SALE))
    assert desk.hear(approval("00 00 00 00 25 00", more="37 00 09 99")) == REFUSED


def test_a_hold_is_remembered_as_a_hold() -> None:
    desk = paying(order=c.Authorize("r", c.Money(2500, EUR)))
    desk.hear(approval("00 00 00 00 25 00"))
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)
    assert desk.last.approval.extra["kind"] == "hold"

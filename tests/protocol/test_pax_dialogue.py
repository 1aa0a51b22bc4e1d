"""What the PAX dialogue sends and says, by literal frames; the terminal is scripted."""

import pytest

from drivers.contract import (
    AdjustTip,
    Approved,
    Authorize,
    Canceled,
    Capture,
    Declined,
    Failed,
    Money,
    Offered,
    Operation,
    Pay,
    Progress,
    ReadCard,
    Refund,
    Reverse,
    Stage,
    Step,
    TerminalEvent,
    Unclear,
)
from drivers.pax import PaxSettings
from drivers.pax.conversation.dialogue import PaxDialogue
from tests.protocol.pax_stub import (
    frame,
)
from tests.protocol.pax_talks import (
    BACK,
    HOLD,
    MOMENT,
    OLDER,
    PAY,
    PAYMENT,
    READY,
    REF,
    SALE,
    STOPPED,
    USD10,
    converse,
    final,
    result,
)


def test_a_sale_asks_as_the_captured_clients_do() -> None:
    told, sent = converse(PAY, {"T00": result()})
    assert sent == [SALE]
    assert told[0] == Progress(Stage.WAITING_FOR_CARD)
    assert isinstance(told[1], Approved)
    assert told[1].approval.fingerprint == f"5/{REF}/{MOMENT}"
    assert told[1].approval.approval_code == "123456"
    assert told[1].approval.batch == "1"


@pytest.mark.parametrize(
    ("operation", "sent"),
    [
        (Authorize(PAYMENT, USD10), f"T00|1.35|03|1000||{REF}|||||TIPREQ=0"),
        (Capture(PAYMENT, USD10, HOLD), f"T00|1.35|04|1000||{REF}^^^4|||||HREF=900004"),
        (Refund(PAYMENT, USD10), f"T00|1.35|02|1000||{REF}|||||TIPREQ=0"),
        (Refund(PAYMENT, USD10, OLDER), f"T00|1.35|02|1000||{REF}^^^4|||||HREF=900004"),
        (Reverse(PAYMENT, OLDER), f"T00|1.35|16|||{REF}^^^4|||||HREF=900004"),
        (
            AdjustTip(PAYMENT, Money(200, "USD"), OLDER),
            f"T00|1.35|06|200||{REF}^^^4|||||HREF=900004",
        ),
        (
            Pay(PAYMENT, USD10, tip=Money(150, "USD")),
            f"T00|1.35|01|850^150||{REF}|||||TIPREQ=0",
        ),
    ],
)
def test_each_operation_is_its_own_command(operation: Operation, sent: str) -> None:
    assert converse(operation, {"T00": result()})[1] == [sent]


def test_a_debit_terminal_is_asked_with_the_debit_command() -> None:
    answer = f"0|T03|1.35|000000|OK|00|01|1000|4242^4|5^{REF}^{MOMENT}|HREF=9"
    told, sent = converse(PAY, {"T02": answer}, settings=PaxSettings(tender="debit"))
    assert sent == [f"T02|1.35|01|1000||{REF}||TIPREQ=0"]
    assert isinstance(told[-1], Approved)
    assert told[-1].approval.extra["tender"] == "debit"


@pytest.mark.parametrize(
    "operation",
    [
        Pay(PAYMENT, Money(1000, "CAD")),
        Pay(PAYMENT, Money(100_000_000, "USD")),
        Pay(PAYMENT, USD10, tip=Money(1001, "USD")),
        Reverse(PAYMENT, OLDER, Money(1, "USD")),
        Authorize(PAYMENT, USD10, HOLD),
    ],
)
def test_what_it_cannot_do_is_refused_before_a_byte_is_sent(operation: Operation) -> None:
    told, sent = converse(operation, {})
    assert [type(event) for event in told] == [Failed]
    assert sent == []


@pytest.mark.parametrize(
    "operation",
    [
        Authorize(PAYMENT, USD10),
        Capture(PAYMENT, USD10, HOLD),
        AdjustTip(PAYMENT, Money(200, "USD"), OLDER),
    ],
)
def test_what_a_debit_terminal_does_not_promise_is_refused(operation: Operation) -> None:
    told, sent = converse(operation, {}, settings=PaxSettings(tender="debit"))
    assert [type(event) for event in told] == [Failed]
    assert sent == []


def test_what_has_no_script_is_unclear_and_sends_nothing() -> None:
    assert converse(ReadCard(), {}) == ([Unclear("operation_not_supported")], [])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("0|T01|1.35|000100|DECLINE|05^DECLINED", Declined("05", "DECLINED", "declined")),
        ("0|T01|1.35|000100|DECLINE", Declined("000100", "DECLINE", "declined")),
        (
            "0|T01|1.35|100003|HOST DENIED|51^NO FUNDS",
            Declined("51", "NO FUNDS", "insufficient_funds"),
        ),
        ("0|T01|1.35|100001|TIMEOUT", Canceled("timeout", "100001", "TIMEOUT")),
        ("0|T01|1.35|100002|ABORTED", Canceled("cardholder", "100002", "ABORTED")),
        ("0|T01|1.35|100023|USER ABORTED", Canceled("cardholder", "100023", "USER ABORTED")),
        ("0|T01|1.35|100007|CONNECT ERROR", Failed("100007", "CONNECT ERROR", "host_unreachable")),
        (
            result("100011|DUP TRANSACTION", reference="OTHER"),
            Failed(
                "100011",
                "refused: the same as an earlier payment at this terminal",
                "payment_restriction",
            ),
        ),
    ],
)
def test_a_no_needs_a_result_that_proves_it(answer: str, expected: TerminalEvent) -> None:
    assert final(PAY, {"T00": answer}) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "0|T01|1.35|100008|SEND ERROR",
        "0|T01|1.35|100009|RECEIVE ERROR",
        "0|T01|1.35|100010|COMM ERROR",
        "0|T01|1.35|103000|DUPLICATE AT HOST",
        "0|T01|1.35|199999|TERMINAL ERROR",
        "0|T01|1.35|100023|UNKNOWN",
        "0|T01|1.35|777777|NEVER HEARD OF",
        "0|T01|1.35|100011|DUP TRANSACTION",
        result("000000|OK", "05^DECLINED"),
        result("000100|DECLINE", "00^APPROVAL"),
        result("000100|DECLINE", "00^APPROVAL", amount=""),
        result(amount=""),
        result(amount="0"),
        "EOT",
        "",
        "not an answer at all",
    ],
)
def test_everything_else_is_unknown(answer: str) -> None:
    assert isinstance(final(PAY, {"T00": answer}), Unclear)


def test_a_duplicate_with_our_reference_is_our_own_payment() -> None:
    answer = result("100011|DUP TRANSACTION")
    approved = final(PAY, {"T00": answer})
    assert isinstance(approved, Approved)
    assert approved.approval.fingerprint == f"5/{REF}/{MOMENT}"


def test_a_tip_that_was_added_at_the_terminal_is_part_of_the_amount() -> None:
    approved = final(PAY, {"T00": result(amount="1150^0^150")})
    assert isinstance(approved, Approved)
    assert (approved.approval.amount.minor, approved.approval.tip) == (1150, Money(150, "USD"))


def test_somebody_elses_answer_is_not_ours() -> None:
    assert final(PAY, {"T00": result(reference="OTHER")}) == Unclear("given_up")


def test_an_answer_before_the_acknowledgement_is_an_older_one() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    stale = dialogue.receive(frame("0|T01|1.35|100002|ABORTED"), 0)
    assert stale.events == ()
    dialogue.receive(b"\x06", 0)
    dialogue.committed(0)
    approved = dialogue.receive(frame(result()), 1)
    assert isinstance(approved.events[-1], Approved)


def test_an_answer_with_our_reference_makes_up_for_a_lost_acknowledgement() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    assert isinstance(dialogue.receive(frame(result()), 1).events[-1], Approved)


def test_the_result_is_acknowledged_only_after_it_was_stored() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    step = dialogue.receive(b"\x06" + frame(result()), 1)
    assert step.send == b""
    assert dialogue.committed(1) == Step(send=b"\x06")
    refused = PaxDialogue(PaxSettings(), "tcp")
    refused.begin(PAY, 0)
    refused.receive(b"\x06" + frame(result()), 1)
    assert refused.not_committed(1) == Step()


def test_a_payment_is_never_sent_again_after_silence() -> None:
    told, sent = converse(PAY, {"T00": ""})
    assert sent == [SALE]
    assert told[-1] == Unclear("no_answer")
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    step = dialogue.begin(PAY, 0)
    assert step.wake_at == 3.0
    step = dialogue.timeout(3.0)
    assert step.events == (Unclear("no_answer"),)
    assert step.send == b""


def test_a_damaged_result_is_asked_for_again_and_the_payment_is_not() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    dialogue.receive(b"\x06", 0)
    dialogue.committed(0)
    damaged = frame(result())[:-1] + b"\x00"
    assert dialogue.receive(damaged, 1).send == b"\x15"
    assert dialogue.receive(damaged, 2).send == b"\x15"
    assert dialogue.receive(damaged, 3).events == (Unclear("unreadable"),)


def test_a_cancel_is_sent_once_and_its_own_end_is_not_the_payments() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    dialogue.receive(b"\x06", 0)
    dialogue.committed(0)
    assert dialogue.cancel(1).send == frame("A14|1.35|")
    assert dialogue.cancel(2).send == b""
    assert dialogue.receive(b"\x06" + frame(STOPPED) + b"\x04", 2).events == ()
    step = dialogue.receive(frame("0|T01|1.35|100002|ABORTED"), 3)
    assert step.events == (Canceled("cashier", "100002", "ABORTED"),)


def test_the_end_of_a_cancel_does_not_end_the_wait_for_the_payment() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    dialogue.receive(b"\x06", 0)
    dialogue.committed(0)
    assert dialogue.cancel(1).wake_at == 31.0
    assert dialogue.receive(b"\x06\x04", 2).wake_at == 31.0
    assert isinstance(dialogue.receive(frame(result()), 20).events[0], Approved)


def test_a_cancel_that_nobody_answers_ends_in_doubt() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    dialogue.receive(b"\x06", 0)
    dialogue.committed(0)
    dialogue.cancel(1)
    assert dialogue.timeout(31.0).events == (Unclear("no_answer"),)


def test_a_late_end_of_the_exchange_before_does_not_end_this_one() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    dialogue.receive(b"\x06\x04", 0)
    assert dialogue.committed(0).wake_at == 2.0
    assert isinstance(dialogue.receive(frame(result()), 1).events[0], Approved)


def test_a_cancel_before_the_acknowledgement_follows_it() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    assert dialogue.cancel(0).send == b""
    assert dialogue.receive(b"\x06", 1).send == frame("A14|1.35|")


def test_a_serial_line_is_greeted_first_and_silence_then_proves_that_nothing_was_sent() -> None:
    told, sent = converse(PAY, {"A00": READY, "T00": result()}, serial=True)
    assert sent == ["A00|1.35|", SALE]
    assert isinstance(told[-1], Approved)
    told, sent = converse(PAY, {}, serial=True)
    assert set(sent) == {"A00|1.35|"}
    assert told == [Failed("no_answer", "the payment was not sent", "terminal_offline")]


PART = result("000002|PARTIAL APPROVAL", "10^PARTIAL", amount="400^600")


def test_a_part_is_kept_when_it_is_welcome() -> None:
    approved = final(Pay(PAYMENT, USD10, accept_partial=True), {"T00": PART})
    assert isinstance(approved, Approved)
    assert approved.approval.amount.minor == 400


def test_a_part_that_is_not_welcome_is_stored_and_voided() -> None:
    void = result(kind="16", amount="", reference=BACK)
    told, sent = converse(PAY, {"T00 01": PART, "T00 16": void})
    assert sent == [SALE, f"T00|1.35|16|||{BACK}^^^5|||||HREF=900005"]
    assert [type(event) for event in told] == [Progress, Offered, Progress, Declined]


@pytest.mark.parametrize(
    ("void", "expected"),
    [
        ("0|T01|1.35|000100|DECLINE", Approved),
        ("0|T01|1.35|100021|ALREADY VOIDED", Unclear),
        ("0|T01|1.35|199999|TERMINAL ERROR", Unclear),
        ("", Unclear),
    ],
)
def test_a_part_is_taken_until_its_void_is_proven(void: str, expected: type) -> None:
    assert type(final(PAY, {"T00 01": PART, "T00 16": void})) is expected


def test_the_repeated_answer_to_the_payment_is_not_the_answer_to_its_void() -> None:
    nameless = PART.replace(REF, "")
    told, _ = converse(PAY, {"T00 01": nameless, "T00 16": nameless})
    assert isinstance(told[-1], Unclear)


def test_a_part_that_could_not_be_stored_is_not_voided() -> None:
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(PAY, 0)
    dialogue.receive(b"\x06" + frame(PART), 1)
    step = dialogue.not_committed(1)
    assert step.send == b""
    assert isinstance(step.events[0], Unclear)

"""Diagnosis and the last transaction, frame by frame, over TCP."""

from __future__ import annotations

import pytest

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from tests.protocol.test_zvt_dialogue import APPROVED, DONE, FINGERPRINT, YES, Register, register

REVERSED = "04 0F 19 27 00 04 00 00 00 00 25 00 49 09 78 37 00 02 31 87 02 32 0B 00 02 32 06 00"


def diagnosing(settings: ZvtSettings | None = None) -> Register:
    desk = register(settings)
    desk.begin(c.Diagnose())
    assert desk.hear(YES) == ""
    return desk


def asked_for_the_last() -> Register:
    desk = register()
    assert desk.begin(c.ReadLast()) == "06 20 05 00 00 00 03 03"
    assert desk.hear(YES) == ""
    return desk


def test_a_diagnosis_passes_with_what_the_terminal_says_of_itself() -> None:
    desk = register()
    assert desk.begin(c.Diagnose()) == "06 70 00"
    assert desk.hear(YES) == ""
    assert desk.hear("04 01 08 AA 26 11 23 0C 12 00 00") == YES
    assert desk.hear("06 D1 05 81 4F 4B 21 21") == YES
    assert desk.hear("06 0F 0F AA 26 11 23 0C 12 00 00 19 00 29 28 00 48 69") == YES
    assert desk.wake_at is None
    assert desk.events[0] == c.Receipt("administration", ("OK!!",))
    facts = {"terminal_id": "28004869", "date": "261123", "time": "120000"}
    assert desk.last == c.Diagnosis(passed=True, facts=facts)


@pytest.mark.parametrize(
    ("end", "passed", "facts"),
    [
        (DONE, True, {}),
        ("06 0F 02 27 9B", False, {"code": "9B"}),
        ("06 1E 01 A3", False, {"code": "A3"}),
    ],
)
def test_a_self_test_tells_whether_the_terminal_found_a_fault(
    end: str, passed: bool, facts: dict[str, str]
) -> None:
    desk = register()
    assert desk.begin(c.SelfTest()) == "06 79 00"
    assert desk.hear(YES) == ""
    assert desk.hear("06 D1 05 81 4F 4B 21 21") == YES
    assert desk.hear(end) == YES
    assert isinstance(desk.last, c.Diagnosis)
    assert (desk.last.passed, desk.last.facts) == (passed, facts)


def test_the_kind_of_diagnosis_is_a_setting() -> None:
    desk = register(ZvtSettings(diagnosis_type=1))
    assert desk.begin(c.Diagnose()) == "06 70 05 06 03 1B 01 01"
    with pytest.raises(ValueError, match="diagnosis_type"):
        ZvtSettings(diagnosis_type=6)


def test_what_is_still_to_be_done_is_a_diagnosis_that_did_not_pass() -> None:
    desk = diagnosing()
    assert desk.hear("06 0F 02 19 03") == YES
    assert desk.last == c.Diagnosis(
        passed=False, text="initialization required; diagnosis required"
    )


@pytest.mark.parametrize(
    ("end", "passed", "facts"),
    [
        ("06 0F 02 27 9B", False, {"code": "9B"}),
        ("06 0F 02 27 E0", True, {"code": "E0"}),
        ("06 0F 02 27 00", True, {"code": "00"}),
        ("06 1E 01 A3", False, {"code": "A3"}),
        ("06 1E 00", False, {}),
    ],
)
def test_every_end_of_a_diagnosis_is_an_answer(
    end: str, passed: bool, facts: dict[str, str]
) -> None:
    desk = diagnosing()
    assert desk.hear(end) == YES
    assert isinstance(desk.last, c.Diagnosis)
    assert (desk.last.passed, desk.last.facts) == (passed, facts)


def test_a_failed_diagnosis_is_told_in_the_terminals_words() -> None:
    desk = diagnosing()
    assert desk.hear("06 1E 0C A3 06 09 24 07 07 05 48 65 6C 6C 6F") == YES
    assert desk.last == c.Diagnosis(passed=False, text="Hello", facts={"code": "A3"})


def test_a_stopped_diagnosis_says_nothing_about_the_line() -> None:
    desk = diagnosing()
    assert desk.cancel() == "06 B0 00"
    assert desk.hear(YES) == ""
    assert desk.hear("06 1E 01 6C") == YES
    assert isinstance(desk.last, c.Canceled)


@pytest.mark.parametrize("operation", [c.Diagnose(), c.SelfTest()])
def test_a_terminal_without_the_command_has_failed_and_not_been_diagnosed(
    operation: c.TerminalOperation,
) -> None:
    desk = register()
    desk.begin(operation)
    assert desk.hear("84 83 00") == ""
    assert desk.last == c.Failed("83", "function not possible", "operation_not_supported")


def test_a_silent_diagnosis_is_no_answer() -> None:
    desk = diagnosing()
    desk.wait()
    assert desk.last == c.Unclear("no_answer")


def test_the_last_transaction_is_told_as_it_was_approved() -> None:
    desk = asked_for_the_last()
    assert desk.hear(APPROVED) == YES
    assert desk.hear(DONE) == YES
    assert isinstance(desk.last, c.LastTransaction)
    assert desk.last.approval is not None
    assert desk.last.approval.amount == c.Money(2040, "EUR")
    assert desk.last.approval.fingerprint == FINGERPRINT
    assert not any(isinstance(event, (c.Approved, c.Offered)) for event in desk.events)


def test_a_last_transaction_that_was_a_reversal_names_its_original() -> None:
    desk = asked_for_the_last()
    desk.hear(REVERSED)
    desk.hear(DONE)
    assert isinstance(desk.last, c.LastTransaction)
    assert desk.last.approval is not None
    assert desk.last.approval.extra["original_trace"] == "000231"


def test_an_empty_memory_is_no_transaction() -> None:
    desk = asked_for_the_last()
    assert desk.hear(DONE) == YES
    assert desk.last == c.LastTransaction(None, "the terminal tells no transaction")


def test_a_last_transaction_that_was_declined_is_no_approval() -> None:
    desk = asked_for_the_last()
    assert desk.hear("04 0F 02 27 05") == YES
    assert desk.hear(DONE) == YES
    assert desk.last == c.LastTransaction(None, "declined")


@pytest.mark.parametrize(
    "told",
    [
        "04 0F 07 04 00 00 00 00 20 40",
        "04 0F 02 27 00",
        "04 0F 0C 27 00 04 00 00 00 00 20 40 49 09 99",
    ],
    ids=["no_result", "no_amount", "unknown_currency"],
)
def test_a_last_transaction_that_cannot_be_read_is_unclear(told: str) -> None:
    desk = asked_for_the_last()
    assert desk.hear(told) == YES
    assert desk.hear(DONE) == YES
    assert isinstance(desk.last, c.Unclear)


def test_what_a_terminal_cannot_do_is_not_among_its_capabilities() -> None:
    able = DRIVER.capabilities(ZvtSettings()).operations
    assert {"diagnose", "last_transaction"} <= able
    unable = DRIVER.capabilities(ZvtSettings(repeat_receipt_usable=False, diagnosis_usable=False))
    assert not {"diagnose", "last_transaction"} & unable.operations

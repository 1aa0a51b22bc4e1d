"""Message sequence ids: what the register says with them, and what it makes of wrong ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers import contract as c
from drivers.zvt import ZvtSettings
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.sequence import following, is_newer, sequence_of
from drivers.zvt.conversation.numbering import Numbering
from tests.protocol.test_zvt_dialogue import (
    APPROVED,
    DONE,
    FINGERPRINT,
    PAY,
    YES,
    Register,
    register,
)
from tests.protocol.test_zvt_inquiry import IDLE, LOGGED_ON, OLDER, SAME

NUMBERED = ZvtSettings(sequence_ids=True)
LOG_ON = "06 00 14 00 00 00 BE 09 78 06 0C 26 04 0A 02 06 D3 1F 73 03 00 00 00"
AGREED = f"{LOGGED_ON.replace('06 0F 0A', '06 0F 12')} 06 06 1F 73 03 00 00 00"


def with_number(apdu: str, number: int) -> str:
    message = decode(bytes.fromhex(apdu))
    assert not isinstance(message, m.Unknown)
    return encode(message, "cp437", number).hex(" ").upper()


def yes(number: int) -> str:
    return with_number(YES, number)


def logged_on(operation: c.Operation = PAY) -> Register:
    """Return a register that has sent its command with number 1 and has not heard a reply."""
    desk = register(NUMBERED)
    assert desk.begin(operation) == LOG_ON
    assert desk.hear(YES) == ""
    desk.hear(AGREED)
    return desk


def paying() -> Register:
    desk = logged_on()
    assert desk.hear(yes(1)) == ""
    return desk


def test_a_payment_with_numbers_registers_first_and_numbers_everything() -> None:
    desk = logged_on()
    pay = "06 01 12 04 00 00 00 00 20 40 49 09 78 06 06 1F 73 03 00 00 01"
    assert desk.sent[-1] == f"{yes(0)} {pay}"
    assert desk.hear(yes(1)) == ""
    assert desk.hear(with_number("04 FF 01 0A", 2)) == yes(2)
    assert desk.hear(with_number("06 D1 05 81 41 42 43 44", 3)) == yes(3)
    assert desk.hear(with_number(APPROVED, 4)) == yes(4)
    assert desk.hear(with_number(DONE, 5)) == yes(5)
    assert desk.events[1] == c.Receipt("administration", ("ABCD",))
    assert isinstance(desk.last, c.Approved)
    assert desk.wake_at is None


def test_a_terminal_that_counts_its_own_commands_is_understood_too() -> None:
    desk = paying()
    assert desk.hear(with_number("04 FF 01 0A", 1)) == yes(1)
    assert desk.hear(with_number(APPROVED, 2)) == yes(2)
    assert desk.hear(with_number(DONE, 3)) == yes(3)
    assert isinstance(desk.last, c.Approved)


def test_a_terminal_that_does_not_agree_is_talked_to_without_numbers() -> None:
    desk = register(NUMBERED)
    desk.begin(PAY)
    desk.hear(YES)
    assert desk.hear(LOGGED_ON) == f"{YES} 06 01 0A 04 00 00 00 00 20 40 49 09 78"
    desk.hear(YES)
    assert desk.hear(APPROVED) == YES
    assert desk.hear(DONE) == YES
    assert isinstance(desk.last, c.Approved)


@pytest.mark.parametrize("number", [None, 0, 2, 999_999], ids=str)
def test_a_refusal_with_another_number_proves_nothing(number: int | None) -> None:
    desk = logged_on()
    refusal = "84 05 00"
    assert desk.hear(refusal if number is None else with_number(refusal, number)) == ""
    assert desk.events == []
    desk.wait()
    assert desk.last == c.Unclear("no_answer")


@pytest.mark.parametrize("number", [None, 0, 2, 3], ids=str)
def test_an_approval_with_another_number_is_neither_accepted_nor_refused(
    number: int | None,
) -> None:
    desk = paying()
    assert desk.hear(with_number("04 FF 01 0A", 3)) == yes(3)
    assert desk.hear(APPROVED if number is None else with_number(APPROVED, number)) == ""
    assert not any(isinstance(event, c.Offered) for event in desk.events)
    desk.wait()
    assert desk.last == c.Unclear("no_answer")


@pytest.mark.parametrize("end", [DONE, "06 1E 01 6C"])
@pytest.mark.parametrize("number", [None, 4], ids=str)
def test_an_end_with_another_number_ends_nothing(end: str, number: int | None) -> None:
    desk = paying()
    desk.hear(with_number("04 FF 01 0A", 4))
    assert desk.hear(end if number is None else with_number(end, number)) == ""
    assert desk.hear(with_number(APPROVED, 5)) == yes(5)
    assert desk.hear(with_number(DONE, 6)) == yes(6)
    assert isinstance(desk.last, c.Approved)


def test_what_decides_nothing_is_answered_without_a_number_too() -> None:
    desk = paying()
    assert desk.hear("04 FF 01 0A") == YES
    assert desk.events == []


def test_a_repeated_approval_gets_the_reply_it_had_and_counts_once() -> None:
    desk = paying()
    approval = with_number(APPROVED, 2)
    assert desk.hear(approval) == yes(2)
    assert desk.hear(approval) == yes(2)
    assert desk.hear(with_number(DONE, 3)) == yes(3)
    assert [type(event) for event in desk.events] == [c.Offered, c.Approved]


def test_a_repeated_line_is_printed_once() -> None:
    desk = paying()
    line = with_number("06 D1 05 00 41 42 43 44", 2)
    assert [desk.hear(line), desk.hear(line)] == [yes(2), yes(2)]
    desk.hear(with_number("06 1E 01 6C", 3))
    assert desk.events[0] == c.Receipt("administration", ("ABCD",))


def test_an_abort_takes_the_number_after_everything_that_was_said() -> None:
    desk = paying()
    desk.hear(with_number("04 FF 01 0A", 2))
    assert desk.cancel() == with_number("06 B0 00", 3)
    assert desk.hear(yes(3)) == ""
    assert desk.hear(with_number("06 1E 01 6C", 4)) == yes(4)
    assert isinstance(desk.last, c.Canceled)


# --- before the command


@pytest.mark.parametrize("refusal", ["84 6B 00", "84 A0 00", "84 9C 00"])
def test_a_refused_registration_is_proof_that_nothing_was_sent(refusal: str) -> None:
    desk = register(NUMBERED)
    desk.begin(PAY)
    assert desk.hear(refusal) == ""
    assert isinstance(desk.last, c.Failed)
    assert desk.last.code == "not_sent"


def test_an_aborted_registration_is_proof_that_nothing_was_sent() -> None:
    desk = register(NUMBERED)
    desk.begin(PAY)
    desk.hear(YES)
    assert desk.hear("06 1E 00") == YES
    assert isinstance(desk.last, c.Failed)


def test_a_silent_or_lost_line_before_the_command_is_proof_that_nothing_was_sent() -> None:
    silent, lost = register(NUMBERED), register(NUMBERED)
    silent.begin(PAY)
    silent.wait()
    lost.begin(PAY)
    lost.lose_line()
    for desk in (silent, lost):
        assert isinstance(desk.last, c.Failed)
        assert (desk.last.code, desk.last.reason) == ("not_sent", "terminal_offline")


def test_a_cancel_before_the_command_keeps_it_from_being_sent() -> None:
    desk = register(NUMBERED)
    desk.begin(PAY)
    assert desk.cancel() == ""
    desk.hear(YES)
    assert desk.hear(AGREED) == yes(0)
    assert desk.last == c.Canceled("cashier", text="before it was sent")


def test_an_older_approval_is_left_alone_by_a_registration() -> None:
    desk = register(NUMBERED)
    desk.begin(PAY)
    assert desk.hear("06 1E 01 6C") == YES
    assert desk.hear("04 0F 02 27 05") == YES
    assert desk.hear(APPROVED) == ""
    assert desk.last == c.Failed(
        "not_sent", "a transaction of an older conversation is open", "terminal_busy"
    )


# --- afterwards


def test_an_inquiry_registers_before_it_asks_anything_else() -> None:
    desk = register(replace(NUMBERED, keypad_stays_locked=True))
    assert desk.begin(c.Inquire(PAY, OLDER)) == "06 B0 00"
    assert desk.hear(YES) == LOG_ON
    assert desk.hear(YES) == ""
    assert desk.hear(AGREED) == f"{yes(0)} {with_number('05 01 00', 1)}"
    desk.hear(yes(1))
    idle = "06 0F 09 00 06 06 1F 73 03 00 00 02"
    assert desk.hear(idle) == f"{yes(2)} {with_number('06 20 05 00 00 00 03 03', 3)}"
    desk.hear(yes(3))
    assert desk.hear(with_number(APPROVED, 4)) == yes(4)
    desk.hear(with_number(DONE, 5))
    assert isinstance(desk.last, c.Approved)
    assert desk.last.approval.fingerprint == FINGERPRINT


def test_an_inquiry_answers_an_old_conversation_with_its_own_numbers() -> None:
    desk = register(NUMBERED)
    desk.begin(c.Inquire(PAY, OLDER))
    assert desk.hear(with_number(APPROVED, 77)) == yes(77)
    assert desk.hear(with_number(DONE, 78)) == yes(78)
    assert isinstance(desk.last, c.Approved)


def test_an_inquiry_waits_while_the_registration_is_not_taken_yet() -> None:
    desk = register(NUMBERED)
    desk.begin(c.Inquire(PAY, SAME))
    assert desk.hear(YES) == LOG_ON
    assert desk.hear("84 A0 00") == ""
    assert desk.wait() == LOG_ON
    for _ in range(3):
        desk.hear("84 A0 00")
        desk.wait()
    desk.hear("84 A0 00")
    assert isinstance(desk.last, c.StillRunning)


def test_an_inquiry_of_a_silent_terminal_has_no_answer() -> None:
    desk = register(NUMBERED)
    desk.begin(c.Inquire(PAY, SAME))
    for _ in range(20):
        if desk.wake_at is not None:
            desk.wait()
    assert desk.last == c.Unclear("no_answer")


def test_a_question_that_an_old_approval_overtook_is_asked_again() -> None:
    desk = register()
    desk.begin(c.Inquire(PAY, OLDER))
    assert desk.hear(YES) == "05 01 00"
    assert desk.hear(APPROVED) == YES
    desk.wait()
    assert desk.sent[-1] == "05 01 00"
    desk.hear(YES)
    assert desk.hear(IDLE).startswith(f"{YES} 06 00")


# --- the numbers themselves


def test_the_last_number_is_followed_by_the_first() -> None:
    assert [following(0), following(1), following(999_999)] == [1, 2, 1]
    assert is_newer(1, 999_999)
    assert is_newer(2, 1)
    assert not is_newer(1, 2)
    assert not is_newer(5, 5)
    assert not is_newer(0, 999_999)


def test_our_number_comes_after_both_sides() -> None:
    numbers = Numbering()
    assert numbers.next() is None
    numbers.agree(bytes.fromhex("060f0806061f7303999998"))
    assert numbers.agreed
    assert numbers.next() == 999_999
    assert numbers.classify(bytes.fromhex(with_number("04 FF 01 0A", 1))) == "ours"
    assert numbers.next() == 2


@pytest.mark.parametrize(
    "apdu", ["8000051f7303", "8000061f73030000", "8000081f730300000f", "800000"]
)
def test_what_is_no_number_is_none(apdu: str) -> None:
    assert sequence_of(bytes.fromhex(apdu)) is None


def test_a_number_behind_an_unknown_field_is_found() -> None:
    assert sequence_of(bytes.fromhex("040f0c2700440106061f7303000123")) == 123

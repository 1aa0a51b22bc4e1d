"""What the register concludes about an order whose conversation broke off, and what it probes."""

from __future__ import annotations

import pytest

from drivers import contract as c
from drivers.zvt import ZvtSettings
from tests.protocol.test_zvt_dialogue import (
    APPROVED,
    DONE,
    FINGERPRINT,
    PAY,
    YES,
    Register,
    register,
)

INSERT_CARD = "04 FF 01 0A"
STOP, HOW_ARE_YOU = "06 B0 00", "05 01 00"
LOG_ON = "06 00 0E 00 00 00 BE 09 78 06 06 26 04 0A 02 06 D3"
LAST, TOTALS = "06 20 05 00 00 00 03 03", "06 10 03 00 00 00"
IDLE, BUSY = "06 0F 01 00", "06 0F 01 9C"
LOGGED_ON = "06 0F 0A 19 00 29 28 00 48 69 49 09 78"
OLDER = c.Baseline("28004869:0469:000469:1006:221500:990")
SAME = c.Baseline(FINGERPRINT)
EMPTY = c.Baseline("")
NO_TURNOVER = f"04 0F 40 04 {'00 ' * 6}60 F0 F5 F3 {'00 ' * 53}".strip()
TURNOVER = NO_TURNOVER.replace("60 F0 F5 F3 00 00 00 00 00", "60 F0 F5 F3 00 00 00 00 01")


def asking(
    baseline: c.Baseline | None,
    offer: c.Approval | None = None,
    about: c.MoneyOperation = PAY,
    settings: ZvtSettings | None = None,
) -> Register:
    desk = register(settings)
    assert desk.begin(c.Inquire(about, baseline, offer)) == STOP
    return desk


def asked_until_last(desk: Register) -> Register:
    assert desk.hear(YES) == HOW_ARE_YOU
    assert desk.hear(YES) == ""
    assert desk.hear(IDLE) == f"{YES} {LOG_ON}"
    assert desk.hear(YES) == ""
    assert desk.hear(LOGGED_ON) == f"{YES} {LAST}"
    assert desk.hear(YES) == ""
    return desk


def offer(fingerprint: str = FINGERPRINT) -> c.Approval:
    return c.Approval(c.Money(2040, "EUR"), fingerprint, approval_code="kept")


OTHER_AMOUNT = APPROVED.replace("20 40 0B", "20 41 0B")
FRANCS = APPROVED.replace("49 09 78", "49 07 56")
REVERSED = APPROVED.replace("04 0F 1F", "04 0F 23") + " 37 00 04 69"
DECLINED = APPROVED.replace("27 00", "27 05")
NO_RESULT = APPROVED.replace("04 0F 1F 27 00", "04 0F 1D")
OTHER_TERMINAL = APPROVED.replace("29 28 00 48 69", "29 28 00 48 70")
OTHER_TIME = APPROVED.replace("0C 22 39 53", "0C 22 39 54")
LOCKED = ZvtSettings(keypad_stays_locked=True)
WITH_TIP = (
    "04 0F 2A 27 00 04 00 00 00 00 21 40 0B 00 04 70 0C 22 39 53 0D 10 06"
    " 29 28 00 48 69 49 09 78 87 04 70 06 09 1F 36 06 00 00 00 00 01 00"
)
LESS = APPROVED.replace("20 40 0B", "10 00 0B")


@pytest.mark.parametrize("baseline", [OLDER, EMPTY], ids=["older", "empty"])
@pytest.mark.parametrize("about", [PAY, c.Authorize("r", PAY.amount), c.Refund("r", PAY.amount)])
@pytest.mark.parametrize("taken", [True, False, None])
def test_what_may_have_been_typed_in_at_the_terminal_is_shown_and_not_told_as_ours(
    taken: bool | None, about: c.MoneyOperation, baseline: c.Baseline
) -> None:
    desk = register()
    desk.begin(c.Inquire(about, baseline, taken=taken))
    asked_until_last(desk)
    desk.hear(APPROVED)
    desk.hear(DONE)
    (final,) = desk.events
    assert isinstance(final, c.Unclear)
    assert final.reason == "not_provably_ours"
    assert final.seen is not None
    assert (final.seen.amount, final.seen.fingerprint) == (c.Money(2040, "EUR"), FINGERPRINT)


@pytest.mark.parametrize(
    ("memory_asked", "showed_stage", "locked", "ours"),
    [
        (False, False, False, True),  # the old dialogue's own result
        (True, True, False, True),  # it is at a payment, and this is how it ends
        (True, False, True, True),  # nobody else can type one in
        (True, False, False, False),  # it may answer what a life before this one asked
    ],
)
def test_an_answer_to_an_earlier_question_is_not_told_as_the_old_dialogues_result(
    memory_asked: bool, showed_stage: bool, locked: bool, ours: bool
) -> None:
    desk = register(LOCKED if locked else None)
    desk.begin(c.Inquire(PAY, OLDER, memory_asked=memory_asked))
    if showed_stage:
        assert desk.hear(INSERT_CARD) == YES
        desk.events.clear()
    desk.hear(APPROVED)
    if ours:
        (offered,) = desk.events
        assert isinstance(offered, c.Offered)
    else:
        (final,) = desk.events
        assert isinstance(final, c.Unclear)
        assert final.reason == "not_provably_ours"
        assert final.seen is not None
        assert final.seen.amount == c.Money(2040, "EUR")


@pytest.mark.parametrize(
    ("settings", "locked"),
    [
        (ZvtSettings(), False),
        (ZvtSettings(keypad_stays_locked=True), True),
        (ZvtSettings(keypad_stays_locked=True, config_byte=0xAE), False),
        (ZvtSettings(profile="card_complete"), True),
        (ZvtSettings(profile="card_complete", keypad_stays_locked=False), False),
    ],
)
def test_the_memory_is_proof_only_where_nobody_else_can_ever_start_a_payment(
    settings: ZvtSettings, locked: bool
) -> None:
    desk = asking(OLDER, settings=settings)
    for apdu in (YES, YES, IDLE, YES, LOGGED_ON, YES, APPROVED, DONE):
        desk.hear(apdu)
    assert isinstance(desk.last, c.Approved) is locked


@pytest.mark.parametrize("told", [WITH_TIP, OTHER_AMOUNT, LESS], ids=["tip", "more", "less"])
def test_a_reading_of_the_memory_matches_exactly_or_not_at_all(told: str) -> None:
    """A tip that it names is in its own conversation an explanation, here it may be anybody's."""
    desk = asked_until_last(asking(OLDER, settings=LOCKED))
    desk.hear(told)
    desk.hear(DONE)
    (final,) = desk.events
    assert isinstance(final, c.Unclear)
    assert final.seen is None


def test_a_part_that_was_allowed_matches() -> None:
    about = c.Pay("r", PAY.amount, accept_partial=True)
    desk = asked_until_last(asking(OLDER, about=about, settings=LOCKED))
    desk.hear(LESS)
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)
    assert desk.last.approval.amount == c.Money(1000, "EUR")


def test_a_transaction_from_before_the_baseline_is_not_the_payment() -> None:
    """By the terminal's own clock: the baseline is of 6 October, 22:15, this one of 22:14."""
    desk = asked_until_last(asking(OLDER, settings=LOCKED))
    desk.hear(APPROVED.replace("0C 22 39 53", "0C 22 14 59"))
    desk.hear(DONE)
    assert isinstance(desk.last, c.Unclear)


def test_a_new_years_night_is_no_step_backwards() -> None:
    december = c.Baseline("28004869:0469:000469:1231:235500:990")
    desk = asked_until_last(asking(december, settings=LOCKED))
    desk.hear(APPROVED.replace("0D 10 06", "0D 01 01"))
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


@pytest.mark.parametrize("about", ["reverse", "capture", "tip"])
def test_a_follow_up_is_known_by_the_original_that_it_names(about: str) -> None:
    original = c.Approval(c.Money(2040, "EUR"), "f", transaction_id="0469", trace="000469")
    orders: dict[str, c.MoneyOperation] = {
        "reverse": c.Reverse("r", original),
        "capture": c.Capture("r", c.Money(2040, "EUR"), original),
        "tip": c.AdjustTip("r", c.Money(2040, "EUR"), original),
    }
    for named, told in ((REVERSED, c.Approved), (REVERSED.replace("04 69", "04 11"), c.Unclear)):
        desk = asked_until_last(
            asking(c.Baseline("28004869:0468:000468:1006:221500:990"), about=orders[about])
        )
        desk.hear(named)
        desk.hear(DONE)
        assert isinstance(desk.last, told)


# --- what is a no


ABORTS = ["06 1E 01 6C", "06 1E 01 A0", "06 1E 01 83", "06 1E 00", "06 1E 01 05"]
NOTHING_TOLD = [[YES, DONE], ["84 83 00"], [YES, "06 1E 01 64"], [YES, "06 1E 01 A0"]]


@pytest.mark.parametrize("abort", ABORTS)
@pytest.mark.parametrize("late", [False, True], ids=["at_once", "after_we_went_on"])
@pytest.mark.parametrize("nothing", NOTHING_TOLD)
@pytest.mark.parametrize(
    "about",
    [PAY, c.Refund("r", PAY.amount), c.Reverse("r", c.Approval(PAY.amount, "f", trace="000469"))],
    ids=["pay", "refund", "void"],
)
@pytest.mark.parametrize("baseline", [OLDER, EMPTY, None], ids=["older", "empty", "none"])
def test_an_abort_after_our_stop_and_an_empty_memory_are_no_proof(
    abort: str,
    late: bool,
    nothing: list[str],
    about: c.MoneyOperation,
    baseline: c.Baseline | None,
) -> None:
    desk = register()
    desk.begin(c.Inquire(about, baseline, taken=True))
    desk.hear(YES)
    if late:
        desk.hear(YES)
    desk.hear(abort)
    if not late:
        desk.hear(YES)
    for apdu in (IDLE, YES, LOGGED_ON, *nothing):
        desk.hear(apdu)
    while desk.wake_at is not None:
        desk.wait()
    assert isinstance(desk.last, c.Unclear)


def test_an_abort_that_came_late_does_not_keep_a_ready_terminal_from_its_proof() -> None:
    desk = asking(SAME)
    desk.hear(YES)
    desk.hear(YES)
    assert desk.hear("06 1E 01 6C") == YES
    for apdu in (IDLE, YES, LOGGED_ON, YES, APPROVED, DONE):
        desk.hear(apdu)
    assert desk.last == c.Failed(
        "not_executed", "the terminal is idle, its last transaction is the old one"
    )


@pytest.mark.parametrize(
    "status",
    [[YES, "06 0F 01 CC"], [YES, DONE], [YES, "06 1E 01 9A", YES, "06 1E 01 9A"]],
    ids=["printer", "bare", "abort"],
)
def test_an_old_transaction_of_a_terminal_that_is_not_ready_is_no_proof(status: list[str]) -> None:
    desk = asking(SAME)
    desk.hear(YES)
    for apdu in status:
        desk.hear(apdu)
        if apdu.startswith("06 1E") and "05 01" not in desk.sent[-1] and desk.wake_at is not None:
            while "06 00" not in desk.sent[-1] and "05 01" not in desk.sent[-1]:
                desk.wait()
    for apdu in (YES, LOGGED_ON, YES, APPROVED, DONE):
        desk.hear(apdu)
    if desk.wake_at is not None:  # it told no status: only a long silence shows that it is idle
        desk.hear("04 FF 01 0A")
        desk.wait()
    assert isinstance(desk.last, c.Unclear)


def test_a_status_that_is_told_like_a_result_is_no_approval_of_ours() -> None:
    desk = asking(OLDER, settings=ZvtSettings(profile="hobex", keypad_stays_locked=True))
    desk.hear(YES)
    desk.hear(YES)
    assert desk.hear("04 0F 02 27 00") == YES
    assert desk.events == []


def test_different_readings_of_one_memory_prove_nothing() -> None:
    desk = asked_until_last(asking(SAME, settings=LOCKED))
    desk.hear(OTHER_AMOUNT)
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert isinstance(desk.last, c.Unclear)


# --- after 84 9C


def after_please_wait(baseline: c.Baseline | None, *before: str) -> Register:
    desk = register()
    assert desk.begin(c.Inquire(PAY, baseline, taken=False)) == STOP
    for apdu in before:
        desk.hear(apdu)
    return asked_until_last(desk)


NOT_BEGUN = c.Failed("9C", "the terminal asked to wait, and did not begin", "terminal_busy")


def test_a_terminal_that_asked_to_wait_and_is_ready_with_an_empty_store_did_not_begin() -> None:
    desk = after_please_wait(EMPTY)
    assert desk.hear(DONE) == f"{YES} {TOTALS}"
    for apdu in (YES, NO_TURNOVER, DONE):
        desk.hear(apdu)
    assert desk.events == [NOT_BEGUN]


def test_a_terminal_that_asked_to_wait_and_has_nothing_newer_did_not_begin() -> None:
    desk = after_please_wait(SAME)
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert desk.events == [NOT_BEGUN]


@pytest.mark.parametrize(
    ("baseline", "before", "said"),
    [
        (EMPTY, [], [DONE, YES, TURNOVER, DONE]),
        (EMPTY, [], [DONE, "84 83 00"]),
        (EMPTY, [], ["06 1E 01 64"]),
        (EMPTY, ["04 FF 01 0A"], [DONE]),
        (EMPTY, ["04 0F 02 27 05"], [DONE]),
        (None, [], [DONE]),
        (OLDER, [], [DONE]),
        (OLDER, [], [APPROVED, DONE]),
    ],
)
def test_what_else_a_terminal_shows_after_please_wait_keeps_the_doubt(
    baseline: c.Baseline | None, before: list[str], said: list[str]
) -> None:
    desk = after_please_wait(baseline, *before)
    for apdu in said:
        desk.hear(apdu)
    assert isinstance(desk.last, c.Unclear)


@pytest.mark.parametrize("work", ["04 FF 01 0A", "04 0F 02 27 05"])
def test_work_after_please_wait_is_told_so_that_every_later_question_knows_it(work: str) -> None:
    desk = after_please_wait(EMPTY, work)
    assert desk.taken
    desk = register()
    desk.begin(c.Inquire(PAY, EMPTY, taken=False))
    desk.hear(work)
    desk.lose_line()
    assert desk.taken
    assert isinstance(desk.last, c.Unclear)
    assert not after_please_wait(EMPTY).taken


def test_a_late_approval_of_what_was_not_taken_is_neither_acknowledged_nor_refused() -> None:
    desk = register()
    desk.begin(c.Inquire(PAY, OLDER, taken=False))
    assert desk.hear(APPROVED) == ""
    assert desk.events == [c.Unclear("other_transaction")]


# --- what is ours


def test_a_new_transaction_that_fits_is_the_payment() -> None:
    desk = asked_until_last(asking(OLDER, settings=LOCKED))
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    (final,) = desk.events
    assert isinstance(final, c.Approved)
    assert final.approval.fingerprint == FINGERPRINT
    assert desk.wake_at is None


def test_the_old_transaction_proves_that_nothing_happened() -> None:
    desk = asked_until_last(asking(SAME))
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    (final,) = desk.events
    assert isinstance(final, c.Failed)
    assert final.code == "not_executed"


def test_what_was_offered_and_is_stored_is_the_payment() -> None:
    desk = asked_until_last(asking(None, offer()))
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert desk.events == [c.Approved(offer())]


def test_what_was_offered_but_is_not_stored_was_reversed() -> None:
    mine = offer("28004869:0471:000471:1006:224500:2040")
    desk = asked_until_last(asking(SAME, mine))
    desk.hear(APPROVED)
    desk.hear(DONE)
    (final,) = desk.events
    assert isinstance(final, c.Failed)


@pytest.mark.parametrize(
    ("baseline", "known", "said"),
    [
        (OLDER, None, [OTHER_AMOUNT, DONE]),
        (OLDER, None, [FRANCS, DONE]),
        (OLDER, None, [REVERSED, DONE]),
        (OLDER, None, [DECLINED, DONE]),
        (OLDER, None, [NO_RESULT, DONE]),
        (OLDER, None, [OTHER_TERMINAL, DONE]),
        (OLDER, None, [DONE]),
        (OLDER, None, ["06 1E 01 64"]),
        (SAME, None, [OTHER_TIME, DONE]),
        (c.Baseline("not a fingerprint of ours"), None, [APPROVED, DONE]),
        (None, None, [APPROVED, DONE]),
        (None, None, [DONE]),
        (None, offer("28004869:0471:000471:1006:224500:2040"), [APPROVED, DONE]),
        (OLDER, offer("28004869:0471:000471:1006:224500:2040"), [APPROVED, DONE]),
        (EMPTY, offer(), [DONE]),
        (EMPTY, None, [DONE]),
    ],
)
def test_what_cannot_be_told_stays_in_doubt(
    baseline: c.Baseline | None, known: c.Approval | None, said: list[str]
) -> None:
    desk = asked_until_last(asking(baseline, known))
    for apdu in said:
        desk.hear(apdu)
    (final,) = desk.events
    assert isinstance(final, c.Unclear)


def test_the_first_transaction_of_an_empty_store_is_new() -> None:
    desk = asked_until_last(asking(EMPTY, settings=LOCKED))
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


@pytest.mark.parametrize(
    "about",
    [
        c.AdjustTip("r", c.Money(2040, "EUR"), offer()),
        c.Capture("r", c.Money(2040, "EUR"), offer()),
    ],
)
def test_an_unchanged_memory_proves_nothing_about_a_tip_or_a_capture(
    about: c.MoneyOperation,
) -> None:
    desk = asked_until_last(asking(SAME, about=about))
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert isinstance(desk.last, c.Unclear)


def test_nothing_is_concluded_while_the_terminal_is_busy() -> None:
    desk = asking(SAME)
    desk.hear(YES)
    for _ in range(5):
        assert finals_of(desk) == []
        desk.hear(YES)
        desk.hear(BUSY)
        if desk.wake_at is not None:
            assert desk.wait() == HOW_ARE_YOU
    (final,) = desk.events
    assert isinstance(final, c.StillRunning)


def finals_of(desk: Register) -> list[c.TerminalEvent]:
    return [e for e in desk.events if not isinstance(e, (c.Progress, c.Receipt, c.Offered))]


def test_a_terminal_that_shows_life_but_takes_no_question_is_still_running() -> None:
    desk = asking(SAME)
    desk.hear("84 83 00")
    for _ in range(5):
        assert desk.hear("04 FF 01 0E") == YES
        desk.hear("84 A0 00")
        if desk.wake_at is not None:
            desk.wait()
    assert isinstance(desk.last, c.StillRunning)


def test_silence_from_the_start_ends_without_a_verdict() -> None:
    desk = asking(SAME)
    waits = 0
    while desk.wake_at is not None:
        desk.wait()
        waits += 1
    assert desk.events == [c.Unclear("no_answer")]
    assert waits < 20


@pytest.mark.parametrize("until", range(6))
def test_a_line_lost_while_asking_ends_without_a_verdict(until: int) -> None:
    desk = asking(SAME)
    for apdu in [YES, YES, IDLE, YES, LOGGED_ON, YES, APPROVED][:until]:
        desk.hear(apdu)
    for _ in range(2):  # what it cannot have heard is asked once more over another line
        if desk.wake_at is not None:
            desk.lose_line()
    assert desk.events == [c.Unclear("link_lost")]


def test_a_late_approval_of_the_old_dialogue_is_offered_stored_and_counts() -> None:
    desk = asking(OLDER)
    assert desk.hear(APPROVED) == YES
    assert desk.hear("06 D1 01 81") == YES
    assert desk.hear(DONE) == YES
    offered, approved = desk.events
    assert isinstance(offered, c.Offered)
    assert approved == c.Approved(offered.approval)


def test_a_late_approval_that_is_not_ours_is_refused() -> None:
    desk = asking(OLDER)
    assert desk.hear(OTHER_AMOUNT) == "84 66 00"


def test_a_late_approval_without_its_end_is_looked_up() -> None:
    desk = asking(OLDER)
    assert desk.hear(APPROVED) == YES
    assert desk.wait() == HOW_ARE_YOU
    desk.hear(YES)
    desk.hear(IDLE)
    desk.hear(YES)
    desk.hear(LOGGED_ON)
    desk.hear(YES)
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


def test_the_old_dialogues_own_no_is_told_once_the_memory_agrees() -> None:
    desk = asking(SAME)
    assert desk.hear("04 0F 02 27 05") == YES
    assert desk.hear("06 1E 01 05") == YES
    asked_until_last(desk)
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert desk.events == [c.Declined("05", "declined")]


def test_memory_outranks_an_old_no() -> None:
    desk = asking(OLDER, settings=LOCKED)
    assert desk.hear("06 1E 01 6C") == YES
    asked_until_last(desk)
    desk.hear(APPROVED)
    desk.hear(DONE)
    assert isinstance(desk.last, c.Approved)


def test_a_terminal_that_cannot_repeat_leaves_the_doubt() -> None:
    desk = asking(SAME, settings=ZvtSettings(repeat_receipt_usable=False))
    for apdu in [YES, YES, IDLE, YES, LOGGED_ON]:
        desk.hear(apdu)
    assert isinstance(desk.last, c.Unclear)


# --- probe


def probed(settings: ZvtSettings | None = None) -> Register:
    desk = register(settings)
    assert desk.begin(c.Probe()) == LOG_ON
    desk.hear(YES)
    assert desk.hear(LOGGED_ON) == f"{YES} {HOW_ARE_YOU}"
    desk.hear(YES)
    return desk


def test_a_probe_tells_who_it_is_and_what_was_last() -> None:
    desk = probed()
    version = "06 0F 0B F0 F0 F7 32 2E 31 34 2E 31 35 00"
    assert desk.hear(version) == f"{YES} {LAST}"
    desk.hear(YES)
    assert desk.hear(APPROVED) == YES
    desk.hear(DONE)
    assert desk.events == [
        c.TerminalReady("28004869", firmware="2.14.15", currency="EUR", baseline=SAME)
    ]


def test_an_empty_answer_is_a_baseline_only_if_the_totals_prove_it() -> None:
    for totals, baseline in ((NO_TURNOVER, EMPTY), (TURNOVER, None)):
        desk = probed()
        desk.hear(IDLE)
        desk.hear(YES)
        assert desk.hear(DONE) == f"{YES} {TOTALS}"
        desk.hear(YES)
        desk.hear(totals)
        desk.hear(DONE)
        assert isinstance(desk.last, c.TerminalReady)
        assert desk.last.baseline == baseline


@pytest.mark.parametrize("answer", [["84 83 00"], [YES, "06 1E 01 64"], [YES, DECLINED, DONE]])
def test_a_terminal_without_a_readable_memory_is_ready_without_a_baseline(
    answer: list[str],
) -> None:
    desk = probed()
    desk.hear(IDLE)
    for apdu in answer:
        desk.hear(apdu)
    assert isinstance(desk.last, c.TerminalReady)
    assert desk.last.baseline is None


@pytest.mark.parametrize(
    ("status", "code"),
    [("9C", "terminal_busy"), ("51", "terminal_maintenance"), ("DF", "terminal_fault")],
)
def test_a_status_that_takes_no_payments_is_told(status: str, code: str) -> None:
    desk = probed(ZvtSettings(initialization_usable=False))
    desk.hear(f"06 0F 01 {status}")
    assert isinstance(desk.last, c.TerminalNotReady)
    assert desk.last.code == code


@pytest.mark.parametrize("status", ["00", "DC", "E1"])
def test_a_card_in_the_reader_is_no_problem(status: str) -> None:
    desk = probed()
    assert desk.hear(f"06 0F 01 {status}") == f"{YES} {LAST}"


@pytest.mark.parametrize(
    "refusal", ["84 6F 00", "84 1E 01 6F", "84 1E 03 6F 07 56", "84 1E 01 7D", "84 9C 00"]
)
def test_a_refused_log_on_is_not_ready(refusal: str) -> None:
    desk = register()
    desk.begin(c.Probe())
    desk.hear(refusal)
    (final,) = desk.events
    assert isinstance(final, c.TerminalNotReady)


def test_a_terminal_that_is_still_at_something_is_busy_not_broken() -> None:
    desk = register()
    desk.begin(c.Probe())
    desk.hear("84 A0 00")
    assert desk.events == [c.TerminalNotReady("terminal_busy", "terminal not ready")]


def test_a_probe_touches_no_open_transaction() -> None:
    desk = register()
    desk.begin(c.Probe())
    assert desk.hear(APPROVED) == ""
    assert isinstance(desk.last, c.TerminalNotReady)


# --- services


def test_end_of_day_tells_totals_by_brand() -> None:
    rows = "01 00 00 00 00 12 00" + " 00" * 7 + " 02 00 00 00 00 34 00" + " 00" * 28
    data = f"04 00 00 00 00 46 00 60 F0 F5 F3 00 01 00 03 {rows} 49 09 78"
    desk = register()
    assert desk.begin(c.EndOfDay()) == "06 50 03 00 00 00"
    desk.hear(YES)
    assert desk.hear(f"04 0F {len(bytes.fromhex(data)):02X} {data}") == YES
    desk.hear("06 0F 02 27 E0")
    assert desk.events == [
        c.BatchTotals(
            closed=True,
            total=c.Money(4600, "EUR"),
            lines=(
                c.TotalsLine("girocard", 1, c.Money(1200, "EUR")),
                c.TotalsLine("mastercard", 2, c.Money(3400, "EUR")),
            ),
        )
    ]


BOTH_ROWS = "01 00 00 00 00 12 00" + " 00" * 7 + " 02 00 00 00 00 34 00" + " 00" * 28
BOTH = f"04 00 00 00 00 46 00 60 F0 F5 F3 00 01 00 03 {BOTH_ROWS} 49 09 78"


def closing(*said: str) -> c.TerminalEvent:
    desk = register()
    desk.begin(c.EndOfDay())
    desk.hear(YES)
    for data in said:
        desk.hear(data)
    (final,) = finals_of(desk)
    return final


def framed(control: str, data: str) -> str:
    return f"{control} {len(bytes.fromhex(data)):02X} {data}"


@pytest.mark.parametrize("end", ["06 0F 02 27 F0", "06 0F 02 27 77"])
def test_the_completion_decides_whether_the_batch_was_closed(end: str) -> None:
    assert isinstance(closing(framed("04 0F", f"27 00 {BOTH}"), end), c.Failed)


@pytest.mark.parametrize("end", ["06 0F 02 27 FF", "06 0F 02 27 05"])
def test_a_completion_that_contradicts_the_totals_leaves_the_batch_unknown(end: str) -> None:
    assert isinstance(closing(framed("04 0F", f"27 00 {BOTH}"), end), c.Unclear)


def test_a_failed_status_and_a_successful_completion_leave_the_batch_unknown() -> None:
    assert isinstance(closing("04 0F 02 27 F0", "06 0F 02 27 00"), c.Unclear)


@pytest.mark.parametrize("result", ["27 E0 ", "27 00 ", "27 FC ", ""])
def test_totals_are_read_from_a_completion_without_a_status(result: str) -> None:
    final = closing("06 D1 02 00 41", "06 D1 01 81", framed("06 0F", f"{result}{BOTH}"))
    assert isinstance(final, c.BatchTotals)
    assert (final.closed, final.counted, final.total) == (True, True, c.Money(4600, "EUR"))
    assert [line.brand for line in final.lines] == ["girocard", "mastercard"]


@pytest.mark.parametrize("result", ["E0", "FC", "00"])
def test_a_batch_closed_with_totals_on_paper_only_is_closed_and_not_counted(result: str) -> None:
    """As captured: the totals are printed, and the completion says that an update begins."""
    final = closing("06 D1 02 00 41", "06 D1 01 81", f"06 0F 02 27 {result}")
    assert final == c.BatchTotals(closed=True, total=c.Money(0, "EUR"), counted=False)


def test_totals_do_not_close() -> None:
    desk = register()
    assert desk.begin(c.EndOfDay(close=False)) == TOTALS


def test_a_batch_without_transactions_closes_without_totals() -> None:
    desk = register()
    desk.begin(c.EndOfDay())
    desk.hear(YES)
    desk.hear(DONE)
    assert desk.events == [c.Done()]


def test_a_card_is_read_masked() -> None:
    desk = register()
    assert desk.begin(c.ReadCard(30)) == "06 C0 03 1E FC 02"
    desk.hear(YES)
    assert desk.hear("04 0F 0D 22 F0 F8 47 11 11 11 11 11 12 34 8A 0A") == YES
    (final,) = desk.events
    card = c.Card(brand="visa", masked_pan=c.MaskedPan("************1234"))
    assert final == c.CardRead(card)


def test_a_card_that_does_not_come_is_no_failure_of_the_terminal() -> None:
    desk = register()
    desk.begin(c.ReadCard(30))
    desk.hear(YES)
    desk.hear("06 1E 01 6C")
    assert isinstance(desk.last, c.Canceled)


def test_text_is_shown_in_the_seven_bit_set() -> None:
    desk = register()
    sent = desk.begin(c.ShowText(("Grüße",), seconds=5))
    assert sent == "06 E0 0A F0 05 F1 F0 F5 47 72 7D 7E 65"
    desk.hear(YES)
    assert desk.events == [c.Done()]

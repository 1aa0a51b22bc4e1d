"""No sequence of answers in a new conversation is a no, but the few that prove it."""

from __future__ import annotations

import random

import pytest

from drivers import contract as c
from drivers.zvt import ZvtSettings
from tests.protocol.test_zvt_dialogue import APPROVED, DONE, PAY, YES, Register, register
from tests.protocol.test_zvt_holds import CAPTURE, LISTED, RELEASE
from tests.protocol.test_zvt_inquiry import (
    DECLINED,
    EMPTY,
    HOW_ARE_YOU,
    IDLE,
    LAST,
    LOGGED_ON,
    NO_TURNOVER,
    OLDER,
    OTHER_AMOUNT,
    REVERSED,
    SAME,
    TOTALS,
    TURNOVER,
)

ANSWERS = (
    *(YES, YES, YES, DONE, DONE, IDLE, IDLE, LOGGED_ON, APPROVED, APPROVED),
    *(OTHER_AMOUNT, REVERSED, DECLINED, NO_TURNOVER, TURNOVER, LISTED),
    *("06 0F 01 9C", "06 0F 01 CC", "06 0F 02 27 00", "06 0F 02 27 05"),
    *("06 1E 00", "06 1E 01 6C", "06 1E 01 A0", "06 1E 01 83", "06 1E 01 64", "06 1E 01 9C"),
    *("84 83 00", "84 A0 00", "84 9C 00", "84 1E 01 7D", "04 FF 01 0A", "06 D1 01 81"),
    *("04 0F 02 27 00", "04 0F 02 27 6C", "04 0F 02 27 05", "80 00 01 00"),
)
ORDERS: tuple[c.MoneyOperation, ...] = (
    *(PAY, c.Refund("r", PAY.amount), c.Reverse("r", c.Approval(PAY.amount, "f", trace="000469"))),
    *(CAPTURE, RELEASE, c.Authorize("r", PAY.amount)),
)
ROUNDS = 4000
HEARD_MAX = 40
SILENCE = "nothing for longer than any payment"
DENIALS = (c.Declined, c.Canceled, c.Failed)


@pytest.mark.parametrize("seed", range(4))
def test_no_sequence_of_answers_in_a_new_conversation_is_a_no_without_its_proof(seed: int) -> None:
    rng = random.Random(seed)
    told = 0
    for _ in range(ROUNDS):
        baseline = rng.choice((SAME, SAME, OLDER, EMPTY, None))
        taken = rng.choice((True, False, None))
        settings = ZvtSettings(keypad_stays_locked=rng.random() < 0.3)
        desk = register(settings)
        order = rng.choice(ORDERS)
        desk.begin(c.Inquire(order, baseline, taken=taken))
        heard = play(desk, rng)
        if not isinstance(desk.last, DENIALS):
            continue
        told += 1
        assert proofs(heard, order, baseline, taken), (desk.last, heard)
    assert told > ROUNDS // 100, "the search must find proofs, too"


def play(desk: Register, rng: random.Random) -> list[tuple[str, str]]:
    """Let the terminal say things, helpful ones more often; return (our last command, word)."""
    heard: list[tuple[str, str]] = []
    command = desk.sent[-1]
    helpful = {HOW_ARE_YOU: [YES, IDLE], LAST: [YES, APPROVED, DONE], TOTALS: [YES, NO_TURNOVER]}
    queue: list[str] = []
    for _ in range(HEARD_MAX):
        if desk.wake_at is None:
            break
        if rng.random() < 0.05:
            before = desk.now
            sent = desk.wait()
            if desk.now - before >= ZvtSettings().longest_payment_seconds:
                heard.append((command, SILENCE))
        else:
            word = queue.pop(0) if queue and rng.random() < 0.8 else rng.choice(ANSWERS)
            heard.append((command, word))
            sent = desk.hear(word)
        for known in (HOW_ARE_YOU, LAST, TOTALS, "06 00", "06 23"):
            if known in sent:
                command = known
                queue = list(helpful.get(known, [YES, LISTED] if known == "06 23" else [YES, DONE]))
    while desk.wake_at is not None:
        desk.wait()
    return heard


def proofs(
    heard: list[tuple[str, str]],
    order: c.MoneyOperation,
    baseline: c.Baseline | None,
    taken: bool | None,
) -> list[str]:
    """Return what in a conversation proves that nothing happened."""
    found: list[str] = []
    same = {APPROVED} if isinstance(order, c.Reverse) else {APPROVED, REVERSED}
    silences = [at for at, (_, word) in enumerate(heard) if word == SILENCE]
    if silences and baseline == SAME:
        registered = any(
            asked == "06 00" and word.startswith("06 0F") for asked, word in heard[: silences[-1]]
        )
        after = heard[silences[-1] :]
        if registered and any((LAST, word) in after for word in same):
            found.append("silent for longer than any payment, its last transaction is the old one")
    if (HOW_ARE_YOU, IDLE) not in heard:
        return found
    if baseline == SAME and any((LAST, word) in heard for word in same):
        found.append("the terminal is ready, its last transaction is the old one")
    if ("06 23", LISTED) in heard:
        found.append("the terminal is ready and lists the hold")
    if baseline == EMPTY and taken is False and (TOTALS, NO_TURNOVER) in heard:
        found.append("asked to wait, is ready, and its store is empty by its totals")
    return found

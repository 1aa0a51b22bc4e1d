"""Bugs on purpose in a conversation with the POS server: each must fail the test of its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import Unknown
from bridge.backoffice.terminal_payments import evidence
from bridge.backoffice.terminal_payments.dialogue import PosServerDialogue as Dialogue
from bridge.backoffice.terminal_payments.handle import Handle
from drivers import contract as c
from tests.unit.backoffice.terminal_payments import test_dialogue as rules
from tests.unit.backoffice.terminal_payments import test_evidence as proofs

Make = Callable[[Any], Any]


def _lost_start_is_failed(original: Any) -> Any:
    def lost(self: Dialogue, reason: str, text: str, now: float) -> c.Step:
        if isinstance(self._asked, api.Start):
            return self._end(c.Failed(reason, text))
        step: c.Step = original(self, reason, text, now)
        return step

    return lost


def _starts_again(original: Any) -> Any:
    def lost(self: Dialogue, reason: str, text: str, now: float) -> c.Step:
        if isinstance(self._asked, api.Start | api.Capture) and self._phase == "asked":
            asked, self._until = self._asked, now
            again = self._ask(asked, now)
            self._lost = lambda *more: original(self, *more)  # type: ignore[method-assign]
            return again
        step: c.Step = original(self, reason, text, now)
        return step

    return lost


def _goes_on_after_the_end(original: Any) -> Any:
    def committed(self: Dialogue, now: float) -> c.Step:
        if self._phase == "over" and self._handle is not None and self._handle.token:
            return self._ask(api.Continue(self._handle.token), now)
        step: c.Step = original(self, now)
        return step

    return committed


def _captures_before_the_disk(original: Any) -> Any:
    def conclude(self: Dialogue, verdict: Any) -> c.Step:
        step: c.Step = original(self, verdict)
        if self._next is not None:
            following, self._next = self._next, None
            return replace(self._ask(following, 0.0), events=step.events)
        return step

    return conclude


def _keeps_no_handle(original: Any) -> Any:
    def go_on(self: Dialogue, told: api.Continuation, now: float) -> c.Step:
        step: c.Step = original(self, told, now)
        kept = tuple(one for one in step.events if not isinstance(one, c.Taken))
        return replace(step, events=kept)

    return go_on


def _begins_anew_without_a_handle(original: Any) -> Any:
    def take_up(self: Dialogue, inquiry: c.Inquire, now: float) -> c.Step:
        if not inquiry.handle:
            return self._open(inquiry.about, now)
        step: c.Step = original(self, inquiry, now)
        return step

    return take_up


def _captures_again_after_a_crash(original: Any) -> Any:
    def take_up(self: Dialogue, inquiry: c.Inquire, now: float) -> c.Step:
        if inquiry.handle == Handle("", in_capture=True).text:
            self._wanted = evidence.Wanted(rules.EUR, rules.NAME, api.Kind.SALE)
            return self._ask(api.Capture("TP1"), now)
        step: c.Step = original(self, inquiry, now)
        return step

    return take_up


def _any_error_is_a_no(_original: Any) -> Any:
    return lambda error, *_settings, **_more: c.Declined(error.code)


def _any_payment_is_ours(original: Any) -> Any:
    def judge(shown: api.ShownPayment, wanted: Any, settings: Any) -> Any:
        return original(replace(shown, reference=wanted.reference), wanted, settings)

    return judge


def _never_waits(original: Any) -> Any:
    return lambda self, _seconds, now: original(self, 0.0, now)


def _follows_for_ever(original: Any) -> Any:
    def timeout(self: Dialogue, now: float) -> c.Step:
        self._until = now + 1_000.0
        step: c.Step = original(self, now)
        return step

    return timeout


def _an_unknown_refusal_is_no_doubt(original: Any) -> Any:
    def hear(self: Dialogue, told: api.Told, now: float) -> c.Step:
        if isinstance(told, Unknown) and isinstance(self._asked, api.Capture):
            return self._end(c.Failed("not_captured"))
        step: c.Step = original(self, told, now)
        return step

    return hear


BUGS: dict[str, tuple[Any, str, Make, Callable[[], None]]] = {
    "a lost start is told as failed": (
        *(Dialogue, "_lost", _lost_start_is_failed),
        rules.test_a_lost_answer_to_start_is_nobodys_to_ask,
    ),
    "a lost start or capture is sent again": (
        *(Dialogue, "_lost", _starts_again),
        rules.test_no_order_of_answers_starts_or_captures_twice_or_says_no_with_money_held,
    ),
    "continue is sent after the end": (
        *(Dialogue, "committed", _goes_on_after_the_end),
        lambda: rules.test_nothing_is_asked_after_the_last_word(api.ShownError("X")),
    ),
    "a capture is sent before it is on disk": (
        *(Dialogue, "_conclude", _captures_before_the_disk),
        rules.test_an_authorization_that_somebody_settled_meanwhile_is_not_captured,
    ),
    "a handle is used that is not on disk": (
        *(Dialogue, "_go_on", _keeps_no_handle),
        rules.test_a_continuation_is_stored_before_it_is_used_and_its_wait_kept,
    ),
    "a payment without a handle is begun anew after a crash": (
        *(Dialogue, "_take_up", _begins_anew_without_a_handle),
        rules.test_without_a_handle_nothing_is_asked_and_a_person_is_called,
    ),
    "a capture is sent again after a crash": (
        *(Dialogue, "_take_up", _captures_again_after_a_crash),
        rules.test_a_capture_that_may_have_been_asked_for_is_not_asked_for_again,
    ),
    "any error is a no": (
        *(evidence, "judge_error", _any_error_is_a_no),
        lambda: rules.test_any_other_error_is_a_doubt("PROCESSOR_ERROR"),
    ),
    "a stranger's payment is ours": (
        *(proofs, "judge_payment", _any_payment_is_ours),
        lambda: proofs.test_a_strangers_payment_is_never_told_as_ours(
            replace(proofs.SHOWN, reference="somebody-else")
        ),
    ),
    "waits are not kept": (
        *(Dialogue, "_wait", _never_waits),
        rules.test_a_continuation_is_stored_before_it_is_used_and_its_wait_kept,
    ),
    "a payment is followed for ever": (
        *(Dialogue, "timeout", _follows_for_ever),
        rules.test_a_server_that_never_comes_to_an_end_is_left_in_doubt,
    ),
    "a lost capture is told as failed": (
        *(Dialogue, "_hear", _an_unknown_refusal_is_no_doubt),
        lambda: rules.test_what_is_held_and_not_captured_is_never_told_as_no_nor_as_yes(rules.LOST),
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_fails_the_test_of_its_rule(
    bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, make, test = BUGS[bug]
    test()  # it passes without the bug
    monkeypatch.setattr(owner, name, make(getattr(owner, name)))
    with pytest.raises(AssertionError):
        test()

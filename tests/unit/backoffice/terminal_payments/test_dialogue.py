"""A conversation with the POS server: what is asked once, what again, and what each end proves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import NotApplied, Refused, Unknown
from bridge.backoffice.terminal_payments.dialogue import (
    WAIT_SECONDS_MAX,
    WAIT_SECONDS_MIN,
    PosServerDialogue,
)
from bridge.backoffice.terminal_payments.handle import Handle, read_handle
from bridge.backoffice.terminal_payments.messages import decode_ask, encode
from bridge.backoffice.terminal_payments.settings import PosServerSettings
from drivers import contract as c

NAME = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
EUR = c.Money(1250, "EUR")
SETTINGS = PosServerSettings("Lane 1", "EUR", preauthorization=True)
PAY = c.Pay(NAME, EUR)
SHOWN = api.ShownPayment("TP1", "CAPTURED", "12.50", "", NAME, "Lane 1", "A1")
HELD = api.ShownPayment("TP1", "AUTHORIZED", "12.50", "", NAME, "Lane 1")
GOES_ON = api.Continuation("TP1/3", 1.0)
LOST = Unknown("no answer")


@dataclass
class Talk:
    """Plays a conversation: each question is answered by the next of `told`."""

    told: list[api.Told]
    dialogue: PosServerDialogue = field(default_factory=lambda: PosServerDialogue(SETTINGS, 60.0))
    found: api.Told = field(default_factory=api.NotOffered)  # when our reference is looked for
    refuses: type | None = None  # the journal takes no event of this type
    stops_after: int = -1  # questions after which somebody wants it stopped
    now: float = 100.0
    asked: list[api.Ask] = field(default_factory=list)
    events: list[c.TerminalEvent] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    order: list[str] = field(default_factory=list)  # of what was stored and asked

    def hold(self, operation: c.Operation) -> c.TerminalEvent:
        step = self.dialogue.begin(operation, self.now)
        for _ in range(5_000):
            due = self._take(step)
            if step.events:
                self.events += step.events
                self.order += [type(one).__name__ for one in step.events]
                stored = not any(isinstance(one, self.refuses or ()) for one in step.events)
                answer = self.dialogue.committed if stored else self.dialogue.not_committed
                step = answer(self.now)
            elif due is not None:
                step = due
            elif step.wake_at is None:
                finals = [one for one in self.events if isinstance(one, c.FinalEvent)]
                assert len(finals) == 1, finals
                return finals[0]
            else:
                step = self._pass_time(step.wake_at)
        raise AssertionError("the conversation has no end")

    def _take(self, step: c.Step) -> c.Step | None:
        if step.send:
            self.asked.append(decode_ask(step.send))
            self.order.append(type(self.asked[-1]).__name__)
            self.pending = True
        return None

    pending: bool = False

    def _pass_time(self, wake_at: float) -> c.Step:
        if len(self.asked) == self.stops_after:
            self.stops_after = -1
            return self.dialogue.cancel(self.now)
        if self.pending and self.told:
            self.pending = False
            self.now += 0.1
            told = self.told.pop(0) if len(self.told) > 1 else self.told[0]
            if isinstance(self.asked[-1], api.Find):
                told = self.found
            return self.dialogue.receive(encode(told), self.now)
        self.waits.append(wake_at - self.now)
        self.now = max(wake_at, self.now)
        return self.dialogue.timeout(self.now)

    def count(self, kind: type) -> int:
        return sum(isinstance(one, kind) for one in self.asked)


def test_a_payment_that_is_there_at_once_is_an_approval() -> None:
    talk = Talk([SHOWN])
    final = talk.hold(PAY)
    assert isinstance(final, c.Approved)
    assert (final.approval.amount, final.approval.approval_code) == (EUR, "A1")
    assert talk.asked == [api.Start(api.Kind.SALE, "Lane 1", "12.50", "EUR", NAME)]


def test_a_continuation_is_stored_before_it_is_used_and_its_wait_kept() -> None:
    talk = Talk([GOES_ON, api.Continuation("TP1/2", 7.0), SHOWN])
    assert isinstance(talk.hold(PAY), c.Approved)
    assert talk.asked[1:] == [api.Continue("TP1/3"), api.Continue("TP1/2")]
    waited = [one for one in talk.order if one in {"Taken", "Start", "Continue"}]
    assert waited == ["Start", "Taken", "Continue", "Taken", "Continue"]
    assert talk.waits == [pytest.approx(1.0), pytest.approx(7.0)]
    handles = [one.handle for one in talk.events if isinstance(one, c.Taken)]
    assert [read_handle(one) for one in handles] == [Handle("TP1/3"), Handle("TP1/2")]


@pytest.mark.parametrize(
    ("told", "kept"), [(0.0, WAIT_SECONDS_MIN), (3_600.0, WAIT_SECONDS_MAX), (None, 2.0)]
)
def test_a_wait_is_within_bounds(told: float | None, kept: float) -> None:
    talk = Talk([api.Continuation("TP1/3", told), SHOWN])
    talk.hold(PAY)
    assert talk.waits == [pytest.approx(kept)]


def test_a_lost_answer_to_start_is_nobodys_to_ask() -> None:
    talk = Talk([LOST])
    final = talk.hold(PAY)
    assert final == c.Unclear("no_answer", "no answer", only_a_person=True)
    assert talk.count(api.Start) == 1


def test_a_start_that_is_never_answered_ends_as_a_doubt() -> None:
    talk = Talk([])
    assert isinstance(talk.hold(PAY), c.Unclear)
    assert talk.count(api.Start) == 1


def test_a_lost_answer_to_continue_is_asked_for_again() -> None:
    talk = Talk([GOES_ON, LOST, NotApplied("busy"), Refused("NOT_AUTHORIZED", ""), SHOWN])
    assert isinstance(talk.hold(PAY), c.Approved)
    assert talk.count(api.Start) == 1
    assert talk.asked[1:] == [api.Continue("TP1/3")] * 4


def test_a_server_that_never_comes_to_an_end_is_left_in_doubt() -> None:
    talk = Talk([GOES_ON])
    final = talk.hold(PAY)
    assert isinstance(final, c.Unclear)
    assert not final.only_a_person  # its handle is on disk
    assert talk.now - 100.0 <= SETTINGS.total_seconds + 1
    assert talk.count(api.Start) == 1


def test_who_wants_it_stopped_waits_a_minute_for_the_answer() -> None:
    talk = Talk([GOES_ON], stops_after=2)
    final = talk.hold(PAY)
    assert final == c.Unclear("still_running", "the POS server still says that it is not over")
    assert talk.now - 100.0 < SETTINGS.after_stop_seconds + 10


def test_an_answer_after_somebody_wanted_it_stopped_counts() -> None:
    assert isinstance(Talk([GOES_ON, GOES_ON, SHOWN], stops_after=1).hold(PAY), c.Approved)


def test_an_authorization_is_captured_once_it_is_on_disk() -> None:
    captured = api.ShownPayment("TP1", "CAPTURED", "12.50", "", NAME)
    talk = Talk([GOES_ON, HELD, captured])
    assert isinstance(talk.hold(PAY), c.Approved)
    assert talk.order[-5:] == ["Continue", "Offered", "Taken", "Capture", "Approved"]
    assert talk.asked[-1] == api.Capture("TP1")
    assert [one.handle for one in talk.events if isinstance(one, c.Taken)][-1] == "k:"


def test_a_capture_that_goes_on_is_continued_and_not_captured_again() -> None:
    talk = Talk([HELD, api.Continuation("TP1/1"), LOST, SHOWN])
    assert isinstance(talk.hold(PAY), c.Approved)
    assert talk.count(api.Capture) == 1
    handles = [one.handle for one in talk.events if isinstance(one, c.Taken)]
    assert read_handle(handles[-1]) == Handle("TP1/1", in_capture=True)


@pytest.mark.parametrize(
    "told",
    [
        LOST,
        NotApplied("no line"),
        Refused("NOT_AUTHORIZED", ""),
        api.ShownError("DECLINED"),
        HELD,
        api.ShownPayment("TP1", "AUTHORIZED", "12.50"),
    ],
)
def test_what_is_held_and_not_captured_is_never_told_as_no_nor_as_yes(told: api.Told) -> None:
    talk = Talk([HELD, told])
    assert isinstance(talk.hold(PAY), c.Unclear)
    assert talk.count(api.Capture) == 1


def test_an_authorization_that_somebody_settled_meanwhile_is_not_captured() -> None:
    talk = Talk([HELD], refuses=c.Offered)
    final = talk.hold(PAY)
    assert isinstance(final, c.Unclear)
    assert talk.count(api.Capture) == 0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DECLINED", c.Declined),
        ("do-not-honor", c.Declined),
        ("Cancelled", c.Canceled),
        ("TERMINAL_BUSY", c.Failed),
    ],
)
def test_an_error_that_means_no_is_a_no(code: str, kind: type) -> None:
    assert isinstance(Talk([api.ShownError(code, "x")]).hold(PAY), kind)


@pytest.mark.parametrize(
    "code", ["PROCESSOR_ERROR", "", "TIMEOUT", "FUSION_ERROR", "TERMINAL_OFFLINE"]
)
def test_any_other_error_is_a_doubt(code: str) -> None:
    final = Talk([api.ShownError(code, "x")]).hold(PAY)
    assert isinstance(final, c.Unclear)
    assert final.only_a_person


def test_that_the_terminal_is_busy_proves_nothing_once_it_goes_on() -> None:
    assert isinstance(Talk([GOES_ON, api.ShownError("TERMINAL_BUSY")]).hold(PAY), c.Unclear)


@pytest.mark.parametrize("told", [SHOWN, api.ShownError("X"), api.ShownError("DECLINED"), HELD])
def test_nothing_is_asked_after_the_last_word(told: api.Told) -> None:
    talk = Talk([GOES_ON, told, SHOWN])
    talk.hold(PAY)
    ends = [i for i, one in enumerate(talk.order) if one in {"Approved", "Declined", "Unclear"}]
    assert not set(talk.order[ends[0] :]) & {"Start", "Continue", "Capture"}
    late = talk.dialogue.receive(encode(GOES_ON), talk.now)
    assert late == c.Step()


def test_what_proves_that_start_did_nothing_is_a_no_with_its_permission() -> None:
    final = Talk([Refused("NOT_AUTHORIZED", "")]).hold(PAY)
    assert isinstance(final, c.Failed)
    assert "MakeSaleTerminalPayment" in final.text
    final = Talk([Refused("NOT_AUTHORIZED", "")]).hold(c.Refund(NAME, EUR))
    assert isinstance(final, c.Failed)
    assert "MakeRefundTerminalPayment" in final.text
    assert isinstance(Talk([NotApplied("no line")]).hold(PAY), c.Failed)


@pytest.mark.parametrize("data", [b"\xff\n", b"{}\n", b'{"is": "Other", "has": {}}\n', b"7\n"])
def test_bytes_that_nobody_wrote_are_no_answer(data: bytes) -> None:
    dialogue = PosServerDialogue(SETTINGS, 60.0)
    dialogue.begin(PAY, 0.0)
    dialogue.committed(0.0)
    step = dialogue.receive(data, 1.0)
    assert decode_ask(step.send) == api.Find(NAME)


# --- after a crash


def inquiry(handle: str, about: c.MoneyOperation = PAY) -> c.Inquire:
    return c.Inquire(about, None, handle=handle)


def test_without_a_handle_nothing_is_asked_and_a_person_is_called() -> None:
    talk = Talk([SHOWN])
    final = talk.hold(inquiry(""))
    assert isinstance(final, c.Unclear)
    assert final.only_a_person
    assert talk.asked == [api.Find(NAME)]


def test_with_its_handle_a_payment_is_taken_up() -> None:
    talk = Talk([SHOWN])
    assert isinstance(talk.hold(inquiry(Handle("TP1/3").text)), c.Approved)
    assert talk.asked == [api.Continue("TP1/3")]


def test_what_still_runs_is_asked_again_for_a_while_and_each_wait_is_kept() -> None:
    talk = Talk([api.Continuation("TP1/2", 9.0)])
    final = talk.hold(inquiry(Handle("TP1/3").text))
    assert isinstance(final, c.StillRunning)
    assert talk.waits == [pytest.approx(9.0)] * 3
    assert c.Taken(Handle("TP1/2").text) in talk.events


def test_a_hold_that_is_found_later_is_captured() -> None:
    talk = Talk([HELD, SHOWN])
    assert isinstance(talk.hold(inquiry(Handle("TP1/3").text)), c.Approved)
    assert talk.count(api.Capture) == 1


def test_a_capture_that_may_have_been_asked_for_is_not_asked_for_again() -> None:
    talk = Talk([SHOWN])
    final = talk.hold(inquiry(Handle("", in_capture=True).text))
    assert isinstance(final, c.Unclear)
    assert final.only_a_person
    assert talk.asked == [api.Find(NAME)]


def test_a_capture_that_runs_is_taken_up_and_not_begun_again() -> None:
    talk = Talk([LOST])
    handle = Handle("TP1/1", in_capture=True).text
    assert isinstance(talk.hold(inquiry(handle)), c.Unclear)
    talk = Talk([SHOWN])
    assert isinstance(talk.hold(inquiry(handle)), c.Approved)
    assert talk.asked == [api.Continue("TP1/1")]


# --- where the server can be asked by our reference


def test_a_lost_start_is_looked_for_and_found() -> None:
    talk = Talk([LOST], found=SHOWN)
    assert isinstance(talk.hold(PAY), c.Approved)
    assert talk.asked[1:] == [api.Find(NAME)]
    talk = Talk([LOST], found=SHOWN)
    assert isinstance(talk.hold(inquiry("")), c.Approved)


def test_what_is_not_found_may_come_later_and_is_no_no() -> None:
    for found in (api.NotFound(), LOST, NotApplied("away"), Refused("NOT_AUTHORIZED", "")):
        for operation in (PAY, inquiry("")):
            final = Talk([LOST], found=found).hold(operation)
            assert isinstance(final, c.Unclear)
            assert not final.only_a_person  # it is looked for again


def test_a_lost_start_that_is_found_held_is_captured_once() -> None:
    captured = api.ShownPayment("TP1", "CAPTURED", "12.50", "", NAME)
    talk = Talk([LOST, captured], found=HELD)
    assert isinstance(talk.hold(PAY), c.Approved)
    assert talk.count(api.Capture) == 1


def test_a_lost_capture_is_looked_for_and_never_sent_again() -> None:
    for found, kind in ((SHOWN, c.Approved), (HELD, c.Unclear), (api.NotFound(), c.Unclear)):
        talk = Talk([HELD, LOST], found=found)
        assert isinstance(talk.hold(PAY), kind)
        assert talk.count(api.Capture) == 1
        talk = Talk([LOST], found=found)
        assert isinstance(talk.hold(inquiry(Handle("", in_capture=True).text)), kind)
        assert talk.count(api.Capture) == 0


def test_a_payment_that_still_runs_is_no_outcome() -> None:
    running = api.ShownPayment("TP1", "RUNNING", "12.50", "", NAME)
    final = Talk([LOST], found=running).hold(PAY)
    assert isinstance(final, c.Unclear)
    assert not final.only_a_person


# --- other operations


def test_a_pre_authorization_stays_a_hold() -> None:
    talk = Talk([HELD])
    final = talk.hold(c.Authorize(NAME, EUR))
    assert isinstance(final, c.Approved)
    assert talk.count(api.Capture) == 0


@pytest.mark.parametrize(("minor", "said"), [(1250, ""), (1000, "10.00")])
def test_a_hold_is_captured_whole_or_in_part(minor: int, said: str) -> None:
    amount = c.Money(minor, "EUR")
    talk = Talk([api.ShownPayment("TP9", "CAPTURED", f"{minor / 100:.2f}")])
    held = c.Approval(EUR, fingerprint="TP1")
    assert isinstance(talk.hold(c.Capture(NAME, amount, held)), c.Approved)
    assert talk.asked == [api.Capture("TP1", said)]


def test_a_capture_whose_answer_is_lost_is_nobodys_to_ask() -> None:
    talk = Talk([LOST])
    final = talk.hold(c.Capture(NAME, EUR, c.Approval(EUR, fingerprint="TP1")))
    assert isinstance(final, c.Unclear)
    assert final.only_a_person
    assert talk.count(api.Capture) == 1


def test_a_refund_names_what_it_gives_back() -> None:
    talk = Talk([api.ShownPayment("TP2", "REFUNDED", "-12.50", "", NAME)])
    final = talk.hold(c.Refund(NAME, EUR, c.Approval(EUR, fingerprint="TP1")))
    assert isinstance(final, c.Approved)
    assert final.approval.amount == EUR
    assert talk.asked == [
        api.Start(api.Kind.REFUND, "Lane 1", "12.50", "EUR", NAME, original="TP1")
    ]


def test_a_site_may_have_every_sale_held_first() -> None:
    settings = PosServerSettings("Lane 1", "EUR", sale="authorize_and_capture")
    talk = Talk([HELD, SHOWN], PosServerDialogue(settings, 60.0))
    assert isinstance(talk.hold(PAY), c.Approved)
    assert isinstance(talk.asked[0], api.Start)
    assert talk.asked[0].kind is api.Kind.AUTHORIZATION


@pytest.mark.parametrize(
    "operation",
    [
        c.Reverse(NAME, c.Approval(EUR, fingerprint="TP1"), EUR),
        c.Pay(NAME, c.Money(1250, "USD")),
        c.Pay(NAME, EUR, gift=True),
        c.LoadGift(NAME, EUR),
        c.Authorize(NAME, EUR, c.Approval(EUR, fingerprint="TP1")),
        c.EndOfDay(),
    ],
)
def test_what_the_server_does_not_offer_is_refused_before_it_is_asked(
    operation: c.Operation,
) -> None:
    talk = Talk([SHOWN])
    assert isinstance(talk.hold(operation), c.Failed)
    assert not talk.asked


def test_a_probe_says_what_stands_in_the_way() -> None:
    ready = Talk([api.Reachable()]).hold(c.Probe())
    assert ready == c.TerminalReady("Lane 1", currency="EUR")
    for told, code in (
        (api.Reachable("its schema has no terminalPayment"), "terminal_maintenance"),
        (NotApplied("log in", login_required=True), "terminal_not_logged_in"),
    ):
        final = Talk([told]).hold(c.Probe())
        assert isinstance(final, c.TerminalNotReady)
        assert final.code == code
    assert isinstance(Talk([NotApplied("no line")]).hold(c.Probe()), c.Unclear)


def test_no_order_of_answers_starts_or_captures_twice_or_says_no_with_money_held() -> None:
    answers: list[api.Told] = [
        *(GOES_ON, SHOWN, HELD, LOST, NotApplied("x"), Refused("NOT_AUTHORIZED", "")),
        *(api.ShownError("DECLINED"), api.ShownError("X")),
    ]
    finds: list[api.Told] = [api.NotOffered(), api.NotFound(), SHOWN, HELD]
    for *told, found in itertools.product(answers, answers, answers, finds):
        talk = Talk(list(told), found=found)
        final = talk.hold(PAY)
        assert talk.count(api.Start) == 1
        assert talk.count(api.Capture) <= 1
        if any(isinstance(one, c.Offered) for one in talk.events):
            assert isinstance(final, c.Approved | c.Unclear)
        stored: set[str] = set()
        for one in talk.order:
            stored.add(one)
            assert one != "Continue" or "Taken" in stored
            assert one != "Capture" or "Offered" in stored

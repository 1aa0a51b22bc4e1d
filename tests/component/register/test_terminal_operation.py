"""Terminal operations without money, and an end of day that is done once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.register import api as k
from bridge.register.commands.terminal_operation import (
    CHECK_SECONDS_MAX,
    OPERATION_SECONDS_MAX,
    OPERATIONS_OF_REGISTER_MAX,
    Keep,
    TerminalOperations,
)
from bridge.register.mqtt.messages import Delivery
from bridge.register.outbox import Outbox
from drivers import contract as c
from simulators.loop import run_virtual
from tests.support.till import EUR, Till, approval, open_till, pay

TERMINAL = "counter-1"
OPERATION = "018f6f50-0000-7000-8000-0000000000f1"
EVERYTHING = frozenset(
    {"totals", "reconcile", "display", "card_read", "balance", "diagnose", "last_transaction"}
    | {"self_test"}
)
ALL = c.Capabilities(EVERYTHING, "last_transaction", "any_time")


@dataclass(frozen=True, slots=True)
class Condition:
    """How the fake terminal is."""

    probes: int = 0
    can_take_payments: bool = True
    problem: str = ""
    problem_text: str = ""


class FakeTerminal:
    """Takes operations and answers when the test says so. It closes batches as a station does."""

    def __init__(self, till: Till, capabilities: c.Capabilities = ALL) -> None:
        self._till = till
        self.capabilities = capabilities
        self.state = Condition()
        self.operation_results: dict[str, c.FinalEvent] = {}
        self.waiting: list[tuple[str, c.TerminalOperation]] = []
        self.keepers: dict[str, Keep | None] = {}
        self.asked: list[c.TerminalOperation] = []
        self.refusal: RequestError | None = None

    def begin_operation(
        self, name: str, operation: c.TerminalOperation, keep: Keep | None = None
    ) -> None:
        """Take it, or refuse it."""
        if self.refusal is not None:
            raise self.refusal
        self.waiting.append((name, operation))
        self.keepers[name] = keep

    def drop_operation(self, name: str) -> bool:
        """Forget what has not begun."""
        before = len(self.waiting)
        self.waiting = [one for one in self.waiting if one[0] != name]
        return len(self.waiting) < before

    def ask_for_probe(self) -> int:
        """Probe at once."""
        self.state = replace(self.state, probes=self.state.probes + 1)
        return self.state.probes - 1

    async def begin(self) -> str:
        """Begin the next operation and return its name; its answer is not heard yet."""
        name, operation = self.waiting.pop(0)
        self.asked.append(operation)
        if isinstance(operation, c.EndOfDay) and operation.close:
            await self._till.ledger.batches.begin_close(TERMINAL, name)
        return name

    async def do(self, final: c.FinalEvent) -> None:
        """Do the next operation, with this answer."""
        name = await self.begin()
        keep = self.keepers[name]
        if keep is not None:  # in the conversation, before the terminal hears that we have it
            await keep(final)
        self.operation_results[name] = final

    @property
    def closes(self) -> int:
        """How often it was told to close its batch."""
        return sum(one == c.EndOfDay() for one in self.asked)


@dataclass(slots=True)
class Counter:
    """A register, its operations and its terminal."""

    till: Till
    terminal: FakeTerminal
    outbox: Outbox
    operations: TerminalOperations
    numbers: int = 0
    found: list[Any] = field(default_factory=list)

    def ask(
        self, model: type[k.AnyTerminalOperation], register_id: str = "till-1", **fields: Any
    ) -> dict[str, Any] | None:
        """Send a command; returns what is answered at once."""
        self.numbers += 1
        fields.setdefault("request_id", f"r-{self.numbers}")
        request = model.model_validate(fields)
        known = self.operations.begin(Delivery("", b""), register_id, request, TERMINAL)
        return known.model_dump(mode="json") if isinstance(known, k.Wire) else known

    async def answers(self) -> list[Any]:
        """Return the results of the commands that are answered now; codes of refusals."""
        return [_told(one.result) for one in await self.operations.finished()]

    async def reborn(self) -> None:
        """Kill the bridge and start it again; the terminal lives on."""
        await self.till.reborn()
        self.terminal.operation_results.clear()
        self.terminal.waiting.clear()
        self.outbox = Outbox(self.till.ledger.payments.something_changed.set)
        self.operations = TerminalOperations(
            self.till.ledger, {TERMINAL: self.terminal}, self.outbox
        )
        self.operations.recall()


def _told(result: k.Wire | dict[str, Any] | RequestError) -> Any:
    if isinstance(result, RequestError):
        return result.code
    return result.model_dump(mode="json") if isinstance(result, k.Wire) else result


Test = Callable[[Counter], Awaitable[None]]


def at_a_counter(folder: Path, test: Test, capabilities: c.Capabilities = ALL) -> None:
    """Run `test` in virtual time."""

    async def main() -> None:
        async with open_till(folder) as till:
            terminal = FakeTerminal(till, capabilities)
            outbox = Outbox(till.ledger.payments.something_changed.set)
            operations = TerminalOperations(till.ledger, {TERMINAL: terminal}, outbox)
            await test(Counter(till, terminal, outbox, operations))

    run_virtual(main)


@contextmanager
def refused(code: str) -> Iterator[None]:
    """Expect a refusal."""
    with pytest.raises(RequestError) as caught:
        yield
    assert caught.value.code == code


def closed(minor: int) -> c.BatchTotals:
    """Return a terminal's answer to a close."""
    line = c.TotalsLine("visa", 1, c.Money(minor, EUR))
    return c.BatchTotals(closed=True, total=c.Money(minor, EUR), lines=(line,))


def totals(minor: int) -> c.BatchTotals:
    """Return a terminal's totals while its batch is open."""
    return replace(closed(minor), closed=False)


reconcile = partial(Counter.ask, model=k.TerminalReconcile, operation_id=OPERATION)
NO_ANSWER = c.Unclear("no_answer")


# --- diagnosis, last transaction, balance


def test_what_a_terminal_cannot_do_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        for model in (k.TerminalDiagnose, k.TerminalLastTransaction, k.CardBalance):
            with refused("operation_not_supported"):
                counter.ask(model)
        assert counter.terminal.waiting == []
        counter.ask(k.TerminalLogin)
        assert (await counter.answers())[0]["answered"] is True

    at_a_counter(tmp_path, test, c.Capabilities(frozenset(), "none", "any_time"))


@pytest.mark.parametrize("passed", [True, False])
def test_a_diagnosis_is_told_whether_it_passed_or_not(tmp_path: Path, passed: bool) -> None:
    async def test(counter: Counter) -> None:
        assert counter.ask(k.TerminalDiagnose) is None
        await counter.terminal.do(c.Diagnosis(passed, "host", {"software": "1.2"}))
        found = {"terminal_id": TERMINAL, "passed": passed, "text": "host"}
        assert await counter.answers() == [found | {"facts": {"software": "1.2"}}]
        assert counter.terminal.asked == [c.Diagnose()]

    at_a_counter(tmp_path, test)


def test_a_last_transaction_is_told_with_the_payment_that_it_belongs_to(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        wanted = pay(1, 4790)
        await counter.till.done(wanted)
        await counter.till.ledger.accept(pay(2, 100, "S2"), p.Started(c.Baseline("")))
        told = replace(
            approval(wanted),
            transaction_id="118",
            trace="7",
            approval_code="481516",
            time_text="2026-11-23T12:00:00",
            card=c.Card("visa", "Visa", c.MaskedPan.of("************4242")),
        )
        counter.ask(k.TerminalLastTransaction)
        await counter.terminal.do(c.LastTransaction(told))
        (found,) = await counter.answers()
        assert found == {
            "terminal_id": TERMINAL,
            "payment_id": wanted.payment_id,
            "text": None,
            "amount": "47.90",
            "currency": "EUR",
            "poi_id": None,
            "transaction_id": "118",
            "trace": "7",
            "approval_code": "481516",
            "time_stamp": "2026-11-23T12:00:00",
            "payment_brand": "visa",
            "payment_brand_label": "Visa",
            "masked_pan": "************4242",
            "entry_mode": None,
        }

    at_a_counter(tmp_path, test)


def test_a_transaction_of_somebody_else_belongs_to_no_payment(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 4790))
        counter.ask(k.TerminalLastTransaction)
        await counter.terminal.do(c.LastTransaction(c.Approval(c.Money(4790, EUR), "T1/other")))
        (found,) = await counter.answers()
        assert (found["payment_id"], found["amount"]) == (None, "47.90")

    at_a_counter(tmp_path, test)


def test_the_offer_of_a_payment_in_doubt_is_recognized(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        wanted = pay(1, 4790)
        await counter.till.ledger.accept(wanted, p.Started(c.Baseline("")))
        await counter.till.ledger.apply(wanted.payment_id, c.Offered(approval(wanted)))
        await counter.till.ledger.apply(wanted.payment_id, c.Unclear("link_lost"))
        counter.ask(k.TerminalLastTransaction)
        await counter.terminal.do(c.LastTransaction(approval(wanted)))
        (found,) = await counter.answers()
        assert found["payment_id"] == wanted.payment_id

    at_a_counter(tmp_path, test)


def test_an_empty_memory_is_told_as_none(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        counter.ask(k.TerminalLastTransaction)
        await counter.terminal.do(c.LastTransaction(None, "no receipt"))
        (found,) = await counter.answers()
        told = {name: value for name, value in found.items() if value is not None}
        assert told == {"terminal_id": TERMINAL, "text": "no receipt"}

    at_a_counter(tmp_path, test)


def test_the_balance_of_a_card_at_the_terminal(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        counter.ask(k.CardBalance, deadline_s=30)
        await counter.terminal.do(c.CardBalance(c.Money(1234, EUR), c.Card(label="Gift")))
        (found,) = await counter.answers()
        assert (found["balance"], found["currency"]) == ("12.34", "EUR")
        assert found["payment_brand_label"] == "Gift"
        assert counter.terminal.asked == [c.ReadBalance(30)]

    at_a_counter(tmp_path, test)


# --- waiting


def test_what_nobody_waits_for_any_more_is_not_begun(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        counter.ask(k.CardRead)
        await asyncio.sleep(OPERATION_SECONDS_MAX + 1)
        assert await counter.answers() == ["terminal_busy"]
        assert counter.terminal.waiting == [], "no terminal lights up for nobody"
        assert counter.operations.next_at is None

    at_a_counter(tmp_path, test)


def test_a_terminal_that_is_not_heard_of_is_told_so_in_time(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        counter.ask(k.TerminalCheck)
        counter.terminal.state = Condition(probes=0)
        assert await counter.answers() == []
        await asyncio.sleep(CHECK_SECONDS_MAX)
        (found,) = await counter.answers()
        assert found["answered"] is False

    at_a_counter(tmp_path, test)


def test_a_command_that_is_repeated_while_it_waits_has_one_answer(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        counter.ask(k.TerminalDiagnose, request_id="same")
        counter.ask(k.TerminalDiagnose, request_id="same")
        assert len(counter.terminal.waiting) == 1
        await counter.terminal.do(c.Diagnosis(passed=True))
        assert len(await counter.answers()) == 1

    at_a_counter(tmp_path, test)


# --- end of day


def test_an_end_of_day_is_done_once_and_told_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        assert reconcile(counter) is None
        await counter.terminal.do(closed(5000))
        (first,) = await counter.answers()
        assert (first["closed"], first["compare"]["journal"]) == (True, "50.00")
        await counter.till.done(pay(2, 700, "S2"))
        assert reconcile(counter) == first
        assert reconcile(counter, register_id="till-2") == first
        assert counter.terminal.closes == 1
        await counter.reborn()
        assert reconcile(counter) == first
        assert counter.outbox.ends_of_day[TERMINAL].model_dump(mode="json") == first
        assert counter.terminal.waiting == []

    at_a_counter(tmp_path, test)


def test_two_who_ask_for_one_end_of_day_hear_the_same(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        reconcile(counter)
        reconcile(counter, register_id="till-2")
        await counter.terminal.do(closed(0))
        first, second = await counter.answers()
        assert first == second
        assert counter.terminal.closes == 1

    at_a_counter(tmp_path, test)


def test_another_name_is_another_end_of_day(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        for number in (1, 2):
            reconcile(counter, operation_id=f"018f6f50-0000-7000-8000-00000000000{number}")
            await counter.terminal.do(closed(0))
            assert len(await counter.answers()) == 1
        assert counter.terminal.closes == 2

    at_a_counter(tmp_path, test)


def test_without_a_name_the_request_counts_for_some_minutes(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        counter.ask(k.TerminalReconcile, request_id="r")
        await counter.terminal.do(closed(0))
        (first,) = await counter.answers()
        assert counter.ask(k.TerminalReconcile, request_id="r") == first
        assert counter.ask(k.TerminalReconcile, "till-2", request_id="r") is None
        await counter.terminal.do(closed(0))
        await counter.answers()
        for _ in range(700):
            counter.till.ledger.now()  # each look is a second later
        assert counter.ask(k.TerminalReconcile, request_id="r") is None
        assert len(counter.terminal.waiting) == 1

    at_a_counter(tmp_path, test)


def test_a_payment_after_the_close_is_in_the_next_batch_however_late_it_is_noted(
    tmp_path: Path,
) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        reconcile(counter)
        await counter.terminal.do(closed(5000))
        await counter.till.done(pay(2, 700, "S2"))  # the broker held the publisher up
        (first,) = await counter.answers()
        assert first["compare"]["journal"] == "50.00"
        counter.ask(k.TerminalTotals)
        await counter.terminal.do(totals(700))
        (second,) = await counter.answers()
        compared = second["compare"]
        assert (compared["terminal"], compared["journal"]) == ("7.00", "7.00")
        assert (compared["recorded"], compared["back_office"]) == ("0.00", None)

    at_a_counter(tmp_path, test)


@pytest.mark.parametrize("answer", [None, NO_ANSWER], ids=["killed", "no answer"])
def test_a_close_without_an_answer_is_unknown_until_totals_show_it(
    tmp_path: Path, answer: c.Unclear | None
) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        reconcile(counter)
        if answer is None:
            await counter.terminal.begin()
            await counter.reborn()
        else:
            await counter.terminal.do(answer)
            assert await counter.answers() == ["outcome_unknown"]
        await counter.till.done(pay(2, 700, "S2"))
        counter.ask(k.TerminalTotals)
        await counter.terminal.do(totals(700))
        (found,) = await counter.answers()
        assert found["compare"]["journal"] == "7.00"
        known = reconcile(counter)
        assert known is not None
        assert (known["closed"], known["status"]) == (True, "unknown")
        compared = known["compare"]
        assert (compared["terminal"], compared["journal"]) == (None, "50.00")
        assert (compared["books"], compared["back_office"]) == ("not_compared", None)
        retained = counter.outbox.ends_of_day[TERMINAL]
        assert retained.model_dump(mode="json") == known
        assert counter.terminal.closes == 1

    at_a_counter(tmp_path, test)


@pytest.mark.parametrize(
    ("now_minor", "closes"), [(0, 1), (5000, 2)], ids=["it was closed", "it was not"]
)
def test_the_same_end_of_day_again_looks_before_it_closes(
    tmp_path: Path, now_minor: int, closes: int
) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        reconcile(counter)
        await counter.terminal.begin()
        await counter.reborn()
        assert reconcile(counter) is None
        await counter.terminal.do(totals(now_minor))
        assert counter.terminal.asked[-1] == c.EndOfDay(close=False)
        answers = await counter.answers()
        if closes == 2:
            assert answers == []
            await counter.terminal.do(closed(5000))
            answers = await counter.answers()
        assert answers[0]["compare"]["journal"] == "50.00"
        assert counter.terminal.closes == closes
        assert reconcile(counter) == answers[0]

    at_a_counter(tmp_path, test)


def test_what_totals_cannot_tell_stays_unknown_and_the_next_day_goes_on(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        reconcile(counter)
        await counter.terminal.do(NO_ANSWER)  # an empty batch looks the same once it is closed
        assert await counter.answers() == ["outcome_unknown"]
        assert reconcile(counter) is None
        await counter.terminal.do(totals(0))
        assert await counter.answers() == ["outcome_unknown"]
        reconcile(counter, operation_id="018f6f50-0000-7000-8000-0000000000f2")
        await counter.terminal.do(totals(0))
        assert await counter.answers() == []
        await counter.terminal.do(closed(0))
        (found,) = await counter.answers()
        assert (found["closed"], found["status"]) == (True, "matched")

    at_a_counter(tmp_path, test)


@pytest.mark.parametrize(
    "answer",
    [c.Failed("9C", "host away", "host_unreachable"), c.Declined("9C", reason="host_unreachable")],
)
def test_a_close_that_was_refused_closed_nothing_and_may_be_asked_for_again(
    tmp_path: Path, answer: c.FinalEvent
) -> None:
    async def test(counter: Counter) -> None:
        reconcile(counter)
        await counter.terminal.do(answer)
        assert await counter.answers() == ["host_unreachable"]
        assert reconcile(counter) is None
        await counter.terminal.do(closed(0))
        assert (await counter.answers())[0]["closed"] is True
        assert counter.terminal.asked == [c.EndOfDay(), c.EndOfDay()]

    at_a_counter(tmp_path, test)


def test_what_was_not_begun_proves_nothing_about_an_earlier_attempt(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        reconcile(counter)
        await counter.terminal.do(NO_ANSWER)
        await counter.answers()
        reconcile(counter, operation_id="018f6f50-0000-7000-8000-0000000000f2")
        name, _ = counter.terminal.waiting.pop()
        gone = c.Failed("not_begun", "gone", "terminal_offline")
        counter.terminal.operation_results[name] = gone
        assert await counter.answers() == ["terminal_offline"]
        reconcile(counter)
        await counter.terminal.do(totals(0))
        (found,) = await counter.answers()
        assert (found["closed"], found["status"]) == (True, "unknown")

    at_a_counter(tmp_path, test)


def test_a_close_that_nobody_waits_for_any_more_is_noted_all_the_same(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        reconcile(counter)
        name = await counter.terminal.begin()
        await asyncio.sleep(OPERATION_SECONDS_MAX + 1)
        assert await counter.answers() == ["outcome_unknown"]
        counter.terminal.operation_results[name] = closed(5000)
        assert await counter.answers() == []
        known = reconcile(counter)
        assert known is not None
        assert known["compare"]["terminal"] == "50.00"

    at_a_counter(tmp_path, test)


def test_a_close_that_waited_too_long_is_not_begun(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        reconcile(counter)
        await asyncio.sleep(OPERATION_SECONDS_MAX + 1)
        assert await counter.answers() == ["terminal_busy"]
        assert counter.terminal.waiting == []

    at_a_counter(tmp_path, test)


def test_a_terminal_without_totals_is_closed_without_a_look(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        reconcile(counter)
        await counter.terminal.do(NO_ANSWER)
        assert await counter.answers() == ["outcome_unknown"]
        reconcile(counter, operation_id="018f6f50-0000-7000-8000-0000000000f2")
        await counter.terminal.do(closed(0))
        assert (await counter.answers())[0]["closed"] is True

    at_a_counter(tmp_path, test, replace(ALL, operations=EVERYTHING - {"totals"}))


def test_a_bridge_that_stops_begins_nothing_and_waits_for_a_close(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        reconcile(counter)
        counter.operations.draining = True
        assert reconcile(counter, register_id="till-2") is None, "the same one, under way"
        with refused("bridge_draining"):
            counter.ask(k.TerminalDiagnose)
        assert counter.operations.closing
        await counter.terminal.do(closed(0))
        first, _ = await counter.answers()
        assert not counter.operations.closing
        assert reconcile(counter) == first, "what is known is told to the end"

    at_a_counter(tmp_path, test)


def test_a_terminal_has_one_end_of_day_at_a_time(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        another = "018f6f50-0000-7000-8000-0000000000f2"
        reconcile(counter)
        with refused("terminal_busy"):
            reconcile(counter, operation_id=another)
        await counter.terminal.do(closed(0))
        assert len(await counter.answers()) == 1
        assert reconcile(counter, operation_id=another) is None

    at_a_counter(tmp_path, test)


def test_totals_that_were_read_before_a_close_say_nothing_about_it(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.till.done(pay(1, 5000))
        counter.ask(k.TerminalTotals)
        reconcile(counter)
        await counter.terminal.do(totals(5000))
        await counter.terminal.do(closed(5000))
        first, second = await counter.answers()
        assert (first["closed"], second["closed"]) == (False, True)
        assert reconcile(counter) == second

    at_a_counter(tmp_path, test)


def test_one_register_that_hammers_leaves_room_for_the_others(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        for _ in range(OPERATIONS_OF_REGISTER_MAX):
            counter.ask(k.CardRead)
        with refused("terminal_busy"):
            counter.ask(k.CardRead)
        assert counter.ask(k.TerminalDiagnose, "till-2") is None

    at_a_counter(tmp_path, test)


def test_what_another_version_told_is_no_reason_not_to_start(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        batches = counter.till.ledger.batches
        name = f"{TERMINAL} {OPERATION}"
        await batches.begin_close(TERMINAL, name)
        await batches.close(TERMINAL, c.Money(5000, EUR), name=name, answer='{"v": 9}')
        await counter.reborn()
        known = reconcile(counter)
        assert known is not None
        assert (known["closed"], known["status"]) == (True, "unknown")

    at_a_counter(tmp_path, test)


@pytest.mark.parametrize("keeps_books", [True, False])
def test_the_books_are_never_told_as_matched_by_our_own_word(
    tmp_path: Path, keeps_books: bool
) -> None:
    async def test(counter: Counter) -> None:
        counter.till.ledger._books = replace(counter.till.ledger._books, required=keeps_books)
        wanted = pay(1, 5000)
        await counter.till.done(wanted)
        if keeps_books:  # acknowledged, and lost there
            name = f"S012-{wanted.payment_id}"
            await counter.till.ledger.apply_purchase(name, s.Sending())
            await counter.till.ledger.apply_purchase(name, s.Recorded("P1"))
        reconcile(counter)
        await counter.terminal.do(closed(5000))
        (found,) = await counter.answers()
        assert found["status"] == "matched", "terminal and journal"
        reason = "not_asked" if keeps_books else "not_ours"
        assert found["compare"] == {
            "terminal": "50.00",
            "journal": "50.00",
            "recorded": "50.00" if keeps_books else None,
            "books": "not_compared",
            "back_office": None,
            "back_office_reason": reason,
        }

    at_a_counter(tmp_path, test)


def test_what_an_older_version_called_the_back_office_is_told_as_recorded(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        batches = counter.till.ledger.batches
        name = f"{TERMINAL} {OPERATION}"
        told = {
            "terminal_id": TERMINAL,
            "closed_at": "2026-11-23T20:00:00.000Z",
            "closed": True,
            "status": "matched",
            "currency": EUR,
            "compare": {"terminal": "50.00", "journal": "50.00", "back_office": "50.00"},
        }
        await batches.begin_close(TERMINAL, name)
        answer = json.dumps(told)
        await batches.close(TERMINAL, c.Money(5000, EUR), name=name, answer=answer)
        await counter.reborn()
        known = reconcile(counter)
        assert known is not None
        compared = known["compare"]
        assert (compared["recorded"], compared["back_office"]) == ("50.00", None)
        assert compared["books"] == "not_compared"

    at_a_counter(tmp_path, test)

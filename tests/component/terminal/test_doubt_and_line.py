"""What a station owes to a doubt before the next payment: its evidence, and a line of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from bridge.money import payment as p
from bridge.money.store.journal_entries import read_entries
from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import Profile
from tests.support.counter import KINDS, Counter, at_a_counter, plan, trouble
from tests.support.virtual_store import CODEC

BY_NAME = {kind.name: kind for kind in KINDS}
FORGETFUL = replace(
    BY_NAME["zvt-tcp"],
    terminal=partial(ZvtTerminal, kind="tcp", profile=Profile(repeat_receipt_empty=True)),
)
PLEASE_WAIT = 0x9C


def test_a_doubt_loses_its_evidence_on_disk_before_the_next_payment_is_sent(
    tmp_path: Path,
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("unplug", "status", seconds=2))
        doubtful = await counter.start("20.40")

        def person_called() -> bool:
            doubt = counter.payment(doubtful).doubt
            return doubt is not None and doubt.needs_operator

        await counter.until(person_called, "a person")
        await counter.ready()
        later = await counter.start("5.00")
        await counter.end_of(later)
        doubt = counter.payment(doubtful).doubt
        assert doubt is not None
        assert doubt.evidence_lost
        connection = counter.life.journal._connection
        lost = [
            one.seq
            for one in read_entries(connection, CODEC, doubtful)
            if isinstance(one.event, p.EvidenceLost)
        ]
        sent = [
            one.seq
            for one in read_entries(connection, CODEC, later)
            if isinstance(one.event, p.Started)
        ]
        assert lost
        assert max(lost) < min(sent), "after a crash in between nobody would ask the wrong memory"

    at_a_counter(FORGETFUL, tmp_path, visit)


def test_a_line_that_held_a_doubt_is_given_up_before_anything_else_is_said(tmp_path: Path) -> None:
    """What is left in it of the old conversation is never an answer to the next one."""

    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(outcome="refuse", code=PLEASE_WAIT))
        opened = counter.opened
        payment_id = await counter.start("20.40")
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        written = bytes(counter.written)
        await counter.until(lambda: counter.written != written, "a question")
        assert counter.opened > opened

    at_a_counter(BY_NAME["zvt-tcp"], tmp_path, visit)


def test_a_terminal_that_asks_to_wait_and_stays_silent_did_not_begin(tmp_path: Path) -> None:
    """Its store is empty: the register may try again with a new id."""

    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(outcome="refuse", code=PLEASE_WAIT))
        payment_id = await counter.start("20.40")
        payment = await counter.end_of(payment_id)
        assert (payment.status, payment.resolved_by) == (p.Status.FAILED, "terminal")
        assert payment.denial is not None
        assert payment.denial.code == "terminal_busy"
        assert bytes(counter.written).count(b"\x06\x01\x0a") == 1
        assert counter.taken_minor() == 0
        again = await counter.end_of(await counter.start("20.40"))
        assert again.status is p.Status.APPROVED

    at_a_counter(BY_NAME["zvt-tcp"], tmp_path, visit)


def test_a_refusal_with_data_is_a_fault_before_any_card(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(outcome="refuse", code=0x1E, refuse_data=0x7D))
        payment = await counter.end_of(await counter.start("20.40"))
        assert payment.status is p.Status.FAILED
        assert payment.denial is not None
        assert (payment.denial.code, payment.denial.terminal_code) == ("terminal_fault", "1E")

    at_a_counter(BY_NAME["zvt-serial"], tmp_path, visit)


def test_an_abort_about_our_stop_and_an_empty_memory_leave_a_booked_payment_in_doubt(
    tmp_path: Path,
) -> None:
    """The terminal books, the line drops; later 06 B0 is answered with 06 1E 01 6C."""
    profile = Profile(aborts_when_idle=True, repeat_receipt_empty=True)
    kind = replace(BY_NAME["zvt-tcp"], terminal=partial(ZvtTerminal, kind="tcp", profile=profile))

    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("unplug", "status", seconds=10))
        payment_id = await counter.start("20.40")
        await counter.until(
            lambda: (
                (doubt := counter.payment(payment_id).doubt) is not None and doubt.needs_operator
            ),
            "a person",
        )
        assert counter.taken_minor() == 2040
        assert counter.payment(payment_id).status is p.Status.IN_DOUBT
        assert (await counter.end_of(payment_id)).status is p.Status.APPROVED, "by the slip"

    at_a_counter(kind, tmp_path, visit)

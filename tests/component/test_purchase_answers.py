"""A person's word on purchases: one or many, mended or as they are, and what changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.backoffice.purchase_recorder import purchase_of
from bridge.errors import RequestError
from bridge.money import purchase as s
from bridge.money.ledger import Ledger
from bridge.money.store.records import fold_purchase
from bridge.purchase_answers import (
    ANSWERS_MAX,
    Answer,
    PurchaseAnswers,
    Selection,
    signed,
    worth_minor,
)
from drivers.contract import Money
from tests.component.money.test_ledger import Disk, paid, request

STORE = "S012"
TWO_LINES = s.SaleDetails(
    Money(4790, "EUR"),
    (s.SaleLine(1, "A", "1", "each", "", 4000), s.SaleLine(2, "B", "1", "each", "", 790)),
    member_id="M1",
)
REJECTED = s.Refused("VALIDATION", "no such store", "storeCode")


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        found = Disk(tmp_path / "journal.sqlite", executor)
        yield found
        found.close()


async def waiting(ledger: Ledger, number: int, end: s.PurchaseEvent) -> str:
    """Return the transaction id of a purchase whose attempt ended so."""
    payment_id = await paid(ledger, request(number, f"S{number}", sale=TWO_LINES))
    name = f"{STORE}-{payment_id}"
    await ledger.apply_purchase(name, s.Sending())
    await ledger.apply_purchase(name, end)
    return name


def state_of(ledger: Ledger, name: str) -> str:
    found = ledger.payments.purchase(name)
    assert found is not None
    return found.purchase.state.value


async def refused(answering: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await answering  # type: ignore[misc]
    return caught.value


MEND = s.Mended("anna", "the store has moved", "S021", ((2, "B-NEW"),), "M2")


async def test_a_mended_purchase_is_sent_so_under_its_id_also_after_a_crash(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, REJECTED)
    before = ledger.payments.purchase(name)
    assert before is not None
    ledger.payments.take_pending_purchases()
    await PurchaseAnswers(ledger).mend(name, MEND)
    assert ledger.payments.take_pending_purchases() == [name]
    again = await disk.reborn()  # nothing was sent in between
    after = again.payments.purchase(name)
    assert after is not None
    assert again.payments.take_pending_purchases() == [name]
    sent, first = purchase_of(after.purchase.content), purchase_of(before.purchase.content)
    first_line, second_line = first.lines
    mended_lines = (first_line, replace(second_line, sku="B-NEW"))
    assert sent == replace(first, store_code="S021", member_id="M2", lines=mended_lines)
    assert sent.transaction_id == name
    entries = await disk.journal().entries_of(name)
    assert fold_purchase(entries[:1]).purchase.content == before.purchase.content
    (mended,) = (one for one in entries if isinstance(one.event, s.Mended))
    assert isinstance(mended.event, s.Mended)
    assert (mended.event.by, mended.event.why) == ("anna", "the store has moved")
    assert mended.at


async def test_what_may_be_in_the_books_is_never_mended(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, s.Unproven("time out"))
    error = await refused(PurchaseAnswers(ledger).mend(name, MEND))
    assert error.code == "not_allowed"
    assert "may be in the books" in str(error)
    await ledger.apply_purchase(name, s.Answered("anna", send_again=True))
    assert (await refused(PurchaseAnswers(ledger).mend(name, MEND))).code == "not_allowed"
    await ledger.apply_purchase(name, s.Sending())
    assert (await refused(PurchaseAnswers(ledger).mend(name, MEND))).code == "not_allowed"
    assert state_of(ledger, name) == "sending"
    await ledger.apply_purchase(name, s.Recorded("P1"))
    assert (await refused(PurchaseAnswers(ledger).mend(name, MEND))).code == "not_allowed"
    unknown = await refused(PurchaseAnswers(ledger).mend("S012-nobody", MEND))
    assert unknown.code == "payment_not_found"


@pytest.mark.parametrize(
    ("mend", "path"),
    [
        (replace(MEND, by=" "), "by"),
        (replace(MEND, why=""), "why"),
        (replace(MEND, why="two\nlines"), "why"),
        (replace(MEND, store_code=" S021"), "store_code"),
        (replace(MEND, store_code="S" * 65), "store_code"),
        (replace(MEND, member_id="M\x1b[2J"), "member_id"),
        (replace(MEND, skus=((7, "B"),)), "skus.7"),
        (replace(MEND, skus=((2, ""),)), "skus.2"),
        (replace(MEND, skus=((2, "C"), (2, "D"))), "skus"),
        (s.Mended("anna", "nothing"), ""),
        (s.Mended("anna", "the same", STORE, ((2, "B"),), "M1"), ""),
    ],
)
async def test_a_mend_that_says_nothing_good_names_its_field(
    disk: Disk, mend: s.Mended, path: str
) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, REJECTED)
    error = await refused(PurchaseAnswers(ledger).mend(name, mend))
    assert (error.code, error.path) == ("invalid_request", path)
    assert state_of(ledger, name) == "rejected"


async def test_a_mended_purchase_that_is_rejected_again_can_be_mended_again(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, REJECTED)
    answers = PurchaseAnswers(ledger)
    await answers.mend(name, MEND)
    await ledger.apply_purchase(name, s.Sending())
    await ledger.apply_purchase(name, REJECTED)
    after = await answers.mend(name, s.Mended("bert", "left us", member_id=""))
    assert (after.purchase.content.store_code, after.purchase.mended_by) == ("S021", "bert")
    assert after.purchase.content.sale.member_id == ""


async def test_only_what_was_looked_at_is_mended_or_answered(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, REJECTED)
    answers = PurchaseAnswers(ledger)
    (seen,) = answers.select(Selection()).purchases
    await answers.mend(name, MEND, seen_rev=seen.rev)
    await ledger.apply_purchase(name, s.Sending())
    await ledger.apply_purchase(name, REJECTED)  # rejected as before, and not as it was seen
    for answering in (
        answers.mend(name, MEND, seen_rev=seen.rev),
        answers.answer(Answer(name, "P1", seen.rev), "anna"),
    ):
        error = await refused(answering)
        assert (error.code, "changed" in str(error)) == ("not_allowed", True)
    assert state_of(ledger, name) == "rejected"


class SlowOffice:
    """A back office that takes its time to look a record up; meanwhile something happens."""

    def __init__(self, meanwhile: object = None) -> None:
        self.meanwhile = meanwhile
        self.at_once = self.most = self.asked = 0

    async def purchase_exists(self, record_id: str, transaction_id: str = "") -> bool | None:
        """Say that it is there, or not if it is called P-none."""
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        if self.meanwhile is not None:
            await self.meanwhile  # type: ignore[misc]
        self.at_once -= 1
        return record_id != "P-none" and transaction_id != ""


async def test_two_who_answer_at_once_do_not_overrule_each_other(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, s.Unproven("time out"))
    other = PurchaseAnswers(ledger).answer(Answer(name, "P-7"), "bert")
    slow = PurchaseAnswers(ledger, SlowOffice(other))
    error = await refused(slow.answer(Answer(name, "P-1"), "anna"))
    assert error.code == "not_allowed"
    found = ledger.payments.purchase(name)
    assert found is not None
    assert (found.purchase.record_id, found.purchase.answered_by) == ("P-7", "bert")


async def test_many_are_answered_each_for_itself(disk: Disk) -> None:
    ledger = disk.ledger()
    names = [await waiting(ledger, n, s.Unproven("time out")) for n in range(1, 6)]
    names.append(await waiting(ledger, 6, REJECTED))
    office = SlowOffice()
    answers = PurchaseAnswers(ledger, office)
    shown = {
        o.purchase.content.transaction_id: o.rev for o in answers.select(Selection()).purchases
    }
    await answers.answer(Answer(names[2], ""), "bert")  # meanwhile
    ids = ["P1", "", "", "P-none", "P5", ""]
    wanted = [Answer(name, id_, shown[name]) for name, id_ in zip(names, ids, strict=True)]
    done = await answers.answer_all(wanted, "anna", "looked up after the outage")
    assert [one.error.path if one.error else "" for one in done] == [
        *("", "", "payment_id", "record_id", "", "")
    ]
    states = [state_of(ledger, name) for name in names]
    assert states == ["recorded", "pending", "pending", "unconfirmed", "recorded", "pending"]
    said = [e.event for e in await disk.journal().entries_of(names[0])]
    assert said[-1] == s.Answered("anna", "P1", False, "found", "looked up after the outage")
    third = [e.event for e in await disk.journal().entries_of(names[2])]
    assert [one.by for one in third if isinstance(one, s.Answered)] == ["bert"]
    assert office.most <= 8


async def test_many_answers_are_refused_whole_where_they_make_no_sense(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, s.Unproven("time out"))
    payment_id = name.removeprefix(f"{STORE}-")
    answers = PurchaseAnswers(ledger)
    for wanted, by, why in (
        ([], "anna", "because"),
        ([Answer(name)] * (ANSWERS_MAX + 1), "anna", "because"),
        ([Answer(name), Answer(payment_id, "P1")], "anna", "because"),
        ([Answer(name)], "", "because"),
        ([Answer(name)], "anna", " "),
    ):
        error = await refused(answers.answer_all(wanted, by, why))
        assert error.code == "invalid_request"
    (nobody,) = await answers.answer_all([Answer("S012-nobody")], "anna", "because")
    assert nobody.error is not None
    assert nobody.error.code == "payment_not_found"
    assert state_of(ledger, name) == "unconfirmed"


async def test_what_a_person_answered_is_not_corrected_among_many(disk: Disk) -> None:
    ledger = disk.ledger()
    name = await waiting(ledger, 1, s.Unproven("time out"))
    answers = PurchaseAnswers(ledger)
    await answers.answer(Answer(name, "P-7"), "bert")
    (done,) = await answers.answer_all([Answer(name)], "anna", "because")
    assert done.error is not None
    assert state_of(ledger, name) == "recorded"


async def test_a_selection_shows_what_waits_and_what_it_is_worth(disk: Disk) -> None:
    ledger = disk.ledger()
    lost = await waiting(ledger, 1, s.Unproven("time out"))
    bad = await waiting(ledger, 2, REJECTED)
    await paid(ledger, request(3, "S3"))  # pending: nobody is asked about it
    answers = PurchaseAnswers(ledger)

    def found(**wish: object) -> list[str]:
        shown = answers.select(Selection(**wish))  # type: ignore[arg-type]
        return [one.purchase.content.transaction_id for one in shown.purchases]

    both = answers.select(Selection(names=(lost, request(2).payment_id, "nobody")))
    assert [o.purchase.content.transaction_id for o in both.purchases] == [lost, bad]
    assert (both.sums, both.left_out, both.unknown) == ({"EUR": "95.80"}, 0, ("nobody",))
    assert found(states=frozenset({s.PurchaseState.UNCONFIRMED})) == [lost]
    assert found(states=frozenset({s.PurchaseState.PENDING})) == []
    assert found(since="2026-11-23") == [lost, bad]
    assert found(since="2026-11-23T12:00:01") == []
    assert found(until="2026-11-23") == []
    assert found(until="2026-11-24", store_code=STORE) == [lost, bad]
    assert found(store_code="S099") == []


def test_what_was_given_back_is_subtracted() -> None:
    due = s.settle_return(
        *("till-1/S1", "p1", Money(790, "EUR")),
        label="VISA",
        returned_at="2026-11-23T12:00:00",
        store_code=STORE,
        summary_sku="CARD",
    )
    assert signed(worth_minor(due.content), "EUR") == "-7.90"

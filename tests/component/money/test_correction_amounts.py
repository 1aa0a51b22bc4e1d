"""A correction takes out of the books what they have of a payment, to the cent, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.ledger import Ledger
from drivers import contract as c
from tests.component.money.test_corrections import PAYMENT, booked_minor, corrected, recorded
from tests.component.money.test_follow_ups import follow_up
from tests.component.money.test_ledger import EUR, SALE, Disk, approval, request


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def disk(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "journal.sqlite", executor)
    yield disk
    disk.close()


async def answered_as_paid(
    ledger: Ledger, wanted: p.PaymentRequest, offer: c.Approval | None = None
) -> None:
    await ledger.accept(wanted, p.Started(c.Baseline("")))
    if offer is not None:
        await ledger.apply(PAYMENT, c.Offered(offer))
    await ledger.apply(PAYMENT, c.Unclear("link_lost"))
    await ledger.apply(PAYMENT, p.Resolved("approved", "anna", "481516"))
    await recorded(ledger, f"S012-{PAYMENT}", "P1")


@pytest.mark.parametrize("tip_sku", ["", "TIP"], ids=["tips are left out", "tips are booked"])
@pytest.mark.parametrize(
    ("wanted", "offer"),
    [
        (request(1, "S1", 5290, sale=SALE, tip=c.Money(500, EUR)), None),
        (
            request(1, "S1", 4790, sale=SALE),
            replace(approval(4920), surcharge=c.Money(130, EUR)),
        ),
        (
            request(1, "S1", 4790, sale=SALE),
            replace(approval(9790), cash_back=c.Money(5000, EUR)),
        ),
        (request(1, "S1", 4790, sale=SALE), replace(approval(5290), tip=c.Money(500, EUR))),
    ],
    ids=["an ordered tip", "a surcharge", "cash-back", "a tip at the terminal"],
)
async def test_a_correction_takes_out_of_the_books_what_they_have_of_it(
    disk: Disk, wanted: p.PaymentRequest, offer: c.Approval | None, tip_sku: str
) -> None:
    ledger = disk.ledger(tip_sku=tip_sku)
    await answered_as_paid(ledger, wanted, offer)
    before = booked_minor(ledger)
    assert before >= 4790
    await corrected(ledger, "not_charged")
    assert booked_minor(ledger) == 0
    await recorded(ledger, f"S012-{PAYMENT}-c1", "P2")
    await corrected(ledger, "approved", by="carl")
    assert booked_minor(ledger) == before, "and back again"


async def test_a_refund_that_never_was_puts_back_what_it_had_taken_out_of_the_books(
    disk: Disk,
) -> None:
    ledger = disk.ledger()
    tipped = request(1, "S1", 5290, sale=SALE, tip=c.Money(500, EUR))
    await ledger.accept(tipped, p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Approved(approval(5290)))
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    wanted = follow_up(2, p.PaymentType.REFUND, 5290)
    await ledger.accept(wanted, p.Started(c.Baseline("T1/1")))
    await ledger.apply(wanted.payment_id, c.Unclear("link_lost"))
    await ledger.apply(wanted.payment_id, p.Resolved("approved", "anna", "481516"))
    name = f"S012-{wanted.payment_id}"
    taken_out = ledger.payments.purchase(name)
    assert taken_out is not None
    assert taken_out.purchase.content.sale.refund_minor == 4790, "the books never had the tip"
    await recorded(ledger, name, "P2")
    await ledger.apply(wanted.payment_id, p.Corrected(p.OperatorAnswer("not_charged", "bert")))
    put_back = ledger.payments.purchase(f"{name}-c1")
    assert put_back is not None
    assert put_back.purchase.content.pay_amount == c.Money(4790, EUR)


async def tip_answered_as_paid(ledger: Ledger, *, recorded_before: bool) -> str:
    """Have a person call a tip of 5.00 approved, before or after its sale is in the books."""
    await ledger.accept(request(1, "S1", sale=SALE), p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Approved(approval()))
    if recorded_before:
        await recorded(ledger, f"S012-{PAYMENT}", "P1")
    wanted = follow_up(2, p.PaymentType.TIP_ADJUST, 500)
    await ledger.accept(wanted, p.Started(c.Baseline("T1/1")))
    await ledger.apply(wanted.payment_id, c.Unclear("link_lost"))
    await ledger.apply(wanted.payment_id, p.Resolved("approved", "anna", "481516"))
    return wanted.payment_id


async def test_a_tip_that_is_corrected_twice_is_booked_once(disk: Disk) -> None:
    ledger = disk.ledger(tip_sku="TIP")
    tip = await tip_answered_as_paid(ledger, recorded_before=True)
    names = [f"S012-{tip}", f"S012-{tip}-c1", f"S012-{tip}-c2"]
    await recorded(ledger, names[0], "P2")
    for number, outcome in ((1, "not_charged"), (2, "approved")):
        said = p.OperatorAnswer(
            "approved" if outcome == "approved" else "not_charged", "bert", "481516"
        )
        await ledger.apply(tip, p.Corrected(said))
        await recorded(ledger, names[number], f"P{number + 2}")
    again = await disk.reborn()
    contents = [
        one.purchase.content for name in names if (one := again.payments.purchase(name)) is not None
    ]
    assert [one.pay_amount.minor - one.sale.refund_minor for one in contents] == [500, -500, 500]


async def test_a_tip_that_was_booked_with_its_sale_is_taken_out_when_it_never_was(
    disk: Disk,
) -> None:
    ledger = disk.ledger(tip_sku="TIP")
    first = request(1, "S1", lines_later=True)
    await ledger.accept(first, p.Started(c.Baseline("")))
    await ledger.apply(PAYMENT, c.Approved(approval()))
    tip = follow_up(2, p.PaymentType.TIP_ADJUST, 500)
    await ledger.accept(tip, p.Started(c.Baseline("T1/1")))
    await ledger.apply(tip.payment_id, c.Unclear("link_lost"))
    await ledger.apply(tip.payment_id, p.Resolved("approved", "anna", "481516"))
    await ledger.attach("till-1/S1", SALE)
    sale = ledger.payments.purchase(f"S012-{PAYMENT}")
    assert sale is not None
    assert sale.purchase.content.pay_amount == c.Money(5290, EUR)
    await recorded(ledger, f"S012-{PAYMENT}", "P1")
    await ledger.apply(tip.payment_id, p.Corrected(p.OperatorAnswer("not_charged", "bert")))
    taken_out = ledger.payments.purchase(f"S012-{tip.payment_id}-c1")
    assert taken_out is not None
    assert taken_out.purchase.content.sale.refund_minor == 500

"""The copy that searches go to says what the journal says, whatever happened to a payment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.reports.outcome import Outcome
from bridge.reports.payment_index import PaymentIndex, PaymentQuery
from bridge.settings import JOURNAL_NAME
from tests.support.shop import Shop, in_a_shop, payment_id


def open_index(folder: Path) -> PaymentIndex:
    return PaymentIndex(folder / JOURNAL_NAME, folder / "index.sqlite")


async def done(shop: Shop, number: int, operation: str = "payment/start", **fields: object) -> None:
    moment = shop.now().strftime("%Y-%m-%dT%H:%M:%S")
    soon = f"{moment[:17]}59Z"
    if operation == "payment/start":
        amounts = {"currency": "EUR", "requested_amount": fields.pop("amount", "47.90")}
        fields["amounts"] = amounts
    answer = await shop.ask(
        "till-1", operation, payment_id=payment_id(number), expires_at=soon, **fields
    )
    assert answer["status"] != "error", answer
    while not shop.ledger.payments[payment_id(number)].payment.is_final:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.2)
    await asyncio.sleep(2.0)


def test_what_came_in_and_went_out_adds_up_to_what_the_journal_took(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await done(shop, 1, amount="47.90", sale_id="A")
        await done(shop, 2, amount="12.40", sale_id="B")
        await done(shop, 3, "payment/void", original_payment_id=payment_id(2))
        await done(shop, 4, amount="30.00", sale_id="C")
        back = {"amounts": {"currency": "EUR", "requested_amount": "8.00"}}
        await done(shop, 5, "payment/refund", original_payment_id=payment_id(4), **back)
        await done(shop, 6, amount="60.00", sale_id="D", type="preauth")
        taken = {"amounts": {"currency": "EUR", "requested_amount": "20.00"}}
        await done(shop, 7, "payment/capture", original_payment_id=payment_id(6), **taken)

        index = open_index(tmp_path)
        found = index.search(PaymentQuery())
        index.close()
        outcomes = {one.payment_id: one.outcome for one in found.rows}
        assert [outcomes[payment_id(number)] for number in range(1, 8)] == [
            *(Outcome.PAID, Outcome.VOIDED, Outcome.UNDONE, Outcome.PAID),
            *(Outcome.REFUNDED, Outcome.HOLD_USED, Outcome.PAID),
        ]
        (sums,) = found.sums
        assert (sums.came_in, sums.went_out, sums.net) == (11030, 2040, 8990)
        assert sums.net == shop.terminals["counter-1"].ledger.taken_minor()

    in_a_shop(tmp_path, test)


def test_the_copy_follows_in_steps_and_forgets_what_is_forgotten(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        for number in range(1, 6):
            await done(shop, number, sale_id=f"S-{number}")
        index = open_index(tmp_path)
        assert index.catch_up(2) > 0, "one step takes in two payments"
        while index.catch_up(2):
            pass
        found = index.search(PaymentQuery())
        assert found.count == 5
        assert found.behind == 0
        last4 = found.rows[0].last4
        assert index.search(PaymentQuery(last4=last4)).count == 5
        index.close()

        again = open_index(tmp_path)
        await done(shop, 6, sale_id="S-6")
        assert again.search(PaymentQuery()).count == 6, "an old copy goes on"
        older = again.search(PaymentQuery(before=_place(again, 3)), 2)
        assert [one.sale_id for one in older.rows] == ["S-2", "S-1"]
        assert not older.more
        again.close()

    in_a_shop(tmp_path, test)


def _place(index: PaymentIndex, number: int) -> tuple[str, str]:
    (row,) = index.search(PaymentQuery(sale_id=f"S-{number}")).rows
    return row.created_at, row.payment_id


def test_a_copy_of_a_longer_journal_is_thrown_away(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await done(shop, 1)
        index = open_index(tmp_path)
        assert index.search(PaymentQuery()).count == 1
        copy = index._copy()
        copy.execute("update progress set up_to=999999")
        copy.execute(
            "insert into payment select 'ghost',created_at,register_id,terminal_id,"
            "sale_id,type,outcome,recording,currency,asked_minor,moved_minor,brand,last4,"
            "approval_code,is_open from payment"
        )
        index.close()
        again = open_index(tmp_path)
        assert [one.payment_id for one in again.search(PaymentQuery()).rows] == [payment_id(1)]
        again.close()

    in_a_shop(tmp_path, test)


def test_a_copy_of_a_journal_that_was_put_back_and_went_on_is_thrown_away(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await done(shop, 1)
        index = open_index(tmp_path)
        assert index.search(PaymentQuery()).count == 1
        copy = index._copy()
        copy.execute("update progress set up_to_at='2026-11-01T00:00:00.000Z'")
        copy.execute("update payment set outcome='declined'")
        index.close()
        again = open_index(tmp_path)
        assert [one.outcome for one in again.search(PaymentQuery()).rows] == [Outcome.PAID]
        again.close()

    in_a_shop(tmp_path, test)

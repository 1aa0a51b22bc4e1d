"""One sale, from the register's command over a serial line to the books, on real parts."""

from __future__ import annotations

import uuid

import pytest

from tests.end_to_end.parts import Store, plan
from tests.support.commands import start_fields

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio(loop_scope="module")]


async def test_an_approved_sale_is_published_and_recorded_once(shared_store: Store) -> None:
    store, before = shared_store, len(shared_store.terminal_ledger())
    payment_id = await store.till.start("47.90", sale_id="T3-0118")
    document = await store.till.recorded(payment_id)
    assert document["status"] == "approved"
    assert document["funds"] == "captured"
    assert document["amounts"]["captured_amount"] == "47.90"
    assert [one.kind for one in store.terminal_ledger()[before:]] == ["approved", "committed"]
    (purchase,) = await store.office.purchases(payment_id)
    assert purchase["payAmount"] == "47.90"
    # A payment that is over at once may be told in one word.
    assert store.till.statuses(payment_id) in (["in_progress", "approved"], ["approved"])


async def test_a_declined_sale_is_told_with_its_reason_and_not_recorded(
    shared_store: Store,
) -> None:
    store = shared_store
    await store.shopper(plan(outcome="decline", code=0x33, text="Guthaben zu gering"))
    payment_id = await store.till.start("10.00")
    document = await store.till.status(payment_id, "declined")
    assert document["funds"] == "none"
    assert document["error"]["money_moved"] == "no"
    assert document["recording"]["status"] == "not_required"
    assert store.terminal_ledger()[-1].kind == "declined"
    assert await store.office.purchases(payment_id) == []
    await store.till.ready()


async def test_a_sale_is_canceled_while_no_card_is_presented(shared_store: Store) -> None:
    store = shared_store
    before = len(store.terminal_ledger())
    await store.shopper(plan(seconds_to_card=60))
    payment_id = await store.till.start("11.00")
    await store.till.document(payment_id, lambda d: d["stage"] == "waiting_for_card")
    answer = await store.till.ask("payment/cancel", {"payment_id": payment_id})
    assert answer["status"] == "accepted"
    document = await store.till.status(payment_id, "canceled")
    assert document["cancel_reason"] == "cashier"
    assert "approved" not in [one.kind for one in store.terminal_ledger()[before:]]
    assert await store.office.purchases(payment_id) == []
    await store.till.ready()


async def test_a_cancel_that_comes_too_late_says_that_money_moved(shared_store: Store) -> None:
    store = shared_store
    payment_id = await store.till.start("13.00")
    await store.till.status(payment_id, "approved")
    answer = await store.till.ask("payment/cancel", {"payment_id": payment_id})
    assert answer["error"]["code"] == "too_late_to_cancel"
    assert answer["error"]["money_moved"] == "yes"


async def test_the_same_command_twice_takes_the_money_once(shared_store: Store) -> None:
    store, before = shared_store, len(shared_store.terminal_ledger())
    fields = start_fields(str(uuid.uuid4()), "14.00")
    requests = [await store.till.send("payment/start", fields) for _ in range(3)]
    answers = [await store.till.response(one) for one in requests]
    assert [one["duplicate"] for one in answers] == [False, True, True]
    await store.till.recorded(fields["payment_id"])
    again = await store.till.ask("payment/start", fields)
    assert (again["duplicate"], again["payment_status"]) == (True, "approved")
    assert [one.kind for one in store.terminal_ledger()[before:]] == ["approved", "committed"]
    assert len(await store.office.purchases(fields["payment_id"])) == 1


async def test_the_same_id_with_another_amount_is_a_conflict(shared_store: Store) -> None:
    store = shared_store
    payment_id = await store.till.start("15.00")
    await store.till.recorded(payment_id)
    before = len(store.terminal_ledger())
    answer = await store.till.ask("payment/start", start_fields(payment_id, "15.01"))
    assert answer["error"]["code"] == "idempotency_conflict"
    told = (answer["error"]["retry"], answer["error"]["money_moved"])
    assert told == ("after_check", "yes"), "of the payment that this id names"
    assert len(store.terminal_ledger()) == before


async def test_documents_are_emptied_once_the_register_has_acknowledged(
    shared_store: Store,
) -> None:
    store = shared_store
    payment_id = await store.till.start("16.00")
    document = await store.till.recorded(payment_id)
    assert document["receipts"], "the terminal printed two"
    answer = await store.till.ask(
        "payment/acknowledge", {"payment_id": payment_id, "rev": document["rev"]}
    )
    assert answer["status"] == "ok"
    prefix = store.till.prefix
    topics = {
        f"{prefix}/payments/{payment_id}",
        f"{prefix}/receipts/{payment_id}/customer",
        f"{prefix}/receipts/{payment_id}/merchant",
    }
    await store.till.until(
        lambda: topics <= {one.topic for one in store.till.heard if not one.payload} or None,
        "emptied topics",
    )
    assert store.story(payment_id) is not None, "the journal keeps what the broker forgets"


async def test_no_card_number_leaves_the_terminal_whole(shared_store: Store) -> None:
    store = shared_store
    await store.shopper(plan(whole_pan=True, brand="visa"))
    payment_id = await store.till.start("17.00")
    document = await store.till.recorded(payment_id)
    assert document["card"]["masked_pan"].endswith("4242")
    number = b"4242424242424242"
    assert not [one.topic for one in store.till.heard if number in one.payload]
    assert number.decode() not in store.bridge.log
    for file in (store.folder / "state").iterdir():
        if file.is_file():
            assert number not in file.read_bytes(), file.name

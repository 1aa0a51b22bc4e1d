"""Gift cards and split payments, from the register's command to the books, on real parts."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest

from simulators.back_office.resolvers import TILL_PERMISSIONS
from tests.end_to_end.parts import Store, plan
from tests.support.commands import start_fields

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio(loop_scope="module")]

Json = dict[str, Any]
NUMBERS = itertools.count(1)
PIN = "8642"
CLIENT = "paybridge-server"  # who logs in where no person does


async def new_card(store: Store, balance: str) -> Json:
    """Issue a card nobody has used, and return what a register says of it."""
    code = f"63962100{next(NUMBERS):08d}"
    await store.office.control({"do": "gift_card", "code": code, "pin": PIN, "balance": balance})
    return {"stored_value_id": code, "pin": PIN}


async def effects(store: Store, payment_id: str) -> list[str]:
    """Return what the office did under a payment's reference."""
    return [
        e["effect"].removeprefix("gift_card_trans_")
        for e in await store.office.ledger()
        if e.get("refNo") == payment_id
    ]


async def test_a_gift_card_pays_a_sale_and_it_is_recorded_once(shared_store: Store) -> None:
    store = shared_store
    card = await new_card(store, "50.00")
    payment_id = await store.till.start("12.50", method="gift_card", gift_card=card)
    document = await store.till.recorded(payment_id)
    assert (document["status"], document["funds"]) == ("approved", "captured")
    assert document["method"] == "gift_card"
    assert document["gift_card"]["balance_before"] == "50.00"
    assert document["gift_card"]["balance_after"] == "37.50"
    assert document["card"]["masked_pan"].endswith(card["stored_value_id"][-4:])
    assert document["resolution"]["by"] == "host"
    assert await effects(store, payment_id) == ["added", "captured"]
    (purchase,) = await store.office.purchases(payment_id)
    assert purchase["request"]["payMethod"] == "GIFT_CARD"


async def test_a_hold_is_kept_then_captured_in_part(shared_store: Store) -> None:
    store = shared_store
    card = await new_card(store, "50.00")
    hold = await store.till.start("20.00", method="gift_card", gift_card=card, capture="manual")
    document = await store.till.status(hold, "approved")
    assert document["funds"] == "held"
    part_id = str(uuid.uuid4())
    part = {
        "payment_id": part_id,
        "original_payment_id": hold,
        "amounts": {"currency": "EUR", "requested_amount": "15.00"},
    }
    answer = await store.till.ask("payment/capture", part)
    assert answer["status"] == "accepted", answer
    document = await store.till.recorded(part_id)
    assert document["gift_card"]["balance_after"] == "35.00"
    assert await effects(store, hold) == ["added", "captured"]


async def test_a_hold_is_voided(shared_store: Store) -> None:
    store = shared_store
    card = await new_card(store, "50.00")
    hold = await store.till.start("20.00", method="gift_card", gift_card=card, capture="manual")
    await store.till.status(hold, "approved")
    void = {"payment_id": str(uuid.uuid4()), "original_payment_id": hold}
    await store.till.ask("payment/void", void)
    document = await store.till.status(void["payment_id"], "approved")
    assert document["gift_card"]["balance_after"] == "50.00"
    assert (await store.till.document(hold, lambda d: bool(d["funds"] == "voided")))["final"]


@pytest.mark.parametrize(
    ("change", "amount", "code"),
    [
        ({"stored_value_id": "0"}, "5.00", "gift_card_unknown"),
        ({"code_type": "personal"}, "5.00", "gift_card_unknown"),
        ({"pin": "1"}, "5.00", "wrong_pin"),
        ({}, "50.01", "gift_card_insufficient"),
    ],
)
async def test_a_card_that_cannot_pay_is_declined_and_nothing_is_held(
    shared_store: Store, change: Json, amount: str, code: str
) -> None:
    store = shared_store
    card = {**await new_card(store, "50.00"), **change}
    payment_id = await store.till.start(amount, method="gift_card", gift_card=card)
    document = await store.till.status(payment_id, "declined")
    assert document["error"]["code"] == code
    assert document["error"]["money_moved"] == "no"
    if code == "gift_card_insufficient":
        assert document["error"]["detail"] == {"balance": "50.00"}
    assert await effects(store, payment_id) == []


async def start_plan(store: Store, amount: str, *legs: Json, **more: Any) -> tuple[str, list[str]]:
    plan_id = str(uuid.uuid4())
    answer = await store.till.ask("payment/start", start_fields(plan_id, amount, plan=legs, **more))
    assert answer["status"] == "accepted", answer
    return plan_id, [leg["payment_id"] for leg in answer["result"]["legs"]]


async def test_a_gift_card_and_a_card_pay_one_sale(shared_store: Store) -> None:
    store, before = shared_store, len(shared_store.terminal_ledger())
    gift = await new_card(store, "20.00")
    await store.shopper(plan(brand="visa"))
    plan_id, (hold, card) = await start_plan(
        store,
        "47.90",
        {"method": "gift_card", "gift_card": gift, "amount": "20.00"},
        {"method": "card"},
    )
    document = await store.till.recorded(card)
    assert document["plan_id"] == plan_id
    assert document["amounts"]["captured_amount"] == "27.90"
    held = await store.till.document(hold, lambda d: bool(d["funds"] == "captured"))
    assert held["plan_id"] == plan_id
    assert await effects(store, hold) == ["added", "captured"]
    assert [one.kind for one in store.terminal_ledger()[before:]] == ["approved", "committed"]
    (purchase,) = await store.office.purchases(card)
    assert purchase["payAmount"] == "47.90"
    assert purchase["request"]["payMethod"] == "VISA+GIFT_CARD"
    await store.till.ready()


async def test_a_declined_card_gives_the_gift_card_its_money_back(shared_store: Store) -> None:
    store = shared_store
    gift = await new_card(store, "20.00")
    await store.shopper(plan(outcome="decline", code=0x05))
    _, (hold, card) = await start_plan(
        store,
        "47.90",
        {"method": "gift_card", "gift_card": gift, "amount": "20.00"},
        {"method": "card"},
    )
    await store.till.status(card, "declined")
    await store.till.document(hold, lambda d: bool(d["funds"] == "voided"))
    assert await effects(store, hold) == ["added", "cancelled"]
    assert await store.office.purchases(card) == []
    await store.till.ready()


async def test_a_plan_is_canceled_while_the_card_is_waited_for(shared_store: Store) -> None:
    store = shared_store
    gift = await new_card(store, "20.00")
    await store.shopper(plan(seconds_to_card=60))
    plan_id, (hold, card) = await start_plan(
        store,
        "30.00",
        {"method": "gift_card", "gift_card": gift, "amount": "20.00"},
        {"method": "card"},
    )
    await store.till.document(card, lambda d: d["stage"] == "waiting_for_card")
    answer = await store.till.ask("payment/cancel", {"payment_id": plan_id})
    assert answer["status"] == "accepted", answer
    await store.till.status(card, "canceled")
    await store.till.document(hold, lambda d: bool(d["funds"] == "voided"))
    await store.till.ready()


async def test_a_plan_sent_twice_is_one_plan(shared_store: Store) -> None:
    store, before = shared_store, len(shared_store.terminal_ledger())
    gift = await new_card(store, "20.00")
    legs = [{"method": "gift_card", "gift_card": gift, "amount": "5.00"}, {"method": "card"}]
    fields = start_fields(str(uuid.uuid4()), "12.00", plan=legs)
    requests = [await store.till.send("payment/start", fields) for _ in range(2)]
    answers = [await store.till.response(one) for one in requests]
    assert [one["duplicate"] for one in answers] == [False, True]
    assert answers[0]["result"] == answers[1]["result"]
    (hold, card) = [leg["payment_id"] for leg in answers[0]["result"]["legs"]]
    await store.till.recorded(card)
    assert await effects(store, hold) == ["added", "captured"]
    assert [one.kind for one in store.terminal_ledger()[before:]] == ["approved", "committed"]
    other = await store.till.ask("payment/start", start_fields(fields["payment_id"], "12.00"))
    assert other["error"]["code"] == "idempotency_conflict"
    await store.till.ready()


async def test_a_plan_with_the_same_card_twice_is_refused(shared_store: Store) -> None:
    store = shared_store
    gift = {"method": "gift_card", "gift_card": await new_card(store, "20.00"), "amount": "5.00"}
    fields = start_fields(str(uuid.uuid4()), "12.00", plan=[gift, gift, {"method": "card"}])
    answer = await store.till.ask("payment/start", fields)
    assert answer["error"]["code"] == "invalid_request"
    assert answer["error"]["detail"]["path"] == "plan.1.gift_card"


async def test_a_top_up_is_on_the_card_once_the_sale_is_paid(shared_store: Store) -> None:
    store = shared_store
    gift = await new_card(store, "0.00")
    load_id = str(uuid.uuid4())
    load = {
        "payment_id": load_id,
        "sale_id": "T3-LOAD-1",
        "gift_card": gift,
        "amounts": {"currency": "EUR", "requested_amount": "50.00"},
    }
    answer = await store.till.ask("gift_card/load", load)
    assert answer["status"] == "accepted", answer
    await store.till.document(load_id, lambda d: d["stage"] == "finishing")
    assert await effects(store, load_id) == ["added"]
    payment_id = await store.till.start("50.00", sale_id="T3-LOAD-1")
    document = await store.till.status(load_id, "approved")
    assert document["funds"] == "loaded"
    assert document["gift_card"]["balance_after"] == "50.00"
    assert (await store.till.recorded(payment_id))["status"] == "approved"
    assert len(await store.office.purchases(payment_id)) == 1
    await store.till.ready()


async def test_no_code_and_no_pin_leaves_the_bridge(shared_store: Store) -> None:
    store = shared_store
    gift = await new_card(store, "20.00")
    payment_id = await store.till.start("5.00", method="gift_card", gift_card=gift)
    await store.till.recorded(payment_id)
    for secret in (gift["stored_value_id"], PIN):
        told = [one for one in store.till.heard if "/request/" not in one.topic]
        assert not [one.topic for one in told if secret.encode() in one.payload]
        assert secret not in store.bridge.log


async def test_a_balance_is_told_and_an_unknown_card_is_an_error(shared_store: Store) -> None:
    store = shared_store
    gift = await new_card(store, "12.34")
    answer = await store.till.ask("gift_card/balance", {"gift_card": gift})
    assert answer["status"] == "ok"
    assert answer["result"]["balance"] == "12.34"
    assert answer["result"]["masked_pan"] == f"****{gift['stored_value_id'][-4:]}"
    unknown = {"gift_card": {"stored_value_id": "0"}}
    answer = await store.till.ask("gift_card/balance", unknown)
    assert answer["error"]["code"] == "gift_card_unknown"


async def test_what_a_gift_card_paid_goes_back_to_it_in_parts(shared_store: Store) -> None:
    store, taken = shared_store, len(shared_store.terminal_ledger())
    card = await new_card(store, "50.00")
    payment_id = await store.till.start("20.00", method="gift_card", gift_card=card)
    await store.till.recorded(payment_id)
    backs = [str(uuid.uuid4()) for _ in range(2)]
    for back_id, amount in zip(backs, ("12.50", "7.50"), strict=True):
        back = {
            "payment_id": back_id,
            "original_payment_id": payment_id,
            "gift_card": card,
            "amounts": {"currency": "EUR", "requested_amount": amount},
        }
        answer = await store.till.ask("payment/refund", back)
        assert answer["status"] == "accepted", answer
        await store.till.recorded(back_id)
        (purchase,) = await store.office.purchases(back_id)
        assert purchase["request"]["refundAmount"] == amount
        assert purchase["request"]["lineItems"][0]["isRefund"] is True
        assert await effects(store, back_id) == ["added", "captured"]
    document = await store.till.document(payment_id, lambda d: bool(d["funds"] == "refunded"))
    assert document["amounts"]["refunded_amount"] == "20.00"
    answer = await store.till.ask("gift_card/balance", {"gift_card": card})
    assert answer["result"]["balance"] == "50.00"
    void = {"payment_id": str(uuid.uuid4()), "original_payment_id": payment_id}
    answer = await store.till.ask("payment/void", void)
    assert answer["error"]["code"] == "void_not_possible"
    assert len(store.terminal_ledger()) == taken, "no terminal was asked"


@pytest.mark.parametrize("kind", ["personal", "external"])
async def test_codes_without_a_pin_pay(shared_store: Store, kind: str) -> None:
    store = shared_store
    code = f"{kind}-{next(NUMBERS)}"
    await store.office.control(
        {"do": "gift_card", "code": code, "code_type": kind.upper(), "balance": "20.00"}
    )
    granted = sorted(TILL_PERMISSIONS | {"UseExternalGiftCardCodes"})
    await store.office.control({"do": "permissions", "client_id": CLIENT, "permissions": granted})
    card = {"stored_value_id": code, "code_type": kind}
    payment_id = await store.till.start("12.50", method="gift_card", gift_card=card)
    document = await store.till.recorded(payment_id)
    assert document["gift_card"]["balance_after"] == "7.50"


async def test_a_new_card_is_sold_in_one_sale_and_undone(shared_store: Store) -> None:
    store = shared_store
    load: Json = {
        "payment_id": str(uuid.uuid4()),
        "sale_id": "T3-SELL-1",
        "gift_card": {"stored_value_id": f"63962199{next(NUMBERS):08d}", "pin": PIN},
        "amounts": {"currency": "EUR", "requested_amount": "25.00"},
    }
    granted = sorted(TILL_PERMISSIONS | {"CreateGiftCard"})
    for permissions, code in ((sorted(TILL_PERMISSIONS), "feature_disabled"), (granted, "")):
        await store.office.control(
            {"do": "permissions", "client_id": CLIENT, "permissions": permissions}
        )
        load["payment_id"] = str(uuid.uuid4())
        answer = await store.till.ask("gift_card/activate", load)
        assert answer["status"] == "accepted", answer
        if code:
            document = await store.till.status(load["payment_id"], "failed")
            assert document["error"]["code"] == code
            assert "CreateGiftCard" in document["error"]["message"]
    await store.till.document(load["payment_id"], lambda d: d["stage"] == "finishing")
    payment_id = await store.till.start("25.00", sale_id="T3-SELL-1")
    await store.till.document(load["payment_id"], lambda d: bool(d["funds"] == "loaded"))
    await store.till.recorded(payment_id)
    assert len(await store.office.purchases(payment_id)) == 1
    undo = {
        "payment_id": str(uuid.uuid4()),
        "original_payment_id": load["payment_id"],
        "gift_card": load["gift_card"],
    }
    answer = await store.till.ask("gift_card/reverse", undo)
    assert answer["payment_id"] == undo["payment_id"]
    document = await store.till.status(undo["payment_id"], "approved")
    assert (document["type"], document["funds"]) == ("unload", "unloaded")
    assert document["gift_card"]["balance_after"] == "0.00"
    await store.till.ready()

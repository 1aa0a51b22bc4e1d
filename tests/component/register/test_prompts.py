"""A signature that a cashier must compare: asked, answered, expired, and what each leads to."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.money import payment as p
from bridge.money.background.signature_reversals import (
    void_id,
    void_request,
)
from bridge.money.payment.signature import Signature
from drivers.contract import Unclear
from simulators.broker import Message
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.published import check
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id

SIGNS = Plan(signature=True, entry="chip", brand="visa")
SIGNED = Plans(shoppers={"counter-1": Scenario(payments=(SIGNS,))})
REVERSED = Plans(shoppers=SIGNED.shoppers, unsigned="reversed")
PROMPT = payment_id(1).replace("-", "")
TOPIC = TOPICS.prompt("till-1", PROMPT)
VOID = void_id(payment_id(1), 0)


def prompt(shop: Shop) -> dict[str, Any]:
    """Return the question as it lies at the broker, {} when there is none."""
    message = shop.broker.retained.get(TOPIC)
    if message is None or not message.payload:
        return {}
    found: dict[str, Any] = json.loads(message.payload)
    return found


async def asked(shop: Shop) -> dict[str, Any]:
    """Pay with a signature and return the question."""
    await shop.pay("till-1", 1, sale_id="S1")
    await shop.until("till-1", 1, status="approved")
    await asyncio.sleep(0.2)
    return prompt(shop)


async def answer(shop: Shop, confirmed: bool, **more: object) -> dict[str, Any]:
    return await shop.ask(
        "till-1", "prompt/answer", prompt_id=PROMPT, answer={"confirmed": confirmed}, **more
    )


async def gone(shop: Shop) -> None:
    async with asyncio.timeout(5.0):
        while prompt(shop):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.05)


def test_a_signed_payment_asks_the_clerk_and_stays_out_of_the_books(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        heard: list[Message] = []
        stop = shop.broker.listen(TOPICS.register("till-1"), heard.append)
        question = await asked(shop)
        stop()
        for message in heard:
            check(message.topic, message.payload, TOPICS)
        assert question["input_command"] == "get_confirmation"
        assert question["payment_id"] == payment_id(1)
        assert [one["id"] for one in question["buttons"]] == ["yes", "no"]
        assert question["default_answer"] == {"confirmed": True}
        assert "the payment is reversed" in question["consequence"]
        assert "If nobody answers, the payment stands" in question["consequence"]
        document = shop.document("till-1", 1)
        assert document["funds"] == "captured"
        assert document["recording"]["status"] == "pending"
        assert document["display"]["lines"][0] == "Check signature on slip"
        assert document["display"]["may_leave_screen"] is False
        buttons = [(one["id"], one["label"]) for one in document["display"]["buttons"]]
        assert buttons == [(f"answer:{PROMPT}:yes", "Yes"), (f"answer:{PROMPT}:no", "No")]
        assert shop.ledger.payments.open_purchases() == []
        kinds = [json.loads(one.payload)["type"] for one in heard if one.topic.endswith("/events")]
        assert kinds.count("prompt_opened") == 1

    in_a_shop(tmp_path, test, SIGNED)


def test_yes_sends_the_payment_to_the_books(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        said = await answer(shop, True, operator_id="anna")
        assert (said["status"], said["duplicate"]) == ("accepted", False)
        await gone(shop)
        (purchase,) = shop.ledger.payments.open_purchases()
        assert purchase.purchase.payment_ids == (payment_id(1),)
        document = await shop.until("till-1", 1, status="approved", rev=said["rev"])
        assert document["display"]["code"] == "approved"
        account = shop.ledger.payments.get(payment_id(1))
        assert account is not None
        assert account.payment.signature_by == "anna"
        assert shop.charged() == [4790]

    in_a_shop(tmp_path, test, SIGNED)


def test_no_reverses_the_payment_and_the_books_hear_of_nothing(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        await answer(shop, False, operator_id="anna")
        await gone(shop)
        document = await shop.until("till-1", 1, funds="voided")
        assert document["recording"]["status"] == "not_required"
        assert document["display"]["lines"] == ["Voided 47,90 €", "Not charged"]
        void = await shop.until("till-1", VOID, final=True)
        assert (void["type"], void["status"]) == ("void", "approved")
        assert void["original_payment_id"] == payment_id(1)
        assert shop.charged() == []
        assert shop.ledger.payments.open_purchases() == []

    in_a_shop(tmp_path, test, SIGNED)


@pytest.mark.parametrize(
    ("plans", "funds", "charged", "purchases"),
    [(SIGNED, "captured", [4790], 1), (REVERSED, "voided", [], 0)],
    ids=["stands", "reversed"],
)
def test_silence_does_what_the_question_said(
    tmp_path: Path, plans: Plans, funds: str, charged: list[int], purchases: int
) -> None:
    async def test(shop: Shop) -> None:
        question = await asked(shop)
        assert question["default_answer"] == {"confirmed": funds == "captured"}
        await asyncio.sleep(115)
        assert prompt(shop) == question, "the cashier still has time"
        assert shop.ledger.payments.open_purchases() == []
        await asyncio.sleep(10)
        assert prompt(shop) == {}
        await shop.until("till-1", 1, funds=funds)
        assert shop.charged() == charged
        assert len(shop.ledger.payments.open_purchases()) == purchases
        for confirmed in (True, False):
            late = await answer(shop, confirmed)
            assert late["error"]["code"] == "prompt_not_found"

    in_a_shop(tmp_path, test, plans)


def test_the_first_answer_counts(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        await answer(shop, True)
        again = await answer(shop, True)
        assert (again["status"], again["duplicate"]) == ("accepted", True)
        other = await answer(shop, False)
        assert other["error"]["code"] == "prompt_not_found"
        await asyncio.sleep(20)
        assert shop.charged() == [4790]
        assert len(shop.ledger.payments.open_purchases()) == 1

    in_a_shop(tmp_path, test, SIGNED)


def test_a_register_that_voids_it_by_itself_is_not_asked_any_more(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        own = payment_id(2)
        void = await shop.ask(
            "till-1", "payment/void", payment_id=own, original_payment_id=payment_id(1)
        )
        assert void["status"] == "accepted"
        await shop.until("till-1", 1, funds="voided")
        await gone(shop)
        late = await answer(shop, True)
        assert late["error"]["code"] == "prompt_not_found"
        assert shop.ledger.payments.open_purchases() == []

    in_a_shop(tmp_path, test, SIGNED)


def test_only_the_register_that_was_asked_may_answer(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        foreign = await shop.ask(
            "till-2", "prompt/answer", prompt_id=PROMPT, answer={"confirmed": False}
        )
        assert foreign["error"]["code"] == "not_allowed"
        unknown = await shop.ask(
            "till-1", "prompt/answer", prompt_id="p-77", answer={"confirmed": False}
        )
        assert unknown["error"]["code"] == "prompt_not_found"
        assert prompt(shop)

    in_a_shop(tmp_path, test, SIGNED)


def test_a_sale_whose_signature_is_open_is_not_charged_again(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        second = await shop.pay("till-1", 2, sale_id="S1")
        assert second["error"]["code"] == "sale_already_paid"

    in_a_shop(tmp_path, test, SIGNED)


def test_a_refused_payment_that_cannot_be_voided_is_a_persons_and_goes_to_the_books(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        closed = await shop.ask(
            "till-1", "terminal/reconcile", operation_id=payment_id(9), close=True
        )
        assert closed["status"] == "ok"
        await answer(shop, False)
        document = await shop.until("till-1", 1, funds="captured", rev=shop_rev(shop) + 1)
        assert document["display"]["lines"] == [
            "Still charged 47,90 €",
            "Refund it: signature refused",
        ]
        assert document["display"]["severity"] == "error"
        assert shop.charged() == [4790]
        assert len(shop.ledger.payments.open_purchases()) == 1

    in_a_shop(tmp_path, test, SIGNED)


def shop_rev(shop: Shop) -> int:
    account = shop.ledger.payments.get(payment_id(1))
    assert account is not None
    return account.rev


def test_a_void_that_cannot_reach_the_terminal_is_tried_again(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        shop.ports["counter-1"].unplug()
        await answer(shop, False)
        await asyncio.sleep(3)
        assert shop.document("till-1", 1)["display"]["code"] == "reversing"
        await shop.ports["counter-1"].plug()
        await shop.until("till-1", 1, funds="voided")
        assert shop.charged() == []
        assert shop.ledger.payments.open_purchases() == []

    in_a_shop(tmp_path, test, SIGNED)


def test_a_question_survives_an_empty_broker(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        question = await asked(shop)
        shop.broker.restart(2.0, forget=True)
        await asyncio.sleep(5)
        assert prompt(shop) == question
        await answer(shop, True)
        await gone(shop)

    in_a_shop(tmp_path, test, SIGNED)


def test_a_question_that_expired_while_the_broker_was_away_is_taken_away(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        assert await asked(shop)
        shop.broker.restart(150.0, forget=False)
        await asyncio.sleep(140)
        assert len(shop.ledger.payments.open_purchases()) == 1, "the books do not wait for a broker"
        assert prompt(shop), "it still lies there"
        await asyncio.sleep(30)
        await gone(shop)
        assert shop.document("till-1", 1)["display"]["code"] == "approved"

    in_a_shop(tmp_path, test, SIGNED)


def test_nobody_is_reversed_before_somebody_could_be_heard(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        assert await asked(shop)
        shop.broker.restart(200.0, forget=False)
        await asyncio.sleep(200)
        await shop.until("till-1", 1, funds="captured")
        assert prompt(shop), "the broker is back: the cashier has a last chance"
        await asyncio.sleep(20)
        assert prompt(shop)
        await shop.until("till-1", 1, funds="voided")
        assert shop.charged() == []

    in_a_shop(tmp_path, test, REVERSED)


def test_a_clock_that_is_set_forward_reverses_nobody_at_once(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        assert await asked(shop)
        shop.ahead = timedelta(hours=1)
        await asyncio.sleep(25)
        assert prompt(shop)
        await answer(shop, True)
        await gone(shop)
        assert shop.charged() == [4790]

    in_a_shop(tmp_path, test, REVERSED)


def test_a_second_question_has_its_own_time(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        assert await asked(shop)
        await asyncio.sleep(60)
        await shop.pay("till-1", 2, "2.00", sale_id="S2")
        await shop.until("till-1", 2, status="approved")
        shop.ahead = timedelta(hours=1)  # a clock that is set takes no payment back
        await asyncio.sleep(15)
        assert shop.document("till-1", 1)["display"]["code"] == "check_signature"
        await asyncio.sleep(55)
        assert shop.document("till-1", 1)["funds"] == "voided"
        assert shop.document("till-1", 2)["display"]["code"] == "check_signature"

    twice = Plans(shoppers={"counter-1": Scenario(payments=(SIGNS, SIGNS))}, unsigned="reversed")
    in_a_shop(tmp_path, test, twice)


def test_a_reversal_is_not_tried_again_while_its_void_is_in_doubt(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asked(shop)
        account = shop.ledger.payments.get(payment_id(1))
        assert account is not None
        shop.ports["counter-1"].unplug()  # nobody else asks what became of the void
        await asyncio.sleep(1)
        void = void_request(account.payment, 0)
        await shop.ledger.accept(void, p.Started(None))
        shop.ledger.work("counter-1").take_for(void.payment_id, p.StartOnTerminal)  # it was sent
        await shop.ledger.apply(void.payment_id, Unclear("link_lost"))
        await answer(shop, False)
        await asyncio.sleep(120)
        voids = [
            one.payment
            for one in shop.ledger.payments.of_sale("till-1/S1")
            if one.payment.request.type is p.PaymentType.VOID
        ]
        assert [one.status for one in voids] == [p.Status.IN_DOUBT]
        account = shop.ledger.payments.get(payment_id(1))
        assert account is not None
        assert account.payment.signature is Signature.REFUSED, "its void decides, and nothing else"

    in_a_shop(tmp_path, test, SIGNED)

"""A lost gift card's code is revoked or replaced once, and nobody is told no while nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.money import payment as p
from bridge.money.gift_card_code import SUBJECT
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.support.office import play
from tests.support.pos_server_counter import PosServerCounter
from tests.support.virtual_store import Json

OLD, NEW, OTHER = "6396210000004711", "6396210000008822", "6396210000009933"
PIN, NEW_PIN = "1234", "9876"
NAME = "018f6f0e-8a44-7c1b-9a3e-00000000aaaa"
LATER = "018f6f0e-8a44-7c1b-9a3e-00000000bbbb"
EDIT = "giftcardEdit"
Scene = Callable[[PosServerCounter], Coroutine[Any, Any, None]]


def at_desk(folder: Path, scene: Scene, *, allowed: bool = True) -> None:
    async def main() -> None:
        counter = PosServerCounter(folder, office={"gift_card_code_changes": allowed})
        counter.office.state.gift_card_add(code=OLD, pin=PIN, balance=Decimal("50.00"))
        await counter.begin()
        try:
            await scene(counter)
        finally:
            await counter.end()

    play(main)


async def deactivate(counter: PosServerCounter, name: str = NAME, **more: Any) -> Json:
    said = {"operation_id": name, "gift_card": {"stored_value_id": OLD}, "approved_by": "super-1"}
    return await counter.ask("gift_card/deactivate", **{**said, **more})


async def replace(
    counter: PosServerCounter, name: str = NAME, code: str = NEW, **more: Any
) -> Json:
    new = {"stored_value_id": code, "pin": NEW_PIN}
    said = {"operation_id": name, "gift_card": {"stored_value_id": OLD}, "approved_by": "super-1"}
    return await counter.ask("gift_card/replace", **{**said, "replacement": new, **more})


def code_of(answer: Json) -> str | None:
    """Return why a command was refused, None where it was not."""
    error: Json = answer["error"] or {}
    return error.get("code")


def codes(counter: PosServerCounter) -> list[str]:
    """Return the codes that the one card has, by the office's own word."""
    (card,) = counter.office.state.gift_cards.values()
    assert card.balance == Decimal("50.00")
    return [one.code for one in card.codes]


def edits(counter: PosServerCounter) -> int:
    """Return how often a code was changed."""
    return sum(one["effect"] == "gift_card_codes_changed" for one in counter.office.state.ledger)


async def told(counter: PosServerCounter) -> str:
    """Return everything that the journal holds of it, as text."""
    entries = await counter.parts.journal.entries_of(SUBJECT)
    return " ".join(
        str([getattr(one.event, name) for name in one.event.__dataclass_fields__])
        for one in entries
    )


def test_a_lost_card_is_deactivated_once(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        answer = await deactivate(counter)
        assert answer["status"] == "ok", answer
        result = {"masked_pan": "****4711", "replaced_by": None, "balance": "50.00"}
        assert answer["result"] == result
        assert codes(counter) == []
        again = await deactivate(counter)
        assert again["result"] == result
        assert edits(counter) == 1
        assert OLD not in await told(counter)
        gift = {"stored_value_id": OLD, "pin": PIN}
        paid = await counter.start("5.00", method="gift_card", gift_card=gift)
        assert (await counter.end_of(paid)).status is p.Status.DECLINED

    at_desk(tmp_path, scene)


def test_another_card_takes_its_place_with_the_balance(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        answer = await replace(counter)
        assert answer["result"]["replaced_by"] == "****8822"
        assert codes(counter) == [NEW]
        journal = await told(counter)
        assert not any(secret in journal for secret in (OLD, NEW, NEW_PIN))
        gift = {"stored_value_id": NEW, "pin": NEW_PIN}
        name = counter.new_id()
        await counter.ask(
            "payment/start",
            payment_id=name,
            amounts={"currency": "EUR", "requested_amount": "20.00"},
            method="gift_card",
            gift_card=gift,
        )
        assert (await counter.end_of(name)).status is p.Status.APPROVED

    at_desk(tmp_path, scene)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"approved_by": None}, "invalid_request"),
        ({"operation_id": "one"}, "invalid_request"),
        ({"gift_card": {"stored_value_id": OTHER}}, "gift_card_unknown"),
        ({"replacement": {"stored_value_id": OLD}}, "invalid_request"),
        ({"replacement": {"stored_value_id": NEW, "code_type": "personal"}}, "invalid_request"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    tmp_path: Path, more: Json, code: str
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        answer = await replace(counter, **more)
        assert code_of(answer) == code
        assert codes(counter) == [OLD]

    at_desk(tmp_path, scene)


def test_a_site_that_does_not_allow_it_and_a_missing_permission_are_named(tmp_path: Path) -> None:
    async def forbidden(counter: PosServerCounter) -> None:
        answer = await deactivate(counter)
        assert code_of(answer) == "feature_disabled"

    at_desk(tmp_path / "1", forbidden, allowed=False)

    async def not_granted(counter: PosServerCounter) -> None:
        counter.office.permissions["paybridge"] = ALL_PERMISSIONS - {"EditGiftCard"}
        answer = await deactivate(counter)
        assert code_of(answer) == "feature_disabled"
        assert "EditGiftCard" in answer["error"]["message"]
        counter.office.permissions["paybridge"] = ALL_PERMISSIONS
        assert (await deactivate(counter, LATER))["status"] == "ok"

    at_desk(tmp_path / "2", not_granted)


def test_a_code_that_another_card_has_is_refused(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        other = counter.office.state.gift_card_add(code=OTHER, balance=Decimal(0))
        answer = await replace(counter, code=OTHER)
        assert code_of(answer) == "not_allowed"
        del counter.office.state.gift_cards[other.id]
        assert codes(counter) == [OLD]

    at_desk(tmp_path, scene)


def test_a_name_means_one_change(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        assert (await replace(counter))["status"] == "ok"
        assert code_of(await replace(counter, code=OTHER)) == "idempotency_conflict"
        assert code_of(await deactivate(counter)) == "idempotency_conflict"
        assert edits(counter) == 1

    at_desk(tmp_path, scene)


def test_a_card_with_a_payment_that_is_not_over_keeps_its_code(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault("apply_then_drop", "giftcardTransAdd")
        gift = {"stored_value_id": OLD, "pin": PIN}
        name = await counter.start("5.00", method="gift_card", gift_card=gift)
        await counter.until(lambda: counter.payment(name).status is p.Status.IN_DOUBT, "a doubt")
        assert code_of(await deactivate(counter)) == "terminal_busy"
        assert edits(counter) == 0

    at_desk(tmp_path, scene)


LOST = ("apply_then_drop", "applied+gateway_timeout_504", "without_id", "fusion_error_applied")


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("wish", [deactivate, replace])
def test_a_lost_answer_is_cleared_up_by_the_codes(
    tmp_path: Path, fault: str, wish: Callable[..., Coroutine[Any, Any, Json]]
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault(fault, EDIT)
        answer = await wish(counter)
        assert answer["status"] == "ok", answer
        assert edits(counter) == 1
        assert OLD not in await told(counter)

    at_desk(tmp_path, scene)


@pytest.mark.parametrize("fault", ["none+drop", "unavailable_503", "html_200", "fusion_error"])
def test_what_nobody_knows_is_neither_yes_nor_no_and_may_be_wished_again(
    tmp_path: Path, fault: str
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault(fault, EDIT)
        answer = await deactivate(counter)
        assert code_of(answer) == "outcome_unknown"
        assert answer["error"]["money_moved"] != "yes"
        assert code_of(await deactivate(counter)) == "outcome_unknown"
        reasons = counter.parts.status.health().reasons
        assert any("****4711 may still be usable" in one for one in reasons)
        assert edits(counter) == 0  # under its name it is asked for once
        assert (await replace(counter, LATER))["status"] == "ok"
        assert code_of(await deactivate(counter)) == "not_allowed"
        reasons = counter.parts.status.health().reasons
        assert not any("may still be usable" in one for one in reasons)
        journal = await told(counter)
        assert not any(code in journal for code in (OLD, NEW))

    at_desk(tmp_path, scene)


def test_a_change_that_is_carried_out_late_is_found(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault("late+gateway_timeout_504", EDIT, late_seconds=150.0)
        assert code_of(await deactivate(counter)) == "outcome_unknown"
        await asyncio.sleep(300)
        assert counter.parts.ledger.code_changes.open() == []
        assert (await deactivate(counter))["status"] == "ok"
        assert edits(counter) == 1

    at_desk(tmp_path, scene)


@pytest.mark.parametrize("fault", ["too_many_429", "empty_401", "not_authorized"])
def test_what_proves_that_nothing_was_done_is_a_no(tmp_path: Path, fault: str) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault(fault, EDIT, times=2)
        answer = await deactivate(counter)
        assert code_of(answer) in {"host_unreachable", "feature_disabled"}
        assert codes(counter) == [OLD]
        assert counter.parts.ledger.code_changes.open() == []

    at_desk(tmp_path, scene)


@pytest.mark.parametrize("effect", ["applied", "none"])
@pytest.mark.parametrize("operation", ["giftcard", EDIT])
def test_a_death_at_any_point_leaves_a_change_that_is_found_or_unknown(
    tmp_path: Path, effect: str, operation: str
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault(f"{effect}+drop", operation, delay_seconds=5.0)
        asking = asyncio.get_running_loop().create_task(deactivate(counter))
        await asyncio.sleep(2.0)
        asking.cancel()
        await counter.kill_and_restart()
        answer = await deactivate(counter)
        if operation == EDIT and effect == "none":
            assert code_of(answer) == "outcome_unknown"
            assert edits(counter) == 0
        else:
            assert answer["status"] == "ok", answer
            assert edits(counter) == 1
        await counter.kill_and_restart()
        assert (await deactivate(counter))["status"] == answer["status"]
        assert edits(counter) <= 1

    at_desk(tmp_path, scene)


def test_a_hidden_card_is_no_proof(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault("none+drop", EDIT)
        counter.fault("not_authorized", "giftcard", after=1, times=-1)
        assert code_of(await deactivate(counter)) == "outcome_unknown"
        await asyncio.sleep(300)
        assert code_of(await deactivate(counter)) == "outcome_unknown"

    at_desk(tmp_path, scene)

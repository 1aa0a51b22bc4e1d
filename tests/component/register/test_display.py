"""What cashiers are told: nothing untrue, and no button that says nothing."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from bridge.register import api as k
from bridge.register.api.buttons import BUTTONS, NEW_ID, PROMPT
from tests.support.shop import Shop, in_a_shop, payment_id


def filled(sends: object, document: dict[str, Any], prompt: str = "") -> object:
    """Return what a register sends for a button, made of a document as the contract says."""
    match sends:
        case dict():
            told = {name: filled(one, document, prompt) for name, one in sends.items()}
            return {name: one for name, one in told.items() if one is not None}
        case str() if sends == NEW_ID:
            return str(uuid.uuid4())
        case str() if sends == PROMPT:
            return prompt
        case str() if sends.startswith("{") and " " not in sends:
            value: Any = document
            for part in sends.strip("{}").split("."):
                value = value[part]
            return value
        case _:
            return sends


DOCUMENT = {
    "payment_id": payment_id(1),
    "sale_id": "T1-1",
    "rev": 9,
    "amounts": {"currency": "EUR", "remaining_amount": "27.90", "captured_amount": "47.90"},
}


@pytest.mark.parametrize("name", [one for one, facts in BUTTONS.items() if "/" in facts.operation])
def test_what_a_button_sends_is_a_command_that_the_bridge_reads(name: str) -> None:
    facts = BUTTONS[name]
    command = {"request_id": "r-1", **filled(facts.sends, DOCUMENT, "a" * 32)}  # type: ignore[dict-item]
    read = k.decode_request(facts.operation, json.dumps(command).encode())
    assert read.operation == facts.operation


def test_the_buttons_void_and_keep_do_what_they_say(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, sale_id="T1-1", expires_at="2026-11-23T23:00:00Z")
        document = await shop.until("till-1", 1, status="approved")
        command = filled(BUTTONS["void"].sends, document)
        assert isinstance(command, dict)
        answer = await shop.ask(
            "till-1", "payment/void", **command, expires_at="2026-11-23T23:00:00Z"
        )
        assert answer["status"] == "accepted", answer
        document = await shop.until("till-1", 1, funds="voided")
        assert shop.charged() == []
        kept = filled(BUTTONS["keep"].sends, document)
        assert isinstance(kept, dict)
        assert (await shop.ask("till-1", "payment/acknowledge", **kept))["status"] == "ok"

    in_a_shop(tmp_path, test)

"""HELLO keeps the rules of paybridge's contract, whatever happens to the line."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import pytest
from driver_hello import DRIVER, HelloSettings
from driver_hello.messages import No, Paid
from driver_hello.terminal import HelloTerminal

from drivers.conformance import Scene, check
from drivers.contract import Failed, Inquire, Money, Operation, Pay, Probe

PAY = Pay("b1946ac9", Money(2040, "EUR"))
ASK = Inquire(PAY, None)
PAID = Paid("b1946ac9", 2040, "EUR", "0001", "H3110", "visa", "1111")

CARD = "4242424242424242"
SHOWN = Paid(PAID.reference, 2040, "EUR", "0002", f"H {CARD}", "visa", "4242")

SCENES: tuple[tuple[str, Operation, partial[HelloTerminal]], ...] = (
    ("paid", PAY, partial(HelloTerminal)),
    ("declined", PAY, partial(HelloTerminal, "declined")),
    ("shopper leaves", PAY, partial(HelloTerminal, "left")),
    ("nobody comes", PAY, partial(HelloTerminal, "never")),
    ("asked: was paid", ASK, partial(HelloTerminal, remembers=(PAID,))),
    (
        "asked: was declined",
        ASK,
        partial(HelloTerminal, remembers=(No(PAID.reference, "declined", ""),)),
    ),
    (
        "asked: was paid with a number in a field of its own",
        ASK,
        partial(HelloTerminal, remembers=(SHOWN,)),
    ),
    ("asked: never heard of it", ASK, partial(HelloTerminal)),
    ("probe", Probe(), partial(HelloTerminal)),
)


@pytest.mark.parametrize("transport", ["serial", "tcp"])
def test_hello_keeps_the_rules(transport: Literal["serial", "tcp"]) -> None:
    """Whole and in pieces, damaged, cut off, stopped, and with a journal that fails."""
    scenes = [Scene(*scene, lambda sent: sent.count(b"PAY|"), transport, CARD) for scene in SCENES]
    assert check(DRIVER, HelloSettings(), scenes) == ()


def test_a_gift_card_is_refused_before_a_byte() -> None:
    """What HELLO never promised is not taken for something that it can."""
    step = DRIVER.dialogue(HelloSettings(), "tcp").begin(replace(PAY, gift=True), 0.0)
    assert step.send == b""
    assert isinstance(step.events[0], Failed)

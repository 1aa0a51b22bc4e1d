"""HELLO keeps the rules of paybridge's contract, whatever happens to the line."""

from __future__ import annotations

from functools import partial
from typing import Literal

import pytest
from driver_hello import DRIVER, HelloSettings
from driver_hello.messages import No, Paid
from driver_hello.terminal import HelloTerminal

from drivers.conformance import Scene, check
from drivers.contract import Inquire, Money, Operation, Pay, Probe

PAY = Pay("b1946ac9", Money(2040, "EUR"))
ASK = Inquire(PAY, None)
PAID = Paid("b1946ac9", 2040, "EUR", "0001", "H3110", "visa", "1111")

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
    ("asked: never heard of it", ASK, partial(HelloTerminal)),
    ("probe", Probe(), partial(HelloTerminal)),
)


@pytest.mark.parametrize("transport", ["serial", "tcp"])
def test_hello_keeps_the_rules(transport: Literal["serial", "tcp"]) -> None:
    """Whole and in pieces, damaged, cut off, stopped, and with a journal that fails."""
    scenes = [Scene(*scene, lambda sent: sent.count(b"PAY|"), transport) for scene in SCENES]
    assert check(DRIVER, HelloSettings(), scenes) == ()

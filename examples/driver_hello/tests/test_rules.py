"""HELLO keeps the rules of paybridge's contract, whatever happens to the line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pytest
from driver_hello import DRIVER, HelloSettings
from driver_hello import messages as m
from driver_hello.messages import No, Offer, Paid
from driver_hello.terminal import HelloTerminal

from drivers.conformance import Scene, Stub, Trial, check, check_claims
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


@dataclass
class Liar:
    """A terminal that says these lines, one after each of ours."""

    lines: list[m.Message]
    booked: bool = False

    def receive(self, data: bytes) -> bytes:
        """Return the next line, whatever was asked."""
        del data
        return m.encode(self.lines.pop(0)) if self.lines else b""


OFFER = Offer(PAID.reference, 2040, "EUR", "0001", "H3110", "visa", "1111")
STRANGERS: dict[str, tuple[Operation, list[m.Message]]] = {
    "paid by somebody else": (PAY, [replace(PAID, reference="other")]),
    "offered to somebody else": (PAY, [replace(OFFER, reference="other")]),
    "asked: somebody else paid": (ASK, [replace(PAID, reference="other")]),
}
CONTRADICTIONS: dict[str, tuple[Operation, list[m.Message]]] = {
    **{
        f"an offer, then {code}": (PAY, [OFFER, No(PAID.reference, code, "")])
        for code in ("declined", "left", "stopped", "busy", "unknown")
    },
    "paid more than was offered": (PAY, [OFFER, replace(PAID, amount_minor=2041)]),
    "paid in another currency": (PAY, [OFFER, replace(PAID, currency="CHF")]),
    "asked: paid more": (ASK, [replace(PAID, amount_minor=2041)]),
}


@pytest.mark.parametrize("transport", ["serial", "tcp"])
def test_hello_claims_nothing_that_nobody_proved(transport: Literal["serial", "tcp"]) -> None:
    """Two talks on one line, refusals after an offer, strangers, and lies."""

    def scene(name: str, operation: Operation, stub: Callable[[], Stub]) -> Scene:
        return Scene(name, operation, stub, lambda sent: sent.count(b"PAY|"), transport)

    def lies(cases: dict[str, tuple[Operation, list[m.Message]]]) -> tuple[Scene, ...]:
        return tuple(
            scene(name, operation, partial(_liar, lines))
            for name, (operation, lines) in cases.items()
        )

    trial = Trial(
        scene("paid", PAY, HelloTerminal),
        nobody_pays=partial(HelloTerminal, "left"),
        refusals={
            code: m.encode(No(PAY.reference, code, ""))
            for code in ("declined", "left", "stopped", "busy", "unknown", "of tomorrow")
        },
        strangers=lies(STRANGERS),
        contradictions=lies(CONTRADICTIONS),
    )
    assert check_claims(DRIVER, HelloSettings(), trial) == ()


def _liar(lines: list[m.Message]) -> Liar:
    return Liar(list(lines))


def test_a_gift_card_is_refused_before_a_byte() -> None:
    """What HELLO never promised is not taken for something that it can."""
    step = DRIVER.dialogue(HelloSettings(), "tcp").begin(replace(PAY, gift=True), 0.0)
    assert step.send == b""
    assert isinstance(step.events[0], Failed)

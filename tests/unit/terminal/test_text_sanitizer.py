"""A text that no file can hold does not take its evidence with it."""

from __future__ import annotations

import pytest

from bridge.money.store.journal_entries import EventCodec
from bridge.terminal.text_sanitizer import storable
from drivers import contract as c

BAD = "caf\udcc3"  # a byte that was no UTF-8, as `surrogateescape` hands it on
CARD = c.Card(label=BAD, masked_pan=c.MaskedPan.of("4242424242424242"))
CODEC = EventCodec()


@pytest.mark.parametrize(
    "event",
    [
        c.Approved(c.Approval(c.Money(1, "EUR"), BAD, card=CARD, extra={BAD: BAD})),
        c.Receipt("customer", ("fine", BAD)),
        c.Declined("05", BAD),
        c.Unclear("no_answer", BAD),
    ],
)
def test_what_a_terminal_says_can_be_stored(event: c.TerminalEvent) -> None:
    written = storable(event)
    kind, body = CODEC.encode(written)  # type: ignore[arg-type]  # these are all payments' events
    assert CODEC.decode(kind, body) == written
    assert "caf?" in body


def test_what_can_be_stored_is_left_as_it_is() -> None:
    event = c.Receipt("customer", ("Größe",))
    assert storable(event) is event
    approved = c.Approved(c.Approval(c.Money(1, "EUR"), "é", extra={"a": "ü"}))
    assert storable(approved) is approved

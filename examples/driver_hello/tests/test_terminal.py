"""The terminal in software keeps what README.md promises of a HELLO terminal."""

from __future__ import annotations

import pytest
from driver_hello import messages as m
from driver_hello.terminal import HelloTerminal


def said(terminal: HelloTerminal, *orders: m.Message) -> list[m.Message]:
    """Return what the terminal answers."""
    reader = m.LineReader()
    reader.feed(terminal.receive(b"".join(m.encode(order) for order in orders)))
    return list(reader.messages())


def test_a_reference_is_paid_once() -> None:
    """However often PAY and KEEP come."""
    terminal = HelloTerminal()
    pay, keep = m.Pay("r1", 100, "EUR"), m.Keep("r1")
    paid = said(terminal, pay, keep)[-1]
    assert isinstance(paid, m.Paid)
    assert said(terminal, pay, keep, keep) == [paid, paid, paid]
    assert list(terminal.ledger) == ["r1"]


@pytest.mark.parametrize(
    "order", [m.Ask("r2"), m.Pay("r2", 200, "EUR"), m.Stop("r2"), m.Keep("r2")]
)
def test_another_reference_does_not_disturb_an_offer(order: m.Message) -> None:
    """And is not paid later, once it was denied."""
    terminal = HelloTerminal()
    said(terminal, m.Pay("r1", 100, "EUR"))
    denied = said(terminal, order)
    assert isinstance(said(terminal, m.Keep("r1"))[-1], m.Paid)
    if denied:
        assert isinstance(denied[-1], m.No)
        assert said(terminal, m.Pay("r2", 200, "EUR")) == denied


def test_an_offer_that_is_stopped_is_given_back_for_good() -> None:
    """A KEEP that comes too late changes nothing."""
    terminal = HelloTerminal()
    said(terminal, m.Pay("r1", 100, "EUR"))
    no = m.No("r1", "stopped", "Stopped")
    assert said(terminal, m.Stop("r1"), m.Keep("r1"), m.Ask("r1")) == [no, no, no]
    assert not terminal.booked

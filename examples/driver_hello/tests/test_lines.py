"""HELLO's lines against checksums that others computed, and against bytes that are none."""

from __future__ import annotations

import pytest
from driver_hello import messages as m

from drivers.contract import ProtocolError


@pytest.mark.parametrize(
    ("text", "sum_of_it"), [(b"abcde", 0xC8F0), (b"abcdef", 0x2057), (b"abcdefgh", 0x0627)]
)
def test_checksum_is_the_one_of_the_textbooks(text: bytes, sum_of_it: int) -> None:
    """Source: the well-known test values of Fletcher-16."""
    assert m.checksum(text) == sum_of_it


@pytest.mark.parametrize(
    "message",
    [m.Hello(), m.Pay("r", 2040, "EUR"), m.Offer("r", 1, "EUR", "7", "A1", "visa", "1111")],
)
def test_a_line_reads_as_it_was_written(message: m.Message) -> None:
    """Also with noise before it and half a line behind it."""
    reader = m.LineReader()
    reader.feed(b"\xff\x00noise\n" + m.encode(message) + b"PAY|r|1")
    assert list(reader.messages()) == [message]


def test_text_cannot_forge_a_field_or_a_line() -> None:
    """Whatever a terminal writes stays one field of one line."""
    line = m.encode(m.No("r", "left", "a|b*c\nPAID ä"))
    assert m.decode(line.rstrip(b"\n")) == m.No("r", "left", "a b c PAID  ")


@pytest.mark.parametrize("text", [b"PAID|r", b"PAY|r|20.40|EUR", b"PAY|r|-1|EUR", b"PAYED|r", b""])
def test_a_whole_line_that_says_nothing_known_is_refused(text: bytes) -> None:
    """A right checksum does not make sense of it."""
    with pytest.raises(ProtocolError):
        m.decode(b"%s*%04x" % (text, m.checksum(text)))


def test_a_line_without_an_end_does_not_fill_memory() -> None:
    """And what follows its end is read again."""
    reader = m.LineReader()
    for _ in range(1000):
        reader.feed(b"x" * 1000)
        assert list(reader.messages()) == []
    assert len(reader._buffer) <= m.LINE_BYTES_MAX
    reader.feed(b"\n" + m.encode(m.Hello()))
    assert list(reader.messages()) == [m.Hello()]

"""What looks after a terminal is read and written like everything else, and never by the bridge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.zvt.codec import messages as m
from drivers.zvt.codec import service_messages as u
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.fields import Tlv
from drivers.zvt.codec.sequence import sequence_of, sequence_tlv

containers = st.none() | st.just((Tlv(0x15, b"de"),))
byte = st.integers(0, 255)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


# A second number that looks like a container is a case of its own, below.
last_numbers = digits(4).filter(lambda number: not number.startswith("06"))
plain: st.SearchStrategy[Any] = st.one_of(
    *(
        st.builds(kind, amount=st.none() | st.integers(0, 10**12 - 1), tlv=containers)
        for kind in u.PLAIN
        if kind.CONTROL not in u.WITH_PASSWORD
    )
)
guarded: st.SearchStrategy[Any] = st.one_of(
    *(
        st.builds(kind, st.just("123456"), approval_code=st.just("481516"), tlv=containers)
        for kind in u.PLAIN
        if kind.CONTROL in u.WITH_PASSWORD
    )
)
positional: st.SearchStrategy[Any] = st.one_of(
    st.builds(u.TopUp, digits(4), byte, containers),
    st.builds(u.ReprintRange, digits(6), digits(4), st.just("") | last_numbers, containers),
    st.builds(u.SetTerminalId, digits(6), st.just("") | digits(8), containers),
    st.builds(u.SetTerminalClock, digits(6), digits(6), digits(6), containers),
    st.builds(u.ChangePassword, digits(6), digits(6), containers),
    st.builds(u.SetLanguage, byte, containers),
    st.builds(u.SwitchBaud, byte, containers),
)


@given(plain | guarded | positional)
def test_decode_undoes_encode(message: Any) -> None:
    assert decode(encode(message, "cp437"), "cp437") == message


@given(plain | guarded | positional, st.integers(1, 999_999))
def test_each_can_carry_a_sequence_id(message: Any, number: int) -> None:
    apdu = encode(message, "cp437", number)
    assert sequence_of(apdu) == number
    carried = decode(apdu, "cp437")
    assert not isinstance(carried, m.Unknown)
    assert carried.tlv == (*(message.tlv or ()), sequence_tlv(number))
    assert replace(carried, tlv=message.tlv) == message


# Bytes by PA00P015 rev 13.08, chapter 2: header, length, then what stands in the docstrings.
@pytest.mark.parametrize(
    ("apdu", "message"),
    [
        ("061800", u.Reset()),
        ("061A00", u.PrintConfiguration()),
        ("067900", u.SelfTest()),
        ("080100", u.ServiceMode()),
        ("061205 123456 0007", u.ReprintRange("123456", "0007")),
        ("061207 123456 0007 0612", u.ReprintRange("123456", "0007", "0612")),
        ("061B08 123456 29 52500041", u.SetTerminalId("123456", "52500041")),
        ("06910B 123456 AA 261123 0C 201500", u.SetTerminalClock("123456", "261123", "201500")),
        ("069506 123456 654321", u.ChangePassword("123456", "654321")),
        ("083001 01", u.SetLanguage(1)),
        ("084001 07", u.SwitchBaud(7)),
        ("060903 0042 01", u.TopUp("0042", 1)),
        (
            "06210D 123456 3B 3438313531360000 04",
            None,  # the amount is cut off: kept as it is, never believed
        ),
    ],
)
def test_literal_commands(apdu: str, message: u.Upkeep | None) -> None:
    raw = bytes.fromhex(apdu)
    if message is None:
        cut = decode(raw)
        assert isinstance(cut, u.TelephonicAuthorization)
        assert cut.amount is None
        assert cut.rest
        return
    assert decode(raw) == message
    assert encode(message) == raw


@given(
    st.sampled_from((0x0609, 0x0612, 0x061B, 0x0691, 0x0695, 0x0830, 0x0840)),
    st.binary(max_size=40),
)
def test_any_data_is_a_command_or_unknown(control: int, data: bytes) -> None:
    message = decode(control.to_bytes(2, "big") + bytes([len(data)]) + data)
    assert isinstance(message, (u.Positional, m.Unknown))

"""Both French drivers keep the rules that every driver is held to."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from drivers.conformance import Scene, check
from drivers.contract import Inquire, Money, Operation, Pay, Probe, Refund
from drivers.telium import CAISSE_AP_DRIVER, DRIVER, CaisseApSettings, TeliumSettings
from drivers.telium.codec import messages as m
from drivers.telium.codec.framing import Frame, FrameReader, Item, Signal, encode_frame

PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", Money(11245, "EUR"))
REFUND = Refund("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7f", Money(550, "EUR"))
ENQ, ACK, EOT = b"\x05", b"\x06", b"\x04"


@dataclass
class SerialStub:
    """A terminal that answers with `result`; its money is final before it says a word."""

    result: str = "0"
    booked: bool = False
    answer: bytes = b""
    reader: FrameReader = field(default_factory=FrameReader)
    says: bytes = b""

    def receive(self, data: bytes) -> bytes:
        return b"".join(self._reply(item) for item in self.reader.receive(data))

    def _reply(self, item: Item) -> bytes:
        """Return what the terminal says; `says` is what it waits to have acknowledged."""
        match item:
            case Frame(body):
                asked = m.decode_request(body)
                said = m.Answer(
                    asked.till,
                    self.result,
                    asked.amount_minor,
                    asked.means,
                    asked.currency,
                    asked.private,
                )
                self.answer = encode_frame(m.encode(said))
                return ACK
            case Signal.EOT if self.answer and not self.says:
                self.says = ENQ
            case Signal.ENQ:
                return ACK
            case Signal.ACK if self.says == ENQ:
                self.says = self.answer
            case Signal.ACK if self.says:
                self.says = b""
                return EOT
            case Signal.NAK:
                pass
            case _:
                return b""
        return self.says


@dataclass
class IpStub:
    """A terminal that gives one answer to whatever comes."""

    answer: bytes
    booked: bool = False

    def receive(self, data: bytes) -> bytes:
        return self.answer


def serial_requests(written: bytes) -> int:
    return sum(isinstance(item, Frame) for item in FrameReader().receive(written))


def ip_requests(written: bytes) -> int:
    return written.count(b"CZ004")


@pytest.mark.parametrize(
    ("name", "operation", "result"),
    [
        ("paid", PAY, "0"),
        ("refused", PAY, "7"),
        ("not verified", PAY, "9"),
        ("refunded", REFUND, "0"),
        ("probed", Probe(), ""),
        ("asked", Inquire(PAY, None), ""),
    ],
)
def test_concert_keeps_the_rules(name: str, operation: Operation, result: str) -> None:
    scene = Scene(name, operation, lambda: SerialStub(result), serial_requests, "serial")
    assert check(DRIVER, TeliumSettings(refunds=True), [scene]) == ()


ECHO = b"CZ0040300CJ012012345678901CA00201CB012000000011245CD0010CE003978"
CREDIT = b"CZ0040300CJ012012345678901CA00201CB012000000000550CD0011CE003978"


@pytest.mark.parametrize(
    ("name", "operation", "answer"),
    [
        ("paid", PAY, ECHO + b"AE00210CC003001AC006123456"),
        ("refused", PAY, ECHO + b"AE00201AF00204"),
        ("not known", PAY, ECHO + b"AE00201AF00200"),
        ("refunded", REFUND, CREDIT + b"AE00210"),
        ("probed", Probe(), b""),
        ("asked", Inquire(PAY, None), b""),
    ],
)
def test_caisse_ap_keeps_the_rules(name: str, operation: Operation, answer: bytes) -> None:
    scene = Scene(name, operation, lambda: IpStub(answer), ip_requests, "tcp")
    assert check(CAISSE_AP_DRIVER, CaisseApSettings(), [scene]) == ()

"""Both French drivers keep the rules that every driver is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from drivers.conformance import Scene, Trial, check, check_claims
from drivers.contract import Inquire, Money, Operation, Pay, Probe, Refund
from drivers.telium import CAISSE_AP_DRIVER, DRIVER, CaisseApSettings, TeliumSettings
from drivers.telium.codec import messages as m
from drivers.telium.codec.codes import CONTRADICTING_REASONS, REFUSALS
from drivers.telium.codec.framing import Frame, FrameReader, Item, Signal, encode_frame
from drivers.telium.codec.reference import attempt_reference

PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", Money(11245, "EUR"))
REFUND = Refund("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7f", Money(550, "EUR"))
ENQ, ACK, EOT = b"\x05", b"\x06", b"\x04"


@dataclass
class SerialStub:
    """A terminal that answers with `result`; its money is final before it says a word."""

    result: str = "0"
    private: str | None = None  # None: what was asked with
    amount_minor: int | None = None
    currency: str | None = None
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
                said = m.ConcertAnswer(
                    asked.till,
                    self.result,
                    self.amount_minor or asked.amount_minor,
                    asked.means,
                    self.currency or asked.currency,
                    self.private or asked.private,
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
    return written.count(b"CD001") - written.count(b"CD001I")  # who is there? is no order


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


def concert(name: str, stub: Callable[[], SerialStub], operation: Operation = PAY) -> Scene:
    return Scene(name, operation, stub, serial_requests, "serial")


def late(result: str, private: str) -> bytes:
    """Return an answer that a terminal gives by itself."""
    said = m.ConcertAnswer("01", result, 11245, "1", "978", private)
    return ENQ + encode_frame(m.encode(said))


@dataclass
class Insisting(SerialStub):
    """A terminal that has an answer to another payment to give, and asks nobody."""

    def receive(self, data: bytes) -> bytes:
        return late("0", "OTHERONE01")


def test_concert_claims_nothing_that_nobody_proved() -> None:
    reference = attempt_reference(PAY.reference)
    trial = Trial(
        concert("paid", SerialStub),
        nobody_pays=lambda: SerialStub("7"),
        refusals={result: late(result, reference) for result in ("7", "9", "1", "Z")},
        strangers=(
            concert("another reference", lambda: SerialStub(private="OTHERONE01")),
            concert("no reference", lambda: SerialStub(private=" " * 10)),
            concert("an answer that insists", Insisting),
            concert("an answer that insists, asked", Insisting, Inquire(PAY, None)),
        ),
        contradictions=(
            concert("accepted, but with more", lambda: SerialStub(amount_minor=11246)),
            concert("accepted, but with less", lambda: SerialStub(amount_minor=11244)),
            concert("accepted, but in francs", lambda: SerialStub(currency="756")),
            concert("refused, but with more", lambda: SerialStub("7", amount_minor=11246)),
            concert("not verified", lambda: SerialStub("9")),
            concert("no known result", lambda: SerialStub("Z")),
        ),
    )
    assert check_claims(DRIVER, TeliumSettings(), trial) == ()


def test_concert_without_an_echo_takes_no_payment_for_the_one_before() -> None:
    trial = Trial(
        concert("paid", lambda: SerialStub(private="A123456   ")),
        nobody_pays=lambda: SerialStub("7", private="A123457   "),
        refusals={"7": late("7", "A123457   ")},
        strangers=(concert("asked", Insisting, Inquire(PAY, None)),),
        contradictions=(concert("not verified", lambda: SerialStub("9", private="A123458   ")),),
    )
    assert check_claims(DRIVER, TeliumSettings(private_field="free"), trial) == ()


def caisse_ap(name: str, answer: bytes, operation: Operation = PAY) -> Scene:
    return Scene(name, operation, lambda: IpStub(answer), ip_requests, "tcp")


def test_caisse_ap_claims_nothing_that_nobody_proved() -> None:
    paid = ECHO + b"AE00210CC003001AC006123456"
    trial = Trial(
        caisse_ap("paid", paid),
        nobody_pays=lambda: IpStub(ECHO + b"AE00201AF00211"),
        refusals={
            **{code: ECHO + b"AE00201AF002" + code.encode() for code in (*REFUSALS, "99")},
            "none": ECHO + b"AE00201",
        },
        strangers=(
            caisse_ap("a larger amount", paid.replace(b"11245", b"11246")),
            caisse_ap("another till", paid.replace(b"CA00201", b"CA00202")),
            caisse_ap("a credit", paid.replace(b"CD0010", b"CD0011")),
            caisse_ap("francs", paid.replace(b"CE003978", b"CE003756")),
            caisse_ap("asked for later", paid, Inquire(PAY, None)),
        ),
        contradictions=(
            *(caisse_ap(f"done, but {code}", paid + b"AF002" + code.encode()) for code in REFUSALS),
            *(
                caisse_ap(f"not done, but {code}", ECHO + b"AE00201AF002" + code.encode())
                for code in CONTRADICTING_REASONS
            ),
            caisse_ap("not done, but authorized", ECHO + b"AE00201AF00204AC006123456"),
            caisse_ap("done and not done", paid + b"AE00201"),
            caisse_ap("to confirm", paid.replace(b"AE00210", b"AE00211")),
        ),
    )
    assert check_claims(CAISSE_AP_DRIVER, CaisseApSettings(), trial) == ()

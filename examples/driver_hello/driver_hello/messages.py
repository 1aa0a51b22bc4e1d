"""HELLO's lines as bytes and as facts, both ways; the terminal simulator uses them, too. Pure.

    PAY|b1946ac9|2040|EUR*5c3f <LF>
    name fields, joined by |  ^^^^ Fletcher-16 of all that stands before the star, in hex

    till  -> terminal   HELLO  PAY  KEEP  STOP  ASK
    till <-  terminal   READY  CLOSED  WAIT  OFFER  PAID  NO  BUSY

What each line means is told by its class here, who may send it when by README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from drivers.contract import ProtocolError, mask_cards

LINE_BYTES_MAX = 256  # twice the longest line there is; more without an end is noise
CHECKSUM_CHARACTERS = 4
MODULUS = 255  # Fletcher's, for 16 bits

_BREAKS_A_LINE = re.compile(r"[^ -~]|[|*]")


@dataclass(frozen=True, slots=True)
class Hello:
    """Who are you, and can you take payments? Answered at any time by READY or CLOSED."""


@dataclass(frozen=True, slots=True)
class Ready:
    """I can take payments."""

    terminal_id: str
    serial_number: str
    model: str
    firmware: str
    currency: str


@dataclass(frozen=True, slots=True)
class Closed:
    """I take no payments until somebody acts."""

    text: str


@dataclass(frozen=True, slots=True)
class Pay:
    """Take this amount, in the currency's smallest unit. Each reference is paid once at most."""

    reference: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Wait:
    """I wait for a `card`, a `pin` or the `host`."""

    reference: str
    what: str


@dataclass(frozen=True, slots=True)
class Offer:
    """The issuer said yes, the money is held. KEEP it, or it is given back."""

    reference: str
    amount_minor: int
    currency: str
    receipt: str
    approval_code: str
    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Make the offer final. Answered by PAID, also when it comes again."""

    reference: str


@dataclass(frozen=True, slots=True)
class Paid:
    """The money is taken, for good."""

    reference: str
    amount_minor: int
    currency: str
    receipt: str
    approval_code: str
    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End this payment if it is not final; answered by NO then, by nothing else otherwise."""

    reference: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What became of this payment? Answered by PAID, NO or BUSY."""

    reference: str


@dataclass(frozen=True, slots=True)
class No:
    """No money was taken, and for this reference none ever will be."""

    reference: str
    code: str  # "declined" | "left" | "stopped" | "unknown" | "busy"
    text: str


@dataclass(frozen=True, slots=True)
class Busy:
    """I am still at it."""

    reference: str


Message = Hello | Ready | Closed | Pay | Wait | Offer | Keep | Paid | Stop | Ask | No | Busy

_KINDS: dict[str, type[Message]] = {
    kind.__name__.upper(): kind
    for kind in (Hello, Ready, Closed, Pay, Wait, Offer, Keep, Paid, Stop, Ask, No, Busy)
}


def encode(message: Message) -> bytes:
    """Return the line; what would break it (a bar, a star, no ASCII) becomes a space."""
    words = (_BREAKS_A_LINE.sub(" ", str(value)) for value in astuple(message))
    text = "|".join((type(message).__name__.upper(), *words)).encode("ascii")
    return b"%s*%04x\n" % (text, checksum(text))


def decode(line: bytes) -> Message:
    """Return what a line says, without its LF.

    Raises:
        ProtocolError: The checksum, the name, the number of fields or a number is wrong.
    """
    text, star, check = line[: -CHECKSUM_CHARACTERS - 1], line[-5:-4], line[-4:]
    if star != b"*" or check != b"%04x" % checksum(text) or not text.isascii():
        raise ProtocolError("damaged line")
    name, *words = text.decode("ascii").split("|")
    kind = _KINDS.get(name)
    if kind is None or len(words) != len(fields(kind)):
        raise ProtocolError(f"no such line: {name} with {len(words)} fields")
    values: list[str | int] = []
    for field, word in zip(fields(kind), words, strict=True):
        if field.name == "reference":
            values.append(word)  # our own; everything else may hold what it should not
        elif field.type != "int":
            values.append(mask_cards(word))
        elif word.isdecimal():
            values.append(int(word))
        else:
            raise ProtocolError(f"{name}: {field.name} is not a number")
    return kind(*values)  # type: ignore[arg-type]  # as many as there are fields, of their types


def checksum(text: bytes) -> int:
    """Return Fletcher-16 of `text`; unlike a plain sum it notices swapped bytes."""
    low = high = 0
    for byte in text:
        low = (low + byte) % MODULUS
        high = (high + low) % MODULUS
    return high << 8 | low


class LineReader:
    """Turns bytes, in any pieces, into messages; what is no line of HELLO is passed over."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._buffer += data

    def messages(self) -> Iterator[Message]:
        """Yield what is complete. Stop when you like, and go on with the rest later."""
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            try:
                yield decode(line)
            except ProtocolError:
                continue  # no evidence of anything; silence will tell
        if len(self._buffer) > LINE_BYTES_MAX:
            self._buffer[:] = b"\0"  # whatever follows before the next LF is no line either

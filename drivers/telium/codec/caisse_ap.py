"""Caisse-AP over IP (Concert 3.x): text of tags and lengths, both ways. Pure.

    +----+-----+-------+----+-----+-------+----
    | CZ | 004 | 0300  | CJ | 012 | value | ...      tag(2) length(3 digits) value, CZ first
    +----+-----+-------+----+-----+-------+----

One TCP connection carries one request and one answer. Nothing says how long a message is: it is
whole when every tag is whole and the ones that the answer cannot do without are there, and it is
complete, whatever follows, when nothing is missing that anybody reads. Some terminals end it with
CR LF, some write letters of ISO 8859-1 into values; a length counts bytes.
Source: akretion/caisse-ap-ip 273b9f3 (client and terminal), the OCA's Odoo module 19.0.1.0.0.3;
AF of 2 to 50 characters, its absence and partial amounts: HiPay's and Fidecoin's descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from drivers.contract import MaskedPan, ProtocolError, mask_cards

MESSAGE_BYTES_MAX = 4096  # an answer has 170 bytes; the terminals' own buffers have 1 KiB
TAG_CHARACTERS, LENGTH_DIGITS = 2, 3
# CJ, required: the number that the protocol's association gave to the register's maker. This is
# the one of clients that were given none.
PROTOCOL_ID = "012345678901"
PROTOCOL_ID_CHARACTERS = 12
AMOUNT_MINOR_MAX = 999_999_999_999
REQUEST_AMOUNT_DIGITS_MIN = 2

DONE = "10"
NOT_DONE = "01"
DEBIT: Literal["0"] = "0"
CREDIT: Literal["1"] = "1"
IDENTIFY = "I"  # no money: who is there? From 3.01 on; older ones answer that they do not know it
FORMAT_ERROR, UNKNOWN_ACTION = "09", "12"  # of AF

_TAG = re.compile(rb"[A-Z][A-Z0-9]")
_TEXT = re.compile(rb"[\x20-\xff]*")
_ENCODING = "latin-1"
_LINE_END = b"\r\n"
REASON_CHARACTERS = 2  # of AF; up to 48 more are the bank's words
_DONE_NEEDS = frozenset(("CA", "CB", "CD", "CE"))
_NOT_DONE_NEEDS = frozenset[str]()  # AF may be left out
_DONE_MAY_HAVE = _DONE_NEEDS | {"AA", "AC", "AI", "CC", "CG", "CI"}
# An authorization beside a refusal would contradict it, so that one is waited for a moment.
_NOT_DONE_MAY_HAVE = _NOT_DONE_NEEDS | _DONE_NEEDS | {"AF", "AC"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the till asks for."""

    till: str  # two digits
    amount_minor: int  # 1 to 999 999 999 999
    currency: str  # ISO 4217, three digits
    action: Literal["0", "1"] = DEBIT
    version: str = "0300"
    protocol_id: str = PROTOCOL_ID


@dataclass(frozen=True, slots=True)
class CaisseApAnswer:
    """What the terminal says. "" and None mean that it did not say."""

    status: str  # AE: `10` done, `01` not done, `11` accepted for later
    reason: str = ""  # AF, its first two characters
    text: str = ""  # the rest of AF
    till: str = ""  # CA
    amount_minor: int | None = None  # CB; left out by some terminals when nothing was done
    currency: str = ""  # CE
    action: str = ""  # CD
    application: str = ""  # CC
    entry: str = ""  # CI
    approval_code: str = ""  # AC
    card: MaskedPan | None = None  # AA, masked again whatever the terminal sent
    application_id: str = ""  # AI
    contract: str = ""  # CG
    protocol_id: str = ""  # CJ


def encode_tags(tags: Iterable[tuple[str, str]]) -> bytes:
    """Return the text of tags and values, in order."""
    return "".join(f"{tag}{len(value):03d}{value}" for tag, value in tags).encode(_ENCODING)


def decode_tags(data: bytes) -> tuple[dict[str, str], bytes]:
    """Return the tags that are whole, and the rest that is not whole yet.

    Reading ends with the tag that completes an answer. Of a message in which a tag comes twice
    with two values neither can be trusted.

    Raises:
        ProtocolError: This cannot become a message, whatever follows.
    """
    tags: dict[str, str] = {}
    position = 0
    if len(data) > MESSAGE_BYTES_MAX:
        raise ProtocolError("a message is longer than any terminal sends")
    while len(data) - position >= TAG_CHARACTERS + LENGTH_DIGITS:
        if not data[position:].strip(_LINE_END):
            break
        length_at = position + TAG_CHARACTERS
        value_at = length_at + LENGTH_DIGITS
        tag, digits = data[position:length_at], data[length_at:value_at]
        if not _TAG.fullmatch(tag) or not digits.isdigit():
            raise ProtocolError("this is no tag with a length")
        end = value_at + int(digits)
        if end > len(data):
            break
        value = data[value_at:end]
        if not _TEXT.fullmatch(value):
            raise ProtocolError("a value is not text")
        text = value.decode(_ENCODING)
        if tags.setdefault(tag.decode("ascii"), text) != text:
            raise ProtocolError("a tag came with two values")
        position = end
        if is_complete(tags):
            return tags, b""
    rest = data[position:]
    return tags, rest if rest.strip(_LINE_END) else b""


def is_whole(tags: Mapping[str, str], rest: bytes) -> bool:
    """Whether `tags` are an answer that lacks nothing; more may still come."""
    if rest or "AE" not in tags:
        return False
    needs = {DONE: _DONE_NEEDS, NOT_DONE: _NOT_DONE_NEEDS}.get(tags["AE"], frozenset[str]())
    return needs <= tags.keys()


def is_complete(tags: Mapping[str, str]) -> bool:
    """Whether `tags` are an answer to which nothing can be added that matters."""
    has = {DONE: _DONE_MAY_HAVE, NOT_DONE: _NOT_DONE_MAY_HAVE}.get(tags.get("AE", ""))
    return has is not None and has <= tags.keys()


def encode_request(request: Request) -> bytes:
    """Return the bytes of a request.

    BF (partial payments) is left out: newer terminals misbehave when they get it.
    """
    return encode_tags(
        (
            ("CZ", request.version),
            ("CJ", request.protocol_id),
            ("CA", request.till),
            ("CE", request.currency),
            ("CD", request.action),
            ("CB", f"{request.amount_minor:0{REQUEST_AMOUNT_DIGITS_MIN}d}"),
        )
    )


def encode_identification(till: str, version: str, protocol_id: str) -> bytes:
    """Return the bytes of the question who is there. Moves no money, shows nothing."""
    head = (("CZ", version), ("CJ", protocol_id))
    return encode_tags((*head, ("CA", till), ("CD", IDENTIFY)))


def decode_request(tags: Mapping[str, str]) -> Request:
    """Return the request in `tags`, for the terminal's side.

    Raises:
        ProtocolError: A tag is missing or wrong.
    """
    try:
        action = tags["CD"]
        if action not in (DEBIT, CREDIT):
            raise ProtocolError("the action is unknown")
        return Request(
            till=tags["CA"],
            amount_minor=_amount(tags["CB"]),
            currency=tags["CE"],
            action=DEBIT if action == DEBIT else CREDIT,
            version=tags["CZ"],
            protocol_id=tags["CJ"],
        )
    except KeyError as error:
        raise ProtocolError(f"tag {error.args[0]} is missing") from error


def decode_answer(tags: Mapping[str, str]) -> CaisseApAnswer:
    """Return the answer in `tags`; what is not known is left out.

    Raises:
        ProtocolError: It says neither done nor not done, or the amount is no number.
    """
    if "AE" not in tags:
        raise ProtocolError("the answer has no status")
    amount = _amount(tags["CB"]) if "CB" in tags else None
    card = MaskedPan.of(tags["AA"]) if tags.get("AA") else None
    tags = {tag: mask_cards(value) for tag, value in tags.items()}
    explained = tags.get("AF", "")
    return CaisseApAnswer(
        status=tags["AE"],
        reason=explained[:REASON_CHARACTERS],
        text=_plain(explained[REASON_CHARACTERS:]),
        till=tags.get("CA", ""),
        amount_minor=amount,
        currency=tags.get("CE", ""),
        action=tags.get("CD", ""),
        application=tags.get("CC", ""),
        entry=tags.get("CI", ""),
        approval_code=tags.get("AC", ""),
        card=card,
        application_id=tags.get("AI", ""),
        contract=tags.get("CG", ""),
        protocol_id=tags.get("CJ", ""),
    )


def encode_answer(answer: CaisseApAnswer, card_number: str = "") -> bytes:
    """Return the tags of an answer, without the CZ and CJ that a terminal repeats before them.

    `card_number` replaces the masked one: only a simulated terminal has it.
    """
    amount = "" if answer.amount_minor is None else f"{answer.amount_minor:012d}"
    tags = (
        ("CA", answer.till),
        ("CB", amount),
        ("CD", answer.action),
        ("CE", answer.currency),
        ("AE", answer.status),
        ("AF", f"{answer.reason}{answer.text}"),
        ("CC", answer.application),
        ("CI", answer.entry),
        ("AC", answer.approval_code),
        ("AA", card_number or (answer.card.text if answer.card else "")),
        ("AI", answer.application_id),
        ("CG", answer.contract),
    )
    return encode_tags((tag, value) for tag, value in tags if value)


def _plain(text: str) -> str:
    """Return words for people: padding and control characters become single blanks."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())


def _amount(text: str) -> int:
    digits = text.isascii() and text.isdecimal()
    if not 0 < len(text) <= len(str(AMOUNT_MINOR_MAX)) or not digits:
        raise ProtocolError("the amount is no number")
    return int(text)

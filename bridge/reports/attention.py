"""What of a payment needs a person, in which order, and what to type next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord

NeedKind = Literal[
    "in_doubt",
    "being_asked",
    "may_have_moved",
    "contradiction",
    "unconfirmed",
    "rejected",
    "signature",
    "held",
    "booking_waits",
]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is open about a payment.

    Attributes:
        kind: What it is.
        text: The same in words.
        command: What to type, "" where nobody has to.
        by_person: False where it ends by itself.
    """

    kind: NeedKind
    text: str
    command: str = ""
    by_person: bool = True


# How many characters of a payment's id a command needs: what is made in one minute begins alike.
ID_CHARACTERS: Final = 8


def needs_of(record: PaymentRecord) -> tuple[Need, ...]:
    """Return what is open about a payment, the most urgent first."""
    payment, name = record.payment, record.payment_id[-ID_CHARACTERS:]
    found = [*_doubt(payment, name), *_contradictions(payment, name), *_booking(payment, name)]
    if payment.signature_is_asked:
        found.append(Need("signature", "the cashier is asked whether the signature is right"))
    if payment.held_minor:
        found.append(Need("held", "money is held: capture it or release it", by_person=False))
    return tuple(found)


def _doubt(payment: p.Payment, name: str) -> list[Need]:
    if payment.status is not p.Status.IN_DOUBT or payment.doubt is None:
        return []
    if not payment.doubt.needs_operator:
        text = "in doubt: the terminal is being asked; do not charge again"
        return [Need("being_asked", text, by_person=False)]
    text = "in doubt, and the terminal cannot tell: look at its slip"
    command = f"paybridge resolve {name} approved --code CODE --by NAME (or not-charged)"
    return [Need("in_doubt", text, command)]


def _contradictions(payment: p.Payment, name: str) -> list[Need]:
    if not payment.discrepancies or payment.decided_by:
        return []
    odd = payment.discrepancies[-1]
    if payment.may_have_moved:
        text = f"said not to be charged, and evidence speaks against it: {odd.text}"
        command = f"paybridge resolve {name} book --by NAME (or noted)"
        return [Need("may_have_moved", text, command)]
    command = f"paybridge resolve {name} noted --by NAME"
    return [Need("contradiction", f"evidence contradicts it: {odd.text}", command)]


def _booking(payment: p.Payment, name: str) -> list[Need]:
    match payment.recording:
        case p.Recording.UNCONFIRMED:
            text = "whether it is in the back office is not known: look up its Trans # there"
            command = f"paybridge resolve {name} booked --record-id ID --by NAME (or send-again)"
            return [Need("unconfirmed", text, command)]
        case p.Recording.REJECTED:
            why = payment.recording_error or "no reason was given"
            command = f"paybridge resolve {name} send-again --by NAME, when the reason is mended"
            return [Need("rejected", f"the back office refused it: {why}", command)]
        case p.Recording.PENDING:
            waiting = "not in the back office yet: its sale waits, or the line"
            return [Need("booking_waits", waiting, by_person=False)]
        case _:
            return []

"""The change of a gift card's code: a lost card's is revoked, or another one takes its place. Pure.

The rules:

* `CodeChanging` is on disk before the back office is asked; from then on, until the answer is
  there too, nobody knows which code the card has. No crash and no lost answer says that it kept it.
* No money moves: the balance belongs to the card, which the server knows by an id of its own. So
  the same change may be wished again under another name, and then the later one counts.
* A change is known by its name for ever. The codes themselves leave the journal with the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from bridge.money.payment.request import GiftCardCode

SUBJECT = "gift-card-codes"  # of the journal: a store loses a few cards a month
SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class CodeChanging:
    """The back office is about to be asked to change a card's code.

    Attributes:
        name: Of this change, for ever; the register's own.
        code, replacement: The code that goes, and the one that comes, "" for none; both are
            forgotten once it is known what became of it.
        account: The server's id of the card.
        balance: What the card held, decimal text.
        masked, replaced_by: The ends of the codes, for people.
        by: The supervisor who answers for it.
        began_at: ISO 8601 UTC.
    """

    name: str
    kind: Literal["PHYSICAL", "PERSONAL", "EXTERNAL"]
    code: str = field(repr=False)
    account: str
    balance: str
    masked: str
    register_id: str
    by: str
    began_at: str
    replacement: str = field(default="", repr=False)
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class CodeChanged:
    """The card has no such code any more, and the other one where one was wished."""

    name: str
    inferred: str = ""  # why it is believed, where no answer said so


@dataclass(frozen=True, slots=True)
class CodeKept:
    """It is certain that this change did nothing, or a later one counts (`SUPERSEDED`)."""

    name: str
    code: str  # a code of the published contract, or `SUPERSEDED`
    text: str


CodeEvent = CodeChanging | CodeChanged | CodeKept


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One change, folded from its events; `seq` and `at` are those of its beginning."""

    wish: CodeChanging
    seq: int
    at: str
    end: CodeChanged | CodeKept | None = None

    @property
    def is_open(self) -> bool:
        """True while nobody knows what became of it."""
        return self.end is None


@dataclass(frozen=True, slots=True)
class CodeWish:
    """What a register wants done to a card's code; `replacement` None only revokes it."""

    name: str
    register_id: str
    by: str
    card: GiftCardCode
    replacement: GiftCardCode | None = None
    pin: str = field(default="", repr=False)  # of the replacement; stored nowhere


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """What became of it: `code` is one of the published contract, "" when it was done."""

    code: str = ""
    text: str = ""
    masked: str = ""
    replaced_by: str = ""
    balance: str = ""


def advance_codes(
    known: Mapping[str, CodeChange], event: CodeEvent, seq: int, at: str
) -> dict[str, CodeChange]:
    """Return all changes after `event`, which is the journal's entry `seq`."""
    if isinstance(event, CodeChanging):
        return {**known, event.name: CodeChange(event, seq, at)}
    return {**known, event.name: replace(known[event.name], end=event)}


def without_codes(wish: CodeChanging) -> CodeChanging:
    """Return what is kept of a change that is over."""
    return replace(wish, code="", replacement="")

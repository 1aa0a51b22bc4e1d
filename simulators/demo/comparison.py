"""The end of the demo: what terminal, gift cards, journal and back office know. Pure.

Each party wrote its own book. What the journal says was paid must be what the terminal took and
the gift cards gave, and must be in the back office, sale by sale; and nothing may be in one
book alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FINAL = frozenset({"approved", "declined", "canceled", "failed"})


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment in the terminal's own memory; what went back to a card is negative.

    `settled` is False while the terminal may still undo it.
    """

    receipt: str
    amount_minor: int
    currency: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class GiftMove:
    """One movement in the gift cards' own book: positive what a card gave, negative what it got.

    `held` is True while it is only set aside.
    """

    reference: str  # the payment it was made for, by the bridge's word
    amount_minor: int
    held: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment in the journal; `amount_minor` is what it brought, negative for a refund."""

    payment_id: str
    status: str
    amount_minor: int
    currency: str
    receipt: str = ""  # the terminal's number for it, "" when the terminal did nothing
    transaction_ids: tuple[str, ...] = ()  # of the purchases made of it
    plan_id: str = ""  # of the split that it is a part of
    gift_reference: str = ""  # where the gift cards' book has it, "" for what is no gift card's
    fills: bool = False  # it put `amount_minor` on a gift card, and brought the sale nothing

    @property
    def names(self) -> frozenset[str]:
        """What it has in common with other payments of the same purchase."""
        return frozenset({self.payment_id, self.plan_id, *self.transaction_ids} - {""})


@dataclass(frozen=True, slots=True)
class Booking:
    """One purchase in the back office's own books; a return is negative."""

    record_id: str
    transaction_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Row:
    """One sale as four parties know it; `names` are its payments and their plan.

    `faults` says in sentences what differs.
    """

    names: tuple[str, ...]  # () for what the journal does not know
    status: str
    currency: str
    terminal_minor: int = 0
    gift_cards_minor: int = 0
    journal_minor: int = 0
    back_office_minor: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Books:
    """What the four parties wrote."""

    charges: Sequence[Charge] = ()
    gift_moves: Sequence[GiftMove] = ()
    entries: Sequence[Entry] = ()
    bookings: Sequence[Booking] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All sales, the journal's in its order first, then what it does not know; then the fills.

    In the rows of `fills`, gift cards that were filled, only journal and gift cards have a say.
    """

    rows: tuple[Row, ...]
    fills: tuple[Row, ...]
    charges: int
    bookings: int

    @property
    def equal(self) -> bool:
        """Whether the books agree about everything, to the cent."""
        return not any(row.faults for row in (*self.rows, *self.fills))

    @property
    def terminal_minor(self) -> int:
        """What the terminal took in all, less what it gave back."""
        return sum(row.terminal_minor for row in self.rows)

    @property
    def gift_cards_minor(self) -> int:
        """What the gift cards gave in all."""
        return sum(row.gift_cards_minor for row in self.rows)

    @property
    def journal_minor(self) -> int:
        """What the journal says was paid in all."""
        return sum(row.journal_minor for row in self.rows)

    @property
    def back_office_minor(self) -> int:
        """What was recorded in all."""
        return sum(row.back_office_minor for row in self.rows)


def on_gift_cards(moves: Iterable[GiftMove]) -> int:
    """Return what is on gift cards after these movements, in minor units.

    What is held is gone from a card at once, and what is set aside for one not there yet.
    """
    return -sum(one.amount_minor for one in moves if not one.held or one.amount_minor > 0)


def compare(books: Books) -> Comparison:
    """Return what the books say of each sale, and where they differ."""
    sales = _grouped(entry for entry in books.entries if not entry.fills)
    rows = [_row(group, books) for group in sales]
    fills = [_fill(entry, books.gift_moves) for entry in books.entries if entry.fills]
    receipts = {(entry.receipt, entry.currency) for entry in books.entries}
    rows += [
        Row((), "", one.currency, one.amount_minor, faults=("charged, not in the journal",))
        for one in books.charges
        if (one.receipt, one.currency) not in receipts
    ]
    references = {entry.gift_reference for entry in books.entries}
    rows += [
        Row(
            (),
            "",
            "",
            gift_cards_minor=one.amount_minor,
            faults=("on a gift card, not in the journal",),
        )
        for one in books.gift_moves
        if one.reference not in references
    ]
    transactions = {name for entry in books.entries for name in entry.transaction_ids}
    rows += [
        Row(
            (), "", "", back_office_minor=one.amount_minor, faults=("recorded, not in the journal",)
        )
        for one in books.bookings
        if one.transaction_id not in transactions
    ]
    return Comparison(tuple(rows), tuple(fills), len(books.charges), len(books.bookings))


def _grouped(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Put together what belongs to one purchase or one split, in the journal's order."""
    groups: list[list[Entry]] = []
    for entry in entries:
        related = [one for one in groups if any(entry.names & other.names for other in one)]
        groups = [one for one in groups if one not in related]
        groups.append([*(other for one in related for other in one), entry])
    return groups


def _row(group: Sequence[Entry], books: Books) -> Row:
    currency = group[0].currency
    taken = [
        one
        for one in books.charges
        if any((one.receipt, one.currency) == (entry.receipt, entry.currency) for entry in group)
    ]
    references = {entry.gift_reference for entry in group if entry.gift_reference}
    moves = [one for one in books.gift_moves if one.reference in references]
    transactions = {name for entry in group for name in entry.transaction_ids}
    booked = [one for one in books.bookings if one.transaction_id in transactions]
    by_card = sum(entry.amount_minor for entry in group if not entry.gift_reference)
    by_gift_card = sum(entry.amount_minor for entry in group if entry.gift_reference)
    terminal = sum(one.amount_minor for one in taken)
    gift_cards = sum(one.amount_minor for one in moves)
    office = sum(one.amount_minor for one in booked)
    rules = (
        *((entry.status not in FINAL, f"still {entry.status}") for entry in group),
        (len({one.receipt for one in taken}) < len(taken), "charged more than once"),
        (any(not one.settled for one in taken), "the terminal may still undo it"),
        (any(one.held for one in moves), "a gift card is still held"),
        (len(booked) > len(transactions), "recorded more than once"),
        (terminal != by_card, "terminal and journal differ"),
        (gift_cards != by_gift_card, "gift cards and journal differ"),
        (office != by_card + by_gift_card, "journal and back office differ"),
    )
    names = (name for entry in group for name in (entry.plan_id, entry.payment_id) if name)
    return Row(
        names=tuple(dict.fromkeys(names)),
        status=", ".join(dict.fromkeys(entry.status for entry in group)),
        currency=currency,
        terminal_minor=terminal,
        gift_cards_minor=gift_cards,
        journal_minor=by_card + by_gift_card,
        back_office_minor=office,
        faults=tuple(text for broken, text in rules if broken),
    )


def _fill(entry: Entry, gift_moves: Sequence[GiftMove]) -> Row:
    moves = [one for one in gift_moves if one.reference == entry.gift_reference]
    filled = -sum(one.amount_minor for one in moves)
    rules = (
        (entry.status not in FINAL, f"still {entry.status}"),
        (any(one.held for one in moves), "not on the card yet"),
        (len(moves) > 1, "filled more than once"),
        (filled != entry.amount_minor, "gift cards and journal differ"),
    )
    return Row(
        names=(entry.payment_id,),
        status=entry.status,
        currency=entry.currency,
        gift_cards_minor=filled,
        journal_minor=entry.amount_minor,
        faults=tuple(text for broken, text in rules if broken),
    )

"""Every kind of difference between the books is found and said."""

from __future__ import annotations

import dataclasses

import pytest

from simulators.demo.comparison import (
    Booking,
    Books,
    Charge,
    Comparison,
    Entry,
    GiftMove,
    compare,
    on_gift_cards,
)

CHARGE = Charge("0001", 4790, "EUR")
ENTRY = Entry("p1", "approved", 4790, "EUR", "0001", ("S012-t1",))
BOOKING = Booking("P1", "S012-t1", 4790)
DECLINED = Entry("p2", "declined", 0, "EUR")


def compared(
    charges: list[Charge], entries: list[Entry], bookings: list[Booking], *moves: GiftMove
) -> Comparison:
    return compare(Books(charges, moves, entries, bookings))


def test_equal_books_are_equal_to_the_cent() -> None:
    found = compared([CHARGE], [ENTRY, DECLINED], [BOOKING])

    assert found.equal
    assert [row.names for row in found.rows] == [("p1",), ("p2",)]
    assert (found.charges, found.bookings) == (1, 1)
    assert (found.terminal_minor, found.journal_minor, found.back_office_minor) == (
        4790,
        4790,
        4790,
    )


def test_no_payments_at_all_are_equal() -> None:
    assert compare(Books()).equal


@pytest.mark.parametrize(
    ("charges", "entries", "bookings", "payment_id", "faults"),
    [
        pytest.param(
            [dataclasses.replace(CHARGE, amount_minor=4791)],
            [ENTRY],
            [BOOKING],
            "p1",
            ("terminal and journal differ",),
            id="one cent more at the terminal",
        ),
        pytest.param(
            [],
            [ENTRY],
            [BOOKING],
            "p1",
            ("terminal and journal differ",),
            id="told as paid, never charged",
        ),
        pytest.param(
            [CHARGE, dataclasses.replace(CHARGE, receipt="0002")],
            [ENTRY],
            [BOOKING],
            "",
            ("charged, not in the journal",),
            id="charged a second time under another receipt",
        ),
        pytest.param(
            [CHARGE, CHARGE],
            [ENTRY],
            [BOOKING],
            "p1",
            ("charged more than once", "terminal and journal differ"),
            id="charged a second time under the same receipt",
        ),
        pytest.param(
            [dataclasses.replace(CHARGE, settled=False)],
            [ENTRY],
            [BOOKING],
            "p1",
            ("the terminal may still undo it",),
            id="not final at the terminal",
        ),
        pytest.param(
            [dataclasses.replace(CHARGE, currency="CHF")],
            [ENTRY],
            [BOOKING],
            "p1",
            ("terminal and journal differ",),
            id="another currency is another charge",
        ),
        pytest.param(
            [CHARGE],
            [ENTRY],
            [],
            "p1",
            ("journal and back office differ",),
            id="not recorded",
        ),
        pytest.param(
            [CHARGE],
            [ENTRY],
            [BOOKING, dataclasses.replace(BOOKING, record_id="P2")],
            "p1",
            ("recorded more than once", "journal and back office differ"),
            id="recorded twice",
        ),
        pytest.param(
            [CHARGE],
            [ENTRY],
            [dataclasses.replace(BOOKING, amount_minor=4789)],
            "p1",
            ("journal and back office differ",),
            id="one cent less in the back office",
        ),
        pytest.param(
            [CHARGE],
            [ENTRY],
            [BOOKING, Booking("P2", "S012-t2", 100)],
            "",
            ("recorded, not in the journal",),
            id="a purchase that nobody made",
        ),
        pytest.param(
            [CHARGE],
            [dataclasses.replace(ENTRY, status="in_doubt", amount_minor=0, receipt="")],
            [],
            "",
            ("charged, not in the journal",),
            id="charged while the journal does not know",
        ),
        pytest.param(
            [],
            [dataclasses.replace(DECLINED, status="in_doubt")],
            [],
            "p2",
            ("still in_doubt",),
            id="nobody knows",
        ),
        pytest.param(
            [CHARGE],
            [dataclasses.replace(ENTRY, status="declined", amount_minor=0)],
            [],
            "p1",
            ("terminal and journal differ",),
            id="charged and told as declined",
        ),
    ],
)
def test_a_difference_is_found_and_said(
    charges: list[Charge],
    entries: list[Entry],
    bookings: list[Booking],
    payment_id: str,
    faults: tuple[str, ...],
) -> None:
    found = compared(charges, entries, bookings)

    assert not found.equal
    assert (payment_id, faults) in [("".join(row.names), row.faults) for row in found.rows]


def test_every_amount_of_a_difference_is_in_the_sums() -> None:
    found = compared(
        [CHARGE, Charge("0002", 100, "EUR")], [ENTRY], [BOOKING, Booking("P9", "other", 7)]
    )

    assert (found.terminal_minor, found.journal_minor, found.back_office_minor) == (
        4890,
        4790,
        4797,
    )


# A sale of 49.90: 30.00 of it by gift card, the rest by card. The hold is a payment of its own.
PLAN = "plan"
HOLD = Entry("hold", "approved", 0, "EUR", plan_id=PLAN, gift_reference="hold")
CARD = Entry("card", "approved", 1990, "EUR", "0002", ("S012-t2",), PLAN)
TAKEN = Entry(
    "taken", "approved", 3000, "EUR", "", ("S012-t2",), plan_id=PLAN, gift_reference="hold"
)
SPLIT = [HOLD, CARD, TAKEN]
SPLIT_CHARGE = Charge("0002", 1990, "EUR")
SPLIT_BOOKING = Booking("P2", "S012-t2", 4990)
SPENT = GiftMove("hold", 3000)


def test_a_purchase_that_several_payments_cover_is_one_row() -> None:
    found = compared([SPLIT_CHARGE], SPLIT, [SPLIT_BOOKING], SPENT)

    assert found.equal
    (row,) = found.rows
    assert row.names == (PLAN, "hold", "card", "taken")
    assert (row.terminal_minor, row.gift_cards_minor) == (1990, 3000)
    assert (row.journal_minor, row.back_office_minor) == (4990, 4990)


def test_payments_that_only_their_purchase_joins_are_one_row_in_whatever_order() -> None:
    two = [
        Entry("a", "approved", 1990, "EUR", "0002", ("S012-t2",)),
        DECLINED,
        Entry("b", "approved", 3000, "EUR", "0003", ("S012-t2",)),
    ]
    charges = [SPLIT_CHARGE, Charge("0003", 3000, "EUR")]

    found = compared(charges, two, [SPLIT_BOOKING])

    assert found.equal
    assert {row.names for row in found.rows} == {("a", "b"), ("p2",)}


@pytest.mark.parametrize(
    ("charges", "entries", "moves", "faults"),
    [
        pytest.param(
            [SPLIT_CHARGE],
            SPLIT,
            [],
            ("gift cards and journal differ",),
            id="told as paid, never taken from the gift card",
        ),
        pytest.param(
            [SPLIT_CHARGE],
            SPLIT,
            [SPENT, SPENT],
            ("gift cards and journal differ",),
            id="taken from the gift card twice",
        ),
        pytest.param(
            [SPLIT_CHARGE],
            SPLIT,
            [dataclasses.replace(SPENT, held=True)],
            ("a gift card is still held",),
            id="held for ever",
        ),
        pytest.param(
            [Charge("0002", 4990, "EUR")],
            SPLIT,
            [SPENT],
            ("terminal and journal differ",),
            id="the card paid the gift card's part, too",
        ),
        pytest.param(
            [SPLIT_CHARGE],
            [HOLD, CARD],
            [],
            ("journal and back office differ",),
            id="recorded with what nobody took",
        ),
        pytest.param(
            [SPLIT_CHARGE],
            [HOLD, dataclasses.replace(CARD, status="in_doubt"), TAKEN],
            [SPENT],
            ("still in_doubt",),
            id="one part is not known",
        ),
    ],
)
def test_a_part_of_a_split_that_differs_is_found(
    charges: list[Charge], entries: list[Entry], moves: list[GiftMove], faults: tuple[str, ...]
) -> None:
    found = compared(charges, entries, [SPLIT_BOOKING], *moves)

    assert not found.equal
    assert [row.faults for row in found.rows] == [faults]


def test_a_gift_card_movement_that_nobody_asked_for_is_found() -> None:
    found = compared([], [], [], GiftMove("stranger", 500))

    assert [row.faults for row in found.rows] == [("on a gift card, not in the journal",)]


REFUND = Entry("r1", "approved", -800, "EUR", "0003", ("S012-t3",))
RETURN = Booking("P3", "S012-t3", -800)


def test_what_went_back_is_negative_in_every_book() -> None:
    back = Charge("0003", -800, "EUR")
    found = compared([CHARGE, back], [ENTRY, REFUND], [BOOKING, RETURN])

    assert found.equal
    assert [row.terminal_minor for row in found.rows] == [4790, -800]
    assert (found.terminal_minor, found.journal_minor, found.back_office_minor) == (
        3990,
        3990,
        3990,
    )
    assert not compared([CHARGE], [ENTRY, REFUND], [BOOKING, RETURN]).equal
    assert not compared([CHARGE, back], [ENTRY, REFUND], [BOOKING]).equal


FILL = Entry("f1", "approved", 3000, "EUR", gift_reference="f1", fills=True)


def test_a_filled_gift_card_stands_apart_and_adds_to_no_sale() -> None:
    found = compared([CHARGE], [ENTRY, FILL], [BOOKING], GiftMove("f1", -3000))

    assert found.equal
    assert [row.names for row in found.rows] == [("p1",)]
    (fill,) = found.fills
    assert (fill.gift_cards_minor, fill.journal_minor) == (3000, 3000)
    assert found.gift_cards_minor == 0


@pytest.mark.parametrize(
    ("moves", "fault"),
    [
        ([], "gift cards and journal differ"),
        ([GiftMove("f1", -3000)] * 2, "filled more than once"),
        ([GiftMove("f1", -3000, held=True)], "not on the card yet"),
        ([GiftMove("f1", -2999)], "gift cards and journal differ"),
    ],
)
def test_a_gift_card_that_was_filled_otherwise_is_found(moves: list[GiftMove], fault: str) -> None:
    found = compared([], [FILL], [], *moves)

    assert not found.equal
    assert fault in found.fills[0].faults


def test_what_is_held_is_gone_from_a_card_and_what_is_set_aside_is_not_there_yet() -> None:
    assert on_gift_cards([GiftMove("a", -3000), GiftMove("b", -500, held=True)]) == 3000
    assert on_gift_cards([GiftMove("a", -3000), GiftMove("b", 1000, held=True)]) == 2000

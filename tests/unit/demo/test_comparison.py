"""Every kind of difference between the three books is found and said."""

from __future__ import annotations

import dataclasses

import pytest

from bridge.demo.comparison import Booking, Charge, Entry, compare

CHARGE = Charge("0001", 4790, "EUR")
ENTRY = Entry("p1", "approved", 4790, "EUR", "0001", ("S012-t1",))
BOOKING = Booking("P1", "S012-t1", 4790)
DECLINED = Entry("p2", "declined", 0, "EUR")


def test_equal_books_are_equal_to_the_cent() -> None:
    found = compare([CHARGE], [ENTRY, DECLINED], [BOOKING])

    assert found.equal
    assert [row.payment_id for row in found.rows] == ["p1", "p2"]
    assert (found.charges, found.bookings) == (1, 1)
    assert (found.terminal_minor, found.journal_minor, found.back_office_minor) == (
        4790,
        4790,
        4790,
    )


def test_no_payments_at_all_are_equal() -> None:
    assert compare([], [], []).equal


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
    found = compare(charges, entries, bookings)

    assert not found.equal
    assert (payment_id, faults) in [(row.payment_id, row.faults) for row in found.rows]


def test_every_amount_of_a_difference_is_in_the_sums() -> None:
    found = compare(
        [CHARGE, Charge("0002", 100, "EUR")], [ENTRY], [BOOKING, Booking("P9", "other", 7)]
    )

    assert (found.terminal_minor, found.journal_minor, found.back_office_minor) == (
        4890,
        4790,
        4797,
    )

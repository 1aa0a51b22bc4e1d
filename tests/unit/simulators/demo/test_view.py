"""The screen fits the smallest usual terminal and shows what matters."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simulators.demo.comparison import Booking, Books, Charge, GiftMove, compare
from simulators.demo.outcome import show
from simulators.demo.screen_model import Document, Invitation, ScreenModel, Step
from simulators.demo.view import Screen

IN_DOUBT: Document = {
    "type": "sale",
    "method": "card",
    "status": "in_doubt",
    "stage": None,
    "recording": {"status": "not_required"},
    "display": {
        "severity": "warning",
        "lines": ["Do not charge again", "Checking with the terminal…"],
        "buttons": [{"id": "call_supervisor", "label": "Supervisor"}],
    },
}


def painted(screen_model: ScreenModel, columns: int, rows: int) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, height=rows, color_system=None)
    with console.capture() as capture:
        console.print(Screen(screen_model, 0.0).paint(65.0, rows))
    return capture.get().splitlines()


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_the_screen_fills_the_window_and_not_a_line_more(columns: int, rows: int) -> None:
    screen_model = ScreenModel(steps=[Step(f"step {number}") for number in range(8)])
    for number in range(100):
        screen_model.tell(f"service: line {number} {'x' * 200}")

    lines = painted(screen_model, columns, rows)

    assert len(lines) == rows
    assert max(len(line) for line in lines) <= columns


def test_the_clerks_words_and_buttons_are_on_the_screen() -> None:
    text = "\n".join(painted(ScreenModel(document=IN_DOUBT), 120, 40))

    assert "Do not charge again" in text
    assert "[Supervisor]" in text
    assert "1:05" in text


def test_a_pulled_cable_a_dead_service_and_a_closed_office_are_seen() -> None:
    text = "\n".join(painted(ScreenModel(cable_in=False, office_open=False), 80, 24))

    assert "✗ service" in text
    assert "✗ cable" in text
    assert "✗ back office" in text
    assert "cable out" in text


def test_the_newest_line_of_the_ticker_is_seen_at_24_rows() -> None:
    screen_model = ScreenModel()
    for number in range(100):
        screen_model.tell(f"service: line {number}")

    assert any("line 99" in line for line in painted(screen_model, 80, 24))


def test_charges_and_purchases_are_counted() -> None:
    screen_model = ScreenModel(
        charges=[Charge("0001", 4790, "EUR"), Charge("0002", 110, "EUR")],
        bookings=[Booking("P1", "t1", 4790)],
    )

    text = "\n".join(painted(screen_model, 80, 24))

    assert "2 charges" in text
    assert "49.00 €" in text
    assert "47.90 €" in text


def test_what_was_given_back_and_what_is_on_gift_cards_is_seen_with_the_newest_purchases() -> None:
    screen_model = ScreenModel(
        charges=[Charge("0001", 4790, "EUR"), Charge("0002", -800, "EUR")],
        bookings=[Booking(f"P{number}", "t", 100 * number) for number in range(1, 20)],
        gift_moves=[GiftMove("g1", -3000), GiftMove("g2", 1000, held=True)],
        office_open=False,
        documents={"p": [{"recording": {"status": "pending"}}]},
    )

    text = "\n".join(painted(screen_model, 80, 24))

    assert "1 charge, 1 given back" in text
    assert "39.90 €" in text
    for words in ("away", "P19", "on gift cards 20.00 €", "1 waits to be recorded"):
        assert words in text


@pytest.mark.parametrize("played", range(13))
def test_the_scene_that_is_played_is_on_the_smallest_screen_and_so_is_the_next(played: int) -> None:
    steps = [Step(f"scene {number:02}", "waiting") for number in range(12)]
    for step in steps[:played]:
        step.state = "kept"
    for step in steps[played : played + 1]:
        step.state = "running"

    text = "\n".join(painted(ScreenModel(steps=steps), 80, 24))

    for number in (played, played + 1):
        assert f"scene {number:02}" in text or number > 11
    assert f"The day, {min(played + 1, 12)} of 12" in text


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "refund", "method": "card", "status": "approved"}, "Money returned"),
        ({"type": "sale", "method": "card", "status": "approved"}, "Payment made"),
        ({"type": "sale", "method": "gift_card", "status": "approved"}, "Welcome"),
    ],
)
def test_the_shopper_reads_what_the_terminal_does(document: Document, words: str) -> None:
    assert words in "\n".join(painted(ScreenModel(document={**IN_DOUBT, **document}), 120, 40))


def test_the_login_code_and_its_picture_fit_24_rows() -> None:
    address = "http://127.0.0.1:40963/device"
    invitation = Invitation("BCDF-GHJK", address, f"{address}?user_code=BCDF-GHJK")

    lines = painted(ScreenModel(invitation=invitation), 80, 24)

    assert any("BCDF-GHJK" in line for line in lines)
    assert any(address in line for line in lines)
    assert len(lines) == 24
    corners = [line for line in lines if line.count("▄▄▄▄▄") == 2]
    assert len(corners) >= 2  # the upper two eyes of the code
    assert sum("█" in line for line in lines) >= 19  # all rows of a code of this length


def test_a_difference_is_marked_and_said() -> None:
    comparison = compare(Books(charges=[Charge("0001", 100, "EUR")]))
    console = Console(file=io.StringIO(), width=80, color_system=None)

    with console.capture() as capture:
        show(console, comparison, {}, ["A sale: expected: one charge"])

    text = capture.get()
    assert "charged, not in" in text
    assert "The books differ" in text
    assert "✗ A sale: expected: one charge" in text
    assert "Equal to the cent" not in text

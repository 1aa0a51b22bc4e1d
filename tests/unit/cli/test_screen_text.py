"""Other people's words steer no screen."""

from __future__ import annotations

from bridge.cli.screen_text import printable, shown


def test_control_characters_and_markup_mean_nothing() -> None:
    assert printable("a\x1b[2Jb\x9b1m\x07\r\nc") == "a?[2Jb?1m???c"
    assert shown("[bold]x[/]") == r"\[bold]x\[/]"
    assert printable("Müller €") == "Müller €"

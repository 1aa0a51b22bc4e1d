"""Lines take turns: who sends much waits for himself."""

from __future__ import annotations

from bridge.register.lines import Lines


def drained(lines: Lines[str]) -> str:
    taken = ""
    while found := lines.take():
        taken += found[0]
    return taken


def test_each_line_keeps_its_order_and_the_lines_take_turns() -> None:
    lines: Lines[str] = Lines(10)
    for owner, thing in (("a", "1"), ("a", "2"), ("a", "3"), ("b", "4"), ("c", "5")):
        lines.put(owner, thing)
    assert len(lines) == 5
    assert lines.names == ("a", "b", "c")
    assert drained(lines) == "14523"
    assert len(lines) == 0
    assert not lines.names


def test_one_that_comes_late_is_served_after_one_turn_of_each_other() -> None:
    lines: Lines[int] = Lines(10)
    for number in range(1_000):
        lines.put("flood", number)
    lines.take()
    lines.put("other", -1)
    assert [lines.take()[0], lines.take()[0]] == [1, -1]


def test_who_finds_no_line_waits_in_the_common_one() -> None:
    lines: Lines[str] = Lines(2)
    for owner in ("a", "b", "c", "d"):
        lines.put(owner, owner)
    assert lines.names == ("a", "b", "")
    assert (lines.length("a"), lines.length("c"), lines.length("d")) == (1, 2, 2)
    lines.remove("c", "d".__eq__)
    assert list(lines) == ["a", "b", "c"]


def test_what_is_alike_is_taken_together_up_to_a_limit() -> None:
    lines: Lines[int] = Lines(2)
    for number in (1, 1, 1, 2, 1):
        lines.put("a", number)

    def take() -> list[int]:
        return lines.take(lambda first, other: first == other, 2)

    assert [take() for _ in range(5)] == [[1, 1], [1], [2], [1], []]


def test_the_first_stays_until_it_is_finished_and_then_its_line_has_had_its_turn() -> None:
    lines: Lines[str] = Lines(2)
    for thing in ("1", "2"):
        lines.put("a", thing)
    first = lines.first()
    assert first == "1"
    lines.put("b", "3")
    lines.finish("a", "2")  # not the first one: nothing happens
    lines.finish("a", first)
    assert drained(lines) == "32"
    lines.finish("a", first)
    assert len(lines) == 0


def test_the_oldest_of_the_longest_line_is_let_go() -> None:
    lines: Lines[str] = Lines(3)
    for owner, thing in (("a", "1"), ("b", "2"), ("b", "3"), ("c", "4")):
        lines.put(owner, thing)
    assert [lines.let_go_of_oldest() for _ in range(2)] == ["2", "1"]
    assert list(lines) == ["3", "4"]

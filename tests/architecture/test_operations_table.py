"""`docs/operations.md` is what the drivers announce, and every line has its test."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.architecture.operations_table import DOCUMENT, LINES, Line, drivers, with_table


def test_the_document_is_what_the_drivers_announce() -> None:
    text = DOCUMENT.read_text()
    assert with_table(text) == text, "run python -m tests.architecture.operations_table --write"


def test_every_operation_of_a_driver_has_a_line() -> None:
    announced = frozenset[str]().union(*drivers().values())
    assert announced == {line.needs for line in LINES}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.needs)
def test_every_line_has_its_test(line: Line) -> None:
    module = import_module(f"tests.end_to_end.{line.module.removesuffix('.py')}")
    assert callable(getattr(module, line.test))

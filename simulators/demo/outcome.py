"""The end of the demo: one table, what it means, and where to go from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from simulators.demo.comparison import Comparison, Row
from simulators.demo.screen_model import Step
from simulators.demo.view import euros

SHORT_ID = 8  # the last characters of a payment's id; the first ones are the time


def as_document(
    comparison: Comparison,
    titles: Mapping[str, str],
    steps: Sequence[Step],
    broken: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    """Return the outcome for programs."""
    return {
        "equal": comparison.equal,
        "scenes": [{"title": step.title, "kept": step.state == "kept"} for step in steps],
        "broken": list(broken),
        "sales": [_row_document(row, titles) for row in comparison.rows],
        "gift_cards_filled": [_row_document(row, titles) for row in comparison.fills],
        "charges": comparison.charges,
        "purchases": comparison.bookings,
        "terminal_minor": comparison.terminal_minor,
        "gift_cards_minor": comparison.gift_cards_minor,
        "journal_minor": comparison.journal_minor,
        "back_office_minor": comparison.back_office_minor,
        "seconds": round(seconds, 1),
    }


def _row_document(row: Row, titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "payments": list(row.names),
        "scene": _title(row, titles),
        "status": row.status,
        "currency": row.currency,
        "terminal_minor": row.terminal_minor,
        "gift_cards_minor": row.gift_cards_minor,
        "journal_minor": row.journal_minor,
        "back_office_minor": row.back_office_minor,
        "faults": list(row.faults),
    }


def show(
    console: Console,
    comparison: Comparison,
    titles: Mapping[str, str],
    broken: Sequence[str],
) -> None:
    """Print the tables and say in a sentence what they show."""
    console.print(_sales_table(comparison, titles))
    console.print()
    if comparison.fills:
        console.print(_fills_table(comparison, titles))
        console.print()
    for sentence in broken:
        console.print(f"✗ {sentence}", style="bold red", markup=False)
    if comparison.equal and not broken:
        console.print(
            f"[green]✓ Equal to the cent[/]: {euros(comparison.terminal_minor)} by card and "
            f"{euros(comparison.gift_cards_minor)} by gift card, as journal and books say."
        )
        console.print("  No card charged twice, no payment lost, none recorded twice.")
    elif not comparison.equal:
        console.print("✗ The books differ; see the marked rows.", style="bold red")


def _sales_table(comparison: Comparison, titles: Mapping[str, str]) -> Table:
    table = _table("The books of one day, in euros")
    table.show_footer = True
    table.add_column("sale", "all together")
    table.add_column("ended")
    for name, total in (
        ("terminal", comparison.terminal_minor),
        ("gift\ncards", comparison.gift_cards_minor),
        ("journal", comparison.journal_minor),
        ("back\noffice", comparison.back_office_minor),
    ):
        table.add_column(name, _units(total), justify="right", no_wrap=True)
    table.add_column("")
    for row in comparison.rows:
        amounts = (
            row.terminal_minor,
            row.gift_cards_minor,
            row.journal_minor,
            row.back_office_minor,
        )
        table.add_row(*_cells(row, titles, amounts), style="bold red" if row.faults else None)
    return table


def _fills_table(comparison: Comparison, titles: Mapping[str, str]) -> Table:
    """What was put on gift cards is owed to shoppers; it is no payment, and adds to no sum."""
    table = _table("Put on gift cards, in euros")
    table.add_column("scene")
    table.add_column("ended")
    table.add_column("gift\ncards", justify="right", no_wrap=True)
    table.add_column("journal", justify="right", no_wrap=True)
    table.add_column("")
    for row in comparison.fills:
        amounts = (row.gift_cards_minor, row.journal_minor)
        table.add_row(*_cells(row, titles, amounts), style="bold red" if row.faults else None)
    return table


def show_what_next(console: Console) -> None:
    """Print where to go from here."""
    console.print("\nWhat next")
    console.print("  the same with --stay   keeps it all up, for you to try")
    console.print("  paybridge -h           every command; `run` is what a store runs")
    console.print("  docs/install.md        on a store PC; README.md has the rest")


def _table(title: str) -> Table:
    """Return a table that fits a screen of 80 columns."""
    table = Table(title=title, title_style="bold", title_justify="left")
    table.show_edge, table.pad_edge = False, False
    return table


def _units(minor: int) -> str:
    return f"{minor / 100:.2f}"


def _cells(row: Row, titles: Mapping[str, str], amounts: Sequence[int]) -> list[str]:
    return [
        _title(row, titles) or "?",
        row.status,
        *(_units(amount) if amount else "–" for amount in amounts),
        "; ".join(row.faults) or "✓",
    ]


def _title(row: Row, titles: Mapping[str, str]) -> str:
    """Return the scene that a row comes from, else the end of a payment's id."""
    known = next((titles[name] for name in row.names if name in titles), "")
    return known or (f"…{row.names[0][-SHORT_ID:]}" if row.names else "")

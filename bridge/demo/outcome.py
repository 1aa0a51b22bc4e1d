"""The end of the demo: one table, what it means, and where to go from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bridge.demo.comparison import Comparison, Row
from bridge.demo.picture import Step
from bridge.demo.view import euros

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
        "payments": [
            {
                "payment_id": row.payment_id,
                "scene": titles.get(row.payment_id, ""),
                "status": row.status,
                "currency": row.currency,
                "terminal_minor": row.terminal_minor,
                "journal_minor": row.journal_minor,
                "back_office_minor": row.back_office_minor,
                "faults": list(row.faults),
            }
            for row in comparison.rows
        ],
        "charges": comparison.charges,
        "purchases": comparison.bookings,
        "terminal_minor": comparison.terminal_minor,
        "journal_minor": comparison.journal_minor,
        "back_office_minor": comparison.back_office_minor,
        "seconds": round(seconds, 1),
    }


def show(
    console: Console,
    comparison: Comparison,
    titles: Mapping[str, str],
    broken: Sequence[str],
) -> None:
    """Print the table and say in a sentence what it shows."""
    table = Table(title="Three books of one day", title_style="bold", show_footer=True)
    table.add_column("payment", f"{len(comparison.rows)} payments")
    table.add_column("ended")
    for name, total in (
        ("terminal", comparison.terminal_minor),
        ("journal", comparison.journal_minor),
        ("back office", comparison.back_office_minor),
    ):
        table.add_column(name, euros(total), justify="right")
    table.add_column("")
    for row in comparison.rows:
        table.add_row(*_cells(row, titles), style="bold red" if row.faults else None)
    console.print(table)
    for sentence in broken:
        console.print(f"✗ {sentence}", style="bold red", markup=False)
    if comparison.equal and not broken:
        console.print(
            f"[green]✓ Equal to the cent[/]: {comparison.charges} charges, "
            f"{comparison.bookings} purchases, {euros(comparison.terminal_minor)}."
        )
        console.print("  No card charged twice, no payment lost, none recorded twice.")
    elif not comparison.equal:
        console.print("✗ The three books differ; see the marked rows.", style="bold red")


def show_what_next(console: Console) -> None:
    """Print where to go from here."""
    console.print("\nWhat next")
    console.print("  the same with --stay   keeps it all up, for you to try")
    console.print("  paybridge -h           every command; `run` is what a store runs")
    console.print("  docs/install.md        on a store PC; README.md has the rest")


def _cells(row: Row, titles: Mapping[str, str]) -> list[str]:
    name = titles.get(row.payment_id) or (
        f"…{row.payment_id[-SHORT_ID:]}" if row.payment_id else "?"
    )
    amounts = (row.terminal_minor, row.journal_minor, row.back_office_minor)
    return [
        name,
        row.status,
        *(euros(amount) if amount else "–" for amount in amounts),
        "; ".join(row.faults) or "✓",
    ]

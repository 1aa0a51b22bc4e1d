"""What a booking said before each time that somebody corrected it, and what it says since. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.money import purchase as s
from bridge.money.store.journal_entries import Entry


def versions(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the corrections of a purchase, oldest first: when, who, why, and each field.

    What was forgotten with other personal data is not shown.
    """
    found: list[dict[str, Any]] = []
    content: s.PurchaseContent | None = None
    for entry in entries:
        match entry.event:
            case s.PurchaseDue(due):
                content = due
            case s.Mended(by, why) as mended if content is not None:
                after = s.mended(content, mended)
                changes = _changes(content, after)
                found.append({"at": entry.at, "by": by, "why": why, "changes": changes})
                content = after
            case _:
                pass
    return found


def in_words(version: dict[str, Any]) -> str:
    """Return one correction as a line for a person."""
    changes = "; ".join(
        f"{one['field']} {one['before'] or 'none'} → {one['after'] or 'none'}"
        for one in version["changes"]
    )
    what = changes or "its values are not kept any more"
    return f"{what} (by {version['by']} at {version['at'][:19]}: {version['why']})"


def _changes(before: s.PurchaseContent, after: s.PurchaseContent) -> list[dict[str, str]]:
    pairs = [
        ("store_code", before.store_code, after.store_code),
        ("member_id", before.sale.member_id, after.sale.member_id),
        *(
            (f"lines.{old.line_number}.sku", old.sku, new.sku)
            for old, new in zip(before.sale.lines, after.sale.lines, strict=True)
        ),
    ]
    return [{"field": name, "before": old, "after": new} for name, old, new in pairs if old != new]

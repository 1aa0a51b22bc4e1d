"""Old receipts and personal data are forgotten; the payment and its money never are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.money.background.retention import months_before


@pytest.mark.parametrize(
    ("today", "months", "before"),
    [
        ("2026-11-23", 13, "2025-10-23"),
        ("2026-01-31", 13, "2024-12-28"),
        ("2026-12-01", 12, "2025-12-01"),
        ("2026-12-01", 0, "2026-12-01"),
    ],
)
def test_months_are_counted_by_the_calendar(today: str, months: int, before: str) -> None:
    moment = datetime.fromisoformat(today).replace(tzinfo=UTC)
    assert months_before(moment, months).date().isoformat() == before

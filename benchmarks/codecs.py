"""Messages per second of each driver's codec, both directions."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.contract import MaskedPan
from drivers.zvt import codec
from drivers.zvt.messages import StatusInformation

# The fields that a terminal sends after an approval, some 120 bytes; the values are invented.
STATUS = StatusInformation(
    result=0,
    amount=2040,
    trace="000470",
    time="223953",
    date="1006",
    expiry="2512",
    sequence_number="0001",
    payment_type=0x70,
    pan=MaskedPan.of("************4771"),
    terminal_id="28004869",
    merchant_id="100461763      ",
    approval_code="611804",
    text="GEN.NR.:611804",
    currency=978,
    receipt="0470",
    turnover="000470",
    card_type=46,
    card_name="Debit Mastercard",
)


def measure() -> dict[str, float]:
    """Return messages per second by what was done."""
    frame = codec.encode(STATUS)
    assert isinstance(codec.decode(frame), StatusInformation)
    size = len(frame)
    return {
        f"zvt: parse a status information of {size} bytes": _rate(lambda: codec.decode(frame)),
        f"zvt: write a status information of {size} bytes": _rate(lambda: codec.encode(STATUS)),
    }


def _rate(work: Callable[[], object]) -> float:
    """Return how often `work` is done in a second; the best of five quarters of a second."""
    best = 0.0
    for _ in range(5):
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < 0.25:
            for _ in range(50):
                work()
            count += 50
        best = max(best, count / took)
    return best

"""What differs between simulated PAX terminals: facts only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class PaxProfile:
    """What differs between applications. The sheet marks most of it as uncertain: all occur."""

    serial_number: str = "5A123456"
    model: str = "S300"
    currency: str = "USD"
    says_eot: bool = True
    cancel_answer: Literal["a15", "eot", "none"] = "a15"
    busy: Literal["eot", "silent"] = "eot"  # to any other command while one runs
    hangs_up: bool = False  # after each exchange, on TCP
    duplicate_check: bool = True
    voids_keep_a_record: bool = True
    echoes_reference: bool = True
    gift_cards: tuple[tuple[str, int], ...] | None = None  # number and balance; None: not served
    gift_part: bool = True  # a card that has not enough pays what it has
    gift_apart: bool = False  # reports about all tenders leave gift cards out

"""What an installer may set for a PAX terminal. Pure facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.contract import CURRENCY_LETTERS
from drivers.pax.codec.framing import LinkTimers


@dataclass(frozen=True, slots=True)
class PaxSettings:
    """Settings of one terminal. POSLINK carries no currency: `currency` is what it is set up for.

    `transport` "http" wraps each frame in a GET over the TCP line: no cancel, and a payment whose
    answer was lost is found when it was taken, but never proven absent. `auto_settlement` says
    that the terminal may close its batch without being asked (most do at night): then an empty
    memory proves nothing, and a payment is absent only while an older one of the same batch is
    still there. `gift` says that the application serves gift cards: then the terminal redeems and
    loads them, and reads their balance.
    """

    transport: Literal["line", "http"] = "line"
    currency: str = "USD"
    tender: Literal["credit", "debit"] = "credit"
    auto_settlement: bool = True
    gift: bool = False
    acknowledge_seconds: float = 3.0  # from a frame to ACK or NAK
    byte_gap_seconds: float = 2.0  # between two pieces of one frame
    payment_seconds: float = 180.0  # from the ACK of a payment to its result; PIN and host included
    report_seconds: float = 15.0  # for answers that wait for nobody
    settlement_seconds: float = 300.0  # for the host to close a batch

    def __post_init__(self) -> None:
        if len(self.currency) != CURRENCY_LETTERS or not self.currency.isupper():
            raise ValueError("currency must be three capital letters")
        for name in (
            *("acknowledge_seconds", "byte_gap_seconds", "payment_seconds"),
            *("report_seconds", "settlement_seconds"),
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")

    @property
    def link_timers(self) -> LinkTimers:
        """The timers as the framing wants them."""
        return LinkTimers(self.acknowledge_seconds, self.byte_gap_seconds)

"""What an installer may set for a HELLO terminal. Pure facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HelloSettings:
    """Settings of one terminal. The bridge checks types, names and what is checked here."""

    currency: str = "EUR"  # what the terminal is set up for
    answer_seconds: float = 5.0  # a line that needs no person is answered within this
    payment_seconds: float = 120.0  # from PAY to its end: a card, a PIN, a host

    def __post_init__(self) -> None:
        if len(self.currency) != 3 or not self.currency.isupper():
            raise ValueError("currency must be three capital letters")
        if self.answer_seconds <= 0 or self.payment_seconds <= 0:
            raise ValueError("a wait must be above 0 seconds")

"""What one attempt at the back office came to, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Applied:
    """The back office did it and named the record.

    Attributes:
        record_id: The server's id of the purchase or gift card transaction.
        balance: Gift cards only: the balance afterwards as decimal text, "" when not told.
        gift_card_id: Gift cards only: the server's id of the card, "" when not told.
    """

    record_id: str
    balance: str = ""
    gift_card_id: str = ""


@dataclass(frozen=True, slots=True)
class NotApplied:
    """Proof that nothing was done; the same request may be sent again.

    Attributes:
        reason: For logs and a person.
        retry_after_seconds: The wait the server asked for, None when it asked for none.
        login_required: A person must log in before it is worth trying again.
        misplaced: The answer is that of another place than our API's (an address that moved, a
            method that is not allowed): a person must look at the endpoint.
        denied: The account may not use the API at all: a person must grant it.
        answered: A query was answered by somebody, with an error that says nothing more.
    """

    reason: str
    retry_after_seconds: float | None = None
    login_required: bool = False
    misplaced: bool = False
    denied: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Proof that nothing was done, and a person must look before it is tried again.

    Attributes:
        code: `VALIDATION` (the content), `INVALID_VALUE` (a value is not of the type that the
            server's schema wants), `NOT_AUTHORIZED` (a permission is missing; the same
            request is good once it is granted), `INVALID_REQUEST` (a name in our request is not
            known there; the same request is good once the names fit), `TOO_LARGE`,
            `NOT_SUPPORTED` and `NOT_FOUND` (gift cards only).
        message: In words of ours; a server's may quote what was sent.
        path: The property the server names, "" when it names none.
    """

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been done or not; never send it again without finding out.

    Attributes:
        reason: For logs and a person.
        code: The code of the server's error when it answered with nothing else, "" otherwise.
    """

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class GiftCardBalance:
    """A gift card as the back office shows it; `balance` is decimal text."""

    gift_card_id: str
    balance: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The data of an answered query, and how long the answer was, in bytes."""

    data: dict[str, Any]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class CannotTell:
    """What a query was to find out stays open, neither yes nor no.

    Attributes:
        reason: For a person, in words of ours; never a sentence of the server.
        code: Of the refusal where the server refused the query as it stood, as in `Refused`;
            "" where it did not answer, or not as we know.
    """

    reason: str
    code: str = ""

    @property
    def is_about_values(self) -> bool:
        """Whether the server understood the query and does not take a value in it."""
        return self.code == "VALIDATION"


Attempt = Applied | NotApplied | Refused | Unknown

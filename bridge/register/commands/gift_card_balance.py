"""Questions about a gift card's balance: they wait for the back office, and delay nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.register import api as k
from bridge.register.commands.payment_request import gift_card_code
from bridge.register.mqtt.messages import Delivery
from drivers.contract import Declined, Failed, MaskedPan

QUESTIONS_WAITING_MAX = 50  # over all registers; who hammers is refused


class GiftCards(Protocol):
    """Who asks the back office."""

    @property
    def balances(self) -> dict[str, str | Declined | Failed | p.NotReached]:
        """What came of the questions, by name; a balance is decimal text."""

    def ask_balance(self, name: str, card: p.GiftCardCode) -> None:
        """Find the balance out and put it into `balances`."""


@dataclass(frozen=True, slots=True)
class Question:
    """A `gift_card/balance` that waits."""

    register_id: str
    delivery: Delivery
    request: k.GiftCardBalance


class Balances:
    """The questions that are not answered yet."""

    def __init__(self, gift_cards: GiftCards | None) -> None:
        """Ask `gift_cards`; None where there is no back office."""
        self._gift_cards = gift_cards
        self._waiting: dict[str, Question] = {}
        self._numbers = 0

    def begin(self, question: Question) -> None:
        """Ask; `finished` returns the answer.

        Raises:
            RequestError: `operation_not_supported` or `terminal_busy`.
        """
        if self._gift_cards is None:
            raise RequestError(
                "operation_not_supported", "gift cards need a back office, and none is configured"
            )
        if len(self._waiting) >= QUESTIONS_WAITING_MAX:
            raise RequestError("terminal_busy", "too many questions are waiting")
        self._numbers += 1
        name = str(self._numbers)
        self._waiting[name] = question
        self._gift_cards.ask_balance(name, gift_card_code(question.request.gift_card))

    def finished(self) -> list[tuple[Question, k.Wire | RequestError]]:
        """Return the questions that were answered since the last call."""
        found: list[tuple[Question, k.Wire | RequestError]] = []
        answers = self._gift_cards.balances if self._gift_cards is not None else {}
        for name in [one for one in self._waiting if one in answers]:
            question, answer = self._waiting.pop(name), answers.pop(name)
            match answer:
                case str():
                    code = question.request.gift_card.stored_value_id
                    shown = k.GiftCardBalanceResult(
                        balance=answer, masked_pan=MaskedPan.of(code).text[-8:]
                    )
                    found.append((question, shown))
                case Declined(reason=code, text=text) | Failed(reason=code, text=text):
                    found.append((question, RequestError(code, text)))
                case p.NotReached(code, text):
                    found.append((question, RequestError(code, text)))
        return found

"""Changes of gift cards' codes: they wait for the back office, and delay nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.errors import RequestError
from bridge.money.gift_card_code import CodeAnswer, CodeWish
from bridge.register import api as k
from bridge.register.commands.payment_request import gift_card_code
from bridge.register.mqtt.messages import Delivery

CHANGES_WAITING_MAX = 10  # a store loses a few cards a month; who hammers is refused


class GiftCards(Protocol):
    """Who asks the back office."""

    @property
    def changes_codes(self) -> bool:
        """Whether the site lets registers change codes."""

    @property
    def code_answers(self) -> dict[str, CodeAnswer]:
        """What came of the changes, by who asked."""

    def ask_code_change(self, name: str, wish: CodeWish) -> None:
        """Change a code and put the answer into `code_answers`."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command that waits for its answer."""

    register_id: str
    delivery: Delivery
    request: k.GiftCardDeactivate


class CodeCommands:
    """The changes that are not answered yet."""

    def __init__(self, gift_cards: GiftCards | None) -> None:
        """Ask `gift_cards`; None where there is no back office."""
        self._gift_cards = gift_cards
        self._waiting: dict[str, Waiting] = {}
        self._numbers = 0

    def begin(self, waiting: Waiting) -> None:
        """Have a code changed; `finished` returns the answer.

        Raises:
            RequestError: `operation_not_supported`, `feature_disabled`, `invalid_request`
                or `terminal_busy`; nothing was done.
        """
        request = waiting.request
        if self._gift_cards is None:
            raise RequestError(
                "operation_not_supported", "gift cards need a back office, and none is configured"
            )
        if not self._gift_cards.changes_codes:
            raise RequestError(
                "feature_disabled", "this site does not let registers change gift cards' codes"
            )
        replacement = request.replacement if isinstance(request, k.GiftCardReplace) else None
        if replacement is not None:
            _refuse_replacement(request.gift_card, replacement)
        if len(self._waiting) >= CHANGES_WAITING_MAX:
            raise RequestError("terminal_busy", "too many changes of gift cards are waiting")
        self._numbers += 1
        name = str(self._numbers)
        self._waiting[name] = waiting
        wish = CodeWish(
            request.operation_id,
            waiting.register_id,
            request.approved_by,
            gift_card_code(request.gift_card),
            None if replacement is None else gift_card_code(replacement),
            (replacement.pin or "") if replacement is not None else "",
        )
        self._gift_cards.ask_code_change(name, wish)

    def finished(self) -> list[tuple[Waiting, k.Wire | RequestError]]:
        """Return the changes that were answered since the last call."""
        answers = self._gift_cards.code_answers if self._gift_cards is not None else {}
        return [
            (self._waiting.pop(name), _told(answers.pop(name)))
            for name in [one for one in self._waiting if one in answers]
        ]


def _told(answer: CodeAnswer) -> k.Wire | RequestError:
    if answer.code:
        return RequestError(answer.code, answer.text)
    return k.GiftCardCodeResult(
        masked_pan=answer.masked, replaced_by=answer.replaced_by or None, balance=answer.balance
    )


def _refuse_replacement(card: k.GiftCard, replacement: k.GiftCard) -> None:
    """Refuse what the back office cannot put in a code's place.

    Raises:
        RequestError: `invalid_request`.
    """
    if card.code_type != "physical" or replacement.code_type != "physical":
        text = "only a physical code takes the place of another"
        raise RequestError("invalid_request", text, path="replacement.code_type")
    if card.stored_value_id == replacement.stored_value_id:
        text = "the new code is the old one"
        raise RequestError("invalid_request", text, path="replacement.stored_value_id")

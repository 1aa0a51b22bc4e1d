"""A lost gift card's code is revoked, or another card takes its place: the steps of one change.

`CodeChanging` is on disk before the back office is asked, which is once. Where its answer is lost,
the codes themselves are looked up: they show that it was done, and never that it was not, because
nothing bounds how late a server still does it. Doing it twice does no harm, and moves no money.
"""

from __future__ import annotations

import logging

from bridge.backoffice.api.attempts import (
    Applied,
    GiftCardBalance,
    NotApplied,
    Refused,
    Unknown,
)
from bridge.backoffice.api.documents import CodeType, GiftCardEdit
from bridge.backoffice.gift_cards import evidence as e
from bridge.backoffice.gift_cards import holds as h
from bridge.backoffice.gift_cards.office import Office
from bridge.money import payment as p
from bridge.money.code_changes import CodeChanges
from bridge.money.gift_card_code import (
    SUPERSEDED,
    CodeAnswer,
    CodeChange,
    CodeChanged,
    CodeChanging,
    CodeKept,
    CodeWish,
)
from bridge.money.ledger import Ledger
from drivers.contract import MaskedPan

_LOGGER = logging.getLogger(__name__)

LOOK_SECONDS = 60.0  # between two looks at a change whose answer was lost
EDIT_PERMISSION = "EditGiftCard"
SHOWN_CHARS = 8  # of a code, all but the last four masked


class CodeChangeSteps:
    """Changes codes, one after the other with all that is done for gift cards."""

    def __init__(self, ledger: Ledger, office: Office) -> None:
        """Note in `ledger` what `office` says."""
        self._ledger = ledger
        self._changes: CodeChanges = ledger.code_changes
        self._office = office

    async def change(self, wish: CodeWish) -> CodeAnswer:
        """Do what is wished, or say what became of it when it was wished before.

        Raises:
            JournalError: It could not be stored; nothing was asked that is not on disk.
        """
        known = self._changes.get(wish.name)
        if known is not None:
            if not _is_same(known, wish):
                return CodeAnswer("idempotency_conflict", "this operation_id means another change")
            if known.is_open:
                await self.look(known)
            return _answer(self._changes.get(wish.name) or known)
        found = await self._office.gift_card_balance(wish.card.code, CodeType(wish.card.kind))
        match found:
            case NotApplied(reason=reason):
                return CodeAnswer("host_unreachable", reason)
            case Refused():
                no = e.refusal(found, "FindGiftCardByCode")
                return CodeAnswer(no.reason, no.text)
            case GiftCardBalance(gift_card_id=""):
                return CodeAnswer("operation_not_supported", "the back office names no such card")
            case GiftCardBalance():
                pass
        if self._is_in_use(wish, found.gift_card_id):
            text = "a payment with this gift card is not over; its code is evidence until then"
            return CodeAnswer("terminal_busy", text)
        changing = CodeChanging(
            wish.name,
            wish.card.kind,
            wish.card.code,
            found.gift_card_id,
            found.balance,
            _masked(wish.card),
            wish.register_id,
            wish.by,
            self._ledger.now(),
            replacement=wish.replacement.code if wish.replacement else "",
            replaced_by=_masked(wish.replacement) if wish.replacement else "",
        )
        await self._changes.begin(changing)
        await self._ask(changing, wish.pin)
        ended = self._changes.get(wish.name)
        assert ended is not None, "it was just begun"
        return _answer(ended)

    async def _ask(self, changing: CodeChanging, pin: str) -> None:
        edit = GiftCardEdit(changing.account, CodeType(changing.kind), changing.replacement, pin)
        attempt = await self._office.gift_card_edit(edit)
        match attempt:
            case Applied(record_id=name) if name == changing.account:
                await self._changes.end(CodeChanged(changing.name))
            case NotApplied(reason=reason):
                await self._changes.end(CodeKept(changing.name, "host_unreachable", reason))
            case Refused():
                await self._changes.end(_refused(attempt, changing))
            case Applied() | Unknown():
                _LOGGER.error("no answer to a change of a gift card's code name=%s", changing.name)
                known = self._changes.get(changing.name)
                assert known is not None, "it was just begun"
                await self.look(known)

    async def look(self, change: CodeChange) -> None:
        """Look the codes up; end a change that they show to be done. Changes nothing there.

        Raises:
            JournalError: It could not be stored.
        """
        wish = change.wish
        old = await self._office.gift_card_balance(wish.code, CodeType(wish.kind))
        is_gone = isinstance(old, Refused) and old.code == "NOT_FOUND"
        is_gone |= isinstance(old, GiftCardBalance) and old.gift_card_id not in {"", wish.account}
        if not is_gone:
            return
        if wish.replacement:
            new = await self._office.gift_card_balance(wish.replacement, CodeType.PHYSICAL)
            if not isinstance(new, GiftCardBalance) or new.gift_card_id != wish.account:
                return
        text = "no answer came, and the codes are as after it"
        await self._changes.end(CodeChanged(wish.name, text))

    async def look_at_open(self) -> None:
        """Look at every change of which nobody knows what became.

        Raises:
            JournalError: It could not be stored.
        """
        for one in self._changes.open():
            await self.look(one)

    def _is_in_use(self, wish: CodeWish, account: str) -> bool:
        """True while the card's code is evidence about a payment."""
        return any(
            one.payment.request.gift_card is not None
            and (one.payment.request.gift_card == wish.card or account == h.account_of(one.payment))
            for one in self._ledger.payments.unfinished()
        )


def _refused(answer: Refused, changing: CodeChanging) -> CodeKept:
    """Return why the back office certainly changed nothing."""
    if answer.code == "VALIDATION" and changing.replacement:
        text = "the back office does not take the other code: another card may have it"
        return CodeKept(changing.name, "not_allowed", text)
    no = e.refusal(answer, EDIT_PERMISSION)
    return CodeKept(changing.name, no.reason, no.text)


def _answer(change: CodeChange) -> CodeAnswer:
    wish = change.wish
    match change.end:
        case CodeChanged():
            balance = wish.balance
            return CodeAnswer("", "", wish.masked, wish.replaced_by, balance)
        case CodeKept(code=code, text=text):
            return CodeAnswer("not_allowed" if code == SUPERSEDED else code, text)
        case None:
            text = (
                "the back office did not answer, and the card still has its code: send the same "
                "again to look, or the command under a new operation_id to do it again"
            )
            return CodeAnswer("outcome_unknown", text)


def _is_same(change: CodeChange, wish: CodeWish) -> bool:
    known = change.wish
    replacement = wish.replacement
    if known.register_id != wish.register_id:
        return False
    if change.is_open:
        code = replacement.code if replacement else ""
        same = (known.code, known.kind) == (wish.card.code, wish.card.kind)
        return same and known.replacement == code
    shown = _masked(replacement) if replacement else ""
    same = (known.masked, known.kind) == (_masked(wish.card), wish.card.kind)
    return same and known.replaced_by == shown


def _masked(card: p.GiftCardCode) -> str:
    return MaskedPan.of(card.code).text[-SHOWN_CHARS:]

"""A person's word on purchases that wait for one: it is there, send it again, send it mended so.

One at a time or many at once. An answer is for what the person looked at: a purchase that has
changed since is left as it is. Each answer is one commit of its own, with who and why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bridge.errors import RequestError
from bridge.log import about
from bridge.money import purchase as s
from bridge.money.amounts import format_amount
from bridge.money.ledger import ChangedSince, Ledger
from bridge.money.store.records import PurchaseRecord
from drivers.contract import Money

_LOGGER = logging.getLogger(__name__)

LOOK_UP_SECONDS_MAX = 6.0  # of the back office; below the limit of an order's answer
LOOK_UPS_AT_ONCE = 8  # as many as purchases under way
ANSWERS_MAX = 500
"""Answered at once: a list that a person can still look through. What is left is answered next."""
ALL_ANSWERS_SECONDS_MAX = 90.0  # then what the back office has not said yet is left as it is
TEXT_CHARS_MAX = 256
NAME_CHARS_MAX = 64  # of a store, an article, a member: what a register may say, too

Checked = Literal["", "found", "cannot_tell"]
WAITING = frozenset({s.PurchaseState.UNCONFIRMED, s.PurchaseState.REJECTED})


class Records(Protocol):
    """What is asked of the back office."""

    async def purchase_exists(self, record_id: str, transaction_id: str = "") -> bool | None:
        """Say whether it shows this record of this transaction; None when it cannot tell."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person found about one purchase: its `record_id` there, or that it is not there.

    Attributes:
        name: A transaction id, or the id of a payment that the purchase records.
        record_id: Its number in the back office; "" to have it sent again.
        seen_rev: `Waiting.rev` when the person looked; 0 where nobody showed it to them.
    """

    name: str
    record_id: str = ""
    seen_rev: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer: `purchase` is as it is now, also where it was refused.

    Attributes:
        name: As it was asked for.
        purchase: None where there is none of that name.
        checked: What the back office said of the record id.
        error: Why nothing was done; None when it was.
    """

    name: str
    purchase: PurchaseRecord | None
    checked: Checked = ""
    error: RequestError | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which waiting purchases are meant. What is empty leaves nothing out.

    `since` (included) and `until` (not) are compared with the date in the books: ISO 8601, the
    store's local time without offset, as a date or with a time. `names` are transaction ids or
    payment ids.
    """

    states: frozenset[s.PurchaseState] = WAITING
    since: str = ""
    until: str = ""
    store_code: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selected:
    """The first `ANSWERS_MAX` purchases of a selection, oldest first, and what they are worth.

    Attributes:
        purchases: To be shown to a person, who answers for their `rev`.
        left_out: How many more there are.
        unknown: Names for which no purchase waits.
    """

    purchases: tuple[PurchaseRecord, ...]
    left_out: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def sums(self) -> dict[str, str]:
        """Return what they are worth together, by currency; money given back is subtracted."""
        sums: dict[str, int] = {}
        for one in self.purchases:
            content = one.purchase.content
            currency = content.pay_amount.currency
            sums[currency] = sums.get(currency, 0) + worth_minor(content)
        return {currency: signed(minor, currency) for currency, minor in sums.items()}


class PurchaseAnswers:
    """Takes answers and mends for purchases of `ledger`."""

    def __init__(self, ledger: Ledger, records: Records | None = None) -> None:
        """Look record ids up in `records`; None without a back office that can be asked."""
        self._ledger = ledger
        self._records = records

    async def find(self, name: str) -> PurchaseRecord | None:
        """Return the purchase of a transaction id, or the newest one that records a payment."""
        found = self._ledger.payments.purchase(name)
        if found is None:
            await self._ledger.payments.find_original(name)  # an old answer may be corrected, too
            found = self._ledger.payments.purchase_of(name)
        return found

    def select(self, selection: Selection) -> Selected:
        """Return the waiting purchases that are meant. Changes nothing: the dry run."""
        waiting = [
            one
            for one in self._ledger.payments.open_purchases()
            if one.purchase.state in selection.states & WAITING and _is_meant(one, selection)
        ]
        waiting.sort(key=lambda one: (one.purchase.content.purchased_on, one.created_at))
        found = {name for one in waiting for name in _names(one)}
        unknown = tuple(name for name in selection.names if name not in found)
        return Selected(tuple(waiting[:ANSWERS_MAX]), max(len(waiting) - ANSWERS_MAX, 0), unknown)

    async def answer(self, answer: Answer, by: str, why: str = "") -> Answered:
        """Take one answer; a person's earlier answer may be corrected by it.

        Raises:
            RequestError: `payment_not_found`, `invalid_request` or `not_allowed`; nothing changed.
            JournalError: It could not be stored.
        """
        account = await self._named(answer.name)
        _refuse_changed(account, answer.seen_rev)
        state = account.purchase.state
        corrects = state is s.PurchaseState.RECORDED and account.purchase.answered_by != ""
        if state not in WAITING and not corrects:
            raise RequestError("not_allowed", f"the booking is {state.value}", path="payment_id")
        transaction_id = account.purchase.content.transaction_id
        checked = await self._look_up(answer.record_id, transaction_id)
        event = s.Answered(by, answer.record_id, not answer.record_id, checked, why)
        after = await self._apply(account, event)
        with about(*account.purchase.payment_ids):
            _LOGGER.warning(
                "booking answered transaction=%s by=%s record=%s send_again=%s checked=%s "
                "corrects=%s",
                *(transaction_id, by, answer.record_id, event.send_again, checked, corrects),
            )
        return Answered(answer.name, after, checked)

    async def answer_all(self, answers: Sequence[Answer], by: str, why: str) -> list[Answered]:
        """Take many answers, each for itself, and return what became of each, in their order.

        Only what waits is answered; an earlier answer is corrected one at a time.

        Raises:
            RequestError: `invalid_request`: too many of them, none, two for one purchase, or
                nobody says who and why. Nothing was changed.
            JournalError: What was not returned as done was not stored.
        """
        _refuse_unnamed(by, why)
        if not 0 < len(answers) <= ANSWERS_MAX:
            text = f"at least one and at most {ANSWERS_MAX} purchases are answered at once"
            raise RequestError("invalid_request", text, path="answers")
        found = [await self.find(one.name) for one in answers]
        ids = [one.purchase.content.transaction_id for one in found if one is not None]
        if len(set(ids)) < len(ids):
            text = "two of the answers are for the same purchase"
            raise RequestError("invalid_request", text, path="answers")
        turns = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        until = asyncio.get_running_loop().time() + ALL_ANSWERS_SECONDS_MAX
        return await asyncio.gather(*(self._one_of(one, by, why, turns, until) for one in answers))

    async def _one_of(
        self, answer: Answer, by: str, why: str, turns: asyncio.Semaphore, until: float
    ) -> Answered:
        async with turns:
            account = await self.find(answer.name)
            try:
                if asyncio.get_running_loop().time() > until:
                    text = "the back office took too long over the others: answer this one again"
                    raise RequestError("recording_unreachable", text, path="answers")
                if account is not None and account.purchase.state not in WAITING:
                    state = account.purchase.state.value
                    raise RequestError("not_allowed", f"the booking is {state}", path="payment_id")
                return await self.answer(answer, by, why)
            except RequestError as error:
                return Answered(answer.name, await self.find(answer.name), error=error)

    async def mend(self, name: str, mended: s.Mended, *, seen_rev: int = 0) -> PurchaseRecord:
        """Correct a rejected purchase and have it sent again under its transaction id.

        Raises:
            RequestError: `payment_not_found`; `not_allowed`: it is not rejected, and above all
                not where it may be in the books; `invalid_request`: nothing would change, or a
                value is wrong. `path` names the field; nothing was changed.
            JournalError: It could not be stored.
        """
        account = await self._named(name)
        _refuse_changed(account, seen_rev)
        _refuse_mending(account.purchase)
        _refuse_unnamed(mended.by, mended.why)
        _refuse_values(account.purchase.content, mended)
        after = await self._apply(account, mended)
        with about(*account.purchase.payment_ids):
            _LOGGER.warning(
                "booking mended transaction=%s by=%s store=%s lines=%s member=%s",
                *(after.purchase.content.transaction_id, mended.by, mended.store_code or "kept"),
                ",".join(str(line) for line, _ in mended.skus) or "kept",
                "kept" if mended.member_id is None else "changed",
            )
        return after

    async def _named(self, name: str) -> PurchaseRecord:
        account = await self.find(name)
        if account is None:
            raise RequestError(
                "payment_not_found", "no booking is open for this payment", path="payment_id"
            )
        return account

    async def _apply(self, account: PurchaseRecord, event: s.PurchaseEvent) -> PurchaseRecord:
        """Let it happen to the purchase as it was looked at, or not at all."""
        transaction_id = account.purchase.content.transaction_id
        try:
            return await self._ledger.apply_purchase(transaction_id, event, seen_rev=account.rev)
        except ChangedSince as error:
            raise _changed(error.now) from error

    async def _look_up(self, record_id: str, transaction_id: str) -> Checked:
        """Return what the back office says of a record; "" when there is none to look up.

        Raises:
            RequestError: `invalid_request`: it has no such record, or it is of another sale.
        """
        if not record_id:
            return ""
        if self._records is None:
            return "cannot_tell"
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS_MAX):
                found = await self._records.purchase_exists(record_id, transaction_id)
        except TimeoutError:
            found = None
        if found is False:
            raise RequestError(
                "invalid_request",
                f"the back office shows no record {record_id} of Trans # {transaction_id}",
                path="record_id",
            )
        return "found" if found else "cannot_tell"


def worth_minor(content: s.PurchaseContent) -> int:
    """Return what a purchase brings to the books; below zero where money was given back."""
    return content.pay_amount.minor - content.sale.refund_minor


def signed(minor: int, currency: str) -> str:
    """Return an amount as text, with a minus where it is below zero."""
    text = format_amount(Money(abs(minor), currency))
    return f"-{text}" if minor < 0 else text


def _names(account: PurchaseRecord) -> Iterable[str]:
    return (account.purchase.content.transaction_id, *account.purchase.payment_ids)


def _is_meant(account: PurchaseRecord, selection: Selection) -> bool:
    content = account.purchase.content
    return (
        content.purchased_on >= selection.since
        and (not selection.until or content.purchased_on < selection.until)
        and selection.store_code in {"", content.store_code}
        and (not selection.names or not set(selection.names).isdisjoint(_names(account)))
    )


def _changed(now: PurchaseRecord) -> RequestError:
    state = now.purchase.state.value
    text = f"the booking has changed since it was looked at; it is {state}: look again"
    return RequestError("not_allowed", text, path="payment_id")


def _refuse_changed(account: PurchaseRecord, seen_rev: int) -> None:
    if seen_rev and account.rev != seen_rev:
        raise _changed(account)


def _refuse_mending(purchase: s.Purchase) -> None:
    match purchase.state:
        case s.PurchaseState.REJECTED:
            return
        case s.PurchaseState.UNCONFIRMED | s.PurchaseState.SENDING:
            text = (
                "the booking may be in the books as it was sent: it is never changed. Look it up "
                "there and answer booked, or send-again if it is not there"
            )
        case state:
            text = f"the booking is {state.value}; only a rejected one can be mended"
    raise RequestError("not_allowed", text, path="payment_id")


def _refuse_unnamed(by: str, why: str) -> None:
    for path, text in (("by", by), ("why", why)):
        if not text.strip() or len(text) > TEXT_CHARS_MAX or not text.isprintable():
            words = f"say in one line of at most {TEXT_CHARS_MAX} characters"
            raise RequestError("invalid_request", words, path=path)


def _refuse_values(content: s.PurchaseContent, mended: s.Mended) -> None:
    lines = {one.line_number for one in content.sale.lines}
    numbers = [number for number, _ in mended.skus]
    named = [("store_code", mended.store_code), ("member_id", mended.member_id or "")]
    for path, text in [*named, *((f"skus.{number}", sku or " ") for number, sku in mended.skus)]:
        if text != text.strip() or not text.isprintable() or len(text) > NAME_CHARS_MAX:
            words = f"write 1 to {NAME_CHARS_MAX} printable characters without blanks around them"
            raise RequestError("invalid_request", words, path=path)
    for number in numbers:
        if number not in lines:
            there = ", ".join(str(one) for one in sorted(lines))
            words = f"the sale has no line {number}; it has {there}"
            raise RequestError("invalid_request", words, path=f"skus.{number}")
    if len(set(numbers)) < len(numbers):
        raise RequestError("invalid_request", "one line is named twice", path="skus")
    if s.mended(content, mended) == content:
        words = "nothing would change: it was rejected as it is"
        raise RequestError("invalid_request", words, path="")

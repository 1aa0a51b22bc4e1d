"""Records covered sales in the back office, each once; waits for ever where nothing was applied.

The recorder decides nothing about money. `Sending` is on disk before the first byte of an
attempt, and what the attempt proves is on disk before the next one.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from typing import Protocol

from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.api.documents import Purchase, PurchaseLine
from bridge.errors import BackOfficeUnavailable, LoginRequired
from bridge.log import about
from bridge.money import purchase as s
from bridge.money.amounts import format_amount
from bridge.money.ledger import Ledger
from drivers.contract import Money

_LOGGER = logging.getLogger(__name__)

# Back-off after proof that nothing was applied: quick at first, since most outages are short.
BACKOFF_SECONDS_MIN = 1.0
BACKOFF_SECONDS_MAX = 300.0
PROVIDER_SECONDS_MAX = 30.0  # asking a provider for a token is cheap and changes nothing
LOGIN_LOOK_SECONDS = 2.0  # another process (`paybridge login`) writes the new login to a file
# Purchases under way at once. Sales are independent of each other; eight hide the latency of a
# back office on the internet without flooding it after an outage.
IN_FLIGHT_MAX = 8


class Books(Protocol):
    """The back office, as `client.py` reaches it."""

    async def purchase_add(self, purchase: Purchase) -> Attempt:
        """Record `purchase`, once; never raises for what the other side does."""


class Tokens(Protocol):
    """The login, as `login.py` keeps it."""

    async def access_token(self) -> str:
        """Return a token that should be good now; raises LoginRequired, BackOfficeUnavailable."""


class Recorder:
    """The queue towards the books. `IN_FLIGHT_MAX` tasks call `run` at once."""

    def __init__(self, ledger: Ledger, books: Books, tokens: Tokens, rng: random.Random) -> None:
        """Record in `books` what `ledger` says is due; `rng` spreads the retries."""
        self._ledger = ledger
        self._books = books
        self._tokens = tokens
        self._rng = rng
        self._due: list[tuple[float, int, str]] = []  # (loop time, order, transaction id)
        self._order = 0
        self._failures: dict[str, int] = {}
        self._away = 0  # attempts in a row that never got through, over all purchases
        self._away_until = 0.0
        self._trying = False  # while away, one purchase at a time tries the door
        self.reachable: bool | None = None
        self.last_error = ""
        self.login_needed = False
        self.draining = False  # no new attempt begins; those under way end
        self.attempts_under_way = 0

    async def run(self) -> None:
        """Record until `draining`. Canceled in an attempt, it leaves that `sending`: unconfirmed.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        while True:
            transaction_id = await self._next()
            await self._logged_in()
            if self.draining:
                return  # what is pending is recorded by the next start
            self.attempts_under_way += 1
            try:
                with about(transaction_id):
                    await self._attempt(transaction_id)
            finally:
                self.attempts_under_way -= 1

    async def _next(self) -> str:
        """Return a purchase whose time has come."""
        loop = asyncio.get_running_loop()
        while True:
            for name in self._ledger.take_pending_purchases():
                if name not in self._failures:
                    self._put(loop.time(), name)
            now = loop.time()
            until: float | None = None
            if self._due and not (self._away and self._trying):
                until = max(self._due[0][0], self._away_until)
                if until <= now:
                    self._trying = self._away > 0
                    return heapq.heappop(self._due)[2]
            try:
                async with asyncio.timeout_at(until):
                    await self._ledger.purchases_pending.wait()
            except TimeoutError:
                pass

    async def _logged_in(self) -> None:
        """Return when an attempt can be authorized, however long a person takes to log in.

        Nothing is journaled meanwhile: what was not tried need not be told apart from what was.
        """
        failures = 0
        while True:
            try:
                await self._tokens.access_token()
            except LoginRequired as error:
                self.last_error = str(error)
                self._tell(self.reachable, login_needed=True)  # the log hears it from the login
                await asyncio.sleep(LOGIN_LOOK_SECONDS)
            except BackOfficeUnavailable as error:
                failures += 1
                self._tell(False, login_needed=self.login_needed)
                self.last_error = str(error)
                await asyncio.sleep(min(backoff_seconds(failures, self._rng), PROVIDER_SECONDS_MAX))
            else:
                self._tell(self.reachable, login_needed=False)
                return

    def _put(self, at: float, name: str) -> None:
        self._order += 1
        heapq.heappush(self._due, (at, self._order, name))

    async def _attempt(self, transaction_id: str) -> None:
        account = self._ledger.purchase(transaction_id)
        if account is None or account.purchase.state is not s.PurchaseState.PENDING:
            self._failures.pop(transaction_id, None)
            self._trying = False
            return
        self._failures.setdefault(transaction_id, 0)
        await self._ledger.apply_purchase(transaction_id, s.Sending())
        attempt = await self._books.purchase_add(purchase_of(account.purchase.content))
        try:
            await self._conclude(transaction_id, attempt)
        finally:
            self._trying = False
            self._ledger.purchases_pending.set()  # wake who waits for the door

    async def _conclude(self, transaction_id: str, attempt: Attempt) -> None:
        match attempt:
            case Applied(record_id):
                self._came_through()
                self._failures.pop(transaction_id, None)
                await self._ledger.apply_purchase(transaction_id, s.Recorded(record_id))
            case NotApplied(reason):
                await self._ledger.apply_purchase(transaction_id, s.NotApplied(reason))
                self._wait_and_retry(transaction_id, attempt)
            case Refused(code, message, path):
                self._came_through()
                self._failures.pop(transaction_id, None)
                _LOGGER.error("not booked code=%s path=%s: a person must look", code, path)
                await self._ledger.apply_purchase(transaction_id, s.Refused(code, message, path))
            case Unknown(reason):
                self._failures.pop(transaction_id, None)
                _LOGGER.error("booking unconfirmed reason=%s: a person must look", reason)
                await self._ledger.apply_purchase(transaction_id, s.Unproven(reason))

    def _came_through(self) -> None:
        self._away = 0
        self._away_until = 0.0
        self._tell(True, login_needed=self.login_needed)
        self.last_error = ""

    def _tell(self, reachable: bool | None, *, login_needed: bool) -> None:
        """Note how the back office is; whoever watches over the bridge hears of it at once."""
        if (reachable, login_needed) != (self.reachable, self.login_needed):
            self.reachable, self.login_needed = reachable, login_needed
            self._ledger.something_changed.set()

    def _wait_and_retry(self, transaction_id: str, attempt: NotApplied) -> None:
        loop = asyncio.get_running_loop()
        if self.reachable is not False:
            _LOGGER.warning("back office away reason=%s", attempt.reason)
        self._tell(False, login_needed=self.login_needed)
        self.last_error = attempt.reason
        failures = self._failures[transaction_id] + 1
        self._failures[transaction_id] = failures
        self._away += 1
        delay = backoff_seconds(max(failures, self._away), self._rng)
        delay = max(delay, attempt.retry_after_seconds or 0.0)
        self._away_until = loop.time() + delay
        self._put(loop.time() + delay, transaction_id)


def backoff_seconds(failures: int, rng: random.Random) -> float:
    """Return how long to wait after `failures` (1 or more) in a row: 1 s doubling to 5 min."""
    longest = min(BACKOFF_SECONDS_MIN * 2.0 ** min(failures - 1, 16), BACKOFF_SECONDS_MAX)
    return longest * rng.uniform(0.5, 1.0)


def purchase_of(content: s.PurchaseContent) -> Purchase:
    """Return what the API is sent for a sale. Pure: the same content gives the same bytes."""
    currency = content.pay_amount.currency
    sale = content.sale

    def money(minor: int) -> str:
        return format_amount(Money(minor, currency))

    return Purchase(
        transaction_id=content.transaction_id,
        store_code=content.store_code,
        purchased_on=content.purchased_on,
        pay_amount=money(content.pay_amount.minor),
        sale_discount_amount=money(sale.sale_discount_minor),
        item_discount_amount=money(sale.item_discount_minor),
        sub_total=money(max(sale.sub_total_minor, 0)),
        refund_amount=money(sale.refund_minor),
        tax_amount=money(sale.tax_minor),
        member_id=sale.member_id,
        channel="STORE",
        pay_method=content.pay_method,
        lines=tuple(
            PurchaseLine(
                line_number=line.line_number,
                sku=line.sku,
                is_refund=line.is_refund,
                unit_price=line.unit_price or money(line.item_amount_minor),
                ext_price=money(line.item_amount_minor),
                item_discount_amount=money(line.item_discount_minor),
                sale_discount_amount=money(line.sale_discount_minor),
                quantity=line.quantity,
                uom=line.unit_of_measure,
            )
            for line in sale.lines
        ),
    )

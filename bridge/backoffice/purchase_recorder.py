"""Records covered sales in the back office, each once; waits for ever where nothing was applied.

The recorder decides nothing about money. `Sending` is on disk before the first byte of an
attempt, and what the attempt proves is on disk before the next one.

Purchases are under way eight at a time, until something is wrong:

1. An outage (nothing was applied, whoever answers) counts once, however many purchases met it, and
   ends when a harmless query or a new login succeeds. Meanwhile only queries are sent. A query
   that is refused was answered: then a purchase is tried, alone.
2. A doubt (no proof either way) stops the queue: then a query, then one purchase at a time until
   one is applied, with a longer pause after each further doubt. So at most what was under way at
   its beginning becomes doubtful in an outage.
3. What the server refuses for a reason that is about all purchases (a permission, a name that it
   does not know) keeps them queued; one at a time is tried, and health says what is wrong.
4. What is about one purchase (a value, its size) rejects that one, and the rest goes on.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from typing import Protocol

from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.api.documents import Purchase, PurchaseLine
from bridge.backoffice.api.refusals import INVALID_REQUEST
from bridge.errors import BackOfficeUnavailable, LoginRequired, Rejected
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
QUERY_SECONDS_MAX = 30.0  # nor does a query of the back office, while it is away
LOGIN_LOOK_SECONDS = 2.0  # another process (`paybridge login`) writes the new login to a file
# Purchases under way at once. Sales are independent of each other; eight hide the latency of a
# back office on the internet without flooding it after an outage.
IN_FLIGHT_MAX = 8

# Refusals that are about all purchases: the same request is good once a person mended them.
COMMON_REFUSALS = {
    "NOT_AUTHORIZED": "the login may not record purchases: grant it the permission AddPurchase",
    INVALID_REQUEST: "the back office does not know a name that we use: see [back_office.names]",
}


class Books(Protocol):
    """The back office, as `client.py` reaches it."""

    async def purchase_add(self, purchase: Purchase) -> Attempt:
        """Record `purchase`, once; never raises for what the other side does."""

    async def ping(self) -> None:
        """Return if the API answers and lets us in; it changes nothing.

        Raises:
            BackOfficeUnavailable: It does not answer, or is not itself.
            LoginRequired: It wants a login.
            Rejected: It lets us in but not use the API.
        """


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
        self._known: set[str] = set()  # waiting here or under way
        self._under_way = 0
        self._troubles = 0  # outages, doubts and problems so far: who began before one ends none
        self._outages = 0  # failed queries and attempts since something last came through
        self._careful = False  # one purchase at a time, until one is applied
        self._doubts = 0  # since one was applied
        self._wait_until = 0.0
        self._must_ask = False  # a query first, before any purchase
        self._asking = False
        self.problem = ""  # what a person must mend before any purchase can be recorded
        self.reachable: bool | None = None
        self.login_needed = False
        self.draining = False  # no new attempt begins; those under way end
        self.attempts_under_way = 0

    @property
    def waiting(self) -> int:
        """How many purchases it remembers: those that wait here or are under way."""
        return len(self._known)

    async def run(self) -> None:
        """Record until `draining`. Canceled in an attempt, it leaves that `sending`: unconfirmed.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        while True:
            transaction_id = await self._next()
            before = self._troubles
            await self._logged_in()
            if self.draining:
                return  # what is pending is recorded by the next start
            if transaction_id is None:
                await self._ask()
                continue
            if self._troubles != before:
                # Something went wrong while it waited for a token: it has not been sent, and waits
                # with the others.
                self._put_back(transaction_id)
                continue
            self.attempts_under_way += 1
            try:
                due = self._ledger.payments.purchase(transaction_id)
                with about(*(due.purchase.payment_ids if due is not None else (transaction_id,))):
                    await self._attempt(transaction_id)
            finally:
                self.attempts_under_way -= 1
                self._under_way -= 1
                self._ledger.payments.purchases_pending.set()  # wake who waits for its turn

    async def _next(self) -> str | None:
        """Return a purchase whose turn has come; None when a query has to be sent first."""
        loop = asyncio.get_running_loop()
        while True:
            for name in self._ledger.payments.take_pending_purchases():
                if name not in self._known:
                    self._put(loop.time(), name)
            now = loop.time()
            until: float | None = None
            if self._due and not self._asking and not self._is_full():
                until = max(self._due[0][0], self._wait_until)
                if until <= now and self._must_ask:
                    self._asking = True
                    return None
                if until <= now:
                    self._under_way += 1
                    return heapq.heappop(self._due)[2]
            try:
                async with asyncio.timeout_at(until):
                    await self._ledger.payments.purchases_pending.wait()
            except TimeoutError:
                pass

    def _is_full(self) -> bool:
        """Whether nobody may begin now: while something is wrong, one goes alone."""
        return self._under_way > 0 and (self._careful or self._must_ask)

    async def _ask(self) -> None:
        """Send a query that changes nothing; while it fails, no purchase is sent."""
        try:
            await self._books.ping()
        except (BackOfficeUnavailable, LoginRequired) as error:
            self._note_outage(str(error), None, QUERY_SECONDS_MAX)
        except Rejected as error:
            # It is there and answers. Whether it takes purchases, one of them must show.
            self._must_ask = False
            self._note_problem(f"the login may not use the API: {error.code}")
        else:
            self._outages = 0
            self._must_ask = False
            # After a doubt the API has to show that it also writes, one purchase at a time.
            if not self._doubts:
                self._wait_until = 0.0
            self._tell(True, login_needed=self.login_needed)
        finally:
            self._asking = False
            self._ledger.payments.purchases_pending.set()

    async def _logged_in(self) -> None:
        """Return when an attempt can be authorized, however long a person takes to log in.

        Nothing is journaled meanwhile: what was not tried need not be told apart from what was.
        """
        failures = 0
        while True:
            try:
                await self._tokens.access_token()
            except LoginRequired:
                self._tell(self.reachable, login_needed=True)  # the log hears it from the login
                await asyncio.sleep(LOGIN_LOOK_SECONDS)
            except BackOfficeUnavailable:
                failures += 1
                self._tell(False, login_needed=self.login_needed)
                await asyncio.sleep(min(backoff_seconds(failures, self._rng), PROVIDER_SECONDS_MAX))
            else:
                if failures or self.login_needed:  # what comes after a login is not an outage
                    self._outages = 0
                    self._wait_until = 0.0 if not self._doubts else self._wait_until
                self._tell(self.reachable, login_needed=False)
                return

    def _put(self, at: float, name: str) -> None:
        self._order += 1
        self._known.add(name)
        heapq.heappush(self._due, (at, self._order, name))

    def _put_back(self, name: str) -> None:
        self._under_way -= 1
        self._order += 1
        heapq.heappush(self._due, (0.0, -self._order, name))
        self._ledger.payments.purchases_pending.set()

    async def _attempt(self, transaction_id: str) -> None:
        account = self._ledger.payments.purchase(transaction_id)
        if account is None or account.purchase.state is not s.PurchaseState.PENDING:
            self._known.discard(transaction_id)
            return
        began_in = self._troubles
        await self._ledger.apply_purchase(transaction_id, s.Sending())
        attempt = await self._books.purchase_add(purchase_of(account.purchase.content))
        await self._conclude(transaction_id, attempt, began_in)

    async def _conclude(self, transaction_id: str, attempt: Attempt, began_in: int) -> None:
        match attempt:
            case Applied(record_id):
                self._came_through(began_in)
                self._known.discard(transaction_id)
                await self._ledger.apply_purchase(transaction_id, s.Recorded(record_id))
                _LOGGER.info("booked transaction=%s record=%s", transaction_id, record_id)
            case NotApplied(reason, retry_after_seconds):
                if began_in == self._troubles:  # who failed beside it met the same outage
                    mend = attempt.misplaced or attempt.denied
                    self.problem = reason if mend else self.problem
                    self._note_outage(reason, retry_after_seconds, BACKOFF_SECONDS_MAX)
                await self._ledger.apply_purchase(transaction_id, s.NotApplied(reason))
                self._put(self._wait_until, transaction_id)
            case Refused(code, message, path) if code in COMMON_REFUSALS:
                more = path or (message if code == INVALID_REQUEST else "")
                words = f"{COMMON_REFUSALS[code]}{f' ({more})' if more else ''}"
                if began_in == self._troubles:
                    self._note_problem(words)
                await self._ledger.apply_purchase(transaction_id, s.NotApplied(words))
                self._put(self._wait_until, transaction_id)
            case Refused(code, message, path):
                self._known.discard(transaction_id)
                _LOGGER.error(
                    "not booked transaction=%s code=%s path=%s: a person must look",
                    *(transaction_id, code, path),
                )
                if not self._doubts:  # whether it also writes, only one that is applied shows
                    self._came_through(began_in)
                await self._ledger.apply_purchase(transaction_id, s.Refused(code, message, path))
            case Unknown(reason):
                self._known.discard(transaction_id)
                _LOGGER.error(
                    "booking unconfirmed transaction=%s reason=%s: a person must look",
                    *(transaction_id, reason),
                )
                self._note_doubt(began_in)
                await self._ledger.apply_purchase(transaction_id, s.Unproven(reason))

    def _came_through(self, began_in: int) -> None:
        """The back office took a purchase, or looked at one: all is well.

        But one that was sent before the last trouble says nothing about what came after.
        """
        if began_in != self._troubles:
            return
        if self.problem:
            _LOGGER.info("purchases are recorded again problem=%s", self.problem)
        self._outages = self._doubts = 0
        self._careful = self._must_ask = False
        self._wait_until = 0.0
        self.problem = ""
        self._tell(True, login_needed=self.login_needed)

    def _note_outage(self, reason: str, retry_after: float | None, longest: float) -> None:
        if self.reachable is not False:
            _LOGGER.warning("back office away reason=%s", reason)
        self._must_ask = True
        self._troubles += 1
        self._outages += 1
        self._pause(min(backoff_seconds(self._outages, self._rng), longest), retry_after)
        self._tell(False, login_needed=self.login_needed)

    def _note_problem(self, words: str) -> None:
        """Something about all purchases is refused: wait for a person, and try one now and then."""
        if self.problem != words:
            _LOGGER.error("no purchase can be recorded problem=%s", words)
        self.problem = words
        self._careful = True
        self._troubles += 1
        self._outages += 1
        self._pause(backoff_seconds(self._outages, self._rng), None)
        self._tell(True, login_needed=self.login_needed)
        self._ledger.payments.something_changed.set()

    def _note_doubt(self, began_in: int) -> None:
        self._careful = self._must_ask = True
        if began_in != self._troubles:  # it was under way when the trouble began: the same one
            return
        self._troubles += 1
        self._doubts += 1
        self._pause(backoff_seconds(self._doubts, self._rng), None)

    def _pause(self, seconds: float, retry_after: float | None) -> None:
        now = asyncio.get_running_loop().time()
        self._wait_until = max(self._wait_until, now + max(seconds, retry_after or 0.0))

    def _tell(self, reachable: bool | None, *, login_needed: bool) -> None:
        """Note how the back office is; health is published at once."""
        if (reachable, login_needed) != (self.reachable, self.login_needed):
            self.reachable, self.login_needed = reachable, login_needed
            self._ledger.payments.something_changed.set()


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

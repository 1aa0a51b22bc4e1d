"""A ledger on a real journal, payments to attack it with, and a terminal's answers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Change, Journal
from drivers.contract import Approval, Approved, Baseline, Card, Money

EUR = "EUR"


class Clock:
    """A wall clock that goes on by a second with every look."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> str:
        """Return ISO 8601 UTC."""
        self.seconds += 1
        minutes, seconds = divmod(self.seconds, 60)
        return f"2026-11-23T{12 + minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.000Z"


class SlowJournal(Journal):
    """A journal whose disk can be held, so that what happens meanwhile can be arranged."""

    held: asyncio.Event | None = None

    def append(self, change: Change, *, urgent: bool = True) -> asyncio.Future[int]:
        """Write the change, but say so only once the disk is let go."""
        written = super().append(change, urgent=urgent)
        if self.held is None:
            return written
        return asyncio.ensure_future(_after(self.held, written))


async def _after(held: asyncio.Event, written: asyncio.Future[int]) -> int:
    await held.wait()
    return await written


class Till:
    """Ledgers that live and die on one journal."""

    def __init__(self, path: Path, executor: ThreadPoolExecutor) -> None:
        self._path = path
        self._executor = executor
        self._connections: list[sqlite3.Connection] = []
        self._clock = Clock()
        self.journal = self._journal()
        self.ledger = self._ledger()

    async def reborn(self) -> Ledger:
        """Return the ledger of the next process, recovered."""
        self.journal = self._journal()
        self.ledger = self._ledger()
        await self.ledger.recover()
        return self.ledger

    def set_clock_back(self) -> None:
        """Have somebody set the wall clock back to the morning."""
        self._clock.seconds = -3_600

    def close(self) -> None:
        """Close every file."""
        for connection in self._connections:
            connection.close()

    async def refused(self, wanted: p.PaymentRequest) -> str:
        """Return the code with which a new payment is refused, "" when it is accepted."""
        try:
            await self.ledger.accept(wanted)
        except RequestError as error:
            return error.code
        return ""

    async def done(self, wanted: p.PaymentRequest, minor: int | None = None) -> p.Payment:
        """Accept a payment and have its terminal approve it."""
        await self.ledger.accept(wanted, p.Started(Baseline("")))
        return await self.approve(wanted, minor)

    async def approve(self, wanted: p.PaymentRequest, minor: int | None = None) -> p.Payment:
        """Have a terminal approve a payment that was started."""
        said = Approved(approval(wanted, minor))
        return (await self.ledger.apply(wanted.payment_id, said)).payment

    def payment(self, wanted: p.PaymentRequest) -> p.Payment:
        """Return what the ledger has in memory."""
        account = self.ledger.payments.get(wanted.payment_id)
        assert account is not None
        return account.payment

    def booked_minor(self) -> int:
        """Return what the books were or will be told of: paid less given back."""
        names = self.ledger.payments.take_pending_purchases()
        contents = [
            found.purchase.content for n in names if (found := self.ledger.payments.purchase(n))
        ]
        return sum(one.pay_amount.minor + one.tip_minor - one.sale.refund_minor for one in contents)

    def _journal(self) -> SlowJournal:
        connection = open_database(self._path)
        self._connections.append(connection)
        return SlowJournal(connection, self._executor)

    def _ledger(self) -> Ledger:
        return Ledger(
            self.journal,
            books=BooksPolicy("S012"),
            now=self._clock.now,
            local_now=lambda: "2026-11-23T12:00:00",
            terminals=("counter-1",),
        )


@asynccontextmanager
async def open_till(folder: Path) -> AsyncIterator[Till]:
    """Yield a till whose journal lies in `folder`."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        till = Till(folder / "journal.sqlite", executor)
        try:
            yield till
        finally:
            till.close()


def pay(number: int, minor: int, sale_id: str = "S1", **more: object) -> p.PaymentRequest:
    """Return the start of a sale's payment; `number` makes its id."""
    plain = p.PaymentRequest(
        payment_id=f"018f6f0e-8a44-7c1b-9a3e-{number:012d}",
        register_id="till-1",
        terminal_id="counter-1",
        type=p.PaymentType.SALE,
        amount=Money(minor, EUR),
        content_hash=f"{number} {minor}",
        sale_id=sale_id,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def after(
    original: p.PaymentRequest, number: int, kind: p.PaymentType, minor: int, **more: object
) -> p.PaymentRequest:
    """Return a follow-up of `original`."""
    wanted = pay(
        number,
        minor,
        sale_id="",
        type=kind,
        original_payment_id=original.payment_id,
        original=approval(original),
        original_sale_key=original.sale_key,
    )
    return replace(wanted, **more)  # type: ignore[arg-type]


def approval(wanted: p.PaymentRequest, minor: int | None = None) -> Approval:
    """Return what a terminal remembers of a payment."""
    amount = Money(wanted.amount.minor if minor is None else minor, EUR)
    return Approval(amount, fingerprint=f"T1/{wanted.payment_id[-4:]}", card=Card("visa", "Visa"))


def goods(minor: int) -> s.SaleDetails:
    """Return a sale of one thing at this price."""
    return s.SaleDetails(Money(minor, EUR), (s.SaleLine(1, "A", "1", "each", "", minor),))

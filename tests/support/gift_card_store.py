"""A store that takes gift cards, in one process on virtual time: real journal, simulated office."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.gift_cards.payment_method import GiftCards
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.store.journal import Journal
from simulators.back_office.faults import fault_named
from simulators.back_office.records import TransStatus
from simulators.terminals.shared.cable import MemoryPort
from tests.support.office import ENDPOINT, World
from tests.support.virtual_store import Device, VirtualStore, office_table
from tests.unit.backoffice.gift_cards.requests import CODE

PIN = "1234"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DEADLINE_SECONDS = 20.0
SETTLED_SECONDS = 400.0  # longer than any late effect, quiet time and doubt


class Store:
    """The back office with one gift card of 50.00, and the journal that outlives each process."""

    def __init__(self, folder: Path, balance: str = "50.00") -> None:
        self.world = World(folder)
        self.world.office._authenticate = {"good": "paybridge"}.get
        self.state = self.world.office.state
        self.state.gift_card_add(code=CODE, pin=PIN, balance=Decimal(balance))
        self._folder = folder
        self.steps_type: type[GiftCardSteps] = GiftCardSteps  # a planted bug is a subclass
        self.journal_type: type[Journal] = Journal  # one that dies is a subclass
        self.cards_hold = True  # False: a server that is known to offer no holds
        self.quiet_seconds = 120.0  # the default
        self.ledger: Ledger
        self.cards: GiftCards

    def fault(self, name: str, operation: str, **settings: object) -> None:
        self.world.office.faults.add(fault_named(name, operation=operation, **settings))

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Live within the block; its end is the process's death."""
        names = None
        if not self.cards_hold:
            self.world.office.api.introspection = False
            names = ApiNames(authorize_flag="")
        store = VirtualStore(
            folder=self._folder,
            now=self.now,
            devices={"counter-1": Device(MemoryPort(random.Random(1)))},
            office=self.world.wire,
            sections={
                "back_office": office_table(
                    ENDPOINT,
                    names,
                    deadline_seconds=DEADLINE_SECONDS,
                    gift_card_quiet_seconds=self.quiet_seconds,
                )
            },
            journal=self.journal_type,
            planted={"GiftCardSteps": self.steps_type},
        )
        async with store.built() as parts:
            assert parts.gift_cards is not None
            self.ledger, self.cards = parts.ledger, parts.gift_cards
            running = asyncio.get_running_loop().create_task(self.cards.run())
            try:
                yield
                if running.done():
                    running.result()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())

    async def ask(self, request: p.PaymentRequest, pin: str = PIN) -> None:
        self.cards.keep_pin(request.payment_id, pin)
        await self.ledger.accept(request)

    async def settled(self, name: str, seconds: float = SETTLED_SECONDS) -> p.Payment:
        """Return the payment after everything had the time to happen."""
        await asyncio.sleep(seconds)
        return self.payment(name)

    def payment(self, name: str) -> p.Payment:
        account = self.ledger.payments.get(name)
        assert account is not None
        return account.payment

    # --- the truth

    @property
    def balance(self) -> Decimal:
        (card,) = self.state.gift_cards.values()
        return card.balance

    def amounts(self, name: str, status: TransStatus) -> list[Decimal]:
        """Return what the office has under a payment's reference."""
        return [
            one.amount
            for one in self.state.transactions.values()
            if one.ref_no == name and one.status is status
        ]

    def asked(self, effect: str) -> int:
        return sum(line["effect"] == effect for line in self.state.ledger)

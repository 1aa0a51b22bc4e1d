"""Refuses what a register sends beyond what may wait for it: nothing is done, nothing is stored.

A refused start may come again under the same id, so its answer is no answer for that id: the
journal never hears of it. And it must not deny what goes on: the same start may have been taken
before, so the payments of the refused ids are looked up first, all those of one turn at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from bridge.errors import RequestError
from bridge.money.ledger import Ledger
from bridge.money.payment import leg_id
from bridge.money.store.journal_entries import PaymentRow
from bridge.register import api as k
from bridge.register.commands.replies import Replies
from bridge.register.mqtt.messages import EXCESS_BYTES_MAX, Delivery

_LOGGER = logging.getLogger(__name__)

SAID_AGAIN_SECONDS: Final = 60.0  # a flood is a line in the log now and then, not thousands
SAID_MAX: Final = 100  # registers that the log remembers


@dataclass(slots=True)
class _Said:
    """What the log was told of one register's flood."""

    at: float
    since: int = 0


@dataclass(slots=True)
class ExcessRefusals:
    """Answers commands with `too_many_requests`.

    `refusal` says why nothing is done at all, or for a payment of that id; None where it would be.
    """

    ledger: Ledger
    replies: Replies
    refusal: Callable[[str], RequestError | None]
    _said: dict[str, _Said] = field(default_factory=dict)

    async def refuse(self, asked: Iterable[tuple[Delivery, k.RequestTopic]]) -> None:
        """Refuse these commands, in their order.

        Raises:
            JournalError: What they name could not be looked up; none of them was answered.
        """
        named = [
            (one, topic, k.salvage_ids(one.payload, one.correlation)[1] or "")
            for one, topic in asked
        ]
        rows = await self._forgotten_by_memory({name for _, _, name in named})
        for delivery, topic, payment_id in named:
            error = self.refusal(payment_id) or RequestError(
                "too_many_requests",
                "this register has too many commands waiting; this one was not done",
            )
            row = rows.get(payment_id)
            if row is not None and row.register_id != topic.register_id:
                row = None  # the outcome of a payment is shown to its own register only
            # Its name may stand in the part that was cut off.
            unnamed = not payment_id and len(delivery.payload) >= EXCESS_BYTES_MAX
            self.replies.refuse(
                delivery,
                topic.register_id,
                topic.operation,
                error,
                forgotten=row,
                may_be_known=unnamed,
            )
            self._tell(topic.register_id)

    async def _forgotten_by_memory(self, payment_ids: set[str]) -> dict[str, PaymentRow]:
        """Return what the journal has of payments, or plans, that memory does not have."""
        wanted: dict[str, str] = {}
        for name in payment_ids:
            if k.is_payment_id(name):
                wanted |= {one: name for one in (name, leg_id(name, 1))}
        missing = [name for name in wanted if name not in self.ledger.payments]
        found = await self.ledger.payments.rows_of(missing) if missing else []
        return {wanted[row.payment_id]: row for row in found}

    def _tell(self, register_id: str) -> None:
        now = asyncio.get_running_loop().time()
        said = self._said.get(register_id)
        if said is not None and now < said.at + SAID_AGAIN_SECONDS:
            said.since += 1
            return
        count = 1 if said is None else said.since + 1
        while len(self._said) >= SAID_MAX:
            del self._said[next(iter(self._said))]
        self._said[register_id] = _Said(now)
        _LOGGER.warning(
            "register=%s refused=%d: it sends more commands than can be done, code=%s; other "
            "registers are served",
            register_id,
            count,
            "too_many_requests",
        )

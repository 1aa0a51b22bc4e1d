"""How long payments have been in doubt, over all runs of the service. Decides only when to call.

The beginning of a doubt is in the journal. In one run its age is measured by the monotonic clock;
from one run to the next the wall clock says how much time passed, and because a wall clock may be
set back, the age measured so far is journaled every few seconds: the larger of the two counts. A
clock that is set ahead calls a person early, which costs a look at a slip and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.store.records import PaymentRecord

DOUBT_AGED_SECONDS = 90.0  # then a person is asked, as the register's contract promises
MEASURE_SECONDS = 10.0  # how much of its measured age a doubt can lose by a crash


class DoubtAges:
    """Tells the ledger when a doubt is old enough for a person. `now` is the loop's clock."""

    def __init__(self, ledger: Ledger) -> None:
        """Watch payments of `ledger`; which ones, `look` is told."""
        self._ledger = ledger
        self._began: dict[str, float] = {}  # payment_id -> by the loop's clock, maybe before it

    async def look(self, now: float, payment_ids: Iterable[str]) -> None:
        """Have a person asked about those of the doubtful payments that are old enough.

        Raises:
            JournalError: It could not be stored.
        """
        accounts = [one for one in map(self._ledger.payments.get, payment_ids) if one is not None]
        doubtful = [one for one in accounts if one.payment.doubt is not None]
        self._began = {
            one.payment_id: self._began.get(one.payment_id, now - self._age_at_first_sight(one))
            for one in doubtful
        }
        for account in doubtful:
            name, doubt = account.payment_id, account.payment.doubt
            assert doubt is not None, "looked at above"
            if doubt.needs_operator:
                continue
            if now >= self._began[name] + DOUBT_AGED_SECONDS:  # as `next_at` adds it up
                await self._ledger.apply(name, p.DoubtAged())
            elif now >= self._began[name] + (doubt.measured_seconds + MEASURE_SECONDS):  # as there
                seconds = int(now - self._began[name])
                await self._ledger.apply(name, p.DoubtMeasured(seconds), wait=False)

    def next_at(self) -> list[float]:
        """Return when each doubt must be looked at again, in the loop's clock."""
        times = []
        for name, began in self._began.items():
            account = self._ledger.payments.get(name)
            doubt = account.payment.doubt if account is not None else None
            if doubt is not None and not doubt.needs_operator:
                measured = doubt.measured_seconds + MEASURE_SECONDS
                times.append(began + min(DOUBT_AGED_SECONDS, measured))
        return times

    def _age_at_first_sight(self, account: PaymentRecord) -> float:
        """Return how old a doubt was when this run first saw it, in seconds."""
        assert account.payment.doubt is not None, "only doubts have an age"
        now = datetime.fromisoformat(self._ledger.now())
        passed = (now - datetime.fromisoformat(account.doubted_at)).total_seconds()
        return max(passed, float(account.payment.doubt.measured_seconds))

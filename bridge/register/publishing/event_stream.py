"""The events of the registers' streams: new lines of payments' histories, numbered. Pure.

A number never comes twice, not even after a restart: each event stands for an entry that the
journal got since the start, and the numbers go on from the journal's last one then. What happened
before the start was published before it, or is lost: the documents have it.
"""

from __future__ import annotations

from collections import deque

from bridge.money import payment as p
from bridge.money.store.records import HistoryLine, PaymentRecord
from bridge.register import api as k

# While the broker is away. Nothing depends on events, so the oldest are lost without harm.
EVENTS_WAITING_MAX = 1_000
PROMPT_EVENTS = ("prompt_opened", "prompt_closed")


class Stream:
    """Turns what is new of payments into events that wait to be published."""

    def __init__(self, last_seq: int, since: str) -> None:
        """Number the events after `last_seq`, the journal's; `since` is the start, ISO 8601 UTC."""
        self._seq = self._first = last_seq
        self._since = since
        self._told: dict[str, HistoryLine] = {}  # the last line, by payment
        self._prompts: dict[str, str] = {}  # the last event of its prompt, by payment
        self.waiting: deque[tuple[str, k.PaymentEvent]] = deque()  # with the register's name

    def skip(self, account: PaymentRecord) -> None:
        """Take an old payment as published; only the last line may be of this run."""
        *earlier, last = account.history
        if account.seq <= self._first:
            self._told[account.payment_id] = last
        elif earlier:
            self._told[account.payment_id] = earlier[-1]
        if account.payment.signature is not None:
            self._prompts[account.payment_id] = PROMPT_EVENTS[
                not account.payment.signature_is_asked
            ]

    def collect(self, account: PaymentRecord) -> None:
        """Have what is new of a payment told."""
        if account.payment_id not in self._told and account.created_at < self._since:
            self.skip(account)
        history = account.history
        last = self._told.get(account.payment_id)
        first_new = history.index(last) + 1 if last in history else 0
        self._told[account.payment_id] = history[-1]
        for number, line in enumerate(history[first_new:], first_new):
            kind = "payment_stage" if line.stage else "payment_status"
            if number == 0 and last is None:
                kind = "payment_created"
            status = p.Status(line.status)
            self._add(account, kind, line.at, status=status, stage=line.stage or None)
        if account.payment.signature is not None:
            self._collect_prompt(account)

    def forget(self, payment_id: str) -> None:
        """Drop a payment that is not published any more."""
        self._told.pop(payment_id, None)
        self._prompts.pop(payment_id, None)

    def _collect_prompt(self, account: PaymentRecord) -> None:
        last = self._prompts.get(account.payment_id)
        wanted = PROMPT_EVENTS if not account.payment.signature_is_asked else PROMPT_EVENTS[:1]
        for kind in wanted[wanted.index(last) + 1 if last in wanted else 0 :]:
            self._prompts[account.payment_id] = kind
            self._add(
                account,
                kind,
                account.updated_at,
                status=account.payment.status,
                prompt_id=k.prompt_id(account.payment_id),
            )

    def _add(
        self, account: PaymentRecord, kind: str, at: str, **more: p.Status | str | None
    ) -> None:
        self._seq += 1
        request = account.payment.request
        event = k.PaymentEvent.model_validate(
            {
                "seq": self._seq,
                "at": k.read_time(at),
                "type": kind,
                "payment_id": account.payment_id,
                "terminal_id": request.terminal_id,
                "rev": account.rev,
                **more,
            }
        )
        if len(self.waiting) >= EVENTS_WAITING_MAX:
            self.waiting.popleft()
        self.waiting.append((request.register_id, event))

"""What the journal holds and how it is read: events, and the rows to find them by. Pure but SQL.

entry     what happened, in order; the truth
payment   one row per payment to find it by: an index, rebuilt from `entry` if ever in doubt
purchase  one row per purchase, likewise
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from bridge.errors import JournalError
from bridge.money import gift_card_code as g
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money import terminal_batch as b
from bridge.money.payment.signature import ReversalFailed, SignatureJudged
from bridge.money.store.provenance import (
    AuthorityTaken,
    JournalConfirmed,
    JournalDoubted,
    PersonActed,
    ProvenanceEvent,
)
from drivers import contract as c

JournalEvent = p.Event | p.Pruned | b.BatchEvent | g.CodeEvent | s.PurchaseEvent | ProvenanceEvent

EVENT_TYPES: dict[str, type] = {
    "Requested": p.Requested,
    "Started": p.Started,
    "Concluding": p.Concluding,
    "NotReached": p.NotReached,
    "CancelAsked": p.CancelAsked,
    "Restarted": p.Restarted,
    "DoubtAged": p.DoubtAged,
    "DoubtMeasured": p.DoubtMeasured,
    "EvidenceLost": p.EvidenceLost,
    "Resolved": p.Resolved,
    "Corrected": p.Corrected,
    "HoldEnded": p.HoldEnded,
    "LookedAgain": p.LookedAgain,
    "RecordingChanged": p.RecordingChanged,
    "Acknowledged": p.Acknowledged,
    "Decided": p.Decided,
    "FollowedUp": p.FollowedUp,
    "FollowUpUndone": p.FollowUpUndone,
    "FoundReversed": p.FoundReversed,
    "LinesAttached": p.LinesAttached,
    "LinesOverdue": p.LinesOverdue,
    "TendersStated": p.TendersStated,
    "Pruned": p.Pruned,
    "BatchClosing": b.BatchClosing,
    "BatchClosed": b.BatchClosed,
    "BatchKept": b.BatchKept,
    "Unasked": b.Unasked,
    "GapFound": b.GapFound,
    "GapsNoted": b.GapsNoted,
    "CodeChanging": g.CodeChanging,
    "CodeChanged": g.CodeChanged,
    "CodeKept": g.CodeKept,
    "SignatureJudged": SignatureJudged,
    "ReversalFailed": ReversalFailed,
    "Progress": c.Progress,
    "Receipt": c.Receipt,
    "Taken": c.Taken,
    "Offered": c.Offered,
    "Approved": c.Approved,
    "Declined": c.Declined,
    "Canceled": c.Canceled,
    "Failed": c.Failed,
    "Unclear": c.Unclear,
    "StillRunning": c.StillRunning,
    "PurchaseDue": s.PurchaseDue,
    "Sending": s.Sending,
    "Recorded": s.Recorded,
    "NotApplied": s.NotApplied,
    "Unproven": s.Unproven,
    "Refused": s.Refused,
    "Answered": s.Answered,
    "Mended": s.Mended,
    "PurchaseRestarted": s.PurchaseRestarted,
    "AuthorityTaken": AuthorityTaken,
    "JournalConfirmed": JournalConfirmed,
    "JournalDoubted": JournalDoubted,
    "PersonActed": PersonActed,
}
"""Every event by its name in the journal. The names are for ever; the classes may be renamed."""
KIND_OF = {event: kind for kind, event in EVENT_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as the journal stores it. `at` (ISO 8601 UTC) is for people; `seq` orders."""

    subject: str
    event: JournalEvent
    at: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """What a payment can be found by."""

    payment_id: str
    register_id: str
    terminal_id: str
    sale_key: str
    status: str
    recording: str
    amount_minor: int
    currency: str
    created_at: str
    updated_at: str
    live: int  # 1: its document is still published, or work is left to do; else 0
    pruned: int = 0  # 1: its personal data is gone; else 0

    @property
    def amount(self) -> c.Money:
        """What was asked for."""
        return c.Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    """What a purchase can be found by."""

    transaction_id: str
    sale_key: str
    state: str
    created_at: str
    updated_at: str


class EventCodec:
    """Events as text and back. Built once; building the adapters takes some milliseconds."""

    def __init__(self) -> None:
        self._adapters: dict[str, TypeAdapter[JournalEvent]] = {
            name: TypeAdapter(event) for name, event in EVENT_TYPES.items()
        }

    def encode(self, event: JournalEvent) -> tuple[str, str]:
        """Return kind and body."""
        kind = KIND_OF[type(event)]
        return kind, self._adapters[kind].dump_json(event).decode()

    def decode(self, kind: str, body: str) -> JournalEvent:
        """Return the event.

        Raises:
            JournalError: The journal was written by a newer version, or is damaged.
        """
        try:
            return self._adapters[kind].validate_json(body)
        except (KeyError, ValidationError) as error:
            raise JournalError(f"the journal holds a {kind!r} that cannot be read") from error


def read_entries(connection: sqlite3.Connection, codec: EventCodec, subject: str) -> list[Entry]:
    """Return what happened to `subject`, oldest first, on any connection."""
    rows = connection.execute(
        "select seq, kind, at, body from entry where subject=? order by seq", (subject,)
    ).fetchall()
    return [Entry(subject, codec.decode(kind, body), at, seq) for seq, kind, at, body in rows]


def read_payments(
    connection: sqlite3.Connection, where: str, values: Sequence[object], *, newest: int = 0
) -> list[PaymentRow]:
    """Return the payments that match the SQL condition `where`, oldest first.

    With `newest`, that many of them at most, newest first.
    """
    order = f"desc limit {newest:d}" if newest else ""
    query = f"select * from payment where {where} order by created_at {order}"  # noqa: S608 - the condition is our own constant, values are bound
    return [PaymentRow(*row) for row in connection.execute(query, values)]


def read_prunable(connection: sqlite3.Connection, before: str, limit: int) -> list[PaymentRow]:
    """Return at most `limit` retired payments that last changed before that, oldest first."""
    rows = connection.execute(
        "select * from payment where live=0 and pruned=0 and updated_at<?"
        " order by updated_at limit ?",
        (before, limit),
    )
    return [PaymentRow(*row) for row in rows]


def register_filter(
    register_id: str, *, only_open: bool, since: str, sale_key: str
) -> tuple[str, list[str]]:
    """Return the SQL condition, and its values, of a register's payments; "" filters nothing.

    What is open has an index of its own; its condition is spelled as there (`database.py`).
    """
    conditions, values = ["register_id=?", "created_at>=?"], [register_id, since]
    if only_open:
        conditions.append("status not in ('approved', 'declined', 'canceled', 'failed')")
    if sale_key:
        conditions.append("sale_key=?")
        values.append(sale_key)
    return " and ".join(conditions), values


def read_purchases(
    connection: sqlite3.Connection, where: str, values: Sequence[object]
) -> list[PurchaseRow]:
    """Return the purchases that match the SQL condition `where`, oldest first."""
    query = f"select * from purchase where {where} order by created_at, transaction_id"  # noqa: S608 - the condition is our own constant, values are bound
    return [PurchaseRow(*row) for row in connection.execute(query, values)]

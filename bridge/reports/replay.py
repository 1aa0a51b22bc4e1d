"""Plays the events of a bundle again, without a journal: what was decided, step by step. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.errors import JournalError
from bridge.money import payment as p
from bridge.money.payment.actions import IllegalEvent
from bridge.money.payment.machine import advance, open_payment
from bridge.money.store.journal_entries import Entry, EventCodec
from bridge.reports.event_words import words_of
from drivers import contract as c


@dataclass(frozen=True, slots=True)
class Replayed:
    """One event, and what it made of the payment."""

    seq: int
    at: str
    text: str
    status: str
    funds: str
    recording: str
    actions: tuple[str, ...]
    problem: str = ""  # why the machine refuses the event today; "" when it does not


@dataclass(frozen=True, slots=True)
class Conversation:
    """What can be played in the simulator: the operation, and what became of it."""

    terminal_id: str
    amount: c.Money
    shopper: str  # approve, decline or cancel
    cut_in: c.Stage | None  # where the line broke, as far as the stages tell


def read_bundle(lines: Iterable[str]) -> tuple[dict[str, list[Entry]], list[str]]:
    """Return the entries of a bundle's journal by subject, and what could not be read."""
    codec, found, unread = EventCodec(), dict[str, list[Entry]](), list[str]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told: dict[str, Any] = json.loads(line)
            event = codec.decode(told["kind"], json.dumps(told["body"]))
            entry = Entry(told["subject"], event, told["at"], told["seq"])
        except (ValueError, KeyError, TypeError, JournalError) as error:
            unread.append(f"line {number}: {str(error)[:120]}")
            continue
        found.setdefault(entry.subject, []).append(entry)
    return found, unread


def replay(entries: Sequence[Entry]) -> list[Replayed]:
    """Return what each event of a payment does to it today, in order."""
    payment: p.Payment | None = None
    found = []
    for entry in entries:
        event, actions, problem = entry.event, tuple[p.Action, ...](), ""
        if isinstance(event, p.Pruned):
            payment = event.payment
        elif isinstance(event, p.Event):
            try:
                if payment is None and isinstance(event, p.Requested):
                    payment, actions = open_payment(event)
                elif payment is not None:
                    payment, actions = advance(payment, event)
                else:
                    problem = "its beginning is not in the bundle"
            except IllegalEvent as error:
                problem = str(error)
        if payment is None:
            continue
        found.append(
            Replayed(
                entry.seq,
                entry.at,
                words_of(event),
                payment.status.value,
                payment.funds.value,
                payment.recording.value,
                tuple(type(one).__name__ for one in actions),
                problem,
            )
        )
    return found


def conversation_of(entries: Sequence[Entry]) -> Conversation | None:
    """Return what a simulated terminal can play; None where no terminal took the payment."""
    request = next((e.event.request for e in entries if isinstance(e.event, p.Requested)), None)
    if request is None or request.type is not p.PaymentType.SALE:
        return None
    if request.method is not p.Method.CARD:
        return None
    shopper, cut_in, stage = "approve", None, c.Stage.STARTING
    for entry in entries:
        match entry.event:
            case c.Progress(reached):
                stage = reached
            case c.Unclear() if cut_in is None:
                cut_in = stage
            case c.Declined():
                shopper = "decline"
            case c.Canceled():
                shopper = "cancel"
    return Conversation(request.terminal_id, request.amount, shopper, cut_in)

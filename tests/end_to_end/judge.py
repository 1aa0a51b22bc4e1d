"""Compares what the terminal did, what the journal knows, what the books hold, and what was told.

Pure. Within one comparison every payment has an amount of its own, which is its name at the
terminal; ZVT carries no reference of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from simulators.terminals.shared.ledger import Entry, standing

Json = dict[str, Any]

NO = frozenset({"declined", "canceled", "failed"})
FINAL = NO | {"approved"}


def violations(
    terminal: Sequence[Entry],
    stories: Iterable[Json],
    purchases: Iterable[Json],
    told: Mapping[str, Sequence[Json]],
) -> list[str]:
    """Return every broken promise in words; [] when all the ledgers agree.

    Args:
        terminal: The terminal's own ledger, the truth.
        stories: What the journal says, one for each payment (`paybridge show --json`).
        purchases: What the back office holds.
        told: The documents the register got, by payment, oldest first.
    """
    found = []
    stories = list(stories)
    amounts = [_minor(story["requested"]) for story in stories]
    assert len(amounts) == len(set(amounts)), "every payment needs an amount of its own"
    found += [
        f"the terminal took {entry.amount_minor}, which the journal does not know"
        for entry in standing(terminal)
        if entry.amount_minor not in amounts
    ]
    for story in stories:
        found += [f"{story['payment_id']}: {text}" for text in _about(story, terminal, purchases)]
        documents = told.get(story["payment_id"], ())
        found += [f"{story['payment_id']}: {text}" for text in _as_told(story, documents)]
    return found


def _about(story: Json, terminal: Sequence[Entry], purchases: Iterable[Json]) -> list[str]:
    amount = _minor(story["requested"])
    asked = [e for e in terminal if e.kind == "approved" and e.amount_minor == amount]
    taken = [e for e in standing(terminal) if e.amount_minor == amount]
    booked = [p for p in purchases if p["transactionId"].endswith(story["payment_id"])]
    status, recording = story["status"], story["recording"]
    rules = (
        (len(taken) > 1, "the card was charged twice"),
        (len(asked) > 1, "the terminal was asked twice"),
        (bool(taken) and status in NO, f"the money was taken, and it was told {status}"),
        (not taken and status == "approved", "approved, and the terminal took nothing"),
        (status not in FINAL | {"in_doubt"}, f"left {status}"),
        (len(booked) > 1, "recorded twice"),
        (bool(booked) and status != "approved", f"recorded, and it is {status}"),
        (status == "approved" and recording == "pending", "captured, and left out of the books"),
        (recording == "recorded" and not booked, "called recorded, and the books do not have it"),
        (
            bool(booked) and recording not in {"recorded", "unconfirmed"},
            f"in the books, and called {recording}",
        ),
        (
            any(_cents(purchase["payAmount"]) != amount for purchase in booked),
            "recorded with another amount",
        ),
    )
    return [text for broken, text in rules if broken]


def _as_told(story: Json, documents: Sequence[Json]) -> list[str]:
    found = []
    finals = [one["status"] for one in documents if one["final"]]
    if len(set(finals)) > 1:
        found.append(f"first told {finals[0]}, then {finals[-1]}")
    if finals and finals[-1] != story["status"]:
        found.append(f"told {finals[-1]}, the journal says {story['status']}")
    return found


def _minor(money: str) -> int:
    amount, _, _ = money.partition(" ")
    return _cents(amount)


def _cents(amount: str) -> int:
    return int(Decimal(amount) * 100)

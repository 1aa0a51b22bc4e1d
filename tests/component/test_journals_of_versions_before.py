"""A journal that an earlier version wrote opens, says the same, and goes on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import EVENT_TYPES
from drivers.contract import Approval, Approved, Money

JOURNALS = Path(__file__).parent / "journals"
BEFORE = sorted(JOURNALS.glob("*.sqlite"))
HOLD = "01a22b34-0000-75c6-8ba2-000000000002"
IN_DOUBT = "01a22b34-0000-75c6-8ba2-000000000003"
AT = "2026-12-01T08:00:00.000Z"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Ledger, Journal]]:
    connection = open_database(path)
    with ThreadPoolExecutor(1) as executor:
        journal = Journal(connection, executor)
        books = BooksPolicy(store_code="S012", summary_sku="", required=True)
        ledger = Ledger(
            journal,
            books=books,
            now=lambda: AT,
            local_now=lambda: AT[:19],
            terminals=("counter-1", "gift-cards"),
        )
        await ledger.recover()
        yield ledger, journal
        await journal.finish()
    connection.close()


@pytest.fixture(params=BEFORE, ids=lambda path: path.stem)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(request.param, tmp_path / "journal.sqlite"))


def rows(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute(
        "select payment_id, status, recording, amount_minor, currency from payment"
        " order by payment_id"
    ).fetchall()
    connection.close()
    return found


async def test_every_payment_is_what_it_was(stored: Path) -> None:
    before = rows(stored)
    async with opened(stored) as (ledger, _):
        for payment_id, status, recording, minor, currency in before:
            account = await ledger.payments.find(str(payment_id))
            assert account is not None
            payment = account.payment
            assert (payment.status.value, payment.recording.value) == (status, recording)
            assert payment.request.amount == Money(int(str(minor)), str(currency))
    assert rows(stored) == before


async def test_an_open_hold_can_still_be_followed_up(stored: Path) -> None:
    async with opened(stored) as (ledger, _):
        account = await ledger.payments.find(HOLD)
        assert account is not None
        assert account.payment.funds is p.Funds.HELD


async def test_a_doubt_goes_on_and_ends(stored: Path) -> None:
    async with opened(stored) as (ledger, _):
        assert IN_DOUBT in {one.payment_id for one in ledger.payments.in_memory()}
        await ledger.apply(IN_DOUBT, Approved(Approval(Money(1762, "EUR"), "52500041/900")))
    async with opened(stored) as (ledger, _):
        account = await ledger.payments.find(IN_DOUBT)
        assert account is not None
        assert account.payment.status is p.Status.APPROVED


def test_names_in_the_journal_are_for_ever() -> None:
    """A class may be renamed; what stands in stored journals may not. Only add to this list."""
    assert set(EVENT_TYPES) >= set(
        [
            "Acknowledged",
            "Answered",
            "Approved",
            "BatchClosed",
            "BatchClosing",
            "BatchKept",
            "CancelAsked",
            "Canceled",
            "Concluding",
            "Decided",
            "Declined",
            "DoubtAged",
            "EvidenceLost",
            "Failed",
            "FollowedUp",
            "HoldEnded",
            "LinesAttached",
            "LinesOverdue",
            "NotApplied",
            "NotReached",
            "Offered",
            "Progress",
            "Pruned",
            "PurchaseDue",
            "PurchaseRestarted",
            "Receipt",
            "Recorded",
            "RecordingChanged",
            "Refused",
            "Requested",
            "Resolved",
            "Restarted",
            "ReversalFailed",
            "Sending",
            "SignatureJudged",
            "Started",
            "StillRunning",
            "Unclear",
            "Unproven",
        ]
    )

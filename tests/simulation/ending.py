"""What the judge reads for himself: the journal after each death, and all books at the end."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import apsw

from bridge.money import payment as p
from bridge.money import sale as s
from bridge.money.accounts import Account
from simulators.broker import Broker
from tests.simulation.disk import DiskDoor
from tests.simulation.judge import cents, short

if TYPE_CHECKING:
    from tests.simulation.world import World


DOCUMENT_SECONDS_MAX = 30  # a commit may take 5 s, and the broker may just have been away


def compare_journal(world: World) -> None:
    """Show the judge what a new process finds, on a copy that keeps no trace of it."""
    if "/journal" not in world.disk.files:
        return
    door = DiskDoor(f"judge-{world.seed}", world.disk.copy(), random.Random(0))
    connection = apsw.Connection("/journal", vfs=door.name)
    try:
        connection.execute("pragma locking_mode=exclusive")
        tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        if "purchase_open" not in tables:
            return
        entries = list(connection.execute("select subject, kind from entry order by seq"))
        rows = {
            name: (status, amount)
            for name, status, amount in connection.execute(
                "select payment_id, status, amount_minor from payment"
            )
        }
        if list(connection.execute("pragma integrity_check")) != [("ok",)]:
            world.story.accuse("S9", "the journal is damaged")
    finally:
        connection.close()
    world.judge.restarted(entries, rows)


async def judge_the_end(world: World) -> None:
    """Compare terminals, journal, back office and retained documents."""
    life, story = world.life, world.story
    if life is None or not life.ready:
        story.accuse("L1", "the bridge does not serve at the end")
        return
    accounts: dict[str, Account] = {}
    for payment_id in world.judge.rows:
        account = await life.ledger.find(payment_id)
        if account is not None:
            accounts[payment_id] = account
    for charge in world.truth.charges:
        if charge.stands and charge.payment_id:
            _judge_charge(world, accounts.get(charge.payment_id), charge.payment_id)
    for account in accounts.values():
        _judge_payment(world, account)
    await _judge_books(world, accounts)
    await _judge_documents(world)
    for data in world.disk.contents():
        world.judge.look_for_cards(data, "on the disk")


def _judge_charge(world: World, account: Account | None, payment_id: str) -> None:
    if account is None:
        world.story.accuse("S3", f"{short(payment_id)} is charged and unknown")
    elif account.payment.status is not p.Status.APPROVED:
        status = account.payment.status.value
        world.story.accuse("S3", f"{short(payment_id)} is charged, and at the end {status}")


def _judge_payment(world: World, account: Account) -> None:
    payment, story = account.payment, world.story
    name = short(account.payment_id)
    story.mark(f"ended {payment.status.value}")
    if payment.discrepancies:
        story.mark("discrepancy")
        story.tell("ending", f"{name} {[odd.kind for odd in payment.discrepancies]}")
    if payment.status is p.Status.APPROVED:
        standing = world.truth.standing(account.payment_id)
        if not standing:
            story.accuse("S4", f"{name} is approved, but nothing was taken")
        elif payment.captured.minor != standing[0].amount_minor:
            story.accuse("S4", f"{name}: {payment.captured.minor}, not {standing[0].amount_minor}")


async def _judge_books(world: World, accounts: dict[str, Account]) -> None:
    """Every captured payment of a covered sale is in the books once, to the cent."""
    life, story = world.life, world.story
    assert life is not None
    told: dict[str, list[str]] = {}  # transaction id -> payments
    sales: dict[str, list[Account]] = {}
    for account in accounts.values():
        sales.setdefault(account.payment.request.sale_key, []).append(account)
    due = [name for name, kinds in world.judge.stored.items() if "PurchaseDue" in kinds]
    for name, entries in (await life.journal.entries_of_all(due)).items():
        first = entries[0].event
        assert isinstance(first, s.PurchaseDue), "a purchase begins with being due"
        told[name] = list(first.payment_ids)
    for purchase in world.books.purchases.values():
        charges = world.charged_for(told.get(purchase.transaction_id, []))
        if cents(str(purchase.pay_amount)) != sum(charge.amount_minor for charge in charges):
            story.accuse("S4", f"{purchase.transaction_id} is booked with {purchase.pay_amount}")
    booked = {purchase.transaction_id for purchase in world.books.purchases.values()}
    for key, members in sales.items():
        paid = [one for one in members if one.payment.status is p.Status.APPROVED]
        taken = sum(one.payment.captured.minor for one in paid)
        details = members[0].payment.request.sale
        total = details.total.minor if details is not None else taken
        for one in paid:
            mine = [name for name, ids in told.items() if one.payment_id in ids]
            covered = taken >= total
            if covered and (len(mine) != 1 or mine[0] not in booked):
                story.accuse("S4", f"{short(one.payment_id)} of {key} is not in the books: {mine}")
            if covered and one.payment.recording is not p.Recording.RECORDED:
                story.accuse("L2", f"{short(one.payment_id)} is {one.payment.recording.value}")
            if not covered:
                story.mark("sale not covered")
                if mine:
                    story.accuse("S4", f"{key} is booked, but {total - taken} is missing")


async def _judge_documents(world: World) -> None:
    """A register may still acknowledge something, so each document gets a moment to follow."""
    life = world.life
    assert life is not None
    for account in life.ledger.accounts():
        for _ in range(DOCUMENT_SECONDS_MAX):
            now = life.ledger.get(account.payment_id)
            if now is None or not is_missing(world.broker, now):
                break
            await asyncio.sleep(1)
        else:
            status = account.payment.status.value
            name = short(account.payment_id)
            world.story.accuse("L1", f"{name} is {status}, its document is not there")


def is_missing(broker: Broker, account: Account) -> bool:
    """Tell whether registers cannot read what a payment came to."""
    being_retired = account.payment.is_settled and account.payment.acknowledged
    if not account.live or being_retired:
        return False
    register = account.payment.request.register_id
    topic = f"paybridge/v1/registers/{register}/payments/{account.payment_id}"
    message = broker.retained.get(topic)
    if message is None:
        return True
    shown = json.loads(message.payload)
    return bool(shown["rev"] != account.rev or shown["status"] != account.payment.status.value)

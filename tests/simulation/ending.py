"""What the judge reads for himself: the journal after each death, and all books at the end.

Nothing here asks the bridge: the disk, the broker, the terminals and the back office say it all.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

import apsw

from simulators.back_office.records import Purchase
from tests.simulation.disk import DiskDoor
from tests.simulation.judge import cents, short
from tests.simulation.pages import Page, Pages, Row, Written

if TYPE_CHECKING:
    from tests.simulation.incarnation import Incarnation
    from tests.simulation.world import World


SPEAKING_LOOK_SECONDS = 0.1
SPEAKING_LOOKS_MAX = 50  # 5 s: in peace a response is out within one
DOCUMENT_SECONDS_MAX = 30  # a commit may take 5 s, and the broker may just have been away


def compare_journal(world: World) -> None:
    """Show the judge what a new process finds, on a copy that keeps no trace of it."""
    found = read_disk(world)
    if found is not None:
        world.judge.restarted(found)


def read_disk(world: World) -> Pages | None:
    """Return what is in the journal, None when there is none yet."""
    if "/journal" not in world.disk.files:
        return None
    door = DiskDoor(f"judge-{world.seed}", world.disk.copy(), random.Random(0))
    connection = apsw.Connection("/journal", vfs=door.name)
    found = Pages()
    try:
        connection.execute("pragma locking_mode=exclusive")
        tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        if "purchase_open" not in tables:
            return None
        for subject, kind, body in connection.execute(
            "select subject, kind, body from entry order by seq"
        ):
            found.add(subject, Page(kind, body))
        for row in connection.execute("select * from payment"):
            found.put(Row(*row[: len(Row._fields)]))
        found.purchases.update(connection.execute("select transaction_id, state from purchase"))
        if list(connection.execute("pragma integrity_check")) != [("ok",)]:
            world.story.accuse("S9", "the journal is damaged")
    finally:
        connection.close()
    return found


async def _let_it_finish_speaking(life: Incarnation) -> None:
    """Wait for what is on its way to the registers; a bridge that lives has some seconds for it."""
    for _ in range(SPEAKING_LOOKS_MAX):
        if not life.unsent():
            return
        await asyncio.sleep(SPEAKING_LOOK_SECONDS)


async def judge_the_end(world: World) -> None:
    """Compare terminals, journal, back office and retained documents."""
    life, story, judge = world.life, world.story, world.judge
    if life is None or not life.ready:
        story.accuse("L1", "the bridge does not serve at the end")
        return
    compare_journal(world)
    pages = judge.pages
    for charge in world.truth.charges:
        if charge.stands and charge.payment_id:
            _judge_charge(world, pages, charge.payment_id)
    for payment in pages.payments():
        _judge_payment(world, payment)
    _judge_totals(world, pages)
    _judge_books(world, pages)
    judge.gifts.judge_the_end(pages, _gift_cards(world))
    await _let_it_finish_speaking(life)
    judge.pledges.judge_the_end(life.number)
    await _judge_documents(world)
    for data in world.disk.contents():
        judge.look_for_cards(data, "on the disk")


def _gift_cards(world: World) -> dict[str, tuple[int, int]]:
    """Return what was on each gift card in the beginning, and what is on it now, in cents."""
    found = {}
    for one in (*world.shop.gift_cards, *world.blank_cards):
        card = world.books.find_gift_card(one.code)
        if card is None:
            continue  # it was never sold
        found[card.id] = (one.minor, cents(str(card.balance)))
    return found


def _judge_charge(world: World, pages: Pages, payment_id: str) -> None:
    if payment_id not in pages.rows:
        world.story.accuse("S3", f"{short(payment_id)} is charged and unknown")
    elif not pages.payment(payment_id).brought_money:
        status = pages.status(payment_id)
        world.story.accuse("S3", f"{short(payment_id)} is charged, and at the end {status}")


def _judge_payment(world: World, payment: Written) -> None:
    story, name, row = world.story, short(payment.payment_id), payment.row
    story.mark(f"ended {row.status}")
    story.mark(f"{row.method} {payment.type} {row.status}")
    discrepancy = discrepancy_of(world, payment)
    if discrepancy:
        story.mark("discrepancy")
        story.tell("ending", f"{name} {discrepancy}")
    if not payment.brought_money or row.method == "gift_card":
        return
    standing = world.truth.standing(payment.payment_id)
    if not standing:
        story.accuse("S4", f"{name} is approved, but nothing was moved")
    elif payment.type == "void":
        return  # it takes back what there is, with tips that were added since
    elif payment.approved_minor() != standing[0].amount_minor:
        told = payment.approved_minor()
        story.accuse("S4", f"{name}: {told}, not {standing[0].amount_minor}")


def discrepancy_of(world: World, payment: Written) -> str:
    """Return what registers are told that contradicts a payment's end, "" if nothing does."""
    told = world.judge.told.get(payment.payment_id)
    return str((told.document.get("discrepancy") or "") if told is not None else "")


def _judge_totals(world: World, pages: Pages) -> None:
    """What all terminals have and what the journal says of them is equal to the cent."""
    terminals = sum(one.ledger.taken_minor() for one in world.terminals.values())
    alone = sum(one.net_minor for one in world.truth.charges if not one.payment_id)
    alone -= sum(one.gone_minor for one in world.truth.charges)
    journal = sum(net_minor(one, pages) for one in pages.payments())
    if terminals - alone != journal:
        world.story.accuse("S15", f"terminals have {terminals - alone}, the journal {journal}")


def net_minor(payment: Written, pages: Pages) -> int:
    """Return what the disk says that a card payment brought, in cents."""
    if not payment.brought_money or payment.row.method != "card":
        return 0
    amount = payment.approved_minor()
    match payment.type:
        case "sale" | "capture":
            return 0 if pages.is_voided(payment.payment_id) else amount
        case "refund":
            return -amount
        case "tip_adjust":
            return 0 if pages.is_voided(payment.original_id) else amount
        case _:
            return 0


def _judge_books(world: World, pages: Pages) -> None:
    """What each sale brought is in the books once, to the cent; tips are not their business."""
    story = world.story
    told = pages.recorded_by()  # transaction id -> payments
    sales: dict[str, list[Written]] = {}
    for payment in pages.payments():
        sales.setdefault(payment.row.sale_key, []).append(payment)
    booked = {one.transaction_id: one for one in world.books.purchases.values()}
    for name in booked.keys() - told.keys():
        story.accuse("S4", f"{name} is in the books, and nobody wrote it")
    for key, members in sales.items():
        net = sum(_goods_minor(world, one) + _tips_back_minor(world, one) for one in members)
        names = {one.payment_id for one in members}
        mine = {name: ids for name, ids in told.items() if names.intersection(ids)}
        in_books = sum(books_minor(booked[name]) for name in mine if name in booked)
        lost = any(name in world.office.lost for name in mine)
        costs = [one.total_minor for one in members]
        total = next((one for one in costs if one is not None), net)
        total += sum(_raised_minor(one) for one in members)
        if net > total and not any(discrepancy_of(world, one) for one in members):
            story.accuse("S1", f"sale {key} cost {total}, taken were {net}")
        if lost:
            story.mark("booking lost by the office")
        elif mine and in_books != net:
            story.accuse("S4", f"{key} is booked with {in_books}, it brought {net}")
        if not mine and net >= total > 0:
            story.accuse("S4", f"{key} brought {net} and is not in the books")
        if 0 < net < total and not mine:
            story.mark("sale not covered")
        for one in members if mine else ():
            _judge_recording(world, one, mine)


def _judge_recording(world: World, payment: Written, mine: Mapping[str, tuple[str, ...]]) -> None:
    """Each payment of a sale that is in the books stands in one purchase, or in none for good."""
    name = short(payment.payment_id)
    if not payment.is_approved or payment.type == "preauth":
        return
    purchases = sum(payment.payment_id in ids for ids in mine.values())
    if purchases > 1 and not payment.has("Corrected"):  # what was corrected is booked back
        world.story.accuse("S4", f"{name} stands in {purchases} purchases")
    if payment.row.recording not in {"recorded", "not_required"}:
        world.story.accuse("L2", f"{name} is {payment.row.recording}")


def _raised_minor(payment: Written) -> int:
    """Return by how much a hold was raised: the sale may cost so much more."""
    raises = payment.is_approved and payment.type == "increment"
    return payment.approved_minor() if raises else 0


def _goods_minor(world: World, payment: Written) -> int:
    """Return what a payment really brought to its sale, in cents."""
    name = payment.payment_id
    by_card = sum(o.net_minor for o in world.truth.charges_for(name) if o.kind != "tipped")
    gifts = world.judge.gifts
    return by_card + gifts.taken_minor(name) - gifts.returned_minor(name)


def _tips_back_minor(world: World, payment: Written) -> int:
    """Return what of a payment's refunds gave back tips: goods go back first, tips last."""
    name = payment.payment_id
    back = sum(one.amount_minor for one in world.truth.following(name, "refunded"))
    return max(back - world.truth.taken_minor(name), 0)


def books_minor(purchase: Purchase) -> int:
    """Return what a purchase says was paid, less what it says was given back."""
    return cents(str(purchase.pay_amount)) - cents(str(purchase.request["refundAmount"]))


async def _judge_documents(world: World) -> None:
    """A register may still acknowledge something, so each document gets a moment to follow."""
    for payment_id in list(world.judge.pages.rows):
        for _ in range(DOCUMENT_SECONDS_MAX):
            if not is_missing(world, payment_id):
                break
            await asyncio.sleep(1)
        else:
            status = world.judge.pages.status(payment_id)
            name = short(payment_id)
            world.story.accuse("L1", f"{name} is {status}, its document is not there")


def is_missing(world: World, payment_id: str) -> bool:
    """Tell whether registers cannot read what a payment came to."""
    pages = world.judge.pages
    row = pages.rows[payment_id]
    kinds = pages.kinds(payment_id)
    if not row.live or "Acknowledged" in kinds:
        return False  # it is being retired
    topic = f"paybridge/v1/registers/{row.register_id}/payments/{payment_id}"
    message = world.broker.retained.get(topic)
    if message is None:
        return True
    shown = json.loads(message.payload)
    newest = world.judge.told[payment_id].rev
    same = shown["status"] == row.status and shown["recording"]["status"] == row.recording
    return not same or shown["rev"] < newest

"""Gift cards that a terminal reads and serves itself, from the register's command to its ledger.

A terminal that does not serve them refuses before anything is sent, whatever driver it has.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.register import api as k
from bridge.register.publishing.payment_document import payment_document
from drivers.contract import Money
from simulators.terminals.pax.gift_host import GIFT_CARD
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.shopper import MischiefKind, Place
from tests.support.counter import (
    KINDS,
    TERMINAL,
    Counter,
    Kind,
    at_a_counter,
    plan,
    trouble,
)
from tests.support.virtual_store import Json

PROFILE = PaxProfile(gift_cards=((GIFT_CARD, 5000),))
PAX = tuple(
    replace(
        kind,
        name=f"{kind.name}-gift",
        settings={**kind.settings, "gift": True},
        terminal=partial(PaxTerminal, profile=PROFILE),
    )
    for kind in KINDS
    if kind.driver.name == "pax"
)
on_every_line = pytest.mark.parametrize("kind", PAX, ids=[one.name for one in PAX])
every_kind = pytest.mark.parametrize("kind", KINDS, ids=[one.name for one in KINDS])
SALE = "T1-700"


def left(counter: Counter) -> int:
    assert isinstance(counter.terminal, PaxTerminal)
    return counter.terminal.memory.contents.gift_balances[GIFT_CARD]


def document_of(counter: Counter, payment: p.Payment) -> k.PaymentDocument:
    account = counter.life.ledger.payments.get(payment.request.payment_id)
    assert account is not None
    return payment_document(
        account, remaining=Money(0, "USD"), purchase=None, terminal_name="", topics=k.Topics()
    )


async def redeem(counter: Counter, amount: str, **more: object) -> p.Payment:
    """Let the terminal's gift card pay; return what came of it."""
    fields = counter.fields(amount, method="gift_card", terminal_id=TERMINAL, **more)
    answer = await counter.ask("payment/start", **fields)
    assert answer["status"] == "accepted", answer
    return await counter.end_of(fields["payment_id"])


async def ask_to_load(counter: Counter, amount: str, sale_id: str = SALE) -> Json:
    """Ask for a gift card to be filled; return the command's answer and the payment's id."""
    load_id = counter.new_id()
    answer = await counter.ask(
        "gift_card/load",
        payment_id=load_id,
        sale_id=sale_id,
        terminal_id=TERMINAL,
        amounts={"currency": counter.kind.currency, "requested_amount": amount},
    )
    return {**answer, "payment_id": load_id}


@on_every_line
def test_a_gift_card_pays_and_is_given_back(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        paid = await redeem(counter, "20.00")
        assert (paid.status, paid.funds) == (p.Status.APPROVED, p.Funds.CAPTURED)
        assert left(counter) == 3000
        assert counter.journal_minor() == counter.taken_minor() == 2000
        document = document_of(counter, paid)
        assert document.method == "gift_card"
        assert document.gift_card is not None
        assert document.gift_card.balance_after == "30.00"
        answer = await counter.follow("refund", paid.request.payment_id, "5.00")
        refund = await counter.end_of(answer["payment_id"])
        assert (refund.status, left(counter)) == (p.Status.APPROVED, 3500)
        second = await redeem(counter, "10.00")
        void = await counter.follow("void", second.request.payment_id)
        assert (await counter.end_of(void["payment_id"])).status is p.Status.APPROVED
        assert left(counter) == 3500
        assert counter.journal_minor() == counter.taken_minor() == 1500

    at_a_counter(kind, tmp_path, visit)


@pytest.mark.parametrize(
    ("paid", "net"), [("5.00", "3.00"), ("", "-2.00")], ids=["more taken", "more given back"]
)
@on_every_line
def test_totals_and_end_of_day_count_what_gift_cards_got_back_alike(
    kind: Kind, paid: str, net: str, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        earlier = await redeem(counter, "20.00")
        if paid:
            await counter.follow("void", earlier.request.payment_id)
            await counter.ready()
            earlier = await redeem(counter, paid)
        else:
            await counter.ask("terminal/reconcile")
        answer = await counter.follow("refund", earlier.request.payment_id, "2.00")
        await counter.end_of(answer["payment_id"])
        for operation in ("terminal/totals", "terminal/reconcile"):
            told = await counter.ask(operation)
            assert told["status"] == "ok", told
            assert told["result"]["compare"]["terminal"] == net
            assert told["result"]["compare"]["journal"] == net
            assert told["result"]["status"] == "matched"
            assert told["result"]["differences"] == []

    at_a_counter(kind, tmp_path, visit)


@on_every_line
def test_a_gift_card_that_has_not_enough_pays_nothing_or_what_it_has(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        refused = await redeem(counter, "60.00")
        assert refused.status is p.Status.DECLINED
        assert refused.denial is not None
        assert refused.denial.code == "insufficient_funds"
        assert (left(counter), counter.taken_minor()) == (5000, 0)
        part = await redeem(counter, "60.00", accept_partial=True)
        assert (part.status, part.captured.minor) == (p.Status.APPROVED, 5000)
        assert left(counter) == 0
        assert counter.journal_minor() == counter.taken_minor() == 5000

    at_a_counter(kind, tmp_path, visit)


@on_every_line
def test_a_gift_card_is_filled_when_its_sale_is_paid_and_emptied_again(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        written = len(counter.written)
        early = await ask_to_load(counter, "15.00")
        assert early["error"]["code"] == "not_allowed"
        assert len(counter.written) == written
        assert (await counter.end_of(await counter.start("15.00", sale_id=SALE))).is_final
        answer = await ask_to_load(counter, "15.00")
        assert answer["status"] == "accepted", answer
        load = await counter.end_of(answer["payment_id"])
        assert (load.status, load.funds) == (p.Status.APPROVED, p.Funds.LOADED)
        assert left(counter) == 6500
        again = await ask_to_load(counter, "0.01")
        assert again["error"]["code"] == "not_allowed"
        answer = await counter.ask(
            "gift_card/reverse",
            payment_id=counter.new_id(),
            original_payment_id=load.request.payment_id,
        )
        assert answer["status"] == "accepted", answer
        undone = await counter.end_of(answer["payment_id"])
        assert (undone.status, left(counter)) == (p.Status.APPROVED, 5000)
        assert counter.payment(load.request.payment_id).funds is p.Funds.VOIDED
        assert counter.journal_minor() == counter.taken_minor() == 1500

    at_a_counter(kind, tmp_path, visit)


@on_every_line
@pytest.mark.parametrize("place", ["command", "replied", "status", "prints", "completion"])
@pytest.mark.parametrize("misfortune", ["unplug", "die"])
def test_whatever_breaks_a_gift_card_moves_once(
    kind: Kind, misfortune: MischiefKind, place: Place, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("9.99", sale_id=SALE))
        counter.shoppers(trouble(misfortune, place, seconds=3), trouble(misfortune, place))
        paid = await redeem(counter, "20.00")
        moved = 5000 - left(counter)
        assert moved in (0, 2000)
        assert (paid.status is p.Status.APPROVED) is (moved == 2000)
        await counter.ready()
        before = left(counter)
        answer = await ask_to_load(counter, "9.99")
        load = await counter.end_of(answer["payment_id"])
        assert left(counter) - before == (999 if load.status is p.Status.APPROVED else 0)

    at_a_counter(kind, tmp_path, visit)


@on_every_line
@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.5, 3.1, 5.0])
def test_a_killed_bridge_still_knows_that_it_was_a_gift_card(
    kind: Kind, seconds: float, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("9.99"))
        fields = counter.fields("20.00", method="gift_card", terminal_id=TERMINAL)
        assert (await counter.ask("payment/start", **fields))["status"] == "accepted"
        await asyncio.sleep(seconds)
        await counter.kill_and_restart()
        paid = await counter.end_of(fields["payment_id"])
        assert paid.request.gift
        assert (paid.status is p.Status.APPROVED) is (left(counter) == 3000)
        assert left(counter) in (3000, 5000)
        assert counter.journal_minor() == counter.taken_minor()

    # Its reports about all cards leave gift cards out.
    apart = replace(PROFILE, gift_apart=True)
    at_a_counter(replace(kind, terminal=partial(PaxTerminal, profile=apart)), tmp_path, visit)


@on_every_line
def test_a_balance_and_the_last_transaction_are_read(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        answer = await counter.ask("card/balance")
        assert answer["status"] == "ok", answer
        assert answer["result"]["balance"] == "50.00"
        paid = await redeem(counter, "20.00")
        last = await counter.ask("terminal/last_transaction")
        assert last["status"] == "ok", last
        assert last["result"]["payment_id"] == paid.request.payment_id
        assert counter.taken_minor() == 2000

    at_a_counter(kind, tmp_path, visit)


# --- terminals that do not serve gift cards

CASES: dict[str, tuple[str, str, dict[str, object]]] = {
    "gift_redeem": ("payment/start", "method", {"method": "gift_card"}),
    "gift_load": ("gift_card/load", "terminal_id", {"sale_id": SALE}),
    "balance": ("card/balance", "terminal_id", {}),
}


@every_kind
@pytest.mark.parametrize("word", CASES)
def test_what_a_terminal_cannot_do_with_gift_cards_is_refused(
    kind: Kind, word: str, tmp_path: Path
) -> None:
    operation, path, fields = CASES[word]

    async def visit(counter: Counter) -> None:
        assert word not in kind.can.operations
        written, opened = bytes(counter.written), counter.opened
        said = {"terminal_id": TERMINAL, **fields}
        if word != "balance":
            money = {"currency": kind.currency, "requested_amount": "5.00"}
            said |= {"payment_id": counter.new_id(), "amounts": money}
        answer = await counter.ask(operation, **said)
        assert answer["error"]["code"] == "operation_not_supported"
        assert answer["error"]["detail"]["path"] == path
        await asyncio.sleep(30)
        assert (bytes(counter.written), counter.opened) == (written, opened)

    at_a_counter(kind, tmp_path, visit)


@every_kind
@pytest.mark.parametrize("word", ["last_transaction", "diagnose", "self_test"])
def test_what_can_be_asked_of_a_terminal_is_told_or_refused(
    kind: Kind, word: str, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        paid = await counter.end_of(await counter.start("20.40"))
        await counter.ready()
        written, opened = bytes(counter.written), counter.opened
        answer = await counter.ask(f"terminal/{word}")
        if word not in kind.can.operations:
            assert answer["error"]["code"] == "operation_not_supported"
            await asyncio.sleep(30)
            assert (bytes(counter.written), counter.opened) == (written, opened)
            return
        assert answer["status"] == "ok", answer
        if word == "last_transaction":
            assert answer["result"]["payment_id"] == paid.request.payment_id
        assert counter.taken_minor() == 2040

    at_a_counter(kind, tmp_path, visit)


def test_a_terminal_or_a_card_is_named_not_both(tmp_path: Path) -> None:
    card = {"code_type": "physical", "stored_value_id": "6006491234567890", "pin": "1234"}

    async def visit(counter: Counter) -> None:
        for more in ({}, {"terminal_id": TERMINAL, "gift_card": card}):
            answer = await counter.ask(
                "gift_card/load",
                payment_id=counter.new_id(),
                sale_id=SALE,
                amounts={"currency": "USD", "requested_amount": "5.00"},
                **more,
            )
            assert answer["error"]["code"] == "invalid_request"
            assert answer["error"]["detail"]["path"] == "gift_card"
        counter.shoppers(plan())

    at_a_counter(PAX[0], tmp_path, visit)

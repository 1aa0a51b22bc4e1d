"""The simulated French terminals, and the drivers against them, in virtual time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.contract import (
    Approved,
    Canceled,
    Declined,
    Failed,
    FinalEvent,
    Probe,
    TerminalReady,
    Unclear,
)
from drivers.telium import TeliumSettings
from drivers.telium.codec import messages as m
from drivers.telium.codec.framing import Signal, encode_frame
from simulators.terminals.shared.cable import Wire
from simulators.terminals.shared.shopper import CARDS, Scenario
from simulators.terminals.telium.program import PROFILES, Memory, TeliumTerminal
from tests.component.simulators.telium_shop import INSTANT, Kind, Shop, one, shopper, visit

ENQ, ACK, NAK, EOT = (signal.value for signal in (Signal.ENQ, Signal.ACK, Signal.NAK, Signal.EOT))
KINDS: tuple[Kind, ...] = ("serial", "tcp")
ASKED_MAX = 12  # questions after a doubt, five seconds apart, as the bridge asks


async def pay(shop: Shop) -> tuple[FinalEvent, list[str]]:
    return await shop.result(), shop.kinds()


async def pay_and_ask(shop: Shop) -> tuple[FinalEvent, list[str]]:
    final = await shop.result()
    for _ in range(ASKED_MAX):
        if not isinstance(final, Unclear):
            break
        await asyncio.sleep(1)
        final = await shop.ask()
    return final, shop.kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_is_answered_and_moves_nothing(kind: Kind) -> None:
    async def probe(shop: Shop) -> tuple[FinalEvent, list[str]]:
        return await shop.result(Probe()), shop.kinds()

    final, kinds = visit(lambda: Shop(kind=kind), probe)
    own = "330538600404" if kind == "tcp" else ""
    assert final == TerminalReady(serial_number=own, currency="EUR")
    assert kinds == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("plan", "serial", "tcp", "booked"),
    [
        ({"outcome": "approve"}, Approved, Approved, ["approved"]),
        ({"outcome": "decline"}, Declined, Declined, ["declined"]),
        ({"outcome": "cancel"}, Declined, Canceled, ["declined"]),
        ({"outcome": "walk_away"}, Declined, Canceled, ["declined"]),
        ({"outcome": "remove_card_early"}, Declined, Failed, ["declined"]),
        ({"outcome": "refuse", "code": 9}, Failed, Failed, []),
    ],
)
def test_every_shopper_is_told_as_what_happened(
    kind: Kind, plan: dict[str, Any], serial: type[Any], tcp: type[Any], booked: list[str]
) -> None:
    final, kinds = visit(lambda: Shop(shopper(**plan), kind=kind), pay)
    assert isinstance(final, serial if kind == "serial" else tcp)
    assert kinds == booked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_what_the_terminal_does_not_know_is_unclear_whatever_the_truth(
    kind: Kind, seed: int
) -> None:
    scenario = shopper(outcome="decline", code=9)
    final, kinds = visit(lambda: Shop(scenario, kind=kind, seed=seed), pay)
    assert isinstance(final, Unclear)
    assert kinds in (["approved"], ["declined"])


@pytest.mark.parametrize("at", ["command", "replied", "status"])
def test_a_late_answer_resolves_a_lost_serial_line(at: Any) -> None:
    final, kinds = visit(lambda: Shop(one("unplug", at)), pay_and_ask)
    assert isinstance(final, Approved)
    assert kinds == ["approved"]


def test_over_ip_a_lost_connection_stays_in_doubt() -> None:
    final, kinds = visit(lambda: Shop(one("unplug"), kind="tcp"), pay_and_ask)
    assert isinstance(final, Unclear)
    assert kinds == ["approved"]


@pytest.mark.parametrize("at", ["command", "replied", "status"])
def test_a_power_cut_leaves_a_doubt_and_a_ticket_for_a_person(at: Any) -> None:
    async def ticket(shop: Shop) -> tuple[FinalEvent, list[str], int]:
        final, kinds = await pay_and_ask(shop)
        return final, kinds, len(shop.terminal.memory.contents.tickets)

    final, kinds, tickets = visit(lambda: Shop(one("die", at)), ticket)
    assert isinstance(final, Unclear)
    assert tickets == len(kinds) == (1 if at == "status" else 0)


def test_a_stubborn_terminal_answers_after_a_power_cut() -> None:
    profile = PROFILES["stubborn"]
    final, _ = visit(lambda: Shop(one("die"), profile=profile), pay_and_ask)
    assert isinstance(final, Approved)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mischief", ["wrong_currency", "other_transaction"])
def test_an_answer_about_something_else_is_no_evidence(kind: Kind, mischief: Any) -> None:
    final, kinds = visit(lambda: Shop(one(mischief), kind=kind), pay)
    assert isinstance(final, Unclear)
    assert kinds == ["approved"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_byte_by_byte_is_heard(kind: Kind) -> None:
    final, _ = visit(lambda: Shop(one("trickle", seconds=0.2), kind=kind), pay)
    assert isinstance(final, Approved)


@pytest.mark.parametrize(
    ("mischief", "at"),
    [
        ("garbage", "status"),
        ("noise", "status"),
        ("duplicate", "status"),
        ("lost_ack", "status"),
        ("lost_ack", "command"),
        ("silent", "status"),
        ("silent", "command"),
    ],
)
def test_a_bad_serial_line_does_not_lose_the_answer(mischief: Any, at: Any) -> None:
    final, kinds = visit(lambda: Shop(one(mischief, at)), pay_and_ask)
    assert isinstance(final, Approved)
    assert kinds == ["approved"]


def test_a_refused_request_took_no_money() -> None:
    final, kinds = visit(lambda: Shop(one("nak", "command")), pay)
    assert isinstance(final, Failed)
    assert kinds == []


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("no_eot", TeliumSettings(), Approved),
        ("no_echo", TeliumSettings(), Unclear),
        ("no_echo", TeliumSettings(private_field="free"), Approved),
        ("default", TeliumSettings(answer="long"), Approved),
    ],
)
def test_every_make_gets_its_answer_heard(
    name: str, settings: TeliumSettings, expected: type[Any]
) -> None:
    final, _ = visit(lambda: Shop(profile=PROFILES[name], settings=settings), pay)
    assert isinstance(final, expected)


@pytest.mark.parametrize("name", ["default", "busy_nak"])
def test_a_terminal_with_a_shopper_starts_no_second_payment(name: str) -> None:
    slow = Scenario(otherwise=INSTANT.model_copy(update={"seconds_to_card": 60.0}))

    async def two_tills(shop: Shop) -> tuple[FinalEvent, list[str]]:
        line = await shop.open()
        line.write(ENQ)
        await line.read()
        line.write(encode_frame(m.encode(m.Request("02", 500, "978"))))
        await asyncio.sleep(1)
        line.write(EOT)
        await asyncio.sleep(1)
        final = await shop.result()
        await asyncio.sleep(100)
        return final, shop.kinds()

    final, kinds = visit(lambda: Shop(slow, profile=PROFILES[name]), two_tills)
    assert isinstance(final, Failed)
    assert kinds == ["approved"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_careless_terminal_shows_the_card_number_and_the_driver_does_not(kind: Kind) -> None:
    number = CARDS["visa"].pan
    scenario = shopper(brand="visa", whole_pan=True)
    settings = TeliumSettings(answer="long")

    async def listen(shop: Shop) -> FinalEvent:
        return await shop.result()

    final = visit(lambda: Shop(scenario, kind=kind, settings=settings), listen)
    assert isinstance(final, Approved)
    assert final.approval.card.masked_pan is not None
    assert final.approval.card.masked_pan.last4 == number[-4:]
    assert number[:12] not in repr(final)


def test_an_answer_at_once_says_nothing_about_money() -> None:
    """As pypostelium asks: the answer comes first, and then the shopper goes away."""

    async def ask(shop: Shop) -> tuple[bytes, list[str], list[str]]:
        line = await shop.open()
        line.write(ENQ)
        await line.read()
        line.write(encode_frame(m.encode(m.Request("01", 4260, "978", answer_at_once=True))))
        await line.read()
        line.write(EOT)
        assert await line.read() == ENQ
        before = shop.kinds()
        line.write(ACK)
        answer = await line.read()
        line.write(ACK)
        await asyncio.sleep(100)
        return answer, before, shop.kinds()

    scenario = Scenario(otherwise=INSTANT.model_copy(update={"outcome": "walk_away"}))
    answer, before, after = visit(lambda: Shop(scenario), ask)
    assert m.decode_answer(answer[1:-2]).result == "0"
    assert (before, after) == ([], ["declined"])


def test_tickets_survive_a_restart(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.json")

    async def fill(shop: Shop) -> None:
        await shop.result()
        assert isinstance(shop.terminal, TeliumTerminal)
        for ticket in shop.terminal.memory.contents.tickets:
            memory.print_ticket(ticket)

    visit(Shop, fill)
    [ticket] = Memory(tmp_path / "memory.json").contents.tickets
    assert (ticket.amount_minor, ticket.outcome) == (1250, "approved")
    stored = json.loads((tmp_path / "memory.json").read_text())
    assert stored["next_ticket"] == 2


def test_a_payment_without_a_register_is_only_on_paper() -> None:
    async def alone(shop: Shop) -> tuple[bool, FinalEvent, list[str]]:
        took = shop.terminal.pay_without_register(700)
        return took, await shop.result(), shop.kinds()

    took, final, kinds = visit(Shop, alone)
    assert took
    assert isinstance(final, Approved)
    assert kinds == ["approved", "approved"]


@pytest.mark.parametrize("seed", range(60))
def test_on_a_line_that_damages_bytes_nothing_false_is_ever_said(seed: int) -> None:
    wire = Wire(
        chunk_bytes_max=9,
        delay_seconds=(0.0, 0.2),
        flip=0.04,
        drop=0.03,
        duplicate=0.02,
        insert=0.04,
    )
    outcome = ("approve", "decline")[seed % 2]
    scenario = Scenario(speed=0, otherwise=INSTANT.model_copy(update={"outcome": outcome}))

    async def pay_and_look(shop: Shop) -> tuple[FinalEvent, list[str]]:
        final, _ = await pay_and_ask(shop)
        await asyncio.sleep(200)
        return final, shop.kinds()

    final, kinds = visit(lambda: Shop(scenario, wire=wire, seed=seed), pay_and_look)
    assert len(kinds) <= 1
    match final:
        case Approved():
            assert kinds == ["approved"]
        case Declined() | Canceled() | Failed():
            assert "approved" not in kinds
        case _:
            assert isinstance(final, Unclear)

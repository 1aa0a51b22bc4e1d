"""Synchronization ids: what an order tells of the last transaction, and that nothing is undone."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from drivers.zvt.codec.apdu import decode
from drivers.zvt.codec.messages import StatusInformation
from drivers.zvt.mapping.evidence import fingerprint, same_transaction
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import MemoryPort
from simulators.terminals.shared.shopper import Mischief, Plan, Scenario
from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import Profile
from tests.protocol.test_zvt_against_terminal import CALM, Desk, until_ready
from tests.protocol.test_zvt_dialogue import APPROVED, FINGERPRINT, PAY_BYTES, register

PRICE = c.Money(2040, "EUR")
WITH_IDS = ZvtSettings(synchronization_ids=True, keypad_stays_locked=True)
KNOWN = c.Baseline(f"{FINGERPRINT}#0470")
SEED = 5


def test_an_order_tells_the_last_transaction_that_is_known() -> None:
    desk = register(WITH_IDS)
    sent = desk.begin(c.Pay("p", PRICE, last=KNOWN))
    assert sent == PAY_BYTES.replace("06 01 0A", "06 01 11") + " 06 05 1F 1F 02 04 70"


@pytest.mark.parametrize("last", [None, c.Baseline(""), c.Baseline(FINGERPRINT)])
def test_what_is_not_known_is_told_as_an_empty_id_and_never_as_a_number(
    last: c.Baseline | None,
) -> None:
    for order in (
        c.Pay("p", PRICE, last=last),
        c.Authorize("p", PRICE, last=last),
        c.Refund("p", PRICE, last=last),
    ):
        assert register(WITH_IDS).begin(order).endswith(" 06 03 1F 1F 00")


def test_ids_are_off_by_default() -> None:
    assert register().begin(c.Pay("p", PRICE, last=KNOWN)) == PAY_BYTES


@pytest.mark.parametrize("config", [0x8E, 0xAE, 0xDE])
def test_ids_need_a_terminal_that_nobody_else_can_use(config: int) -> None:
    with pytest.raises(ValueError, match="synchronization_ids"):
        ZvtSettings(synchronization_ids=True, config_byte=config)


def test_a_baseline_is_read_before_every_order_that_tells_an_id() -> None:
    assert DRIVER.capabilities(ZvtSettings()).exclusive
    assert not DRIVER.capabilities(WITH_IDS).exclusive


def test_an_id_is_no_part_of_what_tells_transactions_apart() -> None:
    plain = decode(bytes.fromhex(APPROVED))
    told = decode(bytes.fromhex(APPROVED.replace("04 0F 1F", "04 0F 26") + "06051F1F020470"))
    assert isinstance(plain, StatusInformation)
    assert isinstance(told, StatusInformation)
    assert fingerprint(told) == KNOWN.fingerprint
    assert same_transaction(fingerprint(plain), fingerprint(told)) is True


async def sell(*plans: Plan) -> tuple[list[c.TerminalEvent], ZvtTerminal]:
    """Sell once for each plan as a station does: what is in doubt is settled before the next."""
    rng = random.Random(SEED)
    port = MemoryPort(rng, CALM, kind="tcp")
    terminal = ZvtTerminal(
        clock=lambda: datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        rng=rng,
        kind="tcp",
        scenario=Scenario(payments=plans),
        profile=Profile(synchronizes=True),
    )
    desk = Desk(port, WITH_IDS, "tcp")
    said: list[c.TerminalEvent] = []
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(port))
        await asyncio.sleep(0.1)
        for number, _ in enumerate(plans):
            baseline = (await until_ready(desk)).baseline
            order = c.Pay(f"payment {number}", PRICE, last=baseline)
            events = await desk.ask(order)
            while isinstance(events[-1], (c.Unclear, c.StillRunning)):
                await asyncio.sleep(30)
                offers = [one.approval for one in events if isinstance(one, c.Offered)]
                question = c.Inquire(order, baseline, offers[-1] if offers else None)
                events = events[:-1] + await desk.ask(question)
            said.append(events[-1])
        running.cancel()
    return said, terminal


def test_nothing_that_was_approved_is_undone_by_the_next_order() -> None:
    cut = Plan(mischief=(Mischief(kind="unplug", at="prints", seconds=20),))
    lost = Plan(mischief=(Mischief(kind="unplug", at="status", seconds=20),))
    said, terminal = run_virtual(lambda: sell(Plan(), cut, Plan(), lost, Plan()), seed=SEED)
    approved = sum(isinstance(one, c.Approved) for one in said)
    assert approved >= 4
    assert terminal.ledger.taken_minor() == approved * PRICE.minor
    reasons = [entry.reason for entry in terminal.ledger.entries]
    assert "synchronization" not in reasons

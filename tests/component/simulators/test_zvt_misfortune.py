import asyncio
import random
from typing import Any, Literal

import pytest

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import Wire
from simulators.terminals.shared.shopper import (
    BUILT_IN,
    Mischief,
    MischiefKind,
    Place,
    Plan,
    Scenario,
)
from simulators.terminals.zvt import Flash, ZvtTerminal
from simulators.terminals.zvt.profile import Profile
from tests.component.simulators.raw_register import LineLost
from tests.component.simulators.zvt_shop import (
    INSTANT,
    NOON,
    PAY,
    REGISTER_WITH_RECEIPTS,
    REGISTER_WITHOUT_RECEIPTS,
    TWENTY_EURO_FORTY,
    Kind,
    Shop,
    in_a_shop,
    one,
    plan_with,
    result_of,
)


@pytest.mark.parametrize(
    ("at", "standing"),
    [("command", 0), ("replied", 0), ("status", 0), ("prints", 0), ("completion", 1)],
)
def test_a_power_cut_in_each_window_leaves_no_payment_or_a_final_one(
    at: Place, standing: int
) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        with pytest.raises(TimeoutError):
            await register.run(PAY, timeout_seconds=4)
        assert len(shop.terminal.ledger.standing()) == standing
        register = await shop.come()
        await asyncio.sleep(60)
        came = await register.run(m.RepeatReceipt("000000", service=3))
        assert len(came) == 2 + standing

    in_a_shop(test, plan_with("die", at, seconds=10))


def test_a_terminal_that_forgets_says_nothing_of_what_it_took() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        with pytest.raises(TimeoutError):
            await register.run(PAY, timeout_seconds=4)
        await asyncio.sleep(60)
        register = await shop.come()
        came = await register.run(m.RepeatReceipt("000000", service=3))
        assert came == [m.POSITIVE, m.Completion()]
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, plan_with("die", "completion", seconds=10, forget=True))


@pytest.mark.parametrize("kind", ["serial", "tcp"])
@pytest.mark.parametrize("at", ["command", "replied", "status", "prints", "completion"])
def test_the_plug_can_be_pulled_in_each_window(kind: Kind, at: Place) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        with pytest.raises(LineLost):
            await register.run(PAY)
        assert not shop.port.plugged
        await asyncio.sleep(120)
        register = await shop.come()
        report = (await register.run(m.StatusEnquiry()))[-1]
        assert report == m.StatusReport(0, "2.14.15")
        came = await register.run(m.RepeatReceipt("000000", service=3))
        standing = shop.terminal.ledger.standing()
        assert len(standing) == (len(came) == 3)
        assert len(standing) == (kind == "tcp" or at == "completion")

    in_a_shop(test, plan_with("unplug", at, seconds=3), kind=kind)


def test_the_terminal_is_busy_while_a_lost_dialogue_goes_on() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        await register.next()
        register.line.close()
        again = await shop.come()
        assert (await again.run(m.StatusEnquiry()))[-1] == m.StatusReport(0x9C)
        await asyncio.sleep(60)
        assert (await again.run(m.StatusEnquiry()))[-1] == m.StatusReport(0, "2.14.15")
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, BUILT_IN["approve"], kind="tcp")


@pytest.mark.parametrize(
    "kind", ["garbage", "noise", "duplicate", "lost_ack", "nak", "trickle", "unknown_fields"]
)
@pytest.mark.parametrize("at", ["replied", "status", "completion"])
def test_a_bad_serial_line_costs_time_but_no_money(kind: MischiefKind, at: Place) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        came = await register.run(PAY)
        assert result_of(came).result == 0
        assert isinstance(came[-1], m.Completion)
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, plan_with(kind, at, seconds=0.1, count=2))


def test_three_naks_break_the_link() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        await register.run(PAY, timeout_seconds=60)
        assert shop.kinds() == ["approved", "reversed"]

    in_a_shop(test, plan_with("nak", "status", count=3))


def test_a_silent_terminal_speaks_again() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        started = asyncio.get_running_loop().time()
        came = await register.run(PAY)
        assert isinstance(came[-1], m.Completion)
        assert asyncio.get_running_loop().time() - started >= 100

    in_a_shop(test, plan_with("silent", "completion", seconds=100))


def test_the_result_can_be_that_of_something_else() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert result_of(await register.run(PAY)).currency == 756
        assert result_of(await register.run(PAY)).amount == 2140
        came = await register.run(PAY)
        results = [x.result for x in came if isinstance(x, m.StatusInformation)]
        assert results == [0x37, 0]

    def odd(kind: MischiefKind) -> Plan:
        return INSTANT.model_copy(update={"mischief": (Mischief(kind=kind),)})

    plans = (odd("wrong_currency"), odd("other_transaction"), odd("two_results"))
    in_a_shop(test, Scenario(payments=plans))


def test_a_register_one_behind_makes_the_terminal_undo_its_last_payment() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        in_step = m.Authorization(amount=100, tlv=(Tlv(0x1F1F, b"\x00\x01"),))
        await register.run(in_step)
        assert shop.taken() == 2140
        one_behind = m.Authorization(amount=5, tlv=(Tlv(0x1F1F, b"\x00\x01"),))
        await register.run(one_behind)
        assert shop.taken() == 2045

    in_a_shop(test, profile=Profile(synchronizes=True))


def test_a_whole_card_number_is_sent_only_when_asked_for() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        await register.run(PAY)
        assert b"6725904020010000009" in register.raw
        register.raw = b""
        await register.run(PAY)
        assert b"6725904020010000009" not in register.raw
        assert bytes.fromhex("6725904020010000009f") not in register.raw

    in_a_shop(test, one(INSTANT.model_copy(update={"whole_pan": True})), kind="tcp")


def test_one_line_can_be_served_alone() -> None:
    async def main() -> None:
        shop = Shop(kind="tcp")
        await shop.port.plug()
        register = await shop.come()
        async with asyncio.TaskGroup() as group:
            group.create_task(shop.terminal.serve(await shop.port.accept()))
            assert result_of(await register.run(PAY)).result == 0
            register.line.close()

    run_virtual(main)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def bytes_of_a_payment() -> bytes:
        heard: list[bytes] = []

        async def test(shop: Shop) -> None:
            register = await shop.come()
            await register.run(REGISTER_WITH_RECEIPTS)
            await register.run(PAY)
            heard.append(register.raw)

        in_a_shop(test, BUILT_IN["approve"], wire=Wire(chunk_bytes_max=3))
        return heard[0]

    assert bytes_of_a_payment() == bytes_of_a_payment()


def test_memory_and_ledger_survive_a_restart(tmp_path: Any) -> None:
    async def main() -> None:
        for receipt in ("0001", "0002"):
            shop = Shop(kind="tcp")
            shop.terminal = ZvtTerminal(
                clock=lambda: NOON,
                rng=random.Random(0),
                kind="tcp",
                scenario=BUILT_IN["instant"],
                flash=Flash(tmp_path / "memory.json"),
            )
            async with asyncio.TaskGroup() as group:
                running = group.create_task(shop.terminal.run(shop.port))
                await asyncio.sleep(0.001)
                register = await shop.come()
                assert result_of(await register.run(PAY)).receipt == receipt
                running.cancel()

    run_virtual(main)


def test_gaps_longer_than_the_link_allows_are_repaired_by_a_repeat() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        came = await register.run(PAY, timeout_seconds=60)
        assert isinstance(came[-1], m.Completion)
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, plan_with("trickle", "completion", seconds=0.25))


def test_a_reply_can_come_glued_to_the_next_message() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        first = await register.line.read()
        assert first.startswith(bytes.fromhex("800000040f"))

    in_a_shop(test, plan_with("glue", "command"), kind="tcp")


def test_an_outside_power_cut_stops_a_payment_that_runs() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        assert await register.next() == m.POSITIVE
        shop.terminal.power_cut(10)
        await asyncio.sleep(30)
        assert not shop.terminal.busy
        register = await shop.come()
        assert (await register.run(m.StatusEnquiry()))[-1] == m.StatusReport(0, "2.14.15")
        assert shop.kinds() == []

    in_a_shop(test, BUILT_IN["approve"])


@pytest.mark.parametrize("power_loss", ["reverse", "keep"])
def test_the_profile_says_what_a_power_cut_does_to_an_uncommitted_payment(
    power_loss: Literal["reverse", "keep"],
) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        with pytest.raises(TimeoutError):
            await register.run(PAY, timeout_seconds=4)
        assert shop.taken() == (TWENTY_EURO_FORTY if power_loss == "keep" else 0)

    in_a_shop(test, plan_with("die", "status"), profile=Profile(power_loss=power_loss))


@pytest.mark.parametrize("kind", ["serial", "tcp"])
def test_a_reply_can_come_after_its_time(kind: Kind) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        with pytest.raises(TimeoutError):
            await register.next(9)
        assert await register.next(2) == m.POSITIVE

    in_a_shop(test, plan_with("silent", "command", seconds=10), kind=kind)


def test_a_command_that_was_ignored_is_heard_the_next_time() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        assert await register.next() == m.POSITIVE
        for _ in range(2):
            register.send(m.StatusEnquiry())
            with pytest.raises(TimeoutError):
                await register.next(0.2)
        shop.terminal.power_cut(0)
        await asyncio.sleep(1)
        assert (await register.run(m.StatusEnquiry()))[-1] == m.StatusReport(0, "2.14.15")

    in_a_shop(test, BUILT_IN["approve"], profile=Profile(busy_code=None))


def test_a_power_cut_at_the_very_end_of_a_payment_still_happens() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        for _ in range(3):
            shop.terminal.power_cut(10)
            assert await register.line.read() == b""
            await asyncio.sleep(20)
            register = await shop.come()
            await register.run(PAY)

    in_a_shop(test, kind="tcp")

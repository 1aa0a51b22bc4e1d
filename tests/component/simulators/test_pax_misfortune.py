"""Whatever goes wrong between till and PAX terminal, the terminal's own ledger is the judge."""

import asyncio
from typing import get_args

import pytest

from drivers.contract import (
    AdjustTip,
    Approval,
    Approved,
    Canceled,
    EndOfDay,
    Failed,
    Inquire,
    Money,
    Pay,
    Probe,
    Reverse,
    StillRunning,
    TerminalReady,
    Unclear,
)
from drivers.pax import PaxSettings
from drivers.pax.codec.fields import ecr_reference
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.shared.cable import Wire
from simulators.terminals.shared.shopper import MischiefKind, Place
from tests.component.simulators.pax_shop import PAY, VISA, Kind, Shop, in_shop, mischief

USD = "USD"
KINDS: tuple[Kind, ...] = ("tcp", "serial")
OTHER = "018f6f0e-8a44-7c1b-9a3e-000000000002"
THIRD = "018f6f0e-8a44-7c1b-9a3e-000000000003"


async def paid(shop: Shop, reference: str = PAY.reference, minor: int = 1250) -> Approval:
    final = await shop.result(Pay(reference, Money(minor, USD)))
    assert isinstance(final, Approved)
    return final.approval


HARMFUL: tuple[MischiefKind, ...] = (
    *("unplug", "silent", "die", "garbage", "noise", "duplicate", "lost_ack", "nak", "trickle"),
    "other_transaction",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", get_args(Place))
@pytest.mark.parametrize("harm", HARMFUL)
def test_whatever_goes_wrong_the_truth_is_told_in_the_end(
    harm: MischiefKind, place: Place, kind: Kind
) -> None:
    async def story(shop: Shop) -> None:
        older = await paid(shop, OTHER, 999)
        baseline = await shop.baseline()
        assert baseline is not None
        assert baseline.fingerprint == older.fingerprint
        final = await shop.settle(PAY, baseline)
        taken = shop.taken() - 999
        assert taken in (0, 1250)
        if taken:
            assert isinstance(final, Approved)
            assert final.approval.extra["ecr_reference"] == ecr_reference(PAY.reference)
        else:
            assert isinstance(final, Canceled | Failed)

    facts = {"seconds": 0.05} if harm == "trickle" else {"count": 2} if harm == "nak" else {}
    in_shop(story, VISA, mischief(harm, place, **facts), kind=kind)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_serial_line_never_makes_a_false_word(seed: int) -> None:
    wire = Wire(chunk_bytes_max=40, flip=0.04, drop=0.02, duplicate=0.02, insert=0.04)

    async def story(shop: Shop) -> None:
        await paid(shop, OTHER, 999)
        baseline = await shop.baseline()
        shop.port.wire = wire  # of the line that is plugged in next
        shop.terminal.unplug(0.1)
        await asyncio.sleep(1)
        final = await shop.settle(PAY, baseline)
        taken = shop.taken() - 999
        assert taken in (0, 1250)
        if isinstance(final, Approved):
            assert taken == 1250
        elif not isinstance(final, Unclear | StillRunning):
            assert taken == 0

    in_shop(story, kind="serial", seed=seed)


def test_absence_needs_a_witness_of_the_same_batch() -> None:
    missing = Pay(THIRD, Money(1250, USD))

    async def story(shop: Shop) -> None:
        nothing = await shop.result(Inquire(missing, await shop.baseline()))
        assert isinstance(nothing, Unclear)
        assert nothing.reason == "batch_unknown"
        await paid(shop)
        baseline = await shop.baseline()
        assert isinstance(await shop.result(Inquire(missing, baseline)), Failed)
        await shop.result(EndOfDay())
        closed = await shop.result(Inquire(missing, baseline))
        assert isinstance(closed, Unclear)
        assert closed.reason == "batch_unknown"

    in_shop(story)


def test_a_terminal_that_never_settles_alone_proves_absence_with_an_empty_memory() -> None:
    async def story(shop: Shop) -> None:
        assert isinstance(await shop.result(Inquire(PAY, None)), Failed)

    in_shop(story, settings=PaxSettings(auto_settlement=False))


@pytest.mark.parametrize("busy", ["eot", "silent"])
def test_asking_stops_a_payment_that_still_runs_and_then_knows(busy: str) -> None:
    profile = PaxProfile(busy=busy)  # type: ignore[arg-type]  # one of two literals

    async def story(shop: Shop) -> None:
        await paid(shop, OTHER, 999)
        baseline = await shop.baseline()
        final = await shop.settle(PAY, baseline)
        assert isinstance(final, Failed)
        assert final.code == "not_executed"
        assert shop.taken() == 999

    plan = mischief("unplug", "replied", seconds=1).model_copy(update={"seconds_to_card": 60})
    in_shop(story, VISA, plan, profile=profile)


def test_a_terminal_that_hangs_up_after_each_exchange_still_finds_what_was_taken() -> None:
    async def story(shop: Shop) -> None:
        assert isinstance(await shop.settle(PAY), Approved)
        assert isinstance(await shop.result(Probe()), TerminalReady)

    in_shop(story, mischief("unplug", "status"), profile=PaxProfile(hangs_up=True))


def test_a_lost_void_is_found_in_the_state_of_the_sale() -> None:
    for keeps in (True, False):

        async def story(shop: Shop) -> None:
            sale = await paid(shop)
            void = Reverse(OTHER, sale)
            assert isinstance(await shop.result(Inquire(void, None)), Failed)
            await shop.result(void)
            assert isinstance(await shop.result(Inquire(void, None)), Approved)
            assert shop.taken() == 0

        in_shop(story, profile=PaxProfile(voids_keep_a_record=keeps))


def test_a_lost_tip_is_found_in_the_sale_or_proven_absent() -> None:
    async def story(shop: Shop) -> None:
        sale = await paid(shop)
        tip = AdjustTip(OTHER, Money(200, USD), sale)
        assert isinstance(await shop.result(Inquire(tip, None)), Failed)
        await shop.result(tip)
        found = await shop.result(Inquire(tip, None))
        assert isinstance(found, Approved)
        assert (found.approval.amount.minor, found.approval.tip) == (200, Money(200, USD))

    in_shop(story)


def test_a_wiped_memory_proves_nothing() -> None:
    async def story(shop: Shop) -> None:
        await paid(shop, OTHER, 999)
        baseline = await shop.baseline()
        final = await shop.settle(PAY, baseline)
        assert isinstance(final, Unclear)
        assert shop.taken() == 999 + 1250

    in_shop(story, VISA, mischief("die", "status", forget=True))

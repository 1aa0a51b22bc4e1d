"""A terminal that approves less than was asked for: one rule, however it is reached."""

from dataclasses import dataclass

import pytest

from drivers.contract import (
    Approved,
    BatchTotals,
    Declined,
    EndOfDay,
    Failed,
    FinalEvent,
    Inquire,
    LastTransaction,
    Offered,
    Pay,
    Probe,
    ReadLast,
    TerminalReady,
    Unclear,
)
from drivers.pax import PaxSettings
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.shared.shopper import MischiefKind, Place, Plan
from tests.component.simulators.pax_shop import HTTP, PAY, Kind, Shop, in_shop, mischief

PART = Plan(partial_minor=100, brand="visa")


@dataclass(frozen=True, slots=True)
class Way:
    """How a terminal is reached."""

    name: str
    kind: Kind = "tcp"
    settings: PaxSettings | None = None
    profile: PaxProfile | None = None


WAYS = (
    Way("serial", "serial"),
    Way("tcp"),
    Way("tcp-hangs-up", profile=PaxProfile(hangs_up=True)),
    Way("http", settings=HTTP),
)
every_way = pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])


@every_way
@pytest.mark.parametrize("accept", [True, False])
def test_a_part_of_the_amount_is_kept_only_if_wanted(accept: bool, way: Way) -> None:
    async def story(shop: Shop) -> None:
        events = await shop.say(Pay(PAY.reference, PAY.amount, accept_partial=accept))
        final = events[-1]
        if accept:
            assert isinstance(final, Approved)
            assert final.approval.amount.minor == 100
            assert shop.taken() == 100
        else:
            assert Offered in map(type, events)
            assert isinstance(final, Declined)
            assert (final.code, final.reason) == ("000002", "insufficient_funds")
            assert shop.taken() == 0

    in_shop(story, PART, kind=way.kind, settings=way.settings, profile=way.profile)


@every_way
@pytest.mark.parametrize("place", ["command", "status", "prints", "completion"])
@pytest.mark.parametrize("harm", ["unplug", "die", "silent", "lost_ack"])
def test_a_void_that_nobody_heard_of_is_told_as_it_is(
    harm: MischiefKind, place: Place, way: Way
) -> None:
    async def story(shop: Shop) -> None:
        events = await shop.say(PAY)
        offer = next(event.approval for event in events if isinstance(event, Offered))
        final = events[-1]
        for _ in range(20):
            if not isinstance(final, Unclear):
                break
            final = (await shop.say(Inquire(PAY, None, offer)))[-1]
        if shop.taken():
            assert isinstance(final, Approved)
            assert final.approval.amount.minor == shop.taken()
        else:
            assert isinstance(final, Declined | Failed)
        assert sum(b"T00\x1c1.35\x1c16" in sent for sent in shop.sent) <= 1

    in_shop(
        story,
        PART,
        kind=way.kind,
        settings=way.settings,
        profile=way.profile,
        without_card=mischief(harm, place),
    )


@every_way
def test_a_part_that_was_taken_back_is_found_taken_back(way: Way) -> None:
    async def story(shop: Shop) -> FinalEvent:
        events = await shop.say(PAY)
        offer = next(event.approval for event in events if isinstance(event, Offered))
        shop.terminal.memory.records.reverse()
        final = await shop.result(Inquire(PAY, None, offer))
        assert shop.taken() == 0
        return final

    final = in_shop(story, PART, kind=way.kind, settings=way.settings, profile=way.profile)
    assert isinstance(final, Declined | Failed)


@every_way
def test_a_conversation_of_several_questions_is_held(way: Way) -> None:
    async def story(shop: Shop) -> None:
        ready = await shop.result(Probe())
        assert isinstance(ready, TerminalReady)
        for minor in (100, 200):
            pay = Pay(f"018f6f0e-8a44-7c1b-9a3e-000000000{minor}", PAY.amount)
            assert isinstance(await shop.result(pay), Approved)
        last = await shop.result(ReadLast())
        assert isinstance(last, LastTransaction)
        assert last.approval is not None
        assert last.approval.transaction_id == "2"
        assert isinstance(await shop.result(EndOfDay()), BatchTotals)

    in_shop(story, kind=way.kind, settings=way.settings, profile=way.profile)

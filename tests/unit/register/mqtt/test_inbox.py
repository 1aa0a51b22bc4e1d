"""What waits to be done: a line for each register, bounded, in turn, in its order."""

from __future__ import annotations

import asyncio

import pytest

from bridge.register.api.topics import Topics
from bridge.register.mqtt.acknowledgements import Acknowledgements
from bridge.register.mqtt.inbox import (
    BYTES_MAX,
    EXCESS_TOGETHER_MAX,
    HELD_MAX,
    LINE_BYTES_MAX,
    LINE_MAX,
    LINES_MAX,
    Inbox,
)
from bridge.register.mqtt.messages import EXCESS_BYTES_MAX, Connected, Delivery, Excess

TOPICS = Topics()
CONNECTED = Connected("e1", "5.0", session_present=True)
Got = Connected | Delivery | Excess


def command(register: str, number: int = 0, size: int = 2) -> Delivery:
    topic = TOPICS.request(register, "payment/status")
    return Delivery(topic, b"x" * size, packet_id=number)


def state(register: str, number: int, payload: bytes = b"{}") -> Delivery:
    return Delivery(TOPICS.register_state(register), payload, packet_id=number)


async def taken(inbox: Inbox) -> list[Got]:
    """Return everything that waits, in turn."""
    found = []
    while len(inbox):
        found.append(await inbox.next())
    return found


def numbers(found: list[Got]) -> list[int | tuple[int, ...]]:
    said: list[int | tuple[int, ...]] = []
    for one in found:
        if isinstance(one, Excess):
            said.append(tuple(each.packet_id for each in one.deliveries))
        elif isinstance(one, Delivery):
            said.append(one.packet_id)
    return said


async def test_a_flood_of_one_register_is_one_turn_for_another() -> None:
    inbox = Inbox(TOPICS)
    for number in range(2_000):
        inbox.put(command("till-1", number))
    inbox.put(command("till-2", 9_999))
    first, second = await inbox.next(), await inbox.next()
    assert numbers([first, second]) == [0, 9_999]


async def test_what_does_not_fit_a_line_is_refused_in_its_place_and_no_more_than_some_at_once() -> (
    None
):
    inbox = Inbox(TOPICS)
    for number in range(LINE_MAX + 40):
        inbox.put(command("till-1", number))
    inbox.put(command("till-2", 900))
    found = numbers(await taken(inbox))
    found.remove(900)
    assert found[:LINE_MAX] == list(range(LINE_MAX))
    refused = found[LINE_MAX:]
    assert [len(one) for one in refused if isinstance(one, tuple)] == [16, 16, 8]
    assert EXCESS_TOGETHER_MAX == 16
    flat = [number for one in refused if isinstance(one, tuple) for number in one]
    assert flat == list(range(LINE_MAX, LINE_MAX + 40))


async def test_a_line_that_was_full_takes_commands_again() -> None:
    inbox = Inbox(TOPICS)
    for number in range(LINE_MAX):
        inbox.put(command("till-1", number))
    inbox.put(command("till-1", 100))
    await inbox.next()
    await inbox.next()
    inbox.put(command("till-1", 101))
    found = numbers(await taken(inbox))
    assert found[-2:] == [(100,), 101]


async def test_bytes_are_bounded_and_what_is_refused_keeps_its_first_ones() -> None:
    inbox = Inbox(TOPICS)
    for number in range(50):
        inbox.put(command("till-1", number, LINE_BYTES_MAX // 2))
    assert inbox.held_bytes <= LINE_BYTES_MAX + 50 * EXCESS_BYTES_MAX
    found = await taken(inbox)
    assert numbers(found[:2]) == [0, 1]
    assert all(
        len(each.payload) == EXCESS_BYTES_MAX
        for one in found
        if isinstance(one, Excess)
        for each in one.deliveries
    )
    assert inbox.held_bytes == 0


async def test_fifty_registers_with_the_largest_messages_hold_no_more_than_all_may() -> None:
    inbox = Inbox(TOPICS)
    for number in range(50):
        for _ in range(10):
            inbox.put(command(f"till-{number}", number, LINE_BYTES_MAX))
    assert inbox.held_bytes <= BYTES_MAX + 500 * EXCESS_BYTES_MAX
    nonsense = Delivery("something/else", b"x" * LINE_BYTES_MAX)
    inbox.put(nonsense)
    assert inbox.held_bytes <= BYTES_MAX + 501 * EXCESS_BYTES_MAX


async def test_a_message_of_twenty_mebibytes_is_refused_and_cut() -> None:
    inbox = Inbox(TOPICS)
    inbox.put(command("till-1", 1, 20 * 1024 * 1024))
    assert inbox.held_bytes == EXCESS_BYTES_MAX
    assert numbers([await inbox.next()]) == [(1,)]


async def test_registers_beyond_the_lines_share_one() -> None:
    inbox = Inbox(TOPICS)
    for number in range(LINES_MAX + 3 * LINE_MAX):
        inbox.put(command(f"till-{number}", number))
    found = await taken(inbox)
    served = [one for one in found if isinstance(one, Delivery)]
    assert len(served) == LINES_MAX + LINE_MAX
    assert sum(len(one.deliveries) for one in found if isinstance(one, Excess)) == 2 * LINE_MAX


async def test_of_what_a_register_says_of_itself_the_newest_counts() -> None:
    inbox = Inbox(TOPICS)
    assert inbox.put(state("till-1", 1, b'{"state":"offline"}')) is None
    inbox.put(command("till-1", 2))
    older = inbox.put(state("till-1", 3, b'{"state":"online"}'))
    assert older is not None
    assert older.packet_id == 1
    assert numbers(await taken(inbox)) == [2, 3]
    assert inbox.put(state("till-1", 4)) is None, "the one before is done"


async def test_states_are_never_refused() -> None:
    inbox = Inbox(TOPICS)
    for number in range(LINE_MAX * 2):
        inbox.put(command("till-1", number))
    inbox.put(state("till-1", 777))
    assert numbers(await taken(inbox))[-1] == 777


async def test_what_comes_before_a_connection_is_open_is_done_after_it_was_said() -> None:
    inbox = Inbox(TOPICS)
    inbox.put(command("till-1", 1))
    inbox.prepare()
    inbox.put(command("till-1", 2))
    assert numbers([await inbox.next()]) == [1]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await inbox.next()
    inbox.open(CONNECTED)
    inbox.put(command("till-1", 3))
    assert await inbox.next() is CONNECTED
    assert numbers(await taken(inbox)) == [2, 3]


async def test_what_came_over_a_connection_that_never_opened_is_forgotten() -> None:
    inbox = Inbox(TOPICS)
    inbox.prepare()
    inbox.put(command("till-1", 1))
    inbox.put(state("till-1", 2))
    inbox.prepare()
    assert (len(inbox), inbox.held_bytes) == (0, 0)
    assert inbox.put(state("till-1", 3)) is None
    inbox.open(CONNECTED)
    assert await inbox.next() is CONNECTED
    assert numbers(await taken(inbox)) == [3]


async def test_it_is_full_at_last() -> None:
    inbox = Inbox(TOPICS)
    for number in range(HELD_MAX):
        assert not inbox.is_full
        inbox.put(command("till-1", number))
    assert inbox.is_full


async def test_a_cancelled_wait_loses_nothing() -> None:
    inbox = Inbox(TOPICS)
    waiting = asyncio.ensure_future(inbox.next())
    await asyncio.sleep(0)
    inbox.put(command("till-1", 1))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert numbers([await inbox.next()]) == [1]


def test_acknowledgements_wait_for_those_before_them() -> None:
    known = Acknowledgements()
    for packet_id in (5, 3, 9):
        known.arrived(packet_id)
    assert known.done(9) == []
    assert known.done(5) == [5]
    assert known.done(5) == []
    assert known.done(3) == [3, 9]
    assert known.done(77) == []


async def test_long_messages_of_others_keep_no_payment_away() -> None:
    inbox = Inbox(TOPICS)
    for number in range(60):
        inbox.put(command(f"till-{number}", number, LINE_BYTES_MAX))
        inbox.put(state(f"till-{number}", number, b"x" * LINE_BYTES_MAX))
        inbox.put(Delivery("something/else", b"x" * LINE_BYTES_MAX))
    assert inbox.held_bytes <= BYTES_MAX + 180 * EXCESS_BYTES_MAX
    inbox.put(command("till-99", 999, 300))
    assert 999 in numbers(await taken(inbox))
    assert inbox.held_bytes == 0


async def test_a_state_that_another_took_the_place_of_holds_no_bytes() -> None:
    inbox = Inbox(TOPICS)
    for number in range(100):
        inbox.put(state("till-1", number, b"x" * 1_000))
    assert inbox.held_bytes == 1_000
    assert numbers(await taken(inbox)) == [99]
    assert inbox.held_bytes == 0

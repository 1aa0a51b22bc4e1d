"""The simulated terminal's message sequence ids, and replies that come late."""

import asyncio
import gc
from typing import Literal

import pytest

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.sequence import sequence_tlv
from simulators.terminals.shared.shopper import Plan
from simulators.terminals.zvt.profile import PROFILES, Profile
from tests.component.simulators.raw_register import RawRegister
from tests.component.simulators.zvt_shop import (
    PAY,
    REGISTER_WITH_RECEIPTS,
    TWENTY_EURO_FORTY,
    Shop,
    in_a_shop,
    one,
    plan_with,
)

WITH_NUMBERS = m.Registration("000000", 0x3E, 978, tlv=(sequence_tlv(0),))
PROTOCOL_ERROR = m.Reply(0x9A)


def numbered(number: int) -> m.Authorization:
    return m.Authorization(amount=2040, currency=978, tlv=(sequence_tlv(number),))


def echo(message: m.Message) -> m.Reply:
    said = [item for item in message.tlv or () if item.tag == 0x1F73]
    return m.Reply(tlv=tuple(said))


def numbers_of(came: list[m.Message]) -> list[int | None]:
    said = [[item for item in one.tlv or () if item.tag == 0x1F73] for one in came]
    return [
        int(one[0].value.hex()) if one and isinstance(one[0].value, bytes) else None for one in said
    ]


def test_numbers_that_both_sides_agreed_on_are_on_everything() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        agreed = await register.run(WITH_NUMBERS, echo)
        assert numbers_of(agreed) == [None, 0]
        paid = await register.run(numbered(1), echo)
        numbers = numbers_of(paid)
        assert numbers[0] == 1
        assert numbers[1:] == list(range(2, len(paid) + 1))
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, profile=PROFILES["card_complete"])


def test_a_terminal_may_count_its_own_commands() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_NUMBERS, echo)
        paid = await register.run(numbered(5), echo)
        assert numbers_of(paid)[:3] == [5, 1, 2]

    in_a_shop(test, profile=Profile(sequences=True, sequence_counts="apart"))


@pytest.mark.parametrize("command", [PAY, numbered(0)], ids=["none", "offer"])
def test_a_command_without_its_number_is_not_carried_out(command: m.Message) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_NUMBERS, echo)
        (reply,) = await register.run(command, echo)
        assert isinstance(reply, m.Reply)
        assert reply.code == PROTOCOL_ERROR.code
        assert shop.taken() == 0

    in_a_shop(test, profile=Profile(sequences=True))


def test_a_number_that_was_used_is_not_taken_again() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_NUMBERS, echo)
        await register.run(numbered(1), echo)
        (reply,) = await register.run(numbered(1), echo)
        assert isinstance(reply, m.Reply)
        assert reply.code == PROTOCOL_ERROR.code
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, kind="tcp", profile=Profile(sequences=True))


def test_a_terminal_that_knows_no_numbers_does_not_echo_them() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert numbers_of(await register.run(WITH_NUMBERS)) == [None, None]
        await register.run(PAY)
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test)


def test_a_reply_with_another_number_leaves_the_terminal_waiting() -> None:
    async def test(shop: Shop) -> None:
        def echo_wrongly(message: m.Message) -> m.Reply:
            right = echo(message)
            is_result = isinstance(message, m.StatusInformation)
            return m.Reply(tlv=(sequence_tlv(999),)) if is_result else right

        register = await shop.come()
        await register.run(WITH_NUMBERS, echo)
        came = await register.run(numbered(1), echo_wrongly)
        assert isinstance(came[-1], m.Abort)
        assert shop.taken() == 0

    in_a_shop(test, profile=Profile(sequences=True))


@pytest.mark.parametrize(
    ("fault", "number"), [("missing", None), ("old", 0), ("skips", 9), ("none", 2)]
)
def test_a_terminal_may_count_wrongly_on_purpose(
    fault: Literal["none", "missing", "old", "skips"], number: int | None
) -> None:
    profile = Profile(sequences=True, sequence_fault=fault)

    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_NUMBERS, echo)
        register.send(numbered(1))
        while True:
            message = await register.next()
            if isinstance(message, m.StatusInformation):
                break
            if not isinstance(message, m.Reply):
                register.send(echo(message))
        assert numbers_of([message]) == [number]

    in_a_shop(test, profile=profile)


def test_a_reply_that_comes_late_is_not_taken_for_that_to_the_next_message() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        register.send(PAY)
        shown = await stage_of(register)
        assert isinstance(shown, m.IntermediateStatus)
        await asyncio.sleep(5.5)  # longer than T3: the terminal goes on to the next message
        second = await stage_of(register)
        assert isinstance(second, m.IntermediateStatus)
        register.send(m.POSITIVE)  # the reply to the first one
        with pytest.raises(TimeoutError):
            await register.next(2)
        register.send(m.POSITIVE)
        assert await stage_of(register) is not None

    in_a_shop(test, one(Plan()), kind="tcp")


async def stage_of(register: RawRegister) -> m.Message:
    while isinstance(message := await register.next(), m.Reply):
        pass
    return message


def test_a_power_cut_in_the_middle_of_a_slow_message_leaves_nothing_behind() -> None:
    complaints: list[str] = []

    async def test(shop: Shop) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(str(context["message"])))
        register = await shop.come()
        register.send(PAY)
        await asyncio.sleep(2)
        shop.terminal.power_cut(1)
        await asyncio.sleep(20)
        again = await shop.come()
        await again.run(PAY)
        gc.collect()

    in_a_shop(test, plan_with("trickle", "status", seconds=0.5), kind="tcp")
    assert complaints == []

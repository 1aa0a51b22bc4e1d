import asyncio

import pytest

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import find_tlv
from simulators.terminals.shared.cable import Wire
from simulators.terminals.shared.shopper import BUILT_IN, Plan, Scenario
from simulators.terminals.zvt import PROFILES
from simulators.terminals.zvt.profile import Profile
from tests.component.simulators.raw_register import LineLost
from tests.component.simulators.zvt_shop import (
    INSTANT,
    PAY,
    REGISTER_WITH_RECEIPTS,
    REGISTER_WITHOUT_RECEIPTS,
    TWENTY_EURO_FORTY,
    WITH_BLOCKS,
    Kind,
    Shop,
    in_a_shop,
    one,
    result_of,
)


@pytest.mark.parametrize("kind", ["serial", "tcp"])
def test_a_payment_shows_its_stages_and_ends_with_a_completion(kind: Kind) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        came = await register.run(PAY)
        assert [type(message) for message in came] == [
            m.Reply,
            m.IntermediateStatus,
            m.IntermediateStatus,
            m.StatusInformation,
            m.Completion,
        ]
        status = result_of(came)
        assert (status.result, status.amount, status.currency) == (0, TWENTY_EURO_FORTY, 978)
        assert status.receipt == "0001"
        assert shop.kinds() == ["approved", "committed"]
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, BUILT_IN["approve"], kind=kind)


@pytest.mark.parametrize("wire", [Wire(chunk_bytes_max=1), Wire(delay_seconds=(0.01, 0.05))])
@pytest.mark.parametrize("kind", ["serial", "tcp"])
def test_bytes_may_come_one_by_one_or_late(kind: Kind, wire: Wire) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_BLOCKS)
        assert result_of(await register.run(PAY)).result == 0
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test, kind=kind, wire=wire)


def test_a_silent_register_makes_a_serial_terminal_reverse() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()

        def answer(message: m.Message) -> m.Reply | None:
            return None if isinstance(message, m.StatusInformation) else m.POSITIVE

        await register.run(PAY, answer)
        assert shop.kinds() == ["approved", "reversed"]
        assert shop.taken() == 0

    in_a_shop(test)


def test_a_silent_register_makes_a_network_terminal_keep_the_payment_and_hang_up() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        with pytest.raises(LineLost):
            await register.run(PAY, lambda message: None)
        assert shop.kinds() == ["approved", "committed"]
        again = await shop.come()
        came = await again.run(m.RepeatReceipt("000000", service=3))
        assert result_of(came).receipt == "0001"

    in_a_shop(test, kind="tcp")


@pytest.mark.parametrize("kind", ["serial", "tcp"])
@pytest.mark.parametrize("refused", [m.StatusInformation, m.PrintLine])
def test_a_register_that_says_no_makes_any_terminal_reverse(
    kind: Kind, refused: type[object]
) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)

        def answer(message: m.Message) -> m.Reply:
            return m.Reply(0x66) if isinstance(message, refused) else m.POSITIVE

        came = await register.run(PAY, answer)
        assert came[-1] == m.Abort(0x66)
        assert shop.kinds() == ["approved", "reversed"]

    in_a_shop(test, kind=kind)


def test_nothing_is_committed_before_the_last_receipt_is_answered() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_BLOCKS)
        seen: list[list[str]] = []

        def answer(message: m.Message) -> m.Reply:
            if isinstance(message, m.PrintBlock):
                seen.append(shop.kinds())
            return m.POSITIVE

        came = await register.run(PAY, answer)
        assert seen == [["approved"], ["approved"]]
        assert shop.kinds() == ["approved", "committed"]
        blocks = [message for message in came if isinstance(message, m.PrintBlock)]
        assert [block.receipt_type for block in blocks] == [1, 2]
        assert all(block.closes for block in blocks)
        assert blocks[0].lines[0][1] == "Händlerbeleg"

    in_a_shop(test)


def test_receipts_come_as_lines_unless_blocks_are_announced() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        came = await register.run(PAY)
        lines = [message for message in came if isinstance(message, m.PrintLine)]
        assert sum(line.closes for line in lines) == 2
        assert not any(isinstance(message, m.PrintBlock) for message in came)

    in_a_shop(test)


def test_feig_prints_before_the_result() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        came = [type(message) for message in await register.run(PAY)]
        assert came.index(m.PrintBlock) < came.index(m.StatusInformation)

    in_a_shop(test, profile=PROFILES["feig"])


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (Plan(outcome="decline", code=0x33), 0x33),
        (Plan(outcome="cancel"), 0x6C),
        (Plan(outcome="walk_away"), 0x6C),
        (Plan(outcome="remove_card_early", entry="chip"), 0x72),
    ],
)
def test_what_does_not_succeed_moves_no_money(plan: Plan, code: int) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        came = await register.run(PAY)
        assert result_of(came).result == code
        assert came[-1] == m.Abort(code)
        assert shop.kinds() == ["declined"]
        assert result_of(await register.run(PAY)).receipt == "0001"

    in_a_shop(test, one(plan))


def test_a_tip_and_a_partial_approval_change_the_amount() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert result_of(await register.run(PAY)).amount == 2140
        assert result_of(await register.run(PAY)).amount == 500
        assert shop.taken() == 2640

    tip = INSTANT.model_copy(update={"tip_minor": 100})
    partial = INSTANT.model_copy(update={"partial_minor": 500})
    in_a_shop(test, Scenario(payments=(tip, partial)))


def test_a_wrong_pin_is_asked_for_again() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        came = await register.run(PAY)
        stages = [message.code for message in came if isinstance(message, m.IntermediateStatus)]
        assert stages == [0x0A, 0x01, 0x15, 0x01, 0x04, 0x0B]

    in_a_shop(test, one(Plan(entry="chip", wrong_pins=1)))


def test_an_abort_is_obeyed_until_the_host_is_asked() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        assert await register.next() == m.POSITIVE
        await asyncio.sleep(1)
        register.send(m.AbortRequest())
        assert await register.next() == m.POSITIVE
        status = await register.next()
        assert isinstance(status, m.StatusInformation)
        assert status.result == 0x6C
        register.send(m.POSITIVE)
        assert await register.next() == m.Abort(0x6C)
        register.send(m.POSITIVE)
        assert shop.kinds() == []

    in_a_shop(test, BUILT_IN["approve"])


def test_an_abort_at_the_host_comes_too_late() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        assert await register.next() == m.POSITIVE
        await asyncio.sleep(3.2)
        register.send(m.AbortRequest())
        assert await register.next() == m.Reply(0x83)
        assert isinstance(await register.next(), m.StatusInformation)

    in_a_shop(test, Scenario(otherwise=Plan(seconds_at_host=5, show_stages=False)))


def test_an_approval_can_follow_a_confirmed_abort() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        assert await register.next() == m.POSITIVE
        register.send(m.AbortRequest())
        assert await register.next() == m.POSITIVE
        status = await register.next()
        assert isinstance(status, m.StatusInformation)
        assert status.result == 0

    in_a_shop(test, Scenario(otherwise=Plan(abort="approve_anyway", show_stages=False)))


@pytest.mark.parametrize(("busy_code", "code"), [(0xA0, 0xA0), (0x9C, 0x9C)])
def test_a_command_while_the_terminal_is_master_is_refused(busy_code: int, code: int) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(PAY)
        assert await register.next() == m.POSITIVE
        register.send(m.StatusEnquiry())
        assert await register.next() == m.Reply(code)

    in_a_shop(test, BUILT_IN["approve"], profile=Profile(busy_code=busy_code))


def test_a_command_while_the_terminal_is_master_may_be_ignored() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(m.Authorization(amount=100))
        assert await register.next() == m.POSITIVE
        register.send(PAY)
        with pytest.raises(TimeoutError):
            await register.next(1)

    in_a_shop(test, BUILT_IN["approve"], profile=Profile(busy_code=None))


def test_what_the_terminal_does_not_know_is_answered_84_83() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.line.write(bytes.fromhex("0f8100"))
        assert await register.next() == m.Reply(0x83)

    in_a_shop(test, kind="tcp")


@pytest.mark.parametrize("code", [0x83, 0x9C])
def test_a_terminal_may_refuse_to_begin(code: int) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert await register.run(PAY) == [m.Reply(code)]
        assert shop.kinds() == []
        assert result_of(await register.run(PAY)).result == 0

    in_a_shop(test, one(Plan(outcome="refuse", code=code)))


@pytest.mark.parametrize(("patience", "taken"), [(2, 2040), (9, 0)])
def test_a_register_may_ask_for_patience_but_not_for_ever(patience: int, taken: int) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        asked = 0

        def answer(message: m.Message) -> m.Reply:
            nonlocal asked
            if not isinstance(message, m.StatusInformation) or message.result != 0:
                return m.POSITIVE
            asked += 1
            return m.Reply(0x9C) if asked <= patience else m.POSITIVE

        await register.run(PAY, answer)
        assert shop.taken() == taken

    in_a_shop(test)


def test_stages_failures_and_completions_come_in_the_shapes_of_vendors() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        came = await register.run(PAY)
        stage = next(message for message in came if isinstance(message, m.IntermediateStatus))
        assert stage.timeout_minutes is None
        assert find_tlv(stage.tlv, 0x07) == b"Karte einstecken"
        ended = came[-1]
        assert isinstance(ended, m.Completion)
        assert ended.rest == b"\x10-OK"
        assert (await register.run(PAY))[-1] == m.Abort(None)

    plans = (Plan(), Plan(outcome="decline"))
    profile = Profile(
        stage_minutes=None, stage_texts=True, bare_abort=True, completion_text="\x10-OK"
    )
    in_a_shop(test, Scenario(payments=plans, speed=0), profile=profile)


def test_card_complete_says_which_receipt_a_line_belongs_to() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(m.Registration("000000", 0xBE, 978, tlv=()))
        came = await register.run(PAY)
        lines = [message for message in came if isinstance(message, m.PrintLine)]
        assert {line.receipt_type for line in lines} == {1, 2}

    in_a_shop(test, profile=PROFILES["card_complete"])


def test_a_terminal_shows_and_prints_in_its_language() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        came = await register.run(PAY)
        printed = [one.text for one in came if isinstance(one, m.PrintLine)]
        assert {"Merchant copy", "Customer copy", "Card payment", "EUR 20.40"} <= set(printed)
        assert (await register.run(PAY))[-1] == m.Abort(0x6C)

    profile = Profile(language="en")
    shoppers = Scenario(payments=(INSTANT, Plan(outcome="cancel")), speed=0)
    in_a_shop(test, shoppers, profile=profile)

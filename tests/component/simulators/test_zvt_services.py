import asyncio

import pytest

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import find_tlv
from simulators.terminals.shared.shopper import Plan, Scenario
from simulators.terminals.zvt import PROFILES
from simulators.terminals.zvt.profile import Profile
from tests.component.simulators.zvt_shop import (
    INSTANT,
    PAY,
    REGISTER_WITH_RECEIPTS,
    REGISTER_WITHOUT_RECEIPTS,
    TWENTY_EURO_FORTY,
    WITH_BLOCKS,
    Shop,
    in_a_shop,
    one,
    result_of,
)


def test_registration_in_another_currency_is_refused_with_our_own() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        came = await register.run(m.Registration("000000", 0xBE, 756))
        assert isinstance(came[0], m.Reply)
        assert came[0].code == 0x1E

    in_a_shop(test)


def test_a_payment_in_another_currency_is_refused() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert await register.run(m.Authorization(amount=100, currency=756)) == [m.Reply(0x6F)]
        assert shop.kinds() == []

    in_a_shop(test)


def test_status_says_version_and_details() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        report = (await register.run(m.StatusEnquiry()))[-1]
        assert report == m.StatusReport(0, "2.14.15")
        report = (await register.run(m.StatusEnquiry("000000", service=6)))[-1]
        assert isinstance(report, m.StatusReport)
        assert report.version == ""
        assert find_tlv(report.tlv, 0x1F44) == bytes.fromhex("29001006")

    in_a_shop(test)


def test_the_last_transaction_can_be_asked_for_and_survives_a_decline() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert (await register.run(m.RepeatReceipt("000000", service=3)))[1:] == [m.Completion()]
        paid = result_of(await register.run(PAY))
        await register.run(PAY)
        asked = result_of(await register.run(m.RepeatReceipt("000000", service=3)))
        assert (asked.receipt, asked.trace) == (paid.receipt, paid.trace)
        assert (asked.time, asked.amount) == (paid.time, paid.amount)

    in_a_shop(test, Scenario(payments=(INSTANT, Plan(outcome="decline")), speed=0))


def test_a_reversal_gives_everything_back_once() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        void = m.Reversal("000000", receipt="0001")
        status = result_of(await register.run(void))
        assert (status.result, status.receipt, status.original_trace) == (0, "0002", "000001")
        assert shop.taken() == 0
        assert (await register.run(void))[-1] == m.Abort(0xB4)
        assert (await register.run(m.Reversal("000000", receipt="0099")))[-1] == m.Abort(0xB5)
        assert shop.taken() == 0

    in_a_shop(test)


def test_global_payments_reverses_the_last_whatever_is_asked() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        await register.run(m.Authorization(amount=300))
        status = result_of(await register.run(m.Reversal("000000", receipt="0001")))
        assert status.amount == 300

    in_a_shop(test, profile=PROFILES["global_payments"])


def test_a_refund_gives_money_to_a_card() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        await register.run(m.Refund("000000", amount=540))
        assert shop.taken() == 1500

    in_a_shop(test)


@pytest.mark.parametrize(
    ("command", "taken"),
    [
        (m.BookTotal(receipt="0001", amount=1895), 1895),
        (m.PartialReversal(receipt="0001", amount=605), 1895),
        (m.CancelPreAuthorization(receipt="0001"), 0),
        (m.BookTotal(receipt="0001", amount=2501), 0),
    ],
)
def test_a_reservation_takes_nothing_until_it_is_booked(command: m.Message, taken: int) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(m.PreAuthorization(amount=2500, currency=978))
        assert shop.taken() == 0
        await register.run(command)
        assert shop.taken() == taken

    in_a_shop(test)


def test_open_reservations_are_listed_one_by_one_with_an_abort() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(m.PreAuthorization(amount=2500))
        ask = m.PartialReversal(receipt="ffff")
        assert (await register.run(ask))[-1] == m.Abort(0xB8, receipt="0001")
        await register.run(m.CancelPreAuthorization(receipt="0001"))
        assert (await register.run(ask))[-1] == m.Abort(0xB8, receipt="ffff")

    in_a_shop(test)


def test_a_tip_can_be_booked_later() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        await register.run(m.Tip(receipt="0001", amount=200))
        assert shop.taken() == 2240

    in_a_shop(test)


def test_end_of_day_tells_totals_and_closes_reversal() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        assert result_of(await register.run(m.Totals("000000"))).amount == TWENTY_EURO_FORTY
        status = result_of(await register.run(m.EndOfDay("000000")))
        assert status.amount == TWENTY_EURO_FORTY
        assert status.totals[:5] == bytes.fromhex("0001000101")
        assert len(status.totals) == 53
        assert (await register.run(m.Reversal("000000", receipt="0001")))[-1] == m.Abort(0xB5)
        assert shop.taken() == TWENTY_EURO_FORTY

    in_a_shop(test)


def test_after_end_of_day_the_terminal_may_go_away_for_an_update() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert (await register.run(m.EndOfDay("000000")))[-1] == m.Completion(result=0xE0)
        with pytest.raises(TimeoutError):
            await register.run(m.StatusEnquiry(), timeout_seconds=1)
        await asyncio.sleep(60)
        assert (await register.run(m.StatusEnquiry()))[-1] == m.StatusReport(0, "2.14.15")

    profile = Profile(end_of_day_result=0xE0, away_after_end_of_day_seconds=60)
    in_a_shop(test, profile=profile)


def test_a_card_is_read_without_money_and_display_and_log_off_end_with_the_reply() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        register.send(m.ReadCard(30))
        assert await register.next() == m.POSITIVE
        status = await register.next()
        assert isinstance(status, m.StatusInformation)
        assert status.result is None
        assert status.pan is not None
        assert status.pan.last4 == "0009"
        register.send(m.POSITIVE)
        for command in (m.DisplayText(("Hallo",), 5), m.LogOff(), m.AbortRequest()):
            register.send(command)
            assert await register.next() == m.POSITIVE
        assert shop.kinds() == []

    in_a_shop(test)


def test_a_reservation_can_be_raised_and_is_kept_when_raising_fails() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(m.PreAuthorization(amount=2500))
        more = m.PreAuthorization(amount=500, trace="000001", approval_code="1")
        await register.run(more, lambda message: m.Reply(0x66))
        assert [held.amount_minor for held in shop.terminal.flash.reservations] == [2500]
        status = result_of(await register.run(more))
        assert status.amount == 3000
        assert [held.amount_minor for held in shop.terminal.flash.reservations] == [3000]
        assert (await register.run(m.PreAuthorization(amount=1, trace="000099"))) == [m.Reply(0xB7)]

    in_a_shop(test)


def test_a_reversal_takes_the_tip_along() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        await register.run(m.Tip(receipt="0001", amount=200))
        await register.run(m.Reversal("000000", receipt="0001"))
        assert shop.taken() == 0

    in_a_shop(test)


def test_somebody_may_pay_at_the_terminal_unless_that_is_locked() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(PAY)
        await asyncio.sleep(1)
        assert shop.terminal.pay_without_register(500)
        last = result_of(await register.run(m.RepeatReceipt("000000", service=3)))
        assert (last.amount, last.receipt) == (500, "0002")
        assert shop.taken() == 2540
        await register.run(REGISTER_WITHOUT_RECEIPTS)
        await asyncio.sleep(1)
        assert not shop.terminal.pay_without_register(500)

    in_a_shop(test)


def test_a_registration_may_be_refused_at_times() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        refused = (await register.run(REGISTER_WITHOUT_RECEIPTS))[-1]
        assert refused == m.Reply(0x1E, rest=b"\x7d")
        assert isinstance((await register.run(REGISTER_WITHOUT_RECEIPTS))[-1], m.Completion)

    in_a_shop(test, profile=Profile(registrations_refused=1))


def test_the_last_receipt_is_printed_when_no_service_byte_says_otherwise() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(WITH_BLOCKS)
        await register.run(PAY)
        came = await register.run(m.RepeatReceipt("000000"))
        assert [type(message) for message in came] == [
            m.Reply,
            m.PrintBlock,
            m.PrintBlock,
            m.Completion,
        ]

    in_a_shop(test)


@pytest.mark.parametrize(
    ("name", "letter"), [("default", b"H\x84ndler"), ("card_complete", b"H\xe4ndler")]
)
@pytest.mark.parametrize("registration", [REGISTER_WITH_RECEIPTS, WITH_BLOCKS])
def test_receipts_come_in_the_terminals_character_set(
    name: str, letter: bytes, registration: m.Registration
) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(registration)
        await register.run(PAY)
        assert letter in register.raw

    in_a_shop(test, profile=PROFILES[name], kind="tcp")


def test_a_diagnosis_tells_the_time_prints_and_ends_well() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        await register.run(REGISTER_WITH_RECEIPTS)
        came = await register.run(m.Diagnosis())
        assert came[:2] == [m.POSITIVE, m.SetClock(full_date="261123", time="120000")]
        assert next(one.text for one in came if isinstance(one, m.PrintLine)) == "Diagnose"
        assert isinstance(came[-1], m.Completion)
        assert came[-1].status == 0

    in_a_shop(test)


@pytest.mark.parametrize(("code", "end"), [(0xA3, m.Abort(0xA3)), (None, m.Reply(0x83))])
def test_a_diagnosis_may_fail_or_be_unknown(code: int | None, end: m.Message) -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        assert (await register.run(m.Diagnosis()))[-1] == end

    in_a_shop(test, profile=Profile(diagnosis_code=code))


def test_totals_of_more_than_twelve_digits_are_told_as_twelve_nines() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        most = 10**12 - 1
        for _ in range(2):
            await register.run(m.Authorization(amount=most, currency=978))
        totals = result_of(await register.run(m.Totals("000000")))
        assert totals.amount == most
        assert totals.totals.count(bytes.fromhex("02999999999999")) == 1

    in_a_shop(test)


def test_an_amount_that_a_tip_lifts_above_twelve_digits_is_refused() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        command = m.Authorization(amount=10**12 - 1, currency=978)
        assert await register.run(command) == [m.Reply(0xC3)]

    in_a_shop(test, one(INSTANT.model_copy(update={"tip_minor": 1})))


def test_a_reservation_is_given_back_by_its_approval_alone() -> None:
    async def test(shop: Shop) -> None:
        register = await shop.come()
        held = result_of(await register.run(m.PreAuthorization(amount=2500, currency=978)))
        release = m.ExternalReversal(
            amount=2500, currency=978, trace=held.trace, approval_code=held.approval_code
        )
        wrong = m.ExternalReversal(amount=2500, currency=978, trace="999999", approval_code="1")
        assert (await register.run(wrong))[-1] == m.Abort(0xB7)
        assert result_of(await register.run(release)).result == 0
        assert shop.kinds()[-1] == "released"
        assert (await register.run(release))[-1] == m.Abort(0xB7)

    in_a_shop(test)

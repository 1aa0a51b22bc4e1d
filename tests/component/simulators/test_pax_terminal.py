"""The simulated PAX terminal, driven by the dialogue in virtual time; its ledger is the judge."""

import pytest

from drivers.contract import (
    ALREADY_REVERSED,
    AdjustTip,
    Approval,
    Approved,
    Authorize,
    BatchTotals,
    Canceled,
    Capture,
    Declined,
    EndOfDay,
    Failed,
    FinalEvent,
    Inquire,
    Money,
    Pay,
    Probe,
    Progress,
    Refund,
    Reverse,
    TerminalReady,
    Unclear,
)
from drivers.pax import PaxSettings
from drivers.pax.codec.fields import ecr_reference
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.shared.cable import Wire
from simulators.terminals.shared.shopper import CARDS, Plan
from tests.component.simulators.pax_shop import PAY, Kind, Shop, in_shop

USD = "USD"
KINDS: tuple[Kind, ...] = ("tcp", "serial")
OTHER = "018f6f0e-8a44-7c1b-9a3e-000000000002"
THIRD = "018f6f0e-8a44-7c1b-9a3e-000000000003"


async def paid(shop: Shop, reference: str = PAY.reference, minor: int = 1250) -> Approval:
    final = await shop.result(Pay(reference, Money(minor, USD)))
    assert isinstance(final, Approved)
    return final.approval


@pytest.mark.parametrize("kind", KINDS)
def test_a_sale_is_approved_with_everything_a_receipt_needs(kind: Kind) -> None:
    async def story(shop: Shop) -> None:
        events = await shop.say(PAY)
        assert [type(event) for event in events] == [Progress, Approved]
        final = events[-1]
        assert isinstance(final, Approved)
        approval = final.approval
        assert approval.amount == Money(1250, USD)
        assert approval.card.brand == "visa"
        assert approval.card.entry_mode == "contactless"
        assert approval.card.application_id == "A0000000031010"
        assert approval.card.masked_pan is not None
        assert approval.card.masked_pan.last4 == "4242"
        assert approval.time_text == "2026-11-23T12:00:00"
        assert approval.extra["ecr_reference"] == ecr_reference(PAY.reference)
        assert approval.fingerprint == f"1/{ecr_reference(PAY.reference)}/20261123120000"
        assert shop.kinds() == ["approved"]

    in_shop(story, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            Plan(outcome="decline", code=0x33, brand="visa"),
            ("Declined", "51", "insufficient_funds"),
        ),
        (Plan(outcome="decline", code=0x05, brand="visa"), ("Declined", "05", "declined")),
        (Plan(outcome="cancel"), ("Canceled", "100002", "cardholder")),
        (Plan(outcome="walk_away"), ("Canceled", "100001", "timeout")),
        (Plan(outcome="remove_card_early"), ("Failed", "100019", "card_read_failed")),
    ],
)
def test_a_no_is_told_with_its_reason(
    plan: Plan, expected: tuple[str, str, str], kind: Kind
) -> None:
    async def story(shop: Shop) -> None:
        final = await shop.result()
        assert isinstance(final, Declined | Canceled | Failed)
        reason = final.by if isinstance(final, Canceled) else final.reason
        assert (type(final).__name__, final.code, reason) == expected
        assert shop.taken() == 0

    in_shop(story, plan, kind=kind)


def test_a_decline_carries_the_hosts_code() -> None:
    async def story(shop: Shop) -> FinalEvent:
        return await shop.result()

    plan = Plan(outcome="decline", code=51, brand="visa")
    assert in_shop(story, plan) == Declined("51", "DECLINED", "insufficient_funds")


def test_a_tip_is_sent_beside_the_amount_and_comes_back_inside_it() -> None:
    async def story(shop: Shop) -> None:
        final = await shop.result(Pay(PAY.reference, Money(1250, USD), tip=Money(250, USD)))
        assert isinstance(final, Approved)
        assert (final.approval.amount.minor, final.approval.tip) == (1250, Money(250, USD))
        assert b"\x1c1000\x1f250\x1c" in shop.sent[0]
        assert shop.taken() == 1250

    in_shop(story)


@pytest.mark.parametrize("kind", KINDS)
def test_hold_capture_tip_refund_and_void(kind: Kind) -> None:
    async def story(shop: Shop) -> None:
        held = await shop.result(Authorize("r-hold", Money(2000, USD)))
        assert isinstance(held, Approved)
        assert shop.taken() == 0
        captured = await shop.result(Capture("r-cap", Money(1500, USD), held.approval))
        assert isinstance(captured, Approved)
        assert captured.approval.amount.minor == 1500
        tipped = await shop.result(AdjustTip("r-tip", Money(300, USD), captured.approval))
        assert isinstance(tipped, Approved)
        assert (tipped.approval.amount.minor, tipped.approval.tip) == (300, Money(300, USD))
        assert shop.taken() == 1800
        back = await shop.result(Refund("r-ref", Money(500, USD)))
        assert isinstance(back, Approved)
        assert shop.taken() == 1300
        void = await shop.result(Reverse("r-void", captured.approval))
        assert isinstance(void, Approved)
        again = await shop.result(Reverse("r-void2", captured.approval))
        assert isinstance(again, Failed)
        assert again.reason == ALREADY_REVERSED
        assert shop.taken() == -500

    in_shop(story, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_while_waiting_for_a_card(kind: Kind) -> None:
    async def story(shop: Shop) -> None:
        assert await shop.result(cancel_after=0.7) == Canceled("cashier", "100002", "ABORTED")
        assert shop.taken() == 0

    in_shop(story, Plan(seconds_to_card=20), kind=kind)


@pytest.mark.parametrize("answer", ["a15", "eot", "none"])
@pytest.mark.parametrize("abort", ["obey", "refuse", "approve_anyway"])
def test_a_cancel_that_loses_the_race_is_an_approval(answer: str, abort: str) -> None:
    profile = PaxProfile(cancel_answer=answer)  # type: ignore[arg-type]  # one of three literals

    async def story(shop: Shop) -> None:
        final = await shop.result(cancel_after=0.7)
        if abort == "obey":
            assert isinstance(final, Canceled)
            assert shop.taken() == 0
        else:
            assert isinstance(final, Approved)
            assert shop.taken() == 1250

    plan = Plan(seconds_to_card=5, brand="visa", abort=abort)  # type: ignore[arg-type]  # likewise
    in_shop(story, plan, profile=profile)


def test_a_cancel_before_the_payment_was_sent_sends_nothing() -> None:
    async def story(shop: Shop) -> None:
        final = await shop.result(cancel_after=0.01)
        assert final == Canceled("cashier", text="before it was sent")
        assert not any(b"T00" in frame for frame in shop.sent)

    in_shop(story, kind="serial", wire=Wire(delay_seconds=(0.05, 0.05)))


def test_a_known_reference_is_the_same_payment_and_never_a_second_one() -> None:
    async def story(shop: Shop) -> None:
        first, second = await paid(shop), await paid(shop)
        assert first == second
        assert shop.taken() == 1250

    in_shop(story)


def test_the_probe_tells_who_it_is_and_leaves_a_witness() -> None:
    async def story(shop: Shop) -> None:
        ready = await shop.result(Probe())
        assert isinstance(ready, TerminalReady)
        assert (ready.serial_number, ready.model) == ("5A123456", "S300")
        assert ready.baseline is not None
        assert ready.baseline.fingerprint == ""
        approval = await paid(shop)
        baseline = await shop.baseline()
        assert baseline is not None
        assert baseline.fingerprint == approval.fingerprint
        assert shop.kinds() == ["approved"]

    in_shop(story)


def test_totals_and_end_of_day_agree_with_the_ledger() -> None:
    async def story(shop: Shop) -> None:
        await paid(shop)
        await paid(shop, OTHER, 750)
        await shop.result(Refund(THIRD, Money(250, USD)))
        read = await shop.result(EndOfDay(close=False))
        closed = await shop.result(EndOfDay())
        assert isinstance(read, BatchTotals)
        assert isinstance(closed, BatchTotals)
        assert (read.closed, closed.closed) == (False, True)
        assert read.total == closed.total == Money(shop.taken(), USD)
        assert {line.brand: line.amount.minor for line in read.lines} == {
            "credit": 2000,
            "credit returns": 250,
        }
        assert closed.batch == "1"
        empty = await shop.result(EndOfDay(close=False))
        assert isinstance(empty, BatchTotals)
        assert empty.total.minor == 0

    in_shop(story)


def test_http_pays_and_finds_and_cannot_prove_absence() -> None:
    settings = PaxSettings(transport="http")

    async def story(shop: Shop) -> None:
        await paid(shop)
        found = await shop.result(Inquire(PAY, None))
        assert isinstance(found, Approved)
        absent = await shop.result(Inquire(Pay(OTHER, Money(1, USD)), None))
        assert isinstance(absent, Unclear)
        assert isinstance(await shop.result(Probe()), TerminalReady)
        assert shop.kinds() == ["approved"]

    in_shop(story, settings=settings, wire=Wire(chunk_bytes_max=5))


def test_a_leaking_terminal_leaks_nothing_through_the_driver() -> None:
    async def story(shop: Shop) -> None:
        events = await shop.say(PAY)
        events += await shop.say(Inquire(PAY, None))
        assert CARDS["visa"].pan not in repr(events)

    in_shop(story, Plan(whole_pan=True, brand="visa"))


def test_a_payment_at_the_terminal_alone_is_not_taken_for_ours() -> None:
    async def story(shop: Shop) -> None:
        shop.terminal.pay_without_register(1250)
        baseline = await shop.baseline()
        assert isinstance(await shop.result(Inquire(PAY, baseline)), Failed)

    in_shop(story)

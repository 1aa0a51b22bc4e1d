"""Gift cards and the newest record at the simulated PAX terminal; its ledger is the judge."""

import pytest

from drivers.contract import (
    AdjustTip,
    Approval,
    Approved,
    Baseline,
    CardBalance,
    Declined,
    Failed,
    FinalEvent,
    Inquire,
    LastTransaction,
    LoadGift,
    Money,
    MoneyOperation,
    Pay,
    ReadBalance,
    ReadLast,
    Refund,
    Reverse,
    Unclear,
)
from drivers.pax import DRIVER, PaxSettings
from simulators.terminals.pax.gift_host import GIFT_CARD
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.shared.shopper import MischiefKind, Place, Plan
from tests.component.simulators.pax_shop import PAY, VISA, Kind, Shop, in_shop, mischief

GIFT = PaxSettings(gift=True)
REFERENCE = "018f6f0e-8a44-7c1b-9a3e-0000000000a1"
REDEEM = Pay(REFERENCE, Money(2000, "USD"), gift=True)
LOAD = LoadGift(REFERENCE, Money(1500, "USD"))
KINDS: tuple[Kind, ...] = ("tcp", "serial")


def profile(
    balance: int = 5000, *, part: bool = True, apart: bool = False, keeps_voids: bool = True
) -> PaxProfile:
    return PaxProfile(
        gift_cards=((GIFT_CARD, balance),),
        gift_part=part,
        gift_apart=apart,
        voids_keep_a_record=keeps_voids,
    )


def left(shop: Shop) -> int:
    return shop.terminal.memory.contents.gift_balances[GIFT_CARD]


async def approved(shop: Shop, operation: MoneyOperation) -> Approval:
    final = await shop.result(operation)
    assert isinstance(final, Approved), final
    return final.approval


def test_gift_cards_are_promised_only_where_the_installer_says_so() -> None:
    gift = {"balance", "gift_redeem", "gift_load"}
    assert not gift & DRIVER.capabilities(PaxSettings()).operations
    assert gift <= DRIVER.capabilities(GIFT).operations


@pytest.mark.parametrize("operation", [REDEEM, LOAD, ReadBalance()])
def test_without_the_setting_nothing_is_asked_for(operation: Pay | LoadGift | ReadBalance) -> None:
    async def story(shop: Shop) -> None:
        final = await shop.result(operation)
        assert isinstance(final, Failed)
        assert final.reason == "operation_not_supported"
        assert shop.sent == []

    in_shop(story, profile=profile())


@pytest.mark.parametrize("kind", KINDS)
def test_a_gift_card_is_read_redeemed_loaded_and_voided(kind: Kind) -> None:
    async def story(shop: Shop) -> None:
        before = await shop.result(ReadBalance())
        assert isinstance(before, CardBalance)
        assert before.amount == Money(5000, "USD")
        assert before.card.masked_pan is not None
        assert before.card.masked_pan.last4 == GIFT_CARD[-4:]
        paid = await approved(shop, REDEEM)
        assert (paid.amount.minor, paid.extra["balance_minor"]) == (2000, "3000")
        assert (paid.extra["tender"], left(shop)) == ("gift", 3000)
        other = "018f6f0e-8a44-7c1b-9a3e-0000000000a2"
        loaded = await approved(shop, LoadGift(other, Money(1500, "USD")))
        assert (loaded.amount.minor, left(shop)) == (1500, 4500)
        await approved(shop, Reverse("018f6f0e-8a44-7c1b-9a3e-0000000000a3", loaded))
        await approved(shop, Reverse("018f6f0e-8a44-7c1b-9a3e-0000000000a4", paid))
        assert left(shop) == 5000
        assert shop.kinds() == ["approved", "loaded", "reversed", "reversed"]
        assert shop.taken() == 0

    in_shop(story, kind=kind, profile=profile(), settings=GIFT)


def test_a_refund_goes_back_to_the_gift_card() -> None:
    async def story(shop: Shop) -> None:
        paid = await approved(shop, REDEEM)
        back = Refund("018f6f0e-8a44-7c1b-9a3e-0000000000a2", Money(500, "USD"), paid)
        assert (await approved(shop, back)).amount.minor == 500
        assert (left(shop), shop.taken()) == (3500, 1500)

    in_shop(story, profile=profile(), settings=GIFT)


def test_a_tip_cannot_be_added_to_a_gift_card_payment() -> None:
    async def story(shop: Shop) -> None:
        paid = await approved(shop, REDEEM)
        sent = len(shop.sent)
        final = await shop.result(AdjustTip(PAY.reference, Money(200, "USD"), paid))
        assert isinstance(final, Failed)
        assert len(shop.sent) == sent

    in_shop(story, profile=profile(), settings=GIFT)


def test_a_card_that_has_not_enough_is_no_yes_and_is_given_back() -> None:
    async def story(shop: Shop) -> None:
        final = await shop.result(REDEEM)
        assert isinstance(final, Declined)
        assert final.reason == "insufficient_funds"
        assert (left(shop), shop.taken()) == (700, 0)

    in_shop(story, profile=profile(700), settings=GIFT)
    in_shop(story, profile=profile(700, part=False), settings=GIFT)


def test_a_part_is_taken_where_it_is_wanted() -> None:
    async def story(shop: Shop) -> None:
        wish = Pay(REFERENCE, Money(2000, "USD"), accept_partial=True, gift=True)
        assert (await approved(shop, wish)).amount.minor == 700
        assert (left(shop), shop.taken()) == (0, 700)

    in_shop(story, profile=profile(700), settings=GIFT)


def test_a_card_that_nobody_knows_is_a_no() -> None:
    async def story(shop: Shop) -> None:
        for operation in (REDEEM, LOAD, ReadBalance()):
            final = await shop.result(operation)
            assert isinstance(final, Declined)
            assert (final.code, final.reason) == ("14", "card_not_supported")
        assert shop.taken() == 0

    stranger = Plan(gift_card="5022440000000000106")
    in_shop(story, stranger, stranger, stranger, profile=profile(), settings=GIFT)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("operation", [REDEEM, LOAD])
@pytest.mark.parametrize("place", ["command", "replied", "status", "prints", "completion"])
@pytest.mark.parametrize("kind", ["unplug", "die", "lost_ack", "silent"])
def test_whatever_breaks_a_gift_card_moves_once_and_the_truth_is_told(
    kind: MischiefKind, place: Place, operation: MoneyOperation, apart: bool
) -> None:
    async def story(shop: Shop) -> None:
        await shop.result(PAY)
        baseline = await shop.baseline()
        final = await shop.settle(operation, baseline)
        moved = [e for e in shop.terminal.ledger.entries if e.number > 1 and e.kind != "declined"]
        assert len(moved) <= 1
        assert isinstance(final, Approved) is bool(moved), final
        assert not isinstance(final, Unclear)
        requests = [one for one in shop.sent if b"T06" in one]
        assert len(requests) == 1

    in_shop(story, VISA, mischief(kind, place), profile=profile(apart=apart), settings=GIFT)


def test_absence_is_believed_only_after_gift_cards_were_asked_for_by_name() -> None:
    async def story(shop: Shop) -> FinalEvent:
        baseline = Baseline((await approved(shop, PAY)).fingerprint)
        await shop.result(REDEEM)
        return await shop.result(Inquire(REDEEM, baseline))

    for apart in (False, True):
        final = in_shop(story, profile=profile(apart=apart), settings=GIFT)
        assert isinstance(final, Approved)
        assert final.approval.extra["tender"] == "gift"


@pytest.mark.parametrize("apart", [False, True])
def test_a_lost_void_of_a_gift_card_payment_is_found(apart: bool) -> None:
    async def story(shop: Shop) -> FinalEvent:
        paid = await approved(shop, REDEEM)
        baseline = await shop.baseline()
        void = Reverse("018f6f0e-8a44-7c1b-9a3e-0000000000a3", paid)
        final = await shop.settle(void, baseline)
        assert left(shop) == 5000
        return final

    spoiled = mischief("unplug", "status")
    for keeps in (True, False):
        kind = profile(apart=apart, keeps_voids=keeps)
        final = in_shop(story, profile=kind, settings=GIFT, without_card=spoiled)
        assert isinstance(final, Approved)


# --- the newest record


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_record_is_told(kind: Kind) -> None:
    async def story(shop: Shop) -> None:
        assert await shop.result(ReadLast()) == LastTransaction(None)
        for minor in (100, 200, 300):
            paid = await approved(
                shop, Pay(f"018f6f0e-8a44-7c1b-9a3e-000000000{minor}", Money(minor, "USD"))
            )
            told = await shop.result(ReadLast())
            assert isinstance(told, LastTransaction)
            assert told.approval is not None
            assert told.approval.amount.minor == minor
            assert told.approval.fingerprint == paid.fingerprint
        await approved(shop, Reverse(PAY.reference, paid))
        voided = await shop.result(ReadLast())
        assert voided == LastTransaction(None, "voided: APPROVAL")

    in_shop(story, kind=kind)

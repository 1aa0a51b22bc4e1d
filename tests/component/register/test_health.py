"""What the bridge says of how it is: at once when it changes, and else in its rhythm."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.money.store.journal import COMMITS_REMEMBERED
from bridge.register.api import BridgeHealth
from bridge.register.publishing.publisher import HEALTH_SECONDS
from bridge.status import LOG_BYTES_MAX
from simulators.broker import Message
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id

GUARD = {"expires_at": "2026-11-23T12:00:30Z"}
AT_ONCE_SECONDS = 1.0


def told(shop: Shop) -> list[BridgeHealth]:
    """Listen to the bridge's health."""
    found: list[BridgeHealth] = []
    inner = shop.broker.on_published

    def hear(message: Message) -> None:
        if message.topic == TOPICS.bridge_health:
            found.append(BridgeHealth.model_validate_json(message.payload))
        inner(message)

    shop.broker.on_published = hear
    return found


def test_health_says_at_once_that_no_terminal_is_there_and_that_one_is_back(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asyncio.sleep(AT_ONCE_SECONDS)
        health = told(shop)
        shop.ports["counter-1"].unplug()
        await asyncio.sleep(AT_ONCE_SECONDS)
        assert [one.can_take_payments for one in health] == [False]
        assert health[-1].terminals == {"counter-1": "offline"}
        await shop.ports["counter-1"].plug()
        await asyncio.sleep(5.0)
        assert health[-1].can_take_payments
        assert len(health) <= 4, "told when it changes, not with everything that happens"

    in_a_shop(tmp_path, test)


def test_health_says_at_once_that_a_payment_is_in_doubt(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        health = told(shop)
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, stage="authorizing")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        await asyncio.sleep(AT_ONCE_SECONDS)
        assert health[-1].payments.in_doubt == 1

    slow = Scenario(otherwise=Plan(seconds_at_host=60.0))
    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": slow}))


def test_health_that_does_not_change_keeps_its_rhythm(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await asyncio.sleep(AT_ONCE_SECONDS)
        health = told(shop)
        await asyncio.sleep(10 * HEALTH_SECONDS)
        assert len(health) == 10

    in_a_shop(tmp_path, test)


def test_health_names_a_gap_until_somebody_noted_it(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(5.0)
        health = told(shop)
        shop.ports["counter-1"].unplug()
        shop.terminals["counter-1"].power_cut(1.0)  # it comes back with a free keypad
        await asyncio.sleep(2.0)
        assert shop.terminals["counter-1"].void_without_register()
        await shop.ports["counter-1"].plug()
        await asyncio.sleep(10.0)
        answer = await shop.ask("till-1", "terminal/reconcile")
        assert answer["result"]["status"] == "different"
        await asyncio.sleep(AT_ONCE_SECONDS)
        (gap,) = health[-1].gaps
        assert (gap.terminal_id, gap.explained, gap.closed) == ("counter-1", True, True)
        assert any("counter-1: its sum is -" in reason for reason in health[-1].reasons)
        assert health[-1].can_take_payments, "money can be taken all the same"
        await shop.ask("till-1", "terminal/note", approved_by="anna")
        await asyncio.sleep(AT_ONCE_SECONDS)
        assert health[-1].gaps == ()

    in_a_shop(tmp_path, test)


def test_health_says_which_holds_end_soon_or_may_have_ended(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, type="preauth", sale_id="H", **GUARD)
        await shop.until("till-1", 1, status="approved")
        health = told(shop)
        await asyncio.sleep(2 * HEALTH_SECONDS)
        assert not any("hold" in reason for reason in health[-1].reasons)
        shop.ahead = timedelta(days=5) - timedelta(hours=1)
        await asyncio.sleep(2 * HEALTH_SECONDS)
        assert "1 holds end within a day: capture or void them" in health[-1].reasons
        assert health[-1].can_take_payments
        shop.ahead = timedelta(days=5, hours=1)
        await asyncio.sleep(2 * HEALTH_SECONDS)
        assert any("1 holds may have ended" in reason for reason in health[-1].reasons)
        await shop.ask(
            "till-1",
            "payment/void",
            payment_id=payment_id(2),
            original_payment_id=payment_id(1),
            expires_at="2026-11-28T13:05:00Z",
        )
        await shop.until("till-1", 2, status="approved")
        await asyncio.sleep(2 * HEALTH_SECONDS)
        assert not any("hold" in reason for reason in health[-1].reasons)

    in_a_shop(tmp_path, test, Plans(terminal={"hold_days": 5}))


def test_a_log_that_grows_is_warned_about_and_payments_go_on(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        assert shop.parts.status.health().journal.log_mb is not None
        shop.parts.status._log_bytes = lambda: LOG_BYTES_MAX + 1_000_000
        health = shop.parts.status.health()
        assert health.journal.log_mb == 33
        assert any("reads the journal without an end" in one for one in health.reasons)
        assert health.can_take_payments

    in_a_shop(tmp_path, test)


def test_a_slow_disk_is_warned_about_by_its_median_and_not_by_one_bad_commit(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        shop.journal._took.extend([0.002] * COMMITS_REMEMBERED)
        shop.journal._took.extend([5.0] * 3)
        assert shop.parts.status.health().reasons == ()
        shop.journal._took.extend([0.2] * COMMITS_REMEMBERED)
        health = shop.parts.status.health()
        (reason,) = health.reasons
        assert "200 ms" in reason
        assert health.can_take_payments, "slow, and nothing is lost"

    in_a_shop(tmp_path, test)

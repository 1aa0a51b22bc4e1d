"""Payments that wait for a busy terminal, and terminals that stand for each other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from bridge.config import parse
from bridge.errors import ConfigError, RequestError
from bridge.money import payment as p
from bridge.money.payment.machine import QUEUE_TIMEOUT, advance
from bridge.register import api as k
from bridge.register.commands.presence import GRACE_SECONDS
from bridge.terminal.lease import LINE_MAX
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.shop import Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json
from tests.unit.money.payment.test_machine import STATES

SLOW = Plan(seconds_to_card=40.0)
SLOW_FIRST = Plans(shoppers={"counter-1": Scenario(payments=(SLOW,))})
TWO = Plans(
    terminals=("counter-1", "counter-2"),
    shoppers=dict.fromkeys(("counter-1", "counter-2"), Scenario(payments=(SLOW,))),
    pools={"front": ("counter-1", "counter-2")},
)


def test_payments_wait_their_turn_and_are_told_their_place(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        first = await shop.pay("till-1", 1, "1.00")
        assert first["result"] is None
        second = await shop.pay("till-2", 2, "2.00", when_busy="queue")
        third = await shop.pay("till-3", 3, "3.00", when_busy="queue")
        assert second["result"]["queue_position"] == 1
        assert third["result"]["queue_position"] == 2
        document = await shop.until("till-3", 3, status="queued", queue_position=2)
        assert document["display"]["lines"] == ["counter-1 is busy", "Number 2 in line"]
        assert shop.stations["counter-1"].in_line == (payment_id(2), payment_id(3))
        await shop.until("till-1", 1, status="approved")
        document = await shop.until("till-3", 3, status="queued", queue_position=1)
        assert document["display"]["lines"] == ["counter-1 is busy", "You are next"]
        document = await shop.until("till-3", 3, status="approved")
        assert document["queue_position"] is None
        assert shop.charged() == [100, 200, 300]

    in_a_shop(tmp_path, test, SLOW_FIRST)


def start_soon(shop: Shop, seconds: float, deadline: int = 120) -> asyncio.Task[Json]:
    until = k.format_time(shop.now() + timedelta(seconds=seconds))
    return asyncio.create_task(shop.pay("till-1", 1, "1.00", expires_at=until, deadline_s=deadline))


def test_a_start_that_came_before_its_terminal_waits_for_it(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        answer = await start_soon(shop, 15.0)
        assert answer["status"] == "accepted", answer
        assert not shop.stations["counter-1"].state.can_take_payments
        await asyncio.sleep(5.0)  # a terminal that starts together with the PC
        assert shop.document("till-1", 1)["status"] == "queued"
        shop.power.set()
        await shop.until("till-1", 1, status="approved")
        assert shop.charged() == [100]

    in_a_shop(tmp_path, test, switched_on=False)


@pytest.mark.parametrize(("seconds", "deadline"), [(10.0, 120), (600.0, 30)])
def test_a_start_waits_for_its_terminal_no_longer_than_its_command_lives(
    tmp_path: Path, seconds: float, deadline: int
) -> None:
    async def test(shop: Shop) -> None:
        before = shop.now()
        answer = await start_soon(shop, seconds, deadline)
        assert answer["status"] == "accepted", answer
        document = await shop.until("till-1", 1, final=True)
        waited = (shop.now() - before).total_seconds()
        assert document["status"] == "canceled"
        assert document["error"]["code"] == QUEUE_TIMEOUT
        assert document["error"]["money_moved"] == "no"
        assert waited <= min(seconds, deadline) + 5
        shop.power.set()
        await asyncio.sleep(10.0)
        second = await shop.pay("till-1", 2, "2.00")
        assert second["status"] == "accepted", second
        await shop.until("till-1", 2, status="approved")
        assert shop.charged() == [200]

    in_a_shop(tmp_path, test, switched_on=False)


def test_who_does_not_wait_does_not_overtake_who_does(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.pay("till-4", 4, "4.00", when_busy="queue")
        await shop.until("till-2", 2, status="in_progress")
        answer = await shop.pay("till-3", 3, "3.00")
        assert answer["error"]["code"] == "terminal_busy"
        await shop.until("till-4", 4, status="approved")
        assert shop.charged() == [100, 200, 400]

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_a_terminal_that_serves_its_line_is_busy(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.until("till-2", 2, status="in_progress")
        answer = await shop.pay("till-3", 3, "3.00")
        assert answer["error"]["code"] == "terminal_busy"
        await shop.until("till-2", 2, status="approved")
        assert shop.charged() == [100, 200]

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_a_place_in_line_comes_before_a_claim(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        station = shop.stations["counter-1"]
        station.line_up(payment_id(1))  # its request is being stored
        with pytest.raises(RequestError) as caught:
            station.claim(payment_id(2), "till-2")
        assert caught.value.code == "terminal_busy"
        station.release(payment_id(1))  # refused after all
        assert station.in_line == ()
        assert station.claim(payment_id(2), "till-2") is not None

    in_a_shop(tmp_path, test)


def test_a_free_terminal_is_taken_at_once_by_who_would_wait(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        answer = await shop.pay("till-1", 1, when_busy="queue")
        assert answer["result"] is None
        await shop.until("till-1", 1, status="approved")

    in_a_shop(tmp_path, test)


def test_a_payment_canceled_while_it_waits_is_never_sent(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.pay("till-3", 3, "3.00", when_busy="queue")
        answer = await shop.ask("till-2", "payment/cancel", payment_id=payment_id(2))
        assert answer["payment_status"] == "canceled"
        document = await shop.until("till-2", 2, status="canceled")
        assert document["error"]["code"] == "canceled_by_cashier"
        await shop.until("till-3", 3, queue_position=1)
        await shop.until("till-3", 3, status="approved")
        assert shop.charged() == [100, 300]

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_a_wait_ends_with_its_deadline(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue", deadline_s=15)
        began = asyncio.get_running_loop().time()
        document = await shop.until("till-2", 2, status="canceled")
        assert 14.5 < asyncio.get_running_loop().time() - began < 15.5
        assert document["cancel_reason"] == "queue_timeout"
        assert document["error"]["code"] == "queue_timeout"
        assert (document["error"]["money_moved"], document["error"]["retry"]) == ("no", "new_id")
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(60)
        assert shop.charged() == [100]

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_a_wait_that_is_over_ends_nothing_any_more(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue", deadline_s=60)
        await shop.until("till-2", 2, status="in_progress")  # after 40 s; its shopper takes 40, too
        document = await shop.until("till-2", 2, status="approved")
        assert document["amounts"]["captured_amount"] == "2.00"

    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": Scenario(otherwise=SLOW)}))


def test_a_line_has_an_end(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        for number in range(2, LINE_MAX + 2):
            answer = await shop.pay("till-2", number, when_busy="queue")
            assert answer["status"] == "accepted"
        answer = await shop.pay("till-2", 99, when_busy="queue")
        assert answer["error"]["code"] == "queue_full"
        assert answer["error"]["money_moved"] == "no"
        assert shop.ledger.payments.get(payment_id(99)) is None

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_the_same_start_again_keeps_its_place(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        again = await shop.pay("till-2", 2, "2.00", when_busy="queue")
        assert (again["duplicate"], again["result"]["queue_position"]) == (True, 1)
        await shop.until("till-2", 2, status="approved")
        assert shop.charged() == [100, 200]

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_nobody_pays_while_an_earlier_payment_is_being_asked_about(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        # The memory proves nothing while it is empty.
        await shop.pay("till-3", 3, "3.00")
        await shop.until("till-3", 3, status="approved")
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        await asyncio.sleep(5)
        assert shop.document("till-2", 2)["status"] == "queued"
        await shop.ports["counter-1"].plug()
        document = await shop.until("till-1", 1, final=True)
        assert document["funds"] == "none"
        await shop.until("till-2", 2, status="approved")
        assert shop.charged() == [300, 200]

    slow_second = Scenario(payments=(Plan(), SLOW))
    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": slow_second}))


def test_a_register_that_is_gone_waits_no_more(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        shop.leave("till-2")
        document = await shop.until("till-2", 2, status="canceled")
        assert document["cancel_reason"] == "register_lost"

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_a_will_alone_decides_nothing(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.pay("till-3", 3, "3.00", when_busy="queue")
        shop.leave("till-2")
        shop.leave("till-3")
        await asyncio.sleep(GRACE_SECONDS / 2)
        shop.come("till-2")
        await shop.ask("till-3", "payment/status", payment_id=payment_id(3))
        await asyncio.sleep(GRACE_SECONDS * 2)
        for till, number in (("till-2", 2), ("till-3", 3)):
            assert shop.document(till, number)["status"] == "queued"
        shop.leave("till-2")
        await asyncio.sleep(GRACE_SECONDS + 1)
        assert shop.document("till-2", 2)["cancel_reason"] == "register_lost"
        assert shop.document("till-3", 3)["status"] == "queued"

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_nobody_is_called_gone_while_nobody_can_be_heard(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        shop.leave("till-2")
        await asyncio.sleep(1)
        shop.broker.restart(3 * GRACE_SECONDS, forget=True)
        await asyncio.sleep(3 * GRACE_SECONDS)
        shop.come("till-2")  # its birth, as soon as there is a broker again
        await asyncio.sleep(2 * GRACE_SECONDS)
        assert shop.document("till-2", 2)["status"] == "queued"

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_what_waited_when_the_service_died_is_failed_and_nothing_was_sent(tmp_path: Path) -> None:
    async def before(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")

    async def after(shop: Shop) -> None:
        document = await shop.until("till-2", 2, status="failed")
        assert document["error"]["code"] == "bridge_restarted"
        assert document["error"]["money_moved"] == "no"
        await asyncio.sleep(60)
        assert shop.charged() == []

    in_a_shop(tmp_path, before, SLOW_FIRST)
    in_a_shop(tmp_path, after)


def test_a_pool_gives_the_first_terminal_that_is_free(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        pay = partial(shop.pay, terminal_pool="front")
        await pay("till-1", 1, "1.00")
        await pay("till-2", 2, "2.00")
        answer = await pay("till-3", 3, "3.00")
        assert answer["error"]["code"] == "terminal_busy"
        busy = {"counter-1": "terminal_busy", "counter-2": "terminal_busy"}
        assert answer["error"]["detail"]["terminals"] == busy
        again = await pay("till-2", 2, "2.00")
        assert again["duplicate"]
        assert (await pay("till-4", 4, "4.00", when_busy="queue"))["result"]["queue_position"] == 1
        assert (await pay("till-5", 5, "5.00", when_busy="queue"))["result"]["queue_position"] == 1
        await shop.until("till-4", 4, status="approved")
        await shop.until("till-5", 5, status="approved")
        assert shop.charged("counter-1") == [100, 400]
        assert shop.charged("counter-2") == [200, 500]

    in_a_shop(tmp_path, test, TWO)


def test_a_pool_passes_over_a_terminal_that_is_gone(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        shop.ports["counter-1"].unplug()
        await asyncio.sleep(1)
        await shop.pay("till-1", 1, "1.00", terminal_pool="front")
        document = await shop.until("till-1", 1, status="in_progress")
        assert document["terminal_id"] == "counter-2"
        shop.ports["counter-2"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        answer = await shop.pay("till-2", 2, terminal_pool="front", when_busy="queue")
        assert answer["status"] == "accepted", "counter-2 will be asked, then it is free"

    in_a_shop(tmp_path, test, TWO)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"terminal_pool": "back"}, "terminal_unknown"),
        ({"terminal_pool": "front", "terminal_id": "counter-1"}, "invalid_request"),
    ],
)
def test_a_pool_that_cannot_be_meant_is_refused(
    tmp_path: Path, fields: dict[str, str], code: str
) -> None:
    async def test(shop: Shop) -> None:
        answer = await shop.ask(
            "till-1",
            "payment/start",
            payment_id=payment_id(1),
            amounts={"currency": "EUR", "requested_amount": "1.00"},
            **fields,
        )
        assert answer["error"]["code"] == code
        assert answer["error"]["detail"]["path"] == "terminal_pool"

    in_a_shop(tmp_path, test, TWO)


def test_a_pool_has_terminals_that_exist() -> None:
    table = {
        "site": {"store_code": "S"},
        "terminals": {"counter-1": {"driver": "zvt", "port": "/dev/null"}},
        "pools": {"front": {"terminals": ["counter-1", "counter-2"]}},
    }
    with pytest.raises(ConfigError, match=r"pools\.front\.terminals: no terminal counter-2"):
        parse(table)


def test_a_queue_timeout_does_not_stop_a_payment_that_runs() -> None:
    running = STATES["in_progress"]
    assert advance(running, p.CancelAsked(QUEUE_TIMEOUT)) == (running, ())

"""What the desk tells of payments it knows, and what becomes of those that nobody waits for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bridge.control import Control
from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.payment.machine import ENDS_OF_WAITS, advance
from bridge.register import api as k
from bridge.register.commands.replies import Replies
from bridge.register.mqtt.messages import Delivery
from bridge.register.outbox import Outbox
from simulators.broker import Message
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json
from tests.unit.money.payment.test_machine import STATES

ROOT = Path(__file__).parents[3]
SLOW = Plan(seconds_to_card=40.0)
SLOW_FIRST = Plans(shoppers={"counter-1": Scenario(payments=(SLOW,))})
TWO = Plans(
    terminals=("counter-1", "counter-2"),
    shoppers={"counter-1": Scenario(payments=(SLOW,))},
    pools={"front": ("counter-1", "counter-2")},
)
DECLINES = Plans(shoppers={"counter-1": Scenario(otherwise=Plan(outcome="decline", code=0x05))})


def test_one_id_on_two_terminals_is_a_conflict_that_wants_a_look_first(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00", terminal_id="counter-1")
        for elsewhere in ({"terminal_id": "counter-2"}, {"terminal_pool": "front"}):
            error = (await shop.pay("till-1", 1, "1.00", **elsewhere))["error"]
            assert error["code"] == "idempotency_conflict"
            assert (error["retry"], error["money_moved"]) == ("after_check", "unknown")
        await shop.until("till-1", 1, status="approved")
        error = (await shop.pay("till-1", 1, "1.00", terminal_id="counter-2"))["error"]
        assert (error["retry"], error["money_moved"]) == ("after_check", "yes")
        assert shop.charged("counter-1") == [100]
        assert shop.charged("counter-2") == []

    in_a_shop(tmp_path, test, TWO)


def test_a_conflict_with_a_payment_in_doubt_is_no_reason_for_a_new_id(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        answer = await shop.pay("till-1", 1, "2.00")
        assert answer["payment_status"] == "in_doubt"
        assert answer["error"]["retry"] == "after_check"
        assert answer["error"]["money_moved"] == "unknown"

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_a_conflict_with_what_was_declined_moved_nothing(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.until("till-1", 1, status="declined")
        error = (await shop.pay("till-1", 1, "2.00"))["error"]
        assert (error["retry"], error["money_moved"]) == ("new_id", "no")

    in_a_shop(tmp_path, test, DECLINES)


@pytest.mark.parametrize("amount", ["1.00", "2.00"])
def test_another_register_is_told_nothing_of_a_payment(tmp_path: Path, amount: str) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        answer = await shop.pay("till-2", 1, amount)
        assert answer["error"]["code"] == "not_allowed"
        assert answer["payment_status"] is None
        assert answer["rev"] is None

    in_a_shop(tmp_path, test)


def test_a_person_who_resolves_what_is_over_hears_how_it_is(tmp_path: Path) -> None:
    answer = {
        "payment_id": payment_id(1),
        "outcome": "not_charged",
        "evidence": {"source": "merchant_slip"},
        "approved_by": "anna",
    }

    async def before(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, status="declined")
        seen = {"payment_id": payment_id(1), "rev": document["rev"]}
        await shop.ask("till-1", "payment/acknowledge", **seen)
        while shop.document("till-1", 1):
            await shop.ask("till-1", "payment/list")

    async def after(shop: Shop) -> None:
        assert shop.ledger.payments.get(payment_id(1)) is None, "nobody needs it in memory"
        error = (await shop.ask("till-1", "payment/resolve", **answer))["error"]
        assert error["code"] == "not_allowed"
        assert "declined" in error["message"]

    in_a_shop(tmp_path, before, DECLINES)
    in_a_shop(tmp_path, after)


def test_a_doubt_is_resolved_once_however_often_the_answer_is_sent(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        answer = {
            "payment_id": payment_id(1),
            "outcome": "not_charged",
            "evidence": {"source": "terminal_display"},
            "approved_by": "anna",
        }
        first = await shop.ask("till-1", "payment/resolve", **answer)
        again = await shop.ask("till-1", "payment/resolve", **answer)
        assert (first["status"], again["status"]) == ("accepted", "accepted")
        assert (again["payment_status"], again["rev"]) == ("failed", first["rev"])
        otherwise = answer | {
            "outcome": "approved",
            "evidence": {"approval_code": "1", "source": "acquirer"},
        }
        corrected = await shop.ask("till-1", "payment/resolve", **otherwise)
        assert corrected["status"] == "accepted"
        document = await shop.until("till-1", 1, funds="captured")
        assert document["status"] == "failed", "what was told is not rewritten"
        said = [(one["operator_id"], one["outcome"]) for one in document["resolution"]["answers"]]
        assert said == [("anna", "not_charged"), ("anna", "approved")]
        assert (document["error"]["money_moved"], document["error"]["retry"]) == ("yes", "no")
        late = await shop.ask("till-1", "payment/resolve", **answer)
        assert late["status"] == "accepted", "the first command, once more"
        assert late["rev"] == document["rev"], "it takes nothing back"

    in_a_shop(tmp_path, test, SLOW_FIRST)


class Office:
    """A back office that can be asked for records, or cannot."""

    def __init__(self, found: bool | None) -> None:
        self.found = found
        self.asked: list[tuple[str, str]] = []

    async def purchase_exists(self, record_id: str, transaction_id: str = "") -> bool | None:
        """Say what the test wants."""
        self.asked.append((record_id, transaction_id))
        return self.found


def test_a_record_that_the_back_office_does_not_show_is_no_answer(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "10.00")
        await shop.until("till-1", 1, status="approved")
        purchase = shop.ledger.payments.purchase_of(payment_id(1))
        assert purchase is not None
        name = purchase.purchase.content.transaction_id
        await shop.ledger.apply_purchase(name, s.Sending())
        await shop.ledger.apply_purchase(name, s.Unproven("time out"))
        office = Office(found=False)
        control = Control(tmp_path / "control.sock", shop.ledger, shop.desk, office)

        async def say(**facts: object) -> dict[str, object]:
            order = {"do": "resolve_purchase", "payment_id": payment_id(1), "by": "anna"}
            return await control._answer(json.dumps(order | facts).encode())

        refused = await say(record_id="P9")
        assert (refused["ok"], refused["path"]) == (False, "record_id")
        assert office.asked == [("P9", name)]
        office.found = None
        taken = await say(record_id="P9")
        assert (taken["booking"], taken["checked"]) == ("recorded", "cannot_tell")
        office.found = True
        corrected = await say(record_id="P1", by="bert")
        assert (corrected["booking"], corrected["checked"]) == ("recorded", "found")
        account = shop.ledger.payments.get(payment_id(1))
        assert account is not None
        assert account.payment.record_id == "P1"
        entries = await shop.ledger._journal.entries_of(name)
        said = [one.event for one in entries if isinstance(one.event, s.Answered)]
        assert [(one.by, one.record_id, one.checked) for one in said] == [
            ("anna", "P9", "cannot_tell"),
            ("bert", "P1", "found"),
        ]

    in_a_shop(tmp_path, test)


def test_who_waits_in_line_is_told_when_the_bridge_stops_and_who_pays_is_left_alone(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.pay("till-2", 2, "2.00", when_busy="queue")
        await shop.desk.drain()
        document = await shop.until("till-2", 2, status="canceled")
        assert document["cancel_reason"] == "shutdown"
        assert document["error"]["money_moved"] == "no"
        await shop.until("till-1", 1, status="approved")
        assert shop.charged() == [100]
        answer = await shop.pay("till-2", 3)
        assert answer["error"]["code"] == "bridge_draining"

    in_a_shop(tmp_path, test, SLOW_FIRST)


@pytest.mark.parametrize("reason", sorted(ENDS_OF_WAITS))
def test_a_wait_that_is_over_is_ended_by_nothing(reason: str) -> None:
    for status, payment in STATES.items():
        after, actions = advance(payment, p.CancelAsked(reason))
        if status == "queued":
            assert after.status is p.Status.CANCELED
        else:
            assert (after, actions) == (payment, ())


def test_a_person_may_say_what_amount_the_slip_shows(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "10.00")
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        answer = {"payment_id": payment_id(1), "outcome": "approved", "approved_by": "anna"}
        slip = {"approval_code": "481516", "source": "merchant_slip"}
        for wrong in ("10.01", "0.00", "5"):
            evidence = {**slip, "amount": wrong}
            error = (await shop.ask("till-1", "payment/resolve", **answer, evidence=evidence))[
                "error"
            ]
            assert (error["code"], error["detail"]["path"]) == ("invalid_amount", "evidence.amount")
        denied = answer | {"outcome": "not_charged", "evidence": {**slip, "amount": "4.00"}}
        refused = await shop.ask("till-1", "payment/resolve", **denied)
        assert refused["error"]["detail"]["path"] == "evidence.amount"
        await shop.ask("till-1", "payment/resolve", **answer, evidence={**slip, "amount": "4.00"})
        document = await shop.until("till-1", 1, status="approved")
        assert document["amounts"]["authorized_amount"] == "4.00"

    in_a_shop(tmp_path, test)


def test_a_refusal_says_when_to_try_again_where_that_is_known(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        error = (await shop.pay("till-2", 2))["error"]
        assert (error["code"], error["retry_after_s"]) == ("terminal_busy", 20)
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        error = (await shop.pay("till-2", 2))["error"]
        assert (error["code"], error["retry_after_s"]) == ("terminal_busy", 5)
        error = (await shop.pay("till-2", 2, terminal_id="nowhere"))["error"]
        assert error["retry_after_s"] is None

    in_a_shop(tmp_path, test, SLOW_FIRST)


def test_the_published_links_lead_to_files(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        info = json.loads(shop.broker.retained[TOPICS.bridge_info].payload)
        assert set(info["links"]) >= {"asyncapi", "schemas"}
        for path in info["links"].values():
            assert (ROOT / path).exists()

    in_a_shop(tmp_path, test)


def test_no_number_of_an_event_comes_twice_also_after_a_restart(tmp_path: Path) -> None:
    events: list[Json] = []

    def listen(shop: Shop) -> None:
        def hear(message: Message) -> None:
            if message.topic.endswith("/events"):
                events.append(json.loads(message.payload))
            shop.hear(message)

        shop.broker.on_published = hear

    async def before(shop: Shop) -> None:
        listen(shop)
        for number in (1, 2):
            await shop.pay("till-1", number, "1.00", sale_id=f"S{number}")
            await shop.until("till-1", number, status="approved")
        await asyncio.sleep(1)

    async def after(shop: Shop) -> None:
        listen(shop)
        await asyncio.sleep(1)
        await shop.pay("till-1", 3, "1.00")
        await shop.until("till-1", 3, status="approved")
        await asyncio.sleep(1)

    in_a_shop(tmp_path, before)
    assert [one["type"] for one in events].count("payment_created") == 2
    count = len(events)
    in_a_shop(tmp_path, after)
    numbers = [one["seq"] for one in events]
    assert numbers == sorted(set(numbers))
    assert {one["payment_id"] for one in events[count:]} == {payment_id(3)}, "nothing is told twice"


def test_what_is_known_is_answered_whatever_the_command_says_of_terminals(tmp_path: Path) -> None:
    async def before(shop: Shop) -> None:
        await shop.pay("till-1", 1, terminal_id="counter-1")
        document = await shop.until("till-1", 1, status="declined")
        seen = {"payment_id": payment_id(1), "rev": document["rev"]}
        await shop.ask("till-1", "payment/acknowledge", **seen)
        while shop.document("till-1", 1):
            await shop.ask("till-1", "payment/list")

    async def after(shop: Shop) -> None:
        assert shop.ledger.payments.get(payment_id(1)) is None
        again = await shop.pay("till-1", 1, terminal_id="counter-1")
        assert (again["duplicate"], again["payment_status"]) == (True, "declined")
        await shop.desk.drain()
        again = await shop.pay("till-1", 1, terminal_id="counter-1")
        assert (again["duplicate"], again["payment_status"]) == (True, "declined")

    in_a_shop(tmp_path, before, DECLINES)
    in_a_shop(tmp_path, after, Plans(terminals=("counter-9",)))


def test_a_refusal_that_was_not_heard_in_time_is_not_heard_at_all(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        outbox = Outbox(shop.ledger.payments.something_changed.set)
        replies = Replies(outbox, TOPICS, shop.ledger, shop.now)
        start = json.dumps({"request_id": "r", "payment_id": payment_id(1)}).encode()
        for till in ("till-1", "till-2"):
            busy = RequestError("terminal_busy", "somebody else is paying")
            replies.refuse(Delivery("", start), till, "payment/start", busy)
        accepted = k.Response(
            request_id="r",
            op="payment/start",
            status="accepted",
            payment_id=payment_id(1),
            time=shop.now(),
        )
        replies.say(Delivery("", start), "till-1", accepted)
        told = [(one.topic.split("/")[3], json.loads(one.payload)) for one in outbox.responses]
        statuses = [(till, answer["status"]) for till, answer in told]
        assert statuses == [("till-2", "error"), ("till-1", "accepted")]

    in_a_shop(tmp_path, test)


def test_the_command_line_may_say_what_amount_the_slip_shows(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "10.00")
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        control = Control(tmp_path / "control.sock", shop.ledger, shop.desk)
        order = {
            "do": "resolve_payment",
            "payment_id": payment_id(1),
            "outcome": "approved",
            "by": "anna",
            "approval_code": "481516",
        }
        refused = await control._answer(json.dumps(order | {"amount": "10.01"}).encode())
        assert (refused["ok"], refused["code"]) == (False, "invalid_amount")
        taken = await control._answer(json.dumps(order | {"amount": "4.00"}).encode())
        assert taken["ok"], taken
        document = await shop.until("till-1", 1, status="approved")
        assert document["amounts"]["authorized_amount"] == "4.00"

    in_a_shop(tmp_path, test)

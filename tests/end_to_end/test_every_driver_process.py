"""The money tests of every driver once more on real parts: process, broker, pty or TCP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from simulators.terminals.shared.ledger import Entry, read_ledger, standing
from tests.end_to_end.broker import Mosquitto
from tests.end_to_end.parts import TERMINAL, base_tables, plan, scenario, write_config
from tests.end_to_end.program import Json, Program
from tests.end_to_end.till import BASE, Account, Till
from tests.support.commands import start_fields
from tests.support.counter import FOREIGN_KINDS, KINDS, Kind

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio(loop_scope="module")]

SETTLED_SECONDS_MAX = 60.0  # a terminal's own timers (ZVT: three times T2) come first
ALWAYS = ("zvt-tcp", "pax-tcp", "caisse_ap-tcp")  # 30 s; all seven take minutes
TRIES_MAX = 25  # 5 s: a terminal is probed between two payments
# Short link timers, so that a cut line is found out in a second.
QUICK: dict[str, Json] = {
    # Nobody types payments in at this terminal; what a ZVT tells without that goes to a person.
    "zvt": {"acknowledge_seconds": 0.5, "reply_seconds": 2.0, "keypad_stays_locked": True},
    "pax": {"acknowledge_seconds": 0.5, "report_seconds": 3.0},
}


@dataclass(slots=True)
class Place:
    """A till, a broker, the service and one terminal, as processes of their own."""

    kind: Kind
    folder: Path
    terminal: Program
    bridge: Program
    till: Till

    async def start_bridge(self) -> None:
        after = len(self.till.heard)
        await self.bridge.start()
        await self.till.online(after=after)

    async def shoppers(self, *plans: Json) -> None:
        await self.terminal.tell(do="scenario", scenario=scenario(*plans))

    def fields(self, amount: str, **more: Any) -> Json:
        fields = start_fields(_new_id(self.till), amount, **more)
        fields["amounts"]["currency"] = more.get("currency", self.kind.currency)
        fields.pop("currency", None)
        return fields

    async def start(self, amount: str) -> str:
        fields = self.fields(amount)
        answer = await self.till.ask("payment/start", fields)
        for _ in range(TRIES_MAX):  # as a register does that is told `retry: same_id`
            if answer["status"] == "accepted" or answer["error"]["retry"] != "same_id":
                break
            await asyncio.sleep(0.2)
            answer = await self.till.ask("payment/start", fields)
        assert answer["status"] == "accepted", answer["error"]
        return str(fields["payment_id"])

    def movements(self, amount: str) -> list[Entry]:
        """Return what the terminal's own ledger holds of `amount`."""
        minor = int(amount.replace(".", ""))
        entries = read_ledger(self.folder / "terminal.jsonl")
        return [one for one in standing(entries) if one.amount_minor == minor]

    async def settled(self, payment_id: str, amount: str) -> Json:
        """Wait for the end, or be the person who reads the slip; both must tell the truth."""

        def waits_for_nobody(document: Json) -> bool:
            return bool(document["final"] or (document.get("in_doubt") or {}).get("needs_operator"))

        document = await self.till.document(
            payment_id, waits_for_nobody, "an end", seconds=SETTLED_SECONDS_MAX
        )
        if not document["final"]:
            await asyncio.sleep(2.0)  # the shopper and the host come to their end
            answer = {
                "payment_id": payment_id,
                "outcome": "approved" if self.movements(amount) else "not_charged",
                "approved_by": "supervisor-1",
                "evidence": {"source": "merchant_slip", "approval_code": "123456"},
            }
            await self.till.ask("payment/resolve", answer)
            document = await self.till.document(payment_id, lambda d: bool(d["final"]))
        paid = self.movements(amount)
        assert len(paid) <= 1
        assert (document["status"] == "approved") is (len(paid) == 1)
        await self.till.until(self._is_ready, "a ready terminal", SETTLED_SECONDS_MAX)
        return document

    def _is_ready(self) -> bool | None:
        topic = f"{BASE}/terminals/{TERMINAL}/state"
        states = [one.content for one in self.till.heard if one.topic == topic and one.payload]
        return True if states[-1]["ready"] else None


def _new_id(till: Till) -> str:
    return f"018f6f0e-8a44-7c1b-9a3e-{len(till.heard):012d}"


def _terminal(kind: Kind, folder: Path) -> Program:
    is_serial = kind.transport == "serial"
    where = ("--pty", str(folder / "terminal")) if is_serial else ("--tcp", "127.0.0.1:0")
    return Program(
        folder,
        "terminal",
        *("simulators", "terminal", *kind.simulator.split(), *where, "--control"),
        *("--scenario", str(folder / "scenario.json")),
        *("--ledger", str(folder / "terminal.jsonl")),
        *("--memory", str(folder / "terminal.flash")),
    )


# A connection that is closed behind an answer looks different where packets travel.
OVER_REAL_SOCKETS = tuple(one for one in FOREIGN_KINDS if one.name == "zvt-hangs_up")


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        pytest.param(one, id=one.name, marks=() if one.name in ALWAYS else pytest.mark.slow)
        for one in (*KINDS, *OVER_REAL_SOCKETS)
    ],
)
async def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    kind: Kind = request.param
    folder = tmp_path_factory.mktemp("place")
    (folder / "scenario.json").write_text(json.dumps(scenario()))
    broker, terminal = Mosquitto(folder), _terminal(kind, folder)
    bridge = Program(
        folder, "bridge", "bridge", "run", "--config", str(folder / "paybridge.toml"), "--json"
    )
    till = Till(Account(broker.port))
    till.worth_waiting = lambda: not bridge.fell
    try:
        await asyncio.gather(broker.start(), terminal.start())
        line = (
            {"port": terminal.ready["pty"]}
            if kind.transport == "serial"
            else {"tcp": terminal.ready["tcp"]}
        )
        connection = "persistent" if kind.persistent else "on_demand"
        tables = base_tables(
            folder, broker.port, {**line, "driver": kind.driver.name, "connection": connection}
        )
        settings = {**kind.settings, **QUICK.get(kind.driver.name, {})}
        tables[f"terminals.{TERMINAL}.settings"] = settings
        write_config(folder / "paybridge.toml", tables)
        async with till.at_work():
            here = Place(kind, folder, terminal, bridge, till)
            await here.start_bridge()
            await till.ready()
            yield here
    finally:
        await bridge.kill()
        await terminal.kill()
        await broker.kill()


async def test_an_approved_sale_is_captured_once(place: Place) -> None:
    payment_id = await place.start("20.40")
    document = await place.till.status(payment_id, "approved")
    assert document["funds"] == "captured"
    assert len(place.movements("20.40")) == 1
    await place.till.ready()


async def test_a_declined_sale_takes_nothing(place: Place) -> None:
    await place.shoppers(plan(outcome="decline", code=0x05))
    payment_id = await place.start("21.40")
    document = await place.till.status(payment_id, "declined")
    assert document["funds"] == "none"
    assert place.movements("21.40") == []
    await place.till.ready()


async def test_a_cancel_stops_it_or_waits_for_the_red_key(place: Place) -> None:
    by_hand = place.kind.can.cancel == "at_terminal_only"
    red_key = plan(outcome="cancel", seconds_to_card=1.5)
    await place.shoppers(red_key if by_hand else plan(seconds_to_card=60))
    payment_id = await place.start("22.40")
    await asyncio.sleep(0.5)
    answer = await place.till.ask("payment/cancel", {"payment_id": payment_id})
    assert answer["status"] == "accepted"
    document = await place.till.document(payment_id, lambda d: bool(d["final"]))
    assert document["status"] in {"canceled", "declined"}
    assert place.movements("22.40") == []
    await place.till.ready()


async def test_another_currency_is_refused(place: Place) -> None:
    fields = place.fields("23.40", currency="GBP")
    answer = await place.till.ask("payment/start", fields)
    assert answer["error"]["code"] == "invalid_request"
    assert answer["error"]["detail"]["path"] == "amounts.currency"
    assert answer["error"]["money_moved"] == "no"


async def test_a_refund_is_given_or_refused(place: Place) -> None:
    original = await place.start("24.40")
    await place.till.status(original, "approved")
    await place.till.ready()
    money = {"currency": place.kind.currency, "requested_amount": "4.41"}
    wish = {"payment_id": _new_id(place.till), "original_payment_id": original, "amounts": money}
    answer = await place.till.ask("payment/refund", wish)
    if "refund" not in place.kind.can.operations:
        assert answer["error"]["code"] == "operation_not_supported"
        assert place.movements("4.41") == []
        return
    await place.till.status(wish["payment_id"], "approved")  # type: ignore[arg-type]  # a text
    assert [one.kind for one in place.movements("4.41")] == ["refunded"]
    await place.till.ready()


async def test_a_plug_pulled_at_the_host_is_a_doubt_until_the_truth_is_known(place: Place) -> None:
    await place.shoppers(plan(seconds_at_host=1.5))
    payment_id = await place.start("25.40")
    await asyncio.sleep(0.7)
    await place.terminal.tell(do="unplug")
    doubt = await place.till.status(payment_id, "in_doubt")
    assert doubt["funds"] == "unknown"
    await asyncio.sleep(1.5)
    await place.terminal.tell(do="replug")
    await place.settled(payment_id, "25.40")


@pytest.mark.parametrize("seconds", [0.0, 0.7])
async def test_a_killed_service_finds_out_and_never_orders_twice(
    place: Place, seconds: float
) -> None:
    amount = f"26.4{int(seconds * 10)}"
    await place.shoppers(plan(seconds_at_host=1.5))
    payment_id = await place.start(amount)
    await asyncio.sleep(seconds)
    await place.bridge.kill()
    await place.start_bridge()
    await place.settled(payment_id, amount)
    again = await place.start("1.00")
    await place.till.status(again, "approved")
    await place.till.ready()

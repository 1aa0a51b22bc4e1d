"""What the station does before a payment may start, and with terminals that cannot be asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from drivers import contract as c
from drivers.contract import Money
from tests.support.counter import KINDS, TERMINAL, Counter, Kind, at_a_counter, plan, trouble

BY_NAME = {kind.name: kind for kind in KINDS}
LINES = [BY_NAME[name] for name in ("zvt-serial", "zvt-tcp", "pax-serial", "pax-tcp")]
PERSISTENT = pytest.mark.parametrize("kind", LINES, ids=[one.name for one in LINES])
PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"


def request(counter: Counter, payment_id: str = PAYMENT) -> p.PaymentRequest:
    return p.PaymentRequest(
        payment_id=payment_id,
        register_id="till-1",
        terminal_id=TERMINAL,
        type=p.PaymentType.SALE,
        amount=Money(2040, counter.kind.currency),
        content_hash="hash",
    )


async def replug(counter: Counter) -> None:
    counter.port.unplug()
    await asyncio.sleep(1)
    await counter.port.plug()


@PERSISTENT
def test_a_claim_outlives_a_replug_of_the_same_terminal(kind: Kind, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        started = counter.life.station.claim(PAYMENT, "till-1")
        await replug(counter)
        await counter.ready()
        await counter.life.ledger.accept(request(counter), started)
        payment = await counter.end_of(PAYMENT)
        assert payment.status is p.Status.APPROVED
        assert counter.taken_minor() == 2040

    at_a_counter(kind, tmp_path, visit)


@PERSISTENT
def test_a_claimed_payment_waits_for_the_probe_of_a_reopened_line(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        station = counter.life.station
        started = station.claim(PAYMENT, "till-1")
        counter.port.unplug()
        await counter.port.plug()
        probes = station.state.probes
        await counter.life.ledger.accept(request(counter), started)
        told = {None, c.Stage.STARTING}
        await counter.until(lambda: counter.payment(PAYMENT).stage not in told, "its first word")
        assert station.state.probes > probes

    at_a_counter(kind, tmp_path, visit)


def test_a_claim_does_not_outlive_a_payment_typed_in_at_the_terminal(tmp_path: Path) -> None:
    """The stored baseline would make the stranger's payment look like ours."""

    async def visit(counter: Counter) -> None:
        await counter.end_of(await counter.start("9.99"))
        await counter.ready()
        await asyncio.sleep(1)
        started = counter.life.station.claim(PAYMENT, "till-1")
        assert started is not None, "nobody but us can start a payment there"
        counter.port.unplug()
        counter.terminal.power_cut(1.0)  # it comes back unregistered, and takes payments alone
        await asyncio.sleep(2)
        assert counter.terminal.pay_without_register(2040)
        await counter.port.plug()
        await counter.life.ledger.accept(request(counter), started)
        payment = await counter.end_of(PAYMENT)
        assert payment.status is p.Status.FAILED
        assert counter.taken_minor() == 999 + 2040
        assert counter.journal_minor() == 999

    at_a_counter(BY_NAME["zvt-serial"], tmp_path, visit)


def test_a_line_that_was_given_up_in_doubt_is_probed_before_the_next_payment(
    tmp_path: Path,
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("die", "status", seconds=10))
        await counter.end_of(await counter.start("20.40"))
        await counter.ready()
        station = counter.life.station
        station.connection.drop()
        assert station.claim(PAYMENT, "till-1") is None

    at_a_counter(BY_NAME["pax-tcp"], tmp_path, visit)


def test_no_connection_is_opened_to_ask_a_terminal_that_remembers_nothing(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("unplug", "status", seconds=1))
        payment_id = await counter.start("20.40")
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        opened, began = counter.opened, asyncio.get_running_loop().time()
        await counter.until(
            lambda: bool((doubt := counter.payment(payment_id).doubt) and doubt.needs_operator),
            "a call for a person",
        )
        assert asyncio.get_running_loop().time() - began < 1.0
        await asyncio.sleep(50)
        assert counter.opened - opened <= 1, "the probe of the terminal, no question about money"
        doubt = counter.payment(payment_id).doubt
        assert doubt is not None
        assert doubt.inquiries == 0

    at_a_counter(BY_NAME["caisse_ap-tcp"], tmp_path, visit)


def test_a_terminal_with_an_open_doubt_and_no_memory_takes_the_next_payment(
    tmp_path: Path,
) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(trouble("unplug", "status", seconds=1))
        await counter.start("20.40")
        await asyncio.sleep(60)
        await counter.ready()
        other = await counter.end_of(await counter.start("5.00"))
        assert other.status is p.Status.APPROVED

    at_a_counter(BY_NAME["caisse_ap-tcp"], tmp_path, visit)


@pytest.mark.parametrize("close", [True, False])
def test_the_end_of_day_is_refused_while_a_payment_is_in_doubt(close: bool, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(seconds_at_host=20))
        payment_id = await counter.start("20.40")
        await asyncio.sleep(10)
        counter.port.unplug()
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        written = bytes(counter.written)
        with pytest.raises(RequestError, match="in doubt") as refusal:
            counter.life.station.begin_operation("till-1/1", c.EndOfDay(close))
        assert refusal.value.code == "terminal_busy"
        answer = await counter.ask("terminal/reconcile", close=close)
        assert answer["error"]["code"] == "terminal_busy"
        assert bytes(counter.written) == written

    at_a_counter(BY_NAME["zvt-serial"], tmp_path, visit)


def test_an_end_of_day_that_waits_is_not_begun_once_its_payment_is_in_doubt(
    tmp_path: Path,
) -> None:
    """It was accepted while the payment ran; closing the batch would end all evidence."""

    async def visit(counter: Counter) -> None:
        before = await counter.end_of(await counter.start("9.99"))
        assert before.status is p.Status.APPROVED
        counter.shoppers(trouble("silent", "status", seconds=400))
        payment_id = await counter.start("20.40")
        await asyncio.sleep(1)
        counter.life.station.begin_operation("till-1/1", c.EndOfDay())
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        await counter.until(lambda: bool(counter.life.station.operation_results), "its end")
        (final,) = counter.life.station.operation_results.values()
        assert isinstance(final, c.Failed)
        assert "closed" not in [one.kind for one in counter.terminal.ledger.entries]
        payment = await counter.end_of(payment_id)
        assert (payment.status is p.Status.APPROVED) is (counter.taken_minor() == 999 + 2040)

    at_a_counter(BY_NAME["pax-serial"], tmp_path, visit)


@pytest.mark.parametrize("said", ["approved", "not_charged"])
def test_an_answer_that_comes_after_a_person_was_asked_is_heard_all_the_same(
    said: str, tmp_path: Path
) -> None:
    """It is evidence, and a terminal that insists on it takes no other payment until then."""

    async def visit(counter: Counter) -> None:
        counter.shoppers(plan(seconds_at_host=4, seconds_to_card=0))
        payment_id = await counter.start("20.40")
        await asyncio.sleep(2)
        counter.port.unplug()
        await asyncio.sleep(3)
        evidence = {"source": "merchant_slip", "approval_code": "123456"}
        answer = await counter.ask(
            "payment/resolve",
            payment_id=payment_id,
            outcome=said,
            approved_by="supervisor-1",
            evidence=evidence,
        )
        assert answer["status"] == "accepted"
        await counter.port.plug()
        began = asyncio.get_running_loop().time()
        await counter.ready()
        assert asyncio.get_running_loop().time() - began < 60
        payment = counter.payment(payment_id)
        assert payment.resolved_by == "operator"
        assert counter.taken_minor() == 2040
        if said == "approved":
            assert payment.discrepancies == ()
            assert payment.approval is not None
            assert payment.approval.fingerprint, "the terminal's own words replace the slip's"
        else:
            assert [odd.kind for odd in payment.discrepancies] == ["approved_after_failed"]
        assert (await counter.end_of(await counter.start("5.00"))).status is p.Status.APPROVED

    at_a_counter(BY_NAME["telium-serial"], tmp_path, visit)

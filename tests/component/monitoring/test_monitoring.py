"""What machines see: measurements of a store that works, and whether it lives and is ready."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.config import Monitoring as Section
from bridge.errors import JournalError
from bridge.money.payment import Resolved
from bridge.monitoring.build import Monitoring, monitoring
from bridge.monitoring.http import CONNECTIONS_MAX, MonitoringServer
from bridge.monitoring.routes import Answer
from bridge.register.mqtt.messages import MqttSettings
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.shop import NOON, Plans, Shop, in_a_shop, payment_id

ROOT = Path(__file__).parents[3]
GUARD = {"expires_at": "2026-11-23T12:30:00Z"}
DECLINES = Scenario(payments=(Plan(), Plan(outcome="decline")))


def watched(shop: Shop) -> Monitoring:
    config = shop.parts.config.model_copy(
        update={"monitoring": _section()},
    )
    object.__setattr__(shop.parts, "config", config)
    loop = asyncio.get_running_loop()
    return monitoring(shop.parts, MqttSettings(), now=shop.now, monotonic=loop.time)


def _section() -> object:
    return Section(port=9464)


async def scrape(made: Monitoring) -> dict[str, float]:
    """Return every sample by its name and labels."""
    answer = await made.routes.answer("/metrics")
    assert answer is not None
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_payments_are_counted_by_what_became_of_them_once(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        made = watched(shop)
        await shop.pay("till-1", 1, "8.00", sale_id="S1", **GUARD)
        await shop.until("till-1", 1, status="approved")
        await shop.pay("till-1", 2, "9.00", sale_id="S2", **GUARD)
        await shop.until("till-1", 2, status="declined")
        rev = shop.document("till-1", 1)["rev"]
        numbers = {"payment_id": shop.document("till-1", 1)["payment_id"], "rev": rev}
        await shop.ask("till-1", "payment/acknowledge", **numbers)
        found = await scrape(made)
        where = "terminal_id=counter-1,type=sale"
        assert found[f"paybridge_payments_total{{status=approved,{where}}}"] == 1
        assert found[f"paybridge_payments_total{{status=declined,{where}}}"] == 1
        assert found["paybridge_can_take_payments"] == 1
        assert found["paybridge_payments_open"] == 0
        assert found["paybridge_terminal_online{terminal_id=counter-1}"] == 1
        assert found["paybridge_journal_commit_seconds_count"] >= 4
        stages = [name for name in found if name.startswith("paybridge_payment_stage_seconds_c")]
        assert "paybridge_payment_stage_seconds_count{stage=authorizing}" in stages
        assert found["paybridge_bookings_waiting{state=pending}"] == 1

    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": DECLINES}))


def test_a_doubt_and_its_age_are_seen_and_go_again(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        made = watched(shop)
        await shop.pay("till-1", 1, "8.00", **GUARD)
        await asyncio.sleep(0.5)
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        await asyncio.sleep(60)
        found = await scrape(made)
        assert found["paybridge_payments_in_doubt"] == 1
        assert 55 < found["paybridge_doubt_oldest_seconds"] < 75
        assert found["paybridge_payment_doubts_total{terminal_id=counter-1}"] == 1
        assert found["paybridge_can_take_payments"] == 0
        await shop.desk.existing.resolve(payment_id(1), Resolved("not_charged", "anna"))
        found = await scrape(made)
        assert (found["paybridge_payments_in_doubt"], found["paybridge_doubt_oldest_seconds"]) == (
            0,
            0,
        )
        ended = [v for name, v in found.items() if name.startswith("paybridge_payments_total{")]
        assert ended == [1]

    in_a_shop(tmp_path, test)


def test_an_end_of_day_and_the_files_are_seen(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        made = watched(shop)
        await shop.ask("till-1", "terminal/reconcile", terminal_id="counter-1")
        made.certificate_end = datetime(2027, 1, 1, tzinfo=UTC)
        found = await scrape(made)
        closed = found["paybridge_end_of_day_timestamp_seconds{terminal_id=counter-1}"]
        assert 0 <= closed - NOON.timestamp() < 60
        assert found["paybridge_journal_bytes"] > 0
        end = found["paybridge_broker_certificate_expiry_timestamp_seconds"]
        assert end == made.certificate_end.timestamp()

    in_a_shop(tmp_path, test)


def test_ready_depends_on_the_journal_and_not_on_a_cable(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        made = watched(shop)
        shop.ports["counter-1"].unplug()
        await asyncio.sleep(90)
        ready = await made.routes.answer("/readyz")
        assert ready is not None
        said = json.loads(ready.body)
        assert (ready.status, said["ready"], said["can_take_payments"]) == (200, True, False)
        alive = await made.routes.answer("/healthz")
        assert alive is not None
        assert alive.status == 200
        shop.journal._broken = JournalError("the disk is full")
        for path in ("/readyz", "/healthz"):
            answer = await made.routes.answer(path)
            assert answer is not None
            assert answer.status == 503, path
        assert await made.routes.answer("/nothing") is None
        shop.journal._broken = None
        shop.parts.status.draining = True
        stopping = await made.routes.answer("/readyz")
        assert stopping is not None
        assert json.loads(stopping.body)["why_not"] == ["the service is stopping"]

    in_a_shop(tmp_path, test)


@pytest.mark.slow  # wants promtool
def test_names_and_units_are_as_prometheus_wants_them(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        made = watched(shop)
        await shop.pay("till-1", 1, "8.00", **GUARD)
        await shop.until("till-1", 1, status="approved")
        answer = await made.routes.answer("/metrics")
        assert answer is not None
        (tmp_path / "page").write_bytes(answer.body)

    in_a_shop(tmp_path / "shop", test)
    page = (tmp_path / "page").read_text()
    assert "8.00" not in page
    assert "18f6f0e" not in page, "no payment is named: that would be a series for each"
    tool = _promtool()
    done = subprocess.run(
        [tool, "check", "metrics"], input=page, text=True, capture_output=True, check=False
    )
    ours = [
        line for line in done.stdout.splitlines() + done.stderr.splitlines() if "paybridge" in line
    ]
    assert ours == []


# --- alerts and the dashboard


def _promtool() -> str:
    tool = which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    return tool


@pytest.mark.slow  # wants promtool
def test_the_sample_alerts_are_valid_and_go_off_when_they_should() -> None:
    folder = ROOT / "docs" / "monitoring"
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [_promtool(), *command], cwd=folder, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_and_dashboard_name_measurements_that_there_are(tmp_path: Path) -> None:
    names: set[str] = set()

    async def test(shop: Shop) -> None:
        made = watched(shop)
        made.certificate_end = datetime(2027, 1, 1, tzinfo=UTC)
        (tmp_path / "shop" / "login").mkdir()
        (tmp_path / "shop" / "login" / "login.json").touch()
        answer = await made.routes.answer("/metrics")
        assert answer is not None
        names.update(re.findall(r"^# TYPE (\w+)", answer.body.decode(), re.M))

    in_a_shop(tmp_path / "shop", test)
    names |= {f"{name}_bucket" for name in names} | {f"{name}_count" for name in names}
    for file in ("alerts.yml", "grafana.json"):
        text = (ROOT / "docs" / "monitoring" / file).read_text()
        used = set(re.findall(r"\bpaybridge_\w+", text))
        assert used
        assert used <= names, (file, used - names)
    board = json.loads((ROOT / "docs" / "monitoring" / "grafana.json").read_text())
    assert len(board["panels"]) >= 8
    assert all(panel["targets"] for panel in board["panels"])


# --- the server


async def request(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:  # it hung up before it had read everything
        return b""
    finally:
        writer.close()


async def page(path: str) -> Answer | None:
    return Answer(200, "text/plain", b"hello") if path == "/healthz" else None


@pytest.mark.parametrize(
    ("sent", "begins", "ends"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200", b"hello"),
        (b"GET /healthz?x=1 HTTP/1.0\r\n\r\n", b"HTTP/1.1 200", b"hello"),
        (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200", b"\r\n\r\n"),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 404", b"/metrics\n"),
        (
            b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 405",
            b"here\n",
        ),
        (b"nonsense\r\n\r\n", b"", b""),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"", b""),
        (b"", b"", b""),
    ],
)
async def test_requests_good_and_bad_are_answered_or_dropped(
    sent: bytes, begins: bytes, ends: bytes
) -> None:
    server = MonitoringServer("127.0.0.1", 0, page)
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0.05)
    answer = await request(server.address[1], sent)
    assert answer.startswith(begins)
    assert answer.endswith(ends)
    await asyncio.sleep(0.05)
    running.cancel()


async def test_many_that_say_nothing_do_not_keep_others_out_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.monitoring.http.REQUEST_SECONDS_MAX", 0.3)
    server = MonitoringServer("127.0.0.1", 0, page)
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0.05)
    port = server.address[1]
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
    await asyncio.sleep(0.05)
    good = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert await request(port, good) == b"", "too many at once"
    await asyncio.sleep(0.5)
    assert (await request(port, good)).endswith(b"hello")
    for _, writer in silent:
        writer.close()
    await asyncio.sleep(0.1)
    running.cancel()


async def test_a_port_that_is_taken_is_said_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = MonitoringServer("127.0.0.1", 0, page)
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0.05)
    second = asyncio.create_task(MonitoringServer("127.0.0.1", server.address[1], page).run())
    await asyncio.sleep(0.05)
    assert not second.done()
    assert "monitoring not served" in caplog.text
    second.cancel()
    running.cancel()


def test_a_service_that_nobody_watches_imports_none_of_it() -> None:
    code = (
        "import sys, bridge.service, bridge.assembly, bridge.cli;"
        "print([m for m in sys.modules if 'prometheus' in m or m.startswith('bridge.monitoring')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

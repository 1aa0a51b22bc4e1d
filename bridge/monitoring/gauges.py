"""What is true at the moment of a scrape: read from health, from files, from the terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric


class Told(Protocol):
    """What is asked of the service's status."""

    def as_json(self) -> dict[str, Any]:
        """Return health and the terminals' states in JSON's types."""


class Gauges:
    """A collector of Prometheus: asked anew with each scrape, keeps nothing.

    Args:
        status: How the service is.
        now: The wall clock, UTC.
        journal: The journal's file.
        login: The login's file; its age is that of the last renewal.
        doubts: When each open doubt began.
        closes: When each terminal last closed its day.
        certificate_end: Until when the broker's certificate is good, as last looked up.
        commits_waiting: How many changes wait for the journal's thread.
    """

    def __init__(
        self,
        status: Told,
        *,
        now: Callable[[], datetime],
        journal: Path,
        login: Path,
        doubts: Callable[[], Iterable[datetime]],
        closes: Callable[[], Mapping[str, datetime]],
        certificate_end: Callable[[], datetime | None],
        commits_waiting: Callable[[], int],
    ) -> None:
        self._status = status
        self._now = now
        self._journal = journal
        self._login = login
        self._doubts = doubts
        self._closes = closes
        self._certificate_end = certificate_end
        self._commits_waiting = commits_waiting

    def collect(self) -> Iterable[Metric]:
        """Yield what is true now."""
        told = self._status.as_json()
        health, now = told["health"], self._now()
        info = InfoMetricFamily("paybridge", "Which version runs.")
        info.add_metric([], {"version": str(told["version"])})
        yield info
        yield _one(
            "paybridge_start_time_seconds",
            "When this process became ready, Unix time.",
            datetime.fromisoformat(told["since"]).timestamp(),
        )
        yield from _health(health)
        yield from self._money(health, now)
        yield from _terminals(told["terminals"])
        yield from self._files(health)

    def _money(self, health: Mapping[str, Any], now: datetime) -> Iterable[Metric]:
        payments, recording = health["payments"], health["recording"]
        yield _one("paybridge_payments_open", "Payments that are not final.", payments["open"])
        yield _one("paybridge_payments_in_doubt", "Payments in doubt.", payments["in_doubt"])
        ages = [(now - began).total_seconds() for began in self._doubts()]
        yield _one(
            "paybridge_doubt_oldest_seconds",
            "How old the oldest open doubt is; 0 without one.",
            max((0.0, *ages)),
        )
        waiting = GaugeMetricFamily(
            "paybridge_bookings_waiting",
            "Sales that are not in the books, by why.",
            labels=["state"],
        )
        for state in ("pending", "unconfirmed", "rejected"):
            waiting.add_metric([state], recording[state])
        yield waiting
        yield _one(
            "paybridge_booking_oldest_seconds",
            "How long the oldest pending booking has waited; 0 without one.",
            recording["oldest_pending_s"] or 0,
        )
        needed = recording["login"] == "needed"
        yield _one("paybridge_login_needed", "1 while a person must log in.", needed)
        closes = GaugeMetricFamily(
            "paybridge_end_of_day_timestamp_seconds",
            "When the terminal last closed its day, Unix time.",
            labels=["terminal_id"],
        )
        for name, at in self._closes().items():
            closes.add_metric([name], at.timestamp())
        yield closes
        gaps = GaugeMetricFamily(
            "paybridge_end_of_day_gaps", "Sums that are off and not noted.", labels=["terminal_id"]
        )
        for name in {gap["terminal_id"] for gap in health["gaps"]}:
            count = sum(gap["terminal_id"] == name for gap in health["gaps"])
            gaps.add_metric([name], count)
        yield gaps

    def _files(self, health: Mapping[str, Any]) -> Iterable[Metric]:
        free = health["journal"]["path_free_mb"] * 1_000_000
        yield _one("paybridge_journal_free_bytes", "Free on the journal's disk.", free)
        log = self._journal.with_name(self._journal.name + "-wal")
        yield _one("paybridge_journal_bytes", "The journal's file.", _size(self._journal))
        yield _one("paybridge_journal_wal_bytes", "The journal's log beside it.", _size(log))
        waiting = self._commits_waiting()
        yield _one("paybridge_journal_waiting", "Changes that wait for the journal.", waiting)
        try:
            renewed = self._login.stat().st_mtime
        except OSError:
            renewed = None
        if renewed is not None:
            yield _one(
                "paybridge_login_renewed_timestamp_seconds",
                "When the login was last renewed, Unix time.",
                renewed,
            )
        end = self._certificate_end()
        if end is not None:
            yield _one(
                "paybridge_broker_certificate_expiry_timestamp_seconds",
                "Until when the broker's certificate is good, Unix time.",
                end.timestamp(),
            )


def _health(health: Mapping[str, Any]) -> Iterable[Metric]:
    yield _one(
        "paybridge_can_take_payments", "1 while a payment can begin.", health["can_take_payments"]
    )
    yield _one("paybridge_health_reasons", "What is not well, in number.", len(health["reasons"]))
    yield _one("paybridge_mqtt_connected", "1 while connected.", health["mqtt"]["connected"])
    yield _one(
        "paybridge_journal_ok", "1 while the journal can be written.", health["journal"]["ok"]
    )


def _terminals(states: Mapping[str, Mapping[str, Any]]) -> Iterable[Metric]:
    online = GaugeMetricFamily(
        "paybridge_terminal_online", "1 while the terminal answers.", labels=["terminal_id"]
    )
    queue = GaugeMetricFamily(
        "paybridge_terminal_queue_length", "Payments that wait for it.", labels=["terminal_id"]
    )
    reconnects = GaugeMetricFamily(
        "paybridge_terminal_reconnects",
        "How often its line was lost and found again.",
        labels=["terminal_id"],
    )
    for name, state in states.items():
        online.add_metric([name], state["availability"] == "online")
        queue.add_metric([name], state["queue_length"])
        reconnects.add_metric([name], state["link"]["reconnects_24h"])
    yield from (online, queue, reconnects)


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

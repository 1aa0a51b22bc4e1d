"""Puts the measurements together for a built bridge; nothing runs yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from bridge.assembly import Parts
from bridge.monitoring.gauges import Gauges
from bridge.monitoring.http import MonitoringServer
from bridge.monitoring.observer import Observer
from bridge.monitoring.routes import Routes
from bridge.register.mqtt.messages import MqttSettings
from bridge.register.mqtt.tls_probe import certificate_end
from bridge.settings import JOURNAL_NAME

LOGIN_FILE: Final = "login/login.json"  # below the state directory
CERTIFICATE_LOOK_SECONDS: Final = 3_600.0  # certificates end after months


@dataclass(slots=True)
class Monitoring:
    """The server, and who looks up what a scrape must not wait for."""

    server: MonitoringServer
    routes: Routes
    mqtt: MqttSettings
    certificate_end: datetime | None = None

    async def watch_certificate(self) -> None:
        """Look up now and then until when the broker's certificate is good."""
        loop = asyncio.get_running_loop()
        while self.mqtt.tls is not None:
            self.certificate_end = await loop.run_in_executor(None, certificate_end, self.mqtt)
            await asyncio.sleep(CERTIFICATE_LOOK_SECONDS)


def monitoring(
    parts: Parts,
    mqtt: MqttSettings,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Monitoring:
    """Return the measurements of `parts`; its journal is observed from now on."""
    config = parts.config
    assert config.monitoring is not None, "only where it is configured"
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    parts.journal.observer = Observer(registry, monotonic).observe
    state = config.site.state_directory
    routes = Routes(
        registry,
        pulse=parts.journal.pulse,
        ready=lambda: _why_not_ready(parts),
        told=parts.status.as_json,
    )
    server = MonitoringServer(config.monitoring.host, config.monitoring.port, routes.answer)
    made = Monitoring(server, routes, mqtt)
    registry.register(
        Gauges(
            parts.status,
            now=now,
            journal=state / JOURNAL_NAME,
            login=state / LOGIN_FILE,
            doubts=lambda: _doubts(parts),
            closes=lambda: _closes(parts),
            certificate_end=lambda: made.certificate_end,
            commits_waiting=lambda: parts.journal.waiting,
        )
    )
    return made


def _why_not_ready(parts: Parts) -> tuple[str, ...]:
    """Ready depends on journal and configuration, not on broker, terminal or login.

    An outage must not roll a good version back, nor have it taken out of service.
    """
    why = []
    if parts.journal.broken is not None:
        why.append("the journal cannot be written")
    if parts.custody.doubt is not None:
        why.append("the journal was put back; a person must look")
    if parts.status.draining:
        why.append("the service is stopping")
    return tuple(why)


def _doubts(parts: Parts) -> list[datetime]:
    return [
        datetime.fromisoformat(one.doubted_at)
        for one in parts.ledger.payments.unfinished()
        if one.payment.doubt is not None
    ]


def _closes(parts: Parts) -> Mapping[str, datetime]:
    found = {name: parts.ledger.batches.of(name).closed_at for name in parts.stations}
    return {name: datetime.fromisoformat(at) for name, at in found.items() if at}

"""The broker: login, TLS, and the access list by what really comes back; and who else serves there.

What is published for a look is not retained, is empty, and lies below a register that does not
exist. Another bridge is known by what the broker retains: nobody is asked, nobody is disturbed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bridge import config as cfg
from bridge.cli.checks.findings import Finding, found
from bridge.errors import BusError, ConfigError, MessageRefused
from bridge.register.api.topics import Topics
from bridge.register.mqtt.authority import Other, decode_record
from bridge.register.mqtt.connection import BrokerConnection, Lost, Subscription
from bridge.register.mqtt.instance import INSTANCE_NAME
from bridge.register.mqtt.messages import Away, Delivery, MqttSettings, Protocol
from bridge.register.mqtt.tls_probe import Handshake, days_left, shake_hands, speaks
from bridge.settings import mqtt_settings

NOBODY: Final = "paybridge-check"  # no register has this name
NO_PAYMENT: Final = "00000000-0000-4000-8000-000000000000"
BACK_SECONDS: Final = 2.0  # until what was published is back; a broker needs milliseconds
CONNECT_SECONDS: Final = 10.0
DAYS_LEFT_MIN: Final = 30
ALIVE_SECONDS: Final = 90.0  # health is published every 30 s


@dataclass(slots=True)
class _Heard:
    """What came on our connection."""

    live: dict[str, asyncio.Event] = field(default_factory=dict)
    retained: dict[str, bytes] = field(default_factory=dict)

    def take(self, link: BrokerConnection, delivery: Delivery) -> None:
        """Note one message."""
        link.acknowledge(delivery.packet_id)
        if delivery.retained:
            self.retained[delivery.topic] = delivery.payload
        elif delivery.topic in self.live:
            self.live[delivery.topic].set()


async def broker(
    config: cfg.Config,
    environment: Mapping[str, str],
    *,
    running: bool,
    now: datetime,
    nonce: str,
) -> list[Finding]:
    """Try the broker as the service does, under a client id of our own.

    `running` says that our own service has it now; `nonce` makes the client id.
    """
    mqtt = config.mqtt
    what = f"broker {mqtt.host}:{mqtt.port}"
    try:
        settings = mqtt_settings(mqtt, environment)
    except ConfigError as error:
        text = str(error).removeprefix(f"{error.key}: ")
        return [found("secret_bad", what, text, key=error.key)]
    findings: list[Finding] = []
    loop = asyncio.get_running_loop()
    if settings.tls is not None:
        shaken = await loop.run_in_executor(None, shake_hands, settings)
        trouble = _tls_trouble(what, shaken, now)
        if trouble is not None and trouble.level == "wrong":
            return [trouble]
        findings += [trouble] if trouble is not None else []
    elif not _is_this_machine(mqtt.host):
        text = "no TLS to a broker on another machine"
        findings.append(found("broker_in_the_clear", what, text, key="mqtt.tls"))
    heard = _Heard()
    try:
        link = await _connect(settings, heard, f"{mqtt.client_id}-check-{nonce[:6]}")
    except Lost as lost:
        return [*findings, await _why_not(what, settings, lost.away)]
    try:
        findings += await _try_access(
            what, link, heard, Topics(mqtt.base_topic), nonce=nonce, running=running
        )
        if not running:
            instance = _instance(config.site.state_directory)
            findings += _others(what, heard, Topics(mqtt.base_topic), instance, now)
    finally:
        link.close()
    if not any(one.level == "wrong" for one in findings):
        user = settings.username or "anybody"
        text = f"lets {user} in over MQTT {link.protocol}; what was published came back"
        findings.append(found("broker_ok", what, text))
    return findings


# --- connecting


async def _connect(settings: MqttSettings, heard: _Heard, client_id: str) -> BrokerConnection:
    """Return an open connection, by the first protocol that the broker speaks.

    Raises:
        Lost: There is none; the reason is of the last try.
    """
    protocols: tuple[Protocol, ...] = ("5.0", "3.1.1")
    if settings.protocol != "auto":
        protocols = (settings.protocol,)
    for number, protocol in enumerate(protocols, 1):
        link = BrokerConnection(number, settings, protocol, "", heard.take, client_id=client_id)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await link.open(None)
        except TimeoutError:
            link.close()
            raise Lost("unreachable", "no answer in time") from None
        except Lost as lost:
            link.close()
            if lost.away.code != "wrong_protocol" or number == len(protocols):
                raise
        else:
            return link
    raise AssertionError("the last protocol returns or raises")


async def _why_not(what: str, settings: MqttSettings, away: Away) -> Finding:
    """Say why there is no connection, by a closer look at who listens there."""
    if away.code == "login_refused":
        key = "mqtt.password_file" if settings.username else "mqtt.username"
        return found("broker_login_refused", what, away.text, key=key)
    if away.code == "tls_files":
        return found("broker_tls_files", what, away.text, key="mqtt.tls")
    if away.code == "untrusted":
        return found("broker_untrusted", what, away.text, key="mqtt.tls.ca_file")
    loop = asyncio.get_running_loop()
    kind = await loop.run_in_executor(None, speaks, settings.host, settings.port)
    if kind == "nothing":
        return found("broker_away", what, away.text, key="mqtt.host")
    if kind == "tls" and settings.tls is None:
        return found("broker_wants_tls", what, "this port speaks TLS only", key="mqtt.tls")
    if settings.tls is not None and settings.tls.certificate_file is None and kind == "tls":
        text = f"it ends the connection after the handshake: {away.text}"
        return found("broker_wants_certificate", what, text, key="mqtt.tls.certificate_file")
    if away.code == "refused":
        return found("broker_refused", what, away.text, key="mqtt")
    return found("broker_no_mqtt", what, away.text, key="mqtt.port")


def _tls_trouble(what: str, shaken: Handshake, now: datetime) -> Finding | None:
    text = shaken.text
    match shaken.problem:
        case "files":
            return found("broker_tls_files", what, text, key="mqtt.tls")
        case "plain":
            return found("broker_speaks_no_tls", what, text, key="mqtt.tls")
        case "untrusted":
            return found("broker_untrusted", what, text, key="mqtt.tls.ca_file")
        case "other_name":
            return found("broker_untrusted", what, text, key="mqtt.host")
        case "expired":
            return found("broker_certificate_expired", what, text, key="mqtt.tls")
        case "wants_certificate":
            key = "mqtt.tls.certificate_file"
            return found("broker_wants_certificate", what, text, key=key)
        case "away":
            return found("broker_away", what, text, key="mqtt.host")
    if shaken.valid_until is None:
        return None
    days = days_left(shaken.valid_until, now)
    if days >= DAYS_LEFT_MIN:
        return None
    text = f"its certificate is valid for {days} more days, until {shaken.valid_until:%Y-%m-%d}"
    return found("broker_certificate_expires", what, text, key="mqtt.tls")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- the access list


@dataclass(frozen=True, slots=True)
class _Try:
    """One topic to publish to; with `back` it must come back, as we read there, too."""

    topic: str
    back: bool


async def _try_access(
    what: str, link: BrokerConnection, heard: _Heard, topics: Topics, *, nonce: str, running: bool
) -> list[Finding]:
    fence = topics.fence(f"{NOBODY}-{nonce[:6]}")
    tries = [_Try(fence, True), _Try(topics.payment(NOBODY, NO_PAYMENT), True)]
    tries += [
        _Try(topics.response(NOBODY, "check"), False),
        _Try(topics.terminal_state(NOBODY), False),
    ]
    if not running:  # a service that runs would answer to it
        tries.append(_Try(topics.request(NOBODY, "check"), True))
    heard.live = {one.topic: asyncio.Event() for one in tries if one.back}
    findings = []
    filters = [
        Subscription(topics.authority_holder, retained=True),
        Subscription(topics.bridge_state, retained=True),
        Subscription(topics.bridge_health, retained=True),
        Subscription(fence),
        Subscription(topics.payment(NOBODY, NO_PAYMENT)),
        Subscription(topics.request(NOBODY, "#")),
    ]
    for one in filters:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await link.subscribe(one)
        except (Lost, TimeoutError) as error:
            findings.append(_no_reading(what, one.topic, str(error)))
    if link.broken.is_set():
        return findings
    findings += [
        trouble for one in tries if (trouble := await _try(what, link, heard, one)) is not None
    ]
    return findings


async def _try(what: str, link: BrokerConnection, heard: _Heard, one: _Try) -> Finding | None:
    try:
        await link.publish(
            one.topic, b"", retain=False, qos=1, expiry_seconds=None, correlation=None
        )
    except MessageRefused as error:
        if "/request/" in one.topic:
            return None  # registers write there, the bridge need not
        return found("broker_may_not_write", what, f"{one.topic}: {error}", key="mqtt.username")
    except BusError as error:
        return found("broker_refused", what, f"while publishing: {error}", key="mqtt")
    if not one.back:
        return None
    try:
        async with asyncio.timeout(BACK_SECONDS):
            await heard.live[one.topic].wait()
    except TimeoutError:
        return _no_reading(what, one.topic, "what we published there did not come back")
    return None


def _no_reading(what: str, topic: str, text: str) -> Finding:
    return found("broker_may_not_read", what, f"{topic}: {text}", key="mqtt.username")


# --- who else serves


def _others(
    what: str, heard: _Heard, topics: Topics, instance: str, now: datetime
) -> list[Finding]:
    """Say whose base topic it is, by what the broker retains; our own service does not run."""
    record = heard.retained.get(topics.authority_holder, b"")
    holder = decode_record(record) if record else None
    alive = _seen_at(heard.retained.get(topics.bridge_health, b""), now)
    online = _is_online(heard.retained.get(topics.bridge_state, b""))
    if holder is None or (holder.instance_id == instance and not (alive and online)):
        return []
    key = "mqtt.base_topic"
    if holder.instance_id == instance:
        text = "a bridge with a copy of this state directory serves there now"
        return [found("other_bridge", what, text, key=key)]
    return [_other(what, holder, key, alive=alive and online, base=topics.base)]


def _other(what: str, holder: Other, key: str, *, alive: bool, base: str) -> Finding:
    if alive:
        return found("other_bridge", what, f"{holder} serves {base} now", key=key)
    return found("other_bridge_silent", what, f"{base} belongs to {holder}", key=key)


def _seen_at(health: bytes, now: datetime) -> bool:
    try:
        told = datetime.fromisoformat(json.loads(health)["time"])
    except (ValueError, KeyError, TypeError):
        return False
    if told.tzinfo is None:
        return False
    return abs(now - told) < timedelta(seconds=ALIVE_SECONDS)


def _is_online(state: bytes) -> bool:
    try:
        return bool(json.loads(state).get("state") == "online")
    except (ValueError, AttributeError):
        return False


def _instance(state: Path) -> str:
    """Return who this bridge is; "" where it has never run."""
    try:
        data = json.loads((state / INSTANCE_NAME).read_bytes())
    except (OSError, ValueError):
        return ""
    return str(data.get("instance_id", "")) if isinstance(data, dict) else ""

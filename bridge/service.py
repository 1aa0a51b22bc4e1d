"""Builds the whole bridge from its configuration, starts it in order, and stops it in reverse.

The only module where wires and behaviors meet, and where tasks are started. It knows the wall
clock, chance and ids, and hands them to those who need them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bridge import config as cfg
from bridge.backoffice.api_names import ApiNames
from bridge.backoffice.giftcards import GiftCards
from bridge.backoffice.graphql import BackOffice
from bridge.backoffice.http import open_client
from bridge.backoffice.login import Login
from bridge.backoffice.recorder import IN_FLIGHT_MAX, Recorder
from bridge.backoffice.settings import LoginSettings
from bridge.backoffice.tokens import TokenStore
from bridge.control import Control
from bridge.errors import BusError, ConfigError
from bridge.facts import Facts, Identity
from bridge.money.journal import Journal
from bridge.money.journal_file import Ownership, open_database
from bridge.money.ledger import Ledger
from bridge.money.patience import Patience
from bridge.money.payment import GIFT_CARDS
from bridge.money.plans import Plans
from bridge.money.retention import Retention
from bridge.money.reversals import Reversals, SignaturePolicy
from bridge.money.settlement import BooksPolicy
from bridge.register import contract as k
from bridge.register.bus import MqttSettings, TlsSettings
from bridge.register.desk import Desk, DeskSettings
from bridge.register.mqtt import Mqtt
from bridge.register.publisher import Publisher
from bridge.register.receipts import ReceiptStyle
from bridge.systemd import Notifier, watchdog_interval
from bridge.terminal.condition import StationSettings
from bridge.terminal.lines import SerialAddress, TcpAddress, open_line
from bridge.terminal.plugins import load_driver, read_settings
from bridge.terminal.station import Station
from bridge.terminal.talk import Line
from drivers.contract import Driver, SerialDefaults, Stage

_LOGGER = logging.getLogger(__name__)

JOURNAL_NAME = "journal.sqlite"
CONTROL_NAME = "control.sock"
DRAIN_LOOK_SECONDS = 0.05  # how often a stopping service looks whether its payments have ended
GOODBYE_SECONDS = 1.0  # the broker's will speaks for us when it does not take our word in time
LEDGER_LOOK_SECONDS = 5.0  # without a watchdog: how often the journal's thread is asked to answer


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wires:
    """What reaches the disk and the outside world; a crash test dies inside one of these."""

    journal: type[Journal] = Journal
    bus: type[Mqtt] = Mqtt
    books: type[BackOffice] = BackOffice
    open_line: Callable[[SerialAddress | TcpAddress], Awaitable[Line]] = open_line


@dataclass(frozen=True, slots=True)
class Parts:
    """The bridge, built and recovered; not running yet."""

    config: cfg.Config
    ledger: Ledger
    journal: Journal
    stations: Mapping[str, Station]
    bus: Mqtt
    desk: Desk
    publisher: Publisher
    facts: Facts
    login: Login | None
    recorder: Recorder | None
    gift_cards: GiftCards | None
    plans: Plans
    reversals: Reversals
    patience: Patience | None
    retention: Retention
    control: Control


def api_names(office: cfg.BackOffice) -> ApiNames:
    """Return what the API's names are taken to be until the server's schema shows them."""
    return ApiNames(**office.names.model_dump())


def login_settings(office: cfg.BackOffice, environment: Mapping[str, str]) -> LoginSettings:
    """Return how to log in.

    Raises:
        ConfigError: A setting contradicts another, or a secret cannot be read.
    """
    login = office.login
    try:
        return LoginSettings(
            issuer=login.issuer,
            client_id=login.client_id,
            client_secret=cfg.read_secret(
                login.client_secret_file,
                "client-secret" if login.flow == "client_credentials" else "",
                environment,
            ),
            scopes=login.scopes,
            flow=login.flow,
            redirect_port=login.redirect_port,
            ca_file=office.ca_file,
        )
    except ValueError as error:
        raise ConfigError("back_office.login", str(error)) from error


def token_store(state_directory: Path, environment: Mapping[str, str]) -> TokenStore:
    """Return where the login is kept, encrypted when systemd gave a key (`login-key`)."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    key = None
    if folder and (Path(folder) / "login-key").exists():
        key = (Path(folder) / "login-key").read_bytes()
    return TokenStore(state_directory, key)


def load_drivers(config: cfg.Config) -> dict[str, tuple[Driver, Any]]:
    """Return the driver and its settings for each terminal; nothing is opened or written.

    Raises:
        ConfigError: A driver or one of its settings is wrong.
    """
    loaded = {}
    for name, terminal in config.terminals.items():
        key = f"terminals.{name}"
        if name == GIFT_CARDS:
            raise ConfigError(key, "this name stands for gift cards; call the terminal otherwise")
        driver = load_driver(terminal.driver, f"{key}.driver")
        loaded[name] = (driver, read_settings(driver, terminal.settings, f"{key}.settings"))
    return loaded


def build_stations(
    config: cfg.Config,
    drivers: Mapping[str, tuple[Driver, Any]],
    ledger: Ledger,
    wires: Wires,
) -> dict[str, Station]:
    """Return one station per configured terminal."""
    stations = {}
    for name, terminal in config.terminals.items():
        driver, settings = drivers[name]
        address = line_address(terminal, driver.serial_defaults)
        stations[name] = Station(
            StationSettings(
                terminal_id=name,
                transport="tcp" if terminal.tcp else "serial",
                address=terminal.tcp or terminal.port or "",
                persistent=terminal.connection == "persistent",
                probe_seconds=terminal.probe_seconds,
                cancel_deadline_seconds=terminal.cancel_deadline_seconds,
                stage_seconds={
                    Stage(stage): seconds
                    for stage, seconds in terminal.stage_seconds.model_dump().items()
                    if seconds is not None
                },
                expected_terminal_id=terminal.terminal_id,
                expected_serial_number=terminal.serial_number,
            ),
            driver,
            settings,
            open_line=partial(wires.open_line, address),
            ledger=ledger,
            changed=ledger.something_changed,
            now=lambda: k.format_time(utc_now()),
        )
    return stations


def line_address(terminal: cfg.Terminal, defaults: SerialDefaults) -> SerialAddress | TcpAddress:
    """Return where a terminal is reached; what is not configured comes from its protocol."""
    if terminal.tcp is not None:
        host, _, port = terminal.tcp.rpartition(":")
        return TcpAddress(host.strip("[]"), int(port))
    assert terminal.port is not None, "the configuration has either port or tcp"
    return SerialAddress(
        terminal.port,
        SerialDefaults(
            baud_rate=terminal.baud_rate or defaults.baud_rate,
            data_bits=terminal.data_bits or defaults.data_bits,
            parity=terminal.parity or defaults.parity,
            stop_bits=terminal.stop_bits or defaults.stop_bits,
        ),
    )


def mqtt_settings(config: cfg.Mqtt, environment: Mapping[str, str]) -> MqttSettings:
    """Return how to reach the broker.

    Raises:
        ConfigError: The password file cannot be read.
    """
    tls = config.tls
    return MqttSettings(
        host=config.host,
        port=config.port,
        client_id=config.client_id,
        username=config.username,
        password=cfg.read_secret(config.password_file, "mqtt-password", environment),
        protocol=config.protocol,
        tls=None
        if tls is None
        else TlsSettings(
            ca_file=str(tls.ca_file) if tls.ca_file else None,
            certificate_file=str(tls.certificate_file) if tls.certificate_file else None,
            key_file=str(tls.key_file) if tls.key_file else None,
        ),
    )


def receipt_style(config: cfg.Config) -> ReceiptStyle:
    """Return how the store's receipts look."""
    return ReceiptStyle(
        heading=(config.site.name or config.site.store_code,),
        columns={name: one.receipt_columns for name, one in config.registers.items()},
    )


@asynccontextmanager
async def build(
    config: cfg.Config, environment: Mapping[str, str], wires: Wires
) -> AsyncIterator[Parts]:
    """Yield the bridge with its journal recovered, and close everything afterwards.

    Raises:
        ConfigError: A setting is wrong.
        JournalError: The journal is somebody else's, damaged, or cannot be written.
    """
    drivers = load_drivers(config)
    state = config.site.state_directory
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("site.state_directory", f"{state}: {error.strerror}") from error
    async with AsyncExitStack() as opened:  # closed in reverse: the journal after its thread
        ownership = Ownership(state / JOURNAL_NAME)
        opened.callback(ownership.release)
        connection = open_database(state / JOURNAL_NAME)
        opened.callback(connection.close)
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        opened.callback(executor.shutdown)
        journal = wires.journal(connection, executor)
        office = config.back_office
        ledger = Ledger(
            journal,
            books=BooksPolicy(
                store_code=config.site.store_code,
                summary_sku=office.summary_sku if office else "",
                required=office is not None and office.records,
            ),
            now=lambda: k.format_time(utc_now()),
            local_now=lambda: datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S"),
            terminals=config.terminals,
        )
        stations = build_stations(config, drivers, ledger, wires)
        login: Login | None = None
        recorder: Recorder | None = None
        gift_cards: GiftCards | None = None
        if office is not None:
            http = open_client(office.ca_file)
            opened.push_async_callback(http.aclose)
            settings = login_settings(office, environment)
            login = Login(http, settings, token_store(state, environment), utc_now)
            books = wires.books(
                http,
                office.endpoint,
                login,
                deadline_seconds=office.deadline_seconds,
                names=api_names(office),
            )
            recorder = Recorder(ledger, books, login, random.SystemRandom())
            gift_cards = GiftCards(
                ledger,
                books,
                deadline_seconds=office.deadline_seconds,
                activates=office.gift_card_activation,
                store_credit=office.store_credit,
            )
        yield _assemble(
            config,
            environment,
            wires,
            journal=journal,
            ledger=ledger,
            stations=stations,
            login=login,
            recorder=recorder,
            gift_cards=gift_cards,
        )


def _assemble(
    config: cfg.Config,
    environment: Mapping[str, str],
    wires: Wires,
    *,
    journal: Journal,
    ledger: Ledger,
    stations: Mapping[str, Station],
    login: Login | None,
    recorder: Recorder | None,
    gift_cards: GiftCards | None,
) -> Parts:
    topics = k.Topics(config.mqtt.base_topic)
    will = k.encode(k.BridgeState(state="offline", reason="connection_lost"))
    bus = wires.bus(
        mqtt_settings(config.mqtt, environment),
        base_topic=config.mqtt.base_topic,
        will=will,
        new_epoch=lambda: uuid.uuid4().hex[:12],
        rng=random.SystemRandom(),
    )
    names = {name: one.name or name for name, one in config.terminals.items()}
    defaults = {name: one.terminal for name, one in config.registers.items() if one.terminal}
    pools = {name: one.terminals for name, one in config.pools.items()}
    office = config.back_office
    settings = DeskSettings(
        topics,
        defaults,
        pools,
        receipt_style=receipt_style(config),
    )
    plans = Plans(ledger, lambda terminal, payment: stations[terminal].release(payment))
    desk = Desk(bus, ledger, stations, settings, now=utc_now, gift_cards=gift_cards, plans=plans)
    facts = Facts(
        Identity(config.site.bridge_id, config.site.name, config.site.state_directory),
        ledger=ledger,
        journal=journal,
        stations=stations,
        names=names,
        bus=bus,
        books=recorder,
        now=utc_now,
    )
    signatures = SignaturePolicy(config.site.unsigned == "stands", config.site.signature_seconds)
    reversals = Reversals(
        ledger, stations, signatures, now=utc_now, is_connected=lambda: bus.connected
    )
    publisher = Publisher(
        bus,
        ledger,
        desk,
        facts,
        topics,
        terminal_names=names,
        signatures=reversals,
        now=utc_now,
        last_seq=journal.last_seq(),
    )
    patience = None
    if office is not None:
        wait = timedelta(hours=office.lines_within_hours)
        patience = Patience(ledger, wait, now=utc_now, write_time=k.format_time)
    control = Control(config.site.state_directory / CONTROL_NAME, ledger, desk)
    return Parts(
        config=config,
        ledger=ledger,
        journal=journal,
        stations=stations,
        bus=bus,
        desk=desk,
        publisher=publisher,
        facts=facts,
        login=login,
        recorder=recorder,
        gift_cards=gift_cards,
        plans=plans,
        reversals=reversals,
        patience=patience,
        retention=Retention(
            ledger,
            journal,
            config.receipts.keep_months,
            now=utc_now,
            write_time=k.format_time,
        ),
        control=control,
    )


async def run(
    config: cfg.Config,
    environment: Mapping[str, str],
    *,
    ready: Callable[[], None] = lambda: None,
    wires: Wires | None = None,
) -> None:
    """Run the bridge until SIGTERM or SIGINT, then let running payments end and stop.

    `ready` is called once payments can come in.

    Raises:
        ConfigError, JournalError: It could not start.
        ExceptionGroup: A part failed; a restart recovers from the journal.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    notifier = Notifier(environment)
    async with build(config, environment, wires or Wires()) as parts:
        await parts.ledger.recover()
        parts.plans.recover()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.run()) for one in parts.stations.values()]
            if parts.recorder is not None and parts.login is not None:
                tasks += [group.create_task(parts.recorder.run()) for _ in range(IN_FLIGHT_MAX)]
                tasks.append(group.create_task(parts.login.run()))
            if parts.gift_cards is not None:
                tasks.append(group.create_task(parts.gift_cards.run()))
            if parts.patience is not None:
                tasks.append(group.create_task(parts.patience.run()))
            tasks += [
                group.create_task(work)
                for work in (
                    parts.plans.run(),
                    parts.retention.run(),
                    parts.reversals.run(),
                    parts.publisher.run(),
                    parts.desk.run(),
                    parts.bus.run(),
                    parts.control.run(),
                    _feed_watchdog(parts, notifier, environment),
                )
            ]
            notifier.ready("taking payments")
            _LOGGER.info("ready bridge=%s", config.site.bridge_id)
            ready()
            await stop.wait()
            await _drain(parts, notifier)
            for task in tasks:
                task.cancel()


async def _drain(parts: Parts, notifier: Notifier) -> None:
    """Refuse what is new; wait for running payments and bookings, within the configured bound."""
    notifier.stopping("waiting for running payments")
    await parts.desk.drain()
    parts.facts.draining = True
    if parts.recorder is not None:
        parts.recorder.draining = True
    loop = asyncio.get_running_loop()
    until = loop.time() + parts.config.service.drain_seconds
    connection = parts.desk.connection
    if connection is not None:
        await _say(parts, parts.facts.bridge_state(connection.epoch))
    while loop.time() < until and _under_way(parts):
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
        await parts.desk.drain()
    _LOGGER.info("stopping open=%d", len(parts.ledger.unfinished()))
    await _say(parts, k.BridgeState(state="offline", reason="shutdown"))


def _under_way(parts: Parts) -> bool:
    """Say whether a stop would break off a conversation with a terminal or the back office."""
    booking = parts.recorder is not None and parts.recorder.attempts_under_way > 0
    closing = parts.desk.errands.closing
    return booking or closing or any(one.payment.doubt is None for one in parts.ledger.unfinished())


async def _say(parts: Parts, state: k.BridgeState) -> None:
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await parts.publisher.say(state)
    except (BusError, TimeoutError):
        _LOGGER.info("the broker is away; its will speaks for us")


async def _feed_watchdog(parts: Parts, notifier: Notifier, environment: Mapping[str, str]) -> None:
    """Tell the manager that we are alive, each time only after the journal's thread answered."""
    interval = watchdog_interval(environment, os.getpid()) or LEDGER_LOOK_SECONDS
    while True:
        await parts.journal.pulse()
        notifier.alive()
        await asyncio.sleep(interval)

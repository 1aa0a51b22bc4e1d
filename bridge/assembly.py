"""Builds the whole bridge from its configuration; nothing runs yet.

Here wires and behaviors meet. What reaches the outside, the clocks, chance and ids come from
`adapters.py`; this hands them to those who need them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from bridge import config as cfg
from bridge.adapters import Adapters, BackOfficeLogin, BridgeInstance, Bus, State
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.terminal_payment_steps import TerminalPayments
from bridge.backoffice.gift_cards.payment_method import GiftCards
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.backoffice.item_copy.file import COPY_NAME
from bridge.backoffice.purchase_recorder import Recorder
from bridge.backoffice.reading import OfficeReading, build_reading
from bridge.backoffice.terminal_payments.driver import PosServerDriver
from bridge.backoffice.terminal_payments.line import PosServerTerminal
from bridge.cli.extras import missing_part
from bridge.clock import WallClock
from bridge.control import Control
from bridge.errors import ConfigError
from bridge.money.background.incomplete_sales import IncompleteSales
from bridge.money.background.retention import Retention
from bridge.money.background.signature_reversals import Reversals, SignaturePolicy
from bridge.money.background.split_payments import SplitPayments
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.payment import GIFT_CARDS
from bridge.money.store.custody import Custody
from bridge.money.store.database import log_bytes
from bridge.money.store.journal import Journal
from bridge.register import api as k
from bridge.register.commands.router import Desk
from bridge.register.mqtt.authority import Authority, Other
from bridge.register.publishing import holds
from bridge.register.publishing.clerk_display import means_of
from bridge.register.publishing.publisher import Publisher
from bridge.settings import (
    JOURNAL_NAME,
    api_names,
    desk_settings,
    line_address,
    login_settings,
    mqtt_settings,
    not_booked_by_us,
    proxy_settings,
    reading_settings,
    token_store,
    unbooked_terminals,
)
from bridge.status import Identity, StatusDocuments
from bridge.takeover import TakeOver
from bridge.terminal.conversation import Line
from bridge.terminal.plugins import read_settings
from bridge.terminal.station import Station
from bridge.terminal.status import StationSettings
from drivers.contract import Driver, Stage

if TYPE_CHECKING:
    from bridge.console_assembly import Console

ENTRIES_COMPARED = 21  # of the journal, with the clock at the start: some days of a quiet store


@dataclass(frozen=True, slots=True)
class Parts:
    """The bridge, built and recovered; not running yet."""

    config: cfg.Config
    ledger: Ledger
    journal: Journal
    stations: Mapping[str, Station]
    bus: Bus
    desk: Desk
    publisher: Publisher
    status: StatusDocuments
    login: BackOfficeLogin | None
    recorder: Recorder | None
    gift_cards: GiftCards | None
    pos_server: Sequence[PosServerTerminal]  # those that the POS server drives
    plans: SplitPayments
    reversals: Reversals
    incomplete_sales: IncompleteSales | None
    retention: Retention
    reading: OfficeReading | None
    control: Control
    custody: Custody
    take_over: TakeOver
    console: Console | None = None  # None: nobody configured one


def load_drivers(config: cfg.Config, adapters: Adapters) -> dict[str, tuple[Driver, Any]]:
    """Return the driver and its settings for each terminal; nothing is opened or written.

    Raises:
        ConfigError: A driver or one of its settings is wrong.
    """
    loaded = {}
    for name, terminal in config.terminals.items():
        key = f"terminals.{name}"
        if name == GIFT_CARDS:
            raise ConfigError(key, "this name stands for gift cards; call the terminal otherwise")
        if terminal.kind == "pos_server":
            assert config.back_office is not None, "the configuration was checked"
            driver: Driver = PosServerDriver(config.back_office.deadline_seconds)
            loaded[name] = (driver, read_settings(driver, terminal.settings, f"{key}.settings"))
            continue
        driver = adapters.load_driver(terminal.driver, f"{key}.driver")
        loaded[name] = (driver, read_settings(driver, terminal.settings, f"{key}.settings"))
    return loaded


def build_stations(
    config: cfg.Config,
    drivers: Mapping[str, tuple[Driver, Any]],
    ledger: Ledger,
    adapters: Adapters,
    *,
    clock: WallClock,
    pos_server: Mapping[str, PosServerTerminal],
) -> dict[str, Station]:
    """Return one station per configured terminal; `pos_server` has those without a line."""
    stations = {}
    for name, terminal in config.terminals.items():
        driver, settings = drivers[name]
        if name in pos_server:
            open_line: Callable[[], Awaitable[Line]] = pos_server[name].open_line
        else:
            address = line_address(terminal, driver.serial_defaults)
            open_line = partial(adapters.open_line, address)
        stations[name] = Station(
            StationSettings(
                terminal_id=name,
                transport="serial" if terminal.port else "tcp",
                address=terminal.tcp or terminal.port or "the POS server",
                persistent=terminal.connection == "persistent",
                probe_seconds=terminal.probe_seconds,
                cancel_deadline_seconds=terminal.cancel_deadline_seconds,
                stage_seconds={
                    Stage(stage): seconds
                    for stage, seconds in terminal.stage_seconds.model_dump().items()
                    if seconds is not None
                },
                silent_seconds={
                    Stage(stage): seconds
                    for stage, seconds in terminal.silent_seconds.model_dump().items()
                },
                expected_terminal_id=terminal.terminal_id,
                expected_serial_number=terminal.serial_number,
            ),
            driver,
            settings,
            open_line=open_line,
            ledger=ledger,
            changed=ledger.payments.something_changed,
            now=lambda: k.format_time(clock.now()),
        )
    return stations


@asynccontextmanager
async def build(
    config: cfg.Config, environment: Mapping[str, str], adapters: Adapters
) -> AsyncIterator[Parts]:
    """Yield the bridge with its journal recovered, and close everything afterwards.

    Raises:
        ConfigError: A setting is wrong.
        JournalError: The journal is somebody else's, damaged, or cannot be written.
    """
    drivers = load_drivers(config, adapters)
    state = config.site.state_directory
    async with AsyncExitStack() as opened:
        stored = await opened.enter_async_context(adapters.open_state(state, adapters.new_id))
        journal = stored.journal
        clock = WallClock(adapters.utc_now, adapters.monotonic)
        clock.learn(journal.latest_times(ENTRIES_COMPARED))
        custody = Custody(journal, lambda: k.format_time(clock.now()))
        await custody.recover(stored.remembered)

        def store_time(moment: datetime | None) -> str:
            """Return local time without an offset, as the books want it; "" for None."""
            return adapters.to_local(moment).strftime("%Y-%m-%dT%H:%M:%S") if moment else ""

        office = config.back_office
        told_by: list[BackOffice] = []  # whose clock is asked where ours is doubtful
        ledger = Ledger(
            journal,
            books=BooksPolicy(
                store_code=config.site.store_code,
                summary_sku=office.summary_sku if office else "",
                required=office is not None and office.records,
                tip_sku=office.tip_sku if office and config.site.tips_booked else "",
                not_ours=not_booked_by_us(config),
            ),
            now=lambda: k.format_time(clock.now()),
            local_now=lambda: store_time(clock.now()),
            terminals=config.terminals,
            clock_is_doubtful=lambda: bool(clock.implausible),
            server_local_now=lambda: store_time(told_by[0].server_now()) if told_by else "",
            tip_limit_percent=config.site.tip_limit_percent,
        )
        pos_server: dict[str, PosServerTerminal] = {}
        login: BackOfficeLogin | None = None
        recorder: Recorder | None = None
        gift_cards: GiftCards | None = None
        books: BackOffice | None = None
        reading: OfficeReading | None = None
        if office is not None:
            http = adapters.open_client(office.ca_file, proxy_settings(office, environment))
            opened.push_async_callback(http.aclose)
            settings = login_settings(office, environment)
            login = adapters.login(http, settings, token_store(state, environment), clock.now)
            books = adapters.back_office(
                http,
                office.endpoint,
                login,
                deadline_seconds=office.deadline_seconds,
                names=api_names(office),
            )
            told_by.append(books)
            copy = None
            if office.items.enabled:
                copy = await opened.enter_async_context(
                    adapters.open_item_copy(state / COPY_NAME, adapters.free_bytes, office.endpoint)
                )
            reading = build_reading(
                reading_settings(config),
                books,
                copy,
                now=clock.now,
                monotonic=adapters.monotonic,
                answered=ledger.payments.something_changed.set,
            )
            recorder = Recorder(ledger, books, login, adapters.chance("recorder"))
            gift_cards = GiftCards(
                ledger,
                books,
                GiftCardSteps(
                    ledger,
                    books,
                    deadline_seconds=office.deadline_seconds,
                    quiet_seconds=office.gift_card_quiet_seconds,
                ),
                activates=office.gift_card_activation,
                store_credit=office.store_credit,
                changes_codes=office.gift_card_code_changes,
            )
            steps = TerminalPayments(books)
            pos_server = {name: PosServerTerminal(steps) for name in config.pos_server_terminals}
        stations = build_stations(
            config, drivers, ledger, adapters, clock=clock, pos_server=pos_server
        )
        yield _assemble(
            config,
            environment,
            adapters,
            stored=stored,
            custody=custody,
            clock=clock,
            ledger=ledger,
            stations=stations,
            login=login,
            recorder=recorder,
            gift_cards=gift_cards,
            pos_server=tuple(pos_server.values()),
            records=books,
            reading=reading,
        )


def _assemble(
    config: cfg.Config,
    environment: Mapping[str, str],
    adapters: Adapters,
    *,
    stored: State,
    custody: Custody,
    clock: WallClock,
    ledger: Ledger,
    stations: Mapping[str, Station],
    login: BackOfficeLogin | None,
    recorder: Recorder | None,
    gift_cards: GiftCards | None,
    pos_server: Sequence[PosServerTerminal],
    records: BackOffice | None,
    reading: OfficeReading | None,
) -> Parts:
    settings = desk_settings(config)
    journal = stored.journal
    bus = _bus(
        config, environment, adapters, stored.instance, ledger.payments.something_changed.set
    )
    take_over = TakeOver(custody, ledger, bus)
    names = {name: one.name or name for name, one in config.terminals.items()}
    plans = SplitPayments(ledger, lambda terminal, payment: stations[terminal].release(payment))
    desk = Desk(
        bus,
        ledger,
        stations,
        settings,
        now=clock.now,
        gift_cards=gift_cards,
        plans=plans,
        inquiries=reading.inquiries if reading else None,
        facts=reading.facts if reading else None,
        clock_is_doubtful=lambda: bool(clock.implausible),
    )
    consoles: list[Console] = []  # none or one, which needs the status that tells its warnings
    status = StatusDocuments(
        Identity(config.site.bridge_id, config.site.name, config.site.state_directory),
        ledger=ledger,
        journal=journal,
        stations=stations,
        names=names,
        bus=bus,
        books=recorder,
        now=clock.now,
        login_needed=lambda: login is not None and login.status.needed_since is not None,
        obstacles=take_over.obstacles,
        log_bytes=partial(log_bytes, config.site.state_directory / JOURNAL_NAME),
        warnings=lambda: [
            *take_over.warnings(),
            *filter(None, [clock.implausible]),
            *(text for one in consoles for text in one.warnings()),
            *plans.warnings(),
            *(reading.warnings() if reading else ()),
            *unbooked_terminals(config),
            *ledger.code_changes.warnings(),
            *(
                f"no gift card's money can be held: {one}"
                for one in (records.lacks if records else ())
            ),
            *holds.warnings(ledger.payments.held(), settings.hold_days, clock.now()),
        ],
    )
    signatures = SignaturePolicy(config.site.unsigned == "stands", config.site.signature_seconds)
    reversals = Reversals(
        ledger, stations, signatures, now=clock.now, is_connected=lambda: bus.connected
    )
    publisher = Publisher(
        bus,
        ledger,
        desk.outbox,
        status,
        settings.topics,
        terminal_names=names,
        signatures=reversals,
        receipt_style=settings.receipt_style,
        hold_days=settings.hold_days,
        stage_seconds={name: one.settings.stage_seconds for name, one in stations.items()},
        means={name: means_of(one.capabilities) for name, one in stations.items()},
        now=clock.now,
        last_seq=journal.last_seq(),
        clock_is_steady=lambda: clock.is_steady,
        plans=plans,
    )
    incomplete_sales = None
    if config.back_office is not None:
        wait = timedelta(hours=config.back_office.lines_within_hours)
        incomplete_sales = IncompleteSales(
            ledger,
            wait,
            now=clock.now,
            write_time=k.format_time,
            clock_is_steady=lambda: clock.is_steady,
        )
    keep = config.receipts.keep_months
    retention = Retention(
        ledger,
        journal,
        keep,
        now=clock.now,
        write_time=k.format_time,
        clock_is_steady=lambda: clock.is_steady,
    )
    control = Control(
        config.site.state_directory / cfg.CONTROL_NAME,
        ledger,
        desk,
        records,
        take_over=take_over,
        status=status.as_json,
        frames=status.frames,
    )
    if config.console is not None and config.console.enabled:
        consoles.append(
            _console(
                config.console,
                config,
                adapters,
                ledger=ledger,
                journal=journal,
                desk=desk,
                control=control,
                status=status,
                stations=stations,
                login=login,
                now=clock.now,
            )
        )
    return Parts(
        config=config,
        ledger=ledger,
        journal=journal,
        stations=stations,
        bus=bus,
        desk=desk,
        publisher=publisher,
        status=status,
        login=login,
        recorder=recorder,
        gift_cards=gift_cards,
        pos_server=pos_server,
        plans=plans,
        reversals=reversals,
        incomplete_sales=incomplete_sales,
        retention=retention,
        reading=reading,
        control=control,
        custody=custody,
        take_over=take_over,
        console=consoles[0] if consoles else None,
    )


def _console(
    settings: cfg.Console, config: cfg.Config, adapters: Adapters, **parts: Any
) -> Console:
    """Return the console over the parts; only a store that has one loads what it is made of.

    Raises:
        ConfigError: What it is made of is not installed.
    """
    try:
        from bridge.console_assembly import build_console  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ConfigError(
            "console", missing_part(error) or f"a module is missing: {error}"
        ) from error
    return build_console(settings, config, adapters, **parts)


def _bus(
    config: cfg.Config,
    environment: Mapping[str, str],
    adapters: Adapters,
    instance: BridgeInstance,
    changed: Callable[[], None],
) -> Bus:
    authority = Authority(
        Other(instance.instance_id, config.site.bridge_id),
        adapters.new_id(),
        behind=instance.behind,
        remember=instance.remember,
    )
    return adapters.bus(
        mqtt_settings(config.mqtt, environment),
        base_topic=config.mqtt.base_topic,
        will=k.encode(k.BridgeState(state="offline", reason="connection_lost")),
        new_epoch=lambda: adapters.new_id()[:12],
        rng=adapters.chance("bus"),
        authority=authority,
        new_nonce=adapters.new_id,
        changed=changed,
    )

"""`paybridge check`: looks at everything a technician set up, and says what to do. Moves no money.

It opens the ports that the configuration names only when no bridge is running, and sends nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridge import config as cfg
from bridge.adapters import utc_now
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.locations import NotShown, Shown
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.login.login import Login
from bridge.cli.check_office import office_findings
from bridge.control import ask
from bridge.errors import BridgeError, ConfigError, JournalError, LoginRequired
from bridge.money.store.database import Ownership, open_for_reading
from bridge.settings import (
    JOURNAL_NAME,
    api_names,
    line_address,
    login_settings,
    mqtt_settings,
    token_store,
)
from bridge.terminal.plugins import load_driver, read_settings
from bridge.terminal.transport import open_line

STORES_NAMED_MAX = 8  # of those that the back office has; enough to see what codes look like
BROKER_SECONDS = 3.0  # a broker on the same machine or LAN accepts at once


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `look` is worth a person's look; `wrong` stops payments or their recording.
    """

    what: str
    state: Literal["ok", "look", "wrong"]
    text: str


async def check(config: cfg.Config, environment: Mapping[str, str]) -> list[Finding]:
    """Return what was found, in the order in which it matters."""
    running, findings = _journal(config)
    if running:
        findings += await _obstacles(config)
    findings.append(await _broker(config, environment))
    for name, terminal in config.terminals.items():
        findings.append(await _terminal(name, terminal, running=running))
    if config.back_office is not None:
        findings += await _back_office(config, config.back_office, environment)
    return findings


def _journal(config: cfg.Config) -> tuple[bool, list[Finding]]:
    path = config.site.state_directory / JOURNAL_NAME
    what = f"journal {path}"
    if not path.exists():
        if not path.parent.exists():
            return False, [Finding(what, "look", "its folder does not exist yet; `run` makes it")]
        return False, [Finding(what, "ok", "will be made at the first start")]
    running = False
    try:
        Ownership(path).release()
    except JournalError:
        running = True
    try:
        connection = open_for_reading(path)
        try:
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
        finally:
            connection.close()
    except (JournalError, sqlite3.Error) as error:
        return running, [Finding(what, "wrong", str(error))]
    if found != "ok":
        return running, [Finding(what, "wrong", f"damaged: {found}")]
    return running, [Finding(what, "ok", "in use by the running bridge" if running else "sound")]


async def _obstacles(config: cfg.Config) -> list[Finding]:
    """Ask the running bridge why it serves nothing, if that is so."""
    what = f"serving {config.mqtt.base_topic}"
    try:
        answer = await ask(config.site.state_directory / cfg.CONTROL_NAME, {"do": "obstacles"})
    except (OSError, ValueError, TimeoutError) as error:
        return [Finding(what, "look", f"the running bridge cannot be asked: {error}")]
    found = [Finding(what, "wrong", text) for text in answer.get("obstacles", ())]
    found += [Finding(what, "look", text) for text in answer.get("warnings", ())]
    return found or [Finding(what, "ok", "nothing is in the way")]


async def _broker(config: cfg.Config, environment: Mapping[str, str]) -> Finding:
    what = f"broker {config.mqtt.host}:{config.mqtt.port}"
    try:
        mqtt_settings(config.mqtt, environment)
        async with asyncio.timeout(BROKER_SECONDS):
            _, writer = await asyncio.open_connection(config.mqtt.host, config.mqtt.port)
    except BridgeError as error:
        return Finding(what, "wrong", str(error))
    except (OSError, TimeoutError) as error:
        why = str(error) or "time out"
        return Finding(what, "wrong", f"does not answer ({why}); is it running?")
    writer.close()
    return Finding(what, "ok", "listens")


async def _terminal(name: str, terminal: cfg.Terminal, *, running: bool) -> Finding:
    what = f"terminal {name}"
    key = f"terminals.{name}"
    address = terminal.port or terminal.tcp or ""
    try:
        driver = load_driver(terminal.driver, f"{key}.driver")
        read_settings(driver, terminal.settings, f"{key}.settings")
        if running:
            return Finding(what, "ok", f"{driver.name} at {address}; the running bridge has it")
        line = await open_line(line_address(terminal, driver.serial_defaults))
    except BridgeError as error:
        return Finding(what, "wrong", str(error))
    line.close()
    return Finding(what, "ok", f"{driver.name} at {address}; the line opens")


async def _back_office(
    config: cfg.Config, office: cfg.BackOffice, environment: Mapping[str, str]
) -> list[Finding]:
    what = f"back office {office.endpoint}"
    try:
        async with open_client(office.ca_file) as http:
            tokens = token_store(config.site.state_directory, environment)
            login = Login(http, login_settings(office, environment), tokens, utc_now)
            books = BackOffice(
                http,
                office.endpoint,
                login,
                deadline_seconds=office.deadline_seconds,
                names=api_names(office),
            )
            await books.ping()
            names = await books.learn_names()
            store = await books.find_store(config.site.store_code) if office.records else None
            seen = await office_findings(config, books)
    except ConfigError as error:
        return [Finding(what, "wrong", f"{error}; `run` will not start")]
    except LoginRequired as error:
        return [Finding(what, "look", f"{error}; run `paybridge login` (payments go on)")]
    except BridgeError as error:
        return [Finding(what, "look", f"{error}; payments go on, recording waits")]
    found = Finding(what, "ok", "answers, and we are logged in")
    findings = [found, gift_card_names(names, read=books.names_are_read)]
    if store is not None:
        findings.append(store_code_found(config.site.store_code, store))
    return findings + [Finding(*one) for one in seen]


def store_code_found(store_code: str, found: Shown | NotShown | CannotTell) -> Finding:
    """Say whether purchases go to a store that the back office has, before the first sale."""
    what = f"store code {store_code}"
    match found:
        case Shown(location) if location.code == store_code:
            return Finding(what, "ok", f"the back office has it: {location.name or 'no name'}")
        case Shown(location):
            text = f"the back office writes it {location.code}: write site.store_code so, too"
            return Finding(what, "look", text)
        case CannotTell(reason):
            text = f"cannot tell whether the back office has it: {reason}; compare it there"
            return Finding(what, "look", text)
        case NotShown(others):
            shown = [f"{one.code} ({one.name})" if one.name else one.code for one in others]
            rest = len(shown) - STORES_NAMED_MAX
            more = f" and {rest} more" if rest > 0 else ""
            text = (
                "the back office shows no such store, and may reject every purchase (payments go "
                "on): correct site.store_code, or have the store made there. It shows "
                f"{', '.join(shown[:STORES_NAMED_MAX])}{more}"
            )
            return Finding(what, "wrong", text)


def gift_card_names(names: ApiNames, *, read: bool) -> Finding:
    """Say whether gift cards can be held, and how we know; `read`: from the server's schema."""
    what = "gift cards"
    if names.missing:
        text = (
            f"{'; '.join(names.missing)}: a gift card is used at once, and cannot be held, "
            "loaded, or be part of a split payment"
        )
        return Finding(what, "look", text)
    if not read:
        text = "the server lets nobody read its schema: back_office.names is believed; try one card"
        return Finding(what, "look", text)
    return Finding(what, "ok", "the server's schema has all that holds need")

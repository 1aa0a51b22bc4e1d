"""Builds the operator console over a service that is built; loaded only where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge import config as cfg
from bridge.adapters import Adapters, BackOfficeLogin
from bridge.backoffice.login.login import Login
from bridge.console.server import ConsoleServer
from bridge.console.sources import FoundDevice
from bridge.console.visit import ConsoleSettings
from bridge.control import Control
from bridge.discovery.serial_ports import list_serial_ports
from bridge.login_desk import LoginDesk
from bridge.money.ledger import Ledger
from bridge.money.store.journal import Journal
from bridge.operator_desk import OperatorDesk, Place
from bridge.register.commands.router import Desk
from bridge.settings import JOURNAL_NAME, receipt_style
from bridge.status import StatusDocuments
from bridge.terminal.station import Station


@dataclass(frozen=True, slots=True)
class Console:
    """The console, and what must run for it."""

    server: ConsoleServer
    desk: OperatorDesk

    def warnings(self) -> Sequence[str]:
        """Return why nobody can reach it, in words."""
        return self.server.warnings()

    def works(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what must run, for ever."""
        return (*self.server.works(), *self.desk.works())


def build_console(
    settings: cfg.Console,
    config: cfg.Config,
    adapters: Adapters,
    *,
    ledger: Ledger,
    journal: Journal,
    desk: Desk,
    control: Control,
    status: StatusDocuments,
    stations: Mapping[str, Station],
    login: BackOfficeLogin | None,
    now: Callable[[], datetime],
) -> Console:
    """Return the console over these parts; nothing is opened yet."""
    changed = ledger.payments.something_changed
    logins = LoginDesk(login if isinstance(login, Login) else None, changed.set)
    operator = OperatorDesk(
        Place(
            name=config.site.name,
            store_code=config.site.store_code,
            registers={name: one.terminal or "" for name, one in config.registers.items()},
            hold_days={name: one.hold_days for name, one in config.terminals.items()},
            receipt_style=receipt_style(config),
        ),
        ledger=ledger,
        journal=journal,
        desk=desk,
        control=control,
        status=status,
        stations=stations,
        logins=logins,
        now=now,
        list_devices=lambda: _unnamed_devices(config.terminals),
    )
    server = ConsoleServer(
        ConsoleSettings(
            host=settings.host,
            port=settings.port,
            language=settings.language,
            hosts=settings.allowed_hosts,
            certificate_file=settings.tls.certificate_file if settings.tls else None,
            key_file=settings.tls.key_file if settings.tls else None,
        ),
        operator,
        state_directory=config.site.state_directory,
        journal_name=JOURNAL_NAME,
        changed=changed.listen(),
        to_local=adapters.to_local,
        clock=adapters.monotonic,
    )
    return Console(server, operator)


def _unnamed_devices(terminals: Mapping[str, cfg.Terminal]) -> list[FoundDevice]:
    """Return the serial ports that no configured terminal has. Opens nothing."""
    taken = {os.path.realpath(one.port) for one in terminals.values() if one.port is not None}
    return [
        FoundDevice(
            device=port.device,
            what=" ".join(filter(None, [port.manufacturer, port.product])),
            serial_number=port.serial_number,
            path=port.stable_name,
            may_be_terminal=port.may_be_asked and bool(port.vendor_id),
        )
        for port in list_serial_ports()
        if os.path.realpath(port.device) not in taken
    ]

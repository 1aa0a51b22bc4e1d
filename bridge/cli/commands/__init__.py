"""The subcommands of `paybridge`, each a module: its arguments, its exit status, what it prints."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.cli.commands import (
    backup,
    broker,
    check,
    conformance,
    console,
    contract,
    day,
    demo,
    drivers,
    find,
    login,
    logout,
    mend,
    note,
    office,
    payments,
    registers,
    releases,
    replay,
    resolve,
    restore,
    run,
    show,
    status,
    support,
    take_over,
    version,
)
from bridge.cli.shell import Command

# In the order of `paybridge --help`: the service, payments, the broker, the journal and its
# program, terminals, developers.
_ALL = (
    *(run.COMMAND, status.COMMAND, check.COMMAND, take_over.COMMAND, login.COMMAND, logout.COMMAND),
    *(payments.COMMAND, show.COMMAND, day.COMMAND, resolve.COMMAND, mend.COMMAND),
    console.COMMAND,
    *(broker.COMMAND, registers.COMMAND),
    office.COMMAND,
    *(backup.COMMAND, restore.COMMAND, releases.COMMAND, support.COMMAND, replay.COMMAND),
    *(drivers.COMMAND, note.COMMAND, find.COMMAND),
    *(demo.COMMAND, contract.COMMAND, conformance.COMMAND),
    version.COMMAND,
)
COMMANDS: Mapping[str, Command] = {command.name: command for command in _ALL}

"""The subcommands of `paybridge`, each a module: its arguments, its exit status, what it prints."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.cli.commands import (
    check,
    conformance,
    contract,
    demo,
    drivers,
    find,
    login,
    logout,
    mend,
    note,
    payments,
    resolve,
    run,
    show,
    take_over,
    version,
)
from bridge.cli.shell import Command

# In the order of `paybridge --help`: the service, payments, terminals, developers.
_ALL = (
    *(run.COMMAND, check.COMMAND, take_over.COMMAND, login.COMMAND, logout.COMMAND),
    *(payments.COMMAND, show.COMMAND, resolve.COMMAND, mend.COMMAND),
    *(drivers.COMMAND, note.COMMAND, find.COMMAND),
    *(demo.COMMAND, contract.COMMAND, conformance.COMMAND),
    version.COMMAND,
)
COMMANDS: Mapping[str, Command] = {command.name: command for command in _ALL}

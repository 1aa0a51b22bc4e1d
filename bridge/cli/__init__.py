"""The command line: `paybridge run|check|login|payments|show|resolve|drivers|find|…`.

Exit statuses: 0 done, 1 it did not work out, 64 wrong use, 69 the other side is away,
70 a bug, 74 the journal, 77 not allowed or login refused, 78 the configuration.
Source: sysexits.h of 4.3BSD for the numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bridge import __version__, log
from bridge.cli.arguments import CONFIG_DEFAULT, parser
from bridge.errors import (
    BackOfficeUnavailable,
    BridgeError,
    ConfigError,
    JournalError,
    LoginRequired,
)

if TYPE_CHECKING:
    from bridge.config import Config

EXIT_FAILED = 1
EXIT_USAGE = 64
EXIT_AWAY = 69
EXIT_BUG = 70
EXIT_JOURNAL = 74
EXIT_NOT_ALLOWED = 77
EXIT_CONFIG = 78

PRIVATE_UMASK = 0o077  # as the unit's UMask=

_LOGGER = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        sys.exit(EXIT_USAGE)
    # What a module logs is for a running service; a person here gets answers and errors.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        sys.exit(COMMANDS[options.command](options))
    except BridgeError as error:
        _say_error(options, error)
        sys.exit(_status_of(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)


# --- running


def _run(options: argparse.Namespace) -> int:
    # Before anything can fail: journald takes the priority of the last word from its line.
    log.configure(logging.INFO, sys.stderr, os.environ)
    os.umask(PRIVATE_UMASK)
    announce = (lambda: _print_json({"ready": True})) if options.json else (lambda: None)
    try:
        from bridge import service

        config = _load(options)
        level = logging.getLevelNamesMapping()[config.service.log_level.upper()]
        logging.getLogger().setLevel(level)
        asyncio.run(service.run(config, os.environ, ready=announce))
    except BridgeError as error:
        if options.json:
            _print_json(_as_json(error))
        return _explain_end(BaseExceptionGroup("it did not start", [error]))
    except BaseExceptionGroup as group:
        return _explain_end(group)
    except Exception as error:
        return _explain_end(BaseExceptionGroup("before the tasks", [error]))
    return 0


def _explain_end(group: BaseExceptionGroup[BaseException]) -> int:
    """Log why the service ended and return the exit status; a bug says so with its traceback."""
    errors = _leaves(group)
    for error in errors:
        if isinstance(error, BridgeError):
            _LOGGER.error("stopped reason=%s", error)
        else:
            _LOGGER.critical("bug: the journal makes a restart safe", exc_info=error)
    return _status_of(errors[0]) if errors else EXIT_FAILED


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _leaves(error)
        elif isinstance(error, Exception):
            found.append(error)
    return found


def _check(options: argparse.Namespace) -> int:
    from bridge.cli.check import check

    results = asyncio.run(check(_load(options), os.environ))
    if options.json:
        _print_json([{"what": r.what, "state": r.state, "text": r.text} for r in results])
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, show_header=False)
        table.add_column()
        table.add_column(overflow="fold")  # whole paths: somebody has to look there
        table.add_column(overflow="fold")
        marks = {"ok": "[green]ok[/]", "look": "[yellow]look[/]", "wrong": "[red]wrong[/]"}
        for result in results:
            table.add_row(marks[result.state], result.what, result.text)
        Console().print(table)
    return EXIT_FAILED if any(result.state == "wrong" for result in results) else 0


def _take_over(options: argparse.Namespace) -> int:
    from bridge.config import CONTROL_NAME
    from bridge.control import ask

    path = _load(options).site.state_directory / CONTROL_NAME
    try:
        answer = asyncio.run(ask(path, {"do": "take_over", "by": options.by}))
    except (OSError, ValueError, TimeoutError) as error:
        print(f"the bridge is not running, or not ours ({path}: {error})", file=sys.stderr)
        return EXIT_AWAY
    if options.json:
        _print_json(answer)
    elif answer.get("ok"):
        for text in answer.get("confirmed", ()):
            print(f"noted: {text}")
        print("The bridge goes on. What was open is left to persons: paybridge payments --open")
    else:
        print(f"refused: {answer.get('message')} ({answer.get('code')})", file=sys.stderr)
    return 0 if answer.get("ok") else EXIT_FAILED


# --- the login


def _login(options: argparse.Namespace) -> int:
    from bridge.cli.login import log_in

    os.umask(PRIVATE_UMASK)
    identity = asyncio.run(
        log_in(
            _load(options),
            os.environ,
            browser=options.browser,
            accept_other=options.accept_other,
            as_json=options.json,
        )
    )
    if options.json:
        _print_json({"logged_in": True, "as": identity})
    return 0


def _logout(options: argparse.Namespace) -> int:
    from bridge.cli.login import log_out

    revoked = asyncio.run(log_out(_load(options), os.environ))
    if options.json:
        _print_json({"logged_in": False, "revoked": revoked})
    else:
        print("Logged out." if revoked else "Logged out here; the provider was not told.")
    return 0


# --- the journal


def _payments(options: argparse.Namespace) -> int:
    from bridge.cli.journal import list_payments

    rows = list_payments(_load(options), only_open=options.open, limit=options.limit)
    if options.json:
        _print_json(rows)
        return 0
    from rich.console import Console

    from bridge.cli.journal import payments_table

    Console().print(payments_table(rows))
    return 0


def _show(options: argparse.Namespace) -> int:
    from bridge.cli.journal import find_payment

    found = find_payment(_load(options), options.payment_id)
    if found is None:
        print(f"there is no payment {options.payment_id}", file=sys.stderr)
        return EXIT_FAILED
    if options.json:
        _print_json(found)
        return 0
    from bridge.cli.journal import print_history

    print_history(found)
    return 0


def _resolve(options: argparse.Namespace) -> int:
    from bridge.cli.journal import find_payment_id

    config = _load(options)
    payment_id = find_payment_id(config, options.payment_id) or options.payment_id
    order: dict[str, object] = {"payment_id": payment_id, "by": options.by}
    if options.answer in {"booked", "send-again"}:
        order |= {
            "do": "resolve_purchase",
            "record_id": options.record_id,
            "send_again": options.answer == "send-again",
        }
    elif options.answer in {"book", "noted"}:
        order |= {"do": "decide_discrepancy", "decision": options.answer}
    else:
        outcome = options.answer.replace("-", "_")
        order |= {
            "do": "resolve_payment",
            "outcome": outcome,
            "approval_code": options.code,
            "amount": options.amount,
        }
    answer = _order(options, order)
    if answer is None:
        return EXIT_AWAY
    if options.json:
        _print_json(answer)
    elif answer.get("ok"):
        print(f"{payment_id}: {answer.get('status') or answer.get('booking')}")
    else:
        print(f"refused: {answer.get('message')} ({answer.get('code')})", file=sys.stderr)
    return 0 if answer.get("ok") else EXIT_FAILED


# --- terminals


def _note(options: argparse.Namespace) -> int:
    order = {"do": "note_gaps", "terminal_id": options.terminal_id}
    answer = _order(options, order | {"by": options.by, "text": options.text})
    if answer is None:
        return EXIT_AWAY
    if options.json:
        _print_json(answer)
    elif answer.get("ok"):
        print(f"{options.terminal_id}: {answer.get('noted')} noted")
    else:
        print(f"refused: {answer.get('message')} ({answer.get('code')})", file=sys.stderr)
    return 0 if answer.get("ok") else EXIT_FAILED


def _order(options: argparse.Namespace, order: dict[str, object]) -> dict[str, object] | None:
    """Send an order to the running service; None, and a word to the person, if there is none."""
    from bridge.config import CONTROL_NAME
    from bridge.control import ask

    path = _load(options).site.state_directory / CONTROL_NAME
    try:
        return asyncio.run(ask(path, order))
    except (OSError, ValueError, TimeoutError) as error:
        print(f"the bridge is not running, or not ours ({path}: {error})", file=sys.stderr)
        return None


def _drivers(options: argparse.Namespace) -> int:
    from bridge.cli.drivers import as_json, installed_drivers, print_drivers

    found = installed_drivers()
    if options.json:
        _print_json([as_json(one) for one in found])
    else:
        print_drivers(found)
    return EXIT_FAILED if any(one.error for one in found) else 0


def _find(options: argparse.Namespace) -> int:
    from bridge.cli.find import Configured, Wish, configured, print_all_found, tcp_address

    try:
        addresses = [tcp_address(one) for one in options.tcp]
    except ValueError as error:
        raise ConfigError("--tcp", str(error)) from None
    known = Configured()
    try:
        known = configured(options.config)
    except ConfigError as error:
        if options.config != CONFIG_DEFAULT:
            raise
        print(f"paybridge: no configuration to look at yet: {error}", file=sys.stderr)
    rows: list[object] | None = [] if options.json else None
    wish = Wish(options.port, addresses, options.probe, options.anywhere)
    success = asyncio.run(print_all_found(wish, known, rows))
    if options.json:
        _print_json(rows)
    elif not success:
        asked = options.probe or options.tcp
        print("no terminal answered" if asked else "no serial port is there")
    return 0 if success else EXIT_FAILED


# --- the rest


def _demo(options: argparse.Namespace) -> int:
    try:
        from simulators.demo import play
    except ImportError as error:
        print(
            f"the demo needs its extras: pip install 'paybridge[demo]' ({error})", file=sys.stderr
        )
        return EXIT_FAILED
    return play(stay=options.stay, fast=options.fast, as_json=options.json)


def _contract(options: argparse.Namespace) -> int:
    from bridge.cli.contract import stale_files, write_files

    changed = stale_files(options.out) if options.check else write_files(options.out)
    if options.json:
        _print_json({"stale" if options.check else "written": changed})
    else:
        for name in changed:
            print(f"{'stale' if options.check else 'written'}: {options.out / name}")
    return EXIT_FAILED if options.check and changed else 0


def _conformance(options: argparse.Namespace) -> int:
    from bridge.cli.conformance import facts, print_report, settings_from

    try:
        from simulators.conformance import conform
        from simulators.demo.process import ProcessFailed
    except ImportError as error:
        print(
            f"this needs the demo's parts: pip install 'paybridge[demo]' ({error})", file=sys.stderr
        )
        return EXIT_FAILED
    settings = settings_from(options)
    say = (lambda _: None) if options.json else (lambda text: print(text, flush=True))
    try:
        report = asyncio.run(conform(settings, say))
    except ProcessFailed as error:
        print(f"paybridge: {error}", file=sys.stderr)
        return EXIT_FAILED
    if options.json:
        _print_json(facts(report))
    else:
        print_report(report)
    return 0 if report.is_kept else EXIT_FAILED


def _version(options: argparse.Namespace) -> int:
    if options.json:
        _print_json({"version": __version__})
    else:
        print(f"paybridge {__version__}")
    return 0


def _load(options: argparse.Namespace) -> Config:
    from bridge import config

    return config.load(options.config)


def _print_json(value: object) -> None:
    print(json.dumps(value), flush=True)


def _as_json(error: BridgeError) -> dict[str, str]:
    key = error.key if isinstance(error, ConfigError) else ""
    return {"error": type(error).__name__, "key": key, "message": str(error)}


def _say_error(options: argparse.Namespace, error: BridgeError) -> None:
    if getattr(options, "json", False):
        _print_json(_as_json(error))
    print(f"paybridge: {error}", file=sys.stderr)


def _status_of(error: Exception) -> int:
    match error:
        case ConfigError():
            return EXIT_CONFIG
        case JournalError():
            return EXIT_JOURNAL
        case LoginRequired():
            return EXIT_NOT_ALLOWED
        case BackOfficeUnavailable():
            return EXIT_AWAY
        case BridgeError():
            return EXIT_FAILED
        case _:
            return EXIT_BUG


if __name__ == "__main__":
    main()


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check": _check,
    "take-over": _take_over,
    "login": _login,
    "logout": _logout,
    "payments": _payments,
    "show": _show,
    "resolve": _resolve,
    "note": _note,
    "drivers": _drivers,
    "find": _find,
    "demo": _demo,
    "contract": _contract,
    "conformance": _conformance,
    "version": _version,
}

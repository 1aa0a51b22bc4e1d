"""Each terminal: its settings, its line, and who answers there to a question without money.

While the service runs, it has the line, and is asked for what it knows. Else the terminal is asked
as it is configured. Where nobody answers, the same driver is tried at other speeds, then the other
drivers, so that a wrong setting can be named rather than guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bridge import config as cfg
from bridge.cli.checks import pos_server
from bridge.cli.checks.findings import Finding, found, terminal_word
from bridge.cli.drivers import installed_drivers
from bridge.discovery.serial_ports import Connect, PortAnswer, Question, ask
from bridge.errors import ConfigError
from bridge.settings import line_address
from bridge.terminal.plugins import load_driver, read_settings
from bridge.terminal.status import WRONG_DEVICE
from bridge.terminal.transport import SerialAddress, TcpAddress, open_line
from drivers.contract import Driver, TerminalReady

# What terminals are set to, by how often; the configured one and the driver's own come first.
BAUD_RATES: Final = (9_600, 115_200, 19_200, 38_400, 57_600)
OTHERS_SECONDS_MAX: Final = 60.0  # a silent question lasts 8 s; a person waits for this
LINE_CODES: Final = {
    "not_found": "terminal_port_missing",
    "no_permission": "terminal_port_denied",
    "in_use": "terminal_port_in_use",
    "refused": "terminal_unreachable",
    "unreachable": "terminal_unreachable",
}
# The same, and what only the running service can find.
SERVED_CODES: Final = {
    **LINE_CODES,
    "usb_removed": "terminal_port_missing",
    WRONG_DEVICE: "terminal_other",
}
# What a probe comes to where nobody speaks the driver's protocol at its speed.
NOT_UNDERSTOOD: Final = frozenset({"no_answer", "unreadable", "link_lost"})


@dataclass(frozen=True, slots=True)
class Served:
    """What the running service says of its terminals: their states, as registers see them."""

    states: Mapping[str, Mapping[str, Any]]


async def terminals(
    config: cfg.Config, served: Served | None, *, connect: Connect = open_line
) -> list[Finding]:
    """Look at every terminal, all at once; `served` is None where no service runs."""
    drivers = [one.driver for one in installed_drivers() if one.driver is not None]
    looks = [
        _terminal(name, one, drivers, served, connect) for name, one in config.terminals.items()
    ]
    return list(await asyncio.gather(*looks))


async def _terminal(
    name: str,
    terminal: cfg.Terminal,
    drivers: Sequence[Driver],
    served: Served | None,
    connect: Connect,
) -> Finding:
    what, key = terminal_word(name), f"terminals.{name}"
    if terminal.kind == "pos_server":
        fault = pos_server.settings_fault(name, terminal)
        state = served.states.get(name) if served is not None else None
        problems = (state or {}).get("problems") or ()
        if fault is None and problems:
            return found("pos_server_out", what, str(problems[0].get("text")), key=key)
        if fault is None and served is not None:
            return _as_served(what, key, terminal, state)
        return fault or pos_server.not_asked(name, terminal)
    try:
        driver = load_driver(terminal.driver, f"{key}.driver")
        settings = read_settings(driver, terminal.settings, f"{key}.settings")
    except ConfigError as error:
        text = str(error).removeprefix(f"{error.key}: ")
        return found("terminal_setting", what, text, key=error.key)
    if served is not None:
        return _as_served(what, key, terminal, served.states.get(name))
    address = line_address(terminal, driver.serial_defaults)
    line = address.settings if isinstance(address, SerialAddress) else driver.serial_defaults
    question = Question(driver, settings, line)
    answers = [one async for one in ask(address, [question], connect=connect)]
    (answer,) = answers
    match answer.state:
        case "not_opened":
            return _not_opened(what, key, terminal, answer)
        case "ready" if answer.ready is not None:
            return _ready(what, key, terminal, driver, answer.ready)
        case "not_ready":
            return found("terminal_not_ready", what, answer.text, key=key)
        case "not_tried":
            return found("terminal_not_asked", what, answer.text, key=f"{key}.driver")
    return await _who_else(
        what, key, terminal, tried=question, drivers=drivers, address=address, connect=connect
    )


def _as_served(
    what: str, key: str, terminal: cfg.Terminal, state: Mapping[str, Any] | None
) -> Finding:
    place = terminal.port or terminal.tcp or "the POS server"
    if state is None:
        text = "the running service does not have it: it was started with another configuration"
        remedy = "systemctl restart paybridge"
        return found("terminal_setting", what, text, key=key, remedy=remedy)
    problems = state.get("problems") or ()
    if state.get("availability") == "online" and not problems:
        text = f"{terminal.driver or terminal.kind} at {place}; the running service has it"
        if state.get("activity") != "idle":
            return found("terminal_busy", what, f"{text}, {state.get('activity')}", key=key)
        return found("terminal_ok", what, text, key=key)
    code = str(problems[0].get("code")) if problems else ""
    text = str(problems[0].get("text")) if problems else f"{place} was not asked yet"
    text = f"{text} (as the running service says)"
    if code in SERVED_CODES:
        return found(SERVED_CODES[code], what, text, key=key)
    if state.get("availability") == "online" and code not in NOT_UNDERSTOOD:
        return found("terminal_not_ready", what, text, key=key)
    remedy = f"systemctl stop paybridge; {_find(terminal)}"
    return found("terminal_silent", what, text, key=key, remedy=remedy)


def _not_opened(what: str, key: str, terminal: cfg.Terminal, answer: PortAnswer) -> Finding:
    place = "port" if terminal.port is not None else "tcp"
    code = LINE_CODES.get(answer.reason, "terminal_line_broken")
    return found(code, what, answer.text, key=f"{key}.{place}")


def _ready(
    what: str, key: str, terminal: cfg.Terminal, driver: Driver, ready: TerminalReady
) -> Finding:
    expected = {
        "terminal_id": (terminal.terminal_id, ready.terminal_id),
        "serial_number": (terminal.serial_number, ready.serial_number),
    }
    for name, (wanted, shown) in expected.items():
        if wanted and wanted != shown:
            text = f"answers with {name} {shown or '(none)'}, not {wanted}"
            return found("terminal_other", what, text, key=f"{key}.{name}")
    facts = (ready.model, ready.terminal_id and f"terminal id {ready.terminal_id}", ready.currency)
    told = ", ".join(fact for fact in facts if fact) or "does not say who it is"
    place = terminal.port or terminal.tcp or ""
    return found("terminal_ok", what, f"{driver.name} at {place} answers: {told}", key=key)


async def _who_else(
    what: str,
    key: str,
    terminal: cfg.Terminal,
    *,
    tried: Question,
    drivers: Sequence[Driver],
    address: SerialAddress | TcpAddress,
    connect: Connect,
) -> Finding:
    """Name who answers on a line on which our question found nobody."""
    others = _other_questions(tried, drivers, serial=isinstance(address, SerialAddress))
    try:
        async with asyncio.timeout(OTHERS_SECONDS_MAX):
            for question in others:
                answers = [one async for one in ask(address, [question], connect=connect)]
                if answers[0].state in {"ready", "not_ready"}:
                    return _someone_else(what, key, terminal, tried, question)
    except TimeoutError:
        pass  # whoever it is, it is not ready; the finding says how to look further
    place = f"{terminal.port or terminal.tcp}"
    speed = f" at {tried.line.baud_rate} baud" if terminal.port is not None else ""
    text = f"opens {place}, and nobody answers to {tried.driver.name}{speed}, nor to anybody else"
    remedy = f"look whether it is on and in cash register mode; then {_find(terminal)}"
    return found("terminal_silent", what, text, key=f"{key}.driver", remedy=remedy)


def _other_questions(tried: Question, drivers: Sequence[Driver], *, serial: bool) -> list[Question]:
    questions = []
    if serial:
        own = tried.driver.serial_defaults
        rates = dict.fromkeys((own.baud_rate, *BAUD_RATES))
        lines = [own] if own != tried.line else []
        lines += [replace(tried.line, baud_rate=rate) for rate in rates]
        questions = [replace(tried, line=line) for line in dict.fromkeys(lines)]
        questions = [one for one in questions if one.line != tried.line]
    others = [one for one in drivers if one.name != tried.driver.name]
    # The likeliest first: the driver's own line, then other drivers, then odd speeds.
    return [
        *questions[:1],
        *(Question.with_defaults(one) for one in others),
        *questions[1:],
    ]


def _someone_else(
    what: str, key: str, terminal: cfg.Terminal, tried: Question, question: Question
) -> Finding:
    place = terminal.port or terminal.tcp
    line = question.line
    written = f"{line.baud_rate} {line.data_bits}{line.parity[0].upper()}{line.stop_bits}"
    if question.driver.name != tried.driver.name:
        text = f"at {place} answers a {question.driver.name} terminal, not {tried.driver.name}"
        remedy = f'driver = "{question.driver.name}"; {_find(terminal)} prints the whole table'
        return found("terminal_wrong_driver", what, text, key=f"{key}.driver", remedy=remedy)
    text = (
        f"at {place} it answers with {written}, and not with the configured "
        f"{tried.line.baud_rate} baud"
    )
    remedy = f"baud_rate = {line.baud_rate}; {_find(terminal)} prints the whole table"
    return found("terminal_wrong_speed", what, text, key=f"{key}.baud_rate", remedy=remedy)


def _find(terminal: cfg.Terminal) -> str:
    """Return the command that asks further."""
    if terminal.tcp is not None:
        return f"paybridge find --tcp {terminal.tcp}"
    return f"paybridge find --port {terminal.port} --probe"

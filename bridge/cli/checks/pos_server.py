"""Terminals that the POS server drives: their settings, what the server offers, and who books.

Nothing is begun at a terminal: only the server's schema is read.
"""

from __future__ import annotations

from bridge import config as cfg
from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import NotApplied, Refused
from bridge.backoffice.api.terminal_payment_steps import TerminalPayments, Wire
from bridge.backoffice.terminal_payments.driver import PosServerDriver
from bridge.backoffice.terminal_payments.settings import PosServerSettings
from bridge.cli.checks.findings import Finding, found, terminal_word
from bridge.errors import ConfigError
from bridge.settings import unbooked_terminals
from bridge.terminal.plugins import read_settings


def settings_fault(name: str, terminal: cfg.Terminal) -> Finding | None:
    """Return what is wrong with such a terminal's settings, None for nothing."""
    try:
        read_settings(PosServerDriver(), terminal.settings, f"terminals.{name}.settings")
    except ConfigError as error:
        text = str(error).removeprefix(f"{error.key}: ")
        return found("terminal_setting", terminal_word(name), text, key=error.key)
    return None


def not_asked(name: str, terminal: cfg.Terminal) -> Finding:
    """Say that there is no line to try."""
    text = f"driven by the POS server, which calls it {terminal.settings.get('terminal')}"
    return found("pos_server_terminal", terminal_word(name), text, key=f"terminals.{name}")


async def pos_server(config: cfg.Config, office: Wire) -> list[Finding]:
    """Return what the POS server offers of terminal payments, who books them, what they need."""
    names = config.pos_server_terminals
    if not names:
        return []
    steps = TerminalPayments(office)
    what = "terminal payments"
    match await steps.look():
        case api.Reachable(problem="") if steps.names.are_read:
            text = f"the POS server offers them; {_permissions(config)}"
            findings = [found("pos_server_ok", what, text)]
        case api.Reachable(problem=""):
            text = f"the schema is hidden: names are assumed; {_permissions(config)}"
            findings = [found("pos_server_unread", what, text)]
        case api.Reachable(problem=problem):
            key = "terminals.{}.kind"
            findings = [
                found("pos_server_lacks", terminal_word(name), problem, key=key.format(name))
                for name in names
            ]
        case NotApplied(reason=reason) | Refused(code=reason):
            findings = [found("pos_server_cannot_tell", what, reason)]
    key = "back_office.pos_server_payments_booked"
    unbooked = unbooked_terminals(config)
    return findings + [found("pos_server_unbooked", what, text, key=key) for text in unbooked]


def _permissions(config: cfg.Config) -> str:
    """Say which permissions are needed; whether we have them, only a payment shows."""
    wanted: set[str] = set()
    for name in config.pos_server_terminals:
        try:
            key = f"terminals.{name}.settings"
            settings = read_settings(PosServerDriver(), config.terminals[name].settings, key)
        except ConfigError:
            continue  # said by itself
        assert isinstance(settings, PosServerSettings), "its driver says so"
        kinds = [api.Kind.SALE]
        if settings.sale != "immediate":
            kinds = [api.Kind.AUTHORIZATION]
        if settings.refunds:
            kinds.append(api.Kind.REFUND)
        if settings.preauthorization:
            kinds.append(api.Kind.AUTHORIZATION)
        wanted |= {api.PERMISSIONS[kind] for kind in kinds}
    return f"grant {', '.join(sorted(wanted))}"

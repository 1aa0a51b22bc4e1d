"""How one terminal is, as its station knows it and shows it to others. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from bridge.errors import LineError
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

# How long a terminal may say nothing after the card was presented, by stage. What a shopper does
# before that (looking for a card, choosing, typing a PIN) has no silence of its own: `deadline_s`
# and `stage_seconds` are for slow people.
SILENT_SECONDS: Mapping[c.Stage, float] = MappingProxyType(
    {
        # Many terminals call it so while the PIN is typed; they end that by themselves after 30 s.
        c.Stage.CARD_PRESENTED: 60.0,
        # A bank answers within seconds. Terminals give up on a host after some 30 s, and say so.
        c.Stage.AUTHORIZING: 45.0,
        c.Stage.REMOVE_CARD: 60.0,  # it beeps, and shoppers search for their bags
        c.Stage.PRINTING: 60.0,  # a paper roll may have to be changed
        c.Stage.FINISHING: 30.0,  # nobody is waited for any more
    }
)
WRONG_DEVICE = "wrong_device"  # the problem while another device stands behind the name
STARTING = "starting"  # the problem until the terminal was looked at for the first time


@dataclass(frozen=True, slots=True)
class StationSettings:
    """What the configuration says of one terminal."""

    terminal_id: str
    transport: Literal["serial", "tcp"]
    address: str  # for people: the port or host
    persistent: bool = True  # False: the line is opened for each conversation
    probe_seconds: float = 60.0
    cancel_deadline_seconds: float = 30.0
    stage_seconds: Mapping[c.Stage, float] = field(default_factory=dict)  # then it is stopped
    silent_seconds: Mapping[c.Stage, float] = field(  # then it is published as in doubt
        default_factory=lambda: SILENT_SECONDS
    )
    expected_terminal_id: str = ""  # the acquirer's id of the device that must be behind the name
    expected_serial_number: str = ""

    @property
    def expects_identity(self) -> bool:
        """True when only one certain device may stand behind the name."""
        return bool(self.expected_terminal_id or self.expected_serial_number)

    def why_not(self, ready: c.TerminalReady) -> str:
        """Return why the device that answered is not the one that was configured, "" if it is."""
        for what, expected, found in (
            ("terminal id", self.expected_terminal_id, ready.terminal_id),
            ("serial number", self.expected_serial_number, ready.serial_number),
        ):
            if expected and expected != found:
                return f"another device answered: {what} {found or 'unknown'}, not {expected}"
        return ""


@dataclass(frozen=True, slots=True)
class StationState:
    """What the station knows of its terminal now. Replaced as a whole."""

    availability: Literal["online", "offline", "unknown"] = "unknown"
    activity: Literal["idle", "busy", "maintenance"] = "idle"
    payment_id: str = ""
    register_id: str = ""
    problem: str = STARTING  # a short code; "" when it can take a payment
    problem_text: str = ""
    problem_since: str = ""  # ISO 8601 UTC
    wants: Literal["", "reconcile", "diagnose"] = ""  # what would mend the problem, by the terminal
    ready: c.TerminalReady | None = None
    probes: int = 0  # how many probes came to an end
    reconnects: int = 0

    @property
    def can_take_payments(self) -> bool:
        """True when a payment could start now."""
        return self.availability == "online" and not self.problem


class TerminalStatus:
    """The terminal's state, and the one way to change it, which notifies the listeners."""

    def __init__(self, terminal_id: str, *, changed: asyncio.Event, now: Callable[[], str]) -> None:
        """Set `changed` with every change; `now` is the wall clock, ISO 8601 UTC."""
        self._terminal_id = terminal_id
        self._changed = changed
        self._now = now
        self.state = StationState(problem_since=now())

    def show(self, **news: Any) -> None:
        """Replace fields of the state."""
        if news.get("problem", self.state.problem) != self.state.problem:
            news["problem_since"] = self._now()
        after = replace(self.state, **news)
        if after != self.state:
            self.state = after
            self._changed.set()

    def show_idle(self) -> None:
        """Show that the terminal works on no payment."""
        self.show(activity="idle", payment_id="", register_id="")

    def unreachable(self, error: LineError) -> None:
        """Show that the terminal does not answer, and why."""
        if self.state.problem != error.reason:
            _LOGGER.warning(
                "terminal=%s gone reason=%s text=%s", self._terminal_id, error.reason, error
            )
        self.show(availability="offline", problem=error.reason, problem_text=str(error), wants="")

    def unfit(
        self, code: str, text: str, probes: int, wants: Literal["", "reconcile", "diagnose"] = ""
    ) -> None:
        """Show that the terminal answers, and takes no payment until somebody acts."""
        if self.state.problem != code:
            _LOGGER.warning(
                "terminal=%s cannot take payments reason=%s text=%s", self._terminal_id, code, text
            )
        self.show(
            availability="online", problem=code, problem_text=text, probes=probes, wants=wants
        )

    def fit(self, ready: c.TerminalReady, probes: int) -> None:
        """Show that the terminal takes payments."""
        if not self.state.can_take_payments:
            _LOGGER.info("terminal=%s ready", self._terminal_id)
        self.show(
            availability="online",
            problem="",
            problem_text="",
            ready=ready,
            probes=probes,
            wants="",
        )

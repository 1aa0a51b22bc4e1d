"""Where the console gets what it shows, and who does what is asked at it. Seams only.

`bridge/operator_desk.py` is the one behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.money.store.records import PaymentRecord, PurchaseRecord
from bridge.money.terminal_batch import GapFound
from bridge.register import api as k


@dataclass(frozen=True, slots=True)
class TerminalView:
    """One terminal as it is now."""

    info: k.TerminalInfo
    state: k.TerminalState
    payment: PaymentRecord | None = None  # what is on it, or what it is being asked about
    seconds_left: int | None = None  # until the payment on it stops by itself
    seconds_in_all: int = 0  # that it had
    in_line: int = 0  # payments that wait for it
    hold_days: int = 0

    @property
    def name(self) -> str:
        """What people call it."""
        return self.info.name

    @property
    def problem(self) -> str:
        """The code of what keeps it from taking payments, "" when nothing does."""
        return self.state.problems[0].code if self.state.problems else ""


@dataclass(frozen=True, slots=True)
class RegisterView:
    """One register, as far as it was ever heard."""

    register_id: str
    terminal_id: str = ""  # its own, by the configuration
    is_online: bool | None = None  # None: it never said
    payment: PaymentRecord | None = None  # what it waits for


@dataclass(frozen=True, slots=True)
class OpenGap:
    """A terminal's sum that nobody has noted."""

    terminal_id: str
    gap: GapFound


@dataclass(frozen=True, slots=True)
class DayEnd:
    """One end of day, or one comparison of the open batch."""

    terminal_id: str
    document: k.ReconciliationDocument


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """Something plugged in that no terminal of the configuration is."""

    device: str
    what: str  # maker and product, "" where it does not say
    serial_number: str
    path: str  # the name that survives replugging, else the device
    may_be_terminal: bool


@dataclass(frozen=True, slots=True)
class LoginCode:
    """What a person needs to log this machine in on another screen."""

    user_code: str
    address: str
    address_with_code: str  # "" where the provider has none
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class LoginView:
    """How the login to the back office stands. No secrets."""

    state: str  # "none" (no back office) | "ok" | "needed" | "unknown"
    name: str = ""
    reason: str = ""
    needed_since: datetime | None = None
    code: LoginCode | None = None  # a person is waited for
    seconds_left: int = 0
    outcome: str = (
        ""  # of the last attempt: "" | "done" | "denied" | "expired" | "failed" | "other"
    )
    outcome_text: str = ""


class Desk(Protocol):
    """What the console is shown and may ask for. Reading never waits for disk or terminal."""

    @property
    def site(self) -> str:
        """What the store is called."""

    @property
    def store_code(self) -> str:
        """The store's code in the books."""

    def now(self) -> datetime:
        """Return the wall clock, UTC."""

    def health(self) -> k.BridgeHealth:
        """Return whether payments can be taken, and why not."""

    def terminals(self) -> Sequence[TerminalView]:
        """Return the terminals, in the order of the configuration."""

    def registers(self) -> Sequence[RegisterView]:
        """Return the registers that are configured, or were heard."""

    def open_payments(self) -> Sequence[PaymentRecord]:
        """Return every payment that somebody may still have to look at."""

    def payment(self, payment_id: str) -> PaymentRecord | None:
        """Return a payment that is in memory."""

    def purchase_of(self, payment_id: str) -> PurchaseRecord | None:
        """Return the purchase that records a payment, as far as it is in memory."""

    def open_purchases(self) -> Sequence[PurchaseRecord]:
        """Return the purchases that are not in the books."""

    def gaps(self) -> Sequence[OpenGap]:
        """Return the gaps that nobody has noted, oldest first."""

    def hold_days(self) -> Mapping[str, int]:
        """Return how long a hold stands, by terminal."""

    def day_ends(self) -> Sequence[DayEnd]:
        """Return all ends of day that were told, newest first."""

    def closing(self) -> Mapping[str, str]:
        """Return, by terminal, the end of day whose outcome is open: since when, ISO 8601."""

    def receipts(self, account: PaymentRecord) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the receipts of a payment: whose copy, and its lines."""

    def obstacles(self) -> Sequence[str]:
        """Return why nothing begins, where only a person may say to go on."""

    # --- asked for by a person

    async def carry_out(self, order: Mapping[str, Any], *, note: str, by: str) -> dict[str, Any]:
        """Do an order of the control socket; return its answer, with `ok`."""

    async def cancel(self, payment_id: str, *, by: str, note: str) -> None:
        """Ask for a running payment to be stopped; raises RequestError."""

    async def probe(self, terminal_id: str, *, by: str) -> None:
        """Have a terminal asked how it is; its state tells. Raises RequestError."""

    async def close_day(self, terminal_id: str, name: str, *, by: str, close: bool) -> None:
        """Begin an end of day; `day_ends` tells. `name` is for ever. Raises RequestError."""

    async def found_devices(self) -> Sequence[FoundDevice]:
        """Return what is plugged in and is no configured terminal."""

    def login(self) -> LoginView:
        """Return how the login to the back office stands."""

    async def begin_login(self, *, by: str) -> None:
        """Ask for a code; `login` has it then. Raises RequestError."""

    async def accept_login(self, *, by: str) -> None:
        """Accept that somebody else logged in than before; raises RequestError."""

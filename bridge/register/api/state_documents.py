"""What is published about the bridge, its terminals and its registers: all retained. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from bridge.register.api.fields import SPEC, AmountText, Currency, UtcTime, Wire

# --- the bridge


class BridgeState(Wire):
    """Retained; its `offline` form is the bridge's will. `epoch` is new on every connection."""

    state: Literal["online", "draining", "offline"]
    reason: Literal["connection_lost", "shutdown"] | None = None
    epoch: str | None = None
    since: UtcTime | None = None
    time: UtcTime | None = None
    bridge_id: str | None = None
    version: str | None = None
    spec: str = SPEC


def is_state_of(payload: bytes, epoch: str) -> bool:
    """Say whether a published state is that of the connection `epoch`."""
    try:
        return BridgeState.model_validate_json(payload).epoch == epoch
    except ValidationError:
        return False


class BridgeLimits(Wire):
    """What a register must keep to."""

    request_bytes_max: int
    sale_lines_max: int
    retained_payments_max: int
    response_within_s: int


class Deprecation(Wire):
    """Something that will be refused from `ends_at` on."""

    name: str
    use: str
    ends_at: UtcTime


class BridgeInfo(Wire):
    """Retained: who this bridge is and what it serves."""

    bridge_id: str
    version: str
    spec: str = SPEC
    site: str = ""
    operations: tuple[str, ...]
    currencies: tuple[Currency, ...]
    limits: BridgeLimits
    links: dict[str, str] = Field(default_factory=dict)
    deprecations: tuple[Deprecation, ...] = ()


class JournalHealth(Wire):
    """The journal's disk."""

    ok: bool
    path_free_mb: int | None = None
    oldest: UtcTime | None = None


class RecordingHealth(Wire):
    """The queue towards the back office. `endpoint_reachable` is null before the first try."""

    pending: int = 0
    oldest_pending_s: int | None = None
    unconfirmed: int = 0
    rejected: int = 0
    endpoint_reachable: bool | None = None
    login: Literal["ok", "needed", "unknown"] = "unknown"
    problem: str = ""


class PaymentsHealth(Wire):
    """Payments that are not final."""

    open: int = 0
    in_doubt: int = 0


class MqttHealth(Wire):
    """The bridge's own connection."""

    connected: bool
    protocol: Literal["5.0", "3.1.1"] | None = None
    reconnects_24h: int = 0


class ClockHealth(Wire):
    """Null where the system does not tell."""

    ntp_synchronised: bool | None = None


class GapHealth(Wire):
    """A terminal's sum that is not the journal's, until a person has noted it."""

    terminal_id: str
    amount: str
    currency: Currency
    found_at: UtcTime
    closed: bool
    explained: bool
    texts: tuple[str, ...] = ()


class BridgeHealth(Wire):
    """Retained, every 30 s and on change. `reasons` says in words why it is not well."""

    time: UtcTime
    can_take_payments: bool
    reasons: tuple[str, ...] = ()
    uptime_s: int
    journal: JournalHealth
    recording: RecordingHealth
    payments: PaymentsHealth
    mqtt: MqttHealth
    clock: ClockHealth = ClockHealth()
    terminals: dict[str, Literal["online", "offline", "unknown"]]
    gaps: tuple[GapHealth, ...] = ()


# --- terminals


class FirmwareUpdate(Wire):
    """Whether the terminal's maker has a newer one."""

    available: bool = False
    version: str | None = None


class Firmware(Wire):
    """What runs on the terminal."""

    version: str | None = None
    update: FirmwareUpdate = FirmwareUpdate()


class TerminalLink(Wire):
    """How the terminal is attached."""

    type: Literal["usb-serial", "serial", "tcp", "other"]
    address: str


class TerminalCapabilities(Wire):
    """What the terminal can do; anything not announced is refused before a card is asked for."""

    operations: tuple[str, ...]
    tip: tuple[Literal["none", "fixed", "ask", "adjust"], ...] = ("none",)
    surcharge: bool = False
    cash_back: bool = False
    partial_approval: bool = False
    partial_capture: Literal["releases_rest", "keeps_rest"] = "releases_rest"
    unlinked_refund: bool = False
    offline: Literal["none", "terminal", "store_and_forward"] = "none"
    cancel: Literal["any_time", "until_card", "until_authorizing", "at_terminal_only"]
    status_query: Literal["by_reference", "last_transaction", "none"]
    prompts: tuple[str, ...] = ()
    receipts: tuple[Literal["customer", "merchant"], ...] = ()
    printer: Literal["none", "terminal"] = "none"


class TerminalLimits(Wire):
    """The least and the most the terminal takes, in its first currency."""

    min_amount: AmountText | None = None
    max_amount: AmountText | None = None


class TerminalInfo(Wire):
    """Retained: what does not change from payment to payment."""

    terminal_id: str
    name: str
    driver: str
    driver_version: str
    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None
    poi_id: str | None = None
    firmware: Firmware = Firmware()
    link: TerminalLink
    currencies: tuple[Currency, ...]
    capabilities: TerminalCapabilities
    limits: TerminalLimits = TerminalLimits()


class Problem(Wire):
    """Something a person should see to."""

    code: str
    text: str
    since: UtcTime


class LinkHealth(Wire):
    """How well the line holds."""

    up_since: UtcTime | None = None
    reconnects_24h: int = 0


class TerminalState(Wire):
    """Retained: how the terminal is now. Every register sees it, so it names no payment."""

    terminal_id: str
    availability: Literal["online", "offline", "unknown"]
    activity: Literal["idle", "busy", "input", "maintenance", "updating"]
    ready: bool
    payment_id: str | None = None
    register_id: str | None = None
    queue_length: int = 0
    last_seen: UtcTime | None = None
    link: LinkHealth = LinkHealth()
    printer: Literal["ok", "no_paper", "fault"] | None = None
    battery_percent: int | None = None
    host_reachable: bool | None = None
    problems: tuple[Problem, ...] = ()


class TotalsLine(Wire):
    """One row of a terminal's totals."""

    payment_brand: str
    count: int
    amount: AmountText
    currency: Currency


class Comparison(Wire):
    """Sums of one batch, each named after who said it; decimal text, negative when more went back.

    `books` tells whether the back office was asked; what nobody compared is never `matched`.
    """

    terminal: str | None
    journal: str
    recorded: str | None = None
    books: Literal["matched", "different", "not_compared"] = "not_compared"
    back_office: str | None = None
    back_office_reason: Literal["not_ours", "not_asked"] | None = None


class DifferenceLine(Wire):
    """A payment that explains, or may explain, why the sums differ."""

    payment_id: str
    kind: Literal["in_doubt", "discrepancy", "not_booked", "booking_unconfirmed"]
    amount: str


class GapCause(Wire):
    """Something in the journal that changes one of the sums and not the other."""

    kind: Literal[
        "closed_by_terminal",
        "reversed_at_terminal",
        "done_at_terminal",
        "in_doubt",
        "answered_by_person",
        "discrepancy",
        "another_currency",
    ]
    payment_id: str | None
    amount: str
    text: str


class ReconciliationDocument(Wire):
    """Retained: a terminal's last end of day, to the cent."""

    terminal_id: str
    closed_at: UtcTime
    closed: bool
    status: Literal["matched", "different", "unknown"]
    currency: Currency
    host_reconciliation_id: str | None = None
    time_stamp: str | None = None
    totals: tuple[TotalsLine, ...] = ()
    compare: Comparison
    differences: tuple[DifferenceLine, ...] = ()
    gap: str | None = None
    explained_by: tuple[GapCause, ...] = ()
    not_explained: str | None = None
    facts: tuple[GapCause, ...] = ()


# --- what a register says of itself


class RegisterState(Wire):
    """A register's birth and will. `offline` may be the broker speaking for it."""

    state: Literal["online", "offline"]
    software: str | None = Field(default=None, max_length=128)
    language: str | None = Field(default=None, max_length=35)
    spec: str | None = Field(default=None, max_length=16)

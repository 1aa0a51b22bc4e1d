"""What is published about the bridge, its terminals and its registers: all retained. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from bridge.register.api.fields import SPEC, AmountText, Currency, UtcTime, Wire

# --- the bridge


class BridgeState(Wire):
    """Retained; its `offline` form is the bridge's will. `epoch` is new on every connection."""

    state: Literal["online", "draining", "offline"]
    """`draining`: it is about to stop and takes nothing new; `offline`: nobody is there."""
    reason: Literal["connection_lost", "shutdown"] | None = None
    """Why it is `offline`; null otherwise."""
    epoch: str | None = None
    """New on every connection of the bridge; a guard for commands. Null when `offline`."""
    since: UtcTime | None = None
    """Since when the service runs; null when `offline`."""
    time: UtcTime | None = None
    """The bridge's clock when it published, to compare yours with; null when `offline`."""
    bridge_id: str | None = None
    """The bridge's name in its configuration; null when `offline`."""
    version: str | None = None
    """The version of the bridge's program; null when `offline`."""
    spec: str = SPEC
    """The minor version of the contract; minors only add."""


def is_state_of(payload: bytes, epoch: str) -> bool:
    """Say whether a published state is that of the connection `epoch`."""
    try:
        return BridgeState.model_validate_json(payload).epoch == epoch
    except ValidationError:
        return False


class BridgeLimits(Wire):
    """What a register must keep to."""

    request_bytes_max: int
    """The longest command, in bytes."""
    sale_lines_max: int
    """The most lines of a sale."""
    retained_payments_max: int
    """How many settled documents stay retained per register."""
    response_within_s: int
    """Without a response after this many seconds, send the same command again."""


class Deprecation(Wire):
    """Something that will be refused from `ends_at` on."""

    name: str
    """The field, value or command."""
    use: str
    """What to use instead."""
    ends_at: UtcTime
    """From then on it is refused."""


class BridgeInfo(Wire):
    """Retained: who this bridge is and what it serves."""

    bridge_id: str
    """The bridge's name in its configuration."""
    version: str
    """The version of the bridge's program."""
    spec: str = SPEC
    """The minor version of the contract; minors only add."""
    site: str = ""
    """The shop's name in the configuration; empty where it has none."""
    operations: tuple[str, ...]
    """The commands that this bridge serves."""
    currencies: tuple[Currency, ...]
    """What its terminals take, ISO 4217."""
    limits: BridgeLimits
    """What a register must keep to."""
    links: dict[str, str] = Field(default_factory=dict)
    """Where the contract of this version stands, as paths below the root of its repository;
    `paybridge contract --out DIR` writes the same files."""
    deprecations: tuple[Deprecation, ...] = ()
    """What will be refused one day; look at it when you integrate."""


class JournalHealth(Wire):
    """The journal's disk."""

    ok: bool
    """Whether it can be written."""
    path_free_mb: int | None = None
    """Free space on its disk, in megabytes; null where it is not known."""
    log_mb: int | None = None
    """Its write-ahead log, in megabytes: 8 at most, unless something reads without an end; null
    where it is not known."""
    oldest: UtcTime | None = None
    """The oldest payment that it still has; null where it is not known."""


class RecordingHealth(Wire):
    """The queue towards the back office. `endpoint_reachable` is null before the first try."""

    pending: int = 0
    """How many purchases wait to be recorded."""
    oldest_pending_s: int | None = None
    """How long the oldest of them has waited, in seconds; null when none waits."""
    unconfirmed: int = 0
    """How many were sent to the back office without proof either way; a person decides."""
    rejected: int = 0
    """How many the back office refused; a person decides."""
    endpoint_reachable: bool | None = None
    """Whether the last attempt came through; null before the first."""
    login: Literal["ok", "needed", "unknown"] = "unknown"
    """`needed`: a person must run `paybridge login`; payments go on."""
    problem: str = ""
    """What a person must mend before any purchase can be recorded; empty when nothing. Purchases
    wait meanwhile, none is lost."""


class PaymentsHealth(Wire):
    """Payments that are not final."""

    open: int = 0
    """How many are not final."""
    in_doubt: int = 0
    """How many of them are in doubt."""


class MqttHealth(Wire):
    """The bridge's own connection."""

    connected: bool
    """Whether the bridge has a connection to the broker."""
    protocol: Literal["5.0", "3.1.1"] | None = None
    """What is spoken on it; null without a connection."""
    reconnects_24h: int = 0
    """How often it was lost and found again within 24 hours."""


class ClockHealth(Wire):
    """Null where the system does not tell."""

    ntp_synchronised: bool | None = None
    """Whether the clock is set over the network; null where the system does not tell."""


class GapHealth(Wire):
    """A terminal's sum that is not the journal's, until a person has noted it."""

    terminal_id: str
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    amount: str
    """The terminal's sum less the journal's, decimal text with sign."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    found_at: UtcTime
    """When it was found."""
    closed: bool
    """Whether it is of an end of day; `false`: of the open batch."""
    explained: bool
    """Whether payments and facts in the journal make it, to the cent."""
    texts: tuple[str, ...] = ()
    """Those, and what the terminal did on its own, in words."""


class BridgeHealth(Wire):
    """Retained, every 30 s and on change. `reasons` says in words why it is not well."""

    time: UtcTime
    """The bridge's clock when it published."""
    can_take_payments: bool
    """Whether a payment could be started now."""
    reasons: tuple[str, ...] = ()
    """Why not, and what else is not well, in words."""
    uptime_s: int
    """How long the service has been running, in seconds."""
    journal: JournalHealth
    """The journal's disk; without a journal no payment is started."""
    recording: RecordingHealth
    """The queue towards the back office."""
    payments: PaymentsHealth
    """The payments that are not final."""
    mqtt: MqttHealth
    """The bridge's own connection to the broker."""
    clock: ClockHealth = ClockHealth()
    """What the system says of its clock."""
    terminals: dict[str, Literal["online", "offline", "unknown"]]
    """Whether the bridge reaches each terminal, by its name."""
    gaps: tuple[GapHealth, ...] = ()
    """Sums of terminals that are not the journal's, and what terminals did on their own, until
    somebody sends `terminal/note`."""


# --- terminals


class FirmwareUpdate(Wire):
    """Whether the terminal's maker has a newer one."""

    available: bool = False
    """Whether its maker offers a newer one, as far as is known."""
    version: str | None = None
    """Which one; null where none is known."""


class Firmware(Wire):
    """What runs on the terminal."""

    version: str | None = None
    """The version of its program; null where it does not tell."""
    update: FirmwareUpdate = FirmwareUpdate()
    """Whether there is a newer one."""


class TerminalLink(Wire):
    """How the terminal is attached."""

    type: Literal["usb-serial", "serial", "tcp", "other"]
    """The kind of line."""
    address: str
    """The device or the host and port, as configured."""


class TerminalCapabilities(Wire):
    """What the terminal can do; anything not announced is refused before a card is asked for."""

    operations: tuple[str, ...]
    """What may be asked of it; an open list."""
    tip: tuple[Literal["none", "fixed", "ask", "adjust"], ...] = ("none",)
    """How it takes tips: `fixed` by the register, `ask` the shopper, `adjust` afterwards."""
    surcharge: bool = False
    """Whether it may add something to the amount."""
    cash_back: bool = False
    """Whether it can pay out cash with a payment."""
    partial_approval: bool = False
    """Whether it can approve a part of the amount."""
    partial_capture: Literal["releases_rest", "keeps_rest"] = "releases_rest"
    """What the capture of a part of a hold does to the rest of it; where it releases the rest, a
    capture with `final: false` is refused."""
    unlinked_refund: bool = False
    """Whether it can give money back without an original."""
    offline: Literal["none", "terminal", "store_and_forward"] = "none"
    """Whether it approves without asking the host: never, by itself, or to be sent later."""
    cancel: Literal["any_time", "until_card", "until_authorizing", "at_terminal_only"]
    """How long a payment on it can be canceled."""
    status_query: Literal["by_reference", "last_transaction", "none"]
    """How it can be asked about a payment in doubt; `none`: a person must look."""
    prompts: tuple[str, ...] = ()
    """What it may ask the cashier; an open list."""
    receipts: tuple[Literal["customer", "merchant"], ...] = ()
    """Which receipts it writes; the bridge composes the others."""
    printer: Literal["none", "terminal"] = "none"
    """Whether it prints by itself."""


class TerminalLimits(Wire):
    """The least and the most the terminal takes, in its first currency."""

    min_amount: AmountText | None = None
    """The least; null where it does not tell."""
    max_amount: AmountText | None = None
    """The most; null where it does not tell."""


class TerminalInfo(Wire):
    """Retained: what does not change from payment to payment."""

    terminal_id: str
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    name: str
    """What people call it."""
    driver: str
    """The driver that speaks with it, e.g. `zvt`."""
    driver_version: str
    """The version of the driver."""
    manufacturer: str | None = None
    """Who made it; null where it does not tell."""
    model: str | None = None
    """What it is called by its maker; null where it does not tell."""
    serial_number: str | None = None
    """Its serial number; null where it does not tell."""
    poi_id: str | None = None
    """Its number at its network; null where it does not tell."""
    firmware: Firmware = Firmware()
    """What runs on it."""
    link: TerminalLink
    """How it is attached."""
    currencies: tuple[Currency, ...]
    """What it takes, ISO 4217."""
    capabilities: TerminalCapabilities
    """What it can do; anything not announced here is refused before a card is asked for."""
    limits: TerminalLimits = TerminalLimits()
    """The least and the most that it takes."""


class Problem(Wire):
    """Something a person should see to."""

    code: str
    """A short name of the problem; an open list."""
    text: str
    """What is wrong and what to do, in words."""
    since: UtcTime
    """Since when it is so."""
    remedy: str | None = None
    """The command that mends it, for a person to have sent (`terminal/reconcile`); null where
    nothing that a register can send does."""


class LinkHealth(Wire):
    """How well the line holds."""

    up_since: UtcTime | None = None
    """Since when the line is open; null where that is not known."""
    reconnects_24h: int = 0
    """How often it was lost and found again within 24 hours."""


class TerminalState(Wire):
    """Retained: how the terminal is now. Every register sees it, so it names no payment."""

    terminal_id: str
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    availability: Literal["online", "offline", "unknown"]
    """Whether the bridge reaches it; `unknown` before the first try."""
    activity: Literal["idle", "busy", "input", "maintenance", "updating"]
    """What it does."""
    ready: bool
    """Whether it would take a payment now."""
    payment_id: str | None = None
    """Always null: every register reads this, and a payment is its own register's business, which
    has its document."""
    register_id: str | None = None
    """Whose payment is on it; null when it is idle."""
    queue_length: int = 0
    """How many payments wait in line for it."""
    last_seen: UtcTime | None = None
    """When it was heard last; null where that is not known."""
    link: LinkHealth = LinkHealth()
    """How well its line holds."""
    printer: Literal["ok", "no_paper", "fault"] | None = None
    """How its printer is; null where it does not tell."""
    battery_percent: int | None = None
    """Its battery, from 0 to 100; null where it does not tell."""
    host_reachable: bool | None = None
    """Whether it reaches its network; null where it does not tell."""
    problems: tuple[Problem, ...] = ()
    """What a person should see to."""


class TotalsLine(Wire):
    """One row of a terminal's totals."""

    payment_brand: str
    """The brand as the terminal names it."""
    count: int
    """How many payments."""
    amount: AmountText
    """Their sum, in the currency beside it."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""


class Comparison(Wire):
    """Sums of one batch, each named after who said it; decimal text, negative when more went back.

    `books` tells whether the back office was asked; what nobody compared is never `matched`.
    """

    terminal: str | None
    """What the terminal says, decimal text; negative when more went back than came in, null when
    its answer was lost."""
    journal: str
    """What the journal says of the same payments."""
    recorded: str | None = None
    """What of it the back office acknowledged, by the journal's word; null where the register's own
    extract records sales."""
    books: Literal["matched", "different", "not_compared"] = "not_compared"
    """Whether the back office's own sum agrees with `recorded`; `not_compared` where nobody asked
    it."""
    back_office: str | None = None
    """What the back office itself says; null where it was not asked, and `back_office_reason` says
    why."""
    back_office_reason: Literal["not_ours", "not_asked"] | None = None
    """`not_asked`: nobody asked it, since its documented interface has no question that shows our
    records; `not_ours`: the register's own extract records sales; null where it was asked."""


class DifferenceLine(Wire):
    """A payment that explains, or may explain, why the sums differ."""

    payment_id: str
    """The payment to look at."""
    kind: Literal["in_doubt", "discrepancy", "not_booked", "booking_unconfirmed"]
    """What is open about it."""
    amount: str
    """How much it moved or was to move, decimal text; negative for money that went back."""


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
    """`closed_by_terminal`: its own numbers put the payment into a batch that it closed before;
    `reversed_at_terminal`; `done_at_terminal`: by hand, not by us; `answered_by_person`: not
    confirmed by the terminal; the others are open questions."""
    payment_id: str | None
    """The payment; null for what is none of the bridge's."""
    amount: str
    """What it adds to the terminal's sum less the journal's, decimal text with sign."""
    text: str
    """The evidence in words: batch numbers, a receipt, who answered."""


class ReconciliationDocument(Wire):
    """Retained: a terminal's last end of day, to the cent."""

    terminal_id: str
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    closed_at: UtcTime
    """When it was compared."""
    closed: bool
    """Whether the batch was closed; `false`: it was only compared."""
    status: Literal["matched", "different", "unknown"]
    """`matched`: the terminal's sum is the journal's, and nothing in the journal is open; it says
    nothing about the back office, see `compare.books`. `different`, too, where the terminal was
    seen to act on its own, see `facts`. `unknown`: the terminal's answer was lost, and only its
    later totals showed the close."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    host_reconciliation_id: str | None = None
    """The batch's number, as the payments in it name it; null where the terminal does not tell."""
    time_stamp: str | None = None
    """When it was closed, by the terminal's own clock, local time without offset; null where it
    does not tell."""
    totals: tuple[TotalsLine, ...] = ()
    """The terminal's own sums, one for each brand."""
    compare: Comparison
    """Sums of the batch, each named after who said it."""
    differences: tuple[DifferenceLine, ...] = ()
    """The payments that explain, or may explain, why the sums differ."""
    gap: str | None = None
    """The terminal's sum less the journal's, decimal text with sign; null when the answer was
    lost."""
    explained_by: tuple[GapCause, ...] = ()
    """The payments and facts that together make the gap, to the cent; empty where there is none, or
    nothing in the journal makes it. It may have been otherwise."""
    not_explained: str | None = None
    """The gap, where nothing in the journal makes it; else null."""
    facts: tuple[GapCause, ...] = ()
    """What the terminal was seen to do on its own, also where the sums are equal all the same."""


# --- what a register says of itself


class RegisterState(Wire):
    """A register's birth and will. `offline` may be the broker speaking for it."""

    state: Literal["online", "offline"]
    """`online` is the register's birth, `offline` its will."""
    software: str | None = Field(default=None, max_length=128)
    """The register's program and version, for technicians."""
    language: str | None = Field(default=None, max_length=35)
    """What its cashier reads, e.g. `de-DE`."""
    spec: str | None = Field(default=None, max_length=16)
    """The minor version of the contract that the register was written for."""

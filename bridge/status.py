"""What the service says of itself and its terminals: state, info, health. Reads, never acts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

from bridge import __version__
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.purchase import PurchaseState
from bridge.money.store.database import LOG_BYTES_KEPT
from bridge.money.store.journal import Journal
from bridge.register import api as k
from bridge.terminal.station import Station

# Below the root of this version's repository; `paybridge contract --out DIR` writes the same files.
LINKS = {
    "asyncapi": "docs/contract/asyncapi.json",
    "schemas": "docs/contract/schemas",
    "errors": "docs/contract/errors.json",
    "guide": "docs/mqtt.md",
}
STOPPING = "the bridge is about to stop"
GAPS_NAMED_MAX = 5  # in health's reasons; the newest
TERMINALS_NAMED_MAX = 3  # in one line of health
Document = TypeVar("Document", bound=k.Wire)

# Four times what a checkpoint leaves: a copy of a large journal is done long before.
LOG_BYTES_MAX = 4 * LOG_BYTES_KEPT
# A payment waits for some four commits of its own; from here on a shopper feels them.
SLOW_COMMIT_SECONDS = 0.1
FREE_MEGABYTES_MIN = 200  # with less, a technician must act before the journal cannot be written


class Bus(Protocol):
    """What is asked of the broker's wire."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""

    @property
    def protocol(self) -> Literal["5.0", "3.1.1"] | None:
        """What is spoken on it."""


class Books(Protocol):
    """What is asked of the recorder."""

    @property
    def reachable(self) -> bool | None:
        """Whether the last attempt came through."""

    @property
    def login_needed(self) -> bool:
        """Whether a person must log in."""

    @property
    def problem(self) -> str:
        """What a person must mend before any purchase can be recorded; "" when nothing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this bridge is."""

    bridge_id: str
    site: str
    state_directory: Path


class StatusDocuments:
    """Builds the bridge's and the terminals' documents from what is true now."""

    def __init__(
        self,
        identity: Identity,
        *,
        ledger: Ledger,
        journal: Journal,
        stations: Mapping[str, Station],
        names: Mapping[str, str],
        bus: Bus,
        books: Books | None,
        now: Callable[[], datetime],
        login_needed: Callable[[], bool] = lambda: False,
        obstacles: Callable[[], Sequence[str]] = tuple,
        warnings: Callable[[], Sequence[str]] = tuple,
        log_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        """Look at these parts; `now` is the wall clock in UTC.

        `login_needed` says whether a person must log in, as who keeps the login knows it; nobody
        need have tried to record a sale for that. `obstacles` say why nothing begins, `warnings`
        what a person should see to besides; `log_bytes` is how large the journal's log is.
        """
        self._login_needed = login_needed
        self._identity = identity
        self._ledger = ledger
        self._journal = journal
        self._stations = stations
        self._names = names
        self._bus = bus
        self._books = books
        self._now = now
        self._since = now()
        self._obstacles = obstacles
        self._warnings = warnings
        self._log_bytes = log_bytes
        self.draining = False
        self._made: dict[tuple[str, str], tuple[object, k.Wire]] = {}  # what of, and the document

    def bridge_state(self, epoch: str) -> k.BridgeState:
        """Return the bridge's own state."""
        return k.BridgeState(
            state="draining" if self.draining else "online",
            epoch=epoch,
            since=self._since,
            time=self._now(),
            bridge_id=self._identity.bridge_id,
            version=__version__,
        )

    def bridge_info(self) -> k.BridgeInfo:
        """Return who this bridge is and what it serves."""
        currencies = {
            currency for station in self._stations.values() for currency in _currencies(station)
        }
        return k.BridgeInfo(
            bridge_id=self._identity.bridge_id,
            version=__version__,
            site=self._identity.site,
            operations=tuple(sorted(k.REQUESTS)),
            currencies=tuple(sorted(currencies)),
            limits=k.BridgeLimits(
                request_bytes_max=k.REQUEST_BYTES_MAX,
                sale_lines_max=500,
                retained_payments_max=200,
                response_within_s=3,
            ),
            links=LINKS,
        )

    def health(self) -> k.BridgeHealth:
        """Return whether payments can be taken, and why not."""
        now = self._now()
        free = shutil.disk_usage(self._identity.state_directory).free // 1_000_000
        log = self._log_bytes()
        unfinished = self._ledger.payments.unfinished()
        reasons = [*self._obstacles()]
        if self._journal.broken is not None:
            reasons.append("the journal cannot be written; look at its disk and the log")
        if self.draining:
            reasons.append(STOPPING)
        if not any(one.state.can_take_payments for one in self._stations.values()):
            reasons.append("no terminal can take a payment" + self._why_no_terminal())
        if not self._bus.connected:
            reasons.append("the broker is away: no register can reach us")
        taking = not reasons
        if free < FREE_MEGABYTES_MIN:
            reasons.append(f"only {free} MB are free for the journal")
        if log > LOG_BYTES_MAX:
            reasons.append(
                "the journal's log grows, since another program reads the journal without an end; "
                "stop that program"
            )
        slow = self._journal.commit_seconds
        if slow > SLOW_COMMIT_SECONDS:
            reasons.append(
                f"the journal's disk is slow: a commit takes {slow * 1000:.0f} ms, and a payment "
                "waits for several; paybridge check measures it"
            )
        if self._needs_login():
            reasons.append("the back office wants a login; payments go on, recording waits")
        reasons += self._warnings()
        gaps = self._gaps()
        reasons += [_gap_reason(one) for one in gaps[-GAPS_NAMED_MAX:]]
        return k.BridgeHealth(
            time=now,
            can_take_payments=taking,
            reasons=tuple(reasons),
            uptime_s=max(int((now - self._since).total_seconds()), 0),
            journal=k.JournalHealth(
                ok=self._journal.broken is None, path_free_mb=free, log_mb=log // 1_000_000
            ),
            recording=self._recording(now),
            payments=k.PaymentsHealth(
                open=len(unfinished),
                in_doubt=sum(one.payment.status is p.Status.IN_DOUBT for one in unfinished),
            ),
            mqtt=k.MqttHealth(connected=self._bus.connected, protocol=self._bus.protocol),
            terminals={name: one.state.availability for name, one in self._stations.items()},
            gaps=gaps,
        )

    def _gaps(self) -> tuple[k.GapHealth, ...]:
        return tuple(
            k.GapHealth(
                terminal_id=terminal_id,
                amount=k.format_signed(gap.minor, gap.currency),
                currency=gap.currency,
                found_at=datetime.fromisoformat(gap.found_at),
                closed=bool(gap.name),
                explained=gap.is_explained,
                texts=tuple(dict.fromkeys((*gap.causes, *gap.facts))),
            )
            for terminal_id, gap in self._ledger.batches.gaps()
        )

    def status_line(self) -> str:
        """Return in one line what `health` says, for a person at this machine."""
        health = self.health()
        line = "taking payments" if health.can_take_payments else "no payments can be taken"
        if self.draining:
            line = f"stopping, {health.payments.open} payments under way"
        facts = [reason for reason in health.reasons if reason != STOPPING]
        if health.payments.in_doubt:
            facts.append(
                f"{health.payments.in_doubt} payments in doubt (paybridge payments --open)"
            )
        waiting = health.recording.unconfirmed + health.recording.rejected
        if waiting:
            facts.append(f"{waiting} bookings need a person (paybridge payments --open)")
        return "; ".join([line, *facts])

    def as_json(self) -> dict[str, Any]:
        """Return health and the terminals' states in JSON's types, for the command line."""
        return {
            "version": __version__,
            "since": k.format_time(self._since),
            "draining": self.draining,
            "health": self.health().model_dump(mode="json"),
            "terminals": {
                name: {**one.model_dump(mode="json"), "name": self._names.get(name, name)}
                for name, one in self.terminal_states().items()
            },
        }

    def frames(self) -> dict[str, Any]:
        """Return what went over the terminals' lines last, masked, for a support bundle."""
        return {
            "frames": {
                name: [frame.as_json() for frame in one.frames.frames()]
                for name, one in self._stations.items()
            }
        }

    def _needs_login(self) -> bool:
        return self._books is not None and (self._books.login_needed or self._login_needed())

    def _why_no_terminal(self) -> str:
        """Return the problem of each terminal, where there are few enough to read."""
        problems = [
            f"{name}: {one.state.problem_text or one.state.problem}"
            for name, one in self._stations.items()
        ]
        return f" ({', '.join(problems)})" if 0 < len(problems) <= TERMINALS_NAMED_MAX else ""

    def terminal_infos(self) -> Mapping[str, k.TerminalInfo]:
        """Return what each terminal is and can do."""
        return {
            name: self._same("info", name, one.state.ready, self._terminal_info)
            for name, one in self._stations.items()
        }

    def terminal_states(self) -> Mapping[str, k.TerminalState]:
        """Return how each terminal is."""
        return {
            name: self._same("state", name, (one.state, len(one.in_line)), self._terminal_state)
            for name, one in self._stations.items()
        }

    def _same(
        self, kind: str, name: str, source: object, make: Callable[[str, Station], Document]
    ) -> Document:
        """Return a terminal's document; the one made before, while its `source` is the same.

        Every payment changes the state of one terminal, and all of them are asked for then.
        """
        known = self._made.get((kind, name))
        if known is None or known[0] != source:
            known = self._made[kind, name] = (source, make(name, self._stations[name]))
        return cast(Document, known[1])

    def _recording(self, now: datetime) -> k.RecordingHealth:
        payments = self._ledger.payments
        oldest = payments.oldest_pending_purchase()
        age = (now - datetime.fromisoformat(oldest)).total_seconds() if oldest else None
        states = payments.open_purchase_states
        needed = self._needs_login()
        reachable = self._books.reachable if self._books else None
        return k.RecordingHealth(
            pending=states[PurchaseState.PENDING] + states[PurchaseState.SENDING],
            oldest_pending_s=max(int(age), 0) if age is not None else None,
            unconfirmed=states[PurchaseState.UNCONFIRMED],
            rejected=states[PurchaseState.REJECTED],
            endpoint_reachable=reachable,
            problem=self._books.problem if self._books else "",
            login="needed" if needed else "ok" if reachable else "unknown",
        )

    def _terminal_info(self, name: str, station: Station) -> k.TerminalInfo:
        ready, can = station.state.ready, station.capabilities
        return k.TerminalInfo(
            terminal_id=name,
            name=self._names.get(name, name),
            driver=station.driver.name,
            driver_version=station.driver.version,
            model=ready.model or None if ready else None,
            serial_number=ready.serial_number or None if ready else None,
            poi_id=ready.terminal_id or None if ready else None,
            firmware=k.Firmware(version=ready.firmware or None if ready else None),
            link=k.TerminalLink(
                type="tcp" if station.settings.transport == "tcp" else "serial",
                address=station.settings.address,
            ),
            currencies=_currencies(station),
            capabilities=k.TerminalCapabilities(
                operations=tuple(sorted(can.operations & IMPLEMENTED)),
                tip=can.tip,
                partial_approval=can.partial_approval,
                partial_capture=can.partial_capture,
                unlinked_refund=can.unlinked_refund,
                cancel=can.cancel,
                status_query=can.status_query,
                receipts=can.receipts,
                prompts=can.prompts,
            ),
        )

    def _terminal_state(self, name: str, station: Station) -> k.TerminalState:
        state = station.state
        problems: tuple[k.Problem, ...] = ()
        if state.problem:
            since = datetime.fromisoformat(state.problem_since)
            text = state.problem_text or state.problem
            remedy = f"terminal/{state.wants}" if state.wants else None
            problems = (k.Problem(code=state.problem, text=text, since=since, remedy=remedy),)
        return k.TerminalState(
            terminal_id=name,
            availability=state.availability,
            activity=state.activity,
            ready=state.can_take_payments and state.activity == "idle",
            register_id=state.register_id or None,
            queue_length=len(station.in_line),
            link=k.LinkHealth(reconnects_24h=state.reconnects),
            problems=problems,
        )


def _gap_reason(gap: k.GapHealth) -> str:
    what = f"its sum is {gap.amount} {gap.currency} off the journal's"
    if gap.explained:
        what = f"{what}: {'; '.join(gap.texts)}" if gap.texts else what
    else:
        what = f"{what}, not explained"
    return f"{gap.terminal_id}: {what}; look, then note it"


# What the desk hands on; what a driver can do beyond is not announced.
IMPLEMENTED = frozenset({one.value for one in p.PaymentType}) | {
    *(model.needs for model in k.REQUESTS.values() if issubclass(model, k.TerminalOperation)),
    *("gift_redeem", "gift_load"),
}


def _currencies(station: Station) -> tuple[str, ...]:
    ready = station.state.ready
    if ready is not None and ready.currency:
        return (ready.currency,)
    return station.capabilities.currencies

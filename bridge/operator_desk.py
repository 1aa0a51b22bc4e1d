"""What stands behind the operator console: it looks at the parts, and hands on what persons want.

Decisions go through `control.py`, as the command line's do; who asked for what, and why, is in the
journal before it is done. Loaded only where there is a console.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.console.sources import (
    DayEnd,
    FoundDevice,
    LoginView,
    OpenGap,
    RegisterView,
    TerminalView,
)
from bridge.control import Control
from bridge.errors import RequestError
from bridge.login_desk import LoginDesk
from bridge.money.ledger import Ledger
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry
from bridge.money.store.provenance import PersonActed, acts_on
from bridge.money.store.records import PaymentRecord, PurchaseRecord
from bridge.register import api as k
from bridge.register.commands.reconciliation import told_ends_of_day
from bridge.register.commands.router import Desk
from bridge.register.mqtt.messages import Delivery
from bridge.register.publishing.countdown import CARD_STAGES, seconds_left
from bridge.register.receipts.receipt_text import ReceiptStyle, receipts_of
from bridge.status import StatusDocuments
from bridge.terminal.station import Station

_LOGGER = logging.getLogger(__name__)

CONSOLE = "console"  # the register that answers to the console's own commands go to
SOURCE = "console"
DEVICES_SECONDS_MAX = 5.0  # listing ports reads small files of the kernel


@dataclass(frozen=True, slots=True)
class Place:
    """Which store this is, and what its configuration says of registers."""

    name: str
    store_code: str
    registers: Mapping[str, str]  # those that are configured, with their own terminal or ""
    hold_days: Mapping[str, int]
    receipt_style: ReceiptStyle


class OperatorDesk:
    """One for the service; `bridge/console/sources.py` says what each method is for."""

    def __init__(
        self,
        place: Place,
        *,
        ledger: Ledger,
        journal: Journal,
        desk: Desk,
        control: Control,
        status: StatusDocuments,
        stations: Mapping[str, Station],
        logins: LoginDesk,
        now: Callable[[], datetime],
        list_devices: Callable[[], Sequence[FoundDevice]],
    ) -> None:
        """Look at these; `list_devices` reads files and runs in a thread."""
        self._place = place
        self._ledger = ledger
        self._journal = journal
        self._desk = desk
        self._control = control
        self._status = status
        self._stations = stations
        self._logins = logins
        self.now = now
        self._list_devices = list_devices

    # --- looking

    @property
    def site(self) -> str:
        """What the store is called."""
        return self._place.name

    @property
    def store_code(self) -> str:
        """The store's code in the books."""
        return self._place.store_code

    def health(self) -> k.BridgeHealth:
        """Return whether payments can be taken, and why not."""
        return self._status.health()

    def terminals(self) -> Sequence[TerminalView]:
        """Return the terminals as they are now."""
        infos, states = self._status.terminal_infos(), self._status.terminal_states()
        return [
            self._terminal(station, infos[name], states[name])
            for name, station in self._stations.items()
        ]

    def _terminal(
        self, station: Station, info: k.TerminalInfo, state: k.TerminalState
    ) -> TerminalView:
        name = station.settings.terminal_id
        get = self._ledger.payments.get
        on_it = get(station.state.payment_id) if station.state.payment_id else None
        if on_it is None or on_it.payment.is_final:
            mine = [
                one
                for one in self._ledger.payments.unfinished()
                if one.payment.request.terminal_id == name and one.payment.doubt is not None
            ]
            on_it = mine[0] if mine else None
        left, in_all = None, 0
        if on_it is not None:
            left = seconds_left(
                on_it,
                now=self.now(),
                stage_seconds=station.settings.stage_seconds,
                expires_at=self.now(),
            )
            limits = [float(on_it.payment.request.deadline_seconds)]
            stage = on_it.payment.stage
            if stage in CARD_STAGES and stage in station.settings.stage_seconds:
                limits.append(station.settings.stage_seconds[stage])
            in_all = int(min(limits))
        return TerminalView(
            info=info,
            state=state,
            payment=on_it,
            seconds_left=left,
            seconds_in_all=in_all,
            in_line=len(station.in_line),
            hold_days=self._place.hold_days.get(name, 0),
        )

    def registers(self) -> Sequence[RegisterView]:
        """Return the registers that are configured, or were heard."""
        heard = self._desk.registers
        waiting: dict[str, PaymentRecord] = {
            one.payment.request.register_id: one for one in self._ledger.payments.unfinished()
        }
        names = dict.fromkeys([*self._place.registers, *sorted(heard), *sorted(waiting)])
        return [
            RegisterView(
                name, self._place.registers.get(name, ""), heard.get(name), waiting.get(name)
            )
            for name in names
            if name != CONSOLE
        ]

    def open_payments(self) -> Sequence[PaymentRecord]:
        """Return the payments in memory that are not settled, or still hold money."""
        return [
            one
            for one in self._ledger.payments.in_memory()
            if not one.payment.is_settled or one.payment.held_minor
        ]

    def payment(self, payment_id: str) -> PaymentRecord | None:
        """Return a payment that is in memory."""
        return self._ledger.payments.get(payment_id)

    def purchase_of(self, payment_id: str) -> PurchaseRecord | None:
        """Return the purchase that records a payment, as far as it is in memory."""
        return self._ledger.payments.purchase_of(payment_id)

    def open_purchases(self) -> Sequence[PurchaseRecord]:
        """Return the purchases that are not in the books."""
        return self._ledger.payments.open_purchases()

    def gaps(self) -> Sequence[OpenGap]:
        """Return the gaps that nobody has noted, oldest first."""
        return [OpenGap(name, gap) for name, gap in self._ledger.batches.gaps()]

    def hold_days(self) -> Mapping[str, int]:
        """Return how long a hold stands, by terminal."""
        return self._place.hold_days

    def day_ends(self) -> Sequence[DayEnd]:
        """Return all ends of day that were told, newest first."""
        found = [
            DayEnd(name, document)
            for name in self._stations
            for document in told_ends_of_day(name, self._ledger.batches.of(name))
        ]
        return sorted(found, key=lambda one: one.document.closed_at, reverse=True)

    def closing(self) -> Mapping[str, str]:
        """Return since when each terminal's end of day is open, where one is."""
        batches = {name: self._ledger.batches.of(name) for name in self._stations}
        return {name: one.closing.began_at for name, one in batches.items() if one.closing}

    def receipts(self, account: PaymentRecord) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the receipts of a payment: whose copy, and its lines."""
        return [(one.copy, one.lines) for one in receipts_of(account, self._place.receipt_style)]

    def obstacles(self) -> Sequence[str]:
        """Return why nothing begins, where only a person may say to go on."""
        return self._control.obstacles()

    # --- asked for by a person

    async def carry_out(self, order: Mapping[str, Any], *, note: str, by: str) -> dict[str, Any]:
        """Do an order of the control socket; return its answer, with `ok`.

        Raises:
            JournalError: It could not be stored.
        """
        target = str(order.get("payment_id") or order.get("terminal_id") or "bridge")
        answer = str(order.get("outcome") or order.get("decision") or "")
        await self._note(target, " ".join(filter(None, [str(order["do"]), answer])), by, note)
        return await self._control.carry_out({**order, "by": by}, SOURCE)

    async def cancel(self, payment_id: str, *, by: str, note: str) -> None:
        """Ask for a running payment to be stopped.

        Raises:
            RequestError: `payment_not_found`, or `too_late_to_cancel`: it has ended.
            JournalError: It could not be stored.
        """
        await self._note(payment_id, "cancel", by, note)
        await self._desk.existing.cancel_by_operator(payment_id)

    async def probe(self, terminal_id: str, *, by: str) -> None:
        """Have a terminal asked how it is.

        Raises:
            RequestError: `terminal_not_found`.
        """
        station = self._stations.get(terminal_id)
        if station is None:
            raise RequestError("terminal_not_found", "there is no such terminal")
        _LOGGER.info("terminal=%s probe asked by=%s", terminal_id, by)
        station.ask_for_probe()

    async def close_day(self, terminal_id: str, name: str, *, by: str, close: bool) -> None:
        """Begin an end of day, or only compare; `day_ends` and `closing` tell what came of it.

        Raises:
            RequestError: The terminal cannot, or not now.
            JournalError: It could not be stored.
        """
        if terminal_id not in self._stations:
            raise RequestError("terminal_not_found", "there is no such terminal")
        request: k.TerminalReconcile | k.TerminalTotals
        fields = {"request_id": name, "terminal_id": terminal_id}
        if close:
            request = k.TerminalReconcile.model_validate({**fields, "operation_id": name})
        else:
            request = k.TerminalTotals.model_validate(fields)
        await self._note(terminal_id, "close_day" if close else "compare", by, "")
        # The answer goes to a register that nobody is; the journal's own entries tell us.
        delivery = Delivery("", json.dumps(fields).encode())
        self._desk.operations.begin(delivery, CONSOLE, request, terminal_id)
        self._desk.late_answers.wake()

    async def found_devices(self) -> Sequence[FoundDevice]:
        """Return what is plugged in and is no configured terminal; [] where nobody can say."""
        try:
            async with asyncio.timeout(DEVICES_SECONDS_MAX):
                return await asyncio.get_running_loop().run_in_executor(None, self._list_devices)
        except (OSError, TimeoutError) as error:
            _LOGGER.warning("ports cannot be listed reason=%r", error)
            return []

    def login(self) -> LoginView:
        """Return how the login to the back office stands."""
        return self._logins.view()

    async def begin_login(self, *, by: str) -> None:
        """Ask for a code.

        Raises:
            RequestError: There is no back office, or the provider gives none.
            JournalError: It could not be stored.
        """
        await self._note("bridge", "log_in", by, "")
        await self._logins.begin()

    async def accept_login(self, *, by: str) -> None:
        """Accept that somebody else logged in than before.

        Raises:
            RequestError: Nobody did.
            JournalError: It could not be stored.
        """
        await self._note("bridge", "accept_other_login", by, "")
        await self._logins.accept()

    def works(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what must run beside the console, for ever."""
        return (self._logins.run(),)

    async def _note(self, target: str, did: str, by: str, note: str) -> None:
        at = k.format_time(self.now())
        act = PersonActed(by, did, note)
        await self._journal.append(Change((Entry(acts_on(target), act, at),)))
        _LOGGER.warning("asked at the console target=%s did=%s by=%s", target, did, by)

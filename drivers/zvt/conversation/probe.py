"""Log on, ask how the terminal is, read its last transaction. Moves no money.

Rules:

1. 06 00, then 05 01, then 06 20; every refusal is told as what it means for payments.
2. An approval that shows up here belongs to an older conversation: it is neither accepted nor
   refused, and the terminal is told to be busy, so that the order's own inquiry finds it.
3. A terminal that asks for its initialization (06 93) gets it, once, and is asked anew.
4. A baseline is told only if the terminal told it; "" only if its totals prove an empty store.

Source: PA00P015 rev 13.08, commands 06 00, 05 01, 06 93, 06 20, 06 10.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import (
    BUSY,
    CURRENCY_LETTERS,
    INITIALIZATION,
    NOT_INITIALIZED,
    OK,
    WRONG_CURRENCY,
    needs_of,
    not_ready,
    refusal,
)
from drivers.zvt.codec.fields import find_tlv
from drivers.zvt.conversation.exchange import Phase, Talk
from drivers.zvt.conversation.registration import registration, repeat_command, store_is_empty
from drivers.zvt.mapping.evidence import fingerprint
from drivers.zvt.settings import ZvtSettings

ANSWER_SECONDS = 20.0  # none of these commands needs a card or a host
_DEVICE_NAME, _SOFTWARE, _SERIAL_NUMBER, _TERMINAL_ID = 0x1F40, 0x1F41, 0x1F42, 0x1F44


class Stage(Enum):
    """Which question the terminal is at."""

    REGISTER = "register"
    STATUS = "status"
    INITIALIZE = "initialize"
    REPEAT = "repeat"
    TOTALS = "totals"


class ProbeScript:
    """Probe."""

    def __init__(self, talk: Talk, settings: ZvtSettings) -> None:
        self._talk = talk
        self._settings = settings
        self._stage = Stage.REGISTER
        self._initialized = False
        self._registered: m.Completion | None = None
        self._report: m.StatusReport | None = None
        self._reading: m.StatusInformation | None = None
        self._totals: m.StatusInformation | None = None

    def start(self) -> None:
        """Log on."""
        self._talk.command(registration(self._settings), ANSWER_SECONDS)

    def replied(self, reply: m.Reply) -> None:
        """Follow, or tell what a refusal means."""
        if self._talk.phase is not Phase.REPLY:
            return
        if reply.positive:
            self._talk.follow()
            return
        match self._stage:
            case Stage.REGISTER:
                self._refuse_registration(reply)
            case Stage.STATUS:
                self._refuse(reply.code)
            case Stage.INITIALIZE:
                self._after_status()
            case Stage.REPEAT | Stage.TOTALS:
                self._ready()
            case _:
                assert_never(self._stage)

    def status(self, message: m.StatusInformation) -> None:
        """Keep the answer to 06 20 or 06 10; leave everything else alone."""
        if self._talk.phase is Phase.TERMINAL_LEADS and self._stage is Stage.REPEAT:
            self._reading = message
        elif self._talk.phase is Phase.TERMINAL_LEADS and self._stage is Stage.TOTALS:
            self._totals = message
        elif message.result == OK:
            text = "a transaction of an older conversation is open"
            self._talk.finish(c.TerminalNotReady("terminal_busy", text))
            return
        self._talk.reply()

    def ended(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        """Ask the next question."""
        if self._talk.phase is not Phase.TERMINAL_LEADS:
            self._talk.reply()  # the end of an older dialogue
            return
        match self._stage:
            case Stage.REGISTER | Stage.STATUS if isinstance(message, m.Abort):
                self._refuse(message.code, m.POSITIVE)
            case Stage.REGISTER:
                self._talk.reply()
                self._registered = message if isinstance(message, m.Completion) else None
                self._stage = Stage.STATUS
                self._talk.command(m.StatusEnquiry(), ANSWER_SECONDS)
            case Stage.STATUS:
                self._talk.reply()
                self._report = message if isinstance(message, m.StatusReport) else None
                self._after_status()
            case Stage.INITIALIZE:
                self._talk.reply()
                if isinstance(message, m.Completion) and not message.result:
                    self._stage = Stage.REGISTER
                    self.start()
                else:
                    self._after_status()
            case Stage.REPEAT:
                self._talk.reply()
                if self._reading is None and isinstance(message, m.Completion):
                    self._stage = Stage.TOTALS
                    self._talk.command(m.Totals(self._settings.password), ANSWER_SECONDS)
                else:
                    self._ready()
            case Stage.TOTALS:
                self._talk.reply()
                self._ready()
            case _:
                assert_never(self._stage)

    def stored(self, *, stored: bool) -> None:
        """Nothing is offered here."""

    def silent(self) -> None:
        """A terminal that logged on and is idle is ready, even if it tells no baseline."""
        if self._stage is Stage.TOTALS:
            self._ready()
        else:
            self._talk.finish(c.Unclear("no_answer"))

    def lost(self, reason: str) -> None:
        """The line is gone."""
        self._talk.finish(c.Unclear(reason))

    def cancel(self) -> None:
        """It ends by itself within seconds."""

    def _refuse_registration(self, reply: m.Reply) -> None:
        if WRONG_CURRENCY in (reply.code, *reply.rest[:1]):
            text = f"the terminal does not take {self._settings.currency}"
            self._talk.finish(c.TerminalNotReady("terminal_maintenance", text))
        else:
            self._refuse(reply.code)

    def _refuse(self, code: int | None, reply: m.Reply | None = None) -> None:
        if code == BUSY or code is None:
            told = ("terminal_busy", "busy")
        else:
            known = refusal(code)
            plain = known.kind != "failed" or known.reason == "terminal_fault"
            told = (plain and not_ready(code)) or (known.reason, known.text)
        self._talk.finish(c.TerminalNotReady(*told), reply)

    def _after_status(self) -> None:
        status = self._report.status if self._report else None
        usable = self._settings.traits.initialization_usable and not self._initialized
        if usable and (status == NOT_INITIALIZED or INITIALIZATION in self._needs):
            self._initialized = True
            self._stage = Stage.INITIALIZE
            self._talk.command(m.Initialization(self._settings.password))
            return
        problem = not_ready(status) if status is not None else None
        if problem:
            self._talk.finish(c.TerminalNotReady(*problem))
        elif self._settings.traits.repeat_receipt_usable:
            self._stage = Stage.REPEAT
            self._talk.command(repeat_command(self._settings), ANSWER_SECONDS)
        else:
            self._ready()

    @property
    def _needs(self) -> tuple[str, ...]:
        return needs_of(self._registered.status) if self._registered else ()

    def _ready(self) -> None:
        registered = self._registered or m.Completion()
        report = self._report or m.StatusReport(None)
        number = registered.currency
        said = self._reading.terminal_id if self._reading else ""
        self._talk.finish(
            c.TerminalReady(
                terminal_id=registered.terminal_id or said or _hex(report, _TERMINAL_ID),
                serial_number=_hex(report, _SERIAL_NUMBER),
                model=_ascii(report, _DEVICE_NAME),
                firmware=report.version or _ascii(report, _SOFTWARE),
                currency=CURRENCY_LETTERS.get(number, "") if number is not None else "",
                baseline=self._baseline(),
                problems=self._needs,
            )
        )

    def _baseline(self) -> c.Baseline | None:
        reading = self._reading
        if reading is not None and reading.result == OK and (reading.receipt or reading.trace):
            return c.Baseline(fingerprint(reading))
        if reading is None and store_is_empty(self._totals):
            return c.Baseline("")
        return None


def _hex(report: m.StatusReport, tag: int) -> str:
    value = find_tlv(report.tlv, tag)
    return value.hex().upper() if value else ""


def _ascii(report: m.StatusReport, tag: int) -> str:
    value = find_tlv(report.tlv, tag)
    return value.decode("ascii", "replace").strip(" \0") if value else ""

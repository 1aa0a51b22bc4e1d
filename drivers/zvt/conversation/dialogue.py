"""The register's side of a conversation: `contract.Dialogue` over either transport. Pure.

It only chooses the script; the rules stand in `talk`, `money`, `inquiry`, `probe`, `services`.
"""

from __future__ import annotations

from typing import Literal

from drivers import contract as c
from drivers.zvt.codec.framing import Link, SerialLink, TcpLink
from drivers.zvt.conversation.exchange import Script, Talk, Timers
from drivers.zvt.conversation.inquiry import InquiryScript
from drivers.zvt.conversation.logon import LogOnFirst
from drivers.zvt.conversation.numbering import Numbering
from drivers.zvt.conversation.payment import MoneyScript
from drivers.zvt.conversation.probe import ProbeScript
from drivers.zvt.conversation.services import (
    DiagnosisScript,
    EndOfDayScript,
    ReadCardScript,
    ReadLastScript,
    ShowTextScript,
)
from drivers.zvt.settings import ZvtSettings


class ZvtDialogue:
    """One conversation; used once."""

    def __init__(self, settings: ZvtSettings, transport: Literal["serial", "tcp"]) -> None:
        timers = settings.link_timers
        link: Link = SerialLink(timers) if transport == "serial" else TcpLink(timers)
        self._settings = settings
        self._talk = Talk(
            link,
            Timers(settings.reply_seconds, settings.patience_seconds),
            settings.traits.charset,
            Numbering() if settings.sequence_ids else None,
        )
        self._begun = False

    def begin(self, operation: c.Operation, now: float) -> c.Step:
        """Open the conversation; an order is sent at once, or after the registration it needs."""
        assert not self._begun, "a dialogue is used once"
        self._begun = True
        script = self._script(operation)
        registers_itself = isinstance(operation, (c.Probe, c.Inquire))
        if self._settings.sequence_ids and not registers_itself:
            script = LogOnFirst(self._talk, script, self._settings)
        return self._talk.begin(script, now)

    def receive(self, data: bytes, now: float) -> c.Step:
        """Take bytes in any split. Never raises."""
        return self._talk.receive(data, now)

    def timeout(self, now: float) -> c.Step:
        """Do what is due."""
        return self._talk.timeout(now)

    def line_lost(self, now: float) -> c.Step:
        """End without a verdict, unless there is one already."""
        return self._talk.line_lost(now)

    def committed(self, now: float) -> c.Step:
        """Send what had to wait for the journal."""
        return self._talk.committed(now)

    def not_committed(self, now: float) -> c.Step:
        """Refuse an approval that could not be stored: the terminal reverses it."""
        return self._talk.not_committed(now)

    def cancel(self, now: float) -> c.Step:
        """Send 06 B0 where it makes sense, at most once."""
        return self._talk.cancel(now)

    def _script(self, operation: c.Operation) -> Script:
        talk, settings = self._talk, self._settings
        match operation:
            case c.Inquire():
                return InquiryScript(talk, operation, settings)
            case c.Probe():
                return ProbeScript(talk, settings)
            case c.EndOfDay():
                return EndOfDayScript(talk, operation, settings)
            case c.ReadCard():
                return ReadCardScript(talk, operation, settings)
            case c.ShowText():
                return ShowTextScript(talk, operation, settings)
            case c.ReadLast():
                return ReadLastScript(talk, settings)
            case c.Diagnose():
                return DiagnosisScript(talk, settings)
            case c.ReadBalance():
                raise AssertionError(f"{operation} is not among the capabilities")
            case _:
                return MoneyScript(talk, operation, settings)

"""The register's side of a conversation: which script holds it, over either transport. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from drivers import contract as c
from drivers.script import ScriptedDialogue
from drivers.zvt.codec.framing import Link, SerialLink, TcpLink
from drivers.zvt.conversation.exchange import Ask, Message, Running, Timers, ZvtExchange
from drivers.zvt.conversation.inquiry import InquiryScript
from drivers.zvt.conversation.logon import log_on_first
from drivers.zvt.conversation.numbering import Numbering
from drivers.zvt.conversation.payment import move_money
from drivers.zvt.conversation.probe import probe
from drivers.zvt.conversation.services import (
    diagnose,
    end_of_day,
    read_card,
    read_last,
    show_text,
)
from drivers.zvt.settings import ZvtSettings


class ZvtDialogue(ScriptedDialogue[Ask, bytes, Message]):
    """One conversation; used once."""

    def __init__(self, settings: ZvtSettings, transport: Literal["serial", "tcp"]) -> None:
        timers = settings.link_timers
        new_link: Callable[[], Link] = partial(
            SerialLink if transport == "serial" else TcpLink, timers
        )
        self._settings = settings
        self._line = ZvtExchange(
            new_link,
            Timers(settings.reply_seconds, settings.patience_seconds),
            settings.traits.charset,
            Numbering() if settings.sequence_ids else None,
        )
        super().__init__(self._line)

    def script_for(self, operation: c.Operation) -> Running | c.Failed:
        """Return the script; an order is sent at once, or after the registration it needs."""
        line, settings = self._line, self._settings
        match operation:
            case c.Inquire():
                return InquiryScript(operation, line, settings).run()
            case c.Probe():
                return probe(line, settings)
            case c.EndOfDay():
                script: Running = end_of_day(operation, line, settings)
            case c.ReadCard():
                script = read_card(operation, line, settings)
            case c.ShowText():
                script = show_text(operation, line, settings)
            case c.ReadLast():
                script = read_last(line, settings)
            case c.Diagnose() | c.SelfTest():
                script = diagnose(operation, line, settings)
            case c.ReadBalance():
                raise AssertionError(f"{operation} is not among the capabilities")
            case _:
                script = move_money(operation, line, settings)
        registers = settings.sequence_ids or settings.traits.registers_first
        return log_on_first(script, line, settings) if registers else script

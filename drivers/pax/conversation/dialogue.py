"""The register's side of one POSLINK conversation: which script holds it. Pure."""

from __future__ import annotations

from typing import Literal

from drivers.contract import (
    EndOfDay,
    Inquire,
    MoneyOperation,
    Operation,
    Probe,
    ReadBalance,
    ReadLast,
    Unclear,
)
from drivers.pax.codec.framing import Sign
from drivers.pax.codec.messages import Answer
from drivers.pax.conversation.exchange import Ask, PoslinkExchange, Script
from drivers.pax.conversation.inquiry import inquire
from drivers.pax.conversation.lookup import read_balance, read_last
from drivers.pax.conversation.payment import move_money
from drivers.pax.conversation.services import end_of_day, probe
from drivers.pax.settings import PaxSettings
from drivers.script import ScriptedDialogue


class PaxDialogue(ScriptedDialogue[Ask, bytes | Sign, Answer]):
    """One conversation. Every input returns the next step; bytes never raise."""

    def __init__(self, settings: PaxSettings, transport: Literal["serial", "tcp"]) -> None:
        self._settings = settings
        self._poslink = PoslinkExchange(settings, transport)
        super().__init__(self._poslink)

    def script_for(self, operation: Operation) -> Script | Unclear:
        """Return the script that holds the conversation; what a terminal cannot do has none."""
        settings, serial = self._settings, self._poslink.serial
        match operation:
            case Inquire():
                return inquire(operation, settings, careful=serial)
            case Probe():
                return probe(settings)
            case EndOfDay():
                return end_of_day(operation, settings)
            case ReadBalance():
                return read_balance(operation, settings)
            case ReadLast():
                return read_last(settings)
            case _ if isinstance(operation, MoneyOperation):
                return move_money(operation, settings, self._poslink.wishes, greet=serial)
            case _:
                return Unclear("operation_not_supported")

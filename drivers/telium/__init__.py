"""French terminals: Concert E+ on serial and USB, and Caisse-AP over IP, as two drivers.

They are two because what they can be told differs (a reference that comes back, a probe that asks,
late answers: on the serial line only), and a name says that better than a setting. What they share
is what neither can do: stop a payment from the till, void it, or say afterwards what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from drivers.contract import API_VERSION, Capabilities, SerialDefaults
from drivers.telium.conversation.caisse_ap import CaisseApDialogue
from drivers.telium.conversation.concert import TeliumDialogue
from drivers.telium.settings import CaisseApSettings, TeliumSettings

__all__ = [
    "CAISSE_AP_DRIVER",
    "DRIVER",
    "CaisseApDriver",
    "CaisseApSettings",
    "TeliumDriver",
    "TeliumSettings",
]

_VERSION = "1.0"
_USB = SerialDefaults()  # 9600 8N1


@dataclass(frozen=True, slots=True)
class TeliumDriver:
    """Concert E+ on a serial line. RS232 terminals want 7 data bits and even parity instead."""

    api: int = API_VERSION
    name: str = "telium"
    version: str = _VERSION
    settings: type = TeliumSettings
    serial_defaults: SerialDefaults = _USB

    def capabilities(self, settings: TeliumSettings) -> Capabilities:
        """What a terminal with these settings can do."""
        return _capabilities(settings.currency, refunds=settings.refunds, one_talk=False)

    def dialogue(
        self, settings: TeliumSettings, transport: Literal["serial", "tcp"]
    ) -> TeliumDialogue:
        """A new conversation; over TCP (a serial port server) it is the same."""
        del transport
        return TeliumDialogue(settings)


@dataclass(frozen=True, slots=True)
class CaisseApDriver:
    """Caisse-AP over IP. Every conversation needs a connection of its own."""

    api: int = API_VERSION
    name: str = "caisse_ap"
    version: str = _VERSION
    settings: type = CaisseApSettings
    serial_defaults: SerialDefaults = _USB  # never used: this protocol is TCP only

    def capabilities(self, settings: CaisseApSettings) -> Capabilities:
        """What a terminal with these settings can do."""
        # A part may be approved whether it was asked for or not; nothing can take it back.
        can = _capabilities(settings.currency, refunds=True, one_talk=True)
        return replace(can, partial_approval=True)

    def dialogue(
        self, settings: CaisseApSettings, transport: Literal["serial", "tcp"]
    ) -> CaisseApDialogue:
        """A new conversation.

        Raises:
            ValueError: The terminal is configured on a serial line.
        """
        if transport != "tcp":
            raise ValueError("caisse_ap speaks TCP only; on a serial line use telium")
        return CaisseApDialogue(settings)


def _capabilities(currency: str, *, refunds: bool, one_talk: bool) -> Capabilities:
    return Capabilities(
        operations=frozenset({"sale", "refund"} if refunds else {"sale"}),
        status_query="none",
        cancel="at_terminal_only",
        unlinked_refund=refunds,
        one_talk_per_line=one_talk,
        currencies=(currency,),
    )


DRIVER = TeliumDriver()
CAISSE_AP_DRIVER = CaisseApDriver()

"""PAX terminals with a BroadPOS application, over POSLINK: TCP, HTTP GET, serial and USB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.contract import API_VERSION, Capabilities, SerialDefaults
from drivers.pax.conversation.dialogue import PaxDialogue
from drivers.pax.settings import PaxSettings

__all__ = ["DRIVER", "PaxSettings"]

# RS232; a USB port (CDC-ACM) takes any speed.
_SERIAL_DEFAULTS = SerialDefaults(baud_rate=9600)
_OPERATIONS = frozenset(("sale", "refund", "void", "reconcile", "totals", "last_transaction"))
_CREDIT_OPERATIONS = frozenset(("preauth", "capture", "tip_adjust"))
_GIFT_OPERATIONS = frozenset(("balance", "gift_redeem", "gift_load", "unload"))


@dataclass(frozen=True, slots=True)
class PaxDriver:
    """The door to this driver; see `contract.Driver`."""

    api: int = API_VERSION
    name: str = "pax"
    version: str = "0.1.0"
    settings: type = PaxSettings
    serial_defaults: SerialDefaults = _SERIAL_DEFAULTS

    def capabilities(self, settings: PaxSettings) -> Capabilities:
        """Return what a terminal with these settings can do."""
        http = settings.transport == "http"
        credit = settings.tender == "credit"
        operations = _OPERATIONS
        if credit:
            operations |= _CREDIT_OPERATIONS
        if settings.gift:
            operations |= _GIFT_OPERATIONS
        return Capabilities(
            operations=operations,
            status_query="by_reference",
            cancel="at_terminal_only" if http else "until_authorizing",
            partial_approval=True,
            tip=("none", "fixed", "adjust") if credit else ("none", "fixed"),
            unlinked_refund=True,
            one_talk_per_line=http,
            currencies=(settings.currency,),
        )

    def dialogue(self, settings: PaxSettings, transport: Literal["serial", "tcp"]) -> PaxDialogue:
        """Return a new conversation.

        Raises:
            ValueError: HTTP over a serial line.
        """
        if settings.transport == "http" and transport == "serial":
            raise ValueError("HTTP needs a TCP line")
        return PaxDialogue(settings, transport)


DRIVER = PaxDriver()

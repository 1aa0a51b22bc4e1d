"""The driver of terminals that the POS server drives. Pure.

It is found by `kind = "pos_server"` and not by its name among the drivers: its line leads to the
back office, which no other driver may know of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.backoffice.terminal_payments.dialogue import PosServerDialogue
from bridge.backoffice.terminal_payments.settings import PosServerSettings
from drivers.contract import API_VERSION, Capabilities, SerialDefaults

KIND = "pos_server"
# Of one question: two requests, where the first one's token had expired, and logins between them.
DEADLINES_MAX = 4.0
_NO_LINE = SerialDefaults()  # a driver has some


@dataclass(frozen=True, slots=True)
class PosServerDriver:
    """Terminal payments by the POS server; `deadline_seconds` bounds one request to it."""

    deadline_seconds: float = 30.0
    api: int = API_VERSION
    name: str = KIND
    version: str = "1.0"
    settings: type = PosServerSettings
    serial_defaults: SerialDefaults = _NO_LINE

    def capabilities(self, settings: PosServerSettings) -> Capabilities:
        """What a terminal with these settings can do.

        The server can be asked about a payment of which it said that it goes on; nothing it
        documents voids one, releases a hold, or stops what the shopper is asked to do.
        """
        operations = {"sale"}
        if settings.refunds:
            operations.add("refund")
        if settings.preauthorization:
            operations |= {"preauth", "capture"}
        return Capabilities(
            operations=frozenset(operations),
            status_query="by_reference",
            cancel="at_terminal_only",
            unlinked_refund=settings.refunds,
            one_talk_per_line=True,
            currencies=(settings.currency,),
        )

    def dialogue(
        self, settings: PosServerSettings, transport: Literal["serial", "tcp"]
    ) -> PosServerDialogue:
        """A new conversation."""
        del transport
        return PosServerDialogue(settings, DEADLINES_MAX * self.deadline_seconds)

"""HELLO, an invented protocol of small lines: its `DRIVER`, what it can do and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from driver_hello.dialogue import HelloDialogue
from driver_hello.settings import HelloSettings
from drivers.contract import API_VERSION, Capabilities, SerialDefaults

__all__ = ["DRIVER", "HelloDriver", "HelloSettings"]

_SERIAL = SerialDefaults(baud_rate=115_200)


@dataclass(frozen=True, slots=True)
class HelloDriver:
    """The door through which the bridge finds HELLO."""

    api: int = API_VERSION
    name: str = "hello"
    version: str = "1.0.0"
    settings: type = HelloSettings
    serial_defaults: SerialDefaults = _SERIAL

    def capabilities(self, settings: HelloSettings) -> Capabilities:
        """What a terminal with these settings can do; what is not named here is never asked."""
        return Capabilities(
            operations=frozenset({"sale"}),
            status_query="by_reference",
            cancel="any_time",
            currencies=(settings.currency,),
        )

    def dialogue(
        self, settings: HelloSettings, transport: Literal["serial", "tcp"]
    ) -> HelloDialogue:
        """A new conversation; lines look the same on every transport."""
        del transport
        return HelloDialogue(settings)


DRIVER = HelloDriver()

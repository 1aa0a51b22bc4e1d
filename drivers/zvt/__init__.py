"""ZVT, the German register interface of card terminals (PA00P015 and PA00P016): its `DRIVER`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.contract import API_VERSION, Capabilities, SerialDefaults
from drivers.zvt.conversation.dialogue import ZvtDialogue
from drivers.zvt.settings import AMOUNT_ENTRY_LOCKED, RECEIPTS_TO_REGISTER, ZvtSettings

__all__ = ["DRIVER", "ZvtDriver", "ZvtSettings"]

_SERIAL = SerialDefaults(stop_bits=2)  # 9600 8N2, PA00P016 rev 04


@dataclass(frozen=True, slots=True)
class ZvtDriver:
    """The door through which the bridge finds ZVT."""

    api: int = API_VERSION
    name: str = "zvt"
    version: str = "1.0"
    settings: type = ZvtSettings
    serial_defaults: SerialDefaults = _SERIAL

    def capabilities(self, settings: ZvtSettings) -> Capabilities:
        """What a terminal with these settings can do."""
        traits = settings.traits
        with_receipts = traits.config_byte & RECEIPTS_TO_REGISTER == RECEIPTS_TO_REGISTER
        locked = bool(traits.config_byte & AMOUNT_ENTRY_LOCKED)
        operations = {
            *("sale", "preauth", "increment", "capture", "refund", "void", "tip_adjust"),
            *("reconcile", "totals", "card_read", "display", "self_test"),
        }
        if traits.repeat_receipt_usable:
            operations.add("last_transaction")
        if traits.diagnosis_usable:
            operations.add("diagnose")
        return Capabilities(
            operations=frozenset(operations),
            status_query="last_transaction" if traits.repeat_receipt_usable else "none",
            cancel="until_authorizing" if traits.abort_supported else "at_terminal_only",
            partial_approval=True,
            tip=("none", "fixed", "adjust"),
            unlinked_refund=True,
            receipts=("customer", "merchant") if with_receipts else (),
            prompts=("signature_ok",),
            # An id must be right at the very moment; see `synchronization`.
            exclusive=locked and not settings.synchronization_ids and not traits.hangs_up,
            currencies=(settings.currency,),
            # 06 24 names what was used, 06 23 what was not: either ends the hold.
            partial_capture="releases_rest",
            one_talk_per_line=traits.hangs_up,
        )

    def dialogue(self, settings: ZvtSettings, transport: Literal["serial", "tcp"]) -> ZvtDialogue:
        """A new conversation."""
        return ZvtDialogue(settings, transport)


DRIVER = ZvtDriver()

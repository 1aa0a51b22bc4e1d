"""The terminal's side of message sequence ids, right or wrong on purpose. Pure.

Source: PA00P015 rev 13.08, TLV 1F73. Whether a terminal counts its own commands or those of both
sides is not said there: the profile chooses.
"""

from __future__ import annotations

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import find_tlv
from drivers.zvt.codec.sequence import OFFER, TAG, following, is_newer, sequence_of
from simulators.terminals.zvt.profile import Profile

STEPS_SKIPPED = 7


class Numbers:
    """What a terminal numbers since the registration that asked for it."""

    def __init__(self, profile: Profile) -> None:
        self.active = False
        self._profile = profile
        self._said = OFFER
        self._heard = OFFER
        self._starts = 0

    def start(self, *, active: bool) -> None:
        """A registration was taken, with or without numbers; or the power came back."""
        self.active = active
        self._starts += active
        self._said = self._heard = OFFER

    def takes(self, apdu: bytes) -> bool:
        """Say whether a command of the register has a number that is due."""
        if not self.active or int.from_bytes(apdu[:2], "big") == m.Registration.CONTROL:
            return True
        number = sequence_of(apdu)
        if number is None or not is_newer(number, self._heard):
            return False
        self._heard = number
        return True

    def of_reply(self, number: int | None) -> int | None:
        """Return the number of the reply to the command with `number`."""
        if not self.active or number is None:
            return None
        return self._spoiled(number, "reply")

    def next(self, message: m.Message) -> int | None:
        """Return the number of the terminal's next message; None if it carries one already."""
        if not self.active or find_tlv(message.tlv, TAG) is not None:
            return None
        newest = self._said
        if self._profile.sequence_counts == "together" and is_newer(self._heard, newest):
            newest = self._heard
        self._said = following(newest)
        match message:
            case m.StatusInformation():
                return self._spoiled(self._said, "status")
            case m.Completion() | m.StatusReport() | m.Abort():
                return self._spoiled(self._said, "end")
            case _:
                return self._said

    def _spoiled(self, number: int, what: str) -> int | None:
        profile = self._profile
        if what != profile.sequence_fault_in or profile.sequence_fault_at not in (0, self._starts):
            return number
        match self._profile.sequence_fault:
            case "missing":
                return None
            case "old":
                return OFFER
            case "skips":
                return number + STEPS_SKIPPED
        return number

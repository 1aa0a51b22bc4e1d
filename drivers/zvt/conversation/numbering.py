"""The register's side of message sequence ids: which number to say, and what to make of one. Pure.

Rules:

1. Each conversation registers first, so nothing has to be remembered from one to the next; and
   nothing older comes after its completion, because a line keeps the order.
2. We say the number after the highest that either side said. That fits a terminal that counts all
   commands together as well as one that counts its own.
3. What decides (a reply, 04 0F, 06 0F, 06 1E) is heard only with the right number: a reply with
   that of our last command, a command of the terminal with a newer one than its last. With an old,
   a wrong or no number it belongs to no command: neither an approval nor a refusal. It gets no
   reply, because yes could make final and no could reverse what is not ours.
4. What decides nothing gets its reply whatever its number is, and is otherwise passed over.
5. The last command once more, byte for byte, is a repeat: it gets the reply it had, and no more.

Source: PA00P015 rev 13.08, TLV 1F73; that both ways of counting exist is our reading.
"""

from __future__ import annotations

from typing import Literal

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.framing import is_reply
from drivers.zvt.codec.sequence import OFFER, following, is_newer, sequence_of

Standing = Literal["ours", "repeat", "unexpected"]
_DECIDING = frozenset(
    (m.StatusInformation.CONTROL, m.Completion.CONTROL, m.Abort.CONTROL, m.StatusReport.CONTROL)
)


def decides(apdu: bytes) -> bool:
    """Say whether a message ends something or says how it ended."""
    return is_reply(apdu) or int.from_bytes(apdu[:2], "big") in _DECIDING


class Numbering:
    """The numbers of one conversation. Until both sides agreed, everything is ours."""

    def __init__(self) -> None:
        self.agreed = False
        self.answering: int | None = None  # of the terminal's command that waits for our reply
        self._said = OFFER
        self._heard = OFFER
        self._last_command = b""

    def agree(self, completion: bytes) -> None:
        """The registration ended; it counts if the terminal echoed the tag."""
        number = sequence_of(completion)
        self.agreed = number is not None
        self._said = self._heard = number or OFFER

    def next(self) -> int | None:
        """Return the number of our next command, None while there are none."""
        if not self.agreed:
            return None
        newest = self._heard if is_newer(self._heard, self._said) else self._said
        self._said = following(newest)
        return self._said

    def classify(self, apdu: bytes) -> Standing:
        """Say what a message of the terminal is by its number, and note it."""
        number = sequence_of(apdu)
        if is_reply(apdu):
            return "ours" if not self.agreed or number == self._said else "unexpected"
        self.answering = number
        if not self.agreed:
            return "ours"
        if number is None:
            return "unexpected"
        if is_newer(number, self._heard):
            self._heard = number
            self._last_command = apdu
            return "ours"
        return "repeat" if apdu == self._last_command else "unexpected"

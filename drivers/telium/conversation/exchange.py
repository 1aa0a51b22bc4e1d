"""The register's end of a line to a terminal that a register cannot stop. Pure."""

from __future__ import annotations

from drivers.contract import Progress, Stage
from drivers.script import ItemT, Reaction, StopWanted, Stream

_PRESS_RED = "press the red key on the terminal, the till cannot stop it"


class TillStream(Stream[ItemT]):
    """A stream whose script can stop until `requested`; then only a person at the terminal can."""

    requested = False
    _said = False

    def stop(self) -> Reaction[ItemT] | None:
        """Leave it to the script, or say so to the cashier, once."""
        if not self.requested:
            return StopWanted()
        if not self._said:
            self._said = True
            self.events.append(Progress(Stage.WAITING_FOR_CARD, _PRESS_RED))
        return None

"""Which acknowledgements may leave: in the order of arrival (MQTT 5.0, section 4.6). Pure."""

from __future__ import annotations


class Acknowledgements:
    """The messages of one connection that are not acknowledged yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self._done: dict[int, bool] = {}  # by packet id, in the order of arrival

    def arrived(self, packet_id: int) -> None:
        """Note a message that will want its acknowledgement."""
        self._done[packet_id] = False

    def done(self, packet_id: int) -> list[int]:
        """Note that a message is safe with us; return the ids to acknowledge now, in order.

        One whose earlier ones are not done waits for them. Harmless when repeated.
        """
        if packet_id not in self._done:
            return []
        self._done[packet_id] = True
        leaving = []
        for first, is_done in self._done.items():
            if not is_done:
                break
            leaving.append(first)
        for first in leaving:
            del self._done[first]
        return leaving

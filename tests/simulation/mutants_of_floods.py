"""Bugs on purpose where a register sends more than can be done; see `mutants.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.register import api as k
from bridge.register.commands import replies
from bridge.register.commands.router import Desk
from bridge.register.mqtt.acknowledgements import Acknowledgements
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


def _does_what_it_refused(original: AnyCallable) -> AnyCallable:
    async def refuse(self: Desk, deliveries: Any) -> None:
        await original(self, deliveries)
        for one in deliveries:
            topic = self._topics.parse(one.topic)
            if isinstance(topic, k.RequestTopic):
                await self._answer(one, topic.register_id, topic.operation)

    return refuse


def _in_any_order(original: AnyCallable) -> AnyCallable:
    def done(self: Acknowledgements, packet_id: int) -> list[int]:
        known = packet_id in self._done
        self._done.pop(packet_id, None)
        return [packet_id] if known else []

    return done


def _denies_what_goes_on(original: AnyCallable) -> AnyCallable:
    def body(error: Any, known: Any) -> Any:
        return original(error, () if error.code == "too_many_requests" else known)

    return body


FLOOD_MUTANTS: dict[str, tuple[Plant, ...]] = {
    "a start that was refused in a flood is journaled": (
        Plant(Desk, "_refuse_excess", _does_what_it_refused),
    ),
    "acknowledgements leave in any order": (Plant(Acknowledgements, "done", _in_any_order),),
    "a refusal in a flood denies what goes on": (
        Plant(replies, "_error_body", _denies_what_goes_on),
    ),
}

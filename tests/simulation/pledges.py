"""What registers may rely on once the broker got its PUBACK, or once they were refused.

A command that is acknowledged is on the disk, or its refusal reaches the broker: one that only
waits in the bridge's memory proves nothing. Who was refused with `money_moved: no` is never
charged, unless a newer command asked again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.story import Story


@dataclass(frozen=True, slots=True)
class Pledge:
    """An acknowledged command that the disk does not know: a refusal must follow."""

    command_id: str  # the payment or plan that it asked for
    deliveries: int  # of commands about it, this one included
    life: int


@dataclass(slots=True)
class Pledges:
    """Who remembers what was acknowledged and refused."""

    story: Story
    deliveries: Counter[str] = field(default_factory=Counter)  # per payment or plan
    acknowledged: set[str] = field(default_factory=set)  # first payments that were on the disk
    _open: dict[str, Pledge] = field(default_factory=dict)  # by request id
    _published: set[str] = field(default_factory=set)  # request ids of refusals that went out
    _denied: dict[str, int] = field(default_factory=dict)  # command -> deliveries when refused

    def delivered(self, command_id: str) -> None:
        """The bridge is handed a command that asks for a payment or a plan."""
        self.deliveries[command_id] += 1

    def stored(self, command_id: str) -> None:
        """What a command asked for is on the disk now."""
        for request_id, pledge in list(self._open.items()):
            if pledge.command_id != command_id:
                continue
            del self._open[request_id]
            if pledge.deliveries == self.deliveries[command_id]:
                self.story.accuse("S6", f"{command_id[-4:]} is stored after its acknowledgement")

    def acknowledges(self, command_id: str, request_id: str, life: int, *, on_disk: bool) -> None:
        """The PUBACK of a command leaves the process."""
        if on_disk:
            self.acknowledged.add(command_id)
        elif request_id not in self._published:
            deliveries = self.deliveries[command_id]
            self._open[request_id] = Pledge(command_id, deliveries, life)

    def refused(self, command_id: str, request_id: str, error: Mapping[str, Any]) -> None:
        """A refusal is at the broker."""
        self._published.add(request_id)
        if error["code"] == "too_many_requests":
            self.story.mark("start refused in a flood")
        pledge = self._open.pop(request_id, None)
        if pledge is not None and error["code"] == "journal_unavailable":
            self.story.accuse("S6", f"{command_id[-4:]} is acknowledged, but was not stored")
        if error["money_moved"] == "no" and pledge is not None:
            self._denied[command_id] = pledge.deliveries

    def awaits_refusal(self, life: int) -> bool:
        """Tell whether a life still has to say that it refused a command it acknowledged."""
        return any(one.life == life for one in self._open.values())

    def moved(self, command_id: str, what: str) -> None:
        """Money moves for a command."""
        denied = self._denied.get(command_id)
        if denied is not None and denied == self.deliveries[command_id]:
            self.story.accuse("S3", f"{what}, which was refused with `money_moved: no`")

    def died(self, unsent: Iterable[bytes], life: int) -> None:
        """A life ended by itself; `unsent` is what it still had to say: it proves guilt only.

        Who is about to hear that the journal failed was acknowledged although it did. But one
        message may come several times: where another refusal of it waits beside that one, it was
        that one which was acknowledged.
        """
        refused: dict[str, set[str]] = {}
        for payload in unsent:
            said = json.loads(payload)
            code = (said.get("error") or {}).get("code")
            if code:
                refused.setdefault(said.get("request_id") or "", set()).add(code)
        for request_id, codes in refused.items():
            pledge = self._open.get(request_id)
            if pledge is None or pledge.life != life:
                continue
            if codes == {"journal_unavailable"}:
                name = pledge.command_id[-4:]
                self.story.accuse("S6", f"{name} is acknowledged on a disk that failed")

    def judge_the_end(self, life: int) -> None:
        """Look for commands that were acknowledged and then forgotten by a living bridge."""
        for pledge in self._open.values():
            if pledge.life == life:
                name = pledge.command_id[-4:]
                self.story.accuse("S6", f"{name} is acknowledged, neither stored nor refused")
            else:
                self.story.mark("a refusal died with its process")

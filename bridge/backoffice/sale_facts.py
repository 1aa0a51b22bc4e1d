"""What is known of the items and the member of a sale, before money moves. No payment waits for it.

SKUs are compared with the copy, members with what was asked lately. Where the copy is missing, too
old or slow, nothing is said: a sale is never held up by what nobody knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

from bridge.backoffice.item_copy.copy import ItemCopy
from bridge.backoffice.item_copy.sync import ItemSync
from bridge.money.lookup import CANNOT_TELL_SKUS, MemberQuestion, SkuCheck

_LOGGER = logging.getLogger(__name__)

MEMBERS_MAX = 500  # that are remembered; a store greets fewer in an hour
MEMBER_SECONDS = 3_600.0
"""How long an answer about a member is believed."""

NAMED_MAX = 5  # unknown SKUs and members in health, the newest
NAMED_SECONDS = 24 * 3_600.0
SKUS_CHECKED_MAX = 500  # lines of one sale

_MEMBER = "member "

Check = Literal["off", "advisory", "strict"]


class Members(Protocol):
    """Who asks the back office about members; `OfficeInquiries` is one."""

    def look_up_member(self, question: MemberQuestion) -> bool:
        """Have a member looked up, if there is room; what came of it goes to `note_member`."""


class SaleFacts:
    """Checks a sale's SKUs and member; remembers what was not there."""

    def __init__(
        self,
        copy: ItemCopy | None,
        sync: ItemSync | None,
        check: Check,
        clock: Callable[[], float],
    ) -> None:
        """Compare with `copy`, which `sync` keeps; `clock` counts seconds and is never set back."""
        self._copy = copy
        self._sync = sync
        self._check = check
        self._clock = clock
        self._members: dict[str, tuple[bool, float]] = {}
        self._unknown: dict[str, float] = {}
        self.members: Members | None = None

    async def check_skus(self, skus: Sequence[str]) -> SkuCheck:
        """Return which of the SKUs the back office does not have, as far as that is known."""
        copy, sync = self._copy, self._sync
        if self._check == "off" or copy is None or sync is None or not skus:
            return CANNOT_TELL_SKUS
        if sync.is_stale("item"):
            return CANNOT_TELL_SKUS
        as_of = datetime.fromisoformat(copy.of("item").as_of)
        unknown = await copy.unknown(skus[:SKUS_CHECKED_MAX])
        if unknown is None:
            return CANNOT_TELL_SKUS
        for sku in unknown:
            self._note(f"item {sku}")
        if unknown:
            sync.wake()  # it may be new
        return SkuCheck(unknown, refuses=self._check == "strict" and bool(unknown), as_of=as_of)

    def check_member(self, member_id: str) -> bool | None:
        """Say whether the back office has this member; None while it is not known, and is asked."""
        known = self._members.get(member_id)
        if known is not None and self._clock() - known[1] < MEMBER_SECONDS:
            if not known[0]:
                self._note(f"{_MEMBER}{member_id}")
            return known[0]
        if self.members is not None:
            self.members.look_up_member(MemberQuestion(member_id=member_id))
        return None

    def note_member(self, member_id: str, *, is_there: bool, was_sold: bool) -> None:
        """Remember what was found; `was_sold`: a sale has named this member already."""
        self._members.pop(member_id, None)
        while len(self._members) >= MEMBERS_MAX:
            del self._members[next(iter(self._members))]
        self._members[member_id] = (is_there, self._clock())
        if was_sold and not is_there:
            self._note(f"{_MEMBER}{member_id}")

    def warnings(self) -> Sequence[str]:
        """Return what sales of the last day named that the back office does not show."""
        since = self._clock() - NAMED_SECONDS
        recent = [what for what, at in self._unknown.items() if at >= since]
        # Health is read by every register: it names no member; the log does.
        members = sum(what.startswith(_MEMBER) for what in recent)
        named = [what for what in recent if not what.startswith(_MEMBER)]
        named += [f"{members} member{'s' if members > 1 else ''}"] if members else []
        if not named:
            return ()
        return [
            f"sales named what the back office does not show: {', '.join(named)}; their purchases "
            "may be rejected"
        ]

    def _note(self, what: str) -> None:
        if what not in self._unknown:
            _LOGGER.warning("a sale names what the back office does not show: %s", what)
        self._unknown.pop(what, None)
        while len(self._unknown) >= NAMED_MAX:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[what] = self._clock()


def loop_clock() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()

"""The changes of gift cards' codes: stores what happens to them, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge.money.gift_card_code import (
    SUBJECT,
    SUPERSEDED,
    CodeChange,
    CodeChanged,
    CodeChanging,
    CodeEvent,
    CodeKept,
    advance_codes,
    without_codes,
)
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry


class CodeChanges:
    """What registers wished of gift cards' codes, and what became of it."""

    def __init__(self, journal: Journal, now: Callable[[], str]) -> None:
        """Keep them in `journal`; `now` gives ISO 8601 UTC with `Z`."""
        self._journal = journal
        self._now = now
        self._changes: dict[str, CodeChange] = {}  # by name

    async def recover(self) -> None:
        """Read all of them.

        Raises:
            JournalError: The journal cannot be read.
        """
        for entry in await self._journal.entries_of(SUBJECT):
            assert isinstance(entry.event, CodeEvent), "the subject has no other events"
            self._changes = advance_codes(self._changes, entry.event, entry.seq, entry.at)

    def get(self, name: str) -> CodeChange | None:
        """Return the change of this name."""
        return self._changes.get(name)

    def open(self) -> list[CodeChange]:
        """Return those of which nobody knows what became, oldest first."""
        return sorted((o for o in self._changes.values() if o.is_open), key=lambda one: one.seq)

    def warnings(self) -> list[str]:
        """Return what a person must know: a lost card may still be good."""
        return [
            f"the gift card {one.wish.masked} may still be usable: no answer came to the change of "
            f"its code; send that command again (operation_id {one.wish.name})"
            for one in self.open()
        ]

    async def begin(self, wish: CodeChanging) -> None:
        """Note that the back office is about to be asked; on disk when this returns.

        Raises:
            JournalError: It could not be stored: the back office must not be asked.
        """
        assert wish.name not in self._changes, "a name is used once"
        at = self._now()
        seq = await self._journal.append(Change((Entry(SUBJECT, wish, at),)))
        self._changes = advance_codes(self._changes, wish, seq, at)

    async def end(self, event: CodeChanged | CodeKept) -> None:
        """Note what became of a change, and forget its codes, in one commit.

        Earlier changes of the same card that are still open are over with one that was done.

        Raises:
            JournalError: It could not be stored.
        """
        ended = self._changes[event.name]
        events: list[CodeChanged | CodeKept] = [event]
        if isinstance(event, CodeChanged):
            text = "a later command changed the code of this gift card"
            events += [
                CodeKept(one.wish.name, SUPERSEDED, text)
                for one in self.open()
                if one.wish.account == ended.wish.account and one.seq < ended.seq
            ]
        at = self._now()
        entries = tuple(Entry(SUBJECT, one, at) for one in events)
        over = [self._changes[one.name] for one in events]
        bare = tuple(Entry(SUBJECT, without_codes(o.wish), o.at, o.seq) for o in over)
        last = await self._journal.append(Change(entries, rewrites=bare))
        for seq, one in enumerate(events, last - len(events) + 1):
            self._changes = advance_codes(self._changes, one, seq, at)
        for name in [one.wish.name for one in over]:
            kept = self._changes[name]
            self._changes[name] = replace(kept, wish=without_codes(kept.wish))

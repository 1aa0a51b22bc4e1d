"""Whether the journal is the one that this bridge wrote last, and who answered for it.

A copy that was put back has forgotten payments: their ids would be charged again, and bookings
that were made would be made again. Two things outside the journal remember better:

* `JournalMark`, a file beside it with the number of the last entry. It is written after each
  commit and may lag; it never leads, so a journal that ends before it lost something.
* The documents that the broker retains. One of ours that the journal does not know was published
  from a journal that is no longer there.

Either is noted in the journal first (`JournalDoubted`), so that it outlives every restart and every
later entry, and nothing begins until a person has answered for it (`JournalConfirmed`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from bridge.errors import JournalError
from bridge.money.payment.request import leg_id
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry
from bridge.money.store.provenance import (
    SUBJECT,
    AuthorityTaken,
    JournalConfirmed,
    JournalDoubted,
    ProvenanceEvent,
)
from bridge.private_files import open_file

_LOGGER = logging.getLogger(__name__)

MARK_NAME: Final = "journal.seq"
MARK_BYTES: Final = 21  # twenty digits, as SQLite's greatest number needs, and a line end
COMPARED_TOGETHER = 200  # documents that are looked up in one visit to the journal
LOST_PAYMENTS_MAX: Final = 10_000  # more than all registers together may have published
NAMED_MAX: Final = 5  # payments in one line of the log; the journal names all


class JournalMark:
    """The number of the journal's last entry, in a file of its own. Lags at most, never leads."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if need be.

        Raises:
            JournalError: It cannot be written.
        """
        self._complained = False
        try:
            self._descriptor = open_file(path, os.O_RDWR)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from error

    def read(self) -> int | None:
        """Return the number, or None where there is none: a new file, or one cut by a power loss.

        Raises:
            JournalError: It cannot be read.
        """
        try:
            text = os.pread(self._descriptor, MARK_BYTES, 0)
        except OSError as error:
            raise JournalError(f"{MARK_NAME} cannot be read: {error.strerror}") from error
        whole = len(text) == MARK_BYTES and text.endswith(b"\n") and text[:-1].isdigit()
        return int(text) if whole else None

    def write(self, seq: int) -> None:
        """Remember `seq`, which is on disk in the journal. Not synced: to lag is allowed.

        What was written here outlives the process; a power cut may lose the last half minute.
        """
        try:
            os.pwrite(self._descriptor, b"%020d\n" % seq, 0)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _LOGGER.warning("%s cannot be written: %s", MARK_NAME, error.strerror)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


class Custody:
    """What is known of the journal's own past. `doubt` is None where nothing stands against it."""

    def __init__(self, journal: Journal, now: Callable[[], str]) -> None:
        """Read and note in `journal`; `now` gives ISO 8601 UTC with `Z`."""
        self._journal = journal
        self._now = now
        self.doubt: JournalDoubted | None = None
        self.lost: frozenset[str] = frozenset()  # payments that the broker knew and we do not

    async def recover(self, remembered: int | None) -> None:
        """Compare the journal with what was `remembered` outside of it, before anything else.

        Raises:
            JournalError: It cannot be read, or the doubt cannot be stored: nothing may begin.
        """
        for entry in await self._journal.entries_of(SUBJECT):
            match entry.event:
                case JournalDoubted() as doubted:
                    self._doubted(doubted)
                case JournalConfirmed():
                    self.doubt = None
        last = self._journal.last_seq()
        if remembered is not None and last < remembered:
            text = (
                f"the journal ends at entry {last}, but this bridge wrote up to {remembered}: "
                "it was put back from a copy, or lost"
            )
            await self._doubt(JournalDoubted("older", text))

    async def compare(self, shown: Iterable[str]) -> bool:
        """Compare with the payments whose documents the broker retains; True: a new doubt.

        Raises:
            JournalError: The journal cannot be read, or the doubt cannot be stored.
        """
        unknown = []
        wanted = [name for name in dict.fromkeys(shown) if name not in self.lost]
        for start in range(0, len(wanted), COMPARED_TOGETHER):
            some = wanted[start : start + COMPARED_TOGETHER]
            names = [*some, *(leg_id(one, 1) for one in some)]  # a plan is known by its first leg
            where = f"payment_id in ({','.join('?' for _ in names)})"
            known = {row.payment_id for row in await self._journal.payment_rows(where, names)}
            unknown += [one for one in some if not known & {one, leg_id(one, 1)}]
        if not unknown:
            return False
        text = (
            f"the broker retains documents of {len(unknown)} payments that the journal does not "
            "know: it was put back from a copy, lost, or this PC replaced another one"
        )
        await self._doubt(
            JournalDoubted("unknown_documents", text, tuple(unknown[:LOST_PAYMENTS_MAX]))
        )
        return True

    async def confirm(self, by: str) -> None:
        """Note that `by` looked at what was forgotten, and answers for going on.

        Raises:
            JournalError: It could not be stored; the doubt stands.
        """
        assert self.doubt is not None, "there is something to confirm"
        await self._note(JournalConfirmed(by))
        self.doubt = None
        _LOGGER.warning("journal confirmed by=%s", by)

    async def note_authority(self, by: str, instance_id: str, bridge_id: str) -> None:
        """Note that `by` had this bridge take over from another one.

        Raises:
            JournalError: It could not be stored; nothing may be taken over.
        """
        await self._note(AuthorityTaken(by, instance_id, bridge_id))

    async def _doubt(self, doubted: JournalDoubted) -> None:
        await self._note(doubted)
        self._doubted(doubted)
        named = ", ".join(doubted.payments[:NAMED_MAX])
        _LOGGER.error(
            "nothing begins until a person has looked: %s%s; "
            "`paybridge take-over --by NAME` goes on",
            doubted.text,
            f" ({named}{', …' if len(doubted.payments) > NAMED_MAX else ''})" if named else "",
        )

    def _doubted(self, doubted: JournalDoubted) -> None:
        if self.doubt is None:
            self.doubt = doubted
        elif doubted.text not in self.doubt.text:
            self.doubt = replace(self.doubt, text=f"{self.doubt.text}; {doubted.text}")
        self.lost |= set(doubted.payments)

    async def _note(self, event: ProvenanceEvent) -> None:
        await self._journal.append(Change((Entry(SUBJECT, event, self._now()),)))

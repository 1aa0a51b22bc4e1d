"""What can happen to the journal itself, and to the right to serve. Facts only. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SUBJECT: Final = "bridge"  # what the bridge itself did; no payment and no terminal is called so


@dataclass(frozen=True, slots=True)
class JournalDoubted:
    """The journal has forgotten something. `payments` are ids that the broker still shows."""

    reason: Literal["older", "unknown_documents"]
    text: str
    payments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalConfirmed:
    """A person looked at what was forgotten, and answers for going on."""

    by: str


@dataclass(frozen=True, slots=True)
class AuthorityTaken:
    """A person had this bridge take its base topic over from another one."""

    by: str
    instance_id: str
    bridge_id: str


@dataclass(frozen=True, slots=True)
class PersonActed:
    """A person at the console asked for something; on disk before it is done.

    What came of it stands where it always stands; this is who wanted it, and why.
    """

    by: str  # name and role
    did: str  # e.g. "resolve_payment", "close_day"
    note: str = ""  # why, in the person's words


ProvenanceEvent = JournalDoubted | JournalConfirmed | AuthorityTaken | PersonActed


def acts_on(target: str) -> str:
    """Return the journal's subject for what persons did about a payment or a terminal."""
    return f"acts/{target}"

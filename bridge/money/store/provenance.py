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


ProvenanceEvent = JournalDoubted | JournalConfirmed | AuthorityTaken

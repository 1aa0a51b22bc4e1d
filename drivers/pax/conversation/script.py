"""What a script and the dialogue say to each other. Pure.

A script is a generator that reads from top to bottom like the conversation it holds. It yields
what it wants (`Ask` the terminal, `Tell` the bridge), gets what came of it, and returns the final
event. Bytes, timers, acknowledgements and repeats are the dialogue's business.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from drivers.contract import FinalEvent, Offered
from drivers.pax.codec.messages import Answer, Request


@dataclass(frozen=True, slots=True)
class Ask:
    """Send `request` and wait so long for the answer to it; `once` forbids to repeat it.

    What moves money is sent once, and what asks a shopper for something.

    An answer that echoes another ECR reference than `reference` is not the answer to this.
    """

    request: Request
    wait_seconds: float
    once: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Tell:
    """Have `event` stored before going on."""

    event: Offered


@dataclass(frozen=True, slots=True)
class Heard:
    """The terminal's answer; it is acknowledged when the script goes on, or its end is stored."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class NotHeard:
    """There was no answer. `reason` is a reason of `Unclear`.

    `acknowledged` says that the terminal had taken the request; without it, a request may still
    have been taken, and the ACK lost.
    """

    reason: str
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """Whether what was told is on disk."""

    done: bool


@dataclass(slots=True)
class Wishes:
    """What the bridge asked for meanwhile."""

    stop: bool = False


Reaction = Heard | NotHeard | Stored
Script = Generator[Ask | Tell, Reaction, FinalEvent]

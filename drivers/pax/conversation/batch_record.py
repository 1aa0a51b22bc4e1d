"""Reading one record of the open batch (R02), and what stands behind its answers. Pure.

Source: fact sheet "PAX POSLINK", sections 6 to 8.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from drivers.pax.codec import codes
from drivers.pax.codec.messages import AskDetail, Record
from drivers.pax.conversation.exchange import Ask, Reaction
from drivers.pax.settings import PaxSettings
from drivers.script import Heard, NotHeard

FIRST_RECORD = "0"  # of the open batch


@dataclass(frozen=True, slots=True)
class Absent:
    """The terminal reported that it has no such record."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """There was no report. `reason` is a reason of `Unclear`."""

    reason: str
    acknowledged: bool = False
    text: str = ""


Report = Record | Absent | Trouble


def ask_report(question: AskDetail, settings: PaxSettings) -> Generator[Ask, Reaction, Report]:
    """Ask for one record; a record other than the one asked for is trouble, not an answer."""
    reaction = yield Ask(question, settings.report_seconds)
    match reaction:
        case Heard(Record(code=codes.OK) as record):
            if question.reference in ("", record.trace.reference):
                return record
            return Trouble("other_transaction", text="the report is about another transaction")
        case Heard(answer) if says_absent(answer.code, answer.text):
            return Absent()
        case Heard(answer):
            # The terminal is not asked to stop for ever: an application without reports says so.
            return Trouble("report_refused", text=f"{answer.code} {answer.text}".strip())
        case NotHeard(reason, acknowledged):
            gone = reason == "link_lost"
            return Trouble(reason, acknowledged and not gone)
        case _:
            return Trouble("unreadable")


def says_absent(code: str, text: str) -> bool:
    """Whether a refused report means that there is no such record, and nothing else."""
    words = text.upper()
    if code == codes.NOT_FOUND:
        return "NOT FOUND" in words
    return code == codes.FORMAT and "NO TRANS" in words

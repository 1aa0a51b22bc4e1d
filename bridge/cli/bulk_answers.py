"""Many bookings answered at once: what is meant, what is shown first, what became of each."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from rich.table import Table

LIST_BYTES_MAX = 1 << 20
ALL = "all"
LISTED = "as-listed"


class WrongUse(BridgeError):
    """The words of a command line do not fit together."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One answer as a person wrote it: "" as `record_id` is *send it again*."""

    name: str
    record_id: str = ""


def read_list(path: Path) -> list[Wish]:
    """Return the answers of a file: lines of PAYMENT,booked,RECORD-ID or PAYMENT,send-again.

    A payment is named by its id or by its Trans #. Empty lines and what follows a # are skipped.

    Raises:
        WrongUse: It cannot be read, or a line says something else; the line is named.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LIST_BYTES_MAX + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise WrongUse(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path} is no UTF-8 text") from error
    if len(data) > LIST_BYTES_MAX:
        raise WrongUse(f"{path} is longer than any list of answers")
    wishes = []
    for number, line in enumerate(csv.reader(io.StringIO(text)), start=1):
        fields = [field.strip() for field in line]
        if not any(fields) or fields[0].startswith("#"):
            continue
        match fields:
            case [name, "booked", record_id] if name and record_id:
                wishes.append(Wish(name, record_id))
            case [name, "send-again"] | [name, "send-again", ""] if name:
                wishes.append(Wish(name))
            case _:
                raise WrongUse(
                    f"{path}, line {number}: write PAYMENT,booked,RECORD-ID or PAYMENT,send-again"
                )
    if not wishes:
        raise WrongUse(f"{path} holds no answers")
    return wishes


def refuse_too_many(wishes: Sequence[Wish], most: int) -> None:
    """Refuse what is more than `most`, or names one booking twice.

    Raises:
        WrongUse: One of the two.
    """
    if len(wishes) > most:
        raise WrongUse(f"at most {most} are answered at once; these are {len(wishes)}")
    names = [wish.name for wish in wishes]
    for name in names:
        if names.count(name) > 1:
            raise WrongUse(f"{name} is answered twice")


def answers_for(
    purchases: Sequence[dict[str, Any]], wishes: Sequence[Wish]
) -> list[dict[str, Any]]:
    """Return the order's answers for what was shown; without wishes, all of it is sent again."""
    said = {wish.name: wish for wish in wishes}
    answers = []
    for one in purchases:
        names = (one["transaction_id"], *one["payment_ids"])
        found = [said[name] for name in names if name in said]
        if len(found) > 1:
            raise WrongUse(f"{one['transaction_id']} is answered twice")
        record_id = found[0].record_id if found else ""
        answers.append(
            {
                "name": one["transaction_id"],
                "record_id": record_id,
                "send_again": not record_id,
                "seen_rev": one["seen_rev"],
            }
        )
    return answers


def waiting_table(found: dict[str, Any], answers: Sequence[dict[str, Any]]) -> Table:
    """Return what is about to be answered, as a table for a terminal."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("Trans #", "booked on", "store", "amount", "state", "answer", "why it waits"):
        table.add_column(title, overflow="fold", justify="right" if title == "amount" else "left")
    for one, answer in zip(found["purchases"], answers, strict=True):
        table.add_row(
            one["transaction_id"],
            one["purchased_on"].replace("T", " "),
            one["store_code"],
            f"{one['amount']} {one['currency']}",
            one["state"],
            f"booked as {answer['record_id']}" if answer["record_id"] else "send again",
            one["error"],
        )
    return table


def summary(found: dict[str, Any]) -> str:
    """Return how many there are and what they are worth, in a sentence."""
    count = len(found["purchases"])
    sums = " and ".join(f"{amount} {currency}" for currency, amount in found["sums"].items())
    more = f"; {found['left_out']} more are left for the next time" if found["left_out"] else ""
    return f"{count} booking{'' if count == 1 else 's'} over {sums}{more}"


def is_agreed(found: dict[str, Any], answers: Sequence[dict[str, Any]]) -> bool:
    """Ask the person at this terminal whether to go on; anything but the count is a no.

    Raises:
        WrongUse: Nobody is there to be asked.
    """
    if not sys.stdin.isatty():
        raise WrongUse("nobody is here to agree: look with --dry-run, then say --yes")
    again = sum(answer["send_again"] for answer in answers)
    if again:
        print(f"{again} will be sent again: what is in the books already will be there twice.")
    print(f"Type the number of bookings ({len(found['purchases'])}) to answer them: ", end="")
    sys.stdout.flush()
    return sys.stdin.readline().strip() == str(len(found["purchases"]))

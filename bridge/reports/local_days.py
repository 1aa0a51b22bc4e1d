"""Days as the store's people count them, and the same as moments in UTC. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

ToLocal = Callable[[datetime], datetime]


def read_day(text: str, today: date) -> date:
    """Return the day that a person wrote: 2026-11-30, 30.11.2026, today, yesterday.

    Raises:
        ValueError: It is none; the text says how to write it.
    """
    word = text.strip().lower()
    if word in {"", "today"}:
        return today
    if word == "yesterday":
        return today - timedelta(days=1)
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(word, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise ValueError(f"write the day like {today:%Y-%m-%d}, today or yesterday, not {text!r}")


def bounds_of(day: date, to_local: ToLocal) -> tuple[str, str]:
    """Return a day's first moment and that of the next, as the journal writes them (UTC).

    On days with a change of the clock it has 23 or 25 hours.
    """
    return _moment(day, to_local), _moment(day + timedelta(days=1), to_local)


def _moment(day: date, to_local: ToLocal) -> str:
    """Return local midnight in UTC; where the clock skips midnight, what comes in its place."""
    guess = datetime.combine(day, time(), UTC)
    for _ in range(3):  # an offset differs by hours at most; the second look is right
        shown = to_local(guess)
        offset = shown.replace(tzinfo=UTC) - guess
        better = datetime.combine(day, time(), UTC) - offset
        if better == guess:
            break
        guess = better
    return guess.strftime("%Y-%m-%dT%H:%M:%S")


def local_text(at: str, to_local: ToLocal, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a moment of the journal (ISO 8601 UTC) as the store's clock showed it."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    return to_local(moment).strftime(form)

"""`paybridge status`: what the running service says of itself, what needs a person, what to type.

The service is asked over its socket. What is open is read from the journal, so that it is shown
also while the service does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from bridge.cli.payment_table import card_of, money_of
from bridge.cli.screen_text import shown
from bridge.config import CONTROL_NAME
from bridge.control import ask
from bridge.errors import JournalError
from bridge.money.store.database import Ownership
from bridge.reports.local_days import local_text
from bridge.reports.payment_lines import PaymentLine, Selection, find_lines
from bridge.reports.reader import reading
from bridge.settings import JOURNAL_NAME

if TYPE_CHECKING:
    from rich.console import RenderableType

NEEDS_SHOWN_MAX: Final = 8  # one screen; the rest is in `paybridge payments --open`
Running = Literal["yes", "no", "silent"]
ToLocal = Callable[[datetime], datetime]

# What a reason of health begins with or has in it, and what to type about it.
_STEPS: Final = (
    ("wants a login", "paybridge login"),
    ("no terminal can take", "paybridge check"),
    ("broker is away", "systemctl status mosquitto; paybridge check"),
    ("MB are free", "df -h; make room"),
    ("disk is slow", "paybridge check"),
    ("journal's log", "fuser -v /var/lib/paybridge/journal.sqlite"),
    ("journal cannot be written", "journalctl -u paybridge -p err; then make room and restart"),
    ("off the journal's", "paybridge day; then paybridge note TERMINAL --by NAME"),
    ("wanted to serve this base topic", "stop the other bridge, or give it another base_topic"),
)


@dataclass(frozen=True, slots=True)
class Status:
    """Everything on the screen.

    Attributes:
        running: `silent`: somebody has the journal and does not answer.
        answer: What the service said; {} where it said nothing.
        why_silent: Why not.
        waiting: Payments that need a person, the newest first.
        others_open: How many more are open and end by themselves.
        unread: Why the journal could not be read, "" when it could.
    """

    running: Running
    answer: Mapping[str, Any] = field(default_factory=dict)
    why_silent: str = ""
    waiting: tuple[PaymentLine, ...] = ()
    others_open: int = 0
    unread: str = ""

    @property
    def health(self) -> Mapping[str, Any]:
        """What the service says of its health; {} where it said nothing."""
        found: Mapping[str, Any] = self.answer.get("health", {})
        return found

    @property
    def takes_payments(self) -> bool:
        """Whether a payment could be started now."""
        return self.running == "yes" and bool(self.health.get("can_take_payments"))

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        return {
            "running": self.running,
            "can_take_payments": self.takes_payments,
            "why_silent": self.why_silent,
            **{name: self.answer[name] for name in ("version", "since") if name in self.answer},
            "health": dict(self.health),
            "terminals": dict(self.answer.get("terminals", {})),
            "waiting": [
                {**line.as_json(), "command": line.needs[0].command} for line in self.waiting
            ],
            "others_open": self.others_open,
            "journal_unread": self.unread,
            "next": list(next_steps(self)),
        }


async def look(state: Path) -> Status:
    """Return how things are."""
    opened = _open_payments(state / JOURNAL_NAME)
    try:
        answer = await ask(state / CONTROL_NAME, {"do": "status"})
    except (OSError, ValueError, TimeoutError) as error:
        if not _is_owned(state / JOURNAL_NAME):
            return replace(opened, running="no")
        return replace(opened, running="silent", why_silent=str(error) or "no answer in time")
    if not answer.get("ok"):
        return replace(opened, running="silent", why_silent=str(answer.get("message")))
    return replace(opened, running="yes", answer=answer)


def _open_payments(path: Path) -> Status:
    """Return what the journal says, whether or not a service runs."""
    try:
        with reading(path) as reader:
            lines = find_lines(reader, Selection(only_open=True))
    except JournalError as error:
        return Status("no", unread=str(error))
    waiting = tuple(line for line in lines if line.needs_person)
    others = sum(bool(line.needs) and not line.needs_person for line in lines)
    return Status("no", waiting=waiting, others_open=others)


def _is_owned(path: Path) -> bool:
    """Say whether a service has the journal; where that cannot be tried, it may."""
    try:
        if not path.with_suffix(".lock").exists():
            return False
    except OSError:  # the folder is the service's own, and we are somebody else
        return True
    try:
        Ownership(path).release()
    except JournalError:
        return True
    return False


def next_steps(status: Status) -> Iterator[str]:
    """Yield what to type, the most urgent first."""
    if status.running == "no":
        yield "systemctl start paybridge   (why it ended: journalctl -u paybridge -n 50)"
    if status.running == "silent":
        yield "as root or the service's user: paybridge status; then systemctl restart paybridge"
    reasons = status.health.get("reasons", ())
    if any("take-over" in reason or "stands by" in reason for reason in reasons):
        yield "paybridge take-over --by NAME   (read docs/install.md first)"
    for words, command in _STEPS:
        if any(words in reason for reason in reasons):
            yield command
    for line in status.waiting[:NEEDS_SHOWN_MAX]:
        yield f"paybridge show {line.payment_id[-8:]}"


def screen(status: Status, to_local: ToLocal) -> RenderableType:
    """Return the screen."""
    from rich.console import Group
    from rich.table import Table

    parts: list[RenderableType] = [_headline(status, to_local)]
    reasons = Table(box=None, show_header=False, pad_edge=False)
    for reason in status.health.get("reasons", ()):
        reasons.add_row("  •", shown(reason))
    parts += [reasons] if status.health.get("reasons") else []
    if status.running == "yes":
        parts += ["", _terminals(status.answer["terminals"], to_local), "", _facts(status.health)]
    if status.unread:
        parts += ["", f"[red]The journal cannot be read:[/] {shown(status.unread)}"]
    if status.waiting:
        parts += ["", "[bold]Needs a person[/]", _waiting(status.waiting, to_local)]
        more = len(status.waiting) - NEEDS_SHOWN_MAX
        parts += [f"and {more} more: paybridge payments --open"] if more > 0 else []
    if status.others_open:
        parts += ["", f"{status.others_open} more are open and end by themselves."]
    steps = list(next_steps(status))
    parts += ["", "[bold]Next[/]", *(f"  {shown(step)}" for step in steps)] if steps else []
    return Group(*parts)


def _headline(status: Status, to_local: ToLocal) -> str:
    match status.running:
        case "no":
            return "[bold red]The service is not running: no payment can be taken.[/]"
        case "silent":
            text = "The service has the journal, and does not answer:"
            return f"[bold red]{text}[/] {shown(status.why_silent)}"
    since = local_text(str(status.answer.get("since", "")), to_local, "%Y-%m-%d %H:%M")
    version = status.answer.get("version", "")
    told = f"[dim]version {version}, running since {since}[/]"
    if status.answer.get("draining"):
        return f"[bold yellow]The service is stopping: nothing new begins.[/]  {told}"
    if status.takes_payments:
        return f"[bold green]Payments can be taken.[/]  {told}"
    return f"[bold red]No payment can be taken.[/]  {told}"


def _terminals(states: Mapping[str, Mapping[str, Any]], to_local: ToLocal) -> RenderableType:
    from rich.table import Table

    table = Table("terminal", "link", "doing", "problem", box=None, pad_edge=False)
    for name, state in states.items():
        problem = ""
        for one in state.get("problems", ()):
            since = local_text(str(one.get("since", "")), to_local, "%H:%M")
            problem = f"{one.get('text')} (since {since})"
        doing = str(state.get("activity"))
        if state.get("register_id"):
            doing = f"{doing}, for {state['register_id']}"
        link = str(state.get("availability"))
        color = "green" if link == "online" and not problem else "red"
        table.add_row(shown(name), f"[{color}]{link}[/]", shown(doing), shown(problem))
    return table


def _facts(health: Mapping[str, Any]) -> RenderableType:
    from rich.table import Table

    recording, payments, journal = health["recording"], health["payments"], health["journal"]
    table = Table(box=None, show_header=False, pad_edge=False)
    waiting = f"{recording['pending']} wait, {recording['unconfirmed']} unconfirmed, "
    mqtt = health["mqtt"]
    rows = {
        "payments": f"{payments['open']} open, {payments['in_doubt']} in doubt",
        "books": f"{waiting}{recording['rejected']} rejected; login {recording['login']}",
        "broker": f"MQTT {mqtt['protocol']}" if mqtt["connected"] else "away",
        "journal": f"{journal['path_free_mb']} MB free" + ("" if journal["ok"] else ", BROKEN"),
    }
    for name, text in rows.items():
        table.add_row(f"[dim]{name}[/]", text)
    return table


def _waiting(lines: Sequence[PaymentLine], to_local: ToLocal) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for line in lines[:NEEDS_SHOWN_MAX]:
        need = line.needs[0]
        words = f"{shown(need.text)}\n[dim]{shown(need.command)}[/]"
        table.add_row(
            local_text(line.created_at, to_local, "%m-%d %H:%M"),
            f"…{line.payment_id[-8:]}",
            shown(money_of(line)),
            shown(card_of(line)),
            words,
        )
    return table

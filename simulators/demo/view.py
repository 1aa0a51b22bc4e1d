"""Paints the screen model: live in a terminal, as plain lines anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bridge.cli.login import code_picture
from simulators.demo.comparison import on_gift_cards
from simulators.demo.screen_model import Document, Invitation, ScreenModel, Step

PAINT_SECONDS = 0.25  # the clock on the screen; everything else is painted when it happens
NARRATION_ROWS = 3
COLUMNS_ROWS = 9  # with their frames, in the 24 lines of the smallest usual terminal
FRAME_ROWS = 2
STEPS_COLUMNS = 30
STEPS_AHEAD = 1  # of the scenes to come, so that the viewer sees that there is more

_SEVERITY_COLORS = {"info": "cyan", "success": "green", "warning": "yellow", "error": "red"}
_STEP_MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▶", "bold cyan"),
    "kept": ("✓", "green"),
    "broken": ("✗", "bold red"),
}
_SOURCE_COLORS = {"till": "cyan", "demo": "magenta", "login": "blue", "bridge": "green"}
# What the shopper reads on the terminal while the payment is at this stage.
_SHOPPER_READS = {
    "waiting_for_card": "Hold your card here",
    "entering_pin": "Enter your PIN",
    "authorizing": "Asking the bank …",
    "finishing": "Payment made",
    "remove_card": "Please take your card",
}
_SHOPPER_READS_AT_THE_END = {
    "approved": "Payment made",
    "declined": "Declined",
    "canceled": "Stopped",
    "failed": "Stopped",
}


class Screen:
    """The live view; `paint` returns it whole, for any size from 80 x 24 upwards."""

    def __init__(self, screen_model: ScreenModel, began_at: float) -> None:
        self._screen_model = screen_model
        self._began_at = began_at

    def paint(self, now: float, rows: int) -> Layout:
        """Return the screen of this moment; `now` is the loop's clock, `rows` the height."""
        screen_model = self._screen_model
        whole = Layout()
        parts = [
            Layout(self._head(now - self._began_at), size=1),
            Layout(self._narration(), size=NARRATION_ROWS),
        ]
        if screen_model.invitation is not None:
            parts.append(Layout(_invitation(screen_model.invitation)))
        else:
            middle, low = Layout(size=COLUMNS_ROWS), Layout()
            middle.split_row(self._till(), self._terminal(), self._back_office())
            room = max(rows - 1 - NARRATION_ROWS - COLUMNS_ROWS - FRAME_ROWS, 1)
            low.split_row(
                Layout(_steps(screen_model.steps, room), size=STEPS_COLUMNS), self._ticker(room)
            )
            parts += [middle, low]
        whole.split_column(*parts)
        return whole

    def _head(self, seconds: float) -> RenderableType:
        screen_model = self._screen_model
        line = Table.grid(expand=True)
        line.add_column()
        line.add_column(justify="right")
        lamps = Text()
        for name, good in (
            ("service", screen_model.service_runs),
            ("cable", screen_model.cable_in),
            ("back office", screen_model.office_open),
        ):
            lamps.append("● " if good else "✗ ", "green" if good else "bold red")
            lamps.append(f"{name}   ")
        lamps.append(f"{int(seconds) // 60}:{int(seconds) % 60:02d}", "bold")
        line.add_row(Text(" paybridge · a day at a till", "bold"), lamps)
        return line

    def _narration(self) -> RenderableType:
        first, second = self._screen_model.narration
        return Group(Text(), Text(f" {first}", "bold"), Text(f" {second}"))

    def _till(self) -> Layout:
        document = self._screen_model.document
        if document is None:
            return _column(
                "Till", [self._bridge_away(), Text("Next customer, please", "dim")], "cyan"
            )
        display = document["display"]
        color = _SEVERITY_COLORS[display["severity"]]
        first, *others = display["lines"]
        lines = [self._bridge_away(), Text(first, f"bold {color}"), *map(Text, others), Text()]
        lines.append(Text("  ".join(f"[{button['label']}]" for button in display["buttons"])))
        return _column("Till", lines, color)

    def _bridge_away(self) -> Text:
        offline = self._screen_model.bridge.get("state") == "offline"
        return Text("bridge offline", "bold red") if offline else Text()

    def _terminal(self) -> Layout:
        screen_model = self._screen_model
        lines = [Text(_shopper_reads(screen_model.document), "bold"), Text()]
        if screen_model.cable_in:
            lines.append(Text("━━━ cable in ━━━", "green"))
        else:
            lines.append(Text("━━╸ cable out ╺━━", "bold red"))
        taken = [one for one in screen_model.charges if one.amount_minor > 0]
        back = len(screen_model.charges) - len(taken)
        words = f"{len(taken)} charge{'' if len(taken) == 1 else 's'}"
        words += f", {back} given back" if back else ""
        total = euros(sum(one.amount_minor for one in screen_model.charges))
        lines += [Text(), Text(words), Text(total)]
        return _column("Card terminal", lines, "cyan" if screen_model.cable_in else "red")

    def _back_office(self) -> Layout:
        screen_model = self._screen_model
        waiting = sum(
            documents[-1]["recording"]["status"] == "pending"
            for documents in screen_model.documents.values()
        )
        lines = [
            Text(f"{booking.record_id:<4}{euros(booking.amount_minor):>9}")
            for booking in screen_model.bookings[-(COLUMNS_ROWS - FRAME_ROWS - 3) :]
        ] or [Text("no purchases yet", "dim")]
        if screen_model.gift_moves:
            lines.append(
                Text(f"on gift cards {euros(on_gift_cards(screen_model.gift_moves))}", "cyan")
            )
        if waiting:
            lines.append(Text(f"{waiting} waits to be recorded", "yellow"))
        if not screen_model.office_open:
            lines.insert(0, Text("away", "bold red"))
        return _column("Back office", lines, "cyan" if screen_model.office_open else "red")

    def _ticker(self, rows: int) -> Layout:
        lines = [_ticker_line(line) for line in list(self._screen_model.ticker)[-rows:]]
        return Layout(Panel(Group(*lines), title="What happens", border_style="dim"))


def _column(title: str, lines: list[Text], color: str) -> Layout:
    for line in lines:
        line.justify = "center"
    shown = Align(Group(*(line for line in lines)), align="center", vertical="middle")
    return Layout(Panel(shown, title=f"[bold]{title}[/]", border_style=color))


def _steps(steps: list[Step], rows: int) -> Panel:
    """Show the scenes around the one that is played; all of them where there is room."""
    played = sum(step.state in {"kept", "broken"} for step in steps)
    first = max(0, min(played - rows + STEPS_AHEAD + 1, len(steps) - rows))
    lines = []
    for step in steps[first : first + rows]:
        mark, style = _STEP_MARKS[step.state]
        lines.append(Text(f"{mark} {step.title}", style, no_wrap=True))
    title = f"The day, {min(played + 1, len(steps))} of {len(steps)}" if steps else "The day"
    return Panel(Group(*lines), title=title, border_style="dim")


def _invitation(invitation: Invitation) -> RenderableType:
    words = Group(
        Text("Scan the screen, or open"),
        Text(invitation.address, "bold"),
        Text(),
        Text("and type"),
        Text(f" {invitation.user_code} ", "bold reverse"),
        Text(),
        Text("(the demo agrees for you)", "dim"),
    )
    grid = Table.grid(padding=(0, 3))
    grid.add_row(code_picture(invitation.complete_address), Align(words, vertical="middle"))
    return Align(grid, align="center", vertical="top")


def euros(amount_minor: int) -> str:
    """Return an amount for people, e.g. `47.90 €`."""
    return f"{amount_minor / 100:.2f} €"


def _shopper_reads(document: Document | None) -> str:
    if document is None or document["method"] == "gift_card":
        return "Welcome"  # a gift card is asked in the back office; the terminal is idle
    if document["status"] == "in_doubt":
        return "Please wait …"
    if (document["type"], document["status"]) == ("refund", "approved"):
        return "Money returned"
    ended = _SHOPPER_READS_AT_THE_END.get(document["status"])
    return ended or _SHOPPER_READS.get(document["stage"] or "", "Please wait")


def _ticker_line(line: str) -> Text:
    source, _, rest = line.partition(": ")
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{source:<8}", _SOURCE_COLORS.get(source, "dim"))
    bad = rest.startswith(("WARNING", "ERROR", "BROKEN"))
    text.append(rest, "yellow" if bad else "")
    return text


@asynccontextmanager
async def live(screen_model: ScreenModel, console: Console) -> AsyncIterator[None]:
    """Show the screen model on the whole screen within the block."""
    loop = asyncio.get_running_loop()
    screen = Screen(screen_model, loop.time())
    with Live(console=console, screen=True, auto_refresh=False) as shown:

        def paint() -> None:
            shown.update(screen.paint(loop.time(), console.size.height), refresh=True)

        async def tick() -> None:
            while True:
                paint()
                await asyncio.sleep(PAINT_SECONDS)

        async with asyncio.TaskGroup() as group:
            clock = group.create_task(tick())
            screen_model.listeners.append(paint)
            try:
                yield
            finally:
                screen_model.listeners.remove(paint)
                clock.cancel()


@asynccontextmanager
async def lines(screen_model: ScreenModel, console: Console) -> AsyncIterator[None]:
    """Write a line for each new fact within the block."""
    loop = asyncio.get_running_loop()
    writer = _Lines(screen_model, console, loop)
    screen_model.listeners.append(writer.write)
    screen_model.hearers.append(writer.say)
    try:
        yield
    finally:
        screen_model.listeners.remove(writer.write)
        screen_model.hearers.remove(writer.say)


class _Lines:
    def __init__(
        self, screen_model: ScreenModel, console: Console, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._screen_model = screen_model
        self._console = console
        self._loop = loop
        self._began_at = loop.time()
        self._shown: dict[str, object] = {}

    def write(self) -> None:
        """Write what is new since the last call."""
        screen_model = self._screen_model
        first, second = screen_model.narration
        self._news("scene", screen_model.narration, f"── {first}: {second}")
        if screen_model.document is not None:
            words = screen_model.document["display"]["lines"]
            self._news("cashier", words, "cashier reads: " + " | ".join(words))

    def _news(self, name: str, value: object, text: str) -> None:
        if self._shown.get(name) != value:
            self._shown[name] = value
            self.say(text)

    def say(self, text: str) -> None:
        """Write one line."""
        seconds = self._loop.time() - self._began_at
        self._console.print(
            f"{seconds:6.2f}  {text}", markup=False, highlight=False, soft_wrap=True
        )

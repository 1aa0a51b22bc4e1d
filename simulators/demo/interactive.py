"""What `--stay` offers after the play: everything stays up, with commands to copy."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from simulators.demo.environment import BASE_TOPIC, CONSOLE_PIN, HOST, Environment
from simulators.demo.process import ProcessFailed
from simulators.register.open_payments import new_payment_id
from simulators.terminals.shared.shopper import describe_amounts

OTHER_REGISTER = "till-2"  # a till of the viewer's own, beside the one that played
LINE_BYTES_MAX = 4096
AWAY_SECONDS = 3600.0


def commands(environment: Environment) -> str:
    """Return what to copy into another terminal, ready to run there."""
    activate = Path(sys.prefix) / "bin" / "activate"
    if activate.exists():
        # The other terminal may not have the environment on, as after scripts/demo.
        begin, python, paybridge = f". {activate}\n", "python", "paybridge"
    else:
        begin, python, paybridge = "", sys.executable, f"{sys.executable} -m bridge"
    port = environment.broker_port
    register = f"{python} -m simulators register --mqtt311 --human --broker mqtt://{HOST}:{port}"
    topic = f"{BASE_TOPIC}/registers/{OTHER_REGISTER}"
    config = f"--config {environment.configuration}"
    return f"""\
{begin}# a register that pays, cancels, asks (try `{python} -m simulators register -h`)
{register} --register-id {OTHER_REGISTER} pay 12.50
# or by hand; a new payment needs a new payment_id
mosquitto_sub -h {HOST} -p {port} -v -t '{BASE_TOPIC}/#'
mosquitto_pub -h {HOST} -p {port} -q 1 -t {topic}/request/payment/start -m \
'{{"request_id":"r-1","payment_id":"{new_payment_id()}",\
"amounts":{{"currency":"EUR","requested_amount":"9.99"}},"sale_id":"S-101"}}'
# what the service knows
{paybridge} payments {config}
{paybridge} check {config}
# the back office goes away and comes back
curl -s {environment.office_control} -d '{{"do":"away","seconds":20}}'"""


async def stay(environment: Environment, console: Console) -> None:
    """Keep everything up until Ctrl-C, which is the end and no failure; obey what is typed."""
    task = asyncio.current_task()
    assert task is not None, "asyncio.run made one"
    try:
        await _stay(environment, console)
    except asyncio.CancelledError:
        task.uncancel()


async def _stay(environment: Environment, console: Console) -> None:
    await environment.command_terminal(do="scenario", scenario={"by_amount": True})
    console.rule("everything stays up; Ctrl-C ends it", style="dim")
    _show_console(environment, console)
    console.print(commands(environment), markup=False, highlight=False, soft_wrap=True)
    console.print("# amounts with these cents end otherwise, e.g. 12.05; all others are approved")
    console.print(describe_amounts(), markup=False, highlight=False)
    if not sys.stdin.isatty():
        await asyncio.Event().wait()
    console.print("Type [bold]cable[/], [bold]office[/] or [bold]kill[/] and Enter to do that.")
    async with _typed() as words:
        while True:
            await _obey(environment, (await words.get()).strip(), console)


def _show_console(environment: Environment, console: Console) -> None:
    """Say where the operator console is, and open it where somebody can see it."""
    if not environment.console:
        return
    console.print(
        f"The operator console: [bold]{environment.console}[/]  (a supervisor's PIN: {CONSOLE_PIN})"
    )
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if console.is_terminal and (has_screen or sys.platform == "darwin"):
        # Some browsers return only when a person closes them: nobody waits for that.
        threading.Thread(target=webbrowser.open, args=(environment.console,), daemon=True).start()


async def _obey(environment: Environment, word: str, console: Console) -> None:
    screen_model = environment.screen_model
    try:
        match word:
            case "cable":
                await environment.command_terminal(
                    do="unplug" if screen_model.cable_in else "replug"
                )
                screen_model.cable_in = not screen_model.cable_in
                console.print(
                    "the cable is " + ("plugged in" if screen_model.cable_in else "pulled")
                )
            case "office":
                order = {"do": "away", "seconds": AWAY_SECONDS}
                await environment.command_office(
                    **(order if screen_model.office_open else {"do": "back"})
                )
                screen_model.office_open = not screen_model.office_open
                console.print(
                    f"the back office is {'back' if screen_model.office_open else 'away'}"
                )
            case "kill" if screen_model.service_runs:
                await environment.kill_service()
                console.print("kill -9; type [bold]start[/] to start the service again")
            case "start" if not screen_model.service_runs:
                await environment.start_service()
                console.print("the service runs again")
            case "":
                pass
            case _:
                console.print("cable, office, kill, start; Ctrl-C ends everything")
    except ProcessFailed as error:
        console.print(str(error), style="red", markup=False)


@asynccontextmanager
async def _typed() -> AsyncIterator[asyncio.Queue[str]]:
    """Yield the lines that are typed, without blocking anything else."""
    typed: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        data = os.read(descriptor, LINE_BYTES_MAX)
        if data:
            typed.put_nowait(data.decode(errors="replace"))
        else:
            loop.remove_reader(descriptor)

    loop.add_reader(descriptor, read)
    try:
        yield typed
    finally:
        loop.remove_reader(descriptor)

"""`paybridge login` and `logout`: paints what the login module returns, decides nothing."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import webbrowser
from collections.abc import Mapping

import segno
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from bridge.adapters import utc_now
from bridge.backoffice.api import client as graphql
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.login.device_flow import DeviceCode
from bridge.backoffice.login.id_token import Identity
from bridge.backoffice.login.login import Login, OtherIdentity
from bridge.cli.checks.office import gift_card_names
from bridge.config import BackOffice, Config
from bridge.errors import ConfigError, Rejected
from bridge.settings import api_names, login_settings, proxy_settings, token_store

COUNTDOWN_SECONDS = 1.0  # how often the remaining time is painted


async def log_in(
    config: Config,
    environment: Mapping[str, str],
    *,
    browser: bool,
    accept_other: bool,
    as_json: bool,
) -> str:
    """Let a person log this machine in, and return who it was.

    A running bridge finds the new login by itself.

    Raises:
        ConfigError: There is no back office, or the provider offers no way to log in.
        LoginRequired: The person said no, was too slow, or is somebody else than before.
        BackOfficeUnavailable, Rejected: The provider is away or will not let us.
    """
    office = _office(config)
    async with open_client(office.ca_file, proxy_settings(office, environment)) as http:
        store = token_store(config.site.state_directory, environment)
        login = Login(http, login_settings(office, environment), store, utc_now)
        flow = "browser" if browser else await login.choose_flow()
        try:
            if flow == "device":
                try:
                    identity = await _by_code(login, as_json=as_json)
                except Rejected as refused:
                    if not await login.other_flow(refused):
                        raise
                    print(
                        f"The provider refuses a login by code to this client ({refused.code});"
                        " trying a browser on this machine.",
                        file=sys.stderr,
                    )
                    identity = await login.login_by_browser(_open_browser)
            elif flow == "browser":
                identity = await login.login_by_browser(_open_browser)
            else:
                await login.access_token()
                return "this machine (client credentials)"
        except OtherIdentity:
            if not accept_other:
                raise
            identity = await login.confirm_identity()
        if not as_json:
            books = graphql.BackOffice(
                http,
                office.endpoint,
                login,
                deadline_seconds=office.deadline_seconds,
                names=api_names(office),
            )
            names = await books.learn_names()
            found = gift_card_names(names, read=books.names_are_read)
            console = Console()
            console.print(f"[green]Logged in[/] as {identity.name or identity.subject}.")
            console.print(f"[dim]The login is kept {store.storage.value}.[/]")
            if found.level != "ok":
                console.print(f"[yellow]Gift cards:[/] {escape(found.text)}.")
        return identity.name or identity.subject


async def log_out(config: Config, environment: Mapping[str, str]) -> bool:
    """Forget the login here; return whether the provider was told, too.

    Raises:
        ConfigError: There is no back office.
        BackOfficeUnavailable: The login could not be removed.
    """
    office = _office(config)
    async with open_client(office.ca_file, proxy_settings(office, environment)) as http:
        store = token_store(config.site.state_directory, environment)
        login = Login(http, login_settings(office, environment), store, utc_now)
        return await login.logout()


def code_picture(address: str) -> Text:
    """Return the QR code of an address for a dark or light terminal."""
    picture = segno.make(address, error="m")
    rows = [list(row) for row in picture.matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    halves = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    lines = [
        "".join(halves[bool(up), bool(low)] for up, low in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return Text("\n".join(lines), style="white on black", no_wrap=True)


async def _by_code(login: Login, *, as_json: bool) -> Identity:
    code = await login.begin_device_login()
    if as_json:
        document = {
            "user_code": code.user_code,
            "verification_uri": code.verification_uri,
            "verification_uri_complete": code.verification_uri_complete,
            "expires_in_s": code.expires_in_seconds,
        }
        print(json.dumps(document), flush=True)
        return await login.finish_device_login(code)
    console = Console()
    console.print(code_picture(code.verification_uri_complete or code.verification_uri))
    console.print(f"Scan this, or open  [bold]{code.verification_uri}[/]")
    console.print(f"and type            [bold reverse] {code.user_code} [/]")
    console.print("Compare the code on both screens before you agree; nobody calls you about it.")
    return await _with_countdown(login, code, console)


async def _with_countdown(login: Login, code: DeviceCode, console: Console) -> Identity:
    """Wait for the person; paint what is left of the time meanwhile."""
    with console.status("") as status:
        countdown = _Countdown(status, code.expires_at)
        countdown.paint()
        try:
            return await login.finish_device_login(code)
        finally:
            countdown.stop()


class _Countdown:
    """Paints the time that is left once a second, while something else is awaited."""

    def __init__(self, status: Status, ends_at: float) -> None:
        self._status = status
        self._ends_at = ends_at
        self._next: asyncio.TimerHandle | None = None

    def paint(self) -> None:
        """Paint now, and again in a second."""
        loop = asyncio.get_running_loop()
        left = max(int(self._ends_at - loop.time()), 0)
        self._status.update(f"waiting for you … {left // 60}:{left % 60:02d} left")
        self._next = loop.call_later(COUNTDOWN_SECONDS, self.paint)

    def stop(self) -> None:
        """Paint no more."""
        if self._next is not None:
            self._next.cancel()


def _open_browser(address: str) -> None:
    """Say the address and open it.

    Some browsers return only when a person closes them, and it is we whom they must come back to:
    so nobody waits for one, at the end of the login neither.
    """
    print(f"Open this address on this machine: {address}", file=sys.stderr, flush=True)
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _office(config: Config) -> BackOffice:
    if config.back_office is None:
        raise ConfigError("back_office", "there is nothing to log in to")
    return config.back_office

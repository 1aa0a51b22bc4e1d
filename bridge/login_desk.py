"""Logs the service itself in, when a person at the console asks for a code. One at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from bridge.backoffice.login.device_flow import DeviceCode, LoginDenied, LoginExpired
from bridge.backoffice.login.id_token import Identity
from bridge.backoffice.login.login import OtherIdentity
from bridge.backoffice.login.session import LoginStatus
from bridge.console.sources import LoginCode, LoginView
from bridge.errors import BridgeError, RequestError

_LOGGER = logging.getLogger(__name__)

CODE_SECONDS_MAX = 20.0  # two exchanges with the provider; then the page says so


class CodeLogin(Protocol):
    """A login that can ask for a code; `Login` is one."""

    @property
    def status(self) -> LoginStatus:
        """How things stood when they were last looked at."""

    async def begin_device_login(self) -> DeviceCode:
        """Return a new code."""

    async def finish_device_login(self, code: DeviceCode) -> Identity:
        """Wait for the person, and store the login."""

    async def confirm_identity(self) -> Identity:
        """Store the login of somebody else than before."""


class LoginDesk:
    """`run` waits for persons; everything else only looks or asks."""

    def __init__(self, login: CodeLogin | None, changed: Callable[[], None]) -> None:
        """Log in by `login`, None where there is no back office; `changed` says that view did."""
        self._login = login
        self._changed = changed
        self._wanted = asyncio.Event()
        self._told = asyncio.Event()  # there is a code, or the attempt has ended
        self._code: DeviceCode | None = None
        self._outcome, self._text = "", ""

    def view(self) -> LoginView:
        """Return how things stand."""
        if self._login is None:
            return LoginView("none")
        status = self._login.status
        state = "needed" if status.needed_since else "ok" if status.logged_in else "unknown"
        code, left = self._code, 0
        if code is not None:
            left = max(int(code.expires_at - asyncio.get_running_loop().time()), 0)
        return LoginView(
            state=state,
            name=status.name or status.subject,
            reason=status.reason,
            needed_since=status.needed_since,
            code=None
            if code is None
            else LoginCode(
                code.user_code,
                code.verification_uri,
                code.verification_uri_complete,
                code.expires_in_seconds,
            ),
            seconds_left=left,
            outcome=self._outcome,
            outcome_text=self._text,
        )

    async def begin(self) -> None:
        """Ask for a code, unless one is waited for; return once there is one.

        Raises:
            RequestError: `not_allowed`: there is no back office, or the provider gives no code.
        """
        if self._login is None:
            raise RequestError("not_allowed", "there is no back office to log in to")
        if self._code is not None:
            return
        self._told.clear()
        self._wanted.set()
        try:
            async with asyncio.timeout(CODE_SECONDS_MAX):
                await self._told.wait()
        except TimeoutError:
            raise RequestError("not_allowed", "the login provider does not answer") from None
        if self._outcome == "failed":
            raise RequestError("not_allowed", self._text)

    async def accept(self) -> None:
        """Accept somebody else than before.

        Raises:
            RequestError: `not_allowed`: nobody else logged in, or it could not be stored.
        """
        if self._login is None or self._outcome != "other":
            raise RequestError("not_allowed", "nobody else has logged in")
        try:
            await self._login.confirm_identity()
        except BridgeError as error:
            raise RequestError("not_allowed", str(error)) from error
        self._end("done")

    async def run(self) -> None:
        """Wait for persons, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            assert self._login is not None, "only then is one wanted"
            await self._log_in(self._login)

    async def _log_in(self, login: CodeLogin) -> None:
        self._outcome = self._text = ""
        try:
            self._code = await login.begin_device_login()
            self._told.set()
            self._changed()
            await login.finish_device_login(self._code)
        except LoginDenied as error:
            self._end("denied", str(error))
        except LoginExpired as error:
            self._end("expired", str(error))
        except OtherIdentity as error:
            self._end("other", str(error))
        except BridgeError as error:
            _LOGGER.warning("login at the console failed reason=%s", error)
            self._end("failed", str(error))
        else:
            self._end("done")
        finally:
            self._code = None

    def _end(self, outcome: str, text: str = "") -> None:
        self._code = None
        self._outcome, self._text = outcome, text
        self._told.set()
        self._changed()

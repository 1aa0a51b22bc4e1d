"""Logging in to the back office, and the access token that it yields.

One `Login` per process. It paints nothing: `paybridge login` shows what these methods return.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import httpx

from bridge.backoffice.login import browser_flow as browser
from bridge.backoffice.login import device_flow as device
from bridge.backoffice.login.device_flow import DeviceCode
from bridge.backoffice.login.id_token import Identity, read_identity
from bridge.backoffice.login.provider import Grant, Provider, ProviderWire
from bridge.backoffice.login.session import LoginStatus, Session
from bridge.backoffice.login.settings import LoginSettings
from bridge.backoffice.login.token_file import StoredLogin, TokenStore
from bridge.errors import ConfigError, LoginRequired, Rejected


class OtherIdentity(LoginRequired):
    """Somebody else logged in than before; `Login.confirm_identity` accepts them.

    Attributes:
        previous: The subject until now.
        found: Who logged in.
    """

    def __init__(self, previous: str, found: Identity) -> None:
        super().__init__(f"logged in as {found.name or found.subject}, before it was {previous}")
        self.previous = previous
        self.found = found


class Login:
    """The login of this machine; constructing it does nothing.

    Args:
        http: The client to use; the caller closes it.
        settings: What a person configured.
        store: Where the login is kept; other processes may use the same one.
        now: The wall clock, with a time zone; for what outlives the process only.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: LoginSettings,
        store: TokenStore,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._now = now
        self._wire = ProviderWire(http, settings, now)
        self._session = Session(self._wire, settings, store, now)
        self._pending: StoredLogin | None = None

    @property
    def status(self) -> LoginStatus:
        """How things stood when they were last looked at."""
        return self._session.status

    async def run(self) -> None:
        """Keep the login fresh until cancelled; see `Session.run`."""
        await self._session.run()

    async def look(self) -> None:
        """Take over what another process stored, so that `status` is of now."""
        await self._session.look()

    async def access_token(self) -> str:
        """Return a token that should be good now; usually without waiting.

        Raises:
            LoginRequired: Only a person can provide one.
            BackOfficeUnavailable: None can be had at the moment.
        """
        return await self._session.access_token()

    async def reject(self, token: str) -> None:
        """Take note that the API did not accept `token`; the next `access_token` renews it."""
        await self._session.reject(token)

    async def discover(self) -> Provider:
        """Return the provider's description; see `ProviderWire.discover` for what it raises."""
        return await self._wire.discover()

    async def choose_flow(self) -> Literal["device", "browser", "client_credentials"]:
        """Return the way to log in: the configured one, or the first that the provider offers.

        Raises:
            ConfigError: The provider offers none.
            BackOfficeUnavailable: It does not answer.
        """
        if self._settings.flow != "auto":
            return self._settings.flow
        provider = await self.discover()
        if provider.device_endpoint:
            return "device"
        if provider.authorization_endpoint:
            return "browser"
        raise ConfigError(
            "login.flow", "the provider offers neither a login by code nor by browser"
        )

    async def other_flow(self, refused: Rejected) -> bool:
        """Say whether the browser may be tried, now that the login by code was refused to us.

        Only where nobody configured the flow, and the provider has the other one.
        """
        is_closed = refused.code in device.CLOSED_CODES
        if self._settings.flow != "auto" or not is_closed:
            return False
        return bool((await self.discover()).authorization_endpoint)

    async def begin_device_login(self) -> DeviceCode:
        """Return a new code for a person; see `device.begin` for what it raises."""
        return await device.begin(self._wire, self._settings)

    async def finish_device_login(self, code: DeviceCode) -> Identity:
        """Wait for the person, store the tokens, return who it was.

        Raises:
            LoginDenied: The person said no.
            LoginExpired: Nobody said anything in time.
            OtherIdentity: Somebody else than before; nothing is stored until confirmed.
            Rejected: The provider will not let us, or its statement who it was is no good.
            BackOfficeUnavailable: The tokens could not be checked or stored.
        """
        return await self._accept(await device.finish(self._wire, code), nonce="")

    async def login_by_browser(self, announce: Callable[[str], None]) -> Identity:
        """Let a browser on this machine log in, store the tokens, return who it was.

        `announce` gets the address to open. Raises what `finish_device_login` raises, and
        ConfigError when the port is in use or the provider has no such login.
        """
        grant, nonce = await browser.login(self._wire, self._settings, announce)
        return await self._accept(grant, nonce=nonce)

    async def confirm_identity(self) -> Identity:
        """Store the login that `OtherIdentity` was raised for.

        Raises:
            BackOfficeUnavailable: It could not be stored.
        """
        assert self._pending is not None
        login, self._pending = self._pending, None
        await self._session.keep(login)
        return Identity(login.subject, login.name)

    async def logout(self) -> bool:
        """Forget the login here, and say whether the provider has forgotten it too.

        A running service notices before its next request.

        Raises:
            BackOfficeUnavailable: It cannot be removed from the disk.
        """
        return await self._session.end()

    async def _accept(self, grant: Grant, *, nonce: str) -> Identity:
        identity = await read_identity(
            self._wire,
            grant,
            client_id=self._settings.client_id,
            nonce=nonce,
        )
        login = StoredLogin(
            issuer=(await self._wire.discover()).issuer,
            client_id=self._settings.client_id,
            subject=identity.subject,
            name=identity.name,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            scope=grant.scope,
            issued_at=int(self._now().timestamp()),
            lifetime_seconds=grant.lifetime_seconds,
        )
        previous = await self._session.subject()
        if previous and previous != identity.subject:
            self._pending = login
            raise OtherIdentity(previous, identity)
        await self._session.keep(login)
        return identity

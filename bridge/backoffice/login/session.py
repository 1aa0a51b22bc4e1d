"""The login in use: an access token when one is needed, renewed in time and stored before use.

Several processes may share a state directory (the service and
`paybridge login`), and each notices what the other stored. Rules:

1. A refresh token is used by one caller at a time, in this process and among processes.
2. New tokens are on disk before the first of them is used.
3. A refresh whose answer was lost is repeated once, at once; after that only the provider's own
   word makes a person necessary.
4. Not reaching the provider is never a reason to ask a person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

from bridge.backoffice.http_exchange import NoAnswer
from bridge.backoffice.login.provider import Busy, Grant, GrantRefused, ProviderWire
from bridge.backoffice.login.settings import LoginSettings
from bridge.backoffice.login.token_file import (
    LockTaken,
    Storage,
    StoredLogin,
    StoreUnreadable,
    TokenStore,
)
from bridge.errors import BackOfficeUnavailable, ConfigError, LoginRequired, Rejected

_LOGGER = logging.getLogger(__name__)

EARLY_SECONDS_MAX = 900.0
"""A token is renewed a quarter of an hour, or a quarter of its life, before it ends: time enough
to notice and mend what is wrong while the old one still works."""

PAUSE_SECONDS = 5.0
"""After a failed renewal nobody asks the provider again for this long."""

LOCK_WAIT_SECONDS = 30.0
"""Another process needs two exchanges of 8 s for a renewal, and a slow disk."""

LOCK_POLL_SECONDS = 0.1
PERSON_CODES = {
    "invalid_grant": "the provider does not accept the stored login",
    "interaction_required": "the provider wants a person to agree again",
    "login_required": "the provider wants a person to log in again",
    "consent_required": "the provider wants a person to agree again",
}
"""Refusals of a renewal that end the login: a person must log in again.

Source: RFC 6749, section 5.2; OpenID Connect Core 1.0, section 3.1.2.6."""

CLIENT_CODES = {
    "unauthorized_client": "the provider does not let this client renew a login",
    "invalid_client": "the provider does not accept this client's id or secret",
}
"""Refusals of a renewal that are about us, not about the login. A person must mend the client or
its secret; the login is kept, and good again once that is done.

Source: RFC 6749, section 5.2."""

CLIENT_PAUSE_SECONDS = 60.0
"""Between renewals while the provider does not accept this client."""

WATCH_SECONDS = 30.0
"""How often `run` looks after the login when nobody else asks for a token."""


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """What a person may want to know; no secrets.

    Attributes:
        logged_in: Whether tokens can be had without a person.
        subject, name: Who logged in, "" when unknown.
        needed_since: Since when a person must log in, None while `logged_in`.
        reason: Why, or what is wrong at the moment; "" when all is well.
        storage: How the tokens lie on disk.
        clock_ahead_seconds: How far our clock is ahead of the provider's, None if unknown.
    """

    logged_in: bool
    subject: str
    name: str
    needed_since: datetime | None
    reason: str
    storage: Storage
    clock_ahead_seconds: float | None = None


class Session:
    """The login of this machine as one process sees it. Constructing it does nothing."""

    def __init__(
        self,
        wire: ProviderWire,
        settings: LoginSettings,
        store: TokenStore,
        now: Callable[[], datetime],
    ) -> None:
        self._wire = wire
        self._settings = settings
        self._store = store
        self._now = now
        self._turn = asyncio.Lock()
        self._login: StoredLogin | None = None
        self._stamp: object = self  # like no stamp at all, so that the first look reads
        self._unsaved: StoredLogin | None = None
        self._renew_at = 0.0
        self._good_until = 0.0
        self._pause_until = 0.0
        self._rejected = ""
        self._needed_since: datetime | None = None
        self._reason = ""
        self._need_is_told = False
        self._client_refused = False  # the login may be good; this client is not accepted

    @property
    def status(self) -> LoginStatus:
        """How things stood when they were last looked at."""
        login = self._login
        return LoginStatus(
            logged_in=login is not None and self._needed_since is None,
            subject=login.subject if login else "",
            name=login.name if login else "",
            needed_since=self._needed_since,
            reason=self._reason,
            storage=self._store.storage,
            clock_ahead_seconds=self._wire.clock_ahead_seconds,
        )

    async def run(self) -> None:
        """Keep the login fresh until cancelled, even when there is nothing to record.

        A refresh token that nobody uses for some weeks dies, and a new login by another process
        should be noticed before the next sale.
        """
        while True:
            # Both were told, in the log and in `status`, where they were found.
            with suppress(LoginRequired, BackOfficeUnavailable):
                await self.access_token()
            await asyncio.sleep(WATCH_SECONDS)

    async def access_token(self) -> str:
        """Return a token that should be good now; usually without waiting.

        Raises:
            LoginRequired: Only a person can provide one.
            BackOfficeUnavailable: None can be had at the moment.
        """
        await self.look()
        login = self._require()
        now = asyncio.get_running_loop().time()
        if now < self._renew_at or (now < self._good_until and self._turn.locked()):
            return login.access_token
        async with self._turn:
            await self.look()
            login = self._require()
            now = asyncio.get_running_loop().time()
            if now >= self._renew_at:
                await self._renew_or_bear_it(now)
        return self._require().access_token

    async def reject(self, token: str) -> None:
        """Take note that the API did not accept `token`; the next `access_token` renews it."""
        if self._login is not None and self._login.access_token == token:
            self._rejected = token
            self._good_until = self._renew_at = asyncio.get_running_loop().time()

    async def look(self) -> None:
        """Take over what another process stored, or removed, since the last look."""
        if self._settings.flow == "client_credentials":
            if self._login is None:
                self._login = self._blank()
                self._good_until = self._renew_at = 0.0
            return
        stamp: object = None
        try:
            stamp = self._store.stamp()
            if stamp == self._stamp:
                return
            login = await asyncio.get_running_loop().run_in_executor(None, self._store.read)
        except StoreUnreadable as error:
            self._forget(str(error))
        else:
            self._unsaved = None
            self._take_over(login)
        self._stamp = stamp

    async def keep(self, login: StoredLogin) -> None:
        """Store a login just made and use it from now on.

        Raises:
            BackOfficeUnavailable: It cannot be stored; it is then not used either.
        """
        async with self._turn, self._locked():
            await self._save(login)
        _LOGGER.info("logged in subject=%s storage=%s", login.subject, self._store.storage.name)
        if not login.refresh_token:
            _LOGGER.warning(
                "the provider gave no refresh token: a person must log in again in %s s"
                " action=allow offline_access for this client",
                login.lifetime_seconds,
            )

    async def subject(self) -> str:
        """Return who is, or last was, logged in here; "" when that is not known."""
        await self.look()
        return self._login.subject if self._login else ""

    async def end(self) -> bool:
        """Forget the login here, and say whether the provider has forgotten it too.

        Raises:
            BackOfficeUnavailable: It cannot be removed.
        """
        async with self._turn, self._locked():
            await self.look()
            token = self._login.refresh_token if self._login else ""
            try:
                revoked = not token or await self._wire.revoke(token)
            except (BackOfficeUnavailable, ConfigError, Rejected) as error:
                _LOGGER.warning("login not revoked at the provider reason=%s", error)
                revoked = False
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._store.delete)
            except OSError as error:
                words = f"the login cannot be removed: {error.strerror}"
                raise BackOfficeUnavailable(words) from error
            self._unsaved = None
            await self.look()
        return revoked

    async def _renew_or_bear_it(self, now: float) -> None:
        """Renew; a failure is only a warning as long as the old token is good."""
        try:
            if now < self._pause_until and self._client_refused:
                raise LoginRequired(self._reason)
            if now < self._pause_until:
                raise BackOfficeUnavailable(self._reason)
            await self._renew_now()
        except BackOfficeUnavailable as error:
            if now >= self._pause_until:
                pause = error.retry_after_seconds if isinstance(error, Busy) else None
                self._pause_until = now + max(PAUSE_SECONDS, pause or 0.0)
                if self._reason != str(error):
                    _LOGGER.warning("login not renewed reason=%s", error)
            self._reason = str(error)
            if now >= self._good_until:
                raise
        except LoginRequired:
            # It is told early, in the log and in health. What the provider gave is good to its end.
            if now >= self._good_until:
                raise
        else:
            self._pause_until = 0.0

    async def _renew_now(self) -> None:
        try:
            if self._settings.flow == "client_credentials":
                await self._renew_client()
            else:
                await self._renew()
        except (ConfigError, Rejected) as error:
            # The provider describes itself in a way that cannot be used; at login it did not.
            raise BackOfficeUnavailable(str(error)) from error

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._locked():
            await self.look()
            login = self._require()
            if self._unsaved is not None:
                await self._save(self._unsaved)
                return
            if loop.time() < self._renew_at:
                return
            if not login.refresh_token:
                if loop.time() >= self._good_until:
                    await self._need_person(login, "the login was for a short time only")
                return
            started = loop.time()
            try:
                grant = await self._refresh(login.refresh_token)
            except GrantRefused as error:
                if error.code in CLIENT_CODES:
                    self._client_refused = True
                    self._pause_until = started + CLIENT_PAUSE_SECONDS
                    self._note_need(CLIENT_CODES[error.code])
                    self._demand_person("mend the client's id or secret, or log in again")
                if error.code not in PERSON_CODES:
                    raise BackOfficeUnavailable(f"the login provider refuses: {error}") from error
                await self._need_person(login, PERSON_CODES[error.code])
                return
            renewed = replace(
                login,
                access_token=grant.access_token,
                # A provider that does not rotate sends none; the old one then stays good.
                refresh_token=grant.refresh_token or login.refresh_token,
                scope=grant.scope or login.scope,
                issued_at=int(self._now().timestamp()),
                lifetime_seconds=grant.lifetime_seconds,
            )
            await self._save(renewed)
            self._count_from(started, renewed)

    async def _refresh(self, refresh_token: str) -> Grant:
        """Use the refresh token; a lost answer is asked for once more, at once.

        Servers answer a rotated token again for some seconds; later they take it for stolen.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        try:
            return await self._wire.grant(form)
        except NoAnswer as error:
            _LOGGER.warning("answer to a login renewal was lost, asking again reason=%s", error)
        try:
            return await self._wire.grant(form)
        except NoAnswer as error:
            raise BackOfficeUnavailable(f"the login provider gives no answer: {error}") from error

    async def _renew_client(self) -> None:
        scopes = set(self._settings.scopes.split()) - {"openid", "offline_access"}
        form = {"grant_type": "client_credentials", **self._settings.target}
        if scopes:
            form["scope"] = " ".join(sorted(scopes))
        started = asyncio.get_running_loop().time()
        try:
            grant = await self._wire.grant(form)
        except NoAnswer as error:
            raise BackOfficeUnavailable(str(error)) from error
        except GrantRefused as error:
            self._pause_until = started + PAUSE_SECONDS
            self._note_need(f"the provider refuses client id and secret: {error}")
            _LOGGER.error("login needed reason=%s action=check id and secret", self._reason)  # noqa: TRY400
            raise LoginRequired(self._reason) from error
        fresh = replace(
            self._blank(),
            access_token=grant.access_token,
            lifetime_seconds=grant.lifetime_seconds,
        )
        self._login = fresh
        self._needed_since, self._reason = None, ""
        self._count_from(started, fresh)

    async def _save(self, login: StoredLogin) -> None:
        """Put a login on disk, then use it; one that cannot be stored waits and is not used."""
        self._unsaved = login
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._store.write, login)
        except OSError as error:
            raise BackOfficeUnavailable(f"the login cannot be stored: {error.strerror}") from error
        self._unsaved = None
        self._stamp = self._store.stamp()
        self._take_over(login)

    async def _need_person(self, login: StoredLogin, reason: str) -> None:
        """Make it known, beyond a restart, that a person must log in."""
        stamped = replace(
            login,
            access_token="",
            refresh_token="",
            needed_since=int(self._now().timestamp()),
            needed_reason=reason,
        )
        try:
            await self._save(stamped)
        except BackOfficeUnavailable as error:
            _LOGGER.warning("need for a login not stored reason=%s", error)
            self._unsaved = None
            self._take_over(stamped)
        self._require()

    def _take_over(self, login: StoredLogin | None) -> None:
        """Make `login` the current one, counting its age by the wall clock."""
        if login is None:
            self._forget("nobody has logged in yet")
            return
        ours = (self._settings.issuer.removesuffix("/"), self._settings.client_id)
        if (login.issuer.removesuffix("/"), login.client_id) != ours:
            self._forget("the stored login is for another provider or client")
            return
        self._login = login
        if login.needed_since is not None:
            self._note_need(login.needed_reason, login.needed_since)
            return
        if self._needed_since is not None:
            _LOGGER.info("login is good again subject=%s", login.subject)
        self._needed_since, self._reason, self._pause_until = None, "", 0.0
        self._client_refused = False
        age = self._now().timestamp() - login.issued_at
        loop_time = asyncio.get_running_loop().time()
        # A clock that went back says nothing about age; a renewal does.
        self._count_from(loop_time - (age if age >= 0 else login.lifetime_seconds), login)

    def _count_from(self, started: float, login: StoredLogin) -> None:
        """Set when the access token ends and when to renew it, in the loop's time."""
        now = asyncio.get_running_loop().time()
        self._good_until = started + login.lifetime_seconds
        early = min(EARLY_SECONDS_MAX, login.lifetime_seconds / 4)
        self._renew_at = self._good_until - early
        if login.access_token in ("", self._rejected):
            self._good_until = self._renew_at = now

    def _forget(self, reason: str) -> None:
        self._login = None
        self._note_need(reason)

    def _note_need(self, reason: str, since: int | None = None) -> None:
        if self._needed_since is None or self._reason != reason:
            self._needed_since = (
                self._now() if since is None else datetime.fromtimestamp(since, UTC)
            )
            self._need_is_told = False
        self._reason = reason

    def _require(self) -> StoredLogin:
        """Return the login that promises a token without a person.

        Raises:
            LoginRequired: There is none.
        """
        tries_again = self._settings.flow == "client_credentials" or self._client_refused
        if self._login is None or not (tries_again or self._needed_since is None):
            self._demand_person("run `paybridge login`")
        return self._login

    def _demand_person(self, action: str) -> NoReturn:
        """Say once in the log what a person must do.

        Raises:
            LoginRequired: Always.
        """
        if not self._need_is_told:
            _LOGGER.error("login needed reason=%s action=%s", self._reason, action)
            self._need_is_told = True
        raise LoginRequired(self._reason)

    def _blank(self) -> StoredLogin:
        settings = self._settings
        return StoredLogin(settings.issuer, settings.client_id, "", "", "", "", "", 0, 0)

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the state directory's lock, also across the exchange with the provider.

        Two processes that used the same refresh token would end the login of both.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + LOCK_WAIT_SECONDS
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self._store.lock())
                    break
                except LockTaken as error:
                    if loop.time() >= until:
                        raise BackOfficeUnavailable(str(error)) from error
                except OSError as error:
                    words = f"the state directory cannot be used: {error.strerror}"
                    raise BackOfficeUnavailable(words) from error
                await asyncio.sleep(LOCK_POLL_SECONDS)
            yield

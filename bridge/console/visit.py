"""One request of a person: who it is, in which language, and what may be done. No pages here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from bridge.console.pins import HashedPin, PinFile, Role
from bridge.console.request_guard import BODY_BYTES_MAX
from bridge.console.sessions import Session, Sessions, Tries, is_token
from bridge.console.sources import Desk
from bridge.console.words import Words, chosen
from bridge.errors import ConfigError
from bridge.reports.payment_excerpt import PaymentExcerpts
from bridge.reports.payment_index import PaymentIndex

_LOGGER = logging.getLogger(__name__)

COOKIE = "paybridge-console"
LANGUAGE_COOKIE = "paybridge-language"
FIELDS_MAX = 300
T = TypeVar("T")


class Refused(Exception):
    """A request that is not done, in words for the person (a message of the catalogues)."""

    def __init__(self, status: int, message: str) -> None:
        """Answer with `status`, and say `message`."""
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """What the configuration says of the console."""

    host: str
    port: int
    language: str  # of `LANGUAGES`, or "auto"
    hosts: tuple[str, ...] = ()  # further names it is served under
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def is_tls(self) -> bool:
        """True when it is served over TLS."""
        return self.certificate_file is not None

    @property
    def is_local(self) -> bool:
        """True when only this machine can reach it."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


@dataclass(slots=True)
class Premises:
    """What all visits share."""

    desk: Desk
    settings: ConsoleSettings
    pins: PinFile
    sessions: Sessions
    tries: Tries
    index: PaymentIndex
    excerpts: PaymentExcerpts
    executor: ThreadPoolExecutor  # one thread: reads the journal, hashes PINs
    to_local: Callable[[datetime], datetime]
    checking_pin: asyncio.Lock = field(default_factory=asyncio.Lock)
    pin_problem: str = ""  # why the PINs cannot be read

    async def read(self, work: Callable[[], T]) -> T:
        """Do what reads the disk in the console's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def known_pins(self) -> dict[Role, HashedPin]:
        """Return the PINs; none where the file cannot be used, and then nobody may act."""
        return self._readable_pins() or {}

    def sees_without_pin(self) -> bool:
        """Tell whether anybody may look: on this machine, while nobody set a PIN for it.

        Where it is not known whether somebody did, nobody may.
        """
        pins = self._readable_pins()
        return self.settings.is_local and pins is not None and Role.SEE not in pins

    def _readable_pins(self) -> dict[Role, HashedPin] | None:
        try:
            pins = self.pins.read()
        except ConfigError as error:
            if str(error) != self.pin_problem:
                _LOGGER.warning("%s", error)
            self.pin_problem = str(error)
            return None
        self.pin_problem = ""
        return pins


@dataclass(slots=True)
class Visit:
    """One request."""

    request: Request
    premises: Premises
    session: Session | None
    words: Words
    role: Role | None  # what may be done; None: not even looking

    @property
    def desk(self) -> Desk:
        """Where everything comes from."""
        return self.premises.desk

    @property
    def now(self) -> datetime:
        """The wall clock, UTC."""
        return self.premises.desk.now()

    @property
    def may_act(self) -> bool:
        """True for a supervisor."""
        return self.role is not None and self.role >= Role.SUPERVISOR

    @property
    def by(self) -> str:
        """Who is journaled."""
        return self.session.by if self.session is not None else ""

    def need(self, role: Role) -> Session:
        """Return the session of somebody who may do what this role may.

        Raises:
            Refused: Nobody of that role is here.
        """
        if self.session is None or self.role is None or self.role < role or not self.session.name:
            raise Refused(403, "A supervisor must unlock the console first.")
        self.premises.sessions.used(self.session)
        return self.session

    async def form(self) -> dict[str, list[str]]:
        """Return what a form of ours sent.

        Raises:
            Refused: It is not one of ours, or is too large.
        """
        body = b""
        async for part in self.request.stream():
            body += part
            if len(body) > BODY_BYTES_MAX:
                raise Refused(413, "That is too much at once.")
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
            )
        except ValueError:
            raise Refused(400, "This form cannot be read.") from None
        fields: dict[str, list[str]] = {}
        for name, value in pairs:
            fields.setdefault(name, []).append(value)
        token = fields.get("csrf", [""])[0]
        if self.session is None or not is_token(self.session, token):
            raise Refused(403, "This page is too old. Load it again, then try once more.")
        return fields


def visit_of(request: Request, premises: Premises) -> Visit:
    """Return who asks, and in which language."""
    session = premises.sessions.find(request.cookies.get(COOKIE, ""))
    pins = premises.known_pins()
    role = session.role if session is not None else None
    if session is not None and role is not None and pins.get(role) != session.pin:
        premises.sessions.lock(session)  # its PIN was changed or taken away
        role = None
    if role is None and premises.sees_without_pin():
        role = Role.SEE
    language = chosen(
        request.query_params.get("lang", request.cookies.get(LANGUAGE_COOKIE, "")),
        request.headers.get("accept-language", ""),
        premises.settings.language,
    )
    return Visit(request, premises, session, Words(language, premises.to_local), role)

"""Who is at the console: sessions in memory, the tries that are left, and when a role is locked.

No wire and no clock of its own. A restart of the service ends all sessions.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.console.pins import HashedPin, Role

SESSIONS_MAX = 500  # browsers; a store has a handful, and the oldest idle one makes room
IDLE_SECONDS = 600.0  # after that a supervisor's or technician's session may only see
SEEN_SECONDS = 12 * 3_600.0  # a working day
TRIES_FREE = 3  # mistyped is mistyped
LOCK_SECONDS = 15.0  # after that many; doubled with each further wrong PIN
LOCK_SECONDS_MAX = 3_600.0
NAME_CHARACTERS_MAX = 40


@dataclass(slots=True)
class Session:
    """One browser. `token` goes into forms, the session's own id into the cookie only."""

    id: str = field(repr=False)
    token: str = field(repr=False)
    used_at: float
    role: Role | None = None
    name: str = ""  # who said to be there
    pin: HashedPin | None = field(default=None, repr=False)  # it was opened with this one

    @property
    def by(self) -> str:
        """Who is journaled for what is done here."""
        return f"{self.name} ({self.role.word})" if self.role is not None else ""


class Sessions:
    """The sessions; `clock` is seconds that nobody can set back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without any."""
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie; one that idled too long has lost its role."""
        session = self._sessions.get(cookie)
        if session is None:
            return None
        now = self._clock()
        idle = now - session.used_at
        if idle > SEEN_SECONDS:
            del self._sessions[cookie]
            return None
        if idle > IDLE_SECONDS and session.role not in {None, Role.SEE}:
            self.lock(session)
        return session

    def used(self, session: Session) -> None:
        """Note that a person did something: only that keeps a role alive, no page by itself."""
        session.used_at = self._clock()

    def begin(self) -> Session:
        """Return a new session without a role."""
        while len(self._sessions) >= SESSIONS_MAX:
            oldest = min(
                self._sessions.values(), key=lambda one: (one.role is not None, one.used_at)
            )
            del self._sessions[oldest.id]
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), self._clock())
        self._sessions[session.id] = session
        return session

    def open(self, before: Session, role: Role, name: str, pin: HashedPin) -> Session:
        """Return a new session with a role; the one before ends, so that no cookie is fixed."""
        self._sessions.pop(before.id, None)
        session = self.begin()
        session.role, session.name, session.pin = role, name, pin
        return session

    def lock(self, session: Session) -> None:
        """Take the role from a session."""
        session.role, session.name, session.pin = None, "", None


def is_token(session: Session, given: str) -> bool:
    """Tell whether a form was made for this session."""
    return hmac.compare_digest(session.token.encode(), given.encode(errors="replace"))


class Tries:
    """Wrong PINs, by role and whoever typed them: all come from the same few machines."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with none."""
        self._clock = clock
        self._wrong: dict[Role, int] = {}
        self._locked_until: dict[Role, float] = {}

    def seconds_locked(self, role: Role) -> float:
        """Return how long nobody may try a role's PIN; 0 when somebody may."""
        return max(self._locked_until.get(role, 0.0) - self._clock(), 0.0)

    def wrong(self, role: Role) -> float:
        """Note a wrong PIN; return how long the role is locked now."""
        count = self._wrong[role] = self._wrong.get(role, 0) + 1
        if count >= TRIES_FREE:
            seconds = min(LOCK_SECONDS * 2.0 ** min(count - TRIES_FREE, 16), LOCK_SECONDS_MAX)
            self._locked_until[role] = self._clock() + seconds
        return self.seconds_locked(role)

    def right(self, role: Role) -> None:
        """Note the right PIN."""
        self._wrong.pop(role, None)
        self._locked_until.pop(role, None)


def written_name(text: str) -> str:
    """Return who somebody says to be, fit for journal and log; "" when it says nothing."""
    kept = "".join(c for c in text if c.isprintable())
    return " ".join(kept.split())[:NAME_CHARACTERS_MAX]

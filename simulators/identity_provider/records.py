"""What the simulated OpenID provider keeps and how it is set up; its refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class OAuthError(Exception):
    """A refusal in the protocol's words.

    Attributes:
        error: The registered error code.
        status: HTTP status that carries it.
    """

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(description or error)
        self.error = error
        self.status = status


class RedirectError(Exception):
    """A refused authorization request whose redirect address can be trusted with the reason."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass(frozen=True, slots=True)
class Client:
    """A registered application; without a secret it is public."""

    id: str
    secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ()


class IdTokenFault(Enum):
    """What may be wrong with an id_token; each must make a careful client refuse the login."""

    NONE = "none"
    MISSING = "missing"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    EXPIRED = "expired"
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown_key"
    WRONG_NONCE = "wrong_nonce"
    WRONG_AT_HASH = "wrong_at_hash"


@dataclass(slots=True)
class Options:
    """How this provider is set up and how it misbehaves; may change at any time.

    Attributes:
        device_grant: Offer the device grant at all.
        advertise_interval: Say `interval` in the device answer; without it a client assumes 5.
        slow_down_as_429: Answer a hasty poll with HTTP 429 instead of the error slow_down.
        reuse_leeway_seconds: How long a rotated refresh token still works.
        offline_access_required: No refresh token unless the scope offline_access was asked for.
        captive_portal: Answer everything with an HTML page and status 200.
        auto_approve_seconds: A device login allows itself this long after it began; None never.
        closed_device_clients: Clients that may not use the device grant, though it is advertised.
        consent_for_refresh: The browser login gives a refresh token only after `prompt=consent`.
        audience: The API that every request for tokens must name, "" for none.
        refuse_refresh: The error with which every refresh is refused, "" for none.
        lose_answers: Per grant type, token answers to be lost after they were processed.
        unavailable: Requests still to be answered with 503.
    """

    device_grant: bool = True
    advertise_interval: bool = True
    interval_seconds: int = 5
    device_code_seconds: int = 600
    access_token_seconds: int = 3600
    refresh_token_seconds: int = 14 * 24 * 3600
    reuse_leeway_seconds: int = 30
    slow_down_as_429: bool = False
    offline_access_required: bool = True
    captive_portal: bool = False
    auto_approve_seconds: float | None = None
    id_token_fault: IdTokenFault = IdTokenFault.NONE
    lose_answers: dict[str, int] = field(default_factory=dict)
    unavailable: int = 0
    closed_device_clients: tuple[str, ...] = ()
    consent_for_refresh: bool = False
    audience: str = ""
    refuse_refresh: str = ""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked request for an authorization code."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    code_challenge: str = field(repr=False)
    consented: bool = True


@dataclass(slots=True)
class Family:
    """One login and every token that came of it."""

    client_id: str
    sub: str
    scope: str
    revoked: bool = False
    refreshable: bool = True


@dataclass(slots=True)
class DeviceCode:
    """A device login between its first request and its end; times are Unix seconds."""

    user_code: str
    client_id: str
    scope: str
    began_at: float
    expires_at: float
    interval_seconds: float
    polled_at: float | None = None
    sub: str | None = None
    denied: bool = False


@dataclass(slots=True)
class AuthorizationCode:
    """A code a browser carries; `family` is the login it was redeemed for."""

    request: AuthorizationRequest
    sub: str
    expires_at: float
    family: Family | None = None


@dataclass(slots=True)
class Token:
    """An access or refresh token; `rotated_at` is when a refresh token was first used."""

    family: Family
    expires_at: float
    rotated_at: float | None = None

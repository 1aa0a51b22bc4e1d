"""Says who logged in, by an id token that is checked to the last claim.

It asks the provider for its keys and decides nothing about logins.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.backoffice.http_exchange import parse_object
from bridge.backoffice.login.provider import Grant, Provider, ProviderWire
from bridge.errors import Rejected

_LOGGER = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""What we accept, whatever the provider lists: no `none`, no shared secrets."""

LEEWAY_SECONDS = 120
"""A store PC's clock may be off by this much before its logins fail."""

NAME_CHARS_MAX = 100
"""A name is for a screen."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged in; `subject` never changes for a person, `name` is for the eye."""

    subject: str
    name: str


async def read_identity(
    wire: ProviderWire, grant: Grant, *, client_id: str, nonce: str
) -> Identity:
    """Return who the grant's id token speaks of; nobody when it came without one.

    The token must repeat `nonce`, which is "" for the device grant, and be of now.

    Raises:
        Rejected: The token is not for us, not from the provider, or not of now.
        BackOfficeUnavailable: The provider's keys cannot be had.
    Source: OpenID Connect Core 1.0, sections 3.1.3.6 and 3.1.3.7.
    """
    if not grant.id_token:
        return Identity("", "")
    provider = await wire.discover()
    header = _read_header(grant.id_token)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS or algorithm not in provider.algorithms:
        raise _bad("it is signed in a way we do not accept")
    keys = await wire.keys(fresh=False)
    if not _candidates(keys, header):
        # The provider changed its keys; once is enough to see the new ones.
        keys = await wire.keys(fresh=True)
    claims = _verify(grant.id_token, _candidates(keys, header), algorithm)
    _check_claims(claims, provider, client_id=client_id, nonce=nonce)
    _check_times(claims, wire.now_seconds(), wire.clock_ahead_seconds)
    at_hash = claims.get("at_hash")
    if at_hash is not None and at_hash != _half_hash(grant.access_token, algorithm):
        raise _bad("it belongs to another access token")
    name = next(
        (v for k in ("name", "preferred_username", "email") if isinstance(v := claims.get(k), str)),
        "",
    )
    return Identity(claims["sub"], name[:NAME_CHARS_MAX])


def _check_claims(
    claims: Mapping[str, Any],
    provider: Provider,
    *,
    client_id: str,
    nonce: str,
) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if claims.get("iss") != provider.issuer:
        raise _bad("another issuer made it")
    if client_id not in audiences or (party or client_id) != client_id:
        raise _bad("it is for another client")
    if len(audiences) > 1 and party is None:
        raise _bad("it is for several clients and does not say for which")
    if nonce and claims.get("nonce") != nonce:
        raise _bad("it answers another login")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _bad("it names nobody")


def _check_times(claims: Mapping[str, Any], now_seconds: float, ahead: float | None) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int | float) or not isinstance(issued, int | float):
        raise _bad("it bears no times")
    # Said this way round, a time that is no number (NaN) is refused as well.
    if not issued - LEEWAY_SECONDS <= now_seconds <= expires + LEEWAY_SECONDS:
        drift = f"; this machine's clock is off by {ahead:.0f} s" if ahead is not None else ""
        raise _bad(f"it is not of now{drift}; check date and time of this machine")


def _verify(token: str, keys: list[dict[str, Any]], algorithm: str) -> dict[str, Any]:
    """Return the claims, if one of the keys made the signature."""
    # Imported here because it costs 60 ms that a service with a good login never needs.
    from joserfc import jwt  # noqa: PLC0415
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    for key in keys:
        try:
            with warnings.catch_warnings():
                # joserfc prefers the name Ed25519 (RFC 9864); providers still say EdDSA.
                warnings.simplefilter("ignore", SecurityWarning)
                key_set = KeySet.import_key_set({"keys": [key]})
                return dict(jwt.decode(token, key_set, algorithms=[algorithm]).claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            # The next key may fit; a strange one must not spoil the others.
            _LOGGER.debug("key does not verify kid=%s error=%s", key.get("kid"), type(error))
    raise _bad("its signature does not hold")


def _candidates(keys: Mapping[str, Any], header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the keys that may have signed: all for signatures, or those the header names."""
    kid = header.get("kid")
    return [
        key
        for key in keys["keys"]
        if isinstance(key, dict)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
        and kid in (None, key.get("kid"))
    ]


def _read_header(token: str) -> dict[str, Any]:
    part = token.partition(".")[0]
    try:
        header = parse_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        header = None
    if header is None:
        raise _bad("it cannot be read")
    return header


def _half_hash(access_token: str, algorithm: str) -> str:
    """Return the `at_hash` of an access token. EdDSA here is Ed25519, which hashes with SHA-512."""
    digest = hashlib.sha512 if algorithm.startswith("Ed") else hashlib.sha256
    half = digest(access_token.encode()).digest()
    return base64.urlsafe_b64encode(half[: len(half) // 2]).rstrip(b"=").decode()


def _bad(why: str) -> Rejected:
    return Rejected("bad_id_token", f"the provider's statement who logged in is no good: {why}")

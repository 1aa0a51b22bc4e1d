"""Signs id_tokens for the simulated provider, well or badly, and publishes its keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from joserfc import jwt
from joserfc.jwk import RSAKey

from simulators.identity_provider.records import IdTokenFault

RSA_BITS = 2048
"""The smallest size RS256 allows. Source: RFC 7518, section 3.3."""

LONG_AGO_SECONDS = 86_400
"""How old an expired id_token is made: beyond any leeway a client grants."""


class Signer:
    """Holds one signing key at a time, made when it is first needed."""

    def __init__(self) -> None:
        self._key: RSAKey | None = None

    def jwks(self) -> dict[str, object]:
        """Return the public signing key as a JWKS document."""
        return {"keys": [{**self._signing_key().as_dict(private=False), "use": "sig"}]}

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one disappears from the JWKS."""
        self._key = None

    def sign(self, claims: Mapping[str, object], fault: IdTokenFault) -> str:
        """Return the id_token, spoiled as the fault says."""
        spoiled = _spoiled(claims, fault)
        if fault is IdTokenFault.UNSIGNED:
            parts = ({"alg": "none", "typ": "JWT"}, spoiled)
            return ".".join(base64url(json.dumps(part).encode()) for part in parts) + "."
        key = _new_key() if fault is IdTokenFault.UNKNOWN_KEY else self._signing_key()
        return jwt.encode({"alg": "RS256", "kid": key.kid}, spoiled, key, algorithms=["RS256"])

    def _signing_key(self) -> RSAKey:
        if self._key is None:
            self._key = _new_key()
        return self._key


def base64url(data: bytes) -> str:
    """Return base64url without padding. Source: RFC 7515, section 2."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _new_key() -> RSAKey:
    return RSAKey.generate_key(RSA_BITS, auto_kid=True)


def _spoiled(claims: Mapping[str, object], fault: IdTokenFault) -> dict[str, object]:
    changed = dict(claims)
    match fault:
        case IdTokenFault.WRONG_ISSUER:
            changed["iss"] = "https://elsewhere.invalid/"
        case IdTokenFault.WRONG_AUDIENCE:
            changed["aud"] = "another"
        case IdTokenFault.WRONG_NONCE:
            changed["nonce"] = "another"
        case IdTokenFault.WRONG_AT_HASH:
            changed["at_hash"] = base64url(bytes(16))
        case IdTokenFault.EXPIRED:
            for name in ("iat", "exp"):
                moment = changed[name]
                assert isinstance(moment, int)
                changed[name] = moment - LONG_AGO_SECONDS
        case _:
            pass
    return changed

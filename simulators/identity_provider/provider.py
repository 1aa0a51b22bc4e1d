"""The simulated OpenID provider's mind: codes, tokens and families. Pure but for its clock.

Rules it keeps, because a till must survive them: refresh tokens rotate, a rotated one that
comes back after the leeway revokes its whole family, a device code works once, and whoever
polls faster than told is told to slow down for good.
Source: RFC 6749, RFC 7009, RFC 7636, RFC 8628, RFC 9207, OpenID Connect Core 1.0.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import string
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from simulators.identity_provider.keys import Signer, base64url
from simulators.identity_provider.records import (
    AuthorizationCode,
    AuthorizationRequest,
    Client,
    DeviceCode,
    Family,
    IdTokenFault,
    OAuthError,
    Options,
    RedirectError,
    Token,
)

Clock = Callable[[], float]
"""Unix time in seconds."""

Params = Mapping[str, str]

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

SLOW_DOWN_SECONDS = 5
"""What each slow_down adds to the interval, for good. Source: RFC 8628, section 3.5."""

POLL_TOLERANCE_SECONDS = 0.05
"""A poll this much too early still counts as in time: two clocks never agree to the last digit."""

AUTHORIZATION_CODE_SECONDS = 60
"""A browser brings the code back at once. Source: RFC 6749, section 4.1.2, allows ten minutes."""

USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no word appears. Source: RFC 8628, section 6.1."""

_TOKEN_LETTERS = string.ascii_letters + string.digits


class Provider:
    """One OpenID provider.

    Args:
        issuer: Its address with a trailing slash, as the discovery document spells it.
        clients: Who may log in.
        clock: Unix time; moves every expiry.
        chance: Source of codes and tokens; a seed makes them repeatable, so never for real use.
        options: Set-up and misbehavior.
    """

    def __init__(
        self,
        issuer: str,
        clients: tuple[Client, ...],
        *,
        clock: Clock,
        chance: random.Random,
        options: Options | None = None,
    ) -> None:
        assert issuer.endswith("/")
        self.issuer = issuer
        self.clients = {client.id: client for client in clients}
        self.options = options or Options()
        self.sub = "store-manager"
        self._clock = clock
        self._chance = chance
        self.signer = Signer()
        self._device_codes: dict[str, DeviceCode] = {}
        self._authorization_codes: dict[str, AuthorizationCode] = {}
        self._refresh_tokens: dict[str, Token] = {}
        self._access_tokens: dict[str, Token] = {}

    def discovery(self) -> dict[str, object]:
        """Return the discovery document."""
        grants = ["authorization_code", "refresh_token", "client_credentials"]
        document: dict[str, object] = {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + "connect/authorize",
            "token_endpoint": self.issuer + "connect/token",
            "revocation_endpoint": self.issuer + "connect/revoke",
            "jwks_uri": self.issuer + ".well-known/jwks",
            "scopes_supported": ["openid", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [
                "none",
                "client_secret_basic",
                "client_secret_post",
            ],
            "authorization_response_iss_parameter_supported": True,
            "grant_types_supported": grants,
        }
        if self.options.device_grant:
            document["device_authorization_endpoint"] = self.issuer + "connect/device"
            grants.append(DEVICE_GRANT)
        return document

    def authenticate(self, token: str) -> str | None:
        """Return the client id behind an access token that is good now, else None."""
        known = self._access_tokens.get(token)
        if known is None or known.family.revoked or known.expires_at <= self._clock():
            return None
        return known.family.client_id

    def client(self, client_id: str, secret: str | None) -> Client:
        """Return the client that names itself.

        Raises:
            OAuthError: invalid_client.
        """
        client = self.clients.get(client_id)
        if client is None:
            raise OAuthError("invalid_client", "client is not registered", 401)
        if client.secret is not None and not hmac.compare_digest(client.secret, secret or ""):
            raise OAuthError("invalid_client", "secret does not match", 401)
        return client

    def begin_device_login(self, client: Client, params: Params) -> dict[str, object]:
        """Return the device authorization answer; the code lives `device_code_seconds`.

        Raises:
            OAuthError: This client may not, or names no API where it must.
        """
        if client.id in self.options.closed_device_clients:
            raise OAuthError("unauthorized_client", "this client may not use the device grant")
        self._check_audience(params)
        scope = params.get("scope", "")
        now = self._clock()
        letters = [self._chance.choice(USER_CODE_LETTERS) for _ in range(8)]
        user_code = "".join(letters[:4]) + "-" + "".join(letters[4:])
        device_code = self._secret()
        self._device_codes[device_code] = DeviceCode(
            user_code,
            client.id,
            scope,
            now,
            now + self.options.device_code_seconds,
            self.options.interval_seconds,
        )
        page = self.issuer + "device"
        answer: dict[str, object] = {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": page + "?" + urlencode({"user_code": user_code}),
            "expires_in": self.options.device_code_seconds,
        }
        if self.options.advertise_interval:
            answer["interval"] = self.options.interval_seconds
        return answer

    def decide_device(self, user_code: str, *, allow: bool) -> bool:
        """Let a person allow or deny a code; False when no living code is spelled like that."""
        typed = "".join(c for c in user_code.upper() if c.isalpha())
        for code in self._device_codes.values():
            same = code.user_code.replace("-", "") == typed
            if same and code.expires_at > self._clock() and code.sub is None and not code.denied:
                code.sub = self.sub if allow else None
                code.denied = not allow
                return True
        return False

    def waiting_user_codes(self) -> tuple[str, ...]:
        """Return the codes a person may still type in."""
        now = self._clock()
        return tuple(
            code.user_code
            for code in self._device_codes.values()
            if code.sub is None and not code.denied and code.expires_at > now
        )

    def authorization_request(self, params: Params) -> AuthorizationRequest:
        """Check what a browser brought.

        Raises:
            OAuthError: Client or redirect address is not registered; nobody may be redirected.
            RedirectError: Anything else; the reason goes to the redirect address.
        """
        client = self.clients.get(params.get("client_id", ""))
        uri = params.get("redirect_uri", "")
        if client is None or uri not in client.redirect_uris:
            raise OAuthError("invalid_request", "client or redirect address is not registered")
        state = params.get("state", "")
        if params.get("response_type") != "code":
            raise self._redirect_error(uri, state, "unsupported_response_type")
        if params.get("code_challenge_method") != "S256" or not params.get("code_challenge"):
            raise self._redirect_error(uri, state, "invalid_request")
        try:
            self._check_audience(params)
        except OAuthError as error:
            raise self._redirect_error(uri, state, error.error) from error
        return AuthorizationRequest(
            client.id,
            uri,
            params.get("scope", ""),
            state,
            params.get("nonce", ""),
            params["code_challenge"],
            params.get("prompt") == "consent",
        )

    def decide_authorization(self, request: AuthorizationRequest, *, allow: bool) -> str:
        """Return where the browser goes next, with a code or with access_denied."""
        if not allow:
            return self._redirect_error(
                request.redirect_uri, request.state, "access_denied"
            ).location
        code = self._secret()
        self._authorization_codes[code] = AuthorizationCode(
            request, self.sub, self._clock() + AUTHORIZATION_CODE_SECONDS
        )
        return self._redirect(request.redirect_uri, request.state, code=code)

    def token(self, client: Client, params: Params) -> dict[str, object]:
        """Return the answer of the token endpoint.

        Raises:
            OAuthError: The grant is refused.
        """
        match params.get("grant_type"):
            case "authorization_code":
                return self._redeem_code(client, params)
            case "refresh_token":
                return self._refresh(client, params.get("refresh_token", ""))
            case "client_credentials":
                if client.secret is None:
                    raise OAuthError("unauthorized_client", "a public client has no secret")
                self._check_audience(params)
                family = Family(client.id, client.id, params.get("scope", ""), refreshable=False)
                return self._issue(family)
            case g if g == DEVICE_GRANT and self.options.device_grant:
                return self._poll(client, params.get("device_code", ""))
            case _:
                raise OAuthError("unsupported_grant_type")

    def revoke(self, client: Client, token: str) -> None:
        """End the login a refresh token belongs to, or one access token; unknown ones pass."""
        if (refresh := self._refresh_tokens.get(token)) is not None:
            if refresh.family.client_id == client.id:
                refresh.family.revoked = True
            return
        access = self._access_tokens.get(token)
        if access is not None and access.family.client_id == client.id:
            del self._access_tokens[token]

    def revoke_everything(self) -> None:
        """End every login, as an administrator does."""
        for token in (*self._refresh_tokens.values(), *self._access_tokens.values()):
            token.family.revoked = True

    def expire(self, what: str) -> None:
        """Let codes or tokens end now.

        Args:
            what: `device_codes`, `access_tokens` or `refresh_tokens`.

        Raises:
            ValueError: Anything else.
        """
        now = self._clock()
        match what:
            case "device_codes":
                for code in self._device_codes.values():
                    code.expires_at = now
            case "access_tokens" | "refresh_tokens":
                access = what == "access_tokens"
                for token in (self._access_tokens if access else self._refresh_tokens).values():
                    token.expires_at = now
            case _:
                raise ValueError("expire device_codes, access_tokens or refresh_tokens")

    def now(self) -> float:
        """Return the provider's own clock, Unix seconds."""
        return self._clock()

    def _poll(self, client: Client, device_code: str) -> dict[str, object]:
        code = self._device_codes.get(device_code)
        if code is None or code.client_id != client.id:
            raise OAuthError("invalid_grant", "device code is not known or was used")
        now = self._clock()
        early = (
            code.polled_at is not None
            and now - code.polled_at < code.interval_seconds - POLL_TOLERANCE_SECONDS
        )
        code.polled_at = now
        if now >= code.expires_at:
            raise OAuthError("expired_token")
        if early:
            code.interval_seconds += SLOW_DOWN_SECONDS
            status = 429 if self.options.slow_down_as_429 else 400
            raise OAuthError("slow_down", status=status)
        if code.denied:
            raise OAuthError("access_denied")
        wait = self.options.auto_approve_seconds
        if code.sub is None and wait is not None and now >= code.began_at + wait:
            code.sub = self.sub
        if code.sub is None:
            raise OAuthError("authorization_pending")
        del self._device_codes[device_code]
        return self._issue(Family(client.id, code.sub, code.scope))

    def _redeem_code(self, client: Client, params: Params) -> dict[str, object]:
        code = self._authorization_codes.get(params.get("code", ""))
        if code is None or code.request.client_id != client.id:
            raise OAuthError("invalid_grant", "code is not known")
        if code.family is not None:
            code.family.revoked = True
            raise OAuthError("invalid_grant", "code was used before; its login is revoked")
        if code.expires_at <= self._clock():
            raise OAuthError("invalid_grant", "code has expired")
        if params.get("redirect_uri") != code.request.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri differs")
        digest = hashlib.sha256(params.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(base64url(digest), code.request.code_challenge):
            raise OAuthError("invalid_grant", "code_verifier does not match")
        may_refresh = code.request.consented or not self.options.consent_for_refresh
        code.family = Family(client.id, code.sub, code.request.scope, refreshable=may_refresh)
        return self._issue(code.family, nonce=code.request.nonce)

    def _check_audience(self, params: Params) -> None:
        wanted = self.options.audience
        if wanted and wanted not in (params.get("audience"), params.get("resource")):
            raise OAuthError("invalid_target", "no API of ours is named")

    def _refresh(self, client: Client, token: str) -> dict[str, object]:
        if self.options.refuse_refresh:
            raise OAuthError(self.options.refuse_refresh, "not by this token")
        known = self._refresh_tokens.get(token)
        if known is None or known.family.client_id != client.id:
            raise OAuthError("invalid_grant", "refresh token is not known")
        now = self._clock()
        if known.family.revoked or known.expires_at <= now:
            raise OAuthError("invalid_grant", "refresh token is revoked or has expired")
        if known.rotated_at is None:
            known.rotated_at = now
        elif now - known.rotated_at >= self.options.reuse_leeway_seconds:
            known.family.revoked = True
            raise OAuthError("invalid_grant", "refresh token was used before; login is revoked")
        return self._issue(known.family)

    def _issue(self, family: Family, *, nonce: str = "") -> dict[str, object]:
        now = self._clock()
        access = self._secret()
        self._access_tokens[access] = Token(family, now + self.options.access_token_seconds)
        scopes = family.scope.split()
        answer: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.options.access_token_seconds,
            "scope": family.scope,
        }
        may_stay = "offline_access" in scopes or not self.options.offline_access_required
        if family.refreshable and may_stay:
            refresh = self._secret()
            self._refresh_tokens[refresh] = Token(family, now + self.options.refresh_token_seconds)
            answer["refresh_token"] = refresh
        if "openid" in scopes:
            fault = self.options.id_token_fault
            claims = self._claims(family, access, nonce)
            if fault is not IdTokenFault.MISSING:
                answer["id_token"] = self.signer.sign(claims, fault)
        return answer

    def _claims(self, family: Family, access_token: str, nonce: str) -> dict[str, object]:
        now = int(self._clock())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": family.client_id,
            "azp": family.client_id,
            "sub": family.sub,
            "iat": now,
            "exp": now + self.options.access_token_seconds,
            "at_hash": base64url(hashlib.sha256(access_token.encode()).digest()[:16]),
        }
        if nonce:
            claims["nonce"] = nonce
        return claims

    def _redirect(self, uri: str, state: str, **params: str) -> str:
        if state:
            params["state"] = state
        params["iss"] = self.issuer
        return uri + ("&" if "?" in uri else "?") + urlencode(params)

    def _redirect_error(self, uri: str, state: str, error: str) -> RedirectError:
        return RedirectError(self._redirect(uri, state, error=error))

    def _secret(self) -> str:
        return "".join(self._chance.choice(_TOKEN_LETTERS) for _ in range(43))

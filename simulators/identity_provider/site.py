"""The simulated OpenID provider on the wire: discovery, login pages, tokens, control.

`python -m simulators oidc --port N` serves it alone; `backoffice.py` serves it beside the API.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import html
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from simulators.http_server import (
    Front,
    announce_and_wait,
    bind,
    control_route,
    drop_connection,
    running,
)
from simulators.identity_provider.provider import DEVICE_GRANT, Provider
from simulators.identity_provider.records import (
    Client,
    IdTokenFault,
    OAuthError,
    Options,
    RedirectError,
)

CLIENT_ID = "paybridge"
"""The public client that is registered unless told otherwise."""

REDIRECT_URI = "http://127.0.0.1:8765/callback"
"""Its redirect address; compared to the last character, port included."""

SERVER_CLIENT = "paybridge-server:simulated-secret"
"""The confidential client that is registered unless told otherwise, as ID:SECRET."""

FORM_BYTES_MAX = 64_000
"""Largest form read; tokens and codes are far smaller."""

_PORTAL = "<!doctype html><title>Welcome</title><h1>Please accept the terms of this network</h1>"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Handler = Callable[[Request], Awaitable[Response]]


class ProviderSite:
    """The provider's web pages and endpoints.

    Args:
        provider: What decides.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def routes(self) -> list[Route]:
        """Return the routes, below the path of the issuer."""
        base = urlsplit(self.provider.issuer).path.rstrip("/")
        return [
            self._route(base + "/.well-known/openid-configuration", self._discovery, "GET"),
            self._route(base + "/.well-known/jwks", self._jwks, "GET"),
            self._route(base + "/connect/device", self._device_authorization, "POST"),
            self._route(base + "/connect/token", self._token, "POST"),
            self._route(base + "/connect/revoke", self._revoke, "POST"),
            self._route(base + "/connect/authorize", self._authorize, "GET", "POST"),
            self._route(base + "/device", self._device_page, "GET", "POST"),
        ]

    def control(self, command: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Do what a control command says; None when it is none of ours.

        Raises:
            ValueError: The command is ours but cannot be followed.
            KeyError: It lacks a setting.
        """
        provider = self.provider
        match command.get("do"):
            case "approve" | "deny" as decision:
                code = str(command["user_code"])
                if not provider.decide_device(code, allow=decision == "approve"):
                    raise ValueError("no login waits for this user_code")
            case "revoke":
                provider.revoke_everything()
            case "expire":
                provider.expire(str(command["what"]))
            case "set_sub":
                provider.sub = str(command["sub"])
            case "rotate_key":
                provider.signer.rotate()
            case "lose_token_answer":
                grant = str(command.get("grant", "refresh_token"))
                grant = DEVICE_GRANT if grant == "device_code" else grant
                provider.options.lose_answers[grant] = int(command.get("times", 1))
            case "login_options":
                self._set_options({k: v for k, v in command.items() if k != "do"})
            case _:
                return None
        return {"waiting": list(provider.waiting_user_codes())}

    def _set_options(self, given: Mapping[str, Any]) -> None:
        options = self.provider.options
        unknown = set(given) - {f.name for f in fields(Options)}
        if unknown:
            raise ValueError(f"unknown option {sorted(unknown)[0]}")
        for name, value in given.items():
            setattr(options, name, IdTokenFault(value) if name == "id_token_fault" else value)

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        async def guarded(request: Request) -> Response:
            options = self.provider.options
            if options.captive_portal:
                return HTMLResponse(_PORTAL)
            if options.unavailable > 0:
                options.unavailable -= 1
                return Response("Service Unavailable", 503)
            try:
                answer = await handler(request)
            except OAuthError as error:
                answer = _refusal(error)
            answer.headers["date"] = formatdate(self.provider.now(), usegmt=True)
            return answer

        return Route(path, guarded, methods=list(methods))

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse(self.provider.discovery())

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(self.provider.signer.jwks())

    async def _device_authorization(self, request: Request) -> Response:
        params = await _form(request)
        client = self._client(request, params)
        if not self.provider.options.device_grant:
            return Response(status_code=404)
        begun = self.provider.begin_device_login(client, params)
        return JSONResponse(begun, headers=_NO_STORE)

    async def _token(self, request: Request) -> Response:
        params = await _form(request)
        issued = self.provider.token(self._client(request, params), params)
        grant = params["grant_type"]
        lost = self.provider.options.lose_answers
        if lost.get(grant, 0) > 0:
            lost[grant] -= 1
            await drop_connection(request.scope)
        return JSONResponse(issued, headers=_NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        params = await _form(request)
        self.provider.revoke(self._client(request, params), params.get("token", ""))
        return Response()

    async def _device_page(self, request: Request) -> Response:
        if request.method == "GET":
            return _page(
                "Connect a device",
                "Type the code that the device shows.",
                {},
                code=request.query_params.get("user_code", ""),
            )
        params = await _form(request)
        allow = params.get("decision") == "allow"
        if not self.provider.decide_device(params.get("user_code", ""), allow=allow):
            return HTMLResponse("<p>This code is not known or has expired.</p>", 400)
        return HTMLResponse(f"<p>The device is {'connected' if allow else 'refused'}.</p>")

    async def _authorize(self, request: Request) -> Response:
        query = request.method == "GET"
        params = dict(request.query_params) if query else await _form(request)
        try:
            asked = self.provider.authorization_request(params)
        except RedirectError as error:
            return RedirectResponse(error.location, 302)
        if query and self.provider.options.auto_approve_seconds is None:
            return _page("Log in", f"{asked.client_id} asks for: {asked.scope}", params)
        allow = query or params.get("decision") == "allow"
        return RedirectResponse(self.provider.decide_authorization(asked, allow=allow), 302)

    def _client(self, request: Request, params: Mapping[str, str]) -> Client:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise OAuthError("invalid_client", "malformed credentials", 401) from None
            client_id, _, secret = pair.partition(":")
            return self.provider.client(unquote_plus(client_id), unquote_plus(secret))
        return self.provider.client(params.get("client_id", ""), params.get("client_secret"))


async def _form(request: Request) -> dict[str, str]:
    """Return the form of a POST.

    Raises:
        OAuthError: It is no form, too large, or says something twice.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise OAuthError("invalid_request", "a form is needed")
    body = await request.body()
    if len(body) > FORM_BYTES_MAX:
        raise OAuthError("invalid_request", "form is too large", 413)
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    params = dict(pairs)
    if len(params) != len(pairs):
        raise OAuthError("invalid_request", "a parameter is repeated")
    return params


def _refusal(error: OAuthError) -> Response:
    if error.status == 429:
        return Response(status_code=429)
    headers = dict(_NO_STORE)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Basic"
    body = {"error": error.error, "error_description": str(error)}
    return JSONResponse(body, error.status, headers)


def _page(
    title: str, words: str, hidden: Mapping[str, str], code: str | None = None
) -> HTMLResponse:
    """Return a page with Allow and Deny, which posts back to its own address."""
    inputs = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in hidden.items()
    )
    if code is not None:
        inputs += f'<input name="user_code" value="{html.escape(code)}" autofocus>'
    return HTMLResponse(
        f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>"
        f'<p>{html.escape(words)}</p><form method="post" action="?">{inputs}'
        '<button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="deny">Deny</button></form>'
    )


def add_login_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what concerns the login, for this simulator and for the back office."""
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default 127.0.0.1)")
    parser.add_argument("--tenant", default="", help="path prefix of issuer and API, e.g. /store")
    parser.add_argument("--seed", type=int, help="repeatable codes, tokens and faults")
    parser.add_argument("--client-id", default=CLIENT_ID, help=f"public client ({CLIENT_ID})")
    parser.add_argument(
        "--redirect-uri",
        action="append",
        help=f"registered redirect address of the public client ({REDIRECT_URI}); repeatable",
    )
    parser.add_argument(
        "--server-client", default=SERVER_CLIENT, metavar="ID:SECRET", help="confidential client"
    )
    parser.add_argument("--no-device-grant", action="store_true", help="offer no device login")
    parser.add_argument("--no-interval", action="store_true", help="leave out the poll interval")
    parser.add_argument(
        "--auto-approve",
        type=float,
        metavar="SECONDS",
        help="allow every login this long after it began",
    )
    parser.add_argument("--interval", type=int, default=5, help="seconds between polls (5)")
    parser.add_argument("--access-seconds", type=int, default=3600, help="access token life (3600)")
    parser.add_argument(
        "--refresh-seconds", type=int, default=14 * 24 * 3600, help="refresh token life (14 days)"
    )
    parser.add_argument(
        "--reuse-leeway-seconds",
        type=int,
        default=30,
        help="how long a rotated refresh token still works (30)",
    )


def provider_from(arguments: argparse.Namespace, issuer: str) -> Provider:
    """Return the provider that the arguments describe."""
    uris = tuple(arguments.redirect_uri or (REDIRECT_URI,))
    server_id, _, secret = arguments.server_client.partition(":")
    return Provider(
        issuer,
        (Client(arguments.client_id, redirect_uris=uris), Client(server_id, secret)),
        clock=time.time,
        chance=chance_from(arguments.seed),
        options=Options(
            device_grant=not arguments.no_device_grant,
            advertise_interval=not arguments.no_interval,
            interval_seconds=arguments.interval,
            access_token_seconds=arguments.access_seconds,
            refresh_token_seconds=arguments.refresh_seconds,
            reuse_leeway_seconds=arguments.reuse_leeway_seconds,
            auto_approve_seconds=arguments.auto_approve,
        ),
    )


def chance_from(seed: int | None) -> random.Random:
    """Return repeatable chance for a seed, the system's own without one."""
    return random.SystemRandom() if seed is None else random.Random(seed)


def create_app(site: ProviderSite) -> Starlette:
    """Return the provider with its control endpoint, for a server or an in-process client."""
    return Starlette(routes=[*site.routes(), control_route(site.control)])


def base_url(host: str, port: int, tenant: str = "") -> str:
    """Return the address of a server with a trailing slash."""
    shown = f"[{host}]" if ":" in host else host
    path = tenant.strip("/")
    return f"http://{shown}:{port}/" + (f"{path}/" if path else "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of `python -m simulators oidc`."""
    parser.description = "An OpenID provider with device login, rotation and reuse detection."
    add_login_arguments(parser)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until cancelled; prints one JSON line with the addresses when ready.

    Raises:
        OSError: The port is in use.
    """
    listener = bind(arguments.host, arguments.port)
    issuer = base_url(arguments.host, listener.getsockname()[1], arguments.tenant)
    site = ProviderSite(provider_from(arguments, issuer))
    front = Front(create_app(site), listener)
    async with running(front):
        await announce_and_wait(
            {"simulator": "oidc", "issuer": issuer, "control": _control_url(issuer)}
        )


def _control_url(issuer: str) -> str:
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/_control"

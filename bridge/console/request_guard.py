"""Turns away what no page of ours sends, and puts the security headers on every answer.

A page of somebody else's, opened on the same PC, can reach 127.0.0.1 too: by name (DNS rebinding)
or by a form of its own. So the Host must be one of ours, and whatever changes something must come
from our own origin. Source: Fetch standard, "Origin header" and "Fetch Metadata"; CSP level 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
QUERY_BYTES_MAX = 2_048
BODY_BYTES_MAX = 65_536  # a bulk answer over some hundred payments
SAFE_METHODS = frozenset({"GET", "HEAD"})

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not `no-referrer`: with it browsers hide the origin of our own forms, too.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()",
}


class RequestGuard:
    """Stands before the pages."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], *, is_tls: bool) -> None:
        """Guard `app`, which is reached by the names in `hosts` and those of this machine."""
        self._app = app
        self._hosts = LOOPBACK_NAMES | {host.lower().strip("[]") for host in hosts}
        self._scheme = "https" if is_tls else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        refusal = self._why_not(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
            await send(message)

        if refusal is not None:
            status, text = refusal
            await PlainTextResponse(text, status)(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _why_not(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and words for what is turned away, None for what may come in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            return 421, "This console is not served under that name."
        if len(scope["query_string"]) > QUERY_BYTES_MAX:
            return 414, "That is too much to look for."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            return 413, "That is too much at once."
        if scope["method"] in SAFE_METHODS:
            cross = headers.get("sec-fetch-site", "") == "cross-site"
            if cross and headers.get("sec-fetch-mode", "navigate") != "navigate":
                return 403, "This page is not for other pages."
            return None
        if headers.get("origin", "") != f"{self._scheme}://{host}":
            return 403, "This did not come from a page of this console."
        return None


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port; "" where there is none to trust."""
    try:
        parts = urlsplit(f"//{host}")
        name, is_plain = parts.hostname or "", parts.username is None and not parts.path
    except ValueError:
        return ""
    return name if is_plain else ""

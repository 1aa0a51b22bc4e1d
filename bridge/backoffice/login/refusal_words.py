"""What a provider's error codes mean for a person here, in words of ours. Pure.

What a provider writes beside a code is for its own readers and may quote what we sent: nobody
here sees it.
"""

from __future__ import annotations

import re

from bridge.errors import Rejected

OTHER_CODE = "other"
"""In the place of a code that is none: nobody else's text is shown on a terminal."""

_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_WORDS = {
    "access_denied": "somebody said no",
    "authorization_declined": "somebody said no",
    "consent_required": "a person has to agree first",
    "expired_token": "the code has expired; ask for a new one",
    "interaction_required": "a person has to log in again",
    "invalid_client": "it does not accept this client: look at back_office.login.client_id and at "
    "the client's secret",
    "invalid_grant": "it does not accept what it gave before; log in again",
    "invalid_request": "it does not understand how we ask: look at back_office.login",
    "invalid_scope": "it does not give this client what back_office.login.scopes asks for",
    "invalid_target": "it knows no such API: look at back_office.login.audience and resource",
    "login_required": "a person has to log in again",
    "server_error": "it has troubles of its own; try again later",
    "temporarily_unavailable": "it has troubles of its own; try again later",
    "unauthorized_client": "this client may not log in this way: have it allowed there, or choose "
    "another back_office.login.flow",
    "unsupported_grant_type": "it offers no such login: choose another back_office.login.flow",
    "unsupported_token_type": "it gives tokens of a kind that cannot be used; only Bearer can",
    "unsupported_response_type": "it offers no such login: choose another back_office.login.flow",
}
"""Source: RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628, section 3.5; RFC 8707, section 2; OpenID
Connect Core 1.0, section 3.1.2.6; `authorization_declined` is Microsoft's for `access_denied`."""


def plain_code(code: str) -> str:
    """Return a provider's code, or `OTHER_CODE` for what is none."""
    return code if _CODE.fullmatch(code) else OTHER_CODE


def in_words(code: str) -> str:
    """Return what a code means for a person here."""
    return _WORDS.get(code, "the login provider refuses; ask who runs it what this code means")


def rejected(code: str) -> Rejected:
    """Return the refusal of a login for a reason that trying again does not cure."""
    return Rejected(plain_code(code), in_words(code))

"""What a conversation says over its line to the POS server, and hears, as bytes. Pure.

A station's line carries bytes, and here they are ours: each message is a line of JSON. Only
`line.py` and `dialogue.py` read them; nothing of it leaves the process.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import NotApplied, Refused, Unknown

_ASKS = (api.Start, api.Continue, api.Capture, api.Look, api.Find)
_TOLD = (
    *(api.ShownPayment, api.ShownError, api.Continuation, api.Reachable),
    *(api.NotFound, api.NotOffered, NotApplied, Refused, Unknown),
)
_BY_NAME = {each.__name__: each for each in (*_ASKS, *_TOLD)}
END = b"\n"


def encode(message: api.Ask | api.Told) -> bytes:
    """Return a message as one line."""
    fields = asdict(message)
    if isinstance(message, api.Start):
        fields["kind"] = message.kind.value
    return json.dumps({"is": type(message).__name__, "has": fields}).encode() + END


def decode_ask(line: bytes) -> api.Ask:
    """Return what `encode` wrote of something asked."""
    said = json.loads(line)
    fields = said["has"]
    if said["is"] == api.Start.__name__:
        fields = {**fields, "kind": api.Kind(fields["kind"])}
    ask = _BY_NAME[said["is"]](**fields)
    assert isinstance(ask, _ASKS), "only asks are written"
    return ask


def decode_told(line: bytes) -> api.Told:
    """Return what `encode` wrote of something told."""
    said = json.loads(line)
    told = _BY_NAME[said["is"]](**said["has"])
    assert isinstance(told, _TOLD), "only answers are read"
    return told

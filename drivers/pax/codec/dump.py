"""Payloads as text for debug logs, without card numbers. Pure."""

from __future__ import annotations

from drivers.pax.codec.codes import TENDER_OF_COMMAND
from drivers.pax.codec.fields import ENCODING, FS, US, mask_text

_ASKED_ACCOUNT = 4  # command, version, type, amount, account
_SECRET_KEYS = ("TOKEN", "CARDBIN", "TRACK", "PASSTHRUDATA", "SIGN")


def masked_payload(payload: bytes) -> str:
    """Return `payload` readable, separators as names, everything that may be a card masked.

    An account that the register names is masked whole, as are the values of keys that hold card
    data; elsewhere every number of twelve digits and more is.
    """
    fields = payload.decode(ENCODING).split(FS)
    if fields[0] in TENDER_OF_COMMAND and len(fields) > _ASKED_ACCOUNT:
        account = fields[_ASKED_ACCOUNT]
        fields[_ASKED_ACCOUNT] = "".join(c if c == US else "*" for c in account)
    shown = [US.join(_masked_part(part) for part in field.split(US)) for field in fields]
    text = mask_text(FS.join(shown)).replace(FS, "[FS]").replace(US, "[US]")
    return "".join(c if c.isprintable() else f"[{ord(c):02X}]" for c in text)


def _masked_part(part: str) -> str:
    key, equals, value = part.partition("=")
    secret = equals and key.upper().startswith(_SECRET_KEYS)
    return f"{key}={'*' * len(value)}" if secret else part

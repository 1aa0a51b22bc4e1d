"""What can still be read of a message that cannot be decoded: whose answer, and where. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

REQUEST_ID_CHARACTERS_MAX: Final = 64
ECHOED_CHARACTERS_MAX: Final = 1_024  # of an id that is longer than any may be
SALVAGE_BYTES_MAX: Final = 1 << 20  # what is longer has told its name by then, or never will
PATH_CHARACTERS_MAX: Final = 200
CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
# A text, a number or a sign of JSON; whatever stands between them is skipped.
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(-?\d+)|([{}\[\]:,])', re.S)


def salvage_ids(payload: bytes, correlation: bytes | None = None) -> tuple[str, str | None]:
    """Return the request id and payment id of a payload that was refused, for its answer.

    Also of one that is no JSON, cut off or too long. A request id that is none (a number, too
    long) is better than nothing, but not better than `correlation`. Without any it is "", the
    payment id None. Never raises.
    """
    found = _top_fields(payload)
    request_id, payment_id = found.get("request_id"), found.get("payment_id")
    if not is_plain(request_id):
        request_id = correlation_text(correlation) if correlation else _echoed(request_id)
    return request_id, payment_id if is_plain(payment_id) else None


def is_plain(value: object) -> TypeGuard[str]:
    """Say whether `value` is a text that may name something."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= REQUEST_ID_CHARACTERS_MAX
        and CONTROL.search(value) is None
    )


def correlation_text(correlation: bytes) -> str:
    """Correlation Data as text: itself where it is short UTF-8, else the start of its hex."""
    text = correlation.decode(errors="replace")
    plain = "\ufffd" not in text and is_plain(text)
    return text if plain else correlation.hex()[:REQUEST_ID_CHARACTERS_MAX]


def path_at(text: str, position: int) -> str:
    """Return the dotted path of the field that stands at a position of broken JSON, "" for none."""
    open_parts: list[list[Any]] = []  # the key or the index, of each object or list that is open
    for kind, value, start in _tokens(text):
        if start >= position:
            break
        if value in {"{", "["} and kind == "sign":
            open_parts.append(["" if value == "{" else 0])
        elif value in {"}", "]"} and kind == "sign":
            if open_parts:
                open_parts.pop()
        elif kind == "key" and open_parts:
            open_parts[-1][0] = value
        elif value == "," and kind == "sign" and open_parts:
            open_parts[-1][0] = open_parts[-1][0] + 1 if isinstance(open_parts[-1][0], int) else ""
    parts = [str(part[0]) for part in open_parts if part[0] != ""]
    path = ".".join(parts)
    return path if len(path) <= PATH_CHARACTERS_MAX else ""


def _echoed(value: object) -> str:
    """Return what a register wrote for a request id, as a text; "" when it cannot be written."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() <= ECHOED_CHARACTERS_MAX else ""
    if not isinstance(value, str) or len(value) > ECHOED_CHARACTERS_MAX:
        return ""
    return "" if _SURROGATE.search(value) else value


def _top_fields(payload: bytes) -> dict[str, Any]:
    """Return the fields of the outermost object, of broken JSON those that can be made out."""
    payload = payload[:SALVAGE_BYTES_MAX]
    try:
        data = json.loads(payload.decode())
        return data if isinstance(data, dict) else {}
    except (ValueError, RecursionError):
        pass
    found: dict[str, Any] = {}
    key, depth = "", 0
    for kind, value, _ in _tokens(payload.decode(errors="replace")):
        if kind == "sign":
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(value, 0)
            if value == ",":
                key = ""
        elif depth == 1 and kind == "key":
            key = value
        elif depth == 1 and key:
            found.setdefault(key, int(value[:ECHOED_CHARACTERS_MAX]) if kind == "int" else value)
    return found


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind (`key`, `text`, `int`, `sign`), value and position of what JSON is made of."""
    for each in _TOKEN.finditer(text):
        quoted, number, sign = each.groups()
        if sign is not None:
            yield "sign", sign, each.start()
        elif number is not None:
            yield "int", number, each.start()
        else:
            rest = text[each.end() : each.end() + 16].lstrip()
            yield ("key" if rest.startswith(":") else "text"), _unescaped(quoted), each.start()


def _unescaped(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    try:
        return str(json.loads(f'"{quoted}"', strict=False))
    except ValueError:
        return quoted

"""From a command's bytes to its model, or to the refusal that helps the integrator. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from bridge.errors import RequestError
from bridge.register.api.commands import REQUESTS, AnyRequest
from bridge.register.api.faults import did_you_mean, json_fault, refusal, shown
from bridge.register.api.fields import SCANNED_FIELDS
from bridge.register.api.salvage import (
    CONTROL,
    PATH_CHARACTERS_MAX,
    correlation_text,
    path_at,
)
from bridge.register.api.state_documents import RegisterState

REQUEST_BYTES_MAX: Final = 64 * 1024  # a trolley of some 300 complete sale lines
DEPTH_MAX: Final = 16  # our deepest message has 4 levels; metadata may add some
DIGITS_MAX: Final = 64  # of a whole number; nothing that a register counts has twenty


def decode_request(
    operation: str, payload: bytes, *, correlation: bytes | None = None
) -> AnyRequest:
    """Return the command that `payload` spells, or refuse it before anything was done.

    Args:
        operation: From the topic, e.g. `payment/start`.
        payload: JSON, at most `REQUEST_BYTES_MAX` bytes.
        correlation: MQTT 5 Correlation Data; it is the request id where the payload has none.

    Raises:
        RequestError: `unknown_operation`, `invalid_json`, `invalid_request` or `invalid_amount`;
            `path` names the field.
    """
    model = REQUESTS.get(operation)
    if model is None:
        raise RequestError(
            "unknown_operation",
            f"there is no operation {shown(operation)}" + did_you_mean(operation, REQUESTS),
            known=sorted(REQUESTS),
        )
    data = _decode_object(payload)
    if "request_id" not in data and correlation:
        data["request_id"] = correlation_text(correlation)
    try:
        request = model.model_validate(data)
    except ValidationError as error:
        raise refusal(error, model) from None
    request.check_amounts()
    return request


def decode_register_state(payload: bytes) -> RegisterState | None:
    """Return what a register says of itself; None for an emptied topic or for nonsense.

    A register's state moves no money, so nonsense is worth a log line and no answer.
    """
    try:
        return RegisterState.model_validate(_decode_object(payload))
    except (RequestError, ValidationError):
        return None


@dataclass(frozen=True, slots=True)
class _Odd:
    """What stands where JSON has no value, kept until its place is known."""

    words: str


class _Doubled(dict[str, Any]):
    """An object in which `field` stands twice."""

    field = ""


def _decode_object(payload: bytes) -> dict[str, Any]:
    if len(payload) > REQUEST_BYTES_MAX:
        raise RequestError(
            "invalid_request",
            f"the message has {len(payload)} bytes, the most is {REQUEST_BYTES_MAX}",
            limit_bytes=REQUEST_BYTES_MAX,
        )
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        read = payload[: error.start].decode(errors="replace")
        path = path_at(read, len(read))
        raise RequestError("invalid_json", f"not UTF-8 at byte {error.start}", path=path) from None
    try:
        data = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=lambda name: _Odd(f"{name} is no JSON number"),
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        raise json_fault(text, error) from None
    except RecursionError:
        raise RequestError("invalid_json", "nested too deeply") from None
    if not isinstance(data, dict):
        raise RequestError("invalid_request", "the message must be one JSON object")
    _check_values(data)
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            doubled = _Doubled(pairs)
            doubled.field = key
            return doubled
        found[key] = value
    return found


def _finite(text: str) -> float | _Odd:
    number = float(text)
    return number if math.isfinite(number) else _Odd(f"{shown(text)} is no JSON number")


def _whole(text: str) -> int | _Odd:
    return int(text) if len(text) <= DIGITS_MAX else _Odd("this number has too many digits")


def _check_values(data: dict[str, Any]) -> None:
    """Refuse what no JSON means, and what no log, database or display should ever see."""
    level: list[tuple[str, Any]] = [("", data)]
    for _ in range(DEPTH_MAX):
        below: list[tuple[str, Any]] = []
        for path, value in level:
            match value:
                case _Odd(words):
                    raise RequestError("invalid_json", words, path=path)
                case _Doubled(field=name):
                    where = f"{path}.{name}" if path else name
                    raise RequestError(
                        "invalid_json",
                        f"the field {shown(name)} stands twice",
                        path=where[:PATH_CHARACTERS_MAX],
                    )
                case dict():
                    for key, inner in value.items():
                        _check_text(key, path)
                        below.append((f"{path}.{key}" if path else key, inner))
                case list():
                    below.extend((f"{path}.{index}", inner) for index, inner in enumerate(value))
                case str() if path.rpartition(".")[2] in SCANNED_FIELDS:
                    _check_text(value.strip(" \t\r\n"), path)  # as the model reads it
                case str():
                    _check_text(value, path)
        if not below:
            return
        level = below
    raise RequestError(
        "invalid_json",
        f"nested deeper than {DEPTH_MAX} levels",
        path=level[0][0][:PATH_CHARACTERS_MAX],
    )


def _check_text(text: str, path: str) -> None:
    if CONTROL.search(text):
        raise RequestError(
            "invalid_request", "control characters and half surrogates are refused", path=path
        )

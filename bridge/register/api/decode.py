"""From a command's bytes to its model, or to the refusal that helps the integrator. Pure."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeGuard, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import RequestError
from bridge.register.api.commands import REQUESTS, AnyRequest
from bridge.register.api.envelope import Request
from bridge.register.api.state_documents import RegisterState

REQUEST_BYTES_MAX: Final = 64 * 1024  # a trolley of some 300 complete sale lines
DEPTH_MAX: Final = 16  # our deepest message has 4 levels; metadata may add some
REQUEST_ID_CHARACTERS_MAX: Final = 64
_SHOWN_CHARACTERS_MAX: Final = 40  # of a register's own text in an error message
_ALIKE: Final = 0.6  # difflib's own measure of a good match
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


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
            f"there is no operation {_shown(operation)}" + _did_you_mean(operation, REQUESTS),
            known=sorted(REQUESTS),
        )
    data = _decode_object(payload)
    if "request_id" not in data and correlation:
        data["request_id"] = _correlation_text(correlation)
    try:
        request = model.model_validate(data)
    except ValidationError as error:
        raise _refusal(error, model) from None
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


def salvage_ids(payload: bytes, correlation: bytes | None = None) -> tuple[str, str | None]:
    """Return the request id and payment id of a payload that was refused, for its answer.

    The request id falls back on `correlation`, then on ""; the payment id on None. Never raises.
    """
    try:
        data = json.loads(payload[:REQUEST_BYTES_MAX])
    except (ValueError, RecursionError):
        data = None
    found: dict[str, Any] = data if isinstance(data, dict) else {}
    request_id, payment_id = found.get("request_id"), found.get("payment_id")
    if not _is_plain(request_id):
        request_id = _correlation_text(correlation) if correlation else ""
    return request_id, payment_id if _is_plain(payment_id) else None


def _is_plain(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and 0 < len(value) <= REQUEST_ID_CHARACTERS_MAX
        and _CONTROL.search(value) is None
    )


def _correlation_text(correlation: bytes) -> str:
    """Correlation Data as text: itself where it is short UTF-8, else the start of its hex."""
    text = correlation.decode(errors="replace")
    plain = "\ufffd" not in text and _is_plain(text)
    return text if plain else correlation.hex()[:REQUEST_ID_CHARACTERS_MAX]


class _Duplicate(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _NotFinite(ValueError):
    pass


def _decode_object(payload: bytes) -> dict[str, Any]:
    if len(payload) > REQUEST_BYTES_MAX:
        raise RequestError(
            "invalid_request",
            f"the message has {len(payload)} bytes, the most is {REQUEST_BYTES_MAX}",
            limit_bytes=REQUEST_BYTES_MAX,
        )
    try:
        data = json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise RequestError("invalid_json", f"not UTF-8 at byte {error.start}") from None
    except _Duplicate as error:
        raise RequestError(
            "invalid_json", f"the field {_shown(error.key)} stands twice", path=error.key[:64]
        ) from None
    except _NotFinite as error:
        raise RequestError("invalid_json", f"{error} is no JSON number") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            "invalid_json", f"{error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError:  # a whole number of thousands of digits
        raise RequestError("invalid_json", "a number has too many digits") from None
    except RecursionError:
        raise RequestError("invalid_json", "nested too deeply") from None
    if not isinstance(data, dict):
        raise RequestError("invalid_request", "the message must be one JSON object")
    _check_strings(data)
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Duplicate(key)
        found[key] = value
    return found


def _refuse_constant(name: str) -> float:
    raise _NotFinite(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotFinite(text[:_SHOWN_CHARACTERS_MAX])
    return number


def _check_strings(data: dict[str, Any]) -> None:
    """Refuse depth and characters that no log, database or display should ever see."""
    level: list[tuple[str, Any]] = [("", data)]
    for _ in range(DEPTH_MAX):
        below: list[tuple[str, Any]] = []
        for path, value in level:
            match value:
                case dict():
                    for key, inner in value.items():
                        _check_text(key, path)
                        below.append((f"{path}.{key}" if path else key, inner))
                case list():
                    below.extend((f"{path}.{index}", inner) for index, inner in enumerate(value))
                case str():
                    _check_text(value, path)
        if not below:
            return
        level = below
    raise RequestError(
        "invalid_json", f"nested deeper than {DEPTH_MAX} levels", path=level[0][0][:200]
    )


def _check_text(text: str, path: str) -> None:
    if _CONTROL.search(text):
        raise RequestError(
            "invalid_request", "control characters and half surrogates are refused", path=path
        )


def _refusal(error: ValidationError, model: type[Request]) -> RequestError:
    """Choose the one fault to name: a field we do not know first, since it explains the others."""
    faults = error.errors(include_url=False, include_context=True)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    fault = (unknown or faults)[0]
    path = ".".join(str(part)[:_SHOWN_CHARACTERS_MAX] for part in fault["loc"])
    code = "invalid_amount" if fault["type"] == "invalid_amount" else "invalid_request"
    return RequestError(code, _words(fault, model), path=path)


def _words(fault: ErrorDetails, model: type[Request]) -> str:
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    match fault["type"]:
        case "extra_forbidden":
            return f"there is no field {_shown(name)} here" + _did_you_mean_field(
                name, model, fault["loc"][:-1]
            )
        case "missing":
            return f"the field {name!r} is missing"
        case "model_type" | "dict_type":
            return "must be a JSON object"
        case "tuple_type":
            return "must be a JSON array"
        case "string_pattern_mismatch" if name in {"payment_id", "operation_id"}:
            return "write a UUID in lower case, like '018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e'"
        case _:
            return fault["msg"][:1].lower() + fault["msg"][1:]


def _did_you_mean_field(
    name: str, model: type[BaseModel], owner_path: tuple[int | str, ...]
) -> str:
    """Look for the field beside the wrong one first, then anywhere in the command."""
    everywhere = dict(_fields_below(model, ""))
    prefix = "".join(f"{part}." for part in owner_path)
    beside = [
        path.removeprefix(prefix)
        for path in everywhere
        if path.startswith(prefix) and "." not in path.removeprefix(prefix)
    ]
    if words := _did_you_mean(name, beside):
        return words
    close = difflib.get_close_matches(name, set(everywhere.values()), n=1, cutoff=_ALIKE)
    paths = [path for path, last in everywhere.items() if close and last == close[0]]
    return f"; did you mean {paths[0]!r}?" if paths else ""


def _fields_below(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the last name of every field, arrays left out."""
    for name, field in model.model_fields.items():
        yield prefix + name, name
        for choice in (field.annotation, *get_args(field.annotation)):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                yield from _fields_below(choice, f"{prefix}{name}.")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=_ALIKE)
    return f"; did you mean {close[0]!r}?" if close else ""


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARACTERS_MAX])

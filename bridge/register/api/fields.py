"""The field types that requests and documents share. Pure.

Each type says what it accepts by its JSON schema too, so the published AsyncAPI needs no second
source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import enum_schema

from bridge.register.api.topics import ID_PATTERN, UUID_PATTERN
from drivers.amounts import MINOR_DIGITS

SPEC: Final = "1.2"
"""Minor version of the contract these models spell; minors only add."""

EXTENSION_PREFIX: Final = "x_"  # a field that somebody added on purpose; never read by the bridge
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class Wire(BaseModel):
    """A JSON object of the contract. Unknown fields are ignored; types are never converted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class StrictWire(Wire):
    """A JSON object that decides about money: unknown fields are refused, but for `x_…`."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_extensions(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: data[key] for key in data if not str(key).startswith(EXTENSION_PREFIX)}


def _read_time(value: object) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PydanticCustomError("time", "a time needs its offset from UTC")
        return value.astimezone(UTC)
    try:
        if not isinstance(value, str) or _TIME.fullmatch(value) is None:
            raise ValueError(value)
        return datetime.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError(
            "time", "write the time in UTC like '2026-03-02T09:13:41.020Z'"
        ) from None


@lru_cache(maxsize=512)  # documents repeat the times of their history with every change
def format_time(moment: datetime) -> str:
    """Return `moment` as the contract writes it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=512)
def read_time(text: str) -> datetime:
    """Return the moment that `format_time` wrote, e.g. as a journal entry's `at`."""
    return datetime.fromisoformat(text)


def _check_currency(code: str) -> str:
    if code not in MINOR_DIGITS:
        raise PydanticCustomError(
            "currency", "this is no active ISO 4217 currency; write it like 'EUR'"
        )
    return code


def _read_amount(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("invalid_amount", "write the amount as a string, like '12.50'")
    return value


UtcTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-02T09:13:41Z"]}),
]
"""A moment: ISO 8601, UTC, written with `Z`."""


@dataclass(frozen=True, slots=True)
class Words:
    """Marks an enum of the bridge whose words are the contract's; its empty word is none of them.

    The schema lists them in place, so that no name inside the bridge is published.
    """

    def __get_pydantic_core_schema__(
        self, kind: type[Enum], _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return enum_schema(kind, list(kind))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        assert schema["type"] == "enum", "it marks nothing else"
        return {"enum": [one.value for one in schema["members"] if one.value], "type": "string"}


PaymentId = Annotated[
    str,
    StringConstraints(pattern=UUID_PATTERN),
    WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID_PATTERN}),
]
"""A UUID in lower case, version 7 preferred. The register makes it; the same id is the same
payment for ever."""

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""The name of a register or a terminal, as used in topics."""

Currency = Annotated[
    str,
    AfterValidator(_check_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]}),
]
"""An active ISO 4217 alphabetic code."""

AmountText = Annotated[
    str,
    BeforeValidator(_read_amount),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(0|[1-9][0-9]{0,11})(\.[0-9]{2,3})?$",
            "examples": ["12.50"],
        }
    ),
]
"""Money; the digits are checked against the message's currency by `parse_amount`."""

QuantityText = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$", max_length=16)
]
"""A quantity or a price per unit: a decimal string with up to six digits after the point, since
a liter of fuel has a price finer than a cent."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A short text that names something of the register's: an operator, a shift, a receipt number."""

Scanned = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
"""What a scanner or a keypad typed; blanks and line ends around it are the device's."""

SCANNED_FIELDS = frozenset({"stored_value_id", "pin", "sku", "barcode"})
"""The fields of that type: a line end there is no attempt to steer a screen."""

Text = Annotated[str, StringConstraints(max_length=256)]
"""A line for a person."""

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""A BCP 47 tag such as `de-DE`."""

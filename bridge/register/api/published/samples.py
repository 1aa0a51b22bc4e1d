"""The smallest useful example of every command, made from its schema. Pure.

A command that is added to `REQUESTS` gets its example, and its recipe for the shell, by itself.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bridge.errors import RequestError
from bridge.register.api.commands import REQUESTS
from bridge.register.api.decode import decode_request
from bridge.register.api.envelope import Request
from bridge.register.api.existing_payment_commands import GiftCardDeactivate
from bridge.register.api.payment_commands import FollowUp, GiftCardLoad, PaymentStart
from bridge.register.api.published.catalog import summary

Json = dict[str, Any]

PAYMENT_ID: Final = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
SOON: Final = "{soon}"  # a guard: a quarter of a minute from now
FRESH: Final = "{new_id}"  # a request is never called as another
ORIGINAL_ID: Final = "018f6f0e-1c20-7d3b-8a11-5e6f70819203"
# The shell variable that a recipe has for each of them.
_VARIABLES: Final = {
    PAYMENT_ID: "$ID",
    ORIGINAL_ID: "$PAID",
    SOON: "$(soon)",
    FRESH: "$(new_id)",
}

# What a schema does not tell: a value that means something.
_VALUES: Final[Json] = {
    "request_id": "r-1",
    "payment_id": PAYMENT_ID,
    "original_payment_id": ORIGINAL_ID,
    "operation_id": PAYMENT_ID,
    "sale_id": "T1-0001",
    "requested_amount": "12.50",
    "total_amount": "12.50",
    "item_amount": "12.50",
    "unit_price": "12.50",
    "quantity": "1",
    "currency": "EUR",
    "approved_by": "anna",
    "approval_code": "481516",
    "stored_value_id": "6396210000004711",
    "prompt_id": "p-1",
    "rev": 9,
    "lines": ["Welcome"],
    "product_label": "Marker",
    "sku": "4711",
    "member_id": "C000000212",
}
# What differs from the same field elsewhere, by the field that it is inside.
_INSIDE: Final[dict[str, Json]] = {"replacement": {"stored_value_id": "6396210000008822"}}
# Fields that may be left out and should not be.
_ALSO: Final = {
    "payment/start": ("sale_id",),
    "payment/refund": ("original_payment_id",),
    "gift_card/load": ("gift_card",),
    "gift_card/activate": ("gift_card",),
    "office/item": ("sku",),
    "office/customer": ("member_id",),
    "gift_card/unload": ("approved_by",),
    "Evidence": ("approval_code",),
    "Sale": ("lines",),
    "SaleLine": ("product_label",),
}


def sample(operation: str) -> Json | None:
    """Return an example of a command that the bridge would decode; None if none could be made."""
    model: type[Request] = REQUESTS[operation]
    schema = model.model_json_schema()
    found: Json = _object(schema, schema.get("$defs", {}), _ALSO.get(operation, ()))
    try:
        decode_request(operation, json.dumps(found).encode())
    except RequestError:
        return None
    return found


# The pages of the guide, and the commands whose recipes stand there.
PAGES: Final = {
    page: tuple(name for name, model in REQUESTS.items() if model.page == page)
    for page in dict.fromkeys(model.page for model in REQUESTS.values())
}


def recipes(page: str) -> str:
    """Return a line for the shell for every command of a page.

    They use `$BROKER`, `$ME`, `$PAID`, `$ID`, and the functions `new_id` and `soon`.
    """
    parts = []
    for operation in PAGES[page]:
        model = REQUESTS[operation]
        found = sample(operation)
        if found is None:
            continue
        lines = []
        found = {**found, "request_id": FRESH}
        if issubclass(model, PaymentStart | GiftCardLoad | FollowUp | GiftCardDeactivate):
            found = {**found, "expires_at": SOON}
            lines = ["ID=$(new_id)"]
        payload = json.dumps(found, ensure_ascii=False)
        for value, variable in _VARIABLES.items():
            payload = payload.replace(value, f"'{variable}'")
        lines.append(f"mosquitto_pub $BROKER -q 1 -t \"$ME/request/{operation}\" -m '{payload}'")
        text = "\n".join(lines)
        parts.append(f"{summary(model)}\n\n```sh\n{text}\n```")
    return "\n\n".join(parts)


def _object(schema: Json, defined: Json, also: tuple[str, ...] = ()) -> Json:
    wanted = [
        name for name in schema["properties"] if name in schema.get("required", ()) or name in also
    ]
    return {name: _value(name, schema["properties"][name], defined) for name in wanted}


def _value(name: str, field: Json, defined: Json) -> object:
    if "$ref" in field:
        key = field["$ref"].rpartition("/")[2]
        part = defined[key]
        found = _object(part, defined, _ALSO.get(key, ())) if "properties" in part else {}
        return {**found, **_INSIDE.get(name, {})}
    items = field.get("items", {})
    if "$ref" in items:
        return [_value(name, items, defined)]
    if name in _VALUES:
        return _VALUES[name]
    if "anyOf" in field:
        return _value(name, field["anyOf"][0], defined)
    for key in ("default", "const"):
        if key in field:
            return field[key]
    for key in ("enum", "examples"):
        if field.get(key):
            return field[key][0]
    match field.get("type"):
        case "integer":
            return field.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [_value(name, field["items"], defined)] if field.get("minItems") else []
        case "object":
            return {}
        case _:
            return name

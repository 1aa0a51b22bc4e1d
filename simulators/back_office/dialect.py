"""What servers may call and shape otherwise than documented: traits of the simulated schema.

The documentation names no input type, and of `giftcardTransCapture` only the name. A dialect turns
the text of `pos.graphql` into what such a server would show, and its arguments back into ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from simulators.back_office.records import Json

CaptureShape = Literal[
    "documented", "renamed", "bare", "opaque", "demanding", "no_release", "absent", "terse"
]
"""How `giftcardTransCapture` is asked: as assumed; the same under other names; with its fields as
arguments of its own; by a number and an action; with a field that nobody knows; without a way to
release; not at all; or as assumed, with a result that has only an id."""

ErrorStyle = Literal["fusion", "graphql_net", "apollo", "plain"]
"""Who words the errors of the schema: our assumption until now, GraphQL.NET with Orchard Core's
permissions, Apollo, or the GraphQL reference implementation, which gives no codes."""

_OTHER_TYPES = {
    "GiftCardTransAddInput": "CreateGiftcardTransactionInputType",
    "GiftCardTransCaptureInput": "CaptureGiftcardTransactionInputType",
    "PurchaseAddInput": "NewPurchaseInputType",
    "PurchaseLineItemInput": "NewPurchaseLineInputType",
    "GiftCardAddInput": "NewGiftcardInputType",
    "GiftCardEditInput": "ChangedGiftcardInputType",
    "GiftCardCodeType": "CodeKind",
    "GiftCardTransType": "TransactionKind",
    "Decimal": "Money",
}

_CAPTURE = "giftcardTransCapture(trans: GiftCardTransCaptureInput!): GiftCardTransResult"
_CAPTURE_INPUT = re.compile(r'(?:"[^"\n]*"\n)?input GiftCardTransCaptureInput \{.*?\n\}\n', re.S)
_SHAPES: dict[CaptureShape, tuple[str, str]] = {
    "renamed": (
        "giftcardTransCapture(capture: GiftCardTransCaptureInput!): GiftCardTransResult",
        "input GiftCardTransCaptureInput "
        "{ transactionId: ID! amountToCapture: Decimal voidHold: Boolean note: String }",
    ),
    "bare": (
        "giftcardTransCapture(id: ID!, amount: Decimal, cancel: Boolean): GiftCardTransResult",
        "",
    ),
    "opaque": (
        "giftcardTransCapture(trans: GiftCardTransCaptureInput!): GiftCardTransResult",
        "input GiftCardTransCaptureInput { reference: Int! action: HoldAction! }\n"
        "enum HoldAction { FINISH ABANDON }",
    ),
    "demanding": (
        "giftcardTransCapture(trans: GiftCardTransCaptureInput!): GiftCardTransResult",
        "input GiftCardTransCaptureInput "
        "{ id: String! amount: Decimal cancel: Boolean supervisorKey: String! }",
    ),
    "no_release": (
        "giftcardTransCapture(trans: GiftCardTransCaptureInput!): GiftCardTransResult",
        "input GiftCardTransCaptureInput { id: String! amount: Decimal }",
    ),
    "absent": ("", ""),
    "terse": (
        "giftcardTransCapture(trans: GiftCardTransCaptureInput!): CaptureDone",
        "input GiftCardTransCaptureInput { id: String! amount: Decimal cancel: Boolean }\n"
        "type CaptureDone { id: ID }",
    ),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server differs; the default is what the documentation shows and we assume.

    Attributes:
        other_types: Input types, enums and the money scalar have other names.
        hold_flag: What asks for a hold in `giftcardTransAdd`; "" where there is none.
        fields: Other names of fields of `purchaseAdd(add:)` and its lines, as (ours, theirs).
        errors: Who words the errors.
    """

    other_types: bool = False
    capture: CaptureShape = "documented"
    hold_flag: str = "authorizeOnly"
    fields: tuple[tuple[str, str], ...] = ()
    errors: ErrorStyle = "fusion"

    def schema_text(self, text: str) -> str:
        """Return the schema as this server shows it."""
        assert _CAPTURE in text
        if self.capture != "documented":
            call, more = _SHAPES[self.capture]
            call = f"{call}\n" if call else ""
            text = _CAPTURE_INPUT.sub("", text).replace(f"{_CAPTURE}\n", call) + f"\n{more}\n"
            if self.capture == "absent":
                text = text.replace('  "The name is seen, the argument assumed."\n', "")
        flag = f"  {self.hold_flag}: Boolean\n" if self.hold_flag else "  spare: Boolean\n"
        text = text.replace("  authorizeOnly: Boolean\n", flag)
        for ours, theirs in self.fields:
            text = _rename_field(text, ours, theirs)
        if self.other_types:
            for ours, theirs in _OTHER_TYPES.items():
                text = re.sub(rf"\b{ours}\b", theirs, text)
        return text

    def adapt(self, roots: Mapping[str, Callable[..., object]]) -> dict[str, Callable[..., object]]:
        """Return the resolvers for this server's arguments."""
        adapted = dict(roots)
        capture, add, buy = (
            roots[name] for name in ("giftcardTransCapture", "giftcardTransAdd", "purchaseAdd")
        )
        back = {theirs: ours for ours, theirs in self.fields}
        adapted["giftcardTransCapture"] = lambda info, **given: capture(
            info, trans=self._capture_of(given)
        )
        adapted["giftcardTransAdd"] = lambda info, **given: add(
            info, trans=self._trans_of(given["trans"])
        )
        adapted["purchaseAdd"] = lambda info, **given: buy(info, add=_renamed(given["add"], back))
        return adapted

    def _capture_of(self, given: Json) -> Json:
        match self.capture:
            case "renamed":
                asked = given["capture"]
                return {
                    "id": asked["transactionId"],
                    "amount": asked.get("amountToCapture"),
                    "cancel": asked.get("voidHold"),
                }
            case "bare":
                return given
            case "opaque":
                asked = given["trans"]
                return {"id": f"T{asked['reference']}", "cancel": asked["action"] == "ABANDON"}
            case _:
                found: Json = given["trans"]
                return found

    def _trans_of(self, trans: Json) -> Json:
        held = bool(self.hold_flag) and trans.get(self.hold_flag)
        return {**trans, "authorizeOnly": held}


def dialect_of(given: Mapping[str, Any]) -> Dialect:
    """Return the dialect that a control command spells.

    Raises:
        ValueError: A trait is not known, or cannot have this value.
    """
    known = set(Dialect.__dataclass_fields__)
    if set(given) - known:
        raise ValueError(f"unknown trait {sorted(set(given) - known)[0]}, known: {sorted(known)}")
    choices = {"capture": get_args(CaptureShape), "errors": get_args(ErrorStyle)}
    for name, allowed in choices.items():
        if name in given and given[name] not in allowed:
            raise ValueError(f"{name} is one of {', '.join(allowed)}")
    fields = given.get("fields", {})
    if not isinstance(fields, Mapping):
        raise ValueError("fields maps our names to the server's")  # noqa: TRY004
    return Dialect(**{**given, "fields": tuple(sorted(fields.items()))})


def _rename_field(text: str, ours: str, theirs: str) -> str:
    """Rename a field in the two inputs of a purchase."""
    start = text.index("input PurchaseAddInput {")
    end = text.index("\n}\n", text.index("input PurchaseLineItemInput {"))
    inside = re.sub(rf"^(\s+){ours}:", rf"\g<1>{theirs}:", text[start:end], flags=re.M)
    return text[:start] + inside + text[end:]


def _renamed(value: Any, back: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {back.get(name, name): _renamed(inner, back) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, back) for inner in value]
    return value

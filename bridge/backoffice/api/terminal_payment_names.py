"""What the POS server calls the parts of a terminal payment; read from its schema. Pure.

Nothing public shows these names. What stands here is assumed, in the style of the published
examples, until the server's schema shows better; a part that it does not show, or that it wants
and we do not understand, is said in `missing`, and no payment is started then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.backoffice.api.literals import is_name
from bridge.backoffice.api.names import rows_of
from bridge.backoffice.api.operation import Document, query

NAMESPACE = "terminalPayment"

# The parts of a name by which each meaning is known, the surest first; compared in lower case.
_START_WORDS: Mapping[str, tuple[str, ...]] = {
    "terminal": ("terminalid", "terminal", "device"),
    "kind": ("transtype", "transactiontype", "paymenttype", "type", "kind", "action"),
    "amount": ("amount", "total"),
    "currency": ("currency",),
    "original": ("original", "parent"),
    "reference": ("refno", "reference", "external", "transactionid"),
}
_CONTINUE_WORDS: Mapping[str, tuple[str, ...]] = {
    "handle": ("continuation", "token", "handle", "id"),
}
_CAPTURE_WORDS: Mapping[str, tuple[str, ...]] = {
    "payment": ("paymentid", "authorization", "transactionid", "payment", "id"),
    "amount": ("amount",),
}
_PAYMENT_WORDS: Mapping[str, tuple[str, ...]] = {
    "payment": ("id", "paymentid", "transactionid"),
    "status": ("status", "state"),
    "amount": ("amount", "total"),
    "currency": ("currency",),
    "reference": ("refno", "reference", "external"),
    "terminal": ("terminalid", "terminal", "device"),
    "approval_code": ("authcode", "authorizationcode", "approvalcode", "approval"),
    "card_number": ("maskedcard", "cardnumber", "pan", "lastfour", "last4"),
    "card_brand": ("cardtype", "cardbrand", "brand"),
}
_ERROR_WORDS: Mapping[str, tuple[str, ...]] = {
    "code": ("code", "reason", "type"),
    "text": ("message", "text", "description"),
}
_CONTINUATION_WORDS: Mapping[str, tuple[str, ...]] = {
    "handle": ("id", "token", "handle", "continuation"),
    "wait": ("wait", "delay", "interval", "seconds"),
}
_RESULT_WORDS: Mapping[str, tuple[str, ...]] = {
    "error": ("error",),
    "continuation": ("continuation", "continue"),
    "payment": ("payment",),
}
_KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    "SALE": ("sale",),
    "REFUND": ("refund",),
    "AUTHORIZATION": ("authorization", "authorize", "auth"),
}
# Without its reference a payment could be anybody's, without its status not even over.
_NEEDED_TO_FIND = frozenset({"payment", "status", "amount", "reference"})
_NEEDED: Mapping[str, frozenset[str]] = {
    "start": frozenset({"terminal", "kind", "amount"}),
    "continue": frozenset({"handle"}),
    "capture": frozenset({"payment"}),
}
Types = Mapping[str, Mapping[str, Any]]  # by their names, as `type_query` shows them
_PLAIN = frozenset({"SCALAR", "ENUM"})
_KIND = "type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"
LEVELS = 4  # the steps, what they take and answer, and the parts of that
TYPES_MAX = 24  # at one level; ten are needed
_WRAPPERS = frozenset({"NON_NULL", "LIST"})
_QUERIES = frozenset({"terminalpayment", "terminalpayments"})
_EXACT = frozenset({"id"})  # a part of too many other names


@dataclass(frozen=True, slots=True)
class Call:
    """One step as the server calls it; `wrapper` is its one input object, "" for plain arguments.

    `arguments` are its names by their meaning; a meaning that is not there cannot be said.
    """

    field: str
    wrapper: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """How payments can be asked for by our reference, where a server has a query for it.

    `in_results`: the rows lie in `results`, and `shows_limits`: beside them stands whether
    permissions hide some. `fields` are a row's names by their meaning.
    """

    field: str
    argument: str
    fields: Mapping[str, str]
    in_results: bool = False
    shows_limits: bool = False


@dataclass(frozen=True, slots=True)
class TerminalPaymentNames:
    """The names of all steps and of what they answer, by their meaning."""

    start: Call = Call(
        "start",
        "payment",
        {
            "terminal": "terminalId",
            "kind": "transType",
            "amount": "amount",
            "reference": "refNo",
        },
    )
    continue_: Call = Call("continue", "continuation", {"handle": "continuationId"})
    capture: Call = Call("capture", "capture", {"payment": "paymentId", "amount": "amount"})
    payment: str = "payment"
    error: str = "error"
    continuation: str = "continuation"
    payment_fields: Mapping[str, str] = field(
        default_factory=lambda: {"payment": "id", "status": "status", "amount": "amount"}
    )
    error_fields: Mapping[str, str] = field(
        default_factory=lambda: {"code": "code", "text": "message"}
    )
    continuation_fields: Mapping[str, str] = field(
        default_factory=lambda: {"handle": "id", "wait": "waitSeconds"}
    )
    kinds: Mapping[str, str] = field(
        default_factory=lambda: {
            "SALE": "SALE",
            "REFUND": "REFUND",
            "AUTHORIZATION": "AUTHORIZATION",
        }
    )
    kind_is_enum: bool = True
    finding: Finding | None = None  # None: there is no such query, or none that we understand
    missing: tuple[str, ...] = ()  # what stands in the way of any payment, in words
    are_read: bool = False  # from the server's own schema

    @property
    def wait_is_in_milliseconds(self) -> bool:
        """True when the name of the wait says so; else it is taken for seconds."""
        name = self.continuation_fields.get("wait", "")
        return "milli" in name.lower() or name.endswith("Ms")


def mutations_query() -> Document:
    """Return the introspection that shows which type terminal payments have."""
    asked = f"queryType {{ fields {{ name args {{ name }} {_KIND} }} }}"
    shown = f"mutationType {{ fields {{ name {_KIND} }} }} {asked}"
    return query("PaybridgeTerminalPayments", "__schema", {}, shown)


def type_query(name: str) -> Document:
    """Return the introspection of one type; servers limit how much one query may ask for."""
    shown = (
        f"name enumValues {{ name }} inputFields {{ name defaultValue {_KIND} }} "
        f"fields {{ name args {{ name defaultValue {_KIND} }} {_KIND} }}"
    )
    return query("PaybridgeType", "__type", {"name": name}, shown)


def types_wanted(schema: Mapping[str, Any], types: Types) -> list[str]:
    """Return the types that must be seen next, [] when all are: from the mutations' type on."""
    space = next((r for r in rows_of(schema.get("mutationType"), "fields") if _is_space(r)), {})
    asked = _finding_row(schema) or {}
    level = [_bare(space.get("type")), _bare(asked.get("type"))]
    for _ in range(LEVELS):
        level = [kind for kind in level if isinstance(kind.get("name"), str)]
        names = [str(kind.get("name")) for kind in level if kind.get("kind") not in _PLAIN]
        enums = [str(kind.get("name")) for kind in level if kind.get("kind") == "ENUM"]
        unseen = [name for name in dict.fromkeys([*names, *enums]) if name not in types]
        if unseen or not names:
            return unseen[:TYPES_MAX]
        inner: list[dict[str, Any]] = []
        for name in names:
            for row in (*rows_of(types[name], "fields"), *rows_of(types[name], "inputFields")):
                inner += [_bare(row.get("type"))]
                inner += [_bare(one.get("type")) for one in rows_of(row, "args")]
        level = inner
    return []


def read_names(schema: Mapping[str, Any], types: Types) -> TerminalPaymentNames:
    """Return the names that introspection shows, and what is missing there.

    `schema` and `types` are what `mutations_query` and `type_query` asked for.
    """
    mutations = rows_of(schema.get("mutationType"), "fields")
    space = next((row for row in mutations if _is_space(row)), None)
    if space is None:
        return TerminalPaymentNames(missing=(f"its schema has no {NAMESPACE}",), are_read=True)
    steps = {str(row.get("name")): row for row in rows_of(_shown(space, types), "fields")}
    missing: list[str] = []
    calls: dict[str, Call] = {}
    for name, words in (
        ("start", _START_WORDS),
        ("continue", _CONTINUE_WORDS),
        ("capture", _CAPTURE_WORDS),
    ):
        if name not in steps:
            missing.append(f"its schema has no {NAMESPACE}.{name}")
            calls[name] = Call(name, "", {})
            continue
        calls[name], faults = _read_call(name, rows_of(steps[name], "args"), words, types)
        missing += faults
    names = TerminalPaymentNames(
        start=calls["start"],
        continue_=calls["continue"],
        capture=calls["capture"],
        missing=tuple(missing),
        finding=_read_finding(schema, types),
        are_read=True,
    )
    if "start" not in steps:
        return names
    return _with_kinds(_with_result(names, steps["start"], types), steps["start"], types)


def _read_call(
    name: str,
    arguments: list[dict[str, Any]],
    words: Mapping[str, tuple[str, ...]],
    types: Types,
) -> tuple[Call, list[str]]:
    wrapper = ""
    if len(arguments) == 1 and rows_of(_shown(arguments[0], types), "inputFields"):
        wrapper = str(arguments[0].get("name"))
        if not is_name(wrapper):
            return Call(name, "", {}), [f"{NAMESPACE}.{name} has an argument without a name"]
        arguments = rows_of(_shown(arguments[0], types), "inputFields")
    chosen = _choose((str(row.get("name")) for row in arguments), words)
    faults = [
        f"{NAMESPACE}.{name} has no argument for the {what}"
        for what in sorted(_NEEDED[name] - chosen.keys())
    ]
    for row in arguments:
        wanted = _is_required(row) and row.get("name") not in chosen.values()
        if wanted:
            faults.append(f"{NAMESPACE}.{name} wants {row.get('name')}, which we do not know")
    return Call(name, wrapper, chosen), faults


def _with_result(
    names: TerminalPaymentNames, start: Mapping[str, Any], types: Types
) -> TerminalPaymentNames:
    kind = _shown(start, types)
    rows = {str(row.get("name")): _shown(row, types) for row in rows_of(kind, "fields")}
    found = _choose(rows, _RESULT_WORDS)
    missing = list(names.missing)
    missing += [
        f"{NAMESPACE}.start answers no {what}" for what in _RESULT_WORDS if what not in found
    ]
    shown = {
        what: _choose(_plain_fields(rows.get(found.get(what, ""), {})), words)
        for what, words in (
            ("payment", _PAYMENT_WORDS),
            ("error", _ERROR_WORDS),
            ("continuation", _CONTINUATION_WORDS),
        )
    }
    for what, needed in (("payment", "payment"), ("error", "code"), ("continuation", "handle")):
        if what in found and needed not in shown[what]:
            missing.append(f"the {what} of {NAMESPACE}.start has no {needed} that we know")
    return replace(
        names,
        payment=found.get("payment", names.payment),
        error=found.get("error", names.error),
        continuation=found.get("continuation", names.continuation),
        payment_fields=shown["payment"],
        error_fields=shown["error"],
        continuation_fields=shown["continuation"],
        missing=tuple(missing),
    )


def _with_kinds(
    names: TerminalPaymentNames, start: Mapping[str, Any], types: Types
) -> TerminalPaymentNames:
    """Return the names with the words for sale, refund and authorization, where they are shown."""
    arguments = rows_of(start, "args")
    if names.start.wrapper:
        arguments = rows_of(_shown(arguments[0], types), "inputFields")
    called = names.start.arguments.get("kind", "")
    kind = next((_shown(row, types) for row in arguments if row.get("name") == called), {})
    values = [str(row.get("name")) for row in rows_of(kind, "enumValues")]
    if not values:
        return replace(names, kind_is_enum=False)
    return replace(names, kinds=_choose(values, _KIND_WORDS), kind_is_enum=True)


def _finding_row(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the query for terminal payments, as far as there is one."""
    rows = rows_of(schema.get("queryType"), "fields")
    return next((row for row in rows if str(row.get("name")).lower() in _QUERIES), None)


def _read_finding(schema: Mapping[str, Any], types: Types) -> Finding | None:
    row = _finding_row(schema)
    if row is None:
        return None
    arguments = (str(one.get("name")) for one in rows_of(row, "args"))
    chosen = _choose(arguments, {"reference": _START_WORDS["reference"]})
    shown = _shown(row, types)
    parts = {str(one.get("name")): one for one in rows_of(shown, "fields")}
    kind = _shown(parts["results"], types) if "results" in parts else shown
    fields = _choose(_plain_fields(kind), _PAYMENT_WORDS)
    if "reference" not in chosen or not fields.keys() >= _NEEDED_TO_FIND:
        return None
    return Finding(
        str(row["name"]),
        chosen["reference"],
        fields,
        in_results="results" in parts,
        shows_limits="limitedByPermission" in parts,
    )


def _choose(names: Iterable[str], words: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return one name for each meaning that has one; no name has two meanings."""
    left = [name for name in names if is_name(name)]  # whatever a schema may hold
    chosen: dict[str, str] = {}
    for surely in (True, False):
        for what, parts in words.items():
            if what in chosen:
                continue
            for part in parts:
                fits = [
                    name
                    for name in left
                    if name.lower() == part
                    or (not surely and part not in _EXACT and part in name.lower())
                ]
                if fits:
                    chosen[what] = fits[0]
                    left.remove(fits[0])
                    break
    return chosen


def _plain_fields(kind: Mapping[str, Any]) -> list[str]:
    """Return the fields of a type that can be asked for without asking for parts of them."""
    return [
        str(row.get("name"))
        for row in rows_of(kind, "fields")
        if _bare(row.get("type")).get("kind") in _PLAIN
    ]


def _is_required(row: Mapping[str, Any]) -> bool:
    kind = row.get("type")
    is_non_null = isinstance(kind, dict) and kind.get("kind") == "NON_NULL"
    return is_non_null and row.get("defaultValue") is None


def _is_space(row: Mapping[str, Any]) -> bool:
    return row.get("name") == NAMESPACE


def _shown(row: Mapping[str, Any], types: Types) -> Mapping[str, Any]:
    """Return the whole type of a field or argument, as far as it was seen."""
    return types.get(str(_bare(row.get("type")).get("name")), {})


def _bare(kind: object) -> dict[str, Any]:
    """Return a type without what it is wrapped in; {} where none is shown."""
    while isinstance(kind, dict) and kind.get("kind") in _WRAPPERS:
        kind = kind.get("ofType")
    return kind if isinstance(kind, dict) else {}

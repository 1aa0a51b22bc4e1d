"""What a server's schema shows of holds on gift cards: names and shapes. Pure.

A name is taken for ours only if its shape fits, too: a flag must be a boolean, an amount no list.
What is not understood is said, and then no hold is taken: one that nobody can end would keep a
shopper's money. Source: GraphQL specification, October 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.backoffice.api.literals import is_name
from bridge.backoffice.api.names import CAPTURE_FIELD, CAPTURE_SHOWS, TRANS_FIELD, ApiNames, rows_of
from bridge.backoffice.api.operation import Document, query

NAMES_SHOWN_MAX = 3
"""Of what a server wants besides, in one sentence for a person."""

NAME_CHARS_MAX = 100

_WRAPPINGS_MAX = 4  # [T!]!
_NUMBERS = frozenset({"Int", "Long", "Short", "Byte", "BigInt", "ULong", "UInt"})
_FLAG = ("authoriz", "authoris")
_ID = ("transid", "transactionid", "holdid", "authorizationid", "authorisationid")
_AMOUNT = ("amount",)
_CANCEL = ("cancel", "void", "release")
# What `giftcardTransAdd` is given besides the flag.
_TRANS_KNOWN = frozenset({"codeType", "code", "pin", "transType", "amount", "sourceId", "refNo"})


@dataclass(frozen=True, slots=True)
class Field:
    """An argument, or a field of an input object.

    Attributes:
        kind: `SCALAR`, `ENUM`, `INPUT_OBJECT`, or `LIST` of whatever.
        type_name: Of the type below its wrappings; "" where it is not shown.
        required: It must be given.
        inside: The fields of an input object.
    """

    name: str
    kind: str
    type_name: str
    required: bool
    inside: tuple[Field, ...] = ()

    @property
    def is_flag(self) -> bool:
        """Whether it is true or false."""
        return self.type_name == "Boolean" and self.kind == "SCALAR"

    @property
    def is_plain(self) -> bool:
        """Whether text or a number may stand there; servers have scalars of their own."""
        return self.kind == "SCALAR" and self.type_name != "Boolean"


def names_query() -> Document:
    """Return the introspection that shows what `ApiNames` guesses."""
    kind = _wrapped("kind name")
    inputs = f"inputFields {{ name defaultValue type {{ {kind} }} }}"
    arguments = f"args {{ name defaultValue type {{ {_wrapped(f'kind name {inputs}', 2)} }} }}"
    shown = f"type {{ {_wrapped('kind name fields { name }', 2)} }}"
    fields = f"mutationType {{ fields {{ name {arguments} {shown} }} }}"
    return query("PaybridgeNames", "__schema", {}, fields)


def read_names(schema: Mapping[str, Any], known: ApiNames) -> ApiNames:
    """Return `known` as corrected by what an introspection answer shows.

    `schema` is the value of `__schema` as `names_query` asks for it; where it shows no mutations,
    `known` is returned as it is.
    """
    mutations = {str(row.get("name")): row for row in rows_of(schema.get("mutationType"), "fields")}
    if not mutations:
        return known
    trans = mutations.get(known.renamed.get(TRANS_FIELD) or TRANS_FIELD)
    capture = mutations.get(known.renamed.get(CAPTURE_FIELD) or CAPTURE_FIELD)
    names = replace(known, not_understood=(), always=frozenset(), id_is_number=False)
    absent = [
        f"the server has no {name}"
        for name, row in ((TRANS_FIELD, trans), (CAPTURE_FIELD, capture))
        if row is None
    ]
    if trans is None or capture is None:
        return replace(names, not_understood=tuple(absent))
    names, problems = _read_trans(trans, names)
    names, more = _read_capture(capture, names)
    return replace(names, not_understood=(*problems, *more))


def _read_trans(row: Mapping[str, Any], names: ApiNames) -> tuple[ApiNames, list[str]]:
    arguments = _fields(row, "args")
    wanted = names.renamed.get(f"{TRANS_FIELD}(trans)") or "trans"
    trans = next((one for one in arguments if one.name == wanted), None)
    if trans is None or not trans.inside:
        return names, [] if trans is not None else [f"{TRANS_FIELD} has no argument {wanted}"]
    flag = _choose([one for one in trans.inside if one.is_flag], names.authorize_flag, _FLAG)
    known = {names.renamed.get(f"{TRANS_FIELD}(trans.{one})", one) for one in _TRANS_KNOWN}
    names = replace(names, authorize_flag=flag, always=names.always | _always(trans.inside, {flag}))
    return names, _demands(TRANS_FIELD, trans.inside, known | {flag})


def _read_capture(row: Mapping[str, Any], names: ApiNames) -> tuple[ApiNames, list[str]]:
    arguments = _fields(row, "args")
    objects = [one for one in arguments if one.kind == "INPUT_OBJECT"]
    outer = next((one for one in objects if one.name == names.capture_argument), None)
    if outer is None and len(objects) == 1:
        outer = objects[0]
    inside = outer.inside if outer else tuple(arguments)
    if not inside:  # the shape is not shown, or there is nothing at all
        words = f"{CAPTURE_FIELD} has an argument in no shape that we know"
        return names, [words]
    plain = [one for one in inside if one.is_plain]
    flags = [one for one in inside if one.is_flag]
    numbers = [one for one in inside if one.type_name in _NUMBERS]
    capture_id = _choose(plain, names.capture_id, _ID)
    cancel = _choose(flags, names.capture_cancel, _CANCEL)
    amount = _choose(plain, names.capture_amount, _AMOUNT)
    required = {one.name for one in inside if one.required}
    problems = _demands(CAPTURE_FIELD, inside, {capture_id, cancel})
    if outer is not None:
        problems += _demands(CAPTURE_FIELD, arguments, {outer.name})
    shown = _shown(row)
    if shown is not None and "id" not in shown:
        problems.append(f"{CAPTURE_FIELD} answers in no shape that we know")
    return (
        replace(
            names,
            capture_argument=outer.name if outer else "",
            capture_id=capture_id,
            capture_amount=amount,
            capture_cancel=cancel,
            capture_shows=tuple(one for one in CAPTURE_SHOWS if shown is None or one in shown),
            id_is_number=any(one.name == capture_id for one in numbers),
            always=names.always | ({cancel} & required),
        ),
        problems,
    )


def _choose(fields: Collection[Field], known: str, parts: tuple[str, ...]) -> str:
    """Return the field called as known, or else the only one whose name contains a part."""
    names = [one.name for one in fields]
    if known in names:
        return known
    alike = [name for name in names if any(part in name.lower() for part in parts)]
    return alike[0] if len(alike) == 1 else ""


def _always(fields: Collection[Field], flags: set[str]) -> frozenset[str]:
    return frozenset(one.name for one in fields if one.required and one.name in flags)


def _demands(root: str, fields: Collection[Field], known: set[str]) -> list[str]:
    """Say what must be given that we know nothing of."""
    more = [one.name for one in fields if one.required and one.name not in known]
    return [f"{root} wants {', '.join(more[:NAMES_SHOWN_MAX])}, which we do not know"] * bool(more)


def _shown(row: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the fields of an answer; None where the schema does not show them."""
    kind: object = row.get("type")
    for _ in range(_WRAPPINGS_MAX):
        fields = rows_of(kind, "fields")
        if fields:
            return frozenset(str(one.get("name")) for one in fields)
        if isinstance(kind, dict) and kind.get("kind") in {"SCALAR", "ENUM", "LIST"}:
            return frozenset()
        kind = kind.get("ofType") if isinstance(kind, dict) else None
    return None


def _fields(owner: Mapping[str, Any], key: str) -> list[Field]:
    found = []
    for row in rows_of(owner, key):
        name, kind = row.get("name"), row.get("type")
        if not isinstance(name, str) or not isinstance(kind, dict):
            continue
        if not is_name(name) or len(name) > NAME_CHARS_MAX:
            continue
        required = kind.get("kind") == "NON_NULL" and row.get("defaultValue") is None
        inner = _below(kind)
        found.append(
            Field(
                name,
                _word(inner, "kind"),
                _word(inner, "name"),
                required,
                tuple(_fields(inner, "inputFields")),
            )
        )
    return found


def _below(kind: dict[str, Any]) -> dict[str, Any]:
    """Return a type below what says that it must be given; a list stays a list."""
    inner = kind.get("ofType")
    return inner if kind.get("kind") == "NON_NULL" and isinstance(inner, dict) else kind


def _word(row: Mapping[str, Any], key: str) -> str:
    word = row.get(key)
    return word if isinstance(word, str) else ""


def _wrapped(what: str, depth: int = _WRAPPINGS_MAX) -> str:
    return what if depth == 1 else f"{what} ofType {{ {_wrapped(what, depth - 1)} }}"

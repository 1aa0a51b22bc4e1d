"""How different GraphQL servers word what their schema has against a request.

All of them quote the request in their messages: that is what a client must reckon with. Sources:
GraphQL.NET's validation rules, versions 4 to 8; Orchard Core's RequiresPermissionValidationRule;
Apollo Server's error codes; the reference implementation, graphql-js.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    Visitor,
    print_ast,
    visit,
)

from simulators.back_office.dialect import ErrorStyle
from simulators.back_office.records import ApiError, Json

_NET: dict[str, tuple[str, str]] = {
    "FIELDS_ON_CORRECT_TYPE": ("FIELDS_ON_CORRECT_TYPE", "5.3.1"),
    "KNOWN_ARGUMENT_NAMES": ("KNOWN_ARGUMENT_NAMES", "5.4.1"),
    "KNOWN_TYPE_NAMES": ("KNOWN_TYPE_NAMES", "5.5.1.2"),
    "PROVIDED_REQUIRED_ARGUMENTS": ("PROVIDED_NON_NULL_ARGUMENTS", "5.4.2.1"),
    "SCALAR_LEAFS": ("SCALAR_LEAFS", "5.3.3"),
    "VALUES_OF_CORRECT_TYPE": ("ARGUMENTS_OF_CORRECT_TYPE", "5.6.1"),
}
"""graphql-core's rules as GraphQL.NET names and numbers them."""

_UNKNOWN_FIELD = re.compile(r"not to include unknown field '(\w+)'")
_MISSING_FIELD = re.compile(r"of type '(\w+)' to include required field '(\w+)'")
_NO_OBJECT = re.compile(r"Expected value of type '(\w+)' to be an object")
_NO_ENUM_VALUE = re.compile(r"Value '(\w+)' does not exist in '(\w+)' enum|Enum '(\w+)' cannot")
_NO_SCALAR = re.compile(r"Expected value of type '(\w+)!?', but encountered error")
_MISSING_ARGUMENT = re.compile(r"Argument '\w+\.(\w+)\((\w+):\)' of type '([^']+)' is required")


def rule_code(rule: type[ASTValidationRule]) -> str:
    """Return a code such as FIELDS_ON_CORRECT_TYPE; assumed from the server's GraphQL library."""
    name = rule.__name__.removesuffix("Rule")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def schema_errors(
    found: Iterable[tuple[str, GraphQLError]], document: DocumentNode, style: ErrorStyle
) -> tuple[Json, ...]:
    """Return what a server says of a request that its schema does not allow.

    `found` has the code of each rule with what graphql-core says.
    """
    return tuple(_schema_error(code, error, document, style) for code, error in found)


def syntax_error(error: GraphQLError, style: ErrorStyle) -> Json:
    """Return what a server says of a text that is no GraphQL."""
    body: Json = dict(error.formatted)
    match style:
        case "apollo":
            body["extensions"] = {"code": "GRAPHQL_PARSE_FAILED"}
        case "plain":
            pass
        case _:
            body["extensions"] = {"code": "SYNTAX_ERROR"}
    return body


def business_error(error: GraphQLError, cause: ApiError, style: ErrorStyle) -> Json:
    """Return how a server passes on what the API itself refuses."""
    body: Json = dict(error.formatted)
    extensions: Json = {"code": cause.code}
    if cause.data:
        extensions["data"] = cause.data
    if cause.code == "NOT_AUTHORIZED" and style == "graphql_net":
        # A rule of validation, so without a path.
        del body["path"]
        extensions = {"code": "VALIDATION_ERROR", "number": "Unauthorized"}
    if cause.code == "NOT_AUTHORIZED" and style == "apollo":
        extensions = {"code": "FORBIDDEN"}
    if style != "plain":
        body["extensions"] = extensions
    return body


def _schema_error(
    code: str, error: GraphQLError, document: DocumentNode, style: ErrorStyle
) -> Json:
    body: Json = dict(error.formatted)
    match style:
        case "fusion":
            body["extensions"] = {"code": code}
        case "apollo":
            body["extensions"] = {"code": "GRAPHQL_VALIDATION_FAILED"}
        case "graphql_net":
            name, number = _NET.get(code, (code, "5.8"))
            body["message"] = _net_message(error, document)
            body["extensions"] = {"code": name, "codes": [name], "number": number}
        case "plain":
            pass
    return body


def _net_message(error: GraphQLError, document: DocumentNode) -> str:
    """Return GraphQL.NET's words for what graphql-core found."""
    text = error.message
    missing = _MISSING_ARGUMENT.match(text)
    if missing:
        field, argument, kind = missing.groups()
        wanted = f"Argument '{argument}' of type '{kind}'"
        return f"{wanted} is required for field '{field}' but not provided."
    argument = _argument_around(error, document)
    if not argument:
        return text.partition(" Did you mean")[0]
    lead = f"Argument '{argument}' has invalid value."
    for pattern, words in (
        (_UNKNOWN_FIELD, "In field '{0}': Unknown field."),
        (_MISSING_FIELD, "Missing required field '{1}' of type '{0}'."),
        (_NO_OBJECT, "Expected '{0}', found not an object."),
    ):
        found = pattern.search(text)
        if found:
            return f"{lead} {words.format(*found.groups())}"
    node = print_ast(error.nodes[0]) if error.nodes else ""
    return f"{lead} Expected type '{_type_named(text)}', found {node}."


def _type_named(text: str) -> str:
    found = _NO_ENUM_VALUE.search(text)
    if found:
        return found.group(2) or found.group(3)
    found = _NO_SCALAR.match(text)
    if found:
        return found.group(1)
    return text.partition(" ")[0].strip("'")


def _argument_around(error: GraphQLError, document: DocumentNode) -> str:
    """Return the name of the argument in which an error's node lies, "" when it is in none."""
    node = error.nodes[0] if error.nodes else None
    if node is None or node.loc is None:
        return ""
    start = node.loc.start
    found: list[str] = []

    class Look(Visitor):
        def enter_argument(self, argument: ArgumentNode, *_: object) -> None:
            value = argument.value.loc
            if value is not None and value.start <= start < value.end:
                found.append(argument.name.value)

    visit(document, Look())
    return found[0] if found else ""

"""Executes one GraphQL request against the back office's state; no network, no faults.

The request is parsed, validated and executed by graphql-core from `pos.graphql`; the HTTP
status follows what is known of the real server: 200 without errors, 401 when a permission is
missing, 400 for any other error, always with a JSON body.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    specified_rules,
    validate,
    value_from_ast_untyped,
)

from simulators.back_office import terminal_payments
from simulators.back_office.dialect import Dialect, ErrorStyle
from simulators.back_office.error_styles import (
    business_error,
    rule_code,
    schema_errors,
    syntax_error,
)
from simulators.back_office.records import ApiError, Json
from simulators.back_office.resolvers import Resolvers
from simulators.back_office.state import BackOfficeState

SCHEMA_PATH = Path(__file__).with_name("pos.graphql")

PURCHASE_QUERY = """
extend type Query { purchase(id: String, transactionId: String): PurchaseResult }
type PurchaseResult { limitedByPermission: Boolean results: [Purchase] }
type Purchase { id: ID transactionId: String storeCode: String payAmount: Decimal }
"""
"""A query for purchases; documented nowhere, so only offices that are told to have it do."""

LOCATION_LIMITS = "extend type LocationResult { limitedByPermission: Boolean }"
"""Locations that say whether permissions hide some, as customers and gift cards do."""

ITEM_BARCODES = "extend type Item { upc: String }"
"""Items with a barcode; what a server calls it is documented nowhere."""

DOCUMENTS_MAX = 64
"""Parsed documents kept; a client has a handful, and a fuzzer must not fill the memory."""


DOCUMENTED = Dialect()

Locations = Literal["plain", "limited", "none"]
TerminalTrait = Literal["none", "plain", "findable", "otherwise"]

_TERMINAL_PAYMENTS = {
    "none": "",
    "plain": terminal_payments.PLAIN,
    "findable": terminal_payments.FINDABLE,
    "otherwise": terminal_payments.OTHERWISE,
}
_NAMESPACE = "terminalPayment"  # whose fields are mutations of their own


_DENIALS = frozenset({"NOT_AUTHORIZED", "FORBIDDEN"})


@dataclass(frozen=True, slots=True)
class Traits:
    """What makes one server's schema another than the next one's."""

    purchase_query: bool
    locations: Locations
    terminals: TerminalTrait
    dialect: Dialect
    barcodes: bool
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP response before it is sent."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is valid GraphQL.

    Attributes:
        operation: Its first root field that is not skipped, "" when there is none; with the step
            behind a dot where that is a mutation within it.
        arguments: What that field is given, literals and variables alike, in JSON types.
    """

    document: DocumentNode
    operation: str
    operation_name: str | None
    variables: Json
    arguments: Json


@dataclass(frozen=True, slots=True)
class Execution:
    """What executing a request came to, in JSON types."""

    data: Json | None
    errors: tuple[Json, ...] = ()

    def answer(self) -> HttpAnswer:
        """Return the response of an honest server."""
        if not self.errors:
            return json_answer(200, {"data": self.data})
        # Every root field is nullable, so no data means that nothing was executed at all.
        data: Json = {} if self.data is None else {"data": self.data}
        told = [error.get("extensions", {}) for error in self.errors]
        denied = any(
            one.get("code") in _DENIALS or one.get("number") == "Unauthorized" for one in told
        )
        return json_answer(401 if denied else 400, {"errors": list(self.errors), **data})


def json_answer(status: int, body: object) -> HttpAnswer:
    """Return a response with a JSON body."""
    return HttpAnswer(status, json.dumps(body, separators=(",", ":")).encode())


def error_answer(status: int, code: str, message: str, data: Json | None = None) -> HttpAnswer:
    """Return a response with one GraphQL error and no data at all."""
    return json_answer(status, {"errors": [error_body(code, message, data)]})


def error_body(code: str, message: str, data: Json | None = None) -> Json:
    """Return one entry of `errors`."""
    extensions: Json = {"code": code}
    if data:
        extensions["data"] = data
    return {"message": message, "extensions": extensions}


class GraphQlApi:
    """The schema bound to a state.

    Args:
        state: What the operations read and change.
        decimals_as_numbers: Decimals go out as JSON numbers instead of strings.
        introspection: Whether `__schema` and `__type` may be asked for.
        purchase_query: Whether there is a query for purchases.
        locations: How stores can be asked for; `limited`: the answer can say that some are hidden.
        terminal_payments: Whether the server drives terminals; `otherwise`: by other names;
            `findable`: with a query for payments.
        dialect: What the server calls, shapes and words otherwise; may change while it runs.
        barcodes: Whether items show a barcode and can be asked for by it.

    Attributes:
        missing: Fields and arguments that this server's schema does not have, `Item.longName`,
            `Query.item.sku`; may change while it runs.
    """

    def __init__(
        self,
        state: BackOfficeState,
        *,
        decimals_as_numbers: bool = False,
        introspection: bool = True,
        purchase_query: bool = False,
        locations: Locations = "plain",
        terminal_payments: TerminalTrait = "none",
        dialect: Dialect = DOCUMENTED,
        barcodes: bool = False,
    ) -> None:
        self.state = state
        self.barcodes = barcodes
        self.missing: frozenset[str] = frozenset()
        self.dialect = dialect
        self.purchase_query = purchase_query
        self.locations: Locations = locations
        self.terminal_payments: TerminalTrait = terminal_payments
        self.decimals_as_numbers = decimals_as_numbers
        self.introspection = introspection

    def read(self, body: bytes) -> Request | HttpAnswer:
        """Return the request that a POST body holds, or the answer that refuses it."""
        try:
            posted = json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            return error_answer(400, "JSON_INVALID", "the body is not JSON")
        if not isinstance(posted, dict) or not isinstance(posted.get("query"), str):
            return error_answer(400, "QUERY_MISSING", "the body holds no query")
        variables = posted.get("variables") or {}
        name = posted.get("operationName")
        if not isinstance(variables, dict) or not isinstance(name, str | None):
            return error_answer(400, "JSON_INVALID", "variables or operationName are malformed")
        try:
            document = self._document(posted["query"])
        except GraphQLSyntaxError as error:
            return json_answer(400, {"errors": [syntax_error(error, self.dialect.errors)]})
        except _Invalid as error:
            return json_answer(400, {"errors": error.errors})
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        chosen = [d for d in operations if name is None or (d.name and d.name.value == name)]
        if len(chosen) != 1:
            return error_answer(400, "INVALID_OPERATION", "operationName does not choose one")
        field = _first_field(chosen[0], variables)
        return Request(
            document,
            _name_of(field) if field else "",
            name,
            variables,
            _arguments_of(field, variables) if field else {},
        )

    def execute(
        self, request: Request, permissions: Collection[str], *, lose: bool = False
    ) -> Execution:
        """Carry out a request; with `lose` its effects are undone after the answer was made."""
        with self.state.transaction(lose=lose):
            result = execute_sync(
                self._schema(),
                request.document,
                root_value=self.dialect.adapt(Resolvers(self.state, permissions).roots()),
                variable_values=request.variables,
                operation_name=request.operation_name,
            )
        errors = tuple(_formatted(e, self.dialect.errors) for e in result.errors or ())
        return Execution(result.data, errors)

    def _schema(self) -> GraphQLSchema:
        return _schema(self.decimals_as_numbers, self._traits())

    def _traits(self) -> Traits:
        return Traits(
            self.purchase_query,
            self.locations,
            self.terminal_payments,
            self.dialect,
            self.barcodes,
            self.missing,
        )

    def _document(self, source: str) -> DocumentNode:
        found = _read_document(source, self.introspection, self._traits())
        if isinstance(found, DocumentNode):
            return found
        raise _Invalid(list(found))


class _Invalid(Exception):
    """A document that the schema does not allow."""

    def __init__(self, errors: list[Json]) -> None:
        super().__init__()
        self.errors = errors


def _first_field(operation: OperationDefinitionNode, variables: Json) -> FieldNode | None:
    """Return the first root field that is carried out, None when all are skipped."""
    for field in operation.selection_set.selections:
        if not isinstance(field, FieldNode):
            continue
        skips = [one for one in field.directives or () if one.name.value == "skip"]
        if not any(_arguments_of(one, variables).get("if") is True for one in skips):
            return field
    return None


def _name_of(field: FieldNode) -> str:
    """Return what a field is called, with the first step in it where it is a room of its own."""
    name = field.name.value
    inner = field.selection_set.selections if field.selection_set else ()
    if name == _NAMESPACE and inner and isinstance(inner[0], FieldNode):
        return f"{name}.{inner[0].name.value}"
    return name


def _arguments_of(node: FieldNode | DirectiveNode, variables: Json) -> Json:
    """Return what a field or directive is given, evaluated by graphql-core and nobody else."""
    return {
        one.name.value: value_from_ast_untyped(one.value, variables) for one in node.arguments or ()
    }


def _formatted(error: GraphQLError, style: ErrorStyle) -> Json:
    body: Json = dict(error.formatted)
    original = error.original_error
    if isinstance(original, ApiError):
        return business_error(error, original, style)
    if error.path is None:
        body["extensions"] = {"code": "INVALID_VALUE"}  # variables that do not fit the schema
    else:
        raise original or error  # a bug of the simulator must not pass for an answer of the server
    return body


@lru_cache(DOCUMENTS_MAX)
def _read_document(
    source: str,
    introspection: bool,
    traits: Traits,
) -> DocumentNode | tuple[Json, ...]:
    """Return the document, or what the schema says against it.

    Raises:
        GraphQLSyntaxError: It is no document.
    """
    document = parse(source)
    rules = list(specified_rules)
    if not introspection:
        rules.append(NoSchemaIntrospectionCustomRule)
    schema = _schema(False, traits)
    if not validate(schema, document, rules):
        return document
    # Which rule an error broke is only known when each is asked alone: ten times slower.
    found = [
        (rule_code(rule), error) for rule in rules for error in validate(schema, document, [rule])
    ]
    return schema_errors(found, document, traits.dialect.errors)


@cache
def _schema(decimals_as_numbers: bool, traits: Traits) -> GraphQLSchema:
    """Return the schema of every office that has these traits; building it takes a while."""
    more = PURCHASE_QUERY if traits.purchase_query else ""
    more += LOCATION_LIMITS if traits.locations == "limited" else ""
    more += ITEM_BARCODES if traits.barcodes else ""
    more += _TERMINAL_PAYMENTS[traits.terminals]
    schema = build_schema(
        traits.dialect.schema_text(SCHEMA_PATH.read_text(encoding="utf-8") + more)
    )
    queries = schema.query_type
    assert queries is not None, "there is one in the file"
    if traits.locations == "none":
        del queries.fields["location"]
    if traits.barcodes:
        queries.fields["item"].args["upc"] = GraphQLArgument(GraphQLString)
    for name in traits.missing:
        owner, field, *argument = name.split(".")
        kind = schema.type_map[owner]
        assert isinstance(kind, GraphQLObjectType), f"{owner} is no type with fields"
        if argument:
            del kind.fields[field].args[argument[0]]
        else:
            del kind.fields[field]
    decimal_out = _decimal_as_number if decimals_as_numbers else _decimal_as_text
    for name, coerce_in, coerce_out in (
        ("Money" if traits.dialect.other_types else "Decimal", _decimal_in, decimal_out),
        ("DateTime", _datetime_in, _datetime_out),
        ("Date", date.fromisoformat, str),
    ):
        scalar = schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        scalar.coerce_input_value = coerce_in
        scalar.coerce_output_value = coerce_out
    return schema


def _decimal_as_number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)


def _decimal_as_text(value: object) -> str:
    assert isinstance(value, Decimal)
    return str(value)


def _decimal_in(value: object) -> Decimal:
    """Accept text or a number, as the server's Decimal does; refuse NaN, infinity and booleans."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise TypeError("Decimal must be text or a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("Decimal cannot be read") from None
    if not number.is_finite():
        raise ValueError("Decimal must be finite")
    return number


def _datetime_in(value: object) -> datetime:
    """Accept ISO 8601 with or without an offset."""
    if not isinstance(value, str):
        raise TypeError("DateTime must be text")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("DateTime cannot be read") from None


def _datetime_out(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()

"""One simulated back office that answers GraphQL requests as well or as badly as it is told.

`BackOffice.answer` is the whole behavior for one request, without HTTP, on the running loop's
time; `routes` puts it on the wire. It knows nothing of logins but who a token belongs to.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from simulators.back_office.catalogue import change_catalogue, change_item
from simulators.back_office.dialect import dialect_of
from simulators.back_office.faults import Effect, Fault, FaultAnswer, FaultPlan, fault_named
from simulators.back_office.graphql import (
    Execution,
    GraphQlApi,
    HttpAnswer,
    Locations,
    Request,
    TerminalTrait,
    error_answer,
    error_body,
    json_answer,
)
from simulators.back_office.hostility import Hostility
from simulators.back_office.in_the_way import IN_THE_WAY
from simulators.back_office.records import CodeType, Json, TransType
from simulators.back_office.resolvers import TILL_PERMISSIONS, permissions_from
from simulators.back_office.state import BackOfficeState
from simulators.http_server import ConnectionDropped, drop_connection, is_local

GRAPHQL_PATH = "/api/graphql"
"""Where the server is assumed to answer; a client takes it from its configuration."""

REQUEST_BYTES_MAX = 1_000_000
"""Largest request body read; a purchase of a thousand lines stays below it."""

PORTAL_HTML = (
    b"<!doctype html><title>Welcome</title><h1>Please accept the terms of this network</h1>"
)
"""What a captive portal says instead of the server, with status 200."""

Authenticate = Callable[[str], str | None]
"""Returns the client id behind a bearer token, None when the token is not good."""


class BackOffice:
    """One back office that answers GraphQL requests as well or as badly as it is told.

    Args:
        state: What it knows.
        authenticate: Who a token belongs to; None lets everybody in.
        chance: Source of every draw of the faults.

    Attributes:
        away: Refuse connections; obeyed by whoever carries requests here.
        permissions: Per client id; a client not listed has `TILL_PERMISSIONS`.
    """

    def __init__(
        self,
        state: BackOfficeState,
        *,
        authenticate: Authenticate | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.state = state
        self.api = GraphQlApi(state)
        self.faults = FaultPlan(chance or random.Random(0))
        self.hostility = Hostility()
        self.permissions: dict[str, frozenset[str]] = {}
        self.away = False
        self.away_changed: Callable[[bool], None] = lambda _away: None
        self._authenticate = authenticate

    async def answer(self, body: bytes, token: str | None) -> HttpAnswer:
        """Answer one POST to the GraphQL endpoint.

        A late effect happens on the loop's time even if this call is cancelled first.

        Args:
            body: The request's body.
            token: The bearer token, None when there was none.

        Raises:
            ConnectionDropped: The connection must close without an answer.
        """
        client_id = "" if self._authenticate is None else self._authenticate(token or "")
        if client_id is None:
            return EMPTY_401
        request = self.api.read(body)
        if isinstance(request, HttpAnswer):
            return request
        fault = self.faults.take(request.operation)
        execution = await self._carry_out(request, client_id, fault)
        twisted = self.hostility.twist(request.operation, execution.data)
        execution = replace(execution, data=twisted)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        return _answer(fault, execution, request.operation)

    async def _carry_out(self, request: Request, client_id: str, fault: Fault) -> Execution:
        permissions = self.permissions.get(client_id, TILL_PERMISSIONS)
        match fault.effect:
            case Effect.NONE:
                return Execution(None)
            case Effect.APPLIED | Effect.LOST:
                return self.api.execute(request, permissions, lose=fault.effect is Effect.LOST)
            case Effect.LATE:
                loop = asyncio.get_running_loop()
                done: asyncio.Future[Execution] = loop.create_future()

                def apply() -> None:
                    execution = self.api.execute(request, permissions)
                    if not done.done():
                        done.set_result(execution)

                loop.call_later(fault.late_seconds, apply)
                return await done if fault.answer is FaultAnswer.NORMAL else Execution(None)

    def control(self, command: Mapping[str, Any]) -> Json | None:
        """Do what a control command says; None when it is none of ours.

        Raises:
            ValueError: The command is ours but cannot be followed.
        """
        given = {key: value for key, value in command.items() if key != "do"}
        match command.get("do"):
            case "fault":
                name = given.pop("fault", None)
                self.faults.add(fault_named(str(name), **given))
            case "hostile":
                self.hostility.set(str(given.get("operation", "*")), str(given.get("mode", "")))
            case "clear_faults":
                self.faults.clear()
            case "away":
                self._go_away(float(given.get("seconds", 0)))
            case "back":
                self._set_away(False)
            case "options":
                self._set_options(**given)
            case "catalogue":
                change_catalogue(self.state.catalogue, **given)
            case "item":
                change_item(self.state.catalogue, **given)
            case "schema":
                self.api.barcodes = bool(given.get("barcodes", self.api.barcodes))
                self.api.missing = frozenset(given.get("missing", self.api.missing))
            case "permissions":
                names = permissions_from(given["permissions"])
                self.permissions[str(given.get("client_id", ""))] = names
            case "terminal_payment":
                self.state.terminals.plan(given)
            case "gift_card":
                return self._new_gift_card(**given)
            case "spend_elsewhere":
                return self._spend_elsewhere(str(given["code"]), Decimal(str(given["amount"])))
            case "find_purchases":
                found = self.state.purchases_of(str(given["transactionId"]))
                return {"purchases": [{"id": p.id, **p.request} for p in found]}
            case _:
                return None
        return {"pending": [f"{f.effect.value}+{f.answer.value}" for f in self.faults.pending()]}

    def _go_away(self, seconds: float) -> None:
        self._set_away(True)
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, self._set_away, False)

    def _set_away(self, away: bool) -> None:
        self.away = away
        self.away_changed(away)

    def _set_options(
        self,
        *,
        decimals: str | None = None,
        introspection: bool | None = None,
        purchase_query: bool | None = None,
        locations: Locations | None = None,
        stores: Collection[str] | None = None,
        terminal_payments: TerminalTrait | None = None,
        dialect: Mapping[str, Any] | None = None,
    ) -> None:
        if decimals not in (None, "string", "number"):
            raise ValueError("decimals must be string or number")
        if locations not in (None, *get_args(Locations)):
            raise ValueError("locations must be plain, limited or none")
        if terminal_payments not in (None, *get_args(TerminalTrait)):
            raise ValueError("terminal_payments must be none, plain, findable or otherwise")
        if terminal_payments is not None:
            self.api.terminal_payments = terminal_payments
        if decimals is not None:
            self.api.decimals_as_numbers = decimals == "number"
        if introspection is not None:
            self.api.introspection = introspection
        if purchase_query is not None:
            self.api.purchase_query = purchase_query
        if locations is not None:
            self.api.locations = locations
        if dialect is not None:
            self.api.dialect = dialect_of(dialect)
        if stores is not None:
            self.state.stores = frozenset(stores)

    def _new_gift_card(
        self, *, code: str, balance: str, pin: str | None = None, code_type: str = "PHYSICAL"
    ) -> Json:
        card = self.state.gift_card_add(
            code=code, pin=pin, balance=Decimal(balance), code_type=CodeType(code_type)
        )
        return {"id": card.id, "balance": str(card.balance)}

    def _spend_elsewhere(self, code: str, amount: Decimal) -> Json:
        """Let another till take an amount off a card, between two requests of ours."""
        card = self.state.find_gift_card(code)
        found = [c for c in card.codes if c.code == code] if card else []
        _trans, after = self.state.gift_card_trans_add(
            code=code,
            pin=found[0].pin if found else None,
            trans_type=TransType.USE,
            amount=-abs(amount),
            source_id="another till",
        )
        return {"id": after.id, "balance": str(after.balance)}

    def routes(self, prefix: str = "") -> list[Route]:
        """Return the routes of the GraphQL endpoint and of the ledger."""
        return [
            Route(prefix + GRAPHQL_PATH, self._post, methods=["POST"]),
            Route("/_ledger", self._ledger, methods=["GET"]),
        ]

    async def _post(self, http: HttpRequest) -> Response:
        body = await http.body()
        if len(body) > REQUEST_BYTES_MAX:
            return Response(status_code=413)
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        try:
            answer = await self.answer(body, token if scheme.lower() == "bearer" else None)
        except ConnectionDropped as dropped:
            await drop_connection(http.scope, reset=dropped.reset)
            return Response()
        return Response(
            answer.body, answer.status, dict(answer.headers), media_type=answer.content_type
        )

    async def _ledger(self, http: HttpRequest) -> Response:
        if not is_local(http):
            return Response(status_code=403)
        return Response(json.dumps({"ledger": self.state.ledger}), media_type="application/json")


EMPTY_401 = HttpAnswer(401, headers=(("WWW-Authenticate", "Bearer"),))
"""The challenge of a server that got no good token: no body at all."""


def below_root(operation: str) -> Json:
    """Return the error of a mutation that ran, of whose result the caller may not see a part."""
    return {
        **error_body("NOT_AUTHORIZED", "you may not see this field"),
        "path": [*operation.split("."), "id"],
    }


def _answer(fault: Fault, execution: Execution, operation: str) -> HttpAnswer:
    """Return what the client is told.

    Raises:
        ConnectionDropped: It is told nothing.
    """
    honest = execution.answer()
    retry = (("Retry-After", str(fault.retry_after_seconds)),) if fault.retry_after_seconds else ()
    match fault.answer:
        case FaultAnswer.NORMAL:
            return honest
        case FaultAnswer.DROP | FaultAnswer.RESET:
            raise ConnectionDropped(reset=fault.answer is FaultAnswer.RESET)
        case FaultAnswer.EMPTY_401:
            return EMPTY_401
        case FaultAnswer.PERMISSION_401:
            return error_answer(401, "NOT_AUTHORIZED", "a permission is missing")
        case FaultAnswer.NOT_AUTHENTICATED_401:
            return error_answer(401, "NOT_AUTHENTICATED", "log in first")
        case FaultAnswer.ERROR_400:
            named = {"Property": fault.property_name, "ValidationType": "Invalid"}
            return error_answer(
                400, fault.code, "something went wrong", named if fault.property_name else None
            )
        case FaultAnswer.DATA_AND_ERRORS:
            errors = [*execution.errors, error_body("FUSION_ERROR", "something went wrong")]
            return json_answer(400, {"errors": errors, "data": execution.data})
        case FaultAnswer.WITHOUT_ID:
            field = (execution.data or {}).get(operation) or {}
            return json_answer(200, {"data": {operation: {**field, "id": None}}})
        case FaultAnswer.DENIED_BELOW:
            return json_answer(401, {"errors": [below_root(operation)]})
        case FaultAnswer.NULL_BELOW:
            data = {operation: {"id": None}}
            return json_answer(200, {"errors": [below_root(operation)], "data": data})
        case FaultAnswer.HTML_200:
            return HttpAnswer(200, PORTAL_HTML, "text/html")
        case FaultAnswer.TRUNCATED:
            return HttpAnswer(honest.status, honest.body[: len(honest.body) // 2])
        case FaultAnswer.TOO_MANY_429:
            return HttpAnswer(429, headers=retry)
        case FaultAnswer.SERVER_ERROR_500:
            return HttpAnswer(500, b"Internal Server Error", "text/plain")
        case FaultAnswer.UNAVAILABLE_503:
            return HttpAnswer(503, b"Service Unavailable", "text/plain", retry)
        case FaultAnswer.GATEWAY_TIMEOUT_504:
            return HttpAnswer(504, b"<h1>504 Gateway Time-out</h1>", "text/html")
        case stranger:
            return IN_THE_WAY[stranger]

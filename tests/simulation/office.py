"""The back office of a world: real state, honest answers, and the faults of POS_API.md."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from simulators.back_office.answers import below_root
from simulators.back_office.dialect import Dialect
from simulators.back_office.faults import NAMED, Effect, Fault, FaultAnswer
from simulators.back_office.graphql import Execution, GraphQlApi, HttpAnswer, Request
from simulators.back_office.in_the_way import IN_THE_WAY
from simulators.back_office.records import Json, TransType
from simulators.back_office.resolvers import TILL_PERMISSIONS
from simulators.back_office.state import BackOfficeState

WORK_SECONDS = (0.02, 0.4)  # from the request's arrival to its effect
ANSWER_SECONDS = (0.01, 0.3)  # and on to the answer
LATE_SECONDS = (20.0, 100.0)  # after the request; the client gives up after 10 s in a world
# Named faults that a world uses. `lost_commit` has a rate of its own: a server that answers with an
# id and then loses the record deceives every client, so nobody may call the books `matched`.
FAULTS = tuple(sorted(set(NAMED) - {"lost_commit", "apply_late"}))
PERMISSIONS = TILL_PERMISSIONS | {"CreateGiftCard"}
# Servers that call and shape things otherwise, all such that a hold can be ended; a schema that is
# hidden shows no other names, so there it is as documented.
DIALECTS = tuple(
    Dialect(other_types=other_types, capture=capture, errors=errors)
    for other_types in (False, True)
    for capture in ("documented", "renamed", "bare", "terse")
    for errors in ("fusion", "graphql_net", "apollo")
)
DOCUMENTED_CHANCE, HIDDEN_CHANCE, CHANGE_CHANCE = 0.4, 0.3, 0.5
CHANGES_AFTER = (5, 60)  # requests; then the server is updated while the bridge runs
ELSEWHERE = "another shop"  # the source of what others do with a gift card


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@cache
def _schema(*, as_numbers: bool) -> GraphQlApi:
    """Return an API without a world of its own: building one takes as long as a payment."""
    return GraphQlApi(BackOfficeState(), decimals_as_numbers=as_numbers)


class Office:
    """The server. `asked` hears each request that arrived, `changed` each effect it had.

    `answered` hears how a purchase was answered.
    """

    def __init__(
        self,
        state: BackOfficeState,
        rng: random.Random,
        *,
        asked: Callable[[str, Mapping[str, Any]], None],
        changed: Callable[[Json], None],
        answered: Callable[[str, FaultAnswer], None],
        tell: Callable[[str], None],
        dialects: random.Random,
    ) -> None:
        self.state = state
        self.away = False
        self.login_needed = False
        self.fault_chance = 0.0
        self.rejects = 0.0  # chance of a booking whose values are refused
        self.outage: Fault | None = None  # what everybody is told for a while
        self.late_effects = 0  # still to come
        self.forgetful = 0.0  # chance of a booking that is acknowledged and lost
        self.lost: list[str] = []  # transaction ids of those
        self._api = copy.copy(_schema(as_numbers=rng.random() < 0.5))
        self._api.state = state
        self._dialects = dialects
        self._until_change = 0  # requests; 0: it stays as it is
        if dialects.random() >= DOCUMENTED_CHANCE:
            self._api.dialect = dialects.choice(DIALECTS)
        if self._api.dialect.capture == "documented" and dialects.random() < HIDDEN_CHANCE:
            self._api.introspection = False
        elif dialects.random() < CHANGE_CHANCE:
            self._until_change = dialects.randint(*CHANGES_AFTER)
        self._rng = rng
        self._asked = asked
        self._changed = changed
        self._answered = answered
        self._tell = tell
        self._tokens = 0
        self._good_from = 0

    def new_token(self) -> str:
        """Return a token that is good now."""
        self._tokens += 1
        return f"token-{self._tokens}"

    def expire_tokens(self) -> None:
        """Let no token be good that was given out so far."""
        self._good_from = self._tokens

    def use_elsewhere(self, code: str, minor: int) -> None:
        """Let another shop take money off a gift card, or put some on it when `minor` is above 0.

        A card that holds too little stays as it is.
        """
        card = self.state.find_gift_card(code)
        amount = Decimal(minor).scaleb(-2)
        if card is None or card.balance + amount < 0:
            return
        self._tell(f"another shop moves {amount} on {code}")
        before = len(self.state.ledger)
        self.state.gift_card_trans_add(
            code=code,
            trans_type=TransType.USE if minor < 0 else TransType.ADD,
            amount=amount,
            source_id=ELSEWHERE,
        )
        self._report(before)

    def release_by_hand(self, name: str) -> None:
        """Release a hold, as a person does on the office's own page."""
        before = len(self.state.ledger)
        self.state.gift_card_trans_capture(name, cancel=True)
        self._report(before)

    async def answer(self, body: bytes, authorization: str) -> Reply | None:
        """Answer a request; None when the connection breaks instead.

        The effect happens even if who asked died meanwhile.
        """
        self._perhaps_change()
        # What is under way is carried out by the schema that let it pass.
        api = copy.copy(self._api)
        request = api.read(body)
        if isinstance(request, Request):
            self._asked(request.operation, request.arguments)
        if self.outage is None and int(authorization.rpartition("-")[2]) <= self._good_from:
            return Reply(401)
        if isinstance(request, HttpAnswer):
            assert b"purchaseAdd" not in body, "what is documented needs no other name"
            self._tell(f"does not understand {body[:60]!r}")
            await asyncio.sleep(self._dialects.uniform(*WORK_SECONDS))
            if self.outage is not None:
                return _spell(self.outage, "", Execution(None))
            return _reply_of(request)
        if request.operation == "purchaseAdd" and self._rng.random() < self.forgetful:
            return await self._acknowledge_and_lose(api, request)
        fault = self.outage or self._draw(request.operation)
        if fault is not HONEST:
            self._tell(f"{request.operation} meets {fault.effect.value}+{fault.answer.value}")
        loop = asyncio.get_running_loop()
        work = self._rng.uniform(*WORK_SECONDS)
        done: asyncio.Future[Execution] = loop.create_future()
        match fault.effect:
            case Effect.APPLIED:
                loop.call_later(work, self._apply, api, request, done)
            case Effect.LATE:
                self.late_effects += 1
                late = self._rng.uniform(*LATE_SECONDS)
                loop.call_later(late, self._apply_late, api, request, done)
            case _:
                pass
        await asyncio.sleep(work + self._rng.uniform(*ANSWER_SECONDS))
        if request.operation == "purchaseAdd":
            self._answered(request.arguments["add"]["transactionId"], fault.answer)
        return _spell(fault, request.operation, done.result() if done.done() else Execution(None))

    def _perhaps_change(self) -> None:
        """Be updated while the bridge runs: other names for the same."""
        self._until_change -= 1
        if self._until_change == 0:
            self._api.dialect = self._dialects.choice(DIALECTS)
            self._tell(f"is updated: {self._api.dialect}")

    async def _acknowledge_and_lose(self, api: GraphQlApi, request: Request) -> Reply:
        """Answer a booking with its number, and have nothing of it in the end."""
        name = request.arguments["add"]["transactionId"]
        self._tell(f"acknowledges {name} and loses it")
        await asyncio.sleep(self._rng.uniform(*WORK_SECONDS))
        execution = api.execute(request, PERMISSIONS)
        for number, one in list(self.state.purchases.items()):
            if one.transaction_id == name:
                del self.state.purchases[number]
        self.lost.append(name)
        return _reply_of(execution.answer())

    def _draw(self, operation: str) -> Fault:
        if operation == "purchaseAdd" and self.rejects and self._rng.random() < self.rejects:
            return NAMED["validation"]
        if self._rng.random() >= self.fault_chance:
            return HONEST
        return NAMED[self._rng.choice(FAULTS)]

    def _apply_late(
        self, api: GraphQlApi, request: Request, done: asyncio.Future[Execution]
    ) -> None:
        self.late_effects -= 1
        self._apply(api, request, done)

    def _apply(self, api: GraphQlApi, request: Request, done: asyncio.Future[Execution]) -> None:
        before = len(self.state.ledger)
        done.set_result(api.execute(request, PERMISSIONS))
        self._report(before)

    def _report(self, before: int) -> None:
        for line in self.state.ledger[before:]:
            what = line.get("transactionId") or line.get("refNo") or line.get("sourceId")
            self._tell(f"{line['effect']} {line.get('id', '')} {line.get('amount', '')} {what}")
            self._changed(line)


HONEST = Fault()


def _spell(fault: Fault, operation: str, execution: Execution) -> Reply | None:
    match fault.answer:
        case FaultAnswer.NORMAL:
            return _reply_of(execution.answer())
        case FaultAnswer.DROP | FaultAnswer.RESET:
            return None
        case FaultAnswer.EMPTY_401:
            return Reply(401)
        case FaultAnswer.PERMISSION_401:
            return error_reply(401, "NOT_AUTHORIZED")
        case FaultAnswer.NOT_AUTHENTICATED_401:
            return error_reply(401, "NOT_AUTHENTICATED")
        case FaultAnswer.ERROR_400:
            named = {"Property": fault.property_name} if fault.property_name else {}
            return error_reply(400, fault.code, named)
        case FaultAnswer.DATA_AND_ERRORS:
            errors = [{"message": "odd", "extensions": {"code": "FUSION_ERROR"}}]
            return json_reply(400, {"errors": errors, "data": execution.data})
        case FaultAnswer.WITHOUT_ID:
            row = (execution.data or {}).get(operation) or {}
            without = {**row, "id": None} if isinstance(row, Mapping) else None
            return json_reply(200, {"data": {operation: without}})
        case FaultAnswer.DENIED_BELOW:
            return json_reply(401, {"errors": [below_root(operation)]})
        case FaultAnswer.NULL_BELOW:
            data = {operation: {"id": None}}
            return json_reply(200, {"errors": [below_root(operation)], "data": data})
        case FaultAnswer.HTML_200:
            return Reply(200, b"<h1>Welcome</h1>", {"content-type": "text/html"})
        case FaultAnswer.TRUNCATED:
            return Reply(200, b'{"data": {"purch', {"content-type": "application/json"})
        case FaultAnswer.TOO_MANY_429:
            return Reply(429, headers={"retry-after": "2"})
        case FaultAnswer.SERVER_ERROR_500:
            return Reply(500, b"Internal Server Error")
        case FaultAnswer.UNAVAILABLE_503:
            return Reply(503, b"Service Unavailable")
        case FaultAnswer.GATEWAY_TIMEOUT_504:
            return Reply(504, b"<h1>504</h1>")
        case stranger:
            return _reply_of(IN_THE_WAY[stranger])


def _reply_of(answer: HttpAnswer) -> Reply:
    headers = {"content-type": answer.content_type, **dict(answer.headers)}
    return Reply(answer.status, answer.body, headers)


def json_reply(status: int, document: Mapping[str, Any]) -> Reply:
    """Return a JSON answer."""
    return Reply(status, json.dumps(document).encode(), {"content-type": "application/json"})


def error_reply(status: int, code: str, data: Mapping[str, str] | None = None) -> Reply:
    """Return an answer that says no."""
    extensions: dict[str, Any] = {"code": code}
    if data:
        extensions["data"] = dict(data)
    return json_reply(status, {"errors": [{"message": "no", "extensions": extensions}]})

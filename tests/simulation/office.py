"""The back office of a world: real state, honest answers, and the faults of POS_API.md."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulators.backoffice_faults import NAMED, Answer, Effect, Fault
from simulators.backoffice_records import ApiError, Purchase
from simulators.backoffice_state import BackOfficeState

WORK_SECONDS = (0.02, 0.4)  # from the request's arrival to its effect
ANSWER_SECONDS = (0.01, 0.3)  # and on to the answer
LATE_SECONDS = (20.0, 100.0)  # after the request; the client gives up after 10 s in a world
# Named faults that a world uses. `lost_commit` is not among them: a server that answers with an
# id and then loses the record deceives every client; the daily reconciliation is for that.
FAULTS = tuple(sorted(set(NAMED) - {"lost_commit", "apply_late"}))


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Office:
    """The server. `asked` hears each request that arrived, `added` each purchase that was made."""

    def __init__(
        self,
        state: BackOfficeState,
        rng: random.Random,
        *,
        asked: Callable[[Mapping[str, Any]], None],
        added: Callable[[Purchase], None],
        tell: Callable[[str], None],
    ) -> None:
        self.state = state
        self.away = False
        self.login_needed = False
        self.fault_chance = 0.0
        self.late_effects = 0  # still to come
        self._rng = rng
        self._asked = asked
        self._added = added
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

    async def answer(self, request: Mapping[str, Any], authorization: str) -> Reply | None:
        """Answer a request; None when the connection breaks instead.

        The effect happens even if who asked died meanwhile.
        """
        self._asked(request)
        if int(authorization.rpartition("-")[2]) <= self._good_from:
            return Reply(401)
        add = request["variables"]["add"]
        fault = self._draw()
        name = f"{fault.effect.value}+{fault.answer.value}"
        if fault is not HONEST:
            self._tell(f"{add['transactionId']} meets {name}")
        loop = asyncio.get_running_loop()
        work = self._rng.uniform(*WORK_SECONDS)
        done: asyncio.Future[Purchase | ApiError] = loop.create_future()
        match fault.effect:
            case Effect.APPLIED:
                loop.call_later(work, self._apply, add, done)
            case Effect.LATE:
                self.late_effects += 1
                loop.call_later(self._rng.uniform(*LATE_SECONDS), self._apply_late, add, done)
            case _:
                pass
        await asyncio.sleep(work + self._rng.uniform(*ANSWER_SECONDS))
        return self._spell(fault, done.result() if done.done() else None)

    def _draw(self) -> Fault:
        if self._rng.random() >= self.fault_chance:
            return HONEST
        return NAMED[self._rng.choice(FAULTS)]

    def _apply_late(self, add: Mapping[str, Any], done: asyncio.Future[Any]) -> None:
        self.late_effects -= 1
        self._apply(add, done)

    def _apply(self, add: Mapping[str, Any], done: asyncio.Future[Any]) -> None:
        try:
            purchase = self.state.purchase_add({**add, "payAmount": Decimal(add["payAmount"])})
        except ApiError as error:
            done.set_result(error)
            return
        self._tell(f"{purchase.transaction_id} stored as {purchase.id}")
        self._added(purchase)
        done.set_result(purchase)

    def _spell(self, fault: Fault, outcome: Purchase | ApiError | None) -> Reply | None:
        record = outcome.id if isinstance(outcome, Purchase) else None
        good = {"purchaseAdd": {"id": record}}
        match fault.answer:
            case Answer.NORMAL:
                if isinstance(outcome, ApiError):
                    return error_reply(400, outcome.code, outcome.data)
                return json_reply(200, {"data": good})
            case Answer.DROP | Answer.RESET:
                return None
            case Answer.EMPTY_401:
                return Reply(401)
            case Answer.PERMISSION_401:
                return error_reply(401, "NOT_AUTHORIZED")
            case Answer.NOT_AUTHENTICATED_401:
                return error_reply(401, "NOT_AUTHENTICATED")
            case Answer.ERROR_400:
                named = {"Property": fault.property_name} if fault.property_name else {}
                return error_reply(400, fault.code, named)
            case Answer.DATA_AND_ERRORS:
                errors = [{"message": "odd", "extensions": {"code": "FUSION_ERROR"}}]
                return json_reply(400, {"errors": errors, "data": good})
            case Answer.WITHOUT_ID:
                return json_reply(200, {"data": {"purchaseAdd": {"id": None}}})
            case Answer.HTML_200:
                return Reply(200, b"<h1>Welcome</h1>", {"content-type": "text/html"})
            case Answer.TRUNCATED:
                return Reply(200, b'{"data": {"purch', {"content-type": "application/json"})
            case Answer.TOO_MANY_429:
                return Reply(429, headers={"retry-after": "2"})
            case Answer.SERVER_ERROR_500:
                return Reply(500, b"Internal Server Error")
            case Answer.UNAVAILABLE_503:
                return Reply(503, b"Service Unavailable")
            case Answer.GATEWAY_TIMEOUT_504:
                return Reply(504, b"<h1>504</h1>")


HONEST = Fault()


def json_reply(status: int, document: Mapping[str, Any]) -> Reply:
    """Return a JSON answer."""
    return Reply(status, json.dumps(document).encode(), {"content-type": "application/json"})


def error_reply(status: int, code: str, data: Mapping[str, str] | None = None) -> Reply:
    """Return an answer that says no."""
    extensions: dict[str, Any] = {"code": code}
    if data:
        extensions["data"] = dict(data)
    return json_reply(status, {"errors": [{"message": "no", "extensions": extensions}]})

"""What registers are told in answer to their commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.payment import leg_id
from bridge.money.store.journal_entries import PaymentRow
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from bridge.register.mqtt.messages import Delivery
from bridge.register.outbox import Outbox, Outgoing

# When it is worth another try, in seconds, by the code of the refusal.
RETRY_AFTER_SECONDS = {
    "terminal_busy": 20,  # what a card payment takes
    "queue_full": 20,
    "terminal_offline": 5,  # how often a terminal is asked that is away or not well
    "terminal_maintenance": 5,
    "too_many_requests": 2,  # by then a register's line is done with
    "bridge_draining": 10,  # a restart, with a payment that must end before
}
# These say nothing of the payment that goes by that id, and it may have charged somebody.
NOT_ABOUT_THE_PAYMENT = frozenset({"idempotency_conflict", "too_many_requests"})
IN_DOUBT_RETRY_SECONDS = 5  # how often a terminal is asked about a payment in doubt


class Replies:
    """Writes responses, and puts them where the publisher fetches them."""

    def __init__(
        self, outbox: Outbox, topics: k.Topics, ledger: Ledger, now: Callable[[], datetime]
    ) -> None:
        """Answer below `topics`; `now` is the wall clock in UTC."""
        self._outbox = outbox
        self._topics = topics
        self._ledger = ledger
        self._now = now

    async def show_again(self, payment_id: str) -> None:
        """Have a payment's document published again, also one that was taken away.

        It stays as a new one would: until it is acknowledged, or for a day.

        Raises:
            JournalError: It could not be stored.
        """
        account = await self._ledger.payments.find(payment_id)
        if account is not None and not account.live:
            await self._ledger.show_again(payment_id)
            self._outbox.keep(payment_id, asyncio.get_running_loop().time())
        self._outbox.show(payment_id)

    def about(
        self, request: k.AnyRequest, account: PaymentRecord, status: str, **more: Any
    ) -> k.Response:
        """Return the response that says how a payment is; `more` are its other fields."""
        return self.response(
            request,
            status,
            payment_id=account.payment_id,
            payment_status=account.payment.status,
            rev=account.rev,
            **more,
        )

    def response(
        self,
        request: k.AnyRequest,
        status: str,
        *,
        result: k.Wire | dict[str, Any] | None = None,
        **more: object,
    ) -> k.Response:
        """Return a response to `request`; `more` are its other fields."""
        if isinstance(result, k.Wire):
            assert request.result is not None, "the contract says that there is one"
            assert isinstance(result, request.result), "as the contract says"
            result = result.model_dump(mode="json", by_alias=True)
        return k.Response.model_validate(
            {
                "request_id": request.request_id,
                "op": request.operation,
                "status": status,
                "time": self._now(),
                "result": result,
                **more,
            }
        )

    def refuse(
        self,
        delivery: Delivery,
        register_id: str,
        operation: str,
        error: RequestError,
        *,
        forgotten: PaymentRow | None = None,
        may_be_known: bool = False,
    ) -> None:
        """Queue the response that says why a command was not done.

        `forgotten` is the register's payment of that id where the journal has it and memory does
        not. `may_be_known`: it cannot be said which payment this is about.
        """
        request_id, payment_id = k.salvage_ids(delivery.payload, delivery.correlation)
        known = self._known(register_id, payment_id) if payment_id else []
        status = known[0].status if known else None
        body = _error_body(error, known)
        if not known and (forgotten is not None or may_be_known):
            status = p.Status(forgotten.status) if forgotten is not None else None
            body = body.model_copy(update={"retry": "after_check", "money_moved": "unknown"})
        response = k.Response(
            request_id=request_id,
            op=operation[:64],
            status="error",
            payment_id=payment_id,
            payment_status=status,
            error=body,
            time=self._now(),
        )
        self.say(delivery, register_id, response)

    def _known(self, register_id: str, payment_id: str) -> list[p.Payment]:
        """Return the register's own payments of that id in memory: one, or the legs of a plan."""
        account = self._ledger.payments.get(payment_id) or self._first_leg(payment_id)
        if account is None or account.payment.request.register_id != register_id:
            return []  # the outcome of a payment is shown to its own register only
        plan = account.payment.request.plan
        get = self._ledger.payments.get
        legs = [get(leg.payment_id) for leg in plan.legs] if plan else [account]
        return [one.payment for one in legs if one is not None]

    def _first_leg(self, plan_id: str) -> PaymentRecord | None:
        return self._ledger.payments.get(leg_id(plan_id, 1)) if k.is_payment_id(plan_id) else None

    def say(self, delivery: Delivery, register_id: str, response: k.Response) -> None:
        """Queue a response, to where its register wants it."""
        topic = self._topics.response(register_id, response.op)
        wanted = delivery.response_topic
        if wanted is not None and self._topics.may_answer_at(register_id, wanted):
            topic = wanted
        about = (response.op, response.payment_id or "")
        is_refusal = response.status == "error"
        if not is_refusal:
            # It was refused before and was sent again; heard now, that would deny what goes on.
            self._outbox.responses.remove(register_id, lambda one: one.refused == about)
        refused = about if is_refusal and response.payment_id else None
        self._outbox.respond(
            Outgoing(topic, k.encode(response), delivery.correlation, register_id, refused)
        )

    def refuse_foreign_address(self, delivery: Delivery, register_id: str) -> None:
        """Refuse a response topic outside the register's own prefix.

        Raises:
            RequestError: `response_topic_not_allowed`.
        """
        topic = delivery.response_topic
        if topic is not None and not self._topics.may_answer_at(register_id, topic):
            raise RequestError(
                "response_topic_not_allowed",
                "answers go to your own prefix only",
                path="response_topic",
                allowed=f"{self._topics.register(register_id)}/…",
            )


def _error_body(error: RequestError, known: Sequence[p.Payment]) -> k.ErrorBody:
    """Return what a refusal means for the money; `known` are the payments of its id."""
    seconds = RETRY_AFTER_SECONDS.get(error.code)
    if "payment_in_doubt" in error.detail:
        seconds = IN_DOUBT_RETRY_SECONDS
    body = k.error_body(error, retry_after_seconds=seconds)
    if error.code not in NOT_ABOUT_THE_PAYMENT:
        return body
    if any(not one.is_final or one.may_have_moved or one.held_minor for one in known):
        return body.model_copy(update={"retry": "after_check", "money_moved": "unknown"})
    if any(one.status is p.Status.APPROVED for one in known):
        return body.model_copy(update={"retry": "after_check", "money_moved": "yes"})
    return body

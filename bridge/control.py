"""The door for the command line on the same machine: a Unix socket, one JSON line each way.

Only the service's own user can open it. It does what a supervisor may do: answer a doubt, answer
or mend an unconfirmed or rejected booking, have the bridge go on where only a person may say so.
Everything else is read from the journal directly.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bridge import purchase_answers as w
from bridge.errors import RequestError
from bridge.log import about
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.amounts import parse_amount
from bridge.money.ledger import Ledger
from bridge.money.store.records import PurchaseRecord
from bridge.register.commands.router import Desk
from bridge.takeover import TakeOver

MOMENT_PATTERN = r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?)?$"
_LOGGER = logging.getLogger(__name__)

LINE_BYTES_MAX = 1 << 18  # as many answers as are taken at once, each with the longest names
ANSWER_BYTES_MAX = 1 << 20  # of a status with as many terminals as a configuration holds
ANSWER_SECONDS_MAX = 10.0  # a command line that says nothing is let go
LONG_ANSWER_SECONDS_MAX = w.ALL_ANSWERS_SECONDS_MAX + 2 * w.LOOK_UP_SECONDS_MAX


class ResolvePayment(BaseModel):
    """A person's answer to a payment in doubt."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["resolve_payment"]
    payment_id: str
    outcome: Literal["approved", "not_charged", "refund_if_found"]
    by: str = Field(min_length=1)
    approval_code: str = ""
    amount: str = ""  # as the contract writes it, in the payment's currency; "" what was asked
    why: str = Field(default="", max_length=w.TEXT_CHARS_MAX)


class ResolvePurchase(BaseModel):
    """A person looked the booking up: it is there, or it is to be sent again."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["resolve_purchase"]
    payment_id: str
    by: str = Field(min_length=1)
    record_id: str = Field(default="", max_length=64)
    send_again: bool = False
    why: str = Field(default="", max_length=w.TEXT_CHARS_MAX)


class PurchaseAnswer(BaseModel):
    """The answer for one of many: it is there, or it is to be sent again."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=128)  # a transaction id, or a payment's
    record_id: str = Field(default="", max_length=64)
    send_again: bool = False
    seen_rev: int = Field(ge=1)  # as `waiting_purchases` showed it


class ResolvePurchases(BaseModel):
    """A person looked many bookings up; each is answered for itself, or refused with a reason."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["resolve_purchases"]
    by: str = Field(min_length=1)
    why: str = Field(min_length=1)
    answers: list[PurchaseAnswer] = Field(min_length=1, max_length=w.ANSWERS_MAX)


class WaitingPurchases(BaseModel):
    """Somebody asks which bookings wait for a person. Changes nothing."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["waiting_purchases"]
    states: list[Literal["unconfirmed", "rejected"]] = ["unconfirmed", "rejected"]
    since: str = Field(default="", pattern=MOMENT_PATTERN)  # in the store's time, included
    until: str = Field(default="", pattern=MOMENT_PATTERN)  # not included
    store_code: str = ""
    names: list[str] = Field(default=[], max_length=w.ANSWERS_MAX)


class MendedLine(BaseModel):
    """Which article a line was really about."""

    model_config = ConfigDict(extra="forbid")
    line_number: int = Field(ge=1)
    sku: str = Field(min_length=1)


class MendPurchase(BaseModel):
    """A person corrects a rejected booking; it is sent again so. "" and None change nothing."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["mend_purchase"]
    payment_id: str  # or the transaction id
    by: str
    why: str
    store_code: str = ""
    skus: list[MendedLine] = []
    member_id: str | None = None  # "" takes the member away
    seen_rev: int = Field(default=0, ge=0)


class DecideDiscrepancy(BaseModel):
    """A person dealt with evidence that contradicts a final payment."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["decide_discrepancy"]
    payment_id: str
    by: str = Field(min_length=1)
    decision: Literal["book", "noted"]
    why: str = Field(default="", max_length=w.TEXT_CHARS_MAX)


class TakeOverOrder(BaseModel):
    """A person has this bridge go on in spite of what holds it back."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["take_over"]
    by: str = Field(min_length=1)


class Obstacles(BaseModel):
    """Somebody asks what holds it back."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["obstacles"]


class AskStatus(BaseModel):
    """Somebody asks how the service and its terminals are."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["status"]


class AskFrames(BaseModel):
    """Somebody makes a support bundle: what went over the terminals' lines last, masked."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["frames"]


class NoteGaps(BaseModel):
    """A person has seen that a terminal's sum is not the journal's."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["note_gaps"]
    terminal_id: str
    by: str = Field(min_length=1)
    text: str = Field(default="", max_length=256)


AnyOrder = (
    ResolvePayment
    | ResolvePurchase
    | ResolvePurchases
    | WaitingPurchases
    | MendPurchase
    | DecideDiscrepancy
    | TakeOverOrder
    | Obstacles
    | AskStatus
    | AskFrames
    | NoteGaps
)
Order = Annotated[AnyOrder, Field(discriminator="do")]


class Control:
    """Serves the socket."""

    def __init__(
        self,
        path: Path,
        ledger: Ledger,
        desk: Desk,
        records: w.Records | None = None,
        *,
        take_over: TakeOver | None = None,
        status: Callable[[], dict[str, Any]] = dict,
        frames: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Serve at `path`; nothing is opened yet.

        `records` is None without a back office, `take_over` where nothing is ever in the way.
        `status` says how the service is, and `frames` what went over its lines, in JSON's types.
        """
        self._status = status
        self._frames = frames
        self._purchases = w.PurchaseAnswers(ledger, records)
        self._take_over = take_over
        self._path = path
        self._ledger = ledger
        self._desk = desk
        self._orders: TypeAdapter[Order] = TypeAdapter(Order)

    async def run(self) -> None:
        """Serve for ever; the socket's file is removed at the end."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_BYTES_MAX)
        finally:
            os.umask(mask)
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    def obstacles(self) -> list[str]:
        """Return why nothing begins, where only a person may say to go on."""
        return self._take_over.obstacles() if self._take_over else []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                line = await reader.readline()
            # The orders of many answers look each of them up.
            async with asyncio.timeout(LONG_ANSWER_SECONDS_MAX):
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError) as error:
            _LOGGER.warning("control connection dropped reason=%r", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        return await self._carry_out(lambda: self._orders.validate_json(line), "command_line")

    async def carry_out(self, order: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Do an order as if it had come over the socket, and return its answer.

        `source` is where a person's answer to a doubt was given, for its document.

        Raises:
            JournalError: It could not be stored.
        """
        return await self._carry_out(lambda: self._orders.validate_python(dict(order)), source)

    async def _carry_out(self, read: Callable[[], AnyOrder], source: str) -> dict[str, Any]:
        try:
            return {"ok": True, **await self._do(read(), source)}
        except ValidationError as error:
            return {"ok": False, **_fault(error)}
        except RequestError as error:
            return {"ok": False, "code": error.code, "path": error.path, "message": str(error)}

    async def _do(self, order: AnyOrder, source: str) -> dict[str, Any]:
        match order:
            case TakeOverOrder():
                if self._take_over is None:
                    raise RequestError("not_allowed", "nothing is in the way of this bridge")
                return {"confirmed": await self._take_over.take(order.by)}
            case AskStatus():
                return self._status()
            case AskFrames():
                return self._frames()
            case Obstacles():
                way = self._take_over
                return {
                    "obstacles": way.obstacles() if way else [],
                    "warnings": way.warnings() if way else [],
                }
        self._refuse_while_halted()
        match order:
            case ResolvePayment():
                answer = p.Resolved(
                    *(order.outcome, order.by, order.approval_code, source), why=order.why
                )
                asked = await self._ledger.payments.find(order.payment_id)
                if order.amount and asked is not None:
                    currency = asked.payment.request.amount.currency
                    amount = parse_amount(order.amount, currency, path="amount")
                    answer = replace(answer, amount=amount)
                account = await self._desk.existing.resolve(order.payment_id, answer)
                return {"payment_id": order.payment_id, "status": account.payment.status.value}
            case NoteGaps(terminal_id=name):
                noted = await self._desk.operations.day_ends.note(name, order.by, order.text)
                return {"terminal_id": name, "noted": noted}
            case ResolvePurchase():
                return await self._resolve_purchase(order)
            case ResolvePurchases():
                return await self._resolve_purchases(order)
            case WaitingPurchases():
                return self._waiting_purchases(order)
            case MendPurchase():
                return await self._mend_purchase(order)
            case DecideDiscrepancy():
                known = self._ledger.payments.get(order.payment_id)
                if known is None or not known.payment.discrepancies:
                    raise RequestError(
                        "payment_not_found", "this payment contradicts nothing", path="payment_id"
                    )
                decided = p.Decided(order.decision, order.by, order.why)
                account = await self._ledger.apply(order.payment_id, decided)
                with about(order.payment_id):
                    _LOGGER.warning("decided decision=%s by=%s", order.decision, order.by)
                return {"payment_id": order.payment_id, "status": account.payment.status.value}

    def _refuse_while_halted(self) -> None:
        """Refuse answers about payments while the journal itself is in doubt: it is not read yet.

        Raises:
            RequestError: `journal_unconfirmed`.
        """
        if self._desk.refusal is not None:
            raise self._desk.refusal

    async def _resolve_purchase(self, order: ResolvePurchase) -> dict[str, Any]:
        if bool(order.record_id) == order.send_again:
            raise RequestError(
                "invalid_request",
                "say either record_id (its number in the back office) or send_again",
                path="record_id",
            )
        answer = w.Answer(order.payment_id, order.record_id)
        done = await self._purchases.answer(answer, order.by, order.why)
        assert done.purchase is not None, "what was answered is there"
        return {
            "payment_id": order.payment_id,
            "booking": done.purchase.purchase.state.value,
            "checked": done.checked,
        }

    async def _resolve_purchases(self, order: ResolvePurchases) -> dict[str, Any]:
        for number, one in enumerate(order.answers):
            if bool(one.record_id) == one.send_again:
                text = "say either record_id (its number in the back office) or send_again"
                raise RequestError("invalid_request", text, path=f"answers.{number}.record_id")
        answers = [w.Answer(one.name, one.record_id, one.seen_rev) for one in order.answers]
        results = await self._purchases.answer_all(answers, order.by, order.why)
        return {"results": [_result(one) for one in results]}

    def _waiting_purchases(self, order: WaitingPurchases) -> dict[str, Any]:
        states = frozenset(s.PurchaseState(one) for one in order.states)
        found = self._purchases.select(
            w.Selection(states, order.since, order.until, order.store_code, tuple(order.names))
        )
        return {
            "purchases": [_waiting(one) for one in found.purchases],
            "sums": found.sums,
            "left_out": found.left_out,
            "unknown": list(found.unknown),
        }

    async def _mend_purchase(self, order: MendPurchase) -> dict[str, Any]:
        skus = tuple((one.line_number, one.sku) for one in order.skus)
        mended = s.Mended(order.by, order.why, order.store_code, skus, order.member_id)
        after = await self._purchases.mend(order.payment_id, mended, seen_rev=order.seen_rev)
        return {
            "payment_id": order.payment_id,
            "transaction_id": after.purchase.content.transaction_id,
            "booking": after.purchase.state.value,
        }


def _fault(error: ValidationError) -> dict[str, Any]:
    """Return which field of an order is wrong, in our words; a library's say what it calls it."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in fault["loc"][1:])  # the first names the order
    words = {
        "missing": "this field is missing",
        "extra_forbidden": "there is no such field",
        "string_pattern_mismatch": "write a date like 2026-11-30, or with a time: 2026-11-30T14:00",
    }.get(fault["type"], "this value is not possible here" if path else "there is no such order")
    message = f"{path}: {words}" if path else words
    return {"code": "invalid_request", "path": path, "message": message}


def _result(one: w.Answered) -> dict[str, Any]:
    """Return what became of one answer of many."""
    refused = {"code": one.error.code, "message": str(one.error)} if one.error else {}
    now = one.purchase.purchase.state.value if one.purchase else ""
    done = one.error is None
    return {"name": one.name, "done": done, "booking": now, "checked": one.checked, **refused}


def _waiting(one: PurchaseRecord) -> dict[str, Any]:
    """Return what a person needs to look a purchase up, and to answer for it."""
    content = one.purchase.content
    currency = content.pay_amount.currency
    return {
        "transaction_id": content.transaction_id,
        "payment_ids": list(one.purchase.payment_ids),
        "state": one.purchase.state.value,
        "store_code": content.store_code,
        "purchased_on": content.purchased_on,
        "amount": w.signed(w.worth_minor(content), currency),
        "currency": currency,
        "error": one.purchase.error,
        "seen_rev": one.rev,
    }


async def ask(
    path: Path, order: dict[str, Any], *, seconds: float = ANSWER_SECONDS_MAX
) -> dict[str, Any]:
    """Send one order to the running service and return its answer, within `seconds`.

    Raises:
        OSError: No service is running there, or it is not ours.
        ValueError: The answer is no JSON.
    """
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_unix_connection(path, limit=ANSWER_BYTES_MAX)
        try:
            writer.write(json.dumps(order).encode() + b"\n")
            await writer.drain()
            answer: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
    return answer

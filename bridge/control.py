"""The door for the command line on the same machine: a Unix socket, one JSON line each way.

Only the service's own user can open it. It does what a supervisor may do: answer a doubt, answer
an unconfirmed or rejected booking, have the bridge go on where only a person may say so.
Everything else is read from the journal directly.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.amounts import parse_amount
from bridge.money.ledger import Ledger
from bridge.register.commands.router import Desk
from bridge.takeover import TakeOver

_LOGGER = logging.getLogger(__name__)

LINE_BYTES_MAX = 8_192
LOOK_UP_SECONDS_MAX = 6.0  # of the back office; below the answer's own limit
ANSWER_SECONDS_MAX = 10.0  # a command line that says nothing is let go


class ResolvePayment(BaseModel):
    """A person's answer to a payment in doubt."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["resolve_payment"]
    payment_id: str
    outcome: Literal["approved", "not_charged", "refund_if_found"]
    by: str = Field(min_length=1)
    approval_code: str = ""
    amount: str = ""  # as the contract writes it, in the payment's currency; "" what was asked


class ResolvePurchase(BaseModel):
    """A person looked the booking up: it is there, or it is to be sent again."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["resolve_purchase"]
    payment_id: str
    by: str = Field(min_length=1)
    record_id: str = ""
    send_again: bool = False


class DecideDiscrepancy(BaseModel):
    """A person dealt with evidence that contradicts a final payment."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["decide_discrepancy"]
    payment_id: str
    by: str = Field(min_length=1)
    decision: Literal["book", "noted"]


class TakeOverOrder(BaseModel):
    """A person has this bridge go on in spite of what holds it back."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["take_over"]
    by: str = Field(min_length=1)


class Obstacles(BaseModel):
    """Somebody asks what holds it back."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["obstacles"]


class NoteGaps(BaseModel):
    """A person has seen that a terminal's sum is not the journal's."""

    model_config = ConfigDict(extra="forbid")
    do: Literal["note_gaps"]
    terminal_id: str
    by: str = Field(min_length=1)
    text: str = Field(default="", max_length=256)


AnyOrder = (
    ResolvePayment | ResolvePurchase | DecideDiscrepancy | TakeOverOrder | Obstacles | NoteGaps
)
Order = Annotated[AnyOrder, Field(discriminator="do")]


class Records(Protocol):
    """What is asked of the back office."""

    async def purchase_exists(self, record_id: str, transaction_id: str = "") -> bool | None:
        """Say whether it shows this record of this transaction; None when it cannot tell."""


class Control:
    """Serves the socket."""

    def __init__(
        self,
        path: Path,
        ledger: Ledger,
        desk: Desk,
        records: Records | None = None,
        *,
        take_over: TakeOver | None = None,
    ) -> None:
        """Serve at `path`; nothing is opened yet.

        `records` is None without a back office, `take_over` where nothing is ever in the way.
        """
        self._records = records
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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                answer = await self._answer(await reader.readline())
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError) as error:
            _LOGGER.warning("control connection dropped reason=%r", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": True, **await self._do(self._orders.validate_json(line))}
        except ValidationError as error:
            return {"ok": False, "code": "invalid_request", "message": str(error)}
        except RequestError as error:
            return {"ok": False, "code": error.code, "path": error.path, "message": str(error)}

    async def _do(self, order: AnyOrder) -> dict[str, Any]:
        match order:
            case TakeOverOrder():
                if self._take_over is None:
                    raise RequestError("not_allowed", "nothing is in the way of this bridge")
                return {"confirmed": await self._take_over.take(order.by)}
            case Obstacles():
                way = self._take_over
                return {
                    "obstacles": way.obstacles() if way else [],
                    "warnings": way.warnings() if way else [],
                }
        self._refuse_while_halted()
        match order:
            case ResolvePayment():
                answer = p.Resolved(order.outcome, order.by, order.approval_code, "command_line")
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
            case DecideDiscrepancy():
                known = self._ledger.payments.get(order.payment_id)
                if known is None or not known.payment.discrepancies:
                    raise RequestError(
                        "payment_not_found", "this payment contradicts nothing", path="payment_id"
                    )
                decided = p.Decided(order.decision, order.by)
                account = await self._ledger.apply(order.payment_id, decided)
                return {"payment_id": order.payment_id, "status": account.payment.status.value}

    def _refuse_while_halted(self) -> None:
        """Refuse answers about payments while the journal itself is in doubt: it is not read yet.

        Raises:
            RequestError: `journal_unconfirmed`.
        """
        if self._desk.refusal is not None:
            raise self._desk.refusal

    async def _resolve_purchase(self, order: ResolvePurchase) -> dict[str, Any]:
        # An old answer may be corrected, too.
        await self._ledger.payments.find_original(order.payment_id)
        account = self._ledger.payments.purchase_of(order.payment_id)
        if account is None:
            raise RequestError(
                "payment_not_found", "no booking is open for this payment", path="payment_id"
            )
        if bool(order.record_id) == order.send_again:
            raise RequestError(
                "invalid_request",
                "say either record_id (its number in the back office) or send_again",
                path="record_id",
            )
        waiting = {s.PurchaseState.UNCONFIRMED, s.PurchaseState.REJECTED}
        corrects = account.purchase.state is s.PurchaseState.RECORDED and (
            account.purchase.answered_by != ""
        )
        if account.purchase.state not in waiting and not corrects:
            raise RequestError(
                "not_allowed",
                f"the booking is {account.purchase.state.value}",
                path="payment_id",
            )
        transaction_id = account.purchase.content.transaction_id
        checked = await self._look_up(order.record_id, transaction_id)
        after = await self._ledger.apply_purchase(
            transaction_id,
            s.Answered(order.by, order.record_id, order.send_again, checked),
        )
        _LOGGER.warning(
            "booking answered transaction=%s by=%s record=%s send_again=%s checked=%s corrects=%s",
            *(transaction_id, order.by, order.record_id, order.send_again, checked, corrects),
        )
        return {
            "payment_id": order.payment_id,
            "booking": after.purchase.state.value,
            "checked": checked,
        }

    async def _look_up(
        self, record_id: str, transaction_id: str
    ) -> Literal["", "found", "cannot_tell"]:
        """Return what the back office says of a record; "" when there is none to look up.

        Raises:
            RequestError: `invalid_request`: it has no such record, or it is of another sale.
        """
        if not record_id:
            return ""
        if self._records is None:
            return "cannot_tell"
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS_MAX):
                found = await self._records.purchase_exists(record_id, transaction_id)
        except TimeoutError:
            found = None
        if found is False:
            raise RequestError(
                "invalid_request",
                f"the back office shows no record {record_id} of Trans # {transaction_id}",
                path="record_id",
            )
        return "found" if found else "cannot_tell"


async def ask(path: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Send one order to the running service and return its answer.

    Raises:
        OSError: No service is running there, or it is not ours.
        ValueError: The answer is no JSON.
    """
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX * 4)
        try:
            writer.write(json.dumps(order).encode() + b"\n")
            await writer.drain()
            answer: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
    return answer

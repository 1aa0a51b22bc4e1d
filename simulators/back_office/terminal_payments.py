"""The terminals that the simulated POS server drives, and a ledger of every effect. Pure.

Like a real processor's it is naive: a second `start` is a second payment, a second capture takes
the money again, and nothing compares references. Its ledger tells what really happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from simulators.back_office.records import Json, validation

TYPES = """
type TerminalPaymentResult {
  payment: TerminalPayment
  error: TerminalPaymentError
  continuation: TerminalPaymentContinuation
}
type TerminalPayment {
  id: ID
  status: String
  amount: Decimal
  refNo: String
  terminalId: String
  authCode: String
  cardType: String
  maskedCardNumber: String
}
type TerminalPaymentError { code: String message: String }
"""

PLAIN = (
    TYPES
    + """
extend type Mutation { terminalPayment: TerminalPaymentMutation }
enum TerminalPaymentType { SALE REFUND AUTHORIZATION }
type TerminalPaymentMutation {
  start(payment: TerminalPaymentStartInput!): TerminalPaymentResult
  continue(continuation: TerminalPaymentContinueInput!): TerminalPaymentResult
  capture(capture: TerminalPaymentCaptureInput!): TerminalPaymentResult
}
input TerminalPaymentStartInput {
  terminalId: String!
  transType: TerminalPaymentType!
  amount: Decimal!
  refNo: String
  originalPaymentId: String
}
input TerminalPaymentContinueInput { continuationId: String! }
input TerminalPaymentCaptureInput { paymentId: String! amount: Decimal }
type TerminalPaymentContinuation { id: ID waitSeconds: Int }
"""
)
"""As assumed: nothing public shows more than the three steps' names."""

FINDABLE = (
    PLAIN
    + """
extend type Query { terminalPayments(refNo: String, first: Int): TerminalPaymentRows! }
type TerminalPaymentRows { limitedByPermission: Boolean! results: [TerminalPayment!]! }
"""
)
"""With a query that nothing documents, as a server may have one."""

OTHERWISE = (
    TYPES
    + """
extend type Mutation { terminalPayment: TerminalPaymentMutation! }
enum PaymentAction { Sale Refund Authorize }
type TerminalPaymentMutation {
  start(
    deviceId: String!
    action: PaymentAction!
    total: Decimal!
    externalReference: String
    lane: Int = 1
  ): TerminalPaymentResult!
  continue(token: String!): TerminalPaymentResult!
  capture(authorizationId: String!): TerminalPaymentResult!
}
type TerminalPaymentContinuation { token: String waitMilliseconds: Int }
"""
)
"""The same with other names and shapes: plain arguments, another enum, milliseconds, no part."""

WORDS = {"Sale": "SALE", "Refund": "REFUND", "Authorize": "AUTHORIZATION"}
PERMISSIONS = {
    "SALE": "MakeSaleTerminalPayment",
    "REFUND": "MakeRefundTerminalPayment",
    "AUTHORIZATION": "MakeAuthorizationTerminalPayment",
}
WAIT_SECONDS = 1

Outcome = Literal["approve", "authorize", "decline", "cancel", "error_before", "error_after"]
_ERRORS = {
    "decline": ("DECLINED", "the issuer said no"),
    "cancel": ("CANCELLED", "the cardholder pressed stop"),
    "error_before": ("PROCESSOR_ERROR", "the processor did not answer"),
    "error_after": ("PROCESSOR_ERROR", "the processor did not answer"),
}


@dataclass(frozen=True, slots=True)
class Play:
    """What the shopper, the terminal and the processor do with one payment.

    Attributes:
        outcome: `error_after` moves the money and then answers an error, `error_before` does not.
        continuations: How many answers say that it is not over; -1: all of them.
        capture_continuations: The same of its capture.
        wait_seconds: What a continuation says; the server does not look whether it is kept.
        amount: Another amount than was asked, "" for the same.
        status: Another word for the payment's status, "" for the usual one.
        reference, terminal: What the answer says instead of ours; "" for ours.
        is_stranger: The continuation is that of somebody else's payment of the same amount.
        has_both: The answer holds an error beside the payment.
        capture_error: What the capture answers instead, "" for no error; the money is not taken.
    """

    outcome: Outcome = "approve"
    continuations: int = 0
    capture_continuations: int = 0
    wait_seconds: int = WAIT_SECONDS
    amount: str = ""
    status: str = ""
    reference: str = ""
    terminal: str = ""
    is_stranger: bool = False
    has_both: bool = False
    capture_error: str = ""


@dataclass(frozen=True, slots=True)
class ServerPayment:
    """One payment that the server knows."""

    id: str
    kind: str
    amount: Decimal
    reference: str
    terminal: str
    play: Play
    left: int  # continuations until it is over; below zero: never
    status: str = "RUNNING"
    asked_after_end: int = 0

    @property
    def is_over(self) -> bool:
        """True once the server has said its last word."""
        return self.status not in {"RUNNING", "CAPTURING"}


class PosServerTerminals:
    """All terminals of the server, and their payments.

    Args:
        note: Writes one line of the ledger.
        new_id: Returns a new id with a letter before it.

    Attributes:
        plays: What the next payments do, in order; without one they are approved at once.
        payments: All payments by their id.
    """

    def __init__(self, note: Callable[..., None], new_id: Callable[[str], str]) -> None:
        self._note = note
        self._new_id = new_id
        self.plays: deque[Play] = deque()
        self.payments: dict[str, ServerPayment] = {}

    def plan(self, settings: Mapping[str, Any]) -> None:
        """Have the next payment go as told; raises ValueError for a word that `Play` lacks."""
        try:
            self.plays.append(Play(**settings))
        except TypeError as error:
            raise ValueError(f"no such play: {error}") from error

    def start(
        self, *, terminal: str, kind: str, amount: Decimal, reference: str, original: str = ""
    ) -> Json:
        """Begin a payment at a terminal.

        Raises:
            ApiError: VALIDATION, and nothing begun.
        """
        if amount <= 0:
            raise validation("amount", "Range", "amount must be above zero")
        busy = next(
            (o for o in self.payments.values() if o.terminal == terminal and not o.is_over), None
        )
        if busy is not None:
            return {"error": {"code": "TERMINAL_BUSY", "message": f"{terminal} has a payment"}}
        play = self.plays.popleft() if self.plays else Play()
        taken = Decimal(play.amount) if play.amount else amount
        one = ServerPayment(
            self._new_id("TP"), kind, taken, reference, terminal, play, play.continuations
        )
        self._put(one, "terminal_payment_started", original=original)
        if play.is_stranger:
            other = replace(one, id=self._new_id("TP"), reference="somebody-else", left=1)
            self._put(other, "terminal_payment_started", original="")
            return self._continuation(other)
        return self._go_on(one)

    def go_on(self, token: str) -> Json:
        """Answer how a payment stands."""
        one = self.payments.get(token.partition("/")[0])
        if one is None:
            return {"error": {"code": "NOT_FOUND", "message": "no such continuation"}}
        if one.is_over:
            self._put(
                replace(one, asked_after_end=one.asked_after_end + 1),
                "terminal_payment_asked_after_end",
            )
            return self._shown(one)
        return self._go_on(one)

    def capture(self, payment_id: str, amount: Decimal | None) -> Json:
        """Take the money of an authorization; as often as somebody asks."""
        one = self.payments.get(payment_id)
        if one is None or one.status not in {"AUTHORIZED", "CAPTURED"}:
            return {"error": {"code": "NOT_FOUND", "message": "no such authorization"}}
        if amount is not None and not 0 < amount <= one.amount:
            raise validation("amount", "Range", "amount is not within what was authorized")
        if one.play.capture_error:
            code = one.play.capture_error
            return {"error": {"code": code, "message": "it was not captured"}}
        one = replace(
            one,
            amount=one.amount if amount is None else amount,
            status="CAPTURING",
            left=one.play.capture_continuations,
        )
        self._put(one, "terminal_payment_captured")
        return self._go_on(one)

    def find(self, reference: str | None, *, may_see: bool) -> Json:
        """Return the payments with a reference, as far as the caller may see any."""
        rows = [_row(o) for o in self.payments.values() if reference in (None, o.reference)]
        return {"limitedByPermission": not may_see, "results": rows if may_see else []}

    def leave(self, payment_id: str) -> None:
        """Have a shopper walk away from a payment that still runs: nothing more is taken."""
        one = self.payments[payment_id]
        if not one.is_over:
            self._put(replace(one, status="FAILED"), "terminal_payment_left")

    def _go_on(self, one: ServerPayment) -> Json:
        if one.left != 0:
            one = replace(one, left=one.left - 1)
            self.payments[one.id] = one
            return self._continuation(one)
        if one.status == "CAPTURING":
            one = replace(one, status="CAPTURED")
            self.payments[one.id] = one
            return self._shown(one)
        match one.play.outcome:
            case "approve" | "error_after":
                one = replace(one, status="REFUNDED" if one.kind == "REFUND" else "CAPTURED")
                if one.kind == "AUTHORIZATION":
                    one = replace(one, status="AUTHORIZED")
            case "authorize":
                one = replace(one, status="AUTHORIZED")
            case _:
                one = replace(one, status="FAILED")
        effect = {
            "CAPTURED": "terminal_payment_taken",
            "REFUNDED": "terminal_payment_given",
            "AUTHORIZED": "terminal_payment_held",
        }.get(one.status, "terminal_payment_failed")
        self._put(one, effect)
        return self._shown(one)

    def _continuation(self, one: ServerPayment) -> Json:
        token = f"{one.id}/{one.left}"
        wait = one.play.wait_seconds
        return {
            "continuation": {
                "id": token,
                "token": token,
                "waitSeconds": wait,
                "waitMilliseconds": wait * 1_000,
            }
        }

    def _shown(self, one: ServerPayment) -> Json:
        code, message = _ERRORS.get(one.play.outcome, ("", ""))
        error = {"error": {"code": code, "message": message}}
        if code:
            return error
        payment = {"payment": _row(one)}
        if one.play.has_both:
            return {**payment, "error": {"code": "PROCESSOR_ERROR", "message": "or not"}}
        return payment

    def _put(self, one: ServerPayment, effect: str, **more: str) -> None:
        self.payments[one.id] = one
        self._note(
            effect,
            id=one.id,
            kind=one.kind,
            amount=str(one.amount),
            refNo=one.reference,
            terminalId=one.terminal,
            **more,
        )


def _row(one: ServerPayment) -> Json:
    return {
        "id": one.id,
        "status": one.play.status or one.status,
        "amount": one.amount,
        "refNo": one.play.reference or one.reference,
        "terminalId": one.play.terminal or one.terminal,
        "authCode": f"A{one.id[2:]}",
        "cardType": "Visa",
        "maskedCardNumber": "************4242",
    }


def resolver(terminals: PosServerTerminals, require: Callable[[str], None]) -> Json:
    """Return what `terminalPayment` resolves to: its steps, permissions first."""

    def start(_info: object, payment: Json | None = None, **plain: Any) -> Json:
        given: Json = payment or {
            "terminalId": plain.get("deviceId"),
            "transType": plain.get("action"),
            "amount": plain.get("total"),
            "refNo": plain.get("externalReference"),
        }
        kind = WORDS.get(str(given["transType"]), str(given["transType"]))
        require(PERMISSIONS[kind])
        return terminals.start(
            terminal=str(given["terminalId"]),
            kind=kind,
            amount=Decimal(given["amount"]),
            reference=given.get("refNo") or "",
            original=given.get("originalPaymentId") or "",
        )

    def go_on(_info: object, continuation: Json | None = None, token: str | None = None) -> Json:
        return terminals.go_on(token or (continuation or {})["continuationId"])

    def capture(
        _info: object, capture: Json | None = None, authorizationId: str | None = None
    ) -> Json:
        require(PERMISSIONS["AUTHORIZATION"])
        given = capture or {"paymentId": authorizationId}
        return terminals.capture(str(given["paymentId"]), given.get("amount"))

    return {"start": start, "continue": go_on, "capture": capture}

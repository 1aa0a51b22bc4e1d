"""What a register must do whatever happens, judged from what was heard. Pure.

Only what can be seen at the broker is judged: whether it shows the right words to its cashier, a
person must look at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bridge.errors import RequestError
from bridge.register.api import (
    PaymentAcknowledge,
    PaymentStart,
    PaymentTopic,
    RegisterStateTopic,
    Request,
    RequestTopic,
    ResponseTopic,
    content_hash,
    decode_request,
    salvage_ids,
)
from bridge.register.api.payment_commands import FollowUp, GiftCardLoad
from bridge.register.commands.expiry import MESSAGE_EXPIRY_SECONDS_MAX
from simulators.conformance.findings import Finding, Verdict
from simulators.conformance.transcript import Heard, Json, Transcript

# A guard that lets a start wait longer than a shopper would is none.
GUARD_MAX: Final = timedelta(seconds=120)
_CARD_NUMBER: Final = re.compile(r"(?<!\d)\d{13,19}(?!\d)")

RULES: Final = {
    "birth": "says that it is online, retained",
    "valid": "sends only commands of the contract, complete and well formed",
    "retained": "retains no command",
    "quality": "sends commands with QoS 1",
    "guard": "says of every command that moves money until when it is meant",
    "identity": "uses one payment_id for one payment and never for another",
    "request": "uses one request_id for one command",
    "once": "starts nothing for a sale while an earlier payment of it may have been charged",
    "rest": "asks for no more than a part payment has left of its sale",
    "final": "acknowledges final documents only, by their revision",
    "card": "sends no card number",
}


@dataclass(slots=True)
class _Known:
    """One payment as the broker saw it."""

    request: PaymentStart
    scenario: str
    answered: bool = False
    refused: bool = False
    document: Json = field(default_factory=dict)
    final_rev: int = 0

    @property
    def sale(self) -> tuple[str, str]:
        """What the payment is for; without a number, the amount in this scenario must do."""
        return self.scenario, self.request.sale_id or self.request.amounts.requested_amount

    @property
    def leaves_room(self) -> bool:
        """Whether another payment for the sale harms nobody."""
        paid = self.document.get("status") == "approved" and not self.is_partial
        return self.refused or (bool(self.document.get("final")) and not paid)

    @property
    def is_partial(self) -> bool:
        """Whether a part of what was asked for was paid, and the rest was not."""
        return self.document.get("result") == "partial"

    @property
    def words(self) -> str:
        """How it stands, for a sentence."""
        if not self.document:
            return "unanswered" if not self.answered else "running"
        status = str(self.document.get("status"))
        return {"in_doubt": "in doubt", "approved": "paid"}.get(status, "running")


class _Judge:
    """Reads the transcript once, from its beginning."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self.seen: set[str] = set()
        self.wrong: list[tuple[str, str, str]] = []  # rule, scenario, text
        self._payments: dict[str, _Known] = {}
        self._requests: dict[str, tuple[str, str]] = {}  # request_id: operation, payment

    def hear(self, one: Heard) -> None:
        match self._transcript.topics.parse(one.topic):
            case RequestTopic(register, operation) if register == self._transcript.register_id:
                self._command(one, operation)
            case ResponseTopic(register, "payment/start") if self._is_ours(register):
                self._answered(one.content)
            case PaymentTopic(register, payment_id) if self._is_ours(register):
                self._document(payment_id, one.content)
            case RegisterStateTopic(register) if self._is_ours(register):
                if one.content.get("state") == "online":
                    self.seen.add("birth")

    def _is_ours(self, register_id: str) -> bool:
        return register_id == self._transcript.register_id

    def _command(self, one: Heard, operation: str) -> None:
        if not one.payload:
            return  # somebody cleans up a retained command
        self._judge("retained", one, f"{operation} was retained" if one.retained else "")
        self._judge("quality", one, f"{operation} came with QoS 0" if one.qos == 0 else "")
        text = one.payload.decode(errors="replace")
        numbers = [found[0] for found in _CARD_NUMBER.finditer(text) if _is_luhn(found[0])]
        numbers = [number for number in numbers if f'"{number}"' not in _other_numbers(one)]
        self._judge(
            "card", one, f"{operation} holds what looks like a card number" if numbers else ""
        )
        try:
            request: Request = decode_request(operation, one.payload)
        except RequestError as error:
            where = f" ({error.path})" if error.path else ""
            self._judge("valid", one, f"{operation}: {error.code}{where}: {error}")
            return
        self._judge("valid", one, "")
        payment_id = salvage_ids(one.payload)[1] or ""
        said = self._requests.setdefault(request.request_id, (operation, payment_id))
        clash = f"request_id {request.request_id!r} names {said[0]} and {operation}"
        self._judge("request", one, clash if said != (operation, payment_id) else "")
        if isinstance(request, PaymentStart | GiftCardLoad | FollowUp):
            self._judge("guard", one, _missing_guard(one, operation, request))
        if isinstance(request, PaymentStart):
            self._start(one, request)
        elif isinstance(request, PaymentAcknowledge):
            self._acknowledge(one, request)

    def _start(self, one: Heard, request: PaymentStart) -> None:
        known = self._payments.get(request.payment_id)
        if known is not None:
            same = content_hash(known.request) == content_hash(request)
            reused = f"payment_id {request.payment_id} came again with other content"
            self._judge("identity", one, "" if same else reused)
            return
        self._judge("identity", one, "")
        fresh = _Known(request, one.scenario)
        rivals = [
            other
            for other in self._payments.values()
            if other.sale == fresh.sale and not other.leaves_room
        ]
        text = ""
        if rivals:
            text = (
                f"a second payment_id for {request.amounts.requested_amount} "
                f"while the first payment was {rivals[-1].words}"
            )
        self._judge("once", one, text)
        self._rest(one, fresh)
        self._payments[request.payment_id] = fresh

    def _rest(self, one: Heard, fresh: _Known) -> None:
        """Judge a start for a sale of which a card has paid a part."""
        parts = [other for other in self._payments.values() if other.sale == fresh.sale]
        amounts = [part.document.get("amounts") or {} for part in parts if part.is_partial]
        remaining = amounts[-1].get("remaining_amount") if amounts else None
        if remaining is None:
            return
        asked = fresh.request.amounts.requested_amount
        more = f"asked for {asked} although the part payment left {remaining}"
        self._judge("rest", one, more if Decimal(asked) > Decimal(remaining) else "")

    def _acknowledge(self, one: Heard, request: PaymentAcknowledge) -> None:
        known = self._payments.get(request.payment_id)
        if known is None:
            return
        early = f"acknowledged revision {request.rev} of a payment that was {known.words}"
        ended = bool(known.final_rev) and request.rev >= known.final_rev
        self._judge("final", one, "" if ended else early)

    def _answered(self, response: Json) -> None:
        known = self._payments.get(str(response.get("payment_id")))
        if known is None:
            return
        known.answered = True
        error = response.get("error") or {}
        if error.get("money_moved") == "no" and not response.get("payment_status"):
            known.refused = True
        elif response.get("status") == "accepted":
            known.refused = False

    def _document(self, payment_id: str, document: Json) -> None:
        known = self._payments.get(payment_id)
        if known is None or document.get("rev", 0) <= known.document.get("rev", 0):
            return
        known.document = document
        if document.get("final") and not known.final_rev:
            known.final_rev = int(document["rev"])

    def _judge(self, rule: str, one: Heard, wrong: str) -> None:
        self.seen.add(rule)
        if wrong:
            self.wrong.append((rule, one.scenario, wrong))


def judge(transcript: Transcript) -> list[Finding]:
    """Return what is right and wrong in all that was heard, by rule."""
    judged = _Judge(transcript)
    for one in transcript.heard:
        judged.hear(one)
    findings = []
    for rule, text in RULES.items():
        faults = list(dict.fromkeys((f[1], f[2]) for f in judged.wrong if f[0] == rule))
        findings += [Finding(scenario, Verdict.WRONG, said) for scenario, said in faults]
        if not faults:
            verdict = Verdict.RIGHT if rule in judged.seen else Verdict.NOT_SHOWN
            findings.append(Finding("always", verdict, text))
    return findings


def _missing_guard(one: Heard, operation: str, request: Request) -> str:
    """Say what is wrong with a command's guard, "" if nothing is."""
    if request.bridge_epoch is not None:
        return ""
    if request.expires_at is not None:
        ahead = request.expires_at - one.at
        if ahead > GUARD_MAX:
            return f"{operation} may wait {ahead.total_seconds():.0f} s: no shopper does"
        return ""
    if one.expiry_seconds is not None and one.expiry_seconds <= MESSAGE_EXPIRY_SECONDS_MAX:
        return ""
    return f"{operation} without expires_at, bridge_epoch or message expiry up to 30 s"


def _other_numbers(one: Heard) -> str:
    """Return goods and gift cards as text: their numbers may look like a bank card's."""
    goods = (one.content.get("sale") or {}).get("lines") or []
    parts = [*goods, one.content.get("gift_card") or {}]
    return " ".join(f'"{value}"' for part in parts for value in part.values())


def _is_luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value // 10 + value % 10
    return total % 10 == 0

"""What a simulated PAX terminal does with money: host, memory and ledger. No line, no waiting."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime

from drivers.contract import MaskedPan
from drivers.pax.codec import codes
from drivers.pax.codec.fields import find
from drivers.pax.codec.messages import (
    Account,
    Amounts,
    AskDetail,
    BatchClosed,
    Host,
    Record,
    Result,
    Totals,
    Trace,
    Transact,
)
from simulators.terminals.pax.gift_host import APPROVED, NO_SUCH_CARD, GiftHost, Movement
from simulators.terminals.pax.memory import PaxMemory, Transaction
from simulators.terminals.shared.ledger import Entry, Kind, TerminalLedger
from simulators.terminals.shared.shopper import CARDS, Plan

ENTRY_CODES = {"contactless": "2", "chip": "4", "stripe": "1"}
BRAND_CODES = {"visa": "01", "vpay": "01", "mastercard": "02", "maestro": "02", "amex": "03"}
BRAND_CODES |= {"diners": "05", "jcb": "07"}
OTHER_BRAND = "99"
FIRST_HREF = 900_000
HOST_CODE_MAX = 99
EXPIRED = "54"  # for the terminals' own codes above 99, which no host says
LEDGER_KINDS: dict[str, Kind] = {
    codes.SALE: "approved",
    codes.RETURN: "refunded",
    codes.AUTH: "reserved",
    codes.POST_AUTH: "captured",
}
TENDER_NUMBERS = {tender: f"{number:02d}" for number, tender in enumerate(codes.TENDERS, start=1)}
GIFT_MOVEMENTS: dict[str, Movement] = {
    codes.SALE: "redeem",
    codes.ADD_VALUE: "load",
    codes.RETURN: "return",
}
GIFT_LEDGER_KINDS: dict[Movement, Kind] = {
    "redeem": "approved",
    "load": "loaded",
    "return": "refunded",
}


@dataclass(slots=True)
class PaxBookings:
    """One terminal's money. Every method is done when it returns; nothing is half booked."""

    memory: PaxMemory
    ledger: TerminalLedger
    rng: random.Random
    currency: str
    terminal_id: str
    duplicate_check: bool
    voids_keep_a_record: bool
    gift: GiftHost | None = None
    gift_apart: bool = False
    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 2))  # noqa: DTZ001 - wall

    def duplicate_of(self, request: Transact) -> Transaction | None:
        """Return the record that makes `request` a duplicate."""
        if not self.duplicate_check or request.account.duplicate_override == "1":
            return None
        known = self.memory.find(reference=request.trace.reference)
        return known if known is not None and known.approved else None

    def authorize(self, request: Transact, plan: Plan) -> Transaction:
        """Let the host decide; an approval is booked and stored before this returns."""
        asked = (request.amount.transaction or 0) + (request.amount.tip or 0)
        if plan.outcome == "decline":
            number = plan.code if plan.code <= HOST_CODE_MAX else None
            host_code = EXPIRED if number is None else f"{number:02d}"
            record = self._new(request, plan, asked, host_code)
            self._book("declined", record, reason=host_code)
            return record
        named = plan.tip_minor + plan.surcharge_minor + plan.cash_back_minor
        approved = asked + named + plan.unnamed_minor
        if plan.partial_minor is not None:
            approved = min(plan.partial_minor, asked)
        record = self._new(request, plan, approved, plan.host_code or "00")
        tip = (request.amount.tip or 0) + plan.tip_minor
        record = self._with(
            record,
            tip_minor=tip,
            due_minor=max(asked - approved, 0),
            surcharge_minor=plan.surcharge_minor,
            cash_back_minor=plan.cash_back_minor,
            auth_code=record.auth_code or f"{self.rng.randrange(10**6):06d}",
        )
        record = self._with(record, number=self._book(LEDGER_KINDS[request.type], record))
        self.memory.store(record)
        return record

    def serve_gift(self, request: Transact, plan: Plan) -> Result:
        """Let the gift card processor decide, and return the answer."""
        assert self.gift is not None, "who serves gift cards has a processor for them"
        asked = (request.amount.transaction or 0) + (request.amount.tip or 0)
        left = self.gift.balances.get(plan.gift_card)
        if request.type == codes.BALANCE:
            host_code = NO_SUCH_CARD if left is None else APPROVED
            record = self._new(request, plan, 0, host_code)
            return self.result(self._with(record, gift_card=plan.gift_card))
        movement = GIFT_MOVEMENTS[request.type]
        declined = plan.outcome == "decline"
        decision = self.gift.decide(plan.gift_card, movement, 0 if declined else asked)
        host_code = f"{plan.code:02d}" if declined else decision.host_code
        minor = decision.approved_minor if host_code == APPROVED else asked
        record = self._with(self._new(request, plan, minor, host_code), gift_card=plan.gift_card)
        if host_code != APPROVED:
            self._book("declined", record, reason=host_code)
            return self.result(record)
        record = self._with(record, due_minor=asked - minor)
        record = self._with(record, number=self._book(GIFT_LEDGER_KINDS[movement], record))
        self.memory.store(record)
        return self.result(record)

    def work_on_original(self, request: Transact) -> Result:
        """Capture, void or adjust what the request names; return the answer."""
        original = self._original(request)
        if original is None:
            return Result(request.tender, codes.NOT_FOUND, "NOT FOUND")
        match request.type:
            case codes.POST_AUTH:
                return self._capture(request, original)
            case codes.ADJUST:
                return self._adjust(request, original)
            case _:
                return self._void(request, original)

    def _original(self, request: Transact) -> Transaction | None:
        href = find(request.additional, "HREF")
        number = request.trace.transaction_number
        if not href and not number and not request.trace.auth_code:
            return None
        return self.memory.find(href=href, transaction=number, auth_code=request.trace.auth_code)

    def _capture(self, request: Transact, original: Transaction) -> Result:
        if original.type != codes.AUTH or original.settled:
            return Result(request.tender, codes.ALREADY_VOIDED, "ALREADY COMPLETED")
        amount = request.amount.transaction or 0
        if amount > original.amount_minor:
            return Result(request.tender, codes.FORMAT, "AMOUNT TOO HIGH")
        record = self._like(request, original, amount)
        number = self._book("captured", record, original=original.number)
        self._book("released", record, original=original.number)
        record = self._with(record, number=number)
        self.memory.store(record)
        self.memory.change(original, settled=True)
        return self.result(record)

    def _adjust(self, request: Transact, original: Transaction) -> Result:
        if original.type not in (codes.SALE, codes.POST_AUTH):
            return Result(request.tender, "100020", "CANNOT ADJUST")
        tip = request.amount.transaction or 0
        if original.tip_number:
            self._book("reversed", original, original=original.tip_number, reason="new tip")
        without = original.amount_minor - original.tip_minor
        changed = self._with(original, amount_minor=without + tip, tip_minor=tip)
        number = self._book("tipped", changed, original=original.number, amount_minor=tip)
        changed = self.memory.change(changed, tip_number=number)
        answer = self._like(request, changed, changed.amount_minor)
        return self.result(self._with(answer, tip_minor=tip, transaction=changed.transaction))

    def _void(self, request: Transact, original: Transaction) -> Result:
        if original.type in codes.VOID_TYPES or original.settled:
            return Result(request.tender, codes.ALREADY_VOIDED, "ALREADY VOIDED")
        if original.gift_card and self.gift is not None:
            movement = GIFT_MOVEMENTS[original.type]
            if not self.gift.undo(original.gift_card, movement, original.amount_minor):
                return Result(request.tender, codes.NOT_FOUND, "CANNOT VOID")
        kind: Kind = "released" if original.type == codes.AUTH else "reversed"
        self._book(kind, original, original=original.number, reason="void")
        if original.tip_number:
            self._book("reversed", original, original=original.tip_number, reason="void")
        self.memory.change(original, type=codes.VOID, original_type=original.type)
        record = self._like(request, original, original.amount_minor)
        record = self._with(record, original_type=original.type)
        if self.voids_keep_a_record:
            self.memory.store(record)
        return self.result(record)

    def pay_alone(self, amount_minor: int, plan: Plan) -> None:
        """Take a payment that somebody typed in; it has no ECR reference."""
        request = Transact("credit", codes.SALE)
        record = self._new(request, plan, amount_minor, "00")
        record = self._with(record, number=self._book("approved", record))
        self.memory.store(record)

    def void_alone(self) -> bool:
        """Void the newest payment as somebody at the terminal would; False if there is none."""
        for record in reversed(self.memory.records):
            if record.type in LEDGER_KINDS and record.number and not record.settled:
                request = Transact(record.tender, codes.VOID)
                return self._void(request, record).code == codes.OK
        return False

    # --- answers

    def result(self, record: Transaction, code: str = codes.OK, text: str = "OK") -> Result:
        """Return the answer that tells of `record`."""
        if code == codes.OK and record.due_minor:
            code, text = codes.PARTIAL, "PARTIAL APPROVAL"
        if not record.approved:
            code, text = codes.DECLINED, "DECLINE"
        return Result(
            tender=record.tender,
            code=code,
            text=text,
            host=self._host(record),
            type=record.type,
            amount=self._amounts(record),
            account=_account(record),
            trace=_trace(record),
            additional=_additional(record),
        )

    def report(self, question: AskDetail) -> Record:
        """Return the record that `question` asks for."""
        records = self._records_for(question)
        if not records:
            return Record(codes.NOT_FOUND, "NOT FOUND")
        if question.record_number:
            position = int(question.record_number) if question.record_number.isdecimal() else -1
            found = records[position] if 0 <= position < len(records) else None
        elif question.reference or question.transaction_number or question.auth_code:
            found = self.memory.find(
                reference=question.reference,
                transaction=question.transaction_number,
                auth_code=question.auth_code,
            )
        else:
            found = records[-1]
        if found not in records:
            return Record(codes.NOT_FOUND, "NOT FOUND")
        return Record(
            code=codes.OK,
            text="OK",
            total=len(records),
            record_number=str(records.index(found)),
            host=self._host(found),
            tender=TENDER_NUMBERS[found.tender],
            type=found.type,
            original_type=found.original_type,
            amount=self._amounts(found),
            account=_account(found),
            trace=_trace(found),
            additional=_additional(found),
        )

    def _records_for(self, question: AskDetail) -> list[Transaction]:
        records = self.memory.records
        if question.tender == codes.ALL_TENDERS:
            return [r for r in records if not (self.gift_apart and r.tender == "gift")]
        return [r for r in records if TENDER_NUMBERS[r.tender] == question.tender]

    def totals(self) -> Totals:
        """Return the totals of the open batch."""
        rows = []
        for tender in codes.TENDERS:
            pairs: list[int] = []
            kinds = (codes.SALE, "05", codes.RETURN, codes.AUTH, codes.POST_AUTH)
            for kind in kinds if tender == "credit" else (codes.SALE, codes.RETURN):
                amounts = [
                    r.amount_minor
                    for r in self.memory.records
                    if r.tender == tender and r.type == kind and r.approved
                ]
                pairs += (len(amounts), sum(amounts))
            rows.append(tuple(pairs))
        return Totals(codes.OK, "OK", codes.ALL_TENDERS, tuple(rows))

    def close_batch(self) -> BatchClosed:
        """Settle with the host, forget the batch, and return the answer."""
        counts, amounts = [], []
        for tender in codes.TENDERS:
            found = [
                r.amount_minor if r.type != codes.RETURN else -r.amount_minor
                for r in self.memory.records
                if r.tender == tender
                and r.type in (codes.SALE, codes.RETURN, codes.POST_AUTH)
                and r.approved
            ]
            counts.append(len(found))
            amounts.append(sum(found))
        batch = self.memory.contents.batch
        self.ledger.append(Entry(self.ledger.next_number(), "closed", sum(amounts), self.currency))
        self.memory.close_batch()
        return BatchClosed(
            codes.OK,
            "OK",
            Host("00", "BATCH CLOSED", batch=str(batch)),
            tuple(counts),
            tuple(amounts),
            self.moment.strftime("%Y%m%d%H%M%S"),
            self.terminal_id,
            "MID1",
        )

    # --- inside

    def _new(self, request: Transact, plan: Plan, minor: int, host_code: str) -> Transaction:
        transaction, host_number = self.memory.take_numbers()
        return Transaction(
            number=0,
            transaction=transaction,
            reference=request.trace.reference,
            tender=request.tender,
            type=request.type,
            amount_minor=minor,
            brand=plan.brand,
            entry=plan.entry,
            moment=self.moment.strftime("%Y%m%d%H%M%S"),
            auth_code=f"{self.rng.randrange(10**6):06d}" if host_code == "00" else "",
            href=str(FIRST_HREF + host_number),
            host_reference=f"{700_000_000_000 + host_number}",
            host_code=host_code,
        )

    def _like(self, request: Transact, original: Transaction, minor: int) -> Transaction:
        record = self._new(request, Plan(), minor, "00")
        card = {name: getattr(original, name) for name in ("brand", "entry", "gift_card")}
        return self._with(record, tender=original.tender, **card)

    def _with(self, record: Transaction, **changes: object) -> Transaction:
        values = {name: getattr(record, name) for name in Transaction.__dataclass_fields__}
        return Transaction(**(values | changes))

    def _book(
        self,
        kind: Kind,
        record: Transaction,
        *,
        original: int | None = None,
        reason: str = "",
        amount_minor: int | None = None,
    ) -> int:
        number = self.ledger.next_number()
        self.ledger.append(
            Entry(
                number=number,
                kind=kind,
                amount_minor=record.amount_minor if amount_minor is None else amount_minor,
                currency=self.currency,
                receipt=str(record.transaction),
                trace=record.reference,
                masked_pan=MaskedPan.of(_number(record)).text,
                original=original,
                reason=reason,
                time=self.moment.isoformat(timespec="seconds"),
                terminal_id=self.terminal_id,
            )
        )
        return number

    def _host(self, record: Transaction) -> Host:
        return Host(
            record.host_code,
            "APPROVAL" if record.approved else "DECLINED",
            record.auth_code,
            record.host_reference,
            str(record.transaction),
            str(self.memory.contents.batch),
        )

    def _amounts(self, record: Transaction) -> Amounts:
        left = self.gift.balances.get(record.gift_card) if self.gift is not None else None
        if not record.approved:
            return Amounts(0, 0, 0, 0, 0, 0, left)
        return Amounts(
            record.amount_minor,
            record.due_minor,
            record.tip_minor,
            record.cash_back_minor,
            record.surcharge_minor,
            0,
            left,
        )


def _number(record: Transaction) -> str:
    return record.gift_card or CARDS[record.brand].pan


def _account(record: Transaction) -> Account:
    return Account(
        MaskedPan(_number(record)[-4:]),
        ENTRY_CODES["stripe" if record.gift_card else record.entry],
        OTHER_BRAND if record.gift_card else BRAND_CODES.get(record.brand, OTHER_BRAND),
    )


def _trace(record: Transaction) -> Trace:
    return Trace(str(record.transaction), record.reference, record.moment)


def _additional(record: Transaction) -> tuple[tuple[str, str], ...]:
    if record.gift_card:
        return (("TABLE", "0"), ("HREF", record.href))
    card = CARDS[record.brand]
    return (
        ("TABLE", "0"),
        ("HREF", record.href),
        ("APPLAB", card.name),
        ("AID", card.application_id),
        ("TVR", "0000000000"),
        ("CARDBIN", card.pan[:6]),
    )

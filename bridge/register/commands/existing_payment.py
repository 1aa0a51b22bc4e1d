"""Commands about payments that the journal knows: they are read, stopped or answered here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from bridge.errors import RequestError
from bridge.log import about
from bridge.money import payment as p
from bridge.money.admission import refuse_amount, refuse_correction
from bridge.money.ledger import Ledger
from bridge.money.payment import leg_id
from bridge.money.payment.signature import Signature, SignatureJudged
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from bridge.register.commands.payment_list import listed
from bridge.register.commands.payment_request import other_tenders, sale_details
from bridge.register.commands.replies import Replies
from bridge.register.commands.sale_check import SaleCheck
from bridge.register.outbox import Outbox
from bridge.register.receipts.receipt_documents import receipt_documents
from bridge.register.receipts.receipt_text import ReceiptStyle
from drivers.contract import Stage

_LOGGER = logging.getLogger(__name__)

# Stages in which no card has been presented: losing the register may still cancel.
NO_CARD_YET = frozenset({None, Stage.STARTING, Stage.WAITING_FOR_CARD, Stage.TRY_AGAIN})

# What a person's answer makes of a doubt.
ENDS = {
    "approved": p.Status.APPROVED,
    "not_charged": p.Status.FAILED,
    "refund_if_found": p.Status.FAILED,
}


class SplitPayments(Protocol):
    """Who carries on split payments."""

    async def cancel(self, plan_id: str, reason: str = "cashier") -> None:
        """Begin no further leg, and ask the one that is open to stop."""


class ExistingPayments:
    """Does what is asked about payments that were accepted."""

    def __init__(
        self,
        ledger: Ledger,
        replies: Replies,
        outbox: Outbox,
        *,
        plans: SplitPayments | None,
        sale_check: SaleCheck,
        receipt_style: ReceiptStyle,
        hold_days: Mapping[str, int],
    ) -> None:
        """Look into `ledger`; `plans` is None where split payments are not served.

        `hold_days` is how long a hold stands, by terminal.
        """
        self._hold_days = hold_days
        self._ledger = ledger
        self._replies = replies
        self._outbox = outbox
        self._plans = plans
        self._sale_check = sale_check
        self._receipt_style = receipt_style

    async def cancel(self, register_id: str, request: k.PaymentCancel) -> k.Response:
        """Ask for a payment to be stopped; its document says whether it was."""
        leg = self._ledger.payments.get(leg_id(request.payment_id, 1))
        if leg is not None and self._plans is not None:
            return await self._cancel_plan(register_id, request, leg)
        account = await self._own(register_id, request.payment_id)
        if account.payment.status is p.Status.APPROVED:
            raise RequestError(
                "too_late_to_cancel", "the payment is approved", payment_id=account.payment_id
            )
        if not account.payment.is_final:
            account = await self._ledger.apply(account.payment_id, p.CancelAsked("cashier"))
        return self._replies.about(request, account, "accepted")

    async def cancel_by_operator(self, payment_id: str) -> None:
        """Ask for a payment to be stopped, because a person at the console wants it.

        Raises:
            RequestError: `payment_not_found`, or `too_late_to_cancel`: it has ended.
        """
        account = await self._ledger.payments.find_original(payment_id)
        if account is None:
            raise RequestError("payment_not_found", "there is no such payment", path="payment_id")
        if account.payment.is_final:
            raise RequestError("too_late_to_cancel", "the payment has ended", payment_id=payment_id)
        plan = account.payment.request.plan
        if plan is not None and self._plans is not None:
            await self._plans.cancel(plan.plan_id, "operator")
        else:
            await self._ledger.apply(payment_id, p.CancelAsked("operator"))

    async def cancel_load(self, register_id: str, request: k.GiftCardReverse) -> k.Response | None:
        """Cancel a load that is not on its card yet; None when it is, or is no load.

        Raises:
            RequestError: `not_allowed`: another register's load waits for its sale.
        """
        account = await self._ledger.payments.find_original(request.original_payment_id)
        if account is None or account.payment.request.type is not p.PaymentType.LOAD:
            return None
        if account.payment.status is p.Status.APPROVED:
            return None
        refuse_foreign(account.payment.request, register_id)
        if not account.payment.is_final:
            account = await self._ledger.apply(account.payment_id, p.CancelAsked("cashier"))
        return self._replies.about(request, account, "accepted")

    async def _cancel_plan(
        self, register_id: str, request: k.PaymentCancel, first: PaymentRecord
    ) -> k.Response:
        refuse_foreign(first.payment.request, register_id)
        plan = first.payment.request.plan
        assert plan is not None, "a leg names its plan"
        assert self._plans is not None, "there is no plan without them"
        card = self._ledger.payments.get(plan.legs[-1].payment_id)
        if card is not None and card.payment.captured.minor:
            raise RequestError(
                "too_late_to_cancel", "the card has paid", payment_id=card.payment_id
            )
        await self._plans.cancel(plan.plan_id)
        first = self._ledger.payments.get(first.payment_id) or first
        return self._replies.about(request, first, "accepted")

    async def status(self, register_id: str, request: k.PaymentStatus) -> k.Response:
        """Have a payment published again, and its terminal asked if that was wanted."""
        account = await self._own(register_id, request.payment_id)
        await self._replies.show_again(account.payment_id)
        if request.refresh and account.payment.doubt is not None:
            queue = self._ledger.work(account.payment.request.terminal_id)
            queue.hurry(asyncio.get_running_loop().time())
            queue.wake()
        return self._replies.about(request, account, "ok")

    async def list(self, register_id: str, request: k.PaymentList) -> k.Response:
        """Return the register's payments, newest first."""
        since = request.filter.since
        accounts = await self._ledger.payments.list_payments(
            register_id=register_id,
            only_open=bool(request.filter.open),
            since=k.format_time(since) if since else "",
            sale_key=f"{register_id}/{request.filter.sale_id}" if request.filter.sale_id else "",
            limit=request.limit,
        )
        payments = tuple(listed(one, self._hold_days) for one in accounts)
        result = k.PaymentListResult(payments=payments)
        return self._replies.response(request, "ok", result=result)

    async def acknowledge(self, register_id: str, request: k.PaymentAcknowledge) -> k.Response:
        """Take note that a register keeps a final document."""
        account = await self._own(register_id, request.payment_id)
        if not account.payment.is_final:
            raise RequestError(
                "not_allowed",
                "only a final document can be acknowledged",
                path="payment_id",
                payment_status=account.payment.status.value,
            )
        if request.rev > account.rev:
            raise RequestError(
                "invalid_request", f"the document is at rev {account.rev}", path="rev"
            )
        self._outbox.asked_back.pop(account.payment_id, None)
        if account.live:
            account = await self._ledger.apply(account.payment_id, p.Acknowledged(request.rev))
            self._outbox.acknowledge(account.payment_id)
        return self._replies.about(request, account, "ok")

    async def answer(self, register_id: str, request: k.PaymentResolve) -> k.Response:
        """Take a register's answer to a doubt."""
        account = await self._own(register_id, request.payment_id)
        seen = request.evidence
        code, amount = seen.approval_code or "", None
        if seen.amount is not None:
            currency = account.payment.request.amount.currency
            amount = k.parse_amount(seen.amount, currency, path="evidence.amount")
        said = p.Resolved(request.outcome, request.approved_by, code, seen.source, amount)
        account = await self.resolve(account.payment_id, said)
        return self._replies.about(request, account, "accepted")

    async def resolve(self, payment_id: str, answer: p.Resolved) -> PaymentRecord:
        """Take a person's answer to a doubt, from a register or from the command line.

        The same answer again changes nothing: who did not hear that it was taken repeats it.

        Raises:
            RequestError: The payment is unknown, not in doubt, or the evidence is missing.
        """
        account = await self._ledger.payments.find_original(payment_id)
        if account is None:
            raise RequestError("payment_not_found", "there is no such payment", path="payment_id")
        if _said_so(account.payment, answer):
            return account
        if account.payment.status is not p.Status.IN_DOUBT:
            return await self._correct(account, answer)
        _refuse_without_code(answer)
        refuse_amount(answer, account.payment)
        with about(payment_id):
            _LOGGER.warning("resolved outcome=%s by=%s", answer.outcome, answer.by)
        by_card = account.payment.request.method is not p.Method.OFFICE_GIFT_CARD
        can_tell = account.payment.doubt is not None and not account.payment.doubt.evidence_lost
        checked = replace(answer, check=by_card and can_tell)
        resolved = await self._ledger.apply(payment_id, checked)
        self._ledger.work(account.payment.request.terminal_id).wake()  # others may go on there
        return resolved

    async def _correct(self, account: PaymentRecord, answer: p.Resolved) -> PaymentRecord:
        """Take back what a person answered before; refused for what the terminal said itself.

        Raises:
            RequestError: `not_allowed`, `invalid_request` or `invalid_amount`.
        """
        purchase = self._ledger.payments.purchase_of(account.payment_id)
        running = [
            one.payment
            for one in self._ledger.payments.of_sale(account.payment.request.sale_key)
            if one.payment.request.original_payment_id == account.payment_id
            and not one.payment.is_final
        ]
        state = purchase.purchase.state.value if purchase is not None else ""
        books = self._ledger.keeps_books
        refuse_correction(account.payment, running, state, books=books)
        _refuse_without_code(answer)
        refuse_amount(answer, account.payment)
        with about(account.payment_id):
            _LOGGER.warning("answer corrected outcome=%s by=%s", answer.outcome, answer.by)
        said = p.OperatorAnswer(
            *(answer.outcome, answer.by, answer.approval_code, answer.source, answer.amount),
            why=answer.why,
        )
        return await self._ledger.apply(account.payment_id, p.Corrected(said))

    async def judge(self, register_id: str, request: k.PromptAnswer) -> k.Response:
        """Take a cashier's answer to a question; the first one counts, a repeat is told so.

        Raises:
            RequestError: `prompt_not_found`: there is no such question, or it was answered
                otherwise, or nobody answered in time.
        """
        confirmed, by = request.answer.confirmed, request.operator_id or register_id
        account = await self._ledger.payments.find(k.payment_of_prompt(request.prompt_id))
        if account is None:
            raise RequestError("prompt_not_found", "there is no such question", path="prompt_id")
        refuse_foreign(account.payment.request, register_id)
        is_first = account.payment.signature_is_asked
        if is_first:
            judged = SignatureJudged(accepted=confirmed, by=by)
            account = await self._ledger.apply(account.payment_id, judged)
        if not _was_answered(account.payment, confirmed=confirmed):
            raise RequestError(
                "prompt_not_found",
                "this question was answered otherwise, or nobody answered it in time",
                path="prompt_id",
                payment_id=account.payment_id,
                funds=account.payment.funds.value,
            )
        return self._replies.about(request, account, "accepted", duplicate=not is_first)

    async def attach(self, register_id: str, request: k.SaleAttach) -> k.Response:
        """Keep what a sale consisted of; its money is in the books once it is covered."""
        key = f"{register_id}/{request.sale_id}"
        sale = await self._ledger.payments.find_sale(key)
        if not sale:
            raise RequestError(
                "sale_not_found", "no payment of this register names this sale", path="sale_id"
            )
        currency = sale[0].payment.request.amount.currency
        request.sale.check(currency)
        details = sale_details(request.sale, currency)
        tenders = other_tenders(request.sale, currency)
        if details is None and tenders is None:
            raise RequestError(
                "invalid_request", "say at least one line of what was sold", path="sale.lines"
            )
        account, duplicate = await self._ledger.attach(key, details, tenders)
        # Whatever the site wants: the money is taken, and the lines belong to it.
        warnings = await self._sale_check.look(request.sale, may_refuse=False)
        return self._replies.about(
            request,
            account,
            "ok",
            duplicate=duplicate,
            result=k.SaleAttachResult.model_validate(
                {"recording": account.payment.recording, "warnings": warnings}
            ),
        )

    async def reprint(self, register_id: str, request: k.ReceiptReprint) -> k.Response:
        """Return the receipts of a payment again."""
        account = await self._own(register_id, request.payment_id)
        if account.payment.pruned:
            raise RequestError(
                "receipt_no_longer_kept",
                f"the payment of {account.created_at[:10]} is known, its receipt is kept no longer",
                path="payment_id",
            )
        receipts = tuple(receipt_documents(account, self._receipt_style, duplicate=True).values())
        if not receipts:
            raise RequestError(
                "operation_not_supported",
                "this payment has no receipt: it was not approved",
                path="payment_id",
            )
        return self._replies.response(
            request,
            "ok",
            payment_id=account.payment_id,
            result=k.ReceiptReprintResult(receipts=receipts),
        )

    async def register_lost(self, register_id: str) -> None:
        """Cancel what a register began and nobody has presented a card for, if it wants that.

        Raises:
            JournalError: It could not be stored.
        """
        for account in self._ledger.payments.in_memory():
            request = account.payment.request
            if request.register_id != register_id or not request.cancel_when_register_lost:
                continue
            if request.plan is not None:
                await self._lose_plan(request.plan)
                continue
            now = self._ledger.payments.get(account.payment_id)  # others were stored meanwhile
            if now is not None and _awaits_card(now.payment):
                await self._ledger.apply(account.payment_id, p.CancelAsked("register_lost"))

    async def _lose_plan(self, plan: p.Plan) -> None:
        """Cancel a plan that still waits for its card; what is held goes back."""
        last = self._ledger.payments.get(plan.legs[-1].payment_id)
        if self._plans is not None and (last is None or _awaits_card(last.payment)):
            await self._plans.cancel(plan.plan_id, "register_lost")

    async def _own(self, register_id: str, payment_id: str) -> PaymentRecord:
        account = await self._ledger.payments.find(payment_id)
        if account is None:  # a plan is known by its first leg
            account = await self._ledger.payments.find(leg_id(payment_id, 1))
        if account is None:
            raise RequestError(
                "payment_not_found",
                "the bridge never accepted this payment; it is safe to start it",
                path="payment_id",
            )
        refuse_foreign(account.payment.request, register_id)
        return account


def _said_so(payment: p.Payment, answer: p.Resolved) -> bool:
    """Say whether a person gave this very answer last, or an old one comes once more.

    A register that did not hear repeats its command, also after somebody else corrected it.
    """
    if payment.answers:
        said = p.OperatorAnswer(
            answer.outcome, answer.by, answer.approval_code, answer.source, answer.amount
        )
        return said in payment.answers or payment.was_answered_as_paid is (
            answer.outcome == "approved"
        )
    # An older version kept the answer only as what became of it.
    return payment.resolved_by == "operator" and payment.status is ENDS.get(answer.outcome)


def _refuse_without_code(answer: p.Resolved) -> None:
    if answer.outcome == "approved" and not answer.approval_code:
        raise RequestError(
            "invalid_request",
            "an approval needs the approval code from the slip",
            path="evidence.approval_code",
        )


def _was_answered(payment: p.Payment, *, confirmed: bool) -> bool:
    """Say whether a person gave this very answer."""
    yes = payment.signature is Signature.ACCEPTED
    no = payment.signature in {Signature.REFUSED, Signature.NOT_REVERSED}
    return bool(payment.signature_by) and (yes if confirmed else no)


def refuse_foreign(request: p.PaymentRequest, register_id: str) -> None:
    """Refuse a register that asks about another one's payment.

    Raises:
        RequestError: `not_allowed`.
    """
    if request.register_id != register_id:
        raise RequestError(
            "not_allowed", "this payment belongs to another register", path="payment_id"
        )


def _awaits_card(payment: p.Payment) -> bool:
    running = payment.status in {p.Status.QUEUED, p.Status.IN_PROGRESS}
    return running and payment.stage in NO_CARD_YET

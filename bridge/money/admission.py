"""Whether a new command may become a payment at all. Pure: decides, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from bridge.errors import RequestError
from bridge.money.amounts import format_amount
from bridge.money.payment import (
    GIVES,
    TAKES,
    Funds,
    Method,
    Payment,
    PaymentRequest,
    PaymentType,
    Recording,
    Resolved,
    Status,
    known_sale,
)
from bridge.money.purchase import CapturedPayment, SaleDetails, outstanding_minor, paid_minor
from bridge.money.split_payment import unspent_minor
from bridge.money.store.records import PaymentRecord
from drivers.contract import Money

# What each follow-up may be of. What only changed a payment (a raised hold, a tip) is undone or
# captured with that payment: as an original of its own, its money would count twice.
FOLLOWABLE = {
    PaymentType.VOID: TAKES | {PaymentType.PREAUTH},
    PaymentType.CAPTURE: frozenset({PaymentType.PREAUTH}),
    PaymentType.INCREMENT: frozenset({PaymentType.PREAUTH}),
    PaymentType.TIP_ADJUST: TAKES,
    PaymentType.UNLOAD: frozenset({PaymentType.LOAD}),
}
WITHOUT_ORIGINAL = frozenset({PaymentType.REFUND, PaymentType.UNLOAD})  # if a person stands for it


# Follow-ups whose original can be told that they never happened.
UNDONE_BY_CORRECTION = frozenset({PaymentType.REFUND, PaymentType.VOID, PaymentType.TIP_ADJUST})


def refuse_conflict(request: PaymentRequest, known: PaymentRequest) -> None:
    """Refuse a known `payment_id` that now means something else, or is somebody else's.

    Raises:
        RequestError: `not_allowed` or `idempotency_conflict`.
    """
    if request.register_id != known.register_id:
        raise RequestError(
            "not_allowed", "this payment belongs to another register", path="payment_id"
        )
    if request.content_hash != known.content_hash:
        raise RequestError(
            "idempotency_conflict",
            "this payment_id was used before with other content; a new payment needs a new id",
            path="payment_id",
            payment_id=known.payment_id,
        )


def refuse_rival(request: PaymentRequest, rival: PaymentRequest) -> None:
    """Refuse an id that was used for a plan and is used for a payment now, or the other way round.

    Raises:
        RequestError: `not_allowed` or `idempotency_conflict`.
    """
    if request.register_id != rival.register_id:
        raise RequestError(
            "not_allowed", "this payment belongs to another register", path="payment_id"
        )
    raise RequestError(
        "idempotency_conflict",
        f"this payment_id was used before for a {'payment' if request.plan else 'plan'}; "
        "a new payment needs a new id",
        path="payment_id",
        payment_id=rival.payment_id,
    )


def refuse_unsafe_start(
    request: PaymentRequest,
    siblings: Sequence[Payment],
    captured: Sequence[CapturedPayment],
    *,
    was_given_back: bool,
) -> None:
    """Refuse a start that could take the money of one sale twice.

    `siblings` are the other payments of the same sale, `captured` what they brought,
    `was_given_back` that it was paid and money of it went back. A person in charge (`approved_by`)
    passes all rules.

    Raises:
        RequestError: `payment_in_doubt`, `sale_already_paid` or `invalid_request`.
    """
    if request.method is Method.TERMINAL_GIFT_CARD and request.type is PaymentType.LOAD:
        _refuse_unpaid_load(request, siblings)
    if _tip_minor(request) > request.tip_limit_minor and not request.approved_by:
        raise _tip_above_limit(request.tip_limit_minor, request, "amounts.tip.tip_amount")
    if request.approved_by or request.type is PaymentType.LOAD:
        return  # a load takes no money, and is not done before its sale is paid
    for sibling in siblings:
        # A running refund takes nothing; what raises a hold may cover more of the sale soon.
        if sibling.is_for_goods or sibling.request.type is PaymentType.INCREMENT:
            _refuse_beside_open(sibling)
    mine = {leg.payment_id for leg in request.plan.legs} if request.plan else frozenset()
    others = [one for one in siblings if one.request.payment_id not in mine]
    brought = [one for one in captured if one.payment_id not in mine]
    holds = [one for one in others if one.held_minor > 0]
    if was_given_back:
        raise RequestError(
            "sale_already_paid",
            "this sale was paid, and money of it was given back; to charge it again needs a "
            "supervisor",
            path="sale_id",
            payment_id=next(one.request.payment_id for one in others if one.captured.minor),
        )
    details = known_sale((*siblings, Payment(request)))
    if not brought and not holds and details is None:
        return
    own = _own_amount(request)
    # A hold covers its sale as money that was taken does: its capture asks nobody any more.
    held_minor = held_for_goods_minor(holds)
    total = details.to_pay if details is not None else most_asked(request, others)
    left_minor = max(outstanding_minor(total, brought) - held_minor, 0)
    if left_minor == 0 and (brought or holds):
        raise RequestError(
            "sale_already_paid",
            "this sale is paid; a further charge needs a supervisor"
            if not holds
            else "this sale's amount is held; capture or void the hold, or ask a supervisor",
            path="sale_id",
            payment_id=holds[0].request.payment_id if holds else brought[0].payment_id,
        )
    # The first hold may be more than the sale costs, a deposit; nothing beside others may.
    may_exceed = request.type is PaymentType.PREAUTH and not (request.plan or brought or holds)
    if details is not None and not may_exceed and own.minor > left_minor:
        left = format_amount(Money(left_minor, own.currency))
        raise RequestError(
            "invalid_request",
            f"{left} {own.currency} is left of this sale, tip not counted",
            path="amounts.requested_amount",
            available_amount=left,
        )


def held_for_goods_minor(payments: Iterable[Payment]) -> int:
    """Return what holds keep for the goods of their sale; a tip in them pays the staff."""
    return sum(max(one.held_minor - _tip_minor(one.request), 0) for one in payments)


def _refuse_unpaid_load(request: PaymentRequest, siblings: Sequence[Payment]) -> None:
    """Refuse to have a terminal fill a gift card, which it does at once, before money came."""
    captured = sum(one.kept[0] for one in siblings)
    filled = sum(
        one.request.amount.minor
        for one in siblings
        if one.request.type is PaymentType.LOAD
        and one.funds is not Funds.VOIDED
        and (one.status is Status.APPROVED or not one.is_final or one.may_have_moved)
    )
    left = max(captured - filled, 0)
    if request.amount.minor > left:
        available = format_amount(Money(left, request.amount.currency))
        raise RequestError(
            "not_allowed",
            f"a terminal fills a gift card at once, and {available} of this sale is paid for that",
            path="sale_id",
            available_amount=available,
        )


def _refuse_beside_open(sibling: Payment) -> None:
    why = ""
    if sibling.status is Status.IN_DOUBT:
        why = "may have been charged; it is being checked"
    elif not sibling.is_final:
        why = "is still running"
    elif sibling.may_have_moved:
        why = "took money after all; a person must decide"
    if why:
        raise RequestError(
            "payment_in_doubt",
            f"an earlier payment of this sale {why}",
            path="sale_id",
            payment_id=sibling.request.payment_id,
        )


def most_asked(request: PaymentRequest, others: Sequence[Payment]) -> Money:
    """Return what a sale without stated lines costs: the most that one payment asked for.

    After a part payment only the rest is asked for. What brought nothing to the sale, or was given
    back, does not count.
    """
    own = _own_amount(request)
    asked = (_own_amount(one.request) for one in others if one.refundable_minor > 0)
    most = max((one.minor for one in asked if one.currency == own.currency), default=0)
    return Money(max(own.minor, most), own.currency)


def _own_amount(request: PaymentRequest) -> Money:
    """Return what a start, with the rest of its plan, brings to its sale."""
    whole = request.plan.total if request.plan else request.amount
    return whole - request.tip if request.tip else whole


def _tip_minor(request: PaymentRequest) -> int:
    """Return the tip: it pays the staff, not the sale."""
    return request.tip.minor if request.tip else 0


def refuse_attachment(
    details: SaleDetails,
    payments: Sequence[Payment],
    captured: Sequence[CapturedPayment],
    *,
    in_books: bool,
) -> None:
    """Refuse lines for a sale that cannot have them, or not these.

    `payments` are those of the sale that take money, `captured` what they brought; `in_books`
    says that the sale's record was made already.

    Raises:
        RequestError: `sale_not_found`, `sale_already_recorded`, `sale_lines_differ` or
            `invalid_request`.
    """
    if not payments:
        raise RequestError(
            "sale_not_found", "no payment of this register names this sale", path="sale_id"
        )
    if in_books:
        raise RequestError(
            "sale_already_recorded",
            "the sale's record was made already; its lines cannot change any more",
            path="sale_id",
            payment_id=payments[0].request.payment_id,
        )
    if any(one.sale is not None for one in payments):
        raise RequestError(
            "sale_lines_differ", "the sale has lines already, and others than these", path="sale"
        )
    currency = payments[0].request.amount.currency
    if details.total.currency != currency:
        raise RequestError(
            "invalid_request", f"the sale is paid in {currency}", path="sale.total_amount"
        )
    refuse_overpaid(details, captured, path="sale.total_amount")


def refuse_tenders(
    details: SaleDetails, captured: Sequence[CapturedPayment], *, in_books: bool
) -> None:
    """Refuse other tenders for a sale that is recorded, or more than it leaves to pay.

    Raises:
        RequestError: `sale_already_recorded` or `invalid_request`.
    """
    if in_books:
        raise RequestError(
            "sale_already_recorded",
            "the sale's record was made already; what else paid it cannot change any more",
            path="sale_id",
        )
    refuse_overpaid(details, captured, path="sale.other_tenders")


def refuse_overpaid(
    details: SaleDetails, captured: Sequence[CapturedPayment], *, path: str
) -> None:
    """Refuse a total, or other tenders, that leave less to pay than was taken.

    Raises:
        RequestError: `invalid_request`.
    """
    paid, currency = paid_minor(captured), details.total.currency
    if paid > details.to_pay.minor:
        taken = format_amount(Money(paid, currency))
        raise RequestError(
            "invalid_request",
            f"{taken} {currency} were taken for this sale, more than total_amount, less other "
            "tenders, leaves",
            path=path,
            captured_amount=taken,
        )


def refuse_follow_up(
    request: PaymentRequest,
    followed: PaymentRecord | None,
    siblings: Sequence[Payment],
    *,
    batch_closed_seq: int,
) -> None:
    """Refuse a follow-up that its original does not carry, before a card is asked for.

    `siblings` are the payments of the original's sale, running ones included: what is not final
    may still be approved, so it counts. `batch_closed_seq` is the journal's number of the last
    close of the terminal's batch, 0 for none.

    Raises:
        RequestError: `original_not_found`, `approval_required`, `refund_exceeds_captured`,
            `capture_exceeds_authorized`, `void_not_possible`, `not_allowed`.
    """
    if followed is None:
        if request.type in WITHOUT_ORIGINAL and not request.original_payment_id:
            if not request.approved_by:
                raise RequestError(
                    "approval_required",
                    f"{request.type.value} without an original needs approved_by",
                    path="approved_by",
                )
            return
        raise RequestError(
            "original_not_found", "the bridge knows no such payment", path="original_payment_id"
        )
    original = followed.payment
    if request.amount.currency != original.request.amount.currency:
        raise RequestError(
            "invalid_request",
            f"the original was in {original.request.amount.currency}",
            path="amounts.currency",
        )
    followable = FOLLOWABLE.get(request.type)
    if followable is not None and original.request.type not in followable:
        raise _not_allowed(request, original, f"is a {original.request.type.value}")
    running = [
        one
        for one in siblings
        if one.request.original_payment_id == request.original_payment_id
        and (not one.is_final or one.may_have_moved)
    ]
    if original.may_be_reversed and request.type is not PaymentType.VOID:
        why = "may have been taken back at the terminal; somebody must look at it first"
        raise _not_allowed(request, original, why)
    if request.type in GIVES and original.request.type in TAKES:
        _refuse_what_gift_cards_hold(request, siblings)
    match request.type:
        case PaymentType.REFUND:
            rest = original.refundable_minor - _asked_minor(running, GIVES)
            _refuse_more_than(request, rest, "refund_exceeds_captured", original)
        case PaymentType.CAPTURE:
            rest = original.held_minor - _asked_minor(running, {PaymentType.CAPTURE})
            _refuse_more_than(request, rest, "capture_exceeds_authorized", original)
            _refuse_beside_an_end(request, running)
        case PaymentType.INCREMENT:
            if original.funds is not Funds.HELD:
                raise _not_allowed(request, original, "is not held any more")
            _refuse_beside_an_end(request, running)
        case PaymentType.VOID:
            _refuse_void(followed, running, batch_closed_seq)
        case PaymentType.TIP_ADJUST:
            if original.funds is not Funds.CAPTURED or original.refunded_minor:
                raise _not_allowed(request, original, "is not a plain captured payment")
            if any(one.request.type in GIVES for one in running):
                raise _not_allowed(request, original, "is being given back")
            _refuse_tip(request, original, running)
        case PaymentType.UNLOAD:
            if original.funds is not Funds.LOADED:
                raise _not_allowed(request, original, "is not on its card")
            if running:
                raise _not_allowed(request, original, "is being taken off already")
        case PaymentType.SALE | PaymentType.PREAUTH | PaymentType.LOAD:
            raise AssertionError("a start follows up nothing")


def _refuse_tip(request: PaymentRequest, original: Payment, running: Sequence[Payment]) -> None:
    """Refuse a tip beside another one, and more tip than the site wants; a supervisor may."""
    for one in running:
        # A terminal that is told the whole tip would replace one with the other.
        if one.request.type is PaymentType.TIP_ADJUST:
            raise RequestError(
                "payment_in_doubt",
                "another tip is being added to it",
                path="original_payment_id",
                payment_id=one.request.payment_id,
            )
    limit_minor = original.goods_minor * request.tip_limit_percent // 100
    left_minor = max(limit_minor - original.tips_minor, 0)
    if request.amount.minor > left_minor and not request.approved_by:
        raise _tip_above_limit(left_minor, request, "amounts.requested_amount")


def _tip_above_limit(left_minor: int, request: PaymentRequest, path: str) -> RequestError:
    available = format_amount(Money(left_minor, request.amount.currency))
    return RequestError(
        "invalid_amount",
        f"a tip may be {request.tip_limit_percent} % of the amount, {available} is left; more "
        "needs approved_by",
        path=path,
        available_amount=available,
    )


def _asked_minor(running: Sequence[Payment], types: AbstractSet[PaymentType]) -> int:
    """Return what those of `running` that are of these types may still move."""
    return sum(one.request.amount.minor for one in running if one.request.type in types)


def _refuse_what_gift_cards_hold(request: PaymentRequest, siblings: Sequence[Payment]) -> None:
    """Refuse to give back what the sale put on gift cards, which may be spent by now."""
    if request.approved_by or not any(one.request.type is PaymentType.LOAD for one in siblings):
        return
    free_minor = max(unspent_minor(siblings), 0)
    if request.amount.minor > free_minor:
        available = format_amount(Money(free_minor, request.amount.currency))
        raise RequestError(
            "not_allowed",
            "this sale filled a gift card: take it off again first, or ask a supervisor",
            path="original_payment_id",
            available_amount=available,
            suggest="gift_card/reverse",
        )


def _refuse_more_than(
    request: PaymentRequest, rest_minor: int, code: str, original: Payment
) -> None:
    if request.amount.minor > rest_minor:
        available = format_amount(Money(max(rest_minor, 0), request.amount.currency))
        raise RequestError(
            code,
            f"{available} {request.amount.currency} is left of it",
            path="amounts.requested_amount",
            available_amount=available,
            funds=original.funds.value,
        )


def _refuse_beside_an_end(request: PaymentRequest, running: Sequence[Payment]) -> None:
    """Refuse to use a hold that is being ended, and to end one that is being used.

    The two may reach the bank in either order; the second would find no hold.
    """
    ends = request.type is PaymentType.CAPTURE and request.is_last
    for one in running:
        is_end = one.request.type is PaymentType.VOID or (
            one.request.type is PaymentType.CAPTURE and one.request.is_last
        )
        if ends or is_end:
            raise RequestError(
                "payment_in_doubt",
                "another operation on this hold is still running",
                path="original_payment_id",
                payment_id=one.request.payment_id,
            )


def _refuse_void(
    followed: PaymentRecord, running: Sequence[Payment], batch_closed_seq: int
) -> None:
    """Refuse a void that cannot be. A refund is suggested only where it is known to be the way."""
    original, why, way_out = followed.payment, "", False
    if original.funds not in {Funds.CAPTURED, Funds.HELD}:
        why = f"its money is {original.funds.value}"
    elif original.may_be_reversed:
        why = "it may have been taken back at the terminal; somebody must look at it first"
    elif original.request.method is Method.OFFICE_GIFT_CARD and original.funds is Funds.CAPTURED:
        why, way_out = "what a gift card paid is put back by a refund", True
    elif running:
        why = "another operation on it is still running"
    elif original.used_minor:
        why = "a part of the hold was captured"
    elif batch_closed_seq > followed.ended_seq:
        why, way_out = "the terminal's batch was closed since", True
    if why:
        raise RequestError(
            "void_not_possible",
            f"a void is not possible: {why}",
            path="original_payment_id",
            suggest="refund" if way_out and original.refundable_minor else None,
        )


def _not_allowed(request: PaymentRequest, original: Payment, why: str) -> RequestError:
    return RequestError(
        "not_allowed",
        f"{request.type.value} is not possible: the original {why}",
        path="original_payment_id",
        funds=original.funds.value,
    )


def refuse_correction(
    payment: Payment, running: Sequence[Payment], purchase: str, *, books: bool
) -> None:
    """Refuse to take back a person's answer that something else was built on.

    `running` are the follow-ups of the payment that are not final, `purchase` the state of its
    record in the books, "" for none; `books` says whether sales are recorded at all.

    Raises:
        RequestError: `not_allowed`.
    """
    kind = payment.request.type
    was_paid = payment.was_answered_as_paid and bool(payment.request.original_payment_id)
    unbooked = books and payment.recording is Recording.NOT_REQUIRED
    back = {Funds.VOIDED, Funds.REFUNDED, Funds.PARTIALLY_REFUNDED}
    changed = (payment.used_minor, payment.added_minor, payment.tip_minor)
    why = ""
    if not payment.answers or payment.pruned:
        why = f"the payment is {payment.status.value}, not in doubt"
    elif payment.request.method is Method.OFFICE_GIFT_CARD:
        why = "what became of a gift card's money is corrected by a refund, or taken off the card"
    elif was_paid and kind not in UNDONE_BY_CORRECTION:
        why = f"a {kind.value} is undone by what follows it, under a payment_id of its own"
    elif was_paid and kind in GIVES and unbooked:
        why = "its sale goes to the books without it, or never went there"
    elif (payment.funds in back and kind not in GIVES) or any(changed) or running:
        why = "something followed it"
    elif purchase not in {"", "recorded"}:
        why = f"its booking is {purchase}; that must be known first"
    if why:
        raise RequestError(
            "not_allowed",
            f"this answer cannot be corrected: {why}" if payment.answers else why,
            path="payment_id",
            payment_status=payment.status.value,
        )


def refuse_amount(answer: Resolved, payment: Payment) -> None:
    """Refuse an amount that no slip of this payment can show.

    Raises:
        RequestError: `invalid_amount`.
    """
    if answer.amount is None:
        return
    asked = payment.request.amount
    offered = payment.offer.amount if payment.offer is not None else asked
    if answer.outcome != "approved":
        why = "only what was approved has an amount"
    elif answer.amount.currency != asked.currency:
        why = f"the payment was asked for in {asked.currency}"
    elif not 0 < answer.amount.minor <= max(asked.minor, offered.minor):
        most = format_amount(Money(max(asked.minor, offered.minor), asked.currency))
        why = f"it is more than nothing and at most {most} {asked.currency}"
    else:
        return
    raise RequestError("invalid_amount", why, path="evidence.amount")

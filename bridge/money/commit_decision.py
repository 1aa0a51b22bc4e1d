"""What a change of one payment means for its original, its sale and the books. Pure.

The ledger stores what is said here in the same commit as the change itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.journal import Change, Expectation
from bridge.money.store.journal_entries import Entry
from bridge.money.store.records import (
    PaymentRecord,
    PurchaseRecord,
    captured_payments,
    fold_event,
    payment_row,
    purchase_row,
    same_but_for_time,
)
from drivers.contract import ALREADY_REVERSED, Money


@dataclass(frozen=True, slots=True)
class BooksPolicy:
    """What the shop's books want to know."""

    store_code: str
    summary_sku: str = "CARD-PAYMENT"
    required: bool = True  # False: the register's own extract records sales
    tip_sku: str = ""  # of the line that tips are booked as; "": they are left out of the books
    # Terminals whose payments somebody else books, or nobody knows who: the POS server's own.
    not_ours: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is decided."""

    at: str  # ISO 8601 UTC, as the journal writes it
    local: str  # the store's local time without offset, as the books want it
    source: s.DateSource = "clock"  # whose time `local` is


@dataclass(frozen=True, slots=True)
class SaleAsKnown:
    """What is known of a payment's sale before it changes."""

    others: Sequence[PaymentRecord]  # the sale's other payments, oldest first
    original: PaymentRecord | None  # what the payment follows up
    in_books: AbstractSet[str]  # ids of the sale's payments that a purchase names already


@dataclass(frozen=True, slots=True)
class Decision:
    """What changes when events happen to a payment; stored in one commit."""

    account: PaymentRecord
    actions: tuple[p.Action, ...]
    entries: tuple[Entry, ...]
    original: PaymentRecord | None = None  # told of its follow-up
    opened: PurchaseRecord | None = None  # what must be recorded


def decide(
    before: PaymentRecord | None,
    events: Sequence[p.Event],
    sale: SaleAsKnown,
    policy: BooksPolicy,
    moment: Moment,
) -> Decision:
    """Return what `events` mean for a payment (None: a new one), its original and the books.

    Raises:
        IllegalEvent: The payment's state cannot have one of the events.
    """
    first, *rest = events
    account, actions = fold_event(before, first, moment.at)
    for event in rest:
        account, more = fold_event(account, event, moment.at)
        actions = (*actions, *more)
    entries = [Entry(account.payment_id, event, moment.at) for event in events]
    original = None
    if p.TellOriginal() in actions and sale.original is not None:
        original = _tell_original(account, sale, moment.at, entries)
    opened = None
    stands = account.payment.funds is not p.Funds.NONE
    is_tip = account.payment.request.type is p.PaymentType.TIP_ADJUST
    corrects = isinstance(events[-1], p.Corrected) and _was_booked(account, sale, policy)
    stood = before is not None and before.payment.funds is not p.Funds.NONE
    if before is not None and corrects and stood is not stands:
        account, opened = _settle_correction(
            before, account, sale, policy, moment, original=original, entries=entries
        )
    elif original is not None and stands and is_tip:
        account, opened = _settle_tip(account, sale, policy, moment, entries)
    elif isinstance(events[-1], p.Corrected) and stood and not stands:
        account = _never_booked(account, moment, entries)
    elif p.Settle() in actions:
        account, opened = _settle(account, sale, policy, moment, entries)
    return Decision(account, actions, tuple(entries), original, opened)


def change_of(
    before: PaymentRecord | None, decided: Decision, expectation: Expectation | None
) -> Change:
    """Return the commit that stores a decision."""
    changed = [payment_row(one) for one in (decided.account, decided.original) if one is not None]
    if before is not None and same_but_for_time(changed[0], payment_row(before)):
        del changed[0]  # nothing that it is found by has changed
    opened = () if decided.opened is None else (purchase_row(decided.opened),)
    return Change(decided.entries, tuple(changed), opened, expectation)


def _tell_original(
    account: PaymentRecord, sale: SaleAsKnown, at: str, entries: list[Entry]
) -> PaymentRecord | None:
    """Return the original of a follow-up once it knows: it was approved, or never can be."""
    request, approval, original = account.payment.request, account.payment.approval, sale.original
    assert original is not None, "looked at by the caller"
    denial = account.payment.denial
    if approval is None:
        if denial is None or denial.code != ALREADY_REVERSED or original.payment.approval is None:
            return None
        found = p.FoundReversed(account.payment_id)
        entries.append(Entry(original.payment_id, found, at))
        return fold_event(original, found, at)[0]
    if account.payment.funds is p.Funds.NONE:
        undone = p.FollowUpUndone(request.type, account.payment_id, approval.amount)
        entries.append(Entry(original.payment_id, undone, at))
        return fold_event(original, undone, at)[0]
    raise_of_hold = approval if request.type is p.PaymentType.INCREMENT else None
    event = p.FollowedUp(
        request.type, account.payment_id, approval.amount, request.is_last, raise_of_hold
    )
    entries.append(Entry(original.payment_id, event, at))
    told, _ = fold_event(original, event, at)
    if (
        request.type in p.GIVES
        and told.payment.refundable_minor == 0
        and told.payment.recording is p.Recording.PENDING
        and original.payment_id not in sale.in_books
    ):
        # Nothing of it is left to be recorded, and the books never had it.
        return _leave_out(told, at, entries)
    return told


def _settle(
    account: PaymentRecord,
    sale: SaleAsKnown,
    policy: BooksPolicy,
    moment: Moment,
    entries: list[Entry],
) -> tuple[PaymentRecord, PurchaseRecord | None]:
    """Decide what must be recorded now that the account's payment was captured."""
    request = account.payment.request
    due: s.PurchaseDue | None
    if not policy.required:
        return _leave_out(account, moment.at, entries), None
    if request.terminal_id in policy.not_ours:
        account = _leave_out(account, moment.at, entries)
        if request.type in p.GIVES:
            return account, None
        due = _sale_due(account, sale, policy, moment)  # its sale may be covered now
    elif request.type in p.GIVES:
        if request.original_payment_id and request.original_payment_id not in sale.in_books:
            # The sale will be recorded with what is left of it.
            return _leave_out(account, moment.at, entries), None
        due = _return_due(account, sale.original, policy, moment)
        if due is None:
            return _leave_out(account, moment.at, entries), None
    else:
        due = _sale_due(account, sale, policy, moment)
    if due is None:
        return account, None
    due = replace(due, content=replace(due.content, date_from=moment.source))
    entries.append(Entry(due.content.transaction_id, due, moment.at))
    return account, PurchaseRecord(s.open_purchase(due), moment.at, moment.at)


def _was_booked(account: PaymentRecord, sale: SaleAsKnown, policy: BooksPolicy) -> bool:
    """Say whether the books were told of a payment, under its own name or with its original."""
    payment = account.payment
    if not policy.required:
        return False
    if account.payment_id in sale.in_books:
        return True
    # A tip that was called approved before its sale was recorded went there with it.
    is_tip = payment.request.type is p.PaymentType.TIP_ADJUST
    with_its_sale = is_tip and policy.tip_sku and not payment.was_answered_as_paid
    return bool(with_its_sale) and payment.request.original_payment_id in sale.in_books


def _never_booked(account: PaymentRecord, moment: Moment, entries: list[Entry]) -> PaymentRecord:
    """Return a payment that was not charged after all, and that the books never had."""
    if account.payment.recording is p.Recording.NOT_REQUIRED:
        return account
    return _leave_out(account, moment.at, entries)


def _settle_correction(
    before: PaymentRecord,
    account: PaymentRecord,
    sale: SaleAsKnown,
    policy: BooksPolicy,
    moment: Moment,
    *,
    original: PaymentRecord | None,
    entries: list[Entry],
) -> tuple[PaymentRecord, PurchaseRecord | None]:
    """Decide what must be recorded now that a person's answer was taken back.

    What they have is never changed there: a second record makes it right. `original` is what the
    payment follows up, as it is now that it knows.
    """
    payment = account.payment
    is_paid = payment.was_answered_as_paid
    paid = payment if is_paid else before.payment
    approval = paid.approval
    assert approval is not None, "what is in the books was approved"
    minor = approval.amount.minor
    if payment.request.type in p.TAKES:
        minor = _booked_minor(paid, policy)
    elif payment.request.type in p.GIVES and original is not None and sale.original is not None:
        was, now = (_booked_minor(one.payment, policy) for one in (sale.original, original))
        minor = abs(now - was)
    due = s.settle_correction(
        payment.request.sale_key,
        account.payment_id,
        Money(minor, approval.amount.currency),
        number=len(payment.answers) - 1,
        # What brings money and was not charged goes out; so does a refund that was given after all.
        goes_back=is_paid is (payment.request.type in p.GIVES),
        label=(approval.card.brand or "card").upper(),
        moment=moment.local,
        store_code=policy.store_code,
        summary_sku=policy.summary_sku,
    )
    due = replace(due, content=replace(due.content, date_from=moment.source))
    news = p.RecordingChanged(p.Recording.PENDING)
    entries += [
        Entry(account.payment_id, news, moment.at),
        Entry(due.content.transaction_id, due, moment.at),
    ]
    told, _ = fold_event(account, news, moment.at)
    return told, PurchaseRecord(s.open_purchase(due), moment.at, moment.at)


def _sale_due(
    account: PaymentRecord, sale: SaleAsKnown, policy: BooksPolicy, moment: Moment
) -> s.PurchaseDue | None:
    """Return the purchase that is due now that the account's payment brought its part."""
    everything = (*sale.others, account)
    # What a signature may still undo is taken, but not for the books yet.
    unrecorded = captured_payments(
        (
            one
            for one in everything
            if one.payment_id not in sale.in_books
            and not one.payment.awaits_signature
            and one.payment.request.terminal_id not in policy.not_ours
        ),
        moment.local,
    )
    if not unrecorded:
        return None
    # A sale that is in the books already was paid again on a supervisor's word: that money
    # is recorded by itself. So is money whose sale nobody completes.
    alone = bool(sale.in_books) or any(one.payment.lines_overdue for one in everything)
    in_order = sorted(everything, key=lambda one: one.created_at)
    details = p.known_sale(one.payment for one in in_order)
    awaited = any(one.payment.request.lines_later for one in everything)
    if details is None and awaited and not alone:
        return None
    if details is None and account.payment.request.plan is not None:
        details = _details_of_plan(account.payment.request.plan, policy)
    if details is not None:
        details = _with_others(details, everything, policy)
    return s.settle(
        account.payment.request.sale_key,
        None if alone else details,
        unrecorded,
        store_code=policy.store_code,
        summary_sku=policy.summary_sku,
        tip_sku=policy.tip_sku,
    )


def _with_others(
    details: s.SaleDetails, accounts: Sequence[PaymentRecord], policy: BooksPolicy
) -> s.SaleDetails:
    """Return a sale with what others book of it counted as another tender, as cash is."""
    theirs = captured_payments(
        (one for one in accounts if one.payment.request.terminal_id in policy.not_ours), ""
    )
    paid = s.paid_minor(theirs)
    if not paid:
        return details
    known = details.elsewhere or s.OtherTenders()
    more = replace(known, tenders=(*known.tenders, s.OtherTender("other", paid)))
    return replace(details, elsewhere=more)


def _details_of_plan(plan: p.Plan, policy: BooksPolicy) -> s.SaleDetails:
    """Return what a split payment without lines is recorded as: one sale, once it is whole."""
    minor = plan.total.minor
    line = s.SaleLine(1, policy.summary_sku, "1", "EA", "", minor, label="Split payment")
    return s.SaleDetails(plan.total, (line,))


def _return_due(
    account: PaymentRecord, original: PaymentRecord | None, policy: BooksPolicy, moment: Moment
) -> s.PurchaseDue | None:
    """Return the purchase that records money given back, None when the books never had it."""
    approval = account.payment.approval
    assert approval is not None, "settled means approved"
    amount = approval.amount
    # What was given back of nothing goes out of the books whole.
    if original is not None and original.payment.funds is not p.Funds.NONE:
        request = account.payment.request
        event = p.FollowedUp(request.type, account.payment_id, amount, request.is_last)
        after, _ = fold_event(original, event, moment.at)
        before_minor = _booked_minor(original.payment, policy)
        amount = Money(before_minor - _booked_minor(after.payment, policy), amount.currency)
    if not amount.minor:
        return None
    return s.settle_return(
        account.payment.request.sale_key,
        account.payment_id,
        amount,
        label=(approval.card.brand or "card").upper(),
        returned_at=moment.local,
        store_code=policy.store_code,
        summary_sku=policy.summary_sku,
    )


def _booked_minor(payment: p.Payment, policy: BooksPolicy) -> int:
    """Return what the books have of a recorded payment, and are still to have."""
    goods, tips, _ = payment.kept
    return goods + tips if policy.tip_sku else goods


def _settle_tip(
    account: PaymentRecord,
    sale: SaleAsKnown,
    policy: BooksPolicy,
    moment: Moment,
    entries: list[Entry],
) -> tuple[PaymentRecord, PurchaseRecord | None]:
    """Decide what must be recorded of a tip that was added to a recorded payment."""
    request, approval = account.payment.request, account.payment.approval
    if not policy.required or not policy.tip_sku or approval is None:
        return account, None
    if request.original_payment_id not in sale.in_books:
        return account, None  # it will be recorded with its sale
    news = p.RecordingChanged(p.Recording.PENDING)
    due = s.settle_tip(
        request.sale_key,
        account.payment_id,
        approval.amount,
        label=(approval.card.brand or "card").upper(),
        added_at=moment.local,
        store_code=policy.store_code,
        tip_sku=policy.tip_sku,
    )
    entries += [
        Entry(account.payment_id, news, moment.at),
        Entry(due.content.transaction_id, due, moment.at),
    ]
    told, _ = fold_event(account, news, moment.at)
    return told, PurchaseRecord(s.open_purchase(due), moment.at, moment.at)


def _leave_out(account: PaymentRecord, at: str, entries: list[Entry]) -> PaymentRecord:
    """Return the account once it need not be recorded; adds the entry that says so."""
    news = p.RecordingChanged(p.Recording.NOT_REQUIRED)
    entries.append(Entry(account.payment_id, news, at))
    return fold_event(account, news, at)[0]

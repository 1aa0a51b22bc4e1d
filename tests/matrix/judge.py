"""One judge for every cell of the matrix: what was told against what was done.

The truth is the terminal's ledger, the balances and the transactions of the gift cards, and the
purchases in the back office. What the bridge says must be equal to it, or be openly unknown and
wait for a person; and when nothing happens any more, nothing is held but what a register wants.
"""

from __future__ import annotations

from decimal import Decimal

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.payment import Funds, PaymentType, Status
from simulators.back_office.records import GiftCardTrans, TransStatus
from tests.matrix.shop import Shop

TAKING = {PaymentType.SALE, PaymentType.CAPTURE}


def judge(shop: Shop) -> None:
    """Raise AssertionError for anything that is silently wrong."""
    for account in shop.accounts():
        _judge_status(account.payment)
        if account.payment.request.method is p.Method.OFFICE_GIFT_CARD:
            _judge_gift_card_payment(shop, account.payment)
    _judge_balances(shop)
    _judge_terminal(shop)
    _judge_books(shop)
    _judge_refunds(shop)
    _judge_loads(shop)
    _judge_plans(shop)


def _judge_status(payment: p.Payment) -> None:
    if payment.is_final:
        return
    assert payment.doubt is not None, f"{_name(payment)} still {payment.status.value}"
    assert payment.doubt.needs_operator, f"{_name(payment)}: nobody was asked"


def _judge_gift_card_payment(shop: Shop, payment: p.Payment) -> None:
    """Compare one gift card payment with the transactions that bear its reference."""
    request = payment.request
    own = [one for one in shop.state.transactions.values() if one.ref_no == request.payment_id]
    done = [one.amount for one in own if one.status is TransStatus.COMPLETED]
    held = [one for one in own if one.status is TransStatus.AUTHORIZED]
    assert len(done) + sum(_holds_money(one) for one in held) <= 1, "asked for once"
    if not payment.is_final:
        return  # openly unknown; whatever happened is what a person finds
    if payment.status is not Status.APPROVED:
        assert done == [], f"{_name(payment)}: {payment.status.value}, and money moved"
        assert not any(map(_holds_money, held)), f"{_name(payment)}: held for ever"
        return
    if any(
        one.payment.request.original_payment_id == request.payment_id and not one.payment.is_final
        for one in shop.accounts()
    ):
        return  # what became of it is the open question of another payment
    cents = Decimal(_approved_minor(payment)) / 100
    match request.type:
        case PaymentType.SALE:
            assert done == [-cents]
        case PaymentType.LOAD | PaymentType.REFUND:
            assert done == [cents]
        case PaymentType.UNLOAD:
            assert done == [-cents]
        case PaymentType.PREAUTH if payment.funds is Funds.HELD:
            assert [one.amount for one in held] == [-cents]
        case PaymentType.PREAUTH if payment.funds is Funds.VOIDED:
            assert (done, held) == ([], [])
        case PaymentType.PREAUTH:
            assert len(done) == 1
            assert held == []
        case PaymentType.CAPTURE:
            taken = [one for one in _of(shop, request.original_payment_id)]
            assert [one.status for one in taken] == [TransStatus.COMPLETED]
            assert taken[0].amount == -cents
        case PaymentType.VOID:
            undone = [one.status for one in _of(shop, request.original_payment_id)]
            assert undone == [TransStatus.CANCELLED]
        case _:
            raise AssertionError(f"a gift card has no {request.type.value}")


def _judge_balances(shop: Shop) -> None:
    for card in shop.state.gift_cards.values():
        moved = [one for one in shop.state.transactions.values() if one.gift_card_id == card.id]
        counted = sum(
            (
                one.amount
                for one in moved
                if one.status is TransStatus.COMPLETED or _holds_money(one)
            ),
            Decimal(0),
        )
        assert card.balance == shop.initial.get(card.id, Decimal(0)) + counted
        assert card.balance >= 0


def _judge_terminal(shop: Shop) -> None:
    """What the terminal took is what the approved card payments say, if none is open."""
    office = p.Method.OFFICE_GIFT_CARD
    payments = [one.payment for one in shop.accounts() if one.payment.request.method is not office]
    if any(not one.is_final for one in payments):
        return
    said = sum(
        -_approved_minor(one) if one.request.type in p.GIVES else _approved_minor(one)
        for one in payments
        if one.status is Status.APPROVED
    )
    assert shop.terminal.ledger.taken_minor() == said


def _judge_books(shop: Shop) -> None:
    """Every captured cent is in one purchase, or openly on its way there or with a person."""
    for name in {one.transaction_id for one in shop.state.purchases.values()}:
        assert len(shop.state.purchases_of(name)) == 1, "one purchase is recorded once"
    told: dict[str, s.Purchase] = {}
    for account in shop.accounts():
        purchase = shop.ledger.payments.purchase_of(account.payment_id)
        recording = account.payment.recording
        if purchase is None:
            assert recording in {p.Recording.NOT_REQUIRED, p.Recording.PENDING}
            waits = _is_with_a_person(shop, account.payment) or not _is_covered(
                shop, account.payment
            )
            assert recording is p.Recording.NOT_REQUIRED or waits
            continue
        told[purchase.purchase.content.transaction_id] = purchase.purchase
    assert {one.transaction_id for one in shop.state.purchases.values()} <= set(told)
    for name, owed in told.items():
        found = shop.state.purchases_of(name)
        match owed.state:
            case s.PurchaseState.RECORDED:
                assert [one.id for one in found] == [owed.record_id]
            case s.PurchaseState.REJECTED:
                assert found == ()
            case s.PurchaseState.UNCONFIRMED:
                pass  # a person is asked, whichever it is
            case _:
                raise AssertionError(f"{name} is {owed.state.value} after all this time")
        for one in found:
            content = owed.content
            total = content.pay_amount.minor
            assert one.pay_amount == Decimal(total) / 100
            brought = sum(_brought_minor(shop, payment_id) for payment_id in owed.payment_ids)
            assert brought == total - content.sale.refund_minor, "the money, and once"


def _is_with_a_person(shop: Shop, payment: p.Payment) -> bool:
    """True while a person must say of a payment of the same sale whether its money was taken."""
    siblings = (one.payment for one in shop.ledger.payments.of_sale(payment.request.sale_key))
    return any(one.doubt is not None and one.doubt.needs_operator for one in siblings)


def _judge_refunds(shop: Shop) -> None:
    """No more goes back than was taken, wherever it goes."""
    for account in shop.accounts():
        back = sum(
            _approved_minor(one.payment)
            for one in shop.accounts()
            if one.payment.request.type is PaymentType.REFUND
            and one.payment.request.original_payment_id == account.payment_id
            and one.payment.status is Status.APPROVED
        )
        assert back == account.payment.refunded_minor <= account.payment.captured.minor


def _judge_loads(shop: Shop) -> None:
    """What is on the cards of a sale was captured for it, and no cent of it twice."""
    sales = {one.payment.request.sale_key for one in shop.accounts()}
    for key in sales:
        found = [one.payment for one in shop.ledger.payments.of_sale(key)]
        filled = sum(
            _approved_minor(one) for one in found if one.funds is Funds.LOADED and one.is_final
        )
        assert filled <= sum(one.refundable_minor for one in found), "filled with nobody's money"


def _judge_plans(shop: Shop) -> None:
    """A split payment took everything, or nothing."""
    plans = {
        one.payment.request.plan.plan_id: one.payment.request.plan
        for one in shop.accounts()
        if one.payment.request.plan is not None
    }
    for plan in plans.values():
        found = [
            one.payment
            for one in shop.accounts()
            if one.payment.request.plan is not None
            and one.payment.request.plan.plan_id == plan.plan_id
        ]
        if any(not one.is_final for one in found):
            continue  # a person was asked
        taken = sum(one.captured.minor for one in found)
        assert taken in {0, plan.total.minor}, f"{taken} of {plan.total.minor}"
        assert not any(one.funds is Funds.HELD for one in found), "held for ever"


def _is_covered(shop: Shop, payment: p.Payment) -> bool:
    account = shop.ledger.payments.get(payment.request.payment_id)
    needed = shop.ledger.payments.remaining(account) if account is not None else None
    return needed is not None and needed.minor == 0


def _brought_minor(shop: Shop, payment_id: str) -> int:
    payment = shop.payment(payment_id)
    sign = -1 if payment.request.type in p.GIVES else 1
    return sign * _approved_minor(payment)


def _approved_minor(payment: p.Payment) -> int:
    assert payment.approval is not None
    return payment.approval.amount.minor


def _of(shop: Shop, ref_no: str) -> list[GiftCardTrans]:
    return [one for one in shop.state.transactions.values() if one.ref_no == ref_no]


def _holds_money(one: GiftCardTrans) -> bool:
    """An authorized deposit that nobody captures holds nothing; a withdrawal does."""
    return one.status is TransStatus.AUTHORIZED and one.amount < 0


def _name(payment: p.Payment) -> str:
    return f"{payment.request.type.value} {payment.request.payment_id[-4:]}"

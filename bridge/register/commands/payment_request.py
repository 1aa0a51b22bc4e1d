"""From the register's words to the ledger's: a checked start becomes a payment request. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.purchase import OtherTender, OtherTenders, SaleDetails, SaleLine
from bridge.register import api as k
from drivers.contract import Approval, Capabilities, Money

TYPES = frozenset(one.value for one in p.PaymentType)


FOLLOW_UPS: dict[type[k.AnyFollowUp], p.PaymentType] = {
    k.PaymentIncrement: p.PaymentType.INCREMENT,
    k.PaymentCapture: p.PaymentType.CAPTURE,
    k.PaymentRefund: p.PaymentType.REFUND,
    k.PaymentVoid: p.PaymentType.VOID,
    k.PaymentTipAdjust: p.PaymentType.TIP_ADJUST,
    k.GiftCardUnload: p.PaymentType.UNLOAD,
    k.GiftCardReverse: p.PaymentType.UNLOAD,
}
NOTHING = Money(0, "EUR")  # of a void whose original is not known: admission refuses it


def refuse_unsupported(request: k.PaymentStart, can: Capabilities, currency: str) -> None:
    """Refuse what the terminal has not announced, before a card is asked for.

    `currency` is what the terminal is set up for, "" when it did not say.

    Raises:
        RequestError: `operation_not_supported` or `invalid_request`, with the field's path.
    """
    wanted = request.amounts.currency
    if (can.currencies and wanted not in can.currencies) or (currency and wanted != currency):
        takes = ", ".join(can.currencies) or currency
        raise RequestError(
            "invalid_request",
            f"the terminal takes {takes}, not {wanted}",
            path="amounts.currency",
        )
    by_gift_card = request.method == "gift_card"
    at_terminal = is_at_terminal(request)
    if request.plan is not None:
        raise RequestError("operation_not_supported", "a plan needs a back office", path="plan")
    if by_gift_card is not (request.gift_card is not None or at_terminal):
        raise RequestError(
            "invalid_request",
            "method 'gift_card' and the field gift_card go together",
            path="gift_card",
        )
    tip = request.amounts.tip.mode if request.amounts.tip else "none"
    unsupported = (
        (at_terminal and "gift_redeem" not in can.operations, "method"),
        (at_terminal and request.type != "sale", "type"),
        (request.type not in can.operations, "type"),
        (request.terminal_pool is not None and by_gift_card, "terminal_pool"),
        (tip not in can.tip, "amounts.tip.mode"),
        (request.amounts.cash_back_amount is not None, "amounts.cash_back_amount"),
        (request.accept_partial and not can.partial_approval, "accept_partial"),
        (request.payment_brands is not None, "payment_brands"),
        (request.entry_modes is not None, "entry_modes"),
        (request.force_online, "force_online"),
        (request.token != "none", "token"),  # noqa: S105 - a wish, not a secret
        (request.capture != "auto" and (at_terminal or not by_gift_card), "capture"),
    )
    for refused, path in unsupported:
        if refused:
            raise RequestError(
                "operation_not_supported",
                f"what {path} asks for cannot be done"
                + (
                    " with a gift card"
                    if by_gift_card and not at_terminal
                    else "; see the terminal's capabilities"
                ),
                path=path,
            )


def is_at_terminal(request: k.PaymentStart) -> bool:
    """Say whether a gift card pays that the terminal reads and serves itself."""
    named = request.terminal_id is not None
    return named and request.method == "gift_card" and request.gift_card is None


def refuse_unsupported_load(request: k.GiftCardLoad, can: Capabilities) -> None:
    """Refuse a load that a terminal cannot do, before a card is asked for.

    Raises:
        RequestError: `operation_not_supported` or `invalid_request`, with the field's path.
    """
    if "gift_load" not in can.operations or isinstance(request, k.GiftCardActivate):
        text = "this terminal cannot do it with gift cards; see its capabilities"
        raise RequestError("operation_not_supported", text, path="terminal_id")
    if can.currencies and request.amounts.currency not in can.currencies:
        text = f"the terminal takes {', '.join(can.currencies)}, not {request.amounts.currency}"
        raise RequestError("invalid_request", text, path="amounts.currency")


def refuse_unsupported_follow_up(
    wanted: p.PaymentRequest, can: Capabilities, *, elsewhere: bool
) -> None:
    """Refuse a follow-up that the terminal has not announced; `elsewhere`: not the original's.

    Raises:
        RequestError: `operation_not_supported` or `not_allowed`.
    """
    kind = wanted.type.value
    if wanted.gift_card is not None and wanted.method is not p.Method.OFFICE_GIFT_CARD:
        raise RequestError(
            "not_allowed", "what a gift card paid does not go to another card", path="terminal_id"
        )
    if not wanted.is_last and (
        wanted.gift_card is not None or can.partial_capture == "releases_rest"
    ):
        raise RequestError(
            "operation_not_supported",
            "this hold is captured once: what is left of it goes back to the card at once",
            path="final",
        )
    if kind not in can.operations:
        raise RequestError(
            "operation_not_supported",
            f"a {kind} cannot be done with a gift card"
            if wanted.gift_card is not None
            else f"this terminal cannot do a {kind}; see its capabilities",
            path="terminal_id",
        )
    whole = wanted.original.amount if wanted.original is not None else wanted.amount
    if wanted.type is p.PaymentType.UNLOAD and wanted.gift_card is None and wanted.amount != whole:
        raise RequestError(
            "operation_not_supported",
            "a terminal takes back a whole load only",
            path="amounts.requested_amount",
        )
    if elsewhere and wanted.type is not p.PaymentType.REFUND:
        raise RequestError(
            "not_allowed",
            f"a {kind} is done by the terminal that has the original",
            path="terminal_id",
        )
    if not wanted.original_payment_id and not can.unlinked_refund:
        raise RequestError(
            "operation_not_supported",
            "this terminal refunds known payments only",
            path="original_payment_id",
        )


def refuse_another_gift_card(
    wanted: p.PaymentRequest, can: Capabilities, original: p.Payment | None
) -> None:
    """Refuse value for, or off, a gift card that the original knows nothing of.

    Raises:
        RequestError: `invalid_request`, `feature_disabled` or `approval_required`.
    """
    paid_with = original.request.gift_card if original else None
    is_of_office = wanted.terminal_id == p.GIFT_CARDS
    if original is not None and wanted.gift_card is None and is_of_office:
        raise RequestError(
            "invalid_request",
            "name the gift card: its code is kept no longer than the receipts",
            path="gift_card",
        )
    if wanted.gift_card is None or wanted.gift_card == paid_with:
        return
    if paid_with is not None and wanted.type is not p.PaymentType.REFUND:
        raise RequestError(
            "invalid_request", "this is not the gift card that was loaded", path="gift_card"
        )
    if wanted.type is p.PaymentType.REFUND and not can.unlinked_refund:
        raise RequestError(
            "feature_disabled",
            "store credit is off: back_office.store_credit lets a refund go to a gift card",
            path="gift_card",
        )
    if not wanted.approved_by:
        raise RequestError(
            "approval_required",
            "value for a gift card that did not pay needs approved_by"
            if wanted.type is p.PaymentType.REFUND
            else "taking value off a gift card needs approved_by",
            path="approved_by",
        )


def refuse_activation(request: k.GiftCardActivate, can: Capabilities) -> None:
    """Refuse to make a gift card that the shop, or the API, does not let us make.

    Raises:
        RequestError: `feature_disabled` or `operation_not_supported`.
    """
    if "activate" not in can.operations:
        raise RequestError(
            "feature_disabled",
            "registers may not make gift cards: see back_office.gift_card_activation",
        )
    if request.gift_card is None or request.gift_card.code_type != "physical":
        raise RequestError(
            "operation_not_supported",
            "only cards with a physical code can be made",
            path="gift_card.code_type",
        )


def follow_up_request(
    request: k.AnyFollowUp, register_id: str, terminal_id: str, original: p.Payment | None
) -> p.PaymentRequest:
    """Return what the ledger keeps of a follow-up; whether it may be, admission decides."""
    card = original.request.gift_card if original else None
    if isinstance(request, k.WithGiftCard) and request.gift_card is not None:
        card = gift_card_code(request.gift_card)
    if isinstance(request, k.PaymentVoid | k.GiftCardReverse):
        told = original.told_approval if original else None
        amount = told.amount if told else NOTHING
    else:
        amount = request.amounts.requested
    return p.PaymentRequest(
        payment_id=request.payment_id,
        register_id=register_id,
        terminal_id=terminal_id,
        type=FOLLOW_UPS[type(request)],
        amount=amount,
        content_hash=k.content_hash(request),
        deadline_seconds=request.deadline_s,
        approved_by=request.approved_by or "",
        original_payment_id=original.request.payment_id
        if original
        else request.original_payment_id or "",
        original=_told_original(request, original) if original else None,
        original_sale_key=original.request.sale_key if original else "",
        is_last=request.final if isinstance(request, k.PaymentCapture) else True,
        # Only what a shopper must present a card for; the rest needs nobody at the register.
        cancel_when_register_lost=isinstance(request, k.PaymentRefund)
        and terminal_id != p.GIFT_CARDS,
        gift_card=card,
        gift=original is not None and original.request.gift,
        metadata=request.metadata or {},
        **_as_said(request),
    )


def _as_said(request: k.Request) -> dict[str, Any]:
    """Return what the register said for its own use; "" for what this command has no field for."""
    return {name: getattr(request, name, None) or "" for name in p.AS_SAID}


def _told_original(request: k.AnyFollowUp, original: p.Payment) -> Approval | None:
    """Return what the terminal is told of the original; a further tip comes to the earlier ones."""
    approval = original.told_approval
    if approval is None or not isinstance(request, k.PaymentTipAdjust) or not original.tip_minor:
        return approval
    currency = approval.amount.currency
    before_minor = approval.tip.minor if approval.tip is not None else 0
    return replace(
        approval,
        amount=Money(approval.amount.minor + original.tip_minor, currency),
        tip=Money(before_minor + original.tip_minor, currency),
    )


def payment_request(
    request: k.PaymentStart, register_id: str, terminal_id: str, *, possible_duplicate: bool
) -> p.PaymentRequest:
    """Return what the ledger keeps of a start.

    Raises:
        RequestError: `operation_not_supported`: a type that this version cannot take.
            `approval_required` or `invalid_request`: nobody stands for the override, or the
            sale does not add up.
    """
    if request.type not in TYPES:
        raise RequestError(
            "operation_not_supported", f"{request.type} is not served yet", path="type"
        )
    if request.override and not request.approved_by:
        raise RequestError("approval_required", "an override needs approved_by", path="approved_by")
    sale = sale_details(request.sale, request.amounts.currency) if request.sale else None
    stated = other_tenders(request.sale, request.amounts.currency) if request.sale else None
    if sale is None and stated is not None:
        raise RequestError(
            "invalid_request",
            "other tenders belong to lines: send both, now or with sale/attach",
            path="sale.other_tenders",
        )
    kept = request.gift_card is not None and request.capture == "manual"
    return p.PaymentRequest(
        payment_id=request.payment_id,
        register_id=register_id,
        terminal_id=terminal_id,
        type=p.PaymentType.PREAUTH if kept else p.PaymentType(request.type),
        amount=request.amounts.requested,
        content_hash=k.content_hash(request),
        sale_id=request.sale_id or "",
        tip=request.amounts.fixed_tip,
        accept_partial=request.accept_partial,
        sale=sale,
        lines_later=request.sale_lines == "later",
        deadline_seconds=request.deadline_s,
        possible_duplicate=possible_duplicate,
        approved_by=(request.approved_by or "") if request.override else "",
        cancel_when_register_lost=request.on_register_lost == "cancel_if_no_card",
        gift_card=gift_card_code(request.gift_card) if request.gift_card else None,
        gift=is_at_terminal(request),
        metadata=request.metadata or {},
        **_as_said(request),
    )


def load_request(request: k.GiftCardLoad, register_id: str, terminal_id: str) -> p.PaymentRequest:
    """Return what the ledger keeps of a command to fill a gift card."""
    return p.PaymentRequest(
        payment_id=request.payment_id,
        register_id=register_id,
        terminal_id=terminal_id,
        type=p.PaymentType.LOAD,
        activates=isinstance(request, k.GiftCardActivate),
        amount=request.amounts.requested,
        content_hash=k.content_hash(request),
        sale_id=request.sale_id,
        deadline_seconds=request.deadline_s,
        cancel_when_register_lost=terminal_id != p.GIFT_CARDS,  # its sale may still be paid
        gift_card=gift_card_code(request.gift_card) if request.gift_card else None,
        gift=request.gift_card is None,
        metadata=request.metadata or {},
        **_as_said(request),
    )


def gift_card_code(card: k.GiftCard) -> p.GiftCardCode:
    """Return what the ledger keeps of a gift card: never its PIN."""
    kinds: dict[str, Literal["PHYSICAL", "PERSONAL", "EXTERNAL"]] = {
        "physical": "PHYSICAL",
        "personal": "PERSONAL",
        "external": "EXTERNAL",
    }
    return p.GiftCardCode(kinds[card.code_type], card.stored_value_id)


def other_tenders(sale: k.Sale, currency: str) -> OtherTenders | None:
    """Return what else paid a sale, None when the register stated nothing."""
    if sale.other_tenders is None and sale.cash_rounding is None:
        return None
    rounding = sale.cash_rounding
    minor = k.parse_amount(rounding.amount, currency).minor if rounding is not None else 0
    return OtherTenders(
        tuple(
            OtherTender(one.kind, k.parse_amount(one.amount, currency).minor)
            for one in sale.other_tenders or ()
        ),
        -minor if rounding is not None and rounding.direction == "down" else minor,
    )


def sale_details(sale: k.Sale, currency: str) -> SaleDetails | None:
    """Return what the ledger keeps of a sale, None when it has no lines.

    Raises:
        RequestError: `invalid_request`: the sale does not add up.
    """
    if not sale.lines:
        return None

    def minor(text: str | None) -> int:
        return k.parse_amount(text, currency).minor if text is not None else 0

    details = SaleDetails(
        total=k.parse_amount(sale.total_amount, currency),
        lines=tuple(
            SaleLine(
                line_number=number,
                sku=line.product_code or line.ean_upc or f"ITEM-{line.item_id}",
                quantity=line.quantity,
                unit_of_measure=line.unit_of_measure,
                unit_price=line.unit_price,
                item_amount_minor=minor(line.item_amount),
                label=line.product_label or "",
                item_discount_minor=minor(line.item_discount_amount),
                sale_discount_minor=minor(line.sale_discount_amount),
                is_refund=line.is_refund,
            )
            for number, line in enumerate(sale.lines, 1)
        ),
        tax_minor=minor(sale.tax_amount),
        item_discount_minor=minor(sale.item_discount_amount),
        sale_discount_minor=minor(sale.sale_discount_amount),
        refund_minor=minor(sale.refund_amount),
        member_id=sale.member_id or "",
        elsewhere=other_tenders(sale, currency),
    )
    if not details.adds_up:
        raise RequestError(
            "invalid_request",
            "the lines, less sale_discount_amount, do not make total_amount "
            "(with tax in them, or with tax_amount on top)",
            path="sale.total_amount",
        )
    return details

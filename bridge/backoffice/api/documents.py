"""What the bridge asks of the back office, as values and as GraphQL documents. Pure.

Each is written by `operation.py`: values as literals, in one place that knows how.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from bridge.backoffice.api.literals import EnumValue, Value
from bridge.backoffice.api.names import (
    CAPTURE_FIELD,
    GIFT_CARD_ADD_FIELD,
    GIFT_CARD_EDIT_FIELD,
    GIFT_CARD_FIELD,
    PURCHASE_FIELD,
    TRANS_FIELD,
    ApiNames,
)
from bridge.backoffice.api.operation import Document, Unsupported, mutation, query, rehearsal


class CodeType(Enum):
    """Kinds of gift card code; a code is unique within its kind only."""

    PHYSICAL = "PHYSICAL"
    PERSONAL = "PERSONAL"
    EXTERNAL = "EXTERNAL"


class TransType(Enum):
    """Kinds of gift card transaction, each with its own permission and sign."""

    ADD = "ADD"
    ADJUST = "ADJUST"
    EXTERNAL = "EXTERNAL"
    IMPORT = "IMPORT"
    USE = "USE"


REHEARSED_CODE = "paybridge-rehearsal"
REHEARSED_ID = "00000000-0000-0000-0000-000000000000"
"""A card, and a hold, that no back office has."""
ID_DIGITS_MAX = 18

LOCATION_FIELD = "location"
LOCATIONS_A_PAGE = 100
"""Locations asked for at once; the server may answer fewer."""


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One line of a purchase; money and quantity are decimal text such as `"-6.49"`."""

    line_number: int
    sku: str
    is_refund: bool
    unit_price: str
    ext_price: str
    item_discount_amount: str
    sale_discount_amount: str
    quantity: str
    uom: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase as the back office records it; money is decimal text such as `"47.90"`.

    Attributes:
        transaction_id: Made once per sale; the server does not notice a second one.
        purchased_on: Local date and time without an offset, e.g. `2026-03-02T09:14:02`.
        channel, member_id, order_type, pay_method: Left out of the request when "".
    """

    transaction_id: str
    store_code: str
    purchased_on: str
    pay_amount: str
    sale_discount_amount: str
    item_discount_amount: str
    sub_total: str
    refund_amount: str
    tax_amount: str
    lines: tuple[PurchaseLine, ...]
    channel: str = ""
    member_id: str = ""
    order_type: str = ""
    pay_method: str = ""


@dataclass(frozen=True, slots=True)
class GiftCardTransaction:
    """One change of a gift card's balance.

    Attributes:
        code, pin: Secrets of the shopper; `pin` is "" when the card has none.
        amount: Signed decimal text; negative takes money off the card.
        source_id: Names the bridge in the back office's lists.
        ref_no: Our reference, the same on every attempt; the server does not check it.
        authorize_only: Hold now, finish or release with a `GiftCardCapture` later.
    """

    code_type: CodeType
    code: str = field(repr=False)
    trans_type: TransType
    amount: str
    source_id: str
    ref_no: str
    pin: str = field(default="", repr=False)
    authorize_only: bool = False


@dataclass(frozen=True, slots=True)
class GiftCardEdit:
    """The change of a gift card's code; its balance stays with the card.

    Attributes:
        gift_card_id: The server's id of the card.
        code_type: The kind of code that goes.
        new_code, new_pin: The physical code that takes its place; "" revokes without another.
    """

    gift_card_id: str
    code_type: CodeType
    new_code: str = field(default="", repr=False)
    new_pin: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GiftCardCapture:
    """The end of a hold.

    Attributes:
        transaction_id: The `record_id` of the hold.
        amount: Decimal text of a part of the hold, "" for all of it.
        cancel: Release the hold instead of keeping the money.
    """

    transaction_id: str
    amount: str = ""
    cancel: bool = False


def ping() -> Document:
    """Return the smallest query there is; it changes nothing and reads nothing."""
    return query("PaybridgePing", "__typename", {}, "")


def purchase_add(purchase: Purchase, names: ApiNames) -> Document:
    """Return the mutation that records `purchase`.

    Raises:
        Unwritable: A value cannot be spelled.
    """
    optional = {
        "channel": purchase.channel,
        "memberId": purchase.member_id,
        "orderType": purchase.order_type,
        "payMethod": purchase.pay_method,
    }
    add: dict[str, Value] = {
        "transactionId": purchase.transaction_id,
        "storeCode": purchase.store_code,
        "purchasedOn": purchase.purchased_on,
        "payAmount": purchase.pay_amount,
        "saleDiscountAmount": purchase.sale_discount_amount,
        "itemDiscountAmount": purchase.item_discount_amount,
        "subTotal": purchase.sub_total,
        "refundAmount": purchase.refund_amount,
        "taxAmount": purchase.tax_amount,
        **{name: value for name, value in optional.items() if value},
        "lineItems": [_line(line) for line in purchase.lines],
    }
    return mutation("PurchaseAdd", PURCHASE_FIELD, {"add": add}, "id", names.renamed)


def gift_card_trans_add(transaction: GiftCardTransaction, names: ApiNames) -> Document:
    """Return the mutation that changes, or holds a change of, a gift card's balance.

    Raises:
        Unsupported: A hold is asked for and the server has none.
        Unwritable: A value cannot be spelled.
    """
    trans: dict[str, Value] = {
        "codeType": _enum(transaction.code_type),
        "code": transaction.code,
        "transType": _enum(transaction.trans_type),
        "amount": transaction.amount,
        "sourceId": transaction.source_id,
        "refNo": transaction.ref_no,
    }
    if transaction.pin:
        trans["pin"] = transaction.pin
    if transaction.authorize_only:
        trans[_require(names.authorize_flag, "to hold a gift card's money")] = True
    elif names.authorize_flag in names.always:
        trans[names.authorize_flag] = False
    shown = "id balance giftcardId"
    return mutation("GiftCardTransAdd", TRANS_FIELD, {"trans": trans}, shown, names.renamed)


def gift_card_trans_capture(capture: GiftCardCapture, names: ApiNames) -> Document:
    """Return the mutation that ends a hold.

    Raises:
        Unsupported: A release or a part is asked for and the server has none.
        Unwritable: A value cannot be spelled.
    """
    name = _require(names.capture_id, "to name a hold")
    trans: dict[str, Value] = {name: _hold_id(capture.transaction_id, names)}
    if capture.amount:
        trans[_require(names.capture_amount, "to capture a part")] = capture.amount
    if capture.cancel:
        trans[_require(names.capture_cancel, "to release a hold")] = True
    elif names.capture_cancel in names.always:
        trans[names.capture_cancel] = False
    given = {names.capture_argument: trans} if names.capture_argument else trans
    shown = " ".join(names.capture_shows)
    return mutation("GiftCardTransCapture", CAPTURE_FIELD, given, shown, names.renamed)


def hold_rehearsal(names: ApiNames) -> Document:
    """Return what shows whether the server understands a hold and both of its ends.

    Nothing is carried out, and there would be nothing to: no card and no hold is called so.

    Raises:
        Unsupported: The server is known to lack a part of it.
    """
    hold = GiftCardTransaction(
        CodeType.PHYSICAL,
        REHEARSED_CODE,
        TransType.USE,
        "-0.01",
        REHEARSED_CODE,
        REHEARSED_CODE,
        authorize_only=True,
    )
    name = "0" if names.id_is_number else REHEARSED_ID
    ends = [GiftCardCapture(name), GiftCardCapture(name, cancel=True)]
    parts = [
        gift_card_trans_add(hold, names),
        *(gift_card_trans_capture(one, names) for one in ends),
    ]
    return rehearsal("PaybridgeRehearsal", parts)


def gift_card_balance(code: str, code_type: CodeType, names: ApiNames) -> Document:
    """Return the query for the card that carries `code`.

    Raises:
        Unwritable: The code cannot be spelled.
    """
    arguments: dict[str, Value] = {"code": code, "codeType": _enum(code_type)}
    shown = "limitedByPermission results { id balance }"
    return query("GiftCardBalance", GIFT_CARD_FIELD, arguments, shown, names.renamed)


def gift_card_add(code: str, pin: str, names: ApiNames) -> Document:
    """Return the mutation that makes a physical gift card with nothing on it.

    Raises:
        Unwritable: Code or PIN cannot be spelled.
    """
    card: dict[str, Value] = {"physicalCode": code, **({"physicalPin": pin} if pin else {})}
    return mutation("GiftCardAdd", GIFT_CARD_ADD_FIELD, {"giftcard": card}, "id", names.renamed)


def gift_card_edit(edit: GiftCardEdit, names: ApiNames) -> Document:
    """Return the mutation that revokes a gift card's code, or puts another one in its place.

    A code of a kind that the card has already is replaced by a new one (the vendor's page "Edit
    Gift Card"), so nothing is revoked besides: in which order a server does the two is not told.

    Raises:
        Unsupported: The server is known to have no field for it.
        Unwritable: Code or PIN cannot be spelled.
    """
    card: dict[str, Value] = {"id": edit.gift_card_id}
    if edit.new_code:
        card["physicalCode"] = edit.new_code
        if edit.new_pin:
            card["physicalPin"] = edit.new_pin
    else:
        card[f"revoke{edit.code_type.value.capitalize()}Code"] = True
    for name in card:
        if not names.renamed.get(f"{GIFT_CARD_EDIT_FIELD}(giftcard.{name})", name):
            raise Unsupported("this back office offers no way to change a gift card's code so")
    return mutation("GiftCardEdit", GIFT_CARD_EDIT_FIELD, {"giftcard": card}, "id", names.renamed)


def locations(skip: int, names: ApiNames, *, limits: bool) -> Document:
    """Return the query for the stores after the first `skip`; it changes nothing.

    `limits` also asks whether permissions hide rows, which not every server can say.
    """
    shown = "hasMoreResults results { code name }"
    if limits:
        shown = f"limitedByPermission {shown}"
    arguments: dict[str, Value] = {"first": LOCATIONS_A_PAGE, "skip": skip}
    return query("PaybridgeLocations", LOCATION_FIELD, arguments, shown, names.renamed)


def _hold_id(name: str, names: ApiNames) -> Value:
    if not names.id_is_number:
        return name
    if not (name.isascii() and name.isdigit() and len(name) <= ID_DIGITS_MAX):
        raise Unsupported("this back office names holds by number, and this one's name is none")
    return int(name)


def _enum(value: Enum) -> EnumValue:
    """Return one of our enums' values as the API's; its key in `renamed` is `Class.VALUE`."""
    return EnumValue(str(value.value), type(value).__name__)


def _line(line: PurchaseLine) -> dict[str, Value]:
    return {
        "lineNumber": line.line_number,
        "sku": line.sku,
        "isRefund": line.is_refund,
        "unitPrice": line.unit_price,
        "extPrice": line.ext_price,
        "itemDiscountAmount": line.item_discount_amount,
        "saleDiscountAmount": line.sale_discount_amount,
        "quantity": line.quantity,
        "uom": line.uom,
    }


def _require(name: str, purpose: str) -> str:
    if not name:
        raise Unsupported(f"this back office offers no way {purpose}")
    return name

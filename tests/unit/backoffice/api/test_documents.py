"""Every document the bridge may post is valid GraphQL for the schema, as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate, value_from_ast_untyped
from graphql.language import FieldNode, OperationDefinitionNode

from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardTransaction,
    Purchase,
    PurchaseLine,
    TransType,
    gift_card_add,
    gift_card_balance,
    gift_card_trans_add,
    gift_card_trans_capture,
    locations,
    ping,
    purchase_add,
)
from bridge.backoffice.api.learned_names import names_query
from bridge.backoffice.api.literals import Unwritable
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.api.operation import Document, Unsupported

SCHEMA = build_schema(Path("simulators/back_office/pos.graphql").read_text(encoding="utf-8"))

LINE = PurchaseLine(1, "SKU-1", False, "1.99", "1.99", "0.00", "0.00", "1", "EA")
PURCHASE = Purchase(
    "T-1", "S1", "2026-03-02T09:14:02", "1.99", "0.00", "0.00", "1.99", "0.00", "0.00", (LINE,)
)
FULL = Purchase(
    "T-2",
    "S1",
    "2026-03-02T09:14:02",
    "1.99",
    "0.00",
    "0.00",
    "1.99",
    "0.00",
    "0.00",
    (LINE, LINE),
    channel="STORE",
    member_id="C1",
    order_type="SI",
    pay_method="CARD",
)
USE = GiftCardTransaction(
    CodeType.PHYSICAL, "G1", TransType.USE, "-6.49", "paybridge", "r1", "1234"
)
HOLD = GiftCardTransaction(
    CodeType.PERSONAL, "G1", TransType.USE, "-6.49", "paybridge", "r1", authorize_only=True
)
NAMES = ApiNames()

DOCUMENTS = [
    ping(),
    names_query(),
    purchase_add(PURCHASE, NAMES),
    purchase_add(FULL, NAMES),
    gift_card_trans_add(USE, NAMES),
    gift_card_trans_add(HOLD, NAMES),
    gift_card_trans_capture(GiftCardCapture("7"), NAMES),
    gift_card_trans_capture(GiftCardCapture("7", "1.00"), NAMES),
    gift_card_trans_capture(GiftCardCapture("7", cancel=True), NAMES),
    gift_card_balance("G1", CodeType.EXTERNAL, NAMES),
    gift_card_add("G1", "1234", NAMES),
    locations(40, NAMES, limits=False),
]


def root_of(document: Document) -> FieldNode:
    (operation,) = parse(document.text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value == document.operation
    assert not operation.variable_definitions
    (field,) = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    return field


def arguments_of(document: Document) -> dict[str, Any]:
    """Read back what a document says, by somebody else's parser."""
    field = root_of(document)
    return {one.name.value: value_from_ast_untyped(one.value) for one in field.arguments or ()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.operation)
def test_a_document_fits_the_schema(document: Document) -> None:
    assert validate(SCHEMA, parse(document.text)) == []
    field = root_of(document)
    assert (field.alias or field.name).value == document.root_field


def test_a_field_that_does_not_exist_is_found_by_this_test() -> None:
    renamed = {"purchaseAdd(add.lineItems.uom)": "unit"}
    wrong = purchase_add(PURCHASE, ApiNames(renamed=renamed))
    assert validate(SCHEMA, parse(wrong.text)) != []


def test_every_value_arrives_as_it_was_meant() -> None:
    line = {
        "lineNumber": 1,
        "sku": "SKU-1",
        "isRefund": False,
        "unitPrice": "1.99",
        "extPrice": "1.99",
        "itemDiscountAmount": "0.00",
        "saleDiscountAmount": "0.00",
        "quantity": "1",
        "uom": "EA",
    }
    assert arguments_of(purchase_add(FULL, NAMES)) == {
        "add": {
            "transactionId": "T-2",
            "storeCode": "S1",
            "purchasedOn": "2026-03-02T09:14:02",
            "payAmount": "1.99",
            "saleDiscountAmount": "0.00",
            "itemDiscountAmount": "0.00",
            "subTotal": "1.99",
            "refundAmount": "0.00",
            "taxAmount": "0.00",
            "channel": "STORE",
            "memberId": "C1",
            "orderType": "SI",
            "payMethod": "CARD",
            "lineItems": [line, line],
        }
    }
    assert arguments_of(gift_card_trans_add(USE, NAMES)) == {
        "trans": {
            "codeType": "PHYSICAL",
            "code": "G1",
            "transType": "USE",
            "amount": "-6.49",
            "sourceId": "paybridge",
            "refNo": "r1",
            "pin": "1234",
        }
    }
    assert arguments_of(gift_card_balance("G1", CodeType.EXTERNAL, NAMES)) == {
        "code": "G1",
        "codeType": "EXTERNAL",
    }
    assert "codeType: EXTERNAL" in gift_card_balance("G1", CodeType.EXTERNAL, NAMES).text


def test_optional_parts_are_left_out_when_empty() -> None:
    add: Any = arguments_of(purchase_add(PURCHASE, NAMES))["add"]
    assert not {"channel", "memberId", "orderType", "payMethod"} & set(add)
    trans: Any = arguments_of(gift_card_trans_add(HOLD, NAMES))["trans"]
    assert "pin" not in trans
    assert trans["authorizeOnly"] is True


def test_what_the_server_calls_otherwise_is_asked_for_so_and_answered_as_documented() -> None:
    renamed = {
        "giftcard": "storedValueCard",
        "giftcard(codeType)": "kind",
        "giftcard.results": "rows",
        "giftcard.results.balance": "funds",
        "giftcard.limitedByPermission": "",
        "CodeType.EXTERNAL": "FOREIGN",
    }
    document = gift_card_balance("G1", CodeType.EXTERNAL, ApiNames(renamed=renamed))
    assert document.text == (
        'query GiftCardBalance { giftcard: storedValueCard(code: "G1", kind: FOREIGN) '
        "{ results: rows { id balance: funds } } }"
    )
    assert document.root_field == "giftcard"
    assert {"storedValueCard", "kind", "FOREIGN", "rows", "funds"} <= document.said.names


def test_what_is_left_out_takes_what_is_in_it_along() -> None:
    renamed = {"purchaseAdd(add.channel)": "", "purchaseAdd(add.lineItems.uom)": "unit"}
    add = arguments_of(purchase_add(FULL, ApiNames(renamed=renamed)))["add"]
    assert "channel" not in add
    assert [one["unit"] for one in add["lineItems"]] == ["EA", "EA"]
    renamed = {"giftcard.results": ""}
    document = gift_card_balance("1", CodeType.PHYSICAL, ApiNames(renamed=renamed))
    assert document.text.endswith("{ limitedByPermission } }")


def test_two_fields_of_one_name_are_refused() -> None:
    with pytest.raises(Unwritable) as caught:
        purchase_add(PURCHASE, ApiNames(renamed={"purchaseAdd(add.subTotal)": "payAmount"}))
    assert caught.value.field == "add.subTotal"


def test_a_value_that_cannot_be_spelled_names_its_field_and_not_itself() -> None:
    bad = GiftCardTransaction(
        CodeType.PHYSICAL, "G-SECRET\ud800", TransType.USE, "-1", "s", "r", "9876"
    )
    with pytest.raises(Unwritable) as caught:
        gift_card_trans_add(bad, NAMES)
    assert caught.value.field == "trans.code"
    assert "SECRET" not in str(caught.value)


def test_secrets_of_a_gift_card_do_not_show() -> None:
    transaction = GiftCardTransaction(
        CodeType.PHYSICAL, "6396210004711", TransType.USE, "-1", "s", "r", "9876"
    )
    shown = repr(transaction) + repr(gift_card_trans_add(transaction, NAMES))
    assert "6396210004711" not in shown
    assert "9876" not in shown


def test_what_the_server_lacks_is_not_sent() -> None:
    with pytest.raises(Unsupported):
        gift_card_trans_add(HOLD, ApiNames(authorize_flag=""))
    with pytest.raises(Unsupported):
        gift_card_trans_capture(GiftCardCapture("7", cancel=True), ApiNames(capture_cancel=""))

"""Every document the bridge may post is valid GraphQL for the schema, as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, execute_sync, parse, validate
from graphql.execution.values import get_variable_values
from graphql.language import OperationDefinitionNode

from bridge.backoffice.api.documents import (
    CodeType,
    Document,
    GiftCardCapture,
    GiftCardTransaction,
    Purchase,
    PurchaseLine,
    TransType,
    Unsupported,
    gift_card_balance,
    gift_card_trans_add,
    gift_card_trans_capture,
    locations,
    names_query,
    ping,
    purchase_add,
)
from bridge.backoffice.api.names import ApiNames, read_names

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
    locations(40, limits=False),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.operation)
def test_document_and_variables_fit_the_schema(document: Document) -> None:
    parsed = parse(document.text)
    assert validate(SCHEMA, parsed) == []
    (operation,) = parsed.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value == document.operation
    assert len(operation.selection_set.selections) == 1
    values = get_variable_values(
        SCHEMA, operation.variable_definitions or (), dict(document.variables)
    )
    assert not isinstance(values, list), values


def test_a_field_that_does_not_exist_is_found_by_this_test() -> None:
    wrong = purchase_add(PURCHASE, ApiNames(purchase_input="PurchaseInput"))
    assert validate(SCHEMA, parse(wrong.text)) != []


def test_optional_parts_are_left_out_when_empty() -> None:
    add: Any = purchase_add(PURCHASE, NAMES).variables["add"]
    assert not {"channel", "memberId", "orderType", "payMethod"} & set(add)
    trans: Any = gift_card_trans_add(HOLD, NAMES).variables["trans"]
    assert "pin" not in trans
    assert trans["authorizeOnly"] is True


def test_secrets_of_a_gift_card_do_not_show() -> None:
    transaction = GiftCardTransaction(
        CodeType.PHYSICAL, "6396210004711", TransType.USE, "-1", "s", "r", "9876"
    )
    shown = repr(transaction) + repr(gift_card_trans_add(transaction, NAMES))
    assert "6396210004711" not in shown
    assert "9876" not in shown


def test_names_are_read_from_the_schema() -> None:
    other = build_schema(
        """
        type Query { giftcard(code: String, codeType: CodeKind): String }
        enum CodeKind { PHYSICAL }
        type Mutation {
          purchaseAdd(add: NewPurchase!): String
          giftcardTransAdd(trans: NewTrans!): String
          giftcardTransCapture(trans: NewCapture): String
        }
        input NewPurchase { transactionId: String }
        input NewTrans { code: String, isAuthorization: Boolean, authoriseOnly: Boolean }
        input NewCapture { transId: String, refNo: String }
        """
    )
    result = execute_sync(other, parse(names_query().text))
    assert result.data is not None
    assert read_names(result.data["__schema"], NAMES) == ApiNames(
        purchase_input="NewPurchase",
        trans_input="NewTrans",
        capture_input="NewCapture",
        code_type="CodeKind",
        authorize_flag="isAuthorization",
        capture_id="transId",
        capture_amount="",
        capture_cancel="",
    )


def test_names_of_our_own_schema_are_the_guessed_ones() -> None:
    result = execute_sync(SCHEMA, parse(names_query().text))
    assert result.data is not None
    assert read_names(result.data["__schema"], ApiNames()) == ApiNames()


@pytest.mark.parametrize("schema", [{}, {"mutationType": None}, {"mutationType": {"fields": [1]}}])
def test_a_schema_that_shows_nothing_changes_no_name(schema: dict[str, Any]) -> None:
    assert read_names(schema, NAMES) == NAMES


def test_what_the_server_lacks_is_not_sent() -> None:
    with pytest.raises(Unsupported):
        gift_card_trans_add(HOLD, ApiNames(authorize_flag=""))
    with pytest.raises(Unsupported):
        gift_card_trans_capture(GiftCardCapture("7", cancel=True), ApiNames(capture_cancel=""))

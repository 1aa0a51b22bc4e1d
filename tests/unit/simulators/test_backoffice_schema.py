"""Our schema says the same as the design's, and allows what the vendor's documentation shows."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from graphql import build_schema, lexicographic_sort_schema, parse, print_schema, validate

from simulators.back_office.graphql import SCHEMA_PATH

FOLDER = os.environ.get("PAYBRIDGE_EXTRA_VECTORS")
OURS = build_schema(SCHEMA_PATH.read_text(encoding="utf-8"))

MINIMAL_PURCHASE = """mutation Buy { purchaseAdd(add: { transactionId: "1", storeCode: "S",
  purchasedOn: "2024-01-01T04:50:00", payAmount: "1.99", saleDiscountAmount: "0",
  itemDiscountAmount: "0", subTotal: "1.99", refundAmount: "0", taxAmount: "0",
  lineItems: [{ lineNumber: 1, sku: "X", isRefund: false, unitPrice: "1.99", extPrice: "1.99",
    itemDiscountAmount: "0", saleDiscountAmount: "0", quantity: "1", uom: "EA" }] }) { id } }"""


def design_file(name: str) -> str:
    path = Path(FOLDER or "").parent / "design" / name
    if FOLDER is None or not path.exists():
        pytest.skip("PAYBRIDGE_EXTRA_VECTORS has no design folder beside it")
    return path.read_text(encoding="utf-8")


def structure(source: str) -> str:
    printed = print_schema(lexicographic_sort_schema(build_schema(source)))
    bare = re.sub(r'"""[\s\S]*?"""', "", printed)
    return "\n".join(line for line in bare.splitlines() if line.strip())


def test_schema_has_the_structure_of_the_design() -> None:
    design = structure(design_file("pos_schema.graphql"))
    assert "purchaseAdd(add: PurchaseAddInput!): PurchaseAddResult" in design
    assert structure(SCHEMA_PATH.read_text(encoding="utf-8")) == design


def test_every_documented_operation_is_valid() -> None:
    examples = parse(design_file("pos_examples.graphql"))
    assert len(examples.definitions) == 10
    assert validate(OURS, examples) == []


def test_minimal_purchase_is_valid_and_a_missing_amount_is_not() -> None:
    assert validate(OURS, parse(MINIMAL_PURCHASE)) == []
    without = parse(MINIMAL_PURCHASE.replace('payAmount: "1.99",', ""))
    assert "payAmount" in validate(OURS, without)[0].message

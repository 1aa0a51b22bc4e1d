"""Our schema says the same as the design's, and allows what the vendor's documentation shows."""

from __future__ import annotations

import os
import re
from pathlib import Path

from graphql import build_schema, lexicographic_sort_schema, parse, print_schema, validate

from simulators.back_office.graphql import SCHEMA_PATH

FOLDER = os.environ.get("PAYBRIDGE_EXTRA_VECTORS")
DOCUMENTED = Path(__file__).with_name("documented_operations.graphql")
OURS = build_schema(SCHEMA_PATH.read_text(encoding="utf-8"))

MINIMAL_PURCHASE = """mutation Buy { purchaseAdd(add: { transactionId: "1", storeCode: "S",
  purchasedOn: "2024-01-01T04:50:00", payAmount: "1.99", saleDiscountAmount: "0",
  itemDiscountAmount: "0", subTotal: "1.99", refundAmount: "0", taxAmount: "0",
  lineItems: [{ lineNumber: 1, sku: "X", isRefund: false, unitPrice: "1.99", extPrice: "1.99",
    itemDiscountAmount: "0", saleDiscountAmount: "0", quantity: "1", uom: "EA" }] }) { id } }"""


def design_files(name: str) -> list[str]:
    """Return the design's own copy, where a folder of more vectors lies beside it."""
    path = Path(FOLDER or "nowhere").parent / "design" / name
    return [path.read_text(encoding="utf-8")] if path.exists() else []


def structure(source: str) -> str:
    printed = print_schema(lexicographic_sort_schema(build_schema(source)))
    bare = re.sub(r'"""[\s\S]*?"""', "", printed)
    return "\n".join(line for line in bare.splitlines() if line.strip())


def test_schema_has_the_structure_of_the_design() -> None:
    ours = structure(SCHEMA_PATH.read_text(encoding="utf-8"))
    assert "purchaseAdd(add: PurchaseAddInput!): PurchaseAddResult" in ours
    for design in design_files("pos_schema.graphql"):
        assert ours == structure(design)


def test_every_documented_operation_is_valid() -> None:
    for source in (DOCUMENTED.read_text("utf-8"), *design_files("pos_examples.graphql")):
        examples = parse(source)
        assert len(examples.definitions) == 10
        assert validate(OURS, examples) == []


def test_minimal_purchase_is_valid_and_a_missing_amount_is_not() -> None:
    assert validate(OURS, parse(MINIMAL_PURCHASE)) == []
    without = parse(MINIMAL_PURCHASE.replace('payAmount: "1.99",', ""))
    assert "payAmount" in validate(OURS, without)[0].message

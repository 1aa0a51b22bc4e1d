"""A payment's receipts as documents. Pure."""

from __future__ import annotations

from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from bridge.register.receipts.receipt_text import (
    ReceiptStyle,
    fields_of,
    marked_as_duplicate,
    receipts_of,
    width_of,
)


def receipt_documents(
    account: PaymentRecord, style: ReceiptStyle, *, duplicate: bool = False
) -> dict[str, k.ReceiptDocument]:
    """Return the receipts to print, by copy; what was printed as one copy stands together.

    With `duplicate` each says in its first line that it was printed before.
    """
    request = account.payment.request
    columns = style.columns_of(request.register_id)
    fields = fields_of(account) or None
    return {
        "signature" if receipt.requires_signature else receipt.copy: (
            k.ReceiptDocument.model_validate(
                {
                    "payment_id": account.payment_id,
                    "copy": "signature" if receipt.requires_signature else receipt.copy,
                    "columns": width_of(receipt),
                    "lines": marked_as_duplicate(receipt.lines, columns, request.language)
                    if duplicate
                    else receipt.lines,
                    "requires_signature": receipt.requires_signature,
                    "must_print_now": receipt.must_print,
                    "duplicate": duplicate,
                    "fields": fields,
                }
            )
        )
        for receipt in receipts_of(account, style)
    }

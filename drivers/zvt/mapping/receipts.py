"""Printed lines and blocks collected into whole receipts. Pure."""

from __future__ import annotations

from typing import Literal

from drivers.contract import Receipt
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import RECEIPT_COPIES, RECEIPT_MUST_PRINT, RECEIPT_SIGNATURE

LINES_MAX = 2000  # a journal print is long; a terminal that never stops printing is broken
_CUSTOMER_WORDS = ("kundenbeleg", "customer copy", "customer receipt")
_MERCHANT_WORDS = ("händlerbeleg", "haendlerbeleg", "merchant copy", "merchant receipt")


class ReceiptPaper:
    """The paper in the printer: lines until the terminal cuts it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._kind: int | None = None
        self._information = 0

    def add(self, message: m.PrintLine | m.PrintBlock) -> tuple[Receipt, ...]:
        """Print on; return the receipt if it ends here."""
        cut: tuple[Receipt, ...] = ()
        kind = message.receipt_type
        if self._lines and None not in (kind, self._kind) and kind != self._kind:
            cut = self.close()  # the earlier receipt was never marked as ended
        if kind is not None:
            self._kind = kind
        match message:
            case m.PrintLine(text=text, attribute=attribute, feed_lines=feed):
                blank = attribute == m.LINE_FEED
                self._lines += [""] * feed if blank else [text] * bool(text or not message.closes)
            case m.PrintBlock(lines=lines, information=information):
                self._lines += [text for _, text in lines]
                self._information |= information or 0
        del self._lines[LINES_MAX:]
        return cut + self.close() if message.closes else cut

    def close(self) -> tuple[Receipt, ...]:
        """Return what is printed as a receipt, nothing if the paper is blank."""
        lines = tuple(self._lines)
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        information, kind = self._information, self._kind
        self._lines, self._kind, self._information = [], None, 0
        if not lines:
            return ()
        copy = RECEIPT_COPIES.get(kind or 0) or _copy_by_words(lines)
        return (
            Receipt(
                copy,
                lines,
                requires_signature=bool(information & RECEIPT_SIGNATURE),
                must_print=bool(information & RECEIPT_MUST_PRINT),
            ),
        )


def _copy_by_words(lines: tuple[str, ...]) -> Literal["customer", "merchant", "administration"]:
    text = "\n".join(lines).lower()
    if any(word in text for word in _CUSTOMER_WORDS):
        return "customer"
    if any(word in text for word in _MERCHANT_WORDS):
        return "merchant"
    return "administration"

"""Printed lines and blocks collected into whole receipts. Pure.

Which copy it is says tag 1F07; without it a heading, also one with its letters spaced or hyphenated
("H-Ä-N-D-L-E-R", as a Desk/5000 prints). That somebody must sign says tag 1F37; without it a line
to sign on, where the text asks for a signature.
"""

from __future__ import annotations

import re
from typing import Literal

from drivers.contract import Receipt
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import RECEIPT_COPIES, RECEIPT_MUST_PRINT, RECEIPT_SIGNATURE

LINES_MAX = 2000  # a journal print is long; a terminal that never stops printing is broken
_CUSTOMER_WORDS = ("kundenbeleg", "customer copy", "customer receipt")
_MERCHANT_WORDS = ("händlerbeleg", "haendlerbeleg", "merchant copy", "merchant receipt")
_SPELLED = re.compile(r"\W*((?:[^\W\d_][ .\-*]+){3,}[^\W\d_])\W*")
_CUSTOMER_HEADS, _MERCHANT_HEADS = ("kunde", "customer"), ("händler", "haendler", "merchant")
_LINE_TO_SIGN = re.compile(r"[xX: ]*(?:_ ?){8,}|[xX: ]*(?:\. ?){8,}")
_SIGNATURE = re.compile(r"unterschrift|signature")
_UNSIGNED = re.compile(r"\b(?:nicht|keine|ohne|no|not|without)\b")


class ReceiptPaper:
    """The paper in the printer: lines until the terminal cuts it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._kind: int | None = None
        self._information: int | None = None  # bits of 1F37, as far as it was sent

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
                if information is not None:
                    self._information = (self._information or 0) | information
        del self._lines[LINES_MAX:]
        return cut + self.close() if message.closes else cut

    def close(self) -> tuple[Receipt, ...]:
        """Return what is printed as a receipt, nothing if the paper is blank."""
        lines = tuple(self._lines)
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        information, kind = self._information, self._kind
        self._lines, self._kind, self._information = [], None, None
        if not lines:
            return ()
        signed = _is_to_be_signed(lines) if information is None else information & RECEIPT_SIGNATURE
        copy = RECEIPT_COPIES.get(kind or 0) or _copy_by_words(lines)
        return (
            Receipt(
                copy,
                lines,
                requires_signature=bool(signed),
                must_print=bool((information or 0) & RECEIPT_MUST_PRINT),
            ),
        )


def _copy_by_words(lines: tuple[str, ...]) -> Literal["customer", "merchant", "administration"]:
    text = "\n".join(lines).lower()
    if any(word in text for word in _CUSTOMER_WORDS):
        return "customer"
    if any(word in text for word in _MERCHANT_WORDS):
        return "merchant"
    for line in lines:
        spelled = _SPELLED.fullmatch(line.lower())
        word = re.sub(r"\W", "", spelled[1]) if spelled else ""
        if word.startswith(_CUSTOMER_HEADS):
            return "customer"
        if word.startswith(_MERCHANT_HEADS):
            return "merchant"
    return "administration"


def _is_to_be_signed(lines: tuple[str, ...]) -> bool:
    """Say whether the paper has a line to sign on, and asks for it."""
    if not any(_LINE_TO_SIGN.fullmatch(line.strip()) for line in lines):
        return False
    asking = [line.lower() for line in lines if _SIGNATURE.search(line.lower())]
    return bool(asking) and not any(_UNSIGNED.search(line) for line in asking)

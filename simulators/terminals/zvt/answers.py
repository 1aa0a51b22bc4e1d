"""What the terminal says about a transaction: status information and receipts. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from drivers.contract import MaskedPan
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv
from simulators.terminals.shared.shopper import CARDS
from simulators.terminals.zvt.device import CURRENCY_LETTERS
from simulators.terminals.zvt.flash import Transaction
from simulators.terminals.zvt.profile import Profile

MERCHANT, CUSTOMER = 1, 2  # TLV 1F07
CENTRED, DOUBLE_WIDTH, LAST_LINE = 0x40, 0x20, 0x81
POSITIVE_RECEIPT, SIGNATURE_RECEIPT, NEGATIVE_RECEIPT = 1, 2, 4  # TLV 1F37
TECHNOLOGY = {"stripe": b"\x00", "chip": b"\x01", "contactless": b"\x02"}  # TLV 1F12
NO_VERIFICATION, SIGNATURE, ONLINE_PIN = b"\x00", b"\x01", b"\x02"  # TLV 1F10
PIN_FREE_MINOR_MAX = 5000  # contactless without PIN up to 50.00


def status_of(transaction: Transaction, profile: Profile, *, tlv: bool) -> m.StatusInformation:
    """Return the 04 0F of a stored transaction: the set of fields that captured ones carry."""
    card = CARDS[transaction.brand]
    moment = datetime.fromisoformat(transaction.moment)
    status = m.StatusInformation(
        result=0,
        amount=transaction.amount_minor,
        trace=f"{transaction.trace:06d}",
        time=moment.strftime("%H%M%S"),
        date=moment.strftime("%m%d"),
        expiry="3012",
        sequence_number="0001",
        payment_type=0x60 if transaction.signature else 0x70,
        pan=MaskedPan.of(card.pan),
        terminal_id=profile.terminal_id,
        merchant_id=profile.merchant_id,
        original_trace=(
            "" if transaction.original_trace is None else f"{transaction.original_trace:06d}"
        ),
        approval_code=transaction.approval_code,
        text=transaction.text or f"GEN.NR.:{transaction.approval_code}",
        currency=transaction.currency,
        receipt=f"{transaction.receipt:04d}",
        turnover=f"{transaction.receipt:06d}",
        card_type=card.zvt_type,
        card_name=card.name,
        tlv=_details(transaction, profile) if tlv else None,
    )
    if transaction.whole_pan:
        raw = bytes.fromhex(card.pan + "f" * (len(card.pan) % 2))
        return replace(status, pan=None, text=f"KARTE {card.pan}", others=((0x22, raw),))
    return status


def _details(transaction: Transaction, profile: Profile) -> tuple[Tlv, ...]:
    card = CARDS[transaction.brand]
    if transaction.signature:
        verification = SIGNATURE
    elif transaction.entry == "contactless" and transaction.amount_minor <= PIN_FREE_MINOR_MAX:
        verification = NO_VERIFICATION
    else:
        verification = ONLINE_PIN
    details = [
        Tlv(0x43, bytes.fromhex(card.application_id)),
        Tlv(0x2F, (Tlv(0x1F10, verification), Tlv(0x1F12, TECHNOLOGY[transaction.entry]))),
    ]
    if profile.synchronizes:
        details.append(Tlv(0x1F1F, bytes.fromhex(f"{transaction.receipt:04d}")))
    if transaction.tip_minor:
        details.append(Tlv(0x1F36, bytes.fromhex(f"{transaction.tip_minor:012d}")))
    return tuple(details)


def receipt_lines(
    transaction: Transaction, profile: Profile, copy: int
) -> tuple[tuple[int, str], ...]:
    """Return the receipt as (attribute, text), the last line marked."""
    card = CARDS[transaction.brand]
    moment = datetime.fromisoformat(transaction.moment)
    words = profile.words
    numbers = f"{words.transaction} {transaction.trace:06d}"
    numbers += f" {words.receipt} {transaction.receipt:04d}"
    letters = CURRENCY_LETTERS.get(transaction.currency, "")
    pan = card.pan if transaction.whole_pan else MaskedPan.of(card.pan).text
    lines = [
        (CENTRED, words.merchant_copy if copy == MERCHANT else words.customer_copy),
        (CENTRED | DOUBLE_WIDTH, words.titles[transaction.kind]),
        (0, f"{letters} {words.amount_text(transaction.amount_minor)}"),
        (0, f"{words.date} {moment:%d.%m.%Y} {moment:%H:%M:%S}"),
        (0, f"{words.terminal} {profile.terminal_id}"),
        (0, numbers),
        (0, card.name),
        (0, f"{words.card} {pan}"),
        (0, f"{words.approval} {transaction.approval_code}"),
    ]
    if transaction.signature and copy == MERCHANT:
        lines += [(0, f"{words.signature}:"), (0, ""), (0, "_" * 24)]
    lines.append((LAST_LINE, words.paid))
    return tuple(lines)

"""Operations of the contract as commands of the protocol. Pure.

Source: PA00P015 rev 13.08, commands 06 01, 06 0C, 06 22 to 06 26, 06 30, 06 31; that TLV 15 is two
letters is our reading.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import CURRENCY_NUMBERS
from drivers.zvt.codec.fields import Tlv, encode_bcd
from drivers.zvt.mapping.evidence import HOLD, KIND, order_amount
from drivers.zvt.mapping.synchronization import synchronization_tlv
from drivers.zvt.settings import ZvtSettings

AMOUNT_MAX = 10**12 - 1  # twelve digits of BCD
_TIP, _PARTIAL_APPROVAL, _RESERVATION_KIND, _LANGUAGE = 0x1F36, 0x1F70, 0x1F06, 0x15
_YES, _RESERVATION, _EXTENSION = b"\x01", b"\x02", b"\x03"
_LANGUAGE_LETTERS = 2


@dataclass(frozen=True, slots=True)
class Impossible:
    """The order cannot be put into a command; nothing was sent."""

    reason: str  # a code of the published contract
    text: str


def command_for(order: c.MoneyOperation, settings: ZvtSettings) -> m.BmpCommand | Impossible:
    """Return the command that carries out `order`, or why there is none."""
    amount = order_amount(order)
    number = CURRENCY_NUMBERS.get(amount.currency)
    if number is None:
        return Impossible("payment_restriction", f"currency {amount.currency} is not known")
    if not 0 < amount.minor <= AMOUNT_MAX:
        return Impossible("invalid_amount", f"{amount.minor} is no amount to move")
    match order:
        case c.Pay(tip=tip, accept_partial=accept_partial, language=language):
            objects = _synchronization(order, settings)
            if settings.sends_language and (letters := _letters_of(language)):
                objects.append(Tlv(_LANGUAGE, letters))
            if tip is not None and tip.minor:
                objects.append(Tlv(_TIP, encode_bcd(tip.minor, 6)))
            if accept_partial:
                objects.append(Tlv(_PARTIAL_APPROVAL, _YES))
            return m.Authorization(amount=amount.minor, currency=number, tlv=tuple(objects) or None)
        case c.Authorize(original=None):
            objects = _synchronization(order, settings)
            return m.PreAuthorization(
                amount=amount.minor, currency=number, tlv=tuple(objects) or None
            )
        case c.Authorize(original=original):
            assert original is not None, "the case above has no original"
            return m.PreAuthorization(
                amount=amount.minor,
                currency=number,
                trace=original.trace,
                approval_code=original.approval_code,
                tlv=(Tlv(_RESERVATION_KIND, _EXTENSION), *_synchronization(order, settings)),
            )
        case c.LoadGift():
            return Impossible("operation_not_supported", "it fills no gift cards")
        case c.Refund():
            tlv = tuple(_synchronization(order, settings)) or None
            return m.Refund(settings.password, amount=amount.minor, currency=number, tlv=tlv)
        case c.Capture() | c.Reverse() | c.AdjustTip():
            return _about_original(order, number, settings)


def _about_original(
    order: c.Capture | c.Reverse | c.AdjustTip, number: int, settings: ZvtSettings
) -> m.BmpCommand | Impossible:
    original, amount = order.original, order_amount(order)
    receipt = original.transaction_id
    if original.amount.currency != amount.currency:
        return Impossible("payment_restriction", "the original is in another currency")
    if len(receipt) != 4 or not receipt.isdecimal():
        known_elsewhere = original.trace and original.approval_code
        is_whole_hold = original.extra.get(KIND) == HOLD and amount == original.amount
        if isinstance(order, c.Reverse) and is_whole_hold and known_elsewhere:
            return m.ExternalReversal(
                amount=amount.minor,
                currency=number,
                trace=original.trace,
                approval_code=original.approval_code,
                tlv=(Tlv(_RESERVATION_KIND, _RESERVATION),),
            )
        return Impossible("original_not_found", "the receipt number of the original is not known")
    match order:
        case c.Capture():
            unused = original.amount.minor - amount.minor
            if unused < 0:
                return Impossible("capture_exceeds_authorized", "more than is held")
            if settings.traits.books_holds:
                return m.BookTotal(receipt=receipt, amount=amount.minor, currency=number)
            return m.PartialReversal(receipt=receipt, amount=unused, currency=number)
        case c.AdjustTip():
            return m.Tip(receipt=receipt, amount=amount.minor, currency=number)
        case c.Reverse():
            whole = amount == original.amount
            if original.extra.get(KIND) == HOLD:
                if whole:
                    return m.CancelPreAuthorization(receipt=receipt, currency=number)
                return m.PartialReversal(receipt=receipt, amount=amount.minor, currency=number)
            if not whole:
                return Impossible("operation_not_supported", "only the whole can be reversed")
            return m.Reversal(
                settings.password, receipt=receipt, amount=amount.minor, currency=number
            )


def _synchronization(order: c.Pay | c.Authorize | c.Refund, settings: ZvtSettings) -> list[Tlv]:
    return [synchronization_tlv(order.last)] if settings.synchronization_ids else []


def _letters_of(language: str) -> bytes:
    """Return the ISO 639-1 letters of a BCP 47 tag, b"" if it begins with none."""
    first = language.partition("-")[0].lower()
    is_code = len(first) == _LANGUAGE_LETTERS and first.isascii() and first.isalpha()
    return first.encode("ascii") if is_code else b""

"""The commands that every inspection of a terminal uses, and what an empty store looks like. Pure.

Source: PA00P015 rev 13.08, commands 06 00, 06 20 and 06 10, BMP 60.
"""

from __future__ import annotations

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import CURRENCY_NUMBERS, TOTALS_BRANDS
from drivers.zvt.codec.fields import Tlv, bcd_or_none
from drivers.zvt.codec.sequence import OFFER, sequence_tlv
from drivers.zvt.settings import ZvtSettings

_DIAGNOSIS_TYPE = 0x1B
_TELL_WITHOUT_PRINT = 0x03  # service byte of 06 20
_PERMITTED_COMMANDS, _COMMAND, _PRINT_BLOCK = 0x26, 0x0A, b"\x06\xd3"
_RANGE_BYTES, _COUNT_BYTES, _SUM_BYTES = 4, 1, 6
TOTALS_BYTES = _RANGE_BYTES + len(TOTALS_BRANDS) * (_COUNT_BYTES + _SUM_BYTES)


def registration(settings: ZvtSettings) -> m.Registration:
    """Return 06 00: who prints, which currency, that print blocks and sequence ids are welcome."""
    tlv = [Tlv(_PERMITTED_COMMANDS, (Tlv(_COMMAND, _PRINT_BLOCK),))]
    if settings.sequence_ids:
        tlv.append(sequence_tlv(OFFER))
    return m.Registration(
        settings.password,
        settings.traits.config_byte,
        CURRENCY_NUMBERS[settings.currency],
        tlv=tuple(tlv),
    )


def diagnosis(settings: ZvtSettings) -> m.Diagnosis:
    """Return 06 70: call the host, in the way that was set."""
    kind = settings.diagnosis_type
    return m.Diagnosis(tlv=None if kind is None else (Tlv(_DIAGNOSIS_TYPE, bytes([kind])),))


def repeat_command(settings: ZvtSettings) -> m.RepeatReceipt:
    """Return 06 20: tell the last transaction, print nothing."""
    return m.RepeatReceipt(settings.password, _TELL_WITHOUT_PRINT)


def totals_of(
    status: m.StatusInformation | m.Completion,
) -> tuple[tuple[str, int, int], ...] | None:
    """Return (brand, count, sum in minor units) of BMP 60; None if it is absent or unreadable."""
    data = status.totals
    if len(data) != TOTALS_BYTES:
        return None
    rows: list[tuple[str, int, int]] = []
    position = _RANGE_BYTES
    for brand in TOTALS_BRANDS:
        count = data[position]
        total = bcd_or_none(data[position + _COUNT_BYTES : position + _COUNT_BYTES + _SUM_BYTES])
        if total is None:
            return None
        rows.append((brand, count, total))
        position += _COUNT_BYTES + _SUM_BYTES
    return tuple(rows)


def store_is_empty(totals: m.StatusInformation | None) -> bool:
    """Say whether the totals prove that no transaction is stored."""
    if totals is None or totals.amount or totals.result:
        return False
    rows = totals_of(totals)
    return rows is not None and all(count == 0 and total == 0 for _, count, total in rows)

"""Synchronization ids (TLV 1F1F): telling the terminal which of its transactions we know. Pure.

The terminal puts an id into 04 0F; the register returns, with its next transaction, the id of the
last one that it knows. Equal means in step. One behind makes the terminal reverse its last
transaction. Anything else is ignored. An empty id says that we do not know.

The reversal is the danger: an id that is one behind undoes money that may be in the books, or that
somebody paid at the terminal itself. So an id is never used to have anything reversed:

1. What is returned comes from the baseline alone, the terminal's own answer to 06 20. It is stored
   with the marker that the order is being sent. Nothing is remembered over a restart, so no old
   backup can bring an old id back.
2. A payment in doubt is settled by 06 20 before the next one begins; if a person had to be asked,
   the baseline is read anew. Whatever the terminal then has, it is told that we are in step.
3. Between the baseline and the order nobody else may take a payment, else we would be one behind
   it. So the setting asks for the configuration bits that leave payments and administration to the
   register; and because a terminal that was switched off forgets them, the capabilities say that a
   baseline does not stay good: it is read before every order, behind a new registration. Without
   a baseline, or with one that has no id, the id is empty.
4. An auto-reversal meanwhile takes the terminal back behind us, which it ignores.

Source: PA00P015 rev 13.08, TLV 1F1F, commands 06 01, 06 22, 06 31.
"""

from __future__ import annotations

from typing import Final

from drivers.contract import Baseline
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv, find_tlv

SYNCHRONIZATION_ID: Final = 0x1F1F
_MARK = "#"  # in a fingerprint: the id follows


def with_id(mark: str, status: m.StatusInformation) -> str:
    """Return a fingerprint with the id that the terminal told, if it told one."""
    told = find_tlv(status.tlv, SYNCHRONIZATION_ID)
    return f"{mark}{_MARK}{told.hex()}" if told else mark


def without_id(mark: str) -> str:
    """Return a fingerprint as it is compared."""
    return mark.partition(_MARK)[0]


def synchronization_tlv(last: Baseline | None) -> Tlv:
    """Return the object that tells which transaction we know; empty if we know none."""
    known = "" if last is None else last.fingerprint.partition(_MARK)[2]
    return Tlv(SYNCHRONIZATION_ID, bytes.fromhex(known))

"""Commands that move money without a card: reversal, capture, release, tip.

They are final as soon as the host has answered; a lost reply changes nothing any more.
Source: PA00P015 rev 13.08, commands 06 30, 06 23 to 06 26 and 06 0C.
"""

from __future__ import annotations

import dataclasses

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv
from simulators.terminals.shared.ledger import Kind
from simulators.terminals.zvt.answers import status_of
from simulators.terminals.zvt.device import Device
from simulators.terminals.zvt.flash import Transaction, TransactionKind
from simulators.terminals.zvt.line_end import NoReply
from simulators.terminals.zvt.payments import RESERVATION_WRONG, NotAccepted, print_receipts

ALREADY_REVERSED, REVERSAL_IMPOSSIBLE = 0xB4, 0xB5
RESERVATION_LIST = 0xB8
NO_RECEIPT = "ffff"


async def reverse(device: Device, command: m.Command) -> None:
    """Void a payment of the open batch."""
    await _begin(device)
    original = _found(device, command.receipt)
    if device.profile.reverses_only_last:
        original = device.flash.contents.last
    if original is None or original.kind not in ("payment", "refund", "capture", "tip"):
        return await device.fail(REVERSAL_IMPOSSIBLE)
    if original.state == "reversed":
        return await device.fail(ALREADY_REVERSED)
    if original.state != "final" or command.amount not in (None, original.amount_minor):
        return await device.fail(REVERSAL_IMPOSSIBLE)
    for tip in device.flash.batch:
        if (tip.kind, tip.state, tip.original_trace) == ("tip", "final", original.trace):
            device.record("reversed", tip, original=tip.number, reason="with its payment")
            device.flash.settle(tip, "reversed")
    number = device.record("reversed", original, original=original.number, reason="register")
    device.flash.settle(original, "reversed")
    await _finish(
        device, _follower(device, original, "reversal", original.amount_minor, number=number)
    )
    return None


async def book_total(device: Device, command: m.Command) -> None:
    """Take the amount that was used, give the rest of the reservation back."""
    await _begin(device)
    original = _reservation(device, command.receipt)
    if original is None or command.amount is None or command.amount > original.amount_minor:
        return await device.fail(RESERVATION_WRONG)
    await _capture(device, original, command.amount)
    return None


async def partial_reversal(device: Device, command: m.Command) -> None:
    """Give back the amount that was not used and take the rest; FFFF lists the open ones."""
    await _begin(device)
    if command.receipt == NO_RECEIPT:
        await _list_reservations(device)
        return None
    original = _reservation(device, command.receipt)
    if original is None or command.amount is None or command.amount > original.amount_minor:
        return await device.fail(RESERVATION_WRONG)
    await _capture(device, original, original.amount_minor - command.amount)
    return None


async def cancel_reservation(device: Device, command: m.Command) -> None:
    """Give the whole reservation back."""
    await _begin(device)
    original = _reservation(device, command.receipt)
    if original is None:
        return await device.fail(RESERVATION_WRONG)
    return await _release(device, original)


async def reverse_external(device: Device, command: m.Command) -> None:
    """Give a reservation back that is named by its trace number, approval code and amount."""
    await _begin(device)
    for original in device.flash.reservations:
        named = (f"{original.trace:06d}", original.approval_code, original.amount_minor)
        if named == (command.trace, command.approval_code, command.amount):
            return await _release(device, original)
    return await device.fail(RESERVATION_WRONG)


async def book_tip(device: Device, command: m.Command) -> None:
    """Add a tip to a payment of the open batch."""
    await _begin(device)
    original = _found(device, command.receipt)
    payable = original is not None and original.kind == "payment" and original.state == "final"
    if original is None or not payable or command.amount is None:
        return await device.fail(REVERSAL_IMPOSSIBLE)
    await _move(device, original, "tip", "tipped", command.amount)
    return None


async def _begin(device: Device) -> None:
    device.plan = device.shopper.scenario.without_card
    await device.reach("command")
    device.reply()
    await device.reach("replied")
    await device.wait(device.plan.seconds_at_host)


def _found(device: Device, receipt: str) -> Transaction | None:
    return device.flash.find(int(receipt)) if receipt.isdecimal() else None


def _reservation(device: Device, receipt: str) -> Transaction | None:
    found = _found(device, receipt)
    return found if found in device.flash.reservations else None


async def _release(device: Device, original: Transaction) -> None:
    number = device.record("released", original, original=original.number)
    device.flash.settle(original, "settled")
    await _finish(
        device, _follower(device, original, "reversal", original.amount_minor, number=number)
    )


async def _capture(device: Device, original: Transaction, amount_minor: int) -> None:
    device.flash.settle(original, "settled")
    rest = original.amount_minor - amount_minor
    if rest:
        device.record("released", original, original=original.number, amount_minor=rest)
    await _move(device, original, "capture", "captured", amount_minor)


async def _move(
    device: Device,
    original: Transaction,
    kind: TransactionKind,
    entry_kind: Kind,
    amount_minor: int,
) -> None:
    number = device.record(
        entry_kind, original, original=original.number, amount_minor=amount_minor
    )
    await _finish(device, _follower(device, original, kind, amount_minor, number=number))


def _follower(
    device: Device, original: Transaction, kind: TransactionKind, amount_minor: int, *, number: int
) -> Transaction:
    """Return the final transaction that follows `original`, with numbers of its own."""
    receipt, trace = device.flash.take_numbers()
    return dataclasses.replace(
        original,
        number=number,
        kind=kind,
        receipt=receipt,
        trace=trace,
        amount_minor=amount_minor,
        tip_minor=0,
        moment=device.clock().isoformat(timespec="seconds"),
        state="final",
        original_trace=original.trace,
    )


async def _finish(device: Device, transaction: Transaction) -> None:
    device.flash.store(transaction)
    try:
        await device.reach("status")
        await device.tell(status_of(transaction, device.profile, tlv=device.registered.tlv))
        await device.reach("prints")
        await print_receipts(device, transaction)
    except (NoReply, NotAccepted):
        pass  # it is booked already
    await device.reach("completion")
    await device.finish()


async def _list_reservations(device: Device) -> None:
    """End with 06 1E B8, which carries the list although nothing failed."""
    receipts = [f"{t.receipt:04d}" for t in device.flash.reservations]
    first = receipts[0] if receipts else NO_RECEIPT
    tlv = None
    if device.registered.tlv and receipts:
        tlv = (Tlv(0x23, tuple(Tlv(0x08, bytes.fromhex(receipt)) for receipt in receipts)),)
    await device.tell_calmly(m.Abort(RESERVATION_LIST, receipt=first, tlv=tlv))

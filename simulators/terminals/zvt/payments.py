"""Commands that move money with a card: payment, refund, pre-authorization.

The rule of commitment: the acquirer's approval is final at the terminal only after the register's
positive reply to 04 0F and to every print. On a serial line the terminal reverses by itself when
one stays away; on TCP it keeps the payment. A negative reply makes it reverse on either.
Source: PA00P015 rev 13.08, chapter 4 and the command 06 01; PA00P016 rev 04 for the timers.
"""

from __future__ import annotations

import contextlib
import dataclasses

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv, bcd_or_none
from simulators.terminals.shared.ledger import Kind
from simulators.terminals.shared.shopper import Plan
from simulators.terminals.zvt.answers import (
    CUSTOMER,
    LAST_LINE,
    MERCHANT,
    NEGATIVE_RECEIPT,
    PIN_FREE_MINOR_MAX,
    POSITIVE_RECEIPT,
    SIGNATURE_RECEIPT,
    receipt_lines,
    status_of,
)
from simulators.terminals.zvt.device import (
    CURRENCY_OTHER_THAN_EURO,
    INSERT_CARD,
    REMOVE_CARD,
    REPEAT_STATUS_MAX,
    REPEAT_STATUS_SECONDS,
    WAIT_A_LITTLE,
    Device,
    Stopped,
    raw_tlv,
)
from simulators.terminals.zvt.flash import RECEIPT_MAX, Transaction, TransactionKind
from simulators.terminals.zvt.line_end import NoReply
from simulators.terminals.zvt.profile import PRINTS_PAYMENTS

WRONG_CURRENCY, ABORTED, CHIP_ERROR, PROCESSING_ERROR = 0x6F, 0x6C, 0x72, 0x66
PROTOCOL_ERROR, REMOTE_SILENT, WRONG_PIN, CONNECTION_LOST = 0x9A, 0xA1, 0x37, 0x7D
RESERVATION_WRONG, AMOUNT_TOO_HIGH = 0xB7, 0xC3
AMOUNT_MAX = 10**12 - 1  # twelve digits of BCD
# Intermediate status codes, PA00P015 rev 13.08, table of 04 FF.
LOOK_AT_PIN_PAD, WAIT_FOR_HOST, PIN_WRONG = 0x01, 0x04, 0x15
ABORTED_BY_CARD, REVERSING = 0x0D, 0x05


class Refused(Exception):
    """No money moved, for the reason `code`."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"{code:02X}")
        self.code = code
        self.text = text


class NotAccepted(Exception):
    """The register replied to the result or to a receipt with no."""


KINDS: dict[int, tuple[TransactionKind, Kind]] = {
    m.Authorization.CONTROL: ("payment", "approved"),
    m.PreAuthorization.CONTROL: ("reservation", "reserved"),
    m.Refund.CONTROL: ("refund", "refunded"),
}


async def card_transaction(device: Device, command: m.Command) -> None:
    """Run 06 01, 06 22 or 06 31 from the reply to the completion."""
    plan = device.shopper.next_plan(command.amount or 0)
    device.plan = plan
    await device.reach("command")
    refusal = _refusal(device, command)
    if refusal is not None or command.amount is None:
        data = device.plan.refuse_data
        device.reply(m.Reply(refusal, rest=b"" if data is None else bytes([data])))
        return
    synchronize(device, command)
    device.reply()
    device.allow_stop(plan)
    await device.reach("replied")
    try:
        await card_and_host(device, plan, command.amount)
    except Stopped:
        if device.profile.says_after_abort:
            await device.fail(ABORTED, text=device.profile.words.stopped_by_cashier)
    except Refused as refused:
        await decline(device, command.amount, refused)
    else:
        kind, entry_kind = KINDS[command.CONTROL]
        await conclude(device, device.book(approved(device, plan, command, kind), entry_kind))


def _refusal(device: Device, command: m.Command) -> int | None:
    """Return the code with which the terminal does not even begin."""
    if device.plan.outcome == "refuse":
        return device.plan.code
    if device.demands:
        return device.demands
    if command.amount is None:
        return PROTOCOL_ERROR
    if command.currency not in (None, device.profile.currency):
        return WRONG_CURRENCY
    extended = _extended(device, command)
    if _extends(command) and extended is None:
        return RESERVATION_WRONG
    held = 0 if extended is None else extended.amount_minor
    if command.amount + held + device.plan.tip_minor > AMOUNT_MAX:
        return AMOUNT_TOO_HIGH
    return None


def _extends(command: m.Command) -> bool:
    # Source: PA00P015 rev 13.08, 06 22: an extension names the trace number it raises.
    return isinstance(command, m.PreAuthorization) and bool(command.trace)


def _extended(device: Device, command: m.Command) -> Transaction | None:
    traces = {transaction.trace: transaction for transaction in device.flash.reservations}
    return traces.get(int(command.trace)) if _extends(command) else None


async def card_and_host(device: Device, plan: Plan, amount_minor: int) -> None:
    """Let the shopper and the host do their parts.

    Raises:
        Refused: One of them said no.
        Stopped: The register stopped it in time.
    """
    await device.show(INSERT_CARD)
    await device.wait(plan.seconds_to_card)
    if plan.outcome == "cancel":
        raise Refused(ABORTED, device.profile.words.stopped_by_shopper)
    if plan.outcome == "walk_away":
        await device.wait(plan.walk_away_seconds)
        raise Refused(ABORTED, device.profile.words.timed_out)
    if plan.outcome == "remove_card_early":
        await device.show(ABORTED_BY_CARD)
        raise Refused(CHIP_ERROR, device.profile.words.removed_too_early)
    if plan.entry != "contactless" or amount_minor > PIN_FREE_MINOR_MAX or plan.wrong_pins:
        for _ in range(plan.wrong_pins):
            await device.show(LOOK_AT_PIN_PAD)
            await device.wait(plan.seconds_to_pin)
            await device.show(PIN_WRONG)
        await device.show(LOOK_AT_PIN_PAD)
        await device.wait(plan.seconds_to_pin)
    if device.profile.stops_when_line_is_lost and device.detached:
        raise Refused(CONNECTION_LOST)
    device.stoppable = False
    await device.show(WAIT_FOR_HOST)
    await device.wait(plan.seconds_at_host)
    if plan.outcome == "decline":
        raise Refused(plan.code, plan.text)


def approved(device: Device, plan: Plan, command: m.Command, kind: TransactionKind) -> Transaction:
    """Return the transaction that the host has just approved."""
    assert command.amount is not None
    amount_minor = command.amount
    tip_minor = 0
    if kind == "payment":
        tip_minor = plan.tip_minor
        if plan.partial_minor is not None:
            amount_minor = min(amount_minor, plan.partial_minor)
    extended = _extended(device, command)
    if extended is not None:
        amount_minor += extended.amount_minor
    receipt, trace = device.flash.take_numbers()
    return Transaction(
        number=device.ledger.next_number(),
        kind=kind,
        receipt=receipt,
        trace=trace,
        amount_minor=amount_minor + tip_minor,
        currency=device.profile.currency,
        brand=plan.brand,
        entry=plan.entry,
        moment=device.clock().isoformat(timespec="seconds"),
        approval_code=f"{device.rng.randrange(1_000_000):06d}",
        tip_minor=tip_minor,
        signature=plan.signature,
        whole_pan=plan.whole_pan,
        extends=None if extended is None else extended.number,
    )


async def conclude(device: Device, transaction: Transaction) -> None:
    """Offer an approved transaction to the register, print, commit or undo it, and finish."""
    first = device.profile.prints_before_status
    try:
        if first:
            await device.reach("prints")
            await print_receipts(device, transaction)
        await device.reach("status")
        await offer(device, transaction)
        if not first:
            await device.reach("prints")
            await print_receipts(device, transaction)
    except NoReply as silence:
        if device.keeps_unanswered:
            commit(device, transaction)
            device.hang_up()
            return
        await take_back(device, transaction, REMOTE_SILENT, str(silence))
        return
    except NotAccepted as refusal:
        await take_back(device, transaction, PROCESSING_ERROR, str(refusal))
        return
    commit(device, transaction)
    await device.reach("completion")
    if transaction.entry == "chip":
        await device.show(REMOVE_CARD)
        await device.wait(device.plan.seconds_to_remove)
    await device.finish()


def commit(device: Device, transaction: Transaction) -> None:
    """Make the transaction final: the terminal does not undo it by itself any more."""
    extended = device.flash.contents.transactions.get(transaction.extends or 0)
    if extended is not None:
        device.record("released", extended, original=extended.number, reason="extended")
        device.flash.settle(extended, "settled")
    final = dataclasses.replace(transaction, state="final")
    device.flash.store(final)
    device.record("committed", final, original=transaction.number)


def pay_alone(device: Device, amount_minor: int) -> None:
    """Take a payment that no register asked for; the terminal prints its receipt itself."""
    plan = device.shopper.scenario.otherwise
    command = m.Authorization(amount=amount_minor)
    commit(device, device.book(approved(device, plan, command, "payment"), "approved"))


def void_alone(device: Device) -> bool:
    """Void the newest payment as somebody at the terminal would; False if there is none."""
    for found in reversed(device.flash.batch):
        if (found.kind, found.state) != ("payment", "final"):
            continue
        for tip in device.flash.batch:
            if (tip.kind, tip.state, tip.original_trace) == ("tip", "final", found.trace):
                device.record("reversed", tip, original=tip.number, reason="by hand")
                device.flash.settle(tip, "reversed")
        number = device.record("reversed", found, original=found.number, reason="by hand")
        device.flash.settle(found, "reversed")
        receipt, trace = device.flash.take_numbers()
        device.flash.store(
            dataclasses.replace(
                found,
                number=number,
                kind="reversal",
                receipt=receipt,
                trace=trace,
                moment=device.clock().isoformat(timespec="seconds"),
                state="final",
                original_trace=found.trace,
            )
        )
        return True
    return False


async def take_back(device: Device, transaction: Transaction, code: int, reason: str) -> None:
    """Reverse without being asked to, and say so to whoever may still listen."""
    device.undo(transaction, reason)
    await device.show(REVERSING)
    await device.fail(code)


async def offer(device: Device, transaction: Transaction) -> None:
    """Send 04 0F until the register answers yes or no.

    Raises:
        NoReply: It did not answer.
        NotAccepted: It said no.
    """
    if device.suffers("two_results"):
        await device.tell_calmly(m.StatusInformation(result=WRONG_PIN))
    status = status_of(transaction, device.profile, tlv=device.registered.tlv)
    if device.suffers("wrong_currency"):
        status = dataclasses.replace(status, currency=CURRENCY_OTHER_THAN_EURO)
    if device.suffers("unknown_fields"):
        unknown = (*(status.tlv or ()), Tlv(0x1F7C, b"\x01"))
        status = dataclasses.replace(status, tlv=unknown, rest=bytes.fromhex("4401"))
    if device.suffers("other_transaction"):
        older = transaction.receipt - 1 or RECEIPT_MAX
        status = dataclasses.replace(
            status, receipt=f"{older:04d}", amount=transaction.amount_minor + 100, trace="000000"
        )
    for _ in range(1 + REPEAT_STATUS_MAX):
        reply = await device.tell(status)
        if reply.positive:
            return
        if reply.code != WAIT_A_LITTLE:
            break
        await device.wait(REPEAT_STATUS_SECONDS)
    raise NotAccepted("the register refused the result")


async def print_receipts(device: Device, transaction: Transaction) -> None:
    """Print the merchant's and the shopper's receipt on the register's printer, if it claims them.

    Raises:
        NoReply: A line or block was not answered.
        NotAccepted: It was refused.
    """
    if transaction.kind == "reservation" or not device.registered.prints_here(PRINTS_PAYMENTS):
        return  # PA00P015 rev 13.08, 06 22: no receipt on success
    for copy in (MERCHANT, CUSTOMER):
        information = POSITIVE_RECEIPT
        if transaction.signature and copy == MERCHANT:
            information |= SIGNATURE_RECEIPT
        await print_lines(
            device, receipt_lines(transaction, device.profile, copy), copy, information
        )


async def print_lines(
    device: Device,
    lines: tuple[tuple[int, str], ...],
    copy: int,
    information: int,
    claim: int = PRINTS_PAYMENTS,
) -> None:
    """Print `lines` as 06 D1 or 06 D3, whichever register and profile agree on."""
    profile = device.profile
    if not device.registered.prints_here(claim):
        return
    if profile.prints == "blocks" or (
        profile.prints == "as_registered" and device.registered.blocks
    ):
        await _printed(
            device, m.PrintBlock(lines, copy, information, profile.charset_code, closes=True)
        )
        return
    tail = copy if profile.line_tail and device.registered.tlv else None
    for attribute, text in lines:
        await _printed(device, m.PrintLine(text, attribute, receipt_type=tail))


async def _printed(device: Device, message: m.PrintLine | m.PrintBlock) -> None:
    reply = await device.tell(message)
    if not reply.positive:
        raise NotAccepted("the register cannot print")


async def decline(device: Device, amount_minor: int, refused: Refused) -> None:
    """End a transaction that moved no money."""
    receipt, trace = device.flash.contents.next_receipt, device.flash.contents.next_trace
    device.record(
        "declined",
        Transaction(
            number=0,
            kind="payment",
            receipt=receipt,
            trace=trace,
            amount_minor=amount_minor,
            currency=device.profile.currency,
            brand=device.plan.brand,
            entry=device.plan.entry,
            moment=device.clock().isoformat(timespec="seconds"),
        ),
        reason=f"{refused.code:02X}",
    )
    if device.profile.prints_declined and device.plan.outcome == "decline":
        words = device.profile.words
        lines = (
            (0, f"{words.amount} {words.amount_text(amount_minor)}"),
            (0, refused.text),
            (LAST_LINE, words.not_paid),
        )
        # Nothing depends on the receipt of a payment that was not made.
        with contextlib.suppress(NoReply, NotAccepted):
            await print_lines(device, lines, CUSTOMER, NEGATIVE_RECEIPT)
    await device.reach("status")
    await device.fail(refused.code, text=refused.text)


def synchronize(device: Device, command: m.Command) -> None:
    """Heed tag 1F1F: a register that is one behind makes the terminal undo its last payment.

    Source: PA00P015 rev 13.08, tag 1F1F.
    """
    known = raw_tlv(command, 0x1F1F)
    last = device.flash.contents.last
    if not device.profile.synchronizes or not known or last is None or last.state != "final":
        return
    behind = last.receipt - 1 or RECEIPT_MAX
    if bcd_or_none(known) == behind and last.kind == "payment":
        device.record("reversed", last, original=last.number, reason="synchronization")
        device.flash.settle(last, "reversed")
        device.flash.contents.next_receipt = last.receipt

"""Commands that move no money: registration, status, receipts, totals, display, cards.

Source: PA00P015 rev 13.08, the commands named at each function.
"""

from __future__ import annotations

import contextlib
import dataclasses

from drivers.contract import MaskedPan
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv, encode_bcd
from drivers.zvt.codec.sequence import OFFER, sequence_tlv
from drivers.zvt.codec.sequence import TAG as SEQUENCE
from simulators.terminals.shared.shopper import CARDS
from simulators.terminals.zvt.answers import LAST_LINE, status_of
from simulators.terminals.zvt.device import (
    Device,
    PowerCut,
    Registered,
    Stopped,
    announces,
    raw_tlv,
)
from simulators.terminals.zvt.flash import Transaction
from simulators.terminals.zvt.line_end import NoReply
from simulators.terminals.zvt.payments import (
    ABORTED,
    AMOUNT_MAX,
    CONNECTION_LOST,
    PROTOCOL_ERROR,
    WAIT_FOR_HOST,
    NotAccepted,
    print_lines,
    print_receipts,
)
from simulators.terminals.zvt.profile import PRINTS_ADMINISTRATION

WRONG_PASSWORD, REGISTRATION_REFUSED = 0x37, 0x1E
SENDS_STATUS, PRINTS_NOTHING = 0x01, 0x02  # service byte of 06 20
WITHOUT_VERSION, WITH_DETAILS = 0x02, 0x04  # service byte of 05 01
READY, BUSY, UNKNOWN_COMMAND, DIAGNOSIS_REQUIRED = 0x00, 0x9C, 0x83, 0xC2
ADMINISTRATION = 3  # TLV 1F07
TOTALS_BRANDS = ("girocard", "jcb", "mastercard", "amex", "visa", "diners")  # order of BMP 60
UPDATE_STARTS, RESTARTS = 0xE0, 0xFC  # results of an end of day's completion
CLOSES = (None, 0, UPDATE_STARTS, RESTARTS)


async def register(device: Device, command: m.Registration) -> None:
    """06 00: take over the register's wishes."""
    profile = device.profile
    if profile.password not in ("", command.password):
        device.reply(m.Reply(WRONG_PASSWORD))
        return
    if profile.refuses_wrong_currency and command.currency not in (None, profile.currency):
        known = bytes([0x6F]) + encode_bcd(profile.currency, 2)
        device.reply(m.Reply(REGISTRATION_REFUSED, rest=known))
        return
    device.registrations += 1
    if device.registrations <= profile.registrations_refused:
        device.reply(m.Reply(REGISTRATION_REFUSED, rest=bytes([CONNECTION_LOST])))
        return
    device.registered = Registered(
        config=command.config,
        blocks=announces(command, m.PrintBlock.CONTROL),
        tlv=command.tlv is not None,
    )
    device.note_registration()
    device.flash.contents.config = command.config
    device.flash.save()
    device.reply()
    numbered = profile.sequences and raw_tlv(command, SEQUENCE) is not None
    device.numbers.start(active=numbered)
    await device.tell_calmly(
        m.Completion(
            status=0,
            terminal_id=profile.terminal_id,
            currency=profile.currency,
            tlv=(sequence_tlv(OFFER),) if numbered else None,
        )
    )


async def log_off(device: Device, command: m.Command) -> None:
    """06 02: forget the registration; ends with the reply."""
    device.reply(last=True)
    device.registered = Registered(device.profile.factory_config)
    device.numbers.start(active=False)


async def report_status(device: Device, command: m.Command) -> None:
    """05 01: ready, in a completion of its own layout, or as the profile has it."""
    match device.profile.status_enquiry:
        case "unknown":
            device.reply(m.Reply(UNKNOWN_COMMAND), last=True)
            return
        case "protocol_error":
            device.reply()
            await device.tell_calmly(m.Abort(PROTOCOL_ERROR))
            return
        case "result":
            device.reply()
            with contextlib.suppress(NoReply, NotAccepted):
                await device.tell(m.StatusInformation(result=0))
                await device.tell_calmly(m.Completion())
            return
        case "silence":
            return
        case "report":
            pass
    service = command.service or 0
    tlv = None
    if service & WITH_DETAILS:
        about = (
            Tlv(0x1F40, b"PAYBRIDGE SIM"),
            Tlv(0x1F41, device.profile.version.encode("ascii")),
            Tlv(0x1F42, bytes.fromhex(device.profile.terminal_id)),
        )
        tlv = (Tlv(0x1F44, bytes.fromhex(device.profile.terminal_id)), Tlv(0xE4, about))
    version = "" if service & WITHOUT_VERSION else device.profile.version
    device.reply()
    await device.tell_calmly(m.StatusReport(device.demands or READY, version, tlv))


async def repeat_receipt(device: Device, command: m.Command) -> None:
    """06 20: the last stored transaction once more, as data, on paper or both."""
    last = device.flash.contents.last
    service = command.service or 0
    device.reply()
    try:
        if last is not None and not device.profile.repeat_receipt_empty:
            if service & SENDS_STATUS:
                await device.tell(status_of(last, device.profile, tlv=device.registered.tlv))
            if not service & PRINTS_NOTHING:
                await print_receipts(device, last)
    except (NoReply, NotAccepted):
        pass  # nothing depends on it
    await device.tell_calmly(m.Completion())


async def end_of_day(device: Device, command: m.Command) -> None:
    """06 50: close the batch, then perhaps go away for an update."""
    profile = device.profile
    device.plan = device.shopper.scenario.without_card
    await device.reach("command")
    device.reply()
    await device.wait(device.plan.seconds_at_host)
    await device.reach("status")
    told = _count_totals(device)
    if profile.end_of_day_totals == "status":
        await device.tell_calmly(told)
    await _print_totals(device, told)
    result = profile.end_of_day_result
    if result in CLOSES:
        last = _last_of_batch(device, told)
        device.flash.close_batch()
        device.record("closed", last)
        device.demands = device.demands if device.demands == DIAGNOSIS_REQUIRED else 0
    await device.reach("completion")
    completion = m.Completion(result=result)
    if profile.end_of_day_totals == "completion":
        completion = dataclasses.replace(completion, amount=told.amount, totals=told.totals)
    await device.tell_calmly(completion)
    if result in (UPDATE_STARTS, RESTARTS):
        raise PowerCut(profile.away_after_end_of_day_seconds, forget=False)


def close_alone(device: Device) -> None:
    """Close the batch without being asked to, as many terminals do at night."""
    batch = [t for t in device.flash.batch if t.state == "final"]
    signs = {"payment": 1, "capture": 1, "tip": 1, "refund": -1}
    total = sum(t.amount_minor * signs.get(t.kind, 0) for t in batch)
    device.flash.close_batch()
    last = device.flash.contents.last
    if last is not None:
        device.record("closed", dataclasses.replace(last, amount_minor=shown(total)))


async def totals(device: Device, command: m.Command) -> None:
    """06 10: as the end of day, but nothing is closed."""
    device.reply()
    told = _count_totals(device)
    await device.tell_calmly(told)
    await _print_totals(device, told)
    await device.tell_calmly(m.Completion())


def shown(total: int) -> int:
    """Return a total as the field can hold it: no sign, twelve digits."""
    return max(0, min(total, AMOUNT_MAX))


def _count_totals(device: Device) -> m.StatusInformation:
    batch = [t for t in device.flash.batch if t.state == "final"]
    counts = dict.fromkeys((*TOTALS_BRANDS, "other"), 0)
    sums = dict.fromkeys((*TOTALS_BRANDS, "other"), 0)
    for transaction in batch:
        if transaction.kind not in ("payment", "capture", "tip", "refund"):
            continue
        brand = transaction.brand if transaction.brand in sums else "other"
        counts[brand] += 1
        sums[brand] += transaction.amount_minor * (-1 if transaction.kind == "refund" else 1)
    receipts = [transaction.receipt for transaction in batch] or [0]
    total = sum(sums.values())
    moment = device.clock()
    singles = encode_bcd(receipts[0], 2) + encode_bcd(receipts[-1], 2)
    for brand, count in counts.items():
        singles += bytes([min(count, 0xFF)]) + encode_bcd(shown(sums[brand]), 6)
    return m.StatusInformation(
        result=0,
        amount=shown(total),
        trace=f"{device.flash.contents.next_trace - 1:06d}",
        time=moment.strftime("%H%M%S"),
        date=moment.strftime("%m%d"),
        terminal_id=device.profile.terminal_id,
        currency=device.profile.currency,
        totals=singles,
    )


async def _print_totals(device: Device, told: m.StatusInformation) -> None:
    words = device.profile.words
    text = f"{words.total} {words.amount_text(told.amount or 0)}"
    lines = ((0, words.end_of_day), (LAST_LINE, text))
    # What is on the paper changes nothing.
    with contextlib.suppress(NoReply, NotAccepted):
        await print_lines(device, lines, ADMINISTRATION, 0, PRINTS_ADMINISTRATION)


def _last_of_batch(device: Device, told: m.StatusInformation) -> Transaction:
    """Return what the ledger notes of a close: the last numbers of the batch, and its total."""
    receipts = [one.receipt for one in device.flash.batch if one.state == "final"] or [0]
    return Transaction(
        number=0,
        kind="payment",
        receipt=receipts[-1],
        trace=device.flash.contents.next_trace - 1,
        amount_minor=told.amount or 0,
        currency=device.profile.currency,
        brand="girocard",
        entry="chip",
        moment=device.clock().isoformat(timespec="seconds"),
    )


async def diagnose(device: Device, command: m.Command) -> None:
    """06 70: tell the time, call the host, print what came of it."""
    profile = device.profile
    if profile.diagnosis_code is None:
        device.reply(m.Reply(UNKNOWN_COMMAND))
        return
    device.plan = device.shopper.scenario.without_card
    await device.reach("command")
    device.reply()
    moment = device.clock()
    date, time = moment.strftime("%y%m%d"), moment.strftime("%H%M%S")
    await device.tell_calmly(m.SetClock(full_date=date, time=time))
    await device.show(WAIT_FOR_HOST)
    await device.wait(device.plan.seconds_at_host)
    passed = not profile.diagnosis_code
    words = profile.words
    lines = ((0, words.diagnosis), (LAST_LINE, words.passed if passed else words.failed))
    with contextlib.suppress(NoReply, NotAccepted):  # nothing depends on the paper
        await print_lines(device, lines, ADMINISTRATION, 0, PRINTS_ADMINISTRATION)
    await device.reach("completion")
    if not passed:
        await device.tell_calmly(m.Abort(profile.diagnosis_code))
        return
    device.demands = 0 if device.demands == DIAGNOSIS_REQUIRED else device.demands
    await device.tell_calmly(
        m.Completion(full_date=date, time=time, status=0, terminal_id=profile.terminal_id)
    )


async def examine_itself(device: Device, command: m.Command) -> None:
    """06 79: look at what it is made of, print what came of it, and end as a diagnosis does."""
    profile = device.profile
    if profile.self_test_code is None:
        device.reply(m.Reply(UNKNOWN_COMMAND))
        return
    device.plan = device.shopper.scenario.without_card
    await device.reach("command")
    device.reply()
    passed = not profile.self_test_code
    verdict = profile.words.passed if passed else profile.words.failed
    lines = ((0, "Self-Test"), (LAST_LINE, verdict))
    with contextlib.suppress(NoReply, NotAccepted):  # nothing depends on the paper
        await print_lines(device, lines, ADMINISTRATION, 0, PRINTS_ADMINISTRATION)
    await device.reach("completion")
    failed = m.Abort(profile.self_test_code)
    await device.tell_calmly(m.Completion(terminal_id=profile.terminal_id) if passed else failed)


async def initialize(device: Device, command: m.Command) -> None:
    """06 93: nothing to load here."""
    device.reply()
    await device.tell_calmly(m.Completion())


async def display(device: Device, command: m.DisplayText) -> None:
    """06 E0: ends with the reply."""
    device.reply(last=True)


async def read_card(device: Device, command: m.ReadCard) -> None:
    """06 C0: a card's facts in 04 0F, which ends it; 06 1E when nobody came in time."""
    plan = device.shopper.next_plan(0)
    device.reply()
    device.allow_stop(plan)
    came = plan.outcome == "approve" and plan.seconds_to_card <= command.timeout_seconds
    try:
        await device.wait(plan.seconds_to_card if came else command.timeout_seconds)
    except Stopped:
        came = False
    if not came:
        await device.tell_calmly(m.Abort(ABORTED))
        return
    card = CARDS[plan.brand]
    device.over = True  # the register's reply to 04 0F ends it
    await device.tell_calmly(
        m.StatusInformation(
            pan=MaskedPan.of(card.pan), card_type=card.zvt_type, card_name=card.name
        )
    )


async def nothing_to_stop(device: Device, command: m.Command) -> None:
    """06 B0 while nothing runs."""
    if not device.profile.aborts_when_idle:
        device.reply(last=True)
        return
    device.reply()
    await device.tell_calmly(m.Abort(ABORTED))

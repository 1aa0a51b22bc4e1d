"""Messages to payloads and back, for both sides. Pure.

    request   command FS version FS field FS field …
    answer    packet FS command FS version FS code FS text FS field FS field …
Source: fact sheet "PAX POSLINK", sections 3, 5 and 6.
"""

from __future__ import annotations

import re

from drivers.contract import ProtocolError
from drivers.pax.codec.codes import TENDER_COMMANDS, TENDER_OF_COMMAND
from drivers.pax.codec.fields import (
    US,
    amount_of,
    amount_text,
    decode_pairs,
    encode_pairs,
    group,
    join,
    masked_pan,
    single,
    split,
    sum_of,
    ungroup,
)
from drivers.pax.codec.messages import (
    Account,
    Amounts,
    Answer,
    AskDetail,
    AskedAccount,
    AskedAmount,
    AskedTrace,
    AskTotals,
    BatchClosed,
    CloseBatch,
    Host,
    Identity,
    Outcome,
    Plain,
    Record,
    Request,
    Result,
    Totals,
    Transact,
)
from drivers.pax.codec.messages import Trace as AnsweredTrace

VERSION = "1.35"
SINGLE_PACKET = "0"
_ANSWER_FIELDS_MIN = 4  # packet, command, version, code
_COMMAND = re.compile(r"[A-Z][0-9]{2}")
_CODE = re.compile(r"[0-9]{6}")
_CARD_TYPE_INDEX = 6  # of the account group


def encode_request(request: Request) -> bytes:
    """Return the payload of a request.

    Raises:
        ValueError: A field holds a control character or an amount is too long.
    """
    match request:
        case Plain(command):
            fields = [command, VERSION, ""]
        case Transact():
            fields = [TENDER_COMMANDS[request.tender], VERSION, *_transact_fields(request)]
        case CloseBatch(moment):
            fields = ["B00", VERSION, group([moment])]
        case AskTotals(tender, card_type):
            fields = ["R00", VERSION, tender, card_type]
        case AskDetail():
            fields = [
                "R02",
                VERSION,
                request.tender,
                request.type,
                request.card_type,
                group([request.record_number]),
                group([request.transaction_number]),
                group([request.auth_code]),
                group([request.reference]),
                encode_pairs(request.additional),
            ]
    return join(fields)


def _transact_fields(request: Transact) -> list[str]:
    amount, account, trace = request.amount, request.account, request.trace
    numbers = (
        amount.transaction,
        amount.tip,
        amount.cashback,
        amount.fee,
        amount.tax,
        amount.fuel,
    )
    fields = [
        request.type,
        group(amount_text(number) for number in numbers),
        group(
            (
                account.number,
                account.expiry,
                account.verification,
                account.ebt_type,
                account.voucher,
                account.duplicate_override,
            )
        ),
        group(
            (
                trace.reference,
                trace.invoice,
                trace.auth_code,
                trace.transaction_number,
                trace.moment,
            )
        ),
    ]
    if request.tender == "credit":
        fields += [request.avs, request.cashier, request.commercial, request.moto]
    else:
        fields.append(request.cashier)
    return [*fields, encode_pairs(request.additional)]


def decode_request(payload: bytes) -> Request:
    """Return the request in a payload, for a simulated terminal.

    Raises:
        ProtocolError: It is not a request that this protocol knows.
    """
    command, _, *rest = [*split(payload), ""]
    fields = rest + [""] * 9
    if command in TENDER_OF_COMMAND:
        return _transact(TENDER_OF_COMMAND[command], fields)
    match command:
        case "B00":
            return CloseBatch(fields[0])
        case "R00":
            return AskTotals(fields[0], fields[1])
        case "R02":
            return _ask_detail(fields)
        case "A00" | "A12" | "A14" | "A16" | "A26":
            return Plain(command)
    raise ProtocolError("an unknown command")


def _transact(tender: str, fields: list[str]) -> Transact:
    amount = AskedAmount(*(amount_of(part) for part in ungroup(fields[1], 6)))
    account = AskedAccount(*ungroup(fields[2], 6))
    trace = AskedTrace(*ungroup(fields[3], 5))
    if tender == "credit":
        avs, cashier, commercial, moto, additional = fields[4:9]
        pairs = decode_pairs(additional)
        return Transact(
            tender, fields[0], amount, account, trace, cashier, pairs, avs, commercial, moto
        )
    pairs = decode_pairs(fields[5])
    return Transact(tender, fields[0], amount, account, trace, fields[4], pairs)


def _ask_detail(fields: list[str]) -> AskDetail:
    tender, kind, card_type, record, transaction, auth_code, reference, additional = fields[:8]
    pairs = decode_pairs(additional)
    return AskDetail(tender, kind, card_type, record, transaction, auth_code, reference, pairs)


def decode_answer(payload: bytes) -> Answer:
    """Return the answer in a payload; what it leaves out is empty.

    Raises:
        ProtocolError: It is no answer: too few fields, or no command or code where they belong.
    """
    head = split(payload, masked=True)
    if len(head) < _ANSWER_FIELDS_MIN or not head[0].isdigit():
        raise ProtocolError("an answer with too few fields")
    command, code = head[1], head[3]
    if not _COMMAND.fullmatch(command) or not _CODE.fullmatch(code):
        raise ProtocolError("an answer without command or code")
    text = single(head[4]) if len(head) > 4 else ""
    fields = head[5:] + [""] * 14
    request = command[0] + f"{int(command[1:]) - 1:02d}"
    if request in TENDER_OF_COMMAND:
        return _result(TENDER_OF_COMMAND[request], code, text, fields)
    match command:
        case "A01":
            return Identity(code, text, *(single(field) for field in fields[:3]))
        case "R03":
            return _record(code, text, fields)
        case "R01":
            rows = tuple(_numbers(row) for row in fields[1].split("&")) if fields[1] else ()
            return Totals(code, text, fields[0], rows)
        case "B01":
            return BatchClosed(
                code,
                text,
                _host(fields[0]),
                _numbers(fields[1]),
                _numbers(fields[2]),
                *(single(field) for field in fields[3:6]),
            )
    return Outcome(command, code, text)


def _result(tender: str, code: str, text: str, fields: list[str]) -> Result:
    additional = fields[8] if tender == "credit" else fields[5]
    return Result(
        tender,
        code,
        text,
        _host(fields[0]),
        fields[1],
        _amounts(fields[2]),
        _account(fields[3]),
        _trace(fields[4]),
        decode_pairs(additional),
    )


def _record(code: str, text: str, fields: list[str]) -> Record:
    return Record(
        code,
        text,
        amount_of(fields[0]),
        fields[1],
        _host(fields[2]),
        fields[3],
        fields[4],
        fields[5],
        _amounts(fields[6]),
        _account(fields[7]),
        _trace(fields[8]),
        decode_pairs(fields[12]),
    )


def _host(field: str) -> Host:
    return Host(*ungroup(field, 6))


def _amounts(field: str) -> Amounts:
    return Amounts(*(amount_of(part) for part in ungroup(field, 7)))


def _account(field: str) -> Account:
    parts = ungroup(field, _CARD_TYPE_INDEX + 1)
    return Account(masked_pan(parts[0]), parts[1], parts[_CARD_TYPE_INDEX])


def _trace(field: str) -> AnsweredTrace:
    number, reference, moment = ungroup(field, 3)
    return AnsweredTrace(number, reference.strip(), moment)


def _numbers(field: str) -> tuple[int, ...]:
    # One public client separates them with `=`, another with US.
    parts = re.split(f"[={US}]", field) if field else []
    return tuple(sum_of(part) or 0 for part in parts)


def encode_answer(answer: Answer) -> bytes:
    """Return the payload of an answer, for a simulated terminal.

    Raises:
        ValueError: A field holds a control character or an amount is too long.
    """
    fields: list[str]
    match answer:
        case Outcome():
            command, fields = answer.command, []
        case Identity():
            command, fields = "A01", [answer.serial_number, answer.model, answer.firmware]
        case Result():
            command, fields = answering(TENDER_COMMANDS[answer.tender]), _result_fields(answer)
        case Record():
            command, fields = "R03", _record_fields(answer)
        case Totals():
            rows = "&".join("=".join(map(str, row)) for row in answer.rows)
            command, fields = "R01", [answer.tender, rows]
        case BatchClosed():
            command = "B01"
            fields = [
                _host_field(answer.host),
                "=".join(map(str, answer.counts)),
                "=".join(map(str, answer.amounts)),
                answer.moment,
                answer.terminal_id,
                answer.merchant_id,
            ]
    while fields and not fields[-1]:
        fields.pop()
    return join([SINGLE_PACKET, command, VERSION, answer.code, group([answer.text]), *fields])


def answering(command: str) -> str:
    """Return the command of the answer to `command`: T00 is answered by T01."""
    return command[0] + f"{int(command[1:]) + 1:02d}"


def _result_fields(result: Result) -> list[str]:
    fields = [
        _host_field(result.host),
        result.type,
        _amounts_field(result.amount),
        _account_field(result.account),
        _trace_field(result.trace),
    ]
    if result.tender == "credit":
        fields += ["", "", ""]
    return [*fields, encode_pairs(result.additional)]


def _record_fields(record: Record) -> list[str]:
    return [
        amount_text(record.total),
        record.record_number,
        _host_field(record.host),
        record.tender,
        record.type,
        record.original_type,
        _amounts_field(record.amount),
        _account_field(record.account),
        _trace_field(record.trace),
        "",
        "",
        "",
        encode_pairs(record.additional),
    ]


def _host_field(host: Host) -> str:
    return group((host.code, host.message, host.auth_code, host.reference, host.trace, host.batch))


def _amounts_field(amounts: Amounts) -> str:
    numbers = (
        amounts.approved,
        amounts.due,
        amounts.tip,
        amounts.cashback,
        amounts.fee,
        amounts.tax,
        amounts.balance,
    )
    return group(amount_text(number) for number in numbers)


def _account_field(account: Account) -> str:
    number = "" if account.pan is None else account.pan.text
    return group((number, account.entry_mode, "", "", "", "", account.card_type))


def _trace_field(trace: AnsweredTrace) -> str:
    return group((trace.transaction_number, trace.reference, trace.moment))

"""Frames and facts that the tests of the PAX dialogue share, and a till that talks them through."""

from drivers.contract import (
    Approval,
    Baseline,
    Money,
    Operation,
    Pay,
    TerminalEvent,
)
from drivers.pax import PaxSettings
from drivers.pax.codec.fields import ecr_reference
from drivers.pax.conversation.dialogue import PaxDialogue
from tests.protocol.pax_stub import (
    ScriptedTerminal,
    commands_in,
)

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
REF = ecr_reference(PAYMENT)
BACK = ecr_reference(PAYMENT, second=True)
USD10 = Money(1000, "USD")
PAY = Pay(PAYMENT, USD10)
MOMENT = "20261123073400"
FOUND = f"4/OLDER/{MOMENT}"
OLDER = Approval(
    USD10,
    fingerprint=FOUND,
    transaction_id="4",
    extra={"href": "900004", "tender": "credit", "type": "01"},
)
HOLD = Approval(
    Money(2000, "USD"),
    fingerprint=FOUND,
    transaction_id="4",
    extra={"href": "900004", "tender": "credit", "type": "03"},
)


def result(
    code: str = "000000|OK",
    host: str = "00^APPROVAL^123456^700000000001^17^1",
    *,
    kind: str = "01",
    amount: str = "1000^0",
    reference: str = REF,
) -> str:
    trace = f"5^{reference}^{MOMENT}"
    account = "4242^2^1227^^^^01"
    return f"0|T01|1.35|{code}|{host}|{kind}|{amount}|{account}|{trace}||||TABLE=0^HREF=900005"


def gift_result(kind: str = "01", amount: str = "1000^0", reference: str = REF) -> str:
    trace = f"5^{reference}^{MOMENT}"
    host = "00^APPROVAL^123456^700000000001^17^1"
    return f"0|T07|1.35|000000|OK|{host}|{kind}|{amount}|0098^1|{trace}|HREF=900005"


def record(
    reference: str = REF,
    *,
    kind: str = "01",
    original: str = "",
    host: str = "00^APPROVAL^123456^700000000001^17^1",
    amount: str = "1000^0",
    number: str = "5",
    position: str = "1",
    total: str = "2",
    moment: str = MOMENT,
) -> str:
    return (
        f"0|R03|1.35|000000|OK|{total}|{position}|{host}|01|{kind}|{original}|{amount}"
        f"|4242^2^1227^^^^01|{number}^{reference}^{moment}||||HREF=900005"
    )


ABSENT = "0|R03|1.35|100023|NOT FOUND"
STOPPED = "0|A15|1.35|000000|OK"
READY = "0|A01|1.35|000000|OK|5A123456|S300|OS1"
WITNESS = record("OLDER", number="4", position="0")
SALE = f"T00|1.35|01|1000||{REF}|||||TIPREQ=0"


SEEN = Baseline(FOUND)


def converse(
    operation: Operation,
    script: dict[str, str | list[str]],
    *,
    serial: bool = False,
    settings: PaxSettings | None = None,
) -> tuple[list[TerminalEvent], list[str]]:
    """Hold a conversation; return what was told, and the commands that were sent."""
    terminal = ScriptedTerminal(script)
    dialogue = PaxDialogue(settings or PaxSettings(), "serial" if serial else "tcp")
    told: list[TerminalEvent] = []
    written = b""
    now = 0.0
    incoming = b""
    step = dialogue.begin(operation, now)
    for _ in range(200):
        written += step.send
        incoming += terminal.receive(step.send) if step.send else b""
        if step.events:
            told += step.events
            step = dialogue.committed(now)
        elif step.wake_at is None and not incoming:
            sent = [payload.decode("latin-1") for payload in commands_in(written)]
            return told, [text.replace("\x1c", "|").replace("\x1f", "^") for text in sent]
        elif incoming:
            incoming, data = b"", incoming
            step = dialogue.receive(data, now)
        else:
            assert step.wake_at is not None
            now = step.wake_at
            step = dialogue.timeout(now)
    raise AssertionError("the conversation does not end")


def final(operation: Operation, script: dict[str, str | list[str]], **how: bool) -> TerminalEvent:
    return converse(operation, script, **how)[0][-1]  # type: ignore[arg-type]  # flags only

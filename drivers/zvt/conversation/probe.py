"""Log on, ask how the terminal is, read its last transaction. Moves no money.

Rules:

1. 06 00, then 05 01, then 06 20; every refusal is reported as what it means for payments. A
   terminal that does not know 05 01, or answers it with nothing, is usable all the same: it has
   accepted the registration.
2. An approval that shows up here belongs to an older conversation: it is neither accepted nor
   refused, and the terminal is told to be busy, so that the order's own inquiry finds it.
3. A terminal that asks for its initialization (06 93) or diagnosis (06 70) gets it, once, and is
   asked anew, unless its settings leave that to a person. An end of day is never begun here.
4. A terminal that asks for a registration again (84 6B) gets one. One that closes the connection
   behind an end is asked on over another, and is ready only if its settings say that it does so.
5. A baseline is told only if the terminal told it; "" only if its totals prove an empty store.

Source: PA00P015 rev 13.08, commands 06 00, 05 01, 06 93, 06 20, 06 10.
"""

from __future__ import annotations

from drivers import contract as c
from drivers.script import Heard, NotHeard
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import (
    BUSY,
    CURRENCY_LETTERS,
    INITIALIZATION,
    NOT_INITIALIZED,
    NOT_REGISTERED,
    OK,
    STATUS_UNKNOWN,
    WRONG_CURRENCY,
    needs_of,
    not_ready,
    refusal,
    remedy_of,
)
from drivers.zvt.codec.fields import find_tlv
from drivers.zvt.conversation.exchange import (
    Command,
    End,
    Follow,
    Listen,
    Part,
    Respond,
    Script,
    Stray,
    ZvtExchange,
)
from drivers.zvt.conversation.registration import (
    diagnosis,
    registration,
    repeat_command,
    store_is_empty,
)
from drivers.zvt.mapping.evidence import fingerprint, identifies
from drivers.zvt.settings import ZvtSettings

ANSWER_SECONDS = 20.0  # none of these commands needs a card or a host
_DEVICE_NAME, _SOFTWARE, _SERIAL_NUMBER, _TERMINAL_ID = 0x1F40, 0x1F41, 0x1F42, 0x1F44


def probe(line: ZvtExchange, settings: ZvtSettings) -> Script:
    """Log on, ask how it is, read its last transaction; a terminal that is idle is ready."""
    given: set[int] = set()
    while True:
        registered = yield from _ask(registration(settings))
        match registered:
            case m.Completion():
                yield Respond()
            case m.Reply() if WRONG_CURRENCY in (registered.code, *registered.rest[:1]):
                text = f"the terminal does not take {settings.currency}"
                return c.TerminalNotReady("terminal_maintenance", text)
            case _:
                return _not_ready(registered)
        report = yield from _ask_status(settings)
        if isinstance(report, c.TerminalNotReady | c.Unclear):
            return report
        status = report.status if isinstance(report, m.StatusReport) else None
        needs = needs_of(registered.status)
        service = _service_for(status, needs, settings)
        if service is None or service.CONTROL in given:
            break
        given.add(service.CONTROL)
        answer = yield from _ask(service, wait_seconds=None)
        if isinstance(answer, NotHeard | c.TerminalNotReady):
            return _not_ready(answer)
        if not isinstance(answer, m.Reply):
            yield Respond()
        if not isinstance(answer, m.Completion) or answer.result:
            break
    if status is not None and (problem := not_ready(status)):
        return c.TerminalNotReady(*problem, remedy_of(status))
    if line.hung_up and not settings.traits.hangs_up:
        text = "it closes the connection behind each answer; set hangs_up = true in its settings"
        return c.TerminalNotReady("terminal_maintenance", text)
    readings: list[m.StatusInformation] = []
    baseline: c.Baseline | None = None
    if settings.traits.repeat_receipt_usable:
        told = yield from _ask(repeat_command(settings), readings)
        if isinstance(told, NotHeard | c.TerminalNotReady):
            return _not_ready(told)
        if not isinstance(told, m.Reply):
            yield Respond()
        if readings:
            baseline = _baseline(readings[-1])
        elif isinstance(told, m.Completion):
            totals: list[m.StatusInformation] = []
            told = yield from _ask(m.Totals(settings.password), totals)
            match told:
                case NotHeard(lost=True) | c.TerminalNotReady():
                    return _not_ready(told)
                case m.Completion() | m.StatusReport() | m.Abort():
                    yield Respond()
                case _:
                    pass
            baseline = c.Baseline("") if totals and store_is_empty(totals[-1]) else None
    number = registered.currency
    said = readings[-1].terminal_id if readings else ""
    about = report if isinstance(report, m.StatusReport) else m.StatusReport(None)
    return c.TerminalReady(
        terminal_id=registered.terminal_id or said or _hex(about, _TERMINAL_ID),
        serial_number=_hex(about, _SERIAL_NUMBER),
        model=_ascii(about, _DEVICE_NAME),
        firmware=about.version or _ascii(about, _SOFTWARE),
        currency=CURRENCY_LETTERS.get(number, "") if number is not None else "",
        baseline=baseline,
        problems=needs,
    )


def _service_for(
    status: int | None, needs: tuple[str, ...], settings: ZvtSettings
) -> m.Initialization | m.Diagnosis | None:
    """Return what the terminal asks for and may get without a person."""
    traits = settings.traits
    if status == NOT_INITIALIZED or INITIALIZATION in needs:
        may = traits.initialization_usable and settings.automatic_initialization
        return m.Initialization(settings.password) if may else None
    if status is not None and remedy_of(status) == "diagnose":
        may = traits.diagnosis_usable and settings.automatic_diagnosis
        return diagnosis(settings) if may else None
    return None


def _ask_status(
    settings: ZvtSettings,
) -> Part[m.Completion | m.StatusReport | c.TerminalNotReady | c.Unclear | None]:
    """Return what 05 01 tells, None where nothing can be learned by it."""
    if not settings.traits.status_enquiry_usable:
        return None
    answer = yield from _ask(m.StatusEnquiry())
    if answer == m.Reply(NOT_REGISTERED):
        registered = yield from _ask(registration(settings))
        if not isinstance(registered, m.Completion):
            return _not_ready(registered)
        yield Respond()
        answer = yield from _ask(m.StatusEnquiry())
    match answer:
        case m.Completion() | m.StatusReport():
            yield Respond()
            return answer
        case m.Reply(code=code) if code in STATUS_UNKNOWN:
            return None
        case m.Abort(code=code) if code in STATUS_UNKNOWN:
            yield Respond()
            return None
        case NotHeard(lost=False):
            return None
        case _:
            return _not_ready(answer)


def _ask(
    command: m.Message,
    told: list[m.StatusInformation] | None = None,
    *,
    wait_seconds: float | None = ANSWER_SECONDS,
) -> Part[m.Reply | End | NotHeard | c.TerminalNotReady]:
    """Return how `command` ended; 04 0F goes into `told`, and is a stranger's where none fits."""
    heard = yield Command(command, wait_seconds)
    while True:
        match heard:
            case Heard(m.Reply(positive=True)):
                heard = yield Follow()
                continue
            case Heard(m.Reply() | m.Completion() | m.StatusReport() | m.Abort() as end):
                return end
            case Heard(m.StatusInformation() as status) if told is not None:
                told.append(status)
                yield Respond()
            case Heard(m.StatusInformation() as status) if not identifies(status):
                yield Respond()  # how some terminals say that 05 01 went well
            case Heard(
                m.StatusInformation(result=result) | Stray(m.StatusInformation(result=result))
            ) if result == OK:
                text = "a transaction of an older conversation is open"
                return c.TerminalNotReady("terminal_busy", text)
            case Heard():
                yield Respond()  # the end of an older dialogue
            case NotHeard():
                return heard
            case _:
                pass  # it ends by itself within seconds
        heard = yield Listen()


def _not_ready(
    answer: m.Reply | End | NotHeard | c.TerminalNotReady,
) -> c.TerminalNotReady | c.Unclear:
    """Return what a refusal or silence means for payments."""
    match answer:
        case NotHeard(reason):
            return c.Unclear(reason)
        case c.TerminalNotReady():
            return answer
        case m.Reply(code=code) | m.Abort(code=code) if code not in (None, BUSY):
            known = refusal(code)
            plain = known.kind != "failed" or known.reason == "terminal_fault"
            problem = (plain and not_ready(code)) or (known.reason, known.text)
            return c.TerminalNotReady(*problem, remedy_of(code))
        case _:
            return c.TerminalNotReady("terminal_busy", "busy")


def _baseline(reading: m.StatusInformation) -> c.Baseline | None:
    """Return what distinguishes the last transaction from a later one."""
    if reading.result == OK and (reading.receipt or reading.trace):
        return c.Baseline(fingerprint(reading))
    return None


def _hex(report: m.StatusReport, tag: int) -> str:
    value = find_tlv(report.tlv, tag)
    return value.hex().upper() if value else ""


def _ascii(report: m.StatusReport, tag: int) -> str:
    value = find_tlv(report.tlv, tag)
    return value.decode("ascii", "replace").strip(" \0") if value else ""

"""Conversations without a payment: end of day, totals, cards, texts, diagnosis, last transaction.

Source: PA00P015 rev 13.08, commands 06 50, 06 10, 06 C0, 06 E0, 06 70, 06 79, 06 20.
"""

from __future__ import annotations

from drivers import contract as c
from drivers.script import Heard, NotHeard, StopWanted, Stored, Tell
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import (
    CURRENCY_LETTERS,
    END_OF_DAY_IMPOSSIBLE,
    END_OF_DAY_OPEN,
    OK,
    REBOOTS,
    UPDATE_STARTS,
    needs_of,
    refusal,
)
from drivers.zvt.conversation.exchange import (
    Command,
    Follow,
    Interrupt,
    Listen,
    Own,
    Part,
    Respond,
    Running,
    Script,
    Stray,
    ZvtExchange,
    tlv_text,
)
from drivers.zvt.conversation.payment import denial, refusal_of
from drivers.zvt.conversation.registration import diagnosis, repeat_command, totals_of
from drivers.zvt.mapping.evidence import approval_told, card_of
from drivers.zvt.settings import ZvtSettings

CARD_SECONDS_MAX = TEXT_SECONDS_MAX = 255  # one byte
LINES_MAX = 8
READ_BY_DIALOG = 0x02  # FC: no dialog control by the register
# What a completion of 06 50 says. Source: PA00P015 rev 13.08, 06 50; card complete on E0 and FC.
_DONE = frozenset((OK, UPDATE_STARTS, REBOOTS))
_STILL_OPEN = frozenset((END_OF_DAY_OPEN, END_OF_DAY_IMPOSSIBLE))


def _carry_out(
    command: m.Message,
    line: ZvtExchange,
    settings: ZvtSettings,
    told: list[m.StatusInformation],
    *,
    card_seconds: float | None = None,
    stoppable: bool = True,
) -> Part[Own | c.Failed | c.Unclear]:
    """Send `command` and return what ends it: 06 0F, 06 1E, or the message that ends this one.

    06 E0 ends with the reply. 06 C0 ends with 04 0F, and a terminal may hold its reply back until
    there is a card. `told` gets every 04 0F.
    """
    shown, card_read = isinstance(command, m.DisplayText), isinstance(command, m.ReadCard)
    heard = yield Command(command, card_seconds, card_seconds, question=False)
    while True:
        match heard:
            case Heard(m.Reply(positive=True) as reply):
                if shown:
                    return reply
                heard = yield Follow()
                continue
            case Heard(m.Reply() as reply):
                return refusal_of(reply)
            case Heard(m.StatusInformation() as status):
                if card_read:
                    return status
                told.append(status)
                yield Respond()
            case Heard(m.Completion() | m.StatusReport() | m.Abort() as end):
                return end
            case Heard(Stray(m.StatusInformation(result=result))) if result == OK:
                return c.Unclear("other_transaction")  # an older dialogue's: left alone
            case Heard():
                yield Respond()  # the rest of an older dialogue
            case StopWanted() if line.leads and stoppable and not line.abort_sent:
                if settings.traits.abort_supported:
                    yield Interrupt()
            case NotHeard(reason):
                return c.Unclear(reason)
            case _:
                pass
        heard = yield Listen()


def end_of_day(operation: c.EndOfDay, line: ZvtExchange, settings: ZvtSettings) -> Script:
    """Close the batch, or only ask for its totals; closing is not stopped halfway.

    What became of the batch says the completion, even after an earlier 04 0F. Its totals come in
    04 0F, in the completion, or on paper only; see `BatchTotals.counted`.
    """
    kind = m.EndOfDay if operation.close else m.Totals
    told: list[m.StatusInformation] = []
    match (yield from _carry_out(kind(settings.password), line, settings, told, stoppable=False)):
        case m.Completion() as completion:
            status = told[-1] if told else None
            return _batch(status, completion, settings, close=operation.close)
        case end:
            return _without_success(end, line)


def _batch(
    status: m.StatusInformation | None,
    completion: m.Completion,
    settings: ZvtSettings,
    *,
    close: bool,
) -> c.FinalEvent:
    """Return the totals by brand, or why the batch is still open."""
    end = completion.result
    claimed = status.result if status is not None else None
    if end is not None and end not in _DONE:
        if claimed == OK and end not in _STILL_OPEN:
            return c.Unclear("contradiction", f"totals, and then the result {end:02X}")
        return denial(end, "", stopped=False)
    if claimed not in (None, OK):
        if end is None:
            return denial(claimed, status.text if status else "", stopped=False)
        return c.Unclear("contradiction", f"the result {claimed:02X}, and then a success")
    told = _totals_told(status, completion)
    if told is not None:
        return _totals_of(told, settings.currency, closed=close)
    if status is not None:
        return c.Unclear("unreadable", "the terminal told no totals")
    if close and end is not None:
        return c.BatchTotals(closed=True, total=c.Money(0, settings.currency), counted=False)
    return c.Done()


def _totals_of(
    told: m.StatusInformation | m.Completion, currency: str, *, closed: bool
) -> c.BatchTotals:
    rows = totals_of(told)
    if told.currency is not None:
        currency = CURRENCY_LETTERS.get(told.currency, currency)
    total = sum(amount for _, _, amount in rows or ()) if told.amount is None else told.amount
    return c.BatchTotals(
        closed=closed,
        total=c.Money(total, currency),
        lines=tuple(
            c.TotalsLine(brand, count, c.Money(amount, currency))
            for brand, count, amount in rows or ()
            if count
        ),
    )


def _totals_told(
    status: m.StatusInformation | None, end: m.Completion
) -> m.StatusInformation | m.Completion | None:
    """Return the message that has the totals, the status information first; None without any."""
    said = [one for one in (status, end) if one is not None]
    return next((one for one in said if one.amount is not None or totals_of(one)), None)


def read_card(operation: c.ReadCard, line: ZvtExchange, settings: ZvtSettings) -> Running:
    """Ask for a card, and answer 04 0F when the card is stored: that ends it, without 06 0F."""
    seconds = max(1, min(operation.timeout_seconds, CARD_SECONDS_MAX))
    command = m.ReadCard(seconds, dialog=READ_BY_DIALOG)
    card_seconds = seconds + line.timers.reply_seconds
    end = yield from _carry_out(command, line, settings, [], card_seconds=card_seconds)
    match end:
        case m.StatusInformation(result=result) if result in (None, OK):
            # It is there only when it went wrong.
            event: c.FinalEvent = c.CardRead(card_of(end, settings.traits.charset))
        case m.StatusInformation():
            event = denial(end.result, end.text, stopped=line.abort_sent)
        case _:
            return _without_success(end, line)
    stored = yield Tell(event)
    if stored == Stored(done=True):
        yield Respond()
    return None


def show_text(operation: c.ShowText, line: ZvtExchange, settings: ZvtSettings) -> Script:
    """Show lines on the display; it ends with the reply."""
    seconds = max(0, min(operation.seconds, TEXT_SECONDS_MAX))
    command = m.DisplayText(operation.lines[:LINES_MAX], seconds)
    return _without_success((yield from _carry_out(command, line, settings, [])), line)


def read_last(line: ZvtExchange, settings: ZvtSettings) -> Script:
    """Have the last transaction told and not printed; without 04 0F the memory is empty."""
    told: list[m.StatusInformation] = []
    end = yield from _carry_out(repeat_command(settings), line, settings, told)
    if not isinstance(end, m.Completion):
        return _without_success(end, line)
    if not told:
        return c.LastTransaction(None, "the terminal tells no transaction")
    last = told[-1]
    if last.result is None:
        return c.Unclear("unreadable", "the last transaction has no result")
    if last.result != OK:
        return c.LastTransaction(None, last.text or refusal(last.result).text)
    approval = approval_told(last, settings.currency, settings.traits.charset)
    if approval is None:
        return c.Unclear("unreadable", "the last transaction has no amount")
    return c.LastTransaction(approval, last.text)


def diagnose(
    operation: c.Diagnose | c.SelfTest, line: ZvtExchange, settings: ZvtSettings
) -> Script:
    """Have the terminal call its host, or examine itself.

    However it ends: all is well, or it says what is not.
    """
    own = isinstance(operation, c.SelfTest)
    command = m.SelfTest() if own else diagnosis(settings)
    end = yield from _carry_out(command, line, settings, [])
    match end:
        case m.Abort(code=code) if not line.abort_sent:
            text = tlv_text(end.tlv, settings.traits.charset)
            if code is not None:
                text = text or refusal(code).text
            facts = {} if code is None else {"code": f"{code:02X}"}
            return c.Diagnosis(passed=False, text=text, facts=facts)
        case m.Completion():
            return _diagnosis(end)
        case _:
            return _without_success(end, line)


def _diagnosis(end: m.Completion) -> c.Diagnosis:
    """Return what the completion says; its status bits name what is still to be done."""
    needs = needs_of(end.status)
    said = {
        "terminal_id": end.terminal_id,
        "date": end.full_date,
        "time": end.time,
        "code": "" if end.result is None else f"{end.result:02X}",
    }
    facts = {key: value for key, value in said.items() if value}
    if end.result in (None, OK, UPDATE_STARTS, REBOOTS):
        return c.Diagnosis(passed=not needs, text="; ".join(needs), facts=facts)
    return c.Diagnosis(passed=False, text=refusal(end.result).text, facts=facts)


def _without_success(end: Own | c.Failed | c.Unclear, line: ZvtExchange) -> c.FinalEvent:
    """Return what it means that a command ended so; a plain end brought nothing but its end."""
    match end:
        case m.Abort(code=code):
            return denial(code, "", stopped=line.abort_sent)
        case c.Failed() | c.Unclear():
            return end
        case _:
            return c.Done()

"""Conversations without a payment: end of day, totals, cards, texts, diagnosis, last transaction.

Source: PA00P015 rev 13.08, commands 06 50, 06 10, 06 C0, 06 E0, 06 70, 06 20.
"""

from __future__ import annotations

from drivers import contract as c
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
from drivers.zvt.codec.fields import Tlv
from drivers.zvt.conversation.exchange import Phase, Talk, tlv_text
from drivers.zvt.conversation.payment import denial, refused
from drivers.zvt.conversation.registration import repeat_command, totals_of
from drivers.zvt.mapping.evidence import approval_told, card_of
from drivers.zvt.settings import ZvtSettings

CARD_SECONDS_MAX = TEXT_SECONDS_MAX = 255  # one byte
LINES_MAX = 8
READ_BY_DIALOG = 0x02  # FC: no dialog control by the register
_DIAGNOSIS_TYPE = 0x1B
# What a completion of 06 50 says. Source: PA00P015 rev 13.08, 06 50; card complete on E0 and FC.
_DONE = frozenset((OK, UPDATE_STARTS, REBOOTS))
_STILL_OPEN = frozenset((END_OF_DAY_OPEN, END_OF_DAY_IMPOSSIBLE))


class ServiceScript:
    """What these conversations have in common: silence and refusals."""

    def __init__(self, talk: Talk, settings: ZvtSettings) -> None:
        self._talk = talk
        self._settings = settings

    def replied(self, reply: m.Reply) -> None:
        """Follow, or tell the refusal."""
        if self._talk.phase is not Phase.REPLY:
            return
        if reply.positive:
            self.accepted()
        else:
            self._talk.finish(refused(reply))

    def accepted(self) -> None:
        """The command was taken."""
        self._talk.follow()

    def status(self, message: m.StatusInformation) -> None:
        """Leave an older dialogue's approval alone, answer the rest."""
        if self._talk.phase is Phase.TERMINAL_LEADS:
            self.told(message)
        elif message.result == OK:
            self._talk.finish(c.Unclear("other_transaction"))
        else:
            self._talk.reply()

    def told(self, message: m.StatusInformation) -> None:
        """04 0F of our own command came."""
        self._talk.reply()

    def ended(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        """Tell the end of our command; older ends are only answered."""
        if self._talk.phase is not Phase.TERMINAL_LEADS:
            self._talk.reply()
        elif isinstance(message, m.Abort):
            event = denial(message.code, "", stopped=self._talk.abort_sent)
            self._talk.finish(event, m.POSITIVE)
        else:
            self._talk.finish(self.result(message), m.POSITIVE)

    def result(self, message: m.Completion | m.StatusReport) -> c.FinalEvent:
        """What a completed command brought."""
        return c.Done()

    def stored(self, *, stored: bool) -> None:
        """Nothing is offered here."""

    def silent(self) -> None:
        """Nobody answered."""
        self._talk.finish(c.Unclear("no_answer"))

    def lost(self, reason: str) -> None:
        """The line is gone."""
        self._talk.finish(c.Unclear(reason))

    def cancel(self) -> None:
        """Stop, once, if the command is under way."""
        supported = self._settings.traits.abort_supported
        if supported and not self._talk.abort_sent and self._talk.phase is Phase.TERMINAL_LEADS:
            self._talk.abort()


class EndOfDayScript(ServiceScript):
    """EndOfDay. What became of the batch says the completion, even after an earlier 04 0F.

    Its totals come in 04 0F, in the completion, or on paper only; see `BatchTotals.counted`.
    """

    def __init__(self, talk: Talk, operation: c.EndOfDay, settings: ZvtSettings) -> None:
        super().__init__(talk, settings)
        self._close = operation.close
        self._totals: m.StatusInformation | None = None

    def start(self) -> None:
        """Ask for the totals, or close."""
        kind = m.EndOfDay if self._close else m.Totals
        self._talk.command(kind(self._settings.password))

    def told(self, message: m.StatusInformation) -> None:
        """Keep the totals."""
        self._totals = message
        self._talk.reply()

    def result(self, message: m.Completion | m.StatusReport) -> c.FinalEvent:
        """Return the totals by brand, or why the batch is still open."""
        assert isinstance(message, m.Completion), "a status report answers 05 01 only"
        status, end = self._totals, message.result
        claimed = status.result if status is not None else None
        if end is not None and end not in _DONE:
            if claimed == OK and end not in _STILL_OPEN:
                return c.Unclear("contradiction", f"totals, and then the result {end:02X}")
            return denial(end, "", stopped=False)
        if claimed not in (None, OK):
            if end is None:
                return denial(claimed, status.text if status else "", stopped=False)
            return c.Unclear("contradiction", f"the result {claimed:02X}, and then a success")
        told = _totals_told(status, message)
        if told is not None:
            return self._totals_of(told)
        if status is not None:
            return c.Unclear("unreadable", "the terminal told no totals")
        if self._close and end is not None:
            nothing = c.Money(0, self._settings.currency)
            return c.BatchTotals(closed=True, total=nothing, counted=False)
        return c.Done()

    def _totals_of(self, told: m.StatusInformation | m.Completion) -> c.BatchTotals:
        rows = totals_of(told)
        currency = self._settings.currency
        if told.currency is not None:
            currency = CURRENCY_LETTERS.get(told.currency, currency)
        total = sum(amount for _, _, amount in rows or ()) if told.amount is None else told.amount
        return c.BatchTotals(
            closed=self._close,
            total=c.Money(total, currency),
            lines=tuple(
                c.TotalsLine(brand, count, c.Money(amount, currency))
                for brand, count, amount in rows or ()
                if count
            ),
        )

    def cancel(self) -> None:
        """Closing is not stopped halfway."""


def _totals_told(
    status: m.StatusInformation | None, end: m.Completion
) -> m.StatusInformation | m.Completion | None:
    """Return the message that has the totals, the status information first; None without any."""
    said = [one for one in (status, end) if one is not None]
    return next((one for one in said if one.amount is not None or totals_of(one)), None)


class ReadCardScript(ServiceScript):
    """ReadCard. It ends with our reply to 04 0F, without 06 0F."""

    def __init__(self, talk: Talk, operation: c.ReadCard, settings: ZvtSettings) -> None:
        super().__init__(talk, settings)
        self._seconds = max(1, min(operation.timeout_seconds, CARD_SECONDS_MAX))

    def start(self) -> None:
        """Ask for a card; a terminal may hold its reply back until there is one."""
        seconds = self._seconds + self._talk.timers.reply_seconds
        self._talk.command(m.ReadCard(self._seconds, dialog=READ_BY_DIALOG), seconds)
        self._talk.expect_reply_within(seconds)

    def told(self, message: m.StatusInformation) -> None:
        """Tell the card; 27 is there only when it went wrong."""
        if message.result in (None, OK):
            card = card_of(message, self._settings.traits.charset)
            self._talk.finish(c.CardRead(card), m.POSITIVE)
        else:
            event = denial(message.result, message.text, stopped=self._talk.abort_sent)
            self._talk.finish(event, m.POSITIVE)


class ShowTextScript(ServiceScript):
    """ShowText. It ends with the reply."""

    def __init__(self, talk: Talk, operation: c.ShowText, settings: ZvtSettings) -> None:
        super().__init__(talk, settings)
        self._lines = operation.lines[:LINES_MAX]
        self._seconds = max(0, min(operation.seconds, TEXT_SECONDS_MAX))

    def start(self) -> None:
        """Show it."""
        self._talk.command(m.DisplayText(self._lines, self._seconds))

    def accepted(self) -> None:
        """It is shown."""
        self._talk.finish(c.Done())


class ReadLastScript(ServiceScript):
    """ReadLast. A completion without 04 0F is an empty memory."""

    def __init__(self, talk: Talk, settings: ZvtSettings) -> None:
        super().__init__(talk, settings)
        self._told: m.StatusInformation | None = None

    def start(self) -> None:
        """Have the last transaction told and not printed."""
        self._talk.command(repeat_command(self._settings))

    def told(self, message: m.StatusInformation) -> None:
        """Keep it."""
        self._told = message
        self._talk.reply()

    def result(self, message: m.Completion | m.StatusReport) -> c.FinalEvent:
        """Return it, or the terminal's words about what was no approval."""
        told = self._told
        if told is None:
            return c.LastTransaction(None, "the terminal tells no transaction")
        if told.result is None:
            return c.Unclear("unreadable", "the last transaction has no result")
        if told.result != OK:
            return c.LastTransaction(None, told.text or refusal(told.result).text)
        charset = self._settings.traits.charset
        approval = approval_told(told, self._settings.currency, charset)
        if approval is None:
            return c.Unclear("unreadable", "the last transaction has no amount")
        return c.LastTransaction(approval, told.text)


class DiagnosisScript(ServiceScript):
    """Diagnose. However the terminal ends it: it reached its host, or it says why not."""

    def start(self) -> None:
        """Have the terminal call its host."""
        kind = self._settings.diagnosis_type
        tlv = None if kind is None else (Tlv(_DIAGNOSIS_TYPE, bytes([kind])),)
        self._talk.command(m.Diagnosis(tlv=tlv))

    def ended(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        """Tell why it failed, if it was not us who stopped it."""
        ours = self._talk.phase is Phase.TERMINAL_LEADS and not self._talk.abort_sent
        if not ours or not isinstance(message, m.Abort):
            super().ended(message)
            return
        text = tlv_text(message.tlv, self._settings.traits.charset)
        if message.code is not None:
            text = text or refusal(message.code).text
        facts = {} if message.code is None else {"code": f"{message.code:02X}"}
        self._talk.finish(c.Diagnosis(passed=False, text=text, facts=facts), m.POSITIVE)

    def result(self, message: m.Completion | m.StatusReport) -> c.FinalEvent:
        """Return what the completion says; its status bits name what is still to be done."""
        assert isinstance(message, m.Completion), "a status report answers 05 01 only"
        needs = needs_of(message.status)
        said = {
            "terminal_id": message.terminal_id,
            "date": message.full_date,
            "time": message.time,
            "code": "" if message.result is None else f"{message.result:02X}",
        }
        facts = {key: value for key, value in said.items() if value}
        if message.result in (None, OK, UPDATE_STARTS, REBOOTS):
            return c.Diagnosis(passed=not needs, text="; ".join(needs), facts=facts)
        return c.Diagnosis(passed=False, text=refusal(message.result).text, facts=facts)

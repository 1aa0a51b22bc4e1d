"""The conversation that moves money: one command, one outcome, every doubt kept.

Rules:

1. The command is the first thing sent, but for a registration (`logon`), and it is sent once.
2. 04 0F with result 00 that fits the order is `Offered`; it is acknowledged when that is stored
   and refused (84 66, the terminal reverses) when it cannot be stored or does not fit.
3. `Approved` needs an acknowledged 04 0F with result 00 and then 06 0F.
4. 06 1E without an approval is proof that nothing moved; a decline in 04 0F and then 06 0F too,
   but for a wrong PIN, after which the shopper may have tried again. After our 06 B0 an abort
   with a code that refuses a command (A0, 83, ...) may be about the 06 B0: the payment goes on.
5. 84 xx to the command is proof that nothing began, once nothing else came for a moment; not if
   the link had to repeat it, for then the refusal may be that of the second one.
6. 84 9C asks to wait, and what follows decides: 80 00 is the reply after all; silence means
   `not_taken`, for `inquiry` to prove; anything else keeps the doubt. The command is not repeated.
7. Everything else is `Unclear`: silence, a lost line, an end without a result, an end that
   contradicts an approval, an approval of something else.

Source: PA00P015 rev 13.08 and PA00P016 rev 04 on the end of a payment.
"""

from __future__ import annotations

from drivers import contract as c
from drivers.script import Heard, Note, NotHeard, StopWanted, Stored, Tell
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import (
    ABORTED,
    ABOUT_A_COMMAND,
    BUSY,
    HOST_CODES,
    NOT_STORED,
    OK,
    WRONG_PIN,
    refusal,
)
from drivers.zvt.codec.fields import decode_text, find_tlv, mask_text
from drivers.zvt.conversation.exchange import (
    ABORTING_SECONDS,
    Command,
    End,
    Follow,
    Hurry,
    Interrupt,
    Listen,
    Part,
    Pause,
    Respond,
    Script,
    Stray,
    ZvtExchange,
    tlv_text,
)
from drivers.zvt.mapping.evidence import approval_of, fingerprint, judge, same_transaction
from drivers.zvt.mapping.operations import Impossible, command_for
from drivers.zvt.settings import ZvtSettings

_OWN_ERROR_TEXT = 0x1F17
REFUSAL_SECONDS = 1.0  # a late answer to an older command must not pass for a refusal of ours
PLEASE_WAIT_SECONDS = 5.0  # after 84 9C: as long as a reply may take (T3)

Denial = c.Declined | c.Canceled | c.Failed
_CANCELED_BY_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cashier", ("extern", "kasse", "cashier", "ecr")),
    ("timeout", ("timeout", "time out", "zeit")),
    ("cardholder", ("kunde", "karteninhaber", "customer", "cardholder")),
)


def denial(code: int | None, text: str, *, stopped: bool) -> Denial:
    """Return the event for a result that is not 0, or for an abort without a code.

    `stopped` says that we asked for it: only then an abort is the cashier's without better
    knowledge.
    """
    if code is None and not stopped:
        return c.Failed("", text or "the terminal stopped it without a reason")
    known, shown = refusal(ABORTED if code is None else code), "" if code is None else f"{code:02X}"
    text = text or known.text
    match known.kind:
        case "declined":
            return c.Declined(shown, text, known.reason)
        case "failed":
            return c.Failed(shown, text, known.reason)
        case "canceled":
            words = text.lower()
            by = next(
                (who for who, said in _CANCELED_BY_WORDS if any(w in words for w in said)), ""
            )
            if stopped and by in ("", "cashier"):
                return c.Canceled("cashier", shown, text)
            match by:
                case "cardholder":
                    return c.Canceled("cardholder", shown, text)
                case "timeout":
                    return c.Canceled("timeout", shown, text)
                case _:
                    return c.Canceled("terminal", shown, text)


def refusal_of(reply: m.Reply) -> c.Failed:
    """Return the event for a command that was not taken: nothing began, no card was asked for.

    The byte behind 84 is the terminal's own. Where it reads like a host's answer, which no host can
    have given yet, and where it speaks of a card, it is a fault of the terminal.
    """
    assert reply.code is not None, "a positive reply refuses nothing"
    known, data = refusal(reply.code), _data_of(reply)
    said = f"84 {reply.code:02X} {data}".rstrip()
    if reply.code in HOST_CODES:
        text = f"the terminal refused the command: {said}"
    else:
        text = f"{known.text} ({said})" if data else known.text
    before_any_card = known.kind == "failed" or known.reason == "payment_restriction"
    reason = known.reason if before_any_card else "terminal_fault"
    return c.Failed(f"{reply.code:02X}", text, reason)


def _data_of(reply: m.Reply) -> str:
    """Return what came with a reply and has no name, as hex for a technician."""
    data = b"".join(bytes([bmp]) + raw for bmp, raw in reply.others) + reply.rest
    return data.hex(" ").upper()


class Case:
    """What one order's own dialogue has proved so far."""

    def __init__(self, order: c.MoneyOperation, settings: ZvtSettings) -> None:
        self.order = order
        self.offered: c.Approval | None = None
        self.acknowledged = False
        self._settings = settings
        self._refused: m.StatusInformation | None = None
        self._doubt = ""

    def hear(self, status: m.StatusInformation) -> c.Approval | int | None:
        """Weigh a 04 0F: an approval to be stored first, or the reply (None is yes)."""
        if status.result is None:
            self._doubt = "unreadable"
            return NOT_STORED
        if status.result != OK:
            if self.offered is not None:
                self._doubt = "withdrawn"
            self._refused = status
            return None
        if self._is_the_one_before(status):
            return None  # it was stored long ago; a refusal would have it reversed
        traits = self._settings.traits
        verdict = judge(
            status,
            self.order,
            self._settings.currency,
            amount_always_sent=traits.amount_always_sent,
        )
        if verdict != "ours":
            self._doubt = "other_transaction" if verdict == "other" else verdict
            return NOT_STORED
        approval = approval_of(status, self.order, traits.charset)
        if self.offered is None and not self._doubt:
            self.offered = approval
            return approval
        if self.acknowledged and not self._doubt and self.offered == approval:
            return None  # told again because our answer was lost
        self._doubt = self._doubt or "other_transaction"
        return NOT_STORED

    def _is_the_one_before(self, status: m.StatusInformation) -> bool:
        """Say whether a 04 0F tells once more of what the terminal had done before this order."""
        match self.order:
            case c.Pay(last=c.Baseline(known)) | c.Authorize(last=c.Baseline(known)):
                return same_transaction(fingerprint(status), known) is True
            case c.Refund(last=c.Baseline(known)):
                return same_transaction(fingerprint(status), known) is True
            case _:
                return False

    def stored(self, *, stored: bool) -> int | None:
        """Return the reply to the approval that was offered."""
        if stored:
            self.acknowledged = True
            return None
        self._doubt = "not_stored"
        return NOT_STORED

    @property
    def refused(self) -> bool:
        """Whether a 04 0F said that it failed."""
        return self._refused is not None

    def close(self, message: End, *, stopped: bool) -> c.Approved | Denial | c.Unclear:
        """Return what the dialogue proved, now that the terminal has ended it."""
        if self._doubt:
            return c.Unclear(self._doubt)
        if isinstance(message, m.Abort):
            if self.offered is not None or message.code == OK:
                return c.Unclear("contradiction", "ended by an abort after an approval")
            return self._denial(
                message.code, _abort_text(message, self._settings.traits.charset), stopped=stopped
            )
        result = message.result if isinstance(message, m.Completion) else None
        if self.offered is not None:
            if self._refused is None and not result:
                return c.Approved(self.offered)
            return c.Unclear("contradiction", "an approval, and then another result")
        if self._refused is not None and self._refused.result != WRONG_PIN:
            return self._denial(self._refused.result, "", stopped=stopped)
        return c.Unclear("no_result", "the terminal finished without saying the result")

    def _denial(self, code: int | None, text: str, *, stopped: bool) -> Denial:
        said = self._refused
        if said is not None and (code is None or said.result in HOST_CODES):
            code = said.result  # the host's own words say more than how the dialogue ended
        if said is not None:
            text = said.text or tlv_text(said.tlv, self._settings.traits.charset) or text
        return denial(code, text, stopped=stopped)


def _abort_text(message: m.Abort, charset: str) -> str:
    """Return what to show: tag 24, what the host said (BMP 3C), or the maker's own text (1F17)."""
    own = find_tlv(message.tlv, _OWN_ERROR_TEXT)
    texts = (tlv_text(message.tlv, charset), message.text, decode_text(own or b"", charset))
    return next((mask_text(text).strip() for text in texts if text.strip()), "")


def move_money(order: c.MoneyOperation, line: ZvtExchange, settings: ZvtSettings) -> Script:
    """Pay, Authorize, Capture, Refund, Reverse and AdjustTip."""
    command = command_for(order, settings)
    if isinstance(command, Impossible):
        return c.Failed("not_sent", command.text, command.reason)
    not_taken = yield from _hand_out(command, line)
    if not_taken is not None:
        return not_taken
    yield Note(c.Taken())
    case = Case(order, settings)
    if line.wishes.stop:
        yield from _stop(case, line, settings)
    heard = yield Follow()
    while True:
        match heard:
            case Heard(m.StatusInformation() as status):
                answer = case.hear(status)
                if isinstance(answer, c.Approval):
                    stored = yield Tell(c.Offered(answer))
                    yield Respond(case.stored(stored=stored == Stored(done=True)))
                    heard = yield Follow()
                    continue
                yield Respond(answer)
            case Heard(m.Completion() | m.StatusReport() | m.Abort() as end):
                if not _may_be_about_the_stop(end, case, line):
                    return case.close(end, stopped=line.abort_sent)
                yield Respond()
                yield Hurry(ABORTING_SECONDS)
            case StopWanted():
                yield from _stop(case, line, settings)
            case NotHeard(reason):
                return c.Unclear(reason)
            case _:
                pass
        heard = yield Listen()


def _hand_out(command: m.Message, line: ZvtExchange) -> Part[c.Failed | c.Unclear | None]:
    """Send the command, at once and only here; return why it was not taken, None if it was."""
    refused: m.Reply | None = None
    told_to_wait = False
    heard = yield Command(command, question=False)
    while True:
        match heard:
            case Heard(m.Reply(positive=True) | Stray(m.Reply(positive=True))):
                return None
            case Heard(m.Reply(code=code) | Stray(m.Reply(code=code))) if code == BUSY:
                if not told_to_wait:
                    told_to_wait = True
                    heard = yield Pause(PLEASE_WAIT_SECONDS)
                    continue
            case Heard((m.Reply() as reply) | Stray(m.Reply() as reply)):
                if refused is None:
                    # Wait a moment whether the refusal was meant for us.
                    refused, told_to_wait, line.heard = reply, False, False
                    heard = yield Pause(REFUSAL_SECONDS)
                    continue
            case Heard(Stray(m.StatusInformation(result=code))) if code == OK:
                # Not ours to accept or to refuse: it began before our command was taken.
                return c.Unclear("other_transaction")
            case Heard():
                yield Respond()  # leftovers of an older dialogue are answered and forgotten
            case NotHeard(reason, lost=True):
                return c.Unclear(reason)
            case NotHeard() if told_to_wait:
                alone = not (line.at_work or line.repeated)
                return c.Unclear("busy", "the terminal asks to wait", not_taken=alone)
            case NotHeard() if refused is not None and line.repeated:
                text = f"refused ({refused.code:02X}) after the line repeated the command"
                return c.Unclear("refused_repeat", text)
            case NotHeard() if refused is not None and not line.heard:
                return refusal_of(refused)
            case NotHeard() if refused is not None:
                # It is at something. If that is ours, its 80 00 comes; without, it is no word on
                # ours.
                refused = None
                heard = yield Pause(line.timers.patience_seconds)
                continue
            case NotHeard(reason):
                return c.Unclear(reason)
            case _:
                pass  # who wants to stop is heard when the command was taken
        heard = yield Listen()


def _may_be_about_the_stop(end: End, case: Case, line: ZvtExchange) -> bool:
    is_abort = isinstance(end, m.Abort) and end.code in ABOUT_A_COMMAND
    return is_abort and line.abort_sent and case.offered is None


def _stop(case: Case, line: ZvtExchange, settings: ZvtSettings) -> Part[None]:
    """Ask once to stop, never after an approval."""
    if settings.traits.abort_supported and case.offered is None and not line.abort_sent:
        yield Interrupt()

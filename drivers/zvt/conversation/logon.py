"""A registration before the conversation proper, where message sequence ids are wanted. Pure.

Rules:

1. The order itself is handed out only after the registration has ended. So whatever goes wrong
   here is proof that nothing was begun: `Failed("not_sent")`.
2. An approval that shows up meanwhile is an older conversation's: neither accepted nor refused, so
   that the order it belongs to finds it.
3. A terminal that does not agree to numbers is talked to without them.

Source: PA00P015 rev 13.08, command 06 00, TLV 1F73.
"""

from __future__ import annotations

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import OK, SYSTEM_ERROR, refusal
from drivers.zvt.conversation.exchange import Phase, Script, Talk
from drivers.zvt.conversation.payment import refused
from drivers.zvt.conversation.registration import registration
from drivers.zvt.settings import ZvtSettings

ANSWER_SECONDS = 20.0  # a registration needs no card and no host


class LogOnFirst:
    """Registers, then lets `script` take over."""

    def __init__(self, talk: Talk, script: Script, settings: ZvtSettings) -> None:
        self._talk = talk
        self._script = script
        self._settings = settings
        self._cancel_wanted = False

    def start(self) -> None:
        """Register."""
        self._talk.command(registration(self._settings), ANSWER_SECONDS)

    def replied(self, reply: m.Reply) -> None:
        """Follow; a refusal ends it."""
        if self._talk.phase is not Phase.REPLY:
            return
        if reply.positive:
            self._talk.follow()
        else:
            told = refused(reply)
            self._not_sent(told.text, told.reason)

    def status(self, message: m.StatusInformation) -> None:
        """Leave an older approval alone, answer the rest."""
        if message.result == OK:
            self._not_sent("a transaction of an older conversation is open", "terminal_busy")
        else:
            self._talk.reply()

    def ended(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        """Begin the conversation proper; older ends are only answered."""
        if self._talk.phase is not Phase.TERMINAL_LEADS:
            self._talk.reply()
        elif isinstance(message, m.Abort):
            self._refused(message.code, m.POSITIVE)
        elif self._cancel_wanted:
            self._talk.finish(c.Canceled("cashier", text="before it was sent"), m.POSITIVE)
        else:
            self._talk.reply()
            self._talk.script = self._script
            self._script.start()

    def stored(self, *, stored: bool) -> None:
        """Nothing is offered here."""

    def silent(self) -> None:
        """Nobody answered."""
        self._not_sent("the terminal does not answer", "terminal_offline")

    def lost(self, reason: str) -> None:
        """The line is gone."""
        self._not_sent("the line was lost", "terminal_offline")

    def cancel(self) -> None:
        """Not begun, not stopped."""
        self._cancel_wanted = True

    def _refused(self, code: int | None, reply: m.Reply | None = None) -> None:
        known = refusal(SYSTEM_ERROR if code is None else code)
        reason = known.reason if known.kind == "failed" else "terminal_fault"
        self._not_sent(known.text, reason, reply)

    def _not_sent(self, text: str, reason: str, reply: m.Reply | None = None) -> None:
        self._talk.finish(c.Failed("not_sent", text, reason), reply)

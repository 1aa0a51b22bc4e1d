"""A registration before the conversation proper, where a terminal wants one each time. Pure.

That is one that agrees to message sequence ids then, and one that forgets its registration with
each connection.

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
from drivers.script import Heard, NotHeard
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import OK, SYSTEM_ERROR, refusal
from drivers.zvt.conversation.exchange import (
    Command,
    Follow,
    Listen,
    Respond,
    Running,
    Stray,
    ZvtExchange,
)
from drivers.zvt.conversation.payment import refusal_of
from drivers.zvt.conversation.registration import registration
from drivers.zvt.settings import ZvtSettings

ANSWER_SECONDS = 20.0  # a registration needs no card and no host


def log_on_first(script: Running, line: ZvtExchange, settings: ZvtSettings) -> Running:
    """Register, then let `script` take over."""
    heard = yield Command(registration(settings), ANSWER_SECONDS)
    while True:
        match heard:
            case Heard(m.Reply(positive=True)):
                heard = yield Follow()
                continue
            case Heard(m.Reply() as reply):
                told = refusal_of(reply)
                return _not_sent(told.text, told.reason)
            case Heard(
                m.StatusInformation(result=result) | Stray(m.StatusInformation(result=result))
            ) if result == OK:
                text = "a transaction of an older conversation is open"
                return _not_sent(text, "terminal_busy")
            case Heard(m.Abort(code=code)):
                known = refusal(SYSTEM_ERROR if code is None else code)
                reason = known.reason if known.kind == "failed" else "terminal_fault"
                return _not_sent(known.text, reason)
            case Heard(m.Completion() | m.StatusReport()):
                break
            case Heard():
                yield Respond()
            case NotHeard(lost=True):
                return _not_sent("the line was lost", "terminal_offline")
            case NotHeard():
                return _not_sent("the terminal does not answer", "terminal_offline")
            case _:
                pass
        heard = yield Listen()
    if line.wishes.stop:
        return c.Canceled("cashier", text="before it was sent")
    yield Respond()
    return (yield from script)


def _not_sent(text: str, reason: str) -> c.Failed:
    return c.Failed("not_sent", text, reason)

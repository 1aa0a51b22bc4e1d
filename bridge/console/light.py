"""The one light: can we take a payment? And why, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.console.sources import LoginView, TerminalView
from bridge.console.tags import PROBLEMS, Signal
from bridge.console.words import Words, mark
from bridge.register import api as k

STARTING = frozenset({"starting", "connecting"})
PENDING_SECONDS_LONG = 300  # a booking that waits longer is worth a word
FREE_MEGABYTES_LOW = 1_000

# Sentences of `status.py` that stand for facts which are told here by themselves.
_TOLD_HERE = (
    *("the journal cannot be written", "the bridge is about to stop", "no terminal can take"),
    *("the broker is away", "only ", "the back office wants a login"),
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One line beside the light. `is_english`: words of the service, in no catalogue."""

    signal: Signal
    about: str
    text: str
    is_english: bool = False


@dataclass(frozen=True, slots=True)
class Light:
    """What the light shows; texts are in the person's language."""

    signal: Literal["go", "wait", "act"]
    word: str
    say: str
    short: str  # on every page
    reasons: tuple[Reason, ...]


def light_of(
    health: k.BridgeHealth,
    terminals: Sequence[TerminalView],
    login: LoginView,
    words: Words,
    now: datetime,
) -> Light:
    """Return what the light shows now."""
    say = words.say
    able = [one for one in terminals if one.state.availability == "online" and not one.problem]
    unable = [one for one in terminals if one not in able]
    reasons = [
        *_terminals(able, unable, terminals, words, now),
        *_service(health, words),
        *_books(health, login, words),
    ]
    reasons += [
        Reason("wait", "", text, is_english=True)
        for text in health.reasons
        if not text.startswith(_TOLD_HERE) and not _is_gap(text, health)
    ]
    if not health.can_take_payments:
        if unable and not able and all(one.problem in STARTING for one in unable):
            return Light(
                "wait",
                say("Not yet."),
                say("The service is looking for its terminals. This takes some seconds."),
                say("Not yet"),
                tuple(reasons),
            )
        what = say("Take cash. Look at the reasons beside this, then call the technician.")
        return Light("act", say("No."), what, say("No cards now"), tuple(reasons))
    if unable:
        where = _listed([one.name for one in unable])
        instead = _listed([one.name for one in able])
        text = say("Not at %(where)s. Send shoppers to %(instead)s.", where=where, instead=instead)
        return Light("wait", say("Partly."), text, say("Cards in part"), tuple(reasons))
    text = words.count(
        "The terminal can take a card.", "Every terminal can take a card.", len(terminals)
    )
    return Light("go", say("Yes."), text, say("Can take cards"), tuple(reasons))


def _terminals(
    able: Sequence[TerminalView],
    unable: Sequence[TerminalView],
    every: Sequence[TerminalView],
    words: Words,
    now: datetime,
) -> list[Reason]:
    starting = all(one.problem in STARTING for one in unable)
    signal: Signal = "go" if not unable else "wait" if able or starting else "act"
    text = words.say("%(able)d of %(all)d can take a card", able=len(able), all=len(every))
    found = [Reason(signal, words.say("Terminals"), text)]
    for one in unable:
        problem = one.state.problems[0] if one.state.problems else None
        signal = "wait" if one.problem in STARTING else "act"
        if problem is not None and problem.code in PROBLEMS:
            since = words.when(problem.since, now)
            told = words.say(PROBLEMS[problem.code])
            if problem.code not in STARTING:
                told = words.say("since %(time)s. %(what)s", time=since, what=told)
            found.append(Reason(signal, one.name, told))
        elif problem is not None:
            found.append(Reason(signal, one.name, problem.text, is_english=True))
    for one in able:
        payment = one.payment.payment if one.payment is not None else None
        if payment is not None and payment.doubt is not None:
            if payment.doubt.needs_operator:
                told = words.say("has a payment in doubt. A person must answer it")
                found.append(Reason("act", one.name, told))
            else:
                told = words.say("is checking a payment. Use another one until it is done")
                found.append(Reason("wait", one.name, told))
    return found


def _service(health: k.BridgeHealth, words: Words) -> list[Reason]:
    say, found = words.say, []
    if any(text.startswith("the bridge is about to stop") for text in health.reasons):
        found.append(Reason("act", say("Service"), say("is about to stop. Nothing new begins")))
    if health.mqtt.connected:
        found.append(Reason("go", say("Tills"), say("reach the service")))
    else:
        text = say("do not reach the service: the broker is away. Call the technician")
        found.append(Reason("act", say("Tills"), text))
    free = health.journal.path_free_mb or 0
    if not health.journal.ok:
        text = say("cannot be written. Call the technician: its disk, and the log")
        found.append(Reason("act", say("Journal"), text))
    elif free < FREE_MEGABYTES_LOW:
        text = say("has %(free)d MB left on its disk. Make room", free=free)
        found.append(Reason("wait", say("Journal"), text))
    else:
        text = say("on disk, %(free)d GB free", free=free // 1_000)
        found.append(Reason("go", say("Journal"), text))
    return found


def _books(health: k.BridgeHealth, login: LoginView, words: Words) -> list[Reason]:
    if login.state == "none":
        return []
    say, recording = words.say, health.recording
    about = say("Back office")
    if recording.login == "needed" or login.state == "needed":
        text = say("wants a login. Payments go on; they are booked after it")
        return [Reason("wait", about, text)]
    if recording.problem:
        return [Reason("wait", about, recording.problem, is_english=True)]
    waits = recording.oldest_pending_s is not None and (
        recording.oldest_pending_s > PENDING_SECONDS_LONG
    )
    if recording.endpoint_reachable is False or waits:
        text = words.count(
            "is away. %(num)d payment is booked later",
            "is away. %(num)d payments are booked later",
            recording.pending,
        )
        return [Reason("wait", about, text)]
    if recording.endpoint_reachable:
        return [Reason("go", about, say("answers"))]
    return [Reason("plain", about, say("was not asked for anything yet"))]


def _is_gap(text: str, health: k.BridgeHealth) -> bool:
    """Tell whether a sentence is about a gap: those stand among what needs attention."""
    return any(text.startswith(f"{one.terminal_id}: its sum is") for one in health.gaps)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


AWAY_WORDS = (
    mark("No light."),
    mark("The service does not answer. Take no card payments until the light is back."),
)

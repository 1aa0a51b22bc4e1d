"""The engine beneath a driver's conversations: a script says what is wanted, this does the rest.

A *script* is a generator that reads from top to bottom like the conversation it holds. It yields
what it wants, gets what came of it, and returns the final event:

    def pay(order: Pay, wishes: Wishes) -> Script[Say, Message]:
        heard = yield Say(encode(order), PAYMENT_SECONDS)
        match heard:
            case Heard(Offer() as offer):
                stored = yield Tell(Offered(approval_of(offer)))
                ...
            case NotHeard(reason):
                return Unclear(reason)

An *exchange* knows the protocol's bytes and timers: how an ask is sent, what answers it, how an
answer is acknowledged. It gives no verdicts. `Stream` is the one for protocols that only write and
listen. `ScriptedDialogue` runs a script over an exchange and is a `contract.Dialogue`.

Rules:

1. What is asked gets one reaction: `Heard`, `NotHeard`, or `StopWanted` beside what runs. What is
   told (`Tell`) gets `Stored`, once the journal has answered. A `Note` or an `Aside` gets nothing:
   the script goes on at once.
2. While something waits for the journal nothing is read; what comes meanwhile waits, in order.
3. What makes an answer final at the terminal is sent when the script goes on, or, after the final
   event, when that is stored: what was not stored is not acknowledged.
4. A script that must still send a farewell yields its final event by `Tell` and returns None.
5. A lost line stays lost: nothing more is sent, and whatever is asked is `NotHeard` at once.
6. Every wait has an end, and so has what waits to be read: a flood is a lost line.
7. After the final event nothing is read; only the link may come to its own end.

Pure: the moment is an argument of every input, and `Exchange.now` while one is handled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, get_args

from drivers.contract import (
    FinalEvent,
    Offered,
    Operation,
    Progress,
    Receipt,
    Step,
    Taken,
    TerminalEvent,
)

AskT = TypeVar("AskT")
ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")
ResultT = TypeVar("ResultT")

UNREAD_ITEMS_MAX: Final = 64  # a terminal waits for each reply; more than a few at once is a flood
_FINAL: Final = get_args(FinalEvent)


# --- what a script yields, beside the protocol's own asks


@dataclass(frozen=True, slots=True)
class Tell:
    """Have `event` stored before going on; after a final event a script may only say goodbye."""

    event: Offered | FinalEvent


@dataclass(frozen=True, slots=True)
class Note:
    """Tell `event` by the way; nothing waits for it."""

    event: Progress | Receipt | Taken


class Aside:
    """What a protocol's asks that wait for nothing are made of: a reply, a goodbye."""

    __slots__ = ()


# --- what it gets


@dataclass(frozen=True, slots=True)
class Heard(Generic[AnswerT]):
    """What the terminal said."""

    answer: AnswerT


@dataclass(frozen=True, slots=True)
class NotHeard:
    """There was no answer. `reason` is a reason of `Unclear`.

    `acknowledged` says that the terminal had taken the request; without it, a request may still
    have been taken, and the acknowledgement lost. `lost` says that nothing can be heard any more.
    """

    reason: str
    acknowledged: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class StopWanted:
    """Somebody wants to stop what was asked; it runs on until the script says something else."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Whether what was yielded is on disk."""

    done: bool


@dataclass(slots=True)
class Wishes:
    """What the bridge asked for meanwhile."""

    stop: bool = False


Reaction = Heard[AnswerT] | NotHeard | StopWanted | Stored
# A part of a script, with a result of its own; a whole one; one that may have yielded its end.
Part = Generator[AskT | Tell | Note, Reaction[AnswerT], ResultT]
Script = Part[AskT, AnswerT, FinalEvent]
Running = Part[AskT, AnswerT, FinalEvent | None]


# --- how a protocol carries it out


class Exchange(ABC, Generic[AskT, ItemT, AnswerT]):
    """A protocol's bytes and timers. What is sent or told goes into `send` and `events`.

    The engine sets `now` (seconds of the caller's monotonic clock) before it calls.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.send = bytearray()
        self.events: list[TerminalEvent] = []
        self.new_line = False  # what is sent goes to another line; see `contract.Step`
        self.due_at: float | None = None  # the end of the wait
        self.wishes = Wishes()
        self.broken = ""  # why the line is as good as lost, a reason of `Unclear`

    @abstractmethod
    def ask(self, ask: AskT) -> None:
        """Carry out what the script wants, and wait if it is no `Aside`."""

    @abstractmethod
    def receive(self, data: bytes) -> Iterable[ItemT]:
        """Return what became complete with `data`. Never raises."""

    @abstractmethod
    def take(self, item: ItemT) -> Reaction[AnswerT] | None:
        """Handle one item; return what the script is to know of it."""

    def timeout(self) -> Iterable[ItemT]:
        """Do what is due beneath the wait of the script."""
        return ()

    def silent(self) -> Reaction[AnswerT] | None:
        """Return what the script is to know when the wait is over."""
        if self.due_at is None or self.now < self.due_at:
            return None
        return NotHeard("no_answer")

    def overdue(self) -> Reaction[AnswerT] | None:
        """Return what the script is to know though bytes still come."""
        return None

    def stop(self) -> Reaction[AnswerT] | None:
        """Ask the terminal to stop, or leave it to the script."""
        return StopWanted()

    def renew(self) -> bool:
        """Say whether the conversation goes on over another line, as this one broke."""
        return False

    def close(self) -> None:
        """The script is about to end: report what is left before its final event."""

    def accept(self) -> None:
        """Acknowledge the answer that ended the script; its final event is on disk."""

    @property
    def acknowledged(self) -> bool:
        """Whether the terminal has taken what was asked last, as far as the protocol says so."""
        return False

    @property
    def wake_at(self) -> float | None:
        """When `timeout` is due at the latest."""
        return self.due_at

    @property
    def settled(self) -> bool:
        """Whether the link needs nothing more once the script has ended."""
        return True


@dataclass(frozen=True, slots=True)
class Say:
    """Write `data` and hear the next thing within `wait_seconds`, or in the time that is left."""

    data: bytes = b""
    wait_seconds: float | None = None
    from_last_byte: bool = False  # any byte begins the wait anew


@dataclass(frozen=True, slots=True)
class Write(Aside):
    """Write `data`, and go on."""

    data: bytes


Words = Say | Write


class Stream(Exchange[Words, ItemT, ItemT]):
    """Writes what it is told and hands on what `read` makes of the bytes, one item at a time.

    Whoever babbles is as good as silent: after `latest` (if None, the end of the wait) bytes that
    make no event end the wait as well.
    """

    def __init__(self, read: Callable[[bytes], Iterable[ItemT]]) -> None:
        super().__init__()
        self.latest: float | None = None
        self._read = read
        self._anew_seconds: float | None = None

    def ask(self, ask: Words) -> None:
        """Write, and wait."""
        self.send += ask.data
        if isinstance(ask, Write):
            return
        self._anew_seconds = ask.wait_seconds if ask.from_last_byte else None
        if ask.wait_seconds is not None:
            self.due_at = self.now + ask.wait_seconds

    def receive(self, data: bytes) -> Iterable[ItemT]:
        """Read."""
        if self._anew_seconds is not None:
            self.due_at = self.now + self._anew_seconds
        return self._read(data)

    def take(self, item: ItemT) -> Reaction[ItemT]:
        """Hand it on."""
        return Heard(item)

    def overdue(self) -> Reaction[ItemT] | None:
        """End the wait of a script that a babbling terminal keeps awake."""
        latest = self.due_at if self.latest is None else self.latest
        return NotHeard("no_answer") if latest is not None and self.now >= latest else None


class ScriptedDialogue(ABC, Generic[AskT, ItemT, AnswerT]):
    """One conversation, used once: a `contract.Dialogue` that runs the script of an operation."""

    def __init__(self, exchange: Exchange[AskT, ItemT, AnswerT]) -> None:
        self._exchange = exchange
        self._script: Running[AskT, AnswerT]
        self._unread: deque[ItemT] = deque()
        self._storing = False
        self._told = False  # the final event
        self._over = False  # the script has ended
        self._lost = ""

    @abstractmethod
    def script_for(self, operation: Operation) -> Running[AskT, AnswerT] | FinalEvent:
        """Return the script for `operation`, or its final event where there is nothing to say."""

    # --- inputs, see `contract.Dialogue`

    def begin(self, operation: Operation, now: float) -> Step:
        """Open the conversation."""
        self._exchange.now = now
        script = self.script_for(operation)
        if isinstance(script, Generator):
            self._script = script
            self._go_on(None)
        else:
            self._finish(script)
        return self._step()

    def receive(self, data: bytes, now: float) -> Step:
        """Bytes came; any split, any garbage. Never raises."""
        if self._ended:
            return Step()
        self._exchange.now = now
        self._take(self._exchange.receive(data))
        if not self._exchange.events and self._waits:
            self._react(self._exchange.overdue())
        return self._step()

    def timeout(self, now: float) -> Step:
        """`wake_at` was reached and nothing came; harmless when it comes too early."""
        if self._ended:
            return Step()
        self._exchange.now = now
        self._take(self._exchange.timeout())
        if self._waits:
            self._react(self._exchange.silent())
        return self._step()

    def line_lost(self, now: float) -> Step:
        """The line broke."""
        self._exchange.now = now
        if self._waits and self._exchange.renew():
            return self._step()
        self._lose("link_lost")
        return self._step()

    def committed(self, now: float) -> Step:
        """The events of the last step are on disk: acknowledge, and go on if there is more."""
        return self._answered(now, stored=True)

    def not_committed(self, now: float) -> Step:
        """The events could not be stored: what was offered is not acknowledged."""
        return self._answered(now, stored=False)

    def cancel(self, now: float) -> Step:
        """Somebody wants to stop. Not an outcome; an approval may still cross it."""
        self._exchange.now = now
        self._exchange.wishes.stop = True
        if self._waits and not self._told:
            self._react(self._exchange.stop())
        return self._step()

    # --- inside

    @property
    def _waits(self) -> bool:
        """Whether the script waits for the terminal."""
        return not (self._over or self._storing or self._lost)

    @property
    def _ended(self) -> bool:
        """Whether there is nothing left to do, for the link neither."""
        return bool(self._lost) or (self._over and self._exchange.settled)

    def _answered(self, now: float, *, stored: bool) -> Step:
        self._exchange.now = now
        storing, self._storing = self._storing, False
        if storing and not self._over:
            self._go_on(Stored(stored))
        elif storing and stored and not self._lost:
            self._exchange.accept()
        self._read_on()
        return self._step()

    def _take(self, items: Iterable[ItemT]) -> None:
        if self._over:
            return
        self._unread.extend(items)
        if len(self._unread) > UNREAD_ITEMS_MAX:
            self._lose("unreadable")
        elif self._exchange.broken:
            self._lose(self._exchange.broken)
        self._read_on()

    def _read_on(self) -> None:
        while self._unread and self._waits:
            self._react(self._exchange.take(self._unread.popleft()))

    def _react(self, reaction: Reaction[AnswerT] | None) -> None:
        if reaction is not None:
            self._go_on(reaction)

    def _lose(self, reason: str) -> None:
        if self._lost:
            return
        waits, self._lost = self._waits, reason
        self._unread.clear()
        if waits:
            self._go_on(NotHeard(reason, self._exchange.acknowledged, lost=True))

    def _go_on(self, reaction: Reaction[AnswerT] | None) -> None:
        """Let the script react, until it waits for something."""
        exchange = self._exchange
        while True:
            try:
                # The first `send` of a generator must be None, which its type does not know.
                wanted = self._script.send(reaction)  # type: ignore[arg-type]
            except StopIteration as end:
                self._finish(end.value)
                return
            reaction = None
            match wanted:
                case Tell(event):
                    if isinstance(event, _FINAL):
                        self._told = True
                        exchange.close()
                    exchange.events.append(event)
                    self._storing = True
                    return
                case Note(event):
                    exchange.events.append(event)
                case Aside():
                    if not self._lost:
                        exchange.ask(wanted)
                case _ if self._lost:
                    reaction = NotHeard(self._lost, lost=True)
                case _:
                    exchange.ask(wanted)
                    return

    def _finish(self, final: FinalEvent | None) -> None:
        assert (final is None) == self._told, "a script has one final event"
        self._over = True
        self._unread.clear()
        if final is not None:
            self._exchange.close()
            self._exchange.events.append(final)
            self._storing = True

    def _step(self) -> Step:
        exchange = self._exchange
        send, exchange.send = bytes(exchange.send), bytearray()
        events, exchange.events = tuple(exchange.events), []
        if self._ended:
            return Step(send, events)
        new_line, exchange.new_line = exchange.new_line, False
        return Step(send, events, exchange.wake_at, new_line)

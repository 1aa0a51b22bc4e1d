"""Checks that any driver keeps the rules of `drivers.contract`; pure, for any test runner.

    problems = check(DRIVER, MySettings(), [Scene("sale", Pay(...), MyStub, count_sales)])
    assert not problems, problems

A scene is one operation against a stub of the terminal. The kit plays it whole, byte by byte and
in uneven pieces; with silence, a lost line, garbage, damage and a wish to stop at every point; and
with a journal that fails. It knows no protocol: the stub answers, and `count_money_commands` says
how many commands that move money a stretch of written bytes holds (a link's own repeats not
counted). Nothing here reads a clock, a file or chance.

    problems = check_claims(DRIVER, MySettings(), Trial(paid, next_stub, refusals, strangers, odd))

A trial tempts a driver to say what is not proved: it plays two conversations on one line, lets
every refusal follow an approval, shows strangers' transactions of the same amount, and ends that
contradict what was said before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args

from drivers import contract as c

WAKES_MAX = 500  # more timeouts in one conversation mean that silence does not end
SECONDS_MAX = 24 * 3600.0  # a conversation that outlives a business day has no end
UNEVEN_SPLITS = 5
PIECE_BYTES_MAX = 7
GARBAGE = (bytes(64), b"\xff" * 64, b"\x15" * 8, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x02\x03")
DAMAGE = 0x55  # bits flipped in one byte
DENIALS = (c.Declined, c.Canceled, c.Failed)
NEXT_REFERENCE = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d80"  # a UUID as any other
FINALS: tuple[type, ...] = get_args(c.FinalEvent)
MONEY: tuple[type, ...] = get_args(c.MoneyOperation)

# What `check_claims` does besides: something is said before, or instead of, what comes next.
Disturbance = Literal[
    "none", "silence", "line_lost", "garbage", "damage", "cancel", "stray", "refusal"
]
DISTURBANCES: tuple[Disturbance, ...] = ("silence", "line_lost", "garbage", "damage", "cancel")


class Stub(Protocol):
    """A terminal, scripted, without I/O."""

    @property
    def booked(self) -> bool:
        """Whether money is final at this terminal; False where the stub cannot tell."""

    def receive(self, data: bytes) -> bytes:
        """Return what the terminal answers to bytes that were written; b"" for nothing."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One operation and the terminal it meets. `stub` makes a new terminal for every run."""

    name: str
    operation: c.Operation
    stub: Callable[[], Stub]
    count_money_commands: Callable[[bytes], int]
    transport: Literal["serial", "tcp"] = "tcp"
    card_number: str = ""  # one that the stub sends somewhere: digits only, 13 to 19 of them


@dataclass(frozen=True, slots=True)
class Trial:
    """A payment that is paid when nothing disturbs it, and what the same terminal may do instead.

    `nobody_pays` makes the terminal that a second payment of the same amount meets, on the same
    line, when nobody pays that one. `refusals` are whole messages that refuse a payment, by name.
    `strangers` are scenes in which the terminal shows or tells another transaction of the same
    amount; `contradictions` such in which it says yes and no to one payment.
    """

    paid: Scene
    nobody_pays: Callable[[], Stub]
    refusals: Mapping[str, bytes]
    strangers: tuple[Scene, ...]
    contradictions: tuple[Scene, ...]


def check_claims(driver: c.Driver, settings: Any, trial: Trial) -> tuple[str, ...]:
    """Return what the driver claims without proof, one sentence each; an empty tuple is right."""
    problems: dict[str, None] = {}
    for name, found in _claims(driver, settings, trial):
        problems[f"{name}: {found}"] = None
    return tuple(problems)


def check(driver: c.Driver, settings: Any, scenes: Iterable[Scene]) -> tuple[str, ...]:
    """Return what breaks the rules, one sentence each; an empty tuple if the driver conforms."""
    problems: dict[str, None] = {}
    for scene in scenes:
        for problem in _problems(driver, settings, scene):
            problems[f"{scene.name}: {problem}"] = None
    return tuple(problems)


@dataclass(slots=True)
class _Run:
    """One playing of a scene, and what it showed."""

    driver: c.Driver
    settings: Any
    scene: Scene
    pieces: Callable[[bytes], Iterator[bytes]]
    disturbance: Disturbance = "none"
    after: int = 0  # how many pieces from the terminal come before the disturbance
    stores: bool = True
    words: bytes = b""  # of a stray answer or a refusal
    operation: c.Operation | None = None  # None: the scene's
    events: list[c.TerminalEvent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    written: bytearray = field(default_factory=bytearray)
    heard: int = 0
    said: list[bytes] = field(default_factory=list)  # by the terminal, answer by answer
    final_from: str = ""  # which input produced the final event
    _dialogue: c.Dialogue = field(init=False)
    _stub: Stub = field(init=False)
    _incoming: deque[bytes] = field(default_factory=deque)
    _now: float = 1000.0
    _input: str = "begin"
    _line_up: bool = True
    _cut: bool = False  # there is no other line either

    @property
    def finals(self) -> list[c.TerminalEvent]:
        return [event for event in self.events if isinstance(event, FINALS)]

    def play(self) -> _Run:
        self._dialogue = self.driver.dialogue(self.settings, self.scene.transport)
        self._stub = self.scene.stub()
        try:
            self._converse()
            self._poke_the_dead()
        except Exception as error:  # noqa: BLE001, RUF100 - whatever it raises is the finding
            self.problems.append(f"rule 5: {self._input} raised {error!r}")
        return self

    def _converse(self) -> None:
        wakes, started = 0, self._now
        operation = self.operation or self.scene.operation
        wake_at = self._settle(self._dialogue.begin(operation, self._now))
        while wake_at is not None:
            if self.disturbance != "none" and self.heard >= self.after:
                wake_at = self._disturb(wake_at)
            elif self._incoming:
                self.heard += 1
                wake_at = self._receive(self._incoming.popleft())
            else:
                wakes += 1
                if wakes > WAKES_MAX or self._now - started > SECONDS_MAX:
                    self.problems.append("rule 1: silence does not end")
                    return
                self._now, self._input = max(self._now, wake_at), "timeout"
                wake_at = self._settle(self._dialogue.timeout(self._now))

    def _disturb(self, wake_at: float) -> float | None:
        disturbance, self.disturbance = self.disturbance, "none"
        match disturbance:
            case "line_lost":
                self._line_up = False
                self._cut = True
                self._incoming.clear()
                self._input = "line_lost"
                return self._settle(self._dialogue.line_lost(self._now))
            case "cancel":
                self._input = "cancel"
                self._settle(self._dialogue.cancel(self._now))
                return self._settle(self._dialogue.cancel(self._now))
            case "garbage":
                self._incoming.clear()
                self._line_up = False
                for data in GARBAGE:
                    self._receive(data)
                return self._receive(b"\x00")
            case "stray":
                self._incoming.appendleft(self.words)
                return wake_at
            case "refusal":
                self._line_up = False
                self._incoming = deque((self.words,))
                return wake_at
            case "damage":
                if self._incoming:
                    hurt = bytearray(self._incoming.popleft())
                    hurt[len(hurt) // 2] ^= DAMAGE
                    self._incoming.appendleft(bytes(hurt))
                return wake_at
            case _:
                self._line_up = False
                self._incoming.clear()
                return wake_at

    def _receive(self, data: bytes) -> float | None:
        self._input = "receive"
        return self._settle(self._dialogue.receive(data, self._now))

    def _settle(self, step: c.Step) -> float | None:
        """Write, store, report to the dialogue, as a station does."""
        while True:
            if step.new_line:
                step = self._renewed(step)
            self._write(step.send)
            if not step.events:
                break
            if any(isinstance(event, (c.Offered, c.Approved)) for event in step.events):
                booked = self._stub.booked and not self._offered_before()
                if booked:
                    self.problems.append("rule 3: money was final before the event was stored")
            if self.finals:
                self.problems.append("rule 2: an event after the final event")
            self.events += step.events
            if self.finals and not self.final_from:
                self.final_from = self._input
            stored = self._dialogue.committed if self.stores else self._dialogue.not_committed
            step = stored(self._now)
        if step.wake_at is None and not self.finals:
            self.problems.append("rule 2: the conversation ended without a final event")
        return step.wake_at

    def _renewed(self, step: c.Step) -> c.Step:
        """Give the dialogue the new line that it asked for, or the news that there is none."""
        if step.events:
            self.problems.append("rule 7: events together with the wish for a new line")
        self._incoming.clear()
        if not self._cut:
            return step
        self._input = "line_lost"
        step = self._dialogue.line_lost(self._now)
        if step.new_line:
            self.problems.append("rule 7: a new line is asked for again and again")
        return step

    def _offered_before(self) -> bool:
        return any(isinstance(event, (c.Offered, c.Approved)) for event in self.events)

    def _write(self, data: bytes) -> None:
        self.written += data
        if data and self._line_up:
            answer = self._stub.receive(data)
            if answer:
                self.said.append(answer)
                self._incoming.extend(self.pieces(answer))

    def _poke_the_dead(self) -> None:
        """After the end nothing may happen any more, whatever comes."""
        if self.problems:
            return
        dialogue, now = self._dialogue, self._now
        pokes: tuple[tuple[str, Callable[[], c.Step]], ...] = (
            ("receive", lambda: dialogue.receive(GARBAGE[1], now)),
            ("timeout", lambda: dialogue.timeout(now + 1)),
            ("cancel", lambda: dialogue.cancel(now + 2)),
            ("line_lost", lambda: dialogue.line_lost(now + 3)),
        )
        for name, poke in pokes:
            self._input = name
            step = poke()
            if step.events or step.send or step.wake_at is not None:
                self.problems.append(f"rule 2: {name} does something after the end")


def _problems(driver: c.Driver, settings: Any, scene: Scene) -> Iterator[str]:
    whole = _Run(driver, settings, scene, _whole).play()
    yield from _own_problems(whole)
    if not whole.finals:
        return
    for pieces in (_bytes, *(_uneven(seed) for seed in range(UNEVEN_SPLITS))):
        run = _Run(driver, settings, scene, pieces).play()
        yield from _own_problems(run)
        if run.events != whole.events:
            yield "rule 5: another split of the same bytes is told otherwise"
    for disturbance in DISTURBANCES:
        for after in range(whole.heard + 1):
            run = _Run(driver, settings, scene, _whole, disturbance, after).play()
            yield from _own_problems(run)
            yield from _false_words(run, whole, disturbance, after)
    unstored = _Run(driver, settings, scene, _whole, stores=False).play()
    yield from _own_problems(unstored)
    if _moves_money(scene) and c.Offered in map(type, unstored.events):
        if c.Approved in map(type, unstored.events):
            yield "rule 3: approved although the offer could not be stored"
        if unstored._stub.booked:
            yield "rule 3: money is final although the offer could not be stored"


def _own_problems(run: _Run) -> Iterator[str]:
    yield from run.problems
    if run.scene.card_number and run.scene.card_number in _digits(run.events):
        yield "rule 8: an event shows a whole card number"
    if len(run.finals) > 1:
        yield "rule 2: more than one final event"
    count = run.scene.count_money_commands(bytes(run.written))
    if _moves_money(run.scene):
        if count > 1:
            yield "rule 4: a command that moves money was sent twice"
    elif count and not isinstance(run.scene.operation, c.EndOfDay):
        yield f"rule 4: {type(run.scene.operation).__name__} sent a command that moves money"


def _digits(events: Iterable[c.TerminalEvent]) -> str:
    """Return all that the events hold, without what may stand between the digits of a number."""
    return repr(events).replace(" ", "").replace("-", "")


def _false_words(run: _Run, whole: _Run, disturbance: Disturbance, after: int) -> Iterator[str]:
    """Find verdicts that a disturbed conversation cannot have proved."""
    if not isinstance(run.scene.operation, (*MONEY, c.Inquire)) or not run.finals:
        return
    if disturbance == "damage" and run.scene.transport == "tcp":
        return  # bare bytes over TCP carry no check of their own; TCP has one below us
    final, truth = run.finals[0], whole.finals[0]
    told = type(final).__name__
    if isinstance(final, c.Approved) and not isinstance(truth, c.Approved):
        yield f"rule 5: {told} with {disturbance} where the truth is {type(truth).__name__}"
    if isinstance(final, DENIALS) and _may_be_charged(run):
        if isinstance(truth, c.Approved) and disturbance != "cancel":
            yield f"rule 6: {told} with {disturbance} where the truth is Approved"
        # A driver may have heard the terminal's *no* and only have wanted to know more of it.
        heard = isinstance(truth, DENIALS) and getattr(final, "code", "") == truth.code
        if run.final_from == "line_lost" and after < whole.heard and not heard:
            yield f"rule 6: {told} because the line was lost"
        if after == 0 and run.written and disturbance in ("silence", "garbage"):
            yield f"rule 6: {told} although the terminal said nothing"


def _claims(driver: c.Driver, settings: Any, trial: Trial) -> Iterator[tuple[str, str]]:
    first = _Run(driver, settings, trial.paid, _whole).play()
    approval = _approval_of(first)
    if approval is None:
        yield trial.paid.name, "rule 9: the payment of a trial must be approved"
        return
    if not driver.capabilities(settings).one_talk_per_line:
        yield from _second_talks(driver, settings, trial, first, approval)
    for name, words in trial.refusals.items():
        for after in range(first.heard + 1):
            run = _Run(driver, settings, trial.paid, _whole, "refusal", after, words=words).play()
            yield from ((name, problem) for problem in _own_problems(run))
            if _approval_of(run) is not None and isinstance(run.finals[0], DENIALS):
                told = type(run.finals[0]).__name__
                yield name, f"rule 10: {told} after an approval was offered"
    for scene in trial.strangers:
        run = _Run(driver, settings, scene, _whole).play()
        yield from ((scene.name, problem) for problem in _own_problems(run))
        if _approval_of(run) is not None:
            yield scene.name, "rule 9: a stranger's transaction is told as ours"
    for scene in trial.contradictions:
        for pieces in (_whole, _bytes):
            run = _Run(driver, settings, scene, pieces).play()
            yield from ((scene.name, problem) for problem in _own_problems(run))
            if run.finals and not isinstance(run.finals[0], c.Unclear):
                told = type(run.finals[0]).__name__
                yield scene.name, f"rule 10: {told} although the terminal contradicts itself"


def _second_talks(
    driver: c.Driver, settings: Any, trial: Trial, first: _Run, approval: c.Approval
) -> Iterator[tuple[str, str]]:
    """Hold a second conversation on the line of the first, for the same amount; nobody pays it.

    What is left of the first comes into it, at any point: one answer, or all there were.
    """
    scene = replace(trial.paid, stub=trial.nobody_pays)
    operation = _next_of(scene.operation, approval)
    alone = _Run(driver, settings, scene, _whole, operation=operation).play()
    if _approval_of(alone) is not None:
        yield scene.name, "rule 9: approved where nobody pays"
        return
    parrot = replace(scene, stub=lambda: _Parrot(deque(first.said)))
    points = range(alone.heard + 1)
    leftovers = dict.fromkeys((*first.said, b"".join(first.said)))
    runs = [
        _Run(driver, settings, parrot, _whole, operation=operation),
        *(
            _Run(driver, settings, scene, _whole, "stray", at, words=words, operation=operation)
            for words in leftovers
            for at in points
        ),
    ]
    for run in runs:
        run.play()
        yield from ((scene.name, problem) for problem in _own_problems(run))
        if run.finals and isinstance(run.finals[0], c.Approved):
            yield scene.name, "rule 9: the answer to an earlier payment is told as this one's"


@dataclass(slots=True)
class _Parrot:
    """A terminal that says to a second payment what it said to the first."""

    said: deque[bytes]
    booked: bool = False

    def receive(self, data: bytes) -> bytes:
        """Return the next of the old answers."""
        del data
        return self.said.popleft() if self.said else b""


def _next_of(operation: c.Operation, approval: c.Approval) -> c.Operation:
    """Return the same payment once more: of another name, with the first one as the last known."""
    assert isinstance(operation, (c.Pay, c.Authorize, c.Refund)), "a trial is about a payment"
    known = c.Baseline(approval.fingerprint)
    return replace(operation, reference=NEXT_REFERENCE, last=known)


def _approval_of(run: _Run) -> c.Approval | None:
    """Return what the terminal approved, as far as the driver told it."""
    told = [event for event in run.events if isinstance(event, (c.Offered, c.Approved))]
    return told[-1].approval if told else None


def _may_be_charged(run: _Run) -> bool:
    """True once a command that moves money was handed out, now or (Inquire) before."""
    if isinstance(run.scene.operation, c.Inquire):
        return True
    return run.scene.count_money_commands(bytes(run.written)) > 0


def _moves_money(scene: Scene) -> bool:
    return isinstance(scene.operation, MONEY)


def _whole(data: bytes) -> Iterator[bytes]:
    yield data


def _bytes(data: bytes) -> Iterator[bytes]:
    for position in range(len(data)):
        yield data[position : position + 1]


def _uneven(seed: int) -> Callable[[bytes], Iterator[bytes]]:
    def pieces(data: bytes) -> Iterator[bytes]:
        position = 0
        while position < len(data):
            size = 1 + (seed * 5 + position * 3) % PIECE_BYTES_MAX
            yield data[position : position + size]
            position += size

    return pieces

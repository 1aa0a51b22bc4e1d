"""What a script may rely on, shown with a protocol whose words are single letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from drivers.contract import Done, Failed, Offered, Operation, Probe, Progress, Stage, Step, Unclear
from drivers.script import (
    UNREAD_ITEMS_MAX,
    Heard,
    Note,
    NotHeard,
    Running,
    Say,
    ScriptedDialogue,
    StopWanted,
    Stored,
    Stream,
    Tell,
    Words,
)
from tests.unit.money.payment.test_machine import APPROVAL

Script = Running[Words, str]


def _letters(data: bytes) -> Iterable[str]:
    return data.decode("latin-1")


class LetterStream(Stream[str]):
    """Acknowledges the letter that ended the script."""

    def accept(self) -> None:
        self.send += b"!"


class Letters(ScriptedDialogue[Words, str, str]):
    def __init__(self, script: Callable[[], Script] | None) -> None:
        super().__init__(LetterStream(_letters))
        self._begins = script

    def script_for(self, operation: Operation) -> Script | Failed:
        if self._begins is None:
            return Failed("unsupported", "", "operation_not_supported")
        return self._begins()


def begun(script: Callable[[], Script] | None) -> tuple[Letters, Step]:
    dialogue = Letters(script)
    return dialogue, dialogue.begin(Probe(), 0.0)


def asks_once() -> Script:
    match (yield Say(b"?", 5.0)):
        case Heard(letter):
            return Unclear(letter)
        case NotHeard(reason):
            return Unclear(reason)
        case other:
            return Unclear(type(other).__name__)


def offers() -> Script:
    """Offer what comes first; keep it when it is stored, else say no; end with the next letter."""
    yield Say(b"?", 5.0)
    stored = yield Tell(Offered(APPROVAL))
    match (yield Say(b"K" if stored == Stored(done=True) else b"N", 5.0)):
        case Heard(letter):
            return Unclear(letter)
        case NotHeard(reason):
            return Unclear(reason)
        case _:
            return Unclear("")


def says_goodbye() -> Script:
    yield Say(b"?", 5.0)
    stored = yield Tell(Done())
    if stored == Stored(done=True):
        yield Say(b"B", 1.0)
    return None


def test_an_answer_is_acknowledged_when_its_final_event_is_stored() -> None:
    dialogue, step = begun(asks_once)
    assert (step.send, step.wake_at) == (b"?", 5.0)
    assert dialogue.receive(b"a", 1.0) == Step(events=(Unclear("a"),))
    assert dialogue.committed(1.0) == Step(send=b"!")


def test_what_is_not_stored_is_not_acknowledged() -> None:
    dialogue, _ = begun(asks_once)
    dialogue.receive(b"a", 1.0)
    assert dialogue.not_committed(1.0) == Step()


def test_what_comes_while_something_is_stored_waits_for_the_script() -> None:
    dialogue, _ = begun(offers)
    step = dialogue.receive(b"ab", 1.0)
    assert step.events == (Offered(APPROVAL),)
    assert step.send == b""
    assert dialogue.committed(2.0) == Step(b"K", (Unclear("b"),))


def test_an_offer_that_is_not_stored_is_told_to_the_script() -> None:
    dialogue, _ = begun(offers)
    dialogue.receive(b"a", 1.0)
    assert dialogue.not_committed(2.0).send == b"N"


def test_on_a_lost_line_nothing_is_sent_and_every_ask_is_unheard() -> None:
    dialogue, _ = begun(offers)
    dialogue.receive(b"a", 1.0)
    assert dialogue.line_lost(2.0) == Step()
    assert dialogue.committed(2.0) == Step(events=(Unclear("link_lost"),))
    assert dialogue.committed(2.0) == Step()


def test_a_flood_is_a_lost_line() -> None:
    dialogue, _ = begun(offers)
    dialogue.receive(b"a", 1.0)
    dialogue.receive(b"b" * (UNREAD_ITEMS_MAX + 1), 1.0)
    assert dialogue.committed(2.0) == Step(events=(Unclear("unreadable"),))


def test_silence_ends_the_wait_and_not_before() -> None:
    dialogue, _ = begun(asks_once)
    assert dialogue.timeout(4.9) == Step(wake_at=5.0)
    assert dialogue.timeout(5.0).events == (Unclear("no_answer"),)


def test_who_babbles_is_as_good_as_silent() -> None:
    def listens() -> Script:
        heard = yield Say(b"?", 5.0)
        while not isinstance(heard, NotHeard):
            heard = yield Say()
        return Unclear(heard.reason)

    dialogue, _ = begun(listens)
    assert dialogue.receive(b"abc", 4.0) == Step(wake_at=5.0)
    assert dialogue.receive(b"abc", 5.0).events == (Unclear("no_answer"),)


def test_who_wants_to_stop_is_heard_while_the_script_waits() -> None:
    dialogue, _ = begun(asks_once)
    assert dialogue.cancel(1.0).events == (Unclear(StopWanted.__name__),)
    assert dialogue.cancel(1.0) == Step()


def test_a_goodbye_follows_the_final_event_when_it_is_stored() -> None:
    dialogue, _ = begun(says_goodbye)
    assert dialogue.receive(b"a", 1.0).events == (Done(),)
    assert dialogue.cancel(1.0).send == b""
    assert dialogue.committed(2.0) == Step(send=b"B", wake_at=3.0)
    assert dialogue.receive(b"b", 2.5) == Step()
    assert dialogue.timeout(3.0) == Step()


def test_a_note_is_told_by_the_way() -> None:
    def notes() -> Script:
        yield Say(b"?", 5.0)
        yield Note(Progress(Stage.STARTING))
        return Done()

    dialogue, _ = begun(notes)
    assert dialogue.receive(b"a", 1.0).events == (Progress(Stage.STARTING), Done())


def test_what_cannot_be_done_needs_no_script_and_sends_nothing() -> None:
    dialogue, step = begun(None)
    assert step == Step(events=(Failed("unsupported", "", "operation_not_supported"),))
    assert dialogue.receive(b"a", 1.0) == Step()

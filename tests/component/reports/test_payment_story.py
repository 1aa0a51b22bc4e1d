"""One payment is told in plain words, its repeats once, with what each side says and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.cli.commands.show import _print
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.journal import Change
from bridge.money.store.journal_entries import EVENT_TYPES, Entry
from bridge.money.store.provenance import PersonActed, acts_on
from bridge.reports.payment_story import PaymentStory, find_candidates, headline, tell
from bridge.reports.reader import Reader, reading
from drivers.contract import Approved, Baseline, Card, Declined, MaskedPan, StillRunning, Unclear
from tests.support.till import approval, goods, open_till, pay

DOUBTS = 12


@contextmanager
def journal(folder: Path) -> Iterator[Reader]:
    with reading(folder / "journal.sqlite") as reader:
        yield reader


def story_of(folder: Path, number: int) -> PaymentStory:
    with journal(folder) as reader:
        found = tell(reader, pay(number, 1).payment_id)
    assert found is not None
    return found


async def in_doubt(folder: Path) -> None:
    async with open_till(folder) as till:
        wanted = pay(1, 1250)
        await till.ledger.accept(wanted, p.Started(Baseline("T0")))
        await till.ledger.apply(wanted.payment_id, Unclear("link_lost", "the cable was pulled"))
        for _ in range(DOUBTS):
            await till.ledger.apply(wanted.payment_id, Unclear("no_answer", "no answer"))
        seen = replace(approval(pay(9, 1250)), approval_code="112233")
        await till.ledger.apply(
            wanted.payment_id, Unclear("look_alike", "it may be another's", seen=seen)
        )
        await till.ledger.apply(wanted.payment_id, p.DoubtAged())


async def test_repeated_questions_are_told_once_with_how_often(tmp_path: Path) -> None:
    await in_doubt(tmp_path)
    story = story_of(tmp_path, 1)
    (asked,) = [one for one in story.told if one.times > 1]
    assert (asked.times, asked.text) == (DOUBTS, "not clear: no answer")
    assert asked.at < asked.until
    texts = [one.text for one in story.told]
    assert texts[0] == "till-1 asks for a sale of 12.50 EUR"
    assert len(texts) == 6


async def test_a_doubt_says_what_each_side_says_and_the_command_that_answers(
    tmp_path: Path,
) -> None:
    await in_doubt(tmp_path)
    story = story_of(tmp_path, 1)
    assert headline(story.line).startswith("Whether this sale of 12.50 EUR went through is not")
    sides = {one.source: one for one in story.evidence}
    assert sides["terminal's memory"].code == "112233"
    (need,) = story.needs
    assert need.command.startswith("paybridge resolve 00000001 approved --code CODE --by NAME")


async def test_a_persons_word_and_the_books_stand_in_the_story(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        wanted = pay(1, 1250, sale=goods(1250))
        await till.ledger.accept(wanted, p.Started(Baseline("")))
        await till.ledger.apply(wanted.payment_id, Unclear("link_lost"))
        await till.ledger.apply(wanted.payment_id, p.Resolved("approved", "anna", "A1"))
        (name,) = till.ledger.payments.take_pending_purchases()
        await till.ledger.apply_purchase(name, s.Sending())
        await till.ledger.apply_purchase(name, s.Unproven("the line was cut"))
    story = story_of(tmp_path, 1)
    texts = [f"{one.source}: {one.text}" for one in story.told]
    assert "person: anna says: it was paid, approval code A1" in texts
    assert "books: whether the back office recorded it is not known: the line was cut" in texts
    assert [need.kind for need in story.needs] == ["unconfirmed"]
    assert "--record-id" in story.needs[0].command
    assert {one.source for one in story.evidence} >= {"register", "anna", "back office"}


async def test_what_a_person_noted_at_the_console_stands_in_the_story(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        wanted = pay(1, 1250)
        await till.ledger.accept(wanted, p.Started(Baseline("")))
        act = PersonActed("berta", "resolve_payment", "the slip is in the drawer")
        note = Entry(acts_on(wanted.payment_id), act, "2026-11-23T12:00:00.000Z")
        await till.journal.append(Change((note,)))
    texts = [f"{one.source}: {one.text}" for one in story_of(tmp_path, 1).told]
    said = "berta asked for resolve payment at the console: the slip is in the drawer"
    assert f"person: {said}" in texts


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("…000000000001", [1]),
        ("018f6f0e", [3, 2, 1]),
        ("T1-2", [2]),
        ("1234", [1]),
        ("47.90", [3, 1]),
        ("47,90", [3, 1]),
        ("nothing", []),
        ("", []),
        ("%", []),
    ],
)
async def test_a_payment_is_found_by_id_sale_digits_or_amount(
    tmp_path: Path, words: str, found: list[int]
) -> None:
    async with open_till(tmp_path) as till:
        cards = [(4790, "1234"), (4000, "9876"), (4790, "5555")]
        for number, (minor, digits) in enumerate(cards, 1):
            wanted = pay(number, minor, sale_id=f"T1-{number}")
            await till.ledger.accept(wanted, p.Started(Baseline("")))
            card = Card("visa", "Visa", MaskedPan.of("4" * 12 + digits))
            await till.ledger.apply(
                wanted.payment_id, Approved(replace(approval(wanted), card=card))
            )
    with journal(tmp_path) as reader:
        lines = find_candidates(reader, words)
        assert [int(line.payment_id[-12:]) for line in lines] == found
        assert find_candidates(reader, words, until="2026-01-01") == []


async def test_it_is_printed_as_it_is_told_and_hostile_words_steer_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_till(tmp_path) as till:
        other = pay(2, 300, sale_id="[bold red]x[/]\x1b[2J\x9b")
        await till.ledger.accept(other, p.Started(Baseline("")))
        await till.ledger.apply(other.payment_id, Declined("05"))
        await till.done(replace(pay(1, 1250), sale_id="[bold red]x[/]\x1b[2J\x9b"))
    _print(story_of(tmp_path, 1))
    said = capsys.readouterr().out
    assert "This sale of 12.50 EUR was approved: captured." in said
    assert "[bold red]x[/]" in said
    assert "\x1b" not in said
    assert "The other payments of its sale" in said
    assert "paybridge" not in said.rpartition("What to do")[2].partition("nothing")[0]


async def test_nobody_knows_an_unknown_payment(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.ledger.accept(pay(1, 100), p.Started(Baseline("")))
        await till.ledger.apply(pay(1, 100).payment_id, Unclear("link_lost"))
        await till.ledger.apply(pay(1, 100).payment_id, StillRunning())
    with journal(tmp_path) as reader:
        assert tell(reader, "018f6f0e-8a44-7c1b-9a3e-999999999999") is None


def test_every_event_of_the_journal_has_words() -> None:
    source = (Path(__file__).parents[3] / "bridge/reports/event_words.py").read_text()
    # What is of no payment, purchase or terminal is told by its name.
    nameless = {"AuthorityTaken", "JournalConfirmed", "JournalDoubted"}
    nameless |= {"CodeChanging", "CodeChanged", "CodeKept"}
    assert [name for name in EVENT_TYPES if f"{name}(" not in source and name not in nameless] == [
        "Pruned"
    ]

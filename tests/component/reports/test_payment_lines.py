"""The list of payments adds up to the journal, and finds what a person remembers."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.cli.payment_table import lines_as_csv, money_of, payments_table, totals_table
from bridge.money import payment as p
from bridge.money.reconciliation import net_by_payment
from bridge.reports.payment_lines import (
    PaymentLine,
    Selection,
    find_lines,
    grand_totals,
    totals_by,
)
from bridge.reports.reader import Reader, reading
from drivers.contract import Approved, Baseline, Card, Declined, MaskedPan, Money, Unclear
from tests.support.till import EUR, Till, after, approval, open_till, pay

KIND = p.PaymentType


ALL = Selection()


def lines_in(folder: Path, wanted: Selection = ALL) -> list[PaymentLine]:
    with reading(folder / "journal.sqlite") as reader:
        return find_lines(reader, wanted)


def ids(lines: list[PaymentLine]) -> list[int]:
    return [int(line.payment_id[-12:]) for line in lines]


# --- adding up

STEP = st.tuples(
    st.sampled_from(["sale", "refund", "void", "tip", "hold", "capture", "decline", "doubt"]),
    st.integers(1, 9_999),
    st.integers(0, 7),
)


async def play(till: Till, steps: list[tuple[str, int, int]]) -> None:
    """Do what the rules of the ledger let be done, of any steps at all."""
    sales: list[p.PaymentRequest] = []
    holds: list[p.PaymentRequest] = []
    for number, (step, minor, pick) in enumerate(steps, 1):
        new = pay(number, minor, sale_id=f"S{number}")
        match step:
            case "sale":
                await till.done(new)
                sales.append(new)
            case "hold":
                held = replace(new, type=KIND.PREAUTH)
                await till.done(held)
                holds.append(held)
            case "decline":
                await till.ledger.accept(new, p.Started(Baseline("")))
                await till.ledger.apply(new.payment_id, Declined("05"))
            case "doubt":
                await till.ledger.accept(new, p.Started(Baseline("")))
                await till.ledger.apply(new.payment_id, Unclear("link_lost"))
            case "capture" if holds:
                hold = holds[pick % len(holds)]
                await follow(till, hold, number, KIND.CAPTURE, min(minor, hold.amount.minor))
            case _ if sales:
                sale = sales[pick % len(sales)]
                kind = {"refund": KIND.REFUND, "void": KIND.VOID}.get(step, KIND.TIP_ADJUST)
                amount = sale.amount.minor if kind is KIND.VOID else min(minor, sale.amount.minor)
                await follow(till, sale, number, kind, amount)


async def follow(
    till: Till, original: p.PaymentRequest, number: int, kind: p.PaymentType, minor: int
) -> None:
    wanted = after(original, number, kind, minor)
    if await till.refused(wanted):
        return
    await till.ledger.apply(wanted.payment_id, p.Started(Baseline("")))
    await till.approve(wanted)


def journals_own_sums(folder: Path) -> tuple[int, int]:
    """Return what the journal counts in two ways of its own: by batch, and by what is left."""
    with reading(folder / "journal.sqlite") as reader:
        records = reader.records(row.payment_id for row in reader.rows()).values()
    left = sum(one.payment.refundable_minor for one in records)
    return sum(net_by_payment(records).values()), left


@given(st.lists(STEP, max_size=24))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_lines_add_up_to_the_totals_and_to_the_journals_own_sums(
    steps: list[tuple[str, int, int]],
) -> None:
    async def main(folder: Path) -> None:
        async with open_till(folder) as till:
            await play(till, steps)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(main(folder))
        lines = lines_in(folder)
        by_batch, left = journals_own_sums(folder)
    moved = sum(line.moved_minor for line in lines)
    assert moved == by_batch == left
    for key in ("type", "brand", "terminal_id", "method", "register_id"):
        assert sum(one.minor for one in totals_by(lines, key)) == moved
    assert sum(one.minor for one in grand_totals(lines)) == moved
    assert sum(one.tip_minor for one in grand_totals(lines)) == sum(
        line.tip_minor for line in lines if line.moved_minor
    )


async def test_the_steps_of_the_property_really_happen(tmp_path: Path) -> None:
    steps = [("sale", 900, 0), ("refund", 300, 0), ("sale", 500, 0), ("tip", 50, 1)]
    steps += [("void", 1, 1), ("hold", 700, 0), ("capture", 400, 0)]
    async with open_till(tmp_path) as till:
        await play(till, steps)
    moved = [(line.type, line.moved_minor) for line in lines_in(tmp_path)[::-1]]
    assert moved == [
        ("sale", 900),
        ("refund", -300),
        ("sale", 500),
        ("tip_adjust", 50),
        ("void", -550),
        ("preauth", 0),
        ("capture", 400),
    ]


async def test_a_void_takes_back_what_its_sale_took_with_its_tips(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        await till.done(sale)
        await follow(till, sale, 2, KIND.TIP_ADJUST, 500)
        await follow(till, sale, 3, KIND.VOID, 5000)
    lines = lines_in(tmp_path)
    assert [(line.type, line.moved_minor) for line in lines] == [
        ("void", -5500),
        ("tip_adjust", 500),
        ("sale", 5000),
    ]
    # The void alone is as much: what it was done to is looked up, not guessed.
    (void,) = lines_in(tmp_path, Selection(part=f"{3:012d}"))
    assert void.moved_minor == -5500


async def test_what_moved_nothing_is_in_no_sum_and_says_so(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000, type=KIND.PREAUTH))
        await till.ledger.accept(pay(2, 700, sale_id="S2"), p.Started(Baseline("")))
        await till.ledger.apply(pay(2, 700).payment_id, Unclear("link_lost"))
        await till.ledger.accept(pay(3, 900, sale_id="S3"), p.Started(Baseline("")))
        await till.ledger.apply(pay(3, 900).payment_id, Declined("05"))
    declined, doubt, held = lines_in(tmp_path)
    assert [line.moved_minor for line in (declined, doubt, held)] == [0, 0, 0]
    assert (doubt.at_stake_minor, held.held_minor, declined.at_stake_minor) == (700, 5000, 0)
    assert [money_of(line) for line in (declined, doubt, held)] == [
        "(9.00 EUR)",
        "? 7.00 EUR",
        "held 50.00 EUR",
    ]
    assert totals_by([declined, doubt, held], "type") == []
    assert [need.kind for need in doubt.needs] == ["being_asked"]
    assert not doubt.needs_person


# --- finding


async def fill(folder: Path) -> None:
    async with open_till(folder) as till:
        for number, (minor, digits) in enumerate(
            [(4790, "1234"), (4000, "9876"), (4790, "0034")], 1
        ):
            wanted = pay(number, minor, sale_id=f"T1-{number}")
            await till.ledger.accept(wanted, p.Started(Baseline("")))
            pan = MaskedPan.of("4" * 12 + digits)
            said = replace(approval(wanted), card=Card("visa", "Visa", pan), approval_code="A1")
            await till.ledger.apply(wanted.payment_id, Approved(said))
        other = replace(pay(4, 100, sale_id="T1-1"), register_id="till-2", terminal_id="counter-1")
        await till.done(other)
        part = pay(5, 9999, sale_id="P", accept_partial=True)
        await till.done(part, 4000)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Selection(), [5, 4, 3, 2, 1]),
        (Selection(newest=2), [5, 4]),
        (Selection(sale="T1-1"), [4, 1]),
        (Selection(sale="1-1"), []),
        (Selection(register_id="till-2"), [4]),
        (Selection(terminal_id="counter-2"), []),
        (Selection(last4="1234"), [1]),
        (Selection(last4="34"), [3, 1]),
        (Selection(amount="47.90"), [3, 1]),
        (Selection(amount="47,90"), [3, 1]),
        (Selection(amount="40"), [5, 2]),  # one was asked for more
        (Selection(amount="99.99"), [5]),
        (Selection(amount="47.90", last4="1234"), [1]),
        (Selection(amount="47.901"), []),
        (Selection(part="…000000000002"), [2]),
        (Selection(since="2026-11-23T12:00:07"), [5, 4, 3]),
        (Selection(until="2026-11-23T12:00:02"), [1]),
        (Selection(amount="47.90", newest=1), [3]),
    ],
)
async def test_payments_are_found_by_what_a_person_knows(
    tmp_path: Path, wanted: Selection, found: list[int]
) -> None:
    await fill(tmp_path)
    times = {int(line.payment_id[-12:]): line.created_at for line in lines_in(tmp_path)}
    if wanted.since:
        wanted = replace(wanted, since=times[3])
    if wanted.until:
        wanted = replace(wanted, until=times[2])
    assert ids(lines_in(tmp_path, wanted)) == found


@pytest.mark.parametrize(
    "wanted",
    [
        Selection(amount="many"),
        Selection(amount="nan"),
        Selection(amount="1e400"),
        Selection(last4="12345"),
        Selection(last4="1"),
        Selection(last4="%%"),
    ],
)
async def test_what_is_no_amount_and_no_digits_is_refused_with_an_example(
    tmp_path: Path, wanted: Selection
) -> None:
    await fill(tmp_path)
    with pytest.raises(ValueError, match=r"47\.90|two to four"):
        lines_in(tmp_path, wanted)


async def test_words_of_people_are_values_and_never_sql(tmp_path: Path) -> None:
    await fill(tmp_path)
    for bad in ("' or 1=1 --", '"', "%", "_", "T1-%"):
        assert lines_in(tmp_path, Selection(sale=bad)) == []
        assert lines_in(tmp_path, Selection(register_id=bad)) == []
        assert lines_in(tmp_path, Selection(part=bad)) == []


async def test_open_ones_are_those_that_wait_for_somebody(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000, type=KIND.PREAUTH))
        doubt = pay(2, 700, sale_id="S2")
        await till.ledger.accept(doubt, p.Started(Baseline("")))
        await till.ledger.apply(doubt.payment_id, Unclear("link_lost"))
        await till.ledger.apply(doubt.payment_id, p.DoubtAged())
        gone = pay(3, 900, sale_id="S3")
        await till.ledger.accept(gone, p.Started(Baseline("")))
        await till.ledger.apply(gone.payment_id, Declined("05"))
    lines = lines_in(tmp_path, Selection(only_open=True))
    assert ids(lines) == [2, 1]
    assert [need.kind for need in lines[0].needs] == ["in_doubt"]
    assert "paybridge resolve 00000002 approved" in lines[0].needs[0].command


# --- reading beside the writer


async def test_a_reader_cannot_write_and_sees_one_moment(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 100))
        with reading(tmp_path / "journal.sqlite") as reader:
            assert len(find_lines(reader, Selection())) == 1
            await till.done(pay(2, 200, sale_id="S2"))
            assert len(find_lines(reader, Selection())) == 1, "what came since is not in it"
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader._connection.execute("delete from entry")
        assert len(lines_in(tmp_path)) == 2


def test_many_payments_are_read_in_few_questions(tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting(Reader):
        def ask(self, query: str, values: object = ()) -> list[tuple[object, ...]]:
            asked.append(query)
            return super().ask(query, values)  # type: ignore[arg-type]

    async def main() -> None:
        async with open_till(tmp_path) as till:
            for number in range(1, 60):
                await till.done(pay(number, number, sale_id=f"S{number}"))

    asyncio.run(main())
    with reading(tmp_path / "journal.sqlite") as reader:
        lines = find_lines(Counting(reader._connection), Selection())
    assert (len(lines), len(asked)) == (59, 1)


# --- how it looks


async def test_the_table_and_the_csv_say_the_same(tmp_path: Path) -> None:
    await fill(tmp_path)
    lines = lines_in(tmp_path)
    table = payments_table(lines, datetime.astimezone)
    assert list(table.columns[5].cells) == [money_of(line) for line in lines]
    assert "visa 1234" in list(table.columns[6].cells)
    totals = totals_table(totals_by(lines, "type"), grand_totals(lines))
    assert list(totals.columns[2].cells)[-1] == "[bold]+176.80 EUR[/]"
    rows = list(csv.DictReader(io.StringIO(lines_as_csv(lines, datetime.astimezone))))
    assert [row["moved"] for row in rows] == ["40.00", "1.00", "47.90", "40.00", "47.90"]
    assert sum(float(row["moved"]) for row in rows) == pytest.approx(176.80)


async def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(replace(pay(1, 100), sale_id="=cmd|' /C calc'!A0"))
        sale = pay(2, 300, sale_id="ok")
        await till.done(sale)
        await follow(till, sale, 3, KIND.REFUND, 100)
    rows = list(csv.DictReader(io.StringIO(lines_as_csv(lines_in(tmp_path), datetime.astimezone))))
    assert rows[2]["sale_id"].startswith("'=")
    assert rows[0]["moved"] == "-1.00", "an amount stays a number"


async def test_dinars_and_fils_are_written_out(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        wanted = replace(pay(1, 1), amount=Money(1250, "KWD"))
        await till.ledger.accept(wanted, p.Started(Baseline("")))
        said = replace(approval(wanted), amount=Money(1250, "KWD"))
        await till.ledger.apply(wanted.payment_id, Approved(said))
    (line,) = lines_in(tmp_path)
    assert money_of(line) == "+1 KWD 250 fils"
    assert EUR not in money_of(line)

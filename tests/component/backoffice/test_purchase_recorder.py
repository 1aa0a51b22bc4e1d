"""The queue to the books: once, in order, for ever where nothing was applied. Virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.api.documents import Purchase
from bridge.backoffice.purchase_recorder import (
    IN_FLIGHT_MAX,
    QUERY_SECONDS_MAX,
    Recorder,
)
from bridge.errors import BackOfficeUnavailable, LoginRequired, Rejected
from bridge.money import payment as p
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Change, Journal
from drivers.contract import Approval, Approved, Money
from simulators.loop import run_virtual
from tests.unit.backoffice.test_purchase_recorder import NOW


@dataclass
class Books:
    """A back office that answers what it was told to, then applies everything."""

    answers: dict[str, list[Attempt]] = field(default_factory=dict)
    away_until: float = 0.0
    seconds: float = 0.1
    got: list[tuple[float, str]] = field(default_factory=list)
    at_once: int = 0
    at_once_max: int = 0
    doubtful_until: float = 0.0  # what is sent before then is not known to be applied
    denied_until: float = 0.0
    denial: str = "NOT_AUTHORIZED"
    asked: list[float] = field(default_factory=list)

    async def purchase_add(self, purchase: Purchase) -> Attempt:
        loop = asyncio.get_running_loop()
        name = purchase.transaction_id
        self.got.append((loop.time(), name))
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        if loop.time() < self.away_until:
            return NotApplied("no connection")
        if loop.time() < self.doubtful_until:
            return Unknown("HTTP 503 without a JSON body")
        if loop.time() < self.denied_until:
            return Refused(self.denial, "")
        waiting = self.answers.get(name[-3:], [])
        return waiting.pop(0) if waiting else Applied(f"P-{name[-3:]}")

    async def ping(self) -> None:
        self.asked.append(asyncio.get_running_loop().time())
        if self.asked[-1] < max(self.away_until, self.doubtful_until):
            raise BackOfficeUnavailable("no connection")


@dataclass
class Tokens:
    """A login that is needed until `until`, in seconds of the loop's clock."""

    until: float = 0.0
    asked: int = 0

    async def access_token(self) -> str:
        self.asked += 1
        if asyncio.get_running_loop().time() < self.until:
            raise LoginRequired("nobody has logged in yet")
        return "token"


@dataclass
class OneTokenAtOnce(Tokens):
    """A provider that takes its time over each token, one after the other."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def access_token(self) -> str:
        async with self.turn:
            await asyncio.sleep(0.5)
        return "token"


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
def play(tmp_path: Path, executor: ThreadPoolExecutor) -> Callable[..., Ledger]:
    """Record `count` sales for `seconds` of virtual time and return the ledger."""

    def run(books: Books, count: int, seconds: float, tokens: Tokens | None = None) -> Ledger:
        async def main() -> Ledger:
            connection = open_database(tmp_path / "journal.sqlite")
            ledger = Ledger(
                Journal(connection, executor),
                books=BooksPolicy("S"),
                now=lambda: NOW,
                local_now=lambda: NOW[:19],
            )
            for number in range(count):
                await pay(ledger, number)
            recorder = Recorder(ledger, books, tokens or Tokens(), random.Random(1))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(recorder.run()) for _ in range(IN_FLIGHT_MAX)]
                await asyncio.sleep(seconds)
                for task in tasks:
                    task.cancel()
            connection.close()
            return ledger

        return run_virtual(main)

    return run


async def pay(ledger: Ledger, number: int) -> None:
    payment_id = f"018f6f0e-8a44-7c1b-9a3e-{number:012d}"
    request = p.PaymentRequest(
        payment_id, "till-1", "counter-1", p.PaymentType.SALE, Money(1250, "EUR"), "h"
    )
    await ledger.accept(request, p.Started(None))
    await ledger.apply(payment_id, Approved(Approval(request.amount, str(number))))


def states(ledger: Ledger, count: int) -> list[str]:
    found = (ledger.payments.purchase(f"S-018f6f0e-8a44-7c1b-9a3e-{n:012d}") for n in range(count))
    return [one.purchase.state.value if one else "none" for one in found]


Play = Callable[..., Ledger]


def test_each_sale_is_sent_once_and_recorded(play: Play) -> None:
    books = Books()
    ledger = play(books, 20, 60.0)
    assert states(ledger, 20) == ["recorded"] * 20
    assert len(books.got) == len({name for _, name in books.got}) == 20
    assert 1 < books.at_once_max <= IN_FLIGHT_MAX


def test_a_drained_queue_has_cost_two_commits_one_request_and_one_look_at_the_login_each(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []
    append = Journal.append

    def counting(self: Journal, change: Change, **more: bool) -> asyncio.Future[int]:
        kinds = [type(one.event).__name__ for one in change.entries]
        commits.extend(one for one in kinds if one in {"Sending", "Recorded"})
        return append(self, change, **more)

    monkeypatch.setattr(Journal, "append", counting)
    books, tokens, count = Books(), Tokens(), 200
    ledger = play(books, count, 60.0, tokens)
    assert states(ledger, count) == ["recorded"] * count
    assert (commits.count("Sending"), commits.count("Recorded")) == (count, count)
    assert (len(books.got), books.asked) == (count, [])
    assert tokens.asked <= count + IN_FLIGHT_MAX
    assert books.at_once_max == IN_FLIGHT_MAX


def test_an_outage_counts_once_is_watched_by_queries_and_drains_once_it_is_back(play: Play) -> None:
    books = Books(away_until=200.0)
    ledger = play(books, 20, 600.0)
    assert states(ledger, 20) == ["recorded"] * 20
    while_away = [at for at, _ in books.got if at < 200.0]
    assert len(while_away) <= IN_FLIGHT_MAX, "a door that is shut is not hammered at"
    assert max(b - a for a, b in pairwise(books.asked)) <= QUERY_SECONDS_MAX + 1
    back = next(at for at in books.asked if at >= 200.0)
    assert min(at for at, _ in books.got if at > 1.0) - back < 1.0


def test_eight_that_fail_together_do_not_wait_as_if_it_were_eight_outages(play: Play) -> None:
    books = Books(away_until=0.05)
    play(books, 8, 60.0)
    again = [at for at, _ in books.got if at > 0.05]
    assert min(again) < 3.0


def test_at_most_what_was_under_way_becomes_doubtful_in_an_outage(play: Play) -> None:
    books = Books(doubtful_until=60.0)
    ledger = play(books, 40, 600.0)
    found = states(ledger, 40)
    assert found.count("unconfirmed") <= IN_FLIGHT_MAX
    assert found.count("recorded") == 40 - found.count("unconfirmed")
    begun = books.got[0][0]
    assert not [at for at, _ in books.got if begun + 1.0 < at < 60.0], "only queries meanwhile"


def test_eight_doubts_of_one_moment_pause_like_one(play: Play) -> None:
    answers: dict[str, list[Attempt]] = {f"{n:03d}": [Unknown("503")] for n in range(IN_FLIGHT_MAX)}
    books = Books(answers=answers)
    ledger = play(books, 20, 60.0)
    assert states(ledger, 20).count("unconfirmed") == IN_FLIGHT_MAX
    assert books.asked[0] - books.got[0][0] < 2.0, (
        "eight pauses, each longer, would be a minute and more"
    )


def test_who_waits_for_a_token_while_a_doubt_comes_up_is_not_sent(play: Play) -> None:
    books = Books(doubtful_until=5.0)
    ledger = play(books, 20, 600.0, OneTokenAtOnce())
    assert [at for at, _ in books.got if at < 5.0], "somebody has to find out"
    found = states(ledger, 20)
    assert found.count("unconfirmed") == 1
    assert found.count("recorded") == 19


def test_after_a_doubt_one_goes_alone_until_one_is_applied_and_pauses_grow(play: Play) -> None:
    names = [f"{number:03d}" for number in range(IN_FLIGHT_MAX, IN_FLIGHT_MAX + 4)]
    answers: dict[str, list[Attempt]] = {name: [Unknown("time out")] for name in names}
    answers["000"] = [Unknown("time out")]
    books = Books(answers=answers)
    ledger = play(books, 30, 900.0)
    assert states(ledger, 30).count("unconfirmed") == 5
    alone = [at for at, name in books.got if name[-3:] in names]
    pauses = [after - before for before, after in pairwise(alone)]
    assert len(books.asked) >= 5, "a query goes before each of them"
    assert pauses == sorted(pauses) or max(pauses) > 2 * min(pauses)


@pytest.mark.parametrize("denial", ["NOT_AUTHORIZED", "INVALID_REQUEST"])
def test_what_all_purchases_are_refused_for_keeps_them_queued(play: Play, denial: str) -> None:
    books = Books(denied_until=500.0, denial=denial)
    ledger = play(books, 12, 1200.0)
    assert states(ledger, 12) == ["recorded"] * 12
    meanwhile = [at for at, _ in books.got if 1.0 < at < 500.0]
    assert 1 <= len(meanwhile) < 20, "one at a time is tried"


@dataclass
class WritesNothing(Books):
    """It answers queries and refuses bad purchases, but what it writes is lost in time-outs."""

    async def purchase_add(self, purchase: Purchase) -> Attempt:
        if int(purchase.transaction_id[-3:]) % 3 == 2:
            self.got.append((asyncio.get_running_loop().time(), purchase.transaction_id))
            await asyncio.sleep(self.seconds)
            return Refused("VALIDATION", "no such sku", "lineItems")
        return await super().purchase_add(purchase)

    async def ping(self) -> None:
        self.asked.append(asyncio.get_running_loop().time())


def test_a_refused_purchase_does_not_end_a_doubt_about_writing(play: Play) -> None:
    ledger = play(WritesNothing(doubtful_until=120.0), 90, 60.0)
    doubtful = states(ledger, 90).count("unconfirmed")
    assert 0 < doubtful <= IN_FLIGHT_MAX + 8, "one goes at a time until one is applied"


@dataclass
class RefusesQueries(Books):
    """A gateway in front of it lets through only the operations that it knows."""

    async def ping(self) -> None:
        await super().ping()
        raise Rejected("INVALID_REQUEST", "this operation is not on the list")


@pytest.mark.parametrize("fault", ["away_until", "doubtful_until"])
def test_an_outage_ends_also_where_nothing_but_purchases_may_be_asked(
    play: Play, fault: str
) -> None:
    books = RefusesQueries()
    setattr(books, fault, 60.0)
    ledger = play(books, 20, 900.0)
    found = states(ledger, 20)
    assert found.count("unconfirmed") <= IN_FLIGHT_MAX
    assert found.count("recorded") == 20 - found.count("unconfirmed")
    assert len(books.got) <= 20 + IN_FLIGHT_MAX + 3, "nothing is hammered at"


def test_a_new_login_ends_an_outage(play: Play) -> None:
    books, tokens = Books(), Tokens(until=100.0)
    play(books, 3, 300.0, tokens)
    assert min(at for at, _ in books.got) < 100.0 + 5.0


def test_without_proof_it_is_never_sent_again(play: Play) -> None:
    books = Books(answers={"001": [Unknown("time out")]})
    ledger = play(books, 3, 3600.0)
    assert states(ledger, 3) == ["recorded", "unconfirmed", "recorded"]
    assert [name[-3:] for _, name in books.got].count("001") == 1


def test_a_refusal_waits_for_a_person_and_blocks_nobody(play: Play) -> None:
    books = Books(answers={"000": [Refused("VALIDATION", "no such sku", "lineItems")]})
    ledger = play(books, 2, 60.0)
    assert states(ledger, 2) == ["rejected", "recorded"]
    purchase = ledger.payments.purchase("S-018f6f0e-8a44-7c1b-9a3e-000000000000")
    assert purchase is not None
    assert purchase.purchase.error == "VALIDATION: no such sku (lineItems)"


def test_what_was_not_applied_is_sent_again_with_the_same_content(play: Play) -> None:
    books = Books(answers={"000": [NotApplied("429", retry_after_seconds=90.0)]})
    ledger = play(books, 1, 300.0)
    (first, _), (second, _) = books.got
    assert states(ledger, 1) == ["recorded"]
    assert second - first >= 90.0, "the server said when"


def test_a_needed_login_holds_everything_and_loses_nothing(play: Play) -> None:
    books, tokens = Books(), Tokens(until=500.0)
    ledger = play(books, 5, 600.0, tokens)
    assert states(ledger, 5) == ["recorded"] * 5
    assert min(at for at, _ in books.got) >= 500.0
    purchase = ledger.payments.purchase("S-018f6f0e-8a44-7c1b-9a3e-000000000000")
    assert purchase is not None
    assert purchase.purchase.attempts == 1, "waiting for a login is no attempt"

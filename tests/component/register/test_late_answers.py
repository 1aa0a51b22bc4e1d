"""Commands that wait are answered by a task of their own, whatever the publisher does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from bridge.register import api as k
from bridge.register.commands.gift_card_balance import Balances
from bridge.register.commands.gift_card_codes import CodeCommands
from bridge.register.commands.late_answers import LateAnswers
from bridge.register.commands.office_questions import OfficeQuestions
from bridge.register.commands.replies import Replies
from bridge.register.commands.terminal_operation import OPERATION_SECONDS_MAX
from drivers import contract as c
from tests.component.register.test_terminal_operation import Counter, at_a_counter, totals
from tests.support.shop import TOPICS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LITTLE_SECONDS = 0.01


@asynccontextmanager
async def answering(counter: Counter) -> AsyncIterator[LateAnswers]:
    """Run what answers; no publisher is there."""
    ledger = counter.till.ledger
    replies = Replies(counter.outbox, TOPICS, ledger, lambda: NOON)
    late = LateAnswers(
        counter.operations,
        Balances(None),
        CodeCommands(None),
        OfficeQuestions(None, lambda: NOON),
        replies=replies,
        changed=ledger.payments.something_changed.listen(),
    )
    task = asyncio.create_task(late.run())
    await asyncio.sleep(LITTLE_SECONDS)
    yield late
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def responses(counter: Counter) -> list[k.Response]:
    return [k.Response.model_validate_json(one.payload) for one in counter.outbox.responses]


def test_a_terminals_answer_becomes_a_response_while_nothing_is_published(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        async with answering(counter) as late:
            assert counter.ask(k.TerminalTotals) is None
            late.wake()
            await asyncio.sleep(LITTLE_SECONDS)
            assert not len(counter.outbox.responses)
            await counter.terminal.do(totals(5000))
            counter.till.ledger.payments.something_changed.set()
            counter.till.ledger.payments.take_changed()  # the publisher clears its own event only
            async with asyncio.timeout(OPERATION_SECONDS_MAX / 2):
                while not len(counter.outbox.responses):  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(LITTLE_SECONDS)
            assert [(one.op, one.status) for one in responses(counter)] == [
                ("terminal/totals", "ok")
            ]

    at_a_counter(tmp_path, test)


def test_a_wait_ends_in_time_although_nothing_else_happens(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        async with answering(counter) as late:
            assert counter.ask(k.TerminalTotals) is None
            assert counter.terminal.waiting[0][1] == c.EndOfDay(close=False)
            late.wake()
            await asyncio.sleep(OPERATION_SECONDS_MAX - 1)
            assert not len(counter.outbox.responses)
            await asyncio.sleep(2)
            error = responses(counter)[0].error
            assert error is not None
            assert error.code == "terminal_busy"

    at_a_counter(tmp_path, test)

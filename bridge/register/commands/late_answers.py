"""Answers commands that waited for a terminal or the back office, in a task of its own."""

from __future__ import annotations

import asyncio

from bridge.errors import RequestError
from bridge.register import api as k
from bridge.register.commands.gift_card_balance import Balances
from bridge.register.commands.gift_card_codes import CodeCommands
from bridge.register.commands.office_questions import OfficeQuestions
from bridge.register.commands.replies import Replies
from bridge.register.commands.terminal_operation import TerminalOperations
from bridge.register.mqtt.messages import Delivery


class LateAnswers:
    """Queues the responses of commands that were not answered at once."""

    def __init__(
        self,
        operations: TerminalOperations,
        balances: Balances,
        codes: CodeCommands,
        questions: OfficeQuestions,
        *,
        replies: Replies,
        changed: asyncio.Event,
    ) -> None:
        """Look for answers whenever `changed` is set; nobody else clears it."""
        self._operations = operations
        self._balances = balances
        self._codes = codes
        self._questions = questions
        self._replies = replies
        self._changed = changed

    def wake(self) -> None:
        """Note that one more command waits: its wait has an end, too."""
        self._changed.set()

    async def run(self) -> None:
        """Answer for ever.

        Raises:
            JournalError: What became of a batch could not be noted.
        """
        while True:
            try:
                async with asyncio.timeout_at(self._operations.next_at):
                    await self._changed.wait()
            except TimeoutError:
                pass  # a terminal took too long
            self._changed.clear()
            await self.answer()

    async def answer(self) -> None:
        """Queue the responses of the commands that can be answered now.

        Raises:
            JournalError: What became of a batch could not be noted.
        """
        for asked, answer in self._balances.finished():
            self._respond(asked.delivery, asked.register_id, asked.request, answer)
        for waiting, told in self._codes.finished():
            self._respond(waiting.delivery, waiting.register_id, waiting.request, told)
        for question, found in self._questions.finished():
            self._respond(question.delivery, question.register_id, question.request, found)
        for one in await self._operations.finished():
            self._respond(one.delivery, one.register_id, one.request, one.result)

    def _respond(
        self,
        delivery: Delivery,
        register_id: str,
        request: k.AnyRequest,
        result: k.Wire | dict[str, object] | RequestError,
    ) -> None:
        if isinstance(result, RequestError):
            self._replies.refuse(delivery, register_id, request.operation, result)
        else:
            response = self._replies.response(request, "ok", result=result)
            self._replies.say(delivery, register_id, response)

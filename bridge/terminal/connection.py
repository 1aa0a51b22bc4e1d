"""The line to one terminal and what was learned over it: opened, lost, reopened, talked over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bridge.errors import LineError
from bridge.money.ledger import Ledger
from bridge.terminal.conversation import Conversation, Keep, Line
from bridge.terminal.status import StationSettings, TerminalStatus
from drivers import contract as c

# The first attempts come fast, so that a cable that was put back is used within two seconds; the
# last value repeats for ever, because a terminal may be switched on at any time.
REOPEN_DELAYS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
ASK_AFTER_REPLUG_SECONDS = 5.0  # a line that flaps must not make a storm of questions


class TerminalConnection:
    """The line and its conversations. Times are in seconds of the loop's clock."""

    def __init__(
        self,
        settings: StationSettings,
        driver: c.Driver,
        driver_settings: Any,
        *,
        open_line: Callable[[], Awaitable[Line]],
        ledger: Ledger,
        status: TerminalStatus,
    ) -> None:
        """Reach the terminal with `open_line`; nothing is opened yet."""
        self._settings = settings
        self._driver = driver
        self._driver_settings = driver_settings
        self._open_line = open_line
        self._ledger = ledger
        self._queue = ledger.work(settings.terminal_id)
        self._status = status
        self._capabilities = driver.capabilities(driver_settings)
        self._line: Line | None = None
        self._attempts = 0
        self._was_gone = True  # the line was lost, not given up by us: doubts may now be settled
        self.is_probed = False  # who is at the other end of this very line was asked
        self.reopen_at = 0.0
        self.probe_at = 0.0
        self.asked_at = -ASK_AFTER_REPLUG_SECONDS  # about a doubt
        self.baseline: c.Baseline | None = None
        self.baseline_is_fresh = False

    @property
    def is_open(self) -> bool:
        """True while there is a line."""
        return self._line is not None

    @property
    def tells_once(self) -> bool:
        """True for a terminal that insists on its answer, and then remembers nothing."""
        return self._capabilities.status_query == "none"

    @property
    def can_show_last(self) -> bool:
        """True for a terminal whose baseline is its last transaction, and that can show it."""
        shows = "last_transaction" in self._capabilities.operations
        return shows and self._capabilities.status_query == "last_transaction"

    @property
    def baseline_is_usable(self) -> bool:
        """True when what we know of the terminal's last transaction cannot have changed.

        That nobody else can start a payment is agreed anew on every line, and ends with it: what
        was read over an earlier one is read again right before the command.
        """
        if self._capabilities.status_query != "last_transaction":
            return True
        return self.is_open and self.baseline_is_fresh and self._capabilities.exclusive

    @property
    def must_probe(self) -> bool:
        """True when a payment may not start before the terminal was asked how and who it is."""
        unasked = self._settings.expects_identity or self._settings.persistent
        return not self.baseline_is_usable or (unasked and not self.is_probed)

    def remembers(self, baseline: c.Baseline | None) -> bool:
        """Say whether `baseline` is still the last transaction that we know of."""
        return self._capabilities.status_query != "last_transaction" or self.baseline == baseline

    async def reach(self) -> bool:
        """Open the line if there is none; say whether there is one."""
        if self._line is None:
            await self.open()
        return self._line is not None

    async def open(self) -> None:
        """Try to open the line; the terminal's state says what came of it."""
        loop = asyncio.get_running_loop()
        try:
            self._line = await self._open_line()
        except LineError as error:
            delay = REOPEN_DELAYS_SECONDS[min(self._attempts, len(REOPEN_DELAYS_SECONDS) - 1)]
            self._attempts += 1
            self._was_gone = True
            self.reopen_at = loop.time() + delay
            self._status.unreachable(error)
            return
        self._attempts = 0
        self.probe_at = loop.time()
        self.baseline_is_fresh = False
        if self._status.state.availability == "offline" and self._settings.persistent:
            text = "connected, being asked how it is"
            self._status.show(availability="unknown", problem="connecting", problem_text=text)
        if self._was_gone:
            self._was_gone = False
            self._queue.hurry(max(loop.time(), self.asked_at + ASK_AFTER_REPLUG_SECONDS))

    def drop(self) -> None:
        """Close the line, if there is one."""
        if self._line is not None:
            self._line.close()
            self._line = None
            self.is_probed = False
            self.baseline_is_fresh = False  # from here on others may pay there

    def give_up(self) -> None:
        """Close a line that stays open otherwise, and open it anew.

        Whatever is left of the last conversation must not be read by the next one.
        """
        if self._line is not None and self._settings.persistent:
            self.drop()
            self.reopen_at = asyncio.get_running_loop().time()

    def lose(self, error: LineError) -> None:
        """Note that the line broke, and open it again soon."""
        self.drop()
        self._was_gone = True
        self.baseline_is_fresh = False
        self._attempts = 0
        self.reopen_at = asyncio.get_running_loop().time() + REOPEN_DELAYS_SECONDS[0]
        self._status.show(reconnects=self._status.state.reconnects + 1)
        self._status.unreachable(error)

    async def listen(self, until: float) -> None:
        """Wait until `until`, for work, or for an idle line to break; what it says is unasked."""
        try:
            async with self._queue.pause(until):
                if self._line is None:
                    await asyncio.sleep(max(until - asyncio.get_running_loop().time(), 0.0))
                    return
                data = await self._line.read()
        except TimeoutError:
            return
        if not data:
            self.lose(self._line_error("while idle"))

    async def converse(
        self, operation: c.Operation, payment_id: str = "", *, keep: Keep | None = None
    ) -> c.FinalEvent:
        """Hold one conversation to its end and return its last word.

        `keep` stores that word before the terminal is told that it was heard.

        Raises:
            JournalError: An event could not be stored; what could be refused was refused.
        """
        assert self._line is not None, "a conversation needs a line"
        at_terminal = self._capabilities.cancel == "at_terminal_only"
        patience = None if at_terminal else self._settings.cancel_deadline_seconds
        conversation = Conversation(
            self._ledger, self._queue, self._line, self._open_line, payment_id, patience
        )
        conversation.keep = keep
        dialogue = self._driver.dialogue(self._driver_settings, self._settings.transport)
        account = self._ledger.payments.get(payment_id)
        if account is not None and not isinstance(operation, c.Inquire):
            seconds = account.payment.request.deadline_seconds
            conversation.stage_seconds = self._settings.stage_seconds
            conversation.silent_seconds = self._settings.silent_seconds
            conversation.deadline_at = asyncio.get_running_loop().time() + seconds
        try:
            final = await conversation.hold(dialogue, operation)
        finally:
            self._line = conversation.line
            if conversation.line_lost and self._was_hung_up(conversation.final):
                self.drop()
            elif conversation.line_lost:
                self.lose(self._line_error("in a conversation"))
        left_open = self._settings.persistent and not self._capabilities.one_talk_per_line
        if not left_open and (self._capabilities.one_talk_per_line or isinstance(final, c.Unclear)):
            self.drop()
        return final

    def _was_hung_up(self, final: c.FinalEvent | None) -> bool:
        """Say whether the terminal closed a line that was opened for this conversation only.

        It had said its last word: nothing is wrong with it, and nothing is to be reached again.
        """
        said_all = final is not None and not isinstance(final, c.Unclear)
        return said_all and not self._settings.persistent

    def _line_error(self, when: str) -> LineError:
        if self._settings.transport == "serial":
            return LineError("usb_removed", f"the line was lost {when}")
        return LineError("io_error", f"the connection was lost {when}")

    def rest(self) -> None:
        """Close a line that is opened on demand: for now there is nothing more to say."""
        if not self._settings.persistent:
            self.drop()

"""What is played at the register, one misfortune at a time.

A scenario arranges, has the register start a payment, waits for documents, and says what it saw.
What must never happen in any scenario, the rules judge afterwards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from simulators.conformance.environment import TERMINAL_ID, Store
from simulators.conformance.findings import Finding, Verdict
from simulators.conformance.message_recorder import MessageRecorder
from simulators.conformance.register_operator import RegisterOperator
from simulators.conformance.transcript import Json

READY_SECONDS_MAX: Final = 30.0  # a bridge that starts, and a terminal that is found
STAGE_SECONDS_MAX: Final = 12.0  # three times a start that is not answered
FINAL_SECONDS_MAX: Final = 60.0  # the slowest is a doubt with its questions
ACKNOWLEDGE_LOOKS_MAX: Final = 10  # a register that stores a document does it at once
LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS_MAX: Final = 3.0  # a cashier's glance; times the pace of a person
RESEND_SECONDS_MAX: Final = 8.0  # the contract says 3 s
SILENT_START_SECONDS_MAX: Final = 8.0  # with the above still less than the bridge's keep-alive
UNPLUGGED_SECONDS: Final = 6.0  # longer than the patience of a register that guesses
QUIET_SECONDS: Final = 2.0  # for a mistake to show


@dataclass(slots=True)
class Day:
    """What a scenario can do and say."""

    recorder: MessageRecorder
    store: Store
    operator: RegisterOperator
    findings: list[Finding] = field(default_factory=list)
    accepts_partial: bool = False
    _count: int = 0

    def found(self, verdict: Verdict, text: str) -> None:
        """Say what was seen."""
        self.findings.append(Finding(self.recorder.scenario, verdict, text))

    def expect(self, holds: bool, right: str, wrong: str) -> bool:
        """Say which of two things was seen."""
        self.found(Verdict.RIGHT if holds else Verdict.WRONG, right if holds else wrong)
        return holds

    async def ready(self) -> bool:
        """Wait until a payment can be taken."""
        topics = self.recorder.transcript.topics

        def look() -> bool | None:
            last: dict[str, Json] = {}
            for one in self.recorder.transcript.heard:
                last[one.topic] = one.content
            online = last.get(topics.bridge_state, {}).get("state") == "online"
            terminal = last.get(topics.terminal_state(TERMINAL_ID), {})
            return True if online and terminal.get("ready") else None

        return await self.recorder.until(look, READY_SECONDS_MAX) is not None

    async def pay(self, plan: dict[str, Any]) -> str:
        """Let a shopper with this plan pay; return the payment's id, "" if nothing was started."""
        if not await self.ready():
            self.found(Verdict.NOT_SHOWN, "the simulated terminal was not ready")
            return ""
        await self.store.shopper(plan)
        return await self.ring_up()

    async def ring_up(self, patience_seconds: float | None = None) -> str:
        """Let the register start a payment; return its id, "" if nothing was started."""
        self._count += 1
        amount, sale = f"{10 + self._count}.{self._count:02d}", f"C-{self._count:04d}"
        after = len(self.recorder.transcript.heard)
        await self.operator.start(amount, sale)

        def look() -> Json | None:
            for one in self.recorder.transcript.requests("payment/start", after=after):
                amounts = one.content.get("amounts")
                if isinstance(amounts, dict) and amounts.get("requested_amount") == amount:
                    return one.content
            return None

        patience = patience_seconds or self.operator.patience_seconds
        start = await self.recorder.until(look, patience)
        if start is None:
            verdict = Verdict.WRONG if self.operator.obeys else Verdict.NOT_SHOWN
            self.found(verdict, f"sent no payment/start for {amount}")
            return ""
        self.accepts_partial = start.get("accept_partial") is True
        return str(start.get("payment_id", ""))

    async def document(
        self, payment_id: str, fits: Callable[[Json], bool], seconds: float = STAGE_SECONDS_MAX
    ) -> Json | None:
        """Wait for a document of the payment that fits."""
        documents = self.recorder.transcript.documents
        return await self.recorder.until(
            lambda: next((one for one in documents(payment_id) if fits(one)), None), seconds
        )

    async def end(self, payment_id: str, *expected: str) -> Json | None:
        """Wait for the payment's end, and see that the register keeps it."""
        if await self.document(payment_id, lambda _: True) is None:
            self.found(Verdict.NOT_SHOWN, "the bridge refused every start of the payment")
            return None
        final = await self.document(payment_id, lambda d: bool(d["final"]), FINAL_SECONDS_MAX)
        if final is None or final["status"] not in expected:
            ended = f"ended {final['status']}" if final else "has no end"
            self.found(Verdict.NOT_SHOWN, f"the payment {ended}, not {' or '.join(expected)}")
            return final
        acknowledged = await self.acknowledged(payment_id)
        self.expect(
            acknowledged,
            f"acknowledged the final document ({final['status']})",
            f"never acknowledged the final document ({final['status']})",
        )
        return final

    async def acknowledged(self, payment_id: str) -> bool:
        """Wait for the register to acknowledge the payment."""
        requests = self.recorder.transcript.requests

        def look() -> bool | None:
            found = requests("payment/acknowledge")
            return any(one.content.get("payment_id") == payment_id for one in found) or None

        for _ in range(ACKNOWLEDGE_LOOKS_MAX):
            is_over = self.operator.is_at_rest  # what was said before is heard within the look
            if await self.recorder.until(look, LOOK_SECONDS) is not None:
                return True
            if is_over:
                return False
        return False

    async def quiet(self) -> None:
        """Give a mistake time to show."""
        await self.recorder.until(lambda: None, QUIET_SECONDS)


async def approve(day: Day) -> None:
    """A shopper pays."""
    if payment_id := await day.pay({}):
        await day.end(payment_id, "approved")


async def decline(day: Day) -> None:
    """The bank says no."""
    if payment_id := await day.pay({"outcome": "decline", "code": 0x33}):
        await day.end(payment_id, "declined")
        await day.quiet()


async def partial(day: Day) -> None:
    """The card has less than the sale needs."""
    if not day.accepts_partial:
        day.found(Verdict.NOT_SHOWN, "was not seen to accept part payments (accept_partial)")
        return
    after = len(day.recorder.transcript.heard)
    payment_id = await day.pay({"partial_minor": 500})
    if not payment_id:
        return
    final = await day.end(payment_id, "approved")
    if final is None or not day.expect(
        final["result"] == "partial",
        "lived with a part payment",
        "asked for a whole payment although it says accept_partial",
    ):
        return

    def look() -> bool | None:
        found = day.recorder.transcript.requests("payment/start", after=after)
        return any(one.content.get("payment_id") != payment_id for one in found) or None

    if await day.recorder.until(look, QUIET_SECONDS) is None:
        day.found(Verdict.NOT_SHOWN, "was not seen to take the rest; it may have been cash")


async def signature(day: Day) -> None:
    """The shopper signs, and somebody must compare the signature."""
    after = len(day.recorder.transcript.heard)
    payment_id = await day.pay({"signature": True, "entry": "chip", "brand": "visa"})
    if not payment_id:
        return
    await day.end(payment_id, "approved")

    def look() -> bool | None:
        return any(day.recorder.transcript.requests("prompt/answer", after=after)) or None

    if await day.recorder.until(look, ANSWER_SECONDS_MAX * day.operator.pace) is None:
        day.found(Verdict.NOT_SHOWN, "left the question about the signature to its default answer")
    else:
        day.found(Verdict.RIGHT, "answered the question about the signature")


async def cancel_race(day: Day) -> None:
    """The cashier cancels while the bank already says yes."""
    plan = {"seconds_at_host": 4.0 * day.operator.pace, "abort": "approve_anyway"}
    payment_id = await day.pay(plan)
    if not payment_id:
        return
    await day.document(payment_id, _at_the_bank)
    if not await day.operator.cancel(payment_id):
        day.found(Verdict.NOT_SHOWN, "nobody can cancel here (--cancel)")
        await day.end(payment_id, "approved")
        return

    def look() -> bool | None:
        found = day.recorder.transcript.requests("payment/cancel")
        return any(one.content.get("payment_id") == payment_id for one in found) or None

    asked = await day.recorder.until(look, day.operator.patience_seconds) is not None
    day.expect(asked, "asked for the cancel by its payment_id", "sent no payment/cancel")
    await day.end(payment_id, "approved", "canceled")
    await day.quiet()


async def silence(day: Day) -> None:
    """Nobody answers the start, which then is delivered twice."""
    if not await day.ready():
        day.found(Verdict.NOT_SHOWN, "the simulated terminal was not ready")
        return
    await day.store.shopper({})
    after = len(day.recorder.transcript.heard)
    day.store.freeze_bridge()
    try:
        payment_id = await day.ring_up(SILENT_START_SECONDS_MAX)
        requests = day.recorder.transcript.requests
        again = await day.recorder.until(
            lambda: len(list(requests("payment/start", after=after))) > 1 or None,
            RESEND_SECONDS_MAX,
        )
    finally:
        day.store.thaw_bridge()
    if not payment_id:
        return
    day.expect(again is not None, "asked again while nobody answered", "did not ask again")
    ids = {one.content.get("payment_id") for one in requests("payment/start", after=after)}
    day.expect(
        ids == {payment_id},
        "asked again with the same payment_id",
        "asked again with a new payment_id: that may charge twice",
    )
    await day.end(payment_id, "approved")


async def duplicate(day: Day) -> None:
    """The broker delivers old documents again."""
    payment_id = await day.pay({"seconds_at_host": 2.0})
    if not payment_id:
        return
    first = await day.document(payment_id, _at_the_bank)
    transcript = day.recorder.transcript
    topic = transcript.topics.payment(transcript.register_id, payment_id)
    old = [one.payload for one in transcript.heard if one.topic == topic and one.payload]
    if first is None or first["final"]:
        day.found(Verdict.NOT_SHOWN, "the payment was over too soon")
        return
    for payload in (old[-1], old[0], old[0]):
        await day.recorder.say(topic, payload)
    await day.end(payment_id, "approved")
    await day.quiet()


async def power_cut(day: Day) -> None:
    """The register loses its power in the middle of a payment."""
    payment_id = await day.pay({"seconds_at_host": 3.0 * day.operator.pace})
    if not payment_id:
        return
    await day.document(payment_id, _at_the_bank)
    after = len(day.recorder.transcript.heard)
    can_recover = await day.operator.cut_power()
    await day.document(payment_id, lambda d: bool(d["final"]), FINAL_SECONDS_MAX)
    if not can_recover or not await day.operator.recover(f"C-{day._count:04d}", payment_id):
        day.found(Verdict.NOT_SHOWN, "nobody can switch it on again here (--recover)")
        return

    def look() -> bool | None:
        for one in day.recorder.transcript.requests(after=after):
            operation = one.topic.partition("/request/")[2]
            if operation == "payment/list" or one.content.get("payment_id") == payment_id:
                return True
        return None

    looked = await day.recorder.until(look, day.operator.patience_seconds) is not None
    day.expect(
        looked,
        "looked after the open payment when it was on again",
        "forgot the open payment: it neither asked about it nor acknowledged it",
    )
    await day.quiet()


async def bridge_restart(day: Day) -> None:
    """The store PC loses its power in the middle of a payment."""
    payment_id = await day.pay({"seconds_at_host": 3.0})
    if not payment_id:
        return
    await day.document(payment_id, _at_the_bank)
    await day.store.kill_bridge()
    await day.quiet()
    await day.store.start_bridge()
    await day.end(payment_id, "approved", "failed", "declined", "canceled")


async def in_doubt(day: Day) -> None:
    """The cable is pulled after the card was charged."""
    cut = {"kind": "unplug", "at": "status", "seconds": UNPLUGGED_SECONDS}
    payment_id = await day.pay({"mischief": [cut]})
    if not payment_id:
        return
    doubt = await day.document(payment_id, lambda d: d["status"] == "in_doubt" or d["final"])
    if doubt is None or doubt["final"]:
        day.found(Verdict.NOT_SHOWN, "the payment was not in doubt")
    await day.end(payment_id, "approved", "failed")
    await day.quiet()


def _at_the_bank(document: Json) -> bool:
    """The card was presented; or all is over already."""
    return document["stage"] == "authorizing" or bool(document["final"])


Scenario = Callable[[Day], Awaitable[None]]

SCENARIOS: Final[dict[str, Scenario]] = {
    "approve": approve,
    "decline": decline,
    "partial": partial,
    "signature": signature,
    "cancel race": cancel_race,
    "silence": silence,
    "duplicate delivery": duplicate,
    "power cut of the register": power_cut,
    "bridge restart": bridge_restart,
    "in doubt": in_doubt,
}

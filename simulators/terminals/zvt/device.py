"""The terminal from inside: what every command handler works with, and its faults.

A handler speaks to the register with `reply` and `tell`, waits for people with `wait`, moves money
through the acquirer with `book` and `undo`, and passes the five places where a scenario may make
something go wrong with `reach`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from drivers.contract import MaskedPan, ProtocolError
from drivers.zvt.codec import apdu as codec
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv, decode_tlv, encode_text, find_tlv
from simulators.terminals.shared.ledger import Entry, Kind, TerminalLedger
from simulators.terminals.shared.shopper import CARDS, Mischief, Place, Plan, Shopper
from simulators.terminals.zvt.flash import Flash, Transaction
from simulators.terminals.zvt.line_end import LineEnd, NoReply
from simulators.terminals.zvt.profile import SENDS_INTERMEDIATE_STATUS, TERMINAL_FORMATS, Profile
from simulators.terminals.zvt.sequence import Numbers

CURRENCY_LETTERS = {978: "EUR", 756: "CHF", 826: "GBP", 840: "USD", 203: "CZK", 348: "HUF"}
CURRENCY_OTHER_THAN_EURO = 756
INSERT_CARD, REMOVE_CARD = 0x0A, 0x0B  # intermediate status, PA00P015 rev 13.08
WAIT_A_LITTLE = 0x9C  # reply of the register: repeat the status information
REPEAT_STATUS_SECONDS = 2.0  # after 84 9C, PA00P015 rev 13.08 on vending
REPEAT_STATUS_MAX = 3  # card complete's default


class Stopped(Exception):
    """The register's abort was obeyed."""


class PowerCut(Exception):
    """The terminal lost power. Seconds until it is back, and whether the flash is gone."""

    def __init__(self, seconds: float, *, forget: bool) -> None:
        super().__init__(f"off for {seconds} s")
        self.seconds = seconds
        self.forget = forget


@dataclass(slots=True)
class Registered:
    """What the register announced at its last registration."""

    config: int
    blocks: bool = False  # it accepts 06 D3
    tlv: bool = False

    @property
    def shows_stages(self) -> bool:
        """Whether 04 FF is wanted."""
        return bool(self.config & SENDS_INTERMEDIATE_STATUS)

    def prints_here(self, claim: int) -> bool:
        """Whether receipts of this sort (`claim` is its bit) go to the register's printer."""
        return bool(self.config & claim and self.config & TERMINAL_FORMATS)


@dataclass(slots=True)
class Device:
    """Everything a handler needs. One per terminal; it lives through power cuts."""

    profile: Profile
    flash: Flash
    ledger: TerminalLedger
    shopper: Shopper
    talk: LineEnd
    rng: random.Random
    clock: Callable[[], datetime]
    unplug: Callable[[float], None]
    speed: float | None = None  # None: as the scenario says
    registered: Registered = field(init=False)
    numbers: Numbers = field(init=False)
    demands: int = field(init=False)  # a status that somebody must see to; 0 is none
    registrations: int = 0  # since power-up
    _registered_in: int = -1  # the connection of the last registration
    plan: Plan = field(default_factory=Plan)
    stoppable: bool = False
    over: bool = False  # only the register's reply to the last message is missing, or not even that
    _abort_asked: asyncio.Event = field(default_factory=asyncio.Event)
    _session: int = 0
    _number: int | None = None  # of the command that runs

    def __post_init__(self) -> None:
        self.numbers = Numbers(self.profile)
        self.demands = self.profile.demands
        self.power_up()

    # --- life

    def power_up(self) -> None:
        """Start with what the flash memory holds."""
        stored = self.flash.contents.config if self.profile.keeps_registration else None
        self.registered = Registered(self.profile.factory_config if stored is None else stored)
        self.registrations = 0
        self.stoppable = False
        self.numbers.start(active=False)

    def begin(self, session: int, number: int | None) -> None:
        """A command begins: it belongs to the connection over which it came."""
        self._session = session
        self._number = number
        self.stoppable = False
        self.over = False
        self._abort_asked.clear()

    def note_registration(self) -> None:
        """Remember over which connection the register has registered."""
        self._registered_in = self._session

    @property
    def knows_register(self) -> bool:
        """Whether the register is known on the connection of the running command."""
        forgets = self.profile.forgets_with_connection and self.talk.kind == "tcp"
        return not forgets or self._registered_in == self._session

    @property
    def detached(self) -> bool:
        """Whether the connection over which the running command came is lost."""
        return self.talk.session != self._session or (
            self.talk.kind == "tcp" and not self.talk.connected
        )

    # --- people

    async def wait(self, seconds: float) -> None:
        """Let people or hosts take `seconds`, scaled by the speed.

        Raises:
            Stopped: The register's abort came and was obeyed.
        """
        speed = self.shopper.scenario.speed if self.speed is None else self.speed
        scaled = seconds / speed if speed else 0.0
        if scaled <= 0 and not self._abort_asked.is_set():
            return
        try:
            async with asyncio.timeout(scaled):
                await self._abort_asked.wait()
        except TimeoutError:
            return
        raise Stopped

    def allow_stop(self, plan: Plan) -> None:
        """From here on 06 B0 is heard, until `stoppable` is taken back."""
        self.plan = plan
        self.stoppable = self.profile.abort != "never"

    def ask_to_stop(self) -> m.Reply | None:
        """Return the reply to a 06 B0 during a dialogue; None is silence."""
        how = self.plan.abort
        if how == "ignore":
            return None
        if not self.stoppable or how == "refuse":
            return m.Reply(0x83)
        if how == "obey":
            self._abort_asked.set()
        return m.POSITIVE

    # --- words

    def reply(self, message: m.Reply = m.POSITIVE, *, last: bool = False) -> None:
        """Reply to the command that runs; a refusal, or a `last` reply, ends it."""
        self.over = last or not message.positive
        if self.talk.session == self._session:
            self.say(message, self._number)

    def say(self, message: m.Message, number: int | None = None) -> None:
        """Send a reply to the command with `number`, or something that nobody replies to."""
        if isinstance(message, m.Reply):
            number = self.numbers.of_reply(number)
        else:
            number = self.numbers.next(message)
        self.talk.send(codec.encode(message, self.profile.charset, number))

    async def tell(self, message: m.Message) -> m.Reply:
        """Send a message as master and return the register's reply.

        Raises:
            NoReply: There was none, or the connection of this dialogue is lost.
        """
        if self.talk.session != self._session:
            raise NoReply("the connection of this dialogue is lost")
        self.over = self.over or isinstance(message, m.Completion | m.StatusReport | m.Abort)
        number = self.numbers.next(message)
        apdu = codec.encode(message, self.profile.charset, number)
        answer = await self.talk.ask(apdu, self.profile.reply_seconds, number)
        reply = codec.decode(answer)
        if not isinstance(reply, m.Reply):
            raise NoReply("the reply cannot be read")
        return reply

    async def tell_calmly(self, message: m.Message) -> None:
        """Send a message whose reply changes nothing."""
        with contextlib.suppress(NoReply):
            await self.tell(message)

    def hang_up(self) -> None:
        """Close this dialogue's connection: on TCP, who waits for T3 in vain does that.

        Source: PA00P016 rev 04, TCP/IP transport.
        """
        self.over = True
        if self.talk.kind == "tcp" and not self.detached:
            self.talk.hang_up()

    async def show(self, code: int) -> None:
        """Say what is on the display, if the register wants to know."""
        if self.registered.shows_stages and self.plan.show_stages:
            profile, words = self.profile, self.profile.words
            shown = {INSERT_CARD: words.insert_card, REMOVE_CARD: words.remove_card}
            text = encode_text(shown.get(code, words.please_wait), profile.charset)
            tlv = (Tlv(0x24, (Tlv(0x07, text),)),) if profile.stage_texts else None
            await self.tell_calmly(m.IntermediateStatus(code, profile.stage_minutes, tlv))

    async def fail(self, code: int, text: str = "") -> None:
        """End a dialogue without success: 04 0F and 06 1E as the profile says.

        At least one of them says no: a bare completion would pass for a success.
        """
        profile = self.profile
        if profile.status_on_decline or profile.failure_ends_with == "completion":
            await self.tell_calmly(
                m.StatusInformation(result=code, terminal_id=profile.terminal_id, text=text)
            )
        if profile.failure_ends_with == "abort":
            await self.tell_calmly(m.Abort(None if profile.bare_abort else code))
        else:
            await self.finish()

    async def finish(self) -> None:
        """Send the completion."""
        text = self.profile.completion_text.encode("ascii")
        await self.tell_calmly(m.Completion(rest=text))

    # --- money

    def book(
        self,
        transaction: Transaction,
        kind: Kind,
        *,
        original: int | None = None,
        reason: str = "",
    ) -> Transaction:
        """Tell the acquirer's ledger, then the flash memory; return the transaction."""
        self.record(kind, transaction, original=original, reason=reason)
        self.flash.store(transaction)
        return transaction

    def undo(self, transaction: Transaction, reason: str) -> None:
        """Reverse by ourselves what was approved and not committed."""
        self.record("reversed", transaction, original=transaction.number, reason=reason)
        self.flash.drop(transaction)

    def record(
        self,
        kind: Kind,
        transaction: Transaction,
        *,
        original: int | None = None,
        reason: str = "",
        amount_minor: int | None = None,
    ) -> int:
        """Append to the ledger and return the entry's number."""
        number = self.ledger.next_number()
        self.ledger.append(
            Entry(
                number=number,
                kind=kind,
                amount_minor=transaction.amount_minor if amount_minor is None else amount_minor,
                currency=CURRENCY_LETTERS.get(transaction.currency, "XXX"),
                receipt=f"{transaction.receipt:04d}",
                trace=f"{transaction.trace:06d}",
                masked_pan=MaskedPan.of(CARDS[transaction.brand].pan).text,
                original=original,
                reason=reason,
                time=transaction.moment,
                terminal_id=self.profile.terminal_id,
            )
        )
        return number

    @property
    def keeps_unanswered(self) -> bool:
        """Whether a payment stands although the register did not answer."""
        if self.profile.unanswered is None:
            return self.talk.kind == "tcp"
        return self.profile.unanswered == "keep"

    # --- misfortune

    async def reach(self, place: Place) -> None:
        """Let the plan's misfortunes of this place happen.

        Raises:
            PowerCut: One of them is that.
        """
        for mischief in self.plan.mischief:
            if mischief.at == place:
                await self._befall(mischief)

    async def _befall(self, mischief: Mischief) -> None:
        spoiler = self.talk.spoiler
        match mischief.kind:
            case "unplug":
                self.unplug(mischief.seconds)
            case "silent":
                self.talk.keep_silent(mischief.seconds)
                await asyncio.sleep(mischief.seconds)
            case "die":
                raise PowerCut(mischief.seconds, forget=mischief.forget)
            case "garbage":
                spoiler.garbage = mischief.count
            case "noise":
                spoiler.noise = mischief.count
            case "duplicate":
                spoiler.duplicate = True
            case "lost_ack" if self.talk.kind == "serial":
                spoiler.lost_ack = True
            case "nak" if self.talk.kind == "serial":
                spoiler.refuse_frames = mischief.count
            case "lost_ack" | "nak":
                pass  # TCP has neither
            case "trickle":
                spoiler.trickle_seconds = mischief.seconds
            case "glue":
                spoiler.glue = True
            case "wrong_currency" | "other_transaction" | "two_results" | "unknown_fields":
                pass  # these change the result itself; `payments` heeds them

    def suffers(self, kind: str) -> bool:
        """Whether the plan holds this misfortune at any place."""
        return any(mischief.kind == kind for mischief in self.plan.mischief)


def raw_tlv(command: m.Command | m.Registration, tag: int) -> bytes | None:
    """Return the value of one TLV object of a command."""
    return find_tlv(command.tlv, tag) if command.tlv else None


def announces(command: m.Registration, control: int) -> bool:
    """Whether the register listed a command of the terminal in tag 26."""
    listed = raw_tlv(command, 0x26)
    if listed is None:
        return False
    wanted = control.to_bytes(2, "big")
    try:
        objects = decode_tlv(listed)
    except ProtocolError:
        return False
    return any(item.tag == 0x0A and item.value == wanted for item in objects)

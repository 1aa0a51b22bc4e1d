"""Compares what was said and stored with what really happened. Knows the rules, not the code.

The rules have the numbers of the reliability plan (S1 to S15, L1, L2). The judge hears of
everything as it happens and speaks at once; `at_the_end` asks what only the end can tell.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from drivers import contract as c
from simulators.broker import Message
from simulators.terminals.shared.shopper import CARDS
from tests.simulation.attempts import STARTING, Attempt
from tests.simulation.batch_judge import BatchJudge
from tests.simulation.gift_judge import GiftJudge
from tests.simulation.plans import PlannedLeg, legs_of
from tests.simulation.story import Story
from tests.simulation.truth import Charge, Order, Truth

NO = frozenset({"declined", "canceled", "failed"})
FINAL = NO | {"approved"}
CANARIES = tuple(card.pan for card in CARDS.values())
# Refusals that say "this payment does not exist or was not started", so money must not have moved.
DENIES_EXISTENCE = frozenset(
    {
        *("payment_not_found", "stale_command", "command_expired", "terminal_offline"),
        *("terminal_busy", "terminal_maintenance", "bridge_draining", "clock_skew"),
    }
)
RUNNING = frozenset({"in_progress", "canceling"})
ID_COLUMN, TERMINAL_COLUMN, STATUS_COLUMN, AMOUNT_COLUMN = 0, 2, 4, 6  # of a `payment` row
GIFT_CARDS = "gift-cards"  # stands where a terminal does; a load waits there for its sale


@dataclass(slots=True)
class Told:
    """What registers were told of one payment, all lives of the bridge together."""

    rev: int = 0
    core: str = ""  # what must not change within one revision
    status: str = ""
    said_no: str = ""  # the first final no, in whatever way it was said


@dataclass(slots=True)
class Asked:
    """What registers asked for under one payment id."""

    contents: list[tuple[int, str]] = field(default_factory=list)  # amount and sale, first first
    fresh_lives: set[int] = field(default_factory=set)  # that were handed a start to act upon


@dataclass(slots=True)
class Judge:
    """One world's judge."""

    story: Story
    truth: Truth
    told: dict[str, Told] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    stored: dict[str, list[str]] = field(default_factory=dict)  # subject -> kinds, as committed
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)  # payment -> status, amount
    terminal_of: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)  # payments whose start was PUBACKed
    refused: set[str] = field(default_factory=set)  # request ids that got an error
    wishes: dict[str, int] = field(default_factory=dict)  # request id -> amount of a start
    requests: Counter[str] = field(default_factory=Counter)  # per transaction id
    resolved: set[str] = field(default_factory=set)  # a person answered, with the truth
    kinds: dict[str, str] = field(default_factory=dict)  # payment -> type, as documents say
    sale_of: dict[str, str] = field(default_factory=dict)  # payment -> the till's sale
    plans: dict[str, tuple[PlannedLeg, ...]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)  # codes of gift cards
    gifts: GiftJudge = field(init=False)
    batches: BatchJudge = field(init=False)

    def __post_init__(self) -> None:
        self.gifts = GiftJudge(self, self.story, self.truth)
        self.batches = BatchJudge(self.story, self.truth)

    # --- orders and charges

    def ordered(self, order: Order, running: Iterable[str], life: int) -> None:
        """An order to take money leaves. `running` are other payments on that terminal."""
        name, payment_id = short(order.payment_id), order.payment_id
        earlier = [o for o in self.truth.orders_for(payment_id) if o is not order]
        if earlier:
            self.story.accuse("S1", f"{name} is ordered {len(earlier) + 1} times")
        if "Started" not in self.stored.get(payment_id, ()):
            self.story.accuse("S2", f"{name} leaves before its send marker is on disk")
        for other in running:
            self.story.accuse("S8", f"{name} is ordered while {short(other)} runs on the terminal")
        self.batches.ordered(order)
        asked = self.asked.get(payment_id)
        if asked is None or life not in asked.fresh_lives:
            self.story.accuse("S12", f"{name} is ordered, but only stale commands asked for it")
        elif order.amount_minor not in {
            *(minor for minor, _ in asked.contents[:1]),
            self.rows.get(payment_id, ("", -1))[1],
        }:
            self.story.accuse("S7", f"{name} is ordered with {order.amount_minor}")

    def charged(self, charge: Charge, how: str) -> None:
        """A terminal took money, or gave it up."""
        name = short(charge.payment_id)
        self.story.tell(charge.terminal_id, f"{charge.amount_minor} {how} for {name}")
        if not charge.payment_id:
            return
        if how != "taken":
            return
        self.story.mark(f"terminal {charge.kind}")
        self.batches.moved(charge)
        if len(self.truth.charges_for(charge.payment_id)) > 1:
            self.story.accuse("S1", f"{name} is charged twice")
        told = self.told.get(charge.payment_id)
        if told is not None and told.said_no:
            self.story.accuse("S3", f"{name} is charged after it was told {told.said_no}")

    # --- the journal

    def relied_on(self, payment_id: str, events: Iterable[c.TerminalEvent]) -> None:
        """A dialogue is told that its events are on disk, and may now accept for good."""
        kinds = self.stored.get(payment_id, ())
        says_yes = any(isinstance(one, c.Offered | c.Approved) for one in events)
        if says_yes and "Offered" not in kinds and "Approved" not in kinds:
            self.story.accuse("S2", f"{short(payment_id)} is accepted before it is stored")

    def committed(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """A commit is on disk."""
        for text, values in statements:
            statement = text.lstrip()
            if statement.startswith("insert into entry"):
                self.stored.setdefault(str(values[0]), []).append(str(values[1]))
                self.batches.committed(str(values[0]), str(values[1]))
            elif statement.startswith("insert into payment"):
                payment_id, status = str(values[ID_COLUMN]), str(values[STATUS_COLUMN])
                self.rows[payment_id] = (status, int(values[AMOUNT_COLUMN]))
                self._holds_alone(payment_id, str(values[TERMINAL_COLUMN]), status)
                if status in NO and payment_id not in self.resolved:
                    self._said_no(payment_id, status, "the journal")

    def _holds_alone(self, payment_id: str, terminal_id: str, status: str) -> None:
        self.terminal_of[payment_id] = terminal_id
        if status not in RUNNING or terminal_id == GIFT_CARDS:
            return
        for other, (its_status, _) in self.rows.items():
            same = other != payment_id and self.terminal_of.get(other) == terminal_id
            if same and its_status in RUNNING:
                self.story.accuse("S8", f"{short(payment_id)} and {short(other)} both run")

    def restarted(
        self, entries: Iterable[tuple[str, str]], rows: Mapping[str, tuple[str, int]]
    ) -> None:
        """A new process reads the journal: everything that was acknowledged must be there."""
        found: dict[str, list[str]] = {}
        for subject, kind in entries:
            found.setdefault(subject, []).append(kind)
        for subject, kinds in self.stored.items():
            if found.get(subject, [])[: len(kinds)] != kinds:
                self.story.accuse("S9", f"the journal lost a commit about {short(subject)}")
        self.stored = found
        self.rows = dict(rows)
        for payment_id, told in self.told.items():
            if told.status in FINAL and rows.get(payment_id, ("absent", 0))[0] != told.status:
                self.story.accuse("S5", f"{short(payment_id)} was told {told.status}, forgotten")
        for payment_id in self.acknowledged:
            if payment_id not in rows:
                self.story.accuse("S6", f"{short(payment_id)} was acknowledged, forgotten")
        for charge in self.truth.charges:
            status = rows.get(charge.payment_id, ("absent", 0))[0]
            if charge.stands and charge.payment_id and status in NO | {"absent", "queued"}:
                self.story.accuse("S3", f"{short(charge.payment_id)} is charged, but {status}")

    # --- what registers see

    def asks(self, attempt: Attempt, amount_minor: int, request_id: str) -> None:
        """A register sends a command that makes a payment, or several."""
        if "amounts" in attempt.content and not attempt.is_plan:
            self.wishes[request_id] = amount_minor
        legs = legs_of(attempt)
        if legs:
            self.plans[attempt.payment_id] = legs
        wanted = [(one.payment_id, one.minor) for one in legs]
        for payment_id, minor in wanted or [(attempt.payment_id, amount_minor)]:
            self.sale_of[payment_id] = attempt.sale_id
            asked = self.asked.setdefault(payment_id, Asked())
            if (minor, attempt.sale_id) not in asked.contents:
                asked.contents.append((minor, attempt.sale_id))

    def payments_of(self, payment_id: str) -> list[str]:
        """Return what a command makes: the legs of a plan, or the one payment."""
        return [one.payment_id for one in self.plans.get(payment_id, ())] or [payment_id]

    def plan_of(self, payment_id: str) -> tuple[PlannedLeg, ...]:
        """Return the legs of the plan that a payment is one of, () if it is none."""
        for legs in self.plans.values():
            if any(one.payment_id == payment_id for one in legs):
                return legs
        return ()

    def delivered(self, payment_id: str, life: int) -> None:
        """A life of the bridge takes a command that it may act upon."""
        for name in self.payments_of(payment_id):
            self.asked.setdefault(name, Asked()).fresh_lives.add(life)

    def puback(self, payment_id: str, request_id: str, answers: Iterable[bytes]) -> None:
        """A start is acknowledged to the broker: it is in the journal, or was refused."""
        first = self.payments_of(payment_id)[0]
        if first in self.rows:
            self.acknowledged.add(first)
            return
        refusals = {json.loads(answer).get("request_id") for answer in answers} | self.refused
        if request_id not in refusals:
            self.story.accuse("S6", f"{short(payment_id)} is acknowledged, but nowhere stored")

    def published(self, message: Message) -> None:
        """The bridge published something."""
        if "/request/" not in message.topic:
            self.look_for_secrets(message.payload, f"on {message.topic}")
        parts = message.topic.split("/")
        if len(parts) < 6 or parts[2] != "registers" or not message.payload:
            return
        match parts[4]:
            case "payments":
                self._document(json.loads(message.payload))
            case "response":
                response = json.loads(message.payload)
                self._response(response)
                self.batches.told(response)
            case _:
                pass

    def _document(self, document: Mapping[str, Any]) -> None:
        payment_id, status, rev = document["payment_id"], document["status"], document["rev"]
        name = short(payment_id)
        told = self.told.setdefault(payment_id, Told())
        doubt = {**(document.get("in_doubt") or {}), "next_check_at": None}  # a clock's business
        core = json.dumps(
            [
                *(status, document.get("stage"), document["funds"]),
                *(document["recording"]["status"], doubt),
                document["amounts"].get("captured_amount"),
            ]
        )
        self.story.tell("document", f"{name} rev={rev} {status} {document.get('stage') or ''}")
        if rev < told.rev and core != told.core:
            self.story.accuse("S5", f"{name} goes back from rev {told.rev} to {rev} {status}")
        if rev == told.rev and core != told.core:
            self.story.accuse("S5", f"{name} rev {rev} was {told.core}, is {core}")
        if told.status in FINAL and status != told.status:
            self.story.accuse("S5", f"{name} was told {told.status}, then {status}")
        if status in FINAL and self.rows.get(payment_id, ("absent", 0))[0] != status:
            self.story.accuse("S5", f"{name} is told {status} before the journal has it")
        if payment_id not in self.rows:
            self.story.accuse("S5", f"{name} is told before the journal has it")
        told.rev, told.core, told.status = max(rev, told.rev), core, status
        self.kinds[payment_id] = document["type"]
        if status in NO:
            self._said_no(payment_id, status, "its document")
        if status == "approved" and document["method"] == "gift_card":
            self.gifts.said_yes(payment_id, document["type"])
        elif status == "approved":
            self._said_yes(payment_id, document)

    def _response(self, response: Mapping[str, Any]) -> None:
        payment_id = response.get("payment_id")
        error = response.get("error") or {}
        self.story.tell(
            "response",
            f"{short(payment_id or '')} {response['op']} {response['status']} "
            f"{error.get('code', '')} {response.get('payment_status') or ''}",
        )
        if error:
            self.refused.add(response["request_id"])
        if not payment_id:
            return
        wish = self.wishes.get(response["request_id"])
        stored = self.rows.get(payment_id, ("", wish))[1]
        if response["status"] == "accepted" and wish not in {None, stored}:
            self.story.accuse("S7", f"{short(payment_id)}: {wish} is accepted, stored is {stored}")
        status = response.get("payment_status")
        if status in NO:
            self._said_no(payment_id, status, "a response")
        if error.get("code") in DENIES_EXISTENCE and error.get("money_moved") == "no":
            standing = self.truth.standing(payment_id)
            if standing and response["op"] in STARTING | {"payment/status"}:
                self.story.accuse("S3", f"{short(payment_id)} is charged, but {error['code']}")

    def _said_no(self, payment_id: str, status: str, where: str) -> None:
        told = self.told.setdefault(payment_id, Told())
        told.said_no = told.said_no or status
        if self.truth.standing(payment_id):
            self.story.accuse("S3", f"{short(payment_id)} is charged, but {where} says {status}")
        if self.gifts.moved(payment_id) and payment_id not in self.resolved:
            self.story.accuse("S3", f"{short(payment_id)} holds a card, but {where} says {status}")

    def _said_yes(self, payment_id: str, document: Mapping[str, Any]) -> None:
        standing = self.truth.standing(payment_id)
        captured = document["amounts"].get("captured_amount")
        if not standing:
            self.story.accuse("S4", f"{short(payment_id)} is told approved, but nothing was moved")
        elif document["type"] not in {"sale", "capture"}:
            return
        elif captured is None or cents(captured) != standing[0].amount_minor:
            self.story.accuse(
                "S4",
                f"{short(payment_id)} is told {captured}, taken were {standing[0].amount_minor}",
            )

    # --- the books

    def asked_of_the_office(self, operation: str, variables: Mapping[str, Any]) -> None:
        """A request for the back office arrived."""
        self.look_for_cards(json.dumps(variables).encode(), "in a request to the back office")
        if operation != "purchaseAdd":
            return
        name = variables["add"]["transactionId"]
        self.requests[name] += 1
        # A request may be repeated once with a new token, after proof that the first did nothing.
        if self.stored.get(name, []).count("Sending") * 2 < self.requests[name]:
            self.story.accuse("S10", f"{name} is sent before `sending` is on disk")

    def changed_at_the_office(self, line: Mapping[str, Any], same: int) -> None:
        """The back office did something; `same` counts the purchases with that transaction id."""
        if same > 1:
            self.story.accuse("S4", f"{line['transactionId']} is in the books {same} times")
        self.gifts.changed(line)

    # --- secrets

    def look_for_cards(self, data: bytes, where: str) -> None:
        """Nobody but the terminal may know a whole card number."""
        for canary in CANARIES:
            if canary.encode() in data:
                self.story.accuse("S11", f"a card number {where}")

    def look_for_secrets(self, data: bytes, where: str) -> None:
        """Look for card numbers, and for the codes of gift cards."""
        self.look_for_cards(data, where)
        if any(code.encode() in data for code in self.secrets):
            self.story.accuse("S11", f"the code of a gift card {where}")


def short(name: str) -> str:
    """Return a payment's id as the story shows it."""
    return name.rpartition("-")[2].lstrip("0") or name


def cents(text: str) -> int:
    """Return euro text in cents."""
    return int(Decimal(text) * 100)

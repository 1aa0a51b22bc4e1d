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
from tests.simulation.doubt_judge import DoubtJudge
from tests.simulation.gift_judge import GiftJudge
from tests.simulation.pages import FINAL, GIFT_CARDS, NO, OPEN, RUNNING, Page, Pages, Row
from tests.simulation.plans import PlannedLeg, legs_of
from tests.simulation.pledges import Pledges
from tests.simulation.purchase_judge import PurchaseJudge
from tests.simulation.story import Story
from tests.simulation.truth import Charge, Order, Truth

UNSETTLED = frozenset({"pending", "unconfirmed", "rejected"})
SIGNED = "SignatureJudged"
CANARIES = tuple(card.pan for card in CARDS.values())
# Refusals that say "this payment does not exist or was not started", so money must not have moved.
DENIES_EXISTENCE = frozenset(
    {
        *("payment_not_found", "stale_command", "command_expired", "terminal_offline"),
        *("terminal_busy", "terminal_maintenance", "bridge_draining", "clock_skew"),
        "too_many_requests",
    }
)


@dataclass(slots=True)
class Told:
    """What registers were told of one payment, all lives of the bridge together."""

    rev: int = 0
    core: str = ""  # what must not change within one revision
    status: str = ""
    said_no: str = ""  # the first final no, in whatever way it was said
    document: Mapping[str, Any] = field(default_factory=dict)  # the newest one


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
    pages: Pages = field(default_factory=Pages)  # what is on the disk
    wishes: dict[str, int] = field(default_factory=dict)  # request id -> amount of a start
    requests: Counter[str] = field(default_factory=Counter)  # per transaction id
    resolved: set[str] = field(default_factory=set)  # a person answered, with the truth
    receipts: Counter[str] = field(default_factory=Counter)  # told to be stored, per payment
    answers: dict[str, bool] = field(default_factory=dict)  # request id -> is it the signature
    erred: set[str] = field(default_factory=set)  # a person answered, and was wrong
    kinds: dict[str, str] = field(default_factory=dict)  # payment -> type, as documents say
    sale_of: dict[str, str] = field(default_factory=dict)  # payment -> the till's sale
    plans: dict[str, tuple[PlannedLeg, ...]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)  # codes of gift cards
    patience: DoubtJudge = field(init=False)
    gifts: GiftJudge = field(init=False)
    batches: BatchJudge = field(init=False)
    pledges: Pledges = field(init=False)
    purchases: PurchaseJudge = field(init=False)

    def __post_init__(self) -> None:
        self.gifts = GiftJudge(self, self.story, self.truth)
        self.batches = BatchJudge(self.story, self.truth, self._is_open)
        self.pledges = Pledges(self.story)
        self.patience = DoubtJudge(self.story)
        self.purchases = PurchaseJudge(self, self.story)

    def _is_open(self, payment_id: str) -> bool:
        return self.pages.status(payment_id) in OPEN

    # --- orders and charges

    def ordered(self, order: Order, life: int) -> None:
        """An order to take money leaves."""
        name, payment_id = short(order.payment_id), order.payment_id
        earlier = [o for o in self.truth.orders_for(payment_id) if o is not order]
        if earlier:
            self.story.accuse("S1", f"{name} is ordered {len(earlier) + 1} times")
        if "Started" not in self.pages.kinds(payment_id):
            self.story.accuse("S2", f"{name} leaves before its send marker is on disk")
        for other in self.pages.running_at(order.terminal_id):
            if other != payment_id:
                self.story.accuse("S8", f"{name} is ordered while {short(other)} runs there")
        self.batches.ordered(order)
        asked = self.asked.get(payment_id)
        if asked is None or life not in asked.fresh_lives:
            self.story.accuse("S12", f"{name} is ordered, but only stale commands asked for it")
        elif order.amount_minor not in {
            *(minor for minor, _ in asked.contents[:1]),
            self.pages.amount_minor(payment_id),
        }:
            self.story.accuse("S7", f"{name} is ordered with {order.amount_minor}")

    def original_of(self, payment_id: str) -> str:
        """Return what a payment follows up, as it stands on the disk."""
        known = payment_id in self.pages.rows
        return self.pages.payment(payment_id).original_id if known else ""

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
        self.pledges.moved(self.command_of(charge.payment_id), f"{name} is charged")
        if len(self.truth.charges_for(charge.payment_id)) > 1:
            self.story.accuse("S1", f"{name} is charged twice")
        told = self.told.get(charge.payment_id)
        if told is not None and told.said_no:
            self.story.accuse("S3", f"{name} is charged after it was told {told.said_no}")

    # --- the journal

    def relied_on(self, payment_id: str, events: Iterable[c.TerminalEvent]) -> None:
        """A dialogue is told that its events are on disk, and may now accept for good."""
        kinds = self.pages.kinds(payment_id)
        says_yes = any(isinstance(one, c.Offered | c.Approved) for one in events)
        if says_yes and "Offered" not in kinds and "Approved" not in kinds:
            self.story.accuse("S2", f"{short(payment_id)} is accepted before it is stored")
        self.receipts[payment_id] += sum(isinstance(one, c.Receipt) for one in events)

    def committed(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """A commit is on disk."""
        for subject, news in self.pages.take(statements):
            if isinstance(news, Page):
                self.batches.committed(subject, news.kind)
                self.purchases.committed(subject, news.kind)
                if news.kind == "Requested":
                    self.pledges.stored(self.command_of(subject))
                continue
            self._holds_alone(news)
            if news.status == "approved":
                self._has_receipts(subject)
            if news.status in NO and subject not in self.resolved:
                self._said_no(subject, news.status, "the journal")

    def _has_receipts(self, payment_id: str) -> None:
        """What the terminal was told to be safe is on the disk with the outcome, at the latest."""
        if self.pages.kinds(payment_id).count("Receipt") < self.receipts[payment_id]:
            self.story.accuse("S2", f"a receipt of {short(payment_id)} is taken, and not stored")

    def _holds_alone(self, row: Row) -> None:
        if row.status not in RUNNING or row.terminal_id == GIFT_CARDS:
            return
        for other in self.pages.running_at(row.terminal_id):
            if other != row.payment_id:
                self.story.accuse("S8", f"{short(row.payment_id)} and {short(other)} both run")

    def restarted(self, found: Pages) -> None:
        """A new process reads the journal: everything that was acknowledged must be there."""
        for subject, pages in self.pages.entries.items():
            if found.entries.get(subject, [])[: len(pages)] != pages:
                self.story.accuse("S9", f"the journal lost a commit about {short(subject)}")
        self.pages = found
        self.receipts.clear()  # what was under way is gone, and the terminal knows
        for payment_id, told in self.told.items():
            if told.status in FINAL and found.status(payment_id) != told.status:
                self.story.accuse("S5", f"{short(payment_id)} was told {told.status}, forgotten")
        for command_id in self.pledges.acknowledged:
            if self.payments_of(command_id)[0] not in found.rows:
                self.story.accuse("S6", f"{short(command_id)} was acknowledged, forgotten")
        for charge in self.truth.charges:
            status = found.status(charge.payment_id)
            if charge.payment_id in self.erred:
                continue
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

    def command_of(self, payment_id: str) -> str:
        """Return the id under which a register asked for a payment: its plan's, or its own."""
        for plan_id, legs in self.plans.items():
            if any(one.payment_id == payment_id for one in legs):
                return plan_id
        return payment_id

    def delivered(self, command_id: str, life: int, *, fresh: bool) -> None:
        """A life of the bridge takes a command; a fresh one it may act upon."""
        self.pledges.delivered(command_id)
        for name in self.payments_of(command_id) if fresh else ():
            self.asked.setdefault(name, Asked()).fresh_lives.add(life)

    def allows(self, payment_id: str, life: int) -> None:
        """Something else than a command lets a life of the bridge begin this payment."""
        self.asked.setdefault(payment_id, Asked()).fresh_lives.add(life)

    def puback(self, command_id: str, request_id: str, life: int) -> None:
        """A command that asks for money is acknowledged to the broker."""
        on_disk = self.payments_of(command_id)[0] in self.pages.rows
        self.pledges.acknowledges(command_id, request_id, life, on_disk=on_disk)

    def published(self, message: Message) -> None:
        """The bridge published something."""
        if "/request/" not in message.topic:
            self.look_for_secrets(message.payload, f"on {message.topic}")
        parts = message.topic.split("/")
        if len(parts) < 6 or parts[2] != "registers":
            return
        if parts[4] == "payments" and not message.payload:
            self._emptied(parts[5])
        if not message.payload:
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

    def _emptied(self, payment_id: str) -> None:
        """A document is taken away: nothing of it may be open any more."""
        row = self.pages.rows.get(payment_id)
        if row is not None and (row.status not in FINAL or row.recording in UNSETTLED):
            self.story.accuse("S5", f"{short(payment_id)} is taken away, it is {row.recording}")

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
        if status in FINAL and self.pages.status(payment_id) != status:
            self.story.accuse("S5", f"{name} is told {status} before the journal has it")
        stage = document.get("stage")
        offered = "Offered" in self.pages.kinds(payment_id)
        if status == "in_progress" and not offered and stage not in {None, "starting"}:
            stages = [one.content["stage"] for one in self.pages.of(payment_id, "Progress")]
            if stage not in stages:
                self.story.accuse("S5", f"{name} is told {stage} before the journal has it")
        if payment_id not in self.pages.rows:
            self.story.accuse("S5", f"{name} is told before the journal has it")
        if rev >= told.rev:
            told.document = document
        told.rev, told.core, told.status = max(rev, told.rev), core, status
        self.kinds[payment_id] = document["type"]
        self.patience.told(document)
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
        self.patience.refused(error)
        if not payment_id:
            return
        if error and response["op"] in STARTING:
            self.pledges.refused(payment_id, response["request_id"], error)
        self._promised(response, payment_id)
        wish = self.wishes.get(response["request_id"])
        stored = self.pages.amount_minor(payment_id)
        if response["status"] == "accepted" and wish is not None and stored not in {None, wish}:
            self.story.accuse("S7", f"{short(payment_id)}: {wish} is accepted, stored is {stored}")
        status = response.get("payment_status")
        if status in NO:
            self._said_no(payment_id, status, "a response")
        if error.get("code") in DENIES_EXISTENCE and error.get("money_moved") == "no":
            standing = self.truth.standing(payment_id)
            lied = payment_id in self.erred
            if standing and not lied and response["op"] in STARTING | {"payment/status"}:
                self.story.accuse("S3", f"{short(payment_id)} is charged, but {error['code']}")

    def _promised(self, response: Mapping[str, Any], payment_id: str) -> None:
        """Look whether what a register is told to be taken is on the disk."""
        if response["status"] != "accepted":
            return
        running = response["payment_status"] in {"queued", *RUNNING}
        if response["op"] == "payment/cancel" and running and payment_id in self.pages.rows:
            final = self.pages.status(payment_id) in FINAL
            if not final and "CancelAsked" not in self.pages.kinds(payment_id):
                self.story.accuse("S6", f"{short(payment_id)}: a cancel is taken, and not stored")
        said = self.answers.get(response["request_id"])
        if response["op"] == "prompt/answer" and said is not None:
            judged = [one.content["accepted"] for one in self.pages.of(payment_id, SIGNED)]
            if judged[:1] != [said]:
                self.story.accuse("S6", f"{short(payment_id)} is signed: {said}, stored {judged}")

    def _said_no(self, payment_id: str, status: str, where: str) -> None:
        told = self.told.setdefault(payment_id, Told())
        told.said_no = told.said_no or status
        if payment_id in self.erred:
            return
        if self.truth.standing(payment_id):
            self.story.accuse("S3", f"{short(payment_id)} is charged, but {where} says {status}")
        if self.gifts.moved(payment_id) and payment_id not in self.resolved:
            self.story.accuse("S3", f"{short(payment_id)} holds a card, but {where} says {status}")

    def _sums_with_tips(self, charge: Charge) -> set[int]:
        """Return what a payment may be told to have taken, as its tips were added one by one."""
        sums = [charge.amount_minor]
        for one in self.truth.charges:
            if one.original_id == charge.payment_id and one.kind == "tipped":
                sums.append(sums[-1] + one.amount_minor)
        return set(sums)

    def _said_yes(self, payment_id: str, document: Mapping[str, Any]) -> None:
        if payment_id in self.erred:
            return
        standing = self.truth.standing(payment_id)
        captured = document["amounts"].get("captured_amount")
        if not standing:
            self.story.accuse("S4", f"{short(payment_id)} is told approved, but nothing was moved")
        elif document["type"] not in {"sale", "capture"}:
            return
        elif captured is None or cents(captured) not in self._sums_with_tips(standing[0]):
            self.story.accuse(
                "S4",
                f"{short(payment_id)} is told {captured}, taken were {standing[0].amount_minor}",
            )

    # --- the books

    def asked_of_the_office(self, operation: str, arguments: Mapping[str, Any]) -> None:
        """A request for the back office arrived."""
        self.look_for_cards(json.dumps(arguments).encode(), "in a request to the back office")
        if operation != "purchaseAdd":
            return
        name = arguments["add"]["transactionId"]
        self.requests[name] += 1
        self.purchases.asked(name, arguments["add"])
        # A request may be repeated once with a new token, after proof that the first did nothing.
        if self.pages.kinds(name).count("Sending") * 2 < self.requests[name]:
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

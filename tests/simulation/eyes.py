"""What a world sees of a life of the bridge, and tells its judge; commits may be its last."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.register.mqtt.messages import Delivery
from drivers import contract as c
from tests.simulation import misfortune
from tests.simulation.attempts import STARTING
from tests.simulation.incarnation import Incarnation, Statements
from tests.simulation.judge import short
from tests.simulation.truth import CARD_ORDERS, Order

if TYPE_CHECKING:
    from tests.simulation.world import World


class Eyes:
    """The `Watch` of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ordered(
        self, life: Incarnation, terminal_id: str, operation: c.MoneyOperation, conversation: int
    ) -> None:
        """Note an order about money, and whom it could disturb."""
        world, payment_id = self._world, operation.reference
        judge = world.judge
        order = Order(
            payment_id=payment_id,
            terminal_id=terminal_id,
            amount_minor=amount_of(operation),
            at=world.loop.time(),
            conversation=conversation,
            kind=type(operation).__name__,
            original_id=judge.original_of(payment_id),
        )
        world.truth.orders.append(order)
        if order.kind not in CARD_ORDERS:
            world.shoppers[terminal_id].misbehave_once()
        if payment_id not in judge.asked and order.kind == "Reverse":
            self._allow_reversal(life, payment_id, order.original_id)
        what = f"{order.kind} {short(payment_id)} {order.amount_minor} at {terminal_id}"
        world.story.tell("order", what)
        if currency_of(operation) != "EUR":
            world.story.accuse("S7", f"{short(payment_id)} is ordered in {currency_of(operation)}")
        judge.ordered(order, life.number)

    def _allow_reversal(self, life: Incarnation, payment_id: str, original_id: str) -> None:
        """Let the bridge void by itself what a clerk refused to take a signature for.

        So it may, in some shops, with what nobody compared in time.
        """
        world = self._world
        said = world.judge.pages.payment(original_id).refused_signature
        if said is None:
            return
        by_clerk = any(till.signatures.get(original_id) is False for till in world.tills)
        if by_clerk if said else not world.weather.unsigned_stands:
            world.judge.allows(payment_id, life.number)
        world.story.mark("signature refused" if said else "nobody signed")

    def began(self, life: Incarnation, terminal_id: str, operation: c.Operation) -> None:
        """Tell of a conversation."""
        world, name = self._world, type(operation).__name__
        if isinstance(operation, c.Inquire):
            world.story.mark("inquiry")
            name += f" {short(operation.about.reference)}"
        world.story.tell("station", f"{terminal_id} {name}")

    def relied_on(self, payment_id: str, events: Iterable[c.TerminalEvent]) -> None:
        """Have the judge look whether it is on disk."""
        self._world.judge.relied_on(payment_id, events)

    def delivered(self, life: Incarnation, delivery: Delivery, *, excess: bool = False) -> None:
        """Note which life was handed a command that it may act upon; not upon one in excess."""
        world = self._world
        body = json.loads(delivery.payload)
        if delivery.duplicate:
            world.story.mark("redelivery")
        if operation_of(delivery.topic) == "prompt/answer":
            world.judge.answers[body["request_id"]] = body["answer"]["confirmed"]
        if operation_of(delivery.topic) not in STARTING:
            return
        expires_at = body.get("expires_at")
        epoch = body.get("bridge_epoch")
        late = expires_at is not None and datetime.fromisoformat(expires_at) <= world.now()
        elsewhere = epoch is not None and epoch != life.bus.epochs[delivery.connection]
        guarded = expires_at is not None or epoch is not None
        fresh = (
            not excess
            and not delivery.retained
            and not late
            and not elsewhere
            and (guarded or delivery.live)
        )
        world.judge.delivered(body["payment_id"], life.number, fresh=fresh)
        if not fresh and not excess:
            world.story.mark("stale start")

    def acknowledged(self, life: Incarnation, delivery: Delivery) -> None:
        """Have the judge look whether the command is safe."""
        if operation_of(delivery.topic) in STARTING:
            body = json.loads(delivery.payload)
            self._world.judge.puback(body["payment_id"], body["request_id"], life.number)

    def committing(self, life: Incarnation, statements: Statements) -> None:
        """Kill the process now and then."""
        world = self._world
        if world.troubled and world.rng.random() < world.weather.kill_at_commit:
            if world.rng.random() < 0.5:
                misfortune.die(world, life, "before a commit")
            else:  # in the middle of it, at one of its writes
                world.commit_dies_at = world.rng.randint(1, 4)

    def committed(self, life: Incarnation, statements: Statements) -> None:
        """Tell the judge; kill the process now and then."""
        world = self._world
        world.commit_dies_at = None
        world.judge.committed(statements)
        if world.troubled and world.rng.random() < world.weather.kill_at_commit:
            misfortune.die(world, life, "after a commit")


def amount_of(operation: c.MoneyOperation) -> int:
    """Return what an operation moves, in cents."""
    match operation:
        case c.AdjustTip(tip=tip):
            return tip.minor
        case c.Reverse(amount=amount, original=original):
            return (amount or original.amount).minor
        case _:
            return operation.amount.minor


def currency_of(operation: c.MoneyOperation) -> str:
    """Return the currency of an order."""
    match operation:
        case c.AdjustTip(tip=tip):
            return tip.currency
        case c.Reverse(original=original):
            return original.amount.currency
        case _:
            return operation.amount.currency


def operation_of(topic: str) -> str:
    """Return the operation that a request's topic names, "" for any other topic."""
    _, found, operation = topic.partition("/request/")
    return operation if found else ""

"""Bugs on purpose that no world can show, each with the test that catches it; see `mutants.py`.

A world has a broker, a login and a disk of its own making, and its registers lie less than real
ones; what stands behind those doors is tested in its own room.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bridge.backoffice.login.token_file import TokenStore
from bridge.money import admission
from bridge.money import payment as p
from bridge.money.background.signature_reversals import Reversals
from bridge.money.payment import machine
from bridge.money.payment.state import Payment
from bridge.money.store.journal import GROUP_COMMITS_MAX, Journal
from bridge.register.commands.existing_payment import ExistingPayments
from bridge.register.commands.router import Desk
from bridge.register.mqtt.client import Mqtt
from bridge.register.mqtt.connection import BrokerConnection
from bridge.terminal.connection import TerminalConnection
from bridge.terminal.in_doubt import PaymentsInDoubt
from drivers import contract as c
from tests.simulation.mutants_of_edges import voids_twice
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Named:
    """A planted bug, and the test that fails with it."""

    plants: tuple[Plant, ...]
    test: str  # a pytest node


def _answers_before_the_commit(original: AnyCallable) -> AnyCallable:
    async def cancel(self: ExistingPayments, register_id: str, request: Any) -> Any:
        apply = self._ledger.apply

        async def early(payment_id: str, event: p.Event, *, wait: bool = True) -> Any:
            return await apply(payment_id, event, wait=False)

        self._ledger.apply = early  # type: ignore[method-assign]  # for this one command
        try:
            return await original(self, register_id, request)
        finally:
            del self._ledger.apply

    return cancel


def _believes_the_body(original: AnyCallable) -> AnyCallable:
    async def answer(self: Desk, delivery: Any, register_id: str, operation: str) -> None:
        said = json.loads(delivery.payload).get("x_register_id", register_id)
        await original(self, delivery, said, operation)

    return answer


def _acknowledges_anywhere(original: AnyCallable) -> AnyCallable:
    def acknowledge(self: Mqtt, delivery: Any) -> None:
        link = self._link
        number = delivery.connection if link is None else link.number
        original(self, replace(delivery, connection=number))

    return acknowledge


def _any_fence_is_ours(original: AnyCallable) -> AnyCallable:
    def raise_fence(self: BrokerConnection, epoch: str) -> None:
        original(self, epoch)
        self.live = True

    return raise_fence


def _syncs_nothing(original: AnyCallable) -> AnyCallable:
    def sync(self: TokenStore) -> None:
        """Leave it to the disk."""

    return sync


def _loses_what_is_too_much(original: AnyCallable) -> AnyCallable:
    def start(self: Journal, *arguments: Any) -> None:
        if len(self._waiting) > GROUP_COMMITS_MAX:
            _, lost = self._waiting[GROUP_COMMITS_MAX]
            del self._waiting[GROUP_COMMITS_MAX]
            lost.set_result(0)
        original(self, *arguments)

    return start


def _keeps_evidence(original: AnyCallable) -> AnyCallable:
    async def lose(self: PaymentsInDoubt, payment_id: str) -> None:
        """Believe that the terminal still tells of what is in doubt."""

    return lose


def _keeps_the_line(original: AnyCallable) -> AnyCallable:
    def give_up(self: TerminalConnection) -> None:
        """Go on with what there is."""

    return give_up


def _a_second_capture_adds_nothing(original: AnyCallable) -> AnyCallable:
    def follow(payment: p.Payment, event: p.FollowedUp) -> Any:
        after, actions = original(payment, event)
        if event.type is p.PaymentType.CAPTURE and payment.used_minor:
            after = replace(after, used_minor=payment.used_minor)
        return after, actions

    return follow


def _nothing_may_have_moved(original: Any) -> Any:
    return property(lambda payment: False)


def _a_tip_pays_goods(original: AnyCallable) -> AnyCallable:
    def kept(payments: Any) -> int:
        return sum(one.held_minor for one in payments)

    return kept


def _a_cent_is_nothing(original: AnyCallable) -> AnyCallable:
    def advance(payment: p.Payment, event: p.Event) -> Any:
        asked = payment.request.amount
        if isinstance(event, c.Approved) and asked.minor - event.approval.amount.minor == 1:
            event = c.Approved(replace(event.approval, amount=asked))
        return original(payment, event)

    return advance


NAMED_MUTANTS: dict[str, Named] = {
    "a cancel is answered before its commit": Named(
        (Plant(ExistingPayments, "cancel", _answers_before_the_commit),),
        "tests/component/register/test_before_the_disk.py"
        "::test_a_cancel_is_answered_only_once_it_is_on_disk",
    ),
    "a register is who it says it is": Named(
        (Plant(Desk, "_answer", _believes_the_body),),
        "tests/component/register/test_before_the_disk.py"
        "::test_a_registers_identity_is_its_topic_and_never_what_it_says",
    ),
    "a packet id of another connection is acknowledged": Named(
        (Plant(Mqtt, "acknowledge", _acknowledges_anywhere),),
        "tests/component/register/test_mqtt_connection.py"
        "::test_no_packet_id_of_another_connection_is_acknowledged",
    ),
    "a fence of another connection makes commands live": Named(
        (Plant(BrokerConnection, "raise_fence", _any_fence_is_ours),),
        "tests/component/register/test_mqtt_connection.py"
        "::test_a_fence_of_another_connection_makes_nothing_live",
    ),
    "the folder of the token file is not synced": Named(
        (Plant(TokenStore, "_sync_directory", _syncs_nothing),),
        "tests/unit/backoffice/login/test_token_file.py"
        "::test_the_token_file_is_synced_before_it_counts_and_its_folder_after",
    ),
    "the change after a full group is lost": Named(
        (Plant(Journal, "_start_writing", _loses_what_is_too_much),),
        "tests/component/money/test_group_commit.py"
        "::test_the_change_after_a_full_group_is_stored_like_any_other",
    ),
    "a reversal is tried again while its void is in doubt": Named(
        (Plant(Reversals, "_reverse", voids_twice),),
        "tests/component/register/test_prompts.py"
        "::test_a_reversal_is_not_tried_again_while_its_void_is_in_doubt",
    ),
    "evidence is kept over the next payment": Named(
        (Plant(PaymentsInDoubt, "lose_evidence_before", _keeps_evidence),),
        "tests/component/terminal/test_doubt_and_line.py"
        "::test_a_doubt_loses_its_evidence_on_disk_before_the_next_payment_is_sent",
    ),
    "the line is kept after a doubt": Named(
        (Plant(TerminalConnection, "give_up", _keeps_the_line),),
        "tests/component/terminal/test_doubt_and_line.py"
        "::test_a_line_that_held_a_doubt_is_given_up_before_anything_else_is_said",
    ),
    "a second capture adds nothing": Named(
        (Plant(machine, "follow", _a_second_capture_adds_nothing),),
        "tests/attack/test_holds.py::test_each_capture_of_a_hold_uses_it_up_further",
    ),
    "a load does not count what may have moved": Named(
        (Plant(Payment, "may_have_moved", _nothing_may_have_moved),),
        "tests/component/money/test_follow_ups.py"
        "::test_a_load_counts_what_may_have_filled_a_card_although_it_is_called_failed",
    ),
    "a tip in a hold pays for goods": Named(
        (Plant(admission, "held_for_goods_minor", _a_tip_pays_goods),),
        "tests/attack/test_holds.py::test_a_hold_with_a_tip_covers_its_sale_without_the_tip",
    ),
    "a part that lacks one cent is the whole": Named(
        (Plant(machine, "advance", _a_cent_is_nothing),),
        "tests/unit/money/payment/test_machine.py"
        "::test_a_partial_approval_off_by_one_cent_is_partial_or_a_discrepancy",
    ),
}

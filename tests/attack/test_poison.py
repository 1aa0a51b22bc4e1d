"""No bytes of a register may stop the service: the broker would deliver them again for ever.

Every command of a shop in virtual time gets a typed response, whatever it says, and the parts
that publish live on; the terminal does nothing that was not accepted.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bridge.money.payment import TAKES, PaymentType
from bridge.register import api as k
from simulators.broker import Message
from simulators.terminals.shared.ledger import MOVES
from simulators.terminals.shared.ledger import TAKES as TOOK
from tests.support.shop import TOPICS, Shop, in_a_shop, payment_id

TAKING = TAKES | {PaymentType.TIP_ADJUST}
EXAMPLES = 30  # each is a shop of its own, some tenths of a second
COMMANDS_MAX = 30

IDS = st.integers(1, 6).map(payment_id)
AMOUNTS = st.sampled_from(
    ["0.01", "1.00", "1.00", "10.00", "47.90", "0.00", "9999999999.99", "1.0", "-1.00"]
)
WORDS = st.sampled_from(["S1", "a/b", "+", "#", "x" * 64, "x" * 65, "", "\u202e\U0001f4b6", "null"])
HUGE = 10**4200
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-HUGE, HUGE)
    | st.floats(allow_nan=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
LINE = st.fixed_dictionaries(
    {
        "item_id": st.integers(0, HUGE),
        "quantity": st.sampled_from(["1", "0", "0.000001", "-1"]),
        "unit_price": st.just("1.00"),
        "item_amount": AMOUNTS,
    },
    optional={"is_refund": st.booleans(), "product_code": WORDS, "item_discount_amount": AMOUNTS},
)
SALE = st.fixed_dictionaries(
    {"total_amount": AMOUNTS},
    optional={
        "lines": st.lists(LINE, max_size=2),
        "sale_discount_amount": AMOUNTS,
        "tax_amount": AMOUNTS,
    },
)
AMOUNTS_OBJECT = st.fixed_dictionaries(
    {
        "currency": st.sampled_from(["EUR", "EUR", "EUR", "JPY", "KWD", "eur"]),
        "requested_amount": AMOUNTS,
    },
    optional={
        "tip": st.fixed_dictionaries(
            {"mode": st.sampled_from(["none", "fixed", "ask"])}, optional={"tip_amount": AMOUNTS}
        ),
        "cash_back_amount": AMOUNTS,
    },
)
TIMES = st.sampled_from(
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2026-11-23T13:00:00Z",
        "2026-02-30T00:00:00Z",
    ]
)
EVIDENCE = st.fixed_dictionaries(
    {"source": st.just("merchant_slip")}, optional={"approval_code": WORDS}
)
GIFT_CARD = st.fixed_dictionaries({"stored_value_id": WORDS})
LEG = st.fixed_dictionaries(
    {"method": st.sampled_from(["card", "gift_card"])},
    optional={"amount": AMOUNTS, "gift_card": GIFT_CARD},
)
FIELDS = {
    "payment_id": IDS,
    "original_payment_id": IDS,
    "operation_id": IDS,
    "terminal_id": st.sampled_from(["counter-1", "counter-9", "gift-cards", ""]),
    "terminal_pool": st.just("front"),
    "amounts": AMOUNTS_OBJECT,
    "sale": SALE,
    "sale_id": WORDS,
    "sale_lines": st.sampled_from(["now", "later"]),
    "type": st.sampled_from(["sale", "preauth", "refund"]),
    "method": st.sampled_from(["card", "gift_card", "any"]),
    "gift_card": GIFT_CARD,
    "plan": st.lists(LEG, max_size=3),
    "when_busy": st.sampled_from(["reject", "queue"]),
    "override": st.booleans(),
    "approved_by": WORDS,
    "accept_partial": st.booleans(),
    "final": st.booleans(),
    "deadline_s": st.sampled_from([10, 120, 600, 0, HUGE]),
    "expires_at": TIMES,
    "bridge_epoch": WORDS,
    "rev": st.sampled_from([0, 1, 2, 99, HUGE]),
    "outcome": st.sampled_from(["approved", "not_charged", "refund_if_found"]),
    "evidence": EVIDENCE,
    "filter": st.fixed_dictionaries({}, optional={"open": st.booleans(), "since": TIMES}),
    "limit": st.sampled_from([1, 200, 201, -1]),
    "lines": st.lists(WORDS, max_size=2),
    "metadata": st.dictionaries(st.text(max_size=6), JUNK, max_size=3),
    "language": st.sampled_from(["de-DE", "x"]),
    "refresh": st.booleans(),
}
RARE = ("gift_card", "plan", "terminal_pool", "bridge_epoch", "expires_at", "language", "method")


@st.composite
def plain(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """A command that a register means, so that there is money to quarrel about."""
    operation = draw(
        st.sampled_from(["payment/start"] * 3 + ["payment/refund", "payment/void", "sale/attach"])
    )
    amount = draw(st.sampled_from(["1.00", "1.00", "2.00"]))
    goods = {"item_id": 1, "quantity": "1", "unit_price": amount, "item_amount": amount}
    payload: dict[str, Any] = {
        "payment_id": draw(IDS),
        "amounts": {"currency": "EUR", "requested_amount": amount},
    }
    if operation in {"payment/refund", "payment/void"}:
        payload["original_payment_id"] = draw(IDS)
    elif operation == "payment/start" and draw(st.booleans()):
        payload |= {"sale_id": "S1", "sale_lines": draw(st.sampled_from(["now", "later"]))}
    elif operation == "sale/attach":
        payload = {"sale_id": "S1", "sale": {"total_amount": amount, "lines": [goods]}}
    if operation == "payment/void":
        del payload["amounts"]
    return draw(st.sampled_from(["till-1", "till-1", "till-2"])), operation, _bytes(payload)


def _bytes(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """A register, an operation, and a payload that is nearly right, or nonsense."""
    operation = draw(st.sampled_from(["payment/start"] * 6 + sorted(k.REQUESTS) + ["no/such"]))
    register = draw(st.sampled_from(["till-1", "till-1", "till-2"]))
    if draw(st.integers(0, 19)) == 0:
        return register, operation, draw(st.binary(max_size=20))
    model = k.REQUESTS.get(operation)
    names = [name for name in FIELDS if model is not None and name in model.model_fields]
    needed = {n for n in names if model is not None and model.model_fields[n].is_required()}
    payload: dict[str, Any] = {}
    for name in names:
        odds = 20 if name in RARE else 3
        if name in needed or draw(st.integers(0, odds)) == 0:
            payload[name] = draw(FIELDS[name])
    if draw(st.integers(0, 9)) == 0 and payload:
        payload[draw(st.sampled_from(sorted(payload)))] = draw(JUNK)
    return register, operation, _bytes(payload)


async def _send_all(shop: Shop, wanted: list[tuple[str, str, bytes]]) -> None:
    responses: dict[str, k.Response] = {}

    def hear(message: Message) -> None:
        if "/response/" in message.topic:
            response = k.Response.model_validate_json(message.payload)
            responses[response.request_id] = response

    shop.broker.on_published = hear
    for number, (till, operation, payload) in enumerate(wanted):
        correlation = f"q-{number}".encode()
        topic = f"{TOPICS.register(till)}/request/{operation}"
        shop.broker.send(Message(topic, payload, correlation=correlation))
        await asyncio.sleep(2.0)
    await asyncio.sleep(700.0)  # the longest deadline, and what operations may take
    names = {f"q-{number}" for number in range(len(wanted))}
    assert names - set(responses) == set(), "every command is answered"
    accepted = {
        one.payment_id for one in responses.values() if one.status == "accepted" and one.payment_id
    }
    ledger = shop.terminals["counter-1"].ledger
    entries = [one for one in ledger.entries if one.kind in MOVES]
    assert len(entries) <= len(accepted), "nothing moves that was not accepted"
    payments = [one.payment for one in shop.ledger.payments.in_memory()]
    approved = [one for one in payments if one.approval is not None and one.request.type in TAKING]
    sales = [entry.amount_minor for entry in ledger.entries if entry.kind in TOOK]
    known = [one.approval.amount.minor for one in approved if one.approval is not None]
    assert sorted(sales) == sorted(known), "what the terminal took, the journal knows"


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a shop is too slow to shrink with
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(plain() | commands(), min_size=5, max_size=COMMANDS_MAX))
def test_whatever_registers_say_the_service_lives_and_answers(
    wanted: list[tuple[str, str, bytes]],
) -> None:
    async def test(shop: Shop) -> None:
        await _send_all(shop, wanted)

    with TemporaryDirectory() as folder:
        in_a_shop(Path(folder), test)


def test_a_repeated_start_is_told_of_its_payment_when_the_terminal_is_gone(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, terminal_id="counter-1")
        await shop.until("till-1", 1, status="approved")
        # The same as a restart with a configuration that has no such terminal any more.
        shop.stations["counter-9"] = shop.stations.pop("counter-1")
        again = await shop.pay("till-1", 1, terminal_id="counter-1")
        assert (again["status"], again["payment_status"]) == ("accepted", "approved")
        assert again["duplicate"]
        assert shop.charged() == [4790]

    in_a_shop(tmp_path, test)


def test_a_repeated_refund_is_told_of_itself_when_the_terminal_is_gone(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        amounts = {"currency": "EUR", "requested_amount": "47.90"}
        refund = {
            "payment_id": payment_id(2),
            "original_payment_id": payment_id(1),
            "amounts": amounts,
            "terminal_id": "counter-1",
        }
        await shop.pay("till-1", 1)
        await shop.until("till-1", 1, status="approved")
        await shop.ask("till-1", "payment/refund", **refund)
        await shop.until("till-1", 2, status="approved")
        shop.stations["counter-9"] = shop.stations.pop("counter-1")
        again = await shop.ask("till-1", "payment/refund", **refund)
        assert again["status"] == "accepted"

    in_a_shop(tmp_path, test)

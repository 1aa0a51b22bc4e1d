"""What a register says for its own use is kept as it was said."""

from __future__ import annotations

import pytest

from bridge.money import payment as p
from bridge.register import api as k
from bridge.register.commands.payment_request import (
    follow_up_request,
    load_request,
    payment_request,
)

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-000000000001"
EURO = {"currency": "EUR", "requested_amount": "1.00"}
COMMANDS: tuple[tuple[type[k.Request], dict[str, object]], ...] = (
    (k.PaymentStart, {"amounts": EURO}),
    (k.PaymentRefund, {"amounts": EURO}),
    (k.GiftCardLoad, {"amounts": EURO, "sale_id": "s-1", "terminal_id": "counter-1"}),
)


def kept(request: k.Request) -> p.PaymentRequest:
    match request:
        case k.PaymentStart():
            return payment_request(request, "till-1", "counter-1", possible_duplicate=False)
        case k.GiftCardLoad():
            return load_request(request, "till-1", "counter-1")
        case k.PaymentRefund():
            return follow_up_request(request, "till-1", "counter-1", None)
    raise AssertionError(request)


@pytest.mark.parametrize(("model", "fields"), COMMANDS, ids=["start", "refund", "load"])
def test_every_command_keeps_what_the_register_said_of_it(
    model: type[k.Request], fields: dict[str, object]
) -> None:
    words = {name: f"de-{name[:2].upper()}" for name in p.AS_SAID if name in model.model_fields}
    assert {"operator_id", "shift_number", "totals_group_id", "language"} <= set(words)
    said = model.model_validate({"request_id": "r", "payment_id": PAYMENT, **fields, **words})
    bare = model.model_validate({"request_id": "r", "payment_id": PAYMENT, **fields})
    assert {name: getattr(kept(said), name) for name in p.AS_SAID} == (
        dict.fromkeys(p.AS_SAID, "") | words
    )
    assert {getattr(kept(bare), name) for name in p.AS_SAID} == {""}

"""What a register says for its own use is shown as it was said."""

from __future__ import annotations

from pathlib import Path

from bridge.money import payment as p
from bridge.register import api as k
from tests.support.shop import Shop, in_a_shop


def test_what_a_register_said_for_itself_stands_in_the_document(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        words = {name: "de" for name in p.AS_SAID if name in k.PaymentStart.model_fields}
        await shop.pay("till-1", 1, **words)
        await shop.until("till-1", 1, final=True)
        document = shop.document("till-1", 1)
        shown = {name: document[name] for name in words if name in document}
        assert {"operator_id", "shift_number", "sale_reference_id"} <= set(shown)
        assert set(shown.values()) == {"de"}
        await shop.pay("till-1", 2, "9.00")
        await shop.until("till-1", 2, final=True)
        assert {shop.document("till-1", 2)[name] for name in shown} == {None}

    in_a_shop(tmp_path, test)

"""Nothing that a server repeats of a request is stored, logged, shown or put into an exception."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable
from pathlib import Path

import httpx
import pytest

from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardTransaction,
    Purchase,
    PurchaseLine,
    TransType,
)
from bridge.errors import BridgeError
from bridge.money.payment import Status
from bridge.money.purchase import PurchaseState
from bridge.register import api as k
from bridge.register.publishing.payment_document import payment_document
from tests.matrix.shop import Shop, euros, gift, in_shop
from tests.support.echoing_office import ECHOES, MARK, EchoingOffice
from tests.support.office import play

CODE, SECRET_PIN, MEMBER, SKU = "6396219998887776", "73917391", "MEMBER_CANARY", "SKU_CANARY"
HOLD_ID = "TRANS_CANARY_77"
CANARIES = (MARK, CODE, SECRET_PIN, MEMBER, SKU, HOLD_ID)
LINE = PurchaseLine(1, SKU, False, "1.99", "1.99", "0.00", "0.00", "1", "EA")
PURCHASE = Purchase(
    *("T-1", "S1", "2026-03-02T09:14:02", "1.99", "0.00", "0.00", "1.99", "0.00", "0.00"),
    (LINE,),
    member_id=MEMBER,
)
USE = GiftCardTransaction(CodeType.PHYSICAL, CODE, TransType.USE, "-1.00", "b", "r", SECRET_PIN)


class Token:
    async def access_token(self) -> str:
        return "t"

    async def reject(self, token: str) -> None:
        """It is as good as any other."""


async def told(question: Awaitable[object]) -> str:
    """Return all that a caller could print of an outcome."""
    try:
        return repr(await question)
    except BridgeError as error:
        return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("name", ECHOES)
def test_no_outcome_repeats_the_request(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        office = EchoingOffice(ECHOES[name])
        async with httpx.AsyncClient(transport=office) as http:
            api = BackOffice(http, "https://shop.test/graphql", Token(), deadline_seconds=5)
            outcomes = [
                await told(question)
                for question in (
                    api.purchase_add(PURCHASE),
                    api.gift_card_trans_add(USE),
                    api.gift_card_trans_capture(GiftCardCapture(HOLD_ID, cancel=True)),
                    api.gift_card_add(CODE, SECRET_PIN),
                    api.gift_card_balance(CODE, CodeType.PHYSICAL),
                    api.find_store(MEMBER),
                    api.purchase_exists(HOLD_ID),
                    api.learn_names(),
                    api.ping(),
                )
            ]
        assert {"purchaseAdd", "giftcardTransAdd", "giftcardAdd"} <= set(office.answered)
        shown = "\n".join(outcomes) + caplog.text
        assert [one for one in CANARIES if one in shown] == []

    play(main)


def everything_told(shop: Shop, folder: Path, log: str) -> str:
    """Return what registers are shown, what lies in files and what was logged."""
    parts = [log]
    for account in shop.accounts():
        purchase = next(iter(shop.ledger.payments.open_purchases()), None)
        document = payment_document(
            account, remaining=None, purchase=purchase, terminal_name="", topics=k.Topics()
        )
        parts += [document.model_dump_json(), repr(account.payment.doubt)]
    parts += [one.purchase.error for one in shop.ledger.payments.open_purchases()]
    for file in folder.rglob("*"):
        if file.is_file():
            parts.append(file.read_bytes().decode("latin-1"))
    return "\n".join(parts)


ON_DISK = [
    *("VALIDATION 400", "NOT_AUTHORIZED 400", "ARGUMENTS_OF_CORRECT_TYPE 400", "FUSION_ERROR 400"),
    *("the code is an echo", "words of a rule", "below the root", "data and errors", "html 200"),
    *("html 413", "html 503", "redirect 302", "redirect 303", "problem+json"),
    *("breaks: RemoteProtocolError", "breaks: ReadError"),
]


@pytest.mark.parametrize("name", ON_DISK)
def test_nothing_repeated_reaches_journal_registers_or_log(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main(shop: Shop) -> None:
        mutations = {"purchaseAdd", "giftcardTransAdd", "giftcardTransCapture"}
        wire = shop.world.wire
        wire.inner = office = EchoingOffice(ECHOES[name], wire.inner, frozenset(mutations))
        line = {"item_id": 1, "product_code": "SKU1", "quantity": "1", "unit_price": "5.00"}
        lines = [{**line, "item_amount": "5.00"}]
        sale = {"total_amount": "5.00", "lines": lines, "member_id": MEMBER}
        async with shop.open():
            paid = {"sale_id": "S1", "amounts": euros("5.00"), "sale": sale}
            await shop.begin("payment/start", paid)
            card = {"method": "gift_card", "gift_card": gift(pin=SECRET_PIN)}
            card["amounts"] = euros("20.00")
            await shop.begin("payment/start", card)
            await asyncio.sleep(300)
            assert {"purchaseAdd", "giftcardTransAdd"} <= set(office.answered)
            told = everything_told(shop, tmp_path, caplog.text)
            (purchase,) = shop.ledger.payments.open_purchases()
            assert purchase.purchase.state is not PurchaseState.RECORDED
            assert shop.accounts()[1].payment.status is not Status.APPROVED
        assert MARK not in told
        assert SECRET_PIN not in told, "a PIN is never stored"

    in_shop(tmp_path, main)

"""An in-process client of a simulated back office, and the requests that its tests send."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import httpx

from simulators.back_office.answers import GRAPHQL_PATH, BackOffice
from simulators.back_office.program import create_app
from simulators.back_office.state import BackOfficeState
from simulators.http_server import InProcessTransport
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import Provider

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

BUY = """mutation Buy($id: String!, $pay: Decimal = "1.99") { purchaseAdd(add: {
  transactionId: $id, storeCode: "S1", purchasedOn: "2026-01-02T03:04:05", payAmount: $pay,
  saleDiscountAmount: "0", itemDiscountAmount: "0", subTotal: "1.99", refundAmount: "0",
  taxAmount: "0", lineItems: [{ lineNumber: 1, sku: "X", isRefund: false, unitPrice: "1.99",
  extPrice: "1.99", itemDiscountAmount: "0", saleDiscountAmount: "0", quantity: "1",
  uom: "EA" }] }) { id } }"""

USE = """mutation Use($amount: Decimal!, $hold: Boolean) { giftcardTransAdd(trans: {
  codeType: PHYSICAL, code: "G1", pin: "1", transType: USE, amount: $amount, refNo: "r1",
  authorizeOnly: $hold }) { id balance giftcardId status } }"""

CAPTURE = """mutation Capture($id: String!, $cancel: Boolean) {
  giftcardTransCapture(trans: { id: $id, cancel: $cancel }) { id balance status } }"""

BALANCE = """query Balance($code: String!) { giftcard(code: $code) {
  limitedByPermission results { id balance codes { codeType code isMasked } } } }"""


def new_office(**settings: Any) -> BackOffice:
    return BackOffice(BackOfficeState(clock=lambda: NOW), **settings)


def client_of(office: BackOffice) -> httpx.AsyncClient:
    provider = Provider("http://127.0.0.1/", (), clock=lambda: 0.0, chance=random.Random(0))
    app = create_app(office, oidc.ProviderSite(provider))
    return httpx.AsyncClient(
        transport=InProcessTransport(app, is_away=lambda: office.away),
        base_url="http://127.0.0.1",
    )


async def send(
    client: httpx.AsyncClient, query: str, token: str = "", **variables: object
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"query": query, "variables": variables}
    return await client.post(GRAPHQL_PATH, json=body, headers=headers)


async def control(client: httpx.AsyncClient, *commands: dict[str, object]) -> httpx.Response:
    return await client.post("/_control", json=list(commands))


def codes_of(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]

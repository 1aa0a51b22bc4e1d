"""The back office over HTTP: statuses, permissions, every fault, and the control endpoint."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest

from simulators.back_office.answers import GRAPHQL_PATH, REQUEST_BYTES_MAX, BackOffice
from simulators.back_office.faults import NAMED, Effect, FaultAnswer
from simulators.back_office.program import create_app
from simulators.back_office.resolvers import ALL_PERMISSIONS
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import Provider
from tests.component.simulators.office_client import (
    BALANCE,
    BUY,
    CAPTURE,
    USE,
    client_of,
    codes_of,
    control,
    new_office,
    send,
)


@pytest.fixture
def office() -> BackOffice:
    return new_office()


@pytest.fixture
async def client(office: BackOffice) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


async def test_a_purchase_is_recorded_and_read_back_from_the_ledger(
    client: httpx.AsyncClient,
) -> None:
    answer = await send(client, BUY, id="T1")
    assert answer.status_code == 200
    ledger = (await client.get("/_ledger")).json()["ledger"]
    assert [line["id"] for line in ledger] == [answer.json()["data"]["purchaseAdd"]["id"]]
    assert ledger[0]["request"]["purchasedOn"] == "2026-01-02T03:04:05"


async def test_the_same_transaction_id_is_accepted_silently(
    client: httpx.AsyncClient, office: BackOffice
) -> None:
    answers = [await send(client, BUY, id="T1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(office.state.purchases_of("T1")) == 2


@pytest.mark.parametrize("pay", ["1.10", 1.10, 1])
async def test_amounts_are_exact_as_text_and_as_numbers(
    client: httpx.AsyncClient, office: BackOffice, pay: object
) -> None:
    assert (await send(client, BUY, id="T1", pay=pay)).status_code == 200
    assert office.state.purchases_of("T1")[0].pay_amount == Decimal(str(pay))


async def test_a_number_longer_than_a_float_keeps_every_digit(
    client: httpx.AsyncClient, office: BackOffice
) -> None:
    body = json.dumps({"query": BUY, "variables": {"id": "T1", "pay": 0}})
    long = body.replace('"pay": 0', '"pay": 12345678901234567.89')
    assert (await client.post(GRAPHQL_PATH, content=long)).status_code == 200
    assert office.state.purchases_of("T1")[0].pay_amount == Decimal("12345678901234567.89")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "JSON_INVALID"),
        (b"[" * 100_000, "JSON_INVALID"),
        (b"[]", "QUERY_MISSING"),
        (b'{"query": "{ environment { name } }", "variables": 1}', "JSON_INVALID"),
        (b'{"query": "{"}', "SYNTAX_ERROR"),
        (b'{"query": "{ nothing }"}', "FIELDS_ON_CORRECT_TYPE"),
        (
            b'{"query": "query A { environment { name } }", "operationName": "B"}',
            "INVALID_OPERATION",
        ),
        (json.dumps({"query": BUY}).encode(), "INVALID_VALUE"),
        (
            json.dumps({"query": BUY, "variables": {"id": "1", "pay": "NaN"}}).encode(),
            "INVALID_VALUE",
        ),
        (
            json.dumps({"query": BUY, "variables": {"id": "1", "pay": True}}).encode(),
            "INVALID_VALUE",
        ),
    ],
)
async def test_a_malformed_request_is_400_without_data(
    client: httpx.AsyncClient, office: BackOffice, body: bytes, code: str
) -> None:
    answer = await client.post(GRAPHQL_PATH, content=body)
    assert (answer.status_code, codes_of(answer)) == (400, [code])
    assert "data" not in answer.json()
    assert office.state.ledger == []


async def test_business_errors_are_400_and_name_the_property(client: httpx.AsyncClient) -> None:
    answer = await send(client, BUY, id=" ")
    assert answer.status_code == 400
    assert answer.json()["data"] == {"purchaseAdd": None}
    (error,) = answer.json()["errors"]
    assert error["path"] == ["purchaseAdd"]
    assert error["extensions"] == {
        "code": "VALIDATION",
        "data": {"Property": "transactionId", "ValidationType": "Required"},
    }


async def test_only_post_is_answered_and_only_within_the_limit(client: httpx.AsyncClient) -> None:
    assert (await client.get(GRAPHQL_PATH)).status_code == 405
    large = await client.post(GRAPHQL_PATH, content=b" " * (REQUEST_BYTES_MAX + 1))
    assert large.status_code == 413


async def test_without_a_good_token_the_answer_is_an_empty_challenge() -> None:
    office = new_office(authenticate={"good": "till"}.get)
    async with client_of(office) as client:
        for token in ("", "bad"):
            answer = await send(client, BUY, token, id="T1")
            assert (answer.status_code, answer.content) == (401, b"")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert office.state.ledger == []
        assert (await send(client, BUY, "good", id="T1")).status_code == 200


async def test_a_missing_permission_is_401_with_a_json_body() -> None:
    office = new_office(authenticate={"good": "till"}.get)
    async with client_of(office) as client:
        await control(client, {"do": "permissions", "client_id": "till", "permissions": []})
        answer = await send(client, BUY, "good", id="T1")
        assert (answer.status_code, codes_of(answer)) == (401, ["NOT_AUTHORIZED"])
        assert office.state.ledger == []


async def test_a_gift_card_is_held_captured_and_released(client: httpx.AsyncClient) -> None:
    await control(client, {"do": "gift_card", "code": "G1", "pin": "1", "balance": "10.00"})
    held = (await send(client, USE, amount="-6.49", hold=True)).json()["data"]["giftcardTransAdd"]
    assert (held["balance"], held["status"]) == ("3.51", "AUTHORIZED")
    done = await send(client, CAPTURE, id=held["id"])
    assert done.json()["data"]["giftcardTransCapture"]["status"] == "COMPLETED"
    again = await send(client, CAPTURE, id=held["id"], cancel=True)
    assert (again.status_code, codes_of(again)) == (400, ["FUSION_ERROR"])


async def test_decimals_go_out_as_text_or_as_numbers(client: httpx.AsyncClient) -> None:
    await control(client, {"do": "gift_card", "code": "G1", "pin": "1", "balance": "10.00"})
    assert '"balance":"9.50"' in (await send(client, USE, amount="-0.50")).text
    await control(client, {"do": "options", "decimals": "number"})
    assert '"balance":9.0' in (await send(client, USE, amount="-0.50")).text


async def test_another_till_can_spend_the_same_card(client: httpx.AsyncClient) -> None:
    await control(
        client,
        {"do": "gift_card", "code": "G1", "pin": "1", "balance": "10.00"},
        {"do": "spend_elsewhere", "code": "G1", "amount": "4.00"},
    )
    (card,) = (await send(client, BALANCE, code="G1")).json()["data"]["giftcard"]["results"]
    assert card["balance"] == "6.00"
    assert card["codes"] == [{"codeType": "PHYSICAL", "code": "****G1", "isMasked": True}]


async def test_codes_of_a_kind_the_caller_may_not_use_are_left_out(
    client: httpx.AsyncClient, office: BackOffice
) -> None:
    office.permissions[""] = ALL_PERMISSIONS - {"UseExternalGiftCardCodes"}
    await control(
        client, {"do": "gift_card", "code": "E1", "code_type": "EXTERNAL", "balance": "5.00"}
    )
    found = (await send(client, BALANCE, code="E1")).json()["data"]["giftcard"]
    assert found == {"limitedByPermission": True, "results": []}


async def test_a_card_is_created_edited_and_listed(
    client: httpx.AsyncClient, office: BackOffice
) -> None:
    office.permissions[""] = ALL_PERMISSIONS
    create = """mutation { giftcardAdd(giftcard: { physicalCode: "G9", physicalPin: "1",
      physicalExpiresOn: "2027-01-01T00:00:00" }) { id balance codes { code expiresOn } } }"""
    card = (await send(client, create)).json()["data"]["giftcardAdd"]
    assert card["codes"] == [{"code": "G9", "expiresOn": "2027-01-01T00:00:00+00:00"}]
    edit = """mutation Edit($id: String!) { giftcardEdit(giftcard: { id: $id, memberId: "C1",
      addPersonalCode: true, revokePhysicalCode: true }) { memberId codes { codeType } } }"""
    edited = (await send(client, edit, id=card["id"])).json()["data"]["giftcardEdit"]
    assert edited == {"memberId": "C1", "codes": [{"codeType": "PERSONAL"}]}
    listing = "{ giftcard(first: 1) { hasMoreResults results { id } } }"
    assert (await send(client, listing)).json()["data"]["giftcard"] == {
        "hasMoreResults": False,
        "results": [{"id": card["id"]}],
    }


async def test_introspection_can_be_hidden(client: httpx.AsyncClient) -> None:
    query = '{ __type(name: "PurchaseAddResult") { name } }'
    assert (await send(client, query)).status_code == 200
    await control(client, {"do": "options", "introspection": False})
    assert (await send(client, query)).status_code == 400
    assert (await send(client, BUY, id="T1")).status_code == 200


APPLIED = {name for name, fault in NAMED.items() if fault.effect is Effect.APPLIED}
IMMEDIATE = sorted(
    name for name, fault in NAMED.items() if fault.effect is not Effect.LATE and name != "slow"
)


@pytest.mark.parametrize("name", IMMEDIATE)
async def test_a_fault_has_exactly_the_effect_its_name_says(
    client: httpx.AsyncClient, office: BackOffice, name: str
) -> None:
    once = {"do": "fault", "fault": name, "operation": "purchaseAdd", "times": 1}
    assert (await control(client, once)).status_code == 200
    if NAMED[name].answer is FaultAnswer.RESET:
        with pytest.raises(httpx.ReadError):
            await send(client, BUY, id="T1")
    elif NAMED[name].answer is FaultAnswer.DROP:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await send(client, BUY, id="T1")
    else:
        await send(client, BUY, id="T1")
    assert len(office.state.purchases_of("T1")) == (1 if name in APPLIED else 0)
    assert (await send(client, BUY, id="T2")).status_code == 200


async def faulty(client: httpx.AsyncClient, name: str, **settings: object) -> httpx.Response:
    await control(client, {"do": "fault", "fault": name, **settings})
    return await send(client, BUY, id="T1")


async def test_what_the_client_is_told_by_each_fault(client: httpx.AsyncClient) -> None:
    lost = await faulty(client, "lost_commit")
    assert (lost.status_code, set(lost.json())) == (200, {"data"})
    both = await faulty(client, "error_after_commit")
    assert both.status_code == 400
    assert codes_of(both) == ["FUSION_ERROR"]
    assert both.json()["data"]["purchaseAdd"]["id"]
    without = await faulty(client, "without_id")
    assert without.json() == {"data": {"purchaseAdd": {"id": None}}}
    cut = await faulty(client, "truncated")
    assert cut.status_code == 200
    with pytest.raises(ValueError, match=r"column"):
        cut.json()
    named = await faulty(client, "validation", property_name="taxAmount")
    assert named.json()["errors"][0]["extensions"]["data"]["Property"] == "taxAmount"
    empty = await faulty(client, "empty_401")
    assert (empty.status_code, empty.content) == (401, b"")
    permission = await faulty(client, "permission_401")
    assert (permission.status_code, codes_of(permission)) == (401, ["NOT_AUTHORIZED"])
    portal = await faulty(client, "html_200")
    assert (portal.status_code, portal.headers["content-type"][:9]) == (200, "text/html")
    busy = await faulty(client, "too_many_429", retry_after_seconds=7)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "7")
    away = await faulty(client, "unavailable_503")
    assert (away.status_code, "retry-after" in away.headers) == (503, False)


async def test_a_person_can_look_up_a_transaction(client: httpx.AsyncClient) -> None:
    await send(client, BUY, id="T1")
    (found,) = (await control(client, {"do": "find_purchases", "transactionId": "T1"})).json()
    assert [purchase["transactionId"] for purchase in found["purchases"]] == ["T1"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ({"do": "dance"}, "dance"),
        ({"do": "fault", "fault": "nonsense"}, "apply_then_drop"),
        ({"do": "fault", "fault": "slow", "delay": 1}, "delay_seconds"),
        ({"do": "permissions", "permissions": ["Everything"]}, "Everything"),
        ({"do": "options", "decimals": "float"}, "decimals"),
        ("away", "object"),
    ],
)
async def test_a_control_command_nobody_can_follow_says_why(
    client: httpx.AsyncClient, command: object, said: str
) -> None:
    answer = await client.post("/_control", json=command)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


async def test_control_and_ledger_are_for_this_machine_only(office: BackOffice) -> None:
    provider = Provider("http://127.0.0.1/", (), clock=lambda: 0.0, chance=random.Random(0))
    app = create_app(office, oidc.ProviderSite(provider))
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as stranger:
        assert (await stranger.get("/_ledger")).status_code == 403
        assert (await control(stranger, {"do": "away"})).status_code == 403
        assert office.away is False

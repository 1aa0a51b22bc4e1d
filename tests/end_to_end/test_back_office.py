"""The back office away, silent or refusing: every captured payment is recorded, none twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from simulators.back_office.resolvers import TILL_PERMISSIONS
from tests.end_to_end.parts import STORE_CODE, Store
from tests.end_to_end.program import Json

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def store(shared_store: Store) -> AsyncIterator[Store]:
    """The store; afterwards no fault is left and the judge has looked at everything."""
    yield shared_store
    await shared_store.office.control({"do": "clear_faults"}, {"do": "back"})
    await shared_store.check()


async def test_what_was_captured_while_the_back_office_was_away_is_recorded_later(
    store: Store,
) -> None:
    await store.office.go_away()
    first = await store.till.start("40.00")
    pending = await store.till.status(first, "approved")
    assert pending["recording"]["status"] == "pending"
    await store.till.ready()
    second = await store.till.start("40.01")
    await store.till.status(second, "approved")
    await store.office.control({"do": "back"})
    for payment_id in (first, second):
        await store.till.recorded(payment_id)
        assert len(await store.office.purchases(payment_id)) == 1


async def test_a_lost_answer_is_unconfirmed_until_a_person_finds_it_in_the_books(
    store: Store,
) -> None:
    await store.office.control(
        {"do": "fault", "fault": "apply_then_drop", "operation": "purchaseAdd"}
    )
    payment_id = await store.till.start("41.00")
    document = await store.till.recorded(payment_id, "unconfirmed")
    assert document["status"] == "approved", "the money was taken, whatever the books say"
    (purchase,) = await store.office.purchases(payment_id)
    status, answer = await store.cli(
        *("resolve", payment_id, "booked", "--record-id", purchase["id"], "--by", "Anna")
    )
    assert (status, answer.get("booking")) == (0, "recorded")
    document = await store.till.recorded(payment_id)
    assert document["recording"]["record_id"] == purchase["id"]
    assert len(await store.office.purchases(payment_id)) == 1


async def test_a_lost_request_is_sent_again_only_on_a_persons_word(store: Store) -> None:
    await store.office.control(
        {"do": "fault", "fault": "drop_before_apply", "operation": "purchaseAdd"}
    )
    payment_id = await store.till.start("42.00")
    await store.till.recorded(payment_id, "unconfirmed")
    assert await store.office.purchases(payment_id) == []
    status, answer = await store.cli("resolve", payment_id, "send-again", "--by", "Anna")
    assert (status, answer["ok"]) == (0, True)
    await store.till.recorded(payment_id)
    assert len(await store.office.purchases(payment_id)) == 1


async def test_a_refused_purchase_names_the_field_and_waits_for_a_person(store: Store) -> None:
    await store.office.control({"do": "fault", "fault": "validation", "operation": "purchaseAdd"})
    payment_id = await store.till.start("43.00")
    document = await store.till.recorded(payment_id, "rejected")
    assert "storeCode" in document["recording"]["error"]["message"]
    assert document["recording"]["error"]["money_moved"] == "yes"
    status, _ = await store.cli("resolve", payment_id, "send-again", "--by", "Anna")
    assert status == 0
    await store.till.recorded(payment_id)


async def test_a_booking_that_is_done_cannot_be_answered_again(store: Store) -> None:
    payment_id = await store.till.start("44.00")
    await store.till.recorded(payment_id)
    status, answer = await store.cli("resolve", payment_id, "send-again", "--by", "Anna")
    assert (status, answer["code"]) == (1, "not_allowed")
    assert len(await store.office.purchases(payment_id)) == 1


async def test_a_captive_portal_between_us_and_the_login_is_waited_out(store: Store) -> None:
    await store.office.control(
        {"do": "expire", "what": "access_tokens"}, {"do": "login_options", "captive_portal": True}
    )
    payment_id = await store.till.start("45.00")
    document = await store.till.status(payment_id, "approved")
    await store.till.until(
        lambda: ("back office away" in store.bridge.log) or None, "the attempt that met the portal"
    )
    document = store.till.documents(payment_id)[-1]
    assert document["recording"]["status"] == "pending"
    await store.office.control({"do": "login_options", "captive_portal": False})
    await store.till.recorded(payment_id)
    assert len(await store.office.purchases(payment_id)) == 1


async def test_a_captive_portal_in_front_of_the_api_records_nothing_and_loses_nothing(
    store: Store,
) -> None:
    await store.office.control({"do": "fault", "fault": "html_200", "operation": "purchaseAdd"})
    payment_id = await store.till.start("46.00")
    await store.till.document(
        payment_id,
        lambda d: d["recording"]["status"] in {"recorded", "unconfirmed"},
    )
    assert len(await store.office.purchases(payment_id)) <= 1


async def test_check_says_a_wrong_store_code_before_the_first_sale(store: Store) -> None:
    async def grant(*more: str) -> None:
        names = sorted(TILL_PERMISSIONS | {*more})
        await store.office.control(
            {"do": "permissions", "client_id": "paybridge-server", "permissions": names}
        )

    async def found(*stores: str, locations: str = "plain") -> tuple[int, Json]:
        await store.office.control({"do": "options", "stores": stores, "locations": locations})
        status, said = await store.cli("check")
        findings = cast(list[Json], said)
        (one,) = [one for one in findings if one["what"] == f"store code {STORE_CODE}"]
        return status, one

    try:
        status, one = await found(STORE_CODE, "S013")
        assert (status, one["level"]) == (0, "look"), "the login may not see locations yet"
        await grant("ViewLocations")
        status, one = await found(STORE_CODE, "S013")
        assert (status, one["level"]) == (0, "ok")
        assert f"Store {STORE_CODE}" in one["text"]
        status, one = await found("S013")
        assert (status, one["level"]) == (3, "wrong")
        assert "correct site.store_code" in one["remedy"]
        status, one = await found("S013", locations="none")
        assert (status, one["level"]) == (0, "look")
        assert one["text"].startswith("cannot tell")
    finally:
        await grant()
        await store.office.control({"do": "options", "stores": [], "locations": "plain"})

"""A payment nobody can tell about waits for a person, at the register or at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.parts import QUICK_TERMINAL, open_store, plan
from tests.support.commands import start_fields

pytestmark = pytest.mark.mosquitto

GONE = plan(mischief=[{"kind": "unplug", "at": "prints", "seconds": 3600}])
OTHER = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"


async def test_a_doubt_is_answered_by_the_register_with_the_code_on_the_slip(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path, GONE, terminal_module=QUICK_TERMINAL) as store:
        payment_id = await store.till.start("60.00", sale_id="T3-1")
        await store.till.status(payment_id, "in_doubt")
        blocked = await store.till.ask(
            "payment/start", start_fields(OTHER, "60.00", sale_id="T3-1")
        )
        assert blocked["error"]["code"] in {"payment_in_doubt", "terminal_busy"}
        answer = {"payment_id": payment_id, "outcome": "approved", "approved_by": "supervisor-1"}
        refused = await store.till.ask(
            "payment/resolve", {**answer, "evidence": {"source": "merchant_slip"}}
        )
        assert refused["error"]["detail"]["path"] == "evidence.approval_code"
        evidence = {"source": "merchant_slip", "approval_code": "123456"}
        accepted = await store.till.ask("payment/resolve", {**answer, "evidence": evidence})
        assert accepted["payment_status"] == "approved"
        document = await store.till.recorded(payment_id)
        assert document["resolution"]["by"] == "operator"
        assert len(await store.office.purchases(payment_id)) == 1


async def test_a_doubt_is_answered_by_the_command_line(tmp_path: Path) -> None:
    async with open_store(tmp_path, GONE, terminal_module=QUICK_TERMINAL) as store:
        payment_id = await store.till.start("61.00")
        await store.till.status(payment_id, "in_doubt")
        status, refused = await store.cli("resolve", payment_id, "approved", "--by", "Anna")
        assert (status, refused["path"]) == (1, "evidence.approval_code")
        short = payment_id[-8:]  # as the list shows it
        status, answer = await store.cli("resolve", short, "not-charged", "--by", "Anna")
        assert (status, answer["ok"]) == (0, True)
        document = await store.till.document(payment_id, lambda d: d["final"])
        assert document["funds"] == "none"
        assert document["status"] in {"canceled", "failed", "declined"}
        status, again = await store.cli("resolve", payment_id, "not-charged", "--by", "Anna")
        assert (status, again["ok"]) == (0, True), "the same answer again"
        paid = ("resolve", payment_id, "approved", "--by", "Anna", "--code", "1")
        status, corrected = await store.cli(*paid)
        assert (status, corrected["ok"]) == (0, True), "a person may err"
        document = await store.till.recorded(payment_id)
        assert (document["status"], document["funds"]) == ("failed", "captured")
        said = [one["outcome"] for one in document["resolution"]["answers"]]
        assert said == ["not_charged", "approved"]
        assert len(await store.office.purchases(payment_id)) == 1


async def test_a_terminal_that_answers_nonsense_never_makes_a_wrong_result(
    tmp_path: Path,
) -> None:
    kinds = {
        "wrong_currency": {"failed", "declined", "canceled"},
        "other_transaction": {"failed", "declined", "canceled"},
        "garbage": {"failed", "approved"},
    }
    nonsense = [plan(mischief=[{"kind": kind, "at": "status", "count": 40}]) for kind in kinds]
    async with open_store(tmp_path, plan(), *nonsense, terminal_module=QUICK_TERMINAL) as store:
        # A terminal with an empty memory cannot tell that nothing was added to it.
        await store.till.recorded(await store.till.start("9.99"))
        for number, (kind, may_end) in enumerate(kinds.items(), 1):
            await store.till.ready()
            payment_id = await store.till.start(f"62.0{number}")
            document = await store.till.document(payment_id, lambda d: d["final"])
            assert document["status"] in may_end, (kind, store.till.statuses(payment_id))
            if document["status"] == "approved":
                await store.till.recorded(payment_id)
        await store.check()

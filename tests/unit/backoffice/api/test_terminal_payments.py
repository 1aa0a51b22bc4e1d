"""What the POS server is asked for a terminal payment, and what its answers prove."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import NotApplied, Refused, Unknown
from bridge.backoffice.api.operation import Unsupported
from bridge.backoffice.api.terminal_payment_names import (
    NAMESPACE,
    Call,
    Finding,
    TerminalPaymentNames,
    read_names,
    types_wanted,
)
from bridge.backoffice.http_exchange import HttpAnswer

Json = dict[str, Any]
NAMES = TerminalPaymentNames()
START = api.Start(api.Kind.SALE, "Lane 1", "12.50", "EUR", "ref-1")


def answer(body: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {}, json.dumps(body).encode())


def result(**parts: object) -> HttpAnswer:
    return answer({"data": {NAMESPACE: {"start": parts}}})


def told(given: HttpAnswer) -> api.Told:
    return api.read_told(given, NAMES.start, NAMES)


def refused(code: str, path: list[str] | None, status: int = 400, **more: Any) -> HttpAnswer:
    error = {"message": "no", "extensions": {"code": code}}
    if path is not None:
        error["path"] = path
    return answer({"errors": [error], **more}, status)


def test_start_is_one_mutation_with_its_values_as_literals() -> None:
    text = api.document_for(START, NAMES).text
    assert text == (
        "mutation TerminalPaymentStart { terminalPayment { start(payment: "
        '{terminalId: "Lane 1", transType: SALE, amount: "12.50", refNo: "ref-1"}) '
        "{ payment { id status amount } error { code message } "
        "continuation { id waitSeconds } } } }"
    )


def test_a_value_cannot_end_its_literal() -> None:
    evil = api.Continue('x"}) { id } } evil: start(payment: {amount: "1')
    text = api.document_for(evil, NAMES).text
    assert '\\"}) { id }' in text
    assert text.count("start") == 1


def test_an_amount_to_capture_needs_a_name() -> None:
    names = TerminalPaymentNames(capture=Call("capture", "", {"payment": "id"}))
    assert 'capture(id: "TP1")' in api.document_for(api.Capture("TP1"), names).text
    with pytest.raises(Unsupported):
        api.document_for(api.Capture("TP1", "1.00"), names)
    with pytest.raises(Unsupported):
        api.document_for(START, TerminalPaymentNames(kinds={"REFUND": "REFUND"}))


def test_each_of_the_three_answers_is_read() -> None:
    payment = {"id": 7, "status": "CAPTURED", "amount": "12.50"}
    assert told(result(payment=payment, error=None)) == api.ShownPayment("7", "CAPTURED", "12.50")
    error = {"code": "DECLINED", "message": "no"}
    assert told(result(error=error)) == api.ShownError("DECLINED", "no")
    assert told(result(continuation={"id": "h", "waitSeconds": 3})) == api.Continuation("h", 3.0)
    assert told(result(continuation={"id": 5})) == api.Continuation("5", None)


@pytest.mark.parametrize(
    "given",
    [
        result(),
        result(payment=None, error=None, continuation=None),
        result(payment={"id": "1"}, error={"code": "X"}),
        result(payment={"id": "1"}, continuation={"id": "h"}),
        result(payment={}),
        result(payment={"id": None, "amount": "1"}),
        result(payment={"id": {"deep": 1}}),
        result(payment=["1"]),
        result(payment="1"),
        result(continuation={"id": ""}),
        result(continuation={"id": "x" * 2_001}),
        result(continuation={"id": True}),
        result(continuation={"id": "\ud800"}),
        result(continuation=7),
        answer({"data": {NAMESPACE: {"start": None}}}),
        answer({"data": {NAMESPACE: None}}),
        answer({"data": {NAMESPACE: [1]}}),
        answer({"data": None}),
        answer({}),
        answer([]),
        HttpAnswer(200, {}, b"<html>"),
        HttpAnswer(200, {}, b'{"data": {"terminalPayment": {"start": {"paym'),
        HttpAnswer(500, {}, b""),
        HttpAnswer(504, {}, b"{}"),
        answer({"data": {NAMESPACE: {"start": {"payment": {"id": "1"}}}}, "errors": [{}]}),
        answer({"data": {NAMESPACE: {"start": {"payment": {"id": "1"}}}}}, 400),
        refused("FUSION_ERROR", None),
        refused("NOT_AUTHORIZED", [NAMESPACE, "start", "payment"]),
        refused("NOT_AUTHORIZED", [NAMESPACE, "capture"]),
        refused("NOT_AUTHORIZED", None, data={NAMESPACE: {"start": {}}}),
        refused("NOT_AUTHORIZED", None, data={NAMESPACE: {"other": 1}}),
        refused("NOT_AUTHORIZED", None, data={"other": 1}),
        refused("NOT_AUTHORIZED", None, data=7),
        refused("NOT_AUTHORIZED", None, status=500),
    ],
)
def test_what_cannot_be_read_proves_nothing(given: HttpAnswer) -> None:
    assert isinstance(told(given), Unknown)


@pytest.mark.parametrize("path", [None, [NAMESPACE], [NAMESPACE, "start"]])
@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {NAMESPACE: {"start": None}}}])
@pytest.mark.parametrize("status", [400, 401])
def test_a_missing_permission_proves_that_nothing_was_done(
    path: list[str] | None, data: dict[str, Any], status: int
) -> None:
    found = told(refused("NOT_AUTHORIZED", path, status, **data))
    assert isinstance(found, Refused)
    assert found.code == "NOT_AUTHORIZED"


@pytest.mark.parametrize("status", [301, 404, 429])
def test_a_status_before_the_api_proves_that_nothing_was_done(status: int) -> None:
    assert isinstance(told(HttpAnswer(status, {}, b"")), NotApplied)


@pytest.mark.parametrize(
    ("name", "wait", "seconds"),
    [
        ("waitSeconds", 3, 3.0),
        ("waitMs", 1500, 1.5),
        ("waitMilliseconds", "250", 0.25),
        ("wait", -5, 0.0),
        ("wait", "1e15", 3_600.0),
        ("wait", "soon", None),
        ("wait", None, None),
        ("wait", [1], None),
    ],
)
def test_a_wait_is_read_in_its_unit(name: str, wait: object, seconds: float | None) -> None:
    names = TerminalPaymentNames(continuation_fields={"handle": "id", "wait": name})
    given = result(continuation={"id": "h", name: wait})
    assert api.read_told(given, names.start, names) == api.Continuation("h", seconds)


@pytest.mark.parametrize("status", ["A" * 9_999, "", [], {"is": "CAPTURED"}, True])
def test_a_status_that_cannot_be_read_is_not_one_that_was_not_told(status: object) -> None:
    found = told(result(payment={"id": "1", "status": status, "amount": "1.00"}))
    assert isinstance(found, Unknown)


FINDING = Finding(
    "terminalPayments",
    "refNo",
    {"payment": "id", "status": "status", "amount": "amount", "reference": "refNo"},
    in_results=True,
    shows_limits=True,
)
ROW = {"id": "1", "status": "CAPTURED", "amount": "12.50", "refNo": "ref-1"}
FIND = api.Find("ref-1")


def test_a_payment_is_looked_for_by_our_reference() -> None:
    text = api.find_document(FIND, FINDING).text
    assert 'terminalPayments(refNo: "ref-1") { limitedByPermission results { id' in text
    for rows, kind in (
        ([ROW], api.ShownPayment),
        ([{**ROW, "refNo": "other"}, ROW], api.ShownPayment),
        ([], api.NotFound),
        ([{**ROW, "refNo": "other"}], api.NotFound),
        ([{**ROW, "refNo": None}, None, 7], api.NotFound),
        ([ROW, ROW], Unknown),
        ([{**ROW, "status": None}], Unknown),
        ([{**ROW, "status": []}], Unknown),
        ([{**ROW, "id": ""}], Unknown),
        (None, Unknown),
        ({}, Unknown),
    ):
        data: Json = {"terminalPayments": {"limitedByPermission": False, "results": rows}}
        assert isinstance(api.read_found(data, FIND, FINDING), kind), rows
    hidden = {"terminalPayments": {"limitedByPermission": True, "results": []}}
    assert isinstance(api.read_found(hidden, FIND, FINDING), Unknown)
    assert isinstance(api.read_found({}, FIND, FINDING), Unknown)


@pytest.mark.parametrize("name", ['x: 1) { id } } evil: start(payment: {amount: "1"}', "", "a b"])
def test_a_schema_cannot_write_our_questions(name: str) -> None:
    kind = {"kind": "INPUT_OBJECT", "name": "In"}
    schema = {
        "mutationType": {"fields": [{"name": NAMESPACE, "type": {"kind": "OBJECT", "name": "M"}}]}
    }
    steps = [
        {"name": one, "args": [{"name": name, "type": kind}], "type": kind}
        for one in ("start", "continue", "capture")
    ]
    fields = [{"name": name, "type": {"kind": "SCALAR", "name": "String"}}]
    types: dict[str, Any] = {"M": {"fields": steps}, "In": {"inputFields": fields}}
    names = read_names(schema, types)
    assert names.missing
    assert names.start.arguments == {}
    assert names.start.wrapper == ""


@pytest.mark.parametrize("shown", [None, 7, [], {"fields": 7}, {"fields": [None, {"name": 5}]}])
def test_any_shape_of_a_schema_is_survived(shown: Any) -> None:
    row = {"name": NAMESPACE, "type": {"kind": "OBJECT", "name": "M"}}
    for schema in ({"mutationType": shown}, {"mutationType": {"fields": [row]}}):
        types = {"M": shown} if isinstance(shown, dict) else {}
        assert read_names(schema, types).missing
        types_wanted(schema, types)

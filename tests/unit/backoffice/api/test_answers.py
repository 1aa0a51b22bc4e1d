"""What each answer proves; POS_API.md, exactly-once 4, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.backoffice.api.answers import classify, decimal_text, read_data
from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.http_exchange import HttpAnswer, parse_object, parse_retry_after

FIELD = "purchaseAdd"
SECRET = "canary-in-a-message"
DONE = {"data": {FIELD: {"id": "P1"}}}


def answer(status: int, body: Any, **headers: str) -> HttpAnswer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, {k.replace("_", "-"): v for k, v in headers.items()}, data)


def errors(*codes: str | None, **extra: Any) -> dict[str, Any]:
    return {
        "errors": [
            {"message": SECRET, "extensions": {"code": code} if code else {}} for code in codes
        ],
        **extra,
    }


def code_of(outcome: Attempt) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.code


def deep_error(*path: str | int) -> dict[str, Any]:
    return {"errors": [{"message": SECRET, "path": path, "extensions": {"code": "NOT_AUTHORIZED"}}]}


@pytest.mark.parametrize("status", [301, 307, 308, 404, 405, 407, 415, 421])
def test_who_answers_for_another_place_has_applied_nothing(status: int) -> None:
    outcome = classify(answer(status, b"<html>"), FIELD)
    assert isinstance(outcome, NotApplied)
    assert outcome.misplaced is (status >= 400)
    assert not outcome.login_required


@pytest.mark.parametrize(("elsewhere", "proof"), [(True, NotApplied), (False, Unknown)])
def test_a_302_is_proof_only_where_it_leads_to_another_origin(elsewhere: bool, proof: type) -> None:
    assert isinstance(classify(HttpAnswer(302, {}, b"", leads_elsewhere=elsewhere), FIELD), proof)


def test_a_permission_refused_at_the_root_field_is_a_refusal() -> None:
    assert code_of(classify(answer(401, deep_error(FIELD)), FIELD)) == "NOT_AUTHORIZED"


@pytest.mark.parametrize(
    "extensions",
    [
        {"code": "INVALID_VALUE"},
        {"code": "VALUES_OF_CORRECT_TYPE"},
        {"code": "X", "number": "5.6.1"},
    ],
)
def test_a_bad_value_is_about_this_one_request(extensions: dict[str, str]) -> None:
    body = {"errors": [{"message": SECRET, "extensions": extensions}]}
    assert code_of(classify(answer(400, body), FIELD)) == "INVALID_VALUE"


def test_a_request_that_is_too_large_is_about_this_one() -> None:
    outcome = classify(answer(413, b""), FIELD)
    assert isinstance(outcome, Refused)
    assert outcome.code == "TOO_LARGE"


def test_an_id_and_no_errors_is_applied() -> None:
    assert classify(answer(200, DONE), FIELD) == Applied("P1")
    assert classify(answer(200, {**DONE, "errors": []}), FIELD) == Applied("P1")
    assert classify(answer(200, {"data": {FIELD: {"id": 77}}}), FIELD) == Applied("77")


def test_balance_is_read_without_a_float() -> None:
    body = (
        b'{"data":{"giftcardTransAdd":{"id":"T1","balance":0.1000000000000000055,"giftcardId":9}}}'
    )
    outcome = classify(answer(200, body), "giftcardTransAdd")
    assert outcome == Applied("T1", balance="", gift_card_id="9")
    body = b'{"data":{"giftcardTransAdd":{"id":"T1","balance":36.10,"giftcardId":"9"}}}'
    outcome = classify(answer(200, body), "giftcardTransAdd")
    assert outcome == Applied("T1", balance="36.10", gift_card_id="9")


@pytest.mark.parametrize("body", [b"", b"<html>who are you</html>"])
def test_a_challenge_is_not_applied_and_wants_a_login(body: bytes) -> None:
    outcome = classify(answer(401, body), FIELD)
    assert isinstance(outcome, NotApplied)
    assert outcome.login_required


@pytest.mark.parametrize("status", [400, 401])
def test_not_authenticated_is_not_applied_and_wants_a_login(status: int) -> None:
    outcome = classify(answer(status, errors("NOT_AUTHENTICATED", data=None)), FIELD)
    assert isinstance(outcome, NotApplied)
    assert outcome.login_required


def test_too_many_requests_is_not_applied_and_waits_as_told() -> None:
    outcome = classify(answer(429, b"slow", retry_after="7"), FIELD)
    assert outcome == NotApplied("the back office is busy", 7.0)


@pytest.mark.parametrize("code", ["VALIDATION", "NOT_AUTHORIZED"])
@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {FIELD: None}}])
def test_a_refusal_names_its_code(code: str, status: int, data: dict[str, Any]) -> None:
    outcome = classify(answer(status, errors(code, **data)), FIELD)
    assert code_of(outcome) == code
    assert SECRET not in repr(outcome)


def test_a_refusal_names_the_property() -> None:
    body = {
        "errors": [
            {
                "message": SECRET * 100,
                "extensions": {
                    "code": "VALIDATION",
                    "data": {"Property": "storeCode", "ValidationType": "Required"},
                },
            }
        ]
    }
    refused = classify(answer(400, body), FIELD)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.path) == ("VALIDATION", "storeCode")
    assert refused.message == "the back office refuses the value of storeCode (Required)"


@pytest.mark.parametrize(
    "extensions",
    [
        {"code": "SYNTAX_ERROR"},
        {"code": "KNOWN_TYPE_NAMES"},
        {"code": "WHATEVER", "number": "5.3.1"},
    ],
)
def test_a_request_the_server_cannot_read_is_refused(extensions: dict[str, str]) -> None:
    body = {"errors": [{"message": SECRET, "extensions": extensions}]}
    assert code_of(classify(answer(400, body), FIELD)) == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": {FIELD: None}}),
        (200, {"data": {FIELD: {"id": None}}}),
        (200, {"data": {FIELD: {"id": ""}}}),
        (200, {"data": {FIELD: {"id": True}}}),
        (200, {"data": {FIELD: {}}}),
        (200, {"data": {"other": {"id": "P1"}}}),
        (200, {"data": [DONE]}),
        (200, {}),
        (200, []),
        (200, b""),
        (200, b"<html>portal</html>"),
        (200, b'{"data":{"purchaseAdd":{"id":"P1"'),
        (200, b'{"data":{"purchaseAdd":{"id":NaN}}}'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe\x00"),
        (200, {**DONE, **errors("VALIDATION")}),
        (200, errors("VALIDATION", data=None)),
        (200, {**DONE, "errors": "odd"}),
        (201, DONE),
        (204, b""),
        (302, b""),
        (400, b""),
        (400, DONE),
        (400, {**DONE, **errors("VALIDATION")}),
        (400, errors("FUSION_ERROR")),
        (400, errors("VALIDATION", "FUSION_ERROR")),
        (400, errors("SOMETHING_NEW")),
        (400, errors(None)),
        (400, {"errors": ["VALIDATION"]}),
        (400, {"errors": {"code": "VALIDATION"}}),
        (400, {"errors": []}),
        (401, errors("SOMETHING_NEW")),
        (401, {**DONE, **errors("NOT_AUTHENTICATED")}),
        (403, errors("NOT_AUTHORIZED")),
        (303, b""),
        (404, {**DONE, **errors("VALIDATION")}),
        (400, deep_error(FIELD, "lines", 0)),
        (401, deep_error(FIELD, "id")),
        (400, deep_error("other")),
        (500, errors("VALIDATION")),
        (502, b""),
        (503, b"try later"),
        (504, DONE),
    ],
)
def test_everything_else_is_unknown(status: int, body: Any) -> None:
    assert isinstance(classify(answer(status, body), FIELD), Unknown)


def test_a_query_without_an_answer_may_be_asked_again() -> None:
    assert read_data(answer(200, {"data": {"x": 1}})) == {"x": 1}
    for status, body in ((500, b""), (200, b"<html>"), (400, errors("FUSION_ERROR")), (200, {})):
        outcome = read_data(answer(status, body))
        assert isinstance(outcome, NotApplied)
        assert not outcome.login_required
    assert isinstance(read_data(answer(401, b"")), NotApplied)
    refused = read_data(answer(401, errors("NOT_AUTHORIZED")))
    assert isinstance(refused, Refused)
    assert refused.code == "NOT_AUTHORIZED"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"3", "3"),
        (b"36.10", "36.10"),
        (b'"36.10"', "36.10"),
        (b"-0.05", "-0.05"),
        (b"1e2", "100"),
        (b"1e999999999", ""),
        (b"1e-999999999", ""),
        (b'"1e999999999"', ""),
        (b'"NaN"', ""),
        (b'"ten"', ""),
        (b"true", ""),
        (b"null", ""),
        (b"{}", ""),
        (b"12345678901234567890", ""),
    ],
)
def test_amounts_are_read_exactly_or_not_at_all(raw: bytes, text: str) -> None:
    document = parse_object(b'{"v":' + raw + b"}")
    assert document is not None
    assert decimal_text(document["v"]) == text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), ("2", 2.0), ("999999", 3600.0), ("", None), ("soon", None), ("-1", None)],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert parse_retry_after(answer(429, b"", retry_after=header)) == seconds

"""What each answer proves; POS_API.md, exactly-once 4, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.backoffice.api.answers import classify, decimal_text, read_data
from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.api.operation import Said
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


# One error in the words of each kind of server, as it says that a field is not known.
STYLES: dict[str, dict[str, Any]] = {
    "fusion": {"message": SECRET, "extensions": {"code": "KNOWN_ARGUMENT_NAMES"}},
    "graphql_net": {
        "message": "Argument 'add' has invalid value. In field 'payMethod': Unknown field.",
        "extensions": {
            "code": "ARGUMENTS_OF_CORRECT_TYPE",
            "codes": ["ARGUMENTS_OF_CORRECT_TYPE"],
            "number": "5.6.1",
        },
    },
    "orchard": {
        "message": SECRET,
        "extensions": {"code": "VALIDATION_ERROR", "number": "Unauthorized"},
    },
    "apollo": {
        "message": 'Field "payMethod" is not defined by type "In".',
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    },
    "plain": {"message": 'Field "payMethod" is not defined by type "In".'},
}
ASKED = Said(frozenset({"purchaseAdd", "add", "payMethod"}), frozenset({"T-1", "VISA"}))
in_every_style = pytest.mark.parametrize("style", STYLES)


def judged(status: int, body: Any) -> Attempt:
    return classify(answer(status, body), FIELD, ASKED)


@in_every_style
@pytest.mark.parametrize("status", [400, 401])
def test_row_validation_or_permission_alone_is_proof(style: str, status: int) -> None:
    outcome = judged(status, {"errors": [STYLES[style]]})
    expected = "NOT_AUTHORIZED" if style == "orchard" else "INVALID_REQUEST"
    assert code_of(outcome) == expected
    assert SECRET not in repr(outcome)


@in_every_style
@pytest.mark.parametrize("data", [None, {}, {FIELD: None}])
def test_row_no_data_is_no_obstacle_where_a_code_says_what_it_is(style: str, data: Any) -> None:
    outcome = judged(400, {"errors": [STYLES[style]], "data": data})
    # Without a code only an answer that has no data at all says that nothing was begun.
    assert isinstance(outcome, Unknown if style == "plain" else Refused)


@in_every_style
@pytest.mark.parametrize("data", [{FIELD: {"id": None}}, {"x": 1}, [], "", 0, False])
@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 429, 301, 307])
def test_row_data_that_is_not_null_is_never_proof(style: str, data: Any, status: int) -> None:
    assert isinstance(judged(status, {"errors": [STYLES[style]], "data": data}), Unknown)


@in_every_style
@pytest.mark.parametrize(
    "path", [[FIELD, "id"], [FIELD, 0], [FIELD, None], ["other"], [], [0], "purchaseAdd", {}, 0]
)
@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 429, 301, 307])
def test_row_an_error_below_or_beside_the_root_field_is_never_proof(
    style: str, path: Any, status: int
) -> None:
    body = {"errors": [STYLES[style], {**STYLES[style], "path": path}]}
    assert isinstance(judged(status, body), Unknown)


@in_every_style
def test_row_an_error_at_the_root_field_is_proof_by_its_code(style: str) -> None:
    outcome = judged(400, {"errors": [{**STYLES[style], "path": [FIELD]}]})
    assert isinstance(outcome, Unknown if style == "plain" else Refused)


@in_every_style
@pytest.mark.parametrize(
    "other",
    [
        {"message": "m", "extensions": {"code": "FUSION_ERROR"}},
        {"message": "m", "extensions": {"code": "VALIDATION"}},
        {"message": "m", "extensions": {"code": "INTERNAL_SERVER_ERROR"}},
        {"message": "m"},
        "m",
        None,
    ],
)
def test_row_mixed_codes_are_no_proof(style: str, other: Any) -> None:
    for errors_told in ([STYLES[style], other], [other, STYLES[style]]):
        assert isinstance(judged(400, {"errors": errors_told}), Unknown)


@in_every_style
@pytest.mark.parametrize(
    "status", [200, 201, 204, 300, 302, 303, 304, 402, 403, 406, 408, 409, 410, 422, 425, 451]
)
def test_row_other_statuses_are_no_proof(style: str, status: int) -> None:
    assert isinstance(judged(status, {"errors": [STYLES[style]]}), Unknown)


@in_every_style
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599])
def test_row_5xx_is_no_proof(style: str, status: int) -> None:
    assert isinstance(judged(status, {"errors": [STYLES[style]]}), Unknown)


@in_every_style
@pytest.mark.parametrize("status", [400, 401])
def test_row_a_cut_body_is_no_proof(style: str, status: int) -> None:
    whole = json.dumps({"errors": [STYLES[style]]}).encode()
    for length in range(1, len(whole)):
        assert isinstance(judged(status, whole[:length]), Unknown), length


@in_every_style
def test_row_a_body_that_says_one_thing_twice_is_no_proof(style: str) -> None:
    told = json.dumps([STYLES[style]])
    body = f'{{"data": {{"{FIELD}": {{"id": "P1"}}}}, "errors": {told}, "data": null}}'
    assert isinstance(judged(400, body.encode()), Unknown)
    body = f'{{"errors": [{{"path": ["{FIELD}", "id"]}}], "errors": {told}}}'
    assert isinstance(judged(400, body.encode()), Unknown)


@in_every_style
@pytest.mark.parametrize("status", [301, 307, 308, 404, 405, 407, 415, 421, 429])
def test_row_who_is_not_the_api_proves_it_whatever_it_says(style: str, status: int) -> None:
    assert isinstance(judged(status, {"errors": [STYLES[style]]}), NotApplied)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("VALIDATION"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["code", "number", "data", "path", "message", "extensions", FIELD, "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from([200, 302, 400, 401, 404, 413, 429, 500]),
    st.fixed_dictionaries({}, optional={"errors": JSON, "data": JSON}),
)
def test_no_answer_breaks_us_and_data_is_never_called_nothing(status: int, body: Any) -> None:
    outcome = judged(status, body)
    read_data(answer(status, body), ASKED)
    data = body.get("data")
    if isinstance(data, dict) and data.get(FIELD) is not None:
        assert isinstance(outcome, Applied | Unknown)
    if isinstance(outcome, Applied):
        assert status == 200


@pytest.mark.parametrize("record_id", ["x" * 201, "a\nb", "\x00", " \u2028", "", None, [], {}, 1.5])
def test_an_id_that_nobody_could_name_is_no_proof_of_a_record(record_id: Any) -> None:
    assert isinstance(judged(200, {"data": {FIELD: {"id": record_id}}}), Unknown)


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

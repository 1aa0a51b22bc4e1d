from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import RequestError
from bridge.register.api import (
    ERRORS,
    REQUEST_BYTES_MAX,
    REQUESTS,
    PaymentAcknowledge,
    PaymentCancel,
    PaymentList,
    PaymentResolve,
    PaymentStart,
    PaymentStatus,
    TerminalCheck,
    content_hash,
    decode_request,
    error_body,
    salvage_ids,
)
from drivers.contract import Money

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"

# CONTRACT section 4.1, the whole example
START: dict[str, Any] = {
    "request_id": "r-81f2",
    "sent_at": "2026-03-02T09:13:40.900Z",
    "expires_at": "2026-03-02T09:13:55Z",
    "bridge_epoch": "01JAZ5K4X2",
    "payment_id": PAYMENT,
    "type": "sale",
    "method": "card",
    "terminal_id": "counter-1",
    "sale_id": "T3-20260302-0118",
    "sale_reference_id": None,
    "amounts": {
        "currency": "EUR",
        "requested_amount": "47.90",
        "tip": {"mode": "none"},
        "cash_back_amount": None,
    },
    "accept_partial": True,
    "payment_brands": {"deny_categories": ["gift_card"]},
    "entry_modes": None,
    "force_online": False,
    "token": "none",
    "when_busy": "reject",
    "deadline_s": 120,
    "on_register_lost": "cancel_if_no_card",
    "operator_id": "anna",
    "shift_number": "2026-03-02/1",
    "totals_group_id": "till-3",
    "language": "de-DE",
    "sale": {
        "total_amount": "47.90",
        "lines": [
            {
                "item_id": 1,
                "product_code": "4006381333931",
                "ean_upc": "4006381333931",
                "product_label": "Marker",
                "quantity": "2",
                "unit_of_measure": "each",
                "unit_price": "3.95",
                "item_amount": "7.90",
                "tax_code": "DE19",
            }
        ],
    },
    "metadata": {"customer_no": "K-1203"},
}
SMALL: dict[str, Any] = {
    "request_id": "r",
    "payment_id": PAYMENT,
    "amounts": {"currency": "EUR", "requested_amount": "12.50"},
}


def start(**changes: object) -> PaymentStart:
    request = decode_request("payment/start", json.dumps({**SMALL, **changes}).encode())
    assert isinstance(request, PaymentStart)
    return request


def refused(operation: str, message: object) -> RequestError:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    with pytest.raises(RequestError) as caught:
        decode_request(operation, payload)
    assert caught.value.code in ERRORS
    return caught.value


def test_published_example_of_a_start_is_read() -> None:
    request = decode_request("payment/start", json.dumps(START).encode())
    assert isinstance(request, PaymentStart)
    assert request.amounts.requested == Money(4790, "EUR")
    assert request.sale is not None
    assert request.sale.lines[0].item_amount == "7.90"
    assert request.payment_brands is not None
    assert request.payment_brands.deny_categories == ("gift_card",)
    assert request.metadata == {"customer_no": "K-1203"}


@pytest.mark.parametrize(
    ("operation", "model", "fields"),
    [
        ("payment/cancel", PaymentCancel, {"payment_id": PAYMENT, "reason": "customer_cancel"}),
        ("payment/status", PaymentStatus, {"payment_id": PAYMENT, "refresh": True}),
        ("payment/list", PaymentList, {"filter": {"open": True}, "limit": 50}),
        ("payment/acknowledge", PaymentAcknowledge, {"payment_id": PAYMENT, "rev": 9}),
        (
            "payment/resolve",
            PaymentResolve,
            {
                "payment_id": PAYMENT,
                "outcome": "approved",
                "evidence": {"approval_code": "123456", "source": "merchant_slip"},
                "approved_by": "supervisor-1",
            },
        ),
        ("terminal/check", TerminalCheck, {"terminal_id": "counter-1"}),
    ],
)
def test_each_command_is_read_and_tolerates_a_newer_register(
    operation: str, model: type, fields: dict[str, Any]
) -> None:
    request = decode_request(operation, json.dumps({"request_id": "r", **fields}).encode())
    assert type(request) is model
    if operation != "payment/resolve":
        newer = {"request_id": "r", "invented_later": 1, **fields}
        assert decode_request(operation, json.dumps(newer).encode()) == request


def test_every_operation_has_its_name() -> None:
    assert all(model.operation == name for name, model in REQUESTS.items())


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "the message is empty"),
        (b"{", "line 1 column 2"),
        (b"\xff{}", "UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"a":1,"a":2}', "'a' stands twice"),
        (b'{"a":{"b":1,"b":2}}', "'b' stands twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b'{"a":1e999}', "1e999"),
        (b'{"a":' + b"9" * 5000 + b"}", "digits"),
        (b"[" * 60_000, "deep"),
        (b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", "deeper than 16"),
        (b"{} {}", "behind the end"),
    ],
)
def test_what_is_not_json_is_invalid_json(payload: bytes, words: str) -> None:
    error = refused("payment/start", payload)
    assert error.code == "invalid_json"
    assert words in str(error)


@pytest.mark.parametrize("payload", [b"[]", b'"x"', b"1", b"null"])
def test_what_is_no_object_is_an_invalid_request(payload: bytes) -> None:
    assert refused("payment/status", payload).code == "invalid_request"


def test_oversized_payload_is_refused_with_its_limit() -> None:
    big = json.dumps({**SMALL, "metadata": {"a": "x" * REQUEST_BYTES_MAX}}).encode()
    error = refused("payment/start", big)
    assert error.code == "invalid_request"
    assert error.detail["limit_bytes"] == REQUEST_BYTES_MAX


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\r", "\x7f", "\ud800"])
def test_control_characters_and_half_surrogates_are_refused(character: str) -> None:
    error = refused("payment/start", {**SMALL, "metadata": {"a": [f"x{character}"]}})
    assert (error.code, error.path) == ("invalid_request", "metadata.a.0")


@pytest.mark.parametrize(
    ("fields", "code", "path", "words"),
    [
        ({"tip_amuont": "1.00"}, "invalid_request", "tip_amuont", "'amounts.tip.tip_amount'"),
        ({"terminal": "counter-1"}, "invalid_request", "terminal", "'terminal_id'"),
        (
            {"amounts": {"currency": "EUR", "requested_amuont": "1.00"}},
            "invalid_request",
            "amounts.requested_amuont",
            "'requested_amount'",
        ),
        (
            {"amounts": {**SMALL["amounts"], "tip": {"mode": "fixed", "amount": "1.00"}}},
            "invalid_request",
            "amounts.tip.amount",
            "no field 'amount'",
        ),
        ({"request_id": ""}, "invalid_request", "request_id", "at least 1"),
        ({"request_id": 5}, "invalid_request", "request_id", "in quotes"),
        ({"payment_id": PAYMENT.upper()}, "invalid_request", "payment_id", "lower case"),
        ({"terminal_id": "Counter 1"}, "invalid_request", "terminal_id", "a-z, 0-9 and -"),
        ({"type": "gift"}, "invalid_request", "type", "'sale' or 'preauth'"),
        ({"deadline_s": "60"}, "invalid_request", "deadline_s", "whole number"),
        ({"deadline_s": 5}, "invalid_request", "deadline_s", "10"),
        ({"accept_partial": 1}, "invalid_request", "accept_partial", "true or false"),
        ({"expires_at": "2026-03-02T09:13:55"}, "invalid_request", "expires_at", "UTC"),
        ({"expires_at": "2026-02-30T09:13:55Z"}, "invalid_request", "expires_at", "UTC"),
        ({"expires_at": 1772442835}, "invalid_request", "expires_at", "UTC"),
        ({"language": "Deutsch!"}, "invalid_request", "language", "'de-DE'"),
        ({"amounts": None}, "invalid_request", "amounts", "object"),
        ({"amounts": {"currency": "EUR"}}, "invalid_request", "amounts.requested_amount", "miss"),
        (
            {"amounts": {"currency": "XXX", "requested_amount": "1.00"}},
            "invalid_request",
            "amounts.currency",
            "ISO 4217",
        ),
        (
            {"amounts": {"currency": "eur", "requested_amount": "1.00"}},
            "invalid_request",
            "amounts.currency",
            "ISO 4217",
        ),
        (
            {"amounts": {**SMALL["amounts"], "tip": {"mode": "fixed", "tip_amount": "13.00"}}},
            "invalid_amount",
            "amounts.requested_amount",
            "contains tip",
        ),
        (
            {"amounts": {**SMALL["amounts"], "tip": {"mode": "fixed"}}},
            "invalid_request",
            "amounts.tip.tip_amount",
            "needs",
        ),
        (
            {"amounts": {**SMALL["amounts"], "tip": {"mode": "ask", "tip_amount": "1.00"}}},
            "invalid_request",
            "amounts.tip.mode",
            "fixed",
        ),
        (
            {"sale": {"total_amount": "12.5"}},
            "invalid_amount",
            "sale.total_amount",
            "2 digits",
        ),
        (
            {
                "sale": {
                    "total_amount": "12.50",
                    "lines": [
                        {
                            "item_id": 1,
                            "quantity": "1",
                            "unit_price": "1.899",
                            "item_amount": "12.499",
                        }
                    ],
                }
            },
            "invalid_amount",
            "sale.lines.0.item_amount",
            "2 digits",
        ),
        (
            {
                "sale": {
                    "total_amount": "12.50",
                    "lines": [
                        {"item_id": 1, "quantity": "1e3", "unit_price": "1", "item_amount": "1.00"}
                    ],
                }
            },
            "invalid_request",
            "sale.lines.0.quantity",
            "decimal text",
        ),
    ],
)
def test_wrong_field_is_named_with_what_to_write(
    fields: dict[str, Any], code: str, path: str, words: str
) -> None:
    error = refused("payment/start", {**SMALL, **fields})
    assert (error.code, error.path) == (code, path)
    assert words in str(error)
    assert error.detail["path"] == path


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("EUR", "12.5"),
        ("EUR", "12"),
        ("EUR", "12.500"),
        ("EUR", "-1.00"),
        ("EUR", "+1.00"),
        ("EUR", "1,000.00"),
        ("EUR", "1.000,00"),
        ("EUR", "1 000.00"),
        ("EUR", "1e2"),
        ("EUR", "012.50"),
        ("EUR", " 12.50"),
        ("EUR", "12.50\n"),
        ("EUR", ".50"),
        ("EUR", "١٢.٥٠"),
        ("EUR", ""),
        ("EUR", "0.00"),
        ("EUR", 12.5),
        ("EUR", 12),
        ("EUR", True),
        ("JPY", "1250.00"),
        ("JPY", "1250."),
        ("KWD", "1.25"),
        ("EUR", "99999999999.99"),
        ("EUR", "9" * 400),
    ],
)
def test_amount_not_written_as_its_currency_wants_is_invalid_amount(
    currency: str, amount: object
) -> None:
    wrong = {**SMALL, "amounts": {"currency": currency, "requested_amount": amount}}
    error = refused("payment/start", wrong)
    assert (error.code, error.path) == ("invalid_amount", "amounts.requested_amount")


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("EUR", "12.50", 1250),
        ("EUR", "0.01", 1),
        ("JPY", "1250", 1250),
        ("KWD", "1.250", 1250),
        ("EUR", "9999999999.99", 999_999_999_999),
    ],
)
def test_amount_is_read_in_minor_units(currency: str, amount: str, minor: int) -> None:
    request = start(amounts={"currency": currency, "requested_amount": amount})
    assert request.amounts.requested == Money(minor, currency)


def test_own_extensions_are_skipped_and_metadata_is_kept_whole() -> None:
    request = start(
        x_vendor={"a": 1},
        amounts={**SMALL["amounts"], "x_note": "n", "tip": {"mode": "none", "x_b": 2}},
        metadata={"x_kept": [1, {"tip_amuont": None}]},
    )
    assert request.metadata == {"x_kept": [1, {"tip_amuont": None}]}


def test_unknown_field_of_a_sale_line_is_ignored() -> None:
    line = {
        "item_id": 1,
        "quantity": "1.25",
        "unit_price": "1.899",
        "item_amount": "2.37",
        "shelf": "A3",
    }
    request = start(sale={"total_amount": "12.50", "lines": [line]})
    assert request.sale is not None
    assert request.sale.lines[0].unit_price == "1.899"


def test_resolve_refuses_a_mistyped_field() -> None:
    error = refused(
        "payment/resolve",
        {
            "request_id": "r",
            "payment_id": PAYMENT,
            "outcome": "approved",
            "evidence": {"aproval_code": "1", "source": "merchant_slip"},
            "approved_by": "s",
        },
    )
    assert (error.code, error.path) == ("invalid_request", "evidence.aproval_code")
    assert "'approval_code'" in str(error)


def test_unknown_operation_is_answered_with_the_likely_one() -> None:
    error = refused("payment/strat", b"{}")
    assert error.code == "unknown_operation"
    assert "'payment/start'" in str(error)
    assert error.detail["known"] == sorted(REQUESTS)


def test_correlation_data_stands_in_for_a_missing_request_id() -> None:
    message = {key: value for key, value in SMALL.items() if key != "request_id"}
    payload = json.dumps(message).encode()
    assert decode_request("payment/start", payload, correlation=b"c-1").request_id == "c-1"
    assert decode_request("payment/start", payload, correlation=b"\xff\x00").request_id == "ff00"
    assert refused("payment/start", payload).path == "request_id"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"request_id":"r","payment_id":"p","amounts":1}', ("r", "p")),
        (b'{"request_id":5,"payment_id":[]}', ("corr", None)),
        (b'{"request_id":"r\\u0000"}', ("corr", None)),
        (b"{", ("corr", None)),
        (b"[" * 60_000, ("corr", None)),
        (b"\xff", ("corr", None)),
        (b'{"request_id":"r-7","payment_id":"p","amounts":{"cur', ("r-7", "p")),
        (b'{"amounts":{"request_id":"no"},"request_id":"r-8",}', ("r-8", None)),
        (b'{"metadata":{"request_id":"no"}', ("corr", None)),
        (b'{"request_id":"r-9","note":"\xff"}', ("r-9", None)),
        (b'{"request_id":"r-10","rev":NaN}', ("r-10", None)),
        (b'{"request_id":"r-11"} {}', ("r-11", None)),
        (b'{"note":"' + b"x" * 70_000 + b'","request_id":"r-12"}', ("r-12", None)),
        (b'{"request_id":"r-\\u0041"', ("r-A", None)),
    ],
)
def test_ids_of_a_refused_message_are_saved_for_its_answer(
    payload: bytes, expected: tuple[str, str | None]
) -> None:
    assert salvage_ids(payload, b"corr") == expected


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        (b'{"request_id":5}', "5"),
        (b'{"request_id":' + b'"' + b"r" * 65 + b'"}', "r" * 65),
        (b'{"request_id":"two\\nlines"}', "two\nlines"),
        (b'{"request_id":true}', ""),
        (b'{"request_id":"\\ud800"}', ""),
    ],
)
def test_a_request_id_that_is_none_still_comes_back_where_nothing_better_does(
    payload: bytes, read: str
) -> None:
    assert salvage_ids(payload) == (read, None)


LIBRARY_WORDS = ("Expecting", "Input should", "String should", "delimiter", "pydantic", "Value err")


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b'{"request_id":"r","amounts":{"currency":"EUR","requested_amount":12.5.0}}', "amounts"),
        (b'{"request_id":"r","sale":{"lines":[{},{"item_id":}]}}', "sale.lines.1.item_id"),
        (b'{"request_id":"r","note":"\xff"}', "note"),
        (b'{"request_id":"r","amounts":{"requested_amount":NaN}}', "amounts.requested_amount"),
        (b'{"request_id":"r","x":[1e999]}', "x.0"),
        (b'{"request_id":"r","amounts":{"a":1,"a":2}}', "amounts.a"),
        (b'{"request_id":"r","deadline_s":' + b"9" * 5_000 + b"}", "deadline_s"),
        (b'{"request_id":"r","metadata":{"a":"b\\u0007"}}', "metadata.a"),
        (b'{"request_id":"r" "payment_id":"p"}', "request_id"),
    ],
)
def test_what_cannot_be_read_names_the_field_that_it_breaks_in(payload: bytes, path: str) -> None:
    error = refused("payment/start", payload)
    assert error.code in {"invalid_json", "invalid_request"}
    assert error.path.startswith(path), (error.path, str(error))
    assert salvage_ids(payload)[0] == "r"


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_refusals_are_in_our_own_words(operation: str) -> None:
    values: list[Any] = [5, 1.5, "", "x" * 300, True, None, [], {}, ["x"], -1, 10**9, "é"]
    found = []
    for value, name in itertools.product(values, REQUESTS[operation].model_fields):
        payload = json.dumps({"request_id": "r-1", name: value}).encode()
        with contextlib.suppress(RequestError):
            decode_request(operation, payload)
            continue
        found.append(refused(operation, payload))
    assert found
    for error in found:
        assert not any(word in str(error) for word in LIBRARY_WORDS), error
        assert error.path, error


def test_content_hash_ignores_guards_and_sees_money() -> None:
    same = content_hash(start())
    assert same == content_hash(
        start(request_id="other", operator_id="ben", bridge_epoch="e2", metadata={"a": 1})
    )
    assert same == content_hash(start(type="sale", method="card"))
    assert same == content_hash(
        start(amounts={"currency": "EUR", "requested_amount": "12.50", "tip": {"mode": "none"}})
    )
    others = [
        content_hash(start(sale_id="T1")),
        content_hash(start(terminal_id="counter-1")),
        content_hash(start(terminal_id="counter-2")),
        content_hash(start(terminal_pool="counter-1")),
        content_hash(start(method="any")),
        content_hash(start(type="preauth")),
        content_hash(start(amounts={"currency": "EUR", "requested_amount": "12.51"})),
        content_hash(start(amounts={"currency": "USD", "requested_amount": "12.50"})),
        content_hash(start(amounts={**SMALL["amounts"], "cash_back_amount": "1.00"})),
        content_hash(start(amounts={**SMALL["amounts"], "tip": {"mode": "ask"}})),
        content_hash(
            start(amounts={**SMALL["amounts"], "tip": {"mode": "fixed", "tip_amount": "1.00"}})
        ),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_error_body_says_what_it_means_for_the_money() -> None:
    body = error_body(RequestError("invalid_amount", "write it so", path="amounts.x"))
    assert body.model_dump() == {
        "code": "invalid_amount",
        "error_condition": "MessageFormat",
        "message": "write it so",
        "detail": {"path": "amounts.x"},
        "money_moved": "no",
        "retry": "no",
        "retry_after_s": None,
    }
    assert error_body(RequestError("payment_in_doubt", "x")).money_moved == "unknown"
    assert error_body(RequestError("too_late_to_cancel", "x")).money_moved == "yes"
    busy = error_body(RequestError("terminal_busy", "x"), retry_after_seconds=20)
    assert (busy.retry, busy.retry_after_s) == ("same_id", 20)


@settings(max_examples=200, deadline=None)
@given(payload=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_refused_and_never_raises_anything_else(payload: bytes) -> None:
    for operation in REQUESTS:
        with pytest.raises(RequestError):
            decode_request(operation, payload)
    salvage_ids(payload)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(START)), value=_JSON)
def test_any_value_in_any_field_is_read_or_refused_by_name(name: str, value: object) -> None:
    assert fault_of({**START, name: value}) in {None, name, "invalid_json"}


def fault_of(message: dict[str, Any]) -> str | None:
    """The top-level field that a start is refused for, None if it is read."""
    try:
        decode_request("payment/start", json.dumps(message).encode())
    except RequestError as error:
        if error.code == "invalid_json":
            return error.code
        return error.path.split(".")[0]
    return None

"""How servers word what is wrong, and what we make of it without a word of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.backoffice.api.attempts import NotApplied, Refused
from bridge.backoffice.api.operation import Said
from bridge.backoffice.api.refusals import codes_in_words, first_code, read_refusal

NAMES = frozenset(
    {"purchaseAdd", "add", "payMethod", "lineItems", "uom", "sku", "storeCode", "PERSONAL"}
    | {"giftcardTransAdd", "trans", "codeType", "amount", "pin"}
)
SAID = Said(NAMES, frozenset({"6396219998887776", "7391", "SKU-X", "GIFTCODE", "it is not known"}))
NET_VALUE = {"code": "ARGUMENTS_OF_CORRECT_TYPE", "number": "5.6.1"}
JS_VALUE = {"code": "GRAPHQL_VALIDATION_FAILED"}
INPUT = 'found { transactionId: "T", pin: "7391" }'


def read(
    message: str, extensions: dict[str, Any] | None, **more: Any
) -> NotApplied | Refused | None:
    entry: dict[str, Any] = {"message": message, **more}
    if extensions is not None:
        entry["extensions"] = extensions
    return read_refusal([entry], SAID, not_begun=extensions is None)


NAMES_UNKNOWN = [
    # GraphQL.NET
    ("Argument 'add' has invalid value. In field 'payMethod': Unknown field.", NET_VALUE),
    (
        "Argument 'add' has invalid value. In field 'lineItems': [In element #1: "
        "[In field 'payMethod': Unknown field.]]",
        NET_VALUE,
    ),
    ('Argument "add" has invalid value.\nIn field "payMethod": Unknown field.', NET_VALUE),
    (
        "Unknown argument 'payMethod' on field 'Mutation.purchaseAdd'.",
        {"code": "KNOWN_ARGUMENT_NAMES", "number": "5.4.1"},
    ),
    (
        "Cannot query field 'payMethod' on type 'Purchase'. Did you mean 'x'?",
        {"code": "FIELDS_ON_CORRECT_TYPE", "number": "5.3.1"},
    ),
    # GraphQL.NET 2
    (
        'Argument "add" has invalid value {sku: "a.b"}.\nIn field "payMethod": Unknown field.',
        {"code": "5.6.1"},
    ),
    ('Unknown argument "payMethod" on field "f" of type "Mutation".', {"code": "5.4.1"}),
    # Apollo and the reference implementation, old and new
    ('Field "payMethod" is not defined by type "PurchaseInput". Did you mean "x"?', JS_VALUE),
    ('Unknown argument "payMethod" on field "Mutation.purchaseAdd".', JS_VALUE),
    ('Cannot query field "payMethod" on type "Purchase".', JS_VALUE),
    (f"Expected value of type 'In' not to include unknown field 'payMethod', {INPUT}.", JS_VALUE),
    ('Field "payMethod" is not defined by type "In".', None),
    ('Cannot query field "payMethod" on type "P".', None),
    ('Field "payMethod" is not defined by type "In".', {"code": "BAD_USER_INPUT"}),
]


@pytest.mark.parametrize(("message", "extensions"), NAMES_UNKNOWN)
def test_a_name_that_is_not_known_is_named(message: str, extensions: dict[str, str] | None) -> None:
    assert read(message, extensions) == Refused(
        "INVALID_REQUEST", "the back office does not know payMethod", "payMethod"
    )


@pytest.mark.parametrize(
    ("message", "extensions"),
    [
        ("Argument 'trans' has invalid value. Expected type 'Kind', found PERSONAL.", NET_VALUE),
        (
            "Argument 'trans' has invalid value. In field 'codeType': "
            "[Expected type 'Kind', found PERSONAL.]",
            NET_VALUE,
        ),
        ('Value "PERSONAL" does not exist in "Kind" enum. Did you mean "PERSON"?', JS_VALUE),
        ("Value 'PERSONAL' does not exist in 'Kind' enum.", None),
    ],
)
def test_so_is_an_enums_value(message: str, extensions: dict[str, str] | None) -> None:
    outcome = read(message, extensions)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.path) == ("INVALID_REQUEST", "PERSONAL")


@pytest.mark.parametrize(
    ("message", "extensions"),
    [
        (
            "Argument 'add' has invalid value. Missing required field 'till' of type 'String'.",
            NET_VALUE,
        ),
        (
            "Argument 'add' has invalid value. In field 'lineItems': [In element #1: "
            "[Missing required field 'till' of type 'String'.]]",
            NET_VALUE,
        ),
        (
            "Argument 'capture' of type 'X!' is required for field 'f' but not provided.",
            {"code": "PROVIDED_NON_NULL_ARGUMENTS", "number": "5.4.2.1"},
        ),
        ('Field "In.till" of required type "String!" was not provided.', JS_VALUE),
        ('Field "f" argument "till" of type "X!" is required, but it was not provided.', JS_VALUE),
        ("Argument 'Mutation.f(till:)' of type 'X!' is required, but it was not given.", JS_VALUE),
        (f"Expected value of type 'In' to include required field 'till', {INPUT}.", JS_VALUE),
        ("Argument 'add' has invalid value. Expected 'In', found not an object.", NET_VALUE),
        ("Argument 'add' has invalid value. Expected type 'PayKind', found \"VISA\".", NET_VALUE),
        ('Enum "PayKind" cannot represent non-enum value: "VISA".', JS_VALUE),
        ('Expected value of type "In", found "x".', JS_VALUE),
        ("Expected value of type 'In' to be an object, found: \"x\".", JS_VALUE),
        ("Unknown type 'X'.", {"code": "KNOWN_TYPE_NAMES", "number": "5.5.1.2"}),
        ('Unknown type "X".', JS_VALUE),
        ('Unknown type "X".', None),
        ("Syntax Error: Expected Name, found {", {"code": "GRAPHQL_PARSE_FAILED"}),
        ("Error parsing query: Expected Name", {"code": "SYNTAX_ERROR"}),
        ("anything at all", {"code": "WHATEVER", "number": "5.3.3"}),
        ("anything at all", JS_VALUE),
    ],
)
def test_another_shape_waits_as_a_name_does(
    message: str, extensions: dict[str, str] | None
) -> None:
    outcome = read(message, extensions)
    assert isinstance(outcome, Refused)
    assert outcome.code == "INVALID_REQUEST"
    assert outcome.path == ""


@pytest.mark.parametrize(
    ("message", "extensions"),
    [
        ("Argument 'add' has invalid value. Expected type 'Decimal', found \"abc\".", NET_VALUE),
        (
            "Argument 'add' has invalid value. In field 'lineItems': [In element #1: "
            "[In field 'uom': [Expected type 'Int', found \"EA\".]]]",
            NET_VALUE,
        ),
        ("Argument 'add' has invalid value.", NET_VALUE),
        ("Invalid value", {"code": "INVALID_VALUE", "number": "5.6.1"}),
        ('Int cannot represent non-integer value: "abc"', JS_VALUE),
        ('Expected value of type "Decimal", found "abc"; it is no number', JS_VALUE),
        (
            "Expected value of type 'Decimal', but encountered error 'no'; found: \"abc\".",
            JS_VALUE,
        ),
        ("Int cannot represent non-integer value: 1.5", None),
        ("bad", {"code": "BAD_USER_INPUT"}),
        # Words of a rule of names that are not about a name of ours: they quote a value.
        ("Argument 'add' has invalid value. In field 'SKU-X': Unknown field.", NET_VALUE),
        (
            "Argument 'add' has invalid value. Expected type 'String', found "
            "\"In field 'uom': Unknown field.\".",
            NET_VALUE,
        ),
    ],
)
def test_a_value_that_does_not_fit_is_about_this_one_request(
    message: str, extensions: dict[str, str] | None
) -> None:
    outcome = read(message, extensions)
    assert isinstance(outcome, Refused)
    assert outcome.code == "INVALID_VALUE"


@pytest.mark.parametrize("status_of", [{"code": "NOT_AUTHORIZED"}, {"code": "FORBIDDEN"}])
def test_a_missing_permission_has_many_names(status_of: dict[str, str]) -> None:
    outcome = read("You may not", status_of, path=["purchaseAdd"])
    assert isinstance(outcome, Refused)
    assert outcome.code == "NOT_AUTHORIZED"


@pytest.mark.parametrize(
    "told",
    [
        {"code": "VALIDATION_ERROR", "codes": ["X"], "number": "Unauthorized"},
        {"code": "Unauthorized"},
        {"code": "UNAUTHORIZED"},
    ],
)
def test_orchards_permission_rule_is_known_by_its_number(told: dict[str, Any]) -> None:
    outcome = read("You do not have permission to view this field.", told)
    assert isinstance(outcome, Refused)
    assert outcome.code == "NOT_AUTHORIZED"


@pytest.mark.parametrize("code", ["NOT_AUTHENTICATED", "UNAUTHENTICATED"])
def test_a_login_that_is_missing(code: str) -> None:
    outcome = read("log in", {"code": code})
    assert isinstance(outcome, NotApplied)
    assert outcome.login_required


@pytest.mark.parametrize(
    ("message", "extensions", "more"),
    [
        ("it broke", None, {}),
        ("it broke", {}, {}),
        ("it broke", {"code": "INTERNAL_SERVER_ERROR"}, {}),
        ("it broke", {"code": "FUSION_ERROR", "number": "6.1"}, {}),
        ('Field "payMethod" is not defined by type "In".', None, {"path": ["purchaseAdd"]}),
        ('Field "unheardOf" is not defined by type "In".', None, {}),
        ('see: Field "payMethod" is not defined by type "In".', None, {}),
        ("bad", {"code": "BAD_USER_INPUT"}, {"path": ["purchaseAdd"]}),
        ("bad", {"code": ["VALIDATION"]}, {}),
        ("bad", {"code": 5}, {}),
        ("bad", {"code": None}, {}),
        ("bad", {"code": {"a": 1}, "number": [5]}, {}),
        (["bad"], {"code": "SOMETHING_NEW"}, {}),
        ("bad", ["VALIDATION"], {}),
    ],
)
def test_what_is_not_known_to_come_before_execution_proves_nothing(
    message: Any, extensions: Any, more: dict[str, Any]
) -> None:
    assert read(message, extensions, **more) is None


@pytest.mark.parametrize(
    "start", ['Argument "add" has invalid value. ', 'Field "', "Expected value of type 'X', found "]
)
def test_a_message_without_end_is_read_at_once(start: str) -> None:
    for more in ("In field 'uom': [", "x", "' ", "; ", "\n"):
        read(start + more * 300_000, NET_VALUE)


def test_an_error_without_a_code_is_no_proof_where_something_was_begun() -> None:
    error = {"message": 'Unknown type "X".'}
    assert read_refusal([error], SAID, not_begun=False) is None
    assert read_refusal([error], SAID, not_begun=True) is not None


VALIDATION = {"message": "m", "extensions": {"code": "VALIDATION"}}
DENIED = {"message": "m", "extensions": {"code": "NOT_AUTHORIZED"}}
UNKNOWN_NAME = {"message": "m", "extensions": {"code": "KNOWN_ARGUMENT_NAMES"}}
WRONG_VALUE = {"message": "m", "extensions": {"code": "INVALID_VALUE"}}
BROKEN = {"message": "m", "extensions": {"code": "FUSION_ERROR"}}


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([VALIDATION, VALIDATION], "VALIDATION"),
        ([WRONG_VALUE, UNKNOWN_NAME], "INVALID_REQUEST"),
        ([UNKNOWN_NAME, DENIED], "NOT_AUTHORIZED"),
        ([VALIDATION, BROKEN], ""),
        ([VALIDATION, UNKNOWN_NAME], ""),
        ([DENIED, VALIDATION], ""),
        ([UNKNOWN_NAME, None], ""),
        ([UNKNOWN_NAME, "x"], ""),
        ([UNKNOWN_NAME, {"message": "m"}], ""),
        ([], ""),
        ("VALIDATION", ""),
        ({"0": VALIDATION}, ""),
        (None, ""),
    ],
)
def test_mixed_errors_are_no_proof(errors: object, code: str) -> None:
    outcome = read_refusal(errors, SAID)
    assert (outcome.code if isinstance(outcome, Refused) else "") == code


@pytest.mark.parametrize(
    ("told", "path", "words"),
    [
        ({"Property": "storeCode", "ValidationType": "NotFound"}, "storeCode", "(NotFound)"),
        ({"Property": "lineItems[2].sku"}, "lineItems[2].sku", "lineItems[2].sku"),
        ({"Property": "StoreId", "ValidationType": "Required"}, "StoreId", "StoreId"),
        ({"Property": "pin"}, "pin", "the value of pin"),
        # What repeats the request, or could.
        ({"Property": "GIFTCODE"}, "", "refuses a value"),
        ({"Property": "code_GIFTCODE_x"}, "", "refuses a value"),
        ({"Property": "giftcode"}, "", "refuses a value"),
        ({"Property": "_7391"}, "", "refuses a value"),
        ({"Property": "pin: 7391"}, "", "refuses a value"),
        ({"Property": "storeCode", "ValidationType": "Not_6396219998887776"}, "storeCode", "value"),
        ({"Property": "x" * 61}, "", "refuses a value"),
        ({"Property": ["storeCode"]}, "", "refuses a value"),
        ("storeCode", "", "refuses a value"),
        (None, "", "refuses a value"),
    ],
)
def test_a_property_is_told_unless_it_repeats_the_request(
    told: object, path: str, words: str
) -> None:
    outcome = read("the card 6396219998887776", {"code": "VALIDATION", "data": told})
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.path) == ("VALIDATION", path)
    assert words in outcome.message
    for secret in ("6396219998887776", "7391", "GIFTCODE"):
        assert secret.casefold() not in repr(outcome).casefold()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("FUSION_ERROR", "FUSION_ERROR"),
        ("LOYALTY_CLOSED", "LOYALTY_CLOSED"),
        ("GIFTCODE", "OTHER"),
        ("ERROR_GIFTCODE_7391", "OTHER"),
        ("lower", "OTHER"),
        ("A B", "OTHER"),
        ("A\n", "OTHER"),
        ("A" * 61, "OTHER"),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_a_code_is_told_in_its_grammar_only(code: object, told: str) -> None:
    errors = [{"message": "m", "extensions": {"code": code}}]
    assert first_code(errors, SAID) == told
    assert codes_in_words(errors, SAID) == f"with error codes {told or 'none'}"

"""Names are learned with their shapes: what does not fit switches holds off, and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, execute_sync, parse, validate

from bridge.backoffice.api.documents import (
    GiftCardCapture,
    gift_card_trans_capture,
    hold_rehearsal,
)
from bridge.backoffice.api.learned_names import names_query, read_names
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.api.operation import Unsupported
from simulators.back_office.dialect import CaptureShape, Dialect

TEXT = Path("simulators/back_office/pos.graphql").read_text(encoding="utf-8")
NAMES = ApiNames()

TRANS = """
type Query { x: Int }
enum CodeType { PHYSICAL } enum TransType { USE }
type Trans { id: ID balance: String giftcardId: ID }
input NewTrans { codeType: CodeType code: String! pin: String transType: TransType!
  amount: String! sourceId: String refNo: String authorizeOnly: Boolean %s }
type Mutation {
  giftcardTransAdd(trans: NewTrans!): Trans
  %s
}
%s
"""


def learned(text: str, known: ApiNames = NAMES) -> ApiNames:
    result = execute_sync(build_schema(text), parse(names_query().text))
    assert result.data is not None, result.errors
    return read_names(result.data["__schema"], known)


def learned_of(
    capture: str, more: str = "", *, flag: str = "", known: ApiNames = NAMES
) -> ApiNames:
    text = TRANS % (flag, capture, more)
    names = learned(text, known)
    if not names.missing:  # then what we would send must fit that very schema
        schema = build_schema(text)
        for ends in (GiftCardCapture("7"), GiftCardCapture("7", cancel=True)):
            assert validate(schema, parse(gift_card_trans_capture(ends, names).text)) == []
        assert validate(schema, parse(hold_rehearsal(names).text)) == []
    return names


def test_the_names_of_our_own_schema_are_the_guessed_ones() -> None:
    assert learned(TEXT) == NAMES


UNDERSTOOD: dict[CaptureShape, bool] = {
    "documented": True,
    "renamed": True,
    "bare": True,
    "opaque": False,
    "demanding": False,
    "no_release": False,
    "absent": False,
    "terse": True,
}


@pytest.mark.parametrize("other_types", [False, True])
@pytest.mark.parametrize("shape", UNDERSTOOD)
def test_a_capture_is_written_as_the_server_shows_it_or_no_hold_is_taken(
    shape: CaptureShape, other_types: bool
) -> None:
    text = Dialect(capture=shape, other_types=other_types).schema_text(TEXT)
    names = learned(text)
    assert (not names.missing) == UNDERSTOOD[shape], names
    if UNDERSTOOD[shape]:
        assert validate(build_schema(text), parse(hold_rehearsal(names).text)) == []


@pytest.mark.parametrize(
    ("capture", "more", "expected"),
    [
        (
            "giftcardTransCapture(input: End!): Trans",
            "input End { giftcardTransactionId: ID! void: Boolean }",
            ApiNames(
                capture_argument="input",
                capture_id="giftcardTransactionId",
                capture_amount="",
                capture_cancel="void",
            ),
        ),
        (
            "giftcardTransCapture(transId: Int!, releaseHold: Boolean!): Trans",
            "",
            ApiNames(
                capture_argument="",
                capture_id="transId",
                capture_amount="",
                capture_cancel="releaseHold",
                id_is_number=True,
                always=frozenset({"releaseHold"}),
            ),
        ),
        (
            "giftcardTransCapture(trans: End!, dryRun: Boolean = false): [Trans]",
            "input End { id: String! cancel: Boolean } ",
            None,  # a list of answers is no answer that we read
        ),
        (
            "giftcardTransCapture(trans: End!, tenant: String!): Trans",
            "input End { id: String! cancel: Boolean } ",
            None,
        ),
        # A flag by its name that is none by its shape.
        ("giftcardTransCapture(trans: End!): Trans", "input End { id: ID! cancel: String }", None),
        (
            "giftcardTransCapture(trans: End!): Trans",
            "input End { id: ID! cancelReason: String amount: String }",
            None,
        ),
        # Two that could be meant.
        (
            "giftcardTransCapture(trans: End!): Trans",
            "input End { id: ID! void: Boolean release: Boolean }",
            None,
        ),
        (
            "giftcardTransCapture(trans: [End!]!): Trans",
            "input End { id: ID! cancel: Boolean }",
            None,
        ),
        (
            "giftcardTransCapture(trans: End!): Trans",
            "input End { id: [ID!]! cancel: Boolean }",
            None,
        ),
        (
            "giftcardTransCapture(trans: End!): Boolean",
            "input End { id: ID! cancel: Boolean }",
            None,
        ),
        ("giftcardTransCapture: Trans", "", None),
        ("other: Int", "", None),
    ],
)
def test_every_shape_is_understood_or_said(
    capture: str, more: str, expected: ApiNames | None
) -> None:
    names = learned_of(capture, more)
    if expected is None:
        assert names.missing
        assert all("giftcardTransCapture" in words for words in names.missing)
    else:
        assert names == expected


def test_a_flag_that_must_be_given_is_given_both_ways() -> None:
    names = learned_of("giftcardTransCapture(id: ID!, cancel: Boolean!): Trans")
    assert "cancel: false" in gift_card_trans_capture(GiftCardCapture("7"), names).text
    assert "cancel: true" in gift_card_trans_capture(GiftCardCapture("7", cancel=True), names).text


def test_a_hold_that_wants_more_than_we_know_is_not_taken() -> None:
    end = "input End { id: ID! cancel: Boolean }"
    names = learned_of("giftcardTransCapture(trans: End!): Trans", end, flag="cashier: String!")
    assert names.missing == ("giftcardTransAdd wants cashier, which we do not know",)
    names = learned_of("giftcardTransCapture(trans: End!): Trans", end, flag='till: String! = "1"')
    assert names.missing == ()


def test_a_hold_named_by_number_is_ended_by_number_only() -> None:
    names = ApiNames(id_is_number=True)
    assert "id: 77" in gift_card_trans_capture(GiftCardCapture("77"), names).text
    for name in ("T77", "-1", "٣", "9" * 30, ""):
        with pytest.raises(Unsupported):
            gift_card_trans_capture(GiftCardCapture(name), names)


def test_names_of_the_settings_are_kept_where_they_fit() -> None:
    known = ApiNames(capture_id="key", capture_cancel="undo", renamed={"a": "b"})
    end = "input End { key: ID! undo: Boolean id: ID cancel: Boolean }"
    names = learned_of("giftcardTransCapture(trans: End!): Trans", end, known=known)
    assert (names.capture_id, names.capture_cancel) == ("key", "undo")
    assert names.renamed == {"a": "b"}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"mutationType": None},
        {"mutationType": {"fields": [1, None, "x"]}},
        {"mutationType": {"fields": {}}},
        {"mutationType": {"fields": []}},
    ],
)
def test_a_schema_that_shows_nothing_changes_no_name(schema: dict[str, Any]) -> None:
    assert read_names(schema, NAMES) == NAMES


@pytest.mark.parametrize(
    "row",
    [
        {"name": "giftcardTransCapture"},
        {"name": "giftcardTransCapture", "args": 7, "type": []},
        {"name": "giftcardTransCapture", "args": [{"name": "trans", "type": 1}]},
        {"name": "giftcardTransCapture", "args": [{"name": 5, "type": {"kind": "SCALAR"}}]},
        {
            "name": "giftcardTransCapture",
            "args": [
                {
                    "name": "trans",
                    "type": {"kind": "INPUT_OBJECT", "inputFields": [{"name": "x" * 10**5}, []]},
                }
            ],
        },
    ],
)
def test_hostile_shapes_switch_holds_off_and_break_nothing(row: dict[str, Any]) -> None:
    schema = {"mutationType": {"fields": [{"name": "giftcardTransAdd", "args": []}, row]}}
    names = read_names(schema, NAMES)
    assert names.missing
    assert all(len(words) < 200 for words in names.missing)

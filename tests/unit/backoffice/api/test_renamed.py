"""Every name that we use can be corrected, and no other one."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.api.renamed import ESSENTIAL, BadName, _samples, check, known_keys
from bridge.config import parse as parse_config
from bridge.errors import ConfigError
from bridge.settings import api_names

LIMITS = "extend type LocationResult { limitedByPermission: Boolean }"
SCHEMA = build_schema(
    Path("simulators/back_office/pos.graphql").read_text(encoding="utf-8") + LIMITS
)
OFFICE = {
    "endpoint": "https://office.test/api",
    "login": {"issuer": "https://office.test/", "client_id": "paybridge"},
}


def test_the_samples_use_every_name_and_fit_the_schema() -> None:
    for one in _samples():
        assert validate(SCHEMA, parse(one.text)) == []
    keys = known_keys()
    for key in (
        "purchaseAdd",
        "purchaseAdd(add.payMethod)",
        "purchaseAdd(add.lineItems.saleDiscountAmount)",
        "giftcardTransAdd(trans.pin)",
        "giftcardTransCapture.balance",
        "giftcard(codeType)",
        "giftcard.results.balance",
        "giftcardAdd(giftcard.physicalPin)",
        "location.limitedByPermission",
        "CodeType.EXTERNAL",
        "TransType.USE",
    ):
        assert key in keys
    assert keys >= ESSENTIAL


@pytest.mark.parametrize(
    ("renamed", "words"),
    [
        ({"purchaseAdd(add.payMetod)": "x"}, "did you mean purchaseAdd(add.payMethod)"),
        ({"purchaseAdd(add.payMethod)": "pay method"}, "no such name"),
        ({"purchaseAdd(add.payMethod)": "x: 1}) { id } } #"}, "no such name"),
        ({"purchaseAdd(add.transactionId)": ""}, "cannot be left out"),
        ({"purchaseAdd.id": ""}, "cannot be left out"),
        ({"giftcardTransCapture(trans.id)": "key"}, "we use no name"),
        ({"giftcardTransAdd(trans.authorizeOnly)": "hold"}, "we use no name"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_key(renamed: dict[str, str], words: str) -> None:
    with pytest.raises(BadName) as caught:
        check(renamed)
    assert words in str(caught.value)


def settings(**names: object) -> ApiNames:
    terminal = {"driver": "zvt", "tcp": "127.0.0.1:20007"}
    office = {**OFFICE, "names": names}
    config = parse_config(
        {
            "site": {"store_code": "S1"},
            "terminals": {"counter-1": terminal},
            "back_office": office,
        }
    )
    assert config.back_office is not None
    return api_names(config.back_office)


def test_the_settings_say_all_of_it() -> None:
    names = settings(
        capture_argument="",
        capture_id_is_number=True,
        renamed={"purchaseAdd(add.payMethod)": "tender", "giftcardTransCapture.balance": ""},
    )
    assert names.capture_argument == ""
    assert names.id_is_number
    assert names.renamed["purchaseAdd(add.payMethod)"] == "tender"


@pytest.mark.parametrize(
    ("names", "key"),
    [
        ({"capture_id": "a b"}, "back_office.names.capture_id"),
        ({"authorize_flag": 'x"'}, "back_office.names.authorize_flag"),
        ({"renamed": {"nothing": "x"}}, "back_office.names.renamed"),
    ],
)
def test_a_wrong_setting_is_refused_at_the_start(names: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**names)
    assert caught.value.key == key

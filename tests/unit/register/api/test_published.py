"""The published contract is the one the bridge runs on, and says what it says truly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError

from bridge.cli.contract import stale_files, write_files
from bridge.errors import RequestError
from bridge.register.api import ERRORS, REQUESTS, Response, Topics
from bridge.register.api.published import (
    contract_files,
    model_at,
    publications,
    recipes,
    sample,
    show_json,
)
from bridge.register.api.published.field_texts import field_texts
from bridge.register.api.published.samples import PAGES as RECIPE_PAGES
from bridge.register.api.topics import TERMINAL_KINDS
from tests.published import check, check_bridge
from tests.unit.register.api.mqtt_document import DOCS, PAGES, PARTS, examples, up_to_date

FOLDER = DOCS / "contract"
OFFICIAL = Path(__file__).parent / "asyncapi" / "3.0.0.json"
FILES = contract_files()
GUIDE = "\n\n".join(page.read_text() for page in PAGES)
TILL = "paybridge/v1/registers/till-1"
WRITE = "run paybridge contract --out docs/contract"


def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(FILES["asyncapi.json"])
    return document


def official() -> Draft7Validator:
    return Draft7Validator(json.loads(OFFICIAL.read_text()))


# --- nothing is stale


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_guide_is_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert up_to_date(text) == text, "run python -m tests.unit.register.api.mqtt_document --write"


def test_every_generated_part_stands_on_one_page() -> None:
    assert [name for name in PARTS if GUIDE.count(f"<!-- generated: {name} -->") != 1] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_of_the_guide_are_linked_and_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
    linked = {(page.parent / link).resolve() for link in local}
    assert {other.resolve() for other in PAGES} - linked <= {page.resolve()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_of_the_guide_are_short(page: Path) -> None:
    told = re.sub(r"```json.*?```|<!-- generated.*?<!-- end", "", page.read_text(), flags=re.S)
    assert told.count("\n") <= 170, "what is not made from the code is read within minutes"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("| `terminal_busy` | no | `same_id` |", "| `terminal_busy` | no | `new_id` |"),
        ("| in_doubt | Do not charge again |", "| in_doubt | Not charged |"),
        ("| `payment/cancel` |", "| `payment/stop` |"),
        ('"original_payment_id": null, ', ""),
    ],
)
def test_a_stale_guide_is_noticed(said: str, wrong: str) -> None:
    assert said in GUIDE
    stale = GUIDE.replace(said, wrong)
    assert up_to_date(stale) != stale


def test_the_contract_in_the_docs_is_up_to_date() -> None:
    assert stale_files(FOLDER) == [], WRITE


def test_stale_missing_and_superfluous_files_are_noticed_and_repaired(tmp_path: Path) -> None:
    assert write_files(tmp_path) == sorted(FILES)
    assert stale_files(tmp_path) == []
    (tmp_path / "errors.json").unlink()
    (tmp_path / "README.md").write_text("old")
    (tmp_path / "schemas" / "PaymentStop.json").write_text("{}")
    odd = ["README.md", "errors.json", "schemas/PaymentStop.json"]
    assert stale_files(tmp_path) == odd
    assert write_files(tmp_path) == odd
    assert stale_files(tmp_path) == []


def test_a_foreign_file_is_told_and_never_removed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "notes.txt" not in write_files(tmp_path)
    assert stale_files(tmp_path) == ["notes.txt"]


def test_the_same_models_give_the_same_bytes() -> None:
    assert contract_files() == FILES


# --- AsyncAPI


def test_the_asyncapi_document_is_valid_by_the_official_schema() -> None:
    assert [error.message for error in official().iter_errors(asyncapi())] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("operations", "send_payments", "action"), "publish"),
        (("channels", "payments", "address"), 7),
        (("components", "schemas", "Money"), {"type": "decimal"}),
        (("asyncapi",), "2.6.0"),
    ],
)
def test_the_official_schema_does_refuse(place: tuple[str, ...], value: object) -> None:
    document = asyncapi()
    part = document
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    assert not official().is_valid(document)


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()

    def references(part: object) -> list[str]:
        if isinstance(part, list):
            return [found for each in part for found in references(each)]
        if not isinstance(part, dict):
            return []
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for each in part.values() for found in references(each)]

    found = references(document)
    assert len(found) > 100
    for reference in found:
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            assert name in part, reference
            part = part[name]


def test_every_command_is_published_with_its_reply() -> None:
    document = asyncapi()
    for operation, model in REQUESTS.items():
        key = operation.replace("/", "_")
        asked = document["operations"][f"receive_request_{key}"]
        assert asked["action"] == "receive"
        assert asked["bindings"]["mqtt"]["retain"] is False
        assert asked["reply"]["channel"]["$ref"] == f"#/channels/response_{key}"
        address = document["channels"][f"request_{key}"]["address"]
        assert model_at(address.replace("{register_id}", "till-1"), Topics()) is model
        assert f"schemas/{model.__name__}.json" in FILES


# --- schemas


def test_every_schema_is_one() -> None:
    schemas = {name: text for name, text in FILES.items() if name.startswith("schemas/")}
    assert len(schemas) == len({each.name for each in publications()})
    for text in schemas.values():
        Draft202012Validator.check_schema(json.loads(text))


def schema_of(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(FILES[f"schemas/{name}.json"]))


def test_a_schema_refuses_what_the_bridge_refuses() -> None:
    schema = schema_of("PaymentStart")
    fields = {
        "request_id": "r",
        "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",
        "amounts": {"currency": "EUR", "requested_amount": "12.50"},
    }
    schema.validate(fields)
    schema.validate(fields | {"x_mine": 1})
    for wrong in (
        {"tip_amuont": "1.00"},
        {"payment_id": "018F6F0E"},
        {"amounts": {"currency": "EUR", "requested_amount": 12.5}},
        {"type": "theft"},
    ):
        with pytest.raises(ValidationError):
            schema.validate(fields | wrong)


def test_a_document_without_one_of_its_fields_is_refused_by_its_schema() -> None:
    payload = next(text for topic, text in examples(GUIDE) if "/payments/" in topic)
    document = json.loads(payload)
    schema_of("PaymentDocument").validate(document)
    for name in document:
        with pytest.raises(ValidationError):
            schema_of("PaymentDocument").validate(
                {key: value for key, value in document.items() if key != name}
            )


# --- examples


@pytest.mark.parametrize(("topic", "payload"), examples(GUIDE))
def test_every_example_in_the_guide_is_a_message_of_the_contract(topic: str, payload: str) -> None:
    check(topic, payload.encode())
    model = model_at(topic, Topics())
    assert model is not None
    schema_of(model.__name__).validate(json.loads(payload))


def test_no_block_of_json_in_the_guide_goes_unread() -> None:
    assert GUIDE.count("```json") == len(examples(GUIDE)) >= 10


@pytest.mark.parametrize("operation", REQUESTS)
def test_every_command_has_an_example_that_the_bridge_decodes(operation: str) -> None:
    example = sample(operation)
    assert example is not None, f"no example for {operation}: see samples.py"
    check(f"{TILL}/request/{operation}", json.dumps(example).encode())
    schema_of(REQUESTS[operation].__name__).validate(example)


def test_every_command_has_a_recipe_for_the_shell() -> None:
    texts = "\n".join(recipes(page) for page in RECIPE_PAGES)
    found = re.findall(r'-t "\$ME/request/([a-z_/]+)" -m \'(.*)\'', texts)
    assert sorted(operation for operation, _ in found) == sorted(REQUESTS)
    for operation, text in found:
        payload = text.replace("'$(soon)'", "2026-11-23T12:00:15Z").replace("'$(new_id)'", "r-1")
        payload = re.sub(r"'\$[A-Z]+'", "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", payload)
        check(f"{TILL}/request/{operation}", payload.encode())


def test_every_document_of_a_terminal_is_published() -> None:
    for kind in TERMINAL_KINDS:
        assert model_at(f"paybridge/v1/terminals/counter-1/{kind}", Topics()) is not None, kind


def test_a_response_is_one_wherever_the_register_wanted_it() -> None:
    assert model_at(f"{TILL}/response/payment/stop", Topics()) is Response
    assert model_at(f"{TILL}/answers/7", Topics()) is Response
    assert model_at("paybridge/v1/answers", Topics()) is None


def test_the_guide_explains_every_error_code() -> None:
    assert [code for code in ERRORS if f"| `{code}` |" not in GUIDE] == []
    assert set(json.loads(FILES["errors.json"])) == set(ERRORS)


# --- the check that other tests use

STATE = (
    '{"state": "offline", "reason": "shutdown", "epoch": null, "since": null, "time": null,'
    ' "bridge_id": null, "version": null, "spec": "1.2"}'
)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("paybridge/v1/bridge/state", STATE),
        ("paybridge/v1/bridge/fence/paybridge", "anything"),
        ("paybridge/v1/bridge/authority/words", "anything"),
        (f"{TILL}/state", '{"state": "online"}'),
        (f"{TILL}/payments/018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", ""),
    ],
)
def test_messages_of_the_contract_pass(topic: str, payload: str) -> None:
    check(topic, payload.encode())


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("paybridge/v1/bridge/state", '{"state": "offline"}'),
        ("paybridge/v1/bridge/state", STATE.replace("}", ', "mood": "good"}')),
        ("paybridge/v1/bridge/mood", "{}"),
        ("elsewhere/bridge/state", STATE),
        ("paybridge/v1/bridge/info", ""),
        (f"{TILL}/request/payment/stop", "{}"),
    ],
)
def test_anything_else_fails(topic: str, payload: str) -> None:
    with pytest.raises(AssertionError):
        check(topic, payload.encode())


def test_values_that_no_model_allows_fail() -> None:
    with pytest.raises(ValueError, match="state"):
        check("paybridge/v1/bridge/state", STATE.replace("offline", "asleep").encode())
    with pytest.raises(RequestError):
        check(f"{TILL}/request/payment/list", b'{"request_id": "r", "limit": 0}')


def test_what_the_bridge_says_is_checked_and_what_registers_say_is_not() -> None:
    state = ("paybridge/v1/bridge/state", STATE.encode())
    check_bridge([state, (f"{TILL}/request/payment/stop", b"{}"), (f"{TILL}/state", b"!")])
    for wrong in (b"!", b'{"state": "asleep"}', b'{"state": "offline"}'):
        with pytest.raises(AssertionError, match="bridge/state"):
            check_bridge([state, ("paybridge/v1/bridge/state", wrong)])


def test_packed_json_is_the_same_json() -> None:
    value = {"a": [1, 2, {"b": "x" * 90}], "c": {"d": [], "e": None}, "f": "y" * 200, "g": 1}
    for packed in (False, True):
        assert json.loads(show_json(value, packed=packed)) == value
    assert show_json({"a": 1}) == '{"a": 1}'


def fields() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schema of every field of every message and of what messages are made of."""
    return {
        (model, name): field
        for model, schema in asyncapi()["components"]["schemas"].items()
        for name, field in schema.get("properties", {}).items()
    }


WHERE = "say it in a sentence, as a text below the field"


def test_every_field_is_explained_in_a_sentence() -> None:
    found = fields()
    assert len(found) > 300
    bare = [".".join(key) for key, field in found.items() if not field.get("description")]
    assert bare == [], WHERE
    for key, field in found.items():
        words: str = field["description"]
        assert words.endswith("."), (key, words)
        assert words[0].isupper() or words[0] in "`0123456789" or words.startswith("nexo"), key
        assert len(words) >= 12, (key, words)


def test_a_field_that_can_be_null_in_a_document_says_when() -> None:
    silent = [
        f"{model}.{name}"
        for (model, name), field in fields().items()
        if model not in COMMANDED
        and {"type": "null"} in field.get("anyOf", ())
        and "null" not in field["description"].lower()
    ]
    assert silent == [], WHERE


# A register leaves out what it does not want to say; nobody reads a null there.
COMMANDED = (
    {each.name for each in publications() if each.sender == "register"}
    | {"Amounts", "Tip", "Sale", "SaleLine", "GiftCard", "PlanLeg", "PaymentBrands", "ListFilter"}
    | {"Evidence"}
)


def test_a_field_that_a_subclass_says_nothing_of_means_the_same_there() -> None:
    texts = field_texts()
    assert texts["PaymentStart"]["request_id"] == texts["Request"]["request_id"]
    assert texts["PaymentRefund"]["amounts"] != texts["PaymentCapture"]["amounts"]
    assert texts["PlainResponse"]["result"] == texts["Response"]["result"]

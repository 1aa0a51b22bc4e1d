import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from simulators.terminals.shared.shopper import (
    BUILT_IN,
    CARDS,
    PLANS_BY_AMOUNT,
    Mischief,
    Plan,
    Scenario,
    Shopper,
    load_scenario,
)


def test_plans_are_used_in_order_and_then_otherwise() -> None:
    declined, otherwise = Plan(outcome="decline"), Plan(brand="visa")
    shopper = Shopper(Scenario(payments=(declined,), otherwise=otherwise))
    assert [shopper.next_plan(100) for _ in range(3)] == [declined, otherwise, otherwise]


def test_a_new_scenario_starts_from_its_beginning() -> None:
    shopper = Shopper(Scenario(payments=(Plan(outcome="cancel"),)))
    shopper.next_plan(100)
    shopper.change(Scenario(payments=(Plan(outcome="decline"),)))
    assert shopper.next_plan(100).outcome == "decline"


def test_cents_choose_the_plan_when_asked_to() -> None:
    shopper = Shopper(BUILT_IN["amounts"])
    assert shopper.next_plan(1205) == PLANS_BY_AMOUNT[5]
    assert shopper.next_plan(1251).code == 51
    assert shopper.next_plan(1200).outcome == "approve"
    assert Shopper(BUILT_IN["approve"]).next_plan(1205).outcome == "approve"


def test_a_scenario_is_read_from_toml_and_json(tmp_path: Path) -> None:
    expected = Scenario(
        speed=2, payments=(Plan(mischief=(Mischief(kind="unplug", at="status", seconds=3),)),)
    )
    toml = tmp_path / "scenario.toml"
    toml.write_text(
        'speed = 2\n[[payments]]\nmischief = [{ kind = "unplug", at = "status", seconds = 3 }]\n'
    )
    text = tmp_path / "scenario.json"
    text.write_text(json.dumps(expected.model_dump()))
    assert load_scenario(str(toml)) == expected
    assert load_scenario(str(text)) == expected


@pytest.mark.parametrize(
    "text",
    ['{"payments": [{"outcome": "dance"}]}', '{"speeed": 1}', '{"payments": [{"brand": "gold"}]}'],
)
def test_a_misspelt_scenario_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(text)
    with pytest.raises(ValidationError):
        load_scenario(str(path))


@pytest.mark.parametrize("brand", sorted(CARDS))
def test_every_card_passes_luhn_so_that_a_leak_of_it_is_found(brand: str) -> None:
    digits = [int(digit) for digit in reversed(CARDS[brand].pan)]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    assert (sum(digits[::2]) + sum(doubled)) % 10 == 0

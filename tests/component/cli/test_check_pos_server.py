"""`paybridge check` says what stands in the way of terminals that the POS server drives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge import config as cfg
from bridge.cli.checks.findings import Finding, exit_status
from bridge.cli.checks.pos_server import not_asked, pos_server, settings_fault
from bridge.cli.checks.terminals import Served, terminals
from simulators.back_office.graphql import TerminalTrait
from tests.component.backoffice.test_graphql import Tokens, open_world
from tests.support.office import ENDPOINT, play
from tests.support.virtual_store import office_table


def config(booked: str | None = None, **settings: Any) -> cfg.Config:
    lane = {"kind": "pos_server", "settings": {"terminal": "Lane 1", "currency": "EUR", **settings}}
    office = {**office_table(ENDPOINT), "pos_server_payments_booked": booked}
    site = {"store_code": "S1"}
    return cfg.parse({"site": site, "terminals": {"lane-1": lane}, "back_office": office})


def found(
    folder: Path,
    config: cfg.Config,
    trait: TerminalTrait,
    *,
    introspection: bool = True,
    away: bool = False,
) -> list[Finding]:
    findings: list[Finding] = []

    async def main() -> None:
        world = open_world(folder)
        world.office.api.terminal_payments = trait
        world.office.api.introspection = introspection
        world.office.away = away
        findings.extend(await pos_server(config, world.api(Tokens("good"))))

    play(main)
    return findings


def test_what_is_offered_is_said_with_the_permissions_to_grant(tmp_path: Path) -> None:
    (one,) = found(tmp_path, config("by_us"), "plain")
    assert one.code == "pos_server_ok"
    assert one.text.endswith("grant MakeRefundTerminalPayment, MakeSaleTerminalPayment")
    (one,) = found(tmp_path / "2", config("by_us", refunds=False), "otherwise")
    assert one.text.endswith("grant MakeSaleTerminalPayment")


def test_a_server_without_them_stops_these_terminals(tmp_path: Path) -> None:
    (one,) = found(tmp_path, config("by_us"), "none")
    assert (one.code, one.what) == ("pos_server_lacks", "terminal lane-1")
    assert one.text == "its schema has no terminalPayment"
    assert exit_status([one], ["lane-1"]) == 1


def test_a_schema_that_nobody_may_read_is_no_finding_of_absence(tmp_path: Path) -> None:
    (one,) = found(tmp_path, config("by_us"), "none", introspection=False)
    assert one.code == "pos_server_unread"


def test_an_office_that_is_away_is_no_finding_of_absence(tmp_path: Path) -> None:
    (one,) = found(tmp_path, config("by_us"), "plain", away=True)
    assert one.code == "pos_server_cannot_tell"


def test_who_books_is_asked_for_until_it_is_said(tmp_path: Path) -> None:
    *_, one = found(tmp_path, config(), "plain")
    assert one.code == "pos_server_unbooked"
    assert "lane-1 are not booked by us" in one.text


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"availability": "online", "activity": "idle"}, "terminal_ok"),
        ({"availability": "online", "activity": "busy"}, "terminal_busy"),
        (
            {"availability": "offline", "problems": [{"code": "no_answer", "text": "away"}]},
            "pos_server_out",
        ),
        (None, "terminal_setting"),
    ],
)
def test_a_running_service_says_how_the_terminal_is(state: Any, code: str) -> None:
    states = {} if state is None else {"lane-1": state}
    (one,) = asyncio.run(terminals(config(), Served(states)))
    assert one.code == code
    assert "None" not in one.text


def test_wrong_settings_are_named() -> None:
    fault = settings_fault("lane-1", config(sale="later").terminals["lane-1"])
    assert fault is not None
    assert (fault.code, fault.key) == ("terminal_setting", "terminals.lane-1.settings.sale")
    lane = config().terminals["lane-1"]
    assert settings_fault("lane-1", lane) is None
    one = not_asked("lane-1", lane)
    assert one.code == "pos_server_terminal"
    assert one.text == "driven by the POS server, which calls it Lane 1"

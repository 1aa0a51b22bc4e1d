"""ZVT keeps every rule of the contract, over either transport."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from drivers import contract as c
from drivers.conformance import Scene, Trial, check, check_claims
from drivers.zvt import DRIVER, ZvtSettings
from tests.protocol.test_zvt_dialogue import APPROVED, DONE, FINGERPRINT, HOLD, PAY, SALE, YES
from tests.protocol.test_zvt_inquiry import IDLE, LOGGED_ON, NO_TURNOVER
from tests.protocol.zvt_stub import (
    NumberedTerminal,
    ScriptedTerminal,
    Transport,
    count_money_commands,
    new_link,
)

INSERT_CARD, PLEASE_WAIT = "04 FF 01 0A", "04 FF 01 0E"
LINE, LAST_LINE = "06 D1 05 00 41 42 43 10", "06 D1 01 81"
BLOCK = "06 D3 12 06 10 1F 07 01 02 25 0A 07 05 48 61 6C 6C 6F 09 01 81"
REVERSED = "04 0F 19 27 00 04 00 00 00 00 25 00 49 09 78 37 00 02 31 87 02 32 0B 00 02 32 06 00"
PAID = [INSERT_CARD, PLEASE_WAIT, BLOCK, APPROVED, LINE, LINE, LAST_LINE, DONE]
TERMINAL = "28004869"
OLDER = "28004869:0469:000469:1006:221500:990"
IDLE_TERMINAL: dict[str, tuple[str, list[str]]] = {
    "06B0": (YES, []),
    "0501": (YES, [IDLE]),
    "0600": (YES, [LOGGED_ON]),
    "0620": (YES, [APPROVED, DONE]),
    "0610": (YES, [NO_TURNOVER, DONE]),
}

SCRIPTS: dict[str, tuple[c.Operation, dict[str, tuple[str, list[str]]]]] = {
    "paid": (PAY, {"0601": (YES, PAID), "06B0": ("84 83 00", [])}),
    "stopped": (PAY, {"0601": (YES, PAID), "06B0": (YES, ["06 1E 01 6C"])}),
    "declined": (PAY, {"0601": (YES, [INSERT_CARD, "04 0F 02 27 05", "06 1E 01 05"])}),
    "refused": (PAY, {"0601": ("84 A0 00", [])}),
    "wrong_currency": (PAY, {"0601": (YES, [APPROVED.replace("09 78", "07 56"), DONE])}),
    "no_result": (PAY, {"0601": (YES, [DONE])}),
    "hold": (c.Authorize("r", c.Money(2040, "EUR")), {"0622": (YES, [APPROVED, DONE])}),
    "capture": (c.Capture("r", c.Money(2040, "EUR"), HOLD), {"0624": (YES, [APPROVED, DONE])}),
    "refund": (c.Refund("r", c.Money(2040, "EUR")), {"0631": (YES, [APPROVED, DONE])}),
    "reverse": (c.Reverse("r", SALE), {"0630": (YES, [REVERSED, DONE])}),
    "tip": (c.AdjustTip("r", c.Money(2040, "EUR"), SALE), {"060C": (YES, [APPROVED, DONE])}),
    "found": (c.Inquire(PAY, c.Baseline(OLDER)), IDLE_TERMINAL),
    "not_executed": (c.Inquire(PAY, c.Baseline(FINGERPRINT)), IDLE_TERMINAL),
    "late_approval": (
        c.Inquire(PAY, c.Baseline(OLDER)),
        {**IDLE_TERMINAL, "06B0": (YES, [PLEASE_WAIT, APPROVED, LINE, LAST_LINE, DONE])},
    ),
    "hold_still_open": (
        c.Inquire(c.Capture("r", c.Money(1000, "EUR"), replace(HOLD, terminal_id=TERMINAL)), None),
        {**IDLE_TERMINAL, "0623": (YES, ["06 1E 04 B8 87 02 31"])},
    ),
    "probe": (c.Probe(), IDLE_TERMINAL),
    "initialized": (
        c.Probe(),
        {**IDLE_TERMINAL, "0501": (YES, ["06 0F 01 51"]), "0693": (YES, [PLEASE_WAIT, DONE])},
    ),
    "probe_empty": (c.Probe(), {**IDLE_TERMINAL, "0620": (YES, [DONE])}),
    "end_of_day": (c.EndOfDay(), {"0650": (YES, [NO_TURNOVER, LINE, LAST_LINE, DONE])}),
    "read_card": (c.ReadCard(30), {"06C0": (YES, ["04 0F 0B 22 F0 F8 EE EE EE EE EE EE 12 34"])}),
    "show": (c.ShowText(("hello",)), {"06E0": (YES, [])}),
    "read_last": (c.ReadLast(), IDLE_TERMINAL),
    "diagnose": (c.Diagnose(), {"0670": (YES, ["04 01 00", PLEASE_WAIT, LAST_LINE, DONE])}),
    "self_test": (c.SelfTest(), {"0679": (YES, [PLEASE_WAIT, LAST_LINE, DONE])}),
}
TRUTHS: dict[str, type] = {
    "paid": c.Approved,
    "stopped": c.Approved,
    "declined": c.Declined,
    "refused": c.Failed,
    "wrong_currency": c.Unclear,
    "no_result": c.Unclear,
    "hold": c.Approved,
    "capture": c.Approved,
    "refund": c.Approved,
    "reverse": c.Approved,
    "tip": c.Approved,
    "found": c.Approved,
    "not_executed": c.Failed,
    "late_approval": c.Approved,
    "hold_still_open": c.Failed,
    "probe": c.TerminalReady,
    "initialized": c.TerminalNotReady,
    "probe_empty": c.TerminalReady,
    "end_of_day": c.BatchTotals,
    "read_card": c.CardRead,
    "show": c.Done,
    "read_last": c.LastTransaction,
    "diagnose": c.Diagnosis,
    "self_test": c.Diagnosis,
}


LOCKED = ZvtSettings(keypad_stays_locked=True)
NUMBERED = replace(LOCKED, sequence_ids=True, synchronization_ids=True, sends_language=True)
TERMINALS: dict[str, tuple[type[ScriptedTerminal], ZvtSettings]] = {
    "plain": (ScriptedTerminal, LOCKED),
    "numbered": (NumberedTerminal, NUMBERED),
    "numbers_not_agreed": (ScriptedTerminal, NUMBERED),
}


def with_log_on(script: dict[str, tuple[str, list[str]]]) -> dict[str, tuple[str, list[str]]]:
    return {"0600": (YES, [LOGGED_ON]), **script}


@pytest.mark.parametrize("transport", ["tcp", "serial"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_zvt_keeps_the_rules(name: str, terminal: str, transport: Transport) -> None:
    operation, script = SCRIPTS[name]
    kind, settings = TERMINALS[terminal]
    scene = Scene(
        name,
        operation,
        partial(kind, transport, with_log_on(script)),
        partial(count_money_commands, transport),
        transport,
    )
    assert check(DRIVER, settings, [scene]) == ()


@pytest.mark.parametrize("transport", ["tcp", "serial"])
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_scene_comes_to_the_end_it_is_meant_for(
    name: str, terminal: str, transport: Transport
) -> None:
    operation, script = SCRIPTS[name]
    kind, settings = TERMINALS[terminal]
    stub = kind(transport, with_log_on(script))
    dialogue = DRIVER.dialogue(settings, transport)
    step = dialogue.begin(operation, 0.0)
    told: list[c.TerminalEvent] = []
    for _ in range(100):
        answer = stub.receive(step.send) if step.send else b""
        if step.events:
            told += step.events
            step = dialogue.committed(0.0)
            if answer:
                assert not step.send
                step = dialogue.receive(answer, 0.0)
        elif answer:
            step = dialogue.receive(answer, 0.0)
        elif step.wake_at is not None:
            step = dialogue.timeout(step.wake_at)
        else:
            break
    assert type(told[-1]) is TRUTHS[name]
    if TRUTHS[name] is c.Approved and name != "found":
        assert stub.booked


# Every code that a terminal may refuse with, in either message.
REFUSED = {
    **{f"06 1E {code:02X}": f"06 1E 01 {code:02X}" for code in range(1, 0x100)},
    **{f"04 0F {code:02X}": f"04 0F 02 27 {code:02X}" for code in range(1, 0x100)},
}
NOBODY_PAYS = {"0601": (YES, [INSERT_CARD, "06 1E 01 6C"]), "06B0": ("84 83 00", [])}
STRANGERS: dict[str, tuple[c.Operation, dict[str, tuple[str, list[str]]]]] = {
    "the memory, without a baseline": (c.Inquire(PAY, None), IDLE_TERMINAL),
}
CONTRADICTIONS: dict[str, tuple[c.Operation, dict[str, tuple[str, list[str]]]]] = {
    "approved, but the completion says not": (PAY, {"0601": (YES, [APPROVED, "06 0F 02 27 05"])}),
    "approved, but in francs": (
        PAY,
        {"0601": (YES, [APPROVED.replace("09 78", "07 56"), DONE])},
    ),
    "completed, but never approved": (PAY, {"0601": (YES, [DONE])}),
}


@pytest.mark.parametrize("transport", ["tcp", "serial"])
def test_zvt_claims_nothing_that_nobody_proved(transport: Transport) -> None:
    def scene(name: str, operation: c.Operation, script: dict[str, tuple[str, list[str]]]) -> Scene:
        stub = partial(ScriptedTerminal, transport, with_log_on(script))
        return Scene(name, operation, stub, partial(count_money_commands, transport), transport)

    trial = Trial(
        scene("paid", *SCRIPTS["paid"]),
        nobody_pays=partial(ScriptedTerminal, transport, with_log_on(NOBODY_PAYS)),
        refusals={
            name: new_link(transport).send(bytes.fromhex(apdu), 0.0)
            for name, apdu in REFUSED.items()
        },
        strangers=tuple(scene(name, *facts) for name, facts in STRANGERS.items()),
        contradictions=tuple(scene(name, *facts) for name, facts in CONTRADICTIONS.items()),
    )
    assert check_claims(DRIVER, ZvtSettings(), trial) == ()

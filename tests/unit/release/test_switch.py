"""The order of a switch: copied before it stops, copied again if need be, back where it is safe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bridge.money.store.journal_copy import JournalFacts
from bridge.release.switch import (
    ConfigUnreadable,
    CutOff,
    JournalCopy,
    Outcome,
    Result,
    SwitchRefused,
    switch,
)

FACTS = JournalFacts(schema=2, last_seq=40, last_at="2026-12-01T08:00:00Z", payments=9, unsettled=0)


@dataclass
class Pc:
    """A PC whose versions behave as told."""

    runs: str = "1"
    serving: bool = True
    is_wanted: bool = True
    journal: JournalFacts | str = FACTS
    never_ready: set[str] = field(default_factory=set)
    journals_at_start: dict[str, int] = field(default_factory=dict)  # entries, by version
    migrates: dict[str, int] = field(default_factory=dict)  # to a schema, by version
    while_stopping: int = 0
    copying: list[Exception | None] = field(default_factory=list)
    putting_back: Exception | None = None
    pending: CutOff | None = None
    did: list[str] = field(default_factory=list)
    ended: list[Result] = field(default_factory=list)
    held: str = ""

    def serves(self) -> bool:
        return self.serving

    def wanted(self) -> bool:
        return self.is_wanted

    def cut_off(self, version: str) -> CutOff | None:
        return self.pending

    def copy_journal(self, before: str) -> JournalCopy:
        fault = self.copying.pop(0) if self.copying else None
        if fault is not None:
            raise fault
        assert isinstance(self.journal, JournalFacts)
        self.did.append(f"copy {self.journal.last_seq}")
        return JournalCopy(Path("/copy"), self.journal)

    def facts(self) -> JournalFacts | str:
        return self.journal

    def put_back(self, copy: JournalCopy) -> None:
        if self.putting_back is not None:
            raise self.putting_back
        self.did.append("put back")
        self.journal = copy.facts

    def begin(self, version: str, before: str, copy: JournalCopy) -> None:
        self.did.append(f"begin {before}->{version} at {copy.facts.last_seq}")

    def end(self, version: str, before: str, result: Result) -> None:
        self.ended.append(result)

    def current(self) -> str:
        return self.runs

    def select(self, version: str) -> None:
        self.runs = version
        self.did.append(f"select {version}")

    def hold(self, reason: str) -> None:
        self.held = reason

    def stop(self) -> None:
        self.serving = False
        self.did.append("stop")
        self._journal(self.while_stopping)
        self.while_stopping = 0

    def start(self) -> str:
        self.did.append(f"start {self.runs}")
        self._journal(self.journals_at_start.get(self.runs, 0))
        if isinstance(self.journal, JournalFacts):
            self.journal = replace(
                self.journal, schema=max(self.journal.schema, self.migrates.get(self.runs, 0))
            )
        self.serving = self.runs not in self.never_ready
        return "" if self.serving else "it says no"

    def _journal(self, entries: int) -> None:
        if isinstance(self.journal, JournalFacts):
            self.journal = replace(self.journal, last_seq=self.journal.last_seq + entries)


def test_a_good_version_is_copied_for_stopped_for_and_started() -> None:
    pc = Pc()
    result = switch(pc, old="1", new="2")
    assert result.outcome is Outcome.DONE
    assert pc.did == ["copy 40", "stop", "begin 1->2 at 40", "select 2", "start 2"]
    assert pc.ended == [result]


def test_what_was_journaled_while_it_stopped_is_copied_too() -> None:
    pc = Pc(while_stopping=3, never_ready={"2"})
    assert switch(pc, old="1", new="2").outcome is Outcome.ROLLED_BACK
    assert pc.did[:4] == ["copy 40", "stop", "copy 43", "begin 1->2 at 43"]


def test_a_version_that_is_not_ready_goes_away_with_the_journal_as_it_was() -> None:
    pc = Pc(never_ready={"2"})
    assert switch(pc, old="1", new="2").outcome is Outcome.ROLLED_BACK
    assert pc.did[-4:] == ["start 2", "stop", "select 1", "start 1"]
    assert pc.serving
    assert pc.held == ""


def test_tables_that_the_new_version_made_are_taken_back_before_the_old_one_starts() -> None:
    pc = Pc(never_ready={"2"}, migrates={"2": 3})
    assert switch(pc, old="1", new="2").outcome is Outcome.ROLLED_BACK
    assert pc.did[-4:] == ["stop", "put back", "select 1", "start 1"]
    assert pc.journal == FACTS


@pytest.mark.parametrize("migrated", [{}, {"2": 3}])
def test_after_one_entry_nothing_is_put_back_and_no_payment_is_taken(
    migrated: dict[str, int],
) -> None:
    pc = Pc(never_ready={"2"}, journals_at_start={"2": 1}, migrates=migrated)
    result = switch(pc, old="1", new="2")
    assert result.outcome is Outcome.HELD
    assert "put back" not in pc.did
    assert pc.did[-1] == "stop"
    assert not pc.serving
    assert "NO PAYMENT IS TAKEN" in pc.held
    assert "1 entries" in pc.held


def test_a_journal_that_cannot_be_read_any_more_holds_everything() -> None:
    class Burnt(Pc):
        def start(self) -> str:
            super().start()
            self.journal = "damaged: page 3"
            return "it says no"

    pc = Burnt(never_ready={"2"})
    assert switch(pc, old="1", new="2").outcome is Outcome.HELD
    assert "damaged: page 3" in pc.held
    assert "put back" not in pc.did


def test_a_copy_that_cannot_be_put_back_holds_everything() -> None:
    pc = Pc(never_ready={"2"}, migrates={"2": 3}, putting_back=SwitchRefused("the disk is full"))
    assert switch(pc, old="1", new="2").outcome is Outcome.HELD
    assert "the disk is full" in pc.held


def test_without_room_for_a_copy_nothing_is_stopped() -> None:
    pc = Pc(copying=[SwitchRefused("40 MB are free")])
    with pytest.raises(SwitchRefused, match="40 MB"):
        switch(pc, old="1", new="2")
    assert pc.did == []
    assert pc.serving


def test_a_second_copy_that_fails_leaves_the_old_version_serving() -> None:
    pc = Pc(while_stopping=1, copying=[None, SwitchRefused("40 MB are free")])
    with pytest.raises(SwitchRefused):
        switch(pc, old="1", new="2")
    assert pc.did == ["copy 40", "stop", "start 1"]
    assert pc.serving


def test_a_configuration_that_the_new_version_refuses_is_found_before_anything_stops() -> None:
    pc = Pc(copying=[ConfigUnreadable("mqtt.prot: no such setting")])
    with pytest.raises(ConfigUnreadable):
        switch(pc, old="1", new="2")
    assert pc.serving
    assert pc.did == []


def test_where_the_old_one_does_not_serve_either_it_says_both() -> None:
    pc = Pc(never_ready={"1", "2"})
    result = switch(pc, old="1", new="2")
    assert result.outcome is Outcome.DOWN
    assert len(result.words) == 2


def test_a_service_that_was_not_ready_before_blames_no_version() -> None:
    pc = Pc(serving=False, never_ready={"1", "2"})
    assert switch(pc, old="1", new="2").outcome is Outcome.AS_BEFORE
    assert pc.runs == "2"
    pc = Pc(serving=False, copying=[ConfigUnreadable("mqtt.prot: no such setting")])
    assert switch(pc, old="1", new="2").outcome is Outcome.DONE


def test_a_service_that_nobody_started_is_not_started() -> None:
    pc = Pc(serving=False, is_wanted=False)
    assert switch(pc, old="1", new="2").outcome is Outcome.DONE
    assert pc.did == ["copy 40", "select 2"]


def test_a_switch_cut_off_by_a_power_cut_is_judged_by_its_first_copy() -> None:
    first = JournalCopy(Path("/first"), FACTS)
    later = replace(FACTS, last_seq=45)  # the new version took payments before the power went
    pc = Pc(runs="2", journal=later, pending=CutOff("1", first), serving=False, never_ready={"2"})
    assert switch(pc, old="2", new="2").outcome is Outcome.HELD
    assert not [one for one in pc.did if one.startswith("copy")]
    assert "/first" in pc.held


def test_a_switch_cut_off_before_the_new_version_ran_begins_anew() -> None:
    first = JournalCopy(Path("/first"), FACTS)
    later = replace(FACTS, last_seq=45)  # the old version took payments since
    pc = Pc(runs="1", journal=later, pending=CutOff("1", first), never_ready={"2"})
    assert switch(pc, old="1", new="2").outcome is Outcome.ROLLED_BACK
    assert pc.did[0] == "copy 45"

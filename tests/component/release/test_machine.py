"""Changing versions with real journals, links and commands; a script plays systemctl."""

from __future__ import annotations

import json
import os
import sys
import syslog
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.money.store.database import MIGRATIONS, open_database
from bridge.release.machine import Systemd
from bridge.release.switch import Outcome, SwitchRefused, switch

pytestmark = pytest.mark.slow  # a process for each look at the journal

# `start` runs the script that the link names; the service is active if that succeeds.
SYSTEMCTL = """\
#!/bin/sh
state={folder}/active
case "$1" in
stop) echo inactive >"$state" ;;
start)
    if [ -e {root}/held ]; then echo inactive >"$state"
    elif {root}/current/bin/paybridge; then echo active >"$state"
    else echo failed >"$state"; fi ;;
show) printf 'ActiveState=%s\\nMainPID=7\\nNRestarts=0\\nExecMainStatus=1\\n' "$(cat "$state")" ;;
esac
"""
QUIET = "#!/bin/sh\nexit 0\n"
JOURNALS = """\
#!{python}
import sqlite3
with sqlite3.connect("{journal}") as journal:
    journal.execute({statement!r})
raise SystemExit({status})
"""
ENTRY = "insert into entry(subject, kind, at, body) values('a','b','2026','c')"
MIGRATION = f"pragma user_version={len(MIGRATIONS) + 1}"


class Pc:
    """A PC whose versions are scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "opt"
        self.journal = folder / "state" / "journal.sqlite"
        self.config = folder / "paybridge.toml"
        self.config.write_text(
            f'[site]\nstore_code = "S012"\nstate_directory = "{folder}/state"\n'
            '[terminals.counter-1]\ndriver = "zvt"\nport = "/dev/null"\n'
        )
        self.journal.parent.mkdir(mode=0o700)
        with closing(open_database(self.journal)) as connection:
            connection.execute(ENTRY)
        (folder / "bin").mkdir()
        self.script("bin/systemctl", SYSTEMCTL.format(folder=folder, root=self.root))
        for name in ("journalctl", "logger"):
            self.script(f"bin/{name}", QUIET)
        self.version("1", QUIET)
        self.machine.select("1")
        (folder / "active").write_text("active\n")

    @property
    def machine(self) -> Systemd:
        clock = iter(range(100_000))
        found = Systemd(
            self.config,
            {},
            monotonic=lambda: float(next(clock)),
            sleep=lambda _: None,
            root=self.root,
        )
        found._has_systemd = True
        return found

    def script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def version(self, name: str, program: str) -> None:
        self.script(f"opt/versions/{name}/bin/paybridge", program)

    def that_journals(self, statement: str, status: int) -> str:
        return JOURNALS.format(
            python=sys.executable, journal=self.journal, statement=statement, status=status
        )

    def entries(self) -> int:
        with closing(open_database(self.journal)) as connection:
            (count,) = connection.execute("select count(*) from entry").fetchone()
        return int(count)


@pytest.fixture
def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pc]:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(syslog, "syslog", lambda *_: None)
    mask = os.umask(0o022)
    yield Pc(tmp_path)
    os.umask(mask)


def test_a_good_version_serves_after_a_copy_was_made(pc: Pc) -> None:
    pc.version("2", QUIET)
    assert switch(pc.machine, old="1", new="2").outcome is Outcome.DONE
    assert pc.machine.current() == "2"
    (copy,) = (pc.folder / "state" / "backups").iterdir()
    assert copy.name.endswith("-before-2.sqlite")
    pc.machine.remove_others(["2"])
    assert pc.machine.versions() == ["2"]


def test_a_bad_version_goes_away_and_its_tables_with_it(pc: Pc) -> None:
    pc.version("2", pc.that_journals(MIGRATION, 1))
    result = switch(pc.machine, old="1", new="2")
    assert result.outcome is Outcome.ROLLED_BACK
    assert pc.machine.current() == "1"
    assert pc.machine.serves()
    assert pc.entries() == 1  # opened by this program again: the new version's number is gone
    assert pc.machine.was_rolled_back("2") == result.words


def test_after_an_entry_nothing_starts_until_a_person_says_so(pc: Pc) -> None:
    pc.version("2", pc.that_journals(ENTRY, 1))
    assert switch(pc.machine, old="1", new="2").outcome is Outcome.HELD
    assert not pc.machine.serves()
    assert "NO PAYMENT IS TAKEN" in pc.machine.held()
    assert pc.entries() == 2
    again = switch(pc.machine, old="2", new="1")  # a person has the old version run on all of it
    assert again.outcome is Outcome.DONE
    assert pc.machine.held() == ""
    assert pc.machine.serves()
    assert pc.entries() == 2


def test_a_journal_that_the_new_version_ruined_is_left_to_a_person(pc: Pc) -> None:
    pc.version("2", f"#!/bin/sh\nprintf ruined >{pc.journal}\nexit 1\n")
    assert switch(pc.machine, old="1", new="2").outcome is Outcome.HELD
    assert pc.journal.read_bytes() == b"ruined"


def test_a_broken_configuration_is_found_while_the_old_version_serves(pc: Pc) -> None:
    pc.version("2", QUIET)
    pc.config.write_text("[site]\nstore_kode = 1\n")
    with pytest.raises(SwitchRefused, match="store"):
        switch(pc.machine, old="1", new="2")
    assert pc.machine.serves()
    assert pc.machine.current() == "1"


def test_a_switch_that_the_power_cut_off_is_known_afterwards(pc: Pc) -> None:
    pc.version("2", pc.that_journals(ENTRY, 1))
    copy = pc.machine.copy_journal("2")
    pc.machine.begin("2", "1", copy)
    pc.machine.select("2")
    known = pc.machine.cut_off("2")
    assert known is not None
    assert (known.before, known.copy) == ("1", copy)
    assert pc.machine.cut_off("3") is None
    assert switch(pc.machine, old="2", new="2").outcome is Outcome.HELD
    assert pc.machine.cut_off("2") is None
    assert json.loads((pc.root / "switch.json").read_text())["outcome"] == "held"

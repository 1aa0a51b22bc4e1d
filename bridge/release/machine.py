"""This PC as `switch.py` needs it: systemd, the folders of versions, the journal by its commands.

    /opt/paybridge/versions/VERSION/   each with a Python environment of its own
    /opt/paybridge/current             a link to the one that runs
    /opt/paybridge/switch.json         how the last switch ended, or that one is under way
    /opt/paybridge/held                while it is there, the unit does not start

The journal is only touched by `paybridge backup` and `restore`, which go on as the service's user.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import syslog
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bridge.errors import BridgeError
from bridge.money.store.journal_copy import NO_JOURNAL, JournalFacts
from bridge.release.switch import (
    NOTHING_COPIED,
    ConfigUnreadable,
    CutOff,
    JournalCopy,
    Outcome,
    Result,
    SwitchRefused,
)

ROOT = Path("/opt/paybridge")
UNIT = "paybridge.service"
READY_SECONDS = 120.0  # a store PC needs three; an old one that checks its disk, far more
READY_SECONDS_NAME = "PAYBRIDGE_READY_SECONDS"
SETTLE_SECONDS = 5.0  # a version that dies right after it said it is ready, is not
LOOK_SECONDS = 0.5
STARTS_MAX = 4  # of one start: a lock that the version before held may cost one
STOP_SECONDS = 200.0  # more than the unit's TimeoutStopSec=150
TOOL_SECONDS = 600.0  # to copy a journal of some gigabytes
EXIT_CONFIG = 78


class Systemd:
    """A `Machine`: the PC that this process runs on, as root."""

    def __init__(
        self,
        config: Path,
        environment: Mapping[str, str],
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        root: Path = ROOT,
    ) -> None:
        """Work below `root`, for the service that reads `config`."""
        self._config = config
        self._monotonic = monotonic
        self._sleep = sleep
        self._root = root
        self._ready_seconds = float(environment.get(READY_SECONDS_NAME) or READY_SECONDS)
        self._has_systemd = Path("/run/systemd/system").is_dir()

    # --- versions

    def versions(self) -> list[str]:
        """Return the versions that are here, by name."""
        return sorted(one.parent.parent.name for one in self._root.glob("versions/*/bin/paybridge"))

    def current(self) -> str:
        """Return the version that runs, "" where none is selected."""
        link = self._root / "current"
        return link.readlink().name if link.is_symlink() else ""

    def select(self, version: str) -> None:
        """Point the link, in one step that a power cut leaves whole."""
        fresh = self._root / "current.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("versions") / version)
        fresh.replace(self._root / "current")
        descriptor = os.open(self._root, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def remove_others(self, kept: Sequence[str]) -> None:
        """Remove every version but those."""
        for version in self.versions():
            if version not in kept:
                shutil.rmtree(self._root / "versions" / version)

    # --- the service

    def serves(self) -> bool:
        """Say whether it is ready; systemd calls it active from then on."""
        return self._has_systemd and self._shown()["ActiveState"] == "active"

    def wanted(self) -> bool:
        """Say whether it runs, tries to, has failed, or is held."""
        states = {"active", "activating", "reloading", "failed"}
        return self._has_systemd and (self.held() != "" or self._shown()["ActiveState"] in states)

    def stop(self) -> None:
        """Stop it; running payments may end within its own limit."""
        if self._has_systemd:
            self._run("systemctl", "stop", UNIT, seconds=STOP_SECONDS)

    def start(self) -> str:
        """Start it and wait; return "" once it is ready and stays so, else why not."""
        if not self._has_systemd:
            return "systemd does not run here"
        self.let_go()
        self._run("systemctl", "daemon-reload")
        self._run("systemctl", "reset-failed", UNIT)
        began = int(self._shown()["NRestarts"] or 0)
        self._run("systemctl", "start", "--no-block", UNIT)
        until = self._monotonic() + self._ready_seconds
        ready_since: tuple[str, float] | None = None
        while self._monotonic() < until:
            self._sleep(LOOK_SECONDS)
            shown = self._shown()
            if shown["ActiveState"] == "active":
                if ready_since is None or ready_since[0] != shown["MainPID"]:
                    ready_since = (shown["MainPID"], self._monotonic())
                elif self._monotonic() - ready_since[1] >= SETTLE_SECONDS:
                    return ""
                continue
            ready_since = None
            if shown["ActiveState"] == "failed" or int(shown["NRestarts"]) - began >= STARTS_MAX:
                break
        return self._why_not(self._shown())

    def _why_not(self, shown: Mapping[str, str]) -> str:
        said = self._run(
            *("journalctl", "-u", UNIT, "-p", "err", "-n", "1", "-o", "cat", "--no-pager")
        ).stdout.strip()
        status = f"{shown['ActiveState']}, exit status {shown['ExecMainStatus']}"
        return f"{said} ({status})" if said else status

    def _shown(self) -> dict[str, str]:
        wanted = ("ActiveState", "MainPID", "NRestarts", "ExecMainStatus")
        told = self._run("systemctl", "show", UNIT, *(f"--property={one}" for one in wanted))
        found = dict.fromkeys(wanted, "")
        found |= dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)
        return found

    # --- the hold

    def hold(self, reason: str) -> None:
        """Keep the unit from starting, and say so where a person may look."""
        held = self._root / "held"
        held.write_text(reason + "\n")
        held.chmod(0o644)  # whoever asks why nothing starts may read it
        for line in reason.splitlines():
            syslog.syslog(syslog.LOG_CRIT | syslog.LOG_DAEMON, f"paybridge: {line}")

    def held(self) -> str:
        """Return why nothing starts, "" when nothing keeps it."""
        path = self._root / "held"
        return path.read_text().strip() if path.exists() else ""

    def let_go(self) -> None:
        """Let the unit start again."""
        (self._root / "held").unlink(missing_ok=True)

    # --- the journal

    def copy_journal(self, before: str) -> JournalCopy:
        """Copy it, in use or not.

        Raises:
            SwitchRefused: It cannot be copied.
        """
        told = self._ask("backup", "--before", before)
        if told.get("path") is None:
            return NOTHING_COPIED
        return _copy_from(told)

    def facts(self) -> JournalFacts | str:
        """Return its facts, or why they cannot be had."""
        try:
            return JournalFacts(**self._ask("backup", "--facts"))
        except SwitchRefused as error:
            return str(error)

    def put_back(self, copy: JournalCopy) -> None:
        """Make the copy the journal, or begin without one as before.

        Raises:
            SwitchRefused: It cannot be done.
        """
        self._ask("restore", *([str(copy.path)] if copy.path else ["--none"]), "--yes")

    def _ask(self, *words: str) -> dict[str, Any]:
        command = (sys.executable, "-m", "bridge", *words, "--json", "--config", str(self._config))
        done = self._run(*command, seconds=TOOL_SECONDS)
        try:
            told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise SwitchRefused(done.stderr.strip() or f"{words[0]} said nothing") from None
        if done.returncode == EXIT_CONFIG:
            raise ConfigUnreadable(str(told.get("message")))
        if "error" in told:
            raise SwitchRefused(str(told.get("message")))
        return told

    # --- what is remembered

    def begin(self, version: str, before: str, copy: JournalCopy) -> None:
        """Remember that a switch is under way, and with which copy."""
        path = str(copy.path) if copy.path else None
        self._remember(
            {"to": version, "from": before, "copy": {"path": path, **asdict(copy.facts)}}
        )

    def end(self, version: str, before: str, result: Result) -> None:
        """Remember how it ended."""
        self._remember(
            {
                "to": version,
                "from": before,
                "outcome": result.outcome.value,
                "words": list(result.words),
            }
        )

    def cut_off(self, version: str) -> CutOff | None:
        """Return a switch to `version` that never ended, if there was one."""
        last = self.last()
        if last.get("to") != version or "copy" not in last:
            return None
        kept = last["copy"]
        copy = _copy_from(kept) if kept["path"] else NOTHING_COPIED
        return CutOff(str(last["from"]), copy)

    def was_rolled_back(self, version: str) -> tuple[str, ...]:
        """Return what was said when `version` was tried last and taken back; () when it was not."""
        last = self.last()
        if last.get("to") == version and last.get("outcome") == Outcome.ROLLED_BACK.value:
            return tuple(last["words"])
        return ()

    def last(self) -> dict[str, Any]:
        """Return what is remembered of the last switch, {} when nothing is."""
        try:
            found: dict[str, Any] = json.loads((self._root / "switch.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _remember(self, fact: Mapping[str, object]) -> None:
        fresh = self._root / "switch.json.new"
        with fresh.open("w") as file:
            json.dump(fact, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._root / "switch.json")

    @staticmethod
    def _run(*command: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - our own words, and no shell
                command, capture_output=True, text=True, timeout=seconds, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BridgeError(f"{command[0]}: {error}") from error


def _copy_from(told: Mapping[str, Any]) -> JournalCopy:
    facts = {name: told[name] for name in asdict(NO_JOURNAL)}
    return JournalCopy(Path(told["path"]), JournalFacts(**facts))

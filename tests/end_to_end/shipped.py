"""Runs paybridge as `systemd/paybridge.service` does, without systemd.

What the unit asks for is read from the unit itself: user without rights, umask, no capabilities,
read-only file system with one folder to write in, no home folders, a `/tmp` of its own, secrets in
`CREDENTIALS_DIRECTORY`, `NOTIFY_SOCKET`, `WATCHDOG_USEC`, and the log as journald takes it. Left to
a real systemd: the device policy, the filter of system calls, and limits on memory.
"""

from __future__ import annotations

import asyncio
import grp
import os
import shlex
import shutil
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "paybridge.service"
CI = "PAYBRIDGE_NO_SKIPS"

USER_ID = 61_234  # nobody has it; the unit's user has no password, shell or files either
STATE = Path("/var/lib/paybridge")  # what StateDirectory= and StateDirectoryMode= give
STAGE = "/run/paybridge-test"

# Everything is mounted anew in a namespace of its own, and gone with the process. What must stay
# visible (KEEP) is set aside first, because home folders and /tmp vanish.
SCENERY = """\
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {stage}
{set_aside}
for hidden in {hidden}; do
    [ ! -d "$hidden" ] || mount -t tmpfs -o mode=755 tmpfs "$hidden"
done
for shared in /tmp /var/tmp; do chmod 1777 "$shared"; done
{bring_back}
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir {state}
mount --bind {own_state} {state}
for mounted in $(awk '{{ print $5 }}' /proc/self/mountinfo); do
    case "$mounted" in
        /dev|/dev/*|/proc|/proc/*|/sys|/sys/*|/tmp|/var/tmp|{state}) ;;
        *) mount -o remount,bind,ro "$mounted" 2>/dev/null || true ;;
    esac
done
! touch /etc/paybridge-can-write 2>/dev/null
cd /
export WATCHDOG_PID=$$ SYSTEMD_EXEC_PID=$$
umask {umask}
exec setpriv --reuid {user} --regid {user} --groups {groups} --no-new-privs \\
    --bounding-set -all --inh-caps -all --ambient-caps -all -- {command}
"""


@cache
def why_not() -> str:
    """Return why nothing can be run as shipped here, "" when it can."""
    if os.geteuid() != 0:
        return "only root can start a service for another user"
    for tool in ("unshare", "setpriv", "mount"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (apt-get install util-linux mount)"
    trial = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"no mount namespaces here: {done.stderr.strip()}"


def need_namespaces() -> None:
    """Skip the test where nothing can be run as shipped; fail it in CI."""
    reason = why_not()
    if reason and os.environ.get(CI):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def unit_settings() -> dict[str, list[str]]:
    """Return the settings of the unit's [Service] section, each with all its values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@dataclass(slots=True)
class Shipped:
    """One process under the unit's conditions, and what it tells its manager.

    Attributes:
        folder: Where the test keeps the state, the credentials and the log.
        arguments: What is given to the installed `paybridge`.
        installed: The folder that stands for `/opt`; None runs the program under test instead.
        credentials: The secrets that the store has, by name; {} is an empty folder.
    """

    folder: Path
    arguments: Sequence[str]
    credentials: Mapping[str, bytes] = field(default_factory=dict)
    installed: Path | None = None  # what a package put into /opt; None: the program under test
    said: list[str] = field(default_factory=list)  # to the manager, in order
    _process: asyncio.subprocess.Process | None = None
    _wire: socket.socket | None = None

    @property
    def log(self) -> str:
        """What it wrote to standard error."""
        path = self.folder / "shipped.log"
        return path.read_text() if path.exists() else ""

    @property
    def state(self) -> Path:
        """The state directory as it lies outside."""
        return self.folder / "own-state"

    async def start(self) -> None:
        """Start it and return at once."""
        settings = unit_settings()
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.state.mkdir(exist_ok=True)
        self.state.chmod(int(settings["StateDirectoryMode"][0], 8))
        os.chown(self.state, USER_ID, USER_ID)
        handed = self._hand_credentials(settings["LoadCredential"])
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"\0paybridge-shipped-{os.getpid()}-{id(self)}"
        self._wire.bind(address)
        self._wire.setblocking(False)
        with (self.folder / "shipped.log").open("ab") as log:
            facts = os.fstat(log.fileno())
            environment = {
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG": "C.UTF-8",
                "HOME": str(STATE),
                "USER": "paybridge",
                "LOGNAME": "paybridge",
                "SHELL": "/usr/sbin/nologin",
                "STATE_DIRECTORY": str(STATE),
                "CREDENTIALS_DIRECTORY": str(handed),
                "NOTIFY_SOCKET": "@" + address[1:],
                "WATCHDOG_USEC": str(int(settings["WatchdogSec"][0]) * 1_000_000),
                "JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}",
                "INVOCATION_ID": "0" * 32,
            }
            self._process = await asyncio.create_subprocess_exec(
                *("unshare", "--mount", "sh", "-c", self._script(settings)),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=log,
                env=environment,
                limit=1 << 20,
            )

    def _hand_credentials(self, allowed: Sequence[str]) -> Path:
        """Do what LoadCredential= does: a folder always, and the files that the store has."""
        assert set(self.credentials) <= {one.partition(":")[0] for one in allowed}
        handed = self.folder / "credentials"
        if handed.exists():
            shutil.rmtree(handed)
        handed.mkdir()
        for name, secret in self.credentials.items():
            (handed / name).write_bytes(secret)
            (handed / name).chmod(0o400)
            os.chown(handed / name, USER_ID, USER_ID)
        handed.chmod(0o500)
        os.chown(handed, USER_ID, USER_ID)
        return handed

    def _script(self, settings: Mapping[str, list[str]]) -> str:
        hidden = {"/home", "/root", "/run/user", "/tmp", "/var/tmp"}
        program = Path(sys.executable).parent / "paybridge"
        keep = [Path(sys.base_prefix).resolve(), Path(sys.prefix), ROOT, self.folder]
        places = list(keep)
        if self.installed is not None:  # nothing of the source tree is left in sight
            hidden |= {"/opt", str(ROOT)}
            program = Path("/opt/paybridge/current/bin/paybridge")
            keep = [self.folder, self.installed]
            places = [self.folder, Path("/opt")]
        hidden |= {str(one) for path in keep if (one := _closed_above(path)) is not None}
        number = range(len(keep))
        wanted = settings["SupplementaryGroups"]
        groups = [str(grp.getgrnam(name).gr_gid) for name in wanted]
        lines = {
            "set_aside": [
                f"mkdir {STAGE}/{n}; mount --rbind {_q(keep[n])} {STAGE}/{n}" for n in number
            ],
            "bring_back": [
                f"mkdir -p {_q(places[n])}; mount --rbind {STAGE}/{n} {_q(places[n])}"
                for n in number
            ],
        }
        return SCENERY.format(
            stage=STAGE,
            set_aside="\n".join(lines["set_aside"]),
            bring_back="\n".join(lines["bring_back"]),
            hidden=" ".join(sorted(hidden)),
            state=STATE,
            own_state=_q(self.state),
            umask=settings["UMask"][0],
            user=USER_ID,
            groups=",".join(groups),
            command=shlex.join([str(program), *self.arguments]),
        )

    async def until_said(self, word: str, seconds: float = 60.0) -> str:
        """Return the next message to the manager that holds `word`, from now on or before."""
        assert self._wire is not None, "not started"
        loop = asyncio.get_running_loop()
        for message in self.said:
            if word in message:
                return message
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = (await loop.sock_recv(self._wire, 4096)).decode()
                    self.said.append(message)
                    if word in message:
                        return message
        except TimeoutError:
            raise AssertionError(f"never said {word}: {self.said} {self.log[-3000:]}") from None

    async def output(self, seconds: float = 60.0) -> tuple[int, str]:
        """Wait for its end; return exit status and standard output."""
        assert self._process is not None, "not started"
        async with asyncio.timeout(seconds):
            out, _ = await self._process.communicate()
        assert self._process.returncode is not None
        self._close()
        return self._process.returncode, out.decode()

    def signal(self, number: int) -> None:
        """Send a signal to this process only."""
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End it if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def facts(self) -> dict[str, str]:
        """Return what the kernel says of the running process (`/proc/PID/status`)."""
        assert self._process is not None, "not started"
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        pairs = (line.partition(":") for line in text.splitlines())
        return {key: value.strip() for key, _, value in pairs}


def _closed_above(path: Path) -> Path | None:
    """Return the topmost folder above `path` that others cannot enter, None if there is none."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _q(path: Path) -> str:
    return shlex.quote(str(path))

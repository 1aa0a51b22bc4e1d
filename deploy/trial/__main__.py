"""The steps of `scripts/try-on-debian`: a store PC's life from `apt install` to `apt remove`.

Everything in it is real but the hardware: systemd, udev, dpkg, mosquitto, the unit's sandbox.
Start-up of Python is ten to thirty times slower there than natively; no wait is shorter for it.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.trial.machine import Machine, StepFailed

SLOW = 600.0  # seconds for what takes a minute on a quiet machine

# In the machine: `pay AMOUNT` says how it ended; `begin AMOUNT STAGE` returns at that stage.
TOOLS = r"""
ME=paybridge/v1/registers/till-1
begin() {
    ID=$(cat /proc/sys/kernel/random/uuid)
    : >/run/trial.said
    setsid mosquitto_sub -q 1 -t "$ME/payments/$ID" -t "$ME/response/#" \
        >/run/trial.said 2>&1 </dev/null &
    echo $! >/run/trial.sub
    sleep 3
    mosquitto_pub -q 1 -t "$ME/request/payment/start" -m '{"request_id": "start-'$ID'",
        "expires_at": "'$(date -u -d +120sec +%FT%TZ)'", "payment_id": "'$ID'", "sale_id": "S-'$1'",
        "amounts": {"currency": "EUR", "requested_amount": "'$1'"}}'
    until_said "$2"
}
until_said() {
    for _ in $(seq 1200); do
        grep -qE "$1" /run/trial.said && return 0
        sleep 0.2
    done
    cat /run/trial.said; return 1
}
ended() { # AMOUNT: what its retained document says; its id is the journal's, also after a reboot
    ID=$(python3 -c 'import sqlite3, sys
db = sqlite3.connect("file:/var/lib/paybridge/journal.sqlite?mode=ro", uri=True)
of = (int(sys.argv[1].replace(".", "")),)
print(*db.execute("select payment_id from payment where amount_minor=?", of).fetchone())' "$1")
    timeout 30 mosquitto_sub -q 1 -C 1 -t "$ME/payments/$ID" | python3 -c '
import json, sys
one = json.load(sys.stdin)
print("payment", one["amounts"]["requested_amount"], one["status"], one["recording"]["status"])'
}
pay() { begin "$1" '"final": ?true'; kill $(cat /run/trial.sub); sleep 5; ended "$1"; }
log_in() {
    systemd-run --pipe --wait --collect --quiet -p User=paybridge -p UMask=0077 \
        -p StateDirectory=paybridge -p LoadCredential=login-key \
        /usr/bin/paybridge login --json | tail -1
}
status() { systemctl show paybridge -P StatusText; }
until_status() {
    for _ in $(seq 900); do
        case "$(status)" in $1) status; return 0 ;; esac
        sleep 0.5
    done
    status; journalctl -u paybridge -n 20 --no-pager -o cat; return 1
}
"""


class Trial:
    """Runs steps in order and prints what each said; the first that is wrong ends it."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine = machine
        self._folder = folder
        self._began = time.monotonic()

    def step(self, title: str, script: str, *expected: str) -> str:
        """Run a script; every `expected` pattern must be in what it says."""
        self.say(f"== {title}")
        said = self._machine.run(TOOLS + script, SLOW)
        print(said.rstrip(), flush=True)
        for pattern in expected:
            if not re.search(pattern, said):
                raise StepFailed(f"{title}: nothing like {pattern!r} was said")
        return said

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning."""
        print(f"[{time.monotonic() - self._began:6.0f} s] {text}", flush=True)

    def took(self) -> int:
        """Return the sum of what the terminal took and kept, in minor units."""
        lines = (self._folder / "terminal.ledger").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        undone = {one["original"] for one in entries if one["kind"] == "reversed"}
        return sum(
            one["amount_minor"]
            for one in entries
            if one["kind"] == "approved" and one["number"] not in undone
        )


def life(trial: Trial, machine: Machine) -> None:
    """Play everything that a store PC meets."""
    machine.boot(SLOW)
    trial.step(
        "install without a network, check, start",
        """
        set -e
        apt-get install -y --no-install-recommends /root/1.deb 2>&1 | tail -6
        install -m 640 -g paybridge /root/paybridge.toml /etc/paybridge/paybridge.toml
        (umask 077; head -c 32 /dev/urandom >/etc/credstore/login-key)
        systemctl start back-office
        udevadm settle; ls -l /dev/paybridge
        runuser -u paybridge -- paybridge check || true
        systemctl start paybridge
        until_status 'taking payments*'
        stat -c '%a %U %n' /var/lib/paybridge /var/lib/paybridge/journal*
        """,
        r"adapter-pci-0000:00:1d\.0-usb-0:1:1\.0",
        "taking payments",
        "700 paybridge /var/lib/paybridge",
        r"600 paybridge .*journal\.sqlite-wal",
    )
    trial.step(
        "log in",
        """
        set -e
        log_in
        until_status 'taking payments'
        """,
        '"logged_in": true',
    )
    trial.step("pay over the USB adapter", "pay 12.50", r"payment 12\.50 approved recorded")
    trial.say("== the adapter is pulled, and comes back under another number")
    machine.unplug("terminal")
    trial.step("without it", "until_status 'no payments*'", "no payments can be taken")
    machine.plug("other")
    trial.step(
        "another one is first", "for _ in $(seq 60); do ls /dev/ttyUSB0 && break; sleep 1; done"
    )
    machine.plug("terminal")
    trial.step(
        "pay again",
        "until_status 'taking payments'; ls -l /dev/paybridge /dev/ttyUSB*; pay 13.60",
        r"1:1\.0 -> \.\./ttyUSB1",
        r"payment 13\.60 approved recorded",
    )
    trial.step(
        "kill -9 while the card is awaited",
        """
        begin 31.00 waiting_for_card
        systemctl kill -s KILL paybridge
        until_said '"final": ?true' && until_status 'taking payments'
        sleep 5; ended 31.00
        """,
        r"payment 31\.00 (approved recorded|failed)",
    )
    trial.step(
        "a process that hangs is ended by the watchdog",
        """
        kill -STOP $(systemctl show paybridge -P MainPID); sleep 20
        for _ in $(seq 120); do
            journalctl -u paybridge --since -120s | grep -q 'Watchdog timeout' && break; sleep 1
        done
        journalctl -u paybridge -o cat --since -120s | grep -m1 'Watchdog timeout'
        sleep 5; until_status 'taking payments'
        """,
        "Watchdog timeout",
    )
    trial.step("a payment is under way", "begin 66.00 authorizing; echo begun", "begun")
    trial.say("== the power is cut")
    machine.cut_power()
    after_the_power_cut(trial, machine)


def after_the_power_cut(trial: Trial, machine: Machine) -> None:
    """Switch it on again; then versions, sums, and the end."""
    machine.boot(SLOW)
    trial.step(
        "after the power cut",
        """
        until_status 'taking payments*'
        log_in # the simulated provider has forgotten everybody
        until_status 'taking payments'
        for _ in $(seq 20); do ended 66.00 | grep -qv in_doubt && break; sleep 1; done
        sleep 5; ended 66.00
        """,
        r"payment 66\.00 (approved recorded|failed)",
    )
    _versions(trial)
    total = int(
        trial.step("the journal's sum", _SUM, r"journal \d+").rpartition("journal ")[2].split()[0]
    )
    trial.say(f"the terminal took {trial.took()}, the journal has {total}")
    if trial.took() != total:
        raise StepFailed("terminal and journal differ")
    trial.step(
        "remove",
        """
        apt-get remove -y paybridge 2>&1 | tail -2
        ls /var/lib/paybridge /etc/paybridge
        ls /opt/paybridge 2>&1; id paybridge
        """,
        r"journal\.sqlite",
        r"paybridge\.toml",
        "cannot access '/opt/paybridge'",
    )


_SUM = r"""python3 -c '
import json, sqlite3
db = sqlite3.connect("file:/var/lib/paybridge/journal.sqlite?mode=ro", uri=True)
(total,) = db.execute("select sum(amount_minor) from payment where status=\"approved\"").fetchone()
print("journal", total)'
"""


def _versions(trial: Trial) -> None:
    trial.step(
        "upgrade",
        """
        apt-get install -y --no-install-recommends /root/2.deb 2>&1 | tail -4
        paybridge releases; until_status 'taking payments'; pay 14.70
        """,
        r"0\.1\.2\+deb12  runs",
        r"payment 14\.70 approved recorded",
    )
    trial.step(
        "a version that does not become ready goes away by itself",
        """
        apt-get install -y --no-install-recommends /root/3.deb 2>&1 | tail -12
        paybridge releases; ls /var/lib/paybridge/backups
        until_status 'taking payments'; pay 15.80
        """,
        r"0\.1\.3\+deb12 does not become ready",
        r"0\.1\.2\+deb12 serves again",
        r"0\.1\.2\+deb12  runs",
        r"payment 15\.80 approved recorded",
    )
    trial.step(
        "one that journals before it fails: no payment, and a person is called",
        """
        apt-get install -y --no-install-recommends /root/4.deb 2>&1 | tail -12
        systemctl start paybridge; systemctl is-active paybridge
        systemctl status paybridge --no-pager -n 3 | grep -i condition
        paybridge releases use 0.1.2+deb12 || true
        until_status 'taking payments'; pay 16.90
        """,
        "NO PAYMENT IS TAKEN",
        "inactive",
        r"payment 16\.90 approved recorded",
    )


@contextlib.contextmanager
def a_terminal(folder: Path) -> Iterator[Path]:
    """Be the terminal behind the adapter."""
    link = folder / "terminal"
    link.unlink(missing_ok=True)
    with (folder / "terminal.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulators", "terminal", "zvt", "--pty", str(link)),
                *("--ledger", str(folder / "terminal.ledger")),
                *("--memory", str(folder / "terminal.memory")),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(100):
            if link.exists():
                break
            time.sleep(0.1)
        yield link
    finally:
        process.terminate()
        process.wait()


def main(folder: Path, play: Callable[[Trial, Machine], None] = life) -> int:
    """Play a store PC's life on the disk in `folder`; 1 when something was not as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the machine must not outlive us
    for name in ("terminal.ledger", "terminal.memory"):
        (folder / name).unlink(missing_ok=True)
    with a_terminal(folder) as port:
        machine = Machine(folder, port.resolve())
        trial = Trial(machine, folder)
        try:
            play(trial, machine)
        except StepFailed as error:
            trial.say(f"FAILED: {error}")
            return 1
        finally:
            machine.cut_power()
        trial.say("everything was as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

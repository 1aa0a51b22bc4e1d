"""What of the machine gets in the way of terminals and bookings: port grabbers, the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.cli.checks.findings import Finding, found

CLOCK_SECONDS_MAX = 30.0  # a register's command lives for a minute or so
UDEV_RULES = "95-paybridge-brltty.rules"
PORT_RULES = "70-paybridge.rules"
RULE_FOLDERS = ("etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d")
# Each opens new serial ports on its own; by the name that the kernel shows, where its program
# lies, and the rule of ours that keeps it off terminals.
GRABBERS = {
    "ModemManager": ("usr/sbin/ModemManager", PORT_RULES),
    "brltty": ("usr/bin/brltty", UDEV_RULES),
}


def grabbers(root: Path = Path("/")) -> list[Finding]:
    """Return which programs may open the terminals' ports; `root` is where the system lies."""
    running = set(_process_names(root / "proc"))
    findings = []
    for name, (program, rules) in GRABBERS.items():
        kept_off = any((root / folder / rules).exists() for folder in RULE_FOLDERS)
        if kept_off:
            continue
        file = f"/etc/udev/rules.d/{rules}"
        if name in running:
            text = f"is running, and {rules} is not installed: it may open a terminal's port"
            findings.append(found("port_grabber_active", name, text, file=file))
        elif (root / program).exists():
            text = f"is installed, and {rules} is not: it may open a terminal's port"
            findings.append(found("port_grabber_present", name, text, file=file))
    return findings


def _process_names(proc: Path) -> Iterator[str]:
    """Yield the names of running programs; the kernel cuts them to 15 characters."""
    for entry in proc.glob("[0-9]*/comm"):
        try:
            yield entry.read_text(errors="replace").strip()
        except OSError:  # it has ended meanwhile
            continue


def clock(ahead_seconds: float | None) -> list[Finding]:
    """Return what a server's own time says of our clock; None: no server told its time."""
    if ahead_seconds is None:
        return []
    off = abs(ahead_seconds)
    if off <= CLOCK_SECONDS_MAX:
        return [found("clock_ok", "clock", f"within {CLOCK_SECONDS_MAX:.0f} s of the server's")]
    way = "ahead of" if ahead_seconds > 0 else "behind"
    return [found("clock_off", "clock", f"is {_span(off)} {way} the server's")]


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"

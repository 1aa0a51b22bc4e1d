"""Start-up time, resident memory and idle CPU of the real service, beside a bare Python."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stage import bridge, mosquitto, write_config
from simulators.terminals.shared.serial_port import PtyLine

IDLE_SECONDS = 10.0
BARE = (
    "import asyncio, aiomqtt, httpx, joserfc.jwt, pydantic, serial, sqlite3;"
    "print(open('/proc/self/status').read())"
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a start costs; seconds, MiB, and percent of one core."""

    start_seconds: float
    memory_mib: float
    idle_percent: float
    bare_seconds: float  # a Python that only imports the same libraries
    bare_mib: float


async def measure(folder: Path) -> Footprint:
    """Return the best of three starts, and what is used while nothing happens."""
    async with mosquitto(folder) as port:
        pty = PtyLine()  # a terminal that never answers: the bridge keeps asking
        config = write_config(folder, port, pty.device)
        starts = []
        for _ in range(3):
            async with bridge(config) as (child, seconds):
                starts.append(seconds)
                await asyncio.sleep(1.0)
                before = _cpu_seconds(child.pid)
                await asyncio.sleep(IDLE_SECONDS / 3)
                idle = (_cpu_seconds(child.pid) - before) / (IDLE_SECONDS / 3) * 100
                memory = resident_mib(status_of(child.pid))
        pty.close()
    began = time.perf_counter()
    bare = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BARE, stdout=asyncio.subprocess.PIPE
    )
    text, _ = await bare.communicate()
    return Footprint(
        start_seconds=min(starts),
        memory_mib=memory,
        idle_percent=idle,
        bare_seconds=time.perf_counter() - began,
        bare_mib=resident_mib(text.decode()),
    )


def _cpu_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_of(process_id: int) -> str:
    """Return what the kernel says of a process."""
    return Path(f"/proc/{process_id}/status").read_text()


def resident_mib(status: str) -> float:
    """Return how much memory that is, in MiB."""
    (line,) = [one for one in status.splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024

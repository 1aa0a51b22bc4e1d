"""What every measurement needs: a broker, a bridge, a terminal, and clean ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

START_SECONDS_MAX = 20.0


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(*command: str, ready: bytes = b"") -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process, wait for a line that begins with `ready`, stop it at the end."""
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        if ready:
            assert child.stdout is not None
            async with asyncio.timeout(START_SECONDS_MAX):
                while not (line := await child.stdout.readline()).startswith(ready):
                    if not line:
                        raise RuntimeError(f"{command[:4]} ended before it was ready")
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


@asynccontextmanager
async def mosquitto(folder: Path, *, queued_max: int | None = None) -> AsyncIterator[int]:
    """Start a broker and return its port; `queued_max` messages wait for a client (0: any)."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise SystemExit("the benchmark needs mosquitto (apt-get install mosquitto)")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_dest none\n"
        + ("" if queued_max is None else f"max_queued_messages {queued_max}\n")
    )
    async with process(program, "-c", str(config)):
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            break
        yield port


def write_config(folder: Path, port: int, line: str, *, key: str = "port") -> Path:
    """Write a configuration for one ZVT terminal at `line`, without a back office."""
    path = folder / "paybridge.toml"
    path.write_text(
        f"""
[site]
store_code = "BENCH"
state_directory = {json.dumps(str(folder / "state"))}
[mqtt]
port = {port}
[terminals.counter-1]
driver = "zvt"
{key} = {json.dumps(line)}
[service]
log_level = "warning"
drain_seconds = 0
"""
    )
    return path


@asynccontextmanager
async def bridge(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    """Start the real service; yield it and the seconds it took to be ready."""
    began = time.perf_counter()
    command = (sys.executable, "-m", "bridge", "run", "--config", str(config), "--json")
    async with process(*command, ready=b'{"ready"') as child:
        yield child, time.perf_counter() - began


def process_seconds(pid: int) -> float:
    """Return how much processor time a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

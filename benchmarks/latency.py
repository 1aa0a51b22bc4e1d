"""(a) command published → first byte on the serial line; (b) last byte → document published.

The bridge and the floor run as processes of their own, one after the other, on the same broker
and disk; rounds alternate so that a busy moment of the machine hits both.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt

from benchmarks import floor
from benchmarks.instant import InstantTerminal
from benchmarks.stage import (
    bridge,
    mosquitto,
    process,
    process_seconds,
    write_config,
)
from simulators.terminals.shared.serial_port import PtyLine

ROUND_SECONDS_MAX = 10.0
QUIET_SECONDS = 0.15
WARM_ROUNDS = 20  # they warm caches and connections
NODELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
BASE = "paybridge/v1"


@dataclass(slots=True)
class Samples:
    """Seconds, one per round."""

    first_byte: list[float] = field(default_factory=list)
    document: list[float] = field(default_factory=list)
    payment: list[float] = field(default_factory=list)  # command → approved document
    processor: float = 0.0  # of the process, for each payment


async def measure(folder: Path, rounds: int) -> tuple[Samples, Samples, Samples]:
    """Return what the bridge took, the floor, and a floor with the commits of a whole payment."""
    async with mosquitto(folder) as port, asyncio.TaskGroup() as group:
        pty = PtyLine()
        terminal = InstantTerminal(pty)
        serving = group.create_task(terminal.serve())
        bare, whole = PtyLine(), PtyLine()
        config = write_config(folder, port, pty.device)
        command = (sys.executable, "-m", "benchmarks.floor", str(port))
        async with (
            bridge(config) as (child, _),
            process(*command, bare.device, str(folder / "2.sqlite"), "2", ready=b"ready"),
            process(*command, whole.device, str(folder / "3.sqlite"), "3", ready=b"ready") as three,
            aiomqtt.Client("127.0.0.1", port, socket_options=NODELAY) as client,
        ):
            await client.subscribe(f"{BASE}/registers/till-1/payments/#", qos=1)
            await client.subscribe(f"{BASE}/terminals/+/state", qos=1)
            await client.subscribe(floor.DOCUMENT.format("+"), qos=1)
            messages = aiter(client.messages)
            await until_message(messages, lambda m: b'"ready":true' in m.payload)
            ours, theirs, all_of_it = Samples(), Samples(), Samples()
            used = (0.0, 0.0)
            for number in range(rounds + WARM_ROUNDS):
                if number == WARM_ROUNDS:
                    used = (process_seconds(child.pid), process_seconds(three.pid))
                one = await bridge_round(client, messages, terminal)
                two = await _floor_round(client, messages, bare, 2)
                more = await _floor_round(client, messages, whole, 3)
                if number >= WARM_ROUNDS:
                    _add(ours, one)
                    _add(theirs, two)
                    _add(all_of_it, more)
            ours.processor = (process_seconds(child.pid) - used[0]) / rounds
            all_of_it.processor = (process_seconds(three.pid) - used[1]) / rounds
            for line in (pty, bare, whole):
                line.close()
        serving.cancel()
    return ours, theirs, all_of_it


def _add(samples: Samples, times: tuple[float, float, float]) -> None:
    samples.first_byte.append(times[0])
    samples.document.append(times[1])
    samples.payment.append(times[2])


async def until_message(messages: object, wanted: Callable[[aiomqtt.Message], bool]) -> float:
    """Return when the first message came that is `wanted`."""
    async with asyncio.timeout(ROUND_SECONDS_MAX):
        while True:
            message = await anext(messages)  # type: ignore[call-overload]
            if wanted(message):
                return time.perf_counter()


async def bridge_round(
    client: aiomqtt.Client, messages: object, terminal: InstantTerminal
) -> tuple[float, float, float]:
    """Play one payment; return its seconds: to the first byte, to the document, and in all."""
    payment_id = str(uuid.uuid4())
    command = {
        "request_id": "bench",
        "payment_id": payment_id,
        "amounts": {"currency": "EUR", "requested_amount": "12.50"},
    }
    payload = json.dumps(command)
    terminal.first_read = 0.0
    began = time.perf_counter()
    topic = f"{BASE}/registers/till-1/request/payment/start"
    published: Awaitable[None] = client.publish(topic, payload, qos=1)
    await published
    ended = await until_message(
        messages,
        lambda m: payment_id in str(m.topic) and b'"status":"approved"' in bytes(m.payload)[:700],
    )
    # Events, states and the terminal's last word follow; they must not disturb the next round.
    await asyncio.sleep(QUIET_SECONDS)
    return terminal.first_read - began, ended - terminal.completed, ended - began


async def _floor_round(
    client: aiomqtt.Client, messages: object, line: PtyLine, commits: int
) -> tuple[float, float, float]:
    reading = asyncio.create_task(_stamp(line))
    await asyncio.sleep(0)
    began = time.perf_counter()
    await client.publish(floor.COMMAND.format(commits), b"x" * 150, qos=1)
    first = await reading
    for _ in range(commits - 2):
        line.write(b"\x03")
        await line.read()
    answered = time.perf_counter()
    line.write(b"\x03")
    ended = await until_message(messages, lambda m: str(m.topic) == floor.DOCUMENT.format(commits))
    return first - began, ended - answered, ended - began


async def _stamp(line: PtyLine) -> float:
    await line.read()
    return time.perf_counter()

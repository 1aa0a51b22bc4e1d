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
from benchmarks.stage import bridge, mosquitto, process, write_config
from simulators.terminals.shared.serial_port import PtyLine

ROUND_SECONDS_MAX = 10.0
QUIET_SECONDS = 0.15
NODELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
BASE = "paybridge/v1"


@dataclass(slots=True)
class Samples:
    """Seconds, one per round."""

    first_byte: list[float] = field(default_factory=list)
    document: list[float] = field(default_factory=list)
    payment: list[float] = field(default_factory=list)  # command → approved document


async def measure(folder: Path, rounds: int) -> tuple[Samples, Samples]:
    """Return what the bridge and the floor took."""
    async with mosquitto(folder) as port, asyncio.TaskGroup() as group:
        pty = PtyLine()
        terminal = InstantTerminal(pty)
        serving = group.create_task(terminal.serve())
        bare = PtyLine()
        config = write_config(folder, port, pty.device)
        floor_command = (sys.executable, "-m", "benchmarks.floor", str(port), bare.device)
        async with (
            bridge(config),
            process(*floor_command, str(folder / "floor.sqlite"), ready=b"ready"),
            aiomqtt.Client("127.0.0.1", port, socket_options=NODELAY) as client,
        ):
            await client.subscribe(f"{BASE}/registers/till-1/payments/#", qos=1)
            await client.subscribe(f"{BASE}/terminals/+/state", qos=1)
            await client.subscribe(floor.DOCUMENT, qos=1)
            messages = aiter(client.messages)
            await until_message(messages, lambda m: b'"ready":true' in m.payload)
            ours, theirs = Samples(), Samples()
            for number in range(rounds + 20):
                keep = number >= 20  # the first rounds warm caches and connections
                one = await bridge_round(client, messages, terminal)
                two = await _floor_round(client, messages, bare)
                if keep:
                    _add(ours, one)
                    _add(theirs, two)
            pty.close()
            bare.close()
        serving.cancel()
    return ours, theirs


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
    client: aiomqtt.Client, messages: object, line: PtyLine
) -> tuple[float, float, float]:
    reading = asyncio.create_task(_stamp(line))
    await asyncio.sleep(0)
    began = time.perf_counter()
    await client.publish(floor.COMMAND, b"x" * 150, qos=1)
    first = await reading
    answered = time.perf_counter()
    line.write(b"\x03")
    ended = await until_message(messages, lambda m: str(m.topic) == floor.DOCUMENT)
    return first - began, ended - answered, ended - began


async def _stamp(line: PtyLine) -> float:
    await line.read()
    return time.perf_counter()

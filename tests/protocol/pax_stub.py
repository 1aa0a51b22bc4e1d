"""A PAX terminal in a few lines, for tests of the dialogue: answers by command, no I/O, no time."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from drivers.pax.codec.framing import ACK, FrameReceiver, encode_frame

SECOND_FIELD = b"\x1c"
BALANCE = b"23"  # the only transaction type that moves nothing


def frame(text: str) -> bytes:
    """Return the frame of a payload that is written with | for FS and ^ for US."""
    return encode_frame(text.replace("|", "\x1c").replace("^", "\x1f").encode("latin-1"))


def commands_in(written: bytes) -> list[bytes]:
    """Return the payloads that were written."""
    return [item for item in FrameReceiver().feed(written) if isinstance(item, bytes)]


def count_money_commands(written: bytes) -> int:
    """Return how many different sales, holds, refunds, … were sent; a void is another command."""
    by_type: dict[bytes, set[bytes]] = {}
    for payload in commands_in(written):
        kind = payload.split(SECOND_FIELD)[2] if payload.startswith(b"T") else BALANCE
        if kind != BALANCE:
            by_type.setdefault(kind, set()).add(payload)
    return max(map(len, by_type.values()), default=0)


def commands_in_queries(written: bytes) -> list[bytes]:
    """Return the payloads that were written as queries of HTTP."""
    queries = re.findall(rb"GET /\?([A-Za-z0-9+/=]*) HTTP/1.1\r\n", written)
    return [payload for query in queries for payload in commands_in(base64.b64decode(query))]


def count_money_queries(written: bytes) -> int:
    """Return the same as `count_money_commands`, over HTTP."""
    return count_money_commands(b"".join(map(encode_frame, commands_in_queries(written))))


class ScriptedTerminal:
    """Acknowledges every frame and answers what the script says; "" is silence, "EOT" gives up.

    A key is a command, or a command and the field that tells two questions apart. Answers to a
    question that comes more often than the script has answers repeat the last one.
    """

    booked = False  # nothing the register sends makes a payment final

    def __init__(self, script: Mapping[str, str | list[str]]) -> None:
        self._script = {k: [v] if isinstance(v, str) else list(v) for k, v in script.items()}
        self._receiver = FrameReceiver()

    def receive(self, data: bytes) -> bytes:
        answer = b""
        for item in self._receiver.feed(data):
            if isinstance(item, bytes) and item:
                answer += b"\x06" + self.answer(item)
            elif item == ACK:
                answer += b"\x04"
        return answer

    def answer(self, payload: bytes) -> bytes:
        fields = payload.decode("latin-1").split("\x1c")
        for field in fields[2:]:
            found = self._script.get(f"{fields[0]} {field}")
            if field and found:
                return self._said(found)
        return self._said(self._script.get(fields[0], [""]))

    def _said(self, answers: list[str]) -> bytes:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == "EOT":
            return b"\x04"
        return frame(answer) if answer else b""


class ScriptedHttpTerminal:
    """Answers each query with the raw frame; a query must come in one piece."""

    booked = False

    def __init__(self, script: Mapping[str, str | list[str]]) -> None:
        self._terminal = ScriptedTerminal(script)

    def receive(self, data: bytes) -> bytes:
        (payload,) = commands_in_queries(data)
        answer = self._terminal.answer(payload)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
        return head.encode() + answer

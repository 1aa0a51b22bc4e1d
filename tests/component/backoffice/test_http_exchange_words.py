"""Why the back office cannot be reached is told in our words, whatever a library calls it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import httpx
import pytest

from bridge.backoffice.http_exchange import NoAnswer, NotSent, exchange


async def words(failure: Callable[[httpx.Request], Exception]) -> str:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http:
        request = http.build_request("POST", "https://books.example/graphql")
        with pytest.raises((NotSent, NoAnswer)) as raised:
            await exchange(http, request, deadline_seconds=5.0)
    return str(raised.value)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed"), "nobody listens there"),
        (socket.gaierror(-2, "Name or service not known"), "nobody knows this name"),
        (OSError(113, "No route to host"), "no way leads there"),
        (RuntimeError("[Errno 5] library talk"), "the network does not let us through"),
    ],
)
async def test_no_connection_is_told_in_our_words(cause: Exception, said: str) -> None:
    def fail(_: httpx.Request) -> Exception:
        failure = httpx.ConnectError(f"[Errno 111] {cause}")
        failure.__cause__ = cause
        return failure

    told = await words(fail)
    assert told.startswith(f"no connection to books.example: {said}")
    assert "Errno" not in told


async def test_an_answer_that_broke_off_is_told_in_our_words() -> None:
    told = await words(lambda _: httpx.ReadError("[SSL: BAD_RECORD] h11._util"))
    assert told == "books.example broke off before it had answered"

"""The response to each command, as a model of its own: they differ in `result`. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic import create_model

from bridge.register.api.commands import REQUESTS
from bridge.register.api.documents import Response
from bridge.register.api.fields import Wire


@cache
def _response_with(result: type[Wire]) -> type[Response]:
    """Return the response whose `result` is that; its name ends with Response."""
    name = result.__name__.removesuffix("Result").removesuffix("Document")
    wanted: Any = result | None
    return create_model(
        f"{name}Response",
        __base__=Response,
        __doc__=f"{Response.__doc__} Here `result` is: {result.__doc__}",
        result=(wanted, None),
    )


PLAIN: Final[type[Response]] = create_model(
    "PlainResponse",
    __base__=Response,
    __doc__=f"{Response.__doc__} Here there is no `result`.",
    result=(None, None),
)


def response_of(operation: str) -> type[Response]:
    """Return the model of the response to a command."""
    result: type[Wire] | None = REQUESTS[operation].result
    return PLAIN if result is None else _response_with(result)

"""Servers that repeat what they were asked, in every place that an answer has."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from graphql import FieldNode, OperationDefinitionNode, parse

MARK = "THE-SERVER-SAYS"
"""Stands in every text of the server's own; it must be found nowhere."""

Echo = Callable[[str, str, httpx.Request], httpx.Response]
"""Makes an answer of the query's text, its root field and the request; may raise httpx's errors."""


def _words(query: str) -> str:
    return f"{MARK}: Argument 'trans' has invalid value. Expected type 'X', found {query}"


def _errors(status: int, **entry: Any) -> httpx.Response:
    return httpx.Response(status, json={"errors": [entry]})


def _secrets(query: str) -> list[str]:
    """Return every text that stands in quotes in a query."""
    found: list[str] = []

    def look(node: Any) -> None:
        if node.kind == "string_value":
            found.append(node.value)
        for name in node.keys:
            inner = getattr(node, name, None)
            for one in inner if isinstance(inner, list | tuple) else [inner]:
                if one is not None and hasattr(one, "kind"):
                    look(one)

    look(parse(query))
    return [one for one in found if one]


def _extensions(query: str) -> dict[str, Any]:
    """Return extensions in which everything is an echo, one of them in a code's own grammar."""
    secret = max(_secrets(query) or ["x"], key=len)
    return {
        "code": secret,
        "number": f"5.6.1 {query}",
        "codes": _secrets(query),
        "data": {"Property": secret, "ValidationType": secret, "Value": query},
        "exception": {"stacktrace": [f"{MARK} {query}"]},
    }


def _each_code(code: str, status: int) -> Echo:
    def echo(query: str, root: str, _request: httpx.Request) -> httpx.Response:
        data = {"Property": max(_secrets(query) or ["x"], key=len), "ValidationType": query}
        extensions = {"code": code, "data": data}
        return _errors(status, message=_words(query), extensions=extensions)

    return echo


def _raise(error: type[httpx.TransportError]) -> Echo:
    def echo(query: str, _root: str, request: httpx.Request) -> httpx.Response:
        raise error(f"{MARK} {query}", request=request)

    return echo


def _page(status: int, kind: str, **headers: str) -> Echo:
    def echo(query: str, _root: str, _request: httpx.Request) -> httpx.Response:
        told = {name: value.format(query=_quoted(query)) for name, value in headers.items()}
        text = f"<h1>{MARK}</h1><pre>{query}</pre>"
        return httpx.Response(status, text=text, headers={"content-type": kind, **told})

    return echo


def _quoted(query: str) -> str:
    return str(httpx.QueryParams({"q": query}))


ECHOES: dict[str, Echo] = {
    **{
        f"{code} {status}": _each_code(code, status)
        for status in (200, 400, 401, 500)
        for code in (
            *("VALIDATION", "NOT_AUTHORIZED", "NOT_AUTHENTICATED", "FUSION_ERROR"),
            *("ARGUMENTS_OF_CORRECT_TYPE", "GRAPHQL_VALIDATION_FAILED", "KNOWN_ARGUMENT_NAMES"),
            *("BAD_USER_INPUT", "FORBIDDEN", "SOMETHING_NEW"),
        )
    },
    "the code is an echo": lambda query, _root, _request: _errors(
        400, message=_words(query), extensions=_extensions(query)
    ),
    "the code is the query": lambda query, _root, _request: _errors(
        400, message=_words(query), extensions={"code": query}
    ),
    "no extensions": lambda query, _root, _request: _errors(400, message=_words(query)),
    "words of a rule": lambda query, _root, _request: _errors(
        400, message=f'Field "{(_secrets(query) or ["x"])[0]}" is not defined by type "X". {query}'
    ),
    "words about a value": lambda query, _root, _request: _errors(
        400, message=f"String cannot represent a non string value: {MARK} {query}"
    ),
    "below the root": lambda query, root, _request: _errors(
        400, message=_words(query), path=[root, query], extensions={"code": "NOT_AUTHORIZED"}
    ),
    "data and errors": lambda query, root, _request: httpx.Response(
        400, json={"data": {root: {"id": None, "note": query}}, "errors": [{"message": query}]}
    ),
    "a list": lambda query, _root, _request: httpx.Response(400, json=[MARK, query]),
    "problem+json": lambda query, _root, _request: httpx.Response(
        400,
        text=json.dumps({"title": MARK, "detail": query, "errors": {"query": [query]}}),
        headers={"content-type": "application/problem+json"},
    ),
    "html 200": _page(200, "text/html"),
    "html 401": _page(401, "text/html"),
    "html 404": _page(404, "text/html"),
    "html 413": _page(413, "text/html"),
    "html 429": _page(429, "text/html", **{"retry-after": "{query}"}),
    "html 503": _page(503, "text/html", **{"retry-after": "{query}", "date": "{query}"}),
    "redirect 302": _page(302, "text/plain", location="https://portal.test/?{query}"),
    "redirect 303": _page(303, "text/plain", location="/api/graphql?{query}"),
    "redirect 307": _page(307, "text/plain", location="https://portal.test/?{query}"),
    "odd coding": _page(200, "text/plain", **{"content-encoding": "{query}"}),
    "odd location": _page(302, "text/plain", location="http://[{query}"),
    **{
        f"breaks: {error.__name__}": _raise(error)
        for error in (
            *(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.ConnectError),
            *(httpx.ConnectTimeout, httpx.ReadTimeout, httpx.LocalProtocolError, httpx.ProxyError),
            *(httpx.UnsupportedProtocol, httpx.PoolTimeout),
        )
    },
}


@dataclass
class EchoingOffice(httpx.AsyncBaseTransport):
    """Answers what has one of these root fields with an echo, and passes on everything else."""

    echo: Echo
    inner: httpx.AsyncBaseTransport | None = None
    roots: frozenset[str] | None = None  # None: all
    answered: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if not request.url.path.endswith("/graphql"):
            assert self.inner is not None
            return await self.inner.handle_async_request(request)
        query = json.loads(request.content)["query"]
        (operation,) = parse(query).definitions
        assert isinstance(operation, OperationDefinitionNode)
        first = operation.selection_set.selections[0]
        assert isinstance(first, FieldNode)
        root = first.name.value
        if self.roots is not None and root not in self.roots:
            assert self.inner is not None
            return await self.inner.handle_async_request(request)
        self.answered.append(root)
        response = self.echo(query, root, request)
        response.request = request
        return response

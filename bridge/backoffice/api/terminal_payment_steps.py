"""Asks the POS server one step of a terminal payment, by the names that its schema shows.

Each step is sent once. What an answer proves, `terminal_payments.py` says.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Protocol

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import Answered, NotApplied, Refused, Unknown
from bridge.backoffice.api.literals import Unwritable
from bridge.backoffice.api.operation import Document, Unsupported
from bridge.backoffice.api.refusals import INVALID_REQUEST
from bridge.backoffice.api.terminal_payment_names import (
    LEVELS,
    TerminalPaymentNames,
    mutations_query,
    read_names,
    type_query,
    types_wanted,
)
from bridge.backoffice.http_exchange import HttpAnswer

_LOGGER = logging.getLogger(__name__)


class Wire(Protocol):
    """The back office's API; `client.BackOffice` is one."""

    async def send_once(self, document: Document) -> HttpAnswer | NotApplied | Unknown:
        """Send a mutation once."""

    async def ask(self, document: Document) -> Answered | NotApplied | Refused:
        """Send a query and return its data."""


class TerminalPayments:
    """The POS server's terminal payments. No method raises for what the server does."""

    def __init__(self, wire: Wire) -> None:
        """Ask over `wire`; nothing is sent."""
        self._wire = wire
        self.names = TerminalPaymentNames()
        self._has_looked = False

    async def terminal_payment(self, ask: api.Ask) -> api.Told:
        """Ask one thing, once."""
        if isinstance(ask, api.Look):
            return await self.look()
        if not self._has_looked:
            await (
                self.look()
            )  # of a payment that began in an earlier life, or before the first look
        if isinstance(ask, api.Find):
            return await self._find(ask)
        try:
            document = api.document_for(ask, self.names)
        except Unsupported as error:
            return Refused("NOT_SUPPORTED", str(error))
        except Unwritable as error:
            return Refused("VALIDATION", error.reason, error.field)
        answer = await self._wire.send_once(document)
        if not isinstance(answer, HttpAnswer):
            return answer
        told = api.read_told(answer, api.call_of(ask, self.names), self.names, document.said)
        if isinstance(told, Refused) and told.code == INVALID_REQUEST:
            # It speaks otherwise than its schema said: read that anew before the next payment.
            self.names = replace(self.names, are_read=False)
            self._has_looked = False
        return told

    async def look(self) -> api.Reachable | NotApplied | Refused:
        """Say whether the server answers and offers terminal payments; learn its names.

        A server that lets nobody read its schema is believed to have what is assumed.
        """
        if self.names.are_read and not self.names.missing:
            found = await self._wire.ask(_ping())
            return api.Reachable() if isinstance(found, Answered) else found
        self._has_looked = True
        names = await self._read_schema()
        if names is not None:
            if names.missing and names.missing != self.names.missing:
                _LOGGER.warning("terminal payments: %s", "; ".join(names.missing))
            self.names = names
            return api.Reachable("; ".join(names.missing))
        found = await self._wire.ask(_ping())
        return api.Reachable() if isinstance(found, Answered) else found

    async def _find(self, ask: api.Find) -> api.Told:
        if self.names.finding is None:
            return api.NotOffered()
        found = await self._wire.ask(api.find_document(ask, self.names.finding))
        if not isinstance(found, Answered):
            return found
        return api.read_found(found.data, ask, self.names.finding)

    async def _read_schema(self) -> TerminalPaymentNames | None:
        """Return the names that the schema shows; None where it is not shown, or not whole."""
        found = await self._wire.ask(mutations_query())
        schema = found.data.get("__schema") if isinstance(found, Answered) else None
        if not isinstance(schema, dict):
            return None
        types: dict[str, dict[str, Any]] = {}
        for _ in range(LEVELS):
            for name in types_wanted(schema, types):
                found = await self._wire.ask(type_query(name))
                kind = found.data.get("__type") if isinstance(found, Answered) else None
                if not isinstance(kind, dict):
                    return None
                types[name] = kind
        return read_names(schema, types)


def _ping() -> Document:
    return Document("PaybridgePing", "__typename", "query PaybridgePing { __typename }")

"""The wire to the back office's GraphQL API: one operation per request, sent once.

It says what each attempt proves and decides nothing: no journal, no back-off, no order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Protocol

import httpx

from bridge.backoffice.api.answers import classify, decimal_text, read_data
from bridge.backoffice.api.attempts import (
    Answered,
    Attempt,
    CannotTell,
    GiftCardBalance,
    NotApplied,
    Refused,
    Unknown,
)
from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardEdit,
    GiftCardTransaction,
    Purchase,
    gift_card_add,
    gift_card_balance,
    gift_card_edit,
    gift_card_trans_add,
    gift_card_trans_capture,
    locations,
    ping,
    purchase_add,
)
from bridge.backoffice.api.literals import Unwritable
from bridge.backoffice.api.locations import (
    LOCATION_PAGES_MAX,
    LocationPage,
    NotShown,
    Shown,
    find,
    read_page,
    why_not,
)
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.api.names_in_use import NamesInUse
from bridge.backoffice.api.operation import Document, Unsupported
from bridge.backoffice.api.purchase_lookup import (
    PurchaseLookup,
    is_shown,
    lookup_query,
    purchase_query,
    read_lookup,
    read_rows_type,
    rows_query,
)
from bridge.backoffice.api.refusals import INVALID_REQUEST, VALUE_TYPE_CODE
from bridge.backoffice.http_exchange import HttpAnswer, NoAnswer, exchange, is_safe_url
from bridge.errors import BackOfficeUnavailable, ConfigError, LoginRequired, Rejected

Build = Callable[[ApiNames], Document]
"""Makes an operation from the names as they are known when it is sent."""

ENDPOINT_KEY = "back_office.endpoint"
"""The setting to name when the address cannot be used."""


ACCOUNT_DENIED = "the account may not use the API: it needs the permission ExecuteGraphQL"
"""Source: POS_API.md, additions: an empty 401 with a good token (Orchard Core)."""


class AccountDenied(BackOfficeUnavailable):
    """The API lets this account in for nothing; a person must grant it the use of the API."""


class TokenSource(Protocol):
    """Where the access token comes from; `login.Login` is one."""

    async def access_token(self) -> str:
        """Return a token that should be good now.

        Raises:
            LoginRequired: Only a person can provide one.
            BackOfficeUnavailable: None can be had at the moment.
        """

    async def reject(self, token: str) -> None:
        """Take note that the API did not accept `token`, so that it is not offered again."""


class BackOffice:
    """The back office's API for one endpoint.

    No method raises for what the server does: the outcome is the returned value. If one is
    cancelled while it runs, the mutation may have been applied.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        endpoint: str,
        tokens: TokenSource,
        *,
        deadline_seconds: float,
        names: ApiNames | None = None,
    ) -> None:
        """Remember the parts; nothing is sent.

        `deadline_seconds` bounds each single request, and `names` replaces our guesses.

        Raises:
            ConfigError: `endpoint` is neither HTTPS nor plain HTTP to 127.0.0.1 or [::1].
        """
        if not is_safe_url(endpoint):
            raise ConfigError(ENDPOINT_KEY, f"{endpoint} must be an https:// address")
        self._http = http
        self._endpoint = httpx.URL(endpoint)
        self._tokens = tokens
        self._deadline_seconds = deadline_seconds
        self._server_time: tuple[datetime, float] | None = None  # and when, by the loop's clock
        self._names = NamesInUse(names or ApiNames(), self.ask)
        self._lookup: PurchaseLookup | None = None  # how purchases can be asked for
        self._lookup_is_known = False  # read from the schema, or seen not to be there

    async def purchase_add(self, purchase: Purchase) -> Attempt:
        """Record `purchase` once; call it again for the same purchase only after NotApplied."""
        return await self._mutate(lambda names: purchase_add(purchase, names))

    async def purchase_exists(self, record_id: str, transaction_id: str = "") -> bool | None:
        """Say whether the back office shows the purchase `record_id`; None when it cannot tell.

        The documented API cannot: then, and while the server is away or hides rows, it is None,
        which is neither yes nor no. With `transaction_id` a record of another transaction is a no
        where the server shows whose it is. Changes nothing at the server.
        """
        if not self._lookup_is_known:
            await self._learn_lookup()
        lookup = self._lookup
        if lookup is None:
            return None
        data = await self._query(lambda _names: purchase_query(lookup, record_id))
        if isinstance(data, Refused) and data.code == INVALID_REQUEST:
            self._lookup, self._lookup_is_known = None, False  # the schema is another one now
        if not isinstance(data, dict):
            return None
        return is_shown(lookup, data, record_id, transaction_id)

    async def gift_card_trans_add(self, transaction: GiftCardTransaction) -> Attempt:
        """Use, fund or hold a gift card once; call it again only after NotApplied."""
        return await self._mutate(lambda names: gift_card_trans_add(transaction, names))

    async def gift_card_trans_capture(self, capture: GiftCardCapture) -> Attempt:
        """End a hold once; call it again only after NotApplied."""
        return await self._mutate(lambda names: gift_card_trans_capture(capture, names))

    async def gift_card_add(self, code: str, pin: str) -> Attempt:
        """Make a physical gift card with nothing on it; a code that exists is Refused."""
        return await self._mutate(lambda names: gift_card_add(code, pin, names))

    async def gift_card_edit(self, edit: GiftCardEdit) -> Attempt:
        """Revoke a gift card's code, or put another one in its place, once."""
        return await self._mutate(lambda names: gift_card_edit(edit, names))

    async def gift_card_balance(
        self, code: str, code_type: CodeType
    ) -> GiftCardBalance | NotApplied | Refused:
        """Return the card's balance; Refused `NOT_FOUND` when the API shows no such card."""
        data = await self._query(lambda names: gift_card_balance(code, code_type, names))
        if not isinstance(data, dict):
            return data
        found = data.get("giftcard")
        if not isinstance(found, dict):
            return NotApplied("the answer names no gift cards")
        rows = found.get("results")
        if not rows and found.get("limitedByPermission") is True:
            return Refused("NOT_AUTHORIZED", "we may not see this gift card")
        if not rows:
            return Refused("NOT_FOUND", "no gift card carries this code", "code")
        row = rows[0] if isinstance(rows, list) and isinstance(rows[0], dict) else {}
        balance = decimal_text(row.get("balance"))
        if len(rows) > 1 or not balance:
            return NotApplied("the answer does not name one gift card and its balance")
        return GiftCardBalance(str(row.get("id") or ""), balance)

    async def find_store(self, store_code: str) -> Shown | NotShown | CannotTell:
        """Say whether the back office shows this store among its locations. Changes nothing."""
        pages: list[LocationPage] = []
        skip, limits = 0, True
        while len(pages) < LOCATION_PAGES_MAX:
            data = await self._query(partial(locations, skip, limits=limits))
            if not isinstance(data, dict) and limits and not pages:
                limits = False
                data = await self._query(partial(locations, skip, limits=limits))
            if not isinstance(data, dict):
                return why_not(data)
            page = read_page(data)
            if page is None:
                return CannotTell("the answer holds no list of locations")
            if pages and page.locations == pages[-1].locations:
                break  # it does not turn pages
            pages.append(page)
            skip += len(page.locations)
            if page.has_more is not True or store_code in {one.code for one in page.locations}:
                break
        return find(store_code, pages)

    @property
    def can_hold(self) -> bool:
        """False when the server is known to offer no hold of a gift card's money."""
        return not self._names.names.missing

    @property
    def lacks(self) -> tuple[str, ...]:
        """Why no gift card's money can be held, in words; () when it can, as far as we know."""
        return self._names.names.missing

    @property
    def names_are_read(self) -> bool:
        """Whether the server itself has shown what it calls things, or what it lacks."""
        return self._names.are_read

    async def learn_names(self) -> ApiNames:
        """Ask the server for the names we only guess, and use them from now on."""
        return await self._names.learn()

    async def refresh_names(self) -> None:
        """Learn the names where they are not known yet, or where that is an hour ago."""
        await self._names.refresh()

    async def _learn_lookup(self) -> None:
        """Read from the schema how purchases can be asked for; stays unknown if it is not shown."""
        found = await self._query(lambda _names: lookup_query())
        schema = found.get("__schema") if isinstance(found, dict) else None
        if not isinstance(schema, dict):
            return
        rows_type = read_rows_type(schema)
        if rows_type is not None:
            shown = await self._query(lambda _names: rows_query(rows_type))
            kind = shown.get("__type") if isinstance(shown, dict) else None
            if not isinstance(kind, dict):
                return
            self._lookup = read_lookup(schema, kind)
        self._lookup_is_known = True

    async def ping(self) -> None:
        """Return if the API answers and lets us in; it changes nothing.

        Raises:
            BackOfficeUnavailable: It does not answer, or is not itself.
            LoginRequired: It wants a login.
            Rejected: It lets us in but not use the API.
        """
        match await self._query(lambda _names: ping()):
            case NotApplied(reason=reason, login_required=True):
                raise LoginRequired(reason)
            case NotApplied(reason=reason, denied=True):
                raise AccountDenied(reason)
            case NotApplied(reason=reason):
                raise BackOfficeUnavailable(reason)
            case Refused(code=code, message=message, path=path):
                raise Rejected(code, message, path)

    async def _mutate(self, build: Build) -> Attempt:
        """Send a mutation; again only where its names did not fit, and others were learned."""
        names = self._names.names
        try:
            document = build(names)
            attempt = await self._send_mutation(document)
            if not isinstance(attempt, Refused) or attempt.code != INVALID_REQUEST:
                return attempt
            corrected = build(await self._names.corrected(names))
        except (Unsupported, Unwritable) as error:
            return _not_sent(error)
        if corrected.text == document.text:
            return attempt
        return await self._send_mutation(corrected)

    async def _send_mutation(self, document: Document) -> Attempt:
        answer = await self.send_once(document)
        if not isinstance(answer, HttpAnswer):
            return answer
        return classify(answer, document.root_field, document.said)

    async def send_once(self, document: Document) -> HttpAnswer | NotApplied | Unknown:
        """Send a mutation once, and return the answer for somebody else to read.

        NotApplied: no byte of it left, or there is no login. Unknown: no whole answer came.
        """
        try:
            return await self._send(document)
        except (LoginRequired, BackOfficeUnavailable) as error:
            return _nothing_left(error)
        except NoAnswer as error:
            return Unknown(str(error))

    async def ask(self, document: Document) -> Answered | NotApplied | Refused:
        """Send a query, and return the data of its answer. Changes nothing at the server."""
        try:
            answer = await self._send(document)
        except (LoginRequired, BackOfficeUnavailable) as error:
            return _nothing_left(error)
        except NoAnswer as error:
            return NotApplied(str(error))
        data = read_data(answer, document.said)
        return Answered(data, len(answer.body)) if isinstance(data, dict) else data

    async def _query(self, build: Build) -> dict[str, Any] | NotApplied | Refused:
        try:
            document = build(self._names.names)
        except (Unsupported, Unwritable) as error:
            return _not_sent(error)
        answer = await self.ask(document)
        return answer.data if isinstance(answer, Answered) else answer

    async def _send(self, document: Document) -> HttpAnswer:
        """Send the document; once more with another token if the answer proves it did not count.

        Raises:
            LoginRequired: There is no token.
            AccountDenied: Not even a token that was just given is accepted, without a word.
            BackOfficeUnavailable: There is no token yet, or no byte left.
            NoAnswer: Bytes may have left.
        """
        token = await self._tokens.access_token()
        answer = await self._post(document, token)
        if not _wants_login(answer, document):
            return answer
        await self._tokens.reject(token)
        fresh = await self._tokens.access_token()
        if fresh == token:
            return answer
        answer = await self._post(document, fresh)
        if _wants_login(answer, document):
            if not answer.body.strip():
                raise AccountDenied(ACCOUNT_DENIED)
            await self._tokens.reject(fresh)
        return answer

    async def _post(self, document: Document, token: str) -> HttpAnswer:
        body = {"query": document.text, "operationName": document.operation}
        request = self._http.build_request(
            "POST",
            self._endpoint,
            content=json.dumps(body).encode(),
            headers={"content-type": "application/json", "authorization": f"Bearer {token}"},
        )
        answer = await exchange(self._http, request, deadline_seconds=self._deadline_seconds)
        told = _date_of(answer)
        if told is not None:
            self._server_time = (told, asyncio.get_running_loop().time())
        return answer

    def server_now(self) -> datetime | None:
        """Return the time in UTC by the server's own clock; None while it has told none."""
        if self._server_time is None:
            return None
        told, at = self._server_time
        return told + timedelta(seconds=asyncio.get_running_loop().time() - at)


def _date_of(answer: HttpAnswer) -> datetime | None:
    """Return the `Date` of an answer (RFC 9110, section 6.6.1), None where it cannot be read."""
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
    return told if told.tzinfo is not None else None


def _nothing_left(error: LoginRequired | BackOfficeUnavailable) -> NotApplied:
    """Return what it proves that a request got no further than its token or its connection."""
    login_required = isinstance(error, LoginRequired)
    denied = isinstance(error, AccountDenied)
    return NotApplied(str(error), login_required=login_required, denied=denied)


def _not_sent(error: Unsupported | Unwritable) -> Refused:
    """Return why an operation cannot be written at all; nothing was sent."""
    if isinstance(error, Unsupported):
        return Refused("NOT_SUPPORTED", str(error))
    return Refused(VALUE_TYPE_CODE, error.reason, error.field)


def _wants_login(answer: HttpAnswer, document: Document) -> bool:
    outcome = classify(answer, document.root_field, document.said)
    return isinstance(outcome, NotApplied) and outcome.login_required

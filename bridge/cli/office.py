"""`paybridge office`: asks any documented query of the back office, and shows the rows.

It uses the service's login, renewed under the same lock, and the account's own permissions. Nothing
is changed at the server.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from rich import box
from rich.table import Table

from bridge import config as cfg
from bridge.adapters import utc_now
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.paging import ROWS_A_PAGE, Bounds
from bridge.backoffice.api.query_endpoints import QUERY_ENDPOINTS
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.login.login import Login
from bridge.errors import ConfigError
from bridge.settings import api_names, login_settings, proxy_settings, token_store

LIMIT_MAX = 1_000_000
CELL_CHARS_MAX = 200  # of one field in a table for people; CSV and JSON have it whole
MEGABYTES_MAX = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class UsageError(Exception):
    """What was typed cannot be asked; the words say why."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What came back.

    Attributes:
        until: Where to go on another time, "" where the server says nothing of that.
        more: There are more rows than were wanted.
        problem: Why not everything could be read, None where it was.
    """

    rows: Sequence[Mapping[str, Any]]
    until: str
    more: bool
    problem: CannotTell | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all fields, in the order in which the server shows them."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


def conditions(words: Sequence[str]) -> dict[str, str]:
    """Return what `--where NAME=VALUE` says.

    Raises:
        UsageError: One of them is not written so, or names the same twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"--where {word}: write it as NAME=VALUE")
        if name in found:
            raise UsageError(f"--where {name}: say it once")
        found[name] = value
    return found


async def ask_office(
    config: cfg.Config,
    environment: Mapping[str, str],
    endpoint: str,
    where: Mapping[str, str],
    *,
    since: str | None,
    limit: int,
) -> Shown:
    """Return the rows of one endpoint, by the service's login.

    Raises:
        ConfigError: There is no back office, or a setting of it is wrong.
        LoginRequired, BackOfficeUnavailable, Rejected: It cannot be asked at all.
    """
    office = config.back_office
    if office is None:
        raise ConfigError("back_office", "no back office is configured, so there is none to ask")
    async with open_client(office.ca_file, proxy_settings(office, environment)) as http:
        tokens = token_store(config.site.state_directory, environment)
        login = Login(http, login_settings(office, environment), tokens, utc_now)
        books = BackOffice(
            http,
            office.endpoint,
            login,
            deadline_seconds=office.deadline_seconds,
            names=api_names(office),
        )
        await books.ping()
        reader = Reader(books, api_names(office).renamed)
        return await read_rows(reader, endpoint, where, since=since, limit=limit)


async def read_rows(
    reader: Reader, endpoint: str, where: Mapping[str, str], *, since: str | None, limit: int
) -> Shown:
    """Return at most `limit` rows of one endpoint, with every field that the server shows."""
    asked = replace(QUERY_ENDPOINTS[endpoint], read=lambda row: row.fields)
    rows: list[Mapping[str, Any]] = []
    until, more = "", False
    pages = reader.pages(
        asked,
        where,
        since=since,
        first=min(limit, ROWS_A_PAGE),
        bounds=Bounds(pages=limit + 1, rows=limit + 1, megabytes=MEGABYTES_MAX),
        everything=True,
    )
    async with aclosing(pages):
        async for page in pages:
            if isinstance(page, CannotTell):
                return Shown(rows, until, more, page)
            rows += page.rows
            until = page.until or until
            more = page.more is True or len(rows) > limit
            if page.limited:
                limited = CannotTell("the account may not see all of them")
                return Shown(rows[:limit], until, more, limited)
            if len(rows) >= limit:
                break
    # With marks the last page is shown whole: its mark begins after it.
    return Shown(rows if since is not None else rows[:limit], until, more, None)


def as_json(shown: Shown) -> str:
    """Return the rows as one JSON object; amounts stay as the server wrote them."""
    problem = shown.problem.reason if shown.problem else None
    facts = {"rows": shown.rows, "until": shown.until, "more": shown.more, "problem": problem}
    return json.dumps(facts, default=_plain)


def as_csv(shown: Shown) -> str:
    """Return the rows as CSV (RFC 4180). What a spreadsheet would calculate gets a quote first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_harmless(name) for name in shown.columns)
    for row in shown.rows:
        writer.writerow(_harmless(_cell(row.get(name))) for name in shown.columns)
    return text.getvalue()


def as_table(shown: Shown) -> Table:
    """Return the rows for a person: numbers to the right, long fields cut."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in shown.columns:
        values = [row.get(name) for row in shown.rows]
        numeric = all(one is None or _is_number(one) for one in values)
        table.add_column(_printable(name), justify="right" if numeric else "left", overflow="fold")
    for row in shown.rows:
        cells = [_printable(_cell(row.get(name))) for name in shown.columns]
        table.add_row(*(_cut(cell) for cell in cells))
    return table


def _cell(value: object) -> str:
    """Return a field on one line; rows inside of a row are `name value, …; …`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return "; ".join(_cell(one) for one in value)
        case dict():
            return ", ".join(f"{name} {_cell(one)}" for name, one in value.items())
        case _:
            return str(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return False
    try:
        return Decimal(value).is_finite()
    except ArithmeticError:
        return False


def _printable(text: str) -> str:
    """Return a server's text without what a terminal or `rich` would obey."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    return shown.replace("[", r"\[")


def _cut(text: str) -> str:
    return text if len(text) <= CELL_CHARS_MAX else f"{text[: CELL_CHARS_MAX - 1]}…"


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _plain(value: object) -> str:
    assert isinstance(value, Decimal), "JSON has nothing else"
    return str(value)

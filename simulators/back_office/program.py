"""The simulated back office as a program: GraphQL API, login and control on loopback.

`python -m simulators backoffice --port N` starts it; `create_app` serves the same to a client
in this process. The control endpoint has a second port, because the first one can go away.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette

from simulators.back_office.answers import GRAPHQL_PATH, BackOffice
from simulators.back_office.faults import NAMED
from simulators.back_office.hostility import MODES
from simulators.back_office.state import BackOfficeState
from simulators.http_server import (
    Front,
    announce_and_wait,
    bind,
    control_route,
    follow,
    running,
)
from simulators.identity_provider import site as oidc

CONTROL_HELP = f"""\
POST one JSON command, or a list, to the control address; GET /_ledger returns every effect:
  {{"do": "approve", "user_code": "BCDF-GHJK"}}       or "deny": a person decides a device login
  {{"do": "revoke"}}                                 end every login
  {{"do": "expire", "what": "access_tokens"}}        or device_codes, refresh_tokens
  {{"do": "set_sub", "sub": "somebody"}}             who logs in from now on
  {{"do": "rotate_key"}}                             sign id_tokens with a new key
  {{"do": "lose_token_answer", "grant": "refresh_token", "times": 1}}
  {{"do": "login_options", "captive_portal": true}}  any option of the provider's records.py
  {{"do": "fault", "fault": NAME, "operation": "purchaseAdd", "times": 1, "after": 0}}
                                                   times -1 for ever; chance, delay_seconds,
                                                   late_seconds, code, property_name,
                                                   retry_after_seconds as the fault needs them
  {{"do": "clear_faults"}}
  {{"do": "hostile", "operation": "item", "mode": MODE}}   how pages are answered from now on; *
                                                   for every query, no mode for honestly again
  {{"do": "away", "seconds": 60}}  {{"do": "back"}}      refuse connections for a while
  {{"do": "options", "decimals": "number", "introspection": false, "purchase_query": true}}
  {{"do": "options", "stores": ["S1", "S2"], "locations": "none"}}  its stores, and whether the
                                                   schema shows them: plain, limited, none
  {{"do": "options", "terminal_payments": "plain"}}   it drives terminals: plain, otherwise, none
  {{"do": "terminal_payment", "outcome": "approve", "continuations": 2}}
                                                   how the next payment at a terminal of the POS
                                                   server goes: any field of terminal_payments.Play
  {{"do": "options", "dialect": {{"other_types": true, "capture": "renamed", "errors": "apollo"}}}}
                                                   names, shapes and words of another server: any
                                                   trait of dialect.py; {{}} for the documented ones
  {{"do": "catalogue", "items": 200000, "page_rows": 100, "edition": "Store"}}
  {{"do": "catalogue", "forget_marks": true}}        what until returned is good no more
  {{"do": "item", "number": 7, "name": "Mug", "basePrice": "3.95"}}     one is changed, or added
  {{"do": "schema", "barcodes": true, "missing": ["Item.longName", "Query.item.sku"]}}
  {{"do": "permissions", "client_id": "paybridge", "permissions": ["AddPurchase"]}}
  {{"do": "gift_card", "code": "G1", "pin": "1", "balance": "10.00"}}
  {{"do": "spend_elsewhere", "code": "G1", "amount": "4.00"}}
  {{"do": "find_purchases", "transactionId": "T1"}}

{textwrap.fill("Faults: " + ", ".join(sorted(NAMED)), 95)};
or EFFECT+ANSWER of simulators/back_office/faults.py, e.g. applied+html_200.
{textwrap.fill("Hostile modes: " + ", ".join(sorted(MODES)), 95)}.
"""
"""What `-h` says about the control endpoint."""


def create_app(office: BackOffice, site: oidc.ProviderSite) -> Starlette:
    """Return API, login, `/_control` and `/_ledger` as one app."""
    tenant = urlsplit(site.provider.issuer).path.rstrip("/")
    return Starlette(
        routes=[
            *office.routes(tenant),
            *site.routes(),
            control_route(site.control, office.control),
        ]
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of `python -m simulators backoffice`."""
    parser.description = (
        "A back office that executes the POS GraphQL schema, with its login provider, and "
        "misbehaves when told to."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = CONTROL_HELP
    oidc.add_login_arguments(parser)
    parser.add_argument(
        "--ledger", type=Path, help="append every effect to this file, one JSON object a line"
    )
    parser.add_argument(
        "--faults", type=Path, help="JSON file with control commands to follow at the start"
    )
    parser.add_argument("--no-login", action="store_true", help="accept requests without a token")
    parser.add_argument("--no-introspection", action="store_true", help="hide the schema")
    parser.add_argument(
        "--decimals", choices=("string", "number"), default="string", help="how money goes out"
    )
    parser.add_argument(
        "--control-port", type=int, default=0, help="second port of the control endpoint"
    )


@dataclass(frozen=True, slots=True)
class RunningBackOffice:
    """A back office that listens; `ready` holds its addresses in JSON types."""

    office: BackOffice
    site: oidc.ProviderSite
    ready: dict[str, str | None]


@asynccontextmanager
async def running_back_office(arguments: argparse.Namespace) -> AsyncIterator[RunningBackOffice]:
    """Serve within the block what the arguments describe.

    Raises:
        OSError: A port is in use, or a file cannot be opened.
        ValueError: The file of faults holds a command nobody knows.
    """
    listener = bind(arguments.host, arguments.port)
    issuer = oidc.base_url(arguments.host, listener.getsockname()[1], arguments.tenant)
    site = oidc.ProviderSite(oidc.provider_from(arguments, issuer))
    office = BackOffice(
        BackOfficeState(ledger_path=arguments.ledger),
        authenticate=None if arguments.no_login else site.provider.authenticate,
        chance=oidc.chance_from(arguments.seed),
    )
    office.api.decimals_as_numbers = arguments.decimals == "number"
    office.api.introspection = not arguments.no_introspection
    app = create_app(office, site)
    front = Front(app, listener)
    office.away_changed = front.set_away
    control_listener = bind("127.0.0.1", arguments.control_port)
    ready = {
        "simulator": "backoffice",
        "graphql": issuer.rstrip("/") + GRAPHQL_PATH,
        "issuer": issuer,
        "control": f"http://127.0.0.1:{control_listener.getsockname()[1]}/_control",
        "ledger": None if arguments.ledger is None else str(arguments.ledger),
    }
    for command in _commands(arguments.faults):
        follow(command, (site.control, office.control))
    async with running(front, Front(app, control_listener)):
        yield RunningBackOffice(office, site, ready)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until cancelled; prints one JSON line with the addresses when ready."""
    async with running_back_office(arguments) as back_office:
        await announce_and_wait(back_office.ready)


def _commands(path: Path | None) -> list[object]:
    if path is None:
        return []
    commands = json.loads(path.read_text(encoding="utf-8"))
    return commands if isinstance(commands, list) else [commands]

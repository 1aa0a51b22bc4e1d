"""The login provider and the back office: discovery, grant, permissions, store and items.

Nothing is recorded and no gift card is touched: only questions are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bridge import config as cfg
from bridge.adapters import utc_now
from bridge.backoffice.api.attempts import CannotTell, GiftCardBalance, NotApplied, Refused
from bridge.backoffice.api.client import AccountDenied, BackOffice
from bridge.backoffice.api.documents import CodeType
from bridge.backoffice.api.locations import NotShown, Shown
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.login.login import Login
from bridge.backoffice.login.provider import Provider
from bridge.backoffice.login.settings import LoginSettings
from bridge.backoffice.login.token_file import TokenStore
from bridge.cli.check_office import office_findings
from bridge.cli.checks import machine, pos_server
from bridge.cli.checks.findings import Finding, found
from bridge.errors import (
    BackOfficeUnavailable,
    BridgeError,
    ConfigError,
    JournalError,
    LoginRequired,
    Rejected,
)
from bridge.settings import api_names, login_settings, proxy_settings, token_store

STORES_NAMED_MAX: Final = 8  # of those that the back office has; enough to see what codes look like
# A code that no card has: cards' codes are longer, and no shop prints this.
NO_CARD: Final = "paybridge-check"
ISSUER_KEY: Final = "back_office.login.issuer"
CLIENT_KEY: Final = "back_office.login.client_id"


async def back_office(
    config: cfg.Config, office: cfg.BackOffice, environment: Mapping[str, str]
) -> list[Finding]:
    """Log in as the service does, and ask what it will need."""
    provider = f"login provider {office.login.issuer}"
    try:
        settings = login_settings(office, environment)
        tokens = token_store(config.site.state_directory, environment)
        http = open_client(office.ca_file, proxy_settings(office, environment))
    except ConfigError as error:
        text = str(error).removeprefix(f"{error.key}: ")
        return [found("login_setting", provider, text, key=error.key)]
    async with http:
        login = Login(http, settings, tokens, utc_now)
        findings, may_ask = await _login(provider, login, settings, tokens)
        ahead = login.status.clock_ahead_seconds
        if may_ask:
            try:
                books = BackOffice(
                    http,
                    office.endpoint,
                    login,
                    deadline_seconds=office.deadline_seconds,
                    names=api_names(office),
                )
            except ConfigError as error:
                text = str(error).removeprefix(f"{error.key}: ")
                what = f"back office {office.endpoint}"
                return [*findings, found("office_setting", what, text, key=error.key)]
            findings += await _office(config, office, books)
            ahead = _ahead(books.server_now()) if ahead is None else ahead
    return [*findings, *machine.clock(ahead)]


# --- the provider


async def _login(
    what: str, login: Login, settings: LoginSettings, tokens: TokenStore
) -> tuple[list[Finding], bool]:
    """Return what was found, and whether the back office can be asked."""
    try:
        provider = await login.discover()
    except ConfigError as error:
        text = str(error).partition(": ")[2] or str(error)
        return [found("login_wrong_issuer", what, text, key=ISSUER_KEY)], False
    except Rejected as error:
        return [found("login_unsafe", what, str(error), key=ISSUER_KEY)], False
    except BackOfficeUnavailable as error:
        return [found("login_provider_away", what, str(error), key=ISSUER_KEY)], False
    lacking = _no_grant(settings.flow, provider)
    if lacking:
        return [found("login_no_grant", what, lacking, key="back_office.login.flow")], False
    try:
        await login.access_token()
    except LoginRequired as error:
        return [await _not_logged_in(what, login, settings, str(error))], False
    except JournalError as error:
        return [found("login_setting", what, str(error), key="site.state_directory")], False
    except BackOfficeUnavailable as error:
        return [found("login_provider_away", what, str(error), key=ISSUER_KEY)], False
    name = login.status.name or login.status.subject or settings.client_id
    stored = tokens.read() if settings.flow != "client_credentials" else None
    if stored is not None and not stored.refresh_token:
        text = f"logged in as {name}, for a short time: the provider gave no refresh token"
        return [found("login_short", what, text, key="back_office.login.scopes")], True
    return [found("login_ok", what, f"logged in as {name}")], True


def _no_grant(flow: str, provider: Provider) -> str:
    """Return what the provider lacks for the configured way to log in; "" when nothing."""
    has = {
        "device": bool(provider.device_endpoint),
        "browser": bool(provider.authorization_endpoint),
        "client_credentials": bool(provider.token_endpoint),
    }
    if flow == "auto":
        if has["device"] or has["browser"]:
            return ""
        return "the provider offers neither a login by code nor by browser"
    return "" if has[flow] else f"the provider offers no login by {flow}"


async def _not_logged_in(what: str, login: Login, settings: LoginSettings, reason: str) -> Finding:
    """Say whether a person could log in now, or whether the client itself is refused."""
    if settings.flow == "client_credentials":
        return found("login_client_refused", what, reason, key=CLIENT_KEY)
    flow = settings.flow if settings.flow != "auto" else await login.choose_flow()
    if flow == "device":
        try:
            await login.begin_device_login()  # a code that nobody sees; it expires by itself
        except Rejected as error:
            if not await login.other_flow(error):
                text = f"the provider refuses a login by code: {error}"
                return found("login_client_refused", what, text, key=CLIENT_KEY)
        except BridgeError as error:
            return found("login_provider_away", what, str(error), key=ISSUER_KEY)
    return found("login_needed", what, f"{reason}; payments go on, recording waits")


def _ahead(server_now: datetime | None) -> float | None:
    return None if server_now is None else (utc_now() - server_now).total_seconds()


# --- the back office


async def _office(config: cfg.Config, office: cfg.BackOffice, books: BackOffice) -> list[Finding]:
    what, key = f"back office {office.endpoint}", "back_office.endpoint"
    try:
        await books.ping()
    except LoginRequired as error:
        text = f"it does not accept our login: {error}"
        return [found("office_not_allowed", what, text, key=key)]
    except AccountDenied as error:
        return [found("office_not_allowed", what, str(error), key=key)]
    except BackOfficeUnavailable as error:
        return [found("office_away", what, str(error), key=key)]
    except Rejected as error:
        return [found("office_not_allowed", what, f"it refuses us: {error.code}", key=key)]
    names = await books.learn_names()
    findings = [
        found("office_ok", what, "answers, and lets us in"),
        gift_card_names(names, read=books.names_are_read),
        await _gift_card_permission(books),
        *_shown_by_use(records=office.records),
        *await office_findings(config, books),
        *await pos_server.pos_server(config, books),
    ]
    if office.records:
        store = await books.find_store(config.site.store_code)
        findings.append(store_code_found(config.site.store_code, store))
    return findings


def _shown_by_use(*, records: bool) -> list[Finding]:
    """Name the permissions that no question shows: to try them is to record, or to take money."""
    named = {"AddPurchase": "the first sale shows it"} if records else {}
    named |= {"GiftCardTransUse": "the first payment with a gift card shows it"}
    return [
        found("permission_shown_by_use", f"permission {name}", f"cannot be asked for; {text}")
        for name, text in named.items()
    ]


async def _gift_card_permission(books: BackOffice) -> Finding:
    """Ask for a card that does not exist: to be told so is the permission to look."""
    what = "permissions FindGiftCardByCode, UsePhysicalGiftCardCodes"
    match await books.gift_card_balance(NO_CARD, CodeType.PHYSICAL):
        case Refused(code="NOT_AUTHORIZED"):
            text = "gift cards cannot be looked up: each payment with one is refused"
            return found("permission_missing_for_gift_cards", what, text)
        case GiftCardBalance() | Refused(code="NOT_FOUND"):
            return found("permission_ok", what, "gift cards can be looked up")
        case Refused(code=code):
            return found("permission_unknown", what, f"the question is refused: {code}")
        case NotApplied(reason=reason):
            return found("permission_unknown", what, reason)


def store_code_found(store_code: str, store: Shown | NotShown | CannotTell) -> Finding:
    """Say whether purchases go to a store that the back office has, before the first sale."""
    what, key = f"store code {store_code}", "site.store_code"
    match store:
        case Shown(location) if location.code == store_code:
            return found("store_ok", what, f"the back office has it: {location.name or 'no name'}")
        case Shown(location):
            text = f"the back office writes it {location.code}"
            return found("store_spelled_otherwise", what, text, key=key)
        case CannotTell(reason):
            text = f"cannot tell whether the back office has it: {reason}"
            return found("store_cannot_tell", what, text, key=key)
        case NotShown(others):
            shown = [f"{one.code} ({one.name})" if one.name else one.code for one in others]
            rest = len(shown) - STORES_NAMED_MAX
            more = f" and {rest} more" if rest > 0 else ""
            text = (
                "the back office shows no such store, and may reject every purchase (payments go "
                f"on). It shows {', '.join(shown[:STORES_NAMED_MAX])}{more}"
            )
            return found("store_unknown", what, text, key=key)


def gift_card_names(names: ApiNames, *, read: bool) -> Finding:
    """Say whether gift cards can be held, and how we know; `read`: the server showed it."""
    what, key = "gift cards", "back_office.names"
    if names.missing:
        text = (
            f"{'; '.join(names.missing)}: a gift card is used at once, and cannot be held, "
            "loaded, or be part of a split payment"
        )
        return found("gift_cards_less", what, text, key=key)
    if not read:
        text = "it shows neither its schema nor whether a hold fits; back_office.names is believed"
        return found("gift_cards_unread", what, text, key=key)
    return found("gift_cards_ok", what, "the server has all that holds need")

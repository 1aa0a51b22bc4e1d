"""What the parts want to know, read from the configuration and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bridge import config as cfg
from bridge.backoffice.api.literals import is_name
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.api.renamed import BadName, check
from bridge.backoffice.http_exchange import Proxy
from bridge.backoffice.item_copy.sync import SyncSettings
from bridge.backoffice.login.settings import LoginSettings
from bridge.backoffice.login.token_file import TokenStore
from bridge.backoffice.reading import ReadingSettings
from bridge.errors import ConfigError
from bridge.register import api as k
from bridge.register.commands.router import DeskSettings
from bridge.register.mqtt.messages import MqttSettings, TlsSettings
from bridge.register.receipts.receipt_text import ReceiptStyle
from bridge.terminal.transport import SerialAddress, TcpAddress
from drivers.contract import SerialDefaults

_GUESSED = ("authorize_flag", "capture_argument", "capture_id", "capture_amount", "capture_cancel")
JOURNAL_NAME = "journal.sqlite"


def api_names(office: cfg.BackOffice) -> ApiNames:
    """Return what the API's names are taken to be until the server's schema shows them.

    Raises:
        ConfigError: One of them is no name, or is that of nothing we use.
    """
    given = office.names
    for key in _GUESSED:
        name = getattr(given, key)
        if name and not is_name(name):
            raise ConfigError(f"back_office.names.{key}", "GraphQL allows no such name")
    try:
        check(given.renamed)
    except BadName as error:
        raise ConfigError("back_office.names.renamed", str(error)) from error
    return ApiNames(
        authorize_flag=given.authorize_flag,
        capture_argument=given.capture_argument,
        capture_id=given.capture_id,
        capture_amount=given.capture_amount,
        capture_cancel=given.capture_cancel,
        id_is_number=given.capture_id_is_number,
        renamed=given.renamed,
    )


def reading_settings(config: cfg.Config) -> ReadingSettings:
    """Return what is read of the back office beside the payments."""
    office = config.back_office
    assert office is not None, "there is one to read"
    items = office.items
    return ReadingSettings(
        store_code=config.site.store_code if office.records else "",
        sync=SyncSettings(
            endpoints=items.endpoints,
            interval_seconds=items.interval_seconds,
            full_every=timedelta(hours=items.full_every_hours),
            max_age=timedelta(hours=items.max_age_hours),
        )
        if items.enabled
        else None,
        check=items.check,
        renamed=api_names(office).renamed,
    )


def login_settings(office: cfg.BackOffice, environment: Mapping[str, str]) -> LoginSettings:
    """Return how to log in.

    Raises:
        ConfigError: A setting contradicts another, or a secret cannot be read.
    """
    login = office.login
    # The unit hands over every credential that the store has; where the flow wants no secret, one
    # that lies there is not ours to use: a public client must not show one.
    secret = ""
    if login.flow == "client_credentials" or login.client_secret_file is not None:
        key = "back_office.login.client_secret_file"
        secret = cfg.read_secret(key, login.client_secret_file, "client-secret", environment)
    try:
        return LoginSettings(
            issuer=login.issuer,
            client_id=login.client_id,
            client_secret=secret,
            scopes=login.scopes,
            flow=login.flow,
            redirect_port=login.redirect_port,
            audience=login.audience,
            resource=login.resource,
            ca_file=office.ca_file,
        )
    except ValueError as error:
        raise ConfigError("back_office.login", str(error)) from error


def proxy_settings(office: cfg.BackOffice, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that the back office and its login provider are reached through, if any.

    Raises:
        ConfigError: The password cannot be read, or the environment names no proxy that we know.
    """
    if office.proxy == cfg.PROXY_OF_ENVIRONMENT:
        return _proxy_of(environment, urlsplit(office.endpoint).hostname or "")
    if not office.proxy:
        return None
    password = ""
    if office.proxy_username:
        key = "back_office.proxy_password_file"
        password = cfg.read_secret(key, office.proxy_password_file, "proxy-password", environment)
    return Proxy(office.proxy, office.proxy_username, password)


def _proxy_of(environment: Mapping[str, str], host: str) -> Proxy | None:
    """Return the proxy that the environment names for `host`; small letters win, as in curl.

    Raises:
        ConfigError: What it names is no HTTP proxy. The value may hold a password: it is not shown.
    """
    small = {name.lower(): value for name, value in environment.items() if name.isupper()}
    small |= {name: value for name, value in environment.items() if name.islower()}
    without = [name.strip().lower().lstrip(".") for name in small.get("no_proxy", "").split(",")]
    if any(name in {"*", host} or (name and host.endswith(f".{name}")) for name in without):
        return None
    told = small.get("https_proxy") or small.get("all_proxy") or ""
    if not told:
        return None
    parts = urlsplit(told if "://" in told else f"http://{told}")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port:
        text = "https_proxy of the environment is no http:// or https:// address"
        raise ConfigError("back_office.proxy", text)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(f"{parts.scheme}://{host}:{port}", user, password)


def token_store(state_directory: Path, environment: Mapping[str, str]) -> TokenStore:
    """Return where the login is kept, encrypted when systemd gave a key (`login-key`).

    Raises:
        ConfigError: The key cannot be read, or is of another length.
    """
    return TokenStore(state_directory, cfg.read_credential("login-key", environment))


def mqtt_settings(config: cfg.Mqtt, environment: Mapping[str, str]) -> MqttSettings:
    """Return how to reach the broker.

    Raises:
        ConfigError: The password file cannot be read.
    """
    tls = config.tls
    return MqttSettings(
        host=config.host,
        port=config.port,
        client_id=config.client_id,
        username=config.username,
        password=cfg.read_secret(
            "mqtt.password_file", config.password_file, "mqtt-password", environment
        ),
        protocol=config.protocol,
        tls=None
        if tls is None
        else TlsSettings(
            ca_file=str(tls.ca_file) if tls.ca_file else None,
            certificate_file=str(tls.certificate_file) if tls.certificate_file else None,
            key_file=str(tls.key_file) if tls.key_file else None,
        ),
    )


def line_address(terminal: cfg.Terminal, defaults: SerialDefaults) -> SerialAddress | TcpAddress:
    """Return where a terminal is reached; what is not configured comes from its protocol."""
    if terminal.tcp is not None:
        host, _, port = terminal.tcp.rpartition(":")
        return TcpAddress(host.strip("[]"), int(port))
    assert terminal.port is not None, "the configuration has either port or tcp"
    return SerialAddress(
        terminal.port,
        SerialDefaults(
            baud_rate=terminal.baud_rate or defaults.baud_rate,
            data_bits=terminal.data_bits or defaults.data_bits,
            parity=terminal.parity or defaults.parity,
            stop_bits=terminal.stop_bits or defaults.stop_bits,
        ),
    )


def not_booked_by_us(config: cfg.Config) -> frozenset[str]:
    """Return the terminals whose payments we send no purchases for."""
    office = config.back_office
    if office is None or office.pos_server_payments_booked == "by_us":
        return frozenset()
    return frozenset(config.pos_server_terminals)


def unbooked_terminals(config: cfg.Config) -> list[str]:
    """Return a warning while nobody has said who books the payments of the POS server's terminals.

    The server may do so by itself: then ours would be second purchases. Or it may not.
    """
    office = config.back_office
    told = office is None or not office.records or office.pos_server_payments_booked is not None
    if told or not config.pos_server_terminals:
        return []
    names = ", ".join(sorted(config.pos_server_terminals))
    return [
        f"payments of {names} are not booked by us: look whether the POS server books them itself, "
        'then set back_office.pos_server_payments_booked to "by_server" or "by_us"'
    ]


def receipt_style(config: cfg.Config) -> ReceiptStyle:
    """Return how the store's receipts look."""
    return ReceiptStyle(
        heading=(config.site.name or config.site.store_code,),
        columns={name: one.receipt_columns for name, one in config.registers.items()},
    )


def desk_settings(config: cfg.Config) -> DeskSettings:
    """Return who uses which terminal, and where registers are spoken to."""
    return DeskSettings(
        k.Topics(config.mqtt.base_topic),
        {name: one.terminal for name, one in config.registers.items() if one.terminal},
        {name: one.terminals for name, one in config.pools.items()},
        receipt_style=receipt_style(config),
        hold_days={name: one.hold_days for name, one in config.terminals.items()},
        warehouse=config.back_office.items.warehouse if config.back_office else "",
    )

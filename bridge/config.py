"""The one configuration file: TOML, checked whole before anything starts. No secrets inside.

Unknown keys are refused, because a typo that is ignored is a setting that does nothing.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bridge.errors import ConfigError

CONFIG_BYTES_MAX = 1 << 20  # a large store's file has a few kilobytes
SECRET_BYTES_MAX = 4_096
CONTROL_NAME = "control.sock"  # in the state directory, for the command line
PROXY_OF_ENVIRONMENT = "environment"
SOCKET_PATH_BYTES_MAX = 107  # Source: unix(7), sun_path with its final zero

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class Section(BaseModel):
    """A table of the file. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Site(Section):
    """Which store this is, and where the journal lies."""

    bridge_id: str = Field(default="paybridge", min_length=1, max_length=64)
    store_code: str = Field(min_length=1, max_length=32)
    name: str = ""
    # What becomes of a payment whose signature nobody compares in time.
    unsigned: Literal["stands", "reversed"] = "stands"
    signature_seconds: float = Field(default=120.0, ge=5.0, le=900.0)
    tip_limit_percent: int = Field(default=100, ge=0, le=1000)  # of the amount; more: a supervisor
    tips_booked: bool = False  # as a line of `back_office.tip_sku`; else not in the books at all
    state_directory: Path = Path("/var/lib/paybridge")

    @field_validator("state_directory")
    @classmethod
    def _has_room_for_the_socket(cls, state: Path) -> Path:
        size = len(os.fsencode(state / CONTROL_NAME))
        if size > SOCKET_PATH_BYTES_MAX:
            raise ValueError(
                f"choose a shorter path: {CONTROL_NAME} in it is a Unix socket, whose path would "
                f"have {size} bytes, and {SOCKET_PATH_BYTES_MAX} are allowed"
            )
        return state


class Tls(Section):
    """How the broker proves itself, and how we do."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class Mqtt(Section):
    """The broker. The password comes from `password_file` or the credential `mqtt-password`."""

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    client_id: str = Field(default="paybridge", min_length=1, max_length=64)
    username: str = ""
    password_file: Path | None = None
    base_topic: str = "paybridge/v1"
    protocol: Literal["auto", "5.0", "3.1.1"] = "auto"
    tls: Tls | None = None


class Register(Section):
    """A cash register. Registers need no entry; one may have a terminal of its own."""

    terminal: Name | None = None
    receipt_columns: Literal[32, 40, 48] = 40


class Pool(Section):
    """Terminals that stand for each other: a payment goes to the first that is free."""

    terminals: tuple[Name, ...] = Field(min_length=1, max_length=32)


SecondsOrNone = Annotated[float | None, Field(default=None, ge=5.0, le=600.0)]


class StageSeconds(Section):
    """How long a shopper may take for one stage before the payment is stopped.

    Only stages before the bank is asked. Without a value, `deadline_s` of the payment ends it.
    """

    waiting_for_card: SecondsOrNone = None
    try_again: SecondsOrNone = None
    card_presented: SecondsOrNone = None  # many terminals call it so while the PIN is entered
    select_application: SecondsOrNone = 60.0
    entering_tip: SecondsOrNone = 60.0
    entering_pin: SecondsOrNone = 60.0  # terminals give up by themselves after some 30 s


Silence = Annotated[float, Field(ge=10.0, le=600.0)]


class SilentSeconds(Section):
    """How long a terminal may say nothing in a stage before the payment is told as in doubt.

    Only stages after the card was presented: before it, people are slow. Nothing is stopped; the
    answer is still taken when it comes.
    """

    card_presented: Silence = 60.0  # terminals that call it so while the PIN is typed end that
    authorizing: Silence = 45.0  # a bank answers within seconds; terminals give up after some 30 s
    remove_card: Silence = 60.0
    printing: Silence = 60.0
    finishing: Silence = 30.0


class Terminal(Section):
    """A card terminal: `port` for serial and USB, `tcp` (host:port) for the network.

    With `kind = "pos_server"` the POS server behind the back office drives it: it has no line.
    """

    kind: Literal["line", "pos_server"] = "line"
    driver: str = ""
    name: str = ""
    port: str | None = None
    tcp: str | None = None
    baud_rate: int | None = Field(default=None, ge=300, le=921_600)
    data_bits: Literal[7, 8] | None = None
    parity: Literal["none", "even", "odd"] | None = None
    stop_bits: Literal[1, 2] | None = None
    connection: Literal["persistent", "on_demand"] = "persistent"
    probe_seconds: float = Field(default=60.0, ge=5.0, le=3600.0)
    cancel_deadline_seconds: float = Field(default=30.0, ge=1.0, le=300.0)
    stage_seconds: StageSeconds = StageSeconds()
    silent_seconds: SilentSeconds = SilentSeconds()
    # How many days a pre-authorization stands: ask your acquirer. Card schemes grant 5 to 31; with
    # the least of them a cashier is reminded too early rather than too late.
    hold_days: int = Field(default=5, ge=1, le=31)
    terminal_id: str = ""
    serial_number: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if self.kind == "pos_server":
            if self.driver or self.port is not None or self.tcp is not None:
                raise ValueError("a terminal of the POS server has no driver, port or tcp")
            return self
        if not self.driver:
            raise ValueError("driver: this setting is missing")
        if (self.port is None) == (self.tcp is None):
            raise ValueError("give either port (serial, USB) or tcp (host:port)")
        if self.tcp is not None:
            host, _, number = self.tcp.rpartition(":")
            if not host or not number.isdigit() or not 1 <= int(number) <= 65535:
                raise ValueError("write tcp as host:port, e.g. 192.168.1.20:20007")
        return self


class Login(Section):
    """How to log in to the back office; see `bridge/backoffice/login/settings.py` for each word."""

    issuer: str = Field(min_length=1)
    client_id: str = Field(min_length=1)
    client_secret_file: Path | None = None
    scopes: str = "openid offline_access"
    flow: Literal["auto", "device", "browser", "client_credentials"] = "auto"
    redirect_port: int = Field(default=8765, ge=1, le=65535)
    audience: str = ""  # which API the tokens are for, where the provider wants it said
    resource: str = ""  # the same as an address (RFC 8707)


class ApiNames(Section):
    """What the back office's API calls what its documentation does not show; "": it has none.

    Only needed where the server lets nobody read its schema.
    """

    authorize_flag: str = "authorizeOnly"
    capture_argument: str = "trans"
    capture_id: str = "id"
    capture_id_is_number: bool = False
    capture_amount: str = "amount"
    capture_cancel: str = "cancel"
    renamed: dict[str, str] = Field(default_factory=dict)  # see bridge/backoffice/api/operation.py


class Items(Section):
    """A copy of the back office's items in the state directory, and what it is used for."""

    enabled: bool = False
    # What is done with a sale that names an item which the copy does not have: nothing, a warning
    # in the answer, or a refusal before a card is asked for. An old copy refuses nothing.
    check: Literal["off", "advisory", "strict"] = "advisory"
    interval_seconds: float = Field(default=300.0, ge=10.0, le=86_400.0)
    max_age_hours: float = Field(default=24.0, ge=0.1, le=24.0 * 31)
    # No query says what was removed, so now and then everything is read again.
    full_every_hours: float = Field(default=24.0 * 7, ge=1.0, le=24.0 * 366)
    endpoints: tuple[
        Literal[
            "item",
            "itemWarehouse",
            "itemSerialLot",
            "product",
            "productBanner",
            "productGroup",
            "productNotice",
            "productSection",
            "productSortOption",
        ],
        ...,
    ] = Field(default=("item", "itemWarehouse"), min_length=1, max_length=9)
    warehouse: str = Field(default="", max_length=128)  # whose price and quantity are the item's

    @field_validator("endpoints")
    @classmethod
    def _has_items(cls, endpoints: tuple[str, ...]) -> tuple[str, ...]:
        if "item" not in endpoints:
            raise ValueError("item must be among them: the others say nothing without it")
        if len(set(endpoints)) < len(endpoints):
            raise ValueError("name each of them once")
        return endpoints


class BackOffice(Section):
    """Where captured payments are recorded. `records = false`: the register's extract does it."""

    endpoint: str = Field(min_length=1)
    deadline_seconds: float = Field(default=30.0, ge=1.0, le=300.0)
    ca_file: Path | None = None
    # How a store reaches the internet where nothing else does: http://HOST:PORT, or https:// where
    # the proxy itself wants TLS; `environment` takes https_proxy and no_proxy of the service.
    # The password comes from `proxy_password_file` or the credential `proxy-password`.
    proxy: str = ""
    proxy_username: str = Field(default="", max_length=256, pattern="^[^:]*$")
    proxy_password_file: Path | None = None
    summary_sku: str = Field(default="CARD-PAYMENT", min_length=1, max_length=64)
    tip_sku: str = Field(default="TIP", min_length=1, max_length=64)
    records: bool = True
    # How long a captured payment waits for the rest of its sale: lines, or further payments.
    lines_within_hours: float = Field(default=24.0, ge=0.1, le=24.0 * 31)
    gift_card_activation: bool = False  # may make cards; needs the permission CreateGiftCard
    # A gift card whose answer was lost is called untouched when its balance is unchanged after so
    # long. A server that carries a request out later still takes the money: see docs/install.md.
    gift_card_quiet_seconds: float = Field(default=120.0, ge=30.0, le=86_400.0)
    gift_card_code_changes: bool = False  # may revoke and replace codes; needs EditGiftCard
    store_credit: bool = False  # a supervisor may refund onto a gift card that did not pay
    # Who records payments of terminals with kind = "pos_server"; without a word nobody does.
    pos_server_payments_booked: Literal["by_server", "by_us"] | None = None
    names: ApiNames = ApiNames()
    items: Items = Items()
    login: Login

    @field_validator("proxy")
    @classmethod
    def _leads_to_a_proxy(cls, proxy: str) -> str:
        if proxy in {"", PROXY_OF_ENVIRONMENT}:
            return proxy
        try:
            parts = urlsplit(proxy)
            is_plain = not (parts.path.strip("/") or parts.query or parts.fragment)
            has_port = parts.port is not None and parts.port > 0
        except ValueError:
            raise ValueError("write it like http://proxy.store:3128") from None
        if parts.username is not None or parts.password is not None:
            raise ValueError("its user is proxy_username, its password in proxy_password_file")
        if parts.scheme not in {"http", "https"} or not (parts.hostname and is_plain and has_port):
            raise ValueError("write it like http://proxy.store:3128")
        return proxy

    @model_validator(mode="after")
    def _proxy_has_a_user(self) -> Self:
        if self.proxy_password_file is not None and not self.proxy_username:
            raise ValueError("proxy_password_file: say proxy_username, too")
        if self.proxy_username and not self.proxy:
            raise ValueError("proxy_username: there is no proxy")
        return self


class Receipts(Section):
    """How long receipts are kept, and with them what is known of the card and the shopper."""

    # Disputes come up to 13 months later; payments themselves are known for ever.
    keep_months: int = Field(default=13, ge=1, le=120)


class ConsoleTls(Section):
    """How the console proves itself to browsers."""

    certificate_file: Path
    key_file: Path


class Console(Section):
    """The operator console; without this table there is none. PINs: `paybridge console pin`."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(default=8780, ge=1, le=65535)
    language: Literal["auto", "en", "de", "fr"] = "auto"  # auto: as the browser wants it
    allowed_hosts: tuple[str, ...] = ()  # further names that browsers reach it by
    tls: ConsoleTls | None = None

    @model_validator(mode="after")
    def _is_safe_to_reach(self) -> Self:
        if self.host not in {"127.0.0.1", "::1", "localhost"} and self.tls is None:
            raise ValueError(
                "others on the network can reach this address, and PINs would cross it in the "
                "clear: give console.tls, or leave host at 127.0.0.1"
            )
        return self


class Monitoring(Section):
    """Pages for machines: /healthz, /readyz, /metrics. Without this table there are none.

    They show no card, no amount and no secret; still, whoever reaches them sees how busy a store
    is, so they listen on this machine unless told otherwise.
    """

    port: int = Field(default=9464, ge=1, le=65535)
    host: str = Field(default="127.0.0.1", min_length=1)


class Service(Section):
    """The process itself."""

    drain_seconds: float = Field(default=60.0, ge=0.0, le=600.0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    """The whole file."""

    site: Site
    mqtt: Mqtt = Mqtt()
    registers: dict[Name, Register] = Field(default_factory=dict)
    terminals: dict[Name, Terminal] = Field(min_length=1)
    pools: dict[Name, Pool] = Field(default_factory=dict)
    back_office: BackOffice | None = None
    receipts: Receipts = Receipts()
    service: Service = Service()
    console: Console | None = None
    monitoring: Monitoring | None = None

    @property
    def pos_server_terminals(self) -> tuple[str, ...]:
        """The terminals that the POS server drives."""
        return tuple(n for n, one in self.terminals.items() if one.kind == "pos_server")

    @model_validator(mode="after")
    def _terminals_exist(self) -> Self:
        there = f"there is {', '.join(sorted(self.terminals)) or 'none at all'}"
        for name, register in self.registers.items():
            if register.terminal is not None and register.terminal not in self.terminals:
                raise ValueError(
                    f"registers.{name}.terminal: no terminal {register.terminal}; {there}"
                )
        if self.back_office is None and self.pos_server_terminals:
            name = self.pos_server_terminals[0]
            raise ValueError(f"terminals.{name}.kind: pos_server needs [back_office]")
        for name, pool in self.pools.items():
            for terminal in pool.terminals:
                if terminal not in self.terminals:
                    raise ValueError(f"pools.{name}.terminals: no terminal {terminal}; {there}")
        return self


def load(path: Path) -> Config:
    """Return the configuration.

    Raises:
        ConfigError: The file cannot be read or used; `key` names the setting.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError("", f"{path}: {error.strerror}") from error
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigError("", f"{path} is larger than any configuration")
    try:
        table = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("", f"{path}: {error}") from error
    return parse(table)


def parse(table: Mapping[str, Any]) -> Config:
    """Return the configuration that a table spells.

    Raises:
        ConfigError: It cannot be used; `key` names the setting.
    """
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        raise next(explain(error)) from None


# Pydantic's words for it: of a model, and of a dataclass, which a driver's settings are.
_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def explain(
    error: ValidationError, prefix: str = "", model: type | None = Config
) -> Iterator[ConfigError]:
    """Yield one error for each fault, the unknown keys first: they explain the others."""
    faults = sorted(error.errors(include_url=False), key=lambda f: f["type"] not in _UNKNOWN_KEY)
    for fault in faults:
        parts = [str(part) for part in fault["loc"] if part != "[key]"]
        key = ".".join([prefix, *parts] if prefix else parts)
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] in _UNKNOWN_KEY:
            message = "there is no such setting" + _did_you_mean(parts, model)
        elif fault["type"] == "missing":
            message = "this setting is missing"
        yield ConfigError(key, message)


def _did_you_mean(parts: list[str], model: type | None) -> str:
    known = _known_keys(parts[:-1], model)
    close = difflib.get_close_matches(parts[-1], known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _known_keys(parents: list[str], model: type | None) -> list[str]:
    sections: dict[str, type[Section]] = {
        "": Config,
        "site": Site,
        "mqtt": Mqtt,
        "mqtt.tls": Tls,
        "registers": Register,
        "terminals": Terminal,
        "pools": Pool,
        "back_office": BackOffice,
        "back_office.login": Login,
        "back_office.names": ApiNames,
        "receipts": Receipts,
        "service": Service,
        "console": Console,
        "console.tls": ConsoleTls,
        "monitoring": Monitoring,
    }
    if model is not Config:
        names = getattr(model, "__dataclass_fields__", {})
        return list(names)
    path = ".".join(parents)
    section = sections.get(path) or sections.get(parents[0] if parents else "")
    return list(section.model_fields) if section else []


def read_credential(name: str, environment: Mapping[str, str]) -> bytes | None:
    """Return what systemd handed over under `name`, None when it handed over no such file.

    With `LoadCredential=` the folder is always there; the files are there as far as the store has
    them. Source: systemd.exec(5) of systemd 252, "Credentials".

    Raises:
        ConfigError: There is one and it cannot be used.
    """
    assert name, "the folder of the credentials is not a credential"
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    return _read_small(f"credential {name}", Path(folder) / name, absent_is_fine=True)


def read_secret(
    key: str, path: Path | None, credential: str, environment: Mapping[str, str]
) -> str:
    """Return a secret from its file, else from the systemd credential of that name, else "".

    Args:
        key: Where the file is configured, for the error.
        path: The configured file; it wins over the credential.
        credential: Name of the credential, never empty.
        environment: The process's, where systemd says where the credentials are.

    Raises:
        ConfigError: There is a secret and it cannot be read, is not a short UTF-8 text, or stands
            in a file that everybody can read; the modes of credentials are systemd's affair.
    """
    where = key if path is not None else f"credential {credential}"
    found = (
        _read_small(key, path, private=True) if path else read_credential(credential, environment)
    )
    try:
        return (found or b"").decode().strip()
    except UnicodeDecodeError as error:
        raise ConfigError(where, "is not UTF-8 text; was the right file taken?") from error


def _read_small(
    key: str, path: Path, *, absent_is_fine: bool = False, private: bool = False
) -> bytes | None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(SECRET_BYTES_MAX + 1)
    except FileNotFoundError as error:
        if absent_is_fine:
            return None
        raise ConfigError(key, f"{path}: {error.strerror}") from error
    except OSError as error:
        raise ConfigError(key, f"{path}: {error.strerror}") from error
    if private and mode & stat.S_IRWXO:
        text = f"{path}: everybody can read it ({stat.filemode(mode)}): chmod 600, and change it"
        raise ConfigError(key, text)
    if len(found) > SECRET_BYTES_MAX:
        raise ConfigError(key, f"{path}: is longer than {SECRET_BYTES_MAX} bytes; not a secret")
    return found

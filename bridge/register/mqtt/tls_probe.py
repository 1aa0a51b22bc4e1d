"""What kind of server listens at an address: TLS or plain MQTT; and how its certificate fares.

Blocking, in a thread of the caller: a few short connections that are dropped again.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509

from bridge.register.mqtt.messages import MqttSettings
from bridge.register.mqtt.tls import make_tls_context

SECONDS_MAX = 3.0  # a broker in the store answers in milliseconds
ALERT_SECONDS = 0.5  # TLS 1.3 refuses a client without a certificate after the handshake
# A CONNECT of MQTT 3.1.1, clean session, client id "paybridge-check". Source: MQTT 3.1.1, 3.1.
_NAME = b"paybridge-check"
_GREETING = (
    bytes([0x10, 12 + len(_NAME)])
    + b"\x00\x04MQTT\x04\x02\x00\x0a"
    + bytes([0, len(_NAME)])
    + _NAME
)
_CONNACK = 0x20
# OpenSSL's X509_V_ERR_*: has expired; not yet valid; another host; another address.
_EXPIRED, _NOT_YET = 10, 9
_OTHER_HOST, _OTHER_ADDRESS = 62, 64


def speaks(host: str, port: int) -> Literal["tls", "mqtt", "other", "nothing"]:
    """Say what answers there; nobody is trusted for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), SECONDS_MAX) as plain:
            try:
                with context.wrap_socket(plain, server_hostname=host):
                    return "tls"
            except (ssl.SSLError, TimeoutError, ConnectionError, EOFError):
                pass
        with socket.create_connection((host, port), SECONDS_MAX) as plain:
            plain.sendall(_GREETING)
            answer = plain.recv(4)
    except TimeoutError:
        return "other"
    except OSError:
        return "nothing"
    return "mqtt" if answer[:1] == bytes([_CONNACK]) else "other"


@dataclass(frozen=True, slots=True)
class Handshake:
    """How TLS with our settings went.

    `problem` is "" when all is well: `files`, `plain` (no TLS there), `untrusted`, `expired`,
    `other_name`, `wants_certificate`, or `away`.
    """

    problem: Literal[
        "", "files", "plain", "untrusted", "expired", "other_name", "wants_certificate", "away"
    ]
    text: str = ""
    valid_until: datetime | None = None


def shake_hands(settings: MqttSettings) -> Handshake:
    """Try TLS as the service would."""
    assert settings.tls is not None, "the configuration says TLS"
    try:
        context = make_tls_context(settings.tls)
    except (OSError, ValueError) as error:
        return Handshake("files", _words(error))
    try:
        with (
            socket.create_connection((settings.host, settings.port), SECONDS_MAX) as plain,
            context.wrap_socket(plain, server_hostname=settings.host) as secure,
        ):
            until = _valid_until(secure)
            secure.settimeout(ALERT_SECONDS)
            try:
                closed = secure.recv(1) == b""
            except TimeoutError:
                closed = False  # it waits for our greeting, as it should
            if closed and settings.tls.certificate_file is None:
                return Handshake("wants_certificate", "it hung up after the handshake", until)
            return Handshake("", "", until)
    except ssl.SSLCertVerificationError as error:
        return _distrust(error, settings.host)
    except ssl.SSLError as error:
        if "CERTIFICATE_REQUIRED" in str(error) or "HANDSHAKE_FAILURE" in str(error):
            return Handshake("wants_certificate", "it asks for a certificate of ours")
        if "ALERT" in str(error):
            return Handshake("wants_certificate", f"it does not take ours: {error.reason}")
        return _no_tls(settings)
    except ConnectionResetError:
        return _no_tls(settings)
    except OSError as error:
        return Handshake("away", _words(error))


def _no_tls(settings: MqttSettings) -> Handshake:
    if speaks(settings.host, settings.port) == "tls":
        return Handshake("untrusted", "the handshake failed")
    return Handshake("plain", "it does not speak TLS")


def _distrust(error: ssl.SSLCertVerificationError, host: str) -> Handshake:
    words = error.verify_message
    match error.verify_code:
        case code if code in {_EXPIRED, _NOT_YET}:
            return Handshake("expired", words)
        case code if code in {_OTHER_HOST, _OTHER_ADDRESS}:
            return Handshake("other_name", f"it is not made for {host}")
        case _:
            return Handshake("untrusted", words)


def _valid_until(secure: ssl.SSLSocket) -> datetime | None:
    shown = secure.getpeercert(binary_form=True)
    if shown is None:
        return None
    try:
        return x509.load_der_x509_certificate(shown).not_valid_after_utc
    except ValueError:
        return None


def certificate_end(settings: MqttSettings) -> datetime | None:
    """Return until when the broker's certificate is valid, None where that cannot be told."""
    return shake_hands(settings).valid_until


def days_left(until: datetime, now: datetime) -> int:
    """Return how many whole days are left; below zero when it has expired."""
    return (until.astimezone(UTC) - now).days


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or "no answer in time"

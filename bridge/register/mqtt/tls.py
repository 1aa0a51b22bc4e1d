"""TLS towards the broker: a context made from files, read anew at each connection."""

from __future__ import annotations

import ssl
from typing import Any

from bridge.register.mqtt.messages import TlsSettings


class TlsContext(ssl.SSLContext):
    """Remembers its socket, which paho leaves open when the handshake fails."""

    made: ssl.SSLSocket | None = None

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Wrap a socket as the standard library does, and remember it."""
        self.made = super().wrap_socket(*arguments, **options)
        return self.made


def make_tls_context(tls: TlsSettings) -> TlsContext:
    """Return a context that checks the broker's certificate and name. Blocks on the files.

    Raises:
        FileNotFoundError: With the file's name.
        OSError: A file cannot be read or is no certificate or key.
        ValueError: A key does not fit.
    """
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        _must_exist(tls.ca_file)
        context.load_verify_locations(tls.ca_file)
    if tls.certificate_file is not None:
        _must_exist(tls.certificate_file)
        if tls.key_file is not None:
            _must_exist(tls.key_file)
        context.load_cert_chain(tls.certificate_file, tls.key_file)
    return context


def _must_exist(name: str) -> None:
    """Name the file, which OpenSSL's own error does not."""
    with open(name, "rb"):
        pass

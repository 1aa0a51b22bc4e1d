"""A real mosquitto on a free loopback port, which can be stopped, killed and started again.

Where it is not installed its tests skip with one line, and fail in CI.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridge.cli.mosquitto import access_list
from bridge.register.api.topics import DEFAULT_BASE

START_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 5.0

ACCESS_LIST = access_list(DEFAULT_BASE)  # as it is shipped


def mosquitto_path() -> str:
    """Return where mosquitto is; skip the test where it is not, fail it in CI."""
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    return path


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Mosquitto:
    """One broker in `folder`; the port stays the same from start to start."""

    folder: Path
    persistence: bool = False
    users: dict[str, str] = field(default_factory=dict)  # name to password; none: anybody
    access_list: str = ACCESS_LIST  # of the users
    tls: Certificates | None = None
    client_certificates: bool = False
    inflight_max: int = 20  # unacknowledged messages per client; 0: no limit
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def _configuration(self) -> Path:
        lines = [
            f"listener {self.port} 127.0.0.1",
            "set_tcp_nodelay true",
            f"max_inflight_messages {self.inflight_max}",
            f"persistence {'true' if self.persistence else 'false'}",
            f"persistence_location {self.folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            f"log_dest file {self.folder}/mosquitto.log",
        ]
        if os.geteuid() == 0:
            lines.append("user root")
        if self.users:
            lines += [
                "allow_anonymous false",
                f"password_file {self._passwords()}",
                f"acl_file {self._access_list()}",
            ]
        else:
            lines.append("allow_anonymous true")
        if self.tls is not None:
            lines += [
                f"cafile {self.tls.authority}",
                f"certfile {self.tls.server}",
                f"keyfile {self.tls.server_key}",
            ]
            if self.client_certificates:
                lines += ["require_certificate true", "use_identity_as_username true"]
        path = self.folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _passwords(self) -> Path:
        path = self.folder / "passwords"
        path.write_text("".join(f"{name}:{word}\n" for name, word in self.users.items()))
        path.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)
        return path

    def _access_list(self) -> Path:
        path = self.folder / "access"
        path.write_text(self.access_list)
        path.chmod(0o600)
        return path

    async def start(self) -> None:
        """Start it, and return when it listens."""
        command = [mosquitto_path(), "-c", str(self._configuration())]
        self._process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    await writer.wait_closed()
                    return
                assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Ask it to end; it writes what it persists."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a power cut does."""
        await self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hear and say nothing, and forget nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, lambda: process.wait(STOP_SECONDS_MAX))


@contextlib.asynccontextmanager
async def running(broker: Mosquitto) -> AsyncIterator[Mosquitto]:
    """Run `broker` for the body."""
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of a small authority, a server on loopback, and a client named `bridge`."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(
    folder: Path,
    *,
    server_names: Iterable[str] = ("localhost",),
    made_before: datetime.timedelta = datetime.timedelta(),
) -> Certificates:
    """Write certificates into `folder`; the server is 127.0.0.1 and `server_names`.

    They are good for a day, which begins now, or was made longer before.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    now = datetime.datetime.now(datetime.UTC) - made_before
    key_usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority_key.public_key()
    )

    def build(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )

    authority = (
        build(authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    _write(folder / "authority.pem", authority)

    def issue(stem: str, common_name: str, purpose: x509.ObjectIdentifier, san: bool) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            build(name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(authority_identifier, critical=False)
        )
        if san:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            names = [x509.DNSName(one) for one in server_names]
            builder = builder.add_extension(
                x509.SubjectAlternativeName([address, *names]), critical=False
            )
        _write(folder / f"{stem}.pem", builder.sign(authority_key, hashes.SHA256()))
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / f"{stem}.key").write_bytes(private)

    issue("server", "127.0.0.1", ExtendedKeyUsageOID.SERVER_AUTH, san=True)
    issue("client", "bridge", ExtendedKeyUsageOID.CLIENT_AUTH, san=False)
    return Certificates(
        folder / "authority.pem",
        folder / "server.pem",
        folder / "server.key",
        folder / "client.pem",
        folder / "client.key",
    )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

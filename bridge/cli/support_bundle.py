"""What `paybridge support` puts together: enough to understand a payment or a day, and no secret.

A zip that only its owner can read. Nothing in it is sent anywhere.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from bridge import __version__
from bridge import config as cfg
from bridge.cli.checks.files import named_files
from bridge.config import CONTROL_NAME
from bridge.control import ask
from bridge.errors import BridgeError, ConfigError
from bridge.private_files import open_file
from bridge.reports.masking import Mask, codes_in, settings_without_secrets
from bridge.reports.payment_story import headline, tell
from bridge.reports.reader import Reader
from bridge.settings import token_store

AROUND: Final = timedelta(minutes=10)  # of the log, before and after a payment
LOG_LINES_MAX: Final = 20_000
LOG_SECONDS_MAX: Final = 30.0
PAYMENTS_MAX: Final = 2_000  # of one day
UNIT: Final = "paybridge"
README: Final = """\
A support bundle of paybridge {version}, made by `paybridge support`.

journal.jsonl   what the journal has of {what}: one entry a line, secret fields blanked
story.txt       the same in words
frames.json     the last bytes on the terminals' lines, masked; only while the service ran
config.json     the configuration without secrets
status.json     how the service was
versions.json   programs and machine
log.txt         the service's log around it

`paybridge replay FILE` plays it again.
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the bundle is about: payments, and the time around them (ISO 8601 UTC)."""

    what: str
    payment_ids: tuple[str, ...]
    since: str
    until: str


async def contents(
    config: cfg.Config, environment: Mapping[str, str], reader: Reader, wanted: Wanted
) -> dict[str, str]:
    """Return the bundle's files by name, masked.

    Raises:
        JournalError: The journal cannot be read.
    """
    entries = list(_entries(reader, wanted))
    known = [code for _, kind, _, body in entries for code in codes_in(kind, json.loads(body))]
    mask = Mask([*known, *_all_codes(reader), *_secrets(config, environment)])
    state = config.site.state_directory
    settings = settings_without_secrets(config.model_dump(mode="json"))
    files = {
        "README.txt": README.format(version=__version__, what=wanted.what),
        "journal.jsonl": "".join(_journal_lines(entries, mask)),
        "story.txt": "\n\n".join(_stories(reader, wanted.payment_ids)),
        "frames.json": _json(await _asked(state, "frames")),
        "config.json": _json(settings),
        "status.json": _json(await _asked(state, "status")),
        "versions.json": _json(_versions()),
        "log.txt": _log(wanted),
    }
    return {name: mask.text(text) for name, text in files.items()}


def write(path: Path, files: Mapping[str, str]) -> None:
    """Write the bundle; a file that is there already is not touched.

    Raises:
        ConfigError: It exists, or cannot be written.
    """
    try:
        descriptor = open_file(path, os.O_WRONLY | os.O_EXCL)
    except OSError as error:
        raise ConfigError("--out", f"{path}: {error.strerror}") from error
    with (
        os.fdopen(descriptor, "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle,
    ):
        for name, text in files.items():
            bundle.writestr(name, text)


# --- the parts

_Row = tuple[int, str, str, str]  # seq, kind, at, body; the subject stands in the line


def _entries(reader: Reader, wanted: Wanted) -> Iterator[_Row]:
    subjects = list(wanted.payment_ids[:PAYMENTS_MAX])
    for payment_id in wanted.payment_ids[:PAYMENTS_MAX]:
        story = tell(reader, payment_id)
        if story is not None:
            subjects += [one.purchase.content.transaction_id for one in story.purchases]
            terminal = f"terminal/{story.line.terminal_id}"
            subjects += [terminal] if terminal not in subjects else []
    for subject in dict.fromkeys(subjects):
        query = "select seq, kind, at, body from entry where subject=? order by seq"
        for seq, kind, at, body in reader.ask(query, (subject,)):
            if subject.startswith("terminal/") and not wanted.since <= at < wanted.until:
                continue
            yield seq, kind, at, json.dumps({"subject": subject, "body": json.loads(body)})


def _journal_lines(entries: Iterable[_Row], mask: Mask) -> Iterator[str]:
    for seq, kind, at, packed in sorted(entries):
        told = json.loads(packed)
        body = mask.entry(kind, told["body"])
        line = {"seq": seq, "at": at, "subject": told["subject"], "kind": kind, "body": body}
        yield json.dumps(line) + "\n"


def _stories(reader: Reader, payment_ids: Sequence[str]) -> Iterator[str]:
    for payment_id in payment_ids[:PAYMENTS_MAX]:
        story = tell(reader, payment_id)
        if story is None:
            continue
        lines = [f"{payment_id}: {headline(story.line)}"]
        for one in story.told:
            often = f" (× {one.times}, last {one.until})" if one.times > 1 else ""
            lines.append(f"  {one.at}  {one.source:<9} {one.text}{often}")
        yield "\n".join(lines)


async def _asked(state: Path, what: str) -> dict[str, Any]:
    try:
        return await ask(state / CONTROL_NAME, {"do": what})
    except (OSError, ValueError, TimeoutError) as error:
        return {"not_asked": str(error) or "no answer in time"}


def _versions() -> dict[str, object]:
    return {
        "paybridge": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "packages": dict(sorted((one.metadata["Name"], one.version) for one in distributions())),
    }


def _log(wanted: Wanted) -> str:
    """Return the service's log around it, from journald."""
    if not wanted.since:
        return "there is nothing to say when to look\n"
    since = datetime.fromisoformat(wanted.since) - AROUND
    until = datetime.fromisoformat(wanted.until) + AROUND
    form = "%Y-%m-%d %H:%M:%S UTC"
    command = ["journalctl", "-u", UNIT, "--no-pager", "-o", "short-iso-precise"]
    command += ["--since", since.strftime(form), "--until", until.strftime(form)]
    command += ["-n", str(LOG_LINES_MAX)]
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system, without a shell
            command, capture_output=True, text=True, timeout=LOG_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the log could not be read: {error}\n"
    return done.stdout or done.stderr


# --- what must not be in it


def _secrets(config: cfg.Config, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield every secret that this machine knows, so that it is blanked wherever it stands."""
    for one in named_files(config):
        if not one.is_secret:
            continue
        try:
            yield cfg.read_secret(one.key, one.path, one.key, environment)
        except ConfigError:
            continue
    for name in ("mqtt-password", "client-secret"):
        try:
            yield (cfg.read_credential(name, environment) or b"").decode(errors="replace").strip()
        except ConfigError:
            continue
    for terminal in config.terminals.values():
        for key, value in terminal.settings.items():
            if settings_without_secrets({key: value}) != {key: value}:
                yield str(value)
    try:
        stored = token_store(config.site.state_directory, environment).read()
    except (BridgeError, OSError):
        stored = None
    if stored is not None:
        yield from (stored.access_token, stored.refresh_token)


def _all_codes(reader: Reader) -> Iterator[str]:
    """Yield the gift card codes of the whole journal: a log may name another payment's."""
    rows = reader.ask(
        "select kind, body from entry where kind='CodeChanging'"
        " or (kind='Requested' and instr(body, '\"gift_card\":{'))"
    )
    for kind, body in rows:
        yield from codes_in(kind, json.loads(body))


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=str) + "\n"

"""How log records become lines: one line per fact, for a terminal or for journald.

The types of the codecs keep card numbers out of records. `scrub` is the belt to those braces: it
masks what looks like a card number in the finished line, tracebacks and foreign libraries included.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from drivers.contract import has_check_digit

_PAYMENT: ContextVar[str] = ContextVar("payment", default="")

# These narrate every request and header at INFO and DEBUG, among them tokens and codes.
QUIET_LOGGERS = ("httpx", "httpcore", "authlib", "hpack")

# syslog levels that journald reads from "<n>" at the start of a line.
# Source: sd-daemon(3) of systemd 252.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG_PRIORITY = 7

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# ISO/IEC 7812-1: a card number has 13 to 19 digits here, the last of which is a check digit.
# No card begins with 0, and with 1 only those of airlines (15 digits); leaving the other ones out
# spares clocks in milli-, micro- and nanoseconds. Letters or hyphens beside the digits mean an
# identifier (a UUID, a hash, a by-id name), but for the marks of track 2 (";" before, "=" or "D"
# after) and what repr() makes of control characters. Printed numbers come in groups of four, or
# 4-6-5.
_CARD_NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z-])|(?<=\\[nrt])|(?<=\\x[0-9a-f]{2}))"
    r"(?:(?:[2-9]\d{12,18}|1\d{14})|[2-9]\d{3}(?:([ -])\d{4}\1\d{4}\1\d{1,7}|([ -])\d{6}\2\d{5}))"
    r"(?![0-9A-CE-Za-z-]|D(?!\d))"
)
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){6,}")
# In hex: digits packed two in a byte, or each in a byte of its own (ASCII 30 to 39, F0 to F9).
_LONG_HEX = re.compile(r"\d{7,}|(?:[3f]\d){7,}")
_PAYMENTS_NAMED_MAX = 16  # a sale is paid by one or two
_NAMING_BYTES = 4  # what a frame begins with: class, instruction, length
SHOWN_BYTES_MAX = 64  # a frame's beginning says what it is; the rest may be a receipt
_SHOWN_DIGITS = 4  # PCI DSS 3.4.1 allows the first six and last four; the last four are enough


@contextmanager
def about(*payment_ids: str) -> Iterator[None]:
    """Put `payment=` on every line that is logged inside, by this task and those it awaits.

    A sale that several payments paid is about each of them; a line names so many at most.
    """
    token = _PAYMENT.set(" payment=".join(payment_ids[:_PAYMENTS_NAMED_MAX]))
    try:
        yield
    finally:
        _PAYMENT.reset(token)


def configure(level: int, stream: TextIO, environment: Mapping[str, str]) -> None:
    """Send every record of `level` and above to `stream`, and nothing anywhere else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(for_journal=_is_journal(stream, environment)))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class LineFormatter(logging.Formatter):
    """Writes `TIME LEVEL LOGGER [payment=ID] MESSAGE`, without colors.

    For journald, which keeps time and level itself, each line begins with `<priority>` instead.
    A traceback follows line by line, with the same beginning, so that journald keeps its level.
    """

    def __init__(self, *, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished, scrubbed text of `record`."""
        payment = _PAYMENT.get()
        words = [record.name, f"payment={payment}" if payment else "", record.getMessage()]
        lines = [" ".join(word for word in words if word)]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        if record.stack_info:
            lines += record.stack_info.splitlines()
        begin = self._beginning(record)
        return "\n".join(begin + _escape(scrub(line)) for line in lines)

    def _beginning(self, record: logging.LogRecord) -> str:
        if self._for_journal:
            return f"<{_priority(record.levelno)}>"
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{time} {record.levelname} "


def scrub(text: str) -> str:
    """Mask all but the last four digits of whatever passes for a card number.

    Found are runs of 13 to 19 digits with a valid check digit, whole or in printed groups. Left
    alone are identifiers: UUIDs, hex, and clocks that count from 1970. One in ten other numbers of
    that length has a valid check digit by chance and is masked. Not found are digits inside hex
    dumps and split over lines; those must not be logged at all.
    """
    return _CARD_NUMBER.sub(_masked, text)


def shown_bytes(data: bytes) -> str:
    """Return the beginning of bytes that were not understood, for the log; card numbers masked.

    Text shows as text, anything else as hex. `scrub` cannot see into hex dumps, so after the first
    four bytes, which name a frame, every run of seven or more decimal digits is masked here,
    written as text or packed in BCD.
    """
    head, part = data[:_NAMING_BYTES], data[_NAMING_BYTES:SHOWN_BYTES_MAX]
    more = f"... ({len(data)} bytes)" if len(data) > SHOWN_BYTES_MAX else ""
    text = data[:SHOWN_BYTES_MAX].decode("ascii", errors="replace")
    if text.isprintable() and "\ufffd" not in text:
        rest = _LONG_NUMBER.sub(lambda run: "*" * len(run[0]), text[_NAMING_BYTES:])
        return f"'{text[:_NAMING_BYTES]}{rest}'{more}"
    packed = _LONG_HEX.sub(_masked_hex, part.hex())
    written = head.hex() + packed
    return " ".join(written[at : at + 2] for at in range(0, len(written), 2)) + more


def _masked_hex(run: re.Match[str]) -> str:
    return "*" * len(run[0])


def _masked(match: re.Match[str]) -> str:
    number = match[0]
    if not has_check_digit("".join(filter(str.isdigit, number))):
        return number
    return re.sub(r"\d", "*", number[:-_SHOWN_DIGITS]) + number[-_SHOWN_DIGITS:]


def _escape(text: str) -> str:
    """Keep a terminal's text from beginning a line of its own or steering the screen."""
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", text)


def _priority(level: int) -> int:
    for at_least, priority in _PRIORITIES:
        if level >= at_least:
            return priority
    return _DEBUG_PRIORITY


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether `stream` is what journald gave us. Source: systemd.exec(5), $JOURNAL_STREAM."""
    journal = environment.get("JOURNAL_STREAM", "")
    if not journal:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream in memory has no number
        return False
    return journal == f"{status.st_dev}:{status.st_ino}"

from __future__ import annotations

import io
import logging
import os
import random
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.log import QUIET_LOGGERS, LineFormatter, about, configure, scrub, shown_bytes

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"


def record(message: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("bridge.desk", level, "desk.py", 1, message, None, None)


@pytest.fixture
def untouched_root() -> Iterator[logging.Logger]:
    """Give the logging of the test runner back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in quiet.items():
        logging.getLogger(name).setLevel(was)
    logging.captureWarnings(False)


def test_one_fact_is_one_line_with_time_level_and_origin() -> None:
    entry = record("state=captured")
    entry.created = 1_767_225_600.25
    assert (
        LineFormatter(for_journal=False).format(entry)
        == "2026-01-01T00:00:00.250+00:00 INFO bridge.desk state=captured"
    )


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, 7),
        (logging.INFO, 6),
        (logging.WARNING, 4),
        (logging.ERROR, 3),
        (logging.CRITICAL, 2),
    ],
)
def test_journald_is_told_the_priority(level: int, priority: int) -> None:
    line = LineFormatter(for_journal=True).format(record("x=1", level))
    assert line == f"<{priority}>bridge.desk x=1"


def test_the_payment_is_on_every_line_about_it_and_on_no_other() -> None:
    formatter = LineFormatter(for_journal=True)
    with about(PAYMENT):
        assert formatter.format(record("x=1")) == f"<6>bridge.desk payment={PAYMENT} x=1"
    assert formatter.format(record("x=1")) == "<6>bridge.desk x=1"


def test_a_terminal_cannot_begin_a_line_or_color_the_screen() -> None:
    line = LineFormatter(for_journal=True).format(record("text=ok\n<0>\x1b[31mall is lost"))
    assert line == "<6>bridge.desk text=ok\\x0a<0>\\x1b[31mall is lost"


def test_a_card_number_after_a_line_break_is_masked() -> None:
    line = LineFormatter(for_journal=True).format(record("receipt\n4111111111111111"))
    assert line == "<6>bridge.desk receipt\\x0a************1111"


def test_a_traceback_keeps_its_priority_and_hides_card_numbers() -> None:
    try:
        raise ValueError("4111111111111111")
    except ValueError:
        entry = record("failed", logging.ERROR)
        entry.exc_info = sys.exc_info()
    lines = LineFormatter(for_journal=True).format(entry).split("\n")
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)
    assert lines[-1] == "<3>ValueError: ************1111"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("pan=4111111111111111", "pan=************1111"),
        ("'4012888888881881'", "'************1881'"),
        ("378282246310005", "***********0005"),
        ("4222222222222", "*********2222"),
        ("6304000000000000000", "***************0000"),
        ("4111 1111 1111 1111 ok", "**** **** **** 1111 ok"),
        ("3782-822463-10005", "****-******-*0005"),
        (";4111111111111111=25121010000?", ";************1111=25121010000?"),
        ("4111111111111111D25121010000", "************1111D25121010000"),
        (repr(b"\x064111111111111111\n"), "b'\\x06************1111\\n'"),
        (repr("\n5555555555554444"), "'\\n************4444'"),
        ("two 4111111111111111,5555555555554444.", "two ************1111,************4444."),
    ],
)
def test_card_numbers_are_masked(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "411111******1111",
        "payment=12345678-1234-4123-8123-411111111111",
        "payment=41111111-1111-4111-8111-111111111111",
        "hash=e4111111111111111f",
        "/dev/serial/by-id/usb-Maker_Box_4111111111111111-if00",
        "at=1767225600009",
        "at=1767225600000008",
        "at=1767225600000000009",
        "amount_minor=4990 receipt=0042 trace=000123",
        "iban=DE89370400440532013000",
    ],
)
def test_what_is_no_card_number_survives(text: str) -> None:
    assert scrub(text) == text


def test_random_ids_survive() -> None:
    chance = random.Random(1)
    ids = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(20_000)]
    assert all(scrub(str(each)) == str(each) for each in ids)
    assert all(scrub(each.hex) == each.hex for each in ids)


def test_configuring_twice_writes_each_line_once(untouched_root: logging.Logger) -> None:
    stream = io.StringIO()
    configure(logging.INFO, stream, {})
    configure(logging.INFO, stream, {})
    logging.getLogger("bridge.x").info("n=%s", 1)
    logging.getLogger("bridge.x").debug("n=%s", 2)
    assert stream.getvalue().endswith("INFO bridge.x n=1\n")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "authlib.oauth2"])
def test_http_libraries_do_not_tell_of_tokens(untouched_root: logging.Logger, name: str) -> None:
    stream = io.StringIO()
    configure(logging.DEBUG, stream, {})
    logging.getLogger(name).info("Authorization: Bearer secret")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("connection lost")
    assert "connection lost" in stream.getvalue()


def test_the_journal_is_recognized_by_its_file(
    untouched_root: logging.Logger, tmp_path: Path
) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        status = os.fstat(stream.fileno())
        journal = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        configure(logging.INFO, stream, journal)
        logging.getLogger("bridge.x").warning("n=1")
        configure(logging.INFO, stream, {"JOURNAL_STREAM": "1:1"})
        logging.getLogger("bridge.x").warning("n=2")
    first, second = (tmp_path / "stderr").read_text().splitlines()
    assert first == "<4>bridge.x n=1"
    assert second.endswith("WARNING bridge.x n=2")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x06\x0f\xf0\xf1\x27\x00", "06 0f f0 f1 27 00"),
        (b'{"amount: 12,50', "'{\"amount: 12,50'"),
        (bytes.fromhex("040f1a224444333322221111ff"), "04 0f 1a 22 ** ** ** ** ** ** ** ** ff"),
        (b'{"pan":"4444333322221111"', '\'{"pan":"****************"\''),
        (b'{"pan":"4444 3333 2222 1111"', '\'{"pan":"*******************"\''),
        (
            b"\x10\x02\x06\xd1" + b"4444333322221111",
            "10 02 06 d1 " + " ".join(["**"] * 16),
        ),
    ],
)
def test_bytes_that_nobody_understood_are_named_and_card_numbers_masked(
    data: bytes, shown: str
) -> None:
    assert shown_bytes(data) == shown


def test_of_many_bytes_only_the_beginning_is_shown() -> None:
    assert shown_bytes(b"\xff" * 5_000).endswith("ff... (5000 bytes)")
    assert len(shown_bytes(b"\xff" * 5_000)) < 300

"""A support bundle has what is needed, and none of the secrets that a store knows."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.backoffice.login.token_file import StoredLogin
from bridge.cli.support_bundle import Wanted, contents, write
from bridge.config import Config, parse
from bridge.errors import ConfigError
from bridge.money import payment as p
from bridge.reports.masking import BLANK, Mask, settings_without_secrets
from bridge.reports.reader import reading
from bridge.settings import JOURNAL_NAME, token_store
from bridge.terminal.frame_trace import FrameTrace, masked
from drivers.contract import Approved, Baseline, Card, MaskedPan, Receipt, Unclear
from tests.support.shop import Shop, in_a_shop
from tests.support.till import approval, open_till, pay

PAN = "4111111111111111"
GIFT_CODE = "GC-7788-CANARY"
OTHER_CODE = "6006491234567890128"
PASSWORD = "canary-broker-password"
CLIENT_SECRET = "canary-client-secret"
TERMINAL_PASSWORD = "918273"
ACCESS, REFRESH = "canary-access-token", "canary-refresh-token"
MEMBER = "M-CANARY-4711"
CANARIES = (PAN, GIFT_CODE, OTHER_CODE, PASSWORD, CLIENT_SECRET, TERMINAL_PASSWORD, ACCESS, REFRESH)
SINCE, UNTIL = "2026-11-23T00:00:00", "2026-11-24T00:00:00"


def store(folder: Path, **terminal: Any) -> Config:
    (folder / "password").write_text(PASSWORD)
    (folder / "client").write_text(CLIENT_SECRET)
    (folder / "client").chmod(0o600)
    (folder / "password").chmod(0o600)
    login = {"issuer": "https://login.example/", "client_id": "paybridge"}
    return parse(
        {
            "site": {"store_code": "S1", "state_directory": str(folder)},
            "mqtt": {"username": "bridge", "password_file": str(folder / "password")},
            "terminals": {
                "counter-1": {
                    "driver": "zvt",
                    "port": "/dev/x",
                    "settings": {"password": TERMINAL_PASSWORD},
                    **terminal,
                }
            },
            "back_office": {
                "endpoint": "https://office.example/api",
                "login": {**login, "client_secret_file": str(folder / "client")},
            },
        }
    )


async def fill(folder: Path) -> None:
    """A day in which everything secret was somewhere."""
    async with open_till(folder) as till:
        card = pay(1, 1250, metadata={"note": f"card {PAN}"}, operator_id="Anna Canary")
        await till.ledger.accept(card, p.Started(Baseline("")))
        await till.ledger.apply(card.payment_id, Unclear("unreadable", f"it said {PAN}"))
        said = replace(approval(card), card=Card("visa", "Visa", MaskedPan.of(PAN)), text=PAN)
        await till.ledger.apply(card.payment_id, Receipt("customer", (f"KARTE {PAN}", MEMBER)))
        await till.ledger.apply(card.payment_id, Approved(said))
        for number, code in ((2, GIFT_CODE), (3, OTHER_CODE)):
            gift = pay(
                number,
                500,
                sale_id=f"G{number}",
                terminal_id=p.GIFT_CARDS,
                gift_card=p.GiftCardCode("PHYSICAL", code),
            )
            await till.ledger.accept(gift, p.Started(Baseline("")))
            await till.ledger.apply(gift.payment_id, Unclear("no_answer", f"{code} is not known"))
    stored = StoredLogin(
        issuer="https://login.example/",
        client_id="paybridge",
        subject="till",
        name="",
        access_token=ACCESS,
        refresh_token=REFRESH,
        scope="openid",
        issued_at=int(datetime.now(UTC).timestamp()),
        lifetime_seconds=600,
    )
    token_store(folder, {}).write(stored)


async def bundle(folder: Path, monkeypatch: pytest.MonkeyPatch, *ids: int) -> dict[str, str]:
    log = f"password={PASSWORD} token={ACCESS} card={PAN} code={GIFT_CODE} proxy=http://u:pw@x/\n"
    monkeypatch.setattr("bridge.cli.support_bundle._log", lambda _: log)
    wanted = Wanted("the day", tuple(pay(n, 1).payment_id for n in ids), SINCE, UNTIL)
    with reading(folder / JOURNAL_NAME) as reader:
        return await contents(store(folder), {}, reader, wanted)


async def test_no_secret_of_the_store_is_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    files = await bundle(tmp_path, monkeypatch, 1, 2)
    assert {"journal.jsonl", "story.txt", "config.json", "frames.json", "log.txt"} <= files.keys()
    for name, text in files.items():
        for canary in (*CANARIES, MEMBER, "Anna Canary", "u:pw"):
            assert canary not in text, (name, canary)
    assert "1111" in files["journal.jsonl"], "the last four digits stay"
    assert BLANK in files["log.txt"]


async def test_what_is_needed_is_there_and_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    files = await bundle(tmp_path, monkeypatch, 1)
    entries = [json.loads(line) for line in files["journal.jsonl"].splitlines()]
    kinds = [one["kind"] for one in entries]
    assert kinds[:3] == ["Requested", "Started", "Unclear"]
    assert "Approved" in kinds
    assert [one["seq"] for one in entries] == sorted(one["seq"] for one in entries)
    assert "This sale of 12.50 EUR was approved" in files["story.txt"]
    settings = json.loads(files["config.json"])
    assert settings["terminals"]["counter-1"]["settings"]["password"] == BLANK
    assert settings["mqtt"]["password_file"].endswith("password"), "where it is, not what it is"
    assert "not_asked" in json.loads(files["status.json"])
    assert json.loads(files["versions.json"])["paybridge"]


async def test_the_file_is_for_its_owner_only_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    files = await bundle(tmp_path, monkeypatch, 1)
    out = tmp_path / "out.zip"
    write(out, files)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as found:
        assert set(found.namelist()) == files.keys()
    with pytest.raises(ConfigError, match="File exists"):
        write(out, files)
    (tmp_path / "link.zip").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        write(tmp_path / "link.zip", files)
    assert not (tmp_path / "elsewhere").exists()


def test_frames_are_kept_masked_and_few(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "8.00", expires_at="2026-11-23T12:30:00Z")
        await shop.until("till-1", 1, status="approved")
        frames = shop.parts.status.frames()["frames"]["counter-1"]
        assert {one["way"] for one in frames} == {"sent", "received"}
        assert any("06 01" in one["text"][:12] for one in frames), "the payment is named"
        shown = [one["text"].replace(" ", "")[8:] for one in frames]
        assert [text for text in shown if re.search(r"\d{6}", text)] == []

    in_a_shop(tmp_path, test)


@pytest.mark.parametrize(
    "secret",
    [bytes.fromhex("918273"), PAN.encode(), bytes.fromhex(PAN), b"1234", b"\xf1\xf2\xf3\xf4"],
)
def test_no_number_is_in_a_frame_after_its_beginning(secret: bytes) -> None:
    for before in (b"\x06\x00\x20\x02", b"\x02A0\x1c", b"\x06\x01\xff\x10\x04\x22"):
        text = masked(before + secret + b"\x03\x99").replace(" ", "")
        assert secret.hex() not in text[8:], text
    trace = FrameTrace(lambda: "now")
    for _ in range(1_000):
        trace.note("sent", b"\x80\x00\x00")
    assert len(trace.frames()) == 400


def test_a_setting_is_secret_by_its_name() -> None:
    table = {
        "password": "a",
        "pin": "b",
        "api_key": "c",
        "spin": "d",
        "x_file": "e",
        "t": [{"token": 1}],
    }
    assert settings_without_secrets(table) == {
        "password": BLANK,
        "pin": BLANK,
        "api_key": BLANK,
        "spin": "d",
        "x_file": "e",
        "t": [{"token": BLANK}],
    }


def test_a_short_secret_does_not_blank_everything() -> None:
    assert Mask(["1", "12"]).text("amount 12.50") == "amount 12.50"
    assert Mask(["abcd", "abcdef"]).text("abcdef abcd") == f"{BLANK} {BLANK}"

"""The login file: private, whole, encrypted when it can be, and one writer at a time."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.backoffice.login.token_file import (
    LockTaken,
    Storage,
    StoredLogin,
    StoreUnreadable,
    TokenStore,
)
from bridge.errors import ConfigError

KEY = bytes(range(32))
LOGIN = StoredLogin(
    issuer="https://shop.example/",
    client_id="paybridge",
    subject="17",
    name="Anna",
    access_token="an-access-token",
    refresh_token="a-refresh-token",
    scope="openid offline_access",
    issued_at=1_772_442_000,
    lifetime_seconds=3600,
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_written_is_read_back(tmp_path: Path, key: bytes | None) -> None:
    store = TokenStore(tmp_path, key)
    assert store.read() is None
    assert store.stamp() is None
    store.write(LOGIN)
    assert TokenStore(tmp_path, key).read() == LOGIN


def test_file_and_directory_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        TokenStore(tmp_path).write(LOGIN)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "login") == 0o700
    assert mode_of(tmp_path / "login" / "login.json") == 0o600
    assert sorted(p.name for p in (tmp_path / "login").iterdir()) == ["login.json"]


def test_a_file_that_others_may_read_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TokenStore(tmp_path)
    store.write(LOGIN)
    path = tmp_path / "login" / "login.json"
    path.chmod(0o644)
    assert store.read() == LOGIN
    assert mode_of(path) == 0o600
    assert "open to others" in caplog.text


def test_with_a_key_no_token_lies_on_the_disk(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, KEY)
    assert store.storage is Storage.ENCRYPTED
    store.write(LOGIN)
    raw = (tmp_path / "login" / "login.json").read_bytes()
    assert b"token" not in raw
    first = json.loads(raw)["nonce"]
    store.write(LOGIN)
    assert json.loads((tmp_path / "login" / "login.json").read_bytes())["nonce"] != first


def test_without_a_key_the_store_says_so(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    assert store.storage is Storage.PLAIN
    assert "readable" in store.storage.value


def test_a_plain_login_is_taken_over_when_a_key_comes(tmp_path: Path) -> None:
    TokenStore(tmp_path).write(LOGIN)
    assert TokenStore(tmp_path, KEY).read() == LOGIN


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_another_key_or_none_is_unreadable_not_absent(tmp_path: Path, key: bytes | None) -> None:
    TokenStore(tmp_path, KEY).write(LOGIN)
    with pytest.raises(StoreUnreadable):
        TokenStore(tmp_path, key).read()


@pytest.mark.parametrize("spoil", range(0, 400, 37))
def test_a_changed_byte_is_noticed(tmp_path: Path, spoil: int) -> None:
    store = TokenStore(tmp_path, KEY)
    store.write(LOGIN)
    path = tmp_path / "login" / "login.json"
    data = bytearray(path.read_bytes())
    data[spoil] ^= 0x01
    path.write_bytes(data)
    with pytest.raises(StoreUnreadable):
        store.read()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"cipher":"rot13"}',
        b'{"cipher":"none","login":{}}',
        b'{"cipher":"none","login":{"issuer":1}}',
        b'{"cipher":"none","login":null}',
        b"\xff" * 10,
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_unreadable(tmp_path: Path, raw: bytes) -> None:
    store = TokenStore(tmp_path, KEY)
    store.write(LOGIN)
    (tmp_path / "login" / "login.json").write_bytes(raw)
    with pytest.raises(StoreUnreadable):
        store.read()


def test_a_value_of_another_type_is_unreadable(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.write(replace(LOGIN, issued_at="now"))  # type: ignore[arg-type]  # a damaged file
    with pytest.raises(StoreUnreadable):
        store.read()


def test_a_failed_write_leaves_the_old_login_and_no_litter(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.write(LOGIN)
    (tmp_path / "login" / f"login.{os.getpid()}.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        store.write(replace(LOGIN, name="Bert"))
    assert store.read() == LOGIN


def test_a_leftover_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.write(LOGIN)
    (tmp_path / "login" / f"login.{os.getpid()}.new").write_bytes(b"half")
    store.write(replace(LOGIN, name="Bert"))
    assert store.read() == replace(LOGIN, name="Bert")


def test_the_stamp_changes_with_every_write(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    stamps = []
    for _ in range(3):
        store.write(LOGIN)
        stamps.append(store.stamp())
    assert len(set(stamps)) == 3
    store.delete()
    assert store.stamp() is None
    store.delete()


def test_a_second_holder_of_the_lock_is_refused(tmp_path: Path) -> None:
    with TokenStore(tmp_path).lock(), pytest.raises(LockTaken), TokenStore(tmp_path).lock():
        pass
    with TokenStore(tmp_path).lock():
        pass


def test_a_dead_holder_frees_the_lock(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        TokenStore(tmp_path).lock().__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    with TokenStore(tmp_path).lock():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_login_made_by_root_belongs_to_the_owner_of_the_state_directory(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    store = TokenStore(tmp_path)
    with store.lock():
        store.write(LOGIN)
    made = [tmp_path / "login", *(tmp_path / "login").iterdir()]
    assert {path.stat().st_uid for path in made} == {65534}
    assert len(made) == 3


def test_a_directory_that_is_none_of_ours_is_unreadable_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("a file where a directory should be")
    store = TokenStore(tmp_path)
    with pytest.raises(StoreUnreadable):
        store.stamp()
    with pytest.raises(StoreUnreadable):
        store.read()


def test_tokens_do_not_show() -> None:
    assert "token" not in repr(replace(LOGIN)).replace("lifetime", "")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_a_config_error(tmp_path: Path, length: int) -> None:
    with pytest.raises(ConfigError):
        TokenStore(tmp_path, bytes(length))


def test_the_token_file_is_synced_before_it_counts_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a power cut would leave cannot be seen from here, so what the kernel was asked is.
    asked: list[str] = []
    sync, replace_file = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        asked.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        asked.append(f"replace {self.name} {Path(target).name}")
        return replace_file(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    TokenStore(tmp_path).write(LOGIN)
    place = next(at for at, said in enumerate(asked) if said.startswith("replace"))
    fresh = asked[place].split()[1]
    assert f"sync {fresh}" in asked[:place], "a power cut would leave an empty file in its place"
    assert "sync login" in asked[place:], "a power cut would bring the old one back"

"""The copy's file: private, made anew when damaged, and never in the journal's way."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from bridge.backoffice.api.items import Item, ItemLot, ItemStock
from bridge.backoffice.api.products import ProductRow
from bridge.backoffice.item_copy.file import COPY_NAME, PURGE_ROWS, CopyFull, ItemFile
from bridge.backoffice.item_copy.progress import Progress
from bridge.money.lookup import FoundItem, Stock

PLENTY = 10**12


def open_at(folder: Path, free: int = PLENTY, origin: str = "https://office") -> ItemFile:
    return ItemFile(folder / COPY_NAME, lambda _folder: free, origin)


def mug(sku: str, name: str = "Mug", barcode: str = "") -> Item:
    return Item(sku, name, f"{name}, blue", "EA", "EA", barcode)


def test_nobody_else_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = open_at(tmp_path)
        file.store(Progress("item"), [mug("A")], 1)
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    file.close()


def test_an_item_is_found_by_sku_and_barcode_with_what_the_warehouses_have(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("item"), [mug("A-1", barcode="4006381333931"), mug("B")], 1)
    stock = [ItemStock("A-1", "S1", "3.95", "12"), ItemStock("A-1", "S2", "", "")]
    file.store(Progress("itemWarehouse"), stock, 1)
    found = FoundItem(
        *("A-1", "Mug", "Mug, blue", "EA", "4006381333931"),
        (Stock("S1", "3.95", "12"), Stock("S2", "", "")),
    )
    assert file.find(sku="A-1") == (found,)
    assert file.find(sku=" a-1 ") == (found,), "also where somebody writes it otherwise"
    assert file.find(barcode="4006381333931") == (found,)
    assert file.find(sku="C") == ()
    assert file.find(barcode="") == ()
    assert file.find(sku="' or 1=1 --") == ()
    file.close()


def test_unknown_skus_are_those_that_are_there_in_no_letters(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("item"), [mug("A-1"), mug("B")], 1)
    assert file.unknown(["A-1", "a-1", " B ", "C", "", "C"]) == ("C", "")
    file.close()


def test_a_page_and_where_its_walk_stands_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("item", walking=1, walk_mark="m1"), [mug("A")], 1)
    with pytest.raises(sqlite3.Error):
        file.store(
            Progress("item", walking=1, walk_mark="m2"),
            [mug("B"), Item("C", {}, "", "", "", "")],  # type: ignore[arg-type]
            1,
        )
    file.close()
    again = open_at(tmp_path)
    assert again.progress() == {"item": Progress("item", walking=1, walk_mark="m1")}
    assert again.count("item") == 1
    again.close()


def test_what_the_last_full_walk_did_not_see_is_taken_away_bit_by_bit(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("item"), [mug(f"{number}") for number in range(PURGE_ROWS + 10)], 1)
    file.store(Progress("product"), [ProductRow("1", "P")], 1)
    file.store(Progress("productGroup"), [ProductRow("1", "G")], 1)
    done = Progress("item", generation=2, purging=True)
    file.store(done, [mug("7")], 2)
    assert not file.purge(done)
    assert file.purge(done)
    assert file.count("item") == 1
    assert not file.progress()["item"].purging
    groups = Progress("productGroup", generation=2, purging=True)
    assert file.purge(groups)
    assert (file.count("product"), file.count("productGroup")) == (1, 0)
    file.close()


def test_lots_and_products_are_kept_too(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("itemSerialLot"), [ItemLot("A", "S1", "L1", "2")] * 2, 1)
    file.store(Progress("product"), [ProductRow("", "Name only"), ProductRow("2", "Two")], 1)
    assert (file.count("itemSerialLot"), file.count("product")) == (1, 2)
    file.close()


@pytest.mark.parametrize(
    "content", [b"no database at all" * 500, b"SQLite format 3\x00" + b"\xff" * 9_000, b""]
)
def test_a_damaged_file_is_made_anew(content: bytes, tmp_path: Path) -> None:
    (tmp_path / COPY_NAME).write_bytes(content)
    file = open_at(tmp_path)
    assert file.progress() == {}
    file.store(Progress("item"), [mug("A")], 1)
    assert file.count("item") == 1
    file.close()


def test_a_file_of_another_version_or_somebody_elses_is_made_anew(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / COPY_NAME)
    other.executescript("create table item(x); pragma user_version=99;")
    other.close()
    file = open_at(tmp_path)
    assert file.progress() == {}
    file.close()


def test_a_copy_of_another_back_office_is_not_believed(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("item", generation=1, mark="m1"), [mug("A")], 1)
    file.close()
    other = open_at(tmp_path, origin="https://another.office")
    assert other.progress() == {}
    assert other.find(sku="A") == ()
    other.close()


def test_nothing_is_written_where_the_disk_runs_full(tmp_path: Path) -> None:
    file = open_at(tmp_path, free=1_000_000)
    with pytest.raises(CopyFull):
        file.store(Progress("item"), [mug("A")], 1)
    assert file.count("item") == 0
    file.close()


def test_it_can_be_discarded_and_used_again(tmp_path: Path) -> None:
    file = open_at(tmp_path)
    file.store(Progress("item"), [mug("A")], 1)
    file.stop_reading()
    with pytest.raises(sqlite3.Error):
        file.find(sku="A")
    file.discard()
    assert file.find(sku="A") == ()
    file.close()


def test_a_link_laid_by_somebody_else_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / COPY_NAME).symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        open_at(tmp_path)
    assert target.read_bytes() == b"precious"

"""`scripts/bench`: measures everything beside its floor, in one run, and prints one table."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import (
    codecs,
    consoles,
    draining,
    footprint,
    items,
    latency,
    load,
    payments,
    plot,
    recording,
)
from benchmarks.stage import percentile

PAYMENTS_MAX = 200  # for each driver and transport; more tell nothing new
PARTS = ("latency", "recording", "footprint", "codecs", "payments", "items", "consoles", "draining")


def main() -> None:
    """Run the measurements that were asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="payments for (a) and (b)")
    parser.add_argument("--purchases", type=int, default=10_000, help="queue length for (c)")
    parser.add_argument("--items", type=int, default=200_000, help="catalogue for (e)")
    parser.add_argument(
        "--due", type=int, default=1_000, help="purchases of an outage (--only draining): 10000"
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--load", action="store_true", help="much at once, and much history")
    parser.add_argument("--plot", type=Path, help="also draw the ratios into this SVG file")
    parser.add_argument("--history", type=int, default=100_000, help="payments of a year")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--instant-api", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--item-api", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--slow-office", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.item_api is not None:
        asyncio.run(items.serve_items(options.item_api))
        return
    if options.instant_api:
        asyncio.run(recording.serve_instant_api(0))
        return
    if options.slow_office is not None:
        asyncio.run(draining.SlowOffice(options.slow_office).serve())
        return
    if options.load:
        _show(options, lambda folder: load.measure(folder, options.history))
        return
    if options.only == "draining":
        _show(options, lambda folder: draining.measure(folder, options.due))
        return
    with tempfile.TemporaryDirectory(prefix="paybridge-bench-") as folder:
        rows = asyncio.run(_measure(options, Path(folder)))
    if options.plot is not None:
        options.plot.write_text(plot.draw(rows, "Times the floor (the line), in one run"))
    if options.json:
        print(json.dumps(rows))
        return
    table = Table(title=f"{platform.machine()}, Python {platform.python_version()}")
    for title in ("what", "paybridge", "floor", "ratio"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=110).print(table)


def _show(
    options: argparse.Namespace, measure: Callable[[Path], Coroutine[Any, Any, list[load.Row]]]
) -> None:
    with tempfile.TemporaryDirectory(prefix="paybridge-bench-") as folder:
        rows = asyncio.run(measure(Path(folder)))
    if options.json:
        print(json.dumps([(row.what, row.measured, row.limit) for row in rows]))
        return
    table = Table(title=f"{platform.machine()}, Python {platform.python_version()}")
    for title in ("what", "measured", "limit"):
        table.add_column(title)
    for row in rows:
        table.add_row(row.what, row.measured, row.limit)
    Console(width=140).print(table)


async def _measure(options: argparse.Namespace, folder: Path) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    if options.only in {None, "latency"}:
        ours, floor, whole = await latency.measure(folder, options.rounds)
        for name, mine, theirs in (
            ("(a) command → first byte", ours.first_byte, floor.first_byte),
            ("(b) last byte → document", ours.document, floor.document),
        ):
            for share in (0.5, 0.99):
                one, two = percentile(mine, share), percentile(theirs, share)
                label = f"{name}, p{share * 100:.0f}"
                rows.append((label, _ms(one), _ms(two), f"{one / two:.2f}"))
        one, two = percentile(ours.payment, 0.5), percentile(whole.payment, 0.5)
        what = "a whole payment, floor of the same three commits, p50"
        rows.append((what, _ms(one), _ms(two), f"{one / two:.2f}"))
        rows.append(
            (
                "processor time per payment, events and states included",
                _ms(ours.processor),
                _ms(whole.processor),
                f"{ours.processor / whole.processor:.2f}",
            )
        )
    if options.only in {None, "recording"}:
        rate, least = await recording.measure(folder, options.purchases)
        what = f"(c) purchases per second, queue of {options.purchases}"
        rows.append((what, f"{rate:.0f}/s", f"{least:.0f}/s", f"{least / rate:.2f}"))
    if options.only in {None, "footprint"}:
        found = await footprint.measure(folder)
        rows += [
            ("start → ready", _ms(found.start_seconds), f"{_ms(found.bare_seconds)} (imports)", ""),
            ("resident memory", f"{found.memory_mib:.0f} MiB", f"{found.bare_mib:.0f} MiB", ""),
            ("idle CPU of one core", f"{found.idle_percent:.2f} %", "", ""),
        ]
    if options.only in {None, "codecs"}:
        rows += [(what, f"{rate:,.0f}/s", "", "") for what, rate in codecs.measure().items()]
        low, high = codecs.FIELD_ZVT_PARSE_PER_SECOND
        rows.append(("(the field's Python library parses)", f"{low:,} to {high:,}/s", "", ""))
    if options.only in {None, "payments"}:
        found_payments = await payments.measure(folder, min(options.rounds, PAYMENTS_MAX))
        for name, samples in found_payments.items():
            # The best twentieth is what it takes while nobody else uses the processors.
            for share in (0.05, 0.5):
                one, two = percentile(samples.ours, share), percentile(samples.floor, share)
                label = f"(d) a payment, {name}, p{share * 100:02.0f}"
                rows.append((label, _ms(one), _ms(two), f"{one / two:.2f}"))
        for line, seconds in payments.FIELD_ZVT_SECONDS.items():
            rows.append((f"(the field's Python library, zvt over {line})", _ms(seconds), "", ""))
    if options.only in {None, "items"}:
        rows += _item_rows(await items.measure(folder, options.items), options.items)
    if options.only in {None, "consoles"}:
        rows += await _consoles(folder / "consoles", options.rounds)
    return rows


def _item_rows(found: items.ItemFigures, count: int) -> list[tuple[str, str, str, str]]:
    ratio = f"{found.seconds / found.floor_seconds:.2f}"
    whole, floor = f"{found.seconds:.1f} s", f"{found.floor_seconds:.1f} s"
    late = f"{_ms(found.late_p99)}, at most {_ms(found.late_max)}"
    return [
        (f"(e) {count} items copied", whole, floor, ratio),
        ("(e) memory it took meanwhile", f"{found.growth_mib:.0f} MiB", "", ""),
        ("(e) its file", f"{found.file_mib:.0f} MiB", "", ""),
        ("(e) the loop was late meanwhile, p99", late, "", ""),
        ("(e) a SKU checked, p50", _ms(found.check_p50), "", ""),
        ("(e) a SKU checked, p99", _ms(found.check_p99), "", ""),
        ("(e) twenty SKUs checked, p99", _ms(found.trolley_p99), "", ""),
    ]


async def _consoles(folder: Path, rounds: int) -> list[tuple[str, str, str, str]]:
    await asyncio.to_thread(folder.mkdir)
    seen = await consoles.measure(folder, rounds)
    label = f"(i) command → document, {consoles.WATCHERS} consoles watch, beside none"
    rows = []
    for share in (0.5, 0.99):
        one, two = percentile(seen.watched, share), percentile(seen.alone, share)
        rows.append((f"{label}, p{share * 100:.0f}", _ms(one), _ms(two), f"{one / two:.2f}"))
    searched = f"(i) slowest search among {consoles.PAYMENTS_SEARCHED} payments"
    return [
        *rows,
        ("(i) slowest page of the console", _ms(seen.page_seconds), "", ""),
        ("(i) largest page of the console", f"{seen.page_bytes / 1000:.0f} kB", "", ""),
        (searched, _ms(seen.search_seconds), "", ""),
        ("(i) resident memory with the console", f"{seen.memory_mib:.0f} MiB", "", ""),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


if __name__ == "__main__":
    main()

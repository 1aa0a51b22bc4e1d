"""`python -m tests.end_to_end.screenshots FOLDER`: the pictures of the console in docs/.

A store of real parts plays a short day; what is seen is what the service shows.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.console_store import ConsoleStore, open_console
from tests.end_to_end.parts import plan, scenario, terminal_program
from tests.end_to_end.program import Program
from tests.support.commands import start_fields

PICTURE_BYTES_MAX = 150_000
DOUBT_SECONDS = 95.0  # then a person is asked
SALES = (
    ("47.90", "T1-0337"),
    ("12.40", "T1-0338"),
    ("8.60", "T1-0339"),
    ("64.15", "T1-0340"),
)
OTHERS = {"counter-2": "Counter 2", "cafe": "Café"}
GONE = plan(mischief=[{"kind": "unplug", "at": "prints", "seconds": 3600}])
LEISURELY = plan(seconds_to_card=2.4, seconds_at_host=1.3)
SLOW = plan(seconds_to_card=600)


async def _play(place: ConsoleStore) -> None:
    store, till = place.store, place.store.till
    for amount, sale in SALES:
        await till.recorded(await till.start(amount, sale_id=sale))
    await store.shopper(LEISURELY)
    await till.recorded(await till.start("129.00", sale_id="T1-0341"))
    await till.recorded(await till.start("31.20", sale_id="T1-0345", terminal_id="counter-2"))
    await store.shopper(plan(outcome="decline", code=5))
    declined = await till.start("4.20", sale_id="T1-0342")
    await till.document(declined, lambda d: d["final"])
    await till.ready()
    await store.shopper(GONE)
    doubt = await till.start("62.50", sale_id="T1-0343")
    await till.status(doubt, "in_doubt")
    await asyncio.sleep(DOUBT_SECONDS)
    payment = "018f6f0e-8a44-7c1b-9a3e-00000000ca1e"
    fields = start_fields(payment, "18.70", sale_id="T1-0344", terminal_id="cafe")
    await till.ask("payment/start", fields)
    await till.status(payment, "in_progress")
    await asyncio.sleep(2.0)


async def _pictures(place: ConsoleStore, out: Path) -> None:
    page = place.page
    await place.unlock("Anna")
    await page.look(width=1280, height=900)
    await place.go("/")
    await page.reads("62.50")
    await asyncio.sleep(2.0)
    await page.picture(out / "console-now.webp", kind="webp")
    await page.look(width=1180, height=1060, dark=True)
    await place.go("/attention")
    await asyncio.sleep(1.0)
    await page.picture(out / "console-attention.webp", kind="webp")
    await page.look(width=1180, height=900)
    await place.go("/payments")
    await page.click("tbody tr:nth-child(5) a")
    await page.reads("What happened")
    await asyncio.sleep(1.0)
    await page.picture(out / "console-payment.webp", kind="webp")
    await page.look(width=390, height=844)
    await place.go("/?lang=de")
    await asyncio.sleep(1.0)
    await page.picture(out / "console-phone.webp", kind="webp")


async def main(out: Path) -> None:
    """Write the pictures into `out`."""
    with tempfile.TemporaryDirectory(prefix="console-") as name:
        folder = Path(name)
        tables = {
            f"terminals.{word}": {
                "driver": "zvt",
                "name": label,
                "port": f"{folder}/{word}/terminal",
            }
            for word, label in OTHERS.items()
        }
        tables["site"] = {"name": "Store 12, Harbour Street"}
        tables["registers.till-1"] = {"terminal": "counter-1"}
        programs: list[Program] = []
        for word in OTHERS:
            (folder / word).mkdir()
            programs.append(terminal_program(folder / word, "--scenario", _scenario(folder / word)))
        try:
            await asyncio.gather(*(one.start() for one in programs))
            async with open_console(folder, changes=tables) as place:
                await _play(place)
                await _pictures(place, out)
        finally:
            await asyncio.gather(*(one.kill() for one in programs))
    for path in _written(out):
        size = path.stat().st_size
        print(f"{path} {size // 1000} kB{'' if size <= PICTURE_BYTES_MAX else ', too large'}")


def _written(out: Path) -> list[Path]:
    return sorted(out.glob("console-*.webp"))


def _scenario(folder: Path) -> str:
    path = folder / "scenario.json"
    plans = {"otherwise": SLOW} if folder.name == "cafe" else {}
    path.write_text(json.dumps({**scenario(), **plans}))
    return str(path)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""`paybridge support`: a bundle about one payment or a day, without secrets."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

from bridge.cli.shell import EXIT_FAILED, PRIVATE_UMASK, Command, load, print_json, say_wrong_use


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the payment or the day."""
    parser.add_argument(
        "payment_id",
        nargs="?",
        default="",
        metavar="PAYMENT",
        help="as for `paybridge show`; without one, the day",
    )
    parser.add_argument("--date", default="", metavar="DAY", help="the day (today)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the bundle (a name of its own)")


def main(options: argparse.Namespace) -> int:
    """Write the bundle; 1 when there is no such payment, or several are."""
    from bridge.adapters import utc_now
    from bridge.cli.support_bundle import Wanted, contents, write
    from bridge.reports.local_days import bounds_of, read_day
    from bridge.reports.payment_lines import Selection, find_lines
    from bridge.reports.payment_story import find_candidates
    from bridge.reports.reader import reading
    from bridge.settings import JOURNAL_NAME

    os.umask(PRIVATE_UMASK)
    config = load(options)
    try:
        day = read_day(options.date, utc_now().astimezone().date())
    except ValueError as error:
        return say_wrong_use(options, error)
    since, until = bounds_of(day, datetime.astimezone)
    with reading(config.site.state_directory / JOURNAL_NAME) as reader:
        if options.payment_id:
            bounds = {"since": since, "until": until} if options.date else {}
            lines = find_candidates(reader, options.payment_id, **bounds)
            if len(lines) != 1:
                print(
                    f"{len(lines)} payments may be meant by {options.payment_id}: "
                    "paybridge show finds them",
                    file=sys.stderr,
                )
                return EXIT_FAILED
            record = lines[0].record
            since, until = record.created_at.rstrip("Z"), record.updated_at.rstrip("Z")
            wanted = Wanted(f"payment {record.payment_id}", (record.payment_id,), since, until)
        else:
            lines = find_lines(reader, Selection(since=since, until=until))
            names = tuple(line.payment_id for line in lines)
            wanted = Wanted(f"the day {day}", names, since, until)
        files = asyncio.run(contents(config, os.environ, reader, wanted))
    stamp = utc_now().strftime("%Y%m%dT%H%M%S")
    path = options.out or Path(f"paybridge-support-{stamp}.zip")
    write(path, files)
    if options.json:
        print_json({"written": str(path), "files": sorted(files), "payments": len(lines)})
    else:
        print(f"{path}: {wanted.what}, {len(lines)} payments. Look into it before you send it.")
    return 0


COMMAND = Command(
    "support",
    "put together what support needs to understand a payment or a day",
    main,
    add_arguments,
)

"""`paybridge logout`: forgets the login."""

from __future__ import annotations

import argparse
import asyncio
import os

from bridge.cli.shell import Command, load, print_json


def main(options: argparse.Namespace) -> int:
    """Forget the login here, and tell the provider if it can be told."""
    from bridge.cli.login import log_out

    revoked = asyncio.run(log_out(load(options), os.environ))
    if options.json:
        print_json({"logged_in": False, "revoked": revoked})
    else:
        print("Logged out." if revoked else "Logged out here; the provider was not told.")
    return 0


COMMAND = Command("logout", "forget the login, here and at the provider", main)

"""What `paybridge check` finds at the back office beside the login: it only reads there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bridge import config as cfg
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.environment import ENVIRONMENT, Environment
from bridge.backoffice.api.reader import Asker, Reader
from bridge.backoffice.store_check import edition_warning

Found = tuple[str, Literal["ok", "look", "wrong"], str]
"""What was looked at, how it is, and in words."""


async def office_findings(config: cfg.Config, office: Asker) -> list[Found]:
    """Return what the query endpoints tell of this store's configuration."""
    settings = config.back_office
    assert settings is not None, "there is a back office to ask"
    reader = Reader(office)
    return [environment_found(await reader.all(ENVIRONMENT), records=settings.records)]


def environment_found(found: Sequence[Environment] | CannotTell, *, records: bool) -> Found:
    """Say which server this is, and whether its edition takes purchases at all."""
    what = "back office environment"
    if isinstance(found, CannotTell) or not found:
        reason = found.reason if isinstance(found, CannotTell) else "it shows nothing"
        return what, "look", f"cannot tell version and edition: {reason}"
    one = found[0]
    wrong = edition_warning(one) if records else ""
    if wrong:
        return what, "wrong", wrong
    parts = [
        one.name,
        f"version {one.version}" if one.version else "",
        f"edition {one.edition}" if one.edition else "",
    ]
    shown = ", ".join(part for part in parts if part)
    if one.takes_purchases is None and records:
        text = f"{shown or 'it answers'}; whether its edition takes purchases cannot be told"
        return what, "look", f"{text} (purchaseAdd needs Cloud or Corporate)"
    return what, "ok", shown or "it answers"

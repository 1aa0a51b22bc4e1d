"""What `paybridge check` finds at the back office beside the login: it only reads there."""

from __future__ import annotations

from collections.abc import Sequence

from bridge import config as cfg
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.environment import ENVIRONMENT, Environment
from bridge.backoffice.api.reader import Asker, Reader
from bridge.backoffice.store_check import edition_warning
from bridge.cli.checks.findings import Finding, found


async def office_findings(config: cfg.Config, office: Asker) -> list[Finding]:
    """Return what the query endpoints tell of this store's configuration."""
    settings = config.back_office
    assert settings is not None, "there is a back office to ask"
    reader = Reader(office)
    return [environment_found(await reader.all(ENVIRONMENT), records=settings.records)]


def environment_found(shown: Sequence[Environment] | CannotTell, *, records: bool) -> Finding:
    """Say which server this is, and whether its edition takes purchases at all."""
    what = "back office environment"
    if isinstance(shown, CannotTell) or not shown:
        reason = shown.reason if isinstance(shown, CannotTell) else "it shows nothing"
        return found("edition_unknown", what, f"cannot tell version and edition: {reason}")
    one = shown[0]
    wrong = edition_warning(one) if records else ""
    if wrong:
        return found("edition_takes_no_purchases", what, wrong, key="back_office.records")
    parts = [
        one.name,
        f"version {one.version}" if one.version else "",
        f"edition {one.edition}" if one.edition else "",
    ]
    told = ", ".join(part for part in parts if part)
    if one.takes_purchases is None and records:
        text = f"{told or 'it answers'}; whether its edition takes purchases cannot be told"
        return found("edition_unknown", what, f"{text} (purchaseAdd needs Cloud or Corporate)")
    return found("edition_ok", what, told or "it answers")

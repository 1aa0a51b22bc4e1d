"""What `paybridge check` finds at the back office beside the login: it only reads there."""

from __future__ import annotations

from collections.abc import Sequence

from bridge import config as cfg
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.environment import ENVIRONMENT, Environment
from bridge.backoffice.api.items import ITEM, Item
from bridge.backoffice.api.paging import Page
from bridge.backoffice.api.reader import Asker, Reader
from bridge.backoffice.store_check import edition_warning
from bridge.cli.checks.findings import Finding, found
from bridge.settings import api_names


async def office_findings(config: cfg.Config, office: Asker) -> list[Finding]:
    """Return what the query endpoints tell of this store's configuration."""
    settings = config.back_office
    assert settings is not None, "there is a back office to ask"
    reader = Reader(office, api_names(settings).renamed)
    findings = [environment_found(await reader.all(ENVIRONMENT), records=settings.records)]
    if settings.items.enabled:
        findings.append(items_found(await reader.first(ITEM, first=1)))
    booked = {"back_office.summary_sku": settings.summary_sku} if settings.records else {}
    if settings.records and config.site.tips_booked:
        booked["back_office.tip_sku"] = settings.tip_sku
    for key, sku in booked.items():
        findings.append(sku_found(key, sku, await reader.first(ITEM, {"sku": sku})))
    return findings


def items_found(page: Page[Item] | CannotTell) -> Finding:
    """Say whether the copy of items can be kept."""
    what, key = "items of the back office", "back_office.items.enabled"
    if isinstance(page, CannotTell):
        text = f"the copy cannot be kept: {page.reason}"
        return found("items_unreadable", what, text, key=key)
    if not page.rows or page.limited:
        return found("items_unreadable", what, "the back office shows this account none", key=key)
    return found("items_ok", what, "can be read, and are copied")


def sku_found(key: str, sku: str, page: Page[Item] | CannotTell) -> Finding:
    """Say whether the back office has an item that sales are booked under."""
    what = f"{key.rpartition('.')[2]} {sku}"
    if isinstance(page, CannotTell):
        text = f"cannot tell whether the back office has this item: {page.reason}"
        return found("sku_cannot_tell", what, text, key=key)
    names = [one.sku for one in page.rows if one.sku.casefold() == sku.casefold()]
    if not names and (page.rows or page.limited):
        text = "cannot tell whether the back office has this item: it answers with others, or none"
        return found("sku_cannot_tell", what, text, key=key)
    if not names:
        text = "the back office shows no such item, and may reject every purchase that has it"
        return found("sku_unknown", what, text, key=key)
    if sku not in names:
        text = f"the back office writes it {names[0]}"
        return found("sku_unknown", what, text, key=key)
    return found("sku_ok", what, "the back office has it")


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

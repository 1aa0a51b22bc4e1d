"""Asks the back office for its own sales of a day, for the day report. Changes nothing there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from bridge import config as cfg
from bridge.adapters import utc_now
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.api.sales import SALE, on_day
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.login.login import Login
from bridge.errors import BridgeError
from bridge.reports.office_column import OfficeColumn, OfficeSale, compare_sales
from bridge.reports.payment_lines import PaymentLine
from bridge.settings import api_names, login_settings, token_store


async def office_column(
    config: cfg.Config, environment: Mapping[str, str], day: date, lines: Sequence[PaymentLine]
) -> OfficeColumn:
    """Return the back office's sales of a day beside `lines`; why not, where they cannot be had."""
    office = config.back_office
    if office is None:
        return OfficeColumn(not_compared="there is no back office in the configuration")
    try:
        async with open_client(office.ca_file) as http:
            tokens = token_store(config.site.state_directory, environment)
            login = Login(http, login_settings(office, environment), tokens, utc_now)
            books = BackOffice(
                http,
                office.endpoint,
                login,
                deadline_seconds=office.deadline_seconds,
                names=api_names(office),
            )
            shown = await Reader(books).all(SALE, on_day(day))
    except BridgeError as error:
        return OfficeColumn(not_compared=f"the back office could not be asked: {error}")
    if isinstance(shown, CannotTell):
        return OfficeColumn(not_compared=shown.reason)
    theirs = [
        OfficeSale(one.id, one.register_code, one.transaction_number, one.total) for one in shown
    ]
    return compare_sales(lines, theirs, records=office.records)

"""The day report asks the simulated back office for its own sales, and says why where it cannot."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bridge.cli.office_sales import office_column
from bridge.config import parse
from tests.component.cli.test_check_office import (
    EVERYTHING,
    office,
    running_office,
    store,
)
from tests.end_to_end.parts import Office

__all__ = ["office", "running_office"]  # the fixtures
pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = date(2026, 11, 23)


async def test_without_the_permission_nothing_is_called_compared(
    tmp_path: Path, office: Office
) -> None:
    column = await office_column(store(tmp_path, office), {}, DAY, [])
    assert "sales" in column.not_compared
    assert column.rows == ()


async def test_with_it_the_sales_of_the_day_are_read(tmp_path: Path, office: Office) -> None:
    names = [*EVERYTHING, "ViewSales"]
    await office.control(
        {"do": "permissions", "client_id": "paybridge-server", "permissions": names}
    )
    column = await office_column(store(tmp_path, office), {}, DAY, [])
    assert column.not_compared == ""


async def test_an_office_that_is_away_and_a_store_without_one_say_so(
    tmp_path: Path, office: Office
) -> None:
    away = store(tmp_path, office, endpoint="http://127.0.0.1:9/api")
    column = await office_column(away, {}, DAY, [])
    assert "nobody listens there" in column.not_compared
    issuer = store(tmp_path, office, login={"issuer": "http://127.0.0.1:9/"})
    assert (await office_column(issuer, {}, DAY, [])).not_compared != ""
    none = parse(
        {
            "site": {"store_code": "S", "state_directory": str(tmp_path)},
            "terminals": {"a": {"driver": "zvt", "port": "/dev/x"}},
        }
    )
    assert "no back office" in (await office_column(none, {}, DAY, [])).not_compared

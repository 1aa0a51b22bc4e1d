"""One store for all tests of a module that leave it as they found it; starting one takes 2 s."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.parts import Store, open_store


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """A store whose serial line is tapped and whose service probes its terminal once an hour."""
    folder = tmp_path_factory.mktemp("store")
    async with open_store(
        folder,
        tapped=True,
        changes={
            "terminals.counter-1": {"probe_seconds": 3600},
            "back_office": {"gift_card_activation": True, "store_credit": True},
        },
    ) as store:
        yield store

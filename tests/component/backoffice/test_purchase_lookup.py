"""A recorded purchase is looked up where the server's schema has a way, and guessed nowhere."""

from __future__ import annotations

from pathlib import Path

from tests.component.backoffice.test_graphql import PURCHASE, Tokens, open_world
from tests.support.office import play


def test_the_documented_api_cannot_tell_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        books = world.api(Tokens("good"))
        await books.purchase_add(PURCHASE)
        assert await books.purchase_exists("P1", "T-1") is None
        assert await books.purchase_exists("nonsense") is None

    play(main)


def test_a_server_with_a_purchase_query_shows_which_records_are_ours(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.api.purchase_query = True
        books = world.api(Tokens("good"))
        await books.purchase_add(PURCHASE)
        (ours,) = world.office.state.purchases_of("T-1")
        assert await books.purchase_exists(ours.id, "T-1") is True
        assert await books.purchase_exists(ours.id, "T-2") is False
        assert await books.purchase_exists("P999", "T-1") is False
        world.office.away = True
        assert await books.purchase_exists("P999", "T-1") is None

    play(main)

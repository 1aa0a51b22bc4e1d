"""Every query endpoint of the documented API, by its name. Pure."""

from __future__ import annotations

from typing import Any, Final

from bridge.backoffice.api.customers import CUSTOMER
from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.environment import ENVIRONMENT
from bridge.backoffice.api.gift_card_rows import GIFT_CARD
from bridge.backoffice.api.items import ITEM_SERIAL_LOT, ITEM_WAREHOUSE, STOCKED_ITEM
from bridge.backoffice.api.locations import LOCATION
from bridge.backoffice.api.products import PRODUCTS
from bridge.backoffice.api.sales import SALE

QUERY_ENDPOINTS: Final[dict[str, Endpoint[Any]]] = {
    one.root: one
    for one in (
        *(ENVIRONMENT, LOCATION, STOCKED_ITEM, ITEM_WAREHOUSE, ITEM_SERIAL_LOT),
        *(*PRODUCTS, CUSTOMER, SALE, GIFT_CARD),
    )
}
"""All of them, in the order in which people look for them."""

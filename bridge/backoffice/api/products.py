"""The back office's `product…` queries, of which the documentation has the names only. Pure.

What their rows are is read from the schema; where that is hidden, an id and a name are assumed.
Source: POS_API.md, "Reading".
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row


@dataclass(frozen=True, slots=True)
class ProductRow:
    """One product, group, section, banner, notice or sort option; "" for what is not shown."""

    id: str
    name: str
    sku: str = ""


def _read(row: Row) -> ProductRow:
    return ProductRow(row.code("id"), row.text("name") or row.text("title"), row.code("sku"))


def _endpoint(root: str, what: str) -> Endpoint[ProductRow]:
    return Endpoint(
        root=root, what=what, read=_read, assumed=("id", "name"), also=("title", "sku"), pages=False
    )


PRODUCT = _endpoint("product", "products")
PRODUCT_BANNER = _endpoint("productBanner", "product banners")
PRODUCT_GROUP = _endpoint("productGroup", "product groups")
PRODUCT_NOTICE = _endpoint("productNotice", "product notices")
PRODUCT_SECTION = _endpoint("productSection", "product sections")
PRODUCT_SORT_OPTION = _endpoint("productSortOption", "sort options of products")

PRODUCTS = (
    *(PRODUCT, PRODUCT_BANNER, PRODUCT_GROUP),
    *(PRODUCT_NOTICE, PRODUCT_SECTION, PRODUCT_SORT_OPTION),
)

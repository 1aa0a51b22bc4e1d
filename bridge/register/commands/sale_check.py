"""A sale's items and member, compared with the back office before a card is asked for.

What is not there is a warning in the answer, or a refusal where the site wants that. What nobody
can tell is neither: a sale never waits for the back office.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from bridge.errors import RequestError
from bridge.money.lookup import SkuCheck
from bridge.register import api as k

NAMED_MAX = 20  # warnings of one sale; whoever sees twenty knows enough


class SaleFacts(Protocol):
    """Who knows items and members."""

    async def check_skus(self, skus: Sequence[str]) -> SkuCheck:
        """Return which of the SKUs the back office does not have, as far as that is known."""

    def check_member(self, member_id: str) -> bool | None:
        """Say whether the back office has this member; None while nobody knows."""


class SaleCheck:
    """Compares sales with what is known."""

    def __init__(self, facts: SaleFacts | None) -> None:
        """Ask `facts`; None where there is no back office."""
        self._facts = facts

    async def look(self, sale: k.Sale | None, *, may_refuse: bool) -> tuple[k.SaleWarning, ...]:
        """Return what the back office may not take of a sale.

        `may_refuse` is False where nothing can be stopped any more, or a supervisor stands for it.

        Raises:
            RequestError: `item_unknown`: the site wants no sale of what the back office does not
                have; the path names the first such line.
        """
        if self._facts is None or sale is None:
            return ()
        named = list(_named(sale))
        check = await self._facts.check_skus([sku for _, sku in named])
        unknown = [(path, sku) for path, sku in named if sku in check.unknown]
        if unknown and check.refuses and may_refuse:
            raise _refusal(unknown, check)
        warnings = [
            k.SaleWarning(
                code="item_unknown",
                path=path,
                text=f"The back office shows no item {sku}; the sale may not get into its books.",
            )
            for path, sku in unknown[:NAMED_MAX]
        ]
        if sale.member_id and self._facts.check_member(sale.member_id) is False:
            warnings.append(
                k.SaleWarning(
                    code="member_unknown",
                    path="sale.member_id",
                    text="The back office shows no such member; the points may be lost.",
                )
            )
        return tuple(warnings)


def _refusal(unknown: Sequence[tuple[str, str]], check: SkuCheck) -> RequestError:
    path, sku = unknown[0]
    more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
    as_of = k.format_time(check.as_of) if check.as_of is not None else None
    return RequestError(
        "item_unknown",
        f"the back office shows no item {sku}{more}; correct the line, try again once the item was "
        "made there, or have a supervisor sell it so (override and approved_by)",
        path=path,
        skus=[one for _, one in unknown[:NAMED_MAX]],
        as_of=as_of,
    )


def _named(sale: k.Sale) -> Iterator[tuple[str, str]]:
    """Yield what each line is booked as, and the field that says so."""
    for index, line in enumerate(sale.lines):
        field = "ean_upc" if line.product_code is None and line.ean_upc else "product_code"
        sku = line.product_code or line.ean_upc or f"ITEM-{line.item_id}"
        yield f"sale.lines.{index}.{field}", sku

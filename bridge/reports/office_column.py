"""The back office's own sales beside ours, compared by their reference. Pure.

A sale of the vendor's Register is another thing than a purchase that we record: it becomes one by
itself. So the same sale in both columns, while we record, is in the books twice. What nobody
compared is never called matched: two numbers that happen to be equal are no reference, and a
reference without an amount proves no amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from bridge.money.amounts import format_signed
from bridge.reports.payment_lines import PaymentLine
from drivers.amounts import digits_of

Verdict = Literal["matched", "differs", "found", "unclear", "only_ours", "only_theirs"]


@dataclass(frozen=True, slots=True)
class OfficeSale:
    """One sale as the back office shows it; "" for what it does not show.

    `number` is the transaction's, `total` decimal text.
    """

    id: str
    register_code: str
    number: str
    total: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One reference, and what each side says of it.

    Attributes:
        verdict: `matched`: reference and amount are the same; `differs`: the amounts are not;
            `found`: the reference is in both, and one side shows no amount to compare;
            `unclear`: the number is there more than once, so it names nothing.
    """

    reference: str
    verdict: Verdict
    ours: str
    theirs: str
    text: str


@dataclass(frozen=True, slots=True)
class OfficeColumn:
    """The comparison of a day; `not_compared` says why there is none, "" where there is."""

    rows: tuple[Compared, ...] = ()
    not_compared: str = ""
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        return {
            "not_compared": self.not_compared or None,
            "warnings": list(self.warnings),
            "sales": [{name: getattr(one, name) for name in one.__slots__} for one in self.rows],
        }


def compare_sales(
    lines: Sequence[PaymentLine], theirs: Iterable[OfficeSale], *, records: bool
) -> OfficeColumn:
    """Return our sales of a day beside those of the back office.

    `records` says whether we record sales there.
    """
    shown = list(theirs)
    ours: dict[tuple[str, str], list[PaymentLine]] = {}
    for line in lines:
        if line.sale_id:
            ours.setdefault((line.register_id, line.sale_id), []).append(line)
    rows, used = [], set[int]()
    for (register_id, sale_id), some in sorted(ours.items()):
        same = [i for i, one in enumerate(shown) if one.number == sale_id]
        exact = [i for i in same if shown[i].register_code.casefold() == register_id.casefold()]
        chosen = exact or same
        if not any(line.moved_minor for line in some) and not chosen:
            continue  # nothing was paid, and nobody knows of a sale
        used.update(chosen)
        rows.append(_compare(f"{register_id} {sale_id}", some, [shown[i] for i in chosen]))
    rows += [
        Compared(
            f"{one.register_code} {one.number}".strip(),
            "only_theirs",
            "",
            one.total,
            "no payment of ours names it",
        )
        for i, one in enumerate(shown)
        if i not in used
    ]
    return OfficeColumn(tuple(rows), warnings=tuple(_warnings(rows, shown, records=records)))


def _compare(reference: str, lines: Sequence[PaymentLine], same: Sequence[OfficeSale]) -> Compared:
    currency = lines[0].currency
    moved = sum(line.moved_minor for line in lines if line.currency == currency)
    ours = format_signed(moved, currency)
    if not same:
        return Compared(reference, "only_ours", ours, "", "the back office shows no such sale")
    if len(same) > 1:
        text = f"{len(same)} sales have this number; nothing was compared"
        return Compared(reference, "unclear", ours, "", text)
    (other,) = same
    theirs = _minor(other.total, currency)
    if theirs is None:
        text = "the back office shows no amount; nothing was compared"
        return Compared(reference, "found", ours, other.total, text)
    if any(line.needs for line in lines):
        text = "something of it is open with us; nothing was compared"
        return Compared(reference, "found", ours, other.total, text)
    if theirs == moved:
        return Compared(reference, "matched", ours, other.total, "")
    details = next(
        (line.record.payment.sale for line in lines if line.record.payment.sale is not None), None
    )
    if details is not None and (details.total.minor, details.to_pay.minor) == (theirs, moved):
        text = "the sale's total; the register told what else paid it"
        return Compared(reference, "matched", ours, other.total, text)
    return Compared(reference, "differs", ours, other.total, "look at both")


def _minor(text: str, currency: str) -> int | None:
    try:
        scaled = Decimal(text).scaleb(digits_of(currency))
    except InvalidOperation:
        return None
    return int(scaled) if scaled.is_finite() and scaled == scaled.to_integral_value() else None


def _warnings(
    rows: Sequence[Compared], shown: Sequence[OfficeSale], *, records: bool
) -> Iterable[str]:
    if not records or not shown:
        return
    both = sum(row.verdict not in {"only_ours", "only_theirs"} for row in rows)
    yield (
        f"the back office's own Register made {len(shown)} sales on this day, and its sales become "
        "purchases by themselves. Where these are the registers that pay here, records must be "
        "false, or every sale is booked twice"
    )
    if both:
        yield f"{both} of them have the number of a sale of ours: are they booked twice?"

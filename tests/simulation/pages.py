"""What the journal's pages say, read by the judge for himself: rows and JSON, none of our code.

The judge must not fold accounts with the program that he judges. He keeps every commit that
reached the disk, reads the disk again after each death, and adds up what is written there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

GIFT_CARDS = "gift-cards"  # stands where the name of a terminal does
RUNNING = frozenset({"in_progress", "canceling"})
OPEN = RUNNING | frozenset({"queued", "in_doubt"})
NO = frozenset({"declined", "canceled", "failed"})
FINAL = NO | {"approved"}

Json = dict[str, Any]


class Row(NamedTuple):
    """One row of the table `payment`, in the order of its columns."""

    payment_id: str
    register_id: str
    terminal_id: str
    sale_key: str
    status: str
    recording: str
    amount_minor: int
    currency: str
    created_at: str
    updated_at: str
    live: int
    pruned: int

    @property
    def method(self) -> str:
        return "gift_card" if self.terminal_id == GIFT_CARDS else "card"


class Page(NamedTuple):
    """One entry: what happened, as text."""

    kind: str
    body: str

    @property
    def content(self) -> Json:
        return _parsed(self.body)


@lru_cache(maxsize=4096)
def _parsed(body: str) -> Json:
    found: Json = json.loads(body)
    return found


@dataclass(slots=True)
class Written:
    """One payment as the disk tells of it."""

    row: Row
    pages: Sequence[Page]
    _request: Json = field(init=False)

    def __post_init__(self) -> None:
        self._request = self.pages[0].content["request"]

    @property
    def payment_id(self) -> str:
        return self.row.payment_id

    @property
    def type(self) -> str:
        return str(self._request["type"])

    @property
    def original_id(self) -> str:
        return str(self._request["original_payment_id"])

    @property
    def plan_id(self) -> str:
        plan = self._request["plan"]
        return str(plan["plan_id"]) if plan else ""

    @property
    def is_approved(self) -> bool:
        return self.row.status == "approved"

    @property
    def brought_money(self) -> bool:
        """Whether it worked, by the last that was said: a person may take an answer back."""
        corrected = [page.content["answer"] for page in self.pages if page.kind == "Corrected"]
        return corrected[-1]["outcome"] == "approved" if corrected else self.is_approved

    @property
    def total_minor(self) -> int | None:
        """What its sale costs, as it was told with the payment or later."""
        later = [page.content["sale"] for page in self.pages if page.kind == "LinesAttached"]
        sale = self._request["sale"] or (later[0] if later else None)
        return int(sale["total"]["minor"]) if sale else None

    def has(self, *kinds: str) -> bool:
        return any(page.kind in kinds for page in self.pages)

    def approved_minor(self) -> int:
        """What the evidence that made it approved names: a terminal's, a server's, a person's."""
        asked = int(self._request["amount"]["minor"])
        corrected = [page.content["answer"] for page in self.pages if page.kind == "Corrected"]
        if corrected:
            told = corrected[-1]["amount"]
            return int(told["minor"]) if told else self._offered_minor() or asked
        for page in self.pages:
            if page.kind == "Approved":
                return int(page.content["approval"]["amount"]["minor"])
            if page.kind == "Resolved" and page.content["outcome"] == "approved":
                told = page.content["amount"]
                return int(told["minor"]) if told else self._offered_minor() or asked
        return asked

    def _offered_minor(self) -> int:
        offers = [page.content["approval"] for page in self.pages if page.kind == "Offered"]
        return int(offers[-1]["amount"]["minor"]) if offers else 0

    @property
    def refused_signature(self) -> str | None:
        """Who refused its shopper's signature: "" when nobody came in time, None when none was."""
        found = [page.content for page in self.pages if page.kind == "SignatureJudged"]
        return None if not found or found[0]["accepted"] else str(found[0]["by"])


@dataclass(slots=True)
class Pages:
    """All that is on the disk, kept up to date with each commit."""

    entries: dict[str, list[Page]] = field(default_factory=dict)  # subject -> pages, in order
    rows: dict[str, Row] = field(default_factory=dict)
    purchases: dict[str, str] = field(default_factory=dict)  # transaction id -> state
    _open: dict[str, None] = field(default_factory=dict)  # payments that are not final
    _followers: dict[str, list[str]] = field(default_factory=dict)  # original -> payments

    def add(self, subject: str, page: Page) -> None:
        """Note one more entry."""
        self.entries.setdefault(subject, []).append(page)
        if page.kind == "Requested":
            original = page.content["request"]["original_payment_id"]
            if original:
                self._followers.setdefault(original, []).append(subject)

    def put(self, row: Row) -> None:
        """Note what a payment's row says now."""
        self.rows[row.payment_id] = row
        if row.status in OPEN:
            self._open[row.payment_id] = None
        else:
            self._open.pop(row.payment_id, None)

    def kinds(self, subject: str) -> list[str]:
        """Return what happened to a payment or purchase."""
        return [page.kind for page in self.entries.get(subject, ())]

    def of(self, subject: str, kind: str) -> list[Page]:
        """Return the pages of one kind about a payment or purchase."""
        return [page for page in self.entries.get(subject, ()) if page.kind == kind]

    def status(self, payment_id: str) -> str:
        """Return a payment's status, "absent" when the disk does not know it."""
        row = self.rows.get(payment_id)
        return row.status if row is not None else "absent"

    def amount_minor(self, payment_id: str) -> int | None:
        """Return what was asked for, None when the disk does not know the payment."""
        row = self.rows.get(payment_id)
        return row.amount_minor if row is not None else None

    def take(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> list[tuple[str, Page | Row]]:
        """Note a commit; return its entries and payments, in order, by subject."""
        news: list[tuple[str, Page | Row]] = []
        for text, values in statements:
            statement = text.lstrip()
            if statement.startswith("insert into entry"):
                page = Page(str(values[1]), str(values[3]))
                self.add(str(values[0]), page)
                news.append((str(values[0]), page))
            elif statement.startswith("insert into payment"):
                row = Row(*values[: len(Row._fields)])
                self.put(row)
                news.append((row.payment_id, row))
            elif statement.startswith("insert into purchase"):
                self.purchases[str(values[0])] = str(values[2])
        return news

    def payment(self, payment_id: str) -> Written:
        """Return what is written of a payment that has a row."""
        return Written(self.rows[payment_id], self.entries[payment_id])

    def payments(self) -> Iterator[Written]:
        """Return every payment."""
        return (self.payment(name) for name in self.rows)

    def open_payments(self) -> list[Written]:
        """Return those that are not final."""
        return [self.payment(name) for name in self._open]

    def running_at(self, terminal_id: str) -> list[str]:
        """Return the payments that are under way at a terminal."""
        rows = [self.rows[name] for name in self._open]
        return [o.payment_id for o in rows if o.terminal_id == terminal_id and o.status in RUNNING]

    def following(self, payment_id: str, *types: str) -> list[Written]:
        """Return the approved payments of some types that follow one."""
        found = [self.payment(name) for name in self._followers.get(payment_id, ())]
        return [one for one in found if one.brought_money and one.type in types]

    def is_voided(self, payment_id: str) -> bool:
        """Tell whether an approved void undid a payment."""
        return bool(self.following(payment_id, "void"))

    def recorded_by(self) -> Mapping[str, tuple[str, ...]]:
        """Return which payments each purchase is to record."""
        return {
            name: tuple(pages[0].content["payment_ids"])
            for name, pages in self.entries.items()
            if pages[0].kind == "PurchaseDue"
        }

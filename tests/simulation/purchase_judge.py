"""What the judge knows of purchases: what is sent, and for which a person may be needed.

He reads the journal's pages and hears the back office; he never asks the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.back_office.faults import FaultAnswer
from tests.simulation.story import Story

if TYPE_CHECKING:
    from tests.simulation.judge import Judge

IN_FLIGHT_SECONDS = 3.0
"""After the first doubt: what was journaled before it may still be on its way."""

PROVES_NOTHING = frozenset(
    {
        *(FaultAnswer.DROP, FaultAnswer.RESET, FaultAnswer.HTML_200, FaultAnswer.HTML_503),
        *(FaultAnswer.GZIP_503, FaultAnswer.PROBLEM_503, FaultAnswer.UNAVAILABLE_503),
    }
)


@dataclass(slots=True)
class PurchaseJudge:
    """Watches one world's purchases."""

    judge: Judge
    story: Story
    doubted: set[str] = field(default_factory=set)  # ever answered without proof
    outage: FaultAnswer | None = None
    _doubt_since: float | None = None  # in this outage, while nothing good was heard

    def outage_begins(self, answer: FaultAnswer) -> None:
        """Whatever is asked from now on is answered so."""
        self.outage, self._doubt_since = answer, None

    def outage_ends(self) -> None:
        """The back office is itself again."""
        self.outage = self._doubt_since = None

    def asked(self, transaction_id: str, variables: Mapping[str, Any]) -> None:
        """A purchase arrived at the back office, or at who stands in its place."""
        self._compare(transaction_id, variables)
        since = self._doubt_since
        if since is not None and self.story.clock() - since > IN_FLIGHT_SECONDS:
            self.story.accuse("L3", f"{transaction_id} is sent into an outage that is known")

    def answered(self, transaction_id: str, answer: FaultAnswer) -> None:
        """Somebody answered; without proof it may need a person."""
        if answer in PROVES_NOTHING:
            self.doubted.add(transaction_id)
            if self.outage is not None and self._doubt_since is None:
                self._doubt_since = self.story.clock()

    def committed(self, subject: str, kind: str) -> None:
        """Something about a purchase is on the disk."""
        if kind != "Mended":
            return
        before = [one for one in self.judge.pages.kinds(subject) if one != "PurchaseRestarted"]
        if before[-2:-1] != ["Refused"]:
            self.story.accuse("S10", f"{subject} is mended after {before[-2]}: it may be booked")

    def needs_a_person(self, transaction_id: str) -> None:
        """A person is asked whether this one is in the books, where nothing but outages happen."""
        if transaction_id not in self.doubted:
            self.story.accuse("L3", f"a person is asked about {transaction_id}, which was proven")

    def _compare(self, transaction_id: str, sent: Mapping[str, Any]) -> None:
        """What is sent is what is written: as it was due, and as it was mended since."""
        due = self.judge.pages.of(transaction_id, "PurchaseDue")
        if not due:
            return  # S10 is for those
        content = due[0].content["content"]
        store, member = content["store_code"], content["sale"]["member_id"]
        skus = {one["line_number"]: one["sku"] for one in content["sale"]["lines"]}
        for page in self.judge.pages.of(transaction_id, "Mended"):
            store = page.content["store_code"] or store
            skus |= {int(line): sku for line, sku in page.content["skus"]}
            told = page.content["member_id"]
            member = member if told is None else told
        lines = {one["lineNumber"]: one["sku"] for one in sent["lineItems"]}
        found = (sent["storeCode"], sent.get("memberId") or "", lines)
        if found != (store, member, skus):
            self.story.accuse("S4", f"{transaction_id} is sent as {found}, not {store} {skus}")

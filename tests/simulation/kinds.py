"""What must really happen in the worlds, by the words in which a reader wants it counted."""

from __future__ import annotations

from collections.abc import Mapping

# Each kind, and the beginnings of the marks that stand for it.
KINDS: dict[str, tuple[str, ...]] = {
    "card payments": ("card sale approved",),
    "declines": ("card sale declined",),
    "cancels": ("card sale canceled",),
    "holds on cards": ("card preauth approved",),
    "holds raised": ("card increment approved",),
    "captures": ("card capture approved",),
    "refunds": ("card refund approved",),
    "voids": ("card void approved",),
    "tips added": ("card tip_adjust approved",),
    "signatures refused": ("signature refused",),
    "ends of day that matched": ("end of day matched",),
    "ends of day that differed": ("end of day different",),
    "gift card sales": ("gift_card sale approved",),
    "gift card holds": ("gift_card preauth approved",),
    "gift card captures": ("gift_card capture approved",),
    "gift card releases": ("gift_card void approved",),
    "gift card refunds": ("gift_card refund approved",),
    "top-ups": ("gift_card load approved",),
    "top-ups given up": ("gift_card load canceled",),
    "gift cards sold": ("gift card activated",),
    "top-ups taken back": ("value taken off again",),
    "store credits": ("store credit",),
    "plans paid": ("plan paid",),
    "plans that came to nothing": ("plan came to nothing",),
    "uses of a gift card in another shop": ("another shop used a gift card",),
    "purchases that a person looked up": ("a person answered a purchase",),
    "purchases that a person mended": ("a person mended a purchase",),
    "times that many were answered at once": ("a person answered many purchases",),
    "outages by gateways, portals, proxies": ("outage ",),
    "doubts that a person settled": ("a person resolved a doubt",),
    "questions after a doubt": ("inquiry",),
    "hand payments": ("paid without the register",),
    "hand payments of a till's amount": ("paid by hand what a till asks for",),
    "voids by hand": ("voided by hand",),
    "closes by themselves": ("batch closed by itself",),
    "wrong answers": ("a person erred",),
    "wrong answers taken back": ("a wrong answer was corrected",),
    "bookings lost by the office": ("booking lost by the office",),
    "restarts in storms": ("restart in a storm",),
    "unsigned payments reversed": ("nobody signed",),
    "kills": ("kill ",),
    "power cuts": ("power cut ",),
    "terminals without power": ("terminal power cut",),
    "full disks": ("journal failed",),
    "clock jumps": ("clock jump",),
    "deaths with money in the air": ("death with money in the air",),
}


def counted(marks: Mapping[str, int], kind: str) -> int:
    """Return how often a kind of thing happened."""
    return sum(times for name, times in marks.items() if name.startswith(KINDS[kind]))

"""Who stands at the terminal and what happens to it: scenarios as data. Pure.

A scenario is a JSON or TOML file, or the name of a built-in one (`BUILT_IN`). It lists plans; each
payment uses the next one, and `otherwise` when the list is used up:

    speed = 2.0                       # everything twice as fast; 0 means without any delay

    [[payments]]
    outcome = "approve"
    brand = "visa"
    tip_minor = 150

    [[payments]]
    outcome = "approve"
    mischief = [{ kind = "unplug", at = "status", seconds = 3 }]

With `by_amount = true` the last two digits of the amount choose the plan, see `PLANS_BY_AMOUNT`.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AMOUNT_CODE_MODULUS = 100  # the cents decide


Brand = Literal["girocard", "mastercard", "maestro", "visa", "vpay", "amex", "diners", "jcb"]


@dataclass(frozen=True, slots=True)
class PlasticCard:
    """A card that exists in test books only. `pan` passes Luhn, so a leak of it is found."""

    brand: str
    name: str
    zvt_type: int
    application_id: str
    pan: str


CARDS: dict[str, PlasticCard] = {
    card.brand: card
    for card in (
        PlasticCard("girocard", "girocard", 5, "A0000003591010028001", "6725904020010000009"),
        PlasticCard("mastercard", "Mastercard", 6, "A0000000041010", "5555555555554444"),
        PlasticCard("maestro", "Debit Mastercard", 46, "A0000000041010", "5200828282828210"),
        PlasticCard("visa", "VISA", 10, "A0000000031010", "4242424242424242"),
        PlasticCard("vpay", "V PAY", 13, "A0000000032020", "4000056655665556"),
        PlasticCard("amex", "AMERICAN EXPRESS", 8, "A00000002501", "378282246310005"),
        PlasticCard("diners", "Diners Club", 12, "A0000001523010", "30569309025904"),
        PlasticCard("jcb", "JCB", 14, "A0000000651010", "3566002020360505"),
    )
}

Place = Literal["command", "replied", "status", "prints", "completion"]
"""Where in a payment something goes wrong, the five windows of doubt of the ZVT sheet:

`command` (a) the command came, no reply yet; `replied` (b) replied, no result yet; `status` (c)
the result was sent, the register's reply may be lost; `prints` (d) between the receipts;
`completion` (e) before the last message.
"""

MischiefKind = Literal[
    "unplug",  # the line is lost for `seconds`, then comes back
    "silent",  # the terminal neither reads nor sends for `seconds`, and goes on
    "die",  # power cut: forgets the dialogue, boots for `seconds`
    "garbage",  # sends `count` random bytes instead of the next message
    "noise",  # sends `count` random bytes before the next message
    "duplicate",  # sends the next message twice
    "lost_ack",  # the link acknowledgement of the register's next frame is lost
    "nak",  # refuses the register's next `count` frames
    "trickle",  # sends the next message byte by byte, `seconds` apart
    "wrong_currency",  # the result names another currency
    "other_transaction",  # the result is that of an older payment
    "two_results",  # an unsuccessful result comes before the real one
    "unknown_fields",  # the result carries a TLV tag and a BMP that nobody knows
    "glue",  # the next message waits and comes in one piece with the one after it
]


class Mischief(BaseModel):
    """One thing that goes wrong at one place of one payment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: MischiefKind
    at: Place = "status"
    seconds: float = Field(default=3.0, ge=0)
    count: int = Field(default=20, ge=1, le=4096)
    forget: bool = False  # with `die`: the flash memory is lost as well


class Plan(BaseModel):
    """What the shopper does at one payment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal[
        "approve",
        "decline",  # by the host, with `code` and `text`
        "cancel",  # with the terminal's red key
        "walk_away",  # until the terminal gives up
        "remove_card_early",
        "refuse",  # the terminal does not even begin: a negative reply with `code`
    ] = "approve"
    code: int = Field(default=0x05, ge=1, le=0xFF)  # of `decline` and `refuse`
    refuse_data: int | None = Field(default=None, ge=0, le=0xFF)  # ZVT: what comes with the refusal
    # PAX: what the host says beside an amount that it approves, letters too; "" is its usual yes.
    host_code: str = Field(default="", max_length=8, pattern=r"^[0-9A-Z]*$")
    surcharge_minor: int = Field(default=0, ge=0)  # PAX: added by the terminal, and named
    cash_back_minor: int = Field(default=0, ge=0)  # the same, paid out in cash
    unnamed_minor: int = Field(default=0, ge=0)  # PAX: added, and not named
    text: str = ""
    seconds_to_card: float = Field(default=1.5, ge=0)
    seconds_to_pin: float = Field(default=1.5, ge=0)
    seconds_at_host: float = Field(default=1.0, ge=0)
    seconds_to_remove: float = Field(default=0.5, ge=0)
    walk_away_seconds: float = Field(default=60.0, ge=0)  # until the terminal gives up
    entry: Literal["contactless", "chip", "stripe"] = "contactless"
    brand: Brand = "girocard"
    tip_minor: int = Field(default=0, ge=0)
    partial_minor: int | None = Field(default=None, ge=0)
    gift_card: str = "5022440000000000098"  # what is swiped when the terminal asks for a gift card
    wrong_pins: int = Field(default=0, ge=0, le=2)
    signature: bool = False
    abort: Literal["obey", "refuse", "ignore", "approve_anyway"] = "obey"
    show_stages: bool = True
    whole_pan: bool = False  # sends the whole card number wherever a field allows it: leak tests
    mischief: tuple[Mischief, ...] = ()

    @property
    def card(self) -> PlasticCard:
        """The card that is presented."""
        return CARDS[self.brand]


class Scenario(BaseModel):
    """The plans for a row of payments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float = Field(default=1.0, ge=0)  # 2 is twice as fast, 0 without delays
    payments: tuple[Plan, ...] = ()
    otherwise: Plan = Plan()
    without_card: Plan = Plan()  # reversal, capture, end of day: only stages and mischief count
    by_amount: bool = False


PLANS_BY_AMOUNT: dict[int, Plan] = {
    5: Plan(outcome="decline", code=0x05, text="Zahlung abgelehnt"),
    6: Plan(outcome="cancel"),
    7: Plan(outcome="walk_away"),
    8: Plan(outcome="remove_card_early", entry="chip"),
    9: Plan(signature=True, entry="chip", brand="visa"),
    11: Plan(entry="chip", wrong_pins=1),
    12: Plan(tip_minor=100, brand="visa"),
    14: Plan(partial_minor=100, brand="mastercard"),
    51: Plan(outcome="decline", code=0x33, text="Guthaben zu gering"),
    54: Plan(outcome="decline", code=0x78, text="Karte abgelaufen"),
    55: Plan(outcome="decline", code=0x37, text="Geheimzahl falsch", entry="chip"),
    61: Plan(mischief=(Mischief(kind="unplug", at="replied"),)),
    62: Plan(mischief=(Mischief(kind="unplug", at="status"),)),
    63: Plan(mischief=(Mischief(kind="die", at="status", seconds=10),)),
    64: Plan(mischief=(Mischief(kind="silent", at="completion", seconds=30),)),
    65: Plan(mischief=(Mischief(kind="wrong_currency"),)),
    66: Plan(mischief=(Mischief(kind="duplicate"),)),
    91: Plan(outcome="decline", code=0x5B, text="Host nicht erreichbar"),
}
"""The last two digits of an amount, for people at the demo: 12.05 is declined, 12.51 has no funds.

Anything else is approved.
"""

_INSTANT = Plan(
    seconds_to_card=0, seconds_to_pin=0, seconds_at_host=0, seconds_to_remove=0, show_stages=False
)
BUILT_IN: dict[str, Scenario] = {
    "approve": Scenario(),
    "amounts": Scenario(by_amount=True),
    "instant": Scenario(speed=0, otherwise=_INSTANT),
}


def describe_amounts() -> str:
    """Return the table of `PLANS_BY_AMOUNT` for people, one line per ending."""
    lines = []
    for cents, plan in PLANS_BY_AMOUNT.items():
        told = plan.model_dump(exclude_defaults=True, exclude={"mischief", "text"})
        words = [f"{name} {value}" for name, value in told.items()]
        words += [f"{mischief.kind} at {mischief.at}" for mischief in plan.mischief]
        lines.append(f"  .{cents:02d}  {plan.text or ', '.join(words)}")
    return "\n".join(lines)


def load_scenario(name_or_path: str) -> Scenario:
    """Return a built-in scenario, or the one in a `.toml` or `.json` file.

    Raises:
        ValueError: The file is not a scenario (pydantic's `ValidationError` is one).
        OSError: The file cannot be read.
    """
    if name_or_path in BUILT_IN:
        return BUILT_IN[name_or_path]
    path = Path(name_or_path)
    text = path.read_text(encoding="utf-8")
    data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    return Scenario.model_validate(data)


class Shopper:
    """Hands out one plan per payment."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._served = 0

    def change(self, scenario: Scenario) -> None:
        """Start over with another scenario."""
        self.scenario = scenario
        self._served = 0

    def next_plan(self, amount_minor: int) -> Plan:
        """Return what happens at the payment that begins now."""
        scenario = self.scenario
        position = self._served
        self._served += 1
        if position < len(scenario.payments):
            return scenario.payments[position]
        if scenario.by_amount:
            return PLANS_BY_AMOUNT.get(amount_minor % AMOUNT_CODE_MODULUS, scenario.otherwise)
        return scenario.otherwise

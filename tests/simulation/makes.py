"""The makes of terminals that stand in a world: ZVT, PAX, Concert E+ and Caisse-AP side by side.

Each brings its real driver, a simulated device, and the look of its orders about money, so that
the world knows which bytes may move some.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from drivers import contract as c
from drivers.pax import DRIVER as PAX_DRIVER
from drivers.pax import PaxSettings
from drivers.telium import CAISSE_AP_DRIVER, CaisseApSettings, TeliumSettings
from drivers.telium import DRIVER as TELIUM_DRIVER
from drivers.zvt import DRIVER as ZVT_DRIVER
from drivers.zvt import ZvtSettings
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.cable import Port
from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.shopper import Shopper
from simulators.terminals.telium.caisse_ap import CaisseApTerminal
from simulators.terminals.telium.concert import TeliumTerminal
from simulators.terminals.telium.device import PROFILES as TELIUM_PROFILES
from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import Profile as ZvtProfile

MakeName = Literal["zvt", "pax", "telium", "caisse_ap"]
Kind = Literal["serial", "tcp"]
# Source: PA00P015 rev 13.08: pay, hold, partial release, capture, release, reverse, refund, tip.
ZVT_ORDERS = tuple(bytes((0x06, code)) for code in (0x01, 0x22, 0x23, 0x24, 0x25, 0x30, 0x31, 0x0C))
ZVT_STARTS = {"serial": b"\x10\x02", "tcp": b""}
ATTEMPTS_MAX = 20  # of a terminal that insists on its answer; more only makes worlds long
PAX_GIFT = "5022440000000000098"  # what the shoppers of `shopper.py` swipe


class Terminal(Protocol):
    """What a world does with a terminal of any make."""

    ledger: TerminalLedger
    shopper: Shopper

    @property
    def busy(self) -> bool:
        """Whether it is at something."""

    async def run(self, port: Port) -> None:
        """Serve for ever."""

    def unplug(self, seconds: float) -> None:
        """Lose the line for a while."""

    def power_cut(self, seconds: float = 5.0, *, forget: bool = False) -> None:
        """Lose power for a while."""

    def pay_without_register(self, amount_minor: int) -> bool:
        """Take a payment that somebody typed in; False if that is impossible now."""

    def void_without_register(self) -> bool:
        """Void the newest payment by hand; False if that is impossible now."""

    def close_without_register(self) -> bool:
        """Close the batch by itself; False if that is impossible now."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a terminal is built from."""

    clock: Callable[[], datetime]
    rng: random.Random
    ledger: TerminalLedger
    zvt_profile: ZvtProfile


@dataclass(frozen=True, slots=True)
class Make:
    """One terminal's make and setup, as its installer chose it."""

    name: MakeName
    kind: Kind
    driver: c.Driver
    settings: Any
    hangs_up: bool = False  # after each exchange: its line is opened for every conversation

    def is_order(self, data: bytes) -> bool:
        """Tell whether bytes that leave may begin a movement of money."""
        match self.name:
            case "zvt":
                return any(ZVT_STARTS[self.kind] + one in data for one in ZVT_ORDERS)
            case "pax":
                return b"\x02T0" in data
            case "telium":
                return b"\x02" in data
            case "caisse_ap":
                return data.startswith(b"CZ")

    @property
    def can_follow_up(self) -> bool:
        """Whether it can capture, void or adjust what it took."""
        return self.name in {"zvt", "pax"}

    def build(self, around: Surroundings) -> Terminal:
        """Return a terminal that nobody has plugged in yet."""
        clock, rng, ledger = around.clock, around.rng, around.ledger
        match self.name:
            case "zvt":
                return ZvtTerminal(
                    clock=clock, rng=rng, kind=self.kind, profile=around.zvt_profile, ledger=ledger
                )
            case "pax":
                pax = replace(draw_pax_profile(rng), hangs_up=self.hangs_up)
                return PaxTerminal(clock=clock, rng=rng, profile=pax, ledger=ledger)
            case "telium":
                profile = TELIUM_PROFILES[rng.choice(("default", "busy_nak", "stubborn", "no_eot"))]
                profile = replace(profile, attempts_max=min(profile.attempts_max, ATTEMPTS_MAX))
                return TeliumTerminal(clock=clock, rng=rng, profile=profile, ledger=ledger)
            case "caisse_ap":
                name = rng.choice(("default", "desk5000")) if self.hangs_up else "keeps_line"
                profile = TELIUM_PROFILES[name]
                return CaisseApTerminal(clock=clock, rng=rng, profile=profile, ledger=ledger)


def make_of(name: MakeName, *, kind: Kind, exclusive: bool, hangs_up: bool = False) -> Make:
    """Return a make as it is set up in a world; only ZVT comes on either kind of line."""
    match name:
        case "zvt":
            settings = ZvtSettings(config_byte=0xBE if exclusive else 0xAE)
            return Make(name, kind, ZVT_DRIVER, settings)
        case "pax":
            return Make(name, "tcp", PAX_DRIVER, PaxSettings(currency="EUR"), hangs_up)
        case "telium":
            return Make(name, "serial", TELIUM_DRIVER, TeliumSettings(refunds=True))
        case "caisse_ap":
            return Make(name, "tcp", CAISSE_AP_DRIVER, CaisseApSettings(), hangs_up)


def draw_pax_profile(rng: random.Random) -> PaxProfile:
    """Return one of the ways in which applications differ."""
    return PaxProfile(
        currency="EUR",
        says_eot=rng.random() < 0.8,
        cancel_answer=rng.choice(("a15", "eot", "none")),
        busy=rng.choice(("eot", "silent")),
        duplicate_check=rng.random() < 0.8,
        voids_keep_a_record=rng.random() < 0.7,
        gift_cards=((PAX_GIFT, 10_000),),
        gift_apart=rng.random() < 0.3,
    )

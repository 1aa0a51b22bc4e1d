"""How bad a world is: every rate of misfortune, drawn from its seed. Data only."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Literal

from simulators.broker import Misfortune
from simulators.terminals.shared.cable import Wire
from simulators.terminals.shared.shopper import Mischief, MischiefKind, Place, Plan
from simulators.terminals.zvt.profile import PROFILES, Profile
from tests.simulation.makes import MakeName
from tests.simulation.tills import Habits
from tests.simulation.trades import Trade

NEVER = 1e9  # mean seconds of what does not happen in this world

TRADES: tuple[Trade, ...] = ("cards", "gift cards", "after sales", "all")
TRADE_WEIGHTS = (5, 4, 4, 2)  # plain sales by card are where most of the misfortune strikes

MAKES: tuple[MakeName, ...] = ("zvt", "pax", "telium", "caisse_ap")
MAKE_WEIGHTS = (12, 4, 2, 2)  # ZVT has the longest dialogue, and the most windows of doubt
PERSISTENT = 1.0  # of all worlds: lines stay open between conversations

PLACES: tuple[Place, ...] = ("command", "replied", "status", "prints", "completion")
MISCHIEF: tuple[MischiefKind, ...] = (
    *("unplug", "silent", "die", "garbage", "noise", "duplicate", "lost_ack", "nak"),
    *("trickle", "wrong_currency", "other_transaction", "two_results", "unknown_fields", "glue"),
)


@dataclass(frozen=True, slots=True)
class Weather:
    """Means are virtual seconds between two events of a kind; chances are from 0 to 1."""

    kind: Literal["serial", "tcp"]
    wire: Wire
    makes: tuple[MakeName, ...]  # of its terminals
    persistent: bool
    unsigned_stands: bool
    tills: int
    habits: Habits
    misfortune: Misfortune
    protocol: Literal["5.0", "3.1.1"]
    exclusive: bool
    profile: Profile
    kill_mean: float
    kill_at_commit: float
    power_cut: float  # of all deaths
    unplug_mean: float
    terminal_off_mean: float
    forget: float  # of all power cuts of a terminal: its memory is gone
    broker_cut_mean: float
    broker_restart_mean: float
    office_away_mean: float
    office_fault: float
    login_mean: float
    disk_trouble_mean: float
    clock_jump_mean: float
    alone_mean: float
    void_alone_mean: float  # somebody voids the newest payment by hand
    close_alone_mean: float  # a terminal closes its batch by itself
    decline: float
    mischief: float
    trade: Trade
    gift_cards: int
    elsewhere_mean: float  # another shop uses a gift card
    outage_mean: float = NEVER  # somebody else answers in the office's place for a while
    rejects: float = 0.0  # of all bookings: a wrong value, for a person to mend
    forgetful_office: float = 0.0  # of all bookings: acknowledged, and lost before they are stored
    errs: float = 0.0  # of all answers of a person: wrong, and corrected later
    storm_seconds: float = 0.0  # between two deaths of a process that never lives long; 0: no storm
    trouble_seconds: float = 0.0  # at least so long
    trouble_seconds_max: float = 240.0
    mischief_kinds: tuple[MischiefKind, ...] = MISCHIEF
    signature: float = 0.1  # of all payments
    parts: float = 0.1  # of all payments where hosts approve a part of the amount


_PEACE: dict[str, Any] = {
    "wire": Wire(),
    "misfortune": Misfortune(),
    "kill_mean": NEVER,
    "kill_at_commit": 0.0,
    "unplug_mean": NEVER,
    "terminal_off_mean": NEVER,
    "broker_cut_mean": NEVER,
    "broker_restart_mean": NEVER,
    "office_away_mean": NEVER,
    "office_fault": 0.0,
    "login_mean": NEVER,
    "disk_trouble_mean": NEVER,
    "clock_jump_mean": NEVER,
    "alone_mean": NEVER,
    "void_alone_mean": NEVER,
    "close_alone_mean": NEVER,
    "mischief": 0.0,
    "elsewhere_mean": NEVER,
}
# Worlds in which one thing happens often, for what hardly ever happens in the others.
MOODS: dict[str, dict[str, Any]] = {
    "calm": _PEACE,
    "crowded": _PEACE | {"elsewhere_mean": 3.0, "office_fault": 0.5},
    "deaths": _PEACE | {"kill_at_commit": 0.06, "habits": Habits(sales=3)},
    "typed in": _PEACE | {"alone_mean": 8.0, "exclusive": False, "makes": ("zvt",)},
    "hands": _PEACE
    | {
        "alone_mean": 6.0,
        "void_alone_mean": 12.0,
        "close_alone_mean": 20.0,
        "exclusive": False,
        "unplug_mean": 20.0,
        "habits": Habits(sales=4),
    },
    # The terminal forgets what it took, and nobody is there to say so: a doubt for half an hour.
    "storms": _PEACE
    | {
        "storm_seconds": 60.0,
        "trouble_seconds": 1_800.0,
        "trouble_seconds_max": 3_600.0,
        "mischief": 0.5,
        "mischief_kinds": ("die",),
        "forget": 1.0,
        "tills": 2,
        "makes": ("zvt",),
        "persistent": True,
        "habits": Habits(sales=6, pause_seconds=200.0, die=0, cancel=0),
    },
    # More than a thousand payments that are settled and out of memory; the service dies at times.
    "busy": _PEACE
    | {
        "tills": 2,
        "makes": ("zvt", "pax"),
        "kill_mean": 900.0,
        "trouble_seconds_max": 40_000.0,
        "decline": 0.05,
        "habits": Habits(
            sales=560, pause_seconds=1.0, die=0, cancel=0.01, split=0, old_id=0.05, acknowledge=1.0
        ),
    },
    # Tills send more than can be done, their own starts among it; the process dies at times.
    "floods": _PEACE
    | {
        "kill_mean": 60.0,
        "broker_cut_mean": 40.0,
        "tills": 2,
        "habits": Habits(sales=4, flood=0.7),
    },
    # Nothing but gateways, portals and proxies in front of the office, again and again.
    "outages": _PEACE
    | {
        "outage_mean": 12.0,
        "rejects": 0.3,
        "trouble_seconds": 100.0,
        "trouble_seconds_max": 240.0,
        "tills": 2,
        "decline": 0.05,
        "habits": Habits(sales=8, pause_seconds=4.0, die=0, cancel=0),
    },
    "losses": _PEACE | {"forgetful_office": 0.3},
    "errors": _PEACE | {"mischief": 0.5, "forget": 0.5, "errs": 0.6, "unplug_mean": 30.0},
    # The terminal answers with what somebody else paid.
    "strangers": _PEACE
    | {
        "makes": ("pax",),
        "alone_mean": 8.0,
        "mischief": 0.6,
        "mischief_kinds": ("other_transaction",),
        "habits": Habits(sales=4, cancel=0, die=0),
    },
    "parts": _PEACE | {"makes": ("pax",), "parts": 0.7},
    "signed": _PEACE
    | {
        "signature": 0.8,
        "mischief": 0.3,
        "makes": ("zvt",),
        "habits": Habits(sales=4, answer=0.8, signature_right=0.3),
        "unsigned_stands": True,
    },
    "clocks": _PEACE | {"clock_jump_mean": 10.0},
    "twins": _PEACE
    | {"makes": ("zvt", "zvt"), "tills": 2, "habits": Habits(sales=4, cancel=0, die=0)},
}

# The shares of all worlds that have one of them; a storm takes as long as a dozen other worlds.
COMMON_MOODS = {"hands": 0.05, "errors": 0.05, "losses": 0.02, "storms": 0.01, "outages": 0.03}


def draw_trade(seed: int | str) -> Trade:
    """Return what the tills of a seed do; a seed like `gift cards/7` says it itself."""
    for trade in TRADES:
        if trade in str(seed).split("/"):
            return trade
    return random.Random(f"{seed}/trade").choices(TRADES, TRADE_WEIGHTS)[0]


def draw_weather(seed: int | str) -> Weather:
    """Return the weather of a seed; one like `crowded/gift cards/7` names a mood as well."""
    weather = _draw(seed, draw_trade(seed))
    return replace(weather, **MOODS.get(draw_mood(seed), {}))


def draw_mood(seed: int | str) -> str:
    """Return the mood of a seed, mostly none: a plain number may have one of the common ones."""
    if isinstance(seed, str):
        return seed.partition("/")[0]
    draw = random.Random(f"{seed}/mood").random()
    for mood, share in COMMON_MOODS.items():
        draw -= share
        if draw < 0:
            return mood
    return ""


def _draw(seed: int | str, trade: Trade) -> Weather:
    shops = random.Random(f"{seed}/shops")
    hands = random.Random(f"{seed}/hands")
    rng = random.Random(f"{seed}/weather")
    kind: Literal["serial", "tcp"] = "serial" if rng.random() < 0.6 else "tcp"
    damage = rng.choice((0.0, 0.0, 0.0, 0.003, 0.02)) if kind == "serial" else 0.0
    delay = rng.choice((0.0, 0.002, 0.05))
    profile = PROFILES["default"]
    return Weather(
        kind=kind,
        wire=Wire(
            chunk_bytes_max=rng.choice((None, None, 16)),
            delay_seconds=(delay / 2, delay),
            flip=damage,
            drop=damage,
            duplicate=damage / 2,
            insert=damage / 2,
        ),
        makes=_draw_makes(seed, rng.choice((1, 1, 1, 2))),
        persistent=random.Random(f"{seed}/lines").random() < PERSISTENT,
        unsigned_stands=random.Random(f"{seed}/unsigned").random() < 0.7,
        tills=rng.choice((1, 2, 2)),
        habits=Habits(sales=rng.choice((1, 2, 3))),
        misfortune=Misfortune(
            duplicate=rng.choice((0.0, 0.1, 0.3)),
            late=rng.choice((0.0, 0.02, 0.1)),
            lost_publish=rng.choice((0.0, 0.0, 0.01)),
        ),
        protocol="5.0" if rng.random() < 0.7 else "3.1.1",
        exclusive=rng.random() < 0.8,
        profile=profile,
        kill_mean=rng.choice((NEVER, 15.0, 40.0)),
        kill_at_commit=rng.choice((0.0, 0.01, 0.04)),
        power_cut=rng.choice((0.2, 0.5, 0.8)),
        unplug_mean=rng.choice((NEVER, 15.0, 60.0)),
        terminal_off_mean=rng.choice((NEVER, NEVER, 30.0)),
        forget=rng.choice((0.0, 0.5)),
        broker_cut_mean=rng.choice((NEVER, 30.0, 90.0)),
        broker_restart_mean=rng.choice((NEVER, 90.0)),
        office_away_mean=rng.choice((NEVER, 30.0, 90.0)),
        office_fault=rng.choice((0.0, 0.1, 0.4)),
        login_mean=rng.choice((NEVER, NEVER, 60.0)),
        disk_trouble_mean=rng.choice((NEVER, NEVER, NEVER, 15.0)),
        clock_jump_mean=rng.choice((NEVER, NEVER, 90.0)),
        alone_mean=rng.choice((NEVER, 30.0)),
        void_alone_mean=hands.choice((NEVER, NEVER, 40.0)),
        close_alone_mean=hands.choice((NEVER, NEVER, 60.0)),
        decline=rng.choice((0.1, 0.3)),
        mischief=rng.choice((0.0, 0.15, 0.4)),
        trade=trade,
        gift_cards=0 if trade in {"cards", "after sales"} else shops.choice((2, 3, 4)),
        forgetful_office=hands.choice((0.0, 0.0, 0.0, 0.1)),
        errs=hands.choice((0.0, 0.0, 0.3)),
        elsewhere_mean=NEVER
        if trade in {"cards", "after sales"}
        else shops.choice((NEVER, 10.0, 40.0)),
    )


def _draw_makes(seed: int | str, count: int) -> tuple[MakeName, ...]:
    """Return the makes of a world's terminals; a seed like `pax/7` says them itself."""
    for make in MAKES:
        if make in str(seed).split("/"):
            return (make,) * count
    rng = random.Random(f"{seed}/makes")
    return tuple(rng.choices(MAKES, MAKE_WEIGHTS)[0] for _ in range(count))


def draw_plan(rng: random.Random, weather: Weather, *, calm: bool, in_parts: bool = False) -> Plan:
    """Return what happens at one payment; nothing odd when it is calm."""
    outcome = rng.choices(
        ("approve", "decline", "cancel", "walk_away", "remove_card_early", "refuse"),
        (1.0, weather.decline, 0.05, 0.03, 0.03, 0.03),
    )[0]
    mischief: tuple[Mischief, ...] = ()
    if not calm and rng.random() < weather.mischief:
        kind = rng.choice(weather.mischief_kinds)
        seconds = rng.choice((0.5, 4.0, 12.0, 30.0))
        mischief = (
            Mischief(
                kind=kind,
                at=rng.choice(PLACES),
                seconds=0.5 if kind == "trickle" else seconds,  # for each byte
                count=rng.choice((3, 40)),
                forget=rng.random() < weather.forget,
            ),
        )
    return Plan.model_validate(
        {
            "outcome": outcome,
            "code": rng.choice((0x05, 0x33, 0x6C, 0x9B)) if outcome == "decline" else 0x64,
            "seconds_to_card": rng.uniform(0.2, 4),
            "seconds_to_pin": rng.uniform(0.2, 2),
            "seconds_at_host": rng.choice((0.3, 1.0, 4.0)),
            "seconds_to_remove": rng.uniform(0.1, 1),
            "walk_away_seconds": 40.0,
            "entry": rng.choice(("contactless", "chip")),
            "brand": rng.choice(("girocard", "visa", "mastercard", "amex")),
            "signature": rng.random() < weather.signature,
            "partial_minor": rng.choice((1, 700, 3_000)) if in_parts else None,
            "abort": rng.choice(("obey", "obey", "refuse", "ignore", "approve_anyway")),
            "show_stages": rng.random() < 0.7,
            "whole_pan": rng.random() < 0.5,
            "mischief": mischief,
        }
    )

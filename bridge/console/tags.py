"""What a state is called at the console: a signal, a mark and a word, never a color alone. Pure.

Green: money can be taken, or is settled. Amber: wait, it may end by itself. Red: somebody must act.
Everything else has no color.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bridge.console.words import mark
from bridge.reports.outcome import Outcome
from drivers.contract import Stage

Signal = Literal["go", "wait", "act", "plain"]


@dataclass(frozen=True, slots=True)
class Tag:
    """A mark and a word; `text` is a message of the catalogues."""

    signal: Signal
    icon: str
    text: str


_RUNS: Final = "busy"
OUTCOMES: Final[dict[Outcome, Tag]] = {
    Outcome.QUEUED: Tag("plain", _RUNS, mark("In line")),
    Outcome.RUNNING: Tag("plain", _RUNS, mark("On the terminal")),
    Outcome.CANCELING: Tag("plain", _RUNS, mark("Canceling")),
    Outcome.CHECKING: Tag("wait", "wait", mark("Checking, do not charge again")),
    Outcome.DOUBT: Tag("act", "act", mark("In doubt, needs you")),
    Outcome.PAID: Tag("go", "go", mark("Paid")),
    Outcome.PAID_IN_PART: Tag("go", "go", mark("Paid in part")),
    Outcome.UNSIGNED: Tag("wait", "wait", mark("Paid, signature not checked")),
    Outcome.HELD: Tag("plain", "hold", mark("Held")),
    Outcome.HOLD_USED: Tag("plain", "hold", mark("Hold ended")),
    Outcome.RAISED: Tag("plain", "hold", mark("Hold raised")),
    Outcome.REFUNDED: Tag("plain", "back", mark("Refunded")),
    Outcome.UNDONE: Tag("plain", "back", mark("Undid a payment")),
    Outcome.VOIDED: Tag("plain", "back", mark("Paid, then undone")),
    Outcome.GIVEN_BACK: Tag("plain", "back", mark("Paid, then given back")),
    Outcome.TIPPED: Tag("go", "go", mark("Tip added")),
    Outcome.LOADED: Tag("go", "go", mark("Gift card filled")),
    Outcome.UNLOADED: Tag("plain", "back", mark("Taken off the gift card")),
    Outcome.DECLINED: Tag("plain", "none", mark("Declined, not charged")),
    Outcome.CANCELED: Tag("plain", "none", mark("Canceled, not charged")),
    Outcome.FAILED: Tag("plain", "none", mark("Failed, not charged")),
    Outcome.NOT_AFTER_ALL: Tag("plain", "none", mark("Not charged after all")),
    Outcome.CHARGED_AFTER_ALL: Tag("go", "go", mark("Charged after all")),
    Outcome.CONTRADICTION: Tag("act", "act", mark("Contradiction, needs you")),
}

NOT_YET: Final = Tag("plain", _RUNS, mark("Not yet"))
RECORDINGS: Final[dict[str, Tag]] = {
    "not_required": Tag("plain", "none", mark("Nothing to book")),
    "pending": Tag("plain", _RUNS, mark("Waits to be booked")),
    "recorded": Tag("go", "go", mark("Booked")),
    "unconfirmed": Tag("act", "act", mark("Booking unconfirmed")),
    "rejected": Tag("act", "act", mark("Paid, not booked")),
}

STAGES: Final[dict[Stage, str]] = {
    Stage.STARTING: mark("Starting"),
    Stage.WAITING_FOR_CARD: mark("Tap, insert or swipe"),
    Stage.CARD_PRESENTED: mark("Card is being read"),
    Stage.CARD_REMOVED_TOO_EARLY: mark("Card was removed too early"),
    Stage.TRY_AGAIN: mark("Card not read, again please"),
    Stage.SELECT_APPLICATION: mark("Shopper chooses the card"),
    Stage.ENTERING_TIP: mark("Shopper enters the tip"),
    Stage.ENTERING_PIN: mark("Shopper enters the PIN"),
    Stage.AUTHORIZING: mark("Asking the bank"),
    Stage.WAITING_FOR_SIGNATURE: mark("Waiting for the signature"),
    Stage.REMOVE_CARD: mark("Shopper takes the card"),
    Stage.PRINTING: mark("Receipt is printing"),
    Stage.FINISHING: mark("Finishing"),
}

TYPES: Final[dict[str, str]] = {
    "sale": mark("Sale"),
    "preauth": mark("Hold"),
    "increment": mark("Hold raised"),
    "capture": mark("Held money taken"),
    "refund": mark("Refund"),
    "void": mark("Void"),
    "tip_adjust": mark("Tip added"),
    "load": mark("Gift card filled"),
    "unload": mark("Taken off the gift card"),
}

# What a terminal's problem is to people, by its code; others are told in the code's own words.
PROBLEMS: Final[dict[str, str]] = {
    "starting": mark("The service looks for it. Wait a moment."),
    "connecting": mark("The service is connecting to it. Wait a moment."),
    "usb_removed": mark("The cable is off. Plug it in again; look at its power."),
    "not_found": mark("Its port is not there. Look at the cable and its power."),
    "no_permission": mark("The service may not open its port. Call the technician."),
    "in_use": mark("Another program has its port. Stop that program."),
    "refused": mark("It is on the network, and takes no connection. Restart it."),
    "unreachable": mark("It is not on the network. Look at its power and network."),
    "io_error": mark("The line to it broke. Look at cable and power."),
    "no_answer": mark("It does not answer. Restart it."),
    "wrong_device": mark("Another device answers at its place. Look which one is plugged in."),
    "terminal_maintenance": mark("It is busy with itself: an update, or a menu is open."),
    "terminal_not_ready": mark("It is switched on, and not ready yet. Look at its screen."),
    "terminal_silent": mark("It does not answer. Restart it."),
    "link_lost": mark("The line to it broke. Look at cable and power."),
    "host_unreachable": mark("It does not reach its bank. Look at its network."),
    "terminal_fault": mark("It reports a fault. Look at its screen."),
}

OPERATIONS: Final[dict[str, str]] = {
    "sale": mark("Take payments"),
    "refund": mark("Give money back"),
    "void": mark("Undo a payment"),
    "preauth": mark("Hold money"),
    "increment": mark("Raise a hold"),
    "capture": mark("Take held money"),
    "tip_adjust": mark("Add a tip afterwards"),
    "reconcile": mark("Close the day"),
    "totals": mark("Read totals without closing"),
    "display": mark("Show a text"),
    "diagnose": mark("Reach its host for a diagnosis"),
    "self_test": mark("Examine itself"),
    "last_transaction": mark("Tell its last payment"),
    "card_read": mark("Read a card without a payment"),
    "gift_redeem": mark("Take gift cards on the terminal"),
    "gift_load": mark("Fill gift cards on the terminal"),
}

# Why something is off, where the reason is worth a sentence: the operation, and what helps instead.
WITHOUT: Final[dict[str, str]] = {
    "refund": mark("This model or its contract gives nothing back. Give cash, or use another."),
    "void": mark("This model undoes nothing. Use a refund."),
    "preauth": mark("This model, or its settings here, holds no money."),
    "increment": mark("A hold cannot be raised. End it and hold again."),
    "capture": mark("Held money cannot be taken here."),
    "tip_adjust": mark("Tips are taken with the payment only."),
    "reconcile": mark("Its day is closed at the terminal, or by its network."),
    "totals": mark("It tells totals only when the day is closed."),
    "diagnose": mark("This model offers no diagnosis."),
    "self_test": mark("This model offers no self-test."),
    "last_transaction": mark("It cannot be asked for its last payment: doubts need a person."),
    "gift_redeem": mark("Not in its settings. Gift cards of the back office work."),
    "gift_load": mark("Not in its settings. Gift cards of the back office work."),
}

"""A HELLO terminal in software: for the driver's tests, and as a program on a pseudo-terminal.

    python -m driver_hello.terminal --pty /tmp/hello

It knows the lines and not the dialogue: its half of the rules is written a second time, so that a
misunderstanding shows as a quarrel.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tty
from dataclasses import asdict
from pathlib import Path

from driver_hello import messages as m

READ_BYTES_MAX = 4096

READY = m.Ready("H-0001", "SN-42", "HELLO mini", "1.0", "EUR")


class HelloTerminal:
    """One terminal and its memory; pure. `verdict` is what the shopper and the issuer do next.

    With "never", it waits for a card for ever.
    """

    def __init__(self, verdict: str = "paid", *, remembers: tuple[m.Paid | m.No, ...] = ()) -> None:
        self.verdict = verdict
        self.booked = False  # whether a payment became final since the start
        self.ledger: dict[str, m.Paid | m.No] = {said.reference: said for said in remembers}
        self._offer: m.Offer | None = None
        self._waiting = ""  # the reference of the payment that needs a card
        self._reader = m.LineReader()

    def receive(self, data: bytes) -> bytes:
        """Return what the terminal answers."""
        self._reader.feed(data)
        answers = [said for order in self._reader.messages() for said in self._obey(order)]
        return b"".join(m.encode(said) for said in answers)

    def _obey(self, order: m.Message) -> tuple[m.Message, ...]:
        match order:
            case m.Hello():
                return (READY,)
            case m.Pay("") | m.Keep("") | m.Stop("") | m.Ask(""):
                return ()  # about nothing
            case m.Pay(reference) if reference in self.ledger:
                return (self.ledger[reference],)
            case m.Pay() if self._open:
                return (self._close(order.reference, "busy", "One payment at a time"),)
            case m.Pay():
                return self._pay(order)
            case m.Keep(reference) if self._offer and self._offer.reference == reference:
                return (self._keep(self._offer),)
            case m.Stop(reference) if reference == self._open:
                return (self._close(reference, "stopped", "Stopped"),)
            case m.Keep(reference) | m.Ask(reference) if reference in self.ledger:
                return (self.ledger[reference],)
            case m.Ask(reference) if reference == self._open:
                return (m.Busy(reference),)
            case m.Keep(reference) | m.Ask(reference):
                return (self._close(reference, "unknown", "Never heard of it"),)
            case _:
                return ()

    @property
    def _open(self) -> str:
        """The reference of the payment that is not decided yet, "" if there is none."""
        return self._offer.reference if self._offer else self._waiting

    def _pay(self, order: m.Pay) -> tuple[m.Message, ...]:
        wait = m.Wait(order.reference, "card")
        match self.verdict:
            case "never":
                self._waiting = order.reference
                return (wait,)
            case "paid":
                receipt = f"{len(self.ledger) + 1:04d}"
                self._offer = m.Offer(
                    *(order.reference, order.amount_minor, order.currency),
                    *(receipt, "H3110", "visa", "1111"),
                )
                return (wait, m.Wait(order.reference, "pin"), self._offer)
            case code:
                return (wait, self._close(order.reference, code, code.capitalize()))

    def _keep(self, offer: m.Offer) -> m.Paid:
        self._offer, self.booked = None, True
        paid = m.Paid(
            *(offer.reference, offer.amount_minor, offer.currency, offer.receipt),
            *(offer.approval_code, offer.brand, offer.last4),
        )
        self.ledger[offer.reference] = paid
        return paid

    def _close(self, reference: str, code: str, text: str) -> m.No:
        """Say no, and keep to it: from now on this reference is never paid."""
        if reference == self._open:
            self._waiting, self._offer = "", None
        self.ledger[reference] = m.No(reference, code, text)
        return m.No(reference, code, text)


def main() -> None:
    """Be a terminal behind a link to a pseudo-terminal, until killed.

    Says on standard output where it is, and then what became of each payment, as lines of JSON.
    """
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m driver_hello.terminal")
    parser.add_argument("--pty", type=Path, required=True, metavar="LINK")
    parser.add_argument("--verdict", default="paid", help="paid, never, or a code of NO")
    arguments = parser.parse_args()
    master, slave = os.openpty()  # ours stays open, so that the bridge may come and go
    tty.setraw(slave)
    arguments.pty.unlink(missing_ok=True)
    arguments.pty.symlink_to(os.ttyname(slave))
    _tell({"pty": str(arguments.pty)})
    terminal = HelloTerminal(arguments.verdict)
    while True:
        known = set(terminal.ledger)
        os.write(master, terminal.receive(os.read(master, READ_BYTES_MAX)))
        for reference in terminal.ledger.keys() - known:
            said = terminal.ledger[reference]
            _tell({"said": type(said).__name__.upper(), **asdict(said)})


def _tell(fact: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""What a terminal shows and prints, in the languages it can be set to. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["de", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language. `titles` go by the kind of a transaction."""

    insert_card: str
    remove_card: str
    please_wait: str
    stopped_by_cashier: str
    stopped_by_shopper: str
    timed_out: str
    removed_too_early: str
    merchant_copy: str
    customer_copy: str
    titles: Mapping[str, str]
    date: str
    terminal: str
    transaction: str
    receipt: str
    card: str
    approval: str
    signature: str
    paid: str
    amount: str
    not_paid: str
    end_of_day: str
    total: str
    diagnosis: str
    passed: str
    failed: str
    decimal_point: str

    def amount_text(self, minor: int) -> str:
        """Return an amount as a receipt prints it."""
        return f"{minor // 100}{self.decimal_point}{minor % 100:02d}"


WORDS: dict[Language, Words] = {
    "de": Words(
        insert_card="Karte einstecken",
        remove_card="Karte entnehmen",
        please_wait="Bitte warten",
        stopped_by_cashier="Abbruch durch Kasse",
        stopped_by_shopper="Abbruch durch Kunde",
        timed_out="Zeit\u00fcberschreitung",
        removed_too_early="Karte zu fr\u00fch entnommen",
        merchant_copy="H\u00e4ndlerbeleg",
        customer_copy="Kundenbeleg",
        titles={
            "payment": "Kartenzahlung",
            "refund": "Gutschrift",
            "reservation": "Reservierung",
            "capture": "Buchung Reservierung",
            "reversal": "Storno",
            "tip": "Trinkgeld",
        },
        date="Datum",
        terminal="Terminal-ID",
        transaction="TA-Nr",
        receipt="BNr",
        card="Karte",
        approval="Genehmigung",
        signature="Unterschrift",
        paid="Zahlung erfolgt",
        amount="Betrag",
        not_paid="Vorgang abgebrochen",
        end_of_day="Kassenschnitt",
        total="Summe",
        diagnosis="Diagnose",
        passed="erfolgreich",
        failed="fehlgeschlagen",
        decimal_point=",",
    ),
    "en": Words(
        insert_card="Insert card",
        remove_card="Remove card",
        please_wait="Please wait",
        stopped_by_cashier="Stopped by cashier",
        stopped_by_shopper="Stopped by customer",
        timed_out="Timeout",
        removed_too_early="Card removed too early",
        merchant_copy="Merchant copy",
        customer_copy="Customer copy",
        titles={
            "payment": "Card payment",
            "refund": "Refund",
            "reservation": "Reservation",
            "capture": "Reservation booked",
            "reversal": "Reversal",
            "tip": "Tip",
        },
        date="Date",
        terminal="Terminal ID",
        transaction="Trace",
        receipt="Receipt",
        card="Card",
        approval="Approval",
        signature="Signature",
        paid="Payment approved",
        amount="Amount",
        not_paid="Transaction stopped",
        end_of_day="End of day",
        total="Total",
        diagnosis="Diagnosis",
        passed="passed",
        failed="failed",
        decimal_point=".",
    ),
}

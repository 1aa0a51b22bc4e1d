"""Receipts of our own: what they say, how wide they are, and what they never hold."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Literal

import pytest

from bridge.money import payment as p
from bridge.money.payment.signature import Signature
from bridge.money.store.records import HistoryLine, PaymentRecord
from bridge.register.receipts.receipt_documents import receipt_documents
from bridge.register.receipts.receipt_text import (
    Columns,
    ReceiptStyle,
    outlines_of,
    receipts_of,
    width_of,
)
from drivers import contract as c
from tests.unit.money.payment.test_machine import REQUEST

AT = "2026-11-23T12:00:00.000Z"


PAN = "4242424242424242"


VISA = c.Card("visa", "VISA", c.MaskedPan.of(PAN), "icc", "online_pin", "A0000000031010")


TAKEN = c.Approval(
    c.Money(4790, "EUR"),
    "T1/0001",
    terminal_id="29001006",
    transaction_id="0017",
    trace="000123",
    approval_code="123456",
    merchant_id="455600000000123",
    time_text="2026-11-23T13:00:02",
    tip=c.Money(290, "EUR"),
    card=VISA,
)


def paid(approval: c.Approval = TAKEN, language: str = "", **more: object) -> PaymentRecord:
    request = replace(REQUEST, language=language)
    payment = p.Payment(
        request, p.Status.APPROVED, p.Funds.CAPTURED, p.Recording.PENDING, approval=approval
    )
    payment = replace(payment, **more)  # type: ignore[arg-type]
    line = HistoryLine("approved", "", AT)
    return PaymentRecord(payment, 3, 3, AT, AT, (line,))


def style(columns: Columns) -> ReceiptStyle:
    return ReceiptStyle(("Musterladen Straßburg",), {"till-1": columns})


def test_a_receipt_in_forty_columns() -> None:
    customer, merchant = receipts_of(paid(), style(40))
    assert customer.lines == (
        "         Musterladen Straßburg",
        "",
        "             Customer copy",
        "              Card payment",
        "",
        "Date                 2026-11-23 13:00:02",
        "Terminal                        29001006",
        "Merchant no.             455600000000123",
        "Receipt no.                         0017",
        "Trace no.                         000123",
        "Card                                VISA",
        "Number                          ****4242",
        "Read                                chip",
        "AID                       A0000000031010",
        "Approval code                     123456",
        "----------------------------------------",
        "Tip included                    2.90 EUR",
        "Amount                         47.90 EUR",
        "----------------------------------------",
        "                Approved",
        "",
        "Payment",
        "    018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",
    )
    assert (merchant.copy, merchant.requires_signature, merchant.must_print) == (
        "merchant",
        False,
        False,
    )


def test_a_receipt_speaks_german_when_the_register_does() -> None:
    text = "\n".join(receipts_of(paid(language="de-DE"), style(40))[0].lines)
    assert "Kundenbeleg" in text
    assert re.search(r"Betrag +47,90 EUR", text)
    assert "davon Trinkgeld" in text


@pytest.mark.parametrize("columns", [32, 40, 48])
@pytest.mark.parametrize("language", ["de", "en"])
def test_no_line_is_wider_than_the_paper(columns: Columns, language: str) -> None:
    long = replace(VISA, label="Debit Mastercard of a bank with a very long name indeed, Ltd.")
    account = paid(replace(TAKEN, card=replace(long, verification="signature")), language)
    for document in receipt_documents(account, style(columns)).values():
        assert max(len(line) for line in document.lines) == document.columns == columns
    for document in receipt_documents(account, style(columns), duplicate=True).values():
        assert max(len(line) for line in document.lines) == columns


def test_a_signature_is_asked_for_and_printed_at_once() -> None:
    account = paid(replace(TAKEN, card=replace(VISA, verification="signature")))
    documents = receipt_documents(account, style(40))
    assert set(documents) == {"customer", "signature"}
    signed = documents["signature"]
    assert (signed.requires_signature, signed.must_print_now) == (True, True)
    assert "_" * 40 in signed.lines
    assert "Signature" in signed.lines
    assert "Signature" not in documents["customer"].lines
    assert not documents["customer"].must_print_now


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
@pytest.mark.parametrize("kind", p.PaymentType)
def test_every_kind_of_payment_has_a_heading(kind: p.PaymentType, language: str) -> None:
    account = paid(request=replace(REQUEST, language=language, type=kind))
    lines = receipt_documents(account, style(40))["customer"].lines
    assert kind.value not in [line.strip() for line in lines]


@pytest.mark.parametrize("number", [PAN, "4242 4242 4242 4242", "4242-4242-4242-4242"])
def test_no_receipt_holds_a_card_number_wherever_a_terminal_puts_it(number: str) -> None:
    account = paid(replace(TAKEN, card=replace(VISA, label=f"VISA {number}")))
    for document in receipt_documents(account, style(48)).values():
        text = document.model_dump_json()
        assert "4242" in text
        assert number not in text
        assert PAN not in re.sub(r"\D", "", text)


def test_letters_that_would_steer_a_printer_are_left_out() -> None:
    account = paid(replace(TAKEN, card=replace(VISA, label="VI\x1b@SA\n")))
    assert "Card                               VI@SA" in receipts_of(account, style(40))[0].lines


def test_what_the_terminal_wrote_is_not_touched() -> None:
    own = c.Receipt("customer", ("  THANKS  ", "x" * 60), must_print=True)
    account = paid(receipts=(own,))
    assert receipts_of(account, style(32)) == (own,)
    assert receipt_documents(account, style(32))["customer"].lines == own.lines


def test_a_duplicate_says_so_in_its_first_line() -> None:
    for account in (paid(), paid(receipts=(c.Receipt("customer", ("THANKS",)),))):
        document = receipt_documents(account, style(40), duplicate=True)["customer"]
        assert document.duplicate
        assert "DUPLICATE" in document.lines[0]
        plain = receipt_documents(account, style(40))["customer"]
        assert document.lines[2:] == plain.lines


@pytest.mark.parametrize("status", [one for one in p.Status if one is not p.Status.APPROVED])
def test_only_an_approval_makes_a_receipt(status: p.Status) -> None:
    assert receipts_of(paid(status=status), style(40)) == ()


def test_the_fields_say_what_the_text_says() -> None:
    fields = receipt_documents(paid(), style(40))["customer"].fields
    assert fields is not None
    assert fields.model_dump() == {
        "type": "sale",
        "amount": "47.90",
        "currency": "EUR",
        "tip_amount": "2.90",
        "surcharge_amount": None,
        "payment_brand_label": "VISA",
        "masked_pan": "************4242",
        "entry_mode": "icc",
        "cardholder_verification": "online_pin",
        "aid": "A0000000031010",
        "terminal_id": "29001006",
        "merchant_id": "455600000000123",
        "transaction_id": "0017",
        "trace": "000123",
        "approval_code": "123456",
        "time_stamp": "2026-11-23T13:00:02",
    }


def test_a_slip_that_the_terminal_could_not_mark_is_the_merchants_and_printed_at_once() -> None:
    printed = (c.Receipt("customer", ("for you",)), c.Receipt("merchant", ("sign here",)))
    account = paid(replace(TAKEN, card=replace(VISA, verification="signature")), receipts=printed)
    documents = receipt_documents(account, style(40))
    assert {name: one.lines for name, one in documents.items()} == {
        "customer": ("for you",),
        "signature": ("sign here",),
    }
    assert documents["signature"].must_print_now
    assert not documents["customer"].must_print_now


def test_a_slip_that_the_terminal_marked_is_printed_at_once_whatever_it_says() -> None:
    slip = c.Receipt("merchant", ("sign here",), requires_signature=True)
    account = paid(receipts=(c.Receipt("customer", ("for you",)), slip))
    account = replace(account, payment=replace(account.payment, signature=Signature.ASKED))
    documents = receipt_documents(account, style(40))
    assert documents["signature"].lines == ("sign here",)
    assert documents["signature"].must_print_now


def test_a_terminal_that_wrote_no_slip_gets_ours() -> None:
    printed = (c.Receipt("customer", ("for you",)),)
    account = paid(replace(TAKEN, card=replace(VISA, verification="signature")), receipts=printed)
    documents = receipt_documents(account, style(32))
    assert documents["customer"].lines == ("for you",)
    assert "_" * 32 in documents["signature"].lines
    assert documents["signature"].must_print_now


def test_a_plain_payments_receipts_are_the_terminals_own() -> None:
    printed = (c.Receipt("customer", ("for you",)), c.Receipt("merchant", ("for us",)))
    assert receipts_of(paid(receipts=printed), style(40)) == printed


def untold(*lines: str) -> c.Receipt:
    return c.Receipt("administration", lines)


def test_two_receipts_that_nothing_tells_apart_are_the_merchants_and_then_the_customers() -> None:
    documents = receipt_documents(paid(receipts=(untold("one"), untold("two"))), style(40))
    assert {copy: one.lines for copy, one in documents.items()} == {
        "merchant": ("one",),
        "customer": ("two",),
    }


@pytest.mark.parametrize("copy", ["customer", "merchant", "administration"])
def test_two_receipts_of_one_copy_lose_no_line(
    copy: Literal["customer", "merchant", "administration"],
) -> None:
    first = replace(untold("one"), copy=copy)
    second, third = replace(first, lines=("two",)), replace(first, lines=("three",))
    documents = receipt_documents(paid(receipts=(first, second, third, second)), style(40))
    assert documents[copy].lines == ("one", "", "two", "", "three")


def test_what_was_printed_twice_stands_there_once() -> None:
    own = c.Receipt("customer", ("THANKS",))
    documents = receipt_documents(paid(receipts=(own, own)), style(40))
    assert documents["customer"].lines == ("THANKS",)
    both = receipt_documents(paid(receipts=(untold("one"), untold("one"))), style(40))
    assert both["administration"].lines == ("one",)


def _any_text(rng: random.Random) -> str:
    letters = "ab ÄßW\t.-/漢🙂" + "\u00a0"
    return "".join(rng.choice(letters) for _ in range(rng.choice((0, 1, 9, 31, 48, 60, 130))))


def _any_record(rng: random.Random) -> tuple[PaymentRecord, ReceiptStyle]:
    columns: Columns = rng.choice((32, 40, 48))
    card = c.Card(
        rng.choice(("visa", "")),
        _any_text(rng),
        rng.choice((None, c.MaskedPan.of(PAN))),
        rng.choice(("icc", "", "odd")),
        rng.choice(("signature", "online_pin", "")),
        _any_text(rng),
    )
    approval = replace(
        TAKEN,
        card=card,
        terminal_id=_any_text(rng),
        transaction_id=_any_text(rng),
        trace=_any_text(rng),
        approval_code=_any_text(rng),
        merchant_id=_any_text(rng),
        time_text=rng.choice(("2026-11-23T13:00:02", "", _any_text(rng))),
        extra={"balance_after": rng.choice(("", "12.30", _any_text(rng)))},
    )
    printed = tuple(
        c.Receipt(
            rng.choice(("customer", "merchant", "administration")),
            tuple(_any_text(rng) for _ in range(rng.randint(0, 3))),
            requires_signature=rng.random() < 0.3,
            must_print=rng.random() < 0.3,
        )
        for _ in range(rng.choice((0, 0, 0, 1, 2, 3)))
    )
    record = paid(
        approval,
        rng.choice(("", "de", "en", "fr-CH")),
        receipts=printed,
        signature=rng.choice((None, Signature.ASKED)),
        status=rng.choice((p.Status.APPROVED, p.Status.APPROVED, p.Status.DECLINED)),
    )
    heading = tuple(_any_text(rng) for _ in range(rng.randint(0, 2)))
    return record, ReceiptStyle(heading, {"till-1": columns})


def test_an_outline_is_the_receipt_but_for_its_lines() -> None:
    rng = random.Random(7)
    for _ in range(3_000):
        record, how = _any_record(rng)
        whole, outlines = receipts_of(record, how), outlines_of(record, how)
        assert [replace(one, lines=()) for one in outlines] == [
            replace(one, lines=()) for one in whole
        ]
        assert [width_of(one) for one in outlines] == [width_of(one) for one in whole]

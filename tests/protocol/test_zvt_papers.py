"""What terminals print and say where they use no tag for it: copies, signatures, texts, letters."""

from __future__ import annotations

from typing import Literal

import pytest

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import decode_text
from drivers.zvt.mapping.receipts import ReceiptPaper
from tests.protocol.test_zvt_dialogue import YES, finals, paying

Copy = Literal["customer", "merchant", "administration"]


def printed(*lines: str, information: int | None = None) -> c.Receipt:
    block = m.PrintBlock(tuple((0, line) for line in lines), information=information, closes=True)
    (receipt,) = ReceiptPaper().add(block)
    return receipt


@pytest.mark.parametrize(
    ("heading", "copy"),
    [
        ("H-Ä-N-D-L-E-R-B-E-L-E-G", "merchant"),
        ("* * *  H-Ä-N-D-L-E-R  * * *", "merchant"),
        ("   K U N D E N B E L E G   ", "customer"),
        ("K-U-N-D-E-N", "customer"),
        ("k.u.n.d.e.n  b.e.l.e.g", "customer"),
        ("M E R C H A N T   C O P Y", "merchant"),
        ("** Kundenbeleg **", "customer"),
        ("Merchant receipt", "merchant"),
        ("K-A-R-T-E-N-Z-A-H-L-U-N-G", "administration"),
        ("S U M M E", "administration"),
        ("12 - 11 - 10 - 09", "administration"),
        ("Danke, lieber Kunde", "administration"),
    ],
)
def test_a_copy_is_told_by_its_heading(heading: str, copy: Copy) -> None:
    assert printed("Markt am Platz", heading, "EUR 20,40").copy == copy


@pytest.mark.parametrize(
    ("lines", "signed"),
    [
        (("Unterschrift:", "________________"), True),
        (("X _ _ _ _ _ _ _ _ _ _", "Cardholder signature"), True),
        (("................", "Unterschrift Karteninhaber"), True),
        (("Unterschrift nicht erforderlich", "________________"), False),
        (("No signature required", "________________"), False),
        (("Signature:",), False),
        (("________________",), False),
        (("--------------------", "Unterschrift"), False),
    ],
)
def test_a_line_to_sign_on_asks_for_a_signature(lines: tuple[str, ...], signed: bool) -> None:
    assert printed("Händlerbeleg", *lines).requires_signature is signed


def test_what_the_terminal_itself_says_of_the_signature_wins() -> None:
    form = ("Unterschrift:", "________________")
    assert not printed(*form, information=0x01).requires_signature
    assert printed("kurz", information=0x03).requires_signature


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße €".encode(), "Grüße €"),
        ("Grüße".encode("cp437"), "Grüße"),
        ("Grüße".encode("iso8859-1"), "Grüße"),
        (b"plain", "plain"),
    ],
)
def test_untold_letters_are_guessed(data: bytes, text: str) -> None:
    assert decode_text(data, "auto") == text


@pytest.mark.parametrize("code", ["FF", "A0"])
def test_a_stage_of_the_makers_own_keeps_its_text_and_the_stage_before(code: str) -> None:
    desk = paying()
    desk.hear("04 FF 01 17")
    text = "06 06 24 04 07 02 48 69"
    assert desk.hear(f"04 FF {2 + len(bytes.fromhex(text)):02X} {code} 00 {text}") == YES
    assert desk.last == c.Progress(c.Stage.AUTHORIZING, "Hi")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("3C F0 F0 F4 47 65 68 74", "Geht"),
        ("06 07 1F 17 04 47 65 68 74", "Geht"),
        ("06 0F 24 06 07 04 5A 75 65 72 1F 17 04 47 65 68 74", "Zuer"),
    ],
)
def test_an_abort_is_told_in_the_terminals_words(more: str, text: str) -> None:
    desk = paying()
    data = f"FF {more}"
    desk.hear(f"06 1E {len(bytes.fromhex(data)):02X} {data}")
    (failed,) = finals(desk.events)
    assert isinstance(failed, c.Failed)
    assert failed.text == text


def test_a_payment_without_words_ends_as_before() -> None:
    desk = paying()
    desk.hear("06 1E 01 6C")
    assert isinstance(desk.last, c.Canceled)

"""Gift cards, balances and the newest record in the PAX dialogue, by literal frames."""

import pytest

from drivers.contract import (
    Approval,
    Card,
    CardBalance,
    LastTransaction,
    LoadGift,
    MaskedPan,
    Money,
    Operation,
    Pay,
    ReadBalance,
    ReadLast,
    Reverse,
    TerminalEvent,
    Unclear,
)
from drivers.pax import PaxSettings
from tests.protocol.pax_talks import (
    ABSENT,
    MOMENT,
    PAYMENT,
    REF,
    USD10,
    converse,
    gift_result,
    record,
)

NO_COUNT = "the report does not say how many records there are"
GIFTED = Approval(
    USD10,
    fingerprint=f"4/OLDER/{MOMENT}",
    transaction_id="4",
    extra={"href": "900004", "tender": "gift", "type": "01"},
)
GIFT_CARD = Card(masked_pan=MaskedPan("0098"), entry_mode="magstripe")


@pytest.mark.parametrize(
    ("operation", "sent"),
    [
        (Pay(PAYMENT, USD10, gift=True), f"T06|1.35|01|1000||{REF}||TIPREQ=0"),
        (LoadGift(PAYMENT, USD10), f"T06|1.35|10|1000||{REF}||TIPREQ=0"),
        (ReadBalance(), "T06|1.35|23|||BALANCE||TIPREQ=0"),
        (Reverse(PAYMENT, GIFTED), f"T06|1.35|16|||{REF}^^^4||HREF=900004"),
    ],
)
def test_a_gift_card_is_asked_for_as_the_captured_clients_do(
    operation: Operation, sent: str
) -> None:
    assert converse(operation, {}, settings=PaxSettings(gift=True))[1] == [sent]


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ("0^0^0^0^0^0^2500", CardBalance(Money(2500, "USD"), GIFT_CARD)),
        ("0^0^0^0^0^0^0^17", CardBalance(Money(0, "USD"), GIFT_CARD)),
        ("2500", Unclear("unreadable", "the answer holds no balance")),
        ("", Unclear("unreadable", "the answer holds no balance")),
    ],
)
def test_a_balance_is_told_only_from_its_own_field(amounts: str, told: TerminalEvent) -> None:
    script = {"T06": gift_result("23", amounts, "BALANCE")}
    assert converse(ReadBalance(), script, settings=PaxSettings(gift=True))[0][-1] == told  # type: ignore[arg-type]  # a plain text is a script


def test_a_balance_of_a_payment_is_no_answer_to_a_payment() -> None:
    told, _ = converse(
        Pay(PAYMENT, USD10, gift=True),
        {"T06": gift_result("23", "1000^0^^^^^2500")},
        settings=PaxSettings(gift=True),
    )
    assert isinstance(told[-1], Unclear)


@pytest.mark.parametrize(
    ("first", "last", "newest"),
    [("20261123070000", "20261123080000", "9"), ("20261123080000", "20261123070000", "1")],
)
def test_the_newest_record_is_the_later_end_of_the_batch(
    first: str, last: str, newest: str
) -> None:
    script: dict[str, str | list[str]] = {
        "R02 0": record("ONE", number="1", position="0", moment=first),
        "R02 1": record("NINE", number="9", position="1", moment=last),
    }
    told, sent = converse(ReadLast(), script)
    assert sent == ["R02|1.35|00|||0||||", "R02|1.35|00|||1||||"]
    assert isinstance(told[-1], LastTransaction)
    assert told[-1].approval is not None
    assert told[-1].approval.transaction_id == newest


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (ABSENT, LastTransaction(None)),
        (record(host="05^DECLINED", amount="0", total="1"), LastTransaction(None, "05 DECLINED")),
        (record(kind="16", total="1"), LastTransaction(None, "voided: APPROVAL")),
        (record(amount="", total="1"), LastTransaction(None, "APPROVAL")),
        (record(total=""), Unclear("unreadable", NO_COUNT)),
        ("0|R03|1.35|100027|UNSUPPORTED", Unclear("report_refused", "100027 UNSUPPORTED")),
    ],
)
def test_a_newest_record_that_took_no_money_is_told_in_words(
    answer: str, told: TerminalEvent
) -> None:
    assert converse(ReadLast(), {"R02": answer})[0] == [told]

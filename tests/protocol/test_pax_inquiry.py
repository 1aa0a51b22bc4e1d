"""What the PAX dialogue concludes from reports, and what it reads without money."""

import pytest

from drivers.contract import (
    AdjustTip,
    Approval,
    Approved,
    Baseline,
    BatchTotals,
    Capture,
    Declined,
    EndOfDay,
    Failed,
    Inquire,
    Money,
    Probe,
    Reverse,
    StillRunning,
    TerminalEvent,
    TerminalNotReady,
    TerminalReady,
    Unclear,
)
from drivers.pax import PaxSettings
from drivers.pax.conversation.dialogue import PaxDialogue
from tests.protocol.pax_talks import (
    ABSENT,
    BACK,
    FOUND,
    HOLD,
    MOMENT,
    OLDER,
    PAY,
    PAYMENT,
    READY,
    REF,
    SEEN,
    STOPPED,
    USD10,
    WITNESS,
    converse,
    final,
    record,
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"R02": record()}, Approved),
        ({"R02": record(host="05^DECLINED", amount="0")}, Declined),
        ({"R02": record(kind="16", original="01")}, Failed),
        ({"R02": [ABSENT, record()], "A14": STOPPED}, Approved),
        ({f"R02 {REF}": ABSENT, "R02 OLDER": WITNESS, "R02 1": ABSENT, "A14": STOPPED}, Failed),
        ({f"R02 {REF}": ABSENT, "R02 OLDER": WITNESS, "R02 1": ABSENT, "A14": "EOT"}, Failed),
        ({f"R02 {REF}": ABSENT, "R02 OLDER": WITNESS, "R02 1": ABSENT, "A14": ""}, Failed),
        # a record that looks like ours, but has another reference
        (
            {f"R02 {REF}": ABSENT, "R02 OLDER": WITNESS, "R02 1": record("X"), "A14": STOPPED},
            Unclear,
        ),
        # the same, of another amount
        (
            {
                f"R02 {REF}": ABSENT,
                "R02 OLDER": WITNESS,
                "R02 1": record("X", amount="99"),
                "R02 2": ABSENT,
                "A14": STOPPED,
            },
            Failed,
        ),
        # the witness is gone, or another transaction has its number
        ({"R02": ABSENT, "A14": STOPPED}, Unclear),
        (
            {f"R02 {REF}": ABSENT, "R02 OLDER": record("OLDER", number="9"), "A14": STOPPED},
            Unclear,
        ),
        # the terminal cannot report
        ({"R02": "0|R03|1.35|100027|UNSUPPORTED", "A14": STOPPED}, Unclear),
        ({"R02": "0|R03|1.35|100023|UNKNOWN", "A14": STOPPED}, Unclear),
        ({"R02": record("X"), "A14": STOPPED}, Unclear),
        ({"R02": "EOT", "A14": STOPPED}, StillRunning),
        ({"R02": "", "A14": ""}, StillRunning),
    ],
)
def test_only_the_report_decides(script: dict[str, str | list[str]], expected: type) -> None:
    told, sent = converse(Inquire(PAY, SEEN), script)
    assert type(told[-1]) is expected
    assert len(told) == 1
    assert not any(command.startswith("T") for command in sent)


def test_a_serial_line_reads_everything_but_an_approval_twice() -> None:
    once: dict[str, str | list[str]] = {"R02": [ABSENT, ABSENT, record()], "A14": STOPPED}
    assert isinstance(final(Inquire(PAY, SEEN), once, serial=True), Approved)
    declined = record(host="05^DECLINED", amount="")
    assert isinstance(final(Inquire(PAY, SEEN), {"R02": declined}, serial=True), Declined)
    differing: dict[str, str | list[str]] = {"R02": [declined, record()]}
    assert final(Inquire(PAY, SEEN), differing, serial=True) == Unclear(
        "unreadable", "two readings of the record differ"
    )


def test_nothing_is_absent_without_a_witness() -> None:
    script: dict[str, str | list[str]] = {"R02": ABSENT, "A14": STOPPED}
    for baseline in (None, Baseline("")):
        assert isinstance(final(Inquire(PAY, baseline), script), Unclear)


def test_an_offer_that_is_no_longer_there_is_voided_or_unclear() -> None:
    offer = Approval(Money(400, "USD"), fingerprint=f"5/{REF}/{MOMENT}")
    voided = {f"R02 {REF}": ABSENT, f"R02 {BACK}": record(BACK, kind="16"), "A14": STOPPED}
    assert isinstance(final(Inquire(PAY, SEEN, offer), dict(voided)), Declined)
    gone: dict[str, str | list[str]] = {"R02": ABSENT, "A14": STOPPED}
    assert final(Inquire(PAY, SEEN, offer), gone) == Unclear("offer_not_found")


@pytest.mark.parametrize(
    ("about", "original", "expected"),
    [
        (Reverse(PAYMENT, OLDER), record("OLDER", kind="16", original="01", number="4"), Approved),
        (Reverse(PAYMENT, OLDER), record("OLDER", number="4"), Failed),
        (Reverse(PAYMENT, OLDER), record("OLDER", kind="99", number="4"), Unclear),
        (Reverse(PAYMENT, OLDER), ABSENT, Unclear),
        (Capture(PAYMENT, USD10, HOLD), record("OLDER", kind="03", number="4"), Failed),
        (Capture(PAYMENT, USD10, HOLD), record("OLDER", kind="04", number="4"), Approved),
        (AdjustTip(PAYMENT, Money(200, "USD"), OLDER), record("OLDER", amount="1000^0^0"), Failed),
        (
            AdjustTip(PAYMENT, Money(200, "USD"), OLDER),
            record("OLDER", amount="1200^0^200"),
            Approved,
        ),
        (AdjustTip(PAYMENT, Money(200, "USD"), OLDER), record("OLDER", amount="9^0^7"), Unclear),
    ],
)
def test_the_earlier_transaction_tells_of_what_was_done_to_it(
    about: Reverse | Capture | AdjustTip, original: str, expected: type
) -> None:
    script = {f"R02 {REF}": ABSENT, "R02 OLDER": original, "A14": STOPPED}
    assert type(final(Inquire(about, None), dict(script))) is expected


# --- upkeep


def test_the_probe_reads_identity_and_one_record() -> None:
    told, sent = converse(Probe(), {"A00": READY, "R02": WITNESS})
    assert sent == ["A00|1.35|", "R02|1.35|00|||0||||"]
    ready = told[-1]
    assert isinstance(ready, TerminalReady)
    assert (ready.serial_number, ready.model, ready.firmware) == ("5A123456", "S300", "OS1")
    assert ready.baseline == Baseline(FOUND)


@pytest.mark.parametrize(("report", "baseline"), [(ABSENT, Baseline("")), ("EOT", None)])
def test_a_probe_without_records_is_still_ready(report: str, baseline: Baseline | None) -> None:
    ready = final(Probe(), {"A00": READY, "R02": report})
    assert isinstance(ready, TerminalReady)
    assert ready.baseline == baseline


def test_a_terminal_that_refuses_to_initialise_is_not_ready() -> None:
    refused = {"A00": "0|A01|1.35|100025|PLEASE SETTLE"}
    assert final(Probe(), dict(refused)) == TerminalNotReady(
        "terminal_maintenance", "100025 PLEASE SETTLE"
    )
    assert final(Probe(), {}) == Unclear("no_answer")


def test_totals_count_sales_captures_and_returns() -> None:
    row = "2=3000=0=0=1=500=1=9000=1=700&1=400=0=0"
    told, sent = converse(EndOfDay(close=False), {"R00": f"0|R01|1.35|000000|OK|00|{row}"})
    assert sent == ["R00|1.35|00|"]
    totals = told[-1]
    assert isinstance(totals, BatchTotals)
    assert totals.total == Money(3600, "USD")
    assert [(line.brand, line.count, line.amount.minor) for line in totals.lines] == [
        ("credit", 3, 3700),
        ("credit returns", 1, 500),
        ("debit", 1, 400),
    ]


@pytest.mark.parametrize(
    ("row", "net", "lines"),
    [
        ("&&&1=500=1=200", 300, [("gift", 500), ("gift returns", 200)]),
        ("&&&0=0=1=200", -200, [("gift returns", 200)]),
        ("1=1000&&&0=0=1=200", 800, [("credit", 1000), ("gift returns", 200)]),
        ("&&&&1=300=1=100&1=50=1=70", 180, None),
    ],
)
def test_what_any_tender_gave_back_counts_against(
    row: str, net: int, lines: list[tuple[str, int]] | None
) -> None:
    open_batch = final(EndOfDay(close=False), {"R00": f"0|R01|1.35|000000|OK|00|{row}"})
    assert isinstance(open_batch, BatchTotals)
    assert open_batch.net_minor == net
    if lines is not None:
        assert [(line.brand, line.amount.minor) for line in open_batch.lines] == lines


def test_a_tender_that_gave_back_more_than_it_took_is_closed_with_its_sign() -> None:
    answer = "0|B01|1.35|000000|OK|00^CLOSED^^^^7|1=0=0=1|1000=0=0=-1200|"
    closed = final(EndOfDay(), {"B00": answer})
    assert isinstance(closed, BatchTotals)
    assert (closed.net_minor, closed.total) == (-200, Money(200, "USD"))
    assert [(line.brand, line.amount.minor) for line in closed.lines] == [
        ("credit", 1000),
        ("gift returns", 1200),
    ]


def test_an_end_of_day_tells_its_batch_and_its_time() -> None:
    answer = "0|B01|1.35|000000|OK|00^CLOSED^^^^7|1=0|1000=0|20261123220102|T1|M1"
    totals = final(EndOfDay(), {"B00": answer})
    assert isinstance(totals, BatchTotals)
    assert (totals.closed, totals.batch, totals.time_text) == (True, "7", "2026-11-23T22:01:02")
    assert totals.total == Money(1000, "USD")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("0|B01|1.35|100003|NO TRANS AVAILABLE", BatchTotals(closed=True, total=Money(0, "USD"))),
        (
            "0|B01|1.35|100007|CONNECT ERROR",
            Failed("100007", "CONNECT ERROR", "host_unreachable"),
        ),
        ("0|B01|1.35|100006|BATCH FAILED", Unclear("refused", "100006 BATCH FAILED")),
        ("0|B01|1.35|100009|RECEIVE ERROR", Unclear("refused", "100009 RECEIVE ERROR")),
        ("0|B01|1.35|100001|TIMEOUT", Unclear("refused", "100001 TIMEOUT")),
        ("0|B01|1.35|100002|ABORTED", Unclear("refused", "100002 ABORTED")),
        (
            "0|B01|1.35|000000|OK|91^HOST DOWN|1=0|1000=0",
            Unclear("contradiction", "000000 with host code 91"),
        ),
    ],
)
def test_a_batch_that_was_not_closed_is_told_only_with_proof(
    answer: str, told: TerminalEvent
) -> None:
    assert final(EndOfDay(), {"B00": answer}) == told


def test_a_closing_whose_answer_is_lost_is_unclear_and_not_repeated() -> None:
    told, sent = converse(EndOfDay(), {"B00": ""})
    assert told == [Unclear("no_answer")]
    assert sent == ["B00|1.35|"]
    dialogue = PaxDialogue(PaxSettings(), "tcp")
    dialogue.begin(EndOfDay(), 0)
    step = dialogue.timeout(3.0)
    assert (step.send, step.events) == (b"", (Unclear("no_answer"),))

"""The certificate says what was judged, and claims nothing that was not seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from simulators.conformance import Finding, Report, Verdict, certificate

RIGHT = Finding("approve", Verdict.RIGHT, "acknowledged the final document (approved)")
ALWAYS = Finding("always", Verdict.RIGHT, "retains no command")
HIDDEN = Finding("partial", Verdict.NOT_SHOWN, "was not seen to accept part payments")
WRONG = Finding("in doubt", Verdict.WRONG, "a second payment_id for 12.50")
REPORT = Report(
    register_id="till-1",
    software="MyTill 7.2",
    played_at=datetime(2026, 3, 2, 9, 13, 41, tzinfo=UTC),
    scenarios=("approve", "partial"),
    findings=(RIGHT, HIDDEN, ALWAYS),
)


def test_a_certificate_says_who_what_when_and_what_it_does_not_cover() -> None:
    text = certificate(REPORT)

    assert text.startswith("CERTIFICATE\n")
    for words in (
        "till-1, MyTill 7.2",
        "register API 1.",
        "2026-03-02 09:13 UTC, 2 of ",
        "seen       approve\n",
        "till-1 keeps the contract: 2 right, 0 wrong, 1 not shown.",
        "What this says nothing about:\n  was not seen to accept part payments (partial)",
        "a person must look",
    ):
        assert words in text


def test_a_register_that_did_something_wrong_gets_none_and_reads_what_to_change() -> None:
    again = replace(WRONG, scenario="silence")
    report = replace(REPORT, findings=(*REPORT.findings, WRONG, again), software="")

    text = certificate(report)

    assert text.startswith("NO CERTIFICATE\n")
    assert "till-1, which does not say what it runs" in text
    assert "till-1 does not keep the contract: 2 right, 2 wrong, 1 not shown." in text
    assert "What is wrong:\n  a second payment_id for 12.50 (in doubt, silence)" in text


@pytest.mark.parametrize("findings", [(), (HIDDEN,), (RIGHT, WRONG)])
def test_nothing_right_or_anything_wrong_is_no_certificate(findings: tuple[Finding, ...]) -> None:
    assert certificate(replace(REPORT, findings=findings)).startswith("NO CERTIFICATE")

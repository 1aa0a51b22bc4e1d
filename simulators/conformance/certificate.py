"""The end of a conformance run in words: a certificate, or what is in its way. Pure."""

from __future__ import annotations

from bridge import __version__
from bridge.register.api.fields import SPEC
from simulators.conformance.findings import Finding, Report, Verdict
from simulators.conformance.scenarios import SCENARIOS


def certificate(report: Report) -> str:
    """Return what to hand to whoever asks whether the register keeps the contract.

    It names what it does not cover, so that nobody reads more out of it.
    """
    found = {verdict: _of(report, verdict) for verdict in Verdict}
    shown = [name for name in report.scenarios if any(_shows(one, name) for one in report.findings)]
    lines = [
        "CERTIFICATE" if report.is_kept else "NO CERTIFICATE",
        "",
        f"  register   {report.register_id}"
        + (f", {report.software}" if report.software else ", which does not say what it runs"),
        f"  contract   paybridge register API {SPEC}, judged by paybridge {__version__}",
        f"  played     {report.played_at:%Y-%m-%d %H:%M} UTC, "
        f"{len(report.scenarios)} of {len(SCENARIOS)} scenarios",
        f"  seen       {', '.join(shown) or 'nothing'}",
        "",
    ]
    counted = ", ".join(f"{len(part)} {verdict.value}" for verdict, part in found.items())
    verdict = "keeps" if report.is_kept else "does not keep"
    lines.append(f"{report.register_id} {verdict} the contract: {counted}.")
    lines += _listed("What is wrong", found[Verdict.WRONG])
    lines += _listed("What this says nothing about", found[Verdict.NOT_SHOWN])
    if report.is_kept:
        lines += [
            "",
            "Only what can be seen at the broker was judged: whether the cashier is shown the",
        ]
        lines += ["right words, a person must look at."]
    return "\n".join(lines)


def _of(report: Report, verdict: Verdict) -> list[Finding]:
    return [finding for finding in report.findings if finding.verdict is verdict]


def _shows(finding: Finding, scenario: str) -> bool:
    return finding.scenario == scenario and finding.verdict is not Verdict.NOT_SHOWN


def _listed(title: str, findings: list[Finding]) -> list[str]:
    """Return each sentence once, with the scenarios that it was said in."""
    if not findings:
        return []
    said: dict[str, list[str]] = {}
    for one in findings:
        said.setdefault(one.text, []).append(one.scenario)
    return ["", f"{title}:", *(f"  {text} ({', '.join(where)})" for text, where in said.items())]

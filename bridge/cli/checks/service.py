"""The running service, asked over its own socket for what it holds and what is in its way."""

from __future__ import annotations

from pathlib import Path

from bridge.cli.checks.findings import Finding, found
from bridge.cli.checks.terminals import Served
from bridge.config import CONTROL_NAME
from bridge.control import ask

SAID_ELSEWHERE = ("no terminal can take a payment",)  # each terminal has a finding of its own


def not_running(base_topic: str) -> Finding:
    """Say that nothing serves here, so that a good check is not taken for a working store."""
    return found("service_not_running", f"serving {base_topic}", "the service is not running")


async def service(state: Path, base_topic: str) -> tuple[Served | None, list[Finding]]:
    """Ask the service that has the journal; None where it does not answer."""
    what, path = f"serving {base_topic}", state / CONTROL_NAME
    try:
        answer = await ask(path, {"do": "status"})
        obstacles = await ask(path, {"do": "obstacles"})
    except (OSError, ValueError, TimeoutError) as error:
        text = f"the running service cannot be asked: {str(error) or 'no answer in time'}"
        return None, [found("service_silent", what, text, file=str(path))]
    if not answer.get("ok"):  # of another version
        text = f"the running service does not know this question: {answer.get('message')}"
        return None, [found("service_silent", what, text, file=str(path))]
    health = answer["health"]
    stops = tuple(obstacles.get("obstacles", ()))
    findings = [found("service_obstacle", what, text) for text in stops]
    said = [one for one in health["reasons"] if one not in stops]
    said = [one for one in said if not one.startswith(SAID_ELSEWHERE)]
    findings += [found("service_warning", what, text) for text in said]
    if not findings:
        findings.append(found("service_runs", what, "runs, and nothing is in its way"))
    return Served(answer["terminals"]), findings

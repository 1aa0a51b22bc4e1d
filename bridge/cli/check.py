"""`paybridge check`: tries everything a technician set up, and says what to do. Moves no money.

What the running service holds (a port, a terminal) it is asked for; all else is tried for real:
the broker with a client of our own, the terminals by a question without money, the provider and
the back office as the service talks to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bridge import config as cfg
from bridge.adapters import new_id, utc_now
from bridge.cli.checks import broker, files, journal, machine, office, service, terminals
from bridge.cli.checks.findings import Finding, located
from bridge.discovery.serial_ports import Connect
from bridge.terminal.transport import open_line


async def check(
    config: cfg.Config,
    environment: Mapping[str, str],
    *,
    configuration: Path = Path(),
    connect: Connect = open_line,
    root: Path = Path("/"),
) -> list[Finding]:
    """Return what was found, in the order in which it matters.

    `configuration` is the file that the settings stand in, `root` where the system's files lie.
    """
    environment = files.with_credentials(environment)
    loop = asyncio.get_running_loop()
    state = config.site.state_directory
    facts = await loop.run_in_executor(None, journal.journal, state)
    served, findings = None, list(facts.findings)
    if facts.running:
        served, said = await service.service(state, config.mqtt.base_topic)
        findings += said
    else:
        findings.append(service.not_running(config.mqtt.base_topic))
    findings += await loop.run_in_executor(None, files.secrets, config, environment)
    tried = [
        broker.broker(config, environment, running=facts.running, now=utc_now(), nonce=new_id()),
        _terminals(config, served, running=facts.running, connect=connect),
    ]
    if config.back_office is not None:
        tried.append(office.back_office(config, config.back_office, environment))
    for some in await asyncio.gather(*tried):
        findings += some
    findings += await loop.run_in_executor(None, machine.grabbers, root)
    return located(findings, str(configuration) if configuration.name else "")


async def _terminals(
    config: cfg.Config, served: terminals.Served | None, *, running: bool, connect: Connect
) -> list[Finding]:
    if running and served is None:
        return []  # the service has the lines, and does not answer: its own finding says so
    return await terminals.terminals(config, served, connect=connect)

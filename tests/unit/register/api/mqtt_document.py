"""Keeps the guide for register developers true: tables from the code, examples from the models.

`python -m tests.unit.register.api.mqtt_document --write` brings it up to date; a test fails when it
is stale. An example is a block of JSON below a line that begins with its topic.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from bridge.money import payment as p
from bridge.money.payment.signature import Signature
from bridge.register.api import REQUESTS, RequestTopic, Topics, decode_request, encode
from bridge.register.api.published import (
    buttons_table,
    commands_table,
    errors_table,
    model_at,
    recipes,
    show_json,
    topics_table,
)
from bridge.register.api.published.samples import PAGES as RECIPE_PAGES
from bridge.register.publishing.clerk_display import display_of
from drivers import contract as c
from tests.unit.money.payment.test_machine import STATES

DOCS = Path(__file__).parents[4] / "docs"
DOCUMENT = DOCS / "mqtt.md"  # where a reader starts
PAGES = (DOCUMENT, *sorted((DOCS / "mqtt").glob("*.md")))
END = "<!-- end of generated part -->"
EXAMPLE = re.compile(r"^`(paybridge/v1/[^`]+)`([^\n]*)\n\n```json\n(.*?)\n```", re.M | re.S)

_PAID = replace(STATES["approved"], signature=None)
_VISA = c.Card(brand="visa", label="VISA", masked_pan=c.MaskedPan.of("4242424242424242"))
_TAKEN = c.Approval(c.Money(4790, "EUR"), fingerprint="T1/0001", card=_VISA)
_PART = c.Approval(c.Money(2000, "EUR"), fingerprint="T1/0001", card=_VISA)
CASES: dict[str, p.Payment] = {
    "queued": STATES["queued"],
    "queued, in line": STATES["queued"],
    **{
        f"in_progress, {stage.value}": replace(STATES["in_progress"], stage=stage)
        for stage in c.Stage
    },
    "canceling": STATES["canceling"],
    "in_doubt": STATES["in_doubt"],
    "in_doubt, `needs_operator`": replace(
        STATES["in_doubt"], doubt=p.Doubt("link_lost", needs_operator=True)
    ),
    "approved": replace(_PAID, approval=_TAKEN),
    "approved, `result: partial`": replace(_PAID, approval=_PART),
    "approved, a cancel came too late": replace(_PAID, approval=_TAKEN, cancel_asked="cashier"),
    "approved, a signature to compare": replace(_PAID, approval=_TAKEN, signature=Signature.ASKED),
    "approved, the signature was refused": replace(
        _PAID, approval=_TAKEN, signature=Signature.REFUSED
    ),
    "approved, and it could not be reversed": replace(
        _PAID, approval=_TAKEN, signature=Signature.NOT_REVERSED
    ),
    "approved, recording unconfirmed": replace(
        _PAID, approval=_TAKEN, recording=p.Recording.UNCONFIRMED
    ),
    "approved, recording rejected": replace(_PAID, approval=_TAKEN, recording=p.Recording.REJECTED),
    "declined": STATES["declined"],
    "canceled": STATES["canceled"],
    "failed": STATES["failed"],
    "any, with a `discrepancy`": replace(
        STATES["failed"], discrepancies=(p.Discrepancy("approved_after_failed", ""),)
    ),
}


def states_table() -> str:
    """Return what the cashier sees in every state, by asking for the display of each."""
    lines = [
        "| status | line 1 | line 2 | color | buttons | may leave |",
        "|---|---|---|---|---|---|",
    ]
    for name, payment in CASES.items():
        place = 2 if "in line" in name else 0
        shown = display_of(
            payment, remaining=c.Money(2790, "EUR"), terminal_name="Counter 1", position=place
        )
        first, second = (*shown.lines, "", "")[:2]
        buttons = ", ".join(button.label for button in shown.buttons)
        leave = "yes" if shown.may_leave_screen else "no"
        lines.append(f"| {name} | {first} | {second} | {shown.severity} | {buttons} | {leave} |")
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {
    "topics": topics_table,
    "commands": commands_table,
    "states": states_table,
    "buttons": buttons_table,
    "errors": errors_table,
    **{f"recipes {page}": partial(recipes, page) for page in RECIPE_PAGES},
}


def up_to_date(text: str) -> str:
    """Return the document with its tables made anew and its examples as the models say them."""
    for name, make in PARTS.items():
        begin = f"<!-- generated: {name} -->"
        if begin not in text:
            continue
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(END)
        text = f"{before}{begin}\n\n{make()}\n\n{END}{after}"
    return EXAMPLE.sub(_example, text)


def examples(text: str) -> list[tuple[str, str]]:
    """Return topic and payload of every example."""
    return [(found[1], found[3]) for found in EXAMPLE.finditer(text)]


def _example(found: re.Match[str]) -> str:
    topic, words, payload = found[1], found[2], found[3]
    parsed = Topics().parse(topic)
    if isinstance(parsed, RequestTopic):
        assert parsed.operation in REQUESTS, topic
        decode_request(parsed.operation, payload.encode())
        told = json.loads(payload)
    else:
        model = model_at(topic, Topics())
        assert model is not None, topic
        message = model.model_validate_json(payload)
        told = json.loads(encode(message))
        if "bridge" not in words:  # a register leaves out what it does not want to say
            told = json.loads(payload)
    return f"`{topic}`{words}\n\n```json\n{show_json(told, packed=True)}\n```"


if __name__ == "__main__":
    for page in PAGES:
        if "--write" in sys.argv:
            page.write_text(up_to_date(page.read_text()))
        else:
            print(up_to_date(page.read_text()))

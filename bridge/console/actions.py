"""What persons do at the console: each an order that goes the way of the command line.

Every answer needs a note, because "who" without "why" helps nobody a week later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.console.pages.payments import main_currency, read_amount
from bridge.console.pins import Role
from bridge.console.visit import Refused, Visit
from bridge.console.words import mark
from bridge.errors import RequestError
from drivers.amounts import decimal_text, digits_of

NOTE_CHARACTERS_MIN = 3
NOTE_CHARACTERS_MAX = 256
BULK_MAX = 100
DONE = mark("Done. It is in the journal with your name.")

_DAY_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Form = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: a message, and whether it is good news."""

    message: str
    is_good: bool = True
    detail: str = ""  # in the service's own words


def _one(form: Form, name: str, limit: int = 256) -> str:
    return form.get(name, [""])[0].strip()[:limit]


def _note(form: Form) -> str:
    note = _one(form, "note", NOTE_CHARACTERS_MAX)
    if len(note) < NOTE_CHARACTERS_MIN:
        raise Refused(422, mark("Write a note first: what you saw, and who told you."))
    return note


async def decide(visit: Visit, form: Form) -> Done:
    """Answer one question, or several of a kind.

    Raises:
        Refused: Nobody may, or the form is incomplete.
    """
    session = visit.need(Role.SUPERVISOR)
    note, answer = _note(form), _one(form, "answer")
    names = [name for name in form.get("payment_id", []) if name][:BULK_MAX]
    if not names:
        raise Refused(422, mark("Choose at least one payment."))
    good, refused = 0, ""
    for name in names:
        order = {**_order(answer, form, visit), "payment_id": name}
        order["why"] = note
        said = await visit.desk.carry_out(order, note=note, by=session.by)
        if said.get("ok"):
            good += 1
        else:
            refused = str(said.get("message", ""))
    if refused:
        return Done(mark("Not done, or not all of it."), is_good=False, detail=refused)
    return Done(DONE)


def _order(answer: str, form: Form, visit: Visit) -> dict[str, Any]:
    match answer:
        case "approved" | "not_charged" | "refund_if_found":
            order = {"do": "resolve_payment", "outcome": answer}
            if answer == "approved":
                order |= {
                    "approval_code": _one(form, "approval_code", 16),
                    "amount": _amount(form, visit),
                }
            return order
        case "book" | "noted":
            return {"do": "decide_discrepancy", "decision": answer}
        case "booked":
            record = _one(form, "record_id", 64)
            if not record:
                raise Refused(422, mark("Say under which number it is booked."))
            return {"do": "resolve_purchase", "record_id": record}
        case "send_again":
            return {"do": "resolve_purchase", "send_again": True}
        case _:
            raise Refused(400, mark("This form cannot be read."))


def _amount(form: Form, visit: Visit) -> str:
    """Return the amount on the slip as the contract writes it; "" when it is as asked."""
    typed = _one(form, "amount", 32)
    if not typed:
        return ""
    name = _one(form, "payment_id")
    account = visit.desk.payment(name)
    currency = account.payment.request.amount.currency if account else main_currency(visit)
    minor = read_amount(typed, currency)
    if minor is None:
        raise Refused(422, mark("This is no amount. Write it as on the slip, like 47.90."))
    return decimal_text(minor, digits_of(currency))


async def note_gap(visit: Visit, form: Form) -> Done:
    """Note that a person has seen a terminal's gaps.

    Raises:
        Refused: Nobody may, or there is no note.
    """
    session = visit.need(Role.SUPERVISOR)
    note, terminal = _note(form), _one(form, "terminal_id")
    if terminal not in {one.info.terminal_id for one in visit.desk.terminals()}:
        raise Refused(404, mark("There is no such terminal."))
    order = {"do": "note_gaps", "terminal_id": terminal, "text": note}
    return _said(await visit.desk.carry_out(order, note=note, by=session.by))


async def take_over(visit: Visit, form: Form) -> Done:
    """Have the service go on in spite of what holds it back.

    Raises:
        Refused: Nobody may, or there is no note.
    """
    session = visit.need(Role.TECHNICIAN)
    note = _note(form)
    return _said(await visit.desk.carry_out({"do": "take_over"}, note=note, by=session.by))


def _said(answer: Mapping[str, Any]) -> Done:
    if answer.get("ok"):
        return Done(DONE)
    return Done(
        mark("Not done, or not all of it."), is_good=False, detail=str(answer.get("message", ""))
    )


async def cancel(visit: Visit, form: Form) -> Done:
    """Ask for a running payment to be stopped.

    Raises:
        Refused: Nobody may.
    """
    session = visit.need(Role.SUPERVISOR)
    try:
        await visit.desk.cancel(_one(form, "payment_id"), by=session.by, note=_one(form, "note"))
    except RequestError as error:
        return Done(mark("Not done, or not all of it."), is_good=False, detail=str(error))
    return Done(mark("Asked to stop. The terminal says whether it did."))


async def probe(visit: Visit, form: Form) -> Done:
    """Have a terminal asked how it is. Moves no money.

    Raises:
        Refused: Nobody may.
    """
    session = visit.need(Role.SUPERVISOR)
    try:
        await visit.desk.probe(_one(form, "terminal_id"), by=session.by)
    except RequestError as error:
        return Done(mark("Not done, or not all of it."), is_good=False, detail=str(error))
    return Done(mark("Asked. The terminal's state is new in a moment."))


async def close_day(visit: Visit, form: Form) -> Done:
    """Begin an end of day, or only compare.

    Raises:
        Refused: Nobody may.
    """
    session = visit.need(Role.SUPERVISOR)
    is_close = _one(form, "what") == "close"
    name = _one(form, "name", 48)
    if not _DAY_NAME.fullmatch(name):
        raise Refused(400, mark("This form cannot be read."))
    try:
        await visit.desk.close_day(_one(form, "terminal_id"), name, by=session.by, close=is_close)
    except RequestError as error:
        return Done(mark("Not done, or not all of it."), is_good=False, detail=str(error))
    return Done(mark("Begun. It stands below when the terminal has answered."))


async def log_in(visit: Visit, form: Form) -> Done:
    """Ask for a code, or accept somebody else than before.

    Raises:
        Refused: Nobody may.
    """
    session = visit.need(Role.SUPERVISOR)
    try:
        if _one(form, "what") == "accept":
            await visit.desk.accept_login(by=session.by)
            return Done(DONE)
        await visit.desk.begin_login(by=session.by)
    except RequestError as error:
        return Done(mark("Not done, or not all of it."), is_good=False, detail=str(error))
    return Done("")

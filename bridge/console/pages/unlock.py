"""Unlocking: a name, a role and its PIN; and locking again."""

from __future__ import annotations

from bridge.console.pages.frame import ROLE_NAMES, Facts
from bridge.console.pins import PIN_CHARACTERS_MAX, ROLES, Role
from bridge.console.sessions import Session, written_name
from bridge.console.visit import Refused, Visit
from bridge.console.words import mark


def unlock_facts(visit: Visit) -> Facts:
    """Return what the page shows: which roles have a PIN. Nothing of the store."""
    pins = visit.premises.known_pins()  # first: it finds out whether they can be read
    words = visit.words
    return {
        "words": words,
        "message": mark("The PINs cannot be read. The technician sets them again.")
        if visit.premises.pin_problem
        else "",
        "roles": [(role, words.say(ROLE_NAMES[role])) for role in Role if role in pins],
        "back": visit.request.query_params.get("next", "/")[:1_024],
        "wanted": visit.request.query_params.get("role", Role.SUPERVISOR.word),
        "may_see": visit.role is not None,
        "locked": [
            (words.say(ROLE_NAMES[role]), words.span(seconds))
            for role in Role
            if (seconds := visit.premises.tries.seconds_locked(role)) > 0
        ],
        "lang_url": lambda language: f"/unlock?lang={language}",
        "here": "/unlock",
    }


async def unlock(visit: Visit) -> tuple[Session, str]:
    """Return the session of who typed the right PIN, and where to go on.

    Raises:
        Refused: It is the wrong one, or the role is locked for a while.
    """
    form = await visit.form()
    assert visit.session is not None, "the form has its token"
    premises = visit.premises
    role = ROLES.get(form.get("role", [""])[0])
    name = written_name(form.get("name", [""])[0])
    pin = form.get("pin", [""])[0]
    kept = premises.known_pins().get(role) if role is not None else None
    if role is None or kept is None:
        raise Refused(403, mark("There is no PIN for this role."))
    if not name and role is not Role.SEE:
        raise Refused(422, mark("Type your name: it is kept with what you do."))
    async with premises.checking_pin:  # one after the other: guessing is slow, memory is bounded
        if premises.tries.seconds_locked(role) > 0:
            raise Refused(429, mark("Too many wrong PINs. Wait, then try again."))
        fits = len(pin) <= PIN_CHARACTERS_MAX and await premises.read(lambda: kept.fits(pin))
        if not fits:
            premises.tries.wrong(role)
            raise Refused(403, mark("This is not the PIN."))
        premises.tries.right(role)
    opened = premises.sessions.open(visit.session, role, name or role.word, kept)
    back = form.get("back", ["/"])[0]
    return opened, back if _is_ours(back) else "/"


def _is_ours(path: str) -> bool:
    return path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()


async def lock(visit: Visit) -> None:
    """Take the role from this browser.

    Raises:
        Refused: The form is not ours.
    """
    await visit.form()
    if visit.session is not None:
        visit.premises.sessions.lock(visit.session)

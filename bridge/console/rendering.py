"""Templates become pages: text is escaped, and every page says the same of the service on top."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from bridge.console.tags import NOT_YET, OUTCOMES, RECORDINGS, Tag
from bridge.console.words import LANGUAGES, Words

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
TOKEN_MARK = "csrf-token-of-the-session"  # noqa: S105 - stands in what is shared, until it is sent


@cache
def static_version(name: str) -> str:
    """Return what changes with a file's content, so that browsers may keep it for ever."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Return where a file of ours is, in this version."""
    return f"/static/{name}?v={static_version(name)}"


def icon(name: str, signal: str = "") -> Markup:
    """Return a mark of the sprite; it says nothing by itself."""
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
        signal if signal in {"go", "wait", "act"} else "", static_url("icons.svg"), name
    )


def _gettext(context: Context, message: str) -> str:
    words: Words = context["words"]
    return words.say(message)


def _ngettext(context: Context, one: str, many: str, number: int) -> str:
    words: Words = context["words"]
    return words.form(one, many, number)


def _tag(context: Context, tag: Tag, extra: str = "") -> Markup:
    words: Words = context["words"]
    return Markup('<span class="tag {} {}">{}{}</span>').format(
        tag.signal, extra, icon(tag.icon), words.say(tag.text)
    )


class Renderer:
    """The templates, read once."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        # The extension adds it; its types are not known.
        install: Callable[..., None] = vars(self._environment)["install_gettext_callables"]
        install(pass_context(_gettext), pass_context(_ngettext), newstyle=True)
        self._environment.globals.update(
            icon=icon,
            tag=pass_context(_tag),
            static=static_url,
            outcome_tags=OUTCOMES,
            recording_tags=RECORDINGS,
            not_yet=NOT_YET,
            languages=LANGUAGES,
            csrf=TOKEN_MARK,
        )

    def load_all(self) -> None:
        """Read every template, so that the first page is as quick as the others."""
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def page(self, template: str, facts: Mapping[str, Any]) -> str:
        """Return a whole page."""
        text: str = self._environment.get_template(template).render(facts)
        return text

    def block(self, template: str, block: str, facts: Mapping[str, Any]) -> str:
        """Return one block of a page: what is alive."""
        found = self._environment.get_template(template)
        return "".join(found.blocks[block](found.new_context(dict(facts))))

"""What leaves the store in a support bundle, without what is secret or personal. Pure.

Three fences, because one may have a hole: fields that hold secrets are blanked by name; every known
secret (of files, of the login, gift card codes of the journal) is blanked wherever it stands; and
whatever passes for a card number is masked in the finished text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bridge.log import scrub
from drivers.contract import mask_cards

BLANK: Final = "***"
SECRET_CHARACTERS_MIN: Final = 4  # a shorter one stands in any number by chance
# Fields that are blanked whole, wherever they stand in the journal or the configuration.
_SECRET_FIELDS: Final = frozenset(
    {"gift_card", "metadata", "member_id", "replacement", "masked", "replaced_by", "account"}
    | {"operator_id", "lines", "text_lines"}
)
# Of the kinds that hold a gift card's code under a name that is harmless elsewhere.
_CODES_OF: Final = frozenset({"CodeChanging"})
_SECRET_NAME: Final = re.compile(r"passw|secret|token|(^|_)pin($|_)|(^|_)key$|credential", re.I)
_USER_OF_URL: Final = re.compile(r"(?<=//)[^/@\s\"']+(?=@)")


class Mask:
    """Blanks what must not leave the store; `secrets` are known ones, of any length."""

    def __init__(self, secrets: Iterable[str]) -> None:
        kept = {one for one in secrets if len(one) >= SECRET_CHARACTERS_MIN}
        ordered = sorted(kept, key=len, reverse=True)  # the longer first: one may hold another
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """Return text as it may leave the store."""
        if self._secrets is not None:
            text = self._secrets.sub(BLANK, text)
        text = _USER_OF_URL.sub(BLANK, text)
        return "\n".join(scrub(mask_cards(line)) for line in text.split("\n"))

    def entry(self, kind: str, body: Any) -> Any:
        """Return the body of a journal's entry without its secret fields."""
        found = _without(body)
        if kind in _CODES_OF and isinstance(found, dict):
            found["code"] = BLANK
        return found


def settings_without_secrets(table: Any) -> Any:
    """Return a configuration, in JSON's types, without values whose name says secret.

    Names of files stay: they say where a secret is, not what it is.
    """
    match table:
        case dict():
            return {
                key: BLANK
                if _SECRET_NAME.search(key) and not key.endswith("_file") and value
                else settings_without_secrets(value)
                for key, value in table.items()
            }
        case list():
            return [settings_without_secrets(one) for one in table]
        case _:
            return table


def codes_in(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return the gift card codes that an entry's body holds."""
    cards = [one for one in _all_values(body, "gift_card") if isinstance(one, dict)]
    found = [one["code"] for one in cards if isinstance(one.get("code"), str)]
    if kind in _CODES_OF:
        found += [body[name] for name in ("code", "replacement") if isinstance(body.get(name), str)]
    return [code for code in found if code]


def _all_values(value: Any, name: str) -> list[Any]:
    if isinstance(value, dict):
        found = [value[name]] if name in value else []
        return found + [hit for one in value.values() for hit in _all_values(one, name)]
    if isinstance(value, list):
        return [hit for one in value for hit in _all_values(one, name)]
    return []


def _blank(key: str, value: Any) -> Any:
    """Return nothing of the same shape, so that an entry can still be read."""
    if isinstance(value, str):
        return BLANK if value else ""
    if isinstance(value, list):
        return []
    return {} if key == "metadata" else None


def _without(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: _blank(key, one) if key in _SECRET_FIELDS else _without(one)
                for key, one in value.items()
            }
        case list():
            return [_without(one) for one in value]
        case _:
            return value

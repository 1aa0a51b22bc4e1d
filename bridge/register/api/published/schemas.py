"""JSON Schemas of the contract's models, and JSON laid out for people. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic.json_schema import models_json_schema

from bridge.register.api.fields import EXTENSION_PREFIX, Wire
from bridge.register.api.published.catalog import Publication
from bridge.register.api.published.field_texts import field_texts

Json = dict[str, Any]

LINE_CHARACTERS_MAX: Final = 96  # a line of JSON in a document; beyond, it is broken
# A register may leave out what has a default; the bridge leaves out nothing.
_MODES: Final[dict[str, Literal["validation", "serialization"]]] = {
    "register": "validation",
    "bridge": "serialization",
}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def shared_schemas(found: Sequence[Publication], reference: str) -> Json:
    """Return the schemas of all models and of what they are made of, by name.

    Args:
        found: Whose models.
        reference: How one schema points at another, with `{model}` for its name.
    """
    models: dict[str, dict[type[Wire], None]] = {each.sender: {} for each in found}
    for each in found:
        models[each.sender][each.model] = None
    schemas: Json = {}
    for sender in ("bridge", "register"):  # what both use is written as a register may send it
        mode = _MODES[sender]
        _, made = models_json_schema(
            [(model, mode) for model in models.get(sender, {})], ref_template=reference
        )
        for name, schema in made.get("$defs", {}).items():
            schemas[name] = _explained(name, schema, complete=sender == "bridge")
    return dict(sorted(schemas.items()))


def own_schema(publication: Publication) -> Json:
    """Return one model's schema with everything it needs inside."""
    schema = publication.model.model_json_schema(mode=_MODES[publication.sender])
    inner = schema.pop("$defs", {})
    complete = publication.sender == "bridge"
    whole = {"$schema": _DIALECT, **_explained(publication.name, schema, complete=complete)}
    if inner:
        whole["$defs"] = {
            name: _explained(name, inner[name], complete=complete) for name in sorted(inner)
        }
    return whole


def show_json(value: object, *, packed: bool = False) -> str:
    """Return JSON for people: on one line where it fits, else broken into its parts.

    Args:
        value: JSON types.
        packed: Put as many short parts on a line as fit, for examples; else each has its own
            line, which a comparison of two versions shows better.
    """
    return _show(value, 0, 0, packed=packed)


def _show(value: object, depth: int, taken: int, *, packed: bool) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not value or 2 * depth + taken + len(line) < LINE_CHARACTERS_MAX:
        return line
    match value:
        case dict():
            parts = [
                f"{json.dumps(key)}: {_show(part, depth + 1, len(key) + 4, packed=packed)}"
                for key, part in value.items()
            ]
        case list():
            parts = [_show(part, depth + 1, 0, packed=packed) for part in value]
        case _:
            return line
    inside = "  " * (depth + 1)
    rows = _filled(parts, LINE_CHARACTERS_MAX - len(inside)) if packed else parts
    body = f",\n{inside}".join(rows)
    return f"{line[0]}\n{inside}{body}\n{'  ' * depth}{line[-1]}"


def _filled(parts: list[str], width: int) -> list[str]:
    """Join neighbors that are short enough to share a line."""
    rows: list[str] = []
    for part in parts:
        joined = f"{rows[-1]}, {part}" if rows else part
        if rows and "\n" not in joined and len(joined) < width:
            rows[-1] = joined
        else:
            rows.append(part)
    return rows


def _explained(name: str, schema: Json, *, complete: bool) -> Json:
    """Add what pydantic does not know.

    The fields' meanings, that `x_…` is always allowed, and, when `complete`, that no field is
    ever left out.
    """
    done = {key: part for key, part in schema.items() if key != "title"}
    if "description" in done:
        done["description"] = " ".join(done["description"].split())
    if "properties" in done:
        texts = field_texts().get(name, {})
        done["properties"] = {
            field: _explained_field(part, texts.get(field))
            for field, part in done["properties"].items()
        }
        if complete:
            done["required"] = list(done["properties"])
    if done.get("additionalProperties") is False:
        done["patternProperties"] = {f"^{EXTENSION_PREFIX}": {}}
    return done


def _explained_field(field: Json, text: str | None) -> Json:
    done = {key: part for key, part in field.items() if key != "title"}
    return {**done, "description": text} if text else done

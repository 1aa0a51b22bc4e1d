"""The contract to read, in Markdown: every topic, message, field and error code. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from bridge.register.api.buttons import BUTTONS, ButtonFacts
from bridge.register.api.envelope import Request
from bridge.register.api.errors import ERRORS
from bridge.register.api.existing_payment_commands import PaymentStatus
from bridge.register.api.fields import SPEC
from bridge.register.api.published.catalog import Publication, publications, summary
from bridge.register.api.published.glossary import RETRY_MEANINGS
from bridge.register.api.published.samples import sample
from bridge.register.api.published.schemas import shared_schemas, show_json
from bridge.register.api.topics import DEFAULT_BASE

Json = dict[str, Any]

_POINTER: Final = "#/"
_BOUNDS: Final = {"minimum": "≥", "maximum": "≤", "maxLength": "at most", "maxItems": "at most"}


def reference(found: Sequence[Publication]) -> str:
    """Return the whole document."""
    schemas = shared_schemas(found, _POINTER + "{model}")
    messages = list(dict.fromkeys(each.name for each in found))
    parts = sorted(set(schemas) - set(messages))
    common = schemas[PaymentStatus.__name__]
    sections = [
        "# The register contract, message by message",
        f"Version {SPEC}. Made from the code by `paybridge contract`; do not edit. "
        "The guide that explains how to use it is [docs/mqtt.md](../mqtt.md). Machine-readable: "
        "[asyncapi.json](asyncapi.json), [errors.json](errors.json), "
        "[buttons.json](buttons.json), [schemas/](schemas).",
        "The bridge leaves out no field: what is not known is `null`. A register may leave out "
        "what is not marked *required*, and ignores fields and values it does not know. Amounts "
        "are decimal text with exactly the digits of their currency, as `12.50` EUR or `1250` JPY.",
        "## Topics",
        topics_table(found),
        "## Every command",
        _fields(common, only=tuple(Request.model_fields)),
        "## Messages",
    ]
    for name in messages:
        own = [field for field in schemas[name]["properties"] if field not in Request.model_fields]
        commanded = any(each.name == name and _commands(each) for each in found)
        only = tuple(own) if commanded else None
        sections += [f"### {name}", *_places(found, name), _fields(schemas[name], only=only)]
        for operation in [each.operation for each in found if each.name == name and commanded]:
            sections.append(_smallest(operation))
    sections.append("## Parts of messages")
    for name in parts:
        if "properties" in schemas[name]:
            sections += [
                f"### {name}",
                schemas[name].get("description", ""),
                _fields(schemas[name]),
            ]
    sections += ["## Buttons", buttons_table(), "## Error codes", errors_table()]
    return "\n\n".join(section for section in sections if section) + "\n"


def topics_table(found: Iterable[Publication] | None = None) -> str:
    """Return every topic with its message, sender and retain flag; responses in one row."""
    rows = []
    for each in publications() if found is None else found:
        if each.operation and each.sender == "bridge":
            continue
        topic = f"`{DEFAULT_BASE}/{each.address}`"
        kept = "yes" if each.retained else "**never**" if each.operation else "no"
        rows.append((topic, each.sender, kept, each.name))
    answers = f"`{DEFAULT_BASE}/registers/{{register_id}}/response/{{operation}}`"
    rows.append((answers, "bridge", "no", "Response"))
    return _table(("topic", "from", "retained", "message"), sorted(rows))


def commands_table() -> str:
    """Return every command with what it must say."""
    rows = []
    for each in publications():
        if _commands(each):
            needed = [
                name for name, field in each.model.model_fields.items() if field.is_required()
            ]
            named = ", ".join(f"`{name}`" for name in needed)
            rows.append((f"`{each.operation}`", summary(each.model), named))
    return _table(("operation", "what it does", "must say"), rows)


def buttons_table() -> str:
    """Return every button with what it means and what a register sends for it."""
    rows = [(f"`{name}`", facts.meaning, _sends(facts)) for name, facts in BUTTONS.items()]
    return _table(("button", "it means", "send"), rows)


def _sends(facts: ButtonFacts) -> str:
    if not facts.operation:
        return "nothing"
    if not facts.operation.count("/"):
        return f"{facts.operation}, with a new `payment_id`"
    return f"`{facts.operation}` `{json.dumps(facts.sends, ensure_ascii=False)}`"


def errors_table() -> str:
    """Return every error code with what it means for the money and for a retry."""
    rows = [
        (f"`{code}`", facts.money_moved, f"`{facts.retry}`", facts.condition or "–")
        for code, facts in sorted(ERRORS.items())
    ]
    meanings = "\n".join(f"- `{retry}`: {text}" for retry, text in RETRY_MEANINGS.items())
    table = _table(("code", "money moved", "retry", "nexo ErrorCondition"), rows)
    return f"{meanings}\n\n{table}"


def _places(found: Iterable[Publication], name: str) -> list[str]:
    mine = [each for each in found if each.name == name]
    where = f"`{DEFAULT_BASE}/{mine[0].address}`"
    if len(mine) > 1:
        where = f"`{DEFAULT_BASE}/registers/{{register_id}}/response/{{operation}}`"
    kept = "retained" if mine[0].retained else "not retained"
    return [f"{where}, from the {mine[0].sender}, QoS 1, {kept}.", summary(mine[0].model)]


def _commands(each: Publication) -> bool:
    return bool(each.operation) and each.sender == "register"


def _smallest(operation: str) -> str:
    """Return a command's example, where one can be made."""
    example = sample(operation)
    return f"```json\n{show_json(example, packed=True)}\n```" if example is not None else ""


def _fields(schema: Json, *, only: Sequence[str] | None = None) -> str:
    """Return a table of a schema's fields; of those in `only` if that is given."""
    needed = schema.get("required", [])
    whole = len(needed) == len(schema["properties"])  # the bridge leaves out nothing
    rows = []
    for name, field in schema["properties"].items():
        if only is not None and name not in only:
            continue
        words = _type(field)
        if name in needed and not whole:
            words += ", *required*"
        elif field.get("default") not in (None, [], {}) and not whole:
            words += f", else `{json.dumps(field['default'])}`"
        rows.append((f"`{name}`", words, field.get("description", "")))
    return _table(("field", "type", "meaning"), rows) if rows else ""


def _type(field: Json) -> str:
    """Return a schema in words."""
    if "$ref" in field:
        name = field["$ref"].removeprefix(_POINTER)
        return "any JSON" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type", "any JSON")
    if kind == "array":
        words = f"list of {_type(field.get('items', {}))}"
    elif kind == "object":
        inner = field.get("additionalProperties")
        words = f"object of {_type(inner)}" if isinstance(inner, dict) and inner else "object"
    else:
        words = str(field.get("format", kind))
    bounds = [f"{sign} {field[key]}" for key, sign in _BOUNDS.items() if key in field]
    return f"{words} ({', '.join(bounds)})" if bounds else words


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)

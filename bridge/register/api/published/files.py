"""All files of the published contract, by name. Pure."""

from __future__ import annotations

from dataclasses import asdict

from bridge.register.api.buttons import BUTTONS
from bridge.register.api.errors import ERRORS
from bridge.register.api.published.asyncapi import asyncapi_document
from bridge.register.api.published.catalog import publications
from bridge.register.api.published.reference import reference
from bridge.register.api.published.schemas import own_schema, show_json


def contract_files() -> dict[str, str]:
    """Return the text of every file by its path below the folder, in order."""
    found = publications()
    errors = {code: asdict(facts) for code, facts in sorted(ERRORS.items())}
    files = {
        "README.md": reference(found),
        "buttons.json": show_json({name: asdict(facts) for name, facts in BUTTONS.items()}) + "\n",
        "asyncapi.json": show_json(asyncapi_document(found)) + "\n",
        "errors.json": show_json(errors) + "\n",
    }
    for each in found:
        files[f"schemas/{each.name}.json"] = show_json(own_schema(each)) + "\n"
    return dict(sorted(files.items()))

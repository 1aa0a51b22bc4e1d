"""The contract as files for register developers, made from the models that the bridge runs on.

    catalog    what is published where, by whom     field_texts   what the fields mean
    glossary   what the other words mean
    schemas    JSON Schemas, and JSON for people     asyncapi   the AsyncAPI 3 document
    reference  the same to read, in Markdown         samples    the smallest of every command

Pure and deterministic: the same models give the same bytes.
"""

from bridge.register.api.published.catalog import Publication, model_at, publications, summary
from bridge.register.api.published.files import contract_files
from bridge.register.api.published.reference import (
    buttons_table,
    commands_table,
    errors_table,
    topics_table,
)
from bridge.register.api.published.samples import recipes, sample
from bridge.register.api.published.schemas import show_json

__all__ = [
    "Publication",
    "buttons_table",
    "commands_table",
    "contract_files",
    "errors_table",
    "model_at",
    "publications",
    "recipes",
    "sample",
    "show_json",
    "summary",
    "topics_table",
]

"""What the fields of the contract mean, in sentences for register developers. Pure.

The keys are `Model.field`, or `field` where it means the same in every model that has it and is
not explained there; a `Field(description=…)` at the model comes before both. A sentence says what
the field is, its unit and range where the type does not, and when it is null. A field that is
explained nowhere fails a test.
"""

from bridge.register.api.published.meanings.commands import COMMANDS
from bridge.register.api.published.meanings.documents import DOCUMENTS
from bridge.register.api.published.meanings.states import STATES

MEANINGS = {**COMMANDS, **DOCUMENTS, **STATES}

__all__ = ["MEANINGS"]

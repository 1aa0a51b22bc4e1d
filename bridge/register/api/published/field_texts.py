"""What the fields of the contract mean, in sentences for register developers.

The sentence stands beside its field, as a text below it, and is read from the source when the
contract is written: no running bridge needs it. It says what the field is, its unit and range where
the type does not, and when it is null. A subclass that says nothing means the same.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from bridge.register.api.fields import Wire


@cache
def field_texts() -> dict[str, dict[str, str]]:
    """Return the sentences, by model and field, as the contract calls them."""
    found: dict[str, dict[str, str]] = {}
    for model in _models(Wire):
        own: dict[str, str] = {}
        for parent in reversed(model.__mro__):
            own |= _texts_of(parent.__module__).get(parent.__name__, {})
        names = {name: field.alias or name for name, field in model.model_fields.items()}
        found[model.__name__] = {names[name]: text for name, text in own.items() if name in names}
    return found


def _models(parent: type[Wire]) -> Iterator[type[Wire]]:
    for model in parent.__subclasses__():
        yield model
        yield from _models(model)


@cache
def _texts_of(module: str) -> dict[str, dict[str, str]]:
    """Return the texts below the fields of a module's classes."""
    if not module.startswith(__name__.rpartition(".published")[0]):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {one.name: dict(_texts(one)) for one in tree.body if isinstance(one, ast.ClassDef)}


def _texts(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(definition.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())

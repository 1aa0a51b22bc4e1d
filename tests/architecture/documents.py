"""What the documents may name: files, links, commands and options that exist.

Names of files in backticks are read as people write them: from the root of the project, from the
folder of the document, or the last words of a path (`money/ledger.py`, `store/journal.py`).
"""

from __future__ import annotations

import argparse
import itertools
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from bridge.cli.arguments import parser
from bridge.register.api import REQUESTS, Topics

# What a name in backticks must end with, or begin with, to be read as one of the project's.
SUFFIXES = (".py", ".md", ".toml", ".json", ".svg", ".service", ".sysusers", ".rules")
FOLDERS = frozenset(
    {"bridge", "drivers", "simulators", "tests", "docs", "scripts", "examples", "deploy", "systemd"}
    | {"benchmarks", "money", "register", "terminal", "backoffice", "discovery", "cli"}
)
# Files that only a running service has, and one that the reader writes.
ELSEWHERE = frozenset({"instance.json", "71-store.rules"})
_TOPICS = Topics("paybridge/v1")
TOPICS = frozenset(
    topic.removeprefix("paybridge/v1/")
    for topic in (
        *(_TOPICS.bridge_state, _TOPICS.bridge_info, _TOPICS.bridge_health),
        _TOPICS.authority_holder,
    )
)
_BACKTICKS = re.compile(r"`([^`\n]+)`")
_NAME = re.compile(r"[\w.-]+(?:/[\w.*-]*)*")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_INDENTED = re.compile(r"^ {4}.*$", re.M)
_SCRIPT = re.compile(r"(?<![\w/])scripts/[\w-]+")
_CONTINUED = re.compile(r"\\\n\s*")


def documents(root: Path) -> list[Path]:
    """Return everything that is written for people and not generated as a whole."""
    return sorted(
        [root / "README.md", root / "CHANGELOG.md"]
        + [path for path in (root / "docs").rglob("*.md") if path.parent.name != "contract"]
        + list((root / "examples").rglob("*.md"))
    )


def files(root: Path) -> set[str]:
    """Return the project's files and folders, from `root`; nothing that a tool has put there."""
    found = {path.name for path in root.iterdir() if path.is_file()}
    for folder in ("bridge", "drivers", "simulators", "tests", "docs", "scripts", "examples"):
        found |= _below(root, folder)
    return found.union(*(_below(root, name) for name in ("systemd", "benchmarks", "deploy")))


def missing_files(document: str, text: str, known: set[str]) -> Iterator[str]:
    """Yield names of files in backticks that no file has; `document` is its path from the root."""
    if document == "CHANGELOG.md":
        return  # it also names what has gone
    folder = document.rpartition("/")[0]
    for name in sorted({found.rstrip("/") for found in _BACKTICKS.findall(text)}):
        if not _NAME.fullmatch(name) or not _is_file(name):
            continue
        pattern = name.replace("NAME", "*")
        ways = (pattern, f"{folder}/{pattern}", f"*/{pattern}")
        if not any(fnmatch(path, way) for way in ways for path in known):
            yield f"{document} names {name}, which does not exist"


def broken_links(document: Path, text: str) -> Iterator[str]:
    """Yield links to files, or to headings in them, that are not there."""
    for target in _LINK.findall(text):
        if ":" in target:
            continue  # to another place than this project
        name, _, heading = target.partition("#")
        path = document.parent / name if name else document
        if path != document and not path.exists():
            yield f"{document.name} links to {target}, which does not exist"
        elif heading and heading not in headings(text if path == document else path.read_text()):
            yield f"{document.name} links to {target}, a heading that does not exist"


def headings(text: str) -> set[str]:
    """Return the names that links give to the headings of a document."""
    found = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in found}


def missing_scripts(document: str, text: str, known: set[str]) -> Iterator[str]:
    """Yield scripts that do not exist, wherever they are named."""
    for name in sorted(set(_SCRIPT.findall(text)) - known):
        yield f"{document} names {name}, which does not exist"


def wrong_commands(document: str, text: str) -> Iterator[str]:
    """Yield commands and options that `paybridge` does not have."""
    for line in command_lines(text):
        words = _words(line)
        pairs = itertools.pairwise(words)
        start = next((i for i, pair in enumerate(pairs) if _calls(*pair)), None)
        if start is None:
            continue
        name, rest = words[start + 1], words[start + 2 :]
        options = COMMANDS.get(name)
        if options is None:
            if re.fullmatch(r"[a-z][a-z-]*", name):
                yield f"{document} names paybridge {name}, which is no command"
            continue
        for word in rest:
            if word.startswith("--") and word.partition("=")[0] not in options:
                yield f"{document} names paybridge {name} {word}, which is no option"
            if word in {"|", "&&", ";", ">"}:
                break


def undefined_words(glossary: str, sources: str) -> Iterator[str]:
    """Yield names in the last column of the glossary that the code does not have.

    A class or a constant must be defined, all else at least used, as a whole word.
    """
    for row in re.findall(r"^\| \*.*$", glossary, re.M):
        for name in _BACKTICKS.findall(row.strip("| ").rpartition("|")[2]):
            word = re.escape(name)
            if name[0].islower():
                found = re.search(rf"\b{word}\b", sources)
            else:
                found = re.search(rf"^(?:class {word}\b| *{word}\b[^=\n]* = )", sources, re.M)
            if not found:
                yield f"the glossary names {name}, which the code does not have"


def command_lines(text: str) -> Iterator[str]:
    """Yield what a reader may copy as a command of `paybridge`: in backticks, fences, indented."""
    blocks = _FENCE.findall(text) + _INDENTED.findall(_CONTINUED.sub(" ", text))
    for block in blocks:
        for line in _CONTINUED.sub(" ", block).splitlines():
            if re.match(r"\s*(?:\$ )?(?:\S*/)?paybridge ", line) or "/paybridge " in line:
                yield line
    for found in _BACKTICKS.findall(_FENCE.sub("", text)):
        if found.startswith("paybridge "):
            yield found


def _calls(word: str, then: str) -> bool:
    return word.rpartition("/")[2] == "paybridge" and not then.startswith("-")


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def _is_file(name: str) -> bool:
    if name in ELSEWHERE | REQUESTS.keys():
        return False
    if name.endswith(SUFFIXES):
        return True
    if name.partition(".")[0] in TOPICS:
        return False  # with a field of its document, or without
    return "/" in name and name.partition("/")[0] in FOLDERS


def _below(root: Path, folder: str) -> set[str]:
    found = {folder}
    for path in (root / folder).rglob("*"):
        if "__pycache__" not in path.parts:
            found.add(str(path.relative_to(root)))
    return found


def _commands(whole: argparse.ArgumentParser) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                found[name] = frozenset(
                    option
                    for each in sub._actions
                    if each.help != argparse.SUPPRESS
                    for option in each.option_strings
                )
    return found


COMMANDS = _commands(parser())

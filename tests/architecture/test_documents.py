"""Every file, link, command and option that a document names exists; each rule is seen to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import documents as d

ROOT = Path(__file__).parents[2]
KNOWN = {
    "bridge",
    "bridge/money/ledger.py",
    "docs/mqtt/sale.md",
    "drivers/zvt/codec",
    "scripts/test",
}


@pytest.mark.parametrize("path", d.documents(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(path: Path) -> None:
    name, text, known = str(path.relative_to(ROOT)), path.read_text(), d.files(ROOT)
    problems = [
        *d.missing_files(name, text, known),
        *d.broken_links(path, text),
        *d.missing_scripts(name, text, known),
        *d.wrong_commands(name, text),
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`bridge/money/ledger.py`", False),
        ("`money/ledger.py`, `ledger.py`", False),
        ("`sale.md`", False),
        ("`drivers/NAME/codec/`", False),
        ("`terminal/self_test` is a command, `bridge/state` a topic", False),
        ("`bridge/register/paper.py`", True),
        ("`paper.py`", True),
        ("`bridge/ledgers/`", True),
        ("`drivers/NAME/dialogue/`", True),
    ],
)
def test_a_file_that_does_not_exist_is_noticed(text: str, missing: bool) -> None:
    assert bool(list(d.missing_files("docs/mqtt.md", text, KNOWN))) == missing


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (
            "[a](other.md) [b](other.md#two-words) [c](#here) [d](https://example.org/x)\n# Here",
            False,
        ),
        ("[a](another.md)", True),
        ("[a](other.md#three-words)", True),
        ("[a](#there)\n# Here", True),
    ],
)
def test_a_broken_link_is_noticed(tmp_path: Path, text: str, broken: bool) -> None:
    (tmp_path / "other.md").write_text("# Two words!\n")
    assert bool(list(d.broken_links(tmp_path / "this.md", text))) == broken


def test_a_script_that_does_not_exist_is_noticed() -> None:
    assert not list(d.missing_scripts("README.md", "scripts/test", KNOWN))
    assert list(d.missing_scripts("README.md", "```sh\nscripts/tests --fast\n```", KNOWN))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`paybridge show ID`, `paybridge resolve ID booked --record-id … --by anna`", False),
        ("```sh\npaybridge check --config /etc/paybridge/paybridge.toml\n```", False),
        (
            "so:\n\n    paybridge conformance --register t \\\n        --scenario 'in doubt'",
            False,
        ),
        ("`paybridge tell ID`", True),
        ("`paybridge resolve ID --who anna`", True),
        ("```sh\nrunuser -u paybridge -- /opt/paybridge/bin/paybridge takeover --by X\n```", True),
        (
            "so:\n\n    paybridge conformance --register t \\\n        --lesson 'in doubt'",
            True,
        ),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(text: str, wrong: bool) -> None:
    assert bool(list(d.wrong_commands("README.md", text))) == wrong


def test_the_glossary_names_what_the_code_has() -> None:
    folders = ("bridge", "drivers", "simulators", "tests/simulation")
    sources = "\n".join(
        path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")
    )
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    assert list(d.undefined_words(glossary, sources)) == []


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ("`Lease`, `CAPTURE`, `terminal_id`", False),
        ("`Talk`", True),
        ("`Funds`", True),
        ("`terminal`", True),
    ],
)
def test_a_word_that_the_code_does_not_have_is_noticed(names: str, missing: bool) -> None:
    sources = "class Lease:\n    CAPTURE = 1\n    terminal_id: str\n    where = Funds.HELD\n"
    glossary = (
        f"| word | what it is | in the code |\n|---|---|---|\n| *a* | `b` is not | {names} |\n"
    )
    assert bool(list(d.undefined_words(glossary, sources))) == missing

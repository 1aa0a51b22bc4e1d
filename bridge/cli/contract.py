"""`paybridge contract`: write the published contract to a folder, or say whether it is stale."""

from __future__ import annotations

from pathlib import Path

from bridge.register.api.published import contract_files


def stale_files(folder: Path) -> list[str]:
    """Return the files that differ from what would be written, by path; also superfluous ones."""
    files = contract_files()
    there = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    return sorted(
        name for name in files.keys() | there.keys() if files.get(name) != there.get(name)
    )


def write_files(folder: Path) -> list[str]:
    """Write the contract to `folder`, and remove schemas of messages that are no more.

    Returns:
        The files that changed, by path.
    """
    files = contract_files()
    changed = [name for name in stale_files(folder) if name in files or _is_schema(name)]
    for name in changed:
        path = folder / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def _is_schema(name: str) -> bool:
    return name.startswith("schemas/") and name.endswith(".json")

"""How texts read for people. Pure."""

from __future__ import annotations


def fitted(text: str, characters: int) -> str:
    """Return `text` in at most so many characters: whole words, and `…` for what is left out.

    A first word that is longer stands whole: a part of a word is another word.
    """
    words = text.split()
    whole = " ".join(words)
    if len(whole) <= characters:
        return whole
    shown = words[0]
    for word in words[1:]:
        if len(shown) + len(word) + 2 > characters:  # a blank before it, and the ellipsis
            break
        shown = f"{shown} {word}"
    return f"{shown}…"

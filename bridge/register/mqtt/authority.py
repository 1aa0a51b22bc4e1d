"""Who serves a base topic: one bridge, never two. Decides; sends and waits for nothing. Pure.

Two bridges below one base topic would both take a register's command, charge it on two terminals
and hide each other's documents. So every bridge asks before it serves:

    mark ── our mark is back: the holder's record has come, too ── ask ── patience is over ── serve
                                                                    └── somebody says no ── behind

* A bridge is known by the instance id in its state directory, and one process of it by its life.
* The holder's record is retained. It says whose base topic it is, never that the holder is alive.
* Alive is who answers an ask in time. Who serves goes on, whatever its id.
* Of two that ask at once the holder of the record goes first, then the lower id.
* Who finds another one serving, or another one's record, is behind: it serves nothing until a
  person has it take over. It never takes over by itself when the other is silent: that one may be
  restarting, and only its journal knows which payments were taken.
* Our own earlier life is not foreign: it is dead (it held the lock of the state directory), and
  its record carries our id. An answer from another life of our own id is a copied state directory,
  and foreign.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

Standing = Literal["asking", "serving", "behind"]

PATIENCE_SECONDS: Final = 1.0  # for an answer; one that serves answers in milliseconds
HOLDER_PATIENCE_SECONDS: Final = 0.25  # with our own record a stranger needs a person to serve
WORD_BYTES_MAX: Final = 2_048  # ours have some 250


@dataclass(frozen=True, slots=True)
class Other:
    """Another bridge; `bridge_id` is its name in its configuration, for people."""

    instance_id: str
    bridge_id: str

    def __str__(self) -> str:
        return f"{self.bridge_id or 'unnamed'} (instance {self.instance_id[:8]})"


@dataclass(frozen=True, slots=True)
class Word:
    """What one bridge says to the others. `nonce` names the ask, in its answers as well."""

    kind: Literal["mark", "ask", "answer"]
    nonce: str
    instance_id: str
    life: str
    bridge_id: str
    standing: Standing
    holder: bool = False  # the record was its own, or it served before in this life

    @property
    def rank(self) -> tuple[bool, str, str]:
        """Who goes first among those who ask at once: the least."""
        return (not self.holder, self.instance_id, self.life)

    def encode(self) -> bytes:
        """Return the word as JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()


def decode_word(payload: bytes) -> Word | None:
    """Return the word that `payload` spells, None for anything else."""
    data = _object(payload)
    texts = ("nonce", "instance_id", "life", "bridge_id")
    if not all(isinstance(data.get(name), str) for name in texts):
        return None
    if data.get("kind") not in {"mark", "ask", "answer"}:
        return None
    if data.get("standing") not in {"asking", "serving", "behind"}:
        return None
    return Word(
        kind=data["kind"],
        nonce=data["nonce"],
        instance_id=data["instance_id"],
        life=data["life"],
        bridge_id=data["bridge_id"],
        standing=data["standing"],
        holder=data.get("holder") is True,
    )


def encode_record(holder: Other) -> bytes:
    """Return the retained record that says whose base topic it is."""
    return json.dumps({"instance_id": holder.instance_id, "bridge_id": holder.bridge_id}).encode()


def decode_record(payload: bytes) -> Other | None:
    """Return which bridge has the base topic, None where the record cannot be read."""
    data = _object(payload)
    instance, bridge = data.get("instance_id"), data.get("bridge_id")
    if not isinstance(instance, str) or not instance or not isinstance(bridge, str):
        return None
    return Other(instance, bridge)


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > WORD_BYTES_MAX:
        return {}
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


class Authority:
    """What one bridge knows about which bridge serves its base topic."""

    def __init__(
        self,
        me: Other,
        life: str,
        *,
        behind: Other | None = None,
        remember: Callable[[Other | None], None] = lambda _: None,
    ) -> None:
        """Begin as `me`, new in this process as `life`.

        `behind` is whom an earlier life found serving; `remember` is told when that changes, to
        keep it over restarts.
        """
        self._me = me
        self._life = life
        self._remember = remember
        self._nonce = ""
        self._holder = False
        self._taking = False
        self.standing: Standing = "asking"
        self.behind = behind  # whose base topic it is, for good; a person may change that
        self.ahead: Other | None = None  # who went first among those who asked at once
        self.answered = False  # whether somebody who serves answered the last ask
        self.rival: Other | None = None  # who wanted to serve while we did

    @property
    def me(self) -> Other:
        """Who we are."""
        return self._me

    @property
    def holds(self) -> bool:
        """Whether the base topic was ours before anybody was asked."""
        return self._holder

    def consider(self, record: Other | None) -> bool:
        """Take note of whose record is retained; True if we may ask for ourselves.

        False: only to hear whether the other one is alive.
        """
        mine = record is not None and record.instance_id == self._me.instance_id
        if record is not None and not mine and not self._taking:
            self._fall_behind(record)
        self._holder = mine or self._taking or (record is None and self._holder)
        self.ahead = None
        self.standing = "asking" if self.behind is None else "behind"
        return self.standing == "asking"

    def mark(self, nonce: str) -> Word:
        """Return a word that only says that we are listening."""
        return self._word("mark", nonce)

    def ask(self, nonce: str) -> Word:
        """Return the word that asks the others, for the next round."""
        self._nonce = nonce
        self.answered = False
        return self._word("ask", nonce)

    def hear(self, word: Word) -> Word | None:
        """Take in what another bridge says; return our answer, if there is one.

        `standing` may have become `behind`, also while we serve: then we began later.
        """
        if (word.instance_id, word.life) == (self._me.instance_id, self._life):
            return None
        other = Other(word.instance_id, word.bridge_id)
        if word.kind == "ask":
            return self._hear_ask(word, other)
        if word.kind == "answer" and word.nonce == self._nonce:
            if word.standing == "serving":
                self.answered = True
                self._fall_behind(other)
            elif self._goes_first(word):
                self._give_way(other)
        return None

    def serve(self) -> None:
        """No other bridge objected: the base topic is ours."""
        assert self.standing == "asking", "asked before"
        self.standing = "serving"
        self._holder = True
        self._taking = False

    def take(self) -> None:
        """A person has us take over from a bridge that does not answer any more."""
        self._taking = True
        self.behind = None
        self.standing = "asking"
        self._remember(None)

    def _hear_ask(self, word: Word, other: Other) -> Word | None:
        if self.standing == "serving":
            self.rival = other
            return self._word("answer", word.nonce)
        if self.standing == "asking":
            if self._goes_first(word):
                self._give_way(other)
                return None
            return self._word("answer", word.nonce)
        return None

    def _goes_first(self, word: Word) -> bool:
        ours = self._word("ask", "")
        return self.standing == "asking" and word.standing == "asking" and word.rank < ours.rank

    def _give_way(self, other: Other) -> None:
        """Let one that asks at once go first; should it never serve, we ask again."""
        self.ahead = other
        self.standing = "behind"

    def _fall_behind(self, other: Other) -> None:
        self.standing = "behind"
        self._taking = False
        self._holder = False
        if self.behind != other:
            self.behind = other
            self._remember(other)

    def _word(self, kind: Literal["mark", "ask", "answer"], nonce: str) -> Word:
        return Word(
            kind,
            nonce,
            self._me.instance_id,
            self._life,
            self._me.bridge_id,
            self.standing,
            self._holder,
        )

"""Where the publisher's news come from, and the broker they go to. Seams only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bridge.money.background.signature_reversals import SignaturePolicy
from bridge.register import api as k


class Bus(Protocol):
    """The broker, as `mqtt/client.py` reaches it."""

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_seconds: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Return once the broker has it; raises BusError."""


class StatusDocuments(Protocol):
    """What the service knows of itself beside payments."""

    def bridge_state(self, epoch: str) -> k.BridgeState:
        """The bridge's own state."""

    def bridge_info(self) -> k.BridgeInfo:
        """Who this bridge is."""

    def health(self) -> k.BridgeHealth:
        """Whether it can take payments, and why not."""

    def terminal_infos(self) -> Mapping[str, k.TerminalInfo]:
        """What the terminals are."""

    def terminal_states(self) -> Mapping[str, k.TerminalState]:
        """How the terminals are."""


class Signatures(Protocol):
    """Who ends the wait for signatures."""

    @property
    def policy(self) -> SignaturePolicy:
        """How long cashiers are asked, and what happens when nobody answers."""

    def can_void(self, terminal_id: str) -> bool:
        """Whether a terminal can take a payment back."""


class SplitPayments(Protocol):
    """Who carries on split payments."""

    def is_wanted(self, plan_id: str) -> bool:
        """Say whether further parts of a plan will begin."""

    @property
    def beyond_help(self) -> frozenset[str]:
        """The holds that only a person can still end."""

"""Who takes the money of a command: a terminal, one of a pool, or who talks about gift cards."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.register import api as k
from bridge.register.commands.payment_request import is_at_terminal
from bridge.register.commands.terminal_queue import Taker


class Choice:
    """The terminals by name, and what the configuration says about who uses which."""

    def __init__(
        self,
        terminals: Mapping[str, Taker],
        gift_cards: Taker | None,
        *,
        default_terminals: Mapping[str, str],
        pools: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Choose among `terminals`; `gift_cards` is None where there is no back office."""
        self.terminals = terminals
        self._gift_cards = gift_cards
        self._default_terminals = default_terminals  # register -> terminal
        self._pools = pools  # pool -> its terminals

    def for_start(self, register_id: str, request: k.PaymentStart) -> dict[str, Taker]:
        """Return who may take the money of a start, by name, the preferred one first."""
        if request.terminal_pool is None or request.method == "gift_card":
            by_gift_card = request.method == "gift_card" and not is_at_terminal(request)
            wanted = p.GIFT_CARDS if by_gift_card else request.terminal_id
            name, taker = self.one(register_id, wanted, by_gift_card=by_gift_card)
            return {name: taker}
        if request.terminal_id is not None:
            raise RequestError(
                "invalid_request", "name a terminal or a pool, not both", path="terminal_pool"
            )
        pools = self._pools
        if request.terminal_pool not in pools:
            raise RequestError(
                "terminal_unknown",
                f"there is no pool {request.terminal_pool}",
                path="terminal_pool",
                known=sorted(pools),
            )
        return {name: self.terminals[name] for name in pools[request.terminal_pool]}

    def one(self, register_id: str, wanted: str | None, *, by_gift_card: bool) -> tuple[str, Taker]:
        """Return who takes the money: a terminal, or who talks about gift cards."""
        if not by_gift_card:
            terminal_id = self.terminal_of(register_id, wanted)
            return terminal_id, self.terminals[terminal_id]
        if self._gift_cards is None:
            raise RequestError(
                "operation_not_supported",
                "gift cards need a back office, and none is configured",
                path="method",
            )
        return p.GIFT_CARDS, self._gift_cards

    def terminal_of(self, register_id: str, wanted: str | None) -> str:
        """Return the terminal's name: the wanted one, the register's own, or the only one.

        Raises:
            RequestError: `terminal_unknown`.
        """
        name = wanted or self._default_terminals.get(register_id)
        if name is None and len(self.terminals) == 1:
            name = next(iter(self.terminals))
        if name is None:
            raise RequestError(
                "terminal_unknown",
                "say which terminal, or configure a default for this register",
                path="terminal_id",
                known=sorted(self.terminals),
            )
        if name not in self.terminals:
            raise RequestError(
                "terminal_unknown",
                f"there is no terminal {name}",
                path="terminal_id",
                known=sorted(self.terminals),
            )
        return name

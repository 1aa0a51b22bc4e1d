"""Which documents need not stay published any more. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bridge.money.store.records import PaymentRecord

DOCUMENTS_PER_REGISTER_MAX = 200  # settled ones; what is open is never removed


def nothing(_account: PaymentRecord) -> bool:
    """Say that nothing waits for anybody."""
    return False


def to_retire(
    accounts: Iterable[PaymentRecord],
    *,
    oldest_kept: str,
    stays: Callable[[PaymentRecord], bool] = nothing,
) -> Iterator[PaymentRecord]:
    """Yield the settled payments whose documents can go, the oldest of a register first.

    A register that acknowledged has its own copy; one that never does keeps what changed since
    `oldest_kept` (ISO 8601 UTC), and no more than the latest of them. What `stays` waits for
    somebody: a hold, or what a register asked back.
    """
    per_register: dict[str, list[PaymentRecord]] = {}
    for account in accounts:
        if account.live and account.payment.is_settled and not stays(account):
            per_register.setdefault(account.payment.request.register_id, []).append(account)
    for settled in per_register.values():
        settled.sort(key=lambda one: one.updated_at)
        over = len(settled) - DOCUMENTS_PER_REGISTER_MAX
        for number, account in enumerate(settled):
            aged = account.updated_at < oldest_kept
            if account.payment.acknowledged or aged or number < over:
                yield account

"""What is forgotten of old payments, and what is kept for ever. Pure.

Kept: the id and hash, so that a payment is known for ever; amounts, status, funds and bookkeeping;
what names the transaction to the acquirer. Forgotten: receipts, what is known of the card beyond
its brand, gift card codes, who the shopper and the cashier were, and whatever a register attached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.journal import Change
from bridge.money.store.journal_entries import Entry
from bridge.money.store.records import PaymentRecord, payment_row
from drivers.contract import Approval, Card


def may_prune(account: PaymentRecord, before: str) -> bool:
    """Say whether no more of a payment can be needed than is kept; `before` is ISO 8601 UTC."""
    return (
        not account.live
        and not account.payment.pruned
        and account.payment.is_settled
        and account.updated_at < before
    )


def prune(
    account: PaymentRecord, purchases: Mapping[str, Sequence[Entry]], at: str
) -> tuple[PaymentRecord, Change]:
    """Return what is left of a payment, and the commit that forgets the rest.

    `purchases` are the entries of its sale's recorded purchases, by transaction id.
    """
    assert not account.live, "a published document keeps its receipts"
    payment = replace(redact(account.payment), pruned=True)
    rev = account.rev + 1
    pruned = replace(account, payment=payment, rev=rev)
    event = p.Pruned(payment, rev, account.created_at, account.ended_at, account.ended_seq)
    found = [_bare_entry(entry) for entries in purchases.values() for entry in entries]
    rewrites = [entry for entry in found if entry is not None]
    return pruned, Change(
        (Entry(account.payment_id, event, at),),
        (payment_row(pruned),),
        replaces=(account.payment_id,),
        rewrites=tuple(rewrites),
    )


def _bare_entry(entry: Entry) -> Entry | None:
    """Return an entry of a purchase without what is personal in it; None if nothing is."""
    match entry.event:
        case s.PurchaseDue(content) if content.sale.lines or content.sale.member_id:
            return replace(entry, event=replace(entry.event, content=_bare_content(content)))
        case s.Mended(skus=skus, member_id=member_id) if skus or member_id:
            # Who, when and why stay.
            gone = "" if member_id else member_id
            return replace(entry, event=replace(entry.event, skus=(), member_id=gone))
        case _:
            return None


def redact(payment: p.Payment) -> p.Payment:
    """Return the payment without what is personal in it."""
    request = payment.request
    code = request.gift_card
    unsaid: dict[str, Any] = dict.fromkeys(p.AS_SAID, "")
    return replace(
        payment,
        request=replace(
            request,
            sale=_bare_sale(request.sale),
            original=_bare(request.original),
            gift_card=None if code is None else replace(code, code=""),
            metadata={},
            **unsaid,
        ),
        baseline=None,
        handle="",
        offer=_bare(payment.offer),
        approval=_bare(payment.approval),
        doubt=_bare_doubt(payment.doubt),
        discrepancies=tuple(
            replace(odd, approval=_bare(odd.approval)) for odd in payment.discrepancies
        ),
        receipts=(),
        attached=_bare_sale(payment.attached),
    )


def _bare_doubt(doubt: p.Doubt | None) -> p.Doubt | None:
    return None if doubt is None else replace(doubt, seen=_bare(doubt.seen))


def _bare(approval: Approval | None) -> Approval | None:
    if approval is None:
        return None
    card = Card(brand=approval.card.brand, label=approval.card.label)
    return replace(approval, card=card, text="", extra={})


def _bare_sale(sale: s.SaleDetails | None) -> s.SaleDetails | None:
    return None if sale is None else replace(sale, lines=(), member_id="")


def _bare_content(content: s.PurchaseContent) -> s.PurchaseContent:
    return replace(content, sale=replace(content.sale, lines=(), member_id=""))

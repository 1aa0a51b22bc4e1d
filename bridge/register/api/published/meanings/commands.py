"""The fields of commands, and of what they share with documents. Pure."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    # every command
    "request_id": "The register's own name of this message, at most 64 characters; it comes back "
    "in the response.",
    "sent_at": "The register's clock when it sent; tells the bridge how far that clock is off.",
    "expires_at": "The command must not start after this moment; at most a day ahead.",
    "bridge_epoch": "The `epoch` that the register read in bridge/state; with another one the "
    "command is refused as `stale_command`.",
    "operator_id": "Who is at the register; null where it was not told. Kept with the payment.",
    "shift_number": "The register's shift; null where it was not told. Kept with the payment.",
    "totals_group_id": "The register's group of totals; kept with the payment.",
    "language": "What the clerk and the receipt read, e.g. `de-DE` (BCP 47).",
    # whose money, for what
    "payment_id": "The payment's name for ever: a UUID in lower case, made by the register and "
    "on its disk before it sends.",
    "terminal_id": "The terminal, by its name in the bridge's configuration; a register may leave "
    "it out if it has one of its own.",
    "terminal_pool": "Any free terminal of this pool instead of `terminal_id`.",
    "sale_id": "The register's number of the sale; all payments of one sale share it. Null where "
    "it was not told, and then the payment is a sale of its own.",
    "PaymentStart.sale_reference_id": "Accepted and not used yet.",
    "PaymentStart.type": "`sale` takes the money; `preauth` only holds it until `payment/capture` "
    "or `payment/void`.",
    "PaymentStart.method": "What pays: the card at the terminal, or a gift card: one of the back "
    "office, which then stands in `gift_card`, or without that one that the named `terminal_id` "
    "reads and serves itself.",
    "PaymentStart.amounts": "What to take, in one currency.",
    "PaymentStart.plan": "A split over gift cards and one card, which comes last; at most 6 parts "
    "that make the requested amount.",
    "PaymentStart.gift_card": "Which gift card pays; for `method: gift_card` only.",
    "PaymentStart.capture": "`manual`: only hold the gift card's money until `payment/capture`.",
    "PaymentStart.token": "`request`: ask the terminal for a token of the card.",
    "accept_partial": "Whether the card may pay less than was asked for; the rest is in "
    "`remaining_amount`.",
    "payment_brands": "Which card brands may pay; refused where the terminal cannot tell before.",
    "entry_modes": "How a card may be presented; refused where the terminal cannot choose.",
    "force_online": "Ask the host in any case; refused where the terminal decides for itself.",
    "when_busy": "`reject`: refuse while the terminal is busy; `queue`: wait for it in line.",
    "deadline_s": "How long the terminal may wait for a card, in seconds, from 10 to 600.",
    "CardBalance.deadline_s": "How long the terminal may wait for a gift card, in seconds, from 10 "
    "to 120.",
    "CardRead.deadline_s": "How long the terminal may wait for a card, in seconds, from 10 to 120.",
    "GiftCardLoad.deadline_s": "How long the money stays set aside for a sale that is not paid, "
    "in seconds, from 10 to 600.",
    "on_register_lost": "What becomes of the payment when the register's will is published "
    "before a card was presented.",
    "override": "A supervisor accepts the risk of a second charge; needs `approved_by`.",
    "approved_by": "The supervisor who answers for it.",
    "sale": "What was sold, for the purchase record in the back office.",
    "sale_lines": "`later`: the goods come with `sale/attach`, and the record waits for them.",
    "metadata": "The register's own data, at most 50 entries; given back unchanged in the "
    "document, null where there is none.",
    # amounts
    "currency": "The currency of every amount beside it, ISO 4217, e.g. `EUR`.",
    "Amounts.requested_amount": "What to take in all, a fixed tip and cash-back included; more "
    "than zero.",
    "Amounts.tip": "How a tip is decided; absent: there is none.",
    "Amounts.cash_back_amount": "Cash for the shopper, contained in `requested_amount`.",
    "Tip.mode": "`none`; `fixed`: the register knows it; `ask`: the terminal asks the shopper.",
    "Tip.tip_amount": "The tip, contained in `requested_amount`; for the mode `fixed` only.",
    "Tip.percentages": "What the terminal offers, in percent of the amount, at most 6; for the "
    "mode `ask` only.",
    # cards
    "PaymentBrands.allow": "Only these brands, e.g. `girocard`; absent: all.",
    "PaymentBrands.deny": "Not these brands.",
    "PaymentBrands.allow_categories": "Only brands of these categories, e.g. `schemes`; absent: "
    "all.",
    "PaymentBrands.deny_categories": "Not the brands of these categories.",
    "GiftCard.identification_type": "How the code was read; for the books, it changes nothing.",
    "stored_value_id": "The gift card's code, whole; blanks and line ends around it are cut off; "
    "no document shows it.",
    "GiftCard.code_type": "Which kind of code it is: of the plastic, of a member, or of another "
    "system. One code may exist in more than one kind.",
    "pin": "The gift card's PIN, where it has one; used once and kept nowhere.",
    "PlanLeg.method": "What pays this part.",
    "PlanLeg.gift_card": "Which gift card; for the method `gift_card` only.",
    "PlanLeg.amount": "What this part pays; `remaining` is what the parts before it leave.",
    # what was sold
    "Sale.total_amount": "What the whole sale costs, paid with whatever.",
    "Sale.tax_amount": "The sale's tax; on top of the lines where they are without it.",
    "Sale.item_discount_amount": "The sum of discounts on lines; the lines contain them already.",
    "Sale.sale_discount_amount": "A discount on the whole sale, taken off the sum of the lines.",
    "Sale.refund_amount": "What goes back in this sale.",
    "Sale.member_id": "The shopper's number in the back office.",
    "Sale.lines": "The goods, at most 500 lines; with discount and tax they must make "
    "`total_amount`.",
    "Sale.other_tenders": "What paid a part of the sale without the bridge, all of it; a later "
    "statement replaces an earlier one. Null: nothing is stated.",
    "Sale.cash_rounding": "What rounding to the smallest coin did to the total.",
    "OtherTender.kind": "What it was paid with.",
    "OtherTender.amount": "What it paid, in the sale's currency.",
    "CashRounding.direction": "`up`: added to the total; `down`: taken off.",
    "CashRounding.amount": "By how much, in the sale's currency.",
    "SaleLine.item_id": "The line's number, once in a sale.",
    "SaleLine.product_code": "The SKU in the back office; without it `ean_upc` is taken.",
    "SaleLine.ean_upc": "The number of the bar code.",
    "SaleLine.product_label": "As the receipt calls it.",
    "SaleLine.quantity": "How many units, up to six digits after the point.",
    "SaleLine.unit_of_measure": "The unit, e.g. `each`, `kg`.",
    "SaleLine.unit_price": "The price of one unit, up to six digits after the point.",
    "SaleLine.item_amount": "What the line costs, its own discount taken off; without sign.",
    "SaleLine.item_discount_amount": "The line's own discount, contained in `item_amount`.",
    "SaleLine.sale_discount_amount": "The line's share of the discount on the whole sale.",
    "is_refund": "The line goes back: its amount counts against the sale.",
    "SaleLine.tax_code": "The register's code of the tax; accepted and not used yet.",
    # following up
    "original_payment_id": "The earlier payment that this one is about; null where there is none.",
    "PaymentRefund.original_payment_id": "The payment whose money goes back; without it a "
    "supervisor must answer, and the terminal must be able to.",
    "reason": "Why, in a word; kept with the payment.",
    "reason_text": "Why, in a sentence; kept with the payment.",
    "PaymentIncrement.amounts": "By how much the hold is raised, in `requested_amount`.",
    "PaymentCapture.amounts": "How much of the hold is taken, in `requested_amount`.",
    "PaymentCapture.final": "Release what is left of the hold; nothing more will be captured. "
    "`false` is refused where the terminal's `partial_capture` is `releases_rest`.",
    "PaymentRefund.amounts": "How much goes back, in `requested_amount`.",
    "PaymentTipAdjust.amounts": "The tip that is added, in `requested_amount`.",
    "GiftCardLoad.gift_card": "Which gift card of the back office is filled; null with "
    "`terminal_id`.",
    "GiftCardLoad.terminal_id": "The terminal that reads the gift card and serves it itself; null "
    "with `gift_card`.",
    "GiftCardActivate.terminal_id": "Always null: only the back office makes gift cards.",
    "GiftCardLoad.amounts": "How much is put on it, in `requested_amount`; no tip, no cash-back.",
    "GiftCardLoad.sale_id": "The sale that the gift card is sold in; its payments cover it.",
    "GiftCardActivate.gift_card": "The new gift card's code, and the PIN it will have, if any.",
    "GiftCardActivate.amounts": "How much is put on it, in `requested_amount`; no tip.",
    "GiftCardActivate.sale_id": "The sale that the gift card is sold in; its payments cover it.",
    "GiftCardActivate.deadline_s": "How long the money stays set aside for a sale that is not "
    "paid, in seconds, from 10 to 600.",
    "GiftCardUnload.original_payment_id": "Always null; `gift_card/reverse` undoes a load.",
    "GiftCardUnload.gift_card": "Which gift card the value is taken off.",
    "GiftCardUnload.amounts": "How much is taken off, in `requested_amount`.",
    "GiftCardReverse.original_payment_id": "The load that is undone.",
    "GiftCardReverse.gift_card": "The load's gift card again, for its PIN.",
    "GiftCardDeactivate.gift_card": "Which gift card.",
    "PaymentRefund.gift_card": "The gift card that gets the money: with its PIN the one that paid, "
    "or another one as store credit.",
    "GiftCardBalance.gift_card": "Which gift card; its PIN is not needed.",
    "SaleAttach.sale_id": "The sale that was started with `sale_lines: later`.",
    # asking and answering
    "PaymentStatus.refresh": "Also ask the terminal now, when the payment is in doubt.",
    "PaymentList.filter": "Which payments; absent: all of this register.",
    "PaymentList.limit": "How many at most, newest first.",
    "ListFilter.open": "`true`: only those that are not settled; else all.",
    "ListFilter.since": "Only those that were started at this moment or later.",
    "ListFilter.sale_id": "Only the payments of this sale.",
    "PaymentAcknowledge.rev": "The revision of the document that is on the register's disk.",
    "PaymentResolve.outcome": "What the person found out; `refund_if_found` settles it now as not "
    "charged, and money that shows up later goes back.",
    "PaymentResolve.evidence": "Where the person saw it.",
    "Evidence.approval_code": "The approval code on the slip; needed for `approved`.",
    "Evidence.amount": "What the slip says was taken, for `approved`; without it, what was asked.",
    "Evidence.source": "What the person looked at.",
    "Evidence.text": "What else the person saw, in a sentence.",
    # answers to questions
    "prompt_id": "The bridge's name of a question to the clerk.",
    "PromptAnswer.answer": "What the clerk pressed; the first answer counts.",
    "confirmed": "`true` is yes.",
    # errands
    "operation_id": "The register's own name of an errand: a UUID in lower case.",
    "TerminalDisplay.lines": "What the terminal shows, at most 8 lines.",
    "TerminalDisplay.seconds": "For how long, from 1 to 60 s.",
    "TerminalNote.text": "What was found, in a sentence; kept in the journal.",
    "TerminalNote.approved_by": "Who has seen it.",
    "TerminalReconcile.type": "What kind of end of day; there is one.",
    "TerminalReconcile.operation_id": "Names this end of day for ever: the same one again has the "
    "same answer and closes nothing. A UUID in lower case.",
    "TerminalReconcile.close": "Close the batch; `false`: only compare.",
    # what a register says of itself
    "RegisterState.state": "`online` is the register's birth, `offline` its will.",
    "RegisterState.software": "The register's program and version, for technicians.",
    "RegisterState.language": "What its clerk reads, e.g. `de-DE`.",
    "RegisterState.spec": "The minor version of the contract that the register was written for.",
}

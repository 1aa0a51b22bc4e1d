"""What the contract's fields mean to a register developer. Pure.

A field that is not here is explained by its name and type. `Model.field` comes before `field`, and
a `Field(description=…)` at the model before both.
"""

from __future__ import annotations

from typing import Final

PARAMETERS: Final = {
    "register_id": "The register's id, equal to its user name at the broker; [a-z0-9-], at most "
    "32 characters.",
    "terminal_id": "The terminal's name in the bridge's configuration.",
    "payment_id": "The UUID, in lower case, that the register gave the payment.",
    "copy": "customer, merchant or signature.",
}

RETRY_MEANINGS: Final = {
    "same_id": "send the same command again, with the same `payment_id` and a fresh guard",
    "new_id": "a new attempt with a new `payment_id` is safe",
    "after_check": "it is not known: read the payment's document, and wait until it is final",
    "no": "sending it again gives the same answer; change the command, or a person must act",
}

MEANINGS: Final = {
    # every command
    "request_id": "The register's own name of this message; it comes back in the response.",
    "sent_at": "The register's clock when it sent.",
    "expires_at": "The command must not start after this moment.",
    "bridge_epoch": "The `epoch` that the register read in bridge/state; another one is refused.",
    "shift_number": "Carried to the document.",
    "totals_group_id": "Carried to the record.",
    "payment_id": "The payment's name for ever, made by the register before it sends.",
    "terminal_id": "The terminal; a register may leave it out if it has one of its own.",
    "PaymentStart.sale_reference_id": "Accepted and not used yet.",
    "PaymentAcknowledge.rev": "The revision that the register has stored.",
    "PaymentStatus.refresh": "Also ask the terminal now, when the payment is in doubt.",
    "ListFilter.open": "Only those that are not settled.",
    "PaymentList.limit": "How many at most.",
    "Evidence.approval_code": "From the slip; needed for `approved`.",
    "PaymentResolve.outcome": "What the person found out.",
    "operator_id": "Who is at the register.",
    "language": "For the display, e.g. `de-DE`.",
    # money
    "requested_amount": "What to take, a fixed tip and cash-back included.",
    "authorized_amount": "What the card issuer approved; less than requested if partial.",
    "captured_amount": "What is taken from the shopper.",
    "remaining_amount": "What the sale still needs; known when the payment is final.",
    "accept_partial": "Whether the card may pay a part.",
    "metadata": "The register's own data, given back unchanged in the document.",
    "sale_id": "The register's number of the sale; several payments of one sale share it.",
    "sale": "The goods, for the purchase record in the back office.",
    "override": "A supervisor accepts the risk of a second charge; needs `approved_by`.",
    "approved_by": "The person who answers for it.",
    "deadline_s": "How long the terminal may wait for a card, in seconds.",
    "on_register_lost": "What to do when the register's will is published before a card was "
    "presented.",
    "unit_price": "Per unit, up to six digits after the point.",
    "item_amount": "Of the line, without sign; `is_refund` says that it goes back.",
    # the payment's document
    "spec": "Minor version of the contract; minors only add.",
    "rev": "Grows with every change; ignore a document with a lower one.",
    "status": "Did the operation work? See the states in the guide.",
    "stage": "Where the terminal is, while in progress; an open list.",
    "result": "success, partial or failure once final.",
    "funds": "Where the money is now.",
    "final": "Nothing of status will change any more.",
    "recording": "Whether the money is in the books.",
    "record_id": "Its number in the back office.",
    "possible_duplicate": "Same amount on the same terminal within 90 s, and no sale_id to tell.",
    "discrepancy": "Evidence that contradicts a final status; a person decides.",
    "resolution": "Who said what became of the payment.",
    "needs_operator": "The terminal could not tell in time; a person must look at its slip.",
    "masked_pan": "At most the last four digits of the card.",
    "history": "What was known when.",
    "severity": "The color: `error` is kept for what a person must act on.",
    "lines": "Lines to show or print.",
    "countdown_s": "Seconds to count down on the screen.",
    "buttons": "What the clerk may press now.",
    "may_leave_screen": "Whether the clerk may do something else meanwhile.",
    "must_print_now": "The sale cannot go on before it is printed.",
    "topic": "Where the receipt is retained.",
    "columns": "Characters of its longest line.",
    "time_stamp": "The terminal's own clock, whose offset nobody knows.",
    # responses and errors
    "Response.status": "`accepted`, `ok` or `error`; never the result of a payment.",
    "Response.result": "The answer of a command that is done, e.g. the list of payments.",
    "Response.op": "The command's operation.",
    "duplicate": "The bridge had this payment already; nothing was started.",
    "payment_status": "The payment's status when the response was made; the document knows better.",
    "error_condition": "nexo's ErrorCondition.",
    "detail": "Facts about the error; `path` names the field at fault.",
    "money_moved": "What the error says about the money.",
    "retry": "What may be sent next.",
    "retry_after_s": "When it is worth another try, in seconds.",
    "message": "For a technician, in English.",
    # the bridge and its terminals
    "epoch": "New on every connection of the bridge; a guard for commands.",
    "can_take_payments": "Whether a payment can be started now.",
    "reasons": "Why not, and what else is not well, in words.",
    "login": "`needed`: a person must run `paybridge login`; payments go on.",
    "unconfirmed": "Sent to the back office without proof either way; a person decides.",
    "capabilities": "What is not announced here is refused before a card is asked for.",
    "status_query": "How a terminal can be asked about a payment in doubt.",
    "ready": "Whether it would take a payment now.",
    "seq": "Grows from event to event; several events of one change share it.",
}

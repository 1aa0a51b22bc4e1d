"""The fields of a payment's document, its receipts and events, and of responses. Pure."""

from __future__ import annotations

from typing import Final

DOCUMENTS: Final = {
    # the payment
    "spec": "The minor version of the contract; minors only add.",
    "PaymentDocument.rev": "Grows by one with every change, from 1; ignore a document with a lower "
    "one than you have. Of one revision `queue_position`, `countdown_s` and `next_check_at` may "
    "come anew.",
    "PaymentDocument.register_id": "Whose payment it is.",
    "PaymentDocument.terminal_id": "The terminal that does it; `gift-cards` where the back office "
    "does, null while none is chosen.",
    "PaymentDocument.type": "What was asked for: `sale`, `preauth`, `increment`, `capture`, "
    "`refund`, `void`, `tip_adjust` or `load`; an open list.",
    "PaymentDocument.method": "What pays: `card` or `gift_card`.",
    "plan_id": "The `payment_id` of the split that this is a part of; null outside of one.",
    "PaymentDocument.status": "Did the operation work? See the states in the guide.",
    "PaymentDocument.stage": "Where the terminal is; null unless `in_progress`; an open list.",
    "PaymentDocument.queue_position": "Its place in the line before a busy terminal, from 1; null "
    "outside of one.",
    "PaymentDocument.result": "`success`, `partial` (less than was asked for) or `failure`; null "
    "until final.",
    "funds": "Where the money is now; it goes on changing after `status` is final.",
    "PaymentDocument.final": "`status` will not change any more.",
    "PaymentDocument.amounts": "All sums of the payment, in one currency.",
    "PaymentDocument.card": "What may be known of the card; null before it was read, and where "
    "nothing was approved.",
    "PaymentDocument.gift_card": "What the back office said of the gift card; null for a card "
    "payment, and before it answered.",
    "PaymentDocument.acquirer": "What the host said; null where it said nothing.",
    "poi_transaction_id": "The terminal's own name of the transaction, as its slip shows it; null "
    "before there is one.",
    "PaymentDocument.offline": "Approved without asking the host.",
    "training": "Not real money.",
    "PaymentDocument.recording": "Whether the money is in the books.",
    "PaymentDocument.display": "What the clerk's screen shows now, ready to paint.",
    "PaymentDocument.receipts": "Which receipts there are, where they lie, and what must be done "
    "with them.",
    "PaymentDocument.in_doubt": "Why the outcome is not known and what is being done about it; "
    "null unless `status` is `in_doubt`.",
    "cancel_reason": "Who or what canceled it; null unless it was canceled.",
    "resolution": "Who said what became of the payment; null until final.",
    "PaymentDocument.error": "Why no money moved, or that it is not known; null otherwise.",
    "discrepancy": "Evidence that contradicts a final status; a person decides. Null where there "
    "is none.",
    "possible_duplicate": "Same amount on the same terminal within 90 s, and no sale_id to tell "
    "the two apart.",
    "created_at": "When the command was accepted.",
    "updated_at": "When the document changed last.",
    "history": "What was known when, oldest first, at most 64 lines.",
    "HistoryEntry.status": "What was known from then on.",
    "HistoryEntry.stage": "Where the terminal was; null where it told none.",
    "HistoryEntry.at": "Since when it was known.",
    # its amounts
    "PaymentAmounts.requested_amount": "What was asked for, a fixed tip and cash-back included.",
    "authorized_amount": "What the card's issuer approved; less than requested if `partial`, null "
    "until approved.",
    "captured_amount": "What was taken from the shopper; of a hold, what was captured of it. Null "
    "while nothing was.",
    "PaymentAmounts.tip_amount": "All tips, later ones too, contained in `authorized_amount`; null "
    "until approved.",
    "surcharge_amount": "What the shop adds for this card, contained in the amount; null where "
    "that is not known.",
    "PaymentAmounts.cash_back_amount": "Cash for the shopper, contained in `authorized_amount`; "
    "null until approved.",
    "total_fees_amount": "A fee that terminal or host took for the service, contained in "
    "`authorized_amount`; null until approved.",
    "refunded_amount": "What went back so far; null until approved.",
    "remaining_amount": "What the sale still needs, held money counted as paid; zero once it was "
    "paid, also when money went back since; null until final, and where there is no sale.",
    # cards and hosts
    "CardFacts.payment_brand": "The brand in lower case, e.g. `girocard`, `visa`; an open list, "
    "null where the terminal does not tell.",
    "CardFacts.payment_brand_label": "The brand as the terminal prints it, e.g. `VISA`; null "
    "where it does not tell.",
    "CardFacts.brand_category": "`schemes` or `gift_card`; null where the brand is not known.",
    "masked_pan": "At most the last four digits of the card, the others as `*`; null where the "
    "terminal does not tell.",
    "entry_mode": "`contactless`, `icc` (the chip), `magstripe` or `manual`; null where the "
    "terminal does not tell.",
    "cardholder_verification": "`none`, `signature`, `online_pin`, `offline_pin` or `on_device` "
    "(a phone); null where the terminal does not tell.",
    "aid": "The application on the chip, in hexadecimal; null where the terminal does not tell.",
    "CardFacts.payment_account_reference": "The account behind the card, as a reference without "
    "its number; null where the terminal does not tell.",
    "CardFacts.token": "A token of the card; null where none was asked for or given.",
    "GiftCardFacts.transaction_id": "The back office's number of the movement, for a person who "
    "looks it up; null where it told none.",
    "GiftCardFacts.balance_before": "What was on the card before, decimal text; null where it was "
    "not told.",
    "GiftCardFacts.balance_after": "What is on the card now, decimal text; null where it was not "
    "told.",
    "AcquirerFacts.acquirer_id": "Who settles the money; null where the terminal does not tell.",
    "merchant_id": "The shop's contract number; null where the terminal does not tell.",
    "AcquirerFacts.acquirer_poi_id": "The terminal's number at its network; null where it does "
    "not tell.",
    "approval_code": "The issuer's approval code, as the slip shows it; null where none was given.",
    "AcquirerFacts.response_code": "The host's or the terminal's own code of the answer; null "
    "where there is none.",
    "AcquirerFacts.stan": "The trace number of the transaction; null where the terminal does not "
    "tell.",
    "AcquirerFacts.rrn": "The host's reference number; null where the terminal does not tell.",
    "AcquirerFacts.host_reconciliation_id": "The batch that it is settled in; null where the "
    "terminal does not tell.",
    "PoiTransaction.poi_id": "The terminal's own id.",
    "PoiTransaction.transaction_id": "Its number of the transaction, e.g. the receipt number.",
    "time_stamp": "The terminal's own clock, whose offset nobody knows: a text, not a time. Null "
    "where it does not tell.",
    # the books
    "Recording.status": "`pending` comes by itself; `unconfirmed` and `rejected` need a person.",
    "record_id": "The purchase's number in the back office; null until recorded.",
    "Recording.attempts": "How often it was sent.",
    "Recording.recorded_at": "When the back office confirmed it; null until then.",
    "Recording.next_attempt_at": "When it is sent again; null where that is not planned.",
    "Recording.error": "Why it is not recorded; null where nothing went wrong.",
    # the clerk's screen
    "severity": "The color: `error` is kept for what a person must act on.",
    "Display.code": "For registers that want words of their own; an open list.",
    "Display.lines": "Two lines to show, in the clerk's language.",
    "countdown_s": "Seconds to count down on the screen, from when the document was "
    "published; null for no countdown.",
    "buttons": "What the clerk may press now.",
    "may_leave_screen": "Whether the clerk may do something else meanwhile.",
    "Button.id": "What it means; the table of buttons says what to send. An open list: do not show "
    "what you do not know.",
    "Button.label": "What stands on it, in the clerk's language.",
    # receipts
    "copy": "Whom it is for: `customer`, `merchant`, or `signature` for the merchant's copy that "
    "the shopper signs.",
    "format": "Always `text/plain`.",
    "columns": "Characters of its longest line.",
    "requires_signature": "The shopper signs this copy.",
    "must_print_now": "The sale cannot go on before it is printed.",
    "topic": "Where the receipt is retained.",
    "ReceiptDocument.lines": "The receipt, line by line, without line ends.",
    "ReceiptDocument.duplicate": "It was printed before, and says so in its first line.",
    "ReceiptDocument.fields": "What it says, for registers that lay out their own; null where "
    "nothing was approved.",
    "ReceiptFields.type": "What was done, as in the payment's document.",
    "ReceiptFields.amount": "What was approved in all, without sign.",
    "ReceiptFields.tip_amount": "The tip, contained in `amount`; null where there is none.",
    "ReceiptFields.payment_brand_label": "What the card is called; null where it is not known.",
    "ReceiptFields.terminal_id": "The terminal's own id, not its name here; null where it does "
    "not tell.",
    "ReceiptFields.transaction_id": "The terminal's number of the transaction; null where there "
    "is none.",
    "ReceiptFields.trace": "The trace number; null where the terminal does not tell.",
    # doubt and what ends it
    "InDoubt.since": "Since when it is not known.",
    "cause": "What happened, e.g. `link_lost`; an open list.",
    "InDoubt.next_check_at": "When the terminal is asked again, at the latest; null while it is "
    "being asked, and where nobody will.",
    "InDoubt.attempts": "How often the terminal was asked.",
    "needs_operator": "The terminal could not tell in time; a person must look at its slip.",
    "InDoubt.seen": "What the terminal's memory shows and nobody can prove to be this payment: it "
    "may have been typed in at the terminal. A person compares it with the slip; null where there "
    "is none.",
    "SeenTransaction.amount": "What was taken, decimal text.",
    "SeenTransaction.transaction_id": "The terminal's number of it, e.g. the receipt number; null "
    "where it does not tell.",
    "SeenTransaction.trace": "The trace number; null where the terminal does not tell.",
    "SeenTransaction.approval_code": "The approval code on its slip; null where it is not told.",
    "SeenTransaction.time_stamp": "When, by the terminal's own clock, ISO 8601 without offset; "
    "null where it does not tell.",
    "SeenTransaction.payment_brand_label": "What its card is called; null where it is not known.",
    "Resolution.by": "Who knew: the terminal, the host (the back office for a gift card), a "
    "person, or the bridge itself.",
    "Resolution.at": "When; null where only the history tells.",
    "Resolution.operator_id": "The person; null unless `by` is `operator`.",
    "Resolution.checked": "What the terminal says of the person's answer: `due` until it can be "
    "asked again, `agreed`, `contradicted` (a discrepancy says how), or `cannot_tell`; null where "
    "no person answered, or where it could not tell any more when one did.",
    "Resolution.answers": "What persons said became of it, the oldest first; the last one counts.",
    "PersonsAnswer.outcome": "What the person said.",
    "PersonsAnswer.operator_id": "Who said it.",
    "PersonsAnswer.approval_code": "The approval code on the slip; null where none was told.",
    "PersonsAnswer.amount": "What the slip says was taken; null where it is what was asked.",
    "PersonsAnswer.source": "What the person looked at; null where that was not told.",
    "Resolution.evidence": "What the person saw; null unless `by` is `operator`.",
    "Discrepancy.since": "When the evidence came.",
    "Discrepancy.said": "What the register had been told.",
    "Discrepancy.evidence": "What the evidence says instead.",
    "Discrepancy.text": "The evidence in words, for a technician.",
    "Discrepancy.decided": "What a person decided; null while nobody has.",
    # events
    "seq": "Grows from event to event over all registers, also over restarts; none comes twice.",
    "PlanDocument.rev": "Grows with every change of any part; a lower one is old news.",
    "PlanDocument.plan_id": "The `payment_id` of the start that began the plan.",
    "PlanDocument.register_id": "The register that began it.",
    "PlanDocument.status": "`paid`: all parts are taken; `not_paid`: nothing was taken, and "
    "nothing is held; `incomplete`: a person must look, a part was taken or stays held; "
    "`in_doubt`: what became of a part is not known. Never infer it from the parts.",
    "PlanDocument.final": "Whether `status` is an end.",
    "PlanDocument.requested_amount": "What all parts together shall bring.",
    "PlanDocument.captured_amount": "What they brought, tips and fees not counted.",
    "PlanDocument.held_amount": "What is held now, and neither taken nor released.",
    "PlanDocument.legs": "The parts in the order in which they begin.",
    "PlanDocument.created_at": "When the first part was accepted.",
    "PlanDocument.updated_at": "When a part changed last.",
    "PlanLegState.payment_id": "The part's own payment.",
    "PlanLegState.method": "What pays it.",
    "PlanLegState.amount": "What it shall bring.",
    "PlanLegState.status": "Its payment's status; null while it has not begun.",
    "PlanLegState.funds": "Where its money is; null while it has not begun.",
    "PromptDocument.payment_id": "The payment that the question is about.",
    "PromptDocument.input_command": "What kind of answer is wanted; one kind so far.",
    "PromptDocument.text": "What the clerk is asked.",
    "PromptDocument.buttons": "What the clerk may press; `yes` is `confirmed: true`.",
    "PromptDocument.expires_at": "After this moment the default answer is taken.",
    "PromptDocument.default_answer": "What counts when nobody answers in time.",
    "PromptDocument.consequence": "What the answers, and none at all, lead to; show it.",
    "PaymentEvent.at": "When it happened.",
    "PaymentEvent.type": "What happened.",
    "PaymentEvent.payment_id": "The payment; null for what concerns none.",
    "PaymentEvent.terminal_id": "The terminal; null for what concerns none.",
    "PaymentEvent.rev": "The revision of the document that says it; null where none does.",
    "PaymentEvent.prompt_id": "The question that was asked or is closed; null for other events.",
    "PaymentEvent.status": "The payment's status; null where none is concerned.",
    "PaymentEvent.stage": "The payment's stage; null where there is none.",
    "PaymentEvent.text": "The event in words, for a log; null where the type says it all.",
    # responses and errors
    # results
    "payment_brand": "The card's brand in lower case, e.g. `visa`; null where it does not tell.",
    "payment_brand_label": "What the card calls itself; null where it does not tell.",
    "hold_expires_at": "When a hold may end: some days after it began, as configured for the "
    "terminal. Null where nothing is held, and where nobody knows.",
    "StartResult.queue_position": "The payment's place in the line before a busy terminal; null "
    "when it waits in none.",
    "StartResult.plan_id": "The plan, which has the command's `payment_id`; null without one.",
    "StartResult.legs": "The parts of a plan, in the order in which they begin.",
    "StartedLeg.payment_id": "The name of the part's own document.",
    "StartedLeg.method": "What pays this part.",
    "StartedLeg.amount": "What this part takes, in the currency of the command.",
    "PaymentListResult.payments": "The payments, newest first.",
    "ListedPayment.payment_id": "Which payment.",
    "ListedPayment.terminal_id": "On which terminal; `gift-cards` for those of the back office.",
    "ListedPayment.type": "What was asked for, e.g. `sale`, `preauth`.",
    "ListedPayment.method": "What is paid with.",
    "ListedPayment.sale_id": "The register's number of the sale; null where it gave none.",
    "ListedPayment.plan_id": "The plan that it is a part of; null outside of one.",
    "ListedPayment.original_payment_id": "The payment that it follows up; null for a start.",
    "ListedPayment.status": "Whether it worked.",
    "ListedPayment.recording": "Whether it is in the books.",
    "ListedPayment.amount": "What was asked for.",
    "ListedPayment.captured_amount": "What was taken, of a hold what was captured of it; null "
    "where nothing was, or is not known yet.",
    "ListedPayment.held_amount": "What is still held; null where nothing is.",
    "SaleAttachResult.recording": "Whether the sale is in the books already.",
    "ReceiptReprintResult.receipts": "The receipts, one for each copy.",
    "GiftCardBalanceResult.balance": "What is on the card, decimal text.",
    "GiftCardBalanceResult.masked_pan": "The end of the card's number.",
    "TerminalCheckResult.ready": "Whether it would take a payment now.",
    "TerminalCheckResult.problem": "A short name of what is wrong; null when nothing is.",
    "TerminalCheckResult.text": "What is wrong, in words; null when nothing is.",
    "noted": "How many gaps nobody had noted before.",
    "answered": "Whether it answered; else this is what was known before.",
    "DiagnosisResult.passed": "Whether it reached its host.",
    "DiagnosisResult.text": "What it said, in words; null where it said nothing.",
    "DiagnosisResult.facts": "What else it said, by name; an open list.",
    "CardBalanceResult.balance": "What is left on the card.",
    "LastTransactionResult.payment_id": "The payment that it belongs to; null for a stranger's.",
    "LastTransactionResult.text": "What it was, where it was no approval; null otherwise.",
    "LastTransactionResult.amount": "What it took; null when the memory is empty.",
    "LastTransactionResult.currency": "Of the amount; null when the memory is empty.",
    "LastTransactionResult.poi_id": "The terminal's own id; null where it does not tell.",
    "LastTransactionResult.transaction_id": "Its number; null where there is none.",
    "LastTransactionResult.trace": "Its trace number; null where there is none.",
    "LastTransactionResult.approval_code": "Its approval code; null where there is none.",
    "LastTransactionResult.time_stamp": "When, by the terminal's own clock; null where it does "
    "not tell.",
    "op": "The command's operation.",
    "Response.status": "`accepted`, `ok` or `error`; never the result of a payment.",
    "Response.payment_id": "The payment; null where the command names none.",
    "payment_status": "The payment's status when the response was made; the document knows "
    "better. Null where there is no payment.",
    "Response.rev": "The revision of the document when the response was made; null where there is "
    "none.",
    "Response.duplicate": "The bridge had this payment already; nothing was started.",
    "Response.result": "The answer of a command that is done, e.g. the list of payments; null "
    "otherwise.",
    "Response.error": "Why it was refused; null unless `status` is `error`.",
    "Response.time": "The bridge's clock when it answered.",
    "ErrorBody.code": "From the table of error codes; an open list.",
    "error_condition": "nexo's ErrorCondition; null where none fits.",
    "message": "For a technician, in English.",
    "detail": "Facts about the error; `path` names the field at fault.",
    "money_moved": "What the error says about the money.",
    "retry": "What may be sent next.",
    "retry_after_s": "When it is worth another try, in seconds; null where nobody knows.",
}

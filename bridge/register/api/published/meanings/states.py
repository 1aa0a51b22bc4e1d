"""The fields of what is published about the bridge and its terminals. Pure."""

from __future__ import annotations

from typing import Final

STATES: Final = {
    # the bridge's state
    "BridgeState.state": "`draining`: it is about to stop and takes nothing new; `offline`: nobody "
    "is there.",
    "BridgeState.reason": "Why it is `offline`; null otherwise.",
    "epoch": "New on every connection of the bridge; a guard for commands. Null when `offline`.",
    "BridgeState.since": "Since when the service runs; null when `offline`.",
    "BridgeState.time": "The bridge's clock when it published, to compare yours with; null when "
    "`offline`.",
    "BridgeState.bridge_id": "The bridge's name in its configuration; null when `offline`.",
    "BridgeState.version": "The version of the bridge's program; null when `offline`.",
    # who it is
    "BridgeInfo.bridge_id": "The bridge's name in its configuration.",
    "BridgeInfo.version": "The version of the bridge's program.",
    "BridgeInfo.site": "The shop's name in the configuration; empty where it has none.",
    "BridgeInfo.operations": "The commands that this bridge serves.",
    "BridgeInfo.currencies": "What its terminals take, ISO 4217.",
    "BridgeInfo.limits": "What a register must keep to.",
    "BridgeInfo.links": "Where the contract of this version stands, as paths below the root of its "
    "repository; `paybridge contract --out DIR` writes the same files.",
    "BridgeInfo.deprecations": "What will be refused one day; look at it when you integrate.",
    "BridgeLimits.request_bytes_max": "The longest command, in bytes.",
    "BridgeLimits.sale_lines_max": "The most lines of a sale.",
    "BridgeLimits.retained_payments_max": "How many settled documents stay retained per register.",
    "BridgeLimits.response_within_s": "Without a response after this many seconds, send the same "
    "command again.",
    "Deprecation.name": "The field, value or command.",
    "Deprecation.use": "What to use instead.",
    "Deprecation.ends_at": "From then on it is refused.",
    # how it is
    "BridgeHealth.time": "The bridge's clock when it published.",
    "can_take_payments": "Whether a payment could be started now.",
    "reasons": "Why not, and what else is not well, in words.",
    "BridgeHealth.uptime_s": "How long the service has been running, in seconds.",
    "BridgeHealth.journal": "The journal's disk; without a journal no payment is started.",
    "BridgeHealth.recording": "The queue towards the back office.",
    "BridgeHealth.payments": "The payments that are not final.",
    "BridgeHealth.mqtt": "The bridge's own connection to the broker.",
    "BridgeHealth.clock": "What the system says of its clock.",
    "BridgeHealth.terminals": "Whether the bridge reaches each terminal, by its name.",
    "JournalHealth.ok": "Whether it can be written.",
    "JournalHealth.path_free_mb": "Free space on its disk, in megabytes; null where it is not "
    "known.",
    "JournalHealth.oldest": "The oldest payment that it still has; null where it is not known.",
    "RecordingHealth.pending": "How many purchases wait to be recorded.",
    "RecordingHealth.oldest_pending_s": "How long the oldest of them has waited, in seconds; null "
    "when none waits.",
    "unconfirmed": "How many were sent to the back office without proof either way; a person "
    "decides.",
    "RecordingHealth.rejected": "How many the back office refused; a person decides.",
    "RecordingHealth.problem": "What a person must mend before any purchase can be recorded; empty "
    "when nothing. Purchases wait meanwhile, none is lost.",
    "RecordingHealth.endpoint_reachable": "Whether the last attempt came through; null before the "
    "first.",
    "login": "`needed`: a person must run `paybridge login`; payments go on.",
    "PaymentsHealth.open": "How many are not final.",
    "PaymentsHealth.in_doubt": "How many of them are in doubt.",
    "MqttHealth.connected": "Whether the bridge has a connection to the broker.",
    "MqttHealth.protocol": "What is spoken on it; null without a connection.",
    "reconnects_24h": "How often it was lost and found again within 24 hours.",
    "ntp_synchronised": "Whether the clock is set over the network; null where the system does not "
    "tell.",
    # what a terminal is
    "TerminalInfo.name": "What people call it.",
    "TerminalInfo.driver": "The driver that speaks with it, e.g. `zvt`.",
    "TerminalInfo.driver_version": "The version of the driver.",
    "TerminalInfo.manufacturer": "Who made it; null where it does not tell.",
    "TerminalInfo.model": "What it is called by its maker; null where it does not tell.",
    "TerminalInfo.serial_number": "Its serial number; null where it does not tell.",
    "TerminalInfo.poi_id": "Its number at its network; null where it does not tell.",
    "TerminalInfo.firmware": "What runs on it.",
    "Firmware.version": "The version of its program; null where it does not tell.",
    "Firmware.update": "Whether there is a newer one.",
    "FirmwareUpdate.available": "Whether its maker offers a newer one, as far as is known.",
    "FirmwareUpdate.version": "Which one; null where none is known.",
    "TerminalInfo.link": "How it is attached.",
    "TerminalLink.type": "The kind of line.",
    "TerminalLink.address": "The device or the host and port, as configured.",
    "TerminalInfo.currencies": "What it takes, ISO 4217.",
    "capabilities": "What it can do; anything not announced here is refused before a card is asked "
    "for.",
    "TerminalInfo.limits": "The least and the most that it takes.",
    "TerminalLimits.min_amount": "The least; null where it does not tell.",
    "TerminalLimits.max_amount": "The most; null where it does not tell.",
    "TerminalCapabilities.operations": "What may be asked of it; an open list.",
    "TerminalCapabilities.tip": "How it takes tips: `fixed` by the register, `ask` the shopper, "
    "`adjust` afterwards.",
    "TerminalCapabilities.surcharge": "Whether it may add something to the amount.",
    "TerminalCapabilities.cash_back": "Whether it can pay out cash with a payment.",
    "TerminalCapabilities.partial_approval": "Whether it can approve a part of the amount.",
    "TerminalCapabilities.partial_capture": "What the capture of a part of a hold does to the rest "
    "of it; where it releases the rest, a capture with `final: false` is refused.",
    "TerminalCapabilities.unlinked_refund": "Whether it can give money back without an original.",
    "TerminalCapabilities.offline": "Whether it approves without asking the host: never, by "
    "itself, or to be sent later.",
    "TerminalCapabilities.cancel": "How long a payment on it can be canceled.",
    "status_query": "How it can be asked about a payment in doubt; `none`: a person must look.",
    "TerminalCapabilities.prompts": "What it may ask the clerk; an open list.",
    "TerminalCapabilities.receipts": "Which receipts it writes; the bridge composes the others.",
    "TerminalCapabilities.printer": "Whether it prints by itself.",
    # how a terminal is
    "availability": "Whether the bridge reaches it; `unknown` before the first try.",
    "activity": "What it does.",
    "ready": "Whether it would take a payment now.",
    "TerminalState.payment_id": "Always null: every register reads this, and a payment is its own "
    "register's business, which has its document.",
    "TerminalState.register_id": "Whose payment is on it; null when it is idle.",
    "TerminalState.queue_length": "How many payments wait in line for it.",
    "TerminalState.last_seen": "When it was heard last; null where that is not known.",
    "TerminalState.link": "How well its line holds.",
    "LinkHealth.up_since": "Since when the line is open; null where that is not known.",
    "TerminalState.printer": "How its printer is; null where it does not tell.",
    "TerminalState.battery_percent": "Its battery, from 0 to 100; null where it does not tell.",
    "TerminalState.host_reachable": "Whether it reaches its network; null where it does not tell.",
    "problems": "What a person should see to.",
    "Problem.code": "A short name of the problem; an open list.",
    "Problem.text": "What is wrong and what to do, in words.",
    "Problem.since": "Since when it is so.",
    # its end of day
    "closed_at": "When it was compared.",
    "closed": "Whether the batch was closed; `false`: it was only compared.",
    "ReconciliationDocument.status": "`matched`: the terminal's sum is the journal's, and nothing "
    "in the journal is open; it says nothing about the back office, see `compare.books`. "
    "`different`, too, where the terminal was seen to act on its own, see `facts`. "
    "`unknown`: the terminal's answer was lost, and only its later totals showed the close.",
    "ReconciliationDocument.host_reconciliation_id": "The batch's number, as the payments in it "
    "name it; null where the terminal does not tell.",
    "ReconciliationDocument.time_stamp": "When it was closed, by the terminal's own clock, local "
    "time without offset; null where it does not tell.",
    "ReconciliationDocument.totals": "The terminal's own sums, one for each brand.",
    "compare": "Sums of the batch, each named after who said it.",
    "differences": "The payments that explain, or may explain, why the sums differ.",
    "gap": "The terminal's sum less the journal's, decimal text with sign; null when the answer "
    "was lost.",
    "explained_by": "The payments and facts that together make the gap, to the cent; empty where "
    "there is none, or nothing in the journal makes it. It may have been otherwise.",
    "not_explained": "The gap, where nothing in the journal makes it; else null.",
    "facts": "What the terminal was seen to do on its own, also where the sums are equal all the "
    "same.",
    "GapCause.kind": "`closed_by_terminal`: its own numbers put the payment into a batch that it "
    "closed before; `reversed_at_terminal`; `done_at_terminal`: by hand, not by us; "
    "`answered_by_person`: not confirmed by the terminal; the others are open questions.",
    "GapCause.payment_id": "The payment; null for what is none of the bridge's.",
    "GapCause.amount": "What it adds to the terminal's sum less the journal's, decimal text with "
    "sign.",
    "GapCause.text": "The evidence in words: batch numbers, a receipt, who answered.",
    "BridgeHealth.gaps": "Sums of terminals that are not the journal's, and what terminals did on "
    "their own, until somebody sends `terminal/note`.",
    "GapHealth.amount": "The terminal's sum less the journal's, decimal text with sign.",
    "GapHealth.found_at": "When it was found.",
    "GapHealth.closed": "Whether it is of an end of day; `false`: of the open batch.",
    "GapHealth.explained": "Whether payments and facts in the journal make it, to the cent.",
    "GapHealth.texts": "Those, and what the terminal did on its own, in words.",
    "TotalsLine.payment_brand": "The brand as the terminal names it.",
    "TotalsLine.count": "How many payments.",
    "TotalsLine.amount": "Their sum, in the currency beside it.",
    "Comparison.terminal": "What the terminal says, decimal text; negative when more went back "
    "than came in, null when its answer was lost.",
    "Comparison.journal": "What the journal says of the same payments.",
    "Comparison.recorded": "What of it the back office acknowledged, by the journal's word; null "
    "where the register's own extract records sales.",
    "Comparison.books": "Whether the back office's own sum agrees with `recorded`; `not_compared` "
    "where nobody asked it.",
    "Comparison.back_office": "What the back office itself says; null where it was not asked, and "
    "`back_office_reason` says why.",
    "Comparison.back_office_reason": "`not_asked`: nobody asked it, since its documented interface "
    "has no question that shows our records; `not_ours`: the register's own extract records "
    "sales; null where it was asked.",
    "DifferenceLine.payment_id": "The payment to look at.",
    "DifferenceLine.kind": "What is open about it.",
    "DifferenceLine.amount": "How much it moved or was to move, decimal text; negative for money "
    "that went back.",
}

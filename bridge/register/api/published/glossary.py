"""What the contract's words mean to a register developer; fields say it where they stand. Pure."""

from __future__ import annotations

from typing import Final

PARAMETERS: Final = {
    "register_id": "The register's id, equal to its user name at the broker; [a-z0-9-], at most "
    "32 characters.",
    "terminal_id": "The terminal's name in the bridge's configuration.",
    "payment_id": "The UUID, in lower case, that the register gave the payment.",
    "copy": "customer, merchant or signature.",
    "plan_id": "The `payment_id` of the start that began the plan.",
    "prompt_id": "The bridge's name of a question, the same after a restart; [a-z0-9-], at most "
    "32 characters.",
}

RETRY_MEANINGS: Final = {
    "same_id": "send the same command again, with the same `payment_id` and a fresh guard",
    "new_id": "a new attempt with a new `payment_id` is safe",
    "after_check": "it is not known: read the payment's document, and wait until it is final",
    "no": "sending it again gives the same answer; change the command, or a person must act",
}

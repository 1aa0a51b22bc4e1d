"""How terminals of different vendors behave where the specification leaves room. Pure.

The deviations are those which peers and vendors report; none was seen on a live device here.
Source: PA00P015 rev 13.08 for the default; the vendors' own documents for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulators.terminals.zvt.words import WORDS, Language, Words

# Configuration byte of the registration, PA00P015 rev 13.08, command 06 00.
PRINTS_PAYMENTS = 0x02
PRINTS_ADMINISTRATION = 0x04
SENDS_INTERMEDIATE_STATUS = 0x08
LOCKS_PAYMENTS = 0x10  # only the register starts payments
TERMINAL_FORMATS = 0x80
FACTORY_CONFIG = 0x86  # also what a log-off goes back to


@dataclass(frozen=True, slots=True)
class Profile:
    """One vendor's terminal. Seconds are the terminal's own timers."""

    name: str = "default"
    terminal_id: str = "29001006"
    merchant_id: str = "100764992"
    version: str = "2.14.15"
    currency: int = 978
    password: str = ""  # "" accepts any
    language: Language = "de"
    charset: str = "cp437"
    charset_code: int | None = None  # stated in print blocks (TLV 14)
    factory_config: int = FACTORY_CONFIG
    keeps_registration: bool = False  # over a restart
    prints: Literal["as_registered", "lines", "blocks"] = "as_registered"
    prints_before_status: bool = False
    line_tail: bool = False  # appends TLV 1F07 to print lines
    prints_declined: bool = True
    status_on_decline: bool = True
    bare_abort: bool = False  # 06 1E without a code
    stage_minutes: int | None = 0  # the second byte of 04 FF; None leaves it out
    stage_texts: bool = False  # 04 FF carries TLV 24
    completion_text: str = ""  # what some vendors put into 06 0F
    failure_ends_with: Literal["abort", "completion"] = "abort"
    abort: Literal["until_host", "never"] = "until_host"
    says_after_abort: bool = True  # 04 0F and 06 1E after an obeyed 06 B0
    # 06 B0 while nothing runs: 80 00 and then 06 1E 01 6C, about the 06 B0 (a mock of nexi's).
    aborts_when_idle: bool = False
    lock_ends_with_line: bool = False  # without a connection anybody may type a payment in
    busy_code: int | None = 0xA0  # reply to a command while the terminal is master; None: silence
    reverses_only_last: bool = False
    repeat_receipt_empty: bool = False
    # 05 01: told; refused with 84 83; 06 1E 01 9A; 04 0F 02 27 00 and 06 0F, as after a payment,
    # each of them to be answered; or never answered.
    status_enquiry: Literal["report", "unknown", "protocol_error", "result", "silence"] = "report"
    # It takes no payment until it got what this status asks for: 06 50 (F0, B1) or 06 70 (C2).
    demands: Literal[0, 0xB1, 0xC2, 0xF0] = 0
    hangs_up: bool = False  # TCP: closes the connection behind the end of each command
    forgets_with_connection: bool = False  # TCP: without a registration in it, 84 6B
    refuses_wrong_currency: bool = True  # at registration
    registrations_refused: int = 0  # the first ones after power-up get 84 1E 01 7D, as by CCV
    diagnosis_code: int | None = 0  # 06 70 ends with this result; None: the command is not known
    self_test_code: int | None = 0  # 06 79, as 06 70
    # In the completion. With E0 or FC it goes away afterwards; with another result than these and
    # 0 the batch stays open, whatever an earlier 04 0F said.
    end_of_day_result: int | None = None
    end_of_day_totals: Literal["status", "completion", "paper"] = "status"  # where they stand
    away_after_end_of_day_seconds: float = 0.0
    # What an unanswered 04 0F or print means: None asks the transport (serial reverses, TCP keeps).
    unanswered: Literal["reverse", "keep"] | None = None
    power_loss: Literal["reverse", "keep"] = "reverse"  # of a payment that was not committed yet
    stops_when_line_is_lost: bool = False  # TCP: before the host is asked
    synchronizes: bool = False  # heeds tag 1F1F
    sequences: bool = False  # agrees to message sequence ids, TLV 1F73
    sequence_counts: Literal["together", "apart"] = "together"  # with the register's commands
    sequence_fault: Literal["none", "missing", "old", "skips"] = "none"
    sequence_fault_in: Literal["reply", "status", "end"] = "status"
    sequence_fault_at: int = 0  # only after the n-th registration that asks for ids; 0: always
    reply_seconds: float = 5.0  # T3
    acknowledge_seconds: float = 5.0  # T2
    byte_gap_seconds: float = 0.2  # T1

    @property
    def words(self) -> Words:
        """What it shows and prints."""
        return WORDS[self.language]


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(),
        Profile(
            name="card_complete",
            charset="iso8859-1",
            factory_config=0xBE,
            keeps_registration=True,
            line_tail=True,
            prints_declined=False,
            refuses_wrong_currency=False,
            sequences=True,
        ),
        Profile(
            name="feig",
            charset="iso8859-1",
            prints="blocks",
            prints_before_status=True,
            status_on_decline=False,
        ),
        Profile(
            name="global_payments",
            charset="iso8859-2",
            charset_code=0x02,
            prints="blocks",
            abort="never",
            reverses_only_last=True,
            repeat_receipt_empty=True,
        ),
        # Two that others wrote for tests of registers, and how gateways were seen to behave.
        Profile(name="status_unknown", status_enquiry="unknown"),
        Profile(name="status_refused", status_enquiry="protocol_error"),
        Profile(name="status_as_result", status_enquiry="result"),
        Profile(name="status_unanswered", status_enquiry="silence"),
        Profile(name="wants_end_of_day", demands=0xF0),
        Profile(name="wants_diagnosis", demands=0xC2),
        Profile(name="hangs_up", hangs_up=True),
        Profile(name="forgets", forgets_with_connection=True),
    )
}

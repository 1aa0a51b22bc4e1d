"""What a check can find: the table of findings, and what they say together. Pure.

A finding's code, level and what it stops are fixed here; its words and its remedy may be made
where more is known. `docs/check.md` has the same table for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

Level = Literal["ok", "look", "wrong"]
Stops = Literal["", "terminal", "recording", "payments"]

EXIT_ALL_WELL: Final = 0
EXIT_NO_PAYMENTS: Final = 1
EXIT_PAYMENTS_BUT: Final = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    Attributes:
        level: `look` is worth a person's look; `wrong` stops what `stops` names.
        stops: One `terminal`, the `recording` of sales, or all `payments`.
        meaning: What was found, for the table.
        remedy: What to do, unless the finding knows better.
    """

    level: Level
    stops: Stops
    meaning: str
    remedy: str = ""


def _ok(meaning: str) -> Kind:
    return Kind("ok", "", meaning)


def _look(meaning: str, remedy: str) -> Kind:
    return Kind("look", "", meaning, remedy)


def _wrong(stops: Stops, meaning: str, remedy: str) -> Kind:
    return Kind("wrong", stops, meaning, remedy)


KINDS: Final[Mapping[str, Kind]] = {
    # --- the journal and its disk
    "journal_sound": _ok("the journal can be read and is whole"),
    "journal_none_yet": _ok("there is no journal yet; the first start makes it"),
    "journal_damaged": _wrong(
        "payments",
        "the journal's file is damaged, or is of another kind",
        "stop the service, keep the file, and put the newest backup in its place: docs/install.md",
    ),
    "journal_unreadable": _wrong(
        "payments",
        "the journal cannot be opened",
        "run this as root or as the service's user; then look at owner and mode of the file",
    ),
    "journal_newer": _wrong(
        "payments",
        "the journal was written by a newer version of paybridge",
        "install that version again: an older one must not write in it",
    ),
    "journal_restored": _wrong(
        "payments",
        "the journal is older than what was paid: a copy was put back",
        "look at the terminals and the back office for what was paid since, then "
        "paybridge take-over --by NAME",
    ),
    "state_folder": _wrong(
        "payments",
        "the state directory cannot be written by the service's user",
        "give it to that user: chown -R paybridge: FOLDER; chmod 700 FOLDER",
    ),
    "disk_ok": _ok("a commit is quick, and there is room"),
    "disk_slow": _look(
        "a commit takes so long that shoppers wait for it",
        "put the state directory on another disk (no SD card, no network drive), or look why this "
        "one is busy",
    ),
    "disk_low": _look(
        "the journal's disk is nearly full",
        "make room: without it the journal cannot be written, and no payment is taken",
    ),
    "disk_full": _wrong(
        "payments",
        "the journal's disk is full",
        "make room now; the service stops before it takes a payment that it cannot note",
    ),
    "journal_log_grows": _look(
        "the journal's log file (WAL) is large: something keeps reading the journal",
        "end programs that have the journal open (fuser -v FILE); copies are made with "
        "paybridge backup",
    ),
    # --- files and credentials
    "secret_ok": _ok("the service's user can read what the configuration names"),
    "secret_unreadable": _wrong(
        "payments",
        "a file that the configuration names cannot be read by the service's user",
        "let the service's user read it, and nobody else: chown USER FILE; chmod 600 FILE",
    ),
    "secret_open": _wrong(
        "payments",
        "a secret's file can be read by everybody, so the service does not start with it",
        "chmod 600 FILE; whoever could read it may know the secret: change it",
    ),
    "secret_bad": _wrong(
        "payments",
        "a secret is empty, too long, or no text in UTF-8",
        "write the secret into the file again, as text in UTF-8 without anything else",
    ),
    "secret_elsewhere": _look(
        "the service gets credentials from systemd that this command was not given",
        "run this as root, or as docs/check.md says, so that the same credentials are tried",
    ),
    # --- the broker
    "broker_ok": _ok("the broker lets us in, and what we publish comes back"),
    "broker_away": _wrong(
        "payments",
        "nothing answers at the broker's address",
        "start it (systemctl start mosquitto), or correct the address",
    ),
    "broker_login_refused": _wrong(
        "payments",
        "the broker does not take our name and password",
        "write the password that the broker has for this user; paybridge broker setup makes both",
    ),
    "broker_refused": _wrong(
        "payments",
        "the broker refuses the connection for another reason",
        "look into the broker's log",
    ),
    "broker_wants_tls": _wrong(
        "payments",
        "this port of the broker speaks TLS, and the configuration says no TLS",
        "add [mqtt.tls] with ca_file, or use the broker's port without TLS on this machine",
    ),
    "broker_speaks_no_tls": _wrong(
        "payments",
        "the configuration says TLS, and this port of the broker speaks none",
        "use the broker's TLS port (usually 8883), or leave [mqtt.tls] out on this machine",
    ),
    "broker_untrusted": _wrong(
        "payments",
        "the broker's certificate is not to be trusted",
        "name the authority that made it in mqtt.tls.ca_file, and the host as in the certificate",
    ),
    "broker_certificate_expired": _wrong(
        "payments", "the broker's certificate has expired", "make a new one for the broker"
    ),
    "broker_certificate_expires": _look(
        "the broker's certificate expires soon", "make a new one for the broker in time"
    ),
    "broker_wants_certificate": _wrong(
        "payments",
        "the broker wants a certificate of ours, and takes none that we have",
        "name ours in mqtt.tls.certificate_file and key_file",
    ),
    "broker_tls_files": _wrong(
        "payments",
        "a TLS file cannot be used",
        "correct the path, or give the file to the service's user",
    ),
    "broker_no_mqtt": _wrong(
        "payments",
        "who answers at that port speaks no MQTT that we know",
        "is this the broker's port? 1883 is usual, 8883 with TLS",
    ),
    "broker_may_not_read": _wrong(
        "payments",
        "the access list keeps from us what we must hear",
        "let the bridge's user read and write everything below the base topic",
    ),
    "broker_may_not_write": _wrong(
        "payments",
        "the access list keeps us from publishing",
        "let the bridge's user read and write everything below the base topic",
    ),
    "broker_in_the_clear": _look(
        "passwords and payments travel readable to a broker on another machine",
        "use the broker's TLS port and [mqtt.tls]",
    ),
    "other_bridge": _wrong(
        "payments",
        "another bridge serves this base topic; one of the two must not",
        "give this one a base_topic of its own, or stop the other one for good and run "
        "paybridge take-over --by NAME",
    ),
    "other_bridge_silent": _wrong(
        "payments",
        "this base topic belongs to another bridge, which is silent",
        "if that one is gone for good: paybridge take-over --by NAME",
    ),
    # --- terminals
    "terminal_ok": _ok("the terminal answers and can take payments"),
    "terminal_busy": _ok("the terminal is doing something just now"),
    "terminal_setting": _wrong("terminal", "a setting of the terminal is wrong", "correct it"),
    "terminal_port_missing": _wrong(
        "terminal",
        "there is no such port: the cable is out, or the name is wrong",
        "plug it in and switch it on; paybridge find lists the ports that are there",
    ),
    "terminal_port_denied": _wrong(
        "terminal", "the port may not be opened", "as the text says; paybridge must be in dialout"
    ),
    "terminal_port_in_use": _wrong(
        "terminal",
        "another program has the port",
        "stop the program that has it: fuser -v PORT names it",
    ),
    "terminal_unreachable": _wrong(
        "terminal",
        "nobody answers at the terminal's address",
        "switch the terminal on and look at its network menu for its address",
    ),
    "terminal_line_broken": _wrong(
        "terminal", "the line cannot be set up or broke", "look at the cable and the adapter"
    ),
    "terminal_silent": _wrong(
        "terminal",
        "nobody on that line understands us: wrong driver, wrong baud rate, or switched off",
        "look whether the terminal is on and in cash register mode",
    ),
    "terminal_wrong_driver": _wrong(
        "terminal", "the terminal speaks another protocol", "configure the driver that it answers"
    ),
    "terminal_wrong_speed": _wrong(
        "terminal", "the terminal speaks at another baud rate", "configure that baud rate"
    ),
    "terminal_other": _wrong(
        "terminal",
        "another terminal than the configured one answers",
        "plug the right one in, or correct terminal_id or serial_number",
    ),
    "terminal_not_ready": _wrong(
        "terminal",
        "the terminal answers, and says that it cannot take payments",
        "do what its display says",
    ),
    "terminal_not_asked": _look(
        "this driver cannot ask without money; only the line was tried",
        "take one small payment and give it back",
    ),
    "pos_server_terminal": _ok("the POS server drives this terminal; it has no line to try"),
    "pos_server_out": _wrong(
        "terminal",
        "the running service cannot take payments at this terminal of the POS server",
        "do what the text says, and see what was found of the back office",
    ),
    "pos_server_ok": _ok("the POS server offers terminal payments"),
    "pos_server_unread": _look(
        "whether the POS server offers terminal payments cannot be told: its schema is hidden",
        "take one small payment and give it back",
    ),
    "pos_server_lacks": _wrong(
        "terminal",
        "the POS server lacks something that terminal payments need, or wants something unknown",
        "have terminal payments enabled at the POS server; else show the text to us",
    ),
    "pos_server_cannot_tell": _look(
        "whether the POS server offers terminal payments cannot be told",
        "run this again once the back office answers",
    ),
    "pos_server_unbooked": _look(
        "nobody has said who books the payments of the POS server's terminals: we do not",
        "make one payment, look whether a purchase appears, then set the key",
    ),
    # --- the login
    "login_ok": _ok("we are logged in at the provider"),
    "login_needed": _wrong("recording", "nobody is logged in", "paybridge login"),
    "login_setting": _wrong(
        "payments", "a setting of the login is wrong; the service will not start", "correct it"
    ),
    "login_wrong_issuer": _wrong(
        "recording",
        "the provider calls itself otherwise than the configuration",
        "write back_office.login.issuer as the provider does",
    ),
    "login_provider_away": _wrong(
        "recording",
        "the provider does not answer, or is not itself",
        "look at the internet line and the address of the issuer",
    ),
    "login_unsafe": _wrong(
        "recording",
        "the provider's description breaks a rule that keeps tokens safe",
        "show the text to whoever runs the provider",
    ),
    "login_no_grant": _wrong(
        "recording",
        "the provider offers this client none of the ways to log in that we know",
        "have the device flow or the authorization code allowed for this client",
    ),
    "login_client_refused": _wrong(
        "recording",
        "the provider does not accept this client: its id, its secret or its grant",
        "compare client_id and the secret with the provider's list of clients",
    ),
    "login_short": _look(
        "the login ends by itself: there is no refresh token",
        "have offline_access allowed for this client, then log in again",
    ),
    # --- the back office
    "office_ok": _ok("the back office answers, and lets us in"),
    "office_setting": _wrong(
        "payments",
        "a setting of the back office is wrong; the service will not start",
        "correct it",
    ),
    "office_away": _wrong(
        "recording",
        "the back office does not answer, or is not itself; payments go on, recording waits",
        "look at the internet line and back_office.endpoint",
    ),
    "office_not_allowed": _wrong(
        "recording",
        "the account may not use the back office's API at all",
        "give its role the permission ExecuteGraphQL",
    ),
    "edition_ok": _ok("the back office's version and edition are known, and will do"),
    "edition_takes_no_purchases": _wrong(
        "recording",
        "the back office's edition takes no purchases",
        "records = false, or another edition",
    ),
    "edition_unknown": _look(
        "the back office's edition cannot be told", "purchaseAdd needs Cloud or Corporate: ask"
    ),
    "permission_ok": _ok("the account has this permission, as far as the server says"),
    "permission_shown_by_use": _ok(
        "whether the account has this permission, only using it shows; health names it when missing"
    ),
    "permission_missing_for_gift_cards": _look(
        "the account lacks a permission that gift cards need",
        "give the account's role this permission, if gift cards are to be taken",
    ),
    "permission_unknown": _look(
        "whether the account has a permission cannot be told",
        "look it up in the back office, or record one small sale",
    ),
    "store_ok": _ok("the back office has this store"),
    "store_spelled_otherwise": _look(
        "the back office writes the store code otherwise", "write site.store_code so, too"
    ),
    "store_unknown": _wrong(
        "recording",
        "the back office has no such store",
        "correct site.store_code, or have the store made there",
    ),
    "store_cannot_tell": _look(
        "whether the back office has this store cannot be told", "compare the code there"
    ),
    "items_ok": _ok("the back office shows its items"),
    "items_unreadable": _look(
        "the copy of the back office's items cannot be kept; no sale is refused for that",
        "give the account's role the permission ViewInventory, or switch back_office.items off",
    ),
    "sku_ok": _ok("the back office has the item that such sales are booked under"),
    "sku_unknown": _look(
        "the back office has no item that such sales are booked under; it may reject them",
        "have the item made there, or name another one",
    ),
    "sku_cannot_tell": _look(
        "whether the back office has that item cannot be told", "look it up there"
    ),
    "gift_cards_ok": _ok("the server has all that gift cards need"),
    "gift_cards_less": _look(
        "the server lacks something that gift cards need",
        "nothing, if gift cards are not held or loaded here",
    ),
    "gift_cards_unread": _look(
        "the server shows neither its schema nor whether it understands a hold",
        "compare [back_office.names], and try one card",
    ),
    # --- the machine and the service
    "clock_ok": _ok("the clock agrees with the server's"),
    "clock_off": _look(
        "the clock is off",
        "timedatectl set-ntp true; commands of registers expire by it, and books are dated by it",
    ),
    "port_grabber_active": _wrong(
        "terminal",
        "a program is running that opens serial ports and sends bytes of its own",
        "install the udev rules (docs/install.md), or stop and disable it",
    ),
    "port_grabber_present": _look(
        "a program is installed that opens serial ports and sends bytes of its own",
        "install the udev rules (docs/install.md), or remove it",
    ),
    "service_runs": _ok("the service is running, and nothing is in its way"),
    "service_not_running": _look(
        "the service is not running: no payment is taken until it does",
        "systemctl start paybridge; why it ended: journalctl -u paybridge -n 50",
    ),
    "service_silent": _look(
        "the service is running and does not answer this command",
        "run this as root or as the service's user; if it is, systemctl restart paybridge",
    ),
    "service_obstacle": _wrong("payments", "the running service takes no payments", "see the text"),
    "service_warning": _look("the running service warns of something", "see the text"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        code: A row of `KINDS`.
        what: What was looked at, e.g. `terminal counter-1`.
        text: What was seen.
        key: The setting, dotted, "" where it is none.
        file: Where that stands, or the file that was looked at.
        remedy: What to do, "" where there is nothing to do.
    """

    code: str
    level: Level
    what: str
    text: str
    key: str = ""
    file: str = ""
    remedy: str = ""

    @property
    def stops(self) -> Stops:
        """What cannot go on because of it."""
        return KINDS[self.code].stops

    @property
    def where(self) -> str:
        """The file and the key in it, as far as there are any."""
        return ": ".join(part for part in (self.file, self.key) if part)

    def as_json(self) -> dict[str, str]:
        """Return it in JSON's types."""
        return {
            "code": self.code,
            "level": self.level,
            "stops": self.stops,
            "what": self.what,
            "text": self.text,
            "file": self.file,
            "key": self.key,
            "remedy": self.remedy,
        }


def found(
    code: str, what: str, text: str, *, key: str = "", file: str = "", remedy: str = ""
) -> Finding:
    """Return a finding of this kind; what is good needs no remedy."""
    kind = KINDS[code]
    return Finding(code, kind.level, what, text, key, file, remedy or kind.remedy)


def located(findings: Iterable[Finding], configuration: str) -> list[Finding]:
    """Return the findings, each setting with the file that it stands in."""
    return [
        replace(one, file=configuration) if one.key and not one.file else one for one in findings
    ]


def exit_status(findings: Iterable[Finding], terminals: Iterable[str]) -> int:
    """Return what the findings say together.

    0: payments can be taken at every terminal, and are recorded. 1: no payment can be taken.
    3: payments can be taken, but not everywhere, or they are not recorded yet.
    """
    wrong = [one for one in findings if one.level == "wrong"]
    if not wrong:
        return EXIT_ALL_WELL
    out = {one.what for one in wrong if one.stops == "terminal"}
    all_out = all(terminal_word(name) in out for name in terminals)
    if all_out or any(one.stops == "payments" for one in wrong):
        return EXIT_NO_PAYMENTS
    return EXIT_PAYMENTS_BUT


def terminal_word(name: str) -> str:
    """Return how a finding names a terminal."""
    return f"terminal {name}"

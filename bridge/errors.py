"""Errors, named by what the caller must do. Outcomes (declined, in doubt) are values."""

from __future__ import annotations


class BridgeError(Exception):
    """Anything paybridge raises on purpose."""


class ConfigError(BridgeError):
    """The configuration cannot be used; a person must change `key`. Exit status 78.

    Attributes:
        key: Dotted path of the setting, e.g. `terminals.counter-1.port`; "" for the whole file.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key


class Transient(BridgeError):
    """Worth trying again later; the other side did not act on what we asked."""


class LineError(Transient):
    """The line to a terminal cannot be opened or broke.

    Attributes:
        reason: One of `not_found`, `no_permission`, `in_use`, `refused`, `unreachable`,
            `usb_removed`, `io_error`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BusError(Transient):
    """The MQTT broker is away."""


class MessageRefused(BusError):
    """The broker is there and will not take this message; it takes others."""


class MessageBreaks(MessageRefused):
    """The broker ends the connection over this message: sent again, it would do so again."""


class BackOfficeUnavailable(Transient):
    """The back office cannot be reached or is not itself (captive portal, 429, 5xx)."""


class LoginRequired(BridgeError):
    """The back office wants a person to log in. Payments go on, recording waits."""


class Rejected(BridgeError):
    """The other side said no for a reason that a retry does not cure; a person must look.

    Attributes:
        code: The other side's code, e.g. `VALIDATION`.
        path: The field it names, "" when it names none.
    """

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(f"{code}: {message}" + (f" ({path})" if path else ""))
        self.code = code
        self.path = path


class JournalError(BridgeError):
    """The journal cannot be written, read or owned. No journal, no payment, ever."""


class RequestError(BridgeError):
    """A command from a register is refused before anything was done.

    Attributes:
        code: A code of the published contract, e.g. `invalid_amount`.
        path: Dotted path of the field at fault, "" for the whole message.
        detail: Further facts for the register, JSON types only.
    """

    def __init__(self, code: str, message: str, *, path: str = "", **detail: object) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.detail: dict[str, object] = {"path": path, **detail} if path else detail

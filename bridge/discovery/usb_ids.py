"""What is known of USB serial devices that a shop may have, and which may be asked unnamed. Pure.

A vendor id alone proves nothing: stream decks carry Ingenico's, barcode scanners Newland's, and
an adapter to RS-232 says nothing of what hangs behind it. A port may be asked without being named
only if its interface is of the communications class and its row here says so.

The rows of 70-paybridge.rules and these go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

COMMUNICATIONS_CLASS = "02"  # CDC; how the kernel's cdc_acm knows its devices

_USB_IDS = "usb.ids 2025.07.26"
_PDV = "udev script of a Brazilian point of sale"
_DECKS = "udev files of three stream deck programs"
_PAX_INF = "paxcdc.inf, the maker's Windows driver"
_PAX_BASE = "udev rule for a PAX Android base"
_NOT_PAYMENT = f"{_USB_IDS}; lists no payment terminal of this vendor"
_ADAPTER = "adapter to RS-232; says nothing of what hangs behind it"
_KERNEL = "id table of the Linux driver"


@dataclass(frozen=True, slots=True)
class UsbKind:
    """One row. Ids are four lower-case hex digits; in `product_id`, `?` and `*` stand for any."""

    vendor_id: str
    product_id: str
    what: str
    may_be_asked: bool  # by itself; a port that the operator names may always be asked
    source: str


# The first row that fits counts.
KINDS = (
    UsbKind("0b00", "3070", "Ingenico iPP3xx PIN pad", True, _PDV),
    UsbKind("0b00", "1001", "stream deck with Ingenico's vendor id, no terminal", False, _DECKS),
    UsbKind("0b00", "*", "Ingenico", True, f"{_USB_IDS}, the vendor only"),
    UsbKind("079b", "0028", "Ingenico iPP320 PIN pad", True, _PDV),
    UsbKind("079b", "*", "Sagem, also converters and modems", False, _NOT_PAYMENT),
    UsbKind("0780", "*", "Sagem Monetel health card reader", False, _USB_IDS),
    UsbKind("0f14", "*", "Ingenico health card reader", False, _USB_IDS),
    UsbKind("11ca", "0201", "Verifone MX870 or MX880", True, _USB_IDS),
    UsbKind("11ca", "0207", "Verifone VX810 PIN pad", True, _USB_IDS),
    UsbKind("11ca", "0219", "Verifone PIN pad", True, _PDV),
    UsbKind("11ca", "0220", "Verifone VX805 PIN pad", True, _USB_IDS),
    UsbKind("11ca", "*", "Verifone", True, f"{_USB_IDS}, the vendor only"),
    UsbKind("142a", "0003", "Thales Artema Hybrid", True, _USB_IDS),
    UsbKind("142a", "0005", "Thales Artema Modular", True, _USB_IDS),
    UsbKind("142a", "0043", "Thales medCompact health card reader", False, _USB_IDS),
    UsbKind("142a", "*", "Thales e-Transactions", True, f"{_USB_IDS}, the vendor only"),
    UsbKind("1753", "c901", "Gertec PPC900 PIN pad", True, _USB_IDS),
    UsbKind("1753", "c902", "Gertec PPC902 PIN pad", True, _USB_IDS),
    UsbKind("1753", "c903", "Gertec PPC903 PIN pad", True, _USB_IDS),
    UsbKind("1753", "*", "Gertec", True, f"{_USB_IDS}, the vendor only"),
    UsbKind("2fb8", "220?", "PAX Android terminal on its base", True, _PAX_BASE),
    UsbKind("2fb8", "*", "PAX", True, _PAX_INF),
    UsbKind("9908", "9030", "PAX, second vendor id", True, _PAX_INF),
    UsbKind("1eab", "*", "Newland: a terminal or a barcode scanner", False, _USB_IDS),
    UsbKind("0ab1", "*", "FEIG reader", False, _NOT_PAYMENT),
    UsbKind("0ca6", "*", "Castles reader", False, _NOT_PAYMENT),
    UsbKind("0acd", "*", "ID TECH reader", False, _NOT_PAYMENT),
    UsbKind("0801", "*", "MagTek reader", False, _NOT_PAYMENT),
    UsbKind("0886", "*", "XAC reader", False, _NOT_PAYMENT),
    UsbKind("0403", "60??", f"FTDI {_ADAPTER}", False, _KERNEL),
    UsbKind("067b", "23??", f"Prolific {_ADAPTER}", False, _KERNEL),
    UsbKind("10c4", "ea60", f"CP210x {_ADAPTER}", False, _KERNEL),
    UsbKind("1a86", "7523", f"CH340 {_ADAPTER}", False, _KERNEL),
    UsbKind("1a86", "55d4", f"CH9102 {_ADAPTER}", False, "ch343ser, the maker's Linux driver"),
)


def kind_of(vendor_id: str, product_id: str) -> UsbKind | None:
    """Return what is known of a device, None if nothing is."""
    for kind in KINDS:
        if kind.vendor_id == vendor_id and fnmatchcase(product_id, kind.product_id):
            return kind
    return None

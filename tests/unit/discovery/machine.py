"""A made-up store PC: its serial ports as the kernel and udev show them, in a folder."""

from __future__ import annotations

from pathlib import Path

from bridge.discovery.serial_ports import SerialPort, list_serial_ports


class Machine:
    """A store PC as `/sys` and `/dev` show it."""

    def __init__(self, folder: Path) -> None:
        self.sysfs = folder / "sys"
        self.devices = folder / "dev"

    def plug(
        self, name: str, usb: dict[str, str], interface_class: str, *, converter: bool = False
    ) -> Path:
        """Add a USB port; a converter has a folder of its own below the interface."""
        device = self.sysfs / "devices/pci0000:00/usb1" / f"1-{name}"
        interface = device / f"1-{name}:1.0"
        node = interface / name if converter else interface
        entry = self._entry(node / "tty" / name, node)
        for attribute, text in usb.items():
            (device / attribute).write_text(text + "\n")
        (interface / "bInterfaceClass").write_text(interface_class + "\n")
        return self._expose(name, entry)

    def solder(self, name: str, uart_type: str) -> Path:
        """Add a port of the main board; the kernel shows numbers without hardware as type 0."""
        node = self.sysfs / "devices/platform/serial8250" / name
        entry = self._entry(node / "tty" / name, node)
        (entry / "type").write_text(uart_type + "\n")
        return self._expose(name, entry)

    def link(self, folder: str, name: str, device: str) -> str:
        """Add a link as udev does."""
        path = self.devices / "serial" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(self.devices / device)
        return str(path)

    def ports(self) -> tuple[SerialPort, ...]:
        return list_serial_ports(self.sysfs, self.devices)

    def _entry(self, entry: Path, node: Path) -> Path:
        entry.mkdir(parents=True)
        (entry / "device").symlink_to(node)
        return entry

    def _expose(self, name: str, entry: Path) -> Path:
        (self.sysfs / "class/tty").mkdir(parents=True, exist_ok=True)
        (self.sysfs / "class/tty" / name).symlink_to(entry)
        self.devices.mkdir(exist_ok=True)
        (self.devices / name).touch()
        return self.devices / name

"""A store PC in software: qemu, no network, a USB serial port, and a channel for scripts."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import subprocess
import time
from pathlib import Path

# What answers at the other end of the channel, as root: one line "NUMBER BASE64" in, one out.
AGENT = """\
#!/bin/bash
# The trial's hands in this machine: runs what comes over the virtio port, says what it said.
while true; do
    until exec 3<>/dev/virtio-ports/trial; do sleep 0.3; done
    while read -r number script <&3; do
        said=$(base64 -d <<<"$script" | timeout 900 bash 2>&1; echo "status=$?")
        printf '%s %s\\n' "$number" "$(base64 -w0 <<<"$said")" >&3
    done
    sleep 0.3
done
"""
AGENT_UNIT = """\
[Unit]
Description=Runs the steps of scripts/try-on-debian
[Service]
ExecStart=/usr/local/sbin/trial-agent
Restart=always
[Install]
WantedBy=multi-user.target
"""
PORTS = {"terminal": 1, "other": 2}  # of the emulated USB hub


class StepFailed(Exception):
    """A script in the machine said something else than it should."""


class Machine:
    """One qemu process after the other on the same disk."""

    def __init__(self, folder: Path, terminal: Path) -> None:
        """Boot from `folder`; the USB adapter leads to the serial port `terminal`."""
        self._folder = folder
        self._terminal = terminal
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._number = 0

    def boot(self, seconds: float) -> None:
        """Switch it on and wait until it takes scripts."""
        channel, monitor = self._folder / "channel.sock", self._folder / "monitor.sock"
        for path in (channel, monitor):
            path.unlink(missing_ok=True)
        command = [
            *("nice", "-n", "5", "qemu-system-x86_64", "-accel", "tcg,thread=multi"),
            *("-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-nographic", "-no-reboot"),
            *("-kernel", "vmlinuz", "-initrd", "initrd.img"),
            *("-append", "root=/dev/vda rw console=ttyS0 mitigations=off panic=-1"),
            *("-drive", "file=disk.img,if=virtio,format=raw,cache=writeback", "-nic", "none"),
            *("-serial", "file:console.log", "-qmp", "unix:monitor.sock,server=on,wait=off"),
            *("-device", "virtio-serial-pci"),
            *("-chardev", "socket,id=trial,path=channel.sock,server=on,wait=off"),
            *("-device", "virtserialport,chardev=trial,name=trial"),
            *("-device", "qemu-xhci,id=usb,addr=0x1d"),
            *("-chardev", f"serial,id=terminal,path={self._terminal}"),
            *("-chardev", "file,id=other,path=/dev/null"),
            *("-device", "usb-serial,chardev=terminal,id=terminal,bus=usb.0,port=1"),
        ]
        with (self._folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stderr=log, stdout=log)
        self._channel = self._connect(channel)
        self.run("true", seconds)

    def run(self, script: str, seconds: float) -> str:
        """Run a script as root and return what it said; what came too late is skipped.

        Raises:
            StepFailed: Its status is not 0, or it says nothing in time.
        """
        assert self._channel is not None, "it is off"
        self._number += 1
        body = base64.b64encode(script.encode()).decode()
        self._channel.sendall(f"{self._number} {body}\n".encode())
        said = self._answer(self._number, time.monotonic() + seconds)
        text, _, status = said.rstrip().rpartition("status=")
        if status != "0":
            raise StepFailed(f"status {status}: {text}")
        return text

    def _answer(self, number: int, until: float) -> str:
        assert self._channel is not None, "it is off"
        self._channel.settimeout(1.0)
        data = b""
        wanted = re.compile(rb"^%d (\S+)\n" % number, re.MULTILINE)
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                data += self._channel.recv(65_536)
            found = wanted.search(data)
            if found:
                return base64.b64decode(found[1]).decode(errors="replace")
            if self._process is not None and self._process.poll() is not None:
                raise StepFailed("the machine is off; see qemu.log")
        raise StepFailed("nothing was said in time; see console.log")

    def unplug(self, name: str) -> None:
        """Pull a USB adapter."""
        self._tell("device_del", id=name)

    def plug(self, name: str) -> None:
        """Plug a USB adapter into its socket."""
        port = str(PORTS[name])
        self._tell("device_add", driver="usb-serial", chardev=name, id=name, bus="usb.0", port=port)

    def cut_power(self) -> None:
        """Switch it off without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None

    def _tell(self, command: str, **arguments: str) -> None:
        with self._connect(self._folder / "monitor.sock") as monitor:
            monitor.settimeout(10.0)
            with monitor.makefile("rw") as lines:
                lines.readline()
                for words in (
                    {"execute": "qmp_capabilities"},
                    {"execute": command, "arguments": arguments},
                ):
                    lines.write(json.dumps(words) + "\n")
                    lines.flush()
                    answer = json.loads(lines.readline())
                    while "event" in answer:
                        answer = json.loads(lines.readline())
                    if "error" in answer:
                        raise StepFailed(f"{command}: {answer['error']['desc']}")

    @staticmethod
    def _connect(path: Path) -> socket.socket:
        until = time.monotonic() + 20.0
        while True:
            wire = socket.socket(socket.AF_UNIX)
            try:
                wire.connect(str(path))
            except OSError:
                wire.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return wire

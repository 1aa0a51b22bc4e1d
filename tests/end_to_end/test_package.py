"""The Debian package: what it lays out, what removing keeps, and that its service takes a payment.

Installed by dpkg for real, in a mount namespace whose writes go to memory.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.shipped import ROOT, Shipped, need_namespaces
from tests.end_to_end.test_as_shipped import ALL_FILES, a_site, errors_of

pytestmark = [pytest.mark.slow, pytest.mark.mosquitto]

CI = "PAYBRIDGE_NO_SKIPS"
BUILD_SECONDS_MAX = 300.0
# /work-like places stay as they are; only what a package may touch is written over.
OVERLAY = """\
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mkdir "$1/root/packages"
mount --bind "$2" "$1/root/packages"
exec chroot "$1/root" sh -c "$3"
"""
UNSETTLED = "insert into payment values('p','till-1','t','s','in_doubt','',1,'EUR','','',1,0)"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine, built once; the folder has `opt` as it was laid out."""
    need_namespaces()
    for tool in ("dpkg-deb", "/usr/bin/python3"):
        if shutil.which(tool) is None:
            (pytest.fail if os.environ.get(CI) else pytest.skip)(f"{tool} is not here")
    folder = tmp_path_factory.mktemp("package")
    done = subprocess.run(
        ["scripts/package", "--out", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.deb")
    built.rename(folder / "paybridge.deb")
    (folder / "opt").mkdir()
    return folder


def in_a_debian_of_its_own(package: Path, script: str) -> str:
    """Run a script as root where dpkg may change everything, and nothing of it stays."""
    stage = package / "stage"
    stage.mkdir(exist_ok=True)
    command = ["unshare", "--mount", "sh", "-c", OVERLAY, "sh", str(stage), str(package), script]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_the_package_installs_takes_a_payment_and_keeps_the_journal(
    package: Path, tmp_path: Path
) -> None:
    """One test: wherever it is run, the package is built once."""
    lays_out_everything_and_keeps_the_journal(package)
    await is_ready_without_others_and_takes_a_payment(package, tmp_path)


def lays_out_everything_and_keeps_the_journal(package: Path) -> None:
    said = in_a_debian_of_its_own(
        package,
        """
        set -eu
        install='dpkg --install /packages/paybridge.deb'
        $install >/dev/null 2>&1
        dpkg --verify paybridge
        id -nG paybridge
        systemctl is-enabled paybridge
        for file in systemd/system/paybridge.service udev/rules.d/70-paybridge.rules \
            udev/rules.d/95-paybridge-brltty.rules modules-load.d/paybridge.conf; do
            test -e /usr/lib/$file
        done
        test -e /usr/share/doc/paybridge/examples/paybridge.toml
        stat -c '%a %U:%G %n' /etc/paybridge /etc/credstore
        cd / && paybridge version
        paybridge releases
        cp -a /opt/paybridge /packages/opt/

        echo == again
        $install >/dev/null 2>&1
        ls /opt/paybridge/versions | wc -l

        echo == remove
        install -d -m 700 -o paybridge /var/lib/paybridge
        cp /usr/share/doc/paybridge/examples/paybridge.toml /etc/paybridge/
        runuser -u paybridge -- /opt/paybridge/current/bin/python -c '
from pathlib import Path
from bridge.money.store.database import open_database
open_database(Path("/var/lib/paybridge/journal.sqlite")).close()'
        dpkg --remove paybridge >/dev/null 2>&1
        ls /etc/paybridge /var/lib/paybridge
        test ! -e /opt/paybridge; test ! -e /usr/bin/paybridge

        echo == purge without a word
        cp /var/lib/dpkg/info/paybridge.postrm /root/postrm
        dpkg --purge paybridge 2>&1 | grep 'nobody said'
        ls /var/lib/paybridge

        echo == purge with a doubt
        python3 -c '
import sqlite3
with sqlite3.connect("/var/lib/paybridge/journal.sqlite") as journal: journal.execute(
    "%s")'
        PAYBRIDGE_PURGE=yes /root/postrm purge 2>&1 | grep 'is kept:'
        test -e /var/lib/paybridge/journal.sqlite

        echo == purge what is settled
        python3 -c '
import sqlite3
with sqlite3.connect("/var/lib/paybridge/journal.sqlite") as journal:
    journal.execute("delete from payment")'
        PAYBRIDGE_PURGE=yes /root/postrm purge >/dev/null 2>&1
        find /var/lib/paybridge /etc/paybridge /opt/paybridge 2>/dev/null | wc -l
        """.replace("%s", UNSETTLED.replace("'", "\\x27")),
    )
    laid, again, remove, silent, doubt, settled = said.split("== ")
    assert "paybridge dialout" in laid
    assert "enabled" in laid
    assert "750 root:paybridge /etc/paybridge" in laid
    assert "700 root:root /etc/credstore" in laid
    assert "runs" in laid
    assert again.split() == ["again", "1"]
    assert {"paybridge.toml", "journal.sqlite"} <= set(remove.split())
    assert "journal.sqlite" in silent
    assert "1 payments or bookings" in doubt
    assert settled.split()[-1] == "0"


async def is_ready_without_others_and_takes_a_payment(package: Path, tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        site.configure("client_credentials")
        await site.broker.stop()
        service = Shipped(
            site.folder / "service",
            ("run", "--config", str(site.config)),
            ALL_FILES,
            installed=package / "opt",
        )
        await service.start()
        try:
            # Ready is journal and configuration: an outage must not roll a good version back.
            assert "no payments can be taken" in await service.until_said("READY=1")
            await site.broker.start()
            await service.until_said("STATUS=taking payments")
            payment_id = await site.till.start("12.50")
            await site.till.status(payment_id, "approved")
            await site.till.recorded(payment_id)
            service.signal(signal.SIGTERM)
            status, _ = await service.output()
            assert status == 0, service.log
        finally:
            await service.kill()
        assert not errors_of(service.log), service.log

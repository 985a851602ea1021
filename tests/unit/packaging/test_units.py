"""The shipped units deny by default, agree with the product's defaults, and rate as hardened.

Mutants killed, each a line of a unit removed or opened: IPAddressDeny, SocketBindDeny,
ProtectSystem=full, CapabilityBoundingSet=CAP_SYS_NICE, WatchdogSec=60, another port, an interface
that is not lo.
"""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SYSTEMD = ROOT / "packaging/systemd"
KINDS = ("drone", "ground")
# What `systemd-analyze security` gives them is 1.4; a unit without any of this gets 9.4.
MAX_EXPOSURE = 2.0

# Every one of these must be there, and say nothing else.
REQUIRED = {
    "Type": ["notify"],
    "NotifyAccess": ["main"],
    "User": ["sekisho"],
    "Restart": ["on-failure"],
    "RestartPreventExitStatus": ["2"],
    "LimitCORE": ["0"],
    "UMask": ["0077"],
    "StateDirectoryMode": ["0700"],
    "RuntimeDirectoryMode": ["0700"],
    "IPAddressDeny": ["any"],
    "IPAddressAllow": ["localhost"],
    "RestrictNetworkInterfaces": ["lo"],
    "RestrictAddressFamilies": ["AF_UNIX AF_INET"],
    "SocketBindDeny": ["any"],
    "CapabilityBoundingSet": [""],
    "AmbientCapabilities": [""],
    "NoNewPrivileges": ["yes"],
    "ProtectSystem": ["strict"],
    "ProtectHome": ["yes"],
    "DevicePolicy": ["closed"],
    "MemoryDenyWriteExecute": ["yes"],
    "RestrictNamespaces": ["yes"],
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "SystemCallErrorNumber": ["EPERM"],
}


def parse(path):
    """Every assignment of every key: a unit may say one several times."""
    values = defaultdict(list)
    for line in path.read_text().splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            values[match[1]].append(match[2].strip())
        else:
            assert re.fullmatch(r"|#.*|\[(Unit|Service|Install)\]", line), line
    return values


@pytest.mark.parametrize("kind", KINDS)
def test_denies_by_default(kind):
    unit = parse(SYSTEMD / f"sekisho-{kind}.service")
    assert {key: unit[key] for key in REQUIRED} == REQUIRED
    assert unit["ExecStart"] == [
        f"/opt/sekisho/bin/sekisho {kind} --config /etc/sekisho/{kind}.toml"
    ]
    assert all(re.fullmatch(r"ipv4:(udp|tcp):\d+", allowed) for allowed in unit["SocketBindAllow"])
    assert all(re.fullmatch(r"char-tty\w+ rw", device) for device in unit["DeviceAllow"])


@pytest.mark.parametrize("kind", KINDS)
def test_hung_it_is_soon_replaced(kind):
    unit = parse(SYSTEMD / f"sekisho-{kind}.service")
    seconds = [float(unit[key][0]) for key in ("WatchdogSec", "TimeoutAbortSec")]
    # ArduPilot's FS_GCS_TIMEOUT is 5 s: by then the next one may be up.
    assert sum(seconds) <= 5
    assert unit["RestartSec"] == ["200ms"]


def test_ports_are_those_of_the_examples():
    readme = (ROOT / "README.md").read_text()
    drone, ground = (parse(SYSTEMD / f"sekisho-{kind}.service") for kind in KINDS)
    assert drone["SocketBindAllow"] == ["ipv4:udp:14610"]
    assert 'bind = "192.168.50.1:14610"' in readme
    assert ground["SocketBindAllow"] == ["ipv4:udp:14560", "ipv4:tcp:5770"]
    assert 'mavlink_udp = "127.0.0.1:14560"' in readme
    assert 'mavlink_tcp = "127.0.0.1:5770"' in readme


@pytest.mark.parametrize("kind", KINDS)
def test_the_drop_in_opens_the_link_only(kind):
    opened = parse(SYSTEMD / f"sekisho-{kind}.service.d/local-link.conf")
    assert opened == {
        "RestrictNetworkInterfaces": ["wlan0"],
        "IPAddressAllow": ["192.168.50.0/24"],
    }


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("kind", KINDS)
def test_systemd_understands_and_rates_it(kind, tmp_path):
    unit = tmp_path / f"sekisho-{kind}.service"
    # Only the program is not installed here.
    shipped = (SYSTEMD / unit.name).read_text()
    unit.write_text(shipped.replace("/opt/sekisho/bin/sekisho", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager"]
    limit = [f"--threshold={int(MAX_EXPOSURE * 10)}"]
    rated = subprocess.run([*argv, *limit, unit], capture_output=True, text=True, timeout=60)
    exposure = re.search(r"Overall exposure level .*: ([\d.]+)", rated.stdout)
    assert exposure is not None, rated.stderr
    assert rated.returncode == 0, rated.stdout
    assert float(exposure[1]) <= MAX_EXPOSURE

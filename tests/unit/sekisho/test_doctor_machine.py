"""What `sekisho doctor` finds on machines made of files.

Mutants killed: forwarding of IPv6 not looked at; other users of a device not named; the service's
own use taken for somebody else's; an RTC a day off passes; nobody paired passes.
"""

import time

import pytest

from flightcore.config import AutopilotConfig, DroneConfig, Link, State, Udp
from sekisho.doctor_machine import Level, clock, forwarding, line, rights, state
from sekisho.doctor_machine import address as address_check


def a_config(tmp_path, device="/dev/null", bind="127.0.0.1:0"):
    return DroneConfig(
        AutopilotConfig(str(device)), Link(Udp(bind)), state=State(str(tmp_path / "state"))
    )


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("key", ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"])
def test_forwarding_is_wrong(tmp_path, key):
    for each in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
        write(tmp_path / "proc/sys" / each, "1\n" if each == key else "0\n")
    found = list(forwarding(a_config(tmp_path), tmp_path))
    (wrong,) = [finding for finding in found if finding.level is Level.WRONG]
    assert key.replace("/", ".") + "=0" in wrong.fix


def test_a_line_that_somebody_else_has_open(tmp_path):
    config = a_config(tmp_path)
    for pid, name in ((77, "ModemManager"), (78, "sekisho")):
        write(tmp_path / f"proc/{pid}/comm", f"{name}\n")
        (tmp_path / f"proc/{pid}/fd").mkdir()
        (tmp_path / f"proc/{pid}/fd/5").symlink_to("/dev/null")
    found = next(line(config, tmp_path, 78))
    assert found.level is Level.WARNING
    assert "ModemManager (77)" in found.text
    assert "sekisho" not in found.text


def test_a_line_that_is_none(tmp_path):
    write(tmp_path / "file", "")
    assert "no serial device" in next(line(a_config(tmp_path, tmp_path / "file"), tmp_path, 1)).text
    assert "no such device" in next(line(a_config(tmp_path, tmp_path / "no"), tmp_path, 1)).text


@pytest.mark.parametrize(("off_s", "level"), [(0, Level.OK), (86400, Level.WARNING)])
def test_clocks_that_disagree(tmp_path, off_s, level):
    write(tmp_path / "sys/class/rtc/rtc0/since_epoch", f"{int(time.time()) + off_s}\n")
    assert [finding.level for finding in clock(a_config(tmp_path), tmp_path)] == [level]
    assert next(clock(a_config(tmp_path), tmp_path / "none")).level is Level.WARNING


def test_rights_without_any(tmp_path):
    write(tmp_path / "proc/self/status", "Name:\tpython\nCapEff:\t0000000000800000\n")
    write(tmp_path / "proc/swaps", "Filename\n")
    assert {f.level for f in rights(a_config(tmp_path), tmp_path)} == {Level.OK}


def test_state_that_is_open_or_missing(tmp_path):
    config = a_config(tmp_path)
    assert next(state(config, tmp_path)).level is Level.WRONG
    config.state_dir.mkdir(mode=0o755)
    found = next(state(config, tmp_path))
    assert found.level is Level.WRONG
    assert "install -d -m 700" in found.fix
    config.state_dir.chmod(0o700)
    assert [f.level for f in state(config, tmp_path)] == [Level.OK, Level.WRONG]  # nobody paired


def test_an_address_of_another_machine(tmp_path):
    (found,) = address_check(a_config(tmp_path, bind="192.0.2.1:14610"), is_running=False)
    assert found.level is Level.WRONG
    assert "ip -br address" in found.fix

"""Wrong configurations and keys: refused at once, with the file, the key, the value, the cure."""

import json
import re
import socket

import pytest

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("kind", "pattern", "replacement", "named"),
    [
        ("drone", "baud = .*", "baudrate = 921600", ["baudrate"]),
        ("drone", "baud = .*", 'baud = "fast"', ["autopilot.baud", "int"]),
        ("drone", "baud = .*", "baud = 12", ["autopilot.baud", "12", "allowed: 1200 to"]),
        ("drone", "bind = .*", 'bind = "0.0.0.0:14610"', ["link.udp.bind", "0.0.0.0", "allowed"]),
        ("drone", "bind = .*", 'bind = "127.0.0.1"', ["link.udp.bind", "127.0.0.1", "allowed"]),
        ("drone", r"\[link.udp\]", "[link.upd]", ["upd"]),
        ("drone", "device = .*", "", ["autopilot", "device"]),
        ("drone", "device = .*", "device = = 3", ["line"]),
        (
            "ground",
            "mavlink_out = .*",
            'mavlink_out = ["192.0.2.1:14550"]',
            ["mavlink_out", "192.0.2.1:14550", "loopback"],
        ),
        (
            "ground",
            "mavlink_udp = .*",
            'mavlink_udp = "0.0.0.0:14560"',
            ["mavlink_udp", "0.0.0.0:14560", "loopback"],
        ),
        (
            "ground",
            "mavlink_tcp = .*",
            'mavlink_tcp = "[::]:5770"',
            ["mavlink_tcp", "[::]:5770", "allowed"],
        ),
        ("ground", "name = .*", 'name = "unknown"', ["unknown.pair", "tsubame-1"]),
        ("ground", "name = .*", 'name = "../x"', ["../x"]),
    ],
)
def test_a_wrong_configuration_is_named(kind, pattern, replacement, named, bench):
    config = bench.configs[kind]
    text, count = re.subn(f"(?m)^{pattern}$", replacement, config.read_text())
    assert count == 1
    config.write_text(text)
    refused = bench.run(kind)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "Traceback" not in refused.stderr
    # Keys have their own files; everything else is in the configuration.
    named = named if "pair" in named[0] or ".." in named[0] else [str(config), *named]
    assert [word for word in named if word not in refused.stderr] == [], refused.stderr


@pytest.mark.parametrize(("key", "kind"), [("mavlink_tcp", "TCP"), ("mavlink_udp", "UDP")])
def test_an_endpoint_in_use_is_named(key, kind, bench):
    port = bench.tcp_port if kind == "TCP" else bench.udp_port
    way = socket.SOCK_STREAM if kind == "TCP" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, way) as other:
        other.bind(("127.0.0.1", port))
        if kind == "TCP":
            other.listen()
        refused = bench.run("ground")
    assert refused.returncode == 2
    named = [str(bench.configs["ground"]), key, f"127.0.0.1:{port}"]
    assert [word for word in named if word not in refused.stderr] == [], refused.stderr


def test_a_missing_configuration_is_named(bench):
    bench.configs["drone"].unlink()
    refused = bench.run("drone")
    assert refused.returncode == 2
    assert str(bench.configs["drone"]) in refused.stderr


@pytest.mark.parametrize("kind", ["drone", "ground"])
def test_keys_that_others_can_read_are_refused(kind, bench):
    (pair,) = (bench.configs[kind].parent / kind / "pairs").glob("*.pair")
    assert pair.stat().st_mode & 0o777 == 0o600
    pair.chmod(0o644)
    refused = bench.run(kind)
    assert refused.returncode == 2
    assert str(pair) in refused.stderr
    assert "chmod 600" in refused.stderr


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\x00"])
def test_a_damaged_key_file_is_named(damage, bench):
    (pair,) = (bench.drone_state / "pairs").glob("*.pair")
    pair.write_bytes(damage)
    refused = bench.run("drone")
    assert refused.returncode == 2
    assert str(pair) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_status_tells_whether_a_service_runs(bench):
    answer = bench.run("status", "--json")
    assert answer.returncode == 1
    assert answer.stdout == ""
    bench.start("drone")
    answer = bench.run("status", "--json")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["pid"] == bench.processes["drone"].pid

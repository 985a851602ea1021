"""Exit statuses and messages: each error names file, key, value and what is allowed."""

import json

import msgspec
import pytest

from crypto.aio.store import Store
from sekisho.cli import main

DRONE = """
[autopilot]
device = "/dev/serial0"
[link.udp]
bind = "127.0.0.1:14610"
"""
GROUND = """
[[drone]]
name = "tsubame-1"
address = "127.0.0.1:14610"
"""


def run(capsys, *argv):
    try:
        code = main(argv)
    except SystemExit as stop:  # argparse
        code = stop.code
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def config(tmp_path):
    def write(kind, text):
        path = tmp_path / f"{kind}.toml"
        path.write_text(text + f'\n[state]\ndir = "{tmp_path}/state"\n')
        return kind, "--config", str(path)

    return write


@pytest.mark.parametrize(
    ("kind", "old", "new", "says"),
    [
        ("drone", "device", "devcie", ["autopilot.devcie", "/dev/serial0", "device, baud"]),
        ("drone", '"/dev/serial0"', "5", ["autopilot.device = 5", "Expected `str`"]),
        ("drone", '"/dev/serial0"', '""', ["autopilot.device", "a serial device"]),
        ("drone", "[link.udp]", "baud = 1\n[link.udp]", ["autopilot.baud = 1", "1200 to"]),
        ("drone", "[link.udp]", "[links.udp]", ["links", "unknown key", "link"]),
        ("drone", 'bind = "127.0.0.1:14610"', "", ["link.udp.bind: missing"]),
        ("drone", "127.0.0.1:14610", "0.0.0.0:14610", ["link.udp.bind", "never 0.0.0.0"]),
        ("drone", "127.0.0.1:14610", "8.8.8.8:14610", ["link.udp.bind", "local link"]),
        ("drone", "127.0.0.1:14610", "drone.local:14610", ["link.udp.bind", "literal IPv4"]),
        ("drone", "127.0.0.1:14610", "127.0.0.1:99999", ["link.udp.bind", "1 to 65535"]),
        ("drone", "[link.udp]", '[policy]\naccept = "x"\n[link.udp]', ["policy.accept", "file"]),
        (
            "drone",
            "[link.udp]",
            '[link.radio]\ndevice = "/dev/ttyUSB0"\nrate = 6000\n[link.udp]',
            ["link.radio.rate", "6000", "5760"],
        ),
        (
            "drone",
            "[link.udp]",
            "[link.udp.max_age]\nsafe = 90\n[link.udp]",
            ["link.udp.max_age.safe", "90", "60"],
        ),
        ("drone", "[autopilot]", "[autopilot", ["not TOML"]),
        ("ground", "address", "adress", ["drone[0].adress", "allowed here: name, address"]),
        ("ground", '"tsubame-1"', "1", ["drone[0].name = 1", "Expected `str`"]),
        (
            "ground",
            "[[drone]]",
            "[[drone]]\nmavlink_tcp = '0.0.0.0:1'",
            ["mavlink_tcp", "loopback"],
        ),
        (
            "ground",
            "[[drone]]",
            "[[drone]]\nmavlink_out = ['192.168.1.5:14550']",
            ["drone[0].mavlink_out", "192.168.1.5:14550", "loopback"],
        ),
        ("ground", "[[drone]]", GROUND + "[[drone]]", ["drone[1].name", "no other"]),
    ],
)
def test_configuration_errors(capsys, config, kind, old, new, says):
    text = {"drone": DRONE, "ground": GROUND}[kind]
    assert old in text
    argv = config(kind, text.replace(old, new, 1))
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    for expected in (argv[2], *says):
        assert expected in err


@pytest.mark.parametrize(("kind", "text"), [("drone", DRONE), ("ground", GROUND)])
def test_refuses_to_start_unpaired(capsys, config, kind, text):
    code, _, err = run(capsys, *config(kind, text))
    assert code == 2
    assert "sekisho pair" in err


def test_missing_file(capsys, tmp_path):
    code, _, err = run(capsys, "drone", "--config", str(tmp_path / "none.toml"))
    assert code == 2
    assert "none.toml: No such file" in err


def test_pair_lab_writes_both_ends_once(capsys, tmp_path):
    argv = ["pair", "lab", "--drone-dir", str(tmp_path / "d"), "--ground-dir", str(tmp_path / "g")]
    code, out, _ = run(capsys, *argv, "--name", "tsubame-1", "--json")
    report = json.loads(out)
    assert (code, report["ok"], report["role"]) == (0, True, "commander")
    code, _, err = run(capsys, *argv, "--name", "tsubame-1")
    assert code == 2
    assert "already paired; add --replace" in err
    assert run(capsys, *argv, "--name", "tsubame-1", "--replace")[0] == 0
    code, _, err = run(capsys, *argv, "--name", "../x")
    assert code == 2
    assert "not allowed" in err


def test_status_without_a_service(capsys, tmp_path, monkeypatch, config):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    code, out, err = run(capsys, "status", "--json")
    assert (code, out) == (1, "")
    assert "no service is running" in err
    code, _, err = run(capsys, "status", *config("drone", DRONE)[1:])
    assert code == 1
    assert "drone.toml" in err


@pytest.mark.parametrize(
    "argv",
    [
        ["demo", "--speedup", "99"],
        ["demo", "--drones", "0"],
        ["demo", "--seconds", "-1"],
        ["demo", "--attack"],
        ["pair", "drone", "--state-dir", "d", "--listen", "127.0.0.1:1"],
        ["pair", "drone", "--state-dir", "d", "--role", "observer"],
        ["pair", "ground", "--state-dir", "d", "--connect", "127.0.0.1:1", "--serial", "x"],
        ["sim", "--speedup", "fast"],
        ["sim", "--home", "1,2"],
        ["nonsense"],
        [],
    ],
)
def test_wrong_usage(capsys, argv):
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert "usage:" in err


def test_southern_and_western_places_need_no_equals_sign(capsys):
    code, _, err = run(capsys, "sim", "--home", "-95.3,-149.1,584,0", "--speedup", "1")
    assert code == 2
    assert "'-95.3,-149.1,584,0' is not LAT,LON,ALT,HDG" in err


HELPED = [
    "",
    "demo",
    "sim",
    "pair lab",
    "pair drone",
    "pair ground",
    "drone",
    "status",
    "keys",
    "keys wrap",
    "authority",
    "confirm",
    "logs",
    "keys remove",
]
HELPED += ["trajectory", "trajectory survey", "trajectory upload", "trajectory start"]
HELPED += ["revoke", "revoke keygen", "revoke sign", "revoke show", "revoke trust", "revoke apply"]


@pytest.mark.parametrize("command", [command.split() for command in HELPED], ids=HELPED)
def test_help_has_an_example(capsys, command):
    code, out, _ = run(capsys, *command, "--help")
    assert code == 0
    assert "example" in out or not command


def test_a_ninth_ground_station(capsys, config, tmp_path):
    """Refused when it is paired; if there are nine all the same, the drone says what to do."""
    drone = tmp_path / "state"
    grounds = [tmp_path / f"ground-{number}" for number in range(9)]
    argv = ["pair", "lab", "--drone-dir", str(drone), "--name", "tsubame-1"]
    for ground in grounds[:8]:
        assert run(capsys, *argv, "--ground-dir", str(ground))[0] == 0
    code, _, err = run(capsys, *argv, "--ground-dir", str(grounds[8]))
    assert (code, "a drone serves 8" in err, "keys remove" in err) == (2, True, True)
    assert run(capsys, *argv, "--replace", "--ground-dir", str(grounds[0]))[0] == 0
    record = Store(drone).load_pairs()[0]
    ninth = {"peer": "ground-9", "gcs_id": bytes(16)}
    Store(drone).save_pair(msgspec.structs.replace(record, **ninth))
    code, _, err = run(capsys, *config("drone", DRONE))
    assert (code, "9 ground stations" in err, "keys remove" in err) == (2, True, True)

"""`sekisho config`: exit 0 for what can be used, else 2 and why; the policy is shown.

Mutants killed: any fingerprint accepted; the file looked for in the working directory.
"""

import json
import re

import pytest

from sekisho.cli import main

DRONE = '[autopilot]\ndevice = "/dev/serial0"\n[link.udp]\nbind = "127.0.0.1:14610"\n'
GROUND = '[[drone]]\nname = "tsubame-1"\naddress = "127.0.0.1:14610"\n'
POLICY = '[command.DO_SET_SERVO]\nverdict = "forward"\nfreshness = "command"\n'


def run(capsys, *argv):
    try:
        code = main(["config", *map(str, argv)])
    except SystemExit as stop:  # argparse
        code = stop.code
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("text", [DRONE, GROUND])
def test_a_usable_file_is_one_line(capsys, write, text):
    path = write("some.toml", text)
    code, out, err = run(capsys, "check", "--config", path)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert str(path) in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DRONE.replace("127.0.0.1", "0.0.0.0"), "link.udp.bind"),
        (GROUND.replace("address", "adress"), "drone[0].adress"),
        ("[drone", "not TOML"),
    ],
)
def test_an_unusable_file_says_why(capsys, write, text, says):
    path = write("some.toml", text)
    for action in ("check", "show"):
        code, out, err = run(capsys, action, "--config", path)
        assert (code, out) == (2, "")
        assert str(path) in err
        assert says in err


def test_a_missing_file(capsys, tmp_path):
    code, _, err = run(capsys, "check", "--config", tmp_path / "none.toml")
    assert code == 2
    assert "none.toml: No such file" in err


def test_show_prints_defaults_and_the_policy(capsys, write):
    path = write("drone.toml", DRONE)
    code, out, _ = run(capsys, "show", "--config", path)
    assert code == 0
    assert "autopilot.baud = 921600" in out
    assert "POLICY: built in" in out
    assert re.search(r"HEARTBEAT +forward \(presence\): the operator is there", out)
    code, out, _ = run(capsys, "show", "--config", path, "--json")
    shown = json.loads(out)
    assert shown["config"]["link"]["udp"]["bind"] == "127.0.0.1:14610"
    assert (shown["policy"]["fingerprint"], shown["policy"]["changes"]) == (None, [])
    assert len(shown["policy"]["message"]) > 290


def test_show_of_a_ground_station_has_no_policy(capsys, write):
    path = write("ground.toml", GROUND)
    code, out, _ = run(capsys, "show", "--config", path)
    assert code == 0
    assert 'drone[0].mavlink_out = ["127.0.0.1:14550"]' in out
    assert "POLICY" not in out
    assert run(capsys, "show", "--config", path, "--policy")[0] == 2


def test_show_the_built_in_policy_without_a_file(capsys):
    code, out, _ = run(capsys, "show", "--policy", "--json")
    assert code == 0
    assert list(json.loads(out)) == ["policy"]
    code, _, err = run(capsys, "show")
    assert code == 2
    assert "--policy" in err


def test_an_override_counts_once_its_difference_is_accepted(capsys, write):
    write("policy.toml", POLICY)
    path = write("drone.toml", DRONE + '[policy]\nfile = "policy.toml"\n')
    change = "command DO_SET_SERVO: two-step (command) -> forward (command)"
    code, out, err = run(capsys, "check", "--config", path)
    assert (code, out) == (2, "")
    assert change in err
    mark = re.search(r'write accept = "([0-9a-f]{16})" under \[policy\]', err)[1]
    write("drone.toml", DRONE + f'[policy]\nfile = "policy.toml"\naccept = "{mark}"\n')
    code, out, _ = run(capsys, "check", "--config", path)
    assert code == 0
    assert "override" in out
    code, out, _ = run(capsys, "show", "--config", path)
    assert code == 0
    assert mark in out
    assert change in out
    assert "DO_SET_SERVO                               forward (command)" in out
    # Another difference asks again.
    write("policy.toml", POLICY.replace('"command"\n', '"transfer"\n'))
    code, _, err = run(capsys, "check", "--config", path)
    assert code == 2
    assert mark in err


def test_an_override_that_cannot_be_used_names_its_own_file(capsys, write):
    override = write("policy.toml", POLICY.replace("forward", "forwrd"))
    path = write("drone.toml", DRONE + '[policy]\nfile = "policy.toml"\n')
    code, _, err = run(capsys, "check", "--config", path)
    assert code == 2
    for expected in (override, "command.DO_SET_SERVO.verdict", "forwrd", "two-step"):
        assert str(expected) in err
    override.unlink()
    assert run(capsys, "check", "--config", path)[0] == 2

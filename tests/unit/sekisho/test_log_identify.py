"""`sekisho logs identify` on a flight of the real ArduCopter, and on what it cannot use.

Mutants killed: thrust of all motors written as that of one; drag per mass written as drag; values
that the flight did not tell overwritten; an existing file overwritten.
"""

import json
import tomllib
from pathlib import Path

import pytest

from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy
from crypto.aio.log_keys import save_log_keys
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent
from flightcore.vehicle_file import VehicleFile
from sekisho.cli import main
from sekisho.config_file import ConfigError, load

FLIGHT = Path("tests/data/tlog/arducopter-guided-flight.tlog")
MEASURED = """
mass = 3.0
inertia = [0.05, 0.05, 0.09]
rotors = [[0.2, 0.2, 0.02], [-0.2, -0.2, 0.02], [0.2, -0.2, -0.02], [-0.2, 0.2, -0.02]]
thrust_max = 99.0
drag = [9.0, 7.0, 9.0]
"""


@pytest.fixture
def measured(tmp_path):
    path = tmp_path / "measured.toml"
    path.write_text(MEASURED)
    return path


def run(capsys, *argv):
    try:
        code = main(["logs", "identify", *(str(word) for word in argv)])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_it_finds_what_the_autopilot_was_configured_with(capsys):
    """SITL's vehicle: MOT_THST_EXPO 0.65 and MOT_THST_HOVER 0.39."""
    code, out, _ = run(capsys, FLIGHT, "--json")
    found = json.loads(out)["found"]
    assert code == 0
    assert abs(found["curve"]["value"] - 0.65) < 2.0 * found["curve"]["error"] < 0.25
    assert abs(found["hover"]["value"] - 0.39) < 2.0 * found["hover"]["error"] < 0.05
    assert found["drag"][1] is None  # it flew straight ahead
    assert 0.3 < found["drag"][0]["value"] < 0.6


def test_the_vehicle_file_keeps_what_the_flight_did_not_tell(capsys, tmp_path, measured):
    new = tmp_path / "vehicle.toml"
    code, out, _ = run(capsys, FLIGHT, "--vehicle", measured, "--out", new)
    assert code == 0
    assert f"written: {new}" in out
    file = load(new, VehicleFile, VehicleFile.check)
    assert (file.mass, file.inertia) == (3.0, (0.05, 0.05, 0.09))
    assert file.vehicle().rotors[2].torque_per_thrust == -0.02
    assert file.thrust_max == pytest.approx(0.25 * 3.0 * 25.0, rel=0.1)
    assert file.drag[0] == pytest.approx(3.0 * 0.44, rel=0.1)
    assert file.drag[1] == 7.0
    assert file.volts == 12.6
    assert "not told" in new.read_text()
    assert tomllib.loads(new.read_text())["curve"] == pytest.approx(0.56, abs=0.1)
    again = run(capsys, FLIGHT, "--vehicle", measured, "--out", new)
    assert again[0] == 2
    assert "File exists" in again[2]


def test_a_sealed_recording_is_read_with_its_key(capsys, tmp_path, random_bytes):
    pair = XWingKeyPair(bytes(range(32)))
    save_log_keys(tmp_path / "keys", pair)
    origin = LogOrigin(pair.public, Ed25519(bytes(range(32))), bytes(16), 1)
    log = LogFile.create(tmp_path / "logs", LogContent.TLOG, origin, SyncPolicy(1, 1), random_bytes)
    data = FLIGHT.read_bytes()
    for at in range(0, len(data), 16_000):
        log.append(data[at : at + 16_000], 0)
    log.close()
    path = log.path
    code, out, _ = run(capsys, path, "--key", tmp_path / "keys" / "log-private.key")
    assert code == 0
    assert "full thrust per mass" in out
    code, _, err = run(capsys, path)
    assert code == 2
    assert "--key opens it" in err


def test_what_cannot_be_used_is_named(capsys, tmp_path, measured):
    short = tmp_path / "short.tlog"
    short.write_bytes(FLIGHT.read_bytes()[:400_000])
    code, _, err = run(capsys, short)
    assert code == 1
    assert f"{short}: no LOCAL_POSITION_NED: request it from the autopilot" in err
    text = tmp_path / "text.tlog"
    text.write_text("hello")
    code, _, err = run(capsys, text)
    assert code == 1
    assert "no accelerometer: one of RAW_IMU" in err
    assert run(capsys, tmp_path / "none.tlog")[0] == 2
    code, _, err = run(capsys, FLIGHT, "--out", tmp_path / "new.toml")
    assert code == 2
    assert "give both, or neither" in err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mass = 3.0", "mass = 0.0", "mass = 0.0: allowed: more than 0"),
        ("mass = 3.0", "", "mass: missing"),
        ("0.09]", "-1]", "inertia ="),
        ("-0.02], [-0.2", "0.02], [-0.2", "allowed: two that turn each way"),
        ("thrust_max = 99.0", "thrust_max = 1.0\nthrust_min = 2.0", "thrust_min = 2.0"),
        ("drag = [9.0", "curve = 1.5\ndrag = [9.0", "curve = 1.5: allowed: from 0 to 1"),
        ("drag = [9.0", "weight = 2\ndrag = [9.0", "weight = 2: unknown key"),
        ("9.0, 7.0", "nan, 7.0", "allowed: finite numbers"),
    ],
)
def test_a_vehicle_file_that_is_wrong_says_why(measured, old, new, said):
    measured.write_text(MEASURED.replace(old, new))
    with pytest.raises(ConfigError) as error:
        load(measured, VehicleFile, VehicleFile.check)
    assert said in str(error.value)
    assert str(measured) in str(error.value)

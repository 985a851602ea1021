"""The GNSS benchmark's own parts: its frames, its statistics, its command line."""

import json
import math

import pytest

from benchmarks.__main__ import main
from benchmarks.gnss_monte_carlo import poisson_upper
from benchmarks.gnss_telemetry import frame
from tests.gnss_flight import dialect
from wire.mavlink import is_valid_frame


def test_its_frames_are_those_of_the_reference_library():
    message = dialect.MAVLink_attitude_message(123456, 0.1, -0.2, 3.0, 0.01, 0.0, 0.0)
    reference = message.pack(dialect.MAVLink(None, 1, 1))
    payload = message.pack(dialect.MAVLink(None, 1, 1))[10:-2].ljust(28, b"\0")
    mine = frame(30, payload)
    assert mine == reference
    assert is_valid_frame(mine)
    assert is_valid_frame(frame(30, bytes(28)))


@pytest.mark.parametrize(("count", "upper"), [(0, 2.996), (1, 4.744), (5, 10.513)])
def test_the_poisson_bound_is_the_tabulated_one(count, upper):
    assert math.isclose(poisson_upper(count), upper, abs_tol=0.001)


def test_a_directory_without_flights_is_named(tmp_path, capsys):
    assert main(["gnss", str(tmp_path), "--quick"]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_what_is_neither_name_nor_directory_is_wrong_usage(tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main(["gnss", str(tmp_path / "absent")])
    assert stopped.value.code == 2


@pytest.mark.slow
def test_a_quick_run_reports_hours_and_every_family(tmp_path, capsys):
    path = tmp_path / "result.json"
    assert main(["gnss", "--quick", "--json", str(path)]) == 0
    result = json.loads(path.read_text())["results"]["gnss"]
    assert result["flights"] == []
    assert result["monte_carlo"]["clean"]["hours"] > 0.2
    jump = result["monte_carlo"]["faults"]["jump 10 m"]
    assert jump["detected"] == 1.0
    assert "no DIR given" in capsys.readouterr().out

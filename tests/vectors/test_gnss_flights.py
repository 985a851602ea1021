"""Recorded ArduCopter flights through the monitor, judged by the simulator's truth."""

import lzma
import shutil
from pathlib import Path

import pytest

from benchmarks.gnss_flights import score

FLIGHTS = Path(__file__).parent.parent / "data" / "gnss"
EXPECTED = {  # seconds and metres of the receiver's displacement, not to be exceeded
    "jump10": ({"position_jump"}, 0.6, 10.5),
    "ramp0_5": ({"position_drift", "position_jump"}, 3.0, 1.5),
    "consistent_a0_2_v2": (
        {"velocity_innovation", "velocity_cusum", "velocity_window", "position_drift"},
        4.0,
        1.6,
    ),
    "jam": ({"satellites"}, 1.2, 0.5),
}

pytestmark = pytest.mark.slow


def unpacked(name, tmp_path):
    path = tmp_path / f"{name}.tlog"
    path.write_bytes(lzma.decompress((FLIGHTS / f"{name}.tlog.xz").read_bytes()))
    shutil.copy(FLIGHTS / f"{name}.json", tmp_path)
    return path


@pytest.mark.parametrize("name", EXPECTED)
def test_each_fault_is_found_before_it_leads_away(name, tmp_path):
    detectors, within_s, within_m = EXPECTED[name]
    flight = score(unpacked(name, tmp_path))
    assert flight.verdict == "detected"
    assert flight.detector in detectors
    assert 0.0 <= flight.delay_s <= within_s
    assert flight.gnss_displacement_m <= within_m
    assert flight.vehicle_displacement_m <= 10.0


def test_a_clean_flight_in_wind_raises_nothing(tmp_path):
    flight = score(unpacked("clean_wind6", tmp_path))
    assert (flight.verdict, flight.alarm_s) == ("clean", None)


def test_the_autopilot_stays_silent_in_a_ramp(tmp_path):
    flight = score(unpacked("ramp0_5", tmp_path))
    assert flight.ardupilot_alarm_s is None

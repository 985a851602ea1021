"""Trajectories flown through the whole stack: what setpoints say decides how closely.

On the real ArduCopter attitudes are to be followed at least three times as closely as positions.

What the law is made of is tested in tests/property/test_offboard_motion.py; here no mutant was tried.
"""

from contextlib import ExitStack

import pytest

from tests.e2e.tracking import FORMS, HEAD, PARAMETERS, TRAJECTORIES, Range, row
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot

pytestmark = pytest.mark.e2e


def fly(vehicle, directory, names, forms):
    with ExitStack() as held:
        held.callback(vehicle.stop)
        flights = Range(held, vehicle, directory)
        flights.take_off()
        results = {}
        print(HEAD)
        for form in forms:
            for name in names:
                results[name, form] = flights.fly(name, form)
                print(row(results[name, form]), flush=True)
        return results


def test_the_embedded_autopilot_follows_an_attitude_more_closely(tmp_path):
    vehicle = EmbeddedAutopilot(tmp_path, speedup=1, ekf_ready_s=1, more=PARAMETERS)
    name = "circle 5 m/s"
    results = fly(vehicle, tmp_path / "stack", [name], ["position", "attitude"])
    position, attitude = (results[name, form].rmse for form in ("position", "attitude"))
    assert attitude < 1.0
    assert 3.0 * attitude < position


@pytest.mark.ardupilot
@pytest.mark.slow
def test_the_real_autopilot_follows_an_attitude_three_times_as_closely(tmp_path):
    if ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    vehicle = ArduCopter(tmp_path, speedup=1, more=PARAMETERS)
    results = fly(vehicle, tmp_path / "stack", TRAJECTORIES, FORMS)
    for name in TRAJECTORIES:
        position, attitude = (results[name, form].rmse for form in ("position", "attitude"))
        assert 3.0 * attitude < position, name

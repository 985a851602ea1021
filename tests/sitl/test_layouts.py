"""Six and eight rotors fly the same autopilot; eight of them can spare one.

Mutants killed: the mixer's shares divided by the number of rotors twice; roll shares from x
instead of y; a heartbeat that says quadrotor whatever flies.
"""

import pytest

from sim.airframe import airframe
from tests.sitl.link import Client, simulation

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "kind"), [("hexa", 13), ("octo", 14), ("ardupilot-quad", 2)])
def test_it_takes_off_and_stays(name, kind):
    client = Client(simulation(airframe=airframe(name)))
    client.fly_to_altitude(10.0)
    client.run(3.0)
    assert client.away_from(0.0, 0.0, -10.0) < 0.5
    assert client.of("HEARTBEAT")[-1].type == kind
    parameters = client.sim.autopilot.vehicle.parameters
    assert parameters["MOT_THST_HOVER"] == pytest.approx(airframe(name).hover_thrust_fraction)


def test_eight_rotors_fly_on_without_one():
    client = Client(simulation(airframe=airframe("octo")))
    client.fly_to_altitude(10.0)
    client.sim.autopilot.parameters.store("SIM_ENGINE_FAIL", 1.0)
    client.run(15.0)
    assert client.altitude == pytest.approx(10.0, abs=2.0)
    assert client.away_from(0.0, 0.0, -10.0) < 3.0

"""The embedded autopilot flies a GUIDED leg much as the recorded ArduCopter did."""

import json
import math
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.sitl.link import Client, simulation

LEG = json.loads((Path(__file__).parent.parent / "data/ardupilot/guided-leg.json").read_text())


@pytest.mark.slow
def test_guided_leg_in_time_and_space():
    client = Client(simulation())
    client.run(10.0)
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    assert client.command(dialect.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 20) == 0
    samples = [s for s in LEG["samples"] if s[0] > 0.0]
    client.run(20.0, until=lambda: client.altitude > -samples[0][3])
    start = client.now_s
    client.send(
        dialect.MAVLink_set_position_target_local_ned_message(
            0, 1, 1, 1, 0xDF8, 30, 20, -25, *[0.0] * 8
        )
    )
    apart, fastest = [], 0.0
    for at, *position, vx, vy, _vz in samples:
        client.run(start + at - client.now_s)
        apart.append(client.away_from(*position))
        fastest = max(fastest, math.hypot(vx, vy))
    assert max(apart) < 3.5  # of a way of 37 m, at up to 7.4 m/s
    assert apart[-1] < 0.5
    assert fastest > 7.0

"""Nothing that arrives on the link makes the autopilot raise, or its state cease to be finite."""

import math
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.modes import Mode
from tests.sitl.link import Client, simulation

# Edges first: a uniform draw never meets them.
EDGES = [math.nan, math.inf, -math.inf, 0.0, 1.0, -1.0, 1e38, 2.0**31]
FLOATS = st.sampled_from(EDGES) | st.floats(width=32)
HANDLED = [
    m
    for m in dialect.mavlink_map.values()
    if m.msgname
    in {
        *("HEARTBEAT", "COMMAND_LONG", "COMMAND_INT", "SET_MODE", "PARAM_REQUEST_READ"),
        *("PARAM_SET", "REQUEST_DATA_STREAM", "TIMESYNC", "MISSION_COUNT", "MISSION_ITEM"),
        *("MISSION_WRITE_PARTIAL_LIST", "MISSION_ITEM_INT", "MISSION_REQUEST_LIST"),
        *("MISSION_REQUEST", "MISSION_REQUEST_INT", "MISSION_CLEAR_ALL", "MISSION_SET_CURRENT"),
        *("SET_POSITION_TARGET_LOCAL_NED", "SET_POSITION_TARGET_GLOBAL_INT"),
        *("SET_ATTITUDE_TARGET", "RC_CHANNELS_OVERRIDE", "MANUAL_CONTROL"),
        *("FILE_TRANSFER_PROTOCOL", "LOG_REQUEST_LIST"),
    }
]
FLOWN_BY = ["WPNAV_SPEED", "WPNAV_SPEED_UP", "WPNAV_SPEED_DN", "WPNAV_ACCEL", "WPNAV_ACCEL_Z"]
FLOWN_BY += ["PSC_JERK_XY", "LAND_SPEED", "RTL_ALT", "RTL_CONE_SLOPE", "RTL_SPEED", "ANGLE_MAX"]
FLOWN_BY += ["LOIT_SPEED", "PILOT_SPEED_UP", "PILOT_SPEED_DN", "GUID_TIMEOUT", "FS_GCS_TIMEOUT"]
FLOWN_BY += ["MAV1_POSITION", "BATT_CAPACITY", "MOT_THST_HOVER", "WPNAV_RADIUS", "FS_GCS_ENABLE"]
COMMANDS = [16, 20, 21, 22, 115, 176, 177, 178, 179, 185, 192, 193, 195, 197, 207, 224]
COMMANDS += [241, 245, 246, 300, 400, 401, 410, 510, 511, 512, 520, 42428]


@st.composite
def messages(draw):
    cls = draw(st.sampled_from(HANDLED))
    values = []
    for index, name in enumerate(cls.fieldnames):
        length = cls.array_lengths[cls.ordered_fieldnames.index(name)]
        values.append((name, draw(value(name, cls.fieldtypes[index], length))))
    return cls(**dict(values))


def value(name: str, kind: str, length: int):
    if name == "target_system":
        return st.sampled_from([0, 1])
    if name == "param_id":
        return st.sampled_from([n.encode() for n in FLOWN_BY]) | st.binary(max_size=16)
    if name == "command":
        return st.sampled_from(COMMANDS) | st.integers(0, 65535)
    if kind == "char":
        return st.binary(max_size=length)
    single = FLOATS if kind in ("float", "double") else integers(kind)
    return st.lists(single, min_size=length, max_size=length) if length else single


def integers(kind: str):
    bits = int("".join(c for c in kind if c.isdigit()))
    low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2**bits // 2), 2**bits // 2 - 1)
    return st.sampled_from([low, high, 0 if low else 1]) | st.integers(low, high)


@pytest.fixture(scope="module")
def flown() -> Client:
    client = Client(simulation())
    client.fly_to_altitude(10.0)
    return client


def put_aloft(client: Client) -> None:
    """Undo what the last messages may have done, so that each example meets a flying vehicle."""
    vehicle, body = client.sim.autopilot.vehicle, client.sim.body
    vehicle.terminated = False
    if not vehicle.flight.armed or vehicle.flight.landed:
        body.position_n[:] = (0.0, 0.0, -10.0)
        body.velocity_n[:] = 0.0
        body.on_ground[:] = False
        vehicle.flight.arm()
        client.run(0.6)
        body.position_n[:] = (0.0, 0.0, -10.0)
        vehicle.flight.lift_off(vehicle.sensed.motion)
    vehicle.set_mode(Mode.GUIDED)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(messages(), min_size=1, max_size=4), st.integers(1, 60))
def test_any_message_in_flight(flown: Client, sequence, ticks: int):
    put_aloft(flown)
    for message in sequence:
        try:
            flown.send(message)
        except struct.error:
            continue  # not a message that could have been sent
    flown.run(ticks / 400)
    body = flown.sim.body
    for state in (body.position_n, body.velocity_n, body.q_nb, body.rate_b, body.rotor_speed):
        assert np.isfinite(state).all()
    reference = flown.sim.autopilot.vehicle.flight.reference
    assert np.isfinite([reference.position_n, reference.velocity_n]).all()


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes(noise: bytes):
    sim = simulation()
    sim.receive(noise)
    sim.step()
    sim.outgoing()

"""The embedded autopilot flies: on the fake clock, through MAVLink only."""

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.sitl.link import HOME, Client, simulation

pytestmark = pytest.mark.slow

POSITION, VELOCITY = 0xDF8, 0xDC7


@pytest.fixture
def flying() -> Client:
    client = Client(simulation())
    client.fly_to_altitude(10.0)
    return client


def local(mask: int, *fields: float, frame: int = 1) -> dialect.MAVLink_message:
    padded = [*fields, *[0.0] * (11 - len(fields))]
    return dialect.MAVLink_set_position_target_local_ned_message(0, 1, 1, frame, mask, *padded)


def velocity(vx: float, vy: float, vz: float, frame: int = 1) -> dialect.MAVLink_message:
    return local(VELOCITY, 0, 0, 0, vx, vy, vz, frame=frame)


@pytest.mark.parametrize("wind", [0.0, 7.0])
def test_a_whole_flight(wind: float):
    client = Client(simulation(world={"wind_speed": wind, "wind_from": 0.7, "gusts": wind / 7}))
    client.fly_to_altitude(10.0)
    assert client.altitude == pytest.approx(10.0, abs=0.3)
    overshoot = 0.0
    for corner in [(20, 0, -10), (20, 20, -15), (0, 20, -15), (0, 0, -10)]:
        client.send(local(POSITION, *corner))
        before = len(client.heard)
        client.run(20.0, until=lambda c=corner: client.away_from(*c) < 0.3)
        assert client.away_from(*corner) < 0.3
        client.run(3.0)
        overshoot = max(overshoot, client.away_from(*corner))
        assert len(client.heard) > before
    assert overshoot < 0.5
    assert client.command(dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH) == 0
    highest = 0.0
    for _ in range(60):
        client.run(1.0)
        highest = max(highest, client.altitude)
        if not client.armed:
            break
    assert highest == pytest.approx(12.5, abs=0.3)  # the cone's least climb, above home
    assert not client.armed
    assert client.away_from(0, 0, 0) < 0.5
    assert client.texts()[-1] == "Disarming motors"


def test_take_off_climbs_at_the_speed_of_the_real_one():
    """The recorded vehicle passed 5 m 5.5 s and 10 m 7.5 s after the command."""
    client = Client(simulation())
    client.fly_to_altitude(4.7)  # arms and proves the link; then again from the ground
    assert client.command(dialect.MAV_CMD_NAV_LAND) == 0
    client.run(60.0, until=lambda: not client.armed)
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    client.run(1.0)
    assert client.command(dialect.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 25) == 0
    start = client.now_s
    client.run(20.0, until=lambda: client.altitude > 5.0)
    assert client.now_s - start == pytest.approx(5.5, abs=0.7)
    client.run(20.0, until=lambda: client.altitude > 10.0)
    assert client.now_s - start == pytest.approx(7.5, abs=0.7)


def test_velocity_setpoints_expire(flying: Client):
    for _ in range(20):
        flying.send(velocity(3.0, 0.0, 0.0))
        flying.run(0.2)
    north = float(flying.sim.body.velocity_n[0, 0])
    assert north == pytest.approx(3.0, abs=0.2)
    flying.run(2.5)
    assert float(flying.sim.body.velocity_n[0, 0]) == pytest.approx(3.0, abs=0.2)
    flying.run(4.0)
    assert abs(float(flying.sim.body.velocity_n[0, 0])) < 0.1


def test_body_velocity_turns_with_the_heading(flying: Client):
    assert flying.command(dialect.MAV_CMD_CONDITION_YAW, 90, 60, 1, 0) == 0
    flying.run(5.0)
    for _ in range(15):
        flying.send(velocity(2.0, 0.0, 0.0, frame=8))
        flying.run(0.2)
    vx, vy, _ = flying.sim.body.velocity_n[0]
    assert vy == pytest.approx(2.0, abs=0.2)
    assert abs(vx) < 0.2


@pytest.mark.parametrize(
    "bad",
    [
        local(POSITION | 0x001 | 0x1C0 | 0x038, 50, 0, -10),  # everything ignored
        local(0xC38 & ~0x1C0, 50, 0, -10),  # position and acceleration without velocity
        velocity(math.nan, 0.0, 0.0),
        velocity(2000.0, 0.0, 0.0),
        local(POSITION, 50, 0, -10, frame=21),  # no such frame
        local(POSITION, math.nan, 0, -10),
    ],
    ids=["nothing", "position+acceleration", "nan", "too fast", "frame", "nan position"],
)
def test_what_cannot_be_flown_stops_the_vehicle(flying: Client, bad):
    flying.send(local(POSITION, 80, 0, -10))
    flying.run(5.0)
    assert float(flying.sim.body.velocity_n[0, 0]) > 4.0
    flying.send(bad)
    flying.run(7.0)
    assert abs(float(flying.sim.body.velocity_n[0, 0])) < 0.1
    assert float(flying.sim.body.position_n[0, 0]) < 60.0  # it was on its way to 80
    assert flying.altitude == pytest.approx(10.0, abs=0.3)


def test_global_setpoint_and_relative_altitude(flying: Client):
    there = HOME.offset(15.0, -10.0)
    flying.send(
        dialect.MAVLink_set_position_target_global_int_message(
            0, 1, 1, 6, POSITION, there.lat_deg_e7, there.lon_deg_e7, 12.0, *[0.0] * 8
        )
    )
    flying.run(15.0)
    assert flying.away_from(15.0, -10.0, -12.0) < 0.3


def test_attitude_setpoint_leans_and_climbs(flying: Client):
    lean = math.radians(10.0)
    q = [math.cos(lean / 2), math.sin(lean / 2), 0.0, 0.0]
    for _ in range(20):
        flying.send(dialect.MAVLink_set_attitude_target_message(0, 1, 1, 0x07, q, 0, 0, 0, 0.8))
        flying.run(0.1)
    assert float(flying.sim.body.velocity_n[0, 1]) > 2.0  # leaning right goes east
    assert float(flying.sim.body.velocity_n[0, 2]) == pytest.approx(-1.5, abs=0.3)
    flying.run(9.0)
    assert abs(float(flying.sim.body.velocity_n[0, 1])) < 0.3


def test_change_of_speed_and_reposition(flying: Client):
    assert flying.command(dialect.MAV_CMD_DO_CHANGE_SPEED, 1, 2, -1) == 0
    there = HOME.offset(20.0, 0.0)
    flying.send(
        dialect.MAVLink_command_int_message(
            1, 1, 0, 192, 0, 0, -1, 0, 0, math.nan, there.lat_deg_e7, there.lon_deg_e7, 30.0
        )
    )
    flying.run(5.0)
    assert float(flying.sim.body.velocity_n[0, 0]) == pytest.approx(2.0, abs=0.2)
    flying.run(12.0)
    assert flying.away_from(20.0, 0.0, -10.0) < 0.3


def test_reposition_out_of_guided_needs_the_flag(flying: Client):
    assert flying.command(dialect.MAV_CMD_DO_SET_MODE, 1, 17) == 0
    there = HOME.offset(20.0, 0.0)
    for flags, result in ((math.nan, 2), (0, 2), (1, 0)):
        flying.send(
            dialect.MAVLink_command_int_message(
                1, 1, 6, 192, 0, 0, -1, flags, 0, 0, there.lat_deg_e7, there.lon_deg_e7, 10.0
            )
        )
        acks = [m for m in flying.run(0.05) if m.get_type() == "COMMAND_ACK"]
        assert [a.result for a in acks] == [result]
    assert flying.mode == "GUIDED"


def test_loiter_follows_the_sticks_and_descends_with_the_throttle_down(flying: Client):
    def override(pitch: int, throttle: int) -> None:
        flying.send(
            dialect.MAVLink_rc_channels_override_message(
                1, 1, 1500, pitch, throttle, 1500, 0, 0, 0, 0
            )
        )

    override(1500, 1500)
    assert flying.command(dialect.MAV_CMD_NAV_LOITER_UNLIM) == 0
    for _ in range(8):
        override(1300, 1500)
        flying.run(0.5)
    assert float(flying.sim.body.velocity_n[0, 0]) > 1.5  # stick forward goes north
    assert flying.altitude == pytest.approx(10.0, abs=0.5)
    flying.run(30.0, until=lambda: not flying.armed)  # overrides lapse, the stick is down
    assert not flying.armed


def test_disarmed_in_flight_it_falls(flying: Client):
    assert flying.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 0) == 4
    assert flying.armed
    assert flying.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 0, 21196) == 0
    flying.run(3.0)
    assert flying.altitude == 0.0
    assert any(text.startswith("SIM Hit ground at 1") for text in flying.texts())


def test_a_vehicle_that_does_nothing_disarms_after_ten_seconds():
    client = Client(simulation())
    client.run(10.0)
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    client.run(9.5)
    assert client.armed
    client.run(1.0)
    assert not client.armed


def test_a_reboot_is_acknowledged_and_keeps_what_flash_memory_keeps():
    client = Client(simulation())
    client.run(10.0)
    client.send(dialect.MAVLink_param_set_message(1, 1, b"RTL_ALT", 1800.0, 9))
    assert client.command(dialect.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1) == 0
    client.run(1.5)
    assert client.texts()[-1] == "EKF3 IMU1 MAG0 initial yaw alignment complete"
    assert client.sim.autopilot.parameters["RTL_ALT"] == 1800.0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 4


def test_a_command_for_any_component_of_one_link_is_executed():
    """There is no other link to pass it on to, even if somebody on this one has that id."""
    client = Client(simulation())
    companion = Client(client.sim, sysid=1, compid=191)
    client.run(10.0)
    command = dialect.MAVLink_command_long_message(1, 191, 401, 0, *[0.0] * 7)

    def answers() -> list[str]:
        client.send(command)
        return [m.get_type() for m in client.run(0.05) if m.get_type() == "COMMAND_ACK"]

    assert answers() == ["COMMAND_ACK"]
    companion.send(dialect.MAVLink_heartbeat_message(18, 8, 0, 0, 0, 3))
    assert answers() == ["COMMAND_ACK"]

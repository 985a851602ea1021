"""A deceived receiver leads the vehicle away as it leads ArduCopter; faults show on the wire.

Mutants killed: the reset after ten seconds left out, or its shift not given to the reference; a
gate ten times as wide; the ratio kept after a reset; LAND without a position that still holds its
place; the failsafe on position alone; SIM_GPS1_GLTCH_X taken for metres.
"""

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.sensors.gnss import Deception, Family
from tests.sitl.link import HOME, Client, simulation

pytestmark = pytest.mark.slow
EKF, GPS, GLOBAL = 193, 24, 33


def hovering(*deceptions: Deception, **parameters: float) -> Client:
    client = Client(simulation(world={"deceptions": deceptions}))
    client.fly_to_altitude(10.0)
    for message in (EKF, GPS, GLOBAL):
        assert client.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, message, 200_000) == 0
    client.run(1.0)
    for name, value in parameters.items():
        change(client, name, value)
    return client


def change(client: Client, name: str, value: float) -> None:
    client.send(dialect.MAVLink_param_set_message(1, 1, name.encode(), value, 9))


def believed_north(client: Client) -> float:
    last = client.of("GLOBAL_POSITION_INT")[-1]
    return HOME.north_east(last.lat, last.lon)[0]


def north(client: Client) -> float:
    return float(client.sim.body.position_n[0, 0])


def test_a_gentle_pull_off_moves_the_vehicle_and_not_what_it_believes():
    start = 30.0
    client = hovering(Deception(Family.PULL_OFF, start, velocity_n=(2.0, 0, 0), acceleration=0.1))
    client.run(start - client.now_s + 60.0)
    assert abs(believed_north(client)) < 1.0
    assert north(client) < -50.0  # it flew away, south, to stay where it thought it was
    reports = client.of("EKF_STATUS_REPORT")
    assert max(r.pos_horiz_variance for r in reports) < 1.0
    assert not any(r.flags & 1 << 15 for r in reports)
    assert client.mode == "GUIDED"


def test_a_jump_is_refused_for_ten_seconds_and_then_believed():
    client = hovering()
    began = client.now_s
    change(client, "SIM_GPS1_GLTCH_X", 40.0 / 111_318.845)
    client.run(5.0)
    assert abs(believed_north(client)) < 0.3
    assert client.of("EKF_STATUS_REPORT")[-1].pos_horiz_variance > 1.0
    assert client.of("EKF_STATUS_REPORT")[-1].flags & 1 << 15
    assert "GPS Glitch or Compass error" in client.texts()
    raw = client.of("GPS_RAW_INT")[-1]
    assert HOME.north_east(raw.lat, raw.lon)[0] == pytest.approx(40.0, abs=0.3)
    client.run(5.6)
    assert abs(north(client)) < 0.3  # the estimate jumped, the vehicle did not lurch
    assert believed_north(client) == pytest.approx(40.0, abs=1.0)
    first = next(
        (s for s, m in client.heard if m.get_type() == "GLOBAL_POSITION_INT" and s > began
         and HOME.north_east(m.lat, m.lon)[0] > 20.0)
    )  # fmt: skip
    assert first - began == pytest.approx(10.3, abs=0.5)
    assert client.of("EKF_STATUS_REPORT")[-1].pos_horiz_variance < 0.2  # and looks healthy
    client.send(
        dialect.MAVLink_set_position_target_local_ned_message(
            0, 1, 1, 1, 0xDF8, 0, 0, -10, *[0.0] * 8
        )
    )
    client.run(25.0)
    assert north(client) == pytest.approx(-40.0, abs=1.0)  # where it now believes home to be
    assert client.mode == "GUIDED"  # the position alone is no failsafe


def test_a_false_velocity_is_a_failsafe_and_lands():
    client = hovering()
    change(client, "SIM_GPS1_VERR_X", 12.0)
    client.run(4.0)
    assert client.mode == "LAND"
    assert "EKF variance" in client.texts()
    assert "EKF Failsafe: changed to LAND Mode" in client.texts()


def test_without_gnss_it_lands_blind_and_drifts():
    client = Client(simulation(world={"wind_speed": 4.0, "wind_from": math.pi}))
    client.fly_to_altitude(10.0)
    change(client, "SIM_GPS1_ENABLE", 0.0)
    client.run(30.0, until=lambda: client.mode == "LAND")
    assert "EKF3 IMU0 stopped aiding" in client.texts()
    assert client.mode == "LAND"
    client.run(60.0, until=lambda: not client.armed)
    assert not client.armed
    assert north(client) > 3.0  # carried north by the wind
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 4
    assert "Arm: Need Position Estimate" in client.texts()


def test_jamming_shows_and_the_vehicle_survives_it():
    client = hovering(SIM_GPS1_JAM=1.0)
    client.run(20.0)
    types = {m.fix_type for m in client.of("GPS_RAW_INT")}
    assert {1, 6} <= types
    assert client.altitude >= 0.0


def test_faults_of_other_sensors_show_on_the_wire():
    client = hovering(SIM_ACC1_BIAS_X=0.5, SIM_BARO_GLITCH=3.0, RNGFND1_TYPE=10.0)
    assert client.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, 27, 100_000) == 0
    assert client.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, 29, 100_000) == 0
    assert client.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, 132, 100_000) == 0
    client.run(2.0)
    forward = [m.xacc for m in client.of("RAW_IMU")]
    assert sum(forward) / len(forward) == pytest.approx(0.5 / 9.80665e-3, abs=5.0)
    height = (1013.25 - client.of("SCALED_PRESSURE")[-1].press_abs) / 0.1196  # 12 Pa a metre
    assert height == pytest.approx(client.altitude + 3.0 + 20.0, abs=1.0)
    ranged = client.of("DISTANCE_SENSOR")[-1].current_distance
    assert ranged == pytest.approx(client.altitude * 100.0, abs=20.0)


def test_a_dead_motor_brings_a_quadrotor_down():
    client = hovering(SIM_ENGINE_FAIL=1.0)
    client.run(8.0)
    assert client.altitude < 1.0


def test_two_runs_are_the_same_to_the_byte():
    def run() -> list[bytes]:
        client = Client(
            simulation(
                world={
                    "gusts": 1.0,
                    "wind_speed": 3.0,
                    "deceptions": (Deception(Family.RAMP, 12.0, velocity_n=(1, 0, 0)),),
                }
            )
        )
        client.fly_to_altitude(5.0)
        client.run(5.0)
        return [bytes(m.get_msgbuf()) for _, m in client.heard]

    assert run() == run()

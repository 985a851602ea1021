"""Failsafes of the embedded autopilot."""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.sitl.link import Client, simulation

pytestmark = pytest.mark.slow


def heartbeat(client: Client) -> None:
    client.send(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 0, 3))


def set_parameter(client: Client, name: str, value: float) -> None:
    client.send(dialect.MAVLink_param_set_message(1, 1, name.encode(), value, 9))
    client.run(0.05)


@pytest.fixture
def flying() -> Client:
    client = Client(simulation())
    client.fly_to_altitude(10.0)
    return client


def test_nothing_happens_by_default(flying: Client):
    heartbeat(flying)
    flying.run(12.0)
    assert flying.mode == "GUIDED"


@pytest.mark.parametrize(
    ("choice", "mode"), [(1, "RTL"), (4, "SMART_RTL"), (5, "LAND"), (7, "BRAKE")]
)
def test_silence_acts_after_the_timeout(flying: Client, choice: int, mode: str):
    set_parameter(flying, "FS_GCS_ENABLE", choice)
    for _ in range(4):
        heartbeat(flying)
        flying.run(1.0)
    flying.run(3.5)
    assert flying.mode == "GUIDED"
    flying.run(1.0)
    assert flying.mode == mode
    assert "GCS Failsafe" in flying.texts()
    heartbeat(flying)
    flying.run(0.1)
    assert "GCS Failsafe Cleared" in flying.texts()
    assert flying.mode == mode  # the mode stays


def test_an_accelerated_vehicle_waits_as_long_as_its_ground_station_would(flying: Client):
    set_parameter(flying, "FS_GCS_ENABLE", 1)
    flying.sim.autopilot.gcs_failsafe.pace = 3.0
    heartbeat(flying)
    flying.run(14.5)
    assert flying.mode == "GUIDED"
    flying.run(1.0)
    assert flying.mode == "RTL"


def test_only_the_ground_stations_heartbeat_counts(flying: Client):
    set_parameter(flying, "FS_GCS_ENABLE", 1)
    companion = Client(flying.sim, sysid=1, compid=191)
    heartbeat(flying)
    for _ in range(7):
        heartbeat(companion)
        flying.send(dialect.MAVLink_timesync_message(0, 5))  # traffic is no heartbeat
        flying.run(1.0)
    assert flying.mode == "RTL"


def test_a_ground_station_never_heard_is_not_missed(flying: Client):
    set_parameter(flying, "FS_GCS_ENABLE", 1)
    flying.run(10.0)
    assert flying.mode == "GUIDED"


def test_continue_bits_of_fs_options(flying: Client):
    set_parameter(flying, "FS_GCS_ENABLE", 1)
    set_parameter(flying, "FS_OPTIONS", 8)
    heartbeat(flying)
    assert flying.command(dialect.MAV_CMD_NAV_LAND) == 0
    flying.run(6.0)
    assert flying.mode == "LAND"
    assert "GCS Failsafe - Continuing Landing" in flying.texts()


def test_on_the_ground_it_disarms():
    client = Client(simulation())
    client.run(10.0)
    set_parameter(client, "FS_GCS_ENABLE", 1)
    set_parameter(client, "DISARM_DELAY", 0)
    heartbeat(client)
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    client.run(6.0)
    assert not client.armed
    assert "GCS Failsafe - Disarming" in client.texts()


def test_a_low_battery_lands(flying: Client):
    set_parameter(flying, "BATT_FS_LOW_ACT", 1)
    set_parameter(flying, "BATT_LOW_VOLT", 13.0)
    flying.run(9.5)
    assert flying.mode == "GUIDED"
    flying.run(1.0)
    assert flying.mode == "LAND"
    assert any(text.startswith("Battery 1 is low 12.") for text in flying.texts())

"""MAVSDK from PyPI, unmodified: a flight, parameters, and a mission uploaded, flown, downloaded."""

import math

import pytest
from mavsdk.plugins.action import ActionError
from mavsdk.plugins.mission_raw import MissionItem
from mavsdk.plugins.param import ParamError

from tests.e2e.matrix import on_every_vehicle
from tests.e2e.processes import wait_until
from tests.e2e.sdk import Sdk
from tests.e2e.vehicles import HOME

pytestmark = on_every_vehicle

ABSOLUTE, RELATIVE = 0, 3
WAYPOINT, RETURN, TAKEOFF = 16, 20, 22


@pytest.fixture
def sdk(stack, vehicle):
    with Sdk(f"udpin://127.0.0.1:{stack.out_port}") as sdk:
        sdk.telemetry.set_rate_position(5.0)
        yield sdk
        if sdk.telemetry.armed():  # a failed test must not leave the next one a flying vehicle
            sdk.action.land()
            wait_until(lambda: not sdk.telemetry.armed(), 240 / vehicle.speedup, "on the ground")


def test_arm_take_off_go_return_land(sdk, stack, vehicle):
    sdk.take_off(10, timeout_s=120 / vehicle.speedup)
    wait_until(lambda: sdk.height() > 9, 60 / vehicle.speedup, "10 m")
    assert sdk.telemetry.in_air()

    latitude, longitude = HOME[0] + 0.0003, HOME[1] + 0.0003
    sdk.action.goto_location(latitude, longitude, HOME[2] + 14, math.nan)
    wait_until(
        lambda: sdk.distance_to(latitude, longitude) < 1.5, 120 / vehicle.speedup, "the point"
    )

    sdk.action.return_to_launch()
    wait_until(lambda: sdk.distance_to(*HOME[:2]) < 1.5, 120 / vehicle.speedup, "above home")
    sdk.action.land()
    wait_until(lambda: not sdk.telemetry.armed(), 240 / vehicle.speedup, "landed and disarmed")
    assert abs(sdk.height()) < 0.5


def test_parameters(sdk, vehicle):
    sdk.param.set_param_float("WPNAV_SPEED", 650.0)
    assert sdk.param.get_param_float("WPNAV_SPEED") == 650.0
    assert sdk.param.get_param_int("FRAME_CLASS") == 1
    everything = sdk.param.get_all_params()
    count = len(everything.int_params) + len(everything.float_params)
    assert count >= vehicle.parameters
    assert {p.name: p.value for p in everything.float_params}["WPNAV_SPEED"] == 650.0


def test_a_protected_parameter_is_not_set(sdk):
    before = sdk.param.get_param_int("FS_GCS_ENABLE")
    with pytest.raises(ParamError):
        sdk.param.set_param_int("FS_GCS_ENABLE", 1 - before)
    assert sdk.param.get_param_int("FS_GCS_ENABLE") == before


def test_forced_arming_is_refused(sdk):
    with pytest.raises(ActionError):
        sdk.action.arm_force()
    assert not sdk.telemetry.armed()


def test_mission_upload_run_download(sdk, vehicle):
    def item(seq, frame, command, height, north=0.0, east=0.0):
        lat, lon = (round((HOME[0] + north) * 1e7), round((HOME[1] + east) * 1e7))
        return MissionItem(seq, frame, command, seq == 1, 1, 0, 0, 0, 0, lat, lon, height, 0)

    # Item 0 is home: ArduPilot keeps its own.
    mission = [
        item(0, ABSOLUTE, WAYPOINT, HOME[2]),
        item(1, RELATIVE, TAKEOFF, 10),
        item(2, RELATIVE, WAYPOINT, 12, north=0.0003),
        item(3, RELATIVE, WAYPOINT, 14, north=0.0003, east=0.0003),
        item(4, RELATIVE, RETURN, 0),
    ]
    sdk.mission_raw.upload_mission(mission)
    downloaded = sdk.mission_raw.download_mission()
    assert [place(i) for i in downloaded[1:4]] == [place(i) for i in mission[1:4]]
    assert [i.command for i in downloaded] == [i.command for i in mission]

    sdk.take_off(10, timeout_s=120 / vehicle.speedup)
    wait_until(lambda: sdk.height() > 9, 60 / vehicle.speedup, "10 m")
    reached = set()
    sdk.mission_raw.subscribe_mission_progress(lambda progress, _: reached.add(progress.current))
    sdk.mission_raw.set_current_mission_item(2)
    sdk.mission_raw.start_mission()
    wait_until(lambda: {2, 3, 4} <= reached, 240 / vehicle.speedup, "the mission runs to its end")
    wait_until(lambda: not sdk.telemetry.armed(), 240 / vehicle.speedup, "returned and landed")
    assert sdk.distance_to(*HOME[:2]) < 1.5


def place(item):
    return item.command, item.frame, item.x, item.y, item.z

"""Missions: transfer, faults in the transfer, and flying them."""

import math
from itertools import pairwise

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.sitl.link import HOME, Client, simulation

WAYPOINT, LOITER_TIME, RTL, LAND, TAKEOFF = 16, 19, 20, 21, 22


def item(seq: int, command: int, *, north=0.0, east=0.0, z=0.0, frame=3, params=(0, 0, 0, 0)):
    place = HOME.offset(north, east)
    x, y = (place.lat_deg_e7, place.lon_deg_e7) if north or east else (0, 0)
    return dialect.MAVLink_mission_item_int_message(
        1, 1, seq, frame, command, 0, 1, *params, x, y, z
    )


def upload(client: Client, items: list) -> int:
    """Upload as a ground station does; return the MAV_MISSION_RESULT."""

    def answer(message) -> None:
        if message.get_type() in ("MISSION_REQUEST", "MISSION_REQUEST_INT"):
            client.send(items[message.seq])

    client.on_message = answer
    client.send(dialect.MAVLink_mission_count_message(1, 1, len(items)))
    before = len(client.of("MISSION_ACK"))
    client.run(2.0, until=lambda: len(client.of("MISSION_ACK")) > before)
    client.on_message = lambda _message: None
    return client.of("MISSION_ACK")[-1].type


def home_item() -> dialect.MAVLink_message:
    return item(0, WAYPOINT, north=0.001, z=20.0, frame=0)


def test_download_gives_back_what_was_uploaded():
    client = Client(simulation())
    items = [
        home_item(),
        item(1, TAKEOFF, z=10.0),
        item(2, WAYPOINT, north=10, east=5, z=12.0, params=(2, 3, 0, math.nan)),
        item(3, dialect.MAV_CMD_DO_CHANGE_SPEED, params=(1, 4, -1, 0)),
        item(4, RTL),
    ]
    assert upload(client, items) == 0
    client.send(dialect.MAVLink_mission_request_list_message(1, 1))
    client.run(0.1)
    assert client.of("MISSION_COUNT")[-1].count == 5
    for sent in items[1:]:
        client.send(dialect.MAVLink_mission_request_int_message(1, 1, sent.seq))
        client.run(0.1)
        got = client.of("MISSION_ITEM_INT")[-1]
        assert (got.seq, got.command, got.x, got.y, got.z) == (
            sent.seq,
            sent.command,
            sent.x,
            sent.y,
            sent.z,
        )
    assert client.of("MISSION_ITEM_INT")[1].param1 == 2.0
    assert client.of("MISSION_ITEM_INT")[1].param2 == 0.0  # the acceptance radius is not kept


def test_lost_items_are_asked_for_again_and_then_the_upload_ends():
    client = Client(simulation())
    client.send(dialect.MAVLink_mission_count_message(1, 1, 3))
    client.run(7.5)
    asked = [t for t, m in client.heard if m.get_type() == "MISSION_REQUEST"]
    assert len(asked) == 8
    assert all(0.99 < b - a < 1.05 for a, b in pairwise(asked))
    client.run(1.0)
    assert client.of("MISSION_ACK")[-1].type == dialect.MAV_MISSION_OPERATION_CANCELLED


def test_faulty_transfers():
    client = Client(simulation())
    stranger = Client(client.sim, sysid=200)
    d = dialect
    client.send(item(0, WAYPOINT, north=1, z=5.0))  # nobody asked
    client.run(0.02)
    assert client.of("MISSION_ACK")[-1].type == d.MAV_MISSION_ERROR
    client.send(d.MAVLink_mission_count_message(1, 1, 3))
    client.run(0.02)
    client.send(item(2, WAYPOINT, north=1, z=5.0))
    client.run(0.02)
    assert client.of("MISSION_ACK")[-1].type == d.MAV_MISSION_INVALID_SEQUENCE
    stranger.send(item(0, WAYPOINT, north=1, z=5.0))
    assert [m.type for m in client.run(0.02) if m.get_type() == "MISSION_ACK"] == [
        d.MAV_MISSION_DENIED
    ]
    stranger.send(d.MAVLink_mission_request_list_message(1, 1))
    assert client.run(0.02)[-1].type == d.MAV_MISSION_DENIED
    client.send(d.MAVLink_mission_count_message(1, 1, 2))
    client.run(0.02)
    client.send(item(0, 31000))
    client.run(0.02)
    assert client.of("MISSION_ACK")[-1].type == d.MAV_MISSION_UNSUPPORTED
    client.send(d.MAVLink_mission_count_message(1, 1, 60_000))
    client.run(0.02)
    assert client.of("MISSION_ACK")[-1].type == d.MAV_MISSION_NO_SPACE


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({"params": (math.nan, 0, 0, 0)}, dialect.MAV_MISSION_INVALID_PARAM1),
        ({"frame": 9}, dialect.MAV_MISSION_UNSUPPORTED_FRAME),
        ({"z": math.nan}, dialect.MAV_MISSION_INVALID_PARAM7),
    ],
)
def test_items_that_cannot_be_flown_are_refused(change, result):
    client = Client(simulation())
    fields = {"north": 5.0, "z": 5.0} | change
    assert upload(client, [home_item(), item(1, WAYPOINT, **fields)]) == result


def test_fences_and_rally_points_are_kept_apart():
    client = Client(simulation())
    for kind in (1, 2):
        client.send(dialect.MAVLink_mission_count_message(1, 1, 1, kind))
        client.run(0.05)
        message = dialect.MAVLink_mission_item_int_message(
            1, 1, 0, 3, 5003 if kind == 1 else 5100, 0, 1, 30, 0, 0, 0, 1, 2, 3.0, kind
        )
        client.send(message)
        client.run(0.05)
        assert client.of("MISSION_ACK")[-1].type == 0
        client.send(dialect.MAVLink_mission_request_list_message(1, 1, kind))
        client.run(0.05)
        assert client.of("MISSION_COUNT")[-1].count == 1
    client.send(dialect.MAVLink_mission_request_list_message(1, 1, 0))
    client.run(0.05)
    assert client.of("MISSION_COUNT")[-1].count == 0


@pytest.mark.slow
def test_a_mission_is_flown_to_its_end():
    client = Client(simulation())
    client.run(10.0)
    items = [
        home_item(),
        item(1, TAKEOFF, z=10.0),
        item(2, WAYPOINT, north=20.0, z=12.0, params=(2, 0, 0, 0)),
        item(3, dialect.MAV_CMD_DO_CHANGE_SPEED, params=(1, 3, -1, 0)),
        item(4, WAYPOINT, north=20.0, east=15.0, z=12.0),
        item(5, dialect.MAV_CMD_DO_JUMP, params=(2, 1, 0, 0)),
        item(6, LOITER_TIME, north=10.0, east=10.0, z=12.0, params=(3, 0, 0, 0)),
        item(7, RTL),
    ]
    assert upload(client, items) == 0
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    assert client.command(dialect.MAV_CMD_MISSION_START) == 0
    assert client.mode == "AUTO"
    client.run(180.0, until=lambda: not client.armed)
    assert not client.armed
    assert client.away_from(0, 0, 0) < 0.5
    reached = [m.seq for m in client.of("MISSION_ITEM_REACHED")]
    assert reached == [1, 3, 2, 4, 3, 2, 4, 6, 7]  # what needs no flying is done on the way
    assert "Mission: 3 ChangeSpeed" in client.texts()


@pytest.mark.slow
def test_a_mission_can_be_paused_and_lands_where_it_says():
    client = Client(simulation())
    client.run(10.0)
    items = [
        home_item(),
        item(1, TAKEOFF, z=8.0),
        item(2, WAYPOINT, north=40.0, z=8.0),
        item(3, LAND, north=40.0, east=8.0),
    ]
    assert upload(client, items) == 0
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    assert client.command(dialect.MAV_CMD_MISSION_START) == 0
    client.run(60.0, until=lambda: client.sim.body.position_n[0, 0] > 10.0)
    assert client.command(dialect.MAV_CMD_DO_PAUSE_CONTINUE, 0) == 0
    client.run(8.0)
    held = float(client.sim.body.position_n[0, 0])
    client.run(5.0)
    assert float(client.sim.body.position_n[0, 0]) == pytest.approx(held, abs=0.3)
    assert held < 35.0
    assert client.command(dialect.MAV_CMD_DO_PAUSE_CONTINUE, 1) == 0
    client.run(90.0, until=lambda: not client.armed)
    assert not client.armed
    assert client.away_from(40.0, 8.0, 0.0) < 0.5


@pytest.mark.slow
def test_auto_from_the_ground_needs_a_take_off():
    client = Client(simulation())
    client.run(10.0)
    assert upload(client, [home_item(), item(1, WAYPOINT, north=5.0, z=5.0)]) == 0
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 3) == 4
    client.run(0.1)
    assert "Auto: Missing Takeoff Cmd" in client.texts()
    assert "Mode change to AUTO failed: init failed" in client.texts()

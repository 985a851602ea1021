"""The fence of the embedded autopilot: breach, return, refusals, and where rally points lead.

Mutants killed: inside and outside of a polygon exchanged; an exclusion taken for an inclusion; the
floor guarded before the vehicle was above it; a breach reported at every look; a place outside
taken as a target; FENCE_OPTIONS ignored by a mode change; longitude left unshrunk in a zone; every
kind that is selected looked at, in force or not.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.fence import Bound, Fence, fence_names
from sim.autopilot.frame import Ground
from sim.autopilot.mission import Item
from sim.autopilot.parameters import Parameters
from sim.autopilot.zones import Zone, zones_of
from sim.geodesy import Place
from tests.sitl.link import HOME, Client, simulation

IN_POLYGON, OUT_POLYGON, IN_CIRCLE, OUT_CIRCLE = 5001, 5002, 5003, 5004
SQUARE = ((-20.0, -20.0), (-20.0, 20.0), (20.0, 20.0), (20.0, -20.0))
L_SHAPE = ((0.0, 0.0), (0.0, 30.0), (10.0, 30.0), (10.0, 10.0), (30.0, 10.0), (30.0, 0.0))


def corner(command: int, count: float, north: float, east: float) -> Item:
    place = HOME.offset(north, east)
    return Item(command, 0, count, 0, 0, 0, place.lat_deg_e7, place.lon_deg_e7, 0.0)


def polygon(command: int, corners) -> list[Item]:
    return [corner(command, len(corners), *c) for c in corners]


@given(st.floats(-40, 40), st.floats(-40, 40))
def test_polygons_against_sampled_distance(north, east):
    """The obvious model: the nearest of many points on the sides; inside by winding of angles."""
    for corners in (SQUARE, L_SHAPE):
        zone = Zone(inclusion=True, corners=corners)
        sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
        nearest = min(
            math.hypot(
                a[0] + (b[0] - a[0]) * k / 400 - north, a[1] + (b[1] - a[1]) * k / 400 - east
            )
            for a, b in sides
            for k in range(401)
        )
        if nearest < 0.2:
            continue
        turned = sum(
            math.remainder(
                math.atan2(b[1] - east, b[0] - north) - math.atan2(a[1] - east, a[0] - north),
                2 * math.pi,
            )
            for a, b in sides
        )
        inside = abs(turned) > math.pi
        found = zone.outside_by((north, east))
        assert (found < 0.0) == inside
        assert abs(found) == pytest.approx(nearest, abs=0.1)


def fence(zones: list[Item], **settings: float) -> Fence:
    parameters = Parameters()
    for name, value in {"FENCE_ENABLE": 1.0, **settings}.items():
        parameters.store(name, value)
    made = Fence(parameters, Ground(HOME, HOME, HOME))
    made.load(zones)
    return made


def at(made: Fence, north: float, east: float, up: float = 10.0, now_s: float = 0.0) -> Bound:
    return made.step((north, east, -up), now_s, landing=False)


def test_zones_of_both_kinds():
    made = fence([*polygon(IN_POLYGON, SQUARE), corner(OUT_CIRCLE, 5.0, 10.0, 10.0)])
    assert at(made, 0.0, 0.0) == 0
    assert at(made, 10.0, 6.0) == Bound.POLYGON
    assert at(made, 10.0, 6.0) == 0  # not again
    assert made.breached == Bound.POLYGON
    assert at(made, 0.0, 0.0) == 0
    assert made.breached == 0
    assert at(made, 21.0, 0.0) == Bound.POLYGON
    assert made.outside_m == pytest.approx(1.0, abs=0.05)
    assert at(made, 42.0, 0.0) == Bound.POLYGON  # anew, twenty metres further
    assert made.count == 3


def test_two_inclusions_must_both_hold_unless_they_are_joined():
    zones = [corner(IN_CIRCLE, 30.0, 0.0, 0.0), corner(IN_CIRCLE, 30.0, 40.0, 0.0)]
    assert at(fence(zones), 5.0, 0.0) == Bound.POLYGON
    assert at(fence(zones), 20.0, 0.0) == 0
    assert at(fence(zones, FENCE_OPTIONS=2.0), 5.0, 0.0) == 0
    assert at(fence(zones, FENCE_OPTIONS=2.0), 5.0, 35.0) == Bound.POLYGON


def test_ceiling_circle_and_floor():
    made = fence([], FENCE_TYPE=11.0, FENCE_ALT_MIN=5.0, FENCE_RADIUS=50.0)
    assert at(made, 0.0, 0.0, 2.0) == 0  # not above the floor yet
    assert at(made, 0.0, 0.0, 20.0) == 0
    assert at(made, 0.0, 0.0, 4.0) == Bound.MIN_ALT
    assert made.step((0.0, 0.0, -2.0), 1.0, landing=True) == 0
    assert made.breached == 0
    assert at(made, 0.0, 60.0, 120.0) == Bound.MAX_ALT | Bound.CIRCLE
    assert fence_names(made.breached) == "Max Alt and Circle fences"


def test_a_kind_out_of_force_is_not_guarded():
    made = fence([], FENCE_TYPE=11.0, FENCE_ALT_MIN=5.0, FENCE_RADIUS=50.0)
    assert at(made, 0.0, 0.0, 20.0) == 0
    assert made.enable(Bound.MIN_ALT, on=False) == Bound.MIN_ALT
    assert at(made, 0.0, 0.0, 4.0) == 0
    assert at(made, 0.0, 60.0, 4.0) == Bound.CIRCLE
    assert made.enable(Bound.CIRCLE, on=False) == Bound.CIRCLE
    assert made.breached == 0
    assert at(made, 0.0, 60.0, 4.0) == 0
    assert not made.needs_position
    assert made.contains(60.0, 0.0, -4.0)
    assert at(made, 0.0, 0.0, 120.0) == Bound.MAX_ALT


def test_what_is_no_fence_is_said():
    for bad in (
        polygon(IN_POLYGON, SQUARE)[:3],
        polygon(IN_POLYGON, SQUARE[:2]),
        [*polygon(IN_POLYGON, SQUARE)[:2], *polygon(OUT_POLYGON, SQUARE)[2:]],
        [corner(16, 0.0, 1.0, 1.0)],
    ):
        assert zones_of(bad, Ground(HOME)) is None
        assert fence(bad).reasons() == ["Polygon fence(s) invalid"]
    assert fence([], FENCE_MARGIN=60.0).reasons() == ["FENCE_MARGIN too big"]
    assert fence([], FENCE_TYPE=0.0).reasons() == ["Fences enabled, but none selected"]
    assert fence([], FENCE_ENABLE=0.0, FENCE_TYPE=0.0).reasons() == []


def test_longitude_shrinks_with_latitude():
    north_cape = Place(711_700_000, 257_800_000, 0.0)
    place = north_cape.offset(0.0, 30.0)
    item = Item(IN_CIRCLE, 0, 10.0, 0, 0, 0, place.lat_deg_e7, place.lon_deg_e7, 0.0)
    (zone,) = zones_of([item], Ground(north_cape))
    assert zone.corners[0] == pytest.approx((0.0, 30.0), abs=0.05)


def change(client: Client, name: str, value: float) -> None:
    client.send(dialect.MAVLink_param_set_message(1, 1, name.encode(), value, 9))


def upload(client: Client, kind: int, items: list[Item]) -> None:
    def answer(message: dialect.MAVLink_message) -> None:
        if message.get_type() == "MISSION_REQUEST" and message.mission_type == kind:
            i = items[message.seq]
            client.send(
                dialect.MAVLink_mission_item_int_message(
                    1, 1, message.seq, 3, i.command, 0, 1, i.param1, 0, 0, 0, i.x, i.y, i.z, kind
                )
            )

    client.on_message = answer
    client.send(dialect.MAVLink_mission_count_message(1, 1, len(items), kind))
    client.run(1.0)
    assert [m.type for m in client.of("MISSION_ACK")][-1] == 0


def flying(*, zones: list[Item] = (), **parameters: float) -> Client:
    client = Client(simulation())
    for name, value in {"FENCE_ENABLE": 1.0, **parameters}.items():
        change(client, name, value)
    if zones:
        upload(client, 1, list(zones))
    client.fly_to_altitude(10.0)
    return client


def push(client: Client, vx: float, vy: float, vz: float, seconds: float) -> None:
    for _ in range(round(seconds / 0.5)):
        client.send(
            dialect.MAVLink_set_position_target_local_ned_message(
                0, 1, 1, 1, 0xDC7, 0, 0, 0, vx, vy, vz, *[0.0] * 5
            )
        )
        client.run(0.5)


@pytest.mark.slow
def test_a_breach_flies_home_and_tells():
    client = flying(zones=polygon(IN_POLYGON, SQUARE), AVOID_ENABLE=0.0)
    assert client.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, 162, 200_000) == 0
    client.run(0.5)
    assert client.of("FENCE_STATUS")[-1].breach_status == 0
    push(client, 5.0, 0.0, 0.0, 7.0)
    assert client.mode == "RTL"
    assert "Polygon fence breached" in client.texts()
    assert client.texts().count("Polygon fence breached") == 1
    status = next(m for m in client.of("FENCE_STATUS") if m.breach_status)
    assert (status.breach_type, status.breach_count) == (dialect.FENCE_BREACH_BOUNDARY, 1)
    client.run(60.0, until=lambda: not client.armed)
    assert "Fence breach cleared" in client.texts()
    assert client.away_from(0, 0, 0) < 0.5


@pytest.mark.slow
def test_targets_outside_are_refused_and_the_ceiling_holds():
    client = flying(
        FENCE_RADIUS=40.0,
        FENCE_ALT_MAX=15.0,
        FENCE_ACTION=4.0,
        FENCE_OPTIONS=1.0,
        AVOID_ENABLE=0.0,
    )
    place = HOME.offset(60.0, 0.0)
    client.send(
        dialect.MAVLink_command_int_message(
            1, 1, 0, 192, 0, 0, -1, 0, 0, math.nan, place.lat_deg_e7, place.lon_deg_e7, 30.0
        )
    )
    assert [m.result for m in client.run(1.0) if m.get_type() == "COMMAND_ACK"] == [4]
    client.send(
        dialect.MAVLink_set_position_target_local_ned_message(
            0, 1, 1, 1, 0xDF8, 60, 0, -10, *[0.0] * 8
        )
    )
    client.run(3.0)
    assert client.away_from(0, 0, -10) < 0.5
    push(client, 0.0, 0.0, -3.0, 6.0)
    assert client.mode == "BRAKE"
    assert "Max Alt fence breached" in client.texts()
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 4
    assert "Mode change to GUIDED failed: in fence recovery" in client.texts()


@pytest.mark.slow
def test_report_only_reports_only():
    client = flying(FENCE_RADIUS=30.0, FENCE_ACTION=0.0, AVOID_ENABLE=0.0)
    push(client, 5.0, 0.0, 0.0, 10.0)
    assert client.mode == "GUIDED"
    assert "Circle fence breached" in client.texts()
    assert float(client.sim.body.position_n[0, 0]) > 35.0


@pytest.mark.slow
def test_a_vehicle_outside_does_not_arm():
    client = Client(simulation())
    change(client, "FENCE_ENABLE", 1.0)
    upload(client, 1, polygon(OUT_POLYGON, SQUARE))
    client.run(60.0, until=lambda: client.sim.autopilot.vehicle.position_ok)
    client.run(0.2)
    assert client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 4
    assert "Arm: Vehicle breaching Polygon fence" in client.texts()


@pytest.mark.slow
def test_a_spoofed_breach_steers_the_vehicle():
    """Known abuse: show the vehicle a place outside its fence, and it flies by the false place."""
    client = flying(FENCE_RADIUS=30.0)
    change(client, "SIM_GPS1_GLTCH_Y", 40.0 / (111_318.845 * math.cos(math.radians(35.6586))))
    client.run(40.0, until=lambda: client.mode == "RTL")
    assert client.mode == "RTL"
    client.run(10.0)
    assert float(client.sim.body.position_n[0, 1]) < -5.0


@pytest.mark.slow
def test_a_rally_point_is_flown_to_when_it_is_nearer():
    client = flying()
    place = HOME.offset(40.0, 0.0)
    rally = Item(5100, 3, 0, 0, 0, 0, place.lat_deg_e7, place.lon_deg_e7, 10.0)
    upload(client, 2, [rally])
    push(client, 5.0, 0.0, 0.0, 7.0)
    client.run(2.0)
    assert client.command(dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH) == 0
    client.run(90.0, until=lambda: not client.armed)
    assert client.away_from(40, 0, 0) < 0.7

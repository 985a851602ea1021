"""GUIDED targets: masks, frames, refusals and time limits."""

import math

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Message, Pilot, position
from tests.conformance.vehicles import START

area = Area("guided")
case = area.case


def local(
    mask: int,
    frame: int = 1,
    x: float = 0,
    y: float = 0,
    z: float = 0,
    vx: float = 0,
    vy: float = 0,
    vz: float = 0,
    ax: float = 0,
    ay: float = 0,
    az: float = 0,
    yaw: float = 0,
    yaw_rate: float = 0,
) -> Message:
    return d.MAVLink_set_position_target_local_ned_message(
        0, 1, 1, frame, mask, x, y, z, vx, vy, vz, ax, ay, az, yaw, yaw_rate
    )


def globally(
    mask: int, frame: int, north: float, east: float, alt: float, **more: float
) -> Message:
    place = START.offset(north, east, 0.0)
    fields = dict.fromkeys(("vx", "vy", "vz", "afx", "afy", "afz", "yaw", "yaw_rate"), 0.0) | more
    return d.MAVLink_set_position_target_global_int_message(
        0, 1, 1, frame, mask, place.lat_deg_e7, place.lon_deg_e7, alt, *fields.values()
    )


def reached(v: Pilot, message: Message, goal: tuple[float, float, float]) -> Observed:
    v.hover()
    v.send(message)
    return [f"came: {v.came(*goal, 25.0)}"]


def to(name: str, message: Message, goal: tuple[float, float, float]) -> None:
    area.add(f"position, {name}", lambda v: reached(v, message, goal))


to("local frame", local(0xDF8, x=12, y=5, z=-10), (12, 5, 10))
to("offset from here", local(0xDF8, 7, x=12, y=5, z=-2), (12, 5, 10))
to("global, relative", globally(0xDF8, 6, 12, 5, 11), (12, 5, 11))
to("global, relative, old number", globally(0xDF8, 3, 12, 5, 11), (12, 5, 11))
to("global, above sea", globally(0xDF8, 5, 12, 5, 595), (12, 5, 11))
to("with velocity", local(0xDC0, x=12, y=5, z=-10), (12, 5, 10))


def in_body(v: Pilot, frame: int) -> Observed:
    v.hover()
    v.must(d.MAV_CMD_CONDITION_YAW, 90, 0, 1, 0)
    v.until(lambda: abs(v.heading_deg - 90.0) < 2.0, 15.0)
    v.send(local(0xDF8, frame, x=10, y=0, z=0))
    came = v.until(lambda: v.away(0, 10) < 1.2, 20.0)
    at = v.place
    return [f"came east: {came}", "" if came else f"{at[0]:.0f} {at[1]:.0f}"]


area.add("position, body frame", lambda v: in_body(v, 8))
area.add("position, body offset frame", lambda v: in_body(v, 9))


def stops(v: Pilot, message: Message) -> Observed:
    """Send something strange on the way; does the vehicle stop, fly on, or do something else?"""
    v.hover()
    v.send(position(80, 0, -8))
    v.until(lambda: v.speed > 4.0, 15.0)
    v.send(message)
    stopped = v.until(lambda: v.speed < 0.4, 6.0)
    return [f"stops: {stopped}"]


def strange(name: str, message: Message, why: str | None = None) -> None:
    area.add(f"on the way, {name}", lambda v: stops(v, message), why)


strange("everything ignored", local(0xFFF))
strange("force instead of acceleration", local(0xE3F & ~0x1C0, ax=1))
strange("position and acceleration without velocity", local(0xC38, x=5))
strange("frame 0 in the local message", local(0xDF8, 0, x=5, z=-8))
strange("frame 2", local(0xDF8, 2, x=5, z=-8))
strange("frame 12", local(0xDF8, 12, x=5, z=-8))
strange("velocity NaN", local(0xDC7, vx=math.nan))
strange("velocity of 2 km/s", local(0xDC7, vx=2000))
strange("velocity of nothing", local(0xDC7))
strange("one axis of velocity ignored", local(0xDC7 | 8, vy=1))
strange("one axis of position ignored", local(0xDF8 | 1, x=80, z=-8))
strange("global frame 1", globally(0xDF8, 1, 50, 0, 8))
strange(
    "a place off the Earth",
    d.MAVLink_set_position_target_global_int_message(
        0, 1, 1, 6, 0xDF8, 950_000_000, 0, 10, *[0.0] * 8
    ),
)
strange(
    "attitude without thrust",
    d.MAVLink_set_attitude_target_message(0, 1, 1, 7 | 64, [1, 0, 0, 0], 0, 0, 0, 0.5),
)
strange(
    "attitude of no length",
    d.MAVLink_set_attitude_target_message(0, 1, 1, 7, [0, 0, 0, 0], 0, 0, 0, 0.5),
)
strange(
    "attitude with some rates",
    d.MAVLink_set_attitude_target_message(0, 1, 1, 1, [1, 0, 0, 0], 0, 0, 0, 0.5),
)
strange(
    "a target for another vehicle",
    d.MAVLink_set_position_target_local_ned_message(0, 2, 1, 1, 0xDC7, *[0.0] * 11),
)


def moving(v: Pilot, message: Message, seconds: float = 5.0) -> tuple[float, float, float]:
    """Send a target again and again; return the velocity it leads to."""
    end_s = v.now_s + seconds
    v.until(lambda: (v.send(message), v.now_s > end_s)[1])  # type: ignore[func-returns-value]
    return v.velocity


def steady(v: Pilot, message: Message) -> Observed:
    v.hover()
    vx, vy, vz = moving(v, message)
    return [f"{round(vx)} {round(vy)} {round(2 * vz) / 2:g}".replace("-0", "0")]


def speed(name: str, message: Message, why: str | None = None) -> None:
    area.add(f"velocity, {name}", lambda v: steady(v, message), why)


speed("local frame", local(0xDC7, vx=3, vy=-2))
speed("offset frame", local(0xDC7, 7, vx=3, vy=-2))
speed(
    "climbing faster than WPNAV_SPEED_UP",
    local(0xDC7, vz=-9),
    "climb and descent are held to WPNAV_SPEED_UP and _DN; ArduPilot flies what is asked",
)
speed("faster than WPNAV_SPEED", local(0xDC7, vx=25))
speed("global message", globally(0xDC7, 6, 0, 0, 0, vx=3.0, vy=2.0))


def body_speed(v: Pilot, frame: int) -> Observed:
    v.hover()
    v.must(d.MAV_CMD_CONDITION_YAW, 90, 0, 1, 0)
    v.until(lambda: abs(v.heading_deg - 90.0) < 2.0, 15.0)
    vx, vy, _ = moving(v, local(0xDC7, frame, vx=3))
    return [f"east: {vy > 2.3} not north: {abs(vx) < 1.5}"]


area.add("velocity, body frame", lambda v: body_speed(v, 8))
area.add("velocity, body offset frame", lambda v: body_speed(v, 9))


@case("acceleration", "the embedded one gathers less speed in three seconds")
def _(v: Pilot) -> Observed:
    v.hover()
    vx, _, _ = moving(v, local(0xC3F, ax=1.0), 3.0)
    return [f"1 to 4 m/s: {1.0 < vx < 4.0}"]


@case("velocity ends GUID_TIMEOUT after the last one")
def _(v: Pilot) -> Observed:
    v.hover()
    moving(v, local(0xDC7, vx=3), 3.0)
    began = v.now_s
    v.until(lambda: v.speed < 1.0, 15.0)
    took = v.now_s - began
    return [f"3 to 6 s: {3.0 < took < 6.0}", v.state]


@case("velocity with another GUID_TIMEOUT")
def _(v: Pilot) -> Observed:
    v.hover()
    v.set("GUID_TIMEOUT", 1)
    moving(v, local(0xDC7, vx=3), 3.0)
    began = v.now_s
    v.until(lambda: v.speed < 1.0, 15.0)
    return [f"1 to 4 s: {1.0 < v.now_s - began < 4.0}"]


@case("a place is kept without an end")
def _(v: Pilot) -> Observed:
    v.hover()
    v.send(position(40, 0, -8))
    v.run(8.0)
    return [f"flown on: {v.place[0] > 20.0}"]


def turned(v: Pilot, message: Message, wanted_deg: float) -> Observed:
    v.hover()
    end_s = v.now_s + 12.0
    off = lambda: abs((v.heading_deg - wanted_deg + 180.0) % 360.0 - 180.0)  # noqa: E731
    v.until(lambda: (v.send(message), off() < 3.0 or v.now_s > end_s)[1])  # type: ignore
    return [f"heading {wanted_deg:g}: {off() < 3.0}"]


area.add("yaw with a place", lambda v: turned(v, local(0x9F8, z=-8, yaw=1.5708), 90))
area.add("yaw with a velocity", lambda v: turned(v, local(0x9C7, yaw=1.5708), 90))
area.add("the nose looks ahead on the way", lambda v: turned(v, position(0, 60, -8), 90))
area.add(
    "yaw by CONDITION_YAW",
    lambda v: turned(v, d.MAVLink_command_long_message(1, 1, 115, 0, 135, 0, 1, 0, 0, 0, 0), 135),
)


@case("yaw rate")
def _(v: Pilot) -> Observed:
    v.hover()
    moving(v, local(0x5C7, yaw_rate=0.5), 4.0)
    rate = v.last["ATTITUDE"].yawspeed
    return [f"0.5: {abs(rate - 0.5) < 0.1}"]


@case("ROI: the nose looks at a place")
def _(v: Pilot) -> Observed:
    v.hover()
    place = START.offset(0.0, -100.0, 0.0)
    v.ask(
        d.MAVLink_command_int_message(
            1, 1, 3, 195, 0, 0, 0, 0, 0, 0, place.lat_deg_e7, place.lon_deg_e7, 0
        )
    )
    return [f"west: {v.until(lambda: abs(v.heading_deg - 270.0) < 4.0, 15.0)}"]


def tilted(v: Pilot, thrust: float, *, options: float = 0.0, mask: int = 7) -> tuple[float, float]:
    """Fly an attitude of 10 degrees to the right; return roll [degree] and climb [m/s]."""
    v.hover()
    if options:
        v.set("GUID_OPTIONS", options)
    half = math.radians(5.0)
    message = d.MAVLink_set_attitude_target_message(
        0, 1, 1, mask, [math.cos(half), math.sin(half), 0, 0], 0, 0, 0, thrust
    )
    end_s = v.now_s + 3.0
    v.until(lambda: (v.send(message), v.now_s > end_s)[1])  # type: ignore[func-returns-value]
    return math.degrees(v.last["ATTITUDE"].roll), -v.velocity[2]


@case("attitude: tilt, and thrust 0.5 holds height")
def _(v: Pilot) -> Observed:
    roll, climb = tilted(v, 0.5)
    return [f"roll 10: {abs(roll - 10.0) < 2.0}", f"level: {abs(climb) < 0.4}"]


@case("attitude: thrust 1 climbs at WPNAV_SPEED_UP")
def _(v: Pilot) -> Observed:
    _, climb = tilted(v, 1.0)
    return [f"2.5 m/s: {abs(climb - 2.5) < 0.6}"]


@case("attitude: thrust 0 sinks at WPNAV_SPEED_DN")
def _(v: Pilot) -> Observed:
    _, climb = tilted(v, 0.0)
    return [f"-1.5 m/s: {abs(climb + 1.5) < 0.6}"]


@case("attitude: levels when the targets stop")
def _(v: Pilot) -> Observed:
    tilted(v, 0.5)
    began = v.now_s
    v.until(lambda: abs(math.degrees(v.last["ATTITUDE"].roll)) < 2.0, 10.0)
    return [f"2 to 6 s: {2.0 < v.now_s - began < 6.0}", v.state]


@case("targets on the ground, armed, do not lift it")
def _(v: Pilot) -> Observed:
    v.arm()
    v.send(position(10, 0, -8))
    v.run(4.0)
    return [f"on the ground: {v.height < 0.3}", v.state]


@case("targets in LOITER are ignored")
def _(v: Pilot) -> Observed:
    v.hover()
    v.mode("BRAKE")
    lines = v.ask(position(20, 0, -8), within=4.0)
    return [*lines, f"stayed: {v.away(0, 0) < 1.5}"]


@case("pause holds, continue goes on")
def _(v: Pilot) -> Observed:
    v.hover()
    v.send(position(40, 0, -8))
    v.until(lambda: v.speed > 3.0, 15.0)
    paused = v.result(193, 0)
    stopped = v.until(lambda: v.speed < 0.4, 8.0)
    resumed = v.result(193, 1)
    return [paused, f"stops: {stopped}", resumed, f"goes on: {v.until(lambda: v.speed > 1.0, 6.0)}"]


@case("a mission item as a target (current 2)")
def _(v: Pilot) -> Observed:
    v.hover()
    place = START.offset(10.0, 0.0, 0.0)
    lines = v.ask(
        d.MAVLink_mission_item_int_message(
            1, 1, 0, 3, 16, 2, 1, 0, 0, 0, 0, place.lat_deg_e7, place.lon_deg_e7, 9, 0
        )
    )
    return [*lines, f"came: {v.came(10, 0, 9, 20.0)}"]


@case("a change of speed is obeyed on the way")
def _(v: Pilot) -> Observed:
    v.hover()
    v.result(178, 1, 3, -1)
    v.send(position(50, 0, -8))
    v.run(7.0)
    return [f"3 m/s: {abs(v.speed - 3.0) < 0.4}"]

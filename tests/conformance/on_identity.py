"""Who the vehicle is, whom it obeys, and what time and state it tells."""

import re

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Pilot, long, told

area = Area("identity")
case = area.case


def heartbeat(v: Pilot) -> str:
    v.state  # noqa: B018  (waits for a fresh one)
    beat = v.last["HEARTBEAT"]
    return (
        f"type={beat.type} autopilot={beat.autopilot} base_mode={beat.base_mode} "
        f"custom_mode={beat.custom_mode} status={beat.system_status} "
        f"version={beat.mavlink_version} from={beat.get_srcSystem()}/{beat.get_srcComponent()}"
    )


@case("heartbeat on the ground")
def _(v: Pilot) -> Observed:
    v.ground()
    return [heartbeat(v)]


@case("heartbeat in STABILIZE")
def _(v: Pilot) -> Observed:
    v.ground()
    v.mode("STABILIZE")
    return [heartbeat(v)]


@case("heartbeat armed")
def _(v: Pilot) -> Observed:
    v.arm()
    return [heartbeat(v)]


@case("heartbeat in flight and after")
def _(v: Pilot) -> Observed:
    v.hover(4.0)
    flying = heartbeat(v)
    v.mode("LAND")
    v.until(lambda: not v.armed)
    return [flying, heartbeat(v)]


@case("landed state through a flight")
def _(v: Pilot) -> Observed:
    v.ground()
    states: list[int] = []

    def look() -> bool:
        message = v.last.get("EXTENDED_SYS_STATE")
        if message is not None and (not states or states[-1] != message.landed_state):
            states.append(message.landed_state)
        return False

    v.must(511, 245, 100_000)
    v.arm()
    v.must(d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 4)
    v.until(lambda: look() or v.height > 3.8, 30.0)
    v.until(look, 4.0)
    v.mode("LAND")
    v.until(lambda: look() or not v.armed, 60.0)
    v.until(look, 1.0)
    v.must(511, 245, -1)
    return [str(states)]


@case("version asked by REQUEST_MESSAGE")
def _(v: Pilot) -> Observed:
    version = v.peek("AUTOPILOT_VERSION")
    assert version is not None
    return [
        f"capabilities={version.capabilities} major={version.flight_sw_version >> 16} "
        f"vendor={version.vendor_id} product={version.product_id}"
    ]


@case("version asked by REQUEST_AUTOPILOT_CAPABILITIES")
def _(v: Pilot) -> Observed:
    v.last.pop("AUTOPILOT_VERSION", None)
    return [v.result(520, 1), str("AUTOPILOT_VERSION" in v.last)]


area.add("capabilities asked with 0", lambda v: v.command(520, 0))


@case("protocol version")
def _(v: Pilot) -> Observed:
    return v.command(512, 300)


@case("time is answered")
def _(v: Pilot) -> Observed:
    v.last.pop("TIMESYNC", None)
    v.ask(d.MAVLink_timesync_message(0, 4711))
    return [f"ts1 kept: {v.last['TIMESYNC'].ts1 > 0} tc1 set: {v.last['TIMESYNC'].tc1 > 0}"]


@case("an answer to a time question is not answered")
def _(v: Pilot) -> Observed:
    return v.ask(d.MAVLink_timesync_message(99, 4712))


@case("ping is answered")
def _(v: Pilot) -> Observed:
    return v.ask(d.MAVLink_ping_message(1, 77, 1, 1))


@case("ping to everybody")
def _(v: Pilot) -> Observed:
    return v.ask(d.MAVLink_ping_message(1, 78, 0, 0))


def prearm(v: Pilot, target: tuple[int, int], **sender: int) -> Observed:
    v.ground()
    return v.ask(long(d.MAV_CMD_RUN_PREARM_CHECKS, target=target), **sender)


area.add("a command for this vehicle and component", lambda v: prearm(v, (1, 1)))
area.add("a command for every system", lambda v: prearm(v, (0, 0)))
area.add("a command for every component", lambda v: prearm(v, (1, 0)))
area.add("a command for another system", lambda v: prearm(v, (2, 1)))
area.add("a command for a component that does not exist", lambda v: prearm(v, (1, 77)))
area.add("a command for every system, component 77", lambda v: prearm(v, (0, 77)))
area.add("a command from another ground station", lambda v: prearm(v, (1, 1), sysid=42))
area.add(
    "a command from the vehicle's own companion", lambda v: prearm(v, (1, 1), sysid=1, compid=191)
)
area.add("a command for the companion that was heard", lambda v: prearm(v, (1, 191)))


@case("only the own ground station is obeyed when MAV_OPTIONS says so")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("MAV_OPTIONS", 1)
    return [
        *prearm(v, (1, 1), sysid=42),
        *prearm(v, (1, 1), sysid=255),
        *prearm(v, (1, 1), sysid=1, compid=191),
    ]


@case("home is told")
def _(v: Pilot) -> Observed:
    home = v.peek("HOME_POSITION")
    assert home is not None
    return [f"{told(home)} q0={home.q[0]:g} approach={home.approach_z:g}"]


@case("home asked by GET_HOME_POSITION")
def _(v: Pilot) -> Observed:
    v.last.pop("HOME_POSITION", None)
    return [v.result(410), str("HOME_POSITION" in v.last), str("GPS_GLOBAL_ORIGIN" in v.last)]


@case("the origin is told")
def _(v: Pilot) -> Observed:
    origin = v.peek("GPS_GLOBAL_ORIGIN")
    assert origin is not None
    return [f"lat={origin.latitude} lon={origin.longitude} alt={origin.altitude / 1e3:.0f}"]


@case("the origin cannot be moved")
def _(v: Pilot) -> Observed:
    lines = v.ask(d.MAVLink_set_gps_global_origin_message(1, -353000000, 1491000000, 600_000))
    origin = v.peek("GPS_GLOBAL_ORIGIN")
    assert origin is not None
    return [*lines, f"lat={origin.latitude}"]


def set_home(v: Pilot, *params: float) -> Observed:
    v.ground()
    lines = v.command(d.MAV_CMD_DO_SET_HOME, *params)
    home = v.peek("HOME_POSITION")
    v.result(d.MAV_CMD_DO_SET_HOME, 1)
    assert home is not None
    kept = [line for line in lines if not line.startswith(("HOME", "GPS_GLOBAL"))]
    return [*kept, f"lat={home.latitude / 1e7:.3f} alt={home.altitude / 1e3:.0f}"]


area.add("home set here", lambda v: set_home(v, 1))
area.add("home set to a place", lambda v: set_home(v, 0, 0, 0, 0, -35.362, 149.165, 590))
area.add("home set to 0, 0", lambda v: set_home(v, 0, 0, 0, 0, 0, 0, 0))
area.add("home set off the Earth", lambda v: set_home(v, 0, 0, 0, 0, 95, 149, 590))
area.add("home set with a strange flag", lambda v: set_home(v, 3, 0, 0, 0, -35.362, 149.165, 590))


@case("home set by COMMAND_INT, relative")
def _(v: Pilot) -> Observed:
    v.ground()
    lines = v.ask(
        d.MAVLink_command_int_message(1, 1, 3, 179, 0, 0, 0, 0, 0, 0, -353620000, 1491650000, 5)
    )
    home = v.peek("HOME_POSITION")
    v.result(d.MAV_CMD_DO_SET_HOME, 1)
    assert home is not None
    return [lines[0], f"alt={home.altitude / 1e3:.0f}"]


@case("estimator report on the ground")
def _(v: Pilot) -> Observed:
    v.ground()
    report = v.peek("EKF_STATUS_REPORT")
    assert report is not None
    small = max(report.velocity_variance, report.pos_horiz_variance, report.pos_vert_variance)
    return [f"flags={report.flags} small={small < 0.3} terrain={report.terrain_alt_variance:g}"]


@case("receiver report")
def _(v: Pilot) -> Observed:
    gps = v.peek("GPS_RAW_INT")
    assert gps is not None
    return [
        f"fix={gps.fix_type} satellites={gps.satellites_visible} eph={gps.eph} epv={gps.epv} "
        f"h_acc={gps.h_acc} v_acc={gps.v_acc} yaw={gps.yaw}"
    ]


@case("system status ready to arm")
def _(v: Pilot) -> Observed:
    v.ground()
    status = v.peek("SYS_STATUS")
    assert status is not None
    return [
        f"present={status.onboard_control_sensors_present} "
        f"enabled={status.onboard_control_sensors_enabled & ~d.MAV_SYS_STATUS_LOGGING} "
        f"healthy={status.onboard_control_sensors_health}"
    ]


@case("battery report")
def _(v: Pilot) -> Observed:
    v.ground()
    status = v.peek("BATTERY_STATUS")
    assert status is not None
    return [
        f"id={status.id} function={status.battery_function} type={status.type} "
        f"temperature={status.temperature} cell2={status.voltages[1]} "
        f"charge_state={status.charge_state} faults={status.fault_bitmask}"
    ]


@case("the banner")
def _(v: Pilot) -> Observed:
    lines = v.command(42428)
    # Its serial number is its own.
    return [line.split(" (")[0] for line in lines if not re.search("[0-9a-f]{32}", line)]

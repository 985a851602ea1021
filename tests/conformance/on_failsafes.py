"""Failsafes: the ground station, the battery, the estimator."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import MODES, Pilot, item

area = Area("failsafes")
case = area.case
BEAT = d.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)


def texts(v: Pilot) -> list[str]:
    return [line for line in v.answers() if line.startswith("text")]


def switch_on(v: Pilot, action: float, sysid: int = 255) -> None:
    """Be heard for the last time with the failsafe on; from here on, everything said counts."""
    v.set("FS_GCS_ENABLE", 0)
    v.heard.clear()
    v.send(BEAT, sysid)
    v.send(d.MAVLink_param_set_message(1, 1, b"FS_GCS_ENABLE", action, d.MAV_PARAM_TYPE_INT8))
    v.sync()


def silent(
    v: Pilot, action: float, *settings: tuple[str, float], mode: str = "GUIDED", sysid: int = 255
) -> Observed:
    """Be heard once, then fall silent in a mode; return what is said and flown."""
    v.hover()
    v.set("FS_OPTIONS", 0)
    for name, value in settings:
        v.set(name, value)
    if mode != "GUIDED":
        v.send(d.MAVLink_rc_channels_override_message(1, 1, 1500, 1500, 1500, 1500, *[65535] * 4))
        v.mode(mode)
    switch_on(v, action, sysid)
    v.until(lambda: v.mode_name != mode, 10.0)
    v.run(0.5)
    lines = [*texts(v), v.state]
    v.send(BEAT)
    v.run(0.5)
    v.set("FS_GCS_ENABLE", 0)
    return lines


for _action, _name in {
    1: "RTL",
    2: "RTL but in AUTO",
    3: "SmartRTL or RTL",
    4: "SmartRTL or land",
    5: "land",
    6: "landing sequence or RTL",
    7: "brake or land",
    9: "a number without a meaning",
}.items():
    area.add(f"ground station silent: {_name}", lambda v, a=_action: silent(v, a))

area.add(
    "ground station silent: the option to go on landing",
    lambda v: silent(v, 1, ("FS_OPTIONS", 8), mode="LAND"),
)
area.add("ground station silent: landing without that option", lambda v: silent(v, 1, mode="LAND"))
area.add(
    "ground station silent: the option to leave the pilot alone",
    lambda v: silent(v, 1, ("FS_OPTIONS", 16), mode="LOITER"),
)
area.add("ground station silent: in LOITER", lambda v: silent(v, 1, mode="LOITER"))
area.add("ground station silent: in BRAKE", lambda v: silent(v, 1, mode="BRAKE"))
area.add("ground station silent: another one is heard", lambda v: silent(v, 1, sysid=42))


@case("ground station silent: on the ground, armed")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("DISARM_DELAY", 0)
    v.arm()
    switch_on(v, 1)
    v.until(lambda: not v.armed, 10.0)
    v.run(0.5)
    lines = [*texts(v), v.state]
    v.send(BEAT)
    v.run(0.5)
    v.set("FS_GCS_ENABLE", 0)
    return lines


@case("ground station silent: disarmed")
def _(v: Pilot) -> Observed:
    v.ground()
    switch_on(v, 1)
    v.run(7.0)
    v.run(0.5)
    lines = [*texts(v), v.state]
    v.send(BEAT)
    v.run(0.5)
    v.set("FS_GCS_ENABLE", 0)
    return lines


@case("ground station silent: in a mission, with the option to go on")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    v.upload([item(16, at=(0, 0, 584), frame=0), item(22, at=(0, 0, 6)), item(16, at=(90, 0, 6))])
    v.set("FS_OPTIONS", 2)
    v.mode("AUTO")
    switch_on(v, 1)
    v.run(8.0)
    lines = [*[t for t in texts(v) if "Mission" not in t], v.state]
    v.send(BEAT)
    v.run(0.5)
    v.set("FS_GCS_ENABLE", 0)
    return lines


@case("ground station heard again: it says so and stays in its mode")
def _(v: Pilot) -> Observed:
    v.hover()
    v.set("FS_OPTIONS", 0)
    switch_on(v, 5)
    v.until(lambda: v.mode_name == "LAND", 10.0)
    v.heard.clear()
    v.send(BEAT)
    v.run(1.0)
    v.run(0.5)
    lines = [*texts(v), v.state]
    v.send(BEAT)
    v.run(0.5)
    v.set("FS_GCS_ENABLE", 0)
    return lines


def battery(v: Pilot, *settings: tuple[str, float], wait_s: float = 14.0) -> Observed:
    v.hover()
    *first, (last, limit) = settings
    for name, value in first:
        v.set(name, value)
    v.set(last, 0)
    v.heard.clear()  # from here on, everything said counts
    v.send(d.MAVLink_param_set_message(1, 1, last.encode(), limit, d.MAV_PARAM_TYPE_REAL32))
    v.sync()
    v.until(lambda: v.mode_name != "GUIDED", wait_s)
    v.run(0.5)
    said = [t.split("low ")[0].split("critical ")[0] for t in texts(v)]
    return [*said, v.state]


LOW = (("BATT_LOW_TIMER", 2), ("BATT_LOW_VOLT", 13.0))
area.add("battery low: land", lambda v: battery(v, ("BATT_FS_LOW_ACT", 1), *LOW), spoils=True)
area.add("battery low: RTL", lambda v: battery(v, ("BATT_FS_LOW_ACT", 2), *LOW), spoils=True)
area.add("battery low: SmartRTL", lambda v: battery(v, ("BATT_FS_LOW_ACT", 3), *LOW), spoils=True)
area.add(
    "battery low: told only",
    lambda v: battery(v, ("BATT_FS_LOW_ACT", 0), *LOW, wait_s=8.0),
    spoils=True,
)
area.add(
    "battery critical: land",
    lambda v: battery(
        v,
        ("BATT_FS_CRT_ACT", 1),
        ("BATT_LOW_TIMER", 2),
        ("BATT_LOW_VOLT", 13.5),
        ("BATT_CRT_VOLT", 13.0),
    ),
    spoils=True,
)
area.add(
    "charge low: RTL",
    lambda v: battery(v, ("BATT_FS_LOW_ACT", 2), ("BATT_CAPACITY", 100), ("BATT_LOW_MAH", 99)),
    spoils=True,
)


def blind(v: Pilot, action: float) -> Observed:
    """Take GNSS away; return what is said until the mode changes."""
    v.hover()
    v.set("FS_EKF_ACTION", action)
    v.heard.clear()
    v.set("SIM_GPS1_ENABLE", 0)
    v.until(lambda: v.mode_name != "GUIDED", 40.0)
    said = sorted({t for t in texts(v) if "EKF" in t or "ailsafe" in t})
    state = v.state
    v.set("SIM_GPS1_ENABLE", 1)
    return [*said, state]


area.add("no GNSS: land", lambda v: blind(v, 1), spoils=True)
area.add("no GNSS: ALT_HOLD", lambda v: blind(v, 2), spoils=True)
area.add("no GNSS: told only", lambda v: blind(v, 0), spoils=True)


@case("a jump of the receiver is told as a glitch", spoils=True)
def _(v: Pilot) -> Observed:
    v.hover()
    v.heard.clear()
    v.set("SIM_GPS1_GLTCH_X", 0.001)
    v.run(4.0)
    report = v.peek("EKF_STATUS_REPORT")
    assert report is not None
    said = [t for t in texts(v) if "litch" in t]
    v.set("SIM_GPS1_GLTCH_X", 0)
    return [*said, f"flag: {bool(report.flags & 0x8000)}", v.state]


@case("no GNSS: modes that need a position are refused", spoils=True)
def _(v: Pilot) -> Observed:
    v.hover()
    v.send(d.MAVLink_rc_channels_override_message(1, 1, 1500, 1500, 1500, 1500, *[65535] * 4))
    v.set("FS_EKF_ACTION", 0)
    v.set("SIM_GPS1_ENABLE", 0)
    v.mode("ALT_HOLD")
    end_s = v.now_s + 25.0
    v.until(
        lambda: (
            v.send(
                d.MAVLink_rc_channels_override_message(1, 1, 1500, 1500, 1500, 1500, *[65535] * 4)
            ),
            v.now_s > end_s,
        )[1]
    )  # type: ignore
    lines = []
    for name in ("GUIDED", "LOITER", "RTL", "AUTO", "LAND"):
        v.heard.clear()
        v.send(d.MAVLink_command_long_message(1, 1, 176, 0, 1, MODES[name], *[0.0] * 5))
        v.sync()
        v.run(0.2)
        lines += [line for line in v.answers() if "ACK" in line or "Mode" in line]
    return lines

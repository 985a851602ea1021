"""Parameters: read, set, list, and what is refused."""

import math

from pymavlink.dialects.v20 import ardupilotmega as d

from sim.autopilot.parameters import Parameters
from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Pilot

area = Area("parameters")
case = area.case
FLOAT = d.MAV_PARAM_TYPE_REAL32


def read(name: str, index: int = -1) -> d.MAVLink_message:
    return d.MAVLink_param_request_read_message(1, 1, name.encode(), index)


def write(name: str, value: float, kind: int = FLOAT) -> d.MAVLink_message:
    return d.MAVLink_param_set_message(1, 1, name.encode(), value, kind)


def written(v: Pilot, name: str, value: float, kind: int = FLOAT) -> Observed:
    """Set a parameter; return the answers and what it then is. It is put back."""
    v.set(name, v.get(name))
    return [*v.ask(write(name, value, kind)), f"then {v.get(name):g}"]


area.add("read by name, float", lambda v: v.ask(read("WPNAV_SPEED")))
area.add("read by name, 8 bit", lambda v: v.ask(read("FENCE_ENABLE")))
area.add("read by name, 16 bit", lambda v: v.ask(read("PILOT_SPEED_UP")))
area.add("read by name, 32 bit", lambda v: v.ask(read("RTL_ALT")))
area.add("read by name of 16 letters", lambda v: v.ask(read("INS_HNTCH_FM_RAT")))
area.add("read an unknown name", lambda v: v.ask(read("NO_SUCH_PARAM")))
area.add("read by index 0", lambda v: v.ask(read("", 0)))
area.add("read by index 100", lambda v: v.ask(read("", 100)))
area.add("read beyond the last index", lambda v: v.ask(read("", 9999)))
area.add("read by index wins over the name", lambda v: v.ask(read("RTL_ALT", 0)))
area.add(
    "five reads at once",
    lambda v: v.ask(
        *[read(n) for n in ("RTL_ALT", "LAND_SPEED", "ANGLE_MAX", "FENCE_RADIUS", "X")]
    ),
)
area.add(
    "read in lower case",
    lambda v: v.ask(read("rtl_alt")),
    "names are compared letter by letter",
)
area.add("set a float", lambda v: written(v, "WPNAV_SPEED", 750.5))
area.add("set an integer to a fraction", lambda v: written(v, "RTL_ALT", 1600.6, 6))
area.add("set an integer to a negative fraction", lambda v: written(v, "RTL_CLIMB_MIN", -3.5, 4))
area.add("set with the wrong type", lambda v: written(v, "RTL_ALT", 1700, 9))
area.add("set 8 bit beyond its range", lambda v: written(v, "RTL_ALT_TYPE", 300, 2))
area.add("set 16 bit beyond its range", lambda v: written(v, "PILOT_SPEED_UP", 1e6, 4))
area.add("set 16 bit below its range", lambda v: written(v, "RTL_CLIMB_MIN", -1e6, 4))
area.add("set beyond the documented range", lambda v: written(v, "FENCE_RADIUS", 123456))
area.add("set to NaN", lambda v: written(v, "WPNAV_SPEED", math.nan))
area.add("set to infinity", lambda v: written(v, "WPNAV_SPEED", math.inf))
area.add("set to what it is", lambda v: written(v, "WPNAV_SPEED", 1000.0))
area.add("set an unknown name", lambda v: v.ask(write("NO_SUCH_PARAM", 1)))
area.add("set the vehicle's own count of items", lambda v: v.ask(write("MIS_TOTAL", 7)))
area.add("set the vehicle's own pressure", lambda v: v.ask(write("BARO2_GND_PRESS", 7)))
area.add("set a boot count", lambda v: written(v, "STAT_BOOTCNT", 0, 4))
area.add("set a bit mask", lambda v: written(v, "FS_OPTIONS", 10, 6))


@case("set for another system")
def _(v: Pilot) -> Observed:
    lines = v.ask(d.MAVLink_param_set_message(2, 1, b"WPNAV_SPEED", 600, FLOAT))
    return [*lines, f"then {v.get('WPNAV_SPEED'):g}"]


@case("set from another ground station")
def _(v: Pilot) -> Observed:
    v.set("WPNAV_SPEED", 1000)
    lines = v.ask(write("WPNAV_SPEED", 600), sysid=42)
    return [*lines, f"then {v.get('WPNAV_SPEED'):g}"]


@case("extended parameters are not spoken")
def _(v: Pilot) -> Observed:
    return v.ask(d.MAVLink_param_ext_request_read_message(1, 1, b"RTL_ALT", -1))


def listed(v: Pilot) -> dict[str, d.MAVLink_message]:
    """Ask for the list until every parameter was heard."""
    found: dict[str, d.MAVLink_message] = {}
    v.heard.clear()
    v.send(d.MAVLink_param_request_list_message(1, 1))
    complete = lambda: bool(found) and len(found) >= next(iter(found.values())).param_count  # noqa: E731

    def take() -> bool:
        for m in v.heard:
            if m.get_type() == "PARAM_VALUE" and m.param_index != 0xFFFF:
                found[m.param_id] = m
        v.heard.clear()
        return complete()

    v.until(take, 30.0)
    return found


@case("the list: every index once, every type one of four")
def _(v: Pilot) -> Observed:
    found = listed(v)
    count = next(iter(found.values())).param_count
    indices = sorted(m.param_index for m in found.values())
    kinds = sorted({m.param_type for m in found.values()})
    return [f"complete={indices == list(range(count))} kinds={kinds} over1000={count > 1000}"]


@case("the list: names, types and values are those of the embedded table")
def _(v: Pilot) -> Observed:
    own = {name: (value, kind) for name, value, kind in Parameters()}
    apart = []
    for name, m in listed(v).items():
        if name.startswith(("STAT_", "SIM_", "COMPASS_", "INS_", "BARO", "MIS_", "MOT_THST_H")):
            continue  # measured, or of the simulation
        if name not in own:
            apart.append(f"{name} unknown")
        elif own[name][1] != m.param_type or not math.isclose(
            own[name][0], m.param_value, rel_tol=1e-6, abs_tol=1e-6
        ):
            apart.append(f"{name} is {m.param_value:g}, table {own[name][0]:g}")
    return sorted(apart)

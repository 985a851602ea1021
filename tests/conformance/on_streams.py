"""Streams: intervals, stream groups, and single messages."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Pilot

area = Area("streams")
case = area.case


def rate(v: Pilot, kind: str, seconds: float = 4.0) -> int:
    """Return how often a message comes, to the nearest whole number a second."""
    v.heard.clear()
    began = v.now_s
    v.run(seconds)
    return round(sum(m.get_type() == kind for m in v.heard) / (v.now_s - began))


def interval(v: Pilot, number: int, us: float, *more: float) -> Observed:
    lines = v.command(511, number, us, *more, within=0.0)
    lines = [line for line in lines if line.startswith(("ACK", "text"))]
    told = [line for line in v.command(510, number) if "INTERVAL" in line]
    v.command(511, number, -1)
    return [*lines, *told]


area.add("interval of VFR_HUD 10 Hz", lambda v: interval(v, 74, 100_000))
area.add("interval of half a millisecond too much", lambda v: interval(v, 74, 100_500))
area.add("interval 0: the default", lambda v: interval(v, 74, 0))
area.add("interval -1: off", lambda v: interval(v, 74, -1))
area.add("interval -2", lambda v: interval(v, 74, -2))
area.add("interval of an unknown message", lambda v: interval(v, 60000, 100_000))
area.add("interval of a message of another dialect", lambda v: interval(v, 9000, 100_000))
area.add("interval too short", lambda v: interval(v, 74, 2_000))
area.add("interval of 4 ms", lambda v: interval(v, 74, 4_000))
area.add("interval of 100 s", lambda v: interval(v, 74, 100e6))
area.add("interval for a third link", lambda v: interval(v, 74, 100_000, 1))
area.add("interval of COMMAND_ACK", lambda v: interval(v, 77, 100_000))
area.add("interval told: HEARTBEAT", lambda v: v.command(510, 0))
area.add("interval told: unknown message", lambda v: v.command(510, 60000))
area.add("interval told: -1", lambda v: v.command(510, -1))
area.add("interval asked by REQUEST_MESSAGE", lambda v: v.command(512, 244, 74))


@case("a message comes as often as asked")
def _(v: Pilot) -> Observed:
    v.must(511, 74, 100_000)
    ten = rate(v, "VFR_HUD")
    v.must(511, 74, 500_000)
    two = rate(v, "VFR_HUD")
    v.must(511, 74, -1)
    return [f"{ten} {two} {rate(v, 'VFR_HUD')}"]


def group(v: Pilot, number: int) -> Observed:
    """Switch a stream group on; return the messages that come, with their rate."""
    v.send(d.MAVLink_request_data_stream_message(1, 1, number, 4, 1))
    v.sync()
    v.heard.clear()
    began = v.now_s
    v.run(4.0)
    counts: dict[str, int] = {}
    for m in v.heard:
        counts[m.get_type()] = counts.get(m.get_type(), 0) + 1
    took = v.now_s - began
    often = sorted(kind for kind, n in counts.items() if n / took > 2.0)
    v.send(d.MAVLink_request_data_stream_message(1, 1, number, 0, 0))
    v.sync()
    v.tune_in()
    return often


_LACKING = "it has no telemetry of motor controllers and no terrain database"
_GROUPS = {
    d.MAV_DATA_STREAM_RAW_SENSORS: "raw sensors",
    d.MAV_DATA_STREAM_EXTENDED_STATUS: "extended status",
    d.MAV_DATA_STREAM_RC_CHANNELS: "channels",
    d.MAV_DATA_STREAM_RAW_CONTROLLER: "raw controller",
    d.MAV_DATA_STREAM_POSITION: "position",
    d.MAV_DATA_STREAM_EXTRA1: "extra 1",
    d.MAV_DATA_STREAM_EXTRA2: "extra 2",
    d.MAV_DATA_STREAM_EXTRA3: "extra 3",
    d.MAV_DATA_STREAM_ALL: "all",
    42: "without a meaning",
}
for _number, _name in _GROUPS.items():
    area.add(
        f"group {_name}",
        lambda v, n=_number: group(v, n),
        _LACKING if _name in ("extra 1", "extra 3", "all") else None,
    )


@case("a stream group is a parameter")
def _(v: Pilot) -> Observed:
    v.send(d.MAVLink_request_data_stream_message(1, 1, d.MAV_DATA_STREAM_EXTRA2, 7, 1))
    v.sync()
    value = v.get("MAV1_EXTRA2")
    v.send(d.MAVLink_request_data_stream_message(1, 1, d.MAV_DATA_STREAM_EXTRA2, 0, 1))
    return [f"{value:g}"]


@case(
    "a stream parameter starts a stream",
    "after a REQUEST_DATA_STREAM the rate of the real one does not follow the parameter",
)
def _(v: Pilot) -> Observed:
    v.set("MAV1_EXTRA2", 5)
    return [str(rate(v, "VFR_HUD"))]


def request(v: Pilot, number: int) -> Observed:
    """Ask for one message; return the result and which kinds came."""
    v.ground()
    v.last.clear()
    v.heard.clear()
    v.send(d.MAVLink_command_long_message(1, 1, 512, 0, number, *[0.0] * 6))
    v.sync()
    v.run(0.3)
    kind = d.mavlink_map[number].msgname if number in d.mavlink_map else "-"
    ack = [line for line in v.answers() if line.startswith("ACK")]
    return [*ack, f"{kind} {'came' if kind in v.last else 'did not come'}"]


_NOT_SENT = {22, 26, 46, 83, 85, 105, 136, 165, 376, 435, 11030}
_ASKED = (
    *(1, 2, 22, 24, 26, 27, 29, 31, 33, 36, 42, 46, 49, 62, 65, 73, 74, 77, 83, 84, 85, 87),
    *(105, 109, 111, 116, 124, 125, 129, 132, 136, 137, 141, 147, 148, 150, 152, 162, 163, 164),
    *(165, 168, 173, 178, 193, 203, 226, 230, 234, 241, 242, 245, 253, 259, 280, 284, 300, 331),
    *(335, 376, 380, 397, 410, 435, 11030, 11039, 12900, 60000),
)
for _number in _ASKED:
    _kind = d.mavlink_map[_number].msgname if _number in d.mavlink_map else "unknown"
    area.add(
        f"one {_kind} ({_number})",
        lambda v, n=_number: request(v, n),
        "it does not send this message" if _number in _NOT_SENT else None,
    )

"""The pilot's sticks, sent from the ground."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Message, Pilot

area = Area("sticks")
case = area.case


def sticks(roll: int = 1500, pitch: int = 1500, throttle: int = 1500, yaw: int = 1500) -> Message:
    return d.MAVLink_rc_channels_override_message(1, 1, roll, pitch, throttle, yaw, *[65535] * 4)


def channels(v: Pilot, message: Message, sysid: int = 255) -> Observed:
    v.ground()
    v.ask(message, within=0.2, sysid=sysid)
    told = v.peek("RC_CHANNELS")
    assert told is not None
    return [f"{told.chancount} {[getattr(told, f'chan{i}_raw') for i in range(1, 9)]} {told.rssi}"]


area.add(
    "channels without a pilot",
    lambda v: channels(v, d.MAVLink_rc_channels_override_message(1, 1, *[0] * 8)),
)
area.add("override of four channels", lambda v: channels(v, sticks(1600, 1400, 1300, 1550)))
area.add("override that leaves a channel as it is", lambda v: channels(v, sticks(65535, 1400)))
area.add("override from another ground station", lambda v: channels(v, sticks(1700), sysid=42))
area.add(
    "override for another system",
    lambda v: channels(v, d.MAVLink_rc_channels_override_message(2, 1, *[1700] * 8)),
)
area.add(
    "manual control",
    lambda v: channels(v, d.MAVLink_manual_control_message(1, 500, -500, 250, 100, 0)),
)
area.add(
    "manual control with an axis left out",
    lambda v: channels(v, d.MAVLink_manual_control_message(1, 0, 32767, 500, 0, 0)),
)
area.add(
    "manual control for another system",
    lambda v: channels(v, d.MAVLink_manual_control_message(2, 500, -500, 250, 100, 0)),
)


@case("an override that is released")
def _(v: Pilot) -> Observed:
    channels(v, sticks(1700))
    return channels(v, d.MAVLink_rc_channels_override_message(1, 1, *[0] * 8))


@case("an override that is not renewed lapses")
def _(v: Pilot) -> Observed:
    channels(v, sticks(1700))
    v.run(4.0)
    told = v.peek("RC_CHANNELS")
    assert told is not None
    return [str(told.chan1_raw)]


def held(v: Pilot, mode: str, message: Message, seconds: float = 4.0) -> tuple[float, float, float]:
    """Fly a mode with the sticks in one position; return the velocity then."""
    v.hover()
    v.must(d.MAV_CMD_CONDITION_YAW, 0, 60, 0, 0)
    v.until(lambda: abs((v.heading_deg + 180.0) % 360.0 - 180.0) < 2.0, 15.0)
    v.send(sticks())
    v.mode(mode)
    end_s = v.now_s + seconds
    v.until(lambda: (v.send(message), v.now_s > end_s)[1])  # type: ignore[func-returns-value]
    return v.velocity


def flies(name: str, mode: str, message: Message, what: str) -> None:
    def script(v: Pilot) -> Observed:
        vx, vy, vz = held(v, mode, message)
        shown = {"north": vx, "east": vy, "up": -vz}[what]
        others = {"north": vy, "east": vx, "up": vx}[what]
        v.mode("GUIDED")
        return [
            f"{what} over 1: {shown > 1.0} under -1: {shown < -1.0}",
            f"not sideways: {abs(others) < 0.7}",
        ]

    area.add(f"{mode}: {name}", script)


flies("sticks in the middle stay", "LOITER", sticks(), "north")
flies("stick forward", "LOITER", sticks(pitch=1200), "north")
flies("stick to the right", "LOITER", sticks(roll=1800), "east")
flies("throttle up", "LOITER", sticks(throttle=1900), "up")
flies("throttle down", "LOITER", sticks(throttle=1250), "up")
flies("sticks in the middle stay", "ALT_HOLD", sticks(), "up")
flies("stick forward", "ALT_HOLD", sticks(pitch=1300), "north")
flies("throttle up", "ALT_HOLD", sticks(throttle=1900), "up")
flies("stick forward", "POSHOLD", sticks(pitch=1200), "north")
flies("stick to the right", "STABILIZE", sticks(roll=1600), "east")


@case("LOITER: yaw stick turns")
def _(v: Pilot) -> Observed:
    held(v, "LOITER", sticks(yaw=1700), 3.0)
    rate = v.last["ATTITUDE"].yawspeed
    v.mode("GUIDED")
    return [f"over 0.3 rad/s: {rate > 0.3}"]


@case("LOITER: take-off by the throttle")
def _(v: Pilot) -> Observed:
    v.ground()
    v.send(sticks(throttle=1000))
    v.mode("LOITER")
    v.result(400, 1)
    end_s = v.now_s + 8.0
    v.until(lambda: (v.send(sticks(throttle=1800)), v.height > 2.0 or v.now_s > end_s)[1])  # type: ignore
    lines = [f"flies: {v.height > 1.9}", v.state]
    v.send(sticks())
    return lines


@case("arming is refused with the throttle up")
def _(v: Pilot) -> Observed:
    v.ground()
    v.mode("STABILIZE")
    v.ask(sticks(throttle=1600), within=0.3)
    return [*v.command(400, 1, within=1.0), v.state]

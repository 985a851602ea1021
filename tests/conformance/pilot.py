"""The client that scripts talk through: it flies a vehicle and says what it answers, as text.

It knows no time but the vehicle's: a script is the same however fast the vehicle runs. What a
vehicle sends by its own clock (streams, start-up texts, statistics) is left out of the answers.
"""

import math
import re
import time
from collections.abc import Callable
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.conformance.vehicles import START, Connection

Message = dialect.MAVLink_message

MODES: Final = {
    "STABILIZE": 0, "ACRO": 1, "ALT_HOLD": 2, "AUTO": 3, "GUIDED": 4, "LOITER": 5, "RTL": 6,
    "CIRCLE": 7, "LAND": 9, "DRIFT": 11, "SPORT": 13, "FLIP": 14, "AUTOTUNE": 15, "POSHOLD": 16,
    "BRAKE": 17, "THROW": 18, "AVOID_ADSB": 19, "GUIDED_NOGPS": 20, "SMART_RTL": 21,
    "FLOWHOLD": 22, "FOLLOW": 23, "ZIGZAG": 24, "SYSTEMID": 25, "AUTOROTATE": 26, "AUTO_RTL": 27,
    "TURTLE": 28,
}  # fmt: skip
# Modes that ArduCopter takes and the embedded vehicle does not have.
NOT_FLOWN: Final = frozenset(
    {"ACRO", "CIRCLE", "DRIFT", "THROW", "AVOID_ADSB", "GUIDED_NOGPS", "ZIGZAG"}
)
_MODE_NAMES: Final = {number: name for name, number in MODES.items()}
_STREAMED: Final = frozenset(
    {
        *("HEARTBEAT", "LOCAL_POSITION_NED", "ATTITUDE", "TIMESYNC", "TERRAIN_REQUEST"),
        # Told whenever home moves, which depends on where the case before ended.
        *("HOME_POSITION", "GPS_GLOBAL_ORIGIN"),
        *("UNKNOWN_437", "BAD_DATA"),
    }
)
_BY_CLOCK: Final = re.compile(
    r"EKF3 IMU\d |GPS 1: |Field Elevation|PreArm: |STAT_|BARO\d_GND|MOT_THST_HOVER|SIM Hit ground"
    r"|INS_|COMPASS_|MIS_TOTAL|AHRS: |GPS\d_|SIM_|Terrain|STAT"
)
_TIMES: Final = re.compile(r"time_|.*stamp|.*_ms$|mavpackettype|tc1|ts1")
_COMPONENT: Final = 190
_LIMIT_S: Final = 120.0
_STUCK_S: Final = 30.0


class Pilot:
    """A ground station, system 255, component 190, on one vehicle.

    Attributes:
        last: The newest message of each kind.
        now_s: Vehicle time. [s]
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._decoder = dialect.MAVLink(None)
        self._decoder.robust_parsing = True
        self._encoders: dict[tuple[int, int], dialect.MAVLink] = {}
        self.last: dict[str, Message] = {}
        self.heard: list[Message] = []
        self.now_s = 0.0
        self._moved = time.monotonic()
        self._syncs = 0
        self._changed: dict[str, tuple[float, int]] = {}
        self._stored: set[int] = set()
        self.is_embedded = connection.name == "embedded"

    # Talking.

    def send(self, message: Message, sysid: int = 255, compid: int = _COMPONENT) -> None:
        encoder = self._encoders.setdefault(
            (sysid, compid), dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)
        )
        self._connection.write(bytes(message.pack(encoder)))
        encoder.seq = (encoder.seq + 1) & 0xFF

    def listen(self) -> list[Message]:
        """Let a moment pass; return what came meanwhile."""
        assert time.monotonic() - self._moved < _STUCK_S, "vehicle time stands still"
        new = self._decoder.parse_buffer(bytearray(self._connection.hear())) or []
        for message in new:
            kind = message.get_type()
            self.last[kind] = message
            if kind in ("LOCAL_POSITION_NED", "ATTITUDE"):
                self.now_s = message.time_boot_ms * 1e-3
                self._moved = time.monotonic()
            if kind not in _STREAMED:
                self.heard.append(message)
        return new

    def until(self, condition: Callable[[], bool], limit_s: float = _LIMIT_S) -> bool:
        """Wait for a condition; return whether it came within vehicle time."""
        end_s = self.now_s + limit_s
        while not condition():
            if self.now_s > end_s:
                return False
            self.listen()
        return True

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        self.until(lambda: self.now_s >= end_s)

    def sync(self) -> None:
        """Wait until the vehicle has read all that was sent."""
        self._syncs += 1
        mark = 1_000_000_000 + self._syncs
        answered = lambda: (  # noqa: E731
            "TIMESYNC" in self.last and self.last["TIMESYNC"].ts1 == mark
        )
        for _ in range(20):
            self.send(dialect.MAVLink_timesync_message(0, mark))
            asked = self.now_s
            while not answered() and self.now_s - asked < 3.0:
                self.listen()
            if answered():
                return
        raise AssertionError("the vehicle does not answer")

    def ask(self, *messages: Message, within: float = 0.4, sysid: int = 255,
            compid: int = _COMPONENT) -> list[str]:  # fmt: skip
        """Send messages; return all answers, as text, in order."""
        self.heard.clear()
        for message in messages:
            self.send(message, sysid, compid)
        self.sync()
        self.run(within)
        return self.answers()

    def answers(self) -> list[str]:
        """Return what was heard and not yet returned, as text."""
        lines, pieces = [], []
        for message in self.heard:
            if message.get_type() == "STATUSTEXT" and message.id:
                pieces.append(message.text)
                if len(message.text) == 50:
                    continue
                message.text, pieces = "".join(pieces), []
            line = told(message)
            if line is not None:
                lines.append(line)
        self.heard.clear()
        return lines

    # Commands.

    def command(self, command: int, *params: float, within: float = 0.4) -> list[str]:
        """Send a COMMAND_LONG; return all answers."""
        return self.ask(long(command, *params), within=within)

    def result(self, command: int, *params: float) -> str:
        """Send a COMMAND_LONG; return its result alone."""
        for line in self.command(command, *params, within=0.2):
            if line.startswith("ACK "):
                return line.split()[-1]
        return "none"

    def must(self, command: int, *params: float) -> None:
        assert self.result(command, *params) == "ACCEPTED", (command, params, self.texts())

    def texts(self) -> list[str]:
        return [m.text for m in self.heard if m.get_type() == "STATUSTEXT"]

    def mode(self, name: str) -> str:
        """Ask for a mode; return the result of DO_SET_MODE."""
        return self.result(dialect.MAV_CMD_DO_SET_MODE, 1, MODES[name])

    def peek(self, kind: str) -> Message | None:
        """Ask for one message now."""
        self.last.pop(kind, None)
        number = getattr(dialect, f"MAVLINK_MSG_ID_{kind}")
        self.command(dialect.MAV_CMD_REQUEST_MESSAGE, number, within=0.3)
        return self.last.get(kind)

    def get(self, name: str) -> float:
        for _ in range(5):
            self.ask(dialect.MAVLink_param_request_read_message(1, 1, name.encode(), -1))
            found = self.last.get("PARAM_VALUE")
            if found is not None and found.param_id == name:
                return float(found.param_value)
        raise AssertionError(f"{name} is not told")

    def set(self, name: str, value: float) -> None:
        """Set a parameter; `reset` puts it back."""
        before = self.get(name)
        kind = self.last["PARAM_VALUE"].param_type
        self._changed.setdefault(name, (before, kind))
        self._write(name, value, kind)

    def _write(self, name: str, value: float, kind: int) -> None:
        for _ in range(5):
            self.ask(dialect.MAVLink_param_set_message(1, 1, name.encode(), value, kind))
            if math.isclose(self.get(name), value, rel_tol=1e-5, abs_tol=1e-6):
                return
        raise AssertionError(f"{name} does not become {value}")

    # State.

    @property
    def armed(self) -> bool:
        return bool(self.last["HEARTBEAT"].base_mode & dialect.MAV_MODE_FLAG_SAFETY_ARMED)

    @property
    def mode_name(self) -> str:
        number = self.last["HEARTBEAT"].custom_mode
        return _MODE_NAMES.get(number, str(number))

    @property
    def state(self) -> str:
        """Return mode and arming as text, of a heartbeat from now."""
        self.last.pop("HEARTBEAT", None)
        self.until(lambda: "HEARTBEAT" in self.last)
        return f"{self.mode_name} {'armed' if self.armed else 'disarmed'}"

    @property
    def place(self) -> tuple[float, float, float]:
        at = self.last["LOCAL_POSITION_NED"]
        return at.x, at.y, at.z

    @property
    def height(self) -> float:
        return -self.place[2]

    @property
    def velocity(self) -> tuple[float, float, float]:
        at = self.last["LOCAL_POSITION_NED"]
        return at.vx, at.vy, at.vz

    @property
    def speed(self) -> float:
        return math.hypot(*self.velocity[:2])

    @property
    def heading_deg(self) -> float:
        return math.degrees(self.last["ATTITUDE"].yaw) % 360.0

    def away(self, north: float, east: float, height: float | None = None) -> float:
        x, y, z = self.place
        return math.dist((x, y, -z if height is not None else 0.0), (north, east, height or 0.0))

    def came(self, north: float, east: float, height: float, limit_s: float = 40.0) -> bool:
        """Wait to be within a metre of a place; return whether it happened."""
        return self.until(lambda: self.away(north, east, height) < 1.0, limit_s)

    # Where scripts begin.

    def connect(self) -> None:
        """Wait for the vehicle to be heard and to have a position; ask for what is needed."""
        while "HEARTBEAT" not in self.last:
            self.listen()
        self.tune_in()
        ready = lambda: self.result(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == "ACCEPTED"  # noqa: E731
        assert ready()
        end_s = self.now_s + 120.0
        while self.result(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) != "ACCEPTED":
            assert self.now_s < end_s, "it does not arm"
            self.run(2.0)
        self.must(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 0)

    def tune_in(self) -> None:
        """Ask for the messages that time and state are taken from, until they come."""
        wanted = {0: 100_000, 32: 50_000, 30: 100_000}
        for kind in ("LOCAL_POSITION_NED", "ATTITUDE"):
            self.last.pop(kind, None)
        while not {"LOCAL_POSITION_NED", "ATTITUDE"} <= self.last.keys():
            for number, interval_us in wanted.items():
                self.send(long(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, number, interval_us))
            for _ in range(100):
                self.listen()
        self.sync()

    def reboot(self) -> None:
        """Reboot the vehicle, and hear it again."""
        self.last.pop("COMMAND_ACK", None)
        self.send(long(dialect.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1))
        while "COMMAND_ACK" not in self.last:
            self.listen()
        self.last.clear()
        self._syncs += 1000
        self.now_s = 0.0
        while "HEARTBEAT" not in self.last:
            self.listen()
        self.tune_in()

    def ground(self) -> None:
        """Be on the ground, disarmed, in GUIDED."""
        if self.state.endswith(" armed"):
            extended = self.peek("EXTENDED_SYS_STATE")
            if extended is None or extended.landed_state != dialect.MAV_LANDED_STATE_ON_GROUND:
                self.mode("LAND")
                self.until(lambda: not self.armed, 240.0)
            self.result(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 0, 21196)
            self.until(lambda: not self.armed)
        if self.mode_name != "GUIDED":
            assert self.mode("GUIDED") == "ACCEPTED"
        self.heard.clear()

    def arm(self) -> None:
        """Be armed on the ground in GUIDED."""
        self.ground()
        for _ in range(12):
            if self.result(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == "ACCEPTED":
                break
            self.run(2.0)
        assert self.until(lambda: self.armed, 5.0), self.answers()
        self.heard.clear()

    def hover(self, height: float = 8.0) -> None:
        """Be in the air over home in GUIDED, still."""
        flying = self.state == "GUIDED armed" and self.height > 3.0
        if not flying:
            self.arm()
            self.must(dialect.MAV_CMD_NAV_TAKEOFF, *[0] * 6, height)
            assert self.until(lambda: self.height > height - 0.6, 60.0), "no take-off"
            self.ask(home_at_start())
        if self.away(0, 0, height) > 1.0:
            self.send(position(0, 0, -height))
            self.send(position(0, 0, -height))
            assert self.came(0, 0, height, 120.0), self.place
        self.until(lambda: self.speed < 0.3, 20.0)
        self.heard.clear()

    def reset(self) -> None:
        """Put back what a script changed, and be on the ground."""
        channels = [0] * 8
        self.send(dialect.MAVLink_rc_channels_override_message(1, 1, *channels))
        for name, (value, kind) in self._changed.items():
            self._write(name, value, kind)
        self._changed.clear()
        for kind in self._stored:
            self.ask(dialect.MAVLink_mission_clear_all_message(1, 1, kind))
        self._stored.clear()
        self.heard.clear()

    # Missions.

    def upload(self, items: list[Message], kind: int = 0) -> list[str]:
        """Upload items; return what was answered, without the requests."""
        self._stored.add(kind)
        self.heard.clear()
        self.send(dialect.MAVLink_mission_count_message(1, 1, len(items), kind))
        done: list[Message] = []
        end_s = self.now_s + 20.0
        seen = 0
        while not done and self.now_s < end_s:
            self.listen()
            for message in self.heard[seen:]:
                if message.get_type() == "MISSION_REQUEST":
                    if message.seq < len(items):
                        items[message.seq].seq = message.seq
                        self.send(items[message.seq])
                elif message.get_type() == "MISSION_ACK":
                    done.append(message)
            seen = len(self.heard)
        self.run(0.3)
        return [line for line in self.answers() if not line.startswith("MISSION_REQUEST")]

    def download(self, kind: int = 0) -> list[str]:
        """Download items; return them as text."""
        self.ask(dialect.MAVLink_mission_request_list_message(1, 1, kind))
        count = self.last["MISSION_COUNT"].count
        lines = []
        for seq in range(count):
            self.ask(dialect.MAVLink_mission_request_int_message(1, 1, seq, kind), within=0.1)
            lines.append(item_text(self.last["MISSION_ITEM_INT"]))
        return lines


def long(command: int, *params: float, target: tuple[int, int] = (1, 1)) -> Message:
    """Return a COMMAND_LONG."""
    padded = [*map(float, params), *[0.0] * (7 - len(params))]
    return dialect.MAVLink_command_long_message(*target, command, 0, *padded)


def home_at_start() -> Message:
    """Return the command that sets home where everything is counted from."""
    place = (START.lat_deg_e7, START.lon_deg_e7, START.alt)
    return dialect.MAVLink_command_int_message(
        1, 1, 0, dialect.MAV_CMD_DO_SET_HOME, 0, 0, 0, 0, 0, 0, *place
    )


def position(north: float, east: float, down: float, mask: int = 0xDF8, frame: int = 1) -> Message:
    """Return a SET_POSITION_TARGET_LOCAL_NED with a place."""
    return dialect.MAVLink_set_position_target_local_ned_message(
        0, 1, 1, frame, mask, north, east, down, *[0.0] * 8
    )


def item(command: int, *params: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0),
         frame: int = 3, kind: int = 0) -> Message:  # fmt: skip
    """Return a MISSION_ITEM_INT; `at` is metres north and east of the start, and z."""
    padded = [*map(float, params), *[0.0] * (4 - len(params))]
    place = START.offset(at[0], at[1], 0.0)
    x, y = (place.lat_deg_e7, place.lon_deg_e7) if at != (0.0, 0.0, 0.0) else (0, 0)
    return dialect.MAVLink_mission_item_int_message(
        1, 1, 0, frame, command, 0, 1, *padded, x, y, at[2], kind
    )


def item_text(message: Message) -> str:
    """Return a mission item without the addressee."""
    numbers = [message.param1, message.param2, message.param3, message.param4]
    shown = " ".join(f"{n:g}" for n in numbers)
    place = f"{message.x} {message.y} {message.z:g}"
    if message.seq == 0 and message.mission_type == 0:  # home, as it was measured
        place = f"{message.x / 1e7:.4f} {message.y / 1e7:.4f} {message.z:.0f}"
    return (
        f"{message.seq} {command_name(message.command)} frame={message.frame} "
        f"current={message.current} auto={message.autocontinue} {shown} "
        f"{place}"
    )


def command_name(number: int) -> str:
    entry = dialect.enums["MAV_CMD"].get(number)
    return entry.name.removeprefix("MAV_CMD_") if entry else str(number)


def enum_name(enum: str, number: int) -> str:
    entry = dialect.enums[enum].get(number)
    return entry.name.split("_", 2)[-1] if entry else str(number)


def told(message: Message) -> str | None:
    """Return a message as one line of text, None if the vehicle's clock causes it."""
    match message.get_type():
        case "STATUSTEXT":
            text = re.sub(r"[\d.]+ m/s", "? m/s", message.text)
            return None if _BY_CLOCK.match(text) else f"text {message.severity}: {text}"
        case "COMMAND_ACK":
            result = enum_name("MAV_RESULT", message.result)
            return f"ACK {command_name(message.command)} {result}"
        case "PARAM_VALUE":
            if _BY_CLOCK.match(message.param_id) or message.param_id == "FENCE_TOTAL":
                return None
            return (
                f"PARAM {message.param_id}={message.param_value:g} "
                f"type={message.param_type} index={message.param_index}"
            )
        case "MISSION_ACK":
            result = enum_name("MAV_MISSION_RESULT", message.type)
            return f"MISSION_ACK {result} type={message.mission_type}"
        case "MISSION_REQUEST" | "MISSION_REQUEST_INT":
            return f"{message.get_type()} {message.seq} type={message.mission_type}"
        case "MISSION_ITEM_INT" | "MISSION_ITEM":
            return f"{message.get_type()} {item_text(message)}"
        case "HOME_POSITION" | "GPS_GLOBAL_ORIGIN":
            at = (message.latitude / 1e7, message.longitude / 1e7)
            return f"{message.get_type()} {at[0]:.4f} {at[1]:.4f} {message.altitude / 1e3:.0f}"
        case "FENCE_STATUS":
            return f"FENCE_STATUS breached={message.breach_status} type={message.breach_type}"
        case kind:
            fields = {k: v for k, v in message.to_dict().items() if not _TIMES.match(k)}
            shown = " ".join(f"{k}={_short(v)}" for k, v in fields.items())
            return f"{kind} {shown}"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ",".join(map(_short, value)) + "]"
    return str(value)

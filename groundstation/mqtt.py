"""What the gateway tells over MQTT, sans-I/O: topics and JSON of docs/mqtt.md. Outward only.

Nothing here takes a message from a broker, and nothing has a way to a drone.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from groundstation.outbox import Outbox
from groundstation.screen.assess import assess
from groundstation.screen.link import LinkView, LinkWatch
from groundstation.screen.modes import mode_name
from groundstation.screen.situation import Level, Situation, Word, judge
from groundstation.screen.vehicle import VehicleScreen
from groundstation.screen.watched import Value
from groundstation.station import Station
from wire.mavlink import dialect, frame_bytes_untrusted

SCHEMA: Final = 1
ROOT: Final = "sekisho/v1"
SECOND_NS: Final = 1_000_000_000
TEXT_WHOLE_NS: Final = 300_000_000  # by then the parts of a long text have come
_HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT
_POSITION: Final = dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT
_AIR: Final = dialect.MAVLINK_MSG_ID_VFR_HUD
_ATTITUDE: Final = dialect.MAVLINK_MSG_ID_ATTITUDE
_SYSTEM: Final = dialect.MAVLINK_MSG_ID_SYS_STATUS
_BATTERY: Final = dialect.MAVLINK_MSG_ID_BATTERY_STATUS
_GNSS: Final = dialect.MAVLINK_MSG_ID_GPS_RAW_INT
_EKF: Final = dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT
_MISSION: Final = dialect.MAVLINK_MSG_ID_MISSION_CURRENT
_NAVIGATION: Final = dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT


class Telemetry(NamedTuple):
    """One topic below `telemetry/`: its rate at most, and its fields: name -> message, field.

    The age of the topic is that of its first field's message, and it is published when that came.
    """

    topic: str
    rate_hz: int
    fields: Mapping[str, tuple[int, str]]

    @property
    def main(self) -> int:
        """The message that the topic follows."""
        return next(iter(self.fields.values()))[0]


TELEMETRY: Final = (
    Telemetry(
        "position",
        5,
        {
            "latitude_deg": (_POSITION, "lat"),
            "longitude_deg": (_POSITION, "lon"),
            "altitude_m": (_POSITION, "alt"),
            "height_m": (_POSITION, "relative_alt"),
            "north_m_s": (_POSITION, "vx"),
            "east_m_s": (_POSITION, "vy"),
            "heading_deg": (_POSITION, "hdg"),
            "ground_speed_m_s": (_AIR, "groundspeed"),
            "climb_m_s": (_AIR, "climb"),
        },
    ),
    Telemetry(
        "attitude",
        5,
        {
            "roll_deg": (_ATTITUDE, "roll"),
            "pitch_deg": (_ATTITUDE, "pitch"),
            "yaw_deg": (_ATTITUDE, "yaw"),
        },
    ),
    Telemetry(
        "battery",
        1,
        {
            "voltage_v": (_SYSTEM, "voltage_battery"),
            "current_a": (_SYSTEM, "current_battery"),
            "remaining_percent": (_SYSTEM, "battery_remaining"),
            "consumed_mah": (_BATTERY, "current_consumed"),
            "time_left_s": (_BATTERY, "time_remaining"),
        },
    ),
    Telemetry(
        "gnss",
        1,
        {
            "fix_type": (_GNSS, "fix_type"),
            "satellites": (_GNSS, "satellites_visible"),
            "hdop": (_GNSS, "eph"),
            "accuracy_m": (_GNSS, "h_acc"),
        },
    ),
    Telemetry(
        "ekf",
        1,
        {
            "flags": (_EKF, "flags"),
            "velocity_variance": (_EKF, "velocity_variance"),
            "horizontal_variance": (_EKF, "pos_horiz_variance"),
            "vertical_variance": (_EKF, "pos_vert_variance"),
            "compass_variance": (_EKF, "compass_variance"),
        },
    ),
    Telemetry(
        "mission",
        1,
        {
            "item": (_MISSION, "seq"),
            "items": (_MISSION, "total"),
            "distance_m": (_NAVIGATION, "wp_dist"),
            "bearing_deg": (_NAVIGATION, "target_bearing"),
        },
    ),
)
_CONN: Final = {"live": "online", "lost": "broken", "none": "offline"}


def slug(name: str, public_key: bytes) -> str:
    """Return a drone's level in topics: its name, and by which key it is known.

    A drone that is renamed or that takes another's name has another slug, whatever its system id.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "drone"
    return f"{readable}-{hashlib.sha256(public_key).hexdigest()[:8]}"


def gateway_topic(site: str) -> str:
    """Return where the gateway says whether it lives; its will is there too."""
    return f"{ROOT}/{site}/gateway/conn"


def conn(state: str) -> bytes:
    """Return the payload of a `conn` topic: online, offline or broken."""
    return _encode({"schema": SCHEMA, "state": state})


class VehicleBulletin:
    """What is told of one drone. The zero state has told nothing.

    Everything carries `ts` [ms of Unix time, when it was true], `seq` (of its topic, from 1) and
    `age_s` [s, when it was published].
    """

    def __init__(self, name: str, base: str, station: Station, outbox: Outbox) -> None:
        self.screen = VehicleScreen()
        self._name = name
        self._base = base
        self._station = station
        self._outbox = outbox
        self._watch = LinkWatch()
        self._numbers: dict[str, int] = {}
        self._shown: dict[str, bytes] = {}  # of states that are sent when they change
        self._published: dict[str, tuple[int, int]] = {}  # topic: when, and what had been seen
        self._second_ns = 0
        self._said: dict[str, object] = {}  # what was last told of in events
        self._last_text = 0
        self._lost_events = 0

    def receive(self, plain: bytes, now_ns: int) -> None:
        """Take the MAVLink frames of one datagram of the drone."""
        seen_ns = self._station.seen_ns(now_ns)
        at = 0
        while (size := frame_bytes_untrusted(plain, at)) is not None:
            self.screen.receive(plain[at : at + size], seen_ns)
            at += size

    def tick(self, now_ns: int, wall_ms: int) -> None:
        """Publish what is due."""
        for telemetry in TELEMETRY:
            self._tell_telemetry(telemetry, now_ns, wall_ms)
        self._tell_texts(now_ns, wall_ms)
        if now_ns < self._second_ns:
            return
        self._second_ns = now_ns + SECOND_NS
        status = self._station.status(now_ns)
        view = self._watch.look(status, now_ns)
        situation = assess(self.screen, view, status, self._station, "", now_ns)
        word = judge(situation)
        link = _link(view, status.heard_s)
        self._show("conn", {"schema": SCHEMA, "state": _CONN[status.state]})
        self._show("info", self._info(status.suite))
        self._outbox.put_telemetry(
            f"{self._base}/telemetry/link", self._stamped("telemetry/link", link, wall_ms, 0.0)
        )
        self._tell_state(situation, word, link, now_ns, wall_ms)
        self._tell_alerts(word)
        self._tell_changes(situation, word, view, wall_ms)

    def farewell(self) -> None:
        """Say that this gateway no longer watches."""
        self._show("conn", {"schema": SCHEMA, "state": "offline"})

    def _info(self, suite: str) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "name": self._name,
            "system_id": self.screen.sysid,
            "type": self.screen.value(_HEARTBEAT, "type"),
            "suite": suite,
            "rates_hz": {each.topic: each.rate_hz for each in TELEMETRY} | {"link": 1, "state": 1},
        }

    def _tell_telemetry(self, telemetry: Telemetry, now_ns: int, wall_ms: int) -> None:
        seen_ns = self.screen.seen_ns(telemetry.main)
        published_ns, shown_ns = self._published.get(telemetry.topic, (0, 0))
        if seen_ns is None or seen_ns == shown_ns:
            return
        if now_ns - published_ns < SECOND_NS // telemetry.rate_hz:
            return
        self._published[telemetry.topic] = (now_ns, seen_ns)
        topic = f"telemetry/{telemetry.topic}"
        age_s = (now_ns - seen_ns) / 1e9
        payload = self._stamped(topic, self._fields(telemetry), wall_ms, age_s)
        self._outbox.put_telemetry(f"{self._base}/{topic}", payload)

    def _fields(self, telemetry: Telemetry) -> dict[str, Value]:
        value = self.screen.value
        return {name: value(*field) for name, field in telemetry.fields.items()}

    def _tell_state(
        self,
        situation: Situation,
        word: Word,
        link: Mapping[str, object],
        now_ns: int,
        wall_ms: int,
    ) -> None:
        groups: dict[str, object] = {}
        for telemetry in TELEMETRY:
            age_s = self.screen.age_s(telemetry.main, now_ns)
            if age_s is not None:
                groups[telemetry.topic] = {**self._fields(telemetry), "age_s": round(age_s, 3)}
        state = {
            "word": word.text,
            "level": word.level.name.lower(),
            "mode": None if situation.mode is None else mode_name(situation.mode),
            "armed": situation.armed,
            "flying": situation.flying,
            "link": link,
            **groups,
        }
        topic = f"{self._base}/state"
        self._outbox.put_state(topic, self._stamped("state", state, wall_ms, 0.0), qos=0)

    def _tell_alerts(self, word: Word) -> None:
        alerts = [
            {"level": reason.level.name.lower(), "text": reason.text}
            for reason in word.reasons
            if reason.level >= Level.CAUTION
        ]
        if alerts:
            self._show("alert", {"schema": SCHEMA, "alerts": alerts})
        elif self._shown.get("alert"):
            self._shown["alert"] = b""
            self._outbox.put_state(f"{self._base}/alert", b"")

    def _tell_changes(self, situation: Situation, word: Word, view: LinkView, wall_ms: int) -> None:
        mode = None if situation.mode is None else mode_name(situation.mode)
        for kind, value in (
            ("word", word.text),
            ("link", _CONN[view.state]),
            ("mode", mode),
            ("armed", situation.armed),
            ("fence_breached", situation.fence_breached),
            ("attack", view.attack),
        ):
            before = self._said.get(kind)
            self._said[kind] = value
            # An attack is told when it begins and when it is over, not each time its counts change.
            is_same = bool(before) == bool(value) if kind == "attack" else before == value
            if value is not None and not is_same and not (before is None and not value):
                self._event({"kind": kind, "value": value}, wall_ms, 0.0)

    def _tell_texts(self, now_ns: int, wall_ms: int) -> None:
        messages = self.screen.messages
        if not messages or messages[-1].number == self._last_text:
            return
        for message in messages:
            age_ns = now_ns - message.seen_ns
            if message.number > self._last_text and age_ns >= TEXT_WHOLE_NS:
                self._last_text = message.number
                text = {"kind": "text", "severity": message.severity, "value": message.text}
                self._event(text, wall_ms, age_ns / 1e9)

    def _event(self, event: dict[str, object], wall_ms: int, age_s: float) -> None:
        topic = f"{self._base}/event"
        if self._lost_events and not self._outbox.is_full:
            lost = {"kind": "events_lost", "value": self._lost_events}
            self._lost_events = 0
            self._outbox.put_event(topic, self._stamped("event", lost, wall_ms, 0.0))
        payload = self._stamped("event", event, wall_ms, age_s)
        self._lost_events += not self._outbox.put_event(topic, payload)

    def _show(self, topic: str, fields: dict[str, object]) -> None:
        """Replace what is retained on a topic, if it says something else."""
        payload = _encode(fields)
        if self._shown.get(topic) != payload:
            self._shown[topic] = payload
            self._outbox.put_state(f"{self._base}/{topic}", payload)

    def _stamped(
        self, topic: str, fields: Mapping[str, object], wall_ms: int, age_s: float
    ) -> bytes:
        number = self._numbers[topic] = self._numbers.get(topic, 0) + 1
        stamp = {"ts": wall_ms - round(1000 * age_s), "seq": number, "age_s": round(age_s, 3)}
        return _encode({**stamp, **fields})


class Bulletin:
    """All drones of a gateway. The zero state has told nothing."""

    def __init__(
        self, site: str, stations: Mapping[str, Station], keys: Mapping[str, bytes]
    ) -> None:
        self.outbox = Outbox()
        self._conn = gateway_topic(site)
        self.vehicles = {
            name: VehicleBulletin(
                name, f"{ROOT}/{site}/{slug(name, keys[name])}", station, self.outbox
            )
            for name, station in stations.items()
        }
        self.outbox.put_state(self._conn, conn("online"))

    def tick(self, now_ns: int, wall_ms: int) -> None:
        """Publish what is due; to be called at least five times a second."""
        for vehicle in self.vehicles.values():
            vehicle.tick(now_ns, wall_ms)

    def farewell(self) -> None:
        """Say goodbye: what is retained must not look alive."""
        for vehicle in self.vehicles.values():
            vehicle.farewell()
        self.outbox.put_state(self._conn, conn("offline"))


def _link(view: LinkView, heard_s: float | None) -> dict[str, object]:
    return {
        "state": _CONN[view.state],
        "path": view.path,
        "heard_s": None if heard_s is None else round(heard_s, 2),
        "round_trip_ms": view.round_trip_ms,
        "loss_down": view.loss_down,
        "generation": view.generation,
        "forged": view.forged,
        "replayed": view.replayed,
        "plain": view.plain,
        "attack": view.attack,
    }


def _encode(fields: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(fields)

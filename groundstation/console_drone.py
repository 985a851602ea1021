"""One drone at the console, sans-I/O: the picture for the pages, and what it sends on their behalf.

What changes is kept in numbered sections: a page is sent those younger than what it has, so a slow
page gets fewer pictures, never a queue of old ones.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from groundstation.operation import describe
from groundstation.orderly import Order, Orderly, Outcome
from groundstation.orders import ACTIONS, Action, Arguments, Craft, consequence, why_not
from groundstation.parameters.aboard import HEARD, ParametersAboard
from groundstation.parameters.message import Parameters
from groundstation.plan.aboard import MESSAGES, Aboard
from groundstation.plan.model import WITH_PLACE, Home
from groundstation.plan.onboard import FENCE, MISSION, RALLY, OnboardItem
from groundstation.screen.assess import assess
from groundstation.screen.changes import changes_since, page_ms
from groundstation.screen.endurance import Endurance
from groundstation.screen.link import LinkWatch
from groundstation.screen.modes import AUTO
from groundstation.screen.presence import Presence
from groundstation.screen.situation import judge
from groundstation.screen.vehicle import VehicleScreen
from groundstation.station import Station
from groundstation.tasking import Task
from wire.locality import RADIO
from wire.mavlink import dialect, frame_bytes_untrusted, message_id
from wire.trail import Event, Topic

LINK_NS: Final = 250_000_000
_HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT
_POSITION: Final = dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT
_HOME: Final = dialect.MAVLINK_MSG_ID_HOME_POSITION
_CURRENT: Final = dialect.MAVLINK_MSG_ID_MISSION_CURRENT
_SHOWN: Final = (MISSION, FENCE)  # lists on the map
_SCALE: Final = 1e-7

_OF_CHALLENGE: Final = frozenset(("challenge", "operation"))

Section = tuple[int, Any]


class ConsoleDrone:
    """One drone's picture and orders. The zero state has heard nothing and asks for nothing.

    Invariant: nothing is sent to the drone unless `tick` is told that an operator is present and
    this station is in command.
    """

    def __init__(self, name: str, station: Station) -> None:
        self.name = name
        self.screen = VehicleScreen()
        self._station = station
        self._orderly = Orderly()
        self._watch = LinkWatch()
        self._status = station.status(0)
        self._view = self._watch.look(self._status, 0)
        self.aboard = Aboard()
        self._parameters = ParametersAboard(name)
        self._may_send = False
        self._plans_shown: dict[int, int] = {}
        self._mission_total: object = None
        self._sections: dict[str, Section] = {}
        self._craft = Craft(name)
        self._presence = Presence()
        self._endurance = Endurance()
        self._link_ns = 0
        self._number = 0
        self._told: dict[int, Outcome] = {}

    def receive(self, plain: bytes, now_ns: int) -> None:
        """Take the MAVLink frames of one datagram of the drone."""
        seen_ns = self._station.seen_ns(now_ns)
        at = 0
        while (size := frame_bytes_untrusted(plain, at)) is not None:
            frame = plain[at : at + size]
            at += size
            self.screen.receive(frame, seen_ns)
            number = message_id(frame)
            if number == dialect.MAVLINK_MSG_ID_COMMAND_ACK:
                self._orderly.receive_ack(frame, now_ns)
            if frame[6] != dialect.MAV_COMP_ID_AUTOPILOT1:
                continue
            if number in MESSAGES:
                self.aboard.receive(number, frame, now_ns)
            if number in HEARD:  # both follow PARAM_VALUE
                self._parameters.receive(frame, now_ns)

    def answers(self, now_ns: int) -> list[bytes]:
        """Return what a transfer has to say at once to what has just come."""
        sysid = self.screen.sysid
        if sysid is None or not self._may_send or not self.aboard.is_busy:
            return []
        return [self._orderly.pack(m) for m in self.aboard.outgoing(sysid, now_ns)]

    def order(self, action: Action, arguments: Arguments, operator: str, now_ns: int) -> str:
        """Give an order; return why it cannot be given, "" if it has been."""
        craft, sysid = self._craft, self.screen.sysid
        reason = why_not(action, craft) or ACTIONS[action].refused(craft, arguments)
        if reason:
            return reason
        assert sysid is not None
        self._number += 1
        text = consequence(action, craft, arguments)
        order = Order(self._number, action, text, operator, now_ns, now_ns, 0)
        self._orderly.give(order, ACTIONS[action].steps(craft, arguments), sysid, now_ns)
        return ""

    def read_plans(self, now_ns: int) -> None:
        """Read mission and fence from the drone again."""
        self.aboard.read(_SHOWN, now_ns)

    def _read_anew(self, now_ns: int) -> None:
        """Read mission and fence again when the mission has another length than it had."""
        total = self.screen.value(_CURRENT, "total")
        if total != self._mission_total and not self.aboard.is_busy:
            self._mission_total = total
            self.read_plans(now_ns)

    def ask_parameters(self, asked: Parameters, now_ns: int) -> tuple[str, list[dict[str, Any]]]:
        """Do what a page asks about parameters; return why not, and what the page is told."""
        if not asked.only_looks and not (self._craft.live and self._station.is_holder):
            return "Not possible: this station is not in command of a drone that answers", []
        return self._parameters.ask(asked, self.screen.sysid, now_ns)

    @property
    def home(self) -> Home | None:
        """Where the drone says that its home is."""
        lat, lon, altitude = self.screen.values(_HOME) or (None, None, None)
        if not lat or not lon or altitude is None or abs(lat) > 90 or abs(lon) > 180:
            return None
        return Home(lat, lon, altitude)

    @property
    def craft(self) -> Craft:
        """What an order depends on."""
        return self._craft

    @property
    def task(self) -> Task:
        """The ground's part in flying a trajectory."""
        return self._station.task

    def why_no_transfer(self, kind: int | None) -> str:
        """Return why nothing can be read, or this list not be sent, now; "" if it can."""
        craft = self._craft
        if not craft.live:
            return "No link"
        if not craft.is_holder:
            return "Another station commands"
        if craft.armed is None:
            return "The autopilot is silent"
        if kind in (FENCE, RALLY) and craft.armed:
            return "Only while disarmed: it is where a failsafe keeps to"
        if kind == MISSION and craft.flying and craft.mode == AUTO:
            return "The mission is being flown: pause first"
        return ""

    @property
    def sysid(self) -> int | None:
        """The autopilot's system id."""
        return self.screen.sysid

    def tick(self, now_ns: int, *, is_watched: bool, is_attended: bool, clash: str) -> list[bytes]:
        """Bring the picture up to date; return the frames to send.

        Args:
            now_ns: The time.
            is_watched: A page is open; without one only the link is kept an eye on.
            is_attended: An operator is present at the console.
            clash: What is wrong with the drone's system id, "" if nothing.
        """
        if now_ns >= self._link_ns:
            self._link_ns = now_ns + LINK_NS
            self._look_at_link(now_ns)
        if not is_watched:
            return []
        self._look(clash, now_ns)
        self._show_challenge(now_ns)
        sysid = self.screen.sysid
        self._may_send = is_attended and self._craft.live and self._station.is_holder
        if sysid is None or not self._may_send:
            self._starve(now_ns, is_attended=is_attended)
            return []
        frames = self._orderly.outgoing(now_ns)
        challenge = self._station.command.challenge(now_ns)
        operation = None if challenge is None else challenge.operation
        frames += self._parameters.outgoing(sysid, operation, now_ns, self._orderly.pack)
        self._read_anew(now_ns)
        is_radio = self._view.path == RADIO[0]
        messages = self._presence.beat(now_ns)
        messages += self._presence.ask(self.screen, sysid, now_ns, is_radio=is_radio)
        messages += self.aboard.outgoing(sysid, now_ns)
        return frames + [self._orderly.pack(message) for message in messages]

    def _starve(self, now_ns: int, *, is_attended: bool) -> None:
        """Let a transfer run out while nothing may be sent: what it says is lost, as on a line."""
        self._parameters.stop("nobody could send any more")
        if not self._station.is_holder:
            self.aboard.cancel("another station commands", now_ns)
        elif not is_attended:
            self.aboard.cancel("no operator is present", now_ns)
        self.aboard.outgoing(0, now_ns)

    def since(self, cursor: int) -> dict[str, Any]:
        """Return everything that has changed since `cursor`, which is a `version`."""
        changes: dict[str, Any] = {
            name: value for name, (version, value) in self._sections.items() if version > cursor
        }
        return changes | changes_since(self.screen, cursor)

    def show_recorder(self, recorder: Mapping[str, object]) -> None:
        """Show what the gateway records of this drone."""
        shown = {name: recorder.get(name) for name in ("state", "reason", "bytes")}
        self._show("recorder", shown)

    def events(self) -> list[Event]:
        """Return what has been ordered since the last call, and what came of it."""
        told, self._told = self._told, {}
        events = []
        for order in self._orderly.orders:
            self._told[order.number] = order.outcome
            if told.get(order.number) is not order.outcome:
                text = f"{order.text} {order.outcome}{f': {order.result}' * bool(order.result)}"
                events.append(Event(Topic.ORDER, text, by=order.operator, drone=self.name))
        return events

    @property
    def version(self) -> int:
        """Grows with every change of the picture."""
        return self.screen.version

    def _look_at_link(self, now_ns: int) -> None:
        self._status = status = self._station.status(now_ns)
        self._view = self._watch.look(status, now_ns)
        screen = self.screen
        shown = msgspec.to_builtins(self._view)
        heard_ms = None if status.heard_s is None else page_ms(now_ns - round(status.heard_s * 1e9))
        # Rounded, so that a section that says the same is not sent again.
        generation_ms = None
        if status.generation_s is not None:
            generation_ms = page_ms(now_ns - round(status.generation_s * 1e9))
        del shown["generation_s"]
        shown |= {
            "heard_ms": heard_ms,
            "generation_ms": generation_ms,
            "refused": screen.refused,
            "stale_refused": screen.stale_refused,
        }
        self._show("link", shown)
        authority = {k: v for k, v in status.authority.items() if k not in _OF_CHALLENGE}
        self._show("authority", authority)

    def _look(self, clash: str, now_ns: int) -> None:
        """Judge the state and show it."""
        screen = self.screen
        situation = assess(screen, self._view, self._status, self._station, clash, now_ns)
        position = screen.values(_POSITION) if situation.heartbeat_s is not None else None
        fresh = screen.fresh(_POSITION, "lat", now_ns) is not None
        lat, lon = (position[0], position[1]) if position and fresh else (None, None)
        mission = self.aboard.readers[MISSION].items
        # Item 0 is home.
        items = None if mission is None else max(0, len(mission) - 1)
        self._craft = Craft(
            name=self.name,
            live=situation.link == "live",
            is_holder=situation.is_holder,
            armed=situation.armed,
            flying=situation.flying,
            mode=situation.mode,
            lat=lat,
            lon=lon,
            mission_items=items,
            prearm_good=situation.prearm_good,
        )
        word = judge(situation)
        self._show(
            "word", (word.text, int(word.level), [(int(r.level), r.text) for r in word.reasons])
        )
        self._show("blocked", {action.value: why_not(action, self._craft) for action in ACTIONS})
        self._show("timers", (page_ms(screen.armed_ns), page_ms(screen.flying_ns)))
        endurance = self._endurance.look(screen, now_ns, flying=self._craft.flying)
        self._show("endurance", endurance)
        for kind in _SHOWN:
            reader = self.aboard.readers[kind]
            if reader.items is not None and self._plans_shown.get(kind) != reader.version:
                self._plans_shown[kind] = reader.version
                self._show(f"plan{kind}", [_on_map(item) for item in reader.items])
        self._show("parameters", self._parameters.shown())
        self._show("orders", [_shown_order(order) for order in self._orderly.orders])

    def _show(self, name: str, value: object) -> None:
        old = self._sections.get(name)
        if old is None or old[1] != value:
            self.screen.version += 1
            self._sections[name] = (self.screen.version, value)

    def _show_challenge(self, now_ns: int) -> None:
        command = self._station.command
        challenge = command.challenge(now_ns)
        if challenge is None:
            self._show("challenge", None)
            return
        # The cover and the hold have been the two steps; a second window would only cost height.
        own = self._orderly.is_asked_for(challenge.operation)
        is_write = self._parameters.is_asked_for(challenge.operation)
        if own and self._orderly.open_action is Action.STOP:
            command.confirm(challenge.nonce, now_ns)
            return
        text = describe(challenge.operation)
        if text is None:
            command.decline(challenge.nonce)
            return
        self._show(
            "challenge",
            (challenge.nonce.hex(), text, page_ms(challenge.expires_ns), own or is_write),
        )


def _on_map(item: OnboardItem) -> tuple[int, float | None, float | None, float, float]:
    """Return an item for the map: command, where (None if nowhere), altitude, first parameter.

    In a fence the first parameter is a radius [m] or the number of a polygon's corners.
    """
    is_on_earth = abs(item.x) <= 90 / _SCALE and abs(item.y) <= 180 / _SCALE
    has_place = item.command in WITH_PLACE and is_on_earth and (item.x, item.y) != (0, 0)
    lat, lon = round(item.x * _SCALE, 7), round(item.y * _SCALE, 7)
    return (
        item.command,
        lat if has_place else None,
        lon if has_place else None,
        item.z if abs(item.z) < 1e6 else 0.0,
        item.params[0] if abs(item.params[0]) < 1e6 else 0.0,
    )


def _shown_order(order: Order) -> Mapping[str, object]:
    return {
        "number": order.number,
        "action": order.action.value,
        "text": order.text,
        "operator": order.operator,
        "asked_ms": page_ms(order.asked_ns),
        "changed_ms": page_ms(order.changed_ns),
        "outcome": order.outcome.value,
        "result": order.result,
    }

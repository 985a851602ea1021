"""The console, sans-I/O: sessions of pages, who is present, what they are shown and may do.

Presence: an operator is present while at least one page of an operator can be seen and says so
every second. It is the page that says it and not the browser, so that a hidden tab, a closed lid, a
crashed browser or a locked screen ends the presence, and with it the heartbeats by which the
autopilot knows of an operator. Focus is not asked for: a second window next to the console must not
send a drone home.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundstation.console_drone import ConsoleDrone
from groundstation.flights import Flights, FlightsView
from groundstation.orders import ACTIONS, Action
from groundstation.parameters.message import Parameters
from groundstation.plan.deeds import Flying, Planning, Watch
from groundstation.plan.desk import Desk
from groundstation.screen.modes import NAMES, OFFERED
from groundstation.screen.watched import WATCHED
from groundstation.station import Station
from groundstation.talk import (
    Answer,
    Ask,
    Deed,
    Give,
    Hello,
    Here,
    NotUnderstoodError,
    Reload,
    Role,
    parse_untrusted,
)
from wire.authority import NOBODY, Verb
from wire.trail import Event, Topic

PRESENT_FOR_NS: Final = 3_000_000_000
EXPIRED_MS: Final = 5_000
MAX_SESSIONS: Final = 16
MAX_FAULTS: Final = 20
MAX_SAID_PER_S: Final = 40

Reply = dict[str, Any]


class Session:
    """One page: its role, what it has been shown, and when it was last seen to run."""

    def __init__(self, name: str, role: Role) -> None:
        self.name = name
        self.role = role
        self.cursors: dict[str, int] = {}
        self.shown_presence: object = None
        self.here_ns: int | None = None
        self.faults = 0
        self.tidings: list[Reply] = []  # what views of this page are to be told
        self.flights = FlightsView()
        self._said = 0
        self._said_ns = 0

    def is_flooding(self, now_ns: int) -> bool:
        """Count one message; tell whether there are more than a page sends."""
        if now_ns - self._said_ns >= 1_000_000_000:
            self._said, self._said_ns = 0, now_ns
        self._said += 1
        return self._said > MAX_SAID_PER_S

    def is_present(self, now_ns: int) -> bool:
        """Tell whether an operator sits at this page."""
        is_here = self.here_ns is not None and now_ns - self.here_ns < PRESENT_FOR_NS
        return is_here and self.role is Role.OPERATOR


class Console:
    """All drones and all pages. The zero state has no page, and then sends nothing.

    `names` are those of other ground stations, and their ids: only shown, and offered for choice.
    """

    def __init__(self, stations: Mapping[str, Station], names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self.drones = {name: ConsoleDrone(name, station) for name, station in stations.items()}
        self.planning = Desk(self.drones)
        self._stations = dict(stations)
        self._sessions: set[Session] = set()
        self._numbers = 0
        self._events: list[Event] = []

    def open(self, role: Role) -> Session | None:
        """Take a new page; None if there are too many."""
        if len(self._sessions) >= MAX_SESSIONS:
            return None
        self._numbers += 1
        session = Session(f"{role.value} {self._numbers}", role)
        self._sessions.add(session)
        self._events.append(Event(Topic.ORDER, f"{session.name} comes", by=session.name))
        return session

    def close(self, session: Session) -> None:
        """Let a page go."""
        self._events.append(Event(Topic.ORDER, f"{session.name} leaves", by=session.name))
        self._sessions.discard(session)
        self.planning.forget(session)

    def welcome(self, session: Session, now_ns: int) -> Reply:
        """Return what a page has to know before the first picture."""
        return {
            "t": "welcome",
            "now": now_ns // 1_000_000,
            "name": session.name,
            "role": session.role.value,
            "drones": list(self.drones),
            "groups": {
                watched.group: {
                    "stale_ms": min(round(watched.stale_s * 1000), 10**9)
                    if watched.stale_s < 1e6
                    else None,
                    "fields": [field.name for field in watched.fields],
                }
                for watched in WATCHED.values()
            },
            "actions": {
                action.value: {
                    "label": spec.label,
                    "gesture": spec.gesture.value,
                    "consequence": spec.consequence,
                }
                for action, spec in ACTIONS.items()
            },
            "modes": {str(number): name for number, name in NAMES.items()},
            "offered": list(OFFERED),
            "stations": self._names,
            "tracks": {name: list(drone.screen.track) for name, drone in self.drones.items()},
        }

    def is_attended(self, now_ns: int) -> bool:
        """Tell whether an operator is present."""
        return any(session.is_present(now_ns) for session in self._sessions)

    def tick(self, now_ns: int) -> dict[str, list[bytes]]:
        """Bring every picture up to date; return the frames to send to each drone."""
        owners: dict[int, list[str]] = {}
        for name, drone in self.drones.items():
            if drone.sysid is not None:
                owners.setdefault(drone.sysid, []).append(name)
        is_watched, is_attended = bool(self._sessions), self.is_attended(now_ns)
        frames = {}
        for name, drone in self.drones.items():
            sharing = owners.get(drone.sysid, []) if drone.sysid is not None else []
            clash = ""
            if len(sharing) > 1:
                clash = (
                    f"System id {drone.sysid} is that of {' and '.join(sharing)}: give each its own"
                )
            out = drone.tick(now_ns, is_watched=is_watched, is_attended=is_attended, clash=clash)
            if out:
                frames[name] = out
        self.planning.tell(now_ns)
        return frames

    def picture(self, session: Session, now_ns: int) -> Reply:
        """Return what has changed since this page was last asked; it counts as shown."""
        changed = {}
        for name, drone in self.drones.items():
            changes = drone.since(session.cursors.get(name, 0))
            session.cursors[name] = drone.version
            if changes:
                changed[name] = changes
        reply: Reply = {"t": "picture", "now": now_ns // 1_000_000, "drones": changed}
        present = sorted(s.name for s in self._sessions if s.is_present(now_ns))
        if present != session.shown_presence:
            session.shown_presence = reply["present"] = present
        return reply

    def tidings(self, session: Session, now_ns: int) -> list[Reply]:
        """Return what the views of this page are to be told, oldest first."""
        out, session.tidings = session.tidings, []
        return out + session.flights.outgoing(now_ns)

    def show_recorder(self, drone: str, recorder: Mapping[str, object]) -> None:
        """Show what is being recorded of a drone."""
        self.drones[drone].show_recorder(recorder)

    def events(self) -> list[Event]:
        """Return what operators have done since the last call, and what came of it."""
        out, self._events = self._events, []
        for drone in self.drones.values():
            out += drone.events()
        return out

    def receive_untrusted(self, session: Session, text: str | bytes, now_ns: int) -> Reply | None:
        """Take one message of a page; return the answer, if it gets one at once."""
        try:
            said = parse_untrusted(text)
        except NotUnderstoodError as error:
            session.faults += 1
            return {"t": "error", "what": "not understood", "why": str(error)}
        match said:
            case Hello():
                session.faults += 1
                return {"t": "error", "what": "not understood", "why": "said hello twice"}
            case Here(visible=visible):
                session.here_ns = now_ns if visible else None
                return None
            case Flights():  # touches no drone: nothing of it expires, and viewers may
                return {"t": "result", "id": said.id, "error": session.flights.ask(said, now_ns)}
            case _:
                why = self._why_not(session, said, now_ns) or self._carry_out(session, said, now_ns)
                return {"t": "result", "id": said.id, "error": why}

    def _why_not(self, session: Session, said: Deed, now_ns: int) -> str:
        is_looking = (isinstance(said, Planning) and isinstance(said.do, Watch)) or (
            isinstance(said, Parameters) and said.only_looks
        )
        if session.role is not Role.OPERATOR and not is_looking:
            return "A viewer only watches"
        if said.drone not in self.drones:
            return f"drone = {said.drone!r}; allowed: {', '.join(self.drones)}"
        age_ms = now_ns // 1_000_000 - said.saw
        if not 0 <= age_ms <= EXPIRED_MS:
            return f"Expired: decided on a picture {age_ms / 1000:.1f} s old"
        return ""

    def _carry_out(self, session: Session, said: Deed, now_ns: int) -> str:
        """Do what was asked for; return why not, "" if it is done or on its way."""
        drone, command = self.drones[said.drone], self._stations[said.drone].command
        session.here_ns = now_ns
        match said:
            case Give(action=action, arguments=arguments):
                return drone.order(Action(action), arguments, session.name, now_ns)
            case Answer(nonce=nonce, yes=True):
                self._note(session, said.drone, "confirms")
                is_open = command.confirm(bytes.fromhex(nonce), now_ns)
                return "" if is_open else "Nothing waits for that confirmation any more"
            case Answer(nonce=nonce):
                self._note(session, said.drone, "declines")
                command.decline(bytes.fromhex(nonce))
            case Ask(verb=verb, station=station):
                self._note(session, said.drone, f"asks: {verb}")
                command.request(Verb[verb.upper()], bytes.fromhex(station) or NOBODY, now_ns)
            case Reload():
                drone.read_plans(now_ns)
            case Parameters():
                why, tidings = drone.ask_parameters(said, now_ns)
                session.tidings += tidings
                return why
            case Planning():
                why = self.planning.carry_out(session, said, now_ns)
                if isinstance(said.do, Flying):
                    asked = f"companion's flight: {said.do.__struct_config__.tag}"
                    text = f"{asked}: {why}" if why else asked
                    event = Event(Topic.ORDER, text, by=session.name, drone=said.drone)
                    self._events.append(event)
                return why
        return ""

    def _note(self, session: Session, drone: str, text: str) -> None:
        self._events.append(Event(Topic.AUTHORITY, text, by=session.name, drone=drone))

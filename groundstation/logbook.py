"""What happens to one drone's link, for the record: each look at its counters becomes events."""

from collections.abc import Mapping
from typing import Final

from groundstation.screen.link import LinkView, LinkWatch
from groundstation.station import StationStatus
from wire.trail import Event, Topic

LOOK_NS: Final = 1_000_000_000
_SHORT: Final = 8  # hexadecimal digits of a station's id
_NOBODY: Final = "nobody"


class Logbook:
    """Follows one drone. The zero state has seen nothing, and the first look says how things are.

    `stations` are the names of other ground stations, and their ids.

    Invariant: no event says what the one before it of its kind said.
    """

    def __init__(self, drone: str, stations: Mapping[str, str]) -> None:
        self.drone = drone
        self._names = {station: name for name, station in stations.items()}
        self._watch = LinkWatch()
        self._said: dict[str, object] = {}
        self._due_ns = 0

    def deadline_ns(self) -> int:
        """Return when to look again."""
        return self._due_ns

    def look(self, status: StationStatus, now_ns: int) -> list[Event]:
        """Return what has happened since the last look."""
        self._due_ns = now_ns + LOOK_NS
        view = self._watch.look(status, now_ns)
        events: list[Event] = []
        if view.state != "none" and self._is_news("link", (view.state, view.path)):
            events.append(self._event(Topic.LINK, _link(view, status)))
        if self._is_news("attack", bool(view.attack)) and (view.attack or "attacked" in self._said):
            self._said["attacked"] = True
            events.append(self._event(Topic.ATTACK, view.attack or "over"))
        if view.generation and self._is_news("session", view.generation):
            events.append(self._event(Topic.SESSION, f"session {view.generation}"))
        if self._is_news("key", view.ratchet) and view.generation:
            events.append(self._event(Topic.KEY, f"pre-shared key {view.ratchet}"))
        holder = status.authority["holder_id"]
        if isinstance(holder, str) and self._is_news("holder", holder):
            events.append(self._event(Topic.AUTHORITY, f"in command: {self._who(holder, status)}"))
        suspect = bool(status.authority["navigation_suspect"])
        if self._is_news("navigation", suspect) and (suspect or "suspected" in self._said):
            self._said["suspected"] = True
            text = "navigation suspect" if suspect else "navigation alarm cleared"
            events.append(self._event(Topic.NOTE, text))
        return events

    def _is_news(self, kind: str, value: object) -> bool:
        if self._said.get(kind) == value:
            return False
        self._said[kind] = value
        return True

    def _who(self, holder: str, status: StationStatus) -> str:
        if not holder.strip("0"):
            return _NOBODY
        if holder == status.authority["own_id"]:
            return "this station"
        return self._names.get(holder, f"station {holder[:_SHORT]}")

    def _event(self, topic: Topic, text: str) -> Event:
        return Event(topic, text, drone=self.drone)


def _link(view: LinkView, status: StationStatus) -> str:
    if view.state == "live":
        return f"up, by {view.path}"
    heard = "" if status.heard_s is None else f": last heard {status.heard_s:.1f} s ago"
    return f"lost{heard}"

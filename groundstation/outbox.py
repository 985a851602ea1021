"""What waits for the broker, sans-I/O: bounded whatever the broker does, and nothing retained lost.

Three kinds. A *state* is retained by the broker: only the newest of a topic counts, and after every
connection all of them are sent again, because a broker that was restarted knows nothing. An *event*
waits its turn; if too many wait, the later ones are counted, and the count is told in their place.
*Telemetry* is worth something only while it is new: the newest of each topic waits.
"""

from collections import Counter, deque
from typing import Final, NamedTuple

MAX_EVENTS: Final = 1000


class Message(NamedTuple):
    """One message to publish."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Outbox:
    """Messages in, one at a time out. The zero state is empty and not connected.

    Invariant: at most one state and one telemetry message of each topic and `MAX_EVENTS` events
    wait. States leave before events, events in order and before telemetry; the topic that has
    waited longest leaves first. What `head` returned stays until `sent` is told of it.
    """

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._states: dict[str, Message] = {}
        self._due: dict[str, None] = {}  # topics of states to send, in order
        self._events: deque[Message] = deque()
        self._telemetry: dict[str, Message] = {}

    def put_state(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Replace what the broker retains on a topic; an empty payload removes it."""
        self._states[topic] = Message(topic, payload, qos, retain=True)
        self._due[topic] = None

    def put_event(self, topic: str, payload: bytes) -> bool:
        """Queue an event; return False if too many wait and it is only counted."""
        if len(self._events) >= MAX_EVENTS:
            self.counted["events_lost"] += 1
            return False
        self._events.append(Message(topic, payload, 1, retain=False))
        return True

    def put_telemetry(self, topic: str, payload: bytes) -> None:
        """Queue telemetry in the place of what still waits on its topic."""
        self.counted["telemetry_replaced"] += topic in self._telemetry
        self._telemetry[topic] = Message(topic, payload, 0, retain=False)

    @property
    def is_full(self) -> bool:
        """Tell whether an event would be lost."""
        return len(self._events) >= MAX_EVENTS

    def connected(self) -> None:
        """Send every state again: the broker may have been restarted."""
        self._due = dict.fromkeys(self._states)
        self._telemetry.clear()  # made while nobody listened

    def head(self) -> Message | None:
        """Return what is to be sent next, None if nothing."""
        if self._due:
            return self._states[next(iter(self._due))]
        if self._events:
            return self._events[0]
        return next(iter(self._telemetry.values()), None)

    def sent(self, message: Message) -> None:
        """Forget what the broker has; a newer state or telemetry of its topic still waits."""
        self.counted["published"] += 1
        if message.retain:
            if self._states[message.topic] is message:
                self._due.pop(message.topic, None)
        elif message.qos:
            # Nothing is put in front of an event, so it is the first.
            assert self._events[0] is message
            self._events.popleft()
        elif self._telemetry.get(message.topic) is message:
            del self._telemetry[message.topic]

"""What the gateway writes down of a link: each change once, nothing twice.

Mutants that died here: the same state noted at each look; an attack that is over not noted; "over"
noted though nothing was tried; an attack that grows noted again; the loss of a link called a change
of its way.
"""

from groundstation.logbook import LOOK_NS, Logbook
from groundstation.station import StationStatus
from wire.summary import LinkSummary
from wire.trail import Topic

OWN, OTHER, NAMED = "aa" * 8, "bb" * 8, "cc" * 8


class Drone:
    """A link whose status a test sets, looked at once a second."""

    def __init__(self):
        self.logbook = Logbook("a", {"tower": NAMED})
        self.now_ns = 0
        self.state, self.path, self.replayed, self.generation = "none", "udp", 0, 0
        self.holder, self.suspect = OWN, False

    def look(self):
        summary = LinkSummary()
        summary.dropped = {"replayed": self.replayed}
        summary.generation = self.generation
        status = StationStatus(
            state=self.state,
            path=self.path,
            heard_s=1.23,
            telemetry_age_s=None,
            link=summary,
            authority={
                "holder_id": self.holder,
                "own_id": OWN,
                "navigation_suspect": self.suspect,
            },
            suite="x",
            psk_generation=0,
            drone_boot_count=1,
            log_head=None,
            revocation_serial=None,
        )
        self.now_ns += LOOK_NS
        assert self.logbook.deadline_ns() <= self.now_ns
        return [(event.topic, event.text) for event in self.logbook.look(status, self.now_ns)]


def test_each_change_once():
    drone = Drone()
    assert drone.look() == [(Topic.AUTHORITY, "in command: this station")]
    assert drone.look() == []
    drone.state, drone.generation = "live", 1
    assert drone.look() == [(Topic.LINK, "up, by udp"), (Topic.SESSION, "session 1")]
    assert [drone.look() for _ in range(5)] == [[]] * 5
    drone.path = "radio"
    assert drone.look() == [(Topic.LINK, "up, by radio")]
    drone.state = "lost"
    assert drone.look() == [(Topic.LINK, "lost: last heard 1.2 s ago")]
    drone.holder = OTHER
    assert drone.look() == [(Topic.AUTHORITY, f"in command: station {OTHER[:8]}")]
    drone.holder = NAMED
    assert drone.look() == [(Topic.AUTHORITY, "in command: tower")]
    drone.holder = "00" * 8
    assert drone.look() == [(Topic.AUTHORITY, "in command: nobody")]
    drone.suspect = True
    assert drone.look() == [(Topic.NOTE, "navigation suspect")]
    drone.suspect = False
    assert drone.look() == [(Topic.NOTE, "navigation alarm cleared")]


def test_an_attack_begins_and_is_over():
    drone = Drone()
    drone.state = "live"
    drone.look()
    drone.replayed = 40
    assert drone.look() == [(Topic.ATTACK, "40 replayed refused in 10 s")]
    drone.replayed = 70
    assert drone.look() == []
    said = [event for _ in range(15) for event in drone.look()]
    assert said == [(Topic.ATTACK, "over")]

"""What is told of a drone, with a real companion at the other end of a real link.

Mutants killed: telemetry is published again without news; a stale value has age 0; the slug follows
the system id; an alert stays after its reason has gone; a mode change is told each second; the
drone's text is cut after its first part; lost events are not told; `seq` is shared by all topics.
"""

import hashlib
import json

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.mqtt import ROOT, Bulletin, gateway_topic, slug
from groundstation.outbox import MAX_EVENTS
from tests.world import MS, S, World

NAME = "tsubame-1"
WALL_MS = 1_700_000_000_000


class Site:
    """One drone's bulletin, and everything a broker would have got."""

    def __init__(self, random_bytes):
        self.world = World(random_bytes)
        self.key = self.world.grounds["a"].disk.peer_static_public
        self.base = f"{ROOT}/north/{slug(NAME, self.key)}"
        self.bulletin = Bulletin("north", {NAME: self.world.station()}, {NAME: self.key})
        self.got = []

    def run(self, ms, armed=False):
        for _ in range(0, ms, 100):
            self.world.run(100, armed=armed)
            ground = self.world.grounds["a"]
            if ground.tools:
                self.bulletin.vehicles[NAME].receive(ground.tools, self.world.now)
                ground.tools = b""
            self.bulletin.tick(self.world.now, WALL_MS + self.world.now // MS)
            self.drain()

    def drain(self):
        outbox = self.bulletin.outbox
        while (message := outbox.head()) is not None:
            self.got.append(message)
            outbox.sent(message)

    def say(self, *messages):
        for message in messages:
            frame = bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1)))
            self.world.companion.receive_line(frame, self.world.now)

    def at(self, topic):
        """Return what came on a topic, and forget it."""
        full = topic if topic.startswith(ROOT) else f"{self.base}/{topic}"
        found = [message for message in self.got if message.topic == full]
        self.got = [message for message in self.got if message.topic != full]
        return [json.loads(message.payload or b"null") for message in found]

    def retained(self, topic):
        return self.at(topic)[-1]


def battery(percent):
    return dialect.MAVLink_sys_status_message(0, 0, 0, 0, 12000, 1000, percent, 0, 0, 0, 0, 0, 0)


def position(lat):
    return dialect.MAVLink_global_position_int_message(1, lat, 1490000000, 584000, 0, 0, 0, 0, 0)


@pytest.fixture
def site(random_bytes):
    site = Site(random_bytes)
    site.run(2500)
    return site


def test_the_name_in_topics_is_the_key():
    assert slug("Tsubame 1", b"k" * 32) == f"tsubame-1-{hashlib.sha256(b'k' * 32).hexdigest()[:8]}"
    assert slug(NAME, b"k" * 32) != slug(NAME, b"l" * 32)
    assert slug("+/#", b"k" * 32).startswith("drone-")


def test_who_is_there(site):
    assert site.retained(gateway_topic("north")) == {"schema": 1, "state": "online"}
    assert site.retained("conn") == {"schema": 1, "state": "online"}
    assert site.retained("info")["name"] == NAME
    site.world.down = lambda name, datagram, path: []
    site.run(3000)
    assert site.retained("conn")["state"] == "broken"
    site.bulletin.farewell()
    site.drain()
    assert site.retained("conn")["state"] == "offline"
    assert site.retained(gateway_topic("north"))["state"] == "offline"


def test_telemetry_follows_what_comes_and_says_how_old_it_is(site):
    site.at("telemetry/position")
    site.run(1000)
    assert site.at("telemetry/position") == []
    site.say(position(-353600000))
    site.run(1000)
    (told,) = site.at("telemetry/position")
    assert told["latitude_deg"] == -35.36
    assert told["climb_m_s"] is None
    assert 0 <= told["age_s"] <= 0.2
    made_ms = told["ts"] - WALL_MS
    assert 0 <= site.world.now // MS - made_ms <= 1200
    for number in range(50):
        site.say(position(-353600000 + number))
        site.run(100)
    assert 22 <= len(site.at("telemetry/position")) <= 27
    site.run(3000)
    state = site.retained("state")
    assert state["position"]["age_s"] > 2
    assert state["armed"] is False


def test_every_topic_counts_for_itself(site):
    site.got.clear()
    site.say(position(1))
    site.run(2100)
    assert [told["seq"] for told in site.at("telemetry/position")] == [1]
    numbers = [told["seq"] for told in site.at("state")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_alerts_stay_until_they_are_over(site):
    site.say(battery(20))
    site.run(1200)
    alert = site.retained("alert")
    assert {"level": "caution", "text": "Battery 20 %"} in alert["alerts"]
    site.say(battery(90))
    site.run(1200)
    left = site.at("alert")
    assert left
    assert left[-1] is None or "Battery 20 %" not in str(left[-1])


def test_an_alert_that_is_over_leaves_nothing_retained(random_bytes):
    site = Site(random_bytes)
    site.run(4000)
    site.at("alert")
    site.world.down = lambda name, datagram, path: []
    site.run(3000)
    assert site.retained("alert")["alerts"][0]["level"] == "alarm"
    site.world.down = lambda name, datagram, path: [datagram]
    site.run(14_000)
    assert site.at("alert")[-1] is None


def test_events_tell_each_change_once(site):
    site.at("event")
    site.run(2000, armed=True)
    events = site.at("event")
    assert [e["value"] for e in events if e["kind"] == "armed"] == [True]
    site.run(3000, armed=True)
    assert [e for e in site.at("event") if e["kind"] in ("armed", "mode")] == []


def test_a_long_text_is_told_whole(site):
    first = b"x" * 50
    site.say(dialect.MAVLink_statustext_message(4, first, 7, 0))
    site.run(100)
    site.say(dialect.MAVLink_statustext_message(4, b"end", 7, 1))
    site.run(1000)
    texts = [event["value"] for event in site.at("event") if event["kind"] == "text"]
    assert texts == ["x" * 50 + "end"]


def test_lost_events_are_told(site):
    outbox = site.bulletin.outbox
    vehicle = site.bulletin.vehicles[NAME]
    while not outbox.is_full:
        vehicle._event({"kind": "text"}, WALL_MS, 0.0)
    for _ in range(3):
        vehicle._event({"kind": "text"}, WALL_MS, 0.0)
    site.got.clear()
    site.drain()
    assert len(site.at("event")) == MAX_EVENTS
    site.say(dialect.MAVLink_statustext_message(4, b"after", 0, 0))
    site.run(1000)
    lost, after = site.at("event")[:2]
    assert (lost["kind"], lost["value"]) == ("events_lost", 3)
    assert after["value"] == "after"


def test_nothing_is_retained_but_what_may_be(site):
    site.say(battery(20), position(5))
    site.run(2 * S // MS, armed=True)
    for message in site.got:
        name = message.topic.rpartition("/")[2]
        assert message.retain == (name in ("conn", "info", "state", "alert")), message
        assert message.qos == (0 if "telemetry" in message.topic or name == "state" else 1)

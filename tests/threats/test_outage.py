"""Rows 13, 14, 15 and 30 of the threat table, and how fast the link is back after a restart.

Mutants killed (docs/decisions/0014-mutants.md): acknowledgement that grows by itself; no retry
before a second; session given up after 180 s.
"""

import itertools
import os
import random

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.generation import LIFETIME_NS
from sim.channel.air import Air
from sim.channel.script import Conditions, Phase, Script, Way
from tests.world import MS, S, World, command, heartbeat

RTL = command(20)
ARM = command(400, 1)
TRIALS = int(os.environ.get("SEKISHO_TRIALS", "40"))


def pack(message, sysid=1, compid=1):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


GROUND_HEARTBEAT = pack(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3), 255, 190)


@pytest.fixture
def world(random_bytes):
    world = World(random_bytes)
    world.run(3000)
    assert world.executes(RTL)
    return world


def block(world, *ways):
    for way in ways:
        setattr(world, way, lambda name, datagram, path: [])


def unblock(world):
    world.up = world.down = lambda name, datagram, path: [datagram]


@pytest.mark.parametrize("seconds", [1, 5, 30, 300])
def test_threat_13_blackhole(world, seconds):
    """What the ground says once a second is there or it is not: the autopilot's own failsafe sees
    one gap, as long as the outage, and the link is back within seconds of its end."""
    heard_ns = []

    def fly(ms):
        for _ in range(0, ms, 100):
            if world.now // S != (world.now - 100 * MS) // S:
                world.station().send([GROUND_HEARTBEAT], world.now)
            world.line.clear()
            world.run(100, 50)
            heard_ns.extend([world.now] * world.line.count(GROUND_HEARTBEAT))

    fly(5000)
    block(world, "up", "down")
    begun_ns = world.now
    fly(seconds * 1000)
    assert not [t for t in heard_ns if t > begun_ns + 100 * MS]
    if seconds > 1:
        assert world.station().status(world.now).state == "lost"
        assert world.station().status(world.now).telemetry_age_s > seconds - 1
    unblock(world)
    ended_ns = world.now
    fly(8000)
    gaps = [b - a for a, b in itertools.pairwise(heard_ns) if b - a > 1500 * MS]
    assert len(gaps) <= 1
    back_ns = min(t for t in heard_ns if t > ended_ns) - ended_ns
    assert back_ns <= 3 * S
    assert world.executes(RTL)


@pytest.mark.parametrize(
    ("seconds", "step"), [(1800, 1), pytest.param(23 * 3600, 10, marks=pytest.mark.slow)]
)
def test_threat_14_uplink_jammed(world, seconds, step):
    """Telemetry still opens, under keys a day old at most; and the ground knows what it cannot."""
    block(world, "up")
    world.far_end.answers = False
    status = world.station().status(world.now).link.frames_down
    sent = 1  # the drone says that the link is lost
    for _ in range(0, seconds, step):
        world.now += step * S
        world.companion.receive_line(heartbeat(), world.now)
        sent += 1
        world.companion.tick(world.now)
        world.station().tick(world.now)
        world.exchange()
    assert world.station().status(world.now).link.frames_down == status + sent
    age_s = world.station().status(world.now).telemetry_age_s
    assert age_s is None or age_s >= seconds - step
    assert seconds * S < LIFETIME_NS
    # And what was commanded all the while is not executed when the jammer tires.
    unblock(world)
    world.line.clear()
    world.run(5000)
    assert RTL not in world.line
    assert world.executes(RTL)


@pytest.mark.parametrize("hidden", ["everything", "all but one in five"])
def test_threat_15_selective_drop_of_acknowledgements(world, hidden):
    """What the drone says is hidden: commands become stale, and are refused with a reason."""
    rng = random.Random(15)
    share = 0 if hidden == "everything" else 0.2
    world.down = lambda name, datagram, path: [datagram] if rng.random() < share else []
    world.run(2500)
    uplink = world.companion.stations["a"].uplink
    executed = world.executes(ARM)
    if hidden == "everything":
        assert not executed
        assert uplink.dropped["stale"] == 1
        assert world.station().status(world.now).state == "lost"
    unblock(world)
    world.run(3000)
    # Held back for longer than it may be: the refusal arrives, and says why.
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    world.station().send([ARM], world.now)
    world.exchange()
    late = held[:]
    unblock(world)
    world.run(1600)
    world.grounds["a"].tools = b""
    for datagram in late:
        world.receive_up("a", datagram)
    world.run(500)
    assert b"Refused: command is too old" in world.grounds["a"].tools
    assert world.executes(ARM)


def test_threat_30_health_of_navigation_reaches_the_ground_unchanged(world):
    """Fixes, and the estimator's own doubts; a monitor that judges them is a later matter."""
    reports = [
        pack(dialect.MAVLink_gps_raw_int_message(0, 1, 0, 0, 0, 9999, 9999, 0, 0, 4)),
        pack(dialect.MAVLink_ekf_status_report_message(0x400, 2.5, 1.5, 0.1, 0.2, 0.0)),
        pack(dialect.MAVLink_statustext_message(2, b"GPS Glitch or Compass error")),
    ]
    world.grounds["a"].tools = b""
    for report in reports:
        world.companion.receive_line(report, world.now)
    world.run(200)
    assert all(world.grounds["a"].tools.count(report) == 1 for report in reports)


class Distant(World):
    """A world with 120 ms there and back; what else the air does may be played."""

    def __init__(self, rng):
        self.air = Air(distant(0.0, rng.randrange(1 << 32)))
        super().__init__(rng.randbytes)
        self.up = lambda name, datagram, path: self.send(Way.FORTH, datagram)
        self.down = lambda name, datagram, path: self.send(Way.BACK, datagram)

    def send(self, way, datagram):
        self.air.send(way, datagram, self.now)
        return []

    def exchange(self):
        super().exchange()
        for way, datagram in self.air.outgoing(self.now):
            (self.receive_up if way is Way.FORTH else self.receive_down)("a", datagram)


def distant(loss, seed=0):
    return Script((Phase(0.0, Conditions(delay_ms=60.0, loss=loss)),), seed)


def relink_s(seed, side, loss):
    """Return how long after a restart of one end both speak under new keys."""
    rng = random.Random(seed)
    world = Distant(rng)
    world.run(8000 + rng.randrange(1000), 20)  # the ratchet is over
    world.air.play(distant(loss), world.now)
    world.boot() if side == "drone" else world.grounds["a"].boot()
    begun = world.now
    while True:
        world.run(10)
        session = world.station()._link.session
        live = world.companion.link.peers["a"].live
        if (
            session is not None
            and live is not None
            and live.transcript == session.transcript
            and world.station().is_live(world.now)
        ):
            return (world.now - begun) / S
        assert world.now - begun < 120 * S


@pytest.mark.slow
@pytest.mark.parametrize("side", ["drone", "ground"])
@pytest.mark.parametrize(("loss", "limit_s"), [(0, 1.6), (0.1, 2.0), (0.3, 4.5)])
def test_relink_after_a_restart(side, loss, limit_s):
    """Restart of either end, RTT 120 ms: the 95th percentile of `SEKISHO_TRIALS`."""
    times = sorted(relink_s(seed, side, loss) for seed in range(TRIALS))
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"{side} restarted, {loss:.0%} loss: p50 {p50:.2f} s, p95 {p95:.2f} s")
    assert p95 <= limit_s

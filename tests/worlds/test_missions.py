"""Whole flights on one clock: vehicles, companions, air, gateway, policy, failsafe and recorder.

Mutants killed: a replay window that accepts everything (more often than sent); no limit of age (a
heartbeat after 3 s); an autopilot whose own failsafe sleeps (RTL by the companion's ladder, 8 s).
"""

import os
import subprocess
import sys

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.log_chain import LogState
from crypto.log_reader import open_sealed_log
from sekisho.world.operator import AUTO, RTL
from sekisho.world.world import START_NS, Setting
from sim.simulation import FINE
from tests.worlds.flights import LONG, SHORT, WIDE, S, check, fly, script, weather
from wire.mavlink import FrameSplitter

BOUND_S = 7.0  # docs/failsafe.md: T1 + FS_GCS_TIMEOUT + 1 s


def recorded(world, strand):
    """Open the sealed recordings of a drone; return each one's frames."""
    flights = []
    for file in strand.evidence.flights:
        chunks, verdict = open_sealed_log(world.log_key, bytes(file))
        assert verdict.state is LogState.CLEAN
        tlog = b"".join(chunk.data for chunk in chunks)
        flights.append(FrameSplitter().receive(tlog))
    return flights


def messages(frames, number):
    mavlink = dialect.MAVLink(None)
    wanted = number.to_bytes(3, "little")
    return [mavlink.decode(bytearray(f)) for f in frames if f[7:10] == wanted]


def landed(world):
    for strand in world.strands:
        assert strand.operator.is_done, strand.operator.texts[-5:]
        assert not strand.vehicle.autopilot.vehicle.flight.armed
        assert strand.vehicle.body.on_ground[0]


@pytest.mark.slow
def test_a_ten_minute_mission_and_its_sealed_recording():
    world, account = fly(lambda account: Setting(script(LONG), parameters=WIDE, witness=account))
    landed(world)
    assert (world.now_ns - START_NS) / S > 600.0
    check(world, account)
    strand = world.strands[0]
    (flight,) = recorded(world, strand)
    heartbeats = [m for m in messages(flight, 0) if m.get_srcComponent() == 1]
    armed = [bool(m.base_mode & 128) for m in heartbeats]
    assert (armed[0], any(armed), armed[-1]) == (False, True, False)
    assert len(heartbeats) > 580
    reached = [m.seq for m in messages(flight, dialect.MAVLINK_MSG_ID_MISSION_ITEM_REACHED)]
    assert reached == list(range(1, len(LONG)))
    # What was let through to the autopilot stands in the recording, from the last half minute on.
    frames = set(flight)
    late = [frame for when, _, frame in account.executed if when > START_NS + 60 * S]
    assert len(late) > 500
    assert frames.issuperset(late)
    audit, verdict = open_sealed_log(world.log_key, bytes(strand.evidence.audit))
    assert verdict.state is LogState.CLEAN
    text = b"".join(chunk.data for chunk in audit)
    assert b"session 1" in text
    assert b'"stop"' in text


STORMS = {
    "loss": weather((0, {"loss": 0.3, "delay_ms": 40})),
    "bursts": weather((0, {"burst": {"begin": 0.02, "end": 0.1}, "jitter_ms": 100})),
    "disorder": weather(
        (0, {"reorder": 0.3, "reorder_ms": 300, "duplicate": 0.3, "delay_ms": 20, "jitter_ms": 20})
    ),
    "attack": weather(
        (0, {"replay_per_s": 100, "inject_per_s": 20, "reflect": 0.2, "flip": 0.1, "truncate": 0.1})
    ),
    "holding": weather(
        *((15 * k + t, {"hold": t == 0, "hold_bytes": 60}) for k in range(3, 40) for t in (0, 3))
    ),
    "slow line": weather((0, {"bytes_per_s": 6000, "buffer_bytes": 4000, "delay_ms": 100})),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STORMS)
def test_a_mission_through_a_hostile_link(name):
    world, account = fly(
        lambda account: Setting(script(SHORT), seed=4, weather=STORMS[name], witness=account)
    )
    check(world, account)
    landed(world)
    strand = world.strands[0]
    for flight in recorded(world, strand):
        assert len(flight) > 300
    counts = strand.air.counts
    assert counts["sent"] > 500
    done = {"loss": "lost", "bursts": "lost", "disorder": "reordered", "attack": "replayed"}
    assert counts[done.get(name, "arrived")] > 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_link_that_is_lost_brings_the_vehicle_home_in_time(seed):
    begins = 60.0 + 0.37 * seed
    cut = weather((0, {}), (begins, {"blackout": True}), (begins + 40.0, {}), seed=seed)
    world, account = fly(
        lambda account: Setting(
            script(LONG), seed=seed, parameters=WIDE, weather=cut, witness=account
        )
    )
    landed(world)
    check(world, account)
    (flight,) = recorded(world, world.strands[0])
    # The air's phases begin with its first datagram, which is sent at the start.
    heard = max(when for when, _ in account.heard_up if when <= START_NS + begins * S)
    silence = [when for when, _ in account.heard_up if heard < when < heard + 35 * S]
    assert silence == []
    modes = [
        (m.custom_mode, bool(m.base_mode & 128))
        for m in messages(flight, 0)
        if m.get_srcComponent() == 1
    ]
    assert (AUTO, True) in modes
    assert modes[-1] == (RTL, False)
    entered = min(when for when, _, mode in account.modes if when > heard and mode == RTL)
    assert 2.0 < (entered - heard) / S <= BOUND_S
    texts = [m.text for m in messages(flight, dialect.MAVLINK_MSG_ID_STATUSTEXT)]
    assert "GCS Failsafe" in texts


ROUGH = weather((0, {"loss": 0.1, "delay_ms": 40, "jitter_ms": 40}))


@pytest.mark.slow
def test_a_fleet_flies_each_its_own_mission():
    world, account = fly(
        lambda account: Setting(
            script(SHORT), drones=13, witness=account, weather=ROUGH, wind=(5.0, 90.0)
        )
    )
    landed(world)
    check(world, account)
    assert {number for _, number, _ in account.executed} == set(range(13))
    heads = [bytes(strand.evidence.flights[0][:80]) for strand in world.strands]
    assert len(set(heads)) == 13


@pytest.mark.slow
def test_another_pace_flies_the_same_way():
    """Twenty decisions a second, a tick four times as long: apart by what is flown in 80 ms."""
    tracks = []
    for pace in ({}, {"pace": FINE}):
        track = []

        world, _ = fly(
            lambda account, pace=pace: Setting(script(SHORT), witness=account, **pace), 1.0
        )
        for _ in range(90):
            world.run(1.0)
            track.append(world.strands[0].vehicle.body.position_n[0].copy())
        tracks.append(track)
    off = [abs(a - b).max() for a, b in zip(*tracks, strict=True)]
    assert max(-p[2] for p in tracks[0]) > 11.0
    assert max(off) < 0.8, off
    assert sorted(off)[len(off) // 2] < 0.2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_another_process():
    def digest(seed, hash_seed):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-m", "tests.worlds.digest", seed],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        return done.stdout

    first = digest("5", "1")
    assert len(first) == 65
    assert digest("5", "77") == first
    assert digest("6", "1") != first

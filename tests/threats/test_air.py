"""Rows 1 to 8, 16, 17, 27, 28 and 29 of the threat table: whoever has the air, and no key.

Mutants killed (docs/decisions/0014-mutants.md): padding dropped.
"""

import itertools
import math
import os
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.messages import DATA_BIT, HS1_BYTES, HS2_BYTES, PATTERN, prologue
from crypto.noise import HandshakeState, Keys
from crypto.primitives import MAC_BYTES, InvalidTagError, KeyPair
from flightcore.policy import Freshness
from tests.fuzz.__main__ import TARGETS, rss_bytes, run
from tests.world import MS, S, World, command
from wire.records import PADDED_BYTES

RTL = command(20)
FRAMES = int(os.environ.get("SEKISHO_FRAMES", "1000000"))


def pack(message, sysid=255, compid=190):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


def condition_yaw(number):
    return command(115, 0, 0, number)


def list_parameters(number):
    return pack(dialect.MAVLink_param_request_read_message(1, 1, b"WPNAV_SPEED", number))


@pytest.fixture
def world(random_bytes):
    world = World(random_bytes)
    world.run(1000)
    assert world.executes(RTL)
    world.captured_up.clear()
    world.captured_down.clear()
    return world


def datagrams(captured):
    return [datagram for _, datagram, _ in captured]


# 1


def test_threat_01_eavesdrop_sees_no_plaintext(world):
    place = pack(dialect.MAVLink_global_position_int_message(1, 356812345, 1397671234, *[0] * 6), 1)
    plain = [list_parameters(1), RTL, place]
    for _ in range(100):
        world.companion.receive_line(place, world.now)
        world.station().send(plain[:2], world.now)
        world.run(40, 20)
    air = b"".join(datagrams(world.captured_up)) + b"".join(datagrams(world.captured_down))
    assert world.station().status(world.now).link.frames_down > 100
    for frame in plain:
        assert frame[10:-2] not in air
    for secret in (b"WPNAV", (356812345).to_bytes(4, "little"), b"tsubame"):
        assert secret not in air
    sealed = b"".join(datagram[4:] for datagram in datagrams(world.captured_up))
    counts = Counter(sealed)
    entropy = -sum(n / len(sealed) * math.log2(n / len(sealed)) for n in counts.values())
    assert entropy > 7.95


def test_threat_01_eavesdrop_all_long_term_keys_leaked_afterwards(world, suite):
    """Both ends' whole disks, first and last key included, open no frame of the capture."""
    before = world.grounds["a"].disk, world.pairs_on_disk["a"]
    world.grounds["a"].boot()
    world.run(5000)
    air = world.captured_up + world.captured_down
    after = world.grounds["a"].disk, world.pairs_on_disk["a"]
    assert after[0].psk != before[0].psk
    ground, drone = before
    profile = ground.profile
    hs1 = next(d for d in datagrams(world.captured_up) if d[0] == 1)
    thief = HandshakeState(
        profile.noise(PATTERN),
        Keys(KeyPair(drone.static_private), drone.peer_static_public, (drone.psk_of(hs1[2]),)),
        random.Random(5).randbytes,
        initiator=False,
        prologue=prologue(profile, drone.drone_id, drone.gcs_id, hs1[:4]),
    )
    thief.read_message(hs1[4:-MAC_BYTES])  # the 8 bytes of HS1 say a boot count: known and accepted
    thief.write_message(bytes(16))
    keys = [thief.split().initiator_key, thief.split().responder_key]
    for record in (*before, *after):
        values = [getattr(record, name) for name in record.__struct_fields__]
        keys += [value for value in values if isinstance(value, bytes) and len(value) == 32]
    ciphers = [profile.aead(key) for key in set(keys)]
    frames = [d for d in datagrams(air) if d[0] & DATA_BIT]
    assert len(frames) > 100
    for datagram in frames:
        nonce = bytes(4) + int.from_bytes(datagram[1:4], "big").to_bytes(8, profile.nonce_order)
        for cipher in ciphers:
            with pytest.raises(InvalidTagError):
                cipher.decrypt(nonce, datagram[4:], datagram[:4])


# 2


def test_threat_02_inject_every_flipped_bit(random_bytes):
    """Of every kind of datagram that a flight has, in both directions."""
    world = World(random_bytes)
    world.run(40, 20)
    world.station().send([RTL], world.now)
    world.run(400, 20)
    ups = {(d[0] & 0xC0 or d[0], len(d)): d for d in datagrams(world.captured_up)}
    downs = {(d[0] & 0xC0 or d[0], len(d)): d for d in datagrams(world.captured_down)}
    assert len(ups) >= 2
    assert len(downs) >= 3
    world.run(500)
    state = world.station().status(world.now).link.frames_down
    world.line.clear()
    world.companion.outgoing_link()
    for datagram in ups.values():
        for bit in range(8 * len(datagram)):
            flipped = bytearray(datagram)
            flipped[bit // 8] ^= 1 << bit % 8
            world.companion.receive_link(bytes(flipped), ("10.0.0.66", 1), world.now)
    assert world.companion.outgoing_link() == []
    assert world.companion.outgoing_line() == b""
    for datagram in downs.values():
        for bit in range(8 * len(datagram)):
            flipped = bytearray(datagram)
            flipped[bit // 8] ^= 1 << bit % 8
            assert world.station().receive_link(bytes(flipped), world.now) == b""
    assert world.station().outgoing() == []
    assert world.station().status(world.now).link.frames_down == state
    assert world.executes(RTL)


@pytest.mark.slow
def test_threat_02_inject_random_frames(world):
    """`SEKISHO_FRAMES` of them: about five seconds for a million."""
    rng = random.Random(2)
    peers = world.companion.link.peers.values()
    sessions = [s.generation.local_index for peer in peers for s in peer.sessions]
    for _ in range(FRAMES):
        frame = bytearray(rng.randbytes(rng.choice((21, 25, 76, 84, 96, 240))))
        frame[0] = rng.choice((1, 2, DATA_BIT | rng.choice(sessions), frame[0]))
        world.companion.receive_link(bytes(frame), ("10.0.0.66", 1), world.now)
    assert world.companion.outgoing_link() == []
    assert world.companion.outgoing_line() == b""
    assert world.companion.link.dropped.total() >= FRAMES
    assert world.executes(RTL)


# 3, 4


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_threat_03_replay_within_a_session(seed):
    rng = random.Random(seed)
    world = World(rng.randbytes)
    world.run(500, 20)
    world.captured_up.clear()
    world.line.clear()
    frames = [condition_yaw(n) if n % 2 else list_parameters(n) for n in range(1, 15)]
    for frame in frames:
        world.station().send([frame], world.now)
        world.run(20, 20)
    replayed = datagrams(world.captured_up) * 3
    rng.shuffle(replayed)
    for datagram in replayed:
        world.receive_up("a", datagram)
        world.run(20, 20) if rng.random() < 0.05 else None
    world.run(20, 20)
    assert [f for f in world.line if f in frames] == frames


@pytest.mark.parametrize("restarted", ["drone", "ground", "both"])
def test_threat_04_replay_of_a_whole_flight_after_a_restart(world, restarted):
    for n in range(20):
        world.station().send([condition_yaw(n), list_parameters(n)], world.now)
        world.run(200, 20)
    recorded_up, recorded_down = datagrams(world.captured_up), datagrams(world.captured_down)
    if restarted != "ground":
        world.boot()
    if restarted != "drone":
        world.grounds["a"].boot()
    world.run(3000, 20)
    live = world.companion.link.peers["a"].live
    session = world.station()._link.session
    world.line.clear()
    world.grounds["a"].tools = b""
    for datagram in recorded_up:
        world.companion.receive_link(datagram, ("10.0.0.66", 1), world.now)
        assert world.station().receive_link(datagram, world.now) == b""
    for datagram in recorded_down:
        assert world.station().receive_link(datagram, world.now) == b""
        world.companion.receive_link(datagram, ("10.0.0.66", 1), world.now)
    assert world.companion.outgoing_line() == b""
    assert world.companion.link.peers["a"].live is live
    assert world.station()._link.session is session
    assert world.executes(RTL)


# 5, 6, 7


@pytest.mark.parametrize("delay_ms", [100, 390, 410, 1490, 1510, 5010, 9900, 10_100, 30_000])
@pytest.mark.parametrize(
    ("frame", "limit"),
    [
        (pack(dialect.MAVLink_manual_control_message(1, 1, 2, 3, 4, 0)), Freshness.CONTROL),
        (condition_yaw(7), Freshness.COMMAND),
        (list_parameters(7), Freshness.TRANSFER),
        (RTL, Freshness.SAFE),
    ],
)
def test_threat_05_delay(world, frame, limit, delay_ms):
    """A command held back, and everything after it dropped: it executes in time or never."""
    held = []
    world.up = lambda name, datagram, path: held.append(datagram) or []
    world.line.clear()
    world.station().send([frame], world.now)
    world.exchange()
    released = held[:]
    world.run(delay_ms)
    assert frame not in world.line
    for datagram in released:
        world.receive_up("a", datagram)
    world.exchange()
    if delay_ms * MS > limit:
        assert frame not in world.line
    # What the ground had heard was at most one status old.
    elif delay_ms * MS < limit - 250 * MS:
        assert frame in world.line


def test_threat_06_reorder(world):
    """Of eight frames in any order: commands never backwards, transfers each once, as a model."""
    rng = random.Random(6)
    for _ in range(150):
        held = []
        world.up = lambda name, datagram, path, held=held: held.append(datagram) or []
        first = world.now // MS % (1 << 20)
        frames = [condition_yaw(first + n) if n % 2 else list_parameters(n) for n in range(8)]
        for frame in frames:
            world.station().send([frame], world.now)
        world.exchange()
        order = list(range(8))
        rng.shuffle(order)
        world.line.clear()
        for n in order:
            world.receive_up("a", held[n])
        world.exchange()
        tops = itertools.accumulate((n for n in order if n % 2), max)
        expected = [frames[n] for n in dict.fromkeys(tops)]
        assert [f for f in world.line if f in frames[1::2]] == expected
        assert sorted(f for f in world.line if f in frames[::2]) == sorted(frames[::2])
        world.up = lambda name, datagram, path: [datagram]
        world.run(100)


def test_threat_07_reflection(world):
    world.station().send([RTL], world.now)
    world.run(500)
    world.line.clear()
    up, down = datagrams(world.captured_up), datagrams(world.captured_down)
    dropped = world.companion.link.dropped.total()
    for datagram in down:
        world.companion.receive_link(datagram, ("10.0.0.66", 1), world.now)
    assert world.companion.link.dropped.total() == dropped + len(down)
    assert world.companion.outgoing_link() == []
    assert world.companion.outgoing_line() == b""
    assert all(world.station().receive_link(datagram, world.now) == b"" for datagram in up)
    assert world.station()._link.dropped.total() >= len(up)
    assert world.executes(RTL)


# 8, 16, 17


def test_threat_08_handshakes_replayed_a_thousand_times(world):
    """Recorded and never answered, so that none is a replay to the drone: the worst case."""
    recorded = []
    world.up = lambda name, datagram, path: recorded.append(datagram) or []
    world.grounds["a"].boot()
    world.run(60_000, 50)
    recorded = [datagram for datagram in recorded if len(datagram) == HS1_BYTES]
    assert len(recorded) > 50
    world.up = lambda name, datagram, path: [datagram]
    world.grounds["a"].boot()
    world.run(3000, 20)
    live = world.companion.link.peers["a"].live
    world.captured_down.clear()
    for n in range(1000):
        world.companion.receive_link(recorded[n % len(recorded)], ("10.0.0.66", 1), world.now)
        world.run(10, 10)
    answers = [d for d in datagrams(world.captured_down) if len(d) == HS2_BYTES]
    assert len(answers) <= 10 + 5 * 10
    assert world.companion.link.peers["a"].live is live
    assert world.executes(RTL)


def probes(world, rng):
    """Return a datagram as a scanner would send, or one that begins as ours do."""
    data = bytearray(rng.randbytes(rng.choice((0, 1, 4, 8, 20, 21, 25, 60, 76, 84, 96, 240, 1400))))
    if data and rng.random() < 0.8:
        data[0] = rng.choice((1, 2, DATA_BIT | rng.randrange(64), 0xC0, 0xFD, 0xFE))
        if len(data) > 3 and data[0] == 1:
            data[1:4] = bytes((1, 0, rng.randrange(64)))
    return bytes(data)


@pytest.mark.parametrize("is_up", [False, True])
def test_threat_16_probes_get_no_byte(random_bytes, is_up):
    world = World(random_bytes)
    world.run(1000 if is_up else 0)
    rng = random.Random(16)
    world.companion.outgoing_link()
    for _ in range(50_000):
        world.companion.receive_link(probes(world, rng), ("10.0.0.66", 1), world.now)
    assert world.companion.outgoing_link() == []
    assert world.companion.outgoing_line() == b""
    assert world.companion.outgoing_notes() == []


def test_threat_17_flood(world):
    """Junk between all that is genuine: everything genuine passes, and nothing is kept."""
    rng = random.Random(17)
    junk = [probes(world, rng) for _ in range(2000)]
    world.line.clear()
    held = 0
    for n in range(1, 31):
        for datagram in junk:
            world.companion.receive_link(datagram, ("10.0.0.66", 1), world.now)
            world.station().receive_link(datagram, world.now)
        world.station().send([condition_yaw(n)], world.now)
        world.run(40, 20)
        held = held or rss_bytes()
    assert [f for f in world.line if f[5] == 255] == [condition_yaw(n) for n in range(1, 31)]
    assert rss_bytes() - held < 4_000_000
    assert len(world.companion.link.dropped) <= 8


# 27, 28, 29


@pytest.mark.parametrize("name", TARGETS)
def test_threat_27_malformed_input(name):
    """The fuzz targets; tests/fuzz gives them more."""
    run(name, 500, seed=27, is_quiet=True)


def lengths_up(world, frames):
    world.captured_up.clear()
    for frame in frames:
        world.station().send([frame], world.now)
        world.run(100, 20)
    sizes = {len(datagram) for datagram in datagrams(world.captured_up) if datagram[0] & DATA_BIT}
    return sizes, datagrams(world.captured_up)


def test_threat_28_traffic_analysis(world):
    """Uplink lengths are of the given few, and a command is as long as nothing to say."""
    world.run(3000)  # past the ratchet
    idle, _ = lengths_up(world, [])
    world.run(2000)
    idle = {len(d) for d in datagrams(world.captured_up)}
    assert idle == {PADDED_BYTES[0]}
    commands = [command(n, 1, 2, 3, 4, 5, 6, 7) for n in (20, 21, 22, 115, 178, 300, 400)]
    commands += [pack(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)), list_parameters(2)]
    sizes, _ = lengths_up(world, commands)
    assert sizes == idle
    rng = random.Random(28)
    long = []
    for _ in range(20):
        data = [0, 0, 0, 4, *rng.choices(range(256), k=rng.randrange(1, 247))]
        data += [0] * (251 - len(data))  # which MAVLink cuts off
        long.append(pack(dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, data)))
    sizes, _ = lengths_up(world, long)
    world.station().send(long + commands, world.now)
    world.run(100)
    assert {len(d) for d in datagrams(world.captured_up)} <= set(PADDED_BYTES)


def test_threat_29_log_flooding_by_strangers(world):
    """Ten minutes of junk leave counters and not a line."""
    rng = random.Random(29)
    junk = [probes(world, rng) for _ in range(50)]
    world.notes.clear()
    for _ in range(600):
        for datagram in junk:
            world.companion.receive_link(datagram, ("10.0.0.66", 1), world.now)
        world.run(1000, 100)
    assert len([note for note in world.notes if "session" not in note]) <= 2
    assert len(world.notes) < 20
    assert world.now > 600 * S

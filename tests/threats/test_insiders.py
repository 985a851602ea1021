"""Rows 9, 10 and 18 to 26 of the threat table: stolen keys, other stations, numbers that run out.

Mutants killed (docs/decisions/0014-mutants.md): HS1 answered before its MAC is checked; PSK mixed
in as zeros; a confirmation outlives the epoch; a nonce is used twice; a slot that differs is never
cleared; a suspended station is still answered; ciphertext not in the ratchet; generation not in the
ratchet; ground tries the newest key only; no hard stop; no se in the handshake; old key not in the
ratchet; one label for key and confirmation; provisional outlives the slot it was made under;
transcript not in the ratchet; two ratchets are written at a time; while it is heard the ground
tries the newest only.
"""

import hashlib
import hmac
import random

import pytest
from fastcrc.crc16 import mcrf4xx
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.generation import COUNTER_LIMIT, CounterExhaustedError
from crypto.initiator import Initiator
from crypto.messages import HS1_BYTES, PATTERN, add_mac, hs1_header, prologue
from crypto.noise import HandshakeState, Keys
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.primitives import MAC_BYTES, AuthenticationError, KeyPair
from crypto.ratchet import next_psk
from crypto.responder import Responder
from crypto.suites import AES, CHACHA
from tests.nonces import recorded
from tests.property.test_psk_commit import PskCommit
from tests.world import MS, SlowWorld, World, command
from wire.authority import NOBODY, Answer, Verb
from wire.mavlink import CRC_EXTRA, MESSAGE_NAME

RTL = command(20)
MALLORY = ("10.0.0.66", 666)


def pack(message, sysid=255, compid=190):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


# 9, 10


class StolenStatic:
    """The ground's static key as a thief of the drone's can use it: `ss` is the drone's own secret
    with the ground's public key; nothing else."""

    def __init__(self, drone, ground_public, random_bytes):
        self.public = ground_public
        self._drone = drone
        self._random = KeyPair(random_bytes(32))

    def exchange(self, public):
        if public == self._drone.public:
            return self._drone.exchange(self.public)
        return self._random.exchange(public)


def test_threat_09_kci_stolen_drone_keys_do_not_impersonate_the_ground(pair, random_bytes):
    """With everything the drone has. HS1 is accepted (KK's first message is open to KCI) and worth
    nothing: what would confirm the session takes the ground's own key."""
    drone_record, _ = pair
    profile = drone_record.profile
    drone = Responder([drone_record], 1, random_bytes)
    stolen = KeyPair(drone_record.static_private)
    header = hs1_header(profile, 0, 0)
    thief = HandshakeState(
        profile.noise(PATTERN),
        Keys(
            StolenStatic(stolen, drone_record.peer_static_public, random_bytes),
            stolen.public,
            (drone_record.psk,),
        ),
        random_bytes,
        initiator=True,
        prologue=prologue(profile, drone_record.drone_id, drone_record.gcs_id, header),
    )
    hs1 = add_mac(profile, drone_record.mac_initiator_key, header + thief.write_message(bytes(8)))
    (reply,) = drone.receive(hs1, MALLORY, 10**12)
    with pytest.raises(AuthenticationError):
        thief.read_message(reply.datagram[4:-MAC_BYTES])
    assert drone.peers[drone_record.peer].live is None
    assert drone.seal(drone_record.peer, b"", 10**12) is None


def test_threat_10_downgrade_every_kind_and_suite(pair, random_bytes):
    """Any first byte, any suite byte, with a MAC that fits: only the pair's own is answered."""
    (hs1,) = Initiator(pair[1], 1, random_bytes).outgoing(0)
    profile = pair[0].profile
    kinds = [bytes((n,)) + hs1[1:] for n in range(256)]
    kinds += [hs1[:1] + bytes((n,)) + hs1[2:] for n in range(256)]
    for datagram in kinds:
        datagram = add_mac(profile, pair[0].mac_initiator_key, datagram[:-MAC_BYTES])
        drone = Responder([pair[0]], 1, random_bytes)
        assert bool(drone.receive(datagram, MALLORY, 10**12)) == (datagram == hs1)


def test_threat_10_downgrade_to_plain_mavlink(random_bytes):
    world = World(random_bytes)
    world.run(1000)
    version_1 = RTL_1 = dialect.MAVLink_command_long_message(1, 1, 20, 0, *[0] * 7)
    mav = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
    plain = [RTL, bytes(version_1.pack(mav, force_mavlink1=True)), bytes(RTL_1.pack(mav))]
    for datagram in plain:
        world.companion.receive_link(datagram, MALLORY, world.now)
        assert world.station().receive_link(datagram, world.now) == b""
    assert world.companion.outgoing_line() == b""
    # Which `sekisho status` shows: somebody speaks MAVLink to a port that is not for it.
    assert world.companion.status(world.now).link.dropped["plaintext_mavlink"] == 3
    assert world.station().status(world.now).link.dropped["plaintext_mavlink"] == 3


# 18, 19, 20, 21


def secrets(*records):
    names = ("static_private", "mac_initiator_key", "mac_responder_key", "psk", "next_psk")
    return {getattr(record, name) for record in records for name in names} - {None}


def test_threat_18_stolen_drone_says_nothing_of_another(random_bytes):
    ground = Identity.create(random_bytes)
    pairs = [
        pair_in_lab(
            Identity.create(random_bytes),
            ground,
            PairNames(f"tsubame-{n}", "a", Role.COMMANDER),
            random_bytes,
        )
        for n in (1, 2)
    ]
    (stolen, _), (other, _) = pairs
    assert not secrets(stolen) & secrets(other)
    drone = Responder([other], 1, random_bytes)
    for datagram in (
        Initiator(stolen, 1, random_bytes).outgoing(0)[0],
        Initiator(pairs[0][1], 1, random_bytes).outgoing(0)[0],
    ):
        assert drone.receive(datagram, MALLORY, 0) == []
    assert drone.dropped["bad_mac"] == 2


def test_threat_18_stolen_drone_opens_no_older_flight(random_bytes):
    """After a ratchet the key of the flight before is on neither disk."""
    world = World(random_bytes)
    first = world.pairs_on_disk["a"].psk
    world.run(10_000)
    world.boot()
    world.run(5000)
    assert world.pairs_on_disk["a"].psk_generation > 0
    assert first not in secrets(world.pairs_on_disk["a"], world.grounds["a"].disk)
    assert first not in secrets(world.companion.link.peers["a"].record)


def test_threat_19_stolen_ground_is_shut_out_at_once(random_bytes):
    """Silence within a frame. Key files and revocation lists have tests of their own."""
    world = World(random_bytes, {"a": Role.COMMANDER, "s": Role.SUPERVISOR})
    world.run(2000)
    held = [world.station("a")._link.seal(RTL, world.now) for _ in range(3)]
    world.station("s").command.request(Verb.SUSPEND, world.grounds["a"].disk.gcs_id, world.now)
    world.run(100, 20)
    world.captured_down.clear()
    world.line.clear()
    for datagram in held:
        world.receive_up("a", datagram)
    world.grounds["a"].boot()
    world.run(5000)
    assert RTL not in world.line
    assert "a" not in {name for name, _, _ in world.captured_down}


def test_threat_20_observer_sends_every_command_and_message(random_bytes):
    world = World(random_bytes, {"a": Role.COMMANDER, "o": Role.OBSERVER})
    world.run(2000)
    frames = [command(number) for number in dialect.enums["MAV_CMD"] if number < 1 << 16]
    frames += map(raw, CRC_EXTRA)
    world.line.clear()
    for at in range(0, len(frames), 10):
        world.station("o").send(frames[at : at + 10], world.now)
        world.run(20, 20)
    assert [frame for frame in world.line if frame[5] == 255] == []
    assert world.companion.stations["o"].uplink.dropped["observer"] == len(frames) > 100
    assert world.executes(RTL, "a")


def hand_over(world, giver, taker):
    world.station(giver).command.request(
        Verb.HAND_OVER, world.grounds[taker].disk.gcs_id, world.now
    )
    world.run(60)
    world.station(taker).command.request(Verb.ACCEPT, NOBODY, world.now)
    world.run(60)


@pytest.mark.parametrize("changes", [1, 2, 3, 4])
def test_threat_21_stale_commander(random_bytes, changes):
    """A to B, and back: whatever A or B had sent before a change is no command after it."""
    world = World(random_bytes, {"a": Role.COMMANDER, "b": Role.COMMANDER})
    silent = {"b"}
    world.up = lambda name, datagram, path: [] if name in silent else [datagram]
    world.run(1000)
    silent.clear()
    world.run(2000)
    held = []
    for n in range(changes):
        world.up = lambda name, datagram, path: held.append((name, datagram)) or []
        for name in ("a", "b"):
            world.station(name).send([RTL], world.now)
        world.exchange()
        world.up = lambda name, datagram, path: [datagram]
        hand_over(world, *("ab" if n % 2 == 0 else "ba"))
        assert world.authority_on_disk.epoch == n + 1
        world.line.clear()
        for name, datagram in held:
            world.receive_up(name, datagram)
        world.exchange()
        assert RTL not in world.line
    assert world.executes(RTL, "ab"[changes % 2])
    assert not world.executes(RTL, "ba"[changes % 2])


# 22, 23


@pytest.mark.parametrize("verb", [Verb.ACCEPT, Verb.PREEMPT])
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("is_told", [False, True])
def test_threat_22_split_brain_crash_at_each_step_of_a_change(random_bytes, verb, count, is_told):
    """Before the write, after it and before anybody is told, and after that: one holder."""
    world = SlowWorld(random_bytes, {"a": Role.COMMANDER, "s": Role.SUPERVISOR})
    silent = {"s"}
    world.up = lambda name, datagram, path: [] if name in silent else [datagram]
    world.run(1000)
    silent.clear()
    world.run(4000)
    for attempt in range(2):
        if verb is Verb.ACCEPT:
            world.station("a").command.request(
                Verb.HAND_OVER, world.grounds["s"].disk.gcs_id, world.now
            )
            world.run(60)
        world.mode = "works" if is_told else "slow"
        world.station("s").command.request(verb, NOBODY, world.now)
        world.run(40)
        world.crash(count)
        world.mode = "works"
        world.station("s").command._request = None  # its operator does not insist
        world.run(4000)
        able = [name for name in "as" if world.executes(RTL, name)]
        changed = is_told or count == 1
        assert able == (["s"] if changed else ["a"]), attempt
        if changed:
            return


# What a sender without authentication could do to an autopilot: change its parameters, files and
# logs, reach its shell and its buses, replace its sensors, its position, its keys, its time.
AT_RISK = (
    "SERIAL_CONTROL",
    "SETUP_SIGNING",
    "HIL_GPS",
    "HIL_SENSOR",
    "HIL_STATE_QUATERNION",
    "GPS_INPUT",
    "GPS_INJECT_DATA",
    "GPS_RTCM_DATA",
    "VISION_POSITION_ESTIMATE",
    "VISION_SPEED_ESTIMATE",
    "GLOBAL_VISION_POSITION_ESTIMATE",
    "VICON_POSITION_ESTIMATE",
    "ATT_POS_MOCAP",
    "ODOMETRY",
    "SET_GPS_GLOBAL_ORIGIN",
    "SET_HOME_POSITION",
    "SYSTEM_TIME",
    "LOG_ERASE",
    "SET_ACTUATOR_CONTROL_TARGET",
    "PLAY_TUNE",
    "REMOTE_LOG_BLOCK_STATUS",
    "ADSB_VEHICLE",
    "LANDING_TARGET",
    "OBSTACLE_DISTANCE",
    "DISTANCE_SENSOR",
    "OPTICAL_FLOW",
    "RADIO_STATUS",
    "CAN_FRAME",
    "CANFD_FRAME",
    "CAN_FILTER_MODIFY",
    "DEVICE_OP_WRITE",
    "V2_EXTENSION",
    "TUNNEL",
    "RALLY_POINT",
    "FENCE_POINT",
    "PARAM_EXT_SET",
    "SAFETY_SET_ALLOWED_AREA",
    "CHANGE_OPERATOR_CONTROL",
    "DEBUG",
)
AT_RISK_COMMANDS = {
    "forced disarming": (400, 0, 21196),
    "forced arming": (400, 1, 2989),
    "flight termination": (185, 1),
    "restart": (246, 1),
    "bootloader": (246, 3),
    "shutdown": (246, 2),
    "parameters reset": (245, 2),
    "fence off": (207, 0),
    "motor test": (209, 1, 0, 50, 5),
    "servo": (183, 1, 2000),
    "relay": (181, 0, 1),
    "parachute": (208, 2),
    "bootloader flash": (42650, 0, 0, 0, 0, 290876),
    "start of magnetometer calibration": (42424, 0),
    "sensor replaced": (43003, 1),
    "bind a receiver": (500, 0),
}


def raw(number, payload=b"\x01"):
    """Return a frame of any message of the dialect; MAVLink takes missing bytes for zeros."""
    head = bytes((len(payload), 0, 0, 0, 255, 190)) + number.to_bytes(3, "little") + payload
    return b"\xfd" + head + mcrf4xx(head + CRC_EXTRA[number]).to_bytes(2, "little")


NUMBERS = {name: number for number, name in MESSAGE_NAME.items()}
FRAMES_AT_RISK = {
    **{name: raw(NUMBERS[name]) for name in AT_RISK},
    **{name: command(number, *params) for name, (number, *params) in AT_RISK_COMMANDS.items()},
    "failsafe off": pack(dialect.MAVLink_param_set_message(1, 1, b"FS_THR_ENABLE", 0.0, 2)),
    "file written": pack(
        dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, [0, 0, 0, 6, *[1] * 247])
    ),
}


@pytest.mark.parametrize("frame", FRAMES_AT_RISK.values(), ids=FRAMES_AT_RISK)
@pytest.mark.parametrize("armed", [False, True])
def test_threat_23_tampering_takes_two_steps_or_is_denied(random_bytes, frame, armed):
    world = World(random_bytes, {"a": Role.SUPERVISOR})
    world.run(2100, armed=armed)
    world.line.clear()
    world.station().send([frame], world.now)
    world.run(500, armed=armed)
    assert frame not in world.line
    refused = sum(world.companion.stations["a"].uplink.dropped.values())
    assert refused or world.station().command.challenge(world.now)


# 24


def test_threat_24_key_exhaustion(random_bytes):
    """Both ends three frames before the end of their counters: new keys, or silence; no reuse."""
    with recorded() as used:
        world = World(random_bytes)
        world.run(3000)  # the first ratchet is over
        world.station()._link.session.next_counter = COUNTER_LIMIT - 3
        world.companion.link.peers["a"].live.next_counter = COUNTER_LIMIT - 3
        # Nothing of a handshake gets through, so that the ends must stop.
        world.up = lambda name, datagram, path: [datagram] if datagram[0] & 0x80 else []
        world.run(3000)
        for generation in (world.station()._link.session, world.companion.link.peers["a"].live):
            assert generation.next_counter == COUNTER_LIMIT
            with pytest.raises(CounterExhaustedError):
                generation.seal(b"", 0, world.now)
        assert world.companion.dropped["counter_limit"] > 0
        world.up = lambda name, datagram, path: [datagram]
        world.run(3000)
        assert world.executes(RTL)
        # And long before: at 2^22 the ground asks for new keys, and nothing is lost.
        handshakes = world.station().status(world.now).link.handshakes
        world.companion.link.peers["a"].live.next_counter = 1 << 22
        world.run(1000)
        assert world.station().status(world.now).link.handshakes == handshakes + 1
        assert len(used) > 100


@pytest.mark.parametrize("seed", range(4))
def test_threat_24_no_nonce_twice_in_a_long_hostile_run(seed):
    """Loss, replays, restarts of both ends, and from disks put back: no key seals twice alike."""
    rng = random.Random(seed)
    with recorded() as used:
        world = World(rng.randbytes, {"a": Role.COMMANDER, "b": Role.COMMANDER})
        disks = [(world.pairs_on_disk.copy(), world.grounds["a"].disk)]
        loss = 0.0
        world.up = world.down = lambda name, datagram, path: (
            [datagram] if rng.random() >= loss else []
        )
        for _ in range(150):
            loss = rng.choice((0, 0, 0.3))
            match rng.randrange(8):
                case 0:
                    world.boot()
                case 1:
                    world.grounds["a"].boot()
                case 2:  # an old image of either disk
                    old = rng.choice(disks)
                    world.pairs_on_disk.update(old[0])
                    world.boot()
                case 3:
                    world.grounds["a"].disk = rng.choice(disks)[1]
                    world.grounds["a"].boot()
                case 4:
                    for name, datagram, path in world.captured_up[-50:]:
                        world.receive_up(name, datagram, path)
                case 5:
                    world.station()._link.rekey()
            world.station().send([RTL], world.now)
            world.run(rng.choice((200, 1000)), 50)
            disks.append((world.pairs_on_disk.copy(), world.grounds["a"].disk))
        assert len(used) > 1500


# 25, 26


def hkdf(hash_name, secret, salt, info):
    """RFC 5869 for one block, from the standard library alone."""
    key = hmac.new(salt, secret, hash_name).digest()
    return hmac.new(key, info + b"\x01", hash_name).digest()


RATCHET_KNOWN = {
    "BLAKE2s": (
        "c293e74bdbec4b7f97691bf93179b7d59bb6045f341fcc2bce75c543c574b3e0",
        "cb436c4c06b2aca04d354bd2747f6c29",
    ),
    "SHA256": (
        "f491a99a3cf0967288af2bb7f8ad99c2656afe872e006c3ac8181b3f0c9a5055",
        "670f69abbd05efeacbd4ae2efb715bf9",
    ),
}


@pytest.mark.parametrize("profile", [CHACHA, AES], ids=lambda suite: suite.name)
def test_threat_25_ratchet_is_the_kdf_that_is_written_down(profile, random_bytes):
    """A second implementation, and answers frozen for a third."""
    drone, ground = Identity.create(random_bytes), Identity.create(random_bytes)
    names = PairNames("tsubame-1", "a", Role.COMMANDER)
    record = pair_in_lab(drone, ground, names, lambda n: bytes(range(n)), profile)[0]
    secret, ek, ct, transcript = bytes(32), b"e" * 1568, b"c" * 1568, b"h" * 32
    psk, confirmation = next_psk(record, secret, ek, ct, transcript)
    name = profile.hash_name.lower()
    said = hashlib.new(name, ek).digest() + hashlib.new(name, ct).digest() + transcript + b"\x01"
    assert psk == hkdf(name, secret, record.psk, b"SL1 ratchet" + said)
    key = hkdf(name, secret, record.psk, b"SL1 ratchet confirmation" + said)
    if profile is CHACHA:
        expected = hashlib.blake2s(b"SL1 ratchet", key=key, digest_size=16).digest()
    else:
        expected = hmac.new(key, b"SL1 ratchet", "sha256").digest()[:16]
    assert confirmation == expected
    assert (psk.hex(), confirmation.hex()) == RATCHET_KNOWN[profile.hash_name]


def test_threat_25_harvest_now_all_dh_values_are_not_enough(pair, random_bytes):
    """Who can do every Diffie-Hellman, now or later, and has no PSK: neither end takes part."""
    drone, ground = pair
    thief_psk = bytes(32)
    values = {name: getattr(ground, name) for name in ground.__struct_fields__}
    thief = Initiator(type(ground)(**{**values, "psk": thief_psk}), 1, random_bytes)
    responder = Responder([drone], 1, random_bytes)
    assert responder.receive(thief.outgoing(0)[0], MALLORY, 0) == []
    assert responder.dropped["bad_handshake"] == 1
    # Nor can it read what was recorded, with all private keys of the handshake in hand.
    ephemeral = bytes(range(32))
    honest = Initiator(ground, 1, lambda n: ephemeral[:n])
    (hs1,) = honest.outgoing(0)
    reader = HandshakeState(
        drone.profile.noise(PATTERN),
        Keys(KeyPair(drone.static_private), drone.peer_static_public, (thief_psk,)),
        random_bytes,
        initiator=False,
        prologue=prologue(drone.profile, drone.drone_id, drone.gcs_id, hs1[:4]),
    )
    assert len(hs1) == HS1_BYTES
    with pytest.raises(AuthenticationError):
        reader.read_message(hs1[4:-MAC_BYTES])


@pytest.mark.parametrize("side", ["drone", "ground"])
@pytest.mark.parametrize("count", [0, 1])
def test_threat_26_psk_desync_crash_at_each_step(side, count):
    """At every 50 ms of a ratchet, with 30 % loss, before and after the write that is under way."""
    for step in range(1, 60, 2):
        machine = PskCommit()
        machine.start(step)
        try:
            machine.run(700, 0)
            machine.set_disk(side, "slow")
            machine.run(50 * step, 0.3)
            machine.crash(side, count)
        finally:
            machine.teardown()  # which has the claims


def test_threat_26_nothing_is_told_before_it_is_written(random_bytes):
    world = SlowWorld(random_bytes)
    world.run(300)
    world.mode = "slow"
    world.run(3000)
    assert [item.next_psk is not None for _, item in world.waiting] == [True]
    assert world.grounds["a"].disk.next_psk is None
    world.mode = "works"
    world.run(3000)
    assert world.grounds["a"].disk.psk_generation == 1
    assert world.station().command.result is Answer.NONE
    assert world.now > 6000 * MS


def test_threat_26_slots_that_differ_are_noticed_while_the_link_lives(random_bytes):
    """An old disk came back at the drone: keys still change, and the next ratchet succeeds."""
    world = World(random_bytes)
    world.run(5000)
    link = world.station()._link
    link.replace_record(link.pair.with_next(bytes(32)))
    world.run(3000)
    assert link.pair.next_psk is None
    assert world.grounds["a"].disk.next_psk is None
    assert world.executes(RTL)


def test_threat_26_a_session_under_a_replaced_key_confirms_nothing(pair, random_bytes):
    drone_record, ground_record = (record.with_next(b"1" * 32) for record in pair)
    drone = Responder([drone_record], 1, random_bytes)
    ground = Initiator(ground_record, 1, random_bytes)
    (reply,) = drone.receive(ground.outgoing(0)[0], MALLORY, 0)
    ground.receive(reply.datagram, 0)
    assert ground.session.psk_generation == 1
    drone.replace_record(drone_record.with_next(b"2" * 32), 0)
    assert drone.receive(ground.seal(b"", 0), MALLORY, 0) == []
    assert drone.peers[drone_record.peer].record.psk_generation == 0


def test_threat_21_a_second_step_does_not_outlive_the_epoch(random_bytes):
    world = World(random_bytes, {"a": Role.COMMANDER, "b": Role.COMMANDER})
    silent = {"b"}
    world.up = lambda name, datagram, path: [] if name in silent else [datagram]
    world.run(1000)
    silent.clear()
    world.run(3000)
    world.station("a").send([command(400, 0, 21196)], world.now)
    world.run(60)
    nonce = world.station("a").command.challenge(world.now).nonce
    hand_over(world, "a", "b")
    hand_over(world, "b", "a")
    world.line.clear()
    assert world.station("a").command.confirm(nonce, world.now)
    world.run(500)
    assert command(400, 0, 21196) not in world.line
    assert world.companion.stations["a"].uplink.dropped["confirms_nothing"] == 1


def test_threat_26_the_ground_writes_one_record_at_a_time(random_bytes):
    """A disk that takes longer than a ratchet: what is in memory stays what will be on disk."""
    world = World(random_bytes)
    station = world.station()
    handed_out = []
    station.custody.saved = handed_out.append  # and so never said to be on disk
    for _ in range(3):
        world.run(3000)
        station._link.rekey()
        station.custody._ratchet_due_ns = 0
    assert len(handed_out) == 1
    assert station.status(world.now).link.handshakes == 3


def test_threat_27_a_heartbeat_of_zeros_does_not_end_the_ground(random_bytes):
    """MAVLink leaves out zeros at the end: the shortest heartbeat has one byte."""
    world = World(random_bytes)
    world.run(1000)
    sealed, _ = world.companion.link.seal("a", raw(0, b"\0")[:6] + b"\1" + bytes(6), world.now)
    assert world.station().receive_link(sealed, world.now) != b""
    assert world.station().is_live(world.now)

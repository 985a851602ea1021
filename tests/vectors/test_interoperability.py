"""The product against a second implementation written from docs/protocol.md alone.

Reference ground against `Companion`, reference drone against `Station`: nothing shared but bytes.

Mutants killed, each made in a module that both ends of the product use, so that they still agree:
direction keys swapped; nonces little-endian, or big-endian, in both suites; ids swapped in the
prologue, HS1's header left out of it; psk2 for psk0; the mac over all but the kind; indices swapped
in HS2; boot count and epoch swapped in its payload; another label for the slot check or either key
of the ratchet; n for n+1, the hashes swapped, salt and secret swapped in the ratchet; slot check,
counter or ack little-endian; another associated data; another byte of the epoch; FFFFFE for FFFFFF;
windows of 64 and of 129; the bitmap's bytes reversed; chunks of 63; kinds of blob swapped; STATUS,
request and state with fields swapped; flags, verbs or record types renumbered; the nonce hashed
into CONFIRM; another first length of padding; a repeated claim that draws a fresh nonce; of a
revocation list another label, no authority in what is signed, serials little-endian, signatures
swapped, the floor's own serial taken. What
follows from `K`, the order of fields that nobody reads and the parts of fragments is in
`test_known_answers`.
"""

import pytest

from crypto.pair import PairRecord, Role
from crypto.revocation import Authority, AuthorityPublic, RevocationList
from flightcore.authority import AuthorityState
from flightcore.companion import Companion
from groundstation.station import Station
from tests.aboard import Line
from tests.reference import formulas, revocation, sl1
from tests.reference.ends import Drone, Ground, Pair
from tests.world import MS, S, command, heartbeat
from wire.authority import Answer, Verb

RTL, ARM, TERMINATE = command(20), command(400, 1), command(185, 1)
GROUND_ADDRESS = ("192.168.50.2", 40000)
OTHER = b"another station."
STEP_MS = 20


@pytest.fixture(params=formulas.SUITES, ids=lambda suite: suite.name)
def suite(request):
    return request.param


@pytest.fixture(params=[0, 255], ids=["generation 0", "generation 255"])
def generation(request):
    return request.param


class Both:
    """The secrets of one pair, for an end of the product and for an end of the reference."""

    def __init__(self, suite, random_bytes, generation=0):
        self.suite, self.generation = suite, generation
        self.drone_id, self.gcs_id = random_bytes(16), random_bytes(16)
        self.drone_s, self.ground_s = random_bytes(32), random_bytes(32)
        self.keys = sl1.sub_keys(suite, random_bytes(32))

    def record(self, own, peer, name):
        return PairRecord(
            version=2,
            suite=self.suite.number,
            peer=name,
            role=Role.COMMANDER,
            drone_id=self.drone_id,
            gcs_id=self.gcs_id,
            static_private=own,
            peer_static_public=formulas.public(peer),
            mac_initiator_key=self.keys["k_mac_i"],
            mac_responder_key=self.keys["k_mac_r"],
            psk_generation=self.generation,
            psk=self.keys["psk"],
        )

    def end(self, kind, own, peer, random_bytes, **kwargs):
        macs = self.keys["k_mac_i"], self.keys["k_mac_r"]
        pair = Pair(self.suite, self.drone_id, self.gcs_id, own, formulas.public(peer), *macs)
        return kind(pair, self.keys["psk"], random_bytes, self.generation, **kwargs)


class GroundIsReference:
    """The product's companion, with what it writes written at once."""

    def __init__(self, suite, random_bytes, generation=0, authority=None, fleet=None):
        both = Both(suite, random_bytes, generation)
        self.both = both
        self.record = both.record(both.drone_s, both.ground_s, "station-a")
        self.ground = both.end(Ground, both.ground_s, both.drone_s, random_bytes)
        self.authority = authority or AuthorityState()
        self.companion = Companion([self.record], 9, random_bytes, self.authority, fleet=fleet)
        self.far_end = Line()
        self.now, self.line, self.heard, self.sent = 10**12, [], [], []
        self.companion.receive_line(heartbeat(), self.now)

    @property
    def seconds(self):
        return self.now / 1e9

    def up(self, datagram):
        """One datagram up, and whatever the drone has to say by then."""
        self.sent.append(datagram)
        self.companion.receive_link(datagram, GROUND_ADDRESS, self.now)
        self.settle()
        self.settle()  # what is on disk by now is told

    def settle(self):
        self.companion.tick(self.now)
        for item in self.companion.outgoing_saves():
            if isinstance(item, AuthorityState):
                self.authority = item
            elif isinstance(item, PairRecord):
                self.record = item
            self.companion.saved(item, self.now)
        for datagram, _ in self.companion.outgoing_link():
            self.heard += self.ground.take(datagram, self.seconds)
        self.line += self.far_end.take(self.companion, self.now)

    def run(self, ms, step_ms=STEP_MS):
        for number in range(0, ms, step_ms):
            self.now += step_ms * MS
            self.settle()
            if number % 100 == 0:
                for datagram in self.ground.step(self.seconds):
                    self.up(datagram)

    def connect(self, generation=None):
        self.up(self.ground.hs1(generation))
        assert self.ground.session is not None, self.companion.link.dropped
        self.run(200)

    def frame(self, records):
        self.up(self.ground.frame(records, self.seconds))


class DroneIsReference:
    """The product's station, with what it writes written at once."""

    def __init__(self, suite, random_bytes, generation=0, **authority):
        both = Both(suite, random_bytes, generation)
        self.record = both.record(both.ground_s, both.drone_s, "drone")
        authority = authority or {"holder": both.gcs_id}
        self.drone = both.end(Drone, both.drone_s, both.ground_s, random_bytes, **authority)
        self.station = Station(self.record, 7, random_bytes)
        self.now, self.tools, self.sent = 10**12, b"", []

    @property
    def seconds(self):
        return self.now / 1e9

    def settle(self):
        self.station.tick(self.now)
        for datagram, _ in self.station.outgoing():
            self.sent.append(datagram)
            for answer in self.drone.take(datagram, self.seconds):
                self.down(answer)
        for record in self.station.custody.outgoing_saves():
            self.record = record
            self.station.custody.saved(record)

    def down(self, datagram):
        self.tools += self.station.receive_link(datagram, self.now)

    def run(self, ms):
        for number in range(0, ms, STEP_MS):
            self.now += STEP_MS * MS
            self.settle()
            if number % 100 == 0:
                for datagram in self.drone.step(self.seconds):
                    self.down(datagram)
                self.settle()


# --- the reference is the ground -----------------------------------------------------------------


def test_ground_handshake_and_data_both_ways(suite, generation, random_bytes):
    world = GroundIsReference(suite, random_bytes, generation)
    world.connect()
    assert world.companion.link.handshakes == 1
    told = world.ground.hs2
    assert (told.boots, told.epoch, told.holds) == (9, 0, 0)
    assert (told.slot_check, told.log_head) == (0, bytes(4))
    world.run(1000)
    world.heard.clear()  # the parameters that the drone has read
    world.companion.receive_line(heartbeat(armed=True), world.now)
    world.settle()
    assert world.heard == [heartbeat(armed=True)]
    world.frame(RTL)
    assert world.line == [RTL]
    world.frame(RTL + ARM)
    assert b"".join(world.line) == RTL + RTL + ARM
    assert not world.ground.refused


def test_ground_learns_counters_and_authority_by_status(suite, random_bytes):
    authority = AuthorityState(epoch=0x01020304, holder=OTHER)
    world = GroundIsReference(suite, random_bytes, authority=authority)
    world.connect()
    assert world.ground.epoch == 0x01020304
    world.run(1500)
    world.ground.records.clear()
    last = world.ground.session.counter - 1
    world.run(200)
    status = [value for kind, value in world.ground.records if kind == sl1.STATUS][-1]
    assert last < int.from_bytes(status[:3], "big") <= world.ground.session.counter - 1
    assert status[3:] == b"\1\2\3\4\0"
    world.run(1000)
    state = [value for kind, value in world.ground.records if kind == sl1.AUTHORITY][-1]
    # Another holds, and what that one did before this start of the drone is not known.
    assert state[:20] == b"\1\2\3\4" + OTHER
    assert len(state) == 27
    assert state[21:] == bytes(6)


def test_drone_takes_each_datagram_once(suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    world.frame(RTL)
    for datagram in [*world.sent]:
        world.up(datagram)
    assert world.line == [RTL]
    assert world.ground.session.highest != sl1.NO_ACK
    world.frame(RTL)  # the session is the same
    assert world.line == [RTL, RTL]


def test_drone_window_is_a_set_of_the_last_128(suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    held = [world.ground.frame(b"", world.seconds) for _ in range(300)]
    first = world.ground.session.counter - 300
    accepted = set(range(first))
    for index in [150, 150, 23, 22, 277, 151, 150, 149, 299, 172, 171, 170, 298, 172, 0]:
        before = world.companion.stations["station-a"].summary.datagrams_up
        world.companion.receive_link(held[index], GROUND_ADDRESS, world.now)
        passed = world.companion.stations["station-a"].summary.datagrams_up - before
        assert passed == sl1.replay_allows(accepted, first + index), index
        accepted |= {first + index} if passed else set()


def test_drone_bounds_age_by_the_acknowledged_counter(suite, random_bytes):
    """A frame made with the acknowledgement of a counter sent at t is good until t + 1.5 s."""
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    world.run(300)
    acked = world.ground.session.highest
    at = world.companion.link.peers["station-a"].live.sent
    sent = world.now - at.age_bound_ns(acked, world.now)
    held = [world.ground.frame(ARM, world.seconds) for _ in range(2)]
    world.now = sent + 1500 * MS
    world.up(held[0])
    assert world.line == [ARM]
    world.now += 1
    world.up(held[1])
    assert world.line == [ARM]


@pytest.mark.parametrize("ack", ["handshake", "never sent"])
def test_drone_knows_what_the_handshake_bounds(ack, suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.up(world.ground.hs1())
    session = world.ground.session
    number = sl1.NO_ACK if ack == "handshake" else 0x010000
    for records in (b"", RTL):  # the first frame makes it the holder, once that is written
        inner = sl1.padded(sl1.inner_up(number, 0, records))
        world.up(session.seal(inner, world.seconds))
    assert world.line == ([RTL] if ack == "handshake" else [])


@pytest.mark.parametrize("broken", [b"\x05\x09", b"\x00\x01", b"\x80\x00", RTL[:-1], b"\x05"])
def test_drone_refuses_a_malformed_payload_whole(broken, suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    inner = sl1.inner_up(world.ground.session.highest, 0, RTL + broken)
    world.up(world.ground.session.seal(inner, world.seconds))
    assert world.line == []
    world.frame(sl1.record(0x7F, b"of the future") + RTL)
    assert world.line == [RTL]


def test_ground_rekeys_and_the_session_before_may_still_speak(suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    before = world.ground.session
    held = world.ground.frame(RTL, world.seconds)
    world.connect()
    assert world.ground.session is not before
    assert world.companion.link.handshakes == 2
    world.frame(RTL)
    assert world.line == [RTL]
    world.up(held)  # of the session before: opened, but overtaken
    assert world.line == [RTL]


def test_recorded_handshake_replaces_nothing(suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    world.connect()
    for datagram in [d for d in world.sent if len(d) == 76]:
        world.up(datagram)
    world.frame(RTL)
    assert world.line == [RTL]


def test_ground_ratchets(suite, generation, random_bytes):
    world = GroundIsReference(suite, random_bytes, generation)
    world.connect()
    old = world.ground.slots[0][1]
    world.ground.start_ratchet(random_bytes(64))
    world.run(10_000)
    assert len(world.ground.slots) == 2, world.ground.refused
    new = world.record.next_psk
    assert world.ground.slots[1] == ((generation + 1) % 256, new)
    assert world.ground.blobs.out == []  # every chunk was acknowledged
    world.connect(generation)  # the first slot still opens, and the drone tells of the second
    assert world.ground.hs2.slot_check == world.ground.slot_check() != 0
    world.connect((generation + 1) % 256)
    assert world.ground.slots == [((generation + 1) % 256, new)]
    assert (world.record.psk, world.record.next_psk) == (new, None)
    assert new != old
    world.frame(RTL)
    assert world.line == [RTL]
    with pytest.raises(sl1.Bad):
        world.ground.psk(generation)


def state_of(world):
    return [value for kind, value in world.ground.records if kind == sl1.AUTHORITY][-1]


def challenges(world):
    return [value for kind, value in world.ground.records if kind == sl1.CHALLENGE]


@pytest.mark.parametrize(
    ("verb", "holds", "answer"),
    [(1, True, 8), (1, False, 4), (2, True, 1), (2, False, 5), (3, False, 6), (4, False, 7)],
)
def test_ground_is_answered(verb, holds, answer, suite, random_bytes):
    authority = None if holds else AuthorityState(epoch=5, holder=OTHER)
    world = GroundIsReference(suite, random_bytes, authority=authority)
    world.connect()
    for number in (200, 201, 255, 1):
        world.frame(sl1.authority_request(verb, number, OTHER))
        holder = world.both.gcs_id if holds else OTHER
        epoch, flags = bytes([0, 0, 0, 0 if holds else 5]), bytes([holds])
        told = epoch + holder + flags + bytes([number, answer]) + bytes(4)
        assert state_of(world) == told


def test_ground_claims_in_two_steps(suite, random_bytes):
    authority = AuthorityState(epoch=255, holder=OTHER)
    world = GroundIsReference(suite, random_bytes, authority=authority)
    world.connect()
    world.run(16_000, 100)
    request = sl1.authority_request(3, 7)
    world.frame(request)
    nonce, operation = challenges(world)[-1][:8], challenges(world)[-1][8:]
    assert operation == request
    assert state_of(world)[20:23] == bytes([4, 7, 3])
    world.frame(sl1.confirm(suite, nonce, operation))
    assert (world.authority.epoch, world.authority.holder) == (256, world.both.gcs_id)
    assert state_of(world)[:23] == b"\0\0\1\0" + world.both.gcs_id + bytes([1, 7, 1])
    world.run(300)
    world.frame(RTL)
    assert world.line == [RTL]


def test_ground_claims_though_the_answer_takes_longer_than_the_repetition(suite, random_bytes):
    """The same number again is the same request: its challenge stays good."""
    world = GroundIsReference(suite, random_bytes, authority=AuthorityState(epoch=1, holder=OTHER))
    world.connect()
    world.run(16_000, 100)
    request = sl1.authority_request(3, 7)
    world.frame(request)
    first = challenges(world)[0]
    world.run(400)
    world.frame(request)
    assert challenges(world) == [first, first]
    world.frame(sl1.confirm(suite, first[:8], first[8:]))
    assert world.authority.holder == world.both.gcs_id


def test_ground_confirms_what_cannot_be_taken_back(suite, random_bytes):
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    world.frame(TERMINATE)
    assert world.line == []
    asked = challenges(world)[-1]
    assert asked[8:] == TERMINATE
    world.frame(sl1.confirm(suite, asked[:8], RTL))
    assert world.line == []
    world.frame(sl1.confirm(suite, asked[:8], TERMINATE))
    world.frame(sl1.confirm(suite, asked[:8], TERMINATE))
    assert world.line == [TERMINATE]


def test_a_datagram_is_newer_than_the_last_not_than_its_own_records(suite, random_bytes):
    """On the radio a command and a CONFIRM share a datagram: they are of one class."""
    world = GroundIsReference(suite, random_bytes)
    world.connect()
    world.frame(TERMINATE)
    asked = challenges(world)[-1]
    confirm = sl1.confirm(suite, asked[:8], TERMINATE)
    world.frame(RTL + confirm + sl1.authority_request(2, 9, OTHER))
    assert b"".join(world.line) == RTL + TERMINATE
    assert state_of(world)[21:23] == bytes([9, 1])


def fleet_of(random_bytes):
    private = revocation.keys(random_bytes(32), random_bytes(32))
    return private, AuthorityPublic.parse(revocation.public(private))


def test_ground_brings_a_revocation_list(suite, random_bytes):
    private, fleet = fleet_of(random_bytes)
    world = GroundIsReference(suite, random_bytes, fleet=fleet)
    world.connect()
    others = {OTHER: 0x0102, bytes(16): 3}
    world.ground.blobs.send(3, 200, revocation.signed(private, revocation.body(0x0102, others)))
    world.run(10_000)
    assert state_of(world)[23:] == b"\0\0\1\2"
    world.frame(RTL)
    assert world.line == [RTL]
    again = revocation.body(0x0102, {world.both.gcs_id: 0x0102})
    world.ground.blobs.send(3, 201, revocation.signed(private, again))
    world.run(10_000)
    assert "station-a" in world.companion.stations
    itself = {world.both.gcs_id: 0x0103, OTHER: 0x0102}
    world.ground.blobs.send(3, 202, revocation.signed(private, revocation.body(0x0103, itself)))
    world.run(10_000)
    assert "station-a" not in world.companion.stations
    before = len(world.ground.records)
    world.up(world.ground.hs1())
    world.frame(RTL)
    assert world.line == [RTL]
    assert len(world.ground.records) == before


@pytest.mark.parametrize("of", ["another authority", "no order"])
def test_drone_refuses_a_list(of, suite, random_bytes):
    private, fleet = fleet_of(random_bytes)
    if of == "another authority":
        private, _ = fleet_of(random_bytes)
    world = GroundIsReference(suite, random_bytes, fleet=fleet)
    body = revocation.body(9, {OTHER: 5, world.both.gcs_id: 9})
    if of == "no order":
        body = body[:10] + body[30:] + body[10:30]
    world.connect()
    world.ground.blobs.send(3, 1, revocation.signed(private, body))
    world.run(10_000)
    assert state_of(world)[23:] == bytes(4)
    world.frame(RTL)
    assert world.line == [RTL]


def test_ground_makes_what_the_reference_takes(random_bytes):
    private = random_bytes(32), random_bytes(32)
    authority = Authority(b"".join(private))
    public = revocation.public(revocation.keys(*private))
    assert authority.public.encode() == public
    made = RevocationList().extended([OTHER, bytes(16)]).extended([b"the third ground"])
    signed = authority.sign(made)
    assert revocation.accepted(public, signed, 1) == (2, dict(made.entries))
    for wrong, floor in (
        (signed, 2),
        (signed[:-1] + bytes([signed[-1] ^ 1]), 1),
        (signed + b"!", 1),
    ):
        with pytest.raises(sl1.Bad):
            revocation.accepted(public, wrong, floor)


# --- the reference is the drone ------------------------------------------------------------------


def test_drone_handshake_and_data_both_ways(suite, generation, random_bytes):
    world = DroneIsReference(suite, random_bytes, generation)
    world.run(600)
    assert world.station.is_live(world.now)
    assert world.station.is_holder
    assert world.station.drone_boot_count == 9
    world.drone.telemetry = heartbeat()
    world.run(100)
    assert world.tools == heartbeat()
    world.station.send([RTL, ARM], world.now)
    world.settle()
    assert world.drone.line == [RTL, ARM]
    assert not world.drone.refused
    sizes = {len(datagram) for datagram in world.sent if len(datagram) != 76}
    assert sizes <= set(sl1.BUCKETS)


def test_ground_takes_padding_and_each_datagram_once(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.run(600)
    session = world.drone.session
    sealed = session.seal(sl1.padded(sl1.inner_down(heartbeat())), world.seconds)
    assert len(sealed) == 96
    world.down(sealed)
    world.down(sealed)
    assert world.tools == heartbeat()
    inner = sl1.padded(sl1.inner_down(heartbeat()))
    world.down(session.seal(inner[:-1] + b"\1", world.seconds))
    assert world.tools == heartbeat()


def test_ground_bounds_what_it_shows_by_status(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.run(1000)
    age = world.station.status(world.now).telemetry_age_s
    highest = world.drone.session.highest
    assert age is not None
    assert age <= 0.4
    # A frame that acknowledges something older makes the picture as old as that.
    world.now += S
    told = sl1.status(highest, 0, 1)
    world.down(world.drone.session.seal(sl1.inner_down(told), world.seconds))
    assert world.station.status(world.now).telemetry_age_s >= 1


def test_drone_ratchets(suite, generation, random_bytes):
    world = DroneIsReference(suite, random_bytes, generation)
    old = world.drone.slots[0][1]
    world.run(12_000)
    after = (generation + 1) % 256
    assert (world.record.psk_generation, world.record.next_psk) == (after, None)
    assert world.drone.slots == [(after, world.record.psk)]
    assert world.record.psk != old
    assert world.drone.session.generation == after
    world.station.send([RTL], world.now)
    world.settle()
    assert world.drone.line == [RTL]


def test_ground_refuses_a_confirmation_of_another_key(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.run(300)
    right = world.drone.ratchet
    world.drone.ratchet = lambda *secrets: right(*secrets)._replace(confirmation=bytes(16))
    world.run(12_000)
    assert world.record.next_psk is None
    assert world.station.status(world.now).link.dropped["ratchet_refused"] == 1


def test_ground_empties_a_slot_that_the_drone_does_not_have(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.run(100)
    world.drone.fill_second_slot(bytes(32))
    world.station.custody.saved(world.record.with_next(random_bytes(32)))
    world.run(2000)
    assert world.record.next_psk is None
    assert world.station.is_live(world.now)


@pytest.mark.parametrize("epoch", [0, 255, 0xFFFF])
def test_drone_is_claimed_from_in_two_steps(epoch, suite, random_bytes):
    world = DroneIsReference(suite, random_bytes, holder=OTHER, epoch=epoch)
    world.run(600)
    assert not world.station.is_holder
    world.station.command.request(Verb.CLAIM, bytes(16), world.now)
    world.run(1000)
    assert world.station.command.result is Answer.DONE
    assert world.drone.holds
    assert world.station.is_holder
    world.station.send([RTL], world.now)
    world.settle()
    assert world.drone.line == [RTL]


def test_drone_asks_back(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.drone.two_step = {TERMINATE}
    world.run(600)
    world.station.send([TERMINATE], world.now)
    world.run(200)
    assert world.drone.line == []
    challenge = world.station.command.challenge(world.now)
    assert challenge.operation == TERMINATE
    assert world.station.command.confirm(challenge.nonce, world.now)
    world.run(100)
    assert world.drone.line == [TERMINATE]


def test_drone_answers(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.run(600)
    world.station.command.request(Verb.HAND_OVER, OTHER, world.now)
    world.run(500)
    assert world.station.command.result is Answer.NOT_HOLDER
    sent = [value for kind, value in world.drone.records if kind == sl1.AUTHORITY]
    assert sent[0][:1] + sent[0][2:] == b"\x01" + OTHER


def test_ground_rekeys_after_two_minutes(suite, random_bytes):
    world = DroneIsReference(suite, random_bytes)
    world.run(600)
    before = world.drone.session
    for _ in range(1300):
        world.now += 80 * MS
        world.run(20)
    assert world.drone.session is not before
    world.station.send([RTL], world.now)
    world.settle()
    assert world.drone.line == [RTL]

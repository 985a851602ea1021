"""A ground and a drone that speak SL1, as slow and forgetful of nothing as they can be.

They do what the other end can see, and no more: no rate, no bucket, no disk. The test moves the
time, in seconds; `take` gets a datagram, `step` returns the datagrams that are due.
"""

from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from tests.reference import mlkem, sl1
from tests.reference.formulas import Suite, dh, hashed, mac, public, seal, unseal
from tests.reference.sl1 import Bad, need

# Message ids of section 5's classes, as far as the tests send them.
LIMITS = {69: 0.4, 70: 0.4, 0: 1.5, 76: 1.5, 75: 1.5, 20: 5.0, 21: 5.0, 23: 5.0}
TRANSFER = 5.0


class Pair(NamedTuple):
    """What one end keeps of the pair; its PSK slots change and live in the end."""

    suite: Suite
    drone_id: bytes
    gcs_id: bytes
    private: bytes
    peer: bytes
    k_mac_i: bytes
    k_mac_r: bytes


class Session:
    def __init__(self, pair, keys, indices, h, generation, now):
        self.suite = pair.suite
        self.send_key, self.receive_key = keys
        self.own_index, self.peer_index = indices
        self.h, self.generation, self.began = h, generation, now
        self.counter = 0
        self.accepted = set()
        self.sent = [(sl1.NO_ACK, now)]

    def seal(self, inner, now):
        assert self.counter < sl1.COUNTERS
        counter, self.counter = self.counter, self.counter + 1
        self.sent.append((counter, now))
        return sl1.sealed_frame(self.suite, self.send_key, self.peer_index, counter, inner)

    def open(self, datagram):
        counter = int.from_bytes(datagram[1:4], "big")
        need(counter < sl1.COUNTERS, "counter")
        need(sl1.replay_allows(self.accepted, counter), "replay")
        try:
            _, inner = sl1.opened_frame(self.suite, self.receive_key, datagram)
        except InvalidTag:
            raise Bad("tag") from None
        self.accepted.add(counter)
        need(inner[:1] == b"\x01", "inner header")
        return counter, inner[1:]

    @property
    def highest(self):
        return max(self.accepted, default=sl1.NO_ACK)


class Blobs:
    """Both directions of chunks in one session."""

    def __init__(self):
        self.out = []  # records not acknowledged yet, the next one first
        self.acks = b""
        self.parts = {}

    def send(self, kind, transfer, blob):
        self.out = sl1.chunks(kind, transfer, blob)

    def due(self):
        """One chunk, which goes to the back of the row, and what there is to acknowledge."""
        self.out = self.out[1:] + self.out[:1]
        due, self.acks = self.acks + b"".join(self.out[-1:]), b""
        return due

    def take_chunk(self, value):
        """Return the (kind, transfer, blob) that this chunk completes, or None."""
        kind, transfer, index, count = value[:4]
        need(index < count and 1 <= len(value) - 4 <= 64, "chunk")
        parts = self.parts.setdefault((kind, transfer), {})
        known = len(parts)
        parts[index] = value[4:]
        self.acks = sl1.chunk_ack(kind, transfer, count, parts)
        whole = len(parts) == count > known
        return (kind, transfer, b"".join(parts[i] for i in range(count))) if whole else None

    def take_ack(self, value):
        kind, transfer, count = value[:3]
        bitmap = value[3:]
        done = {bytes([kind, transfer, i]) for i in range(count) if bitmap[i // 8] >> i % 8 & 1}
        self.out = [record for record in self.out if record[2:5] not in done]


class End:
    """What both ends do with slots and a session."""

    def __init__(self, pair, psk, random_bytes, generation=0):
        self.pair = pair
        self.slots = [(generation, psk)]
        self.random_bytes = random_bytes
        self.session = None
        self.records = []  # everything heard, (type, value)
        self.refused = []
        self.blobs = Blobs()

    def slot_check(self):
        return sl1.slot_check(self.pair.suite, self.slots[1][1] if len(self.slots) > 1 else None)

    def psk(self, generation):
        found = [psk for number, psk in self.slots if number == generation]
        need(found, "generation")
        return found[0]

    def promote(self, session):
        """A confirmed session under the second slot makes it the first."""
        if len(self.slots) > 1 and session.generation == self.slots[1][0]:
            self.slots = self.slots[1:]

    def adopt(self, session):
        self.session = session
        self.blobs = Blobs()
        self.promote(session)

    def ratchet(self, ek, ct, ss):
        psk = self.psk(self.session.generation)
        session = self.session
        return sl1.ratchet(self.pair.suite, psk, session.generation, session.h, ek, ct, ss)

    def fill_second_slot(self, psk):
        self.slots = [self.slots[0], ((self.slots[0][0] + 1) % 256, psk)]


class Ground(End):
    boots = 7

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.attempts = {}  # index -> (state, ephemeral, generation)
        self.unconfirmed = None
        self.epoch = 0
        self.kem = None
        self.sending = b""  # records that every frame carries
        self.hs2 = None

    def hs1(self, generation=None):
        pair, suite = self.pair, self.pair.suite
        generation = self.slots[-1][0] if generation is None else generation
        index = next(i for i in range(5, 64) if i not in self.attempts)
        e = self.random_bytes(32)
        header = sl1.hs1_header(suite, generation, index)
        prologue = sl1.prologue(suite, pair.drone_id, pair.gcs_id, header)
        begin = sl1.before_messages(suite, prologue, public(pair.private), pair.peer)
        es, ss = dh(e, pair.peer), dh(pair.private, pair.peer)
        state = sl1.message_1(suite, begin, self.psk(generation), public(e), es, ss)[-1]
        sealed = seal(suite, state.k, 0, sl1.hs1_payload(self.boots), state.h)
        self.attempts[index] = sl1.mix_sealed(suite, state, sealed), e, generation
        return sl1.with_mac(suite, pair.k_mac_i, header + public(e) + sealed)

    def take_hs2(self, datagram, now):
        pair, suite = self.pair, self.pair.suite
        need(len(datagram) == 84, "length")
        need(mac(suite, pair.k_mac_r, datagram[:68]) == datagram[68:], "mac")
        _, number, own, peer = datagram[:4]
        need(number == suite.number and own in self.attempts and peer < 64, "header")
        state, e, generation = self.attempts[own]
        re, sealed = datagram[4:36], datagram[36:68]
        state = sl1.message_2(suite, state, re, dh(e, re), dh(pair.private, re))[-1]
        try:
            payload = sl1.parse_hs2_payload(unseal(suite, state.k, 0, sealed, state.h))
        except InvalidTag:
            raise Bad("tag") from None
        need(payload.index == peer, "index")
        del self.attempts[own]
        self.hs2 = payload
        self.epoch = payload.epoch
        state = sl1.mix_sealed(suite, state, sealed)
        up, down = sl1.split(suite, state)
        self.session = Session(pair, (up, down), (own, peer), state.h, generation, now)
        self.unconfirmed = self.session

    def take(self, datagram, now):
        """Return the MAVLink frames in a datagram of the drone."""
        try:
            if datagram[:1] == b"\x02":
                self.take_hs2(datagram, now)
                return []
            need(len(datagram) >= 21 and datagram[0] >> 6 == 2, "length or kind")
            need(self.session and datagram[0] & 63 == self.session.own_index, "index")
            _, inner = self.session.open(datagram)
            found = sl1.parse_records(inner)
        except Bad as bad:
            self.refused.append(str(bad))
            return []
        if self.unconfirmed is self.session:
            self.unconfirmed = None
            self.adopt(self.session)
        for kind, value in found:
            self.records.append((kind, value))
            if kind == sl1.STATUS:
                self.epoch = int.from_bytes(value[3:7], "big")
            elif kind == sl1.CHUNK_ACK:
                self.blobs.take_ack(value)
            elif kind == sl1.CHUNK:
                self._take_blob(self.blobs.take_chunk(value))
        return [value for kind, value in found if kind == sl1.MAVLINK]

    def start_ratchet(self, seed):
        self.kem = mlkem.key_from_seed(seed)
        self.blobs.send(sl1.EK, 1, self.kem.public_key().public_bytes_raw())

    def _take_blob(self, blob):
        if blob is None or blob[0] != sl1.CT or self.kem is None:
            return
        ct, confirmation = blob[2][:1568], blob[2][1568:]
        ek = self.kem.public_key().public_bytes_raw()
        made = self.ratchet(ek, ct, self.kem.decapsulate(ct))
        if made.confirmation == confirmation:
            self.fill_second_slot(made.psk)
        else:
            self.refused.append("confirmation")

    def frame(self, records, now):
        inner = sl1.inner_up(self.session.highest, self.epoch, records)
        return self.session.seal(sl1.padded(inner), now)

    def step(self, now):
        return [self.frame(self.sending + self.blobs.due(), now)]


class Drone(End):
    boots = 9

    def __init__(self, *args, holder=bytes(16), epoch=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.holder, self.epoch = holder, epoch
        self.provisional = []
        self.line = []  # frames for the autopilot
        self.newest = (0, -1)  # (session's number, counter) of the last command
        self.sessions = 0
        self.two_step = set()  # MAVLink frames that need a CONFIRM
        self.waiting = None
        self.answered = (0, 0)
        self.telemetry = b""

    @property
    def holds(self):
        return int(self.holder == self.pair.gcs_id)

    def take_hs1(self, datagram, now):
        pair, suite = self.pair, self.pair.suite
        need(len(datagram) == 76, "length")
        need(mac(suite, pair.k_mac_i, datagram[:60]) == datagram[60:], "mac")
        _, number, generation, peer = datagram[:4]
        need(number == suite.number, "suite")
        psk = self.psk(generation)
        need(peer < 64, "index")
        e, sealed = datagram[4:36], datagram[36:60]
        prologue = sl1.prologue(suite, pair.drone_id, pair.gcs_id, datagram[:4])
        state = sl1.before_messages(suite, prologue, pair.peer, public(pair.private))
        es, ss = dh(pair.private, e), dh(pair.private, pair.peer)
        state = sl1.message_1(suite, state, psk, e, es, ss)[-1]
        try:
            need(len(unseal(suite, state.k, 0, sealed, state.h)) == 8, "payload")
        except InvalidTag:
            raise Bad("tag") from None
        state = sl1.mix_sealed(suite, state, sealed)
        own, re = self.sessions % 64, self.random_bytes(32)
        self.sessions += 1
        ee, se = dh(re, e), dh(re, pair.peer)
        state = sl1.message_2(suite, state, public(re), ee, se)[-1]
        check = self.slot_check()
        told = sl1.HS2Payload(self.boots, self.epoch, self.holds, own, check, bytes(4))
        sealed = seal(suite, state.k, 0, told.encoded(), state.h)
        state = sl1.mix_sealed(suite, state, sealed)
        up, down = sl1.split(suite, state)
        session = Session(pair, (down, up), (own, peer), state.h, generation, now)
        session.number = self.sessions
        self.provisional = [*self.provisional, session][-4:]
        return sl1.with_mac(
            suite, pair.k_mac_r, sl1.hs2_header(suite, peer, own) + public(re) + sealed
        )

    def take(self, datagram, now):
        """Return the datagrams that answer this one at once: an HS2 or none."""
        try:
            if datagram[:1] == b"\x01":
                return [self.take_hs1(datagram, now)]
            need(len(datagram) >= 25 and datagram[0] >> 6 == 2, "length or kind")
            known = [*self.provisional, self.session] if self.session else self.provisional
            found = [s for s in known if s.own_index == datagram[0] & 63]
            need(found, "index")
            session = found[0]
            counter, inner = session.open(datagram)
            if session in self.provisional:
                self.provisional = self.provisional[self.provisional.index(session) + 1 :]
                self.adopt(session)
            ack, epoch = int.from_bytes(inner[:3], "big"), inner[3]
            age = sl1.age_bound(session.sent, ack, now)
            for kind, value in sl1.parse_records(inner[4:]):
                self.records.append((kind, value))
                self._take_record(session, kind, value, (age, epoch, counter))
        except Bad as bad:
            self.refused.append(str(bad))
        return []

    def _take_record(self, session, kind, value, said):
        age, epoch, counter = said
        if kind == sl1.CHUNK_ACK:
            self.blobs.take_ack(value)
            return
        if kind == sl1.CHUNK:
            self._take_blob(self.blobs.take_chunk(value))
            return
        limit = LIMITS[int.from_bytes(value[7:10], "little")] if kind == sl1.MAVLINK else 1.5
        need(age is not None and age <= limit, "stale")
        need(limit == TRANSFER or (session.number, counter) >= self.newest, "order")
        need(epoch == self.epoch % 256, "epoch")
        if kind == sl1.AUTHORITY:
            self._take_request(*value[:2], value[2:])
        elif kind == sl1.CONFIRM:
            self._take_confirm(value)
        elif kind == sl1.MAVLINK:
            need(self.holds, "not holder")
            if value in self.two_step:
                self._challenge(value)
            else:
                self.line.append(value)
        self.newest = (session.number, counter) if limit != TRANSFER else self.newest

    def _challenge(self, operation):
        self.waiting = self.random_bytes(8), operation
        self.blobs.acks += sl1.challenge(*self.waiting)

    def _take_request(self, verb, number, station):
        """The holder is always lost here: a CLAIM is good, in two steps; a HAND_OVER never is."""
        if number == self.answered[0]:
            return
        if verb == 3 and station in (bytes(16), self.pair.gcs_id):
            self.answered = number, 3
            self._challenge(sl1.authority_request(verb, number, station))
        else:
            self.answered = number, 4

    def _take_confirm(self, value):
        need(self.waiting, "nothing to confirm")
        nonce, operation = self.waiting
        need(value == nonce + hashed(self.pair.suite, operation)[:16], "confirm")
        self.waiting = None
        if operation[0] == sl1.MAVLINK:
            self.line.append(operation)
        else:
            self.answered = operation[3], 1
            self.holder, self.epoch = self.pair.gcs_id, self.epoch + 1

    def _take_blob(self, blob):
        if blob is None or blob[0] != sl1.EK:
            return
        ct, ss = mlkem.encapsulate(blob[2], self.random_bytes(32))
        made = self.ratchet(blob[2], ct, ss)
        self.fill_second_slot(made.psk)
        self.blobs.send(sl1.CT, blob[1], ct + made.confirmation)

    def step(self, now):
        if self.session is None:
            return []
        state = sl1.authority_state(self.epoch, self.holder, self.holds, *self.answered, serial=0)
        told = sl1.status(self.session.highest, self.epoch, self.holds) + state
        inner = sl1.inner_down(told + self.telemetry + self.blobs.due())
        return [self.session.seal(inner, now)]

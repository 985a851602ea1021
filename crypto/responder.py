"""The drone's end of SL1: answers handshakes of paired ground stations, opens and seals frames.

It never speaks first. What a session goes through is in `crypto.sessions`.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from crypto.generation import Generation, Opened
from crypto.messages import (
    HS1_TYPE,
    HS_HEADER_BYTES,
    INDEX_COUNT,
    INDEX_MASK,
    PATTERN,
    Drop,
    DroppedError,
    Hs2Payload,
    add_mac,
    check_handshake_untrusted,
    has_mac_untrusted,
    hs2_header,
    is_data_untrusted,
    prologue,
)
from crypto.noise import DH_BYTES, HandshakeState, Keys
from crypto.pair import PairRecord
from crypto.primitives import MAC_BYTES, AuthenticationError, KeyPair, RandomBytes
from crypto.sessions import Path, Peer, Phase, Session, Sessions

MAX_PEERS: Final = 8
HANDSHAKE_BURST: Final = 10
HANDSHAKE_INTERVAL_NS: Final = 200_000_000
REMEMBERED_EPHEMERALS: Final = 256
LOG_HEAD_BYTES: Final = 4


class Reply(NamedTuple):
    """A handshake message to send back to where HS1 came from."""

    datagram: bytes
    path: Path


class Established(NamedTuple):
    """A peer proved a new generation: it is live from now on."""

    peer: str
    number: int


class PairChanged(NamedTuple):
    """A session under the second PSK slot was confirmed: the first is gone and must be on disk."""

    record: PairRecord


Event = Reply | Established | PairChanged | Opened


@dataclass(slots=True)
class _Bucket:
    """Handshakes that a peer may still begin."""

    tokens: int = HANDSHAKE_BURST
    refilled_ns: int = 0

    def take(self, now_ns: int) -> bool:
        earned = (now_ns - self.refilled_ns) // HANDSHAKE_INTERVAL_NS
        if earned > 0:
            self.tokens = min(HANDSHAKE_BURST, self.tokens + earned)
            self.refilled_ns = now_ns
        if self.tokens == 0:
            return False
        self.tokens -= 1
        return True


class Responder:
    """All the pairs of one drone, sans-I/O.

    `authority_epoch` and `holder` are announced in HS2 and written by whoever decides authority;
    `log_head` by whoever keeps the sealed log.
    """

    def __init__(
        self, pairs: Sequence[PairRecord], boot_count: int, random_bytes: RandomBytes
    ) -> None:
        if len(pairs) > MAX_PEERS:
            raise ValueError(f"{len(pairs)} pairs, at most {MAX_PEERS} are supported")
        self.peers = {pair.peer: Peer(pair, KeyPair(pair.static_private)) for pair in pairs}
        if len(self.peers) != len(pairs):
            raise ValueError("two pair records name the same ground station")
        self.authority_epoch = 0
        self.holder: str | None = None
        self.log_head = bytes(LOG_HEAD_BYTES)
        self.dropped: Counter[str] = Counter()
        self.handshakes = 0
        self._boot_count = boot_count
        self._random_bytes = random_bytes
        self._sessions = Sessions()
        self._buckets = {name: _Bucket() for name in self.peers}
        self._ephemerals: OrderedDict[bytes, None] = OrderedDict()

    def receive(self, datagram: bytes, path: Path, now_ns: int) -> list[Event]:
        """Take one datagram from anyone; return what it meant, nothing if it was dropped."""
        if is_data_untrusted(datagram):
            outcome = self._open(datagram, path, now_ns)
            if not isinstance(outcome, Drop):
                return outcome
            self.dropped[outcome] += 1
            return []
        try:
            check_handshake_untrusted(datagram, HS1_TYPE)
            return [self._answer(datagram, path, now_ns)]
        except DroppedError as drop:
            self.dropped[drop.reason] += 1
            return []

    def replace_record(self, record: PairRecord, now_ns: int) -> None:
        """Use a record whose second slot has been written to disk, or emptied."""
        peer = self.peers[record.peer]
        # A session begun under a key that the slot no longer holds must not confirm the new one.
        self._sessions.drop_key(peer, record.next_generation, now_ns)
        peer.record = record

    def forget(self, name: str, now_ns: int) -> None:
        """Close every session of a peer and answer it no more: it is revoked or suspended."""
        self._sessions.shut_out(self.peers.pop(name), now_ns)

    def seal(self, peer: str, records: bytes, now_ns: int) -> tuple[bytes, Path] | None:
        """Return the sealed datagram and where it goes, or None without a live session.

        Raises:
            CounterExhaustedError: The session has reached its hard stop.
        """
        state = self.peers[peer]
        if state.live is None or state.path is None:
            return None
        return state.live.seal(records, 0, now_ns), state.path

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to forget."""
        return self._sessions.deadline_ns()

    def tick(self, now_ns: int) -> None:
        """Forget sessions whose time is over."""
        self._sessions.lapse(now_ns)

    def _open(self, datagram: bytes, path: Path, now_ns: int) -> list[Event] | Drop:
        session = self._sessions.at(datagram[0] & INDEX_MASK)
        if session is None:
            return Drop.UNKNOWN_SESSION
        peer, generation = session.peer, session.generation
        opened = generation.open(datagram, peer.record.peer, now_ns)
        if isinstance(opened, Drop):
            return opened
        if generation is peer.live:
            if opened.is_newest:
                peer.path = path
            return [opened]
        if session.phase is Phase.PREVIOUS:
            return [opened]
        self._sessions.confirm(session, now_ns)
        self.handshakes += 1
        peer.path = path
        changed = self._promote(session, now_ns)
        return [*changed, Established(peer.record.peer, generation.number), opened]

    def _promote(self, session: Session, now_ns: int) -> list[Event]:
        """Make the second PSK slot the first if the session that has been confirmed used it."""
        peer = session.peer
        if session.generation.psk_generation == peer.record.psk_generation:
            return []
        self._sessions.drop_key(peer, peer.record.psk_generation, now_ns)
        peer.record = peer.record.promoted(session.psk)
        return [PairChanged(peer.record)]

    def _answer(self, datagram: bytes, path: Path, now_ns: int) -> Reply:
        self.tick(now_ns)
        peer = self._peer_of_untrusted(datagram)
        _, suite, psk_generation, remote_index = datagram[:HS_HEADER_BYTES]
        profile = peer.record.profile
        if suite != profile.number:
            raise DroppedError(Drop.WRONG_SUITE)
        psk = peer.record.psk_of(psk_generation)
        if psk is None:
            raise DroppedError(Drop.UNKNOWN_PSK)
        if remote_index >= INDEX_COUNT:
            raise DroppedError(Drop.BAD_HANDSHAKE)
        ephemeral = datagram[HS_HEADER_BYTES : HS_HEADER_BYTES + DH_BYTES]
        if ephemeral in self._ephemerals:
            raise DroppedError(Drop.REPLAYED_HANDSHAKE)
        if not self._buckets[peer.record.peer].take(now_ns):
            raise DroppedError(Drop.RATE_LIMITED)

        record = peer.record
        handshake = HandshakeState(
            profile.noise(PATTERN),
            Keys(peer.static, record.peer_static_public, (psk,)),
            self._random_bytes,
            initiator=False,
            prologue=prologue(profile, record.drone_id, record.gcs_id, datagram[:HS_HEADER_BYTES]),
        )
        try:
            handshake.read_message(datagram[HS_HEADER_BYTES:-MAC_BYTES])
        except AuthenticationError:
            raise DroppedError(Drop.BAD_HANDSHAKE) from None
        self._ephemerals[ephemeral] = None
        if len(self._ephemerals) > REMEMBERED_EPHEMERALS:
            self._ephemerals.popitem(last=False)

        index = self._sessions.free_index()
        payload = Hs2Payload(
            boot_count=self._boot_count,
            authority_epoch=self.authority_epoch,
            is_holder=self.holder == record.peer,
            index=index,
            next_check=record.next_check,
            log_head=self.log_head,
        )
        header = hs2_header(profile, remote_index, index)
        message = handshake.write_message(payload.encode())
        peer.generations += 1
        generation = Generation(
            suite=profile,
            number=peer.generations,
            local_index=index,
            remote_index=remote_index,
            keys=handshake.split(),
            psk_generation=psk_generation,
            handshake_ns=now_ns,
            uplink_sender=False,
        )
        self._sessions.begin(peer, generation, psk, now_ns)
        return Reply(add_mac(profile, record.mac_responder_key, header + message), path)

    def _peer_of_untrusted(self, datagram: bytes) -> Peer:
        for peer in self.peers.values():
            if has_mac_untrusted(peer.record.profile, peer.record.mac_initiator_key, datagram):
                return peer
        raise DroppedError(Drop.BAD_MAC)

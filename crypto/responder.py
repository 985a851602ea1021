"""The drone's end of SL1: answers handshakes of paired ground stations, opens and seals frames.

             HS1 (mac, psk, fresh e)             first authenticated frame
    nothing -------------------------> provisional -------------------------> live
                                            | 5 s                              | the next one
                                            v                                  v is adopted
                                        forgotten                     previous, for 3 s

A provisional session costs memory only: nothing is sent under it and it replaces nothing until the
ground has proved, by an authenticated frame, that it finished this very handshake. So a recorded
HS1 can never disturb a live session, and no clock or stored counter is needed to tell.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from crypto.generation import Generation, Opened
from crypto.messages import (
    DATA_BIT,
    HS1_TYPE,
    HS_HEADER_BYTES,
    INDEX_COUNT,
    INDEX_MASK,
    PATTERN,
    Drop,
    DroppedError,
    Hs2Payload,
    add_mac,
    classify_untrusted,
    has_mac_untrusted,
    hs2_header,
    prologue,
)
from crypto.noise import DH_BYTES, HandshakeState, Keys
from crypto.pair import PairRecord, Role
from crypto.primitives import MAC_BYTES, AuthenticationError, KeyPair, RandomBytes

MAX_PEERS: Final = 8
PROVISIONAL_PER_PEER: Final = 4
PROVISIONAL_LIFETIME_NS: Final = 5_000_000_000
PREVIOUS_LIFETIME_NS: Final = 3_000_000_000
HANDSHAKE_BURST: Final = 10
HANDSHAKE_INTERVAL_NS: Final = 200_000_000
REMEMBERED_EPHEMERALS: Final = 256
LOG_HEAD_BYTES: Final = 4

Path = tuple[str, int]  # where a datagram came from; only ever handed back


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
class _Provisional:
    generation: Generation
    expires_ns: int


@dataclass(slots=True)
class Peer:
    """One paired ground station and its sessions. The zero state has none."""

    record: PairRecord
    static: KeyPair
    path: Path | None = None
    live: Generation | None = None
    previous: Generation | None = None
    previous_until_ns: int = 0
    provisional: list[_Provisional] = field(default_factory=list)
    tokens: int = HANDSHAKE_BURST
    refilled_ns: int = 0
    generations: int = 0
    adopted: int = 0

    @property
    def role(self) -> Role:
        """What this ground station may do."""
        return self.record.role


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
        self._sessions: dict[int, tuple[Peer, Generation]] = {}
        self._ephemerals: OrderedDict[bytes, None] = OrderedDict()

    def receive(self, datagram: bytes, path: Path, now_ns: int) -> list[Event]:
        """Take one datagram from anyone; return what it meant, nothing if it was dropped."""
        try:
            if classify_untrusted(datagram, HS1_TYPE) == DATA_BIT:
                return self._open(datagram, path, now_ns)
            return [self._answer(datagram, path, now_ns)]
        except DroppedError as drop:
            self.dropped[drop.reason] += 1
            return []

    def replace_record(self, record: PairRecord) -> None:
        """Use a record whose second slot has been written to disk, or emptied."""
        peer = self.peers[record.peer]
        # A session begun under a key that the slot no longer holds must not confirm the new one.
        self._forget_provisionals(peer, psk_generation=record.next_generation)
        peer.record = record

    def forget(self, name: str) -> None:
        """Close every session of a peer and answer it no more: it is revoked or suspended."""
        peer = self.peers.pop(name)
        for index in [i for i, (owner, _) in self._sessions.items() if owner is peer]:
            del self._sessions[index]

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
        times = [p.expires_ns for peer in self.peers.values() for p in peer.provisional]
        times += [p.previous_until_ns for p in self.peers.values() if p.previous is not None]
        return min(times, default=None)

    def tick(self, now_ns: int) -> None:
        """Forget sessions whose time is over."""
        for peer in self.peers.values():
            for entry in [p for p in peer.provisional if p.expires_ns <= now_ns]:
                self._forget_provisional(peer, entry)
            if peer.previous is not None and peer.previous_until_ns <= now_ns:
                del self._sessions[peer.previous.local_index]
                peer.previous = None

    def _open(self, datagram: bytes, path: Path, now_ns: int) -> list[Event]:
        session = self._sessions.get(datagram[0] & INDEX_MASK)
        if session is None:
            raise DroppedError(Drop.UNKNOWN_SESSION)
        peer, generation = session
        opened, is_newest = generation.open(datagram, peer.record.peer, now_ns)
        if generation is peer.live:
            if is_newest:
                peer.path = path
            return [opened]
        if generation is peer.previous:
            return [opened]
        changed = self._adopt(peer, generation, now_ns)
        peer.path = path
        return [*changed, Established(peer.record.peer, generation.number), opened]

    def _adopt(self, peer: Peer, generation: Generation, now_ns: int) -> list[Event]:
        """Make a confirmed generation the live one; the one before stays for what is in flight."""
        if peer.previous is not None:
            del self._sessions[peer.previous.local_index]
        peer.previous, peer.previous_until_ns = peer.live, now_ns + PREVIOUS_LIFETIME_NS
        peer.live = generation
        for entry in list(peer.provisional):
            # What was begun before the adopted one is stale; what came after may yet be confirmed.
            if entry.generation is generation:
                peer.provisional.remove(entry)
            elif entry.generation.number < generation.number:
                self._forget_provisional(peer, entry)
        peer.adopted += 1
        self.handshakes += 1
        if generation.psk_generation == peer.record.psk_generation:
            return []
        self._forget_provisionals(peer, psk_generation=peer.record.psk_generation)
        peer.record = peer.record.promoted()
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
        self._spend_token(peer, now_ns)

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

        if len(peer.provisional) == PROVISIONAL_PER_PEER:
            self._forget_provisional(peer, peer.provisional[0])
        index = self._free_index()
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
        self._sessions[index] = (peer, generation)
        peer.provisional.append(_Provisional(generation, now_ns + PROVISIONAL_LIFETIME_NS))
        return Reply(add_mac(profile, record.mac_responder_key, header + message), path)

    def _peer_of_untrusted(self, datagram: bytes) -> Peer:
        for peer in self.peers.values():
            if has_mac_untrusted(peer.record.profile, peer.record.mac_initiator_key, datagram):
                return peer
        raise DroppedError(Drop.BAD_MAC)

    def _spend_token(self, peer: Peer, now_ns: int) -> None:
        earned = (now_ns - peer.refilled_ns) // HANDSHAKE_INTERVAL_NS
        if earned > 0:
            peer.tokens = min(HANDSHAKE_BURST, peer.tokens + earned)
            peer.refilled_ns = now_ns
        if peer.tokens == 0:
            raise DroppedError(Drop.RATE_LIMITED)
        peer.tokens -= 1

    def _free_index(self) -> int:
        """Return an unused 6-bit index; 8 peers hold at most 8 * (1 + 1 + 4) = 48 of the 64."""
        return next(i for i in range(INDEX_COUNT) if i not in self._sessions)

    def _forget_provisionals(self, peer: Peer, psk_generation: int) -> None:
        for entry in list(peer.provisional):
            if entry.generation.psk_generation == psk_generation:
                self._forget_provisional(peer, entry)

    def _forget_provisional(self, peer: Peer, entry: _Provisional) -> None:
        peer.provisional.remove(entry)
        del self._sessions[entry.generation.local_index]

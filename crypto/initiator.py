"""The ground's end of SL1: starts handshakes with one drone, seals and opens frames.

The ground always speaks first, so that an idle drone is silent. It starts a handshake when it has
no session, when a session has been silent for 1 s, and before a session's keys grow old. A new
session is used for sending as soon as HS2 arrives, since its first frame is what makes the drone
adopt it; the one before is kept until the drone is heard under the new keys.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from crypto.generation import Generation, Opened
from crypto.messages import (
    HS2_TYPE,
    HS_HEADER_BYTES,
    INDEX_COUNT,
    INDEX_MASK,
    PATTERN,
    Drop,
    DroppedError,
    Hs1Payload,
    Hs2Payload,
    add_mac,
    check_handshake_untrusted,
    has_mac_untrusted,
    hs1_header,
    is_data_untrusted,
    prologue,
)
from crypto.noise import HandshakeState, Keys
from crypto.pair import PairRecord
from crypto.primitives import MAC_BYTES, AuthenticationError, KeyPair, RandomBytes

RETRY_NS: Final = 400_000_000
RETRY_SPREAD_NS: Final = 160_000_000  # 0.4 s give or take 20 %
FAST_RETRY_FOR_NS: Final = 10_000_000_000
SLOW_RETRY_NS: Final = 1_000_000_000
SILENCE_NS: Final = 1_000_000_000
CONFIRM_WITHIN_NS: Final = 2_000_000_000
PREVIOUS_LIFETIME_NS: Final = 3_000_000_000
REKEY_AFTER_TIME_NS: Final = 120_000_000_000
REKEY_AFTER_FRAMES: Final = 1 << 22
REKEY_AFTER_FORGERIES: Final = 1 << 20  # never closed for them: that would be a gift to the forger
MAX_PENDING: Final = 4


class Established(NamedTuple):
    """The drone was heard under new keys."""

    drone_boot_count: int
    is_holder: bool
    log_head: bytes


class PairChanged(NamedTuple):
    """The second PSK slot has become the first, or has proved useless: it must be on disk."""

    record: PairRecord


Event = Established | PairChanged | Opened


@dataclass(slots=True)
class _Pending:
    handshake: HandshakeState
    index: int
    psk_generation: int
    psk: bytes


@dataclass(slots=True)
class _Session:
    generation: Generation
    hello: Hs2Payload
    psk: bytes
    since_ns: int
    confirmed: bool = False


class Initiator:
    """One pair as the ground sees it, sans-I/O. The zero state has no session and wants one."""

    def __init__(self, pair: PairRecord, boot_count: int, random_bytes: RandomBytes) -> None:
        self.pair = pair
        self.dropped: Counter[str] = Counter()
        self.handshakes = 0
        self.authority_epoch = 0
        self.heard_ns: int | None = None
        self._boot_count = boot_count
        self._random_bytes = random_bytes
        self._suite = pair.profile
        self._protocol = self._suite.noise(PATTERN)
        self._static = KeyPair(pair.static_private)
        self._pending: list[_Pending] = []
        self._newest: _Session | None = None
        self._previous: _Session | None = None
        self._previous_until_ns = 0
        self._numbers = 0
        self._next_index = 0
        self._trying_since_ns: int | None = None
        self._retry_ns: int | None = None
        self._rekey_asked = False
        self._last_tried = pair.psk_generation

    @property
    def session(self) -> Generation | None:
        """The generation frames are sealed under, if there is one."""
        return None if self._newest is None else self._newest.generation

    @property
    def is_established(self) -> bool:
        """Tell whether the drone has been heard under the newest keys."""
        return self._newest is not None and self._newest.confirmed

    @property
    def is_linked(self) -> bool:
        """Tell whether the drone has been heard under keys in use: the newest, or the last ones."""
        return self.is_established or self._previous is not None

    def receive(self, datagram: bytes, now_ns: int) -> list[Event]:
        """Take one datagram; return what it meant, nothing if it was dropped."""
        if is_data_untrusted(datagram):
            outcome = self._open(datagram, now_ns)
            if not isinstance(outcome, Drop):
                return outcome
            self.dropped[outcome] += 1
            return []
        try:
            check_handshake_untrusted(datagram, HS2_TYPE)
            return self._finish(datagram, now_ns)
        except DroppedError as drop:
            self.dropped[drop.reason] += 1
            return []

    def seal(self, records: bytes, now_ns: int) -> bytes | None:
        """Return the sealed datagram, or None without a session.

        Raises:
            CounterExhaustedError: The session has reached its hard stop.
        """
        if self._newest is None:
            return None
        return self._newest.generation.seal(records, self.authority_epoch, now_ns)

    def replace_record(self, record: PairRecord) -> None:
        """Use a record whose second slot has been written to disk; a handshake tries it at once."""
        self.pair = record

    def rekey(self) -> None:
        """Replace the keys as soon as may be: the vehicle is arming."""
        self._rekey_asked = True

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Return the handshake message that is due, if one is."""
        self._settle(now_ns)
        if self._retry_ns is None or now_ns < self._retry_ns:
            return []
        assert self._trying_since_ns is not None
        if now_ns - self._trying_since_ns < FAST_RETRY_FOR_NS:
            spread = int.from_bytes(self._random_bytes(4), "big") % RETRY_SPREAD_NS
            self._retry_ns = now_ns + RETRY_NS - RETRY_SPREAD_NS // 2 + spread
        else:
            self._retry_ns = now_ns + SLOW_RETRY_NS
        return [self._start()]

    def deadline_ns(self) -> int | None:
        """Return when `outgoing` is worth asking again."""
        if self._retry_ns is not None:
            return self._retry_ns
        if self._newest is None:
            return 0
        if self._newest.confirmed:
            assert self.heard_ns is not None
            times = [self._newest.since_ns + REKEY_AFTER_TIME_NS, self.heard_ns + SILENCE_NS]
        else:
            times = [self._newest.since_ns + CONFIRM_WITHIN_NS]
        if self._previous is not None:
            times.append(self._previous_until_ns)
        return min(times)

    def _settle(self, now_ns: int) -> None:
        """All changes that time alone brings about."""
        newest = self._newest
        if self._previous is not None and now_ns >= self._previous_until_ns:
            self._previous = None
        if (
            newest is not None
            and not newest.confirmed
            and now_ns - newest.since_ns >= CONFIRM_WITHIN_NS
        ):
            # The drone never adopted it, or we cannot hear that it did: go back and try again.
            self._newest, self._previous = self._previous, None
            newest = self._newest
        wanted = newest is None or self.is_silent(now_ns) or self._is_old(newest, now_ns)
        if not wanted:
            self._trying_since_ns = self._retry_ns = None
            self._pending.clear()
        elif self._trying_since_ns is None and (newest is None or newest.confirmed):
            self._trying_since_ns = self._retry_ns = now_ns

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether nothing authentic has been heard for a second."""
        return self.heard_ns is None or now_ns - self.heard_ns >= SILENCE_NS

    def _is_old(self, session: _Session, now_ns: int) -> bool:
        return session.confirmed and (
            self._rekey_asked
            or self._may_promote(session)
            or now_ns - session.since_ns >= REKEY_AFTER_TIME_NS
            or session.generation.next_counter >= REKEY_AFTER_FRAMES
            or session.generation.window.top >= REKEY_AFTER_FRAMES
            or session.generation.tag_failures >= REKEY_AFTER_FORGERIES
        )

    def _may_promote(self, session: _Session) -> bool:
        """Tell whether the second slot is filled and this session still uses the first."""
        pair = self.pair
        return (
            pair.next_psk is not None and session.generation.psk_generation == pair.psk_generation
        )

    def _generation_to_try(self) -> int:
        """Return both PSKs in turn, the newest first: the drone may have another one there.

        Even while it is heard: only HS2 under the older one tells that the slots differ.
        """
        pair = self.pair
        if pair.next_psk is None or self._last_tried == pair.next_generation:
            return pair.psk_generation
        return pair.next_generation

    def _start(self) -> bytes:
        pair = self.pair
        generation = self._last_tried = self._generation_to_try()
        psk = pair.psk_of(generation)
        assert psk is not None
        index = self._free_index()
        header = hs1_header(self._suite, generation, index)
        handshake = HandshakeState(
            self._protocol,
            Keys(self._static, pair.peer_static_public, (psk,)),
            self._random_bytes,
            initiator=True,
            prologue=prologue(self._suite, pair.drone_id, pair.gcs_id, header),
        )
        message = handshake.write_message(Hs1Payload(0, self._boot_count).encode())
        self._pending = [
            *self._pending[-MAX_PENDING + 1 :],
            _Pending(handshake, index, generation, psk),
        ]
        return add_mac(self._suite, pair.mac_initiator_key, header + message)

    def _finish(self, datagram: bytes, now_ns: int) -> list[Event]:
        if not has_mac_untrusted(self._suite, self.pair.mac_responder_key, datagram):
            raise DroppedError(Drop.BAD_MAC)
        _, suite, local_index, remote_index = datagram[:HS_HEADER_BYTES]
        if suite != self._suite.number:
            raise DroppedError(Drop.WRONG_SUITE)
        pending = next((p for p in self._pending if p.index == local_index), None)
        if pending is None:
            raise DroppedError(Drop.REPLAYED_HANDSHAKE)
        try:
            payload = pending.handshake.read_message(datagram[HS_HEADER_BYTES:-MAC_BYTES])
        except AuthenticationError:
            raise DroppedError(Drop.BAD_HANDSHAKE) from None
        # Its one message is used up, whatever becomes of it: the same HS2 may well come again.
        self._pending.remove(pending)
        hello = Hs2Payload.parse(payload)
        if hello.index != remote_index or remote_index >= INDEX_COUNT:
            raise DroppedError(Drop.BAD_HANDSHAKE)
        self._pending.clear()
        self._trying_since_ns = self._retry_ns = None
        self._numbers += 1
        generation = Generation(
            suite=self._suite,
            number=self._numbers,
            local_index=local_index,
            remote_index=remote_index,
            keys=pending.handshake.split(),
            psk_generation=pending.psk_generation,
            handshake_ns=now_ns,
            uplink_sender=True,
        )
        if self._newest is not None and self._newest.confirmed:
            self._previous, self._previous_until_ns = (
                self._newest,
                now_ns + CONFIRM_WITHIN_NS + PREVIOUS_LIFETIME_NS,
            )
        self._newest = _Session(generation, hello, pending.psk, now_ns)
        self.authority_epoch = hello.authority_epoch
        self.heard_ns = now_ns
        if self._may_promote(self._newest) and hello.next_check != self.pair.next_check:
            # The drone has another key there, or none: an old state was put back at one end.
            self.pair = self.pair.with_next(None)
            return [PairChanged(self.pair)]
        return []

    def _open(self, datagram: bytes, now_ns: int) -> list[Event] | Drop:
        index = datagram[0] & INDEX_MASK
        for session in (self._newest, self._previous):
            if session is not None and session.generation.local_index == index:
                break
        else:
            return Drop.UNKNOWN_SESSION
        opened = session.generation.open(datagram, self.pair.peer, now_ns)
        if isinstance(opened, Drop):
            return opened
        self.heard_ns = now_ns
        if session.confirmed:
            return [opened]
        session.confirmed = True
        self._rekey_asked = False
        self.handshakes += 1
        if self._previous is not None:
            self._previous_until_ns = now_ns + PREVIOUS_LIFETIME_NS
        events: list[Event] = []
        if session.generation.psk_generation != self.pair.psk_generation:
            self.pair = self.pair.promoted(session.psk)
            events.append(PairChanged(self.pair))
        hello = session.hello
        return [
            *events,
            Established(hello.boot_count, hello.is_holder, hello.log_head),
            opened,
        ]

    def _free_index(self) -> int:
        """Return the next receiving index in turn, skipping those in use."""
        used = {p.index for p in self._pending}
        used |= {s.generation.local_index for s in (self._newest, self._previous) if s is not None}
        while self._next_index in used:
            self._next_index = (self._next_index + 1) % INDEX_COUNT
        index = self._next_index
        self._next_index = (index + 1) % INDEX_COUNT
        return index

"""MAVLink 2 signing on the autopilot's line: every frame signed, and only fresh signed ones taken.

A signature is 48 bits of SHA-256 over key, frame, link id and timestamp, and it is fresh if its
timestamp is greater than the last of its stream (system, component, link). After a restart nothing
is known of the streams, so the frame must be as new as our own first timestamp: that one is later
than any the autopilot has ever seen or made, and it takes it over with the first frame it gets from
us. So that frame is a challenge and every later one the answer, whatever any clock says; a
recording from before does not pass. Signing keeps out whoever taps the UART or another port of the
autopilot; the security boundary is the sealed link.

Source: https://mavlink.io/en/guide/message_signing.html, and ArduPilot's libraries/GCS_MAVLink.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from fastcrc.crc16 import mcrf4xx

from crypto.primitives import equal, prefixed_sha256
from wire.mavlink import HEADER_BYTES, INCOMPAT_SIGNED

KEY_BYTES: Final = 32
LINK_ID: Final = 191  # the companion's; ArduPilot's are the small numbers of its ports
TICK_NS: Final = 10_000  # one step of a timestamp
MARGIN: Final = 60 * 10**9 // TICK_NS  # how far a start goes beyond what is on disk
SAVE_INTERVAL_NS: Final = 30_000_000_000
RETRY_NS: Final = 1_000_000_000
NEW_STREAM_AGE: Final = 60 * 10**9 // TICK_NS
MAX_STREAMS: Final = 32
CHALLENGE_INTERVAL_NS: Final = 200_000_000

_EPOCH_NS = 1_420_070_400 * 10**9  # 2015-01-01 UTC
_SANE_UNIX_NS = 1_767_225_600 * 10**9  # 2026-01-01 UTC: a clock before it has not been set
_YEAR = 365 * 86_400 * 10**9 // TICK_NS
# The autopilot takes its time from GNSS, which can be spoofed, and the last timestamp there is
# could never be exceeded: nobody is followed into the last ten years, which begin in 2094.
LATEST: Final = (1 << 48) - 10 * _YEAR

_MAC_BYTES = 6
_SIGNATURE_BYTES = 13
_MAX_PAYLOAD = 255


class SigningState(StrEnum):
    """How far the line is signed."""

    OFF = "off"
    OFFERED = "offered"  # the autopilot was told a key, and it is not known whether it took it
    ON = "on"


class BadSignature(StrEnum):
    """Why frames of a signed line were dropped."""

    UNSIGNED = "unsigned"
    FORGED = "bad_signature"
    OLD = "old_signature"


class SigningKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is on disk: the key in force, and the one that an unfinished setup has offered.

    Invariant:
        At least one of them is there. What the autopilot may hold is on disk before it is told, so
        that no crash locks us out.
    """

    version: int = 1
    key: bytes | None = None
    offered: bytes | None = None

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"written as version {self.version}, this is version 1")
        present = [key for key in (self.key, self.offered) if key is not None]
        if not present or any(len(key) != KEY_BYTES for key in present):
            raise ValueError("a key is missing or has the wrong length")

    def __repr__(self) -> str:
        return "SigningKeys(...)"


class SigningFloor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What survives a restart: a timestamp that had been reached."""

    version: int = 1
    timestamp: int = 0

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"written as version {self.version}, this is version 1")
        if not 0 <= self.timestamp < 1 << 48:
            raise ValueError("the timestamp is out of range")


def state_of(keys: SigningKeys | None) -> SigningState:
    """Return how far a line with these keys is signed."""
    if keys is None:
        return SigningState.OFF
    return SigningState.OFFERED if keys.key is None else SigningState.ON


def timestamp_of(unix_ns: int) -> int:
    """Return the signing timestamp of a wall clock, 0 if nobody has set that clock."""
    timestamp = (unix_ns - _EPOCH_NS) // TICK_NS
    return timestamp if unix_ns >= _SANE_UNIX_NS and timestamp < LATEST else 0


def first_timestamp(floor: SigningFloor | None, unix_ns: int) -> int:
    """Return where a start begins: beyond everything signed and seen before.

    The wall clock only ever moves it forward; it may be wrong, or go backwards between starts.
    """
    resumed = 0 if floor is None else min(floor.timestamp + MARGIN, LATEST)
    return max(resumed, timestamp_of(unix_ns), 1)


def _flag_deltas() -> list[int]:
    """Return, by length of payload, what setting the flag changes in the checksum.

    A CRC is affine: two messages of one length whose difference is fixed have checksums whose
    difference is fixed, and after the flag come 7 bytes of header, the payload and CRC_EXTRA.
    """
    flag = bytes((0, INCOMPAT_SIGNED))
    return [mcrf4xx(flag + bytes(n + 8)) ^ mcrf4xx(bytes(n + 10)) for n in range(_MAX_PAYLOAD + 1)]


_FLAG_DELTA: Final = _flag_deltas()


def _flagged(frame: bytes, flag: bytes) -> bytes:
    """Return a checksummed frame without its signature, and with the other flag."""
    end = HEADER_BYTES + frame[1]
    checksum = (frame[end] | frame[end + 1] << 8) ^ _FLAG_DELTA[frame[1]]
    return frame[:2] + flag + frame[3:end] + checksum.to_bytes(2, "little")


def stripped(frame: bytes) -> bytes:
    """Return a checksummed frame without its signature."""
    return _flagged(frame, b"\0") if frame[2] else frame


class Signing:
    """Sign what goes to the autopilot, verify what comes from it. Without keys: neither.

    The zero state has heard nothing.

    Invariant:
        * Timestamps sent strictly increase, over restarts too while the disk can be written: what
          is on disk is never more than `MARGIN` behind.
        * A frame changes nothing here until its signature has been verified.
        * No frame is taken twice, and none that was recorded before this start.
        * What comes out carries no signature.
    """

    def __init__(self, keys: SigningKeys | None, first: int, start_ns: int) -> None:
        """Begin at timestamp `first`, which is on disk, at monotonic time `start_ns`."""
        self.dropped: Counter[str] = Counter()
        self.verified = 0
        self.unverified = 0  # signed frames taken without a key to verify them with
        self.notices: list[str] = []  # what the operators should hear, once each
        self._keys = keys
        self._key: bytes | None = None
        self._macs: dict[bytes, Callable[[bytes], bytes]] = {}
        if keys is not None:
            self._macs = {k: prefixed_sha256(k) for k in (keys.key, keys.offered) if k is not None}
            self._key = keys.key
        self._first, self._start_ns = first, start_ns
        self._last = first
        self._newest_seen = first
        self._streams: dict[bytes, int] = {}
        self._challenged_ns: int | None = None
        self._challenge: int | None = None
        self._floor = first  # what is on disk, or on its way there
        self._save_due_ns = start_ns + SAVE_INTERVAL_NS
        self._saved_ns = start_ns
        self._to_save: list[SigningFloor | SigningKeys] = []

    @property
    def state(self) -> SigningState:
        """How far the line is signed."""
        return state_of(self._keys)

    @property
    def key(self) -> bytes | None:
        """The key in force."""
        return self._key

    def timestamp(self, now_ns: int) -> int:
        """Return the time that has been reached: nothing was signed or seen beyond it."""
        return max(self._last, self._clock(now_ns))

    def sign(self, frame: bytes, now_ns: int) -> bytes:
        """Return a checksummed frame as it goes to the autopilot, whatever signature it carried."""
        plain = stripped(frame)
        if self._key is None:
            return plain
        self._last = max(self._last + 1, self._clock(now_ns))
        body = _flagged(plain, b"\x01") + bytes((LINK_ID,)) + self._last.to_bytes(6, "little")
        return body + self._macs[self._key](body)[:_MAC_BYTES]

    def receive(self, frames: Sequence[bytes], now_ns: int) -> list[bytes]:
        """Return those checksummed frames of the line that are to be believed, unsigned."""
        if self._keys is None:
            return [self._unverified(frame) if frame[2] else frame for frame in frames]
        taken = [self._verify(frame, now_ns) for frame in frames]
        return [frame for frame in taken if frame is not None]

    def challenge(self) -> int | None:
        """Return the system that signs rightly and not freshly, if it has to be told our time."""
        sysid, self._challenge = self._challenge, None
        return sysid

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        return None if self._keys is None else self._save_due_ns

    def tick(self, now_ns: int) -> None:
        """Let the time that was reached be written, twice a minute."""
        if self._keys is None or now_ns < self._save_due_ns:
            return
        self._saved_ns, self._save_due_ns = now_ns, now_ns + SAVE_INTERVAL_NS
        # What would be sent now, so that a frame after a long silence is not far beyond it.
        self._floor = self.timestamp(now_ns)
        self._to_save.append(SigningFloor(timestamp=self._floor))

    def to_save(self) -> list[SigningFloor | SigningKeys]:
        """Return what must be written to disk."""
        out, self._to_save = self._to_save, []
        return out

    def not_saved(self, item: SigningFloor | SigningKeys, now_ns: int) -> None:
        """Try again shortly: something could not be written."""
        if isinstance(item, SigningFloor):
            self._floor = self._first
            self._save_due_ns = min(self._save_due_ns, now_ns + RETRY_NS)

    def _clock(self, now_ns: int) -> int:
        return min(self._first + (now_ns - self._start_ns) // TICK_NS, LATEST)

    def _unverified(self, frame: bytes) -> bytes:
        if not frame[2]:
            return frame
        if not self.unverified:
            self.notices.append("Autopilot signs, and no key for it is here")
        self.unverified += 1
        return stripped(frame)

    def _verify(self, frame: bytes, now_ns: int) -> bytes | None:
        key = self._signer(frame) if frame[2] else None
        if key is None:
            if self._key is None:
                return self._unverified(frame)
            self._refuse(BadSignature.FORGED if frame[2] else BadSignature.UNSIGNED)
            return None
        self._settle_key(key)
        timestamp = int.from_bytes(frame[-_MAC_BYTES - 6 : -_MAC_BYTES], "little")
        stream = frame[5:7] + frame[-_SIGNATURE_BYTES : -_SIGNATURE_BYTES + 1]
        if not self._is_fresh(stream, timestamp):
            self._challenge_soon(frame[5], now_ns)
            self._refuse(BadSignature.OLD)
            return None
        self._streams[stream] = timestamp
        self._newest_seen = max(self._newest_seen, timestamp)
        self._follow(min(timestamp, LATEST), now_ns)
        self.verified += 1
        return _flagged(frame, b"\0")

    def _signer(self, frame: bytes) -> bytes | None:
        """Return the key that a signature was made with."""
        body, mac = frame[:-_MAC_BYTES], frame[-_MAC_BYTES:]
        # The key in force first: there is another one only while a setup is unfinished.
        for key, sign in self._macs.items():
            if equal(sign(body)[:_MAC_BYTES], mac):
                return key
        return None

    def _settle_key(self, key: bytes) -> None:
        """Let the key that the autopilot uses be the only one from now on."""
        assert self._keys is not None
        if self._keys.offered is None:
            return
        if key == self._keys.offered:
            self._keys = SigningKeys(key=key)
            self._key, self._macs = key, {key: self._macs[key]}
            self._to_save.append(self._keys)

    def _is_fresh(self, stream: bytes, timestamp: int) -> bool:
        last = self._streams.get(stream)
        if last is not None:
            return timestamp > last
        oldest = max(self._first, self._newest_seen - NEW_STREAM_AGE)
        return timestamp >= oldest and len(self._streams) < MAX_STREAMS

    def _follow(self, timestamp: int, now_ns: int) -> None:
        """Never sign with an older time than the autopilot has: after a restart it would refuse."""
        self._last = max(self._last, timestamp)
        if self._last - self._floor > MARGIN * 3 // 4:  # it has jumped: the disk must know soon
            self._save_due_ns = min(self._save_due_ns, max(now_ns, self._saved_ns + RETRY_NS))

    def _challenge_soon(self, sysid: int, now_ns: int) -> None:
        if self._challenged_ns is None or now_ns - self._challenged_ns >= CHALLENGE_INTERVAL_NS:
            self._challenged_ns, self._challenge = now_ns, sysid

    def _refuse(self, reason: BadSignature) -> None:
        if not self.dropped[reason] and reason in _NOTICES:
            self.notices.append(_NOTICES[reason])
        self.dropped[reason] += 1


# An old time is what every start begins with.
_NOTICES: Final = {
    BadSignature.UNSIGNED: "Unsigned frames of the autopilot are refused",
    BadSignature.FORGED: "Wrongly signed autopilot frames are refused",
}

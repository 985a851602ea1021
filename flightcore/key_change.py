"""Give the autopilot a signing key, or take it away: sans-I/O, on the ground, service stopped.

Listen until it is known what the autopilot signs with and that it is disarmed; then, once the
caller has written the new key down, offer it until frames come back that are signed with it. Who
listens on that line meanwhile has the key: it is the one moment at which a key travels.
"""

from enum import StrEnum
from typing import Final

from flightcore.autopilot import AUTOPILOT_COMPID, COMPANION_COMPID, Autopilot
from flightcore.policy import FlightState
from flightcore.signing import KEY_BYTES, BadSignature, Signing, SigningKeys
from wire.mavlink import FrameSplitter, dialect

LISTEN_NS: Final = 2_500_000_000  # two heartbeats, and the answer to a challenge
SILENT_NS: Final = 6_000_000_000
REPEAT_NS: Final = 500_000_000
GIVE_UP_NS: Final = 6_000_000_000
NO_KEY: Final = bytes(KEY_BYTES)  # what switches signing off


class Found(StrEnum):
    """What listening has found."""

    SILENT = "silent"
    ARMED = "armed"
    UNSIGNED = "unsigned"
    OURS = "ours"  # signed with a key of this state directory
    FOREIGN = "foreign"  # signed with another


class KeyChange:
    """One change. `found` is None while listening; then the caller may `offer`, once.

    Invariant: nothing is offered to an autopilot that is armed or silent.
    """

    def __init__(self, keys: SigningKeys | None, first: int, start_ns: int) -> None:
        self.found: Found | None = None
        self.is_done = False
        self.is_over = False
        self.is_answered = False  # frames came since the offer, whatever their signature
        self._first, self._start_ns = first, start_ns
        self._ours = Autopilot(Signing(keys, first, start_ns))
        self._anyone = Autopilot()  # believes everybody: it only says what there is
        self._splitter = FrameSplitter()
        self._heard_ns: int | None = None
        self._offered: bytes | None = None
        self._offer_ns = self._over_ns = 0
        self._to_line: list[bytes] = []

    @property
    def key(self) -> bytes | None:
        """The key that the autopilot signs with, if it is known here."""
        return self._ours.signing.key if self.found is Found.OURS else None

    @property
    def sysid(self) -> int | None:
        """The autopilot's system id."""
        return self._anyone.sysid

    def timestamp(self, now_ns: int) -> int:
        """Return the signing time that has been reached."""
        return self._ours.signing.timestamp(now_ns)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the line."""
        self._anyone.receive(data, now_ns)
        if self._heard_ns is None and self._anyone.sysid is not None:
            self._heard_ns = now_ns
        self._ours.receive(data, now_ns)
        self._to_line += self._ours.challenges(now_ns)
        frames = self._splitter.receive(data)
        self.is_answered |= self._offered is not None and bool(frames)
        if self._offered == NO_KEY:
            self.is_done |= any(f[2] == 0 and f[6] == AUTOPILOT_COMPID for f in frames)
        elif self._offered is not None:
            self.is_done |= self._ours.signing.key == self._offered
        self.is_over |= self.is_done

    def tick(self, now_ns: int) -> None:
        """Come to a finding, or repeat the offer."""
        if self._offered is not None and not self.is_over:
            if now_ns >= self._over_ns or self._anyone.state is FlightState.ARMED:
                self.is_over = True
            elif now_ns >= self._offer_ns:
                self._offer_ns = now_ns + REPEAT_NS
                self._send_offer(now_ns)
        elif self.found is None:
            self.found = self._finding(now_ns)

    def offer(self, key: bytes, now_ns: int) -> None:
        """Begin to give the autopilot a key that is on disk; `NO_KEY` takes it away."""
        assert self.found in (Found.UNSIGNED, Found.OURS, Found.FOREIGN)
        held = self.key
        if key != NO_KEY:
            keys: SigningKeys | None = SigningKeys(key=held, offered=key)
        else:
            keys = None if held is None else SigningKeys(key=held)
        first = max(self._first, self.timestamp(now_ns))
        self._ours = Autopilot(Signing(keys, first, now_ns))
        self._offered = key
        self._offer_ns, self._over_ns = now_ns, now_ns + GIVE_UP_NS
        self.tick(now_ns)

    def outgoing(self) -> bytes:
        """Return the bytes to write to the autopilot."""
        out = b"".join(self._to_line)
        self._to_line.clear()
        return out

    def _finding(self, now_ns: int) -> Found | None:
        if self._heard_ns is None:
            return Found.SILENT if now_ns - self._start_ns >= SILENT_NS else None
        if now_ns - self._heard_ns < LISTEN_NS:
            return None
        if self._anyone.state is FlightState.ARMED:
            return Found.ARMED
        if not self._anyone.signing.unverified:
            return Found.UNSIGNED
        signing = self._ours.signing
        is_ours = bool(signing.verified or signing.dropped[BadSignature.OLD])
        return Found.OURS if is_ours else Found.FOREIGN

    def _send_offer(self, now_ns: int) -> None:
        assert self._offered is not None
        sysid = self._anyone.sysid
        timestamp = 0 if self._offered == NO_KEY else self.timestamp(now_ns)
        message = dialect.MAVLink_setup_signing_message(
            sysid, AUTOPILOT_COMPID, self._offered, timestamp
        )
        frame = self._anyone.pack(message, COMPANION_COMPID)
        self._to_line += self._ours.signed([frame], now_ns)

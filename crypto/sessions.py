"""The sessions of one drone: the table of their lives, and the only code that moves them.

A provisional session costs memory only: nothing is sent under it and it replaces nothing until the
ground has proved, by an authenticated frame, that it finished this very handshake. So a recorded
HS1 can never disturb a live session, and no clock or stored counter is needed to tell.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from crypto.generation import Generation
from crypto.messages import INDEX_COUNT
from crypto.pair import PairRecord, Role
from crypto.primitives import KeyPair

PROVISIONAL_PER_PEER: Final = 4
Path = tuple[str, int]  # where a datagram came from; only ever handed back


class Phase(StrEnum):
    """Where a session is in its life."""

    NONE = "none"
    PROVISIONAL = "provisional"
    LIVE = "live"
    PREVIOUS = "previous"
    CLOSED = "closed"


class Cause(StrEnum):
    """What moves a session."""

    BEGUN = "a valid HS1"
    CONFIRMED = "its first authentic frame"
    SUCCEEDED = "a later session is confirmed"
    EVICTED = "a fifth provisional session"
    LAPSED = "its time is over"
    KEY_GONE = "its PSK is replaced or forgotten"
    SHUT_OUT = "the peer is shut out"


TRANSITIONS: Final = {
    (Phase.NONE, Cause.BEGUN): Phase.PROVISIONAL,
    (Phase.PROVISIONAL, Cause.CONFIRMED): Phase.LIVE,
    (Phase.PROVISIONAL, Cause.SUCCEEDED): Phase.CLOSED,
    (Phase.PROVISIONAL, Cause.EVICTED): Phase.CLOSED,
    (Phase.PROVISIONAL, Cause.LAPSED): Phase.CLOSED,
    (Phase.PROVISIONAL, Cause.KEY_GONE): Phase.CLOSED,
    (Phase.PROVISIONAL, Cause.SHUT_OUT): Phase.CLOSED,
    (Phase.LIVE, Cause.SUCCEEDED): Phase.PREVIOUS,
    (Phase.LIVE, Cause.SHUT_OUT): Phase.CLOSED,
    (Phase.PREVIOUS, Cause.SUCCEEDED): Phase.CLOSED,
    (Phase.PREVIOUS, Cause.LAPSED): Phase.CLOSED,
    (Phase.PREVIOUS, Cause.SHUT_OUT): Phase.CLOSED,
}
# A live session ends by its own hard stops, not by a time that an attacker could wait out.
LIFETIME_NS: Final = {Phase.PROVISIONAL: 5_000_000_000, Phase.PREVIOUS: 3_000_000_000}


@dataclass(slots=True, eq=False)
class Session:
    """One session and where it is in its life."""

    peer: "Peer"
    generation: Generation
    psk: bytes
    phase: Phase = Phase.NONE
    ends_ns: int | None = None


@dataclass(slots=True, eq=False)
class Peer:
    """One paired ground station and its sessions, oldest first. The zero state has none.

    Invariant: at most one session is live, one previous and four are provisional; `live` is the
    live one's generation.
    """

    record: PairRecord
    static: KeyPair
    path: Path | None = None
    live: Generation | None = None
    sessions: list[Session] = field(default_factory=list)
    generations: int = 0
    adopted: int = 0

    @property
    def role(self) -> Role:
        """What this ground station may do."""
        return self.record.role

    def those(self, phase: Phase) -> list[Session]:
        """Return the sessions in one phase, oldest first."""
        return [session for session in self.sessions if session.phase is phase]


class Sessions:
    """All sessions of a drone, by the index under which it receives.

    Invariant: no two open sessions share an index, so no frame can be tried under two keys.
    """

    def __init__(self) -> None:
        self._open: dict[int, Session] = {}

    def at(self, index: int) -> Session | None:
        """Return the open session that receives under an index."""
        return self._open.get(index)

    def free_index(self) -> int:
        """Return an unused 6-bit index; 8 peers hold at most 8 * (1 + 1 + 4) = 48 of the 64."""
        return next(i for i in range(INDEX_COUNT) if i not in self._open)

    def begin(self, peer: Peer, generation: Generation, psk: bytes, now_ns: int) -> None:
        """Add a provisional session made under `psk`, in place of the oldest if there are four."""
        provisional = peer.those(Phase.PROVISIONAL)
        if len(provisional) == PROVISIONAL_PER_PEER:
            self._move(provisional[0], Cause.EVICTED, now_ns)
        session = Session(peer, generation, psk)
        peer.sessions.append(session)
        self._open[generation.local_index] = session
        self._move(session, Cause.BEGUN, now_ns)

    def confirm(self, session: Session, now_ns: int) -> None:
        """Make a provisional session the live one; the one before stays for what is in flight."""
        peer = session.peer
        for other in list(peer.sessions):
            # What was begun before is stale; what was begun after may yet be confirmed.
            if other.generation.number < session.generation.number:
                self._move(other, Cause.SUCCEEDED, now_ns)
        self._move(session, Cause.CONFIRMED, now_ns)
        peer.adopted += 1

    def drop_key(self, peer: Peer, psk_generation: int, now_ns: int) -> None:
        """Close the provisional sessions under a PSK that is no longer good for a handshake."""
        for session in peer.those(Phase.PROVISIONAL):
            if session.generation.psk_generation == psk_generation:
                self._move(session, Cause.KEY_GONE, now_ns)

    def shut_out(self, peer: Peer, now_ns: int) -> None:
        """Close every session of a peer."""
        for session in list(peer.sessions):
            self._move(session, Cause.SHUT_OUT, now_ns)

    def lapse(self, now_ns: int) -> None:
        """Close the sessions whose time is over."""
        for session in list(self._open.values()):
            if session.ends_ns is not None and session.ends_ns <= now_ns:
                self._move(session, Cause.LAPSED, now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `lapse` has something to close."""
        first: int | None = None
        for session in self._open.values():
            time = session.ends_ns
            if time is not None and (first is None or time < first):
                first = time
        return first

    def _move(self, session: Session, cause: Cause, now_ns: int) -> None:
        peer, was = session.peer, session.phase
        session.phase = TRANSITIONS[was, cause]
        lifetime_ns = LIFETIME_NS.get(session.phase)
        session.ends_ns = None if lifetime_ns is None else now_ns + lifetime_ns
        if session.phase is Phase.CLOSED:
            del self._open[session.generation.local_index]
            peer.sessions.remove(session)
        if session.phase is Phase.LIVE:
            peer.live = session.generation
        elif was is Phase.LIVE:
            peer.live = None

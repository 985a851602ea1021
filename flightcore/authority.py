r"""Exactly one commander: the drone alone decides who holds command, and fences off who does not.

               first commander heard                 hand over, accept
    vacant ------------------------------> held <------------------------ offered
                                             |  \__ hand over ______________^  (10 s)
                                             | claim, once the holder is lost 15 s
                                             | preempt, by a supervisor
                                             v
                                     held by another, epoch + 1

Each change is on disk before it holds: until then the old state does, so a crash at any moment
leaves one holder, and nobody has been told of another. Every uplink frame names the epoch its
sender believes in, so what was sent before a change does not execute after it, not even when
command comes back to the same station.
"""

from typing import Final

import msgspec

from crypto.pair import ID_BYTES, Role
from wire.authority import NOBODY, Answer, Flag, Request, Verb

LEASE_NS: Final = 15_000_000_000
OFFER_NS: Final = 10_000_000_000


class AuthorityState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What survives a restart. The zero state: nobody has ever commanded."""

    version: int = 1
    epoch: int = 0
    holder: bytes = NOBODY

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError(f"written as version {self.version}, this is version 1")
        if not 0 <= self.epoch < 1 << 32 or len(self.holder) != ID_BYTES:
            raise ValueError("the epoch or the holder is out of range")


class Authority:
    """Who commands one drone. Stations are named by their 16-byte id.

    Invariant: `state` is what is on disk. At most one change waits to be written at a time, and
    while it waits nothing else is granted.
    """

    def __init__(self, state: AuthorityState) -> None:
        self.state = state
        self.to_save: AuthorityState | None = None
        self._heard_ns: int | None = None  # the holder, by a fresh frame
        self._offered_to: bytes | None = None
        self._offer_ends_ns = 0

    def is_holder(self, station: bytes) -> bool:
        """Tell whether a station is in command."""
        return self.state.holder == station

    def is_held(self) -> bool:
        """Tell whether anybody is in command."""
        return self.state.holder != NOBODY

    def heard_ns(self) -> int | None:
        """Return when the holder was last heard afresh; None if not since the start."""
        return self._heard_ns

    def is_holder_lost(self, now_ns: int) -> bool:
        """Tell whether the holder has not been heard afresh for 15 s.

        After a restart the holder gets as long to come back, counted from the first call.
        """
        if self._heard_ns is None:
            self._heard_ns = now_ns
        return now_ns - self._heard_ns >= LEASE_NS

    def flags(self, station: bytes, now_ns: int) -> Flag:
        """Return what the state means for a station."""
        flags = Flag.HOLDER if self.is_holder(station) else Flag(0)
        if station == self._offered_to and now_ns < self._offer_ends_ns:
            flags |= Flag.OFFERED_TO_YOU
        if self.is_holder_lost(now_ns):
            flags |= Flag.HOLDER_LOST
        return flags

    def heard(self, station: bytes, role: Role, now_ns: int) -> None:
        """Note a fresh frame of a station; the first commander ever is granted command."""
        if self.is_holder(station):
            self._heard_ns = now_ns
        elif not self.is_held() and role is not Role.OBSERVER and self.to_save is None:
            self.to_save = AuthorityState(epoch=self.state.epoch, holder=station)

    def request(
        self, request: Request, station: bytes, role: Role, now_ns: int, *, is_confirmed: bool
    ) -> Answer:
        """Judge a fresh request that came under the present epoch.

        A claim is answered with `Answer.CONFIRM` until it has been confirmed. `SUSPEND` is judged
        here and carried out by whoever holds the sessions.
        """
        if role is Role.OBSERVER:
            return Answer.NOT_ALLOWED
        if self.to_save is not None:
            return Answer.BUSY
        match request.verb:
            case Verb.HAND_OVER:
                return self._offer(request.station, station, now_ns)
            case Verb.ACCEPT:
                is_offered = Flag.OFFERED_TO_YOU in self.flags(station, now_ns)
                return self._take(station) if is_offered else Answer.NOT_OFFERED
            case Verb.CLAIM:
                if not self.is_holder(station) and not self.is_holder_lost(now_ns):
                    return Answer.HOLDER_PRESENT
                return self._take(station) if is_confirmed else Answer.CONFIRM
            case Verb.PREEMPT:
                return self._take(station) if role is Role.SUPERVISOR else Answer.NOT_ALLOWED
            case Verb.SUSPEND:
                return Answer.DONE if role is Role.SUPERVISOR else Answer.NOT_ALLOWED

    def saved(self, state: AuthorityState, now_ns: int) -> None:
        """Let a change hold: it is on disk."""
        assert state == self.to_save
        self.state, self.to_save = state, None
        self._heard_ns = now_ns
        self._offered_to = None

    def not_saved(self) -> None:
        """Give up a change that could not be written."""
        self.to_save = None

    def _offer(self, to: bytes, station: bytes, now_ns: int) -> Answer:
        if not self.is_holder(station):
            return Answer.NOT_HOLDER
        self._offered_to, self._offer_ends_ns = to, now_ns + OFFER_NS
        return Answer.OFFERED

    def _take(self, station: bytes) -> Answer:
        if self.is_holder(station):
            return Answer.DONE
        epoch = (self.state.epoch + 1) & 0xFFFFFFFF
        self.to_save = AuthorityState(epoch=epoch, holder=station)
        return Answer.WRITING

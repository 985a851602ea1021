"""Exactly one commander: the drone alone decides who holds command, and fences off who does not.

Each change is on disk before it holds: until then the old state does, so a crash at any moment
leaves one holder, and nobody has been told of another. Every uplink frame names the epoch its
sender believes in, so what was sent before a change does not execute after it, not even when
command comes back to the same station.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from crypto.pair import ID_BYTES, Role
from wire.authority import NOBODY, Answer, Flag, Request, Verb

LEASE_NS: Final = 15_000_000_000
OFFER_NS: Final = 10_000_000_000
RETRY_NS: Final = 1_000_000_000  # a disk that fails is not tried at every frame


class Phase(StrEnum):
    """How firmly command is held."""

    VACANT = "vacant"
    HELD = "held"
    OFFERED = "offered"
    LOST = "lost"


class Cause(StrEnum):
    """What changes it."""

    FIRST_HEARD = "the first commander is heard"
    HAND_OVER = "the holder hands over"
    LAPSED = "10 s pass"
    ACCEPT = "that station accepts, epoch + 1"
    SILENT = "15 s without a fresh frame of the holder"
    HEARD = "the holder is heard afresh"
    CLAIM = "a commander claims, in two steps, epoch + 1"
    PREEMPT = "a supervisor preempts, epoch + 1"


# An offer lapses before its maker can be lost: it was made by a fresh frame.
TRANSITIONS: Final = {
    (Phase.VACANT, Cause.FIRST_HEARD): Phase.HELD,
    (Phase.HELD, Cause.HAND_OVER): Phase.OFFERED,
    (Phase.OFFERED, Cause.HAND_OVER): Phase.OFFERED,
    (Phase.OFFERED, Cause.LAPSED): Phase.HELD,
    (Phase.OFFERED, Cause.ACCEPT): Phase.HELD,
    (Phase.HELD, Cause.SILENT): Phase.LOST,
    (Phase.LOST, Cause.HEARD): Phase.HELD,
    (Phase.LOST, Cause.CLAIM): Phase.HELD,
    (Phase.VACANT, Cause.PREEMPT): Phase.HELD,
    (Phase.HELD, Cause.PREEMPT): Phase.HELD,
    (Phase.OFFERED, Cause.PREEMPT): Phase.HELD,
    (Phase.LOST, Cause.PREEMPT): Phase.HELD,
}


class _Rule(NamedTuple):
    """What a verb does, who may use it, and the answer where the table has no transition."""

    cause: Cause
    role: Role
    refusal: Answer


_RULES: Final = {
    Verb.HAND_OVER: _Rule(Cause.HAND_OVER, Role.COMMANDER, Answer.NOT_HOLDER),
    Verb.ACCEPT: _Rule(Cause.ACCEPT, Role.COMMANDER, Answer.NOT_OFFERED),
    Verb.CLAIM: _Rule(Cause.CLAIM, Role.COMMANDER, Answer.HOLDER_PRESENT),
    Verb.PREEMPT: _Rule(Cause.PREEMPT, Role.SUPERVISOR, Answer.NOT_ALLOWED),
}


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
        self._offered_ns = 0
        self._changed_ns: int | None = None
        self._grant_after_ns = 0

    def is_holder(self, station: bytes) -> bool:
        """Tell whether a station is in command."""
        return self.state.holder == station

    def is_held(self) -> bool:
        """Tell whether anybody is in command."""
        return self.state.holder != NOBODY

    def heard_ns(self) -> int | None:
        """Return when the holder was last heard afresh; None if not since the start."""
        return self._heard_ns

    def held_for_ns(self, now_ns: int) -> int:
        """Return for how long the present state has held; since ever, if since the start.

        No frame made before passes. The one byte of the epoch that a frame names would do that
        only while 256 changes cannot fit into a frame's life.
        """
        return now_ns if self._changed_ns is None else now_ns - self._changed_ns

    def is_holder_lost(self, now_ns: int) -> bool:
        """Tell whether the holder has not been heard afresh for 15 s.

        After a restart the holder gets as long to come back, counted from the first call.
        """
        if self._heard_ns is None:
            self._heard_ns = now_ns
        return now_ns - self._heard_ns >= LEASE_NS

    def phase(self, now_ns: int) -> Phase:
        """Return how firmly command is held."""
        if not self.is_held():
            return Phase.VACANT
        if self.is_holder_lost(now_ns):
            return Phase.LOST
        is_open = self._offered_to is not None and now_ns < self._offered_ns + OFFER_NS
        return Phase.OFFERED if is_open else Phase.HELD

    def flags(self, station: bytes, now_ns: int) -> Flag:
        """Return what the state means for a station."""
        flags = Flag.HOLDER if self.is_holder(station) else Flag(0)
        match self.phase(now_ns):
            case Phase.OFFERED if station == self._offered_to:
                flags |= Flag.OFFERED_TO_YOU
            case Phase.LOST:
                flags |= Flag.HOLDER_LOST
            case _:
                pass
        return flags

    def heard(self, station: bytes, role: Role, now_ns: int) -> None:
        """Note a fresh frame of a station; the first commander ever is granted command."""
        if self.is_holder(station):
            self._heard_ns = now_ns
        elif (
            not self.is_held()
            and role is not Role.OBSERVER
            and self.to_save is None
            and now_ns >= self._grant_after_ns
        ):
            self.to_save = AuthorityState(epoch=self.state.epoch, holder=station)

    def request(
        self,
        request: Request,
        station: bytes,
        role: Role,
        now_ns: int,
        *,
        made_ns: int,
        is_confirmed: bool,
    ) -> Answer:
        """Judge a fresh request that came under the present epoch, made no earlier than `made_ns`.

        An acceptance must have been made since the offer, so that one held back from an offer
        since withdrawn does not accept the next.

        A claim is answered with `Answer.CONFIRM` until it has been confirmed. `SUSPEND` is judged
        here and carried out by whoever holds the sessions.
        """
        rule = _RULES.get(request.verb)
        if role is Role.OBSERVER or (
            role is not Role.SUPERVISOR and (rule is None or rule.role is Role.SUPERVISOR)
        ):
            return Answer.NOT_ALLOWED
        if rule is None:
            return Answer.DONE
        if self.to_save is not None:
            return Answer.BUSY
        if self.is_holder(station) and rule.cause is not Cause.HAND_OVER:
            return Answer.DONE
        if (self.phase(now_ns), rule.cause) not in TRANSITIONS:
            return rule.refusal
        match rule.cause:
            case Cause.HAND_OVER if self.is_holder(station):
                self._offered_to, self._offered_ns = request.station, now_ns
                return Answer.OFFERED
            case Cause.ACCEPT if station != self._offered_to or made_ns < self._offered_ns:
                return rule.refusal
            case Cause.CLAIM if not is_confirmed:
                is_own = request.station in (NOBODY, station)
                return Answer.CONFIRM if is_own else Answer.NOT_ALLOWED
            case Cause.ACCEPT | Cause.CLAIM | Cause.PREEMPT:
                epoch = (self.state.epoch + 1) & 0xFFFFFFFF
                self.to_save = AuthorityState(epoch=epoch, holder=station)
                return Answer.WRITING
            case _:
                return rule.refusal

    def saved(self, state: AuthorityState, now_ns: int) -> None:
        """Let a change hold: it is on disk."""
        assert state == self.to_save
        self.state, self.to_save = state, None
        self._heard_ns = now_ns
        self._changed_ns = now_ns
        self._offered_to = None

    def not_saved(self, now_ns: int) -> None:
        """Give up a change that could not be written."""
        self.to_save = None
        self._grant_after_ns = now_ns + RETRY_NS

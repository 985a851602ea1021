"""One end of one pairing, sans-I/O: the order of its messages, its deadlines, and its outcome.

Messages come from a line that delivers them whole and in order. Anything else than the next message
of the tables below ends the pairing for good, with a reason and without a record: a token has one
attempt.

The drone writes its record first and then says so; the ground writes on hearing that. A line that
dies in between leaves a drone that knows a ground which does not know it, which opens nothing to
anyone: pair again, replacing that record.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from crypto.pair import PairRecord
from crypto.pairing_exchange import DroneExchange, GroundExchange, Peer
from crypto.pairing_messages import Abort, Kind, PairingError, kind_untrusted
from crypto.primitives import AuthenticationError, equal

TOKEN_LIFETIME_NS: Final = 300_000_000_000
ATTEMPT_LIFETIME_NS: Final = 120_000_000_000


class State(StrEnum):
    """How far a pairing is."""

    TOKEN_SHOWN = "token_shown"  # noqa: S105 - the name of a state, not a secret
    GREETED = "greeted"
    OFFERED = "offered"
    COMPARING = "comparing"
    SAID_YES = "said_yes"
    HEARD_YES = "heard_yes"
    AGREED = "agreed"
    DONE = "done"
    ABORTED = "aborted"


class Local(StrEnum):
    """What happens at this end rather than on the line."""

    YES = "the person says yes"
    SAVED = "the record is written"


_COMPARISON: Final[dict[State, dict[Kind | Local, State]]] = {
    State.COMPARING: {Local.YES: State.SAID_YES, Kind.YES: State.HEARD_YES},
    State.SAID_YES: {Kind.YES: State.AGREED},
    State.HEARD_YES: {Local.YES: State.AGREED},
}
DRONE_TRANSITIONS: Final[dict[State, dict[Kind | Local, State]]] = {
    State.TOKEN_SHOWN: {Kind.HELLO: State.GREETED},
    State.GREETED: {Kind.OFFER: State.OFFERED},
    State.OFFERED: {Kind.REVEAL: State.COMPARING},
    **_COMPARISON,
    State.AGREED: {Local.SAVED: State.DONE},
}
GROUND_TRANSITIONS: Final[dict[State, dict[Kind | Local, State]]] = {
    State.GREETED: {Kind.REPLY: State.OFFERED},
    State.OFFERED: {Kind.ANSWER: State.COMPARING},
    **_COMPARISON,
    State.AGREED: {Kind.SAVED: State.DONE},
}


class Met(NamedTuple):
    """The other end, which holds the token, says who it is. `cancel` to refuse it."""

    peer: Peer


class Compare(NamedTuple):
    """Both ends' people must now see the same six digits."""

    code: str


class Save(NamedTuple):
    """Write this record, under a name of this end's choice; the drone then calls `saved`."""

    record: PairRecord


class Aborted(NamedTuple):
    """The pairing is over, and there is no record of it at this end."""

    reason: Abort


Event = Met | Compare | Save | Aborted


class Pairing:
    """One end. Zero state: the drone waits for a HELLO, the ground has one to send."""

    def __init__(self, exchange: DroneExchange | GroundExchange, now_ns: int) -> None:
        self.reason: Abort | None = None
        self._exchange = exchange
        self._outbox: list[bytes] = []
        if isinstance(exchange, DroneExchange):
            self._transitions = DRONE_TRANSITIONS
            self.state = State.TOKEN_SHOWN
            self._deadline_ns = now_ns + TOKEN_LIFETIME_NS
        else:
            self._transitions = GROUND_TRANSITIONS
            self.state = State.GREETED
            self._deadline_ns = now_ns + ATTEMPT_LIFETIME_NS
            self._outbox.append(exchange.hello())

    @property
    def is_over(self) -> bool:
        """Tell whether nothing can happen any more."""
        return self.state in (State.DONE, State.ABORTED)

    def receive(self, message: bytes, now_ns: int) -> list[Event]:
        """Take one message; return what it meant. After the end it means nothing."""
        events = self.tick(now_ns)
        if self.is_over:
            return events
        try:
            return self._receive(message, now_ns)
        except PairingError as error:
            return self._abort(error.reason)
        except AuthenticationError:
            return self._abort(Abort.BAD_MESSAGE)

    def answer(self, now_ns: int, *, matches: bool) -> list[Event]:
        """Take what this end's person says of the codes; once, after `Compare`."""
        events = self.tick(now_ns)
        if self.is_over:
            return events
        assert self.state in (State.COMPARING, State.HEARD_YES)
        if not matches:
            return self._abort(Abort.CODES_DIFFER)
        assert self._exchange.channel is not None
        assert self._exchange.agreement is not None
        self._outbox.append(self._exchange.channel.seal(Kind.YES, self._exchange.agreement.yes))
        return self._enter(self._transitions[self.state][Local.YES])

    def saved(self) -> None:
        """The drone's record is on disk: tell the ground. Only after `Save`, and at the drone."""
        assert self._exchange.channel is not None
        self.state = self._transitions[self.state][Local.SAVED]
        self._outbox.append(self._exchange.channel.seal(Kind.SAVED))

    def cancel(self) -> list[Event]:
        """End it from here, whatever its state."""
        return [] if self.is_over else self._abort(Abort.ENDED_HERE)

    def line_closed(self) -> list[Event]:
        """The line is gone."""
        return [] if self.is_over else self._abort(Abort.LINE_CLOSED)

    def outgoing(self) -> list[bytes]:
        """Return the messages to send."""
        messages, self._outbox = self._outbox, []
        return messages

    def deadline_ns(self) -> int | None:
        """Return when `tick` is due."""
        return None if self.is_over else self._deadline_ns

    def tick(self, now_ns: int) -> list[Event]:
        """End it if its time is over."""
        if self.is_over or now_ns < self._deadline_ns:
            return []
        unused = self.state is State.TOKEN_SHOWN
        return self._abort(Abort.TOKEN_EXPIRED if unused else Abort.TIMED_OUT)

    def _receive(self, message: bytes, now_ns: int) -> list[Event]:
        kind = kind_untrusted(message)
        exchange = self._exchange
        if kind is Kind.NO and exchange.channel is not None:
            exchange.channel.open(message)
            raise PairingError(Abort.ENDED_THERE)
        following = self._transitions[self.state].get(kind)
        if following is None:
            raise PairingError(Abort.UNEXPECTED_MESSAGE)
        if kind in (Kind.YES, Kind.SAVED):
            assert exchange.channel is not None
            assert exchange.agreement is not None
            expected = exchange.agreement.peer_yes if kind is Kind.YES else b""
            if not equal(exchange.channel.open(message), expected):
                raise PairingError(Abort.BAD_MESSAGE)
        else:
            self._outbox += exchange.receive(kind, message)
        if kind is Kind.HELLO:
            self._deadline_ns = now_ns + ATTEMPT_LIFETIME_NS
        met = [Met(exchange.peer)] if kind in (Kind.OFFER, Kind.ANSWER) and exchange.peer else []
        return [*met, *self._enter(following)]

    def _enter(self, state: State) -> list[Event]:
        self.state = state
        agreement = self._exchange.agreement
        is_drone = isinstance(self._exchange, DroneExchange)
        if state is State.COMPARING:
            assert agreement is not None
            return [Compare(agreement.code)]
        if state is (State.AGREED if is_drone else State.DONE):
            assert agreement is not None
            return [Save(agreement.record)]
        return []

    def _abort(self, reason: Abort) -> list[Event]:
        self.state, self.reason = State.ABORTED, reason
        channel = self._exchange.channel
        if channel is not None and reason not in (Abort.ENDED_THERE, Abort.LINE_CLOSED):
            self._outbox.append(channel.seal(Kind.NO))
        return [Aborted(reason)]

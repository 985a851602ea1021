"""The ground's part in authority and in second steps: what it asks, what the drone asks back.

A request is repeated until the drone has answered it. A challenge for a request of this very
station is answered at once, since the operator has just asked for it in so many words; any other
waits until the operator says yes.
"""

from typing import Final, NamedTuple

from crypto.confirmation import NONCE_BYTES, VALID_NS, answer
from crypto.suites import Suite
from wire.authority import Answer, Request, State, Verb
from wire.records import AUTHORITY, CONFIRM, encode_record

REPEAT_NS: Final = 400_000_000
GIVE_UP_NS: Final = 5_000_000_000
_OPEN_ANSWERS = frozenset((Answer.NONE, Answer.CONFIRM, Answer.WRITING, Answer.STALE, Answer.BUSY))


class Challenged(NamedTuple):
    """An operation that the drone wants confirmed: a MAVLink frame or an authority record."""

    value: bytes
    expires_ns: int

    @property
    def nonce(self) -> bytes:
        """What names the challenge."""
        return self.value[:NONCE_BYTES]

    @property
    def operation(self) -> bytes:
        """The exact bytes that would be carried out."""
        return self.value[NONCE_BYTES:]


class Command:
    """Who commands one drone, as this station knows it. The zero state has heard nothing.

    `state` is what the drone said last; `result` is the answer to the last request, `Answer.NONE`
    while it is open.
    """

    def __init__(self, suite: Suite, own_id: bytes) -> None:
        self.state: State | None = None
        self.result = Answer.NONE
        self._suite = suite
        self._own_id = own_id
        self._order = (0, -1)
        self._request: Request | None = None
        self._number = 0
        self._repeat_ns = 0
        self._give_up_ns = 0
        self._challenge: Challenged | None = None
        self._answers: list[bytes] = []

    def request(self, verb: Verb, station: bytes, now_ns: int) -> None:
        """Ask the drone for something; it takes the place of what was asked before.

        A claim names its own station: whoever is asked to confirm it sees whose it is, and two
        stations that claim at once are not asked for the same bytes.
        """
        if verb is Verb.CLAIM:
            station = self._own_id
        self._number = self._number % 255 + 1
        self._request = Request(verb, self._number, station)
        self.result = Answer.NONE
        self._repeat_ns, self._give_up_ns = now_ns, now_ns + GIVE_UP_NS

    @property
    def is_waiting(self) -> bool:
        """Tell whether a request has not been answered yet."""
        return self._request is not None

    def challenge(self, now_ns: int) -> Challenged | None:
        """Return what the operator may confirm now."""
        challenge = self._challenge
        return challenge if challenge is not None and now_ns < challenge.expires_ns else None

    def confirm(self, nonce: bytes, now_ns: int) -> bool:
        """Confirm what the operator was shown; tell whether it was still open."""
        challenge = self.challenge(now_ns)
        if challenge is None or challenge.nonce != nonce:
            return False
        self._challenge = None
        self._answers.append(encode_record(CONFIRM, answer(self._suite, challenge.value)))
        return True

    def decline(self, nonce: bytes) -> None:
        """Let an operation lapse that the operator was shown and does not want."""
        if self._challenge is not None and self._challenge.nonce == nonce:
            self._challenge = None

    def receive_state(self, value: bytes, order: tuple[int, int], now_ns: int) -> None:
        """Take what the drone says; an older word than the last is ignored."""
        state = State.parse(value)
        if state is None or order <= self._order:
            return
        self._order, self.state = order, state
        request = self._request
        if request is None or state.number != request.number:
            return
        if state.answer not in _OPEN_ANSWERS:
            self._request, self.result = None, state.answer
        elif state.answer is Answer.STALE:
            self._repeat_ns = now_ns

    def receive_challenge(self, value: bytes, now_ns: int) -> None:
        """Take a challenge: answer it if this station has just asked for exactly that."""
        challenge = Challenged(value, now_ns + VALID_NS)
        request = self._request
        if request is not None and challenge.operation == encode_record(
            AUTHORITY, request.encode()
        ):
            self._answers.append(encode_record(CONFIRM, answer(self._suite, value)))
        else:
            self._challenge = challenge

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Return the records to send now."""
        records, self._answers = self._answers, []
        if self._request is not None and now_ns >= self._give_up_ns:
            self._request = None
        if self._request is not None and now_ns >= self._repeat_ns:
            self._repeat_ns = now_ns + REPEAT_NS
            records.append(encode_record(AUTHORITY, self._request.encode()))
        return records

    def deadline_ns(self) -> int | None:
        """Return when `outgoing` has something."""
        if self._answers:
            return 0
        return None if self._request is None else self._repeat_ns

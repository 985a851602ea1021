"""Two steps for what cannot be taken back: a nonce that confirms one exact operation, once.

The drone answers the first step with a challenge: a nonce and the operation's own bytes. The second
step returns the nonce and a hash of those bytes, within 3 s. So what is confirmed is what was asked
for, by someone who was there to answer, and neither step alone, nor twice, does anything.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from crypto.primitives import RandomBytes, equal
from crypto.suites import Suite

NONCE_BYTES: Final = 8
HASH_BYTES: Final = 16
CONFIRM_BYTES: Final = NONCE_BYTES + HASH_BYTES
VALID_NS: Final = 3_000_000_000


class Unconfirmed(StrEnum):
    """Why a second step did nothing."""

    UNKNOWN = "confirms_nothing"
    LATE = "confirmed_too_late"
    WRONG = "confirms_something_else"
    SAME_STATION = "needs_another_station"


class UnconfirmedError(Exception):
    """The second step was refused, for the reason it carries."""

    def __init__(self, reason: Unconfirmed) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Challenge(NamedTuple):
    """An operation that waits for its second step."""

    requester: str
    nonce: bytes
    operation: bytes
    expires_ns: int

    def encode(self) -> bytes:
        """Return what goes down to the ground."""
        return self.nonce + self.operation


def answer(suite: Suite, challenge: bytes) -> bytes:
    """Return the second step for a challenge as it came down."""
    return challenge[:NONCE_BYTES] + suite.hash(challenge[NONCE_BYTES:])[:HASH_BYTES]


class Confirmations:
    """The operations of one drone that wait for their second step: one a ground station.

    Invariant: an operation is handed out at most once, for a nonce drawn for it, no later than
    `VALID_NS` after it was asked for; with `dual`, only when a second station confirms it. The
    zero state waits for nothing.
    """

    def __init__(self, random_bytes: RandomBytes, *, dual: bool) -> None:
        self._random_bytes = random_bytes
        self._dual = dual
        self._waiting: dict[str, Challenge] = {}

    def ask(self, requester: str, operation: bytes, now_ns: int) -> Challenge:
        """Return a challenge for an operation; it replaces the requester's last one.

        What waits already keeps its challenge: on a slow link a request is repeated while its
        second step is under way, which a fresh nonce would make worthless.
        """
        waiting = self._waiting.get(requester)
        if waiting is not None and waiting.operation == operation and now_ns < waiting.expires_ns:
            return waiting
        nonce = self._random_bytes(NONCE_BYTES)
        challenge = Challenge(requester, nonce, operation, now_ns + VALID_NS)
        self._waiting[requester] = challenge
        return challenge

    def confirm(self, peer: str, suite: Suite, value: bytes, now_ns: int) -> Challenge:
        """Take a second step; return what it confirms, which is thereby used up.

        Raises:
            UnconfirmedError: It confirms nothing.
        """
        for challenge in self._waiting.values():
            if len(value) == CONFIRM_BYTES and equal(value[:NONCE_BYTES], challenge.nonce):
                break
        else:
            raise UnconfirmedError(Unconfirmed.UNKNOWN)
        if now_ns >= challenge.expires_ns:
            raise UnconfirmedError(Unconfirmed.LATE)
        if value != answer(suite, challenge.encode()):
            raise UnconfirmedError(Unconfirmed.WRONG)
        if self._dual and peer == challenge.requester:
            raise UnconfirmedError(Unconfirmed.SAME_STATION)
        del self._waiting[challenge.requester]
        return challenge

    def clear(self) -> None:
        """Forget everything that waits."""
        self._waiting.clear()

    def expired(self, now_ns: int) -> list[Challenge]:
        """Forget and return the operations that nobody confirmed in time."""
        late = [c for c in self._waiting.values() if now_ns >= c.expires_ns]
        for challenge in late:
            del self._waiting[challenge.requester]
        return late

    def deadline_ns(self) -> int | None:
        """Return when `expired` has something to say."""
        return min((c.expires_ns for c in self._waiting.values()), default=None)

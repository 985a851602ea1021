"""The ground's part in flying a trajectory: brings it, asks, and knows how it stands.

An upload begins anew in each session until the drone has all of it, and is over when the drone has
said whether it is taken. A request is repeated under its number until it is answered.
"""

from enum import StrEnum
from typing import Final

import msgspec

from crypto.chunks import Kind, Transfers
from crypto.primitives import RandomBytes
from wire.records import TRAJECTORY, encode_record
from wire.tasking import NO_TRAJECTORY, UNKNOWN, FlyAnswer, FlyRequest, FlyStatus, FlyVerb
from wire.trajectory import identity_of

REPEAT_NS: Final = 400_000_000
GIVE_UP_NS: Final = 6_000_000_000
JUDGING_NS: Final = 30_000_000_000
STALLED_NS: Final = 30_000_000_000
MAX_SESSIONS: Final = 3
_OPEN: Final = frozenset((FlyAnswer.NONE, FlyAnswer.STALE))


class Upload(StrEnum):
    """How far an upload has come."""

    NONE = "none"
    SENDING = "sending"
    JUDGING = "judging"  # the drone has all of it
    LOADED = "loaded"
    REFUSED = "refused"
    FAILED = "failed"


class TaskStatus(msgspec.Struct):
    """A drone's trajectory for `sekisho status`; `age_s` is since the drone said so, None: never.

    `upload` is of this station's last, `answer` to its last request; `text` says why something was
    refused or ended, in words.
    """

    state: str = "unknown"
    reason: str = "none"
    identity: str | None = None
    elapsed_s: float = 0.0
    duration_s: float = 0.0
    error_m: float | None = None
    lateness_us: int | None = None
    age_s: float | None = None
    answer: str = "none"
    upload: Upload = Upload.NONE
    upload_identity: str | None = None
    chunks_sent: int = 0
    chunks: int = 0
    text: str = ""


class Task:
    """Of one drone; `transfers` are the station's. The zero state has heard and asked nothing.

    Invariant: a request leaves for `GIVE_UP_NS` at most, and nothing more of an upload once this
    station is not in command.
    """

    def __init__(self, transfers: Transfers, random_bytes: RandomBytes) -> None:
        self.status: FlyStatus | None = None
        self.answer = FlyAnswer.NONE
        self.upload = Upload.NONE
        self._transfers = transfers
        self.asked: FlyVerb | None = None  # for last
        self._order = (0, -1)
        self._status_ns = 0
        # Numbers begin anywhere: the drone remembers the last one of a ground that restarts.
        self._number = int.from_bytes(random_bytes(4), "big")
        self._request: FlyRequest | None = None
        self._repeat_ns = self._give_up_ns = 0
        self._data = b""
        self._identity = NO_TRAJECTORY
        self._text = ""
        self._sessions = 0
        self._progress = (0, 0)
        self._stalled_ns = 0
        self._acked: tuple[int, int] | None = None

    def offer(self, data: bytes, now_ns: int) -> None:
        """Begin to bring a trajectory; it takes the place of one that is on its way."""
        self._data, self._identity = data, identity_of(data)
        self.upload, self._text, self._sessions = Upload.SENDING, "", 1
        self._send(now_ns)

    def request(self, verb: FlyVerb, identity: bytes, now_ns: int) -> None:
        """Ask the drone for something; it takes the place of what was asked before."""
        self._number = self._number % 0xFFFFFFFF + 1
        self._request = FlyRequest(verb, self._number, identity)
        self.answer, self.asked = FlyAnswer.NONE, verb
        self._repeat_ns, self._give_up_ns = now_ns, now_ns + GIVE_UP_NS

    @property
    def is_waiting(self) -> bool:
        """Tell whether a request has not been answered yet."""
        return self._request is not None

    def begin_session(self, now_ns: int) -> None:
        """Begin an upload anew that the last session did not carry to its end."""
        if self.upload is Upload.SENDING and self._acked is None:
            self._sessions += 1
            if self._sessions > MAX_SESSIONS:
                self._fail("the link does not last, or is too slow, for all of it")
            else:
                self._send(now_ns)

    def acknowledged(self, order: tuple[int, int], now_ns: int) -> None:
        """Note that an acknowledgement of this transfer has come."""
        progress = self._transfers.progress(Kind.TRAJECTORY)
        if progress != self._progress:
            self._progress = progress if progress[1] else self._progress
            self._stalled_ns = now_ns + STALLED_NS
        if self.upload is Upload.SENDING and not self._transfers.is_sending(Kind.TRAJECTORY):
            self.upload, self._acked = Upload.JUDGING, order
            self._progress = self._progress[1], self._progress[1]
            self._stalled_ns = now_ns + JUDGING_NS

    def receive_status(self, value: bytes, order: tuple[int, int], now_ns: int) -> None:
        """Take what the drone says; an older word than the last is ignored."""
        status = FlyStatus.parse(value)
        if status is None or order <= self._order:
            return
        self._order, self.status, self._status_ns = order, status, now_ns
        request = self._request
        if request is not None and status.number == request.number:
            self.answer = status.answer
            if status.answer not in _OPEN:
                self._request = None
            elif status.answer is FlyAnswer.STALE:
                self._repeat_ns = min(self._repeat_ns, now_ns)
        if self.upload is Upload.JUDGING and self._acked is not None and order > self._acked:
            if status.identity == self._identity:
                self.upload = Upload.LOADED
            elif status.refused == self._identity:
                self.upload, self._text = Upload.REFUSED, status.text

    def settle(self, now_ns: int, *, is_holder: bool) -> None:
        """Give up what has no answer, or is no longer this station's to ask."""
        if self.upload is Upload.SENDING and not is_holder:
            self._fail("this station is not in command")
        if self.upload in (Upload.SENDING, Upload.JUDGING) and now_ns >= self._stalled_ns:
            is_sending = self.upload is Upload.SENDING
            self._fail("the drone takes no more of it" if is_sending else "no answer")
        if self._request is not None and now_ns >= self._give_up_ns:
            self._request = None

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Return the records to send now."""
        if self._request is None or now_ns < self._repeat_ns:
            return []
        self._repeat_ns = now_ns + REPEAT_NS
        return [encode_record(TRAJECTORY, self._request.encode())]

    def deadline_ns(self) -> int | None:
        """Return when `settle` has something to do."""
        times = []
        if self._request is not None:
            times.append(self._give_up_ns)
        if self.upload in (Upload.SENDING, Upload.JUDGING):
            times.append(self._stalled_ns)
        return min(times, default=None)

    def send_ns(self) -> int | None:
        """Return when `outgoing` has something to say, given a session."""
        return None if self._request is None else self._repeat_ns

    def describe(self, now_ns: int) -> TaskStatus:
        """Describe it."""
        told = TaskStatus(
            answer="waiting" if self.is_waiting else self.answer.name.lower(),
            upload=self.upload,
            upload_identity=None if self.upload is Upload.NONE else self._identity.hex(),
            chunks_sent=self._progress[0],
            chunks=self._progress[1],
            text=self._text,
        )
        said = self.status
        if said is not None:
            told.state, told.reason = said.state.name.lower(), said.reason.name.lower()
            told.identity = None if said.identity == NO_TRAJECTORY else said.identity.hex()
            told.elapsed_s, told.duration_s = said.elapsed_ms / 1e3, said.duration_ms / 1e3
            told.error_m = None if said.error_cm == UNKNOWN else said.error_cm / 100.0
            told.lateness_us = None if said.lateness_us == UNKNOWN else said.lateness_us
            told.age_s = (now_ns - self._status_ns) / 1e9
            told.text = self._text or said.text
        return told

    def _send(self, now_ns: int) -> None:
        self._transfers.send(Kind.TRAJECTORY, self._data)
        self._progress, self._acked = self._transfers.progress(Kind.TRAJECTORY), None
        self._stalled_ns = now_ns + STALLED_NS

    def _fail(self, why: str) -> None:
        self._transfers.cancel(Kind.TRAJECTORY)
        self.upload, self._text = Upload.FAILED, why

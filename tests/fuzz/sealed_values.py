"""Parsers of what a peer sealed: a value or their own refusal, and what they accept they repeat."""

import random

from crypto.messages import DroppedError, Hs2Payload
from crypto.pair import Role
from flightcore.policy import FlightState, Forward, Refuse, TwoStep, judge
from tests.fuzz.ends import FRAMES
from wire.authority import Answer, Flag, Request, State, Verb
from wire.fragments import Fragmenter, Reassembler
from wire.mavlink import MAGIC_V2, MAX_FRAME_BYTES, is_valid_frame
from wire.records import DroneStatus, MalformedRecordsError, encode_record, padded, parse_records


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        request = Request(Verb.CLAIM, 3, bytes(16))
        state = State(7, bytes(range(16)), Flag.HOLDER, 3, Answer.DONE, 9)
        fragments = Fragmenter().cut(FRAMES[6])
        self._reassembler = Reassembler()
        status = DroneStatus(5, 6, is_holder=True).encode()
        hello = Hs2Payload(1, 2, True, 3, 4, b"head").encode()
        self.seeds = [
            *FRAMES,
            status,
            hello,
            request.encode(),
            state.encode(),
            *(fragment[2:] for fragment in fragments),
            b"".join((status, *FRAMES[:2], encode_record(0x20, bytes(68)))),
            padded(status + FRAMES[0], 25),
        ]

    def take(self, data: bytes) -> None:
        self._records(data)
        request = Request.parse(data)
        assert request is None or request.encode() == data
        state = State.parse(data)
        assert state is None or state.epoch == int.from_bytes(data[:4], "big")
        try:
            assert Hs2Payload.parse(data).encode()[:8] == data[:8]
        except DroppedError:
            assert len(data) != 16
        whole = self._reassembler.receive(data, 0)
        assert whole is None or is_valid_frame(whole.frame)
        partial = self._reassembler._partial.values()
        assert len(partial) <= 7
        assert all(sum(map(len, p.parts.values())) <= MAX_FRAME_BYTES for p in partial)
        if is_valid_frame(data):
            verdict = judge(data, Role.COMMANDER, 1, self._rng.choice(list(FlightState)))
            assert isinstance(verdict, Forward | TwoStep | Refuse)

    def _records(self, data: bytes) -> None:
        try:
            frames, records = parse_records(data)
        except MalformedRecordsError:
            return
        # Together, in some order, they are the payload but for the padding.
        size = sum(map(len, frames)) + sum(2 + len(value) for _, value in records)
        assert not any(data[size:]) or size == len(data)
        assert all(frame[0] == MAGIC_V2 for frame in frames)
        for kind, value in records:
            assert 0 < kind < 0x80
            assert encode_record(kind, value) in data

    def finish(self) -> None:
        """Nothing is kept but parts of frames."""

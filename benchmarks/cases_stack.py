"""Framing, policy and the whole cores, per frame."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from benchmarks.clock import Batch, Case
from benchmarks.ends import GROUND, MS, CoreEnds
from benchmarks.workload import command_frame, heartbeat_frame, mix_frames
from crypto.pair import Role
from flightcore.policy import FlightState, judge
from wire.mavlink import FrameSplitter, dialect, is_valid_frame
from wire.records import parse_records

_OPS: Final = 400
_TOGETHER: Final = 25
_CHUNK_BYTES: Final = 1024


def framing() -> list[Case]:
    """Cutting a stream into frames, ours and pymavlink's, and looking at one frame."""
    frames = mix_frames(10)
    stream = b"".join(frames)
    chunks = [stream[i : i + _CHUNK_BYTES] for i in range(0, len(stream), _CHUNK_BYTES)]
    return [
        Case("split, frame by frame", partial(_split, frames)),
        Case("pymavlink parse_buffer, frame by frame", partial(_pymavlink, frames)),
        Case("split, 1 KiB chunks", partial(_split, chunks)),
        Case("pymavlink parse_buffer, 1 KiB chunks", partial(_pymavlink, chunks)),
        Case("check one frame", partial(_check, frames)),
        Case(f"parse records, per frame of {_TOGETHER}", partial(_records, _groups(frames))),
    ]


def judging() -> list[Case]:
    """The policy, for frames that it decodes, passes unseen, and refuses."""
    packer = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
    beat = dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)
    sticks = dialect.MAVLink_rc_channels_override_message(1, 1, *[1500] * 8)
    refused = dialect.MAVLink_set_gps_global_origin_message(1, 0, 0, 0)
    return [
        Case("policy: COMMAND_LONG", partial(_judge, command_frame(0))),
        Case("policy: HEARTBEAT", partial(_judge, bytes(beat.pack(packer)))),
        Case("policy: RC_CHANNELS_OVERRIDE", partial(_judge, bytes(sticks.pack(packer)))),
        Case("policy: refused, no row", partial(_judge, bytes(refused.pack(packer)))),
    ]


def cores() -> list[Case]:
    """Whole cores on a simulated clock, status records and keepalives included."""
    ends = CoreEnds.established()
    frames = mix_frames(10)[:750]
    together = _groups(frames)
    return [
        Case("companion core down, 1 frame per datagram", partial(_line, ends, frames, 1)),
        Case(f"companion core down, per frame of {_TOGETHER}", partial(_line, ends, together)),
        Case("station core down, 1 frame per datagram", partial(_down, ends, frames, 1)),
        Case(f"station core down, per frame of {_TOGETHER}", partial(_down, ends, together)),
        Case("station core up, one command", _station_up),
        Case("companion core up, one command", _companion_up),
    ]


def _split(pieces: Sequence[bytes]) -> Batch:
    splitter = FrameSplitter()
    return lambda: sum(len(splitter.receive(piece)) for piece in pieces)


def _pymavlink(pieces: Sequence[bytes]) -> Batch:
    parser = dialect.MAVLink(None)
    return lambda: sum(len(parser.parse_buffer(piece) or ()) for piece in pieces)


def _check(frames: Sequence[bytes]) -> Batch:
    return lambda: sum(map(is_valid_frame, frames))


def _records(payloads: Sequence[bytes]) -> Batch:
    return lambda: sum(len(parse_records(payload)[0]) for payload in payloads)


def _judge(frame: bytes) -> Batch:
    def batch() -> int:
        for _ in range(_OPS):
            judge(frame, Role.COMMANDER, 1, FlightState.DISARMED)
        return _OPS

    return batch


def _line(ends: CoreEnds, groups: Sequence[bytes], frames_each: int = _TOGETHER) -> Batch:
    companion = ends.companion

    def batch() -> int:
        for group in groups:
            ends.now += 10 * MS
            companion.receive_line(group, ends.now)
            ends.now += 20 * MS
            companion.tick(ends.now)
            companion.outgoing_link()
        return len(groups) * frames_each

    return batch


def _down(ends: CoreEnds, groups: Sequence[bytes], frames_each: int = _TOGETHER) -> Batch:
    datagrams: list[bytes] = []
    for group in groups:
        ends.companion.receive_line(group, ends.now)
        ends.now += 30 * MS
        ends.companion.tick(ends.now)
        datagrams += [datagram for datagram, _ in ends.companion.outgoing_link()]
    receive, now = ends.station.receive_link, ends.now

    def batch() -> int:
        assert sum(len(receive(datagram, now)) for datagram in datagrams) > 0
        return len(groups) * frames_each

    return batch


def _station_up() -> Batch:
    ends, commands = _commanding()

    def batch() -> int:
        for command in commands:
            ends.station.send([command], ends.now)
            ends.station.outgoing()
        return len(commands)

    return batch


def _companion_up() -> Batch:
    ends, commands = _commanding()
    for command in commands:
        ends.station.send([command], ends.now)
    datagrams = ends.station.outgoing()

    def batch() -> int:
        for datagram, _ in datagrams:
            ends.companion.receive_link(datagram, GROUND, ends.now)
            assert ends.companion.outgoing_line()
        return len(datagrams)

    return batch


def _commanding() -> tuple[CoreEnds, list[bytes]]:
    ends = CoreEnds.established()
    ends.companion.receive_line(heartbeat_frame(), ends.now)
    ends.companion.outgoing_line()
    return ends, [command_frame(i) for i in range(200)]


def _groups(frames: Sequence[bytes]) -> list[bytes]:
    """Join frames as they would travel; a remainder is left out."""
    whole = len(frames) - len(frames) % _TOGETHER
    return [b"".join(frames[i : i + _TOGETHER]) for i in range(0, whole, _TOGETHER)]

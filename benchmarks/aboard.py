"""`aboard`: a serial line into the companion, at its full rate too; one ground opens everything.

The line is a pseudo-terminal, fed in pieces of a millisecond as a UART's driver hands them over:
with 250 frames/s of the mix, as a vehicle sends that nobody asks for more, and with all that a line
of 921,600 baud carries, ten bits to a byte: about 2,440 frames/s.
"""

import os
import select
import socket
import time
import tty
from bisect import bisect_left
from itertools import accumulate
from typing import Final

import msgspec

from benchmarks.datagrams import bound
from benchmarks.delivery import Expected
from benchmarks.lab import FIRST_KEYS_S, Lab, lab, wait_until_forwarding
from benchmarks.report import Options, Spread, figure, table
from benchmarks.workload import mix_frames

BAUD: Final = 921_600
_BYTES_PER_S: Final = BAUD / 10
_USUAL_FRAMES_PER_S: Final = 250
_PIECE_S: Final = 0.001
_SETTLE_S: Final = 0.3
_HEARTBEAT_ID: Final = bytes(3)


class AboardResult(msgspec.Struct):
    """What the companion costs and loses; shares are of one core."""

    frames_per_s: float
    frames_lost: int
    foreign: int
    held_bytes: int  # what the line did not take at once: the companion read too slowly
    frames_per_datagram: float
    bytes_per_frame_on_air: float
    drone_share: Spread
    ground_share: Spread
    drone_us_per_frame: float
    idle_share: float
    rss_mib: float
    latency_periodic: Spread
    latency_at_once: Spread


def run(options: Options) -> dict[str, AboardResult]:
    """Feed the line for a while at each rate, in windows whose CPU shares are the samples."""
    windows, window_s = (3, 1.0) if options.quick else (10, 2.0)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    with bound() as tools, lab(os.ttyname(slave), tools.getsockname()[1]) as ends:
        wait_until_forwarding(lambda data: os.write(master, data), tools, ends.drone, ends.ground)
        time.sleep(FIRST_KEYS_S)
        before = ends.drone.cpu_s()
        time.sleep(1.0)
        idle = ends.drone.cpu_s() - before
        frames = mix_frames(120)
        usual = _USUAL_FRAMES_PER_S * sum(map(len, frames)) / len(frames)
        results = {}
        for name, rate in (("usual", usual), ("full", _BYTES_PER_S)):
            feed = _Feed(master, tools, frames, rate)
            shares: tuple[list[float], list[float]] = ([], [])
            for _ in range(windows):
                _window(feed, ends, window_s, shares)
            feed.end(_SETTLE_S)
            result = _result(feed, shares, windows * window_s)
            result.idle_share = round(idle, 4)
            result.rss_mib = round(ends.drone.rss_mib(), 1)
            results[name] = result
    os.close(slave)
    os.close(master)
    for result in results.values():
        _print(result)
    return results


class _Feed:
    """Write the line at its rate, note what comes out at the tools' end, and when."""

    def __init__(
        self, master: int, tools: socket.socket, frames: list[bytes], bytes_per_s: float
    ) -> None:
        self.frames = frames
        self._rate = bytes_per_s
        self.written: list[tuple[int, float]] = []  # (bytes so far, when)
        self.arrived: list[tuple[bytes, float]] = []
        self.held_bytes = 0
        self._stream = b"".join(frames)
        self._master = master
        self._tools = tools
        self._owed = 0.0
        self._sent = 0
        tools.settimeout(0)

    def run(self, seconds: float, *, feeding: bool = True) -> None:
        """Feed, or only listen, for a while."""
        begin = last = time.perf_counter()
        following = begin
        while last - begin < seconds:
            if feeding:
                self._write(last)
            following += _PIECE_S
            while (left := following - time.perf_counter()) > 0:
                if select.select([self._tools], [], [], left)[0]:
                    self._read()
            now = time.perf_counter()
            self._owed += (now - last) * self._rate if feeding else 0
            last = now

    def end(self, seconds: float) -> None:
        """Complete the frame that was begun, and listen for a while."""
        at = self._sent % len(self._stream)
        self._owed = next(end for end in accumulate(map(len, self.frames)) if end >= at) - at
        self._write(time.perf_counter())
        self.run(seconds, feeding=False)

    def sent_frames(self) -> int:
        """Return how many whole frames have been written."""
        rounds, rest = divmod(self._sent, len(self._stream))
        ends = list(accumulate(map(len, self.frames)))
        return rounds * len(ends) + sum(end <= rest for end in ends)

    def _write(self, now: float) -> None:
        at = self._sent % len(self._stream)
        piece = self._stream[at : at + int(self._owed)]
        if not piece:
            return
        try:
            sent = os.write(self._master, piece)
        except BlockingIOError:
            sent = 0
        self.held_bytes += len(piece) - sent
        self._owed -= sent
        self._sent += sent
        self.written.append((self._sent, now))

    def _read(self) -> None:
        try:
            while True:
                data = self._tools.recv(4096)
                self.arrived.append((data, time.perf_counter()))
        except BlockingIOError:
            pass


def _window(feed: _Feed, ends: Lab, seconds: float, shares: tuple[list[float], ...]) -> None:
    programs = (ends.drone, ends.ground)
    before = [program.cpu_s() for program in programs]
    begin = time.perf_counter()
    feed.run(seconds)
    took = time.perf_counter() - begin
    for program, used, share in zip(programs, before, shares, strict=True):
        share.append((program.cpu_s() - used) / took)


def _result(feed: _Feed, shares: tuple[list[float], ...], seconds: float) -> AboardResult:
    expected = Expected(feed.frames)
    ends = list(accumulate(map(len, feed.frames)))
    written = [total for total, _ in feed.written]
    periodic: list[float] = []
    at_once: list[float] = []
    last, known, foreign = -1, 0, 0
    for data, when in feed.arrived:
        for number in expected.numbers(data, last):
            if number is None:
                foreign += 1
                continue
            last, known = number, known + 1
            rounds, index = divmod(number, len(ends))
            piece = bisect_left(written, rounds * ends[-1] + ends[index])
            is_prompt = feed.frames[index][7:10] == _HEARTBEAT_ID
            (at_once if is_prompt else periodic).append((when - feed.written[piece][1]) * 1e3)
    sent = feed.sent_frames()
    drone = Spread.of(shares[0], "of one core")
    return AboardResult(
        frames_per_s=round(sent / seconds),
        frames_lost=sent - known,
        foreign=foreign,
        held_bytes=feed.held_bytes,
        frames_per_datagram=round(known / len(feed.arrived), 2),
        bytes_per_frame_on_air=round(
            (sum(len(data) + 21 for data, _ in feed.arrived)) / max(known, 1), 2
        ),
        drone_share=drone,
        ground_share=Spread.of(shares[1], "of one core"),
        drone_us_per_frame=round(drone.p50 * seconds * 1e6 / max(sent, 1), 3),
        idle_share=0.0,
        rss_mib=0.0,
        latency_periodic=Spread.of(periodic, "ms"),
        latency_at_once=Spread.of(at_once, "ms"),
    )


def _print(result: AboardResult) -> None:
    title = f"aboard: {result.frames_per_s:,.0f} frames/s"
    rows = [
        ("companion, share of one core", f"{result.drone_share.p50:.2%}"),
        ("  lowest and highest window", _range(result.drone_share)),
        ("  idle", f"{result.idle_share:.2%}"),
        ("  CPU us per frame", figure(result.drone_us_per_frame)),
        ("  MiB", figure(result.rss_mib)),
        ("ground, share of one core", f"{result.ground_share.p50:.2%}"),
        ("frames lost", str(result.frames_lost)),
        ("bytes the line held back", str(result.held_bytes)),
        ("frames per datagram", figure(result.frames_per_datagram)),
        ("bytes per frame on the air", figure(result.bytes_per_frame_on_air)),
        ("latency of periodic frames, ms: p50, p99", _p50_p99(result.latency_periodic)),
        ("latency of others, ms: p50, p99", _p50_p99(result.latency_at_once)),
    ]
    table(title, ("", ""), rows)


def _range(spread: Spread) -> str:
    return f"{spread.min:.2%}, {spread.max:.2%}"


def _p50_p99(spread: Spread) -> str:
    return f"{figure(spread.p50)}, {figure(spread.p99)}"

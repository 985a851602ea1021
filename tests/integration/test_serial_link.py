"""The shell of a serial radio over real pseudo-terminals, whose far end the test holds.

Mutants killed: no greeting; the splitter, or what hung, kept over an unplugging; an unsent queue of
64 kB, or too short for a datagram; the rest of a datagram that has been begun thrown away.
"""

import asyncio
import os
import random
import select
import statistics
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.e2e.vehicles import Line
from wire.aio.alarm import Alarm, monotonic_ns
from wire.aio.serial_link import SerialLink, line_rate
from wire.cobs_framing import (
    FRAMING_BYTES,
    MAX_DATAGRAM_BYTES,
    BadFrame,
    DatagramSplitter,
    encode,
)
from wire.mavlink import dialect
from wire.priority import Priority, priority_of
from wire.records import parse_records
from wire.send_queue import MAX_DELAY_NS, SendQueue

BAUD = 57_600


@contextmanager
def a_link(device, on_datagram=lambda _: None, baud=BAUD):
    link = SerialLink("link.radio.device", str(device), baud, on_datagram)
    link.start()
    try:
        yield link
    finally:
        link.close()


async def until(condition, what, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.005)


def read_frames(line):
    """Read from the far end up to a delimiter; a terminal hands bytes over a moment later."""
    data = b""
    while not data.endswith(b"\0"):
        assert select.select([line], [], [], 2)[0], data
        data += line.read()
    return data


def numbered(count, rng):
    """Datagrams that begin with their number and have every length."""
    return [
        i.to_bytes(2, "big") + rng.randbytes(rng.choice((0, 1, 20, 100, MAX_DATAGRAM_BYTES - 2)))
        for i in range(count)
    ]


@pytest.mark.slow
def test_two_ends_with_garbage_and_cuts_between_them():
    """A radio that inserts RADIO_STATUS and noise, and loses pieces: the rest arrives, in order."""
    rng = random.Random(20261121)
    datagrams = numbered(300, rng)
    status = bytes(
        dialect.MAVLink_radio_status_message(200, 190, 90, 40, 40, 0, 0).pack(
            dialect.MAVLink(None, 51, 68)
        )
    )
    heard: list[bytes] = []
    hurt: set[int] = set()
    one, other = Line(), Line()

    async def main():
        with (
            a_link(one.device, baud=921_600) as sender,
            a_link(other.device, heard.append, baud=921_600) as receiver,
        ):
            splitter = DatagramSplitter()
            for number, datagram in enumerate(datagrams):
                sender.write(datagram)
                data = read_frames(one)
                match rng.randrange(10):
                    case 0:
                        data = status + data
                        hurt.add(number)
                    case 1:
                        data = rng.randbytes(rng.randrange(1, 400)) + data
                        hurt.add(number)
                    case 2:  # the end is lost, and the delimiter with it
                        data = data[: rng.randrange(1, len(data))]
                        hurt.update((number, number + 1))
                    case 3:  # noise that ends in a delimiter hurts nobody
                        data = status + b"\0" + data
                splitter.receive(data)
                assert other.write(data)
                await asyncio.sleep(len(data) / 50_000)
            assert other.write(b"\0" + encode(b"\xff\xffend"))
            await until(lambda: heard[-1:] == [b"\xff\xffend"], "the end arrives")
            splitter.receive(b"\0")
            assert receiver.dropped == splitter.dropped
            assert splitter.dropped[BadFrame.UNDECODABLE] > 30

    asyncio.run(asyncio.wait_for(main(), 30))
    arrived = [d for d in heard if d in set(datagrams)]
    assert arrived == [d for d in datagrams if d in set(arrived)]
    assert {i for i, d in enumerate(datagrams) if d not in set(arrived)} <= hurt
    one.close()
    other.close()


def test_noise_before_the_first_datagram_is_cut_off():
    line = Line()

    async def main():
        with a_link(line.device) as link:
            link.write(b"first")
            data = read_frames(line)  # closing throws away what is still on its way
            while len(data) < 8:
                data += read_frames(line)
        assert DatagramSplitter().receive(b"noise" + data) == [b"first"]

    asyncio.run(main())
    line.close()


@pytest.mark.slow
def test_an_unplugged_radio_is_awaited_for_ever(tmp_path):
    device = tmp_path / "ttyUSB0"
    heard: list[bytes] = []

    async def main():
        with a_link(device, heard.append) as link:
            assert not link.is_open
            link.write(b"nobody there")
            assert link.describe()["unsent_bytes"] == len(encode(b"nobody there"))
            for round_ in range(3):
                line = Line()
                device.symlink_to(line.device)
                await until(lambda: link.is_open, "the device is opened")
                dropped = link.describe()["unsent_bytes"]
                link.write(b"down")
                assert line.write(encode(b"up") + b"\x09cut")
                await until(lambda n=round_: heard == [b"up"] * (n + 1), "up")
                await asyncio.sleep(0.05)
                assert line.read() == b"\0" + encode(b"down")
                device.unlink()
                line.close()
                await until(lambda: not link.is_open, "the link notices")
                link.write(b"gone")
                assert link.describe()["unsent_bytes"] > dropped

    asyncio.run(asyncio.wait_for(main(), 30))
    assert heard == [b"up"] * 3


def test_a_line_that_hangs_blocks_nothing_and_gathers_nothing():
    line = Line()

    async def main():
        with a_link(line.device) as link:
            slowest = 0.0
            for number in range(3000):
                before = time.perf_counter()
                link.write(number.to_bytes(2, "big") * 120)
                slowest = max(slowest, time.perf_counter() - before)
            assert slowest < 0.05
            assert link.describe()["unsent_bytes"] > 100_000
            assert link._line._unsent_bytes <= MAX_DATAGRAM_BYTES + FRAMING_BYTES
            # It goes on: what the system and one datagram here held comes whole, then what is new.
            splitter = DatagramSplitter()
            out = splitter.receive(line.read())
            await asyncio.sleep(0.1)
            out += splitter.receive(line.read())
            link.write(b"news")
            out += splitter.receive(read_frames(line))
            *old, news = out
            assert news == b"news"
            assert all(d == d[:2] * 120 for d in old)
            assert splitter.dropped == {BadFrame.EMPTY: 1}

    asyncio.run(asyncio.wait_for(main(), 30))
    line.close()


def test_what_hung_in_one_radio_is_not_for_the_next(tmp_path):
    device = tmp_path / "ttyUSB0"
    hung, fresh = Line(), Line()
    device.symlink_to(hung.device)

    async def main():
        with a_link(device) as link:
            for _ in range(3000):
                link.write(b"old" * 80)
            device.unlink()
            device.symlink_to(fresh.device)
            hung.close()
            await until(lambda: not link.is_open, "the link notices")
            await until(lambda: link.is_open, "the other is opened")
            link.write(b"new")
            await asyncio.sleep(0.1)
            assert fresh.read() == b"\0" + encode(b"new")

    asyncio.run(asyncio.wait_for(main(), 30))
    fresh.close()


class Uart(threading.Thread):
    """Takes bytes off the line as fast as 57,600 baud; notes when the end of a datagram came."""

    def __init__(self, line):
        super().__init__()
        self.arrived: list[tuple[int, bytes]] = []
        self.bytes = 0
        self._line = line
        self._ended = threading.Event()

    def run(self):
        splitter = DatagramSplitter()
        free_s = time.monotonic()
        while not self._ended.is_set():
            if not select.select([self._line], [], [], 0.05)[0]:
                continue
            # An idle line earns nothing, but a thread that woke up late has not been idle.
            free_s = max(free_s, time.monotonic() - 0.003)
            data = os.read(self._line.fileno(), 16)
            self.bytes += len(data)
            free_s += len(data) * 10 / BAUD
            time.sleep(max(0.0, free_s - time.monotonic()))
            self.arrived += [(monotonic_ns(), d) for d in splitter.receive(data)]

    def end(self):
        self._ended.set()
        self.join()


MAV = dialect.MAVLink(None, 1, 1)
TELEMETRY = [
    bytes(message.pack(MAV))
    for message in (
        dialect.MAVLink_attitude_message(1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        dialect.MAVLink_vfr_hud_message(1, 2, 3, 4, 5, 6),
        dialect.MAVLink_global_position_int_message(1, 2, 3, 4, 5, 6, 7, 8, 9),
        dialect.MAVLink_scaled_imu2_message(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        dialect.MAVLink_local_position_ned_message(1, 2, 3, 4, 5, 6, 7),
    )
]
SEAL = bytes(21)  # stands for the header, the kind and the tag


class Sender:
    """What the companion does with a queue and a link, without the sealing."""

    def __init__(self, link):
        self.queue = SendQueue(line_rate(BAUD))
        self._link = link
        self._alarm = Alarm(self.pump)

    def pump(self):
        now_ns = monotonic_ns()
        if records := self.queue.take(MAX_DATAGRAM_BYTES - len(SEAL), now_ns):
            datagram = SEAL + b"".join(records)
            self._link.write(datagram)
            self.queue.spent(len(datagram) + FRAMING_BYTES, now_ns)
        self._alarm.set(self.queue.deadline_ns(), now_ns)

    async def offer(self, seconds):
        """Offer telemetry for three lines, and a command now and then; return when each was put."""
        rng = random.Random(20261121)
        start_ns, put_ns = monotonic_ns(), []
        owed, kind, command_s = 0.0, 0, 0.0
        while (elapsed := ((now_ns := monotonic_ns()) - start_ns) / 1e9) < seconds:
            while owed < elapsed * 3 * BAUD / 10:
                frame = TELEMETRY[kind % len(TELEMETRY)]
                self.queue.put(priority_of(frame), frame, now_ns)
                owed += len(frame)
                kind += 1
            if elapsed >= command_s:
                command_s = elapsed + rng.uniform(0.03, 0.15)
                command = dialect.MAVLink_command_long_message(
                    1, 1, 400, 0, 1, len(put_ns), 0, 0, 0, 0, 1
                )
                self.queue.put(Priority.COMMAND, bytes(command.pack(MAV)), now_ns)
                put_ns.append(now_ns)
            self.pump()
            await asyncio.sleep(rng.uniform(0.001, 0.015))
        await asyncio.sleep(0.5)
        return put_ns


@pytest.mark.slow
def test_a_command_waits_for_one_datagram_while_telemetry_wants_three_lines():
    seconds = 10.0
    line = Line()
    uart = Uart(line)
    uart.start()

    async def main():
        with a_link(line.device) as link:
            sender = Sender(link)
            put_ns = await sender.offer(seconds)
            assert link.describe()["unsent_bytes"] == 0
            assert sender.queue.dropped["not_sent_command"] == 0
            assert sender.queue.dropped["not_sent_telemetry"] > 2000
            return put_ns

    put_ns = asyncio.run(asyncio.wait_for(main(), 60))
    uart.end()
    line.close()

    delays_ms: dict[int, float] = {}
    heard = Counter()
    for at_ns, datagram in uart.arrived:
        for frame in parse_records(datagram[len(SEAL) :])[0]:
            if priority_of(frame) is Priority.COMMAND:
                number = int(MAV.decode(bytearray(frame)).param2)
                delays_ms[number] = (at_ns - put_ns[number]) / 1e6
            else:
                heard[frame[7]] += 1
    assert len(delays_ms) == len(put_ns)
    p50, p99 = (statistics.quantiles(delays_ms.values(), n=100)[i] for i in (49, 98))
    use = uart.bytes / (BAUD / 10 * seconds)
    figures = f"{len(put_ns)} commands: p50 {p50:.1f} ms, p99 {p99:.1f} ms; line used {use:.0%}"
    print(figures)
    longest_ms = (MAX_DATAGRAM_BYTES + FRAMING_BYTES) * 10_000 / BAUD
    assert p99 <= MAX_DELAY_NS / 1e6 + longest_ms, figures
    assert 0.85 < use < 1.02, figures
    assert min(heard.values()) > 0.5 * max(heard.values())
